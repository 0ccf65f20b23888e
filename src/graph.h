/* Tasks, files and the edges between them. Pure: no system call, no clock.
 *
 * Everything is an array and everything is named by a 32-bit index into it, so a million tasks cost what their
 * fields cost. A path is kept as a directory, shared, and a name. */
#ifndef DR_GRAPH_H
#define DR_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "hash.h"
#include "map.h"
#include "str.h"

struct dr_err;

/* How a file looked: what staleness compares. */
struct dr_stamp {
	int64_t size;  /* bytes; DR_ABSENT: there is none; DR_UNKNOWN: not looked at */
	int64_t mtime; /* ns since 1970 */
	uint64_t ino;
};
enum { DR_ABSENT = -1, DR_UNKNOWN = -2 };

enum dr_file_flag {
	DR_FILE_TARGET = 1,   /* asked for by name or default: never reclaimed */
	DR_FILE_KEEP = 2,     /* stays when its last consumer is done */
	DR_FILE_GLOB = 4,     /* a row of a glob */
	DR_FILE_USED = 8,     /* somebody's `uses` */
	DR_FILE_RECLAIMED = 16, /* missing because we removed it, which is as good as there */
	DR_FILE_MADE = 32,    /* the journal says that a task of ours made it */
	DR_FILE_DIR = 128,    /* a directory */
	DR_FILE_TREE = 256,     /* an output that is to be a directory: its stamp is of all that is in it */
	DR_FILE_SAME = 512,     /* made again in this run, and it came out as it was: its stamp is still the one that it had */
	DR_FILE_ABSENT = 64,  /* not on the disk; stamp is then what a record says of it, or DR_ABSENT */
};

struct dr_file {
	uint32_t dir;      /* index into dirs */
	uint32_t name;     /* offset into names: length as two bytes, then the bytes and a NUL */
	uint32_t producer; /* task, or DR_NONE: an input from outside */
	uint32_t flags;    /* enum dr_file_flag */
	struct dr_stamp stamp;
};

enum dr_state {
	DR_UNWANTED, /* no target needs it */
	DR_CLEAN,    /* up to date */
	DR_WAITING,  /* stale; something that it needs is not there yet */
	DR_READY,    /* could start */
	DR_RUNNING,
	DR_DONE,    /* made in this run */
	DR_FAILED_TASK, /* in this run */
	DR_SKIPPED, /* not started because of a failure below it or a stop */
	DR_STATES
};

/* Why a task is to run; the first that holds, in this order. */
enum dr_why {
	DR_WHY_NOT,     /* it is not */
	DR_WHY_FORCED,  /* -B */
	DR_WHY_NEVER,   /* no record of it */
	DR_WHY_INPUTS,  /* other inputs than last time */
	DR_WHY_COMMAND, /* command, env or shell changed */
	DR_WHY_INPUT,   /* an input changed */
	DR_WHY_USES,    /* something that it uses changed */
	DR_WHY_LOST,    /* an output is not there */
	DR_WHY_UPSTREAM, /* an input will be made again */
	DR_WHY_NEEDED,  /* reclaimed, and a stale task needs it */
	DR_WHY_UNSYNCED, /* the machine was started anew before its outputs were known to be on the disk */
	DR_WHYS
};

/* A task was stale only because of others, and these are at their end: is it up to date after all? */
enum dr_fresh {
	DR_FRESH_NO,
	DR_FRESH_YES,
	DR_FRESH_GONE, /* yes; its outputs are not there, which matters only if somebody is to read them */
};

struct dr_task {
	struct dr_hash128 id;
	uint64_t record;   /* offset of its last DONE in the journal; UINT64_MAX: none */
	uint32_t stage;    /* of the plan */
	uint32_t row;      /* of the stage: row of the items, or tree of the merge */
	uint32_t edges;    /* into edges: n_in inputs, n_uses uses, n_out outputs */
	uint32_t n_in, n_uses;
	uint16_t n_out;
	uint8_t state;     /* enum dr_state */
	uint8_t why;       /* enum dr_why */
	uint8_t certain;   /* it will run, whatever its inputs come out as; without it, that is for enum dr_fresh to say in the end */
	uint8_t partial;   /* made in this run from less than all its inputs, or from something that was: see dr_plan_partial */
	uint32_t wait;     /* producers of its inputs and uses that have yet to end */
	uint32_t last_ms;  /* how long it took last time, or an estimate; 0: unknown */
	float path;        /* seconds along the longest path from here to a target, itself included */
};

