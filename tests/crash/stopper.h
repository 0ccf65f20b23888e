/* What tests/crash/stopper.c is told, and what it has seen. */
#ifndef STOPPER_H
#define STOPPER_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/user.h>

enum target { FIRST, GUARDIAN, TASK };
enum whom { KILL_NONE, KILL_FIRST, KILL_GUARDIAN, KILL_BOTH, KILL_TREE, KILL_TASK };
enum after { AFTER_WAIT, AFTER_KILL, AFTER_LEAVE };

struct stopper {
	enum target who;
	long index; /* of the task, from 1 */
	long at;
	bool on_exit;
	enum whom whom;
	enum after after;
	const char *kind; /* of calls to fail, or NULL */
	int error;        /* 0: a short write */
	long when;
	bool ever;
	FILE *list, *out;

	pid_t first, target; /* target 0: not there yet */
	dev_t dev;           /* the program's file, to know a guardian by */
	ino_t ino;
	long n, n_kind, hits, n_tasks;
	bool failing;                /* the call that the target is in is to fail */
	struct user_regs_struct was; /* as it began */
	bool armed;                  /* not struck yet */
	bool guarded;                /* a guardian was seen */
	double struck;
};

/* Prints why, from errno, and exits. */
void die(int status, const char *what);
/* The words of the command line; the command begins at optind. What is wrong there ends the program. */
void parse(struct stopper *s, int argc, char **argv);

#endif
