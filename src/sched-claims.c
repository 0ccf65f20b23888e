#include "config.h"

#include "sched-claims.h"

#include "arena.h"
#include "err.h"
#include "sched-slots.h"
#include "str.h"

#include <stdlib.h>

/* What there is in memory is looked at anew after that. */
enum { READ_MS = 100 };

static uint64_t
memory_of(const struct dr_claims *c, uint32_t task)
{
	return c->room->memory ? c->stages[c->graph->tasks[task].stage].memory : 0;
}

/* The stage's word, or more if more is expected. */
static uint64_t
disk_of(const struct dr_claims *c, uint32_t task)
{
	uint64_t claim = c->stages[c->graph->tasks[task].stage].disk;

	return c->bytes && c->bytes[task] > claim ? c->bytes[task] : claim;
}

static uint32_t
volume_of(const struct dr_claims *c, uint32_t task)
{
	return c->stages[c->graph->tasks[task].stage].volume;
}

/* Where nothing is to stay free, what is merely expected to be written is no claim. */
static bool
claims_disk(const struct dr_claims *c, uint32_t task)
{
	return c->room->disk && (c->bytes || c->stages[c->graph->tasks[task].stage].disk);
}

static bool
claims(const struct dr_claims *c, uint32_t task)
{
	return c->room && (memory_of(c, task) || claims_disk(c, task));
}

int
dr_claims_init(struct dr_claims *c, const struct dr_graph *g, const struct dr_sched_options *o)
{
	uint32_t n = 0;

	*c = (struct dr_claims){
		.graph = g,
		.stages = o->stages,
		.bytes = o->bytes,
		.room = o->room,
		.admitted = DR_NONE,
		.read = INT64_MIN,
	};
	c->blocked.graph = c->alone.graph = g;
	c->blocked.stages = c->alone.stages = o->stages;
	c->blocked.shuffle = c->alone.shuffle = o->shuffle;
	c->blocked.seed = c->alone.seed = o->shuffle_seed;
	if (!c->room)
		return 0;
	for (uint32_t i = 0; i < o->n_stages; i++)
		if (o->stages[i].volume >= c->n_volumes)
			c->n_volumes = o->stages[i].volume + 1;
	for (uint32_t t = 0; t < g->n_tasks; t++)
		n += (g->tasks[t].state == DR_WAITING || g->tasks[t].state == DR_READY) && claims(c, t);
	c->disk = calloc((size_t)c->n_volumes + 1, sizeof(*c->disk));
	return !c->disk || dr_grow(&c->blocked.v, &c->blocked.cap, n, sizeof(*c->blocked.v)) ? -1 : 0;
}

void
dr_claims_free(struct dr_claims *c)
{
	free(c->blocked.v);
	free(c->alone.v);
	free(c->disk);
}

static void
look(struct dr_claims *c, int64_t now)
{
	if (c->read != INT64_MIN && now - c->read < READ_MS * INT64_C(1000000))
		return;
	c->read = now;
	c->pressed = false;
	c->available = c->room->memory(c->room, &c->pressed);
	if (!c->memory || c->available > c->most)
		c->most = c->available;
}

static bool
memory_fits(struct dr_claims *c, uint32_t task, int64_t now)
{
	uint64_t claim = memory_of(c, task);

	if (!claim)
		return true;
	look(c, now);
	/* What runs may not have taken yet what it claims; and others may have taken what we had counted on. */
	return !c->pressed && claim <= c->available && c->memory <= c->most && claim <= c->most - c->memory;
}

static bool
disk_fits(const struct dr_claims *c, uint32_t task)
{
	uint32_t volume = volume_of(c, task);
	uint64_t left;

	if (!claims_disk(c, task))
		return true;
	/* Nobody knows how much of its claim a running task has written: it counts as if that was nothing. */
	left = c->room->disk(c->room, volume);
	return left > 0 && c->disk[volume] <= left && disk_of(c, task) <= left - c->disk[volume];
}

/* Is there enough for it, beside what runs? Tasks that claim nothing always fit. */
static bool
fits(struct dr_claims *c, const struct dr_slots *slots, uint32_t task, int64_t now)
{
	if (!claims(c, task))
		return true;
	/* One task always has the memory: it may need less than it says. A full disk stays full. */
	return disk_fits(c, task) && (!slots->n_running || memory_fits(c, task, now));
}

bool
dr_claims_hold(struct dr_claims *c, const struct dr_slots *slots, uint32_t task, uint32_t gathering, int64_t now)
{
	if (!claims(c, task) || task == c->admitted)
		return false;
	if (c->blocked.n || c->admitted != DR_NONE || (gathering != DR_NONE && claims(c, gathering)))
		return true;
	return !fits(c, slots, task, now);
}

void
dr_claims_block(struct dr_claims *c, uint32_t task)
{
	dr_ready_push(&c->blocked, task);
}

/* Takes one out of the middle. */
static void
remove_at(struct dr_ready *q, uint32_t at)
{
	uint32_t n = q->n;

	q->v[at] = q->v[n - 1];
	for (q->n = 0; q->n < n - 1;)
		dr_ready_push(q, q->v[q->n]);
}

/* Of those that wait while nothing runs and nothing will make room, the best that would fit; DR_NONE. */
static uint32_t
any_that_fits(struct dr_claims *c, const struct dr_slots *slots, int64_t now)
{
	uint32_t best = DR_NONE, task;

	for (uint32_t i = 0; i < c->blocked.n; i++)
		if (fits(c, slots, c->blocked.v[i], now) &&
		    (best == DR_NONE || dr_ready_before(&c->blocked, c->blocked.v[i], c->blocked.v[best])))
			best = i;
	if (best == DR_NONE)
		return DR_NONE;
	task = c->blocked.v[best];
	remove_at(&c->blocked, best);
	return task;
}

uint32_t
dr_claims_admit(struct dr_claims *c, const struct dr_slots *slots, int64_t now)
{
	uint32_t task = dr_ready_top(&c->blocked);

	if (task == DR_NONE || c->admitted != DR_NONE)
		return DR_NONE;
	if (fits(c, slots, task, now))
		dr_ready_pop(&c->blocked);
	else
		task = slots->n_running ? DR_NONE : any_that_fits(c, slots, now);
	c->admitted = task;
	return task;
}

void
dr_claims_take(struct dr_claims *c, uint32_t task)
{
	if (!c->room)
		return;
	c->memory += memory_of(c, task);
	if (claims_disk(c, task))
		c->disk[volume_of(c, task)] += disk_of(c, task);
}

void
dr_claims_give(struct dr_claims *c, uint32_t task)
{
	if (!c->room)
		return;
	c->memory -= memory_of(c, task);
	if (claims_disk(c, task))
		c->disk[volume_of(c, task)] -= disk_of(c, task);
	c->read = INT64_MIN;
}

int
dr_claims_tell(struct dr_claims *c, struct dr_err *err)
{
	uint32_t task = dr_ready_top(&c->blocked);
	struct dr_buf need = { 0 }, left = { 0 };

	dr_buf_bytes(&need, disk_of(c, task));
	dr_buf_bytes(&left, c->room->disk(c->room, volume_of(c, task)));
	dr_err_set(err, DR_SYSTEM, "no task can start: the next one needs %s on the disk, and %s may be used", dr_buf_cstr(&need),
		   dr_buf_cstr(&left));
	dr_buf_free(&need);
	dr_buf_free(&left);
	return -1;
}
