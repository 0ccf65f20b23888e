#include "config.h"

#include "export-private.h"

#include <inttypes.h>
#include <string.h>

#include "command.h"
#include "plan-values.h"

/* Stands for the private directory, whose name only the recipe will know. */
static const char tmp_mark[] = "\001dagrun tmp\001";
enum { TMP_MARK = sizeof(tmp_mark) - 1 };

static bool
is_plain(struct dr_str s, bool first)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!word && !strchr(first ? "_@%+:,./-" : "_@%+=:,./-", c))
			return false;
	}
	return s.n > 0;
}

/* A word for the shell. A recipe is one line, so that what would end it comes from a variable. */
static void
quote(struct dr_buf *out, struct dr_str s, bool first)
{
	if (is_plain(s, first)) {
		dr_buf_addstr(out, s);
		return;
	}
	dr_buf_addc(out, '\'');
	for (size_t i = 0; i < s.n; i++) {
		if (s.n - i >= TMP_MARK && !memcmp(s.p + i, tmp_mark, TMP_MARK)) {
			dr_buf_adds(out, "'\"$dr_tmp\"'");
			i += TMP_MARK - 1;
		} else if (s.p[i] == '\n') {
			dr_buf_adds(out, "'\"$dr_nl\"'");
		} else if (s.p[i] == '\r') {
			dr_buf_adds(out, "'\"$dr_cr\"'");
		} else if (s.p[i] == '\'') {
			dr_buf_adds(out, "'\\''");
		} else {
			dr_buf_addc(out, s.p[i]);
		}
	}
	dr_buf_addc(out, '\'');
}

/* Appends a path with "./" before what could be taken for an option. */
static void
add_path(const struct dr_exporter *x, uint32_t file, struct dr_buf *out)
{
	size_t at = out->n;

	dr_graph_path(x->pl->graph, file, out);
	if (out->n > at && out->p[at] == '-' && dr_buf_room(out, 2)) {
		memmove(out->p + at + 2, out->p + at, out->n - at + 1);
		memcpy(out->p + at, "./", 2);
		out->n += 2;
	}
}

void
dr_export_stamp(const struct dr_exporter *x, uint32_t task, struct dr_buf *out)
{
	char hex[33];

	dr_hash128_hex(x->pl->graph->tasks[task].id, hex);
	dr_buf_addf(out, ".dagrun/export/%s", hex);
}

/* The name of an output that is quoted for the shell, final or temporary. */
static void
add_output(struct dr_exporter *x, uint32_t task, uint32_t i, bool temporary)
{
	const struct dr_graph *g = x->pl->graph;

	dr_buf_reset(&x->name);
	dr_buf_reset(&x->text);
	add_path(x, dr_graph_outputs(g, task)[i], &x->name);
	if (temporary)
		dr_temp_name(g->tasks[task].id, dr_buf_str(&x->name), &x->text);
	else
		dr_buf_addstr(&x->text, dr_buf_str(&x->name));
	quote(&x->recipe, dr_buf_str(&x->text), false);
}

static bool
is_directory(const struct dr_exporter *x, uint32_t task, uint32_t i)
{
	const struct dr_graph *g = x->pl->graph;

	return g->files[dr_graph_outputs(g, task)[i]].flags & DR_FILE_TREE;
}

static void
add_all_temporary(struct dr_exporter *x, uint32_t task)
{
	for (uint32_t i = 0; i < x->pl->graph->tasks[task].n_out; i++) {
		dr_buf_addc(&x->recipe, ' ');
		add_output(x, task, i, true);
	}
}

/* Directories for the outputs; nothing by their temporary names, or an empty directory. */
static void
add_preparation(struct dr_exporter *x, uint32_t task)
{
	const struct dr_graph *g = x->pl->graph;
	const uint32_t *out = dr_graph_outputs(g, task);
	uint32_t n = g->tasks[task].n_out;

	for (uint32_t i = 0; i < n; i++) {
		struct dr_str dir = dr_graph_dir(g, g->files[out[i]].dir);

		if (!dir.n || (i && g->files[out[i]].dir == g->files[out[i - 1]].dir))
			continue;
		dr_buf_adds(&x->recipe, *dir.p == '-' ? "mkdir -p ./" : "mkdir -p ");
		quote(&x->recipe, dir, false);
		dr_buf_adds(&x->recipe, "; ");
	}
	if (n) {
		dr_buf_adds(&x->recipe, "rm -rf");
		add_all_temporary(x, task);
		dr_buf_adds(&x->recipe, "; ");
	}
	for (uint32_t i = 0; i < n; i++) {
		if (!is_directory(x, task, i))
			continue;
		dr_buf_adds(&x->recipe, "mkdir ");
		add_output(x, task, i, true);
		dr_buf_adds(&x->recipe, "; ");
	}
}

static int
add_environment(struct dr_exporter *x, const struct dr_stage *st, const struct dr_task_values *tv)
{
	for (uint32_t i = 0; i < st->n_env; i++) {
		dr_buf_reset(&x->text);
		if (dr_template_expand(&st->env[i].value, &tv->v, &x->text, x->err))
			return -1;
		dr_buf_addstr(&x->recipe, st->env[i].name);
		dr_buf_addc(&x->recipe, '=');
		quote(&x->recipe, dr_buf_str(&x->text), false);
		dr_buf_addc(&x->recipe, ' ');
	}
	return 0;
}

static void
add_redirect(struct dr_exporter *x, const struct dr_exec_redirect *r)
{
	static const char *const signs[] = {
		[DR_REDIRECT_READ] = "<", [DR_REDIRECT_WRITE] = ">", [DR_REDIRECT_APPEND] = ">>"
	};

	if (r->kind == DR_REDIRECT_DUP) {
		dr_buf_addf(&x->recipe, " %d>&%d", r->fd, r->dup_from);
		return;
	}
	dr_buf_addf(&x->recipe, " %d%s", r->fd, signs[r->kind]);
	quote(&x->recipe, dr_str(r->path), false);
}

