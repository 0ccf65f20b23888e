/* libdagrun: stages over rows of arguments, run in parallel; what is up to date is not run again.
 *
 * A context holds one pipeline. Configure it, plan it, look at the plan or run it, look at what became of it; dr_plan begins anew. Until
 * then, or until it is freed, it counts among those that are at work in its .dagrun. It belongs to one thread at a time, and only one
 * dr_run may be on in a process.
 *
 * The library prints nothing and does not exit; it tells its host's handlers. It waits for no child but those that it has started. While
 * dr_run is on it handles SIGCHLD, as it has to know of their ends, and puts back what was there before it returns; other signals only if
 * DR_SET_SIGNALS says so. Tasks get the signal mask, and ignore the signals, that the process did when the first context was made.
 *
 * While dr_run is on, a guardian stands by: a child of this process in a session of its own, named dag-guardian, that ends the tasks when this process is
 * killed. It is the dagrun program, given only the descriptors that it needs and no environment; where that cannot be started, a fork of this
 * process, which runs none of its code but what is async-signal-safe. Do not wait for any child (waitpid(-1)) while dr_run is on. It has ended
 * when dr_run returns.
 *
 * Unless a function says otherwise: it returns 0, or -1 with *err filled (NULL: nobody wants to know); strings that go in are copied,
 * strings that come out belong to the context; strings are C strings, of any bytes but NUL. Times are in ns. */
#ifndef DAGRUN_H
#define DAGRUN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What an error means to whoever started it: the program's exit codes. */
enum dr_code {
	DR_OK = 0,
	DR_FAILED = 1, /* a task failed, or was not run; of the program with -q: something is stale */
	DR_USAGE = 2,  /* command line, Dagfile or plan */
	DR_STATE = 3,  /* .dagrun: not ours, newer, or locked too long */
	DR_SYSTEM = 4, /* no space, no memory, no descriptors */
};

struct dr_err {
	enum dr_code code;
	int sys;            /* the errno behind it, or 0 */
	uint32_t line, col; /* from 1; 0: no place in a file */
	char file[512];
	char msg[1536]; /* no newline at its end */
};

struct dr_context;

/* Handlers. */

enum dr_level {
	DR_NOTICE,     /* what somebody may want to know: one line, without a newline */
	DR_WARNING,    /* what they should know, likewise */
	DR_DIAGNOSTIC, /* what is wrong with a Dagfile or plan: lines with the place and a caret, each ended by a newline */
};

/* How a try of a task ended. */
enum dr_how {
	DR_HOW_EXIT,        /* status: by exit */
	DR_HOW_SIGNAL,      /* or by a signal */
	DR_HOW_TIMEOUT,     /* ended by us after its timeout */
	DR_HOW_CANCELLED,   /* ended by us, as all was stopped */
	DR_HOW_NO_START,    /* message says why */
	DR_HOW_UNPUBLISHED, /* exited 0, and message says why that is not enough */
};

struct dr_ended {
	const char *name; /* as dr_task_get has it */
	enum dr_how how;
	int status;          /* EXIT: the exit code; else the number of the signal, or 0 */
	int failed;          /* 0: it is done */
	int final;           /* 0: it is tried once more */
	uint32_t tries;      /* from 1 */
	int64_t start, end;  /* since 1970 */
	int64_t user, sys;   /* processor time */
	uint64_t peak;       /* the most memory that it had at a time, in bytes */
	const char *message; /* NO_START, UNPUBLISHED; else NULL */
	/* What it printed: descriptors, not to be closed, and how many bytes to pread from offset 0; -1: nothing. */
	int out, err;
	uint64_t out_len, err_len;
};

/* Each may be NULL, and gets the arg of dr_context_new. They are called by dr_plan and dr_run, what they are given is valid until they return, and but for dr_stop they may
 * call nothing here. `task` is a number for dr_task_get. */
struct dr_handlers {
	void (*message)(void *arg, enum dr_level level, const char *text);
	void (*started)(void *arg, uint32_t task, const char *name);
	void (*ended)(void *arg, uint32_t task, const struct dr_ended *e);
	int (*stop)(void *arg); /* asked between two events; not 0 is like dr_stop */
};

/* h (NULL: none) is copied; arg is handed to each. NULL with err without memory or descriptors. */
struct dr_context *dr_context_new(const struct dr_handlers *h, void *arg, struct dr_err *err);
void dr_context_free(struct dr_context *c); /* NULL is fine. Not while dr_run is on */

/* Configuration, before dr_plan. */

