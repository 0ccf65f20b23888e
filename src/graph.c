#include "config.h"

#include "graph.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "err.h"

/* A name in the pool: its length in two bytes, its bytes, a NUL. */

static struct dr_str
pooled(const struct dr_graph *g, uint32_t at)
{
	uint16_t len;

	memcpy(&len, g->names + at, sizeof(len));
	return (struct dr_str){ g->names + at + sizeof(len), len };
}

static int
pool(struct dr_graph *g, struct dr_str s, uint32_t *at, struct dr_err *err)
{
	uint16_t len = (uint16_t)s.n;
	size_t need = (size_t)g->n_names + sizeof(len) + s.n + 1;

	if (s.n > UINT16_MAX)
		return dr_err_set(err, DR_USAGE, "a name of %zu bytes is too long", s.n);
	if (need >= UINT32_MAX)
		return dr_err_set(err, DR_SYSTEM, "the names of this plan take more than 4 GiB");
	if (dr_grow(&g->names, &g->cap_names, need, 1))
		return dr_err_nomem(err);
	*at = g->n_names;
	memcpy(g->names + *at, &len, sizeof(len));
	if (s.n)
		memcpy(g->names + *at + sizeof(len), s.p, s.n);
	g->names[need - 1] = '\0';
	g->n_names = (uint32_t)need;
	return 0;
}

struct dr_graph *
dr_graph_new(void)
{
	return calloc(1, sizeof(struct dr_graph));
}

void
dr_graph_free(struct dr_graph *g)
{
	if (!g)
		return;
	free(g->files);
	free(g->tasks);
	free(g->edges);
	free(g->first_consumer);
	free(g->consumers);
	free(g->order);
	free(g->dirs);
	free(g->names);
	dr_map_free(&g->file_map);
	dr_map_free(&g->dir_map);
	dr_map_free(&g->id_map);
	free(g);
}

/* Directories: keyed by their text with its '/' at the end. */

static bool
dir_eq(const void *ctx, uint32_t value, const void *key)
{
	const struct dr_graph *g = ctx;

	return dr_str_eq(pooled(g, g->dirs[value]), *(const struct dr_str *)key);
}

static uint64_t
dir_hash(const void *ctx, uint32_t value)
{
	const struct dr_graph *g = ctx;
	struct dr_str s = pooled(g, g->dirs[value]);

	return dr_hash64(s.p, s.n);
}

static const struct dr_map_ops dir_ops = { dir_eq, dir_hash };

/* Inputs mostly lie in one directory and outputs in another, and take turns. DR_NONE: in neither. */
static uint32_t
known_dir(const struct dr_graph *g, struct dr_str dir)
{
	for (int i = 0; i < 2 && g->n_dirs; i++)
		if (dr_str_eq(pooled(g, g->dirs[g->last_dirs[i]]), dir))
			return g->last_dirs[i];
	return DR_NONE;
}

static void
remember_dir(struct dr_graph *g, uint32_t dir)
{
	if (g->last_dirs[0] == dir)
		return;
	g->last_dirs[1] = g->last_dirs[0];
	g->last_dirs[0] = dir;
}

static int
dir_index(struct dr_graph *g, struct dr_str dir, uint32_t *index, struct dr_err *err)
{
	uint64_t h;

	*index = known_dir(g, dir);
	if (*index != DR_NONE)
		return 0;
	h = dr_hash64(dir.p, dir.n);
	*index = dr_map_find(&g->dir_map, &dir_ops, g, h, &dir);
	if (*index != DR_NONE) {
		remember_dir(g, *index);
		return 0;
	}
	if (dr_grow(&g->dirs, &g->cap_dirs, (size_t)g->n_dirs + 1, sizeof(*g->dirs)))
		return dr_err_nomem(err);
	if (pool(g, dir, &g->dirs[g->n_dirs], err))
		return -1;
	if (dr_map_add(&g->dir_map, &dir_ops, g, h, g->n_dirs))
		return dr_err_nomem(err);
	*index = g->n_dirs++;
	remember_dir(g, *index);
	return 0;
}

/* Files: keyed by directory and name. */

struct file_key {
	uint32_t dir;
	struct dr_str name;
};

static uint64_t
hash_in_dir(uint32_t dir, struct dr_str name)
{
	return dr_hash64(name.p, name.n) ^ (dir + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15);
}

static bool
file_eq(const void *ctx, uint32_t value, const void *key)
{
	const struct dr_graph *g = ctx;
	const struct file_key *k = key;

	return g->files[value].dir == k->dir && dr_str_eq(pooled(g, g->files[value].name), k->name);
}

static uint64_t
file_hash(const void *ctx, uint32_t value)
{
	const struct dr_graph *g = ctx;

	return hash_in_dir(g->files[value].dir, pooled(g, g->files[value].name));
}

static const struct dr_map_ops file_ops = { file_eq, file_hash };

static struct dr_str
split(struct dr_str path, struct dr_str *name)
{
	size_t n = path.n;

	while (n && path.p[n - 1] != '/')
		n--;
	*name = (struct dr_str){ path.p + n, path.n - n };
	return (struct dr_str){ path.p, n };
}

