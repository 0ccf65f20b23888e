#include "config.h"

#include "session.h"

#include <poll.h>
#include <stdio.h>

#include "err.h"
#include "guardian.h"
#include "jobserver.h"
#include "loop.h"

/* Tasks at a time, and tokens, where nobody says how many there may be: what a pipe holds. */
enum { MOST = 1 << 16 };

static void
unguarded(const struct dr_session_guard *g, const struct dr_err *why)
{
	char text[sizeof(why->msg) + 128];

	snprintf(text, sizeof(text), "a KILL of this dagrun would leave its tasks running, and lose tokens: %s",
		 why->msg);
	dr_session_message(g->session, DR_WARNING, text);
}

static int watch(struct dr_session_guard *g, struct dr_err *err);

static void
on_death(void *arg, int fd, short revents)
{
	struct dr_session_guard *g = arg;
	struct dr_err why;

	(void)revents;
	dr_loop_fd(g->loop, fd, 0, NULL, NULL, NULL);
	if (dr_guardian_mend(g->guardian, &why) || watch(g, &why))
		unguarded(g, &why);
}

static int
watch(struct dr_session_guard *g, struct dr_err *err)
{
	int fd = dr_guardian_fd(g->guardian);

	return fd < 0 ? 0 : dr_loop_fd(g->loop, fd, POLLIN, on_death, g, err);
}

int
dr_session_guard(struct dr_session *s, struct dr_session_guard *g, struct dr_loop *loop,
		 struct dr_jobserver *js, struct dr_err *err)
{
	uint32_t limit = dr_jobserver_limit(js);
	struct dr_guardian_options o = {
		.slots = limit == UINT32_MAX ? MOST : limit,
		.run = s->run,
		.program = s->guardian,
		.lock = s->lock && !s->alone ? dr_lock_fd(s->lock) : -1,
	};
	struct dr_err why;

	g->session = s;
	g->loop = loop;
	dr_jobserver_guarded(js, &o.pool, &o.via);
	if (dr_guardian_new(&o, &g->guardian, &why, err))
		return -1;
	if (dr_guardian_fd(g->guardian) < 0)
		unguarded(g, &why);
	return dr_jobserver_guard(js, g->guardian, err) || watch(g, err) ? -1 : 0;
}
