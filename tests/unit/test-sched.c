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

/* A world of its own: random graphs, run on a fake executor, clock and pool of tokens, watched by a model
 * that knows no heap and no gathering, only the rules. A failure prints its seed; DR_TEST_SEED=N runs that
 * one alone. */

enum { STAGES = 4, POOLS = 2, MS = 1000000 };

enum phase { NEW, RESTING, RUNS, ENDED };

struct fate {
	uint32_t fails;  /* tries that fail */
	uint32_t agains; /* runs that have to be repeated, before these */
	uint32_t busy;   /* times that another run has it */
	bool other;      /* after which that one has made it */
	bool no_start;   /* it fails by not starting */
	int64_t takes;
};

struct model {
	enum phase phase;
	int64_t due; /* RESTING: not before; RUNS: its end */
	uint32_t tries, runs;
	uint32_t slot, slots;
	uint32_t ends; /* final states seen */
};

struct sim {
	struct dr_executor ex; /* first: the sim is found by it */
	struct dr_tokens tok;
	uint64_t seed, random;
	struct dr_graph *g;
	struct dr_sched_stage stages[STAGES];
	struct dr_sched_options o;
	struct dr_sched *s;
	struct fate *fate;
	struct model *m;
	int64_t now;
	uint32_t limits[POOLS];     /* tasks */
	uint32_t pool, held, rival; /* free, ours, somebody else's */
	uint32_t all;               /* that the pool had at first */
	uint32_t running, used;
	uint32_t later, loaded; /* percent of the starts that the system refuses, the load forbids */
	uint32_t laters;        /* in a row */
	uint32_t cancels, hard_cancels;
	uint64_t starts, failures;
	bool all_narrow, stopped, big, extra;
};

#define CHECK(sim, cond)                                                                                     \
	do {                                                                                                 \
		if (!(cond))                                                                                 \
			fail_msg("seed %" PRIu64 ": %s", (sim)->seed, #cond);                                \
	} while (0)

static uint32_t
rnd(struct sim *w, uint32_t below)
{
	w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((w->random >> 33) % below);
}

static struct sim *
sim_of_tokens(struct dr_tokens *t)
{
	return (struct sim *)((char *)t - offsetof(struct sim, tok));
}

static uint32_t
need_of(const struct sim *w, uint32_t t)
{
	uint32_t n = w->stages[w->g->tasks[t].stage].slots;

	return n > w->o.limit ? w->o.limit : n;
}

static uint32_t
most_of(const struct sim *w, uint32_t t)
{
	uint32_t n = w->stages[w->g->tasks[t].stage].most, need = need_of(w, t);

	return n > w->o.limit ? w->o.limit : n > need ? n : need;
}

static bool
model_before(const struct sim *w, uint32_t a, uint32_t b)
{
	const struct dr_task *x = &w->g->tasks[a], *y = &w->g->tasks[b];

	if (w->stages[x->stage].frees != w->stages[y->stage].frees)
		return w->stages[x->stage].frees;
	if (x->path < y->path || x->path > y->path)
		return x->path > y->path;
	return a < b;
}

/* Does as much as may run of its pool? */
static bool
model_full(const struct sim *w, uint32_t t)
{
	uint32_t pool = w->stages[w->g->tasks[t].stage].pool, runs = 0;

	for (uint32_t u = 0; pool && u < w->g->n_tasks; u++)
		runs += w->m[u].phase == RUNS && w->stages[w->g->tasks[u].stage].pool == pool;
	return pool && runs >= w->limits[pool - 1];
}

/* How many of the first n files that a task reads have this in common: is there, or never will be. */
static uint32_t
model_count(const struct sim *w, const uint32_t *in, uint32_t n, bool there)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t p = w->g->files[in[i]].producer;
		enum dr_state s = p == DR_NONE ? DR_CLEAN : (enum dr_state)w->g->tasks[p].state;

		found += there ? s == DR_DONE || s == DR_CLEAN : s == DR_FAILED_TASK || s == DR_SKIPPED;
	}
	return found;
}

/* Some input, and all that it uses. */
static bool
model_enough(const struct sim *w, uint32_t t)
{
	uint32_t n_in = w->g->tasks[t].n_in, n_uses = w->g->tasks[t].n_uses;
	const uint32_t *in = dr_graph_inputs(w->g, t);

	return (!n_in || model_count(w, in, n_in, true)) && model_count(w, in + n_in, n_uses, true) == n_uses;
}

static bool
fake_enough(void *arg, uint32_t t)
{
	struct sim *w = arg;
	const uint32_t *in = dr_graph_inputs(w->g, t);
	uint32_t n = w->g->tasks[t].n_in + w->g->tasks[t].n_uses;

	CHECK(w, w->stages[w->g->tasks[t].stage].missing);
	CHECK(w, model_count(w, in, n, true) + model_count(w, in, n, false) == n);
	return model_enough(w, t);
}

/* All that it reads is there, or in a stage that does without there is enough of it, and it is its time. */
static bool
model_ready(const struct sim *w, uint32_t t)
{
	const uint32_t *in = dr_graph_inputs(w->g, t);
	uint32_t n = w->g->tasks[t].n_in + w->g->tasks[t].n_uses, there = model_count(w, in, n, true);

	if (w->m[t].phase > RESTING || (w->m[t].phase == RESTING && w->m[t].due > w->now))
		return false;
	if (!w->stages[w->g->tasks[t].stage].missing)
		return there == n;
	return there + model_count(w, in, n, false) == n && model_enough(w, t);
}

