#include "config.h"

#include "graphout.h"

#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "json.h"
#include "plan-values.h"

enum { FULL = 1 << 16 };

struct writer {
	const struct dr_plan *pl;
	const struct dr_graph_json_options *o;
	struct dr_json json;
	struct dr_buf out, text;
	struct dr_arena arena;           /* of one command */
	uint32_t *task, *file;           /* the number that each is written with; DR_NONE: it is not */
	bool *stage;                     /* which of them are */
	struct dr_err *err;
};

static int
flush(struct writer *w, size_t least)
{
	if (w->out.failed || w->text.failed)
		return dr_err_nomem(w->err);
	return w->out.n >= least ? w->o->flush(w->o->arg, &w->out, w->err) : 0;
}

/* Only what is wanted has a number: a task behind those that it needs. */
static int
number(struct writer *w)
{
	const struct dr_graph *g = w->pl->graph;
	uint32_t n_tasks = 0, n_files = 0;

	w->task = malloc(((size_t)g->n_tasks + 1) * sizeof(*w->task));
	w->file = malloc(((size_t)g->n_files + 1) * sizeof(*w->file));
	w->stage = calloc((size_t)w->pl->pipeline->n_stages + 1, sizeof(*w->stage));
	if (!w->task || !w->file || !w->stage)
		return dr_err_nomem(w->err);
	for (uint32_t f = 0; f < g->n_files; f++)
		w->file[f] = DR_NONE;
	for (uint32_t k = 0; k < g->n_tasks; k++) {
		uint32_t t = g->order[k];
		const struct dr_task *task = &g->tasks[t];

		w->task[t] = DR_NONE;
		if (task->state == DR_UNWANTED)
			continue;
		w->task[t] = n_tasks++;
		w->stage[task->stage] = true;
		for (uint32_t i = 0; i < task->n_in + task->n_uses + task->n_out; i++)
			w->file[dr_graph_inputs(g, t)[i]] = 0;
	}
	for (uint32_t f = 0; f < g->n_files; f++)
		if (w->file[f] != DR_NONE)
			w->file[f] = n_files++;
	return 0;
}

/* 0: there is none. */
static void
add_number(struct writer *w, const char *key, uint32_t n)
{
	if (n)
		dr_json_uint(&w->json, key, n);
	else
		dr_json_null(&w->json, key);
}

static void
add_stages(struct writer *w)
{
	static const char *const kinds[DR_STAGE_KINDS] = {
		[DR_STAGE_MAP] = "map", [DR_STAGE_MERGE] = "merge", [DR_STAGE_TASK] = "task"
	};
	const struct dr_pipeline *p = w->pl->pipeline;

	dr_json_begin_list(&w->json, "stages");
	for (uint32_t s = 0; s < p->n_stages; s++) {
		const struct dr_plan_stage *ps = &w->pl->stages[s];

		if (!w->stage[s])
			continue;
		dr_json_begin(&w->json, NULL);
		dr_json_str(&w->json, "stage", p->stages[s].name);
		dr_json_word(&w->json, "kind", kinds[p->stages[s].kind]);
		add_number(w, "trees", ps->n_trees);
		add_number(w, "rounds", ps->n_rounds);
		add_number(w, "leaves", ps->n_leaves);
		dr_json_end(&w->json);
	}
	dr_json_end_list(&w->json);
}

static void
add_files(struct writer *w, const char *key, const uint32_t *files, uint32_t n)
{
	dr_json_begin_list(&w->json, key);
	for (uint32_t i = 0; i < n; i++)
		dr_json_uint(&w->json, NULL, w->file[files[i]]);
	dr_json_end_list(&w->json);
}

