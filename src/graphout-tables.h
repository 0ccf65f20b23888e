/* What other fan-ins, and keeping the inner nodes, would cost a merge of the user's own. */
#ifndef DR_GRAPHOUT_TABLES_H
#define DR_GRAPHOUT_TABLES_H

#include "graphout.h"

/* Appends both tables of a planned merge stage; nothing when it has too few leaves to choose. */
void dr_graphout_tables(const struct dr_plan *pl, uint32_t stage, const struct dr_graph_text_options *o,
			struct dr_buf *out);

#endif
