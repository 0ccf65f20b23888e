#include "config.h"

#include "graphout.h"
#include "graphout-edges.h"

#include <inttypes.h>
#include <stdlib.h>

/* By colour, and by shape or line too. */
static const char *const looks[DR_STATES] = {
	[DR_UNWANTED] = "",
	[DR_CLEAN] = "style=\"filled,rounded\",fillcolor=\"#d5e8d4\"",
	[DR_WAITING] = "style=dashed",
	[DR_READY] = "style=solid",
	[DR_RUNNING] = "style=\"filled,bold\",fillcolor=\"#ffe08a\",peripheries=2",
	[DR_DONE] = "style=filled,fillcolor=\"#7fbf7b\"",
	[DR_FAILED_TASK] = "style=\"filled,bold\",fillcolor=\"#f4a6a0\",shape=octagon",
	[DR_SKIPPED] = "style=\"dotted,diagonals\"",
};

/* The inside of a quoted string of Graphviz that shows s: it reads backslashes, and entities of HTML. */
static void
add_quoted(struct dr_buf *out, struct dr_str s)
{
	struct dr_buf text = { 0 };

	dr_buf_escape(&text, s);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '&') {
			dr_buf_adds(out, "&amp;");
			continue;
		}
		if (text.p[i] == '"' || text.p[i] == '\\')
			dr_buf_addc(out, '\\');
		dr_buf_addc(out, text.p[i]);
	}
	out->failed |= text.failed;
	dr_buf_free(&text);
}

/* The state that tells most about a row: the first of these that any of its tasks is in. */
static enum dr_state
state_of(const struct dr_rows_row *row)
{
	static const enum dr_state first[] = { DR_FAILED_TASK, DR_RUNNING, DR_READY,
					       DR_WAITING,     DR_SKIPPED, DR_DONE };

	for (size_t i = 0; i < sizeof(first) / sizeof(*first); i++)
		if (row->counts[first[i]])
			return first[i];
	return DR_CLEAN;
}

static int
add_collapsed(const struct dr_plan *pl, const struct dr_rows *rows, struct dr_buf *out)
{
	struct dr_edges e = { 0 };
	int rc = dr_edges_find(pl, rows, &e);

	for (uint32_t r = 0; r < rows->n_rows; r++) {
		const struct dr_rows_row *row = &rows->rows[r];

		if (!row->wanted)
			continue;
		dr_buf_addf(out, "\tr%" PRIu32 " [label=\"", r);
		add_quoted(out, pl->pipeline->stages[row->stage].name);
		if (row->round)
			dr_buf_addf(out, ", round %" PRIu32, row->round);
		dr_buf_addf(out, "\\n%" PRIu32 " of %" PRIu32 " done",
			    row->counts[DR_CLEAN] + row->counts[DR_DONE], row->wanted);
		if (row->counts[DR_FAILED_TASK])
			dr_buf_addf(out, ", %" PRIu32 " failed", row->counts[DR_FAILED_TASK]);
		dr_buf_addf(out, "\",%s];\n", looks[state_of(row)]);
	}
	for (uint32_t i = 0; i < e.n; i++)
		dr_buf_addf(out, "\tr%" PRIu32 " -> r%" PRIu32 " [label=\"%" PRIu64 "\"];\n", e.v[i].from, e.v[i].to,
			    e.v[i].n);
	free(e.v);
	return rc;
}

/* Files that a wanted task takes as input and no task makes: a bit each in seen, which has one for each file. What many `use` is left
 * out: a program with an edge to each of its runs hides the rest. */
static uint64_t
find_inputs(const struct dr_graph *g, uint8_t *seen)
{
	uint64_t n = 0;

	for (uint32_t t = 0; t < g->n_tasks; t++) {
		const uint32_t *in = dr_graph_inputs(g, t);

		for (uint32_t i = 0; i < g->tasks[t].n_in && g->tasks[t].state != DR_UNWANTED; i++) {
			if (g->files[in[i]].producer != DR_NONE || seen[in[i] / 8] & 1 << in[i] % 8)
				continue;
			seen[in[i] / 8] |= (uint8_t)(1 << in[i] % 8);
			n++;
		}
	}
	return n;
}

static void
add_task(const struct dr_plan *pl, uint32_t t, struct dr_buf *out)
{
	const struct dr_graph *g = pl->graph;
	const uint32_t *in = dr_graph_inputs(g, t);
	struct dr_buf name = { 0 };

	dr_plan_task_name(pl, t, &name);
	dr_buf_addf(out, "\tt%" PRIu32 " [label=\"", t);
	add_quoted(out, dr_buf_str(&name));
	dr_buf_addf(out, "\",%s];\n", looks[g->tasks[t].state]);
	for (uint32_t i = 0; i < g->tasks[t].n_in + g->tasks[t].n_uses; i++) {
		uint32_t made_by = g->files[in[i]].producer;
		bool uses = i >= g->tasks[t].n_in;

		if (made_by != DR_NONE)
			dr_buf_addf(out, "\tt%" PRIu32 " -> t%" PRIu32 "%s;\n", made_by, t,
				    uses ? " [style=dashed]" : "");
		else if (!uses)
			dr_buf_addf(out, "\tf%" PRIu32 " -> t%" PRIu32 ";\n", in[i], t);
	}
	out->failed |= name.failed;
	dr_buf_free(&name);
}

static void
add_full(const struct dr_plan *pl, const uint8_t *seen, struct dr_buf *out)
{
	const struct dr_graph *g = pl->graph;
	struct dr_buf name = { 0 };

	for (uint32_t f = 0; f < g->n_files; f++) {
		if (!(seen[f / 8] & 1 << f % 8))
			continue;
		dr_buf_reset(&name);
		dr_graph_path(g, f, &name);
		out->failed |= name.failed;
		dr_buf_addf(out, "\tf%" PRIu32 " [label=\"", f);
		add_quoted(out, dr_buf_str(&name));
		dr_buf_adds(out, "\",shape=plaintext];\n");
	}
	for (uint32_t t = 0; t < g->n_tasks; t++)
		if (g->tasks[t].state != DR_UNWANTED)
			add_task(pl, t, out);
	dr_buf_free(&name);
}

int
dr_graph_dot(const struct dr_plan *pl, bool full, struct dr_buf *out, struct dr_err *err)
{
	struct dr_rows rows = { 0 };
	uint8_t *seen = calloc((size_t)pl->graph->n_files / 8 + 1, 1);
	uint64_t nodes = 0;
	int rc = -1;

	if (!seen) {
		dr_err_nomem(err);
		goto out;
	}
	if (dr_rows_make(pl, &rows, err))
		goto out;
	nodes = find_inputs(pl->graph, seen);
	for (uint32_t r = 0; r < rows.n_rows; r++)
		nodes += rows.rows[r].wanted;
	dr_buf_adds(out, "digraph dagrun {\n"
			 "\trankdir=LR;\n"
			 "\tcharset=\"UTF-8\";\n"
			 "\tnode [shape=box,fontname=\"Helvetica\",fontsize=10,margin=\"0.1,0.05\"];\n"
			 "\tedge [arrowsize=0.6,fontname=\"Helvetica\",fontsize=9];\n");
	rc = 0;
	if (full || nodes <= DR_DOT_NODES)
		add_full(pl, seen, out);
	else
		rc = add_collapsed(pl, &rows, out);
	dr_buf_adds(out, "}\n");
	if (rc || out->failed)
		rc = dr_err_nomem(err);
out:
	free(seen);
	dr_rows_free(&rows);
	return rc;
}
