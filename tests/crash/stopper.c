/* Runs a command and kills it, or what it has started, at the entry or the exit of a system call that is told
 * by its number; or has system calls fail. Only one process, the target, is stopped at its calls, all its threads at
 * theirs, which are counted together; the others run at full speed, and nobody is traced any more after the blow. ptrace(2), Linux 5.3 or newer.
 *
 *	stopper [OPTION…] COMMAND [ARGUMENT…]
 *
 *	-t first|guardian|task	whose calls count: those of the command itself (first), of the process of the
 *				same program that it keeps beside it, or of the K-th other one that it starts
 *	-i K			(1)
 *	-n N			the N-th call, from 1 behind the target's exec; without it calls are counted
 *	-x			at its exit, where there is one; else at its entry
 *	-k WHOM			who gets SIGKILL there: first, guardian, both, tree (everything), task (the
 *				target, or a child of the command that is no guardian), none
 *	-a wait|kill|leave	those who are left then: run on and are waited for, are killed, are left (to
 *				whom orphans go)
 *	-e CALL=HOW,WHEN[+]	the WHEN-th call of a kind (from 1), and with + all behind it, fail: HOW is an
 *				errno's name, or `short` for half a write. Kinds: calls.h; and pipe-read
 *	-l FILE			names of the target's calls, one a line; a '-' behind it: -e leaves it alone
 *	-w SECONDS		then everything is ended, and it exits 98
 *	-o FILE			what came to pass, one line:
 *		killed N CALL entry|exit STATUS gone=MS		(until all others had ended, with -a wait)
 *		ended STATUS calls=N hits=N guardian=0|1	(hits: calls that failed)
 *		STATUS is the command's, as in a shell
 *
 * Exits 0 if that line was written, 98 if the time was up, 77 if this cannot be done here, else 99. */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/ptrace.h>

#include "calls.h"
#include "process.h"
#include "stopper.h"

static const struct call *
call_of(uint64_t nr)
{
	const struct call *c;

	for (c = calls; c->name && (uint64_t)c->nr != nr; c++)
		;
	return c;
}

static const char *
call_name(uint64_t nr)
{
	const struct call *c = call_of(nr);
	static char number[32];

	if (c->name)
		return c->name;
	snprintf(number, sizeof(number), "call-%llu", (unsigned long long)nr);
	return number;
}

/* Is that process one of the command's program? */
static bool
same_program(const struct stopper *s, pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return !stat(path, &st) && st.st_dev == s->dev && st.st_ino == s->ino;
}

/* One that another thread has just cloned is the program too, with its memory and its name, until it is something else. */
static bool
is_guardian(const struct stopper *s, pid_t pid)
{
	static const char want[] = "dag-guardian";
	char path[64], name[sizeof(want)] = "";
	FILE *f;

	if (!same_program(s, pid))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (fread(name, 1, sizeof(name), f) != sizeof(name))
		name[0] = '\0';
	fclose(f);
	return strcmp(name, want) == 0;
}

enum { MAX_KIDS = 1024 };

/* The guardian, or a child that is none, of each thread the youngest; 0: there is none. Orphans are ours. */
static pid_t
find(const struct stopper *s, bool guardian)
{
	const pid_t parents[] = { s->first, getpid() };
	pid_t kids[MAX_KIDS], found = 0;

	for (size_t p = 0; p < sizeof(parents) / sizeof(*parents); p++) {
		int n = children_of(parents[p], kids, MAX_KIDS);

		for (int i = 0; i < n; i++) {
			if (kids[i] == s->first || (guardian ? !is_guardian(s, kids[i]) : same_program(s, kids[i])))
				continue;
			found = kids[i];
		}
	}
	return found;
}

/* All below us but the command itself, until there are no more. It is stopped or dead, and starts none; what
 * others start meanwhile is found the next time around. */
