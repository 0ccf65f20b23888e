/* Looks at what globs have found while the plan is made of it, in threads of their own: names are known long before it is known which task
 * reads them. For stale.c, and for whoever makes the plan. */
#ifndef DR_STALE_EARLY_H
#define DR_STALE_EARLY_H

#include <stdint.h>

#include "disk.h"
#include "plan.h"

struct dr_early;

/* Begins to look at the files that maps of the plan are over; there are no tasks yet, and the rows stay until dr_early_free (see
 * dr_plan_options.rows_there). Nobody else may be told what is found before dr_early_take. NULL: there is no processor for it, or no
 * memory, or too few files; they are looked at with the others then. */
struct dr_early *dr_early_begin(struct dr_disk *d, const struct dr_plan *pl);
/* Ends the looks, and sets the stamp and the flags of files whose bit is set in `which` and of which something is known; their bits are
 * cleared. What was not there, is a directory, or could not be looked at, is not known: it is looked at again. So is what a task makes, as
 * that may be locked only later. Once. */
void dr_early_take(struct dr_early *e, const struct dr_plan *pl, uint8_t *which);
void dr_early_free(struct dr_early *e); /* ends the looks; NULL is fine */

#endif
