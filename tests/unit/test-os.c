#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "err.h"
#include "os.h"
#include "own-dir.h"
#include "str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int
dir_of(void **state)
{
	return ((struct place *)*state)->dir;
}

static void
put(int dir, const char *name, const void *p, size_t n)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	assert_true(fd >= 0);
	assert_int_equal(dr_write_full(fd, p, n), 0);
	dr_close(&fd);
}

static void
clocks_and_chance(void **state)
{
	int64_t a = dr_now(), b = dr_now();

	(void)state;
	assert_true(a > 0 && b >= a);
	/* After 2020, in nanoseconds. */
	assert_true(dr_realtime() > INT64_C(1577836800) * 1000000000);
	assert_true(dr_random64() != dr_random64());
}

/* A child that does to a pipe what a slow or a busy peer would: a byte at a time. */
static pid_t
writer(int fd, const char *bytes, size_t n)
{
	pid_t pid = fork();

	if (pid == 0) {
		for (size_t i = 0; i < n; i++) {
			if (write(fd, bytes + i, 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	return pid;
}

static void
reading_is_complete(void **state)
{
	char got[64];
	int fds[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	/* Non-blocking, as a peer may have made it: waited for all the same. */
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	pid = writer(fds[1], "0123456789abcdef", 16);
	assert_true(pid > 0);
	dr_close(&fds[1]);
	assert_int_equal(fds[1], -1);
	assert_int_equal(dr_read_full(fds[0], got, 10), 10);
	assert_memory_equal(got, "0123456789", 10);
	assert_int_equal(dr_read_full(fds[0], got, sizeof(got)), 6);
	assert_int_equal(dr_read_full(fds[0], got, sizeof(got)), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	dr_close(&fds[0]);
	assert_int_equal(dr_read_full(-1, got, 1), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(dr_read_full(-1, got, 0), 0);
}

static void
writing_is_complete(void **state)
{
	enum { SIZE = 300000 }; /* more than a pipe holds */
	static char out[SIZE], in[SIZE];
	int fds[2], status;
	pid_t pid;

	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		out[i] = (char)(i * 7 >> 3);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		fcntl(fds[1], F_SETFL, O_NONBLOCK);
		_exit(dr_write_full(fds[1], out, SIZE) ? 1 : 0);
	}
	dr_close(&fds[1]);
	assert_int_equal(dr_read_full(fds[0], in, SIZE), SIZE);
	assert_memory_equal(in, out, SIZE);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	dr_close(&fds[0]);
	assert_int_equal(dr_write_full(-1, "x", 1), -1);
	assert_int_equal(errno, EBADF);
}

static void
at_a_place_in_a_file(void **state)
{
	int fd = openat(dir_of(state), "f", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	char got[8];

	assert_true(fd >= 0);
	assert_int_equal(dr_pwrite_full(fd, "defg", 4, 3), 0);
	assert_int_equal(dr_pwrite_full(fd, "abc", 3, 0), 0);
	assert_int_equal(dr_pread_full(fd, got, 3, 2), 3);
	assert_memory_equal(got, "cde", 3);
	assert_int_equal(dr_pread_full(fd, got, 8, 5), 2);
	assert_int_equal(dr_pread_full(fd, got, 8, 100), 0);
	dr_close(&fd);
	assert_int_equal(dr_pread_full(fd, got, 1, 0), -1);
	assert_int_equal(dr_pwrite_full(fd, got, 1, 0), -1);
}

static void
slurp_appends_all(void **state)
{
	int dir = dir_of(state), fds[2];
	struct dr_buf b = { 0 };
	struct dr_err err;
	char *big = calloc(1, 200001);

	assert_non_null(big);
	put(dir, "f", "a\0b", 3);
	put(dir, "empty", "", 0);
	put(dir, "big", big, 200001);
	dr_buf_adds(&b, "x");
	assert_int_equal(dr_slurp(dir, "f", &b, &err), 0);
	assert_int_equal(dr_slurp(dir, "empty", &b, &err), 0);
	assert_int_equal(b.n, 4);
	assert_memory_equal(b.p, "xa\0b", 5);
	assert_int_equal(dr_slurp(dir, "big", &b, &err), 0);
	assert_int_equal(b.n, 200005);
	dr_buf_free(&b);
	free(big);

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(dr_write_full(fds[1], "piped", 5), 0);
	dr_close(&fds[1]);
	assert_int_equal(dr_slurp_fd(fds[0], &b, "pipe", &err), 0);
	assert_string_equal(dr_buf_cstr(&b), "piped");
	dr_close(&fds[0]);
	dr_buf_free(&b);

	assert_int_equal(dr_slurp(dir, "missing", &b, &err), -1);
	assert_int_equal(err.sys, ENOENT);
	assert_non_null(strstr(err.msg, "missing"));
	assert_int_equal(dr_slurp(dir, ".", &b, &err), -1);
	assert_int_equal(err.sys, EISDIR);
	dr_buf_free(&b);
}

static void
mkdirs_for_a_file(void **state)
{
	int dir = dir_of(state);
	struct stat st;

	assert_int_equal(dr_mkdirs_for(dir, "plain"), 0);
	assert_int_equal(dr_mkdirs_for(dir, "/plain"), 0);
	assert_int_equal(dr_mkdirs_for(dir, "a/b//c/file"), 0);
	assert_int_equal(fstatat(dir, "a/b/c", &st, 0), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(fstatat(dir, "a/b/c/file", &st, 0), -1);
	assert_int_equal(dr_mkdirs_for(dir, "a/b/c/other"), 0);
	assert_int_equal(dr_mkdirs_for(dir, "a/b/new/"), 0);
	assert_int_equal(fstatat(dir, "a/b/new", &st, 0), 0);
	assert_int_equal(symlinkat("a/b", dir, "link"), 0);
	assert_int_equal(dr_mkdirs_for(dir, "link/by/file"), 0);
	assert_int_equal(fstatat(dir, "a/b/by", &st, 0), 0);
	put(dir, "file", "", 0);
	assert_int_equal(dr_mkdirs_for(dir, "file/x"), -1);
	assert_int_equal(errno, ENOTDIR);
	assert_int_equal(dr_mkdirs_for(dir, "file/x/y"), -1);
	assert_int_equal(errno, ENOTDIR);
}

static void
remove_a_tree(void **state)
{
	int dir = dir_of(state);
	struct stat st;
	char name[64];

	assert_int_equal(dr_remove_tree(dir, "missing"), 0);
	assert_int_equal(dr_remove_tree(dir, "mis/sing"), 0);
	put(dir, "kept", "", 0);
	assert_int_equal(dr_mkdirs_for(dir, "outside/sub/"), 0);
	put(dir, "outside/sub/file", "", 0);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "t/%d/%d/f", i % 20, i);
		assert_int_equal(dr_mkdirs_for(dir, name), 0);
		put(dir, name, "x", 1);
	}
	/* Links to a directory, to a file and to nothing, and something that is neither. */
	assert_int_equal(symlinkat("../../outside", dir, "t/1/link"), 0);
	assert_int_equal(symlinkat("../kept", dir, "t/flink"), 0);
	assert_int_equal(symlinkat("nowhere", dir, "t/dangling"), 0);
	assert_int_equal(mkfifoat(dir, "t/fifo", 0600), 0);
	assert_int_equal(dr_remove_tree(dir, "t"), 0);
	assert_int_equal(fstatat(dir, "t", &st, 0), -1);
	assert_int_equal(fstatat(dir, "kept", &st, 0), 0);
	assert_int_equal(fstatat(dir, "outside/sub/file", &st, 0), 0);

	/* A link is removed itself; with a slash behind it it is no directory of ours either. */
	assert_int_equal(symlinkat("outside", dir, "link"), 0);
	assert_int_equal(dr_remove_tree(dir, "link/"), -1);
	assert_int_equal(fstatat(dir, "outside/sub/file", &st, 0), 0);
	assert_int_equal(dr_remove_tree(dir, "link"), 0);
	assert_int_equal(fstatat(dir, "outside/sub/file", &st, 0), 0);
	assert_int_equal(dr_remove_tree(dir, "outside/"), 0);
	assert_int_equal(fstatat(dir, "outside", &st, 0), -1);

	assert_int_equal(dr_remove_tree(dir, "kept/below"), -1);
	assert_int_equal(errno, ENOTDIR);
	for (int i = 0; i < 5; i++)
		assert_int_equal(
			dr_remove_tree(dir, ((const char *const[]){ ".", "..", "./", "/", "./.." })[i]), -1);
	assert_int_equal(fstatat(dir, "kept", &st, 0), 0);
}

static void
remove_a_deep_tree_with_few_descriptors(void **state)
{
	/* Deeper than there are descriptors, and its path longer than PATH_MAX. */
	enum { DEPTH = 3000 };
	int dir = dir_of(state), at = dr_dup_above(dir, 3), next, highest;
	struct rlimit old, few;
	struct stat st;

	for (int i = 0; i < DEPTH; i++) {
		assert_int_equal(mkdirat(at, i ? "down" : "top", 0777), 0);
		put(at, "file", "", 0);
		next = openat(at, i ? "down" : "top", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		dr_close(&at);
		at = next;
	}
	highest = at;
	dr_close(&at);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = (rlim_t)highest + 8;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	next = dr_remove_tree(dir, "top");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(next, 0);
	assert_int_equal(fstatat(dir, "top", &st, 0), -1);
	assert_int_equal(errno, ENOENT);
}

static void
remove_what_may_not_be_written_to(void **state)
{
	int dir = dir_of(state);
	struct stat st;

	assert_int_equal(dr_mkdirs_for(dir, "t/locked/x"), 0);
	assert_int_equal(dr_mkdirs_for(dir, "t/shut/x"), 0);
	put(dir, "t/locked/file", "", 0);
	put(dir, "t/shut/file", "", 0);
	assert_int_equal(fchmodat(dir, "t/locked", 0500, 0), 0);
	assert_int_equal(fchmodat(dir, "t/shut", 0, 0), 0);
	assert_int_equal(dr_remove_tree(dir, "t"), 0);
	assert_int_equal(fstatat(dir, "t", &st, 0), -1);
}

static void
descriptors(void **state)
{
	int fd = dr_dup_above(dir_of(state), 20);

	assert_true(fd >= 20);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	errno = EXDEV;
	dr_close(&fd);
	assert_int_equal(fd, -1);
	dr_close(&fd);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(dr_dup_above(-1, 3), -1);
}

static void
what_the_machine_has(void **state)
{
	double load = -1;

	(void)state;
	assert_true(dr_processors() >= 1);
	if (dr_load(&load) == 0)
		assert_true(load >= 0);
	assert_true(dr_arg_max() >= 4096 && dr_arg_max() <= 6 << 20);
}

static void
signals_have_names(void **state)
{
	(void)state;
	assert_string_equal(dr_signal_name(SIGKILL), "SIGKILL");
	assert_string_equal(dr_signal_name(SIGPIPE), "SIGPIPE");
	assert_string_equal(dr_signal_name(77), "signal 77");
	assert_string_equal(dr_signal_name(0), "signal 0");
	for (int sig = -2; sig < 1000; sig++)
		assert_non_null(dr_signal_name(sig));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_and_chance),
		cmocka_unit_test(reading_is_complete),
		cmocka_unit_test(writing_is_complete),
		cmocka_unit_test_setup_teardown(at_a_place_in_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(slurp_appends_all, setup, teardown),
		cmocka_unit_test_setup_teardown(mkdirs_for_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(remove_a_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(remove_a_deep_tree_with_few_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(remove_what_may_not_be_written_to, setup, teardown),
		cmocka_unit_test_setup_teardown(descriptors, setup, teardown),
		cmocka_unit_test(what_the_machine_has),
		cmocka_unit_test(signals_have_names),
	};

	return cmocka_run_group_tests_name("os", tests, NULL, NULL);
}
