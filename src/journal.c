#include "config.h"

#include "journal.h"

#include "err.h"
#include "journal-record.h"
#include "os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	WRITE_MAX = 64 << 20, /* a batch above this is several writes, each of whole records */
	SHORT_WRITES_MAX = 3,
	NAME_DIGITS = 16,
};

void
dr_journal_make_header(struct dr_journal_header *h)
{
	memset(h, 0, sizeof(*h));
	memcpy(h->magic, DR_JOURNAL_MAGIC, sizeof(h->magic));
	h->version = DR_JOURNAL_VERSION;
	h->order = DR_JOURNAL_ORDER;
}

int
dr_journal_check_header(int fd, struct dr_err *err)
{
	struct dr_journal_header h;
	ssize_t n = dr_pread_full(fd, &h, sizeof(h), 0);

	if (n < 0)
		return dr_err_sys(err, errno, "read %s", DR_JOURNAL_SHOWN);
	if (n < (ssize_t)sizeof(h) || memcmp(h.magic, DR_JOURNAL_MAGIC, sizeof(h.magic)) != 0)
		return dr_err_set(err, DR_STATE, "%s is not a journal of dagrun; it is left alone",
				  DR_JOURNAL_SHOWN);
	if (h.order == UINT32_C(0x04030201))
		return dr_err_set(err, DR_STATE, "%s was written on a machine of the other byte order",
				  DR_JOURNAL_SHOWN);
	if (h.order != DR_JOURNAL_ORDER || h.version == 0)
		return dr_err_set(err, DR_STATE, "the header of %s is damaged", DR_JOURNAL_SHOWN);
	if (h.version > DR_JOURNAL_VERSION)
		return dr_err_set(err, DR_STATE,
				  "%s was written by a newer dagrun (format %" PRIu32 "; this one knows %d)",
				  DR_JOURNAL_SHOWN, h.version, DR_JOURNAL_VERSION);
	return 0;
}

/* Gives the file `from` the name of the journal, unless there is one already. -1 with errno. */
static int
give_name(int dir, const char *from)
{
	if (linkat(dir, from, dir, DR_JOURNAL_NAME, 0) == 0 || errno == EEXIST)
		return 0;
#ifdef RENAME_NOREPLACE
	/* File systems without hard links. */
	if (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS || errno == EMLINK) {
		if (renameat2(dir, from, dir, DR_JOURNAL_NAME, RENAME_NOREPLACE) == 0 || errno == EEXIST)
			return 0;
	}
#endif
	return -1;
}

/* Makes a journal with nothing but its header. It gets its name when the header is on the disk, so that
 * nobody ever sees a journal without one; of two runs that do this at once, the second uses the first's. */
static int
create(int dir, struct dr_err *err)
{
	struct dr_journal_header h;
	char name[64];
	int fd, rc = -1;

	snprintf(name, sizeof(name), "%s.%0*" PRIx64, DR_JOURNAL_NAME, (int)NAME_DIGITS, dr_random64());
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return dr_err_sys(err, errno, "create .dagrun/%s", name);
	dr_journal_make_header(&h);
	if (dr_write_full(fd, &h, sizeof(h)) || fsync(fd)) {
		dr_err_sys(err, errno, "write .dagrun/%s", name);
		goto out;
	}
	/* Gone: another run has made the journal, and taken ours for one that was left. */
	if (give_name(dir, name) && (errno != ENOENT || faccessat(dir, DR_JOURNAL_NAME, F_OK, 0))) {
		dr_err_sys(err, errno, "create %s", DR_JOURNAL_SHOWN);
		goto out;
	}
	rc = 0;
out:
	dr_close(&fd);
	unlinkat(dir, name, 0);
	return rc;
}

void
dr_journal_sweep(int dir, bool copies)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!d) {
		dr_close(&fd);
		return;
	}
	while ((e = readdir(d))) {
		const char *rest = e->d_name + sizeof(DR_JOURNAL_NAME);

		if (strncmp(e->d_name, DR_JOURNAL_NAME ".", sizeof(DR_JOURNAL_NAME)) == 0 &&
		    (copies || strlen(rest) == NAME_DIGITS))
			unlinkat(dir, e->d_name, 0);
	}
	closedir(d);
}

