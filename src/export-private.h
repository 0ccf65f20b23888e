/* What the parts of export share. */
#ifndef DR_EXPORT_PRIVATE_H
#define DR_EXPORT_PRIVATE_H

#include "arena.h"
#include "export.h"

struct dr_exporter {
	const struct dr_plan *pl;
	const struct dr_export_options *o;
	struct dr_buf out, recipe, name, text; /* the file; a task's commands; scratch of whoever calls nobody else */
	struct dr_arena arena;                 /* of one task */
	struct dr_err *err;
};

/* export-recipe.c. What a shell of POSIX runs to make the outputs of a task, in one line, in x->recipe. -1 with err. */
int dr_export_recipe(struct dr_exporter *x, uint32_t task);
/* Appends where it shows that a task without outputs has run. */
void dr_export_stamp(const struct dr_exporter *x, uint32_t task, struct dr_buf *out);

/* export-names.c. Why the tool cannot have a file of this name, for people; NULL: it can. */
const char *dr_export_refuses(const struct dr_exporter *x, struct dr_str path);
/* Appends a path as the tool reads it: as a target, or as what a target needs. */
void dr_export_name(const struct dr_exporter *x, struct dr_str path, bool target, struct dr_buf *out);
/* Appends text as the value of a variable, or as a recipe: both tools have only the dollar for themselves there. */
void dr_export_text(struct dr_str text, struct dr_buf *out);

#endif
