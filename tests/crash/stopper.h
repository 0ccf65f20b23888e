/* What tests/crash/stopper.c is told, and what it has seen. */
#ifndef STOPPER_H
#define STOPPER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/user.h>

enum target { FIRST, GUARDIAN, TASK };
enum whom { KILL_NONE, KILL_FIRST, KILL_GUARDIAN, KILL_BOTH, KILL_TREE, KILL_TASK };
enum after { AFTER_WAIT, AFTER_KILL, AFTER_LEAVE };

enum { MAX_THREADS = 256 };

/* One of the target's. */
struct thread {
	pid_t tid;
	long n;                      /* which call it is in, or was in last; 0: none yet */
	uint64_t nr;                 /* what that is */
	bool failing;                /* it is to fail */
	struct user_regs_struct was; /* as it began */
};

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
	long patience; /* s; 0: without end */
	FILE *list, *out;

	pid_t first, target; /* target 0: not there yet */
	dev_t dev;           /* the program's file, to know a guardian by */
	ino_t ino;
	long n, n_kind, hits, n_tasks;
	struct thread threads[MAX_THREADS];
	size_t n_threads;
	bool armed;   /* not struck yet */
	bool guarded; /* a guardian was seen */
	double struck;
};

/* Prints why, from errno, and exits. */
void die(int status, const char *what);
/* The words of the command line; the command begins at optind. What is wrong there ends the program. */
void parse(struct stopper *s, int argc, char **argv);

#endif
