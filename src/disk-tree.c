#include "config.h"

#include "disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "hash.h"
#include "os.h"
#include "str.h"

/* A directory on its way to a stamp. Entries are summed up by hashes of their own, so that they need no order and no room. */
struct walk {
	int root;
	size_t top; /* bytes of the path that are the directory's own */
	char **todo; /* directories below it, by their paths */
	uint32_t n, cap;
	struct dr_buf path, entry;
	uint64_t sum;
	int64_t size;
};

static int
push(struct walk *w, const char *path)
{
	if (dr_grow(&w->todo, &w->cap, (size_t)w->n + 1, sizeof(*w->todo)) || !(w->todo[w->n] = strdup(path))) {
		errno = ENOMEM;
		return -1;
	}
	w->n++;
	return 0;
}

/* Its path below the directory, its kind, and of what is no directory its size and time, or where it leads to. */
static int
add_entry(struct walk *w, int dir, const char *name)
{
	const char *path = dr_buf_cstr(&w->path);
	char target[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return -1;
	dr_buf_reset(&w->entry);
	dr_buf_addf(&w->entry, "%o ", (unsigned)(st.st_mode & (S_IFMT | S_IXUSR)));
	if (S_ISDIR(st.st_mode)) {
		w->entry.n = 0;
		dr_buf_addc(&w->entry, 'd');
		if (push(w, path))
			return -1;
	} else if (S_ISLNK(st.st_mode)) {
		n = readlinkat(dir, name, target, sizeof(target));
		if (n < 0)
			return -1;
		dr_buf_add(&w->entry, target, (size_t)n);
	} else {
		int64_t mtime = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;

		w->size += st.st_size;
		dr_buf_addf(&w->entry, "%lld %lld", (long long)st.st_size, (long long)mtime);
	}
	dr_buf_addc(&w->entry, '\0');
	dr_buf_add(&w->entry, path + w->top, w->path.n - w->top);
	if (w->entry.failed || w->path.failed) {
		errno = ENOMEM;
		return -1;
	}
	w->sum += dr_hash64(w->entry.p, w->entry.n);
	return 0;
}

static int
add_directory(struct walk *w, const char *path, bool below)
{
	int fd = openat(w->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (below ? O_NOFOLLOW : 0)), rc = 0;
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!stream) {
		dr_close(&fd);
		return -1;
	}
	while (rc == 0 && (e = readdir(stream))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		dr_buf_reset(&w->path);
		dr_buf_addf(&w->path, "%s/%s", path, e->d_name);
		rc = add_entry(w, dirfd(stream), e->d_name);
	}
	closedir(stream);
	return rc;
}

int
dr_disk_tree(int root, const char *path, struct dr_stamp *st)
{
	struct walk w = { .root = root, .top = strlen(path) };
	int rc = add_directory(&w, path, false), e;

	while (rc == 0 && w.n) {
		char *next = w.todo[--w.n];

		rc = add_directory(&w, next, true);
		free(next);
	}
	e = errno;
	while (w.n)
		free(w.todo[--w.n]);
	free(w.todo);
	dr_buf_free(&w.path);
	dr_buf_free(&w.entry);
	st->size = w.size;
	st->mtime = (int64_t)(w.sum & INT64_MAX);
	errno = e;
	return rc;
}

int
dr_disk_look(struct dr_disk *d, const char *path, bool tree, struct dr_stamp *st, bool *dir)
{
	if (d->stat(d, path, st, dir))
		return -1;
	return tree && *dir ? d->tree(d, path, st) : 0;
}

/* A name beside `temp` that is swept as that one is: DIR/.dagrun-ID-old. */
static void
aside_name(const char *temp, struct dr_buf *out)
{
	enum { HEAD = sizeof(".dagrun-0123456789abcdef-") - 1 };
	const char *slash = strrchr(temp, '/');

	dr_buf_add(out, temp, (slash ? (size_t)(slash + 1 - temp) : 0) + HEAD);
	dr_buf_adds(out, "old");
}

/* Where two names cannot change places at once: for a moment there is nothing under the final one. A crash then leaves
 * the record and the temporary name, which is all that it takes to go on. */
static int
swap_slowly(struct dr_disk *d, const char *temp, const char *path)
{
	struct dr_buf aside = { 0 };
	int rc = -1;

	aside_name(temp, &aside);
	if (aside.failed)
		errno = ENOMEM;
	else if (!d->remove_tree(d, dr_buf_cstr(&aside)) && !d->rename(d, path, dr_buf_cstr(&aside)))
		rc = d->rename(d, temp, path);
	if (rc == 0 && d->remove_tree(d, dr_buf_cstr(&aside)))
		rc = 1;
	dr_buf_free(&aside);
	return rc;
}

int
dr_disk_publish(struct dr_disk *d, const char *temp, const char *path, bool tree)
{
	if (d->rename(d, temp, path) == 0)
		return 0;
	if (!tree || (errno != ENOTEMPTY && errno != EEXIST))
		return -1;
	if (d->exchange(d, temp, path))
		return errno == EINVAL || errno == ENOSYS ? swap_slowly(d, temp, path) : -1;
	/* What was there before. */
	return d->remove_tree(d, temp) ? 1 : 0;
}
