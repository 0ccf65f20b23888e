#include "config.h"

#include "report-private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	LABEL = 62, /* pixels of a slot's name */
	PLOT = 1000,
	ROW = 14,
	MOST = 64,     /* slots that the still picture shows */
	CELLS = 12000, /* of all of them together */
	COLOURS = 8,
	FAILURE = COLOURS, /* its class is the one behind the stages' */
	TICKS = 5,
};

/* What the still picture shows: of each slot and column the stage that was there longest, + 1. */
struct still {
	uint32_t slots, columns;
	uint8_t *cells;
	float *longest;
};

static uint32_t
slots_of(const struct dr_report_view *v)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < v->n; i++)
		n = v->r->tries[i].slot > n ? v->r->tries[i].slot : n;
	return n;
}

static void
fill_try(const struct dr_report_view *v, const struct still *s, const struct dr_report_try *t)
{
	double scale = s->columns / (v->now > 0 ? (double)v->now : 1), from = (double)t->start * scale,
	       to = (double)t->end * scale;
	uint32_t stage = v->plan->graph->tasks[t->task].stage;
	uint8_t colour =
		(uint8_t)(1 + (t->result == DR_TRY_FAILED || t->result == DR_TRY_RETRIED ? FAILURE
											 : stage % COLOURS));

	from = from < 0 ? 0 : from;
	for (uint32_t c = (uint32_t)from; c < s->columns && c <= to; c++) {
		double covered = (to < c + 1 ? to : c + 1) - (from > c ? from : c);
		size_t at = (size_t)(t->slot - 1) * s->columns + c;

		/* A failure is seen however short it was. */
		if (colour == FAILURE + 1)
			covered = 2;
		if (covered > s->longest[at]) {
			s->longest[at] = (float)covered;
			s->cells[at] = colour;
		}
	}
}

/* All cells of one colour as one path. */
static void
add_colour(struct dr_buf *out, const struct still *s, unsigned colour)
{
	bool any = false;

	for (uint32_t row = 0; row < s->slots; row++) {
		const uint8_t *cells = s->cells + (size_t)row * s->columns;

		for (uint32_t from = 0, to; from < s->columns; from = to) {
			uint32_t x = from * PLOT * 10 / s->columns, width;

			for (to = from + 1; to < s->columns && cells[to] == cells[from]; to++)
				;
			if (cells[from] != colour + 1)
				continue;
			if (!any)
				dr_buf_addf(out,
					    colour == FAILURE ? "<path class=\"zf\" d=\""
							      : "<path class=\"z%u\" d=\"",
					    colour);
			any = true;
			width = to * PLOT * 10 / s->columns - x;
			dr_buf_addf(out, "M%" PRIu32 " %" PRIu32 "h%" PRIu32 "v%dh-%" PRIu32 "z", x, row * ROW, width,
				    ROW - 3, width);
		}
	}
	if (any)
		dr_buf_adds(out, "\"/>\n");
}

static void
add_axis(struct dr_report_view *v, uint32_t y)
{
	struct dr_page *p = &v->page;

	for (uint32_t i = 0; i <= TICKS; i++) {
		dr_buf_addf(p->out, "<text class=\"note\" x=\"%d\" y=\"%" PRIu32 "\" text-anchor=\"%s\">",
			    LABEL + (int)(i * PLOT / TICKS), y,
			    !i          ? "start"
			    : i < TICKS ? "middle"
					: "end");
		dr_buf_duration(&p->text, v->now / TICKS * i);
		dr_page_put(p, "", "</text>\n");
	}
}

static void
add_still(struct dr_report_view *v, const struct still *s)
{
	struct dr_buf *out = v->page.out;
	uint32_t height = s->slots * ROW + 24;

	dr_buf_addf(out,
		    "<div id=\"slots\" class=\"view\"><div class=\"still\" role=\"group\" aria-label=\"Slots "
		    "over time\" tabindex=\"0\">\n"
		    "<svg width=\"%d\" height=\"%" PRIu32 "\" viewBox=\"0 0 %d %" PRIu32 "\" role=\"img\">"
		    "<title>Slots over time: which stage each was busy with</title>\n",
		    LABEL + PLOT + 8, height, LABEL + PLOT + 8, height);
	for (uint32_t row = 0; row < s->slots; row++) {
		dr_buf_addf(out, "<text class=\"note\" x=\"4\" y=\"%" PRIu32 "\">slot %" PRIu32 "</text>",
			    row * ROW + 12, row + 1);
		dr_buf_addf(out,
			    "<rect class=\"lane\" x=\"%d\" y=\"%" PRIu32 "\" width=\"%d\" height=\"%d\"/>\n",
			    LABEL, row * ROW + 2, PLOT, ROW - 3);
	}
	dr_buf_addf(out, "<g transform=\"translate(%d 2)scale(.1 1)\">\n", LABEL);
	for (unsigned c = 0; c <= FAILURE; c++)
		add_colour(out, s, c);
	dr_buf_adds(out, "</g>\n");
	add_axis(v, s->slots * ROW + 16);
	dr_buf_adds(out, "</svg></div></div>\n");
}

