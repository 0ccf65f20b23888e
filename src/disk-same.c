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
#include "os.h"

enum { FILE_COST = 4096 }; /* what opening one of many files counts as, beside its bytes */

/* Two directories side by side. */
struct pair {
	int root;
	const char *a, *b;
	char **todo; /* directories below, by their paths from there */
	uint32_t n, cap;
	struct dr_buf path; /* from there, of what is being looked at */
	struct dr_buf *files;
};

static int
no_memory(void)
{
	errno = ENOMEM;
	return -1;
}

static int
push(struct pair *p)
{
	if (dr_grow(&p->todo, &p->cap, (size_t)p->n + 1, sizeof(*p->todo)))
		return no_memory();
	p->todo[p->n] = strdup(dr_buf_cstr(&p->path));
	if (!p->todo[p->n])
		return no_memory();
	p->n++;
	return 0;
}

static int
same_link(int a, int b, const char *name)
{
	char to_a[PATH_MAX], to_b[PATH_MAX];
	ssize_t n = readlinkat(a, name, to_a, sizeof(to_a)), m = readlinkat(b, name, to_b, sizeof(to_b));

	return n < 0 || m < 0 ? -1 : n == m && !memcmp(to_a, to_b, (size_t)n);
}

/* What has p->path in both: 1, 0, -1 with errno. */
static int
same_entry(struct pair *p, int a, int b, const char *name)
{
	struct stat sa, sb;

	if (fstatat(a, name, &sa, AT_SYMLINK_NOFOLLOW))
		return -1;
	if (fstatat(b, name, &sb, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -1;
	if (sa.st_mode != sb.st_mode)
		return 0;
	if (S_ISDIR(sa.st_mode))
		return push(p) ? -1 : 1;
	if (S_ISLNK(sa.st_mode))
		return same_link(a, b, name);
	if (!S_ISREG(sa.st_mode) || sa.st_size != sb.st_size)
		return 0;
	if (sa.st_size) {
		dr_buf_addstr(p->files, dr_buf_str(&p->path));
		dr_buf_addc(p->files, '\0');
	}
	return p->files->failed ? no_memory() : 1;
}

static DIR *
open_below(const struct pair *p, const char *top, const char *below)
{
	struct dr_buf path = { 0 };
	DIR *stream = NULL;
	int fd = -1;

	dr_buf_adds(&path, top);
	if (*below)
		dr_buf_addf(&path, "/%s", below);
	if (path.failed)
		errno = ENOMEM;
	else
		fd = openat(p->root, dr_buf_cstr(&path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && !(stream = fdopendir(fd)))
		dr_close(&fd);
	dr_buf_free(&path);
	return stream;
}

static const char *
next_name(DIR *stream)
{
	const struct dirent *e;

	while ((e = readdir(stream)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			return e->d_name;
	return NULL;
}

/* As many names, and each of the one is in the other and alike. */
static int
same_directory(struct pair *p, const char *below)
{
	DIR *a = open_below(p, p->a, below), *b = open_below(p, p->b, below);
	const char *name;
	int64_t more = 0;
	int rc = a && b ? 1 : -1;

	while (rc == 1 && (name = next_name(a))) {
		more++;
		dr_buf_reset(&p->path);
		if (*below)
			dr_buf_addf(&p->path, "%s/", below);
		dr_buf_adds(&p->path, name);
		rc = p->path.failed ? no_memory() : same_entry(p, dirfd(a), dirfd(b), name);
	}
	while (rc == 1 && next_name(b))
		more--;
	if (a)
		closedir(a);
	if (b)
		closedir(b);
	return rc == 1 && more ? 0 : rc;
}

int
dr_disk_same_list(int root, const char *a, const char *b, struct dr_buf *files)
{
	struct pair p = { .root = root, .a = a, .b = b, .files = files };
	int rc = same_directory(&p, ""), e;

	while (rc == 1 && p.n) {
		char *below = p.todo[--p.n];

		rc = same_directory(&p, below);
		free(below);
	}
	e = errno;
	while (p.n)
		free(p.todo[--p.n]);
	free(p.todo);
	dr_buf_free(&p.path);
	errno = e;
	return rc;
}

/* The next file of two directories that list the same. */
static int
same_file(struct dr_disk *d, const char *a, const char *b, struct dr_same *s)
{
	const char *name = s->files.p + s->next;
	struct dr_buf in_a = { 0 }, in_b = { 0 };
	int rc;

	dr_buf_addf(&in_a, "%s/%s", a, name);
	dr_buf_addf(&in_b, "%s/%s", b, name);
	rc = in_a.failed || in_b.failed ? no_memory() : d->same(d, dr_buf_cstr(&in_a), dr_buf_cstr(&in_b), &s->part);
	dr_buf_free(&in_a);
	dr_buf_free(&in_b);
	if (rc != 1)
		return rc;
	s->part.left -= s->part.left < FILE_COST ? s->part.left : FILE_COST;
	s->part.at = 0;
	s->next += strlen(name) + 1;
	return 1;
}

int
dr_disk_same(struct dr_disk *d, const char *a, const char *b, bool tree, struct dr_same *s)
{
	int rc;

	if (!tree)
		return d->same(d, a, b, &s->part);
	if (!s->listed) {
		rc = d->same_list(d, a, b, &s->files);
		if (rc != 1)
			return rc;
		s->listed = true;
	}
	while (s->next < s->files.n) {
		if (!s->part.left)
			return DR_DISK_MORE;
		rc = same_file(d, a, b, s);
		if (rc != 1)
			return rc;
	}
	return 1;
}

void
dr_same_free(struct dr_same *s)
{
	dr_buf_free(&s->files);
	*s = (struct dr_same){ 0 };
}
