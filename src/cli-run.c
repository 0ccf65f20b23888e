#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "jobserver.h"
#include "local.h"
#include "loop.h"
#include "os.h"
#include "sched.h"

static void
on_message(void *arg, enum dr_level level, const char *text)
{
	struct dr_reporter *r = arg;
	struct dr_buf b = { 0 };
	struct dr_str said;
	char cut[512];

	if (level == DR_NOTICE && r->session->options.silent)
		return;
	if (level == DR_DIAGNOSTIC)
		dr_buf_adds(&b, text);
	else
		dr_buf_addf(&b, "dagrun: %s\n", text);
	said = dr_buf_str(&b);
	/* That there is no memory is to be said without any. */
	if (b.failed) {
		snprintf(cut, sizeof(cut), "dagrun: %.500s\n", text);
		said = dr_str(cut);
	}
	dr_cli_lock(r);
	if (r->progress)
		dr_progress_print(r->progress, said, dr_now());
	else
		fputs(said.p, stderr);
	dr_cli_unlock(r);
	dr_buf_free(&b);
}

static void
on_resize(void *arg, int sig)
{
	struct dr_reporter *r = arg;

	(void)sig;
	dr_progress_resize(r->progress);
}

/* ^Z: the terminal is the shell's while we are stopped. Tasks have sessions of their own and go on. */
static void
on_suspend(void *arg, int sig)
{
	struct dr_reporter *r = arg;

	(void)sig;
	dr_progress_hide(r->progress);
	kill(getpid(), SIGSTOP);
	dr_progress_show(r->progress);
}

void
dr_cli_begin_report(struct dr_reporter *r, uint32_t slots)
{
	struct dr_report_begin b = { .plan = r->session->plan, .slots = slots, .now = dr_now(), .real = dr_realtime() };

	dr_report_begin(r->report, &b);
}

static int
on_opened(void *arg, struct dr_loop *loop, const struct dr_jobserver *js, struct dr_err *err)
{
	struct dr_reporter *r = arg;

	if (dr_cli_progress(r, js, err) || dr_loop_signal(loop, SIGTSTP, on_suspend, r, err))
		return -1;
	dr_cli_begin_report(r, dr_jobserver_limit(js));
	return dr_loop_signal(loop, SIGWINCH, on_resize, r, err);
}

static void
on_started(void *arg, uint32_t task, const struct dr_grant *g)
{
	struct dr_reporter *r = arg;
	int64_t now = dr_now();

	dr_progress_started(r->progress, task, g->slots, now);
	dr_report_started(r->report, task, g, now);
}

static void
on_ended(void *arg, const struct dr_task_end *e)
{
	struct dr_reporter *r = arg;
	int64_t now = dr_now();

	dr_report_ended(r->report, e, now);
	/* Nothing is waited for where nothing is said. */
	if (e->result == DR_RESULT_DONE && !e->out_len && !e->err_len)
		return;
	dr_cli_lock(r);
	dr_cli_report_end(r, e, now);
	dr_cli_unlock(r);
}

static void
on_pumped(void *arg, uint32_t slots, bool wants)
{
	struct dr_reporter *r = arg;

	dr_report_pumped(r->report, slots, wants, dr_now());
}

static void
on_settled(void *arg, uint32_t task, enum dr_progress_end how)
{
	struct dr_reporter *r = arg;

	dr_progress_ended(r->progress, task, how, dr_now());
}

static int64_t
on_tick(void *arg, int64_t now)
{
	struct dr_reporter *r = arg;
	int64_t seen = dr_progress_tick(r->progress, now), written = dr_report_tick(r->report, now);

	return seen < 0 || (written >= 0 && written < seen) ? written : seen;
}

static void
on_finished(void *arg)
{
	struct dr_reporter *r = arg;

	dr_progress_finish(r->progress, dr_now());
}

static void
on_closed(void *arg)
{
	struct dr_reporter *r = arg;

	dr_progress_free(r->progress);
	r->progress = NULL;
}

struct dr_host
dr_cli_host(struct dr_reporter *r)
{
	return (struct dr_host){
		.message = on_message,
		.opened = on_opened,
		.started = on_started,
		.ended = on_ended,
		.settled = on_settled,
		.pumped = on_pumped,
		.tick = on_tick,
		.finished = on_finished,
		.closed = on_closed,
		.arg = r,
	};
}
