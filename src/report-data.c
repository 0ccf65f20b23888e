#include "config.h"

#include "report-private.h"

/* So that the run has no more than ten million units: what is finer no window shows, and it would cost
 * digits. */
static int64_t
unit_of(const struct dr_report_view *v)
{
	int64_t unit = 1000;

	while (v->now / unit > 10000000)
		unit *= 10;
	return unit;
}

/* Memory in steps of 64 kB, which is near enough. */
enum { MEMORY_KB = 64 };

struct columns {
	struct dr_column task, slot, start, took, result, how, status, tries, memory;
};

static void
add_try(const struct dr_report_view *v, struct columns *c, const struct dr_report_try *t, int64_t unit)
{
	int64_t start = t->start / unit;

	dr_column_add(&c->task, v->tree.place[t->task]);
	dr_column_add(&c->slot, t->slot);
	dr_column_add(&c->start, start);
	/* From both ends, so that it does not reach into the next one. */
	dr_column_add(&c->took, t->end / unit - start);
	dr_column_add(&c->result, t->result);
	dr_column_add(&c->how, t->how);
	dr_column_add(&c->status, t->status);
	dr_column_add(&c->tries, t->tries);
	dr_column_add(&c->memory, (t->peak_kb + MEMORY_KB - 1) / MEMORY_KB);
}

void
dr_report_data(struct dr_report_view *v)
{
	struct dr_json *j = &v->page.json;
	struct columns c = { 0 };
	int64_t unit = unit_of(v);
	uint32_t n = 0;

	for (uint32_t i = 0; i < v->n; i++) {
		if (v->tree.place[v->r->tries[i].task] == DR_NONE)
			continue;
		add_try(v, &c, &v->r->tries[i], unit);
		n++;
	}
	dr_json_begin(j, "run");
	dr_json_int(j, "unit_ns", unit);
	dr_json_int(j, "time", v->now / unit);
	dr_json_uint(j, "memory", MEMORY_KB * 1024);
	dr_json_begin_list(j, "results");
	for (unsigned i = 0; i < DR_TRY_RESULTS; i++)
		dr_json_word(j, NULL, dr_try_results[i]);
	dr_json_end_list(j);
	dr_json_begin_list(j, "stages");
	for (uint32_t s = 0; s < v->plan->pipeline->n_stages; s++)
		dr_json_str(j, NULL, v->plan->pipeline->stages[s].name);
	dr_json_end_list(j);
	dr_json_uint(j, "n", n);
	dr_column_end(&c.task, j, "task");
	dr_column_end(&c.slot, j, "slot");
	dr_column_end(&c.start, j, "start");
	dr_column_end(&c.took, j, "took");
	dr_column_end(&c.result, j, "result");
	dr_column_end(&c.how, j, "how");
	dr_column_end(&c.status, j, "status");
	dr_column_end(&c.tries, j, "tries");
	dr_column_end(&c.memory, j, "peak");
	dr_json_end(j);
}
