#include "config.h"

#include "lock.h"

#include "arena.h"
#include "err.h"
#include "map.h"
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define USE_MASK ((UINT64_C(1) << 30) - 1)
#define SELF_BASE ((INT64_C(1) << 30) + 1)
#define SELF_MASK ((UINT64_C(1) << 29) - 1)
#define RUN_BASE (INT64_C(1) << 31)
#define TASK_BASE (INT64_C(1) << 32)
#define TASK_MASK ((UINT64_C(1) << 62) - 1)

/* Between two tries for the state's byte: a compaction takes some tenths of a second. And between two looks whether a guardian has finished. */
enum { STEP_NS = 10000000, GUARDIAN_STEP_NS = 2000000 };

/* A task's byte (less TASK_BASE) and how often we hold it. */
struct claim {
	uint64_t byte;
	uint32_t count;
};

struct dr_lock {
	int fd;
	int self;   /* a description that nobody inherits, with a byte that says that this very process lives. -1: none */
	bool alone; /* the file system knows no locks */
	uint64_t run;
	/* A claim that was released keeps its place with a count of 0 until the array is full. */
	struct claim *claims;
	uint32_t n_claims, cap_claims, held;
	struct dr_map map;
};

static bool
claim_eq(const void *ctx, uint32_t value, const void *key)
{
	const struct dr_lock *l = ctx;

	return l->claims[value].byte == *(const uint64_t *)key;
}

static uint64_t
claim_hash(const void *ctx, uint32_t value)
{
	const struct dr_lock *l = ctx;

	return l->claims[value].byte; /* a piece of a hash already */
}

static const struct dr_map_ops claim_ops = { .eq = claim_eq, .hash = claim_hash };

static uint64_t
task_byte(struct dr_hash128 id)
{
	return id.lo & TASK_MASK;
}

static int64_t
run_byte(uint64_t run)
{
	return RUN_BASE + (int64_t)(run & (uint64_t)(RUN_BASE - 1));
}

static int64_t
self_byte(uint64_t run)
{
	return SELF_BASE + (int64_t)(run & SELF_MASK);
}

static int64_t
use_byte(uint64_t key)
{
	return 1 + (int64_t)(key & USE_MASK);
}

/* One byte, never waiting. type is F_RDLCK, F_WRLCK or F_UNLCK. 0, or -1 with errno: EAGAIN when somebody else
 * has it. */
static int
set_byte(int fd, short type, int64_t byte)
{
#ifdef F_OFD_SETLK
	struct flock fl = { .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1 };
	int rc;

	do {
		rc = fcntl(fd, F_OFD_SETLK, &fl);
	} while (rc && errno == EINTR);
	if (rc && errno == EACCES)
		errno = EAGAIN;
	return rc;
#else
	/* Locks of a process would be lost with the first close of any descriptor of the file, and would not pass
	 * to whoever inherits it: worse than none. */
	(void)fd;
	(void)type;
	(void)byte;
	errno = EINVAL;
	return -1;
#endif
}

/* Does another description hold a lock on the byte? Ours are not seen. */
static bool
held_by_other(const struct dr_lock *l, int64_t byte)
{
#ifdef F_OFD_GETLK
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1 };
	int rc;

	if (l->alone)
		return false;
	do {
		rc = fcntl(l->fd, F_OFD_GETLK, &fl);
	} while (rc && errno == EINTR);
	/* Who asks wants to remove what nobody uses: if in doubt, somebody does. */
	return rc || fl.l_type != F_UNLCK;
#else
	(void)l;
	(void)byte;
	return false;
#endif
}

/* Does errno say that locks are not to be had on this file system at all? */
static bool
refused(int e)
{
	return e == ENOLCK || e == EOPNOTSUPP || e == ENOTSUP || e == EINVAL || e == ENOSYS;
}

/* A step, or what is left of the time; false: nothing is left. */
static bool
pause_until(int64_t deadline, int64_t step)
{
	int64_t left = deadline - dr_now();
	struct timespec t = { .tv_nsec = (long)(left < step ? left : step) };

	if (left <= 0)
		return false;
	nanosleep(&t, NULL);
	return true;
}

