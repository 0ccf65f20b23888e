#include "config.h"

#include "export-private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "graphout.h"

enum {
	FULL = 1 << 16,
	LONGEST = 131071, /* bytes of one argument that Linux takes: a recipe is one */
	NAMED_MOST = 20,  /* tasks that are named in a notice */
};

static const char *
tool(const struct dr_exporter *x)
{
	return x->o->format == DR_EXPORT_MAKE ? "make" : "ninja";
}

static int
flush(struct dr_exporter *x, size_t least)
{
	if (x->out.failed)
		return dr_err_nomem(x->err);
	return x->out.n >= least ? x->o->flush(x->o->arg, &x->out, x->err) : 0;
}

static bool
wanted(const struct dr_exporter *x, uint32_t task)
{
	return x->pl->graph->tasks[task].state != DR_UNWANTED;
}

/* What cannot be said. */

static void
refuse(struct dr_exporter *x, uint32_t task, struct dr_str what, const char *why, uint64_t *n)
{
	if ((*n)++ >= NAMED_MOST)
		return;
	dr_buf_reset(&x->text);
	dr_plan_task_name(x->pl, task, &x->text);
	dr_buf_escape(x->o->notices, dr_buf_str(&x->text));
	dr_buf_adds(x->o->notices, ": ");
	if (what.n && !dr_str_eq(what, dr_buf_str(&x->text))) {
		dr_buf_escape(x->o->notices, what);
		dr_buf_adds(x->o->notices, ": ");
	}
	dr_buf_addf(x->o->notices, "%s\n", why);
}

static void
check_names(struct dr_exporter *x, uint32_t task, uint64_t *n)
{
	const struct dr_task *t = &x->pl->graph->tasks[task];
	const uint32_t *files = dr_graph_inputs(x->pl->graph, task);

	for (uint32_t i = 0; i < t->n_in + t->n_uses + t->n_out; i++) {
		const char *why;

		/* An output is refused once, where it is made. */
		if (i < t->n_in + t->n_uses && x->pl->graph->files[files[i]].producer != DR_NONE)
			continue;
		dr_buf_reset(&x->name);
		dr_graph_path(x->pl->graph, files[i], &x->name);
		why = dr_export_refuses(x, dr_buf_str(&x->name));
		if (why)
			refuse(x, task, dr_buf_str(&x->name), why, n);
	}
}

/* {tmp} with a modifier is a part of a name that only the recipe will know. */
static bool
cuts_tmp(const struct dr_stage *st)
{
	const struct dr_template *text = &st->run.text;

	for (uint32_t i = 0; i < text->n; i++)
		if (text->pieces[i].kind == DR_PH_TMP && text->pieces[i].n_mods)
			return true;
	return false;
}

static int
check(struct dr_exporter *x)
{
	const struct dr_graph *g = x->pl->graph;
	uint64_t n = 0;

	for (uint32_t t = 0; t < g->n_tasks; t++) {
		uint64_t before = n;

		if (!wanted(x, t))
			continue;
		check_names(x, t, &n);
		if (cuts_tmp(dr_plan_stage(x->pl, t)))
			refuse(x, t, DR_STR(""), "a part of {tmp} cannot be had, only all of it", &n);
		if (n > before)
			continue;
		if (dr_export_recipe(x, t))
			return -1;
		if (x->recipe.n > LONGEST)
			refuse(x, t, DR_STR(""), "its command is too long for one line of a shell", &n);
	}
	if (n > NAMED_MOST)
		dr_buf_addf(x->o->notices, "and %" PRIu64 " more\n", n - NAMED_MOST);
	if (n)
		return dr_err_set(x->err, DR_USAGE, "--export=%s cannot carry %" PRIu64 " name%s or command%s of this plan", tool(x), n,
				  n == 1 ? "" : "s", n == 1 ? "" : "s");
	return 0;
}

/* What is done in another way: stages by the keys that make the difference. */

struct key {
	const char *text;
	bool (*is)(const struct dr_exporter *x, const struct dr_stage *st);
};

static bool
has_slots(const struct dr_exporter *x, const struct dr_stage *st)
{
	(void)x;
	return st->slots > 1;
}

static bool
has_retries(const struct dr_exporter *x, const struct dr_stage *st)
{
	(void)x;
	return st->retries;
}

static bool
has_timeout(const struct dr_exporter *x, const struct dr_stage *st)
{
	(void)x;
	return st->timeout;
}

static bool
has_pool(const struct dr_exporter *x, const struct dr_stage *st)
{
	return st->pool && x->o->format == DR_EXPORT_MAKE;
}

static bool
takes_missing(const struct dr_exporter *x, const struct dr_stage *st)
{
	(void)x;
	return st->missing_ok;
}

