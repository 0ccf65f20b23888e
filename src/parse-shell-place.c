#include "config.h"

#include "parse-shell.h"

#include <string.h>

void
dr_shell_tell(struct dr_shell_scan *s, size_t at, const char *msg)
{
	s->failed = true;
	dr_lex_error(s->ps->p, s->ps->diags, dr_value_pos(s->v, at), "%s", msg);
}

void
dr_shell_tell_name(struct dr_shell_scan *s, size_t at, struct dr_str name, const char *msg)
{
	s->failed = true;
	dr_lex_error(s->ps->p, s->ps->diags, dr_value_pos(s->v, at), "{%.*s} %s", (int)name.n, name.p, msg);
}

bool
dr_shell_braced(const struct dr_shell_scan *s, size_t at, enum dr_brace kind, struct dr_str *name,
		size_t *end)
{
	if (at >= s->s.n || s->s.p[at] != '{' || dr_lex_brace(s->s, at, end) != kind)
		return false;
	*name = (struct dr_str){ s->s.p + at + 1, *end - at - 2 };
	return true;
}

/* A defined name where it would stay as it is: nobody means that. */
bool
dr_shell_refuse(struct dr_shell_scan *s, size_t at, const char *msg)
{
	struct dr_str name;
	size_t end;

	if (!dr_shell_braced(s, at, DR_BRACE_NAME, &name, &end) || !dr_place_defined(s->ps, s->sc, name))
		return false;
	dr_shell_tell_name(s, at, name, msg);
	return true;
}

static bool
of_a_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static size_t
name_length(struct dr_str s, size_t at)
{
	size_t n = at;

	while (n < s.n && of_a_name(s.p[n]))
		n++;
	return n - at;
}

/* Does the text speak of the variable otherwise than by `$name`: in an assignment, `for name`, `read name`? */
static bool
is_mentioned(struct dr_str s, struct dr_str name)
{
	for (size_t i = 0, n; i < s.n; i += n ? n : 1) {
		n = name_length(s, i);
		if (n && dr_str_eq((struct dr_str){ s.p + i, n }, name) && (!i || !strchr("${", s.p[i - 1])))
			return true;
	}
	return false;
}

/* `$in`, as other tools write what is {in} here: a variable of the shell that nothing sets would be no word at all. */
bool
dr_shell_refuse_dollar(struct dr_shell_scan *s, size_t at)
{
	static const char *const names[] = { "in", "out", "arg" };
	struct dr_str name = { s->s.p + at + 1, name_length(s->s, at + 1) };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!dr_str_is(name, names[i]) || !dr_place_defined(s->ps, s->sc, name) ||
		    is_mentioned(s->s, name))
			continue;
		s->failed = true;
		dr_lex_error(s->ps->p, s->ps->diags, dr_value_pos(s->v, at),
			     "$%s is a variable of the shell, and nothing sets it: write {%s}", names[i],
			     names[i]);
		return true;
	}
	return false;
}

void
dr_shell_refuse_quoted(struct dr_shell_scan *s, size_t at, char quote)
{
	dr_shell_refuse(s, at,
			quote == '"'
				? "in quotes is text: leave them out, as a value is one word anyway; beside "
				  "other text, \"a\"{arg}\"b\""
				: "in quotes is text: leave them out, as a value is one word anyway; beside "
				  "other text, 'a'{arg}'b'");
}

static void
add_piece(struct dr_shell_scan *s, const struct dr_piece *piece)
{
	dr_template_add(s->ps, &s->out->text, &s->cap_pieces, piece);
}

void
dr_shell_flush(struct dr_shell_scan *s, size_t to)
{
	struct dr_piece piece = { .kind = DR_PH_TEXT, .text = { s->s.p + s->text_from, to - s->text_from } };

	piece.pos = dr_value_pos(s->v, s->text_from);
	if (to > s->text_from)
		add_piece(s, &piece);
}

bool
dr_shell_is_number(struct dr_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	return s.n > 0;
}

/* What else can be wrong with a placeholder, beside that there is none of this name; NULL: nothing. */
static const char *
problem(const struct dr_shell_scan *s, const struct dr_frame *f, const struct dr_place *place, size_t end)
{
	bool arith = f->kind == DR_FRAME_ARITH;
	char next = end < s->s.n ? s->s.p[end] : '\0';

	if (f->back)
		return "in back quotes inside double quotes: write $(…) for the back quotes";
	if (dr_shell_in_function(f))
		return "in a function's body: pass it to the function as an argument and write \"$1\"";
	if (s->lost)
		return "behind shift or set --, which replace it: put it into a variable before";
	if (arith && !place->number &&
	    !(place->piece.kind == DR_PH_LET && dr_shell_is_number(place->piece.text)))
		return "in arithmetic could be more than a number, which a shell would run";
	if (!place->several)
		return NULL;
	if (f->target)
		return "can be several files, but a redirection takes one";
	if (f->in_word || (end < s->s.n && !strchr(" \t\n;&|)<>`", next)))
		return "can be several words: put a blank between it and what it touches";
	return NULL;
}

/* A '{' outside quotes. */
void
dr_shell_take_brace(struct dr_shell_scan *s)
{
	struct dr_frame *f = &s->frames[s->n - 1];
	struct dr_place place;
	struct dr_str name;
	const char *wrong;
	size_t end, at = s->i;
	bool form = dr_shell_braced(s, at, DR_BRACE_FORM, &name, &end) && dr_place_defined(s->ps, s->sc, name);

	if (!form && !dr_shell_braced(s, at, DR_BRACE_NAME, &name, &end)) {
		dr_shell_add(s, '{');
		s->i++;
		/* A brace that stands alone groups commands, another one makes words. */
		if (s->i < s->s.n && !strchr(" \t\n", s->s.p[s->i]))
			f->constant = false;
		return;
	}
	s->i = end;
	if (form ? dr_place_form(s->ps, s->sc, name, dr_value_pos(s->v, at), &place) :
		   dr_place_resolve(s->ps, s->sc, name, dr_value_pos(s->v, at), &place)) {
		s->failed = true;
		dr_shell_begin_word(f, s);
		f->constant = false;
		return;
	}
	wrong = problem(s, f, &place, end);
	if (wrong)
		dr_shell_tell_name(s, at, name, wrong);
	dr_shell_flush(s, at);
	place.piece.bare = f->kind == DR_FRAME_ARITH;
	add_piece(s, &place.piece);
	s->text_from = end;
	dr_shell_begin_word(f, s);
	f->plain = false;
	if (place.piece.kind == DR_PH_LET)
		dr_buf_addstr(&s->word, place.piece.text);
	else
		f->constant = false;
}
