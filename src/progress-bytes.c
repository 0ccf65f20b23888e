#include "config.h"

#include "progress-state.h"

/* Averaged over about as long, so that a rate neither stands still nor jumps with each task that ends. */
static const double window = 20;

uint64_t
dr_progress_bytes(const struct dr_progress *p, uint32_t task, bool *whole)
{
	const struct dr_graph *g = p->o.plan->graph;
	const uint32_t *in = dr_graph_inputs(g, task);
	uint32_t n_in = g->tasks[task].n_in;
	uint64_t bytes = 0;

	*whole = n_in > 0;
	for (uint32_t i = 0; i < n_in; i++) {
		const struct dr_file *f = &g->files[in[i]];

		if (f->producer != DR_NONE || f->stamp.size < 0 || (f->flags & (DR_FILE_DIR | DR_FILE_TREE)))
			*whole = false;
		else
			bytes += (uint64_t)f->stamp.size;
	}
	return bytes;
}

/* All that a task has read, what was made by others in this run too. */
static uint64_t
read_by(const struct dr_progress *p, uint32_t task)
{
	const struct dr_graph *g = p->o.plan->graph;
	const uint32_t *in = dr_graph_inputs(g, task);
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < g->tasks[task].n_in; i++)
		if (g->files[in[i]].stamp.size > 0 && !(g->files[in[i]].flags & (DR_FILE_DIR | DR_FILE_TREE)))
			bytes += (uint64_t)g->files[in[i]].stamp.size;
	return bytes;
}

void
dr_progress_count_bytes(struct dr_progress *p, uint32_t task, bool ran)
{
	bool whole;

	p->bytes_done += dr_progress_bytes(p, task, &whole);
	if (ran)
		p->bytes_read += read_by(p, task);
}

double
dr_progress_rate(struct dr_progress *p, int64_t now)
{
	double all = dr_progress_seconds(now - p->begun), since = dr_progress_seconds(now - p->rate_at);
	double read = (double)(p->bytes_read - p->rate_bytes);

	if (all < window)
		return all > 0 ? (double)p->bytes_read / all : 0;
	if (since >= 1) {
		double weight = since / (since + window);

		if (!p->rated)
			p->rate = (double)p->bytes_read / all;
		else
			p->rate += (read / since - p->rate) * weight;
		p->rated = true;
		p->rate_at = now;
		p->rate_bytes = p->bytes_read;
	}
	return p->rate;
}
