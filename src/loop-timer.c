#include "config.h"

#include "loop-private.h"

#include "arena.h"
#include "err.h"
#include "os.h"

static bool
before(const struct dr_loop_due *a, const struct dr_loop_due *b)
{
	return a->when != b->when ? a->when < b->when : a->order < b->order;
}

static void
place(struct dr_loop *l, uint32_t at, struct dr_loop_due d)
{
	l->heap[at] = d;
	l->slots[d.slot].at = at;
}

/* Puts d into the free place `at`, or where the heap's order wants it from there. */
static void
sift(struct dr_loop *l, uint32_t at, struct dr_loop_due d)
{
	while (at > 0 && before(&d, &l->heap[(at - 1) / 2])) {
		place(l, at, l->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (;;) {
		size_t child = 2 * (size_t)at + 1;

		if (child + 1 < l->n_heap && before(&l->heap[child + 1], &l->heap[child]))
			child++;
		if (child >= l->n_heap || !before(&l->heap[child], &d))
			break;
		place(l, at, l->heap[child]);
		at = (uint32_t)child;
	}
	place(l, at, d);
}

static void
drop_timer(struct dr_loop *l, uint32_t slot)
{
	struct dr_loop_slot *s = &l->slots[slot];
	uint32_t at = s->at;

	l->n_heap--;
	if (at < l->n_heap)
		sift(l, at, l->heap[l->n_heap]);
	s->live = false;
	s->age++;
	s->at = l->free_slot;
	l->free_slot = slot + 1;
}

int
dr_loop_timer(struct dr_loop *l, int64_t when, dr_loop_fn fn, void *arg, uint64_t *id, struct dr_err *err)
{
	struct dr_loop_slot *s;
	uint32_t slot;

	if (dr_grow(&l->heap, &l->heap_cap, (size_t)l->n_heap + 1, sizeof(*l->heap)))
		return dr_err_nomem(err);
	if (l->free_slot) {
		slot = l->free_slot - 1;
		s = &l->slots[slot];
		l->free_slot = s->at;
	} else {
		if (dr_grow(&l->slots, &l->slots_cap, (size_t)l->n_slots + 1, sizeof(*l->slots)))
			return dr_err_nomem(err);
		slot = l->n_slots++;
		s = &l->slots[slot];
		s->age = 0;
	}
	s->fn = fn;
	s->arg = arg;
	s->live = true;
	/* What a timer's callback sets is due in the next turn at the soonest, or a turn might never end. */
	if (when <= l->turned_at)
		when = l->turned_at + 1;
	l->n_heap++;
	sift(l, l->n_heap - 1, (struct dr_loop_due){ when, l->orders++, slot });
	dr_loop_hurry(l, when);
	if (id)
		*id = (uint64_t)s->age << 32 | (slot + 1);
	return 0;
}

void
dr_loop_cancel(struct dr_loop *l, uint64_t id)
{
	uint32_t slot = (uint32_t)id - 1;

	if ((uint32_t)id && slot < l->n_slots && l->slots[slot].live &&
	    l->slots[slot].age == (uint32_t)(id >> 32))
		drop_timer(l, slot);
}

void
dr_loop_call_timers(struct dr_loop *l)
{
	l->turned_at = dr_now();
	while (l->n_heap && l->heap[0].when <= l->turned_at) {
		struct dr_loop_slot s = l->slots[l->heap[0].slot];

		drop_timer(l, l->heap[0].slot);
		s.fn(s.arg);
	}
	l->turned_at = INT64_MIN;
}
