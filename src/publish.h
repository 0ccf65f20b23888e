/* From a command that exited 0 to outputs under their final names, recorded: the order of the steps is the
 * promise. See doc/journal.md. Used by executors. */
#ifndef DR_PUBLISH_H
#define DR_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "disk.h"
#include "journal.h"
#include "plan.h"

struct dr_barrier;
struct dr_lock;
struct dr_publisher;

/* What a run of the command came to; filled by the executor. */
struct dr_outcome {
	int64_t start, end; /* ns since 1970 */
	int status;         /* as wait(2) gives it */
	enum dr_rec_how how; /* of a failure */
	int64_t user_us, sys_us;
	uint64_t peak_kb;
	uint32_t tries;
	uint64_t log_at, log_len;
};

enum dr_verdict {
	DR_PUBLISHED,
	DR_NO_OUTPUT,     /* exited 0 and an output is not there */
	DR_INPUT_CHANGED, /* an input changed while it ran */
	DR_NOT_PUBLISHED, /* the file system refused */
	DR_NOT_COMPARED,  /* its outputs may be what stands already: to be asked again, soon */
};

struct dr_publisher *dr_publisher_new(struct dr_plan *pl, struct dr_disk *disk, struct dr_journal *j,
				      struct dr_lock *lock, uint64_t run, struct dr_err *err);
void dr_publisher_free(struct dr_publisher *p);
/* What this does for power cuts; without it, nothing. What gets its name is told to the barrier (NULL is fine). Small outputs that are
 * recorded before `hash_until` (ns since 1970) get their content's hash into the record, as a run that ends early has no barrier. durable:
 * outputs, their directories and the journal are synced one by one; that the run does so must be in the journal
 * (DR_REC_ALWAYS) before the first of them. */
void dr_publisher_endure(struct dr_publisher *p, struct dr_barrier *b, int64_t hash_until, bool durable);

/* Before the start: directories of the outputs made, what may have their temporary names removed, inputs
 * looked at (their stamps in the graph are what the command will find). 0, or -1 with err, also when an
 * input is not there any more. */
int dr_publish_begin(struct dr_publisher *p, uint32_t task, struct dr_err *err);
/* After exit 0: everything declared there, inputs unchanged, DONE added to the journal's batch, the
 * outputs' stamps put into the graph. The outputs get their names in dr_publish_commit; one that is the same as what stands under its
 * name is not replaced, and keeps that one's stamp (DR_FILE_SAME). Large ones are compared a piece a call: DR_NOT_COMPARED, until
 * dr_publish_hurry says that there is no time for it. *verdict says what; err->msg says it in words when it is neither that nor
 * DR_PUBLISHED, and dr_publish_abort is to follow. -1 only for memory. */
int dr_publish_end(struct dr_publisher *p, uint32_t task, const struct dr_outcome *o,
		   enum dr_verdict *verdict, struct dr_err *err);
/* What has not been compared yet counts as different. */
void dr_publish_hurry(struct dr_publisher *p, uint32_t task);
/* After a failure, or when nothing was started: temporary files removed; a FAIL is added when o is not
 * NULL. The temporary files of a task whose DONE was added stay: they are its outputs. -1 only for memory. */
int dr_publish_abort(struct dr_publisher *p, uint32_t task, const struct dr_outcome *o, struct dr_err *err);
/* Once a loop turn, before that turn's starts: one write of the batch, then the renames. fn (NULL is fine)
 * is called for each task whose outputs now have their names (or could not be renamed: error; they are
 * what the next run begins with). It may call any of these functions but this one. -1: the journal could
 * not be written; nothing was renamed, and another call tries again. */
typedef void (*dr_published_fn)(void *arg, uint32_t task, const struct dr_err *error);
int dr_publish_commit(struct dr_publisher *p, dr_published_fn fn, void *arg, struct dr_err *err);
/* A consumer of these inputs is done and fn was called for it: those with nobody left to read them, and
 * which are not to stay, are reclaimed: RECLAIM in the next batch, unlinked in the commit that writes it, which
 * is to come soon: until then no other run can begin that may read them. Where another is at work on their
 * stage they stay until it has gone. To be called for every task done. */
int dr_publish_reclaim(struct dr_publisher *p, uint32_t consumer, struct dr_err *err);
/* The same for all that nobody will read in this run any more. Before the run, and at its end. */
int dr_publish_reclaim_left(struct dr_publisher *p, struct dr_err *err);
/* Another run has done this consumer, so that it will not read its inputs here. */
int dr_publish_read_elsewhere(struct dr_publisher *p, uint32_t consumer, struct dr_err *err);
/* Is dr_publish_reclaim_left worth it at the end, since other runs were in the way? */
bool dr_publisher_defers(const struct dr_publisher *p);

/* Are there recorded outputs that could not be given their names? Then the run has not ended well, and
 * says no BYE, so that the next one sees to them. */
bool dr_publisher_owes(const struct dr_publisher *p);
/* Does something stand under temporary names that could not be removed? Then the run says no BYE either, so that the next one sweeps. */
bool dr_publisher_litters(const struct dr_publisher *p);

/* Something may stand under the temporary name of this output although our last look found nothing: another
 * run had the task meanwhile. dr_publish_begin looks once more. */
void dr_publisher_suspect(struct dr_publisher *p, uint32_t file);
/* The outputs that stand are taken as done: DONE in the next batch, nothing is renamed, no fn is called.
 * *verdict and err as in dr_publish_end. */
int dr_publish_adopt(struct dr_publisher *p, uint32_t task, enum dr_verdict *verdict, struct dr_err *err);

#endif
