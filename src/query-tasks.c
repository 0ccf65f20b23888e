#include "config.h"

#include "query.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os.h"
#include "plan-values.h"
#include "query-private.h"

enum { LAST_LINES = 10 };

/* For people. */

static void
add_lines(struct dr_buf *out, const char *lead, struct dr_str text, bool escape)
{
	struct dr_str line;

	while (dr_query_line(&text, &line)) {
		dr_buf_adds(out, lead);
		if (escape)
			dr_buf_escape(out, line);
		else
			dr_buf_addstr(out, line);
		dr_buf_addc(out, '\n');
	}
}

static void
add_date(struct dr_buf *out, int64_t ns)
{
	time_t t = (time_t)(ns / 1000000000);
	char text[64];
	struct tm tm;

	if (localtime_r(&t, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm))
		dr_buf_adds(out, text);
}

/* ", 2h ago" */
static void
add_ago(struct dr_buf *out, int64_t ns)
{
	dr_buf_duration(out, dr_realtime() - ns);
	dr_buf_adds(out, " ago");
}

static void
add_times(struct dr_buf *out, const struct dr_rec_task *t)
{
	if (!t->start) {
		dr_buf_adds(out, "taken as done as it stood (--adopt)\n");
		return;
	}
	dr_buf_adds(out, "began ");
	add_date(out, t->start);
	dr_buf_adds(out, ", took ");
	dr_buf_duration(out, t->end - t->start);
	dr_buf_adds(out, " (user ");
	dr_buf_duration(out, t->user_us * 1000);
	dr_buf_adds(out, ", system ");
	dr_buf_duration(out, t->sys_us * 1000);
	dr_buf_adds(out, "), at most ");
	dr_buf_bytes(out, t->peak_kb * 1024);
	dr_buf_addf(out, " of memory, try %" PRIu32 "\n", t->tries);
}

/* For programs. */

static void
json_end(struct dr_json *j, const struct dr_rec_task *t, bool failed)
{
	static const char *const hows[] = {
		[DR_REC_TIMEOUT] = "timeout",
		[DR_REC_CANCELLED] = "cancelled",
		[DR_REC_UNPUBLISHED] = "unpublished",
		[DR_REC_NO_START] = "no-start",
	};
	bool by_signal = WIFSIGNALED(t->status);

	dr_json_word(j, "state", !failed ? "done" : t->how == DR_REC_CANCELLED ? "cancelled" : "failed");
	dr_json_word(j, "how",
		     t->how && t->how < sizeof(hows) / sizeof(*hows) ? hows[t->how] : by_signal ? "signal" : "exit");
	if (by_signal)
		dr_json_null(j, "exit");
	else
		dr_json_int(j, "exit", WEXITSTATUS(t->status));
	dr_json_word(j, "signal", by_signal ? dr_signal_name(WTERMSIG(t->status)) : NULL);
}

static void
json_times(struct dr_json *j, const struct dr_rec_task *t)
{
	char run[17];

	snprintf(run, sizeof(run), "%016" PRIx64, t->run);
	dr_json_word(j, "run", run);
	dr_json_uint(j, "tries", t->tries);
	if (t->start) {
		dr_json_time(j, "began", t->start);
		dr_json_time(j, "ended", t->end);
	} else {
		dr_json_null(j, "began");
		dr_json_null(j, "ended");
	}
	dr_json_seconds(j, "seconds", t->end - t->start);
	dr_json_seconds(j, "user", t->user_us * 1000);
	dr_json_seconds(j, "system", t->sys_us * 1000);
	dr_json_uint(j, "peak_memory", t->peak_kb * 1024);
	dr_json_uint(j, "printed", t->log_len);
}

static void
json_running(struct dr_query *q, struct dr_hash128 id)
{
	const struct dr_ledger_image *run;
	const struct dr_ledger_task *t = dr_query_running(q, id, &run);

	if (!t) {
		dr_json_null(&q->json, "running");
		return;
	}
	dr_json_begin(&q->json, "running");
	dr_json_time(&q->json, "since", t->since);
	dr_json_uint(&q->json, "try", t->attempt);
	dr_json_uint(&q->json, "slot", t->slot);
	dr_json_uint(&q->json, "pid", t->pid);
	dr_json_end(&q->json);
}

