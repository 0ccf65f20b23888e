#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "err.h"
#include "loop.h"
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const int64_t second = 1000000000;

static int
setup(void **state)
{
	*state = dr_loop_new(NULL);
	return *state ? 0 : -1;
}

static int
teardown(void **state)
{
	dr_loop_free(*state);
	return 0;
}

/* What callbacks leave behind. */
struct trace {
	struct dr_loop *loop;
	int pipes[4][2];
	int calls, last;
	int order[64];
	uint64_t id;
	int64_t when;
};

static void
open_pipes(struct trace *t)
{
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pipe(t->pipes[i]), 0);
		assert_int_equal(write(t->pipes[i][1], "xy", 2), 2);
	}
}

static void
close_pipes(struct trace *t)
{
	for (int i = 0; i < 4; i++) {
		dr_close(&t->pipes[i][0]);
		dr_close(&t->pipes[i][1]);
	}
}

static void
read_one(void *arg, int fd, short revents)
{
	struct trace *t = arg;
	char c;

	assert_true(revents & POLLIN);
	assert_int_equal(read(fd, &c, 1), 1);
	t->calls++;
	t->last = fd;
}

static void
watches_and_stops(void **state)
{
	struct trace t = { .loop = *state };
	struct dr_err err;

	open_pipes(&t);
	assert_int_equal(dr_loop_fd(t.loop, t.pipes[0][0], POLLIN, read_one, &t, &err), 0);
	assert_int_equal(dr_loop_turn(t.loop, -1, &err), 0);
	assert_int_equal(t.calls, 1);
	assert_int_equal(t.last, t.pipes[0][0]);
	assert_int_equal(dr_loop_turn(t.loop, -1, &err), 0);
	assert_int_equal(t.calls, 2);
	/* Empty now. */
	assert_int_equal(dr_loop_turn(t.loop, 0, &err), 0);
	assert_int_equal(t.calls, 2);
	for (int i = 0; i < 4; i++)
		assert_int_equal(dr_loop_fd(t.loop, t.pipes[i][0], POLLIN, read_one, &t, &err), 0);
	assert_int_equal(dr_loop_turn(t.loop, 0, &err), 0);
	assert_int_equal(t.calls, 5);
	assert_int_equal(dr_loop_fd(t.loop, t.pipes[1][0], 0, NULL, NULL, &err), 0);
	assert_int_equal(dr_loop_fd(t.loop, t.pipes[1][0], 0, NULL, NULL, &err), 0);
	assert_int_equal(dr_loop_turn(t.loop, 0, &err), 0);
	assert_int_equal(t.calls, 7);
	assert_int_equal(dr_loop_fd(t.loop, 100000, 0, NULL, NULL, &err), 0);
	assert_int_equal(dr_loop_fd(t.loop, -1, POLLIN, read_one, &t, &err), -1);
	assert_int_equal(err.sys, EBADF);
	close_pipes(&t);
}

static void
hang_up(void *arg, int fd, short revents)
{
	struct trace *t = arg;

	assert_true(revents & POLLHUP);
	t->calls++;
	assert_int_equal(dr_loop_fd(t->loop, fd, 0, NULL, NULL, NULL), 0);
}

static void
tells_a_hang_up(void **state)
{
	struct trace t = { .loop = *state };
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(dr_loop_fd(t.loop, fds[0], POLLIN, hang_up, &t, NULL), 0);
	dr_close(&fds[1]);
	assert_int_equal(dr_loop_turn(t.loop, -1, NULL), 0);
	assert_int_equal(t.calls, 1);
	assert_int_equal(dr_loop_turn(t.loop, 0, NULL), 0);
	assert_int_equal(t.calls, 1);
	dr_close(&fds[0]);
}

