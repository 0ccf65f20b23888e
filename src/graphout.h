/* The plan as a picture, with the state that its tasks are in. All formats append to `out`, look at the plan only, and take time
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

/* SVG: the icicle, still, complete in itself: no script, no font, nothing from elsewhere. A task stands on what it reads; failures have a
 * lane of their own above their row, and the longest path has black caps. About as large however many tasks there are: what is narrower than
 * 1.2 pixels is drawn by columns. 0, or -1 with err without memory. */
int dr_graph_svg(const struct dr_plan *pl, struct dr_buf *out, struct dr_err *err);

/* HTML: the icicle of the SVG, to zoom, pan and search, as one page that loads nothing; without JavaScript it shows the SVG. Some six bytes a
 * task. 0, or -1 with err without memory. */
int dr_graph_html(const struct dr_plan *pl, struct dr_buf *out, struct dr_err *err);

/* Mermaid: a flowchart by stage, with less than 500 edges and 50,000 characters, which is what Mermaid draws; what there is beyond that is
 * counted in a node of its own. 0, or -1 with err without memory. */
enum { DR_MERMAID_EDGES = 480 };
int dr_graph_mermaid(const struct dr_plan *pl, struct dr_buf *out, struct dr_err *err);

/* JSON, as doc/json.md has it: the wanted tasks, their files and the edges between them; with `commands` also what each task runs. `flush`
 * empties the buffer now and then, as there may be gigabytes. 0, or -1 with err: without memory, what flush says, or of a command that
 * cannot be expanded. */
struct dr_graph_json_options {
	bool commands;
	int (*flush)(void *arg, struct dr_buf *out, struct dr_err *err);
	void *arg;
};
int dr_graph_json(const struct dr_plan *pl, const struct dr_graph_json_options *o, struct dr_err *err);

#endif
