/* What the executor's files share. */
#ifndef DR_LOCAL_PRIVATE_H
#define DR_LOCAL_PRIVATE_H

#include <signal.h>
#include <sys/types.h>

#include "arena.h"
#include "command.h"
#include "err.h"
#include "local.h"
#include "str.h"

struct dr_env_place {
	uint32_t at; /* in envp */
	const struct dr_env *env;
};

/* The environment that a stage's tasks get, as a block made once: what differs from task to task is put into
 * its place at each start. */
struct dr_stage_env {
	char **envp; /* NULL-terminated; NULL: not made yet */
	uint32_t n;
	bool tmp;        /* command or environment has {tmp} */
	uint32_t chain;  /* place of DAGRUN_TASKS */
	uint32_t tmpdir; /* tmp: place of TMPDIR, or DR_NONE: the stage sets it */
	struct dr_env_place *places;
	uint32_t n_places;
	/* Where PATH leads to: what argv began with, and the file. One stage starts one program, as a rule. */
	char *program, *found;
};

/* What the environment of every stage begins with that is told of the jobserver in one style. */
struct dr_local_base {
	char **envp;       /* NULL: not made yet */
	uint32_t n, chain; /* chain: place of DAGRUN_TASKS in it */
};

enum dr_cause { DR_CAUSE_NONE, DR_CAUSE_TIMEOUT, DR_CAUSE_CANCELLED };

/* A slot and the task that runs in it. It stays at its address. */
struct dr_local_slot {
	struct dr_local *l;
	uint32_t task; /* DR_NONE: none */
	struct dr_grant grant;
	pid_t pid;
	uint64_t timer; /* its timeout, then its grace */
	enum dr_cause cause;
	bool tmp;     /* it has a private directory */
	bool ended;   /* waited for, on the list of those */
	bool compared; /* its outputs are being compared with what stands: it stays on that list */
	bool reaped;  /* waited for; what it has started may still run, unless it has ended */
	bool lost;    /* somebody else waited for it: how it ended is not known */
	uint64_t serial; /* of this start: its mark */
	struct dr_local_sweep {
		bool on;                /* it is being ended: nothing may be left of it */
		bool hard;              /* by KILL */
		bool told, tell, asked; /* TERM: the session was; those outside are to be, in the next pass; were */
		bool no_session;        /* nobody is in it any more: its number may be another's */
		uint32_t inside, outside, empty; /* found in this pass; passes in a row that found none */
	} sweep;
	int out, err; /* files that it prints to, -1: none yet. With one stream err stays -1 */
	uint64_t out_len, err_len;
	struct dr_outcome outcome;
	enum dr_result result;
	enum dr_how how;
	char *message;
	char *full; /* as in dr_task_end */
	struct dr_local_slot *by_pid, *by_task, *next_ended; /* chains */
};

enum { DR_LOCAL_WAS_BUSY = 1, DR_LOCAL_RAN_AGAIN = 2, DR_LOCAL_RAN_ALONE = 4 };

struct dr_local {
	struct dr_executor ex; /* first: it is found by it */
	struct dr_local_options o;
	struct dr_local_slot **slots; /* by number - 1 */
	uint32_t n_slots, cap_slots, running;
	struct dr_local_slot **pids, **tasks; /* heads of chains, by pid and by task modulo n_heads */
	uint32_t n_heads;
	struct dr_local_slot *ended, **ended_tail; /* in the order of their ends */
	uint8_t *flags;                            /* a byte a task: DR_LOCAL_… */
	struct dr_stage_env *envs;                 /* by stage */
	struct dr_local_base bases[DR_STYLES];
	char *above; /* what it is to begin with: what we inherited, and our state directory */
	struct dr_arena env_arena;
	struct dr_arena arena; /* of one start */
	struct dr_buf scratch, tmp_path;
	uint64_t serials; /* starts so far */
	uint64_t sweep_timer;
	int64_t sweep_step; /* ns between two passes */
	bool proc;          /* processes can be seen */
	int null, log;
	sigset_t ignored; /* of dr_spawn_ignored */
	bool log_failed;
	uint64_t log_at; /* its length */
	uint64_t memory_kills; /* when last asked */
	int64_t killed;        /* ns since 1970: the end of a task behind which there were more; 0: there were not */
};

