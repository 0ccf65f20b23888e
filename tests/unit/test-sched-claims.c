#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "err.h"
#include "sched.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A machine whose memory and disk a test sets, tasks that it starts and ends by hand, and as many slots as there are tasks. */

enum { TASKS = 64, STAGES = 3, S = 1000000000 };

struct world {
	struct dr_executor ex; /* first: found by it */
	struct dr_tokens tok;
	struct dr_room room;
	struct dr_graph *g;
	struct dr_sched_stage stages[STAGES];
	struct dr_sched_options o;
	struct dr_sched *s;
	uint64_t bytes[TASKS];
	/* The machine. In use: what running tasks have taken so far. */
	uint64_t memory, disk, in_use;
	bool pressed;
	uint64_t written[TASKS]; /* by task, when it has ended */
	uint64_t most, now_on;   /* on the disk */
	char log[512];           /* numbers of tasks as they start */
	uint32_t running, held, busy; /* busy: starts that find another run at it */
	int64_t now;
	struct dr_err err;
};

static struct world *
of_room(struct dr_room *r)
{
	return (struct world *)((char *)r - offsetof(struct world, room));
}

static uint64_t
fake_memory(struct dr_room *r, bool *pressed)
{
	struct world *w = of_room(r);

	*pressed = w->pressed;
	return w->memory > w->in_use ? w->memory - w->in_use : 0;
}

static uint64_t
fake_disk(struct dr_room *r, uint32_t volume)
{
	struct world *w = of_room(r);

	assert_int_equal(volume, 0);
	return w->disk > w->now_on ? w->disk - w->now_on : 0;
}

static struct world *
of_tokens(struct dr_tokens *t)
{
	return (struct world *)((char *)t - offsetof(struct world, tok));
}

static int
take(struct dr_tokens *t)
{
	of_tokens(t)->held++;
	return 1;
}

static void
give(struct dr_tokens *t)
{
	assert_true(of_tokens(t)->held-- > 0);
}

static bool
may_start(struct dr_tokens *t)
{
	(void)t;
	return true;
}

static enum dr_started
fake_start(struct dr_executor *ex, uint32_t task, const struct dr_grant *g, struct dr_err *err)
{
	struct world *w = (struct world *)ex;
	size_t n = strlen(w->log);

	(void)err;
	(void)g;
	if (w->busy) {
		w->busy--;
		return DR_START_BUSY;
	}
	snprintf(w->log + n, sizeof(w->log) - n, "%s%" PRIu32, n ? " " : "", task);
	w->running++;
	return DR_STARTED;
}

static void
fake_cancel(struct dr_executor *ex, uint32_t task, bool hard)
{
	(void)ex;
	(void)task;
	(void)hard;
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->ex = (struct dr_executor){ fake_start, fake_cancel };
	w->tok = (struct dr_tokens){ take, give, may_start };
	w->room = (struct dr_room){ fake_memory, fake_disk };
	w->memory = w->disk = UINT64_MAX;
	w->g = dr_graph_new();
	assert_non_null(w->g);
	for (uint32_t i = 0; i < STAGES; i++)
		w->stages[i].slots = 1;
	w->o = (struct dr_sched_options){
		.stages = w->stages, .n_stages = STAGES, .limit = TASKS, .keep_going = true, .room = &w->room
	};
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	dr_sched_free(w->s);
	dr_graph_free(w->g);
	free(w);
	return 0;
}

/* A task that reads outputs of others, by number, ended by DR_NONE. */
static uint32_t
task(struct world *w, uint32_t stage, const uint32_t *reads)
{
	uint32_t n = 0, t, f, other;
	char path[32];

	while (reads && reads[n] != DR_NONE)
		n++;
	assert_int_equal(dr_graph_task(w->g, stage, 0, n, 0, 1, &t, &w->err), 0);
	for (uint32_t i = 0; i < n; i++)
		dr_graph_inputs(w->g, t)[i] = *dr_graph_outputs(w->g, reads[i]);
	snprintf(path, sizeof(path), "%" PRIu32, t);
	assert_int_equal(dr_graph_file(w->g, dr_str(path), &f, &w->err), 0);
	*dr_graph_outputs(w->g, t) = f;
	assert_int_equal(dr_graph_made(w->g, t, f, &other), 0);
	w->g->tasks[t].id = dr_hash128(&t, sizeof(t));
	w->g->tasks[t].state = DR_WAITING;
	return t;
}

static void
tasks(struct world *w, uint32_t stage, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		task(w, stage, NULL);
}

static int
pump(struct world *w)
{
	return dr_sched_pump(w->s, w->now, &w->err);
}

static void
begin(struct world *w)
{
	uint32_t *cycle, n;

	assert_int_equal(dr_graph_link(w->g, &cycle, &n, &w->err), 0);
	assert_int_equal(dr_graph_ready(w->g, STAGES, &w->err), 0);
	w->s = dr_sched_new(w->g, &w->o, &w->ex, &w->tok, &w->err);
	assert_non_null(w->s);
}

