/* What the steps of one call share; for dagrun*.c. */
#ifndef DR_DAGRUN_SESSION_H
#define DR_DAGRUN_SESSION_H

#include "dagrun.h"
#include "disk.h"
#include "journal.h"
#include "lock.h"
#include "makeflags.h"
#include "plan.h"
#include "stale.h"

struct dr_session {
	struct dr_options options; /* the command line's and make's together */
	struct dr_makeflags makeflags;
	const char *root_path; /* the Dagfile's directory, as seen from the working directory; "" is that itself */
	int root, state;       /* descriptors; state -1: there is none yet, and nothing may be made */
	struct dr_pipeline *pipeline;
	struct dr_items_options items;
	struct dr_plan *plan;
	struct dr_disk *disk;
	struct dr_lock *lock;
	bool alone; /* the file system knows no locks */
	struct dr_journal *journal;
	struct dr_stale *stale;
	struct dr_stale_counts counts;
	uint64_t run;
	bool told; /* diagnostics have been printed; there is nothing more to say */
	struct dr_buf text, path;
	const char **targets;
	char **target_copies;
};

/* dagrun.c: steps of a call that not every call takes. */
int dr_session_tell(struct dr_session *s, struct dr_diags *d, struct dr_err *err); /* -1 */
uint64_t dr_session_origin(const struct dr_session *s);
int dr_session_parse(struct dr_session *s, struct dr_err *err);
int dr_session_place_targets(struct dr_session *s, struct dr_err *err);
int dr_session_check(struct dr_session *s, struct dr_err *err);
/* dagrun-query.c: --status and its like. The exit status, or -1 with err. */
int dr_session_query(struct dr_session *s, struct dr_err *err);

/* dagrun-words.c: of commands that are new, the words that are files which nobody declared. */
void dr_session_tell_words(struct dr_session *s);
/* dagrun-redo.c: before a run that makes much again: how many tasks, why, and how long they took. */
void dr_session_tell_redo(struct dr_session *s);

/* dagrun-show.c: what is printed instead of a run. */
int dr_session_dry_run(struct dr_session *s, struct dr_err *err);
int dr_session_explain(struct dr_session *s, int fd, struct dr_err *err);
int dr_session_graph(struct dr_session *s, struct dr_err *err);
int dr_session_export(struct dr_session *s, struct dr_err *err);
/* Is what goes to fd to be coloured? */
bool dr_session_colour(const struct dr_session *s, int fd);

/* dagrun-run.c: runs what is stale. Returns the exit status. */
int dr_session_run(struct dr_session *s, int *signal, struct dr_err *err);
/* Writes the RUN or BYE of this run. 0 or -1. */
int dr_session_record(struct dr_session *s, enum dr_record_kind kind, struct dr_err *err);
/* dagrun-nested.c: -1 with err when a task that is to run is the one that started this program. */
int dr_session_refuse_own(struct dr_session *s, struct dr_err *err);
/* dagrun.c: the run reads no outputs any more that others may reclaim. */
void dr_session_unuse(struct dr_session *s);
/* dagrun-adopt.c: records outputs that stand as done. 0 or -1. */
int dr_session_adopt(struct dr_session *s, struct dr_err *err);
/* Reclaims what an earlier run should have: it died before it came to that, or `keep` said otherwise then. 0 or -1. */
int dr_session_tidy(struct dr_session *s, struct dr_err *err);

/* dagrun-ledger.c: what --status reads while this run is on. NULL is fine everywhere: the run does without. */
struct dr_ledger;
struct dr_grant;
struct dr_ledger *dr_session_ledger(struct dr_session *s, uint32_t slots);
void dr_session_ledger_started(struct dr_session *s, struct dr_ledger *l, uint32_t task, const struct dr_grant *g, int pid);

/* dagrun-report.c: output of tasks and failures, to where they belong. */
struct dr_progress;
struct dr_task_end;
struct dr_jobserver;
/* What is shown of a run, and how: as the options and the terminal have it. 0 or -1. */
int dr_session_progress(const struct dr_session *s, const struct dr_jobserver *js, struct dr_progress **out,
			struct dr_err *err);
struct dr_reporter {
	const struct dr_session *session;
	struct dr_progress *progress;
	bool one_stream, out_is_terminal;
	struct dr_buf text, name, command;
};
void dr_report_end(struct dr_reporter *r, const struct dr_task_end *e, int64_t now);
void dr_reporter_free(struct dr_reporter *r);

#endif
