#include "config.h"

#include "parse-state.h"

#include <string.h>

#include "arena.h"

/* The names that are ours, in the order of what they stand for. The last four are short for {in.name}… in `out`. */
enum builtin {
	B_IN,
	B_OUT,
	B_ARG,
	B_TMP,
	B_SLOTS,
	B_MEMORY,
	B_SLOT,
	B_INDEX,
	B_ATTEMPT,
	B_NAME,
	B_STEM,
	B_EXT,
	B_DIR,
	BUILTINS
};

static const char *const builtins[BUILTINS + 1] = {
	[B_IN] = "in",           [B_OUT] = "out",       [B_ARG] = "arg",   [B_TMP] = "tmp",
	[B_SLOTS] = "slots",     [B_MEMORY] = "memory", [B_SLOT] = "slot", [B_INDEX] = "index",
	[B_ATTEMPT] = "attempt", [B_NAME] = "name",     [B_STEM] = "stem", [B_EXT] = "ext",
	[B_DIR] = "dir",
};

static const enum dr_ph kinds[BUILTINS] = {
	[B_IN] = DR_PH_IN,     [B_OUT] = DR_PH_OUT,     [B_ARG] = DR_PH_ARG,
	[B_TMP] = DR_PH_TMP,   [B_SLOTS] = DR_PH_SLOTS, [B_MEMORY] = DR_PH_MEMORY,
	[B_SLOT] = DR_PH_SLOT, [B_INDEX] = DR_PH_INDEX, [B_ATTEMPT] = DR_PH_ATTEMPT,
	[B_NAME] = DR_PH_IN,   [B_STEM] = DR_PH_IN,     [B_EXT] = DR_PH_IN,
	[B_DIR] = DR_PH_IN,
};

static const char *const modifiers[DR_MODIFIERS + 1] = {
	[DR_MOD_NAME] = "name",
	[DR_MOD_STEM] = "stem",
	[DR_MOD_EXT] = "ext",
	[DR_MOD_DIR] = "dir",
};

static unsigned
find(const char *const *words, unsigned n, struct dr_str s)
{
	unsigned i = 0;

	while (i < n && !dr_str_is(s, words[i]))
		i++;
	return i;
}

bool
dr_place_is_builtin(struct dr_str name)
{
	return find(builtins, BUILTINS, name) < BUILTINS;
}

bool
dr_place_is_modifier(struct dr_str name)
{
	return find(modifiers, DR_MODIFIERS, name) < DR_MODIFIERS;
}

static struct dr_str
first_part(struct dr_str s)
{
	s.n = dr_lex_name(s);
	return s;
}

/* Columns that can be asked for where the scope is. */
static uint32_t
columns_of(const struct dr_parse *ps, const struct dr_scope *sc, const struct dr_str **names)
{
	if (sc->where == DR_WHERE_ROW) {
		*names = sc->args->columns;
		return sc->n_columns;
	}
	return sc->stage && sc->where != DR_WHERE_CONSTANT ? dr_parse_columns(ps, sc->stage, names) : 0;
}

/* The column of that name which has one value for a task of the stage, or DR_NONE. */
static uint32_t
find_column(const struct dr_parse *ps, const struct dr_scope *sc, struct dr_str name)
{
	const struct dr_str *names, *by;
	uint32_t n, n_by, i = 0;

	n = columns_of(ps, sc, &names);
	while (i < n && !dr_str_eq(names[i], name))
		i++;
	if (i == n || sc->where == DR_WHERE_ROW)
		return i == n ? DR_NONE : i;
	by = sc->stage->by;
	n_by = sc->stage->kind == DR_STAGE_MERGE ? sc->stage->n_by : 0;
	if (sc->stage->kind != DR_STAGE_MERGE)
		return i;
	for (uint32_t k = 0; k < n_by; k++)
		if (dr_str_eq(by[k], name))
			return i;
	return DR_NONE;
}

