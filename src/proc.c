#include "config.h"

#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os.h"

/* As the kernel writes it: readdir is not for a child of fork. */
struct entry {
	uint64_t ino, next;
	uint16_t len;
	uint8_t type;
	char name[];
};

enum {
	NAME_MAX_LEN = 40,
	EXEC_MS = 100, /* how long a process may be between two programs */
};

static ssize_t
entries(int fd, void *to, size_t size)
{
#ifdef SYS_getdents64
	return syscall(SYS_getdents64, fd, to, size);
#else
	(void)fd;
	(void)to;
	(void)size;
	errno = ENOSYS;
	return -1;
#endif
}

/* PID/what, or /proc/PID/what. snprintf is not async-signal-safe. */
static void
name_of(char name[NAME_MAX_LEN], const char *before, pid_t pid, const char *what)
{
	char digits[12];
	size_t n = 0, at = strlen(before);

	memcpy(name, before, at);
	do {
		digits[n++] = (char)('0' + pid % 10);
		pid /= 10;
	} while (pid);
	while (n)
		name[at++] = digits[--n];
	memcpy(name + at, what, strlen(what) + 1);
}

static int
open_proc(int proc, pid_t pid, const char *what)
{
	char name[NAME_MAX_LEN];

	name_of(name, proc < 0 ? "/proc/" : "", pid, what);
	return openat(proc < 0 ? AT_FDCWD : proc, name, O_RDONLY | O_CLOEXEC);
}

/* The n-th number behind the state, which is number 0. */
static uint64_t
field(const char *p, int n)
{
	uint64_t v = 0;

	for (; n > 0 && *p; p++)
		n -= *p == ' ';
	for (; *p >= '0' && *p <= '9'; p++)
		v = v * 10 + (uint64_t)(*p - '0');
	return v;
}

