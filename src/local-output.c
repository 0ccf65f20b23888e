#include "config.h"

#include "local-private.h"

#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	SMALL = 32 << 10, /* what is copied through memory in one piece, with its heading */
	PIECE = 1 << 20,  /* else, where the kernel cannot copy by itself */
	KERNEL = 1 << 30, /* what it is asked to copy at once */
};

int
dr_local_raise(int *fd, int lowest)
{
	int high;

	if (*fd >= lowest)
		return 0;
	high = dr_dup_above(*fd, lowest);
	dr_close(fd);
	*fd = high;
	return high < 0 ? -1 : 0;
}

/* A file without a name: it takes what a task prints, and a process that the task leaves behind can go on
 * writing to it without holding up anybody. */
static int
nameless(struct dr_local *l, struct dr_err *err)
{
	char name[40];
	int fd = -1;

#ifdef O_TMPFILE
	fd = openat(l->o.state_dir, ".", O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 && errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL)
		return dr_err_sys(err, errno, "make a file for a task's output");
#endif
	if (fd < 0) {
		snprintf(name, sizeof(name), "output-%016" PRIx64, dr_random64());
		fd = openat(l->o.state_dir, name, O_CREAT | O_EXCL | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
		if (fd < 0)
			return dr_err_sys(err, errno, "make a file for a task's output");
		unlinkat(l->o.state_dir, name, 0);
	}
	if (dr_local_raise(&fd, DR_LOCAL_LOWEST))
		return dr_err_sys(err, errno, "make a file for a task's output");
	return fd;
}

int
dr_local_output_open(struct dr_local *l, struct dr_local_slot *s, struct dr_err *err)
{
	if (l->o.sync == DR_SYNC_NONE)
		return 0;
	if (s->out < 0)
		s->out = nameless(l, err);
	if (s->out < 0)
		return -1;
	if (l->o.one_stream)
		return 0;
	if (s->err < 0)
		s->err = nameless(l, err);
	return s->err < 0 ? -1 : 0;
}

static uint64_t
size_of(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* The run's log file, made when the first task prints something. */
static int
open_log(struct dr_local *l)
{
	char name[40];

	snprintf(name, sizeof(name), "log/%016" PRIx64, l->o.run);
	if (mkdirat(l->o.state_dir, "log", 0777) && errno != EEXIST)
		return -1;
	/* Not O_APPEND, as the kernel doesn't copy into such a file; nobody else writes to it. */
	l->log = openat(l->o.state_dir, name, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
	if (l->log < 0 || dr_local_raise(&l->log, DR_LOCAL_LOWEST))
		return -1;
	l->log_at = size_of(l->log);
	return 0;
}

/* n bytes of fd to the end of the log, in memory that does not grow with them. -1: what was written doesn't
 * count. */
static int
copy_piecewise(struct dr_local *l, int fd, uint64_t from, uint64_t n)
{
	char *p;

	if (!n)
		return 0;
	dr_buf_reset(&l->scratch);
	p = dr_buf_room(&l->scratch, n < PIECE ? n : PIECE);
	if (!p)
		return -1;
	while (n) {
		ssize_t got = dr_pread_full(fd, p, n < PIECE ? n : PIECE, (off_t)from);

		if (got <= 0 || dr_pwrite_full(l->log, p, (size_t)got, (off_t)l->log_at))
			return -1;
		from += (uint64_t)got;
		n -= (uint64_t)got;
		l->log_at += (uint64_t)got;
	}
	return 0;
}

static int
copy(struct dr_local *l, int fd, uint64_t n)
{
	uint64_t from = 0;

#ifdef HAVE_COPY_FILE_RANGE
	while (from < n) {
		off_t in = (off_t)from, out = (off_t)l->log_at;
		ssize_t got =
			copy_file_range(fd, &in, l->log, &out, n - from < KERNEL ? n - from : KERNEL, 0);

		if (got <= 0)
			break; /* some file systems can't; what is left goes the other way */
		from += (uint64_t)got;
		l->log_at += (uint64_t)got;
	}
#endif
	return copy_piecewise(l, fd, from, n - from);
}

/* A heading for people who read the whole file, and what was printed, in one write if it is little. */
static int
add_to_log(struct dr_local *l, const struct dr_local_slot *s, uint64_t *at)
{
	struct dr_buf *b = &l->scratch, name = { 0 };
	uint64_t all = s->out_len + s->err_len;
	ssize_t got;
	size_t head;
	char *p;

	dr_plan_task_name(l->o.plan, s->task, &name);
	dr_buf_reset(b);
	dr_buf_adds(b, "\n==> ");
	dr_buf_escape(b, dr_buf_str(&name));
	dr_buf_free(&name);
	if (s->grant.attempt > 1)
		dr_buf_addf(b, " (try %" PRIu32 ")", s->grant.attempt);
	dr_buf_adds(b, " <==\n");
	head = b->n;
	if (all <= SMALL) {
		p = dr_buf_room(b, all);
		if (!p)
			return -1;
		got = s->out_len ? dr_pread_full(s->out, p, s->out_len, 0) : 0;
		if (got == (ssize_t)s->out_len && s->err_len)
			got += dr_pread_full(s->err, p + got, s->err_len, 0);
		if (got != (ssize_t)all)
			return -1;
		b->n += all;
	}
	if (b->failed || dr_pwrite_full(l->log, b->p, b->n, (off_t)l->log_at))
		return -1;
	*at = l->log_at + head;
	l->log_at += b->n;
	if (all <= SMALL)
		return 0;
	if (s->out_len && copy(l, s->out, s->out_len))
		return -1;
	return s->err_len ? copy(l, s->err, s->err_len) : 0;
}

void
dr_local_output_collect(struct dr_local *l, struct dr_local_slot *s)
{
	uint64_t at = 0, before = l->log_at;

	s->out_len = size_of(s->out);
	s->err_len = size_of(s->err);
	s->outcome.log_at = s->outcome.log_len = 0;
	if (!s->out_len && !s->err_len)
		return;
	/* Without a log the task is as good: what it printed is shown all the same. */
	if (l->log < 0 && (l->log_failed || open_log(l))) {
		l->log_failed = true;
		return;
	}
	if (add_to_log(l, s, &at)) {
		l->log_at = before;
		return;
	}
	s->outcome.log_at = at;
	s->outcome.log_len = s->out_len + s->err_len;
}

void
dr_local_output_done(struct dr_local_slot *s)
{
	/* Not truncated and used again: somebody whom the task left behind may hold them still. */
	if (s->out_len)
		dr_close(&s->out);
	if (s->err_len)
		dr_close(&s->err);
	s->out_len = s->err_len = 0;
}
