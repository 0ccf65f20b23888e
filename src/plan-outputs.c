#include "config.h"

#include "plan-builder.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "err.h"
#include "lex.h"
#include "plan-build.h"
#include "plan-values.h"

enum { NAME_MAX_BYTES = 255 };

static int
note_clash(struct dr_plan *pl, uint32_t file, uint32_t task, struct dr_err *err)
{
	if (pl->n_clashes >= DR_DIAGS_MAX)
		return 0;
	if (dr_grow(&pl->clashes, &pl->cap_clashes, (size_t)pl->n_clashes + 1, sizeof(*pl->clashes)))
		return dr_err_nomem(err);
	pl->clashes[pl->n_clashes++] = (struct dr_plan_clash){ file, task };
	return 0;
}

/* The output `path` (in b->path) becomes the k-th of the task. */
static int
add_output(struct dr_builder *b, uint32_t task, uint32_t k)
{
	struct dr_graph *g = b->pl->graph;
	uint32_t file, other;

	if (dr_graph_file(g, dr_buf_str(&b->path), &file, b->err))
		return -1;
	dr_graph_outputs(g, task)[k] = file;
	if (dr_plan_stage(b->pl, task)->outputs[k].tree)
		g->files[file].flags |= DR_FILE_TREE;
	if (dr_graph_made(g, task, file, &other)) {
		/* Of two makers the one that does not read the file that it makes is taken at its word: the other's row is likely what the
		 * first one made, found by a glob. */
		if (g->tasks[other].n_in && *dr_graph_inputs(g, other) == file) {
			g->files[file].producer = task;
			task = other;
		}
		return note_clash(b->pl, file, task, b->err);
	}
	return 0;
}

static void
output_error(struct dr_builder *b, const struct dr_output *o, const char *problem)
{
	struct dr_buf shown = { 0 };

	if (!b->told) {
		dr_buf_escape(&shown, dr_buf_str(&b->text));
		dr_lex_error(b->pl->pipeline, b->diags, o->path.pos, "the output '%s' %s", dr_buf_cstr(&shown), problem);
		dr_buf_free(&shown);
	}
	b->told = true;
}

/* Is a path inside our own state? Only inner nodes of merges may be. */
static bool
in_state(struct dr_str path)
{
	static const char state[] = ".dagrun";
	size_t n = sizeof(state) - 1;

	return path.n >= n && !memcmp(path.p, state, n) && (path.n == n || path.p[n] == '/');
}

static bool
name_too_long(struct dr_str path)
{
	size_t n = 0;

	while (n < path.n && path.p[path.n - 1 - n] != '/')
		n++;
	return n > NAME_MAX_BYTES;
}

/* b->path from the k-th output's template. 1: told and left out. */
static int
output_path(struct dr_builder *b, uint32_t task, const struct dr_output *o)
{
	struct dr_task_values tv;

	dr_task_values_init(&tv, b->pl, task);
	dr_buf_reset(&b->text);
	dr_buf_reset(&b->path);
	if (dr_template_expand(&o->path, &tv.v, &b->text, b->err)) {
		if (b->err->code != DR_USAGE)
			return -1;
		output_error(b, o, b->err->msg);
		return 1;
	}
	if (dr_path_normal(dr_buf_str(&b->text), &b->path)) {
		output_error(b, o, "is empty or leaves the Dagfile's directory");
		return 1;
	}
	if (b->path.p[0] == '/' && !(o->path.n && o->path.pieces[0].text.n && o->path.pieces[0].text.p[0] == '/' &&
				     (o->path.pieces[0].kind == DR_PH_TEXT || o->path.pieces[0].kind == DR_PH_LET))) {
		output_error(b, o, "is absolute, which the Dagfile does not say");
		return 1;
	}
	if (in_state(dr_buf_str(&b->path))) {
		output_error(b, o, "lies in .dagrun, which is dagrun's own");
		return 1;
	}
	if (name_too_long(dr_buf_str(&b->path))) {
		output_error(b, o, "has a name of more than 255 bytes");
		return 1;
	}
	return b->path.failed || b->text.failed ? dr_err_nomem(b->err) : 0;
}

/* The identity of a task is that of what it makes. */
static int
set_id_by_outputs(struct dr_builder *b, uint32_t task)
{
	struct dr_graph *g = b->pl->graph;
	const uint32_t *out = dr_graph_outputs(g, task);

	dr_buf_reset(&b->id);
	for (uint32_t k = 0; k < g->tasks[task].n_out; k++) {
		dr_graph_path(g, out[k], &b->id);
		dr_buf_addc(&b->id, '\0');
	}
	g->tasks[task].id = dr_hash128(b->id.p, b->id.n);
	return b->id.failed ? dr_err_nomem(b->err) : 0;
}

/* A task without outputs is known by its stage, its command and its row. */
static int
set_id_by_command(struct dr_builder *b, struct dr_hasher *h, uint32_t task)
{
	struct dr_graph *g = b->pl->graph;
	struct dr_hash128 command;

	if (dr_task_command_hash(b->pl, task, h, &b->text, &command, b->err))
		return -1;
	dr_buf_reset(&b->id);
	dr_plan_task_label(b->pl, task, &b->id);
	dr_buf_addc(&b->id, '\0');
	dr_buf_add(&b->id, &command, sizeof(command));
	g->tasks[task].id = dr_hash128(b->id.p, b->id.n);
	return b->id.failed ? dr_err_nomem(b->err) : 0;
}

int
dr_plan_set_id(struct dr_builder *b, struct dr_hasher *h, uint32_t task)
{
	if (b->path.failed || b->text.failed)
		return dr_err_nomem(b->err);
	return b->pl->graph->tasks[task].n_out ? set_id_by_outputs(b, task) : set_id_by_command(b, h, task);
}

