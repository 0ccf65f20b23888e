#include "config.h"

#include "report-trace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "json.h"
#include "os.h"

enum { FLUSH = 1 << 16, PROCESS = 1 };

static int64_t
us(int64_t ns)
{
	return ns / 1000;
}

int
dr_trace_open(struct dr_trace *t, const char *path, struct dr_err *err)
{
	struct stat st;

	/* So that we know whether there was one, which a run that does not begin leaves as it is. */
	t->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
	t->made = t->fd >= 0;
	if (t->fd < 0 && errno == EEXIST)
		t->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
	if (t->fd < 0 || fstat(t->fd, &st))
		return dr_err_sys(err, errno, "--trace: write %s", path);
	t->regular = S_ISREG(st.st_mode);
	return 0;
}

void
dr_trace_flush(struct dr_trace *t)
{
	if (t->fd < 0 || !t->out.n || t->error)
		return;
	if (t->out.failed)
		t->error = ENOMEM;
	else if (dr_write_full(t->fd, t->out.p, t->out.n))
		t->error = errno;
	dr_buf_reset(&t->out);
}

static struct dr_json
begin(struct dr_trace *t, const char *phase, uint32_t track, int64_t at)
{
	struct dr_json j = { .out = &t->out, .one_line = true };

	dr_buf_adds(&t->out, t->begun ? ",\n" : "[\n");
	t->begun = true;
	dr_json_begin(&j, NULL);
	dr_json_word(&j, "ph", phase);
	dr_json_int(&j, "pid", PROCESS);
	dr_json_uint(&j, "tid", track);
	dr_json_int(&j, "ts", us(at));
	return j;
}

static void
end(struct dr_trace *t, struct dr_json *j)
{
	dr_json_end(j);
	if (t->out.n >= FLUSH)
		dr_trace_flush(t);
}

/* What the process or a track is called. */
static void
add_name(struct dr_trace *t, const char *what, uint32_t track, const char *name)
{
	struct dr_json j = begin(t, "M", track, 0);

	dr_json_word(&j, "name", what);
	dr_json_begin(&j, "args");
	dr_json_word(&j, "name", name);
	dr_json_end(&j);
	end(t, &j);
}

static void
name_tracks(struct dr_trace *t, uint32_t upto)
{
	char name[24];

	while (t->named < upto) {
		struct dr_str digits;
		struct dr_json j;

		t->named++;
		dr_buf_reset(&t->name);
		dr_buf_addf(&t->name, "slot %" PRIu32, t->named);
		digits = dr_buf_str(&t->name);
		memcpy(name, digits.n < sizeof(name) ? digits.p : "",
		       digits.n < sizeof(name) ? digits.n + 1 : 1);
		add_name(t, "thread_name", t->named, name);
		j = begin(t, "M", t->named, 0);
		dr_json_word(&j, "name", "thread_sort_index");
		dr_json_begin(&j, "args");
		dr_json_uint(&j, "sort_index", t->named);
		dr_json_end(&j);
		end(t, &j);
	}
}

void
dr_trace_begin(struct dr_trace *t, const struct dr_plan *plan)
{
	if (t->fd < 0)
		return;
	/* A pipe or a device has no length. */
	if (t->regular && ftruncate(t->fd, 0))
		t->error = errno;
	t->plan = plan;
	add_name(t, "process_name", 0, "dagrun");
	dr_trace_slots(t, 0, 0);
}

/* In one word, for whoever filters. */
static const char *
result_of(const struct dr_task_end *e)
{
	if (e->result == DR_RESULT_DONE)
		return "done";
	if (e->how == DR_HOW_CANCELLED)
		return "stopped";
	return e->final ? "failed" : "retried";
}

static void
add_args(struct dr_trace *t, struct dr_json *j, const struct dr_task_end *e, uint32_t slots)
{
	const struct dr_outcome *o = &e->outcome;

	dr_json_begin(j, "args");
	dr_json_word(j, "result", result_of(e));
	if (e->how != DR_HOW_NO_START && WIFEXITED(o->status))
		dr_json_int(j, "exit", WEXITSTATUS(o->status));
	else if (e->how != DR_HOW_NO_START)
		dr_json_word(j, "signal", dr_signal_name(WTERMSIG(o->status)));
	if (e->result != DR_RESULT_DONE) {
		dr_buf_reset(&t->name);
		dr_outcome_describe(e, &t->name);
		dr_json_str(j, "why", dr_buf_str(&t->name));
	}
	dr_json_uint(j, "try", o->tries);
	dr_json_uint(j, "slots", slots);
	dr_json_uint(j, "peak_memory_bytes", o->peak_kb * 1024);
	dr_json_seconds(j, "user_seconds", o->user_us * 1000);
	dr_json_seconds(j, "system_seconds", o->sys_us * 1000);
	dr_json_end(j);
}

/* A mark of its own: what ended badly is seen from afar, however short it was. */
static void
add_mark(struct dr_trace *t, const struct dr_task_end *e, uint32_t slot, int64_t at)
{
	struct dr_json j = begin(t, "i", slot, at);

	dr_buf_reset(&t->name);
	dr_buf_addf(&t->name, "%s: ", result_of(e));
	if (!slot) {
		dr_plan_task_name(t->plan, e->task, &t->name);
		dr_buf_adds(&t->name, ": ");
	}
	dr_outcome_describe(e, &t->name);
	dr_json_str(&j, "name", dr_buf_str(&t->name));
	dr_json_word(&j, "cat", result_of(e));
	dr_json_word(&j, "s", slot ? "t" : "p");
	end(t, &j);
}

void
dr_trace_try(struct dr_trace *t, const struct dr_task_end *e, uint32_t slot, uint32_t slots, int64_t start,
	     int64_t stop)
{
	struct dr_json j;

	if (t->fd < 0)
		return;
	name_tracks(t, slot);
	if (slot) {
		j = begin(t, "X", slot, start);
		/* From both ends, so that a task does not reach into the one behind it. */
		dr_json_int(&j, "dur", us(stop) - us(start));
		dr_buf_reset(&t->name);
		dr_plan_task_name(t->plan, e->task, &t->name);
		dr_json_str(&j, "name", dr_buf_str(&t->name));
		dr_json_str(&j, "cat", dr_plan_stage(t->plan, e->task)->name);
		add_args(t, &j, e, slots);
		end(t, &j);
	}
	if (e->result != DR_RESULT_DONE)
		add_mark(t, e, slot, stop);
	t->out.failed |= t->name.failed;
}

void
dr_trace_slots(struct dr_trace *t, uint32_t used, int64_t at)
{
	struct dr_json j;

	if (t->fd < 0 || (t->begun && at && used == t->used))
		return;
	t->used = used;
	j = begin(t, "C", 0, at);
	dr_json_word(&j, "name", "slots in use");
	dr_json_begin(&j, "args");
	dr_json_uint(&j, "slots", used);
	dr_json_end(&j);
	end(t, &j);
}

int
dr_trace_finish(struct dr_trace *t, int64_t at, const char *path, struct dr_err *err)
{
	if (t->fd < 0 || !t->begun)
		return 0;
	dr_trace_slots(t, 0, at);
	dr_buf_adds(&t->out, "\n]\n");
	dr_trace_flush(t);
	return t->error ? dr_err_sys(err, t->error, "--trace: write %s", path) : 0;
}

void
dr_trace_close(struct dr_trace *t, const char *path)
{
	if (t->fd >= 0 && t->made && !t->begun)
		unlink(path);
	dr_close(&t->fd);
	dr_buf_free(&t->out);
	dr_buf_free(&t->name);
}
