#include "config.h"

#include "session-run.h"

#include "err.h"
#include "guardian.h"
#include "jobserver.h"
#include "local.h"
#include "loop.h"

extern char **environ;

#define GRACE (INT64_C(10) * 1000000000)

static void
on_busy(void *arg, uint32_t task)
{
	struct dr_run *r = arg;

	r->waiting.task = task;
}

static int
look(void *arg, uint32_t task, struct dr_err *err)
{
	return dr_stale_look(((struct dr_run *)arg)->session->stale, task, err);
}

/* Another run that is here, or came and went, has left its records. From then on every task is looked up before it is started: what was read
 * on for the sake of one task may have been about another. */
static bool
news(struct dr_run *r)
{
	if (!r->others)
		r->others = dr_journal_grown(r->session->journal);
	return r->others;
}

/* What a run that has died beside us, and its guardian with it, was doing is ended before we do it. The kernel drops all locks of a run at
 * once: so whoever has got a claim from it sees here that it is not alive any more. */
static int
claimed(void *arg, bool *others, struct dr_err *err)
{
	struct dr_run *r = arg;
	struct dr_session *s = r->session;
	bool died;
	int rc;

	*others = r->others;
	if (!s->lock || s->alone)
		return 0;
	rc = dr_stale_gone(s->stale, news(r), &died, err);
	r->others |= rc > 0;
	*others = r->others;
	if (rc <= 0)
		return rc;
	return died ? dr_session_end_orphans(s, err) : 0;
}

/* As the first process of a container we are given what others have left behind, and nobody else waits for it. */
static bool
is_stranger(void *arg, int pid)
{
	struct dr_run *r = arg;

	return pid != dr_guardian_pid(r->guard.guardian);
}

/* A task has ended, and its own thread has come in to say so. */
static void
on_turn(void *arg)
{
	struct dr_run *r = arg;
	int64_t wake = dr_session_turn(r);

	dr_loop_hurry(r->loop, r->over ? 0 : wake);
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

int
dr_session_open_local(struct dr_run *r)
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
		.ended = dr_session_ended,
		.busy = on_busy,
		.look = look,
		.claimed = claimed,
		.stranger = s->reaps ? is_stranger : NULL,
		/* One slot has nothing to do beside its task; and to wait for strangers takes SIGCHLD. */
		.turn = s->threads && !s->reaps && dr_jobserver_limit(r->jobserver) > 1 ? on_turn : NULL,
		.arg = r,
	};

	return dr_local_new(&o, &r->local, r->err);
}
