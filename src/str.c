#include "config.h"

#include "str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dr_str
dr_str(const char *s)
{
	return s ? (struct dr_str){ s, strlen(s) } : (struct dr_str){ "", 0 };
}

bool
dr_str_eq(struct dr_str a, struct dr_str b)
{
	return a.n == b.n && (!a.n || memcmp(a.p, b.p, a.n) == 0);
}

bool
dr_str_is(struct dr_str a, const char *s)
{
	return dr_str_eq(a, dr_str(s));
}

char *
dr_buf_room(struct dr_buf *b, size_t n)
{
	size_t cap = b->cap;
	char *p;

	if (b->failed)
		return NULL;
	if (n < cap && b->n < cap - n)
		return b->p + b->n;
	if (n >= SIZE_MAX / 2 - b->n) {
		b->failed = true;
		return NULL;
	}
	cap = cap < 64 ? 64 : cap * 2;
	if (cap < b->n + n + 1)
		cap = b->n + n + 1;
	p = realloc(b->p, cap);
	if (!p) {
		b->failed = true;
		return NULL;
	}
	b->p = p;
	b->cap = cap;
	b->p[b->n] = '\0';
	return b->p + b->n;
}

void
dr_buf_add(struct dr_buf *b, const void *p, size_t n)
{
	char *to = n ? dr_buf_room(b, n) : NULL;

	if (!to)
		return;
	memcpy(to, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void
dr_buf_addc(struct dr_buf *b, char c)
{
	dr_buf_add(b, &c, 1);
}

void
dr_buf_adds(struct dr_buf *b, const char *s)
{
	dr_buf_add(b, s, strlen(s));
}

void
dr_buf_addstr(struct dr_buf *b, struct dr_str s)
{
	dr_buf_add(b, s.p, s.n);
}

void
dr_buf_addv(struct dr_buf *b, const char *fmt, va_list ap)
{
	va_list again;
	size_t room;
	char *to;
	int n;

	if (b->failed)
		return;
	va_copy(again, ap);
	room = b->cap - b->n;
	n = vsnprintf(room ? b->p + b->n : NULL, room, fmt, ap);
	if (n >= 0 && (size_t)n >= room) {
		to = dr_buf_room(b, (size_t)n);
		if (to)
			n = vsnprintf(to, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	if (n < 0)
		b->failed = true;
	if (!b->failed)
		b->n += (size_t)n;
	else if (b->p)
		b->p[b->n] = '\0';
}

void
dr_buf_addu(struct dr_buf *b, uint64_t n)
{
	char digits[20], *p = digits + sizeof(digits);

	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	dr_buf_add(b, p, (size_t)(digits + sizeof(digits) - p));
}

void
dr_buf_addx(struct dr_buf *b, uint64_t n, int digits)
{
	char text[16], *p = text + sizeof(text);

	do
		*--p = "0123456789abcdef"[n & 15];
	while ((n >>= 4) || text + sizeof(text) - p < digits);
	dr_buf_add(b, p, (size_t)(text + sizeof(text) - p));
}

void
dr_buf_addf(struct dr_buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	dr_buf_addv(b, fmt, ap);
	va_end(ap);
}

void
dr_buf_reset(struct dr_buf *b)
{
	b->n = 0;
	b->failed = false;
	if (b->p)
		b->p[0] = '\0';
}

void
dr_buf_free(struct dr_buf *b)
{
	free(b->p);
	*b = (struct dr_buf){ 0 };
}

const char *
dr_buf_cstr(const struct dr_buf *b)
{
	return b->p ? b->p : "";
}

struct dr_str
dr_buf_str(const struct dr_buf *b)
{
	return (struct dr_str){ dr_buf_cstr(b), b->n };
}

static bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Whether a shell reads the word back unchanged without quotes. NAME=… would be an assignment in front of a
 * command; elsewhere (--opt=value) the sign is plain. */
static bool
is_plain(struct dr_str s)
{
	bool name = s.n > 0 && is_alpha(s.p[0]);

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '=' && name)
			return false;
		if (is_alpha(c) || is_digit(c))
			continue;
		name = false;
		if (!c || !strchr("@%+=:,./-", c))
			return false;
	}
	return s.n > 0;
}

/* The bytes of the UTF-8 character that s (not empty) begins with, and its code point; 0 if those bytes are
 * none: also longer forms than needed, surrogates and what is above U+10FFFF. */
static size_t
utf8(struct dr_str s, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
	uint32_t u = n == 1 ? c : c & (0x7fU >> n);

	if (n == 0 || n > s.n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		c = (unsigned char)s.p[i];
		if ((c & 0xc0) != 0x80)
			return 0;
		u = u << 6 | (c & 0x3f);
	}
	if (u < least[n] || u > 0x10ffff || (u >= 0xd800 && u < 0xe000))
		return 0;
	*code = u;
	return n;
}

size_t
dr_str_utf8(struct dr_str s, uint32_t *code)
{
	return utf8(s, code);
}

/* Is what s begins with, n bytes (0: no character) of this code point, nothing that a terminal should get? */
static bool
is_odd(size_t n, uint32_t code)
{
	return n == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0);
}

/* Appends s with what is odd, and each of the characters of `special`, behind a backslash. */
static void
escape(struct dr_buf *b, struct dr_str s, const char *special)
{
	while (s.n) {
		uint32_t code = 0;
		size_t n = utf8(s, &code);

		if (is_odd(n, code)) {
			n = n ? n : 1;
			if (s.p[0] == '\n')
				dr_buf_adds(b, "\\n");
			else if (s.p[0] == '\t')
				dr_buf_adds(b, "\\t");
			else
				for (size_t i = 0; i < n; i++)
					dr_buf_addf(b, "\\x%02x", (unsigned char)s.p[i]);
		} else {
			if (n == 1 && strchr(special, s.p[0]))
				dr_buf_addc(b, '\\');
			dr_buf_add(b, s.p, n);
		}
		s.p += n;
		s.n -= n;
	}
}

void
dr_buf_escape(struct dr_buf *b, struct dr_str s)
{
	escape(b, s, "\\");
}

static bool
has_odd(struct dr_str s)
{
	while (s.n) {
		uint32_t code = 0;
		size_t n = utf8(s, &code);

		if (is_odd(n, code))
			return true;
		s.p += n;
		s.n -= n;
	}
	return false;
}

void
dr_buf_quote(struct dr_buf *b, struct dr_str s)
{
	if (is_plain(s)) {
		dr_buf_addstr(b, s);
		return;
	}
	if (has_odd(s)) {
		dr_buf_adds(b, "$'");
		escape(b, s, "\\'");
		dr_buf_addc(b, '\'');
		return;
	}
	dr_buf_addc(b, '\'');
	while (s.n) {
		const char *q = memchr(s.p, '\'', s.n);
		size_t n = q ? (size_t)(q - s.p) : s.n;

		dr_buf_add(b, s.p, n);
		if (q) {
			dr_buf_adds(b, "'\\''");
			n++;
		}
		s.p += n;
		s.n -= n;
	}
	dr_buf_addc(b, '\'');
}

/* Code points that take no column, or two. Blocks rather than single characters: what names hold in
 * practice, in a table that one can read. */
static const struct {
	uint32_t from, to;
	unsigned width;
} widths[] = {
	{ 0x0000, 0x001f, 0 },   { 0x007f, 0x009f, 0 },   { 0x0300, 0x036f, 0 },   { 0x0483, 0x0489, 0 },
	{ 0x0591, 0x05bd, 0 },   { 0x0610, 0x061a, 0 },   { 0x064b, 0x065f, 0 },   { 0x093c, 0x093c, 0 },
	{ 0x094d, 0x094d, 0 },   { 0x0e31, 0x0e31, 0 },   { 0x0e34, 0x0e3a, 0 },   { 0x0e47, 0x0e4e, 0 },
	{ 0x1100, 0x115f, 2 },   { 0x1160, 0x11ff, 0 },   { 0x1ab0, 0x1aff, 0 },   { 0x1dc0, 0x1dff, 0 },
	{ 0x200b, 0x200f, 0 },   { 0x202a, 0x202e, 0 },   { 0x2060, 0x2064, 0 },   { 0x20d0, 0x20ff, 0 },
	{ 0x231a, 0x231b, 2 },   { 0x2329, 0x232a, 2 },   { 0x23e9, 0x23ec, 2 },   { 0x2705, 0x2705, 2 },
	{ 0x274c, 0x274c, 2 },   { 0x2753, 0x2755, 2 },   { 0x2795, 0x2797, 2 },   { 0x2e80, 0x303e, 2 },
	{ 0x3041, 0x4dbf, 2 },   { 0x4e00, 0xa4cf, 2 },   { 0xa960, 0xa97c, 2 },   { 0xac00, 0xd7a3, 2 },
	{ 0xf900, 0xfaff, 2 },   { 0xfe00, 0xfe0f, 0 },   { 0xfe20, 0xfe2f, 0 },   { 0xfe30, 0xfe6f, 2 },
	{ 0xfeff, 0xfeff, 0 },   { 0xff00, 0xff60, 2 },   { 0xffe0, 0xffe6, 2 },   { 0x1f300, 0x1f64f, 2 },
	{ 0x1f680, 0x1f6ff, 2 }, { 0x1f900, 0x1f9ff, 2 }, { 0x1fa70, 0x1faff, 2 }, { 0x20000, 0x3fffd, 2 },
	{ 0xe0100, 0xe01ef, 0 },
};

static unsigned
width(uint32_t code)
{
	size_t lo = 0, hi = sizeof(widths) / sizeof(*widths);

	if (code >= 0x20 && code < 0x7f)
		return 1;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (code < widths[mid].from)
			hi = mid;
		else if (code > widths[mid].to)
			lo = mid + 1;
		else
			return widths[mid].width;
	}
	return 1;
}

