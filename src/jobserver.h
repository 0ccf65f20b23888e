/* Tokens: as a client of the jobserver above us, or as the server of a pool of our own. Protocol: GNU
 * make's manual, "POSIX Jobserver Interaction". What was seen of real makes stands in the design and beside
 * the code. */
#ifndef DR_JOBSERVER_H
#define DR_JOBSERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "makeflags.h"
#include "style.h"

struct dr_err;
struct dr_guardian;
struct dr_jobserver;

struct dr_jobserver_options {
	const struct dr_makeflags *flags;
	uint32_t jobs; /* -j; 0: not given. Under a jobserver it caps our share, else it is the pool's size */
	uint32_t processors;
	enum dr_style style; /* of children that have none of their own */
	unsigned styles;     /* a bit (1 << style) for each that some child has beside */
	bool guarded; /* dr_jobserver_guard will be called before anything is taken: until then no pool is made */
	void (*warn)(void *arg, const char *message); /* the pool named cannot be used: cause and cure */
	void *warn_arg;
};

/* Client where one is named and usable; where one is named and is not: one warning, one slot; no jobserver
 * named: a pool of `jobs` (default: 1 under a make, unless it was told -j without a number; else the
 * processors). Never fatal but for memory, descriptors. Opens only. */
int dr_jobserver_open(const struct dr_jobserver_options *o, struct dr_jobserver **out, struct dr_err *err);
/* Gives back every token still held and removes our pool, so call it when all children have ended. It
 * writes, waits where the pool is full, and frees memory: for a normal way out, never from a signal
 * handler. NULL is fine. */
void dr_jobserver_close(struct dr_jobserver *js);

/* For who watches over us, once and before the first token: where tokens of another's pool go back, and the pipe through which they come,
 * -1: none. Both stay ours. */
void dr_jobserver_guarded(struct dr_jobserver *js, int *pool, int *via);
/* From now on g knows of our tokens and our pool, and outlives js; NULL: nobody does. 0, or -1 with err: no pool can be made. */
int dr_jobserver_guard(struct dr_jobserver *js, struct dr_guardian *g, struct dr_err *err);

bool dr_jobserver_client(const struct dr_jobserver *js);
/* The most slots that we may fill: of a client without -j the pool's size where make tells it, else
 * UINT32_MAX. */
uint32_t dr_jobserver_limit(const struct dr_jobserver *js);

/* The implicit slot is taken first and given back last; it costs no byte. Never blocks. 1: one more slot is
 * ours; 0: none is free now; -1: the server has gone (go on with what is held; the implicit slot is always
 * there); told once, afterwards it is 0. */
int dr_jobserver_take(struct dr_jobserver *js, struct dr_err *err);
/* One slot less; its byte, as it was read, goes back. -1 with err when it could not be written. */
int dr_jobserver_give(struct dr_jobserver *js, struct dr_err *err);
uint32_t dr_jobserver_held(const struct dr_jobserver *js); /* slots taken, the implicit one included */
/* A descriptor to poll for POLLIN while another slot is wanted; -1: none, try again on a task's end. */
int dr_jobserver_poll_fd(const struct dr_jobserver *js);

/* What a child needs to share the pool in a style (DEFAULT: what was said at the opening). As a client it is what
 * we inherited, n_fds 0 and the environment untouched, whatever the style but NONE. As a server, where the pool
 * that make named cannot be used, or with NONE: MAKEFLAGS, MFLAGS and CARGO_MAKEFLAGS to set, as far as they differ
 * from what we inherited. Strings "NAME=VALUE" owned by js; NULL-terminated, never NULL. Makes the pool, so call it
 * when the first child is about to start; the answer then stays the same. */
const char *const *dr_jobserver_env(struct dr_jobserver *js, enum dr_style style);
/* As a server: what a child is to have as its descriptors *to_r and *to_w (at least 100), *fd for both, and blocking. *fd is what
 * this gave for a child that has ended, or -1: it is given again, as opening one takes as long as ten other calls, or closed and opened anew
 * where a child has changed its flags. Whom the child has left behind has it as well: then the caller closes it instead. It is the caller's, and for one child at a time. Where there is nothing to give, *to_r and *to_w are -1 and *fd
 * is left. No other descriptor of ours has the numbers *to_r and *to_w. 0 or -1 with err. */
int dr_jobserver_child_fds(struct dr_jobserver *js, enum dr_style style, int *fd, int *to_r, int *to_w,
			   struct dr_err *err);
/* Inherited descriptors that a child of this style is not to have, else -1: as a client of a pipe, with NONE. */
void dr_jobserver_hidden(const struct dr_jobserver *js, enum dr_style style, int fds[2]);

/* Of our own pool, when nothing runs that could hold tokens: what did not come back is put back, and what is too
 * much is taken out. How many: missing ones are positive. 0: all was well, or the pool is another's, or *held:
 * some are missing, but what tasks have left behind has the pool open and may yet give them back, such as what a
 * dagrun that was killed leaves to do so. held NULL: they are put back all the same. */
int64_t dr_jobserver_reconcile(struct dr_jobserver *js, bool *held);

#endif
