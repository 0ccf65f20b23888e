#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "err.h"
#include "graph.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t
file(struct dr_graph *g, const char *path)
{
	uint32_t f = DR_NONE;

	assert_int_equal(dr_graph_file(g, dr_str(path), &f, NULL), 0);
	return f;
}

enum { FILES_MAX = 8 };

/* The files of a list of words. */
static uint32_t
files_of(struct dr_graph *g, const char *words, uint32_t *files)
{
	char copy[256], *save = NULL;
	uint32_t n = 0;

	assert_true(strlen(words) < sizeof(copy));
	strcpy(copy, words);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		assert_true(n < FILES_MAX);
		files[n++] = file(g, w);
	}
	return n;
}

/* A task from its files, named in words; its identity is its number in the graph. */
static uint32_t
task(struct dr_graph *g, uint32_t stage, const char *in, const char *uses, const char *out)
{
	uint32_t i[FILES_MAX], u[FILES_MAX], o[FILES_MAX], t, other;
	uint32_t n_in = files_of(g, in, i), n_uses = files_of(g, uses, u), n_out = files_of(g, out, o);
	uint64_t key = g->n_tasks;

	assert_int_equal(dr_graph_task(g, stage, 7, n_in, n_uses, n_out, &t, NULL), 0);
	memcpy(dr_graph_inputs(g, t), i, n_in * sizeof(*i));
	memcpy(dr_graph_uses(g, t), u, n_uses * sizeof(*u));
	memcpy(dr_graph_outputs(g, t), o, n_out * sizeof(*o));
	for (uint32_t k = 0; k < n_out; k++)
		assert_int_equal(dr_graph_made(g, t, o[k], &other), 0);
	g->tasks[t].id = dr_hash128(&key, sizeof(key));
	return t;
}

static void
link_all(struct dr_graph *g)
{
	uint32_t *cycle = NULL, n = 0;

	assert_int_equal(dr_graph_link(g, &cycle, &n, NULL), 0);
	assert_null(cycle);
}

static void
assert_path(const struct dr_graph *g, uint32_t f, const char *path)
{
	struct dr_buf b = { 0 };

	dr_buf_adds(&b, "<");
	dr_graph_path(g, f, &b);
	assert_int_equal(b.p[0], '<'); /* appended */
	assert_string_equal(b.p + 1, path);
	dr_buf_free(&b);
}

static void
paths_are_files(void **state)
{
	struct dr_graph *g = dr_graph_new();
	uint32_t a, b, c;

	(void)state;
	assert_non_null(g);
	a = file(g, "in/deep/a.txt");
	b = file(g, "in/deep/b.txt");
	c = file(g, "a.txt");
	assert_int_not_equal(a, b);
	assert_int_not_equal(a, c);
	assert_int_equal(file(g, "in/deep/a.txt"), a);
	assert_int_equal(g->n_files, 3);
	assert_int_equal(g->files[a].dir, g->files[b].dir);
	assert_path(g, a, "in/deep/a.txt");
	assert_path(g, c, "a.txt");
	assert_true(dr_str_is(dr_graph_dir(g, g->files[a].dir), "in/deep/"));
	assert_true(dr_str_is(dr_graph_dir(g, g->files[c].dir), ""));
	assert_string_equal(dr_graph_name(g, b).p, "b.txt");

	assert_int_equal(g->files[a].producer, DR_NONE);
	assert_int_equal(g->files[a].stamp.size, DR_UNKNOWN);
	assert_int_equal(g->files[a].flags, 0);

	assert_int_equal(dr_graph_find(g, DR_STR("in/deep/b.txt")), b);
	assert_int_equal(dr_graph_find(g, DR_STR("in/deep/c.txt")), DR_NONE);
	assert_int_equal(dr_graph_find(g, DR_STR("in/deep")), DR_NONE);
	assert_int_equal(dr_graph_find(g, DR_STR("nowhere/b.txt")), DR_NONE);
	assert_int_equal(dr_graph_find(g, DR_STR("b.txt")), DR_NONE);
	dr_graph_free(g);
	dr_graph_free(NULL);
}

