#include "config.h"

#include "items-table.h"

#include "arena.h"
#include "os.h"
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	/* Descriptors for the child stand above those that a command may name. */
	ABOVE = 100,
	/* What it said last, for the diagnostic: bytes and lines. */
	WORDS_MAX = 600,
	LINES_MAX = 3,
	/* How long to wait before looking again. */
	STEP_MS = 20,
};

/* A command that is running; descriptors that are not there are -1. */
struct run {
	struct dr_items_maker *m;
	struct dr_arena arena;
	struct dr_exec exec;
	struct dr_spawn_fd *fds;
	uint32_t n_fds;
	int *opened; /* what fds are copied from, to be closed after the start */
	uint32_t n_opened;
	int out, err, end; /* read ends; a descriptor that is readable once the command has ended */
	pid_t pid;
	struct dr_buf said; /* on standard error, its last part */
};

/* Keeps fd for the child, out of the way of the numbers that it will have there. Returns its new number, or -1
 * with errno. */
static int
keep(struct run *r, int fd)
{
	int high;

	if (fd < 0)
		return -1;
	high = dr_dup_above(fd, ABOVE);
	dr_close(&fd);
	if (high >= 0)
		r->opened[r->n_opened++] = high;
	return high;
}

static void
set_fd(struct run *r, int from, int to)
{
	r->fds[r->n_fds++] = (struct dr_spawn_fd){ from, to };
}

/* A pipe to the child's descriptor `to`. Returns our end, -1 with errno. */
static int
pipe_from(struct run *r, int to)
{
	int fds[2], from;

	if (pipe(fds))
		return -1;
	fcntl(fds[0], F_SETFD, FD_CLOEXEC);
	/* Only this end's description: the child's stays as it expects it. */
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	from = keep(r, fds[1]);
	if (from < 0)
		dr_close(&fds[0]);
	else
		set_fd(r, from, to);
	return fds[0];
}

static int
open_redirect(struct run *r, const struct dr_exec_redirect *d)
{
	static const int flags[] = {
		[DR_REDIRECT_READ] = O_RDONLY,
		[DR_REDIRECT_WRITE] = O_WRONLY | O_CREAT | O_TRUNC,
		[DR_REDIRECT_APPEND] = O_WRONLY | O_CREAT | O_APPEND,
	};
	int fd;

	if (d->kind == DR_REDIRECT_DUP) {
		set_fd(r, d->dup_from, d->fd);
		return 0;
	}
	fd = keep(r, openat(r->m->opts->root, d->path, flags[d->kind] | O_CLOEXEC | O_NOCTTY, 0666));
	if (fd >= 0) {
		set_fd(r, fd, d->fd);
		return 0;
	}
	return dr_items_complain(r->m, r->m->args->command.pos, "cannot open '%s': %s", d->path,
				 strerror(errno));
}

static int
open_fds(struct run *r)
{
	size_t n = (size_t)r->exec.n_redirects + 3;
	int null;

	r->fds = dr_arena_array(&r->arena, n, sizeof(*r->fds));
	r->opened = dr_arena_array(&r->arena, n, sizeof(*r->opened));
	if (!r->fds || !r->opened)
		return dr_err_nomem(r->m->err);
	null = keep(r, open("/dev/null", O_RDONLY | O_CLOEXEC));
	if (null >= 0) {
		set_fd(r, null, STDIN_FILENO);
		r->out = pipe_from(r, STDOUT_FILENO);
		r->err = r->out < 0 ? -1 : pipe_from(r, STDERR_FILENO);
	}
	if (r->err < 0)
		return dr_err_sys(r->m->err, errno, "start the command of args");
	for (uint32_t i = 0; i < r->exec.n_redirects; i++) {
		if (open_redirect(r, &r->exec.redirects[i]))
			return -1;
	}
	return 0;
}

static int
start(struct run *r)
{
	const struct dr_items_maker *m = r->m;
	struct dr_spawn sp = { .argv = r->exec.argv, .envp = m->opts->envp, .cwd = m->opts->root };
	struct dr_err why;
	int rc;

	sp.path = r->exec.argv[0];
	sp.fds = r->fds;
	sp.n_fds = r->n_fds;
	rc = dr_spawn(&sp, &r->pid, &why);
	while (r->n_opened)
		dr_close(&r->opened[--r->n_opened]);
	if (rc) {
		r->pid = -1;
		return dr_items_complain(m, m->args->command.pos, "cannot %s", why.msg);
	}
#ifdef SYS_pidfd_open
	r->end = (int)syscall(SYS_pidfd_open, r->pid, 0);
	if (r->end >= 0)
		fcntl(r->end, F_SETFD, FD_CLOEXEC);
#endif
	return 0;
}

/* Passes on what the command says, and keeps its end. */
static void
hear(struct run *r, const char *p, size_t n)
{
	/* Where nobody listens, there is nothing to be done about it. */
	(void)dr_write_full(STDERR_FILENO, p, n);
	dr_buf_add(&r->said, p, n);
	if (r->said.n > (size_t)4 * WORDS_MAX) {
		memmove(r->said.p, r->said.p + r->said.n - WORDS_MAX, WORDS_MAX + 1);
		r->said.n = WORDS_MAX;
	}
}

