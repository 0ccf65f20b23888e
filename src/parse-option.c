#include "config.h"

#include "parse-state.h"

#include <stdio.h>
#include <string.h>

#include "err.h"

/* Stages of the command line. Each value becomes a source of its own, called as the option is, and from there on
 * the code that reads a Dagfile's keys reads it. */

struct options {
	struct dr_parse *ps;
	struct dr_block *block; /* the last stage's; no other block is begun while keys come to it */
	struct dr_str before;   /* name of the stage before it */
	bool has_each;
	const char *generator; /* of --each, or NULL */
	struct dr_key rows;    /* and its value */
	const char *rows_name;
	uint32_t count[DR_STAGE_KINDS]; /* stages of each kind */
	uint32_t n_generators;
};

/* A value with its option's name. */
static int
make_key(struct options *o, const char *option, const char *key, struct dr_str text, struct dr_key *k)
{
	uint32_t source;

	if (dr_parse_add_source(o->ps, option, text, true, &source))
		return -1;
	*k = (struct dr_key){ .name = dr_str(dr_parse_cstr(o->ps, dr_str(key))), .pos = { source, 1, 1 } };
	if (dr_lex_value(o->ps->p, source, &k->value)) {
		o->ps->nomem = true;
		return -1;
	}
	return 0;
}

/* What the last stage runs over, if no --each came: the stage before. And the generator that its --each asks for. */
static void
close_stage(struct options *o)
{
	struct dr_parse *ps = o->ps;
	const struct dr_stage *st;
	struct dr_block *args;
	struct dr_key k;

	if (!o->block)
		return;
	st = &ps->p->stages[o->block->index];
	if (!o->has_each && st->kind != DR_STAGE_TASK && o->before.n &&
	    !make_key(o, "--each", "each", o->before, &k))
		dr_parse_add_key(ps, o->block, &k);
	o->before = st->name;
	if (o->generator) {
		args = dr_parse_add_args(ps, dr_str(o->rows_name), o->rows.pos);
		if (args)
			dr_parse_add_key(ps, args, &o->rows);
	}
	o->block = NULL;
	o->has_each = false;
	o->generator = NULL;
}

static void
begin_stage(struct options *o, enum dr_stage_kind kind, const char *option, const char *value)
{
	struct dr_parse *ps = o->ps;
	struct dr_key k;

	close_stage(o);
	if (make_key(o, option, "run", dr_str(value), &k))
		return;
	dr_buf_reset(&ps->scratch);
	dr_buf_adds(&ps->scratch, dr_parse_kinds[kind]);
	if (++o->count[kind] > 1)
		dr_buf_addf(&ps->scratch, "%u", (unsigned)o->count[kind]);
	o->block = dr_parse_add_stage(ps, kind, dr_str(dr_parse_cstr(ps, dr_buf_str(&ps->scratch))), k.pos);
	if (o->block)
		dr_parse_add_key(ps, o->block, &k);
}

/* --each: a generator of its own for it, by a name that no other can have. */
static void
take_each(struct options *o, const char *value)
{
	static const char *const generators[] = { "glob", "range", "list", "lines", "command", "csv", "tsv" };
	struct dr_parse *ps = o->ps;
	const char *generator = generators[0];
	struct dr_key k;

	if (!value[0])
		return;
	for (size_t i = 0; i < sizeof(generators) / sizeof(*generators); i++) {
		size_t n = strlen(generators[i]);

		if (strncmp(value, generators[i], n) == 0 && value[n] == ':') {
			generator = generators[i];
			value += n + 1;
			break;
		}
	}
	if (o->has_each) {
		if (make_key(o, "--each", "each", dr_str(value), &k) == 0)
			dr_parse_add_key(ps, o->block, &k); /* which says so */
		return;
	}
	dr_buf_reset(&ps->scratch);
	dr_buf_adds(&ps->scratch, "--each");
	if (o->n_generators++)
		dr_buf_addf(&ps->scratch, " %u", (unsigned)o->n_generators);
	o->rows_name = dr_parse_cstr(ps, dr_buf_str(&ps->scratch));
	if (make_key(o, "--each", "each", dr_str(o->rows_name), &k) ||
	    make_key(o, "--each", generator, dr_str(value), &o->rows))
		return;
	dr_parse_add_key(ps, o->block, &k);
	o->has_each = true;
	o->generator = generator;
}

static void
take_key(struct options *o, const struct dr_oneliner_key *key)
{
	struct dr_parse *ps = o->ps;
	const char *option;
	struct dr_key k;

	dr_buf_reset(&ps->scratch);
	dr_buf_addf(&ps->scratch, "--%s", key->key);
	option = dr_parse_cstr(ps, dr_buf_str(&ps->scratch));
	for (unsigned i = 0; i < DR_STAGE_KINDS; i++) {
		if (strcmp(key->key, dr_parse_kinds[i]) == 0) {
			begin_stage(o, (enum dr_stage_kind)i, option, key->value);
			return;
		}
	}
	if (!o->block) {
		if (!ps->nomem)
			dr_diag_add(ps->diags, NULL, 0, 0, NULL, 0,
				    "%s belongs to a stage: write it behind --map, --merge or --task",
				    option);
	} else if (strcmp(key->key, "each") == 0 && ps->p->stages[o->block->index].kind != DR_STAGE_TASK) {
		take_each(o, key->value);
	} else if (make_key(o, option, key->key, dr_str(key->value), &k) == 0) {
		dr_parse_add_key(ps, o->block, &k);
	}
}

int
dr_parse_oneliner(const struct dr_oneliner_key *keys, uint32_t n, const struct dr_parse_options *opts,
		  struct dr_pipeline **out, struct dr_diags *diags, struct dr_err *err)
{
	struct dr_parse ps;
	struct options o = { .ps = &ps };

	*out = NULL;
	if (dr_parse_begin(&ps, opts, diags, err))
		return -1;
	for (uint32_t i = 0; i < n && !ps.nomem; i++)
		take_key(&o, &keys[i]);
	close_stage(&o);
	dr_parse_check_settings(&ps);
	return dr_parse_end(&ps, out, err);
}