static void
add_redirects(struct writer *w, const struct dr_exec *e)
{
	static const char *const modes[] = {
		[DR_REDIRECT_READ] = "read", [DR_REDIRECT_WRITE] = "write", [DR_REDIRECT_APPEND] = "append"
	};

	dr_json_begin_list(&w->json, "redirects");
	for (uint32_t i = 0; i < e->n_redirects; i++) {
		const struct dr_exec_redirect *r = &e->redirects[i];

		dr_json_begin(&w->json, NULL);
		dr_json_int(&w->json, "fd", r->fd);
		if (r->kind == DR_REDIRECT_DUP) {
			dr_json_int(&w->json, "dup", r->dup_from);
		} else {
			dr_json_word(&w->json, "mode", modes[r->kind]);
			dr_json_word(&w->json, "file", r->path);
		}
		dr_json_end(&w->json);
	}
	dr_json_end_list(&w->json);
}

/* Where a task's {tmp} is said to be, if it has one: an empty directory while the command runs. */
static bool
put_tmp(const struct writer *w, uint32_t task, char *path, size_t size)
{
	const struct dr_stage *st = dr_plan_stage(w->pl, task);
	const struct dr_template *text = &st->run.text;
	bool has = dr_template_has(text, DR_PH_TMP) || dr_template_has(text, DR_PH_LIST) ||
		   dr_template_has(text, DR_PH_LIST0);
	char hex[33];

	for (uint32_t i = 0; i < st->n_env; i++)
		has = has || dr_template_has(&st->env[i].value, DR_PH_TMP);
	dr_hash128_hex(w->pl->graph->tasks[task].id, hex);
	snprintf(path, size, ".dagrun/tmp/%s", hex);
	return has;
}

/* Files that have to be in {tmp}: the names of the inputs. */
static int
add_lists(struct writer *w, struct dr_task_values *tv)
{
	const struct dr_template *text = &dr_plan_stage(w->pl, tv->task)->run.text;

	dr_json_begin_list(&w->json, "lists");
	for (uint32_t i = 0; i < text->n; i++) {
		const struct dr_piece *p = &text->pieces[i];

		if (p->kind != DR_PH_LIST && p->kind != DR_PH_LIST0)
			continue;
		dr_json_begin(&w->json, NULL);
		dr_buf_reset(&w->text);
		dr_list_name(tv, p, &w->text);
		dr_json_str(&w->json, "file", dr_buf_str(&w->text));
		dr_buf_reset(&w->text);
		if (dr_list_text(tv, p, &w->text, w->err))
			return -1;
		dr_json_str(&w->json, "text", dr_buf_str(&w->text));
		dr_json_end(&w->json);
	}
	dr_json_end_list(&w->json);
	return 0;
}

/* What the task runs, with the final names of its outputs. */
static int
add_command(struct writer *w, uint32_t task)
{
	const struct dr_stage *st = dr_plan_stage(w->pl, task);
	struct dr_task_values tv;
	struct dr_exec e;
	char tmp[64];

	dr_task_values_init(&tv, w->pl, task);
	if (put_tmp(w, task, tmp, sizeof(tmp))) {
		tv.tmp = tmp;
		dr_json_word(&w->json, "tmp", tmp);
		if (add_lists(w, &tv))
			return -1;
	}
	dr_arena_reset(&w->arena);
	if (dr_command_expand(&st->run, &w->pl->pipeline->shell, &tv.v, &w->arena, &e, w->err))
		return -1;
	dr_json_begin_list(&w->json, "argv");
	for (uint32_t i = 0; i < e.argc; i++)
		dr_json_str(&w->json, NULL, dr_str(e.argv[i]));
	dr_json_end_list(&w->json);
	if (e.n_redirects)
		add_redirects(w, &e);
	if (!st->n_env)
		return 0;
	dr_json_begin_list(&w->json, "env");
	for (uint32_t i = 0; i < st->n_env; i++) {
		dr_buf_reset(&w->text);
		dr_buf_addstr(&w->text, st->env[i].name);
		dr_buf_addc(&w->text, '=');
		if (dr_template_expand(&st->env[i].value, &tv.v, &w->text, w->err))
			return -1;
		dr_json_str(&w->json, NULL, dr_buf_str(&w->text));
	}
	dr_json_end_list(&w->json);
	return 0;
}

