#include "config.h"

#include "parse-shell.h"

#include <string.h>

#include "err.h"

static struct dr_frame *
top(struct dr_shell_scan *s)
{
	return &s->frames[s->n - 1];
}

/* The word that encloses the place has text that only the shell will know. */
static void
not_constant(struct dr_shell_scan *s)
{
	uint32_t i = s->n;

	while (i > 0 && s->frames[i - 1].kind != DR_FRAME_COMMANDS)
		i--;
	if (i)
		s->frames[i - 1].constant = false;
}

static void
push(struct dr_shell_scan *s, enum dr_frame_kind kind, char close, size_t length)
{
	struct dr_frame *f, *below = s->n ? top(s) : NULL;

	if (s->n == DR_FRAMES_MAX) {
		dr_shell_tell(s, s->i, "quotes and brackets are nested too deep");
		s->i = s->s.n;
		s->n = 1;
		return;
	}
	f = &s->frames[s->n++];
	*f = (struct dr_frame){ .kind = kind, .close = close, .at = s->i, .start = true };
	if (below) {
		f->quoted = below->kind == DR_FRAME_DOUBLE;
		f->back = below->back || (close == '`' && below->kind == DR_FRAME_DOUBLE);
		f->function = dr_shell_in_function(below);
		/* (…) as a function's body */
		if (kind == DR_FRAME_COMMANDS)
			below->fn_next = false;
	}
	s->i += length;
}

static void
pop(struct dr_shell_scan *s, size_t length)
{
	s->n--;
	s->i += length;
}

/* '…' or $'…' (escapes), from its first quote on. */
static void
take_single(struct dr_shell_scan *s, bool escapes)
{
	size_t from = s->i++;

	for (; s->i < s->s.n && s->s.p[s->i] != '\''; s->i++) {
		if (escapes && s->s.p[s->i] == '\\' && s->i + 1 < s->s.n)
			s->i++;
		else
			dr_shell_refuse_quoted(s, s->i, '\'');
		dr_buf_addc(&s->word, s->s.p[s->i]);
	}
	if (s->i == s->s.n)
		dr_shell_tell(s, from, "this quote has no end");
	else
		s->i++;
}

static void
take_dollar(struct dr_shell_scan *s)
{
	struct dr_frame *f = top(s);
	struct dr_str name;
	size_t end;

	dr_shell_begin_word(f, s);
	not_constant(s);
	if (dr_shell_peek(s, 1) == '(' && dr_shell_peek(s, 2) == '(') {
		push(s, DR_FRAME_ARITH, ')', 3);
	} else if (dr_shell_peek(s, 1) == '(') {
		push(s, DR_FRAME_COMMANDS, ')', 2);
	} else if (dr_shell_braced(s, s->i + 1, DR_BRACE_NAME, &name, &end) &&
		   dr_place_defined(s->ps, s->sc, name)) {
		dr_shell_tell_name(
			s, s->i, name,
			"has a '$' before it, which makes it a variable of the shell: drop the '$'");
		s->i = end;
	} else if (dr_shell_peek(s, 1) == '{') {
		push(s, DR_FRAME_PARAM, '}', 2);
	} else if (dr_shell_peek(s, 1) == '\'' && f->kind == DR_FRAME_COMMANDS) {
		s->i++;
		take_single(s, true);
	} else if (dr_shell_peek(s, 1) && strchr("$#?!*@-", dr_shell_peek(s, 1))) {
		s->i += 2;
	} else {
		dr_shell_refuse_dollar(s, s->i);
		s->i++;
	}
}

static void
take_newline(struct dr_shell_scan *s, struct dr_frame *f)
{
	dr_shell_end_command(f, s);
	f->target = false;
	s->i++;
	for (uint32_t i = 0; i < s->n_heredocs; i++)
		dr_shell_skip_heredoc(s, &s->heredocs[i]);
	s->n_heredocs = 0;
}

/* Whether the word at hand is the number of a descriptor, of the redirection that follows it. */
static bool
is_descriptor(const struct dr_shell_scan *s, const struct dr_frame *f)
{
	return f->in_word && f->plain && f->constant && dr_shell_is_number(dr_buf_str(&s->word));
}

