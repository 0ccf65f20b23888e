/* What a Dagfile (or the command line's one-liner) says, parsed and checked: generators and stages. Plain data in
 * one arena; made by parse, or by hand; read by plan. */
#ifndef DR_PIPELINE_H
#define DR_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "command.h"
#include "map.h"
#include "template.h"

enum dr_generator { DR_GEN_GLOB, DR_GEN_RANGE, DR_GEN_LIST, DR_GEN_LINES, DR_GEN_COMMAND, DR_GENERATORS };

/* 001..900 step 3: `width` digits, zero-filled (0: as short as can be); counts down where from > to. */
struct dr_range {
	int64_t from, to;
	uint64_t step;
	uint32_t width;
};

struct dr_args {
	struct dr_str name;
	struct dr_pos pos;
	enum dr_generator kind;
	/* GLOB patterns, LIST words, LINES files: constant templates. In a pattern, what was quoted has a backslash
	 * before it where it would mean something. */
	struct dr_template *words;
	uint32_t n_words;
	struct dr_range range;
	struct dr_command command; /* COMMAND */
	bool empty_ok;
};

enum dr_stage_kind { DR_STAGE_MAP, DR_STAGE_MERGE, DR_STAGE_TASK, DR_STAGE_KINDS };
enum dr_keep { DR_KEEP_DEFAULT, DR_KEEP_YES, DR_KEEP_NO };

/* A word of `in` or `uses`: a file, or the first output of each of a stage's tasks. */
struct dr_ref {
	struct dr_template path;
	uint32_t stage; /* index of the stage, or DR_NONE: a file */
	bool program;   /* in uses: not written there but found in `run` */
};

struct dr_input {
	struct dr_str name; /* empty: `in` */
	struct dr_pos pos;
	struct dr_ref *refs;
	uint32_t n_refs;
};

struct dr_output {
	struct dr_str name; /* empty: `out` */
	struct dr_template path;
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
	struct dr_input *inputs;        /* `in` first where there is one */
	uint32_t n_inputs;
	struct dr_output *outputs; /* `out` first where there is one */
	uint32_t n_outputs;
	struct dr_command run;
	struct dr_ref *uses; /* as written, then the programs that `run` names by a relative path */
	uint32_t n_uses;
	uint32_t fan_in; /* merge: at least 2; 0: all */
	enum dr_keep keep;
	struct dr_template
		part;   /* merge: directory of the inner nodes, without a '/' at its end; n 0: default */
	uint32_t slots; /* at least 1 */
	uint32_t retries;
	int64_t timeout;    /* ns; 0: none */
	struct dr_env *env; /* the margin's first, then the stage's; a later one wins */
	uint32_t n_env;
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
	struct dr_shell shell;
	struct dr_ref *defaults; /* `default`: stages or files; none: every stage that no other stage reads */
	uint32_t n_defaults;
};

void dr_pipeline_free(struct dr_pipeline *p); /* frees p itself; NULL is fine */

#endif
