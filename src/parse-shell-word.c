#include "config.h"

#include "parse-shell.h"

#include <string.h>

/* What a reserved word does to what follows it. */
enum reserved {
	R_NONE,
	R_GOES_ON, /* a command follows */
	R_ENDS,    /* operators follow */
	R_NAME,    /* a name and words follow */
	R_CASE,
	R_ESAC,
	R_OPEN,
	R_CLOSE,
	R_FUNCTION,
	R_CONDITION,
};

static const struct {
	const char *word;
	enum reserved kind;
} reserved[] = {
	{ "if", R_GOES_ON },   { "then", R_GOES_ON },   { "else", R_GOES_ON },      { "elif", R_GOES_ON },
	{ "do", R_GOES_ON },   { "while", R_GOES_ON },  { "until", R_GOES_ON },     { "!", R_GOES_ON },
	{ "time", R_GOES_ON }, { "coproc", R_GOES_ON }, { "fi", R_ENDS },           { "done", R_ENDS },
	{ "for", R_NAME },     { "select", R_NAME },    { "case", R_CASE },         { "esac", R_ESAC },
	{ "{", R_OPEN },       { "}", R_CLOSE },        { "function", R_FUNCTION }, { "[[", R_CONDITION },
};

void
dr_shell_begin_word(struct dr_frame *f, struct dr_shell_scan *s)
{
	if (f->kind != DR_FRAME_COMMANDS || f->in_word)
		return;
	f->in_word = true;
	f->plain = true;
	f->constant = true;
	f->assign = false;
	dr_buf_reset(&s->word);
}

/* A byte of the word without quotes. */
void
dr_shell_add(struct dr_shell_scan *s, char c)
{
	struct dr_frame *f = &s->frames[s->n - 1];
	struct dr_str so_far;

	dr_shell_begin_word(f, s);
	so_far = dr_buf_str(&s->word);
	if (c == '=' && f->plain && f->constant) {
		if (so_far.n && so_far.p[so_far.n - 1] == '+')
			so_far.n--;
		f->assign = f->assign || dr_parse_is_variable(so_far);
	}
	/* `[[` is a word of its own; what else begins so is seen when it is taken for a program. */
	if (strchr("*?~", c) || (c == '[' && so_far.n && so_far.p[0] != '['))
		f->constant = false;
	dr_buf_addc(&s->word, c);
}

static enum reserved
find_reserved(struct dr_str word)
{
	for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++) {
		if (dr_str_is(word, reserved[i].word))
			return reserved[i].kind;
	}
	return R_NONE;
}

static void
open_brace(struct dr_frame *f)
{
	f->braces++;
	if (f->fn_next)
		f->fn = f->braces;
	f->fn_next = false;
}

static void
close_brace(struct dr_frame *f)
{
	if (f->fn == f->braces)
		f->fn = 0;
	if (f->braces)
		f->braces--;
	f->start = false;
}

static void
take_reserved(struct dr_frame *f, enum reserved kind)
{
	/* A function whose body is some other compound command: where it ends we do not look for. */
	if (f->fn_next && kind != R_OPEN) {
		f->fn = UINT32_MAX;
		f->fn_next = false;
	}
	if (kind != R_GOES_ON && kind != R_OPEN)
		f->start = false;
	switch (kind) {
	case R_CASE:
		f->case_head = true;
		f->cases++;
		break;
	case R_ESAC:
		if (f->cases)
			f->cases--;
		f->pattern = false;
		break;
	case R_OPEN:
		open_brace(f);
		break;
	case R_CLOSE:
		close_brace(f);
		break;
	case R_FUNCTION:
		f->fn_name = true;
		break;
	case R_CONDITION:
		f->condition = true;
		break;
	default:
		break;
	}
}

