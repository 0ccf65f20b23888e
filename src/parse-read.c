#include "config.h"

#include "parse-state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "arena.h"
#include "err.h"
#include "os.h"

enum { INCLUDES_MAX = 64, LET_MAX = 1 << 20 };

/* A file that is being read, and behind it those that include it. */
struct included {
	struct dr_lexer *lexer;
	uint32_t source;
	struct dr_str dir; /* relative to the root, with its '/' */
	dev_t dev;
	ino_t ino;
	bool known; /* dev and ino are */
};

struct reading {
	struct dr_parse *ps;
	struct included stack[INCLUDES_MAX];
	uint32_t depth;
	struct dr_block *block; /* that keys belong to */
	bool skip;              /* keys belong to a block that makes no sense */
	const char *shown_dir;  /* what is put before a path that is shown */
};

static void
tell(struct dr_parse *ps, struct dr_pos pos, const char *msg)
{
	dr_lex_error(ps->p, ps->diags, pos, "%s", msg);
}

int
dr_parse_add_source(struct dr_parse *ps, const char *name, struct dr_str text, bool option, uint32_t *source)
{
	struct dr_pipeline *p = ps->p;
	struct dr_source s = { .option = option };

	if (dr_parse_grow(ps, &p->sources, p->n_sources, &ps->cap_sources, sizeof(*p->sources)))
		return -1;
	s.name = dr_parse_cstr(ps, dr_str(name));
	s.text = (struct dr_str){ dr_parse_cstr(ps, text), text.n };
	*source = p->n_sources;
	p->sources[p->n_sources++] = s;
	return ps->nomem ? -1 : 0;
}

/* A head that takes no '='. */
static void
take_block(struct reading *r, const struct dr_line *line)
{
	struct dr_parse *ps = r->ps;
	struct dr_str name = line->words.text;
	const char *kind = dr_parse_cstr(ps, line->head);
	unsigned k = 0;

	r->skip = true;
	if (line->has_value) {
		tell(ps, line->pos, "a block has no '=' in its first line: write its kind and its name");
		return;
	}
	if (dr_parse_check_name(ps, name, line->words.pos, kind))
		return;
	while (k < DR_STAGE_KINDS && !dr_str_is(line->head, dr_parse_kinds[k]))
		k++;
	r->block = k == DR_STAGE_KINDS ? dr_parse_add_args(ps, name, line->words.pos)
				       : dr_parse_add_stage(ps, (enum dr_stage_kind)k, name, line->words.pos);
}

static const struct dr_setting *
find_setting(const struct dr_parse *ps, struct dr_str name)
{
	/* The last one wins. */
	for (uint32_t i = ps->opts->n_settings; i > 0; i--) {
		if (dr_str_is(name, ps->opts->settings[i - 1].name))
			return &ps->opts->settings[i - 1];
	}
	return NULL;
}

static void
take_let(struct reading *r, const struct dr_line *line)
{
	struct dr_parse *ps = r->ps;
	struct dr_str name = line->words.text, value;
	struct dr_scope sc = { .where = DR_WHERE_CONSTANT, .kind = "let", .name = name };
	const struct dr_setting *set;
	uint32_t other;

	if (dr_parse_check_name(ps, name, line->words.pos, "let"))
		return;
	if (!line->has_value) {
		tell(ps, line->pos, "a let has the form: let NAME = VALUE");
		return;
	}
	other = dr_names_find(&ps->lets, name);
	if (other != DR_NONE) {
		dr_lex_error(ps->p, ps->diags, line->words.pos,
			     "let '%.*s' is given twice; the first is in line %u of %s", (int)name.n, name.p,
			     (unsigned)ps->lets.pos[other].line,
			     ps->p->sources[ps->lets.pos[other].source].name);
		return;
	}
	/* One that is wrong is a name all the same: nobody needs to hear of it again where it is used. */
	if (dr_parse_constant(ps, &sc, &line->value, &value))
		value = (struct dr_str){ "", 0 };
	if (value.n > LET_MAX) {
		tell(ps, line->value.pos, "a let of more than a million bytes");
		value.n = 0;
	}
	set = find_setting(ps, name);
	if (set)
		value = (struct dr_str){ dr_parse_cstr(ps, dr_str(set->value)), strlen(set->value) };
	if (dr_parse_grow(ps, &ps->let_values, ps->lets.n, &ps->cap_lets, sizeof(*ps->let_values)) ||
	    dr_names_add(&ps->lets, name, line->words.pos)) {
		ps->nomem = true;
		return;
	}
	ps->let_values[ps->lets.n - 1] = value;
}