/* Does a failure of this task stop nothing, as somebody does without? */
static bool
model_tolerated(const struct sim *w, uint32_t t)
{
	for (uint32_t u = 0; u < w->g->n_tasks; u++) {
		const uint32_t *in = dr_graph_inputs(w->g, u);

		for (uint32_t i = 0; i < w->g->tasks[u].n_in + w->g->tasks[u].n_uses; i++)
			if (w->g->files[in[i]].producer == t && w->stages[w->g->tasks[u].stage].missing)
				return true;
	}
	return w->stages[w->g->tasks[t].stage].tolerated;
}

static int
fake_take(struct dr_tokens *t)
{
	struct sim *w = sim_of_tokens(t);

	/* The implicit one is always there. */
	if (w->held && !w->pool)
		return 0;
	if (w->held)
		w->pool--;
	w->held++;
	CHECK(w, w->held <= w->o.limit);
	return 1;
}

static void
fake_give(struct dr_tokens *t)
{
	struct sim *w = sim_of_tokens(t);

	CHECK(w, w->held > 0);
	if (--w->held)
		w->pool++;
}

static bool
fake_may_start(struct dr_tokens *t)
{
	struct sim *w = sim_of_tokens(t);

	CHECK(w, w->running > 0);
	return !w->loaded || rnd(w, 100) >= w->loaded;
}

static void
check_start(struct sim *w, uint32_t t, const struct dr_grant *g)
{
	CHECK(w, !w->stopped);
	CHECK(w, w->g->tasks[t].state == DR_READY);
	CHECK(w, model_ready(w, t));
	CHECK(w, g->attempt == w->m[t].tries + 1);
	CHECK(w, g->slots >= 1 && g->slots <= most_of(w, t));
	CHECK(w, w->used + g->slots <= w->o.limit);
	CHECK(w, w->used + g->slots <= w->held);
	if (w->big)
		return;
	CHECK(w, !model_full(w, t));
	for (uint32_t u = 0, below = 0; u < w->g->n_tasks; u++) {
		if (w->m[u].phase == RUNS) {
			CHECK(w, w->m[u].slot != g->slot);
			below += w->m[u].slot < g->slot;
		}
		if (u == w->g->n_tasks - 1)
			CHECK(w, below == g->slot - 1);
		/* One of several slots has its place in its pool while it gathers them. */
		if (u != t && need_of(w, u) == 1 && need_of(w, t) == 1 && model_ready(w, u) && !model_full(w, u) &&
		    (w->all_narrow || !w->stages[w->g->tasks[u].stage].pool))
			CHECK(w, !model_before(w, u, t));
	}
}

static int64_t
model_backoff(uint32_t tries)
{
	static const int64_t seconds[] = { 1, 2, 4, 8, 16, 32 };

	return (tries <= 6 ? seconds[tries - 1] : 60) * 1000 * MS;
}

/* A try of t has failed, by the rules. */
static void
model_failed(struct sim *w, uint32_t t)
{
	w->m[t].tries++;
	if (!w->stopped && w->m[t].tries <= w->stages[w->g->tasks[t].stage].retries) {
		w->m[t].phase = RESTING;
		w->m[t].due = w->now + model_backoff(w->m[t].tries);
		return;
	}
	w->m[t].phase = ENDED;
	if (!w->o.ignore && (w->big || !model_tolerated(w, t)))
		w->failures++;
	if (!w->o.ignore && w->failures >= (w->o.max_failures ? w->o.max_failures
					    : w->o.keep_going ? UINT32_MAX
							      : 1))
		w->stopped = true;
}

static enum dr_started
fake_start(struct dr_executor *ex, uint32_t t, const struct dr_grant *g, struct dr_err *err)
{
	struct sim *w = (struct sim *)ex;
	struct model *m = &w->m[t];

	check_start(w, t, g);
	/* What it has beyond its need, none that is ready may lack when the pump is over. */
	w->extra = w->extra || g->slots > need_of(w, t);
	if (w->fate[t].busy || w->fate[t].other || w->fate[t].no_start)
		w->extra = false;
	if (w->later && rnd(w, 100) < w->later && w->laters < 3) {
		w->laters++;
		dr_err_set(err, DR_SYSTEM, "no room");
		return DR_START_LATER;
	}
	w->laters = 0;
	if (w->fate[t].busy) {
		w->fate[t].busy--;
		m->phase = RESTING;
		m->due = w->now + 100 * MS;
		return DR_START_BUSY;
	}
	if (w->fate[t].other) {
		m->phase = ENDED;
		return DR_START_DONE;
	}
	if (w->fate[t].no_start && m->tries < w->fate[t].fails) {
		m->runs++;
		model_failed(w, t);
		return DR_START_FAILED;
	}
	w->starts++;
	m->runs++;
	m->phase = RUNS;
	m->due = w->now + w->fate[t].takes;
	m->slot = g->slot;
	m->slots = g->slots;
	w->running++;
	w->used += g->slots;
	return DR_STARTED;
}

static void
fake_cancel(struct dr_executor *ex, uint32_t t, bool hard)
{
	struct sim *w = (struct sim *)ex;

	CHECK(w, w->m[t].phase == RUNS);
	w->cancels++;
	w->hard_cancels += hard;
	w->m[t].due = w->now + 5 * MS;
	w->fate[t].fails = UINT32_MAX;
}

static void
on_change(void *arg, uint32_t t, const struct dr_grant *g)
{
	struct sim *w = arg;

	switch (w->g->tasks[t].state) {
	case DR_READY:
		CHECK(w, w->m[t].phase == RESTING && g);
		break;
	case DR_RUNNING:
		CHECK(w, w->m[t].phase == RUNS && g && g->slot == w->m[t].slot);
		break;
	case DR_SKIPPED:
		CHECK(w, w->m[t].phase <= RESTING || w->m[t].phase == ENDED);
		w->m[t].phase = ENDED;
		w->m[t].ends++;
		break;
	case DR_FAILED_TASK:
		/* One that was between two tries when all was stopped ends without another run. */
		CHECK(w, w->m[t].phase == ENDED || (w->m[t].phase == RESTING && w->stopped));
		w->m[t].phase = ENDED;
		w->m[t].ends++;
		break;
	default:
		CHECK(w, w->g->tasks[t].state == DR_DONE && w->m[t].phase == ENDED);
		w->m[t].ends++;
	}
	CHECK(w, w->m[t].ends <= 1);
}

