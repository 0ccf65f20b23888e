#include "config.h"

#include "graphout-rows.h"
#include "graphout-tables.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct look {
	const char *utf8;
	char ascii;
	const char *sgr; /* colours of different lightness; state is never by colour alone */
	const char *name;
};

static const struct look looks[DR_STATES] = {
	[DR_UNWANTED] = { " ", ' ', "", "" },
	[DR_CLEAN] = { "▪", '=', "\033[36m", "up to date" },
	[DR_WAITING] = { "░", '.', "\033[90m", "waiting" },
	[DR_READY] = { "░", '.', "\033[90m", "waiting" },
	[DR_RUNNING] = { "▒", '>', "\033[93m", "running" },
	[DR_DONE] = { "█", '#', "\033[32m", "done" },
	[DR_FAILED_TASK] = { "×", 'x', "\033[1;31m", "failed" },
	[DR_SKIPPED] = { "·", '-', "\033[35m", "not started" },
};
static const struct look separator = { "│", '|', "", "" };
static const struct look failure = { "▼", 'v', "\033[1;31m", "failed" };

/* A column that stands for several nodes shows the one that is least finished, so that no work left is hidden by what is done.
 * Failures have a lane of their own. */
static const uint8_t rank[DR_STATES] = {
	[DR_UNWANTED] = 0, [DR_FAILED_TASK] = 1, [DR_CLEAN] = 2, [DR_DONE] = 3,
	[DR_SKIPPED] = 4,  [DR_WAITING] = 5,     [DR_READY] = 5, [DR_RUNNING] = 6,
};

enum { SEPARATOR = DR_STATES, FAILURE, CELLS };

struct text {
	const struct dr_plan *pl;
	const struct dr_graph_text_options *o;
	const struct dr_rows *rows;
	struct dr_buf *out;
	uint32_t width;
	uint8_t *cells, *lane; /* a line of the picture and the failures above it, `columns` each */
	uint8_t *seen;         /* a bit a file: counted as an input */
	/* Of the block being drawn */
	uint32_t label, counts, bytes, columns; /* widths; bytes 0: no sizes are known */
	bool several;                           /* merges: rounds are told apart by the stage's name */
	bool used[CELLS], partly;
};

static void
pad(struct dr_buf *out, uint64_t columns)
{
	while (columns-- > 0)
		dr_buf_addc(out, ' ');
}

static void
add_label(const struct text *t, const struct dr_rows_row *row, struct dr_buf *out)
{
	struct dr_str name = t->pl->pipeline->stages[row->stage].name;
	struct dr_buf label = { 0 };

	if (!row->round) {
		dr_buf_fit(out, name, t->label, t->o->utf8);
		return;
	}
	dr_buf_addf(&label, "%sround %" PRIu32, t->several ? " " : "", row->round);
	if (t->several && label.n < t->label)
		dr_buf_fit(out, name, t->label - label.n, t->o->utf8);
	dr_buf_addstr(out, dr_buf_str(&label));
	out->failed |= label.failed;
	dr_buf_free(&label);
}

static void
add_counts(const struct dr_rows_row *row, struct dr_buf *out)
{
	dr_buf_addf(out, "%" PRIu32 "/%" PRIu32, row->counts[DR_CLEAN] + row->counts[DR_DONE], row->wanted);
}

static void
add_bytes(struct text *t, const struct dr_rows_row *row, struct dr_buf *out)
{
	if (!row->n_sized)
		return;
	dr_buf_bytes(out, row->bytes);
	if (row->n_unsized) {
		dr_buf_addc(out, '+');
		t->partly = true;
	}
}

/* Widths of what stands to the left of the picture: the widest of the block's rows, within reason. */
static void
measure(struct text *t, uint32_t from, uint32_t to)
{
	uint32_t label = 6, merge = DR_NONE, most = t->width / 3 < 30 ? t->width / 3 : 30;
	struct dr_buf text = { 0 };

	/* Room for " round 32" however narrow the line. */
	most = most < 10 ? 10 : most;
	t->several = false;
	t->counts = t->bytes = 0;
	t->label = most;
	for (uint32_t i = from; i < to; i++) {
		if (t->rows->rows[i].round && merge != DR_NONE && merge != t->rows->rows[i].stage)
			t->several = true;
		if (t->rows->rows[i].round)
			merge = t->rows->rows[i].stage;
	}
	for (uint32_t i = from; i < to; i++) {
		const struct dr_rows_row *row = &t->rows->rows[i];
		uint32_t n;

		dr_buf_reset(&text);
		add_label(t, row, &text);
		n = (uint32_t)dr_str_width(dr_buf_str(&text));
		label = n > label ? n : label;
		dr_buf_reset(&text);
		add_counts(row, &text);
		t->counts = text.n > t->counts ? (uint32_t)text.n : t->counts;
		dr_buf_reset(&text);
		add_bytes(t, row, &text);
		t->bytes = text.n > t->bytes ? (uint32_t)text.n : t->bytes;
	}
	t->label = label < most ? label : most;
	t->columns = t->label + 1 + t->counts + 2 + (t->bytes ? t->bytes + 2 : 0);
	t->columns = t->width > t->columns + 10 ? t->width - t->columns : 10;
	t->out->failed |= text.failed;
	dr_buf_free(&text);
}

