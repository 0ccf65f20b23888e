#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "os.h"
#include "parse.h"
#include "parsed.h"

/* What a pipeline holds of generators. What errors look like, the cases in tests/spec say. */

static void
expect_error(struct place *pl, const char *text, const char *message)
{
	assert_int_equal(parse(pl, text), -1);
	assert_true(pl->diags.n > 0);
	assert_string_equal(pl->diags.v[0].msg, message);
}

static void
contents(struct place *pl, const char *name, const char *bytes, size_t n)
{
	int fd = openat(pl->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	assert_true(fd >= 0);
	assert_int_equal(dr_write_full(fd, bytes, n), 0);
	close(fd);
}

/* The names of an args' columns, with blanks between them. */
static void
expect_columns(const struct dr_args *a, const char *columns)
{
	struct dr_buf got = { 0 };

	for (uint32_t i = 0; i < a->n_columns; i++) {
		dr_buf_adds(&got, i ? " " : "");
		dr_buf_addstr(&got, a->columns[i]);
	}
	assert_string_equal(dr_buf_cstr(&got), columns);
	dr_buf_free(&got);
}

static void
test_defaults(void **state)
{
	struct place *pl = *state;
	const struct dr_args *a;

	parse_well(pl, "args r\n  list = a\n");
	a = pl->p->args;
	assert_int_equal(a->n_columns, 0);
	assert_int_equal(a->n_where, 0);
	assert_int_equal(a->sort, DR_SORT_DEFAULT);
	assert_int_equal(a->limit, 0);
	assert_int_equal(a->batch, 0);
	assert_false(a->unique);
	assert_false(a->empty_ok);
	assert_false(a->vanished_error);
	assert_false(a->files);
}

static void
test_shaping(void **state)
{
	struct place *pl = *state;
	const struct dr_args *a;

	parse_well(pl,
		   "args r\n  vanished = error\n  batch = 3\n  limit = 20\n  unique = yes\n"
		   "  sort = natural\n  where = {arg} ~ ^(a)(b)\n  columns = x y z\n  where = {x} !~ (c)\n"
		   "  where = {y.stem} ~ (d)\n  empty = ok\n  glob = *\n");
	a = pl->p->args;
	assert_true(a->vanished_error && a->unique && a->empty_ok && a->files);
	assert_int_equal(a->batch, 3);
	assert_int_equal(a->limit, 20);
	assert_int_equal(a->sort, DR_SORT_NATURAL);
	assert_int_equal(a->n_where, 3);
	assert_string_equal(a->where[0].regex, "^(a)(b)");
	assert_int_equal(a->where[0].n_groups, 2);
	assert_int_equal(a->where[0].subject.pieces[0].kind, DR_PH_ARG);
	assert_true(a->where[1].unlike);
	assert_int_equal(a->where[1].n_groups, 0);
	assert_int_equal(a->where[1].subject.pieces[0].kind, DR_PH_COLUMN);
	assert_int_equal(a->where[1].subject.pieces[0].index, 0);
	assert_int_equal(a->where[2].subject.pieces[0].index, 1);
	assert_int_equal(a->where[2].subject.pieces[0].n_mods, 1);
	assert_int_equal(a->where[2].n_groups, 1);
	assert_int_equal(a->where[2].pos.line, 10);
	assert_int_equal(a->n_groups, 3);
	expect_columns(a, "x y z");
}

static void
test_columns(void **state)
{
	static const char csv[] = "sample,\"la\"\"ne\",\n1,2,3\n";
	struct place *pl = *state;

	contents(pl, "in.csv", csv, sizeof(csv) - 1);
	contents(pl, "in.tsv",
		 "\xef\xbb\xbf"
		 "a\tb c\r\n",
		 10);
	parse_well(pl, "args csv\n  csv = in.csv\nargs tsv\n  tsv = in.tsv\n"
		       "args own\n  tsv = in.tsv\n  columns = x y\nargs list\n  list = a\n"
		       "args all\n  product = list csv tsv\n  where = {sample} ~ ((.).)\n  columns = g h\n"
		       "args more\n  zip = all own\nargs same\n  concat = more more\n");
	assert_true(pl->p->args[0].header);
	expect_columns(&pl->p->args[0], "sample la\"ne ");
	expect_columns(&pl->p->args[1], "a b c");
	assert_int_equal(pl->p->args[1].n_columns, 2);
	assert_false(pl->p->args[2].header);
	expect_columns(&pl->p->args[2], "x y");
	expect_columns(&pl->p->args[4], "list sample la\"ne  a b c g h");
	assert_int_equal(pl->p->args[4].n_groups, 2);
	assert_int_equal(pl->p->args[4].where[0].subject.pieces[0].index, 1);
	expect_columns(&pl->p->args[5], "list sample la\"ne  a b c g h x y");
	expect_columns(&pl->p->args[6], "list sample la\"ne  a b c g h x y");
	assert_int_equal(pl->p->args[6].n_parts, 2);
	assert_int_equal(pl->p->args[6].parts[0], 5);
}

/* Columns go on through maps, and by their place in the rows. */
static void
test_columns_of_stages(void **state)
{
	struct place *pl = *state;

	parse_well(pl, "map two\n  each = one\n  run = x {b}\n"
		       "map one\n  each = r\n  out = {a}\n  run = x {b.dir}\n"
		       "args r\n  csv = none\n  columns = a b\n");
	assert_int_equal(pl->p->stages[0].run.words[1].pieces[0].kind, DR_PH_COLUMN);
	assert_int_equal(pl->p->stages[0].run.words[1].pieces[0].index, 1);
	assert_int_equal(pl->p->stages[1].outputs[0].path.pieces[0].kind, DR_PH_COLUMN);
	assert_int_equal(pl->p->stages[1].outputs[0].path.pieces[0].index, 0);
	assert_int_equal(pl->p->stages[1].run.words[1].pieces[0].mods[0], DR_MOD_DIR);
}

static void
test_long_headers(void **state)
{
	struct place *pl = *state;
	struct dr_buf text = { 0 };

	for (int i = 0; i < 50000; i++)
		dr_buf_addf(&text, "%scolumn%d", i ? "," : "", i);
	dr_buf_adds(&text, "\n1,2\n");
	contents(pl, "in.csv", text.p, text.n);
	parse_well(pl, "args r\n  csv = in.csv\n");
	assert_int_equal(pl->p->args[0].n_columns, 50000);
	while (text.n < 2000000)
		dr_buf_addc(&text, 'x');
	memset(text.p, 'x', text.n);
	contents(pl, "in.csv", text.p, text.n);
	expect_error(pl, "args r\n  csv = in.csv\n",
		     "the first record of 'in.csv' has no end within a million bytes");
	dr_buf_free(&text);
}

/* Products of products are looked up from one to the next, so there is an end to it. */
static void
test_depth(void **state)
{
	struct place *pl = *state;
	struct dr_buf text = { 0 };

	dr_buf_adds(&text, "args p0\n  list = a\n");
	for (int i = 1; i < 64; i++)
		dr_buf_addf(&text, "args p%d\n  concat = p%d\n", i, i - 1);
	parse_well(pl, dr_buf_cstr(&text));
	dr_buf_adds(&text, "args p64\n  concat = p63\nargs p65\n  concat = p64\n");
	expect_error(pl, dr_buf_cstr(&text), "args 'p64' is made of others, 64 deep or more");
	assert_int_equal(pl->diags.total, 1);
	/* In the other order the last is met first. */
	dr_buf_reset(&text);
	for (int i = 63; i > 0; i--)
		dr_buf_addf(&text, "args p%d\n  concat = p%d\n", i, i - 1);
	dr_buf_adds(&text, "args p0\n  list = a\n");
	parse_well(pl, dr_buf_cstr(&text));
	dr_buf_reset(&text);
	for (int i = 1000; i > 0; i--)
		dr_buf_addf(&text, "args p%d\n  concat = p%d\n", i, i - 1);
	dr_buf_adds(&text, "args p0\n  list = a\n");
	assert_int_equal(parse(pl, dr_buf_cstr(&text)), -1);
	/* A long circle is an end, too. */
	dr_buf_reset(&text);
	for (int i = 0; i < 50; i++)
		dr_buf_addf(&text, "args p%d\n  concat = p%d\n", i, (i + 1) % 50);
	expect_error(pl, dr_buf_cstr(&text), "args 'p0' is made of itself");
	dr_buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shaping, setup, teardown),
		cmocka_unit_test_setup_teardown(test_columns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_columns_of_stages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_headers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
