#include "config.h"

#include "guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef HAVE_PRCTL
#include <sys/prctl.h>
#endif

#include "os.h"
#include "proc.h"

/* The run is dead, so nobody waits for its tasks' results: they have a moment to tidy up. All is to be
 * over in a second. */
#define GRACE_NS (INT64_C(250) * 1000000)
/* A process that not even KILL ends, as it hangs in the kernel, must not keep the tokens from others. */
#define LONG_NS (INT64_C(5) * 1000000000)
/* How long a token may wait for room in its pool: one that is full has more than it began with. */
#define FULL_NS (INT64_C(1) * 1000000000)
/* How long a copy of the lifeline that is no child of the run's may keep us from knowing of its death. */
#define HANGS_NS (INT64_C(2) * 1000000000)

enum { STEP_MS = 20, LONG_STEP_MS = 1000 };

struct watch {
	struct dr_guard_table *t;
	int parent; /* tells of the run's end, or -1 */
	bool said;  /* farewell */
	bool dead;
	/* Of a sweep. */
	int signal; /* 0: none */
	uint32_t found;
	struct dr_proc last;
};

static uint32_t
used(const struct dr_guard_table *t)
{
	uint32_t n = atomic_load(&t->used);

	return n < t->n_slots ? n : t->n_slots;
}

static bool
has(const struct dr_guard_table *t, int fd)
{
	return t->passed >> fd & 1;
}

/* Tokens. */

/* 1: written; 0: there is no room; -1: the pool has gone. */
static int
write_token(struct dr_guard_table *t, struct dr_guard_slot *s, int pool)
{
	struct pollfd room = { .fd = pool, .events = POLLOUT };
	ssize_t n;

	/* The description may be one that we share and that blocks. */
	if (poll(&room, 1, 0) == 0)
		return 0;
	atomic_store(&s->token, DR_TOKEN_WRITING);
	do
		n = write(pool, &s->byte, 1);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		atomic_store(&s->token, DR_TOKEN_RETURNING);
		return 0;
	}
	if (n > 0)
		atomic_fetch_add(&t->wrote, 1);
	atomic_store(&s->token, DR_TOKEN_FREE);
	return n > 0 ? 1 : -1;
}

uint32_t
dr_guardian_write(struct dr_guard_table *t, int pool)
{
	uint32_t left = 0;

	for (uint32_t i = 0, n = used(t); i < n; i++) {
		struct dr_guard_slot *s = &t->slots[i];

		if (atomic_load(&s->token) == DR_TOKEN_RETURNING && (left || write_token(t, s, pool) == 0))
			left++;
	}
	return left;
}

/* All that are to go back, within reason. */
static void
write_all(struct dr_guard_table *t)
{
	const int64_t until = dr_now() + FULL_NS;

	if (!has(t, DR_GUARD_POOL))
		return;
	while (dr_guardian_write(t, DR_GUARD_POOL) && dr_now() < until)
		poll(NULL, 0, 1);
}

/* The run has died: what it held goes back. */
static void
take_over(struct dr_guard_table *t)
{
	bool via = has(t, DR_GUARD_VIA);

	for (uint32_t i = 0, n = used(t); i < n; i++) {
		struct dr_guard_slot *s = &t->slots[i];
		struct pollfd p = { .fd = DR_GUARD_VIA, .events = POLLIN };
		bool held = false;

		switch (atomic_load(&s->token)) {
		case DR_TOKEN_WANTED:
			held = s->byte != DR_TOKEN_NOT;
			break;
		case DR_TOKEN_MOVING:
		case DR_TOKEN_MOVED:
			/* In the pipe, or else where it was before or comes after. */
			if (via && poll(&p, 1, 0) > 0 && p.revents & POLLIN)
				held = read(DR_GUARD_VIA, &s->byte, 1) == 1;
			else
				held = atomic_load(&s->token) == DR_TOKEN_MOVED;
			break;
		case DR_TOKEN_HELD:
		case DR_TOKEN_RETURNING:
			held = true;
			break;
		default:
			break;
		}
		atomic_store(&s->token, held ? DR_TOKEN_RETURNING : DR_TOKEN_FREE);
	}
}

/* Tasks. */

static bool
is_guarded(const struct dr_guard_slot *s)
{
	return atomic_load(&s->task) != DR_GUARD_NONE;
}

