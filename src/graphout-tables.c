#include "config.h"

#include "graphout-tables.h"

#include <inttypes.h>

struct table {
	const struct dr_graph_text_options *o;
	struct dr_buf *out;
	uint32_t leaves, fan_in; /* of the merge as it is */
	bool keep;
	bool bytes;     /* `whole` is known */
	uint64_t whole; /* bytes of all leaves */
	uint64_t n_unsized, n_files;
};

/* What one changed leaf has rewritten when the inner nodes are kept, in units of the whole, on average over the leaves: each node above
 * it, and a leaf stands below a node as often as the node has leaves. */
static double
rewritten_above_one(uint32_t leaves, uint32_t fan_in)
{
	uint64_t f = fan_in ? fan_in : leaves, n = leaves, size = 1;
	double sum = 0;

	if (leaves == 1)
		return 1;
	while (n > 1) {
		uint64_t groups = (n + f - 1) / f, last = n - (groups - 1) * f, rest;

		size = size * f < leaves ? size * f : leaves;
		rest = leaves - (groups - 1) * size;
		sum += (double)(groups - 1) * (double)size * (double)size;
		/* One alone goes up as it is. */
		if (last > 1)
			sum += (double)rest * (double)rest;
		n = groups;
	}
	return sum / (double)leaves / (double)leaves;
}

static void
pad(struct dr_buf *out, size_t columns)
{
	while (columns-- > 0)
		dr_buf_addc(out, ' ');
}

/* Text and its column's width; negative: to the left. */
static void
cell(struct dr_buf *out, const struct dr_buf *text, int columns)
{
	size_t width = dr_str_width(dr_buf_str(text)), want = (size_t)(columns < 0 ? -columns : columns);

	if (columns > 0 && width < want)
		pad(out, want - width);
	dr_buf_addstr(out, dr_buf_str(text));
	if (columns < 0 && width < want)
		pad(out, want - width);
	out->failed |= text->failed;
}

static void
number_cell(struct table *t, uint64_t n, int columns)
{
	struct dr_buf text = { 0 };

	dr_buf_count(&text, n);
	cell(t->out, &text, columns);
	dr_buf_free(&text);
}

static void
fan_in_name(struct dr_buf *out, uint32_t fan_in)
{
	if (fan_in)
		dr_buf_addf(out, "%" PRIu32, fan_in);
	else
		dr_buf_adds(out, "all");
}

/* `times` the whole, in bytes where that is known. */
static void
amount_cell(struct table *t, double times, int columns)
{
	double bytes = times * (double)t->whole;
	struct dr_buf text = { 0 };

	if (t->bytes) {
		dr_buf_bytes(&text, bytes < 1e18 ? (uint64_t)bytes : UINT64_C(1000000000000000000));
		dr_buf_adds(&text, "  ");
	}
	dr_buf_addf(&text, "%5.1f%s", times, t->o->utf8 ? "×" : "x");
	cell(t->out, &text, columns);
	dr_buf_free(&text);
}

static void
end_line(struct table *t, bool now)
{
	if (now)
		dr_buf_adds(t->out, t->o->utf8 ? "  ← now" : "  <- now");
	dr_buf_addc(t->out, '\n');
}

static void
fan_in_row(struct table *t, uint32_t fan_in)
{
	struct dr_tree_cost cost = dr_tree_rounds_cost(t->leaves, fan_in);
	struct dr_buf text = { 0 };

	fan_in_name(&text, fan_in);
	cell(t->out, &text, 8);
	number_cell(t, cost.rounds, 8);
	number_cell(t, cost.merges, 11);
	amount_cell(t, cost.rewritten, 18);
	end_line(t, fan_in == t->fan_in);
	dr_buf_free(&text);
}

/* The usual fan-ins up to the first that takes all at once, with the merge's own among them. */
static void
fan_in_table(struct table *t)
{
	static const uint32_t usual[] = { 2, 4, 8, 16, 32 };
	bool done = false;

	dr_buf_adds(t->out, "  fan-in  rounds     merges         rewritten\n");
	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++) {
		if (!done && t->fan_in && t->fan_in <= usual[i]) {
			fan_in_row(t, t->fan_in);
			done = true;
		}
		if ((i == 0 || usual[i - 1] < t->leaves) && usual[i] != t->fan_in)
			fan_in_row(t, usual[i]);
	}
	if (!done)
		fan_in_row(t, t->fan_in);
}

static void
keep_row(struct table *t, bool keep, uint32_t fan_in)
{
	struct dr_tree_cost cost = dr_tree_rounds_cost(t->leaves, fan_in);
	/* Without the inner nodes, the last merge's inputs and its output are what stands at once. */
	double disk = keep || cost.rewritten < 2 ? cost.rewritten : 2;
	struct dr_buf text = { 0 };

	dr_buf_addf(&text, "  keep = %-4sby ", keep ? "yes" : "no");
	fan_in_name(&text, fan_in);
	cell(t->out, &text, -21);
	/* A leaf is rewritten once by each merge above it, so the mean of both is the same number. */
	number_cell(t, keep ? (uint64_t)(cost.rewritten + 0.5) : cost.merges, 8);
	amount_cell(t, keep ? rewritten_above_one(t->leaves, fan_in) : cost.rewritten, 18);
	amount_cell(t, disk, 18);
	end_line(t, keep == t->keep && fan_in == t->fan_in);
	dr_buf_free(&text);
}

