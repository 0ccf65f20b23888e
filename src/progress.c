#include "config.h"

#include "progress-state.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "err.h"

uint32_t
dr_progress_row_of(const struct dr_progress *p, uint32_t task)
{
	const struct dr_task *t = &p->o.plan->graph->tasks[task];
	uint32_t round;

	dr_plan_inner(p->o.plan, task, &round);
	return p->stages[t->stage].first + (round ? round - 1 : 0);
}

static int
make_rows(struct dr_progress *p)
{
	const struct dr_plan *pl = p->o.plan;
	uint32_t n = 0;

	for (uint32_t s = 0; s < p->n_stages; s++) {
		uint32_t slots = pl->pipeline->stages[s].slots;

		p->stages[s].first = n;
		if (pl->stages[s].planned && pl->stages[s].n)
			p->stages[s].n = pl->stages[s].n_rounds ? pl->stages[s].n_rounds : 1;
		p->stages[s].slots = slots < 1 ? 1 : slots < p->o.slots ? slots : p->o.slots;
		n += p->stages[s].n;
	}
	p->rows = calloc((size_t)n + 1, sizeof(*p->rows));
	return p->rows ? 0 : -1;
}

static void
count_tasks(struct dr_progress *p)
{
	const struct dr_graph *g = p->o.plan->graph;

	for (uint32_t t = 0; t < g->n_tasks; t++) {
		struct dr_progress_stage *st = &p->stages[g->tasks[t].stage];
		struct dr_progress_row *r;
		uint64_t bytes;
		bool whole;

		if (g->tasks[t].state == DR_UNWANTED)
			continue;
		r = &p->rows[dr_progress_row_of(p, t)];
		r->total++;
		st->total++;
		if (g->tasks[t].state == DR_CLEAN) {
			r->clean++;
			st->clean++;
			p->clean++;
			continue;
		}
		p->todo++;
		bytes = dr_progress_bytes(p, t, &whole);
		p->bytes_all += bytes;
		if (g->tasks[t].last_ms) {
			r->known_left += g->tasks[t].last_ms / 1000.0;
		} else {
			r->unknown_left++;
			p->unknown_left++;
			r->sized_left += whole;
			r->bytes_left += whole ? (double)bytes : 0;
		}
	}
	p->all_known = !p->unknown_left;
}

/* fn of each stage that s names as what it reads from; the same may come more than once. */
static void
each_read(const struct dr_stage *s, uint32_t *readers,
	  void (*fn)(uint32_t *readers, uint32_t from, void *arg), void *arg)
{
	if (s->each_stage != DR_NONE)
		fn(readers, s->each_stage, arg);
	for (uint32_t i = 0; i < s->n_inputs; i++)
		for (uint32_t k = 0; k < s->inputs[i].n_refs; k++)
			if (s->inputs[i].refs[k].stage != DR_NONE)
				fn(readers, s->inputs[i].refs[k].stage, arg);
}

static void
one_more(uint32_t *readers, uint32_t from, void *arg)
{
	(void)arg;
	readers[from]++;
}

static void
one_less(uint32_t *readers, uint32_t from, void *arg)
{
	struct dr_progress *p = arg;

	if (--readers[from] == 0 && p->stages[from].n)
		p->order[p->n_order++] = from;
}

/* Stages behind all that read from them. */
static int
sort_stages(struct dr_progress *p)
{
	const struct dr_pipeline *pipeline = p->o.plan->pipeline;
	uint32_t *readers = calloc((size_t)p->n_stages + 1, sizeof(*readers));

	if (!readers)
		return -1;
	for (uint32_t s = 0; s < p->n_stages; s++)
		if (p->stages[s].n)
			each_read(&pipeline->stages[s], readers, one_more, NULL);
	for (uint32_t s = 0; s < p->n_stages; s++)
		if (p->stages[s].n && !readers[s])
			p->order[p->n_order++] = s;
	for (uint32_t i = 0; i < p->n_order; i++)
		each_read(&pipeline->stages[p->order[i]], readers, one_less, p);
	free(readers);
	return 0;
}

