/* One record against one task; for stale.c. */
#ifndef DR_STALE_COMPARE_H
#define DR_STALE_COMPARE_H

#include "content.h"
#include "stale.h"

/* What the outputs of a record look like on the disk. */
enum dr_outputs_look {
	DR_OUT_ABSENT = 1,  /* one is not there */
	DR_OUT_CHANGED = 2, /* one is there and differs */
};

struct dr_compare {
	struct dr_plan *plan;
	struct dr_disk *disk;
	struct dr_hasher *hasher;
	struct dr_buf text, path;
	int64_t looked; /* before any content was read, in ns since 1970 */
	/* Marks of files that may have changed under the same time: `settled`, for the next record, they count no longer. Of the last record:
	 * `marked`, there are some that do, or would; `unsure`, and they will have to be looked at once more. */
	bool settled, marked, unsure;
	bool grave;  /* of the last record: a file's size differs, or that it is there */
	bool hashed; /* and: it has the content of all outputs */
	struct dr_contents contents;
};

/* Why the task of this DONE would have to run, its outputs aside: DR_WHY_NOT, COMMAND, INPUTS, INPUT, USES. *outputs is a set of
 * enum dr_outputs_look. An absent file takes the record's stamp, so that its consumers' records can be held against it. When
 * tell is not NULL the difference is described there: `in/17.txt: size 4096 → 4099`. -1 with err. */
int dr_compare_record(struct dr_compare *c, uint32_t task, struct dr_record *r, enum dr_why *why, unsigned *outputs,
		      struct dr_buf *tell, struct dr_err *err);
/* The first output from the k-th on that stands and is not as the task's record says: its place among the outputs, or DR_NONE. How it
 * differs is appended to `tell`, if that is not NULL: `size 4096 → 4099`. r has just been read when k is 0; else it is as this left it. */
uint32_t dr_compare_changed(struct dr_compare *c, uint32_t task, struct dr_record *r, uint32_t k, struct dr_buf *tell);
void dr_compare_free(struct dr_compare *c);

bool dr_stamp_same(const struct dr_stamp *a, const struct dr_stamp *b); /* size and mtime */

#endif
