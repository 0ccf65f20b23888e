#include "config.h"

#include "query.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os.h"
#include "query-private.h"

enum { PIECE = 32768 };

int
dr_query_open_log(const struct dr_query *q, const struct dr_rec_task *t)
{
	char name[40];

	if (!t->log_len || q->o.state_dir < 0)
		return -1;
	snprintf(name, sizeof(name), "log/%016" PRIx64, t->run);
	return openat(q->o.state_dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

/* Where a descriptor of ours or of another process leads to; -1: nobody says. */
static ssize_t
leads_to(const char *process, int fd, char *to, size_t size)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%s/fd/%d", process, fd);
	n = readlink(link, to, size - 1);
	if (n >= 0)
		to[n] = '\0';
	return n;
}

int
dr_query_open_running(const struct dr_query *q, uint32_t pid, int fd, uint64_t *len)
{
	char process[16], dir[PATH_MAX], file[PATH_MAX], other[PATH_MAX], link[64];
	struct stat st;
	ssize_t n;
	int opened;

	snprintf(process, sizeof(process), "%" PRIu32, pid);
	n = leads_to("self", q->o.state_dir, dir, sizeof(dir));
	/* A file without a name in our state directory: else it is redirected, or another process by now. */
	if (n <= 0 || leads_to(process, fd, file, sizeof(file)) <= n || memcmp(file, dir, (size_t)n) != 0 ||
	    file[n] != '/' || strchr(file + n + 1, '/'))
		return -1;
	if (fd == STDERR_FILENO && leads_to(process, STDOUT_FILENO, other, sizeof(other)) > 0 && !strcmp(file, other))
		return -1;
	snprintf(link, sizeof(link), "/proc/%s/fd/%d", process, fd);
	opened = open(link, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (opened >= 0 && (fstat(opened, &st) || !S_ISREG(st.st_mode) || st.st_nlink))
		dr_close(&opened);
	if (opened >= 0)
		*len = (uint64_t)st.st_size;
	return opened;
}

bool
dr_query_line(struct dr_str *text, struct dr_str *line)
{
	const char *nl;

	if (!text->p)
		return false;
	nl = text->n ? memchr(text->p, '\n', text->n) : NULL;
	*line = (struct dr_str){ text->p, nl ? (size_t)(nl - text->p) : text->n };
	text->n -= line->n + (nl ? 1 : 0);
	text->p = nl ? nl + 1 : NULL;
	return true;
}

int
dr_query_copy(struct dr_query *q, int fd, uint64_t at, uint64_t len, struct dr_err *err)
{
	char piece[PIECE];

	while (len) {
		ssize_t n = dr_pread_full(fd, piece, len < PIECE ? (size_t)len : PIECE, (off_t)at);

		if (n < 0)
			return dr_err_sys(err, errno, "read what a task printed");
		if (!n) /* shorter than its record says */
			return 0;
		if (q->o.json)
			dr_json_add_str(&q->json, (struct dr_str){ piece, (size_t)n });
		else
			dr_buf_add(&q->out, piece, (size_t)n);
		if (dr_query_flush(q, false, err))
			return -1;
		at += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}