int
dr_progress_new(const struct dr_progress_options *o, struct dr_progress **out, struct dr_err *err)
{
	struct dr_progress *p = calloc(1, sizeof(*p));
	size_t n = (size_t)o->plan->pipeline->n_stages + 1;

	if (!p)
		return dr_err_nomem(err);
	p->o = *o;
	p->o.slots = o->slots ? o->slots : 1;
	p->n_stages = o->plan->pipeline->n_stages;
	p->begun = p->held_at = p->told_at = p->rate_at = o->now;
	p->wrote_at = INT64_MIN;
	p->random = 1;
	p->stages = calloc(n, sizeof(*p->stages));
	p->order = calloc(n, sizeof(*p->order));
	p->tail = calloc(n, sizeof(*p->tail));
	p->slots_from = o->slots_from ? strdup(o->slots_from) : NULL;
	if (!p->stages || !p->order || !p->tail || (o->slots_from && !p->slots_from) || make_rows(p) ||
	    sort_stages(p)) {
		dr_progress_free(p);
		return dr_err_nomem(err);
	}
	count_tasks(p);
	if (p->o.mode == DR_PROGRESS_JSON)
		dr_progress_json_begin(p);
	*out = p;
	return 0;
}

void
dr_progress_free(struct dr_progress *p)
{
	if (!p)
		return;
	for (uint32_t s = 0; p->stages && s < p->n_stages; s++)
		free(p->stages[s].samples);
	free(p->slots_from);
	free(p->rows);
	free(p->stages);
	free(p->order);
	free(p->tail);
	free(p->running);
	dr_buf_free(&p->out);
	dr_buf_free(&p->lines);
	dr_buf_free(&p->last);
	dr_buf_free(&p->pending);
	free(p);
}

/* What is held now counts for more the longer it is held: a slot that is free between two tasks is not a slot less. */
static void
hold(struct dr_progress *p, int change, uint32_t slots, int64_t now)
{
	double dt = dr_progress_seconds(now - p->held_at), weight = dt > 0 ? dt / (dt + 5) : 0;

	p->slots_held += (p->slots_used - p->slots_held) * weight;
	p->held_at = now;
	p->slots_used = change > 0              ? p->slots_used + slots
			: p->slots_used > slots ? p->slots_used - slots
						: 0;
	if (p->slots_used > p->slots_held)
		p->slots_held = p->slots_used;
}

void
dr_progress_started(struct dr_progress *p, uint32_t task, uint32_t slots, int64_t now)
{
	struct dr_progress_stage *st = &p->stages[p->o.plan->graph->tasks[task].stage];

	if (!slots)
		slots = st->slots;
	/* Without memory it is merely not shown. */
	if (dr_grow(&p->running, &p->cap_running, (size_t)p->n_running + 1, sizeof(*p->running)))
		return;
	p->running[p->n_running++] = (struct dr_progress_running){ task, slots, now };
	p->rows[dr_progress_row_of(p, task)].running++;
	st->running++;
	hold(p, 1, slots, now);
	if (p->o.mode == DR_PROGRESS_JSON)
		dr_progress_json_started(p, task, now);
}

/* Takes the task from those that run; its time in *seconds, what it held in *slots. They stay in the order of their starts. */
static bool
stop_running(struct dr_progress *p, uint32_t task, int64_t now, double *seconds, uint32_t *slots)
{
	uint32_t i = 0;

	while (i < p->n_running && p->running[i].task != task)
		i++;
	if (i == p->n_running)
		return false;
	*seconds = dr_progress_seconds(now - p->running[i].since);
	*slots = p->running[i].slots;
	memmove(&p->running[i], &p->running[i + 1], (p->n_running - i - 1) * sizeof(*p->running));
	p->n_running--;
	p->rows[dr_progress_row_of(p, task)].running--;
	return true;
}

