#include "config.h"

#include "parse-stage.h"

#include <string.h>

#include "arena.h"

int
dr_parse_refs(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_value *v, struct dr_ref **refs,
	      uint32_t *n)
{
	struct dr_template *words;
	uint32_t n_words;

	if (dr_parse_words(ps, sc, v, DR_WORDS_PLAIN, &words, &n_words))
		return -1;
	*refs = dr_arena_array(&ps->p->arena, n_words, sizeof(**refs));
	if (!*refs) {
		ps->nomem = true;
		return -1;
	}
	*n = n_words;
	for (uint32_t i = 0; i < n_words; i++) {
		struct dr_ref *ref = &(*refs)[i];
		struct dr_str output = { "", 0 };
		uint32_t name = DR_NONE;

		*ref = (struct dr_ref){ .path = words[i], .stage = DR_NONE };
		if (!words[i].n) {
			dr_lex_error(ps->p, ps->diags, words[i].pos, "an empty name in '%s'", sc->key);
		} else if (dr_template_constant(&words[i])) {
			dr_buf_reset(&ps->scratch);
			dr_template_text(&words[i], &ps->scratch);
			name = dr_parse_find_owner(ps, dr_buf_str(&ps->scratch), &output);
		}
		if (name != DR_NONE && !ps->blocks[ps->owners[name]].args)
			ref->stage = ps->blocks[ps->owners[name]].index;
		if (ref->stage != DR_NONE && output.n) {
			ref->output = dr_parse_find_output(&ps->p->stages[ref->stage], output);
			if (ref->output == DR_NONE)
				*ref = (struct dr_ref){ .path = words[i], .stage = DR_NONE };
		}
	}
	return 0;
}

/* Stages among the words of `in` and `uses`. */
static void
check_refs(struct dr_stage_reader *g, const struct dr_ref *refs, uint32_t n)
{
	struct dr_parse *ps = g->ps;

	for (uint32_t i = 0; i < n; i++) {
		const struct dr_stage *st = refs[i].stage == DR_NONE ? NULL : &ps->p->stages[refs[i].stage];

		if (!st)
			continue;
		if (g->st->kind == DR_STAGE_MAP && g->sc.where == DR_WHERE_IN)
			dr_lex_error(ps->p, ps->diags, refs[i].path.pos,
				     "'%.*s' is a stage, and '%s' of a map names files: the file of that "
				     "name is ./%.*s",
				     (int)st->name.n, st->name.p, g->sc.key, (int)st->name.n, st->name.p);
		else if (!st->n_outputs)
			dr_lex_error(ps->p, ps->diags, refs[i].path.pos,
				     "%s '%.*s' has no 'out', so there is nothing to read",
				     dr_parse_kinds[st->kind], (int)st->name.n, st->name.p);
	}
}

static void
take_input(struct dr_stage_reader *g, enum dr_stage_key key, struct dr_str suffix, const struct dr_key *k)
{
	struct dr_stage *st = g->st;
	uint32_t i = 0;

	if (key != DR_KEY_IN && key != DR_KEY_IN_NAME)
		return;
	g->sc.where = DR_WHERE_IN;
	g->sc.key = dr_parse_cstr(g->ps, k->name);
	if (key == DR_KEY_IN && st->kind == DR_STAGE_MAP && dr_parse_rows_are_files(g->ps, st) == 1) {
		dr_stage_tell(
			g, k->pos,
			"has no 'in': its rows are files, and they are its inputs; others can be in.NAME");
		return;
	}
	while (i < st->n_inputs && !dr_str_eq(st->inputs[i].name, suffix))
		i++;
	if (i == st->n_inputs ||
	    dr_parse_refs(g->ps, &g->sc, &k->value, &st->inputs[i].refs, &st->inputs[i].n_refs))
		return;
	check_refs(g, st->inputs[i].refs, st->inputs[i].n_refs);
}

