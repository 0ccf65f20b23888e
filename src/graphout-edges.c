#include "config.h"

#include "graphout-edges.h"

#include <stdlib.h>

#include "arena.h"

static int
compare_edges(const void *a, const void *b)
{
	const struct dr_edge *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return (x->to > y->to) - (x->to < y->to);
}

/* What repeats the edge before it, as neighbouring tasks mostly do, is only counted. */
static int
add_edge(struct dr_edges *e, uint32_t from, uint32_t to)
{
	if (from == to)
		return 0;
	if (!e->n || e->v[e->n - 1].from != from || e->v[e->n - 1].to != to) {
		if (dr_grow(&e->v, &e->cap, (size_t)e->n + 1, sizeof(*e->v)))
			return -1;
		e->v[e->n++] = (struct dr_edge){ from, to, 0 };
	}
	e->v[e->n - 1].n++;
	return 0;
}

static void
sort_and_sum(struct dr_edges *e)
{
	uint32_t n = 0;

	if (e->n)
		qsort(e->v, e->n, sizeof(*e->v), compare_edges);
	for (uint32_t i = 0; i < e->n; i++) {
		if (n && e->v[n - 1].from == e->v[i].from && e->v[n - 1].to == e->v[i].to)
			e->v[n - 1].n += e->v[i].n;
		else
			e->v[n++] = e->v[i];
	}
	e->n = n;
}

static uint32_t
node_of(const struct dr_plan *pl, const struct dr_rows *rows, uint32_t task)
{
	return rows ? dr_rows_of(pl, rows, task) : pl->graph->tasks[task].stage;
}

int
dr_edges_find(const struct dr_plan *pl, const struct dr_rows *rows, struct dr_edges *e)
{
	const struct dr_graph *g = pl->graph;

	for (uint32_t t = 0; t < g->n_tasks; t++) {
		const uint32_t *in = dr_graph_inputs(g, t);
		uint32_t n = g->tasks[t].n_in + g->tasks[t].n_uses, to;

		if (g->tasks[t].state == DR_UNWANTED)
			continue;
		to = node_of(pl, rows, t);
		for (uint32_t k = 0; k < n; k++) {
			uint32_t made_by = g->files[in[k]].producer;

			if (made_by != DR_NONE && add_edge(e, node_of(pl, rows, made_by), to))
				return -1;
		}
	}
	sort_and_sum(e);
	return 0;
}
