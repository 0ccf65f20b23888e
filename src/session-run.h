/* A run while it is on, for the files that are parts of it: session-run.c opens, turns and closes it; the
 * executor, the scheduler and what is told of tasks have one each. */
#ifndef DR_SESSION_RUN_H
#define DR_SESSION_RUN_H

#include "sched.h"
#include "session.h"
#include "session-space.h"

struct dr_barrier;
struct dr_ledger;
struct dr_local;
struct dr_publisher;

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
	struct dr_sched *sched;
	struct dr_sched_stage *stages;
	double load;
	int64_t load_read;
	int token_fd;   /* that the loop watches now, or -1 */
	int barrier_fd; /* the same */
	int signal;     /* that ended the run */
	bool hurry;     /* a second one came */
	struct {        /* the end that was told last; the scheduler's word on that task comes next */
		uint32_t task; /* or DR_NONE */
		bool cancelled, failed;
	} last;
	struct dr_quiet quiet;
	struct dr_waiting waiting;
	bool over;    /* nothing runs and nothing will */
	bool failed;  /* a failure of our own: err has it */
	bool others;  /* other runs have written to the journal meanwhile */
	struct dr_err *err;   /* of the first failure */
	struct dr_err later; /* of those behind it */
};

/* The ends of tasks as the executor tells them, and the scheduler's word on every change of state, on
 * their way to the host and the ledger: arg is the run. */
void dr_session_ended(void *arg, const struct dr_task_end *e);
void dr_session_changed(void *arg, uint32_t task, const struct dr_grant *g);
/* Fills r->local, which runs tasks as processes; all that it needs is open. 0, or -1 with r->err. */
int dr_session_open_local(struct dr_run *r);
/* All that a turn of the loop does but waiting: what has ended is settled, what can start is started. When to do it again at the latest
 * (dr_now's clock; -1: at the next event); r->over: never. Inside the loop, from whichever thread. */
int64_t dr_session_turn(struct dr_run *r);
/* Fills r->sched, with tokens of r->jobserver and tasks for r->local. 0, or -1 with r->err; r->stages is
 * to be freed in both cases. */
int dr_session_open_sched(struct dr_run *r);

#endif