static void
take_redirection(struct dr_shell_scan *s, struct dr_frame *f)
{
	char c = dr_shell_peek(s, 0), next = dr_shell_peek(s, 1);
	size_t at = s->i;

	if (is_descriptor(s, f))
		f->in_word = false;
	dr_shell_end_word(f, s);
	if (f->condition) {
		s->i++;
	} else if (next == '(') {
		dr_shell_begin_word(f, s);
		f->constant = false;
		push(s, DR_FRAME_COMMANDS, ')', 2);
	} else if (c == '<' && next == '<' && dr_shell_peek(s, 2) == '<') {
		f->target = true;
		s->i += 3;
	} else if (c == '<' && next == '<') {
		s->i += 2;
		dr_shell_take_heredoc(s, at);
	} else {
		f->target = true;
		f->reads = c == '<' && next != '&' && next != '>';
		s->i += next && strchr(c == '<' ? "&>" : "&>|", next) ? 2 : 1;
	}
}

/* One of ; & | which end a command. */
static void
take_operator(struct dr_shell_scan *s, struct dr_frame *f)
{
	char c = dr_shell_peek(s, 0), next = dr_shell_peek(s, 1);

	if (c == '&' && next == '>') {
		dr_shell_end_word(f, s);
		f->target = true;
		s->i += dr_shell_peek(s, 2) == '>' ? 3 : 2;
		return;
	}
	dr_shell_end_command(f, s);
	if (c == ';' && (next == ';' || next == '&') && f->cases)
		f->pattern = true;
	s->i += next == c || next == '&' ? 2 : 1;
}

static void
take_open(struct dr_shell_scan *s, struct dr_frame *f)
{
	if (f->pattern) {
		s->i++;
	} else if (dr_shell_function(f, s)) {
		return;
	} else if (!f->in_word && dr_shell_peek(s, 1) == '(') {
		/* ((…)) and for ((…)) */
		f->start = false;
		push(s, DR_FRAME_ARITH, ')', 2);
	} else {
		/* A subshell; within a word an array's values, or a pattern. */
		if (f->in_word)
			f->constant = false;
		else
			f->start = false;
		push(s, DR_FRAME_COMMANDS, ')', 1);
	}
}

static void
take_close(struct dr_shell_scan *s, struct dr_frame *f)
{
	dr_shell_end_command(f, s);
	if (f->pattern && f->cases) {
		f->pattern = false;
		s->i++;
	} else if (f->close == ')') {
		pop(s, 1);
	} else {
		s->i++;
	}
}

static void
take_back_quote(struct dr_shell_scan *s, struct dr_frame *f)
{
	if (f->close == '`') {
		dr_shell_end_word(f, s);
		pop(s, 1);
		return;
	}
	dr_shell_begin_word(f, s);
	f->constant = false;
	push(s, DR_FRAME_COMMANDS, '`', 1);
}

/* A byte that does not end a word. */
static void
step_word(struct dr_shell_scan *s, struct dr_frame *f)
{
	char c = dr_shell_peek(s, 0), next = dr_shell_peek(s, 1);

	switch (c) {
	case '\'':
	case '"':
		dr_shell_begin_word(f, s);
		f->plain = false;
		if (c == '"')
			push(s, DR_FRAME_DOUBLE, '"', 1);
		else
			take_single(s, false);
		break;
	case '$':
		take_dollar(s);
		break;
	case '`':
		take_back_quote(s, f);
		break;
	case '\\':
		if (next != '\n') {
			dr_shell_begin_word(f, s);
			f->plain = false;
			dr_buf_addc(&s->word, next);
		}
		s->i += 2;
		break;
	case '{':
		dr_shell_take_brace(s);
		break;
	default:
		dr_shell_add(s, c);
		s->i++;
	}
}

static void
skip_comment(struct dr_shell_scan *s, const struct dr_frame *f)
{
	while (s->i < s->s.n && s->s.p[s->i] != '\n' && !(f->close == '`' && s->s.p[s->i] == '`'))
		s->i++;
}

static void
step_commands(struct dr_shell_scan *s)
{
	struct dr_frame *f = top(s);

	switch (dr_shell_peek(s, 0)) {
	case ' ':
	case '\t':
		dr_shell_end_word(f, s);
		s->i++;
		break;
	case '\n':
		take_newline(s, f);
		break;
	case ';':
	case '&':
	case '|':
		take_operator(s, f);
		break;
	case '(':
		take_open(s, f);
		break;
	case ')':
		take_close(s, f);
		break;
	case '<':
	case '>':
		take_redirection(s, f);
		break;
	case '#':
		if (f->in_word)
			step_word(s, f);
		else
			skip_comment(s, f);
		break;
	default:
		step_word(s, f);
	}
}

