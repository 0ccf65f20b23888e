/* The icicle on a page: its data for the script, its picture for where there is none, and the same as a
 * table. */
#ifndef DR_GRAPHOUT_HTML_H
#define DR_GRAPHOUT_HTML_H

#include "graphout-layout.h"
#include "page.h"

/* A plan as it is drawn. */
struct dr_html_tree {
	const struct dr_plan *plan;
	struct dr_rows rows;
	struct dr_layout layout;
	uint32_t *place; /* of each task among those drawn, which come row by row; DR_NONE: not drawn */
	uint32_t n;
};

/* 0; -1 with err without memory. Free with dr_html_tree_free in both cases. */
int dr_html_tree_make(const struct dr_plan *pl, struct dr_html_tree *t, struct dr_err *err);
void dr_html_tree_free(struct dr_html_tree *t);

/* "tree": {…} */
void dr_html_tree_data(const struct dr_html_tree *t, struct dr_json *j);
/* The picture, which the script replaces, and the table. 0; -1 with err without memory. */
int dr_html_tree_section(const struct dr_html_tree *t, struct dr_page *p, struct dr_err *err);
/* Appends how many tasks there are, and in what states: "9 tasks: 1 up to date, 8 waiting". */
void dr_html_sum(const struct dr_rows *rows, struct dr_buf *out);

#endif
