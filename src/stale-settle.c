#include "config.h"

#include "err.h"
#include "os.h"
#include "stale-private.h"

/* A file that was looked at within the grain of its time may have been changed once more since, and show the same time: its record has a mark,
 * and it is compared by content. Once that was done when its time was past, and the content was the recorded one, any later change shows: that
 * is recorded, and the next run does not read the file again. */

void
dr_stale_settled(struct dr_stale *s, struct dr_hash128 id)
{
	uint32_t task = dr_graph_by_id(s->plan->graph, id);

	if (task != DR_NONE)
		s->seen[task] &= (uint16_t)~SEEN_MARKED;
}

int
dr_stale_compare(struct dr_stale *s, uint32_t task, struct dr_record *r, enum dr_why *why, unsigned *look, struct dr_buf *tell,
		 struct dr_err *err)
{
	s->compare.settled = !(s->seen[task] & SEEN_MARKED);
	return dr_compare_record(&s->compare, task, r, why, look, tell, err);
}

static int
record(struct dr_stale *s, uint32_t task, struct dr_err *err)
{
	struct dr_rec_barrier rec = {
		.when = dr_realtime(),
		.id = s->plan->graph->tasks[task].id,
		.phase = DR_REC_SETTLED,
	};

	s->seen[task] &= (uint16_t)~SEEN_MARKED;
	if (s->options.dry)
		return 0;
	return dr_journal_add_barrier(s->journal, &rec) ? dr_err_nomem(err) : 0;
}

int
dr_stale_settle(struct dr_stale *s, struct dr_err *err)
{
	struct dr_graph *g = s->plan->graph;

	for (uint32_t t = 0; t < g->n_tasks; t++) {
		struct dr_record r;
		enum dr_why why;
		unsigned look;

		/* What is to run for another reason is not read for that. */
		if (!(s->seen[t] & SEEN_MARKED) || g->tasks[t].record == UINT64_MAX || g->tasks[t].why != DR_WHY_NOT)
			continue;
		if (dr_journal_at(s->journal, g->tasks[t].record, &r, err) || dr_stale_compare(s, t, &r, &why, &look, NULL, err))
			return -1;
		g->tasks[t].why = (uint8_t)why;
		if (s->compare.grave)
			s->seen[t] |= SEEN_GRAVE;
		if (why == DR_WHY_NOT && !s->compare.unsure && record(s, t, err))
			return -1;
	}
	return 0;
}
