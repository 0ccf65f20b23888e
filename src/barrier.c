#include "config.h"

#include "barrier.h"

#include "err.h"
#include "os.h"
#include "str.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MANY = 512, /* files above which one call for all of a file system is cheaper than one for each */
	DEVICES = 16,
};

/* What the thread is to do, or has done. */
struct job {
	struct dr_buf paths; /* each with its NUL, in the order of being made */
	uint32_t n;
	bool trees; /* a directory is among them */
	int failed; /* errno */
	char *where; /* the path that it failed at; NULL: the journal */
};

enum state { IDLE, WORKING, TOLD, QUIT };

struct dr_barrier {
	struct dr_barrier_options o;
	struct job next;    /* what was published since the last one began */
	struct job job;     /* the thread's, while it is WORKING */
	int64_t due;
	bool open;          /* BEGINS is written, and HOLDS is not */
	bool broken;        /* something could not be synced: nothing can be vouched for any more */
	bool ready;         /* dr_barrier_ready was called */
	bool last;          /* the one of the run's end has begun */
	bool threaded;
	pthread_t thread;
	pthread_mutex_t mutex; /* of state */
	pthread_cond_t changed;
	enum state state;
	atomic_bool cancelled;
	int pipe[2];
};

/* The thread. */

static bool
fails(struct dr_barrier *b, const char *path, enum dr_disk_sync what)
{
	/* What is not there any more was reclaimed, or is somebody else's doing. */
	if (b->o.disk->sync(b->o.disk, path, what) == 0 || errno == ENOENT || errno == ENOTDIR)
		return false;
	b->job.failed = errno;
	free(b->job.where);
	b->job.where = strdup(path);
	return true;
}

/* The directory that a path lies in, into dir; false: it is the one that is there already. */
static bool
next_dir(const char *path, struct dr_buf *dir)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? slash == path ? 1 : (size_t)(slash - path) : 0;

	if (dir->p && dir->n == n && memcmp(dir->p, path, n) == 0)
		return false;
	dr_buf_reset(dir);
	dr_buf_add(dir, path, n);
	return true;
}

/* Each file, or each directory that files lie in. Those of one directory mostly come one behind the other. */
static void
sync_each(struct dr_barrier *b, enum dr_disk_sync what)
{
	const char *end = b->job.paths.p + b->job.paths.n;
	struct dr_buf dir = { 0 };

	for (const char *p = b->job.paths.p; p < end && !b->job.failed && !b->cancelled; p += strlen(p) + 1) {
		if (what != DR_DISK_DIR)
			fails(b, p, what);
		else if (next_dir(p, &dir))
			fails(b, dr_buf_cstr(&dir), what);
		if (dir.failed)
			b->job.failed = ENOMEM;
	}
	dr_buf_free(&dir);
}

/* The file systems that the files lie on, each once. */
static void
sync_all(struct dr_barrier *b)
{
	const char *end = b->job.paths.p + b->job.paths.n;
	uint64_t devices[DEVICES], device;
	struct dr_buf dir = { 0 };
	uint32_t n = 0, i;

	for (const char *p = b->job.paths.p; p < end && !b->job.failed && !b->cancelled; p += strlen(p) + 1) {
		if (!next_dir(p, &dir) || b->o.disk->device(b->o.disk, dr_buf_cstr(&dir), &device))
			continue;
		for (i = 0; i < n && devices[i] != device; i++)
			;
		if (i < n)
			continue;
		if (n < DEVICES)
			devices[n++] = device;
		fails(b, dr_buf_cstr(&dir), DR_DISK_ALL);
	}
	if (dir.failed)
		b->job.failed = ENOMEM;
	dr_buf_free(&dir);
}

static void
work(struct dr_barrier *b)
{
	if (b->job.n > MANY || b->job.trees) {
		sync_all(b);
	} else if (b->job.n) {
		/* All on their way before the first is waited for: they then share the writes of the file system's own log. */
		sync_each(b, DR_DISK_BEGIN);
		sync_each(b, DR_DISK_FILE);
		sync_each(b, DR_DISK_DIR);
	}
	if (!b->job.failed && !b->cancelled && dr_journal_sync(b->o.journal))
		b->job.failed = errno;
}

static void *
helper(void *arg)
{
	struct dr_barrier *b = arg;

	pthread_mutex_lock(&b->mutex);
	for (;;) {
		while (b->state != WORKING && b->state != QUIT)
			pthread_cond_wait(&b->changed, &b->mutex);
		if (b->state == QUIT)
			break;
		pthread_mutex_unlock(&b->mutex);
		work(b);
		pthread_mutex_lock(&b->mutex);
		if (b->state == WORKING)
			b->state = TOLD;
		pthread_cond_broadcast(&b->changed);
		/* A full pipe has told already. */
		while (write(b->pipe[1], "", 1) < 0 && errno == EINTR)
			;
	}
	pthread_mutex_unlock(&b->mutex);
	return NULL;
}

/* The run's side. */

int
dr_barrier_new(const struct dr_barrier_options *o, struct dr_barrier **out, struct dr_err *err)
{
	struct dr_barrier *b = calloc(1, sizeof(*b));

	*out = NULL;
	if (!b)
		return dr_err_nomem(err);
	b->o = *o;
	b->due = o->began;
	b->pipe[0] = b->pipe[1] = -1;
	pthread_mutex_init(&b->mutex, NULL);
	pthread_cond_init(&b->changed, NULL);
	*out = b;
	return 0;
}

static void
job_free(struct job *j)
{
	dr_buf_free(&j->paths);
	free(j->where);
}