static void
paths_are_bytes(void **state)
{
	static const char *const odd[] = { "a b/c\nd", "\xff\xfe", "in/{in}", "-rf", "a'\"$(x)/*", "/abs/x", "x/\xc3\xa4" };
	struct dr_graph *g = dr_graph_new();
	uint32_t f[7], long_file;
	char long_name[256];

	(void)state;
	for (uint32_t i = 0; i < 7; i++)
		f[i] = file(g, odd[i]);
	for (uint32_t i = 0; i < 7; i++) {
		assert_path(g, f[i], odd[i]);
		assert_int_equal(dr_graph_find(g, dr_str(odd[i])), f[i]);
	}
	memset(long_name, 'n', 255);
	long_name[255] = '\0';
	long_file = file(g, long_name);
	assert_path(g, long_file, long_name);
	assert_int_equal(dr_graph_name(g, long_file).n, 255);
	dr_graph_free(g);
}

static void
names_of_64_kib_are_refused(void **state)
{
	struct dr_graph *g = dr_graph_new();
	struct dr_err err = { 0 };
	char *path = malloc(70000);
	uint32_t f, a = file(g, "a");

	(void)state;
	memset(path, 'x', 70000);
	assert_int_equal(dr_graph_file(g, (struct dr_str){ path, 70000 }, &f, &err), -1);
	assert_int_equal(err.code, DR_USAGE);
	path[69998] = '/';
	assert_int_equal(dr_graph_file(g, (struct dr_str){ path, 70000 }, &f, &err), -1);
	assert_int_equal(dr_graph_find(g, DR_STR("a")), a);
	free(path);
	dr_graph_free(g);
}

static void
many_files(void **state)
{
	struct dr_graph *g = dr_graph_new();
	char path[64];

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		snprintf(path, sizeof(path), "d%u/f%u", i % 100, i / 7);
		file(g, path);
	}
	for (uint32_t i = 0; i < 100000; i += 997) {
		uint32_t f;

		snprintf(path, sizeof(path), "d%u/f%u", i % 100, i / 7);
		f = dr_graph_find(g, dr_str(path));
		assert_int_not_equal(f, DR_NONE);
		assert_path(g, f, path);
	}
	assert_int_equal(g->n_dirs, 100);
	dr_graph_free(g);
}