static void
add_key(struct dr_report_view *v)
{
	struct dr_page *p = &v->page;

	dr_buf_adds(p->out, "<p class=\"key\">");
	for (uint32_t s = 0; s < v->plan->pipeline->n_stages; s++) {
		if (!(v->stages[s].total > 0))
			continue;
		dr_buf_addf(
			p->out,
			"<span><svg width=\"18\" height=\"10\" role=\"presentation\"><path class=\"z%" PRIu32
			"\" d=\"M0 0h14v10h-14z\"/></svg>",
			s % COLOURS);
		dr_buf_addstr(&p->text, v->plan->pipeline->stages[s].name);
		dr_page_put(p, "", "</span> ");
	}
	dr_buf_adds(p->out, "<span><svg width=\"18\" height=\"10\" role=\"presentation\"><path class=\"zf\" "
			    "d=\"M0 0h14v10h-14z\"/></svg>a try that failed</span></p>\n");
}

/* The same as a table: of each slot how many tries, and how long it was busy. */
static int
add_table(struct dr_report_view *v, uint32_t slots)
{
	static const char *const heads[] = { "<slot", "tries", "busy", "share", "longest", NULL };
	struct dr_page *p = &v->page;
	struct per {
		uint64_t n;
		int64_t busy, longest;
	} *per = calloc((size_t)slots + 1, sizeof(*per));

	if (!per)
		return -1;
	for (uint32_t i = 0; i < v->n; i++) {
		const struct dr_report_try *t = &v->r->tries[i];

		per[t->slot].n++;
		per[t->slot].busy += dr_try_took(t);
		per[t->slot].longest =
			dr_try_took(t) > per[t->slot].longest ? dr_try_took(t) : per[t->slot].longest;
	}
	dr_buf_adds(p->out, "<details class=\"twin\"><summary>The slots as a table</summary>\n");
	dr_report_table(p, "Slots: what ran in each", heads);
	for (uint32_t s = 1; s <= slots; s++) {
		dr_buf_addf(p->out, "<tr><th scope=\"row\">slot %" PRIu32 "</th>", s);
		dr_buf_count(&p->text, per[s].n);
		dr_report_cell(p, (double)per[s].n);
		dr_report_time_cell(p, per[s].busy);
		dr_buf_addf(&p->text, "%" PRId64 " %%", v->now > 0 ? per[s].busy * 100 / v->now : 0);
		dr_report_cell(p, (double)per[s].busy / 1000);
		dr_report_time_cell(p, per[s].longest);
		dr_buf_adds(p->out, "</tr>\n");
	}
	dr_report_table_end(p);
	dr_buf_adds(p->out, "</details>\n");
	free(per);
	return 0;
}

int
dr_report_slots(struct dr_report_view *v, struct dr_err *err)
{
	uint32_t slots = slots_of(v);
	struct still s = { .slots = slots < MOST ? slots : MOST };
	int rc = -1;

	if (!slots) {
		dr_buf_adds(v->page.out, "<p>Nothing has run.</p>\n");
		return 0;
	}
	s.columns = CELLS / s.slots < 500 ? CELLS / s.slots : 500;
	s.cells = calloc((size_t)s.slots * s.columns, sizeof(*s.cells));
	s.longest = calloc((size_t)s.slots * s.columns, sizeof(*s.longest));
	if (!s.cells || !s.longest)
		goto out;
	for (uint32_t i = 0; i < v->n; i++)
		if (v->r->tries[i].slot && v->r->tries[i].slot <= s.slots)
			fill_try(v, &s, &v->r->tries[i]);
	add_still(v, &s);
	add_key(v);
	if (slots > MOST)
		dr_buf_addf(v->page.out, "<noscript><p>The first %d of %" PRIu32 " slots.</p></noscript>\n",
			    MOST, slots);
	rc = add_table(v, slots);
out:
	if (rc)
		dr_err_nomem(err);
	free(s.cells);
	free(s.longest);
	return rc;
}