int
dr_graph_file(struct dr_graph *g, struct dr_str path, uint32_t *file, struct dr_err *err)
{
	struct file_key key;
	struct dr_file *f;
	uint64_t h;

	if (dir_index(g, split(path, &key.name), &key.dir, err))
		return -1;
	h = hash_in_dir(key.dir, key.name);
	*file = dr_map_find(&g->file_map, &file_ops, g, h, &key);
	if (*file != DR_NONE)
		return 0;
	if (dr_grow(&g->files, &g->cap_files, (size_t)g->n_files + 1, sizeof(*g->files)))
		return dr_err_nomem(err);
	f = &g->files[g->n_files];
	*f = (struct dr_file){ .dir = key.dir, .producer = DR_NONE, .stamp = { .size = DR_UNKNOWN } };
	if (pool(g, key.name, &f->name, err))
		return -1;
	if (dr_map_add(&g->file_map, &file_ops, g, h, g->n_files))
		return dr_err_nomem(err);
	*file = g->n_files++;
	return 0;
}

void
dr_graph_soon(const struct dr_graph *g, struct dr_str path)
{
	struct dr_str name, dir = split(path, &name);
	uint32_t index = known_dir(g, dir);

	if (index != DR_NONE)
		dr_map_soon(&g->file_map, hash_in_dir(index, name));
}

int
dr_graph_expect(struct dr_graph *g, uint64_t files, struct dr_err *err)
{
	uint64_t n = g->n_files + files;

	/* What does not fit into a plan at all is told when it comes. */
	if (n >= DR_NONE)
		return 0;
	return dr_map_reserve(&g->file_map, &file_ops, g, (uint32_t)n) ? dr_err_nomem(err) : 0;
}

uint32_t
dr_graph_find(const struct dr_graph *g, struct dr_str path)
{
	struct file_key key;
	struct dr_str dir = split(path, &key.name);

	key.dir = dr_map_find(&g->dir_map, &dir_ops, g, dr_hash64(dir.p, dir.n), &dir);
	if (key.dir == DR_NONE)
		return DR_NONE;
	return dr_map_find(&g->file_map, &file_ops, g, hash_in_dir(key.dir, key.name), &key);
}

struct dr_str
dr_graph_dir(const struct dr_graph *g, uint32_t dir)
{
	return pooled(g, g->dirs[dir]);
}

struct dr_str
dr_graph_name(const struct dr_graph *g, uint32_t file)
{
	return pooled(g, g->files[file].name);
}

void
dr_graph_path(const struct dr_graph *g, uint32_t file, struct dr_buf *out)
{
	dr_buf_addstr(out, dr_graph_dir(g, g->files[file].dir));
	dr_buf_addstr(out, dr_graph_name(g, file));
}

int
dr_graph_task(struct dr_graph *g, uint32_t stage, uint32_t row, uint32_t n_in, uint32_t n_uses, uint32_t n_out,
	      uint32_t *task, struct dr_err *err)
{
	size_t edges = (size_t)n_in + n_uses + n_out;

	/* One edge more than there are: a pointer to a task's none must lead somewhere. */
	if (g->n_tasks >= DR_NONE - 1 || g->n_edges + edges >= UINT32_MAX)
		return dr_err_set(err, DR_SYSTEM, "a plan holds at most 4 billion tasks and edges");
	if (dr_grow(&g->tasks, &g->cap_tasks, (size_t)g->n_tasks + 1, sizeof(*g->tasks)) ||
	    dr_grow(&g->edges, &g->cap_edges, g->n_edges + edges + 1, sizeof(*g->edges)))
		return dr_err_nomem(err);
	*task = g->n_tasks++;
	g->tasks[*task] = (struct dr_task){
		.record = UINT64_MAX,
		.stage = stage,
		.row = row,
		.edges = g->n_edges,
		.n_in = n_in,
		.n_uses = n_uses,
		.n_out = (uint16_t)n_out,
	};
	g->n_edges += (uint32_t)edges;
	return 0;
}

uint32_t *
dr_graph_inputs(const struct dr_graph *g, uint32_t task)
{
	return g->edges + g->tasks[task].edges;
}

uint32_t *
dr_graph_uses(const struct dr_graph *g, uint32_t task)
{
	return dr_graph_inputs(g, task) + g->tasks[task].n_in;
}

uint32_t *
dr_graph_outputs(const struct dr_graph *g, uint32_t task)
{
	return dr_graph_uses(g, task) + g->tasks[task].n_uses;
}

int
dr_graph_made(struct dr_graph *g, uint32_t task, uint32_t file, uint32_t *other)
{
	struct dr_file *f = &g->files[file];

	if (f->producer != DR_NONE) {
		*other = f->producer;
		return 1;
	}
	f->producer = task;
	return 0;
}

/* Is it a relative path with nothing in it to be made normal? Any component that begins with a dot may be. */
static bool
is_plain(struct dr_str path)
{
	char before = '/';

	for (size_t i = 0; i < path.n; i++) {
		if (before == '/' && (path.p[i] == '/' || path.p[i] == '.'))
			return false;
		before = path.p[i];
	}
	return before != '/';
}

int
dr_path_normal(struct dr_str path, struct dr_buf *out)
{
	size_t i = 0, start = out->n;

	if (is_plain(path)) {
		dr_buf_addstr(out, path);
		return out->failed ? -1 : 0;
	}
	if (path.n && path.p[0] == '/')
		dr_buf_addc(out, '/');
	while (i < path.n) {
		size_t k = i;

		while (k < path.n && path.p[k] != '/')
			k++;
		if (k - i == 2 && path.p[i] == '.' && path.p[i + 1] == '.')
			return -1;
		if (k > i && !(k - i == 1 && path.p[i] == '.')) {
			if (out->n > start && out->p[out->n - 1] != '/')
				dr_buf_addc(out, '/');
			dr_buf_add(out, path.p + i, k - i);
		}
		i = k + 1;
	}
	return out->n > start && out->p[out->n - 1] != '/' ? 0 : -1;
}
