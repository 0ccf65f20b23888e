#include "config.h"

#include "items.h"

#include "arena.h"
#include "csv.h"
#include "err.h"
#include "items-table.h"
#include "lex.h"

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

const char *
dr_items_cure(const struct dr_items_maker *m)
{
	return m->args->name.n && *m->args->name.p == '-' ? "" : "; say 'empty = ok' if that may be";
}

static int
make_list(struct dr_items_maker *m)
{
	struct dr_buf *b = &m->it->bytes;

	for (uint32_t i = 0; i < m->args->n_words; i++) {
		if (dr_items_add(m, b->n))
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
	m->it->base = (uint32_t)last + 1;
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
	if (it->at && it->base && (at = realloc(it->at, it->base * sizeof(*at)))) {
		it->at = at;
		it->cap_at = it->base;
	}
}

static int (*const makers[DR_GENERATORS])(struct dr_items_maker *m) = {
	[DR_GEN_GLOB] = dr_items_glob,
	[DR_GEN_RANGE] = make_range,
	[DR_GEN_LIST] = make_list,
	[DR_GEN_LINES] = dr_items_lines,
	[DR_GEN_LINES0] = dr_items_lines,
	[DR_GEN_COMMAND] = dr_items_command,
	[DR_GEN_COMMAND0] = dr_items_command,
	[DR_GEN_CSV] = dr_items_csv,
	[DR_GEN_TSV] = dr_items_csv,
	[DR_GEN_PRODUCT] = dr_items_product,
	[DR_GEN_ZIP] = dr_items_zip,
	[DR_GEN_CONCAT] = dr_items_concat,
	[DR_GEN_ROWS] = dr_items_host,
};

/* What yielded nothing; a glob has told already, with its patterns. */
static const char *const nothing[DR_GENERATORS] = {
	[DR_GEN_GLOB] = "the glob matches no file",
	[DR_GEN_LIST] = "the list is empty",
	[DR_GEN_LINES] = "there is no line to read",
	[DR_GEN_LINES0] = "there is no row to read",
	[DR_GEN_COMMAND] = "the command printed no line",
	[DR_GEN_COMMAND0] = "the command printed no row",
	[DR_GEN_CSV] = "there is no record to read",
	[DR_GEN_TSV] = "there is no record to read",
	[DR_GEN_PRODUCT] = "a part of the product is empty",
	[DR_GEN_ZIP] = "its parts are empty",
	[DR_GEN_CONCAT] = "its parts are empty",
};

static void
set_left(struct dr_items *it)
{
	it->n = it->n_kept < it->limit ? it->n_kept : it->limit;
}

static int
shape(struct dr_items_maker *m)
{
	const struct dr_args *a = m->args;
	struct dr_items *it = m->it;
	uint32_t before = m->diags->total;

	it->n_kept = it->base;
	it->limit = a->limit ? a->limit : UINT32_MAX;
	it->batch = a->batch ? a->batch : 1;
	if (a->n_where && dr_items_where(m))
		return -1;
	if (a->unique && dr_items_unique(m))
		return -1;
	if (a->sort != DR_SORT_DEFAULT && dr_items_order(m))
		return -1;
	set_left(it);
	if (it->n || a->empty_ok || a->kind == DR_GEN_ROWS || m->diags->total != before)
		return m->diags->total != before ? -1 : 0;
	if (it->base)
		return dr_items_complain(m, a->where[0].pos, "'where' leaves none of %" PRIu32 " row%s%s",
					 it->base, it->base == 1 ? "" : "s", dr_items_cure(m));
	return dr_items_complain(m,
				 a->command.pos.line ? a->command.pos
				 : a->n_words        ? a->words[0].pos
						     : a->pos,
				 "%s%s", nothing[a->kind], dr_items_cure(m));
}

int
dr_items_make(const struct dr_pipeline *p, const struct dr_args *args, struct dr_items *const *all,
	      const struct dr_items_options *opts, struct dr_items **out, struct dr_diags *diags,
	      struct dr_err *err)
{
	struct dr_items_maker m = {
		.p = p, .args = args, .opts = opts, .all = all, .diags = diags, .err = err
	};

	*out = NULL;
	m.it = calloc(1, sizeof(*m.it));
	if (!m.it)
		return dr_err_nomem(err);
	m.it->kind = args->kind;
	m.it->files = args->kind == DR_GEN_GLOB;
	m.it->width = args->n_columns - args->n_groups;
	if (makers[args->kind](&m) || shape(&m)) {
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
	dr_buf_free(&it->groups);
	free(it->at);
	free(it->kept);
	free(it->group_at);
	free(it->parts);
	free(it);
}

bool
dr_items_files(const struct dr_items *it)
{
	return it->files;
}

static void
add_number(const struct dr_range *r, uint32_t i, struct dr_buf *out)
{
	uint64_t distance = r->step * i;
	int64_t n = (int64_t)(r->from <= r->to ? (uint64_t)r->from + distance : (uint64_t)r->from - distance);
	uint64_t digits = n < 0 ? -(uint64_t)n : (uint64_t)n;
	char text[24], *p = text + sizeof(text);

	/* By hand, as a million of them is a normal day. */
	do
		*--p = (char)('0' + digits % 10);
	while (digits /= 10);
	if (n < 0)
		dr_buf_addc(out, '-');
	for (size_t k = (size_t)(text + sizeof(text) - p); k < r->width; k++)
		dr_buf_addc(out, '0');
	dr_buf_add(out, p, (size_t)(text + sizeof(text) - p));
}

/* A record as a line of the file would have it. */
static void
add_record(const struct dr_items *it, uint32_t base, struct dr_buf *out)
{
	const char *p = it->bytes.p + it->at[base], separator = it->kind == DR_GEN_CSV ? ',' : '\t';

	for (uint32_t c = 0; c < it->width; c++) {
		struct dr_str field = dr_str(p);

		if (c)
			dr_buf_addc(out, separator);
		dr_csv_quote(out, field, separator);
		p += field.n + 1;
	}
}

void
dr_items_base(const struct dr_items *it, uint32_t base, struct dr_buf *out)
{
	if (it->kind == DR_GEN_RANGE)
		add_number(&it->range, base, out);
	else if (it->n_parts)
		dr_items_parts_row(it, base, out);
	else if (it->width)
		add_record(it, base, out);
	else
		dr_buf_adds(out, it->bytes.p + it->at[base]);
}

void
dr_items_base_column(const struct dr_items *it, uint32_t base, uint32_t column, struct dr_buf *out)
{
	const char *p;

	if (column < it->width && it->n_parts) {
		dr_items_parts_column(it, base, column, out);
		return;
	}
	p = column < it->width ? it->bytes.p + it->at[base] : it->groups.p + it->group_at[base];
	for (uint32_t c = column < it->width ? 0 : it->width; c < column; c++)
		p += strlen(p) + 1;
	dr_buf_adds(out, p);
}

static uint32_t
base_of(const struct dr_items *it, uint32_t value)
{
	return it->kept ? it->kept[value] : value;
}

uint32_t
dr_items_values(const struct dr_items *it)
{
	return it->n;
}

void
dr_items_value(const struct dr_items *it, uint32_t value, struct dr_buf *out)
{
	dr_items_base(it, base_of(it, value), out);
}

void
dr_items_value_column(const struct dr_items *it, uint32_t value, uint32_t column, struct dr_buf *out)
{
	dr_items_base_column(it, base_of(it, value), column, out);
}

uint32_t
dr_items_rows(const struct dr_items *it)
{
	return it->n / it->batch + (it->n % it->batch > 0);
}

uint32_t
dr_items_row_values(const struct dr_items *it, uint32_t row, uint32_t *first)
{
	*first = row * it->batch;
	return it->n - *first < it->batch ? it->n - *first : it->batch;
}

void
dr_items_row(const struct dr_items *it, uint32_t row, struct dr_buf *out)
{
	uint32_t first, n = dr_items_row_values(it, row, &first);

	dr_items_value(it, first, out);
	if (n > 1) {
		dr_buf_adds(out, "..");
		dr_items_value(it, first + n - 1, out);
	}
}

void
dr_items_column(const struct dr_items *it, uint32_t row, uint32_t column, struct dr_buf *out)
{
	dr_items_value_column(it, row * it->batch, column, out);
}

int
dr_items_keep_all(struct dr_items *it, struct dr_err *err)
{
	if (it->kept)
		return 0;
	it->kept = malloc(((size_t)it->base + 1) * sizeof(*it->kept));
	if (!it->kept)
		return dr_err_nomem(err);
	for (uint32_t i = 0; i < it->base; i++)
		it->kept[i] = i;
	it->n_kept = it->base;
	return 0;
}

int
dr_items_drop(struct dr_items *it, const uint8_t *bitmap, struct dr_err *err)
{
	uint32_t n = 0;

	if (dr_items_keep_all(it, err))
		return -1;
	for (uint32_t i = 0; i < it->n_kept; i++)
		if (i >= it->n || !(bitmap[i / 8] >> i % 8 & 1))
			it->kept[n++] = it->kept[i];
	it->n_kept = n;
	set_left(it);
	return 0;
}
