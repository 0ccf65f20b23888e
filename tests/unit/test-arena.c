#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "arena.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool
all_zero(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i])
			return false;
	}
	return true;
}

static void
objects_are_zeroed_aligned_apart(void **state)
{
	struct dr_arena a = { 0 };
	unsigned char *p[3000];
	size_t n[3000], total = 0;

	(void)state;
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < 3000; i++) {
			/* From nothing to more than a block has. */
			n[i] = i % 500 == 499 ? 200000 : i * 7 % 900;
			p[i] = dr_arena_alloc(&a, n[i]);
			assert_non_null(p[i]);
			assert_int_equal((uintptr_t)p[i] % _Alignof(max_align_t), 0);
			assert_true(all_zero(p[i], n[i]));
			memset(p[i], (int)(i % 255) + 1, n[i]);
			total += n[i];
		}
		for (size_t i = 0; i < 3000; i++) {
			for (size_t k = 0; k < n[i]; k++)
				assert_int_equal(p[i][k], i % 255 + 1);
		}
		assert_true(a.used >= total);
		dr_arena_reset(&a);
		assert_int_equal(a.used, 0);
		total = 0;
	}
	dr_arena_free(&a);
	assert_null(a.last);
	dr_arena_free(&a);
}

static void
big_object_leaves_the_block_in_use(void **state)
{
	struct dr_arena a = { 0 };
	char *small, *next;

	(void)state;
	small = dr_arena_alloc(&a, 16);
	assert_non_null(dr_arena_alloc(&a, 10 << 20));
	next = dr_arena_alloc(&a, 16);
	assert_ptr_equal(next, small + 16);
	dr_arena_free(&a);

	/* As the first one too, and a reset doesn't hold on to it. */
	assert_non_null(dr_arena_alloc(&a, 10 << 20));
	dr_arena_reset(&a);
	assert_null(a.last);
	dr_arena_free(&a);
}

static void
reset_reuses_memory(void **state)
{
	struct dr_arena a = { 0 };
	void *first;

	(void)state;
	dr_arena_reset(&a);
	first = dr_arena_alloc(&a, 100);
	dr_arena_reset(&a);
	assert_ptr_equal(dr_arena_alloc(&a, 100), first);
	dr_arena_free(&a);
}

static void
sizes_that_overflow_fail(void **state)
{
	struct dr_arena a = { 0 };
	volatile size_t huge = SIZE_MAX;

	(void)state;
	assert_null(dr_arena_alloc(&a, huge));
	assert_null(dr_arena_alloc(&a, huge - 20));
	assert_null(dr_arena_array(&a, huge / 2, 3));
	assert_null(dr_arena_array(&a, huge / 8 + 2, 8));
	assert_null(dr_arena_strndup(&a, "x", huge));
	assert_non_null(dr_arena_array(&a, huge, 0));
	assert_non_null(dr_arena_array(&a, 0, huge));
	assert_non_null(dr_arena_array(&a, 3, 5));
	dr_arena_free(&a);
}

static void
strndup_copies(void **state)
{
	struct dr_arena a = { 0 };
	char *s = dr_arena_strndup(&a, "abc\0def", 7), *t;

	(void)state;
	assert_memory_equal(s, "abc\0def", 8);
	t = dr_arena_strndup(&a, NULL, 0);
	assert_string_equal(t, "");
	dr_arena_free(&a);
}

static void
grow_keeps_and_checks(void **state)
{
	uint32_t *v = NULL, cap = 0, steps = 0;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		uint32_t was = cap;

		assert_int_equal(dr_grow(&v, &cap, (size_t)i + 1, sizeof(*v)), 0);
		steps += was != cap;
		v[i] = i;
	}
	assert_true(steps < 40);
	for (uint32_t i = 0; i < 100000; i++)
		assert_int_equal(v[i], i);
	steps = cap;
	assert_int_equal(dr_grow(&v, &cap, (size_t)UINT32_MAX + 1, sizeof(*v)), -1);
	assert_int_equal(dr_grow(&v, &cap, UINT32_MAX, SIZE_MAX / 4), -1);
	assert_int_equal(cap, steps);
	assert_int_equal(v[99999], 99999);
	assert_int_equal(dr_grow(&v, &cap, 1, sizeof(*v)), 0);
	assert_int_equal(cap, steps);
	free(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_zeroed_aligned_apart),
		cmocka_unit_test(big_object_leaves_the_block_in_use),
		cmocka_unit_test(reset_reuses_memory),
		cmocka_unit_test(sizes_that_overflow_fail),
		cmocka_unit_test(strndup_copies),
		cmocka_unit_test(grow_keeps_and_checks),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
