#include "config.h"

#include "parse-state.h"

#include <stdlib.h>
#include <string.h>

static struct dr_str
trim(struct dr_str s)
{
	while (s.n && strchr(" \t\n", s.p[s.n - 1]))
		s.n--;
	while (s.n && strchr(" \t\n", s.p[0])) {
		s.p++;
		s.n--;
	}
	return s;
}

static int
constant(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_key *k, struct dr_str *text)
{
	if (dr_parse_constant(ps, sc, &k->value, text))
		return -1;
	*text = trim(*text);
	return 0;
}

#define COMPLAIN(ps, k, ...) (dr_lex_error((ps)->p, (ps)->diags, (k)->value.pos, __VA_ARGS__), -1)

int
dr_parse_number(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_key *k, uint32_t least,
		uint32_t *n)
{
	struct dr_str s;
	uint64_t v;

	if (constant(ps, sc, k, &s))
		return -1;
	if (dr_parse_uint(s, UINT32_MAX - 1, &v))
		return COMPLAIN(ps, k, "'%.*s' is not a number for '%.*s'", (int)s.n, s.p, (int)k->name.n,
				k->name.p);
	if (v < least)
		return COMPLAIN(ps, k, "'%.*s' must be at least %u", (int)k->name.n, k->name.p,
				(unsigned)least);
	*n = (uint32_t)v;
	return 0;
}

int
dr_parse_time(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_key *k, int64_t *ns)
{
	struct dr_str s;

	if (constant(ps, sc, k, &s))
		return -1;
	if (dr_parse_duration(s, ns))
		return COMPLAIN(ps, k, "'%.*s' is not a time for '%.*s': write 90s, 1.5m or 2h", (int)s.n,
				s.p, (int)k->name.n, k->name.p);
	return 0;
}

int
dr_parse_bytes(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_key *k, uint64_t *bytes, struct dr_str *text)
{
	struct dr_str s;

	if (constant(ps, sc, k, &s))
		return -1;
	if (dr_parse_size(s, bytes))
		return COMPLAIN(ps, k, "'%.*s' is not a size for '%.*s': write 500M, 1.5G or 2T", (int)s.n, s.p, (int)k->name.n,
				k->name.p);
	if (dr_lacks_unit(s, *bytes))
		return COMPLAIN(ps, k, "'%.*s' is a number of bytes for '%.*s': write its unit, as in %.*sM or %.*sG", (int)s.n, s.p,
				(int)k->name.n, k->name.p, (int)s.n, s.p, (int)s.n, s.p);
	*text = s;
	return 0;
}

int
dr_parse_choice(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_key *k,
		const char *const *words)
{
	struct dr_buf list = { 0 };
	struct dr_str s;

	if (constant(ps, sc, k, &s))
		return -1;
	for (int i = 0; words[i]; i++) {
		if (dr_str_is(s, words[i]))
			return i;
	}
	for (int i = 0; words[i]; i++) {
		dr_buf_addf(&list, "%s'%s'", !i ? "" : words[i + 1] ? ", " : " or ", words[i]);
	}
	dr_lex_error(ps->p, ps->diags, k->value.pos, "'%.*s' can be %s, not '%.*s'", (int)k->name.n,
		     k->name.p, dr_buf_cstr(&list), (int)s.n, s.p);
	dr_buf_free(&list);
	return -1;
}

/* A number of a range, and the width that a zero in front of it asks for. */
static int
take_bound(struct dr_str *s, int64_t *n, uint32_t *digits, bool *zeros)
{
	bool minus = s->n && s->p[0] == '-';
	struct dr_str d = { s->p + minus, s->n - minus };
	uint64_t v;

	for (d.n = 0; minus + d.n < s->n && d.p[d.n] >= '0' && d.p[d.n] <= '9'; d.n++)
		;
	if (d.n > 19 || dr_parse_uint(d, INT64_MAX, &v))
		return -1;
	*n = minus ? -(int64_t)v : (int64_t)v;
	if (d.n > 1 && d.p[0] == '0')
		*zeros = true;
	if (*digits < d.n)
		*digits = (uint32_t)d.n;
	s->p += minus + d.n;
	s->n -= minus + d.n;
	return 0;
}

static bool
take_word(struct dr_str *s, const char *word)
{
	size_t n = strlen(word);

	if (s->n < n || memcmp(s->p, word, n) != 0)
		return false;
	s->p += n;
	s->n -= n;
	return true;
}

