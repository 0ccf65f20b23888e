#include "config.h"

#include "graphout-svg.h"

#include <inttypes.h>
#include <string.h>

/* A column that stands for several nodes shows the one that is least finished; failures have a lane of their own. */
static const uint8_t rank[DR_STATES] = {
	[DR_UNWANTED] = 0, [DR_FAILED_TASK] = 1, [DR_CLEAN] = 2, [DR_DONE] = 3,
	[DR_SKIPPED] = 4,  [DR_WAITING] = 5,     [DR_READY] = 5, [DR_RUNNING] = 6,
};

/* Tenths of a pixel. */
uint64_t
dr_svg_across(const struct dr_svg *s, uint64_t leaves)
{
	return (uint64_t)((double)leaves / (double)s->width * DR_SVG_PLOT + 0.5);
}

void
dr_svg_begin_plot(struct dr_svg *s, uint32_t y)
{
	dr_buf_addf(s->out, "<g transform=\"translate(%" PRIu32 " %" PRIu32 ")scale(.1 1)\">", s->plot, y);
}

/* A bar from one x to another, in a path that goes on where the one before it ended. */
static void
add_bar(struct dr_svg *s, uint64_t from, uint64_t to)
{
	if (s->pen == UINT64_MAX)
		dr_buf_addf(s->out, "M%" PRIu64 " 0", from);
	else if (from != s->pen)
		dr_buf_addf(s->out, "m%" PRId64 " 0", (int64_t)(from - s->pen));
	dr_buf_addf(s->out, "h%" PRIu64, to - from);
	s->pen = to;
}

/* A node of its own, with a gap behind it. */
static void
add_node(struct dr_svg *s, const struct dr_span *span)
{
	uint64_t from = dr_svg_across(s, span->from), to = dr_svg_across(s, span->to), gap = (to - from) / 5;

	add_bar(s, from, to - (gap < 8 ? gap : 8));
}

/* Columns that a span touches: [*from, *to). */
static void
columns_of(const struct dr_svg *s, const struct dr_span *span, uint32_t *from, uint32_t *to)
{
	*from = (uint32_t)(dr_svg_across(s, span->from) / s->column);
	*to = (uint32_t)((dr_svg_across(s, span->to) + s->column - 1) / s->column);
	*from = *from < s->columns ? *from : s->columns - 1;
	*to = *to > s->columns ? s->columns : *to;
	*to = *to > *from ? *to : *from + 1;
}

static bool
same_look(uint8_t a, uint8_t b)
{
	return dr_svg_looks[a].letter == dr_svg_looks[b].letter;
}

static uint8_t
state_of(const struct dr_svg *s, uint32_t task)
{
	return s->pl->graph->tasks[task].state;
}

/* The bars of a row in one state. */
static void
add_state(struct dr_svg *s, const struct dr_rows_row *row, const uint8_t *cells, uint8_t state)
{
	s->pen = UINT64_MAX;
	dr_buf_addf(s->out, "<path class=\"%c\" d=\"", dr_svg_looks[state].letter);
	for (uint32_t i = 0; !cells && i < row->n; i++)
		if (same_look(state_of(s, row->tasks[i]), state))
			add_node(s, &s->layout->spans[row->tasks[i]]);
	for (uint32_t from = 0, to; cells && from < s->columns; from = to) {
		for (to = from + 1; to < s->columns && same_look(cells[to], cells[from]); to++)
			;
		if (same_look(cells[from], state))
			add_bar(s, (uint64_t)from * s->column, (uint64_t)to * s->column);
	}
	dr_buf_adds(s->out, "\"/>");
	s->used[state] = true;
}