static void
normal_paths(void **state)
{
	static const struct {
		const char *path, *normal;
	} cases[] = {
		{ "a", "a" },           { "./a", "a" },        { "././a", "a" },      { "a/b", "a/b" },
		{ "a//b", "a/b" },      { "a/./b", "a/b" },    { "a/", "a" },         { "a/.", "a" },
		{ "a///", "a" },        { ".a", ".a" },        { "...", "..." },      { "..a/b", "..a/b" },
		{ "a../b..", "a../b.." }, { "/a", "/a" },      { "//a", "/a" },       { "/./a//b/", "/a/b" },
		{ " ", " " },           { "./-x", "-x" },      { "", NULL },          { ".", NULL },
		{ "./", NULL },         { "/", NULL },         { "//", NULL },        { "/.", NULL },
		{ "..", NULL },         { "../a", NULL },      { "a/..", NULL },      { "a/../b", NULL },
		{ "./..", NULL },       { "/..", NULL },       { "/a/../b", NULL },   { "a/b/..", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct dr_buf b = { 0 };

		dr_buf_adds(&b, "before/");
		if (!cases[i].normal) {
			assert_int_equal(dr_path_normal(dr_str(cases[i].path), &b), -1);
		} else {
			assert_int_equal(dr_path_normal(dr_str(cases[i].path), &b), 0);
			assert_memory_equal(b.p, "before/", 7);
			assert_string_equal(b.p + 7, cases[i].normal);
		}
		dr_buf_free(&b);
	}
}

static void
a_file_has_one_producer(void **state)
{
	struct dr_graph *g = dr_graph_new();
	uint32_t a = task(g, 0, "in", "", "x y"), b, other = DR_NONE;

	(void)state;
	assert_int_equal(g->files[file(g, "x")].producer, a);
	assert_int_equal(g->files[file(g, "y")].producer, a);
	assert_int_equal(g->files[file(g, "in")].producer, DR_NONE);
	assert_int_equal(dr_graph_task(g, 1, 0, 0, 0, 1, &b, NULL), 0);
	dr_graph_outputs(g, b)[0] = file(g, "x");
	assert_int_equal(dr_graph_made(g, b, file(g, "x"), &other), 1);
	assert_int_equal(other, a);
	assert_int_equal(g->files[file(g, "x")].producer, a);
	dr_graph_free(g);
}

static void
a_task_has_its_edges(void **state)
{
	struct dr_graph *g = dr_graph_new();
	uint32_t a = task(g, 3, "i1 i2", "u", "o1 o2"), b = task(g, 4, "", "", "");

	(void)state;
	assert_int_equal(g->tasks[a].stage, 3);
	assert_int_equal(g->tasks[a].row, 7);
	assert_int_equal(g->tasks[a].n_in, 2);
	assert_int_equal(g->tasks[a].n_uses, 1);
	assert_int_equal(g->tasks[a].n_out, 2);
	assert_int_equal(dr_graph_inputs(g, a)[1], file(g, "i2"));
	assert_int_equal(dr_graph_uses(g, a)[0], file(g, "u"));
	assert_int_equal(dr_graph_outputs(g, a)[1], file(g, "o2"));
	/* One behind the other, as the header says. */
	assert_ptr_equal(dr_graph_inputs(g, a) + 2, dr_graph_uses(g, a));
	assert_ptr_equal(dr_graph_uses(g, a) + 1, dr_graph_outputs(g, a));
	assert_true(g->tasks[a].record == UINT64_MAX);
	assert_int_equal(g->tasks[a].state, DR_UNWANTED);
	assert_int_equal(g->tasks[b].n_out, 0);
	dr_graph_free(g);
}

static void
consumers(void **state)
{
	struct dr_graph *g = dr_graph_new();
	uint32_t a = task(g, 0, "in", "", "x"), b = task(g, 0, "x in", "", "y"), c = task(g, 0, "y", "x", "z"), x;

	(void)state;
	link_all(g);
	x = file(g, "x");
	assert_int_equal(g->first_consumer[x + 1] - g->first_consumer[x], 2);
	assert_int_equal(g->consumers[g->first_consumer[x]], b);
	assert_int_equal(g->consumers[g->first_consumer[x] + 1], c);
	x = file(g, "in");
	assert_int_equal(g->first_consumer[x + 1] - g->first_consumer[x], 2);
	assert_int_equal(g->consumers[g->first_consumer[x]], a);
	x = file(g, "z");
	assert_int_equal(g->first_consumer[x + 1], g->first_consumer[x]);
	dr_graph_free(g);
}

static void
check_order(const struct dr_graph *g)
{
	uint32_t *place = calloc(g->n_tasks + 1, sizeof(*place));

	for (uint32_t i = 0; i < g->n_tasks; i++) {
		assert_true(g->order[i] < g->n_tasks);
		assert_int_equal(place[g->order[i]], 0);
		place[g->order[i]] = i + 1;
	}
	for (uint32_t t = 0; t < g->n_tasks; t++) {
		const uint32_t *in = dr_graph_inputs(g, t);

		for (uint32_t i = 0; i < g->tasks[t].n_in + g->tasks[t].n_uses; i++) {
			uint32_t p = g->files[in[i]].producer;

			assert_true(p == DR_NONE || place[p] < place[t]);
		}
	}
	free(place);
}

static void
order_of_a_small_graph(void **state)
{
	struct dr_graph *g = dr_graph_new();

	(void)state;
	/* Consumers first, a file read twice, one that is both input and uses. */
	task(g, 0, "y x x", "x", "z");
	task(g, 0, "x", "in", "y");
	task(g, 0, "", "tool", "x");
	task(g, 0, "", "", "tool");
	task(g, 0, "", "", "");
	link_all(g);
	check_order(g);
	dr_graph_free(g);
}

static void
order_of_nothing(void **state)
{
	struct dr_graph *g = dr_graph_new();

	(void)state;
	link_all(g);
	assert_int_equal(dr_graph_ready(g, 0, NULL), 0);
	assert_int_equal(dr_graph_by_id(g, (struct dr_hash128){ 1, 2 }), DR_NONE);
	assert_int_equal(dr_graph_by_id_near(g, (struct dr_hash128){ 0, 0 }, DR_NONE), DR_NONE);
	dr_graph_free(g);
}

/* From wherever one guesses, what is found is what the table says. */
static void
found_from_anywhere(void **state)
{
	struct dr_graph *g = dr_graph_new();

	(void)state;
	for (uint32_t t = 0; t < 20; t++) {
		char out[8];

		snprintf(out, sizeof(out), "o%u", (unsigned)t);
		task(g, 0, "", "", out);
	}
	link_all(g);
	for (uint32_t t = 0; t < g->n_tasks; t++) {
		for (uint32_t near = 0; near < g->n_tasks + 5; near++)
			assert_int_equal(dr_graph_by_id_near(g, g->tasks[t].id, near), dr_graph_by_id(g, g->tasks[t].id));
		assert_int_equal(dr_graph_by_id_near(g, g->tasks[t].id, DR_NONE), t);
	}
	assert_int_equal(dr_graph_by_id_near(g, (struct dr_hash128){ 1, 2 }, 3), DR_NONE);
	dr_graph_free(g);
}

static uint32_t
next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void
order_of_random_graphs(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 200; seed++) {
		struct dr_graph *g = dr_graph_new();
		uint32_t r = seed, n = 1 + next_random(&r) % 40, place[40];

		/* Task k of a shuffled list reads what tasks before it in the list make. */
		for (uint32_t i = 0; i < n; i++) {
			uint32_t k = next_random(&r) % (i + 1);

			place[i] = place[k];
			place[k] = i;
		}
		for (uint32_t i = 0; i < n; i++) {
			char in[64] = "", out[16];
			uint32_t rank = 0;

			while (place[rank] != i)
				rank++;
			for (uint32_t k = 0; rank && k < next_random(&r) % 4; k++)
				snprintf(in + strlen(in), sizeof(in) - strlen(in), "f%u ",
					 place[next_random(&r) % rank]);
			snprintf(out, sizeof(out), "f%u", i);
			task(g, 0, in, "", out);
		}
		link_all(g);
		check_order(g);
		dr_graph_free(g);
	}
}

