#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dagrun.h"
#include "own-dir.h"

/* The library as a program of others sees it: only dagrun.h is used. */

enum { TASKS = 64 };

struct seen {
	struct dr_context *c;
	uint32_t messages, starts, ends, running, most;
	char last[2048], printed[256];
	struct dr_ended end[TASKS];
	uint32_t stop_after; /* ends; 0: never */
};

static void
on_message(void *arg, enum dr_level level, const char *text)
{
	struct seen *s = arg;

	(void)level;
	s->messages++;
	snprintf(s->last, sizeof(s->last), "%s", text);
}

static void
on_started(void *arg, uint32_t task, const char *name)
{
	struct seen *s = arg;

	(void)task;
	assert_true(name[0]);
	s->starts++;
	if (++s->running > s->most)
		s->most = s->running;
}

static void
on_ended(void *arg, uint32_t task, const struct dr_ended *e)
{
	struct seen *s = arg;

	assert_true(task < TASKS);
	s->running--;
	s->ends++;
	s->end[task] = *e;
	if (e->out >= 0 && e->out_len < sizeof(s->printed)) {
		assert_int_equal(pread(e->out, s->printed, (size_t)e->out_len, 0), (ssize_t)e->out_len);
		s->printed[e->out_len] = '\0';
	}
	if (s->stop_after && s->ends == s->stop_after)
		dr_stop(s->c);
}

static struct dr_context *
new_context(struct place *p, struct seen *s)
{
	static const struct dr_handlers h = { .message = on_message, .started = on_started, .ended = on_ended };
	struct dr_err err;

	*s = (struct seen){ 0 };
	s->c = dr_context_new(&h, s, &err);
	assert_non_null(s->c);
	assert_int_equal(dr_set_directory(s->c, p->path, &err), 0);
	return s->c;
}

static int
row_of(void *arg, uint32_t row, const char **value)
{
	const char *const *rows = arg;

	*value = rows[row];
	return *value != NULL;
}

static int
many_rows(void *arg, uint32_t row, const char **value)
{
	char *text = arg;

	sprintf(text, "%u", (unsigned)row);
	*value = text;
	return row < 20;
}

static int
broken_rows(void *arg, uint32_t row, const char **value)
{
	(void)arg;
	*value = "x";
	return row < 3 ? 1 : -1;
}

static void
add_map(struct dr_context *c, const char *name, const char *each, const char *run)
{
	const struct dr_key_value keys[] = { { "each", each }, { "run", run } };
	struct dr_err err;

	assert_int_equal(dr_add_stage(c, DR_STAGE_MAP, name, keys, 2, &err), 0);
}

static struct dr_task_info
info_of(struct dr_context *c, uint32_t i)
{
	struct dr_task_info info;
	struct dr_err err = { 0 };

	if (dr_task_get(c, i, &info, &err))
		fail_msg("%s", err.msg);
	return info;
}

/* Launch, wait for all, get the exit codes. */
static void
test_exit_codes(void **state)
{
	static const char *const rows[] = { "0", "3", "kill -s KILL $$", "7", NULL };
	struct dr_err err;
	struct seen s;
	struct dr_context *c = new_context(*state, &s);

	assert_int_equal(dr_add_rows(c, "commands", row_of, (void *)rows, &err), 0);
	add_map(c, "launch", "commands", "sh -c 'case $1 in [0-9]*) exit $1;; esac; eval \"$1\"' sh {arg}");
	assert_int_equal(dr_set(c, DR_SET_KEEP_GOING, 1, &err), 0);
	assert_int_equal(dr_plan(c, &err), 0);
	assert_int_equal(dr_task_count(c), 4);
	assert_int_equal(info_of(c, 1).state, DR_TASK_STALE);
	assert_non_null(info_of(c, 1).why);
	assert_int_equal(info_of(c, 1).ran, 0);

	assert_int_equal(dr_run(c, &err), -1);
	assert_int_equal(err.code, DR_FAILED);
	assert_int_equal(s.starts, 4);
	assert_int_equal(s.ends, 4);
	assert_int_equal(info_of(c, 0).state, DR_TASK_DONE);
	assert_int_equal(info_of(c, 0).status, 0);
	assert_int_equal(info_of(c, 1).state, DR_TASK_FAILED);
	assert_int_equal(info_of(c, 1).how, DR_HOW_EXIT);
	assert_int_equal(info_of(c, 1).status, 3);
	assert_int_equal(info_of(c, 2).how, DR_HOW_SIGNAL);
	assert_int_equal(info_of(c, 2).status, SIGKILL);
	assert_int_equal(info_of(c, 3).status, 7);
	assert_string_equal(info_of(c, 3).stage, "launch");
	assert_int_equal(info_of(c, 3).index, 3);
	assert_string_equal(info_of(c, 3).label, "launch:7");
	assert_null(info_of(c, 3).why);
	assert_true(s.end[3].end >= s.end[3].start && s.end[3].start > 0);

	/* Once a plan; a new plan knows what is done. */
	assert_int_equal(dr_run(c, &err), -1);
	assert_int_equal(err.code, DR_USAGE);
	assert_int_equal(dr_plan(c, &err), 0);
	assert_int_equal(info_of(c, 0).state, DR_TASK_CLEAN);
	assert_int_equal(info_of(c, 1).state, DR_TASK_STALE);
	dr_context_free(c);
}

