#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "err.h"
#include "jobserver.h"
#include "local.h"
#include "os.h"
#include "plan-values.h"
#include "progress.h"

enum {
	LAST_LINES = 10,
	TAIL = 4096,    /* bytes of the end of an output that are looked at for its last lines */
	SMALL = 65536,  /* an output up to here is shown in one piece with what is said about it */
};

static void
on_writing(void *arg, bool begins)
{
	if (begins)
		dr_cli_lock(arg);
	else
		dr_cli_unlock(arg);
}

int
dr_cli_progress(struct dr_reporter *r, const struct dr_jobserver *js, struct dr_err *err)
{
	const struct dr_session *s = r->session;
	char from[64] = "";
	struct dr_progress_options o = {
		.plan = s->plan,
		.mode = dr_progress_mode_of(STDERR_FILENO, getenv("TERM")),
		.fd = STDERR_FILENO,
		.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8"),
		.quiet = s->options.silent,
		.slots = dr_jobserver_limit(js),
		.now = dr_now(),
		.writing = on_writing,
		.arg = r,
	};

	if (dr_jobserver_client(js)) {
		snprintf(from, sizeof(from), s->makeflags.jobs ? "make -j%u" : "make", s->makeflags.jobs);
		o.slots_from = from;
	}
	o.colour = dr_cli_colour(s, STDERR_FILENO);
	/* Under make -O what we print is kept until we end: bars would be a heap of escape sequences. And what tasks
	 * print themselves would tear them. */
	if ((s->makeflags.output_sync || s->options.sync == 'n') && o.mode == DR_PROGRESS_BARS)
		o.mode = DR_PROGRESS_PLAIN;
	if (s->options.progress == DR_SHOW_BAR)
		o.mode = DR_PROGRESS_BARS;
	else if (s->options.progress == DR_SHOW_JSON)
		o.mode = DR_PROGRESS_JSON;
	else if (s->options.progress == DR_SHOW_PLAIN)
		o.mode = DR_PROGRESS_PLAIN;
	else if (s->options.progress == DR_SHOW_NONE || s->options.silent)
		o.mode = DR_PROGRESS_NONE;
	return dr_progress_new(&o, &r->progress, err);
}

/* Straight from one descriptor to the other: an output may be larger than memory. */
static void
copy(int from, uint64_t len, int to, bool end_line)
{
	char piece[16384], last = '\n';

	for (uint64_t at = 0; at < len;) {
		size_t want = len - at < sizeof(piece) ? (size_t)(len - at) : sizeof(piece);
		ssize_t n = dr_pread_full(from, piece, want, (off_t)at);

		/* Nobody may be there to read it any more; the log has it all the same. */
		if (n <= 0 || dr_write_full(to, piece, (size_t)n))
			return;
		last = piece[n - 1];
		at += (uint64_t)n;
	}
	if (end_line && last != '\n')
		dr_write_full(to, "\n", 1);
}

/* As messages, in pieces: where everything on the descriptor is for a program. */
static void
tell_large(struct dr_reporter *r, int from, uint64_t len)
{
	char piece[16384];

	for (uint64_t at = 0; at < len;) {
		size_t want = len - at < sizeof(piece) ? (size_t)(len - at) : sizeof(piece);
		ssize_t n = dr_pread_full(from, piece, want, (off_t)at);

		if (n <= 0)
			return;
		dr_progress_print(r->progress, (struct dr_str){ piece, (size_t)n }, dr_now());
		at += (uint64_t)n;
	}
}

static void
show_large(struct dr_reporter *r, int from, uint64_t len, int to)
{
	if (r->session->options.progress == DR_SHOW_JSON && to == STDERR_FILENO) {
		tell_large(r, from, len);
		return;
	}
	dr_progress_hide(r->progress);
	copy(from, len, to, true); /* the bars begin a line */
	dr_progress_show(r->progress);
}

/* What a task printed, to our descriptor of the same kind. */
static void
show_output(struct dr_reporter *r, int from, uint64_t len, int to)
{
	char *room;
	ssize_t n;

	if (to == STDOUT_FILENO && !r->session->one_stream) {
		if (r->out_is_terminal)
			show_large(r, from, len, to);
		else
			copy(from, len, to, false);
		return;
	}
	room = len <= SMALL ? dr_buf_room(&r->text, (size_t)len) : NULL;
	n = room ? dr_pread_full(from, room, (size_t)len, 0) : -1;
	if (n < 0) {
		show_large(r, from, len, to);
		return;
	}
	r->text.n += (size_t)n;
	if (n && r->text.p[r->text.n - 1] != '\n')
		dr_buf_addc(&r->text, '\n'); /* what we say next begins a line */
}

