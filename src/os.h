/* Small system calls done right: interrupted ones resumed, partial ones completed, every descriptor born
 * close-on-exec. */
#ifndef DR_OS_H
#define DR_OS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct dr_err;
struct dr_buf;

int64_t dr_now(void);      /* CLOCK_MONOTONIC, ns: for durations and timers */
int64_t dr_realtime(void); /* CLOCK_REALTIME, ns: comparable with mtimes */
uint64_t dr_random64(void);

/* All n bytes or an error; read returns fewer only at the end of the file. A non-blocking descriptor is
 * waited for. -1 with errno. */
ssize_t dr_read_full(int fd, void *p, size_t n);
ssize_t dr_pread_full(int fd, void *p, size_t n, off_t at);
int dr_write_full(int fd, const void *p, size_t n);
int dr_pwrite_full(int fd, const void *p, size_t n, off_t at);

/* Appends the whole of a file (or of a descriptor, to its end) to buf. 0 or -1 with err naming path. */
int dr_slurp(int dirfd, const char *path, struct dr_buf *buf, struct dr_err *err);
int dr_slurp_fd(int fd, struct dr_buf *buf, const char *name, struct dr_err *err);

/* Appends the last lines of len bytes at `at`, at most `lines` and 4096 bytes, without the end of the last. -1: there is nothing to be
 * read. */
int dr_tail(int fd, uint64_t at, uint64_t len, uint32_t lines, struct dr_buf *out);

/* Makes the directories above path (everything before its last '/'); existing ones are fine. -1 with errno. */
int dr_mkdirs_for(int dirfd, const char *path);
/* The same. *made: the one that path lies in was not there, and nobody else has made it. */
int dr_mkdirs_new(int dirfd, const char *path, bool *made);
/* Removes a file, or a directory with all below it; what is not there is fine. Does not follow links, and
 * takes two descriptors whatever the depth. -1 with the first errno: what else could be removed is gone then too. */
int dr_remove_tree(int dirfd, const char *path);

/* Is there no room left, in bytes or files, where a path is or would be? If so, appends where that file system is mounted. */
bool dr_no_room(int dirfd, const char *path, struct dr_buf *out);

void dr_close(int *fd); /* closes and sets to -1; -1 is fine; keeps errno */
/* dup to a descriptor >= min, close-on-exec; -1 with errno. */
int dr_dup_above(int fd, int min);

/* Which start of the machine this is: a power cut lies between two that differ. */
struct dr_boot {
	uint64_t id[2]; /* 0, 0: the system does not tell */
	int64_t began;  /* ns since 1970, about */
};
void dr_boot(struct dr_boot *b);

/* Starts a thread that helps: all signals are blocked in it, as they are for the one whose loop waits for them. 0 or an errno. */
int dr_helper(pthread_t *thread, void *(*fn)(void *), void *arg);

uint32_t dr_processors(void);  /* that we may run on, at least 1 */
int dr_load(double *one_minute); /* 0 or -1 where it cannot be known */
/* Bytes that processes can have before something is swapped or killed: of the machine, and of the control groups that we are in.
 * UINT64_MAX: the system does not tell. */
uint64_t dr_memory_available(void);
double dr_memory_pressure(void); /* the share of the last 10 s in which nothing went on for want of memory; 0 where that is not known */
uint64_t dr_memory_kills(void);  /* how many processes the kernel has killed for want of memory, since the machine is up */
int dr_disk_space(int dirfd, const char *path, uint64_t *bytes); /* of the file system of a directory, for us; -1 with errno */
uint64_t dr_arg_max(void);     /* bytes that argv and environment may take together */
const char *dr_signal_name(int sig); /* "SIGKILL"; "signal 77" never NULL, static storage */

#endif
