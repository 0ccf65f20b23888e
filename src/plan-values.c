#include "config.h"

#include "plan-values.h"

#include <inttypes.h>
#include <string.h>

#include "err.h"
#include "hash.h"
#include "plan-builder.h"

enum { NAME_MAX_BYTES = 255 };

static const char temp_prefix[] = DR_TEMP_PREFIX;
enum { TEMP_PREFIX = sizeof(temp_prefix) - 1, TEMP_ID = 16, TEMP_HEAD = TEMP_PREFIX + TEMP_ID + 1 };

void
dr_temp_name(struct dr_hash128 id, struct dr_str path, struct dr_buf *out)
{
	size_t dir = path.n;
	struct dr_str name;

	while (dir && path.p[dir - 1] != '/')
		dir--;
	name = (struct dr_str){ path.p + dir, path.n - dir };
	dr_buf_add(out, path.p, dir);
	dr_buf_add(out, temp_prefix, TEMP_PREFIX);
	dr_buf_addx(out, id.lo, TEMP_ID);
	dr_buf_addc(out, '-');
	if (name.n > NAME_MAX_BYTES - TEMP_HEAD) {
		/* The head tells a person which file it is, the tail a program which kind; their hash tells two files of
		 * one task apart whose names differ only in between. */
		size_t room = NAME_MAX_BYTES - TEMP_HEAD - TEMP_ID, half = room / 2;

		dr_buf_add(out, name.p, half);
		dr_buf_addx(out, dr_hash64(name.p, name.n), TEMP_ID);
		name.p += name.n - (room - half);
		name.n = room - half;
	}
	dr_buf_addstr(out, name);
}

bool
dr_temp_name_id(struct dr_str name, uint64_t *id_lo)
{
	uint64_t id = 0;

	if (name.n <= TEMP_HEAD || memcmp(name.p, temp_prefix, TEMP_PREFIX) != 0 || name.p[TEMP_HEAD - 1] != '-')
		return false;
	for (size_t i = TEMP_PREFIX; i < TEMP_HEAD - 1; i++) {
		const char *digits = "0123456789abcdef", *d = memchr(digits, name.p[i], 16);

		if (!d)
			return false;
		id = id << 4 | (uint64_t)(d - digits);
	}
	*id_lo = id;
	return true;
}

/* Which of a task's inputs the piece means: *first and the number. Inputs stand in this order: the row's file or the files to merge,
 * then the stage's inputs as written (`in` is the first of these where there is one). */
uint32_t
dr_plan_input(const struct dr_plan *pl, uint32_t task, uint32_t index, uint32_t *first)
{
	const struct dr_stage *st = dr_plan_stage(pl, task);
	uint32_t named = 0, asked = 0, n;

	for (uint32_t i = 0; i < st->n_inputs; i++) {
		named += dr_plan_count_input(pl, &st->inputs[i], 0);
		asked += st->inputs[i].asked;
	}
	*first = 0;
	/* Rows that are files, or what is merged; each comes once more for every input that stands beside it. */
	n = (pl->graph->tasks[task].n_in - named) / (1 + asked);
	if (index == DR_NONE)
		return n ? n : st->n_inputs && !st->inputs[0].name.n ? dr_plan_count_input(pl, &st->inputs[0], 0) : 0;
	*first = n;
	for (uint32_t i = 0; i < index; i++)
		*first += dr_plan_count_input(pl, &st->inputs[i], n);
	return dr_plan_count_input(pl, &st->inputs[index], n);
}

/* How many values the row of a task is; *first: the first of them. */
static uint32_t
row_values(const struct dr_task_values *tv, uint32_t *first)
{
	const struct dr_plan *pl = tv->plan;
	const struct dr_task *t = &pl->graph->tasks[tv->task];
	uint32_t items = pl->stages[t->stage].items;

	*first = t->row;
	return items == DR_NONE ? 1 : dr_items_row_values(pl->items[items], t->row, first);
}

