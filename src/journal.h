/* The record of what was done: .dagrun/journal, append-only, shared by every run in the directory.
 *
 * header: "dagrun journal\n" NUL, version u32, byte order mark u32 0x01020304 (24 bytes in all)
 * record: marker u32, checksum u32 (low half of XXH3-64 over all that follows), length of payload u32,
 * kind u16, reserved u16 0, payload padded with zeros to 8 bytes (length counts them). Reading goes on at
 * the next marker whose checksum holds. Integers have the machine's byte order; a journal of the other order
 * or of a newer version is refused and left alone. doc/journal.md has every field. */
#ifndef DR_JOURNAL_H
#define DR_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "graph.h"
#include "hash.h"
#include "str.h"

struct dr_err;
struct dr_journal;

enum dr_record_kind {
	DR_REC_RUN = 1, /* a run began */
	DR_REC_BYE,     /* and ended, whatever the result */
	DR_REC_DONE,    /* a task ended well */
	DR_REC_FAIL,    /* a task ended badly: for people, decides nothing */
	DR_REC_RECLAIM, /* its outputs are about to be unlinked by us */
	DR_REC_FORGET,  /* its DONE counts no longer */
	DR_REC_TREE,    /* the shape of a merge's tree, before its first merge runs */
	DR_REC_BARRIER = 8, /* what is known to have reached the disk */
};

struct dr_rec_run { /* RUN and BYE */
	uint64_t run;
	int64_t when; /* ns since 1970 */
	struct dr_hash128 boot;
};

/* What a BARRIER says. A power cut can take from an output what was not synced, while its DONE survives: those of a run of an
 * earlier boot count only if one of these vouches for them. */
enum dr_rec_phase {
	DR_REC_BEGINS = 1, /* all outputs of the run's DONEs up to here have their names, and are about to be synced */
	DR_REC_HOLDS,      /* they have been, and the journal too: the DONEs before the last BEGINS hold */
	DR_REC_ALWAYS,     /* the run syncs outputs before it records them: its DONEs hold from here on */
	DR_REC_READ,       /* the DONE of `id` holds: its outputs were compared by content after the machine had started anew */
	DR_REC_SETTLED,    /* what the DONE of `id` marks RECENT was looked at again, when its time was past, and has the content that it says */
};

struct dr_rec_barrier {
	uint64_t run;
	int64_t when; /* ns since 1970 */
	struct dr_hash128 id; /* READ, SETTLED: of which task; else 0 */
	uint32_t phase, reserved;
};

enum { DR_REC_HASHED = 1, DR_REC_RECENT = 2 };
enum { DR_REC_RECENT_NS = 20 * 1000000 }; /* as fresh as that, a file may change once more under the same mtime */

/* What a FAIL is about. */
enum dr_rec_how {
	DR_REC_BY_ITSELF,   /* status says it */
	DR_REC_TIMEOUT,     /* ended by us after its timeout */
	DR_REC_CANCELLED,   /* ended by us, as all was stopped: no failure of its own */
	DR_REC_UNPUBLISHED, /* exited 0, and that was not enough */
	DR_REC_NO_START,    /* could not be started */
};

/* One file of a DONE. */
struct dr_rec_file {
	struct dr_stamp stamp;
	uint32_t flags; /* HASHED: content is valid. RECENT: mtime was within 20 ms of the look */
	struct dr_hash128 content;
	struct dr_str path;
};

/* DONE and FAIL. For dr_journal_add the files come from a callback, in order inputs, uses, outputs. */
struct dr_rec_task {
	struct dr_hash128 id, command;
	uint64_t run;
	int64_t start, end;      /* ns since 1970 */
	int64_t user_us, sys_us; /* processor time */
	uint64_t peak_kb;
	uint64_t log_at, log_len; /* in the run's log file; log_len 0: it printed nothing */
	int32_t status;           /* as wait(2) gives it */
	uint32_t how;             /* enum dr_rec_how */
	uint32_t tries;
	uint64_t origin; /* which Dagfile's rows these are: see dr_plan_options */
	uint32_t n_in, n_uses, n_out;
	struct dr_str name; /* what it is called: STAGE:ROW or its first output */
};

/* The last one of a key says what shape that tree has. */
struct dr_rec_tree {
	struct dr_hash128 key;   /* of which tree: see dr_plan_tree */
	uint32_t level;          /* whose nodes stay, where one level does; else 0 */
	uint32_t n_leaves;
	const void *leaves;      /* n_leaves hashes of names, 8 bytes each, without alignment */
	struct dr_str shape;     /* dr_tree_encode */
};

