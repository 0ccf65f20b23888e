#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "jobserver.h"
#include "journal.h"
#include "local.h"
#include "lock.h"
#include "loop.h"
#include "os.h"
#include "parse.h"
#include "plan.h"
#include "plan-values.h"
#include "private-dir.h"
#include "sched.h"
#include "spawn.h"

/* Real processes in a directory of their own; Dagfiles say what they are. The scheduler's clock runs ahead
 * where nothing but time is waited for, so that no test waits for a retry. */

extern char **environ;

enum { MS = 1000000, TASKS = 16 };

struct seen {
	uint32_t ends, starts;
	struct dr_task_end last;
	char how[256];
	struct dr_buf out, err;
};

struct bed {
	struct dr_tokens tok; /* first: found by it */
	char dir[128];
	int root, state;
	struct dr_pipeline *pipeline;
	struct dr_plan *plan;
	struct dr_lock *lock;
	struct dr_journal *journal;
	struct dr_disk *disk;
	struct dr_publisher *publisher;
	struct dr_loop *loop;
	struct dr_local *local;
	struct dr_sched *sched;
	struct dr_sched_stage stages[TASKS];
	struct dr_sched_options so;
	struct dr_local_options lo;
	struct seen seen[TASKS];          /* tasks in the order of the Dagfile, and of its rows */
	uint32_t task[TASKS], nth[TASKS]; /* the graph's number of the n-th, and back */
	int64_t ahead;
	uint32_t held, looks;
	bool made_by_other, others, unreadable;
	uint64_t kills;
	void (*started)(int pid);
};

/* The same executor with a thread for each slot, and without. */
static bool threads;

static int
take(struct dr_tokens *t)
{
	((struct bed *)t)->held++;
	return 1;
}

static void
give(struct dr_tokens *t)
{
	struct bed *b = (struct bed *)t;

	assert_true(b->held > 0);
	b->held--;
}

static bool
may_start(struct dr_tokens *t)
{
	(void)t;
	return true;
}

static void
read_all(int fd, uint64_t n, struct dr_buf *out)
{
	char *p;

	dr_buf_reset(out);
	p = dr_buf_room(out, n + 1);
	assert_non_null(p);
	assert_int_equal(dr_pread_full(fd, p, n + 1, 0), n);
	p[n] = 0;
	out->n += n;
}

static void
on_ended(void *arg, const struct dr_task_end *e)
{
	struct bed *b = arg;
	struct seen *s = &b->seen[b->nth[e->task]];
	struct dr_buf how = { 0 };

	s->ends++;
	s->last = *e;
	dr_outcome_describe(e, &how);
	snprintf(s->how, sizeof(s->how), "%s", dr_buf_cstr(&how));
	dr_buf_free(&how);
	dr_buf_reset(&s->out);
	dr_buf_reset(&s->err);
	if (e->out >= 0)
		read_all(e->out, e->out_len, &s->out);
	if (e->err >= 0)
		read_all(e->err, e->err_len, &s->err);
}

static void
on_changed(void *arg, uint32_t task, const struct dr_grant *g)
{
	struct bed *b = arg;

	if (b->plan->graph->tasks[task].state != DR_RUNNING)
		return;
	b->seen[b->nth[task]].starts++;
	if (b->started)
		b->started(dr_local_pid(b->local, g->slot));
}

static int
look(void *arg, uint32_t task, struct dr_err *err)
{
	struct bed *b = arg;

	(void)task;
	b->looks++;
	return b->unreadable ? dr_err_sys(err, EIO, "read the journal") : b->made_by_other;
}

static int
claimed(void *arg, bool *others, struct dr_err *err)
{
	(void)err;
	*others = ((struct bed *)arg)->others;
	return 0;
}

