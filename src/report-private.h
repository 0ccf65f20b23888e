/* What the parts of the report share. */
#ifndef DR_REPORT_PRIVATE_H
#define DR_REPORT_PRIVATE_H

#include "arena.h"
#include "graphout-html.h"
#include "page.h"
#include "report-trace.h"
#include "report.h"

enum dr_try_result {
	DR_TRY_DONE,
	DR_TRY_FAILED,
	DR_TRY_RETRIED,
	DR_TRY_STOPPED,
	DR_TRY_RUNNING,
	DR_TRY_RESULTS
};
extern const char *const dr_try_results[DR_TRY_RESULTS];

/* All that is kept of a try, as there may be millions. Times are ns since the run began. */
struct dr_report_try {
	int64_t start, end;
	uint32_t task;
	uint32_t slot; /* from 1; 0: it could not be started */
	uint32_t peak_kb, cpu_ms;
	uint16_t tries, slots;
	uint8_t result; /* enum dr_try_result */
	uint8_t how;    /* enum dr_how */
	uint8_t status; /* exit code or signal */
};

/* What a failure is told with. Beyond DR_REPORT_FAILURES they are only counted. */
enum { DR_REPORT_FAILURES = 200, DR_REPORT_LINES = 10, DR_REPORT_BINS = 256 };
struct dr_report_failure {
	uint32_t try;
	const char *why, *lines; /* in the arena; lines NULL: it printed nothing */
};

/* What became of the slots: in ns times slots. */
struct dr_report_use {
	double busy;
	double tokens; /* tasks were ready, and others held the tokens */
	double inputs; /* no task was ready */
};

/* The use over time, in pieces that become twice as long whenever there are too many of them. */
struct dr_report_uses {
	int64_t width; /* of a bin */
	int64_t at;    /* up to here it is known */
	uint32_t slots;
	bool wants;
	struct dr_report_use all, tail; /* tail: of `all`, since the slots were last full */
	struct dr_report_use bins[DR_REPORT_BINS];
};

struct dr_report_running {
	uint32_t task, slot, slots;
	int64_t start; /* dr_now's */
};

struct dr_report {
	char *page_path, *trace_path;
	struct dr_trace trace;
	struct dr_report_begin b;
	bool is_begun;
	int64_t flushed; /* when the trace last was */
	struct dr_report_running *running;
	uint32_t n_running, cap_running;
	/* For the page only */
	struct dr_report_try *tries; /* in the order of their ends */
	uint32_t n_tries, cap_tries;
	struct dr_report_failure *failures;
	uint32_t n_failures, cap_failures;
	uint64_t failed;
	struct dr_report_uses uses;
	struct dr_arena arena;
	struct dr_buf text;
	int64_t page_due;  /* when it is written again */
	bool page_regular; /* it is a file, or there is none yet: it is replaced whole */
	bool incomplete;   /* there was no memory for all of it */
	bool over;
	int signal; /* that ended the run, or 0 */
};

/* report-record.c. Times are ns since the run began. */
void dr_report_add_try(struct dr_report *r, const struct dr_task_end *e, const struct dr_report_running *was,
		       int64_t start, int64_t end);
/* From `at` on so many slots are in use. */
void dr_report_add_use(struct dr_report *r, uint32_t slots, bool wants, int64_t at);

/* report-write.c. 0, or -1 with err (see dr_report_new). Finds out whether the page can be written, and
 * writes nothing. */
int dr_report_check_page(struct dr_report *r, struct dr_err *err);
/* Writes it: whole, under its name in one moment. */
int dr_report_write_page(struct dr_report *r, int64_t now, struct dr_err *err);

/* A stage as a row. Times are of its tasks that are done, sorted. */
struct dr_stage_sum {
	const int64_t *times;
	uint32_t n, failed, retried;
	double total;
	uint64_t peak_kb, bytes_in, bytes_out;
};

/* A step of the path that the run's end hung on. */
struct dr_path_step {
	uint32_t task;
	int64_t wait; /* from when its last input was there to its start */
	/* How much sooner the next one could have started, had this one ended sooner; -1: it is the last. */
	int64_t slack;
};

/* What the page shows, computed when it is written. */
struct dr_report_view {
	struct dr_report *r;
	const struct dr_plan *plan;
	struct dr_html_tree tree;
	int64_t now;            /* ns since the run began */
	uint32_t n;             /* tries, those that run now among them, behind the others */
	uint32_t *first, *last; /* by task: its tries, or DR_NONE */
	struct dr_stage_sum *stages;
	int64_t *times;
	struct dr_path_step *path; /* producers first */
	uint32_t n_path;
	uint32_t *slowest; /* tries */
	uint32_t n_slowest;
	struct dr_page page;
};
enum { DR_REPORT_SLOWEST = 50, DR_REPORT_STEPS = 1000 };

/* report-stats.c. 0; -1 without memory. Free in both cases. */
int dr_report_view_make(struct dr_report_view *v, struct dr_err *err);
void dr_report_view_free(struct dr_report_view *v);
int64_t dr_stage_quantile(const struct dr_stage_sum *s, unsigned percent);
static inline int64_t
dr_try_took(const struct dr_report_try *t)
{
	return t->end - t->start;
}

/* Parts of the page. report-page.c: */
int dr_report_page(struct dr_report_view *v, struct dr_buf *out, struct dr_err *err);
/* A cell of the scratch text. `key` is what the rows are sorted by. */
void dr_report_cell(struct dr_page *p, double key);
void dr_report_time_cell(struct dr_page *p, int64_t ns);
/* The head of a table that can be sorted; heads end with a NULL, one that begins with '<' is of text. */
void dr_report_table(struct dr_page *p, const char *caption, const char *const *heads);
void dr_report_table_end(struct dr_page *p);
/* report-tables.c, report-slots.c, report-use.c, report-data.c */
void dr_report_path(struct dr_report_view *v);
void dr_report_slowest(struct dr_report_view *v);
void dr_report_stages(struct dr_report_view *v);
int dr_report_slots(struct dr_report_view *v, struct dr_err *err);
void dr_report_use(struct dr_report_view *v);
void dr_report_data(struct dr_report_view *v);

#endif
