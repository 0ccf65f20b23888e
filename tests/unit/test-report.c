#include "config.h"

#include "plan-by-hand.h"

#include "own-dir.h"
#include "report-private.h"
#include "report.h"
#include "sched.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define REAL (INT64_C(1600000000) * SECOND) /* the other clock, when the run begins */

struct run {
	struct place *place;
	struct hand h;
	struct dr_report *r;
	char trace[4200], page[4200];
	struct dr_buf text;
	struct dr_err err;
};

static void
run_open(struct run *x, void **state)
{
	struct dr_report_options o = { .trace = x->trace, .page = x->page };

	x->place = *state;
	snprintf(x->page, sizeof(x->page), "%s/run.html", x->place->path);
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
		.outcome = { .start = REAL + from * SECOND,
			     .end = REAL + to * SECOND,
			     .tries = 1,
			     .peak_kb = 1000 },
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
	assert_int_equal(dr_report_finish(x.r, 0, 106 * SECOND, &x.err), 0);
	assert_string_equal(slurp(&x, x.trace), "[\n"
						"{\"ph\":\"M\",\"pid\":1,\"tid\":0,\"ts\":0,\"name\":"
						"\"process_name\",\"args\":{\"name\":\"dagrun\"}},\n"
						"{\"ph\":\"C\",\"pid\":1,\"tid\":0,\"ts\":0,\"name\":\"slots "
						"in use\",\"args\":{\"slots\":0}},\n"
						"{\"ph\":\"C\",\"pid\":1,\"tid\":0,\"ts\":1000000,\"name\":"
						"\"slots in use\",\"args\":{\"slots\":1}},\n"
						"{\"ph\":\"M\",\"pid\":1,\"tid\":1,\"ts\":0,\"name\":"
						"\"thread_name\",\"args\":{\"name\":\"slot 1\"}},\n"
						"{\"ph\":\"M\",\"pid\":1,\"tid\":1,\"ts\":0,\"name\":"
						"\"thread_sort_index\",\"args\":{\"sort_index\":1}},\n"
						"{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":1000000,\"dur\":"
						"2000000,\"name\":\"count/0000\",\"cat\":\"count\","
						"\"args\":{\"result\":\"done\",\"exit\":0,\"try\":1,"
						"\"slots\":1,\"peak_memory_bytes\":1024000,"
						"\"user_seconds\":0.000,\"system_seconds\":0.000}},\n"
						"{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":4000000,\"dur\":"
						"1000000,\"name\":\"count/0001\",\"cat\":\"count\","
						"\"args\":{\"result\":\"done\",\"exit\":0,\"try\":1,"
						"\"slots\":1,\"peak_memory_bytes\":1024000,"
						"\"user_seconds\":0.000,\"system_seconds\":0.000}},\n"
						"{\"ph\":\"C\",\"pid\":1,\"tid\":0,\"ts\":6000000,\"name\":"
						"\"slots in use\",\"args\":{\"slots\":0}}\n"
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
	assert_int_equal(dr_report_finish(x.r, 0, 104 * SECOND, &x.err), 0);
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
	assert_int_equal(dr_report_tick(x.r, 102 * SECOND), 130 * SECOND); /* the page */
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

/* Between the tags of a section's table, whose row begins with a name. */
static void
row_is(const char *text, const char *caption, const char *name, const char *want)
{
	char got[512] = "";
	const char *at = strstr(text, caption);
	size_t n = 0;

	assert_non_null(at);
	at = strstr(at, name);
	if (!at)
		fail_msg("%s: there is no row of %s", caption, name);
	for (bool tag = false; strncmp(at, "</tr>", 5) != 0 && n + 1 < sizeof(got); at++) {
		if (*at == '<' && strncmp(at, "</t", 3) == 0)
			got[n++] = '|';
		tag = *at == '<' || (tag && *at != '>');
		if (!tag && *at != '>')
			got[n++] = *at;
	}
	got[n] = '\0';
	assert_string_equal(got, want);
}

/* Two slots; the map's tasks take 1, 2 and 4 s, and then nothing but the merge is left. */
static void
page_says_what_was(void **state)
{
	struct run x = { 0 };
	uint32_t map, merge;
	const char *text;

	hand_init(&x.h);
	map = hand_map(&x.h, "count", 3, DR_NONE);
	merge = hand_merge(&x.h, "total", map, 2);
	hand_target(&x.h, merge);
	run_open(&x, state);
	run_begin(&x, 2);
	dr_report_pumped(x.r, 2, true, 100 * SECOND);
	run_task(&x, 0, 1, 0, 1);
	run_task(&x, 1, 2, 0, 2);
	dr_report_pumped(x.r, 1, false, 102 * SECOND);
	run_task(&x, 3, 2, 3, 4);
	run_task(&x, 2, 1, 1, 5);
	dr_report_pumped(x.r, 1, false, 105 * SECOND);
	run_task(&x, 4, 1, 6, 8);
	dr_report_pumped(x.r, 0, false, 108 * SECOND);
	hand_state(&x.h, map, 0, 3, DR_DONE);
	hand_state(&x.h, merge, 0, 2, DR_DONE);
	assert_int_equal(dr_report_finish(x.r, 0, 108 * SECOND, &x.err), 0);
	text = slurp(&x, x.page);
	shows(text, "<title>total.tsv: done</title>");
	shows(text, "<dt>took</dt><dd>8.0s</dd>");
	shows(text, "Nothing has failed.");
	row_is(text, "The critical path, in", "count/0002", "count/0002|4.0s|1.0s|5.0s|1.0s|");
	row_is(text, "The critical path, in", "total.tsv", "total.tsv|2.0s|1.0s|8.0s|\xe2\x80\x93|");
	row_is(text, "<caption>Stages:", "count<",
	       "count|3|0|0|2.0s|4.0s|4.0s|7.0s|||1.0 MB|"
	       "from 1.0s to 4.0s, each bar 1.09 times as long as the one before it; the highest is of 1||");
	row_is(text, "<caption>The slowest", "count/0002",
	       "count/0002|count|4.0s|2.0s|2.0\xc3\x97|1|1.0 MB|done|");
	run_close(&x);
}

/* What is idle is idle for a reason. */
static void
slots_are_accounted_for(void **state)
{
	struct run x = { 0 };
	const char *text;

	hand_init(&x.h);
	hand_target(&x.h, hand_map(&x.h, "count", 9, DR_NONE));
	run_open(&x, state);
	run_begin(&x, 4);
	dr_report_pumped(x.r, 1, true, 100 * SECOND);  /* 10 s: three tokens are elsewhere */
	dr_report_pumped(x.r, 2, false, 110 * SECOND); /* 5 s: nothing is ready for two */
	dr_report_pumped(x.r, 4, false, 115 * SECOND); /* 15 s: all are used */
	dr_report_pumped(x.r, 1, false, 130 * SECOND); /* 10 s: the end */
	run_task(&x, 0, 1, 0, 40);
	assert_int_equal(dr_report_finish(x.r, 0, 140 * SECOND, &x.err), 0);
	text = slurp(&x, x.page);
	row_is(text, "<caption>Utilisation", "busy<", "busy|25.0 %|40s|a task ran|");
	row_is(text, "<caption>Utilisation", "in between",
	       "in between|31.3 %|50s|a task had just ended, and was being recorded, or another was being "
	       "started|");
	row_is(text, "<caption>Utilisation", "short of tokens",
	       "short of tokens|18.8 %|30s|a task was ready, and somebody else of the same pool had the "
	       "token: make, or another dagrun|");
	row_is(text, "<caption>Utilisation", "short of inputs",
	       "short of inputs|6.3 %|10s|no task could start, as what they read was still being made, or "
	       "they were between two tries|");
	row_is(text, "<caption>Utilisation", "tail<",
	       "tail|18.8 %|30s|at the end, when there was not enough left for all slots|");
	run_close(&x);
}

static void
page_is_written_now_and_then(void **state)
{
	struct run x = { 0 };
	struct dr_grant g = { .slots = 1, .slot = 1, .attempt = 1 };
	struct stat st;

	hand_init(&x.h);
	hand_target(&x.h, hand_map(&x.h, "count", 2, DR_NONE));
	run_open(&x, state);
	assert_int_equal(stat(x.page, &st), -1);
	run_begin(&x, 1);
	assert_int_equal(dr_report_tick(x.r, 100 * SECOND), 101 * SECOND);
	shows(slurp(&x, x.page), "<title>count/0001: running</title>");
	dr_report_started(x.r, 0, &g, 101 * SECOND);
	hand_state(&x.h, 0, 0, 1, DR_RUNNING);
	dr_report_tick(x.r, 129 * SECOND);
	assert_null(strstr(slurp(&x, x.page), "29s"));
	dr_report_tick(x.r, 140 * SECOND + 1);
	shows(slurp(&x, x.page), "1 running");
	row_is(dr_buf_cstr(&x.text), "<caption>The slowest", "count/0000",
	       "count/0000|count|39s|0ms||1||running|");
	assert_int_equal(dr_report_finish(x.r, SIGINT, 141 * SECOND, &x.err), 0);
	shows(slurp(&x, x.page), "stopped by SIGINT");
	run_close(&x);
}

static uint64_t
random_number(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Three hours of 32 slots. */
static void
page_of_much(void **state)
{
	struct run x = { 0 };
	uint64_t seed = 88172645463325252;
	int64_t free_at[32] = { 0 };
	uint32_t map, merge, n;

	hand_init(&x.h);
	map = hand_map(&x.h, "counts", 66667, DR_NONE);
	merge = hand_merge(&x.h, "total", map, 3);
	hand_target(&x.h, merge);
	n = x.h.plan.graph->n_tasks;
	assert_in_range(n, 100000, 100100);
	run_open(&x, state);
	run_begin(&x, 32);
	for (uint32_t t = 0; t < n; t++) {
		uint32_t slot = (uint32_t)(random_number(&seed) % 32);
		int64_t took = (int64_t)(random_number(&seed) % (5 * SECOND));
		struct dr_grant g = { .slots = 1, .slot = slot + 1, .attempt = 1 };
		struct dr_task_end e = {
			.task = t,
			.result = DR_RESULT_DONE,
			.how = DR_HOW_EXIT,
			.final = true,
			.outcome = { .start = REAL + free_at[slot],
				     .end = REAL + free_at[slot] + took,
				     .tries = 1,
				     .peak_kb = random_number(&seed) % 1000000 },
			.out = -1,
			.err = -1,
		};

		dr_report_started(x.r, t, &g, 100 * SECOND + free_at[slot]);
		free_at[slot] += took;
		dr_report_ended(x.r, &e, 100 * SECOND + free_at[slot]);
	}
	assert_int_equal(dr_report_finish(x.r, 0, 20000 * SECOND, &x.err), 0);
	slurp(&x, x.page);
	assert_in_range(x.text.n, 100000, 3000000);
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
		cmocka_unit_test_setup_teardown(page_says_what_was, setup, teardown),
		cmocka_unit_test_setup_teardown(slots_are_accounted_for, setup, teardown),
		cmocka_unit_test_setup_teardown(page_is_written_now_and_then, setup, teardown),
		cmocka_unit_test_setup_teardown(page_of_much, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
