#include "config.h"

#include "spawn.h"

#include "err.h"
#include "os.h"
#include "spawn-private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef HAVE_POSIX_SPAWN_FILE_ACTIONS_ADDFCHDIR_NP
#include <spawn.h>
#endif
#ifdef POSIX_SPAWN_SETSID
#define USE_POSIX_SPAWN
#endif

/* What children get, as we were given it; written once and only read from then on. The limits are not here:
 * we never raise a soft limit, so a child has ours, which is the one that we were started with. */
static struct {
	bool known;
	sigset_t mask;
	sigset_t defaults; /* the signals to reset: all but those that were ignored */
} given;

void
dr_spawn_remember(void)
{
	struct sigaction sa;

	if (given.known)
		return;
	sigprocmask(SIG_SETMASK, NULL, &given.mask);
	sigemptyset(&given.defaults);
	for (int sig = 1; sig < NSIG; sig++) {
		/* Those that the C library keeps for itself answer with an error. */
		if (sig == SIGKILL || sig == SIGSTOP || sigaction(sig, NULL, &sa))
			continue;
		/* A child for which SIGCHLD is ignored can't wait for its own children. We catch it in any
		 * case, and what is caught is the default after an exec. */
		if ((sa.sa_flags & SA_SIGINFO) || sa.sa_handler != SIG_IGN || sig == SIGCHLD)
			sigaddset(&given.defaults, sig);
	}
	given.known = true;
}

/* Whether execve would take it: 0, or the errno. */
static int
runnable(int cwd, const char *path)
{
	struct stat st;

	if (fstatat(cwd, path, &st, 0))
		return errno;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return faccessat(cwd, path, X_OK, AT_EACCESS) ? errno : 0;
}

int
dr_find_program(int cwd, const char *name, const char *path_var, char *path, uint32_t size)
{
	const char *p = path_var ? path_var : "/bin:/usr/bin", *end;
	size_t len = strlen(name);
	int why = ENOENT, e, n;

	if (cwd < 0)
		cwd = AT_FDCWD;
	if (strchr(name, '/')) {
		e = runnable(cwd, name);
		why = e == EACCES ? EACCES : ENOENT;
		if (!e && len < size) {
			memcpy(path, name, len + 1);
			return 0;
		}
		p = NULL;
	}
	for (; p && len; p = *end ? end + 1 : NULL) {
		end = p + strcspn(p, ":");
		n = snprintf(path, size, "%.*s%s%s", (int)(end - p), p, end > p ? "/" : "./", name);
		if (n < 0 || (uint32_t)n >= size)
			continue;
		e = runnable(cwd, path);
		if (!e)
			return 0;
		/* As execvp: one that may not be run doesn't hide another, but is the reason in the end. */
		if (e == EACCES)
			why = EACCES;
	}
	errno = why;
	return -1;
}

#ifdef USE_POSIX_SPAWN

/* 0 or an errno. */
static int
file_actions(const struct dr_spawn *sp, posix_spawn_file_actions_t *fa)
{
	int rc = 0;

	/* First the directory, as its descriptor may be one that the others replace. */
	if (sp->cwd >= 0)
		rc = posix_spawn_file_actions_addfchdir_np(fa, sp->cwd);
	/* Onto itself too: that is how one descriptor stays open across the exec. */
	for (uint32_t i = 0; !rc && i < sp->n_fds; i++)
		rc = sp->fds[i].from < 0 ? posix_spawn_file_actions_addclose(fa, sp->fds[i].to) :
					   posix_spawn_file_actions_adddup2(fa, sp->fds[i].from, sp->fds[i].to);
	return rc;
}

static int
start_slowly(const struct dr_spawn *sp, const char *path, char *const *argv, pid_t *pid)
{
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t all;
	int rc;

	sigfillset(&all);
	if (sp->session)
		flags |= POSIX_SPAWN_SETSID;
	rc = posix_spawnattr_init(&attr);
	if (rc)
		return rc;
	rc = posix_spawn_file_actions_init(&fa);
	if (rc)
		goto out_attr;
	if ((rc = posix_spawnattr_setflags(&attr, flags)) ||
	    (rc = posix_spawnattr_setsigmask(&attr, sp->deaf ? &all : &given.mask)) ||
	    (rc = posix_spawnattr_setsigdefault(&attr, &given.defaults)) || (rc = file_actions(sp, &fa)))
		goto out;
	rc = posix_spawn(pid, path, &fa, &attr, argv, sp->envp);
out:
	posix_spawn_file_actions_destroy(&fa);
out_attr:
	posix_spawnattr_destroy(&attr);
	return rc;
}

#else

/* A pipe that tells why a child could not become what it should; its write end is above all descriptors that
 * the child replaces. */