static struct sim *
sim_new(uint64_t seed, uint32_t limit)
{
	struct sim *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->seed = w->random = seed;
	w->ex = (struct dr_executor){ fake_start, fake_cancel };
	w->tok = (struct dr_tokens){ fake_take, fake_give, fake_may_start };
	w->g = dr_graph_new();
	assert_non_null(w->g);
	for (uint32_t i = 0; i < STAGES; i++)
		w->stages[i].slots = 1;
	w->o = (struct dr_sched_options){ .stages = w->stages,
					  .n_stages = STAGES,
					  .limit = limit,
					  .seed = seed,
					  .changed = on_change,
					  .enough = fake_enough,
					  .arg = w };
	w->pool = limit - 1;
	w->now = 1000 * MS;
	w->all_narrow = true;
	return w;
}

static void
sim_free(struct sim *w)
{
	dr_sched_free(w->s);
	dr_graph_free(w->g);
	free(w->fate);
	free(w->m);
	free(w);
}

/* A task that makes file "fT" and reads these files. */
static uint32_t
add_task(struct sim *w, uint32_t stage, const uint32_t *in, uint32_t n_in, uint32_t n_uses)
{
	struct dr_err err;
	uint32_t t, out, other;
	char name[16];

	assert_int_equal(dr_graph_task(w->g, stage, 0, n_in, n_uses, 1, &t, &err), 0);
	snprintf(name, sizeof(name), "f%u", t);
	assert_int_equal(dr_graph_file(w->g, dr_str(name), &out, &err), 0);
	if (n_in + n_uses)
		memcpy(dr_graph_inputs(w->g, t), in, (n_in + n_uses) * sizeof(*in));
	dr_graph_outputs(w->g, t)[0] = out;
	assert_int_equal(dr_graph_made(w->g, t, out, &other), 0);
	w->g->tasks[t].id.lo = t;
	w->g->tasks[t].state = DR_WAITING;
	return t;
}

static uint32_t
out_of(const struct sim *w, uint32_t t)
{
	return dr_graph_outputs(w->g, t)[0];
}

static void
sim_begin(struct sim *w)
{
	uint32_t *cycle, n;
	struct dr_err err;

	assert_int_equal(dr_graph_link(w->g, &cycle, &n, &err), 0);
	assert_int_equal(dr_graph_ready(w->g, STAGES, &err), 0);
	if (!w->fate)
		w->fate = calloc(w->g->n_tasks + 1, sizeof(*w->fate));
	w->m = calloc(w->g->n_tasks + 1, sizeof(*w->m));
	assert_true(w->fate && w->m);
	for (uint32_t t = 0; t < w->g->n_tasks; t++)
		if (w->g->tasks[t].state == DR_CLEAN)
			w->m[t].phase = ENDED;
	w->all = w->pool + w->rival;
	w->s = dr_sched_new(w->g, &w->o, &w->ex, &w->tok, &err);
	assert_non_null(w->s);
}

/* Ends those whose time has come. */
static void
sim_end_due(struct sim *w)
{
	for (uint32_t t = 0; t < w->g->n_tasks; t++) {
		struct model *m = &w->m[t];
		enum dr_result result = DR_RESULT_DONE;

		if (m->phase != RUNS || m->due > w->now)
			continue;
		w->running--;
		w->used -= m->slots;
		if (w->fate[t].agains) {
			w->fate[t].agains--;
			result = DR_RESULT_AGAIN;
			m->phase = w->stopped ? ENDED : RESTING;
			m->due = w->now;
		} else if (m->tries < w->fate[t].fails) {
			result = DR_RESULT_FAILED;
			model_failed(w, t);
		} else {
			m->phase = ENDED;
		}
		dr_sched_ended(w->s, t, result, w->now);
	}
}

static void
check_pumped(struct sim *w)
{
	struct dr_sched_counts c;
	uint32_t ready = 0, wide = 0;

	dr_sched_counts(w->s, &c);
	CHECK(w, c.running == w->running && c.slots == w->used);
	CHECK(w, c.wanted == c.done + c.failed + c.skipped + c.running + c.waiting);
	if (w->big)
		return;
	for (uint32_t t = 0; t < w->g->n_tasks; t++) {
		ready += model_ready(w, t) && w->m[t].phase != ENDED && !model_full(w, t);
		wide += model_ready(w, t) && need_of(w, t) > 1;
	}
	if (!wide || w->stopped)
		CHECK(w, w->held == w->used);
	if (!w->all_narrow || w->later || w->loaded || w->stopped)
		return;
	/* No token lies where a task could use it. */
	CHECK(w, !ready || w->held == w->o.limit || !w->pool);
	CHECK(w, !w->extra || !ready);
	CHECK(w, dr_sched_wants_token(w->s) == (ready && w->held < w->o.limit));
}

static void
rival_moves(struct sim *w)
{
	if (w->pool && rnd(w, 4) == 0) {
		w->pool--;
		w->rival++;
	} else if (w->rival && rnd(w, 3) == 0) {
		w->rival--;
		w->pool++;
	}
}

