/* Who is at work in a state directory: locks on bytes of .dagrun/lock, all on one open file description.
 * They go away with the last process that holds the description, so that nobody has to unlock anything
 * after a crash.
 *
 * byte 0: the state itself: shared by every run, exclusive for compaction
 * byte 2^31 + run mod 2^31: this run is alive (shared, as two numbers may have one byte)
 * byte 2^32 + identity mod 2^62: that task is being made */
#ifndef DR_LOCK_H
#define DR_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "hash.h"

struct dr_err;
struct dr_lock;

/* Opens (makes) `lock` in the state directory, takes the shared lock on byte 0, waiting at most `wait` ns
 * for a compaction to end (then -1 with DR_STATE), and the byte of the run. A file system that refuses
 * locks: *alone is set, and every claim succeeds. */
int dr_lock_open(int state_dir, uint64_t run, int64_t wait, struct dr_lock **out, bool *alone,
		 struct dr_err *err);
void dr_lock_close(struct dr_lock *l);
int dr_lock_fd(const struct dr_lock *l);

/* Is the run with this number alive? */
bool dr_lock_alive(struct dr_lock *l, uint64_t run);
/* 1: ours now; 0: another run has it; -1 with err. Claims of one run on the same byte are counted. */
int dr_lock_claim(struct dr_lock *l, struct dr_hash128 id, struct dr_err *err);
void dr_lock_release(struct dr_lock *l, struct dr_hash128 id);
/* Is the task claimed by another run? For sweeping temporary names. */
bool dr_lock_claimed(struct dr_lock *l, struct dr_hash128 id);
/* The shared lock becomes exclusive if nobody else holds it: 1, or 0. dr_lock_share goes back. */
int dr_lock_exclude(struct dr_lock *l);
void dr_lock_share(struct dr_lock *l);

#endif
