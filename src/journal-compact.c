#include "config.h"

#include "journal.h"

#include "arena.h"
#include "err.h"
#include "journal-record.h"
#include "map.h"
#include "os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_NAME DR_JOURNAL_NAME ".new"

enum {
	RUNS_MAX = 1000, /* that are remembered: enough for anybody who asks what happened lately */
	DEAD_MIN = 1000, /* below that a new file gains nothing */
	SAMPLE_MAX = 1024,
	SAMPLE_SLOTS = 2048,
};

/* Where the live records of a task are; 0: there is none, as the header is there. */
struct live {
	struct dr_hash128 id;
	uint64_t done;
	uint64_t after; /* RECLAIM of that DONE, or the FORGET that ended it (then done is 0) */
	uint64_t fail;  /* later than both */
};

struct live_run {
	uint64_t run, began, bye;
};

struct compaction {
	struct live *lives;
	uint32_t n, cap;
	struct dr_map map;
	struct live_run runs[RUNS_MAX]; /* run i at i mod RUNS_MAX */
	uint64_t n_runs;
	uint64_t total, live; /* records */
};

static bool
live_eq(const void *ctx, uint32_t value, const void *key)
{
	const struct compaction *c = ctx;
	const struct dr_hash128 *id = key;

	return dr_hash128_eq(c->lives[value].id, *id);
}

static uint64_t
live_hash(const void *ctx, uint32_t value)
{
	const struct compaction *c = ctx;

	return c->lives[value].id.lo;
}

static const struct dr_map_ops live_ops = { live_eq, live_hash };

static struct live *
find(const struct compaction *c, struct dr_hash128 id)
{
	uint32_t i = dr_map_find(&c->map, &live_ops, c, id.lo, &id);

	return i == DR_NONE ? NULL : &c->lives[i];
}

/* NULL without memory. */
static struct live *
find_or_add(struct compaction *c, struct dr_hash128 id)
{
	struct live *l = find(c, id);

	if (l)
		return l;
	if (dr_grow(&c->lives, &c->cap, (size_t)c->n + 1, sizeof(*c->lives)))
		return NULL;
	c->lives[c->n] = (struct live){ .id = id };
	if (dr_map_add(&c->map, &live_ops, c, id.lo, c->n))
		return NULL;
	return &c->lives[c->n++];
}

/* The runs that are remembered are the last ones: from `began` of the oldest on. */
static struct live_run *
find_run(struct compaction *c, uint64_t run)
{
	uint64_t n = c->n_runs < RUNS_MAX ? c->n_runs : RUNS_MAX;

	for (uint64_t i = 1; i <= n; i++) {
		struct live_run *r = &c->runs[(c->n_runs - i) % RUNS_MAX];

		if (r->run == run)
			return r;
	}
	return NULL;
}

static uint64_t
oldest_run(const struct compaction *c)
{
	return c->n_runs > RUNS_MAX ? c->runs[c->n_runs % RUNS_MAX].began : 0;
}

static int
note(struct compaction *c, const struct dr_record *r)
{
	struct dr_hash128 id;
	struct live_run *run;
	struct live *l;

	c->total++;
	if (r->kind == DR_REC_RUN) {
		c->runs[c->n_runs++ % RUNS_MAX] = (struct live_run){ .run = r->run.run, .began = r->at };
		return 0;
	}
	if (!dr_record_id(r, &id)) {
		run = find_run(c, r->run.run);
		if (run)
			run->bye = r->at;
		return 0;
	}
	l = find_or_add(c, id);
	if (!l)
		return -1;
	if (r->kind == DR_REC_FAIL) {
		l->fail = r->at;
	} else if (r->kind == DR_REC_DONE) {
		l->done = r->at;
		l->after = l->fail = 0;
	} else if (r->kind == DR_REC_FORGET) {
		l->done = 0;
		l->after = r->at;
	} else if (l->done) {
		l->after = r->at;
	}
	return 0;
}

static bool
is_live(struct compaction *c, const struct dr_record *r)
{
	struct dr_hash128 id;
	const struct live_run *run;
	const struct live *l;

	if (dr_record_id(r, &id)) {
		l = find(c, id);
		return l && (r->at == l->done || r->at == l->after || r->at == l->fail);
	}
	if (r->at < oldest_run(c))
		return false;
	if (r->kind == DR_REC_RUN)
		return true;
	run = find_run(c, r->run.run);
	return run && r->at == run->bye;
}

static int
take_stock(struct compaction *c, int fd, struct dr_err *err)
{
	struct dr_record_stream s = { 0 };
	struct dr_record r;
	int rc = -1;

	if (dr_record_stream_open(&s, fd, sizeof(struct dr_journal_header), err))
		goto out;
	while ((rc = dr_record_next(&s, &r, NULL, err)) > 0) {
		if (note(c, &r)) {
			rc = dr_err_nomem(err);
			goto out;
		}
	}
	for (uint32_t i = 0; i < c->n; i++)
		c->live += (c->lives[i].done > 0) + (c->lives[i].after > 0) + (c->lives[i].fail > 0);
	for (uint64_t i = 0; i < RUNS_MAX && i < c->n_runs; i++)
		c->live += 1 + (c->runs[i].bye > 0);
out:
	dr_record_stream_close(&s);
	return rc;
}

static int
write_out(int to, struct dr_buf *b, struct dr_err *err)
{
	if (b->failed)
		return dr_err_nomem(err);
	if (b->n && dr_write_full(to, b->p, b->n))
		return dr_err_sys(err, errno, "write .dagrun/%s", NEW_NAME);
	dr_buf_reset(b);
	return 0;
}

