#include "config.h"

#include "graphout-rows.h"

#include <stdlib.h>
#include <string.h>

/* The stages of a plan and who reads from whom, while the rows are made. */
struct order {
	const struct dr_plan *pl;
	uint32_t n;
	uint32_t *from, *to; /* edges between stages, sorted by `to`; the same may be there more than once */
	uint32_t n_edges, cap_from, cap_to;
	uint32_t *first_edge; /* of each stage, in n + 1 */
	uint32_t *readers;    /* edges from each stage that are not dealt with yet */
	uint32_t *parent;     /* union-find: which stages hang together */
	uint32_t *block;      /* of the stage that stands for its set, or DR_NONE */
	uint32_t *queue;      /* stages, consumers first */
	bool *final, *queued;
};

static uint32_t
find(uint32_t *parent, uint32_t s)
{
	while (parent[s] != s) {
		parent[s] = parent[parent[s]];
		s = parent[s];
	}
	return s;
}

/* Edges come stage by stage, so those to one stage are together from the start. Neighbouring tasks mostly read from the same
 * stage: to leave out what repeats the edge before it keeps a merge of a million leaves at one edge. */
static int
add_edge(struct order *o, uint32_t from, uint32_t to)
{
	uint32_t n = o->n_edges;

	if (from == to || (n && o->from[n - 1] == from && o->to[n - 1] == to))
		return 0;
	if (dr_grow(&o->from, &o->cap_from, (size_t)n + 1, sizeof(*o->from)) ||
	    dr_grow(&o->to, &o->cap_to, (size_t)n + 1, sizeof(*o->to)))
		return -1;
	o->from[n] = from;
	o->to[n] = to;
	o->n_edges++;
	o->readers[from]++;
	o->parent[find(o->parent, from)] = find(o->parent, to);
	return 0;
}

static int
find_edges(struct order *o)
{
	const struct dr_graph *g = o->pl->graph;

	for (uint32_t s = 0; s < o->n; s++) {
		const struct dr_plan_stage *st = &o->pl->stages[s];

		o->first_edge[s] = o->n_edges;
		for (uint32_t t = st->first; st->planned && t - st->first < st->n; t++) {
			const uint32_t *in = dr_graph_inputs(g, t);

			for (uint32_t i = 0; i < g->tasks[t].n_in + g->tasks[t].n_uses; i++) {
				uint32_t made_by = g->files[in[i]].producer;

				if (made_by != DR_NONE && add_edge(o, g->tasks[made_by].stage, s))
					return -1;
			}
		}
	}
	o->first_edge[o->n] = o->n_edges;
	return 0;
}

static void
push(struct order *o, uint32_t stage, uint32_t *n)
{
	if (!o->queued[stage]) {
		o->queued[stage] = true;
		o->queue[(*n)++] = stage;
	}
}

/* Consumers first; the targets' order decides between what does not depend on each other. Stages may stand in a circle though their
 * tasks do not; that is no tree, and they come in the order of the Dagfile. */
static uint32_t
sort_stages(struct order *o)
{
	const struct dr_plan *pl = o->pl;
	uint32_t n = 0;

	for (uint32_t s = 0; s < o->n; s++)
		o->final[s] = pl->stages[s].planned && !o->readers[s];
	for (uint32_t i = 0; i < pl->n_targets; i++) {
		uint32_t s = pl->graph->tasks[pl->targets[i]].stage;

		if (o->final[s])
			push(o, s, &n);
	}
	for (uint32_t s = 0; s < o->n; s++)
		if (o->final[s])
			push(o, s, &n);
	for (uint32_t at = 0, rest = 0;; at++) {
		while (at == n && rest < o->n) {
			if (pl->stages[rest].planned)
				push(o, rest, &n);
			rest++;
		}
		if (at == n)
			return n;
		for (uint32_t e = o->first_edge[o->queue[at]]; e < o->first_edge[o->queue[at] + 1]; e++)
			if (--o->readers[o->from[e]] == 0)
				push(o, o->from[e], &n);
	}
}

/* Numbers the sets of stages that hang together, in the order in which targets name them. */
static uint32_t
number_blocks(struct order *o, uint32_t n_stages)
{
	const struct dr_plan *pl = o->pl;
	uint32_t n = 0;

	memset(o->block, 0xff, o->n * sizeof(*o->block));
	for (uint32_t i = 0; i < pl->n_targets + n_stages; i++) {
		uint32_t s = i < pl->n_targets ? pl->graph->tasks[pl->targets[i]].stage
					       : o->queue[i - pl->n_targets];
		uint32_t *b = &o->block[find(o->parent, s)];

		if (pl->stages[s].planned && *b == DR_NONE)
			*b = n++;
	}
	return n;
}

static uint32_t
rows_of_stage(const struct dr_plan *pl, uint32_t stage)
{
	uint32_t rounds = pl->stages[stage].n_rounds;

	return !pl->stages[stage].n ? 0 : rounds ? rounds : 1;
}

