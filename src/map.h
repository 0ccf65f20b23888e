/* Hash table from keys that live elsewhere to 32-bit indices: open addressing, 5 bytes a slot, at most two
 * thirds full, so a million entries cost 10 MB. The owner keeps the keys, compares them and hashes them again
 * when the table grows. */
#ifndef DR_MAP_H
#define DR_MAP_H

#include <stdbool.h>
#include <stdint.h>

#define DR_NONE UINT32_MAX

struct dr_map_ops {
	bool (*eq)(const void *ctx, uint32_t value, const void *key);
	uint64_t (*hash)(const void *ctx, uint32_t value); /* of the key behind a value, for growing */
};

struct dr_map {
	uint32_t *slots; /* a zeroed struct is a valid empty map */
	uint8_t *tags;   /* by slot: a byte of its hash; 0: empty */
	uint32_t mask, used;
};

/* The value found, or DR_NONE. */
uint32_t dr_map_find(const struct dr_map *m, const struct dr_map_ops *ops, const void *ctx, uint64_t hash,
		     const void *key);
/* The memory may begin to fetch what will be needed to look for that hash a few others from now: the table is in no order. */
void dr_map_soon(const struct dr_map *m, uint64_t hash);
/* Adds a value whose key is not there yet (the caller looked). 0, or -1 without memory. */
int dr_map_add(struct dr_map *m, const struct dr_map_ops *ops, const void *ctx, uint64_t hash, uint32_t value);
/* Room for n entries at once. 0 or -1. */
int dr_map_reserve(struct dr_map *m, const struct dr_map_ops *ops, const void *ctx, uint32_t n);
void dr_map_free(struct dr_map *m);

#endif