/* The live records of `from`, in their order. */
static int
copy(struct compaction *c, int from, int to, struct dr_err *err)
{
	struct dr_record_stream s = { 0 };
	struct dr_journal_header h;
	struct dr_buf b = { 0 };
	struct dr_record r;
	struct dr_str raw;
	int rc = -1;

	dr_journal_make_header(&h);
	dr_buf_add(&b, &h, sizeof(h));
	if (dr_record_stream_open(&s, from, sizeof(h), err))
		goto out;
	while ((rc = dr_record_next(&s, &r, &raw, err)) > 0) {
		if (!is_live(c, &r))
			continue;
		dr_buf_addstr(&b, raw);
		if ((b.failed || b.n >= DR_JOURNAL_PIECE) && write_out(to, &b, err)) {
			rc = -1;
			goto out;
		}
	}
	if (rc == 0)
		rc = write_out(to, &b, err);
out:
	dr_record_stream_close(&s);
	dr_buf_free(&b);
	return rc;
}

/* What runs left that were killed while they made a journal. Nobody else is here to be making one. */
static void
sweep(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!d) {
		dr_close(&fd);
		return;
	}
	while ((e = readdir(d))) {
		if (strncmp(e->d_name, DR_JOURNAL_NAME ".", sizeof(DR_JOURNAL_NAME)) == 0)
			unlinkat(dir, e->d_name, 0);
	}
	closedir(d);
}

/* Until the rename the old journal is untouched, and what the rename puts in its place is on the disk
 * already. */
static int
rewrite(struct dr_journal *j, struct compaction *c, bool *done, struct dr_err *err)
{
	struct stat st;
	int fd, rc = -1;

	sweep(j->dir);
	fd = openat(j->dir, NEW_NAME, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return dr_err_sys(err, errno, "create .dagrun/%s", NEW_NAME);
	/* A directory that several people work in may have more rights than our umask gives; where it
	 * can't be, it can't. */
	if (fstat(j->fd, &st) == 0)
		(void)fchmod(fd, st.st_mode & 0777);
	if (copy(c, j->fd, fd, err))
		goto out;
	if (fsync(fd)) {
		dr_err_sys(err, errno, "sync .dagrun/%s", NEW_NAME);
		goto out;
	}
	if (renameat(j->dir, NEW_NAME, j->dir, DR_JOURNAL_NAME)) {
		dr_err_sys(err, errno, "rename .dagrun/%s", NEW_NAME);
		goto out;
	}
	dr_close(&j->fd);
	j->fd = fd;
	fd = -1;
	j->pos = sizeof(struct dr_journal_header);
	j->n_read = 0;
	memset(&j->sample, 0, sizeof(j->sample));
	*done = true;
	rc = 0;
	/* Not all file systems sync directories; without it a power cut may bring the old journal back,
	 * which is as true. */
	if (fsync(j->dir) && errno != EINVAL && errno != EBADF && errno != ENOTSUP)
		rc = dr_err_sys(err, errno, "sync .dagrun");
out:
	if (fd >= 0)
		unlinkat(j->dir, NEW_NAME, 0);
	dr_close(&fd);
	return rc;
}

/* Whether what was read rules out that it is worth it: each task has one live record at least. The
 * estimate errs by a few per cent. */
static bool
hopeless(const struct dr_journal *j)
{
	uint64_t tasks = dr_id_sample_estimate(&j->sample);

	return j->n_read && (j->n_read < DEAD_MIN || j->n_read < tasks + tasks / 4 * 3);
}

int
dr_journal_compact(struct dr_journal *j, bool always, bool *done, struct dr_err *err)
{
	struct compaction *c;
	uint64_t dead;
	int rc = -1;

	*done = false;
	if (j->refused || (!always && hopeless(j)))
		return 0;
	c = calloc(1, sizeof(*c));
	if (!c)
		return dr_err_nomem(err);
	if (take_stock(c, j->fd, err))
		goto out;
	rc = 0;
	dead = c->total - c->live;
	if (!always && (dead < DEAD_MIN || dead <= c->live))
		goto out;
	rc = rewrite(j, c, done, err);
out:
	dr_map_free(&c->map);
	free(c->lives);
	free(c);
	return rc;
}

static bool
in_sample(uint64_t key, uint32_t bits)
{
	return (key & ((UINT64_C(1) << bits) - 1)) == 0;
}

/* Keys are hashes, so any of their bits will do: the low ones choose the sample, the high ones the slot.
 * false: it is there. */
static bool
sample_put(uint64_t *slots, uint64_t key)
{
	uint32_t i = (uint32_t)(key >> 53) % SAMPLE_SLOTS;

	for (; slots[i]; i = (i + 1) % SAMPLE_SLOTS) {
		if (slots[i] == key)
			return false;
	}
	slots[i] = key;
	return true;
}

void
dr_id_sample_add(struct dr_id_sample *s, struct dr_hash128 id)
{
	uint64_t old[SAMPLE_SLOTS];

	if (!id.hi || s->bits >= 63 || !in_sample(id.hi, s->bits) || !sample_put(s->slots, id.hi))
		return;
	if (++s->n <= SAMPLE_MAX)
		return;
	memcpy(old, s->slots, sizeof(old));
	memset(s->slots, 0, sizeof(s->slots));
	s->n = 0;
	s->bits++;
	for (uint32_t i = 0; i < SAMPLE_SLOTS; i++)
		s->n += old[i] && in_sample(old[i], s->bits) && sample_put(s->slots, old[i]);
}

uint64_t
dr_id_sample_estimate(const struct dr_id_sample *s)
{
	return s->bits >= 63 ? UINT64_MAX / 4 : (uint64_t)s->n << s->bits;
}
