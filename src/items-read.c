#include "config.h"

#include "items-table.h"

#include "arena.h"
#include "csv.h"
#include "os.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
dr_items_add(struct dr_items_maker *m, size_t at)
{
	struct dr_items *it = m->it;

	if (it->base == DR_ROWS_MAX)
		return dr_items_complain(m, m->args->pos, "more than %u rows", (unsigned)DR_ROWS_MAX);
	if (dr_grow(&it->at, &it->cap_at, (size_t)it->base + 1, sizeof(*it->at)))
		return dr_err_nomem(m->err);
	it->at[it->base++] = at;
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
dr_items_split(struct dr_items_maker *m, size_t from, char end, struct dr_pos pos, const char *what)
{
	struct dr_buf *b = &m->it->bytes;
	const char *nul;

	if (b->n == from)
		return 0;
	nul = end ? memchr(b->p + from, '\0', b->n - from) : NULL;
	if (nul)
		return dr_items_complain(m, pos, "'%s' has a byte 0 in line %lu, which no argument can hold",
					 what, line_of(b->p + from, (size_t)(nul - b->p) - from));
	/* The last line may have no end; then the buffer's own NUL gets to belong to it. */
	if (b->p[b->n - 1] != end)
		dr_buf_addc(b, end);
	if (b->failed)
		return dr_err_nomem(m->err);
	while (from < b->n) {
		char *stop = memchr(b->p + from, end, b->n - from);
		size_t next = (size_t)(stop - b->p) + 1;

		*stop = '\0';
		/* Nobody means an empty line to be a row. */
		if (next > from + 1 && dr_items_add(m, from))
			return -1;
		from = next;
	}
	return 0;
}

/* Appends the file to the bytes; its name to path. */
static int
read_file(struct dr_items_maker *m, const struct dr_template *file, struct dr_buf *path)
{
	struct dr_err why = { 0 };
	int rc;

	dr_template_text(file, path);
	if (path->failed)
		return dr_err_nomem(m->err);
	if (!dr_str_is(dr_buf_str(path), "-"))
		rc = dr_slurp(m->opts->root, dr_buf_cstr(path), &m->it->bytes, &why);
	else if (m->opts->standard_input < 0)
		return dr_items_complain(m, file->pos, "standard input cannot be read here");
	else
		rc = dr_slurp_fd(m->opts->standard_input, &m->it->bytes, "standard input", &why);
	if (rc && why.sys == ENOMEM)
		return dr_err_nomem(m->err);
	if (rc)
		return dr_items_complain(m, file->pos, "cannot read '%s': %s", dr_buf_cstr(path),
					 strerror(why.sys));
	return 0;
}

int
dr_items_lines(struct dr_items_maker *m)
{
	const uint32_t before = m->diags->total;
	struct dr_buf path = { 0 };
	int rc = 0;

	for (uint32_t i = 0; i < m->args->n_words && rc == 0; i++) {
		const size_t from = m->it->bytes.n;
		const struct dr_template *file = &m->args->words[i];

		dr_buf_reset(&path);
		if (read_file(m, file, &path) ||
		    dr_items_split(m, from, m->it->kind == DR_GEN_LINES0 ? '\0' : '\n', file->pos,
				   dr_buf_cstr(&path)))
			/* Tells of every file that is missing, not only of the first. */
			rc = m->diags->total == before ? -1 : 0;
	}
	dr_buf_free(&path);
	return rc || m->diags->total != before ? -1 : 0;
}

/* The fields of a record that has been read go where the last one's ended: they take less room than they did
 * with what stood between them. */
static int
keep_record(struct dr_items_maker *m, const struct dr_csv *c, size_t *to)
{
	char *bytes = m->it->bytes.p;

	if (dr_items_add(m, *to))
		return -1;
	for (uint32_t i = 0; i < c->n; i++) {
		*to += dr_csv_value(&c->fields[i], bytes + *to);
		bytes[(*to)++] = '\0';
	}
	return 0;
}

static int
read_records(struct dr_items_maker *m, struct dr_csv *c, const char *path)
{
	const uint32_t before = m->diags->total;
	bool header = m->args->header;
	size_t to = 0;
	int rc;

	while ((rc = dr_csv_next(c)) > 0) {
		if (c->n != m->it->width)
			dr_csv_tell_count(c, path, m->it->width,
					  m->args->header ? "the header has" : "'columns' names", m->diags);
		else if (!header && m->diags->total == before && keep_record(m, c, &to))
			return -1;
		header = false;
		if (m->diags->n == DR_DIAGS_MAX)
			return -1;
	}
	if (rc && dr_csv_tell(c, path, m->diags))
		return dr_err_nomem(m->err);
	m->it->bytes.n = to;
	return m->diags->total != before ? -1 : 0;
}

int
dr_items_csv(struct dr_items_maker *m)
{
	struct dr_buf path = { 0 };
	struct dr_csv c = { 0 };
	int rc = read_file(m, &m->args->words[0], &path);

	/* So that the last field has room for its NUL. */
	if (rc == 0 && m->it->bytes.n && m->it->bytes.p[m->it->bytes.n - 1] != '\n')
		dr_buf_addc(&m->it->bytes, '\n');
	if (rc == 0 && m->it->bytes.failed)
		rc = dr_err_nomem(m->err);
	if (rc == 0) {
		dr_csv_init(&c, dr_buf_str(&m->it->bytes), m->it->kind == DR_GEN_CSV ? ',' : '\t');
		rc = read_records(m, &c, dr_buf_cstr(&path));
	}
	dr_csv_free(&c);
	dr_buf_free(&path);
	return rc;
}
