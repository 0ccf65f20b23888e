/* Looks at many files, in several threads where the disk allows it, while the journal is read: whoever needs a file that no
 * thread has come to looks itself, so that nobody waits while there is work. For stale.c. */
#ifndef DR_STALE_LOOK_H
#define DR_STALE_LOOK_H

#include <pthread.h>
#include <stdint.h>

#include "disk.h"
#include "graph.h"
#include "str.h"

struct dr_err;
struct dr_look;

enum {
	DR_LOOK_CHUNK = 512, /* files that a thread takes at once */
	DR_LOOK_HELPERS = 7, /* at most */
	/* From how many chunks on a helper is worth its start. */
	DR_LOOK_CHUNKS_EACH = 8,
};

/* Starts as many helpers as the disk allows and so many chunks are worth; one that cannot be started is done without. How many there are. */
unsigned dr_look_helpers(const struct dr_disk *d, uint32_t chunks, pthread_t helpers[DR_LOOK_HELPERS], void *(*fn)(void *), void *arg);

/* Sets stamp and flags of one file. path: scratch. */
int dr_look_at(struct dr_disk *d, struct dr_graph *g, uint32_t file, struct dr_buf *path, struct dr_err *err);

/* Begins to look at the files whose bit is set in `which` (n_files bits; it must stay until dr_look_end). Until then a file is the
 * caller's to use only after dr_look_need. NULL with err. */
struct dr_look *dr_look_begin(struct dr_disk *d, struct dr_graph *g, const uint8_t *which, struct dr_err *err);
/* Returns when this file has been looked at, or looking failed. */
void dr_look_need(struct dr_look *l, uint32_t file);
/* All that is left, then ends the threads and frees l. -1 with err: a file could not be looked at. */
int dr_look_end(struct dr_look *l, struct dr_err *err);

#endif
