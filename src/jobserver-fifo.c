#include "config.h"

#include "jobserver-pool.h"

#include "err.h"
#include "os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char prefix[] = "dagrun-jobserver-";
static const char fifo_name[] = "pool";

enum {
	TRIES = 16,        /* a sweeper may take a directory that has no lock yet for a dead one */
	MOST_SEEN = 10000, /* entries of the temporary directory that a sweep looks at */
};

/* Whether a path means itself to whoever splits MAKEFLAGS at blanks, and to make, which expands variables. */
static bool
plain(const char *path)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789/._-+,@%:=~";

	return path[strspn(path, safe)] == '\0';
}

static void
tell(const struct dr_fifo *f)
{
	size_t n = strlen(f->dir);

	if (f->where && n < f->where_size)
		memcpy(f->where, f->dir, n + 1);
}

/* Its name is known to who is to know before it is there, so we choose it, and not mkdtemp. */
static int
make_dir(struct dr_fifo *f, struct dr_err *err)
{
	const char *tmp = getenv("TMPDIR");
	int n, e;

	/* A relative one would mean another place to a child that works elsewhere. */
	if (!tmp || tmp[0] != '/' || !plain(tmp))
		tmp = "/tmp";
	n = snprintf(f->dir, sizeof(f->dir), "%s/%s%016" PRIx64, tmp, prefix, dr_random64());
	e = n < 0 || (size_t)n >= sizeof(f->dir) ? ENAMETOOLONG : 0;
	if (!e) {
		tell(f);
		e = mkdir(f->dir, 0700) ? errno : 0;
	}
	if (!e)
		return 0;
	f->dir[0] = '\0';
	tell(f);
	return dr_err_sys(err, e, "make a directory in %s", tmp);
}

/* Takes the lock that says that we live: on the directory itself, so that there is no moment at which it has
 * a file that is not locked yet. 1; 0: a sweeper was quicker; -1 with err. */
static int
lock_dir(struct dr_fifo *f, struct dr_err *err)
{
	struct stat st;

	f->lock = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->lock < 0)
		return errno == ENOENT ? 0 : dr_err_sys(err, errno, "open %s", f->dir);
	/* A file system without locks: no sweeper gets one there either, so that it leaves all as it is. */
	if (flock(f->lock, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
		return 0;
	return fstat(f->lock, &st) == 0 && st.st_nlink > 0;
}

/* What a dead run has left. The lock goes with the process, by whatever it died, and no other gets it with
 * its number. */
static void
sweep_one(int tmp, const char *name)
{
	int dir = openat(tmp, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (dir < 0)
		return;
	if (fstat(dir, &st) == 0 && st.st_uid == geteuid() && flock(dir, LOCK_EX | LOCK_NB) == 0) {
		unlinkat(dir, fifo_name, 0);
		/* Only if nothing else is in it */
		unlinkat(tmp, name, AT_REMOVEDIR);
	}
	dr_close(&dir);
}

/* The directories beside ours. */
static void
sweep(const struct dr_fifo *f)
{
	const char *own = strrchr(f->dir, '/') + 1;
	char place[sizeof(f->dir)];
	struct dirent *e;
	int fd, seen = 0;
	DIR *d;

	snprintf(place, sizeof(place), "%.*s", (int)(own - f->dir), f->dir);
	fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		dr_close(&fd);
		return;
	}
	while (seen++ < MOST_SEEN && (e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, prefix, sizeof(prefix) - 1) == 0 && strcmp(e->d_name, own) != 0)
			sweep_one(fd, e->d_name);
	}
	closedir(d);
}

int
dr_fifo_make(struct dr_fifo *f, int *fd, struct dr_err *err)
{
	int rc = 0;

	*fd = -1;
	for (int i = 0; rc == 0 && i < TRIES; i++) {
		dr_fifo_close(f);
		rc = make_dir(f, err) ? -1 : lock_dir(f, err);
	}
	if (rc == 0)
		dr_err_sys(err, EAGAIN, "keep a directory for the jobserver's fifo");
	if (rc <= 0)
		goto fail;
	sweep(f);
	snprintf(f->path, sizeof(f->path), "%s/%s", f->dir, fifo_name);
	if (mkfifo(f->path, 0600)) {
		dr_err_sys(err, errno, "make %s", f->path);
		f->path[0] = '\0';
		goto fail;
	}
	*fd = open(f->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (*fd >= 0)
		return 0;
	dr_err_sys(err, errno, "open %s", f->path);
fail:
	dr_fifo_close(f);
	return -1;
}

void
dr_fifo_close(struct dr_fifo *f)
{
	if (f->path[0])
		unlink(f->path);
	if (f->dir[0])
		rmdir(f->dir);
	f->path[0] = f->dir[0] = '\0';
	tell(f);
	dr_close(&f->lock);
}
