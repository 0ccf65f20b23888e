#include "config.h"

#include "graphout.h"
#include "graphout-svg.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const double per_char = 7.3; /* pixels, of 12 pixel text in whatever monospaced font there is */

const struct dr_svg_look dr_svg_looks[DR_STATES] = {
	[DR_UNWANTED] = { 0, "" },
	[DR_CLEAN] = { 'c', "up to date" },
	[DR_WAITING] = { 'w', "waiting" },
	[DR_READY] = { 'w', "waiting" },
	[DR_RUNNING] = { 'r', "running" },
	[DR_DONE] = { 'd', "done" },
	[DR_FAILED_TASK] = { 'f', "failed" },
	[DR_SKIPPED] = { 's', "not started" },
};

const enum dr_state dr_svg_shown[DR_SVG_SHOWN] = { DR_CLEAN,   DR_DONE,        DR_RUNNING,
						  DR_WAITING, DR_FAILED_TASK, DR_SKIPPED };

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

/* U+FFFE and U+FFFF are UTF-8 and no characters of XML. */
static bool
is_none(const char *p, size_t n)
{
	return n >= 3 && p[0] == '\xef' && p[1] == '\xbf' && (p[2] == '\xbe' || p[2] == '\xbf');
}

/* For text and attributes: what XML has for itself or forbids, in other words. What is added was made for a person to read, so that
 * there are no control characters in it. */
void
dr_svg_xml(struct dr_buf *out, struct dr_str s)
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
void
dr_svg_text(struct dr_svg *s, uint32_t x, uint32_t y, const char *class)
{
	dr_buf_addf(s->out, "<text x=\"%" PRIu32 "\" y=\"%" PRIu32 "\"", x, y);
	if (*class)
		dr_buf_addf(s->out, " class=\"%s\"", class);
	dr_buf_addc(s->out, '>');
	dr_svg_xml(s->out, dr_buf_str(&s->text));
	dr_buf_adds(s->out, "</text>\n");
	s->out->failed |= s->text.failed;
	dr_buf_reset(&s->text);
}

static void
put_label(const struct dr_svg *s, const struct dr_rows_row *row, struct dr_buf *out)
{
	dr_buf_fit(out, s->pl->pipeline->stages[row->stage].name, DR_SVG_LABEL_MOST - 9, true);
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
wider(struct dr_svg *s, uint32_t width)
{
	size_t columns = dr_str_width(dr_buf_str(&s->text));

	s->out->failed |= s->text.failed;
	dr_buf_reset(&s->text);
	return columns > width ? (uint32_t)columns : width;
}

/* Columns of text, as wide as the widest of them. */
static void
measure(struct dr_svg *s)
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

static void
add_row(struct dr_svg *s, const struct dr_rows_row *row)
{
	if (row->counts[DR_FAILED_TASK])
		dr_svg_lane(s, row);
	put_label(s, row, &s->text);
	dr_svg_text(s, 12, s->y + 14, "");
	put_counts(row, &s->text);
	dr_svg_text(s, s->counts_end, s->y + 14, "e");
	put_bytes(row, &s->text);
	if (s->text.n)
		dr_svg_text(s, s->bytes_end, s->y + 14, "e");
	s->partly |= row->n_sized && row->n_unsized;
	dr_svg_bars(s, row);
	s->y += DR_SVG_ROW;
}

/* A cap on each node of a row, [*at, …) of the longest path; nodes of other rows stand elsewhere. */
static void
add_caps(struct dr_svg *s, uint32_t block, const uint32_t *top)
{
	bool any = false;

	for (uint32_t i = 0; i < s->layout->n_path; i++) {
		uint32_t t = s->layout->path[i], r = dr_rows_of(s->pl, s->rows, t);
		const struct dr_span *span = &s->layout->spans[t];
		uint64_t from = dr_svg_across(s, span->from), to = dr_svg_across(s, span->to);

		if (r < s->rows->blocks[block] || r >= s->rows->blocks[block + 1])
			continue;
		if (!any)
			dr_svg_begin_plot(s, 0);
		dr_buf_adds(s->out, any ? "" : "<title>the longest path</title><path class=\"k\" d=\"");
		to = to < from + DR_SVG_MARK / 2 ? from + DR_SVG_MARK / 2 : to;
		dr_buf_addf(s->out, "M%" PRIu64 " %" PRIu32 "h%" PRIu64, from, top[r] + 2, to - from);
		any = true;
	}
	if (any)
		dr_buf_adds(s->out, "\"/></g>\n");
}

/* What a block is called: its final outputs, by name where it is one file, else by stage. */
static void
put_title(struct dr_svg *s, uint32_t block)
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
add_block(struct dr_svg *s, uint32_t block, uint32_t *top)
{
	uint32_t from = s->rows->blocks[block], to = s->rows->blocks[block + 1];

	s->width = s->layout->widths[block];
	put_title(s, block);
	dr_svg_text(s, 12, s->y + 14, "t");
	s->y += DR_SVG_ROW + 2;
	for (uint32_t i = from; i < to; i++) {
		if (!s->rows->rows[i].wanted)
			continue;
		top[i] = s->y + (s->rows->rows[i].counts[DR_FAILED_TASK] ? DR_SVG_LANE : 0);
		add_row(s, &s->rows->rows[i]);
	}
	add_caps(s, block, top);
	s->y += 8;
}

/* "1,799 tasks: 900 up to date, 899 waiting". */
static void
put_sum(struct dr_svg *s)
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
	for (unsigned i = 0; i < DR_SVG_SHOWN; i++) {
		if (!counts[dr_svg_shown[i]])
			continue;
		dr_buf_adds(&s->text, any ? ", " : ": ");
		dr_buf_count(&s->text, counts[dr_svg_shown[i]]);
		dr_buf_addf(&s->text, " %s", dr_svg_looks[dr_svg_shown[i]].name);
		any = true;
	}
}

