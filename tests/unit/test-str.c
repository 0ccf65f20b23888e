#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "str.h"

#include <string.h>

static void
slices_compare(void **state)
{
	struct dr_str none = { NULL, 0 };

	(void)state;
	assert_int_equal(dr_str(NULL).n, 0);
	assert_non_null(dr_str(NULL).p);
	assert_int_equal(dr_str("abc").n, 3);
	assert_true(dr_str_eq(none, dr_str("")));
	assert_true(dr_str_eq(DR_STR("a\0b"), DR_STR("a\0b")));
	assert_false(dr_str_eq(DR_STR("a\0b"), DR_STR("a\0c")));
	assert_true(dr_str_is(DR_STR("ab"), "ab"));
	assert_false(dr_str_is(DR_STR("ab"), "abc"));
}

static void
buffer_grows(void **state)
{
	struct dr_buf b = { 0 };
	char *room;

	(void)state;
	assert_string_equal(dr_buf_cstr(&b), "");
	assert_int_equal(dr_buf_str(&b).n, 0);
	dr_buf_add(&b, NULL, 0);
	for (int i = 0; i < 1000; i++) {
		dr_buf_addc(&b, 'a');
		dr_buf_adds(&b, "bc");
		dr_buf_addstr(&b, DR_STR("d"));
		dr_buf_addf(&b, "%03d", i);
		assert_int_equal(b.p[b.n], '\0');
	}
	assert_false(b.failed);
	assert_int_equal(b.n, 7000);
	assert_memory_equal(b.p + 6993, "abcd999", 8);
	room = dr_buf_room(&b, 10000);
	assert_ptr_equal(room, b.p + b.n);
	memset(room, 'x', 10000);
	dr_buf_reset(&b);
	assert_string_equal(dr_buf_cstr(&b), "");
	dr_buf_addu(&b, 0);
	dr_buf_addc(&b, ' ');
	dr_buf_addu(&b, 10);
	dr_buf_addc(&b, ' ');
	dr_buf_addu(&b, UINT64_MAX);
	assert_string_equal(dr_buf_cstr(&b), "0 10 18446744073709551615");
	dr_buf_reset(&b);
	dr_buf_addx(&b, 0, 1);
	dr_buf_addx(&b, 0xab, 4);
	dr_buf_addx(&b, 0xab, 0);
	dr_buf_addx(&b, UINT64_C(0x123456789abcdef0), 3);
	dr_buf_addx(&b, 7, 16);
	assert_string_equal(dr_buf_cstr(&b), "000abab123456789abcdef00000000000000007");
	dr_buf_reset(&b);
	/* Longer than what is free, and exactly as long. */
	dr_buf_free(&b);
	dr_buf_addf(&b, "%63d|", 1);
	dr_buf_addf(&b, "%200d", 2);
	assert_int_equal(b.n, 264);
	assert_int_equal(strlen(b.p), 264);
	dr_buf_free(&b);
	assert_null(b.p);
}

static void
failure_sticks(void **state)
{
	struct dr_buf b = { 0 };
	volatile size_t huge = SIZE_MAX;

	(void)state;
	dr_buf_adds(&b, "kept");
	assert_null(dr_buf_room(&b, huge));
	assert_true(b.failed);
	dr_buf_adds(&b, "lost");
	dr_buf_addf(&b, "%s", "lost");
	assert_null(dr_buf_room(&b, 1));
	assert_string_equal(dr_buf_cstr(&b), "kept");
	dr_buf_reset(&b);
	assert_false(b.failed);
	dr_buf_adds(&b, "new");
	assert_string_equal(dr_buf_cstr(&b), "new");
	dr_buf_free(&b);
}

/* What fn makes of s, in a buffer that the next call overwrites. */
static const char *
made(struct dr_buf *b, void (*fn)(struct dr_buf *, struct dr_str), struct dr_str s)
{
	dr_buf_reset(b);
	fn(b, s);
	assert_false(b->failed);
	return dr_buf_cstr(b);
}

