#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "map.h"

#include <stdlib.h>

/* The keys of a test: numbers, with a hash as bad as the test wants. */
struct keys {
	uint64_t *v;
	uint64_t (*hash)(uint64_t key);
	unsigned long compared;
};

static uint64_t
mixed(uint64_t key)
{
	key = (key ^ key >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	key = (key ^ key >> 27) * UINT64_C(0x94d049bb133111eb);
	return key ^ key >> 31;
}

static uint64_t
same(uint64_t key)
{
	(void)key;
	return UINT64_MAX;
}

static bool
eq(const void *ctx, uint32_t value, const void *key)
{
	struct keys *k = *(struct keys *const *)ctx;

	k->compared++;
	return k->v[value] == *(const uint64_t *)key;
}

static uint64_t
hash(const void *ctx, uint32_t value)
{
	const struct keys *k = *(struct keys *const *)ctx;

	return k->hash(k->v[value]);
}

static const struct dr_map_ops ops = { eq, hash };

static void
fill_and_find(uint32_t n, uint64_t (*fn)(uint64_t), uint32_t reserve)
{
	struct keys keys = { .hash = fn }, *ctx = &keys;
	struct dr_map m = { 0 };
	uint64_t key = 1;

	keys.v = calloc(n, sizeof(*keys.v));
	assert_non_null(keys.v);
	assert_int_equal(dr_map_find(&m, &ops, &ctx, fn(key), &key), DR_NONE);
	if (reserve)
		assert_int_equal(dr_map_reserve(&m, &ops, &ctx, reserve), 0);
	for (uint32_t i = 0; i < n; i++) {
		key = (uint64_t)i * 3 + 1;
		assert_int_equal(dr_map_find(&m, &ops, &ctx, fn(key), &key), DR_NONE);
		keys.v[i] = key;
		assert_int_equal(dr_map_add(&m, &ops, &ctx, fn(key), i), 0);
		assert_true((uint64_t)m.used * 3 <= ((uint64_t)m.mask + 1) * 2);
	}
	assert_int_equal(m.used, n);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(dr_map_find(&m, &ops, &ctx, fn(keys.v[i]), &keys.v[i]), i);
		key = (uint64_t)i * 3;
		assert_int_equal(dr_map_find(&m, &ops, &ctx, fn(key), &key), DR_NONE);
	}
	if (fn == mixed && n > 1000)
		assert_true(keys.compared < (unsigned long)n * 12);
	dr_map_free(&m);
	assert_null(m.slots);
	assert_int_equal(dr_map_find(&m, &ops, &ctx, fn(1), &key), DR_NONE);
	free(keys.v);
}

static void
finds_what_was_added(void **state)
{
	(void)state;
	fill_and_find(1, mixed, 0);
	fill_and_find(10, mixed, 0);
	fill_and_find(11, mixed, 0);
	fill_and_find(200000, mixed, 0);
}

static void
one_hash_for_all_still_works(void **state)
{
	(void)state;
	fill_and_find(300, same, 0);
}

static void
reserve_makes_room_once(void **state)
{
	struct keys keys = { .hash = mixed }, *ctx = &keys;
	struct dr_map m = { 0 };
	const uint32_t *slots;

	(void)state;
	fill_and_find(5000, mixed, 5000);
	assert_int_equal(dr_map_reserve(&m, &ops, &ctx, 1000000), 0);
	assert_int_equal(m.mask, (1U << 21) - 1);
	slots = m.slots;
	assert_int_equal(dr_map_reserve(&m, &ops, &ctx, 10), 0);
	assert_ptr_equal(m.slots, slots);
	dr_map_free(&m);
}

static void
none_is_no_value(void **state)
{
	struct dr_map m = { 0 };

	(void)state;
	assert_int_equal(dr_map_add(&m, &ops, NULL, 1, DR_NONE), -1);
	assert_int_equal(m.used, 0);
	dr_map_free(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_added),
		cmocka_unit_test(one_hash_for_all_still_works),
		cmocka_unit_test(reserve_makes_room_once),
		cmocka_unit_test(none_is_no_value),
	};

	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