/* Columns [*from, *to) of what lies at [first, first + n) of `all`. */
static void
span(const struct text *t, uint64_t first, uint64_t n, uint64_t all, uint32_t *from, uint32_t *to)
{
	*from = (uint32_t)(first * t->columns / all);
	*to = (uint32_t)((first + n) * t->columns / all);
	if (*to <= *from)
		*to = *from + 1;
}

/* Fills cells and lane. Nodes are set apart where they are wide enough. */
static void
draw_row(struct text *t, const struct dr_rows_row *row)
{
	const struct dr_plan_stage *st = &t->pl->stages[row->stage];
	uint32_t from, to, last_to = 0;
	bool apart = false;

	memset(t->cells, DR_UNWANTED, t->columns);
	memset(t->lane, DR_UNWANTED, t->columns);
	for (uint32_t i = 0; i < row->n; i++) {
		uint32_t node;
		const struct dr_plan_tree *tree = dr_plan_tree(t->pl, row->tasks[i], &node);
		const struct dr_tree_node *nd = tree ? &tree->tree.nodes[node] : NULL;
		uint8_t state = t->pl->graph->tasks[row->tasks[i]].state;

		if (nd)
			span(t, tree->first_leaf + nd->first_leaf, nd->n_leaves, st->n_leaves, &from, &to);
		else
			span(t, i, 1, row->n, &from, &to);
		for (uint32_t c = from; c < to; c++)
			if (rank[state] > rank[t->cells[c]])
				t->cells[c] = state;
		if (state == DR_FAILED_TASK)
			t->lane[from + (to - from - 1) / 2] = FAILURE;
		/* The first node is as wide as any. Narrower ones would be more separators than picture. */
		if (i == 0)
			apart = to - from >= 3;
		else if (apart && last_to == from)
			t->cells[last_to - 1] = SEPARATOR;
		last_to = to;
	}
}

static const struct look *
look_of(uint8_t cell)
{
	return cell == SEPARATOR ? &separator : cell == FAILURE ? &failure : &looks[cell];
}

static void
add_cells(struct text *t, const uint8_t *cells)
{
	uint32_t n = t->columns;
	const char *sgr = "";

	while (n && cells[n - 1] == DR_UNWANTED)
		n--;
	for (uint32_t i = 0; i < n; i++) {
		const struct look *look = look_of(cells[i]);

		/* Blanks and separators show no foreground that matters. */
		if (t->o->colour && cells[i] != DR_UNWANTED && strcmp(look->sgr, sgr) != 0) {
			dr_buf_adds(t->out, *look->sgr ? look->sgr : "\033[m");
			sgr = look->sgr;
		}
		t->used[cells[i]] = true;
		if (t->o->utf8)
			dr_buf_adds(t->out, look->utf8);
		else
			dr_buf_addc(t->out, look->ascii);
	}
	if (*sgr)
		dr_buf_adds(t->out, "\033[m");
	dr_buf_addc(t->out, '\n');
}

/* The text to the left of a row, padded; counts are to the right of their column, sizes too. */
static void
add_left(struct text *t, const struct dr_buf *label, const struct dr_buf *counts, const struct dr_buf *bytes)
{
	dr_buf_addstr(t->out, dr_buf_str(label));
	pad(t->out, t->label - dr_str_width(dr_buf_str(label)) + 1 + t->counts - counts->n);
	dr_buf_addstr(t->out, dr_buf_str(counts));
	if (t->bytes) {
		pad(t->out, 2 + t->bytes - bytes->n);
		dr_buf_addstr(t->out, dr_buf_str(bytes));
	}
	pad(t->out, 2);
	t->out->failed |= label->failed || counts->failed || bytes->failed;
}

