#include "config.h"

#include "disk.h"

#include "err.h"
#include "os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	COMPARE_PIECE = 128 << 10,
	SMALL = 64 << 10, /* bytes of a file that is read at once */
};

struct real_disk {
	struct dr_disk d; /* first: a real_disk is a dr_disk */
	int root;
	char *small; /* SMALL + 1 bytes, or NULL */
};

static int
root_of(struct dr_disk *d)
{
	return ((struct real_disk *)d)->root;
}

/* An errno of a look at a path that leads to nothing. */
static bool
is_absent(int e)
{
	return e == ENOENT || e == ENOTDIR;
}

#ifdef STATX_BASIC_STATS
/* Network file systems need not ask their server for what we do not want to know. 1: there is no statx
 * here. */
static int
stat_few(int root, const char *path, struct dr_stamp *st, bool *dir)
{
	struct statx sx;

	if (statx(root, path, 0, STATX_TYPE | STATX_SIZE | STATX_MTIME | STATX_INO, &sx)) {
		/* EPERM: sandboxes that do not know the call. */
		return errno == ENOSYS || errno == EPERM ? 1 : -1;
	}
	st->size = (int64_t)sx.stx_size;
	st->mtime = (int64_t)sx.stx_mtime.tv_sec * 1000000000 + sx.stx_mtime.tv_nsec;
	st->ino = sx.stx_ino;
	*dir = S_ISDIR(sx.stx_mode);
	return 0;
}
#endif

static int
stat_all(int root, const char *path, struct dr_stamp *st, bool *dir)
{
	struct stat sb;

	if (fstatat(root, path, &sb, 0))
		return -1;
	st->size = (int64_t)sb.st_size;
	st->mtime = (int64_t)sb.st_mtim.tv_sec * 1000000000 + sb.st_mtim.tv_nsec;
	st->ino = (uint64_t)sb.st_ino;
	*dir = S_ISDIR(sb.st_mode);
	return 0;
}

static int
stat_at(int at, const char *path, struct dr_stamp *st, bool *dir)
{
	int rc = 1;

	*dir = false;
#ifdef STATX_BASIC_STATS
	rc = stat_few(at, path, st, dir);
#endif
	if (rc > 0)
		rc = stat_all(at, path, st, dir);
	if (rc && is_absent(errno)) {
		*st = (struct dr_stamp){ .size = DR_ABSENT };
		rc = 0;
	}
	return rc;
}

static int
real_stat(struct dr_disk *d, const char *path, struct dr_stamp *st, bool *dir)
{
	return stat_at(root_of(d), path, st, dir);
}

static int
real_stat_in(struct dr_disk *d, int dir, const char *name, struct dr_stamp *st, bool *is_dir)
{
	(void)d;
	return stat_at(dir, name, st, is_dir);
}

