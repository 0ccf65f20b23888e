#include "config.h"

#include "progress-state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ENOUGH = 20 }; /* tasks that must have ended before a guess is said */

static int
compare(const void *a, const void *b)
{
	float x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

double
dr_progress_median(const struct dr_progress *p, uint32_t stage)
{
	const struct dr_progress_stage *st = &p->stages[stage];
	uint32_t n = st->timed < DR_PROGRESS_SAMPLES ? st->timed : DR_PROGRESS_SAMPLES;
	float sorted[DR_PROGRESS_SAMPLES];

	if (n < 3 || !st->samples)
		return 0;
	memcpy(sorted, st->samples, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare);
	return (double)sorted[n / 2];
}

/* By how much this run is slower than the last one. */
static double
slower(const struct dr_progress *p)
{
	double by = p->known_before > 0 ? p->known_now / p->known_before : 1;

	return by < 0.1 ? 0.1 : by > 10 ? 10 : by;
}

static uint32_t
left(const struct dr_progress_row *r)
{
	return r->total - r->clean - r->done - r->failed;
}

/* What a task of each row of a stage takes, if it is not known from before. A round of a merge of which none has ended is guessed from the
 * one before it: rounds grow as the last known ones did, at most by the fan-in. Rounds overlap, so the second is soon known. */
static void
guess_rows(struct dr_progress *p, uint32_t stage)
{
	const struct dr_progress_stage *st = &p->stages[stage];
	double fan_in = p->o.plan->pipeline->stages[stage].fan_in, growth = 1, before = 0;

	for (uint32_t i = st->first; i < st->first + st->n; i++) {
		struct dr_progress_row *r = &p->rows[i];

		r->remaining = 0;
		r->guess = r->timed ? r->seconds / r->timed : before * growth;
		if (r->timed && before > 0) {
			growth = r->guess / before;
			growth = growth < 1 ? 1 : growth > fan_in ? fan_in : growth;
		}
		before = r->guess;
		if (r->guess <= 0 && p->timed)
			r->guess = p->seconds / (double)p->timed;
	}
}

/* Tells each row how long its slowest running task will still take, and returns the slot-seconds that running ones have behind them. */
static double
look_at_running(struct dr_progress *p, double factor, int64_t now)
{
	double behind = 0;

	for (uint32_t i = 0; i < p->n_running; i++) {
		const struct dr_task *t = &p->o.plan->graph->tasks[p->running[i].task];
		struct dr_progress_row *r = &p->rows[dr_progress_row_of(p, p->running[i].task)];
		double all = t->last_ms ? factor * t->last_ms / 1000 : r->guess;
		double ran = dr_progress_seconds(now - p->running[i].since), rest = all - ran;

		/* One that takes longer than expected will not end this very moment. */
		if (rest < all / 10)
			rest = all / 10;
		if (rest > r->remaining)
			r->remaining = rest;
		behind += (all - rest) * p->stages[t->stage].slots;
	}
	return behind;
}

/* The longest chain of tasks left, where every task's time is known from before. */
static double
known_path(const struct dr_progress *p, double factor, int64_t now)
{
	double longest = 0;

	for (uint32_t i = 0; i < p->n_running; i++) {
		const struct dr_task *t = &p->o.plan->graph->tasks[p->running[i].task];
		double own = factor * t->last_ms / 1000, ran = dr_progress_seconds(now - p->running[i].since);
		double path = factor * (double)t->path - (ran < own ? ran : own);

		longest = path > longest ? path : longest;
	}
	return longest;
}

/* By how much tasks whose time was known took another one than expected: relative, squared, of one of them. */
static double
surprise(const struct dr_progress *p, double factor)
{
	double squares = p->now_now - 2 * factor * p->before_now + factor * factor * p->before_before;

	return p->before_before > 0 && squares > 0 ? squares / p->before_before / (factor * factor) : 0;
}

/* Slot-seconds that are expected, and by how much it may be otherwise. */
struct guess {
	double seconds, variance;
	double one; /* variance of one task */
};

/* n tasks like those `timed` ones whose squares deviate by `squares` in sum: each by itself, and all together by what their mean may be
 * wrong. */
static void
add_unknown(struct guess *g, double seconds, double n, double squares, double timed)
{
	double one = squares > 0 && timed > 1 ? squares / (timed - 1) : 0;

	g->seconds += seconds;
	g->variance += n * one + n * n * one / (timed > 0 ? timed : 1);
	g->one = one > g->one ? one : g->one;
}

/* What is left of a row. From the last time where it is known, else by what a byte takes, else by what a task takes. */
static struct guess
row_left(const struct dr_progress *p, const struct dr_progress_row *r, double factor)
{
	struct guess g = { .seconds = r->known_left * factor };
	double known = left(r) - r->unknown_left, plain = r->unknown_left, mean = r->timed ? r->seconds / r->timed : 0;
	double rate = r->sized_bytes > 0 ? r->sized_seconds / r->sized_bytes : 0, e = surprise(p, factor);

	if (known > 0 && p->n_known) {
		g.one = e * g.seconds / known * g.seconds / known;
		g.variance = known * g.one + e * g.seconds * g.seconds / p->n_known;
	}
	if (r->sized >= 3 && rate > 0 && r->sized_left) {
		double squares = r->seconds_seconds - 2 * rate * r->bytes_seconds + rate * rate * r->bytes_bytes;

		add_unknown(&g, rate * r->bytes_left, r->sized_left, squares, r->sized);
		plain -= r->sized_left;
	}
	if (plain > 0)
		add_unknown(&g, plain * r->guess, plain, r->squares - mean * r->seconds, r->timed);
	return g;
}

/* Seconds that a stage takes one round after the other; adds its slot-seconds to *work, and the variance of the seconds to *along. */
static double
stage_left(const struct dr_progress *p, const struct dr_progress_stage *st, double factor, struct guess *work,
	   double *along)
{
	double serial = 0;

	for (uint32_t i = st->first; i < st->first + st->n; i++) {
		const struct dr_progress_row *r = &p->rows[i];
		struct guess g = row_left(p, r, factor);

		work->seconds += g.seconds * st->slots;
		work->variance += g.variance * st->slots * st->slots;
		if (left(r) == r->running)
			serial += r->remaining;
		else if (left(r))
			serial += g.seconds / left(r);
		*along += left(r) ? g.one : 0;
	}
	return serial;
}

/* By Newton's method: not worth the mathematical library. */
static double
root(double x)
{
	double r = x > 1 ? x : 1;

	for (int i = 0; x > 0 && i < 100; i++) {
		double next = (r + x / r) / 2;

		if (next >= r)
			break;
		r = next;
	}
	return x > 0 ? r : 0;
}

static void
raise_tail(struct dr_progress *p, uint32_t stage, double to)
{
	if (stage != DR_NONE && p->tail[stage] < to)
		p->tail[stage] = to;
}

struct dr_progress_eta
dr_progress_estimate(struct dr_progress *p, int64_t now)
{
	struct dr_progress_eta eta = { .known = p->all_known || p->ended >= ENOUGH, .stage = DR_NONE };
	double most_work = 0, path = 0, most_path = 0, factor = slower(p), along = 0, behind, rest,
	       held = p->slots_held < 1 ? 1 : p->slots_held;
	struct guess work = { 0 };
	uint32_t work_stage = DR_NONE, path_stage = DR_NONE;

	if (!eta.known)
		return eta;
	for (uint32_t i = 0; i < p->n_order; i++)
		guess_rows(p, p->order[i]);
	behind = look_at_running(p, factor, now);
	memset(p->tail, 0, p->n_stages * sizeof(*p->tail));
	for (uint32_t i = 0; i < p->n_order; i++) {
		const struct dr_stage *s = &p->o.plan->pipeline->stages[p->order[i]];
		double before = work.seconds;
		double serial = stage_left(p, &p->stages[p->order[i]], factor, &work, &along);
		double all = serial + p->tail[p->order[i]];

		if (work.seconds - before > most_work) {
			most_work = work.seconds - before;
			work_stage = p->order[i];
		}
		if (serial > most_path) {
			most_path = serial;
			path_stage = p->order[i];
		}
		path = all > path ? all : path;
		raise_tail(p, s->each_stage, all);
		for (uint32_t k = 0; k < s->n_inputs; k++)
			for (uint32_t r = 0; r < s->inputs[k].n_refs; r++)
				raise_tail(p, s->inputs[k].refs[r].stage, all);
	}
	if (p->all_known && p->n_running)
		path = known_path(p, factor, now);
	rest = work.seconds > behind ? (work.seconds - behind) / held : 0;
	eta.path = path > rest;
	eta.seconds = eta.path ? path : rest;
	/* Twice the deviation: nineteen times of twenty, if tasks are as different as they were until now. */
	eta.error = 2 * (eta.path ? root(along) : root(work.variance) / held);
	eta.stage = eta.path ? path_stage : work_stage;
	return eta;
}

/* Appends "12m", "4h05m": no finer than a guess is. */
static void
add_left(struct dr_buf *out, double seconds)
{
	uint64_t s = seconds < 1 ? 1 : seconds > 1e9 ? 1000000000 : (uint64_t)(seconds + 0.5);

	if (s < 100)
		dr_buf_addf(out, "%" PRIu64 "s", s);
	else if (s < 5970)
		dr_buf_addf(out, "%" PRIu64 "m", (s + 30) / 60);
	else if (s < 100 * 3600)
		dr_buf_addf(out, "%" PRIu64 "h%02" PRIu64 "m", (s + 30) / 3600, (s + 30) % 3600 / 60);
	else
		dr_buf_addf(out, "%" PRIu64 " days", (s + 43200) / 86400);
}

/* How much it may be otherwise is said when that is neither next to nothing nor about all there is. */
void
dr_progress_add_eta(struct dr_buf *out, const struct dr_progress_eta *eta, bool utf8)
{
	add_left(out, eta->seconds);
	if (eta->error < 1 || eta->error < eta->seconds / 30 || eta->error > eta->seconds)
		return;
	dr_buf_adds(out, utf8 ? " ± " : " +- ");
	add_left(out, eta->error);
}
