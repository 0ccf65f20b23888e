#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "guardian.h"
#include "os.h"
#include "private-dir.h"
#include "spawn.h"
#include "under-valgrind.h"

/* Guardians that are forks of this program, with pools that are pipes. A run is a child of ours that dies of KILL; the guardian of it holds
 * the end of a pipe in the place of a lock, so that we see when it has ended. */
struct bed {
	int pool[2], via[2], lock[2];
	struct dr_guardian *g;
	struct dr_guard_table *t;
};

static void
open_bed(struct bed *b)
{
	assert_int_equal(pipe2(b->pool, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pipe2(b->via, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pipe2(b->lock, O_CLOEXEC), 0);
	b->g = NULL;
}

static void
close_bed(struct bed *b)
{
	for (int i = 0; i < 2; i++) {
		dr_close(&b->pool[i]);
		dr_close(&b->via[i]);
		dr_close(&b->lock[i]);
	}
}

static void
start(struct bed *b, const char *program)
{
	struct dr_guardian_options o = {
		.slots = 100, .run = 0x1234, .program = program, .lock = b->lock[1], .pool = b->pool[1], .via = b->via[0]
	};
	struct dr_err why, err;

	assert_int_equal(dr_guardian_new(&o, &b->g, &why, &err), 0);
	assert_true(dr_guardian_fd(b->g) >= 0);
	b->t = dr_guardian_table(b->g);
}

static struct dr_guard_slot *
token(struct bed *b, uint32_t n, enum dr_token_state state, int byte)
{
	struct dr_guard_slot *s = dr_guard_slot(b->t, n);

	s->byte = (unsigned char)byte;
	atomic_store(&s->token, state);
	return s;
}

/* What comes within reason; "": nothing. */
static void
next_byte(const struct bed *b, char got[2])
{
	struct pollfd p = { .fd = b->pool[0], .events = POLLIN };

	got[0] = got[1] = '\0';
	assert_true(poll(&p, 1, 60000) > 0);
	assert_int_equal(read(b->pool[0], got, 1), 1);
}

static void
pool_is(const struct bed *b, const char *want)
{
	char got[100];
	ssize_t n = read(b->pool[0], got, sizeof(got) - 1);

	got[n > 0 ? n : 0] = '\0';
	assert_string_equal(got, want);
}

static void
test_writes_what_goes_back(void **state)
{
	struct bed b;
	char got[2];

	(void)state;
	open_bed(&b);
	start(&b, NULL);
	for (int i = 0; i < 20; i++) {
		token(&b, (uint32_t)i % 3, DR_TOKEN_RETURNING, 'a' + i);
		assert_true(dr_guardian_wake(b.g));
		next_byte(&b, got);
		assert_int_equal(got[0], 'a' + i);
	}
	/* What was said just before the farewell, too; what is held stays. */
	token(&b, 5, DR_TOKEN_HELD, 'H');
	token(&b, 7, DR_TOKEN_RETURNING, 'Z');
	dr_guardian_close(b.g);
	pool_is(&b, "Z");
	close_bed(&b);
}

static void
test_never_waits_for_room(void **state)
{
	struct bed b;
	char page[4096] = { 0 };

	(void)state;
	open_bed(&b);
	while (write(b.pool[1], page, sizeof(page)) > 0)
		;
	start(&b, NULL);
	token(&b, 0, DR_TOKEN_RETURNING, 'A');
	assert_true(dr_guardian_wake(b.g));
	/* Comes back. */
	dr_guardian_close(b.g);
	close_bed(&b);
}

/* In a child: a run that is killed when `prepare` is through. Returns when its guardian has ended. */
static void
killed(struct bed *b, void (*prepare)(struct bed *b, void *arg), void *arg)
{
	pid_t pid = fork();
	char byte;

	assert_true(pid >= 0);
	if (pid == 0) {
		start(b, NULL);
		prepare(b, arg);
		raise(SIGKILL);
	}
	dr_close(&b->lock[1]);
	assert_int_equal(read(b->lock[0], &byte, 1), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
hold_tokens(struct bed *b, void *arg)
{
	(void)arg;
	token(b, 0, DR_TOKEN_HELD, 'A');
	token(b, 1, DR_TOKEN_WANTED, DR_TOKEN_NOT);
	token(b, 2, DR_TOKEN_WANTED, 'B');
	token(b, 3, DR_TOKEN_FREE, 'x');
	token(b, 4, DR_TOKEN_MOVING, 'x');
	token(b, 99, DR_TOKEN_HELD, 0xff);
}

static void
test_gives_back_what_was_held(void **state)
{
	struct bed b;

	(void)state;
	open_bed(&b);
	killed(&b, hold_tokens, NULL);
	pool_is(&b, "AB\xff");
	close_bed(&b);
}

struct moved {
	enum dr_token_state state;
	bool in_via;
};

static void
move_token(struct bed *b, void *arg)
{
	const struct moved *m = arg;

	token(b, 0, m->state, 'S');
	if (m->in_via && write(b->via[1], "V", 1) != 1)
		_exit(1);
}

static void
test_finds_what_was_moved(void **state)
{
	static const struct {
		struct moved m;
		const char *want;
	} cases[] = {
		{ { DR_TOKEN_MOVING, false }, "" },
		{ { DR_TOKEN_MOVING, true }, "V" },
		{ { DR_TOKEN_MOVED, true }, "V" },
		{ { DR_TOKEN_MOVED, false }, "S" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct moved m = cases[i].m;
		struct bed b;

		open_bed(&b);
		killed(&b, move_token, &m);
		pool_is(&b, cases[i].want);
		close_bed(&b);
	}
}

static pid_t
start_task(char *mark)
{
	char name[] = "sleep", time[] = "1000", *argv[] = { name, time, NULL }, *envp[] = { mark, NULL };
	struct dr_spawn sp = { .path = "sleep", .argv = argv, .envp = envp, .cwd = -1, .session = true };
	pid_t pid;

	if (dr_spawn(&sp, &pid, NULL))
		_exit(1);
	return pid;
}

struct tasks {
	pid_t running, starting, left;
};

static void
run_tasks(struct bed *b, void *arg)
{
	char none[] = "A=B", mark[] = "DAGRUN_TASKS= 1:2:3:1234:9", other[] = "DAGRUN_TASKS= 1:2:3:1234:8";
	int *out = arg;
	struct tasks t;

	/* One that is known by its session, one only by its mark, and what a task has left that has ended. */
	dr_guard_starting(b->t, 0, 7);
	t.running = start_task(none);
	dr_guard_started(b->t, 0, t.running);
	dr_guard_starting(b->t, 1, 9);
	t.starting = start_task(mark);
	dr_guard_starting(b->t, 2, 8);
	t.left = start_task(other);
	dr_guard_started(b->t, 2, t.left);
	dr_guard_ended(b->t, 2);
	if (write(out[1], &t, sizeof(t)) != (ssize_t)sizeof(t))
		_exit(1);
}

/* Zombies, whom nobody of ours waits for, have ended. */
static bool
runs(pid_t pid)
{
	char path[64], text[512] = "", *p;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || dr_read_full(fd, text, sizeof(text) - 1) <= 0)
		text[0] = '\0';
	dr_close(&fd);
	p = strrchr(text, ')');
	return p && p[2] != 'Z' && p[2] != 'X';
}

static void
test_ends_tasks(void **state)
{
	struct bed b;
	struct tasks t;
	int out[2];

	(void)state;
	open_bed(&b);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	killed(&b, run_tasks, out);
	assert_int_equal(read(out[0], &t, sizeof(t)), sizeof(t));
	assert_false(runs(t.running));
	assert_false(runs(t.starting));
	assert_true(runs(t.left));
	kill(t.left, SIGKILL);
	dr_close(&out[0]);
	dr_close(&out[1]);
	close_bed(&b);
}

static void
name_dir(struct bed *b, void *arg)
{
	snprintf(b->t->dir, sizeof(b->t->dir), "%s", (const char *)arg);
}

static void
test_removes_our_pool(void **state)
{
	char dir[256], fifo[300];
	struct bed b;
	struct stat st;

	(void)state;
	open_bed(&b);
	assert_int_equal(private_dir("test-guardian-", dir, sizeof(dir)), 0);
	snprintf(fifo, sizeof(fifo), "%s/pool", dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	killed(&b, name_dir, dir);
	assert_int_equal(stat(dir, &st), -1);
	assert_int_equal(errno, ENOENT);
	close_bed(&b);
}

static void
dies(struct bed *b)
{
	struct pollfd p = { .fd = dr_guardian_fd(b->g), .events = POLLIN };

	assert_true(poll(&p, 1, 60000) > 0);
	assert_int_equal(dr_guardian_mend(b->g, NULL), 0);
}

static void
test_is_replaced(void **state)
{
	struct bed b;
	char got[2];
	int pid;

	(void)state;
	open_bed(&b);
	start(&b, NULL);
	pid = dr_guardian_pid(b.g);
	kill(pid, SIGKILL);
	/* Said to nobody, or to the next one. */
	token(&b, 0, DR_TOKEN_RETURNING, 'A');
	assert_true(dr_guardian_wake(b.g));
	dies(&b);
	assert_int_not_equal(dr_guardian_pid(b.g), pid);
	next_byte(&b, got);
	assert_string_equal(got, "A");
	dr_guardian_close(b.g);
	pool_is(&b, "");
	close_bed(&b);
}

/* What valgrind writes into its log is on the same account. */
static bool
counts(void)
{
	return access("/proc/self/io", R_OK) == 0 && !under_valgrind();
}

static void
test_knows_its_last_byte(void **state)
{
	struct bed b;
	char got[2];

	(void)state;
	if (!counts())
		skip();
	open_bed(&b);
	start(&b, NULL);
	/* It has come so far that what it writes at its start is on its account. */
	token(&b, 0, DR_TOKEN_RETURNING, 'A');
	assert_true(dr_guardian_wake(b.g));
	next_byte(&b, got);
	kill(dr_guardian_pid(b.g), SIGSTOP);
	/* As if it had been killed before the byte, then as if behind it. */
	token(&b, 1, DR_TOKEN_WRITING, 'B');
	while (atomic_load(&b.t->slots[0].token) == DR_TOKEN_WRITING)
		kill(dr_guardian_pid(b.g), SIGCONT);
	kill(dr_guardian_pid(b.g), SIGKILL);
	dies(&b);
	next_byte(&b, got);
	assert_string_equal(got, "B");
	kill(dr_guardian_pid(b.g), SIGKILL);
	while (atomic_load(&b.t->slots[1].token) == DR_TOKEN_RETURNING)
		;
	token(&b, 1, DR_TOKEN_WRITING, 'B');
	atomic_store(&b.t->wrote, 0);
	dies(&b);
	assert_int_equal(atomic_load(&b.t->slots[1].token), DR_TOKEN_FREE);
	dr_guardian_close(b.g);
	pool_is(&b, "");
	close_bed(&b);
}

static void
test_no_guardian_at_all(void **state)
{
	struct dr_err why;
	struct bed b;

	(void)state;
	open_bed(&b);
	start(&b, NULL);
	for (int i = 0; i < 10; i++) {
		kill(dr_guardian_pid(b.g), SIGKILL);
		dies(&b);
	}
	/* Enough. */
	kill(dr_guardian_pid(b.g), SIGKILL);
	token(&b, 0, DR_TOKEN_RETURNING, 'A');
	assert_true(poll(&(struct pollfd){ .fd = dr_guardian_fd(b.g), .events = POLLIN }, 1, 60000) > 0);
	if (dr_guardian_mend(b.g, &why)) {
		assert_int_equal(dr_guardian_fd(b.g), -1);
		assert_false(dr_guardian_wake(b.g));
		pool_is(&b, "A");
	}
	dr_guardian_close(b.g);
	close_bed(&b);
}

static void
test_another_program(void **state)
{
	struct bed b;
	char got[2];

	(void)state;
	open_bed(&b);
	/* None that we know; then a fork does it. */
	start(&b, "/bin/true");
	dies(&b);
	token(&b, 0, DR_TOKEN_RETURNING, 'A');
	assert_true(dr_guardian_wake(b.g));
	next_byte(&b, got);
	assert_string_equal(got, "A");
	dr_guardian_close(b.g);
	start(&b, "/no/such/program");
	dr_guardian_close(b.g);
	close_bed(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writes_what_goes_back), cmocka_unit_test(test_never_waits_for_room),
		cmocka_unit_test(test_gives_back_what_was_held), cmocka_unit_test(test_finds_what_was_moved),
		cmocka_unit_test(test_ends_tasks), cmocka_unit_test(test_removes_our_pool), cmocka_unit_test(test_is_replaced),
		cmocka_unit_test(test_knows_its_last_byte), cmocka_unit_test(test_no_guardian_at_all),
		cmocka_unit_test(test_another_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