/* A key of the margin: default, shell, env.NAME. What it says is read when all names are known. */
static void
take_margin(struct reading *r, const struct dr_line *line, bool words_too)
{
	struct dr_parse *ps = r->ps;
	struct dr_key k = { .name = line->head, .pos = line->pos, .value = line->value };
	uint32_t other = dr_names_find(&ps->margin, line->head);

	if (!line->has_value && words_too)
		k.value = line->words;
	if (!line->has_value && !words_too) {
		dr_lex_error(ps->p, ps->diags, line->pos, "'%.*s' has the form: %.*s = VALUE", (int)k.name.n,
			     k.name.p, (int)k.name.n, k.name.p);
		return;
	}
	if (other != DR_NONE) {
		dr_lex_error(ps->p, ps->diags, line->pos,
			     "'%.*s' is given twice; the first is in line %u of %s", (int)k.name.n, k.name.p,
			     (unsigned)ps->margin.pos[other].line,
			     ps->p->sources[ps->margin.pos[other].source].name);
		return;
	}
	if (dr_parse_grow(ps, &ps->heads, ps->margin.n, &ps->cap_heads, sizeof(*ps->heads)) ||
	    dr_names_add(&ps->margin, k.name, line->pos)) {
		ps->nomem = true;
		return;
	}
	ps->heads[ps->margin.n - 1] = k;
}

static struct dr_str
dir_of(struct dr_str path)
{
	while (path.n && path.p[path.n - 1] != '/')
		path.n--;
	return path;
}

/* The file that `path` (as the Dagfile has it) means, from the root; *shown is what it is called in errors. */
static const char *
full_path(struct reading *r, struct dr_str path, const char **shown)
{
	struct dr_parse *ps = r->ps;
	const char *full;

	dr_buf_reset(&ps->scratch);
	if (path.p[0] != '/')
		dr_buf_addstr(&ps->scratch, r->stack[r->depth - 1].dir);
	dr_buf_addstr(&ps->scratch, path);
	full = dr_parse_cstr(ps, dr_buf_str(&ps->scratch));
	dr_buf_reset(&ps->scratch);
	dr_buf_addf(&ps->scratch, "%s%s", full[0] == '/' ? "" : r->shown_dir, full);
	*shown = dr_parse_cstr(ps, dr_buf_str(&ps->scratch));
	return full;
}

/* What speaks against reading the open file; NULL: nothing. Fills in->dev and in->ino. */
static const char *
include_problem(const struct reading *r, int fd, struct included *in)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "not a file";
	in->known = true;
	in->dev = st.st_dev;
	in->ino = st.st_ino;
	for (uint32_t i = 0; i < r->depth; i++) {
		if (r->stack[i].known && r->stack[i].dev == in->dev && r->stack[i].ino == in->ino)
			return "a circle, as that file includes this one";
	}
	return r->depth == INCLUDES_MAX ? "too many files deep" : NULL;
}