/* local.c: which file system that the task writes to is full, malloc'd; NULL: none. */
char *dr_local_full(struct dr_local *l, uint32_t task);

/* local-table.c: slots by number, by pid and by task. */
struct dr_local_slot *dr_local_slot(struct dr_local *l, uint32_t n); /* made when new; NULL without memory */
void dr_local_enter(struct dr_local *l, struct dr_local_slot *s);    /* its task runs as its pid */
void dr_local_leave(struct dr_local *l, struct dr_local_slot *s);
struct dr_local_slot *dr_local_by_pid(const struct dr_local *l, pid_t pid); /* NULL: not ours */
struct dr_local_slot *dr_local_by_session(const struct dr_local *l, pid_t session); /* that is being ended */
struct dr_local_slot *dr_local_by_task(const struct dr_local *l, uint32_t task);
void dr_local_free_slots(struct dr_local *l);
/* Slots in which nothing runs give up their descriptors, as there are too few. */
void dr_local_spare(struct dr_local *l);

/* local-env.c. NULL without memory or with what err says. Valid until the next call. */
char **dr_local_env(struct dr_local *l, uint32_t task, const struct dr_values *v, const char *tmp,
		    struct dr_err *err);
struct dr_stage_env *dr_local_stage_env(struct dr_local *l, uint32_t stage, struct dr_err *err);

/* A descriptor that a child's redirections may replace would be lost to those that come after: *fd becomes
 * one that is at least `lowest`. 0, or -1 with errno and *fd closed. */
enum { DR_LOCAL_LOWEST = 10 };
int dr_local_raise(int *fd, int lowest);

/* local-output.c: files for what a task prints, and the run's log. */
int dr_local_output_open(struct dr_local *l, struct dr_local_slot *s, struct dr_err *err);
/* Measures what was printed and copies it to the log; fills lengths and the outcome's place in the log. */
void dr_local_output_collect(struct dr_local *l, struct dr_local_slot *s);
void dr_local_output_done(struct dr_local_slot *s); /* shown: files that hold something are given up */

/* local-start.c. */
enum dr_started dr_local_start(struct dr_executor *ex, uint32_t task, const struct dr_grant *g,
			       struct dr_err *err);

/* local.c: what a task leaves behind when it is over or has not started, but its temporary outputs: private
 * directory, claim. */
void dr_local_clean(struct dr_local *l, uint32_t task, bool tmp);
/* Of the task's private directory, relative to the state directory. */
enum { DR_LOCAL_TMP_NAME = 40 };
void dr_local_tmp_name(const struct dr_local *l, uint32_t task, char name[DR_LOCAL_TMP_NAME]);

/* local-wait.c: ends, timeouts, kills. */
bool dr_local_unfinished(const struct dr_local_slot *s); /* a task that is not told as ended yet; NULL is none */
void dr_local_on_child(void *arg, int sig);
int dr_local_set_timeout(struct dr_local_slot *s, int64_t timeout, struct dr_err *err);
void dr_local_cancel(struct dr_executor *ex, uint32_t task, bool hard);
/* Nothing of it runs any more: it is on the list of those that ended. */
void dr_local_over(struct dr_local *l, struct dr_local_slot *s);
/* Kills all, and waits. */
void dr_local_kill_all(struct dr_local *l);

/* local-sweep.c: what tasks have started. Each turn that asks for it has one look at all processes for all tasks. */
void dr_local_sweep(struct dr_local_slot *s);
/* One look now, and until nothing is found that is to end. */
void dr_local_sweep_all(struct dr_local *l);

#endif
