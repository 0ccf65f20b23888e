#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os.h"
#include "query-private.h"
#include "query.h"

/* A directory with a journal in .dagrun, and a file that takes the answers. */
struct place {
	char path[64];
	int root, state, out;
	struct dr_journal *journal;
	struct dr_disk *disk;
	struct dr_query *query;
	struct dr_buf notice, answer;
};

static int
setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	const char *tmp = getenv("TMPDIR");
	struct dr_err err;

	if (!p)
		return -1;
	snprintf(p->path, sizeof(p->path), "%s/dr-query-XXXXXX", tmp && strlen(tmp) < 32 ? tmp : "/tmp");
	if (!mkdtemp(p->path))
		return -1;
	p->root = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->root < 0 || mkdirat(p->root, ".dagrun", 0777))
		return -1;
	p->state = openat(p->root, ".dagrun", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	p->out = openat(p->root, ".dagrun/answer", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	p->disk = dr_disk_real(p->root);
	*state = p;
	return p->state < 0 || p->out < 0 || !p->disk || dr_journal_open(p->state, &p->journal, &err);
}

static int
teardown(void **state)
{
	struct place *p = *state;

	dr_query_free(p->query);
	dr_journal_close(p->journal);
	dr_disk_free(p->disk);
	dr_buf_free(&p->notice);
	dr_buf_free(&p->answer);
	close(p->out);
	close(p->state);
	close(p->root);
	dr_remove_tree(AT_FDCWD, p->path);
	free(p);
	return 0;
}

static struct dr_hash128
id_of(uint64_t n)
{
	return dr_hash128(&n, sizeof(n));
}

static void
put(const struct place *p, const char *path, const char *text)
{
	int fd = openat(p->root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	assert_true(fd >= 0);
	assert_int_equal(dr_write_full(fd, text, strlen(text)), 0);
	close(fd);
}

static bool
there(const struct place *p, const char *path)
{
	return faccessat(p->root, path, F_OK, 0) == 0;
}

/* A DONE of outputs as they stand (a NULL ends them), or a FAIL. */
static void
record(struct place *p, enum dr_record_kind kind, struct dr_rec_task t, const char *name, const char *const *outputs)
{
	t.name = dr_str(name);
	while (outputs && outputs[t.n_out])
		t.n_out++;
	assert_int_equal(dr_journal_begin_task(p->journal, kind, &t), 0);
	for (uint32_t i = 0; i < t.n_out; i++) {
		struct dr_rec_file f = { .path = dr_str(outputs[i]) };
		bool dir;

		assert_int_equal(p->disk->stat(p->disk, outputs[i], &f.stamp, &dir), 0);
		assert_int_equal(dr_journal_add_file(p->journal, &f), 0);
	}
	assert_int_equal(dr_journal_end_task(p->journal), 0);
}

static void
ask(struct place *p, uint64_t origin)
{
	struct dr_query_options o = {
		.state_dir = p->state, .journal = p->journal, .disk = p->disk, .origin = origin, .fd = p->out, .notice = &p->notice
	};
	struct dr_err err;

	assert_int_equal(dr_journal_flush(p->journal, &err), 0);
	dr_query_free(p->query);
	p->query = dr_query_new(&o, &err);
	assert_non_null(p->query);
}

/* What was written since the last time. */
static const char *
answer(struct place *p)
{
	struct dr_err err;

	dr_buf_reset(&p->answer);
	assert_int_equal(lseek(p->out, 0, SEEK_SET), 0);
	assert_int_equal(dr_slurp_fd(p->out, &p->answer, "the answer", &err), 0);
	assert_int_equal(ftruncate(p->out, 0), 0);
	assert_int_equal(lseek(p->out, 0, SEEK_SET), 0);
	return dr_buf_cstr(&p->answer);
}

static int
choose(struct place *p, const char *a, const char *b)
{
	const char *targets[] = { a, b };
	struct dr_err err;

	return dr_query_choose(p->query, targets, b ? 2 : 1, &err);
}

static uint64_t
failed(struct place *p)
{
	struct dr_err err;
	uint64_t n;

	assert_int_equal(dr_query_failed(p->query, false, &n, &err), 0);
	return n;
}

static void
the_last_record_counts(void **state)
{
	struct place *p = *state;

	ask(p, 0);
	assert_int_equal(failed(p), 0);
	assert_string_equal(answer(p), "");
	record(p, DR_REC_FAIL, (struct dr_rec_task){ .id = id_of(1), .origin = 5, .status = 3 << 8, .tries = 1 }, "one", NULL);
	record(p, DR_REC_FAIL, (struct dr_rec_task){ .id = id_of(2), .origin = 5, .status = SIGTERM, .how = DR_REC_CANCELLED },
	       "two", NULL);
	record(p, DR_REC_FAIL, (struct dr_rec_task){ .id = id_of(3), .origin = 6, .status = 1 << 8 }, "three", NULL);
	record(p, DR_REC_FAIL, (struct dr_rec_task){ .id = id_of(4), .origin = 5, .status = 1 << 8 }, "four", NULL);
	record(p, DR_REC_DONE, (struct dr_rec_task){ .id = id_of(4), .origin = 5 }, "four", NULL);
	ask(p, 5);
	assert_int_equal(failed(p), 1);
	assert_non_null(strstr(answer(p), "FAIL one: exit 3, try 1"));
	ask(p, 0);
	assert_int_equal(failed(p), 2);
	assert_non_null(strstr(answer(p), "FAIL three"));
	assert_int_equal(dr_journal_add_id(p->journal, DR_REC_FORGET, id_of(1)), 0);
	record(p, DR_REC_FAIL, (struct dr_rec_task){ .id = id_of(4), .origin = 5, .how = DR_REC_UNPUBLISHED }, "four", NULL);
	ask(p, 5);
	assert_int_equal(failed(p), 1);
	assert_non_null(strstr(answer(p), "FAIL four: exited 0"));
}

static void
choosing(void **state)
{
	static const char *const outputs[] = { "out/a", "out/a.other", NULL };
	struct place *p = *state;
	struct dr_err err;
	uint64_t n;

	mkdirat(p->root, "out", 0777);
	put(p, "out/a", "a");
	put(p, "out/a.other", "b");
	record(p, DR_REC_DONE, (struct dr_rec_task){ .id = id_of(1) }, "out/a", outputs);
	record(p, DR_REC_DONE, (struct dr_rec_task){ .id = id_of(2) }, "stage:row", NULL);
	record(p, DR_REC_DONE, (struct dr_rec_task){ .id = id_of(3) }, "stage/1.2", NULL);
	record(p, DR_REC_DONE, (struct dr_rec_task){ .id = id_of(4) }, "stage/not.a.node", NULL);
	ask(p, 0);
	assert_int_equal(choose(p, "nobody", NULL), -1);
	assert_int_equal(choose(p, "out", NULL), -1);
	assert_int_equal(choose(p, "out/a.other", "stage"), 0);
	assert_int_equal(dr_query_forget(p->query, &n, &err), 0);
	assert_int_equal(n, 3);
	ask(p, 0);
	assert_int_equal(choose(p, "stage:row", NULL), -1); /* forgotten */
	assert_int_equal(choose(p, "stage/not.a.node", NULL), 0);
}

static void
cleaning(void **state)
{
	static const char *const ab[] = { "a", "b", NULL }, *const c[] = { "c", NULL }, *const d[] = { "d", NULL };
	struct place *p = *state;
	struct dr_err err;
	uint64_t left;

	put(p, "a", "a");
	put(p, "b", "b");
	put(p, "c", "c");
	put(p, "d", "d");
	put(p, "mine", "mine");
	record(p, DR_REC_DONE, (struct dr_rec_task){ .id = id_of(1) }, "a", ab);
	record(p, DR_REC_DONE, (struct dr_rec_task){ .id = id_of(2) }, "c", c);
	record(p, DR_REC_DONE, (struct dr_rec_task){ .id = id_of(3) }, "d", d);
	put(p, "c", "changed");
	ask(p, 0);
	assert_int_equal(dr_query_choose_all(p->query, &err), 0);
	assert_int_equal(dr_query_clean(p->query, true, false, &left, &err), 0);
	assert_string_equal(answer(p), "a\nb\nd\n");
	assert_int_equal(left, 1);
	assert_true(there(p, "a") && there(p, "b") && there(p, "d"));
	assert_non_null(strstr(dr_buf_cstr(&p->notice), "c was changed"));
	ask(p, 0);
	assert_int_equal(choose(p, "b", NULL), 0);
	assert_int_equal(dr_query_clean(p->query, false, false, &left, &err), 0);
	assert_string_equal(answer(p), "b\n");
	assert_true(there(p, "a") && !there(p, "b"));
	ask(p, 0);
	assert_int_equal(dr_query_choose_all(p->query, &err), 0);
	assert_int_equal(dr_query_clean(p->query, false, true, &left, &err), 0);
	assert_string_equal(answer(p), "a\nd\n");
	assert_true(there(p, "c") && there(p, "mine") && !there(p, "a") && !there(p, "d"));
	/* What stays has its record still. */
	ask(p, 0);
	assert_int_equal(choose(p, "a", NULL), -1);
	assert_int_equal(choose(p, "c", NULL), 0);
}

static void
what_was_printed(void **state)
{
	struct place *p = *state;
	struct dr_err err;

	mkdirat(p->root, ".dagrun/log", 0777);
	put(p, ".dagrun/log/00000000000000ab", "other text|this one\nand\033that");
	record(p, DR_REC_DONE, (struct dr_rec_task){ .id = id_of(1), .run = 0xab, .log_at = 11, .log_len = 17, .start = 1, .end = 2 },
	       "task", NULL);
	record(p, DR_REC_DONE, (struct dr_rec_task){ .id = id_of(2), .run = 0xac, .log_len = 17, .start = 1 }, "gone", NULL);
	ask(p, 0);
	assert_int_equal(choose(p, "task", NULL), 0);
	assert_int_equal(dr_query_log(p->query, &err), 0);
	assert_non_null(strstr(answer(p), "==> task: done\n"));
	assert_non_null(strstr(dr_buf_cstr(&p->answer), "this one\nand\033that\n"));
	assert_null(strstr(dr_buf_cstr(&p->answer), "other"));
	ask(p, 0);
	assert_int_equal(choose(p, "gone", NULL), 0);
	assert_int_equal(dr_query_log(p->query, &err), 0);
	assert_non_null(strstr(answer(p), "not in .dagrun/log any more"));
}

static void
lines(void **state)
{
	struct dr_str text = DR_STR("one\n\nthree"), line, none = { NULL, 0 };

	(void)state;
	assert_true(dr_query_line(&text, &line) && dr_str_is(line, "one"));
	assert_true(dr_query_line(&text, &line) && dr_str_is(line, ""));
	assert_true(dr_query_line(&text, &line) && dr_str_is(line, "three"));
	assert_false(dr_query_line(&text, &line));
	assert_false(dr_query_line(&none, &line));
}

static void
last_lines(void **state)
{
	struct place *p = *state;
	struct dr_buf text = { 0 }, tail = { 0 };
	int fd;

	for (int i = 0; i < 2000; i++)
		dr_buf_addf(&text, "line %d\n", i);
	put(p, "log", dr_buf_cstr(&text));
	fd = openat(p->root, "log", O_RDONLY | O_CLOEXEC);
	assert_int_equal(dr_tail(fd, 0, text.n, 3, &tail), 0);
	assert_string_equal(dr_buf_cstr(&tail), "line 1997\nline 1998\nline 1999");
	/* More lines than are looked at: the first of them is whole. */
	dr_buf_reset(&tail);
	assert_int_equal(dr_tail(fd, 0, text.n, 100000, &tail), 0);
	assert_memory_equal(tail.p, "line ", 5);
	dr_buf_reset(&tail);
	assert_int_equal(dr_tail(fd, 0, 6, 10, &tail), 0);
	assert_string_equal(dr_buf_cstr(&tail), "line 0");
	assert_int_equal(dr_tail(fd, text.n, 5, 10, &tail), -1);
	close(fd);
	dr_buf_free(&text);
	dr_buf_free(&tail);
}

static void
descriptions(void **state)
{
	static const struct {
		struct dr_rec_task t;
		const char *text;
	} cases[] = {
		{ { .status = 3 << 8 }, "exit 3" },
		{ { .status = SIGSEGV }, "killed by SIGSEGV" },
		{ { .status = SIGTERM, .how = DR_REC_TIMEOUT, .end = INT64_C(90000000000) }, "timed out after 1m30s" },
		{ { .how = DR_REC_UNPUBLISHED }, "exited 0, and its outputs could not be published" },
		{ { .status = 127 << 8, .how = DR_REC_NO_START }, "could not start: its program was not found" },
		{ { .status = 1 << 8, .how = 99 }, "exit 1" }, /* of a version to come */
	};
	struct dr_buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		dr_buf_reset(&b);
		dr_query_describe(&cases[i].t, &b);
		assert_string_equal(dr_buf_cstr(&b), cases[i].text);
	}
	dr_buf_free(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_last_record_counts), TEST(choosing),   TEST(cleaning),
		TEST(what_was_printed),	      TEST(last_lines), cmocka_unit_test(lines),
		cmocka_unit_test(descriptions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