bool
dr_place_defined(const struct dr_parse *ps, const struct dr_scope *sc, struct dr_str name)
{
	struct dr_str first = first_part(name);
	unsigned b = find(builtins, BUILTINS, first);

	if (b < BUILTINS)
		return sc->where == DR_WHERE_OUT || (sc->where != DR_WHERE_CONSTANT && b < B_NAME);
	return find_column(ps, sc, first) != DR_NONE || dr_names_find(&ps->lets, first) != DR_NONE;
}

static bool
several_refs(const struct dr_parse *ps, const struct dr_input *in)
{
	const struct dr_stage *st;

	if (in->n_refs != 1)
		return true;
	if (in->refs[0].stage == DR_NONE)
		return false;
	st = &ps->p->stages[in->refs[0].stage];
	return st->kind == DR_STAGE_MAP || st->n_by;
}

struct lookup {
	struct dr_parse *ps;
	const struct dr_scope *sc;
	struct dr_str text; /* as written, without braces */
	struct dr_pos pos;
};

/* Tells that the placeholder cannot stand here, and what could. */
static int
cannot(const struct lookup *l, const char *cure)
{
	dr_lex_error(l->ps->p, l->ps->diags, l->pos, "{%.*s} cannot be in %s%s%s", (int)l->text.n, l->text.p,
		     dr_scope_place(l->ps, l->sc), cure[0] ? ": " : "", cure);
	return -1;
}

static int
unknown(const struct lookup *l)
{
	struct dr_parse *ps = l->ps;
	const struct dr_str *columns;
	uint32_t n = 0, n_columns = columns_of(ps, l->sc, &columns);
	const char **names = dr_arena_array(&ps->p->arena, (size_t)BUILTINS + n_columns + 1, sizeof(*names)), *near;

	if (!names) {
		ps->nomem = true;
		return -1;
	}
	for (uint32_t b = 0; b < BUILTINS && l->sc->where != DR_WHERE_CONSTANT; b++) {
		if (l->sc->where == DR_WHERE_ROW ? b == B_ARG : b != B_MEMORY && (b < B_NAME || l->sc->where == DR_WHERE_OUT))
			names[n++] = builtins[b];
	}
	for (uint32_t c = 0; c < n_columns; c++)
		names[n++] = dr_parse_cstr(ps, columns[c]);
	near = dr_parse_nearest(ps, l->text, names, &ps->lets);
	dr_lex_error(ps->p, ps->diags, l->pos, "unknown placeholder {%.*s}%s", (int)l->text.n, l->text.p,
		     near);
	return -1;
}

/* What is as many words as the row has values. */
static int
resolve_batch(const struct lookup *l, struct dr_place *out)
{
	out->several = dr_parse_batches(l->ps, l->sc->stage) != NULL;
	if (out->several && l->sc->where != DR_WHERE_RUN)
		return cannot(l, "it is several words, as `batch` makes a row of several values");
	return 0;
}

/* {in} and what is short for it. */
static int
resolve_in(const struct lookup *l, bool is_short, struct dr_place *out)
{
	const struct dr_stage *st = l->sc->stage;
	enum dr_where where = l->sc->where;
	int files = dr_parse_rows_are_files(l->ps, st);
	bool has_in = st->n_inputs && !st->inputs[0].name.n;

	if (where == DR_WHERE_IN)
		return cannot(l, st->kind == DR_STAGE_MAP ? "the row is {arg}" : "");
	if (st->kind == DR_STAGE_MERGE) {
		if (where != DR_WHERE_RUN)
			return cannot(l, "a merge has many inputs");
		out->several = true;
		return 0;
	}
	if (st->kind == DR_STAGE_MAP && files != 0)
		return st->each_args == DR_NONE ? 0 : resolve_batch(l, out);
	if (has_in) {
		out->several = several_refs(l->ps, &st->inputs[0]);
		if (out->several && where != DR_WHERE_RUN)
			return cannot(l, "`in` is several files");
		return 0;
	}
	if (st->kind == DR_STAGE_TASK)
		return cannot(l, st->n_inputs ? "it has no `in`, only named inputs" : "it has no `in`");
	return cannot(l, is_short ? "the rows are values, so say {arg}"
				  : "the rows are values, so say {arg}, or give it `in`");
}

