#include "config.h"

#include <inttypes.h>

#include "session.h"
#include "err.h"
#include "ledger.h"

/* A task of theirs that is done in the meantime is no news. */
#define PATIENCE (INT64_C(1000000000))

/* The run that has the task among those that it runs, as far as it has told; pid 0: none has. */
static struct dr_ledger_fixed
find_holder(const struct dr_session *s, struct dr_hash128 id)
{
	struct dr_ledger_fixed found = { 0 };
	struct dr_ledger_image *runs = NULL;
	struct dr_err ignored;
	uint32_t n = 0;

	if (dr_ledger_read(s->state, &runs, &n, &ignored))
		return found;
	for (uint32_t i = 0; i < n; i++) {
		const struct dr_ledger_image *run = &runs[i];

		for (uint32_t k = 0; !run->f.ended && run->f.run != s->run && k < run->f.n_tasks; k++)
			if (dr_hash128_eq(run->tasks[k].id, id))
				found = run->f;
	}
	dr_ledger_free_images(runs, n);
	return found;
}

static void
tell(struct dr_session *s, struct dr_waiting *w)
{
	struct dr_ledger_fixed holder = find_holder(s, s->plan->graph->tasks[w->task].id);
	bool alive = holder.pid && s->lock && dr_lock_alive(s->lock, holder.run);

	if (w->told && w->told == holder.run)
		return;
	w->told = holder.run;
	dr_buf_reset(&s->text);
	if (alive)
		dr_buf_addf(&s->text, "waiting for another dagrun (process %" PRIu32 "), which makes ", holder.pid);
	else
		dr_buf_adds(&s->text, "waiting for what another dagrun has left running to make ");
	dr_buf_reset(&s->path);
	dr_plan_task_name(s->plan, w->task, &s->path);
	dr_buf_escape(&s->text, dr_buf_str(&s->path));
	dr_session_message(s, DR_NOTICE, dr_buf_cstr(&s->text));
}

void
dr_session_waiting(struct dr_session *s, struct dr_waiting *w, uint32_t running, int64_t now)
{
	if (running || w->task == DR_NONE) {
		w->task = DR_NONE;
		w->since = 0;
		return;
	}
	if (!w->since)
		w->since = now;
	if (now - w->since < PATIENCE)
		return;
	tell(s, w);
	w->since = now;
}
