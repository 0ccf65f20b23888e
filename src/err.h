/* An error with its place, and lists of them.
 *
 * A function that can fail returns 0, or -1 with its last parameter filled. Only main prints the final
 * error and turns its code into an exit status. */
#ifndef DR_ERR_H
#define DR_ERR_H

#include <stdarg.h>
#include <stdint.h>

#include "dagrun.h"

/* Each fills err (NULL is allowed) and returns -1, so that one can write `return dr_err_set(…)`. */
int dr_err_set(struct dr_err *err, enum dr_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Adds ": " and what the errno means; the code is DR_SYSTEM. */
int dr_err_sys(struct dr_err *err, int sys, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int dr_err_nomem(struct dr_err *err);

/* Several errors of one file or plan, told together. */
struct dr_diag {
	char *file; /* NULL: no file, only a message */
	uint32_t line, col;
	char *text; /* the source line, or NULL */
	char *msg;
};

enum { DR_DIAGS_MAX = 20 };

struct dr_diags {
	struct dr_diag v[DR_DIAGS_MAX];
	uint32_t n;     /* how many v holds */
	uint32_t total; /* how many there were */
};

/* Copies its strings. text is the source line (NULL: none), textlen its length without the newline.
 * Out of memory: counted in total and not kept. Beyond DR_DIAGS_MAX: counted only. */
void dr_diag_add(struct dr_diags *d, const char *file, uint32_t line, uint32_t col, const char *text,
		 uint32_t textlen, const char *fmt, ...) __attribute__((format(printf, 7, 8)));
void dr_diags_free(struct dr_diags *d);

#endif
