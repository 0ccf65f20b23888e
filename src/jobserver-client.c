#include "config.h"

#include "jobserver-pool.h"

#include "err.h"
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char plus[] = "add '+' to the recipe";

static bool
of_the_system(int e)
{
	return e == EMFILE || e == ENFILE || e == ENOMEM;
}

/* Fills why, whose failure the caller sees. */
__attribute__((format(printf, 3, 4))) static int
unusable(struct dr_buf *why, const char *cure, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	dr_buf_addv(why, fmt, ap);
	va_end(ap);
	dr_buf_addf(why, "; one task at a time (%s)", cure);
	return 0;
}

/* What is wrong with a descriptor that should be one end of the pipe; NULL: nothing. */
static const char *
wrong(int fd, bool reads, struct stat *st)
{
	int flags = fcntl(fd, F_GETFD), mode;

	if (flags < 0)
		return "closed";
	/* It has not come through an exec: it is something that this process has opened since, where make
	 * had closed its own. */
	if (flags & FD_CLOEXEC)
		return "closed";
	if (fstat(fd, st) || !S_ISFIFO(st->st_mode))
		return "something else than a pipe";
	mode = fcntl(fd, F_GETFL) & O_ACCMODE;
	if (mode != O_RDWR && mode != (reads ? O_RDONLY : O_WRONLY))
		return reads ? "not open for reading" : "not open for writing";
	return NULL;
}

/* Opens the pipe behind a descriptor anew: a description of our own, whose flags nobody else sees. -1 with
 * errno. */
static int
reopen(int fd, const struct stat *st)
{
	char path[64];
	struct stat now;
	int own;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (own >= 0 && (fstat(own, &now) || now.st_dev != st->st_dev || now.st_ino != st->st_ino)) {
		dr_close(&own);
		errno = ENOENT;
	}
	return own;
}

/* The inherited descriptors as they are, where they belong to another user or the system has no /proc. */
static int
lend(struct dr_pool *p, const struct dr_auth_name *name, struct dr_buf *why, struct dr_err *err)
{
#ifdef SPLICE_F_NONBLOCK
	(void)why;
	if (pipe2(p->via, O_NONBLOCK | O_CLOEXEC))
		return dr_err_sys(err, errno, "make a pipe");
#else
	(void)err;
	/* Without splice a byte that another takes between poll and read would leave us waiting for the
	 * next one. */
	if (!(fcntl(name->read_fd, F_GETFL) & O_NONBLOCK))
		return unusable(why, "run make and dagrun as one user",
				"the jobserver's pipe is another user's");
#endif
	p->r = name->read_fd;
	p->w = name->write_fd;
	p->lent = true;
	return 1;
}

static int
join_pipe(struct dr_pool *p, const struct dr_auth_name *name, struct dr_buf *why, struct dr_err *err)
{
	int r = name->read_fd, w = name->write_fd, fd = r;
	const char *what;
	struct stat rst, wst;

	/* make 4.3 names the numbers also to recipes for which it has closed them, and by now they can be
	 * anything. */
	what = wrong(r, true, &rst);
	if (!what) {
		fd = w;
		what = wrong(w, false, &wst);
	}
	if (!what && (rst.st_dev != wst.st_dev || rst.st_ino != wst.st_ino))
		what = "of another pipe";
	if (what)
		return unusable(why, plus, "make's jobserver (descriptors %d,%d) cannot be used, as %d is %s",
				r, w, fd, what);
	p->r = p->w = reopen(r, &rst);
	if (p->r >= 0)
		return 1;
	if (of_the_system(errno))
		return dr_err_sys(err, errno, "open the jobserver's pipe");
	return lend(p, name, why, err);
}

