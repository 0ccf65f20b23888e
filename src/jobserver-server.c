#include "config.h"

#include "jobserver-pool.h"

#include "err.h"
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	FIRST_FD = 100,       /* scripts use the numbers below 10 */
	MOST_BYTES = 1 << 20, /* what an unprivileged pipe may hold on Linux */
};

struct dr_server {
	struct dr_pool *pool;
	uint32_t jobs;
	bool started, with_fifo;
	/* Hold the numbers of the children's descriptors, so that none that the caller passes to a child
	 * has one of them and would be overwritten. -1: none is free. */
	int child_r, child_w;
	struct dr_fifo fifo;
	char without[600];
};

struct dr_server *
dr_server_new(uint32_t jobs, bool fifo, struct dr_pool *pool, struct dr_err *err)
{
	struct dr_server *s = calloc(1, sizeof(*s));

	if (!s) {
		dr_err_nomem(err);
		return NULL;
	}
	s->pool = pool;
	s->jobs = jobs;
	s->with_fifo = fifo;
	s->fifo = DR_FIFO_NONE;
	s->child_r = s->child_w = -1;
	return s;
}

void
dr_server_free(struct dr_server *s)
{
	if (!s)
		return;
	dr_fifo_close(&s->fifo);
	dr_close(&s->child_r);
	dr_close(&s->child_w);
	free(s);
}

uint32_t
dr_server_jobs(const struct dr_server *s)
{
	return s->jobs;
}

void
dr_server_tell(struct dr_server *s, char *where, size_t size)
{
	s->fifo.where = where;
	s->fifo.where_size = size;
}

static int
make_fifo(struct dr_server *s, struct dr_err *err)
{
	int fd;

	if (dr_fifo_make(&s->fifo, &fd, err))
		return -1;
	s->pool->r = s->pool->w = fd;
	return 0;
}

/* Without a place for a fifo there is still a pipe, which has one address less. */
static int
make_pipe(struct dr_server *s, struct dr_err *err)
{
	int fds[2];

#ifdef HAVE_PIPE2
	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC))
		return dr_err_sys(err, errno, "make a pipe for the jobserver");
#else
	if (pipe(fds))
		return dr_err_sys(err, errno, "make a pipe for the jobserver");
	for (int i = 0; i < 2; i++) {
		fcntl(fds[i], F_SETFD, FD_CLOEXEC);
		fcntl(fds[i], F_SETFL, fcntl(fds[i], F_GETFL) | O_NONBLOCK);
	}
#endif
	s->pool->r = fds[0];
	s->pool->w = fds[1];
	return 0;
}

/* How many bytes a pipe holds whatever is read and written in turn: a page that is read in part takes a
 * whole page's place, so all but one page. */
static size_t
room(int fd, size_t need)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int size = 0;

#ifdef F_SETPIPE_SZ
	size = fcntl(fd, F_GETPIPE_SZ);
	if (size > 0 && (size_t)size < need + page) {
		fcntl(fd, F_SETPIPE_SZ, (int)(need + page));
		size = fcntl(fd, F_GETPIPE_SZ);
	}
#else
	(void)fd;
	(void)need;
#endif
	/* Where it cannot be known: what any system's pipe holds */
	return size > 0 && (size_t)size > page ? (size_t)size - page : 4095;
}

/* Without blocking: a pool that is too small for what was asked makes fewer jobs. */
static void
fill(struct dr_server *s)
{
	size_t want = s->jobs - 1 < MOST_BYTES ? s->jobs - 1 : MOST_BYTES;
	size_t most = room(s->pool->w, want), have = 0;
	char tokens[4096];

	memset(tokens, '+', sizeof(tokens));
	if (want > most)
		want = most;
	while (have < want) {
		size_t n = want - have < sizeof(tokens) ? want - have : sizeof(tokens);
		ssize_t rc = write(s->pool->w, tokens, n);

		if (rc > 0)
			have += (size_t)rc;
		else if (errno != EINTR)
			break;
	}
	s->jobs = (uint32_t)have + 1;
}

int
dr_server_start(struct dr_server *s, const char **without, struct dr_err *err)
{
	struct dr_err why;

	*without = NULL;
	if (s->started || s->jobs <= 1)
		return 0;
	if (!s->with_fifo) {
		if (make_pipe(s, err))
			return -1;
	} else if (make_fifo(s, &why)) {
		if (make_pipe(s, err))
			return -1;
		snprintf(s->without, sizeof(s->without),
			 "our jobserver has no fifo: programs that know no other kind do not share it "
			 "(%.400s)",
			 why.msg);
		*without = s->without;
	}
	fill(s);
	s->child_r = dr_dup_above(s->pool->r, FIRST_FD);
	s->child_w = dr_dup_above(s->pool->w, FIRST_FD);
	if (s->child_w < 0)
		dr_close(&s->child_r);
	s->started = true;
	return 0;
}

int64_t
dr_server_reconcile(struct dr_server *s, uint32_t ours, bool *held)
{
	int64_t off;
	struct dr_guard_slot nobodys = { 0 };
	int there;

	if (!s->started || ioctl(s->pool->r, FIONREAD, &there))
		return 0;
	off = (int64_t)s->jobs - 1 - ours - there;
	if (off > 0 && held && (*held = dr_pool_held_elsewhere(s->pool)))
		return 0;
	for (int64_t i = 0; i < off; i++) {
		if (dr_pool_write(s->pool, '+'))
			return i;
	}
	for (int64_t i = 0; i > off; i--) {
		if (dr_pool_read(s->pool, &nobodys) <= 0)
			return i;
	}
	return off;
}

bool
dr_server_started(const struct dr_server *s)
{
	return s->started;
}

struct dr_pool_address
dr_server_address(const struct dr_server *s, enum dr_style style)
{
	struct dr_pool_address a = { .jobs = s->jobs, .r = -1, .w = -1, .style = style };

	if (s->started && (style == DR_STYLE_BOTH || style == DR_STYLE_PIPE)) {
		a.r = s->child_r;
		a.w = s->child_w;
	}
	if (s->started && s->fifo.path[0] && (style == DR_STYLE_BOTH || style == DR_STYLE_FIFO))
		a.fifo = s->fifo.path;
	return a;
}

/* A description that is none of ours, and blocks: a make 4.3 sets flags of the one that it has. For both ends, as each child has
 * both: a writer of the pool, who so never sees its end, and never waits, as there is room for all tokens. -1 with errno. */
static int
open_anew(const struct dr_server *s)
{
	char path[64];
	int own;

	/* By the descriptor, as something may have removed the fifo. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->pool->r);
	own = open(path, O_RDWR | O_CLOEXEC);
	return own < 0 && s->fifo.path[0] ? open(s->fifo.path, O_RDWR | O_CLOEXEC) : own;
}

/* Whether it is as open_anew made it, whoever has had it. */
static bool
is_as_new(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && !(flags & (O_NONBLOCK | O_ASYNC));
}

int
dr_server_child_fds(const struct dr_server *s, enum dr_style style, int *fd, int *to_r, int *to_w, struct dr_err *err)
{
	*to_r = *to_w = -1;
	if (dr_server_address(s, style).r < 0)
		return 0;
	if (*fd >= 0 && !is_as_new(*fd))
		dr_close(fd);
	if (*fd < 0)
		*fd = open_anew(s);
	if (*fd < 0)
		return dr_err_sys(err, errno, "open the jobserver for a child");
	*to_r = s->child_r;
	*to_w = s->child_w;
	return 0;
}
