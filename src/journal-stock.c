#include "config.h"

#include "journal-stock.h"

#include "arena.h"
#include "err.h"
#include "journal-record.h"

#include <stdlib.h>

/* That are remembered although nothing of theirs is live: enough for anybody who asks what happened lately. */
enum { RUNS_MAX = 1000 };

static bool
live_eq(const void *ctx, uint32_t value, const void *key)
{
	const struct dr_stock *s = ctx;
	const struct dr_hash128 *id = key;

	return dr_hash128_eq(s->lives[value].id, *id);
}

static uint64_t
live_hash(const void *ctx, uint32_t value)
{
	const struct dr_stock *s = ctx;

	return s->lives[value].id.lo;
}

static const struct dr_map_ops live_ops = { live_eq, live_hash };

static bool
run_eq(const void *ctx, uint32_t value, const void *key)
{
	const struct dr_stock *s = ctx;

	return s->runs[value].run == *(const uint64_t *)key;
}

static uint64_t
run_hash(const void *ctx, uint32_t value)
{
	const struct dr_stock *s = ctx;

	return s->runs[value].run; /* random already */
}

static const struct dr_map_ops run_ops = { run_eq, run_hash };

static struct dr_live *
find(const struct dr_stock *s, struct dr_hash128 id)
{
	uint32_t i = dr_map_find(&s->map, &live_ops, s, id.lo, &id);

	return i == DR_NONE ? NULL : &s->lives[i];
}

/* NULL without memory. */
static struct dr_live *
find_or_add(struct dr_stock *s, struct dr_hash128 id)
{
	struct dr_live *l = find(s, id);

	if (l)
		return l;
	if (dr_grow(&s->lives, &s->cap, (size_t)s->n + 1, sizeof(*s->lives)))
		return NULL;
	s->lives[s->n] = (struct dr_live){ .id = id, .done_run = DR_NONE, .fail_run = DR_NONE };
	if (dr_map_add(&s->map, &live_ops, s, id.lo, s->n))
		return NULL;
	return &s->lives[s->n++];
}

static uint32_t
find_run(const struct dr_stock *s, uint64_t run)
{
	/* Most records are about the run that began last. */
	if (s->n_runs && s->runs[s->n_runs - 1].run == run)
		return s->n_runs - 1;
	return dr_map_find(&s->run_map, &run_ops, s, run, &run);
}

static int
note_run(struct dr_stock *s, const struct dr_record *r)
{
	uint32_t i = find_run(s, r->run.run);

	if (r->kind == DR_REC_BYE) {
		if (i != DR_NONE)
			s->runs[i].bye = r->at;
		return 0;
	}
	if (i != DR_NONE) /* said once more */
		return 0;
	if (dr_grow(&s->runs, &s->cap_runs, (size_t)s->n_runs + 1, sizeof(*s->runs)))
		return -1;
	s->runs[s->n_runs] = (struct dr_live_run){ .run = r->run.run, .began = r->at };
	if (dr_map_add(&s->run_map, &run_ops, s, r->run.run, s->n_runs))
		return -1;
	s->n_runs++;
	return 0;
}

static void
note_barrier(struct dr_stock *s, const struct dr_record *r)
{
	uint32_t i = find_run(s, r->barrier.run);
	struct dr_live_run *run = i == DR_NONE ? NULL : &s->runs[i];
	struct dr_live *l;

	switch ((enum dr_rec_phase)r->barrier.phase) {
	case DR_REC_BEGINS:
		if (run)
			run->open = r->at;
		break;
	case DR_REC_HOLDS:
		if (run && run->open) {
			run->begins = run->open;
			run->holds = r->at;
		}
		break;
	case DR_REC_ALWAYS:
		if (run && !run->always)
			run->always = r->at;
		break;
	case DR_REC_READ:
		l = find(s, r->barrier.id);
		if (l && l->done)
			l->read = r->at;
		break;
	case DR_REC_SETTLED:
		l = find(s, r->barrier.id);
		if (l && l->done)
			l->settled = r->at;
		break;
	}
}

