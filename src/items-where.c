#include "config.h"

#include "items-table.h"

#include "arena.h"
#include "hash.h"
#include "map.h"

#include <locale.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

enum { GROUPS_MAX = 64 };

/* The row that conditions are asked of. */
struct asked {
	const struct dr_items *it;
	uint32_t base;
};

static uint32_t
count(void *ctx, const struct dr_piece *piece)
{
	(void)ctx;
	(void)piece;
	return 1;
}

static int
get(void *ctx, const struct dr_piece *piece, uint32_t i, struct dr_buf *buf, struct dr_err *err)
{
	const struct asked *a = ctx;

	(void)i;
	(void)err;
	if (piece->kind == DR_PH_COLUMN)
		dr_items_base_column(a->it, a->base, piece->index, buf);
	else
		dr_items_base(a->it, a->base, buf);
	return 0;
}

/* What is true of a name must not depend on who asks, so the locale is the same for all; UTF-8 where there
 * is such a one. */
static locale_t
our_locale(void)
{
	locale_t l = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);

	return l ? l : newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
}

/* Adds the groups that columns are named after. */
static void
add_groups(struct dr_items *it, const struct dr_condition *w, const char *text, const regmatch_t *match)
{
	for (uint32_t g = 1; g <= w->n_groups; g++) {
		if (match[g].rm_so >= 0)
			dr_buf_add(&it->groups, text + match[g].rm_so,
				   (size_t)(match[g].rm_eo - match[g].rm_so));
		dr_buf_addc(&it->groups, '\0');
	}
}

/* Do all conditions hold of a row? 1, 0, or -1 with err. */
static int
holds(const struct dr_items_maker *m, const regex_t *compiled, uint32_t base, struct dr_buf *text)
{
	struct asked asked = { m->it, base };
	const struct dr_values values = { &asked, count, get };
	size_t groups = m->it->groups.n;

	if (m->it->group_at)
		m->it->group_at[base] = groups;
	for (uint32_t i = 0; i < m->args->n_where; i++) {
		const struct dr_condition *w = &m->args->where[i];
		regmatch_t match[GROUPS_MAX + 1];
		int rc;

		dr_buf_reset(text);
		if (dr_template_expand(&w->subject, &values, text, m->err))
			return -1;
		rc = regexec(&compiled[i], dr_buf_cstr(text), w->n_groups ? w->n_groups + 1 : 0, match, 0);
		if (rc && rc != REG_NOMATCH)
			return dr_err_nomem(m->err);
		if ((rc == 0) == w->unlike) {
			m->it->groups.n = groups;
			return 0;
		}
		add_groups(m->it, w, dr_buf_cstr(text), match);
	}
	return 1;
}

static int
filter(struct dr_items_maker *m, const regex_t *compiled)
{
	struct dr_items *it = m->it;
	struct dr_buf text = { 0 };
	uint32_t n = 0, cap = 0;
	int rc = 0;

	for (uint32_t i = 0; i < it->base && rc >= 0; i++) {
		rc = holds(m, compiled, i, &text);
		if (rc <= 0)
			continue;
		if (dr_grow(&it->kept, &cap, (size_t)n + 1, sizeof(*it->kept)))
			rc = dr_err_nomem(m->err);
		else
			it->kept[n++] = i;
	}
	it->n_kept = n;
	if (rc >= 0 && (it->groups.failed || text.failed))
		rc = dr_err_nomem(m->err);
	/* None at all is a table, too. */
	if (rc >= 0 && !it->kept && !(it->kept = malloc(sizeof(*it->kept))))
		rc = dr_err_nomem(m->err);
	dr_buf_free(&text);
	return rc < 0 ? -1 : 0;
}

int
dr_items_where(struct dr_items_maker *m)
{
	const struct dr_args *a = m->args;
	regex_t *compiled = calloc(a->n_where, sizeof(*compiled));
	locale_t ours = our_locale(), before = ours ? uselocale(ours) : (locale_t)0;
	uint32_t n = 0;
	int rc = compiled ? 0 : dr_err_nomem(m->err);

	if (rc == 0 && a->n_groups) {
		m->it->group_at = malloc(((size_t)m->it->base + 1) * sizeof(*m->it->group_at));
		if (!m->it->group_at)
			rc = dr_err_nomem(m->err);
	}
	for (; rc == 0 && n < a->n_where; n++) {
		const struct dr_condition *w = &a->where[n];

		if (regcomp(&compiled[n], w->regex, REG_EXTENDED | (w->n_groups ? 0 : REG_NOSUB)) ||
		    w->n_groups > GROUPS_MAX) {
			rc = dr_items_complain(m, w->pos, "'%s' cannot be compiled here", w->regex);
			break;
		}
	}
	if (rc == 0)
		rc = filter(m, compiled);
	while (n > 0)
		regfree(&compiled[--n]);
	free(compiled);
	if (ours) {
		uselocale(before);
		freelocale(ours);
	}
	return rc;
}

/* Which rows there were: the map holds their places in kept. */
struct seen {
	const struct dr_items *it;
	struct dr_buf *text;
};

static bool
seen_eq(const void *ctx, uint32_t value, const void *key)
{
	const struct seen *s = ctx;
	const struct dr_buf *other = key;

	dr_buf_reset(s->text);
	dr_items_base(s->it, value, s->text);
	return dr_str_eq(dr_buf_str(s->text), dr_buf_str(other));
}

static uint64_t
seen_hash(const void *ctx, uint32_t value)
{
	const struct seen *s = ctx;

	dr_buf_reset(s->text);
	dr_items_base(s->it, value, s->text);
	return dr_hash64(s->text->p, s->text->n);
}

static const struct dr_map_ops seen_ops = { seen_eq, seen_hash };

int
dr_items_unique(struct dr_items_maker *m)
{
	struct dr_items *it = m->it;
	struct dr_buf text = { 0 }, other = { 0 };
	const struct seen s = { it, &other };
	struct dr_map map = { 0 };
	uint32_t n = 0;
	int rc = dr_items_keep_all(it, m->err);

	if (rc == 0 && dr_map_reserve(&map, &seen_ops, &s, it->n_kept))
		rc = dr_err_nomem(m->err);
	for (uint32_t i = 0; i < it->n_kept && rc == 0; i++) {
		uint32_t base = it->kept[i];
		uint64_t hash;

		dr_buf_reset(&text);
		dr_items_base(it, base, &text);
		hash = dr_hash64(dr_buf_cstr(&text), text.n);
		if (dr_map_find(&map, &seen_ops, &s, hash, &text) != DR_NONE)
			continue;
		if (dr_map_add(&map, &seen_ops, &s, hash, base))
			rc = dr_err_nomem(m->err);
		it->kept[n++] = base;
	}
	if (rc == 0 && (text.failed || other.failed))
		rc = dr_err_nomem(m->err);
	it->n_kept = n;
	dr_map_free(&map);
	dr_buf_free(&text);
	dr_buf_free(&other);
	return rc;
}
