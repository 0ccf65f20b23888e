#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "items.h"
#include "os.h"
#include "private-dir.h"

/* What is made of generators: records, products, and what shapes them. The globs, ranges, lines and commands
 * that they begin with are in test-items. */

enum { ARGS = 4, WHERE = 3 };

struct place {
	char path[4096];
	int fd;
	struct dr_pipeline pipeline;
	struct dr_source source;
	struct dr_args args[ARGS]; /* a, b, c, d: those behind may be made of those before */
	struct dr_items *items[ARGS];
	struct dr_condition where[WHERE];
	struct dr_piece pieces[WHERE];
	uint32_t parts[ARGS];
	struct dr_str columns[8];
	struct dr_diags diags;
	struct dr_err err;
};

static int
setup(void **state)
{
	static const char *const names[ARGS] = { "a", "b", "c", "d" };
	struct place *p = calloc(1, sizeof(*p));

	if (!p || private_dir("dr-rows-", p->path, sizeof(p->path)))
		return -1;
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	p->source = (struct dr_source){ .name = "Dagfile", .text = DR_STR("args x\n  rows = here\n") };
	p->pipeline.sources = &p->source;
	p->pipeline.n_sources = 1;
	p->pipeline.args = p->args;
	p->pipeline.n_args = ARGS;
	for (uint32_t i = 0; i < ARGS; i++) {
		p->args[i] = (struct dr_args){ .name = dr_str(names[i]), .pos = { 0, 1, 1 } };
		p->parts[i] = i;
	}
	*state = p;
	return p->fd < 0 ? -1 : 0;
}

static void
forget(struct place *p)
{
	for (uint32_t i = ARGS; i-- > 0;) {
		dr_items_free(p->items[i]);
		p->items[i] = NULL;
	}
}

static int
teardown(void **state)
{
	struct place *p = *state;

	forget(p);
	dr_remove_tree(AT_FDCWD, p->path);
	dr_close(&p->fd);
	dr_diags_free(&p->diags);
	dr_arena_free(&p->pipeline.arena);
	free(p);
	return 0;
}

/* Words with blanks between them, as constant templates. */
static void
list(struct place *p, uint32_t a, enum dr_generator kind, const char *words)
{
	struct dr_args *args = &p->args[a];

	args->kind = kind;
	args->n_words = 0;
	args->words = dr_arena_array(&p->pipeline.arena, strlen(words) + 1, sizeof(*args->words));
	while (*words) {
		size_t n = strcspn(words, " ");
		struct dr_piece *piece = dr_arena_alloc(&p->pipeline.arena, sizeof(*piece));

		assert_non_null(piece);
		piece->text = (struct dr_str){ words, n };
		args->words[args->n_words++] =
			(struct dr_template){ .pieces = piece, .n = 1, .pos = { 0, 2, 10 } };
		words += n + strspn(words + n, " ");
	}
}

static void
range(struct place *p, uint32_t a, int64_t from, int64_t to)
{
	p->args[a].kind = DR_GEN_RANGE;
	p->args[a].range = (struct dr_range){ from, to, 1, 0 };
}

/* The next ones are parts of this one. */
static void
composite(struct place *p, uint32_t a, enum dr_generator kind, uint32_t n_parts, uint32_t n_columns)
{
	p->args[a].kind = kind;
	p->args[a].parts = p->parts;
	p->args[a].n_parts = n_parts;
	p->args[a].columns = p->columns;
	p->args[a].n_columns = n_columns;
}

