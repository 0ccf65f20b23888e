/* What files of a plan contain, as hashes: each is read once for as long as it looks the same, however many tasks ask. */
#ifndef DR_CONTENT_H
#define DR_CONTENT_H

#include "disk.h"

struct dr_contents {
	const struct dr_graph *graph;
	struct dr_disk *disk;
	/* private */
	struct dr_content *v;
	uint32_t n, cap;
	struct dr_map map;
	struct dr_buf path;
};

/* The content of a file that has the stamp which the graph has of it. NULL: it cannot be read, is no regular file, is another one by now,
 * or there is no memory. Valid until the next call. */
const struct dr_hash128 *dr_content_of(struct dr_contents *c, uint32_t file);
/* The same, but only if it was asked for before: nothing is read. */
const struct dr_hash128 *dr_content_known(const struct dr_contents *c, uint32_t file);
/* It is read again, whatever is known. 1: the content is what it was when it was asked for before, or was not asked for; 0: it is another one,
 * which counts from now on; -1: as dr_content_of, NULL. */
int dr_content_again(struct dr_contents *c, uint32_t file);
void dr_contents_free(struct dr_contents *c);

#endif
