#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "err.h"
#include "jobserver.h"
#include "makeflags.h"
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What one test has: a directory that is also TMPDIR, a pool that a make would own, and what we were warned of. */
struct fix {
	char dir[200], fifo[256], words[400];
	int r, w;
	int warnings;
	char warning[1000];
	struct dr_makeflags flags;
	enum dr_style style; /* options of the next opening */
	unsigned styles;
	struct dr_jobserver *js;
	struct dr_err err;
};

static void
warned(void *arg, const char *message)
{
	struct fix *f = arg;

	f->warnings++;
	snprintf(f->warning, sizeof(f->warning), "%s", message);
}

static int
set_up(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "/tmp/test-jobserver-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->fifo, sizeof(f->fifo), "%s/fifo", f->dir);
	f->r = f->w = -1;
	setenv("TMPDIR", f->dir, 1);
	unsetenv("MAKEFLAGS");
	unsetenv("MFLAGS");
	unsetenv("MAKELEVEL");
	unsetenv("CARGO_MAKEFLAGS");
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fix *f = *state;

	dr_jobserver_close(f->js);
	dr_makeflags_free(&f->flags);
	if (f->w != f->r)
		dr_close(&f->w);
	dr_close(&f->r);
	assert_int_equal(dr_remove_tree(AT_FDCWD, f->dir), 0);
	free(f);
	return 0;
}

static void
parse(struct fix *f)
{
	dr_makeflags_free(&f->flags);
	memset(&f->flags, 0, sizeof(f->flags));
	assert_int_equal(dr_makeflags_parse(getenv("MAKEFLAGS"), getenv("MAKELEVEL"),
					    getenv("CARGO_MAKEFLAGS"), &f->flags),
			 0);
}

static int
try_open(struct fix *f, uint32_t jobs, uint32_t processors)
{
	struct dr_jobserver_options o = {
		.flags = &f->flags, .jobs = jobs, .processors = processors, .warn = warned, .warn_arg = f,
		.style = f->style, .styles = f->styles
	};

	parse(f);
	return dr_jobserver_open(&o, &f->js, &f->err);
}

static void
open_js(struct fix *f, uint32_t jobs)
{
	assert_int_equal(try_open(f, jobs, 8), 0);
	assert_non_null(f->js);
}

static void
close_js(struct fix *f)
{
	dr_jobserver_close(f->js);
	f->js = NULL;
}

/* A make's pool in either style: a pipe whose descriptions block, or a fifo. */
static void
own_pool(struct fix *f, bool fifo, const char *tokens)
{
	int fds[2];

	if (fifo) {
		assert_int_equal(mkfifo(f->fifo, 0600), 0);
		f->r = f->w = open(f->fifo, O_RDWR | O_CLOEXEC);
		assert_true(f->r >= 0);
		snprintf(f->words, sizeof(f->words), " -j%zu --jobserver-auth=fifo:%s", strlen(tokens) + 1,
			 f->fifo);
	} else {
		assert_int_equal(pipe(fds), 0);
		f->r = fds[0];
		f->w = fds[1];
		snprintf(f->words, sizeof(f->words), " -j%zu --jobserver-auth=%d,%d", strlen(tokens) + 1,
			 f->r, f->w);
	}
	assert_int_equal(dr_write_full(f->w, tokens, strlen(tokens)), 0);
	setenv("MAKEFLAGS", f->words, 1);
}

static int
by_value(const void *a, const void *b)
{
	return *(const unsigned char *)a - *(const unsigned char *)b;
}

static size_t
count(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;
	char c;

	while (poll(&p, 1, 0) == 1 && (p.revents & POLLIN) && read(fd, &c, 1) == 1)
		n++;
	return n;
}

/* The pool holds these and no others, in any order; it is empty afterwards. */
static void
assert_tokens(int fd, const char *want)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char got[256] = "";
	size_t n = 0;

	while (n < sizeof(got) - 1 && poll(&p, 1, 0) == 1 && (p.revents & POLLIN) &&
	       read(fd, got + n, 1) == 1)
		n++;
	qsort(got, n, 1, by_value);
	assert_string_equal(got, want);
}

static uint32_t
take_all(struct fix *f)
{
	uint32_t n = 0;
	int rc;

	while ((rc = dr_jobserver_take(f->js, &f->err)) == 1)
		n++;
	assert_int_equal(rc, 0);
	return n;
}

static const char *
told(struct fix *f, const char *name)
{
	size_t n = strlen(name);

	for (const char *const *e = dr_jobserver_env(f->js, DR_STYLE_DEFAULT); *e; e++) {
		if (strncmp(*e, name, n) == 0 && (*e)[n] == '=')
			return *e + n + 1;
	}
	return NULL;
}

/* --- as a client --- */

static void
distinct_bytes(struct fix *f, bool fifo)
{
	int rf, wf, rd;

	own_pool(f, fifo, "ABCDEFG");
	rf = fcntl(f->r, F_GETFL);
	wf = fcntl(f->w, F_GETFL);
	rd = fcntl(f->r, F_GETFD);
	open_js(f, 0);
	assert_true(dr_jobserver_client(f->js));
	assert_int_equal(f->warnings, 0);
	assert_int_equal(dr_jobserver_limit(f->js), 8);
	assert_int_equal(dr_jobserver_held(f->js), 0);
	/* The implicit slot costs no byte and needs no poll. */
	assert_int_equal(dr_jobserver_poll_fd(f->js), -1);
	assert_int_equal(dr_jobserver_take(f->js, &f->err), 1);
	assert_true(dr_jobserver_poll_fd(f->js) >= 0);
	assert_int_equal(dr_jobserver_give(f->js, &f->err), 0);
	assert_int_equal(dr_jobserver_give(f->js, &f->err), 0);
	assert_int_equal(take_all(f), 8);
	assert_int_equal(dr_jobserver_held(f->js), 8);
	assert_int_equal(count(f->r), 0);
	/* To and fro, and one by one as tasks end and start */
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t n = i * 7919 % 8 + 1;

		for (uint32_t j = 0; j < n; j++)
			assert_int_equal(dr_jobserver_give(f->js, &f->err), 0);
		assert_int_equal(dr_jobserver_held(f->js), 8 - n);
		assert_int_equal(take_all(f), n);
	}
	assert_null(*dr_jobserver_env(f->js, DR_STYLE_DEFAULT));
	assert_int_equal(fcntl(f->r, F_GETFL), rf);
	assert_int_equal(fcntl(f->w, F_GETFL), wf);
	assert_int_equal(fcntl(f->r, F_GETFD), rd);
	close_js(f);
	assert_tokens(f->r, "ABCDEFG");
	assert_int_equal(fcntl(f->r, F_GETFL), rf);
}