static void
add_program(struct dr_shell_scan *s)
{
	struct dr_shell_text *out = s->out;
	struct dr_str word = dr_buf_str(&s->word);

	if (s->moved || !word.n || word.p[0] == '/' || word.p[0] == '[' || !memchr(word.p, '/', word.n))
		return;
	for (uint32_t i = 0; i < out->n_programs; i++) {
		if (dr_str_eq(out->programs[i], word))
			return;
	}
	if (dr_parse_grow(s->ps, &out->programs, out->n_programs, &s->cap_programs, sizeof(*out->programs)))
		return;
	out->programs[out->n_programs++] = (struct dr_str){ dr_parse_cstr(s->ps, word), word.n };
}

static void
add_literal(struct dr_shell_scan *s)
{
	struct dr_shell_text *out = s->out;
	struct dr_str word = dr_buf_str(&s->word);

	if (s->moved || !word.n || word.p[0] == '/' || word.p[0] == '-' ||
	    dr_parse_grow(s->ps, &out->literals, out->n_literals, &s->cap_literals, sizeof(*out->literals)))
		return;
	out->literals[out->n_literals++] = (struct dr_str){ dr_parse_cstr(s->ps, word), word.n };
}

static void
take_command(struct dr_frame *f, struct dr_shell_scan *s)
{
	struct dr_str word = dr_buf_str(&s->word);

	f->start = false;
	f->set = false;
	if (f->fn_next) {
		f->fn = UINT32_MAX;
		f->fn_next = false;
	}
	if (!f->constant)
		return;
	if (dr_str_is(word, "exec"))
		f->start = true;
	else if (dr_str_is(word, "cd") || dr_str_is(word, "pushd") || dr_str_is(word, "popd"))
		s->moved = true;
	else if (dr_str_is(word, "shift"))
		f->losing = true;
	else if (dr_str_is(word, "set"))
		f->set = true;
	else
		add_program(s);
}

/* A word behind the name of a command. */
static void
take_argument(struct dr_frame *f, struct dr_shell_scan *s)
{
	struct dr_str word = dr_buf_str(&s->word);

	if (f->fn_name) {
		f->fn_name = false;
		f->fn_next = true;
		f->start = true;
	} else if (f->case_head && f->plain && f->constant && dr_str_is(word, "in")) {
		f->case_head = false;
		f->pattern = true;
	} else if (f->set && (!f->constant || dr_str_is(word, "--") || !word.n ||
			      (word.p[0] != '-' && word.p[0] != '+' && !dr_str_is(word, "pipefail")))) {
		f->losing = true;
	}
}

void
dr_shell_end_command(struct dr_frame *f, struct dr_shell_scan *s)
{
	dr_shell_end_word(f, s);
	s->lost = s->lost || f->losing;
	f->losing = false;
	f->start = true;
}

void
dr_shell_end_word(struct dr_frame *f, struct dr_shell_scan *s)
{
	enum reserved kind;

	if (f->kind != DR_FRAME_COMMANDS || !f->in_word)
		return;
	f->in_word = false;
	kind = f->constant && f->plain ? find_reserved(dr_buf_str(&s->word)) : R_NONE;
	if (f->target) {
		if (f->reads && f->constant)
			add_literal(s);
		f->target = f->reads = false;
	} else if (f->condition) {
		f->condition = !dr_str_is(dr_buf_str(&s->word), "]]");
	} else if (f->pattern) {
		if (kind == R_ESAC)
			take_reserved(f, kind);
	} else if (!f->start) {
		if (f->constant)
			add_literal(s);
		take_argument(f, s);
	} else if (kind != R_NONE) {
		take_reserved(f, kind);
	} else if (!f->assign) {
		take_command(f, s);
	}
}

bool
dr_shell_function(struct dr_frame *f, struct dr_shell_scan *s)
{
	size_t i = s->i + 1;

	if (f->in_word && f->assign)
		return false;
	while (i < s->s.n && (s->s.p[i] == ' ' || s->s.p[i] == '\t'))
		i++;
	if (i == s->s.n || s->s.p[i] != ')')
		return false;
	f->in_word = false;
	f->fn_name = false;
	f->fn_next = true;
	f->start = true;
	s->i = i + 1;
	return true;
}

bool
dr_shell_in_function(const struct dr_frame *f)
{
	return f->function || f->fn || f->fn_next;
}