/* Each of the cycle reads from the next, the last from the first. */
static void
check_cycle(const struct dr_graph *g, const uint32_t *cycle, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t t = cycle[i], from = cycle[(i + 1) % n];
		const uint32_t *in = dr_graph_inputs(g, t);
		bool reads = false;

		for (uint32_t k = 0; k < g->tasks[t].n_in + g->tasks[t].n_uses; k++)
			reads |= g->files[in[k]].producer == from;
		assert_true(reads);
	}
}

static void
expect_cycle(struct dr_graph *g, uint32_t length)
{
	uint32_t *cycle = NULL, n = 0;

	assert_int_equal(dr_graph_link(g, &cycle, &n, NULL), 1);
	assert_int_equal(n, length);
	check_cycle(g, cycle, n);
	free(cycle);
	dr_graph_free(g);
}

static void
cycles(void **state)
{
	struct dr_graph *g = dr_graph_new();

	(void)state;
	task(g, 0, "a", "", "a"); /* of one */
	expect_cycle(g, 1);

	g = dr_graph_new();
	task(g, 0, "b", "", "a");
	task(g, 0, "", "a", "b"); /* through a uses */
	expect_cycle(g, 2);

	g = dr_graph_new(); /* what leads to the cycle and what it leads to is not of it */
	task(g, 0, "in", "", "x");
	task(g, 0, "c", "", "end");
	task(g, 0, "end x", "", "end2");
	task(g, 0, "x b", "", "a");
	task(g, 0, "x c", "", "b");
	task(g, 0, "a x", "", "c");
	expect_cycle(g, 3);
}

/* A chain of n tasks, the last first in the graph; its end joined to its beginning if it is to be a circle. */
static struct dr_graph *
chain(uint32_t n, bool circle)
{
	struct dr_graph *g = dr_graph_new();

	for (uint32_t i = n; i-- > 0;) {
		char in[32] = "", out[32];

		if (i || circle)
			snprintf(in, sizeof(in), "f%u", i ? i - 1 : n - 1);
		snprintf(out, sizeof(out), "f%u", i);
		task(g, 0, in, "", out);
	}
	return g;
}

enum { LONG = 100000 };

