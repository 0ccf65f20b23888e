#include "config.h"

#include "parse-state.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arena.h"
#include "err.h"
#include "spawn.h"

const char *const dr_parse_blocks[] = {
	"let", "args", "map", "merge", "task", "include", "default", "env.NAME", "pool", "shell", NULL,
};

const char *const dr_parse_placeholders[] = {
	"in",    "in.NAME", "in:list", "in:list0", "out",  "out.NAME", "arg",   "tmp",   "slots", "memory", "slot",
	"index", "attempt", "name",    "stem",     "ext",  "dir",      ".name", ".stem", ".ext",  ".dir",   NULL,
};

static const struct dr_key *
margin_key(const struct dr_parse *ps, const char *name)
{
	uint32_t i = dr_names_find(&ps->margin, dr_str(name));

	return i == DR_NONE ? NULL : &ps->heads[i];
}

/* Whether it is a shell that knows "${@:3:2}", by its name. */
static bool
knows_slices(struct dr_str path)
{
	static const char *const names[] = { "bash", "zsh", "ksh", "ksh93", "mksh" };
	struct dr_str name = dr_modify(path, DR_MOD_NAME);

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (dr_str_is(name, names[i]))
			return true;
	}
	return false;
}

static void
set_shell(struct dr_parse *ps, const char *path)
{
	static const char *const bash_words[] = { "", "-eo", "pipefail", "-c" };
	static const char *const sh_words[] = { "", "-ec" };
	bool bash = dr_str_is(dr_modify(dr_str(path), DR_MOD_NAME), "bash");
	uint32_t n = bash ? 4 : 2;
	const char **argv = dr_arena_array(&ps->p->arena, n, sizeof(*argv));

	if (!argv) {
		ps->nomem = true;
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		argv[i] = bash ? bash_words[i] : sh_words[i];
	argv[0] = dr_parse_cstr(ps, dr_str(path));
	ps->p->shell = (struct dr_shell){ argv, n, knows_slices(dr_str(path)) };
}

static void
default_shell(struct dr_parse *ps)
{
	static const char *const places[] = { "/bin/bash", "/usr/bin/bash" };
	char path[4096];

	if (ps->opts->shell) {
		set_shell(ps, ps->opts->shell);
		return;
	}
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		if (access(places[i], X_OK) == 0) {
			set_shell(ps, places[i]);
			return;
		}
	}
	if (getenv("PATH") &&
	    dr_find_program(ps->opts->root, "bash", getenv("PATH"), path, sizeof(path)) == 0 &&
	    path[0] == '/')
		set_shell(ps, path);
	else
		set_shell(ps, "/bin/sh");
}

/* shell = WORDS: what the text of a command follows. */
static void
take_shell(struct dr_parse *ps)
{
	const struct dr_key *k = margin_key(ps, "shell");
	struct dr_scope sc = { .where = DR_WHERE_CONSTANT, .key = "shell" };
	struct dr_template *words;
	const char **argv;
	uint32_t n;

	if (!k) {
		default_shell(ps);
		return;
	}
	if (dr_parse_words(ps, &sc, &k->value, DR_WORDS_PLAIN, &words, &n))
		return;
	if (!n) {
		dr_lex_error(ps->p, ps->diags, k->pos,
			     "'shell' has no value: it is the words before a command's text, as in "
			     "/bin/bash -eo pipefail -c");
		return;
	}
	argv = dr_arena_array(&ps->p->arena, n, sizeof(*argv));
	if (!argv) {
		ps->nomem = true;
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		dr_buf_reset(&ps->scratch);
		dr_template_text(&words[i], &ps->scratch);
		argv[i] = dr_parse_cstr(ps, dr_buf_str(&ps->scratch));
	}
	ps->p->shell = (struct dr_shell){ argv, n, knows_slices(dr_str(argv[0])) };
}

/* env.NAME at the margin, in the order of the lines. */
static void
take_env(struct dr_parse *ps)
{
	struct dr_scope sc = { .where = DR_WHERE_MARGIN };
	uint32_t cap = 0;

	for (uint32_t i = 0; i < ps->margin.n; i++) {
		const struct dr_key *k = &ps->heads[i];
		struct dr_env env = { .name = { k->name.p + 4, k->name.n - 4 } };

		if (k->name.n < 5 || memcmp(k->name.p, "env.", 4) != 0)
			continue;
		sc.key = dr_parse_cstr(ps, k->name);
		dr_parse_check_env_name(ps, k, env.name);
		if (dr_parse_text(ps, &sc, &k->value, &env.value) ||
		    dr_parse_grow(ps, &ps->env, ps->n_env, &cap, sizeof(*ps->env)))
			continue;
		ps->env[ps->n_env++] = env;
	}
}

static void
take_defaults(struct dr_parse *ps)
{
	const struct dr_key *k = margin_key(ps, "default");
	struct dr_scope sc = { .where = DR_WHERE_CONSTANT, .key = "default" };

	if (!k)
		return;
	if (!k->value.text.n)
		dr_lex_error(ps->p, ps->diags, k->pos, "'default' names stages or files");
	else
		dr_parse_refs(ps, &sc, &k->value, &ps->p->defaults, &ps->p->n_defaults);
}

static void
tell_circle(struct dr_parse *ps, uint32_t first)
{
	const struct dr_stage *stages = ps->p->stages;
	uint32_t s = first, shown = 0;

	dr_buf_reset(&ps->scratch);
	do {
		s = stages[s].each_stage;
		dr_buf_addf(&ps->scratch, " over '%.*s'", (int)stages[s].name.n, stages[s].name.p);
		if (++shown == 8 && s != first) {
			dr_buf_adds(&ps->scratch, " …");
			break;
		}
	} while (s != first);
	dr_lex_error(ps->p, ps->diags, stages[first].pos, "a circle of stages: '%.*s'%s",
		     (int)stages[first].name.n, stages[first].name.p, dr_buf_cstr(&ps->scratch));
}

