#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "dagrun.h"
#include "os.h"
#include "private-dir.h"
#include "str.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Every allocation of the library made to fail, one at a time: no crash, nothing lost of what was allocated, an error that says so, and the
 * same call made once more does what it was to do. The linker (--wrap) puts ours in the place of the library's. */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
void __wrap_free(void *p);

enum { HELD = 1 << 16 };

static struct {
	bool counts;        /* from now on */
	uint64_t n, fails;  /* asked for so far; which one is refused, from 1 */
	bool failed;
	void *held[HELD];   /* open addressing; what was taken and not given back */
	uint32_t n_held;
} heap;

static uint32_t
place_of(const void *p)
{
	uint32_t i = (uint32_t)((uintptr_t)p >> 4) * UINT32_C(2654435761) % HELD;

	while (heap.held[i] && heap.held[i] != p)
		i = (i + 1) % HELD;
	return i;
}

static void *
hold(void *p)
{
	if (p && heap.counts) {
		if (heap.n_held > HELD / 2)
			abort();
		heap.held[place_of(p)] = p;
		heap.n_held++;
	}
	return p;
}

/* And what stands behind it in its chain finds a place anew. */
static void
let_go(void *p)
{
	uint32_t i = place_of(p);

	if (!p || !heap.held[i])
		return;
	heap.held[i] = NULL;
	heap.n_held--;
	for (i = (i + 1) % HELD; heap.held[i]; i = (i + 1) % HELD) {
		void *other = heap.held[i];

		heap.held[i] = NULL;
		heap.held[place_of(other)] = other;
	}
}

static bool
refused(void)
{
	if (!heap.counts || ++heap.n != heap.fails)
		return false;
	heap.failed = true;
	return true;
}

void *
__wrap_malloc(size_t n)
{
	return refused() ? NULL : hold(__real_malloc(n));
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return refused() ? NULL : hold(__real_calloc(n, size));
}

void *
__wrap_realloc(void *p, size_t n)
{
	void *q;

	if (refused())
		return NULL;
	let_go(p);
	q = __real_realloc(p, n);
	return hold(q ? q : p) ? q : NULL;
}

char *
__wrap_strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = __wrap_malloc(len + 1);

	if (p) {
		memcpy(p, s, len);
		p[len] = '\0';
	}
	return p;
}

char *
__wrap_strdup(const char *s)
{
	return __wrap_strndup(s, strlen(s));
}

void
__wrap_free(void *p)
{
	let_go(p);
	__real_free(p);
}

static bool every_one; /* not only some of those that take processes */

/* A pipeline with a bit of everything, in a directory of its own. */

static const char dagfile[] =
	"let word = x\n"
	"env.LC_ALL = C\n"
	"pool few = 2\n"
	"args files\n  glob = in/*\n"
	"args pairs\n  list = a b a\n  unique = yes\n  sort = natural\n"
	"args table\n  csv = table.csv\n  where = {kind} ~ ^[xy]\n"
	"args both\n  product = pairs table\n  batch = 2\n"
	"map rows\n  each = both\n  out = rows/{index}\n  run = echo {arg} {kind} > {out}\n"
	"map kinds\n  each = table\n  out = kinds/{kind}.{size}\n  run = echo {size} > {out}\n"
	"merge sum\n  each = kinds\n  by = kind\n  fan-in = 3\n  keep = yes\n  out = sum.{kind}\n  run = cat {in} > {out}\n"
	"map up\n  each = files\n  out = up/{stem}\n  uses = tool\n  pool = few\n  run = cp {in} {out}\n"
	"merge all\n  each = up\n  out = all\n  memory = 1M\n  run = cat {in} > {out}\n"
	"task last\n  in = all\n  out = last\n  out.list = list/\n  run =\n    cat {in} > {out}; echo {word} > {out.list}/a\n";

static void
put(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
fill(const char *dir)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/in", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	put(dir, "in/a", "A\n");
	put(dir, "in/b", "B\n");
	put(dir, "in/c", "C\n");
	put(dir, "tool", "tool\n");
	put(dir, "table.csv", "kind,size\nx,1\nx,2\ny,3\nz,4\nx,5\nx,6\n");
}

