/* What the files of this module share. */
#ifndef DR_PUBLISH_PRIVATE_H
#define DR_PUBLISH_PRIVATE_H

#include "content.h"
#include "publish.h"

enum {
	DR_PUBLISH_HASH_MAX = 64 << 20, /* bytes of a `uses` whose content is kept */
	DR_PUBLISH_FRESH_MAX = 1 << 30, /* of an input with `fresh = content` */
	DR_PUBLISH_PIECE = 32 << 20, /* bytes of two outputs that are compared before others have their turn */
	DR_PUBLISH_OUTPUT_HASH_MAX = 4 << 20, /* and of an output that may not be synced */
};

/* A task whose outputs are being compared with what stands. */
struct dr_publish_compare {
	uint32_t task;
	uint32_t output; /* how many of them have been */
	bool hurry;
	struct dr_same same;
};

/* A stage whose outputs were to be reclaimed. */
struct dr_publish_stage {
	uint32_t stage;
	bool alone;    /* nobody else uses it, nor can until the reclaimed files are unlinked */
	bool deferred; /* some stay since somebody else did */
};

struct dr_publisher {
	struct dr_plan *plan;
	struct dr_graph *graph;
	struct dr_disk *disk;
	struct dr_journal *journal;
	struct dr_lock *lock; /* NULL: nobody else is there */
	uint64_t run;

	struct dr_barrier *barrier; /* or NULL */
	int64_t hash_until;
	bool durable;

	/* Bitmaps. */
	uint64_t *made;     /* by directory: it is there */
	uint64_t *fresh;    /* by directory: no run that died has left anything in it, as we made it, or it lists no temporary name */
	uint64_t *listed;   /* by directory: it was asked for that, once: what our own tasks have left since, files say */
	uint32_t *yet;      /* by directory: how many outputs were yet to be made there when the first was listed; NULL before */
	/* By file: something may have its temporary name. All at first: a run that died may have left it, and since
	 * then another may have cleaned up behind it that knew nothing of this file. */
	uint64_t *suspects;
	uint64_t *due;      /* by task: its DONE was added, its outputs do not have their names yet */
	uint32_t n_due;
	bool litter; /* what an output has taken the place of could not be removed */
	uint64_t *stays;  /* by file: what stands came out the same, and is not replaced */
	uint64_t *recent; /* by file: mtime was too close to the look at it */

	/* Whether an input changed while a task ran is not for its stamp to say, which is renewed when
	 * another task looks at it: looks and starts are numbered. */
	uint32_t now;
	uint32_t *began;   /* by task */
	uint32_t *changed; /* by file: the last look that found something else than the one before */

	struct dr_contents contents;

	uint32_t *ended; /* tasks whose DONE is in the batch */
	uint32_t n_ended, cap_ended;

	uint32_t *left;     /* by file: how often tasks yet to be done will read it; NULL until asked for */
	uint32_t *reclaims; /* tasks whose RECLAIM is in the batch; their claims are ours */
	uint32_t n_reclaims, cap_reclaims;

	bool elsewhere; /* another run did tasks of ours */
	struct dr_publish_stage *stages;
	uint32_t n_stages, cap_stages;

	struct dr_publish_compare *compares;
	uint32_t n_compares, cap_compares;

	struct dr_stamp *stamps; /* of the outputs of the task at hand */
	uint32_t cap_stamps;
	struct dr_publish_hash {
		bool valid;
		struct dr_hash128 hash;
	} *hashes; /* of the same, where they may be wanted once they are gone */
	uint32_t cap_hashes;
	struct dr_hasher *hasher;
	struct dr_buf path, temp, text;
};

static inline bool
dr_publish_bit(const uint64_t *bits, uint32_t i)
{
	return bits[i / 64] >> i % 64 & 1;
}

static inline void
dr_publish_set(uint64_t *bits, uint32_t i, bool on)
{
	uint64_t bit = UINT64_C(1) << i % 64;

	bits[i / 64] = on ? bits[i / 64] | bit : bits[i / 64] & ~bit;
}

/* Final and temporary name of a file, each valid until its next call; NULL with err without memory. */
const char *dr_publish_path(struct dr_publisher *p, uint32_t file, struct dr_err *err);
const char *dr_publish_temp(struct dr_publisher *p, uint32_t task, uint32_t file, struct dr_err *err);
/* The path of a file for a message. Never NULL. */
const char *dr_publish_shown(struct dr_publisher *p, uint32_t file);

/* publish-begin.c. Removes what has the temporary name of an output, a directory too. -1 with errno, or with err without memory. */
int dr_publish_remove_temp(struct dr_publisher *p, uint32_t task, uint32_t file, struct dr_err *err);

/* publish-inputs.c. The looks at what a task reads, before its start and after its end: 0; -1 without
 * memory; or, with err: */
enum {
	DR_LOOK_CHANGED = 1, /* an input is not there, or has changed */
	DR_LOOK_FAILED,      /* one could not be looked at */
};
int dr_publish_look_before(struct dr_publisher *p, uint32_t task, struct dr_err *err);
int dr_publish_look_after(struct dr_publisher *p, uint32_t task, struct dr_err *err);
/* What the record says of the i-th file that a task reads, beside its path. */
void dr_publish_describe(struct dr_publisher *p, uint32_t task, uint32_t i, struct dr_rec_file *f);

/* publish-cutoff.c. Which outputs of the task came out as what stands? These get DR_FILE_SAME, and in p->stamps the stamp of what
 * stands. False: they are not all compared yet. */
bool dr_publish_cutoff(struct dr_publisher *p, uint32_t task);
/* publish-generation.c. Fills p->hashes. An output that is gone and came out with the bytes that it had gets its time back, hence its
 * stamp in p->stamps, and DR_FILE_SAME. 0 or -1 without memory. */
int dr_publish_generations(struct dr_publisher *p, uint32_t task, struct dr_err *err);
/* Has dr_publish_cutoff begun, and not ended? */
bool dr_publish_is_compared(const struct dr_publisher *p, uint32_t task);
void dr_publish_stop_comparing(struct dr_publisher *p, uint32_t task);
/* publish-durable.c. What the record says of an output, beside its stamp and path: `name` is where it is now. */
void dr_publish_describe_output(struct dr_publisher *p, uint32_t file, const char *name, struct dr_rec_file *f);
/* Outputs under their temporary names, before they are recorded; then the journal; then an output that has got its name. Each 0, or -1
 * with err; where nothing is to be durable, nothing happens. */
int dr_publish_sync_outputs(struct dr_publisher *p, uint32_t task, struct dr_err *err);
int dr_publish_sync_journal(struct dr_publisher *p, struct dr_err *err);
int dr_publish_sync_name(struct dr_publisher *p, uint32_t file, struct dr_err *err);

/* publish-reclaim.c. Unlinks what the first n of the reclaims stand for; their records are written. */
void dr_publish_unlink_reclaimed(struct dr_publisher *p, uint32_t n);
/* Stages that were locked for reclaiming can be used by others again. */
void dr_publish_share_stages(struct dr_publisher *p);

#endif