/* "$dr_tmp"/list or what it is called, with the names of the inputs in it. */
static int
add_list(struct dr_exporter *x, struct dr_task_values *tv, const struct dr_piece *p)
{
	char end = p->kind == DR_PH_LIST ? '\n' : '\0';
	struct dr_str rest, word;
	const char *to;

	dr_buf_reset(&x->text);
	if (dr_list_text(tv, p, &x->text, x->err))
		return -1;
	rest = dr_buf_str(&x->text);
	dr_buf_adds(&x->recipe, !rest.n ? ":" : end ? "printf '%s\\n'" : "printf '%s\\0'");
	while (rest.n && (to = memchr(rest.p, end, rest.n))) {
		word = (struct dr_str){ rest.p, (size_t)(to - rest.p) };
		dr_buf_addc(&x->recipe, ' ');
		quote(&x->recipe, word, false);
		rest = (struct dr_str){ to + 1, rest.n - word.n - 1 };
	}
	dr_buf_adds(&x->recipe, " >");
	dr_buf_reset(&x->name);
	dr_list_name(tv, p, &x->name);
	quote(&x->recipe, dr_buf_str(&x->name), false);
	dr_buf_adds(&x->recipe, "; ");
	return 0;
}

/* Each list that the command names, once. */
static int
add_lists(struct dr_exporter *x, struct dr_task_values *tv)
{
	const struct dr_template *text = &dr_plan_stage(x->pl, tv->task)->run.text;

	for (uint32_t i = 0; i < text->n; i++) {
		const struct dr_piece *p = &text->pieces[i];
		bool before = false;

		if (p->kind != DR_PH_LIST && p->kind != DR_PH_LIST0)
			continue;
		for (uint32_t k = 0; k < i; k++)
			before = before || (text->pieces[k].kind == p->kind && text->pieces[k].index == p->index);
		if (!before && add_list(x, tv, p))
			return -1;
	}
	return 0;
}

/* The command itself. Without a shell of its own it is one for this one. */
static int
add_command(struct dr_exporter *x, uint32_t task)
{
	const struct dr_stage *st = dr_plan_stage(x->pl, task);
	struct dr_task_values tv;
	struct dr_exec e;

	dr_task_values_init(&tv, x->pl, task);
	tv.temporary = true;
	tv.tmp = tmp_mark;
	dr_arena_reset(&x->arena);
	if (dr_command_expand(&st->run, &x->pl->pipeline->shell, &tv.v, &x->arena, &e, x->err) ||
	    add_lists(x, &tv) || add_environment(x, st, &tv))
		return -1;
	for (uint32_t i = 0; i < e.argc; i++) {
		quote(&x->recipe, dr_str(e.argv[i]), i == 0);
		dr_buf_addc(&x->recipe, ' ');
	}
	dr_buf_adds(&x->recipe, "</dev/null");
	for (uint32_t i = 0; i < e.n_redirects; i++)
		add_redirect(x, &e.redirects[i]);
	return 0;
}

/* What the command has made gets its name, with the time of now: some commands give their output that of an input. */
static void
add_end(struct dr_exporter *x, uint32_t task)
{
	uint32_t n = x->pl->graph->tasks[task].n_out;

	if (!n) {
		dr_buf_adds(&x->recipe, "; mkdir -p .dagrun/export; : >");
		dr_export_stamp(x, task, &x->recipe);
		return;
	}
	dr_buf_adds(&x->recipe, " || { dr_rc=$?; rm -rf");
	add_all_temporary(x, task);
	dr_buf_adds(&x->recipe, "; exit $dr_rc; }; touch -c");
	add_all_temporary(x, task);
	for (uint32_t i = 0; i < n; i++) {
		if (is_directory(x, task, i)) {
			dr_buf_adds(&x->recipe, "; rm -rf ");
			add_output(x, task, i, false);
		}
		dr_buf_adds(&x->recipe, "; mv -f ");
		add_output(x, task, i, true);
		dr_buf_addc(&x->recipe, ' ');
		add_output(x, task, i, false);
	}
}

static bool
mentions(const struct dr_buf *b, size_t from, const char *what)
{
	return !b->failed && b->n > from && strstr(b->p + from, what);
}

int
dr_export_recipe(struct dr_exporter *x, uint32_t task)
{
	struct dr_buf body;

	/* What it needs is known when it is there, and stands before it. */
	dr_buf_reset(&x->recipe);
	add_preparation(x, task);
	if (add_command(x, task))
		return -1;
	add_end(x, task);
	body = x->recipe;
	x->recipe = (struct dr_buf){ 0 };
	dr_buf_adds(&x->recipe, "set -e; ");
	if (mentions(&body, 0, "\"$dr_nl\""))
		dr_buf_adds(&x->recipe, "dr_nl=$(printf '\\nx'); dr_nl=${dr_nl%x}; ");
	if (mentions(&body, 0, "\"$dr_cr\""))
		dr_buf_adds(&x->recipe, "dr_cr=$(printf '\\r'); ");
	if (mentions(&body, 0, "\"$dr_tmp\""))
		dr_buf_adds(&x->recipe, "dr_tmp=$(mktemp -d); trap 'rm -rf \"$dr_tmp\"' 0; TMPDIR=$dr_tmp; export TMPDIR; ");
	dr_buf_addstr(&x->recipe, dr_buf_str(&body));
	x->recipe.failed |= body.failed || x->name.failed || x->text.failed;
	dr_buf_free(&body);
	return x->recipe.failed ? dr_err_nomem(x->err) : 0;
}