static bool
is_ours(void *arg, const struct dr_mark *m)
{
	struct dr_guard_table *t = arg;

	if (m->run != t->run)
		return false;
	for (uint32_t i = 0, n = used(t); i < n; i++) {
		if (is_guarded(&t->slots[i]) && atomic_load(&t->slots[i].serial) == m->serial)
			return true;
	}
	return false;
}

static bool
in_session(struct dr_guard_table *t, pid_t session)
{
	for (uint32_t i = 0, n = used(t); session > 0 && i < n; i++) {
		struct dr_guard_slot *s = &t->slots[i];

		if (is_guarded(s) && atomic_load(&s->pid) == session) {
			s->seen = 1;
			return true;
		}
	}
	return false;
}

static void
on_process(void *arg, const struct dr_proc *p)
{
	struct watch *w = arg;

	if (p->pid == getpid() || (!in_session(w->t, p->session) && !dr_proc_marked(p, is_ours, w->t)))
		return;
	w->found++;
	w->last = *p;
	if (w->signal)
		dr_proc_signal(p, w->signal);
}

/* 1: there is something, and sig (0: nothing) was sent to it; 0: there is nothing; -1: there is no
 * telling. */
static int
sweep(struct watch *w, int sig)
{
	for (uint32_t i = 0, n = used(w->t); i < n; i++)
		w->t->slots[i].seen = 0;
	w->found = 0;
	w->signal = sig;
	if (dr_proc_each(on_process, w))
		return -1;
	/* The number of a session that nobody is in can be another's the next time. */
	for (uint32_t i = 0, n = used(w->t); i < n; i++) {
		if (!w->t->slots[i].seen)
			atomic_store(&w->t->slots[i].pid, 0);
	}
	return w->found > 0;
}

/* Without /proc: the tasks' groups, which is what they mostly are. */
static void
end_groups(struct dr_guard_table *t)
{
	static const int sigs[] = { SIGTERM, SIGCONT, SIGKILL };

	for (size_t k = 0; k < sizeof(sigs) / sizeof(*sigs); k++) {
		for (uint32_t i = 0, n = used(t); i < n; i++) {
			pid_t pid = atomic_load(&t->slots[i].pid);

			if (is_guarded(&t->slots[i]) && pid > 0)
				kill(-pid, sigs[k]);
		}
		if (sigs[k] == SIGCONT)
			poll(NULL, 0, GRACE_NS / 1000000);
	}
}

/* KILL from `kill_at` on, until nothing is left. False: something is, at `until` (<0: there is no such
 * moment). */
static bool
wait_for_tasks(struct watch *w, int64_t kill_at, int64_t until)
{
	uint32_t empty = 0;

	/* One that starts another and ends while we look may have both escape us: twice nothing is
	 * nothing. */
	while (empty < 2) {
		int64_t now = dr_now();

		if (sweep(w, now >= kill_at ? SIGKILL : 0) <= 0) {
			empty++;
			continue;
		}
		empty = 0;
		if (until >= 0 && now >= until)
			return false;
		dr_proc_wait(&w->last, until < 0 ? LONG_STEP_MS : STEP_MS);
	}
	return true;
}

static bool
end_tasks(struct watch *w)
{
	int64_t now = dr_now();
	uint32_t i = 0, n = used(w->t);

	while (i < n && !is_guarded(&w->t->slots[i]))
		i++;
	if (i == n)
		return true;
	/* TERM once: to some a second one means another thing. */
	if (sweep(w, SIGTERM) < 0) {
		end_groups(w->t);
		return true;
	}
	return wait_for_tasks(w, now + GRACE_NS, now + LONG_NS);
}

/* Our own pool. */

static void
remove_pool(struct dr_guard_table *t)
{
	static const char name[] = "/pool";
	char fifo[sizeof(t->dir) + sizeof(name)];
	size_t n = strnlen(t->dir, sizeof(t->dir) - 1);

	if (!n)
		return;
	memcpy(fifo, t->dir, n);
	memcpy(fifo + n, name, sizeof(name));
	unlink(fifo);
	fifo[n] = '\0';
	rmdir(fifo);
}

/* In this order: who finds a token free, or a claim, finds no task of ours beside it. */
static void
last_will(struct watch *w)
{
	bool over = end_tasks(w);

	take_over(w->t);
	write_all(w->t);
	remove_pool(w->t);
	if (over)
		return;
	/* Who waits for the end of the pool need not wait for a process that the kernel does not let go. */
	close(DR_GUARD_POOL);
	close(DR_GUARD_VIA);
	wait_for_tasks(w, 0, -1);
}

