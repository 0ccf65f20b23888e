#include "config.h"

#include "graphout-layout.h"

#include <stdlib.h>
#include <string.h>

static bool
wanted(const struct dr_graph *g, uint32_t task)
{
	return g->tasks[task].state != DR_UNWANTED;
}

/* How many of its inputs, from the first on, a task stands on. The others of a map are the same for each of its tasks. */
static uint32_t
n_below(const struct dr_plan *pl, uint32_t task)
{
	const struct dr_stage *st = dr_plan_stage(pl, task);
	uint32_t n_in = pl->graph->tasks[task].n_in;

	if (st->kind != DR_STAGE_MAP)
		return n_in;
	return st->each_stage != DR_NONE && n_in ? 1 : 0;
}

/* The task that made input i, or DR_NONE. */
static uint32_t
maker(const struct dr_graph *g, uint32_t task, uint32_t i)
{
	return g->files[dr_graph_inputs(g, task)[i]].producer;
}

/* Each task hangs below the first that stands on it, or else the first that reads it. */
static void
find_parents(const struct dr_plan *pl, uint32_t *parent)
{
	const struct dr_graph *g = pl->graph;

	memset(parent, 0xff, (size_t)g->n_tasks * sizeof(*parent));
	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t t = 0; t < g->n_tasks; t++) {
			uint32_t n = pass ? g->tasks[t].n_in + g->tasks[t].n_uses : n_below(pl, t);

			for (uint32_t i = 0; i < n && wanted(g, t); i++) {
				uint32_t p = maker(g, t, i);

				if (p != DR_NONE && parent[p] == DR_NONE)
					parent[p] = t;
			}
		}
	}
}

/* Leaves of a task's own: the files that it merges, or itself where it stands on no other. */
static uint64_t
own_leaves(const struct dr_plan *pl, uint32_t task)
{
	bool merge = dr_plan_stage(pl, task)->kind == DR_STAGE_MERGE, stands = false;
	uint64_t n = 0;

	for (uint32_t i = 0; i < n_below(pl, task); i++) {
		if (maker(pl->graph, task, i) != DR_NONE)
			stands = true;
		else
			n += merge;
	}
	return n || stands ? n : 1;
}

/* Widths in spans[].to: children give theirs to their parent. Those of a task stand before it in `order`. */
static void
measure(const struct dr_plan *pl, const uint32_t *parent, struct dr_span *spans)
{
	const struct dr_graph *g = pl->graph;

	for (uint32_t i = 0; i < g->n_tasks; i++) {
		uint32_t t = g->order[i];
		uint64_t own = own_leaves(pl, t);

		if (!wanted(g, t))
			continue;
		/* One that hangs below this only because it reads it makes no room of its own. */
		if (own != 1 || !spans[t].to || dr_plan_stage(pl, t)->kind == DR_STAGE_MERGE)
			spans[t].to += own;
		if (parent[t] != DR_NONE)
			spans[parent[t]].to += spans[t].to;
	}
}

/* Those that hang below none, row by row from the left. */
static void
place_roots(const struct dr_plan *pl, const struct dr_rows *rows, const uint32_t *parent, struct dr_layout *l)
{
	for (uint32_t b = 0; b < rows->n_blocks; b++) {
		uint64_t at = 0;

		for (uint32_t r = rows->blocks[b]; r < rows->blocks[b + 1]; r++) {
			for (uint32_t i = 0; i < rows->rows[r].n; i++) {
				uint32_t t = rows->rows[r].tasks[i];

				if (!wanted(pl->graph, t) || parent[t] != DR_NONE)
					continue;
				l->spans[t].from = at;
				at += l->spans[t].to;
			}
		}
		l->widths[b] = at ? at : 1;
	}
}

/* Below each task what hangs there, in the order of its inputs. A task that has its place has no parent any more. */
static void
place_children(const struct dr_plan *pl, uint32_t *parent, struct dr_span *spans)
{
	const struct dr_graph *g = pl->graph;

	for (uint32_t i = g->n_tasks; i-- > 0;) {
		uint32_t t = g->order[i], n = g->tasks[t].n_in + g->tasks[t].n_uses, below = n_below(pl, t);
		bool merge = dr_plan_stage(pl, t)->kind == DR_STAGE_MERGE;
		uint64_t at = spans[t].from;

		for (uint32_t k = 0; k < n && wanted(g, t); k++) {
			uint32_t p = maker(g, t, k);

			if (p == DR_NONE) {
				at += merge && k < below;
			} else if (parent[p] == t) {
				spans[p].from = at;
				at += spans[p].to;
				parent[p] = DR_NONE;
			}
		}
	}
}