/* The command as it is now, and whether it was another one then: 1; 0: the same; -1: there is none, or err is filled. */
static int
find_command(struct dr_query *q, uint32_t planned, const struct dr_hash128 *then, bool *there, struct dr_err *err)
{
	struct dr_hasher *h;
	struct dr_hash128 now;
	int rc;

	*there = false;
	dr_buf_reset(&q->text);
	if (!q->o.plan || planned == DR_NONE)
		return 0;
	if (dr_query_command(q, planned, &q->text, err))
		return -1;
	*there = true;
	if (!then)
		return 0;
	h = dr_hasher_new();
	dr_buf_reset(&q->name);
	rc = h ? dr_task_command_hash(q->o.plan, planned, h, &q->name, &now, err) : dr_err_nomem(err);
	dr_hasher_free(h);
	return rc ? -1 : !dr_hash128_eq(now, *then);
}

/* Name, stage and command of a task; r NULL: it has no record. */
static int
json_task(struct dr_query *q, struct dr_str name, uint32_t planned, const struct dr_rec_task *r, struct dr_err *err)
{
	struct dr_json *j = &q->json;
	int changed;
	bool there;

	dr_json_str(j, "task", name);
	if (planned != DR_NONE)
		dr_json_str(j, "stage", dr_plan_stage(q->o.plan, planned)->name);
	else
		dr_json_null(j, "stage");
	changed = find_command(q, planned, r ? &r->command : NULL, &there, err);
	if (changed < 0)
		return -1;
	if (there)
		dr_json_str(j, "command", dr_buf_str(&q->text));
	else
		dr_json_null(j, "command");
	if (there && r)
		dr_json_bool(j, "command_changed", changed);
	else
		dr_json_null(j, "command_changed");
	return 0;
}

/* --failed */

static void
json_last_lines(struct dr_query *q, struct dr_str text)
{
	struct dr_str line;

	dr_json_begin_list(&q->json, "last_lines");
	while (dr_query_line(&text, &line))
		dr_json_str(&q->json, NULL, line);
	dr_json_end_list(&q->json);
}

static int
show_failed(struct dr_query *q, const struct dr_query_task *t, const struct dr_rec_task *r, struct dr_err *err)
{
	const struct dr_ledger_image *run;
	int fd = dr_query_open_log(q, r), rc = 0;
	struct dr_buf tail = { 0 };
	bool there;

	if (fd >= 0)
		(void)dr_tail(fd, r->log_at, r->log_len, LAST_LINES, &tail);
	if (q->o.json) {
		dr_json_begin(&q->json, NULL);
		rc = json_task(q, r->name, t->planned, r, err);
		json_end(&q->json, r, true);
		json_times(&q->json, r);
		json_running(q, t->id);
		json_last_lines(q, dr_buf_str(&tail));
		dr_json_end(&q->json);
	} else {
		dr_buf_adds(&q->out, "FAIL ");
		dr_buf_escape(&q->out, r->name);
		dr_buf_adds(&q->out, ": ");
		dr_query_describe(r, &q->out);
		dr_buf_addf(&q->out, ", try %" PRIu32 ", ", r->tries);
		add_ago(&q->out, r->end);
		dr_buf_adds(&q->out, dr_query_running(q, t->id, &run) ? ", running again\n" : "\n");
		rc = find_command(q, t->planned, NULL, &there, err) < 0 ? -1 : 0;
		if (there)
			add_lines(&q->out, "  ", dr_buf_str(&q->text), false);
		if (tail.n)
			add_lines(&q->out, "  | ", dr_buf_str(&tail), true);
	}
	dr_close(&fd);
	dr_buf_free(&tail);
	return rc;
}

