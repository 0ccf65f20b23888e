#include "config.h"

#include "parse-stage.h"

#include <string.h>

#include "arena.h"

const char *const dr_parse_stage_keys[] = {
	[DR_KEY_EACH] = "each",         [DR_KEY_BY] = "by",
	[DR_KEY_IN] = "in",
	[DR_KEY_IN_NAME] = "in.NAME",   [DR_KEY_OUT] = "out",
	[DR_KEY_OUT_NAME] = "out.NAME", [DR_KEY_RUN] = "run",
	[DR_KEY_USES] = "uses",         [DR_KEY_FRESH] = "fresh",
	[DR_KEY_FAN_IN] = "fan-in",
	[DR_KEY_ORDER] = "order",       [DR_KEY_SHAPE] = "shape",
	[DR_KEY_KEEP] = "keep",         [DR_KEY_PART] = "part",
	[DR_KEY_SLOTS] = "slots",       [DR_KEY_POOL] = "pool",
	[DR_KEY_JOBSERVER] = "jobserver",
	[DR_KEY_MEMORY] = "memory",     [DR_KEY_DISK] = "disk",
	[DR_KEY_MISSING] = "missing",   [DR_KEY_RETRIES] = "retries",
	[DR_KEY_TIMEOUT] = "timeout",   [DR_KEY_ENV_NAME] = "env.NAME",
	[DR_STAGE_KEYS] = NULL,
};

enum { MAP = 1 << DR_STAGE_MAP, MERGE = 1 << DR_STAGE_MERGE, TASK = 1 << DR_STAGE_TASK };

const unsigned dr_stage_key_kinds[DR_STAGE_KEYS] = {
	[DR_KEY_EACH] = MAP | MERGE,
	[DR_KEY_BY] = MERGE,
	[DR_KEY_IN] = MAP | TASK,
	[DR_KEY_IN_NAME] = MAP | TASK,
	[DR_KEY_OUT] = MAP | MERGE | TASK,
	[DR_KEY_OUT_NAME] = MAP | MERGE | TASK,
	[DR_KEY_RUN] = MAP | MERGE | TASK,
	[DR_KEY_USES] = MAP | MERGE | TASK,
	[DR_KEY_FRESH] = MAP | MERGE | TASK,
	[DR_KEY_FAN_IN] = MERGE,
	[DR_KEY_ORDER] = MERGE,
	[DR_KEY_SHAPE] = MERGE,
	[DR_KEY_KEEP] = MAP | MERGE,
	[DR_KEY_PART] = MERGE,
	[DR_KEY_SLOTS] = MAP | MERGE | TASK,
	[DR_KEY_POOL] = MAP | MERGE | TASK,
	[DR_KEY_JOBSERVER] = MAP | MERGE | TASK,
	[DR_KEY_MEMORY] = MAP | MERGE | TASK,
	[DR_KEY_DISK] = MAP | MERGE | TASK,
	[DR_KEY_MISSING] = MERGE | TASK,
	[DR_KEY_RETRIES] = MAP | MERGE | TASK,
	[DR_KEY_TIMEOUT] = MAP | MERGE | TASK,
	[DR_KEY_ENV_NAME] = MAP | MERGE | TASK,
};

static const char *const kind_lists[] = {
	[MAP | MERGE] = "maps and merges",
	[MAP | TASK] = "maps and tasks",
	[MERGE] = "merges",
	[MERGE | TASK] = "merges and tasks",
};

enum dr_stage_key
dr_stage_find_key(struct dr_str name, struct dr_str *suffix)
{
	static const struct {
		const char *prefix;
		enum dr_stage_key key;
	} named[] = { { "in.", DR_KEY_IN_NAME }, { "out.", DR_KEY_OUT_NAME }, { "env.", DR_KEY_ENV_NAME } };
	unsigned i = 0;

	for (size_t k = 0; k < sizeof(named) / sizeof(*named); k++) {
		size_t n = strlen(named[k].prefix);

		if (name.n > n && memcmp(name.p, named[k].prefix, n) == 0) {
			*suffix = (struct dr_str){ name.p + n, name.n - n };
			return named[k].key;
		}
	}
	*suffix = (struct dr_str){ "", 0 };
	while (i < DR_STAGE_KEYS && !dr_str_is(name, dr_parse_stage_keys[i]))
		i++;
	return (enum dr_stage_key)i;
}

struct dr_stage_reader
dr_stage_reader_of(struct dr_parse *ps, const struct dr_block *b)
{
	struct dr_stage *st = &ps->p->stages[b->index];
	const char *kind = dr_parse_kinds[st->kind];

	return (struct dr_stage_reader){
		ps, st, kind, { .kind = kind, .name = st->name, .stage = st }, 0, 0
	};
}

