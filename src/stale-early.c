#include "config.h"

#include "stale-early.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"
#include "stale-look.h"

enum {
	CHUNK = DR_LOOK_CHUNK,
	LEAST = CHUNK * DR_LOOK_CHUNKS_EACH, /* rows that make a generator worth its place in the table */
};

/* The rows of one generator. */
struct part {
	const struct dr_items *items;
	uint32_t n, chunk;      /* rows; the number of its first chunk: parts stand one behind the other */
	struct dr_stamp *stamps; /* by row: DR_UNKNOWN where the look has come to nothing */
};

struct dr_early {
	struct dr_disk *disk;
	struct part *parts;
	uint32_t n_parts, n_chunks;
	uint32_t *part; /* by the pipeline's args: its number, or DR_NONE */
	_Atomic uint32_t taken; /* chunks, from the first on: all of them are done once the helpers have ended */
	pthread_t helpers[DR_LOOK_HELPERS];
	unsigned n_helpers;
};

/* What a thread looks with. */
struct looker {
	struct dr_buf path, dir; /* the file's; the directory that fd is of, or that has been met */
	int fd;                  /* or one of these */
};
enum { MET = -1, BY_PATH = -2 };

/* A directory is opened at the second file that is met in it, as that costs more than a look by path. */
static int
directory(struct dr_disk *d, struct looker *k, size_t n)
{
	if (k->dir.n == n && !memcmp(k->dir.p, k->path.p, n)) {
		if (k->fd == MET && (k->fd = d->open_dir(d, dr_buf_cstr(&k->dir))) < 0)
			k->fd = BY_PATH;
		return k->fd;
	}
	if (k->fd >= 0)
		dr_close(&k->fd);
	dr_buf_reset(&k->dir);
	dr_buf_add(&k->dir, k->path.p, n);
	k->fd = k->dir.failed ? BY_PATH : MET;
	return BY_PATH;
}

static void
look(struct dr_disk *d, struct looker *k, const struct dr_items *it, uint32_t row, struct dr_stamp *st)
{
	size_t dir;
	bool is_dir = false;
	int fd = BY_PATH, rc;

	st->size = DR_UNKNOWN;
	dr_buf_reset(&k->path);
	dr_items_value(it, row, &k->path);
	if (k->path.failed)
		return;
	for (dir = k->path.n; dir && k->path.p[dir - 1] != '/'; dir--)
		;
	if (d->open_dir && dir)
		fd = directory(d, k, dir);
	rc = fd < 0 ? d->stat(d, dr_buf_cstr(&k->path), st, &is_dir) : d->stat_in(d, fd, k->path.p + dir, st, &is_dir);
	if (rc || is_dir || st->size < 0)
		st->size = DR_UNKNOWN;
}

static void *
help(void *arg)
{
	struct dr_early *e = arg;
	const struct part *p = e->parts;
	struct looker k = { .fd = MET };
	uint32_t chunk;

	while ((chunk = atomic_fetch_add_explicit(&e->taken, 1, memory_order_relaxed)) < e->n_chunks) {
		uint32_t from, end;

		while (p + 1 < e->parts + e->n_parts && chunk >= p[1].chunk)
			p++;
		from = (chunk - p->chunk) * CHUNK;
		end = p->n - from < CHUNK ? p->n : from + CHUNK;
		for (uint32_t row = from; row < end; row++)
			look(e->disk, &k, p->items, row, &p->stamps[row]);
	}
	if (k.fd >= 0)
		dr_close(&k.fd);
	dr_buf_free(&k.path);
	dr_buf_free(&k.dir);
	return NULL;
}

