/* What the parts of items share. */
#ifndef DR_ITEMS_TABLE_H
#define DR_ITEMS_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "items.h"
#include "str.h"

struct dr_items {
	enum dr_generator kind;
	uint32_t n;          /* rows */
	struct dr_buf bytes; /* each row ended by a NUL; there may be bytes that belong to none */
	uint64_t *at;        /* where in bytes each row begins; NULL: a range */
	uint32_t cap_at;
	struct dr_range range;
	uint32_t *kept; /* of a range, which of its numbers are left; NULL: all */
};

enum { DR_ROWS_MAX = UINT32_MAX - 1 };

/* The making of one generator's rows. */
struct dr_items_maker {
	const struct dr_pipeline *p;
	const struct dr_args *args;
	const struct dr_items_options *opts;
	struct dr_items *it;
	struct dr_diags *diags;
	struct dr_err *err;
};

/* A diagnostic about the generator, which it names. What cannot be printed is escaped when it is shown. Returns
 * -1. */
int dr_items_complain(const struct dr_items_maker *m, struct dr_pos pos, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* What to add where there are no rows: the cure, or "" for a one-liner's --each, which knows no such key. */
const char *dr_items_cure(const struct dr_items_maker *m);
/* Each fills m->it: 0, or -1 with a diagnostic or m->err. */
int dr_items_glob(struct dr_items_maker *m);
int dr_items_command(struct dr_items_maker *m);
/* Makes rows of the lines from byte `from` of m->it->bytes on; what is where they come from. */
int dr_items_lines(struct dr_items_maker *m, size_t from, struct dr_pos pos, const char *what);

/* Does a component of a pattern match a name? '?' is one character of UTF-8 (or a byte that is part of none),
 * [a-z] goes by code points, a backslash takes from the next character its meaning, a dot at the beginning is
 * matched only by a dot. The same in every locale. */
bool dr_items_match(struct dr_str pattern, struct dr_str name);

/* Sorts strings that stand in bytes one behind the other, each ended by a NUL, n bytes in all. Returns where
 * each begins (the caller frees it), bytewise, none twice; NULL without memory or above DR_ROWS_MAX. Takes 16
 * bytes a string. */
uint64_t *dr_items_sort(const char *bytes, size_t n, uint32_t *rows);

#endif
