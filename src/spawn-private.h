/* What the ways to start a process share. */
#ifndef DR_SPAWN_PRIVATE_H
#define DR_SPAWN_PRIVATE_H

#include <signal.h>

#include "spawn.h"

#ifndef NSIG
#define NSIG 65
#endif

/* What a child is to become. */
struct dr_spawn_child {
	const struct dr_spawn *sp;
	const char *path;
	char *const *argv;
	const sigset_t *mask;  /* to begin with; NULL: what it has */
	const sigset_t *reset; /* signals to give their default dispositions */
};

/* In the child: only what is safe there, until the exec. Returns, with errno, if something failed. */
void dr_spawn_become(const struct dr_spawn_child *c);

/* Starts a child that shares our memory and holds us until its exec, without the handlers that we have. 0 with *pid; an errno; or -1: this
 * system cannot do that. */
int dr_spawn_clone(const struct dr_spawn_child *c, pid_t *pid);

#endif
