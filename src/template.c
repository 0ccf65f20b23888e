#include "config.h"

#include "template.h"

#include <string.h>

#include "err.h"
#include "hash.h"

/* The part behind the last '/', not counting such as stand at the end. */
static struct dr_str
last_name(struct dr_str path)
{
	size_t from;

	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	from = path.n;
	while (from > 0 && path.p[from - 1] != '/')
		from--;
	if (from == path.n) /* "/" or nothing */
		return path;
	return (struct dr_str){ path.p + from, path.n - from };
}

/* Where the extension begins: at the last '.', if something else than dots stands before it. */
static size_t
extension(struct dr_str name)
{
	size_t dot = name.n, lead = 0;

	while (lead < name.n && name.p[lead] == '.')
		lead++;
	while (dot > lead && name.p[dot - 1] != '.')
		dot--;
	return dot > lead ? dot - 1 : name.n;
}

static struct dr_str
directory(struct dr_str path)
{
	struct dr_str name = last_name(path);
	size_t n = path.n ? (size_t)(name.p - path.p) : 0;

	if (n == 0)
		return path.n && path.p[0] == '/' ? DR_STR("/") : DR_STR(".");
	while (n > 1 && path.p[n - 1] == '/')
		n--;
	return (struct dr_str){ path.p, n };
}

struct dr_str
dr_modify(struct dr_str path, enum dr_modifier m)
{
	struct dr_str name;
	size_t ext;

	if (m == DR_MOD_DIR)
		return directory(path);
	name = last_name(path);
	if (m == DR_MOD_NAME)
		return name;
	ext = extension(name);
	if (m == DR_MOD_STEM)
		return (struct dr_str){ name.p, ext };
	return (struct dr_str){ name.p + ext, name.n - ext };
}

static bool
is_text(const struct dr_piece *p)
{
	return p->kind == DR_PH_TEXT || p->kind == DR_PH_LET;
}

int
dr_piece_expand(const struct dr_piece *p, const struct dr_values *v, uint32_t i, struct dr_buf *out,
		struct dr_err *err)
{
	size_t from = out->n;
	struct dr_str s;

	if (is_text(p))
		dr_buf_addstr(out, p->text);
	else if (v->get(v->ctx, p, i, out, err))
		return -1;
	if (out->failed)
		return dr_err_nomem(err);
	if (!p->n_mods)
		return 0;
	/* Room first, as what follows points into the buffer: only the directory of nothing, ".", is longer. */
	if (!dr_buf_room(out, 1))
		return dr_err_nomem(err);
	s = (struct dr_str){ out->p + from, out->n - from };
	for (uint8_t m = 0; m < p->n_mods; m++)
		s = dr_modify(s, (enum dr_modifier)p->mods[m]);
	memmove(out->p + from, s.p, s.n);
	out->n = from + s.n;
	out->p[out->n] = '\0';
	return 0;
}

bool
dr_piece_is_list(const struct dr_piece *p)
{
	return p->kind == DR_PH_LIST || p->kind == DR_PH_LIST0;
}

bool
dr_piece_counted(const struct dr_piece *p)
{
	return p->kind == DR_PH_IN || p->kind == DR_PH_IN_NAME || p->kind == DR_PH_ARG || p->kind == DR_PH_COLUMN;
}

static uint32_t
count(const struct dr_piece *p, const struct dr_values *v)
{
	return dr_piece_counted(p) ? v->count(v->ctx, p) : 1;
}

int
dr_template_expand(const struct dr_template *t, const struct dr_values *v, struct dr_buf *out,
		   struct dr_err *err)
{
	for (uint32_t k = 0; k < t->n; k++) {
		uint32_t words = count(&t->pieces[k], v);

		for (uint32_t i = 0; i < words; i++) {
			if (i)
				dr_buf_addc(out, ' ');
			if (dr_piece_expand(&t->pieces[k], v, i, out, err))
				return -1;
		}
	}
	return 0;
}

/* Whether a change of the value leaves a finished task finished. */
static bool
decides_nothing(enum dr_ph kind)
{
	switch (kind) {
	case DR_PH_TMP:
	case DR_PH_LIST: /* the names that it holds are compared as inputs */
	case DR_PH_LIST0:
	case DR_PH_SLOTS:
	case DR_PH_MEMORY:
	case DR_PH_SLOT:
	case DR_PH_INDEX:
	case DR_PH_ATTEMPT:
		return true;
	default:
		return false;
	}
}

enum { LENGTH = 8 };

/* What a value is called says nothing about what the command does with it. */
static void
hash_head(const struct dr_piece *p, uint32_t words, struct dr_buf *out)
{
	char kind = p->kind == DR_PH_TEXT ? 't' : p->bare ? 'b' : 'v';
	char *to = words < 10 ? dr_buf_room(out, 3) : NULL;

	/* Mostly it is one word. */
	if (to) {
		to[0] = kind;
		to[1] = (char)('0' + words);
		to[2] = ':';
		to[3] = '\0';
		out->n += 3;
		return;
	}
	dr_buf_addc(out, kind);
	dr_buf_addu(out, words);
	dr_buf_addc(out, ':');
}

/* A value with its length before it, so that neighbours cannot pass bytes to each other unseen. */
static int
hash_word(const struct dr_piece *p, const struct dr_values *v, uint32_t i, struct dr_buf *out,
	  struct dr_err *err)
{
	size_t from = out->n;

	if (!dr_buf_room(out, LENGTH))
		return dr_err_nomem(err);
	out->n += LENGTH;
	out->p[out->n] = '\0';
	if ((is_text(p) && !p->n_mods) || decides_nothing(p->kind))
		dr_buf_addstr(out, p->text);
	else if (dr_piece_expand(p, v, i, out, err))
		return -1;
	if (out->failed)
		return dr_err_nomem(err);
	dr_hash_length(out->n - from - LENGTH, (unsigned char *)out->p + from);
	return 0;
}

int
dr_template_hash(const struct dr_template *t, const struct dr_values *v, struct dr_hasher *h,
		 struct dr_buf *scratch, struct dr_err *err)
{
	dr_buf_reset(scratch);
	for (uint32_t k = 0; k < t->n; k++) {
		const struct dr_piece *p = &t->pieces[k];
		uint32_t words = count(p, v);

		hash_head(p, words, scratch);
		for (uint32_t i = 0; i < words; i++) {
			if (hash_word(p, v, i, scratch, err))
				return -1;
		}
	}
	if (scratch->failed)
		return dr_err_nomem(err);
	dr_hasher_field(h, scratch->p, scratch->n);
	return 0;
}

bool
dr_template_constant(const struct dr_template *t)
{
	for (uint32_t k = 0; k < t->n; k++) {
		if (!is_text(&t->pieces[k]))
			return false;
	}
	return true;
}

void
dr_template_text(const struct dr_template *t, struct dr_buf *out)
{
	for (uint32_t k = 0; k < t->n; k++)
		dr_piece_expand(&t->pieces[k], NULL, 0, out, NULL);
}

bool
dr_template_has(const struct dr_template *t, enum dr_ph kind)
{
	for (uint32_t k = 0; k < t->n; k++) {
		if (t->pieces[k].kind == kind)
			return true;
	}
	return false;
}
