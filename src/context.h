/* What the program knows of a context beyond dagrun.h. */
#ifndef DR_CONTEXT_H
#define DR_CONTEXT_H

#include "arena.h"
#include "local.h"
#include "session.h"

/* How a task's last try ended. */
struct dr_context_end {
	uint8_t ran;
	uint8_t how; /* enum dr_how */
	uint8_t status;
};

struct dr_context {
	struct dr_session session;
	struct dr_handlers handlers;
	void *arg;
	struct dr_arena arena; /* what was configured */
	const char **targets;
	struct dr_setting *lets;
	struct dr_parse_stage *stages;
	struct dr_parse_rows *rows;
	uint32_t cap_targets, cap_lets, cap_stages, cap_rows;
	struct dr_parse_built built;
	struct dr_context_end *ends; /* of the plan's tasks; NULL: no plan */
	bool ran;
	int signal;
	int wake[2]; /* a byte for each dr_stop */
	bool stopped; /* in this run */
	struct dr_buf name, label, why, stage;
};

/* Its session; what is set there before dr_plan counts. A host that is set there is told instead of the handlers. */
struct dr_session *dr_context_session(struct dr_context *c);

/* context-run.c: the host that tells the handlers. */
struct dr_host dr_context_host(struct dr_context *c);

#endif