/* A name behind {in. or {out. that is no modifier; its index, or DR_NONE. */
static uint32_t
find_input(const struct dr_stage *st, struct dr_str name)
{
	for (uint32_t i = 0; i < st->n_inputs; i++) {
		if (st->inputs[i].name.n && dr_str_eq(st->inputs[i].name, name))
			return i;
	}
	return DR_NONE;
}

static uint32_t
find_output(const struct dr_stage *st, struct dr_str name)
{
	for (uint32_t i = 0; i < st->n_outputs; i++) {
		if (st->outputs[i].name.n && dr_str_eq(st->outputs[i].name, name))
			return i;
	}
	return DR_NONE;
}

static int
no_such_name(const struct lookup *l, struct dr_str name, bool input)
{
	const struct dr_stage *st = l->sc->stage;
	uint32_t n_names = input ? st->n_inputs : st->n_outputs;
	struct dr_names names = { 0 };
	const char *near;

	for (uint32_t i = 0; i < n_names; i++) {
		struct dr_str s = input ? st->inputs[i].name : st->outputs[i].name;

		if (s.n && dr_names_add(&names, s, l->pos))
			l->ps->nomem = true;
	}
	near = dr_parse_nearest(l->ps, name, modifiers, &names);
	dr_names_free(&names);
	dr_lex_error(l->ps->p, l->ps->diags, l->pos, "unknown placeholder {%.*s}: %s '%.*s' has no %s.%.*s%s",
		     (int)l->text.n, l->text.p, l->sc->kind, (int)l->sc->name.n, l->sc->name.p,
		     input ? "in" : "out", (int)name.n, name.p, near);
	return -1;
}

static int
resolve_in_name(const struct lookup *l, struct dr_str name, struct dr_place *out)
{
	const struct dr_stage *st = l->sc->stage;
	uint32_t i = find_input(st, name);

	if (i == DR_NONE)
		return no_such_name(l, name, true);
	if (l->sc->where == DR_WHERE_IN)
		return cannot(l, st->kind == DR_STAGE_MAP ? "the row is {arg}" : "");
	if (st->inputs[i].beside && st->kind == DR_STAGE_MERGE && st->fan_in && st->inputs[i].inner == DR_NONE)
		return cannot(l, "inner nodes of the tree are merged too, so this merge needs an out of that name");
	if (st->inputs[i].beside)
		l->ps->p->stages[st - l->ps->p->stages].inputs[i].asked = true;
	out->piece.kind = DR_PH_IN_NAME;
	out->piece.index = i;
	out->several = st->inputs[i].beside ? st->kind == DR_STAGE_MERGE : several_refs(l->ps, &st->inputs[i]);
	if (out->several && l->sc->where != DR_WHERE_RUN)
		return cannot(l, "it is several files");
	return 0;
}

static int
resolve_out(const struct lookup *l, struct dr_str name, struct dr_place *out)
{
	const struct dr_stage *st = l->sc->stage;

	if (l->sc->where != DR_WHERE_RUN && l->sc->where != DR_WHERE_ENV)
		return cannot(l, "");
	if (name.n) {
		out->piece.kind = DR_PH_OUT_NAME;
		out->piece.index = find_output(st, name);
		return out->piece.index == DR_NONE ? no_such_name(l, name, false) : 0;
	}
	if (!st->n_outputs)
		return cannot(l, "it has no `out`");
	if (st->outputs[0].name.n)
		return cannot(l, "it has no `out`, only named outputs");
	return 0;
}

