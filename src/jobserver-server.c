#include "config.h"

#include "jobserver-pool.h"

#include "err.h"
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	FIRST_FD = 100,       /* scripts use the numbers below 10 */
	MOST_BYTES = 1 << 20, /* what an unprivileged pipe may hold on Linux */
	ENV_MAX = 3,
};

struct dr_server {
	struct dr_pool *pool;
	uint32_t jobs;
	bool started, told;
	/* Hold the numbers of the children's descriptors, so that none that the caller passes to a child
	 * has one of them and would be overwritten. -1: none is free. */
	int child_r, child_w;
	struct dr_fifo fifo;
	char without[600];
	struct dr_buf env[ENV_MAX];
	const char *envp[ENV_MAX + 1];
};

struct dr_server *
dr_server_new(uint32_t jobs, struct dr_pool *pool, struct dr_err *err)
{
	struct dr_server *s = calloc(1, sizeof(*s));

	if (!s) {
		dr_err_nomem(err);
		return NULL;
	}
	s->pool = pool;
	s->jobs = jobs;
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
	for (int i = 0; i < ENV_MAX; i++)
		dr_buf_free(&s->env[i]);
	free(s);
}

uint32_t
dr_server_jobs(const struct dr_server *s)
{
	return s->jobs;
}

void
dr_server_remove(struct dr_server *s)
{
	dr_fifo_remove(&s->fifo);
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
	if (make_fifo(s, &why)) {
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
dr_server_reconcile(struct dr_server *s, uint32_t ours)
{
	int64_t off;
	int there;
	char c = '+';

	if (!s->started || ioctl(s->pool->r, FIONREAD, &there))
		return 0;
	off = (int64_t)s->jobs - 1 - ours - there;
	for (int64_t i = 0; i < off; i++) {
		if (dr_pool_write(s->pool, c))
			return i;
	}
	for (int64_t i = 0; i > off; i--) {
		if (dr_pool_read(s->pool, &c) <= 0)
			return i;
	}
	return off;
}

/* The words that make and its like find the pool by. gcc up to 12 takes the first jobserver word that it
 * sees, and make 4.3 ends when an option of its own names a fifo; to make, what follows -- is a variable.
 * Who knows fifos takes the last word. */
static void
name_pool(const struct dr_server *s, struct dr_buf *options, struct dr_buf *variables)
{
	if (!s->started || (s->child_r < 0 && !s->fifo.path[0]))
		return;
	dr_buf_addf(options, " -j%u", (unsigned)s->jobs);
	if (s->child_r >= 0)
		dr_buf_addf(options, " --jobserver-auth=%d,%d", s->child_r, s->child_w);
	if (s->fifo.path[0])
		dr_buf_addf(variables, " --jobserver-auth=fifo:%s", s->fifo.path);
}

static const struct told {
	const char *name;
	bool keep;      /* what we inherited goes on; else only the pool is told */
	bool variables; /* and what stands behind -- */
	bool trim;      /* begins with an option, not with a blank in place of letters */
} told[ENV_MAX] = {
	{ .name = "MAKEFLAGS", .keep = true, .variables = true },
	{ .name = "MFLAGS", .keep = true, .trim = true },
	{ .name = "CARGO_MAKEFLAGS", .variables = true },
};

/* NAME=VALUE into b, which stays empty when that is what the environment says already. */
static int
tell(const struct dr_server *s, const struct told *t, struct dr_buf *b)
{
	const char *now = getenv(t->name);
	struct dr_flag_words words;
	size_t from;

	if (dr_flag_words_split(t->keep ? now : NULL, &words))
		return -1;
	name_pool(s, &words.options, &words.variables);
	dr_buf_addf(b, "%s=", t->name);
	from = b->n;
	dr_buf_addstr(b, dr_buf_str(&words.letters));
	dr_buf_addstr(b, dr_buf_str(&words.options));
	if (t->variables && words.variables.n) {
		dr_buf_adds(b, " --");
		dr_buf_addstr(b, dr_buf_str(&words.variables));
	}
	if (words.letters.failed || words.options.failed || words.variables.failed)
		b->failed = true;
	dr_flag_words_free(&words);
	if (b->failed)
		return -1;
	if (t->trim && b->p[from] == ' ')
		memmove(b->p + from, b->p + from + 1, b->n-- - from);
	if (dr_str_eq((struct dr_str){ b->p + from, b->n - from }, dr_str(now)))
		dr_buf_reset(b);
	return 0;
}

const char *const *
dr_server_env(struct dr_server *s)
{
	int n = 0;

	if (s->told)
		return s->envp;
	for (int i = 0; i < ENV_MAX; i++) {
		dr_buf_reset(&s->env[i]);
		/* Without memory children do without the pool. */
		if (tell(s, &told[i], &s->env[i]) == 0 && s->env[i].n)
			s->envp[n++] = s->env[i].p;
	}
	s->envp[n] = NULL;
	s->told = s->started || s->jobs <= 1;
	return s->envp;
}

/* A description of its own, that blocks: a make 4.3 sets flags of the one that it has. -1 with errno. */
static int
open_anew(const struct dr_server *s, int fd, int flags)
{
	char path[64];
	int own;

	/* By the descriptor, as something may have removed the fifo. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, flags | O_CLOEXEC);
	return own < 0 && s->fifo.path[0] ? open(s->fifo.path, flags | O_CLOEXEC) : own;
}

int
dr_server_child_fds(const struct dr_server *s, int *r, int *w, int *to_r, int *to_w, struct dr_err *err)
{
	*r = *w = *to_r = *to_w = -1;
	if (s->child_r < 0)
		return 0;
	*r = open_anew(s, s->pool->r, O_RDONLY);
	*w = *r < 0 ? -1 : open_anew(s, s->pool->w, O_WRONLY);
	if (*w < 0) {
		dr_err_sys(err, errno, "open the jobserver for a child");
		dr_close(r);
		return -1;
	}
	*to_r = s->child_r;
	*to_w = s->child_w;
	return 0;
}