static int
real_open_dir(struct dr_disk *d, const char *path)
{
#ifdef O_PATH
	/* Looking at files takes no right to list them. */
	return openat(root_of(d), path, O_PATH | O_DIRECTORY | O_CLOEXEC);
#else
	return openat(root_of(d), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
#endif
}

static int
real_rename(struct dr_disk *d, const char *from, const char *to)
{
	return renameat(root_of(d), from, root_of(d), to);
}

static int
real_exchange(struct dr_disk *d, const char *a, const char *b)
{
#ifdef HAVE_RENAMEAT2
	return renameat2(root_of(d), a, root_of(d), b, RENAME_EXCHANGE);
#else
	(void)d;
	(void)a;
	(void)b;
	errno = ENOSYS;
	return -1;
#endif
}

static int
real_tree(struct dr_disk *d, const char *path, struct dr_stamp *st)
{
	return dr_disk_tree(root_of(d), path, st);
}

static int
real_set_time(struct dr_disk *d, const char *path, int64_t mtime)
{
	int64_t part = (mtime % 1000000000 + 1000000000) % 1000000000; /* of a second; also before 1970 */
	struct timespec times[2] = {
		{ .tv_nsec = UTIME_OMIT },
		{ .tv_sec = (time_t)((mtime - part) / 1000000000), .tv_nsec = (long)part },
	};

	return utimensat(root_of(d), path, times, AT_SYMLINK_NOFOLLOW);
}

static int
real_unlink(struct dr_disk *d, const char *path)
{
	return unlinkat(root_of(d), path, 0) && !is_absent(errno) ? -1 : 0;
}

static int
real_remove_tree(struct dr_disk *d, const char *path)
{
	return dr_remove_tree(root_of(d), path);
}

static int
real_mkdirs_for(struct dr_disk *d, const char *path, bool *made)
{
	return dr_mkdirs_new(root_of(d), path, made);
}

/* A regular file, open for reading from `at` to its end; -1 with errno. Not blocking, as a fifo
 * without a writer would; *st is what was opened, whatever the path leads to by now. */
static int
open_regular(int root, const char *path, uint64_t at, struct stat *st)
{
	int fd = openat(root, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);

	if (fd < 0)
		return -1;
	if (fstat(fd, st)) {
		dr_close(&fd);
		return -1;
	}
	if (!S_ISREG(st->st_mode)) {
		dr_close(&fd);
		errno = EINVAL;
		return -1;
	}
	if (at && lseek(fd, (off_t)at, SEEK_SET) < 0) {
		dr_close(&fd);
		return -1;
	}
#ifdef HAVE_POSIX_FADVISE
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
#endif
	return fd;
}

/* 1, 0, DR_DISK_MORE, or -1 with errno. */
static int
same_bytes(int a, int b, struct dr_portion *part)
{
	char *buf = malloc((size_t)2 * COMPARE_PIECE);
	int rc = -1;

	if (!buf)
		return -1;
	for (;;) {
		ssize_t n, m;

		if (!part->left) {
			rc = DR_DISK_MORE;
			goto out;
		}
		n = dr_read_full(a, buf, COMPARE_PIECE);

		if (n < 0)
			goto out;
		m = dr_read_full(b, buf + COMPARE_PIECE, COMPARE_PIECE);
		if (m < 0)
			goto out;
		if (n != m || memcmp(buf, buf + COMPARE_PIECE, (size_t)n) != 0) {
			rc = 0;
			goto out;
		}
		part->at += (uint64_t)n;
		part->left -= part->left < (uint64_t)n ? part->left : (uint64_t)n;
		if (n < COMPARE_PIECE) {
			rc = 1;
			goto out;
		}
	}
out:
	free(buf);
	return rc;
}

static int
real_same(struct dr_disk *d, const char *a, const char *b, struct dr_portion *part)
{
	struct stat sa, sb;
	int fa, fb = -1, rc = -1;

	fa = open_regular(root_of(d), a, part->at, &sa);
	if (fa < 0)
		return -1;
	fb = open_regular(root_of(d), b, part->at, &sb);
	if (fb < 0)
		goto out;
	if (sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino)
		rc = 1;
	else if (sa.st_size != sb.st_size || sa.st_mode != sb.st_mode)
		rc = 0;
	else
		rc = same_bytes(fa, fb, part);
out:
	dr_close(&fa);
	dr_close(&fb);
	return rc;
}

static int
real_same_list(struct dr_disk *d, const char *a, const char *b, struct dr_buf *files)
{
	return dr_disk_same_list(root_of(d), a, b, files);
}

/* The content of a file that has this size, in one read that could have told of more: what is short of what was asked for, and yet all
 * that was looked at, ends there. Not blocking, as somebody may have put a fifo there since. False: it is not so simple. */
static bool
hash_at_once(struct real_disk *r, const char *path, size_t size, struct dr_hash128 *out)
{
	ssize_t n;
	int fd;

	if (!r->small)
		r->small = malloc(SMALL + 1);
	if (!r->small)
		return false;
	fd = openat(r->root, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return false;
	n = read(fd, r->small, size + 1);
	dr_close(&fd);
	if (n < 0 || (size_t)n != size)
		return false;
	*out = dr_hash128(r->small, size);
	return true;
}

static int
real_hash(struct dr_disk *d, const char *path, int64_t size, struct dr_hash128 *out)
{
	struct dr_err err;
	struct stat st;

	if (size > 0 && size <= SMALL && hash_at_once((struct real_disk *)d, path, (size_t)size, out))
		return 0;
	/* Looked at first, as opening a fifo waits for somebody to write to it. */
	if (fstatat(root_of(d), path, &st, 0))
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	if (dr_hash_file(root_of(d), path, out, &err)) {
		errno = err.sys;
		return -1;
	}
	return 0;
}

static int
real_access(struct dr_disk *d, const char *path, int mode)
{
	return faccessat(root_of(d), path, mode, 0);
}

static DIR *
open_listing(struct dr_disk *d, const char *dir)
{
	int fd = openat(root_of(d), *dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);

	if (!stream)
		dr_close(&fd);
	return stream;
}

static int
real_list(struct dr_disk *d, const char *dir, void (*fn)(void *arg, const char *name), void *arg)
{
	DIR *stream = open_listing(d, dir);
	const struct dirent *e;

	if (!stream)
		return -1;
	while ((e = readdir(stream)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			fn(arg, e->d_name);
	closedir(stream);
	return 0;
}

static int
real_lists_none(struct dr_disk *d, const char *dir, const char *prefix, uint64_t most)
{
	DIR *stream = open_listing(d, dir);
	const struct dirent *e;
	size_t n = strlen(prefix);
	uint64_t names = 0;
	int rc = 1, saved;

	if (!stream)
		return -1;
	errno = 0;
	while (rc > 0 && (e = readdir(stream)))
		if (!strncmp(e->d_name, prefix, n) || (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && ++names > most))
			rc = 0;
	saved = errno;
	closedir(stream);
	errno = saved;
	return rc > 0 && saved ? -1 : rc;
}

/* Of an open file or directory. Not all file systems sync directories. */
static int
sync_fd(int fd, enum dr_disk_sync what)
{
	switch (what) {
	case DR_DISK_BEGIN:
#ifdef SYNC_FILE_RANGE_WRITE
		(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
#endif
		return 0;
	case DR_DISK_FILE:
		return fdatasync(fd);
	case DR_DISK_DIR:
		return fsync(fd) && errno != EINVAL && errno != EBADF && errno != ENOTSUP ? -1 : 0;
	case DR_DISK_ALL:
#ifdef HAVE_SYNCFS
		return syncfs(fd);
#else
		sync();
		return 0;
#endif
	}
	return 0;
}

static int
real_sync(struct dr_disk *d, const char *path, enum dr_disk_sync what)
{
	/* Not waiting for the other end, should somebody have put a fifo there. */
	int fd = openat(root_of(d), *path ? path : ".", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY), rc;

	if (fd < 0)
		return -1;
	rc = sync_fd(fd, what);
	dr_close(&fd);
	return rc;
}

static int
real_device(struct dr_disk *d, const char *path, uint64_t *device)
{
	struct stat st;

	if (fstatat(root_of(d), *path ? path : ".", &st, 0))
		return -1;
	*device = (uint64_t)st.st_dev;
	return 0;
}

struct dr_disk *
dr_disk_real(int root)
{
	struct real_disk *r = malloc(sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct real_disk){
		.d = {
			.threads = dr_processors(),
			.open_dir = real_open_dir,
			.stat_in = real_stat_in,
			.stat = real_stat,
			.tree = real_tree,
			.rename = real_rename,
			.exchange = real_exchange,
			.set_time = real_set_time,
			.unlink = real_unlink,
			.remove_tree = real_remove_tree,
			.mkdirs_for = real_mkdirs_for,
			.same = real_same,
			.same_list = real_same_list,
			.hash = real_hash,
			.list = real_list,
			.lists_none = real_lists_none,
			.access = real_access,
			.sync = real_sync,
			.device = real_device,
		},
		.root = root,
	};
	return &r->d;
}

void
dr_disk_free(struct dr_disk *d)
{
	if (d)
		free(((struct real_disk *)d)->small);
	free(d);
}
