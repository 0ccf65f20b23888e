#include "config.h"

#include <string.h>

#include "arena.h"
#include "err.h"
#include "stale-private.h"

/* When the inputs of a merge come and go, the nodes above them leave its tree, and where nodes stay these do, too: with each edit about as
 * many bytes as the result has. They may be wanted again when the inputs are again what they were, so it is not for us to remove them
 * unasked; but who keeps them is to know. */

static bool
left_eq(const void *ctx, uint32_t value, const void *key)
{
	const struct dr_stale *s = ctx;

	return dr_hash128_eq(s->left[value].id, *(const struct dr_hash128 *)key);
}

static uint64_t
left_hash(const void *ctx, uint32_t value)
{
	const struct dr_stale *s = ctx;

	return s->left[value].id.lo;
}

static const struct dr_map_ops left_ops = { left_eq, left_hash };

/* STAGE/ROUND.INDEX, or STAGE:VALUE/ROUND.INDEX: where the last '/' of the name is, if it is one. 0: it is none. */
static size_t
node_at(struct dr_str name)
{
	size_t at = name.n;
	uint32_t dots = 0;

	while (at && name.p[at - 1] != '/') {
		at--;
		dots += name.p[at] == '.';
		if (name.p[at] != '.' && (name.p[at] < '0' || name.p[at] > '9'))
			return 0;
	}
	return dots == 1 && at ? at - 1 : 0;
}

static bool
is_node(const struct dr_stale *s, struct dr_str name)
{
	const struct dr_pipeline *p = s->plan->pipeline;
	size_t n = node_at(name);

	for (uint32_t i = 0; n && i < p->n_stages; i++) {
		struct dr_str stage = p->stages[i].name;

		if (p->stages[i].kind == DR_STAGE_MERGE && s->plan->stages[i].planned && stage.n <= n &&
		    !memcmp(stage.p, name.p, stage.n) && (stage.n == n || name.p[stage.n] == ':'))
			return true;
	}
	return false;
}

void
dr_stale_left_reset(struct dr_stale *s)
{
	dr_map_free(&s->left_map);
	s->left_map = (struct dr_map){ 0 };
	s->n_left = 0;
}

int
dr_stale_left_done(struct dr_stale *s, const struct dr_record *r)
{
	uint32_t at;

	if (!is_node(s, r->task.name))
		return 0;
	at = dr_map_find(&s->left_map, &left_ops, s, r->task.id.lo, &r->task.id);
	if (at == DR_NONE) {
		at = s->n_left;
		if (dr_grow(&s->left, &s->cap_left, (size_t)at + 1, sizeof(*s->left)))
			return -1;
		s->left[at].id = r->task.id;
		if (dr_map_add(&s->left_map, &left_ops, s, r->task.id.lo, at))
			return -1;
		s->n_left++;
	}
	s->left[at].at = r->at;
	return 0;
}

void
dr_stale_left_gone(struct dr_stale *s, struct dr_hash128 id)
{
	uint32_t at = dr_map_find(&s->left_map, &left_ops, s, id.lo, &id);

	if (at != DR_NONE)
		s->left[at].at = UINT64_MAX;
}

/* A hash, as inner nodes are called, and maybe more behind a dot: a map's output may be called as a node is in messages. */
static bool
is_hash(struct dr_str path)
{
	enum { HEX = 32 };
	struct dr_hash128 h;
	char hex[HEX + 1];
	size_t at = path.n;

	while (at && path.p[at - 1] != '/')
		at--;
	if (path.n - at < HEX || (path.n - at > HEX && path.p[at + HEX] != '.'))
		return false;
	memcpy(hex, path.p + at, HEX);
	hex[HEX] = '\0';
	return dr_hash128_parse(hex, &h);
}

/* Adds those of its outputs that stand as they were recorded. */
static int
add_standing(struct dr_stale *s, uint64_t at, uint64_t *bytes, bool *stands, struct dr_err *err)
{
	struct dr_rec_file f;
	struct dr_record r;
	uint32_t skip;

	if (dr_journal_at(s->journal, at, &r, err))
		return -1;
	skip = r.task.n_in + r.task.n_uses;
	for (uint32_t i = 0; dr_record_file(&r, &f) == 1; i++) {
		struct dr_stamp now;
		bool dir;

		if (i < skip || !is_hash(f.path))
			continue;
		dr_buf_reset(&s->path);
		dr_buf_addstr(&s->path, f.path);
		if (s->path.failed)
			return dr_err_nomem(err);
		/* Of a directory, size and time stand for all that is in it: that it is there is enough. */
		if (s->disk->stat(s->disk, dr_buf_cstr(&s->path), &now, &dir) || now.size == DR_ABSENT ||
		    (!dir && !dr_stamp_same(&now, &f.stamp)))
			continue;
		*stands = true;
		*bytes += f.stamp.size > 0 ? (uint64_t)f.stamp.size : 0;
	}
	return 0;
}

int
dr_stale_left(struct dr_stale *s, uint64_t *n, uint64_t *bytes, struct dr_err *err)
{
	*n = *bytes = 0;
	for (uint32_t i = 0; i < s->n_left; i++) {
		bool stands = false;

		if (s->left[i].at == UINT64_MAX)
			continue;
		if (add_standing(s, s->left[i].at, bytes, &stands, err))
			return -1;
		*n += stands;
	}
	return 0;
}
