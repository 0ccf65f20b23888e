/* What a Dagfile (or the command line's one-liner) says, parsed and checked: generators and stages. Plain data in
 * one arena; made by parse, or by hand; read by plan. */
#ifndef DR_PIPELINE_H
#define DR_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "command.h"
#include "dagrun.h"
#include "map.h"
#include "style.h"
#include "template.h"

enum dr_generator {
	DR_GEN_GLOB,
	DR_GEN_RANGE,
	DR_GEN_LIST,
	DR_GEN_LINES,
	DR_GEN_LINES0,
	DR_GEN_COMMAND,
	DR_GEN_COMMAND0,
	DR_GEN_CSV,
	DR_GEN_TSV,
	DR_GEN_PRODUCT,
	DR_GEN_ZIP,
	DR_GEN_CONCAT,
	DR_GEN_ROWS, /* a function of the host's */
	DR_GENERATORS
};
enum dr_sort { DR_SORT_DEFAULT, DR_SORT_NATURAL, DR_SORT_BYTES };

/* 001..900 step 3: `width` digits, zero-filled (0: as short as can be); counts down where from > to. */
struct dr_range {
	int64_t from, to;
	uint64_t step;
	uint32_t width;
};

/* A condition on rows: SUBJECT ~ REGEX. */
struct dr_condition {
	struct dr_template subject; /* with {arg} and columns */
	const char *regex;          /* POSIX extended */
	bool unlike;                /* !~ */
	uint32_t n_groups;          /* how many columns are named after its groups */
	struct dr_pos pos;
};

struct dr_args {
	struct dr_str name;
	struct dr_pos pos;
	enum dr_generator kind;
	/* GLOB patterns, LIST words, LINES and LINES0 files, the file of CSV and TSV: constant templates. In a pattern, what was quoted has a backslash
	 * before it where it would mean something. */
	struct dr_template *words;
	uint32_t n_words;
	struct dr_range range;
	struct dr_command command; /* COMMAND, COMMAND0 */
	dr_rows_fn rows;           /* ROWS */
	void *rows_arg;
	uint32_t *parts;           /* PRODUCT, ZIP, CONCAT: indexes of args, none of which is made of this one */
	uint32_t n_parts;
	/* The names of its columns, each {COLUMN} of what is over it: its own, then those that are groups of `where`. None: rows are
	 * one value, {arg}. */
	struct dr_str *columns;
	uint32_t n_columns, n_groups;
	struct dr_pos columns_pos; /* of the key, where there is one */
	bool header; /* CSV, TSV: the first record names the columns, and is no row */
	bool files;  /* rows are names of files */
	/* What is done with the rows, in this order. */
	struct dr_condition *where;
	uint32_t n_where;
	bool unique;
	enum dr_sort sort;
	uint32_t limit; /* at most so many; 0: all */
	uint32_t batch; /* so many values are a row; 0: one */
	bool empty_ok;
	bool vanished_error; /* rows that were there last time must still be */
};

enum { DR_STAGE_KINDS = DR_STAGE_TASK + 1 };
enum dr_keep { DR_KEEP_DEFAULT, DR_KEEP_YES, DR_KEEP_NO, DR_KEEP_LEVEL /* of merges */ };

/* A word of `in` or `uses`: a file, or an output of each of a stage's tasks. */
struct dr_ref {
	struct dr_template path;
	uint32_t stage; /* index of the stage, or DR_NONE: a file */
	uint32_t output; /* of the stage: which of its outputs */
	bool program;   /* in uses: not written there but found in `run` */
};

struct dr_input {
	struct dr_str name; /* empty: `in` */
	struct dr_pos pos;
	struct dr_ref *refs;
	uint32_t n_refs;
	/* {in.NAME} that nobody wrote down: an output of the tasks whose output is {in}. These stand last. */
	bool beside;
	bool asked; /* for by the stage, else it is no input */
	uint32_t output; /* of each_stage */
	uint32_t inner;  /* of a merge: which of its own outputs that is in its inner nodes; DR_NONE: it has no such */
};

struct dr_output {
	struct dr_str name; /* empty: `out` */
	struct dr_template path; /* without the '/' at the end of a directory */
	bool tree;               /* it had one */
};

struct dr_env {
	struct dr_str name;
	struct dr_template value;
};

struct dr_stage {
	enum dr_stage_kind kind;
	struct dr_str name;
	struct dr_pos pos;
	uint32_t each_args, each_stage; /* index of what it maps over, or DR_NONE; both DR_NONE: a task */
	uint32_t each_output;           /* which output of each_stage its rows are */
	/* Whose rows these are, found through the maps in between: a generator's (index into args), or a merge's (index into
	 * stages). Both DR_NONE: it is over none, or over the outputs of a task. */
	uint32_t rows_args, rows_merge;
	struct dr_input *inputs;        /* `in` first where there is one */
	uint32_t n_inputs;
	struct dr_output *outputs; /* `out` first where there is one */
	uint32_t n_outputs;
	struct dr_command run;
	struct dr_ref *uses; /* as written, then the programs that `run` names by a relative path */
	uint32_t n_uses;
	uint32_t fan_in; /* merge: at least 2; 0: all */
	struct dr_str *by;    /* merge: one tree for each of the values of these columns; they are those of its rows */
	uint32_t *by_columns; /* parallel to by: which columns of what it is over these are */
	uint32_t n_by;
	bool rounds;    /* merge: trees by position, which need no memory */
	bool order_any; /* merge: its inputs are a set, merged in the order of their names */
	enum dr_keep keep;
	struct dr_template
		part;   /* merge: directory of the inner nodes, without a '/' at its end; n 0: default */
	bool fresh_content; /* inputs whose time differs are compared by content */
	bool missing_ok; /* merge, task: takes those inputs that could be made */
	uint32_t slots; /* at least 1 */
	uint32_t slots_most; /* of a..b, where idle ones are to be had; 0: the same */
	enum dr_style jobserver;
	uint32_t pool;  /* the number of its pool, from 1: pipeline.pools[pool - 1]; 0: none */
	uint64_t memory, disk; /* bytes that a task claims; 0: none */
	struct dr_str memory_text; /* as written; empty: there is no such key */
	uint32_t retries;
	int64_t timeout;    /* ns; 0: none */
	struct dr_env *env; /* the margin's first, then the stage's; a later one wins */
	uint32_t n_env;
};

/* A named limit: how many tasks of the stages that name it run at a time. */
struct dr_pool {
	struct dr_str name;
	uint32_t limit;
};

struct dr_source {
	const char *name; /* as shown in errors: the path as given or included */
	struct dr_str text;
	bool option; /* an option's value, whose name says enough: errors show no line number if it is one line */
};

struct dr_pipeline {
	struct dr_arena arena; /* holds everything below */
	struct dr_source *sources;
	uint32_t n_sources;
	struct dr_args *args;
	uint32_t n_args;
	struct dr_stage *stages; /* in the order of the Dagfile */
	uint32_t n_stages;
	struct dr_pool *pools;
	uint32_t n_pools;
	struct dr_shell shell;
	struct dr_ref *defaults; /* `default`: stages or files; none: every stage that no other stage reads */
	uint32_t n_defaults;
};

void dr_pipeline_free(struct dr_pipeline *p); /* frees p itself; NULL is fine */

#endif
