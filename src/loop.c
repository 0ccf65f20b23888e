#include "config.h"

#include "loop-private.h"

#include "arena.h"
#include "err.h"
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOKS = 2000 }; /* 25 to 120 µs, by processor */

/* The write end of the pipe of the loop that catches signals. A handler can't be given anything, so this is
 * the one global that changes. */
static volatile sig_atomic_t signal_pipe = -1;

static void
on_signal(int sig)
{
	int e = errno;
	unsigned char byte = (unsigned char)sig;
	ssize_t rc = write(signal_pipe, &byte, 1);

	/* Full: 65,536 signals wait already, and this one is most likely among them. */
	(void)rc;
	errno = e;
}

static int
nonblocking_pipe(int fds[2])
{
#ifdef HAVE_PIPE2
	return pipe2(fds, O_CLOEXEC | O_NONBLOCK);
#else
	if (pipe(fds))
		return -1;
	for (int i = 0; i < 2; i++) {
		if (fcntl(fds[i], F_SETFD, FD_CLOEXEC) || fcntl(fds[i], F_SETFL, O_NONBLOCK)) {
			dr_close(&fds[0]);
			dr_close(&fds[1]);
			return -1;
		}
	}
	return 0;
#endif
}

/* Calls what watches the signals that have come. Each delivery is a call, since a second SIGINT means more
 * than one; but SIGCHLD, which says no more than that there are children to wait for, is told once, last. */
static void
read_signals(void *arg, int fd, short revents)
{
	struct dr_loop *l = arg;
	unsigned char bytes[256];
	bool child = false;
	ssize_t n;

	(void)revents;
	do {
		n = read(fd, bytes, sizeof(bytes));
		for (ssize_t i = 0; i < n; i++) {
			const struct dr_loop_caught *c = &l->caught[bytes[i] % DR_LOOP_SIGNALS];

			if (bytes[i] == SIGCHLD)
				child = true;
			else if (c->fn)
				c->fn(c->arg, bytes[i]);
		}
		/* Less than there was room for was all; what has come since, poll tells. */
	} while (n == (ssize_t)sizeof(bytes) || (n < 0 && errno == EINTR));
	if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		l->failed = errno;
	if (child && l->caught[SIGCHLD].fn)
		l->caught[SIGCHLD].fn(l->caught[SIGCHLD].arg, SIGCHLD);
}

struct dr_loop *
dr_loop_new(struct dr_err *err)
{
	struct dr_loop *l = calloc(1, sizeof(*l));

	if (!l) {
		dr_err_nomem(err);
		return NULL;
	}
	pthread_mutex_init(&l->inside, NULL);
	l->looks = dr_processors() > 1 ? LOOKS : 0;
	dr_loop_enter(l);
	l->turned_at = INT64_MIN;
	l->pipe[0] = l->pipe[1] = -1;
	if (nonblocking_pipe(l->pipe)) {
		dr_err_sys(err, errno, "make a pipe for signals");
		goto fail;
	}
	if (dr_loop_fd(l, l->pipe[0], POLLIN, read_signals, l, err))
		goto fail;
	return l;
fail:
	dr_loop_free(l);
	return NULL;
}

void
dr_loop_free(struct dr_loop *l)
{
	sigset_t one;

	if (!l)
		return;
	for (int sig = 1; sig < DR_LOOP_SIGNALS; sig++) {
		if (!l->caught[sig].fn)
			continue;
		sigaction(sig, &l->caught[sig].old, NULL);
		if (l->caught[sig].was_blocked) {
			sigemptyset(&one);
			sigaddset(&one, sig);
			sigprocmask(SIG_BLOCK, &one, NULL);
		}
	}
	if (l->pipe[1] >= 0 && signal_pipe == l->pipe[1])
		signal_pipe = -1;
	dr_close(&l->pipe[0]);
	dr_close(&l->pipe[1]);
	pthread_mutex_unlock(&l->inside);
	pthread_mutex_destroy(&l->inside);
	free(l->polls);
	free(l->polled);
	free(l->watches);
	free(l->index);
	free(l->slots);
	free(l->heap);
	free(l);
}

/* Descriptors. */

