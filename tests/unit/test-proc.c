#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "proc.h"
#include "spawn.h"
#include "under-valgrind.h"

struct seek {
	pid_t pid;
	bool found;
	struct dr_proc p;
};

static void
on_process(void *arg, const struct dr_proc *p)
{
	struct seek *s = arg;

	if (p->pid != s->pid)
		return;
	s->found = true;
	s->p = *p;
}

static bool
find(pid_t pid, struct dr_proc *p)
{
	struct seek s = { .pid = pid };

	if (dr_proc_each(on_process, &s))
		skip();
	*p = s.p;
	return s.found;
}

static bool
is_run(void *arg, const struct dr_mark *m)
{
	struct dr_mark *want = arg;

	if (m->run != want->run)
		return false;
	*want = *m;
	return true;
}

/* A program that waits until it is killed, with such an environment, in a session of its own. */
static pid_t
sleeper(char *const *envp)
{
	char name[] = "sleep", time[] = "1000", *argv[] = { name, time, NULL };
	struct dr_spawn sp = { .path = "sleep", .argv = argv, .envp = envp, .cwd = -1, .session = true };
	struct dr_err err;
	pid_t pid = -1;

	assert_int_equal(dr_spawn(&sp, &pid, &err), 0);
	return pid;
}

static void
end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
test_sees_processes(void **state)
{
	struct dr_proc p;
	char *envp[] = { NULL };
	pid_t pid;

	(void)state;
	assert_true(find(getpid(), &p));
	assert_int_equal(p.session, getsid(0));
	assert_int_equal(p.group, getpgrp());
	pid = sleeper(envp);
	assert_true(find(pid, &p));
	assert_int_equal(p.session, pid);
	assert_int_equal(p.group, pid);
	assert_false(dr_proc_marked(&p, is_run, &(struct dr_mark){ .run = 1 }));
	end(pid);
	assert_false(find(pid, &p));
}

static void
test_not_zombies(void **state)
{
	struct dr_proc p;
	siginfo_t si;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_true(pid > 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT), 0);
	assert_false(find(pid, &p));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
test_finds_marks(void **state)
{
	struct dr_mark want = { .run = 0xdeadbeef12345678 }, other = { .run = 0xdeadbeef1234567 };
	char mark[] = DR_MARKS "= 1:2:00ff:77:1 a:b:ffffffffffffffffffffffffffffffff:deadbeef12345678:2a";
	char like[] = "X" DR_MARKS "= 1:2:3:1234567:1", fill[20000], *envp[] = { like, fill, mark, NULL };
	struct dr_proc p;
	pid_t pid;

	(void)state;
	if (!find(getpid(), &p))
		skip();
	/* The mark stands across the edge of what is read at a time, wherever that is. */
	for (size_t n = 8100; n < 8200; n += 7) {
		memset(fill, 'x', n);
		memcpy(fill, "F=", 2);
		fill[n] = '\0';
		pid = sleeper(envp);
		assert_true(find(pid, &p));
		want.run = 0xdeadbeef12345678;
		assert_true(dr_proc_marked(&p, is_run, &want));
		assert_int_equal(want.dev, 0xa);
		assert_int_equal(want.ino, 0xb);
		assert_int_equal(want.serial, 0x2a);
		assert_false(dr_proc_marked(&p, is_run, &other));
		end(pid);
	}
}

static void
test_reads_values(void **state)
{
	static const char *const none[] = { "", " ", ":::::", " 1:2:3", " 1:2:3:5", " 1:2:3:5:6:7", " 1:2:3:5:6x", " 1:2:3:5:6-", " 1:2:3:5.6" };
	struct dr_mark m = { .run = 5 };

	(void)state;
	assert_false(dr_marks_any(NULL, is_run, &m));
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		assert_false(dr_marks_any(none[i], is_run, &m));
	assert_true(dr_marks_any(" 1:2:3:5:6", is_run, &m));
	assert_int_equal(m.serial, 6);
	assert_true(dr_marks_any(" 1:2:3 x 9:9:9:5:7 8:8:8:5:8", is_run, &m));
	assert_int_equal(m.dev, 9);
	assert_int_equal(m.serial, 7);
}

static void
test_signals_no_other(void **state)
{
	char *envp[] = { NULL };
	struct dr_proc p, wrong;
	int status;
	pid_t pid;

	(void)state;
	/* It has descriptors of processes, and no signals through them. */
	if (under_valgrind())
		skip();
	pid = sleeper(envp);
	if (!find(pid, &p)) {
		end(pid);
		skip();
	}
	/* One that had the number before. Where there are no descriptors of processes, it cannot be told. */
	wrong = p;
	wrong.start--;
	errno = 0;
	dr_proc_wait(&wrong, 0);
	if (errno != ENOSYS) {
		dr_proc_signal(&wrong, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	}
	/* Also one that is stopped hears it. */
	kill(pid, SIGSTOP);
	dr_proc_signal(&p, SIGTERM);
	dr_proc_wait(&p, -1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WTERMSIG(status), SIGTERM);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sees_processes), cmocka_unit_test(test_not_zombies),	cmocka_unit_test(test_finds_marks),
		cmocka_unit_test(test_reads_values),   cmocka_unit_test(test_signals_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