int
dr_query_failed(struct dr_query *q, bool chosen, uint64_t *n, struct dr_err *err)
{
	*n = 0;
	if (q->o.json) {
		dr_query_begin(q, "failed");
		dr_json_begin_list(&q->json, "tasks");
	}
	for (uint32_t i = 0; i < q->n; i++) {
		const struct dr_query_task *t = &q->tasks[i];
		struct dr_record r;

		if ((t->flags & (DR_QUERY_FAILED | DR_QUERY_CANCELLED)) != DR_QUERY_FAILED ||
		    (q->o.plan && t->planned == DR_NONE) || (chosen && !(t->flags & DR_QUERY_CHOSEN)))
			continue;
		if (dr_journal_at(q->o.journal, t->failed_at, &r, err) || show_failed(q, t, &r.task, err) ||
		    dr_query_flush(q, false, err))
			return -1;
		++*n;
	}
	if (!q->o.json)
		return dr_query_flush(q, true, err);
	dr_json_end_list(&q->json);
	return dr_query_end(q, err);
}

/* --log */

/* What a running task has printed so far. */
static int
copy_running(struct dr_query *q, const struct dr_ledger_task *now, struct dr_err *err)
{
	int rc = 0;

	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO && rc == 0; fd++) {
		uint64_t len = 0;
		int file = dr_query_open_running(q, now->pid, fd, &len);

		if (file >= 0)
			rc = dr_query_copy(q, file, 0, len, err);
		dr_close(&file);
	}
	if (!q->o.json && !q->o.silent && q->out.n && q->out.p[q->out.n - 1] != '\n')
		dr_buf_addc(&q->out, '\n');
	return rc;
}

static int
json_log(struct dr_query *q, const struct dr_query_task *t, bool failed, const struct dr_rec_task *r, int fd,
	 struct dr_err *err)
{
	int rc;

	dr_json_begin(&q->json, NULL);
	rc = json_task(q, r->name, t->planned, r, err);
	json_end(&q->json, r, failed);
	json_times(&q->json, r);
	json_running(q, t->id);
	if (fd >= 0 || !r->log_len) {
		dr_json_begin_str(&q->json, "output");
		if (rc == 0 && fd >= 0)
			rc = dr_query_copy(q, fd, r->log_at, r->log_len, err);
		dr_json_end_str(&q->json);
	} else {
		dr_json_null(&q->json, "output");
	}
	dr_json_end(&q->json);
	return rc;
}

static int
head(struct dr_query *q, const struct dr_query_task *t, bool failed, const struct dr_rec_task *r, int fd,
     struct dr_err *err)
{
	const struct dr_ledger_image *run;
	const struct dr_ledger_task *now = dr_query_running(q, t->id, &run);
	int changed;
	bool there;

	dr_buf_adds(&q->out, "==> ");
	dr_buf_escape(&q->out, r->name);
	dr_buf_adds(&q->out, failed ? ": " : ": done");
	if (failed)
		dr_query_describe(r, &q->out);
	dr_buf_addc(&q->out, '\n');
	changed = find_command(q, t->planned, &r->command, &there, err);
	if (changed < 0)
		return -1;
	if (changed)
		dr_buf_adds(&q->out, "  (its command, environment or shell was another then; now it is)\n");
	if (there)
		add_lines(&q->out, "  ", dr_buf_str(&q->text), false);
	dr_buf_adds(&q->out, "  ");
	add_times(&q->out, r);
	if (now) {
		dr_buf_addf(&q->out, "  running again, try %" PRIu32 ", since ", now->attempt);
		dr_buf_duration(&q->out, dr_realtime() - now->since);
		dr_buf_adds(&q->out, "; so far it has printed\n");
		if (copy_running(q, now, err))
			return -1;
		dr_buf_adds(&q->out, "  and when it ran last\n");
	}
	if (!r->log_len)
		dr_buf_adds(&q->out, "  printed nothing\n");
	else if (fd < 0)
		dr_buf_adds(&q->out, "  what it printed is not in .dagrun/log any more\n");
	return 0;
}

