#include "config.h"

#include "local-private.h"

#include "guardian-table.h"
#include "os.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

void
dr_local_over(struct dr_local *l, struct dr_local_slot *s)
{
	dr_guard_ended(l->o.guard, s->grant.slot - 1);
	dr_loop_cancel(l->o.loop, s->timer);
	s->timer = 0;
	s->sweep.on = false;
	s->ended = true;
	s->next_ended = NULL;
	*l->ended_tail = s;
	l->ended_tail = &s->next_ended;
	l->running--;
}

/* What the task has left behind has its description of the jobserver, too, and may change it while the next one runs. Those who have left its group
 * are not found; they have mostly closed what they had. */
static void
leave_to_group(struct dr_local_slot *s)
{
	if (s->jobserver >= 0 && (kill(-s->pid, 0) == 0 || errno != ESRCH))
		dr_close(&s->jobserver);
}

void
dr_local_take_end(struct dr_local *l, struct dr_local_slot *s)
{
	struct rusage ru;
	int status = 0;
	pid_t rc;

	/* What it leaves behind is not ours to end, and from the next call on its number may be another's. */
	if (!s->sweep.on)
		dr_guard_ended(l->o.guard, s->grant.slot - 1);
	else if (!l->proc)
		kill(-s->pid, SIGKILL);
	memset(&ru, 0, sizeof(ru));
	do
		rc = wait4(s->pid, &status, 0, &ru);
	while (rc < 0 && errno == EINTR);
	s->reaped = true;
	s->lost = rc < 0;
	leave_to_group(s);
	s->outcome.status = status;
	s->outcome.end = dr_realtime();
	s->outcome.user_us = (int64_t)ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec;
	s->outcome.sys_us = (int64_t)ru.ru_stime.tv_sec * 1000000 + ru.ru_stime.tv_usec;
	/* Never less than what we had when we started it: a child counts as having our memory until its exec.
	 */
	s->outcome.peak_kb = (uint64_t)ru.ru_maxrss;
	if (s->sweep.on && l->proc)
		dr_local_sweep(s);
	else
		dr_local_over(l, s);
}

/* Whether it has ended and waits to be waited for; also when somebody else has done that. */
static bool
is_over(const struct dr_local_slot *s)
{
	siginfo_t si;

	si.si_pid = 0;
	if (waitid(P_PID, (id_t)s->pid, &si, WEXITED | WNOHANG | WNOWAIT))
		return errno == ECHILD;
	return si.si_pid != 0;
}

/* What ends us from a terminal goes to our whole group, and so to a task that has no session of its own yet. It was
 * stopped like the others, though by somebody else. */
static bool
was_interrupted(const struct dr_local_slot *s)
{
	siginfo_t si;

	si.si_pid = 0;
	if (waitid(P_PID, (id_t)s->pid, &si, WEXITED | WNOHANG | WNOWAIT) || !si.si_pid)
		return false;
	return si.si_code == CLD_KILLED &&
	       (si.si_status == SIGINT || si.si_status == SIGTERM || si.si_status == SIGHUP);
}

bool
dr_local_unfinished(const struct dr_local_slot *s)
{
	return s && s->task != DR_NONE && !s->ended;
}

bool
dr_local_runs(const struct dr_local_slot *s)
{
	return dr_local_unfinished(s) && !s->reaped;
}

void
dr_local_on_child(void *arg, int sig)
{
	struct dr_local *l = arg;
	struct dr_local_slot *s;
	siginfo_t si;
	int rc;

	(void)sig;
	/* Orphans are waited for also when no task runs: they do not tell again. */
	while (l->running || l->o.stranger) {
		si.si_pid = 0;
		rc = waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT);
		if (rc ? errno != ECHILD : !si.si_pid)
			return;
		s = rc ? NULL : dr_local_by_pid(l, si.si_pid);
		if (s) {
			dr_local_take_end(l, s);
			continue;
		}
		if (!rc && l->o.stranger && l->o.stranger(l->o.arg, (int)si.si_pid)) {
			waitpid(si.si_pid, NULL, WNOHANG);
			continue;
		}
	/* A child that is not ours stands first, and it is not for us to wait for; or somebody has
		 * waited for ours. So each is asked for by its number. */
		for (uint32_t i = 0; i < l->n_slots; i++) {
			if (dr_local_runs(l->slots[i]) && is_over(l->slots[i]))
				dr_local_take_end(l, l->slots[i]);
		}
		return;
	}
}

/* To the whole group at once, and in a moment to what else there is of it. */
static void
end_now(struct dr_local_slot *s, int sig)
{
	s->sweep.on = true;
	s->sweep.hard |= sig == SIGKILL;
	if (!s->reaped) {
		kill(-s->pid, sig);
		/* A member that is stopped could not hear it. */
		if (sig != SIGKILL)
			kill(-s->pid, SIGCONT);
	}
	if (s->l->proc)
		dr_local_sweep(s);
}

static void
on_grace(void *arg)
{
	struct dr_local_slot *s = arg;

	s->timer = 0;
	if (dr_local_unfinished(s))
		end_now(s, SIGKILL);
}

static void
end_softly(struct dr_local_slot *s)
{
	struct dr_local *l = s->l;

	dr_loop_cancel(l->o.loop, s->timer);
	s->timer = 0;
	end_now(s, SIGTERM);
	if (dr_loop_timer(l->o.loop, dr_now() + l->o.grace, on_grace, s, &s->timer, NULL))
		end_now(s, SIGKILL);
}

static void
on_timeout(void *arg)
{
	struct dr_local_slot *s = arg;

	s->timer = 0;
	/* One that made it in the last moment has not timed out, although we have not looked yet. */
	if (!dr_local_runs(s) || !dr_local_await(s) || is_over(s))
		return;
	s->cause = DR_CAUSE_TIMEOUT;
	end_softly(s);
}

int
dr_local_set_timeout(struct dr_local_slot *s, int64_t timeout, struct dr_err *err)
{
	return dr_loop_timer(s->l->o.loop, dr_now() + timeout, on_timeout, s, &s->timer, err);
}

void
dr_local_cancel(struct dr_executor *ex, uint32_t task, bool hard)
{
	struct dr_local *l = (struct dr_local *)ex;
	struct dr_local_slot *s = dr_local_by_task(l, task);
	bool first;

	if (s && s->compared)
		dr_publish_hurry(l->o.publisher, task);
	if (!dr_local_unfinished(s) || !dr_local_await(s) || (!s->reaped && is_over(s) && !was_interrupted(s)))
		return;
	first = s->cause == DR_CAUSE_NONE;
	if (first)
		s->cause = DR_CAUSE_CANCELLED;
	if (hard)
		end_now(s, SIGKILL);
	else if (first)
		end_softly(s);
}

void
dr_local_kill_all(struct dr_local *l)
{
	for (uint32_t i = 0; i < l->n_slots; i++) {
		struct dr_local_slot *s = l->slots[i];

		if (!dr_local_unfinished(s))
			continue;
		s->cause = DR_CAUSE_CANCELLED;
		if (dr_local_await(s))
			end_now(s, SIGKILL);
		else
			dr_local_over(l, s);
	}
	for (uint32_t i = 0; i < l->n_slots; i++) {
		if (dr_local_runs(l->slots[i]))
			dr_local_take_end(l, l->slots[i]);
	}
	dr_local_sweep_all(l);
}
