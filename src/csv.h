/* Records of fields: CSV by RFC 4180, and TSV. Pure: over text that is in memory.
 *
 * CSV: fields between commas; one in double quotes can hold commas, line ends and, doubled, quotes. TSV:
 * fields between tabs, and no quotes. A line ends with LF or CR LF, and an empty one is no record. A byte
 * order mark at the beginning is passed over. */
#ifndef DR_CSV_H
#define DR_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

struct dr_diags;

struct dr_csv_field {
	struct dr_str raw; /* what stands in the text, without the quotes around it */
	bool doubled;      /* there are doubled quotes in it */
};

struct dr_csv {
	struct dr_str text;
	char separator; /* ',' or '\t', which has no quotes */
	size_t at;      /* where the next record begins */
	uint32_t line;  /* and its line, from 1 */
	size_t begin;   /* of the record read last */
	uint32_t begin_line;
	struct dr_csv_field *fields;
	uint32_t n, cap;
	/* What is wrong, after -1; NULL: no memory. Where: a line and a column in bytes, from 1, and the
	 * text of that line. */
	const char *problem;
	uint32_t error_line, error_col;
	struct dr_str error_text;
};

/* text must outlive the reader; what stands before byte `begin` may be overwritten meanwhile. */
void dr_csv_init(struct dr_csv *c, struct dr_str text, char separator);
void dr_csv_free(struct dr_csv *c);

/* The next record, in fields and n: 1; at the end 0; -1 with what is wrong, and then there is no going on. */
int dr_csv_next(struct dr_csv *c);
/* Adds what is wrong, after -1, to diags, with its line and a caret. 0, or -1 where it is that there was no
 * memory. */
int dr_csv_tell(const struct dr_csv *c, const char *file, struct dr_diags *diags);
/* The same of the record read last, which has not `wanted` fields; of: who wants them, as in "the header
 * has". */
void dr_csv_tell_count(const struct dr_csv *c, const char *file, uint32_t wanted, const char *of,
		       struct dr_diags *diags);

/* Writes the value of a field to `to`, which has room for raw.n bytes and may lie at or before raw.p.
 * Returns its length. */
size_t dr_csv_value(const struct dr_csv_field *f, char *to);
/* Appends a value as a field of a record: in quotes where it needs them. */
void dr_csv_quote(struct dr_buf *out, struct dr_str value, char separator);

#endif