/* Removes all pipes, itself too, and takes the first back: only one of the four may be called. */
static void
remove_all(void *arg, int fd, short revents)
{
	struct trace *t = arg;

	(void)revents;
	t->calls++;
	t->last = fd;
	for (int i = 0; i < 4; i++)
		assert_int_equal(dr_loop_fd(t->loop, t->pipes[i][0], 0, NULL, NULL, NULL), 0);
	assert_int_equal(dr_loop_fd(t->loop, t->pipes[0][0], POLLIN, read_one, t, NULL), 0);
}

static void
callbacks_may_remove(void **state)
{
	struct trace t = { .loop = *state };

	open_pipes(&t);
	for (int i = 0; i < 4; i++)
		assert_int_equal(dr_loop_fd(t.loop, t.pipes[i][0], POLLIN, remove_all, &t, NULL), 0);
	assert_int_equal(dr_loop_turn(t.loop, 0, NULL), 0);
	assert_int_equal(t.calls, 1);
	for (int i = 0; i < 5; i++)
		assert_int_equal(dr_loop_turn(t.loop, 0, NULL), 0);
	/* The one taken back had two bytes. */
	assert_int_equal(t.calls, 3);
	assert_int_equal(t.last, t.pipes[0][0]);
	close_pipes(&t);
}

/* Watches many more, so that the arrays move while they are walked. */
static void
add_many(void *arg, int fd, short revents)
{
	struct trace *t = arg;

	(void)revents;
	t->calls++;
	assert_int_equal(dr_loop_fd(t->loop, fd, 0, NULL, NULL, NULL), 0);
	for (int i = 0; i < 100; i++) {
		int copy = dr_dup_above(fd, 100);

		assert_true(copy >= 0);
		assert_int_equal(dr_loop_fd(t->loop, copy, POLLIN, hang_up, t, NULL), 0);
	}
}

static void
callbacks_may_add(void **state)
{
	struct trace t = { .loop = *state };
	int highest;
	char two[2];

	open_pipes(&t);
	for (int i = 0; i < 4; i++)
		assert_int_equal(dr_loop_fd(t.loop, t.pipes[i][0], POLLIN, add_many, &t, NULL), 0);
	assert_int_equal(dr_loop_turn(t.loop, 0, NULL), 0);
	assert_int_equal(t.calls, 4);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(read(t.pipes[i][0], two, 2), 2);
		dr_close(&t.pipes[i][1]);
	}
	assert_int_equal(dr_loop_turn(t.loop, 0, NULL), 0);
	assert_int_equal(t.calls, 404);
	assert_int_equal(dr_loop_turn(t.loop, 0, NULL), 0);
	assert_int_equal(t.calls, 404);
	highest = dr_dup_above(t.pipes[0][0], 100);
	for (int fd = 100; fd <= highest; fd++)
		close(fd);
	close_pipes(&t);
}

static void
count(void *arg)
{
	struct trace *t = arg;

	t->calls++;
}

static void
timer_waits_for_its_time(void **state)
{
	struct trace t = { .loop = *state };
	int64_t from = dr_now(), when = from + second / 100;

	assert_int_equal(dr_loop_timer(t.loop, when, count, &t, &t.id, NULL), 0);
	assert_true(t.id != 0);
	assert_int_equal(dr_loop_turn(t.loop, 0, NULL), 0);
	if (dr_now() < when)
		assert_int_equal(t.calls, 0);
	while (!t.calls)
		assert_int_equal(dr_loop_turn(t.loop, -1, NULL), 0);
	assert_true(dr_now() >= when);
	assert_int_equal(dr_loop_turn(t.loop, 0, NULL), 0);
	assert_int_equal(t.calls, 1);
	dr_loop_cancel(t.loop, t.id);
	dr_loop_cancel(t.loop, 0);
}

static void
deadline_ends_a_turn(void **state)
{
	struct trace t = { .loop = *state };
	int64_t until = dr_now() + second / 200;

	assert_int_equal(dr_loop_timer(t.loop, until + 3600 * second, count, &t, NULL, NULL), 0);
	assert_int_equal(dr_loop_turn(t.loop, until, NULL), 0);
	assert_true(dr_now() >= until);
	assert_int_equal(dr_loop_turn(t.loop, 1, NULL), 0);
	assert_int_equal(t.calls, 0);
}