static void
test_keep_n_running(void **state)
{
	char text[16];
	struct dr_err err;
	struct seen s;
	struct dr_context *c = new_context(*state, &s);

	assert_int_equal(dr_add_rows(c, "numbers", many_rows, text, &err), 0);
	add_map(c, "say", "numbers", "echo {arg}");
	assert_int_equal(dr_set(c, DR_SET_JOBS, 3, &err), 0);
	assert_int_equal(dr_plan(c, &err), 0);
	assert_int_equal(dr_run(c, &err), 0);
	assert_int_equal(s.ends, 20);
	assert_in_range(s.most, 1, 3);
	assert_true(s.printed[0] >= '0' && s.printed[0] <= '9');
	dr_context_free(c);
}

/* Stages of C over those of a Dagfile, and the other way round. */
static void
test_beside_a_dagfile(void **state)
{
	static const char *const rows[] = { "a", "b", "c", NULL };
	const struct dr_key_value keys[] = {
		{ "each", "write" }, { "out", "all" }, { "fan-in", "2" }, { "run", "cat {in} |\nsort > {out}" }
	};
	struct place *p = *state;
	struct dr_err err;
	struct seen s;
	struct dr_context *c = new_context(p, &s);
	char got[16];
	int fd;

	assert_int_equal(dr_load_text(c, "text", "let end = x\nmap write\n  each = letters\n  out = out/{arg}\n"
						 "  run = echo {arg}{end} > {out}\n", &err), 0);
	assert_int_equal(dr_set_let(c, "end", "!", &err), 0);
	assert_int_equal(dr_add_rows(c, "letters", row_of, (void *)rows, &err), 0);
	assert_int_equal(dr_add_stage(c, DR_STAGE_MERGE, "join", keys, 4, &err), 0);
	assert_int_equal(dr_plan(c, &err), 0);
	if (dr_run(c, &err))
		fail_msg("%s (%s)", err.msg, s.last);
	fd = openat(p->dir, "all", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, got, sizeof(got)), 9);
	assert_memory_equal(got, "a!\nb!\nc!\n", 9);
	close(fd);

	/* Nothing is left to do; but by order all of it. */
	s.ends = 0;
	assert_int_equal(dr_plan(c, &err), 0);
	assert_int_equal(dr_run(c, &err), 0);
	assert_int_equal(s.ends, 0);
	assert_int_equal(dr_add_target(c, "write", &err), 0);
	assert_int_equal(dr_set(c, DR_SET_ALWAYS, 1, &err), 0);
	assert_int_equal(dr_plan(c, &err), 0);
	assert_int_equal(dr_run(c, &err), 0);
	assert_int_equal(s.ends, 3);
	dr_context_free(c);
}

static void
test_errors(void **state)
{
	const struct dr_key_value keys[] = { { "each", "rows" }, { "rum", "true" } };
	struct dr_task_info info;
	struct dr_err err;
	struct seen s;
	struct dr_context *c = new_context(*state, &s);

	assert_int_equal(dr_run(c, &err), -1);
	assert_int_equal(err.code, DR_USAGE);
	assert_int_equal(dr_task_count(c), 0);
	assert_int_equal(dr_task_get(c, 0, &info, &err), -1);
	assert_int_equal(dr_set(c, (enum dr_set)99, 1, &err), -1);
	assert_int_equal(dr_set(c, DR_SET_JOBS, -1, NULL), -1);
	assert_int_equal(dr_add_stage(c, DR_STAGE_MAP, "a b", keys, 2, &err), -1);
	assert_int_equal(dr_add_rows(c, "", broken_rows, NULL, &err), -1);

	/* What is wrong with a value is told with the stage and key that has it. */
	assert_int_equal(dr_add_rows(c, "rows", broken_rows, NULL, &err), 0);
	assert_int_equal(dr_add_stage(c, DR_STAGE_MAP, "sum", keys, 2, &err), 0);
	assert_int_equal(dr_plan(c, &err), -1);
	assert_int_equal(err.code, DR_USAGE);
	assert_non_null(strstr(s.last, "map 'sum'"));
	assert_non_null(strstr(s.last, "rum"));
	assert_int_equal(dr_task_count(c), 0);
	dr_context_free(c);

	c = new_context(*state, &s);
	assert_int_equal(dr_add_rows(c, "rows", broken_rows, NULL, &err), 0);
	add_map(c, "sum", "rows", "true {arg}");
	assert_int_equal(dr_plan(c, &err), -1);
	assert_non_null(strstr(s.last, "has failed"));
	dr_context_free(c);

	c = new_context(*state, &s);
	assert_int_equal(dr_load_file(c, "/nowhere/Dagfile", &err), 0);
	assert_int_equal(dr_plan(c, &err), -1);
	assert_int_equal(err.code, DR_USAGE);
	dr_context_free(c);
	dr_context_free(NULL);
}