static int
report_pipe(const struct dr_spawn *sp, int fds[2])
{
	int above = 3, high;

	for (uint32_t i = 0; i < sp->n_fds; i++) {
		if (sp->fds[i].to >= above)
			above = sp->fds[i].to + 1;
	}
	if (pipe(fds))
		return -1;
	high = dr_dup_above(fds[1], above);
	dr_close(&fds[1]);
	fds[1] = high;
	if (high >= 0 && fcntl(fds[0], F_SETFD, FD_CLOEXEC) == 0)
		return 0;
	dr_close(&fds[0]);
	dr_close(&fds[1]);
	return -1;
}

static int
start_slowly(const struct dr_spawn *sp, const char *path, char *const *argv, pid_t *pid)
{
	sigset_t all, mask;
	const struct dr_spawn_child c = { sp, path, argv, sp->deaf ? &all : &given.mask, &given.defaults };
	int fds[2], why = 0;
	ssize_t n;
	pid_t child;

	if (report_pipe(sp, fds))
		return errno;
	/* A handler must not run in the child: it would write into a pipe that is ours. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	child = fork();
	if (child == 0) {
		dr_spawn_become(&c);
		why = errno;
		dr_write_full(fds[1], &why, sizeof(why));
		_exit(127);
	}
	why = child < 0 ? errno : 0;
	sigprocmask(SIG_SETMASK, &mask, NULL);
	dr_close(&fds[1]);
	if (child > 0) {
		n = dr_read_full(fds[0], &why, sizeof(why));
		if (n != (ssize_t)sizeof(why))
			why = 0;
		else
			while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
				;
	}
	dr_close(&fds[0]);
	*pid = child;
	return why;
}

#endif

const sigset_t *
dr_spawn_mask(void)
{
	dr_spawn_remember();
	return &given.mask;
}

void
dr_spawn_ignored(sigset_t *out)
{
	struct sigaction sa;

	dr_spawn_remember();
	sigemptyset(out);
	for (int sig = 1; sig < NSIG; sig++) {
		if (sigismember(&given.defaults, sig) == 1 && !sigaction(sig, NULL, &sa) &&
		    !(sa.sa_flags & SA_SIGINFO) && sa.sa_handler == SIG_IGN)
			sigaddset(out, sig);
	}
}

/* 0 or an errno. Handlers are gone in a clone, so that only what we ignore is to be reset: that spares a child sixty
 * calls, which take as long as the rest of its start. */
static int
start(const struct dr_spawn *sp, const char *path, char *const *argv, pid_t *pid)
{
	sigset_t all, ignored;
	struct dr_spawn_child c = { sp, path, argv, sp->masked ? NULL : &given.mask, sp->ignored };
	int rc;

	sigfillset(&all);
	if (sp->deaf)
		c.mask = &all;
	if (!c.reset) {
		dr_spawn_ignored(&ignored);
		c.reset = &ignored;
	}
	rc = dr_spawn_clone(&c, pid);
	return rc < 0 ? start_slowly(sp, path, argv, pid) : rc;
}

/* A file that is no program and has no #! line. 0 or an errno. */
static int
start_script(const struct dr_spawn *sp, const char *path, pid_t *pid)
{
	char shell[] = "/bin/sh";
	size_t n = 0;
	char **argv;
	int rc;

	while (sp->argv[n])
		n++;
	argv = calloc(n + 3, sizeof(*argv));
	if (!argv)
		return ENOMEM;
	argv[0] = shell;
	memcpy(&argv[1], &path, sizeof(path));
	/* Without the name that argv begins with; an empty argv has none. */
	if (n > 1)
		memcpy(&argv[2], &sp->argv[1], (n - 1) * sizeof(*argv));
	rc = start(sp, shell, argv, pid);
	free(argv);
	return rc;
}

const char *
dr_path_of(char *const *envp)
{
	for (; *envp; envp++) {
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	}
	return NULL;
}

int
dr_spawn(const struct dr_spawn *sp, pid_t *pid, struct dr_err *err)
{
	const char *path = sp->path;
	char found[PATH_MAX];
	struct stat st;
	int rc;

	dr_spawn_remember();
	if (!strchr(path, '/')) {
		if (dr_find_program(sp->cwd, path, dr_path_of(sp->envp), found, sizeof(found))) {
			if (errno == ENOENT)
				return dr_err_sys(err, errno, "start %s (not in PATH; here it would be ./%s)",
						  path, path);
			return dr_err_sys(err, errno, "start %s", path);
		}
		path = found;
	}
	rc = start(sp, path, sp->argv, pid);
	if (rc == ENOEXEC)
		rc = start_script(sp, path, pid);
	if (rc == ENOENT && fstatat(sp->cwd < 0 ? AT_FDCWD : sp->cwd, path, &st, 0) == 0)
		return dr_err_sys(err, rc, "start %s: its interpreter is missing", sp->path);
	if (rc)
		return dr_err_sys(err, rc, "start %s", sp->path);
	return 0;
}