/* Takes a byte, shared: 0, or -1 with errno. Tries in steps: F_OFD_SETLKW has no limit of time, and an alarm
 * would need a signal that is not ours. */
static int
share(int fd, int64_t byte, int64_t wait)
{
	const int64_t deadline = dr_now() + (wait > 0 ? wait : 0);

	while (set_byte(fd, F_RDLCK, byte)) {
		if (errno != EAGAIN)
			return -1;
		if (!pause_until(deadline, STEP_NS)) {
			errno = EAGAIN;
			return -1;
		}
	}
	return 0;
}

int
dr_lock_open(int state_dir, uint64_t run, int64_t wait, struct dr_lock **out, bool *alone, struct dr_err *err)
{
	struct dr_lock *l = calloc(1, sizeof(*l));

	*out = NULL;
	*alone = false;
	if (!l)
		return dr_err_nomem(err);
	l->run = run;
	l->fd = openat(state_dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
	l->self = l->fd < 0 ? -1 : openat(state_dir, "lock", O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (l->fd < 0 || l->self < 0) {
		dr_err_sys(err, errno, "open .dagrun/lock");
		goto fail;
	}
	if (share(l->fd, 0, wait)) {
		if (errno == EAGAIN) {
			dr_err_set(err, DR_STATE,
				   "another dagrun has kept .dagrun/lock to itself for %.1f s; it may be "
				   "tidying its journal: try again",
				   (double)wait / 1e9);
			goto fail;
		}
		if (!refused(errno)) {
			dr_err_sys(err, errno, "lock .dagrun/lock");
			goto fail;
		}
		l->alone = true;
	}
	/* Shared, as two runs may have numbers with the same byte: then each lives as long as either does. */
	if (!l->alone && (set_byte(l->self, F_RDLCK, self_byte(run)) || set_byte(l->fd, F_RDLCK, run_byte(run)))) {
		dr_err_sys(err, errno, "lock .dagrun/lock");
		goto fail;
	}
	*alone = l->alone;
	*out = l;
	return 0;
fail:
	dr_lock_close(l);
	return -1;
}

int
dr_lock_look(int state_dir, struct dr_lock **out, struct dr_err *err)
{
	struct dr_lock *l;
	int fd = openat(state_dir, "lock", O_RDONLY | O_CLOEXEC | O_NOCTTY);

	*out = NULL;
	if (fd < 0)
		return errno == ENOENT ? 0 : dr_err_sys(err, errno, "open .dagrun/lock");
	l = calloc(1, sizeof(*l));
	if (!l) {
		dr_close(&fd);
		return dr_err_nomem(err);
	}
	l->fd = fd;
	l->self = -1;
	*out = l;
	return 0;
}

void
dr_lock_close(struct dr_lock *l)
{
	if (!l)
		return;
	/* Unlocks nothing: others may have inherited the description, and their claims with it. */
	dr_close(&l->fd);
	/* After it: a run that is seen without this byte has died. */
	dr_close(&l->self);
	dr_map_free(&l->map);
	free(l->claims);
	free(l);
}

int
dr_lock_fd(const struct dr_lock *l)
{
	return l->fd;
}

bool
dr_lock_alive(struct dr_lock *l, uint64_t run)
{
	return run == l->run || held_by_other(l, run_byte(run));
}

bool
dr_lock_attended(struct dr_lock *l, uint64_t run)
{
	return run == l->run || (held_by_other(l, run_byte(run)) && held_by_other(l, self_byte(run)));
}

bool
dr_lock_await_guardian(struct dr_lock *l, uint64_t run, int64_t wait)
{
	const int64_t deadline = dr_now() + wait;

	while (dr_lock_alive(l, run)) {
		if (run == l->run || held_by_other(l, self_byte(run)) || !pause_until(deadline, GUARDIAN_STEP_NS))
			return false;
	}
	return true;
}

/* Drops the claims that are held no longer, so that memory follows those held at a time and not those ever
 * made. 0, or -1 without memory and with nothing changed. */
static int
forget_released(struct dr_lock *l)
{
	struct dr_map map = { 0 };
	uint32_t n = 0;

	if (dr_map_reserve(&map, &claim_ops, l, l->held))
		return -1;
	for (uint32_t i = 0; i < l->n_claims; i++) {
		if (!l->claims[i].count)
			continue;
		l->claims[n] = l->claims[i];
		/* There is room. */
		dr_map_add(&map, &claim_ops, l, l->claims[n].byte, n);
		n++;
	}
	l->n_claims = n;
	dr_map_free(&l->map);
	l->map = map;
	return 0;
}

/* A claim with count 0 for a byte that is in no place yet; NULL without memory. */
static struct claim *
add_claim(struct dr_lock *l, uint64_t byte)
{
	/* Only if half or more go, else every new claim could go through all the others. */
	if (l->n_claims == l->cap_claims && l->held <= l->n_claims / 2 && forget_released(l))
		return NULL;
	if (dr_grow(&l->claims, &l->cap_claims, (size_t)l->n_claims + 1, sizeof(*l->claims)))
		return NULL;
	l->claims[l->n_claims] = (struct claim){ .byte = byte };
	if (dr_map_add(&l->map, &claim_ops, l, byte, l->n_claims))
		return NULL;
	return &l->claims[l->n_claims++];
}

int
dr_lock_claim(struct dr_lock *l, struct dr_hash128 id, struct dr_err *err)
{
	const uint64_t byte = task_byte(id);
	uint32_t at = dr_map_find(&l->map, &claim_ops, l, byte, &byte);
	struct claim *c = at == DR_NONE ? NULL : &l->claims[at];

	if (!c)
		c = add_claim(l, byte);
	if (!c)
		return dr_err_nomem(err);
	if (!c->count && !l->alone && set_byte(l->fd, F_WRLCK, TASK_BASE + (int64_t)byte)) {
		if (errno == EAGAIN)
			return 0;
		return dr_err_sys(err, errno, "lock a task in .dagrun/lock");
	}
	if (!c->count++)
		l->held++;
	return 1;
}

void
dr_lock_release(struct dr_lock *l, struct dr_hash128 id)
{
	const uint64_t byte = task_byte(id);
	uint32_t at = dr_map_find(&l->map, &claim_ops, l, byte, &byte);
	struct claim *c = at == DR_NONE ? NULL : &l->claims[at];

	if (!c || !c->count || --c->count)
		return;
	l->held--;
	if (!l->alone)
		set_byte(l->fd, F_UNLCK, TASK_BASE + (int64_t)byte);
}

bool
dr_lock_claimed(struct dr_lock *l, struct dr_hash128 id)
{
	return held_by_other(l, TASK_BASE + (int64_t)task_byte(id));
}

int
dr_lock_exclude(struct dr_lock *l)
{
	return l->alone || set_byte(l->fd, F_WRLCK, 0) == 0;
}

void
dr_lock_share(struct dr_lock *l)
{
	if (!l->alone)
		set_byte(l->fd, F_RDLCK, 0);
}

int
dr_lock_use(struct dr_lock *l, uint64_t key, int64_t wait, struct dr_err *err)
{
	if (l->alone || share(l->fd, use_byte(key), wait) == 0)
		return 0;
	if (errno != EAGAIN)
		return dr_err_sys(err, errno, "lock .dagrun/lock");
	return dr_err_set(err, DR_STATE,
			  "another dagrun has kept a stage to itself for %.1f s; it may be removing what nobody "
			  "needs any more: try again",
			  (double)wait / 1e9);
}

void
dr_lock_unuse(struct dr_lock *l, uint64_t key)
{
	if (!l->alone)
		set_byte(l->fd, F_UNLCK, use_byte(key));
}

bool
dr_lock_use_alone(struct dr_lock *l, uint64_t key)
{
	return l->alone || set_byte(l->fd, F_WRLCK, use_byte(key)) == 0;
}

void
dr_lock_use_shared(struct dr_lock *l, uint64_t key)
{
	if (!l->alone)
		set_byte(l->fd, F_RDLCK, use_byte(key));
}

bool
dr_lock_shared(const struct dr_lock *l)
{
	return held_by_other(l, 0);
}