static void
take_output(struct dr_stage_reader *g, enum dr_stage_key key, struct dr_str suffix, const struct dr_key *k)
{
	struct dr_stage *st = g->st;
	uint32_t i = 0;

	if ((key != DR_KEY_OUT && key != DR_KEY_OUT_NAME) || !k->value.text.n)
		return;
	g->sc.where = DR_WHERE_OUT;
	g->sc.key = dr_parse_cstr(g->ps, k->name);
	while (i < st->n_outputs && !dr_str_eq(st->outputs[i].name, suffix))
		i++;
	if (i < st->n_outputs)
		dr_parse_path(g->ps, &g->sc, k, DR_PATH_OUT, &st->outputs[i].path, &st->outputs[i].tree);
}

static void
take_env(struct dr_stage_reader *g, struct dr_str name, const struct dr_key *k)
{
	struct dr_parse *ps = g->ps;
	struct dr_stage *st = g->st;
	struct dr_env *env;

	/* Few, and rare: copied each time, so that stages without any can share those of the margin. */
	env = dr_arena_array(&ps->p->arena, (size_t)st->n_env + 1, sizeof(*env));
	if (!env) {
		ps->nomem = true;
		return;
	}
	if (st->n_env)
		memcpy(env, st->env, st->n_env * sizeof(*env));
	env[st->n_env] = (struct dr_env){ .name = name };
	g->sc.where = DR_WHERE_ENV;
	dr_parse_text(ps, &g->sc, &k->value, &env[st->n_env].value);
	st->env = env;
	st->n_env++;
}

/* What a task claims, before the command, which may tell it on. */
static void
take_claim(struct dr_stage_reader *g, enum dr_stage_key key, const struct dr_key *k)
{
	struct dr_str text;

	g->sc.where = DR_WHERE_CONSTANT;
	if (key == DR_KEY_MEMORY && k->value.text.n)
		dr_parse_bytes(g->ps, &g->sc, k, &g->st->memory, &g->st->memory_text);
	else if (key == DR_KEY_DISK && k->value.text.n)
		dr_parse_bytes(g->ps, &g->sc, k, &g->st->disk, &text);
}

static void
take_rest(struct dr_stage_reader *g, enum dr_stage_key key, struct dr_str suffix, const struct dr_key *k)
{
	struct dr_stage *st = g->st;

	g->sc.key = dr_parse_cstr(g->ps, k->name);
	if (key == DR_KEY_ENV_NAME) {
		take_env(g, suffix, k);
	} else if (!k->value.text.n) {
		return;
	} else if (key == DR_KEY_RUN) {
		g->sc.where = DR_WHERE_RUN;
		dr_parse_command(g->ps, &g->sc, &k->value, &st->run);
	} else if (key == DR_KEY_USES) {
		g->sc.where = DR_WHERE_USES;
		if (!dr_parse_refs(g->ps, &g->sc, &k->value, &st->uses, &st->n_uses))
			check_refs(g, st->uses, st->n_uses);
	} else {
		dr_stage_take_plain(g, key, k);
	}
}

/* Of `each = STAGE.OUTPUT` which one that is. */
static void
check_each_output(struct dr_stage_reader *g, const struct dr_key *k, const struct dr_stage *other)
{
	struct dr_parse *ps = g->ps;
	struct dr_names names = { 0 };
	struct dr_str text, output;

	if (dr_parse_constant(ps, &g->sc, &k->value, &text))
		return;
	dr_parse_find_owner(ps, text, &output);
	g->st->each_output = output.n ? dr_parse_find_output(other, output) : 0;
	if (g->st->each_output != DR_NONE)
		return;
	g->st->each_output = 0;
	for (uint32_t i = 0; i < other->n_outputs; i++)
		if (other->outputs[i].name.n && dr_names_add(&names, other->outputs[i].name, k->pos))
			ps->nomem = true;
	dr_lex_error(ps->p, ps->diags, k->value.pos, "%s '%.*s' has no 'out.%.*s'%s", dr_parse_kinds[other->kind],
		     (int)other->name.n, other->name.p, (int)output.n, output.p,
		     dr_parse_nearest(ps, output, NULL, &names));
	dr_names_free(&names);
}