enum dr_set {
	DR_SET_JOBS,         /* tasks at a time; 0, the default: one for each processor */
	DR_SET_KEEP_GOING,   /* after a failure: everything that does not need what failed. Default 0 */
	DR_SET_ALWAYS,       /* 1: what is up to date runs, too. Default 0 */
	DR_SET_IGNORE,       /* 1: a failure counts as done. Default 0 */
	DR_SET_MAX_FAILURES, /* nothing starts after so many; 0: 1, or no limit with KEEP_GOING */
	DR_SET_WAIT,         /* how long another run's lock may keep us. Default 0 */
	DR_SET_SIGNALS,      /* 1: INT, TERM, HUP and QUIT end a run in order; dr_ended_by tells. Default 0 */
	DR_SET_MAKE,         /* 1: MAKEFLAGS counts: make's slots are ours, and its -k, -B, … Default 0 */
};
int dr_set(struct dr_context *c, enum dr_set what, int64_t value, struct dr_err *err);
/* The directory where all paths start and .dagrun is. Default: that of the Dagfile, else the working directory. */
int dr_set_directory(struct dr_context *c, const char *path, struct dr_err *err);
/* The dagrun program that watches over a run (see above); NULL: a fork of this process does. Default: where `make install` has put it. */
int dr_set_program(struct dr_context *c, const char *path, struct dr_err *err);
/* NAME=VALUE of the command line: wins over a `let` of that name. */
int dr_set_let(struct dr_context *c, const char *name, const char *value, struct dr_err *err);
/* A stage, STAGE:ROW or a path relative to the working directory; none: the defaults. */
int dr_add_target(struct dr_context *c, const char *target, struct dr_err *err);

/* The Dagfile to be read by dr_plan. Without dr_load_file and dr_load_text, and with no stage of C: "Dagfile". */
int dr_load_file(struct dr_context *c, const char *path, struct dr_err *err);
/* A Dagfile's text; name is what errors call it. */
int dr_load_text(struct dr_context *c, const char *name, const char *text, struct dr_err *err);

/* Stages of C, which may be beside a Dagfile's, over and under them. */

enum dr_stage_kind { DR_STAGE_MAP, DR_STAGE_MERGE, DR_STAGE_TASK };

/* key = value as below a stage in a Dagfile; a value may have several lines. */
struct dr_key_value {
	const char *key, *value;
};

/* What is wrong with the values is told by dr_plan, which reads them. */
int dr_add_stage(struct dr_context *c, enum dr_stage_kind kind, const char *name, const struct dr_key_value *keys, uint32_t n,
		 struct dr_err *err);

/* A generator: sets *value to row number `row`, from 0 and one by one, and returns 1; 0: there are no more; -1: it failed. *value is copied
 * before the next call. A plan may be made in two goes, which begins again with row 0: the rows must be the same. */
typedef int (*dr_rows_fn)(void *arg, uint32_t row, const char **value);
/* Rows for `each = NAME`. Not even one is fine. fn is called by dr_plan only. */
int dr_add_rows(struct dr_context *c, const char *name, dr_rows_fn fn, void *arg, struct dr_err *err);

/* The plan and the run. */

/* Makes the plan and finds what of it is stale. Reads the files, makes .dagrun; runs nothing but commands of generators. Diagnostics go to
 * the message handler, and err says that there are some. */
int dr_plan(struct dr_context *c, struct dr_err *err);
/* Runs what is stale, once after a dr_plan, and returns when nothing runs any more. -1 with DR_FAILED also when a task failed or was not
 * run. */
int dr_run(struct dr_context *c, struct dr_err *err);
/* Ends what runs (TERM, after 10 s KILL; a second call KILLs) and starts nothing more; dr_run returns when all has ended. Where no run is on,
 * the next one ends as it begins. From any thread, a handler or a signal's handler: it is async-signal-safe. */
void dr_stop(struct dr_context *c);
/* The signal that ended the run (DR_SET_SIGNALS), or 0. */
int dr_ended_by(const struct dr_context *c);

/* What there is to know after dr_plan, and after dr_run. */

enum dr_task_state {
	DR_TASK_UNWANTED, /* no target needs it */
	DR_TASK_CLEAN,    /* up to date before the run */
	DR_TASK_STALE,    /* to be run */
	DR_TASK_DONE,     /* in this run */
	DR_TASK_FAILED,   /* in this run */
	DR_TASK_SKIPPED,  /* not run because of a failure below it or a stop */
};

struct dr_task_info {
	const char *name;  /* its first output's path; without outputs STAGE:ROW */
	const char *label; /* STAGE:ROW */
	const char *stage; /* its name */
	uint32_t index;    /* among the stage's tasks, from 0: of a map the number of the row */
	enum dr_task_state state;
	const char *why; /* STALE: one line, why; else NULL */
	/* Of its last try, if it was run. */
	int ran;
	enum dr_how how;
	int status; /* as in struct dr_ended */
};

/* How many tasks the plan has; 0 without one. */
uint32_t dr_task_count(const struct dr_context *c);
/* The i-th; those of a stage stand one behind the other, in the order of its rows. The strings are valid until the next call with this context. */
int dr_task_get(struct dr_context *c, uint32_t i, struct dr_task_info *out, struct dr_err *err);

#ifdef __cplusplus
}
#endif

#endif