static void
keep_table(struct table *t)
{
	bool own = t->fan_in != 2 && t->fan_in != 8;

	dr_buf_adds(t->out, "  one changed input    merges         rewritten      on disk then\n");
	for (int keep = 0; keep < 2; keep++) {
		if (own)
			keep_row(t, keep, t->fan_in);
		keep_row(t, keep, 2);
		keep_row(t, keep, 8);
	}
}

static void
add_free(struct table *t)
{
	if (t->o->free_bytes == UINT64_MAX)
		return;
	dr_buf_adds(t->out, "  free on disk: ");
	dr_buf_bytes(t->out, t->o->free_bytes);
	dr_buf_addc(t->out, '\n');
}

static void
add_advice(struct table *t)
{
	if (!t->fan_in || t->fan_in >= 8 || t->leaves <= 8)
		return;
	dr_buf_addf(t->out,
		    "  Where merging does not shrink the data, fan-in = 8 rewrites it %.1f times, not "
		    "%.1f.\n",
		    dr_tree_rounds_cost(t->leaves, 8).rewritten,
		    dr_tree_rounds_cost(t->leaves, t->fan_in).rewritten);
}

/* Sums the leaves' files: those inputs of a node that are no nodes themselves. */
static void
weigh(struct table *t, const struct dr_plan *pl, const struct dr_plan_stage *st)
{
	for (uint32_t i = 0; i < st->n; i++) {
		uint32_t k;
		const struct dr_tree *tree = &dr_plan_tree(pl, st->first + i, &k)->tree;
		const struct dr_tree_node *node = &tree->nodes[k];
		const uint32_t *in = dr_graph_inputs(pl->graph, st->first + i);
		uint32_t n_in = pl->graph->tasks[st->first + i].n_in;

		for (uint32_t c = 0; c < node->n_children && c < n_in; c++) {
			int64_t size = pl->graph->files[in[c]].stamp.size;

			if (tree->children[node->children + c] >= tree->n_leaves)
				continue;
			t->n_files++;
			t->n_unsized += size < 0;
			t->whole += size >= 0 ? (uint64_t)size : 0;
		}
	}
	t->bytes = t->n_files == t->leaves && !t->n_unsized && t->whole;
}

static void
add_heading(struct table *t, const struct dr_plan *pl, uint32_t stage)
{
	struct dr_tree_cost now = dr_tree_rounds_cost(t->leaves, t->fan_in);

	dr_buf_fit(t->out, pl->pipeline->stages[stage].name, 40, t->o->utf8);
	dr_buf_adds(t->out, ": ");
	dr_buf_count(t->out, t->leaves);
	dr_buf_adds(t->out, " inputs, ");
	dr_buf_count(t->out, now.merges);
	dr_buf_addf(t->out, " merge%s in %" PRIu32 " round%s", now.merges == 1 ? "" : "s", now.rounds,
		    now.rounds == 1 ? "" : "s");
	if (t->bytes) {
		dr_buf_adds(t->out, ", ");
		dr_buf_bytes(t->out, t->whole);
	}
	dr_buf_addc(t->out, '\n');
	if (t->bytes || !t->n_files)
		return;
	dr_buf_adds(t->out, "  In units of the whole (1");
	dr_buf_adds(t->out, t->o->utf8 ? "×" : "x");
	dr_buf_adds(t->out, "): the size of ");
	if (t->n_unsized == t->n_files)
		dr_buf_adds(t->out, "no input is known yet.\n");
	else if (!t->n_unsized)
		dr_buf_adds(t->out, "all inputs is 0.\n");
	else {
		dr_buf_count(t->out, t->n_unsized);
		dr_buf_adds(t->out, " of the inputs is not known yet;\n  the others have ");
		dr_buf_bytes(t->out, t->whole);
		dr_buf_adds(t->out, ".\n");
	}
}

void
dr_graphout_tables(const struct dr_plan *pl, uint32_t stage, const struct dr_graph_text_options *o,
		   struct dr_buf *out)
{
	const struct dr_plan_stage *st = &pl->stages[stage];
	const struct dr_stage *s = &pl->pipeline->stages[stage];
	struct table t = { .o = o,
			   .out = out,
			   .leaves = st->n_leaves,
			   .fan_in = s->fan_in,
			   .keep = s->keep == DR_KEEP_YES };

	/* What it costs is told of one tree: of many each is small. */
	if (t.leaves < 3 || st->n_trees > 1)
		return;
	weigh(&t, pl, st);
	dr_buf_addc(out, '\n');
	add_heading(&t, pl, stage);
	dr_buf_addc(out, '\n');
	fan_in_table(&t);
	dr_buf_addc(out, '\n');
	keep_table(&t);
	add_free(&t);
	add_advice(&t);
}
