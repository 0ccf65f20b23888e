/* What a run and its guardian both see: a page of shared memory or more, with a slot of a cache line for
 * each task and each token. The run only stores to it; nothing here makes a system call. doc/guardian.md
 * has every state, who goes from which to which, and what a kill finds in each.
 *
 * A slot is two things that have nothing to do with each other but their place: the n-th task that runs,
 * and a token that is held. */
#ifndef DR_GUARDIAN_TABLE_H
#define DR_GUARDIAN_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dr_token_state {
	DR_TOKEN_FREE,
	DR_TOKEN_WANTED,    /* about to be read from the pool into `byte`, where DR_TOKEN_NOT stands */
	DR_TOKEN_MOVING,    /* about to be moved from the pool into a pipe of ours */
	DR_TOKEN_MOVED,     /* it is in that pipe, about to be read from there into `byte` */
	DR_TOKEN_HELD,      /* `byte` is it */
	DR_TOKEN_RETURNING, /* the guardian is to write it, and to say FREE */
	DR_TOKEN_WRITING,   /* and is at it */
};

/* What stands where a byte is to be read. No jobserver that is known has such a token; one that has, has
 * tokens that a kill in the middle of that read loses. Only where bytes cannot be moved. */
enum { DR_TOKEN_NOT = 0xff };

enum dr_task_guard { DR_GUARD_NONE, DR_GUARD_STARTING, DR_GUARD_RUNNING };

struct dr_guard_slot {
	_Alignas(64) _Atomic uint32_t token; /* enum dr_token_state */
	unsigned char byte;
	_Atomic uint32_t task; /* enum dr_task_guard */
	_Atomic int32_t pid;   /* of the task's session; 0: not known yet */
	_Atomic uint64_t serial;
	uint32_t seen; /* the guardian's, for a moment */
};

/* Descriptors that a guardian has, by their numbers there. */
enum {
	DR_GUARD_LIFELINE = 3, /* a pipe whose other end the run has: DR_GUARD_WAKE, DR_GUARD_FAREWELL, its end */
	DR_GUARD_TABLE,
	DR_GUARD_PULSE, /* never written to: closed by its death */
	DR_GUARD_POOL,  /* where tokens are written */
	DR_GUARD_VIA,   /* through which tokens come */
	DR_GUARD_LOCK,  /* of the claims, to be held */
	DR_GUARD_END,
};

enum { DR_GUARD_WAKE = 'w', DR_GUARD_FAREWELL = 'f' };

#define DR_GUARD_MAGIC UINT64_C(0x646167756172643a)
enum { DR_GUARD_VERSION = 1, DR_GUARD_HEAD = 8192 };

struct dr_guard_table {
	uint64_t magic;
	uint32_t version, n_slots;
	uint64_t run;
	int32_t pid;      /* of the run */
	uint32_t passed;  /* bits by number: which descriptors there are */
	_Atomic uint32_t used;  /* slots that have ever been in use are below that */
	_Atomic uint32_t ready; /* a guardian has read all this */
	/* Bytes that this guardian has written, to whatever, before the one at hand: its zombie tells how
	 * many it has, and so whether that one is among them. */
	_Atomic uint64_t wrote;
	char dir[4000]; /* of our jobserver, with `pool` in it; "": none. Named before it is made */
	char unused[DR_GUARD_HEAD - 4064];
	struct dr_guard_slot slots[];
};

_Static_assert(sizeof(struct dr_guard_slot) == 64, "a slot is a cache line");
_Static_assert(offsetof(struct dr_guard_table, slots) == DR_GUARD_HEAD, "the slots begin a page");

/* The n-th slot, from 0; n < t->n_slots. */
static inline struct dr_guard_slot *
dr_guard_slot(struct dr_guard_table *t, uint32_t n)
{
	if (n >= atomic_load_explicit(&t->used, memory_order_relaxed))
		atomic_store(&t->used, n + 1);
	return &t->slots[n];
}

/* A task is about to be started; its environment will say `serial`. NULL is fine for t, here and below. */
static inline void
dr_guard_starting(struct dr_guard_table *t, uint32_t n, uint64_t serial)
{
	struct dr_guard_slot *s;

	if (!t)
		return;
	s = dr_guard_slot(t, n);
	atomic_store_explicit(&s->pid, 0, memory_order_relaxed);
	atomic_store_explicit(&s->serial, serial, memory_order_relaxed);
	atomic_store_explicit(&s->task, DR_GUARD_STARTING, memory_order_release);
}

static inline void
dr_guard_started(struct dr_guard_table *t, uint32_t n, int32_t pid)
{
	if (!t)
		return;
	atomic_store_explicit(&t->slots[n].pid, pid, memory_order_relaxed);
	atomic_store_explicit(&t->slots[n].task, DR_GUARD_RUNNING, memory_order_release);
}

/* It has not been started, or has ended, and what it leaves behind may live on. Before it is waited for:
 * from then on its number may be another's. */
static inline void
dr_guard_ended(struct dr_guard_table *t, uint32_t n)
{
	if (t)
		atomic_store_explicit(&t->slots[n].task, DR_GUARD_NONE, memory_order_release);
}

#endif