static uint32_t
count(void *ctx, const struct dr_piece *p)
{
	const struct dr_task_values *tv = ctx;
	const uint32_t *in = dr_graph_inputs(tv->plan->graph, tv->task);
	uint32_t first, n, there = 0;

	if (p->kind == DR_PH_ARG || p->kind == DR_PH_COLUMN)
		return row_values(tv, &first);
	if (p->kind != DR_PH_IN && p->kind != DR_PH_IN_NAME && !dr_piece_is_list(p))
		return 1;
	n = dr_plan_input(tv->plan, tv->task, p->kind == DR_PH_IN ? DR_NONE : p->index, &first);
	if (!dr_plan_stage(tv->plan, tv->task)->missing_ok)
		return n;
	for (uint32_t i = 0; i < n; i++)
		there += !dr_plan_missing(tv->plan, tv->task, in[first + i]);
	return there;
}

/* The i-th file of an input, without those that are missing. Asked one after the other, as these mostly are, each costs a step. */
static uint32_t
input_file(struct dr_task_values *tv, const struct dr_piece *p, uint32_t i)
{
	const uint32_t *in = dr_graph_inputs(tv->plan->graph, tv->task);
	uint32_t first;

	dr_plan_input(tv->plan, tv->task, p->kind == DR_PH_IN ? DR_NONE : p->index, &first);
	if (!dr_plan_stage(tv->plan, tv->task)->missing_ok)
		return in[first + i];
	if (tv->last.first != first || tv->last.i > i) {
		tv->last.first = first;
		tv->last.i = tv->last.at = 0;
	}
	for (;; tv->last.at++) {
		if (dr_plan_missing(tv->plan, tv->task, in[first + tv->last.at]))
			continue;
		if (tv->last.i == i)
			return in[first + tv->last.at];
		tv->last.i++;
	}
}

static int
get_output(const struct dr_task_values *tv, uint32_t index, struct dr_buf *buf)
{
	const struct dr_graph *g = tv->plan->graph;
	uint32_t file = dr_graph_outputs(g, tv->task)[index];
	struct dr_str name = dr_graph_name(g, file);

	dr_buf_addstr(buf, dr_graph_dir(g, g->files[file].dir));
	if (tv->temporary)
		dr_temp_name(g->tasks[tv->task].id, name, buf);
	else
		dr_buf_addstr(buf, name);
	return 0;
}

/* {arg} and columns. */
static int
get_row(const struct dr_task_values *tv, const struct dr_piece *p, uint32_t i, struct dr_buf *buf, struct dr_err *err)
{
	const struct dr_plan *pl = tv->plan;
	const struct dr_task *t = &pl->graph->tasks[tv->task];
	uint32_t items = pl->stages[t->stage].items, first, node;
	const struct dr_plan_tree *tree = dr_plan_tree(pl, tv->task, &node);

	row_values(tv, &first);
	if (items == DR_NONE && p->kind == DR_PH_ARG)
		return dr_err_set(err, DR_USAGE, "{arg} has no value here: there are no rows after a merge");
	if (items == DR_NONE)
		dr_plan_row_column(pl, t->stage, tree ? tree->row : t->row, p->index, buf);
	else if (p->kind == DR_PH_ARG)
		dr_items_value(pl->items[items], first + i, buf);
	else
		dr_items_value_column(pl->items[items], first + i, p->index, buf);
	return 0;
}