/* The other outputs of what it runs over, as {in.NAME}, but where it has an input of that name itself. */
static void
add_beside(struct dr_stage_reader *g)
{
	static const struct dr_str out = { "out", 3 };
	struct dr_stage *st = g->st;
	const struct dr_stage *other = &g->ps->p->stages[st->each_stage];

	for (uint32_t i = 0; i < other->n_outputs; i++) {
		struct dr_str name = other->outputs[i].name.n ? other->outputs[i].name : out;
		uint32_t k = 0;

		while (k < st->n_inputs && !dr_str_eq(st->inputs[k].name, name))
			k++;
		if (i == st->each_output || k < st->n_inputs)
			continue;
		if (dr_parse_grow(g->ps, &st->inputs, st->n_inputs, &g->cap_inputs, sizeof(*st->inputs)))
			return;
		st->inputs[st->n_inputs++] = (struct dr_input){
			.name = name,
			.pos = st->pos,
			.beside = true,
			.output = i,
			.inner = st->kind == DR_STAGE_MERGE && other->outputs[i].name.n ? dr_parse_find_output(st, name)
											: DR_NONE,
		};
	}
}

/* What a stage runs over must be files for a merge, and be there for all. */
static void
check_each(struct dr_stage_reader *g, const struct dr_key *k)
{
	struct dr_parse *ps = g->ps;
	const struct dr_stage *st = g->st, *other;

	if (st->each_stage != DR_NONE) {
		other = &ps->p->stages[st->each_stage];
		if (!other->n_outputs)
			dr_lex_error(ps->p, ps->diags, k->value.pos,
				     "%s '%.*s' has no 'out', so there is nothing to read",
				     dr_parse_kinds[other->kind], (int)other->name.n, other->name.p);
		else
			check_each_output(g, k, other);
		add_beside(g);
	} else if (st->kind == DR_STAGE_MERGE && dr_parse_rows_are_files(ps, st) == 0) {
		dr_lex_error(ps->p, ps->diags, k->value.pos,
			     "a merge is of files, but the rows of '%.*s' are values: files are those of "
			     "'glob' and of stages",
			     (int)ps->p->args[st->each_args].name.n, ps->p->args[st->each_args].name.p);
	} else if (st->kind == DR_STAGE_MERGE && dr_parse_batches(ps, st)) {
		dr_lex_error(ps->p, ps->diags, k->value.pos,
			     "'%.*s' has 'batch', and how many files a merge takes 'fan-in' says",
			     (int)ps->p->args[st->each_args].name.n, ps->p->args[st->each_args].name.p);
	}
}

static const char *
nearest_column(struct dr_parse *ps, struct dr_str word, const struct dr_str *names, uint32_t n)
{
	const char **words = dr_arena_array(&ps->p->arena, (size_t)n + 1, sizeof(*words));

	if (!words) {
		ps->nomem = true;
		return "";
	}
	for (uint32_t i = 0; i < n; i++)
		words[i] = dr_parse_cstr(ps, names[i]);
	words[n] = NULL;
	return dr_parse_nearest(ps, word, words, NULL);
}