/* To the next moment at which something happens. */
static void
advance(struct sim *w)
{
	int64_t next = INT64_MAX, wake = dr_sched_wake(w->s);

	for (uint32_t t = 0; t < w->g->n_tasks; t++)
		if (w->m[t].phase == RUNS && w->m[t].due < next)
			next = w->m[t].due;
	if (wake >= 0 && wake < next)
		next = wake;
	if (next == INT64_MAX || (w->rival && rnd(w, 3) == 0)) {
		CHECK(w, w->rival > 0);
		w->pool += w->rival;
		w->rival = 0;
		next = w->now + 7 * MS < next ? w->now + 7 * MS : next;
	}
	CHECK(w, wake < 0 || wake > w->now); /* no spin */
	if (next > w->now)
		w->now = next;
}

static void
sim_run(struct sim *w, bool rival)
{
	struct dr_err err;

	for (uint32_t turn = 0;; turn++) {
		CHECK(w, turn < 100000);
		w->extra = false;
		CHECK(w, dr_sched_pump(w->s, w->now, &err) == 0);
		check_pumped(w);
		if (dr_sched_finished(w->s))
			break;
		if (rival)
			rival_moves(w);
		advance(w);
		sim_end_due(w);
	}
	CHECK(w, w->held == 0);
	CHECK(w, w->pool + w->rival == w->all);
}

static void
random_fates(struct sim *w)
{
	w->fate = calloc(w->g->n_tasks, sizeof(*w->fate));
	assert_non_null(w->fate);
	for (uint32_t t = 0; t < w->g->n_tasks; t++) {
		struct fate *f = &w->fate[t];

		f->takes = (int64_t)rnd(w, 400) * MS;
		f->fails = rnd(w, 6) ? 0 : rnd(w, 5) ? 1 + rnd(w, 3) : UINT32_MAX;
		f->no_start = rnd(w, 4) == 0;
		f->agains = rnd(w, 10) ? 0 : 1;
		f->busy = rnd(w, 10) ? 0 : 1 + rnd(w, 3);
		f->other = f->busy && rnd(w, 2);
	}
}

/* A random graph: each task reads outputs of earlier ones, some twice, and files from outside. */
static struct sim *
random_sim(uint64_t seed)
{
	struct sim *w = sim_new(seed, 1);
	uint32_t n = 1 + rnd(w, 40), in[8], outside;
	uint32_t density = 1 + rnd(w, 4);
	struct dr_err err;

	w->o.limit = 1 + rnd(w, 6);
	w->pool = w->o.limit - 1 + rnd(w, 2) * rnd(w, 3);
	w->all_narrow = rnd(w, 2);
	w->later = rnd(w, 4) ? 0 : 20;
	w->loaded = rnd(w, 4) ? 0 : 30;
	w->o.keep_going = rnd(w, 2);
	w->o.ignore = rnd(w, 8) == 0;
	w->o.max_failures = rnd(w, 3) ? 0 : 1 + rnd(w, 3);
	for (uint32_t i = 0; i < POOLS; i++)
		w->limits[i] = 1 + rnd(w, 3);
	w->o.pools = w->limits;
	w->o.n_pools = rnd(w, 2) ? POOLS : 0;
	for (uint32_t i = 0; i < STAGES; i++) {
		w->stages[i].retries = rnd(w, 3) ? 0 : rnd(w, 9);
		w->stages[i].frees = rnd(w, 4) == 0;
		w->stages[i].missing = rnd(w, 4) == 0;
		w->stages[i].tolerated = rnd(w, 8) == 0;
		w->stages[i].pool = w->o.n_pools ? rnd(w, POOLS + 1) : 0;
		w->stages[i].slots = w->all_narrow ? 1 : rnd(w, 3) ? 1 + rnd(w, 4) : UINT32_MAX;
		w->stages[i].most = rnd(w, 2) ? 0 : rnd(w, 3) ? rnd(w, 7) : UINT32_MAX;
	}
	w->all_narrow = w->all_narrow || w->o.limit == 1;
	assert_int_equal(dr_graph_file(w->g, DR_STR("outside"), &outside, &err), 0);
	for (uint32_t t = 0; t < n; t++) {
		uint32_t k = 0, uses;

		while (t && k < 6 && rnd(w, density + 1))
			in[k++] = out_of(w, rnd(w, t));
		if (rnd(w, 2))
			in[k++] = outside;
		uses = k ? rnd(w, k) : 0;
		add_task(w, rnd(w, STAGES), in, k - uses, uses);
		w->g->tasks[t].last_ms = rnd(w, 2) ? 0 : 1 + rnd(w, 3000);
	}
	/* Some are up to date; then so is all that they need. */
	for (uint32_t t = n; t-- > 0;) {
		const uint32_t *r = dr_graph_inputs(w->g, t);

		if (rnd(w, 10) == 0)
			w->g->tasks[t].state = DR_CLEAN;
		for (uint32_t k = 0;
		     w->g->tasks[t].state == DR_CLEAN && k < w->g->tasks[t].n_in + w->g->tasks[t].n_uses; k++)
			if (r[k] != outside)
				w->g->tasks[w->g->files[r[k]].producer].state = DR_CLEAN;
	}
	random_fates(w);
	return w;
}

