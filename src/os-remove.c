/* dr_remove_tree: the part of os that needs a state of its own. */
#include "config.h"

#include "os.h"

#include "arena.h"
#include "str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A directory on the way down. Whatever the depth, one descriptor is open, that of the deepest: the way up is
 * "..", which has to be the directory that we came from, or somebody has moved what we walk. */
struct level {
	dev_t dev;
	ino_t ino;
	size_t names; /* where the names of its directories begin in walk's buffer */
};

struct walk {
	DIR *dir; /* the deepest level's */
	struct level *levels;
	uint32_t depth, cap;
	/* Directories still to remove, each with its NUL; the deepest level's are the last. A level's last
	 * name is that of the level below it, if there is one. */
	struct dr_buf names;
	int error; /* the first one */
};

static void
note(struct walk *w, int error)
{
	if (!w->error)
		w->error = error;
}

/* Whether unlink's errno is what it says of a directory: EISDIR on Linux, EPERM by POSIX. */
static bool
is_directory(int dirfd, const char *name, int unlink_error)
{
	struct stat st;

	if (unlink_error != EISDIR && unlink_error != EPERM)
		return false;
	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int
open_directory(int dirfd, const char *name)
{
	return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

/* A directory of ours that even we may not read, as some caches are left: it is to go anyway. By its descriptor, so that no link that
 * takes its place is followed. */
static int
open_unreadable(int dirfd, const char *name)
{
#ifdef O_PATH
	char self[40];
	int fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), rc;

	if (fd < 0)
		return -1;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	rc = chmod(self, 0700);
	dr_close(&fd);
	return rc ? -1 : open_directory(dirfd, name);
#else
	(void)dirfd;
	(void)name;
	errno = EACCES;
	return -1;
#endif
}

/* Opens a directory as the new deepest level, in place of the one that it is in. */
static int
enter(struct walk *w, int dirfd, const char *name)
{
	int fd = open_directory(dirfd, name);
	struct stat st;
	DIR *dir;

	if (fd < 0 && errno == EACCES)
		fd = open_unreadable(dirfd, name);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) || dr_grow(&w->levels, &w->cap, (size_t)w->depth + 1, sizeof(*w->levels)) ||
	    !(dir = fdopendir(fd))) {
		dr_close(&fd);
		return -1;
	}
	/* What may not be written to keeps its entries. If it is not ours to change, unlink has the last word. */
	if ((st.st_mode & 0700) != 0700 && fchmod(fd, 0700))
		errno = 0;
	if (w->dir)
		closedir(w->dir);
	w->dir = dir;
	w->levels[w->depth++] = (struct level){ st.st_dev, st.st_ino, w->names.n };
	return 0;
}

/* Removes all of the deepest level but its directories, which it lists. One pass: a directory that is read
 * again after each removal takes quadratic time on some file systems. */
static void
sweep(struct walk *w)
{
	const struct dirent *e;

	for (errno = 0; (e = readdir(w->dir)); errno = 0) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(w->dir), e->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (!is_directory(dirfd(w->dir), e->d_name, errno))
			note(w, errno);
		else
			dr_buf_add(&w->names, e->d_name, strlen(e->d_name) + 1);
	}
	if (errno)
		note(w, errno);
	if (w->names.failed) {
		w->names.failed = false;
		note(w, ENOMEM);
	}
}

/* The name that ends the list, and how to take it off. */
static const char *
last_name(const struct walk *w)
{
	size_t i = w->names.n - 1;

	while (i > 0 && w->names.p[i - 1])
		i--;
	return w->names.p + i;
}

static void
drop_name(struct walk *w)
{
	w->names.n = (size_t)(last_name(w) - w->names.p);
}

static int
leave(struct walk *w)
{
	const struct level *up = &w->levels[w->depth - 2];
	int fd = openat(dirfd(w->dir), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	DIR *dir;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) || !(dir = fdopendir(fd))) {
		dr_close(&fd);
		return -1;
	}
	closedir(w->dir);
	w->dir = dir;
	w->depth--;
	if (st.st_dev == up->dev && st.st_ino == up->ino)
		return 0;
	errno = ESTALE;
	return -1;
}

/* Everything below the first level, but not that itself. An error of one entry doesn't keep the others; only
 * the way that is lost ends the walk. */
static void
remove_below(struct walk *w)
{
	sweep(w);
	while (w->depth > 1 || w->names.n) {
		if (w->names.n > w->levels[w->depth - 1].names) {
			if (enter(w, dirfd(w->dir), last_name(w)) == 0) {
				sweep(w);
			} else {
				if (errno != ENOENT)
					note(w, errno);
				drop_name(w);
			}
			continue;
		}
		if (leave(w)) {
			note(w, errno);
			return;
		}
		if (unlinkat(dirfd(w->dir), last_name(w), AT_REMOVEDIR) && errno != ENOENT)
			note(w, errno);
		drop_name(w);
	}
}

/* path without the slashes behind it, with which even calls that don't follow links would follow one; NULL
 * with errno. */
static char *
trimmed(const char *path)
{
	size_t n = strlen(path), base;
	char *p;

	while (n && path[n - 1] == '/')
		n--;
	for (base = n; base && path[base - 1] != '/'; base--)
		;
	/* The root, and names that are no entry of the directory above. */
	if (n == base || (n - base <= 2 && strspn(path + base, ".") >= n - base)) {
		errno = EINVAL;
		return NULL;
	}
	p = strndup(path, n);
	return p;
}

int
dr_remove_tree(int dirfd, const char *path)
{
	struct walk w = { 0 };
	char *name;

	if (unlinkat(dirfd, path, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTDIR && !is_directory(dirfd, path, errno))
		return -1;
	name = trimmed(path);
	if (!name)
		return -1;
	if (enter(&w, dirfd, name) == 0)
		remove_below(&w);
	else if (errno != ENOENT)
		note(&w, errno);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) && errno != ENOENT)
		note(&w, errno);
	if (w.dir)
		closedir(w.dir);
	free(w.levels);
	dr_buf_free(&w.names);
	free(name);
	if (!w.error)
		return 0;
	errno = w.error;
	return -1;
}
