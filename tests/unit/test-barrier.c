#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "barrier.h"
#include "err.h"
#include "own-dir.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define S INT64_C(1000000000)

/* A disk that notes what is synced: "b" begun, "f" a file, "d" a directory, "a" all. Used by one thread at a time. */
struct fake {
	struct dr_disk d;
	char log[4096];
	uint32_t calls;
	const char *absent, *broken; /* paths */
};

static int
fake_sync(struct dr_disk *d, const char *path, enum dr_disk_sync what)
{
	struct fake *k = (struct fake *)d;
	size_t n = strlen(k->log);

	k->calls++;
	snprintf(k->log + n, sizeof(k->log) - n, "%c:%s ", "bfda"[what], path);
	errno = k->absent && !strcmp(path, k->absent) ? ENOENT : k->broken && !strcmp(path, k->broken) ? EIO : 0;
	return errno ? -1 : 0;
}

/* What is below "other" lies on another file system. */
static int
fake_device(struct dr_disk *d, const char *path, uint64_t *device)
{
	(void)d;
	*device = strncmp(path, "other", 5) == 0;
	return 0;
}

struct world {
	struct place *p;
	struct fake disk;
	struct dr_journal *journal;
	struct dr_barrier *b;
	char said[512];
	char records[256];
	struct dr_err err;
};

static void
warn(void *arg, const char *message)
{
	struct world *w = arg;

	snprintf(w->said, sizeof(w->said), "%s", message);
}

static int
begin(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct dr_barrier_options o = {
		.run = 7, .began = 100 * S, .every = 30 * S, .least = 10 * S, .warn = warn, .arg = w,
	};
	void *place = NULL;

	if (!w || setup(&place))
		return -1;
	w->p = place;
	w->disk.d.sync = fake_sync;
	w->disk.d.device = fake_device;
	if (dr_journal_open(w->p->dir, &w->journal, &w->err))
		return -1;
	o.disk = &w->disk.d;
	o.journal = w->journal;
	*state = w;
	return dr_barrier_new(&o, &w->b, &w->err);
}

static int
end(void **state)
{
	struct world *w = *state;
	void *place = w->p;

	dr_barrier_free(w->b);
	dr_journal_close(w->journal);
	free(w);
	return teardown(&place);
}

static int
note(void *arg, struct dr_record *r, struct dr_err *err)
{
	struct world *w = arg;
	size_t n = strlen(w->records);

	(void)err;
	assert_int_equal(r->kind, DR_REC_BARRIER);
	assert_int_equal(r->barrier.run, 7);
	snprintf(w->records + n, sizeof(w->records) - n, "%d", (int)r->barrier.phase);
	return 0;
}

/* What the journal has had since this was last asked. */
static void
records(struct world *w, const char *phases)
{
	w->records[0] = '\0';
	assert_int_equal(dr_journal_read(w->journal, true, note, w, NULL, &w->err), 0);
	assert_string_equal(w->records, phases);
}

static void
synced(struct world *w, const char *log)
{
	assert_string_equal(w->disk.log, log);
	w->disk.log[0] = '\0';
}

/* Until the thread has nothing more to do. */
static void
settle(struct world *w, int64_t now)
{
	while (dr_barrier_tick(w->b, now) < 0)
		dr_barrier_wait(w->b);
}

static void
nothing_in_a_short_run(void **state)
{
	struct world *w = *state;

	assert_int_equal(dr_barrier_fd(w->b), -1);
	settle(w, 100 * S);
	dr_barrier_ready(w->b);
	dr_barrier_add(w->b, "out/a", false);
	assert_true(dr_barrier_tick(w->b, 101 * S) == 130 * S);
	assert_false(dr_barrier_last(w->b, 110 * S - 1));
	synced(w, "");
	records(w, "");
}

static void
every_30_s_and_at_the_end(void **state)
{
	struct world *w = *state;

	/* First the journal alone: there is nothing to be vouched for. */
	settle(w, 101 * S);
	assert_true(dr_barrier_fd(w->b) >= 0);
	synced(w, "");
	records(w, "");
	dr_barrier_add(w->b, "out/a", false);
	dr_barrier_add(w->b, "out/b", false);
	dr_barrier_add(w->b, "c", false);
	dr_barrier_add(w->b, "/d", false);
	assert_true(dr_barrier_tick(w->b, 102 * S) == 131 * S);
	w->disk.absent = "out/b"; /* reclaimed */
	assert_true(dr_barrier_tick(w->b, 131 * S) == -1);
	dr_barrier_add(w->b, "late", false);
	records(w, "1");
	dr_barrier_wait(w->b);
	settle(w, 131 * S);
	synced(w, "b:out/a b:out/b b:c b:/d f:out/a f:out/b f:c f:/d d:out d: d:/ ");
	records(w, "2");
	/* Nothing since: nothing to do. */
	settle(w, 161 * S);
	synced(w, "b:late f:late d: ");
	records(w, "12");
	settle(w, 191 * S);
	synced(w, "");
	records(w, "");
	dr_barrier_add(w->b, "last", false);
	while (dr_barrier_last(w->b, 192 * S))
		dr_barrier_wait(w->b);
	synced(w, "b:last f:last d: ");
	records(w, "12");
	assert_string_equal(w->said, "");
}

static void
many_files_and_directories_by_file_system(void **state)
{
	struct world *w = *state;
	char path[32];

	for (int i = 0; i < 2000; i++) {
		snprintf(path, sizeof(path), "%s/%d/x", i % 2 ? "out" : "other", i / 10);
		dr_barrier_add(w->b, path, false);
	}
	settle(w, 101 * S);
	synced(w, "a:other/0 a:out/0 ");
	records(w, "12");
	dr_barrier_add(w->b, "tree/x", true);
	settle(w, 131 * S);
	synced(w, "a:tree ");
	records(w, "12");
}

/* What could not be synced is not vouched for, nor is anything after it: a later barrier would be about this, too. */
static void
an_error_ends_it(void **state)
{
	struct world *w = *state;

	w->disk.broken = "out/b";
	dr_barrier_add(w->b, "out/a", false);
	dr_barrier_add(w->b, "out/b", false);
	assert_true(dr_barrier_tick(w->b, 101 * S) == -1);
	dr_barrier_wait(w->b);
	assert_true(dr_barrier_tick(w->b, 101 * S) == -1);
	assert_non_null(strstr(w->said, "out/b"));
	records(w, "1");
	w->disk.calls = 0;
	dr_barrier_add(w->b, "out/c", false);
	assert_true(dr_barrier_tick(w->b, 200 * S) == -1);
	assert_false(dr_barrier_last(w->b, 200 * S));
	assert_int_equal(w->disk.calls, 0);
	records(w, "");
}

static void
freed_while_at_work(void **state)
{
	struct world *w = *state;

	dr_barrier_add(w->b, "out/a", false);
	assert_true(dr_barrier_tick(w->b, 101 * S) == -1);
	dr_barrier_free(w->b);
	w->b = NULL;
	dr_barrier_add(NULL, "x", false);
	dr_barrier_wait(NULL);
	assert_true(dr_barrier_tick(NULL, 0) == -1 && dr_barrier_fd(NULL) == -1 && !dr_barrier_last(NULL, 0));
	records(w, "1");
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(nothing_in_a_short_run),
		TEST(every_30_s_and_at_the_end),
		TEST(many_files_and_directories_by_file_system),
		TEST(an_error_ends_it),
		TEST(freed_while_at_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