/* Reads what is there: 1 at the end, 0 if there may be more to come, -1 with err. */
static int
read_some(struct run *r, int fd)
{
	char piece[4096];
	ssize_t n;

	for (;;) {
		if (fd == r->out) {
			char *to = dr_buf_room(&r->m->it->bytes, 64 << 10);

			if (!to)
				return dr_err_nomem(r->m->err);
			n = read(fd, to, 64 << 10);
			if (n > 0)
				r->m->it->bytes.n += (size_t)n;
		} else {
			n = read(fd, piece, sizeof(piece));
			if (n > 0)
				hear(r, piece, (size_t)n);
		}
		if (n == 0)
			return 1;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && errno != EINTR)
			return dr_err_sys(r->m->err, errno, "read what the command of args prints");
	}
}

/* Has the command ended? Its status is left for reap. */
static bool
has_ended(const struct run *r)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == r->pid;
}

/* Until standard output has ended, as whatever the command started may still be writing rows; and until the
 * command has, but not until what it left behind closes standard error. */
static int
follow(struct run *r)
{
	struct pollfd fds[3];
	bool ended = false;
	int rc;

	while (r->out >= 0 || (r->err >= 0 && !ended)) {
		fds[0] = (struct pollfd){ .fd = r->out, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = r->err, .events = POLLIN };
		fds[2] = (struct pollfd){ .fd = ended ? -1 : r->end, .events = POLLIN };
		/* Where its end can't be polled for, it has to be looked for, but only once it may be all that we wait
		 * for. */
		if (poll(fds, 3, r->end < 0 && r->out < 0 ? STEP_MS : -1) < 0) {
			if (errno == EINTR)
				continue;
			return dr_err_sys(r->m->err, errno, "wait for the command of args");
		}
		/* First, so that what it said before its end is read below. */
		ended = ended || has_ended(r);
		for (int i = 0; i < 2; i++) {
			int *fd = i ? &r->err : &r->out;

			rc = fds[i].revents || (i && ended && *fd >= 0) ? read_some(r, *fd) : 0;
			if (rc < 0)
				return -1;
			if (rc > 0)
				dr_close(fd);
		}
	}
	return 0;
}

/* The last lines that it said, as one. */
static void
last_words(const struct run *r, struct dr_buf *out)
{
	const char *p = dr_buf_cstr(&r->said), *end = p + r->said.n, *from;
	int lines = 0;

	while (end > p && end[-1] == '\n')
		end--;
	for (from = end; from > p && end - from < WORDS_MAX; from--) {
		if (from[-1] == '\n' && ++lines == LINES_MAX)
			break;
	}
	dr_buf_adds(out, from < end ? ": " : "");
	while (from < end) {
		const char *stop = memchr(from, '\n', (size_t)(end - from));
		size_t n = (size_t)((stop ? stop : end) - from);

		dr_buf_add(out, from, n);
		dr_buf_adds(out, stop ? " / " : "");
		from += n + (stop != NULL);
	}
}

static int
check_end(const struct run *r, int status)
{
	struct dr_buf how = { 0 };
	int rc;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status))
		dr_buf_addf(&how, "exited with %d", WEXITSTATUS(status));
	else
		dr_buf_addf(&how, "was ended by %s", dr_signal_name(WTERMSIG(status)));
	last_words(r, &how);
	if (how.failed)
		rc = dr_err_nomem(r->m->err);
	else
		rc = dr_items_complain(r->m, r->m->args->command.pos, "the command %s", dr_buf_cstr(&how));
	dr_buf_free(&how);
	return rc;
}

/* Waits for the end; is it of interest how that was? */
static int
reap(const struct run *r, bool interest)
{
	int status;

	while (waitpid(r->pid, &status, 0) < 0) {
		if (errno != EINTR)
			return dr_err_sys(r->m->err, errno, "wait for the command of args");
	}
	return interest ? check_end(r, status) : 0;
}

/* The command is the same for every task, so nothing is ever asked for. */
static uint32_t
no_count(void *ctx, const struct dr_piece *piece)
{
	(void)ctx;
	(void)piece;
	return 1;
}

static int
no_value(void *ctx, const struct dr_piece *piece, uint32_t i, struct dr_buf *buf, struct dr_err *err)
{
	(void)ctx;
	(void)i;
	(void)buf;
	return dr_err_set(err, DR_USAGE, "{%.*s} has no value in args", (int)piece->text.n, piece->text.p);
}

static const struct dr_values constant = { .count = no_count, .get = no_value };

int
dr_items_command(struct dr_items_maker *m)
{
	struct run r = { .m = m, .out = -1, .err = -1, .end = -1, .pid = -1 };
	struct sigaction keep_children = { .sa_handler = SIG_DFL }, was;
	int rc = -1;

	/* Who starts us may ignore SIGCHLD, and then how a child ended is not kept. */
	dr_spawn_remember();
	if (sigaction(SIGCHLD, NULL, &was) == 0 && was.sa_handler == SIG_IGN)
		sigaction(SIGCHLD, &keep_children, NULL);
	if (dr_command_expand(&m->args->command, m->opts->shell, &constant, &r.arena, &r.exec, m->err))
		goto out;
	if (open_fds(&r) || start(&r) || follow(&r))
		goto out;
	rc = 0;
out:
	while (r.n_opened)
		dr_close(&r.opened[--r.n_opened]);
	/* Closed first: a command that still writes when we have given up ends. */
	dr_close(&r.out);
	dr_close(&r.err);
	if (r.pid > 0 && reap(&r, rc == 0))
		rc = -1;
	dr_close(&r.end);
	if (was.sa_handler == SIG_IGN)
		sigaction(SIGCHLD, &was, NULL);
	if (rc == 0)
		rc = dr_items_split(m, 0, m->it->kind == DR_GEN_COMMAND0 ? '\0' : '\n', m->args->command.pos,
				    "the command's output");
	dr_buf_free(&r.said);
	dr_arena_free(&r.arena);
	return rc;
}