struct dr_record {
	enum dr_record_kind kind;
	uint64_t at; /* offset of the record in the journal */
	union {
		struct dr_rec_run run;
		struct dr_rec_task task;
		struct dr_rec_barrier barrier;
		struct dr_hash128 id; /* RECLAIM, FORGET */
		struct dr_rec_tree tree;
	};
	/* private: the files not read yet */
	const uint8_t *next, *end;
	uint64_t left;
};

/* Opens or makes `journal` in the state directory, which stays the caller's. The caller holds dr_lock's
 * shared lock. 0; -1 with err (DR_STATE: not a journal of ours, newer, other byte order). Where it may
 * only be read, it opens, and the flush fails. */
int dr_journal_open(int state_dir, struct dr_journal **out, struct dr_err *err);
void dr_journal_close(struct dr_journal *j); /* what was added and not flushed is dropped */

/* Streams what has been appended since the last call (at first: all; ours too). Bounded memory: one record
 * at a time, valid during the call, its strings without a NUL. fn returns 0 to go on, -1 with err to stop;
 * it may call dr_journal_at and add records. Damage is skipped; *damaged (may be NULL) counts the bytes. A
 * bad tail is left for the next call while `others` are alive, for they may still be writing it. */
typedef int (*dr_journal_fn)(void *arg, struct dr_record *r, struct dr_err *err);
int dr_journal_read(struct dr_journal *j, bool others, dr_journal_fn fn, void *arg, uint64_t *damaged,
		    struct dr_err *err);
/* Has somebody else appended since we last read? */
bool dr_journal_grown(const struct dr_journal *j);
/* The next dr_journal_read begins with the first record again. */
void dr_journal_rewind(struct dr_journal *j);
/* Files of a DONE or FAIL, one a call: 1 with *f filled, 0 at the end, -1 when the record contradicts
 * itself. */
int dr_record_file(struct dr_record *r, struct dr_rec_file *f);
/* One record again, by its offset. Valid until the next call on j. */
int dr_journal_at(struct dr_journal *j, uint64_t at, struct dr_record *r, struct dr_err *err);

/* Adding: to memory only; dr_journal_flush writes all of it with one write (after a short one, anew; above
 * 64 MiB several writes of whole records). When the flush fails, what is not written stays for another
 * try. */
int dr_journal_add_run(struct dr_journal *j, enum dr_record_kind kind, const struct dr_rec_run *r);
int dr_journal_add_id(struct dr_journal *j, enum dr_record_kind kind, struct dr_hash128 id);
int dr_journal_add_barrier(struct dr_journal *j, const struct dr_rec_barrier *b);
int dr_journal_add_tree(struct dr_journal *j, const struct dr_rec_tree *t);
/* A DONE or FAIL is begun, given its n_in + n_uses + n_out files, and ended. Each -1 without memory or
 * with another number of files; then the record is not added, and those before it stay. */
int dr_journal_begin_task(struct dr_journal *j, enum dr_record_kind kind, const struct dr_rec_task *t);
int dr_journal_add_file(struct dr_journal *j, const struct dr_rec_file *f);
int dr_journal_end_task(struct dr_journal *j);
bool dr_journal_pending(const struct dr_journal *j);
int dr_journal_flush(struct dr_journal *j, struct dr_err *err);

/* What was flushed reaches the disk, the journal's name too. Any thread may call it, but none while dr_journal_compact or _close is
 * at work. 0, or -1 with errno. */
int dr_journal_sync(const struct dr_journal *j);

/* Writes a journal of live records only, syncs and renames it, when dead records outnumber live ones (and
 * are a thousand) or `always`. Live are of each task the last DONE with the RECLAIM, the READ and the SETTLED behind it, or the
 * FORGET behind it, and a FAIL behind that; of each tree the last shape; of runs the last thousand and those of live tasks, with the last barrier. The caller holds the exclusive lock
 * and has flushed. *done tells whether it did: then offsets are new, and dr_journal_read begins again.
 * Asked after all was read, it mostly knows without reading again that there is no need. */
int dr_journal_compact(struct dr_journal *j, bool always, bool *done, struct dr_err *err);

/* Removes the logs of runs (log/RUN in the state directory) that no live record names, but for that of `except`. Conditions as for
 * dr_journal_compact. 0, or -1 with err. */
int dr_journal_prune_logs(struct dr_journal *j, uint64_t except, struct dr_err *err);

#endif
