#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "err.h"
#include "lex.h"
#include "plan-build.h"

/* Could the two templates give one path? Their fixed beginnings and ends decide; what stands between is taken for anything. */
static struct dr_str
fixed_head(const struct dr_template *t)
{
	const struct dr_piece *p = t->pieces;

	return t->n && (p->kind == DR_PH_TEXT || p->kind == DR_PH_LET) && !p->n_mods ? p->text : (struct dr_str){ "", 0 };
}

static struct dr_str
fixed_tail(const struct dr_template *t)
{
	const struct dr_piece *p = t->n ? &t->pieces[t->n - 1] : NULL;

	return p && (p->kind == DR_PH_TEXT || p->kind == DR_PH_LET) && !p->n_mods ? p->text : (struct dr_str){ "", 0 };
}

/* './' in front says nothing. */
static struct dr_str
skip_dot(struct dr_str s)
{
	while (s.n >= 2 && s.p[0] == '.' && s.p[1] == '/') {
		s.p += 2;
		s.n -= 2;
	}
	return s;
}

static bool
may_meet(const struct dr_template *a, const struct dr_template *b)
{
	struct dr_str ha = skip_dot(fixed_head(a)), hb = skip_dot(fixed_head(b));
	struct dr_str ta = fixed_tail(a), tb = fixed_tail(b);
	size_t head = ha.n < hb.n ? ha.n : hb.n, tail = ta.n < tb.n ? ta.n : tb.n;

	/* Only what is spelt plainly can be compared; 'a//b' and 'a/./b' are taken for anything. */
	for (size_t i = 0; i < head; i++)
		if (ha.p[i] != hb.p[i])
			return ha.p[i] == '/' || hb.p[i] == '/' || ha.p[i] == '.' || hb.p[i] == '.';
	return memcmp(ta.p + ta.n - tail, tb.p + tb.n - tail, tail) == 0;
}

static bool
may_make(const struct dr_stage *st, const struct dr_template *path)
{
	for (uint32_t i = 0; i < st->n_outputs; i++)
		if (may_meet(&st->outputs[i].path, path))
			return true;
	return false;
}

/* Stages still to look at: a stack, each at most once on it. */
struct needs {
	struct dr_plan *pl;
	uint32_t *todo, n;
};

static void
need(struct needs *w, uint32_t stage)
{
	if (stage == DR_NONE || w->pl->stages[stage].planned)
		return;
	w->pl->stages[stage].planned = true;
	w->todo[w->n++] = stage;
}

static void
need_path(struct needs *w, const struct dr_template *path)
{
	for (uint32_t s = 0; s < w->pl->pipeline->n_stages; s++)
		if (!w->pl->stages[s].planned && may_make(&w->pl->pipeline->stages[s], path))
			need(w, s);
}

static void
need_refs(struct needs *w, const struct dr_ref *refs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (refs[i].stage != DR_NONE)
			need(w, refs[i].stage);
		else
			need_path(w, &refs[i].path);
	}
}

static uint32_t
stage_named(const struct dr_pipeline *p, struct dr_str name)
{
	for (uint32_t s = 0; s < p->n_stages; s++)
		if (dr_str_eq(p->stages[s].name, name))
			return s;
	return DR_NONE;
}

/* The stage of STAGE or STAGE:ROW; *row is what stands behind the colon (p NULL: none). */
static uint32_t
target_stage(const struct dr_pipeline *p, const char *target, struct dr_str *row)
{
	const char *colon = strchr(target, ':');

	*row = (struct dr_str){ NULL, 0 };
	if (!colon)
		return stage_named(p, dr_str(target));
	*row = dr_str(colon + 1);
	return stage_named(p, (struct dr_str){ target, (size_t)(colon - target) });
}

static void
need_target(struct needs *w, const char *target)
{
	struct dr_str row;
	uint32_t s = target_stage(w->pl->pipeline, target, &row);
	struct dr_piece piece = { .kind = DR_PH_TEXT, .text = dr_str(target) };
	struct dr_template path = { .pieces = &piece, .n = 1 };

	if (s != DR_NONE)
		need(w, s);
	else
		need_path(w, &path);
}

