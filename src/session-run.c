#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session.h"
#include "barrier.h"
#include "err.h"
#include "guardian.h"
#include "jobserver.h"
#include "ledger.h"
#include "local.h"
#include "loop.h"
#include "os.h"
#include "publish.h"
#include "sched.h"
#include "session-space.h"

extern char **environ;

#define GRACE (INT64_C(10) * 1000000000)
#define LOAD_EVERY (INT64_C(1000000000))
#define DURABLE_NS (INT64_C(10) * 1000000000) /* a run that takes longer ends with a barrier; a shorter one has hashes */

/* A run: what is opened for it, and what its callbacks need. */
struct dr_run {
	struct dr_tokens tokens; /* first: dr_sched hands it back to us */
	struct dr_session *session;
	struct dr_loop *loop;
	struct dr_jobserver *jobserver;
	struct dr_session_guard guard;
	struct dr_publisher *publisher;
	struct dr_barrier *barrier;
	struct dr_space space;
	struct dr_local *local;
	struct dr_ledger *ledger; /* or NULL */
	int pid;                  /* of the task started last */
	struct dr_sched *sched;
	struct dr_sched_stage *stages;
	double load;
	int64_t load_read;
	int token_fd; /* that the loop watches now, or -1 */
	int barrier_fd; /* the same */
	int signal;   /* that ended the run */
	bool hurry;   /* a second one came */
	struct {      /* the end that was told last; the scheduler's word on that task comes next */
		uint32_t task; /* or DR_NONE */
		bool cancelled, failed;
	} last;
	struct dr_quiet quiet;
	struct dr_waiting waiting;
	bool failed;  /* a failure of our own: err has it */
	bool others;  /* other runs have written to the journal meanwhile */
	struct dr_err *err;
};

static void
say(struct dr_run *r, const char *text)
{
	dr_session_message(r->session, DR_WARNING, text);
}

static void
warn(void *arg, const char *message)
{
	say(arg, message);
}

/* Tokens. */

static int
take(struct dr_tokens *t)
{
	struct dr_run *r = (struct dr_run *)t;
	struct dr_err err;

	return dr_jobserver_take(r->jobserver, &err) > 0;
}

static void
give(struct dr_tokens *t)
{
	struct dr_run *r = (struct dr_run *)t;
	struct dr_err err;

	if (dr_jobserver_give(r->jobserver, &err))
		say(r, err.msg);
}

/* The load is an average over a minute: to read it once a second is more than enough. */
static bool
may_start(struct dr_tokens *t)
{
	struct dr_run *r = (struct dr_run *)t;
	int64_t now;

	if (r->session->options.load <= 0)
		return true;
	now = dr_now();
	if (!r->load_read || now - r->load_read >= LOAD_EVERY) {
		r->load_read = now;
		if (dr_load(&r->load))
			r->load = 0;
	}
	return r->load < r->session->options.load;
}

/* Events. */

static void
on_signal(void *arg, int sig)
{
	struct dr_run *r = arg;
	bool again = r->signal != 0;
	char text[96];

	if (!again) {
		r->signal = sig;
		snprintf(text, sizeof(text), "%s: ending the running tasks; once more kills them", dr_signal_name(sig));
		say(r, text);
	}
	r->hurry |= again;
	dr_sched_stop(r->sched, true, again);
}

static void
on_token(void *arg, int fd, short revents)
{
	/* That it woke the loop is all: the pump takes what is there. */
	(void)arg;
	(void)fd;
	(void)revents;
}

static void
tell_alone(struct dr_run *r, uint32_t task)
{
	struct dr_session *s = r->session;

	dr_buf_reset(&s->path);
	dr_plan_task_name(s->plan, task, &s->path);
	dr_buf_reset(&s->text);
	dr_buf_escape(&s->text, dr_buf_str(&s->path));
	dr_buf_adds(&s->text, ": killed as there was no memory left; it runs once more, alone ('memory' would say what it needs)");
	say(r, dr_buf_cstr(&s->text));
}

