#include "config.h"

#include "local-private.h"

#include "err.h"
#include "os.h"

#include <errno.h>
#include <sys/wait.h>

/* Why threads: a start holds its caller until the child's exec, for as long as a short task takes altogether. From one thread that time is
 * nobody else's; and whoever waits for all children is woken where another than this one has just run. A thread for each slot starts, waits,
 * and goes on, as the loops do that nothing is faster than; it comes into the event loop to say how its task ended and to take the next. */

enum { STACK = 1 << 20 }; /* what comes in does all that a turn does */

/* Until it has ended, without taking its end, which is done inside. */
static void
wait_for(pid_t pid)
{
	siginfo_t si;

	while (waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT) && errno == EINTR)
		;
}

struct job {
	enum dr_local_job what;
	pid_t pid;
	uint64_t serial;
};

static struct job
next_job(struct dr_local_thread *t)
{
	struct job job;

	pthread_mutex_lock(&t->mutex);
	while (t->job == DR_LOCAL_IDLE)
		pthread_cond_wait(&t->changed, &t->mutex);
	job = (struct job){ t->job, t->pid, t->serial };
	t->job = DR_LOCAL_IDLE;
	pthread_mutex_unlock(&t->mutex);
	return job;
}

/* Whoever awaits it knows now. */
static void
tell(struct dr_local_slot *s, bool started)
{
	pthread_mutex_lock(&s->thread.mutex);
	if (!started)
		s->pid = -1;
	pthread_cond_broadcast(&s->thread.changed);
	pthread_mutex_unlock(&s->thread.mutex);
}

/* A start, unless it has been made, and the child's life. 0, or -1 with err. */
static int
see_through(struct dr_local_slot *s, struct job job, struct dr_err *err)
{
	int rc;

	if (job.what == DR_LOCAL_SPAWN) {
		rc = dr_local_launch(s, true, err);
		job.pid = s->pid;
		dr_local_launched(s);
		tell(s, rc == 0);
		if (rc)
			return -1;
	}
	wait_for(job.pid);
	return 0;
}

/* The end of its task, or why it has none. */
static void
come_in(struct dr_local_slot *s, const struct dr_err *why)
{
	if (why)
		dr_local_refused(s, why);
	else
		dr_local_take_end(s->l, s);
}

static void *
serve(void *arg)
{
	struct dr_local_slot *s = arg;
	struct dr_local *l = s->l;
	struct dr_err why;
	struct job job;
	bool over = false;

	/* That of its children. And none but what we were started with is blocked: a signal that its parent blocks would not be dropped at a child's end,
	 * though nobody catches it, but wake the thread that could take it. The others are caught in whichever thread they come to. */
	pthread_sigmask(SIG_SETMASK, dr_spawn_mask(), NULL);
	while (!over && (job = next_job(&s->thread)).what != DR_LOCAL_LEAVE) {
		int rc = see_through(s, job, &why);

		dr_loop_enter(l->o.loop);
		over = l->leaving;
		if (!over) {
			/* Without threads ends are found by SIGCHLD, too: then that may have been first, and another task be in the slot. */
			if (s->serial == job.serial && dr_local_runs(s))
				come_in(s, rc ? &why : NULL);
			l->o.turn(l->o.arg);
			over = l->unthreaded && s->thread.job == DR_LOCAL_IDLE;
		}
		dr_loop_leave(l->o.loop);
	}
	return NULL;
}

int
dr_local_thread(struct dr_local_slot *s, struct dr_err *err)
{
	struct dr_local_thread *t = &s->thread;
	pthread_attr_t attr;
	int rc;

	if (t->made)
		return 0;
	rc = pthread_attr_init(&attr);
	if (rc)
		return dr_err_sys(err, rc, "start a thread");
	pthread_attr_setstacksize(&attr, STACK);
	pthread_mutex_init(&t->mutex, NULL);
	pthread_cond_init(&t->changed, NULL);
	rc = pthread_create(&t->id, &attr, serve, s);
	pthread_attr_destroy(&attr);
	t->made = rc == 0;
	if (t->made)
		return 0;
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->mutex);
	return dr_err_sys(err, rc, "start a thread");
}

static void
give(struct dr_local_slot *s, enum dr_local_job job)
{
	struct dr_local_thread *t = &s->thread;

	pthread_mutex_lock(&t->mutex);
	t->job = job;
	t->pid = s->pid;
	t->serial = s->serial;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->mutex);
}

void
dr_local_hand_over(struct dr_local_slot *s)
{
	give(s, s->pid ? DR_LOCAL_WAIT : DR_LOCAL_SPAWN);
}

void
dr_local_give_up_threads(struct dr_local *l)
{
	struct dr_err ignored;

	if (!l->o.turn || l->unthreaded || dr_loop_signal(l->o.loop, SIGCHLD, dr_local_on_child, l, &ignored))
		return;
	l->unthreaded = true;
	for (uint32_t i = 0; i < l->n_slots; i++) {
		if (l->slots[i] && l->slots[i]->thread.made && l->slots[i]->task == DR_NONE)
			give(l->slots[i], DR_LOCAL_LEAVE);
	}
}

bool
dr_local_await(struct dr_local_slot *s)
{
	if (s->pid == 0) {
		pthread_mutex_lock(&s->thread.mutex);
		while (s->pid == 0)
			pthread_cond_wait(&s->thread.changed, &s->thread.mutex);
		pthread_mutex_unlock(&s->thread.mutex);
	}
	if (s->pid < 0)
		return false;
	dr_local_list(s->l, s);
	return true;
}

void
dr_local_join(struct dr_local *l)
{
	l->leaving = true;
	dr_loop_leave(l->o.loop);
	for (uint32_t i = 0; i < l->n_slots; i++) {
		struct dr_local_thread *t = l->slots[i] ? &l->slots[i]->thread : NULL;

		if (!t || !t->made)
			continue;
		give(l->slots[i], DR_LOCAL_LEAVE);
		pthread_join(t->id, NULL);
		pthread_cond_destroy(&t->changed);
		pthread_mutex_destroy(&t->mutex);
		t->made = false;
	}
	dr_loop_enter(l->o.loop);
}