/* The watch. */

static bool
any_starting(const struct dr_guard_table *t)
{
	for (uint32_t i = 0, n = used(t); i < n; i++) {
		if (atomic_load(&t->slots[i].task) == DR_GUARD_STARTING)
			return true;
	}
	return false;
}

static void
read_lifeline(struct watch *w)
{
	char bytes[512];
	ssize_t n;

	while ((n = read(DR_GUARD_LIFELINE, bytes, sizeof(bytes))) > 0 || (n < 0 && errno == EINTR)) {
		if (n > 0 && memchr(bytes, DR_GUARD_FAREWELL, (size_t)n))
			w->said = true;
	}
	if (n == 0)
		w->dead = true;
}

/* Until farewell or death. */
static void
watch(struct watch *w)
{
	int64_t ended = 0;

	while (!w->said && !w->dead) {
		/* Before the first wait: another one may have died of it. */
		uint32_t left = has(w->t, DR_GUARD_POOL) ? dr_guardian_write(w->t, DR_GUARD_POOL) : 0;
		struct pollfd p[] = {
			{ .fd = DR_GUARD_LIFELINE, .events = POLLIN },
			{ .fd = ended ? -1 : w->parent, .events = POLLIN },
			{ .fd = left ? DR_GUARD_POOL : -1, .events = POLLOUT },
		};

		if (poll(p, 3, ended ? STEP_MS : -1) < 0 && errno != EINTR)
			poll(NULL, 0, STEP_MS);
		if (p[0].revents)
			read_lifeline(w);
		/* A copy of the lifeline may be with another child of the program that the run is a part
		 * of, for as long as that lives. One that is with a task's start goes when the task has
		 * its mark. */
		if (p[1].revents)
			ended = dr_now();
		if (ended && (!any_starting(w->t) || dr_now() >= ended + HANGS_NS))
			w->dead = true;
	}
}

/* A child like a task would be the first that the kernel ends when memory is short: it is small, but to
 * end it would free none. */
static void
stay(struct dr_guard_table *t)
{
	static const char score[] = "-999";
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return;
	n = write(fd, score, sizeof(score) - 1);
	if (n > 0)
		atomic_fetch_add(&t->wrote, (uint64_t)n);
	close(fd);
}

static void
close_others(int from)
{
#ifdef HAVE_CLOSE_RANGE
	if (close_range((unsigned)from, ~0U, 0) == 0)
		return;
#endif
	for (long most = sysconf(_SC_OPEN_MAX); from < most; from++)
		close(from);
}

static int
open_parent(const struct dr_guard_table *t)
{
#ifdef SYS_pidfd_open
	int fd = (int)syscall(SYS_pidfd_open, t->pid, 0);

	/* If it has ended already, the number may be another's; then only the lifeline tells. */
	if (fd >= 0 && getppid() != t->pid)
		dr_close(&fd);
	return fd;
#else
	(void)t;
	return -1;
#endif
}

int
dr_guardian_process(struct dr_guard_table *t)
{
	struct watch w = { .t = t };
	sigset_t all;

#ifdef HAVE_PRCTL
	/* It has come as /proc/self/exe, or is the fork of another. */
	prctl(PR_SET_NAME, DR_GUARDIAN_NAME);
#endif
	/* What ends our run's terminal or group is not for us. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	close_others(DR_GUARD_END);
	for (int fd = DR_GUARD_LIFELINE; fd < DR_GUARD_END; fd++) {
		if (!has(t, fd))
			close(fd);
	}
	/* We keep no directory from being unmounted; where there is no root, none of it matters. */
	if (chdir("/"))
		errno = 0;
	stay(t);
	w.parent = open_parent(t);
	atomic_store(&t->ready, 1);
	watch(&w);
	if (w.said)
		write_all(t);
	else
		last_will(&w);
	return 0;
}

int
dr_guardian_main(void)
{
	struct dr_guard_table *t;
	struct stat st;

	if (fstat(DR_GUARD_TABLE, &st) || st.st_size < (off_t)sizeof(*t))
		return 2;
	t = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, DR_GUARD_TABLE, 0);
	if (t == MAP_FAILED)
		return 2;
	if (t->magic != DR_GUARD_MAGIC || t->version != DR_GUARD_VERSION ||
	    (uint64_t)st.st_size < sizeof(*t) + (uint64_t)t->n_slots * sizeof(*t->slots))
		return 2;
	return dr_guardian_process(t);
}
