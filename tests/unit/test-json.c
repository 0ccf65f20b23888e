#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "json.h"

static void
values(void **state)
{
	struct dr_buf out = { 0 };
	struct dr_json j = { .out = &out, .one_line = true };

	(void)state;
	dr_json_begin(&j, NULL);
	dr_json_uint(&j, "version", DR_JSON_VERSION);
	dr_json_int(&j, "i", INT64_MIN);
	dr_json_uint(&j, "u", UINT64_MAX);
	dr_json_bool(&j, "b", true);
	dr_json_null(&j, "n");
	dr_json_word(&j, "none", NULL);
	dr_json_seconds(&j, "s", INT64_C(1002003004));
	dr_json_seconds(&j, "m", INT64_C(-1002003004));
	dr_json_time(&j, "t", INT64_C(1700000000123456789));
	dr_json_begin_list(&j, "empty");
	dr_json_end_list(&j);
	dr_json_begin_list(&j, "list");
	dr_json_begin(&j, NULL);
	dr_json_end(&j);
	dr_json_begin(&j, NULL);
	dr_json_word(&j, "k", "v");
	dr_json_end(&j);
	dr_json_uint(&j, NULL, 3);
	dr_json_end_list(&j);
	dr_json_end(&j);
	assert_string_equal(dr_buf_cstr(&out),
			    "{\"version\":1,\"i\":-9223372036854775808,\"u\":18446744073709551615,\"b\":true,\"n\":null,"
			    "\"none\":null,\"s\":1.002,\"m\":-1.002,\"t\":1700000000.123456,\"empty\":[],"
			    "\"list\":[{},{\"k\":\"v\"},3]}");
	dr_buf_free(&out);
}

/* An element a line, where that is wanted, and nothing else. */
static void
lines(void **state)
{
	struct dr_buf out = { 0 };
	struct dr_json j = { .out = &out };

	(void)state;
	dr_json_begin_list(&j, NULL);
	for (int i = 0; i < 2; i++) {
		dr_json_begin(&j, NULL);
		dr_json_int(&j, "i", i);
		dr_json_end(&j);
	}
	dr_json_end_list(&j);
	assert_string_equal(dr_buf_cstr(&out), "[\n{\"i\":0},\n{\"i\":1}]");
	dr_buf_free(&out);
}

static const struct {
	const char *bytes, *json;
} strings[] = {
	{ "", "\"\"" },
	{ "plain text", "\"plain text\"" },
	{ "\"quoted\" \\back", "\"\\\"quoted\\\" \\\\back\"" },
	{ "line\nline\ttab\r\033[0m\177", "\"line\\nline\\ttab\\u000d\\u001b[0m\\u007f\"" },
	{ "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x99\x82", "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x99\x82\"" },
	{ "latin \xfc.", "\"latin \\udcfc.\"" },
	{ "cut \xe2\x82", "\"cut \\udce2\\udc82\"" },
	{ "long \xc0\xaf", "\"long \\udcc0\\udcaf\"" },
	{ "surrogate \xed\xa0\x80", "\"surrogate \\udced\\udca0\\udc80\"" },
	{ "lead lead \xe2\xe2\x82\xac", "\"lead lead \\udce2\xe2\x82\xac\"" },
	{ "\x80\xbf\xff", "\"\\udc80\\udcbf\\udcff\"" },
};

static void
bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++) {
		struct dr_buf out = { 0 };
		struct dr_json j = { .out = &out };

		dr_json_str(&j, NULL, dr_str(strings[i].bytes));
		assert_string_equal(dr_buf_cstr(&out), strings[i].json);
		dr_buf_free(&out);
	}
}

/* Wherever a string is cut, the same comes out. */
static void
pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++) {
		const char *s = strings[i].bytes;
		size_t n = strlen(s);

		for (size_t step = 1; step <= n + 1; step++) {
			struct dr_buf out = { 0 };
			struct dr_json j = { .out = &out };

			dr_json_begin_str(&j, NULL);
			for (size_t at = 0; at < n; at += step)
				dr_json_add_str(&j, (struct dr_str){ s + at, n - at < step ? n - at : step });
			dr_json_end_str(&j);
			assert_string_equal(dr_buf_cstr(&out), strings[i].json);
			dr_buf_free(&out);
		}
	}
}

static void
too_deep(void **state)
{
	struct dr_buf out = { 0 };
	struct dr_json j = { .out = &out };

	(void)state;
	for (int i = 0; i < 2 * DR_JSON_DEPTH; i++)
		dr_json_begin_list(&j, NULL);
	assert_true(out.failed);
	dr_buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values), cmocka_unit_test(lines),    cmocka_unit_test(bytes),
		cmocka_unit_test(pieces), cmocka_unit_test(too_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
