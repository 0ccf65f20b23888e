#include "config.h"

#include "content.h"

#include <stdlib.h>

#include "arena.h"

/* What a file contains while it has this stamp. */
struct dr_content {
	uint32_t file;
	bool valid;
	struct dr_stamp stamp;
	struct dr_hash128 hash;
};

static bool
content_eq(const void *ctx, uint32_t value, const void *key)
{
	const struct dr_contents *c = ctx;

	return c->v[value].file == *(const uint32_t *)key;
}

static uint64_t
key_of(uint32_t file)
{
	return dr_hash64(&file, sizeof(file));
}

static uint64_t
content_hash(const void *ctx, uint32_t value)
{
	const struct dr_contents *c = ctx;

	return key_of(c->v[value].file);
}

static const struct dr_map_ops content_ops = { content_eq, content_hash };

static bool
same(const struct dr_stamp *a, const struct dr_stamp *b)
{
	return a->size == b->size && a->mtime == b->mtime && a->ino == b->ino;
}

static struct dr_content *
find(const struct dr_contents *c, uint32_t file)
{
	uint32_t i = dr_map_find(&c->map, &content_ops, c, key_of(file), &file);

	return i == DR_NONE ? NULL : &c->v[i];
}

static struct dr_content *
add(struct dr_contents *c, uint32_t file)
{
	if (dr_grow(&c->v, &c->cap, (size_t)c->n + 1, sizeof(*c->v)))
		return NULL;
	c->v[c->n] = (struct dr_content){ .file = file, .stamp = { .size = DR_UNKNOWN } };
	if (dr_map_add(&c->map, &content_ops, c, key_of(file), c->n))
		return NULL;
	return &c->v[c->n++];
}

const struct dr_hash128 *
dr_content_known(const struct dr_contents *c, uint32_t file)
{
	const struct dr_content *x = find(c, file);

	return x && x->valid && same(&x->stamp, &c->graph->files[file].stamp) ? &x->hash : NULL;
}

const struct dr_hash128 *
dr_content_of(struct dr_contents *c, uint32_t file)
{
	const struct dr_stamp *now = &c->graph->files[file].stamp;
	struct dr_content *x = find(c, file);
	struct dr_stamp after;
	bool dir;

	if (!x)
		x = add(c, file);
	dr_buf_reset(&c->path);
	dr_graph_path(c->graph, file, &c->path);
	if (!x || c->path.failed)
		return NULL;
	if (!same(&x->stamp, now)) {
		x->stamp = *now;
		x->valid = c->disk->hash(c->disk, dr_buf_cstr(&c->path), now->size, &x->hash) == 0 &&
			   c->disk->stat(c->disk, dr_buf_cstr(&c->path), &after, &dir) == 0 && same(&after, now);
	}
	return x->valid ? &x->hash : NULL;
}

int
dr_content_again(struct dr_contents *c, uint32_t file)
{
	struct dr_content *x = find(c, file);
	bool known = x && x->valid && same(&x->stamp, &c->graph->files[file].stamp);
	struct dr_hash128 before = known ? x->hash : (struct dr_hash128){ 0 };
	const struct dr_hash128 *now;

	if (x)
		x->stamp = (struct dr_stamp){ .size = DR_UNKNOWN };
	now = dr_content_of(c, file);
	if (!now)
		return -1;
	return !known || dr_hash128_eq(before, *now);
}

void
dr_contents_free(struct dr_contents *c)
{
	free(c->v);
	dr_map_free(&c->map);
	dr_buf_free(&c->path);
}
