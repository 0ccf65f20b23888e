#include "config.h"

#include "lex.h"

#include <string.h>

#include "arena.h"
#include "err.h"
#include "pipeline.h"

struct dr_lexer {
	struct dr_pipeline *p;
	struct dr_diags *diags;
	uint32_t source;
	struct dr_str text;
	size_t at;            /* where the next line begins */
	uint32_t line;        /* its number */
	struct dr_str indent; /* of the keys of the block at hand */
	bool in_block;        /* there was one */
};

/* A physical line: its bytes without the end of line, and where they begin. */
struct row {
	struct dr_str text;
	size_t indent; /* blanks and tabs that it begins with */
	size_t next;   /* offset of the line behind it */
	uint32_t line;
};

/* A value while it is put together: its bytes go to the arena at the end. */
struct gather {
	struct dr_buf text;
	struct dr_segment *segments;
	uint32_t n, cap;
	struct dr_arena *arena;
	bool failed;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct dr_str
sub(struct dr_str s, size_t from, size_t to)
{
	return (struct dr_str){ s.p + from, to - from };
}

static struct dr_str
trim_end(struct dr_str s)
{
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

static bool
read_row(const struct dr_lexer *lx, size_t at, uint32_t line, struct row *r)
{
	const char *nl;
	size_t end;

	if (at >= lx->text.n)
		return false;
	nl = memchr(lx->text.p + at, '\n', lx->text.n - at);
	end = nl ? (size_t)(nl - lx->text.p) : lx->text.n;
	r->next = nl ? end + 1 : end;
	if (end > at && lx->text.p[end - 1] == '\r')
		end--;
	r->text = sub(lx->text, at, end);
	r->line = line;
	for (r->indent = 0; r->indent < r->text.n && is_blank(r->text.p[r->indent]); r->indent++)
		;
	return true;
}

static bool
take_row(struct dr_lexer *lx, struct row *r)
{
	if (!read_row(lx, lx->at, lx->line, r))
		return false;
	lx->at = r->next;
	lx->line++;
	return true;
}

static bool
is_empty(const struct row *r)
{
	return r->indent == r->text.n;
}

static bool
is_comment(const struct row *r)
{
	return !is_empty(r) && r->text.p[r->indent] == '#';
}

/* Whether the line goes on with the next: an odd number of '\' at its end, as two are one that is meant. */
static bool
goes_on(struct dr_str s)
{
	size_t n = 0;

	while (n < s.n && s.p[s.n - 1 - n] == '\\')
		n++;
	return n % 2 == 1;
}

static struct dr_pos
pos_at(const struct dr_lexer *lx, const struct row *r, size_t offset)
{
	return (struct dr_pos){ lx->source, r->line, (uint32_t)offset + 1 };
}

static void
add_segment(struct gather *g, const struct row *r, size_t from, size_t to)
{
	if (g->n == g->cap) {
		uint32_t cap = g->cap ? g->cap * 2 : 4;
		struct dr_segment *more = dr_arena_array(g->arena, cap, sizeof(*more));

		if (!more) {
			g->failed = true;
			return;
		}
		if (g->n)
			memcpy(more, g->segments, g->n * sizeof(*more));
		g->segments = more;
		g->cap = cap;
	}
	g->segments[g->n++] = (struct dr_segment){ g->text.n, r->line, (uint32_t)from + 1 };
	dr_buf_add(&g->text, r->text.p + from, to - from);
}

/* Ends a value: v has its place. */
static int
finish(struct dr_lexer *lx, struct gather *g, struct dr_pos pos, struct dr_value *v)
{
	const char *text = NULL;

	if (!g->failed && !g->text.failed)
		text = dr_arena_strndup(&lx->p->arena, dr_buf_cstr(&g->text), g->text.n);
	v->text = (struct dr_str){ text, text ? g->text.n : 0 };
	v->segments = g->segments;
	v->n_segments = g->n;
	v->pos = g->n ? (struct dr_pos){ lx->source, g->segments[0].line, g->segments[0].col } : pos;
	dr_buf_free(&g->text);
	return text ? 0 : -1;
}

/* The rest of row r from offset `from` on, and the lines that it goes on with. */
static int
take_lines(struct dr_lexer *lx, struct row r, size_t from, struct dr_value *v)
{
	struct gather g = { .arena = &lx->p->arena };
	struct dr_pos pos = pos_at(lx, &r, from);

	while (goes_on(r.text)) {
		/* The '\' can be the first word itself, before what the value is. */
		if (from < r.text.n)
			add_segment(&g, &r, from, r.text.n - 1);
		if (!take_row(lx, &r)) {
			dr_lex_error(lx->p, lx->diags, (struct dr_pos){ lx->source, lx->line - 1, 1 },
				     "the last line ends with '\\', but nothing follows");
			return finish(lx, &g, pos, v);
		}
		from = r.indent;
	}
	r.text = trim_end(r.text);
	if (from < r.text.n)
		add_segment(&g, &r, from, r.text.n);
	return finish(lx, &g, pos, v);
}

/* How the indentation of a line stands to another's: 1 deeper, 0 the same, -1 less deep, 2 neither (blanks against
 * tabs). */
static int
deeper(struct dr_str indent, struct dr_str than)
{
	size_t n = indent.n < than.n ? indent.n : than.n;

	if (n && memcmp(indent.p, than.p, n) != 0)
		return 2;
	return indent.n > than.n ? 1 : indent.n < than.n ? -1 : 0;
}

static struct dr_str
indent_of(const struct row *r)
{
	return sub(r->text, 0, r->indent);
}

/* `than`: of a line above, and neither is the other's beginning. */
static void
mixed(struct dr_lexer *lx, const struct row *r, struct dr_str than)
{
	size_t i = 0;

	while (r->text.p[i] == than.p[i])
		i++;
	dr_lex_error(lx->p, lx->diags, pos_at(lx, r, i),
		     "mixed indentation: a %s here, where the lines above have a %s",
		     r->text.p[i] == '\t' ? "tab" : "blank", than.p[i] == '\t' ? "tab" : "blank");
}

/* The next line of the block below a key that is indented by `outer`: false at its end. Comments that stand no
 * deeper than the key are not part of it and do not end it. *empty: how many empty lines stand before it. */
static bool
block_row(const struct dr_lexer *lx, struct dr_str outer, struct row *r, size_t *at, uint32_t *line,
	  uint32_t *empty)
{
	*empty = 0;
	while (read_row(lx, *at, *line, r)) {
		*at = r->next;
		++*line;
		if (is_empty(r))
			++*empty;
		else if (deeper(indent_of(r), outer) > 0)
			return true;
		else if (!is_comment(r))
			return false;
	}
	return false;
}

/* How much indentation all lines of the block have in common. */
static size_t
common_indent(struct dr_lexer *lx, struct dr_str outer)
{
	size_t at = lx->at, common = SIZE_MAX;
	uint32_t line = lx->line, empty;
	struct dr_str first = { NULL, 0 };
	struct row r;

	while (block_row(lx, outer, &r, &at, &line, &empty)) {
		struct dr_str indent = indent_of(&r);

		if (common == SIZE_MAX) {
			first = indent;
			common = indent.n;
		}
		if (deeper(indent, outer) == 2)
			mixed(lx, &r, outer);
		else if (deeper(indent, sub(first, 0, common)) == 2)
			mixed(lx, &r, first);
		if (indent.n < common)
			common = indent.n;
	}
	return common;
}

/* The lines below a key that are indented deeper than it. */
static int
take_block(struct dr_lexer *lx, struct dr_str outer, struct dr_pos pos, struct dr_value *v)
{
	struct gather g = { .arena = &lx->p->arena };
	size_t at = lx->at, common = common_indent(lx, outer);
	uint32_t line = lx->line, empty;
	struct row r;

	while (block_row(lx, outer, &r, &at, &line, &empty)) {
		for (uint32_t i = 0; g.n && i <= empty; i++)
			dr_buf_addc(&g.text, '\n');
		r.text = trim_end(r.text);
		add_segment(&g, &r, common, r.text.n);
		lx->at = r.next;
		lx->line = r.line + 1;
	}
	v->block = g.n > 0;
	return finish(lx, &g, pos, v);
}

/* The value behind the '=' at offset `equals` of row r. */
static int
take_value(struct dr_lexer *lx, const struct row *r, size_t equals, struct dr_line *line)
{
	size_t from = equals + 1;

	line->has_value = true;
	while (from < r->text.n && is_blank(r->text.p[from]))
		from++;
	if (from == r->text.n)
		return take_block(lx, indent_of(r), pos_at(lx, r, equals), &line->value);
	return take_lines(lx, *r, from, &line->value);
}

/* The '=' of a line at the margin, or the length of the line if it has none: only a single word, or `let` or `pool`
 * and one more, can stand before it, as names of files may have one. */
static size_t
head_equals(struct dr_str s, size_t *first_end)
{
	const char *eq = memchr(s.p, '=', s.n);
	size_t end = eq ? (size_t)(eq - s.p) : s.n, first = 0;

	while (first < end && !is_blank(s.p[first]))
		first++;
	*first_end = first;
	if (eq && trim_end(sub(s, 0, end)).n != first && !dr_str_is(sub(s, 0, first), "let") &&
	    !dr_str_is(sub(s, 0, first), "pool"))
		return s.n;
	return end;
}

static int
take_head(struct dr_lexer *lx, const struct row *r, struct dr_line *line)
{
	size_t first, equals = head_equals(r->text, &first), from = first;
	struct row name = *r;

	lx->in_block = false;
	line->kind = DR_LINE_HEAD;
	line->head = sub(r->text, 0, first);
	while (from < r->text.n && is_blank(r->text.p[from]))
		from++;
	if (equals == r->text.n)
		return take_lines(lx, *r, from, &line->words);
	name.text.n = equals;
	if (take_lines(lx, name, from, &line->words))
		return -1;
	return take_value(lx, r, equals, line);
}

static void
check_indent(struct dr_lexer *lx, const struct row *r)
{
	struct dr_str indent = indent_of(r);

	if (!lx->in_block)
		lx->indent = indent;
	else if (deeper(indent, lx->indent) == 2)
		mixed(lx, r, lx->indent);
	else if (indent.n != lx->indent.n)
		dr_lex_error(lx->p, lx->diags, pos_at(lx, r, r->indent),
			     "indented %s than the keys above, which all stand below each other",
			     indent.n > lx->indent.n ? "deeper" : "less");
	lx->in_block = true;
}

/* 1: no line, as there is no '=' in it. */
static int
take_key(struct dr_lexer *lx, const struct row *r, struct dr_line *line)
{
	const char *eq = memchr(r->text.p, '=', r->text.n);
	struct dr_value skipped;

	check_indent(lx, r);
	line->kind = DR_LINE_KEY;
	line->pos = pos_at(lx, r, r->indent);
	if (!eq) {
		dr_lex_error(lx->p, lx->diags, line->pos,
			     "no '=' in this line: a block has lines of the form key = value");
		return take_lines(lx, *r, r->indent, &skipped) ? -1 : 1;
	}
	line->head = trim_end(sub(r->text, r->indent, (size_t)(eq - r->text.p)));
	return take_value(lx, r, (size_t)(eq - r->text.p), line);
}

int
dr_lexer_next(struct dr_lexer *lx, struct dr_line *line)
{
	struct row r;
	int rc;

	for (;;) {
		*line = (struct dr_line){ .kind = DR_LINE_END, .pos = { lx->source, lx->line, 1 } };
		if (!take_row(lx, &r))
			return 0;
		if (is_empty(&r) || is_comment(&r))
			continue;
		if (r.indent == 0)
			return take_head(lx, &r, line);
		rc = take_key(lx, &r, line);
		if (rc <= 0)
			return rc;
	}
}

struct dr_lexer *
dr_lexer_new(struct dr_pipeline *p, uint32_t source, struct dr_diags *diags)
{
	static const char mark[] = "\xef\xbb\xbf";
	struct dr_lexer *lx = dr_arena_alloc(&p->arena, sizeof(*lx));
	struct row r;

	if (!lx)
		return NULL;
	lx->p = p;
	lx->diags = diags;
	lx->source = source;
	lx->text = p->sources[source].text;
	lx->line = 1;
	if (lx->text.n >= 3 && memcmp(lx->text.p, mark, 3) == 0)
		lx->at = 3;
	if (memchr(lx->text.p, '\0', lx->text.n)) {
		for (size_t at = 0, line = 1; read_row(lx, at, (uint32_t)line, &r); at = r.next, line++) {
			const char *nul = r.text.n ? memchr(r.text.p, '\0', r.text.n) : NULL;

			if (nul)
				dr_lex_error(p, diags, pos_at(lx, &r, (size_t)(nul - r.text.p)),
					     "a byte 0 in the text");
		}
	}
	return lx;
}

int
dr_lex_value(struct dr_pipeline *p, uint32_t source, struct dr_value *out)
{
	struct dr_lexer lx = { .p = p, .source = source, .text = p->sources[source].text, .line = 1 };
	struct gather g = { .arena = &p->arena };
	struct row r;

	while (take_row(&lx, &r)) {
		if (g.n)
			dr_buf_addc(&g.text, '\n');
		add_segment(&g, &r, 0, r.text.n);
	}
	*out = (struct dr_value){ .block = g.n > 1 };
	return finish(&lx, &g, (struct dr_pos){ source, 1, 1 }, out);
}

struct dr_pos
dr_value_pos(const struct dr_value *v, size_t offset)
{
	struct dr_pos pos = v->pos;
	uint32_t lo = 0, hi = v->n_segments;

	if (!hi)
		return pos;
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (v->segments[mid].offset <= offset)
			lo = mid;
		else
			hi = mid;
	}
	pos.line = v->segments[lo].line;
	pos.col = v->segments[lo].col + (uint32_t)(offset - v->segments[lo].offset);
	return pos;
}