/* What needs a row. */
static int
resolve_row(const struct lookup *l, bool is_value, struct dr_place *out)
{
	const struct dr_stage *st = l->sc->stage;

	if (st->kind == DR_STAGE_MAP)
		return is_value ? resolve_batch(l, out) : 0;
	return cannot(l, st->kind == DR_STAGE_MERGE ? "a merge has no row of its own" : "a task has no rows");
}

static int
resolve_builtin(const struct lookup *l, enum builtin b, struct dr_str name, struct dr_place *out)
{
	const struct dr_scope *sc = l->sc;
	static const char *const cures[] = { "say {in.name}", "say {in.stem}", "say {in.ext}",
					     "say {in.dir}" };

	out->piece.kind = kinds[b];
	out->number = b == B_SLOTS || b == B_SLOT || b == B_INDEX || b == B_ATTEMPT;
	if (b >= B_NAME && sc->where != DR_WHERE_OUT)
		return cannot(l, sc->where == DR_WHERE_RUN || sc->where == DR_WHERE_ENV ? cures[b - B_NAME]
											: "");
	if (sc->where == DR_WHERE_ROW)
		return b == B_ARG ? 0 : cannot(l, "a row is {arg}, and its columns");
	if (sc->where == DR_WHERE_CONSTANT || (sc->where == DR_WHERE_MARGIN && (b < B_TMP || b == B_INDEX)))
		return cannot(l, sc->where == DR_WHERE_CONSTANT ? "it is the same for every task"
								: "it holds for every stage");
	switch (b) {
	case B_IN:
		return name.n ? resolve_in_name(l, name, out) : resolve_in(l, false, out);
	case B_OUT:
		return resolve_out(l, name, out);
	case B_ARG:
	case B_INDEX:
		return resolve_row(l, b == B_ARG, out);
	case B_MEMORY:
		if (!sc->stage || !sc->stage->memory_text.n)
			return cannot(l, "there is no `memory` key that would say it");
		return 0;
	case B_TMP:
	case B_SLOTS:
	case B_SLOT:
	case B_ATTEMPT:
		if (sc->where == DR_WHERE_IN || sc->where == DR_WHERE_OUT || sc->where == DR_WHERE_USES)
			return cannot(l, "it is known only when the task starts");
		return 0;
	default:
		return resolve_in(l, true, out);
	}
}

static bool
is_column(const struct dr_parse *ps, const struct dr_stage *st, struct dr_str name)
{
	const struct dr_str *names = NULL;
	uint32_t n = dr_parse_columns(ps, st, &names);

	while (n && !dr_str_eq(names[n - 1], name))
		n--;
	return n > 0;
}

/* The modifiers in s, which begins with a '.' or is empty. */
static int
take_modifiers(const struct lookup *l, struct dr_str s, struct dr_piece *piece)
{
	while (s.n) {
		struct dr_str word = { s.p + 1, s.n - 1 };
		unsigned m;

		word.n = dr_lex_name(word);
		m = find(modifiers, DR_MODIFIERS, word);
		if (m == DR_MODIFIERS) {
			dr_lex_error(l->ps->p, l->ps->diags, l->pos, "unknown modifier .%.*s in {%.*s}%s",
				     (int)word.n, word.p, (int)l->text.n, l->text.p,
				     dr_parse_nearest(l->ps, word, modifiers, NULL));
			return -1;
		}
		if (piece->n_mods == DR_MODS_MAX) {
			dr_lex_error(l->ps->p, l->ps->diags, l->pos, "more than %d modifiers in {%.*s}",
				     DR_MODS_MAX, (int)l->text.n, l->text.p);
			return -1;
		}
		piece->mods[piece->n_mods++] = (uint8_t)m;
		s.p += 1 + word.n;
		s.n -= 1 + word.n;
	}
	return 0;
}

