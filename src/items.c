#include "config.h"

#include "items.h"

#include "arena.h"
#include "err.h"
#include "items-table.h"
#include "lex.h"
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int
dr_items_complain(const struct dr_items_maker *m, struct dr_pos pos, const char *fmt, ...)
{
	struct dr_buf text = { 0 };
	va_list ap;

	if (m->args->name.n && *m->args->name.p != '-') { /* the place says --each already */
		dr_buf_adds(&text, "args '");
		dr_buf_addstr(&text, m->args->name);
		dr_buf_adds(&text, "': ");
	}
	va_start(ap, fmt);
	dr_buf_addv(&text, fmt, ap);
	va_end(ap);
	dr_lex_error(m->p, m->diags, pos, "%s", text.failed ? "out of memory" : dr_buf_cstr(&text));
	dr_buf_free(&text);
	return -1;
}

/* A row that begins at byte `at`. */
static int
add_row(struct dr_items_maker *m, size_t at)
{
	struct dr_items *it = m->it;

	if (it->n == DR_ROWS_MAX)
		return dr_items_complain(m, m->args->pos, "more than %u rows", (unsigned)DR_ROWS_MAX);
	if (dr_grow(&it->at, &it->cap_at, (size_t)it->n + 1, sizeof(*it->at)))
		return dr_err_nomem(m->err);
	it->at[it->n++] = at;
	return 0;
}

/* Which line of the text has byte `at`, from 1. */
static unsigned long
line_of(const char *text, size_t at)
{
	const char *end = text + at;
	unsigned long line = 1;

	while ((text = memchr(text, '\n', (size_t)(end - text)))) {
		text++;
		line++;
	}
	return line;
}

int
dr_items_lines(struct dr_items_maker *m, size_t from, struct dr_pos pos, const char *what)
{
	struct dr_buf *b = &m->it->bytes;
	const char *nul;

	if (b->n == from)
		return 0;
	nul = memchr(b->p + from, '\0', b->n - from);
	if (nul)
		return dr_items_complain(m, pos, "'%s' has a byte 0 in line %lu, which no argument can hold",
					 what, line_of(b->p + from, (size_t)(nul - b->p) - from));
	/* The last line may have no end; then the buffer's own NUL gets to belong to it. */
	if (b->p[b->n - 1] != '\n')
		dr_buf_addc(b, '\n');
	if (b->failed)
		return dr_err_nomem(m->err);
	while (from < b->n) {
		char *end = memchr(b->p + from, '\n', b->n - from);
		size_t next = (size_t)(end - b->p) + 1;

		*end = '\0';
		/* Nobody means an empty line to be a row. */
		if (next > from + 1 && add_row(m, from))
			return -1;
		from = next;
	}
	return 0;
}

static int
read_lines(struct dr_items_maker *m, const struct dr_template *file)
{
	const size_t from = m->it->bytes.n;
	struct dr_buf path = { 0 };
	struct dr_err why = { 0 };
	int rc = -1;

	dr_template_text(file, &path);
	if (path.failed) {
		dr_err_nomem(m->err);
		goto out;
	}
	if (!dr_str_is(dr_buf_str(&path), "-")) {
		rc = dr_slurp(m->opts->root, dr_buf_cstr(&path), &m->it->bytes, &why);
	} else if (m->opts->standard_input < 0) {
		dr_items_complain(m, file->pos, "standard input cannot be read here");
		goto out;
	} else {
		rc = dr_slurp_fd(m->opts->standard_input, &m->it->bytes, "standard input", &why);
	}
	if (rc && why.sys == ENOMEM)
		dr_err_nomem(m->err);
	else if (rc)
		dr_items_complain(m, file->pos, "cannot read '%s': %s", dr_buf_cstr(&path),
				  strerror(why.sys));
	else
		rc = dr_items_lines(m, from, file->pos, dr_buf_cstr(&path));
out:
	dr_buf_free(&path);
	return rc;
}

static int
make_lines(struct dr_items_maker *m)
{
	const uint32_t before = m->diags->total;

	for (uint32_t i = 0; i < m->args->n_words; i++) {
		/* Tells of every file that is missing, not only of the first. */
		if (read_lines(m, &m->args->words[i]) && m->diags->total == before)
			return -1;
	}
	return m->diags->total == before ? 0 : -1;
}

static int
make_list(struct dr_items_maker *m)
{
	struct dr_buf *b = &m->it->bytes;

	for (uint32_t i = 0; i < m->args->n_words; i++) {
		if (add_row(m, b->n))
			return -1;
		dr_template_text(&m->args->words[i], b);
		dr_buf_addc(b, '\0');
	}
	return b->failed ? dr_err_nomem(m->err) : 0;
}

