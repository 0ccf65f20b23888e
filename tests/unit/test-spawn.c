#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "err.h"
#include "os.h"
#include "own-dir.h"
#include "spawn.h"
#include "str.h"
#include "under-valgrind.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Before anything else: what this process was "started with". */
static int
once(void **state)
{
	sigset_t one;

	(void)state;
	sigemptyset(&one);
	sigaddset(&one, SIGUSR1);
	sigprocmask(SIG_SETMASK, &one, NULL);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	dr_spawn_remember();
	/* And what it did since. */
	sigemptyset(&one);
	sigaddset(&one, SIGHUP);
	sigprocmask(SIG_SETMASK, &one, NULL);
	/* Tests name descriptors by their numbers: what we were started with, a make's pool or a lock, is not to have these. */
	for (int fd = STDERR_FILENO + 1; fd < 20; fd++)
		close(fd);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	dr_spawn_remember();
	return 0;
}

static void
put(int dir, const char *name, mode_t mode, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(dr_write_full(fd, text, strlen(text)), 0);
	dr_close(&fd);
	assert_int_equal(fchmodat(dir, name, mode, 0), 0);
}

/* A vector as exec takes it, of constants: nobody writes to them. */
#define WORDS(...) ((char *const *)(const char *const[]){ __VA_ARGS__, NULL })

static const char *const path_only[] = { "PATH=/usr/bin:/bin", NULL };
static char *const *const plain_env = (char *const *)path_only;

/* Starts sp with a pipe as its output, after its other descriptors, and waits for its end: what it printed,
 * in a buffer that the next call overwrites. Its exit code is 0. */