/* Whether nodes of the row are too narrow to be told apart. If so, what its columns show. */
static bool
fill_cells(const struct dr_svg *s, const struct dr_rows_row *row, uint8_t *cells)
{
	uint32_t narrow = 0, from, to;

	memset(cells, DR_UNWANTED, s->columns);
	for (uint32_t i = 0; i < row->n; i++) {
		const struct dr_span *span = &s->layout->spans[row->tasks[i]];
		uint8_t state = state_of(s, row->tasks[i]);

		if (span->from == span->to)
			continue;
		narrow += dr_svg_across(s, span->to) - dr_svg_across(s, span->from) < s->column * 6 / 10;
		columns_of(s, span, &from, &to);
		for (uint32_t c = from; c < to; c++)
			if (rank[state] > rank[cells[c]])
				cells[c] = state;
	}
	return narrow > 0;
}

void
dr_svg_bars(struct dr_svg *s, const struct dr_rows_row *row)
{
	uint8_t cells[DR_SVG_COLUMNS];
	bool narrow = fill_cells(s, row, cells), drawn[DR_STATES] = { false };

	for (uint32_t i = 0; narrow && i < s->columns; i++)
		drawn[cells[i]] = true;
	for (uint32_t i = 0; !narrow && i < row->n; i++)
		drawn[state_of(s, row->tasks[i])] = true;
	drawn[DR_WAITING] |= drawn[DR_READY];
	dr_buf_addf(s->out, "\n");
	dr_svg_begin_plot(s, s->y + DR_SVG_ROW / 2);
	for (unsigned i = 0; i < DR_SVG_SHOWN; i++)
		if (drawn[dr_svg_shown[i]])
			add_state(s, row, narrow ? cells : NULL, dr_svg_shown[i]);
	dr_buf_adds(s->out, "</g>\n");
}

/* "failed: a, b and 3 more". */
static void
name_failures(struct dr_svg *s, const struct dr_rows_row *row)
{
	struct dr_buf name = { 0 };
	uint32_t n = 0;

	dr_buf_adds(s->out, "<title>failed: ");
	for (uint32_t i = 0; i < row->n && n < DR_SVG_NAMED_MOST; i++) {
		if (state_of(s, row->tasks[i]) != DR_FAILED_TASK)
			continue;
		dr_buf_reset(&name);
		dr_plan_task_name(s->pl, row->tasks[i], &name);
		dr_buf_fit(&s->text, dr_buf_str(&name), 60, true);
		s->text.failed |= name.failed;
		dr_buf_adds(s->out, n++ ? ", " : "");
		dr_svg_xml(s->out, dr_buf_str(&s->text));
		s->out->failed |= s->text.failed;
		dr_buf_reset(&s->text);
	}
	if (row->counts[DR_FAILED_TASK] > n)
		dr_buf_addf(s->out, " and %" PRIu32 " more", row->counts[DR_FAILED_TASK] - n);
	dr_buf_adds(s->out, "</title>");
	dr_buf_free(&name);
}

void
dr_svg_lane(struct dr_svg *s, const struct dr_rows_row *row)
{
	uint32_t mark = s->column * (DR_SVG_MARK / DR_SVG_COLUMN);
	uint8_t marks[DR_SVG_MARKS] = { 0 };
	uint64_t at = 0;

	for (uint32_t i = 0; i < row->n; i++) {
		const struct dr_span *span = &s->layout->spans[row->tasks[i]];

		if (state_of(s, row->tasks[i]) == DR_FAILED_TASK)
			marks[dr_svg_across(s, (span->from + span->to) / 2) / mark] = 1;
	}
	dr_buf_addf(&s->text, "%" PRIu32 " failed", row->counts[DR_FAILED_TASK]);
	dr_svg_text(s, s->counts_end, s->y + DR_SVG_LANE, "e x");
	dr_svg_begin_plot(s, s->y);
	name_failures(s, row);
	dr_buf_adds(s->out, "<path class=\"x\" d=\"M0 2");
	for (uint32_t i = 0; i < DR_SVG_MARKS; i++) {
		if (!marks[i])
			continue;
		dr_buf_addf(s->out, "m%" PRIu64 " 0h%" PRIu32 "l-%" PRIu32 " 8z", (uint64_t)i * mark - at, mark,
			    mark / 2);
		at = (uint64_t)i * mark;
	}
	dr_buf_adds(s->out, "\"/></g>\n");
	s->y += DR_SVG_LANE;
}