static void
add_row(struct text *t, const struct dr_rows_row *row)
{
	struct dr_buf label = { 0 }, counts = { 0 }, bytes = { 0 };

	draw_row(t, row);
	if (row->counts[DR_FAILED_TASK]) {
		dr_buf_adds(&label, "failed");
		/* At most as many digits as the counts have. */
		dr_buf_addf(&counts, "%" PRIu32, row->counts[DR_FAILED_TASK]);
		add_left(t, &label, &counts, &bytes);
		add_cells(t, t->lane);
		dr_buf_reset(&label);
		dr_buf_reset(&counts);
	}
	add_label(t, row, &label);
	add_counts(row, &counts);
	add_bytes(t, row, &bytes);
	add_left(t, &label, &counts, &bytes);
	add_cells(t, t->cells);
	dr_buf_free(&label);
	dr_buf_free(&counts);
	dr_buf_free(&bytes);
}

/* What the block reads and nobody makes. A file that several blocks read counts in the first. */
static void
add_inputs(struct text *t, uint32_t from, uint32_t to)
{
	const struct dr_graph *g = t->pl->graph;
	uint64_t n = 0, unsized = 0, bytes = 0;

	for (uint32_t r = from; r < to; r++) {
		const struct dr_rows_row *row = &t->rows->rows[r];

		for (uint32_t k = 0; k < row->n; k++) {
			uint32_t task = row->tasks[k];
			const uint32_t *in = dr_graph_inputs(g, task);

			for (uint32_t i = 0; i < g->tasks[task].n_in && g->tasks[task].state != DR_UNWANTED;
			     i++) {
				const struct dr_file *f = &g->files[in[i]];

				if (f->producer != DR_NONE || t->seen[in[i] / 8] & 1 << in[i] % 8)
					continue;
				t->seen[in[i] / 8] |= (uint8_t)(1 << in[i] % 8);
				n++;
				unsized += f->stamp.size < 0;
				bytes += f->stamp.size >= 0 ? (uint64_t)f->stamp.size : 0;
			}
		}
	}
	if (!n)
		return;
	dr_buf_adds(t->out, "inputs");
	pad(t->out, t->label - 6 + 1);
	dr_buf_count(t->out, n);
	dr_buf_adds(t->out, n == 1 ? " file, " : " files, ");
	if (unsized == n) {
		dr_buf_adds(t->out, n == 1 ? "size not known" : "sizes not known");
	} else {
		dr_buf_bytes(t->out, bytes);
		if (unsized) {
			dr_buf_adds(t->out, " and ");
			dr_buf_count(t->out, unsized);
			dr_buf_adds(t->out, " of unknown size");
		}
	}
	dr_buf_addc(t->out, '\n');
}

/* Whether the legend explains the cell: READY looks as WAITING does, and a failure in its lane says what one in a row says. */
static bool
explained(const struct text *t, uint8_t cell)
{
	if (cell == DR_UNWANTED || cell == DR_READY || cell == SEPARATOR)
		return false;
	if (cell == DR_WAITING && t->used[DR_READY])
		return true;
	return t->used[cell] && !(cell == DR_FAILED_TASK && t->used[FAILURE]);
}

static void
add_legend(struct text *t)
{
	uint32_t indent = t->label + 1 + t->counts + 2 + (t->bytes ? t->bytes + 2 : 0), width = 0, n = 0;

	for (uint8_t c = 0; c < CELLS; c++)
		if (explained(t, c))
			width += 4 + (uint32_t)strlen(look_of(c)->name);
	/* Below the picture if there is room. */
	if (indent + width > t->width + 2)
		indent = width < t->width + 2 ? t->width + 2 - width : 0;
	for (uint8_t c = 0; c < CELLS; c++) {
		const struct look *look = look_of(c);

		if (!explained(t, c))
			continue;
		pad(t->out, n++ ? 2 : indent);
		if (t->o->colour)
			dr_buf_adds(t->out, look->sgr);
		if (t->o->utf8)
			dr_buf_adds(t->out, look->utf8);
		else
			dr_buf_addc(t->out, look->ascii);
		if (t->o->colour)
			dr_buf_adds(t->out, "\033[m");
		dr_buf_addf(t->out, " %s", look->name);
	}
	if (n)
		dr_buf_addc(t->out, '\n');
	if (t->partly) {
		pad(t->out, indent);
		dr_buf_adds(t->out, "+ not all sizes are known yet\n");
	}
}

