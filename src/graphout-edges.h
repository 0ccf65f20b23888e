/* The edges of a plan, gathered by stage or by row. */
#ifndef DR_GRAPHOUT_EDGES_H
#define DR_GRAPHOUT_EDGES_H

#include "graphout-rows.h"

/* From what makes to what reads: two rows or two stages, never the same, and how many edges between tasks this one stands for. */
struct dr_edge {
	uint32_t from, to;
	uint64_t n;
};

struct dr_edges {
	struct dr_edge *v; /* sorted, each pair once */
	uint32_t n, cap;
};

/* Of wanted tasks, inputs and uses. rows NULL: by stage. 0; -1 without memory. Free v in both cases. */
int dr_edges_find(const struct dr_plan *pl, const struct dr_rows *rows, struct dr_edges *e);

#endif
