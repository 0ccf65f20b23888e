#include "config.h"

#include "map.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	SLOTS_MIN = 16,
	PAGE = 4096,     /* where they are larger, the system refuses */
	LARGE = 2 << 20, /* what is smaller has no large page within it */
};

/* A tag is a byte of the hash, never zero, which is an empty slot. Keys lie elsewhere, and each look at one is a miss of
 * the cache: a tag that differs says without it that the key does too. The slot's place comes from the low bits. */
static uint8_t
tag_of(uint64_t hash)
{
	uint8_t tag = (uint8_t)(hash >> 56);

	return tag ? tag : 1;
}

static void
put(uint32_t *slots, uint8_t *tags, uint32_t mask, uint64_t hash, uint32_t value)
{
	uint32_t i = (uint32_t)hash & mask;

	while (tags[i])
		i = (i + 1) & mask;
	tags[i] = tag_of(hash);
	slots[i] = value;
}

uint32_t
dr_map_find(const struct dr_map *m, const struct dr_map_ops *ops, const void *ctx, uint64_t hash,
	    const void *key)
{
	const uint8_t tag = tag_of(hash);

	if (!m->used)
		return DR_NONE;
	for (uint32_t i = (uint32_t)hash & m->mask; m->tags[i]; i = (i + 1) & m->mask) {
		if (m->tags[i] == tag && ops->eq(ctx, m->slots[i], key))
			return m->slots[i];
	}
	return DR_NONE;
}

/* What is filled in no order is found sooner in large pages, and all of it will be used. Where there are none, nothing happens. */
static void
large_pages(void *p, size_t n)
{
#ifdef MADV_HUGEPAGE
	uintptr_t from = ((uintptr_t)p + PAGE - 1) & ~(uintptr_t)(PAGE - 1), end = ((uintptr_t)p + n) & ~(uintptr_t)(PAGE - 1);

	if (n >= LARGE)
		(void)madvise((void *)from, end - from, MADV_HUGEPAGE);
#else
	(void)p;
	(void)n;
#endif
}

int
dr_map_reserve(struct dr_map *m, const struct dr_map_ops *ops, const void *ctx, uint32_t n)
{
	uint64_t size = m->tags ? (uint64_t)m->mask + 1 : SLOTS_MIN;
	uint32_t *slots, mask;
	uint8_t *tags;

	while (size / 3 * 2 < n)
		size *= 2;
	if (m->tags && size == (uint64_t)m->mask + 1)
		return 0;
	if (size > (uint64_t)UINT32_MAX + 1 || size > SIZE_MAX / sizeof(*slots))
		return -1;
	slots = malloc((size_t)size * sizeof(*slots));
	tags = calloc((size_t)size, 1);
	if (!slots || !tags) {
		free(slots);
		free(tags);
		return -1;
	}
	large_pages(slots, (size_t)size * sizeof(*slots));
	large_pages(tags, (size_t)size);
	mask = (uint32_t)(size - 1);
	for (uint64_t i = 0; m->tags && i <= m->mask; i++) {
		if (m->tags[i])
			put(slots, tags, mask, ops->hash(ctx, m->slots[i]), m->slots[i]);
	}
	free(m->slots);
	free(m->tags);
	m->slots = slots;
	m->tags = tags;
	m->mask = mask;
	return 0;
}

void
dr_map_soon(const struct dr_map *m, uint64_t hash)
{
	if (!m->used)
		return;
	__builtin_prefetch(&m->tags[(uint32_t)hash & m->mask]);
	__builtin_prefetch(&m->slots[(uint32_t)hash & m->mask], 1);
}

int
dr_map_add(struct dr_map *m, const struct dr_map_ops *ops, const void *ctx, uint64_t hash, uint32_t value)
{
	if (value == DR_NONE || m->used == UINT32_MAX)
		return -1;
	if (dr_map_reserve(m, ops, ctx, m->used + 1))
		return -1;
	put(m->slots, m->tags, m->mask, hash, value);
	m->used++;
	return 0;
}

void
dr_map_free(struct dr_map *m)
{
	free(m->slots);
	free(m->tags);
	*m = (struct dr_map){ 0 };
}
