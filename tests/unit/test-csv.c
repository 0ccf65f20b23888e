#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "err.h"

/* Records as "[a|b][c|d]", and behind them what is wrong: "!LINE:COLUMN problem". */
static void
show(const char *text, size_t n, char separator, struct dr_buf *out)
{
	char *copy = malloc(n + 1), *value = malloc(n + 1);
	struct dr_csv c;
	int rc;

	/* Exactly as long, so that a sanitizer sees who looks behind the end. */
	assert_true(copy && value);
	memcpy(copy, text, n);
	copy = realloc(copy, n ? n : 1);
	assert_non_null(copy);
	dr_csv_init(&c, (struct dr_str){ copy, n }, separator);
	while ((rc = dr_csv_next(&c)) > 0) {
		dr_buf_addc(out, '[');
		for (uint32_t i = 0; i < c.n; i++) {
			dr_buf_adds(out, i ? "|" : "");
			dr_buf_add(out, value, dr_csv_value(&c.fields[i], value));
		}
		dr_buf_addc(out, ']');
	}
	if (rc < 0)
		dr_buf_addf(out, "!%u:%u %s", (unsigned)c.error_line, (unsigned)c.error_col, c.problem);
	dr_csv_free(&c);
	free(copy);
	free(value);
}

static void
expect(const char *text, char separator, const char *records)
{
	struct dr_buf got = { 0 };

	show(text, strlen(text), separator, &got);
	assert_string_equal(dr_buf_cstr(&got), records);
	dr_buf_free(&got);
}

static void
records(void **state)
{
	(void)state;
	expect("", ',', "");
	expect("a", ',', "[a]");
	expect("a,b\n1,2\n", ',', "[a|b][1|2]");
	expect("a,b\r\n1,2\r\n", ',', "[a|b][1|2]");
	expect("a,b\n1,2", ',', "[a|b][1|2]");
	expect("a,,\n,,\n", ',', "[a||][||]");
	expect(",", ',', "[|]");
	expect(" a , b \n", ',', "[ a | b ]");
	expect("a;b\tc\n", ',', "[a;b\tc]");
	/* Another number of fields is for others to judge. */
	expect("a\nb,c\n", ',', "[a][b|c]");
}

static void
empty_lines_are_no_records(void **state)
{
	(void)state;
	expect("\n\r\n\na,b\n\n\n1,2\n\n", ',', "[a|b][1|2]");
	expect("\n", ',', "");
	expect("\"\"\n", ',', "[]");
	expect(" \n", ',', "[ ]");
}

static void
quotes(void **state)
{
	(void)state;
	expect("\"a\",\"b\"\n", ',', "[a|b]");
	expect("\"a,b\",c\n", ',', "[a,b|c]");
	expect("\"say \"\"x\"\"\",\"\"\"\"\n", ',', "[say \"x\"|\"]");
	expect("\"two\nlines\",\"\r\n\"\r\nx,y", ',', "[two\nlines|\r\n][x|y]");
	expect("\"\",\"\"", ',', "[|]");
	expect("\"a\rb\"\n", ',', "[a\rb]");
	expect("\"last\"", ',', "[last]");
}

static void
tabs(void **state)
{
	(void)state;
	expect("a\tb\n1\t2\r\n", '\t', "[a|b][1|2]");
	expect("\"a\t\"b\"\n", '\t', "[\"a|\"b\"]");
	expect("a,b\t\n", '\t', "[a,b|]");
	expect("a\rb\tc\n", '\t', "[a\rb|c]");
}

static void
byte_order_mark(void **state)
{
	(void)state;
	expect("\xef\xbb\xbf"
	       "a,b\n",
	       ',', "[a|b]");
	expect("\xef\xbb\xbf\"a\",b\n", ',', "[a|b]");
	expect("\xef\xbb\xbf", ',', "");
	expect("a\n\xef\xbb\xbf"
	       "b\n",
	       ',',
	       "[a][\xef\xbb\xbf"
	       "b]");
}

static void
what_is_wrong(void **state)
{
	static const char inside[] =
		"a quote inside a value without quotes: put the value in quotes and double it";
	struct dr_buf got = { 0 };
	char text[256];

	(void)state;
	expect("a\n\"b\nc\n", ',', "[a]!2:1 this quote has no end");
	expect("a,\"", ',', "!1:3 this quote has no end");
	expect("a,\"b\"\"", ',', "!1:3 this quote has no end");
	snprintf(text, sizeof(text), "[a|b]!2:3 %s", inside);
	expect("a,b\n1 \"x\"\n", ',', text);
	snprintf(text, sizeof(text), "!1:2 %s", inside);
	expect("5\" disk\n", ',', text);
	expect("\"two\nlines\" x\n", ',',
	       "!2:7 text behind the closing quote: a quote that is part of a value is doubled");
	expect("a,b\rc\n", ',', "!1:4 a carriage return that no line feed follows, outside of quotes");
	expect("a\r", ',', "!1:2 a carriage return that no line feed follows, outside of quotes");
	show("a\nb\0c\n", 6, ',', &got);
	assert_string_equal(dr_buf_cstr(&got), "[a]!2:2 a byte 0, which no argument can hold");
	dr_buf_reset(&got);
	show("a\n\"b\n\0\"\n", 8, ',', &got);
	assert_string_equal(dr_buf_cstr(&got), "[a]!3:1 a byte 0, which no argument can hold");
	dr_buf_free(&got);
}

