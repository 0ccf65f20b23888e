#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "loop.h"
#include "os.h"

static void
on_message(void *arg, enum dr_level level, const char *text)
{
	struct dr_reporter *r = arg;
	struct dr_buf b = { 0 };

	if (level == DR_NOTICE && r->session->options.silent)
		return;
	if (level == DR_DIAGNOSTIC)
		dr_buf_adds(&b, text);
	else
		dr_buf_addf(&b, "dagrun: %s\n", text);
	dr_cli_lock(r);
	if (r->progress)
		dr_progress_print(r->progress, dr_buf_str(&b), dr_now());
	else
		fputs(dr_buf_cstr(&b), stderr);
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

static int
on_opened(void *arg, struct dr_loop *loop, const struct dr_jobserver *js, struct dr_err *err)
{
	struct dr_reporter *r = arg;

	if (dr_cli_progress(r->session, js, &r->progress, err) || dr_loop_signal(loop, SIGTSTP, on_suspend, r, err))
		return -1;
	return dr_loop_signal(loop, SIGWINCH, on_resize, r, err);
}

static void
on_started(void *arg, uint32_t task)
{
	struct dr_reporter *r = arg;

	dr_progress_started(r->progress, task, dr_now());
}

static void
on_ended(void *arg, const struct dr_task_end *e)
{
	dr_cli_lock(arg);
	dr_report_end(arg, e, dr_now());
	dr_cli_unlock(arg);
}

static void
on_settled(void *arg, uint32_t task, enum dr_progress_end how)
{
	struct dr_reporter *r = arg;

	dr_cli_lock(r);
	dr_progress_ended(r->progress, task, how, dr_now());
	dr_cli_unlock(r);
}

static int64_t
on_tick(void *arg, int64_t now)
{
	struct dr_reporter *r = arg;
	int64_t next;

	/* Bars are drawn ten times a second, and nobody who writes through a terminal's bars is kept from it. */
	if (r->err_is_terminal)
		return dr_progress_tick(r->progress, now);
	dr_cli_lock(r);
	next = dr_progress_tick(r->progress, now);
	dr_cli_unlock(r);
	return next;
}

static void
on_finished(void *arg)
{
	struct dr_reporter *r = arg;

	dr_cli_lock(r);
	dr_progress_finish(r->progress, dr_now());
	dr_cli_unlock(r);
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
	return (struct dr_host){ on_message, on_opened,   on_started, on_ended, on_settled,
				 on_tick,    on_finished, on_closed,  r };
}
