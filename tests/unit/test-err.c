#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void
set_fills_all(void **state)
{
	struct dr_err err;

	(void)state;
	memset(&err, 'x', sizeof(err));
	assert_int_equal(dr_err_set(&err, DR_USAGE, "%s: %d", "place", 7), -1);
	assert_int_equal(err.code, DR_USAGE);
	assert_int_equal(err.sys, 0);
	assert_int_equal(err.line, 0);
	assert_int_equal(err.col, 0);
	assert_string_equal(err.file, "");
	assert_string_equal(err.msg, "place: 7");
}

static void
null_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(dr_err_set(NULL, DR_USAGE, "a"), -1);
	assert_int_equal(dr_err_sys(NULL, ENOENT, "a"), -1);
	assert_int_equal(dr_err_nomem(NULL), -1);
}

static void
sys_says_why(void **state)
{
	struct dr_err err;
	char want[128];

	(void)state;
	snprintf(want, sizeof(want), "open x: %s", strerror(ENOENT));
	assert_int_equal(dr_err_sys(&err, ENOENT, "open %s", "x"), -1);
	assert_int_equal(err.code, DR_SYSTEM);
	assert_int_equal(err.sys, ENOENT);
	assert_string_equal(err.msg, want);
	assert_int_equal(dr_err_nomem(&err), -1);
	assert_int_equal(err.code, DR_SYSTEM);
	assert_int_equal(err.sys, ENOMEM);
}

static void
context_can_be_added(void **state)
{
	struct dr_err err;

	(void)state;
	dr_err_set(&err, DR_FAILED, "inner");
	dr_err_set(&err, err.code, "outer: %s", err.msg);
	assert_string_equal(err.msg, "outer: inner");
}

static void
too_long_keeps_the_reason(void **state)
{
	struct dr_err err;
	char name[4096];
	size_t n, why = strlen(strerror(EACCES));

	(void)state;
	/* Two-byte characters: the cut must not leave half of one. */
	for (size_t i = 0; i + 1 < sizeof(name) - 1; i += 2)
		memcpy(name + i, "\xc3\xa4", 2);
	name[sizeof(name) - 2] = '\0';
	for (int odd = 0; odd < 2; odd++) {
		dr_err_sys(&err, EACCES, "%s%s", odd ? "x" : "", name);
		n = strlen(err.msg);
		assert_true(n > 1000 && n < sizeof(err.msg));
		assert_string_equal(err.msg + n - why, strerror(EACCES));
		assert_memory_equal(err.msg + n - why - 4, "\xc3\xa4: ", 4);
	}
	dr_err_set(&err, DR_FAILED, "%s", name);
	assert_true(strlen(err.msg) % 2 == 0);
}

static void
diags_copy_and_count(void **state)
{
	struct dr_diags d = { 0 };
	char text[] = "out = {nmae}\nnext";

	(void)state;
	dr_diag_add(&d, "Dagfile", 3, 8, text, 12, "unknown %s", "nmae");
	memset(text, 0, sizeof(text));
	dr_diag_add(&d, NULL, 0, 0, NULL, 0, "no place");
	assert_int_equal(d.n, 2);
	assert_int_equal(d.total, 2);
	assert_string_equal(d.v[0].file, "Dagfile");
	assert_int_equal(d.v[0].line, 3);
	assert_int_equal(d.v[0].col, 8);
	assert_string_equal(d.v[0].text, "out = {nmae}");
	assert_string_equal(d.v[0].msg, "unknown nmae");
	assert_null(d.v[1].file);
	assert_null(d.v[1].text);
	for (int i = 0; i < 100; i++)
		dr_diag_add(&d, "f", 1, 1, "t", 1, "%d", i);
	assert_int_equal(d.n, DR_DIAGS_MAX);
	assert_int_equal(d.total, 102);
	dr_diags_free(&d);
	assert_int_equal(d.n, 0);
	assert_int_equal(d.total, 0);
	dr_diags_free(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_fills_all),
		cmocka_unit_test(null_is_allowed),
		cmocka_unit_test(sys_says_why),
		cmocka_unit_test(context_can_be_added),
		cmocka_unit_test(too_long_keeps_the_reason),
		cmocka_unit_test(diags_copy_and_count),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
