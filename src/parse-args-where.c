#include "config.h"

#include "parse-state.h"

#include <regex.h>
#include <string.h>

#include "arena.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Bytes [from, to) of a value, without blanks around them, as a value. */
static struct dr_value
slice(struct dr_parse *ps, const struct dr_value *v, size_t from, size_t to)
{
	struct dr_segment *segments;
	struct dr_value part = { .n_segments = 0 };

	while (from < to && is_blank(v->text.p[from]))
		from++;
	while (to > from && is_blank(v->text.p[to - 1]))
		to--;
	part.text = (struct dr_str){ v->text.p + from, to - from };
	part.pos = dr_value_pos(v, from);
	segments = dr_arena_array(&ps->p->arena, (size_t)v->n_segments + 1, sizeof(*segments));
	if (!segments) {
		ps->nomem = true;
		return part;
	}
	segments[part.n_segments++] = (struct dr_segment){ 0, part.pos.line, part.pos.col };
	for (uint32_t i = 0; i < v->n_segments; i++) {
		if (v->segments[i].offset <= from || v->segments[i].offset >= to)
			continue;
		segments[part.n_segments] = v->segments[i];
		segments[part.n_segments++].offset -= from;
	}
	part.segments = segments;
	return part;
}

/* The '~' between subject and expression, which has blanks around it ('!' is part of it); SIZE_MAX: there is
 * none. */
static size_t
find_operator(struct dr_str s, size_t from, size_t to)
{
	for (size_t i = from + 1; i < to; i++) {
		size_t before = s.p[i - 1] == '!' ? i - 1 : i;

		if (s.p[i] == '~' && before > from && is_blank(s.p[before - 1]) &&
		    (i + 1 == to || is_blank(s.p[i + 1])))
			return i;
	}
	return SIZE_MAX;
}

static int
take_subject(struct dr_parse *ps, const struct dr_value *v, struct dr_args *a, struct dr_condition *w)
{
	struct dr_scope sc = { DR_WHERE_ROW, "where", "args", a->name, NULL, a, a->n_columns - a->n_groups };
	struct dr_template *words;
	uint32_t n;

	/* Groups of those before it are there already. */
	for (uint32_t i = 0; i < a->n_where; i++)
		sc.n_columns += a->where[i].n_groups;
	/* There are more of them than names, which is told when all are known. */
	if (sc.n_columns > a->n_columns)
		sc.n_columns = a->n_columns;
	if (dr_parse_words(ps, &sc, v, DR_WORDS_PLAIN, &words, &n))
		return -1;
	if (n != 1 || dr_template_constant(&words[0])) {
		dr_lex_error(ps->p, ps->diags, v->pos,
			     n == 1 ? "'%.*s' is the same for every row: write {arg} or a column"
				    : "'%.*s' is not one word: quote blanks in it",
			     (int)v->text.n, v->text.p);
		return -1;
	}
	w->subject = words[0];
	return 0;
}

static int
take_regex(struct dr_parse *ps, const struct dr_value *v, const struct dr_args *a, struct dr_condition *w)
{
	struct dr_scope sc = { .where = DR_WHERE_CONSTANT, .key = "where", .kind = "args", .name = a->name };
	struct dr_str text;
	regex_t compiled;
	char why[256];
	int rc;

	if (dr_parse_constant(ps, &sc, v, &text))
		return -1;
	w->regex = text.p;
	rc = regcomp(&compiled, w->regex, REG_EXTENDED);
	if (rc) {
		regerror(rc, &compiled, why, sizeof(why));
		dr_lex_error(ps->p, ps->diags, v->pos, "'%s' is no extended regular expression: %s", w->regex,
			     why);
		return -1;
	}
	if (a->n_groups && !w->unlike)
		w->n_groups = (uint32_t)compiled.re_nsub;
	regfree(&compiled);
	return 0;
}

/* One condition, in [from, to) of the value. */
static void
take_condition(struct dr_parse *ps, const struct dr_value *v, size_t from, size_t to, struct dr_args *a)
{
	struct dr_condition w = { .unlike = false }, *more;
	size_t at = find_operator(v->text, from, to);
	struct dr_value subject, regex;

	if (at == SIZE_MAX) {
		dr_lex_error(ps->p, ps->diags, dr_value_pos(v, from),
			     "'where' has the form: {COLUMN} ~ REGEX, or !~, with blanks around it");
		return;
	}
	w.unlike = v->text.p[at - 1] == '!';
	subject = slice(ps, v, from, at - w.unlike);
	regex = slice(ps, v, at + 1, to);
	w.pos = subject.pos;
	if (!regex.text.n) {
		dr_lex_error(ps->p, ps->diags, dr_value_pos(v, at),
			     "there is no regular expression behind the '~'");
		return;
	}
	if (take_subject(ps, &subject, a, &w) || take_regex(ps, &regex, a, &w))
		return;
	/* They are few. */
	more = dr_arena_array(&ps->p->arena, (size_t)a->n_where + 1, sizeof(*more));
	if (!more) {
		ps->nomem = true;
		return;
	}
	if (a->n_where)
		memcpy(more, a->where, a->n_where * sizeof(*more));
	more[a->n_where] = w;
	a->where = more;
	a->n_where++;
}

void
dr_parse_where(struct dr_parse *ps, const struct dr_key *k, struct dr_args *a)
{
	struct dr_str s = k->value.text;

	for (size_t from = 0, to; from < s.n; from = to + 1) {
		const char *end = memchr(s.p + from, '\n', s.n - from);

		to = end ? (size_t)(end - s.p) : s.n;
		while (from < to && is_blank(s.p[from]))
			from++;
		if (from < to)
			take_condition(ps, &k->value, from, to, a);
	}
}

void
dr_parse_check_groups(struct dr_parse *ps, const struct dr_args *a)
{
	uint32_t n = 0;

	if (!a->n_groups)
		return;
	for (uint32_t i = 0; i < a->n_where; i++)
		n += a->where[i].n_groups;
	if (!n)
		dr_lex_error(ps->p, ps->diags, a->columns_pos,
			     "'columns' names the fields of 'csv' and 'tsv', or the groups, in ( ), of "
			     "'where': there are none");
	else if (n != a->n_groups)
		dr_lex_error(ps->p, ps->diags, a->columns_pos,
			     "'columns' has %u name%s, but the groups of 'where' are %u",
			     (unsigned)a->n_groups, a->n_groups == 1 ? "" : "s", (unsigned)n);
}