/* The rows of what a map is over, once for all the maps that are. 0; -1: no memory. */
static int
add_part(struct dr_early *e, const struct dr_plan *pl, const struct dr_stage *st)
{
	const struct dr_items *it = pl->items[st->each_args];
	uint32_t n = dr_items_values(it);
	struct part *p = &e->parts[e->n_parts];

	if (e->part[st->each_args] != DR_NONE || !dr_items_files(it) || n < LEAST)
		return 0;
	*p = (struct part){ .items = it, .n = n, .chunk = e->n_chunks, .stamps = calloc(n, sizeof(*p->stamps)) };
	if (!p->stamps)
		return -1;
	e->part[st->each_args] = e->n_parts++;
	e->n_chunks += n / CHUNK + (n % CHUNK != 0);
	return 0;
}

struct dr_early *
dr_early_begin(struct dr_disk *d, const struct dr_plan *pl)
{
	const struct dr_pipeline *p = pl->pipeline;
	struct dr_early *e = d->threads > 1 ? calloc(1, sizeof(*e)) : NULL;

	if (!e)
		return NULL;
	e->disk = d;
	e->parts = calloc((size_t)p->n_args + 1, sizeof(*e->parts));
	e->part = malloc(((size_t)p->n_args + 1) * sizeof(*e->part));
	if (!e->parts || !e->part)
		goto none;
	memset(e->part, 0xff, p->n_args * sizeof(*e->part));
	for (uint32_t s = 0; s < p->n_stages; s++) {
		const struct dr_stage *st = &p->stages[s];

		if (pl->stages[s].planned && st->kind == DR_STAGE_MAP && st->each_args != DR_NONE && add_part(e, pl, st))
			goto none;
	}
	if (e->n_parts)
		e->n_helpers = dr_look_helpers(d, e->n_chunks, e->helpers, help, e);
	if (e->n_helpers)
		return e;
none:
	dr_early_free(e);
	return NULL;
}

/* No chunk is given out any more, and those that were are done. How many these are. */
static uint32_t
stop(struct dr_early *e)
{
	uint32_t done = atomic_exchange_explicit(&e->taken, e->n_chunks, memory_order_relaxed);

	while (e->n_helpers)
		pthread_join(e->helpers[--e->n_helpers], NULL);
	return done;
}

static void
free_parts(struct dr_early *e)
{
	while (e->n_parts)
		free(e->parts[--e->n_parts].stamps);
}

static void
take_row(const struct part *p, uint32_t done, uint32_t row, struct dr_graph *g, uint32_t file, uint8_t *which)
{
	struct dr_file *f = &g->files[file];

	if (p->chunk + row / CHUNK >= done || !(which[file / 8] >> file % 8 & 1) || p->stamps[row].size == DR_UNKNOWN ||
	    f->producer != DR_NONE || (f->flags & DR_FILE_TREE))
		return;
	f->stamp = p->stamps[row];
	f->flags &= ~(uint32_t)(DR_FILE_ABSENT | DR_FILE_RECLAIMED | DR_FILE_DIR);
	which[file / 8] &= (uint8_t)~(1u << file % 8);
}

void
dr_early_take(struct dr_early *e, const struct dr_plan *pl, uint8_t *which)
{
	uint32_t done = stop(e);

	for (uint32_t s = 0; s < pl->pipeline->n_stages; s++) {
		const struct dr_stage *st = &pl->pipeline->stages[s];
		const struct dr_plan_stage *ps = &pl->stages[s];
		const struct part *p;

		if (!ps->planned || st->kind != DR_STAGE_MAP || st->each_args == DR_NONE || e->part[st->each_args] == DR_NONE)
			continue;
		p = &e->parts[e->part[st->each_args]];
		for (uint32_t r = 0; r < ps->n; r++) {
			uint32_t first, n = dr_items_row_values(p->items, r, &first);
			const uint32_t *in = dr_graph_inputs(pl->graph, ps->first + r);

			for (uint32_t k = 0; k < n; k++)
				take_row(p, done, first + k, pl->graph, in[k], which);
		}
	}
	free_parts(e);
}

void
dr_early_free(struct dr_early *e)
{
	if (!e)
		return;
	stop(e);
	free_parts(e);
	free(e->parts);
	free(e->part);
	free(e);
}
