#include "config.h"

#include "local-private.h"

#include "os.h"
#include "proc.h"

#include <signal.h>
#include <unistd.h>

#define MS INT64_C(1000000)

/* Processes take some moments to end; a look at all of them takes a few ms. */
enum { STEP_MIN_MS = 2, STEP_MAX_MS = 100 };
/* How long the end of the executor waits for what does not even end by KILL. */
enum { LONG_MS = 5000 };

struct pass {
	struct dr_local *l;
	pid_t self;
	bool marks; /* somebody outside his session would matter */
	struct dr_local_slot *found;
	struct dr_proc last;
};

static bool
is_swept(const struct dr_local_slot *s)
{
	return dr_local_unfinished(s) && s->sweep.on;
}

static bool
is_marked(void *arg, const struct dr_mark *m)
{
	struct pass *ps = arg;
	const struct dr_local *l = ps->l;

	if (m->run != l->o.run)
		return false;
	for (uint32_t i = 0; i < l->n_slots && !ps->found; i++) {
		if (is_swept(l->slots[i]) && l->slots[i]->serial == m->serial)
			ps->found = l->slots[i];
	}
	return ps->found != NULL;
}

static void
on_process(void *arg, const struct dr_proc *p)
{
	struct pass *ps = arg;
	struct dr_local_slot *s = NULL;
	bool inside;

	if (p->pid == ps->self)
		return;
	if (p->session > 0)
		s = dr_local_by_session(ps->l, p->session);
	inside = s != NULL;
	ps->found = s;
	if (!inside && (!ps->marks || !dr_proc_marked(p, is_marked, ps)))
		return;
	s = ps->found;
	if (inside)
		s->sweep.inside++;
	else
		s->sweep.outside++;
	ps->last = *p;
	if (s->sweep.hard)
		dr_proc_signal(p, SIGKILL);
	else if (inside ? !s->sweep.told && p->group != s->pid : s->sweep.tell)
		dr_proc_signal(p, SIGTERM);
}

/* What a pass has found of a task. True: the next one should come at once. */
static bool
judge(struct dr_local *l, struct dr_local_slot *s)
{
	struct dr_local_sweep *w = &s->sweep;

	w->told = true;
	w->asked |= w->tell;
	w->tell = false;
	/* Its first process's end is told by SIGCHLD. */
	if (!s->reaped)
		return false;
	w->no_session |= !w->inside;
	if (!w->inside && !w->outside) {
		/* One that starts another and ends while we look may have both escape us: twice nothing is
		 * nothing. */
		if (++w->empty < 2)
			return true;
		dr_local_over(l, s);
		return false;
	}
	w->empty = 0;
	w->tell = !w->inside && !w->asked;
	return w->tell;
}

/* 1: there should be another pass at once; 0: after a while; -1: nothing is left that we wait for. */
static int
pass(struct dr_local *l, struct dr_proc *last)
{
	struct pass ps = { .l = l, .self = getpid() };
	bool any = false;
	int rc = -1;

	for (uint32_t i = 0; i < l->n_slots; i++) {
		struct dr_local_slot *s = l->slots[i];

		if (!is_swept(s))
			continue;
		s->sweep.inside = s->sweep.outside = 0;
		ps.marks |= s->reaped || s->sweep.hard;
		any = true;
	}
	if (any)
		dr_proc_each(on_process, &ps);
	for (uint32_t i = 0; i < l->n_slots; i++) {
		struct dr_local_slot *s = l->slots[i];

		if (!is_swept(s))
			continue;
		if (judge(l, s))
			rc = 1;
		else if (rc < 0 && !s->ended && s->reaped)
			rc = 0;
	}
	*last = ps.last;
	return rc;
}

static void plan_pass(struct dr_local *l, int64_t when);

static void
on_timer(void *arg)
{
	struct dr_local *l = arg;
	struct dr_proc last;
	int rc;

	l->sweep_timer = 0;
	rc = pass(l, &last);
	if (rc < 0)
		return;
	plan_pass(l, rc ? 0 : dr_now() + l->sweep_step);
	if (!rc && l->sweep_step < STEP_MAX_MS * MS)
		l->sweep_step *= 2;
}

static void
plan_pass(struct dr_local *l, int64_t when)
{
	/* Without memory for a timer there is no more patience. */
	if (dr_loop_timer(l->o.loop, when, on_timer, l, &l->sweep_timer, NULL))
		dr_local_sweep_all(l);
}

void
dr_local_sweep(struct dr_local_slot *s)
{
	struct dr_local *l = s->l;

	l->sweep_step = STEP_MIN_MS * MS;
	dr_loop_cancel(l->o.loop, l->sweep_timer);
	plan_pass(l, 0);
}

void
dr_local_sweep_all(struct dr_local *l)
{
	const int64_t until = dr_now() + LONG_MS * MS;
	struct dr_proc last;
	int rc;

	while ((rc = pass(l, &last)) >= 0 && dr_now() < until) {
		if (!rc)
			dr_proc_wait(&last, STEP_MAX_MS / 4);
	}
	for (uint32_t i = 0; i < l->n_slots; i++) {
		if (is_swept(l->slots[i]) && l->slots[i]->reaped)
			dr_local_over(l, l->slots[i]);
	}
}
