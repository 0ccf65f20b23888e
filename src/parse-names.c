#include "config.h"

#include "parse-state.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "err.h"
#include "hash.h"

static bool
names_eq(const void *ctx, uint32_t value, const void *key)
{
	const struct dr_names *n = ctx;
	const struct dr_str *name = key;

	return dr_str_eq(n->v[value], *name);
}

static uint64_t
names_hash(const void *ctx, uint32_t value)
{
	const struct dr_names *n = ctx;

	return dr_hash64(n->v[value].p, n->v[value].n);
}

static const struct dr_map_ops names_ops = { names_eq, names_hash };

uint32_t
dr_names_find(const struct dr_names *n, struct dr_str name)
{
	return dr_map_find(&n->map, &names_ops, n, dr_hash64(name.p, name.n), &name);
}

int
dr_names_add(struct dr_names *n, struct dr_str name, struct dr_pos pos)
{
	size_t need = (size_t)n->n + 1;

	if (dr_grow(&n->v, &n->cap, need, sizeof(*n->v)) ||
	    dr_grow(&n->pos, &n->cap_pos, need, sizeof(*n->pos)))
		return -1;
	n->v[n->n] = name;
	n->pos[n->n] = pos;
	if (dr_map_add(&n->map, &names_ops, n, dr_hash64(name.p, name.n), n->n))
		return -1;
	n->n++;
	return 0;
}

void
dr_names_clear(struct dr_names *n)
{
	n->n = 0;
	dr_map_free(&n->map);
}

void
dr_names_free(struct dr_names *n)
{
	free(n->v);
	free(n->pos);
	dr_map_free(&n->map);
	memset(n, 0, sizeof(*n));
}

bool
dr_parse_is_variable(struct dr_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
		      (i && c >= '0' && c <= '9')))
			return false;
	}
	return s.n > 0;
}

int
dr_parse_grow(struct dr_parse *ps, void *v, uint32_t n, uint32_t *cap, size_t size)
{
	uint32_t more = *cap < 4 ? 4 : *cap * 2;
	void *old, *new;

	if (n < *cap)
		return 0;
	/* Copied, since v points to a pointer of some other type than void. */
	memcpy(&old, v, sizeof(old));
	new = more > *cap ? dr_arena_array(&ps->p->arena, more, size) : NULL;
	if (!new) {
		ps->nomem = true;
		return -1;
	}
	if (n)
		memcpy(new, old, n * size);
	memcpy(v, &new, sizeof(new));
	*cap = more;
	return 0;
}

uint32_t
dr_parse_find_owner(const struct dr_parse *ps, struct dr_str name, struct dr_str *output)
{
	const char *dot = memchr(name.p, '.', name.n);
	size_t n = dot ? (size_t)(dot - name.p) : name.n;

	*output = (struct dr_str){ dot ? dot + 1 : "", dot ? name.n - n - 1 : 0 };
	return dr_names_find(&ps->names, (struct dr_str){ name.p, n });
}

uint32_t
dr_parse_find_output(const struct dr_stage *st, struct dr_str name)
{
	for (uint32_t i = 0; i < st->n_outputs; i++) {
		if (st->outputs[i].name.n ? dr_str_eq(st->outputs[i].name, name) : dr_str_is(name, "out"))
			return i;
	}
	return DR_NONE;
}

const char *
dr_parse_cstr(struct dr_parse *ps, struct dr_str s)
{
	const char *p = dr_arena_strndup(&ps->p->arena, s.p, s.n);

	if (!p)
		ps->nomem = true;
	return p ? p : "";
}

const char *
dr_parse_nearest(struct dr_parse *ps, struct dr_str word, const char *const *names,
		 const struct dr_names *more)
{
	uint32_t n = 0, n_more = more ? more->n : 0, cap = 0;
	const char **words = NULL, *near;

	/* Errors beyond those that are shown are not worth a search. */
	if (ps->diags->n == DR_DIAGS_MAX)
		return "";
	for (uint32_t i = 0; names && names[i]; i++) {
		if (dr_parse_grow(ps, &words, n, &cap, sizeof(*words)))
			return "";
		words[n++] = names[i];
	}
	for (uint32_t i = 0; i < n_more; i++) {
		if (dr_parse_grow(ps, &words, n, &cap, sizeof(*words)))
			return "";
		words[n++] = dr_parse_cstr(ps, more->v[i]);
	}
	near = n ? dr_nearest(word, words, n) : NULL;
	if (!near)
		return "";
	dr_buf_reset(&ps->scratch);
	dr_buf_addf(&ps->scratch, "; did you mean '%s'?", near);
	return dr_parse_cstr(ps, dr_buf_str(&ps->scratch));
}

const char *
dr_scope_place(struct dr_parse *ps, const struct dr_scope *sc)
{
	dr_buf_reset(&ps->scratch);
	if (sc->key)
		dr_buf_addf(&ps->scratch, "'%s'", sc->key);
	if (sc->kind)
		dr_buf_addf(&ps->scratch, "%s%s '%.*s'", sc->key ? " of " : "", sc->kind, (int)sc->name.n,
			    sc->name.p);
	return dr_parse_cstr(ps, dr_buf_str(&ps->scratch));
}