size_t
dr_str_width(struct dr_str s)
{
	size_t columns = 0;

	while (s.n) {
		uint32_t code;
		size_t n = utf8(s, &code);

		columns += n ? width(code) : 1;
		n = n ? n : 1;
		s.p += n;
		s.n -= n;
	}
	return columns;
}

enum { NEAREST_MAX = 64 };

/* How many insertions, deletions, changes of a byte, and swaps of two neighbours make b of a; limit + 1 if
 * more than limit. Neither is longer than NEAREST_MAX. */
static unsigned
distance(struct dr_str a, struct dr_str b, unsigned limit)
{
	unsigned char rows[3][NEAREST_MAX + 1], *before = rows[0], *above = rows[1], *row = rows[2], *spare;

	for (size_t j = 0; j <= b.n; j++)
		above[j] = before[j] = (unsigned char)j;
	for (size_t i = 1; i <= a.n; i++) {
		unsigned least = row[0] = (unsigned char)i;

		for (size_t j = 1; j <= b.n; j++) {
			unsigned d = above[j - 1] + (a.p[i - 1] != b.p[j - 1]);

			if (above[j] + 1U < d)
				d = above[j] + 1U;
			if (row[j - 1] + 1U < d)
				d = row[j - 1] + 1U;
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] &&
			    before[j - 2] + 1U < d)
				d = before[j - 2] + 1U;
			row[j] = (unsigned char)d;
			if (d < least)
				least = d;
		}
		/* A swap reaches back over one row, and costs one for it. */
		if (least > limit + 1)
			return limit + 1;
		spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[b.n] <= limit ? above[b.n] : limit + 1;
}

const char *
dr_nearest(struct dr_str word, const char *const *words, size_t n)
{
	const char *best = NULL;
	unsigned best_distance = NEAREST_MAX;

	if (word.n > NEAREST_MAX)
		return NULL;
	for (size_t i = 0; i < n && best_distance > 0; i++) {
		struct dr_str w = dr_str(words[i]);
		size_t longer = w.n > word.n ? w.n : word.n, shorter = w.n + word.n - longer;
		unsigned limit = (unsigned)(longer / 3), d;

		if (longer > NEAREST_MAX)
			continue;
		if (limit >= best_distance)
			limit = best_distance - 1;
		if (longer - shorter > limit)
			continue;
		d = distance(word, w, limit);
		if (d <= limit) {
			best = words[i];
			best_distance = d;
		}
	}
	return best;
}