static void
on_ended(void *arg, const struct dr_task_end *e)
{
	struct dr_run *r = arg;

	r->last.task = e->task;
	r->last.cancelled = e->how == DR_HOW_CANCELLED;
	r->last.failed = e->result == DR_RESULT_FAILED;
	if (e->result == DR_RESULT_ALONE)
		tell_alone(r, e->task);
	if (r->session->host.ended)
		r->session->host.ended(r->session->host.arg, e);
}

/* What we ended ourselves did not fail, and what failed did so even where that is ignored (-i). */
static enum dr_progress_end
end_of(const struct dr_run *r, uint32_t task, uint8_t state)
{
	bool known = r->last.task == task;

	if (state == DR_READY)
		return DR_PROGRESS_AGAIN;
	if (state == DR_CLEAN)
		return DR_PROGRESS_CLEAN;
	if (known && r->last.cancelled)
		return DR_PROGRESS_STOPPED;
	return state == DR_DONE && !(known && r->last.failed) ? DR_PROGRESS_DONE : DR_PROGRESS_FAILED;
}

/* A task need not run after all: what it would have read has been read by all, as far as it is concerned. If what it made is gone, only the
 * end of a run that came to its end tells that nobody needs it. */
static void
let_go(struct dr_run *r, uint32_t task)
{
	const struct dr_graph *g = r->session->plan->graph;
	struct dr_sched_counts c;
	struct dr_err err;

	dr_sched_counts(r->sched, &c);
	if (g->tasks[task].n_out && (g->files[*dr_graph_outputs(g, task)].flags & DR_FILE_ABSENT) &&
	    (c.failed || c.skipped || r->signal))
		return;
	/* What stays for want of memory is reclaimed before the next run. */
	(void)dr_publish_reclaim(r->publisher, task, &err);
}

/* The scheduler's word on every change of state; starts and ends are also the progress display's. */
static void
on_changed(void *arg, uint32_t task, const struct dr_grant *g)
{
	struct dr_run *r = arg;
	const struct dr_host *h = &r->session->host;
	uint8_t state = r->session->plan->graph->tasks[task].state;

	if (state == DR_RUNNING) {
		dr_session_quiet_started(&r->quiet, task);
		if (h->started)
			h->started(h->arg, task, g);
		dr_session_ledger_started(r->session, r->ledger, task, g, r->pid);
	} else if (state == DR_DONE || state == DR_FAILED_TASK || state == DR_READY || state == DR_CLEAN) {
		enum dr_progress_end end = end_of(r, task, state);

		if (h->settled)
			h->settled(h->arg, task, end);
		dr_ledger_ended(r->ledger, r->session->plan->graph->tasks[task].stage, g ? g->slot : 0,
				end == DR_PROGRESS_DONE   ? DR_LEDGER_DONE :
				end == DR_PROGRESS_FAILED ? DR_LEDGER_FAILED :
				end == DR_PROGRESS_CLEAN  ? DR_LEDGER_CLEAN :
							    DR_LEDGER_NEITHER,
				g != NULL);
	}
	if (state == DR_CLEAN)
		let_go(r, task);
	r->last.task = DR_NONE;
}

static void
on_started(void *arg, uint32_t task, int pid)
{
	struct dr_run *r = arg;

	(void)task;
	r->pid = pid;
}

static void
on_busy(void *arg, uint32_t task)
{
	struct dr_run *r = arg;

	r->waiting.task = task;
}

static int
look(void *arg, uint32_t task)
{
	struct dr_run *r = arg;
	struct dr_err err;
	int rc = dr_stale_look(r->session->stale, task, &err);

	if (rc < 0)
		say(r, err.msg);
	return rc > 0;
}

/* Another run that is here, or came and went, has left its records. From then on every task is looked up before it is started: what was read
 * on for the sake of one task may have been about another. */