static void
test_stop(void **state)
{
	char text[16];
	struct dr_err err;
	struct seen s;
	struct dr_context *c = new_context(*state, &s);

	assert_int_equal(dr_add_rows(c, "numbers", many_rows, text, &err), 0);
	add_map(c, "say", "numbers", "true {arg}");
	assert_int_equal(dr_set(c, DR_SET_JOBS, 1, &err), 0);
	assert_int_equal(dr_plan(c, &err), 0);
	s.stop_after = 2;
	assert_int_equal(dr_run(c, &err), -1);
	assert_int_equal(err.code, DR_FAILED);
	assert_in_range(s.ends, 2, 3);
	assert_int_equal(info_of(c, 19).state, DR_TASK_SKIPPED);
	assert_int_equal(dr_ended_by(c), 0);
	/* Resumed. */
	s.stop_after = 0;
	assert_int_equal(dr_plan(c, &err), 0);
	assert_int_equal(dr_run(c, &err), 0);
	assert_in_range(s.ends, 20, 21);
	dr_context_free(c);
}

/* A child of the host ends while a run is on, and is still there to be waited for; SIGCHLD is the host's again. */
static volatile sig_atomic_t host_signals;

static void
on_child(int sig)
{
	(void)sig;
	host_signals = 1;
}

static void
test_children_of_the_host(void **state)
{
	static const char *const rows[] = { "1", "2", "3", NULL };
	struct sigaction sa = { .sa_handler = on_child }, interrupt, now;
	struct dr_err err;
	struct seen s;
	struct dr_context *c = new_context(*state, &s);
	int status;
	pid_t pid;

	assert_int_equal(sigaction(SIGCHLD, &sa, NULL), 0);
	assert_int_equal(sigaction(SIGINT, NULL, &interrupt), 0);
	pid = fork();
	if (pid == 0)
		_exit(42);
	assert_true(pid > 0);
	assert_int_equal(dr_add_rows(c, "rows", row_of, (void *)rows, &err), 0);
	add_map(c, "do", "rows", "true {arg}");
	assert_int_equal(dr_plan(c, &err), 0);
	assert_int_equal(dr_run(c, &err), 0);
	assert_int_equal(s.ends, 3);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 42);
	assert_int_equal(waitpid(-1, &status, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(sigaction(SIGCHLD, NULL, &now), 0);
	assert_ptr_equal(now.sa_handler, on_child);
	assert_int_equal(sigaction(SIGINT, NULL, &now), 0);
	assert_true(now.sa_handler == interrupt.sa_handler);
	dr_context_free(c);
	signal(SIGCHLD, SIG_DFL);
}

/* All that went wrong and right above, with standard output and error that nobody may write to. */
static void
test_prints_nothing(void **state)
{
	int fds[2], out = dup(STDOUT_FILENO), error = dup(STDERR_FILENO);
	struct dr_context *c;
	struct dr_err err;
	struct seen s;
	char byte;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	fflush(NULL);
	dup2(fds[1], STDOUT_FILENO);
	dup2(fds[1], STDERR_FILENO);
	c = new_context(*state, &s);
	dr_load_text(c, "text", "task x\n  run = echo out; echo err >&2; exit 3\n", &err);
	dr_plan(c, &err);
	dr_run(c, &err);
	dr_load_text(c, "text", "nonsense\n", &err);
	dr_plan(c, &err);
	dr_context_free(c);
	fflush(NULL);
	dup2(out, STDOUT_FILENO);
	dup2(error, STDERR_FILENO);
	close(out);
	close(error);
	close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 0);
	close(fds[0]);
	assert_int_equal(s.ends, 1);
	assert_int_equal(s.end[0].status, 3);
	assert_true(s.messages > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_exit_codes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keep_n_running, setup, teardown),
		cmocka_unit_test_setup_teardown(test_beside_a_dagfile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_children_of_the_host, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prints_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
