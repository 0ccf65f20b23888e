#include "config.h"

#include "parse-shell.h"

#include <string.h>

#include "err.h"

void
dr_shell_take_heredoc(struct dr_shell_scan *s, size_t at)
{
	struct dr_heredoc doc = { .at = at, .tabs = dr_shell_peek(s, 0) == '-' };
	char quote = '\0';

	s->i += doc.tabs;
	while (dr_shell_peek(s, 0) == ' ' || dr_shell_peek(s, 0) == '\t')
		s->i++;
	dr_buf_reset(&s->word);
	for (; s->i < s->s.n; s->i++) {
		char c = s->s.p[s->i];

		if (quote ? c == quote : (c == '\'' || c == '"'))
			quote = quote ? '\0' : c;
		else if (!quote && strchr(" \t\n;&|()<>", c))
			break;
		else if (quote == '\'' || c != '\\')
			dr_buf_addc(&s->word, c);
	}
	doc.end = (struct dr_str){ dr_parse_cstr(s->ps, dr_buf_str(&s->word)), s->word.n };
	if (s->n_heredocs == DR_HEREDOCS_MAX)
		dr_shell_tell(s, at, "too many here-documents in one line");
	else
		s->heredocs[s->n_heredocs++] = doc;
}

void
dr_shell_skip_heredoc(struct dr_shell_scan *s, const struct dr_heredoc *doc)
{
	while (s->i < s->s.n) {
		const char *nl = memchr(s->s.p + s->i, '\n', s->s.n - s->i);
		size_t end = nl ? (size_t)(nl - s->s.p) : s->s.n, from = s->i;

		while (doc->tabs && from < end && s->s.p[from] == '\t')
			from++;
		s->i = nl ? end + 1 : end;
		if (dr_str_eq((struct dr_str){ s->s.p + from, end - from }, doc->end))
			return;
		for (; from < end; from++)
			dr_shell_refuse(s, from,
					"in a here-document is text: put it into a variable before, as in "
					"x={arg}, and write $x");
	}
	s->failed = true;
	dr_lex_error(s->ps->p, s->ps->diags, dr_value_pos(s->v, doc->at),
		     "this here-document has no end: a line that is %.*s", (int)doc->end.n, doc->end.p);
}
