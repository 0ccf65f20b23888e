#include "config.h"

#include "items-table.h"

#include <stdlib.h>
#include <string.h>

/* Eight bytes are looked at at a time, so that they are fetched from where they stand once for eight, and not for every comparison. The first
 * eight that are not common to all go through a radix sort from the last byte to the first, where there are many: a pass for each byte
 * that is not the same everywhere. What is equal in them, and what is few, goes through a quicksort in place: equal ones go on with the
 * next eight. */

enum {
	MANY = 2048, /* from so many on, passes over all of them cost less */
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

/* A stable pass by one byte of the key, to `to`. */
static void
pass(const struct entry *v, uint32_t n, int shift, const uint32_t count[256], struct entry *to)
{
	uint32_t next[256], sum = 0;

	for (int b = 0; b < 256; b++) {
		next[b] = sum;
		sum += count[b];
	}
	for (uint32_t i = 0; i < n; i++)
		to[next[v[i].key >> shift & 0xff]++] = v[i];
}

/* By the keys alone. `spare` is as large as v; returns which of the two has them now. */
static struct entry *
sort_keys(struct entry *v, struct entry *spare, uint32_t n)
{
	uint32_t count[8][256] = { 0 };

	for (uint32_t i = 0; i < n; i++)
		for (int b = 0; b < 8; b++)
			count[b][v[i].key >> 8 * b & 0xff]++;
	for (int b = 0; b < 8; b++) {
		struct entry *t = v;

		if (count[b][v[0].key >> 8 * b & 0xff] == n)
			continue;
		pass(v, n, 8 * b, count[b], spare);
		v = spare;
		spare = t;
	}
	return v;
}

/* What has the same key goes deeper, unless that was its end. */
static void
sort_equal(const char *bytes, struct entry *v, uint32_t n, uint64_t depth)
{
	for (uint32_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && v[end].key == v[i].key; end++)
			;
		if (end - i < 2 || !(v[i].key & 0xff))
			continue;
		for (uint32_t k = i; k < end; k++)
			v[k].key = load(bytes + v[k].at + depth + 8);
		sort_all(bytes, v + i, end - i, depth + 8);
	}
}

/* Returns where they are sorted: in v, which is gone otherwise. */
static struct entry *
sort_many(const char *bytes, struct entry *v, uint32_t n, uint64_t depth)
{
	struct entry *spare = n < MANY ? NULL : malloc(n * sizeof(*v)), *sorted;

	if (!spare) {
		sort_all(bytes, v, n, depth);
		return v;
	}
	sorted = sort_keys(v, spare, n);
	free(sorted == v ? spare : v);
	sort_equal(bytes, sorted, n, depth);
	return sorted;
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
	uint64_t *at, depth, before = 0;
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
		v = sort_many(bytes, v, (uint32_t)count, depth);
	}
	/* In place: an offset takes half of an entry, so that it never overtakes what is still to be read. The same strings have gone the
	 * same way and have the same key, and only where that is so is it worth to fetch them. */
	at = (uint64_t *)(void *)v;
	for (size_t i = 0; i < count; i++) {
		uint64_t here = v[i].at, key = v[i].key;

		if (!kept || key != before || strcmp(bytes + at[kept - 1], bytes + here) != 0)
			at[kept++] = here;
		before = key;
	}
	*rows = kept;
	at = realloc(v, (kept ? kept : 1) * sizeof(*at));
	return at ? at : (uint64_t *)(void *)v;
}
