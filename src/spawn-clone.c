#include "config.h"

#include "spawn-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/sched.h>
#include <sys/syscall.h>
#endif

void
dr_spawn_become(const struct dr_spawn_child *c)
{
	const struct dr_spawn *sp = c->sp;
	struct sigaction sa = { .sa_handler = SIG_DFL };

	for (int sig = 1; sig < NSIG; sig++) {
		if (sigismember(c->reset, sig) == 1 && sigaction(sig, &sa, NULL))
			return;
	}
	if (sp->session && setsid() < 0)
		return;
	if (sp->cwd >= 0 && fchdir(sp->cwd))
		return;
	for (uint32_t i = 0; i < sp->n_fds; i++) {
		int from = sp->fds[i].from, to = sp->fds[i].to, flags;

		if (from < 0) {
			close(to);
		} else if (from != to) {
			if (dup2(from, to) < 0)
				return;
		} else {
			flags = fcntl(to, F_GETFD);
			if (flags < 0 || fcntl(to, F_SETFD, flags & ~FD_CLOEXEC))
				return;
		}
	}
	if (c->mask && sigprocmask(SIG_SETMASK, c->mask, NULL))
		return;
	execve(c->path, c->argv, sp->envp);
}

/* The sanitizers keep notes on stack frames, and those of a child that never returns would stay. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED
#endif
#endif

#if defined(__x86_64__) && !defined(__ILP32__) && defined(SYS_clone3) && defined(CLONE_CLEAR_SIGHAND) && !defined(SANITIZED)

/* Enough for the calls above, which keep nothing; it lies on our own stack, as we do not go on before the exec. */
enum { STACK = 16 << 10 };

struct job {
	const struct dr_spawn_child *child;
	int why; /* errno of what failed in the child */
};

static void
run(struct job *job)
{
	dr_spawn_become(job->child);
	job->why = errno;
}

/* clone3(2) with a stack for the child, on which it calls fn(arg) and then exits. The C library's clone has no room for the flag that clears
 * handlers, and its syscall() would return twice on one stack. The result, or the negative errno. */
static long
clone_and_call(struct clone_args *args, void (*fn)(struct job *), struct job *arg)
{
	register void (*fn_in)(struct job *) __asm__("r12") = fn;
	register struct job *arg_in __asm__("r13") = arg;
	long rc;

	__asm__ volatile("syscall\n\t"
			 "testq %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xorl %%ebp, %%ebp\n\t" /* the outermost frame */
			 "movq %%r13, %%rdi\n\t"
			 "call *%%r12\n\t"
			 "movl $127, %%edi\n\t"
			 "movl %[leave], %%eax\n\t"
			 "syscall\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(rc)
			 : "a"((long)SYS_clone3), "D"(args), "S"(sizeof(*args)), "r"(fn_in), "r"(arg_in),
			   [leave] "i"(SYS_exit)
			 : "rcx", "r11", "memory", "cc");
	return rc;
}

int
dr_spawn_clone(const struct dr_spawn_child *c, pid_t *pid)
{
	_Alignas(16) char stack[STACK];
	struct job job = { .child = c };
	/* With their handlers gone, signals can do the child no harm that they would not do it a moment later: none is blocked. */
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_VFORK | CLONE_CLEAR_SIGHAND,
		.exit_signal = SIGCHLD,
		.stack = (uint64_t)(uintptr_t)stack,
		.stack_size = sizeof(stack),
	};
	long rc = clone_and_call(&args, run, &job);

	/* Kernels before 5.5 do not know the flag, and sandboxes the call. */
	if (rc == -ENOSYS || rc == -EINVAL || rc == -EPERM)
		return -1;
	if (rc < 0)
		return (int)-rc;
	if (job.why) {
		while (waitpid((pid_t)rc, NULL, 0) < 0 && errno == EINTR)
			;
		return job.why;
	}
	*pid = (pid_t)rc;
	return 0;
}

#else

int
dr_spawn_clone(const struct dr_spawn_child *c, pid_t *pid)
{
	(void)c;
	(void)pid;
	return -1;
}

#endif
