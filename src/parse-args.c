#include "config.h"

#include "parse-state.h"

#include <string.h>

#include "arena.h"
#include "err.h"

enum args_key {
	KEY_GLOB,
	KEY_RANGE,
	KEY_LIST,
	KEY_LINES,
	KEY_LINES0,
	KEY_COMMAND,
	KEY_COMMAND0,
	KEY_CSV,
	KEY_TSV,
	KEY_PRODUCT,
	KEY_ZIP,
	KEY_CONCAT,
	GENERATOR_KEYS,
	KEY_WHERE = GENERATOR_KEYS,
	KEY_COLUMNS,
	KEY_SORT,
	KEY_UNIQUE,
	KEY_LIMIT,
	KEY_BATCH,
	KEY_EMPTY,
	KEY_VANISHED,
	ARGS_KEYS
};

const char *const dr_parse_args_keys[] = {
	[KEY_GLOB] = "glob",         [KEY_RANGE] = "range",       [KEY_LIST] = "list",
	[KEY_LINES] = "lines",       [KEY_LINES0] = "lines0",     [KEY_COMMAND] = "command",
	[KEY_COMMAND0] = "command0", [KEY_CSV] = "csv",           [KEY_TSV] = "tsv",
	[KEY_PRODUCT] = "product",   [KEY_ZIP] = "zip",           [KEY_CONCAT] = "concat",
	[KEY_WHERE] = "where",       [KEY_COLUMNS] = "columns",   [KEY_SORT] = "sort",
	[KEY_UNIQUE] = "unique",     [KEY_LIMIT] = "limit",       [KEY_BATCH] = "batch",
	[KEY_EMPTY] = "empty",       [KEY_VANISHED] = "vanished", [ARGS_KEYS] = NULL,
};

static const enum dr_generator generators[GENERATOR_KEYS] = {
	[KEY_GLOB] = DR_GEN_GLOB,         [KEY_RANGE] = DR_GEN_RANGE,   [KEY_LIST] = DR_GEN_LIST,
	[KEY_LINES] = DR_GEN_LINES,       [KEY_LINES0] = DR_GEN_LINES0, [KEY_COMMAND] = DR_GEN_COMMAND,
	[KEY_COMMAND0] = DR_GEN_COMMAND0, [KEY_CSV] = DR_GEN_CSV,       [KEY_TSV] = DR_GEN_TSV,
	[KEY_PRODUCT] = DR_GEN_PRODUCT,   [KEY_ZIP] = DR_GEN_ZIP,       [KEY_CONCAT] = DR_GEN_CONCAT,
};

static enum args_key
find_key(struct dr_str name)
{
	unsigned i = 0;

	while (i < ARGS_KEYS && !dr_str_is(name, dr_parse_args_keys[i]))
		i++;
	return (enum args_key)i;
}

static void
take_words(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_key *k, struct dr_args *a)
{
	enum dr_words_form form = a->kind == DR_GEN_GLOB ? DR_WORDS_PATTERN : DR_WORDS_PLAIN;

	a->files = a->kind == DR_GEN_GLOB;
	if (dr_parse_words(ps, sc, &k->value, form, &a->words, &a->n_words))
		return;
	for (uint32_t i = 0; i < a->n_words; i++) {
		dr_buf_reset(&ps->scratch);
		dr_template_text(&a->words[i], &ps->scratch);
		if (!ps->scratch.n && a->kind != DR_GEN_LIST)
			dr_lex_error(ps->p, ps->diags, a->words[i].pos, "'%s' has an empty name", sc->key);
	}
	if (a->n_words > 1 && (a->kind == DR_GEN_CSV || a->kind == DR_GEN_TSV))
		dr_lex_error(ps->p, ps->diags, a->words[1].pos,
			     "'%s' names one file; quote it if there is a blank in it", sc->key);
}

static void
take_generator(struct dr_parse *ps, struct dr_scope *sc, const struct dr_key *k, struct dr_args *a)
{
	switch (a->kind) {
	case DR_GEN_RANGE:
		dr_parse_range(ps, sc, k, &a->range);
		break;
	case DR_GEN_COMMAND:
	case DR_GEN_COMMAND0:
		dr_parse_command(ps, sc, &k->value, &a->command);
		break;
	case DR_GEN_PRODUCT:
	case DR_GEN_ZIP:
	case DR_GEN_CONCAT:
		dr_parse_parts(ps, sc, k, a);
		break;
	default:
		take_words(ps, sc, k, a);
	}
}

/* The keys that shape the rows. */
static void
take_shape(struct dr_parse *ps, const struct dr_scope *sc, enum args_key key, const struct dr_key *k,
	   struct dr_args *a)
{
	static const char *const ok[] = { "ok", NULL }, *const yes[] = { "yes", "no", NULL };
	static const char *const orders[] = { "natural", "bytes", "none", NULL };
	static const char *const vanished[] = { "drop", "error", NULL };
	int choice;