struct numbered {
	struct trace *t;
	int number;
};

static void
note_number(void *arg)
{
	struct numbered *n = arg;

	n->t->order[n->t->calls++] = n->number;
}

static void
timers_in_order(void **state)
{
	static const int64_t times[] = { 50, 20, 90, 20, 10, 20, 70, INT64_MIN };
	static const int want[] = { 7, 4, 1, 3, 5, 0, 6, 2 };
	struct trace t = { .loop = *state };
	struct numbered n[8];

	for (int i = 0; i < 8; i++) {
		n[i] = (struct numbered){ &t, i };
		assert_int_equal(dr_loop_timer(t.loop, times[i], note_number, &n[i], NULL, NULL), 0);
	}
	assert_int_equal(dr_loop_turn(t.loop, -1, NULL), 0);
	assert_int_equal(t.calls, 8);
	for (int i = 0; i < 8; i++)
		assert_int_equal(t.order[i], want[i]);
}

static void
set_again(void *arg)
{
	struct trace *t = arg;

	t->calls++;
	/* Long due, but not in this turn; and its own old id is no longer anybody's. */
	dr_loop_cancel(t->loop, t->id);
	assert_int_equal(dr_loop_timer(t->loop, 1, set_again, t, &t->id, NULL), 0);
	assert_int_equal(dr_loop_turn(t->loop, 0, NULL), -1);
}

static void
timer_that_sets_itself_ends_the_turn(void **state)
{
	struct trace t = { .loop = *state }, other = { 0 };

	assert_int_equal(dr_loop_timer(t.loop, 1, set_again, &t, &t.id, NULL), 0);
	assert_int_equal(dr_loop_timer(t.loop, 2, count, &other, NULL, NULL), 0);
	assert_int_equal(dr_loop_turn(t.loop, -1, NULL), 0);
	assert_int_equal(t.calls, 1);
	assert_int_equal(other.calls, 1);
	assert_int_equal(dr_loop_turn(t.loop, -1, NULL), 0);
	assert_int_equal(t.calls, 2);
}

static void
cancel_the_other(void *arg)
{
	struct trace *t = arg;

	t->calls++;
	dr_loop_cancel(t->loop, t->id);
}

static void
timer_cancels_one_that_is_due(void **state)
{
	struct trace t = { .loop = *state }, other = { 0 };

	assert_int_equal(dr_loop_timer(t.loop, 1, cancel_the_other, &t, NULL, NULL), 0);
	assert_int_equal(dr_loop_timer(t.loop, 2, count, &other, &t.id, NULL), 0);
	assert_int_equal(dr_loop_turn(t.loop, -1, NULL), 0);
	assert_int_equal(t.calls, 1);
	assert_int_equal(other.calls, 0);
}

static void
ascending(void *arg)
{
	struct numbered *n = arg;

	/* The time is in number; last is the latest that was called. */
	assert_true(n->number >= n->t->last);
	n->t->last = n->number;
	n->t->calls++;
}

static void
many_timers_set_and_cancelled(void **state)
{
	enum { N = 20000, ROUNDS = 10 };
	struct trace t = { .loop = *state };
	struct numbered *n = calloc(N, sizeof(*n));
	uint64_t *ids = calloc(N, sizeof(*ids)), chance = 1;
	int left = N;

	assert_non_null(n);
	assert_non_null(ids);
	/* Every id is cancelled several times, and set anew: an id of before must not reach it. */
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < N; i++) {
			uint64_t old = ids[i];

			dr_loop_cancel(t.loop, ids[i]);
			chance = chance * UINT64_C(6364136223846793005) + 1442695040888963407;
			n[i] = (struct numbered){ &t, (int)(chance >> 40) };
			assert_int_equal(dr_loop_timer(t.loop, n[i].number, ascending, &n[i], &ids[i], NULL),
					 0);
			assert_true(ids[i] != old && ids[i] != 0);
			dr_loop_cancel(t.loop, old);
		}
	}
	for (int i = 0; i < N; i += 3, left--)
		dr_loop_cancel(t.loop, ids[i]);
	assert_int_equal(dr_loop_turn(t.loop, 0, NULL), 0);
	assert_int_equal(t.calls, left);
	free(ids);
	free(n);
}