/* Double quotes, ${…} and arithmetic: what a '$', '\' or '`' begins in all of them. */
static bool
step_common(struct dr_shell_scan *s, struct dr_frame *f)
{
	switch (dr_shell_peek(s, 0)) {
	case '$':
		take_dollar(s);
		return true;
	case '`':
		not_constant(s);
		/* ${x:-`…`} in double quotes is in them too. */
		push(s, DR_FRAME_COMMANDS, '`', 1);
		if (s->n > 1 && f->kind == DR_FRAME_PARAM && f->quoted)
			top(s)->back = true;
		return true;
	case '\\':
		dr_buf_addc(&s->word, dr_shell_peek(s, 1));
		s->i += 2;
		return true;
	default:
		return false;
	}
}

static void
step_double(struct dr_shell_scan *s)
{
	char c = dr_shell_peek(s, 0);

	if (step_common(s, top(s)))
		return;
	if (c == '"') {
		pop(s, 1);
		return;
	}
	if (c == '{')
		dr_shell_refuse_quoted(s, s->i, '"');
	dr_buf_addc(&s->word, c);
	s->i++;
}

static void
step_param(struct dr_shell_scan *s)
{
	struct dr_frame *f = top(s);
	char c = dr_shell_peek(s, 0);

	if (step_common(s, f))
		return;
	if (c == '}') {
		pop(s, 1);
	} else if (c == '"') {
		push(s, DR_FRAME_DOUBLE, '"', 1);
	} else if (c == '\'' && !f->quoted) {
		take_single(s, false);
	} else {
		if (c == '{')
			dr_shell_refuse(s, s->i,
					"in ${…} is text: put it into a variable before, as in x={arg}");
		s->i++;
	}
}

static void
step_arith(struct dr_shell_scan *s)
{
	struct dr_frame *f = top(s);
	char c = dr_shell_peek(s, 0);

	if (step_common(s, f))
		return;
	if (c == '{') {
		dr_shell_take_brace(s);
		return;
	}
	if (c == '(') {
		f->depth++;
	} else if (c == ')' && f->depth) {
		f->depth--;
	} else if (c == ')') {
		if (dr_shell_peek(s, 1) != ')')
			dr_shell_tell(s, f->at,
				      "these two '(' begin arithmetic, which ends with two ')': put a blank "
				      "between them");
		pop(s, 2);
		return;
	}
	s->i++;
}

static void
check_end(struct dr_shell_scan *s)
{
	const struct dr_frame *f = top(s);
	static const char *const what[] = {
		[DR_FRAME_COMMANDS] = "this bracket has no end",
		[DR_FRAME_DOUBLE] = "this quote has no end",
		[DR_FRAME_PARAM] = "this ${ has no end",
		[DR_FRAME_ARITH] = "this arithmetic has no end",
	};

	if (s->n > 1 && !s->failed)
		dr_shell_tell(s, f->at, f->close == '`' ? "this back quote has no end" : what[f->kind]);
	for (uint32_t i = 0; i < s->n_heredocs && !s->failed; i++)
		dr_shell_skip_heredoc(s, &s->heredocs[i]);
}

int
dr_parse_shell_text(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_value *v,
		    struct dr_shell_text *out)
{
	struct dr_shell_scan s = { .ps = ps, .sc = sc, .v = v, .s = v->text, .out = out };

	*out = (struct dr_shell_text){ .text.pos = v->pos };
	push(&s, DR_FRAME_COMMANDS, '\0', 0);
	while (s.i < s.s.n) {
		switch (top(&s)->kind) {
		case DR_FRAME_COMMANDS:
			step_commands(&s);
			break;
		case DR_FRAME_DOUBLE:
			step_double(&s);
			break;
		case DR_FRAME_PARAM:
			step_param(&s);
			break;
		case DR_FRAME_ARITH:
			step_arith(&s);
			break;
		}
	}
	s.i = s.s.n;
	dr_shell_end_word(top(&s), &s);
	check_end(&s);
	dr_shell_flush(&s, s.s.n);
	if (s.word.failed)
		ps->nomem = true;
	dr_buf_free(&s.word);
	return s.failed || ps->nomem ? -1 : 0;
}