/* What each task must have come to when nothing was stopped. */
static void
check_outcome(struct sim *w, const struct fate *fate)
{
	for (uint32_t i = 0; i < w->g->n_tasks; i++) {
		uint32_t t = w->g->order[i], retries = w->stages[w->g->tasks[t].stage].retries, runs = 0;
		const uint32_t *in = dr_graph_inputs(w->g, t);
		enum dr_state want = DR_DONE;

		if (w->g->tasks[t].state == DR_CLEAN) {
			CHECK(w, !w->m[t].ends && !w->m[t].runs);
			continue;
		}
		if (fate[t].other && !w->m[t].runs)
			want = DR_DONE;
		else if (fate[t].fails > retries && !w->o.ignore)
			want = DR_FAILED_TASK;
		for (uint32_t k = 0; k < w->g->tasks[t].n_in + w->g->tasks[t].n_uses; k++) {
			uint32_t p = w->g->files[in[k]].producer;

			if (p != DR_NONE && w->g->tasks[p].state != DR_DONE &&
			    w->g->tasks[p].state != DR_CLEAN && !w->stages[w->g->tasks[t].stage].missing)
				want = DR_SKIPPED;
		}
		if (w->stages[w->g->tasks[t].stage].missing && !model_enough(w, t))
			want = DR_SKIPPED;
		if (want != DR_SKIPPED && !fate[t].other) {
			runs = (fate[t].fails < retries ? fate[t].fails : retries) + 1;
			/* A run to be repeated comes only when it starts. */
			if (!fate[t].no_start || fate[t].fails <= retries)
				runs += fate[t].agains;
		}
		CHECK(w, w->g->tasks[t].state == want);
		CHECK(w, w->m[t].ends == 1);
		CHECK(w, w->m[t].runs == runs);
	}
}

static void
run_seed(uint64_t seed)
{
	struct sim *w = random_sim(seed);
	uint32_t n = w->g->n_tasks;
	struct fate *fate = malloc(n * sizeof(*fate));

	assert_non_null(fate);
	memcpy(fate, w->fate, n * sizeof(*fate));
	sim_begin(w);
	sim_run(w, rnd(w, 2));
	if (!w->stopped)
		check_outcome(w, fate);
	for (uint32_t t = 0; t < n; t++)
		CHECK(w, w->m[t].ends == (w->g->tasks[t].state != DR_CLEAN));
	free(fate);
	sim_free(w);
}

static void
random_graphs(void **state)
{
	const char *one = getenv("DR_TEST_SEED");

	(void)state;
	if (one) {
		run_seed(strtoull(one, NULL, 10));
		return;
	}
	for (uint64_t seed = 1; seed <= 6000; seed++)
		run_seed(seed);
}

/* A stop at a random moment: no start after it, each task in one final state, tokens back. */
static void
random_stops(void **state)
{
	struct dr_err err;

	(void)state;
	for (uint64_t seed = 10001; seed <= 11500; seed++) {
		struct sim *w = random_sim(seed);
		uint32_t turns = rnd(w, 12), running;
		bool cancel = rnd(w, 2);

		sim_begin(w);
		for (uint32_t i = 0; i < turns; i++) {
			CHECK(w, dr_sched_pump(w->s, w->now, &err) == 0);
			if (dr_sched_finished(w->s))
				break;
			rival_moves(w);
			advance(w);
			sim_end_due(w);
		}
		running = w->running;
		w->stopped = true;
		dr_sched_stop(w->s, cancel, false);
		CHECK(w, w->cancels == (cancel ? running : 0) && !w->hard_cancels);
		if (rnd(w, 2)) {
			dr_sched_stop(w->s, true, true);
			CHECK(w, w->hard_cancels == running);
		}
		CHECK(w, !dr_sched_wants_token(w->s));
		sim_run(w, false);
		for (uint32_t t = 0; t < w->g->n_tasks; t++)
			CHECK(w, w->m[t].ends == (w->g->tasks[t].state != DR_CLEAN));
		sim_free(w);
	}
}

/* Ready tasks start in one order: what frees disk, the longest path, the order of the inputs. */
static void
order_of_starts(void **state)
{
	struct sim *w = sim_new(0, 2);
	struct dr_err err;
	uint32_t t[6];

	(void)state;
	w->stages[1].frees = true;
	for (uint32_t i = 0; i < 4; i++)
		t[i] = add_task(w, 0, NULL, 0, 0);
	t[4] = add_task(w, 0, (uint32_t[]){ out_of(w, t[2]) }, 1, 0);
	t[5] = add_task(w, 1, NULL, 0, 0);
	sim_begin(w);
	for (uint32_t i = 0; i < 6; i++)
		w->fate[i].takes = 10 * MS;
	assert_int_equal(dr_sched_pump(w->s, w->now, &err), 0);
	/* One that frees; then the one with a consumer, although others stand before it. */
	assert_int_equal(w->m[t[5]].slot, 1);
	assert_int_equal(w->m[t[2]].slot, 2);
	assert_int_equal(w->starts, 2);
	w->now += 10 * MS;
	sim_end_due(w);
	assert_int_equal(w->held, 2); /* kept for the starts of the same turn */
	assert_int_equal(dr_sched_pump(w->s, w->now, &err), 0);
	assert_int_equal(w->m[t[0]].phase, RUNS);
	assert_int_equal(w->m[t[1]].phase, RUNS);
	sim_run(w, false);
	assert_int_equal(w->starts, 6);
	sim_free(w);
}

/* The order in which ten tasks start one after the other. */
static void
order(enum dr_shuffle shuffle, uint64_t seed, uint32_t got[10])
{
	struct sim *w = sim_new(0, 1);
	struct dr_err err;
	uint32_t n = 0;

	w->o.shuffle = shuffle;
	w->o.shuffle_seed = seed;
	for (uint32_t i = 0; i < 10; i++)
		add_task(w, 0, NULL, 0, 0);
	sim_begin(w);
	w->big = true; /* the model knows the usual order only */
	while (n < 10) {
		assert_int_equal(dr_sched_pump(w->s, w->now, &err), 0);
		for (uint32_t t = 0; t < 10; t++)
			if (w->m[t].phase == RUNS)
				got[n++] = t;
		advance(w);
		sim_end_due(w);
	}
	sim_run(w, false);
	sim_free(w);
}