static void
on_signal(void *arg, int sig)
{
	struct trace *t = arg;

	t->calls++;
	t->last = sig;
}

static void
signals_are_events(void **state)
{
	struct trace t = { .loop = *state };
	struct sigaction now;
	struct dr_err err;

	assert_int_equal(dr_loop_signal(t.loop, SIGUSR1, on_signal, &t, &err), 0);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(t.calls, 0);
	assert_int_equal(dr_loop_turn(t.loop, -1, &err), 0);
	assert_int_equal(t.calls, 1);
	assert_int_equal(t.last, SIGUSR1);
	/* Twice is twice. */
	raise(SIGUSR1);
	raise(SIGUSR1);
	assert_int_equal(dr_loop_turn(t.loop, -1, &err), 0);
	assert_int_equal(t.calls, 3);
	assert_int_equal(dr_loop_turn(t.loop, 0, &err), 0);
	assert_int_equal(t.calls, 3);
	assert_int_equal(dr_loop_signal(t.loop, SIGKILL, on_signal, &t, &err), -1);
	assert_int_equal(err.sys, EINVAL);
	assert_int_equal(dr_loop_signal(t.loop, 0, on_signal, &t, &err), -1);
	assert_int_equal(dr_loop_signal(t.loop, 1000, on_signal, &t, &err), -1);
	dr_loop_free(t.loop);
	*state = NULL;
	assert_int_equal(sigaction(SIGUSR1, NULL, &now), 0);
	assert_true(now.sa_handler == SIG_DFL);
}

static void
one_loop_at_a_time(void **state)
{
	struct trace t = { .loop = *state };
	struct dr_loop *two = dr_loop_new(NULL);
	struct dr_err err;

	assert_non_null(two);
	assert_int_equal(dr_loop_signal(t.loop, SIGUSR1, on_signal, &t, &err), 0);
	assert_int_equal(dr_loop_signal(two, SIGUSR2, on_signal, &t, &err), -1);
	assert_int_equal(err.sys, EBUSY);
	dr_loop_free(t.loop);
	*state = two;
	assert_int_equal(dr_loop_signal(two, SIGUSR2, on_signal, &t, &err), 0);
	raise(SIGUSR2);
	assert_int_equal(dr_loop_turn(two, -1, &err), 0);
	assert_int_equal(t.last, SIGUSR2);
}

static void
ignored_stays_ignored(void **state)
{
	struct trace t = { .loop = *state };
	struct sigaction now;

	assert_true(signal(SIGHUP, SIG_IGN) != SIG_ERR);
	assert_int_equal(dr_loop_signal(t.loop, SIGHUP, on_signal, &t, NULL), 0);
	raise(SIGHUP);
	assert_int_equal(dr_loop_turn(t.loop, 0, NULL), 0);
	assert_int_equal(t.calls, 0);
	assert_int_equal(sigaction(SIGHUP, NULL, &now), 0);
	assert_true(now.sa_handler == SIG_IGN);
	assert_true(signal(SIGHUP, SIG_DFL) != SIG_ERR);
}

static void
blocked_arrives_nevertheless(void **state)
{
	struct trace t = { .loop = *state };
	sigset_t one, old, now;

	sigemptyset(&one);
	sigaddset(&one, SIGUSR1);
	assert_int_equal(sigprocmask(SIG_BLOCK, &one, &old), 0);
	assert_int_equal(dr_loop_signal(t.loop, SIGUSR1, on_signal, &t, NULL), 0);
	raise(SIGUSR1);
	assert_int_equal(dr_loop_turn(t.loop, -1, NULL), 0);
	assert_int_equal(t.calls, 1);
	dr_loop_free(t.loop);
	*state = NULL;
	assert_int_equal(sigprocmask(SIG_SETMASK, &old, &now), 0);
	assert_true(sigismember(&now, SIGUSR1));
}

