#include "config.h"

#include "journal.h"

#include "err.h"
#include "journal-record.h"
#include "journal-stock.h"
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
	DEAD_MIN = 1000, /* below that a new file gains nothing */
	SAMPLE_MAX = 1024,
	SAMPLE_SLOTS = 2048,
};

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
copy(const struct dr_stock *c, int from, int to, struct dr_err *err)
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
		if (!dr_stock_is_live(c, &r))
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

/* Until the rename the old journal is untouched, and what the rename puts in its place is on the disk
 * already. */
static int
rewrite(struct dr_journal *j, const struct dr_stock *c, bool *done, struct dr_err *err)
{
	struct stat st;
	int fd, rc = -1;

	/* Nobody else is here to be making one. */
	dr_journal_sweep(j->dir, true);
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

/* Of the number of different ids. */
static uint64_t
estimate(const struct dr_id_sample *s)
{
	return s->bits >= 63 ? UINT64_MAX / 4 : (uint64_t)s->n << s->bits;
}

/* Whether what was read rules out that it is worth it: each task has one live record at least. The
 * estimate errs by a few per cent. */
static bool
hopeless(const struct dr_journal *j)
{
	uint64_t tasks = estimate(&j->sample);

	return j->n_read && (j->n_read < DEAD_MIN || j->n_read < tasks + tasks / 4 * 3);
}

int
dr_journal_compact(struct dr_journal *j, bool always, bool *done, struct dr_err *err)
{
	struct dr_stock stock = { 0 };
	uint64_t dead;
	int rc = -1;

	*done = false;
	if (j->refused || (!always && hopeless(j)))
		return 0;
	if (dr_stock_take(&stock, j->fd, err))
		goto out;
	rc = 0;
	dead = stock.total - stock.live;
	if (!always && (dead < DEAD_MIN || dead <= stock.live))
		goto out;
	rc = rewrite(j, &stock, done, err);
out:
	dr_stock_free(&stock);
	return rc;
}

/* The run whose log has this name. */
static bool
is_log(const char *name, uint64_t *run)
{
	size_t n = strspn(name, "0123456789abcdef");

	if (n != 16 || name[n])
		return false;
	*run = strtoull(name, NULL, 16);
	return true;
}

int
dr_journal_prune_logs(struct dr_journal *j, uint64_t except, struct dr_err *err)
{
	struct dr_stock stock = { 0 };
	int fd = openat(j->dir, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = -1;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	uint64_t run;

	if (!d) {
		rc = errno == ENOENT ? 0 : dr_err_sys(err, errno, "open the directory .dagrun/log");
		dr_close(&fd);
		return rc;
	}
	if (dr_stock_take(&stock, j->fd, err))
		goto out;
	/* What cannot be removed is tried again another time. */
	while ((e = readdir(d)))
		if (is_log(e->d_name, &run) && run != except && !dr_stock_names(&stock, run))
			unlinkat(dirfd(d), e->d_name, 0);
	rc = 0;
out:
	dr_stock_free(&stock);
	closedir(d);
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
