#include "config.h"

#include "session.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "err.h"
#include "os.h"
#include "proc.h"

#define GRACE (INT64_C(1) * 1000000000)
#define LONG (INT64_C(10) * 1000000000)

enum { STEP_MS = 20 };

/* Tasks of runs in this directory that died, and their guardians with them. */
struct orphans {
	struct dr_session *session;
	struct stat state;
	pid_t *sessions; /* of those found so far: who is in one of them belongs to them */
	uint32_t n_sessions, cap_sessions;
	int signal;
	uint32_t found, told;
	struct dr_proc last;
};

static bool
same_run(void *arg, const struct dr_mark *m)
{
	const struct dr_mark *of = arg;

	return m->run == of->run && m->dev == of->dev && m->ino == of->ino;
}

static bool
is_orphan(void *arg, const struct dr_mark *m)
{
	struct orphans *o = arg;
	struct dr_mark copy = *m;

	if (m->dev != (uint64_t)o->state.st_dev || m->ino != (uint64_t)o->state.st_ino)
		return false;
	/* A run that we are below of may be dead, and what has called us one of its tasks. */
	return !dr_lock_alive(o->session->lock, m->run) && !dr_marks_any(getenv(DR_MARKS), same_run, &copy);
}

static bool
in_session(const struct orphans *o, pid_t session)
{
	for (uint32_t i = 0; i < o->n_sessions; i++) {
		if (o->sessions[i] == session)
			return true;
	}
	return false;
}

static void
on_process(void *arg, const struct dr_proc *p)
{
	struct orphans *o = arg;
	bool in = in_session(o, p->session);

	if (p->pid == getpid() || (!in && !dr_proc_marked(p, is_orphan, o)))
		return;
	o->found++;
	o->last = *p;
	/* Without memory those are found that carry a mark themselves. */
	if (!in && p->session > 0 && p->session != getsid(0) &&
	    dr_grow(&o->sessions, &o->cap_sessions, (size_t)o->n_sessions + 1, sizeof(*o->sessions)) == 0)
		o->sessions[o->n_sessions++] = p->session;
	if (o->signal)
		dr_proc_signal(p, o->signal);
}

static void
look(struct orphans *o, int sig)
{
	o->found = 0;
	o->signal = sig;
	if (dr_proc_each(on_process, o))
		o->found = 0;
}

static int
end_orphans(struct orphans *o, struct dr_err *err)
{
	int64_t began = dr_now(), now = began;
	uint32_t empty = 0;

	/* Twice, since of a session some may stand before the one that shows whose it is. */
	look(o, 0);
	look(o, SIGTERM);
	o->told = o->found;
	/* One that starts another and ends while we look may have both escape us: twice nothing is
	 * nothing. */
	while (empty < 2) {
		look(o, now - began >= GRACE ? SIGKILL : 0);
		if (!o->found) {
			empty++;
			continue;
		}
		empty = 0;
		if (now - began >= LONG)
			return dr_err_set(err, DR_STATE,
					  "a run was killed, and process %ld of a task of it does not end: it could "
					  "still write what is to be made again",
					  (long)o->last.pid);
		dr_proc_wait(&o->last, STEP_MS);
		now = dr_now();
	}
	return 0;
}

int
dr_session_end_orphans(struct dr_session *s, struct dr_err *err)
{
	struct orphans o = { .session = s };
	char text[128];
	int rc;

	/* Without locks it is not known who is alive. */
	if (!s->lock || s->alone || fstat(s->state, &o.state))
		return 0;
	rc = end_orphans(&o, err);
	if (rc == 0 && o.told) {
		snprintf(text, sizeof(text), "%u process%s of tasks of a run that was killed %s ended",
			 (unsigned)o.told, o.told == 1 ? "" : "es", o.told == 1 ? "was" : "were");
		dr_session_message(s, DR_NOTICE, text);
	}
	free(o.sessions);
	return rc;
}