/* One call, and no child is left unheard, however many ended meanwhile; also where SIGCHLD was ignored. */
static void
children_ends_are_told(void **state)
{
	enum { N = 5 };
	struct trace t = { .loop = *state };
	pid_t pids[N];
	siginfo_t info;

	assert_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
	assert_int_equal(dr_loop_signal(t.loop, SIGCHLD, on_signal, &t, NULL), 0);
	for (int i = 0; i < N; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			_exit(0);
		assert_int_equal(waitid(P_PID, (id_t)pids[i], &info, WEXITED | WNOWAIT), 0);
	}
	assert_int_equal(dr_loop_turn(t.loop, -1, NULL), 0);
	assert_int_equal(t.calls, 1);
	assert_int_equal(t.last, SIGCHLD);
	for (int i = 0; i < N; i++)
		assert_int_equal(waitpid(pids[i], NULL, WNOHANG), pids[i]);
	dr_loop_free(t.loop);
	*state = NULL;
	assert_true(signal(SIGCHLD, SIG_DFL) == SIG_IGN);
}

static void
descriptors_close_on_exec(void **state)
{
	enum { N = 256 };
	bool open_before[N];
	struct dr_loop *l;
	int found = 0;

	(void)state;
	for (int fd = 0; fd < N; fd++)
		open_before[fd] = fcntl(fd, F_GETFD) >= 0;
	l = dr_loop_new(NULL);
	assert_non_null(l);
	for (int fd = 0; fd < N; fd++) {
		if (open_before[fd] || fcntl(fd, F_GETFD) < 0)
			continue;
		found++;
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	}
	assert_int_equal(found, 2);
	dr_loop_free(l);
	for (int fd = 0; fd < N; fd++)
		assert_true(open_before[fd] || fcntl(fd, F_GETFD) < 0);
	dr_loop_free(NULL);
}

/* Without signals nothing is told of children any more: an error, and no turn that ends at once for ever. */
static void
signals_that_cannot_be_read_are_an_error(void **state)
{
	struct dr_err err = { 0 };
	struct dr_loop *l;
	int pipe = dup(0), dir;

	(void)state;
	assert_true(pipe >= 0);
	assert_int_equal(close(pipe), 0);
	l = dr_loop_new(NULL);
	assert_non_null(l);
	assert_true(fcntl(pipe, F_GETFD) >= 0); /* the lowest free number was its */
	dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	assert_int_equal(dup2(dir, pipe), pipe); /* ready to be read at all times, and cannot be */
	assert_int_equal(dr_loop_turn(l, dr_now() + 60 * second, &err), -1);
	assert_int_equal(err.code, DR_SYSTEM);
	assert_int_equal(err.sys, EISDIR);
	assert_non_null(strstr(err.msg, "signals"));
	assert_int_equal(dr_loop_turn(l, dr_now() + 60 * second, &err), -1);
	dr_close(&dir);
	dr_loop_free(l);
}

/* Another thread, for what it does inside while the turn waits. */
struct guest {
	struct trace *t;
	void (*inside)(struct trace *t);
	bool was; /* known inside */
};

static void *
come_in(void *arg)
{
	struct guest *g = arg;

	dr_loop_enter(g->t->loop);
	g->inside(g->t);
	g->was = true;
	dr_loop_leave(g->t->loop);
	return NULL;
}

/* A turn that would wait for ever, and a guest who comes as soon as it does: he cannot before, and it goes on until he has. */
static void
turn_with_guest(struct trace *t, void (*inside)(struct trace *t))
{
	struct guest g = { t, inside, false };
	pthread_t guest;

	assert_int_equal(pthread_create(&guest, NULL, come_in, &g), 0);
	while (!g.was)
		assert_int_equal(dr_loop_turn(t->loop, -1, NULL), 0);
	assert_int_equal(pthread_join(guest, NULL), 0);
}

