/* Chrome trace events, as chrome://tracing and Perfetto open them: a JSON array of objects, a track a slot.
 * What is written so far is enough for them at any time, so that a run that was killed leaves a trace, too.
 * The format is "Trace Event Format" by the Chromium authors: ph X is something that lasts, i a moment, C a
 * counter, M says what a track is called; ts and dur are in µs. */
#ifndef DR_REPORT_TRACE_H
#define DR_REPORT_TRACE_H

#include "local.h"
#include "report.h"
#include "str.h"

struct dr_trace {
	int fd; /* -1: none */
	bool regular, made, begun;
	const struct dr_plan *plan;
	uint32_t named, used; /* tracks, and slots in use, as far as the trace knows */
	int error;            /* that the first write that failed had, or 0 */
	struct dr_buf out, name;
};

/* Opens, and changes nothing. 0 or -1 with err. */
int dr_trace_open(struct dr_trace *t, const char *path, struct dr_err *err);
void dr_trace_begin(struct dr_trace *t, const struct dr_plan *plan);
/* A try has ended; times are ns since the run began. slot 0: it could not be started. */
void dr_trace_try(struct dr_trace *t, const struct dr_task_end *e, uint32_t slot, uint32_t slots,
		  int64_t start, int64_t end);
void dr_trace_slots(struct dr_trace *t, uint32_t used, int64_t at);
void dr_trace_flush(struct dr_trace *t);
/* Ends the array. 0, or -1 with err naming `path`. */
int dr_trace_finish(struct dr_trace *t, int64_t at, const char *path, struct dr_err *err);
/* path: removed if it was made here and never begun. */
void dr_trace_close(struct dr_trace *t, const char *path);

#endif
