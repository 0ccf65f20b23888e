#include "config.h"

#include "guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "os.h"
#include "spawn.h"

enum {
	ABOVE = 10,       /* our descriptors; below are those that a guardian has */
	MOST = 1 << 20,   /* slots: 64 MiB of addresses, of which only pages that are used take memory */
	STUBBORN_MS = 3000,
	EXITS_MS = 1000,
	DEATHS = 10,      /* within DEATHS_NS: somebody is bent on it, or there is something wrong */
};

#define DEATHS_NS (INT64_C(1) * 1000000000)

struct dr_guardian {
	struct dr_guard_table *table;
	const char *program;
	int null, memory; /* memory: the table's, or -1: it is only to be inherited */
	int lifeline[2];
	int pulse; /* -1: there is no guardian */
	int pool, via, lock;
	pid_t pid;
	int64_t since; /* of the deaths that are counted */
	uint32_t deaths;
};

/* The table. */

static size_t
size_of(uint32_t n)
{
	return sizeof(struct dr_guard_table) + (size_t)n * sizeof(struct dr_guard_slot);
}

static uint32_t
slots_of(uint32_t n)
{
	return n < 1 ? 1 : n < MOST ? n : MOST;
}

static struct dr_guard_table *
map(int fd, uint32_t n)
{
	int flags = MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0);
	struct dr_guard_table *t = mmap(NULL, size_of(n), PROT_READ | PROT_WRITE, flags, fd, 0);

	if (t == MAP_FAILED)
		return NULL;
	t->magic = DR_GUARD_MAGIC;
	t->version = DR_GUARD_VERSION;
	t->n_slots = n;
	t->pid = getpid();
	return t;
}

struct dr_guard_table *
dr_guard_table_new(uint32_t n)
{
	return map(-1, slots_of(n));
}

void
dr_guard_table_free(struct dr_guard_table *t)
{
	if (t)
		munmap(t, size_of(t->n_slots));
}

/* A file without a name, for the program that is to have it, too; -1: it can only be inherited. */
static int
make_memory(size_t size)
{
	int fd = -1;
#ifdef HAVE_MEMFD_CREATE
	struct rlimit most;
	int high;

	/* To go beyond it is a signal. */
	if (getrlimit(RLIMIT_FSIZE, &most) || most.rlim_cur < size)
		return -1;
	fd = memfd_create("dag-slots", MFD_CLOEXEC);
	high = fd < 0 || ftruncate(fd, (off_t)size) ? -1 : dr_dup_above(fd, ABOVE);
	dr_close(&fd);
	fd = high;
#else
	(void)size;
#endif
	return fd;
}

/* Starting one. */

static int
make_pipe(int fds[2])
{
	int low[2], rc = 0;

	if (pipe(low))
		return -1;
	for (int i = 0; i < 2; i++) {
		fds[i] = dr_dup_above(low[i], ABOVE);
		if (fds[i] < 0 || fcntl(fds[i], F_SETFL, O_NONBLOCK))
			rc = -1;
		dr_close(&low[i]);
	}
	if (rc) {
		dr_close(&fds[0]);
		dr_close(&fds[1]);
	}
	return rc;
}

/* What it gets, in the order of its numbers. */
static void
list(const struct dr_guardian *g, int pulse, struct dr_spawn_fd *fds, uint32_t *n)
{
	const int from[] = {
		g->null, g->null, g->null,
		[DR_GUARD_LIFELINE] = g->lifeline[0],
		[DR_GUARD_TABLE] = g->memory,
		[DR_GUARD_PULSE] = pulse,
		[DR_GUARD_POOL] = g->pool,
		[DR_GUARD_VIA] = g->via,
		[DR_GUARD_LOCK] = g->lock,
	};

	g->table->passed = 0;
	for (int to = 0; to < DR_GUARD_END; to++) {
		if (from[to] < 0)
			continue;
		fds[(*n)++] = (struct dr_spawn_fd){ from[to], to };
		g->table->passed |= 1U << to;
	}
}

