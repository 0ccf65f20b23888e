/* What a run was, for looking at afterwards or from beside: a page for a browser, and a trace. Told what
 * happens, as progress is; all calls but dr_report_new take NULL, for a run of which nobody wants either.
 * Times are dr_now's, given by the caller. */
#ifndef DR_REPORT_H
#define DR_REPORT_H

#include <stdbool.h>
#include <stdint.h>

struct dr_err;
struct dr_grant;
struct dr_plan;
struct dr_report;
struct dr_task_end;

struct dr_report_options {
	/* Files, relative to the working directory, or NULL. Copied */
	const char *page;  /* gets the page: after a while, now and then, and at the end, whole each time */
	const char *trace; /* gets Chrome trace events, as they come */
};

/* Finds out that the files can be written. 0 with *out; -1 with err: DR_USAGE when another name would help,
 * else DR_SYSTEM. */
int dr_report_new(const struct dr_report_options *o, struct dr_report **out, struct dr_err *err);
/* A file that was to be written and never begun is as it was, or not there. */
void dr_report_free(struct dr_report *r);

/* The plan, which must outlive the report, is complete, and this is where time begins; `slots` is the most
 * that can be in use, 0: nothing will run. */
struct dr_report_begin {
	const struct dr_plan *plan;
	uint32_t slots;
	int64_t now, real; /* dr_now's and dr_realtime's: ends of tasks are told by the latter */
};
void dr_report_begin(struct dr_report *r, const struct dr_report_begin *b);
void dr_report_started(struct dr_report *r, uint32_t task, const struct dr_grant *g, int64_t now);
void dr_report_ended(struct dr_report *r, const struct dr_task_end *e, int64_t now);
/* All that can start has: so many slots are in use from here on. wants: more could start but for a slot. */
void dr_report_pumped(struct dr_report *r, uint32_t slots, bool wants, int64_t now);
/* Writes what is due. Returns when to call again, or -1: only after the next event. */
int64_t dr_report_tick(struct dr_report *r, int64_t now);
/* The last word: nothing runs any more; signal: what has ended the run, or 0. 0, or -1 with err: not
 * everything could be written. */
int dr_report_finish(struct dr_report *r, int signal, int64_t now, struct dr_err *err);

#endif