static void
shuffled(void **state)
{
	uint32_t a[10], b[10], seen = 0, usual[10] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };

	(void)state;
	order(DR_SHUFFLE_NONE, 7, a);
	assert_memory_equal(a, usual, sizeof(a));
	order(DR_SHUFFLE_REVERSE, 7, a);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(a[i], 9 - i);
	order(DR_SHUFFLE_RANDOM, 7, a);
	order(DR_SHUFFLE_RANDOM, 7, b);
	assert_memory_equal(a, b, sizeof(a));
	for (uint32_t i = 0; i < 10; i++)
		seen |= 1U << a[i];
	assert_int_equal(seen, (1U << 10) - 1);
	order(DR_SHUFFLE_RANDOM, 8, b);
	assert_memory_not_equal(a, b, sizeof(a));
}

/* From two slots up to six of the eight that there are. */
static struct sim *
elastic_sim(uint32_t limit, uint32_t elastic, uint32_t others)
{
	struct sim *w = sim_new(0, limit);

	w->stages[1].slots = 2;
	w->stages[1].most = 6;
	for (uint32_t i = 0; i < elastic; i++)
		add_task(w, 1, NULL, 0, 0);
	for (uint32_t i = 0; i < others; i++)
		add_task(w, 0, NULL, 0, 0);
	sim_begin(w);
	for (uint32_t t = 0; t < elastic + others; t++)
		w->fate[t].takes = 1000 * (int64_t)MS;
	return w;
}

/* How many slots the first and the second task got, as a number of two digits. */
static uint32_t
shares(struct sim *w)
{
	struct dr_err err;
	uint32_t got;

	assert_int_equal(dr_sched_pump(w->s, w->now, &err), 0);
	check_pumped(w);
	got = 10 * (w->m[0].phase == RUNS ? w->m[0].slots : 0) + (w->m[1].phase == RUNS ? w->m[1].slots : 0);
	sim_run(w, false);
	sim_free(w);
	return got;
}

static void
idle_slots_are_taken(void **state)
{
	struct sim *w;

	(void)state;
	/* As many as it can use, and none that another could */
	assert_int_equal(shares(elastic_sim(8, 1, 0)), 60);
	assert_int_equal(shares(elastic_sim(8, 1, 1)), 61);
	assert_int_equal(shares(elastic_sim(8, 1, 3)), 51);
	assert_int_equal(shares(elastic_sim(8, 1, 6)), 21);
	assert_int_equal(shares(elastic_sim(8, 1, 60)), 21);
	/* Several share what is left over. */
	assert_int_equal(shares(elastic_sim(8, 2, 0)), 44);
	assert_int_equal(shares(elastic_sim(8, 2, 1)), 43);
	assert_int_equal(shares(elastic_sim(8, 4, 0)), 22);
	/* Of another's pool what lies there, without waiting for more */
	w = elastic_sim(8, 1, 0);
	w->pool = 3;
	w->rival = 4;
	assert_int_equal(shares(w), 40);
	w = elastic_sim(8, 1, 2);
	w->pool = 3;
	w->rival = 4;
	assert_int_equal(shares(w), 21);
	/* Whose size is not known */
	w = elastic_sim(UINT32_MAX, 1, 2);
	w->pool = 4;
	w->rival = 3;
	w->all = 7;
	assert_int_equal(shares(w), 31);
}

/* A task of four slots where two are to be had: holds them 50 ms, gives them back, and the third time makes
 * do. */
static void
gathering(void **state)
{
	struct sim *w = sim_new(0, 4);
	struct dr_err err;
	uint32_t small, wide;
	int64_t wake;

	(void)state;
	w->stages[1].slots = UINT32_MAX;
	wide = add_task(w, 1, NULL, 0, 0);
	small = add_task(w, 0, NULL, 0, 0);
	w->g->tasks[wide].last_ms = 5000;
	w->pool = 1; /* with the implicit one, two */
	w->rival = 2;
	sim_begin(w);
	w->fate[small].takes = w->fate[wide].takes = 3600 * (int64_t)1000 * MS;
	for (uint32_t turn = 0; turn < 2; turn++) {
		assert_int_equal(dr_sched_pump(w->s, w->now, &err), 0);
		assert_int_equal(w->held, turn ? 3 : 2);
		assert_true(dr_sched_wants_token(w->s));
		assert_int_equal(w->starts, turn);
		assert_int_equal(dr_sched_wake(w->s), w->now + 50 * MS);
		w->now += 49 * MS;
		assert_int_equal(dr_sched_pump(w->s, w->now, &err), 0);
		assert_int_equal(w->held, turn ? 3 : 2);
		/* Another one comes in the last moment: 50 ms more. */
		w->pool++;
		w->rival--;
		assert_int_equal(dr_sched_pump(w->s, w->now, &err), 0);
		assert_int_equal(dr_sched_wake(w->s), w->now + 50 * MS);
		w->now += 50 * MS;
		assert_int_equal(dr_sched_pump(w->s, w->now, &err), 0);
		/* Back, and the small one goes on with one of them, until the random moment is over. */
		assert_int_equal(w->held, 1);
		assert_int_equal(w->m[small].phase, RUNS);
		assert_false(dr_sched_wants_token(w->s));
		wake = dr_sched_wake(w->s);
		assert_true(wake > w->now && wake <= w->now + 150 * MS);
		w->now = wake;
	}
	assert_int_equal(dr_sched_pump(w->s, w->now, &err), 0);
	w->now += 50 * MS;
	assert_int_equal(dr_sched_pump(w->s, w->now, &err), 0);
	assert_int_equal(w->m[wide].phase, RUNS);
	assert_int_equal(w->m[wide].slots, 3);
	sim_run(w, false);
	sim_free(w);
}

