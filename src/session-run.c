#include "config.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "session-run.h"

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

#define DURABLE_NS (INT64_C(10) * 1000000000) /* a run that takes longer ends with a barrier; a shorter one has hashes */

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

	r->loop = dr_loop_new(r->err);
	if (!r->loop || open_jobserver(r) || dr_session_guard(s, &r->guard, r->loop, r->jobserver, r->err))
		return -1;
	if (s->host.opened && s->host.opened(s->host.arg, r->loop, r->jobserver, r->err))
		return -1;
	r->publisher = dr_publisher_new(s->plan, s->disk, s->journal, s->lock, s->run, r->err);
	if (!r->publisher || dr_session_space_open(s, &r->space, r->err) || dr_session_barrier(s, dr_now(), DURABLE_NS, &r->barrier, r->err))
		return -1;
	dr_publisher_endure(r->publisher, r->barrier, dr_realtime() + DURABLE_NS, s->options.durable);
	return dr_session_open_local(r) || dr_session_open_sched(r) || open_signals(r) ? -1 : 0;
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
	r->err = &r->later;
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

int64_t
dr_session_turn(struct dr_run *r)
{
	const struct dr_host *h = &r->session->host;
	int64_t now = dr_now(), wake;

	if (dr_local_settle(r->local, r->sched, now, r->err))
		give_up(r);
	reconcile(r);
	if (dr_sched_pump(r->sched, now, r->err))
		give_up(r);
	r->over = dr_sched_finished(r->sched);
	if (r->over)
		return -1;
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
	return wake;
}

static void
turns(struct dr_run *r)
{
	for (;;) {
		int64_t wake = dr_session_turn(r);

		if (r->over)
			return;
		/* Without events nothing tells that a task has ended: what runs is killed, and that is all. */
		if (dr_loop_turn(r->loop, wake, r->err)) {
			give_up(r);
			return;
		}
	}
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
	/* Who is here may be recording what we plan to make. */
	bool others = s->counts.flux > 0 || (s->lock && !s->alone && dr_lock_shared(s->lock));
	struct dr_run r = { .session = s, .others = others, .token_fd = -1, .barrier_fd = -1, .last = { .task = DR_NONE }, .waiting = { .task = DR_NONE }, .err = err };
	struct dr_sched_counts counts;
	struct dr_err ignored;
	int status = DR_SYSTEM;

	s->running = &r;
	if (dr_graph_ready(s->plan->graph, s->pipeline->n_stages, err) || open_run(&r))
		goto out;
	if (dr_session_record(s, DR_REC_RUN, err) || dr_session_record_durable(s, err))
		goto out;
	r.ledger = dr_session_ledger(&r, dr_jobserver_limit(r.jobserver));
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
	else if (!dr_publisher_owes(r.publisher) && !dr_publisher_litters(r.publisher))
		dr_session_record(s, DR_REC_BYE, &ignored);
	s->told = true;
	*signal_number = r.signal;
out:
	close_run(&r);
	return status;
}
