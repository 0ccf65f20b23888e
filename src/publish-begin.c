#include "config.h"

#include "publish.h"

#include <errno.h>
#include <stdlib.h>

#include "err.h"
#include "plan-values.h"
#include "publish-private.h"

enum { LOOK_MANY = 4 }; /* names in a directory that are listed in the time that an unlink takes which finds nothing, and more */

void
dr_publisher_suspect(struct dr_publisher *p, uint32_t file)
{
	dr_publish_set(p->suspects, file, true);
	dr_publish_set(p->fresh, p->graph->files[file].dir, false);
}

static bool
is_suspect(const struct dr_publisher *p, uint32_t file)
{
	return dr_publish_bit(p->suspects, file) && !dr_publish_bit(p->fresh, p->graph->files[file].dir);
}

int
dr_publish_remove_temp(struct dr_publisher *p, uint32_t task, uint32_t file, struct dr_err *err)
{
	const char *temp = dr_publish_temp(p, task, file, err);

	if (!temp)
		return -1;
	if (p->disk->unlink(p->disk, temp)) {
		if (errno != EISDIR && errno != EPERM)
			return -1;
		if (p->disk->remove_tree(p->disk, temp))
			return -1;
	}
	dr_publish_set(p->suspects, file, false);
	return 0;
}

/* What is to be a directory begins as an empty one. */
static int
make_tree(struct dr_publisher *p, uint32_t task, uint32_t file, struct dr_err *err)
{
	bool made;

	if (!dr_publish_temp(p, task, file, err))
		return -1;
	dr_buf_addc(&p->temp, '/');
	if (p->temp.failed)
		return dr_err_nomem(err);
	if (p->disk->mkdirs_for(p->disk, dr_buf_cstr(&p->temp), &made))
		return dr_err_sys(err, errno, "make the directory %s", dr_publish_shown(p, file));
	return 0;
}

/* How many outputs each directory is yet to get. */
static int
count_yet(struct dr_publisher *p, struct dr_err *err)
{
	const struct dr_graph *g = p->graph;

	if (p->yet)
		return 0;
	p->yet = calloc((size_t)g->n_dirs + 1, sizeof(*p->yet));
	if (!p->yet)
		return dr_err_nomem(err);
	for (uint32_t t = 0; t < g->n_tasks; t++) {
		const uint32_t *out = dr_graph_outputs(g, t);
		uint8_t state = g->tasks[t].state;

		if (state == DR_WAITING || state == DR_READY || state == DR_RUNNING)
			for (uint32_t i = 0; i < g->tasks[t].n_out; i++)
				p->yet[g->files[out[i]].dir]++;
	}
	return 0;
}

/* In a directory that was there before the run: has nobody left anything under a temporary name? Listed, that takes less than to remove what
 * is not there for each output that it is to get, unless it has many more names than these. Whoever else may leave something there from now
 * on is known: dr_publisher_suspect. 0 or -1. */
static int
look_around(struct dr_publisher *p, uint32_t dir, struct dr_err *err)
{
	const char *path = dr_graph_dir(p->graph, dir).p;

	if (!p->disk->lists_none || dr_publish_bit(p->listed, dir))
		return 0;
	dr_publish_set(p->listed, dir, true);
	if (count_yet(p, err))
		return -1;
	/* Not listed, for whatever reason, is as good as full of them. */
	if (p->disk->lists_none(p->disk, path, DR_TEMP_PREFIX, LOOK_MANY * (uint64_t)p->yet[dir]) == 1)
		dr_publish_set(p->fresh, dir, true);
	return 0;
}

static int
prepare_output(struct dr_publisher *p, uint32_t task, uint32_t file, struct dr_err *err)
{
	uint32_t dir = p->graph->files[file].dir;
	bool tree = p->graph->files[file].flags & DR_FILE_TREE, made;
	const char *path;

	if (!dr_publish_bit(p->made, dir)) {
		path = dr_publish_path(p, file, err);
		if (!path)
			return -1;
		if (p->disk->mkdirs_for(p->disk, path, &made))
			return dr_err_sys(err, errno, "make the directory of %s", dr_publish_shown(p, file));
		dr_publish_set(p->made, dir, true);
		dr_publish_set(p->fresh, dir, made);
		if (!made && look_around(p, dir, err))
			return -1;
	}
	if ((tree || is_suspect(p, file)) && dr_publish_remove_temp(p, task, file, err))
		return dr_err_sys(err, errno, "remove what an earlier try left of %s",
				  dr_publish_shown(p, file));
	return tree ? make_tree(p, task, file, err) : 0;
}

int
dr_publish_begin(struct dr_publisher *p, uint32_t task, struct dr_err *err)
{
	const struct dr_task *t = &p->graph->tasks[task];
	const uint32_t *out = dr_graph_outputs(p->graph, task);

	/* To make it again would remove the only copy of what its record speaks of. */
	if (dr_publish_bit(p->due, task))
		return dr_err_set(err, DR_FAILED, "its result is there and could not be given its name");
	for (uint32_t i = 0; i < t->n_out; i++)
		if (prepare_output(p, task, out[i], err))
			return -1;
	return dr_publish_look_before(p, task, err) ? -1 : 0;
}