static bool
removes_inner(const struct dr_exporter *x, const struct dr_stage *st)
{
	(void)x;
	return st->kind == DR_STAGE_MERGE ? st->keep != DR_KEEP_YES : st->keep == DR_KEEP_NO;
}

static const struct key keys[] = {
	{ "slots: a task counts as one", has_slots },
	{ "retries: a failure is the last word", has_retries },
	{ "timeout: a task takes as long as it takes", has_timeout },
	{ "pool: tasks run as many at a time as there are jobs", has_pool },
	{ "missing = ok: every input must be made", takes_missing },
	{ "keep = no or level: outputs that only later steps read stay", removes_inner },
};

static void
tell_keys(struct dr_exporter *x)
{
	for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++) {
		const char *between = " (";

		for (uint32_t s = 0; s < x->pl->pipeline->n_stages; s++) {
			const struct dr_stage *st = &x->pl->pipeline->stages[s];

			if (!x->pl->stages[s].planned || !x->pl->stages[s].n || !keys[k].is(x, st))
				continue;
			if (*between == ' ')
				dr_buf_addf(x->o->notices, "not carried: %s", keys[k].text);
			dr_buf_addf(x->o->notices, "%s%.*s", between, (int)st->name.n, st->name.p);
			between = ", ";
		}
		if (*between == ',')
			dr_buf_adds(x->o->notices, ")\n");
	}
}

/* Rules. */

/* A blank between two words, and none at the beginning of a line. */
static void
separate(struct dr_exporter *x)
{
	if (x->out.n && x->out.p[x->out.n - 1] != '\n')
		dr_buf_addc(&x->out, ' ');
}

static void
add_name(struct dr_exporter *x, uint32_t file, bool target)
{
	separate(x);
	dr_buf_reset(&x->name);
	dr_graph_path(x->pl->graph, file, &x->name);
	dr_export_name(x, dr_buf_str(&x->name), target, &x->out);
	x->out.failed |= x->name.failed;
}

/* The task's outputs, or what shows that it has run. */
static void
add_targets(struct dr_exporter *x, uint32_t task, bool target)
{
	const struct dr_task *t = &x->pl->graph->tasks[task];

	if (!t->n_out) {
		separate(x);
		dr_export_stamp(x, task, &x->out);
	}
	for (uint32_t i = 0; i < t->n_out; i++)
		add_name(x, dr_graph_outputs(x->pl->graph, task)[i], target);
}

static void
add_files(struct dr_exporter *x, const uint32_t *files, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		add_name(x, files[i], false);
}

/* What it is called, for people, in x->text. */
static void
put_task_name(struct dr_exporter *x, uint32_t task)
{
	dr_buf_reset(&x->name);
	dr_buf_reset(&x->text);
	dr_plan_task_name(x->pl, task, &x->name);
	dr_buf_escape(&x->text, dr_buf_str(&x->name));
	x->out.failed |= x->name.failed || x->text.failed;
}

static int
add_make_rule(struct dr_exporter *x, uint32_t task)
{
	const struct dr_task *t = &x->pl->graph->tasks[task];

	if (dr_export_recipe(x, task))
		return -1;
	dr_buf_addc(&x->out, '\n');
	add_targets(x, task, true);
	dr_buf_adds(&x->out, t->n_out > 1 ? " &:" : ":");
	add_files(x, dr_graph_inputs(x->pl->graph, task), t->n_in + t->n_uses);
	/* make would print all of the recipe. */
	put_task_name(x, task);
	dr_buf_reset(&x->name);
	dr_buf_quote(&x->name, dr_buf_str(&x->text));
	dr_buf_adds(&x->out, "\n\t@printf '%s\\n' ");
	dr_export_text(dr_buf_str(&x->name), &x->out);
	dr_buf_adds(&x->out, "; ");
	dr_export_text(dr_buf_str(&x->recipe), &x->out);
	dr_buf_addc(&x->out, '\n');
	x->out.failed |= x->name.failed;
	return flush(x, FULL);
}

static int
add_ninja_rule(struct dr_exporter *x, uint32_t task)
{
	const struct dr_task *t = &x->pl->graph->tasks[task];
	const struct dr_stage *st = dr_plan_stage(x->pl, task);

	if (dr_export_recipe(x, task))
		return -1;
	dr_buf_adds(&x->out, "\nbuild");
	add_targets(x, task, true);
	dr_buf_adds(&x->out, ": run");
	add_files(x, dr_graph_inputs(x->pl->graph, task), t->n_in);
	if (t->n_uses)
		dr_buf_adds(&x->out, " |");
	add_files(x, dr_graph_uses(x->pl->graph, task), t->n_uses);
	dr_buf_adds(&x->out, "\n  do = ");
	dr_export_text(dr_buf_str(&x->recipe), &x->out);
	dr_buf_adds(&x->out, "\n  name = ");
	put_task_name(x, task);
	dr_export_text(dr_buf_str(&x->text), &x->out);
	if (st->pool)
		dr_buf_addf(&x->out, "\n  pool = pool%" PRIu32, st->pool);
	dr_buf_addc(&x->out, '\n');
	return flush(x, FULL);
}