static int
open_file(struct dr_journal *j, struct dr_err *err)
{
	const int flags = O_APPEND | O_CLOEXEC | O_NOCTTY;
	bool created = false;
	struct stat st;

	j->fd = openat(j->dir, DR_JOURNAL_NAME, O_RDWR | flags);
	if (j->fd < 0 && errno == ENOENT) {
		created = true;
		if (create(j->dir, err))
			return -1;
		j->fd = openat(j->dir, DR_JOURNAL_NAME, O_RDWR | flags);
	}
	/* Looking (what would run, and why) needs no right to write. */
	if (j->fd < 0 && (errno == EACCES || errno == EROFS)) {
		j->refused = errno;
		j->fd = openat(j->dir, DR_JOURNAL_NAME, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	}
	if (j->fd < 0)
		return dr_err_sys(err, errno, "open %s", DR_JOURNAL_SHOWN);
	/* Who is killed while making the first one leaves it behind: alone, or as a second name of the journal. */
	if (created || (fstat(j->fd, &st) == 0 && st.st_nlink > 1))
		dr_journal_sweep(j->dir, false);
	return dr_journal_check_header(j->fd, err);
}

int
dr_journal_open(int state_dir, struct dr_journal **out, struct dr_err *err)
{
	struct dr_journal *j = calloc(1, sizeof(*j));

	if (!j)
		return dr_err_nomem(err);
	j->fd = -1;
	j->pos = sizeof(struct dr_journal_header);
	j->record = SIZE_MAX;
	j->dir = fcntl(state_dir, F_DUPFD_CLOEXEC, 3);
	if (j->dir < 0) {
		dr_err_sys(err, errno, "open .dagrun");
		goto out;
	}
	if (open_file(j, err))
		goto out;
	*out = j;
	return 0;
out:
	dr_journal_close(j);
	return -1;
}

void
dr_journal_close(struct dr_journal *j)
{
	if (!j)
		return;
	dr_close(&j->fd);
	dr_close(&j->dir);
	dr_buf_free(&j->batch);
	dr_buf_free(&j->one);
	free(j);
}

/* Takes back the record that is begun, if there is one, and what memory did not suffice for. */
static int
drop_record(struct dr_journal *j)
{
	if (j->record != SIZE_MAX) {
		j->batch.n = j->record;
		if (j->batch.p)
			j->batch.p[j->record] = '\0';
	}
	j->batch.failed = false;
	j->record = SIZE_MAX;
	return -1;
}

static void
begin_record(struct dr_journal *j, enum dr_record_kind kind)
{
	struct dr_record_head h = { .marker = DR_RECORD_MARKER, .kind = (uint16_t)kind };

	drop_record(j);
	j->record = j->batch.n;
	j->files = 0;
	dr_buf_add(&j->batch, &h, sizeof(h));
}

static int
end_record(struct dr_journal *j)
{
	const size_t from = offsetof(struct dr_record_head, length);
	struct dr_record_head h;
	size_t length;
	char *p;

	if (j->record == SIZE_MAX || j->files)
		return drop_record(j);
	while ((j->batch.n - j->record) % DR_RECORD_ALIGN && !j->batch.failed)
		dr_buf_addc(&j->batch, '\0');
	length = j->batch.n - j->record - sizeof(h);
	if (j->batch.failed || length > UINT32_MAX - DR_RECORD_ALIGN)
		return drop_record(j);
	p = j->batch.p + j->record;
	memcpy(&h, p, sizeof(h));
	h.length = (uint32_t)length;
	memcpy(p, &h, sizeof(h));
	h.checksum = (uint32_t)dr_hash64(p + from, sizeof(h) - from + length);
	memcpy(p, &h, sizeof(h));
	j->record = SIZE_MAX;
	return 0;
}

int
dr_journal_add_run(struct dr_journal *j, enum dr_record_kind kind, const struct dr_rec_run *r)
{
	begin_record(j, kind);
	dr_buf_add(&j->batch, r, sizeof(*r));
	return end_record(j);
}

int
dr_journal_add_id(struct dr_journal *j, enum dr_record_kind kind, struct dr_hash128 id)
{
	begin_record(j, kind);
	dr_buf_add(&j->batch, &id, sizeof(id));
	return end_record(j);
}

int
dr_journal_add_barrier(struct dr_journal *j, const struct dr_rec_barrier *b)
{
	begin_record(j, DR_REC_BARRIER);
	dr_buf_add(&j->batch, b, sizeof(*b));
	return end_record(j);
}

int
dr_journal_add_tree(struct dr_journal *j, const struct dr_rec_tree *t)
{
	struct dr_record_tree_head h = {
		.key = t->key, .n_leaves = t->n_leaves, .shape_len = (uint32_t)t->shape.n, .level = t->level
	};

	if (t->shape.n > UINT32_MAX)
		return drop_record(j);
	begin_record(j, DR_REC_TREE);
	dr_buf_add(&j->batch, &h, sizeof(h));
	dr_buf_add(&j->batch, t->leaves, t->n_leaves * sizeof(uint64_t));
	dr_buf_addstr(&j->batch, t->shape);
	return end_record(j);
}

int
dr_journal_begin_task(struct dr_journal *j, enum dr_record_kind kind, const struct dr_rec_task *t)
{
	struct dr_record_task_head h = {
		.id = t->id,
		.command = t->command,
		.run = t->run,
		.origin = t->origin,
		.start = t->start,
		.end = t->end,
		.user_us = t->user_us,
		.sys_us = t->sys_us,
		.peak_kb = t->peak_kb,
		.log_at = t->log_at,
		.log_len = t->log_len,
		.status = (t->status & DR_RECORD_STATUS) | (int32_t)(t->how & 0x7f) << DR_RECORD_HOW,
		.tries = t->tries,
		.n_in = t->n_in,
		.n_uses = t->n_uses,
		.n_out = t->n_out,
		.name_len = (uint32_t)t->name.n,
	};

	if (t->name.n > UINT32_MAX)
		return drop_record(j);
	begin_record(j, kind);
	j->files = (uint64_t)t->n_in + t->n_uses + t->n_out;
	dr_buf_add(&j->batch, &h, sizeof(h));
	dr_buf_addstr(&j->batch, t->name);
	return j->batch.failed ? drop_record(j) : 0;
}

int
dr_journal_add_file(struct dr_journal *j, const struct dr_rec_file *f)
{
	struct dr_record_file_head h = {
		.size = f->stamp.size,
		.mtime = f->stamp.mtime,
		.ino = f->stamp.ino,
		.flags = f->flags & (DR_REC_HASHED | DR_REC_RECENT),
		.path_len = (uint32_t)f->path.n,
	};

	if (j->record == SIZE_MAX || !j->files || f->path.n > UINT32_MAX)
		return drop_record(j);
	j->files--;
	dr_buf_add(&j->batch, &h, sizeof(h));
	if (h.flags & DR_REC_HASHED)
		dr_buf_add(&j->batch, &f->content, sizeof(f->content));
	dr_buf_addstr(&j->batch, f->path);
	return j->batch.failed ? drop_record(j) : 0;
}

int
dr_journal_end_task(struct dr_journal *j)
{
	return end_record(j);
}

bool
dr_journal_pending(const struct dr_journal *j)
{
	return j->batch.n > 0;
}

/* How many bytes from `at` of the batch make one write: whole records, and not much above WRITE_MAX. */
static size_t
write_size(const struct dr_buf *batch, size_t at)
{
	size_t end = at;

	while (end < batch->n && end - at < WRITE_MAX) {
		struct dr_record_head h;

		memcpy(&h, batch->p + end, sizeof(h));
		end += sizeof(h) + h.length;
	}
	return end - at;
}

/* In one write, as others append too: what came in pieces could have their records between the pieces. A
 * piece that was written stays behind as damage that readers pass over. -1 with errno. */
static int
append(int fd, const char *p, size_t n)
{
	for (int i = 0; i < SHORT_WRITES_MAX; i++) {
		ssize_t rc;

		do {
			rc = write(fd, p, n);
		} while (rc < 0 && errno == EINTR);
		if (rc < 0)
			return -1;
		if ((size_t)rc == n)
			return 0;
	}
	errno = ENOSPC;
	return -1;
}

int
dr_journal_flush(struct dr_journal *j, struct dr_err *err)
{
	size_t at = 0;
	int rc = 0;

	drop_record(j);
	if (j->batch.n && j->refused)
		return dr_err_sys(err, j->refused, "write %s", DR_JOURNAL_SHOWN);
	while (at < j->batch.n) {
		size_t n = write_size(&j->batch, at);

		if (append(j->fd, j->batch.p + at, n)) {
			rc = dr_err_sys(err, errno, "write %s", DR_JOURNAL_SHOWN);
			break;
		}
		at += n;
	}
	/* If others have written meanwhile, the file is longer than that. */
	j->known += at;
	/* What could not be written stays, for a caller who finds room and tries again. */
	if (at) {
		memmove(j->batch.p, j->batch.p + at, j->batch.n - at);
		j->batch.n -= at;
		j->batch.p[j->batch.n] = '\0';
	}
	return rc;
}

int
dr_journal_sync(const struct dr_journal *j)
{
	if (fdatasync(j->fd))
		return -1;
	/* Not all file systems sync directories. */
	return fsync(j->dir) && errno != EINVAL && errno != EBADF && errno != ENOTSUP ? -1 : 0;
}

bool
dr_journal_grown(const struct dr_journal *j)
{
	struct stat st;

	return fstat(j->fd, &st) || (uint64_t)st.st_size != j->known;
}