static void
put(const struct bed *b, const char *name, const char *text)
{
	int fd = openat(b->root, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	assert_true(fd >= 0);
	assert_int_equal(dr_write_full(fd, text, strlen(text)), 0);
	close(fd);
}

static bool
there(const struct bed *b, const char *name)
{
	return faccessat(b->root, name, F_OK, 0) == 0;
}

static void
assert_holds(const struct bed *b, const char *name, const char *text)
{
	struct dr_buf got = { 0 };
	struct dr_err err;

	assert_int_equal(dr_slurp(b->root, name, &got, &err), 0);
	assert_string_equal(dr_buf_cstr(&got), text);
	dr_buf_free(&got);
}

static void
plan(struct bed *b, const char *dagfile)
{
	struct dr_parse_options po = { .root = b->root };
	struct dr_items_options io = { .root = b->root, .envp = environ, .standard_input = -1 };
	struct dr_plan_options plo = { .items = &io };
	struct dr_diags diags = { 0 };
	struct dr_err err;

	if (dr_parse("Dagfile", dr_str(dagfile), &po, &b->pipeline, &diags, &err))
		fail_msg("%s", diags.n ? diags.v[0].msg : err.msg);
	io.shell = &b->pipeline->shell;
	if (dr_plan_make(b->pipeline, &plo, &b->plan, &diags, &err))
		fail_msg("%s", diags.n ? diags.v[0].msg : err.msg);
	assert_true(b->plan->graph->n_tasks <= TASKS);
	for (uint32_t i = 0, n = 0; i < b->pipeline->n_stages; i++) {
		const struct dr_stage *st = &b->pipeline->stages[i];

		b->stages[i] = (struct dr_sched_stage){ .slots = st->slots, .retries = st->retries };
		for (uint32_t k = 0; k < b->plan->stages[i].n; k++, n++) {
			b->task[n] = b->plan->stages[i].first + k;
			b->nth[b->task[n]] = n;
		}
	}
}

/* Of no other copy of this test: what a run has started and somebody finds is ended. */
static uint64_t
run_id(void)
{
	return 0xabc0000000000000 | (uint64_t)getpid();
}

/* The log of the run. */
static void
read_log(const struct bed *b, struct dr_buf *log)
{
	struct dr_err err;
	char name[32];

	snprintf(name, sizeof(name), "log/%016" PRIx64, run_id());
	assert_int_equal(dr_slurp(b->state, name, log, &err), 0);
}

static struct dr_local_options
local_options(struct bed *b)
{
	return (struct dr_local_options){
		.plan = b->plan,
		.loop = b->loop,
		.publisher = b->publisher,
		.journal = b->journal,
		.lock = b->lock,
		.root = b->root,
		.state_dir = b->state,
		.run = run_id(),
		.envp = environ,
		.sync = DR_SYNC_TARGET,
		.grace = 50 * MS,
		.ended = on_ended,
		.look = look,
		.claimed = claimed,
		.arg = b,
	};
}

/* A directory and the plan of this Dagfile; options may be changed before bed_open. */
static struct bed *
bed_new(const char *dagfile)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct dr_err err;
	bool alone;

	assert_non_null(b);
	dr_spawn_remember();
	b->tok = (struct dr_tokens){ take, give, may_start };
	assert_int_equal(private_dir("dagrun-test-", b->dir, sizeof(b->dir)), 0);
	b->root = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(b->root, ".dagrun", 0777), 0);
	b->state = openat(b->root, ".dagrun", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(b->root >= 0 && b->state >= 0);
	put(b, "in.txt", "input\n");
	plan(b, dagfile);
	assert_int_equal(dr_lock_open(b->state, 1, 0, &b->lock, &alone, &err), 0);
	assert_int_equal(dr_journal_open(b->state, &b->journal, &err), 0);
	b->disk = dr_disk_real(b->root);
	b->publisher = dr_publisher_new(b->plan, b->disk, b->journal, b->lock, 1, &err);
	b->loop = dr_loop_new(&err);
	assert_true(b->disk && b->publisher && b->loop);
	b->lo = local_options(b);
	b->so.stages = b->stages;
	b->so.n_stages = b->pipeline->n_stages;
	b->so.limit = 2;
	b->so.changed = on_changed;
	b->so.arg = b;
	return b;
}

/* From a thread of the executor's: what whoever turns the loop would do. */
static void
on_turn(void *arg)
{
	struct bed *b = arg;
	int64_t now = dr_now() + b->ahead;
	struct dr_err err;

	assert_int_equal(dr_local_settle(b->local, b->sched, now, &err), 0);
	assert_int_equal(dr_sched_pump(b->sched, now, &err), 0);
	dr_loop_hurry(b->loop, 0);
}

static void
bed_open(struct bed *b)
{
	struct dr_err err;

	for (uint32_t t = 0; t < b->plan->graph->n_tasks; t++)
		b->plan->graph->tasks[t].state = DR_WAITING;
	assert_int_equal(dr_graph_ready(b->plan->graph, b->pipeline->n_stages, &err), 0);
	b->lo.turn = threads && !b->lo.stranger ? on_turn : NULL;
	assert_int_equal(dr_local_new(&b->lo, &b->local, &err), 0);
	b->sched = dr_sched_new(b->plan->graph, &b->so, dr_local_executor(b->local), &b->tok, &err);
	assert_non_null(b->sched);
}

/* One turn; false when all is over. */
static bool
bed_turn(struct bed *b)
{
	struct dr_sched_counts c;
	struct dr_err err;
	int64_t now = dr_now() + b->ahead, wake;

	assert_int_equal(dr_local_settle(b->local, b->sched, now, &err), 0);
	assert_int_equal(dr_sched_pump(b->sched, now, &err), 0);
	if (dr_sched_finished(b->sched))
		return false;
	dr_sched_counts(b->sched, &c);
	wake = dr_sched_wake(b->sched);
	if (!c.running) {
		assert_true(wake >= 0);
		b->ahead += wake > now ? wake - now : 0;
		return true;
	}
	assert_int_equal(dr_loop_turn(b->loop, wake < 0 ? -1 : wake - b->ahead, &err), 0);
	return true;
}