static void
add_comments(struct dr_exporter *x)
{
	const struct dr_buf *n = x->o->notices;

	dr_buf_addf(&x->out,
		    "# Made by dagrun --export=%s: the plan as it was then, rows and all. Run it where the Dagfile is%s.\n", tool(x),
		    x->o->format == DR_EXPORT_MAKE ? ",\n# with GNU make, 4.3 or newer" : "");
	for (size_t at = 0; at < n->n;) {
		const char *end = memchr(n->p + at, '\n', n->n - at);
		size_t to = end ? (size_t)(end - n->p) : n->n;

		dr_buf_adds(&x->out, "# ");
		dr_buf_add(&x->out, n->p + at, to - at);
		dr_buf_addc(&x->out, '\n');
		at = to + 1;
	}
	dr_buf_addc(&x->out, '\n');
}

/* A name for what makes everything that no file of the plan has. */
static void
find_goal(struct dr_exporter *x)
{
	dr_buf_reset(&x->text);
	dr_buf_adds(&x->text, "all");
	while (!x->text.failed && dr_graph_find(x->pl->graph, dr_buf_str(&x->text)) != DR_NONE)
		dr_buf_adds(&x->text, "-all");
	x->out.failed |= x->text.failed;
}

static int
write_make(struct dr_exporter *x)
{
	const struct dr_graph *g = x->pl->graph;

	add_comments(x);
	find_goal(x);
	dr_buf_addf(&x->out,
		    "SHELL := /bin/sh\n.SHELLFLAGS := -c\nMAKEFLAGS += -rR\n.SUFFIXES:\n"
		    "dr_equals := =\ndr_and := &\ndr_backslash := $(subst /,\\,/)\n\n"
		    ".DEFAULT_GOAL := %s\n.PHONY: %s\n%s:",
		    dr_buf_cstr(&x->text), dr_buf_cstr(&x->text), dr_buf_cstr(&x->text));
	for (uint32_t i = 0; i < x->pl->n_targets; i++)
		add_targets(x, x->pl->targets[i], false);
	dr_buf_addc(&x->out, '\n');
	for (uint32_t t = 0; t < g->n_tasks; t++)
		if (wanted(x, t) && add_make_rule(x, t))
			return -1;
	return flush(x, 0);
}

static int
write_ninja(struct dr_exporter *x)
{
	const struct dr_graph *g = x->pl->graph;
	const struct dr_pipeline *p = x->pl->pipeline;

	add_comments(x);
	dr_buf_adds(&x->out, "ninja_required_version = 1.3\ndr_bar = |\n");
	for (uint32_t i = 0; i < p->n_pools; i++)
		dr_buf_addf(&x->out, "pool pool%" PRIu32 "\n  depth = %" PRIu32 "\n", i + 1, p->pools[i].limit);
	dr_buf_adds(&x->out, "rule run\n  command = $do\n  description = $name\n");
	for (uint32_t t = 0; t < g->n_tasks; t++)
		if (wanted(x, t) && add_ninja_rule(x, t))
			return -1;
	dr_buf_adds(&x->out, x->pl->n_targets ? "\ndefault" : "");
	for (uint32_t i = 0; i < x->pl->n_targets; i++)
		add_targets(x, x->pl->targets[i], false);
	dr_buf_addc(&x->out, '\n');
	return flush(x, 0);
}

int
dr_export(const struct dr_plan *pl, const struct dr_export_options *o, struct dr_err *err)
{
	struct dr_graph_json_options json = { .commands = true, .flush = o->flush, .arg = o->arg };
	struct dr_exporter x = { .pl = pl, .o = o, .err = err };
	int rc;

	if (o->format == DR_EXPORT_JSON)
		return dr_graph_json(pl, &json, err);
	rc = check(&x);
	if (rc == 0) {
		tell_keys(&x);
		rc = o->format == DR_EXPORT_MAKE ? write_make(&x) : write_ninja(&x);
	}
	if (rc == 0 && o->notices->failed)
		rc = dr_err_nomem(err);
	dr_buf_free(&x.out);
	dr_buf_free(&x.recipe);
	dr_buf_free(&x.name);
	dr_buf_free(&x.text);
	dr_arena_free(&x.arena);
	return rc;
}