/* False: there is no such process, or it has ended. proc: a descriptor of /proc, or -1. */
static bool
look(int proc, pid_t pid, struct dr_proc *p)
{
	enum { GROUP = 2, SESSION = 3, THREADS = 17, START = 19 };
	int fd = open_proc(proc, pid, "/stat");
	char text[1024], *s;
	ssize_t n;

	if (fd < 0)
		return false;
	n = dr_read_full(fd, text, sizeof(text) - 1);
	dr_close(&fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	/* The name may hold anything, so from the end. */
	s = strrchr(text, ')');
	if (!s || s[1] != ' ')
		return false;
	s += 2;
	/* One whose first thread has ended may have others. */
	if (*s == 'X' || (*s == 'Z' && field(s, THREADS) <= 1))
		return false;
	*p = (struct dr_proc){ pid, (pid_t)field(s, GROUP), (pid_t)field(s, SESSION), field(s, START) };
	return true;
}

static pid_t
number(const char *name)
{
	pid_t n = 0;

	for (; *name >= '0' && *name <= '9' && n < 100000000; name++)
		n = n * 10 + (*name - '0');
	return *name ? 0 : n;
}

int
dr_proc_each(void (*fn)(void *arg, const struct dr_proc *p), void *arg)
{
	int dir = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_Alignas(8) char buf[8192];
	struct dr_proc p;
	ssize_t n = -1;
	bool any = false;

	if (dir < 0)
		return -1;
	while ((n = entries(dir, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct entry *e = (const void *)(buf + at);
			pid_t pid = number(buf + at + offsetof(struct entry, name));

			at += e->len;
			if (pid <= 0 || !look(dir, pid, &p))
				continue;
			any = true;
			fn(arg, &p);
		}
	}
	dr_close(&dir);
	/* We are there ourselves, unless it is another thing than it should be. */
	return n < 0 || !any ? -1 : 0;
}

/* An environment, read a piece at a time. */
struct reader {
	enum { NAME, VALUE, OTHER } in;
	uint32_t matched; /* NAME: characters of ours */
	uint32_t field;   /* VALUE: number of the one that is read; too large: none of ours */
	uint64_t fields[5];
};

static void
begin_mark(struct reader *r)
{
	r->field = 0;
	memset(r->fields, 0, sizeof(r->fields));
}

static bool
end_mark(struct reader *r, dr_mark_fn is, void *arg)
{
	struct dr_mark m = { r->fields[0], r->fields[1], r->fields[3], r->fields[4] };
	bool whole = r->field == 4;

	begin_mark(r);
	return whole && is(arg, &m);
}

/* A character of a value; NUL ends it. */
static bool
read_value(struct reader *r, char c, dr_mark_fn is, void *arg)
{
	int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

	if (c == ' ' || c == '\0')
		return end_mark(r, is, arg);
	if (c == ':' && r->field < 5)
		r->field++;
	else if (digit >= 0 && r->field < 5)
		r->fields[r->field] = r->fields[r->field] << 4 | (uint64_t)digit;
	else
		r->field = 6;
	return false;
}

static bool
read_char(struct reader *r, char c, dr_mark_fn is, void *arg)
{
	static const char name[] = DR_MARKS "=";

	if (r->in == VALUE && read_value(r, c, is, arg))
		return true;
	if (c == '\0') {
		r->in = NAME;
		r->matched = 0;
	} else if (r->in == NAME) {
		if (c != name[r->matched]) {
			r->in = OTHER;
		} else if (!name[++r->matched]) {
			r->in = VALUE;
			begin_mark(r);
		}
	}
	return false;
}

static bool
read_piece(struct reader *r, const char *p, const char *end, dr_mark_fn is, void *arg)
{
	for (; p < end; p++) {
		/* Most of it is not ours. */
		if (r->in == OTHER && !(p = memchr(p, '\0', (size_t)(end - p))))
			return false;
		if (read_char(r, *p, is, arg))
			return true;
	}
	return false;
}

/* Of a process between two programs nothing can be seen: it has the new one's memory, but not yet what it
 * was started with. By then its descriptors are closed, so that its start may have been told already.
 * Threads of the kernel are in no session. */
static bool
between_programs(const struct dr_proc *p)
{
	int fd = p->session > 0 ? open_proc(-1, p->pid, "/cmdline") : -1;
	bool empty;
	char c;

	if (fd < 0)
		return false;
	empty = dr_read_full(fd, &c, 1) == 0;
	dr_close(&fd);
	return empty;
}

/* 1, 0; -1: it has no environment. */
static int
read_environ(const struct dr_proc *p, dr_mark_fn is, void *arg)
{
	int fd = open_proc(-1, p->pid, "/environ");
	struct reader r = { .in = NAME };
	char piece[4096];
	bool found = false, any = false;
	ssize_t n;

	if (fd < 0)
		return 0;
	while (!found && (n = dr_read_full(fd, piece, sizeof(piece))) > 0) {
		found = read_piece(&r, piece, piece + n, is, arg);
		any = true;
	}
	/* The last one may lack its NUL, where the process has written over it. */
	found = found || read_char(&r, '\0', is, arg);
	dr_close(&fd);
	return any ? found : -1;
}

bool
dr_proc_marked(const struct dr_proc *p, dr_mark_fn is, void *arg)
{
	int rc = read_environ(p, is, arg);

	for (int i = 0; i < EXEC_MS && rc < 0 && between_programs(p); i++) {
		poll(NULL, 0, 1);
		rc = read_environ(p, is, arg);
	}
	return rc > 0;
}

bool
dr_marks_any(const char *value, dr_mark_fn is, void *arg)
{
	struct reader r = { .in = VALUE };

	return value && read_piece(&r, value, value + strlen(value) + 1, is, arg);
}

/* A descriptor of this process, or -1: it has gone, or (errno ENOSYS) the system has no such descriptors. */
static int
hold(const struct dr_proc *p)
{
#if defined(SYS_pidfd_open) && defined(SYS_pidfd_send_signal)
	int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	struct dr_proc now;

	if (fd >= 0 && (!look(-1, p->pid, &now) || now.start != p->start)) {
		dr_close(&fd);
		errno = ESRCH;
	}
	return fd;
#else
	(void)p;
	errno = ENOSYS;
	return -1;
#endif
}

/* fd was opened while the number was this process's. A sandbox, or valgrind, may know such descriptors and not this call. */
static void
send_signal(int fd, pid_t pid, int sig)
{
#ifdef SYS_pidfd_send_signal
	if (syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0) == 0 || (errno != ENOSYS && errno != EPERM))
		return;
#else
	(void)fd;
#endif
	kill(pid, sig);
}

void
dr_proc_signal(const struct dr_proc *p, int sig)
{
	int fd = hold(p);

	if (fd < 0) {
		if (errno != ESRCH && kill(p->pid, sig) == 0 && sig != SIGKILL)
			kill(p->pid, SIGCONT);
		return;
	}
	send_signal(fd, p->pid, sig);
	if (sig != SIGKILL)
		send_signal(fd, p->pid, SIGCONT);
	dr_close(&fd);
}

void
dr_proc_wait(const struct dr_proc *p, int ms)
{
	struct pollfd gone = { .fd = hold(p), .events = POLLIN };

	if (gone.fd < 0 && errno == ESRCH)
		return;
	/* Without a descriptor only the time passes. */
	while (poll(&gone, 1, ms) < 0 && errno == EINTR)
		;
	dr_close(&gone.fd);
}
