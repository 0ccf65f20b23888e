#include "config.h"

#include "map.h"

#include <stddef.h>
#include <stdlib.h>

enum { SLOTS_MIN = 16 };

/* A slot holds value + 1, so that zeroed memory is empty and DR_NONE can't be stored. */

static void
put(uint32_t *slots, uint32_t mask, uint64_t hash, uint32_t value)
{
	uint32_t i = (uint32_t)hash & mask;

	while (slots[i])
		i = (i + 1) & mask;
	slots[i] = value + 1;
}

uint32_t
dr_map_find(const struct dr_map *m, const struct dr_map_ops *ops, const void *ctx, uint64_t hash,
	    const void *key)
{
	uint32_t i;

	if (!m->used)
		return DR_NONE;
	for (i = (uint32_t)hash & m->mask; m->slots[i]; i = (i + 1) & m->mask) {
		if (ops->eq(ctx, m->slots[i] - 1, key))
			return m->slots[i] - 1;
	}
	return DR_NONE;
}

int
dr_map_reserve(struct dr_map *m, const struct dr_map_ops *ops, const void *ctx, uint32_t n)
{
	uint64_t size = m->slots ? (uint64_t)m->mask + 1 : SLOTS_MIN;
	uint32_t *slots, mask;

	while (size / 3 * 2 < n)
		size *= 2;
	if (m->slots && size == (uint64_t)m->mask + 1)
		return 0;
	if (size > (uint64_t)UINT32_MAX + 1 || size > SIZE_MAX / sizeof(*slots))
		return -1;
	slots = calloc((size_t)size, sizeof(*slots));
	if (!slots)
		return -1;
	mask = (uint32_t)(size - 1);
	if (m->slots) {
		for (uint64_t i = 0; i <= m->mask; i++) {
			if (m->slots[i])
				put(slots, mask, ops->hash(ctx, m->slots[i] - 1), m->slots[i] - 1);
		}
	}
	free(m->slots);
	m->slots = slots;
	m->mask = mask;
	return 0;
}

int
dr_map_add(struct dr_map *m, const struct dr_map_ops *ops, const void *ctx, uint64_t hash, uint32_t value)
{
	if (value == DR_NONE || m->used == UINT32_MAX)
		return -1;
	if (dr_map_reserve(m, ops, ctx, m->used + 1))
		return -1;
	put(m->slots, m->mask, hash, value);
	m->used++;
	return 0;
}

void
dr_map_free(struct dr_map *m)
{
	free(m->slots);
	m->slots = NULL;
	m->mask = 0;
	m->used = 0;
}