static void
returns_each_byte_to_a_pipe(void **state)
{
	distinct_bytes(*state, false);
}

static void
returns_each_byte_to_a_fifo(void **state)
{
	distinct_bytes(*state, true);
}

static void
own_descriptors_are_close_on_exec(void **state)
{
	struct fix *f = *state;
	bool before[64];

	own_pool(f, false, "AB");
	for (int fd = 0; fd < 64; fd++)
		before[fd] = fcntl(fd, F_GETFD) >= 0;
	open_js(f, 0);
	for (int fd = 0; fd < 64; fd++) {
		int flags = fcntl(fd, F_GETFD);

		assert_true(flags < 0 || before[fd] || (flags & FD_CLOEXEC));
	}
	close_js(f);
	for (int fd = 0; fd < 64; fd++)
		assert_int_equal(fcntl(fd, F_GETFD) >= 0, before[fd]);
}

static void
takes_one_byte_at_a_time_and_only_when_told(void **state)
{
	struct fix *f = *state;

	own_pool(f, false, "ABC");
	open_js(f, 0);
	assert_int_equal(dr_jobserver_take(f->js, &f->err), 1);
	assert_int_equal(dr_jobserver_take(f->js, &f->err), 1);
	assert_tokens(f->r, "BC");
	assert_int_equal(dr_write_full(f->w, "BC", 2), 0);
	close_js(f);
	assert_tokens(f->r, "ABC");
}

static void
jobs_cap_a_share(void **state)
{
	struct fix *f = *state;

	own_pool(f, true, "ABCDEFG");
	open_js(f, 3);
	assert_int_equal(dr_jobserver_limit(f->js), 3);
	assert_int_equal(take_all(f), 3);
	assert_int_equal(dr_jobserver_poll_fd(f->js), -1);
	assert_int_equal(count(f->r), 5);
	assert_int_equal(dr_write_full(f->w, "CDEFG", 5), 0);
	close_js(f);
	assert_tokens(f->r, "ABCDEFG");
	/* More than the pool has is all of it. */
	assert_int_equal(dr_write_full(f->w, "ABCDEFG", 7), 0);
	open_js(f, 100);
	assert_int_equal(dr_jobserver_limit(f->js), 8);
	close_js(f);
}

static void
a_pool_of_unknown_size(void **state)
{
	struct fix *f = *state;

	own_pool(f, false, "ABC");
	snprintf(f->words, sizeof(f->words), "-j --jobserver-fds=%d,%d --jobserver-auth=%d,%d", f->r, f->w,
		 f->r, f->w);
	unsetenv("MAKEFLAGS");
	setenv("CARGO_MAKEFLAGS", f->words, 1);
	open_js(f, 0);
	assert_true(dr_jobserver_client(f->js));
	assert_int_equal(dr_jobserver_limit(f->js), UINT32_MAX);
	assert_int_equal(take_all(f), 4);
	close_js(f);
	assert_tokens(f->r, "ABC");
}

/* Another process takes the byte that poll has told us of; the pipe's descriptions block. */
static void
rival(struct fix *f, bool fifo)
{
	struct pollfd p = { .events = POLLIN };
	char c;

	own_pool(f, fifo, "A");
	open_js(f, 0);
	assert_int_equal(dr_jobserver_take(f->js, &f->err), 1);
	p.fd = dr_jobserver_poll_fd(f->js);
	assert_int_equal(poll(&p, 1, 0), 1);
	assert_int_equal(read(f->r, &c, 1), 1);
	alarm(600);
	assert_int_equal(dr_jobserver_take(f->js, &f->err), 0);
	alarm(0);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(dr_write_full(f->w, &c, 1), 0);
	assert_int_equal(poll(&p, 1, 0), 1);
	assert_int_equal(dr_jobserver_take(f->js, &f->err), 1);
	close_js(f);
	assert_tokens(f->r, "A");
}

static void
a_rival_is_quicker_at_a_pipe(void **state)
{
	rival(*state, false);
}

static void
a_rival_is_quicker_at_a_fifo(void **state)
{
	rival(*state, true);
}

/* In a process of its own: gives up what lets it open the pipe of another user. */
static int
as_another_user(struct fix *f)
{
	struct dr_jobserver_options o = { .flags = &f->flags, .warn = warned, .warn_arg = f };
	char c = 0;

	alarm(600);
	if (fchmod(f->r, 0) || (geteuid() == 0 && setresuid(65534, 65534, 65534)))
		return 10;
	parse(f);
	if (dr_jobserver_open(&o, &f->js, &f->err) || !dr_jobserver_client(f->js) || f->warnings)
		return 11;
	if (dr_jobserver_take(f->js, NULL) != 1 || dr_jobserver_take(f->js, NULL) != 1)
		return 12;
	if (dr_jobserver_poll_fd(f->js) != f->r || dr_jobserver_take(f->js, NULL) != 1)
		return 13;
	/* The description blocks, and nothing is there. */
	if (dr_jobserver_take(f->js, NULL) != 0)
		return 14;
	if (dr_jobserver_give(f->js, NULL) || read(f->r, &c, 1) != 1 || write(f->w, &c, 1) != 1)
		return 15;
	if (fcntl(f->r, F_GETFL) & O_NONBLOCK)
		return 16;
	close_js(f);
	return fcntl(f->r, F_GETFL) < 0 || fcntl(f->w, F_GETFL) < 0 ? 17 : 0;
}

static void
a_pipe_of_another_user(void **state)
{
	struct fix *f = *state;
	int status;
	pid_t pid;

	own_pool(f, false, "AB");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(as_another_user(f));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_tokens(f->r, "AB");
}

