#include "config.h"

#include "ledger.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "arena.h"
#include "err.h"
#include "ledger-format.h"
#include "os.h"

enum {
	LENGTH_MAX = 64 << 20,
	TRIES = 20,          /* to read between two writes, */
	STEP_NS = 1000000,   /* with this pause between them */
};

static bool
is_name(const char *name, uint64_t *run)
{
	uint64_t n = 0;

	for (size_t i = 0; i < DR_LEDGER_NAME - 1; i++) {
		const char *digits = "0123456789abcdef", *d = name[i] ? strchr(digits, name[i]) : NULL;

		if (!d)
			return false;
		n = n << 4 | (uint64_t)(d - digits);
	}
	*run = n;
	return !name[DR_LEDGER_NAME - 1];
}

void
dr_ledger_each(int state_dir, void (*fn)(void *arg, int dir, const char *name, uint64_t run), void *arg)
{
	int fd = openat(state_dir, DR_LEDGER_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	uint64_t run;

	if (!d) {
		dr_close(&fd);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (is_name(e->d_name, &run))
			fn(arg, dirfd(d), e->d_name, run);
	closedir(d);
}

struct cursor {
	const char *p;
	size_t n;
};

static bool
take(struct cursor *c, void *to, size_t n)
{
	if (n > c->n)
		return false;
	memcpy(to, c->p, n);
	c->p += n;
	c->n -= n;
	return true;
}

static bool
take_str(struct cursor *c, size_t n, struct dr_str *s)
{
	if (n > c->n)
		return false;
	*s = (struct dr_str){ c->p, n };
	c->p += n;
	c->n -= n;
	return true;
}

/* What the checksum has vouched for may still be another program's. false: it is none of ours. */
static bool
parse(struct dr_ledger_image *m)
{
	struct cursor c = { m->text.p + sizeof(struct dr_ledger_head), m->text.n - sizeof(struct dr_ledger_head) };

	if (!take(&c, &m->f, sizeof(m->f)) || m->f.n_stages > c.n / sizeof(struct dr_ledger_stage_head) ||
	    m->f.n_tasks > c.n / sizeof(struct dr_ledger_task_head))
		return false;
	m->stages = calloc((size_t)m->f.n_stages + 1, sizeof(*m->stages));
	m->tasks = calloc((size_t)m->f.n_tasks + 1, sizeof(*m->tasks));
	if (!m->stages || !m->tasks)
		return false;
	for (uint32_t i = 0; i < m->f.n_stages; i++) {
		struct dr_ledger_stage *s = &m->stages[i];
		struct dr_ledger_stage_head h;

		if (!take(&c, &h, sizeof(h)) || !take_str(&c, h.name_len, &s->name))
			return false;
		*s = (struct dr_ledger_stage){ h.wanted, h.clean, h.done, h.failed, h.running, s->name };
	}
	for (uint32_t i = 0; i < m->f.n_tasks; i++) {
		struct dr_ledger_task *t = &m->tasks[i];
		struct dr_ledger_task_head h;

		if (!take(&c, &h, sizeof(h)) || !take_str(&c, h.name_len, &t->name) || h.stage >= m->f.n_stages)
			return false;
		*t = (struct dr_ledger_task){ h.id, h.since, h.stage, h.slot, h.attempt, h.pid, t->name };
	}
	return true;
}

/* 1: the file is whole, and in m->text; 0: it is not, maybe since it is being written; -1: it is no ledger. */
static int
read_once(int fd, struct dr_ledger_image *m)
{
	static const char magic[sizeof(((struct dr_ledger_head *)0)->magic)] = DR_LEDGER_MAGIC;
	struct dr_ledger_head h;
	char *p;

	if (dr_pread_full(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h))
		return 0;
	if (memcmp(h.magic, magic, sizeof(magic)) != 0 || h.version != DR_LEDGER_VERSION ||
	    h.order != DR_LEDGER_ORDER || h.length > LENGTH_MAX)
		return -1;
	dr_buf_reset(&m->text);
	dr_buf_add(&m->text, &h, sizeof(h));
	p = dr_buf_room(&m->text, (size_t)h.length);
	if (!p)
		return -1;
	if (dr_pread_full(fd, p, (size_t)h.length, sizeof(h)) != (ssize_t)h.length ||
	    dr_hash64(p, (size_t)h.length) != h.checksum)
		return 0;
	m->text.n += (size_t)h.length;
	return 1;
}

static void
free_image(struct dr_ledger_image *m)
{
	free(m->stages);
	free(m->tasks);
	dr_buf_free(&m->text);
}

struct reading {
	struct dr_ledger_image *images;
	uint32_t n, cap;
	bool nomem;
};

static void
read_one(void *arg, int dir, const char *name, uint64_t run)
{
	struct reading *r = arg;
	struct dr_ledger_image m = { .f = { 0 } };
	struct timespec step = { .tv_nsec = STEP_NS };
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc = 0;

	for (int i = 0; fd >= 0 && i < TRIES && (rc = read_once(fd, &m)) == 0; i++)
		nanosleep(&step, NULL);
	dr_close(&fd);
	if (rc <= 0 || !parse(&m) || m.f.run != run) {
		free_image(&m);
		return;
	}
	if (dr_grow(&r->images, &r->cap, (size_t)r->n + 1, sizeof(*r->images))) {
		r->nomem = true;
		free_image(&m);
		return;
	}
	r->images[r->n++] = m;
}

static int
by_beginning(const void *a, const void *b)
{
	const struct dr_ledger_image *x = a, *y = b;

	if (x->f.began != y->f.began)
		return x->f.began < y->f.began ? -1 : 1;
	return x->f.run < y->f.run ? -1 : x->f.run > y->f.run;
}

int
dr_ledger_read(int state_dir, struct dr_ledger_image **images, uint32_t *n, struct dr_err *err)
{
	struct reading r = { 0 };

	dr_ledger_each(state_dir, read_one, &r);
	*images = r.images;
	*n = r.n;
	if (r.nomem) {
		dr_ledger_free_images(r.images, r.n);
		*images = NULL;
		*n = 0;
		return dr_err_nomem(err);
	}
	if (r.n)
		qsort(r.images, r.n, sizeof(*r.images), by_beginning);
	return 0;
}

void
dr_ledger_free_images(struct dr_ledger_image *images, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		free_image(&images[i]);
	free(images);
}