static int
grow_index(struct dr_loop *l, int fd)
{
	uint32_t old = l->index_cap;

	if (dr_grow(&l->index, &l->index_cap, (size_t)fd + 1, sizeof(*l->index)))
		return -1;
	memset(l->index + old, 0, (l->index_cap - old) * sizeof(*l->index));
	return 0;
}

/* Moves what is watched into the holes. */
static void
close_holes(struct dr_loop *l)
{
	for (uint32_t i = 0; l->holes && i < l->n;) {
		if (l->polls[i].fd >= 0) {
			i++;
			continue;
		}
		l->n--;
		l->holes--;
		l->polls[i] = l->polls[l->n];
		l->watches[i] = l->watches[l->n];
		if (l->polls[i].fd >= 0)
			l->index[l->polls[i].fd] = i + 1;
	}
}

static void
watched_anew(struct dr_loop *l)
{
	l->changed = true;
	dr_loop_hurry(l, 0);
}

int
dr_loop_fd(struct dr_loop *l, int fd, short events, dr_loop_fd_fn fn, void *arg, struct dr_err *err)
{
	uint32_t i;

	if (fd < 0)
		return dr_err_sys(err, EBADF, "watch descriptor %d", fd);
	if (!events) {
		if ((uint32_t)fd >= l->index_cap || !l->index[fd])
			return 0;
		l->polls[l->index[fd] - 1].fd = -1;
		l->polls[l->index[fd] - 1].revents = 0;
		l->index[fd] = 0;
		l->holes++;
		watched_anew(l);
		if (!l->turning)
			close_holes(l);
		return 0;
	}
	if (grow_index(l, fd) || dr_grow(&l->polls, &l->polls_cap, (size_t)l->n + 1, sizeof(*l->polls)) ||
	    dr_grow(&l->watches, &l->watches_cap, (size_t)l->n + 1, sizeof(*l->watches)))
		return dr_err_nomem(err);
	if (!l->index[fd])
		l->index[fd] = ++l->n;
	i = l->index[fd] - 1;
	/* What poll said was for the watch that this one replaces; it says it again in the next turn. */
	l->polls[i] = (struct pollfd){ .fd = fd, .events = events };
	l->watches[i] = (struct dr_loop_watch){ fn, arg };
	watched_anew(l);
	return 0;
}

/* Signals. */

int
dr_loop_signal(struct dr_loop *l, int sig, dr_loop_signal_fn fn, void *arg, struct dr_err *err)
{
	struct dr_loop_caught *c = sig > 0 && sig < DR_LOOP_SIGNALS ? &l->caught[sig] : NULL;
	struct sigaction sa, old;
	sigset_t one, mask;

	if (!c || !fn)
		return dr_err_sys(err, EINVAL, "watch signal %d", sig);
	if (c->fn) {
		c->fn = fn;
		c->arg = arg;
		return 0;
	}
	if (signal_pipe >= 0 && signal_pipe != l->pipe[1])
		return dr_err_sys(err, EBUSY, "watch %s", dr_signal_name(sig));
	if (sigaction(sig, NULL, &old))
		return dr_err_sys(err, errno, "watch %s", dr_signal_name(sig));
	if (!(old.sa_flags & SA_SIGINFO) && old.sa_handler == SIG_IGN && sig != SIGCHLD)
		return 0;
	signal_pipe = l->pipe[1];
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_signal;
	sa.sa_flags = SA_RESTART | (sig == SIGCHLD ? SA_NOCLDSTOP : 0);
	sigfillset(&sa.sa_mask);
	if (sigaction(sig, &sa, &c->old))
		return dr_err_sys(err, errno, "watch %s", dr_signal_name(sig));
	c->fn = fn;
	c->arg = arg;
	/* Whoever started us may have left it blocked; it would never arrive then. */
	sigemptyset(&one);
	sigaddset(&one, sig);
	c->was_blocked = sigprocmask(SIG_UNBLOCK, &one, &mask) == 0 && sigismember(&mask, sig) == 1;
	return 0;
}

/* Other threads. */