static void
kill_others(const struct stopper *s)
{
	pid_t all[MAX_KIDS];
	int n, done;

	do {
		n = children_of(getpid(), all, MAX_KIDS);
		for (done = 0; done < n; done++)
			n += children_of(all[done], all + n, MAX_KIDS - n);
		done = 0;
		for (int i = 0; i < n; i++) {
			if (all[i] != s->first && !kill(all[i], SIGKILL))
				done++;
		}
	} while (done);
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* Everybody runs on: who is traced still is let go at the stop that this asks for. */
static void
let_go(pid_t pid, int sig)
{
	ptrace(PTRACE_DETACH, pid, NULL, (void *)(intptr_t)sig);
}

static void
strike(struct stopper *s)
{
	pid_t guardian, task;

	s->struck = now();
	if (s->whom == KILL_GUARDIAN || s->whom == KILL_BOTH) {
		guardian = s->who == GUARDIAN ? s->target : find(s, true);
		if (guardian > 0)
			kill(guardian, SIGKILL);
	}
	if (s->whom == KILL_TASK) {
		task = s->who == TASK ? s->target : find(s, false);
		if (task > 0)
			kill(task, SIGKILL);
	}
	if (s->whom == KILL_TREE)
		kill_others(s);
	if (s->whom == KILL_FIRST || s->whom == KILL_BOTH || s->whom == KILL_TREE)
		kill(s->first, SIGKILL);
	s->armed = false;
}

/* The target is at the entry of a call that is to fail: it becomes one that no system has, or one that does
 * less. */
static void
fail_call(struct stopper *s, struct thread *t)
{
#ifdef __x86_64__
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, t->tid, NULL, &regs))
		return;
	t->was = regs;
	t->failing = true;
	if (regs.orig_rax == SYS_brk)
		/* It fails by telling where the heap ends, as when asked for 0. */
		regs.rdi = 0;
	else if (s->error)
		regs.orig_rax = (unsigned long long)-1;
	else if (regs.rdx > 1)
		regs.rdx /= 2;
	if (ptrace(PTRACE_SETREGS, t->tid, NULL, &regs) && errno != ESRCH)
		die(99, "set the registers");
	s->hits++;
#else
	(void)s;
	(void)t;
#endif
}

/* At its exit. A call leaves the registers of its arguments as they were, and compilers count on that. */
static void
fail_result(const struct stopper *s, struct thread *t)
{
#ifdef __x86_64__
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, t->tid, NULL, &regs))
		return;
	regs.rdi = t->was.rdi;
	regs.rdx = t->was.rdx;
	if (s->error && t->was.orig_rax != SYS_brk)
		regs.rax = (unsigned long long)-(long long)s->error;
	if (ptrace(PTRACE_SETREGS, t->tid, NULL, &regs) && errno != ESRCH)
		die(99, "set the registers");
#else
	(void)s;
#endif
	t->failing = false;
}

/* Of a kind, or by its own name. A short write is one of write and pwrite64 only. */
static bool
to_fail(struct stopper *s, const struct call *c)
{
	if (!s->kind || !c->name ||
	    (strcmp(c->kind, s->kind) != 0 && strcmp(c->name, s->kind) != 0 && strcmp(s->kind, "pipe-read") != 0))
		return false;
	s->n_kind++;
	return s->ever ? s->n_kind >= s->when : s->n_kind == s->when;
}

/* Is it one of these, and not one that was open before? */
static bool
is_a(mode_t type, pid_t tid, uint64_t fd)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)tid, (int)fd);
	return fd > 2 && !stat(path, &st) && (st.st_mode & S_IFMT) == type;
}

/* Of reads and writes only those of files are made to fail: a pipe to oneself has no disk that could be full. Unless
 * reads of pipes are asked for. */
static bool
can_fail(const struct stopper *s, pid_t tid, const struct call *c, const struct ptrace_syscall_info *info)
{
	bool reads = c->name && strcmp(c->kind, "read") == 0;

	if (s->kind && strcmp(s->kind, "pipe-read") == 0)
		return reads && is_a(S_IFIFO, tid, info->entry.args[0]);
	return !c->name || (!reads && strcmp(c->kind, "write") != 0) || is_a(S_IFREG, tid, info->entry.args[0]);
}

