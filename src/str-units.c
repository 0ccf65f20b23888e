/* The part of str that is about numbers and their units: said for a person, and read from one. */
#include "config.h"

#include "str.h"

#include <inttypes.h>
#include <stdio.h>

void
dr_buf_count(struct dr_buf *b, uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			dr_buf_addc(b, ',');
		dr_buf_addc(b, digits[i]);
	}
}

void
dr_buf_bytes(struct dr_buf *b, uint64_t bytes)
{
	static const char units[][3] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	uint64_t unit = 1, tenths;
	unsigned u = 0;

	/* The next unit from where this one would round to 1000. */
	while (bytes / unit >= 1000 || (u && bytes / unit == 999 && bytes % unit >= unit / 2)) {
		unit *= 1000;
		u++;
	}
	if (!u) {
		dr_buf_addf(b, "%" PRIu64 " B", bytes);
		return;
	}
	tenths = bytes / (unit / 10) + (bytes % (unit / 10) >= unit / 20);
	if (tenths < 100)
		dr_buf_addf(b, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, units[u]);
	else
		dr_buf_addf(b, "%" PRIu64 " %s", bytes / unit + (bytes % unit >= unit / 2), units[u]);
}

void
dr_buf_duration(struct dr_buf *b, int64_t ns)
{
	int64_t ms = ns < 0 ? 0 : ns / 1000000, s = ms / 1000;

	/* Never rounded up: an hour is not said before it is over. */
	if (ms < 1000)
		dr_buf_addf(b, "%" PRId64 "ms", ms);
	else if (s < 10)
		dr_buf_addf(b, "%" PRId64 ".%" PRId64 "s", s, ms % 1000 / 100);
	else if (s < 60)
		dr_buf_addf(b, "%" PRId64 "s", s);
	else if (s < 600 && s % 60)
		dr_buf_addf(b, "%" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
	else if (s < 3600)
		dr_buf_addf(b, "%" PRId64 "m", s / 60);
	else
		dr_buf_addf(b, "%" PRId64 ":%02" PRId64 ":%02" PRId64, s / 3600, s / 60 % 60, s % 60);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits from the front of *s. 0, or -1 if there are none or their value is above max. */
static int
take_uint(struct dr_str *s, uint64_t max, uint64_t *n)
{
	uint64_t v = 0;
	size_t i = 0;

	for (; i < s->n && is_digit(s->p[i]); i++) {
		unsigned d = (unsigned)(s->p[i] - '0');

		if (v > max / 10 || v * 10 > max - d)
			return -1;
		v = v * 10 + d;
	}
	if (!i)
		return -1;
	s->p += i;
	s->n -= i;
	*n = v;
	return 0;
}

int
dr_parse_uint(struct dr_str s, uint64_t max, uint64_t *n)
{
	uint64_t v;

	if (take_uint(&s, max, &v) || s.n)
		return -1;
	*n = v;
	return 0;
}

struct unit {
	const char *name;
	uint64_t value;
};

/* NUMBER[.DIGITS][UNIT] in whole parts of the smallest unit, rounded down; without a floating-point number,
 * so that what is exact stays exact. */
static int
parse_amount(struct dr_str s, const struct unit *units, size_t n_units, uint64_t max, uint64_t *amount)
{
	uint64_t whole, fraction = 0, scale = 1;

	if (take_uint(&s, max, &whole))
		return -1;
	if (s.n && s.p[0] == '.') {
		size_t i = 1;

		for (; i < s.n && is_digit(s.p[i]); i++) {
			/* A tenth digit is below what a unit can show. */
			if (i <= 9) {
				fraction = fraction * 10 + (unsigned)(s.p[i] - '0');
				scale *= 10;
			}
		}
		if (i == 1)
			return -1;
		s.p += i;
		s.n -= i;
	}
	for (size_t u = 0; u < n_units; u++) {
		uint64_t unit = units[u].value, part;

		if (!dr_str_is(s, units[u].name))
			continue;
		/* unit * fraction / scale, where the first product could be too large. */
		part = unit / scale * fraction + unit % scale * fraction / scale;
		if (whole > max / unit || whole * unit > max - part)
			return -1;
		*amount = whole * unit + part;
		return 0;
	}
	return -1;
}

int
dr_parse_duration(struct dr_str s, int64_t *ns)
{
	static const struct unit units[] = {
		{ "", 1000000000 },
		{ "s", 1000000000 },
		{ "ms", 1000000 },
		{ "us", 1000 },
		{ "ns", 1 },
		{ "m", 60 * UINT64_C(1000000000) },
		{ "h", UINT64_C(3600000000000) },
		{ "d", UINT64_C(86400000000000) },
	};
	uint64_t v;

	if (parse_amount(s, units, sizeof(units) / sizeof(*units), INT64_MAX, &v))
		return -1;
	*ns = (int64_t)v;
	return 0;
}

int
dr_parse_size(struct dr_str s, uint64_t *bytes)
{
	static const struct unit units[] = {
		{ "", 1 },
		{ "k", UINT64_C(1) << 10 },
		{ "K", UINT64_C(1) << 10 },
		{ "m", UINT64_C(1) << 20 },
		{ "M", UINT64_C(1) << 20 },
		{ "g", UINT64_C(1) << 30 },
		{ "G", UINT64_C(1) << 30 },
		{ "t", UINT64_C(1) << 40 },
		{ "T", UINT64_C(1) << 40 },
		{ "p", UINT64_C(1) << 50 },
		{ "P", UINT64_C(1) << 50 },
	};

	return parse_amount(s, units, sizeof(units) / sizeof(*units), UINT64_MAX, bytes);
}

bool
dr_lacks_unit(struct dr_str s, uint64_t bytes)
{
	return bytes && bytes < UINT64_C(1) << 20 && s.p[s.n - 1] >= '0' && s.p[s.n - 1] <= '9';
}
