#include "config.h"

#include "graphout-tables.h"

#include <inttypes.h>

/* What all trees of the merge cost with one fan-in. */
struct column {
	uint32_t fan_in;
	struct dr_tree_sum sum;
};

struct table {
	const struct dr_graph_text_options *o;
	struct dr_buf *out;
	const struct dr_plan_stage *planned;
	bool rounds;
	uint32_t fan_in; /* of the merge as it is */
	enum dr_tree_keep keep;
	bool bytes;     /* `whole` is known */
	uint64_t whole; /* bytes of all leaves */
	uint64_t n_unsized, n_files;
	struct column columns[6]; /* found so far: the usual ones and the merge's own */
	uint32_t n_columns;
};

/* With the merge's own fan-in its trees as they are, else as they would be from nothing. */
static const struct dr_tree_sum *
sum_up(struct table *t, uint32_t fan_in)
{
	struct column *c = &t->columns[t->n_columns];

	for (uint32_t i = 0; i < t->n_columns; i++)
		if (t->columns[i].fan_in == fan_in)
			return &t->columns[i].sum;
	*c = (struct column){ .fan_in = fan_in };
	for (uint32_t i = 0; i < t->planned->n_trees && !t->out->failed; i++) {
		const struct dr_plan_tree *pt = &t->planned->trees[i];
		struct dr_tree tree = { 0 };
		uint32_t n = pt->tree.n_leaves, level;
		bool own = fan_in == t->fan_in;
		int rc = own ? 0 : t->rounds ? dr_tree_rounds(n, fan_in, &tree, NULL) : dr_tree_steady(NULL, NULL, NULL, n, fan_in, &tree, NULL);

		if (rc || dr_tree_sum_up(own ? &pt->tree : &tree, pt->level, &c->sum, &level, NULL))
			t->out->failed = true;
		dr_tree_free(&tree);
	}
	t->n_columns++;
	return &c->sum;
}

/* In units of the whole. */
static double
rewritten(const struct dr_tree_sum *s)
{
	return s->leaves ? (double)s->rewritten / (double)s->leaves : 0;
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
	const struct dr_tree_sum *sum = sum_up(t, fan_in);
	struct dr_buf text = { 0 };

	fan_in_name(&text, fan_in);
	cell(t->out, &text, 8);
	number_cell(t, sum->rounds, 8);
	number_cell(t, sum->merges, 11);
	amount_cell(t, rewritten(sum), 18);
	end_line(t, fan_in == t->fan_in);
	dr_buf_free(&text);
}

/* The most leaves that a tree has. */
static uint32_t
largest(const struct table *t)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < t->planned->n_trees; i++)
		if (t->planned->trees[i].tree.n_leaves > most)
			most = t->planned->trees[i].tree.n_leaves;
	return most;
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
		if ((i == 0 || usual[i - 1] < largest(t)) && usual[i] != t->fan_in)
			fan_in_row(t, usual[i]);
	}
	if (!done)
		fan_in_row(t, t->fan_in);
}

/* What is on the disk at once, at most, in units of the whole: without inner nodes the last merge's inputs and its output, and
 * beside these the level that stays. */
static double
on_disk(const struct dr_tree_sum *s, enum dr_tree_keep keep)
{
	double all = rewritten(s), some = keep == DR_TREE_LEVEL ? 2 + (double)s->on_level / (double)s->leaves : 2;

	return keep == DR_TREE_YES || all < some ? all : some;
}

static void
keep_row(struct table *t, enum dr_tree_keep keep, uint32_t fan_in)
{
	static const char *const names[DR_TREE_KEEPS] = { "no", "level", "yes" };
	const struct dr_tree_sum *sum = sum_up(t, fan_in);
	double n = (double)sum->leaves;
	struct dr_buf text = { 0 };

	dr_buf_addf(&text, "  keep = %-6sby ", names[keep]);
	fan_in_name(&text, fan_in);
	cell(t->out, &text, -21);
	number_cell(t, (uint64_t)(sum->one[keep].merges / n + 0.5), 8);
	amount_cell(t, sum->one[keep].rewritten / n / n, 18);
	amount_cell(t, on_disk(sum, keep), 18);
	end_line(t, keep == t->keep && fan_in == t->fan_in);
	dr_buf_free(&text);
}

static void
keep_table(struct table *t)
{
	bool own = t->fan_in != 2 && t->fan_in != 8;

	dr_buf_adds(t->out, "  one changed input    merges         rewritten      on disk then\n");
	for (int keep = 0; keep < DR_TREE_KEEPS; keep++) {
		if (own)
			keep_row(t, (enum dr_tree_keep)keep, t->fan_in);
		keep_row(t, (enum dr_tree_keep)keep, 2);
		keep_row(t, (enum dr_tree_keep)keep, 8);
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
	double now, by_8;

	if (!t->fan_in || t->fan_in >= 8 || largest(t) <= 8)
		return;
	now = rewritten(sum_up(t, t->fan_in));
	by_8 = rewritten(sum_up(t, 8));
	dr_buf_addf(t->out,
		    "  Where merging does not shrink the data, fan-in = 8 rewrites it %.1f times, not "
		    "%.1f.\n",
		    by_8, now);
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
	t->bytes = t->n_files == st->n_leaves && !t->n_unsized && t->whole;
}

static void
add_heading(struct table *t, const struct dr_plan *pl, uint32_t stage)
{
	const struct dr_tree_sum *now = sum_up(t, t->fan_in);

	dr_buf_fit(t->out, pl->pipeline->stages[stage].name, 40, t->o->utf8);
	dr_buf_adds(t->out, ": ");
	dr_buf_count(t->out, now->leaves);
	dr_buf_adds(t->out, " inputs, ");
	if (t->planned->n_trees > 1) {
		dr_buf_count(t->out, t->planned->n_trees);
		dr_buf_adds(t->out, " trees, ");
	}
	dr_buf_count(t->out, now->merges);
	dr_buf_addf(t->out, " merge%s in %" PRIu32 " round%s", now->merges == 1 ? "" : "s", now->rounds,
		    now->rounds == 1 ? "" : "s");
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
	struct table t = {
		.o = o,
		.out = out,
		.planned = st,
		.rounds = s->rounds,
		.fan_in = s->fan_in,
		.keep = s->keep == DR_KEEP_YES	 ? DR_TREE_YES :
			s->keep == DR_KEEP_LEVEL ? DR_TREE_LEVEL :
						   DR_TREE_NO,
	};

	/* Where no tree has a choice there is none to show. */
	if (largest(&t) < 3)
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
