#include "config.h"

#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "str.h"

enum { NEXT_TO_NOTHING = 8192 }; /* bytes: what a file system that refused a write may have left */

/* The directory that a path is in, or the next one above it that is there. -1: none. */
static int
open_above(int dirfd, const char *path)
{
	char *dir = strdup(path), *slash;
	int fd = -1;

	while (dir && fd < 0 && (slash = strrchr(dir, '/'))) {
		slash[slash == dir] = '\0';
		fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && slash == dir)
			break;
	}
	if (dir && fd < 0 && *path != '/')
		fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	return fd;
}

/* Goes up from *fd as long as that is the same file system. */
static void
climb(int *fd)
{
	struct stat here, above;

	while (fstat(*fd, &here) == 0) {
		int up = openat(*fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (up < 0 || fstat(up, &above) || above.st_dev != here.st_dev || above.st_ino == here.st_ino) {
			dr_close(&up);
			return;
		}
		dr_close(fd);
		*fd = up;
	}
}

static void
add_name(int fd, struct dr_buf *out)
{
	char link[40], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	if (n > 0)
		dr_buf_escape(out, (struct dr_str){ path, (size_t)n });
	else
		dr_buf_adds(out, "it");
}

bool
dr_no_room(int dirfd, const char *path, struct dr_buf *out)
{
	int fd = open_above(dirfd, path);
	struct statvfs st;
	bool full = false;

	if (fd < 0)
		return false;
	if (fstatvfs(fd, &st) == 0)
		full = (st.f_blocks && st.f_bavail < NEXT_TO_NOTHING / (st.f_frsize ? st.f_frsize : 1) + 1) ||
		       (st.f_files && !st.f_favail);
	if (full) {
		climb(&fd);
		add_name(fd, out);
	}
	dr_close(&fd);
	return full;
}