static void
quiet(void *arg, enum dr_level level, const char *text)
{
	(void)arg;
	if (level == DR_DIAGNOSTIC && !heap.failed)
		print_message("%s", text);
}

/* One whole use of the library. 0, or -1 with err. */
static int
use(const char *dir, bool run, struct dr_err *err)
{
	const struct dr_handlers h = { .message = quiet };
	struct dr_context *c = dr_context_new(&h, NULL, err);
	int rc = -1;

	if (!c)
		return -1;
	if (dr_set_directory(c, dir, err) || dr_set(c, DR_SET_JOBS, 2, err) || dr_load_text(c, "Dagfile", dagfile, err) ||
	    dr_set_let(c, "word", "y", err))
		goto out;
	rc = dr_plan(c, err);
	if (rc == 0 && run)
		rc = dr_run(c, err);
out:
	dr_context_free(c);
	return rc;
}

static int
try(const char *dir, bool run, uint64_t fails)
{
	struct dr_err err = { 0 };
	int rc;

	memset(&heap, 0, sizeof(heap));
	heap.fails = fails;
	heap.counts = true;
	rc = use(dir, run, &err);
	heap.counts = false;
	if (rc && !err.msg[0])
		fail_msg("allocation %u: no word about it", (unsigned)fails);
	if (rc && !heap.failed)
		fail_msg("nothing failed, and: %s", err.msg);
	if (heap.n_held)
		fail_msg("allocation %u: %u are lost", (unsigned)fails, (unsigned)heap.n_held);
	return rc;
}

static void
check_made(const char *dir, bool again, uint64_t fails)
{
	struct dr_buf b = { 0 };
	struct dr_err err;
	char path[512];

	snprintf(path, sizeof(path), "%s/last", dir);
	if (dr_slurp(AT_FDCWD, path, &b, &err) || strcmp(dr_buf_cstr(&b), again ? "A\nBB\nC\n" : "A\nB\nC\n") != 0)
		fail_msg("allocation %u: what was made next is not right", (unsigned)fails);
	dr_buf_free(&b);
}

/* A directory in which nothing was done, or all of it, and some changed since. */
static void
prepare(char *dir, size_t size, bool again)
{
	assert_int_equal(private_dir("test-nomem", dir, size), 0);
	fill(dir);
	if (!again)
		return;
	assert_int_equal(try(dir, true, 0), 0);
	put(dir, "in/b", "BB\n");
	put(dir, "tool", "another\n");
}

/* Each allocation, or each so many. */
static void
each(bool run, bool again, uint64_t step)
{
	uint64_t last, n = 0;
	char dir[256];

	prepare(dir, sizeof(dir), again);
	assert_int_equal(try(dir, run, 0), 0);
	last = heap.n;
	assert_int_equal(dr_remove_tree(AT_FDCWD, dir), 0);
	for (uint64_t fails = 1; fails <= last; fails += every_one ? 1 : step, n++) {
		prepare(dir, sizeof(dir), again);
		try(dir, run, fails);
		if (run) {
			/* A task that lacked memory has failed, or the run: the next one goes on. */
			assert_int_equal(try(dir, true, 0), 0);
			check_made(dir, again, fails);
		}
		assert_int_equal(dr_remove_tree(AT_FDCWD, dir), 0);
	}
	print_message("%u of %u allocations\n", (unsigned)n, (unsigned)last);
}

static void
while_planning(void **state)
{
	(void)state;
	each(false, false, 1);
}

static void
while_running(void **state)
{
	(void)state;
	each(true, false, 7);
}

/* With records to hold against the files, which the plan does not change. */
static void
while_looking(void **state)
{
	(void)state;
	each(false, true, 5);
}

static void
while_running_again(void **state)
{
	(void)state;
	each(true, true, 13);
}

/* test-nomem all: which takes minutes */
int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(while_planning),
		cmocka_unit_test(while_running),
		cmocka_unit_test(while_looking),
		cmocka_unit_test(while_running_again),
	};

	every_one = argc == 2 && !strcmp(argv[1], "all");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