/* That of the target's threads, a new one if it is not known yet. */
static struct thread *
thread(struct stopper *s, pid_t tid)
{
	size_t i = 0;

	while (i < s->n_threads && s->threads[i].tid != tid)
		i++;
	if (i == s->n_threads) {
		if (i == MAX_THREADS) {
			errno = ENOBUFS;
			die(99, "follow so many threads");
		}
		s->threads[s->n_threads++] = (struct thread){ .tid = tid };
	}
	return &s->threads[i];
}

/* A thread has ended; its number may be another's soon. */
static void
forget_thread(struct stopper *s, pid_t tid)
{
	for (size_t i = 0; i < s->n_threads; i++) {
		if (s->threads[i].tid == tid) {
			s->threads[i] = s->threads[--s->n_threads];
			return;
		}
	}
}

static void
at_entry(struct stopper *s, struct thread *t, const struct ptrace_syscall_info *info)
{
	const struct call *c = call_of(info->entry.nr);
	bool can = (s->list || s->kind) && can_fail(s, t->tid, c, info);

	t->nr = info->entry.nr;
	t->n = ++s->n;
	if (s->list)
		fprintf(s->list, "%s%s\n", call_name(t->nr), can ? "" : " -");
	if (can && to_fail(s, c))
		fail_call(s, t);
}

static void
at_exit(struct stopper *s, struct thread *t)
{
	const struct call *c = call_of(t->nr);

	if (t->failing)
		fail_result(s, t);
	else if (!s->guarded && c->name && strcmp(c->kind, "spawn") == 0)
		s->guarded = find(s, true) != 0;
}

/* A thread of the target has stopped at a call. True: it was struck there. While it is in the call the others make
 * theirs, so that an exit has the number of its own entry. */
static bool
at_call(struct stopper *s, pid_t tid)
{
	struct ptrace_syscall_info info;
	struct thread *t;
	bool entry;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof(info), &info) < 0)
		return false;
	t = thread(s, tid);
	entry = info.op == PTRACE_SYSCALL_INFO_ENTRY;
	if (entry)
		at_entry(s, t, &info);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT && t->n > 0)
		at_exit(s, t);
	else
		return false;
	/* What does not return is struck where it begins. */
	if (!s->armed || t->n != s->at ||
	    entry == (s->on_exit && t->nr != SYS_exit_group && t->nr != SYS_exit && t->nr != SYS_execve))
		return false;
	fprintf(s->out, "killed %ld %s %s", t->n, call_name(t->nr), entry ? "entry" : "exit");
	strike(s);
	return true;
}

/* A process has become another program: is it the one that we want? */
static bool
becomes_target(struct stopper *s, pid_t pid)
{
	if (s->target || pid == s->first)
		return false;
	if (same_program(s, pid))
		return s->who == GUARDIAN;
	return s->who == TASK && ++s->n_tasks == s->index;
}

/* One that was traced from its birth has stopped for the first time, or at its exec. */
static void
newcomer(struct stopper *s, pid_t pid, bool exec)
{
	if (s->target && thread_of(pid, s->target))
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	else if (!s->armed || s->target || (exec && s->who == FIRST))
		let_go(pid, 0);
	else if (exec && becomes_target(s, pid)) {
		s->target = pid;
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	} else if (exec && pid != s->first) {
		let_go(pid, 0);
	} else {
		ptrace(PTRACE_CONT, pid, NULL, NULL);
	}
}

