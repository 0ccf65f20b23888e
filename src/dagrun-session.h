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

/* dagrun-show.c: what is printed instead of a run. */
int dr_session_dry_run(struct dr_session *s, struct dr_err *err);
int dr_session_explain(struct dr_session *s, int fd, struct dr_err *err);
int dr_session_graph(struct dr_session *s, struct dr_err *err);
/* Is what goes to fd to be coloured? */
bool dr_session_colour(const struct dr_session *s, int fd);

/* dagrun-run.c: runs what is stale. Returns the exit status. */
int dr_session_run(struct dr_session *s, int *signal, struct dr_err *err);
/* Writes the RUN or BYE of this run. 0 or -1. */
int dr_session_record(struct dr_session *s, enum dr_record_kind kind, struct dr_err *err);
/* dagrun-adopt.c: records outputs that stand as done. 0 or -1. */
int dr_session_adopt(struct dr_session *s, struct dr_err *err);
/* Reclaims what an earlier run should have: it died before it came to that, or `keep` said otherwise then. 0 or -1. */
int dr_session_tidy(struct dr_session *s, struct dr_err *err);

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