static void
quote_for_a_shell(void **state)
{
	struct dr_buf b = { 0 };

	(void)state;
	assert_string_equal(made(&b, dr_buf_quote, DR_STR("")), "''");
	assert_string_equal(made(&b, dr_buf_quote, DR_STR("a/b-c_d.e,f:g@h%i+1")), "a/b-c_d.e,f:g@h%i+1");
	assert_string_equal(made(&b, dr_buf_quote, DR_STR("--opt=x")), "--opt=x");
	assert_string_equal(made(&b, dr_buf_quote, DR_STR("NAME=x")), "'NAME=x'");
	assert_string_equal(made(&b, dr_buf_quote, DR_STR("~")), "'~'");
	assert_string_equal(made(&b, dr_buf_quote, DR_STR("a b")), "'a b'");
	assert_string_equal(made(&b, dr_buf_quote, DR_STR("it's")), "'it'\\''s'");
	assert_string_equal(made(&b, dr_buf_quote, DR_STR("'")), "''\\'''");
	assert_string_equal(made(&b, dr_buf_quote, DR_STR("$x\n")), "$'$x\\n'");
	assert_string_equal(made(&b, dr_buf_quote, DR_STR("it's\x1b\\\xff")), "$'it\\'s\\x1b\\\\\\xff'");
	assert_string_equal(made(&b, dr_buf_quote, DR_STR("\xc3\xa4")), "'\xc3\xa4'");
	dr_buf_free(&b);
}

static void
escape_for_a_person(void **state)
{
	struct dr_buf b = { 0 };

	(void)state;
	assert_string_equal(made(&b, dr_buf_escape, DR_STR("a b\\")), "a b\\\\");
	assert_string_equal(made(&b, dr_buf_escape, DR_STR("\n\t\r\x1b\x7f\0")),
			    "\\n\\t\\x0d\\x1b\\x7f\\x00");
	assert_string_equal(made(&b, dr_buf_escape, DR_STR("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")),
			    "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	/* U+009B begins a terminal's control sequence as ESC [ does. */
	assert_string_equal(made(&b, dr_buf_escape, DR_STR("\xc2\x9b")), "\\xc2\\x9b");
	/* Alone, too short, longer than needed, a surrogate, above the last character. */
	assert_string_equal(made(&b, dr_buf_escape, DR_STR("\x80z")), "\\x80z");
	assert_string_equal(made(&b, dr_buf_escape, DR_STR("\xe2\x82")), "\\xe2\\x82");
	assert_string_equal(made(&b, dr_buf_escape, DR_STR("\xc3(")), "\\xc3(");
	assert_string_equal(made(&b, dr_buf_escape, DR_STR("\xc0\xaf")), "\\xc0\\xaf");
	assert_string_equal(made(&b, dr_buf_escape, DR_STR("\xe0\x80\xaf")), "\\xe0\\x80\\xaf");
	assert_string_equal(made(&b, dr_buf_escape, DR_STR("\xf0\x80\x80\xaf")), "\\xf0\\x80\\x80\\xaf");
	assert_string_equal(made(&b, dr_buf_escape, DR_STR("\xed\xa0\x80")), "\\xed\\xa0\\x80");
	assert_string_equal(made(&b, dr_buf_escape, DR_STR("\xf4\x90\x80\x80")), "\\xf4\\x90\\x80\\x80");
	assert_string_equal(made(&b, dr_buf_escape, DR_STR("\xff")), "\\xff");
	dr_buf_free(&b);
}

static const char *
number(struct dr_buf *b, void (*fn)(struct dr_buf *, uint64_t), uint64_t n)
{
	dr_buf_reset(b);
	fn(b, n);
	return dr_buf_cstr(b);
}

static void
numbers_for_a_person(void **state)
{
	struct dr_buf b = { 0 };

	(void)state;
	assert_string_equal(number(&b, dr_buf_count, 0), "0");
	assert_string_equal(number(&b, dr_buf_count, 999), "999");
	assert_string_equal(number(&b, dr_buf_count, 1000), "1,000");
	assert_string_equal(number(&b, dr_buf_count, 1234567), "1,234,567");
	assert_string_equal(number(&b, dr_buf_count, UINT64_MAX), "18,446,744,073,709,551,615");
	assert_string_equal(number(&b, dr_buf_bytes, 0), "0 B");
	assert_string_equal(number(&b, dr_buf_bytes, 999), "999 B");
	assert_string_equal(number(&b, dr_buf_bytes, 1000), "1.0 kB");
	assert_string_equal(number(&b, dr_buf_bytes, 9949), "9.9 kB");
	assert_string_equal(number(&b, dr_buf_bytes, 9950), "10 kB");
	assert_string_equal(number(&b, dr_buf_bytes, 999499), "999 kB");
	assert_string_equal(number(&b, dr_buf_bytes, 999500), "1.0 MB");
	assert_string_equal(number(&b, dr_buf_bytes, UINT64_C(4200000000)), "4.2 GB");
	assert_string_equal(number(&b, dr_buf_bytes, UINT64_MAX), "18 EB");
	dr_buf_free(&b);
}

static void
durations_for_a_person(void **state)
{
	static const struct {
		int64_t ms;
		const char *said;
	} cases[] = {
		{ -5, "0ms" },          { 0, "0ms" },
		{ 999, "999ms" },       { 1000, "1.0s" },
		{ 9999, "9.9s" },       { 38000, "38s" },
		{ 59999, "59s" },       { 60000, "1m" },
		{ 90000, "1m30s" },     { 599999, "9m59s" },
		{ 600000, "10m" },      { 2460000, "41m" },
		{ 3599999, "59m" },     { 3600000, "1:00:00" },
		{ 7987000, "2:13:07" }, { 360000000, "100:00:00" },
	};
	struct dr_buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		dr_buf_reset(&b);
		dr_buf_duration(&b, cases[i].ms * 1000000);
		assert_string_equal(dr_buf_cstr(&b), cases[i].said);
	}
	dr_buf_free(&b);
}