static void
bed_run(struct bed *b)
{
	while (bed_turn(b))
		;
	assert_int_equal(b->held, 0);
}

static enum dr_state
state_of(const struct bed *b, uint32_t task)
{
	return b->plan->graph->tasks[b->task[task]].state;
}

static void
bed_free(struct bed *b)
{
	dr_local_free(b->local);
	dr_sched_free(b->sched);
	dr_publisher_free(b->publisher);
	dr_journal_close(b->journal);
	dr_lock_close(b->lock);
	dr_disk_free(b->disk);
	dr_loop_free(b->loop);
	dr_plan_free(b->plan);
	dr_pipeline_free(b->pipeline);
	for (uint32_t t = 0; t < TASKS; t++) {
		dr_buf_free(&b->seen[t].out);
		dr_buf_free(&b->seen[t].err);
	}
	dr_close(&b->state);
	dr_close(&b->root);
	assert_int_equal(dr_remove_tree(AT_FDCWD, b->dir), 0);
	free(b);
}

static struct bed *
run_all(const char *dagfile)
{
	struct bed *b = bed_new(dagfile);

	bed_open(b);
	bed_run(b);
	return b;
}

static void
outputs_are_published(void **state)
{
	struct bed *b = run_all(
		"task a\n  in = in.txt\n  out = d/a.txt\n  run = cat {in} > {out}\n"
		"task b\n  in = a\n  out = b.txt\n  run = cat {in} {in} > {out}; echo more >> {out}\n");

	(void)state;
	assert_int_equal(state_of(b, 0), DR_DONE);
	assert_int_equal(state_of(b, 1), DR_DONE);
	assert_holds(b, "d/a.txt", "input\n");
	assert_holds(b, "b.txt", "input\ninput\nmore\n");
	assert_string_equal(b->seen[0].how, "exit 0");
	assert_int_equal(b->seen[0].last.out, -1);
	assert_int_equal(b->seen[0].last.outcome.log_len, 0);
	assert_true(b->seen[0].last.outcome.end >= b->seen[0].last.outcome.start);
	assert_true(b->seen[0].last.final);
	assert_false(there(b, ".dagrun/log"));
	bed_free(b);
}

/* What is printed goes to whoever shows it, and to the log at the place that is recorded. */
static void
output_is_kept(void **state)
{
	struct bed *b = run_all("task a\n  run = echo to out; echo to err >&2\n"
				"task b\n  uses = x\n  run = echo second\n"
				"task x\n  out = x\n  run = touch {out}\n");
	struct dr_buf log = { 0 };

	(void)state;
	read_log(b, &log);
	assert_string_equal(dr_buf_cstr(&b->seen[0].out), "to out\n");
	assert_string_equal(dr_buf_cstr(&b->seen[0].err), "to err\n");
	assert_int_equal(b->seen[0].last.outcome.log_len, 14);
	assert_memory_equal(log.p + b->seen[0].last.outcome.log_at, "to out\nto err\n", 14);
	assert_string_equal(dr_buf_cstr(&b->seen[1].out), "second\n");
	assert_int_equal(b->seen[1].last.err, -1);
	assert_memory_equal(log.p + b->seen[1].last.outcome.log_at, "second\n", 7);
	dr_buf_free(&log);
	bed_free(b);
}

static void
one_stream_keeps_the_order(void **state)
{
	struct bed *b = bed_new("task a\n  run = echo 1; echo 2 >&2; echo 3\n");

	(void)state;
	b->lo.one_stream = true;
	bed_open(b);
	bed_run(b);
	assert_string_equal(dr_buf_cstr(&b->seen[0].out), "1\n2\n3\n");
	assert_int_equal(b->seen[0].last.out, b->seen[0].last.err);
	assert_int_equal(b->seen[0].last.err_len, 6);
	assert_int_equal(b->seen[0].last.outcome.log_len, 6);
	bed_free(b);
}

/* Megabytes go to the log unchanged, and only once. */
static void
much_output(void **state)
{
	struct bed *b = run_all("task a\n  run = seq 1 400000; seq 5 300000 >&2\n");
	const struct seen *s = &b->seen[0];
	struct dr_buf log = { 0 };

	(void)state;
	assert_true(s->out.n > 1500000 && s->err.n > 1500000);
	read_log(b, &log);
	assert_int_equal(s->last.outcome.log_len, s->out.n + s->err.n);
	assert_int_equal(s->last.outcome.log_at + s->last.outcome.log_len, log.n);
	assert_memory_equal(log.p + s->last.outcome.log_at, s->out.p, s->out.n);
	assert_memory_equal(log.p + s->last.outcome.log_at + s->out.n, s->err.p, s->err.n);
	dr_buf_free(&log);
	bed_free(b);
}

