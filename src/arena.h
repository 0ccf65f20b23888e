/* Bump allocator: one lifetime, one arena. Nothing is freed alone. */
#ifndef DR_ARENA_H
#define DR_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct dr_arena {
	struct dr_arena_block *last; /* NULL: empty; a zeroed struct is a valid arena */
	size_t used;                 /* bytes handed out, for statistics */
};

/* Zeroed memory aligned for any object; NULL when there is no memory, or n * size overflows. */
void *dr_arena_alloc(struct dr_arena *a, size_t size);
void *dr_arena_array(struct dr_arena *a, size_t n, size_t size);
/* A copy of n bytes, with a NUL behind them. */
char *dr_arena_strndup(struct dr_arena *a, const char *s, size_t n);
void dr_arena_reset(struct dr_arena *a); /* keeps one block for the next use */
void dr_arena_free(struct dr_arena *a);

/* Room for at least `need` elements of `size` bytes in *p (malloc'd; *cap elements now), growing by half or
 * more; 0, or -1 when there is no memory or the size overflows (*p and *cap are then unchanged). */
int dr_grow(void *p, uint32_t *cap, size_t need, size_t size);

#endif