static const char *
output_of(struct dr_spawn sp)
{
	static char out[8192];
	struct dr_spawn_fd all[8];
	struct dr_err err = { 0 };
	int fds[2], high, status;
	pid_t pid;
	ssize_t n;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	/* Out of the way of the numbers that a test uses. */
	high = dr_dup_above(fds[1], 20);
	assert_true(high >= 20 && sp.n_fds < 8);
	if (sp.n_fds)
		memcpy(all, sp.fds, sp.n_fds * sizeof(*all));
	all[sp.n_fds++] = (struct dr_spawn_fd){ high, 1 };
	sp.fds = all;
	if (!sp.envp)
		sp.envp = plain_env;
	if (dr_spawn(&sp, &pid, &err))
		fail_msg("%s", err.msg);
	dr_close(&high);
	dr_close(&fds[1]);
	n = dr_read_full(fds[0], out, sizeof(out) - 1);
	assert_true(n >= 0);
	out[n] = '\0';
	dr_close(&fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return out;
}

static const char *
shell(const char *text, int cwd)
{
	char *const *argv = WORDS("sh", "-c", text);

	return output_of((struct dr_spawn){ .path = "/bin/sh", .argv = argv, .cwd = cwd });
}

static void
arguments_and_environment(void **state)
{
	char *const *argv = WORDS("zero", "-c", "printf '%s|' \"$0\" \"$@\" \"$X\"", "a b", "", "*");
	char *const *envp = WORDS("X=y z");

	(void)state;
	assert_string_equal(
		output_of((struct dr_spawn){ .path = "/bin/sh", .argv = argv, .envp = envp, .cwd = -1 }),
		"a b||*|y z|");
}

static void
works_in_its_directory(void **state)
{
	const struct place *p = *state;
	struct stat here, there;
	char want[4200];

	put(p->dir, "file", 0600, "in place");
	assert_string_equal(shell("cat file", p->dir), "in place");
	snprintf(want, sizeof(want), "%s\n", p->path);
	assert_string_equal(shell("pwd -P", p->dir), want);
	/* Ours is where it was. */
	assert_int_equal(stat(".", &here), 0);
	assert_int_equal(fstat(p->dir, &there), 0);
	assert_true(here.st_ino != there.st_ino || here.st_dev != there.st_dev);
	/* A program named from there. */
	put(p->dir, "script", 0700, "#!/bin/sh\necho script \"$1\"\n");
	assert_string_equal(
		output_of((struct dr_spawn){ .path = "./script", .argv = WORDS("s", "x"), .cwd = p->dir }),
		"script x\n");
}

static void
a_session_of_its_own(void **state)
{
	char *const *argv = WORDS("cat");
	struct dr_err err;
	int in[2], status;

	(void)state;
	for (int session = 0; session < 2; session++) {
		struct dr_spawn_fd fd;
		struct dr_spawn sp = {
			.path = "cat", .argv = argv, .envp = plain_env, .cwd = -1, .fds = &fd, .n_fds = 1
		};
		pid_t pid;

		assert_int_equal(pipe(in), 0);
		assert_int_equal(fcntl(in[1], F_SETFD, FD_CLOEXEC), 0);
		fd = (struct dr_spawn_fd){ in[0], 0 };
		sp.session = session;
		assert_int_equal(dr_spawn(&sp, &pid, &err), 0);
		assert_int_equal(getsid(pid), session ? pid : getsid(0));
		assert_int_equal(getpgid(pid), session ? pid : getpgid(0));
		dr_close(&in[0]);
		dr_close(&in[1]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static void
descriptors_in_order(void **state)
{
	const struct place *p = *state;
	struct dr_spawn_fd fds[3];
	int a, b;
	char *const *argv = WORDS("sh", "-c", "cat <&7; cat <&0; { true <&8; } 2>/dev/null || echo closed");

	put(p->dir, "a", 0600, "A");
	put(p->dir, "b", 0600, "B");
	a = openat(p->dir, "a", O_RDONLY | O_CLOEXEC);
	b = openat(p->dir, "b", O_RDONLY | O_CLOEXEC);
	assert_true(a >= 0 && b >= 0);
	assert_int_equal(dup3(a, 7, O_CLOEXEC), 7);
	assert_int_equal(dup3(a, 8, O_CLOEXEC), 8);
	/* One onto itself stays open; the next ones build on each other; 8 closes. */
	fds[0] = (struct dr_spawn_fd){ 7, 7 };
	fds[1] = (struct dr_spawn_fd){ b, 9 };
	fds[2] = (struct dr_spawn_fd){ 9, 0 };
	assert_string_equal(output_of((struct dr_spawn){
				    .path = "/bin/sh", .argv = argv, .cwd = p->dir, .fds = fds, .n_fds = 3 }),
			    "ABclosed\n");
	assert_true(fcntl(7, F_GETFD) & FD_CLOEXEC);
	close(7);
	close(8);
	dr_close(&a);
	dr_close(&b);
}

static uint64_t
status_set(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	assert_non_null(at);
	return strtoull(at + strlen(name), NULL, 16);
}

/* Open in us, not close-on-exec, and not for this child; that one of them is not open at all is as good. */
static void
descriptors_that_a_child_is_not_to_have(void **state)
{
	const struct place *p = *state;
	char *const *argv = WORDS("sh", "-c", "for f in 7 8; do [ -e /dev/fd/$f ] && echo open || echo closed; done");
	struct dr_spawn_fd fds[] = { { -1, 8 }, { -1, 199 } };
	int a = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(a >= 0);
	assert_int_equal(dup2(a, 7), 7);
	assert_int_equal(dup2(a, 8), 8);
	close(a);
	assert_string_equal(
		output_of((struct dr_spawn){ .path = "/bin/sh", .argv = argv, .cwd = p->dir, .fds = fds, .n_fds = 2 }),
		"open\nclosed\n");
	assert_true(fcntl(8, F_GETFD) >= 0);
	close(7);
	close(8);
}

static void
signals_as_we_were_given_them(void **state)
{
	char *const *argv = WORDS("cat", "/proc/self/status");
	const char *status;
	uint64_t ignored;

	(void)state;
	if (access("/proc/self/status", R_OK))
		skip();
	status = output_of((struct dr_spawn){ .path = "/bin/cat", .argv = argv, .cwd = -1 });
	ignored = status_set(status, "SigIgn:");
	assert_true(status_set(status, "SigBlk:") == UINT64_C(1) << (SIGUSR1 - 1));
	assert_true(ignored & UINT64_C(1) << (SIGUSR2 - 1));
	assert_false(ignored & UINT64_C(1) << (SIGPIPE - 1));
	assert_false(ignored & UINT64_C(1) << (SIGCHLD - 1));
	assert_true(status_set(status, "SigCgt:") == 0);
}

/* And where the thread that starts it says that it has that mask already. */
static void
the_mask_that_we_have(void **state)
{
	char *const *argv = WORDS("cat", "/proc/self/status");
	const char *status;
	sigset_t was;

	(void)state;
	if (access("/proc/self/status", R_OK))
		skip();
	assert_true(sigismember(dr_spawn_mask(), SIGUSR1) == 1 && sigismember(dr_spawn_mask(), SIGHUP) == 0);
	sigprocmask(SIG_SETMASK, dr_spawn_mask(), &was);
	status = output_of((struct dr_spawn){ .path = "/bin/cat", .argv = argv, .cwd = -1, .masked = true });
	assert_true(status_set(status, "SigBlk:") == UINT64_C(1) << (SIGUSR1 - 1));
	sigprocmask(SIG_SETMASK, &was, NULL);
}

/* Valgrind makes a fork of posix_spawn's vfork, so that the exec's error is never told to us. */
static void
skip_under_valgrind(void)
{
	if (under_valgrind())
		skip();
}

static void
refused(struct place *p, const char *path, int sys)
{
	struct dr_spawn sp = { .path = path, .argv = WORDS("x"), .envp = plain_env, .cwd = p->dir };
	struct dr_err err = { 0 };
	pid_t pid;

	assert_int_equal(dr_spawn(&sp, &pid, &err), -1);
	assert_int_equal(err.sys, sys);
	assert_non_null(strstr(err.msg, path));
	/* And no child is left. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void
says_why_not(void **state)
{
	struct place *p = *state;
	struct dr_spawn sp = { .path = "./nowhere", .argv = WORDS("x"), .envp = plain_env, .cwd = p->dir };
	struct dr_spawn_fd closed = { 999, 1 };
	struct dr_err err;
	pid_t pid;

	skip_under_valgrind();
	put(p->dir, "data", 0600, "no program");
	put(p->dir, "nowhere", 0700, "#!/no/such/interpreter\n");
	refused(p, "no-such-program-of-ours", ENOENT);
	refused(p, "", ENOENT);
	refused(p, "./missing", ENOENT);
	refused(p, "./data", EACCES);
	refused(p, ".//", EACCES);
	refused(p, "./data/x", ENOTDIR);
	refused(p, "./nowhere", ENOENT);
	assert_int_equal(dr_spawn(&sp, &pid, &err), -1);
	assert_non_null(strstr(err.msg, "interpreter"));
	sp.path = "/bin/sh";
	sp.fds = &closed;
	sp.n_fds = 1;
	assert_int_equal(dr_spawn(&sp, &pid, &err), -1);
	assert_int_equal(err.sys, EBADF);
}

static void
text_without_an_interpreter_is_for_the_shell(void **state)
{
	const struct place *p = *state;

	skip_under_valgrind();
	put(p->dir, "text", 0700, "echo text \"$1\" \"$#\"\n");
	assert_string_equal(
		output_of((struct dr_spawn){ .path = "./text", .argv = WORDS("t", "a b"), .cwd = p->dir }),
		"text a b 1\n");
	assert_string_equal(
		output_of((struct dr_spawn){ .path = "./text", .argv = (char *[]){ NULL }, .cwd = p->dir }),
		"text  0\n");
}

static void
path_of_the_childs_environment(void **state)
{
	const struct place *p = *state;
	char *const *argv = WORDS("prog");
	char *const *envp = WORDS("A=b", "PATH=sub:other:/usr/bin:/bin");
	char found[4096];

	assert_int_equal(mkdirat(p->dir, "sub", 0700), 0);
	assert_int_equal(mkdirat(p->dir, "other", 0700), 0);
	/* Neither a directory of that name nor a file that isn't executable hides the program. */
	assert_int_equal(mkdirat(p->dir, "sub/prog", 0700), 0);
	put(p->dir, "prog", 0600, "");
	put(p->dir, "other/prog", 0700, "#!/bin/sh\necho other\n");
	assert_string_equal(
		output_of((struct dr_spawn){ .path = "prog", .argv = argv, .envp = envp, .cwd = p->dir }),
		"other\n");

	assert_int_equal(dr_find_program(p->dir, "prog", "sub:other", found, sizeof(found)), 0);
	assert_string_equal(found, "other/prog");
	assert_int_equal(dr_find_program(p->dir, "prog", "sub", found, sizeof(found)), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(dr_find_program(p->dir, "prog", "/nonexistent", found, sizeof(found)), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(dr_find_program(p->dir, "", "other", found, sizeof(found)), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(dr_find_program(p->dir, "other/prog", "", found, sizeof(found)), 0);
	assert_string_equal(found, "other/prog");
	assert_int_equal(dr_find_program(p->dir, "prog", "other", found, 5), -1);
	assert_int_equal(dr_find_program(-1, "sh", NULL, found, sizeof(found)), 0);
	assert_int_equal(found[0], '/');
	/* An empty element, wherever it stands, is the working directory. */
	assert_int_equal(fchmodat(p->dir, "prog", 0700, 0), 0);
	for (int i = 0; i < 3; i++) {
		const char *const path = ((const char *const[]){ "sub:", ":other", "sub::other" })[i];

		assert_int_equal(dr_find_program(p->dir, "prog", path, found, sizeof(found)), 0);
		assert_string_equal(found, "./prog");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_and_environment),
		cmocka_unit_test_setup_teardown(works_in_its_directory, setup, teardown),
		cmocka_unit_test(a_session_of_its_own),
		cmocka_unit_test_setup_teardown(descriptors_that_a_child_is_not_to_have, setup, teardown),
		cmocka_unit_test_setup_teardown(descriptors_in_order, setup, teardown),
		cmocka_unit_test(signals_as_we_were_given_them),
		cmocka_unit_test(the_mask_that_we_have),
		cmocka_unit_test_setup_teardown(says_why_not, setup, teardown),
		cmocka_unit_test_setup_teardown(text_without_an_interpreter_is_for_the_shell, setup,
						teardown),
		cmocka_unit_test_setup_teardown(path_of_the_childs_environment, setup, teardown),
	};

	return cmocka_run_group_tests_name("spawn", tests, once, NULL);
}