/* Stages that run over each other in a circle. Each has one that it runs over at most, so one walk from each finds
 * them: what an earlier walk has seen is not walked again. */
static void
check_circles(struct dr_parse *ps)
{
	uint32_t n = ps->p->n_stages;
	uint32_t *seen = calloc((size_t)n + 1, sizeof(*seen)); /* number of the walk, from 1 */

	if (!seen) {
		ps->nomem = true;
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t s = i;

		while (s != DR_NONE && !seen[s]) {
			seen[s] = i + 1;
			s = ps->p->stages[s].each_stage;
		}
		if (s != DR_NONE && seen[s] == i + 1)
			tell_circle(ps, s);
	}
	free(seen);
}

/* Whose rows a stage is over, from the stage below it. */
static void
take_rows(struct dr_pipeline *p, struct dr_stage *st)
{
	const struct dr_stage *below = st->each_stage == DR_NONE ? NULL : &p->stages[st->each_stage];

	if (!below) {
		st->rows_args = st->each_args;
	} else if (below->kind == DR_STAGE_MERGE) {
		st->rows_merge = st->each_stage;
	} else {
		st->rows_args = below->rows_args;
		st->rows_merge = below->rows_merge;
	}
}

/* Each stage once, behind the one that it is over: so a long chain of maps is walked once, and not anew by whoever wants
 * to know its columns. A circle gets none. */
static void
find_rows(struct dr_parse *ps)
{
	struct dr_pipeline *p = ps->p;
	uint32_t *todo = calloc((size_t)p->n_stages + 1, sizeof(*todo)), n = 0;
	bool *seen = calloc((size_t)p->n_stages + 1, sizeof(*seen));

	if (!todo || !seen)
		ps->nomem = true;
	for (uint32_t i = 0; i < p->n_stages && !ps->nomem; i++) {
		for (uint32_t s = i; s != DR_NONE && !seen[s]; s = p->stages[s].each_stage) {
			seen[s] = true;
			todo[n++] = s;
		}
		while (n)
			take_rows(p, &p->stages[todo[--n]]);
	}
	free(todo);
	free(seen);
}

/* All names are known: blocks to generators and stages. */
static void
take_blocks(struct dr_parse *ps)
{
	dr_parse_args(ps);
	for (uint32_t i = 0; i < ps->n_blocks; i++) {
		if (!ps->blocks[i].args)
			dr_parse_stage_shape(ps, &ps->blocks[i]);
	}
	check_circles(ps);
	find_rows(ps);
	for (uint32_t i = 0; i < ps->n_blocks; i++) {
		if (!ps->blocks[i].args)
			dr_parse_stage_block(ps, &ps->blocks[i]);
	}
}

static uint32_t
source_order(const struct dr_pipeline *p, const char *name)
{
	for (uint32_t i = 0; name && i < p->n_sources; i++) {
		if (strcmp(p->sources[i].name, name) == 0)
			return i;
	}
	return UINT32_MAX;
}

static int
compare(const struct dr_pipeline *p, const struct dr_diag *a, const struct dr_diag *b)
{
	uint32_t sa = source_order(p, a->file), sb = source_order(p, b->file);

	if (sa != sb)
		return sa < sb ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return (a->col > b->col) - (a->col < b->col);
}

/* In the order of the lines, as somebody reads them who goes through the file. They are at most DR_DIAGS_MAX. */
static void
sort_diags(const struct dr_pipeline *p, struct dr_diags *d)
{
	for (uint32_t i = 1; i < d->n; i++) {
		struct dr_diag v = d->v[i];
		uint32_t k = i;

		for (; k > 0 && compare(p, &v, &d->v[k - 1]) < 0; k--)
			d->v[k] = d->v[k - 1];
		d->v[k] = v;
	}
}

int
dr_parse_begin(struct dr_parse *ps, const struct dr_parse_options *opts, struct dr_diags *diags,
	       struct dr_err *err)
{
	*ps = (struct dr_parse){ .opts = opts, .diags = diags };
	ps->p = calloc(1, sizeof(*ps->p));
	return ps->p ? 0 : dr_err_nomem(err);
}

int
dr_parse_end(struct dr_parse *ps, struct dr_pipeline **out, struct dr_err *err)
{
	struct dr_pipeline *p = ps->p;
	int rc = -1;

	if (!ps->nomem) {
		take_env(ps);
		take_shell(ps);
		take_blocks(ps);
		take_defaults(ps);
	}
	sort_diags(p, ps->diags);
	if (ps->nomem || ps->scratch.failed)
		dr_err_nomem(err);
	else if (ps->diags->total)
		dr_err_set(err, DR_USAGE, "the Dagfile is wrong");
	else
		rc = 0;
	dr_names_free(&ps->names);
	dr_names_free(&ps->lets);
	dr_names_free(&ps->pools);
	dr_names_free(&ps->keys);
	dr_names_free(&ps->margin);
	dr_buf_free(&ps->scratch);
	if (rc)
		dr_pipeline_free(p);
	else
		*out = p;
	return rc;
}

int
dr_parse(const char *name, struct dr_str text, const struct dr_parse_options *opts, struct dr_pipeline **out,
	 struct dr_diags *diags, struct dr_err *err)
{
	struct dr_parse ps;

	*out = NULL;
	if (dr_parse_begin(&ps, opts, diags, err))
		return -1;
	dr_parse_read(&ps, name, text);
	dr_parse_built(&ps);
	return dr_parse_end(&ps, out, err);
}
