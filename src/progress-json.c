#include "config.h"

#include "progress-state.h"

#include "json.h"
#include "os.h"

#define SECOND INT64_C(1000000000)

enum { FLUSH = 1 << 16 };

static void
flush(struct dr_progress *p)
{
	if (!p->lines.failed && p->lines.n)
		dr_progress_write(p, p->lines.p, p->lines.n);
	dr_buf_reset(&p->lines);
}

static struct dr_json
begin(struct dr_progress *p, const char *event, int64_t now)
{
	struct dr_json j = { .out = &p->lines, .one_line = true };

	dr_json_begin(&j, NULL);
	dr_json_word(&j, "event", event);
	dr_json_seconds(&j, "at", now - p->begun);
	return j;
}

static void
end(struct dr_progress *p, struct dr_json *j)
{
	dr_json_end(j);
	dr_buf_addc(&p->lines, '\n');
	if (p->lines.n >= FLUSH)
		flush(p);
}

static void
add_task(struct dr_progress *p, struct dr_json *j, uint32_t task)
{
	struct dr_buf name = { 0 };

	dr_plan_task_name(p->o.plan, task, &name);
	dr_json_str(j, "task", dr_buf_str(&name));
	dr_json_str(j, "stage", dr_plan_stage(p->o.plan, task)->name);
	dr_buf_free(&name);
}

static void
add_stages(struct dr_progress *p, struct dr_json *j)
{
	dr_json_begin_list(j, "stages");
	for (uint32_t s = 0; s < p->n_stages; s++) {
		const struct dr_progress_stage *st = &p->stages[s];

		if (!st->total)
			continue;
		dr_json_begin(j, NULL);
		dr_json_str(j, "stage", p->o.plan->pipeline->stages[s].name);
		dr_json_uint(j, "wanted", st->total);
		dr_json_uint(j, "up_to_date", st->clean);
		dr_json_uint(j, "done", st->done);
		dr_json_uint(j, "failed", st->failed);
		dr_json_uint(j, "running", st->running);
		dr_json_end(j);
	}
	dr_json_end_list(j);
}

void
dr_progress_json_begin(struct dr_progress *p)
{
	struct dr_json j = begin(p, "begin", p->begun);

	dr_json_uint(&j, "version", DR_JSON_VERSION);
	dr_json_word(&j, "kind", "progress");
	dr_json_time(&j, "time", dr_realtime());
	dr_json_uint(&j, "slots", p->o.slots);
	dr_json_uint(&j, "to_do", p->todo);
	dr_json_uint(&j, "up_to_date", p->clean);
	add_stages(p, &j);
	end(p, &j);
}

void
dr_progress_json_started(struct dr_progress *p, uint32_t task, int64_t now)
{
	struct dr_json j = begin(p, "start", now);

	add_task(p, &j, task);
	end(p, &j);
}

void
dr_progress_json_ended(struct dr_progress *p, uint32_t task, enum dr_progress_end how, bool ran, double seconds, int64_t now)
{
	static const char *const results[] = {
		[DR_PROGRESS_FAILED] = "failed",
		[DR_PROGRESS_DONE] = "done",
		[DR_PROGRESS_AGAIN] = "again",
		[DR_PROGRESS_STOPPED] = "stopped",
		[DR_PROGRESS_CLEAN] = "up_to_date",
	};
	struct dr_json j = begin(p, "end", now);

	add_task(p, &j, task);
	dr_json_word(&j, "result", results[how]);
	if (ran)
		dr_json_seconds(&j, "seconds", (int64_t)(seconds * 1e9));
	else
		dr_json_null(&j, "seconds");
	end(p, &j);
}

void
dr_progress_json_message(struct dr_progress *p, struct dr_str text, int64_t now)
{
	struct dr_json j = begin(p, "message", now);

	dr_json_str(&j, "text", text);
	end(p, &j);
}

static void
state(struct dr_progress *p, int64_t now)
{
	struct dr_progress_eta eta = dr_progress_estimate(p, now);
	struct dr_json j = begin(p, "state", now);

	dr_json_uint(&j, "to_do", p->todo);
	dr_json_uint(&j, "done", p->done);
	dr_json_uint(&j, "failed", p->failed);
	dr_json_uint(&j, "running", p->n_running);
	dr_json_uint(&j, "slots_used", p->slots_used);
	if (eta.known) {
		dr_json_seconds(&j, "left", (int64_t)(eta.seconds < 1e9 ? eta.seconds * 1e9 : 1e18));
		dr_json_word(&j, "bound", eta.path ? "path" : "slots");
	} else {
		dr_json_null(&j, "left");
		dr_json_null(&j, "bound");
	}
	add_stages(p, &j);
	end(p, &j);
}

int64_t
dr_progress_json_tick(struct dr_progress *p, int64_t now)
{
	if (now - p->told_at >= SECOND) {
		p->told_at = now;
		state(p, now);
	}
	flush(p);
	return p->told_at + SECOND;
}

void
dr_progress_json_finish(struct dr_progress *p, int64_t now)
{
	uint64_t ended = p->done + p->failed + p->stopped;
	struct dr_json j = begin(p, "finish", now);

	dr_json_uint(&j, "to_do", p->todo);
	dr_json_uint(&j, "done", p->done);
	dr_json_uint(&j, "failed", p->failed);
	dr_json_uint(&j, "stopped", p->stopped);
	dr_json_uint(&j, "not_run", p->todo > ended ? p->todo - ended : 0);
	dr_json_uint(&j, "up_to_date", p->clean);
	end(p, &j);
	flush(p);
}
