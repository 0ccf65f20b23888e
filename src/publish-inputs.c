#include "config.h"

#include "publish.h"

#include <errno.h>
#include <stdlib.h>

#include "arena.h"
#include "err.h"
#include "os.h"
#include "publish-private.h"

static bool
same_stamp(const struct dr_stamp *a, const struct dr_stamp *b)
{
	/* Not the inode: a restored copy is the same file to whoever reads it. */
	return a->size == b->size && a->mtime == b->mtime;
}

static bool
is_recent(const struct dr_stamp *st)
{
	int64_t age = dr_realtime() - st->mtime;

	return st->size >= 0 && age < DR_PUBLISH_RECENT_NS && age > -DR_PUBLISH_RECENT_NS;
}

/* Puts the file's stamp into the graph. Whether it changed since the last look can be told from
 * p->changed. */
static int
look(struct dr_publisher *p, uint32_t file, struct dr_err *err)
{
	const char *path = dr_publish_path(p, file, err);
	struct dr_file *f = &p->graph->files[file];
	struct dr_stamp st;
	bool dir, recent;

	if (!path)
		return -1;
	if (dr_disk_look(p->disk, path, f->flags & DR_FILE_TREE, &st, &dir)) {
		dr_err_sys(err, errno, "look at %s", dr_publish_shown(p, file));
		return DR_LOOK_FAILED;
	}
	recent = is_recent(&st);
	if (!same_stamp(&st, &f->stamp)) {
		p->changed[file] = p->now;
		dr_publish_set(p->recent, file, recent);
	} else if (recent) {
		dr_publish_set(p->recent, file, true);
	}
	f->stamp = st;
	f->flags = (f->flags & ~(uint32_t)DR_FILE_ABSENT) |
		   (st.size == DR_ABSENT ? (uint32_t)DR_FILE_ABSENT : 0);
	return 0;
}

static bool
content_eq(const void *ctx, uint32_t value, const void *key)
{
	const struct dr_publisher *p = ctx;

	return p->contents[value].file == *(const uint32_t *)key;
}

static uint64_t
content_key(uint32_t file)
{
	return dr_hash64(&file, sizeof(file));
}

static uint64_t
content_hash(const void *ctx, uint32_t value)
{
	const struct dr_publisher *p = ctx;

	return content_key(p->contents[value].file);
}

static const struct dr_map_ops content_ops = { content_eq, content_hash };

static struct dr_publish_content *
find_content(const struct dr_publisher *p, uint32_t file)
{
	uint32_t i = dr_map_find(&p->content_map, &content_ops, p, content_key(file), &file);

	return i == DR_NONE ? NULL : &p->contents[i];
}

static struct dr_publish_content *
add_content(struct dr_publisher *p, uint32_t file)
{
	if (dr_grow(&p->contents, &p->cap_contents, (size_t)p->n_contents + 1, sizeof(*p->contents)))
		return NULL;
	p->contents[p->n_contents] = (struct dr_publish_content){ .file = file };
	if (dr_map_add(&p->content_map, &content_ops, p, content_key(file), p->n_contents))
		return NULL;
	return &p->contents[p->n_contents++];
}

/* Hashes a `uses`, once for each stamp that it has. Before the start, as what is there after the end is
 * the same if its stamp is: hashed then, it could have changed within the mtime's grain after the command
 * had read it. What cannot be read (a program that may only be executed) or is no plain file has no hash,
 * which is no error. */
static int
remember_content(struct dr_publisher *p, uint32_t file, struct dr_err *err)
{
	const struct dr_stamp st = p->graph->files[file].stamp;
	struct dr_publish_content *c = find_content(p, file);
	struct dr_stamp after;
	const char *path;
	bool dir;

	if (st.size < 0 || st.size > DR_PUBLISH_HASH_MAX)
		return 0;
	if (c && same_stamp(&c->stamp, &st) && c->stamp.ino == st.ino)
		return 0;
	if (!c)
		c = add_content(p, file);
	path = dr_publish_path(p, file, err);
	if (!c || !path)
		return dr_err_nomem(err);
	c->stamp = st;
	c->valid = p->disk->hash(p->disk, path, &c->hash) == 0 &&
		   p->disk->stat(p->disk, path, &after, &dir) == 0 && same_stamp(&after, &st);
	return 0;
}

int
dr_publish_look_before(struct dr_publisher *p, uint32_t task, struct dr_err *err)
{
	const struct dr_task *t = &p->graph->tasks[task];
	const uint32_t *in = dr_graph_inputs(p->graph, task);
	int rc;

	p->now++;
	for (uint32_t i = 0; i < t->n_in + t->n_uses; i++) {
		const struct dr_file *f = &p->graph->files[in[i]];

		/* What our tasks made is as it was published. */
		if (f->producer != DR_NONE && (f->stamp.size != DR_UNKNOWN || dr_plan_missing(p->plan, task, in[i])))
			continue;
		rc = look(p, in[i], err);
		if (rc)
			return rc;
		if (f->stamp.size == DR_ABSENT) {
			dr_err_set(err, DR_FAILED, "%s is not there any more", dr_publish_shown(p, in[i]));
			return DR_LOOK_CHANGED;
		}
	}
	for (uint32_t i = t->n_in; i < t->n_in + t->n_uses; i++)
		if (remember_content(p, in[i], err))
			return -1;
	p->began[task] = p->now;
	return 0;
}

int
dr_publish_look_after(struct dr_publisher *p, uint32_t task, struct dr_err *err)
{
	const struct dr_task *t = &p->graph->tasks[task];
	const uint32_t *in = dr_graph_inputs(p->graph, task);
	int rc;

	p->now++;
	for (uint32_t i = 0; i < t->n_in + t->n_uses; i++) {
		if (p->graph->files[in[i]].producer != DR_NONE)
			continue;
		rc = look(p, in[i], err);
		if (rc)
			return rc;
		if (p->changed[in[i]] > p->began[task]) {
			dr_err_set(err, DR_FAILED, "%s changed while the command ran",
				   dr_publish_shown(p, in[i]));
			return DR_LOOK_CHANGED;
		}
	}
	return 0;
}

void
dr_publish_describe(struct dr_publisher *p, uint32_t file, bool uses, struct dr_rec_file *f)
{
	const struct dr_file *file_of = &p->graph->files[file];
	const struct dr_publish_content *c = uses ? find_content(p, file) : NULL;

	f->stamp = file_of->stamp;
	f->flags = 0;
	if (file_of->producer == DR_NONE && dr_publish_bit(p->recent, file))
		f->flags |= DR_REC_RECENT;
	if (c && c->valid && same_stamp(&c->stamp, &f->stamp)) {
		f->flags |= DR_REC_HASHED;
		f->content = c->hash;
	}
}
