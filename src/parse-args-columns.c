#include "config.h"

#include "parse-state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "arena.h"
#include "csv.h"
#include "err.h"
#include "os.h"

enum {
	HEADER_MAX = 1 << 20,
	HEIGHT_MAX = 64, /* products of products: who looks up a value goes down so far */
};

/* A name that {…} cannot mean is only in the way of nobody. */
static bool
can_be_asked_for(struct dr_str name)
{
	return dr_lex_is_name(name) && !dr_place_is_builtin(name);
}

/* Opens the file that names its own columns, and reads its beginning. 0, or -1 with what is wrong told. */
static int
read_beginning(struct dr_parse *ps, const struct dr_args *a, const char *path, struct dr_buf *text)
{
	const struct dr_pos pos = a->words[0].pos;
	int fd = openat(ps->opts->root, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc = -1;
	struct stat st;
	char *to;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st)) {
		dr_lex_error(ps->p, ps->diags, pos, "cannot read '%s': %s", path, strerror(errno));
		goto out;
	}
	/* Its rows are read later, from the beginning. */
	if (!S_ISREG(st.st_mode)) {
		dr_lex_error(ps->p, ps->diags, pos,
			     S_ISDIR(st.st_mode)
				     ? "cannot read '%s': Is a directory"
				     : "'%s' cannot be read twice, so its columns are named by 'columns = …'",
			     path);
		goto out;
	}
	to = dr_buf_room(text, HEADER_MAX);
	n = to ? dr_read_full(fd, to, HEADER_MAX) : 0;
	if (!to) {
		ps->nomem = true;
	} else if (n < 0) {
		dr_lex_error(ps->p, ps->diags, pos, "cannot read '%s': %s", path, strerror(errno));
	} else {
		text->n = (size_t)n;
		rc = 0;
	}
out:
	dr_close(&fd);
	return rc;
}

static void
copy_names(struct dr_parse *ps, struct dr_args *a, const struct dr_csv *c)
{
	a->columns = dr_arena_array(&ps->p->arena, c->n, sizeof(*a->columns));
	for (uint32_t i = 0; i < c->n && a->columns; i++) {
		char *to = dr_arena_alloc(&ps->p->arena, c->fields[i].raw.n + 1);

		if (!to) {
			a->columns = NULL;
			break;
		}
		a->columns[i] = (struct dr_str){ to, dr_csv_value(&c->fields[i], to) };
	}
	if (!a->columns)
		ps->nomem = true;
	else
		a->n_columns = c->n;
}

void
dr_parse_header(struct dr_parse *ps, struct dr_args *a)
{
	struct dr_buf text = { 0 };
	struct dr_csv c = { 0 };
	const char *path;
	int rc;

	dr_buf_reset(&ps->scratch);
	dr_template_text(&a->words[0], &ps->scratch);
	path = dr_parse_cstr(ps, dr_buf_str(&ps->scratch));
	a->header = true;
	if (dr_str_is(dr_str(path), "-")) {
		dr_lex_error(
			ps->p, ps->diags, a->words[0].pos,
			"standard input cannot be read twice, so its columns are named by 'columns = …'");
		return;
	}
	if (!*path || read_beginning(ps, a, path, &text))
		goto out;
	dr_csv_init(&c, dr_buf_str(&text), a->kind == DR_GEN_CSV ? ',' : '\t');
	rc = dr_csv_next(&c);
	if (rc < 0) {
		if (dr_csv_tell(&c, path, ps->diags))
			ps->nomem = true;
	} else if (rc == 0) {
		dr_lex_error(ps->p, ps->diags, a->words[0].pos,
			     "'%s' is empty: its first record names the columns", path);
	} else if (c.at == HEADER_MAX) {
		dr_lex_error(ps->p, ps->diags, a->words[0].pos,
			     "the first record of '%s' has no end within a million bytes", path);
	} else {
		copy_names(ps, a, &c);
	}
out:
	dr_csv_free(&c);
	dr_buf_free(&text);
}

void
dr_parse_column_names(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_key *k,
		      struct dr_args *a)
{
	struct dr_template *words;
	uint32_t n;

