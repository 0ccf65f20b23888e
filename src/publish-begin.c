#include "config.h"

#include "publish.h"

#include <errno.h>

#include "err.h"
#include "publish-private.h"

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
