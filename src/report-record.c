#include "config.h"

#include "report-private.h"

#include <string.h>
#include <sys/wait.h>

#include "os.h"

#define FIRST_WIDTH INT64_C(1000000)

const char *const dr_try_results[DR_TRY_RESULTS] = {
	[DR_TRY_DONE] = "done",       [DR_TRY_FAILED] = "failed",   [DR_TRY_RETRIED] = "failed, tried again",
	[DR_TRY_STOPPED] = "stopped", [DR_TRY_RUNNING] = "running",
};

static enum dr_try_result
result_of(const struct dr_task_end *e)
{
	if (e->result == DR_RESULT_DONE)
		return DR_TRY_DONE;
	if (e->how == DR_HOW_CANCELLED)
		return DR_TRY_STOPPED;
	return e->final ? DR_TRY_FAILED : DR_TRY_RETRIED;
}

static uint32_t
at_most(int64_t n, uint32_t most)
{
	return n < 0 ? 0 : n > most ? most : (uint32_t)n;
}

/* Why, and the last lines that it printed; NULL where there is no memory for it. */
static void
add_failure(struct dr_report *r, const struct dr_task_end *e)
{
	bool from_err = e->err >= 0 && e->err_len;
	struct dr_report_failure f = { .try = r->n_tries - 1 };

	r->failed++;
	if (r->n_failures >= DR_REPORT_FAILURES ||
	    dr_grow(&r->failures, &r->cap_failures, (size_t)r->n_failures + 1, sizeof(*r->failures)))
		return;
	dr_buf_reset(&r->text);
	dr_outcome_describe(e, &r->text);
	f.why = dr_arena_strndup(&r->arena, dr_buf_cstr(&r->text), r->text.n);
	dr_buf_reset(&r->text);
	if ((from_err && !dr_tail(e->err, 0, e->err_len, DR_REPORT_LINES, &r->text)) ||
	    (!from_err && e->out >= 0 && e->out_len &&
	     !dr_tail(e->out, 0, e->out_len, DR_REPORT_LINES, &r->text)))
		f.lines = dr_arena_strndup(&r->arena, dr_buf_cstr(&r->text), r->text.n);
	if (f.why)
		r->failures[r->n_failures++] = f;
}

void
dr_report_add_try(struct dr_report *r, const struct dr_task_end *e, const struct dr_report_running *was,
		  int64_t start, int64_t end)
{
	const struct dr_outcome *o = &e->outcome;
	struct dr_report_try t = {
		.start = start,
		.end = end,
		.task = e->task,
		.slot = was->slot,
		.peak_kb = at_most((int64_t)o->peak_kb, UINT32_MAX),
		.cpu_ms = at_most((o->user_us + o->sys_us) / 1000, UINT32_MAX),
		.tries = (uint16_t)at_most(o->tries, UINT16_MAX),
		.slots = (uint16_t)at_most(was->slots, UINT16_MAX),
		.result = (uint8_t)result_of(e),
		.how = (uint8_t)e->how,
		.status = (uint8_t)(WIFSIGNALED(o->status) ? WTERMSIG(o->status) : WEXITSTATUS(o->status)),
	};

	if (dr_grow(&r->tries, &r->cap_tries, (size_t)r->n_tries + 1, sizeof(*r->tries))) {
		r->incomplete = true;
		return;
	}
	r->tries[r->n_tries++] = t;
	if (t.result == DR_TRY_FAILED)
		add_failure(r, e);
}

static void
sum(struct dr_report_use *to, const struct dr_report_use *of)
{
	to->busy += of->busy;
	to->tokens += of->tokens;
	to->inputs += of->inputs;
}

static void
widen(struct dr_report_uses *u)
{
	for (unsigned i = 0; i < DR_REPORT_BINS / 2; i++) {
		struct dr_report_use pair = u->bins[2 * i];

		sum(&pair, &u->bins[2 * i + 1]);
		u->bins[i] = pair;
	}
	memset(&u->bins[DR_REPORT_BINS / 2], 0, sizeof(u->bins) / 2);
	u->width *= 2;
}

/* A time in which nothing changed. */
static void
add_span(struct dr_report_uses *u, uint32_t limit, int64_t from, int64_t to)
{
	uint32_t idle = limit > u->slots ? limit - u->slots : 0;

	while (from < to) {
		int64_t bin = from / u->width, end = (bin + 1) * u->width < to ? (bin + 1) * u->width : to;
		double ns = (double)(end - from);
		struct dr_report_use use = {
			.busy = ns * u->slots,
			.tokens = u->wants ? ns * idle : 0,
			.inputs = u->wants ? 0 : ns * idle,
		};

		sum(&u->bins[bin], &use);
		sum(&u->all, &use);
		sum(&u->tail, &use);
		from = end;
	}
}

void
dr_report_add_use(struct dr_report *r, uint32_t slots, bool wants, int64_t at)
{
	struct dr_report_uses *u = &r->uses;

	if (!u->width)
		u->width = FIRST_WIDTH;
	while (at > u->width * DR_REPORT_BINS)
		widen(u);
	add_span(u, r->b.slots, u->at, at);
	/* More work than slots, up to now: what is idle from here on is so at the end, unless this comes
	 * again. */
	if (at > u->at && (u->wants || u->slots >= r->b.slots))
		u->tail = (struct dr_report_use){ 0 };
	u->at = at > u->at ? at : u->at;
	u->slots = slots;
	u->wants = wants;
}