	a->columns_pos = k->value.pos;
	if (dr_parse_words(ps, sc, &k->value, DR_WORDS_PLAIN, &words, &n))
		return;
	a->columns = dr_arena_array(&ps->p->arena, n, sizeof(*a->columns));
	if (!a->columns) {
		ps->nomem = true;
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct dr_str name;

		dr_buf_reset(&ps->scratch);
		dr_template_text(&words[i], &ps->scratch);
		name = (struct dr_str){ dr_parse_cstr(ps, dr_buf_str(&ps->scratch)), ps->scratch.n };
		a->columns[i] = name;
		if (dr_place_is_builtin(name))
			dr_lex_error(ps->p, ps->diags, words[i].pos,
				     "'%s' is a name that dagrun uses itself, as in {%s}", name.p, name.p);
		else if (!dr_lex_is_name(name))
			dr_lex_error(ps->p, ps->diags, words[i].pos,
				     "'%s' is no name: that is a letter, then letters, digits, '_' and '-'",
				     name.p);
	}
	a->n_columns = n;
}

void
dr_parse_parts(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_key *k, struct dr_args *a)
{
	struct dr_template *words;
	uint32_t n;

	a->command.pos = k->value.pos;
	if (dr_parse_words(ps, sc, &k->value, DR_WORDS_PLAIN, &words, &n))
		return;
	a->parts = dr_arena_array(&ps->p->arena, n, sizeof(*a->parts));
	if (!a->parts) {
		ps->nomem = true;
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct dr_block *b;
		const char *word;
		uint32_t name;

		dr_buf_reset(&ps->scratch);
		dr_template_text(&words[i], &ps->scratch);
		name = dr_names_find(&ps->names, dr_buf_str(&ps->scratch));
		b = name == DR_NONE ? NULL : &ps->blocks[ps->owners[name]];
		if (b && b->args) {
			a->parts[a->n_parts++] = b->index;
			continue;
		}
		word = dr_parse_cstr(ps, dr_buf_str(&ps->scratch));
		if (b)
			dr_lex_error(ps->p, ps->diags, words[i].pos, "'%s' is a stage, and a %s is of args",
				     word, sc->key);
		else
			dr_lex_error(ps->p, ps->diags, words[i].pos, "no args is called '%s'%s", word,
				     dr_parse_nearest(ps, dr_str(word), NULL, &ps->names));
	}
}

enum { NEW = 0, WRONG = 254, OPEN = 255 };

struct resolver {
	struct dr_parse *ps;
	uint8_t *height; /* by args: how many deep its parts are in each other, itself included */
};

/* Adds columns before those that a has: the groups of its `where`. */
static void
put_before(struct dr_parse *ps, struct dr_args *a, const struct dr_str *names, uint32_t n)
{
	struct dr_str *all = dr_arena_array(&ps->p->arena, (size_t)n + a->n_columns, sizeof(*all));
	uint32_t own = a->n_columns - a->n_groups;

	if (!all) {
		ps->nomem = true;
		return;
	}
	if (own)
		memcpy(all, a->columns, own * sizeof(*all));
	if (n)
		memcpy(all + own, names, n * sizeof(*all));
	if (a->n_groups)
		memcpy(all + own + n, a->columns + own, a->n_groups * sizeof(*all));
	a->columns = all;
	a->n_columns += n;
}

static bool
same_columns(const struct dr_args *a, const struct dr_args *b)
{
	if (a->n_columns != b->n_columns)
		return false;
	for (uint32_t i = 0; i < a->n_columns; i++)
		if (!dr_str_eq(a->columns[i], b->columns[i]))
			return false;
	return true;
}

static void
concat_columns(struct dr_parse *ps, struct dr_args *a)
{
	const struct dr_args *first = &ps->p->args[a->parts[0]];

	a->files = first->files;
	for (uint32_t i = 1; i < a->n_parts; i++) {
		const struct dr_args *part = &ps->p->args[a->parts[i]];

		if (!same_columns(first, part)) {
			dr_lex_error(ps->p, ps->diags, a->command.pos,
				     "'%.*s' and '%.*s' have different columns", (int)first->name.n,
				     first->name.p, (int)part->name.n, part->name.p);
			return;
		}
		if (first->files != part->files) {
			dr_lex_error(ps->p, ps->diags, a->command.pos,
				     "the rows of '%.*s' are files, but those of '%.*s' are values",
				     (int)(first->files ? first : part)->name.n,
				     (first->files ? first : part)->name.p,
				     (int)(first->files ? part : first)->name.n,
				     (first->files ? part : first)->name.p);
			return;
		}
	}
	put_before(ps, a, first->columns, first->n_columns);
}

