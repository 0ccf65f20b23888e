#include "config.h"

#include "parse-state.h"

#include <string.h>

#include "arena.h"
#include "err.h"

/* A value on its way to words, or to one text. */
struct reader {
	struct dr_parse *ps;
	const struct dr_scope *sc;
	const struct dr_value *v;
	struct dr_str s;
	size_t i;
	enum dr_words_form form;
	struct dr_template word; /* the one at hand */
	uint32_t cap;
	struct dr_buf lit; /* its text behind the last placeholder */
	size_t lit_at;     /* where that begins in the value */
	bool in_word;
	bool failed;
	struct dr_template *words;
	uint32_t n_words, cap_words;
};

static bool
is_separator(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

int
dr_template_add(struct dr_parse *ps, struct dr_template *t, uint32_t *cap, const struct dr_piece *piece)
{
	if (dr_parse_grow(ps, &t->pieces, t->n, cap, sizeof(*t->pieces)))
		return -1;
	t->pieces[t->n++] = *piece;
	return 0;
}

static void
begin_word(struct reader *r)
{
	if (r->in_word)
		return;
	r->in_word = true;
	r->word = (struct dr_template){ .pos = dr_value_pos(r->v, r->i) };
	r->cap = 0;
}

static void
end_text(struct reader *r)
{
	struct dr_piece piece = { .kind = DR_PH_TEXT, .pos = dr_value_pos(r->v, r->lit_at) };

	if (!r->lit.n)
		return;
	piece.text.p = dr_parse_cstr(r->ps, dr_buf_str(&r->lit));
	piece.text.n = r->lit.n;
	dr_template_add(r->ps, &r->word, &r->cap, &piece);
	dr_buf_reset(&r->lit);
}

static void
end_word(struct reader *r)
{
	if (!r->in_word)
		return;
	end_text(r);
	r->in_word = false;
	if (dr_parse_grow(r->ps, &r->words, r->n_words, &r->cap_words, sizeof(*r->words)))
		return;
	r->words[r->n_words++] = r->word;
}

/* A byte of the word; a quoted one that would mean something in a pattern gets a backslash. */
static void
add_byte(struct reader *r, char c, bool quoted)
{
	if (!r->lit.n)
		r->lit_at = r->i;
	if (quoted && r->form == DR_WORDS_PATTERN && strchr("*?[]\\", c) && c)
		dr_buf_addc(&r->lit, '\\');
	dr_buf_addc(&r->lit, c);
}

static void
tell(struct reader *r, size_t at, const char *msg)
{
	r->failed = true;
	dr_lex_error(r->ps->p, r->ps->diags, dr_value_pos(r->v, at), "%s", msg);
}

/* A brace outside quotes. True when it was the beginning of something of ours. */
static bool
take_brace(struct reader *r)
{
	struct dr_place place;
	size_t end;
	enum dr_brace kind = dr_lex_brace(r->s, r->i, &end);
	struct dr_str name;

	if (kind == DR_BRACE_NONE)
		return false;
	name = (struct dr_str){ r->s.p + r->i + 1, end - r->i - 2 };
	if (kind == DR_BRACE_FORM) {
		if (!dr_place_defined(r->ps, r->sc, name))
			return false;
		if (dr_place_form(r->ps, r->sc, name, dr_value_pos(r->v, r->i), &place)) {
			r->failed = true;
		} else {
			end_text(r);
			dr_template_add(r->ps, &r->word, &r->cap, &place.piece);
		}
	} else if (r->i && r->s.p[r->i - 1] == '$' && dr_place_defined(r->ps, r->sc, name)) {
		dr_lex_error(r->ps->p, r->ps->diags, dr_value_pos(r->v, r->i - 1),
			     "${%.*s} is no placeholder: drop the '$'", (int)name.n, name.p);
		r->failed = true;
	} else if (dr_place_resolve(r->ps, r->sc, name, dr_value_pos(r->v, r->i), &place)) {
		r->failed = true;
	} else {
		end_text(r);
		dr_template_add(r->ps, &r->word, &r->cap, &place.piece);
	}
	r->i = end;
	return true;
}

/* Inside quotes a defined name is refused rather than left as text, which nobody means. */
static void
check_quoted(struct reader *r)
{
	size_t end;
	struct dr_str name;

	if (r->s.p[r->i] != '{' || dr_lex_brace(r->s, r->i, &end) != DR_BRACE_NAME)
		return;
	name = (struct dr_str){ r->s.p + r->i + 1, end - r->i - 2 };
	if (!dr_place_defined(r->ps, r->sc, name))
		return;
	r->failed = true;
	dr_lex_error(r->ps->p, r->ps->diags, dr_value_pos(r->v, r->i),
		     "{%.*s} in quotes is text: leave them out, as a value is one word anyway; beside other "
		     "text, 'a'{arg}'b'",
		     (int)name.n, name.p);
}

static void
take_quoted(struct reader *r)
{
	char quote = r->s.p[r->i];
	size_t from = r->i++;

	for (; r->i < r->s.n && r->s.p[r->i] != quote; r->i++) {
		char c = r->s.p[r->i];

		if (quote == '"' && c == '\\' && r->i + 1 < r->s.n && strchr("$`\"\\\n", r->s.p[r->i + 1])) {
			r->i++;
			if (r->s.p[r->i] != '\n')
				add_byte(r, r->s.p[r->i], true);
			continue;
		}
		check_quoted(r);
		add_byte(r, c, true);
	}
	if (r->i == r->s.n)
		tell(r, from, "this quote has no end");
	else
		r->i++;
}

/* Braces with a comma, which a shell would expand; here they would be part of a name that no file has. */
static void
check_pattern_brace(struct reader *r)
{
	size_t i = r->i + 1;

	while (i < r->s.n && !is_separator(r->s.p[i]) && !strchr("{},'\"", r->s.p[i]))
		i++;
	if (i < r->s.n && r->s.p[i] == ',')
		tell(r, r->i,
		     "a pattern has no {a,b}: write the patterns one beside the other, or quote the '{'");
}

static void
take_byte(struct reader *r)
{
	char c = r->s.p[r->i];

	begin_word(r);
	if (c == '\'' || c == '"') {
		take_quoted(r);
		return;
	}
	if (c == '\\' && r->i + 1 < r->s.n) {
		r->i++;
		if (r->s.p[r->i] != '\n')
			add_byte(r, r->s.p[r->i], true);
		r->i++;
		return;
	}
	if (c == '{') {
		if (take_brace(r))
			return;
		if (r->form == DR_WORDS_PATTERN)
			check_pattern_brace(r);
	}
	add_byte(r, c, false);
	r->i++;
}

int
dr_parse_words(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_value *v,
	       enum dr_words_form form, struct dr_template **words, uint32_t *n)
{
	struct reader r = { .ps = ps, .sc = sc, .v = v, .s = v->text, .form = form };

	while (r.i < r.s.n) {
		if (is_separator(r.s.p[r.i])) {
			end_word(&r);
			r.i++;
		} else {
			take_byte(&r);
		}
	}
	end_word(&r);
	if (r.lit.failed)
		ps->nomem = true;
	dr_buf_free(&r.lit);
	*words = r.words;
	*n = r.n_words;
	return r.failed || ps->nomem ? -1 : 0;
}

int
dr_parse_text(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_value *v, struct dr_template *t)
{
	struct reader r = { .ps = ps, .sc = sc, .v = v, .s = v->text };

	begin_word(&r);
	while (r.i < r.s.n) {
		if (r.s.p[r.i] == '{' && take_brace(&r))
			continue;
		add_byte(&r, r.s.p[r.i], false);
		r.i++;
	}
	end_text(&r);
	if (r.lit.failed)
		ps->nomem = true;
	dr_buf_free(&r.lit);
	*t = r.word;
	return r.failed || ps->nomem ? -1 : 0;
}

int
dr_parse_constant(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_value *v,
		  struct dr_str *text)
{
	struct dr_template t;

	if (dr_parse_text(ps, sc, v, &t))
		return -1;
	dr_buf_reset(&ps->scratch);
	dr_template_text(&t, &ps->scratch);
	*text = (struct dr_str){ dr_parse_cstr(ps, dr_buf_str(&ps->scratch)), ps->scratch.n };
	return ps->nomem || ps->scratch.failed ? -1 : 0;
}
