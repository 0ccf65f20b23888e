#include "config.h"

#include "json.h"

#include <inttypes.h>
#include <string.h>

static bool
bit(uint32_t bits, uint32_t depth)
{
	return bits >> depth & 1;
}

/* What stands before a value: the comma behind the one before it, a new line for each object of a list, and the key. */
static void
lead(struct dr_json *j, const char *key, bool object)
{
	if (bit(j->some, j->depth))
		dr_buf_addc(j->out, ',');
	if (!j->one_line && object && bit(j->list, j->depth))
		dr_buf_addc(j->out, '\n');
	j->some |= UINT32_C(1) << j->depth;
	if (key)
		dr_buf_addf(j->out, "\"%s\":", key);
}

static void
enter(struct dr_json *j, char bracket)
{
	dr_buf_addc(j->out, bracket);
	if (j->depth + 1 < DR_JSON_DEPTH)
		j->depth++;
	else
		j->out->failed = true; /* no caller nests so deep */
	j->some &= ~(UINT32_C(1) << j->depth);
	j->list &= ~(UINT32_C(1) << j->depth);
}

void
dr_json_begin(struct dr_json *j, const char *key)
{
	lead(j, key, true);
	enter(j, '{');
}

void
dr_json_end(struct dr_json *j)
{
	j->depth -= j->depth > 0;
	dr_buf_addc(j->out, '}');
}

void
dr_json_begin_list(struct dr_json *j, const char *key)
{
	lead(j, key, false);
	enter(j, '[');
	j->list |= UINT32_C(1) << j->depth;
}

void
dr_json_end_list(struct dr_json *j)
{
	j->depth -= j->depth > 0;
	dr_buf_addc(j->out, ']');
}

static void
add_char(struct dr_json *j, const char *p, size_t n)
{
	unsigned char c = (unsigned char)*p;

	if (n > 1)
		dr_buf_add(j->out, p, n);
	else if (c >= 0x80) /* no UTF-8 */
		dr_buf_addf(j->out, "\\udc%02x", c);
	else if (c == '"' || c == '\\')
		dr_buf_addf(j->out, "\\%c", c);
	else if (c == '\n')
		dr_buf_adds(j->out, "\\n");
	else if (c == '\t')
		dr_buf_adds(j->out, "\\t");
	else if (c < 0x20 || c == 0x7f)
		dr_buf_addf(j->out, "\\u%04x", c);
	else
		dr_buf_addc(j->out, *p);
}

/* Nothing to escape from here on: how many bytes, so that plain text goes in one piece. */
static size_t
plain(struct dr_str s)
{
	size_t n = 0;

	while (n < s.n && (unsigned char)s.p[n] >= 0x20 && (unsigned char)s.p[n] < 0x7f && s.p[n] != '"' &&
	       s.p[n] != '\\')
		n++;
	return n;
}

/* Could s be the beginning of a character that is cut? */
static bool
is_cut(struct dr_str s)
{
	unsigned char c = (unsigned char)*s.p;
	size_t whole = c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 1;

	if (s.n >= whole)
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return false;
	return true;
}

static void
add_text(struct dr_json *j, struct dr_str s, bool more)
{
	while (s.n) {
		size_t n = plain(s);
		uint32_t code;

		if (n) {
			dr_buf_add(j->out, s.p, n);
		} else if (more && is_cut(s)) {
			memcpy(j->part, s.p, s.n);
			j->n_part = (uint32_t)s.n;
			return;
		} else {
			n = dr_str_utf8(s, &code);
			n = n ? n : 1;
			add_char(j, s.p, n);
		}
		s.p += n;
		s.n -= n;
	}
}

void
dr_json_begin_str(struct dr_json *j, const char *key)
{
	lead(j, key, false);
	dr_buf_addc(j->out, '"');
	j->n_part = 0;
}

void
dr_json_add_str(struct dr_json *j, struct dr_str piece)
{
	/* The character that was cut takes bytes of this piece until it is whole, or turns out to be none. */
	while (j->n_part && piece.n) {
		char joined[sizeof(j->part) + 1];
		size_t n = j->n_part;

		memcpy(joined, j->part, n);
		joined[n++] = *piece.p++;
		piece.n--;
		j->n_part = 0;
		add_text(j, (struct dr_str){ joined, n }, true);
	}
	add_text(j, piece, true);
}

void
dr_json_end_str(struct dr_json *j)
{
	struct dr_str rest = { j->part, j->n_part };

	j->n_part = 0;
	add_text(j, rest, false);
	dr_buf_addc(j->out, '"');
}

void
dr_json_str(struct dr_json *j, const char *key, struct dr_str value)
{
	lead(j, key, false);
	dr_buf_addc(j->out, '"');
	add_text(j, value, false);
	dr_buf_addc(j->out, '"');
}

void
dr_json_word(struct dr_json *j, const char *key, const char *value)
{
	if (value)
		dr_json_str(j, key, dr_str(value));
	else
		dr_json_null(j, key);
}

void
dr_json_int(struct dr_json *j, const char *key, int64_t value)
{
	lead(j, key, false);
	dr_buf_addf(j->out, "%" PRId64, value);
}

void
dr_json_uint(struct dr_json *j, const char *key, uint64_t value)
{
	lead(j, key, false);
	dr_buf_addf(j->out, "%" PRIu64, value);
}

void
dr_json_bool(struct dr_json *j, const char *key, bool value)
{
	lead(j, key, false);
	dr_buf_adds(j->out, value ? "true" : "false");
}

void
dr_json_null(struct dr_json *j, const char *key)
{
	lead(j, key, false);
	dr_buf_adds(j->out, "null");
}

/* From whole numbers, since a double has too few digits for a time in µs in some years, and printf's point depends on the locale. */
static void
add_decimal(struct dr_json *j, int64_t ns, uint32_t unit, int digits)
{
	uint64_t n = ns < 0 ? UINT64_C(0) - (uint64_t)ns : (uint64_t)ns;

	dr_buf_addf(j->out, "%s%" PRIu64 ".%0*" PRIu64, ns < 0 ? "-" : "", n / 1000000000, digits,
		    n % 1000000000 / unit);
}

void
dr_json_seconds(struct dr_json *j, const char *key, int64_t ns)
{
	lead(j, key, false);
	add_decimal(j, ns, 1000000, 3);
}

void
dr_json_time(struct dr_json *j, const char *key, int64_t ns)
{
	lead(j, key, false);
	add_decimal(j, ns, 1000, 6);
}