static void
failures(void **state)
{
	struct bed *b = bed_new(
		"task a\n  out = a\n  retries = 2\n  run = echo half > {out}; echo try {attempt}; exit 3\n"
		"task b\n  in = a\n  out = b\n  run = cp {in} {out}\n"
		"task c\n  run = kill -SEGV $$\n"
		"task d\n  out = d\n  run = true\n");

	(void)state;
	b->so.keep_going = true;
	bed_open(b);
	bed_run(b);
	assert_int_equal(state_of(b, 0), DR_FAILED_TASK);
	assert_int_equal(state_of(b, 1), DR_SKIPPED);
	assert_int_equal(b->seen[0].ends, 3);
	assert_string_equal(b->seen[0].how, "exit 3");
	assert_string_equal(dr_buf_cstr(&b->seen[0].out), "try 3\n");
	assert_true(b->seen[0].last.final);
	assert_int_equal(b->seen[0].last.outcome.tries, 3);
	assert_int_equal(b->seen[1].starts, 0);
	assert_string_equal(b->seen[2].how, "killed by SIGSEGV");
	assert_int_equal(b->seen[2].last.how, DR_HOW_SIGNAL);
	assert_int_equal(b->seen[3].last.how, DR_HOW_UNPUBLISHED);
	assert_non_null(strstr(b->seen[3].how, "d"));
	assert_int_equal(state_of(b, 3), DR_FAILED_TASK);
	assert_false(there(b, "a"));
	bed_free(b);
}

/* What is said of a task that never started names what is missing, and the run goes on. */
static void
cannot_start(void **state)
{
	struct bed *b = bed_new("task a\n  run = no-such-program-as-this x\n"
				"task b\n  run = cat < no/such/file\n"
				"task c\n  out = c\n  run = cat in.txt > no/such/dir/c\n"
				"task d\n  out = d\n  run = cat in.txt > {out}\n");

	(void)state;
	b->so.keep_going = true;
	bed_open(b);
	bed_run(b);
	for (uint32_t t = 0; t < 3; t++) {
		assert_int_equal(state_of(b, t), DR_FAILED_TASK);
		assert_int_equal(b->seen[t].last.how, DR_HOW_NO_START);
		assert_int_equal(b->seen[t].starts, 0);
		assert_int_equal(strncmp(b->seen[t].how, "could not start", 15), 0);
	}
	assert_non_null(strstr(b->seen[0].how, "no-such-program-as-this"));
	assert_non_null(strstr(b->seen[1].how, "no/such/file"));
	assert_non_null(strstr(b->seen[1].how, "No such file"));
	assert_non_null(strstr(b->seen[2].how, "no/such/dir/c"));
	assert_int_equal(state_of(b, 3), DR_DONE);
	bed_free(b);
}

/* Redirections without a shell: from left to right, relative to the root, closed in the next child. */
static void
redirections(void **state)
{
	struct bed *b = run_all("task a\n  out = a\n  run = sh -c 'cat; echo e >&2' < in.txt > {out} 2>&1\n"
				"task b\n  run = sh -c 'echo o; echo e >&2' 2>&1 > /dev/null\n"
				"task c\n  out = c\n  run = echo new >> {out}\n"
				"task d\n  run = sh -c 'echo /proc/$$/fd/*'\n"
				"task e\n  run = cat\n");
	uint32_t descriptors = 0;

	(void)state;
	assert_holds(b, "a", "input\ne\n");
	assert_string_equal(dr_buf_cstr(&b->seen[1].out), "e\n");
	assert_holds(b, "c", "new\n");
	/* Its own three, and the one by which it looks. */
	for (const char *p = dr_buf_cstr(&b->seen[3].out); (p = strstr(p, "/fd/")) != NULL; p++)
		descriptors++;
	assert_true(descriptors >= 3 && descriptors <= 4);
	assert_int_equal(state_of(b, 4), DR_DONE); /* standard input is empty */
	bed_free(b);
}

static void
timeouts(void **state)
{
	struct bed *b = bed_new(
		"task a\n  timeout = 30ms\n  out = a\n  run = sleep 1000 > {out}\n"
		"task b\n  timeout = 1s\n  run = trap '' TERM; sleep 1000; while :; do sleep 1000; done\n");

	(void)state;
	b->so.keep_going = true;
	bed_open(b);
	bed_run(b);
	for (uint32_t t = 0; t < 2; t++) {
		assert_int_equal(state_of(b, t), DR_FAILED_TASK);
		assert_int_equal(b->seen[t].last.how, DR_HOW_TIMEOUT);
		assert_string_equal(b->seen[t].how, t ? "timed out after 1.0s" : "timed out after 30ms");
	}
	/* The second heard TERM and went on; only KILL ended it. */
	assert_int_equal(WTERMSIG(b->seen[1].last.outcome.status), SIGKILL);
	bed_free(b);
}

