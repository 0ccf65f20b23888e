/* The plan as a picture, with the state that its tasks are in. Both formats append to `out`, look at the plan only, and take time
 * and memory in proportion to its tasks and edges. */
#ifndef DR_GRAPHOUT_H
#define DR_GRAPHOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "plan.h"

struct dr_graph_text_options {
	uint32_t width;      /* columns of a line; 0: 80 */
	bool utf8;           /* else ASCII */
	bool colour;         /* SGR sequences */
	uint64_t free_bytes; /* on the file system of the outputs; UINT64_MAX: unknown */
};

/* Characters: for each final target (with all that hangs together with it) a row a stage and a row a merge round, final ones on
 * top, and below it what other fan-ins and `keep` would cost. A row's x is the place among the stage's tasks or the merge's
 * leaves, so a node stands on its inputs. 0, or -1 with err without memory. */
int dr_graph_text(const struct dr_plan *pl, const struct dr_graph_text_options *o, struct dr_buf *out,
		  struct dr_err *err);

/* Graphviz: tasks, input files and edges; above DR_DOT_NODES of them by stage and merge round, unless `full`. 0, or -1 with err
 * without memory. */
enum { DR_DOT_NODES = 500 };
int dr_graph_dot(const struct dr_plan *pl, bool full, struct dr_buf *out, struct dr_err *err);

#endif