static int
read_range(struct dr_str s, struct dr_range *r)
{
	uint32_t digits = 0;
	bool zeros = false;

	r->step = 1;
	if (take_bound(&s, &r->from, &digits, &zeros))
		return -1;
	s = trim(s);
	if (!take_word(&s, ".."))
		return -1;
	s = trim(s);
	if (take_bound(&s, &r->to, &digits, &zeros))
		return -1;
	r->width = zeros ? digits : 0;
	if (!s.n)
		return 0;
	if (!strchr(" \t\n", s.p[0]))
		return -1;
	s = trim(s);
	if (!take_word(&s, "step") || !s.n || !strchr(" \t\n", s.p[0]))
		return -1;
	return dr_parse_uint(trim(s), UINT64_MAX, &r->step);
}

int
dr_parse_range(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_key *k, struct dr_range *r)
{
	struct dr_str s;
	uint64_t span;

	if (constant(ps, sc, k, &s))
		return -1;
	if (read_range(s, r))
		return COMPLAIN(ps, k, "'%.*s' is not a range: write 1..900, 001..900 or 0..90 step 10",
				(int)s.n, s.p);
	if (!r->step)
		return COMPLAIN(ps, k,
				"the step of a range must be at least 1; which way it goes its ends say");
	span = r->from < r->to ? (uint64_t)r->to - (uint64_t)r->from : (uint64_t)r->from - (uint64_t)r->to;
	if (span / r->step >= UINT32_MAX - 1)
		return COMPLAIN(ps, k, "a range of more than 4,294,967,294 numbers");
	return 0;
}

/* What is wrong with a path as far as its text tells; in its place, what a task fills in is one byte 1. */
static const char *
path_problem(struct dr_str s, enum dr_path_use use)
{
	size_t from = 0, parts = 0;

	if (!s.n)
		return "is empty";
	for (size_t i = 0; i <= s.n; i++) {
		struct dr_str part;

		if (i < s.n && s.p[i] != '/')
			continue;
		part = (struct dr_str){ s.p + from, i - from };
		if (dr_str_is(part, ".."))
			return "leaves the Dagfile's directory: '..' cannot be in it";
		parts += part.n && !dr_str_is(part, ".");
		from = i + 1;
	}
	if (use == DR_PATH_PART)
		return parts || s.p[0] != '/' ? NULL : "is the root of the file system";
	return parts ? NULL : "is a directory";
}

static int
check_path(struct dr_parse *ps, const struct dr_key *k, const struct dr_template *t, enum dr_path_use use)
{
	const char *problem;

	dr_buf_reset(&ps->scratch);
	for (uint32_t i = 0; i < t->n; i++) {
		if (t->pieces[i].kind == DR_PH_TEXT || t->pieces[i].kind == DR_PH_LET)
			dr_buf_addstr(&ps->scratch, t->pieces[i].text);
		else
			dr_buf_addc(&ps->scratch, '\1');
	}
	problem = path_problem(dr_buf_str(&ps->scratch), use);
	if (!problem)
		return 0;
	dr_lex_error(ps->p, ps->diags, t->pos, "'%.*s' %s", (int)k->name.n, k->name.p, problem);
	return -1;
}

static bool
ends_in_slash(const struct dr_template *t)
{
	const struct dr_piece *p = t->n ? &t->pieces[t->n - 1] : NULL;

	return p && (p->kind == DR_PH_TEXT || p->kind == DR_PH_LET) && p->text.n && p->text.p[p->text.n - 1] == '/';
}

/* Without the '/' at the end, but for the root. */
static void
drop_slash(struct dr_template *t)
{
	struct dr_str *s = t->n ? &t->pieces[t->n - 1].text : NULL;

	while (s && s->n && s->p[s->n - 1] == '/' && (t->n > 1 || s->n > 1))
		s->n--;
}

int
dr_parse_path(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_key *k, enum dr_path_use use,
	      struct dr_template *path, bool *tree)
{
	struct dr_template *words;
	uint32_t n;

	if (dr_parse_words(ps, sc, &k->value, DR_WORDS_PLAIN, &words, &n))
		return -1;
	if (n > 1) {
		dr_lex_error(ps->p, ps->diags, words[1].pos,
			     "'%.*s' is one path; quote it if there is a blank in it", (int)k->name.n,
			     k->name.p);
		return -1;
	}
	if (!n)
		return COMPLAIN(ps, k, "'%.*s' is empty", (int)k->name.n, k->name.p);
	if (check_path(ps, k, &words[0], use))
		return -1;
	*path = words[0];
	*tree = ends_in_slash(path);
	drop_slash(path);
	return 0;
}