int
dr_plan_add_outputs(struct dr_builder *b, uint32_t task)
{
	const struct dr_stage *st = dr_plan_stage(b->pl, task);
	int rc;

	for (uint32_t k = 0; k < st->n_outputs; k++) {
		rc = output_path(b, task, &st->outputs[k]);
		if (rc < 0 || (rc == 0 && add_output(b, task, k)))
			return -1;
		if (rc > 0) { /* the task is a wreck already told of; it needs some file to point at */
			dr_buf_reset(&b->path);
			dr_buf_addf(&b->path, "/dev/null/%" PRIu32 ".%" PRIu32, task, k);
			if (add_output(b, task, k))
				return -1;
		}
	}
	return 0;
}

/* The extension of the final output, for tools look at it; none where it would leave no room for the hash. Lies in b->id. */
static struct dr_str
inner_extension(struct dr_builder *b, uint32_t task, const struct dr_output *o)
{
	enum { HEX = 32 };
	struct dr_task_values tv;
	struct dr_str ext;

	dr_task_values_init(&tv, b->pl, task);
	dr_buf_reset(&b->id);
	if (dr_template_expand(&o->path, &tv.v, &b->id, b->err))
		dr_buf_reset(&b->id); /* it is told where the root needs it */
	ext = dr_modify(dr_buf_str(&b->id), DR_MOD_EXT);
	if (HEX + 1 + o->name.n + ext.n > NAME_MAX_BYTES)
		ext.n = 0;
	return ext;
}

/* PART/HASH.ext, or PART/HASH.NAME.ext for a named output. */
static int
inner_path(struct dr_builder *b, const struct dr_stage *st, uint32_t task, const struct dr_output *o)
{
	const struct dr_plan *pl = b->pl;
	uint32_t node;
	const struct dr_plan_tree *tree = dr_plan_tree(pl, task, &node);
	char hex[33];

	dr_hash128_hex(dr_tree_name(&tree->tree, node, b->leaf_hash + tree->first_leaf), hex);
	dr_buf_reset(&b->path);
	dr_buf_reset(&b->text);
	if (st->part.n) {
		struct dr_task_values tv;

		dr_task_values_init(&tv, pl, task);
		if (dr_template_expand(&st->part, &tv.v, &b->text, b->err))
			return -1;
		if (dr_path_normal(dr_buf_str(&b->text), &b->path)) {
			output_error(b, o, "has its inner nodes outside the Dagfile's directory");
			dr_buf_reset(&b->path);
			dr_buf_adds(&b->path, "part");
		}
	} else {
		dr_buf_adds(&b->path, ".dagrun/parts/");
		dr_buf_addstr(&b->path, st->name);
	}
	dr_buf_addc(&b->path, '/');
	dr_buf_adds(&b->path, hex);
	if (o->name.n) {
		dr_buf_addc(&b->path, '.');
		dr_buf_addstr(&b->path, o->name);
	}
	dr_buf_addstr(&b->path, inner_extension(b, task, o));
	return b->path.failed || b->text.failed || b->id.failed ? dr_err_nomem(b->err) : 0;
}

int
dr_plan_add_inner_outputs(struct dr_builder *b, uint32_t task)
{
	const struct dr_stage *st = dr_plan_stage(b->pl, task);

	for (uint32_t k = 0; k < st->n_outputs; k++)
		if (inner_path(b, st, task, &st->outputs[k]) || add_output(b, task, k))
			return -1;
	return 0;
}

enum dr_own
dr_plan_own_row(const struct dr_plan *pl, uint32_t file)
{
	const struct dr_graph *g = pl->graph;
	uint32_t p = g->files[file].producer;

	if (g->files[file].flags & DR_FILE_MADE)
		return DR_OWN_MADE;
	if (p == DR_NONE)
		return DR_OWN_NOT;
	/* The row's file is the first input of a map. A merge has several: with its own among them, the others are what it is for. */
	if (!g->tasks[p].n_in || *dr_graph_inputs(g, p) != file)
		return DR_OWN_MADE;
	return dr_plan_stage(pl, p)->kind == DR_STAGE_MERGE && g->tasks[p].n_in > 1 ? DR_OWN_MADE : DR_OWN_SELF;
}

int
dr_plan_own_clashes(struct dr_plan *pl, struct dr_diags *diags, struct dr_err *err)
{
	struct dr_buf path = { 0 }, a = { 0 }, b = { 0 };
	bool failed = false;

	for (uint32_t i = 0; i < pl->n_clashes; i++) {
		const struct dr_plan_clash *c = &pl->clashes[i];

		dr_buf_reset(&path);
		dr_buf_reset(&a);
		dr_buf_reset(&b);
		dr_graph_path(pl->graph, c->file, &a);
		dr_buf_escape(&path, dr_buf_str(&a));
		dr_buf_reset(&a);
		dr_plan_task_label(pl, pl->graph->files[c->file].producer, &a);
		dr_plan_task_label(pl, c->task, &b);
		failed = failed || path.failed || a.failed || b.failed;
		if (c->task == pl->graph->files[c->file].producer)
			dr_lex_error(pl->pipeline, diags, dr_plan_stage(pl, c->task)->pos,
				     "%s names its output '%s' twice", dr_buf_cstr(&b), dr_buf_cstr(&path));
		else
			dr_lex_error(pl->pipeline, diags, dr_plan_stage(pl, c->task)->pos,
			     "two tasks make '%s': %s and %s", dr_buf_cstr(&path), dr_buf_cstr(&a), dr_buf_cstr(&b));
	}
	dr_buf_free(&path);
	dr_buf_free(&a);
	dr_buf_free(&b);
	if (failed)
		return dr_err_nomem(err);
	return pl->n_clashes ? -1 : 0;
}
