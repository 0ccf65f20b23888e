#include "config.h"

#include "items-table.h"

#include <string.h>

int
dr_items_host(struct dr_items_maker *m)
{
	struct dr_buf *b = &m->it->bytes;

	for (uint32_t row = 0;; row++) {
		const char *value = NULL;
		int more = m->args->rows(m->args->rows_arg, row, &value);

		if (more < 0)
			return dr_items_complain(m, m->args->pos, "the function that yields its rows has failed");
		if (!more)
			return b->failed ? dr_err_nomem(m->err) : 0;
		if (b->failed || dr_items_add(m, b->n))
			return b->failed ? dr_err_nomem(m->err) : -1;
		dr_buf_add(b, value ? value : "", (value ? strlen(value) : 0) + 1);
	}
}
