#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "err.h"
#include "hash.h"
#include "template.h"

/* Values that a test sets: inputs, and one text for everything else. */
struct fake {
	const char *in[4];
	uint32_t n_in;
	const char *other;
	bool fail;
};

static uint32_t
count(void *ctx, const struct dr_piece *p)
{
	const struct fake *f = ctx;

	assert_true(dr_piece_counted(p));
	return p->kind == DR_PH_ARG ? 1 : f->n_in;
}

static int
get(void *ctx, const struct dr_piece *p, uint32_t i, struct dr_buf *buf, struct dr_err *err)
{
	const struct fake *f = ctx;

	if (f->fail)
		return dr_err_set(err, DR_USAGE, "no value");
	dr_buf_adds(buf, p->kind == DR_PH_IN ? f->in[i] : f->other);
	return 0;
}

static struct dr_piece
text(const char *s)
{
	return (struct dr_piece){ .kind = DR_PH_TEXT, .text = dr_str(s) };
}

static struct dr_piece
let(const char *s)
{
	return (struct dr_piece){ .kind = DR_PH_LET, .text = dr_str(s) };
}

static struct dr_piece
place(enum dr_ph kind, const char *mods)
{
	struct dr_piece p = { .kind = kind, .text = dr_str("x") };

	for (; *mods; mods++)
		p.mods[p.n_mods++] = (uint8_t)(strchr("nsed", *mods) - "nsed");
	return p;
}

static void
check_modify(const char *path, const char *name, const char *stem, const char *ext, const char *dir)
{
	const char *const want[DR_MODIFIERS] = {
		[DR_MOD_NAME] = name,
		[DR_MOD_STEM] = stem,
		[DR_MOD_EXT] = ext,
		[DR_MOD_DIR] = dir,
	};

	for (int m = 0; m < DR_MODIFIERS; m++) {
		struct dr_str got = dr_modify(dr_str(path), (enum dr_modifier)m);

		if (!dr_str_is(got, want[m]))
			fail_msg("modifier %d of '%s' is '%.*s', not '%s'", m, path, (int)got.n, got.p,
				 want[m]);
	}
}

static void
test_modify(void **state)
{
	(void)state;
	check_modify("a/b.tar.gz", "b.tar.gz", "b.tar", ".gz", "a");
	check_modify("b.tar", "b.tar", "b", ".tar", ".");
	check_modify("a/b/c", "c", "c", "", "a/b");
	check_modify("/c.x", "c.x", "c", ".x", "/");
	check_modify("//c.x", "c.x", "c", ".x", "/");
	check_modify("a//c.x", "c.x", "c", ".x", "a");
	check_modify(".bashrc", ".bashrc", ".bashrc", "", ".");
	check_modify("a/.b.c", ".b.c", ".b", ".c", "a");
	check_modify("..", "..", "..", "", ".");
	check_modify("a.b/c", "c", "c", "", "a.b");
	check_modify("x.", "x.", "x", ".", ".");
	check_modify("a/b/", "b", "b", "", "a");
	check_modify("/", "/", "/", "", "/");
	check_modify("", "", "", "", ".");
}

static void
expand(const struct dr_template *t, struct fake *f, const char *want)
{
	const struct dr_values v = { f, count, get };
	struct dr_buf out = { 0 };
	struct dr_err err;

	dr_buf_adds(&out, "<");
	assert_int_equal(dr_template_expand(t, &v, &out, &err), 0);
	assert_string_equal(dr_buf_cstr(&out) + 1, want);
	assert_int_equal(out.n, strlen(want) + 1);
	dr_buf_free(&out);
}

