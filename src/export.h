/* The plan in another tool's words: a Makefile for GNU make 4.3, a build.ninja, or JSON. */
#ifndef DR_EXPORT_H
#define DR_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "plan.h"

enum dr_export_format { DR_EXPORT_NONE, DR_EXPORT_MAKE, DR_EXPORT_NINJA, DR_EXPORT_JSON };

struct dr_export_options {
	enum dr_export_format format;
	/* Empties the buffer now and then, as there may be gigabytes. 0 or -1 with err. */
	int (*flush)(void *arg, struct dr_buf *out, struct dr_err *err);
	void *arg;
	struct dr_buf *notices; /* gets what the tool does not do as we do, a line each, and what it cannot do at all */
};

/* Rules for the wanted tasks, up to date or not, whose commands make their outputs under temporary names first, as ours do, and leave
 * the same bytes. Names and commands are those of the plan: what the file says of rows was true then. Nothing is written when something
 * cannot be said at all: then -1 with err (DR_USAGE), and each such task by its name in notices. 0; -1 also without memory, and with
 * what flush says. */
int dr_export(const struct dr_plan *pl, const struct dr_export_options *o, struct dr_err *err);

#endif