static void
part_columns(struct dr_parse *ps, struct dr_args *a)
{
	for (uint32_t i = 0; i < a->n_parts; i++) {
		const struct dr_args *part = &ps->p->args[a->parts[i]];

		if (part->n_columns)
			put_before(ps, a, part->columns, part->n_columns);
		else
			put_before(ps, a, &part->name, 1);
	}
}

static void
check_part(struct dr_parse *ps, const struct dr_args *a, const struct dr_args *part)
{
	if (part->batch > 1)
		dr_lex_error(ps->p, ps->diags, a->command.pos,
			     "'%.*s' has 'batch', so its rows are several values: give '%.*s' the 'batch'",
			     (int)part->name.n, part->name.p, (int)a->name.n, a->name.p);
}

/* Returns its height; of one that is told to be wrong 0, so that those above it are not. */
static uint8_t
resolve(struct resolver *r, uint32_t index, uint8_t above)
{
	struct dr_parse *ps = r->ps;
	struct dr_args *a = &ps->p->args[index];
	uint8_t height = 0;

	if (r->height[index] != NEW && r->height[index] != OPEN)
		return r->height[index] == WRONG ? 0 : r->height[index];
	if (r->height[index] == OPEN) {
		dr_lex_error(ps->p, ps->diags, a->pos, "args '%.*s' is made of itself", (int)a->name.n,
			     a->name.p);
		return 0;
	}
	r->height[index] = OPEN;
	for (uint32_t i = 0; i < a->n_parts; i++) {
		uint8_t part = above < HEIGHT_MAX ? resolve(r, a->parts[i], above + 1) : HEIGHT_MAX;

		height = part > height ? part : height;
		check_part(ps, a, &ps->p->args[a->parts[i]]);
	}
	if (height == HEIGHT_MAX) {
		dr_lex_error(ps->p, ps->diags, a->pos, "args '%.*s' is made of others, %d deep or more",
			     (int)a->name.n, a->name.p, HEIGHT_MAX);
		r->height[index] = WRONG;
		return 0;
	}
	r->height[index] = height + 1;
	if (a->n_parts && a->kind == DR_GEN_CONCAT)
		concat_columns(ps, a);
	else if (a->n_parts)
		part_columns(ps, a);
	return height + 1;
}

static void
check_names(struct dr_parse *ps, const struct dr_args *a)
{
	struct dr_names seen = { 0 };

	for (uint32_t i = 0; i < a->n_columns; i++) {
		struct dr_str name = a->columns[i];

		if (!can_be_asked_for(name))
			continue;
		if (dr_names_find(&seen, name) != DR_NONE)
			dr_lex_error(ps->p, ps->diags, a->pos,
				     "args '%.*s' has two columns that are called '%.*s'", (int)a->name.n,
				     a->name.p, (int)name.n, name.p);
		else if (dr_names_find(&ps->lets, name) != DR_NONE)
			dr_lex_error(ps->p, ps->diags, a->pos,
				     "args '%.*s' has a column '%.*s', and there is a let of that name",
				     (int)a->name.n, a->name.p, (int)name.n, name.p);
		else if (dr_names_add(&seen, name, a->pos))
			ps->nomem = true;
	}
	dr_names_free(&seen);
}

void
dr_parse_resolve_columns(struct dr_parse *ps)
{
	struct resolver r = { ps, calloc((size_t)ps->p->n_args + 1, 1) };

	if (!r.height) {
		ps->nomem = true;
		return;
	}
	for (uint32_t i = 0; i < ps->p->n_args; i++) {
		struct dr_args *a = &ps->p->args[i];

		/* What `columns` names where the fields have no names, or where there are no fields. */
		if (a->kind != DR_GEN_CSV && a->kind != DR_GEN_TSV)
			a->n_groups = a->n_columns;
	}
	for (uint32_t i = 0; i < ps->p->n_args; i++)
		resolve(&r, i, 0);
	for (uint32_t i = 0; i < ps->p->n_args; i++)
		check_names(ps, &ps->p->args[i]);
	free(r.height);
}
