/* Processes as /proc shows them, and whose tasks they are. Async-signal-safe, all of it: the guardian may
 * be the fork of a program with threads.
 *
 * A task's processes are found in two ways: they are in its session, or they were started with its mark in
 * their environment. Who leaves the one mostly keeps the other. The mark is an entry of DAGRUN_TASKS,
 * which has one for each task that a process is below of, outermost first, each with a blank before it:
 * DEV:INO:ID:RUN:SERIAL in hex. DEV and INO are those of the run's state directory, ID is the task's
 * identity, SERIAL counts the run's starts. */
#ifndef DR_PROC_H
#define DR_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define DR_MARKS "DAGRUN_TASKS"

struct dr_mark {
	uint64_t dev, ino, run, serial;
};

struct dr_proc {
	pid_t pid, group, session;
	uint64_t start; /* with the pid it names one process for good */
};

/* Calls fn for each process that has not ended; zombies have. 0, or -1: it cannot be known here. A process
 * that is started meanwhile by one that ends meanwhile may be missed: two calls in a row that find nothing
 * find that there is nothing. About 4 ms for 1,000. */
int dr_proc_each(void (*fn)(void *arg, const struct dr_proc *p), void *arg);

/* Whether `is` says so of one of the marks that the process was started with; a process whose environment
 * is not ours to read has none. */
typedef bool (*dr_mark_fn)(void *arg, const struct dr_mark *m);
bool dr_proc_marked(const struct dr_proc *p, dr_mark_fn is, void *arg);
/* The same of a value of DAGRUN_TASKS; NULL has none. */
bool dr_marks_any(const char *value, dr_mark_fn is, void *arg);

/* To this process and no other that has its number by now. With anything but KILL it is also made to go
 * on, as one that is stopped could not hear it. */
void dr_proc_signal(const struct dr_proc *p, int sig);
/* Waits until it has ended, at most ms. */
void dr_proc_wait(const struct dr_proc *p, int ms);

#endif
