#include "config.h"

#include "plan-place.h"

#include "stale-early.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>

/* More than a thread takes at once, several times over; names of which some are no files for us, and one cannot be looked at. */
enum { FILES = 8000, FAILS = 4321 };

/* A disk without state: a file's size is its number. */
struct fake {
	struct dr_disk d; /* first: a fake is a dr_disk */
	atomic_uint looks, opened;
	unsigned wanted; /* looks that `there` is told of */
	sem_t there;
	sem_t *gate; /* NULL, or each look waits for it */
};

static int
answer(struct fake *f, const char *name, struct dr_stamp *st, bool *dir)
{
	int n = atoi(name);

	if (f->gate) {
		sem_wait(f->gate);
		sem_post(f->gate);
	}
	*dir = n % 100 == 1;
	*st = (struct dr_stamp){ .size = n % 100 == 77 ? DR_ABSENT : n, .mtime = n, .ino = (uint64_t)n };
	if (atomic_fetch_add(&f->looks, 1) + 1 == f->wanted)
		sem_post(&f->there);
	if (n != FAILS)
		return 0;
	errno = EIO;
	return -1;
}

static int
fake_stat(struct dr_disk *d, const char *path, struct dr_stamp *st, bool *dir)
{
	const char *slash = strrchr(path, '/');

	return answer((struct fake *)d, slash ? slash + 1 : path, st, dir);
}

static int
fake_stat_in(struct dr_disk *d, int at, const char *name, struct dr_stamp *st, bool *dir)
{
	assert_true(at >= 0);
	return answer((struct fake *)d, name, st, dir);
}

static int
fake_open_dir(struct dr_disk *d, const char *path)
{
	assert_int_equal(path[strlen(path) - 1], '/');
	atomic_fetch_add(&((struct fake *)d)->opened, 1);
	if (!strncmp(path, "b", 1)) {
		errno = EACCES;
		return -1;
	}
	return open("/", O_RDONLY | O_CLOEXEC);
}

/* What is told of rows, and the looks that it begins. */
struct rows {
	struct place *p;
	struct fake f;
	struct dr_early *early;
	unsigned told, gone;
};

static void
there(void *arg, const struct dr_plan *pl)
{
	struct rows *r = arg;

	assert_null(r->early);
	r->told++;
	r->early = dr_early_begin(&r->f.d, pl);
}

static void
go(void *arg)
{
	struct rows *r = arg;

	dr_early_free(r->early);
	r->early = NULL;
	r->gone++;
}

static void
setup_rows(struct rows *r, struct place *p, unsigned threads, bool opens)
{
	*r = (struct rows){ .p = p, .f = { .d = { .threads = threads, .stat = fake_stat } } };
	if (opens) {
		r->f.d.open_dir = fake_open_dir;
		r->f.d.stat_in = fake_stat_in;
	}
	sem_init(&r->f.there, 0, 0);
	p->options.rows_there = there;
	p->options.rows_go = go;
	p->options.rows_arg = r;
}

static void
close_rows(struct rows *r)
{
	place_clear(r->p);
	assert_null(r->early);
	sem_destroy(&r->f.there);
}

/* a/00000 and so on, but every third in b. */
static void
name_of(unsigned i, char path[16])
{
	snprintf(path, 16, "%c/%05u", i % 3 ? 'a' : 'b', i);
}

