#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "items-table.h"
#include "items.h"
#include "os.h"
#include "private-dir.h"

/* A directory of the test's own, and the pieces of a pipeline with one args. */
struct place {
	char path[4096];
	int fd, input;
	struct dr_pipeline pipeline;
	struct dr_source source;
	struct dr_args args;
	struct dr_shell shell;
	struct dr_diags diags;
	struct dr_err err;
};

static int
setup(void **state)
{
	static const char *const shell[] = { "/bin/sh", "-ec" };
	struct place *p = calloc(1, sizeof(*p));

	if (!p || private_dir("dr-items-", p->path, sizeof(p->path)))
		return -1;
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	p->input = -1;
	p->source = (struct dr_source){ .name = "Dagfile", .text = DR_STR("args x\n  rows = here\n") };
	p->pipeline.sources = &p->source;
	p->pipeline.n_sources = 1;
	p->shell = (struct dr_shell){ .argv = shell, .argc = 2 };
	*state = p;
	return p->fd < 0 ? -1 : 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;

	dr_remove_tree(AT_FDCWD, p->path);
	dr_close(&p->fd);
	dr_diags_free(&p->diags);
	dr_arena_free(&p->pipeline.arena);
	free(p);
	return 0;
}

/* Makes files, named in one string with blanks between them; one that ends in '/' is a directory. */
static void
files(struct place *p, const char *names)
{
	while (*names) {
		size_t n = strcspn(names, " ");
		char name[300];
		int fd;

		assert_true(n < sizeof(name));
		memcpy(name, names, n);
		name[n] = '\0';
		names += n + strspn(names + n, " ");
		assert_int_equal(dr_mkdirs_for(p->fd, name), 0);
		if (name[n - 1] == '/')
			continue;
		fd = openat(p->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
		assert_true(fd >= 0);
		close(fd);
	}
}

static void
contents(struct place *p, const char *name, const char *bytes, size_t n)
{
	int fd = openat(p->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	assert_true(fd >= 0);
	assert_int_equal(dr_write_full(fd, bytes, n), 0);
	close(fd);
}

static struct dr_template
text_template(struct place *p, const char *s, size_t n)
{
	struct dr_template t = { .n = 1, .pos = { 0, 2, 10 } };

	t.pieces = dr_arena_array(&p->pipeline.arena, 1, sizeof(*t.pieces));
	assert_non_null(t.pieces);
	t.pieces->kind = DR_PH_TEXT;
	t.pieces->text = (struct dr_str){ dr_arena_strndup(&p->pipeline.arena, s, n), n };
	return t;
}

/* args x with the words of one string, between blanks. */
static void
args(struct place *p, enum dr_generator kind, const char *words)
{
	p->args = (struct dr_args){ .name = DR_STR("x"), .pos = { 0, 1, 1 }, .kind = kind };
	p->args.words = dr_arena_array(&p->pipeline.arena, strlen(words) + 1, sizeof(*p->args.words));
	assert_non_null(p->args.words);
	while (*words) {
		size_t n = strcspn(words, " ");

		p->args.words[p->args.n_words++] = text_template(p, words, n);
		words += n + strspn(words + n, " ");
	}
}

static struct dr_items *
make(struct place *p)
{
	char path[] = "PATH=/usr/bin:/bin", *envp[] = { path, NULL };
	struct dr_items_options o = {
		.root = p->fd, .shell = &p->shell, .envp = envp, .standard_input = p->input
	};
	struct dr_items *it = NULL;
	int rc;

	dr_diags_free(&p->diags);
	p->err.msg[0] = '\0';
	rc = dr_items_make(&p->pipeline, &p->args, NULL, &o, &it, &p->diags, &p->err);
	if (rc == 0) {
		assert_int_equal(p->diags.total, 0);
		assert_non_null(it);
		return it;
	}
	assert_null(it);
	assert_true(p->diags.total > 0 || p->err.msg[0]);
	return NULL;
}

/* The rows with '|' between them, or "!" and what was wrong. */
static void
show(struct place *p, struct dr_buf *out)
{
	struct dr_items *it = make(p);

	dr_buf_reset(out);
	for (uint32_t i = 0; it && i < dr_items_rows(it); i++) {
		if (i)
			dr_buf_addc(out, '|');
		dr_items_row(it, i, out);
	}
	for (uint32_t i = 0; !it && i < p->diags.n; i++)
		dr_buf_addf(out, "!%s", p->diags.v[i].msg);
	if (!it && !p->diags.n)
		dr_buf_addf(out, "?%s", p->err.msg);
	dr_items_free(it);
}

static void
expect(struct place *p, const char *rows)
{
	struct dr_buf got = { 0 };

	show(p, &got);
	assert_string_equal(dr_buf_cstr(&got), rows);
	dr_buf_free(&got);
}

static void
expect_glob(struct place *p, const char *words, const char *rows)
{
	args(p, DR_GEN_GLOB, words);
	expect(p, rows);
}

#define EMPTY "; say 'empty = ok' if that may be"

static void
globs(void **state)
{
	struct place *p = *state;

	files(p,
	      "b.txt a.txt B.txt c.tex ab.txt .hidden.txt sub/d.txt sub/e.tex sub/deep/f.txt sub/.dot/g.txt "
	      ".dot/h.txt other/d.txt -x.txt");
	expect_glob(p, "*.txt", "-x.txt|B.txt|a.txt|ab.txt|b.txt");
	expect_glob(p, "?.txt", "B.txt|a.txt|b.txt");
	expect_glob(p, "[a-b].txt", "a.txt|b.txt");
	expect_glob(p, "[!a-b].txt", "B.txt");
	/* No directories, and no dot files, unless they are asked for. */
	expect_glob(p, "*", "-x.txt|B.txt|a.txt|ab.txt|b.txt|c.tex");
	expect_glob(p, ".*", ".hidden.txt");
	expect_glob(p, "*/", "other|sub");
	expect_glob(p, "*/*.txt", "other/d.txt|sub/d.txt");
	expect_glob(p, "*/d.txt", "other/d.txt|sub/d.txt");
	expect_glob(p, "sub/*", "sub/d.txt|sub/e.tex");
	expect_glob(p, "sub/.*/*", "sub/.dot/g.txt");
	expect_glob(p, ".dot/*", ".dot/h.txt");
	expect_glob(p, "**/*.txt", "-x.txt|B.txt|a.txt|ab.txt|b.txt|other/d.txt|sub/d.txt|sub/deep/f.txt");
	expect_glob(p, "**",
		    "-x.txt|B.txt|a.txt|ab.txt|b.txt|c.tex|other/d.txt|sub/d.txt|sub/deep/f.txt|sub/e.tex");
	expect_glob(p, "sub/**", "sub/d.txt|sub/deep/f.txt|sub/e.tex");
	expect_glob(p, "**/deep/**/*", "sub/deep/f.txt");
	expect_glob(p, "**/.dot/*", ".dot/h.txt|sub/.dot/g.txt");
	expect_glob(p, "**/", "other|sub|sub/deep");
	/* Several words are a union, sorted as one. */
	expect_glob(p, "sub/*.tex *.tex b.txt ?.tex", "b.txt|c.tex|sub/e.tex");
	/* The longer of two names comes behind, and '/' where bytes put it. */
	files(p, "s.e/x s/x s+e/x");
	expect_glob(p, "s*/x", "s+e/x|s.e/x|s/x");
}

static void
words_that_are_files(void **state)
{
	struct place *p = *state;

	files(p, "a.txt dir/b.txt x*y [1].txt");
	expect_glob(p, "a.txt", "a.txt");
	expect_glob(p, "dir/b.txt a.txt", "a.txt|dir/b.txt");
	expect_glob(p, "x\\*y", "x*y");
	expect_glob(p, "\\[1].txt", "[1].txt");
	expect_glob(p, "[[]1].t*", "[1].txt");
	expect_glob(p, "dir/", "dir");
	expect_glob(p, "dir", "!args 'x': 'dir' is a directory; write 'dir/*' for its files");
	expect_glob(p, "a.txt none.txt", "!args 'x': there is no file 'none.txt'" EMPTY);
	expect_glob(p, "a.txt/", "!args 'x': there is no directory 'a.txt'" EMPTY);
	p->args.empty_ok = true;
	expect(p, "");
	args(p, DR_GEN_GLOB, "a.txt none.txt");
	p->args.empty_ok = true;
	expect(p, "a.txt");
	/* All that is wrong at once */
	expect_glob(p, "none a.txt neither/nor",
		    "!args 'x': there is no file 'none'" EMPTY
		    "!args 'x': there is no file 'neither/nor'" EMPTY);
	/* A link that leads nowhere is missed later, by its name. */
	assert_int_equal(symlinkat("nowhere", p->fd, "link.txt"), 0);
	expect_glob(p, "link.txt", "link.txt");
	expect_glob(p, "l*.txt", "link.txt");
	expect_glob(p, "*/../link.txt", "!args 'x': '..' can only be at the beginning of '*/../link.txt'");
}

static void
paths_are_normal(void **state)
{
	struct place *p = *state;
	char word[4200], rows[8400];
	int sub;

	files(p, "in/a.txt in/b.txt sub/");
	expect_glob(p, "./in//./*.txt", "in/a.txt|in/b.txt");
	expect_glob(p, "./in/a.txt in/*", "in/a.txt|in/b.txt");
	snprintf(word, sizeof(word), "%s//in/./?.txt", p->path);
	snprintf(rows, sizeof(rows), "%s/in/a.txt|%s/in/b.txt", p->path, p->path);
	expect_glob(p, word, rows);
	snprintf(word, sizeof(word), "%s/in/a.txt", p->path);
	expect_glob(p, word, word);
	sub = openat(p->fd, "sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(sub >= 0);
	dr_close(&p->fd);
	p->fd = sub;
	expect_glob(p, "../in/*.txt", "../in/a.txt|../in/b.txt");
	expect_glob(p, "./../in/a.txt", "../in/a.txt");
	expect_glob(p, "in/../a.txt", "!args 'x': '..' can only be at the beginning of 'in/../a.txt'");
	expect_glob(p, "/../a.txt", "!args 'x': '..' can only be at the beginning of '/../a.txt'");
	expect_glob(p, "..", "!args 'x': '..' is no name of a file");
	expect_glob(p, ".", "!args 'x': '.' is no name of a file");
	expect_glob(p, "/", "!args 'x': '/' is no name of a file");
}

static void
links(void **state)
{
	struct place *p = *state;

	files(p, "real/a.txt real/sub/b.txt");
	assert_int_equal(symlinkat("real", p->fd, "link"), 0);
	assert_int_equal(symlinkat("..", p->fd, "real/up"), 0);
	assert_int_equal(symlinkat("a.txt", p->fd, "real/same.txt"), 0);
	assert_int_equal(symlinkat("loop", p->fd, "loop"), 0);
	/* Followed where they are named, by a pattern too; not by "**" */
	expect_glob(p, "link/*.txt", "link/a.txt|link/same.txt");
	expect_glob(p, "l*/a.txt", "link/a.txt");
	expect_glob(p, "**/*.txt", "real/a.txt|real/same.txt|real/sub/b.txt");
	expect_glob(p, "**/link/**", "link/a.txt|link/same.txt|link/sub/b.txt");
	expect_glob(p, "*", "loop");
	expect_glob(p, "*/", "link|real");
}

/* What is ours is nobody's row, however it is asked for. */
static void
never_our_own(void **state)
{
	struct place *p = *state;

	files(p, ".dagrun/parts/x.txt .dagrun-0123-a.txt out/.dagrun-77-b.txt sub/.dagrun/y.txt "
		 ".dagrunner/z.txt a.txt");
	expect_glob(p, "**/*.txt .*.txt .dagrun*/*.txt", ".dagrunner/z.txt|a.txt");
	expect_glob(p, "*/.*.txt", "!args 'x': the glob '*/.*.txt' matches no file" EMPTY);
	expect_glob(p, ".dagrun/parts/*.txt",
		    "!args 'x': the glob '.dagrun/parts/*.txt' matches no file" EMPTY);
	expect_glob(p, "**/.dagrun/*", "!args 'x': the glob '**/.dagrun/*' matches no file" EMPTY);
	expect_glob(p, ".dagrun-0123-a.txt", "!args 'x': there is no file '.dagrun-0123-a.txt'" EMPTY);
}

static void
names_of_any_kind(void **state)
{
	struct place *p = *state;
	char longest[256], word[300];

	files(p, "a\nb.x a\tb.x 'q'.x $HOME.x {in}.x \xff\xfe.x \xc3\xa4.x");
	expect_glob(p, "*.x", "$HOME.x|'q'.x|a\tb.x|a\nb.x|{in}.x|\xc3\xa4.x|\xff\xfe.x");
	expect_glob(p, "?.x", "\xc3\xa4.x");
	expect_glob(p, "??.x", "\xff\xfe.x");
	memset(longest, 'l', 255);
	longest[255] = '\0';
	files(p, longest);
	snprintf(word, sizeof(word), "%.250s*", longest);
	expect_glob(p, word, longest);
}

static void
what_matches_nothing(void **state)
{
	struct place *p = *state;

	expect_glob(p, "texts/*.txt", "!args 'x': the glob 'texts/*.txt' matches no file" EMPTY);
	assert_int_equal(p->diags.v[0].line, 2);
	assert_int_equal(p->diags.v[0].col, 10);
	assert_string_equal(p->diags.v[0].text, "  rows = here");
	expect_glob(p, "a* b*", "!args 'x': the globs 'a*', 'b*' match no file" EMPTY);
	expect_glob(p, "a* b* c* d*", "!args 'x': the globs 'a*', 'b*', 'c*', … match no file" EMPTY);
	args(p, DR_GEN_GLOB, "*.txt");
	p->args.empty_ok = true;
	expect(p, "");
}

static void
directories_that_cannot_be_read(void **state)
{
	struct place *p = *state;

	if (geteuid() == 0)
		skip();
	files(p, "no/a.txt neither/b.txt yes/c.txt lost+found/d.txt");
	assert_int_equal(fchmodat(p->fd, "no", 0, 0), 0);
	assert_int_equal(fchmodat(p->fd, "neither", 0, 0), 0);
	assert_int_equal(fchmodat(p->fd, "lost+found", 0, 0), 0);
	/* All of them, in any order; and not the one that every file system has at its root. */
	args(p, DR_GEN_GLOB, "**/*.txt");
	assert_null(make(p));
	assert_int_equal(p->diags.total, 2);
	for (int i = 0; i < 2; i++)
		assert_non_null(strstr(p->diags.v[i].msg, "args 'x': cannot read the directory 'n"));
	assert_int_equal(fchmodat(p->fd, "no", 0700, 0), 0);
	assert_int_equal(fchmodat(p->fd, "neither", 0700, 0), 0);
	expect_glob(p, "**/*.txt", "neither/b.txt|no/a.txt|yes/c.txt");
	assert_int_equal(fchmodat(p->fd, "lost+found", 0700, 0), 0);
}

/* Deeper than a stack of calls should go, though not than a path can be. */
static void
deep_directories(void **state)
{
	struct place *p = *state;
	struct dr_buf path = { 0 };

	for (int i = 0; i < 1000; i++)
		dr_buf_adds(&path, "d/");
	dr_buf_adds(&path, "x.txt");
	assert_int_equal(dr_mkdirs_for(p->fd, dr_buf_cstr(&path)), 0);
	contents(p, dr_buf_cstr(&path), "", 0);
	expect_glob(p, "**/*.txt", dr_buf_cstr(&path));
	expect_glob(p, dr_buf_cstr(&path), dr_buf_cstr(&path));
	dr_buf_reset(&path);
	for (int i = 0; i < 70; i++)
		dr_buf_adds(&path, "*/");
	dr_buf_adds(&path, "*");
	args(p, DR_GEN_GLOB, dr_buf_cstr(&path));
	assert_null(make(p));
	assert_non_null(strstr(p->diags.v[0].msg, "too many '/'"));
	dr_buf_free(&path);
}

/* The model: components one after the other, each way tried. */
static bool
model(const char *pattern, const char *path)
{
	size_t n = strcspn(pattern, "/"), m = strcspn(path, "/");

	if (n == 2 && memcmp(pattern, "**", 2) == 0) {
		if (!pattern[n])
			return true;
		return model(pattern + 3, path) || (path[m] && model(pattern, path + m + 1));
	}
	if (!dr_items_match((struct dr_str){ pattern, n }, (struct dr_str){ path, m }))
		return false;
	if (!pattern[n] || !path[m])
		return !pattern[n] && !path[m];
	return model(pattern + n + 1, path + m + 1);
}

static int
by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
any_pattern_on_any_tree(void **state)
{
	static const char *const parts[] = { "**", "*", "a", "b", "a*", "?", "ab", "[!a]*", "**", "a" };
	static const char *const names[] = { "a", "b", "ab", "ba", "x" };
	struct place *p = *state;
	char *paths[200];
	uint64_t seed = 3;
	struct dr_buf all = { 0 }, pattern = { 0 }, rows = { 0 };
	size_t n = 0;

#define RANDOM(k) (seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407, (seed >> 33) % (k))
	for (int i = 0; i < 200; i++) {
		struct dr_buf path = { 0 };
		size_t depth = RANDOM(5);

		for (size_t k = 0; k < depth; k++)
			dr_buf_addf(&path, "%s/", RANDOM(2) ? names[RANDOM(5)] : names[RANDOM(2)]);
		dr_buf_addf(&path, "%s.f", names[RANDOM(5)]);
		if (faccessat(p->fd, path.p, F_OK, 0) == 0) {
			dr_buf_free(&path);
			continue;
		}
		files(p, path.p);
		paths[n++] = path.p;
	}
	qsort(paths, n, sizeof(*paths), by_bytes);
	for (int i = 0; i < 400; i++) {
		size_t depth = RANDOM(5);

		dr_buf_reset(&pattern);
		dr_buf_reset(&rows);
		for (size_t k = 0; k < depth; k++)
			dr_buf_addf(&pattern, "%s/", parts[RANDOM(10)]);
		dr_buf_adds(&pattern, RANDOM(3) ? "*.f" : "**");
		for (size_t k = 0; k < n; k++) {
			if (model(pattern.p, paths[k]))
				dr_buf_addf(&rows, "%s%s", rows.n ? "|" : "", paths[k]);
		}
		args(p, DR_GEN_GLOB, pattern.p);
		p->args.empty_ok = true;
		show(p, &all);
		if (strcmp(dr_buf_cstr(&all), dr_buf_cstr(&rows)) != 0)
			fail_msg("%s: got %s, not %s", pattern.p, dr_buf_cstr(&all), dr_buf_cstr(&rows));
	}
	for (size_t k = 0; k < n; k++)
		free(paths[k]);
	dr_buf_free(&all);
	dr_buf_free(&pattern);
	dr_buf_free(&rows);
}

static bool
match(const char *pattern, const char *name)
{
	return dr_items_match(dr_str(pattern), dr_str(name));
}

static void
matching(void **state)
{
	(void)state;
	assert_true(match("", ""));
	assert_false(match("", "a"));
	assert_true(match("*", ""));
	assert_true(match("a*b*c", "axxbyybzc"));
	assert_false(match("a*b*c", "axxbyybzcd"));
	assert_false(match("*", ".a"));
	assert_false(match("?a", ".a"));
	assert_false(match("[.]a", ".a"));
	assert_true(match(".?", ".a"));
	assert_true(match("\\.?", ".a"));
	assert_true(match("[]]", "]"));
	assert_true(match("[!]]", "a"));
	assert_true(match("[^]a]", "b"));
	assert_true(match("[a-]", "-"));
	assert_true(match("[\\]x]", "]"));
	assert_true(match("[a", "[a"));
	assert_true(match("[[:digit:][:upper:]]x", "7x"));
	assert_true(match("[[:digit:][:upper:]]x", "Qx"));
	assert_false(match("[[:digit:][:upper:]]x", "qx"));
	assert_true(match("a\\", "a\\"));
	assert_true(match("[\xc3\xa0-\xc3\xbf]", "\xc3\xa4"));
	assert_false(match("?", "\xc3\xa4\xc3"));
	assert_true(match("??", "\xc3\xa4\xc3"));
	assert_true(match("*\xa4", "\xa4"));
	/* Half of a character isn't matched, nor what is no character: overlong, half of a pair */
	assert_false(match("*\xa4", "\xc3\xa4"));
	assert_true(match("??", "\xc0\x80"));
	assert_true(match("???", "\xed\xa0\x80"));
}

/* What the C library thinks of the same, where both are defined alike. */
static void
matching_as_fnmatch_does(void **state)
{
	static const char alphabet[] = "ab*?[]!-.\\", letters[] = "ab-].!";
	uint64_t seed = 11;
	unsigned yes = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		char pattern[12], name[8];
		size_t n = RANDOM(10), m = RANDOM(7);

		for (size_t k = 0; k < n; k++)
			pattern[k] = alphabet[RANDOM(sizeof(alphabet) - 1)];
		for (size_t k = 0; k < m; k++)
			name[k] = letters[RANDOM(sizeof(letters) - 1)];
		pattern[n] = name[m] = '\0';
		/* A backslash, ranges that run backwards and sets without an end are a matter of taste. */
		if (strchr(pattern, '\\') || (strchr(pattern, '[') && strchr(pattern, '-')))
			continue;
		if (strchr(pattern, '[') && !strchr(strchr(pattern, '['), ']'))
			continue;
		if (match(pattern, name) != (fnmatch(pattern, name, FNM_PERIOD) == 0))
			fail_msg("'%s' on '%s': fnmatch says %d", pattern, name,
				 fnmatch(pattern, name, FNM_PERIOD));
		yes += match(pattern, name);
	}
	assert_true(yes > 1000);
}

/* Of patterns that only say how a name ends, both say the same: also of bytes that are parts of characters, or of none. */
static void
matching_ends(void **state)
{
	static const char alphabet[] = "*a.\xc3\xa4?", letters[] = "a.\xc3\xa4";
	uint64_t seed = 12;
	unsigned tails = 0, yes = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		char pattern[8], name[8];
		struct dr_str p = { pattern, 1 + RANDOM(4) }, s = { name, 1 + RANDOM(5) };

		for (size_t k = 0; k < p.n; k++)
			pattern[k] = k ? alphabet[RANDOM(sizeof(alphabet) - 1)] : '*';
		for (size_t k = 0; k < s.n; k++)
			name[k] = letters[RANDOM(sizeof(letters) - 1)];
		if (!dr_items_is_tail(p))
			continue;
		tails++;
		yes += dr_items_ends(p, s);
		assert_int_equal(dr_items_ends(p, s), dr_items_match(p, s));
	}
	assert_true(tails > 10000 && yes > 1000);
	assert_true(dr_items_is_tail(DR_STR("*")));
	assert_true(dr_items_is_tail(DR_STR("*.t\xc3\xa4")));
	assert_false(dr_items_is_tail(DR_STR("")));
	assert_false(dr_items_is_tail(DR_STR("a*")));
	assert_false(dr_items_is_tail(DR_STR("**")));
	assert_false(dr_items_is_tail(DR_STR("*\\a")));
	assert_false(dr_items_is_tail(DR_STR("*\xa4")));
}

static void
sorting(void **state)
{
	uint64_t seed = 5;

	(void)state;
	for (int round = 0; round < 60; round++) {
		struct dr_buf b = { 0 };
		size_t want = RANDOM(round % 4 ? 600 : 9000);
		char **v = calloc(want + 1, sizeof(*v));
		uint64_t *at;
		uint32_t n;
		size_t distinct = 0, k = 0;

		assert_non_null(v);
		for (size_t i = 0; i < want; i++) {
			size_t len = RANDOM(round % 3 ? 4 : 30);

			dr_buf_adds(&b, round % 2 ? "common/prefix/" : "");
			for (size_t c = 0; c < len; c++)
				dr_buf_addc(&b, "ab\xff"[RANDOM(3)]);
			dr_buf_addc(&b, '\0');
		}
		for (size_t i = 0; i < b.n; i += strlen(b.p + i) + 1)
			v[k++] = b.p + i;
		qsort(v, want, sizeof(*v), by_bytes);
		at = dr_items_sort(dr_buf_cstr(&b), b.n, &n);
		assert_non_null(at);
		for (size_t i = 0; i < want; i++) {
			if (i && strcmp(v[i], v[i - 1]) == 0)
				continue;
			assert_true(distinct < n);
			assert_string_equal(b.p + at[distinct], v[i]);
			distinct++;
		}
		assert_int_equal(distinct, n);
		free(at);
		free(v);
		dr_buf_free(&b);
	}
}

static void
expect_range(struct place *p, int64_t from, int64_t to, uint64_t step, uint32_t width, const char *rows)
{
	args(p, DR_GEN_RANGE, "");
	p->args.range = (struct dr_range){ from, to, step, width };
	expect(p, rows);
}

static void
ranges(void **state)
{
	struct place *p = *state;
	struct dr_items *it;
	struct dr_buf row = { 0 };

	expect_range(p, 1, 5, 1, 0, "1|2|3|4|5");
	expect_range(p, 5, 1, 2, 0, "5|3|1");
	expect_range(p, 1, 10, 4, 3, "001|005|009");
	expect_range(p, -1, 1, 1, 2, "-01|00|01");
	expect_range(p, 7, 7, 1, 0, "7");
	expect_range(p, 9, 11, 1, 2, "09|10|11");
	expect_range(p, INT64_MAX - 1, INT64_MAX, 1, 0, "9223372036854775806|9223372036854775807");
	expect_range(p, INT64_MIN, INT64_MAX, UINT64_MAX, 0, "-9223372036854775808|9223372036854775807");
	expect_range(p, INT64_MAX, INT64_MIN, UINT64_MAX, 0, "9223372036854775807|-9223372036854775808");
	args(p, DR_GEN_RANGE, "");
	p->args.range = (struct dr_range){ 0, INT64_MAX, 1, 0 };
	assert_null(make(p));
	assert_int_equal(p->diags.total, 1);
	/* A range costs nothing, however long it is. */
	p->args.range = (struct dr_range){ 1, 1000000, 1, 7 };
	it = make(p);
	assert_non_null(it);
	assert_int_equal(dr_items_rows(it), 1000000);
	assert_false(dr_items_files(it));
	dr_items_row(it, 999999, &row);
	assert_string_equal(dr_buf_cstr(&row), "1000000");
	dr_items_free(it);
	dr_buf_free(&row);
}

static void
lists(void **state)
{
	struct place *p = *state;
	struct dr_items *it;

	args(p, DR_GEN_LIST, "b a * b");
	expect(p, "b|a|*|b");
	it = make(p);
	assert_false(dr_items_files(it));
	dr_items_free(it);
	args(p, DR_GEN_LIST, "");
	expect(p, "!args 'x': the list is empty" EMPTY);
	p->args.empty_ok = true;
	expect(p, "");
	/* A word may be empty. */
	args(p, DR_GEN_LIST, "a b");
	p->args.words[0] = text_template(p, "", 0);
	expect(p, "|b");
}

static void
expect_lines(struct place *p, const char *bytes, size_t n, const char *rows)
{
	contents(p, "rows", bytes, n);
	args(p, DR_GEN_LINES, "rows");
	expect(p, rows);
}

#define LINES(lit) lit, sizeof(lit) - 1

static void
lines(void **state)
{
	struct place *p = *state;
	struct dr_items *it;

	expect_lines(p, LINES("a\nb c\n d \n"), "a|b c| d ");
	expect_lines(p, LINES("a\nb"), "a|b");
	expect_lines(p, LINES("\n\na\n\n\nb\n\n"), "a|b");
	expect_lines(p, LINES("a\r\nb\r\n"), "a\r|b\r");
	expect_lines(p, LINES(" \n"), " ");
	expect_lines(p, LINES("\xff\xfe\n"), "\xff\xfe");
	expect_lines(p, LINES(""), "!args 'x': there is no line to read" EMPTY);
	expect_lines(p, LINES("\n\n"), "!args 'x': there is no line to read" EMPTY);
	p->args.empty_ok = true;
	expect(p, "");
	expect_lines(p, LINES("a\nb\nc\0d\n"),
		     "!args 'x': 'rows' has a byte 0 in line 3, which no argument can hold");
	/* A file that ends within a line doesn't run into the next. */
	contents(p, "one", LINES("a\nb"));
	contents(p, "two", LINES("c\n"));
	args(p, DR_GEN_LINES, "one two one");
	expect(p, "a|b|c|a|b");
	it = make(p);
	assert_false(dr_items_files(it));
	dr_items_free(it);
	args(p, DR_GEN_LINES, "gone one lost");
	expect(p, "!args 'x': cannot read 'gone': No such file or directory"
		  "!args 'x': cannot read 'lost': No such file or directory");
	files(p, "sub/");
	args(p, DR_GEN_LINES, "sub");
	expect(p, "!args 'x': cannot read 'sub': Is a directory");
}

static void
lines_of_standard_input(void **state)
{
	struct place *p = *state;
	int fds[2];

	args(p, DR_GEN_LINES, "-");
	expect(p, "!args 'x': standard input cannot be read here");
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(dr_write_full(fds[1], "a\nb\n", 4), 0);
	close(fds[1]);
	p->input = fds[0];
	expect(p, "a|b");
	close(fds[0]);
}

static void
many_rows(void **state)
{
	struct place *p = *state;
	struct dr_buf text = { 0 }, row = { 0 };
	struct dr_items *it;

	for (int i = 0; i < 200000; i++)
		dr_buf_addf(&text, "row %d\n", i);
	contents(p, "rows", text.p, text.n);
	args(p, DR_GEN_LINES, "rows");
	it = make(p);
	assert_non_null(it);
	assert_int_equal(dr_items_rows(it), 200000);
	dr_items_row(it, 199999, &row);
	assert_string_equal(row.p, "row 199999");
	dr_items_free(it);
	dr_buf_free(&row);
	dr_buf_free(&text);
}

static void
drop(struct place *p, const char *bits, const char *rows)
{
	struct dr_items *it = make(p);
	struct dr_buf got = { 0 };
	uint8_t bitmap[4] = { 0 };

	assert_non_null(it);
	for (size_t i = 0; bits[i]; i++)
		bitmap[i / 8] |= (uint8_t)((bits[i] == 'x') << i % 8);
	assert_int_equal(dr_items_drop(it, bitmap, NULL), 0);
	/* Nothing more goes the second time. */
	memset(bitmap, 0, sizeof(bitmap));
	assert_int_equal(dr_items_drop(it, bitmap, NULL), 0);
	for (uint32_t i = 0; i < dr_items_rows(it); i++) {
		dr_buf_adds(&got, i ? "|" : "");
		dr_items_row(it, i, &got);
	}
	assert_string_equal(dr_buf_cstr(&got), rows);
	dr_buf_free(&got);
	dr_items_free(it);
}

static void
dropping(void **state)
{
	struct place *p = *state;
	struct dr_items *it;

	files(p, "a b c d e f g h i j");
	args(p, DR_GEN_GLOB, "*");
	it = make(p);
	assert_true(dr_items_files(it));
	dr_items_free(it);
	drop(p, "x.......xx", "b|c|d|e|f|g|h");
	drop(p, "..........", "a|b|c|d|e|f|g|h|i|j");
	drop(p, "xxxxxxxxxx", "");
	args(p, DR_GEN_RANGE, "");
	p->args.range = (struct dr_range){ 1, 9, 1, 0 };
	drop(p, ".x.......x", "1|3|4|5|6|7|8|9");
	drop(p, "xxxxxxxxx.", "");
}

/* args x with a command: shell text, or else words. */
static void
command(struct place *p, bool shell, const char *text)
{
	args(p, DR_GEN_COMMAND, shell ? "" : text);
	p->args.command = (struct dr_command){ .shell = shell, .source = dr_str(text), .pos = { 0, 2, 3 } };
	p->args.command.words = p->args.words;
	p->args.command.n_words = p->args.n_words;
	p->args.n_words = 0;
	if (shell)
		p->args.command.text = text_template(p, text, strlen(text));
}

/* What commands say on standard error isn't for the test's log. */
static int
mute(void)
{
	int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	assert_true(saved >= 0 && null >= 0);
	assert_true(dup2(null, STDERR_FILENO) >= 0);
	close(null);
	return saved;
}

static void
unmute(int saved)
{
	dup2(saved, STDERR_FILENO);
	close(saved);
}

static void
commands(void **state)
{
	struct place *p = *state;

	files(p, "one.txt two.txt");
	command(p, false, "ls");
	expect(p, "one.txt|two.txt");
	command(p, true, "for i in 1 2 3; do echo \"row $i\"; echo; done");
	expect(p, "row 1|row 2|row 3");
	command(p, true, "printf 'a\\nb'");
	expect(p, "a|b");
	/* Standard input is empty; the working directory is the root. */
	command(p, true, "cat; ls one.txt");
	expect(p, "one.txt");
	command(p, true, "exec >&-; true");
	expect(p, "!args 'x': the command printed no line" EMPTY);
	p->args.empty_ok = true;
	expect(p, "");
	command(p, true, "printf 'a\\000b\\n'");
	expect(p, "!args 'x': 'the command's output' has a byte 0 in line 1, which no argument can hold");
}

/* More than a pipe holds, and written after the command's own end */
static void
much_output_of_a_child_left_behind(void **state)
{
	struct place *p = *state;
	struct dr_items *it;

	command(p, true, "(i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done) &");
	it = make(p);
	assert_non_null(it);
	assert_int_equal(dr_items_rows(it), 20000);
	dr_items_free(it);
}

static void
commands_with_redirections(void **state)
{
	struct place *p = *state;
	struct dr_redirect r[2] = { { .kind = DR_REDIRECT_READ, .fd = 0 },
				    { .kind = DR_REDIRECT_DUP, .fd = 2, .dup_from = 1 } };

	contents(p, "in", LINES("x\ny\n"));
	command(p, false, "cat");
	r[0].target = text_template(p, "in", 2);
	p->args.command.redirects = r;
	p->args.command.n_redirects = 2;
	expect(p, "x|y");
	r[0].target = text_template(p, "gone", 4);
	expect(p, "!args 'x': cannot open 'gone': No such file or directory");
	assert_int_equal(p->diags.v[0].line, 2);
	assert_int_equal(p->diags.v[0].col, 3);
}

static void
commands_that_fail(void **state)
{
	struct place *p = *state;
	int saved = mute();
	struct dr_buf shown = { 0 };

	command(p, true, "echo row; echo oops >&2; echo 'no good' >&2; exit 3");
	expect(p, "!args 'x': the command exited with 3: oops / no good");
	command(p, true, "exit 1");
	expect(p, "!args 'x': the command exited with 1");
	command(p, true, "kill -9 $$");
	expect(p, "!args 'x': the command was ended by SIGKILL");
	command(p, true, "i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1");
	expect(p, "!args 'x': the command exited with 1: line 2997 / line 2998 / line 2999");
	command(p, true, "i=0; while [ $i -lt 3000 ]; do printf long >&2; i=$((i+1)); done; exit 1");
	show(p, &shown);
	assert_true(shown.n < 800);
	assert_non_null(strstr(shown.p, "longlong"));
	dr_buf_free(&shown);
	command(p, false, "dagrun-test-no-such-program");
	expect(p, "!args 'x': cannot start dagrun-test-no-such-program (not in PATH; here it would be "
		  "./dagrun-test-no-such-program): No such file or directory");
	unmute(saved);
}

/* What it says passes through as it is. */
static void
commands_are_heard(void **state)
{
	struct place *p = *state;
	int saved = dup(STDERR_FILENO), fds[2];
	char said[64];
	ssize_t n;

	assert_true(saved >= 0);
	assert_int_equal(pipe(fds), 0);
	assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
	close(fds[1]);
	command(p, true, "echo hear me >&2; echo row");
	expect(p, "row");
	unmute(saved);
	n = dr_read_full(fds[0], said, sizeof(said) - 1);
	assert_true(n >= 0);
	said[n] = '\0';
	assert_string_equal(said, "hear me\n");
	close(fds[0]);
}

/* A child that keeps standard error open is not waited for; it ends when the test closes the fifo. */
static void
commands_that_leave_a_daemon(void **state)
{
	struct place *p = *state;
	int fd;

	assert_int_equal(mkfifoat(p->fd, "fifo", 0600), 0);
	fd = openat(p->fd, "fifo", O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	command(p, true, "(exec >/dev/null; read x <fifo) & echo row");
	expect(p, "row");
	assert_int_equal(dr_write_full(fd, "\n", 1), 0);
	close(fd);
}

/* Who started us ignores SIGCHLD: children are waited for all the same. */
static void
commands_where_children_are_ignored(void **state)
{
	struct place *p = *state;
	struct sigaction was, now;
	int saved = mute();

	signal(SIGCHLD, SIG_IGN);
	command(p, true, "echo row; exit 4");
	expect(p, "!args 'x': the command exited with 4");
	sigaction(SIGCHLD, NULL, &now);
	was = now;
	was.sa_handler = SIG_DFL;
	sigaction(SIGCHLD, &was, NULL);
	assert_true(now.sa_handler == SIG_IGN);
	unmute(saved);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(globs),
		TEST(words_that_are_files),
		TEST(paths_are_normal),
		TEST(links),
		TEST(never_our_own),
		TEST(names_of_any_kind),
		TEST(what_matches_nothing),
		TEST(directories_that_cannot_be_read),
		TEST(deep_directories),
		TEST(any_pattern_on_any_tree),
		TEST(matching),
		TEST(matching_as_fnmatch_does),
		TEST(matching_ends),
		TEST(sorting),
		TEST(ranges),
		TEST(lists),
		TEST(lines),
		TEST(lines_of_standard_input),
		TEST(many_rows),
		TEST(dropping),
		TEST(commands),
		TEST(much_output_of_a_child_left_behind),
		TEST(commands_with_redirections),
		TEST(commands_that_fail),
		TEST(commands_are_heard),
		TEST(commands_that_leave_a_daemon),
		TEST(commands_where_children_are_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
