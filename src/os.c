#include "config.h"

#include "os.h"

#include "err.h"
#include "str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_GETRANDOM
#include <sys/random.h>
#endif
#ifdef HAVE_SCHED_GETAFFINITY
#include <sched.h>
#endif

static int64_t
clock_ns(clockid_t id)
{
	struct timespec ts;

	/* Neither of our clocks can be missing, and a fault is out of the question. */
	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t
dr_now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

int64_t
dr_realtime(void)
{
	return clock_ns(CLOCK_REALTIME);
}

uint64_t
dr_random64(void)
{
	uint64_t v = 0;
	bool got = false;
	int fd;

#ifdef HAVE_GETRANDOM
	got = getrandom(&v, sizeof(v), 0) == (ssize_t)sizeof(v);
#endif
	if (!got) {
		fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
		got = fd >= 0 && dr_read_full(fd, &v, sizeof(v)) == (ssize_t)sizeof(v);
		dr_close(&fd);
	}
	if (!got) {
		/* For names that should not collide, time and process still do; mixed as splitmix64 mixes. */
		v = (uint64_t)dr_realtime() ^ (uint64_t)getpid() << 48 ^ (uint64_t)dr_now() << 20;
		v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
		v ^= v >> 31;
	}
	return v;
}

/* After a call that failed: whether to try again. A descriptor that somebody else made non-blocking (the
 * flag belongs to all who share it) is waited for. */
static bool
again(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	if (errno == EINTR)
		return true;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		return false;
	return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

/* at NULL: where the descriptor is. */
static ssize_t
read_all(int fd, void *p, size_t n, const off_t *at)
{
	size_t got = 0;

	while (got < n) {
		char *to = (char *)p + got;
		ssize_t rc = at ? pread(fd, to, n - got, *at + (off_t)got) : read(fd, to, n - got);

		if (rc == 0)
			break;
		if (rc > 0)
			got += (size_t)rc;
		else if (!again(fd, POLLIN))
			return -1;
	}
	return (ssize_t)got;
}

ssize_t
dr_read_full(int fd, void *p, size_t n)
{
	return read_all(fd, p, n, NULL);
}

ssize_t
dr_pread_full(int fd, void *p, size_t n, off_t at)
{
	return read_all(fd, p, n, &at);
}

int
dr_write_full(int fd, const void *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t rc = write(fd, (const char *)p + done, n - done);

		if (rc >= 0)
			done += (size_t)rc;
		else if (!again(fd, POLLOUT))
			return -1;
	}
	return 0;
}

int
dr_pwrite_full(int fd, const void *p, size_t n, off_t at)
{
	size_t done = 0;

	while (done < n) {
		ssize_t rc = pwrite(fd, (const char *)p + done, n - done, at + (off_t)done);

		if (rc >= 0)
			done += (size_t)rc;
		else if (!again(fd, POLLOUT))
			return -1;
	}
	return 0;
}

int
dr_slurp_fd(int fd, struct dr_buf *buf, const char *name, struct dr_err *err)
{
	struct stat st;
	size_t want = 64 << 10;

	/* A hint only: files of /proc say 0, and a file may grow while it is read. One more byte, so that a
	 * second read finds the end without room for more. */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    (uintmax_t)st.st_size < SIZE_MAX / 2)
		want = (size_t)st.st_size + 1;
	for (;;) {
		char *to = dr_buf_room(buf, want);
		ssize_t rc;

		if (!to)
			return dr_err_nomem(err);
		rc = read(fd, to, buf->cap - 1 - buf->n);
		if (rc == 0)
			break;
		if (rc > 0)
			buf->n += (size_t)rc;
		else if (!again(fd, POLLIN))
			return dr_err_sys(err, errno, "read %s", name);
		want = buf->cap - 1 - buf->n;
		if (!want)
			want = 4096;
	}
	buf->p[buf->n] = '\0';
	return 0;
}

int
dr_slurp(int dirfd, const char *path, struct dr_buf *buf, struct dr_err *err)
{
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc;

	if (fd < 0)
		return dr_err_sys(err, errno, "open %s", path);
	rc = dr_slurp_fd(fd, buf, path, err);
	dr_close(&fd);
	return rc;
}

/* mkdir that is content with a directory that is there, whatever mkdir says about it (on some file systems
 * that it is read-only, or not ours). */
static int
make_dir(int dirfd, const char *path, bool *made)
{
	struct stat st;
	int e;

	*made = mkdirat(dirfd, path, 0777) == 0;
	if (*made)
		return 0;
	e = errno;
	if (fstatat(dirfd, path, &st, 0) == 0) {
		if (S_ISDIR(st.st_mode))
			return 0;
		e = e == EEXIST ? ENOTDIR : e;
	}
	errno = e;
	return -1;
}

int
dr_mkdirs_for(int dirfd, const char *path)
{
	bool made;

	return dr_mkdirs_new(dirfd, path, &made);
}

int
dr_mkdirs_new(int dirfd, const char *path, bool *made)
{
	const char *slash = strrchr(path, '/');
	struct stat st;
	char *parent, *p;
	int rc = -1;

	*made = false;
	if (!slash || slash == path)
		return 0;
	parent = strndup(path, (size_t)(slash - path));
	if (!parent)
		return -1;
	/* Mostly it is there. */
	if (fstatat(dirfd, parent, &st, 0) == 0 && S_ISDIR(st.st_mode)) {
		rc = 0;
		goto out;
	}
	for (p = parent + strspn(parent, "/"); *p; p += strspn(p, "/")) {
		char end;

		p += strcspn(p, "/");
		end = *p;
		*p = '\0';
		if (make_dir(dirfd, parent, made))
			goto out;
		*p = end;
	}
	rc = 0;
out:
	free(parent);
	return rc;
}

