#include "config.h"

#include "plan-values.h"

#include <inttypes.h>
#include <string.h>

#include "err.h"
#include "hash.h"

enum { NAME_MAX_BYTES = 255 };

static const char temp_prefix[] = ".dagrun-";
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
	dr_buf_addf(out, "%s%016" PRIx64 "-", temp_prefix, id.lo);
	if (name.n > NAME_MAX_BYTES - TEMP_HEAD) {
		/* The head tells a person which file it is, the tail a program which kind; their hash tells two files of
		 * one task apart whose names differ only in between. */
		size_t room = NAME_MAX_BYTES - TEMP_HEAD - TEMP_ID, half = room / 2;

		dr_buf_add(out, name.p, half);
		dr_buf_addf(out, "%016" PRIx64, dr_hash64(name.p, name.n));
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

/* How many files the refs of one input are. */
static uint32_t
ref_files(const struct dr_plan *pl, const struct dr_input *in)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < in->n_refs; i++)
		n += in->refs[i].stage == DR_NONE ? 1 : dr_plan_stage_rows(pl, in->refs[i].stage);
	return n;
}

/* Which of a task's inputs the piece means: *first and the number. Inputs stand in this order: the row's file or the files to merge,
 * then the stage's inputs as written (`in` is the first of these where there is one). */
static uint32_t
input_range(const struct dr_task_values *tv, const struct dr_piece *p, uint32_t *first)
{
	const struct dr_plan *pl = tv->plan;
	const struct dr_stage *st = dr_plan_stage(pl, tv->task);
	uint32_t named = 0, n;

	for (uint32_t i = 0; i < st->n_inputs; i++)
		named += ref_files(pl, &st->inputs[i]);
	*first = 0;
	n = pl->graph->tasks[tv->task].n_in - named; /* rows that are files, or what is merged */
	if (p->kind == DR_PH_IN)
		return n ? n : st->n_inputs && !st->inputs[0].name.n ? ref_files(pl, &st->inputs[0]) : 0;
	*first = n;
	for (uint32_t i = 0; i < p->index; i++)
		*first += ref_files(pl, &st->inputs[i]);
	return ref_files(pl, &st->inputs[p->index]);
}

static uint32_t
count(void *ctx, const struct dr_piece *p)
{
	uint32_t first;

	return p->kind == DR_PH_IN || p->kind == DR_PH_IN_NAME ? input_range(ctx, p, &first) : 1;
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

static int
get(void *ctx, const struct dr_piece *p, uint32_t i, struct dr_buf *buf, struct dr_err *err)
{
	const struct dr_task_values *tv = ctx;
	const struct dr_plan *pl = tv->plan;
	const struct dr_task *t = &pl->graph->tasks[tv->task];
	uint32_t items = pl->stages[t->stage].items, first;

	switch (p->kind) {
	case DR_PH_IN:
	case DR_PH_IN_NAME:
		input_range(tv, p, &first);
		dr_graph_path(pl->graph, dr_graph_inputs(pl->graph, tv->task)[first + i], buf);
		return 0;
	case DR_PH_OUT:
		return get_output(tv, 0, buf);
	case DR_PH_OUT_NAME:
		return get_output(tv, p->index, buf);
	case DR_PH_ARG:
		if (items == DR_NONE)
			return dr_err_set(err, DR_USAGE, "{arg} has no value here: there are no rows after a merge");
		dr_items_row(pl->items[items], t->row, buf);
		return 0;
	case DR_PH_TMP:
		dr_buf_adds(buf, tv->tmp ? tv->tmp : "");
		return 0;
	case DR_PH_SLOTS:
		dr_buf_addf(buf, "%" PRIu32, tv->slots);
		return 0;
	case DR_PH_SLOT:
		dr_buf_addf(buf, "%" PRIu32, tv->slot);
		return 0;
	case DR_PH_INDEX:
		dr_buf_addf(buf, "%" PRIu32, t->row + 1);
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
