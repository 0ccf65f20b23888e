/* What the parts of items share. */
#ifndef DR_ITEMS_TABLE_H
#define DR_ITEMS_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "items.h"
#include "str.h"

/* One of those that a product, zip or concat is made of. */
struct dr_items_part {
	const struct dr_items *it;
	uint32_t columns; /* how many of ours it fills: one, its row, where it has none */
	uint32_t first;   /* concat: our row of its first */
	uint32_t stride;  /* product: how many of our rows have the same of its */
};

struct dr_items {
	enum dr_generator kind;
	uint32_t base;   /* rows that the generator yielded: they keep their numbers */
	uint32_t n;      /* values that are left */
	uint32_t *kept;  /* which of the base rows these are, in their order; NULL: the first n */
	uint32_t n_kept; /* how many there are without the limit */
	uint32_t limit;  /* UINT32_MAX: none */
	uint32_t batch;  /* values of a row, at least 1 */
	bool files;
	struct dr_buf bytes; /* each row ended by a NUL, of csv and tsv each field; some belong to none */
	uint64_t *at;        /* where in bytes each base row begins; NULL: it is computed */
	uint32_t cap_at;
	uint32_t width; /* columns of the generator's own; 0: {arg} is all there is */
	struct dr_range range;
	struct dr_items_part *parts;
	uint32_t n_parts;
	struct dr_buf groups; /* of `where`: values one behind the other, each ended by a NUL */
	uint64_t *group_at;   /* where those of a base row begin */
};

enum { DR_ROWS_MAX = UINT32_MAX - 1 };

/* The making of one generator's rows. */
struct dr_items_maker {
	const struct dr_pipeline *p;
	const struct dr_args *args;
	const struct dr_items_options *opts;
	struct dr_items *const *all; /* those of the other args */
	struct dr_items *it;
	struct dr_diags *diags;
	struct dr_err *err;
};

/* A diagnostic about the generator, which it names. What cannot be printed is escaped when it is shown.
 * Returns -1. */
int dr_items_complain(const struct dr_items_maker *m, struct dr_pos pos, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* What to add where there are no rows: the cure, or "" for a one-liner's --each, which knows no such key. */
const char *dr_items_cure(const struct dr_items_maker *m);

/* Each fills m->it: 0, or -1 with a diagnostic or m->err. */
int dr_items_glob(struct dr_items_maker *m);
int dr_items_command(struct dr_items_maker *m);
int dr_items_lines(struct dr_items_maker *m); /* and with NULs */
int dr_items_csv(struct dr_items_maker *m);   /* and tsv */
int dr_items_host(struct dr_items_maker *m);  /* a function of the host's */
int dr_items_product(struct dr_items_maker *m);
int dr_items_zip(struct dr_items_maker *m);
int dr_items_concat(struct dr_items_maker *m);
/* A row that begins at byte `at`. */
int dr_items_add(struct dr_items_maker *m, size_t at);
/* Makes rows of the lines from byte `from` of m->it->bytes on, each ended by `end`; what is where they come
 * from. */
int dr_items_split(struct dr_items_maker *m, size_t from, char end, struct dr_pos pos, const char *what);

/* What a base row is: as {arg} shows it, and by column. */
void dr_items_base(const struct dr_items *it, uint32_t base, struct dr_buf *out);
void dr_items_base_column(const struct dr_items *it, uint32_t base, uint32_t column, struct dr_buf *out);
/* Of a product, zip or concat. */
void dr_items_parts_row(const struct dr_items *it, uint32_t base, struct dr_buf *out);
void dr_items_parts_column(const struct dr_items *it, uint32_t base, uint32_t column, struct dr_buf *out);

/* What is left, and in which order: where, unique, sort. Each fills m->it->kept. */
int dr_items_where(struct dr_items_maker *m);
int dr_items_unique(struct dr_items_maker *m);
int dr_items_order(struct dr_items_maker *m);
/* Room for m->it->kept, filled with all base rows if there is none yet. */
int dr_items_keep_all(struct dr_items *it, struct dr_err *err);

/* Does a component of a pattern match a name? '?' is one character of UTF-8 (or a byte that is part of none),
 * [a-z] goes by code points, a backslash takes from the next character its meaning, a dot at the beginning is
 * matched only by a dot. The same in every locale. */
bool dr_items_match(struct dr_str pattern, struct dr_str name);
/* Is a pattern a '*' and what stands for itself, as most are? For these, and a name that is not empty, dr_items_ends says the same, sooner. */
bool dr_items_is_tail(struct dr_str pattern);
bool dr_items_ends(struct dr_str pattern, struct dr_str name);

/* Sorts strings that stand in bytes one behind the other, each ended by a NUL, n bytes in all. Returns where
 * each begins (the caller frees it), bytewise, none twice; NULL without memory or above DR_ROWS_MAX. Takes 16
 * bytes a string. */
uint64_t *dr_items_sort(const char *bytes, size_t n, uint32_t *rows);

#endif
