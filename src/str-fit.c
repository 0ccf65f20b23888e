#include "config.h"

#include "str.h"

#include <string.h>

/* The bytes of the character at p, of text that is UTF-8. */
static size_t
step(const char *p, const char *end)
{
	size_t n = 1;

	while (p + n < end && ((unsigned char)p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

size_t
dr_str_prefix(struct dr_str s, size_t columns)
{
	const char *p = s.p, *end = s.p + s.n;

	while (p < end) {
		size_t n = step(p, end), width = dr_str_width((struct dr_str){ p, n });

		if (width > columns)
			break;
		columns -= width;
		p += n;
	}
	return (size_t)(p - s.p);
}

/* Where the longest end of s begins that takes at most `columns`. */
static size_t
suffix(struct dr_str s, size_t columns)
{
	size_t at = s.n;

	while (at > 0) {
		size_t from = at - 1, width;

		while (from > 0 && ((unsigned char)s.p[from] & 0xc0) == 0x80)
			from--;
		width = dr_str_width((struct dr_str){ s.p + from, at - from });
		if (width > columns)
			break;
		columns -= width;
		at = from;
	}
	return at;
}

/* One '?' for each character that is not ASCII. */
static void
fold(struct dr_buf *b)
{
	size_t to = 0;

	for (size_t i = 0; i < b->n; i++) {
		unsigned char c = (unsigned char)b->p[i];

		if (c < 0x80)
			b->p[to++] = b->p[i];
		else if ((c & 0xc0) == 0xc0)
			b->p[to++] = '?';
	}
	b->n = to;
}

void
dr_buf_fit(struct dr_buf *b, struct dr_str s, size_t columns, bool utf8)
{
	const char *gap = utf8 ? "…" : "..";
	size_t gap_width = utf8 ? 1 : 2, head, at;
	struct dr_buf e = { 0 };
	struct dr_str all;

	dr_buf_escape(&e, s);
	if (e.failed)
		b->failed = true;
	if (!utf8)
		fold(&e);
	all = dr_buf_str(&e);
	if (dr_str_width(all) <= columns) {
		dr_buf_addstr(b, all);
	} else if (columns <= gap_width) {
		dr_buf_add(b, all.p, dr_str_prefix(all, columns));
	} else {
		head = (columns - gap_width) / 2;
		dr_buf_add(b, all.p, dr_str_prefix(all, head));
		dr_buf_adds(b, gap);
		at = suffix(all, columns - gap_width - head);
		dr_buf_add(b, all.p + at, all.n - at);
	}
	dr_buf_free(&e);
}
