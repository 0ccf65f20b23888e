#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "session.h"
#include "err.h"

/* DAGRUN_TASKS: whose children we are, outermost first, each `DEV:INO:ID` in hex, of its state directory and its own, with a blank
 * before it. A task that wants what it is itself to make would wait for itself for ever. */
int
dr_session_refuse_own(struct dr_session *s, struct dr_err *err)
{
	const struct dr_graph *g = s->plan->graph;
	const char *tasks = getenv("DAGRUN_TASKS");
	struct dr_hash128 id;
	uint64_t dev, ino;
	struct stat st;

	if (!tasks || fstat(s->state, &st))
		return 0;
	while ((tasks = strchr(tasks, ' '))) {
		uint32_t t;

		if (sscanf(++tasks, "%" SCNx64 ":%" SCNx64 ":%16" SCNx64 "%16" SCNx64, &dev, &ino, &id.hi, &id.lo) != 4 ||
		    dev != (uint64_t)st.st_dev || ino != (uint64_t)st.st_ino)
			continue;
		t = dr_graph_by_id(g, id);
		if (t == DR_NONE || g->tasks[t].state != DR_WAITING)
			continue;
		dr_buf_reset(&s->path);
		dr_buf_reset(&s->text);
		dr_plan_task_name(s->plan, t, &s->path);
		dr_buf_escape(&s->text, dr_buf_str(&s->path));
		return dr_err_set(err, DR_USAGE, "%s is being made by the task that runs this dagrun: it would wait for itself",
				  dr_buf_cstr(&s->text));
	}
	return 0;
}
