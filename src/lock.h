/* Who is at work in a state directory: locks on bytes of .dagrun/lock, all on one open file description.
 * They go away with the last process that holds the description, so that nobody has to unlock anything
 * after a crash.
 *
 * byte 0: the state itself: shared by every run, exclusive for compaction
 * byte 1 + key mod 2^30: that stage is planned: shared by every run that may read its outputs, exclusive while
 * one removes some
 * byte 2^30 + 1 + run mod 2^29: the process of this run lives (shared). On a description of its own, which nobody inherits: the guardian
 * holds what the other bytes say until it has ended the tasks of a run that died
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
/* Only to ask dr_lock_alive and dr_lock_claimed: takes no lock, waits for nobody, makes nothing. Where there is no `lock` yet *out is
 * NULL: nobody is at work. */
int dr_lock_look(int state_dir, struct dr_lock **out, struct dr_err *err);
void dr_lock_close(struct dr_lock *l);
int dr_lock_fd(const struct dr_lock *l);

/* Is the run with this number alive? Its tasks may be: it is until its guardian has ended them. */
bool dr_lock_alive(struct dr_lock *l, uint64_t run);
/* Is its process? */
bool dr_lock_attended(struct dr_lock *l, uint64_t run);
/* Where the run's process has died and its guardian is still at it, waits until that has finished, at most `wait` ns. Is the run dead now? */
bool dr_lock_await_guardian(struct dr_lock *l, uint64_t run, int64_t wait);
/* 1: ours now; 0: another run has it; -1 with err. Claims of one run on the same byte are counted. */
int dr_lock_claim(struct dr_lock *l, struct dr_hash128 id, struct dr_err *err);
void dr_lock_release(struct dr_lock *l, struct dr_hash128 id);
/* Is the task claimed by another run? For sweeping temporary names. */
bool dr_lock_claimed(struct dr_lock *l, struct dr_hash128 id);
/* Is another run here? */
bool dr_lock_shared(const struct dr_lock *l);
/* The run may read outputs of the stage with this key that others may remove: from now on they do not. Before
 * it looks at files; waits at most `wait` ns (then -1 with DR_STATE). */
int dr_lock_use(struct dr_lock *l, uint64_t key, int64_t wait, struct dr_err *err);
void dr_lock_unuse(struct dr_lock *l, uint64_t key);
/* Is it used by nobody else? Then others who want to use it wait until dr_lock_use_shared, or _unuse. */
bool dr_lock_use_alone(struct dr_lock *l, uint64_t key);
void dr_lock_use_shared(struct dr_lock *l, uint64_t key);
/* The shared lock becomes exclusive if nobody else holds it: 1, or 0. dr_lock_share goes back. */
int dr_lock_exclude(struct dr_lock *l);
void dr_lock_share(struct dr_lock *l);

#endif
