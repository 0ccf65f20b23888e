#include "config.h"

#include "parse-state.h"

#include <string.h>

#include "arena.h"

/* What a shell would not look up in the PATH: builtins of POSIX and bash, and reserved words. A command that begins
 * with one of them is the shell's. */
static const char *const shell_words[] = {
	".",        ":",       "[",       "alias",   "bg",       "bind",     "break",   "builtin",
	"caller",   "case",    "cd",      "command", "compgen",  "complete", "compopt", "continue",
	"coproc",   "declare", "dirs",    "disown",  "do",       "done",     "echo",    "elif",
	"else",     "enable",  "esac",    "eval",    "exec",     "exit",     "export",  "false",
	"fc",       "fg",      "fi",      "for",     "function", "getopts",  "hash",    "help",
	"history",  "if",      "in",      "jobs",    "kill",     "let",      "local",   "logout",
	"mapfile",  "newgrp",  "popd",    "printf",  "pushd",    "pwd",      "read",    "readarray",
	"readonly", "return",  "select",  "set",     "shift",    "shopt",    "source",  "suspend",
	"test",     "then",    "time",    "times",   "trap",     "true",     "type",    "typeset",
	"ulimit",   "umask",   "unalias", "unset",   "until",    "wait",     "while",
};

/* Turns the text of a command into words and redirections, as long as it has nothing that only a shell can do. */
struct splitter {
	struct dr_parse *ps;
	struct dr_command *c;
	uint32_t cap_words, cap_redirects;
	struct dr_template word;
	uint32_t cap;
	struct dr_buf lit; /* the word's text behind its last placeholder */
	bool in_word;
	bool plain;    /* nothing of the word was quoted or is a placeholder */
	bool redirect; /* the word is what the last redirection names */
	bool shell;    /* it needs one after all */
	char quote;    /* ' or " that is open, or 0 */
	struct dr_pos pos;
};

static void
begin(struct splitter *sp)
{
	if (sp->in_word)
		return;
	sp->in_word = true;
	sp->plain = true;
	sp->word = (struct dr_template){ .pos = sp->pos };
	sp->cap = 0;
}

static void
end_text(struct splitter *sp)
{
	struct dr_piece piece = { .kind = DR_PH_TEXT, .pos = sp->pos };

	if (!sp->lit.n)
		return;
	piece.text.p = dr_parse_cstr(sp->ps, dr_buf_str(&sp->lit));
	piece.text.n = sp->lit.n;
	dr_template_add(sp->ps, &sp->word, &sp->cap, &piece);
	dr_buf_reset(&sp->lit);
}

static void
end_word(struct splitter *sp)
{
	struct dr_command *c = sp->c;

	if (!sp->in_word)
		return;
	end_text(sp);
	sp->in_word = false;
	if (sp->redirect)
		c->redirects[c->n_redirects - 1].target = sp->word;
	else if (!dr_parse_grow(sp->ps, &c->words, c->n_words, &sp->cap_words, sizeof(*c->words)))
		c->words[c->n_words++] = sp->word;
	sp->redirect = false;
}

static bool
is_standard(char c)
{
	return c >= '0' && c <= '2';
}

/* At the operator p[0]; p[n] is the end of the text up to the next placeholder, which `last` says there is none of.
 * Returns how many bytes it took. Only the three standard descriptors: beyond them shells differ. */
static size_t
take_redirection(struct splitter *sp, const char *p, size_t n, bool last)
{
	struct dr_redirect r = { .kind = p[0] == '<' ? DR_REDIRECT_READ : DR_REDIRECT_WRITE,
				 .fd = p[0] == '>' };
	size_t length = 1;

	if (sp->in_word && sp->plain && sp->lit.n == 1 && sp->lit.p[0] >= '0' && sp->lit.p[0] <= '9') {
		sp->shell = sp->shell || !is_standard(sp->lit.p[0]);
		r.fd = sp->lit.p[0] - '0';
		dr_buf_reset(&sp->lit);
		sp->in_word = false;
	} else if (sp->in_word && sp->plain && sp->lit.n && strspn(sp->lit.p, "0123456789") == sp->lit.n) {
		sp->shell = true;
	}
	end_word(sp);
	if (sp->redirect)
		sp->shell = true; /* and it will say that a word is missing */
	if (p[0] == '>' && n > 1 && p[1] == '>') {
		r.kind = DR_REDIRECT_APPEND;
		length = 2;
	} else if (n > 2 && p[1] == '&' && is_standard(p[2]) &&
		   (n > 3 ? strchr(" \t<>", p[3]) != NULL : last)) {
		r.kind = DR_REDIRECT_DUP;
		r.dup_from = p[2] - '0';
		length = 3;
	}
	if (length < n && r.kind != DR_REDIRECT_DUP && strchr("<>(&|", p[length]))
		sp->shell = true;
	if (dr_parse_grow(sp->ps, &sp->c->redirects, sp->c->n_redirects, &sp->cap_redirects, sizeof(r)))
		return length;
	sp->c->redirects[sp->c->n_redirects++] = r;
	sp->redirect = r.kind != DR_REDIRECT_DUP;
	return length;
}

static void
take_quoted(struct splitter *sp, char c)
{
	if (c == sp->quote)
		sp->quote = '\0';
	else if (sp->quote == '"' && strchr("$`\\!", c))
		sp->shell = true;
	else
		dr_buf_addc(&sp->lit, c);
}

