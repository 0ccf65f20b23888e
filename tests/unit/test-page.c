#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "page.h"
#include "page-text.h"

/* Reads a column back, as the script does. */
static size_t
read_column(struct dr_str s, int64_t *out, size_t most)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint64_t words[2], run;
	int64_t value = 0;
	size_t n = 0;

	while (s.n) {
		for (unsigned w = 0; w < 2; w++) {
			unsigned shift = 0, d;

			words[w] = w ? 1 : 0;
			if (w && !(words[0] & 1))
				break;
			words[w] = 0;
			do {
				const char *at = strchr(digits, *s.p);

				assert_non_null(at);
				d = (unsigned)(at - digits);
				words[w] |= (uint64_t)(d & 31) << shift;
				shift += 5;
				s.p++;
				s.n--;
			} while (d > 31);
		}
		for (run = words[1]; run > 0; run--) {
			uint64_t z = words[0] >> 1;

			value += z & 1 ? -(int64_t)((z + 1) / 2) : (int64_t)(z / 2);
			assert_true(n < most);
			out[n++] = value;
		}
	}
	return n;
}

static void
columns_come_back(void **state)
{
	static const int64_t cases[][8] = {
		{ 0, 0, 0, 0, 0, 0, 0, 0 },
		{ 1, 2, 3, 4, 5, 6, 7, 9 },
		{ 5, 5, 4, 3, -17, 1000000, 1000000, 0 },
		{ INT64_C(1) << 52, 0, -(INT64_C(1) << 52), 31, 32, 15, 16, -16 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct dr_column c = { 0 };
		struct dr_buf out = { 0 };
		struct dr_json j = { .out = &out };
		int64_t back[8];
		struct dr_str s;

		for (size_t k = 0; k < 8; k++)
			dr_column_add(&c, cases[i][k]);
		dr_column_end(&c, &j, NULL);
		s = (struct dr_str){ out.p + 1, out.n - 2 };
		assert_int_equal(read_column(s, back, 8), 8);
		assert_memory_equal(back, cases[i], sizeof(back));
		dr_buf_free(&out);
	}
}

static void
runs_are_short(void **state)
{
	struct dr_column c = { 0 };
	struct dr_buf out = { 0 };
	struct dr_json j = { .out = &out };

	(void)state;
	for (int64_t i = 0; i < 1000000; i++)
		dr_column_add(&c, i);
	dr_column_end(&c, &j, "x");
	assert_true(out.n < 16);
	dr_buf_free(&out);
}

static void
names_share_their_beginnings(void **state)
{
	static const char *const names[] = { "count/1",
					     "count/2",
					     "count/2",
					     "",
					     "ä",
					     "å",
					     "\xf0\x9f\x90\x8b"
					     "1",
					     "\xf0\x9f\x90\x8b"
					     "2",
					     "\xff</script>" };
	struct dr_page_names n = { 0 };
	struct dr_buf out = { 0 };
	struct dr_json j = { .out = &out };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		dr_page_names_add(&n, dr_str(names[i]));
	dr_page_names_end(&n, &j, NULL);
	/* What ä and å have in common is half a character; the whale is two units. */
	assert_non_null(strstr(dr_buf_cstr(&out), "\"rest\":\"count/12äå\xf0\x9f\x90\x8b"
						  "12\\\\xff</script>\""));
	dr_buf_free(&out);
}

static void
what_is_html_is_escaped(void **state)
{
	struct dr_buf out = { 0 };

	(void)state;
	dr_page_escape(&out, dr_str("<a href=\"x\">'&'</a>\n\x01\xff\\ \xef\xbf\xbf ä"));
	assert_string_equal(
		dr_buf_cstr(&out),
		"&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;\\n\\x01\\xff\\\\ \xef\xbf\xbd ä");
	dr_buf_free(&out);
}

static size_t
times(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

static void
data_cannot_end_its_element(void **state)
{
	static const char *const *const scripts[] = { dr_page_js, NULL };
	struct dr_page p;
	struct dr_buf out = { 0 };
	const char *text;

	(void)state;
	dr_page_begin(&p, &out, "</title><script>alert(1)</script>");
	dr_json_word(&p.json, "name", "</script><!--<script>");
	dr_page_end(&p, scripts);
	text = dr_buf_cstr(&out);
	assert_false(out.failed);
	assert_int_equal(times(text, "<script"), 2);
	assert_int_equal(times(text, "</script>"), 2);
	assert_int_equal(times(text, "<!--"), 0);
	assert_int_equal(times(text, "</title>"), 1);
	assert_int_equal(times(text, p.nonce), 2);
	assert_non_null(strstr(text, "{\"name\":\"\\u003c/script>\\u003c!--\\u003cscript>\"}"));
	dr_buf_free(&out);
}

/* What is not escaped in scripts and styles must not need it. */
static void
texts_are_harmless(void **state)
{
	const char *const *const all[] = { dr_page_js, dr_page_tree_js, dr_report_js, dr_page_css };

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		assert_non_null(all[i][0]);
		for (const char *const *line = all[i]; *line; line++) {
			assert_null(strstr(*line, "</"));
			assert_null(strstr(*line, "<!"));
			assert_null(strstr(*line, "url("));
			assert_null(strstr(*line, "http"));
			for (const char *c = *line; *c; c++)
				assert_true((unsigned char)*c < 0x80);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_come_back),
		cmocka_unit_test(runs_are_short),
		cmocka_unit_test(names_share_their_beginnings),
		cmocka_unit_test(what_is_html_is_escaped),
		cmocka_unit_test(data_cannot_end_its_element),
		cmocka_unit_test(texts_are_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
