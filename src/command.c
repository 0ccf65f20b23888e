#include "config.h"

#include "command.h"

#include <inttypes.h>
#include <string.h>

#include "arena.h"
#include "err.h"
#include "hash.h"
#include "map.h"

/* What a shell takes as its own name, $0, before the values. */
static const char shell_name[] = "dagrun";

/* Words on their way to an argument vector. They lie one behind the other in one buffer, each with its NUL, and move to
 * the arena at once: an expansion costs a few allocations, however many words it has. */
struct vector {
	struct dr_buf bytes;
	size_t *at; /* where each word begins */
	uint32_t n;
	struct dr_err *err;
};

static uint32_t
count(const struct dr_piece *p, const struct dr_values *v)
{
	return dr_piece_counted(p) ? v->count(v->ctx, p) : 1;
}

/* Names of files, as opposed to parts of names, that could be taken for an option. */
static bool
is_path(const struct dr_piece *p)
{
	if (p->kind != DR_PH_IN && p->kind != DR_PH_IN_NAME && p->kind != DR_PH_OUT && p->kind != DR_PH_OUT_NAME)
		return false;
	return !p->n_mods || p->mods[p->n_mods - 1] == DR_MOD_DIR;
}

/* Appends word i of a placeholder as a command gets it. */
static int
add_value(const struct dr_piece *p, const struct dr_values *v, uint32_t i, struct dr_buf *out,
	  struct dr_err *err)
{
	size_t from = out->n;

	if (dr_piece_expand(p, v, i, out, err))
		return -1;
	if (is_path(p) && out->n > from && out->p[from] == '-') {
		if (!dr_buf_room(out, 2))
			return dr_err_nomem(err);
		memmove(out->p + from + 2, out->p + from, out->n - from + 1);
		memcpy(out->p + from, "./", 2);
		out->n += 2;
	}
	if (out->n > from && memchr(out->p + from, '\0', out->n - from))
		return dr_err_set(err, DR_USAGE,
				  "the value of {%.*s} has a byte 0, which no argument can have",
				  (int)p->text.n, p->text.p);
	return 0;
}

/* Appends a word that is made of several pieces: each of them must be one. */
static int
add_word(const struct dr_template *t, const struct dr_values *v, struct dr_buf *out, struct dr_err *err)
{
	for (uint32_t i = 0; i < t->n; i++) {
		const struct dr_piece *p = &t->pieces[i];

		if (count(p, v) != 1)
			return dr_err_set(err, DR_USAGE, "{%.*s} is not one word here, but %" PRIu32,
					  (int)p->text.n, p->text.p, count(p, v));
		if (add_value(p, v, 0, out, err))
			return -1;
	}
	return 0;
}

static void
begin(struct vector *w)
{
	w->at[w->n++] = w->bytes.n;
}

static void
end(struct vector *w)
{
	dr_buf_addc(&w->bytes, '\0');
}

static void
add_string(struct vector *w, const char *s)
{
	begin(w);
	dr_buf_add(&w->bytes, s, strlen(s) + 1);
}

/* All words that the piece is. */
static int
add_all(struct vector *w, const struct dr_piece *p, const struct dr_values *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		begin(w);
		if (add_value(p, v, i, &w->bytes, w->err))
			return -1;
		end(w);
	}
	return 0;
}

static int
add_direct(struct vector *w, const struct dr_command *c, const struct dr_values *v)
{
	for (uint32_t i = 0; i < c->n_words; i++) {
		const struct dr_template *t = &c->words[i];

		if (t->n == 1 && dr_piece_counted(t->pieces)) {
			if (add_all(w, t->pieces, v, count(t->pieces, v)))
				return -1;
			continue;
		}
		begin(w);
		if (add_word(t, v, &w->bytes, w->err))
			return -1;
		end(w);
	}
	return 0;
}

