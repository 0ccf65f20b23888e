#include "config.h"

#include "parse-state.h"

/* Stages that C code has put together. Each value becomes a source of its own, called after its key and stage, and from there on the
 * code that reads a Dagfile's keys reads it. */

static int
add_source(struct dr_parse *ps, const char *what, const char *name, const char *key, const char *text, struct dr_pos *pos)
{
	struct dr_buf shown = { 0 };
	uint32_t source;
	int rc;

	dr_buf_addf(&shown, "%s '%s'", what, name);
	if (key)
		dr_buf_addf(&shown, ", %s", key);
	ps->nomem |= shown.failed;
	rc = dr_parse_add_source(ps, dr_buf_cstr(&shown), dr_str(text), true, &source);
	*pos = (struct dr_pos){ rc ? 0 : source, 1, 1 };
	dr_buf_free(&shown);
	return rc;
}

static void
add_stage(struct dr_parse *ps, const struct dr_parse_stage *st)
{
	const char *kind = dr_parse_kinds[st->kind];
	struct dr_block *b;
	struct dr_pos pos;

	if (add_source(ps, kind, st->name, NULL, "", &pos))
		return;
	b = dr_parse_add_stage(ps, st->kind, dr_str(dr_parse_cstr(ps, dr_str(st->name))), pos);
	for (uint32_t i = 0; b && i < st->n_keys; i++) {
		struct dr_key k = { .name = dr_str(dr_parse_cstr(ps, dr_str(st->keys[i].key))) };

		if (add_source(ps, kind, st->name, st->keys[i].key, st->keys[i].value, &k.pos))
			return;
		if (dr_lex_value(ps->p, k.pos.source, &k.value))
			ps->nomem = true;
		else
			dr_parse_add_key(ps, b, &k);
	}
}

void
dr_parse_built(struct dr_parse *ps)
{
	const struct dr_parse_built *built = ps->opts->built;
	struct dr_pos pos;

	for (uint32_t i = 0; built && i < built->n_rows && !ps->nomem; i++) {
		const struct dr_parse_rows *r = &built->rows[i];

		if (add_source(ps, "rows", r->name, NULL, "", &pos) ||
		    !dr_parse_add_args(ps, dr_str(dr_parse_cstr(ps, dr_str(r->name))), pos))
			continue;
		ps->p->args[ps->p->n_args - 1].kind = DR_GEN_ROWS;
		ps->p->args[ps->p->n_args - 1].rows = r->fn;
		ps->p->args[ps->p->n_args - 1].rows_arg = r->arg;
	}
	for (uint32_t i = 0; built && i < built->n_stages && !ps->nomem; i++)
		add_stage(ps, &built->stages[i]);
}
