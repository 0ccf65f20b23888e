#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "stale-look.h"

#include "err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More directories than a thread keeps open; of two of them one is not there, and one cannot be opened. */
enum { FILES = 20000, N_DIRS = 13, GONE = 3, CLOSED = 5, MISSING = 77 };

/* A disk without state: a file's size is its number. */
struct fake {
	struct dr_disk d; /* first: a fake is a dr_disk */
	atomic_uint by_path, in_dir, opened;
	int fails; /* the number of a file that cannot be looked at; -1: none */
};

static int
answer(struct fake *f, const char *name, struct dr_stamp *st, bool *dir)
{
	int n = atoi(name);

	*dir = n % 100 == 1;
	*st = (struct dr_stamp){ .size = n % 100 == MISSING ? DR_ABSENT : n, .mtime = n };
	if (n != f->fails)
		return 0;
	errno = EIO;
	return -1;
}

static int
fake_stat(struct dr_disk *d, const char *path, struct dr_stamp *st, bool *dir)
{
	struct fake *f = (struct fake *)d;
	const char *slash = strrchr(path, '/');

	atomic_fetch_add(&f->by_path, 1);
	return answer(f, slash ? slash + 1 : path, st, dir);
}

static int
fake_stat_in(struct dr_disk *d, int at, const char *name, struct dr_stamp *st, bool *dir)
{
	struct fake *f = (struct fake *)d;

	assert_true(at >= 0);
	atomic_fetch_add(&f->in_dir, 1);
	return answer(f, name, st, dir);
}

static int
fake_open_dir(struct dr_disk *d, const char *path)
{
	struct fake *f = (struct fake *)d;

	atomic_fetch_add(&f->opened, 1);
	errno = strcmp(path, "d3/") == 0 ? ENOENT : EACCES;
	return strcmp(path, "d3/") == 0 || strcmp(path, "d5/") == 0 ? -1 : open("/", O_RDONLY | O_CLOEXEC);
}

static int
fake_tree(struct dr_disk *d, const char *path, struct dr_stamp *st)
{
	(void)d;
	(void)path;
	st->size = 1000000;
	return 0;
}

/* Neighbours lie together, as most often. */
static uint32_t
dir_of(uint32_t file)
{
	return file / 50 % N_DIRS;
}

static struct dr_graph *
graph_of(uint32_t n)
{
	struct dr_graph *g = dr_graph_new();
	char path[64];
	uint32_t file;

	assert_non_null(g);
	for (uint32_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "d%u/%u", dir_of(i), i);
		assert_int_equal(dr_graph_file(g, dr_str(path), &file, NULL), 0);
		assert_int_equal(file, i);
	}
	return g;
}

static void
check(const struct dr_graph *g, uint32_t i, bool opens)
{
	const struct dr_file *f = &g->files[i];
	bool absent = i % 100 == MISSING;

	if (i % 10 == 9) {
		assert_int_equal(f->stamp.size, DR_UNKNOWN); /* nobody wanted to know */
		return;
	}
	/* The first one met in it is looked for. */
	if (opens && dir_of(i) == GONE && f->stamp.size == DR_ABSENT)
		absent = true;
	assert_int_equal(!!(f->flags & DR_FILE_ABSENT), absent);
	assert_int_equal(f->stamp.size, absent ? (int64_t)DR_ABSENT : (int64_t)i);
	assert_int_equal(!!(f->flags & DR_FILE_DIR), !absent && i % 100 == 1);
}

