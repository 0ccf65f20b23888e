#include "config.h"

#include "graph.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "err.h"

static bool
id_eq(const void *ctx, uint32_t value, const void *key)
{
	const struct dr_graph *g = ctx;

	return dr_hash128_eq(g->tasks[value].id, *(const struct dr_hash128 *)key);
}

static uint64_t
id_hash(const void *ctx, uint32_t value)
{
	const struct dr_graph *g = ctx;

	return g->tasks[value].id.lo;
}

static const struct dr_map_ops id_ops = { id_eq, id_hash };

uint32_t
dr_graph_by_id(const struct dr_graph *g, struct dr_hash128 id)
{
	return dr_map_find(&g->id_map, &id_ops, g, id.lo, &id);
}

uint32_t
dr_graph_by_id_near(const struct dr_graph *g, struct dr_hash128 id, uint32_t near)
{
	/* In this order: in order, or as two, four slots end. */
	static const int32_t steps[] = { 1, 2, -1, 3, -2, 4 };

	for (size_t i = 0; g->id_map.used && i < sizeof(steps) / sizeof(*steps); i++) {
		uint32_t t = near + (uint32_t)steps[i];

		if (t < g->n_tasks && dr_hash128_eq(g->tasks[t].id, id))
			return t;
	}
	return dr_graph_by_id(g, id);
}

/* Two rows that look the same, of a stage without outputs, have one identity so far: from the second on, their number is part of
 * it. `again` counts them at the first one. */
static int
link_ids(struct dr_graph *g, struct dr_err *err)
{
	enum { AHEAD = 8 };
	uint32_t *again = NULL;
	int rc = 0;

	if (dr_map_reserve(&g->id_map, &id_ops, g, g->n_tasks))
		return dr_err_nomem(err);
	for (uint32_t t = 0; t < g->n_tasks && rc == 0; t++) {
		uint32_t first = dr_graph_by_id(g, g->tasks[t].id);

		if (t + AHEAD < g->n_tasks)
			dr_map_soon(&g->id_map, g->tasks[t + AHEAD].id.lo);

		if (first != DR_NONE) {
			struct {
				struct dr_hash128 id;
				uint64_t again;
			} key = { .id = g->tasks[t].id };

			if (!again && !(again = calloc(g->n_tasks, sizeof(*again)))) {
				rc = dr_err_nomem(err);
				break;
			}
			key.again = ++again[first];
			g->tasks[t].id = dr_hash128(&key, sizeof(key));
		}
		if (dr_map_add(&g->id_map, &id_ops, g, g->tasks[t].id.lo, t))
			rc = dr_err_nomem(err);
	}
	free(again);
	return rc;
}

/* Counting sort of the edges by the file that is read. */
static int
link_consumers(struct dr_graph *g, struct dr_err *err)
{
	size_t reads = 0;

	g->first_consumer = calloc((size_t)g->n_files + 2, sizeof(uint32_t));
	if (!g->first_consumer)
		return dr_err_nomem(err);
	for (uint32_t t = 0; t < g->n_tasks; t++) {
		const uint32_t *in = dr_graph_inputs(g, t);
		uint32_t n = g->tasks[t].n_in + g->tasks[t].n_uses;

		reads += n;
		for (uint32_t i = 0; i < n; i++)
			g->first_consumer[in[i] + 2]++;
	}
	g->consumers = malloc((reads ? reads : 1) * sizeof(uint32_t));
	if (!g->consumers)
		return dr_err_nomem(err);
	for (uint32_t f = 0; f < g->n_files; f++)
		g->first_consumer[f + 2] += g->first_consumer[f + 1];
	/* first_consumer[f + 1] moves from the start of f's readers to their end, which is the start of f + 1's. */
	for (uint32_t t = 0; t < g->n_tasks; t++) {
		const uint32_t *in = dr_graph_inputs(g, t);
		uint32_t n = g->tasks[t].n_in + g->tasks[t].n_uses;

		for (uint32_t i = 0; i < n; i++)
			g->consumers[g->first_consumer[in[i] + 1]++] = t;
	}
	return 0;
}

/* For every task, in place of `wait`: how many of what it reads are made by tasks. Edges are counted, not producers: a task
 * that reads two outputs of one producer waits twice and is told twice. */
static void
count_waits(struct dr_graph *g)
{
	for (uint32_t t = 0; t < g->n_tasks; t++) {
		const uint32_t *in = dr_graph_inputs(g, t);
		uint32_t n = g->tasks[t].n_in + g->tasks[t].n_uses;

		g->tasks[t].wait = 0;
		for (uint32_t i = 0; i < n; i++)
			if (g->files[in[i]].producer != DR_NONE)
				g->tasks[t].wait++;
	}
}

/* Some task that stands on a cycle: from any that is left, along producers that are left, until one comes again. */
static int
find_cycle(struct dr_graph *g, uint32_t **cycle, uint32_t *n, struct dr_err *err)
{
	uint32_t *step = calloc((size_t)g->n_tasks, sizeof(*step)); /* 1 + when it was met */
	uint32_t *walk = NULL, cap = 0, len = 0, t = 0;

	if (!step)
		return dr_err_nomem(err);
	while (!g->tasks[t].wait)
		t++;
	while (!step[t]) {
		const uint32_t *in = dr_graph_inputs(g, t);

		if (dr_grow(&walk, &cap, (size_t)len + 1, sizeof(*walk))) {
			free(step);
			free(walk);
			return dr_err_nomem(err);
		}
		walk[len++] = t;
		step[t] = len;
		for (uint32_t i = 0;; i++) {
			uint32_t p = g->files[in[i]].producer;

			if (p != DR_NONE && g->tasks[p].wait) {
				t = p;
				break;
			}
		}
	}
	*n = len - (step[t] - 1);
	memmove(walk, walk + step[t] - 1, *n * sizeof(*walk));
	*cycle = walk;
	free(step);
	return 1;
}

/* Kahn's algorithm; `order` is its own queue. */
static int
link_order(struct dr_graph *g, uint32_t **cycle, uint32_t *n_cycle, struct dr_err *err)
{
	uint32_t n = 0;

	g->order = malloc(((size_t)g->n_tasks + 1) * sizeof(*g->order));
	if (!g->order)
		return dr_err_nomem(err);
	count_waits(g);
	for (uint32_t t = 0; t < g->n_tasks; t++)
		if (!g->tasks[t].wait)
			g->order[n++] = t;
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t *out = dr_graph_outputs(g, g->order[i]);

		for (uint32_t k = 0; k < g->tasks[g->order[i]].n_out; k++) {
			uint32_t f = out[k];

			for (uint32_t c = g->first_consumer[f]; c < g->first_consumer[f + 1]; c++)
				if (--g->tasks[g->consumers[c]].wait == 0)
					g->order[n++] = g->consumers[c];
		}
	}
	if (n < g->n_tasks)
		return find_cycle(g, cycle, n_cycle, err);
	return 0;
}

int
dr_graph_link(struct dr_graph *g, uint32_t **cycle, uint32_t *n, struct dr_err *err)
{
	if (link_ids(g, err) || link_consumers(g, err))
		return -1;
	return link_order(g, cycle, n, err);
}
