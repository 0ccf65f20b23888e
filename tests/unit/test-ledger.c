#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "ledger.h"
#include "lock.h"
#include "os.h"
#include "own-dir.h"

#define MS INT64_C(1000000)

static struct dr_ledger *
open_ledger(const struct place *p, uint64_t run, uint64_t origin, struct dr_lock *lock)
{
	const struct dr_ledger_stage stages[] = {
		{ .wanted = 10, .clean = 2, .name = DR_STR("count") },
		{ .wanted = 3, .name = DR_STR("tot\377al") },
	};
	struct dr_ledger_options o = {
		.state_dir = p->dir, .run = run, .origin = origin, .slots = 4, .lock = lock, .stages = stages, .n_stages = 2
	};
	struct dr_ledger *l = NULL;
	struct dr_err err;

	assert_int_equal(dr_ledger_open(&o, &l, &err), 0);
	return l;
}

static void
read_all(const struct place *p, struct dr_ledger_image **m, uint32_t *n)
{
	struct dr_err err;

	assert_int_equal(dr_ledger_read(p->dir, m, n, &err), 0);
}

static struct dr_ledger_task
task(uint32_t stage, uint32_t slot, const char *name)
{
	return (struct dr_ledger_task){
		.id = { slot, 7 }, .since = 5, .stage = stage, .slot = slot, .attempt = 2, .pid = 99, .name = dr_str(name)
	};
}

static void
nothing(void **state)
{
	struct dr_ledger_image *m;
	uint32_t n;

	read_all(*state, &m, &n);
	assert_int_equal(n, 0);
	dr_ledger_free_images(m, n);
	dr_ledger_started(NULL, NULL);
	dr_ledger_ended(NULL, 0, 0, DR_LEDGER_DONE, true);
	assert_int_equal(dr_ledger_tick(NULL, 1), -1);
	dr_ledger_finish(NULL, 0);
	dr_ledger_free(NULL);
}

static void
what_is_written_is_read(void **state)
{
	struct dr_ledger *l = open_ledger(*state, 0xab, 0xcd, NULL);
	struct dr_ledger_task a = task(0, 1, "counts/a\n"), b = task(1, 300, "b"), c = task(0, 2, "c");
	struct dr_ledger_image *m;
	uint32_t n;

	dr_ledger_started(l, &a);
	dr_ledger_started(l, &b);
	dr_ledger_started(l, &c);
	dr_ledger_ended(l, 0, 2, DR_LEDGER_DONE, true);
	dr_ledger_ended(l, 0, 0, DR_LEDGER_DONE, false); /* by another run */
	dr_ledger_ended(l, 1, 0, DR_LEDGER_FAILED, false);
	assert_int_equal(dr_ledger_tick(l, 1), -1);
	read_all(*state, &m, &n);
	assert_int_equal(n, 1);
	assert_true(m->f.run == 0xab && m->f.origin == 0xcd && m->f.slots == 4 && m->f.pid == (uint32_t)getpid());
	assert_true(m->f.began > 0 && m->f.updated >= m->f.began && m->f.ended == 0);
	assert_int_equal(m->f.n_stages, 2);
	assert_true(m->stages[0].wanted == 10 && m->stages[0].clean == 2 && m->stages[0].done == 2 &&
		    m->stages[0].running == 1);
	assert_true(m->stages[1].failed == 1 && m->stages[1].running == 1 && dr_str_is(m->stages[1].name, "tot\377al"));
	assert_int_equal(m->f.n_tasks, 2);
	assert_true(dr_str_is(m->tasks[0].name, "counts/a\n") && m->tasks[0].slot == 1 && m->tasks[0].attempt == 2 &&
		    m->tasks[0].pid == 99 && m->tasks[0].since == 5 && m->tasks[0].id.lo == 1);
	assert_true(m->tasks[1].slot == 300 && m->tasks[1].stage == 1);
	dr_ledger_free_images(m, n);

	dr_ledger_finish(l, 15);
	read_all(*state, &m, &n);
	assert_true(n == 1 && m->f.ended >= m->f.began && m->f.signal == 15 && m->f.n_tasks == 0 &&
		    m->stages[0].running == 0 && m->stages[0].done == 2);
	dr_ledger_free_images(m, n);
	dr_ledger_free(l);
}