/* NAME= in front of the command's first word. */
static bool
is_assignment(const struct splitter *sp)
{
	struct dr_str s = dr_buf_str(&sp->lit);

	if (sp->c->n_words || sp->redirect || !sp->in_word || !sp->plain)
		return false;
	if (s.n && s.p[s.n - 1] == '+')
		s.n--;
	return dr_parse_is_variable(s);
}

static void
take_text(struct splitter *sp, struct dr_str s, bool last)
{
	for (size_t i = 0; i < s.n && !sp->shell; i++) {
		char c = s.p[i];

		if (sp->quote) {
			take_quoted(sp, c);
		} else if (c == ' ' || c == '\t') {
			end_word(sp);
		} else if (c == '<' || c == '>') {
			i += take_redirection(sp, s.p + i, s.n - i, last) - 1;
		} else if (c == '\'' || c == '"') {
			begin(sp);
			sp->plain = false;
			sp->quote = c;
		} else if (strchr("\n*?[~$`\\!#(){};&|", c) || (c == '=' && is_assignment(sp))) {
			sp->shell = true;
		} else {
			begin(sp);
			dr_buf_addc(&sp->lit, c);
		}
	}
}

static void
take_place(struct splitter *sp, const struct dr_piece *piece)
{
	begin(sp);
	sp->plain = false;
	end_text(sp);
	dr_template_add(sp->ps, &sp->word, &sp->cap, piece);
}

static bool
is_shell_word(struct dr_parse *ps, const struct dr_template *t)
{
	struct dr_str word;

	if (!dr_template_constant(t))
		return false;
	dr_buf_reset(&ps->scratch);
	dr_template_text(t, &ps->scratch);
	word = dr_buf_str(&ps->scratch);
	for (size_t i = 0; i < sizeof(shell_words) / sizeof(*shell_words); i++) {
		if (dr_str_is(word, shell_words[i]))
			return true;
	}
	return false;
}

/* True with words and redirections made; false when a shell is needed. */
static bool
split(struct dr_parse *ps, struct dr_command *c)
{
	struct splitter sp = { .ps = ps, .c = c };

	for (uint32_t i = 0; i < c->text.n && !sp.shell; i++) {
		const struct dr_piece *piece = &c->text.pieces[i];

		sp.pos = piece->pos;
		if (piece->kind == DR_PH_TEXT)
			take_text(&sp, piece->text, i + 1 == c->text.n);
		else
			take_place(&sp, piece);
	}
	end_word(&sp);
	if (sp.lit.failed)
		ps->nomem = true;
	dr_buf_free(&sp.lit);
	if (sp.shell || sp.redirect || !c->n_words || is_shell_word(ps, &c->words[0])) {
		c->words = NULL;
		c->n_words = 0;
		c->redirects = NULL;
		c->n_redirects = 0;
		return false;
	}
	return true;
}

static bool
same_value(const struct dr_piece *a, const struct dr_piece *b)
{
	return a->kind == b->kind && a->index == b->index && a->n_mods == b->n_mods &&
	       memcmp(a->mods, b->mods, a->n_mods) == 0 &&
	       (a->kind != DR_PH_LET || dr_str_eq(a->text, b->text));
}

/* Each different value is passed to the shell once. Placeholders are as many as somebody wrote by hand; a text of
 * thousands of them is worth no table, but no square of them either, so only the last few are compared. */
static void
find_params(struct dr_parse *ps, struct dr_command *c)
{
	enum { COMPARED = 64 };
	uint32_t cap = 0;

	for (uint32_t i = 0; i < c->text.n; i++) {
		struct dr_piece *piece = &c->text.pieces[i];
		uint32_t k = c->n_params, least = k > COMPARED ? k - COMPARED : 0;

		if (piece->kind == DR_PH_TEXT)
			continue;
		while (k > least && !same_value(&c->params[k - 1], piece))
			k--;
		if (k > least) {
			piece->param = k - 1;
			continue;
		}
		if (dr_parse_grow(ps, &c->params, c->n_params, &cap, sizeof(*c->params)))
			return;
		piece->param = c->n_params;
		c->params[c->n_params++] = *piece;
	}
}

static bool
is_row_alone(const struct dr_template *t)
{
	uint32_t rows = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		const struct dr_piece *p = &t->pieces[i];

		if (p->kind == DR_PH_ARG)
			rows++;
		else if (p->kind != DR_PH_TEXT)
			return false;
		for (size_t k = 0; p->kind == DR_PH_TEXT && k < p->text.n; k++) {
			if (!strchr(" \t\n", p->text.p[k]))
				return false;
		}
	}
	return rows == 1;
}

int
dr_parse_command(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_value *v,
		 struct dr_command *c)
{
	struct dr_shell_text found;

	*c = (struct dr_command){ .source = v->text, .pos = v->pos };
	if (dr_parse_shell_text(ps, sc, v, &found))
		return -1;
	c->text = found.text;
	c->programs = found.programs;
	c->n_programs = found.n_programs;
	c->literals = found.literals;
	c->n_literals = found.n_literals;
	if (is_row_alone(&c->text)) {
		dr_lex_error(ps->p, ps->diags, v->pos,
			     "the row is one word, so as a whole command it is the name of a program: for a "
			     "row of shell text "
			     "write bash -c {arg}");
		return -1;
	}
	c->shell = !split(ps, c);
	if (c->shell)
		find_params(ps, c);
	return ps->nomem ? -1 : 0;
}