/* Small tasks without end do not keep a large one from its slots, although all slots are theirs when it could
 * start. */
static void
large_among_small(void **state)
{
	struct sim *w = sim_new(0, 4);
	int64_t ready = 0;
	struct dr_err err;
	uint32_t wide;

	(void)state;
	w->stages[1].slots = 4;
	w->stages[1].frees = true;
	for (uint32_t i = 0; i < 400; i++)
		add_task(w, 0, NULL, 0, 0);
	wide = add_task(w, 1, (uint32_t[]){ out_of(w, 0) }, 1, 0);
	sim_begin(w);
	for (uint32_t t = 0; t < 400; t++)
		w->fate[t].takes = (int64_t)(130 + t % 7 * 40) * MS;
	while (!w->m[wide].runs) {
		assert_int_equal(dr_sched_pump(w->s, w->now, &err), 0);
		check_pumped(w);
		if (!ready && model_ready(w, wide))
			ready = w->now;
		if (!w->m[wide].runs)
			advance(w);
		sim_end_due(w);
	}
	/* Three times at most: a small one's time until it has a token, 50 ms without another a time, a
	 * pause. */
	assert_true(ready && w->now - ready <= (int64_t)3 * (370 + 4 * 50 + 150) * MS);
	sim_run(w, false);
	sim_free(w);
}

/* Two that each want all tokens of one pool: neither waits for ever for what the other holds. */
static void
two_that_gather(void **state)
{
	struct sim *w[2];
	uint32_t pool = 4, turns = 0;
	int64_t begin, now;
	struct dr_err err;

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		w[i] = sim_new(i + 1, 5);
		w[i]->stages[1].slots = 5;
		for (uint32_t t = 0; t < 20; t++)
			add_task(w[i], 1, NULL, 0, 0);
		sim_begin(w[i]);
		for (uint32_t t = 0; t < 20; t++)
			w[i]->fate[t].takes = 10 * MS;
	}
	begin = now = w[0]->now;
	while (!dr_sched_finished(w[0]->s) || !dr_sched_finished(w[1]->s)) {
		for (uint32_t i = 0; i < 2; i++) {
			w[i]->now = now;
			w[i]->pool = pool;
			sim_end_due(w[i]);
			assert_int_equal(dr_sched_pump(w[i]->s, now, &err), 0);
			pool = w[i]->pool;
		}
		now += MS;
		assert_true(++turns < 20000);
	}
	assert_int_equal(pool, 4);
	/* Alone each would take a fifth of a second. */
	assert_true(now - begin < (int64_t)40 * 200 * MS);
	sim_free(w[0]);
	sim_free(w[1]);
}

static void
retries_wait_longer_each_time(void **state)
{
	static const int64_t seconds[] = { 1, 2, 4, 8, 16, 32, 60, 60 };
	struct sim *w = sim_new(0, 1);
	struct dr_sched_counts c;
	struct dr_err err;
	uint32_t t;

	(void)state;
	w->stages[0].retries = 8;
	t = add_task(w, 0, NULL, 0, 0);
	sim_begin(w);
	w->fate[t].fails = UINT32_MAX;
	for (uint32_t i = 0; i < 8; i++) {
		assert_int_equal(dr_sched_pump(w->s, w->now, &err), 0);
		assert_int_equal(w->running, 1);
		sim_end_due(w);
		assert_int_equal(dr_sched_pump(w->s, w->now, &err), 0);
		assert_int_equal(w->held, 0); /* no slot meanwhile */
		assert_int_equal(dr_sched_wake(w->s), w->now + seconds[i] * 1000 * MS);
		dr_sched_counts(w->s, &c);
		assert_int_equal(c.waiting, 1);
		w->now = dr_sched_wake(w->s);
	}
	sim_run(w, false);
	assert_int_equal(w->m[t].runs, 9);
	assert_int_equal(w->g->tasks[t].state, DR_FAILED_TASK);
	sim_free(w);
}

/* What waits for another try when all is stopped has failed: it ran. */
static void
stop_between_tries(void **state)
{
	struct sim *w = sim_new(0, 1);
	struct dr_err err;
	uint32_t t, u;

	(void)state;
	w->stages[0].retries = 3;
	t = add_task(w, 0, NULL, 0, 0);
	u = add_task(w, 0, (uint32_t[]){ out_of(w, t) }, 1, 0);
	sim_begin(w);
	w->fate[t].fails = 1;
	assert_int_equal(dr_sched_pump(w->s, w->now, &err), 0);
	sim_end_due(w);
	w->stopped = true;
	dr_sched_stop(w->s, false, false);
	assert_true(dr_sched_finished(w->s));
	assert_int_equal(dr_sched_wake(w->s), -1);
	assert_int_equal(w->g->tasks[t].state, DR_FAILED_TASK);
	assert_int_equal(w->g->tasks[u].state, DR_SKIPPED);
	assert_int_equal(w->held, 0);
	sim_free(w);
}

/* Without room for any process: tried for a while, then an error, and nothing hangs. */
static void
no_room_at_all(void **state)
{
	struct sim *w = sim_new(0, 3);
	struct dr_err err = { 0 };
	uint32_t pumps = 0;
	int64_t begin = w->now;

	(void)state;
	add_task(w, 0, NULL, 0, 0);
	add_task(w, 0, NULL, 0, 0);
	w->later = 100;
	sim_begin(w);
	while (dr_sched_pump(w->s, w->now, &err) == 0) {
		assert_int_equal(w->held, 0);
		assert_true(dr_sched_wake(w->s) > w->now);
		w->now = dr_sched_wake(w->s);
		w->laters = 0;
		assert_true(++pumps < 100);
	}
	assert_int_equal(err.code, DR_SYSTEM);
	assert_string_equal(err.msg, "no room");
	assert_true(w->now - begin >= 500 * MS && w->now - begin <= 5000 * (int64_t)MS);
	assert_true(dr_sched_finished(w->s));
	assert_int_equal(w->held, 0);
	sim_free(w);
}