static bool
others(void *arg)
{
	struct dr_run *r = arg;

	if (!r->others && r->session->lock && !r->session->alone)
		r->others = dr_journal_grown(r->session->journal);
	return r->others;
}

/* What a run that has died beside us, and its guardian with it, was doing is ended before we do it. The kernel drops all locks of a run at
 * once: so whoever has got a claim from it sees here that it is not alive any more. */
static int
claimed(void *arg, struct dr_err *err)
{
	struct dr_run *r = arg;
	struct dr_session *s = r->session;
	bool died;
	int rc;

	if (!s->lock || s->alone)
		return 0;
	rc = dr_stale_gone(s->stale, others(r), &died, err);
	if (rc <= 0)
		return rc;
	r->others = true;
	return died ? dr_session_end_orphans(s, err) : 0;
}

/* Opening. */

static int
open_jobserver(struct dr_run *r)
{
	const struct dr_session *s = r->session;
	struct dr_jobserver_options o = {
		.flags = &s->makeflags,
		.jobs = s->options.jobs,
		.processors = dr_processors(),
		.style = s->options.style,
		.guarded = true,
		.warn = warn,
		.warn_arg = r,
	};

	for (uint32_t i = 0; i < s->pipeline->n_stages; i++)
		o.styles |= 1U << s->pipeline->stages[i].jobserver;
	return dr_jobserver_open(&o, &r->jobserver, r->err);
}

/* As the first process of a container we are given what others have left behind, and nobody else waits for it. */
static bool
is_stranger(void *arg, int pid)
{
	struct dr_run *r = arg;

	return r->session->reaps && pid != dr_guardian_pid(r->guard.guardian);
}

static enum dr_output_sync
sync_of(const struct dr_session *s)
{
	switch (s->options.sync ? s->options.sync : 't') {
	case 'n': return DR_SYNC_NONE;
	case 'r': return DR_SYNC_RECURSE;
	default: return DR_SYNC_TARGET; /* by line too: a task is to us what a recipe's line is to make */
	}
}

static int
open_local(struct dr_run *r)
{
	struct dr_session *s = r->session;
	struct dr_local_options o = {
		.plan = s->plan,
		.loop = r->loop,
		.publisher = r->publisher,
		.journal = s->journal,
		.lock = s->lock,
		.jobserver = r->jobserver,
		.guard = dr_guardian_table(r->guard.guardian),
		.root = s->root,
		.state_dir = s->state,
		.state_path = ".dagrun",
		.run = s->run,
		.envp = environ,
		.sync = sync_of(s),
		.one_stream = s->one_stream,
		.grace = GRACE,
		.ended = on_ended,
		.started = on_started,
		.busy = on_busy,
		.look = look,
		.others = others,
		.claimed = claimed,
		.stranger = is_stranger,
		.arg = r,
	};

	return dr_local_new(&o, &r->local, r->err);
}

/* Does the end of this stage's tasks let something be reclaimed? */
static bool
frees(const struct dr_session *s, uint32_t stage)
{
	const struct dr_plan_stage *ps = &s->plan->stages[stage];
	const struct dr_graph *g = s->plan->graph;

	/* All tasks of a stage are alike but for a merge's first round, whose inputs may be to stay: often the last one tells. */
	for (uint32_t i = ps->n; i-- > 0;) {
		const struct dr_file *f;

		if (!g->tasks[ps->first + i].n_in)
			continue;
		f = &g->files[*dr_graph_inputs(g, ps->first + i)];
		if (!(f->flags & (DR_FILE_KEEP | DR_FILE_TARGET)) && f->producer != DR_NONE)
			return true;
	}
	return false;
}

/* How many tasks of each pool may run; NULL without memory. */
static uint32_t *
pool_limits(const struct dr_pipeline *p)
{
	uint32_t *limits = calloc((size_t)p->n_pools + 1, sizeof(*limits));

	for (uint32_t i = 0; limits && i < p->n_pools; i++)
		limits[i] = p->pools[i].limit;
	return limits;
}

