/* Private to the journal: how a record lies in the file, and the stream that finds records in it. */
#ifndef DR_JOURNAL_RECORD_H
#define DR_JOURNAL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "journal.h"
#include "str.h"

struct dr_err;

#define DR_JOURNAL_MAGIC "dagrun journal\n" /* with its NUL: 16 bytes */
#define DR_JOURNAL_NAME "journal"           /* in the state directory */
#define DR_JOURNAL_SHOWN ".dagrun/journal"  /* in messages */

enum {
	DR_JOURNAL_VERSION = 1,
	DR_JOURNAL_ORDER = 0x01020304,
	DR_JOURNAL_PIECE = 1 << 20, /* bytes read or written at once */
	DR_RECORD_ALIGN = 8,
	DR_RECORD_STATUS = 0xffffff, /* of the field status: what wait(2) gives, */
	DR_RECORD_HOW = 24,          /* and from this bit on enum dr_rec_how */
};

/* In no UTF-8 text, and no such bytes in a row in a number that one would meet. */
#define DR_RECORD_MARKER UINT32_C(0xfea9d6f7)

struct dr_journal_header {
	char magic[16];
	uint32_t version, order;
};

struct dr_record_head {
	uint32_t marker;
	uint32_t checksum; /* of everything behind it: from length to the end of the payload */
	uint32_t length;   /* of the payload, a multiple of DR_RECORD_ALIGN */
	uint16_t kind, reserved;
};

/* Payload of DONE and FAIL: this, the name, then the files. */
struct dr_record_task_head {
	struct dr_hash128 id, command;
	uint64_t run, origin;
	int64_t start, end, user_us, sys_us;
	uint64_t peak_kb, log_at, log_len;
	int32_t status;
	uint32_t tries, n_in, n_uses, n_out, name_len;
};

/* A file: this, the content's hash if flags have HASHED, the path. */
struct dr_record_file_head {
	int64_t size, mtime;
	uint64_t ino;
	uint32_t flags, path_len;
};

/* Payload of TREE: this, the leaves, the shape. */
struct dr_record_tree_head {
	struct dr_hash128 key;
	uint32_t n_leaves, shape_len, level, reserved;
};

_Static_assert(sizeof(struct dr_record_tree_head) == 32, "no padding in the file");
_Static_assert(sizeof(struct dr_journal_header) == 24, "no padding in the file");
_Static_assert(sizeof(struct dr_record_head) == 16, "no padding in the file");
_Static_assert(sizeof(struct dr_record_task_head) == 128, "no padding in the file");
_Static_assert(sizeof(struct dr_record_file_head) == 32, "no padding in the file");
_Static_assert(sizeof(struct dr_rec_run) == 32, "no padding in the file");
_Static_assert(sizeof(struct dr_rec_barrier) == 40, "no padding in the file");

/* Which share of all ids we keep, to know about how many there are without keeping them all. */
struct dr_id_sample {
	uint64_t slots[2048]; /* open addressing; 0: free */
	uint32_t n;
	uint32_t bits; /* an id is in the sample if this many low bits of it are zero */
};

struct dr_journal {
	int dir, fd;  /* the state directory, ours; the journal */
	int refused;  /* errno of opening it for writing, when it could only be opened for reading; else 0 */
	uint64_t pos; /* where the next dr_journal_read begins */
	uint64_t known;    /* bytes that were read, or written by us since: a file of another size holds news */
	struct dr_buf batch;
	size_t record;     /* of the batch: where the record begun lies; SIZE_MAX: none is begun */
	uint64_t files;    /* still to be added to it */
	struct dr_buf one; /* of dr_journal_at */
	uint64_t n_read;   /* records that dr_journal_read has seen, large ones as several */
	struct dr_id_sample sample;
};

/* Records of [at, size) of a file, in order, through a buffer that grows to the largest record. */
struct dr_record_stream {
	int fd;
	uint64_t at, size; /* offset in the file of buf[0]; where to end */
	uint8_t *buf;
	size_t cap, n, pos; /* allocated; filled; the next byte to look at */
	uint64_t good;      /* offset behind the last good record */
	uint64_t damaged;   /* bytes passed over between good records */
};

/* `at` is where a record may begin. 0, or -1 with err. */
int dr_record_stream_open(struct dr_record_stream *s, int fd, uint64_t at, struct dr_err *err);
void dr_record_stream_close(struct dr_record_stream *s);
/* 1 with the next good record, valid until the next call (raw, NULL allowed: its bytes in the file); 0 at
 * the end, where [s->good, s->size) are bytes of no good record; -1 with err. */
int dr_record_next(struct dr_record_stream *s, struct dr_record *r, struct dr_str *raw, struct dr_err *err);

/* Whose record it is, a task's or a tree's; false for what is about a run. */
bool dr_record_id(const struct dr_record *r, struct dr_hash128 *id);

/* For how many records it counts beside itself, where it is asked whether a new file would be smaller: a tree can be large. */
uint64_t dr_record_weight(const struct dr_record *r);

/* Removes what runs left in the state directory that were killed while they made the first journal; `copies`: also while they wrote it anew,
 * which is for whoever is alone. Only when there is a journal: those who are just making one find it then. */
void dr_journal_sweep(int dir, bool copies);
/* Looks at the header of an open journal. 0, or -1 with err. */
int dr_journal_check_header(int fd, struct dr_err *err);
/* A header as a new journal begins. */
void dr_journal_make_header(struct dr_journal_header *h);

void dr_id_sample_add(struct dr_id_sample *s, struct dr_hash128 id);

#endif