struct dr_graph {
	struct dr_file *files;
	uint32_t n_files, cap_files;
	struct dr_task *tasks;
	uint32_t n_tasks, cap_tasks;
	uint32_t *edges;
	uint32_t n_edges, cap_edges;
	/* Made by dr_graph_link: who reads file f: consumers[first_consumer[f] .. first_consumer[f + 1]). */
	uint32_t *first_consumer, *consumers;
	uint32_t *order; /* tasks so that each stands behind the producers of what it reads */
	/* private */
	uint32_t *dirs; /* offsets into names */
	uint32_t n_dirs, cap_dirs;
	uint32_t last_dirs[2]; /* that were asked for, the last one first */
	char *names;
	uint32_t n_names, cap_names;
	struct dr_map file_map, dir_map, id_map;
};

struct dr_graph *dr_graph_new(void); /* NULL without memory */
void dr_graph_free(struct dr_graph *g);

/* The file of a path; made when it is new. `a`, `./a` and `x/../a` are refused or the same by then: the path is
 * normal (see dr_path_normal). -1 with err without memory. */
int dr_graph_file(struct dr_graph *g, struct dr_str path, uint32_t *file, struct dr_err *err);
/* Says that about so many files more will come, so that their table need not grow step by step. */
int dr_graph_expect(struct dr_graph *g, uint64_t files, struct dr_err *err);
/* Such a file may be asked for soon: what that takes is on its way then. */
void dr_graph_soon(const struct dr_graph *g, struct dr_str path);
uint32_t dr_graph_find(const struct dr_graph *g, struct dr_str path); /* DR_NONE: not there */
/* Appends the path. */
void dr_graph_path(const struct dr_graph *g, uint32_t file, struct dr_buf *out);
struct dr_str dr_graph_dir(const struct dr_graph *g, uint32_t dir);       /* "" or "a/b/" */
struct dr_str dr_graph_name(const struct dr_graph *g, uint32_t file);     /* NUL-terminated */

/* A task with room for its edges, to be filled by the caller (dr_graph_edges). The producer of each output is set by
 * dr_graph_made, which fails with 1 and *other when another task makes it already. */
int dr_graph_task(struct dr_graph *g, uint32_t stage, uint32_t row, uint32_t n_in, uint32_t n_uses, uint32_t n_out,
		  uint32_t *task, struct dr_err *err);
uint32_t *dr_graph_inputs(const struct dr_graph *g, uint32_t task);  /* n_in files, then n_uses, then n_out */
uint32_t *dr_graph_uses(const struct dr_graph *g, uint32_t task);
uint32_t *dr_graph_outputs(const struct dr_graph *g, uint32_t task);
int dr_graph_made(struct dr_graph *g, uint32_t task, uint32_t file, uint32_t *other);

/* Consumers, order and the table of ids. 0; 1 with the tasks of one cycle in *cycle (malloc'd, *n of them, each reads
 * from the next); -1 with err. Call once, when all tasks are there. */
int dr_graph_link(struct dr_graph *g, uint32_t **cycle, uint32_t *n, struct dr_err *err);
uint32_t dr_graph_by_id(const struct dr_graph *g, struct dr_hash128 id); /* DR_NONE: no such task */
/* The same for one that is probably a little behind task `near`, as records are of tasks that ran one after the other: the table is large, and
 * each look into it a miss of the cache. */
uint32_t dr_graph_by_id_near(const struct dr_graph *g, struct dr_hash128 id, uint32_t near);

/* A relative path without '.', '//' and a '/' at the end, '..' refused; an absolute one the same way. 0 with the result
 * appended, or -1: empty, or leaves the directory. */
int dr_path_normal(struct dr_str path, struct dr_buf *out);

/* Among tasks that are not CLEAN or UNWANTED: sets `wait`, state WAITING or READY, and `path` from last_ms (a task
 * without one counts as the median of its stage's known ones, else one second). */
int dr_graph_ready(struct dr_graph *g, uint32_t n_stages, struct dr_err *err);

#endif