/* Every task of a stage has the same chance to be among the samples. */
static void
sample(struct dr_progress *p, struct dr_progress_stage *st, double seconds)
{
	uint64_t at = st->timed++;

	if (!st->samples)
		st->samples = calloc(DR_PROGRESS_SAMPLES, sizeof(*st->samples));
	if (at >= DR_PROGRESS_SAMPLES) {
		p->random ^= p->random << 13;
		p->random ^= p->random >> 7;
		p->random ^= p->random << 17;
		at = p->random % (at + 1);
	}
	if (st->samples && at < DR_PROGRESS_SAMPLES)
		st->samples[at] = (float)seconds;
}

static void
time_task(struct dr_progress *p, uint32_t task, double seconds)
{
	const struct dr_task *t = &p->o.plan->graph->tasks[task];
	struct dr_progress_row *r = &p->rows[dr_progress_row_of(p, task)];
	double before = t->last_ms / 1000.0, bytes;
	bool whole;

	bytes = (double)dr_progress_bytes(p, task, &whole);
	r->timed++;
	r->seconds += seconds;
	r->squares += seconds * seconds;
	if (whole) {
		r->sized++;
		r->sized_bytes += bytes;
		r->sized_seconds += seconds;
		r->bytes_bytes += bytes * bytes;
		r->bytes_seconds += bytes * seconds;
		r->seconds_seconds += seconds * seconds;
	}
	p->timed++;
	p->seconds += seconds;
	if (t->last_ms) {
		p->n_known++;
		p->known_before += before;
		p->known_now += seconds;
		p->before_before += before * before;
		p->before_now += before * seconds;
		p->now_now += seconds * seconds;
	}
	sample(p, &p->stages[t->stage], seconds);
}

/* The task is none of those any more whose time is to be guessed. */
static void
take_left(struct dr_progress *p, uint32_t task, struct dr_progress_row *r)
{
	const struct dr_task *t = &p->o.plan->graph->tasks[task];
	double bytes;
	bool whole;

	if (t->last_ms) {
		r->known_left -= t->last_ms / 1000.0;
		/* What is left of a sum of fractions when all are taken away again need not be 0. */
		r->known_left = r->known_left > 1e-6 ? r->known_left : 0;
	} else {
		r->unknown_left--;
		p->unknown_left--;
		bytes = (double)dr_progress_bytes(p, task, &whole);
		r->sized_left -= whole;
		r->bytes_left -= whole ? bytes : 0;
	}
}

void
dr_progress_ended(struct dr_progress *p, uint32_t task, enum dr_progress_end how, int64_t now)
{
	const struct dr_task *t = &p->o.plan->graph->tasks[task];
	struct dr_progress_row *r = &p->rows[dr_progress_row_of(p, task)];
	struct dr_progress_stage *st = &p->stages[t->stage];
	double seconds = 0;
	uint32_t slots = 0;
	bool whole, ran = stop_running(p, task, now, &seconds, &slots);

	if (ran) {
		st->running--;
		hold(p, -1, slots, now);
	}
	if (p->o.mode == DR_PROGRESS_JSON)
		dr_progress_json_ended(p, task, how, ran, seconds, now);
	p->stopped += how == DR_PROGRESS_STOPPED;
	if (how == DR_PROGRESS_AGAIN || how == DR_PROGRESS_STOPPED || r->clean +
		    r->done + r->failed >= r->total)
		return;
	take_left(p, task, r);
	if (how == DR_PROGRESS_CLEAN) {
		p->bytes_all -= dr_progress_bytes(p, task, &whole);
		r->clean++;
		st->clean++;
		p->clean++;
		p->todo--;
		return;
	}
	dr_progress_count_bytes(p, task, ran);
	p->ended++;
	if (how == DR_PROGRESS_FAILED) {
		r->failed++;
		st->failed++;
		p->failed++;
		return;
	}
	r->done++;
	st->done++;
	p->done++;
	if (ran)
		time_task(p, task, seconds);
}