static void *
link_long_chains(void *result)
{
	struct dr_graph *g = chain(LONG, false);
	uint32_t *cycle = NULL, n = 0;
	bool ok = dr_graph_link(g, &cycle, &n, NULL) == 0;

	for (uint32_t t = 0; t < g->n_tasks; t++) {
		g->tasks[t].state = DR_WAITING;
		g->tasks[t].last_ms = 1000;
	}
	ok = ok && dr_graph_ready(g, 1, NULL) == 0 && g->tasks[LONG - 1].state == DR_READY;
	/* A float holds integers up to 2^24 exactly. */
	ok = ok && g->tasks[LONG - 1].path == LONG && g->tasks[0].path == 1;
	dr_graph_free(g);
	g = chain(LONG, true);
	ok = ok && dr_graph_link(g, &cycle, &n, NULL) == 1 && n == LONG;
	for (uint32_t i = 0; ok && i < n; i++)
		ok = g->files[*dr_graph_inputs(g, cycle[i])].producer == cycle[(i + 1) % n];
	free(cycle);
	dr_graph_free(g);
	*(bool *)result = ok;
	return NULL;
}

/* In 128 KiB of stack: nothing may recurse on the depth of the graph. */
static void
long_chains_on_a_small_stack(void **state)
{
	pthread_attr_t attr;
	pthread_t thread;
	bool ok = false;

	(void)state;
	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstacksize(&attr, (size_t)128 << 10), 0);
	assert_int_equal(pthread_create(&thread, &attr, link_long_chains, &ok), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
	assert_true(ok);
}

static void
ids(void **state)
{
	struct dr_graph *g = dr_graph_new();
	struct dr_hash128 same = { 5, 6 }, low = { 5, 7 };
	uint32_t a = task(g, 0, "", "", "a"), b = task(g, 0, "", "", "b"), c = task(g, 0, "", "", "c");
	uint32_t d = task(g, 0, "", "", "d"), e = task(g, 0, "", "", "e");
	struct dr_hash128 old = g->tasks[d].id, second, third;

	(void)state;
	g->tasks[a].id = same;
	g->tasks[b].id = same;
	g->tasks[c].id = same;
	g->tasks[e].id = low; /* half the same is not the same */
	link_all(g);
	assert_int_equal(dr_graph_by_id(g, same), a);
	assert_int_equal(dr_graph_by_id(g, old), d);
	assert_int_equal(dr_graph_by_id(g, low), e);
	second = g->tasks[b].id;
	third = g->tasks[c].id;
	assert_false(dr_hash128_eq(second, same));
	assert_false(dr_hash128_eq(second, third));
	assert_int_equal(dr_graph_by_id(g, second), b);
	assert_int_equal(dr_graph_by_id(g, third), c);
	assert_int_equal(dr_graph_by_id(g, (struct dr_hash128){ 1, 1 }), DR_NONE);
	dr_graph_free(g);

	/* The same graph has the same ids again, wherever the others stand. */
	g = dr_graph_new();
	task(g, 0, "", "", "other");
	a = task(g, 0, "", "", "a");
	b = task(g, 0, "", "", "b");
	g->tasks[a].id = g->tasks[b].id = same;
	link_all(g);
	assert_true(dr_hash128_eq(g->tasks[a].id, same));
	assert_true(dr_hash128_eq(g->tasks[b].id, second));
	dr_graph_free(g);
}

static void
set_state(struct dr_graph *g, uint32_t t, enum dr_state s, uint32_t ms)
{
	g->tasks[t].state = (uint8_t)s;
	g->tasks[t].last_ms = ms;
}

static void
ready_and_waiting(void **state)
{
	struct dr_graph *g = dr_graph_new();
	uint32_t a = task(g, 0, "in", "", "x1 x2"), b = task(g, 0, "in", "", "y"), c = task(g, 1, "x1 x2 y", "in", "z");
	uint32_t d = task(g, 1, "in", "z", "w"), e = task(g, 1, "y", "", "v"), u = task(g, 1, "x1 w", "", "unwanted");

	(void)state;
	link_all(g);
	set_state(g, a, DR_WAITING, 0);
	set_state(g, b, DR_CLEAN, 0);
	set_state(g, c, DR_WAITING, 0);
	set_state(g, d, DR_WAITING, 0);
	set_state(g, e, DR_WAITING, 0);
	set_state(g, u, DR_UNWANTED, 0);
	assert_int_equal(dr_graph_ready(g, 2, NULL), 0);
	assert_int_equal(g->tasks[a].state, DR_READY);
	assert_int_equal(g->tasks[a].wait, 0);
	assert_int_equal(g->tasks[b].state, DR_CLEAN);
	assert_int_equal(g->tasks[c].state, DR_WAITING);
	/* Both outputs of a, not b's, which is there. */
	assert_int_equal(g->tasks[c].wait, 2);
	assert_int_equal(g->tasks[d].state, DR_WAITING); /* for a uses */
	assert_int_equal(g->tasks[d].wait, 1);
	assert_int_equal(g->tasks[e].state, DR_READY);
	assert_int_equal(g->tasks[u].state, DR_UNWANTED);
	/* Asked again after the first has ended. */
	g->tasks[a].state = DR_CLEAN;
	assert_int_equal(dr_graph_ready(g, 2, NULL), 0);
	assert_int_equal(g->tasks[c].state, DR_READY);
	assert_int_equal(g->tasks[c].wait, 0);
	dr_graph_free(g);
}

