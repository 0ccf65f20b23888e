#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "lock.h"
#include "os.h"
#include "own-dir.h"

/* What locking fails with, as on a file system that has no locks; 0: the kernel is asked. */
static int refusal;

/* Stands before the C library's. */
int
fcntl(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
#ifdef F_OFD_SETLK
	if (refusal && (cmd == F_OFD_SETLK || cmd == F_OFD_GETLK)) {
		errno = refusal;
		return -1;
	}
#endif
	return (int)syscall(SYS_fcntl, fd, cmd, arg);
}

/* Locks belong to descriptions, so that two opens in one process are two runs. */
static struct dr_lock *
run(const struct place *p, uint64_t number)
{
	struct dr_lock *l = NULL;
	bool alone = true;
	struct dr_err err;

	if (dr_lock_open(p->dir, number, 0, &l, &alone, &err))
		fail_msg("%s", err.msg);
	if (alone) {
		dr_lock_close(l);
		skip();
	}
	return l;
}

static struct dr_hash128
id(uint64_t n)
{
	return (struct dr_hash128){ .lo = n, .hi = n + 1 };
}

static void
runs_see_each_other(void **state)
{
	struct dr_lock *a = run(*state, 1), *b = run(*state, (UINT64_C(5) << 40) + 2);

	assert_true(dr_lock_alive(a, 1));
	assert_true(dr_lock_alive(a, (UINT64_C(5) << 40) + 2));
	assert_true(dr_lock_alive(b, 1));
	assert_false(dr_lock_alive(a, 3));
	dr_lock_close(b);
	assert_false(dr_lock_alive(a, (UINT64_C(5) << 40) + 2));
	dr_lock_close(a);
}

/* One byte for both: neither keeps the other out, and each lives as long as one of them does. */
static void
numbers_that_share_a_byte(void **state)
{
	const uint64_t one = 7, other = 7 + (UINT64_C(1) << 31);
	struct dr_lock *a = run(*state, one), *b = run(*state, other), *c = run(*state, 1);

	dr_lock_close(a);
	assert_true(dr_lock_alive(c, one));
	assert_true(dr_lock_alive(c, other));
	dr_lock_close(b);
	assert_false(dr_lock_alive(c, one));
	dr_lock_close(c);
}

static void
a_claim_keeps_others_out(void **state)
{
	struct dr_lock *a = run(*state, 1), *b = run(*state, 2);
	struct dr_err err;

	assert_int_equal(dr_lock_claim(a, id(10), &err), 1);
	assert_int_equal(dr_lock_claim(b, id(10), &err), 0);
	assert_int_equal(dr_lock_claim(b, id(11), &err), 1);
	assert_true(dr_lock_claimed(b, id(10)));
	assert_false(dr_lock_claimed(a, id(10)));
	assert_true(dr_lock_claimed(a, id(11)));
	assert_false(dr_lock_claimed(a, id(12)));
	dr_lock_release(a, id(10));
	assert_false(dr_lock_claimed(b, id(10)));
	assert_int_equal(dr_lock_claim(b, id(10), &err), 1);
	/* Others' claims are not ours to release. */
	dr_lock_release(a, id(10));
	assert_int_equal(dr_lock_claim(a, id(10), &err), 0);
	dr_lock_close(b);
	assert_int_equal(dr_lock_claim(a, id(10), &err), 1);
	dr_lock_close(a);
}

static void
claims_of_one_run_are_counted(void **state)
{
	struct dr_lock *a = run(*state, 1), *b = run(*state, 2);
	/* The same byte, though another task. */
	struct dr_hash128 twin = id(10 + (UINT64_C(1) << 62));
	struct dr_err err;

	assert_int_equal(dr_lock_claim(a, id(10), &err), 1);
	assert_int_equal(dr_lock_claim(a, id(10), &err), 1);
	assert_int_equal(dr_lock_claim(a, twin, &err), 1);
	dr_lock_release(a, id(10));
	dr_lock_release(a, twin);
	assert_int_equal(dr_lock_claim(b, id(10), &err), 0);
	dr_lock_release(a, id(10));
	dr_lock_release(a, id(10));
	assert_int_equal(dr_lock_claim(b, id(10), &err), 1);
	assert_int_equal(dr_lock_claim(a, twin, &err), 0);
	dr_lock_close(a);
	dr_lock_close(b);
}

/* Many after each other, some held for long: none is lost when memory is used again. */
static void
many_claims(void **state)
{
	struct dr_lock *a = run(*state, 1), *b = run(*state, 2);
	struct dr_err err;

	for (uint64_t i = 0; i < 20000; i++) {
		assert_int_equal(dr_lock_claim(a, id(i * 2654435761), &err), 1);
		if (i % 1000)
			dr_lock_release(a, id(i * 2654435761));
	}
	for (uint64_t i = 0; i < 20000; i++)
		assert_int_equal(dr_lock_claimed(b, id(i * 2654435761)), i % 1000 == 0);
	for (uint64_t i = 0; i < 20000; i += 1000)
		dr_lock_release(a, id(i * 2654435761));
	for (uint64_t i = 0; i < 20000; i += 1000)
		assert_false(dr_lock_claimed(b, id(i * 2654435761)));
	dr_lock_close(a);
	dr_lock_close(b);
}