static void
a_server_that_goes(void **state)
{
	struct fix *f = *state;

	/* A device that a daemon plays says the end of file when the daemon has gone. */
	setenv("MAKEFLAGS", " -j4 --jobserver-auth=fifo:/dev/null", 1);
	open_js(f, 0);
	assert_int_equal(dr_jobserver_take(f->js, &f->err), 1);
	assert_int_equal(dr_jobserver_take(f->js, &f->err), -1);
	assert_int_equal(dr_jobserver_take(f->js, &f->err), 0);
	assert_int_equal(dr_jobserver_poll_fd(f->js), -1);
	assert_int_equal(dr_jobserver_held(f->js), 1);
	assert_int_equal(dr_jobserver_give(f->js, &f->err), 0);
	assert_int_equal(dr_jobserver_take(f->js, &f->err), 1);
}

/* --- pools that cannot be used --- */

static void
assert_unusable(struct fix *f, const char *cause, const char *cure)
{
	setenv("MAKEFLAGS", f->words, 1);
	f->warnings = 0;
	open_js(f, 0);
	assert_false(dr_jobserver_client(f->js));
	assert_int_equal(f->warnings, 1);
	if (!strstr(f->warning, cause) || !strstr(f->warning, cure))
		fail_msg("'%s' says neither '%s' nor '%s'", f->warning, cause, cure);
	assert_int_equal(dr_jobserver_limit(f->js), 1);
	assert_int_equal(take_all(f), 1);
	assert_int_equal(dr_jobserver_poll_fd(f->js), -1);
	assert_int_equal(f->warnings, 1);
}

/* With the one descriptor twice, to read and to write. */
static int
child_fds(struct dr_jobserver *js, enum dr_style style, int *r, int *w, int *to_r, int *to_w, struct dr_err *err)
{
	int rc;

	*r = -1;
	rc = dr_jobserver_child_fds(js, style, r, to_r, to_w, err);

	*w = *r < 0 ? -1 : fcntl(*r, F_DUPFD_CLOEXEC, 0);
	return rc;
}

/* And children are not told of it either. */
static void
assert_dead(struct fix *f, const char *cause, const char *cure)
{
	int r, w, to_r, to_w;

	assert_unusable(f, cause, cure);
	assert_string_equal(told(f, "MAKEFLAGS"), "k");
	assert_int_equal(child_fds(f->js, DR_STYLE_DEFAULT, &r, &w, &to_r, &to_w, &f->err), 0);
	assert_int_equal(r, -1);
	assert_int_equal(to_w, -1);
	/* Who wants one task at a time has nothing to be told. */
	close_js(f);
	open_js(f, 1);
	assert_int_equal(f->warnings, 1);
	close_js(f);
}

static void
descriptors_that_are_no_pool(void **state)
{
	struct fix *f = *state;
	int file, a[2], b[2], own[2];

	snprintf(f->words, sizeof(f->words), "k -j4 --jobserver-auth=%d,%d", 400, 401);
	assert_dead(f, "400 is closed", "add '+'");

	file = open("/dev/null", O_RDWR);
	assert_true(file >= 0);
	snprintf(f->words, sizeof(f->words), "k -j4 --jobserver-auth=%d,%d", file, file);
	assert_dead(f, "else than a pipe", "add '+'");

	assert_int_equal(pipe(a), 0);
	assert_int_equal(pipe(b), 0);
	snprintf(f->words, sizeof(f->words), "k -j4 --jobserver-auth=%d,%d", a[1], a[0]);
	assert_dead(f, "not open for reading", "add '+'");
	snprintf(f->words, sizeof(f->words), "k -j4 --jobserver-auth=%d,%d", a[0], b[0]);
	assert_dead(f, "not open for writing", "add '+'");
	snprintf(f->words, sizeof(f->words), "k -j4 --jobserver-auth=%d,%d", a[0], b[1]);
	assert_dead(f, "of another pipe", "add '+'");
	snprintf(f->words, sizeof(f->words), "k -j4 --jobserver-auth=%d,401", a[0]);
	assert_dead(f, "401 is closed", "add '+'");

	/* A pipe that we opened where make had closed its own */
	assert_int_equal(pipe(own), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(fcntl(own[i], F_SETFD, FD_CLOEXEC), 0);
	snprintf(f->words, sizeof(f->words), "k -j4 --jobserver-auth=%d,%d", own[0], own[1]);
	assert_dead(f, "is closed", "add '+'");

	close(file);
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
		close(own[i]);
	}
}