#define assert_seconds(a, b) assert_true((a) - (float)(b) < 1e-4f && (float)(b) - (a) < 1e-4f)

static void
longest_paths(void **state)
{
	struct dr_graph *g = dr_graph_new();
	uint32_t a = task(g, 0, "in", "", "a"), b = task(g, 1, "a", "", "b"), c = task(g, 1, "a", "", "c");
	uint32_t d = task(g, 2, "b c", "", "d"), e = task(g, 1, "in", "", "e");

	(void)state;
	link_all(g);
	set_state(g, a, DR_WAITING, 250);
	set_state(g, b, DR_WAITING, 4000);
	set_state(g, c, DR_WAITING, 100);
	set_state(g, d, DR_WAITING, 0);   /* of a stage without any known: a second */
	set_state(g, e, DR_WAITING, 0);   /* of a stage with known ones: their median */
	assert_int_equal(dr_graph_ready(g, 3, NULL), 0);
	assert_seconds(g->tasks[d].path, 1);
	assert_seconds(g->tasks[b].path, 5);
	assert_seconds(g->tasks[c].path, 1.1);
	assert_seconds(g->tasks[a].path, 5.25);
	assert_true(g->tasks[e].path >= 0.1f - 1e-4f && g->tasks[e].path <= 4.0f + 1e-4f);

	/* What is there already takes no time, and cuts the path. */
	g->tasks[b].state = DR_CLEAN;
	assert_int_equal(dr_graph_ready(g, 3, NULL), 0);
	assert_seconds(g->tasks[b].path, 0);
	assert_seconds(g->tasks[a].path, 1.35);
	dr_graph_free(g);
}

static void
median_of_a_stage(void **state)
{
	struct dr_graph *g = dr_graph_new();
	uint32_t known[5], unknown, clean;
	static const uint32_t ms[5] = { 9000, 100, 2000, 100000, 1 };

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		char out[8];

		snprintf(out, sizeof(out), "k%u", i);
		known[i] = task(g, 1, "", "", out);
	}
	unknown = task(g, 1, "", "", "u");
	clean = task(g, 0, "", "", "other");
	link_all(g);
	for (uint32_t i = 0; i < 5; i++) /* up to date or not: known is known */
		set_state(g, known[i], i % 2 ? DR_CLEAN : DR_WAITING, ms[i]);
	set_state(g, unknown, DR_WAITING, 0);
	set_state(g, clean, DR_WAITING, 77);
	assert_int_equal(dr_graph_ready(g, 2, NULL), 0);
	assert_seconds(g->tasks[unknown].path, 2);
	dr_graph_free(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_files),
		cmocka_unit_test(paths_are_bytes),
		cmocka_unit_test(names_of_64_kib_are_refused),
		cmocka_unit_test(many_files),
		cmocka_unit_test(normal_paths),
		cmocka_unit_test(a_file_has_one_producer),
		cmocka_unit_test(a_task_has_its_edges),
		cmocka_unit_test(consumers),
		cmocka_unit_test(order_of_a_small_graph),
		cmocka_unit_test(order_of_nothing),
		cmocka_unit_test(found_from_anywhere),
		cmocka_unit_test(order_of_random_graphs),
		cmocka_unit_test(cycles),
		cmocka_unit_test(long_chains_on_a_small_stack),
		cmocka_unit_test(ids),
		cmocka_unit_test(ready_and_waiting),
		cmocka_unit_test(longest_paths),
		cmocka_unit_test(median_of_a_stage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