/* The final targets of a block, by name where it is one file, else by stage. */
static void
add_title(struct text *t, uint32_t from, uint32_t to)
{
	uint32_t left = t->width > 40 ? t->width - 20 : 20, stage = DR_NONE, more = 0;
	bool first = true;

	/* Stages in a circle have no final one: the first will do. */
	for (uint32_t i = from; i < to && (t->rows->rows[i].final || i == from); i++) {
		const struct dr_rows_row *row = &t->rows->rows[i];
		struct dr_buf name = { 0 };
		size_t at = t->out->n;

		if (row->stage == stage)
			continue;
		stage = row->stage;
		if (left < 12) {
			more++;
			continue;
		}
		dr_buf_adds(t->out, first ? "" : ", ");
		if (row->n == 1) {
			dr_plan_task_name(t->pl, row->tasks[0], &name);
			dr_buf_fit(t->out, dr_buf_str(&name), left, t->o->utf8);
		} else {
			dr_buf_fit(t->out, t->pl->pipeline->stages[stage].name, left, t->o->utf8);
		}
		t->out->failed |= name.failed;
		dr_buf_free(&name);
		at = t->out->n - at;
		left = left > at ? left - (uint32_t)at : 0;
		first = false;
	}
	if (more)
		dr_buf_addf(t->out, " and %" PRIu32 " more", more);
	dr_buf_addc(t->out, '\n');
}

static void
add_block(struct text *t, uint32_t from, uint32_t to)
{
	uint32_t stage = DR_NONE;

	memset(t->used, 0, sizeof(t->used));
	t->partly = false;
	measure(t, from, to);
	add_title(t, from, to);
	for (uint32_t i = from; i < to; i++)
		if (t->rows->rows[i].wanted)
			add_row(t, &t->rows->rows[i]);
	add_inputs(t, from, to);
	add_legend(t);
	for (uint32_t i = from; i < to; i++) {
		if (t->rows->rows[i].round && t->rows->rows[i].stage != stage)
			dr_graphout_tables(t->pl, t->rows->rows[i].stage, t->o, t->out);
		stage = t->rows->rows[i].stage;
	}
}

static void
add_sum(struct text *t)
{
	static const enum dr_state shown[] = { DR_CLEAN,   DR_DONE,        DR_RUNNING,
					       DR_WAITING, DR_FAILED_TASK, DR_SKIPPED };
	uint64_t counts[DR_STATES] = { 0 }, wanted = 0;
	bool any = false;

	for (uint32_t i = 0; i < t->rows->n_rows; i++) {
		wanted += t->rows->rows[i].wanted;
		for (int s = 0; s < DR_STATES; s++)
			counts[s == DR_READY ? DR_WAITING : s] += t->rows->rows[i].counts[s];
	}
	if (t->rows->n_rows)
		dr_buf_addc(t->out, '\n');
	dr_buf_count(t->out, wanted);
	dr_buf_adds(t->out, wanted == 1 ? " task" : " tasks");
	for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++) {
		if (!counts[shown[i]])
			continue;
		dr_buf_adds(t->out, any ? ", " : ": ");
		dr_buf_count(t->out, counts[shown[i]]);
		dr_buf_addf(t->out, " %s", looks[shown[i]].name);
		any = true;
	}
	dr_buf_addc(t->out, '\n');
}

int
dr_graph_text(const struct dr_plan *pl, const struct dr_graph_text_options *o, struct dr_buf *out,
	      struct dr_err *err)
{
	struct dr_rows rows;
	struct text t = { .pl = pl, .o = o, .rows = &rows, .out = out, .width = o->width ? o->width : 80 };
	bool first = true;
	int rc = -1;

	if (dr_rows_make(pl, &rows, err))
		goto out;
	t.cells = malloc((size_t)t.width + 10);
	t.lane = malloc((size_t)t.width + 10);
	t.seen = calloc((size_t)pl->graph->n_files / 8 + 1, 1);
	if (!t.cells || !t.lane || !t.seen) {
		dr_err_nomem(err);
		goto out;
	}
	for (uint32_t b = 0; b < rows.n_blocks; b++) {
		if (rows.blocks[b] == rows.blocks[b + 1])
			continue;
		if (!first)
			dr_buf_addc(out, '\n');
		first = false;
		add_block(&t, rows.blocks[b], rows.blocks[b + 1]);
	}
	add_sum(&t);
	rc = out->failed ? dr_err_nomem(err) : 0;
out:
	free(t.cells);
	free(t.lane);
	free(t.seen);
	dr_rows_free(&rows);
	return rc;
}