/* The words that the value stands for as the shell sees them: quoted references to positional parameters. */
static void
add_reference(struct dr_buf *out, const struct dr_shell *sh, const struct dr_piece *p, uint32_t first,
	      uint32_t n)
{
	if (p->bare)
		dr_buf_addf(out, "${%" PRIu32 "}", first);
	else if (n == 1)
		dr_buf_addf(out, "\"${%" PRIu32 "}\"", first);
	else if (sh->slices)
		dr_buf_addf(out, "\"${@:%" PRIu32 ":%" PRIu32 "}\"", first, n);
	else
		for (uint32_t i = 0; i < n; i++)
			dr_buf_addf(out, "%s\"${%" PRIu32 "}\"", i ? " " : "", first + i);
}

static int
add_shell(struct vector *w, const struct dr_command *c, const struct dr_shell *sh, const struct dr_values *v,
	  const uint32_t *first)
{
	for (uint32_t i = 0; i < sh->argc; i++)
		add_string(w, sh->argv[i]);
	begin(w);
	for (uint32_t i = 0; i < c->text.n; i++) {
		const struct dr_piece *p = &c->text.pieces[i];

		if (p->kind == DR_PH_TEXT)
			dr_buf_addstr(&w->bytes, p->text);
		else
			add_reference(&w->bytes, sh, p, first[p->param] + 1,
				      first[p->param + 1] - first[p->param]);
	}
	end(w);
	add_string(w, shell_name);
	for (uint32_t i = 0; i < c->n_params; i++) {
		if (add_all(w, &c->params[i], v, first[i + 1] - first[i]))
			return -1;
	}
	return 0;
}

/* How many words there will be. *first: for each parameter how many values stand before it, and at the end all. */
static int
count_words(const struct dr_command *c, const struct dr_shell *sh, const struct dr_values *v,
	    struct dr_arena *arena, uint32_t **first, uint64_t *n)
{
	*n = 0;
	*first = NULL;
	if (!c->shell) {
		for (uint32_t i = 0; i < c->n_words; i++)
			*n += c->words[i].n == 1 ? count(c->words[i].pieces, v) : 1;
		return 0;
	}
	*first = dr_arena_array(arena, (size_t)c->n_params + 1, sizeof(**first));
	if (!*first)
		return -1;
	for (uint32_t i = 0; i < c->n_params; i++) {
		(*first)[i] = (uint32_t)*n;
		*n += count(&c->params[i], v);
		if (*n > UINT32_MAX / 2)
			return -1;
	}
	(*first)[c->n_params] = (uint32_t)*n;
	*n += sh->argc + 2;
	return 0;
}

static int
add_redirects(struct vector *w, const struct dr_command *c, const struct dr_values *v, struct dr_arena *arena,
	      struct dr_exec *out)
{
	out->redirects = dr_arena_array(arena, c->n_redirects, sizeof(*out->redirects));
	if (!out->redirects)
		return dr_err_nomem(w->err);
	out->n_redirects = c->n_redirects;
	for (uint32_t i = 0; i < c->n_redirects; i++) {
		const struct dr_redirect *r = &c->redirects[i];

		out->redirects[i] =
			(struct dr_exec_redirect){ .kind = r->kind, .fd = r->fd, .dup_from = r->dup_from };
		begin(w);
		if (r->kind != DR_REDIRECT_DUP && add_word(&r->target, v, &w->bytes, w->err))
			return -1;
		end(w);
	}
	return 0;
}

/* Moves the words into the arena. */
static int
settle(struct vector *w, uint32_t argc, struct dr_arena *arena, struct dr_exec *out)
{
	char *bytes = w->bytes.failed ? NULL : dr_arena_strndup(arena, dr_buf_cstr(&w->bytes), w->bytes.n);

	out->argv = dr_arena_array(arena, (size_t)argc + 1, sizeof(*out->argv));
	if (!bytes || !out->argv)
		return dr_err_nomem(w->err);
	for (uint32_t i = 0; i < argc; i++)
		out->argv[i] = bytes + w->at[i];
	out->argc = argc;
	out->bytes = (argc < w->n ? w->at[argc] : w->bytes.n) + ((uint64_t)argc + 1) * sizeof(*out->argv);
	for (uint32_t i = 0; i < out->n_redirects; i++) {
		if (out->redirects[i].kind != DR_REDIRECT_DUP)
			out->redirects[i].path = bytes + w->at[argc + i];
	}
	return 0;
}