static void
contents(struct place *p, const char *name, const char *bytes, size_t n)
{
	int fd = openat(p->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	assert_true(fd >= 0);
	assert_int_equal(dr_write_full(fd, bytes, n), 0);
	close(fd);
}

/* The rows of the i-th; those before it are there. NULL: diags or err. */
static struct dr_items *
make(struct place *p, uint32_t i)
{
	const struct dr_items_options o = { .root = p->fd, .standard_input = -1 };

	dr_diags_free(&p->diags);
	p->err.msg[0] = '\0';
	dr_items_free(p->items[i]);
	p->items[i] = NULL;
	if (dr_items_make(&p->pipeline, &p->args[i], p->items, &o, &p->items[i], &p->diags, &p->err)) {
		assert_null(p->items[i]);
		assert_true(p->diags.total > 0 || p->err.msg[0]);
	}
	return p->items[i];
}

/* The values with '|' between them, of a batch with '+'; columns behind a ':'; or "!" and what was wrong. */
static void
expect(struct place *p, uint32_t a, const char *rows)
{
	const struct dr_items *it = make(p, a);
	struct dr_buf got = { 0 };

	for (uint32_t r = 0; it && r < dr_items_rows(it); r++) {
		uint32_t first, n = dr_items_row_values(it, r, &first);

		dr_buf_adds(&got, r ? "|" : "");
		for (uint32_t v = 0; v < n; v++) {
			dr_buf_adds(&got, v ? "+" : "");
			dr_items_value(it, first + v, &got);
			for (uint32_t c = 0; c < p->args[a].n_columns; c++) {
				dr_buf_addc(&got, ':');
				dr_items_value_column(it, first + v, c, &got);
			}
		}
	}
	for (uint32_t i = 0; !it && i < p->diags.n; i++)
		dr_buf_addf(&got, "!%s", p->diags.v[i].msg);
	assert_string_equal(dr_buf_cstr(&got), rows);
	dr_buf_free(&got);
}

static void
condition(struct place *p, uint32_t a, const char *regex, bool unlike, uint32_t groups)
{
	struct dr_args *args = &p->args[a];
	uint32_t n = args->n_where++;

	p->pieces[n] = (struct dr_piece){ .kind = DR_PH_ARG };
	p->where[n] = (struct dr_condition){
		.subject = { .pieces = &p->pieces[n], .n = 1 },
		.regex = regex,
		.unlike = unlike,
		.n_groups = groups,
		.pos = { 0, 2, 3 },
	};
	args->where = p->where;
	args->n_groups += groups;
	args->n_columns += groups;
}

static void
rows_between_nuls(void **state)
{
	struct place *p = *state;

	contents(p, "rows", "a b\0c\nd\0\0e", 10);
	list(p, 0, DR_GEN_LINES0, "rows");
	expect(p, 0, "a b|c\nd|e");
	contents(p, "more", "f\0", 2);
	list(p, 0, DR_GEN_LINES0, "rows more");
	expect(p, 0, "a b|c\nd|e|f");
	contents(p, "none", "\0\0", 2);
	list(p, 0, DR_GEN_LINES0, "none");
	expect(p, 0, "!args 'a': there is no row to read; say 'empty = ok' if that may be");
}

static void
records(void **state)
{
	static const char text[] = "x,y\r\n1,\"a,b\"\r\n\"2\",\r\n\r\n3,\"q\"\"q\"";
	struct place *p = *state;

	contents(p, "in.csv", text, sizeof(text) - 1);
	list(p, 0, DR_GEN_CSV, "in.csv");
	p->args[0].n_columns = 2;
	p->args[0].header = true;
	expect(p, 0, "1,\"a,b\":1:a,b|2,:2:|3,\"q\"\"q\":3:q\"q");
	p->args[0].header = false;
	expect(p, 0, "x,y:x:y|1,\"a,b\":1:a,b|2,:2:|3,\"q\"\"q\":3:q\"q");
	p->args[0].n_columns = 3;
	expect(p, 0,
	       "!2 fields, but 'columns' names 3!2 fields, but 'columns' names 3!2 fields, but 'columns' "
	       "names 3"
	       "!2 fields, but 'columns' names 3");
	assert_string_equal(p->diags.v[1].file, "in.csv");
	assert_int_equal(p->diags.v[1].line, 2);
	contents(p, "in.tsv", "a\tb c\n\"\t,\n", 10);
	list(p, 0, DR_GEN_TSV, "in.tsv");
	p->args[0].n_columns = 2;
	expect(p, 0, "a\tb c:a:b c|\"\t,:\":,");
	contents(p, "one.csv", "x\n\"\"\n", 5);
	list(p, 0, DR_GEN_CSV, "one.csv");
	p->args[0].n_columns = 1;
	expect(p, 0, "x:x|:");
}

static void
many_wrong_records(void **state)
{
	struct place *p = *state;
	struct dr_buf text = { 0 };

	for (int i = 0; i < 1000; i++)
		dr_buf_adds(&text, "1,2\n");
	contents(p, "in.csv", text.p, text.n);
	list(p, 0, DR_GEN_CSV, "in.csv");
	p->args[0].n_columns = 1;
	assert_null(make(p, 0));
	assert_int_equal(p->diags.n, DR_DIAGS_MAX);
	dr_buf_free(&text);
}

static void
products(void **state)
{
	struct place *p = *state;

	range(p, 0, 1, 2);
	list(p, 1, DR_GEN_LIST, "x y z");
	list(p, 2, DR_GEN_LIST, "!");
	make(p, 0);
	make(p, 1);
	make(p, 2);
	composite(p, 3, DR_GEN_PRODUCT, 3, 3);
	expect(p, 3, "1 x !:1:x:!|1 y !:1:y:!|1 z !:1:z:!|2 x !:2:x:!|2 y !:2:y:!|2 z !:2:z:!");
	assert_false(dr_items_files(p->items[3]));
	p->args[3].n_parts = 1;
	p->args[3].n_columns = 1;
	expect(p, 3, "1:1|2:2");
}

static void
products_of_what_is_shaped(void **state)
{
	struct place *p = *state;

	list(p, 0, DR_GEN_LIST, "9 1 10 2 1");
	p->args[0].sort = DR_SORT_NATURAL;
	p->args[0].unique = true;
	p->args[0].limit = 3;
	range(p, 1, 1, 2);
	make(p, 0);
	make(p, 1);
	composite(p, 2, DR_GEN_PRODUCT, 2, 2);
	expect(p, 2, "1 1:1:1|1 2:1:2|2 1:2:1|2 2:2:2|9 1:9:1|9 2:9:2");
	p->args[2].sort = DR_SORT_BYTES;
	p->args[2].limit = 2;
	condition(p, 2, " 2$", false, 0);
	expect(p, 2, "1 2:1:2|2 2:2:2");
}

static void
large_products(void **state)
{
	struct place *p = *state;
	struct dr_buf row = { 0 };

	range(p, 0, 0, 59999);
	range(p, 1, 0, 59999);
	make(p, 0);
	make(p, 1);
	composite(p, 2, DR_GEN_PRODUCT, 2, 2);
	assert_non_null(make(p, 2));
	assert_true(dr_items_rows(p->items[2]) == 3600000000U);
	dr_items_row(p->items[2], 3599999999U, &row);
	assert_string_equal(row.p, "59999 59999");
	dr_buf_reset(&row);
	dr_items_column(p->items[2], 60001, 0, &row);
	assert_string_equal(row.p, "1");
	range(p, 1, 0, 79999);
	make(p, 1);
	expect(p, 2, "!args 'c': more than 4294967294 rows");
	dr_buf_free(&row);
}

static void
zips(void **state)
{
	struct place *p = *state;

	range(p, 0, 8, 10);
	list(p, 1, DR_GEN_LIST, "x y z");
	make(p, 0);
	make(p, 1);
	composite(p, 2, DR_GEN_ZIP, 2, 2);
	expect(p, 2, "8 x:8:x|9 y:9:y|10 z:10:z");
	assert_int_equal(dr_items_check(&p->pipeline, &p->args[2], p->items[2], &p->diags), 0);
	list(p, 1, DR_GEN_LIST, "x");
	make(p, 1);
	/* As long as the shortest, until it is asked whether that is right: rows may still be dropped. */
	expect(p, 2, "8 x:8:x");
	assert_int_equal(dr_items_check(&p->pipeline, &p->args[2], p->items[2], &p->diags), -1);
	assert_string_equal(p->diags.v[0].msg,
			    "args 'c': a zip needs parts of one length, but 'a' has 3 rows and 'b' 1");
}

static void
concats(void **state)
{
	struct place *p = *state;

	range(p, 0, 1, 2);
	list(p, 1, DR_GEN_LINES, "/dev/null");
	p->args[1].empty_ok = true;
	list(p, 2, DR_GEN_LIST, "x y");
	make(p, 0);
	make(p, 1);
	make(p, 2);
	composite(p, 3, DR_GEN_CONCAT, 3, 0);
	expect(p, 3, "1|2|x|y");
	p->args[3].parts = p->parts + 1;
	p->args[3].n_parts = 2;
	expect(p, 3, "x|y");
	p->args[3].n_parts = 1;
	expect(p, 3, "!args 'd': its parts are empty; say 'empty = ok' if that may be");
	assert_false(dr_items_files(p->items[0]));
}

static void
concats_of_files(void **state)
{
	struct place *p = *state;

	contents(p, "f", "", 0);
	contents(p, "g", "", 0);
	list(p, 0, DR_GEN_GLOB, "f");
	list(p, 1, DR_GEN_GLOB, "*");
	make(p, 0);
	make(p, 1);
	composite(p, 2, DR_GEN_CONCAT, 2, 0);
	expect(p, 2, "f|f|g");
	assert_true(dr_items_files(p->items[2]));
	p->args[2].unique = true;
	expect(p, 2, "f|g");
}

static void
conditions(void **state)
{
	struct place *p = *state;

	range(p, 0, 1, 30);
	condition(p, 0, "2", false, 0);
	expect(p, 0, "2|12|20|21|22|23|24|25|26|27|28|29");
	condition(p, 0, "^2", true, 0);
	expect(p, 0, "12");
	condition(p, 0, "3", false, 0);
	expect(p, 0, "!args 'a': 'where' leaves none of 30 rows; say 'empty = ok' if that may be");
	p->args[0].empty_ok = true;
	expect(p, 0, "");
}

static void
groups(void **state)
{
	struct place *p = *state;

	list(p, 0, DR_GEN_LIST, "a1 b c22 -");
	condition(p, 0, "^([a-z])([0-9]+)?$", false, 2);
	expect(p, 0, "a1:a:1|b:b:|c22:c:22");
	/* They go with their rows. */
	condition(p, 0, "b", true, 0);
	p->args[0].sort = DR_SORT_BYTES;
	expect(p, 0, "a1:a:1|c22:c:22");
	condition(p, 0, "(.)$", false, 1);
	expect(p, 0, "a1:a:1:1|c22:c:22:2");
	p->args[0].batch = 2;
	expect(p, 0, "a1:a:1:1+c22:c:22:2");
}

/* What matches does not depend on who asks. */
static void
conditions_in_any_locale(void **state)
{
	struct place *p = *state;
	char *was = strdup(setlocale(LC_CTYPE, NULL));

	assert_non_null(was);
	list(p, 0, DR_GEN_LIST, "\xc3\xa4 ab \xff");
	condition(p, 0, "^[^a].?$", false, 0);
	setlocale(LC_CTYPE, "C");
	make(p, 0);
	assert_non_null(p->items[0]);
	p->items[1] = p->items[0];
	p->items[0] = NULL;
	setlocale(LC_CTYPE, "");
	make(p, 0);
	assert_int_equal(dr_items_rows(p->items[0]), dr_items_rows(p->items[1]));
	setlocale(LC_CTYPE, was);
	free(was);
}

static void
orders(void **state)
{
	struct place *p = *state;

	list(p, 0, DR_GEN_LIST, "s10 s9 s1 S2 s01 s1.5 s 9 10 s1");
	p->args[0].sort = DR_SORT_NATURAL;
	expect(p, 0, "9|10|S2|s|s01|s1|s1|s1.5|s9|s10");
	p->args[0].sort = DR_SORT_BYTES;
	expect(p, 0, "10|9|S2|s|s01|s1|s1|s1.5|s10|s9");
	p->args[0].sort = DR_SORT_DEFAULT;
	expect(p, 0, "s10|s9|s1|S2|s01|s1.5|s|9|10|s1");
	/* Numbers of any length, zeros, and bytes that sort before everything */
	list(p, 0, DR_GEN_LIST, "a100000000000000000000 a99999999999999999999 a0 a000 a\1 a\2 a\1b a a\3");
	p->args[0].sort = DR_SORT_NATURAL;
	expect(p, 0, "a|a\1|a\1b|a\2|a\3|a0|a000|a99999999999999999999|a100000000000000000000");
	p->args[0].sort = DR_SORT_BYTES;
	expect(p, 0, "a|a\1|a\1b|a\2|a\3|a0|a000|a100000000000000000000|a99999999999999999999");
}

static int
natural(const char *a, const char *b)
{
	const char *whole_a = a, *whole_b = b;

	while (*a && *b) {
		size_t na = strspn(a, "0123456789"), nb = strspn(b, "0123456789"), za, zb;
		int c;

		if (!na || !nb) {
			if (*a != *b)
				return (unsigned char)*a - (unsigned char)*b;
			a++;
			b++;
			continue;
		}
		za = strspn(a, "0");
		zb = strspn(b, "0");
		if (na - za != nb - zb)
			return na - za < nb - zb ? -1 : 1;
		c = strncmp(a + za, b + zb, na - za);
		if (c)
			return c;
		a += na;
		b += nb;
	}
	if (*a || *b)
		return *a ? 1 : -1;
	return strcmp(whole_a, whole_b);
}

static int
by_natural(const void *a, const void *b)
{
	return natural(*(char *const *)a, *(char *const *)b);
}

static void
natural_order_of_anything(void **state)
{
	enum { N = 400 };
	static const char alphabet[] = "0019ab.\1\2";
	struct place *p = *state;
	struct dr_buf words = { 0 }, want = { 0 };
	char *v[N], text[N][8];
	uint64_t seed = 3;

	for (int i = 0; i < N; i++) {
		size_t n;

		seed = seed * UINT64_C(6364136223846793005) + 1;
		n = 1 + (seed >> 33) % 6;
		for (size_t k = 0; k < n; k++) {
			seed = seed * UINT64_C(6364136223846793005) + 1;
			text[i][k] = alphabet[(seed >> 40) % (sizeof(alphabet) - 1)];
		}
		text[i][n] = '\0';
		v[i] = text[i];
		dr_buf_addf(&words, "%s%s", i ? " " : "", text[i]);
	}
	qsort(v, N, sizeof(*v), by_natural);
	for (int i = 0; i < N; i++)
		dr_buf_addf(&want, "%s%s", i ? "|" : "", v[i]);
	list(p, 0, DR_GEN_LIST, dr_buf_cstr(&words));
	p->args[0].sort = DR_SORT_NATURAL;
	expect(p, 0, dr_buf_cstr(&want));
	dr_buf_free(&words);
	dr_buf_free(&want);
}

static void
uniqueness(void **state)
{
	struct place *p = *state;

	list(p, 0, DR_GEN_LIST, "b a b c a b");
	p->args[0].unique = true;
	expect(p, 0, "b|a|c");
	contents(p, "in.csv", "1,2\n\"1,2\",\n1,2\n", 15);
	list(p, 0, DR_GEN_CSV, "in.csv");
	p->args[0].n_columns = 2;
	expect(p, 0, "1,2:1:2|\"1,2\",:1,2:");
}

static void
limits_and_batches(void **state)
{
	struct place *p = *state;
	struct dr_buf row = { 0 };

	range(p, 0, 1, 4000000000);
	p->args[0].limit = 7;
	p->args[0].batch = 3;
	expect(p, 0, "1+2+3|4+5+6|7");
	assert_int_equal(dr_items_values(p->items[0]), 7);
	dr_items_row(p->items[0], 0, &row);
	dr_buf_addc(&row, '|');
	dr_items_row(p->items[0], 2, &row);
	assert_string_equal(row.p, "1..3|7");
	p->args[0].limit = 0;
	assert_non_null(make(p, 0));
	assert_int_equal(dr_items_rows(p->items[0]), 1333333334);
	dr_buf_free(&row);
}

/* What is dropped lets in what the limit had left out, and batches close up. */
static void
dropping(void **state)
{
	const uint8_t second[] = { 2 }, none[] = { 0 };
	struct place *p = *state;
	struct dr_buf row = { 0 };

	list(p, 0, DR_GEN_LIST, "a b c d e f");
	p->args[0].limit = 4;
	p->args[0].batch = 2;
	p->args[0].sort = DR_SORT_BYTES;
	make(p, 0);
	assert_int_equal(dr_items_drop(p->items[0], second, &p->err), 0);
	assert_int_equal(dr_items_drop(p->items[0], none, &p->err), 0);
	assert_int_equal(dr_items_values(p->items[0]), 4);
	dr_items_row(p->items[0], 0, &row);
	dr_buf_addc(&row, '|');
	dr_items_row(p->items[0], 1, &row);
	assert_string_equal(row.p, "a..c|d..e");
	dr_buf_free(&row);
}

/* A hundred thousand of each, in no time that anybody would notice. */
static void
many(void **state)
{
	enum { N = 100000 };
	struct place *p = *state;
	struct dr_buf text = { 0 }, row = { 0 };

	for (int i = 0; i < N; i++)
		dr_buf_addf(&text, "file-%d.txt,%d,\"x\"\n", N - i, i % 7);
	contents(p, "in.csv", text.p, text.n);
	list(p, 0, DR_GEN_CSV, "in.csv");
	p->args[0].n_columns = 3;
	p->args[0].sort = DR_SORT_NATURAL;
	p->args[0].unique = true;
	condition(p, 0, "-([0-9]+)", false, 1);
	assert_non_null(make(p, 0));
	assert_int_equal(dr_items_rows(p->items[0]), N);
	dr_items_column(p->items[0], 9, 0, &row);
	dr_buf_addc(&row, '|');
	dr_items_column(p->items[0], N - 1, 3, &row);
	assert_string_equal(row.p, "file-10.txt|100000");
	dr_buf_free(&row);
	dr_buf_free(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_between_nuls),
		TEST(records),
		TEST(many_wrong_records),
		TEST(products),
		TEST(products_of_what_is_shaped),
		TEST(large_products),
		TEST(zips),
		TEST(concats),
		TEST(concats_of_files),
		TEST(conditions),
		TEST(groups),
		TEST(conditions_in_any_locale),
		TEST(orders),
		TEST(natural_order_of_anything),
		TEST(uniqueness),
		TEST(limits_and_batches),
		TEST(dropping),
		TEST(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
