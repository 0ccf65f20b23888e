#include "config.h"

#include "lex.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "pipeline.h"

enum {
	MESSAGE_MAX = 1200,
	SHOWN_BEFORE = 100, /* bytes of a long line that are shown before and from the column on */
	SHOWN_AFTER = 100,
};

static struct dr_str
source_line(struct dr_str text, uint32_t line)
{
	const char *p = text.p, *end = text.p + text.n, *nl;

	for (uint32_t i = 1; i < line && p < end; i++) {
		nl = memchr(p, '\n', (size_t)(end - p));
		p = nl ? nl + 1 : end;
	}
	nl = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
	if (!nl)
		nl = end;
	if (nl > p && nl[-1] == '\r')
		nl--;
	return (struct dr_str){ p, (size_t)(nl - p) };
}

void
dr_lex_error(const struct dr_pipeline *p, struct dr_diags *d, struct dr_pos pos, const char *fmt, ...)
{
	const struct dr_source *s = pos.line && pos.source < p->n_sources ? &p->sources[pos.source] : NULL;
	char msg[MESSAGE_MAX];
	struct dr_str text;
	uint32_t line = pos.line;
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(msg, sizeof(msg), fmt, ap) < 0)
		msg[0] = '\0';
	va_end(ap);
	if (!s || d->n == DR_DIAGS_MAX) {
		dr_diag_add(d, NULL, 0, 0, NULL, 0, "%s", msg);
		return;
	}
	text = source_line(s->text, line);
	if (text.n > UINT32_MAX)
		text.n = UINT32_MAX;
	if (s->option && !memchr(s->text.p, '\n', s->text.n))
		line = 0;
	dr_diag_add(d, s->name, line, pos.col, text.p, (uint32_t)text.n, "%s", msg);
}

/* What cannot be printed is escaped, but a backslash stands for itself and a tab becomes a blank, as what is shown is
 * to look like the source. */
static void
add_plain(struct dr_buf *out, struct dr_str s)
{
	while (s.n) {
		size_t n = 0;

		while (n < s.n && s.p[n] != '\\' && s.p[n] != '\t')
			n++;
		dr_buf_escape(out, (struct dr_str){ s.p, n });
		if (n < s.n)
			dr_buf_addc(out, s.p[n++] == '\t' ? ' ' : '\\');
		s.p += n;
		s.n -= n;
	}
}

static bool
inside_character(struct dr_str s, size_t at)
{
	return at > 0 && at < s.n && ((unsigned char)s.p[at] & 0xc0) == 0x80;
}

static void
show_line(const struct dr_diag *g, struct dr_buf *out)
{
	struct dr_str text = dr_str(g->text);
	size_t col = g->col ? g->col - 1 : 0, from = 0, to = text.n, begin, width;

	if (col > text.n)
		col = text.n;
	if (text.n > SHOWN_BEFORE + SHOWN_AFTER) {
		from = col > SHOWN_BEFORE ? col - SHOWN_BEFORE : 0;
		to = text.n - col > SHOWN_AFTER ? col + SHOWN_AFTER : text.n;
		while (inside_character(text, from))
			from--;
		/* Bytes that are no UTF-8 may go on like this as far as the column. */
		while (to > col && inside_character(text, to))
			to--;
	}
	dr_buf_adds(out, from ? "  …" : "  ");
	begin = out->n;
	add_plain(out, (struct dr_str){ text.p + from, col - from });
	width = dr_str_width((struct dr_str){ dr_buf_cstr(out) + begin, out->n - begin });
	add_plain(out, (struct dr_str){ text.p + col, to - col });
	dr_buf_adds(out, to < text.n ? "…\n" : "\n");
	if (!g->col)
		return;
	for (width += from ? 3 : 2; width; width--)
		dr_buf_addc(out, ' ');
	dr_buf_adds(out, "^\n");
}

void
dr_diags_show(const struct dr_diags *d, struct dr_buf *out)
{
	for (uint32_t i = 0; i < d->n; i++) {
		const struct dr_diag *g = &d->v[i];

		add_plain(out, dr_str(g->file ? g->file : "dagrun"));
		if (g->line)
			dr_buf_addf(out, ":%" PRIu32 ":%" PRIu32, g->line, g->col);
		dr_buf_adds(out, ": ");
		add_plain(out, dr_str(g->msg));
		dr_buf_addc(out, '\n');
		if (g->text && g->text[0])
			show_line(g, out);
	}
	if (d->total > d->n)
		dr_buf_addf(out, "… and %" PRIu32 " more error%s\n", d->total - d->n,
			    d->total - d->n == 1 ? "" : "s");
}
