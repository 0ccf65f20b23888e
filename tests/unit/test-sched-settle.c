#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "graph.h"
#include "sched.h"

/* Tasks that turn out to be up to date when those before them have ended. Random graphs, each held against what must come of it: a task
 * runs if it is certain to, if something that it reads came out otherwise, or if what it made is gone and somebody who runs needs it; and
 * it runs behind all that it reads. */

enum { TASKS = 24, OUTS = 2 };

struct sim {
	struct dr_executor ex; /* first: the sim is found by it */
	struct dr_tokens tok;
	uint64_t seed, random;
	struct dr_graph *g;
	struct dr_sched *s;
	bool lost[TASKS]; /* some of what it made is not there */
	bool fails[TASKS], ran[TASKS], told[TASKS];
	uint64_t same[TASKS]; /* by output, a bit each: what it makes comes out as it was */
	uint32_t running[TASKS], n_running;
	uint32_t clock, began[TASKS], ended[TASKS];
};

#define CHECK(w, cond)                                                                                       \
	do {                                                                                                 \
		if (!(cond))                                                                                 \
			fail_msg("seed %" PRIu64 ": %s", (w)->seed, #cond);                                  \
	} while (0)

static uint32_t
rnd(struct sim *w, uint32_t below)
{
	w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((w->random >> 33) % below);
}

static int
take(struct dr_tokens *t)
{
	(void)t;
	return 1;
}

static void
give(struct dr_tokens *t)
{
	(void)t;
}

static bool
may_start(struct dr_tokens *t)
{
	(void)t;
	return true;
}

static bool
is_gone(const struct sim *w, uint32_t file)
{
	return w->g->files[file].flags & DR_FILE_ABSENT;
}

/* All that it reads is there. */
static enum dr_started
start(struct dr_executor *ex, uint32_t t, const struct dr_grant *g, struct dr_err *err)
{
	struct sim *w = (struct sim *)ex;
	const uint32_t *in = dr_graph_inputs(w->g, t);

	(void)g;
	(void)err;
	for (uint32_t i = 0; i < w->g->tasks[t].n_in; i++) {
		uint32_t p = w->g->files[in[i]].producer;

		CHECK(w, p == DR_NONE || w->g->tasks[p].state == DR_DONE ||
			     ((w->g->tasks[p].state == DR_CLEAN || w->g->tasks[p].state == DR_WAITING) && !is_gone(w, in[i])));
	}
	CHECK(w, !w->ran[t]);
	w->ran[t] = true;
	w->began[t] = ++w->clock;
	w->running[w->n_running++] = t;
	return DR_STARTED;
}

static void
cancel(struct dr_executor *ex, uint32_t t, bool hard)
{
	(void)ex;
	(void)t;
	(void)hard;
}

static enum dr_fresh
fresh(void *arg, uint32_t t)
{
	struct sim *w = arg;
	const uint32_t *in = dr_graph_inputs(w->g, t);

	CHECK(w, !w->g->tasks[t].certain);
	for (uint32_t i = 0; i < w->g->tasks[t].n_in; i++) {
		uint32_t p = w->g->files[in[i]].producer;
		enum dr_state s = p == DR_NONE ? DR_CLEAN : (enum dr_state)w->g->tasks[p].state;

		CHECK(w, s == DR_CLEAN || s == DR_DONE || s == DR_WAITING);
		if (s == DR_DONE && !(w->g->files[in[i]].flags & DR_FILE_SAME))
			return DR_FRESH_NO;
	}
	return w->lost[t] ? DR_FRESH_GONE : DR_FRESH_YES;
}

static void
changed(void *arg, uint32_t t, const struct dr_grant *g)
{
	struct sim *w = arg;
	uint8_t state = w->g->tasks[t].state;

	(void)g;
	if (state == DR_RUNNING)
		return;
	CHECK(w, !w->told[t]);
	w->told[t] = true;
	CHECK(w, (state == DR_CLEAN || state == DR_SKIPPED) == !w->ran[t]);
}

static void
add_task(struct sim *w, uint32_t t)
{
	uint32_t n = t ? rnd(w, t < 4 ? t + 1 : 4) : 0, task, *edge, other, picked;
	char path[32];

	assert_int_equal(dr_graph_task(w->g, 0, 0, n, 0, OUTS, &task, NULL), 0);
	edge = dr_graph_inputs(w->g, task);
	for (uint32_t i = 0; i < n; i++) {
		picked = t - 1 - rnd(w, t < 8 ? t : 8);
		snprintf(path, sizeof(path), "f%" PRIu32 ".%" PRIu32, picked, rnd(w, OUTS));
		assert_int_equal(dr_graph_file(w->g, dr_str(path), &edge[i], NULL), 0);
	}
	for (uint32_t i = 0; i < OUTS; i++) {
		snprintf(path, sizeof(path), "f%" PRIu32 ".%" PRIu32, t, i);
		assert_int_equal(dr_graph_file(w->g, dr_str(path), &edge[n + i], NULL), 0);
		assert_int_equal(dr_graph_made(w->g, task, edge[n + i], &other), 0);
	}
	w->g->tasks[task].id.lo = t + 1;
}

static uint32_t
readers(const struct sim *w, uint32_t file)
{
	return w->g->first_consumer[file + 1] - w->g->first_consumer[file];
}

/* As the plan has it: what depends on a stale task, and what it needs that is gone, is to run, too. */
static void
make_stale(struct sim *w)
{
	bool more = true;

	for (uint32_t t = 0; t < TASKS; t++) {
		for (uint32_t i = 0; i < OUTS; i++) {
			uint32_t out = dr_graph_outputs(w->g, t)[i];

			if (readers(w, out) && rnd(w, 2))
				w->g->files[out].flags |= DR_FILE_ABSENT;
			w->lost[t] |= is_gone(w, out);
			w->same[t] |= (uint64_t)rnd(w, 2) << i;
		}
		w->g->tasks[t].state = DR_CLEAN;
		if (rnd(w, 8))
			continue;
		w->g->tasks[t].certain = 1;
		w->g->tasks[t].state = DR_WAITING;
	}
	while (more) {
		more = false;
		for (uint32_t t = 0; t < TASKS; t++) {
			const uint32_t *in = dr_graph_inputs(w->g, t);

			for (uint32_t i = 0; i < w->g->tasks[t].n_in; i++) {
				uint32_t p = w->g->files[in[i]].producer;
				bool drags = w->g->tasks[p].state == DR_WAITING && w->g->tasks[t].state == DR_CLEAN;
				bool needs = w->g->tasks[t].state == DR_WAITING && w->g->tasks[p].state == DR_CLEAN && is_gone(w, in[i]);

				if (drags)
					w->g->tasks[t].state = DR_WAITING;
				if (needs)
					w->g->tasks[p].state = DR_WAITING;
				more |= drags || needs;
			}
		}
	}
}

static void
open_sim(struct sim *w, uint64_t seed)
{
	static const struct dr_sched_stage stage = { .slots = 1 };
	struct dr_sched_options o = { .stages = &stage, .n_stages = 1, .fresh = fresh, .changed = changed, .keep_going = true };
	uint32_t *cycle, n;

	*w = (struct sim){ .ex = { start, cancel }, .tok = { take, give, may_start }, .seed = seed, .random = seed };
	w->g = dr_graph_new();
	assert_non_null(w->g);
	for (uint32_t t = 0; t < TASKS; t++)
		add_task(w, t);
	assert_int_equal(dr_graph_link(w->g, &cycle, &n, NULL), 0);
	make_stale(w);
	assert_int_equal(dr_graph_ready(w->g, 1, NULL), 0);
	o.limit = 1 + rnd(w, 4);
	o.arg = w;
	w->s = dr_sched_new(w->g, &o, &w->ex, &w->tok, NULL);
	assert_non_null(w->s);
}

static void
close_sim(struct sim *w)
{
	dr_sched_free(w->s);
	dr_graph_free(w->g);
}

static void
end(struct sim *w, uint32_t t, int64_t now)
{
	for (uint32_t i = 0; i < OUTS && !w->fails[t]; i++) {
		uint32_t out = dr_graph_outputs(w->g, t)[i];

		if (w->same[t] >> i & 1)
			w->g->files[out].flags |= DR_FILE_SAME;
		w->g->files[out].flags &= ~(uint32_t)DR_FILE_ABSENT;
	}
	w->ended[t] = ++w->clock;
	dr_sched_ended(w->s, t, w->fails[t] ? DR_RESULT_FAILED : DR_RESULT_DONE, now);
}

static void
go(struct sim *w, int64_t stop_at)
{
	int64_t now = 0;

	for (;;) {
		uint32_t i, t;

		if (now == stop_at)
			dr_sched_stop(w->s, false, false);
		CHECK(w, dr_sched_pump(w->s, now++, NULL) == 0);
		if (dr_sched_finished(w->s))
			return;
		CHECK(w, w->n_running);
		i = rnd(w, w->n_running);
		t = w->running[i];
		w->running[i] = w->running[--w->n_running];
		end(w, t, now);
	}
}

/* For what it reads, or for the sake of those that read it; absent: by file, as it was before the run. */
static bool
must_run(const struct sim *w, uint32_t t, const bool *absent)
{
	const uint32_t *in = dr_graph_inputs(w->g, t), *out = dr_graph_outputs(w->g, t);

	for (uint32_t i = 0; i < w->g->tasks[t].n_in; i++) {
		uint32_t p = w->g->files[in[i]].producer;

		if (w->ran[p] && !(w->g->files[in[i]].flags & DR_FILE_SAME))
			return true;
	}
	for (uint32_t i = 0; i < OUTS; i++)
		for (uint32_t c = w->g->first_consumer[out[i]]; absent[out[i]] && c < w->g->first_consumer[out[i] + 1]; c++)
			if (w->ran[w->g->consumers[c]])
				return true;
	return false;
}

/* What it read is still what it read. */
static void
check_order(const struct sim *w, uint32_t t)
{
	const uint32_t *in = dr_graph_inputs(w->g, t);

	for (uint32_t i = 0; w->ran[t] && i < w->g->tasks[t].n_in; i++) {
		uint32_t p = w->g->files[in[i]].producer;

		CHECK(w, !w->ran[p] || w->ended[p] < w->began[t]);
	}
}

static void
runs_what_must(void **state)
{
	uint64_t up_to_date = 0, done = 0, needless = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 20000; seed++) {
		bool certain[TASKS], absent[TASKS * OUTS];
		struct dr_sched_counts c;
		struct sim w;

		open_sim(&w, seed);
		for (uint32_t t = 0; t < TASKS; t++)
			certain[t] = w.g->tasks[t].certain;
		for (uint32_t f = 0; f < w.g->n_files; f++)
			absent[f] = is_gone(&w, f);
		go(&w, -1);
		dr_sched_counts(w.s, &c);
		CHECK(&w, c.wanted == c.done + c.clean && !c.failed && !c.skipped && !c.waiting);
		for (uint32_t t = 0; t < TASKS; t++) {
			bool must = certain[t] || must_run(&w, t, absent);

			CHECK(&w, w.ran[t] || !must);
			CHECK(&w, w.g->tasks[t].state == (w.ran[t] ? DR_DONE : DR_CLEAN));
			check_order(&w, t);
			needless += w.ran[t] && !must;
		}
		up_to_date += c.clean;
		done += c.done;
		close_sim(&w);
	}
	assert_true(up_to_date > 20000 && done > 20000);
	/* Only where a task that is to run waits for what another one may need made again, and that other one for it. */
	if (needless * 100 > done)
		fail_msg("%" PRIu64 " of %" PRIu64 " tasks ran for nothing", needless, done);
}

/* Failures and stops: each task has one end, and nothing runs without what it reads (start checks that). */
static void
fails_and_stops(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20000; seed++) {
		struct dr_sched_counts c;
		struct sim w;

		open_sim(&w, seed);
		for (uint32_t t = 0; t < TASKS; t++)
			w.fails[t] = !rnd(&w, 6);
		go(&w, rnd(&w, 2) ? (int64_t)rnd(&w, 10) : -1);
		dr_sched_counts(w.s, &c);
		CHECK(&w, c.wanted == c.done + c.clean + c.failed + c.skipped);
		for (uint32_t t = 0; t < TASKS; t++) {
			uint8_t s = w.g->tasks[t].state;

			CHECK(&w, s == DR_DONE || s == DR_CLEAN || s == DR_FAILED_TASK || s == DR_SKIPPED);
		}
		close_sim(&w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_what_must),
		cmocka_unit_test(fails_and_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