static void
fifos_that_are_no_pool(void **state)
{
	struct fix *f = *state;

	snprintf(f->words, sizeof(f->words), "k -j4 --jobserver-auth=fifo:%s", f->fifo);
	assert_dead(f, "No such file", "while the make");
	f->r = open(f->fifo, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(f->r >= 0);
	assert_dead(f, "not a fifo", "unset MAKEFLAGS");
	snprintf(f->words, sizeof(f->words), "k -j4 --jobserver-auth=fifo:%s", f->dir);
	assert_dead(f, "Is a directory", "while the make");
}

static void
a_fifo_with_a_blank_in_its_path(void **state)
{
	struct fix *f = *state;
	char name[300];

	snprintf(f->fifo, sizeof(f->fifo), "%s/a b", f->dir);
	own_pool(f, true, "ABC");
	snprintf(name, sizeof(name), " -j4 --jobserver-auth=fifo:%s/a\\ b", f->dir);
	setenv("MAKEFLAGS", name, 1);
	open_js(f, 0);
	assert_int_equal(f->warnings, 0);
	assert_int_equal(take_all(f), 4);
	close_js(f);
	assert_tokens(f->r, "ABC");
}

/* A program in between has closed the descriptors, but the pool has another address. */
static void
a_pipe_that_is_gone_and_its_fifo(void **state)
{
	static const char *const first[] = { "--jobserver-auth=98,99", "--jobserver-auth=-2,-2", "--jobserver-auth=sem:x" };
	struct fix *f = *state;
	char name[400];

	own_pool(f, true, "ABC");
	for (size_t i = 0; i < sizeof(first) / sizeof(*first); i++) {
		snprintf(name, sizeof(name), " -j3 %s -- A=b --jobserver-auth=fifo:%s", first[i], f->fifo);
		setenv("MAKEFLAGS", name, 1);
		open_js(f, 0);
		assert_int_equal(f->warnings, 0);
		assert_true(dr_jobserver_client(f->js));
		assert_int_equal(take_all(f), 3);
		close_js(f);
		assert_tokens(f->r, "ABC");
		assert_int_equal(dr_write_full(f->w, "ABC", 3), 0);
	}
}

/* Cargo has a pool of its own, as it could not use make's. */
static void
a_pipe_that_is_gone_and_cargos(void **state)
{
	struct fix *f = *state;

	own_pool(f, false, "ABC");
	setenv("CARGO_MAKEFLAGS", f->words, 1);
	setenv("MAKEFLAGS", " -j2 --jobserver-auth=98,99", 1);
	open_js(f, 0);
	assert_int_equal(f->warnings, 0);
	assert_int_equal(take_all(f), 4);
	close_js(f);
	assert_tokens(f->r, "ABC");
}

/* None can be reached: one warning, of what make named. */
static void
no_address_leads_to_a_pool(void **state)
{
	struct fix *f = *state;

	snprintf(f->words, sizeof(f->words), " -j3 --jobserver-auth=98,99 -- --jobserver-auth=fifo:%s", f->fifo);
	setenv("CARGO_MAKEFLAGS", "-j --jobserver-auth=96,97", 1);
	assert_unusable(f, "98,99", "add '+'");
}

static void
a_pool_that_is_withheld(void **state)
{
	struct fix *f = *state;

	snprintf(f->words, sizeof(f->words), "k -j4 --jobserver-auth=-2,-2");
	assert_dead(f, "keeps its jobserver", "add '+'");
}

static void
a_style_that_is_not_known(void **state)
{
	struct fix *f = *state;

	snprintf(f->words, sizeof(f->words), "k -j4 --jobserver-auth=sem:abc");
	assert_unusable(f, "'sem:abc'", "--jobserver-style");
	/* A child may know it. */
	assert_null(*dr_jobserver_env(f->js, DR_STYLE_DEFAULT));
}

static void
no_descriptors_to_join_with(void **state)
{
	struct fix *f = *state;
	struct rlimit was, none;
	int rc;

	own_pool(f, false, "AB");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	rc = try_open(f, 0, 8);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(rc, -1);
	assert_null(f->js);
	assert_int_equal(f->err.sys, EMFILE);
	assert_int_equal(f->err.code, DR_SYSTEM);
}

/* --- as a server --- */

static void
how_many_jobs(void **state)
{
	static const struct {
		const char *makeflags, *makelevel;
		uint32_t jobs, processors, limit;
	} cases[] = {
		{ NULL, NULL, 0, 8, 8 },  { NULL, NULL, 3, 8, 3 },  { NULL, NULL, 0, 0, 1 },
		{ "", "1", 0, 8, 1 },     { "", "1", 4, 8, 4 },     { " -j1", "1", 0, 8, 1 },
		{ "-j6", NULL, 0, 8, 6 }, { "-j6", NULL, 2, 8, 2 },
		{ " -j", "1", 0, 8, 8 },  { " -j", "1", 3, 8, 3 },  { "k -j -l4", "1", 0, 8, 8 },
		{ " -j -j1", "1", 0, 8, 1 },
	};
	struct fix *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		unsetenv("MAKEFLAGS");
		unsetenv("MAKELEVEL");
		if (cases[i].makeflags)
			setenv("MAKEFLAGS", cases[i].makeflags, 1);
		if (cases[i].makelevel)
			setenv("MAKELEVEL", cases[i].makelevel, 1);
		assert_int_equal(try_open(f, cases[i].jobs, cases[i].processors), 0);
		assert_false(dr_jobserver_client(f->js));
		assert_int_equal(dr_jobserver_limit(f->js), cases[i].limit);
		assert_int_equal(take_all(f), cases[i].limit);
		assert_int_equal(f->warnings, 0);
		close_js(f);
	}
}

/* What TMPDIR holds. */
static int
entries(struct fix *f)
{
	char cmd[300];
	FILE *p;
	int n = 0;

	snprintf(cmd, sizeof(cmd), "ls -A %s", f->dir);
	p = popen(cmd, "r");
	assert_non_null(p);
	while (fgets(cmd, sizeof(cmd), p))
		n++;
	assert_int_equal(pclose(p), 0);
	return n;
}

/* The path and the numbers that MAKEFLAGS names. */
static void
addresses(struct fix *f, unsigned jobs, char path[300], int *r, int *w)
{
	char want[700];
	const char *value = told(f, "MAKEFLAGS");

	assert_non_null(value);
	assert_int_equal(
		sscanf(value, " -j%*u --jobserver-auth=%d,%d -- --jobserver-auth=fifo:%299s", r, w, path), 3);
	snprintf(want, sizeof(want), " -j%u --jobserver-auth=%d,%d -- --jobserver-auth=fifo:%s", jobs, *r, *w,
		 path);
	assert_string_equal(value, want);
	assert_string_equal(told(f, "CARGO_MAKEFLAGS"), want);
	snprintf(want, sizeof(want), "-j%u --jobserver-auth=%d,%d", jobs, *r, *w);
	assert_string_equal(told(f, "MFLAGS"), want);
}

