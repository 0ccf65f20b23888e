#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "err.h"
#include "hash.h"
#include "os.h"
#include "own-dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
known_values(void **state)
{
	struct dr_hash128 h;
	char hex[33];

	(void)state;
	/* The empty input's, as the XXH3 specification has them: stored hashes must hold across versions. */
	assert_true(dr_hash64(NULL, 0) == UINT64_C(0x2d06800538d394c2));
	dr_hash128_hex(dr_hash128(NULL, 0), hex);
	assert_string_equal(hex, "99aa06d3014798d86001c324468d497f");
	dr_hash128_hex((struct dr_hash128){ .lo = 1, .hi = UINT64_C(0xfedcba9876543210) }, hex);
	assert_string_equal(hex, "fedcba98765432100000000000000001");
	assert_true(dr_hash128_parse(hex, &h));
	assert_true(dr_hash128_eq(h, (struct dr_hash128){ .lo = 1, .hi = UINT64_C(0xfedcba9876543210) }));
	assert_false(dr_hash128_parse("", &h));
	assert_false(dr_hash128_parse("fedcba9876543210000000000000001", &h));
	assert_false(dr_hash128_parse("fedcba987654321000000000000000010", &h));
	assert_false(dr_hash128_parse("fedcba9876543210000000000000000X", &h));
	assert_false(dr_hash128_parse("FEDCBA98765432100000000000000001", &h));
}

static void
equality(void **state)
{
	struct dr_hash128 a = dr_hash128("a", 1), b = a;

	(void)state;
	assert_true(dr_hash128_eq(a, b));
	b.hi ^= 1;
	assert_false(dr_hash128_eq(a, b));
	b = a;
	b.lo ^= 1;
	assert_false(dr_hash128_eq(a, b));
}

static struct dr_hash128
two_fields(struct dr_hasher *h, const char *a, const char *b)
{
	dr_hasher_reset(h);
	dr_hasher_field(h, a, strlen(a));
	dr_hasher_field(h, b, strlen(b));
	return dr_hasher_end(h);
}

static void
fields_are_separate(void **state)
{
	struct dr_hasher *h = dr_hasher_new();
	struct dr_hash128 one, two;

	(void)state;
	assert_non_null(h);
	one = two_fields(h, "ab", "c");
	assert_true(dr_hash128_eq(one, two_fields(h, "ab", "c")));
	assert_false(dr_hash128_eq(one, two_fields(h, "a", "bc")));
	assert_false(dr_hash128_eq(one, two_fields(h, "abc", "")));
	assert_false(dr_hash128_eq(two_fields(h, "", "x"), two_fields(h, "x", "")));
	/* An end is no end: more may follow, and one field isn't two. */
	two_fields(h, "ab", "c");
	dr_hasher_field(h, NULL, 0);
	two = dr_hasher_end(h);
	assert_false(dr_hash128_eq(one, two));
	/* The lengths are written in one byte order everywhere. */
	two_fields(h, "ab", "c");
	assert_true(dr_hash128_eq(dr_hasher_end(h), dr_hash128("\2\0\0\0\0\0\0\0ab\1\0\0\0\0\0\0\0c", 19)));
	dr_hasher_free(h);
	dr_hasher_free(NULL);
}

/* The hash of fields is that of their bytes, one behind the other, however many and long they are: records of old hold. */
static void
fields_of_all_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 7, 240, 241, 495, 496, 497, 1007, 1008, 1016, 1017, 1024, 1025, 5000 };
	enum { N = sizeof(sizes) / sizeof(*sizes) };
	struct dr_hasher *h = dr_hasher_new();
	char *bytes = malloc(3 * (5000 + 8)), *field = malloc(5000);

	(void)state;
	assert_non_null(h);
	assert_non_null(bytes);
	assert_non_null(field);
	for (size_t i = 0; i < 5000; i++)
		field[i] = (char)(i * 7 + i / 251);
	for (unsigned round = 0; round < N * N * N; round++) {
		const size_t of[] = { sizes[round % N], sizes[round / N % N], sizes[round / N / N] };
		size_t n = 0;

		dr_hasher_reset(h);
		for (int i = 0; i < 3; i++) {
			dr_hash_length(of[i], (unsigned char *)bytes + n);
			memcpy(bytes + n + 8, field, of[i]);
			n += 8 + of[i];
			dr_hasher_field(h, field, of[i]);
			assert_true(dr_hash128_eq(dr_hasher_end(h), dr_hash128(bytes, n)));
		}
	}
	free(bytes);
	free(field);
	dr_hasher_free(h);
}

static void
files_hash_as_their_contents(void **state)
{
	/* Around the size of the pieces that a file is read in. */
	static const size_t sizes[] = { 0, 1, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 1000003 };
	int dir = ((struct place *)*state)->dir;
	char *bytes = malloc(1000003);
	struct dr_hash128 h;
	struct dr_err err;

	assert_non_null(bytes);
	for (size_t i = 0; i < 1000003; i++)
		bytes[i] = (char)(i * 2654435761U >> 13);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		int fd = openat(dir, "f", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

		assert_true(fd >= 0);
		assert_int_equal(dr_write_full(fd, bytes, sizes[i]), 0);
		dr_close(&fd);
		assert_int_equal(dr_hash_file(dir, "f", &h, &err), 0);
		assert_true(dr_hash128_eq(h, dr_hash128(bytes, sizes[i])));
	}
	free(bytes);
}

static void
files_that_cannot_be_read(void **state)
{
	int dir = ((struct place *)*state)->dir;
	struct dr_hash128 h;
	struct dr_err err;

	assert_int_equal(dr_hash_file(dir, "missing", &h, &err), -1);
	assert_int_equal(err.sys, ENOENT);
	assert_non_null(strstr(err.msg, "missing"));
	assert_int_equal(dr_hash_file(dir, ".", &h, &err), -1);
	assert_int_equal(err.sys, EISDIR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_values),
		cmocka_unit_test(equality),
		cmocka_unit_test(fields_are_separate),
		cmocka_unit_test(fields_of_all_sizes),
		cmocka_unit_test_setup_teardown(files_hash_as_their_contents, setup, teardown),
		cmocka_unit_test_setup_teardown(files_that_cannot_be_read, setup, teardown),
	};

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