static void
width_counts_columns(void **state)
{
	(void)state;
	assert_int_equal(dr_str_width(DR_STR("")), 0);
	assert_int_equal(dr_str_width(DR_STR("abc")), 3);
	assert_int_equal(dr_str_width(DR_STR("\xc3\xa4")), 1);
	assert_int_equal(dr_str_width(DR_STR("a\xcc\x88")), 1);
	assert_int_equal(dr_str_width(DR_STR("\xe6\x97\xa5\xe6\x9c\xac")), 4);
	assert_int_equal(dr_str_width(DR_STR("\xf0\x9f\x98\x80")), 2);
	assert_int_equal(dr_str_width(DR_STR("\xff\xfe")), 2);
}

static void
nearest_word(void **state)
{
	static const char *const words[] = {
		"each", "in", "out", "run", "uses", "fan-in", "keep", "retries"
	};
	const size_t n = sizeof(words) / sizeof(*words);
	char longer[200];

	(void)state;
	assert_string_equal(dr_nearest(DR_STR("retreis"), words, n), "retries");
	assert_string_equal(dr_nearest(DR_STR("eahc"), words, n), "each");
	assert_string_equal(dr_nearest(DR_STR("rnu"), words, n), "run");
	assert_string_equal(dr_nearest(DR_STR("ot"), words, n), "out");
	assert_string_equal(dr_nearest(DR_STR("fanin"), words, n), "fan-in");
	assert_string_equal(dr_nearest(DR_STR("keep"), words, n), "keep");
	assert_null(dr_nearest(DR_STR("colour"), words, n));
	assert_null(dr_nearest(DR_STR("im"), words, n));
	assert_null(dr_nearest(DR_STR(""), words, n));
	assert_null(dr_nearest(DR_STR("in"), words, 0));
	memset(longer, 'x', sizeof(longer));
	assert_null(dr_nearest((struct dr_str){ longer, sizeof(longer) }, words, n));
}