void
dr_stage_tell(struct dr_stage_reader *g, struct dr_pos pos, const char *what)
{
	dr_lex_error(g->ps->p, g->ps->diags, pos, "%s '%.*s' %s", g->kind, (int)g->st->name.n, g->st->name.p,
		     what);
}

static void
take_each(struct dr_stage_reader *g, const struct dr_key *k)
{
	struct dr_parse *ps = g->ps;
	const struct dr_block *b;
	struct dr_str name, output;
	uint32_t i;

	g->sc.where = DR_WHERE_CONSTANT;
	g->sc.key = "each";
	if (dr_parse_constant(ps, &g->sc, &k->value, &name))
		return;
	/* Of STAGE.OUTPUT the output is looked for later: the stage may not be read yet. */
	i = dr_parse_find_owner(ps, name, &output);
	if (i == DR_NONE || (ps->blocks[ps->owners[i]].args && output.n)) {
		dr_lex_error(ps->p, ps->diags, k->value.pos, "no args or stage is called '%.*s'%s",
			     (int)name.n, name.p, dr_parse_nearest(ps, name, NULL, &ps->names));
		return;
	}
	b = &ps->blocks[ps->owners[i]];
	if (b->args)
		g->st->each_args = b->index;
	else
		g->st->each_stage = b->index;
}

/* The columns of `by`, by name: what stands over the merge may ask for them before it is known what it is over itself. */
static void
take_by(struct dr_stage_reader *g, const struct dr_key *k)
{
	struct dr_parse *ps = g->ps;
	struct dr_stage *st = g->st;
	struct dr_template *words;
	uint32_t n;

	g->sc.where = DR_WHERE_CONSTANT;
	g->sc.key = "by";
	if (dr_parse_words(ps, &g->sc, &k->value, DR_WORDS_PLAIN, &words, &n) || !n)
		return;
	st->by = dr_arena_array(&ps->p->arena, n, sizeof(*st->by));
	st->by_columns = dr_arena_array(&ps->p->arena, n, sizeof(*st->by_columns));
	if (!st->by || !st->by_columns) {
		ps->nomem = true;
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		dr_buf_reset(&ps->scratch);
		dr_template_text(&words[i], &ps->scratch);
		st->by[i] = (struct dr_str){ dr_parse_cstr(ps, dr_buf_str(&ps->scratch)), ps->scratch.n };
		st->by_columns[i] = DR_NONE;
		for (uint32_t e = 0; e < i; e++)
			if (dr_str_eq(st->by[e], st->by[i]))
				dr_lex_error(ps->p, ps->diags, words[i].pos, "column '%.*s' stands twice in 'by'",
					     (int)st->by[i].n, st->by[i].p);
	}
	st->n_by = n;
}

/* What stands behind in. and out. is used as {in.NAME}. */
static void
check_suffix(struct dr_stage_reader *g, const struct dr_key *k, struct dr_str suffix)
{
	struct dr_parse *ps = g->ps;

	if (!dr_lex_is_name(suffix))
		dr_lex_error(ps->p, ps->diags, k->pos,
			     "'%.*s' is no name: that is a letter, then letters, digits, '_' and '-'",
			     (int)suffix.n, suffix.p);
	else if (dr_place_is_modifier(suffix))
		dr_lex_error(ps->p, ps->diags, k->pos,
			     "'%.*s' cannot be a name here: {%.*s} has a meaning of its own", (int)suffix.n,
			     suffix.p, (int)k->name.n, k->name.p);
}

void
dr_parse_check_env_name(struct dr_parse *ps, const struct dr_key *k, struct dr_str name)
{
	if (name.n && !dr_parse_is_variable(name))
		dr_lex_error(ps->p, ps->diags, k->pos,
			     "'%.*s' is no name of a variable: that is letters, digits and '_'", (int)name.n,
			     name.p);
}

/* Room for the input or output; the one without a name comes first. */
static void
note_input(struct dr_stage_reader *g, struct dr_str name, struct dr_pos pos)
{
	struct dr_stage *st = g->st;
	uint32_t at = st->n_inputs;

	if (dr_parse_grow(g->ps, &st->inputs, st->n_inputs, &g->cap_inputs, sizeof(*st->inputs)))
		return;
	if (!name.n) {
		memmove(st->inputs + 1, st->inputs, st->n_inputs * sizeof(*st->inputs));
		at = 0;
	}
	st->inputs[at] = (struct dr_input){ .name = name, .pos = pos };
	st->n_inputs++;
}