/* From places and widths to spans, and over all that a task stands on though it hangs below others. */
static void
spread(const struct dr_plan *pl, struct dr_span *spans)
{
	const struct dr_graph *g = pl->graph;

	for (uint32_t i = 0; i < g->n_tasks; i++) {
		uint32_t t = g->order[i];
		struct dr_span *s = &spans[t];
		bool any = s->to > 0;

		s->to += s->from;
		for (uint32_t k = 0; k < n_below(pl, t) && wanted(g, t); k++) {
			uint32_t p = maker(g, t, k);

			if (p == DR_NONE || spans[p].from == spans[p].to)
				continue;
			s->from = !any || spans[p].from < s->from ? spans[p].from : s->from;
			s->to = !any || spans[p].to > s->to ? spans[p].to : s->to;
			any = true;
		}
	}
}

static bool
left(uint8_t state)
{
	return state != DR_UNWANTED && state != DR_CLEAN && state != DR_DONE;
}

/* What a task of each stage takes on average, in seconds; of a stage of which no time is known, one. */
static void
average(const struct dr_plan *pl, double *seconds, uint32_t *n)
{
	const struct dr_graph *g = pl->graph;

	for (uint32_t t = 0; t < g->n_tasks; t++) {
		if (!g->tasks[t].last_ms)
			continue;
		seconds[g->tasks[t].stage] += g->tasks[t].last_ms / 1000.0;
		n[g->tasks[t].stage]++;
	}
	for (uint32_t s = 0; s < pl->pipeline->n_stages; s++)
		seconds[s] = n[s] ? seconds[s] / n[s] : 1;
}

/* The path that ends latest, backwards along `before`. */
static int
take_path(struct dr_layout *l, const uint32_t *before, uint32_t last)
{
	for (uint32_t t = last; t != DR_NONE; t = before[t])
		l->n_path++;
	l->path = malloc(((size_t)l->n_path + 1) * sizeof(*l->path));
	if (!l->path)
		return -1;
	for (uint32_t t = last, i = l->n_path; t != DR_NONE; t = before[t])
		l->path[--i] = t;
	return 0;
}

static int
find_path(const struct dr_plan *pl, struct dr_layout *l)
{
	const struct dr_graph *g = pl->graph;
	size_t n = (size_t)g->n_tasks + 1, n_stages = (size_t)pl->pipeline->n_stages + 1;
	uint32_t *before = malloc(n * sizeof(*before)), *known = calloc(n_stages, sizeof(*known)), last = DR_NONE;
	double *ends = calloc(n, sizeof(*ends)), *mean = calloc(n_stages, sizeof(*mean));
	bool rest = false, timed = true;
	int rc = -1;

	if (!before || !known || !ends || !mean)
		goto out;
	average(pl, mean, known);
	for (uint32_t t = 0; t < g->n_tasks && !rest; t++)
		rest = left(g->tasks[t].state);
	for (uint32_t i = 0; i < g->n_tasks; i++) {
		uint32_t t = g->order[i];

		before[t] = DR_NONE;
		if (rest ? !left(g->tasks[t].state) : !wanted(g, t))
			continue;
		for (uint32_t k = 0; k < g->tasks[t].n_in + g->tasks[t].n_uses; k++) {
			uint32_t p = maker(g, t, k);

			if (p != DR_NONE && ends[p] > ends[t]) {
				ends[t] = ends[p];
				before[t] = p;
			}
		}
		ends[t] += g->tasks[t].last_ms ? g->tasks[t].last_ms / 1000.0 : mean[g->tasks[t].stage];
		if (last == DR_NONE || ends[t] > ends[last])
			last = t;
	}
	for (uint32_t t = last; t != DR_NONE; t = before[t])
		timed = timed && known[g->tasks[t].stage];
	l->seconds = timed && last != DR_NONE ? ends[last] : 0;
	rc = take_path(l, before, last);
out:
	free(before);
	free(known);
	free(ends);
	free(mean);
	return rc;
}

int
dr_layout_make(const struct dr_plan *pl, const struct dr_rows *rows, struct dr_layout *l, struct dr_err *err)
{
	size_t n = (size_t)pl->graph->n_tasks + 1;
	uint32_t *parent = malloc(n * sizeof(*parent));
	int rc = -1;

	*l = (struct dr_layout){ 0 };
	l->spans = calloc(n, sizeof(*l->spans));
	l->widths = calloc((size_t)rows->n_blocks + 1, sizeof(*l->widths));
	if (!parent || !l->spans || !l->widths)
		goto out;
	find_parents(pl, parent);
	measure(pl, parent, l->spans);
	place_roots(pl, rows, parent, l);
	place_children(pl, parent, l->spans);
	spread(pl, l->spans);
	rc = find_path(pl, l);
out:
	if (rc)
		dr_err_nomem(err);
	free(parent);
	return rc;
}

void
dr_layout_free(struct dr_layout *l)
{
	free(l->spans);
	free(l->widths);
	free(l->path);
	*l = (struct dr_layout){ 0 };
}