void
dr_close(int *fd)
{
	int e = errno;

	/* Not again after EINTR: Linux has closed it by then, and the number may be somebody else's. */
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = e;
}

int
dr_dup_above(int fd, int min)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, min);
}

void
dr_boot(struct dr_boot *b)
{
	struct timespec up = { 0 };
	struct dr_buf text = { 0 };
	struct dr_err err;
	int digits = 0;

	*b = (struct dr_boot){ 0 };
	if (dr_slurp(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &text, &err))
		dr_buf_reset(&text);
	for (size_t i = 0; i < text.n && digits < 32; i++) {
		const char *hex = "0123456789abcdef", *at = text.p[i] ? strchr(hex, text.p[i]) : NULL;

		if (at) {
			b->id[digits / 16] = b->id[digits / 16] << 4 | (uint64_t)(at - hex);
			digits++;
		}
	}
	dr_buf_free(&text);
#ifdef CLOCK_BOOTTIME
	/* With the time that the machine slept. */
	if (clock_gettime(CLOCK_BOOTTIME, &up))
		up = (struct timespec){ 0 };
#endif
	if (up.tv_sec)
		b->began = dr_realtime() - ((int64_t)up.tv_sec * 1000000000 + up.tv_nsec);
}

int
dr_helper(pthread_t *thread, void *(*fn)(void *), void *arg)
{
	sigset_t all, mask;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	rc = pthread_create(thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	return rc;
}

uint32_t
dr_processors(void)
{
	long n;

#ifdef HAVE_SCHED_GETAFFINITY
	/* The set that the kernel fills may be larger than cpu_set_t; EINVAL says so. */
	for (int max = CPU_SETSIZE; max <= 1 << 20; max *= 2) {
		cpu_set_t *set = CPU_ALLOC((size_t)max);
		size_t size = CPU_ALLOC_SIZE((size_t)max);
		int rc, count = 0, e;

		if (!set)
			break;
		rc = sched_getaffinity(0, size, set);
		e = errno;
		if (rc == 0)
			count = CPU_COUNT_S(size, set);
		CPU_FREE(set);
		if (count > 0)
			return (uint32_t)count;
		if (rc == 0 || e != EINVAL)
			break;
	}
#endif
	n = sysconf(_SC_NPROCESSORS_ONLN);
	return n > 0 ? (uint32_t)n : 1;
}

int
dr_load(double *one_minute)
{
#ifdef HAVE_GETLOADAVG
	return getloadavg(one_minute, 1) == 1 ? 0 : -1;
#else
	(void)one_minute;
	return -1;
#endif
}

uint64_t
dr_arg_max(void)
{
	/* Linux gives a quarter of the stack's limit and at most this, which sysconf doesn't know. */
	const uint64_t most = 6 << 20;
	long n = sysconf(_SC_ARG_MAX);

	if (n <= 0)
		return 128 << 10;
	return (uint64_t)n < most ? (uint64_t)n : most;
}

static const char *const signal_names[] = {
	[SIGHUP] = "SIGHUP",       [SIGINT] = "SIGINT",   [SIGQUIT] = "SIGQUIT",     [SIGILL] = "SIGILL",
	[SIGTRAP] = "SIGTRAP",     [SIGABRT] = "SIGABRT", [SIGBUS] = "SIGBUS",       [SIGFPE] = "SIGFPE",
	[SIGKILL] = "SIGKILL",     [SIGUSR1] = "SIGUSR1", [SIGSEGV] = "SIGSEGV",     [SIGUSR2] = "SIGUSR2",
	[SIGPIPE] = "SIGPIPE",     [SIGALRM] = "SIGALRM", [SIGTERM] = "SIGTERM",     [SIGCHLD] = "SIGCHLD",
	[SIGCONT] = "SIGCONT",     [SIGSTOP] = "SIGSTOP", [SIGTSTP] = "SIGTSTP",     [SIGTTIN] = "SIGTTIN",
	[SIGTTOU] = "SIGTTOU",     [SIGURG] = "SIGURG",   [SIGXCPU] = "SIGXCPU",     [SIGXFSZ] = "SIGXFSZ",
	[SIGSYS] = "SIGSYS",       [SIGPROF] = "SIGPROF", [SIGVTALRM] = "SIGVTALRM",
#ifdef SIGSTKFLT
	[SIGSTKFLT] = "SIGSTKFLT",
#endif
#ifdef SIGWINCH
	[SIGWINCH] = "SIGWINCH",
#endif
#ifdef SIGIO
	[SIGIO] = "SIGIO",
#endif
#ifdef SIGPWR
	[SIGPWR] = "SIGPWR",
#endif
};

/* The others by number, as constants, since a name made on demand would need memory that changes. */
#define NUMBERED(n) "signal " #n
#define TEN(tens)                                                                                            \
	NUMBERED(tens##0), NUMBERED(tens##1), NUMBERED(tens##2), NUMBERED(tens##3), NUMBERED(tens##4),       \
		NUMBERED(tens##5), NUMBERED(tens##6), NUMBERED(tens##7), NUMBERED(tens##8),                  \
		NUMBERED(tens##9)

static const char *const signal_numbers[] = {
	TEN(),  TEN(1), TEN(2), TEN(3),  TEN(4),  TEN(5),  TEN(6),
	TEN(7), TEN(8), TEN(9), TEN(10), TEN(11), TEN(12),
};

const char *
dr_signal_name(int sig)
{
	if (sig < 0 || (size_t)sig >= sizeof(signal_numbers) / sizeof(*signal_numbers))
		return "an unknown signal";
	if ((size_t)sig < sizeof(signal_names) / sizeof(*signal_names) && signal_names[sig])
		return signal_names[sig];
	return signal_numbers[sig];
}