/* Without targets and defaults: every stage that no other stage reads. */
static int
need_ends(struct needs *w, struct dr_err *err)
{
	const struct dr_pipeline *p = w->pl->pipeline;
	bool *read = calloc((size_t)p->n_stages + 1, sizeof(*read));

	if (!read)
		return dr_err_nomem(err);
	for (uint32_t s = 0; s < p->n_stages; s++) {
		const struct dr_stage *st = &p->stages[s];

		if (st->each_stage != DR_NONE)
			read[st->each_stage] = true;
		for (uint32_t i = 0; i < st->n_inputs; i++)
			for (uint32_t k = 0; k < st->inputs[i].n_refs; k++)
				if (st->inputs[i].refs[k].stage != DR_NONE)
					read[st->inputs[i].refs[k].stage] = true;
		for (uint32_t i = 0; i < st->n_uses; i++)
			if (st->uses[i].stage != DR_NONE)
				read[st->uses[i].stage] = true;
	}
	for (uint32_t s = 0; s < p->n_stages; s++)
		if (!read[s])
			need(w, s);
	free(read);
	return 0;
}

/* What the stages on the stack need, and what that needs. */
static void
need_all(struct needs *w)
{
	while (w->n) {
		const struct dr_stage *st = &w->pl->pipeline->stages[w->todo[--w->n]];

		need(w, st->each_stage);
		for (uint32_t i = 0; i < st->n_inputs; i++)
			need_refs(w, st->inputs[i].refs, st->inputs[i].n_refs);
		need_refs(w, st->uses, st->n_uses);
	}
}

int
dr_plan_needed_stages(struct dr_plan *pl, struct dr_err *err)
{
	const struct dr_pipeline *p = pl->pipeline;
	struct needs w = { .pl = pl, .todo = calloc((size_t)p->n_stages + 1, sizeof(uint32_t)) };
	bool everything = !pl->options.n_targets && !p->n_defaults;
	int rc = w.todo ? 0 : dr_err_nomem(err);

	for (uint32_t i = 0; rc == 0 && i < pl->options.n_targets; i++)
		need_target(&w, pl->options.targets[i]);
	if (rc == 0 && !pl->options.n_targets)
		need_refs(&w, p->defaults, p->n_defaults);
	if (rc == 0 && everything)
		rc = need_ends(&w, err);
	if (rc == 0)
		need_all(&w);
	/* Who is left now is read by others that are left: a circle, which is told when it is planned. */
	for (uint32_t s = 0; rc == 0 && everything && s < p->n_stages; s++) {
		need(&w, s);
		need_all(&w);
	}
	free(w.todo);
	return rc;
}

static int
add_target(struct dr_plan *pl, uint32_t task, struct dr_err *err)
{
	if (dr_grow(&pl->targets, &pl->cap_targets, (size_t)pl->n_targets + 1, sizeof(*pl->targets)))
		return dr_err_nomem(err);
	pl->targets[pl->n_targets++] = task;
	return 0;
}

static int
add_stage(struct dr_plan *pl, uint32_t stage, struct dr_err *err)
{
	uint32_t n = dr_plan_stage_rows(pl, stage);

	for (uint32_t i = 0; i < n; i++)
		if (add_target(pl, dr_plan_stage_row(pl, stage, i), err))
			return -1;
	return 0;
}

/* STAGE:ROW, by the text of the row. */
static int
add_row(struct dr_plan *pl, uint32_t stage, struct dr_str row, const char *target, struct dr_diags *diags,
	struct dr_err *err)
{
	uint32_t rows = dr_plan_stage_rows(pl, stage);
	struct dr_buf text = { 0 };
	uint32_t found = 0;
	int rc = 0;

	for (uint32_t i = 0; i < rows && rc == 0; i++) {
		dr_buf_reset(&text);
		if (!dr_plan_row_name(pl, stage, i, "", &text))
			break;
		if (!dr_str_eq(dr_buf_str(&text), row))
			continue;
		rc = add_target(pl, dr_plan_stage_row(pl, stage, i), err);
		found++;
	}
	if (rc == 0 && !found) {
		dr_diag_add(diags, NULL, 0, 0, NULL, 0, "no target '%s': stage '%.*s' has no such row", target,
			    (int)pl->pipeline->stages[stage].name.n, pl->pipeline->stages[stage].name.p);
		rc = -1;
	}
	dr_buf_free(&text);
	return rc;
}

/* In *near what of both is nearer to the word, if either is near. */
static void
take_nearer(struct dr_str word, struct dr_buf *near, struct dr_buf *other)
{
	const char *both[2] = { dr_buf_cstr(near), dr_buf_cstr(other) };
	size_t n = near->n ? 2 : 1;

	if (other->failed || dr_nearest(word, both + 2 - n, n) != both[1])
		return;
	dr_buf_reset(near);
	dr_buf_addstr(near, dr_buf_str(other));
}