static void
hurry_now(struct trace *t)
{
	t->calls++;
	dr_loop_hurry(t->loop, 0);
	dr_loop_hurry(t->loop, 0);
}

static void
guest_on_timer(void *arg)
{
	((struct trace *)arg)->last = 7;
}

static void
set_a_timer(struct trace *t)
{
	dr_loop_timer(t->loop, 0, guest_on_timer, t, NULL, NULL);
}

static void
watch_a_pipe(struct trace *t)
{
	dr_loop_fd(t->loop, t->pipes[0][0], POLLIN, read_one, t, NULL);
}

static void
put_one_in_place_of_another(struct trace *t)
{
	dr_loop_fd(t->loop, t->pipes[0][0], 0, NULL, NULL, NULL);
	close(t->pipes[0][0]);
	dup2(t->pipes[1][0], t->pipes[0][0]);
	dr_loop_fd(t->loop, t->pipes[0][0], POLLIN, read_one, t, NULL);
}

/* What another thread does while the turn waits counts at once; and a number that has become another file's is not mistaken. */
static void
others_come_in(void **state)
{
	struct trace t = { .loop = *state };
	char xy[2];

	open_pipes(&t);
	turn_with_guest(&t, hurry_now);
	assert_int_equal(t.calls, 1);
	turn_with_guest(&t, set_a_timer);
	assert_int_equal(t.last, 7);

	t.calls = 0;
	turn_with_guest(&t, watch_a_pipe); /* the turn may end with no more than the news of it */
	while (!t.calls)
		assert_int_equal(dr_loop_turn(t.loop, -1, NULL), 0);
	assert_int_equal(t.last, t.pipes[0][0]);

	assert_int_equal(read(t.pipes[0][0], xy, 1), 1);
	assert_int_equal(read(t.pipes[1][0], xy, 2), 2);
	t.calls = 0;
	turn_with_guest(&t, put_one_in_place_of_another);
	assert_int_equal(dr_loop_turn(t.loop, 0, NULL), 0);
	assert_int_equal(t.calls, 0);
	assert_int_equal(write(t.pipes[1][1], "z", 1), 1);
	assert_int_equal(dr_loop_turn(t.loop, -1, NULL), 0);
	assert_int_equal(t.calls, 1);
	close_pipes(&t);
}

/* A turn that waits ends only for what is due sooner. */
static void
later_is_no_hurry(void **state)
{
	struct dr_loop *l = *state;
	int64_t until = dr_now() + second / 100;

	dr_loop_hurry(l, 0); /* nobody waits */
	assert_int_equal(dr_loop_turn(l, until, NULL), 0);
	assert_true(dr_now() >= until);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(watches_and_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(tells_a_hang_up, setup, teardown),
		cmocka_unit_test_setup_teardown(callbacks_may_remove, setup, teardown),
		cmocka_unit_test_setup_teardown(callbacks_may_add, setup, teardown),
		cmocka_unit_test_setup_teardown(timer_waits_for_its_time, setup, teardown),
		cmocka_unit_test_setup_teardown(deadline_ends_a_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(timers_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(timer_that_sets_itself_ends_the_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(timer_cancels_one_that_is_due, setup, teardown),
		cmocka_unit_test_setup_teardown(many_timers_set_and_cancelled, setup, teardown),
		cmocka_unit_test_setup_teardown(signals_are_events, setup, teardown),
		cmocka_unit_test_setup_teardown(one_loop_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(ignored_stays_ignored, setup, teardown),
		cmocka_unit_test_setup_teardown(blocked_arrives_nevertheless, setup, teardown),
		cmocka_unit_test_setup_teardown(children_ends_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(others_come_in, setup, teardown),
		cmocka_unit_test_setup_teardown(later_is_no_hurry, setup, teardown),
		cmocka_unit_test(descriptors_close_on_exec),
		cmocka_unit_test(signals_that_cannot_be_read_are_an_error),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