static void
look(unsigned threads, bool opens, uint32_t stride)
{
	struct fake f = { .d = { .threads = threads, .stat = fake_stat, .tree = fake_tree }, .fails = -1 };
	struct dr_graph *g = graph_of(FILES);
	uint8_t which[FILES / 8 + 1] = { 0 };
	struct dr_look *l;
	struct dr_err err;

	if (opens) {
		f.d.open_dir = fake_open_dir;
		f.d.stat_in = fake_stat_in;
	}
	for (uint32_t i = 0; i < FILES; i++)
		which[i / 8] |= (uint8_t)((i % 10 != 9) << i % 8);
	l = dr_look_begin(&f.d, g, which, &err);
	assert_non_null(l);
	/* From anywhere, so that some are there already, some are on their way, and some are left to us. */
	for (uint32_t i = 0; i < FILES / 2; i++) {
		uint32_t file = (uint32_t)((uint64_t)i * stride % FILES);

		dr_look_need(l, file);
		check(g, file, opens);
	}
	assert_int_equal(dr_look_end(l, &err), 0);
	for (uint32_t i = 0; i < FILES; i++)
		check(g, i, opens);
	if (opens)
		assert_true(f.in_dir > f.by_path);
	else
		assert_int_equal(f.in_dir, 0);
	dr_graph_free(g);
}

static void
one_thread_looks(void **state)
{
	(void)state;
	look(0, false, 1);
	look(1, true, 7919);
}

static void
threads_look(void **state)
{
	(void)state;
	for (uint32_t stride = 1; stride < 20000; stride += 3998) {
		look(2, false, stride);
		look(4, true, stride);
		look(64, true, stride);
	}
}

/* In a directory that is not there, all but those met before it was known are spared a look. */
static void
what_is_not_there_is_not_looked_for(void **state)
{
	struct fake f = { .d = { .stat = fake_stat, .open_dir = fake_open_dir, .stat_in = fake_stat_in }, .fails = -1 };
	struct dr_graph *g = dr_graph_new();
	uint8_t which[13];
	struct dr_err err;
	struct dr_look *l;
	uint32_t file;
	char path[64];

	(void)state;
	memset(which, 0xff, sizeof(which));
	for (int i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "d3/%d", i);
		assert_int_equal(dr_graph_file(g, dr_str(path), &file, NULL), 0);
	}
	l = dr_look_begin(&f.d, g, which, &err);
	assert_non_null(l);
	assert_int_equal(dr_look_end(l, &err), 0);
	assert_int_equal(f.by_path, 1);
	assert_int_equal(f.in_dir, 0);
	for (uint32_t i = 1; i < 100; i++)
		assert_true(g->files[i].flags & DR_FILE_ABSENT);
	dr_graph_free(g);
}

static void
trees_are_looked_through(void **state)
{
	struct fake f = { .d = { .stat = fake_stat, .tree = fake_tree, .open_dir = fake_open_dir, .stat_in = fake_stat_in },
			  .fails = -1 };
	struct dr_graph *g = graph_of(300);
	uint8_t which[300 / 8 + 1];
	struct dr_look *l;
	struct dr_err err;

	(void)state;
	memset(which, 0xff, sizeof(which));
	g->files[101].flags |= DR_FILE_TREE;
	l = dr_look_begin(&f.d, g, which, &err);
	assert_non_null(l);
	assert_int_equal(dr_look_end(l, &err), 0);
	assert_int_equal(g->files[101].stamp.size, 1000000);
	assert_true(g->files[101].flags & DR_FILE_DIR);
	assert_int_equal(g->files[102].stamp.size, 102);
	dr_graph_free(g);
}

static void
what_cannot_be_looked_at_is_told(void **state)
{
	for (unsigned threads = 1; threads <= 4; threads += 3) {
		struct fake f = { .d = { .threads = threads, .stat = fake_stat }, .fails = 12345 };
		struct dr_graph *g = graph_of(FILES);
		uint8_t *which = malloc(FILES / 8 + 1);
		struct dr_look *l;
		struct dr_err err = { 0 };

		(void)state;
		assert_non_null(which);
		memset(which, 0xff, FILES / 8 + 1);
		l = dr_look_begin(&f.d, g, which, &err);
		assert_non_null(l);
		dr_look_need(l, 12345);
		assert_int_equal(dr_look_end(l, &err), -1);
		assert_int_equal(err.sys, EIO);
		assert_non_null(strstr(err.msg, "look at d12/12345"));
		free(which);
		dr_graph_free(g);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_thread_looks),
		cmocka_unit_test(threads_look),
		cmocka_unit_test(what_is_not_there_is_not_looked_for),
		cmocka_unit_test(trees_are_looked_through),
		cmocka_unit_test(what_cannot_be_looked_at_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
