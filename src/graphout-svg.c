#include "config.h"

#include "graphout.h"
#include "graphout-layout.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Coordinates across are tenths of a pixel, so that they need no point; a group scales them. */
enum {
	PLOT = 10000,     /* the width of the picture proper */
	COLUMN = 20,      /* of what is drawn where nodes are too narrow to be told apart: those below six tenths of it */
	COLUMN_MOST = 160,
	MARK = 60,        /* a failure's triangle, and the least width of a piece of the longest path */
	COLUMNS = PLOT / COLUMN,
	LARGE = 29000,    /* bytes of a picture: one that is larger is drawn again with wider columns. */
	SMALL = 14000,    /* The same up to as many leaves as the next */
	FEW = 1000,
	MARKS = PLOT / MARK + 1,
	ROW = 20,         /* pixels from one row to the next */
	LANE = 10,        /* pixels of a row's failures above it */
	LABEL_MOST = 32,  /* characters */
	NAMED_MOST = 10,  /* failures of a row that are named */
};

static const double per_char = 7.3; /* pixels, of 12 pixel text in whatever monospaced font there is */

struct look {
	char letter;      /* class; 0: nothing is drawn */
	const char *name;
};

static const struct look looks[DR_STATES] = {
	[DR_UNWANTED] = { 0, "" },
	[DR_CLEAN] = { 'c', "up to date" },
	[DR_WAITING] = { 'w', "waiting" },
	[DR_READY] = { 'w', "waiting" },
	[DR_RUNNING] = { 'r', "running" },
	[DR_DONE] = { 'd', "done" },
	[DR_FAILED_TASK] = { 'f', "failed" },
	[DR_SKIPPED] = { 's', "not started" },
};

/* In the order of the legend. */
static const enum dr_state shown[] = { DR_CLEAN,   DR_DONE,        DR_RUNNING,
				       DR_WAITING, DR_FAILED_TASK, DR_SKIPPED };
enum { SHOWN = sizeof(shown) / sizeof(*shown) };

/* A column that stands for several nodes shows the one that is least finished; failures have a lane of their own. */
static const uint8_t rank[DR_STATES] = {
	[DR_UNWANTED] = 0, [DR_FAILED_TASK] = 1, [DR_CLEAN] = 2, [DR_DONE] = 3,
	[DR_SKIPPED] = 4,  [DR_WAITING] = 5,     [DR_READY] = 5, [DR_RUNNING] = 6,
};

/* States differ in lightness and in height or texture, too. Widths of strokes are heights of bars. */
static const char style[] =
	"<style>"
	"text{font:12px ui-monospace,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;fill:#222;white-space:pre}"
	".e{text-anchor:end}.t{font-weight:bold}.x{fill:#c0182b}.b{fill:#fff}path{fill:none}path.x{fill:#c0182b}"
	".c{stroke:#8fbf9f;stroke-width:9}.d{stroke:#1b7a3d;stroke-width:14}"
	".r{stroke:#e08a00;stroke-width:14;stroke-dasharray:20 8}.w{stroke:#c4c8cc;stroke-width:4}"
	".f{stroke:#c0182b;stroke-width:14}.s{stroke:#8661a8;stroke-width:4;stroke-dasharray:20 20}"
	".k{stroke:#000;stroke-width:2}"
	"@media(prefers-color-scheme:dark){.b{fill:#15181b}text{fill:#ddd}.w{stroke:#565b60}.k{stroke:#fff}"
	".c{stroke:#5b8f6d}.d{stroke:#35b864}.x,path.x{fill:#ff6b6b}.f{stroke:#ff6b6b}}"
	"</style>\n";

struct svg {
	const struct dr_plan *pl;
	const struct dr_rows *rows;
	const struct dr_layout *layout;
	struct dr_buf *out;
	struct dr_buf text; /* scratch */
	uint32_t counts_end, bytes_end, plot; /* pixels: right edges of the columns of text, and where the picture begins */
	uint32_t y;
	uint64_t width; /* of the block, in leaves */
	uint64_t pen;   /* where the path that is being written ends */
	uint32_t column, columns; /* how wide, and how many */
	bool used[DR_STATES], partly;
};

/* U+FFFE and U+FFFF are UTF-8 and no characters of XML. */
static bool
is_none(const char *p, size_t n)
{
	return n >= 3 && p[0] == '\xef' && p[1] == '\xbf' && (p[2] == '\xbe' || p[2] == '\xbf');
}

/* For text and attributes: what XML has for itself or forbids, in other words. What is added was made for a person to read, so that
 * there are no control characters in it. */
