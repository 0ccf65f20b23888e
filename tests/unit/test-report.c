#include "config.h"

#include "plan-by-hand.h"

#include "own-dir.h"
#include "report-trace.h"
#include "report.h"
#include "sched.h"

#include <sys/stat.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define REAL (INT64_C(1600000000) * SECOND) /* the other clock, when the run begins */

struct run {
	struct place *place;
	struct hand h;
	struct dr_report *r;
	char trace[4200];
	struct dr_buf text;
	struct dr_err err;
};

static void
run_open(struct run *x, void **state)
{
	struct dr_report_options o = { .trace = x->trace };

	x->place = *state;
	snprintf(x->trace, sizeof(x->trace), "%s/run.json", x->place->path);
	if (dr_report_new(&o, &x->r, &x->err))
		fail_msg("%s", x->err.msg);
}

static void
run_begin(struct run *x, uint32_t slots)
{
	struct dr_report_begin b = { .plan = &x->h.plan, .slots = slots, .now = 100 * SECOND, .real = REAL };

	hand_link(&x->h);
	dr_report_begin(x->r, &b);
}

static void
run_close(struct run *x)
{
	dr_report_free(x->r);
	hand_free(&x->h);
	dr_buf_free(&x->text);
}

/* A task of a slot, from one second of the run to another. */
static void
run_task(struct run *x, uint32_t task, uint32_t slot, int64_t from, int64_t to)
{
	struct dr_grant g = { .slots = 1, .slot = slot, .attempt = 1 };
	struct dr_task_end e = {
		.task = task,
		.result = DR_RESULT_DONE,
		.how = DR_HOW_EXIT,
		.final = true,
		.outcome = { .start = REAL + from * SECOND, .end = REAL + to * SECOND, .tries = 1, .peak_kb = 1000 },
		.out = -1,
		.err = -1,
	};

	dr_report_started(x->r, task, &g, (100 + from) * SECOND);
	dr_report_ended(x->r, &e, (100 + to) * SECOND + SECOND / 1000);
}

static const char *
slurp(struct run *x, const char *path)
{
	dr_buf_reset(&x->text);
	if (dr_slurp(AT_FDCWD, path, &x->text, &x->err))
		fail_msg("%s", x->err.msg);
	return dr_buf_cstr(&x->text);
}

static void
shows(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("in\n%s\nthere is no\n%s", text, what);
}

static void
trace_is_exact(void **state)
{
	struct run x = { 0 };
	uint32_t map;

	hand_init(&x.h);
	map = hand_map(&x.h, "count", 2, DR_NONE);
	hand_target(&x.h, map);
	run_open(&x, state);
	run_begin(&x, 1);
	dr_report_pumped(x.r, 1, true, 101 * SECOND);
	run_task(&x, 0, 1, 1, 3);
	dr_report_pumped(x.r, 1, true, 103 * SECOND);
	run_task(&x, 1, 1, 4, 5);
	assert_int_equal(dr_report_finish(x.r, 106 * SECOND, &x.err), 0);
	assert_string_equal(
		slurp(&x, x.trace),
		"[\n"
		"{\"ph\":\"M\",\"pid\":1,\"tid\":0,\"ts\":0,\"name\":\"process_name\",\"args\":{\"name\":\"dagrun\"}},\n"
		"{\"ph\":\"C\",\"pid\":1,\"tid\":0,\"ts\":0,\"name\":\"slots in use\",\"args\":{\"slots\":0}},\n"
		"{\"ph\":\"C\",\"pid\":1,\"tid\":0,\"ts\":1000000,\"name\":\"slots in use\",\"args\":{\"slots\":1}},\n"
		"{\"ph\":\"M\",\"pid\":1,\"tid\":1,\"ts\":0,\"name\":\"thread_name\",\"args\":{\"name\":\"slot 1\"}},\n"
		"{\"ph\":\"M\",\"pid\":1,\"tid\":1,\"ts\":0,\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":1}},\n"
		"{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":1000000,\"dur\":2000000,\"name\":\"count/0000\",\"cat\":\"count\","
		"\"args\":{\"result\":\"done\",\"exit\":0,\"try\":1,\"slots\":1,\"peak_memory_bytes\":1024000,"
		"\"user_seconds\":0.000,\"system_seconds\":0.000}},\n"
		"{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":4000000,\"dur\":1000000,\"name\":\"count/0001\",\"cat\":\"count\","
		"\"args\":{\"result\":\"done\",\"exit\":0,\"try\":1,\"slots\":1,\"peak_memory_bytes\":1024000,"
		"\"user_seconds\":0.000,\"system_seconds\":0.000}},\n"
		"{\"ph\":\"C\",\"pid\":1,\"tid\":0,\"ts\":6000000,\"name\":\"slots in use\",\"args\":{\"slots\":0}}\n"
		"]\n");
	run_close(&x);
}

/* Somebody sets the clock while a task runs: what was heard of it counts. */
static void
clock_may_be_set(void **state)
{
	struct run x = { 0 };
	struct dr_grant g = { .slots = 1, .slot = 1, .attempt = 1 };
	struct dr_task_end e = {
		.how = DR_HOW_EXIT,
		.outcome = { .start = REAL + SECOND, .end = REAL - 3600 * SECOND, .tries = 1 },
		.out = -1,
		.err = -1,
	};

	hand_init(&x.h);
	hand_target(&x.h, hand_map(&x.h, "count", 1, DR_NONE));
	run_open(&x, state);
	run_begin(&x, 1);
	dr_report_started(x.r, 0, &g, 101 * SECOND);
	dr_report_ended(x.r, &e, 103 * SECOND);
	assert_int_equal(dr_report_finish(x.r, 104 * SECOND, &x.err), 0);
	shows(slurp(&x, x.trace), "\"ts\":1000000,\"dur\":2000000,");
	run_close(&x);
}

/* What is there while the run is on is enough for those who read it: they do without the end. */
static void
trace_grows(void **state)
{
	struct run x = { 0 };

	hand_init(&x.h);
	hand_target(&x.h, hand_map(&x.h, "count", 2, DR_NONE));
	run_open(&x, state);
	run_begin(&x, 1);
	assert_int_equal(dr_report_tick(x.r, 100 * SECOND), 101 * SECOND);
	assert_string_equal(slurp(&x, x.trace), "");
	run_task(&x, 0, 1, 1, 2);
	assert_int_equal(dr_report_tick(x.r, 102 * SECOND), -1);
	shows(slurp(&x, x.trace), "count/0000");
	run_close(&x);
}

static void
file_that_is_not_begun_stays(void **state)
{
	struct run x = { 0 };
	struct dr_report_options o = { .trace = "/nonexistent/run.json" };
	struct stat st;

	hand_init(&x.h);
	run_open(&x, state);
	assert_int_equal(stat(x.trace, &st), 0);
	dr_report_free(x.r);
	assert_int_equal(stat(x.trace, &st), -1);
	x.r = NULL;
	assert_int_equal(dr_report_new(&o, &x.r, &x.err), -1);
	assert_int_equal(x.err.code, DR_USAGE);
	shows(x.err.msg, "--trace: write /nonexistent/run.json");
	run_close(&x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(trace_is_exact, setup, teardown),
		cmocka_unit_test_setup_teardown(clock_may_be_set, setup, teardown),
		cmocka_unit_test_setup_teardown(trace_grows, setup, teardown),
		cmocka_unit_test_setup_teardown(file_that_is_not_begun_stays, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
