#include "config.h"

#include "parse-state.h"

const char *const dr_parse_kinds[DR_STAGE_KINDS] = {
	[DR_STAGE_MAP] = "map",
	[DR_STAGE_MERGE] = "merge",
	[DR_STAGE_TASK] = "task",
};

static struct dr_block *
add_block(struct dr_parse *ps, bool args, uint32_t index, struct dr_str name, struct dr_pos pos)
{
	uint32_t other = dr_names_find(&ps->names, name);
	struct dr_block *b;

	if (dr_parse_grow(ps, &ps->blocks, ps->n_blocks, &ps->cap_blocks, sizeof(*ps->blocks)))
		return NULL;
	if (name.n && other != DR_NONE) {
		dr_lex_error(ps->p, ps->diags, pos,
			     "the name '%.*s' is given twice; the first is in line %u of %s", (int)name.n,
			     name.p, (unsigned)ps->names.pos[other].line,
			     ps->p->sources[ps->names.pos[other].source].name);
	} else if (name.n) {
		if (dr_parse_grow(ps, &ps->owners, ps->names.n, &ps->cap_owners, sizeof(*ps->owners)) ||
		    dr_names_add(&ps->names, name, pos)) {
			ps->nomem = true;
			return NULL;
		}
		ps->owners[ps->names.n - 1] = ps->n_blocks;
	}
	dr_names_clear(&ps->keys);
	b = &ps->blocks[ps->n_blocks++];
	*b = (struct dr_block){ .args = args, .index = index };
	return b;
}

struct dr_block *
dr_parse_add_args(struct dr_parse *ps, struct dr_str name, struct dr_pos pos)
{
	struct dr_pipeline *p = ps->p;

	if (dr_parse_grow(ps, &p->args, p->n_args, &ps->cap_args, sizeof(*p->args)))
		return NULL;
	p->args[p->n_args] = (struct dr_args){ .name = name, .pos = pos, .kind = DR_GENERATORS };
	return add_block(ps, true, p->n_args++, name, pos);
}

struct dr_block *
dr_parse_add_stage(struct dr_parse *ps, enum dr_stage_kind kind, struct dr_str name, struct dr_pos pos)
{
	struct dr_pipeline *p = ps->p;

	if (dr_parse_grow(ps, &p->stages, p->n_stages, &ps->cap_stages, sizeof(*p->stages)))
		return NULL;
	p->stages[p->n_stages] = (struct dr_stage){
		.kind = kind,
		.name = name,
		.pos = pos,
		.each_args = DR_NONE,
		.each_stage = DR_NONE,
		.rows_args = DR_NONE,
		.rows_merge = DR_NONE,
		.fan_in = 2,
		.slots = 1,
	};
	return add_block(ps, false, p->n_stages++, name, pos);
}

static void
given_twice(struct dr_parse *ps, const struct dr_block *b, const struct dr_key *k, struct dr_pos first)
{
	const struct dr_stage *st = b->args ? NULL : &ps->p->stages[b->index];

	if (st && ps->p->sources[k->pos.source].option)
		dr_lex_error(ps->p, ps->diags, k->pos, "given twice for %s '%.*s'", dr_parse_kinds[st->kind],
			     (int)st->name.n, st->name.p);
	else
		dr_lex_error(ps->p, ps->diags, k->pos, "'%.*s' is given twice; the first is in line %u",
			     (int)k->name.n, k->name.p, (unsigned)first.line);
}

void
dr_parse_add_key(struct dr_parse *ps, struct dr_block *b, const struct dr_key *k)
{
	uint32_t other = dr_names_find(&ps->keys, k->name);
	bool again = other != DR_NONE && b->args && dr_str_is(k->name, "where");

	if (other != DR_NONE && !again) {
		given_twice(ps, b, k, ps->keys.pos[other]);
		return;
	}
	if ((!again && dr_names_add(&ps->keys, k->name, k->pos)) ||
	    dr_parse_grow(ps, &b->keys, b->n_keys, &b->cap_keys, sizeof(*b->keys))) {
		ps->nomem = true;
		return;
	}
	b->keys[b->n_keys++] = *k;
}

int
dr_parse_check_name(struct dr_parse *ps, struct dr_str name, struct dr_pos pos, const char *what)
{
	if (!name.n) {
		dr_lex_error(ps->p, ps->diags, pos, "'%s' needs a name", what);
		return -1;
	}
	if (!dr_lex_is_name(name)) {
		dr_lex_error(ps->p, ps->diags, pos,
			     "'%.*s' is no name: that is a letter, then letters, digits, '_' and '-'",
			     (int)name.n, name.p);
		return -1;
	}
	if (dr_place_is_builtin(name)) {
		dr_lex_error(ps->p, ps->diags, pos, "'%.*s' is a name that dagrun uses itself, as in {%.*s}",
			     (int)name.n, name.p, (int)name.n, name.p);
		return -1;
	}
	return 0;
}
