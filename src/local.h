/* The executor of local processes: a session a task, its output kept in files, outputs published. A thread for each slot starts its
 * tasks and waits for them; without threads ends are found by SIGCHLD. It waits for no child that it has not started.
 *
 * A task that ends by itself has ended when its first process has; what it leaves behind is its own affair. One that is ended has when
 * nothing of it is left: its session, and what carries its mark (proc.h). TERM goes to its session; to those who have left that, when nobody is
 * left in it who could see to them; after the grace KILL goes to all. */
#ifndef DR_LOCAL_H
#define DR_LOCAL_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "loop.h"
#include "plan.h"
#include "publish.h"
#include "sched.h"

struct dr_guard_table;
struct dr_jobserver;
struct dr_local;
struct dr_lock;

/* What handlers are told of an end; valid during the call. */
struct dr_task_end {
	uint32_t task;
	enum dr_result result;
	enum dr_how how;
	bool final; /* no other run of it follows as far as the executor knows */
	struct dr_outcome outcome;
	int64_t timeout;     /* TIMEOUT: what it was, in ns */
	const char *message; /* NO_START, UNPUBLISHED; else NULL */
	const char *full;    /* of a failure: the file system of its outputs, or of ours, that has no room left; NULL: they have */
	/* What it printed, to be read from offset 0 with pread; -1: nothing. Both the same, with the same
	 * length, when they are one file. */
	int out, err;
	uint64_t out_len, err_len;
};

/* "exit 3", "killed by SIGSEGV", "timed out after 2:00:00", "could not start: …"; with a hint where the
 * number tells little. Appends. */
void dr_outcome_describe(const struct dr_task_end *e, struct dr_buf *out);

enum dr_output_sync { DR_SYNC_NONE, DR_SYNC_TARGET, DR_SYNC_RECURSE };

struct dr_local_options {
	struct dr_plan *plan;
	struct dr_loop *loop;
	struct dr_publisher *publisher;
	struct dr_journal *journal;
	struct dr_lock *lock;           /* NULL: nobody else is there, nothing is claimed */
	struct dr_jobserver *jobserver; /* NULL: children are told of none */
	struct dr_guard_table *guard;   /* what a guardian is to know of tasks, or NULL */
	int root, state_dir;
	const char
		*state_path; /* of state_dir, for {tmp} and TMPDIR where /proc doesn't tell. NULL: .dagrun */
	uint64_t run;
	char *const *envp;        /* what tasks inherit */
	enum dr_output_sync sync; /* NONE: tasks write straight to our descriptors, nothing is kept */
	bool one_stream;          /* our standard output and error are the same file */
	int64_t grace;            /* ns between TERM and KILL */
	/* Called, inside the loop, by a thread of ours when a task has ended: it is to settle, and may start others. NULL: there are
	 * no threads, and ends are found by SIGCHLD. Every callback may come from one of ours, one at a time. */
	void (*turn)(void *arg);
	void (*ended)(void *arg,
		      const struct dr_task_end *e); /* for showing; NULL is fine, as for the others */
	void (*busy)(void *arg, uint32_t task); /* another run is making it */
	/* Asked of a task that another run may have made meanwhile, claimed by us by now: 1 when the journal,
	 * read on, says that it is up to date, 0 when it does not; -1 with err: then the task has failed, as it may have been made. */
	int (*look)(void *arg, uint32_t task, struct dr_err *err);
	/* Asked of every task, when it is claimed: may it be started, or does somebody still run who could be making it, though his run has
	 * died? 0 and whether another run is or was here, or has recorded something since the journal was last read; or -1 with err: then it has failed. */
	int (*claimed)(void *arg, bool *others, struct dr_err *err);
	/* How many processes the kernel has killed for want of memory; NULL: dr_memory_kills tells. */
	uint64_t (*memory_kills)(void *arg);
	/* Of a child that is none of our tasks and has ended: is it for us to wait for, as nobody else will? NULL: none is. */
	bool (*stranger)(void *arg, int pid);
	void *arg;
};

/* Has SIGCHLD as it needs it until it is freed. Everything in o outlives the executor; o itself is copied. 0 or -1 with err.
 */
int dr_local_new(const struct dr_local_options *o, struct dr_local **out, struct dr_err *err);
/* Kills what still runs, waits for it and removes what it has left. The loop may not turn after that. NULL is
 * fine. */
void dr_local_free(struct dr_local *l);
struct dr_executor *dr_local_executor(struct dr_local *l);
/* Once a loop turn: publishes what has ended (one journal write) and tells the scheduler. -1: the journal
 * cannot be written: stop. What had ended by then has failed, and is told. */
int dr_local_settle(struct dr_local *l, struct dr_sched *s, int64_t now, struct dr_err *err);
/* The process of the task that runs in this slot; 0: not started yet, or none. */
int dr_local_pid(const struct dr_local *l, uint32_t slot);
/* Is there something that the next settle will go on with, whether anything happens or not? */
bool dr_local_busy(const struct dr_local *l);

#endif