/* Stopped: what runs is ended, unpublished even where it exits 0 on TERM, and nothing is left. */
static void
cancelled(void **state)
{
	struct bed *b = bed_new("task a\n  out = a\n"
				"  run = trap 'exit 0' TERM; echo > {out}; echo > ready; while :; do sleep "
				"1000 & wait; done\n"
				"task b\n  in = a\n  out = b\n  run = cp {in} {out}\n");

	(void)state;
	bed_open(b);
	while (!there(b, "ready")) {
		struct dr_err err;

		assert_int_equal(dr_sched_pump(b->sched, dr_now(), &err), 0);
		assert_int_equal(dr_loop_turn(b->loop, dr_now() + MS, &err), 0);
	}
	dr_sched_stop(b->sched, true, false);
	bed_run(b);
	assert_int_equal(b->seen[0].last.how, DR_HOW_CANCELLED);
	assert_int_equal(state_of(b, 0), DR_FAILED_TASK);
	assert_int_equal(state_of(b, 1), DR_SKIPPED);
	assert_false(there(b, "a"));
	bed_free(b);
}

/* Over before we could end it: by what ends us, it was stopped like the rest; else it is what it came to. */
static void
over_when_cancelled(void **state)
{
	static const char *const dagfiles[] = {
		"task a\n  run = kill -INT $$; sleep 1000\n",
		"task a\n  run = exit 3\n",
		"task a\n  run = kill -KILL $$; sleep 1000\n",
	};
	static const enum dr_how how[] = { DR_HOW_CANCELLED, DR_HOW_EXIT, DR_HOW_SIGNAL };

	(void)state;
	for (size_t i = 0; i < sizeof(how) / sizeof(*how); i++) {
		struct bed *b = bed_new(dagfiles[i]);
		struct dr_err err;
		siginfo_t si;
		int rc;

		bed_open(b);
		assert_int_equal(dr_sched_pump(b->sched, dr_now(), &err), 0);
		/* A thread may not have come to start it yet. */
		do
			rc = waitid(P_ALL, 0, &si, WEXITED | WNOWAIT);
		while (rc && errno == ECHILD);
		assert_int_equal(rc, 0);
		dr_sched_stop(b->sched, true, false);
		bed_run(b);
		assert_int_equal(b->seen[0].last.how, how[i]);
		bed_free(b);
	}
}

static void
killed_at_once(void **state)
{
	struct bed *b = bed_new("task a\n  run = trap '' TERM INT HUP; while :; do sleep 1000; done\n");
	struct dr_err err;

	(void)state;
	b->lo.grace = INT64_C(3600) * 1000 * MS;
	bed_open(b);
	assert_int_equal(dr_sched_pump(b->sched, dr_now(), &err), 0);
	dr_sched_stop(b->sched, true, false);
	dr_sched_stop(b->sched, true, true);
	bed_run(b);
	assert_int_equal(b->seen[0].last.how, DR_HOW_CANCELLED);
	bed_free(b);
}

/* Freed while something runs: killed and waited for. */
static void
freed_while_running(void **state)
{
	struct bed *b = bed_new("task a\n  out = a\n  run = sleep 1000 > {out}\n");
	struct dr_err err;

	(void)state;
	bed_open(b);
	assert_int_equal(dr_sched_pump(b->sched, dr_now(), &err), 0);
	dr_local_free(b->local);
	b->local = NULL;
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_true(dr_lock_claim(b->lock, b->plan->graph->tasks[b->task[0]].id, &err) == 1);
	dr_lock_release(b->lock, b->plan->graph->tasks[b->task[0]].id);
	bed_free(b);
}

static void
private_directory(void **state)
{
	struct bed *b = bed_new("task a\n  run = cd /; test -d {tmp}; echo x > \"$TMPDIR/f\"; test {tmp} -ef "
				"\"$TMPDIR\"; printf %s {tmp}\n"
				"task b\n  run = printf %s \"$TMPDIR\"\n"
				"task c\n  env.TMPDIR = mine\n  run = printf %s \"$TMPDIR\" {tmp} > "
				"/dev/null; echo \"$TMPDIR\"\n");
	const char *had = getenv("TMPDIR");

	(void)state;
	bed_open(b);
	bed_run(b);
	assert_int_equal(state_of(b, 0), DR_DONE);
	assert_int_equal(dr_buf_cstr(&b->seen[0].out)[0], '/');
	assert_int_equal(access(dr_buf_cstr(&b->seen[0].out), F_OK), -1);
	assert_string_equal(dr_buf_cstr(&b->seen[1].out), had ? had : "");
	assert_string_equal(dr_buf_cstr(&b->seen[2].out), "mine\n");
	bed_free(b);
}

