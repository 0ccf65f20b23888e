#include "config.h"

#include "parse-stage.h"

#include <string.h>

#include "err.h"

static void
take_fan_in(struct dr_stage_reader *g, const struct dr_key *k)
{
	struct dr_str s;

	if (dr_parse_constant(g->ps, &g->sc, &k->value, &s))
		return;
	if (dr_str_is(s, "all"))
		g->st->fan_in = 0;
	else if (!dr_parse_number(g->ps, &g->sc, k, 0, &g->st->fan_in) && g->st->fan_in < 2)
		dr_lex_error(g->ps->p, g->ps->diags, k->value.pos, "'fan-in' must be at least 2, or 'all'");
}

/* N, or A..B. */
static void
take_slots(struct dr_stage_reader *g, const struct dr_key *k)
{
	struct dr_parse *ps = g->ps;
	uint64_t from, to;
	struct dr_str s;
	size_t n = 0;

	if (dr_parse_constant(ps, &g->sc, &k->value, &s))
		return;
	while (n + 1 < s.n && memcmp(s.p + n, "..", 2) != 0)
		n++;
	if (n + 1 >= s.n) {
		dr_parse_number(ps, &g->sc, k, 1, &g->st->slots);
		return;
	}
	if (dr_parse_uint((struct dr_str){ s.p, n }, UINT32_MAX - 1, &from) ||
	    dr_parse_uint((struct dr_str){ s.p + n + 2, s.n - n - 2 }, UINT32_MAX - 1, &to) || !from || to < from) {
		dr_lex_error(ps->p, ps->diags, k->value.pos,
			     "'%.*s' is no range for 'slots': write 1..8, the least and the most", (int)s.n, s.p);
		return;
	}
	g->st->slots = (uint32_t)from;
	g->st->slots_most = (uint32_t)to;
}

static void
take_pool(struct dr_stage_reader *g, const struct dr_key *k)
{
	struct dr_parse *ps = g->ps;
	struct dr_str name;
	uint32_t i;

	if (dr_parse_constant(ps, &g->sc, &k->value, &name))
		return;
	i = dr_names_find(&ps->pools, name);
	if (i != DR_NONE)
		g->st->pool = i + 1;
	else
		dr_lex_error(ps->p, ps->diags, k->value.pos, "no pool is called '%.*s'%s", (int)name.n, name.p,
			     ps->pools.n ? dr_parse_nearest(ps, name, NULL, &ps->pools) :
					   ": one is made by 'pool NAME = LIMIT' at the margin");
}

/* The keys that have one of some words. */
static void
take_choice(struct dr_stage_reader *g, enum dr_stage_key key, const struct dr_key *k)
{
	static const char *const orders[] = { "input", "any", NULL }, *const shapes[] = { "steady", "rounds", NULL };
	static const char *const keeps[] = { "yes", "no", NULL }, *const ok[] = { "ok", NULL };
	static const char *const freshes[] = { "time", "content", NULL };
	static const char *const merge_keeps[] = { "yes", "no", "level", NULL };
	static const enum dr_keep kept[] = { DR_KEEP_YES, DR_KEEP_NO, DR_KEEP_LEVEL };
	static const char *const styles[] = { "both", "pipe", "fifo", "none", NULL };
	struct dr_stage *st = g->st;
	int choice;

	switch (key) {
	case DR_KEY_ORDER:
		st->order_any = dr_parse_choice(g->ps, &g->sc, k, orders) == 1;
		break;
	case DR_KEY_SHAPE:
		st->rounds = dr_parse_choice(g->ps, &g->sc, k, shapes) == 1;
		break;
	case DR_KEY_KEEP:
		choice = dr_parse_choice(g->ps, &g->sc, k, st->kind == DR_STAGE_MERGE ? merge_keeps : keeps);
		st->keep = choice < 0 ? DR_KEEP_DEFAULT : kept[choice];
		break;
	case DR_KEY_JOBSERVER:
		choice = dr_parse_choice(g->ps, &g->sc, k, styles);
		st->jobserver = (enum dr_style)(DR_STYLE_BOTH + choice);
		break;
	case DR_KEY_FRESH:
		st->fresh_content = dr_parse_choice(g->ps, &g->sc, k, freshes) == 1;
		break;
	case DR_KEY_MISSING:
		st->missing_ok = dr_parse_choice(g->ps, &g->sc, k, ok) == 0;
		break;
	default:
		break;
	}
}

void
dr_stage_take_plain(struct dr_stage_reader *g, enum dr_stage_key key, const struct dr_key *k)
{
	struct dr_stage *st = g->st;
	bool tree;

	g->sc.where = DR_WHERE_CONSTANT;
	switch (key) {
	case DR_KEY_FAN_IN:
		take_fan_in(g, k);
		break;
	case DR_KEY_PART:
		dr_parse_path(g->ps, &g->sc, k, DR_PATH_PART, &st->part, &tree);
		break;
	case DR_KEY_SLOTS:
		take_slots(g, k);
		break;
	case DR_KEY_POOL:
		take_pool(g, k);
		break;
	case DR_KEY_RETRIES:
		dr_parse_number(g->ps, &g->sc, k, 0, &st->retries);
		break;
	case DR_KEY_TIMEOUT:
		dr_parse_time(g->ps, &g->sc, k, &st->timeout);
		break;
	default:
		take_choice(g, key, k);
	}
}
