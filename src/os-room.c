#include "config.h"

#include "os.h"

#include "err.h"
#include "str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

/* Where control groups are, and the group that we are in, in the second hierarchy's way: the first one's files have other names. */
#define GROUPS "/sys/fs/cgroup"

/* The whole of a small file of the kernel's; NULL: it is not there. */
static const char *
slurp(const char *path, struct dr_buf *b)
{
	struct dr_err err;

	dr_buf_reset(b);
	return dr_slurp(AT_FDCWD, path, b, &err) || b->failed ? NULL : dr_buf_cstr(b);
}

/* The number behind `key` at the beginning of a line, or -1. */
static int
number_of(const char *text, const char *key, uint64_t *n)
{
	size_t len = strlen(key);

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (strncmp(text, key, len) == 0 && strspn(text + len, " \t:")) {
			*n = strtoull(text + len + strspn(text + len, " \t:"), NULL, 10);
			return 0;
		}
		if (!*text)
			break;
	}
	return -1;
}

/* A file of a group of ours; "" or "max" is no number. */
static int
group_number(const struct dr_buf *group, const char *name, struct dr_buf *b, uint64_t *n)
{
	struct dr_buf path = { 0 };
	const char *text;
	int rc = -1;

	dr_buf_addf(&path, GROUPS "%s/%s", dr_buf_cstr((struct dr_buf *)group), name);
	text = path.failed ? NULL : slurp(dr_buf_cstr(&path), b);
	if (text && *text >= '0' && *text <= '9') {
		*n = strtoull(text, NULL, 10);
		rc = 0;
	}
	dr_buf_free(&path);
	return rc;
}

/* What is left below a group's limit. Pages of files that it could drop count as free. */
static uint64_t
group_room(const struct dr_buf *group, struct dr_buf *b)
{
	uint64_t most, used, files = 0;
	struct dr_buf path = { 0 };
	const char *text;

	if (group_number(group, "memory.max", b, &most) || group_number(group, "memory.current", b, &used))
		return UINT64_MAX;
	dr_buf_addf(&path, GROUPS "%s/memory.stat", dr_buf_cstr((struct dr_buf *)group));
	text = path.failed ? NULL : slurp(dr_buf_cstr(&path), b);
	if (text)
		number_of(text, "inactive_file", &files);
	dr_buf_free(&path);
	used = used > files ? used - files : 0;
	return most > used ? most - used : 0;
}

/* Our group, as "/a/b"; "" at the top or without groups of the second kind. */
static void
own_group(struct dr_buf *group, struct dr_buf *b)
{
	const char *text = slurp("/proc/self/cgroup", b), *at = text ? strstr(text, "0::/") : NULL;

	dr_buf_reset(group);
	if (at && (at == text || at[-1] == '\n') && at[4] && at[4] != '\n')
		dr_buf_add(group, at + 3, strcspn(at + 3, "\n"));
}

/* The group above; false: it was the top. */
static bool
above(struct dr_buf *group)
{
	while (group->n && group->p[--group->n] != '/')
		;
	if (group->p)
		group->p[group->n] = '\0';
	return group->n > 0;
}

uint64_t
dr_memory_available(void)
{
	struct dr_buf b = { 0 }, group = { 0 };
	const char *text = slurp("/proc/meminfo", &b);
	uint64_t n = UINT64_MAX, kb, left;

	if (text && number_of(text, "MemAvailable", &kb) == 0)
		n = kb * 1024;
	own_group(&group, &b);
	if (group.n && !group.failed) {
		do {
			left = group_room(&group, &b);
			n = left < n ? left : n;
		} while (above(&group));
	}
	dr_buf_free(&group);
	dr_buf_free(&b);
	return n;
}

double
dr_memory_pressure(void)
{
	struct dr_buf b = { 0 };
	const char *text = slurp("/proc/pressure/memory", &b), *at = text ? strstr(text, "full avg10=") : NULL;
	double share = at ? strtod(at + strlen("full avg10="), NULL) / 100 : 0;

	dr_buf_free(&b);
	return share;
}

uint64_t
dr_memory_kills(void)
{
	struct dr_buf b = { 0 };
	const char *text = slurp("/proc/vmstat", &b);
	uint64_t n = 0;

	if (!text || number_of(text, "oom_kill", &n))
		n = 0;
	dr_buf_free(&b);
	return n;
}

int
dr_disk_space(int dirfd, const char *path, uint64_t *bytes)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc, e;
	struct statvfs st;

	if (fd < 0)
		return -1;
	rc = fstatvfs(fd, &st);
	e = errno;
	dr_close(&fd);
	errno = e;
	if (rc == 0)
		*bytes = (uint64_t)st.f_bavail * st.f_frsize;
	return rc;
}
