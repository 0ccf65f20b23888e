#include "config.h"

#include "arena.h"

#include <stdlib.h>
#include <string.h>

enum {
	BLOCK_MIN = 64 << 10,
	BLOCK_MAX = 1 << 20,
	/* An object as large as this that doesn't fit into the rest of a block gets a block of its own: that
	 * bounds what is left unused behind the last object of a block to a quarter of it. */
	OBJECT_BIG = BLOCK_MIN / 4,
};

struct dr_arena_block {
	struct dr_arena_block *older;
	size_t size, used; /* of data, in bytes */
	max_align_t data[];
};

static struct dr_arena_block *
new_block(size_t size)
{
	struct dr_arena_block *b;

	if (size > SIZE_MAX / 2)
		return NULL;
	b = malloc(sizeof(*b) + size);
	if (b) {
		b->older = NULL;
		b->size = size;
		b->used = 0;
	}
	return b;
}

/* A block with room for size bytes, linked into the arena. */
static struct dr_arena_block *
add_block(struct dr_arena *a, size_t size)
{
	struct dr_arena_block *b, *last = a->last;
	size_t want = BLOCK_MIN;

	if (size >= OBJECT_BIG) {
		b = new_block(size);
		/* Behind the block in use, so that the rest of that one isn't lost. */
		if (b && last) {
			b->older = last->older;
			last->older = b;
		} else if (b) {
			a->last = b;
		}
		return b;
	}
	if (last && last->size >= BLOCK_MIN)
		want = last->size < BLOCK_MAX / 2 ? last->size * 2 : BLOCK_MAX;
	b = new_block(want);
	if (b) {
		b->older = last;
		a->last = b;
	}
	return b;
}

static void *
take(struct dr_arena *a, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	struct dr_arena_block *b = a->last;
	char *p;

	if (size > SIZE_MAX / 2)
		return NULL;
	/* An empty object has an address of its own too. */
	size = size ? (size + align - 1) & ~(align - 1) : align;
	if (!b || b->size - b->used < size)
		b = add_block(a, size);
	if (!b)
		return NULL;
	p = (char *)b->data + b->used;
	b->used += size;
	a->used += size;
	return p;
}

void *
dr_arena_alloc(struct dr_arena *a, size_t size)
{
	void *p = take(a, size);

	return p ? memset(p, 0, size) : NULL;
}

void *
dr_arena_array(struct dr_arena *a, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / size)
		return NULL;
	return dr_arena_alloc(a, n * size);
}

char *
dr_arena_strndup(struct dr_arena *a, const char *s, size_t n)
{
	char *p = n < SIZE_MAX ? take(a, n + 1) : NULL;

	if (!p)
		return NULL;
	if (n)
		memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

void
dr_arena_reset(struct dr_arena *a)
{
	struct dr_arena_block *keep = NULL, *b = a->last, *older;

	/* The newest ordinary block is the largest one; a huge object's would only hold memory. */
	for (; b; b = older) {
		older = b->older;
		if (!keep && b->size <= BLOCK_MAX)
			keep = b;
		else
			free(b);
	}
	if (keep) {
		keep->older = NULL;
		keep->used = 0;
	}
	a->last = keep;
	a->used = 0;
}

void
dr_arena_free(struct dr_arena *a)
{
	struct dr_arena_block *b = a->last, *older;

	for (; b; b = older) {
		older = b->older;
		free(b);
	}
	a->last = NULL;
	a->used = 0;
}

int
dr_grow(void *p, uint32_t *cap, size_t need, size_t size)
{
	size_t n = (size_t)*cap + *cap / 2;
	void *old, *new;

	if (need <= *cap)
		return 0;
	if (n < need)
		n = need;
	if (n < 8)
		n = 8;
	if (n > UINT32_MAX)
		n = UINT32_MAX;
	if (n < need || !size || n > SIZE_MAX / size)
		return -1;
	/* Copied, since p points to a pointer of some other type than void. */
	memcpy(&old, p, sizeof(old));
	new = realloc(old, n * size);
	if (!new)
		return -1;
	memcpy(p, &new, sizeof(new));
	*cap = (uint32_t)n;
	return 0;
}