static void
exclusion(void **state)
{
	struct place *p = *state;
	struct dr_lock *a = run(p, 1), *b = run(p, 2), *c = NULL;
	bool alone;
	struct dr_err err;
	int64_t before;

	assert_int_equal(dr_lock_exclude(a), 0);
	dr_lock_close(b);
	assert_int_equal(dr_lock_exclude(a), 1);
	assert_int_equal(dr_lock_open(p->dir, 3, 0, &c, &alone, &err), -1);
	assert_int_equal(err.code, DR_STATE);
	assert_null(c);
	before = dr_now();
	assert_int_equal(dr_lock_open(p->dir, 3, 30000000, &c, &alone, &err), -1);
	assert_true(dr_now() - before >= 30000000);
	dr_lock_share(a);
	assert_int_equal(dr_lock_open(p->dir, 3, 0, &c, &alone, &err), 0);
	assert_int_equal(dr_lock_exclude(a), 0);
	/* To have tried changes nothing: the shared lock is still there. */
	assert_int_equal(dr_lock_exclude(c), 0);
	dr_lock_close(a);
	assert_int_equal(dr_lock_exclude(c), 1);
	dr_lock_close(c);
}

/* Whoever waits goes on as soon as the compaction ends: here, with the life of the process that did it. */
static void
waiting_for_a_compaction(void **state)
{
	struct place *p = *state;
	struct dr_lock *a;
	int ready[2], go[2], status;
	bool alone;
	struct dr_err err;
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(go), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (dr_lock_open(p->dir, 1, 0, &a, &alone, &err) || !dr_lock_exclude(a))
			_exit(1);
		if (write(ready[1], "x", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(1);
		_exit(alone ? 77 : 0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(write(go[1], "x", 1), 1);
	assert_int_equal(dr_lock_open(p->dir, 2, INT64_C(60000000000), &a, &alone, &err), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77));
	assert_false(dr_lock_alive(a, 1));
	dr_lock_close(a);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
}

/* The other description stands for the guardian's, which it has from a run that is dead by now. */
static void
a_guardian_is_waited_for(void **state)
{
	const int64_t long_enough = INT64_C(60) * 1000000000;
	struct dr_lock *a = run(*state, 1), *b = run(*state, 2);
	int heir = dup(dr_lock_fd(b)), go[2];
	char byte;
	pid_t pid;

	assert_false(dr_lock_await_guardian(a, 1, long_enough)); /* we live */
	assert_false(dr_lock_await_guardian(a, 2, long_enough)); /* so does it, and nobody waits */
	assert_true(dr_lock_await_guardian(a, 3, long_enough));
	dr_lock_close(b);
	assert_true(dr_lock_alive(a, 2));
	assert_false(dr_lock_await_guardian(a, 2, 1000000));
	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		_exit(read(go[0], &byte, 1) != 0);
	}
	close(go[0]);
	close(heir);
	/* It holds the description as long as it waits for the end of the pipe. */
	assert_false(dr_lock_await_guardian(a, 2, 1000000));
	close(go[1]);
	assert_true(dr_lock_await_guardian(a, 2, long_enough));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	dr_lock_close(a);
}

/* Who inherits the description keeps the claims: that is what a guardian is for. */
static void
claims_outlive_us_in_an_heir(void **state)
{
	struct dr_lock *a = run(*state, 1), *b = run(*state, 2);
	int heir = dup(dr_lock_fd(a));
	struct dr_err err;

	assert_true(heir >= 0);
	assert_int_equal(dr_lock_claim(a, id(5), &err), 1);
	assert_true(dr_lock_attended(a, 1) && dr_lock_attended(b, 1) && !dr_lock_attended(b, 3));
	dr_lock_close(a);
	assert_true(dr_lock_claimed(b, id(5)));
	assert_true(dr_lock_alive(b, 1));
	assert_false(dr_lock_attended(b, 1));
	close(heir);
	assert_false(dr_lock_claimed(b, id(5)));
	assert_false(dr_lock_alive(b, 1));
	dr_lock_close(b);
}

static void
users_of_a_stage(void **state)
{
	struct dr_lock *a = run(*state, 1), *b = run(*state, 2);
	struct dr_err err;

	assert_int_equal(dr_lock_use(a, 7, 0, &err), 0);
	assert_int_equal(dr_lock_use(b, 7, 0, &err), 0);
	assert_int_equal(dr_lock_use(b, 8, 0, &err), 0);
	assert_false(dr_lock_use_alone(a, 7));
	assert_true(dr_lock_use_alone(b, 8) && dr_lock_shared(a));
	assert_int_equal(dr_lock_use(a, 8, 0, &err), -1);
	assert_int_equal(err.code, DR_STATE);
	dr_lock_use_shared(b, 8);
	assert_int_equal(dr_lock_use(a, 8, 0, &err), 0);
	dr_lock_unuse(b, 7);
	assert_true(dr_lock_use_alone(a, 7));
	assert_false(dr_lock_use_alone(b, 7));
	dr_lock_close(a);
	assert_true(dr_lock_use_alone(b, 7));
	assert_false(dr_lock_shared(b));
	dr_lock_close(b);
}

static void
the_file_is_close_on_exec_and_empty(void **state)
{
	struct place *p = *state;
	struct dr_lock *a = run(p, 1);
	struct stat st;

	assert_true(fcntl(dr_lock_fd(a), F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fstatat(p->dir, "lock", &st, 0), 0);
	assert_int_equal(st.st_size, 0);
	dr_lock_close(a);
	dr_lock_close(NULL);
}

static void
a_lock_that_cannot_be_opened(void **state)
{
	struct place *p = *state;
	struct dr_lock *a;
	bool alone;
	struct dr_err err;

	assert_int_equal(mkdirat(p->dir, "lock", 0777), 0);
	assert_int_equal(dr_lock_open(p->dir, 1, 0, &a, &alone, &err), -1);
	assert_int_equal(err.code, DR_SYSTEM);
	assert_non_null(strstr(err.msg, "lock"));
	assert_null(a);
}

/* Everything goes on as if there were nobody else. */
static void
a_file_system_without_locks(void **state)
{
	static const int why[] = { ENOLCK, EOPNOTSUPP, EINVAL };
	struct place *p = *state;

	for (size_t i = 0; i < sizeof(why) / sizeof(*why); i++) {
		struct dr_lock *a, *b;
		bool alone = false;
		struct dr_err err;

		refusal = why[i];
		assert_int_equal(dr_lock_open(p->dir, 1, 0, &a, &alone, &err), 0);
		assert_true(alone);
		assert_int_equal(dr_lock_open(p->dir, 2, 0, &b, &alone, &err), 0);
		assert_true(dr_lock_alive(a, 1));
		assert_false(dr_lock_alive(a, 2));
		assert_int_equal(dr_lock_claim(a, id(1), &err), 1);
		assert_int_equal(dr_lock_claim(b, id(1), &err), 1);
		assert_false(dr_lock_claimed(a, id(1)));
		dr_lock_release(a, id(1));
		assert_int_equal(dr_lock_exclude(a), 1);
		dr_lock_share(a);
		assert_int_equal(dr_lock_use(a, 7, 0, &err), 0);
		assert_true(dr_lock_use_alone(a, 7));
		dr_lock_close(a);
		dr_lock_close(b);
		refusal = 0;
	}
}

/* One that has locks, but fails with this one. */
static void
a_lock_that_fails_later(void **state)
{
	struct dr_lock *a = run(*state, 1);
	struct dr_err err = { 0 };

	refusal = ENOLCK;
	assert_int_equal(dr_lock_claim(a, id(1), &err), -1);
	assert_int_equal(err.code, DR_SYSTEM);
	assert_int_equal(err.sys, ENOLCK);
	/* In doubt there is somebody. */
	assert_true(dr_lock_claimed(a, id(1)));
	assert_true(dr_lock_alive(a, 2));
	refusal = 0;
	assert_int_equal(dr_lock_claim(a, id(1), &err), 1);
	dr_lock_close(a);
}

static void
a_disk_that_fails(void **state)
{
	struct place *p = *state;
	struct dr_lock *a;
	bool alone;
	struct dr_err err;

	refusal = EIO;
	assert_int_equal(dr_lock_open(p->dir, 1, 0, &a, &alone, &err), -1);
	assert_int_equal(err.sys, EIO);
	refusal = 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(runs_see_each_other, setup, teardown),
		cmocka_unit_test_setup_teardown(numbers_that_share_a_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(a_claim_keeps_others_out, setup, teardown),
		cmocka_unit_test_setup_teardown(claims_of_one_run_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(many_claims, setup, teardown),
		cmocka_unit_test_setup_teardown(exclusion, setup, teardown),
		cmocka_unit_test_setup_teardown(waiting_for_a_compaction, setup, teardown),
		cmocka_unit_test_setup_teardown(a_guardian_is_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(claims_outlive_us_in_an_heir, setup, teardown),
		cmocka_unit_test_setup_teardown(users_of_a_stage, setup, teardown),
		cmocka_unit_test_setup_teardown(the_file_is_close_on_exec_and_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lock_that_cannot_be_opened, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_system_without_locks, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lock_that_fails_later, setup, teardown),
		cmocka_unit_test_setup_teardown(a_disk_that_fails, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
