#include "config.h"

#include "parse-state.h"

#include "arena.h"

enum args_key { KEY_GLOB, KEY_RANGE, KEY_LIST, KEY_LINES, KEY_COMMAND, KEY_EMPTY, ARGS_KEYS };

const char *const dr_parse_args_keys[] = {
	[KEY_GLOB] = "glob",       [KEY_RANGE] = "range", [KEY_LIST] = "list", [KEY_LINES] = "lines",
	[KEY_COMMAND] = "command", [KEY_EMPTY] = "empty", [ARGS_KEYS] = NULL,
};

static const enum dr_generator generators[ARGS_KEYS] = {
	[KEY_GLOB] = DR_GEN_GLOB,   [KEY_RANGE] = DR_GEN_RANGE,     [KEY_LIST] = DR_GEN_LIST,
	[KEY_LINES] = DR_GEN_LINES, [KEY_COMMAND] = DR_GEN_COMMAND,
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

	if (dr_parse_words(ps, sc, &k->value, form, &a->words, &a->n_words))
		return;
	for (uint32_t i = 0; i < a->n_words; i++) {
		dr_buf_reset(&ps->scratch);
		dr_template_text(&a->words[i], &ps->scratch);
		if (!ps->scratch.n && a->kind != DR_GEN_LIST)
			dr_lex_error(ps->p, ps->diags, a->words[i].pos, "'%s' has an empty name", sc->key);
	}
}

static void
take_key(struct dr_parse *ps, struct dr_scope *sc, enum args_key key, const struct dr_key *k,
	 struct dr_args *a)
{
	static const char *const ok[] = { "ok", NULL };

	sc->key = dr_parse_args_keys[key];
	if (!k->value.text.n) {
		dr_lex_error(ps->p, ps->diags, k->value.pos, "'%s' has no value", sc->key);
		return;
	}
	switch (key) {
	case KEY_RANGE:
		dr_parse_range(ps, sc, k, &a->range);
		break;
	case KEY_COMMAND:
		dr_parse_command(ps, sc, &k->value, &a->command);
		break;
	case KEY_EMPTY:
		a->empty_ok = dr_parse_choice(ps, sc, k, ok) == 0;
		break;
	default:
		take_words(ps, sc, k, a);
	}
}

void
dr_parse_args_block(struct dr_parse *ps, const struct dr_block *b)
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
		if (key != KEY_EMPTY && first) {
			dr_lex_error(ps->p, ps->diags, k->pos,
				     "args '%.*s' has two generators, '%.*s' and '%.*s'", (int)a->name.n,
				     a->name.p, (int)first->name.n, first->name.p, (int)k->name.n, k->name.p);
			continue;
		}
		if (key != KEY_EMPTY) {
			first = k;
			a->kind = generators[key];
		}
		take_key(ps, &sc, key, k, a);
	}
	if (!first && !unknown)
		dr_lex_error(
			ps->p, ps->diags, a->pos,
			"args '%.*s' has no generator: one of 'glob', 'range', 'list', 'lines' or 'command'",
			(int)a->name.n, a->name.p);
}