void
dr_barrier_free(struct dr_barrier *b)
{
	if (!b)
		return;
	if (b->threaded) {
		b->cancelled = true;
		pthread_mutex_lock(&b->mutex);
		b->state = QUIT;
		pthread_cond_broadcast(&b->changed);
		pthread_mutex_unlock(&b->mutex);
		pthread_join(b->thread, NULL);
	}
	pthread_cond_destroy(&b->changed);
	pthread_mutex_destroy(&b->mutex);
	dr_close(&b->pipe[0]);
	dr_close(&b->pipe[1]);
	job_free(&b->next);
	job_free(&b->job);
	free(b);
}

/* From now on nothing is vouched for: what a later barrier says would be about this, too. */
static void
give_up(struct dr_barrier *b, int why, const char *where)
{
	char text[512];

	b->broken = true;
	if (!b->o.warn)
		return;
	snprintf(text, sizeof(text), "cannot sync %s (%s): after a power cut, what this run makes is made again",
		 where ? where : ".dagrun/journal", strerror(why));
	b->o.warn(b->o.arg, text);
}

/* Signals are the loop's: the thread has them all blocked. */
static int
start_thread(struct dr_barrier *b)
{
	int rc;

	if (b->threaded)
		return 0;
	if (b->pipe[0] < 0) {
		if (pipe(b->pipe))
			return errno;
		for (int i = 0; i < 2; i++)
			if (fcntl(b->pipe[i], F_SETFD, FD_CLOEXEC) || fcntl(b->pipe[i], F_SETFL, O_NONBLOCK))
				return errno;
	}
	rc = dr_helper(&b->thread, helper, b);
	b->threaded = rc == 0;
	return rc;
}

void
dr_barrier_add(struct dr_barrier *b, const char *path, bool tree)
{
	if (!b || b->broken)
		return;
	dr_buf_add(&b->next.paths, path, strlen(path) + 1);
	b->next.n++;
	b->next.trees |= tree;
	if (b->next.paths.failed)
		give_up(b, ENOMEM, path);
}

static int
record(struct dr_barrier *b, enum dr_rec_phase phase)
{
	struct dr_rec_barrier rec = { .run = b->o.run, .when = dr_realtime(), .phase = phase };
	struct dr_err ignored;

	/* A journal that cannot be written is for those to tell who lose something by it. */
	return dr_journal_add_barrier(b->o.journal, &rec) || dr_journal_flush(b->o.journal, &ignored) ? -1 : 0;
}

static void
set_state(struct dr_barrier *b, enum state state)
{
	pthread_mutex_lock(&b->mutex);
	b->state = state;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->mutex);
}

/* Begins a barrier over all that was published so far; or, if that is nothing, syncs the journal. */
static void
begin(struct dr_barrier *b)
{
	struct job taken = b->job;
	int rc = start_thread(b);

	if (rc) {
		give_up(b, rc, NULL);
		return;
	}
	if (b->next.n && record(b, DR_REC_BEGINS)) {
		b->broken = true;
		return;
	}
	b->open = b->next.n > 0;
	b->job = b->next;
	b->next = taken;
	dr_buf_reset(&b->next.paths);
	b->next.n = 0;
	b->next.trees = false;
	set_state(b, WORKING);
}

/* The thread is done with what it had. */
static void
collect(struct dr_barrier *b)
{
	bool open = b->open;
	char waste[16];

	while (read(b->pipe[0], waste, sizeof(waste)) > 0)
		;
	set_state(b, IDLE);
	b->open = false;
	if (b->job.failed) {
		give_up(b, b->job.failed, b->job.where);
		return;
	}
	dr_buf_reset(&b->job.paths);
	b->job.n = 0;
	b->job.trees = false;
	if (!open)
		return;
	if (record(b, DR_REC_HOLDS))
		b->broken = true;
	else
		set_state(b, WORKING); /* the record is to reach the disk, too */
}

static enum state
state_of(struct dr_barrier *b)
{
	enum state s;

	pthread_mutex_lock(&b->mutex);
	s = b->state;
	pthread_mutex_unlock(&b->mutex);
	return s;
}

int64_t
dr_barrier_tick(struct dr_barrier *b, int64_t now)
{
	if (!b || b->broken)
		return -1;
	if (state_of(b) == TOLD)
		collect(b);
	if (!b->broken && now >= b->due && state_of(b) == IDLE) {
		if (b->next.n || !b->threaded)
			begin(b);
		b->due = now + b->o.every;
	}
	/* While it is at work, and when it has told by now, it is the thread that calls. */
	return b->broken || state_of(b) != IDLE ? -1 : b->due;
}

void
dr_barrier_ready(struct dr_barrier *b)
{
	if (!b || b->ready)
		return;
	b->ready = true;
	if (!b->threaded)
		dr_barrier_tick(b, b->due);
	dr_barrier_wait(b);
}

int
dr_barrier_fd(const struct dr_barrier *b)
{
	return b && b->threaded ? b->pipe[0] : -1;
}

bool
dr_barrier_last(struct dr_barrier *b, int64_t now)
{
	if (!b || b->broken || now - b->o.began < b->o.least)
		return false;
	if (state_of(b) == TOLD)
		collect(b);
	if (!b->broken && !b->last && state_of(b) == IDLE) {
		b->last = true;
		begin(b);
	}
	return !b->broken && state_of(b) == WORKING;
}

void
dr_barrier_wait(struct dr_barrier *b)
{
	if (!b)
		return;
	pthread_mutex_lock(&b->mutex);
	while (b->state == WORKING)
		pthread_cond_wait(&b->changed, &b->mutex);
	pthread_mutex_unlock(&b->mutex);
}
