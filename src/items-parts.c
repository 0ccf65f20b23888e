#include "config.h"

#include "items-table.h"

#include "arena.h"

#include <inttypes.h>
#include <stdlib.h>

/* The parts of a product, zip or concat. They stay where they are; our rows are computed from theirs. */

static struct dr_str
part_name(const struct dr_items_maker *m, uint32_t i)
{
	return m->p->args[m->args->parts[i]].name;
}

/* Fills it->parts with those of the args. */
static int
open_parts(struct dr_items_maker *m)
{
	struct dr_items *it = m->it;

	it->parts = calloc((size_t)m->args->n_parts + 1, sizeof(*it->parts));
	if (!it->parts)
		return dr_err_nomem(m->err);
	it->n_parts = m->args->n_parts;
	for (uint32_t i = 0; i < it->n_parts; i++) {
		uint32_t columns = m->p->args[m->args->parts[i]].n_columns;

		it->parts[i].it = m->all[m->args->parts[i]];
		it->parts[i].columns = columns ? columns : 1;
	}
	return 0;
}

static int
too_many(const struct dr_items_maker *m)
{
	return dr_items_complain(m, m->args->pos, "more than %u rows", (unsigned)DR_ROWS_MAX);
}

int
dr_items_product(struct dr_items_maker *m)
{
	struct dr_items *it = m->it;
	uint64_t rows = 1;
	bool empty = false;

	if (open_parts(m))
		return -1;
	/* The last part changes fastest. */
	for (uint32_t i = it->n_parts; i-- > 0 && !empty;) {
		it->parts[i].stride = (uint32_t)rows;
		rows *= it->parts[i].it->n;
		empty = rows == 0;
		if (rows > DR_ROWS_MAX)
			return too_many(m);
	}
	it->base = (uint32_t)rows;
	return 0;
}

int
dr_items_zip(struct dr_items_maker *m)
{
	struct dr_items *it = m->it;

	if (open_parts(m))
		return -1;
	it->base = it->parts[0].it->n;
	for (uint32_t i = 1; i < it->n_parts; i++)
		if (it->parts[i].it->n < it->base)
			it->base = it->parts[i].it->n;
	return 0;
}

int
dr_items_check(const struct dr_pipeline *p, const struct dr_args *args, const struct dr_items *it,
	       struct dr_diags *diags)
{
	const struct dr_items_maker m = { .p = p, .args = args, .diags = diags };
	uint32_t n, other;

	if (it->kind != DR_GEN_ZIP)
		return 0;
	n = it->parts[0].it->n;
	for (uint32_t i = 1; i < it->n_parts; i++) {
		other = it->parts[i].it->n;
		if (other != n)
			return dr_items_complain(&m, args->pos,
						 "a zip needs parts of one length, but '%.*s' has %" PRIu32
						 " row%s and '%.*s' %" PRIu32,
						 (int)part_name(&m, 0).n, part_name(&m, 0).p, n, n == 1 ? "" : "s",
						 (int)part_name(&m, i).n, part_name(&m, i).p, other);
	}
	return 0;
}

int
dr_items_concat(struct dr_items_maker *m)
{
	struct dr_items *it = m->it;
	uint64_t rows = 0;

	if (open_parts(m))
		return -1;
	it->files = true;
	for (uint32_t i = 0; i < it->n_parts; i++) {
		it->parts[i].first = (uint32_t)rows;
		rows += it->parts[i].it->n;
		it->files = it->files && it->parts[i].it->files;
		if (rows > DR_ROWS_MAX)
			return too_many(m);
	}
	it->base = (uint32_t)rows;
	return 0;
}

/* Which part of a concat has the row, and which of its values it is. */
static const struct dr_items_part *
find_part(const struct dr_items *it, uint32_t base, uint32_t *value)
{
	uint32_t lo = 0, hi = it->n_parts;

	/* The last that begins at or before it: empty ones before it begin there, too. */
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (it->parts[mid].first <= base)
			lo = mid;
		else
			hi = mid;
	}
	*value = base - it->parts[lo].first;
	return &it->parts[lo];
}

static uint32_t
value_of(const struct dr_items *it, const struct dr_items_part *part, uint32_t base)
{
	return it->kind == DR_GEN_ZIP ? base : base / part->stride % part->it->n;
}

void
dr_items_parts_row(const struct dr_items *it, uint32_t base, struct dr_buf *out)
{
	uint32_t value;

	if (it->kind == DR_GEN_CONCAT) {
		const struct dr_items_part *part = find_part(it, base, &value);

		dr_items_value(part->it, value, out);
		return;
	}
	for (uint32_t i = 0; i < it->n_parts; i++) {
		if (i)
			dr_buf_addc(out, ' ');
		dr_items_value(it->parts[i].it, value_of(it, &it->parts[i], base), out);
	}
}

void
dr_items_parts_column(const struct dr_items *it, uint32_t base, uint32_t column, struct dr_buf *out)
{
	const struct dr_items_part *part = it->parts;
	uint32_t value;

	if (it->kind == DR_GEN_CONCAT) {
		part = find_part(it, base, &value);
	} else {
		for (; column >= part->columns; part++)
			column -= part->columns;
		value = value_of(it, part, base);
	}
	if (part->it->width || part->it->group_at)
		dr_items_value_column(part->it, value, column, out);
	else
		dr_items_value(part->it, value, out);
}