static void
make_files(struct place *p)
{
	char path[16];

	mkdirat(p->root, "a", 0777);
	mkdirat(p->root, "b", 0777);
	for (unsigned i = 0; i < FILES; i++) {
		int fd;

		name_of(i, path);
		fd = openat(p->root, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
		assert_true(fd >= 0);
		dr_close(&fd);
	}
}

static uint8_t *
all_but_every_tenth(const struct dr_graph *g)
{
	uint8_t *which = calloc((size_t)g->n_files / 8 + 1, 1);

	assert_non_null(which);
	for (uint32_t f = 0; f < g->n_files; f++)
		which[f / 8] |= (uint8_t)((f % 10 != 0) << f % 8);
	return which;
}

/* A file is known, and then just as it was asked for, or it is as if nobody had looked. How many are known. */
static unsigned
check(struct rows *r, const uint8_t *which)
{
	const struct dr_graph *g = r->p->plan->graph;
	unsigned known = 0;
	char path[16];

	for (unsigned i = 0; i < FILES; i++) {
		uint32_t f;
		bool open, plain = i % 100 != 1 && i % 100 != 77 && i != FAILS;

		name_of(i, path);
		f = dr_graph_find(g, dr_str(path));
		if (f == DR_NONE)
			continue;
		open = which[f / 8] >> f % 8 & 1;
		if (f % 10 == 0 || open || !plain || g->files[f].producer != DR_NONE) {
			assert_int_equal(open, f % 10 != 0);
			assert_int_equal(g->files[f].stamp.size, DR_UNKNOWN);
			continue;
		}
		known++;
		assert_int_equal(g->files[f].stamp.size, i);
		assert_int_equal(g->files[f].stamp.mtime, i);
		assert_int_equal(g->files[f].stamp.ino, i);
		assert_false(g->files[f].flags & (DR_FILE_ABSENT | DR_FILE_DIR));
	}
	return known;
}

#define GLOB "args a\n  glob = a/* b/*\n"
#define MAP(name, more) "map " name "\n  each = a\n  out = " name "/{index}\n  run = cp {in} {out}\n" more

static void
look_at(struct place *p, const char *dagfile, unsigned threads, bool opens, unsigned looks, unsigned least)
{
	struct rows r;
	uint8_t *which;

	setup_rows(&r, p, threads, opens);
	r.f.wanted = looks;
	place_plan(p, dagfile);
	assert_int_equal(r.told, 1);
	assert_non_null(r.early);
	sem_wait(&r.f.there);
	which = all_but_every_tenth(p->plan->graph);
	dr_early_take(r.early, p->plan, which);
	assert_int_equal(r.f.looks, looks);
	assert_true(check(&r, which) >= least);
	assert_true(opens ? r.f.opened > 0 : r.f.opened == 0);
	free(which);
	close_rows(&r);
}

static void
rows_are_looked_at(void **state)
{
	make_files(*state);
	for (unsigned threads = 2; threads < 5; threads++) {
		look_at(*state, GLOB MAP("m", ""), threads, false, FILES, FILES * 7 / 10);
		look_at(*state, GLOB MAP("m", ""), threads, true, FILES, FILES * 7 / 10);
	}
	look_at(*state, "args x\n  glob = a/*\nargs y\n  glob = b/*\nargs a\n  concat = x y\n" MAP("m", ""), 2, true, FILES, FILES * 7 / 10);
	/* Of several maps over the same rows, once; batches; what is left of the rows, in its order. */
	look_at(*state, GLOB MAP("m", "") MAP("n", ""), 2, true, FILES, FILES * 7 / 10);
	look_at(*state, GLOB "  batch = 7\n" MAP("m", ""), 2, true, FILES, FILES * 7 / 10);
	look_at(*state, GLOB "  sort = natural\n  limit = 5000\n" MAP("m", ""), 3, true, 5000, 5000 * 7 / 10);
}

static void
what_is_looked_at_when_the_plan_is_made_counts(void **state)
{
	struct rows r;
	uint8_t *which;
	sem_t gate;

	make_files(*state);
	sem_init(&gate, 0, 0);
	setup_rows(&r, *state, 2, true);
	r.f.gate = &gate;
	place_plan(*state, GLOB MAP("m", ""));
	which = all_but_every_tenth(r.p->plan->graph);
	/* Nobody has got through yet: one piece at most is on its way. */
	assert_int_equal(r.f.looks, 0);
	sem_post(&gate);
	dr_early_take(r.early, r.p->plan, which);
	assert_int_equal(check(&r, which) == 0, r.f.looks == 0);
	free(which);
	close_rows(&r);
	sem_destroy(&gate);
}

static void
where_it_is_not_worth_it(void **state)
{
	static const char *const none[] = {
		"args a\n  range = 1..8000\nmap m\n  each = a\n  out = m/{arg}\n  run = echo >{out}\n",
		GLOB "  limit = 1000\n" MAP("m", ""),
		GLOB "merge m\n  each = a\n  out = x\n  run = cat {in} >{out}\n",
	};
	struct rows r;

	make_files(*state);
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
		setup_rows(&r, *state, 4, true);
		place_plan(*state, none[i]);
		assert_int_equal(r.told, 1);
		assert_null(r.early);
		assert_int_equal(r.f.looks, 0);
		close_rows(&r);
	}
	for (unsigned threads = 0; threads < 2; threads++) {
		setup_rows(&r, *state, threads, true);
		place_plan(*state, GLOB MAP("m", ""));
		assert_null(r.early);
		close_rows(&r);
	}
}

/* What a glob found is what tasks make: the rows change, while they are looked at. */
static void
rows_that_go(void **state)
{
	struct rows r;
	uint8_t *which;

	make_files(*state);
	setup_rows(&r, *state, 3, true);
	place_plan(*state, GLOB "map m\n  each = a\n  out = b/{name}\n  run = cp {in} {out}\n");
	assert_int_equal(r.told, 2);
	assert_int_equal(r.gone, 1);
	assert_non_null(r.early);
	which = all_but_every_tenth(r.p->plan->graph);
	dr_early_take(r.early, r.p->plan, which);
	check(&r, which);
	free(which);
	close_rows(&r);
	assert_int_equal(r.gone, 2);
}

static void
a_plan_that_is_wrong(void **state)
{
	struct rows r;

	make_files(*state);
	setup_rows(&r, *state, 3, true);
	assert_int_equal(place_try(*state, GLOB "map m\n  each = a\n  out = same\n  run = cp {in} {out}\n"), -1);
	assert_int_equal(r.told, 1);
	assert_true(r.gone > 0);
	close_rows(&r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_are_looked_at),
		TEST(what_is_looked_at_when_the_plan_is_made_counts),
		TEST(where_it_is_not_worth_it),
		TEST(rows_that_go),
		TEST(a_plan_that_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
