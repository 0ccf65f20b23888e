#include "config.h"

#include "sched-queue.h"

/* splitmix64's last steps: a permutation, so no two tasks have the same. */
static uint64_t
place(uint64_t seed, uint32_t task)
{
	uint64_t z = seed + (task + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

bool
dr_ready_before(const struct dr_ready *q, uint32_t a, uint32_t b)
{
	const struct dr_task *ta = &q->graph->tasks[a], *tb = &q->graph->tasks[b];
	bool fa, fb;

	if (q->shuffle != DR_SHUFFLE_NONE)
		return q->shuffle == DR_SHUFFLE_REVERSE ? a > b : place(q->seed, a) < place(q->seed, b);
	fa = q->stages[ta->stage].frees;
	fb = q->stages[tb->stage].frees;
	if (fa != fb)
		return fa;
	if (ta->path > tb->path)
		return true;
	if (ta->path < tb->path)
		return false;
	return a < b;
}

void
dr_ready_push(struct dr_ready *q, uint32_t task)
{
	uint32_t i = q->n++, up;

	for (; i > 0; i = up) {
		up = (i - 1) / 2;
		if (!dr_ready_before(q, task, q->v[up]))
			break;
		q->v[i] = q->v[up];
	}
	q->v[i] = task;
}

uint32_t
dr_ready_top(const struct dr_ready *q)
{
	return q->n ? q->v[0] : DR_NONE;
}

void
dr_ready_pop(struct dr_ready *q)
{
	uint32_t i = 0, down, last;

	if (!q->n)
		return;
	last = q->v[--q->n];
	for (;;) {
		down = 2 * i + 1;
		if (down >= q->n)
			break;
		if (down + 1 < q->n && dr_ready_before(q, q->v[down + 1], q->v[down]))
			down++;
		if (!dr_ready_before(q, q->v[down], last))
			break;
		q->v[i] = q->v[down];
		i = down;
	}
	q->v[i] = last;
}

static bool
sooner(const struct dr_timed_task *a, const struct dr_timed_task *b)
{
	return a->when < b->when || (a->when == b->when && a->task < b->task);
}

void
dr_timed_push(struct dr_timed *q, int64_t when, uint32_t task)
{
	struct dr_timed_task t = { when, task };
	uint32_t i = q->n++, up;

	for (; i > 0; i = up) {
		up = (i - 1) / 2;
		if (!sooner(&t, &q->v[up]))
			break;
		q->v[i] = q->v[up];
	}
	q->v[i] = t;
}

void
dr_timed_pop(struct dr_timed *q)
{
	struct dr_timed_task last;
	uint32_t i = 0, down;

	if (!q->n)
		return;
	last = q->v[--q->n];
	for (;;) {
		down = 2 * i + 1;
		if (down >= q->n)
			break;
		if (down + 1 < q->n && sooner(&q->v[down + 1], &q->v[down]))
			down++;
		if (!sooner(&q->v[down], &last))
			break;
		q->v[i] = q->v[down];
		i = down;
	}
	q->v[i] = last;
}