static bool
enough(void *arg, uint32_t task)
{
	const struct dr_run *r = arg;

	return dr_plan_enough(r->session->plan, task);
}

static enum dr_fresh
fresh(void *arg, uint32_t task)
{
	const struct dr_run *r = arg;

	return dr_stale_fresh(r->session->stale, task);
}

static int
open_sched(struct dr_run *r)
{
	const struct dr_session *s = r->session;
	const struct dr_pipeline *p = s->pipeline;
	struct dr_sched_options o = {
		.n_stages = p->n_stages,
		.limit = dr_jobserver_limit(r->jobserver),
		.keep_going = s->options.keep_going,
		.ignore = s->options.ignore,
		.max_failures = s->options.max_failures,
		.seed = dr_random64(),
		.shuffle = s->makeflags.shuffle,
		.shuffle_seed = s->makeflags.shuffle_seed,
		.room = r->space.claimed ? &r->space.room : NULL,
		.bytes = s->options.reserve ? r->space.bytes : NULL,
		.changed = on_changed,
		.enough = enough,
		.fresh = fresh,
		.arg = r,
	};
	uint32_t *pools = pool_limits(p);
	bool *tolerated = dr_plan_below_missing(s->plan);

	r->stages = calloc((size_t)p->n_stages + 1, sizeof(*r->stages));
	if (!r->stages || !pools || !tolerated) {
		free(pools);
		free(tolerated);
		return dr_err_nomem(r->err);
	}
	for (uint32_t i = 0; i < p->n_stages; i++)
		r->stages[i] = (struct dr_sched_stage){
			.slots = p->stages[i].slots,
			.most = p->stages[i].slots_most,
			.retries = p->stages[i].retries,
			.frees = frees(s, i),
			.pool = p->stages[i].pool,
			.memory = p->stages[i].memory,
			.disk = p->stages[i].disk,
			.volume = r->space.volume[i],
			.missing = p->stages[i].missing_ok,
			.tolerated = tolerated[i],
		};
	o.stages = r->stages;
	o.pools = pools;
	o.n_pools = p->n_pools;
	r->sched = dr_sched_new(s->plan->graph, &o, dr_local_executor(r->local), &r->tokens, r->err);
	free(pools);
	free(tolerated);
	return r->sched ? 0 : -1;
}

static int
open_signals(struct dr_run *r)
{
	static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

	for (size_t i = 0; r->session->signals && i < sizeof(ending) / sizeof(*ending); i++)
		if (dr_loop_signal(r->loop, ending[i], on_signal, r, r->err))
			return -1;
	return 0;
}

static int
open_run(struct dr_run *r)
{
	struct dr_session *s = r->session;

	r->tokens = (struct dr_tokens){ take, give, may_start };
	r->loop = dr_loop_new(r->err);
	if (!r->loop || open_jobserver(r) || dr_session_guard(s, &r->guard, r->loop, r->jobserver, r->err))
		return -1;
	if (s->host.opened && s->host.opened(s->host.arg, r->loop, r->jobserver, r->err))
		return -1;
	r->publisher = dr_publisher_new(s->plan, s->disk, s->journal, s->lock, s->run, r->err);
	if (!r->publisher || dr_session_space_open(s, &r->space, r->err) || dr_session_barrier(s, dr_now(), DURABLE_NS, &r->barrier, r->err))
		return -1;
	dr_publisher_endure(r->publisher, r->barrier, dr_realtime() + DURABLE_NS, s->options.durable);
	return open_local(r) || open_sched(r) || open_signals(r) ? -1 : 0;
}

static void
close_run(struct dr_run *r)
{
	dr_local_free(r->local); /* before the tokens of what it ends go back */
	dr_sched_free(r->sched);
	dr_ledger_free(r->ledger);
	dr_publisher_free(r->publisher);
	dr_barrier_free(r->barrier);
	dr_jobserver_close(r->jobserver);
	/* With nothing left to watch over. */
	dr_guardian_close(r->guard.guardian);
	dr_loop_free(r->loop);
	dr_session_space_close(&r->space);
	free(r->stages);
	r->session->running = NULL;
	if (r->session->host.closed)
		r->session->host.closed(r->session->host.arg);
}