/* What has been started since this was last asked. */
static void
started(struct world *w, const char *log)
{
	assert_int_equal(pump(w), 0);
	assert_string_equal(w->log, log);
	w->log[0] = '\0';
}

static void
end(struct world *w, uint32_t t, enum dr_result result)
{
	w->running--;
	w->now += S;
	dr_sched_ended(w->s, t, result, w->now);
}

static void
memory_for_some(void **state)
{
	struct world *w = *state;

	w->memory = 10;
	w->stages[0].memory = 4;
	tasks(w, 0, 5);
	begin(w);
	started(w, "0 1");
	assert_true(dr_sched_wake(w->s) == w->now + S);
	/* They take it: what is left is not taken for theirs once more. */
	w->in_use = 8;
	end(w, 0, DR_RESULT_DONE);
	w->in_use = 4;
	started(w, "2");
	/* Somebody else takes some. */
	end(w, 1, DR_RESULT_DONE);
	w->in_use = 7;
	started(w, "");
	w->in_use = 6;
	w->now += S;
	started(w, "3");
	end(w, 2, DR_RESULT_DONE);
	end(w, 3, DR_RESULT_DONE);
	started(w, "4");
	end(w, 4, DR_RESULT_DONE);
	assert_true(dr_sched_finished(w->s));
}

static void
one_always_has_it(void **state)
{
	struct world *w = *state;

	w->memory = 3;
	w->pressed = true;
	w->stages[0].memory = 4;
	tasks(w, 0, 2);
	tasks(w, 1, 2);
	begin(w);
	/* And what claims nothing stands in nobody's way. */
	started(w, "0 2 3");
	end(w, 2, DR_RESULT_DONE);
	end(w, 0, DR_RESULT_DONE);
	started(w, "");
	end(w, 3, DR_RESULT_DONE);
	started(w, "1");
}

static void
pressure_holds_back(void **state)
{
	struct world *w = *state;

	w->memory = 100;
	w->stages[0].memory = 1;
	w->pressed = true;
	tasks(w, 0, 3);
	begin(w);
	started(w, "0");
	w->now += S / 2;
	started(w, "");
	w->pressed = false;
	w->now += S;
	started(w, "1 2");
}

/* A large one is not overtaken by small ones for ever. */
static void
the_first_is_not_overtaken(void **state)
{
	struct world *w = *state;

	w->memory = 10;
	w->stages[0].memory = 3;
	w->stages[1].memory = 9;
	tasks(w, 0, 2);
	tasks(w, 1, 1);
	tasks(w, 0, 3);
	begin(w);
	started(w, "0 1");
	end(w, 0, DR_RESULT_DONE);
	started(w, "");
	end(w, 1, DR_RESULT_DONE);
	started(w, "2");
	end(w, 2, DR_RESULT_DONE);
	started(w, "3 4 5");
}

static void
several_slots_and_memory(void **state)
{
	struct world *w = *state;

	w->memory = 10;
	w->o.limit = 4;
	w->stages[0].memory = 6;
	w->stages[0].slots = 3;
	w->stages[1].memory = 6;
	tasks(w, 0, 2);
	tasks(w, 1, 1);
	begin(w);
	started(w, "0");
	end(w, 0, DR_RESULT_DONE);
	started(w, "1");
	end(w, 1, DR_RESULT_FAILED);
	started(w, "2");
	end(w, 2, DR_RESULT_DONE);
	assert_true(dr_sched_finished(w->s));
}

static void
a_stop_forgets_them(void **state)
{
	struct world *w = *state;
	struct dr_sched_counts c;

	w->memory = 10;
	w->stages[0].memory = 6;
	tasks(w, 0, 5);
	begin(w);
	started(w, "0");
	dr_sched_stop(w->s, true, false);
	end(w, 0, DR_RESULT_ALONE);
	started(w, "");
	dr_sched_counts(w->s, &c);
	assert_true(dr_sched_finished(w->s) && c.skipped == 5);
}

/* Nothing that would go below starts; with nothing running, an error. */
static void
a_full_disk(void **state)
{
	struct world *w = *state;

	w->disk = 10;
	w->stages[0].disk = 4;
	tasks(w, 0, 4);
	begin(w);
	started(w, "0 1");
	end(w, 0, DR_RESULT_DONE);
	w->now_on = 4;
	started(w, "");
	end(w, 1, DR_RESULT_DONE);
	w->now_on = 6;
	started(w, "2");
	end(w, 2, DR_RESULT_DONE);
	w->now_on = 7;
	assert_int_equal(pump(w), -1);
	assert_string_equal(w->err.msg, "no task can start: the next one needs 4 B on the disk, and 3 B may be used");
	assert_int_equal(w->err.code, DR_SYSTEM);
	assert_true(dr_sched_finished(w->s));
}

/* What fits goes on, where nothing else makes room: its end may. */
static void
the_one_that_fits(void **state)
{
	struct world *w = *state;

	w->disk = 10;
	w->stages[0].disk = 20;
	w->stages[1].disk = 10;
	tasks(w, 0, 3);
	tasks(w, 1, 1);
	begin(w);
	started(w, "3");
	end(w, 3, DR_RESULT_DONE);
	w->disk = 20;
	started(w, "0");
}

