#include "config.h"

#include "parse-state.h"

void
dr_parse_pool(struct dr_parse *ps, const struct dr_line *line)
{
	struct dr_str name = line->words.text;
	struct dr_key k = { .name = line->head, .pos = line->pos, .value = line->value };
	struct dr_scope sc = { .where = DR_WHERE_CONSTANT, .kind = "pool", .name = name };
	struct dr_pool pool = { .name = name, .limit = 1 };
	uint32_t other = dr_names_find(&ps->pools, name);

	if (dr_parse_check_name(ps, name, line->words.pos, "pool"))
		return;
	if (!line->has_value || !line->value.text.n) {
		dr_lex_error(ps->p, ps->diags, line->pos,
			     "a pool has the form: pool NAME = LIMIT, with how many of its tasks may run at a time");
		return;
	}
	if (other != DR_NONE) {
		dr_lex_error(ps->p, ps->diags, line->words.pos, "pool '%.*s' is given twice; the first is in line %u of %s",
			     (int)name.n, name.p, (unsigned)ps->pools.pos[other].line,
			     ps->p->sources[ps->pools.pos[other].source].name);
		return;
	}
	dr_parse_number(ps, &sc, &k, 1, &pool.limit);
	if (dr_parse_grow(ps, &ps->p->pools, ps->p->n_pools, &ps->cap_pools, sizeof(pool)) ||
	    dr_names_add(&ps->pools, name, line->words.pos)) {
		ps->nomem = true;
		return;
	}
	ps->p->pools[ps->p->n_pools++] = pool;
}
