/* What the files of this module share. */
#ifndef DR_QUERY_PRIVATE_H
#define DR_QUERY_PRIVATE_H

#include "ledger.h"
#include "query.h"

enum {
	DR_QUERY_DONE = 1,      /* `at` is a DONE that counts */
	DR_QUERY_FAILED = 2,    /* a FAIL stands behind it: `failed_at` */
	DR_QUERY_CHOSEN = 4,
	DR_QUERY_CANCELLED = 8, /* FAILED, but only as the run was ended */
};

/* What the journal says of a task in the end. */
struct dr_query_task {
	struct dr_hash128 id;
	uint64_t at, failed_at;
	uint32_t planned; /* the plan's task, or DR_NONE */
	uint32_t flags;
};

struct dr_query {
	struct dr_query_options o;
	struct dr_query_task *tasks; /* in the order of their first records */
	uint32_t n, cap;
	struct dr_map map; /* by id */
	uint32_t *fresh;   /* planned tasks that were chosen and have no record */
	uint32_t n_fresh, cap_fresh;
	const char *const *paths; /* chosen by an output's path: --clean removes just these */
	uint32_t n_paths;
	struct dr_ledger_image *runs;
	uint32_t n_runs;
	struct dr_buf out, text, name;
	struct dr_json json;
};

enum { DR_QUERY_FLUSH = 1 << 16 };

/* Writes q->out if it is large, or whatever its size. 0 or -1 with err. */
int dr_query_flush(struct dr_query *q, bool always, struct dr_err *err);
/* The document: version, kind and what the caller puts between. */
void dr_query_begin(struct dr_query *q, const char *kind);
int dr_query_end(struct dr_query *q, struct dr_err *err);

struct dr_query_task *dr_query_by_id(const struct dr_query *q, struct dr_hash128 id); /* NULL: no record */
/* The task's last record of either kind. */
uint64_t dr_query_last(const struct dr_query_task *t);
/* Is it running now, and where? */
const struct dr_ledger_task *dr_query_running(const struct dr_query *q, struct dr_hash128 id,
					      const struct dr_ledger_image **run);
bool dr_query_alive(const struct dr_query *q, const struct dr_ledger_image *run);

/* "exit 3", "timed out after 2:00:00", as the record says. */
void dr_query_describe(const struct dr_rec_task *t, struct dr_buf *out);
/* The command as one could paste it; nothing without a plan. */
int dr_query_command(struct dr_query *q, uint32_t planned, struct dr_buf *out, struct dr_err *err);

/* query-output.c. What a task printed, from the log of its run; of a running one what it has printed so far. */
int dr_query_open_log(const struct dr_query *q, const struct dr_rec_task *t); /* -1: it is not there any more */
/* A file that the process of a running task writes what it prints to: its standard output, or (where that is another one)
 * its standard error. Where the system shows descriptors of other processes; -1: it does not, or there is none. *len is
 * how much there is. */
int dr_query_open_running(const struct dr_query *q, uint32_t pid, int fd, uint64_t *len);
/* Takes the next line from *text; false when there is none. */
bool dr_query_line(struct dr_str *text, struct dr_str *line);
/* len bytes from `at`, as they are or into the JSON string that was begun. */
int dr_query_copy(struct dr_query *q, int fd, uint64_t at, uint64_t len, struct dr_err *err);

#endif
