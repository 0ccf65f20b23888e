/* A Dagfile's text, or the stages of a one-liner, to a pipeline: names resolved, keys checked, commands compiled. All
 * errors of a file are collected; a pipeline that has any is not returned. */
#ifndef DR_PARSE_H
#define DR_PARSE_H

#include <stdint.h>

#include "pipeline.h"

struct dr_diags;
struct dr_err;

/* NAME=VALUE of the command line: wins over a `let` of that name; one that no let defines is an error. */
struct dr_setting {
	const char *name, *value;
};

/* What C code has put beside a Dagfile, or in the place of one. */
struct dr_parse_stage {
	enum dr_stage_kind kind;
	const char *name;
	const struct dr_key_value *keys;
	uint32_t n_keys;
};
struct dr_parse_rows {
	const char *name;
	dr_rows_fn fn;
	void *arg;
};
struct dr_parse_built {
	const struct dr_parse_stage *stages;
	uint32_t n_stages;
	const struct dr_parse_rows *rows;
	uint32_t n_rows;
};

struct dr_parse_options {
	int root; /* descriptor of the directory that includes are relative to */
	const struct dr_setting *settings;
	uint32_t n_settings;
	const struct dr_parse_built *built; /* or NULL */
	const char *shell; /* of stages without a `shell` key: NULL looks for bash, then /bin/sh */
};

/* 0 with *out (dr_pipeline_free); -1 with diags (n > 0: the Dagfile is wrong) or err. name is shown in errors. */
int dr_parse(const char *name, struct dr_str text, const struct dr_parse_options *opts,
	     struct dr_pipeline **out, struct dr_diags *diags, struct dr_err *err);

/* A one-liner's stages as the text of a Dagfile would have them: each begins with its kind, then keys with their values as they
 * stand on the command line. Errors name the option instead of a line. */
struct dr_oneliner_key {
	const char *key, *value; /* "map", "merge", "task" begin a stage: value is its `run` */
};
int dr_parse_oneliner(const struct dr_oneliner_key *keys, uint32_t n, const struct dr_parse_options *opts,
		      struct dr_pipeline **out, struct dr_diags *diags, struct dr_err *err);

/* The tables that the manual and the tests compare themselves with: names ended by NULL. */
extern const char *const dr_parse_blocks[];
extern const char *const dr_parse_stage_keys[];
extern const char *const dr_parse_args_keys[];
extern const char *const dr_parse_placeholders[];

#endif