/* The loop. */

/* A token is polled for only while one is wanted, so that an idle run wakes up for nothing. */
static int
watch_tokens(struct dr_run *r)
{
	int fd = dr_sched_wants_token(r->sched) ? dr_jobserver_poll_fd(r->jobserver) : -1;

	if (fd == r->token_fd)
		return 0;
	if (r->token_fd >= 0 && dr_loop_fd(r->loop, r->token_fd, 0, NULL, NULL, r->err))
		return -1;
	r->token_fd = fd;
	return fd < 0 ? 0 : dr_loop_fd(r->loop, fd, POLLIN, on_token, r, r->err);
}

static int
watch_barrier(struct dr_run *r)
{
	int fd = dr_barrier_fd(r->barrier);

	if (fd == r->barrier_fd)
		return 0;
	r->barrier_fd = fd;
	return dr_loop_fd(r->loop, fd, POLLIN, on_token, r, r->err);
}

static int64_t
sooner(int64_t a, int64_t b)
{
	return a < 0 ? b : b < 0 || a < b ? a : b;
}

/* After an error of our own: nothing new starts, what runs is ended, and the error is what the run ends with. */
static void
give_up(struct dr_run *r)
{
	if (!r->failed)
		say(r, r->err->msg);
	r->failed = true;
	dr_sched_stop(r->sched, true, false);
}

/* What tasks that we ended held is lost through no fault of theirs. */
static void
reconcile(struct dr_run *r)
{
	struct dr_sched_counts counts;

	dr_sched_counts(r->sched, &counts);
	if (!counts.running)
		dr_session_quiet(r->session, &r->quiet, r->jobserver, !r->signal && !r->failed);
}

static void
pumped(struct dr_run *r)
{
	const struct dr_host *h = &r->session->host;
	struct dr_sched_counts counts;

	if (!h->pumped)
		return;
	dr_sched_counts(r->sched, &counts);
	h->pumped(h->arg, counts.slots, dr_sched_wants_token(r->sched));
}

static void
wait_for_others(struct dr_run *r, int64_t now)
{
	struct dr_sched_counts counts;

	if (r->waiting.task == DR_NONE)
		return;
	dr_sched_counts(r->sched, &counts);
	dr_session_waiting(r->session, &r->waiting, counts.running, now);
}

static void
turns(struct dr_run *r)
{
	const struct dr_host *h = &r->session->host;
	struct dr_err ignored, *first = r->err;

	for (;;) {
		int64_t now = dr_now(), wake;

		if (dr_local_settle(r->local, r->sched, now, r->err))
			give_up(r);
		reconcile(r);
		if (dr_sched_pump(r->sched, now, r->err))
			give_up(r);
		r->err = r->failed ? &ignored : first; /* the first error is the one that counts */
		if (dr_sched_finished(r->sched))
			break;
		wait_for_others(r, now);
		wake = dr_local_busy(r->local) ? now : dr_sched_wake(r->sched);
		pumped(r);
		if (h->tick)
			wake = sooner(wake, h->tick(h->arg, now));
		wake = sooner(wake, dr_ledger_tick(r->ledger, now));
		/* What has its record and no name must not be vouched for. */
		if (!dr_publisher_owes(r->publisher))
			wake = sooner(wake, dr_barrier_tick(r->barrier, now));
		if (watch_tokens(r) || watch_barrier(r))
			give_up(r);
		/* Without events nothing tells that a task has ended: what runs is killed, and that is all. */
		if (dr_loop_turn(r->loop, wake, r->err)) {
			give_up(r);
			break;
		}
	}
	r->err = first;
}

