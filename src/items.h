/* The rows of a generator. A table is made for what has to be read; what can be computed (a range) is not
 * stored. */
#ifndef DR_ITEMS_H
#define DR_ITEMS_H

#include <stdbool.h>
#include <stdint.h>

#include "pipeline.h"

struct dr_diags;
struct dr_err;
struct dr_items;

struct dr_items_options {
	int root; /* the Dagfile's directory */
	const struct dr_shell *shell;
	char *const *envp;  /* for command */
	int standard_input; /* for `lines = -`; -1: not to be had */
};

/* Makes the rows. 0 with *out, or -1 with diags (the place in the Dagfile) or err. Of what is read by
 * lines, an empty line is no row, and a CR belongs to its line. */
int dr_items_make(const struct dr_pipeline *p, const struct dr_args *args,
		  const struct dr_items_options *opts, struct dr_items **out, struct dr_diags *diags,
		  struct dr_err *err);
void dr_items_free(struct dr_items *it);

uint32_t dr_items_rows(const struct dr_items *it);
/* Whether rows are names of files, relative to the root: a map over them has them as inputs. */
bool dr_items_files(const struct dr_items *it);
/* Appends the row as {arg} shows it. */
void dr_items_row(const struct dr_items *it, uint32_t row, struct dr_buf *out);
/* Drops the rows whose bit is set (they turned out to be outputs of ours); rows that stay keep their order.
 * 0 or -1. */
int dr_items_drop(struct dr_items *it, const uint8_t *bitmap, struct dr_err *err);

#endif