/* However fast tasks end, it is written at most every 20 ms; what waits is written then. */
static void
not_too_often(void **state)
{
	struct dr_ledger *l = open_ledger(*state, 1, 1, NULL);
	struct dr_ledger_image *m;
	uint32_t n;

	assert_int_equal(dr_ledger_tick(l, 100 * MS), -1);
	assert_int_equal(dr_ledger_tick(l, 101 * MS), -1); /* nothing has changed */
	dr_ledger_ended(l, 0, 0, DR_LEDGER_DONE, false);
	assert_true(dr_ledger_tick(l, 102 * MS) == 120 * MS);
	read_all(*state, &m, &n);
	assert_true(n == 1 && m->stages[0].done == 0);
	dr_ledger_free_images(m, n);
	assert_int_equal(dr_ledger_tick(l, 120 * MS), -1);
	read_all(*state, &m, &n);
	assert_true(n == 1 && m->stages[0].done == 1);
	dr_ledger_free_images(m, n);
	dr_ledger_free(l);
}

/* Of a file that is cut, changed or another program's nothing is believed. */
static void
damage(void **state)
{
	struct place *p = *state;
	struct dr_ledger *l = open_ledger(p, 2, 1, NULL);
	struct dr_ledger_task a = task(0, 1, "a");
	struct dr_ledger_image *m;
	const char *name = "runs/0000000000000002";
	struct stat st;
	uint32_t n;
	char byte;
	int fd;

	dr_ledger_started(l, &a);
	dr_ledger_tick(l, 1);
	dr_ledger_free(l);
	fd = openat(p->dir, name, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = 0; at < st.st_size; at += 13) {
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 1;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		read_all(p, &m, &n);
		assert_int_equal(n, 0);
		dr_ledger_free_images(m, n);
		byte ^= 1;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	read_all(p, &m, &n);
	assert_int_equal(n, 1);
	dr_ledger_free_images(m, n);
	assert_int_equal(ftruncate(fd, st.st_size - 1), 0);
	read_all(p, &m, &n);
	assert_int_equal(n, 0);
	dr_ledger_free_images(m, n);
	close(fd);
	/* Nor is a name that is none. */
	assert_int_equal(renameat(p->dir, name, p->dir, "runs/000000000000000g"), 0);
	read_all(p, &m, &n);
	assert_int_equal(n, 0);
	dr_ledger_free_images(m, n);
}

static bool
there(const struct place *p, uint64_t run)
{
	char name[40];

	snprintf(name, sizeof(name), "runs/%016" PRIx64, run);
	return faccessat(p->dir, name, F_OK, 0) == 0;
}

/* A run removes what dead ones of its Dagfile have left; those of others, up to a number, and those that live, stay. */
static void
tidying(void **state)
{
	struct place *p = *state;
	struct dr_lock *live, *mine;
	struct dr_err err;
	bool alone;
	uint32_t left = 0;

	assert_int_equal(dr_lock_open(p->dir, 10, 0, &live, &alone, &err), 0);
	assert_int_equal(dr_lock_open(p->dir, 11, 0, &mine, &alone, &err), 0);
	if (alone) {
		dr_lock_close(live);
		dr_lock_close(mine);
		skip();
	}
	for (uint64_t run = 10; run < 60; run++) {
		struct dr_ledger *l = open_ledger(p, run, run < 15 ? 1 : run, NULL);

		dr_ledger_finish(l, 0);
		dr_ledger_free(l);
	}
	dr_ledger_free(open_ledger(p, 11, 1, mine));
	assert_true(there(p, 10) && there(p, 11));
	for (uint64_t run = 12; run < 15; run++)
		assert_false(there(p, run));
	for (uint64_t run = 15; run < 60; run++)
		left += there(p, run);
	assert_int_equal(left, 32);
	dr_lock_close(live);
	dr_lock_close(mine);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_written_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(not_too_often, setup, teardown),
		cmocka_unit_test_setup_teardown(damage, setup, teardown),
		cmocka_unit_test_setup_teardown(tidying, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