static void
breathe(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Whoever finds another inside looks again for as long as that one's turn takes, as a rule, before it sleeps: to be woken on a core that has gone
 * to rest takes longer. One at a time; and where there is one core, nobody. */
static void
look_again(struct dr_loop *l)
{
	int looks = l->looks;

	if (!looks || atomic_exchange(&l->looking, true))
		return;
	while (looks-- && atomic_load_explicit(&l->taken, memory_order_relaxed))
		breathe();
	atomic_store(&l->looking, false);
}

void
dr_loop_enter(struct dr_loop *l)
{
	if (pthread_mutex_trylock(&l->inside)) {
		look_again(l);
		pthread_mutex_lock(&l->inside);
	}
	atomic_store_explicit(&l->taken, true, memory_order_relaxed);
}

void
dr_loop_leave(struct dr_loop *l)
{
	atomic_store_explicit(&l->taken, false, memory_order_relaxed);
	pthread_mutex_unlock(&l->inside);
}

/* By a byte that is no signal's number. */
void
dr_loop_hurry(struct dr_loop *l, int64_t when)
{
	ssize_t rc;

	if (!l->waiting || l->hurried || when < 0 || (l->until >= 0 && when >= l->until))
		return;
	/* A pipe that is full wakes it as well. */
	rc = write(l->pipe[1], "", 1);
	(void)rc;
	l->hurried = true;
}

/* When poll is to end, if nothing happens; <0: never. */
static int64_t
poll_until(const struct dr_loop *l, int64_t deadline)
{
	if (l->n_heap && (deadline < 0 || l->heap[0].when < deadline))
		return l->heap[0].when < 0 ? 0 : l->heap[0].when;
	return deadline;
}

/* How long poll may wait, in its unit; rounded up, since woken early it would only be asked again. */
static int
poll_timeout(int64_t deadline, int64_t now)
{
	int64_t ms;

	if (deadline < 0)
		return -1;
	if (deadline <= now)
		return 0;
	ms = (deadline - now - 1) / 1000000 + 1;
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

/* All that poll found, from the end, so that the signals' pipe comes last: what a child wrote before it ended
 * is read before its end is told. Callbacks add, replace and remove meanwhile; what they add is behind i. */
static void
call_watches(struct dr_loop *l)
{
	for (uint32_t i = l->n; i-- > 0;) {
		struct dr_loop_watch w = l->watches[i];
		short revents = l->polls[i].revents;

		if (l->polls[i].fd < 0 || !revents)
			continue;
		l->polls[i].revents = 0;
		w.fn(w.arg, l->polls[i].fd, revents);
	}
}

/* Lets others in while it polls; so poll has a copy. Where they have changed what is watched, the next turn tells what is up. */
static int
wait_outside(struct dr_loop *l, int64_t deadline, struct dr_err *err)
{
	uint32_t n = l->n;
	int rc, why;

	if (dr_grow(&l->polled, &l->polled_cap, n, sizeof(*l->polled)))
		return dr_err_nomem(err);
	memcpy(l->polled, l->polls, n * sizeof(*l->polled));
	l->until = poll_until(l, deadline);
	l->changed = l->hurried = false;
	l->waiting = true;
	dr_loop_leave(l);
	do {
		rc = poll(l->polled, n, poll_timeout(l->until, dr_now()));
		why = errno;
	} while (rc < 0 && why == EINTR);
	dr_loop_enter(l);
	l->waiting = false;
	if (rc < 0)
		return dr_err_sys(err, why, "poll");
	if (l->changed)
		return 0;
	for (uint32_t i = 0; rc && i < n; i++)
		l->polls[i].revents = l->polled[i].revents;
	return rc;
}

int
dr_loop_turn(struct dr_loop *l, int64_t deadline, struct dr_err *err)
{
	int n;

	if (l->turning)
		return dr_err_sys(err, EDEADLK, "turn the event loop from within");
	n = wait_outside(l, deadline, err);
	if (n < 0)
		return -1;
	l->turning = true;
	if (n > 0)
		call_watches(l);
	if (l->n_heap)
		dr_loop_call_timers(l);
	l->turning = false;
	close_holes(l);
	/* What it would have told is lost; and it stays ready, so that no turn would ever wait again. */
	return l->failed ? dr_err_sys(err, l->failed, "read which signals have come") : 0;
}