static void
environment(void **state)
{
	struct bed *b = run_all("env.SAME = one\nenv.TWICE = margin\n"
				"args n\n  list = x y z\n"
				"map a\n  each = n\n  env.ROW = <{arg}>\n  env.TWICE = stage\n"
				"  run = echo $SAME $TWICE $ROW $DAGRUN_RUN\n"
				"task b\n  run = echo $SAME $TWICE $ROW\n");
	char want[64];

	(void)state;
	for (uint32_t t = 0; t < 3; t++) {
		snprintf(want, sizeof(want), "one stage <%c> %016" PRIx64 "\n", 'x' + (int)t, run_id());
		assert_string_equal(dr_buf_cstr(&b->seen[t].out), want);
	}
	assert_string_equal(dr_buf_cstr(&b->seen[3].out), "one margin\n");
	bed_free(b);
}

/* A child finds the pool by what it is told, at descriptors of its own. */
static void
shared_pool(void **state)
{
	struct bed *b = bed_new("task a\n  run =\n"
				"    auth=${MAKEFLAGS#*--jobserver-auth=}\n"
				"    r=${auth%%,*}\n"
				"    w=${auth#*,}\n"
				"    w=${w%% *}\n"
				"    test $r -ge 100 -a $w -ge 100\n"
				"    test -p /proc/$$/fd/$r -a -p /proc/$$/fd/$w\n"
				"task b\n  run = echo\n");
	struct dr_makeflags flags;
	struct dr_jobserver_options jo = { .flags = &flags, .jobs = 3, .processors = 3 };
	struct dr_jobserver *js;
	struct dr_err err;

	(void)state;
	assert_int_equal(dr_makeflags_parse(NULL, NULL, NULL, &flags), 0);
	assert_int_equal(dr_jobserver_open(&jo, &js, &err), 0);
	b->lo.jobserver = js;
	bed_open(b);
	bed_run(b);
	assert_int_equal(state_of(b, 0), DR_DONE);
	assert_int_equal(state_of(b, 1), DR_DONE);
	dr_jobserver_close(js);
	dr_makeflags_free(&flags);
	bed_free(b);
}

/* A child that is not ours, ended before ours: it stays for whoever started it. */
static void
strangers(void **state)
{
	struct bed *b = bed_new("task a\n  run = true\ntask b\n  run = true\n");
	char sh[] = "/bin/sh", option[] = "-c", text[] = "exit 42", *argv[] = { sh, option, text, NULL };
	struct dr_spawn sp = { .path = sh, .argv = argv, .envp = environ, .cwd = -1 };
	struct dr_err err;
	pid_t child;
	siginfo_t si;
	int status;

	(void)state;
	assert_int_equal(dr_spawn(&sp, &child, &err), 0);
	assert_int_equal(waitid(P_PID, (id_t)child, &si, WEXITED | WNOWAIT), 0);
	bed_open(b);
	bed_run(b);
	assert_int_equal(state_of(b, 0), DR_DONE);
	assert_int_equal(state_of(b, 1), DR_DONE);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 42);
	bed_free(b);
}

static pid_t orphan;

static bool
is_orphan(void *arg, int pid)
{
	(void)arg;
	return pid == orphan;
}

/* Both have ended before anybody looks, the task first in the kernel's list. */
static void
end_beside_an_orphan(int pid)
{
	char sh[] = "/bin/sh", option[] = "-c", text[] = "exit 0", *argv[] = { sh, option, text, NULL };
	struct dr_spawn sp = { .path = sh, .argv = argv, .envp = environ, .cwd = -1 };
	struct dr_err err;
	siginfo_t si;

	assert_int_equal(dr_spawn(&sp, &orphan, &err), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT), 0);
	assert_int_equal(waitid(P_PID, (id_t)orphan, &si, WEXITED | WNOWAIT), 0);
}