/* The columns of `by` among those of what the merge is over. */
static void
check_by(struct dr_stage_reader *g, const struct dr_key *k)
{
	struct dr_parse *ps = g->ps;
	struct dr_stage *st = g->st;
	const struct dr_str *names = NULL;
	uint32_t n = dr_parse_columns(ps, st, &names);

	if (st->each_args == DR_NONE && st->each_stage == DR_NONE)
		return; /* told already */
	if (st->each_stage != DR_NONE && dr_parse_batches(ps, st))
		dr_lex_error(ps->p, ps->diags, k->value.pos,
			     "rows of '%.*s' have several values of a column, as '%.*s' has 'batch'",
			     (int)ps->p->stages[st->each_stage].name.n, ps->p->stages[st->each_stage].name.p,
			     (int)dr_parse_batches(ps, st)->name.n, dr_parse_batches(ps, st)->name.p);
	for (uint32_t i = 0; i < st->n_by; i++) {
		uint32_t c = 0;

		while (c < n && !dr_str_eq(names[c], st->by[i]))
			c++;
		if (c < n)
			st->by_columns[i] = c;
		else
			dr_lex_error(ps->p, ps->diags, k->value.pos, "there is no column '%.*s' for merge '%.*s'%s",
				     (int)st->by[i].n, st->by[i].p, (int)st->name.n, st->name.p,
				     n ? nearest_column(ps, st->by[i], names, n) :
					 ": the rows that it is over have no columns");
	}
}

/* Whether the program is written in `uses` too, in the same words. */
static bool
is_used(const struct dr_stage *st, struct dr_str program)
{
	for (uint32_t i = 0; i < st->n_uses; i++) {
		const struct dr_template *t = &st->uses[i].path;

		if (t->n == 1 && dr_template_constant(t) && dr_str_eq(t->pieces[0].text, program))
			return true;
	}
	return false;
}

/* The programs that the command names, behind the uses that were written. */
static void
add_programs(struct dr_stage_reader *g)
{
	struct dr_parse *ps = g->ps;
	struct dr_stage *st = g->st;
	uint32_t n = st->n_uses;
	struct dr_ref *uses;
	struct dr_piece *piece;

	if (!st->run.n_programs)
		return;
	uses = dr_arena_array(&ps->p->arena, (size_t)n + st->run.n_programs, sizeof(*uses));
	piece = dr_arena_array(&ps->p->arena, st->run.n_programs, sizeof(*piece));
	if (!uses || !piece) {
		ps->nomem = true;
		return;
	}
	if (n)
		memcpy(uses, st->uses, n * sizeof(*uses));
	for (uint32_t i = 0; i < st->run.n_programs; i++) {
		if (is_used(st, st->run.programs[i]))
			continue;
		piece[i].kind = DR_PH_TEXT;
		piece[i].text = st->run.programs[i];
		piece[i].pos = st->run.pos;
		uses[n].path = (struct dr_template){ &piece[i], 1, st->run.pos };
		uses[n].stage = DR_NONE;
		uses[n++].program = true;
	}
	st->uses = uses;
	st->n_uses = n;
}

void
dr_parse_stage_block(struct dr_parse *ps, const struct dr_block *b)
{
	static void (*const passes[])(struct dr_stage_reader *, enum dr_stage_key, struct dr_str,
				      const struct dr_key *) = {
		/* Outputs and commands can use inputs, commands outputs. */
		take_input,
		take_output,
		take_rest,
	};
	struct dr_stage_reader g = dr_stage_reader_of(ps, b);

	g.st->env = ps->env;
	g.st->n_env = ps->n_env;
	for (size_t pass = 0; pass < sizeof(passes) / sizeof(*passes); pass++) {
		for (uint32_t i = 0; i < b->n_keys; i++) {
			struct dr_str suffix;
			enum dr_stage_key key = dr_stage_find_key(b->keys[i].name, &suffix);

			if (key == DR_STAGE_KEYS || !(dr_stage_key_kinds[key] & 1U << g.st->kind))
				continue;
			if (pass == 0 && key == DR_KEY_EACH)
				check_each(&g, &b->keys[i]);
			if (pass == 0 && key == DR_KEY_BY)
				check_by(&g, &b->keys[i]);
			if (pass == 0)
				take_claim(&g, key, &b->keys[i]);
			passes[pass](&g, key, suffix, &b->keys[i]);
		}
	}
	add_programs(&g);
}