void
dr_session_stop(struct dr_session *s, bool hard)
{
	if (s->running && s->running->sched)
		dr_sched_stop(s->running->sched, true, hard);
}

int
dr_session_record(struct dr_session *s, enum dr_record_kind kind, struct dr_err *err)
{
	struct dr_rec_run rec = { .run = s->run, .when = dr_realtime(), .boot = { s->boot.id[0], s->boot.id[1] } };

	if (dr_journal_add_run(s->journal, kind, &rec))
		return dr_err_nomem(err);
	return dr_journal_flush(s->journal, err);
}

/* After several failures the first may have left the screen long ago. */
static void
tell_log(struct dr_run *r, const struct dr_sched_counts *counts)
{
	const struct dr_session *s = r->session;
	char name[40], text[96];
	struct stat st;

	snprintf(name, sizeof(name), "log/%016" PRIx64, s->run);
	if (counts->failed < 2 || r->signal || fstatat(s->state, name, &st, 0))
		return;
	snprintf(text, sizeof(text), "what tasks printed is in .dagrun/%s", name);
	say(r, text);
}

static int
commit(struct dr_publisher *p, struct dr_err *err)
{
	return dr_publish_commit(p, NULL, NULL, err);
}

/* What could not be reclaimed while other runs were at work on the same stages; the last of them does it, so we let go first. Reclaimed
 * files are unlinked in the commit of their records, for which there is no turn left. */
static int
finish_reclaiming(struct dr_run *r)
{
	if (commit(r->publisher, r->err))
		return -1;
	if (!dr_publisher_defers(r->publisher) || !r->session->lock)
		return 0;
	dr_session_unuse(r->session);
	return dr_publish_reclaim_left(r->publisher, r->err) || commit(r->publisher, r->err) ? -1 : 0;
}

/* What was made in a long run reaches the disk before we say that it is done. A second signal is from somebody who will not wait. */
static void
last_barrier(struct dr_run *r)
{
	const struct dr_host *h = &r->session->host;
	struct dr_err ignored;

	while (!dr_publisher_owes(r->publisher) && !r->hurry && dr_barrier_last(r->barrier, dr_now())) {
		int64_t wake = h->tick ? h->tick(h->arg, dr_now()) : -1;

		if (watch_barrier(r) || dr_loop_turn(r->loop, wake, &ignored))
			break;
	}
}

int
dr_session_run(struct dr_session *s, int *signal_number, struct dr_err *err)
{
	struct dr_run r = { .session = s, .others = s->counts.flux > 0, .token_fd = -1, .barrier_fd = -1, .last = { .task = DR_NONE }, .waiting = { .task = DR_NONE }, .err = err };
	struct dr_sched_counts counts;
	struct dr_err ignored;
	int status = DR_SYSTEM;

	s->running = &r;
	if (dr_graph_ready(s->plan->graph, s->pipeline->n_stages, err) || open_run(&r))
		goto out;
	if (dr_session_record(s, DR_REC_RUN, err) || dr_session_record_durable(s, err))
		goto out;
	r.ledger = dr_session_ledger(s, dr_jobserver_limit(r.jobserver));
	dr_session_tell_directory(s, true);
	turns(&r);
	dr_session_tell_directory(s, false);
	dr_ledger_finish(r.ledger, r.signal);
	if (!r.failed && finish_reclaiming(&r))
		r.failed = true;
	if (!r.failed)
		last_barrier(&r);
	if (s->host.finished)
		s->host.finished(s->host.arg);
	dr_sched_counts(r.sched, &counts);
	tell_log(&r, &counts);
	status = counts.failed || counts.skipped ? DR_FAILED : DR_OK;
	if (r.failed)
		status = err->code;
	/* Without a farewell the next run finishes what this one has left. */
	else if (!dr_publisher_owes(r.publisher))
		dr_session_record(s, DR_REC_BYE, &ignored);
	s->told = true;
	*signal_number = r.signal;
out:
	close_run(&r);
	return status;
}
