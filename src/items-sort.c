#include "config.h"

#include "items-table.h"

#include <stdlib.h>
#include <string.h>

/* A quicksort in place that looks at eight bytes at a time: equal ones go on with the next eight. So the bytes
 * are fetched from where they stand once for eight, and not for every comparison. */

enum {
	SMALL = 12, /* sorted by insertion */
	/* Parts that wait while a smaller one is sorted: of the three parts of a split the largest waits at the
	 * bottom, so at most two are added each time that the size is halved. */
	WAITING = 2 * 32 + 2,
};

struct entry {
	uint64_t key; /* the eight bytes at the depth reached, the first on top; zeros behind the end */
	uint64_t at;
};

struct part {
	struct entry *v;
	uint32_t n;
	uint64_t depth;
};

static uint64_t
load(const char *s)
{
	uint64_t key = 0;

	for (int shift = 56; shift >= 0 && *s; shift -= 8, s++)
		key |= (uint64_t)(unsigned char)*s << shift;
	return key;
}

/* At the same depth, with keys loaded. A key whose last byte is zero is the whole rest of its string. */
static bool
before(const char *bytes, const struct entry *a, const struct entry *b, uint64_t depth)
{
	if (a->key != b->key || !(a->key & 0xff))
		return a->key < b->key;
	return strcmp(bytes + a->at + depth + 8, bytes + b->at + depth + 8) < 0;
}

static void
sort_small(const char *bytes, const struct part *p)
{
	for (uint32_t i = 1; i < p->n; i++) {
		struct entry e = p->v[i];
		uint32_t k = i;

		for (; k > 0 && before(bytes, &e, &p->v[k - 1], p->depth); k--)
			p->v[k] = p->v[k - 1];
		p->v[k] = e;
	}
}

static uint64_t
median(uint64_t a, uint64_t b, uint64_t c)
{
	if (a > b) {
		uint64_t t = a;

		a = b;
		b = t;
	}
	return c < a ? a : c > b ? b : c;
}

static void
swap(struct entry *a, struct entry *b)
{
	struct entry t = *a;

	*a = *b;
	*b = t;
}

/* Splits into what is below, equal to and above a key that occurs; the equal ones go eight bytes deeper. */
static void
split(const char *bytes, const struct part *p, uint64_t *seed, struct part out[3])
{
	uint32_t low = 0, i = 0, high = p->n;
	uint64_t key[3], pivot;

	/* By chance, so that no order of names is a bad one. */
	for (int k = 0; k < 3; k++) {
		*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		key[k] = p->v[(*seed >> 32) % p->n].key;
	}
	pivot = median(key[0], key[1], key[2]);
	while (i < high) {
		if (p->v[i].key < pivot)
			swap(&p->v[low++], &p->v[i++]);
		else if (p->v[i].key > pivot)
			swap(&p->v[--high], &p->v[i]);
		else
			i++;
	}
	out[0] = (struct part){ p->v, low, p->depth };
	out[1] = (struct part){ p->v + low, high - low, p->depth + 8 };
	out[2] = (struct part){ p->v + high, p->n - high, p->depth };
	if (!(pivot & 0xff)) {
		out[1].n = 0; /* the same to their end */
		return;
	}
	for (uint32_t k = 0; k < out[1].n; k++)
		out[1].v[k].key = load(bytes + out[1].v[k].at + out[1].depth);
}

static void
sort_all(const char *bytes, struct entry *v, uint32_t n, uint64_t depth)
{
	struct part waiting[WAITING], now = { v, n, depth }, out[3], t;
	uint32_t waits = 0;
	uint64_t seed = n;

	for (;;) {
		if (now.n <= SMALL) {
			sort_small(bytes, &now);
			if (!waits)
				break;
			now = waiting[--waits];
			continue;
		}
		split(bytes, &now, &seed, out);
		for (int i = 0; i < 2; i++) {
			if (out[i].n > out[2].n) {
				t = out[i];
				out[i] = out[2];
				out[2] = t;
			}
		}
		if (out[0].n > out[1].n) {
			t = out[0];
			out[0] = out[1];
			out[1] = t;
		}
		waiting[waits++] = out[2];
		waiting[waits++] = out[1];
		now = out[0];
	}
}

/* How many bytes all strings begin with in common: the names of one directory share its path. */
static uint64_t
common(const char *bytes, const struct entry *v, uint32_t n)
{
	uint64_t depth = strlen(bytes + v[0].at);

	for (uint32_t i = 1; i < n; i++) {
		uint64_t k = 0;

		while (k < depth && bytes[v[i].at + k] == bytes[v[0].at + k])
			k++;
		depth = k;
	}
	return depth;
}

uint64_t *
dr_items_sort(const char *bytes, size_t n, uint32_t *rows)
{
	struct entry *v;
	uint64_t *at, depth;
	size_t count = 0;
	uint32_t kept = 0;

	for (size_t i = 0; i < n; i += strlen(bytes + i) + 1)
		count++;
	*rows = 0;
	if (count > DR_ROWS_MAX || count > SIZE_MAX / sizeof(*v))
		return NULL;
	v = malloc((count ? count : 1) * sizeof(*v));
	if (!v)
		return NULL;
	count = 0;
	for (size_t i = 0; i < n; i += strlen(bytes + i) + 1)
		v[count++].at = i;
	if (count) {
		depth = common(bytes, v, (uint32_t)count);
		for (size_t i = 0; i < count; i++)
			v[i].key = load(bytes + v[i].at + depth);
		sort_all(bytes, v, (uint32_t)count, depth);
	}
	/* In place: an offset takes half of an entry, so that it never overtakes what is still to be read. */
	at = (uint64_t *)(void *)v;
	for (size_t i = 0; i < count; i++) {
		uint64_t here = v[i].at;

		if (!kept || strcmp(bytes + at[kept - 1], bytes + here) != 0)
			at[kept++] = here;
	}
	*rows = kept;
	at = realloc(v, (kept ? kept : 1) * sizeof(*at));
	return at ? at : (uint64_t *)(void *)v;
}
