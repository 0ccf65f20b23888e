#include "config.h"

#include "sched-slots.h"

#include "arena.h"

#include <stdlib.h>

static const int64_t MS = 1000000;

/* How long a gathering task holds what it has, and how long it then leaves it to others: long enough for
 * whoever sleeps in a read to get it, and rarely the same in two programs. */
enum { HOLD_MS = 50, PAUSE_MIN_MS = 20, PAUSE_SPREAD_MS = 130, TRIES = 3 };

/* Nothing tells when the system has room again, and a second without any is long. */
enum { CROWD_MS = 100, CROWD_TRIES = 10 };

void
dr_slots_free(struct dr_slots *s)
{
	free(s->running);
	free(s->busy);
}

int
dr_slots_reserve(struct dr_slots *s)
{
	uint32_t words = s->n / 64 + 1;

	return dr_grow(&s->running, &s->cap, (size_t)s->n + 1, sizeof(*s->running)) ||
			       dr_grow(&s->busy, &s->busy_cap, words, sizeof(*s->busy))
		       ? -1
		       : 0;
}

uint32_t
dr_slots_next(const struct dr_slots *s)
{
	uint32_t i, word;

	if (s->n_running == s->n)
		return s->n + 1;
	for (word = 0; s->busy[word] == UINT64_MAX; word++)
		;
	i = word * 64;
	for (uint64_t bits = s->busy[word]; bits & 1; bits >>= 1)
		i++;
	return i + 1;
}

void
dr_slots_occupy(struct dr_slots *s, uint32_t task, const struct dr_grant *g)
{
	uint32_t i = g->slot - 1;

	if (i == s->n) {
		if (i % 64 == 0)
			s->busy[i / 64] = 0;
		s->n++;
	}
	s->busy[i / 64] |= UINT64_C(1) << i % 64;
	s->running[i] = (struct dr_running){ task, *g };
	s->n_running++;
	s->used += g->slots;
}

struct dr_running
dr_slots_vacate(struct dr_slots *s, uint32_t slot)
{
	struct dr_running r = s->running[slot - 1];

	s->running[slot - 1].task = DR_NONE;
	s->busy[(slot - 1) / 64] &= ~(UINT64_C(1) << (slot - 1) % 64);
	s->n_running--;
	s->used -= r.grant.slots;
	return r;
}

uint32_t
dr_slots_idle(const struct dr_slots *s)
{
	return s->held - s->used;
}

uint32_t
dr_slots_take(struct dr_slots *s, uint32_t need)
{
	while (dr_slots_idle(s) < need && s->held < s->limit && s->tokens->take(s->tokens) == 1)
		s->held++;
	return dr_slots_idle(s);
}

void
dr_slots_give(struct dr_slots *s)
{
	for (; s->held > s->used; s->held--)
		s->tokens->give(s->tokens);
}

bool
dr_crowd_full(const struct dr_crowd *c, const struct dr_slots *s, int64_t now)
{
	return s->n_running >= c->most && now < c->until;
}

void
dr_crowd_started(struct dr_crowd *c, const struct dr_slots *s, int64_t now)
{
	c->tries = 0;
	if (c->most == UINT32_MAX || s->n_running <= c->most)
		return;
	c->most = s->n_running < s->limit ? s->n_running : UINT32_MAX;
	c->until = now + CROWD_MS * MS;
}

int
dr_crowd_refused(struct dr_crowd *c, const struct dr_slots *s, int64_t now)
{
	c->most = s->n_running;
	c->until = now + CROWD_MS * MS;
	return !s->n_running && ++c->tries > CROWD_TRIES ? -1 : 0;
}

void
dr_gather_begin(struct dr_gather *g, uint32_t task)
{
	g->task = task;
	g->had = 0;
	g->tries = 0;
	g->pause = INT64_MIN;
}

/* splitmix64: a few lines, any seed will do. */
static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

enum dr_gathered
dr_gather_step(struct dr_gather *g, struct dr_slots *s, uint32_t need, int64_t now)
{
	uint32_t idle;

	if (now < g->pause)
		return DR_GATHER_PAUSE;
	idle = dr_slots_take(s, need);
	if (idle >= need)
		return DR_GATHER_START;
	/* With nothing in hand it keeps nobody waiting, and its time has not begun. */
	if (!idle || idle > g->had) {
		g->had = idle;
		g->since = now;
		return DR_GATHER_WAIT;
	}
	if (now - g->since < HOLD_MS * MS)
		return DR_GATHER_WAIT;
	if (++g->tries >= TRIES)
		return DR_GATHER_START;
	dr_slots_give(s);
	g->had = 0;
	g->pause = now + PAUSE_MIN_MS * MS + (int64_t)(next_random(&g->random) % (PAUSE_SPREAD_MS * MS));
	return DR_GATHER_PAUSE;
}

int64_t
dr_gather_wake(const struct dr_gather *g, int64_t now)
{
	if (g->task == DR_NONE)
		return INT64_MAX;
	if (now < g->pause)
		return g->pause;
	return g->had ? g->since + HOLD_MS * MS : INT64_MAX;
}