/* For the first process of a container: orphans are waited for, also when no task runs any more. */
static void
orphans(void **state)
{
	struct bed *b = bed_new("task a\n  run = true\n");

	(void)state;
	b->lo.stranger = is_orphan;
	b->started = end_beside_an_orphan;
	bed_open(b);
	bed_run(b);
	assert_int_equal(state_of(b, 0), DR_DONE);
	assert_int_equal(waitpid(orphan, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	bed_free(b);
}

/* A task ends when its process does, whoever else holds its output. */
static void
daemons(void **state)
{
	struct bed *b = run_all("task a\n  run = sleep 1000 & echo $!\n");
	pid_t pid = (pid_t)strtol(dr_buf_cstr(&b->seen[0].out), NULL, 10);

	(void)state;
	assert_int_equal(state_of(b, 0), DR_DONE);
	assert_true(pid > 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	bed_free(b);
}

/* Claimed by another run: asked again, and not made twice. */
static void
made_by_another_run(void **state)
{
	struct bed *b = bed_new("task a\n  out = a\n  run = touch {out}\n");
	struct dr_lock *other;
	struct dr_err err;
	bool alone;

	(void)state;
	assert_int_equal(dr_lock_open(b->state, 2, 0, &other, &alone, &err), 0);
	if (alone) {
		dr_lock_close(other);
		bed_free(b);
		skip();
	}
	bed_open(b);
	assert_int_equal(dr_lock_claim(other, b->plan->graph->tasks[b->task[0]].id, &err), 1);
	for (int i = 0; i < 3; i++) {
		assert_true(bed_turn(b));
		assert_int_equal(b->held, 0);
	}
	assert_int_equal(b->seen[0].starts + b->looks, 0);
	dr_lock_release(other, b->plan->graph->tasks[b->task[0]].id);
	b->made_by_other = true;
	bed_run(b);
	assert_int_equal(b->looks, 1);
	assert_int_equal(b->seen[0].starts, 0);
	assert_int_equal(state_of(b, 0), DR_DONE);
	/* Ours no longer. */
	assert_int_equal(dr_lock_claim(other, b->plan->graph->tasks[b->task[0]].id, &err), 1);
	dr_lock_close(other);
	bed_free(b);
}

/* While others are alive each task is looked up before it is made. */
static void
looked_up_beside_others(void **state)
{
	struct bed *b = bed_new("task a\n  out = a\n  run = touch {out}\n");

	(void)state;
	b->others = true;
	bed_open(b);
	bed_run(b);
	assert_int_equal(b->looks, 1);
	assert_int_equal(b->seen[0].starts, 1);
	assert_true(there(b, "a"));
	bed_free(b);
}

/* Where that cannot be known it is not made: another run may have finished it. Then what waits for its name is not ours to remove. */
static void
what_another_run_made_is_not_known(void **state)
{
	struct bed *b = bed_new("task a\n  out = a\n  run = touch {out}\n");
	struct dr_buf temp = { 0 };
	int fd;

	(void)state;
	b->others = b->unreadable = true;
	bed_open(b);
	dr_temp_name(b->plan->graph->tasks[b->task[0]].id, dr_str("a"), &temp);
	fd = openat(b->root, dr_buf_cstr(&temp), O_WRONLY | O_CREAT, 0666);
	dr_close(&fd);
	bed_run(b);
	assert_int_equal(b->looks, 1);
	assert_int_equal(b->seen[0].last.how, DR_HOW_NO_START);
	assert_non_null(strstr(b->seen[0].how, "could not start: read the journal"));
	assert_int_equal(state_of(b, 0), DR_FAILED_TASK);
	assert_false(there(b, "a"));
	assert_true(there(b, dr_buf_cstr(&temp)));
	dr_buf_free(&temp);
	bed_free(b);
}

/* One that changes its own input is run once more, and then has failed. */
static void
input_changed_meanwhile(void **state)
{
	struct bed *b =
		run_all("task a\n  in = in.txt\n  out = a\n  run = cp {in} {out}; echo more >> {in}\n");

	(void)state;
	assert_int_equal(b->seen[0].starts, 2);
	assert_int_equal(b->seen[0].last.how, DR_HOW_UNPUBLISHED);
	assert_int_equal(b->seen[0].last.outcome.tries, 1);
	assert_non_null(strstr(b->seen[0].how, "in.txt"));
	assert_int_equal(state_of(b, 0), DR_FAILED_TASK);
	assert_false(there(b, "a"));
	bed_free(b);
}

/* The kernel has killed something, the second time too. */
static uint64_t
more_kills(void *arg)
{
	return ++((struct bed *)arg)->kills;
}

static uint64_t
no_kills(void *arg)
{
	(void)arg;
	return 7;
}

static void
killed_for_want_of_memory(void **state)
{
	struct bed *b = bed_new("task a\n  run = echo said; kill -9 $$\n"
				"task b\n  uses = x\n  run = [ -e ran ] || { touch ran; exit 137; }\n"
				"task x\n  out = x\n  run = touch {out}\n");

	(void)state;
	b->lo.memory_kills = more_kills;
	b->so.keep_going = true;
	bed_open(b);
	bed_run(b);
	/* Once more, not counted as a try, and then it has failed. */
	assert_int_equal(b->seen[0].starts, 2);
	assert_int_equal(b->seen[0].last.result, DR_RESULT_FAILED);
	assert_int_equal(b->seen[0].last.how, DR_HOW_SIGNAL);
	assert_int_equal(b->seen[0].last.outcome.tries, 1);
	assert_int_equal(b->seen[1].starts, 2);
	assert_int_equal(state_of(b, 1), DR_DONE);
	bed_free(b);

	b = bed_new("task a\n  run = kill -9 $$\n");
	b->lo.memory_kills = no_kills;
	bed_open(b);
	bed_run(b);
	assert_int_equal(b->seen[0].starts, 1);
	bed_free(b);
}

/* Without a descriptor left it is tried again later, and nothing is held meanwhile. */
static void
no_descriptors(void **state)
{
	struct bed *b = bed_new("task a\n  out = a\n  run = echo x > {out}\n");
	struct rlimit was, low;
	struct dr_err err;
	int next;

	(void)state;
	bed_open(b);
	next = dup(b->root);
	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	low = was;
	low.rlim_cur = (rlim_t)next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	next = dr_sched_pump(b->sched, dr_now(), &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(next, 0);
	assert_int_equal(b->held, 0);
	assert_int_equal(b->seen[0].ends, 0);
	assert_int_equal(state_of(b, 0), DR_READY);
	bed_run(b);
	assert_int_equal(state_of(b, 0), DR_DONE);
	bed_free(b);
}

/* Many at once: each slot is reused, each end finds its task. */
static void
many_at_once(void **state)
{
	struct bed *b = bed_new(
		"args n\n  range = 1..16\n"
		"map a\n  each = n\n  out = o/{arg}\n  run = echo {arg} {slot} > {out}; echo {arg}\n");
	char name[16], want[16];

	(void)state;
	b->so.limit = 5;
	bed_open(b);
	bed_run(b);
	for (uint32_t t = 0; t < 16; t++) {
		struct dr_buf got = { 0 };
		struct dr_err err;
		unsigned n, slot;

		snprintf(name, sizeof(name), "o/%u", t + 1);
		snprintf(want, sizeof(want), "%u\n", t + 1);
		assert_int_equal(dr_slurp(b->root, name, &got, &err), 0);
		assert_int_equal(sscanf(got.p, "%u %u", &n, &slot), 2);
		assert_int_equal(n, t + 1);
		assert_true(slot >= 1 && slot <= 5);
		assert_string_equal(dr_buf_cstr(&b->seen[t].out), want);
		dr_buf_free(&got);
	}
	bed_free(b);
}

static void
descriptions(void **state)
{
	static const struct {
		struct dr_task_end e;
		const char *text;
	} cases[] = {
		{ { .how = DR_HOW_EXIT, .outcome = { .status = 3 << 8 } }, "exit 3" },
		{ { .how = DR_HOW_EXIT, .outcome = { .status = 137 << 8 } },
		  "exit 137 (killed: out of memory?)" },
		{ { .how = DR_HOW_EXIT, .outcome = { .status = 141 << 8 } },
		  "exit 141 (a program of the pipeline stopped reading: SIGPIPE)" },
		{ { .how = DR_HOW_EXIT, .outcome = { .status = 127 << 8 } },
		  "exit 127 (a command was not found)" },
		{ { .how = DR_HOW_SIGNAL, .outcome = { .status = SIGSEGV } }, "killed by SIGSEGV" },
		{ { .how = DR_HOW_SIGNAL, .outcome = { .status = SIGKILL } },
		  "killed by SIGKILL (out of memory?)" },
		{ { .how = DR_HOW_TIMEOUT, .timeout = INT64_C(7200) * 1000 * MS },
		  "timed out after 2:00:00" },
		{ { .how = DR_HOW_NO_START, .message = "start x: No such file" },
		  "could not start x: No such file" },
		{ { .how = DR_HOW_NO_START, .message = "open x: No such file" },
		  "could not start: open x: No such file" },
		{ { .how = DR_HOW_UNPUBLISHED, .message = "no a.txt" }, "no a.txt" },
		{ { .how = DR_HOW_CANCELLED }, "ended by us before it was done" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dr_buf b = { 0 };

		dr_outcome_describe(&cases[i].e, &b);
		assert_string_equal(dr_buf_cstr(&b), cases[i].text);
		dr_buf_free(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outputs_are_published),
		cmocka_unit_test(output_is_kept),
		cmocka_unit_test(one_stream_keeps_the_order),
		cmocka_unit_test(much_output),
		cmocka_unit_test(failures),
		cmocka_unit_test(cannot_start),
		cmocka_unit_test(redirections),
		cmocka_unit_test(timeouts),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(over_when_cancelled),
		cmocka_unit_test(killed_at_once),
		cmocka_unit_test(freed_while_running),
		cmocka_unit_test(private_directory),
		cmocka_unit_test(environment),
		cmocka_unit_test(shared_pool),
		cmocka_unit_test(strangers),
		cmocka_unit_test(orphans),
		cmocka_unit_test(daemons),
		cmocka_unit_test(made_by_another_run),
		cmocka_unit_test(looked_up_beside_others),
		cmocka_unit_test(what_another_run_made_is_not_known),
		cmocka_unit_test(input_changed_meanwhile),
		cmocka_unit_test(killed_for_want_of_memory),
		cmocka_unit_test(no_descriptors),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(descriptions),
	};
	int failed;

	/* What whoever started us has left open is nothing that our tasks have from us. */
	for (int fd = 3; fd < 1000; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	threads = false;
	failed = cmocka_run_group_tests_name("one thread", tests, NULL, NULL);
	threads = true;
	return failed + cmocka_run_group_tests_name("a thread for each slot", tests, NULL, NULL);
}
