#include "config.h"

#include "context.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "loop.h"

void
dr_stop(struct dr_context *c)
{
	int was = errno;

	/* A full pipe says enough. */
	if (write(c->wake[1], "", 1) < 0)
		errno = was;
}

int
dr_ended_by(const struct dr_context *c)
{
	return c->signal;
}

static void
on_message(void *arg, enum dr_level level, const char *text)
{
	struct dr_context *c = arg;

	if (c->handlers.message)
		c->handlers.message(c->arg, level, text);
}

static void
drain(struct dr_context *c)
{
	char byte;

	while (read(c->wake[0], &byte, 1) == 1)
		;
}

/* Each dr_stop counts: the second one is harder. */
static void
on_wake(void *arg, int fd, short revents)
{
	struct dr_context *c = arg;
	char byte;

	(void)revents;
	if (read(fd, &byte, 1) == 1) {
		dr_session_stop(&c->session, c->stopped);
		c->stopped = true;
	}
}

static int
on_opened(void *arg, struct dr_loop *loop, const struct dr_jobserver *js, struct dr_err *err)
{
	struct dr_context *c = arg;

	(void)js;
	c->stopped = false;
	return dr_loop_fd(loop, c->wake[0], POLLIN, on_wake, c, err);
}

static const char *
name_of(struct dr_context *c, uint32_t task)
{
	dr_buf_reset(&c->name);
	dr_plan_task_name(c->session.plan, task, &c->name);
	return dr_buf_cstr(&c->name);
}

static void
on_started(void *arg, uint32_t task, const struct dr_grant *g)
{
	struct dr_context *c = arg;

	(void)g;
	if (c->handlers.started)
		c->handlers.started(c->arg, task, name_of(c, task));
}

/* The exit code or the signal of what wait(2) tells; a task that was not started has none. */
static int
status_of(const struct dr_task_end *e)
{
	if (e->how == DR_HOW_NO_START)
		return 0;
	if (WIFSIGNALED(e->outcome.status))
		return WTERMSIG(e->outcome.status);
	return e->how == DR_HOW_EXIT ? WEXITSTATUS(e->outcome.status) : 0;
}

static void
on_ended(void *arg, const struct dr_task_end *e)
{
	struct dr_context *c = arg;
	const struct dr_outcome *o = &e->outcome;
	struct dr_ended d = {
		.how = e->how,
		.status = status_of(e),
		.failed = e->result != DR_RESULT_DONE,
		.final = e->final,
		.tries = o->tries,
		.start = o->start,
		.end = o->end,
		.user = o->user_us * 1000,
		.sys = o->sys_us * 1000,
		.peak = o->peak_kb * 1024,
		.message = e->message,
		.out = e->out,
		.err = e->err,
		.out_len = e->out_len,
		.err_len = e->err_len,
	};

	c->ends[e->task] = (struct dr_context_end){ 1, (uint8_t)d.how, (uint8_t)d.status };
	if (!c->handlers.ended)
		return;
	d.name = name_of(c, e->task);
	c->handlers.ended(c->arg, e->task, &d);
}

static int64_t
on_tick(void *arg, int64_t now)
{
	struct dr_context *c = arg;

	(void)now;
	if (!c->stopped && c->handlers.stop && c->handlers.stop(c->arg)) {
		c->stopped = true;
		dr_session_stop(&c->session, false);
	}
	return -1;
}

static void
on_closed(void *arg)
{
	drain(arg);
}

struct dr_host
dr_context_host(struct dr_context *c)
{
	return (struct dr_host){
		.message = on_message,
		.opened = on_opened,
		.started = on_started,
		.ended = on_ended,
		.tick = on_tick,
		.closed = on_closed,
		.arg = c,
	};
}

int
dr_run(struct dr_context *c, struct dr_err *err)
{
	struct dr_session *s = &c->session;
	struct dr_err own;
	int status;

	if (!err)
		err = &own;
	if (!c->ends || c->ran)
		return dr_err_set(err, DR_USAGE, "dr_run: there is no plan, or it has been run");
	c->ran = true;
	*err = (struct dr_err){ .code = DR_SYSTEM };
	status = dr_session_go(s, &c->signal, err);
	if (status == DR_OK)
		return 0;
	if (!err->msg[0] || (int)err->code != status)
		dr_err_set(err, (enum dr_code)status, "not all tasks were done");
	return -1;
}
