/* A page for a browser: one file that loads nothing, and that names of any bytes can stand in. Data for its
 * script stands in it as JSON, long columns of numbers in it as text that is about as long as their changes
 * are large. Nothing here fails: whoever owns the buffers looks whether they have. */
#ifndef DR_PAGE_H
#define DR_PAGE_H

#include "json.h"
#include "str.h"

struct dr_page {
	struct dr_buf *out;
	struct dr_buf text;  /* scratch: what dr_page_put appends, if it is not empty */
	struct dr_buf data;  /* JSON so far */
	struct dr_json json; /* writes to data */
	char nonce[33];      /* what the policy knows our scripts by, and nobody who names files does */
};

/* The head, up to <body>. `out` stays the caller's; the title is escaped here. */
void dr_page_begin(struct dr_page *p, struct dr_buf *out, const char *title);
/* The data, the scripts (each as in page-text.h, ended by NULL), and the end. The page is free of memory
 * then. */
void dr_page_end(struct dr_page *p, const char *const *const *scripts);

/* Appends for text and attributes: what HTML has for itself in other words, control characters and bytes that
 * are no UTF-8 as in dr_buf_escape. */
void dr_page_escape(struct dr_buf *out, struct dr_str s);
/* Between tags: `before`, the scratch text escaped (it is empty then), `after`. */
void dr_page_put(struct dr_page *p, const char *before, const char *after);

/* page-column.c. Numbers: each as its difference to the one before it. A difference d is the number z = d < 0
 * ? -2d - 1 : 2d, a word is 2z, or 2z + 1 where the next word (as it is) says how often it comes; words stand
 * as digits to the base 32, the lowest first, in the alphabet of base64, 32 added to each digit that another
 * follows. Zeroed is empty. */
struct dr_column {
	struct dr_buf out;
	int64_t last, step;
	uint64_t run;
};

void dr_column_add(struct dr_column *c, int64_t value);
/* Writes it and frees it. */
void dr_column_end(struct dr_column *c, struct dr_json *j, const char *key);

/* Names, each as what it begins with like the one before it and the rest: in UTF-16 units, as JavaScript
 * counts. */
struct dr_page_names {
	struct dr_column shared, length;
	struct dr_buf rest, last, name; /* name: scratch */
};

void dr_page_names_add(struct dr_page_names *n, struct dr_str name);
/* {"shared": …, "length": …, "rest": …} */
void dr_page_names_end(struct dr_page_names *n, struct dr_json *j, const char *key);

#endif