static void
test_expand(void **state)
{
	struct fake f = { .in = { "d/a.tar.gz", "b" }, .n_in = 1, .other = "o/p.q" };
	struct dr_piece p[] = { text("x-"), place(DR_PH_IN, ""), let(" l "), place(DR_PH_ARG, "s") };

	(void)state;
	expand(&(struct dr_template){ p, 4, { 0 } }, &f, "x-d/a.tar.gz l p");
	p[1] = place(DR_PH_IN, "ss");
	expand(&(struct dr_template){ p, 2, { 0 } }, &f, "x-a");
	p[1] = place(DR_PH_IN, "dd");
	expand(&(struct dr_template){ p, 2, { 0 } }, &f, "x-.");
	p[1] = place(DR_PH_IN, "ne");
	expand(&(struct dr_template){ p, 2, { 0 } }, &f, "x-.gz");
	p[1] = place(DR_PH_IN, "n");
	f.n_in = 2;
	expand(&(struct dr_template){ p, 2, { 0 } }, &f, "x-a.tar.gz b");
	f.n_in = 0;
	expand(&(struct dr_template){ p, 2, { 0 } }, &f, "x-");
	f.other = "";
	p[1] = place(DR_PH_ARG, "d");
	expand(&(struct dr_template){ p, 2, { 0 } }, &f, "x-.");
	expand(&(struct dr_template){ NULL, 0, { 0 } }, &f, "");
}

static void
test_no_value(void **state)
{
	struct fake f = { .fail = true };
	const struct dr_values v = { &f, count, get };
	struct dr_piece p[] = { text("x"), place(DR_PH_OUT, "") };
	struct dr_buf out = { 0 };
	struct dr_err err;

	(void)state;
	assert_int_equal(dr_template_expand(&(struct dr_template){ p, 2, { 0 } }, &v, &out, &err), -1);
	assert_string_equal(err.msg, "no value");
	dr_buf_free(&out);
}

static void
test_constant(void **state)
{
	struct dr_piece p[] = { text("a/"), let("b c"), place(DR_PH_IN, "") };
	const struct dr_template known = { p, 2, { 0 } }, open = { p, 3, { 0 } }, empty = { NULL, 0, { 0 } };
	struct dr_buf out = { 0 };

	(void)state;
	assert_true(dr_template_constant(&known));
	assert_true(dr_template_constant(&empty));
	assert_false(dr_template_constant(&open));
	assert_true(dr_template_has(&open, DR_PH_IN));
	assert_false(dr_template_has(&open, DR_PH_OUT));
	dr_template_text(&known, &out);
	assert_string_equal(dr_buf_cstr(&out), "a/b c");
	dr_buf_free(&out);
}

static struct dr_hash128
hash(struct dr_piece *p, uint32_t n, struct fake *f)
{
	const struct dr_values v = { f, count, get };
	struct dr_hasher *h = dr_hasher_new();
	struct dr_buf scratch = { 0 };
	struct dr_hash128 got;
	struct dr_err err;

	assert_non_null(h);
	assert_int_equal(dr_template_hash(&(struct dr_template){ p, n, { 0 } }, &v, h, &scratch, &err), 0);
	got = dr_hasher_end(h);
	dr_hasher_free(h);
	dr_buf_free(&scratch);
	return got;
}

static bool
same(struct dr_piece *a, uint32_t n_a, struct fake *fa, struct dr_piece *b, uint32_t n_b, struct fake *fb)
{
	return dr_hash128_eq(hash(a, n_a, fa), hash(b, n_b, fb));
}

static void
test_hash(void **state)
{
	struct fake one = { .in = { "ab", "c" }, .n_in = 2, .other = "x" };
	struct fake two = { .in = { "a", "bc" }, .n_in = 2, .other = "y" };
	struct dr_piece in[] = { text("cat "), place(DR_PH_IN, "") }, arg[] = { place(DR_PH_ARG, "") };
	struct dr_piece apart[] = { text("a"), text("bc") }, other[] = { text("ab"), text("c") };
	struct dr_piece quoted[] = { text("x") };

	(void)state;
	assert_true(same(in, 2, &one, in, 2, &one));
	assert_false(same(in, 2, &one, in, 2, &two));
	assert_false(same(arg, 1, &one, arg, 1, &two));
	assert_false(same(apart, 2, &one, other, 2, &one));
	/* A value is not the text that looks like it. */
	assert_false(same(arg, 1, &one, quoted, 1, &one));
	for (int k = DR_PH_TMP; k <= DR_PH_ATTEMPT; k++) {
		struct dr_piece free_one[] = { place((enum dr_ph)k, "") };

		assert_true(same(free_one, 1, &one, free_one, 1, &two));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modify),   cmocka_unit_test(test_expand),
		cmocka_unit_test(test_no_value), cmocka_unit_test(test_constant),
		cmocka_unit_test(test_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
