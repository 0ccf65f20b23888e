/* The jobserver's parts, for jobserver*.c only: the bytes of a pool, finding one, making one, telling of
 * it. */
#ifndef DR_JOBSERVER_POOL_H
#define DR_JOBSERVER_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "guardian-table.h"
#include "makeflags.h"
#include "str.h"
#include "style.h"

struct dr_err;
struct dr_server;

/* A pool that can be reached. Neither call blocks, whatever the flags of descriptors that we share. */
struct dr_pool {
	int r, w;   /* the same where one can do both; -1: none */
	int via[2]; /* a pipe of ours through which bytes come from an r that may block; else -1 */
	bool lent;  /* r and w are what we inherited: neither their flags nor their closing is ours */
};

#define DR_POOL_NONE ((struct dr_pool){ .r = -1, .w = -1, .via = { -1, -1 } })

/* A token into a free slot, such that a kill at any moment leaves no doubt whether it is there. 1: it is HELD; 0: none will come any
 * more; -1 with errno, EAGAIN: none is there. */
int dr_pool_read(struct dr_pool *p, struct dr_guard_slot *s);
/* From now on bytes come through a pipe of ours. Where none can be had, they come as before. */
void dr_pool_via(struct dr_pool *p);
int dr_pool_write(const struct dr_pool *p, char byte); /* 0, or -1 with errno */
void dr_pool_close(struct dr_pool *p);
/* Has another process the pool open, which so may hold tokens or give some back? Not our own children: asked while no task
 * runs, these are none. Looks at all processes, so not for every day; false where there is no /proc. */
bool dr_pool_held_elsewhere(const struct dr_pool *p);

/* Joins the pool of that name. 1: joined. 0: it cannot be used, `why` is one sentence for a person,
 * cause and cure. -1 with err: no memory or no descriptors. */
int dr_pool_join(struct dr_pool *p, const struct dr_auth_name *name, struct dr_buf *why, struct dr_err *err);

/* A fifo in a directory of our own (0700), below the temporary one. For as long as we live we hold a lock on the
 * directory: one that nobody holds is of a run that died, and is swept by the next. */
struct dr_fifo {
	char *where; /* of somebody who is to know of dir before it is there, and when it has gone; or NULL */
	size_t where_size;
	char dir[4000], path[4096]; /* empty: not there */
	int lock;                   /* -1: none */
};

#define DR_FIFO_NONE ((struct dr_fifo){ .lock = -1 })

/* Makes it and sweeps. 0 with *fd, open for both and not blocking, which is the caller's; or -1 with err, and nothing
 * is left. */
int dr_fifo_make(struct dr_fifo *f, int *fd, struct dr_err *err);
void dr_fifo_close(struct dr_fifo *f);  /* removes it, and lets go of the lock */

/* A pool of our own with jobs - 1 tokens, filled in behind *pool (which outlives the server) when it is
 * first needed; with one job there is none, and the environment names none. fifo: some child is to be told of
 * one. Only without memory NULL. */
struct dr_server *dr_server_new(uint32_t jobs, bool fifo, struct dr_pool *pool, struct dr_err *err);
void dr_server_free(struct dr_server *s); /* leaves *pool to its owner */
/* Makes the pool, unless it is there. It may be smaller than asked for (dr_server_jobs), and without the
 * fifo that was asked for: then *without says why, once. 0 or -1 with err, and may be tried again. */
int dr_server_start(struct dr_server *s, const char **without, struct dr_err *err);
/* Where the name of our directory is to stand while there is one: put there before it is made, and taken away when it has gone. */
void dr_server_tell(struct dr_server *s, char *where, size_t size);
uint32_t dr_server_jobs(const struct dr_server *s);
/* See dr_jobserver_reconcile; we hold `ours`. */
int64_t dr_server_reconcile(struct dr_server *s, uint32_t ours, bool *held);
/* Where the pool can be reached by now by a child that is told of it in this style (not DEFAULT): for as long as the
 * server is there. */
struct dr_pool_address dr_server_address(const struct dr_server *s, enum dr_style style);
bool dr_server_started(const struct dr_server *s);
int dr_server_child_fds(const struct dr_server *s, enum dr_style style, int *fd, int *to_r, int *to_w,
			struct dr_err *err);

/* What children are told of a pool. Neither descriptors (r -1) nor a fifo (NULL): of none. */
struct dr_pool_address {
	uint32_t jobs;
	int r, w;
	const char *fifo;
	enum dr_style style; /* that the child is told of it in */
};

enum { DR_POOL_VARS = 3 };
struct dr_pool_env {
	struct dr_buf vars[DR_POOL_VARS];
	const char *envp[DR_POOL_VARS + 1];
};

/* NAME=VALUE, NULL at the end, in e->envp, of what we inherited and of the pool: as far as they differ from what
 * we inherited. */
void dr_pool_env_make(struct dr_pool_env *e, const struct dr_pool_address *a);
void dr_pool_env_free(struct dr_pool_env *e);

/* MAKEFLAGS without what names a jobserver or a number of jobs: the first word, where it is a cluster of
 * letters (it may become empty); the other words up to `--`, each with a blank before it; those behind
 * `--`, likewise. */
struct dr_flag_words {
	struct dr_buf letters, options, variables;
};

/* NULL: unset. 0, or -1 without memory. */
int dr_flag_words_split(const char *makeflags, struct dr_flag_words *out);
void dr_flag_words_free(struct dr_flag_words *w);

#endif