static void
one_pool_two_addresses(void **state)
{
	struct fix *f = *state;
	int r, w, to_r, to_w, env_r, env_w, fd;
	char path[300], again[300];
	struct stat st;

	open_js(f, 4);
	assert_int_equal(dr_jobserver_take(f->js, &f->err), 1);
	/* So far nobody needs a pool. */
	assert_int_equal(entries(f), 0);
	addresses(f, 4, path, &env_r, &env_w);
	assert_int_equal(entries(f), 1);
	assert_int_equal(strncmp(path, f->dir, strlen(f->dir)), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	snprintf(again, sizeof(again), "%s", path);
	*strrchr(again, '/') = '\0';
	assert_int_equal(stat(again, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);

	assert_int_equal(child_fds(f->js, DR_STYLE_DEFAULT, &r, &w, &to_r, &to_w, &f->err), 0);
	assert_true(r >= 0 && w >= 0 && r != w);
	assert_int_equal(to_r, env_r);
	assert_int_equal(to_w, env_w);
	assert_true(to_r >= 100 && to_w >= 100 && to_r != to_w);
	/* What the caller passes cannot be what it overwrites. */
	assert_true(r != to_w && w != to_r);
	assert_int_equal(fcntl(r, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR);
	assert_true(fcntl(r, F_GETFD) & FD_CLOEXEC);
	/* A child that makes its description non-blocking changes nobody else's. */
	assert_int_equal(fcntl(r, F_SETFL, O_NONBLOCK), 0);
	close(r);
	assert_int_equal(child_fds(f->js, DR_STYLE_DEFAULT, &r, &fd, &to_r, &to_w, &f->err), 0);
	assert_false(fcntl(r, F_GETFL) & O_NONBLOCK);
	close(fd);

	/* Three bytes, however one comes to them */
	assert_tokens(r, "+++");
	assert_int_equal(dr_jobserver_take(f->js, &f->err), 0);
	assert_int_equal(dr_write_full(w, "+++", 3), 0);
	assert_int_equal(take_all(f), 3);
	assert_int_equal(dr_jobserver_held(f->js), 4);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(count(fd), 0);
	close(fd);
	addresses(f, 4, again, &env_r, &env_w);
	assert_string_equal(path, again);

	close_js(f);
	assert_int_equal(count(r), 3);
	close(r);
	close(w);
	assert_int_equal(entries(f), 0);
	assert_int_equal(f->warnings, 0);
}

/* One child after another has it, as long as it is as the first one found it. */
static void
a_description_is_given_again(void **state)
{
	struct fix *f = *state;
	struct stat was, is;
	int fd = -1, first, to_r, to_w;

	open_js(f, 2);
	assert_int_equal(take_all(f), 2);
	assert_int_equal(dr_jobserver_child_fds(f->js, DR_STYLE_DEFAULT, &fd, &to_r, &to_w, &f->err), 0);
	first = fd;
	assert_int_equal(fstat(fd, &was), 0);
	assert_int_equal(dr_jobserver_child_fds(f->js, DR_STYLE_DEFAULT, &fd, &to_r, &to_w, &f->err), 0);
	assert_int_equal(fd, first);
	assert_true(to_r >= 100 && to_w >= 100);
	/* One who is told of nothing leaves it for the next. */
	assert_int_equal(dr_jobserver_child_fds(f->js, DR_STYLE_NONE, &fd, &to_r, &to_w, &f->err), 0);
	assert_int_equal(fd, first);
	assert_int_equal(to_r & to_w, -1);
	/* A make 4.3 that the child has left behind goes on with flags as it set them, and the next child has them as they were. */
	first = dr_dup_above(fd, 0);
	assert_int_equal(fcntl(first, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(dr_jobserver_child_fds(f->js, DR_STYLE_DEFAULT, &fd, &to_r, &to_w, &f->err), 0);
	assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(first, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fstat(fd, &is), 0);
	assert_true(was.st_ino == is.st_ino && was.st_dev == is.st_dev);
	dr_close(&first);
	dr_close(&fd);
}

static void
leaves_nothing_when_nothing_runs(void **state)
{
	struct fix *f = *state;

	open_js(f, 8);
	assert_int_equal(dr_jobserver_take(f->js, &f->err), 1);
	assert_int_equal(dr_jobserver_give(f->js, &f->err), 0);
	assert_int_equal(entries(f), 0);
	close_js(f);
	assert_int_equal(entries(f), 0);
}

static void
the_fifo_can_be_gone(void **state)
{
	struct fix *f = *state;
	int r, w, to_r, to_w;

	open_js(f, 3);
	assert_int_equal(take_all(f), 3);
	assert_int_equal(entries(f), 1);
	/* Who cleans the temporary directory takes no token from us. */
	assert_int_equal(dr_remove_tree(AT_FDCWD, f->dir), 0);
	assert_int_equal(mkdir(f->dir, 0700), 0);
	assert_int_equal(dr_jobserver_give(f->js, &f->err), 0);
	assert_int_equal(child_fds(f->js, DR_STYLE_DEFAULT, &r, &w, &to_r, &to_w, &f->err), 0);
	assert_tokens(r, "+");
	close(r);
	close(w);
}

static void
one_job_makes_no_pool(void **state)
{
	struct fix *f = *state;
	int r, w, to_r, to_w;

	open_js(f, 1);
	assert_int_equal(take_all(f), 1);
	/* What it starts is to know that it is one, too. */
	assert_string_equal(told(f, "MAKEFLAGS"), "");
	assert_int_equal(child_fds(f->js, DR_STYLE_DEFAULT, &r, &w, &to_r, &to_w, &f->err), 0);
	assert_int_equal(r & w & to_r & to_w, -1);
	assert_int_equal(entries(f), 0);
	close_js(f);
	/* A person's own -j would give each child as many. */
	setenv("MAKEFLAGS", "-j8", 1);
	setenv("MFLAGS", "-j8", 1);
	open_js(f, 1);
	assert_string_equal(told(f, "MAKEFLAGS"), "");
	assert_string_equal(told(f, "MFLAGS"), "");
	assert_null(told(f, "CARGO_MAKEFLAGS"));
}

static void
inherited_words_are_kept(void **state)
{
	static const struct {
		const char *was, *kept; /* of one job: only what does not name a pool is left */
	} cases[] = {
		{ "", NULL },
		{ "k", NULL },
		{ "ks -l2.5 --trace", NULL },
		{ "-j8", "" },
		{ "-j", "" },
		{ "-j 8", "" },
		{ "--jobs", "" },
		{ "--jobs=4 -k", " -k" },
		{ "--jobs 4 -k", " -k" },
		{ "kj8s", "ks" },
		{ "kj 8", "k" },
		{ "-kj8", " -k" },
		{ "-Ijars -Odj", " -Ijars -Odj" },
		{ "k -j1 -- A=1 B=a\\ b\\\\", "k -- A=1 B=a\\ b\\\\" },
		{ " -- J=-j8", NULL },
		{ "A=j -j2", " A=j" },
		{ "k -j8 -- --jobserver-auth=x A=1", "k -- A=1" },
		{ "-k 8", " -k 8" },
	};
	struct fix *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *want = cases[i].kept, *got;

		setenv("MAKEFLAGS", cases[i].was, 1);
		open_js(f, 1);
		got = told(f, "MAKEFLAGS");
		if (want && got)
			assert_string_equal(got, want);
		else if (want || got)
			fail_msg("%s became %s", cases[i].was, got ? got : "(unset)");
		close_js(f);
	}
}

static void
inherited_words_stand_around_the_pool(void **state)
{
	struct fix *f = *state;
	const char *v;
	char *want;

	setenv("MAKEFLAGS", "ks -l2 -- A=a\\ b", 1);
	setenv("MFLAGS", "-ks -l2", 1);
	open_js(f, 4);
	v = told(f, "MAKEFLAGS");
	assert_non_null(v);
	want = strstr(v, " --jobserver-auth=fifo:");
	assert_non_null(want);
	assert_int_equal(strncmp(v, "ks -l2 -j4 --jobserver-auth=", 28), 0);
	assert_non_null(strstr(v, " -- A=a\\ b --jobserver-auth=fifo:"));
	v = told(f, "MFLAGS");
	assert_int_equal(strncmp(v, "-ks -l2 -j4 --jobserver-auth=", 29), 0);
	assert_null(strstr(v, "fifo:"));
	v = told(f, "CARGO_MAKEFLAGS");
	assert_int_equal(strncmp(v, " -j4 --jobserver-auth=", 22), 0);
	assert_null(strstr(v, "A="));
	/* And can be read by one of us. */
	setenv("MAKEFLAGS", told(f, "MAKEFLAGS"), 1);
	parse(f);
	assert_int_equal(f->flags.auths[0].auth, DR_AUTH_PIPE);
	assert_int_equal(f->flags.jobs, 4);
	assert_true(f->flags.k && f->flags.s);
}

static void
what_did_not_come_back(void **state)
{
	struct fix *f = *state;
	int r, w, to_r, to_w;
	char c[8];

	open_js(f, 4);
	/* There is none yet. */
	assert_int_equal(dr_jobserver_reconcile(f->js, NULL), 0);
	assert_int_equal(child_fds(f->js, DR_STYLE_DEFAULT, &r, &w, &to_r, &to_w, &f->err), 0);
	assert_int_equal(dr_jobserver_reconcile(f->js, NULL), 0);
	assert_int_equal(read(r, c, 2), 2);
	assert_int_equal(dr_jobserver_reconcile(f->js, NULL), 2);
	assert_int_equal(dr_jobserver_reconcile(f->js, NULL), 0);
	/* What we hold ourselves is not missing. */
	assert_int_equal(dr_jobserver_take(f->js, &f->err), 1);
	assert_int_equal(dr_jobserver_take(f->js, &f->err), 1);
	assert_int_equal(dr_jobserver_reconcile(f->js, NULL), 0);
	assert_int_equal(read(r, c, 1), 1);
	assert_int_equal(dr_jobserver_reconcile(f->js, NULL), 1);
	assert_int_equal(write(w, "xxxxx", 5), 5);
	assert_int_equal(dr_jobserver_reconcile(f->js, NULL), -5);
	close_js(f);
	assert_int_equal(count(r), 3);
	close(r);
	close(w);
}

/* What a child of a style is told, in the order of the variables; the fifo's path is PATH. */
static const char *
told_in(struct fix *f, enum dr_style style)
{
	static char all[3000];
	const char *const *e = dr_jobserver_env(f->js, style);
	char *fifo, *end;

	all[0] = '\0';
	for (; *e; e++) {
		strcat(all, *e);
		strcat(all, ";");
	}
	while ((fifo = strstr(all, f->dir)) != NULL) {
		end = fifo + strcspn(fifo, " ;");
		memcpy(fifo, "PATH", 4);
		memmove(fifo + 4, end, strlen(end) + 1);
	}
	return all;
}

static void
styles_of_a_server(void **state)
{
	struct fix *f = *state;
	int r, w, to_r, to_w, hidden[2];

	setenv("MAKEFLAGS", "k -- A=b", 1);
	f->styles = 1U << DR_STYLE_FIFO;
	open_js(f, 3);
	assert_string_equal(told_in(f, DR_STYLE_BOTH),
			    "MAKEFLAGS=k -j3 --jobserver-auth=100,101 -- A=b --jobserver-auth=fifo:PATH;"
			    "MFLAGS=-j3 --jobserver-auth=100,101;"
			    "CARGO_MAKEFLAGS= -j3 --jobserver-auth=100,101 -- --jobserver-auth=fifo:PATH;");
	assert_string_equal(told_in(f, DR_STYLE_PIPE), "MAKEFLAGS=k -j3 --jobserver-auth=100,101 -- A=b;"
						       "MFLAGS=-j3 --jobserver-auth=100,101;"
						       "CARGO_MAKEFLAGS= -j3 --jobserver-auth=100,101;");
	assert_string_equal(told_in(f, DR_STYLE_FIFO), "MAKEFLAGS=k -j3 --jobserver-auth=fifo:PATH -- A=b;"
						       "MFLAGS=-j3 --jobserver-auth=fifo:PATH;"
						       "CARGO_MAKEFLAGS= -j3 --jobserver-auth=fifo:PATH;");
	assert_string_equal(told_in(f, DR_STYLE_NONE), "");
	for (enum dr_style s = DR_STYLE_DEFAULT; s < DR_STYLES; s++) {
		bool given = s != DR_STYLE_FIFO && s != DR_STYLE_NONE;

		assert_int_equal(child_fds(f->js, s, &r, &w, &to_r, &to_w, &f->err), 0);
		assert_int_equal(to_r, given ? 100 : -1);
		assert_int_equal(w >= 0, given);
		dr_close(&r);
		dr_close(&w);
		dr_jobserver_hidden(f->js, s, hidden);
		assert_int_equal(hidden[0], -1);
	}
}

/* Set, though empty: a make above, without a pool. */
static void
nothing_is_told(void **state)
{
	struct fix *f = *state;

	f->style = DR_STYLE_NONE;
	open_js(f, 3);
	assert_string_equal(told_in(f, DR_STYLE_DEFAULT), "MAKEFLAGS=;");
	/* Our own tasks have their pool, without a fifo that nobody needs. */
	assert_int_equal(take_all(f), 3);
	assert_int_equal(entries(f), 0);
	assert_int_equal(f->warnings, 0);
}

static void
styles_of_a_client(void **state)
{
	struct fix *f = *state;
	char words[500];
	int hidden[2];

	own_pool(f, false, "ABC");
	snprintf(words, sizeof(words), "k%s -- A=b", f->words);
	setenv("MAKEFLAGS", words, 1);
	snprintf(words, sizeof(words), "-k%s", f->words);
	setenv("MFLAGS", words, 1);
	setenv("CARGO_MAKEFLAGS", f->words, 1);
	open_js(f, 0);
	for (enum dr_style s = DR_STYLE_DEFAULT; s < DR_STYLE_NONE; s++) {
		assert_string_equal(told_in(f, s), "");
		dr_jobserver_hidden(f->js, s, hidden);
		assert_int_equal(hidden[0], -1);
		assert_int_equal(hidden[1], -1);
	}
	assert_string_equal(told_in(f, DR_STYLE_NONE), "MAKEFLAGS=k -- A=b;MFLAGS=-k;CARGO_MAKEFLAGS=;");
	dr_jobserver_hidden(f->js, DR_STYLE_NONE, hidden);
	assert_int_equal(hidden[0], f->r);
	assert_int_equal(hidden[1], f->w);
	close_js(f);
	assert_tokens(f->r, "ABC");
}

/* A process that is not our child and has the pool open, until the pipe is closed. */
static void
leave_a_holder(int pool, int until[2], int ready[2])
{
	char c;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid) {
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		return;
	}
	if (fork())
		_exit(0);
	for (int fd = 3; fd < 200; fd++)
		if (fd != pool && fd != until[0] && fd != ready[1])
			close(fd);
	_exit(write(ready[1], "x", 1) == 1 ? (int)read(until[0], &c, 1) : 1);
}

static void
what_may_yet_come_back_is_waited_for(void **state)
{
	struct fix *f = *state;
	int r, w, to_r, to_w, until[2], ready[2];
	bool held = true;
	char c;

	alarm(600);
	open_js(f, 4);
	assert_int_equal(child_fds(f->js, DR_STYLE_DEFAULT, &r, &w, &to_r, &to_w, &f->err), 0);
	assert_int_equal(read(r, &c, 1), 1);
	assert_int_equal(pipe2(until, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	leave_a_holder(w, until, ready);
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(dr_jobserver_reconcile(f->js, &held), 0);
	assert_true(held);
	/* What is too much is so whoever holds others. */
	assert_int_equal(write(w, "+++", 3), 3);
	assert_int_equal(dr_jobserver_reconcile(f->js, &held), -2);
	assert_false(held);
	assert_int_equal(read(r, &c, 1), 1);
	close(until[1]);
	close(ready[1]);
	/* It closes the other end of this one as it ends, but not before all else. */
	assert_int_equal(read(ready[0], &c, 1), 0);
	do
		assert_int_equal(dr_jobserver_reconcile(f->js, &held) | (held ? 1 : 0), 1);
	while (held);
	close(until[0]);
	close(ready[0]);
	close(r);
	close(w);
	alarm(0);
}

static void
another_s_pool_is_not_set_right(void **state)
{
	struct fix *f = *state;

	own_pool(f, true, "ABC");
	open_js(f, 0);
	f->words[0] = 0;
	assert_int_equal(read(f->r, f->words, 1), 1);
	assert_int_equal(dr_jobserver_reconcile(f->js, NULL), 0);
	close_js(f);
	assert_tokens(f->r, "BC");
}

/* A directory as a run makes it, with a fifo in it. */
static void
leave_behind(struct fix *f, const char *name, char dir[300])
{
	char path[400];

	snprintf(dir, 300, "%s/dagrun-jobserver-%s", f->dir, name);
	assert_int_equal(mkdir(dir, 0700), 0);
	snprintf(path, sizeof(path), "%s/pool", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
}

static bool
is_there(const char *dir, const char *name)
{
	char path[400];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return lstat(path, &st) == 0;
}

/* Of runs that no longer live, and nothing else. */
static void
what_the_dead_left_is_swept(void **state)
{
	char dead[300], other[300], living[300], theirs[300], path[400];
	struct fix *f = *state;
	int lock, r, w, to_r, to_w;
	struct stat st;

	leave_behind(f, "dead", dead);
	leave_behind(f, "living", living);
	lock = open(living, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	leave_behind(f, "other", other);
	snprintf(path, sizeof(path), "%s/file", other);
	assert_int_equal(mkdir(path, 0700), 0);
	leave_behind(f, "theirs", theirs);
	if (geteuid() == 0)
		assert_int_equal(chown(theirs, 65534, 65534), 0);
	snprintf(path, sizeof(path), "%s/dagrun-jobserver-link", f->dir);
	assert_int_equal(symlink(living, path), 0);
	open_js(f, 3);
	assert_int_equal(child_fds(f->js, DR_STYLE_DEFAULT, &r, &w, &to_r, &to_w, &f->err), 0);
	assert_false(is_there(dead, "."));
	assert_true(is_there(living, "pool"));
	assert_true(is_there(other, "file"));
	assert_int_equal(is_there(theirs, "pool"), geteuid() == 0);
	assert_true(is_there(f->dir, "dagrun-jobserver-link"));
	/* Ours is held while we live, also against us. */
	close(lock);
	assert_int_equal(sscanf(told(f, "MAKEFLAGS"), "%*s %*s %*s --jobserver-auth=fifo:%299s", dead), 1);
	assert_int_equal(lstat(dead, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	*strrchr(dead, '/') = '\0';
	assert_int_equal(lstat(dead, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	lock = open(dead, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), -1);
	close(lock);
	close(r);
	close(w);
	close_js(f);
	assert_false(is_there(dead, "."));
}

/* A pool of this many jobs, of which a pipe may hold fewer. */
static void
large(struct fix *f, uint32_t jobs)
{
	uint32_t limit;
	int r, w, to_r, to_w;
	char c;

	alarm(600);
	open_js(f, jobs);
	limit = dr_jobserver_limit(f->js);
	assert_true(limit > 1 && limit <= jobs);
	assert_int_equal(child_fds(f->js, DR_STYLE_DEFAULT, &r, &w, &to_r, &to_w, &f->err), 0);
	/* What was taken can be given back without waiting, in whatever order the pages were read. */
	for (uint32_t i = 0; i < limit + 10000; i++) {
		assert_int_equal(read(r, &c, 1), 1);
		assert_int_equal(write(w, &c, 1), 1);
	}
	assert_int_equal(take_all(f), limit);
	close_js(f);
	assert_int_equal(count(r), limit - 1);
	close(r);
	close(w);
	alarm(0);
}

static void
large_pools(void **state)
{
	large(*state, 4096);
	large(*state, 70000);
	large(*state, UINT32_MAX);
}

static void
no_place_for_a_fifo(void **state)
{
	struct fix *f = *state;
	char gone[300];
	const char *v;
	int r, w, to_r, to_w;

	snprintf(gone, sizeof(gone), "%s/gone", f->dir);
	setenv("TMPDIR", gone, 1);
	open_js(f, 4);
	v = told(f, "MAKEFLAGS");
	assert_int_equal(strncmp(v, " -j4 --jobserver-auth=", 22), 0);
	assert_null(strstr(v, "fifo:"));
	assert_null(strstr(v, " -- "));
	assert_int_equal(f->warnings, 1);
	assert_non_null(strstr(f->warning, gone));
	assert_int_equal(take_all(f), 4);
	assert_int_equal(child_fds(f->js, DR_STYLE_DEFAULT, &r, &w, &to_r, &to_w, &f->err), 0);
	assert_false(fcntl(r, F_GETFL) & O_NONBLOCK);
	assert_int_equal(count(r), 0);
	close_js(f);
	assert_tokens(r, "+++");
	close(r);
	close(w);
}

/* A path that make or a child would take apart is not told. */
static void
a_place_with_a_blank(void **state)
{
	struct fix *f = *state;
	char blank[300];
	const char *path;

	snprintf(blank, sizeof(blank), "%s/a b", f->dir);
	assert_int_equal(mkdir(blank, 0700), 0);
	setenv("TMPDIR", blank, 1);
	open_js(f, 4);
	path = strstr(told(f, "MAKEFLAGS"), "fifo:");
	assert_non_null(path);
	assert_null(strchr(path, ' '));
	assert_int_equal(access(path + 5, F_OK), 0);
	assert_int_equal(rmdir(blank), 0);
	close_js(f);
	assert_int_equal(f->warnings, 0);
}

static void
no_descriptors_for_a_pool(void **state)
{
	struct fix *f = *state;
	struct rlimit was, none;
	int rcs[3], r, w, to_r, to_w;
	const char *env;

	open_js(f, 4);
	assert_int_equal(dr_jobserver_take(f->js, &f->err), 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (int i = 0; i < 2; i++)
		rcs[i] = dr_jobserver_take(f->js, &f->err);
	rcs[2] = child_fds(f->js, DR_STYLE_DEFAULT, &r, &w, &to_r, &to_w, &f->err);
	env = *dr_jobserver_env(f->js, DR_STYLE_DEFAULT);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_string_equal(env, "MAKEFLAGS=");
	assert_int_equal(rcs[0], 0);
	assert_int_equal(rcs[1], 0);
	assert_int_equal(rcs[2], -1);
	assert_int_equal(f->err.sys, EMFILE);
	assert_int_equal(f->warnings, 1);
	/* It goes on when there are some again. */
	assert_int_equal(take_all(f), 3);
	assert_non_null(told(f, "MAKEFLAGS"));
}

static void
a_low_limit_of_descriptors(void **state)
{
	struct fix *f = *state;
	struct rlimit was, low;
	const char *v;
	int r, w, to_r, to_w;

	open_js(f, 4);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	low = was;
	low.rlim_cur = 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	v = told(f, "MAKEFLAGS");
	assert_int_equal(child_fds(f->js, DR_STYLE_DEFAULT, &r, &w, &to_r, &to_w, &f->err), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_non_null(v);
	assert_int_equal(strncmp(v, " -j4 -- --jobserver-auth=fifo:", 30), 0);
	assert_int_equal(r & w & to_r & to_w, -1);
	assert_int_equal(take_all(f), 4);
}

int
main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(returns_each_byte_to_a_pipe),
		T(returns_each_byte_to_a_fifo),
		T(own_descriptors_are_close_on_exec),
		T(takes_one_byte_at_a_time_and_only_when_told),
		T(jobs_cap_a_share),
		T(a_pool_of_unknown_size),
		T(a_rival_is_quicker_at_a_pipe),
		T(a_rival_is_quicker_at_a_fifo),
		T(a_pipe_of_another_user),
		T(a_server_that_goes),
		T(descriptors_that_are_no_pool),
		T(fifos_that_are_no_pool),
		T(a_fifo_with_a_blank_in_its_path),
		T(a_pool_that_is_withheld),
		T(a_pipe_that_is_gone_and_its_fifo),
		T(a_pipe_that_is_gone_and_cargos),
		T(no_address_leads_to_a_pool),
		T(a_style_that_is_not_known),
		T(no_descriptors_to_join_with),
		T(how_many_jobs),
		T(one_pool_two_addresses),
		T(a_description_is_given_again),
		T(leaves_nothing_when_nothing_runs),
		T(the_fifo_can_be_gone),
		T(one_job_makes_no_pool),
		T(inherited_words_are_kept),
		T(inherited_words_stand_around_the_pool),
		T(styles_of_a_server),
		T(nothing_is_told),
		T(styles_of_a_client),
		T(what_did_not_come_back),
		T(what_may_yet_come_back_is_waited_for),
		T(another_s_pool_is_not_set_right),
		T(what_the_dead_left_is_swept),
		T(large_pools),
		T(no_place_for_a_fifo),
		T(a_place_with_a_blank),
		T(no_descriptors_for_a_pool),
		T(a_low_limit_of_descriptors),
	};

	return cmocka_run_group_tests_name("jobserver", tests, NULL, NULL);
}
