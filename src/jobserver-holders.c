#include "config.h"

#include "jobserver-pool.h"

#include "os.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The parent's number behind the name, which may hold anything but ends with the last ')'. -1: not to be known. */
static long
parent_of(int proc, const char *pid)
{
	char path[32], text[512], *end;
	long parent = -1;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%.15s/stat", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : dr_read_full(fd, text, sizeof(text) - 1);
	dr_close(&fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	end = strrchr(text, ')');
	return end && sscanf(end, ") %*c %ld", &parent) == 1 ? parent : -1;
}

static bool
has_open(int proc, const char *pid, const struct stat *pool)
{
	char path[32];
	struct dirent *e;
	struct stat st;
	bool found = false;
	DIR *d;
	int fd;

	snprintf(path, sizeof(path), "%.15s/fd", pid);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		dr_close(&fd);
		return false;
	}
	while (!found && (e = readdir(d)) != NULL)
		found = fstatat(fd, e->d_name, &st, 0) == 0 && st.st_dev == pool->st_dev && st.st_ino == pool->st_ino;
	closedir(d);
	return found;
}

bool
dr_pool_held_elsewhere(const struct dr_pool *p)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	struct stat pool;
	bool found = false;

	if (!proc)
		return false;
	while (fstat(p->r, &pool) == 0 && !found && (e = readdir(proc)) != NULL) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9' || strtol(e->d_name, NULL, 10) == (long)getpid())
			continue;
		found = has_open(dirfd(proc), e->d_name, &pool) && parent_of(dirfd(proc), e->d_name) != (long)getpid();
	}
	closedir(proc);
	return found;
}