/* pos: where it is asked for, or of line 0: on the command line. */
static void
tell_unknown(struct dr_plan *pl, const char *target, struct dr_pos pos, struct dr_diags *diags)
{
	const struct dr_graph *g = pl->graph;
	struct dr_buf near = { 0 }, other = { 0 };

	for (uint32_t s = 0; s < pl->pipeline->n_stages; s++) {
		dr_buf_reset(&other);
		dr_buf_addstr(&other, pl->pipeline->stages[s].name);
		take_nearer(dr_str(target), &near, &other);
	}
	/* Stages that could not make it are not planned, but what they make may be plain to see. */
	for (uint32_t s = 0; s < pl->pipeline->n_stages; s++) {
		const struct dr_stage *st = &pl->pipeline->stages[s];

		for (uint32_t k = 0; k < st->n_outputs; k++) {
			if (!dr_template_constant(&st->outputs[k].path))
				continue;
			dr_buf_reset(&other);
			dr_template_text(&st->outputs[k].path, &other);
			take_nearer(dr_str(target), &near, &other);
		}
	}
	for (uint32_t f = 0; f < g->n_files; f++) {
		if (g->files[f].producer == DR_NONE)
			continue;
		dr_buf_reset(&other);
		dr_graph_path(g, f, &other);
		take_nearer(dr_str(target), &near, &other);
	}
	dr_lex_error(pl->pipeline, diags, pos, "no stage makes '%s'%s%s%s", target, near.n ? "; did you mean '" : "",
		     near.n ? dr_buf_cstr(&near) : "", near.n ? "'?" : "");
	dr_buf_free(&near);
	dr_buf_free(&other);
}

/* A path: of an output of ours. One that nobody makes is told when files are looked at, for it may just be there. */
static int
add_path(struct dr_plan *pl, const char *target, struct dr_pos pos, struct dr_diags *diags, struct dr_err *err)
{
	struct dr_buf path = { 0 };
	uint32_t file = DR_NONE, producer = DR_NONE;

	if (dr_path_normal(dr_str(target), &path) == 0 && !path.failed)
		file = dr_graph_find(pl->graph, dr_buf_str(&path));
	dr_buf_free(&path);
	if (file != DR_NONE)
		producer = pl->graph->files[file].producer;
	if (producer != DR_NONE)
		return add_target(pl, producer, err);
	tell_unknown(pl, target, pos, diags);
	return -1;
}

static int
add_defaults(struct dr_plan *pl, struct dr_diags *diags, struct dr_err *err)
{
	const struct dr_pipeline *p = pl->pipeline;
	struct dr_buf text = { 0 };
	int rc = 0;

	for (uint32_t i = 0; i < p->n_defaults; i++) {
		if (p->defaults[i].stage != DR_NONE) {
			rc |= add_stage(pl, p->defaults[i].stage, err);
			continue;
		}
		dr_buf_reset(&text);
		for (uint32_t k = 0; k < p->defaults[i].path.n; k++)
			dr_buf_addstr(&text, p->defaults[i].path.pieces[k].text);
		rc |= text.failed ? dr_err_nomem(err)
				  : add_path(pl, dr_buf_cstr(&text), p->defaults[i].path.pieces[0].pos, diags, err);
	}
	dr_buf_free(&text);
	return rc;
}

/* Every planned stage that no planned stage reads. */
static int
add_ends(struct dr_plan *pl, struct dr_err *err)
{
	struct dr_graph *g = pl->graph;

	for (uint32_t t = 0; t < g->n_tasks; t++) {
		const uint32_t *out = dr_graph_outputs(g, t);
		bool read = false;

		for (uint32_t k = 0; k < g->tasks[t].n_out && !read; k++)
			read = g->first_consumer[out[k]] < g->first_consumer[out[k] + 1];
		if (!read && add_target(pl, t, err))
			return -1;
	}
	return 0;
}

int
dr_plan_resolve_targets(struct dr_plan *pl, struct dr_diags *diags, struct dr_err *err)
{
	int rc = 0;

	if (!pl->options.n_targets)
		return pl->pipeline->n_defaults ? add_defaults(pl, diags, err) : add_ends(pl, err);
	for (uint32_t i = 0; i < pl->options.n_targets; i++) {
		const char *target = pl->options.targets[i];
		struct dr_str row;
		uint32_t s = target_stage(pl->pipeline, target, &row);

		if (s == DR_NONE)
			rc |= add_path(pl, target, (struct dr_pos){ 0 }, diags, err);
		else if (row.p)
			rc |= add_row(pl, s, row, target, diags, err);
		else
			rc |= add_stage(pl, s, err);
	}
	return rc;
}