static void
errors_show_their_line(void **state)
{
	struct dr_diags d = { 0 };
	struct dr_csv c;

	(void)state;
	dr_csv_init(&c, dr_str("a,b\r\n1,2,3\r\nx\"\r\n"), ',');
	assert_int_equal(dr_csv_next(&c), 1);
	assert_int_equal(dr_csv_next(&c), 1);
	dr_csv_tell_count(&c, "in.csv", 2, "the header has", &d);
	assert_int_equal(dr_csv_next(&c), -1);
	assert_int_equal(dr_csv_tell(&c, "in.csv", &d), 0);
	assert_int_equal(d.total, 2);
	assert_string_equal(d.v[0].file, "in.csv");
	assert_int_equal(d.v[0].line, 2);
	assert_string_equal(d.v[0].text, "1,2,3");
	assert_string_equal(d.v[0].msg, "3 fields, but the header has 2");
	assert_int_equal(d.v[1].line, 3);
	assert_int_equal(d.v[1].col, 2);
	assert_string_equal(d.v[1].text, "x\"");
	dr_diags_free(&d);
	dr_csv_free(&c);
}

/* What was read may be overwritten, and values may be written where their text stood. */
static void
in_place(void **state)
{
	char text[] = "\"a\"\"a\",b\n\"c\nd\",\"\"\ne,\"f\n";
	struct dr_csv c;
	size_t to = 0;
	uint32_t n = 0;

	(void)state;
	dr_csv_init(&c, dr_str(text), ',');
	while (dr_csv_next(&c) > 0) {
		for (uint32_t i = 0; i < c.n; i++) {
			to += dr_csv_value(&c.fields[i], text + to);
			text[to++] = '\0';
			assert_true(to <= c.at);
		}
		n++;
	}
	assert_int_equal(n, 2);
	assert_int_equal(to, 11);
	assert_memory_equal(text, "a\"a\0b\0c\nd\0\0", 11);
	assert_string_equal(c.problem, "this quote has no end");
	assert_int_equal(c.error_line, 4);
	assert_true(dr_str_is(c.error_text, "e,\"f"));
	dr_csv_free(&c);
}

/* Whatever values there are: written and read again they are the same. */
static void
there_and_back(void **state)
{
	static const char alphabet[] = "ab,\"\"\r\n \t";
	uint64_t seed = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct dr_buf text = { 0 }, want = { 0 }, got = { 0 };

		for (int f = 0; f < 4; f++) {
			char value[8];
			size_t n = 0;

			for (;;) {
				seed = seed * UINT64_C(6364136223846793005) + 1;
				if (n == sizeof(value) || (seed >> 33) % 4 == 0)
					break;
				value[n++] = alphabet[(seed >> 40) % (sizeof(alphabet) - 1)];
			}
			/* A record of one empty field would be an empty line; here are always two. */
			dr_buf_adds(&text, f % 2 ? "," : "");
			dr_csv_quote(&text, (struct dr_str){ value, n }, ',');
			dr_buf_adds(&text, f % 2 ? "\n" : "");
			dr_buf_adds(&want, f % 2 ? "|" : "[");
			dr_buf_add(&want, value, n);
			dr_buf_adds(&want, f % 2 ? "]" : "");
		}
		show(dr_buf_cstr(&text), text.n, ',', &got);
		assert_string_equal(dr_buf_cstr(&got), dr_buf_cstr(&want));
		dr_buf_free(&text);
		dr_buf_free(&want);
		dr_buf_free(&got);
	}
}

/* Bytes of any kind are read to their end, or refused with a place in the text. */
static void
any_bytes(void **state)
{
	static const char alphabet[] = "a,\"\r\n\t\0\xef";
	uint64_t seed = 7;

	(void)state;
	for (int round = 0; round < 5000; round++) {
		struct dr_buf got = { 0 };
		char text[24];
		size_t n;

		seed = seed * UINT64_C(6364136223846793005) + 1;
		n = (seed >> 33) % sizeof(text);
		for (size_t i = 0; i < n; i++) {
			seed = seed * UINT64_C(6364136223846793005) + 1;
			text[i] = alphabet[(seed >> 40) % (sizeof(alphabet) - 1)];
		}
		show(text, n, round % 2 ? ',' : '\t', &got);
		assert_false(got.failed);
		dr_buf_free(&got);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records),
		cmocka_unit_test(empty_lines_are_no_records),
		cmocka_unit_test(quotes),
		cmocka_unit_test(tabs),
		cmocka_unit_test(byte_order_mark),
		cmocka_unit_test(what_is_wrong),
		cmocka_unit_test(errors_show_their_line),
		cmocka_unit_test(in_place),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
