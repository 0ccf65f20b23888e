#include "config.h"

#include "pipeline.h"

#include <stdlib.h>

void
dr_pipeline_free(struct dr_pipeline *p)
{
	if (!p)
		return;
	dr_arena_free(&p->arena);
	free(p);
}
