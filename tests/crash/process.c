#define _GNU_SOURCE

#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool
alive(pid_t pid)
{
	char path[64], text[512];
	const char *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	p = strrchr(text, ')');
	return p && p[1] && p[2] != 'Z' && p[2] != 'X';
}

bool
thread_of(pid_t tid, pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)pid, (int)tid);
	return access(path, F_OK) == 0;
}

/* Those of one of its threads, behind the n that there are. */
static int
add_children(pid_t pid, int tid, pid_t *kids, int n, int max)
{
	char path[64];
	FILE *f;
	int kid;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, tid);
	f = fopen(path, "re");
	while (f && n < max && fscanf(f, "%d", &kid) == 1) {
		if (alive(kid))
			kids[n++] = kid;
	}
	if (f)
		fclose(f);
	return n;
}

int
children_of(pid_t pid, pid_t *kids, int max)
{
	const struct dirent *e;
	char path[64];
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		if (e->d_name[0] != '.')
			n = add_children(pid, atoi(e->d_name), kids, n, max);
	}
	if (d)
		closedir(d);
	return n;
}