static void
note_output(struct dr_stage_reader *g, struct dr_str name)
{
	struct dr_stage *st = g->st;
	uint32_t at = st->n_outputs;

	if (dr_parse_grow(g->ps, &st->outputs, st->n_outputs, &g->cap_outputs, sizeof(*st->outputs)))
		return;
	if (!name.n) {
		memmove(st->outputs + 1, st->outputs, st->n_outputs * sizeof(*st->outputs));
		at = 0;
	}
	st->outputs[at] = (struct dr_output){ .name = name };
	st->n_outputs++;
}

static void
unknown_key(struct dr_stage_reader *g, const struct dr_key *k, unsigned *missing)
{
	const char *names[DR_STAGE_KEYS + 1], *near;
	uint32_t n = 0;

	for (unsigned i = 0; i < DR_STAGE_KEYS; i++) {
		if (dr_stage_key_kinds[i] & 1U << g->st->kind)
			names[n++] = dr_parse_stage_keys[i];
	}
	names[n] = NULL;
	near = dr_parse_nearest(g->ps, k->name, names, NULL);
	/* What it likely was meant to be is not missing on top of that. */
	for (unsigned i = 0; i < DR_STAGE_KEYS; i++) {
		const char *at = strstr(near, dr_parse_stage_keys[i]);
		size_t length = strlen(dr_parse_stage_keys[i]);

		if (at && at[-1] == '\'' && at[length] == '\'')
			*missing &= ~(1U << i);
	}
	dr_lex_error(g->ps->p, g->ps->diags, k->pos, "unknown key '%.*s' in %s '%.*s'%s", (int)k->name.n,
		     k->name.p, g->kind, (int)g->st->name.n, g->st->name.p, near);
}

static void
tell_missing(struct dr_stage_reader *g, unsigned missing)
{
	static const struct {
		enum dr_stage_key key;
		const char *reason;
	} needed[] = {
		{ DR_KEY_EACH, "has no 'each', which says what it runs over" },
		{ DR_KEY_OUT, "has no 'out', the one file that is left in the end" },
		{ DR_KEY_RUN, "has no 'run', its command" },
	};

	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		if (missing & 1U << needed[i].key)
			dr_stage_tell(g, g->st->pos, needed[i].reason);
	}
}

/* Notes a key that is right as far as its name goes. */
static void
note_key(struct dr_stage_reader *g, enum dr_stage_key key, struct dr_str suffix, const struct dr_key *k)
{
	switch (key) {
	case DR_KEY_EACH:
		take_each(g, k);
		break;
	case DR_KEY_BY:
		take_by(g, k);
		break;
	case DR_KEY_IN_NAME:
		check_suffix(g, k, suffix);
		note_input(g, suffix, k->pos);
		break;
	case DR_KEY_IN:
		note_input(g, suffix, k->pos);
		break;
	case DR_KEY_OUT_NAME:
		check_suffix(g, k, suffix);
		note_output(g, suffix);
		break;
	case DR_KEY_OUT:
		note_output(g, suffix);
		break;
	case DR_KEY_ENV_NAME:
		dr_parse_check_env_name(g->ps, k, suffix);
		break;
	default:
		break;
	}
}

void
dr_parse_stage_shape(struct dr_parse *ps, const struct dr_block *b)
{
	struct dr_stage_reader g = dr_stage_reader_of(ps, b);
	unsigned missing = 1U << DR_KEY_RUN;

	if (g.st->kind != DR_STAGE_TASK)
		missing |= 1U << DR_KEY_EACH;
	if (g.st->kind == DR_STAGE_MERGE)
		missing |= 1U << DR_KEY_OUT;
	for (uint32_t i = 0; i < b->n_keys; i++) {
		const struct dr_key *k = &b->keys[i];
		struct dr_str suffix;
		enum dr_stage_key key = dr_stage_find_key(k->name, &suffix);

		if (key == DR_STAGE_KEYS) {
			unknown_key(&g, k, &missing);
			continue;
		}
		if (!(dr_stage_key_kinds[key] & 1U << g.st->kind)) {
			dr_lex_error(ps->p, ps->diags, k->pos,
				     "'%.*s' cannot be in %s '%.*s': only %s have it", (int)k->name.n,
				     k->name.p, g.kind, (int)g.st->name.n, g.st->name.p,
				     kind_lists[dr_stage_key_kinds[key]]);
			continue;
		}
		missing &= ~(1U << key);
		if (!k->value.text.n && key != DR_KEY_ENV_NAME)
			dr_lex_error(ps->p, ps->diags, k->value.pos, "'%.*s' %s", (int)k->name.n, k->name.p,
				     key == DR_KEY_OUT || key == DR_KEY_OUT_NAME ? "is empty"
										 : "has no value");
		note_key(&g, key, suffix, k);
	}
	tell_missing(&g, missing);
}