/* Rows of a stage from row `at` on, without counts. *n_tasks of r->tasks are taken. */
static void
add_stage(const struct dr_plan *pl, struct dr_rows *r, uint32_t stage, uint32_t at, bool final, uint32_t *n_tasks)
{
	const struct dr_plan_stage *st = &pl->stages[stage];
	uint32_t n = rows_of_stage(pl, stage), round;

	r->first[stage] = at;
	for (uint32_t i = 0; i < n; i++) {
		struct dr_rows_row *row = &r->rows[at + i];

		row->stage = stage;
		row->round = st->n_rounds ? n - i : 0;
		row->final = final;
	}
	/* Counted, then each row has its place, then filled. */
	for (uint32_t t = st->first; t - st->first < st->n; t++) {
		dr_plan_inner(pl, t, &round);
		r->rows[round ? at + n - round : at].n++;
	}
	for (uint32_t i = 0; i < n; i++) {
		r->rows[at + i].tasks = r->tasks + *n_tasks;
		*n_tasks += r->rows[at + i].n;
		r->rows[at + i].n = 0;
	}
	for (uint32_t t = st->first; t - st->first < st->n; t++) {
		struct dr_rows_row *row;

		dr_plan_inner(pl, t, &round);
		row = &r->rows[round ? at + n - round : at];
		r->tasks[row->tasks - r->tasks + row->n++] = t;
	}
}

static void
count(const struct dr_plan *pl, struct dr_rows_row *row)
{
	const struct dr_graph *g = pl->graph;

	for (uint32_t k = 0; k < row->n; k++) {
		uint32_t t = row->tasks[k];
		const uint32_t *out = dr_graph_outputs(g, t);

		row->counts[g->tasks[t].state]++;
		if (g->tasks[t].state == DR_UNWANTED)
			continue;
		row->wanted++;
		for (uint32_t i = 0; i < g->tasks[t].n_out; i++) {
			int64_t size = g->files[out[i]].stamp.size;

			row->bytes += size >= 0 ? (uint64_t)size : 0;
			row->n_sized += size >= 0;
			row->n_unsized += size < 0;
		}
	}
}

/* Stages sorted by block, stably, as rows. */
static int
place(struct order *o, uint32_t n_stages, struct dr_rows *r)
{
	uint32_t n_rows = 0, n_tasks = 0, *next;

	for (uint32_t i = 0; i < n_stages; i++)
		n_rows += rows_of_stage(o->pl, o->queue[i]);
	r->n_rows = n_rows;
	r->rows = calloc((size_t)n_rows + 1, sizeof(*r->rows));
	r->blocks = calloc((size_t)r->n_blocks + 2, sizeof(*r->blocks));
	r->tasks = malloc(((size_t)o->pl->graph->n_tasks + 1) * sizeof(*r->tasks));
	if (!r->rows || !r->blocks || !r->tasks)
		return -1;
	/* blocks[b + 2] counts the rows of b, then blocks[b + 1] is where its next row goes, and where b + 1 begins in the end. */
	next = r->blocks + 1;
	for (uint32_t i = 0; i < n_stages; i++)
		next[o->block[find(o->parent, o->queue[i])] + 1] += rows_of_stage(o->pl, o->queue[i]);
	for (uint32_t b = 0; b < r->n_blocks; b++)
		next[b + 1] += next[b];
	for (uint32_t i = 0; i < n_stages; i++) {
		uint32_t s = o->queue[i], b = o->block[find(o->parent, s)];

		add_stage(o->pl, r, s, next[b], o->final[s], &n_tasks);
		next[b] += rows_of_stage(o->pl, s);
	}
	for (uint32_t i = 0; i < n_rows; i++)
		count(o->pl, &r->rows[i]);
	return 0;
}

int
dr_rows_make(const struct dr_plan *pl, struct dr_rows *r, struct dr_err *err)
{
	struct order o = { .pl = pl, .n = pl->pipeline->n_stages };
	size_t n = (size_t)o.n + 1;
	uint32_t n_stages;
	int rc = -1;

	*r = (struct dr_rows){ 0 };
	o.first_edge = calloc(n, sizeof(*o.first_edge));
	o.readers = calloc(n, sizeof(*o.readers));
	o.parent = calloc(n, sizeof(*o.parent));
	o.block = calloc(n, sizeof(*o.block));
	o.queue = calloc(n, sizeof(*o.queue));
	o.final = calloc(n, sizeof(*o.final));
	o.queued = calloc(n, sizeof(*o.queued));
	r->first = malloc(n * sizeof(*r->first));
	if (!o.first_edge || !o.readers || !o.parent || !o.block || !o.queue || !o.final || !o.queued ||
	    !r->first)
		goto out;
	memset(r->first, 0xff, n * sizeof(*r->first));
	for (uint32_t s = 0; s < o.n; s++)
		o.parent[s] = s;
	if (find_edges(&o))
		goto out;
	n_stages = sort_stages(&o);
	r->n_blocks = number_blocks(&o, n_stages);
	rc = place(&o, n_stages, r);
out:
	if (rc)
		dr_err_nomem(err);
	free(o.from);
	free(o.to);
	free(o.first_edge);
	free(o.readers);
	free(o.parent);
	free(o.block);
	free(o.queue);
	free(o.final);
	free(o.queued);
	return rc;
}

void
dr_rows_free(struct dr_rows *r)
{
	free(r->rows);
	free(r->first);
	free(r->blocks);
	free(r->tasks);
	*r = (struct dr_rows){ 0 };
}

uint32_t
dr_rows_of(const struct dr_plan *pl, const struct dr_rows *r, uint32_t task)
{
	const struct dr_task *t = &pl->graph->tasks[task];
	uint32_t round;

	dr_plan_inner(pl, task, &round);
	return r->first[t->stage] + (round ? pl->stages[t->stage].n_rounds - round : 0);
}