static void
add_key(struct dr_svg *s, uint32_t *x, const char *class, uint32_t dy)
{
	uint32_t width = (uint32_t)(per_char * (double)dr_str_width(dr_buf_str(&s->text)));

	dr_buf_addf(s->out,
		    "<g transform=\"translate(%" PRIu32 " %" PRIu32 ")scale(.1 1)\"><path class=\"%s\" d=\"M0 0h200\"/></g>",
		    *x, s->y + dy, class);
	dr_svg_text(s, *x + 26, s->y + 14, "");
	*x += 26 + width + 22;
}

static void
add_legend(struct dr_svg *s)
{
	uint32_t x = s->plot;

	for (unsigned i = 0; i < DR_SVG_SHOWN; i++) {
		char class[2] = { dr_svg_looks[dr_svg_shown[i]].letter, '\0' };

		if (!s->used[dr_svg_shown[i]])
			continue;
		dr_buf_adds(&s->text, dr_svg_looks[dr_svg_shown[i]].name);
		add_key(s, &x, class, DR_SVG_ROW / 2);
	}
	if (s->layout->n_path) {
		dr_buf_addf(&s->text, "longest path: %" PRIu32 " task%s", s->layout->n_path,
			    s->layout->n_path == 1 ? "" : "s");
		if (s->layout->seconds > 0 && s->layout->seconds < 9e9) {
			dr_buf_adds(&s->text, ", ");
			dr_buf_duration(&s->text, (int64_t)(s->layout->seconds * 1e9));
		}
		add_key(s, &x, "k", DR_SVG_ROW / 2);
	}
	s->y += DR_SVG_ROW + 2;
	put_sum(s);
	if (s->partly)
		dr_buf_adds(&s->text, "; + not all sizes are known yet");
	dr_svg_text(s, s->plot, s->y + 14, "");
	s->y += DR_SVG_ROW + 8;
}

static int
draw(struct dr_svg *s)
{
	uint32_t *top = calloc((size_t)s->rows->n_rows + 1, sizeof(*top));

	if (!top)
		return -1;
	s->columns = DR_SVG_PLOT / s->column;
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
draw_small(struct dr_svg *s)
{
	uint64_t leaves = 0;
	int rc;

	for (uint32_t b = 0; b < s->rows->n_blocks; b++)
		leaves += s->layout->widths[b];
	measure(s);
	for (s->column = DR_SVG_COLUMN;; s->column *= 2) {
		dr_buf_reset(s->out);
		rc = draw(s);
		if (rc || s->column >= DR_SVG_COLUMN_MOST || s->out->n < (leaves <= DR_SVG_FEW ? DR_SVG_SMALL : DR_SVG_LARGE))
			return rc;
	}
}

/* The size stands before the picture, and is known after it. */
static void
add_head(struct dr_svg *s, struct dr_buf *head)
{
	uint32_t width = s->plot + DR_SVG_PLOT / 10 + 14;

	dr_buf_addf(head,
		    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%" PRIu32 "\" height=\"%" PRIu32
		    "\" viewBox=\"0 0 %" PRIu32 " %" PRIu32 "\" role=\"img\">\n<title>",
		    width, s->y, width, s->y);
	if (s->rows->n_blocks)
		put_title(s, 0);
	dr_svg_xml(head, dr_buf_str(&s->text));
	dr_buf_reset(&s->text);
	dr_buf_adds(head, "</title>\n<desc>");
	put_sum(s);
	dr_svg_xml(head, dr_buf_str(&s->text));
	dr_buf_reset(&s->text);
	dr_buf_adds(head, "</desc>\n");
	dr_buf_adds(head, style);
	dr_buf_adds(head, "<rect class=\"b\" width=\"100%\" height=\"100%\"/>\n");
}

int
dr_svg_draw(const struct dr_plan *pl, const struct dr_rows *rows, const struct dr_layout *layout, struct dr_buf *out)
{
	struct dr_buf body = { 0 };
	struct dr_svg s = { .pl = pl, .rows = rows, .layout = layout, .out = &body };
	int rc = draw_small(&s);

	add_head(&s, out);
	dr_buf_addstr(out, dr_buf_str(&body));
	dr_buf_adds(out, "</svg>\n");
	if (out->failed || body.failed || s.text.failed)
		rc = -1;
	dr_buf_free(&body);
	dr_buf_free(&s.text);
	return rc;
}

int
dr_graph_svg(const struct dr_plan *pl, struct dr_buf *out, struct dr_err *err)
{
	struct dr_rows rows = { 0 };
	struct dr_layout layout = { 0 };
	int rc = -1;

	if (dr_rows_make(pl, &rows, err) || dr_layout_make(pl, &rows, &layout, err))
		goto out;
	rc = dr_svg_draw(pl, &rows, &layout, out);
	if (rc)
		dr_err_nomem(err);
out:
	dr_layout_free(&layout);
	dr_rows_free(&rows);
	return rc;
}