static int
note_task(struct dr_stock *s, const struct dr_record *r, struct dr_hash128 id)
{
	struct dr_live *l = find_or_add(s, id);

	if (!l)
		return -1;
	if (r->kind == DR_REC_FAIL) {
		l->fail = r->at;
		l->fail_run = find_run(s, r->task.run);
	} else if (r->kind == DR_REC_DONE) {
		l->done = r->at;
		l->done_run = find_run(s, r->task.run);
		l->after = l->read = l->settled = l->fail = 0;
	} else if (r->kind == DR_REC_TREE) {
		l->done = r->at;
		l->weight = dr_record_weight(r);
		s->total += l->weight;
	} else if (r->kind == DR_REC_FORGET) {
		l->done = l->read = l->settled = 0;
		l->after = r->at;
	} else if (l->done) {
		l->after = r->at;
	}
	return 0;
}

static int
note(struct dr_stock *s, const struct dr_record *r)
{
	struct dr_hash128 id;

	s->total++;
	if (r->kind == DR_REC_RUN || r->kind == DR_REC_BYE)
		return note_run(s, r);
	if (r->kind == DR_REC_BARRIER) {
		note_barrier(s, r);
		return 0;
	}
	return dr_record_id(r, &id) ? note_task(s, r, id) : 0;
}

static bool
is_kept(const struct dr_stock *s, uint32_t run)
{
	return s->runs[run].named || s->n_runs - run <= RUNS_MAX;
}

static void
count(struct dr_stock *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		const struct dr_live *l = &s->lives[i];

		s->live += (l->done > 0) + (l->after > 0) + (l->read > 0) + (l->settled > 0) + (l->fail > 0) + l->weight;
		if (l->done && l->done_run != DR_NONE)
			s->runs[l->done_run].named = true;
		if (l->fail && l->fail_run != DR_NONE)
			s->runs[l->fail_run].named = true;
	}
	for (uint32_t i = 0; i < s->n_runs; i++) {
		const struct dr_live_run *r = &s->runs[i];

		if (is_kept(s, i))
			s->live += 1 + (r->bye > 0) + (r->holds ? 2 : 0) + (r->always > 0);
	}
}

int
dr_stock_take(struct dr_stock *s, int fd, struct dr_err *err)
{
	struct dr_record_stream stream = { 0 };
	struct dr_record r;
	int rc = -1;

	if (dr_record_stream_open(&stream, fd, sizeof(struct dr_journal_header), err))
		goto out;
	while ((rc = dr_record_next(&stream, &r, NULL, err)) > 0) {
		if (note(s, &r)) {
			rc = dr_err_nomem(err);
			goto out;
		}
	}
	if (rc == 0)
		count(s);
out:
	dr_record_stream_close(&stream);
	return rc;
}

void
dr_stock_free(struct dr_stock *s)
{
	dr_map_free(&s->map);
	dr_map_free(&s->run_map);
	free(s->lives);
	free(s->runs);
}

bool
dr_stock_is_live(const struct dr_stock *s, const struct dr_record *r)
{
	const struct dr_live_run *run;
	struct dr_hash128 id;
	uint32_t i;

	if (dr_record_id(r, &id)) {
		const struct dr_live *l = find(s, id);

		return l && (r->at == l->done || r->at == l->after || r->at == l->read || r->at == l->settled || r->at == l->fail);
	}
	i = find_run(s, r->kind == DR_REC_BARRIER ? r->barrier.run : r->run.run);
	if (i == DR_NONE || !is_kept(s, i))
		return false;
	run = &s->runs[i];
	return r->at == run->began || r->at == run->bye || (run->holds && (r->at == run->begins || r->at == run->holds)) ||
	       r->at == run->always;
}

bool
dr_stock_names(const struct dr_stock *s, uint64_t run)
{
	uint32_t i = find_run(s, run);

	return i != DR_NONE && s->runs[i].named;
}