/* Behind {in. and {out. a name stands as well as a modifier. */
static struct dr_str
take_name(struct dr_str *rest)
{
	struct dr_str name = { rest->p + 1, rest->n ? rest->n - 1 : 0 };

	name.n = name.n ? dr_lex_name(name) : 0;
	if (!name.n || find(modifiers, DR_MODIFIERS, name) < DR_MODIFIERS)
		return (struct dr_str){ "", 0 };
	rest->p += 1 + name.n;
	rest->n -= 1 + name.n;
	return name;
}

int
dr_place_resolve(struct dr_parse *ps, const struct dr_scope *sc, struct dr_str text, struct dr_pos pos,
		 struct dr_place *out)
{
	struct lookup l = { ps, sc, text, pos };
	struct dr_str first = first_part(text), rest = { text.p + first.n, text.n - first.n },
		      name = { "", 0 };
	unsigned b = find(builtins, BUILTINS, first);
	uint32_t let, column;

	*out = (struct dr_place){ .piece = { .pos = pos, .text = text } };
	column = find_column(ps, sc, first);
	if (b < BUILTINS && column != DR_NONE)
		return cannot(&l, "the rows have a column of this name, which dagrun uses itself: call the column something else");
	if (b < BUILTINS) {
		if (b == B_IN || b == B_OUT)
			name = take_name(&rest);
		if (b >= B_NAME)
			out->piece.mods[out->piece.n_mods++] = (uint8_t)(b - B_NAME);
		return resolve_builtin(&l, (enum builtin)b, name, out) ||
				       take_modifiers(&l, rest, &out->piece)
			       ? -1
			       : 0;
	}
	if (column != DR_NONE) {
		out->piece.kind = DR_PH_COLUMN;
		out->piece.index = column;
		if (sc->where != DR_WHERE_ROW && resolve_batch(&l, out))
			return -1;
		return take_modifiers(&l, rest, &out->piece);
	}
	let = dr_names_find(&ps->lets, first);
	if (let == DR_NONE && sc->stage && sc->stage->kind == DR_STAGE_MERGE && is_column(ps, sc->stage, first))
		return cannot(&l, "it is one value only where `by` names it");
	if (let == DR_NONE)
		return unknown(&l);
	if (take_modifiers(&l, rest, &out->piece))
		return -1;
	/* Its text never changes, so the modifiers need not be applied again for every task. */
	out->piece.kind = DR_PH_LET;
	out->piece.text = ps->let_values[let];
	for (uint8_t m = 0; m < out->piece.n_mods; m++)
		out->piece.text = dr_modify(out->piece.text, (enum dr_modifier)out->piece.mods[m]);
	out->piece.n_mods = 0;
	return 0;
}

int
dr_place_form(struct dr_parse *ps, const struct dr_scope *sc, struct dr_str text, struct dr_pos pos,
	      struct dr_place *out)
{
	const char *colon = memchr(text.p, ':', text.n);
	struct dr_str name = { text.p, (size_t)(colon - text.p) }, form = { colon + 1, text.n - name.n - 1 };
	struct lookup l = { ps, sc, text, pos };

	if (!dr_str_is(form, "list") && !dr_str_is(form, "list0")) {
		dr_lex_error(ps->p, ps->diags, pos,
			     "unknown placeholder {%.*s}: of forms with a ':' there are {in:list} and {in:list0}",
			     (int)text.n, text.p);
		return -1;
	}
	if (sc->where != DR_WHERE_RUN)
		return cannot(&l, "it is a file for the command");
	if (dr_place_resolve(ps, sc, name, pos, out))
		return -1;
	if (out->piece.n_mods || (out->piece.kind != DR_PH_IN && out->piece.kind != DR_PH_IN_NAME))
		return cannot(&l, "only inputs can be a list");
	out->piece.index = out->piece.kind == DR_PH_IN ? DR_NONE : out->piece.index;
	out->piece.kind = dr_str_is(form, "list") ? DR_PH_LIST : DR_PH_LIST0;
	out->piece.text = text;
	out->several = false;
	return 0;
}
