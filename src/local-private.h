/* What the executor's files share. */
#ifndef DR_LOCAL_PRIVATE_H
#define DR_LOCAL_PRIVATE_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "arena.h"
#include "command.h"
#include "err.h"
#include "local.h"
#include "spawn.h"
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

/* All that a start needs, so that it can be made by another thread than the one that has thought it out. */
struct dr_local_launch {
	struct dr_arena arena; /* has what stands below until the next start */
	struct dr_exec exec;
	const char *path; /* the program */
	bool looked_up;   /* in PATH, for an earlier task of the stage: by now PATH may lead elsewhere */
	char **envp;
	struct dr_spawn_fd *fds;
	uint32_t n_fds;
	int *opened; /* for redirections; closed when the child has them */
	uint32_t n_opened;
	bool tmp;      /* its private directory is there */
};

/* What the thread of a slot is to do. */
enum dr_local_job { DR_LOCAL_IDLE, DR_LOCAL_SPAWN, DR_LOCAL_WAIT, DR_LOCAL_LEAVE };

/* The thread that starts the tasks of a slot and waits for them. All else of a slot belongs to whoever is inside the loop; what stands here
 * does not, as a thread comes in only when its child has ended. */
struct dr_local_thread {
	bool made;
	pthread_t id;
	pthread_mutex_t mutex; /* of what follows, and of the slot's pid's becoming known */
	pthread_cond_t changed;
	enum dr_local_job job;
	pid_t pid;       /* WAIT: for this one */
	uint64_t serial; /* of the start that the job is about */
};

enum dr_cause { DR_CAUSE_NONE, DR_CAUSE_TIMEOUT, DR_CAUSE_CANCELLED };

/* A slot and the task that runs in it. It stays at its address. */
struct dr_local_slot {
	struct dr_local *l;
	uint32_t task; /* DR_NONE: none */
	struct dr_grant grant;
	struct dr_local_launch launch;
	struct dr_local_thread thread;
	_Atomic pid_t pid; /* 0: not known yet; -1: it could not be started */
	bool listed;       /* in the table by pid */
	uint64_t timer; /* its timeout, then its grace */
	enum dr_cause cause;
	bool ended;   /* waited for, on the list of those */
	bool compared; /* its outputs are being compared with what stands: it stays on that list */
	bool reaped;  /* waited for; what it has started may still run, unless it has ended */
	bool refused; /* it could not be started: `message` says why */
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
	int jobserver; /* for its children, one after another; -1: none yet, or somebody else has it still, or it is not kept */
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
	struct dr_buf scratch, tmp_path;
	uint64_t serials; /* starts so far */
	uint64_t sweep_timer;
	int64_t sweep_step; /* ns between two passes */
	bool proc;          /* processes can be seen */
	bool leaving;       /* threads that come in find all of it over */
	bool lacking;       /* the last start by a thread lacked something that the system has too little of */
	bool unthreaded;    /* there is no room for threads beside tasks: no more are made, and those that there are leave */
	bool watched;       /* SIGCHLD has this disposition while we are here: */
	struct sigaction child;
	bool frugal;        /* what a slot could do without while its task runs is not kept for the next */
	int null, log;
	int cwd; /* of tasks: -1 where we are there */
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
void dr_local_enter(struct dr_local *l, struct dr_local_slot *s);    /* its task runs */
void dr_local_list(struct dr_local *l, struct dr_local_slot *s);     /* as its pid: it can be found by that */
void dr_local_leave(struct dr_local *l, struct dr_local_slot *s);
struct dr_local_slot *dr_local_by_pid(const struct dr_local *l, pid_t pid); /* NULL: not ours */
struct dr_local_slot *dr_local_by_session(const struct dr_local *l, pid_t session); /* that is being ended */
struct dr_local_slot *dr_local_by_task(const struct dr_local *l, uint32_t task);
void dr_local_free_slots(struct dr_local *l);
/* Slots in which nothing runs give up their descriptors, as there are too few. */
void dr_local_spare(struct dr_local *l);

/* local-env.c. In the arena; NULL without memory or with what err says. */
char **dr_local_env(struct dr_local *l, uint32_t task, const struct dr_values *v, const char *tmp,
		    struct dr_arena *arena, struct dr_err *err);
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
/* A thread could not start it: it is on the list of those that ended, or on its way to another try. */
void dr_local_refused(struct dr_local_slot *s, const struct dr_err *why);

/* local-launch.c. Fills s->launch for a task that we have claimed. 0, or -1 with err; dr_local_launched is due in both cases. */
int dr_local_prepare(struct dr_local_slot *s, uint32_t task, const struct dr_grant *g, struct dr_err *err);
/* Starts it: from the slot's thread (own), or from inside the loop. 0 with s->pid, or -1 with err. */
int dr_local_launch(struct dr_local_slot *s, bool own, struct dr_err *err);
void dr_local_launched(struct dr_local_slot *s); /* lets go of descriptors that only the child needs */

/* local-thread.c. A slot's thread, made at its first start: 0, or -1 with err. */
int dr_local_thread(struct dr_local_slot *s, struct dr_err *err);
/* What has been started is waited for; s->launch that has not is started first: that it fails is told by dr_local_refused. */
void dr_local_hand_over(struct dr_local_slot *s);
/* From inside the loop: what is handed over has been started, or could not be: false. */
bool dr_local_await(struct dr_local_slot *s);
/* They count as processes where those are limited, and tasks come first: from now on ends are found by SIGCHLD. */
void dr_local_give_up_threads(struct dr_local *l);
void dr_local_join(struct dr_local *l); /* the end of all threads */

/* local.c: what a task leaves behind when it is over or has not started, but its temporary outputs: private
 * directory, claim. */
void dr_local_clean(struct dr_local *l, uint32_t task, bool tmp);
/* Of the task's private directory, relative to the state directory. */
enum { DR_LOCAL_TMP_NAME = 40 };
void dr_local_tmp_name(const struct dr_local *l, uint32_t task, char name[DR_LOCAL_TMP_NAME]);

/* local-wait.c: ends, timeouts, kills. */
bool dr_local_unfinished(const struct dr_local_slot *s); /* a task that is not told as ended yet; NULL is none */
bool dr_local_runs(const struct dr_local_slot *s); /* nor waited for */
void dr_local_take_end(struct dr_local *l, struct dr_local_slot *s); /* waits for this one, which has ended or is about to */
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
