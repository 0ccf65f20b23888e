#include "config.h"

#include <inttypes.h>

#include "session.h"
#include "err.h"
#include "jobserver.h"

/* A stage whose command loses tokens does so at each of its tasks. */
enum { MOST_TOLD = 3 };

void
dr_session_quiet_started(struct dr_quiet *q, uint32_t task)
{
	if (q->n < DR_QUIET_NAMES)
		q->tasks[q->n] = task;
	q->n++;
}

/* "made/1, made/2 and 7 others" */
static void
add_names(struct dr_session *s, const struct dr_quiet *q)
{
	uint64_t shown = q->n < DR_QUIET_NAMES ? q->n : DR_QUIET_NAMES;

	for (uint64_t i = 0; i < shown; i++) {
		dr_buf_adds(&s->text, !i ? "" : i + 1 == q->n ? " or " : ", ");
		dr_buf_reset(&s->path);
		dr_plan_task_name(s->plan, q->tasks[i], &s->path);
		dr_buf_escape(&s->text, dr_buf_str(&s->path));
	}
	if (q->n > shown)
		dr_buf_addf(&s->text, " or %" PRIu64 " more", q->n - shown);
}

void
dr_session_quiet(struct dr_session *s, struct dr_quiet *q, struct dr_jobserver *js, bool tell)
{
	bool held = false;
	int64_t off = q->n ? dr_jobserver_reconcile(js, q->waited ? NULL : &held) : 0;

	/* But not for ever: a daemon keeps what it has inherited. */
	q->waited = held;
	if (held)
		return;
	if (off && tell && q->told < MOST_TOLD) {
		q->told++;
		dr_buf_reset(&s->text);
		if (off > 0)
			dr_buf_addf(&s->text, "%" PRId64 " of the jobserver's %" PRIu32 " tokens did not come back and %s put back: kept by ",
				    off, dr_jobserver_limit(js) - 1, off == 1 ? "was" : "were");
		else
			dr_buf_addf(&s->text, "%" PRId64 " token%s too many came back to the jobserver and %s taken out: from ", -off,
				    off == -1 ? "" : "s", off == -1 ? "was" : "were");
		add_names(s, q);
		dr_session_message(s, DR_WARNING, dr_buf_cstr(&s->text));
	}
	q->n = 0;
}