static int
make_range(struct dr_items_maker *m)
{
	const struct dr_range *r = &m->args->range;
	/* Unsigned, as the distance of two numbers may be more than the largest one. */
	uint64_t span =
		r->from < r->to ? (uint64_t)r->to - (uint64_t)r->from : (uint64_t)r->from - (uint64_t)r->to;
	uint64_t last = r->step ? span / r->step : 0;

	if (last >= DR_ROWS_MAX)
		return dr_items_complain(m, m->args->pos, "a range of more than %u numbers",
					 (unsigned)DR_ROWS_MAX);
	m->it->range = *r;
	m->it->n = (uint32_t)last + 1;
	return 0;
}

/* Gives back what growing took too much. */
static void
trim(struct dr_items *it)
{
	char *p;
	uint64_t *at;

	if (it->bytes.p && (p = realloc(it->bytes.p, it->bytes.n + 1))) {
		it->bytes.p = p;
		it->bytes.cap = it->bytes.n + 1;
	}
	if (it->at && it->n && (at = realloc(it->at, it->n * sizeof(*at)))) {
		it->at = at;
		it->cap_at = it->n;
	}
}

static int (*const makers[DR_GENERATORS])(struct dr_items_maker *m) = {
	[DR_GEN_GLOB] = dr_items_glob, [DR_GEN_RANGE] = make_range,         [DR_GEN_LIST] = make_list,
	[DR_GEN_LINES] = make_lines,   [DR_GEN_COMMAND] = dr_items_command,
};

const char *
dr_items_cure(const struct dr_items_maker *m)
{
	return m->args->name.n && *m->args->name.p == '-' ? "" : "; say 'empty = ok' if that may be";
}

/* What yielded nothing; a glob has told already, with its patterns. */
static const char *const nothing[DR_GENERATORS] = {
	[DR_GEN_LIST] = "the list is empty",
	[DR_GEN_LINES] = "there is no line to read",
	[DR_GEN_COMMAND] = "the command printed no line",
};

int
dr_items_make(const struct dr_pipeline *p, const struct dr_args *args, const struct dr_items_options *opts,
	      struct dr_items **out, struct dr_diags *diags, struct dr_err *err)
{
	struct dr_items_maker m = { .p = p, .args = args, .opts = opts, .diags = diags, .err = err };
	struct dr_pos pos = args->n_words ? args->words[0].pos : args->pos;
	int rc;

	*out = NULL;
	m.it = calloc(1, sizeof(*m.it));
	if (!m.it)
		return dr_err_nomem(err);
	m.it->kind = args->kind;
	rc = makers[args->kind](&m);
	if (rc == 0 && m.it->n == 0 && !args->empty_ok)
		rc = dr_items_complain(&m, args->kind == DR_GEN_COMMAND ? args->command.pos : pos, "%s%s",
				       nothing[args->kind], dr_items_cure(&m));
	if (rc) {
		dr_items_free(m.it);
		return -1;
	}
	trim(m.it);
	*out = m.it;
	return 0;
}

void
dr_items_free(struct dr_items *it)
{
	if (!it)
		return;
	dr_buf_free(&it->bytes);
	free(it->at);
	free(it->kept);
	free(it);
}

uint32_t
dr_items_rows(const struct dr_items *it)
{
	return it->n;
}

bool
dr_items_files(const struct dr_items *it)
{
	return it->kind == DR_GEN_GLOB;
}

static void
add_number(const struct dr_range *r, uint32_t i, struct dr_buf *out)
{
	uint64_t distance = r->step * i;
	int64_t n = (int64_t)(r->from <= r->to ? (uint64_t)r->from + distance : (uint64_t)r->from - distance);
	uint64_t digits = n < 0 ? -(uint64_t)n : (uint64_t)n;

	if (n < 0)
		dr_buf_addc(out, '-');
	dr_buf_addf(out, "%0*" PRIu64, (int)r->width, digits);
}

void
dr_items_row(const struct dr_items *it, uint32_t row, struct dr_buf *out)
{
	if (it->kind == DR_GEN_RANGE)
		add_number(&it->range, it->kept ? it->kept[row] : row, out);
	else
		dr_buf_adds(out, it->bytes.p + it->at[row]);
}

int
dr_items_drop(struct dr_items *it, const uint8_t *bitmap, struct dr_err *err)
{
	uint32_t n = 0;

	if (it->kind == DR_GEN_RANGE && !it->kept) {
		it->kept = malloc((size_t)it->n * sizeof(*it->kept));
		if (!it->kept)
			return dr_err_nomem(err);
		for (uint32_t i = 0; i < it->n; i++)
			it->kept[i] = i;
	}
	for (uint32_t i = 0; i < it->n; i++) {
		if (bitmap[i / 8] >> i % 8 & 1)
			continue;
		if (it->kept)
			it->kept[n] = it->kept[i];
		else
			it->at[n] = it->at[i];
		n++;
	}
	it->n = n;
	return 0;
}