static void
stopped(struct stopper *s, pid_t pid, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16;
	bool ours = s->target && (pid == s->target || thread_of(pid, s->target));

	if (sig == (SIGTRAP | 0x80)) {
		if (!at_call(s, pid) && s->armed)
			ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		else
			let_go(pid, 0);
		return;
	}
	if (event == PTRACE_EVENT_EXEC && pid == s->first && !s->target && s->who == FIRST) {
		s->target = pid;
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	} else if (event == PTRACE_EVENT_EXEC && !ours) {
		newcomer(s, pid, true);
	} else if (event == PTRACE_EVENT_STOP && sig == SIGTRAP) {
		newcomer(s, pid, false);
	} else if (event == PTRACE_EVENT_STOP) {
		/* The group was stopped, and stays so until it is continued. */
		ptrace(PTRACE_LISTEN, pid, NULL, NULL);
	} else if (!s->armed) {
		let_go(pid, event ? 0 : sig);
	} else {
		ptrace(ours ? PTRACE_SYSCALL : PTRACE_CONT, pid, NULL, (void *)(intptr_t)(event ? 0 : sig));
	}
}

/* Starts the command, seized before its exec. */
static void
begin(struct stopper *s, char **argv)
{
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
	int go[2];
	char c;

	if (s->who != FIRST)
		options |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
	if (pipe2(go, O_CLOEXEC))
		die(99, "pipe");
	s->first = fork();
	if (s->first < 0)
		die(99, "fork");
	if (s->first == 0) {
		if (read(go[0], &c, 1) != 1)
			_exit(99);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (ptrace(PTRACE_SEIZE, s->first, NULL, (void *)options)) {
		kill(s->first, SIGKILL);
		die(77, "trace a process");
	}
	if (write(go[1], "", 1) != 1)
		die(99, "write");
	close(go[0]);
	close(go[1]);
}

static volatile sig_atomic_t late;

static void
on_alarm(int sig)
{
	(void)sig;
	late = 1;
}

/* Again and again, as one may come just before we wait. */
static void
limit(long seconds)
{
	struct itimerval every = { .it_value.tv_sec = seconds, .it_interval.tv_sec = 1 };
	struct sigaction sa = { .sa_handler = on_alarm };

	if (sigaction(SIGALRM, &sa, NULL) || setitimer(ITIMER_REAL, &every, NULL))
		die(99, "set an alarm");
}

/* Until the command has ended, and, unless they are left, all that it started. */
static void
run(struct stopper *s, int *first_status)
{
	bool first_gone = false;
	int status;
	pid_t pid;

	while (!first_gone || s->after != AFTER_LEAVE) {
		if (late) {
			s->armed = false;
			s->after = AFTER_KILL;
			if (!first_gone)
				kill(s->first, SIGKILL);
		}
		if (late || (first_gone && s->after == AFTER_KILL))
			kill_others(s);
		pid = waitpid(-1, &status, __WALL);
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			break;
		if (WIFSTOPPED(status)) {
			stopped(s, pid, status);
		} else if (pid == s->first) {
			first_gone = true;
			*first_status = status;
		} else {
			forget_thread(s, pid);
		}
	}
}

/* The program's file, to know a guardian by; the command's first word has a '/'. */
static void
remember_program(struct stopper *s, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		die(99, path);
	s->dev = st.st_dev;
	s->ino = st.st_ino;
}

int
main(int argc, char **argv)
{
	struct stopper s = { .index = 1, .armed = true, .out = stdout };
	int status = 0;

	parse(&s, argc, argv);
	remember_program(&s, argv[optind]);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
		die(77, "become the one whom orphans go to");
	begin(&s, argv + optind);
	if (s.patience)
		limit(s.patience);
	run(&s, &status);
	if (late) {
		fprintf(stderr, "stopper: not over after %ld s\n", s.patience);
		return 98;
	}
	status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (s.armed)
		fprintf(s.out, "ended %d calls=%ld hits=%ld guardian=%d\n", status, s.n, s.hits, s.guarded);
	else
		fprintf(s.out, " %d gone=%.0f\n", status, now() - s.struck);
	return fflush(s.out) ? 99 : 0;
}
