#include "config.h"

#include "items-table.h"

#include <ctype.h>
#include <string.h>

/* Above every code point: a byte that is no UTF-8 is a character of its own, which matches itself. */
enum { RAW = 0x110000 };

static uint32_t
next_char(const char **s, const char *end)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)*s;
	size_t n = *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;
	uint32_t c;

	if (*p < 0x80) {
		*s += 1;
		return *p;
	}
	if (!n || (size_t)(end - *s) < n)
		goto raw;
	c = *p & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			goto raw;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c >= RAW || (c >= 0xd800 && c < 0xe000))
		goto raw;
	*s += n;
	return c;
raw:
	*s += 1;
	return RAW + *p;
}

static bool
in_class(struct dr_str name, uint32_t c)
{
	static const struct {
		const char *name;
		int (*is)(int c);
	} classes[] = {
		{ "alnum", isalnum }, { "alpha", isalpha }, { "blank", isblank }, { "cntrl", iscntrl },
		{ "digit", isdigit }, { "graph", isgraph }, { "lower", islower }, { "print", isprint },
		{ "punct", ispunct }, { "space", isspace }, { "upper", isupper }, { "xdigit", isxdigit },
	};

	/* ASCII only: what is a letter beyond it would depend on the locale. */
	for (size_t i = 0; c < 0x80 && i < sizeof(classes) / sizeof(*classes); i++) {
		if (dr_str_is(name, classes[i].name))
			return classes[i].is((int)c) != 0;
	}
	return false;
}

/* A character of a set, of which a backslash may have taken the meaning. */
static uint32_t
set_char(const char **p, const char *end)
{
	if (**p == '\\' && end - *p > 1)
		++*p;
	return next_char(p, end);
}

/* p is behind a '['. Sets *in and returns what is behind the ']'; NULL: there is none, so '[' is just that. */
static const char *
match_set(const char *p, const char *end, uint32_t c, bool *in)
{
	bool negated = p < end && (*p == '!' || *p == '^'), found = false;

	p += negated;
	for (bool first = true; p < end && (first || *p != ']'); first = false) {
		uint32_t from, to;

		if (end - p > 3 && p[0] == '[' && p[1] == ':') {
			const char *close = memchr(p + 2, ':', (size_t)(end - p - 2));

			if (close && close + 1 < end && close[1] == ']') {
				found |= in_class((struct dr_str){ p + 2, (size_t)(close - p - 2) }, c);
				p = close + 2;
				continue;
			}
		}
		from = to = set_char(&p, end);
		/* A '-' at the end stands for itself. */
		if (end - p > 1 && p[0] == '-' && p[1] != ']') {
			p++;
			to = set_char(&p, end);
		}
		found |= from <= c && c <= to;
	}
	if (p >= end)
		return NULL;
	*in = found != negated;
	return p + 1;
}

/* One character of the name against what stands at *p, which is not '*'. Both go on if it matches. */
static bool
match_char(const char **p, const char *pattern_end, const char **s, const char *end)
{
	uint32_t c = next_char(s, end);
	const char *behind;
	bool in = false;

	if (**p == '?') {
		++*p;
		return true;
	}
	if (**p == '[') {
		behind = match_set(*p + 1, pattern_end, c, &in);
		if (behind) {
			*p = behind;
			return in;
		}
	}
	return set_char(p, pattern_end) == c;
}

bool
dr_items_match(struct dr_str pattern, struct dr_str name)
{
	const char *p = pattern.p, *pattern_end = p + pattern.n;
	const char *s = name.p, *end = s + name.n;
	const char *star = NULL, *retry = NULL;

	if (name.n && *s == '.' && !(pattern.n && *p == '.') &&
	    !(pattern.n > 1 && p[0] == '\\' && p[1] == '.'))
		return false;
	/* Only the last star has to be tried again: what stands before it was matched as early as can be. */
	while (s < end) {
		if (p < pattern_end && *p == '*') {
			star = ++p;
			retry = s;
			continue;
		}
		if (p < pattern_end && match_char(&p, pattern_end, &s, end))
			continue;
		if (!star)
			return false;
		next_char(&retry, end);
		s = retry;
		p = star;
	}
	while (p < pattern_end && *p == '*')
		p++;
	return p == pattern_end;
}

bool
dr_items_is_tail(struct dr_str pattern)
{
	/* A tail that begins with a part of a character could be found within one. */
	if (!pattern.n || pattern.p[0] != '*' || (pattern.n > 1 && (unsigned char)pattern.p[1] >= 0x80))
		return false;
	for (size_t i = 1; i < pattern.n; i++)
		if (memchr("*?[\\", pattern.p[i], 4))
			return false;
	return true;
}

bool
dr_items_ends(struct dr_str pattern, struct dr_str name)
{
	size_t n = pattern.n - 1;

	return name.p[0] != '.' && name.n >= n && memcmp(name.p + name.n - n, pattern.p + 1, n) == 0;
}
