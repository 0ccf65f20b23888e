/* Who runs, from /proc. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* A zombie has ended. */
bool alive(pid_t pid);
/* Is it a thread of that process? */
bool thread_of(pid_t tid, pid_t pid);
/* Children of a process that are alive, whichever of its threads started them; how many, at most max. One may be told of twice: from
 * a thread that ends they go to another. */
int children_of(pid_t pid, pid_t *kids, int max);

#endif
