#include "config.h"

#include "stale-look.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "os.h"

enum {
	CHUNK = DR_LOOK_CHUNK,
	DIRS = 8, /* directories that a thread keeps open: inputs and outputs take turns */
};

/* A directory that files were looked at in: opened at the second file, as a look by path costs less than that. */
struct open_dir {
	uint32_t dir; /* of the graph */
	int fd;       /* or one of these */
};
enum { MET = -1, BY_PATH = -2, NOT_THERE = -3 };

struct looker {
	struct dr_buf path;
	struct open_dir dirs[DIRS];
	uint32_t n, next; /* filled; the one to be given up */
};

struct dr_look {
	struct dr_disk *disk;
	struct dr_graph *graph;
	const uint8_t *which;
	uint32_t n_chunks;
	_Atomic uint32_t taken; /* chunks, from the first on */
	_Atomic uint8_t *done;  /* by chunk */
	struct looker own;      /* of the caller's thread */
	pthread_t helpers[DR_LOOK_HELPERS];
	unsigned n_helpers;
	pthread_mutex_t mutex; /* for what stands below, and so that nobody sleeps through a chunk's end */
	pthread_cond_t ended;
	int why;         /* errno of the first file that could not be looked at */
	uint32_t failed; /* which that is */
};

/* What looking came to. -1 with errno. */
static int
set_look(struct dr_file *f, int rc, bool dir)
{
	if (rc) {
		/* What we may not look at is not there for us; it is told with the others. */
		if (errno != EACCES && errno != ENAMETOOLONG && errno != ELOOP)
			return -1;
		f->stamp = (struct dr_stamp){ .size = DR_ABSENT };
		f->flags |= DR_FILE_ABSENT;
		return 0;
	}
	f->flags &= ~(uint32_t)(DR_FILE_ABSENT | DR_FILE_RECLAIMED | DR_FILE_DIR);
	if (f->stamp.size == DR_ABSENT)
		f->flags |= DR_FILE_ABSENT;
	else if (dir)
		f->flags |= DR_FILE_DIR;
	return 0;
}

/* -1 with errno. */
static int
look_by_path(struct dr_disk *d, struct dr_graph *g, uint32_t file, struct dr_buf *path)
{
	struct dr_file *f = &g->files[file];
	bool dir = false;
	int rc;

	dr_buf_reset(path);
	dr_graph_path(g, file, path);
	if (path->failed) {
		errno = ENOMEM;
		return -1;
	}
	rc = dr_disk_look(d, dr_buf_cstr(path), f->flags & DR_FILE_TREE, &f->stamp, &dir);
	return set_look(f, rc, dir);
}

int
dr_look_at(struct dr_disk *d, struct dr_graph *g, uint32_t file, struct dr_buf *path, struct dr_err *err)
{
	if (look_by_path(d, g, file, path) == 0)
		return 0;
	return errno == ENOMEM ? dr_err_nomem(err) : dr_err_sys(err, errno, "look at %s", dr_buf_cstr(path));
}

/* The directory of a file, as far as it is known: NULL at the first meeting. */
static const struct open_dir *
known_dir(struct dr_disk *d, struct dr_graph *g, struct looker *k, uint32_t dir)
{
	struct open_dir *o = NULL;

	for (uint32_t i = 0; i < k->n && !o; i++)
		if (k->dirs[i].dir == dir)
			o = &k->dirs[i];
	if (!o) {
		bool full = k->n == DIRS;

		o = &k->dirs[full ? k->next++ % DIRS : k->n++];
		if (full && o->fd >= 0)
			dr_close(&o->fd);
		*o = (struct open_dir){ dir, MET };
		return NULL;
	}
	if (o->fd == MET) {
		o->fd = d->open_dir(d, dr_graph_dir(g, dir).p);
		if (o->fd < 0)
			o->fd = errno == ENOENT || errno == ENOTDIR ? NOT_THERE : BY_PATH;
	}
	return o;
}

/* -1 with errno. */
static int
look(struct dr_disk *d, struct dr_graph *g, struct looker *k, uint32_t file)
{
	struct dr_file *f = &g->files[file];
	const struct open_dir *o = NULL;
	bool dir = false;
	int rc;

	if (d->open_dir && !(f->flags & DR_FILE_TREE) && dr_graph_dir(g, f->dir).n)
		o = known_dir(d, g, k, f->dir);
	if (!o || o->fd == BY_PATH)
		return look_by_path(d, g, file, &k->path);
	/* A million outputs that are yet to be made are not looked for one by one in a directory that is not there. */
	if (o->fd == NOT_THERE) {
		f->stamp = (struct dr_stamp){ .size = DR_ABSENT };
		return set_look(f, 0, false);
	}
	rc = d->stat_in(d, o->fd, dr_graph_name(g, file).p, &f->stamp, &dir);
	return set_look(f, rc, dir);
}