static void
parse_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = {
		{ "90", INT64_C(90000000000) },
		{ "90s", INT64_C(90000000000) },
		{ "2h", INT64_C(7200000000000) },
		{ "1.5m", INT64_C(90000000000) },
		{ "500ms", 500000000 },
		{ "0", 0 },
		{ "0.000000001", 1 },
		{ "0.0000000019", 1 },
		{ "1.25h", INT64_C(4500000000000) },
		{ "1d", INT64_C(86400000000000) },
		{ "9223372036", INT64_C(9223372036000000000) },
	};
	static const char *const bad[] = {
		"",
		"s",
		"-1",
		"+1",
		" 1",
		"1 ",
		"1 s",
		"1.",
		".5",
		"1.s",
		"1x",
		"1hh",
		"1h30m",
		"9223372037",
		"1e3",
		"106752d",
		"99999999999999999999",
	};
	int64_t ns = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(dr_parse_duration(dr_str(good[i].text), &ns), 0);
		assert_int_equal(ns, good[i].ns);
	}
	ns = 77;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(dr_parse_duration(dr_str(bad[i]), &ns), -1);
	assert_int_equal(ns, 77);
}

static void
parse_sizes(void **state)
{
	uint64_t n;

	(void)state;
	assert_int_equal(dr_parse_size(DR_STR("8G"), &n), 0);
	assert_true(n == UINT64_C(8) << 30);
	assert_int_equal(dr_parse_size(DR_STR("64k"), &n), 0);
	assert_int_equal(n, 65536);
	assert_int_equal(dr_parse_size(DR_STR("1.5M"), &n), 0);
	assert_int_equal(n, 1572864);
	assert_int_equal(dr_parse_size(DR_STR("12"), &n), 0);
	assert_int_equal(n, 12);
	assert_int_equal(dr_parse_size(DR_STR("0.1k"), &n), 0);
	assert_int_equal(n, 102);
	assert_true(dr_lacks_unit(DR_STR("5"), 5) && dr_lacks_unit(DR_STR("1048575"), 1048575));
	assert_false(dr_lacks_unit(DR_STR("0"), 0) || dr_lacks_unit(DR_STR("1048576"), 1048576) || dr_lacks_unit(DR_STR("5k"), 5120));
	assert_int_equal(dr_parse_size(DR_STR("16383P"), &n), 0);
	assert_int_equal(dr_parse_size(DR_STR("16384P"), &n), -1);
	assert_int_equal(dr_parse_size(DR_STR("8GG"), &n), -1);
	assert_int_equal(dr_parse_size(DR_STR("G"), &n), -1);
	assert_int_equal(dr_parse_size(DR_STR("8 G"), &n), -1);
	assert_int_equal(dr_parse_size(DR_STR("-8"), &n), -1);
}

static void
parse_uints(void **state)
{
	uint64_t n = 5;

	(void)state;
	assert_int_equal(dr_parse_uint(DR_STR("007"), 10, &n), 0);
	assert_int_equal(n, 7);
	assert_int_equal(dr_parse_uint(DR_STR("10"), 10, &n), 0);
	assert_int_equal(n, 10);
	assert_int_equal(dr_parse_uint(DR_STR("11"), 10, &n), -1);
	assert_int_equal(dr_parse_uint(DR_STR("18446744073709551615"), UINT64_MAX, &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(dr_parse_uint(DR_STR("18446744073709551616"), UINT64_MAX, &n), -1);
	assert_int_equal(dr_parse_uint(DR_STR(""), 10, &n), -1);
	assert_int_equal(dr_parse_uint(DR_STR("1a"), 10, &n), -1);
	assert_int_equal(dr_parse_uint(DR_STR("+1"), 10, &n), -1);
	assert_int_equal(dr_parse_uint(DR_STR("0"), 0, &n), 0);
	assert_int_equal(n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slices_compare),
		cmocka_unit_test(buffer_grows),
		cmocka_unit_test(failure_sticks),
		cmocka_unit_test(quote_for_a_shell),
		cmocka_unit_test(escape_for_a_person),
		cmocka_unit_test(numbers_for_a_person),
		cmocka_unit_test(durations_for_a_person),
		cmocka_unit_test(width_counts_columns),
		cmocka_unit_test(nearest_word),
		cmocka_unit_test(parse_durations),
		cmocka_unit_test(parse_sizes),
		cmocka_unit_test(parse_uints),
	};

	return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