static int
get(void *ctx, const struct dr_piece *p, uint32_t i, struct dr_buf *buf, struct dr_err *err)
{
	struct dr_task_values *tv = ctx;
	const struct dr_plan *pl = tv->plan;
	const struct dr_task *t = &pl->graph->tasks[tv->task];

	switch (p->kind) {
	case DR_PH_IN:
	case DR_PH_IN_NAME:
		dr_graph_path(pl->graph, input_file(tv, p, i), buf);
		return 0;
	case DR_PH_OUT:
		return get_output(tv, 0, buf);
	case DR_PH_OUT_NAME:
		return get_output(tv, p->index, buf);
	case DR_PH_ARG:
	case DR_PH_COLUMN:
		return get_row(tv, p, i, buf, err);
	case DR_PH_LIST:
	case DR_PH_LIST0:
		dr_list_name(tv, p, buf);
		return 0;
	case DR_PH_TMP:
		dr_buf_adds(buf, tv->tmp ? tv->tmp : "");
		return 0;
	case DR_PH_MEMORY:
		dr_buf_addstr(buf, pl->pipeline->stages[t->stage].memory_text);
		return 0;
	case DR_PH_SLOTS:
		dr_buf_addf(buf, "%" PRIu32, tv->slots);
		return 0;
	case DR_PH_SLOT:
		dr_buf_addf(buf, "%" PRIu32, tv->slot);
		return 0;
	case DR_PH_INDEX:
		dr_buf_addu(buf, t->row + 1);
		return 0;
	case DR_PH_ATTEMPT:
		dr_buf_addf(buf, "%" PRIu32, tv->attempt);
		return 0;
	default:
		dr_buf_addstr(buf, p->text);
		return 0;
	}
}

void
dr_list_name(const struct dr_task_values *tv, const struct dr_piece *p, struct dr_buf *out)
{
	const struct dr_stage *st = dr_plan_stage(tv->plan, tv->task);

	dr_buf_addf(out, "%s/%s", tv->tmp ? tv->tmp : "", p->kind == DR_PH_LIST ? "list" : "list0");
	if (p->index != DR_NONE) {
		dr_buf_addc(out, '.');
		dr_buf_addstr(out, st->inputs[p->index].name);
	}
}

int
dr_list_text(struct dr_task_values *tv, const struct dr_piece *p, struct dr_buf *out, struct dr_err *err)
{
	uint32_t n = count(tv, p);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t file = input_file(tv, p, i);
		struct dr_str dir = dr_graph_dir(tv->plan->graph, tv->plan->graph->files[file].dir);
		struct dr_str name = dr_graph_name(tv->plan->graph, file);
		size_t from = out->n;

		if ((dir.n ? dir.p : name.p)[0] == '-') /* as where the command itself names it */
			dr_buf_adds(out, "./");
		dr_graph_path(tv->plan->graph, file, out);
		if (p->kind == DR_PH_LIST && out->n > from && memchr(out->p + from, '\n', out->n - from))
			return dr_err_set(err, DR_USAGE,
					  "a name has a newline in it, and {%.*s} has one a line: use {in:list0}",
					  (int)p->text.n, p->text.p);
		dr_buf_addc(out, p->kind == DR_PH_LIST ? '\n' : '\0');
	}
	return out->failed ? dr_err_nomem(err) : 0;
}

void
dr_task_values_init(struct dr_task_values *tv, const struct dr_plan *pl, uint32_t task)
{
	*tv = (struct dr_task_values){
		.v = { tv, count, get },
		.plan = pl,
		.task = task,
		.slots = dr_plan_stage(pl, task)->slots,
		.slot = 1,
		.attempt = 1,
	};
}

int
dr_task_command_hash(const struct dr_plan *pl, uint32_t task, struct dr_hasher *h, struct dr_buf *scratch,
		     struct dr_hash128 *out, struct dr_err *err)
{
	const struct dr_stage *st = dr_plan_stage(pl, task);
	struct dr_task_values tv;

	dr_task_values_init(&tv, pl, task);
	dr_hasher_reset(h);
	if (dr_command_hash(&st->run, &pl->pipeline->shell, &tv.v, h, scratch, err))
		return -1;
	for (uint32_t i = 0; i < st->n_env; i++) {
		dr_hasher_field(h, st->env[i].name.p, st->env[i].name.n);
		if (dr_template_hash(&st->env[i].value, &tv.v, h, scratch, err))
			return -1;
	}
	*out = dr_hasher_end(h);
	return 0;
}