int
dr_command_expand(const struct dr_command *c, const struct dr_shell *sh, const struct dr_values *v,
		  struct dr_arena *arena, struct dr_exec *out, struct dr_err *err)
{
	struct vector w = { .err = err };
	uint32_t *first;
	uint64_t n;
	int rc = -1;

	*out = (struct dr_exec){ 0 };
	if (count_words(c, sh, v, arena, &first, &n)) {
		dr_err_nomem(err);
		goto out;
	}
	w.at = dr_arena_array(arena, (size_t)n + c->n_redirects, sizeof(*w.at));
	if (!w.at || !dr_buf_room(&w.bytes, 512)) {
		dr_err_nomem(err);
		goto out;
	}
	if (c->shell ? add_shell(&w, c, sh, v, first) : add_direct(&w, c, v))
		goto out;
	if (!w.n) {
		dr_err_set(err, DR_USAGE, "the command has no word left");
		goto out;
	}
	n = w.n;
	if (!c->shell && add_redirects(&w, c, v, arena, out))
		goto out;
	rc = settle(&w, (uint32_t)n, arena, out);
out:
	dr_buf_free(&w.bytes);
	return rc;
}

int
dr_command_hash(const struct dr_command *c, const struct dr_shell *sh, const struct dr_values *v,
		struct dr_hasher *h, struct dr_buf *scratch, struct dr_err *err)
{
	dr_hasher_field(h, c->shell ? "shell" : "direct", c->shell ? 5 : 6);
	for (uint32_t i = 0; c->shell && i < sh->argc; i++)
		dr_hasher_field(h, sh->argv[i], strlen(sh->argv[i]));
	return dr_template_hash(&c->text, v, h, scratch, err);
}

/* A list of inputs has no file while nothing runs: what would stand in it, as a file that bash makes. */
static int
show_list(const struct dr_piece *p, const struct dr_values *v, struct dr_buf *out, struct dr_buf *value,
	  struct dr_err *err)
{
	struct dr_piece in = { .kind = p->index == DR_NONE ? DR_PH_IN : DR_PH_IN_NAME, .index = p->index };
	uint32_t n = count(&in, v);

	dr_buf_adds(out, p->kind == DR_PH_LIST ? "<(printf '%s\\n'" : "<(printf '%s\\0'");
	for (uint32_t i = 0; i < n; i++) {
		dr_buf_reset(value);
		if (add_value(&in, v, i, value, err))
			return -1;
		dr_buf_addc(out, ' ');
		dr_buf_quote(out, dr_buf_str(value));
	}
	dr_buf_addc(out, ')');
	return 0;
}

int
dr_command_show(const struct dr_command *c, const struct dr_values *v, struct dr_buf *out, struct dr_err *err)
{
	struct dr_buf value = { 0 };
	int rc = 0;

	for (uint32_t k = 0; k < c->text.n && rc == 0; k++) {
		const struct dr_piece *p = &c->text.pieces[k];
		uint32_t n = count(p, v);

		if (p->kind == DR_PH_TEXT) {
			dr_buf_addstr(out, p->text);
			continue;
		}
		if (dr_piece_is_list(p)) {
			rc = show_list(p, v, out, &value, err);
			continue;
		}
		for (uint32_t i = 0; i < n && rc == 0; i++) {
			if (i)
				dr_buf_addc(out, ' ');
			/* It has no name while nothing runs; TMPDIR is a directory wherever this is pasted. */
			if (p->kind == DR_PH_TMP && !p->n_mods) {
				dr_buf_adds(out, "\"$TMPDIR\"");
				continue;
			}
			dr_buf_reset(&value);
			rc = add_value(p, v, i, p->bare ? out : &value, err);
			if (rc == 0 && !p->bare)
				dr_buf_quote(out, dr_buf_str(&value));
		}
	}
	if (rc == 0 && (out->failed || value.failed))
		rc = dr_err_nomem(err);
	dr_buf_free(&value);
	return rc;
}
