#include "config.h"

#include "items-table.h"

#include "arena.h"

#include <stdlib.h>
#include <string.h>

/* Each row gets a string that sorts bytewise as the row does, so that one sort does for all orders. Behind
 * what decides stands a byte 1, which comes before any other; to that end bytes 1 and 2 are two. Then its
 * number, so that rows that are the same stay as they were, and none gets lost. */

enum { END = 1, ESCAPE = 2, NUMBER = 5, DIGIT_BASE = 255 };

static void
add_byte(struct dr_buf *out, char c)
{
	if (c == END || c == ESCAPE)
		dr_buf_addc(out, ESCAPE);
	dr_buf_addc(out, c);
}

/* n as bytes of 1 to 255, the first on top: none is a 0. */
static void
add_number(struct dr_buf *out, uint32_t n)
{
	char bytes[NUMBER];

	for (int i = NUMBER; i-- > 0; n /= DIGIT_BASE)
		bytes[i] = (char)(1 + n % DIGIT_BASE);
	dr_buf_add(out, bytes, NUMBER);
}

static uint32_t
read_number(const char *p)
{
	uint32_t n = 0;

	for (int i = 0; i < NUMBER; i++)
		n = n * DIGIT_BASE + ((unsigned char)p[i] - 1U);
	return n;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits: how many of them count, then these. So 9 comes before 10, and both where digits stand among other
 * bytes. */
static size_t
add_digits(struct dr_buf *out, struct dr_str s)
{
	size_t n = 0, zeros = 0;

	while (n < s.n && is_digit(s.p[n]))
		n++;
	while (zeros < n && s.p[zeros] == '0')
		zeros++;
	if (n - zeros < 9) {
		dr_buf_addc(out, (char)('0' + (n - zeros)));
	} else {
		dr_buf_addc(out, '9');
		add_number(out, (uint32_t)(n - zeros));
	}
	dr_buf_add(out, s.p + zeros, n - zeros);
	return n;
}

static void
add_natural(struct dr_buf *out, struct dr_str s)
{
	for (size_t i = 0; i < s.n;) {
		if (is_digit(s.p[i]))
			i += add_digits(out, (struct dr_str){ s.p + i, s.n - i });
		else
			add_byte(out, s.p[i++]);
	}
	dr_buf_addc(out, END);
}

static void
add_key(struct dr_buf *out, enum dr_sort order, struct dr_str text, uint32_t base)
{
	if (order == DR_SORT_NATURAL)
		add_natural(out, text);
	/* What is the same as numbers may differ as text: 1, 01. */
	for (size_t i = 0; i < text.n; i++)
		add_byte(out, text.p[i]);
	dr_buf_addc(out, END);
	add_number(out, base);
	dr_buf_addc(out, '\0');
}

int
dr_items_order(struct dr_items_maker *m)
{
	struct dr_items *it = m->it;
	struct dr_buf keys = { 0 }, text = { 0 };
	uint64_t *at = NULL;
	uint32_t n = 0;
	int rc = dr_items_keep_all(it, m->err);

	for (uint32_t i = 0; i < it->n_kept && rc == 0; i++) {
		dr_buf_reset(&text);
		dr_items_base(it, it->kept[i], &text);
		/* The place, and not the row, so that what has been ordered already is a tie's order. */
		add_key(&keys, m->args->sort, dr_buf_str(&text), i);
	}
	if (rc == 0 && !keys.failed && !text.failed)
		at = dr_items_sort(dr_buf_cstr(&keys), keys.n, &n);
	if (rc == 0 && !at)
		rc = dr_err_nomem(m->err);
	/* The places become rows, and these the new order: first in the keys' own memory, as kept is still
	 * read. */
	for (uint32_t i = 0; i < n && rc == 0; i++) {
		const char *key = keys.p + at[i];

		at[i] = it->kept[read_number(key + strlen(key) - NUMBER)];
	}
	for (uint32_t i = 0; i < n && rc == 0; i++)
		it->kept[i] = (uint32_t)at[i];
	free(at);
	dr_buf_free(&keys);
	dr_buf_free(&text);
	return rc;
}