static void
add_xml(struct dr_buf *out, struct dr_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '&')
			dr_buf_adds(out, "&amp;");
		else if (s.p[i] == '<')
			dr_buf_adds(out, "&lt;");
		else if (s.p[i] == '>')
			dr_buf_adds(out, "&gt;");
		else if (s.p[i] == '"')
			dr_buf_adds(out, "&quot;");
		else if (!is_none(s.p + i, s.n - i))
			dr_buf_addc(out, s.p[i]);
		else {
			dr_buf_adds(out, "\xef\xbf\xbd");
			i += 2;
		}
	}
}

/* The text in s->text, which is empty again then. */
static void
add_text(struct svg *s, uint32_t x, uint32_t y, const char *class)
{
	dr_buf_addf(s->out, "<text x=\"%" PRIu32 "\" y=\"%" PRIu32 "\"", x, y);
	if (*class)
		dr_buf_addf(s->out, " class=\"%s\"", class);
	dr_buf_addc(s->out, '>');
	add_xml(s->out, dr_buf_str(&s->text));
	dr_buf_adds(s->out, "</text>\n");
	s->out->failed |= s->text.failed;
	dr_buf_reset(&s->text);
}

static void
put_label(const struct svg *s, const struct dr_rows_row *row, struct dr_buf *out)
{
	dr_buf_fit(out, s->pl->pipeline->stages[row->stage].name, LABEL_MOST - 9, true);
	if (row->round)
		dr_buf_addf(out, " round %" PRIu32, row->round);
}

static void
put_counts(const struct dr_rows_row *row, struct dr_buf *out)
{
	dr_buf_addf(out, "%" PRIu32 "/%" PRIu32, row->counts[DR_CLEAN] + row->counts[DR_DONE], row->wanted);
}

static void
put_bytes(const struct dr_rows_row *row, struct dr_buf *out)
{
	if (row->n_sized)
		dr_buf_bytes(out, row->bytes);
	if (row->n_sized && row->n_unsized)
		dr_buf_addc(out, '+');
}

static uint32_t
wider(struct svg *s, uint32_t width)
{
	size_t columns = dr_str_width(dr_buf_str(&s->text));

	s->out->failed |= s->text.failed;
	dr_buf_reset(&s->text);
	return columns > width ? (uint32_t)columns : width;
}

/* Columns of text, as wide as the widest of them. */
static void
measure(struct svg *s)
{
	uint32_t label = 8, counts = 3, bytes = 0;

	for (uint32_t i = 0; i < s->rows->n_rows; i++) {
		put_label(s, &s->rows->rows[i], &s->text);
		label = wider(s, label);
		put_counts(&s->rows->rows[i], &s->text);
		counts = wider(s, counts);
		put_bytes(&s->rows->rows[i], &s->text);
		bytes = wider(s, bytes);
	}
	s->counts_end = 12 + (uint32_t)(per_char * (label + 1 + counts));
	s->bytes_end = bytes ? s->counts_end + (uint32_t)(per_char * (bytes + 2)) : s->counts_end;
	s->plot = s->bytes_end + 14;
}

/* Tenths of a pixel. */
static uint64_t
across(const struct svg *s, uint64_t leaves)
{
	return (uint64_t)((double)leaves / (double)s->width * PLOT + 0.5);
}

static void
begin_plot(struct svg *s, uint32_t y)
{
	dr_buf_addf(s->out, "<g transform=\"translate(%" PRIu32 " %" PRIu32 ")scale(.1 1)\">", s->plot, y);
}

/* A bar from one x to another, in a path that goes on where the one before it ended. */
static void
add_bar(struct svg *s, uint64_t from, uint64_t to)
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
add_node(struct svg *s, const struct dr_span *span)
{
	uint64_t from = across(s, span->from), to = across(s, span->to), gap = (to - from) / 5;

	add_bar(s, from, to - (gap < 8 ? gap : 8));
}

/* Columns that a span touches: [*from, *to). */
static void
columns_of(const struct svg *s, const struct dr_span *span, uint32_t *from, uint32_t *to)
{
	*from = (uint32_t)(across(s, span->from) / s->column);
	*to = (uint32_t)((across(s, span->to) + s->column - 1) / s->column);
	*from = *from < s->columns ? *from : s->columns - 1;
	*to = *to > s->columns ? s->columns : *to;
	*to = *to > *from ? *to : *from + 1;
}

static bool
same_look(uint8_t a, uint8_t b)
{
	return looks[a].letter == looks[b].letter;
}

