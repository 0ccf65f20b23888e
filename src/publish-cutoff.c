#include "config.h"

#include "publish.h"

#include <stdlib.h>

#include "arena.h"
#include "publish-private.h"

/* Early cutoff: what came out as it was before is left as it is, so that those who read it have nothing to do. Sizes tell most apart, and
 * the first bytes most of the rest; only what is the same is read to its end. */

static struct dr_publish_compare *
find(const struct dr_publisher *p, uint32_t task)
{
	for (uint32_t i = 0; i < p->n_compares; i++)
		if (p->compares[i].task == task)
			return &p->compares[i];
	return NULL;
}

bool
dr_publish_is_compared(const struct dr_publisher *p, uint32_t task)
{
	return find(p, task) != NULL;
}

void
dr_publish_stop_comparing(struct dr_publisher *p, uint32_t task)
{
	struct dr_publish_compare *c = find(p, task);

	if (!c)
		return;
	dr_same_free(&c->same);
	*c = p->compares[--p->n_compares];
}

void
dr_publish_hurry(struct dr_publisher *p, uint32_t task)
{
	struct dr_publish_compare *c = find(p, task);

	if (c)
		c->hurry = true;
}

/* Does something stand under the name of this output that could be the same? */
static bool
is_worth_it(const struct dr_file *f, const struct dr_stamp *made)
{
	return !(f->flags & DR_FILE_ABSENT) && f->stamp.size == made->size;
}

/* 1, 0, DR_DISK_MORE. What cannot be compared, for whatever reason, is not the same. */
static int
compare(struct dr_publisher *p, uint32_t task, uint32_t file, struct dr_same *same)
{
	const struct dr_file *f = &p->graph->files[file];
	const char *temp = dr_publish_temp(p, task, file, NULL), *path = dr_buf_cstr(&p->path);
	bool dir, tree = f->flags & DR_FILE_TREE;
	struct dr_stamp now;
	int rc;

	if (!temp)
		return 0;
	rc = dr_disk_same(p->disk, temp, path, tree, same);
	if (rc != 1)
		return rc == DR_DISK_MORE ? rc : 0;
	/* It must still be the one that the graph, and whoever read it, knows. */
	return dr_disk_look(p->disk, path, tree, &now, &dir) == 0 && dir == tree && now.size == f->stamp.size &&
	       now.mtime == f->stamp.mtime;
}

/* Where the comparison of this task has come to. NULL: there is no memory to remember it. */
static struct dr_publish_compare *
begin(struct dr_publisher *p, uint32_t task)
{
	struct dr_publish_compare *c = find(p, task);

	if (c)
		return c;
	if (dr_grow(&p->compares, &p->cap_compares, (size_t)p->n_compares + 1, sizeof(*p->compares)))
		return NULL;
	c = &p->compares[p->n_compares++];
	*c = (struct dr_publish_compare){ .task = task };
	return c;
}

/* False: there is more to do. */
static bool
compare_outputs(struct dr_publisher *p, uint32_t task)
{
	const uint32_t *out = dr_graph_outputs(p->graph, task);
	struct dr_publish_compare *c = begin(p, task);
	uint64_t left = DR_PUBLISH_PIECE;

	for (; c && !c->hurry && c->output < p->graph->tasks[task].n_out; c->output++) {
		struct dr_file *f = &p->graph->files[out[c->output]];
		int rc = 0;

		if (is_worth_it(f, &p->stamps[c->output])) {
			c->same.part.left = left;
			rc = compare(p, task, out[c->output], &c->same);
			left = c->same.part.left;
			if (rc == DR_DISK_MORE)
				return false;
			dr_same_free(&c->same);
		}
		if (rc == 1)
			dr_publish_set(p->stays, out[c->output], true);
	}
	dr_publish_stop_comparing(p, task);
	return true;
}

bool
dr_publish_cutoff(struct dr_publisher *p, uint32_t task)
{
	const struct dr_task *t = &p->graph->tasks[task];
	const uint32_t *out = dr_graph_outputs(p->graph, task);
	bool again = dr_publish_is_compared(p, task), worth = again;

	for (uint32_t i = 0; i < t->n_out && !again; i++) {
		struct dr_file *f = &p->graph->files[out[i]];

		f->flags &= ~(uint32_t)DR_FILE_SAME;
		dr_publish_set(p->stays, out[i], false);
		worth |= is_worth_it(f, &p->stamps[i]);
	}
	if (worth && !compare_outputs(p, task))
		return false;
	for (uint32_t i = 0; i < t->n_out; i++) {
		if (!dr_publish_bit(p->stays, out[i]))
			continue;
		p->graph->files[out[i]].flags |= DR_FILE_SAME;
		p->stamps[i] = p->graph->files[out[i]].stamp;
	}
	return true;
}