static void
busy_takes_no_slot(void **state)
{
	struct sim *w = sim_new(0, 1);
	struct dr_err err;
	uint32_t a, b;

	(void)state;
	a = add_task(w, 0, NULL, 0, 0);
	b = add_task(w, 0, NULL, 0, 0);
	sim_begin(w);
	w->fate[a].busy = 2;
	w->fate[a].other = true;
	w->fate[b].takes = 50 * MS;
	assert_int_equal(dr_sched_pump(w->s, w->now, &err), 0);
	assert_int_equal(w->m[b].phase,
			 RUNS); /* with the token that the other did not need, in the same turn */
	assert_int_equal(dr_sched_wake(w->s), w->now + 100 * MS);
	sim_run(w, false);
	assert_int_equal(w->g->tasks[a].state, DR_DONE);
	assert_int_equal(w->m[a].runs, 0);
	sim_free(w);
}

static void
nothing_to_do(void **state)
{
	struct sim *w = sim_new(0, 3);
	struct dr_sched_counts c;

	(void)state;
	add_task(w, 0, NULL, 0, 0);
	w->g->tasks[0].state = DR_CLEAN;
	sim_begin(w);
	assert_true(dr_sched_finished(w->s));
	sim_run(w, false);
	dr_sched_counts(w->s, &c);
	assert_int_equal(c.wanted, 0);
	sim_free(w);
	dr_sched_free(NULL);
}

/* Runs a large graph, a turn for what runs at once; the model's own loops are left out. */
static void
run_big(struct sim *w)
{
	uint32_t *running = malloc(w->o.limit * sizeof(*running)), n;
	struct dr_err err;
	uint64_t turns = 0;
	uint32_t from = 0;

	assert_non_null(running);
	while (!dr_sched_finished(w->s)) {
		assert_int_equal(dr_sched_pump(w->s, w->now, &err), 0);
		check_pumped(w);
		n = 0;
		/* Those that run stand in a window of the order that moves on. */
		for (uint32_t i = from; i < w->g->n_tasks && n < w->running; i++) {
			if (w->m[w->g->order[i]].phase == RUNS)
				running[n++] = w->g->order[i];
			else if (w->m[w->g->order[i]].phase == ENDED && i == from)
				from++;
		}
		assert_true(n > 0 || dr_sched_finished(w->s));
		for (uint32_t i = 0; i < n; i++) {
			struct model *m = &w->m[running[i]];
			bool bad = w->fate[running[i]].fails > 0;

			w->running--;
			w->used -= m->slots;
			m->phase = ENDED;
			dr_sched_ended(w->s, running[i], bad ? DR_RESULT_FAILED : DR_RESULT_DONE, w->now);
		}
		w->now += MS;
		assert_true(++turns <= w->g->n_tasks + 10);
	}
	assert_int_equal(dr_sched_pump(w->s, w->now, &err), 0);
	assert_int_equal(w->held, 0);
	free(running);
}

enum { BIG = 100000 };

static void
big_chain(void **state)
{
	struct sim *w = sim_new(0, 4);
	uint32_t t = add_task(w, 0, NULL, 0, 0);

	(void)state;
	for (uint32_t i = 1; i < BIG; i++)
		t = add_task(w, 0, (uint32_t[]){ out_of(w, t) }, 1, 0);
	w->big = true;
	sim_begin(w);
	run_big(w);
	assert_int_equal(w->starts, BIG);
	sim_free(w);
}

static void
big_map(void **state)
{
	struct sim *w = sim_new(0, 1000);

	(void)state;
	for (uint32_t i = 0; i < BIG; i++)
		add_task(w, 0, NULL, 0, 0);
	w->big = true;
	sim_begin(w);
	run_big(w);
	assert_int_equal(w->starts, BIG);
	sim_free(w);
}

/* The first of a long chain fails, and with -k all that stands on it is skipped: no recursion, nothing twice.
 */
static void
big_failure(void **state)
{
	struct sim *w = sim_new(0, 2);
	uint32_t first = add_task(w, 0, NULL, 0, 0), t = first;
	struct dr_sched_counts c;

	(void)state;
	for (uint32_t i = 1; i < BIG; i++)
		t = add_task(w, 0, (uint32_t[]){ out_of(w, t), out_of(w, first) }, 2, 0);
	add_task(w, 0, NULL, 0, 0);
	w->big = true;
	w->o.keep_going = true;
	sim_begin(w);
	w->fate[first].fails = 1;
	run_big(w);
	dr_sched_counts(w->s, &c);
	assert_int_equal(c.done, 1);
	assert_int_equal(c.failed, 1);
	assert_int_equal(c.skipped, BIG - 1);
	sim_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_of_starts),
		cmocka_unit_test(gathering),
		cmocka_unit_test(idle_slots_are_taken),
		cmocka_unit_test(shuffled),
		cmocka_unit_test(large_among_small),
		cmocka_unit_test(two_that_gather),
		cmocka_unit_test(retries_wait_longer_each_time),
		cmocka_unit_test(stop_between_tries),
		cmocka_unit_test(no_room_at_all),
		cmocka_unit_test(busy_takes_no_slot),
		cmocka_unit_test(nothing_to_do),
		cmocka_unit_test(random_graphs),
		cmocka_unit_test(random_stops),
		cmocka_unit_test(big_chain),
		cmocka_unit_test(big_map),
		cmocka_unit_test(big_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
