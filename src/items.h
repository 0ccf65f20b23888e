/* The rows of a generator. A table is made for what has to be read; what can be computed (a range, a
 * product) is not stored.
 *
 * A generator yields values; without `batch` each is a row, with it so many are one. */
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

/* Makes the rows. all: those of the pipeline's args, of which its parts must be there and outlive it; NULL:
 * it has none. 0 with *out, or -1 with diags (the place in the Dagfile, or in a file of records) or err. Of
 * what is read by lines, an empty one is no row, and a CR belongs to its line. */
int dr_items_make(const struct dr_pipeline *p, const struct dr_args *args, struct dr_items *const *all,
		  const struct dr_items_options *opts, struct dr_items **out, struct dr_diags *diags,
		  struct dr_err *err);
/* Once nothing more is dropped from any of them: are the parts of a zip of one length? Until then it has as many rows as the shortest.
 * 0, or -1 with diags. */
int dr_items_check(const struct dr_pipeline *p, const struct dr_args *args, const struct dr_items *it,
		   struct dr_diags *diags);
void dr_items_free(struct dr_items *it);

uint32_t dr_items_rows(const struct dr_items *it);
/* Whether values are names of files, relative to the root: a map over them has them as inputs. */
bool dr_items_files(const struct dr_items *it);
/* Appends what the row is called: its value; of several the first, "..", the last. */
void dr_items_row(const struct dr_items *it, uint32_t row, struct dr_buf *out);
/* How many values a row is, at least one; *first: the first of them. */
uint32_t dr_items_row_values(const struct dr_items *it, uint32_t row, uint32_t *first);

uint32_t dr_items_values(const struct dr_items *it);
/* Appends a value as {arg} shows it: a record of csv as a line of one, of a product its parts with blanks
 * between them. */
void dr_items_value(const struct dr_items *it, uint32_t value, struct dr_buf *out);
/* Appends a column of a value. */
void dr_items_value_column(const struct dr_items *it, uint32_t value, uint32_t column, struct dr_buf *out);
/* The same of a row's first value. */
void dr_items_column(const struct dr_items *it, uint32_t row, uint32_t column, struct dr_buf *out);
/* Drops the values whose bit is set (they turned out to be outputs of ours); others keep their order. Where
 * there is a limit, values that it had left out come in. 0 or -1. */
int dr_items_drop(struct dr_items *it, const uint8_t *bitmap, struct dr_err *err);

#endif