static int
show_log(struct dr_query *q, const struct dr_query_task *t, struct dr_err *err)
{
	bool failed = t->flags & DR_QUERY_FAILED;
	struct dr_record r;
	int fd, rc = 0;

	if (dr_journal_at(q->o.journal, dr_query_last(t), &r, err))
		return -1;
	fd = dr_query_open_log(q, &r.task);
	if (q->o.json) {
		rc = json_log(q, t, failed, &r.task, fd, err);
	} else {
		if (!q->o.silent)
			rc = head(q, t, failed, &r.task, fd, err);
		if (rc == 0 && fd >= 0)
			rc = dr_query_copy(q, fd, r.task.log_at, r.task.log_len, err);
		if (!q->o.silent && q->out.n && q->out.p[q->out.n - 1] != '\n')
			dr_buf_addc(&q->out, '\n');
	}
	dr_close(&fd);
	return rc ? -1 : dr_query_flush(q, false, err);
}

/* One that has no record: it runs for the first time, or has not run yet. */
static int
show_fresh(struct dr_query *q, struct dr_str name, struct dr_hash128 id, uint32_t planned, struct dr_err *err)
{
	const struct dr_ledger_image *run;
	const struct dr_ledger_task *now = dr_query_running(q, id, &run);
	bool there;
	int rc;

	if (q->o.json) {
		dr_json_begin(&q->json, NULL);
		rc = json_task(q, name, planned, NULL, err);
		dr_json_word(&q->json, "state", now ? "running" : "waiting");
		json_running(q, id);
		dr_json_begin_str(&q->json, "output");
		if (rc == 0 && now)
			rc = copy_running(q, now, err);
		dr_json_end_str(&q->json);
		dr_json_end(&q->json);
		return rc ? -1 : dr_query_flush(q, false, err);
	}
	if (q->o.silent)
		return now ? copy_running(q, now, err) : 0;
	dr_buf_adds(&q->out, "==> ");
	dr_buf_escape(&q->out, name);
	if (now) {
		dr_buf_addf(&q->out, ": running, try %" PRIu32 ", since ", now->attempt);
		dr_buf_duration(&q->out, dr_realtime() - now->since);
		dr_buf_addc(&q->out, '\n');
	} else {
		dr_buf_adds(&q->out, ": has not run yet\n");
	}
	rc = find_command(q, planned, NULL, &there, err) < 0 ? -1 : 0;
	if (there)
		add_lines(&q->out, "  ", dr_buf_str(&q->text), false);
	if (rc == 0 && now)
		rc = copy_running(q, now, err);
	return rc ? -1 : dr_query_flush(q, false, err);
}

static int
show_fresh_planned(struct dr_query *q, uint32_t task, struct dr_err *err)
{
	struct dr_buf name = { 0 };
	int rc;

	dr_plan_task_name(q->o.plan, task, &name);
	rc = show_fresh(q, dr_buf_str(&name), q->o.plan->graph->tasks[task].id, task, err);
	dr_buf_free(&name);
	return rc;
}

static bool
is_fresh_run(const struct dr_query *q, const struct dr_ledger_image *run, const struct dr_ledger_task *t)
{
	for (uint32_t i = 0; i < q->n_paths && !q->o.plan; i++)
		if (dr_str_is(t->name, q->paths[i]))
			return dr_query_alive(q, run) && !dr_query_by_id(q, t->id);
	return false;
}

int
dr_query_log(struct dr_query *q, struct dr_err *err)
{
	if (q->o.json) {
		dr_query_begin(q, "log");
		dr_json_begin_list(&q->json, "tasks");
	}
	for (uint32_t i = 0; i < q->n; i++)
		if ((q->tasks[i].flags & DR_QUERY_CHOSEN) && (q->tasks[i].flags & (DR_QUERY_DONE | DR_QUERY_FAILED)) &&
		    show_log(q, &q->tasks[i], err))
			return -1;
	for (uint32_t i = 0; i < q->n_fresh; i++)
		if (show_fresh_planned(q, q->fresh[i], err))
			return -1;
	for (uint32_t r = 0; r < q->n_runs; r++)
		for (uint32_t k = 0; k < q->runs[r].f.n_tasks; k++) {
			const struct dr_ledger_task *t = &q->runs[r].tasks[k];

			if (is_fresh_run(q, &q->runs[r], t) && show_fresh(q, t->name, t->id, DR_NONE, err))
				return -1;
		}
	if (!q->o.json)
		return dr_query_flush(q, true, err);
	dr_json_end_list(&q->json);
	return dr_query_end(q, err);
}