/* Makes `path` the file that is read next. */
static void
push_file(struct reading *r, struct dr_str path, struct dr_pos pos)
{
	struct dr_parse *ps = r->ps;
	struct included in = { 0 };
	struct dr_buf text = { 0 };
	struct dr_err err;
	const char *shown, *full = full_path(r, path, &shown), *problem;
	/* A fifo would hold us up before we know that it is one. */
	int fd = openat(ps->opts->root, full, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	problem = include_problem(r, fd, &in);
	if (!problem && dr_slurp_fd(fd, &text, shown, &err))
		problem = err.msg;
	if (problem) {
		dr_lex_error(ps->p, ps->diags, pos, "include %s: %s", shown, problem);
		goto out;
	}
	if (dr_parse_add_source(ps, shown, dr_buf_str(&text), false, &in.source))
		goto out;
	in.dir = dir_of(dr_str(full));
	in.lexer = dr_lexer_new(ps->p, in.source, ps->diags);
	if (in.lexer)
		r->stack[r->depth++] = in;
	else
		ps->nomem = true;
out:
	dr_close(&fd);
	dr_buf_free(&text);
}

static void
take_include(struct reading *r, const struct dr_line *line)
{
	struct dr_parse *ps = r->ps;
	struct dr_scope sc = { .where = DR_WHERE_CONSTANT, .key = "include" };
	struct dr_template *words;
	struct dr_str path;
	uint32_t n;

	if (line->has_value) {
		tell(ps, line->pos, "an include has the form: include FILE");
		return;
	}
	if (dr_parse_words(ps, &sc, &line->words, DR_WORDS_PLAIN, &words, &n))
		return;
	dr_buf_reset(&ps->scratch);
	if (n == 1)
		dr_template_text(&words[0], &ps->scratch);
	path = (struct dr_str){ dr_parse_cstr(ps, dr_buf_str(&ps->scratch)), ps->scratch.n };
	if (!path.n)
		tell(ps, line->pos, "an include names one file; quote it if there is a blank in it");
	else
		push_file(r, path, words[0].pos);
}

static void
unknown_head(struct reading *r, const struct dr_line *line, struct dr_block *before)
{
	struct dr_parse *ps = r->ps;
	const char *const *tables[] = { dr_parse_stage_keys, dr_parse_args_keys };
	struct dr_key k = { .name = line->head, .pos = line->pos, .value = line->value };

	r->skip = true;
	for (size_t t = 0; line->has_value && t < 2; t++) {
		for (uint32_t i = 0; tables[t][i]; i++) {
			if (!dr_str_is(line->head, tables[t][i]))
				continue;
			dr_lex_error(ps->p, ps->diags, line->pos, "'%.*s' is a key of a block: indent it",
				     (int)line->head.n, line->head.p);
			/* Taken for what it was meant to be, or the block would be told to lack it. */
			r->block = before;
			if (before)
				dr_parse_add_key(ps, before, &k);
			return;
		}
	}
	dr_lex_error(ps->p, ps->diags, line->pos, "unknown block '%.*s'%s", (int)line->head.n, line->head.p,
		     dr_parse_nearest(ps, line->head, dr_parse_blocks, NULL));
}

static void
take_head(struct reading *r, const struct dr_line *line)
{
	static const struct dr_str env = { "env.", 4 };
	struct dr_str h = line->head;
	struct dr_block *before = r->block;

	r->block = NULL;
	r->skip = false;
	if (dr_str_is(h, "args") || dr_str_is(h, "map") || dr_str_is(h, "merge") || dr_str_is(h, "task"))
		take_block(r, line);
	else if (dr_str_is(h, "let"))
		take_let(r, line);
	else if (dr_str_is(h, "pool"))
		dr_parse_pool(r->ps, line);
	else if (dr_str_is(h, "include"))
		take_include(r, line);
	else if (dr_str_is(h, "default"))
		take_margin(r, line, true);
	else if (dr_str_is(h, "shell") || (h.n > env.n && memcmp(h.p, env.p, env.n) == 0))
		take_margin(r, line, false);
	else
		unknown_head(r, line, before);
}

static void
take_key(struct reading *r, const struct dr_line *line)
{
	struct dr_key k = { .name = line->head, .pos = line->pos, .value = line->value };

	if (r->block)
		dr_parse_add_key(r->ps, r->block, &k);
	else if (!r->skip)
		tell(r->ps, line->pos,
		     "this line is indented but belongs to no block: 'map NAME' or the like begins one");
	r->skip = r->skip || !r->block;
}

void
dr_parse_check_settings(struct dr_parse *ps)
{
	for (uint32_t i = 0; i < ps->opts->n_settings; i++) {
		struct dr_str name = dr_str(ps->opts->settings[i].name);

		if (dr_names_find(&ps->lets, name) == DR_NONE)
			dr_diag_add(ps->diags, NULL, 0, 0, NULL, 0, "%s=%s: the Dagfile has no let '%s'%s",
				    name.p, ps->opts->settings[i].value, name.p,
				    dr_parse_nearest(ps, name, NULL, &ps->lets));
	}
}

static void
first_file(struct reading *r, const char *name, uint32_t source)
{
	struct included *in = &r->stack[0];
	const char *base = strrchr(name, '/');
	struct stat st;

	in->source = source;
	in->dir = (struct dr_str){ "", 0 };
	in->known = fstatat(r->ps->opts->root, base ? base + 1 : name, &st, 0) == 0;
	if (in->known) {
		in->dev = st.st_dev;
		in->ino = st.st_ino;
	}
	r->shown_dir = dr_parse_cstr(r->ps, dir_of(dr_str(name)));
	r->depth = 1;
}

int
dr_parse_read(struct dr_parse *ps, const char *name, struct dr_str text)
{
	struct reading *r = calloc(1, sizeof(*r));
	struct dr_line line;
	uint32_t source;

	if (!r || dr_parse_add_source(ps, name, text, false, &source)) {
		ps->nomem = true;
		free(r);
		return -1;
	}
	r->ps = ps;
	first_file(r, name, source);
	r->stack[0].lexer = dr_lexer_new(ps->p, source, ps->diags);
	ps->nomem = ps->nomem || !r->stack[0].lexer;
	while (r->depth && !ps->nomem) {
		if (dr_lexer_next(r->stack[r->depth - 1].lexer, &line))
			ps->nomem = true;
		else if (line.kind == DR_LINE_HEAD)
			take_head(r, &line);
		else if (line.kind == DR_LINE_KEY)
			take_key(r, &line);
		else {
			r->depth--;
			r->block = NULL;
		}
	}
	free(r);
	dr_parse_check_settings(ps);
	return ps->nomem ? -1 : 0;
}