/* The last lines, each behind a mark, their control characters shown. */
static void
add_last_lines(struct dr_reporter *r, int from, uint64_t len)
{
	char tail[TAIL];
	size_t want = len < TAIL ? (size_t)len : TAIL, start, end, lines = 0;
	ssize_t n = dr_pread_full(from, tail, want, (off_t)(len - want));

	if (n <= 0)
		return;
	end = (size_t)n;
	if (tail[end - 1] == '\n')
		end--;
	for (start = end; start > 0; start--)
		if (tail[start - 1] == '\n' && ++lines == LAST_LINES)
			break;
	if (start == 0 && len > want) {
		const char *nl = memchr(tail, '\n', end);

		start = nl ? (size_t)(nl - tail) + 1 : 0; /* not a line's second half */
	}
	while (start <= end) {
		const char *nl = start < end ? memchr(tail + start, '\n', end - start) : NULL;
		size_t stop = nl ? (size_t)(nl - tail) : end;

		dr_buf_adds(&r->text, "  | ");
		dr_buf_escape(&r->text, (struct dr_str){ tail + start, stop - start });
		dr_buf_addc(&r->text, '\n');
		start = stop + 1;
	}
}

static bool
short_output(int from, uint64_t len)
{
	char all[TAIL];
	ssize_t n = len < TAIL ? dr_pread_full(from, all, (size_t)len, 0) : -1;
	size_t lines = 0;

	for (ssize_t i = 0; i < n; i++)
		lines += all[i] == '\n';
	return n >= 0 && lines <= LAST_LINES;
}

/* FAIL counts/0417.tsv: exit 137 (killed: out of memory?), try 3 of 3
 *   ./count-words texts/0417.txt > counts/0417.tsv
 *   | the last lines
 * and behind the try, where there were more of them: "; all of it: dagrun --log counts/0417.tsv". */
static void
add_failure(struct dr_reporter *r, const struct dr_task_end *e)
{
	const struct dr_session *s = r->session;
	const struct dr_stage *st = dr_plan_stage(s->plan, e->task);
	bool from_err = e->err >= 0 && e->err_len, printed = from_err || (e->out >= 0 && e->out_len);
	uint64_t len = from_err ? e->err_len : e->out_len;
	int fd = from_err ? e->err : e->out;
	struct dr_task_values tv;
	struct dr_err err;

	dr_buf_reset(&r->name);
	dr_plan_task_name(s->plan, e->task, &r->name);
	dr_buf_adds(&r->text, e->final ? (s->options.ignore ? "FAIL (ignored) " : "FAIL ") : "retry ");
	dr_buf_escape(&r->text, dr_buf_str(&r->name));
	dr_buf_adds(&r->text, ": ");
	dr_outcome_describe(e, &r->text);
	if (st->retries)
		dr_buf_addf(&r->text, ", try %" PRIu32 " of %" PRIu32, e->outcome.tries, st->retries + 1);
	if (printed && !short_output(fd, len)) {
		dr_buf_adds(&r->text, "; all of it: dagrun --log ");
		dr_buf_quote(&r->text, dr_buf_str(&r->name));
	}
	dr_buf_addc(&r->text, '\n');
	dr_buf_reset(&r->command);
	dr_task_values_init(&tv, s->plan, e->task);
	if (dr_command_show(&st->run, &tv.v, &r->command, &err) == 0) {
		const char *line = dr_buf_cstr(&r->command);

		while (*line) {
			size_t n = strcspn(line, "\n");

			dr_buf_addf(&r->text, "  %.*s\n", (int)n, line);
			line += n + (line[n] == '\n');
		}
	}
	if (printed)
		add_last_lines(r, fd, len);
}

void
dr_cli_report_end(struct dr_reporter *r, const struct dr_task_end *e, int64_t now)
{
	bool failed = e->result != DR_RESULT_DONE && e->how != DR_HOW_CANCELLED;
	bool one = e->out == e->err;

	dr_buf_reset(&r->text);
	/* What a failed task printed stands below its command, and above it only when that does not hold all of it. */
	if (e->out >= 0 && e->out_len && !(failed && one && short_output(e->out, e->out_len)))
		show_output(r, e->out, e->out_len, one ? STDERR_FILENO : STDOUT_FILENO);
	if (!one && e->err >= 0 && e->err_len && !(failed && short_output(e->err, e->err_len)))
		show_output(r, e->err, e->err_len, STDERR_FILENO);
	if (failed)
		add_failure(r, e);
	if (r->text.n)
		dr_progress_print(r->progress, dr_buf_str(&r->text), now);
}

void
dr_reporter_free(struct dr_reporter *r)
{
	dr_buf_free(&r->text);
	dr_buf_free(&r->name);
	dr_buf_free(&r->command);
}