static int
add_task(struct writer *w, uint32_t task)
{
	/* That it could start is as far as a run has looked, and no concern of a reader's. */
	static const char *const states[DR_STATES] = {
		[DR_UNWANTED] = "unwanted", [DR_CLEAN] = "up_to_date", [DR_WAITING] = "waiting",
		[DR_READY] = "waiting",     [DR_RUNNING] = "running",  [DR_DONE] = "done",
		[DR_FAILED_TASK] = "failed", [DR_SKIPPED] = "not_run",
	};
	const struct dr_graph *g = w->pl->graph;
	const struct dr_task *t = &g->tasks[task];
	uint32_t round;

	dr_json_begin(&w->json, NULL);
	dr_buf_reset(&w->text);
	dr_plan_task_name(w->pl, task, &w->text);
	dr_json_str(&w->json, "task", dr_buf_str(&w->text));
	dr_json_str(&w->json, "stage", dr_plan_stage(w->pl, task)->name);
	dr_plan_inner(w->pl, task, &round);
	add_number(w, "round", round);
	dr_json_word(&w->json, "state", states[t->state]);
	if (t->last_ms)
		dr_json_seconds(&w->json, "last_seconds", (int64_t)t->last_ms * 1000000);
	else
		dr_json_null(&w->json, "last_seconds");
	add_files(w, "in", dr_graph_inputs(g, task), t->n_in);
	add_files(w, "uses", dr_graph_uses(g, task), t->n_uses);
	add_files(w, "out", dr_graph_outputs(g, task), t->n_out);
	if (w->o->commands && add_command(w, task))
		return -1;
	dr_json_end(&w->json);
	return flush(w, FULL);
}

static int
add_file(struct writer *w, uint32_t file)
{
	const struct dr_graph *g = w->pl->graph;
	const struct dr_file *f = &g->files[file];

	dr_buf_reset(&w->text);
	dr_graph_path(g, file, &w->text);
	dr_json_begin(&w->json, NULL);
	dr_json_str(&w->json, "path", dr_buf_str(&w->text));
	if (f->producer == DR_NONE)
		dr_json_null(&w->json, "made_by");
	else
		dr_json_uint(&w->json, "made_by", w->task[f->producer]);
	if (f->stamp.size < 0)
		dr_json_null(&w->json, "size");
	else
		dr_json_int(&w->json, "size", f->stamp.size);
	dr_json_bool(&w->json, "directory", f->flags & (DR_FILE_DIR | DR_FILE_TREE));
	dr_json_end(&w->json);
	return flush(w, FULL);
}

static int
write_all(struct writer *w)
{
	const struct dr_graph *g = w->pl->graph;

	dr_json_begin(&w->json, NULL);
	dr_json_uint(&w->json, "version", DR_JSON_VERSION);
	dr_json_word(&w->json, "kind", w->o->commands ? "export" : "graph");
	add_stages(w);
	dr_json_begin_list(&w->json, "tasks");
	for (uint32_t k = 0; k < g->n_tasks; k++)
		if (w->task[g->order[k]] != DR_NONE && add_task(w, g->order[k]))
			return -1;
	dr_json_end_list(&w->json);
	dr_json_begin_list(&w->json, "files");
	for (uint32_t f = 0; f < g->n_files; f++)
		if (w->file[f] != DR_NONE && add_file(w, f))
			return -1;
	dr_json_end_list(&w->json);
	dr_json_begin_list(&w->json, "targets");
	for (uint32_t i = 0; i < w->pl->n_targets; i++)
		dr_json_uint(&w->json, NULL, w->task[w->pl->targets[i]]);
	dr_json_end_list(&w->json);
	dr_json_end(&w->json);
	dr_buf_addc(&w->out, '\n');
	return flush(w, 0);
}

int
dr_graph_json(const struct dr_plan *pl, const struct dr_graph_json_options *o, struct dr_err *err)
{
	struct writer w = { .pl = pl, .o = o, .err = err };
	int rc;

	w.json.out = &w.out;
	rc = number(&w) || write_all(&w) ? -1 : 0;
	free(w.task);
	free(w.file);
	free(w.stage);
	dr_arena_free(&w.arena);
	dr_buf_free(&w.out);
	dr_buf_free(&w.text);
	return rc;
}