static int
start_program(struct dr_guardian *g, const struct dr_spawn_fd *fds, uint32_t n, struct dr_err *err)
{
	char name[] = DR_GUARDIAN_NAME, *argv[] = { name, NULL };
	/* Without ours: it must not carry the mark of a task that we may be below of. */
	char *envp[] = { NULL };
	struct dr_spawn sp = {
		.path = g->program,
		.argv = argv,
		.envp = envp,
		.cwd = -1,
		.fds = fds,
		.n_fds = n,
		.session = true,
		.deaf = true,
	};

	return dr_spawn(&sp, &g->pid, err);
}

static int
start_fork(struct dr_guardian *g, const struct dr_spawn_fd *fds, uint32_t n, struct dr_err *err)
{
	sigset_t all, mask;

	/* A handler of our program's must not run in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	g->pid = fork();
	if (g->pid == 0) {
		setsid();
		for (uint32_t i = 0; i < n; i++) {
			if (dup2(fds[i].from, fds[i].to) < 0)
				_exit(1);
		}
		_exit(dr_guardian_process(g->table));
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return g->pid < 0 ? dr_err_sys(err, errno, "start a guardian") : 0;
}

static int
start(struct dr_guardian *g, struct dr_err *err)
{
	struct dr_spawn_fd fds[DR_GUARD_END];
	uint32_t n = 0;
	int pulse[2], rc = -1;

	if (make_pipe(pulse))
		return dr_err_sys(err, errno, "start a guardian");
	list(g, pulse[1], fds, &n);
	atomic_store(&g->table->ready, 0);
	atomic_store(&g->table->wrote, 0);
	if (g->program && g->memory >= 0)
		rc = start_program(g, fds, n, err);
	if (rc)
		rc = start_fork(g, fds, n, err);
	dr_close(&pulse[1]);
	if (rc)
		dr_close(&pulse[0]);
	g->pulse = pulse[0];
	return rc;
}

static int
copy(int *to, int fd)
{
	*to = fd < 0 ? -1 : dr_dup_above(fd, ABOVE);
	return fd >= 0 && *to < 0 ? -1 : 0;
}

static int
open_all(struct dr_guardian *g, const struct dr_guardian_options *o)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), rc;

	rc = null < 0 || copy(&g->null, null) || copy(&g->pool, o->pool) || copy(&g->via, o->via) ||
	     copy(&g->lock, o->lock) || make_pipe(g->lifeline);
	dr_close(&null);
	return rc ? -1 : 0;
}

int
dr_guardian_new(const struct dr_guardian_options *o, struct dr_guardian **out, struct dr_err *why,
		struct dr_err *err)
{
	struct dr_guardian *g = calloc(1, sizeof(*g));
	uint32_t n = slots_of(o->slots);

	*out = NULL;
	why->msg[0] = '\0';
	if (!g)
		return dr_err_nomem(err);
	g->null = g->lifeline[0] = g->lifeline[1] = g->pulse = g->pool = g->via = g->lock = -1;
	g->program = o->program;
	g->memory = make_memory(size_of(n));
	g->table = map(g->memory, n);
	if (!g->table) {
		dr_close(&g->memory);
		free(g);
		return dr_err_nomem(err);
	}
	g->table->run = o->run;
	*out = g;
	if (open_all(g, o))
		dr_err_sys(why, errno, "start a guardian");
	else
		start(g, why);
	return 0;
}

/* Its end. */

/* Did the byte go out that a guardian was writing when it was killed? What the kernel has counted for the
 * zombie tells. Where it does not count: yes. Of a token too few or one too many, the one too few does no
 * harm to others. */
static bool
was_written(const struct dr_guardian *g)
{
	static const char key[] = "\nwchar: ";
	char path[64], text[512], *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/io", (long)g->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	n = dr_read_full(fd, text, sizeof(text) - 1);
	dr_close(&fd);
	text[n > 0 ? n : 0] = '\0';
	p = strstr(text, key);
	return !p || strtoull(p + sizeof(key) - 1, NULL, 10) > atomic_load(&g->table->wrote);
}

/* Waits for it, whose end of the pulse is closed, without letting go of its zombie. True: it was killed by
 * somebody. */
static bool
was_killed(const struct dr_guardian *g)
{
	siginfo_t si = { .si_pid = 0 };

	for (int i = 0; i < EXITS_MS; i++) {
		if (waitid(P_PID, (id_t)g->pid, &si, WEXITED | WNOWAIT | WNOHANG) || si.si_pid)
			return si.si_code == CLD_KILLED;
		poll(NULL, 0, 1);
	}
	/* Whatever it is that has closed it and goes on. */
	kill(g->pid, SIGKILL);
	while (waitid(P_PID, (id_t)g->pid, &si, WEXITED | WNOWAIT) && errno == EINTR)
		;
	return false;
}

/* Waits for it, and knows what became of its last byte. True: it was killed. */
static bool
bury(struct dr_guardian *g)
{
	uint32_t n = atomic_load(&g->table->used);
	bool killed = was_killed(g);

	for (uint32_t i = 0; i < n && i < g->table->n_slots; i++) {
		struct dr_guard_slot *s = &g->table->slots[i];

		if (atomic_load(&s->token) == DR_TOKEN_WRITING)
			atomic_store(&s->token, was_written(g) ? DR_TOKEN_FREE : DR_TOKEN_RETURNING);
	}
	while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
		;
	dr_close(&g->pulse);
	return killed;
}

static void
tell(struct dr_guardian *g, char byte)
{
	ssize_t n;

	/* Full: it will come to what we have to say. */
	do
		n = write(g->lifeline[1], &byte, 1);
	while (n < 0 && errno == EINTR);
}

/* Says farewell and sees it end; one that was stopped, or is, cannot keep us. */
static void
dismiss(struct dr_guardian *g)
{
	struct pollfd end = { .fd = g->pulse, .events = POLLIN };
	int64_t until = dr_now() + STUBBORN_MS * INT64_C(1000000), left;

	if (g->pulse < 0)
		return;
	tell(g, DR_GUARD_FAREWELL);
	while ((left = until - dr_now()) > 0) {
		if (poll(&end, 1, (int)(left / 1000000) + 1) > 0)
			break;
		kill(g->pid, SIGCONT);
	}
	if (left <= 0)
		kill(g->pid, SIGKILL);
	bury(g);
}

void
dr_guardian_close(struct dr_guardian *g)
{
	if (!g)
		return;
	dismiss(g);
	/* Of one that was killed. */
	if (g->pool >= 0)
		dr_guardian_write(g->table, g->pool);
	dr_guard_table_free(g->table);
	dr_close(&g->memory);
	dr_close(&g->null);
	dr_close(&g->lifeline[0]);
	dr_close(&g->lifeline[1]);
	dr_close(&g->pool);
	dr_close(&g->via);
	dr_close(&g->lock);
	free(g);
}

struct dr_guard_table *
dr_guardian_table(struct dr_guardian *g)
{
	return g ? g->table : NULL;
}

bool
dr_guardian_wake(struct dr_guardian *g)
{
	if (!g || g->pulse < 0 || g->pool < 0)
		return false;
	tell(g, DR_GUARD_WAKE);
	return true;
}

int
dr_guardian_fd(const struct dr_guardian *g)
{
	return g ? g->pulse : -1;
}

int
dr_guardian_pid(const struct dr_guardian *g)
{
	return g && g->pulse >= 0 ? (int)g->pid : -1;
}

int
dr_guardian_mend(struct dr_guardian *g, struct dr_err *err)
{
	int64_t now = dr_now();

	/* One that ends before it has looked at the table is none of ours. */
	if (!bury(g) && !atomic_load(&g->table->ready))
		g->program = NULL;
	if (now - g->since > DEATHS_NS) {
		g->since = now;
		g->deaths = 0;
	}
	if (++g->deaths <= DEATHS && start(g, err) == 0)
		return 0;
	if (g->deaths > DEATHS)
		dr_err_set(err, DR_SYSTEM, "it was killed %u times in a second", g->deaths);
	if (g->pool >= 0)
		dr_guardian_write(g->table, g->pool);
	return -1;
}
