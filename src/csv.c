#include "config.h"

#include "csv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "err.h"

static const char byte_order_mark[] = "\xef\xbb\xbf";

void
dr_csv_init(struct dr_csv *c, struct dr_str text, char separator)
{
	size_t mark = sizeof(byte_order_mark) - 1;

	*c = (struct dr_csv){ .text = text, .separator = separator, .line = 1 };
	if (text.n >= mark && memcmp(text.p, byte_order_mark, mark) == 0)
		c->at = c->begin = mark;
}

void
dr_csv_free(struct dr_csv *c)
{
	free(c->fields);
	c->fields = NULL;
	c->n = c->cap = 0;
}

/* The line that byte `at` is in, without its end; *from is where it begins. */
static struct dr_str
line_around(const struct dr_csv *c, size_t at, size_t *from)
{
	size_t begin = at, end = at;

	/* What stands before the record may be overwritten by now. */
	while (begin > c->begin && c->text.p[begin - 1] != '\n')
		begin--;
	while (end < c->text.n && c->text.p[end] != '\n')
		end++;
	if (end > begin && c->text.p[end - 1] == '\r')
		end--;
	*from = begin;
	return (struct dr_str){ c->text.p + begin, end - begin };
}

static int
broken(struct dr_csv *c, size_t at, uint32_t line, const char *problem)
{
	size_t from;

	c->problem = problem;
	c->error_text = line_around(c, at, &from);
	c->error_line = line;
	c->error_col = at - from < UINT32_MAX ? (uint32_t)(at - from) + 1 : UINT32_MAX;
	return -1;
}

static int
add_field(struct dr_csv *c, size_t from, size_t to, bool doubled)
{
	if (dr_grow(&c->fields, &c->cap, (size_t)c->n + 1, sizeof(*c->fields))) {
		c->problem = NULL;
		return -1;
	}
	c->fields[c->n++] = (struct dr_csv_field){ { c->text.p + from, to - from }, doubled };
	return 0;
}

/* Is there a line end at byte i? Its length, or 0. */
static size_t
line_end(const struct dr_csv *c, size_t i)
{
	if (c->text.p[i] == '\n')
		return 1;
	return c->text.p[i] == '\r' && i + 1 < c->text.n && c->text.p[i + 1] == '\n' ? 2 : 0;
}

/* A field in quotes that begins at *at; *at is set behind the closing one. */
static int
take_quoted(struct dr_csv *c, size_t *at)
{
	const size_t from = *at + 1, opened = *at;
	const uint32_t line = c->line;
	bool doubled = false;
	size_t i = from;

	for (; i < c->text.n; i++) {
		char b = c->text.p[i];

		if (b == '\0')
			return broken(c, i, c->line, "a byte 0, which no argument can hold");
		if (b == '\n')
			c->line++;
		if (b != '"')
			continue;
		if (i + 1 == c->text.n || c->text.p[i + 1] != '"')
			break;
		doubled = true;
		i++;
	}
	if (i == c->text.n)
		return broken(c, opened, line, "this quote has no end");
	*at = i + 1;
	if (*at < c->text.n && c->text.p[*at] != c->separator && !line_end(c, *at))
		return broken(c, *at, c->line,
			      "text behind the closing quote: a quote that is part of a value is doubled");
	return add_field(c, from, i, doubled);
}

static int
take_plain(struct dr_csv *c, size_t *at)
{
	const size_t from = *at;
	size_t i = from;

	for (; i < c->text.n && c->text.p[i] != c->separator && c->text.p[i] != '\n'; i++) {
		char b = c->text.p[i];

		if (b == '\0')
			return broken(c, i, c->line, "a byte 0, which no argument can hold");
		if (b == '\r') {
			if (line_end(c, i))
				break;
			if (c->separator == ',')
				return broken(
					c, i, c->line,
					"a carriage return that no line feed follows, outside of quotes");
		}
		if (b == '"' && c->separator == ',')
			return broken(c, i, c->line,
				      "a quote inside a value without quotes: put the value in quotes and "
				      "double it");
	}
	*at = i;
	return add_field(c, from, i, false);
}

int
dr_csv_next(struct dr_csv *c)
{
	size_t i = c->at, end;

	c->n = 0;
	while (i < c->text.n && (end = line_end(c, i))) {
		i += end;
		c->line++;
	}
	c->begin = c->at = i;
	c->begin_line = c->line;
	if (i == c->text.n)
		return 0;
	for (;;) {
		int rc = c->separator == ',' && i < c->text.n && c->text.p[i] == '"' ? take_quoted(c, &i)
										     : take_plain(c, &i);

		if (rc)
			return -1;
		if (i == c->text.n || c->text.p[i] != c->separator)
			break;
		i++;
	}
	if (i < c->text.n) {
		i += line_end(c, i);
		c->line++;
	}
	c->at = i;
	return 1;
}

size_t
dr_csv_value(const struct dr_csv_field *f, char *to)
{
	size_t n = 0;

	if (!f->doubled) {
		memmove(to, f->raw.p, f->raw.n);
		return f->raw.n;
	}
	for (size_t i = 0; i < f->raw.n; i++) {
		to[n++] = f->raw.p[i];
		if (f->raw.p[i] == '"')
			i++;
	}
	return n;
}

void
dr_csv_quote(struct dr_buf *out, struct dr_str value, char separator)
{
	bool needs = false;

	for (size_t i = 0; i < value.n && !needs; i++)
		needs = value.p[i] == separator || memchr("\"\r\n", value.p[i], 3) != NULL;
	if (!needs || separator != ',') {
		dr_buf_addstr(out, value);
		return;
	}
	dr_buf_addc(out, '"');
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '"')
			dr_buf_addc(out, '"');
		dr_buf_addc(out, value.p[i]);
	}
	dr_buf_addc(out, '"');
}

static uint32_t
shown_length(struct dr_str s)
{
	return s.n < UINT32_MAX ? (uint32_t)s.n : UINT32_MAX;
}

int
dr_csv_tell(const struct dr_csv *c, const char *file, struct dr_diags *diags)
{
	if (!c->problem)
		return -1;
	dr_diag_add(diags, file, c->error_line, c->error_col, c->error_text.p, shown_length(c->error_text),
		    "%s", c->problem);
	return 0;
}

void
dr_csv_tell_count(const struct dr_csv *c, const char *file, uint32_t wanted, const char *of,
		  struct dr_diags *diags)
{
	size_t from;
	struct dr_str text = line_around(c, c->begin, &from);

	dr_diag_add(diags, file, c->begin_line, 1, text.p, shown_length(text),
		    "%" PRIu32 " field%s, but %s %" PRIu32, c->n, c->n == 1 ? "" : "s", of, wanted);
}
