/* Dagfile → plan → what is stale → run, step by step. Nothing here prints: what there is to say goes to the host, the program or
 * whoever else the library is a part of. */
#ifndef DR_SESSION_H
#define DR_SESSION_H

#include "disk.h"
#include "journal.h"
#include "lock.h"
#include "makeflags.h"
#include "os.h"
#include "plan.h"
#include "progress.h"
#include "session-options.h"
#include "stale.h"

struct dr_grant;
struct dr_jobserver;
struct dr_loop;
struct dr_run;
struct dr_task_end;

/* Who is told. Each is called in the thread of the call that it is about, and may be NULL. */
struct dr_host {
	void (*message)(void *arg, enum dr_level level, const char *text);
	/* A run begins: 0, or -1 with err, and there is none. */
	int (*opened)(void *arg, struct dr_loop *loop, const struct dr_jobserver *js, struct dr_err *err);
	void (*started)(void *arg, uint32_t task, const struct dr_grant *g);
	/* A try has ended; then (or without it, if another run made the task) what became of the task. */
	void (*ended)(void *arg, const struct dr_task_end *e);
	void (*settled)(void *arg, uint32_t task, enum dr_progress_end how);
	/* All that can start now has: so many slots are in use. wants: more could start but for a slot. */
	void (*pumped)(void *arg, uint32_t slots, bool wants);
	/* Before each wait: when to be called again, or -1. */
	int64_t (*tick)(void *arg, int64_t now);
	void (*finished)(void *arg);
	/* The run is over and all of it closed, also if it could not begin. */
	void (*closed)(void *arg);
	void *arg;
};

struct dr_session {
	struct dr_host host;
	struct dr_options options; /* the command line's and make's together */
	struct dr_makeflags makeflags;
	struct dr_boot boot;   /* the machine's, found by dr_session_open unless it is there already */
	const char *directory; /* where all paths start; NULL: where the Dagfile is */
	const char *dagfile;   /* a Dagfile that is no file, or NULL; options.file is its name */
	const struct dr_parse_built *built; /* stages that no Dagfile has, or NULL */
	bool from_make;        /* make's options and its jobserver are ours, too */
	bool signals;          /* INT, TERM, HUP and QUIT end a run */
	bool threads;          /* the host may be called by any thread, by one at a time */
	bool reaps;            /* children that nobody knows are ours to wait for */
	const char *guardian;  /* the dagrun program that a guardian is, or NULL: a fork of this one */
	bool one_stream;       /* standard output and error are the same file */
	const char *root_path; /* the Dagfile's directory, as seen from the working directory; "" is that itself */
	int root, state;       /* descriptors; state -1: there is none yet, and nothing may be made */
	struct dr_pipeline *pipeline;
	struct dr_items_options items;
	struct dr_plan *plan;
	struct dr_session_tree *trees; /* where the journal has the shapes of trees: see session-trees.c */
	uint32_t n_trees, cap_trees;
	struct dr_map tree_map;
	bool trees_read;
	struct dr_disk *disk;
	struct dr_lock *lock;
	bool alone; /* the file system knows no locks */
	struct dr_journal *journal;
	struct dr_early *early; /* looks at rows while the plan is made of them, or NULL */
	struct dr_stale *stale;
	struct dr_stale_counts counts;
	uint64_t run;
	struct dr_run *running; /* NULL: no run is on */
	bool findings_told;
	bool told; /* diagnostics have been told; there is nothing more to say */
	struct dr_buf text, path;
	const char **targets;
	char **target_copies;
	uint32_t n_target_copies;
};

/* `s` has its options and fields above root_path; the others are nothing yet, but for root and state, which are -1. Whatever fails:
 * dr_session_close comes last. */
int dr_session_open(struct dr_session *s, struct dr_err *err);
/* The plan, and what of it is stale. 0, or -1 with err; `told`: the host knows already. */
int dr_session_plan(struct dr_session *s, struct dr_err *err);
/* What the plan has come upon beside its purpose, told once; dr_session_go does so, too. */
void dr_session_tell_findings(struct dr_session *s);
int dr_session_nothing_to_do(struct dr_session *s); /* says so; DR_OK */
/* Runs what is stale, or adopts what stands. The exit status, with err if that has not been told. *signal is the one that ended
 * the run, or 0. */
int dr_session_go(struct dr_session *s, int *signal, struct dr_err *err);
void dr_session_close(struct dr_session *s);
/* While a run is on: ends what runs and starts nothing more. hard: by KILL. */
void dr_session_stop(struct dr_session *s, bool hard);
void dr_session_message(const struct dr_session *s, enum dr_level level, const char *text);

bool dr_session_only_looks(const struct dr_session *s); /* -n and what is asked for instead of a run */
/* Of the journal and the logs, what nobody needs any more, if that is much and nobody else is here. */
void dr_session_compact(struct dr_session *s);