static int
join_fifo(struct dr_pool *p, const char *path, struct dr_buf *why, struct dr_err *err)
{
	struct stat st;
	int fd, e;

	/* For reading and writing: it must not wait for the other side, and with our own writing end open
	 * there is no end of file when the others close theirs. */
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	e = errno;
	if (fd < 0 && of_the_system(e))
		return dr_err_sys(err, e, "open %s", path);
	if (fd < 0)
		return unusable(why, "it should be there while the make that named it runs",
				"the jobserver %s cannot be opened: %s", path, strerror(e));
	/* A device is a jobserver that a daemon plays. */
	if (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))) {
		p->r = p->w = fd;
		return 1;
	}
	dr_close(&fd);
	return unusable(why, "unset MAKEFLAGS to run without it", "the jobserver %s is not a fifo", path);
}

int
dr_pool_join(struct dr_pool *p, const struct dr_auth_name *name, struct dr_buf *why, struct dr_err *err)
{
	*p = DR_POOL_NONE;
	switch (name->auth) {
	case DR_AUTH_PIPE:
		return join_pipe(p, name, why, err);
	case DR_AUTH_FIFO:
		return join_fifo(p, dr_buf_cstr(&name->fifo), why, err);
	case DR_AUTH_DISABLED:
		return unusable(why, plus, "make keeps its jobserver from this recipe");
	case DR_AUTH_UNKNOWN:
		return unusable(why, "run make with --jobserver-style=fifo or pipe",
				"the jobserver '%s' is of a style that is not known here",
				dr_buf_cstr(&name->fifo));
	case DR_AUTH_NONE:
		break;
	}
	return unusable(why, "run make with -j", "there is no jobserver");
}

void
dr_pool_via(struct dr_pool *p)
{
#ifdef SPLICE_F_NONBLOCK
	if (p->via[0] < 0 && pipe2(p->via, O_NONBLOCK | O_CLOEXEC))
		p->via[0] = p->via[1] = -1;
#else
	(void)p;
#endif
}

/* The kernel writes the byte where it then stands, and nobody who comes upon WANTED knows whether it has, but by what stands there. */
static ssize_t
read_directly(struct dr_pool *p, struct dr_guard_slot *s)
{
	ssize_t n;

	s->byte = DR_TOKEN_NOT;
	atomic_store(&s->token, DR_TOKEN_WANTED);
	do
		n = read(p->r, &s->byte, 1);
	while (n < 0 && errno == EINTR);
	return n;
}

#ifdef SPLICE_F_NONBLOCK
/* First the byte goes from pipe to pipe, which it does wholly or not at all. So it is in the one, in the other, or has been read. Nor does
 * this ever wait, whatever the flags of a description that is not ours: splice has a flag of its own. */
static ssize_t
read_via(struct dr_pool *p, struct dr_guard_slot *s)
{
	ssize_t n;

	atomic_store(&s->token, DR_TOKEN_MOVING);
	do
		n = splice(p->r, NULL, p->via[1], NULL, 1, SPLICE_F_NONBLOCK);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n;
	atomic_store(&s->token, DR_TOKEN_MOVED);
	do
		n = read(p->via[0], &s->byte, 1);
	while (n < 0 && errno == EINTR);
	return n;
}
#endif

int
dr_pool_read(struct dr_pool *p, struct dr_guard_slot *s)
{
	ssize_t n = -1;

	errno = EINVAL;
#ifdef SPLICE_F_NONBLOCK
	if (p->via[1] >= 0)
		n = read_via(p, s);
#endif
	/* A device may know nothing of being moved. */
	if (n < 0 && errno == EINVAL && !p->lent)
		n = read_directly(p, s);
	if (n < 0 && errno == EWOULDBLOCK)
		errno = EAGAIN;
	atomic_store(&s->token, n > 0 ? DR_TOKEN_HELD : DR_TOKEN_FREE);
	return (int)n;
}

int
dr_pool_write(const struct dr_pool *p, char byte)
{
	return dr_write_full(p->w, &byte, 1);
}

void
dr_pool_close(struct dr_pool *p)
{
	if (!p->lent) {
		if (p->w == p->r)
			p->w = -1;
		dr_close(&p->r);
		dr_close(&p->w);
	}
	dr_close(&p->via[0]);
	dr_close(&p->via[1]);
	*p = DR_POOL_NONE;
}