static uint8_t
state_of(const struct svg *s, uint32_t task)
{
	return s->pl->graph->tasks[task].state;
}

/* The bars of a row in one state. */
static void
add_state(struct svg *s, const struct dr_rows_row *row, const uint8_t *cells, uint8_t state)
{
	s->pen = UINT64_MAX;
	dr_buf_addf(s->out, "<path class=\"%c\" d=\"", looks[state].letter);
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
fill_cells(const struct svg *s, const struct dr_rows_row *row, uint8_t *cells)
{
	uint32_t narrow = 0, from, to;

	memset(cells, DR_UNWANTED, s->columns);
	for (uint32_t i = 0; i < row->n; i++) {
		const struct dr_span *span = &s->layout->spans[row->tasks[i]];
		uint8_t state = state_of(s, row->tasks[i]);

		if (span->from == span->to)
			continue;
		narrow += across(s, span->to) - across(s, span->from) < s->column * 6 / 10;
		columns_of(s, span, &from, &to);
		for (uint32_t c = from; c < to; c++)
			if (rank[state] > rank[cells[c]])
				cells[c] = state;
	}
	return narrow > 0;
}

static void
add_bars(struct svg *s, const struct dr_rows_row *row)
{
	uint8_t cells[COLUMNS];
	bool narrow = fill_cells(s, row, cells), drawn[DR_STATES] = { false };

	for (uint32_t i = 0; narrow && i < s->columns; i++)
		drawn[cells[i]] = true;
	for (uint32_t i = 0; !narrow && i < row->n; i++)
		drawn[state_of(s, row->tasks[i])] = true;
	drawn[DR_WAITING] |= drawn[DR_READY];
	dr_buf_addf(s->out, "\n");
	begin_plot(s, s->y + ROW / 2);
	for (unsigned i = 0; i < SHOWN; i++)
		if (drawn[shown[i]])
			add_state(s, row, narrow ? cells : NULL, shown[i]);
	dr_buf_adds(s->out, "</g>\n");
}

/* "failed: a, b and 3 more". */
static void
name_failures(struct svg *s, const struct dr_rows_row *row)
{
	struct dr_buf name = { 0 };
	uint32_t n = 0;

	dr_buf_adds(s->out, "<title>failed: ");
	for (uint32_t i = 0; i < row->n && n < NAMED_MOST; i++) {
		if (state_of(s, row->tasks[i]) != DR_FAILED_TASK)
			continue;
		dr_buf_reset(&name);
		dr_plan_task_name(s->pl, row->tasks[i], &name);
		dr_buf_fit(&s->text, dr_buf_str(&name), 60, true);
		s->text.failed |= name.failed;
		dr_buf_adds(s->out, n++ ? ", " : "");
		add_xml(s->out, dr_buf_str(&s->text));
		s->out->failed |= s->text.failed;
		dr_buf_reset(&s->text);
	}
	if (row->counts[DR_FAILED_TASK] > n)
		dr_buf_addf(s->out, " and %" PRIu32 " more", row->counts[DR_FAILED_TASK] - n);
	dr_buf_adds(s->out, "</title>");
	dr_buf_free(&name);
}

static void
add_lane(struct svg *s, const struct dr_rows_row *row)
{
	uint32_t mark = s->column * (MARK / COLUMN);
	uint8_t marks[MARKS] = { 0 };
	uint64_t at = 0;

	for (uint32_t i = 0; i < row->n; i++) {
		const struct dr_span *span = &s->layout->spans[row->tasks[i]];

		if (state_of(s, row->tasks[i]) == DR_FAILED_TASK)
			marks[across(s, (span->from + span->to) / 2) / mark] = 1;
	}
	dr_buf_addf(&s->text, "%" PRIu32 " failed", row->counts[DR_FAILED_TASK]);
	add_text(s, s->counts_end, s->y + LANE, "e x");
	begin_plot(s, s->y);
	name_failures(s, row);
	dr_buf_adds(s->out, "<path class=\"x\" d=\"M0 2");
	for (uint32_t i = 0; i < MARKS; i++) {
		if (!marks[i])
			continue;
		dr_buf_addf(s->out, "m%" PRIu64 " 0h%" PRIu32 "l-%" PRIu32 " 8z", (uint64_t)i * mark - at, mark,
			    mark / 2);
		at = (uint64_t)i * mark;
	}
	dr_buf_adds(s->out, "\"/></g>\n");
	s->y += LANE;
}

static void
add_row(struct svg *s, const struct dr_rows_row *row)
{
	if (row->counts[DR_FAILED_TASK])
		add_lane(s, row);
	put_label(s, row, &s->text);
	add_text(s, 12, s->y + 14, "");
	put_counts(row, &s->text);
	add_text(s, s->counts_end, s->y + 14, "e");
	put_bytes(row, &s->text);
	if (s->text.n)
		add_text(s, s->bytes_end, s->y + 14, "e");
	s->partly |= row->n_sized && row->n_unsized;
	add_bars(s, row);
	s->y += ROW;
}

/* A cap on each node of a row, [*at, …) of the longest path; nodes of other rows stand elsewhere. */
static void
add_caps(struct svg *s, uint32_t block, const uint32_t *top)
{
	bool any = false;

	for (uint32_t i = 0; i < s->layout->n_path; i++) {
		uint32_t t = s->layout->path[i], r = dr_rows_of(s->pl, s->rows, t);
		const struct dr_span *span = &s->layout->spans[t];
		uint64_t from = across(s, span->from), to = across(s, span->to);

		if (r < s->rows->blocks[block] || r >= s->rows->blocks[block + 1])
			continue;
		if (!any)
			begin_plot(s, 0);
		dr_buf_adds(s->out, any ? "" : "<title>the longest path</title><path class=\"k\" d=\"");
		to = to < from + MARK / 2 ? from + MARK / 2 : to;
		dr_buf_addf(s->out, "M%" PRIu64 " %" PRIu32 "h%" PRIu64, from, top[r] + 2, to - from);
		any = true;
	}
	if (any)
		dr_buf_adds(s->out, "\"/></g>\n");
}

/* What a block is called: its final outputs, by name where it is one file, else by stage. */
static void
put_title(struct svg *s, uint32_t block)
{
	uint32_t from = s->rows->blocks[block], to = s->rows->blocks[block + 1], stage = DR_NONE, n = 0;
	struct dr_buf name = { 0 };

	for (uint32_t i = from; i < to && (s->rows->rows[i].final || i == from); i++) {
		const struct dr_rows_row *row = &s->rows->rows[i];

		if (row->stage == stage)
			continue;
		stage = row->stage;
		if (n++ >= 4)
			continue;
		dr_buf_adds(&s->text, n > 1 ? ", " : "");
		dr_buf_reset(&name);
		if (row->n == 1)
			dr_plan_task_name(s->pl, row->tasks[0], &name);
		dr_buf_fit(&s->text, row->n == 1 ? dr_buf_str(&name) : s->pl->pipeline->stages[stage].name, 40, true);
		s->text.failed |= name.failed;
	}
	if (n > 4)
		dr_buf_addf(&s->text, " and %" PRIu32 " more", n - 4);
	dr_buf_free(&name);
}

static void
add_block(struct svg *s, uint32_t block, uint32_t *top)
{
	uint32_t from = s->rows->blocks[block], to = s->rows->blocks[block + 1];

	s->width = s->layout->widths[block];
	put_title(s, block);
	add_text(s, 12, s->y + 14, "t");
	s->y += ROW + 2;
	for (uint32_t i = from; i < to; i++) {
		if (!s->rows->rows[i].wanted)
			continue;
		top[i] = s->y + (s->rows->rows[i].counts[DR_FAILED_TASK] ? LANE : 0);
		add_row(s, &s->rows->rows[i]);
	}
	add_caps(s, block, top);
	s->y += 8;
}

/* "1,799 tasks: 900 up to date, 899 waiting". */
static void
put_sum(struct svg *s)
{
	uint64_t counts[DR_STATES] = { 0 }, n = 0;
	bool any = false;

	for (uint32_t i = 0; i < s->rows->n_rows; i++) {
		n += s->rows->rows[i].wanted;
		for (int k = 0; k < DR_STATES; k++)
			counts[k == DR_READY ? DR_WAITING : k] += s->rows->rows[i].counts[k];
	}
	dr_buf_count(&s->text, n);
	dr_buf_adds(&s->text, n == 1 ? " task" : " tasks");
	for (unsigned i = 0; i < SHOWN; i++) {
		if (!counts[shown[i]])
			continue;
		dr_buf_adds(&s->text, any ? ", " : ": ");
		dr_buf_count(&s->text, counts[shown[i]]);
		dr_buf_addf(&s->text, " %s", looks[shown[i]].name);
		any = true;
	}
}

static void
add_key(struct svg *s, uint32_t *x, const char *class, uint32_t dy)
{
	uint32_t width = (uint32_t)(per_char * (double)dr_str_width(dr_buf_str(&s->text)));

	dr_buf_addf(s->out,
		    "<g transform=\"translate(%" PRIu32 " %" PRIu32 ")scale(.1 1)\"><path class=\"%s\" d=\"M0 0h200\"/></g>",
		    *x, s->y + dy, class);
	add_text(s, *x + 26, s->y + 14, "");
	*x += 26 + width + 22;
}

static void
add_legend(struct svg *s)
{
	uint32_t x = s->plot;

	for (unsigned i = 0; i < SHOWN; i++) {
		char class[2] = { looks[shown[i]].letter, '\0' };

		if (!s->used[shown[i]])
			continue;
		dr_buf_adds(&s->text, looks[shown[i]].name);
		add_key(s, &x, class, ROW / 2);
	}
	if (s->layout->n_path) {
		dr_buf_addf(&s->text, "longest path: %" PRIu32 " task%s", s->layout->n_path,
			    s->layout->n_path == 1 ? "" : "s");
		if (s->layout->seconds > 0 && s->layout->seconds < 9e9) {
			dr_buf_adds(&s->text, ", ");
			dr_buf_duration(&s->text, (int64_t)(s->layout->seconds * 1e9));
		}
		add_key(s, &x, "k", ROW / 2);
	}
	s->y += ROW + 2;
	put_sum(s);
	if (s->partly)
		dr_buf_adds(&s->text, "; + not all sizes are known yet");
	add_text(s, s->plot, s->y + 14, "");
	s->y += ROW + 8;
}

static int
draw(struct svg *s)
{
	uint32_t *top = calloc((size_t)s->rows->n_rows + 1, sizeof(*top));

	if (!top)
		return -1;
	s->columns = PLOT / s->column;
	s->y = 8;
	s->partly = false;
	memset(s->used, 0, sizeof(s->used));
	for (uint32_t b = 0; b < s->rows->n_blocks; b++)
		if (s->rows->blocks[b] != s->rows->blocks[b + 1])
			add_block(s, b, top);
	add_legend(s);
	free(top);
	return 0;
}

/* Usually the first time is the last: states come in runs. */
static int
draw_small(struct svg *s)
{
	uint64_t leaves = 0;
	int rc;

	for (uint32_t b = 0; b < s->rows->n_blocks; b++)
		leaves += s->layout->widths[b];
	measure(s);
	for (s->column = COLUMN;; s->column *= 2) {
		dr_buf_reset(s->out);
		rc = draw(s);
		if (rc || s->column >= COLUMN_MOST || s->out->n < (leaves <= FEW ? SMALL : LARGE))
			return rc;
	}
}

/* The size stands before the picture, and is known after it. */
static void
add_head(struct svg *s, struct dr_buf *head)
{
	uint32_t width = s->plot + PLOT / 10 + 14;

	dr_buf_addf(head,
		    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%" PRIu32 "\" height=\"%" PRIu32
		    "\" viewBox=\"0 0 %" PRIu32 " %" PRIu32 "\" role=\"img\">\n<title>",
		    width, s->y, width, s->y);
	if (s->rows->n_blocks)
		put_title(s, 0);
	add_xml(head, dr_buf_str(&s->text));
	dr_buf_reset(&s->text);
	dr_buf_adds(head, "</title>\n<desc>");
	put_sum(s);
	add_xml(head, dr_buf_str(&s->text));
	dr_buf_reset(&s->text);
	dr_buf_adds(head, "</desc>\n");
	dr_buf_adds(head, style);
	dr_buf_adds(head, "<rect class=\"b\" width=\"100%\" height=\"100%\"/>\n");
}

int
dr_graph_svg(const struct dr_plan *pl, struct dr_buf *out, struct dr_err *err)
{
	struct dr_rows rows = { 0 };
	struct dr_layout layout = { 0 };
	struct dr_buf body = { 0 };
	struct svg s = { .pl = pl, .rows = &rows, .layout = &layout, .out = &body };
	int rc = -1;

	if (dr_rows_make(pl, &rows, err) || dr_layout_make(pl, &rows, &layout, err))
		goto out;
	rc = draw_small(&s);
	add_head(&s, out);
	dr_buf_addstr(out, dr_buf_str(&body));
	dr_buf_adds(out, "</svg>\n");
	if (rc || out->failed || body.failed || s.text.failed)
		rc = dr_err_nomem(err);
out:
	dr_buf_free(&body);
	dr_buf_free(&s.text);
	dr_layout_free(&layout);
	dr_rows_free(&rows);
	return rc;
}