static void
look_at_chunk(struct dr_look *l, struct looker *k, uint32_t chunk)
{
	uint32_t from = chunk * CHUNK, end = from + CHUNK;

	if (end > l->graph->n_files)
		end = l->graph->n_files;
	for (uint32_t f = from; f < end; f++) {
		if (!(l->which[f / 8] >> f % 8 & 1) || look(l->disk, l->graph, k, f) == 0)
			continue;
		pthread_mutex_lock(&l->mutex);
		if (!l->why) {
			l->why = errno;
			l->failed = f;
		}
		pthread_mutex_unlock(&l->mutex);
	}
	pthread_mutex_lock(&l->mutex);
	atomic_store_explicit(&l->done[chunk], 1, memory_order_release);
	pthread_cond_signal(&l->ended);
	pthread_mutex_unlock(&l->mutex);
}

/* The next chunk that nobody has. false: there is none. */
static bool
one_more(struct dr_look *l, struct looker *k)
{
	uint32_t chunk = atomic_load_explicit(&l->taken, memory_order_relaxed);

	if (chunk < l->n_chunks)
		chunk = atomic_fetch_add_explicit(&l->taken, 1, memory_order_relaxed);
	if (chunk >= l->n_chunks)
		return false;
	look_at_chunk(l, k, chunk);
	return true;
}

static void
free_looker(struct looker *k)
{
	for (uint32_t i = 0; i < k->n; i++)
		if (k->dirs[i].fd >= 0)
			dr_close(&k->dirs[i].fd);
	dr_buf_free(&k->path);
}

static void *
help(void *arg)
{
	struct looker k = { .n = 0 };

	while (one_more(arg, &k))
		;
	free_looker(&k);
	return NULL;
}

unsigned
dr_look_helpers(const struct dr_disk *d, uint32_t chunks, pthread_t helpers[DR_LOOK_HELPERS], void *(*fn)(void *), void *arg)
{
	unsigned most = d->threads ? d->threads - 1 : 0, n = 0;

	if (most > DR_LOOK_HELPERS)
		most = DR_LOOK_HELPERS;
	if (most > chunks / DR_LOOK_CHUNKS_EACH)
		most = chunks / DR_LOOK_CHUNKS_EACH;
	while (n < most && dr_helper(&helpers[n], fn, arg) == 0)
		n++;
	return n;
}

struct dr_look *
dr_look_begin(struct dr_disk *d, struct dr_graph *g, const uint8_t *which, struct dr_err *err)
{
	struct dr_look *l = calloc(1, sizeof(*l));

	if (!l)
		goto nomem;
	l->disk = d;
	l->graph = g;
	l->which = which;
	l->n_chunks = g->n_files / CHUNK + (g->n_files % CHUNK != 0);
	l->done = calloc((size_t)l->n_chunks + 1, sizeof(*l->done));
	if (!l->done)
		goto nomem;
	pthread_mutex_init(&l->mutex, NULL);
	pthread_cond_init(&l->ended, NULL);
	l->n_helpers = dr_look_helpers(d, l->n_chunks, l->helpers, help, l);
	return l;
nomem:
	free(l);
	dr_err_nomem(err);
	return NULL;
}

void
dr_look_need(struct dr_look *l, uint32_t file)
{
	_Atomic uint8_t *done = &l->done[file / CHUNK];

	while (!atomic_load_explicit(done, memory_order_acquire)) {
		if (one_more(l, &l->own))
			continue;
		pthread_mutex_lock(&l->mutex);
		while (!atomic_load_explicit(done, memory_order_acquire))
			pthread_cond_wait(&l->ended, &l->mutex);
		pthread_mutex_unlock(&l->mutex);
	}
}

int
dr_look_end(struct dr_look *l, struct dr_err *err)
{
	int rc = 0;

	while (one_more(l, &l->own))
		;
	while (l->n_helpers)
		pthread_join(l->helpers[--l->n_helpers], NULL);
	if (l->why == ENOMEM) {
		rc = dr_err_nomem(err);
	} else if (l->why) {
		dr_buf_reset(&l->own.path);
		dr_graph_path(l->graph, l->failed, &l->own.path);
		rc = dr_err_sys(err, l->why, "look at %s", dr_buf_cstr(&l->own.path));
	}
	free_looker(&l->own);
	pthread_mutex_destroy(&l->mutex);
	pthread_cond_destroy(&l->ended);
	free(l->done);
	free(l);
	return rc;
}
