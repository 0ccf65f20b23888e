/* Starting a process as vfork does it: without copying page tables, with the exec's error told to the caller. */
#ifndef DR_SPAWN_H
#define DR_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <signal.h>
#include <sys/types.h>

struct dr_err;

/* In the child `to` becomes a copy of `from` (not close-on-exec); from -1: it is closed. Done in order. */
struct dr_spawn_fd {
	int from, to;
};

struct dr_spawn {
	const char *path;  /* with a '/', else looked up in the PATH of envp */
	char *const *argv; /* NULL-terminated */
	char *const *envp;
	int cwd;           /* a directory's descriptor, or -1: ours */
	const struct dr_spawn_fd *fds;
	uint32_t n_fds;
	bool session;      /* setsid: a session and group of its own */
	const sigset_t *ignored; /* what dr_spawn_ignored gave, where many are started; NULL: it is asked */
	bool masked;       /* the calling thread has dr_spawn_mask, and the child with it */
	bool deaf;         /* every signal that can be blocked is, instead of the mask that we were started with */
};

/* 0 with *pid, or -1 with err: err->sys is why (ENOENT, EACCES: the command's fault; EAGAIN, ENOMEM, EMFILE:
 * the system's, worth trying again). The child has every signal's default disposition but those ignored when
 * we were started (SIGCHLD is never ignored), and the signal mask that we were started with (see
 * dr_spawn_remember). A file without a #! line is given to /bin/sh, as execvp does. */
int dr_spawn(const struct dr_spawn *sp, pid_t *pid, struct dr_err *err);

/* Once, before any disposition is changed: remembers mask and dispositions to give to children (not limits:
 * no soft limit is ever raised, so they have ours). A second call does nothing; dr_spawn calls it if nobody
 * did. */
void dr_spawn_remember(void);

/* The signal mask that we were started with. A thread that starts many takes it as its own: that spares each of them a call. */
const sigset_t *dr_spawn_mask(void);

/* The signals that we ignore and that a child is not to ignore. It holds until somebody ignores another. */
void dr_spawn_ignored(sigset_t *out);

/* The PATH of this environment, or NULL. */
const char *dr_path_of(char *const *envp);

/* Where execvp would find `name` with this PATH ("" is the working directory cwd); 0 with path filled, or -1 with
 * errno ENOENT or EACCES. */
int dr_find_program(int cwd, const char *name, const char *path_var, char *path, uint32_t size);

#endif