	switch (key) {
	case KEY_COLUMNS:
		dr_parse_column_names(ps, sc, k, a);
		break;
	case KEY_SORT:
		choice = dr_parse_choice(ps, sc, k, orders);
		a->sort = choice == 0 ? DR_SORT_NATURAL : choice == 1 ? DR_SORT_BYTES : DR_SORT_DEFAULT;
		break;
	case KEY_UNIQUE:
		a->unique = dr_parse_choice(ps, sc, k, yes) == 0;
		break;
	case KEY_LIMIT:
		dr_parse_number(ps, sc, k, 1, &a->limit);
		break;
	case KEY_BATCH:
		dr_parse_number(ps, sc, k, 1, &a->batch);
		break;
	case KEY_EMPTY:
		a->empty_ok = dr_parse_choice(ps, sc, k, ok) == 0;
		break;
	case KEY_VANISHED:
		a->vanished_error = dr_parse_choice(ps, sc, k, vanished) == 1;
		break;
	default:
		break;
	}
}

static void
no_generator(struct dr_parse *ps, const struct dr_args *a)
{
	const char *list;

	dr_buf_reset(&ps->scratch);
	for (unsigned i = 0; i < GENERATOR_KEYS; i++)
		dr_buf_addf(&ps->scratch, "%s'%s'",
			    !i                       ? ""
			    : i + 1 < GENERATOR_KEYS ? ", "
						     : " or ",
			    dr_parse_args_keys[i]);
	list = dr_parse_cstr(ps, dr_buf_str(&ps->scratch));
	dr_lex_error(ps->p, ps->diags, a->pos, "args '%.*s' has no generator: one of %s", (int)a->name.n,
		     a->name.p, list);
}

/* A key that is a generator: the only one? */
static bool
is_first(struct dr_parse *ps, const struct dr_args *a, const struct dr_key *k, const struct dr_key **first)
{
	if (*first) {
		dr_lex_error(ps->p, ps->diags, k->pos, "args '%.*s' has two generators, '%.*s' and '%.*s'",
			     (int)a->name.n, a->name.p, (int)(*first)->name.n, (*first)->name.p,
			     (int)k->name.n, k->name.p);
		return false;
	}
	*first = k;
	return true;
}

/* All keys but `where`, which asks for columns. */
static void
take_block(struct dr_parse *ps, const struct dr_block *b)
{
	struct dr_args *a = &ps->p->args[b->index];
	struct dr_scope sc = { .where = DR_WHERE_CONSTANT, .kind = "args", .name = a->name };
	const struct dr_key *first = NULL;
	bool unknown = false;

	for (uint32_t i = 0; i < b->n_keys; i++) {
		const struct dr_key *k = &b->keys[i];
		enum args_key key = find_key(k->name);

		if (key == ARGS_KEYS) {
			unknown = true;
			dr_lex_error(ps->p, ps->diags, k->pos, "unknown key '%.*s' in args '%.*s'%s",
				     (int)k->name.n, k->name.p, (int)a->name.n, a->name.p,
				     dr_parse_nearest(ps, k->name, dr_parse_args_keys, NULL));
			continue;
		}
		if (key < GENERATOR_KEYS && !is_first(ps, a, k, &first))
			continue;
		sc.key = dr_parse_args_keys[key];
		if (!k->value.text.n) {
			dr_lex_error(ps->p, ps->diags, k->value.pos, "'%s' has no value", sc.key);
		} else if (key < GENERATOR_KEYS) {
			a->kind = generators[key];
			take_generator(ps, &sc, k, a);
		} else {
			take_shape(ps, &sc, key, k, a);
		}
	}
	if (!first && !unknown && a->kind != DR_GEN_ROWS)
		no_generator(ps, a);
	if ((a->kind == DR_GEN_CSV || a->kind == DR_GEN_TSV) && a->n_words == 1 && !a->n_columns)
		dr_parse_header(ps, a);
}

void
dr_parse_args(struct dr_parse *ps)
{
	for (uint32_t i = 0; i < ps->n_blocks; i++)
		if (ps->blocks[i].args)
			take_block(ps, &ps->blocks[i]);
	dr_parse_resolve_columns(ps);
	for (uint32_t i = 0; i < ps->n_blocks; i++) {
		const struct dr_block *b = &ps->blocks[i];
		const uint32_t before = ps->diags->total;

		for (uint32_t k = 0; b->args && k < b->n_keys; k++)
			if (find_key(b->keys[k].name) == KEY_WHERE && b->keys[k].value.text.n)
				dr_parse_where(ps, &b->keys[k], &ps->p->args[b->index]);
		if (b->args && ps->diags->total == before)
			dr_parse_check_groups(ps, &ps->p->args[b->index]);
	}
}