/* Steps that not every call takes. */
int dr_session_tell(struct dr_session *s, struct dr_diags *d, struct dr_err *err); /* -1 */
uint64_t dr_session_origin(const struct dr_session *s);
int dr_session_parse(struct dr_session *s, struct dr_err *err);
int dr_session_place_targets(struct dr_session *s, struct dr_err *err);
int dr_session_check(struct dr_session *s, struct dr_err *err);

/* Of commands that are new, the words that are files which nobody declared. */
void dr_session_tell_words(struct dr_session *s);
/* Which outputs somebody changed, that are kept. */
void dr_session_tell_changed(struct dr_session *s);
/* And which are made by another Dagfile, too, in another way. */
void dr_session_tell_dispute(struct dr_session *s);
/* What stays of merges and is not of use any more. */
void dr_session_tell_left(struct dr_session *s);
/* Before a run that makes much again: how many tasks, why, and how long they took. */
void dr_session_tell_redo(struct dr_session *s);

/* Runs what is stale. Returns the exit status. */
int dr_session_run(struct dr_session *s, int *signal, struct dr_err *err);
/* Writes the RUN or BYE of this run. 0 or -1. */
int dr_session_record(struct dr_session *s, enum dr_record_kind kind, struct dr_err *err);
/* Before the first output: how long records of this run carry hashes, and whether they hold of themselves. 0 or -1. */
int dr_session_record_durable(struct dr_session *s, struct dr_err *err);
/* A barrier for this run. 0 or -1. */
struct dr_barrier;
int dr_session_barrier(struct dr_session *s, int64_t began, int64_t least, struct dr_barrier **out, struct dr_err *err);
/* -1 with err when a task that is to run is the one that started this program. */
int dr_session_refuse_own(struct dr_session *s, struct dr_err *err);
/* Ends the processes of runs in this directory that died, as far as their guardians have not, and waits until they have ended. 0 or -1. */
int dr_session_end_orphans(struct dr_session *s, struct dr_err *err);
/* The run reads no outputs any more that others may reclaim. */
void dr_session_unuse(struct dr_session *s);
/* Whom a run waits for that has nothing else to do: told when it has lasted a second, and once for each of them. */
struct dr_waiting {
	uint32_t task; /* that another run is making, or DR_NONE */
	int64_t since; /* dr_now's clock; 0: it does not wait */
	uint64_t told; /* the run that was named last */
};
/* Each turn, with how many tasks of ours run. */
void dr_session_waiting(struct dr_session *s, struct dr_waiting *w, uint32_t running, int64_t now);
/* Records outputs that stand as done. 0 or -1. */
int dr_session_adopt(struct dr_session *s, struct dr_err *err);
/* Reclaims what an earlier run should have: it died before it came to that, or `keep` said otherwise then. 0 or -1. */
int dr_session_tidy(struct dr_session *s, struct dr_err *err);

/* make -w: where tasks work, if whoever called us is not there. */
void dr_session_tell_directory(struct dr_session *s, bool entering);

/* Which tasks have been started since nothing ran. All zero to begin with. */
enum { DR_QUIET_NAMES = 5 };
struct dr_quiet {
	uint32_t tasks[DR_QUIET_NAMES]; /* the first ones */
	uint64_t n;
	unsigned told;
	bool waited; /* the last time, for what tasks have left behind */
};
void dr_session_quiet_started(struct dr_quiet *q, uint32_t task);
/* Nothing runs: our own jobserver's pool is set right, and, `tell`, who ran meanwhile is named if it was not. */
void dr_session_quiet(struct dr_session *s, struct dr_quiet *q, struct dr_jobserver *js, bool tell);

/* session-trees.c. For dr_plan_options: the session is the argument, and the journal is open or there is none. */
int dr_session_recorded_tree(void *session, struct dr_hash128 key, struct dr_rec_tree *t, struct dr_err *err);
/* Records the shapes that are wanted and new, before the first of their merges runs. 0 or -1. */
int dr_session_record_trees(struct dr_session *s, struct dr_err *err);
void dr_session_free_trees(struct dr_session *s);

/* What --status reads while this run is on. NULL is fine everywhere: the run does without. */
struct dr_ledger;
struct dr_ledger *dr_session_ledger(struct dr_run *r, uint32_t slots);
void dr_session_ledger_started(struct dr_session *s, struct dr_ledger *l, uint32_t task, const struct dr_grant *g);

/* Who sees to what a run would leave behind if it were killed. */
struct dr_guardian;
struct dr_session_guard {
	const struct dr_session *session;
	struct dr_loop *loop;
	struct dr_guardian *guardian; /* or NULL */
};
/* Starts it, before anything is taken or started that would have to be undone. Where there can be none, that is said, and the run does
 * without. 0 or -1 with err. dr_guardian_close ends it. */
int dr_session_guard(struct dr_session *s, struct dr_session_guard *g, struct dr_loop *loop, struct dr_jobserver *js, struct dr_err *err);

#endif