static void
what_is_expected_counts(void **state)
{
	struct world *w = *state;

	w->disk = 10;
	w->o.bytes = w->bytes;
	w->bytes[0] = 6;
	w->bytes[1] = 5;
	w->bytes[2] = 1;
	tasks(w, 0, 4);
	begin(w);
	started(w, "0");
	w->disk = 11;
	w->now += S;
	started(w, "1");
	/* Nothing may be used any more: nor does what writes nothing, as far as one knows. */
	w->disk = 0;
	end(w, 0, DR_RESULT_DONE);
	end(w, 1, DR_RESULT_DONE);
	assert_int_equal(pump(w), -1);
}

static void
alone_after_all_others(void **state)
{
	struct world *w = *state;

	tasks(w, 0, 5);
	w->o.limit = 3;
	begin(w);
	started(w, "0 1 2");
	end(w, 1, DR_RESULT_ALONE);
	started(w, "");
	end(w, 0, DR_RESULT_DONE);
	end(w, 2, DR_RESULT_ALONE);
	started(w, "1");
	assert_int_equal(w->running, 1);
	started(w, "");
	end(w, 1, DR_RESULT_DONE);
	started(w, "2");
	end(w, 2, DR_RESULT_FAILED);
	started(w, "3 4");
	end(w, 3, DR_RESULT_DONE);
	end(w, 4, DR_RESULT_DONE);
	assert_true(dr_sched_finished(w->s));
}

/* What another run is making keeps no token and no claim of ours, and is asked for again. */
static void
others_keep_nothing(void **state)
{
	struct world *w = *state;

	w->memory = 10;
	w->stages[0].memory = 6;
	tasks(w, 0, 3);
	w->busy = 3;
	begin(w);
	started(w, "");
	assert_int_equal(w->held, 0);
	assert_true(dr_sched_wake(w->s) > w->now && dr_sched_wake(w->s) <= w->now + S / 10);
	w->now += S;
	started(w, "0");
	assert_int_equal(w->held, 1);
	end(w, 0, DR_RESULT_DONE);
	started(w, "1");
}

/* A map and a merge by two, whose bytes do not shrink, of which nothing is kept: at no time is there more than twice the data, and what
 * is running. Inputs go when their reader has ended, as the publisher does it. */
static void
twice_the_data_at_most(void **state)
{
	enum { LEAVES = 32, EACH = 100, SLOTS = 4 };
	struct world *w = *state;
	uint32_t level[TASKS], n = LEAVES, run[TASKS], n_run = 0, seed = 1;

	w->stages[1].frees = true;
	w->o.limit = SLOTS;
	w->o.bytes = w->bytes;
	for (uint32_t i = 0; i < LEAVES; i++) {
		level[i] = task(w, 0, NULL);
		w->bytes[level[i]] = EACH;
	}
	for (; n > 1; n = n / 2)
		for (uint32_t i = 0; i < n / 2; i++) {
			uint32_t pair[] = { level[2 * i], level[2 * i + 1], DR_NONE };
			uint32_t t = task(w, 1, pair);

			w->bytes[t] = w->bytes[pair[0]] + w->bytes[pair[1]];
			level[i] = t;
		}
	/* There are the inputs themselves, beside that. */
	w->disk = 2 * LEAVES * EACH + SLOTS * EACH;
	begin(w);
	while (!dr_sched_finished(w->s)) {
		const char *p;
		uint32_t k, t;
		uint64_t on = 0;

		assert_int_equal(pump(w), 0);
		for (p = w->log; *p; p += strcspn(p, " "), p += *p == ' ')
			run[n_run++] = (uint32_t)strtoul(p, NULL, 10);
		w->log[0] = '\0';
		/* All that run have written all of theirs. */
		for (k = 0; k < n_run; k++)
			on += w->bytes[run[k]];
		w->most = w->now_on + on > w->most ? w->now_on + on : w->most;
		assert_true(n_run > 0);
		seed = seed * 1664525 + 1013904223;
		k = (seed >> 16) % n_run;
		t = run[k];
		run[k] = run[--n_run];
		w->now_on += w->bytes[t];
		for (uint32_t i = 0; i < w->g->tasks[t].n_in; i++)
			w->now_on -= w->bytes[w->g->files[dr_graph_inputs(w->g, t)[i]].producer];
		end(w, t, DR_RESULT_DONE);
	}
	assert_true(w->now_on == LEAVES * EACH);
	assert_true(w->most <= 2 * LEAVES * EACH);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest all[] = {
		TEST(memory_for_some),
		TEST(one_always_has_it),
		TEST(pressure_holds_back),
		TEST(the_first_is_not_overtaken),
		TEST(several_slots_and_memory),
		TEST(a_stop_forgets_them),
		TEST(a_full_disk),
		TEST(the_one_that_fits),
		TEST(what_is_expected_counts),
		TEST(alone_after_all_others),
		TEST(others_keep_nothing),
		TEST(twice_the_data_at_most),
	};

	return cmocka_run_group_tests(all, NULL, NULL);
}
