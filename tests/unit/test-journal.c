#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "err.h"
#include "journal.h"
#include "os.h"
#include "private-dir.h"
#include "under-valgrind.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HEADER = 24 };

/* A state directory of its own, and a journal in it. */
struct place {
	char path[256];
	int dir;
	struct dr_journal *j;
	struct dr_err err;
};

static void
reopen(struct place *p)
{
	dr_journal_close(p->j);
	p->j = NULL;
	assert_int_equal(dr_journal_open(p->dir, &p->j, &p->err), 0);
}

static int
setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	assert_int_equal(private_dir("test-journal", p->path, sizeof(p->path)), 0);
	p->dir = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(p->dir >= 0);
	reopen(p);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;

	dr_journal_close(p->j);
	dr_close(&p->dir);
	assert_int_equal(dr_remove_tree(AT_FDCWD, p->path), 0);
	free(p);
	return 0;
}

static void
load(struct place *p, struct dr_buf *b)
{
	dr_buf_reset(b);
	assert_int_equal(dr_slurp(p->dir, "journal", b, &p->err), 0);
}

static void
store(struct place *p, const void *bytes, size_t n)
{
	int fd = openat(p->dir, "journal", O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

	/* Not with O_TRUNC: some file systems wait for the disk when such a file is closed. */
	assert_true(fd >= 0);
	assert_int_equal(dr_write_full(fd, bytes, n), 0);
	assert_int_equal(ftruncate(fd, (off_t)n), 0);
	dr_close(&fd);
}

static struct dr_hash128
id_of(uint64_t n)
{
	return dr_hash128(&n, sizeof(n));
}

static void
add_task(struct dr_journal *j, enum dr_record_kind kind, uint64_t n, uint32_t n_in, uint32_t n_out)
{
	char path[64];
	struct dr_rec_task t = {
		.id = id_of(n), .run = n, .start = 5, .end = 7, .tries = 1, .n_in = n_in, .n_out = n_out
	};

	snprintf(path, sizeof(path), "task-%" PRIu64, n);
	t.name = dr_str(path);
	assert_int_equal(dr_journal_begin_task(j, kind, &t), 0);
	for (uint32_t i = 0; i < n_in + n_out; i++) {
		struct dr_rec_file f = { .stamp = { 10 + i, INT64_C(1700000000000000000) + i, 1000 + i } };

		snprintf(path, sizeof(path), "%s/%" PRIu64 "-%" PRIu32, i < n_in ? "in" : "out", n, i);
		f.path = dr_str(path);
		assert_int_equal(dr_journal_add_file(j, &f), 0);
	}
	assert_int_equal(dr_journal_end_task(j), 0);
}

static void
add_run(struct dr_journal *j, enum dr_record_kind kind, uint64_t run)
{
	struct dr_rec_run r = { .run = run, .when = 9, .boot = id_of(77) };

	assert_int_equal(dr_journal_add_run(j, kind, &r), 0);
}

static void
flush(struct place *p)
{
	assert_int_equal(dr_journal_flush(p->j, &p->err), 0);
	assert_false(dr_journal_pending(p->j));
}

/* What was read: a line a record, and where each began. */
struct seen {
	struct dr_buf text;
	uint64_t at[64];
	uint32_t n;
};

static void
tell(struct dr_record *r, struct dr_buf *b)
{
	struct dr_rec_file f;
	int rc;

	switch (r->kind) {
	case DR_REC_RUN:
	case DR_REC_BYE:
		dr_buf_addf(b, "%s %" PRIu64 " %" PRId64 " %" PRIx64 "\n",
			    r->kind == DR_REC_RUN ? "run" : "bye", r->run.run, r->run.when, r->run.boot.lo);
		return;
	case DR_REC_RECLAIM:
	case DR_REC_FORGET:
		dr_buf_addf(b, "%s %" PRIx64 "\n", r->kind == DR_REC_RECLAIM ? "reclaim" : "forget",
			    r->id.lo);
		return;
	case DR_REC_BARRIER:
		dr_buf_addf(b, "barrier %" PRIu64 " %" PRIu32 "\n", r->barrier.run, r->barrier.phase);
		return;
	case DR_REC_TREE:
		dr_buf_addf(b, "tree %" PRIx64 " %" PRIu32 " %" PRIu32 " ", r->tree.key.lo, r->tree.level, r->tree.n_leaves);
		dr_buf_addstr(b, r->tree.shape);
		dr_buf_addc(b, '\n');
		return;
	case DR_REC_DONE:
	case DR_REC_FAIL:
		break;
	}
	dr_buf_addf(b, "%s ", r->kind == DR_REC_DONE ? "done" : "fail");
	dr_buf_addstr(b, r->task.name);
	assert_true(dr_hash128_eq(r->task.id, id_of(r->task.run)));
	while ((rc = dr_record_file(r, &f)) > 0) {
		dr_buf_addc(b, ' ');
		dr_buf_addstr(b, f.path);
		dr_buf_addf(b, ":%" PRId64, f.stamp.size);
	}
	dr_buf_addf(b, "%s\n", rc ? " contradicts itself" : "");
	assert_int_equal(rc ? 0 : dr_record_file(r, &f), 0);
}

static int
see(void *arg, struct dr_record *r, struct dr_err *err)
{
	struct seen *s = arg;

	(void)err;
	if (s->n < sizeof(s->at) / sizeof(*s->at))
		s->at[s->n] = r->at;
	s->n++;
	tell(r, &s->text);
	return 0;
}

static void
add_tree(struct dr_journal *j, uint64_t n, const char *shape)
{
	uint64_t leaves[] = { n, n + 1, n + 2 };
	struct dr_rec_tree t = { .key = id_of(n), .level = 7, .n_leaves = 3, .leaves = leaves, .shape = dr_str(shape) };

	assert_int_equal(dr_journal_add_tree(j, &t), 0);
}

static uint64_t
look(struct place *p, bool others, struct seen *s)
{
	uint64_t damaged = UINT64_MAX;

	dr_buf_reset(&s->text);
	s->n = 0;
	assert_int_equal(dr_journal_read(p->j, others, see, s, &damaged, &p->err), 0);
	assert_false(s->text.failed);
	return damaged;
}

static void
test_round_trip(void **state)
{
	struct place *p = *state;
	struct dr_rec_task t = {
		.id = { 1, 2 },
		.command = { 3, 4 },
		.run = 5,
		.start = -6,
		.end = INT64_MAX,
		.user_us = 8,
		.sys_us = 9,
		.peak_kb = 10,
		.log_at = 11,
		.log_len = 12,
		.status = 0xff8b,
		.how = DR_REC_CANCELLED,
		.tries = 14,
		.origin = 15,
		.n_in = 1,
		.n_uses = 1,
		.n_out = 1,
		.name = DR_STR("words:\n\xff"),
	};
	struct dr_rec_file f[3] = {
		{ { 1, 2, 3 }, DR_REC_RECENT, { 0, 0 }, DR_STR("in") },
		{ { DR_ABSENT, -5, UINT64_MAX }, DR_REC_HASHED, { 6, 7 }, DR_STR("a longer name") },
		{ { INT64_MAX, 0, 0 }, 0, { 0, 0 }, DR_STR("") },
	}, got;
	struct seen s = { 0 };
	struct dr_record r;

	add_run(p->j, DR_REC_RUN, 42);
	assert_int_equal(dr_journal_begin_task(p->j, DR_REC_DONE, &t), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(dr_journal_add_file(p->j, &f[i]), 0);
	assert_int_equal(dr_journal_end_task(p->j), 0);
	assert_int_equal(dr_journal_add_id(p->j, DR_REC_RECLAIM, id_of(1)), 0);
	assert_int_equal(dr_journal_add_id(p->j, DR_REC_FORGET, id_of(2)), 0);
	add_task(p->j, DR_REC_FAIL, 3, 0, 0);
	add_run(p->j, DR_REC_BYE, 42);
	assert_true(dr_journal_pending(p->j));
	flush(p);
	reopen(p);
	/* tell() wants ids made from the run; this one's is not. */
	assert_int_equal(dr_journal_at(p->j, HEADER + 48, &r, &p->err), 0);
	assert_int_equal(r.kind, DR_REC_DONE);
	assert_int_equal(r.at, HEADER + 48);
	assert_true(dr_hash128_eq(r.task.id, t.id));
	assert_true(dr_hash128_eq(r.task.command, t.command));
	assert_true(r.task.run == t.run && r.task.start == t.start && r.task.end == t.end);
	assert_true(r.task.user_us == t.user_us && r.task.sys_us == t.sys_us && r.task.peak_kb == t.peak_kb);
	assert_true(r.task.log_at == t.log_at && r.task.log_len == t.log_len);
	assert_true(r.task.status == t.status && r.task.how == t.how && r.task.tries == t.tries && r.task.origin == t.origin);
	assert_true(r.task.n_in == 1 && r.task.n_uses == 1 && r.task.n_out == 1);
	assert_true(dr_str_eq(r.task.name, t.name));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(dr_record_file(&r, &got), 1);
		assert_memory_equal(&got.stamp, &f[i].stamp, sizeof(got.stamp));
		assert_int_equal(got.flags, f[i].flags);
		assert_true(dr_hash128_eq(got.content, f[i].content));
		assert_true(dr_str_eq(got.path, f[i].path));
	}
	assert_int_equal(dr_record_file(&r, &got), 0);
	assert_int_equal(dr_record_file(&r, &got), 0);
	assert_int_equal(dr_journal_at(p->j, HEADER, &r, &p->err), 0);
	assert_int_equal(r.kind, DR_REC_RUN);
	assert_true(r.run.run == 42 && r.run.when == 9 && dr_hash128_eq(r.run.boot, id_of(77)));
	assert_int_equal(dr_journal_at(p->j, HEADER + 8, &r, &p->err), -1);
	assert_int_equal(p->err.code, DR_STATE);
	assert_int_equal(dr_journal_at(p->j, 1 << 20, &r, &p->err), -1);
	dr_buf_free(&s.text);
}

static void
test_reads_what_was_appended(void **state)
{
	struct place *p = *state;
	struct dr_journal *other = NULL;
	struct seen s = { 0 };

	assert_int_equal(look(p, true, &s), 0);
	assert_int_equal(s.n, 0);
	assert_int_equal(dr_journal_open(p->dir, &other, &p->err), 0);
	add_task(p->j, DR_REC_DONE, 1, 1, 1);
	look(p, true, &s);
	assert_int_equal(s.n, 0);
	flush(p);
	add_task(other, DR_REC_DONE, 2, 2, 1);
	add_task(other, DR_REC_FAIL, 3, 0, 0);
	assert_int_equal(dr_journal_flush(other, &p->err), 0);
	assert_int_equal(look(p, true, &s), 0);
	assert_string_equal(s.text.p, "done task-1 in/1-0:10 out/1-1:11\ndone task-2 in/2-0:10 in/2-1:11 "
				      "out/2-2:12\nfail task-3\n");
	look(p, true, &s);
	assert_int_equal(s.n, 0);
	add_task(p->j, DR_REC_DONE, 4, 0, 0);
	flush(p);
	look(p, false, &s);
	assert_string_equal(s.text.p, "done task-4\n");
	/* What was not flushed is gone. */
	add_task(other, DR_REC_DONE, 5, 0, 0);
	dr_journal_close(other);
	look(p, false, &s);
	assert_int_equal(s.n, 0);
	dr_buf_free(&s.text);
}

static int
stop_at_two(void *arg, struct dr_record *r, struct dr_err *err)
{
	uint32_t *n = arg;

	return r->kind == DR_REC_DONE && r->task.run == 2 && ++*n == 1 ? dr_err_set(err, DR_FAILED, "enough")
								       : 0;
}

static void
test_reader_can_stop(void **state)
{
	struct place *p = *state;
	struct seen s = { 0 };
	uint32_t n = 0;

	for (uint64_t i = 1; i <= 3; i++)
		add_task(p->j, DR_REC_DONE, i, 0, 0);
	flush(p);
	assert_int_equal(dr_journal_read(p->j, false, stop_at_two, &n, NULL, &p->err), -1);
	assert_string_equal(p->err.msg, "enough");
	look(p, false, &s);
	assert_string_equal(s.text.p, "done task-2\ndone task-3\n");
	dr_buf_free(&s.text);
}

enum { SAMPLE = 50 };

/* A record of the i-th kind, short ones all. */
static void
add_any(struct dr_journal *j, uint32_t i)
{
	static const uint32_t phases[] = { DR_REC_BEGINS, DR_REC_HOLDS, DR_REC_ALWAYS, DR_REC_READ, DR_REC_SETTLED };
	struct dr_rec_barrier barrier = { .run = i, .when = 9, .id = id_of(i), .phase = phases[i / 8 % 5] };

	switch (i % 8) {
	case 0:
		add_run(j, DR_REC_RUN, i);
		break;
	case 1:
		add_task(j, DR_REC_DONE, i, i / 8 % 3, i / 16 % 2);
		break;
	case 2:
		add_tree(j, i, i / 8 % 2 ? "" : "a shape");
		break;
	case 3:
		assert_int_equal(dr_journal_add_id(j, DR_REC_RECLAIM, id_of(i)), 0);
		break;
	case 4:
		add_task(j, DR_REC_FAIL, i, 0, 0);
		break;
	case 5:
		assert_int_equal(dr_journal_add_id(j, DR_REC_FORGET, id_of(i)), 0);
		break;
	case 6:
		assert_int_equal(dr_journal_add_barrier(j, &barrier), 0);
		break;
	case 7:
		add_run(j, DR_REC_BYE, i);
		break;
	}
}

/* A journal of SAMPLE records of all kinds, as seen; ends: where each of them ends in the file. Their number. */
static uint32_t
sample(struct place *p, struct seen *s, uint64_t *ends)
{
	struct dr_buf b = { 0 };

	for (uint32_t i = 0; i < SAMPLE; i++)
		add_any(p->j, i);
	flush(p);
	reopen(p);
	assert_int_equal(look(p, false, s), 0);
	assert_int_equal(s->n, SAMPLE);
	load(p, &b);
	for (uint32_t i = 0; i < s->n; i++)
		ends[i] = i + 1 < s->n ? s->at[i + 1] : b.n;
	dr_buf_free(&b);
	return s->n;
}

/* Lines [0, n) of text but for line `without`. */
static void
lines(const char *text, uint32_t n, uint32_t without, struct dr_buf *out)
{
	dr_buf_reset(out);
	for (uint32_t i = 0; i < n; i++) {
		const char *end = strchr(text, '\n') + 1;

		if (i != without)
			dr_buf_add(out, text, (size_t)(end - text));
		text = end;
	}
}

static void
test_cut_anywhere(void **state)
{
	struct place *p = *state;
	struct seen all = { 0 }, s = { 0 };
	struct dr_buf whole = { 0 }, want = { 0 };
	uint64_t ends[SAMPLE], damaged;
	uint32_t n = sample(p, &all, ends);
	size_t step = under_valgrind() ? 31 : 1;

	load(p, &whole);
	for (size_t cut = HEADER; cut <= whole.n; cut += step) {
		uint32_t k = 0;

		while (k < n && ends[k] <= cut)
			k++;
		store(p, whole.p, cut);
		reopen(p);
		assert_int_equal(look(p, true, &s), 0);
		lines(all.text.p, k, UINT32_MAX, &want);
		assert_string_equal(dr_buf_cstr(&s.text), dr_buf_cstr(&want));
		/* The rest comes after all. */
		store(p, whole.p, whole.n);
		assert_int_equal(look(p, true, &s), 0);
		assert_int_equal(s.n, n - k);
		/* It never does: what is appended behind the piece is found. */
		store(p, whole.p, cut);
		reopen(p);
		damaged = look(p, false, &s);
		assert_int_equal(damaged, cut - (k ? ends[k - 1] : HEADER));
		assert_int_equal(s.n, k);
		add_task(p->j, DR_REC_DONE, 9, 0, 0);
		flush(p);
		look(p, false, &s);
		assert_string_equal(s.text.p, "done task-9\n");
		reopen(p);
		assert_int_equal(look(p, true, &s), damaged);
		dr_buf_adds(&want, "done task-9\n");
		assert_string_equal(s.text.p, want.p);
	}
	dr_buf_free(&whole);
	dr_buf_free(&want);
	dr_buf_free(&all.text);
	dr_buf_free(&s.text);
}

/* Which records are there, by their places: what is in them is seen when their bytes are as they were. */
struct places {
	uint64_t at[SAMPLE];
	uint32_t n;
};

static int
note_place(void *arg, struct dr_record *r, struct dr_err *err)
{
	struct places *s = arg;

	(void)err;
	assert_true(s->n < SAMPLE);
	s->at[s->n++] = r->at;
	return 0;
}

/* Reads the journal, in which one bit of a record is not as it was: that one is damage, and all others are there. */
static void
expect_all_but(struct place *p, const struct seen *all, const uint64_t *ends, uint32_t hit)
{
	struct places got = { .n = 0 };
	uint64_t damaged = 0;

	dr_journal_rewind(p->j);
	assert_int_equal(dr_journal_read(p->j, false, note_place, &got, &damaged, &p->err), 0);
	assert_int_equal(damaged, ends[hit] - all->at[hit]);
	assert_int_equal(got.n, SAMPLE - 1);
	assert_memory_equal(got.at, all->at, hit * sizeof(*got.at));
	assert_memory_equal(got.at + hit, all->at + hit + 1, (SAMPLE - 1 - hit) * sizeof(*got.at));
}

/* In the file itself, and read anew each time: there are some fifty thousand. */
static void
test_any_bit_flipped(void **state)
{
	struct place *p = *state;
	struct seen all = { 0 }, s = { 0 };
	struct dr_buf whole = { 0 };
	uint64_t ends[SAMPLE];
	uint32_t n = sample(p, &all, ends), hit = 0;
	int fd = openat(p->dir, "journal", O_WRONLY | O_CLOEXEC);
	size_t step = under_valgrind() ? 31 : 1;

	assert_true(fd >= 0);
	load(p, &whole);
	for (size_t bit = HEADER * 8; bit < whole.n * 8; bit += step) {
		size_t at = bit / 8;
		char c = (char)(whole.p[at] ^ 1 << bit % 8);

		while (at >= ends[hit])
			hit++;
		assert_int_equal(pwrite(fd, &c, 1, (off_t)at), 1);
		expect_all_but(p, &all, ends, hit);
		assert_int_equal(pwrite(fd, &whole.p[at], 1, (off_t)at), 1);
	}
	assert_int_equal(hit, n - 1);
	dr_close(&fd);
	/* And it is as it was. */
	dr_journal_rewind(p->j);
	assert_int_equal(look(p, false, &s), 0);
	assert_string_equal(s.text.p, all.text.p);
	dr_buf_free(&whole);
	dr_buf_free(&all.text);
	dr_buf_free(&s.text);
}

static void
test_garbage_between(void **state)
{
	static const char junk[] = "\xf7\xd6\xa9\xfe junk \xf7\xd6\xa9\xfe\xf7\xd6\xa9\xfe\xf7\xd6";
	struct place *p = *state;
	struct seen all = { 0 }, s = { 0 };
	struct dr_buf whole = { 0 }, b = { 0 };
	uint64_t ends[SAMPLE], put = 0, seed = 1;
	uint32_t n = sample(p, &all, ends);

	load(p, &whole);
	dr_buf_add(&b, whole.p, HEADER);
	for (uint32_t i = 0; i < n; i++) {
		size_t len = ends[i] - all.at[i];

		/* Noise; what looks like markers; a piece of a record; and in one place more than the
		 * reader's buffer. */
		for (uint32_t k = 0; k < (i == 4 ? 3U << 20 : 17 * i); k++, put++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
			dr_buf_addc(&b, (char)(seed >> 56));
		}
		dr_buf_add(&b, junk, sizeof(junk) - 1);
		dr_buf_add(&b, whole.p + all.at[i], len - 3);
		put += sizeof(junk) - 1 + len - 3;
		dr_buf_add(&b, whole.p + all.at[i], len);
	}
	assert_false(b.failed);
	store(p, b.p, b.n);
	reopen(p);
	assert_int_equal(look(p, false, &s), put);
	assert_string_equal(s.text.p, all.text.p);
	dr_buf_free(&whole);
	dr_buf_free(&b);
	dr_buf_free(&all.text);
	dr_buf_free(&s.text);
}

/* Appends a record as it lies in the file, whatever its payload. */
static void
forge(struct dr_buf *b, uint16_t kind, uint16_t reserved, const void *payload, uint32_t length)
{
	uint32_t head[4] = { 0xfea9d6f7, 0, length, 0 };
	struct dr_buf r = { 0 };

	memcpy(&head[3], &kind, 2);
	memcpy((char *)&head[3] + 2, &reserved, 2);
	dr_buf_add(&r, head, sizeof(head));
	dr_buf_add(&r, payload, length);
	head[1] = (uint32_t)dr_hash64(r.p + 8, r.n - 8);
	memcpy(r.p, head, sizeof(head));
	dr_buf_add(b, r.p, r.n);
	dr_buf_free(&r);
}

/* Shapes of trees: the last one of each is kept, and whatever lengths a damaged one has, it is read within its bounds or not at
 * all. */
static void
test_trees(void **state)
{
	struct place *p = *state;
	uint32_t payload[(32 + 32) / 4] = { 0 }, *n_leaves = payload + 4, *shape_len = payload + 5;
	struct dr_buf b = { 0 };
	struct seen s = { 0 };
	struct dr_record r;
	uint64_t leaves[3], at;
	bool done;

	add_tree(p->j, 1, "abc");
	add_tree(p->j, 2, "");
	add_task(p->j, DR_REC_DONE, 9, 0, 0);
	add_tree(p->j, 1, "a longer one");
	flush(p);
	reopen(p);
	assert_int_equal(look(p, false, &s), 0);
	assert_int_equal(s.n, 4);
	at = s.at[3];
	assert_int_equal(dr_journal_at(p->j, at, &r, &p->err), 0);
	assert_int_equal(r.kind, DR_REC_TREE);
	assert_true(dr_hash128_eq(r.tree.key, id_of(1)));
	memcpy(leaves, r.tree.leaves, sizeof(leaves));
	assert_true(leaves[0] == 1 && leaves[1] == 2 && leaves[2] == 3);
	assert_true(dr_str_is(r.tree.shape, "a longer one"));
	assert_int_equal(dr_journal_compact(p->j, true, &done, &p->err), 0);
	assert_true(done);
	assert_int_equal(look(p, false, &s), 0);
	dr_buf_addf(&b, "tree %" PRIx64 " 7 3 \ndone task-9\ntree %" PRIx64 " 7 3 a longer one\n", id_of(2).lo, id_of(1).lo);
	assert_string_equal(s.text.p, b.p);

	load(p, &b);
	at = b.n;
	forge(&b, DR_REC_TREE, 0, payload, 24);
	*n_leaves = 5;
	forge(&b, DR_REC_TREE, 0, payload, 64); /* beyond its end by one leaf */
	*n_leaves = UINT32_MAX;
	forge(&b, DR_REC_TREE, 0, payload, 64);
	*n_leaves = 4;
	*shape_len = 1;
	forge(&b, DR_REC_TREE, 0, payload, 64); /* by a byte */
	*shape_len = UINT32_MAX;
	forge(&b, DR_REC_TREE, 0, payload, 64);
	store(p, b.p, b.n);
	reopen(p);
	assert_int_equal(look(p, false, &s), b.n - at);
	assert_int_equal(s.n, 3);
	dr_buf_free(&b);
	dr_buf_free(&s.text);
}

/* A tree of many leaves counts as many records: a few dead ones are worth a new file. */
static void
test_large_trees_are_compacted(void **state)
{
	enum { LEAVES = 20000 };
	struct place *p = *state;
	uint64_t *leaves = calloc(LEAVES, sizeof(*leaves));
	struct dr_rec_tree t = { .key = id_of(1), .n_leaves = LEAVES, .leaves = leaves, .shape = DR_STR("shape") };
	struct seen s = { 0 };
	struct stat st;
	bool done;

	assert_non_null(leaves);
	for (int read = 0; read < 2; read++) {
		/* What is left of the first time is one of the three. */
		for (int i = read; i < 3; i++) {
			assert_int_equal(dr_journal_add_tree(p->j, &t), 0);
			flush(p);
			reopen(p);
			if (read)
				look(p, false, &s);
			assert_int_equal(dr_journal_compact(p->j, false, &done, &p->err), 0);
			assert_int_equal(done, i == 2);
		}
		assert_int_equal(fstatat(p->dir, "journal", &st, 0), 0);
		assert_true(st.st_size < 2 * LEAVES * 8);
		look(p, false, &s);
		assert_int_equal(s.n, 1);
	}
	dr_buf_free(&s.text);
	free(leaves);
}

/* Right checksums around nonsense: refused by what it says, not by luck. */
static void
test_contradictions(void **state)
{
	struct place *p = *state;
	struct seen s = { 0 };
	struct dr_buf b = { 0 };
	uint32_t payload[(128 + 32) / 4] = { 0 };
	uint32_t *n_in = payload + 112 / 4, *n_uses = n_in + 1, *n_out = n_in + 2, *name_len = n_in + 3;
	uint32_t *path_len = payload + (128 + 28) / 4;
	struct dr_hash128 id = id_of(0);
	char barrier[40] = { 0 };

	load(p, &b);
	memcpy(payload, &id, sizeof(id));
	forge(&b, 99, 0, payload, 16);            /* no such kind */
	forge(&b, DR_REC_RUN, 0, payload, 40);    /* of another length */
	forge(&b, DR_REC_FORGET, 1, payload, 16); /* reserved */
	forge(&b, DR_REC_DONE, 0, payload, 120);  /* too short */
	*n_in = 1U << 31;
	*n_uses = 1U << 31;
	forge(&b, DR_REC_DONE, 0, payload,
	      128); /* more files than there is room for, also where the sum overflows */
	*n_out = 1;
	forge(&b, DR_REC_DONE, 0, payload, 128);
	*n_in = *n_uses = *n_out = 0;
	*name_len = 17;
	forge(&b, DR_REC_DONE, 0, payload, 144); /* a name beyond its end */
	for (uint32_t phase = 0; phase < 7; phase += 6) {
		memcpy(barrier + 32, &phase, sizeof(phase));
		forge(&b, DR_REC_BARRIER, 0, barrier, sizeof(barrier)); /* no such phase */
	}
	store(p, b.p, b.n);
	reopen(p);
	assert_int_equal(look(p, false, &s), b.n - HEADER);
	assert_int_equal(s.n, 0);
	/* The same said rightly is read; a path beyond the end and files beyond their number show when one
	 * gets there. */
	*name_len = 0;
	forge(&b, DR_REC_DONE, 0, payload, 128);
	*n_in = 1;
	*path_len = 9;
	forge(&b, DR_REC_DONE, 0, payload, 160);
	*n_in = 0;
	forge(&b, DR_REC_DONE, 0, payload, 160);
	store(p, b.p, b.n);
	reopen(p);
	look(p, false, &s);
	assert_string_equal(s.text.p, "done \ndone  contradicts itself\ndone  contradicts itself\n");
	dr_buf_free(&b);
	dr_buf_free(&s.text);
}

static void
refused(struct place *p, const char *bytes, size_t n, const char *why)
{
	struct dr_journal *j = NULL;
	struct dr_buf b = { 0 };

	store(p, bytes, n);
	assert_int_equal(dr_journal_open(p->dir, &j, &p->err), -1);
	assert_null(j);
	assert_int_equal(p->err.code, DR_STATE);
	assert_non_null(strstr(p->err.msg, why));
	load(p, &b);
	assert_int_equal(b.n, n);
	assert_memory_equal(dr_buf_cstr(&b), bytes, n);
	dr_buf_free(&b);
}

static void
test_foreign_journals(void **state)
{
	struct place *p = *state;
	char h[HEADER], g[HEADER];
	struct dr_buf b = { 0 };

	load(p, &b);
	assert_int_equal(b.n, HEADER);
	memcpy(h, b.p, HEADER);
	refused(p, "", 0, "not a journal");
	refused(p, h, HEADER - 1, "not a journal");
	refused(p, "something else of some length", 29, "not a journal");
	memcpy(g, h, HEADER);
	g[16]++;
	refused(p, g, HEADER, "newer");
	for (int i = 0; i < 4; i++)
		g[16 + i] = h[19 - i], g[20 + i] = h[23 - i];
	refused(p, g, HEADER, "byte order");
	memcpy(g, h, HEADER);
	g[22] ^= 1;
	refused(p, g, HEADER, "damaged");
	dr_buf_free(&b);
}

static void
test_wrong_number_of_files(void **state)
{
	struct place *p = *state;
	struct dr_rec_task t = { .id = id_of(7), .run = 7, .n_in = 1, .name = DR_STR("x") };
	struct dr_rec_file f = { .path = DR_STR("f") };
	struct seen s = { 0 };

	add_task(p->j, DR_REC_DONE, 1, 1, 0);
	assert_int_equal(dr_journal_begin_task(p->j, DR_REC_DONE, &t), 0);
	assert_int_equal(dr_journal_end_task(p->j), -1);
	assert_int_equal(dr_journal_begin_task(p->j, DR_REC_DONE, &t), 0);
	assert_int_equal(dr_journal_add_file(p->j, &f), 0);
	assert_int_equal(dr_journal_add_file(p->j, &f), -1);
	assert_int_equal(dr_journal_end_task(p->j), -1);
	assert_int_equal(dr_journal_add_file(p->j, &f), -1);
	/* One that is begun and not ended is none, neither before another nor in a flush. */
	assert_int_equal(dr_journal_begin_task(p->j, DR_REC_DONE, &t), 0);
	add_task(p->j, DR_REC_DONE, 2, 0, 1);
	assert_int_equal(dr_journal_begin_task(p->j, DR_REC_DONE, &t), 0);
	flush(p);
	assert_int_equal(look(p, false, &s), 0);
	assert_string_equal(s.text.p, "done task-1 in/1-0:10\ndone task-2 out/2-0:10\n");
	dr_buf_free(&s.text);
}

static int
count_files(void *arg, struct dr_record *r, struct dr_err *err)
{
	uint64_t *n = arg;
	struct dr_rec_file f;

	(void)err;
	while (dr_record_file(r, &f) > 0)
		n[1]++;
	n[0]++;
	return 0;
}

/* Records larger than the reader's buffer, and damage in one of them. */
static void
test_large_records(void **state)
{
	struct place *p = *state;
	uint64_t n[2] = { 0 }, damaged;
	struct dr_buf b = { 0 };

	for (uint64_t i = 0; i < 3; i++) {
		add_task(p->j, DR_REC_DONE, 3 * i, 1, 1);
		add_task(p->j, DR_REC_DONE, 3 * i + 1, 60000, 1);
		add_task(p->j, DR_REC_DONE, 3 * i + 2, 1, 1);
	}
	flush(p);
	reopen(p);
	assert_int_equal(dr_journal_read(p->j, false, count_files, n, &damaged, &p->err), 0);
	assert_int_equal(n[0], 9);
	assert_int_equal(n[1], 3 * (60001 + 4));
	assert_int_equal(damaged, 0);
	load(p, &b);
	assert_true(b.n > 3 << 20);
	b.p[b.n / 2] ^= 16;
	store(p, b.p, b.n);
	reopen(p);
	n[0] = n[1] = 0;
	assert_int_equal(dr_journal_read(p->j, false, count_files, n, &damaged, &p->err), 0);
	assert_int_equal(n[0], 8);
	assert_true(damaged > 1 << 20 && damaged < 4 << 20);
	dr_buf_free(&b);
}

/* A disk that gets full in the middle of a write. */
static void
test_short_write(void **state)
{
	struct place *p = *state;
	struct rlimit old, small;
	struct seen s = { 0 };
	struct stat st;
	void (*handler)(int);

	add_task(p->j, DR_REC_DONE, 1, 1, 1);
	flush(p);
	assert_int_equal(fstatat(p->dir, "journal", &st, 0), 0);
	handler = signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = (rlim_t)st.st_size + 300;
	add_task(p->j, DR_REC_DONE, 2, 0, 1);
	add_task(p->j, DR_REC_DONE, 3, 0, 1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(dr_journal_flush(p->j, &p->err), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, handler);
	assert_int_equal(p->err.code, DR_SYSTEM);
	assert_true(dr_journal_pending(p->j));
	assert_int_equal(fstatat(p->dir, "journal", &st, 0), 0);
	assert_int_equal(st.st_size, small.rlim_cur);
	add_task(p->j, DR_REC_DONE, 4, 0, 0);
	flush(p);
	reopen(p);
	assert_true(look(p, false, &s) > 0);
	assert_string_equal(
		s.text.p,
		"done task-1 in/1-0:10 out/1-1:11\ndone task-2 out/2-0:10\n" /* whole before it got full */
		"done task-2 out/2-0:10\ndone task-3 out/3-0:10\ndone task-4\n");
	dr_buf_free(&s.text);
}

/* Takes the place of the C library's: while `beside` is set, the next write is cut in half, and before its writer can go on that one
 * appends, too. */
static struct place *beside;

ssize_t
write(int fd, const void *p, size_t n)
{
	struct iovec v = { .iov_base = (void *)(uintptr_t)p, .iov_len = beside ? n / 2 : n };
	struct place *other = beside;
	ssize_t rc = writev(fd, &v, 1);

	beside = NULL;
	if (other)
		flush(other);
	return rc;
}

/* What is cut is written anew, whole: going on where it was cut would be a record with another one in its middle. */
static void
test_another_between_pieces(void **state)
{
	struct place *p = *state, other = *p;
	struct seen s = { 0 };

	other.j = NULL;
	assert_int_equal(dr_journal_open(p->dir, &other.j, &p->err), 0);
	add_task(p->j, DR_REC_DONE, 1, 1, 1);
	add_task(other.j, DR_REC_DONE, 2, 0, 1);
	beside = &other;
	flush(p);
	assert_null(beside);
	assert_true(look(p, false, &s) > 0);
	assert_string_equal(s.text.p, "done task-2 out/2-0:10\ndone task-1 in/1-0:10 out/1-1:11\n");
	dr_journal_close(other.j);
	dr_buf_free(&s.text);
}

/* Looking needs no right to write. */
static void
test_read_only(void **state)
{
	struct place *p = *state;
	struct seen s = { 0 };
	bool done = true;

	add_task(p->j, DR_REC_DONE, 1, 0, 0);
	flush(p);
	assert_int_equal(fchmodat(p->dir, "journal", 0444, 0), 0);
	assert_int_equal(fchmod(p->dir, 0755), 0);
	/* The superuser may write to it all the same. */
	if (geteuid() == 0 && seteuid(65534))
		skip();
	reopen(p);
	assert_int_equal(look(p, true, &s), 0);
	assert_string_equal(s.text.p, "done task-1\n");
	assert_int_equal(dr_journal_flush(p->j, &p->err), 0);
	add_task(p->j, DR_REC_DONE, 2, 0, 0);
	assert_int_equal(dr_journal_flush(p->j, &p->err), -1);
	assert_int_equal(p->err.sys, EACCES);
	assert_int_equal(dr_journal_compact(p->j, true, &done, &p->err), 0);
	assert_false(done);
	assert_int_equal(seteuid(getuid()), 0);
	dr_buf_free(&s.text);
}

static void
test_rewind(void **state)
{
	struct place *p = *state;
	struct seen s = { 0 };

	add_task(p->j, DR_REC_DONE, 1, 0, 0);
	flush(p);
	look(p, true, &s);
	dr_journal_rewind(p->j);
	look(p, true, &s);
	assert_string_equal(s.text.p, "done task-1\n");
	dr_buf_free(&s.text);
}

static int
remember(void *arg, struct dr_record *r, struct dr_err *err)
{
	unsigned char(*seen)[200] = arg;

	(void)err;
	if (r->kind == DR_REC_DONE && r->task.run < 8 * 200)
		seen[r->task.run / 200][r->task.run % 200]++;
	return 0;
}

/* Eight processes make the journal at once and append to it. */
static void
test_several_processes(void **state)
{
	static unsigned char seen[8][200];
	struct place *p = *state;
	pid_t pids[8];
	uint64_t damaged;
	int go[2];

	dr_journal_close(p->j);
	p->j = NULL;
	assert_int_equal(unlinkat(p->dir, "journal", 0), 0);
	assert_int_equal(pipe(go), 0);
	for (uint64_t w = 0; w < 8; w++) {
		pids[w] = fork();
		assert_true(pids[w] >= 0);
		if (pids[w] == 0) {
			struct dr_journal *j = NULL;
			char c;
			int bad = 0;

			close(go[1]);
			bad |= read(go[0], &c, 1) != 0;
			bad |= dr_journal_open(p->dir, &j, &p->err) != 0;
			for (uint64_t i = 0; !bad && i < 200; i++) {
				add_task(j, DR_REC_DONE, w * 200 + i, (uint32_t)(i % 5), 1);
				if (i % 7 == 0 || i == 199)
					bad |= dr_journal_flush(j, &p->err) != 0;
			}
			dr_journal_close(j);
			_exit(bad);
		}
	}
	close(go[0]);
	close(go[1]);
	for (int w = 0; w < 8; w++) {
		int status = -1;

		assert_int_equal(waitpid(pids[w], &status, 0), pids[w]);
		assert_int_equal(status, 0);
	}
	reopen(p);
	assert_int_equal(dr_journal_read(p->j, false, remember, seen, &damaged, &p->err), 0);
	assert_int_equal(damaged, 0);
	for (int w = 0; w < 8; w++) {
		for (int i = 0; i < 200; i++)
			assert_int_equal(seen[w][i], 1);
	}
	/* Nothing but the journal is left of it. */
	assert_int_equal(unlinkat(p->dir, "journal", 0), 0);
	assert_int_equal(rmdir(p->path), 0);
	assert_int_equal(mkdir(p->path, 0700), 0);
}

static void
test_compaction(void **state)
{
	struct place *p = *state;
	struct seen s = { 0 };
	struct dr_buf b = { 0 };
	struct stat st;
	bool done = true;

	add_run(p->j, DR_REC_RUN, 1);
	add_task(p->j, DR_REC_DONE, 1, 1, 1); /* replaced */
	add_task(p->j, DR_REC_FAIL, 1, 0, 0); /* came right later */
	add_task(p->j, DR_REC_DONE, 1, 2, 1);
	assert_int_equal(dr_journal_add_id(p->j, DR_REC_RECLAIM, id_of(2)), 0); /* of nothing */
	add_task(p->j, DR_REC_DONE, 2, 0, 1);
	assert_int_equal(dr_journal_add_id(p->j, DR_REC_RECLAIM, id_of(2)), 0);
	add_task(p->j, DR_REC_DONE, 3, 0, 1);
	assert_int_equal(dr_journal_add_id(p->j, DR_REC_RECLAIM, id_of(3)), 0); /* made again since */
	add_task(p->j, DR_REC_DONE, 3, 1, 1);
	add_task(p->j, DR_REC_FAIL, 4, 0, 0);
	add_task(p->j, DR_REC_FAIL, 4, 0, 1); /* the last one */
	add_task(p->j, DR_REC_DONE, 5, 0, 1);
	assert_int_equal(dr_journal_add_id(p->j, DR_REC_FORGET, id_of(5)), 0);
	add_task(p->j, DR_REC_DONE, 6, 0, 0);
	add_task(p->j, DR_REC_FAIL, 6, 0, 0);
	add_run(p->j, DR_REC_BYE, 1);
	add_run(p->j, DR_REC_RUN, 2);
	flush(p);
	/* What a run that was killed left, and some damage. */
	assert_int_equal(mknodat(p->dir, "journal.0123456789abcdef", S_IFREG | 0600, 0), 0);
	load(p, &b);
	dr_buf_adds(&b, "some damage");
	store(p, b.p, b.n);
	assert_int_equal(fchmodat(p->dir, "journal", 0660, 0), 0);

	assert_int_equal(dr_journal_compact(p->j, false, &done, &p->err), 0);
	assert_false(done); /* few */
	assert_int_equal(dr_journal_compact(p->j, true, &done, &p->err), 0);
	assert_true(done);
	assert_int_equal(look(p, false, &s), 0);
	dr_buf_reset(&b);
	dr_buf_addf(&b,
		    "run 1 9 %" PRIx64
		    "\ndone task-1 in/1-0:10 in/1-1:11 out/1-2:12\ndone task-2 out/2-0:10\nreclaim %" PRIx64
		    "\ndone task-3 in/3-0:10 out/3-1:11\nfail task-4 out/4-0:10\nforget %" PRIx64
		    "\ndone task-6\nfail task-6\n"
		    "bye 1 9 %" PRIx64 "\nrun 2 9 %" PRIx64 "\n",
		    id_of(77).lo, id_of(2).lo, id_of(5).lo, id_of(77).lo, id_of(77).lo);
	assert_string_equal(s.text.p, b.p);
	assert_int_equal(fstatat(p->dir, "journal", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(faccessat(p->dir, "journal.0123456789abcdef", F_OK, 0), -1);
	assert_int_equal(faccessat(p->dir, "journal.new", F_OK, 0), -1);

	/* It goes on in the new file, and again gives the same. */
	add_run(p->j, DR_REC_BYE, 2);
	flush(p);
	dr_buf_addf(&b, "bye 2 9 %" PRIx64 "\n", id_of(77).lo);
	reopen(p);
	assert_int_equal(dr_journal_compact(p->j, true, &done, &p->err), 0);
	assert_int_equal(look(p, false, &s), 0);
	assert_string_equal(s.text.p, b.p);
	dr_buf_free(&b);
	dr_buf_free(&s.text);
}

static int
count(void *arg, struct dr_record *r, struct dr_err *err)
{
	(void)r;
	(void)err;
	++*(uint64_t *)arg;
	return 0;
}

static uint64_t
read_all(struct place *p)
{
	uint64_t n = 0;

	assert_int_equal(dr_journal_read(p->j, false, count, &n, NULL, &p->err), 0);
	return n;
}

/* When it is worth it, known with and without having read first. */
static void
test_compacts_when_worth_it(void **state)
{
	struct place *p = *state;
	bool done = true;

	for (int times = 1; times <= 3; times++) {
		for (uint64_t i = 0; i < 5000; i++)
			add_task(p->j, DR_REC_DONE, i, 0, 0);
		flush(p);
		reopen(p);
		if (times == 2)
			assert_int_equal(read_all(p), 10000);
		assert_int_equal(dr_journal_compact(p->j, false, &done, &p->err), 0);
		assert_int_equal(done, times == 3);
	}
	assert_int_equal(read_all(p), 5000);
	/* Read, then asked. */
	for (uint64_t i = 0; i < 11000; i++)
		add_task(p->j, DR_REC_DONE, i % 5000, 0, 0);
	flush(p);
	assert_int_equal(read_all(p), 11000);
	assert_int_equal(dr_journal_compact(p->j, false, &done, &p->err), 0);
	assert_true(done);
	assert_int_equal(read_all(p), 5000);
}

static void
test_compaction_keeps_last_runs(void **state)
{
	struct place *p = *state;
	struct seen s = { 0 };
	bool done = false;
	char want[64];

	for (uint64_t i = 0; i < 2500; i++) {
		add_run(p->j, DR_REC_RUN, i);
		if (i % 2)
			add_run(p->j, DR_REC_BYE, i);
	}
	add_run(p->j, DR_REC_BYE, 3); /* of one that is no longer remembered */
	flush(p);
	assert_int_equal(dr_journal_compact(p->j, true, &done, &p->err), 0);
	look(p, false, &s);
	assert_int_equal(s.n, 1500);
	snprintf(want, sizeof(want), "run 1500 9 %" PRIx64 "\nrun 1501 9", id_of(77).lo);
	assert_memory_equal(s.text.p, want, strlen(want));
	dr_buf_free(&s.text);
}

static void
add_barrier(struct place *p, uint64_t run, enum dr_rec_phase phase, uint64_t task)
{
	struct dr_rec_barrier b = { .run = run, .when = 9, .phase = phase };

	if (task)
		b.id = id_of(task);
	assert_int_equal(dr_journal_add_barrier(p->j, &b), 0);
}

/* Of a run whose records are live the last barrier that is whole, and of a task what was found out about it alone; also of runs
 * that are older than those that are remembered for their own sake. */
static void
test_compaction_keeps_barriers(void **state)
{
	struct place *p = *state;
	struct seen s = { 0 };
	bool done = false;

	add_run(p->j, DR_REC_RUN, 5);
	add_barrier(p, 5, DR_REC_ALWAYS, 0);
	add_task(p->j, DR_REC_DONE, 5, 0, 0);
	add_barrier(p, 5, DR_REC_BEGINS, 0);
	add_barrier(p, 5, DR_REC_HOLDS, 0); /* another one follows */
	add_barrier(p, 5, DR_REC_BEGINS, 0);
	add_barrier(p, 5, DR_REC_HOLDS, 0);
	add_barrier(p, 5, DR_REC_BEGINS, 0); /* not whole */
	add_run(p->j, DR_REC_BYE, 5);
	add_run(p->j, DR_REC_RUN, 6); /* its only task is forgotten below */
	add_task(p->j, DR_REC_DONE, 6, 0, 0);
	add_barrier(p, 6, DR_REC_BEGINS, 0);
	add_barrier(p, 6, DR_REC_HOLDS, 0);
	add_barrier(p, 0, DR_REC_READ, 6);
	add_run(p->j, DR_REC_RUN, 7);
	add_task(p->j, DR_REC_DONE, 7, 0, 0);
	add_barrier(p, 0, DR_REC_SETTLED, 7); /* two of them, and the second one stays */
	add_barrier(p, 0, DR_REC_READ, 7);
	add_barrier(p, 0, DR_REC_SETTLED, 7);
	add_barrier(p, 0, DR_REC_SETTLED, 6); /* forgotten below */
	add_barrier(p, 0, DR_REC_READ, 8);     /* of no task */
	add_barrier(p, 99, DR_REC_BEGINS, 0); /* of no run */
	add_barrier(p, 99, DR_REC_HOLDS, 0);
	for (uint64_t i = 1000; i < 2000; i++)
		add_run(p->j, DR_REC_RUN, i);
	assert_int_equal(dr_journal_add_id(p->j, DR_REC_FORGET, id_of(6)), 0);
	flush(p);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(dr_journal_compact(p->j, true, &done, &p->err), 0);
		look(p, false, &s);
		assert_int_equal(s.n, 9 + 1 + 1000 + 1);
		assert_non_null(strstr(s.text.p, "barrier 5 3\ndone task-5\nbarrier 5 1\nbarrier 5 2\nbye 5"));
		assert_non_null(strstr(s.text.p, "done task-7\nbarrier 0 4\nbarrier 0 5\nrun 1000"));
		reopen(p);
	}
	dr_buf_free(&s.text);
}

static bool
is_there(struct place *p, const char *name)
{
	return faccessat(p->dir, name, F_OK, 0) == 0;
}

static void
test_logs_are_pruned(void **state)
{
	static const char *const logs[] = { "log/0000000000000001", "log/0000000000000002", "log/0000000000000003",
					    "log/0000000000000004", "log/notes" };
	struct place *p = *state;

	assert_int_equal(dr_journal_prune_logs(p->j, 0, &p->err), 0); /* there are none */
	assert_int_equal(mkdirat(p->dir, "log", 0700), 0);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(mknodat(p->dir, logs[i], S_IFREG | 0600, 0), 0);
	for (uint64_t i = 1; i <= 4; i++)
		add_run(p->j, DR_REC_RUN, i);
	add_task(p->j, DR_REC_DONE, 1, 0, 0);
	add_task(p->j, DR_REC_DONE, 2, 0, 0);
	assert_int_equal(dr_journal_add_id(p->j, DR_REC_FORGET, id_of(2)), 0);
	add_task(p->j, DR_REC_FAIL, 3, 0, 0);
	flush(p);
	assert_int_equal(dr_journal_prune_logs(p->j, 4, &p->err), 0);
	assert_true(is_there(p, logs[0]) && !is_there(p, logs[1]) && is_there(p, logs[2]) && is_there(p, logs[3]) && is_there(p, logs[4]));
	assert_int_equal(dr_journal_prune_logs(p->j, 0, &p->err), 0);
	assert_false(is_there(p, logs[3]));
}

/* No room for the new file: the old one stays. */
static void
test_compaction_fails(void **state)
{
	struct place *p = *state;
	struct rlimit old, small;
	void (*handler)(int);
	bool done = true;

	for (uint64_t i = 0; i < 3000; i++)
		add_task(p->j, DR_REC_DONE, i % 1000, 0, 0);
	flush(p);
	handler = signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 5000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(dr_journal_compact(p->j, true, &done, &p->err), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, handler);
	assert_false(done);
	assert_int_equal(faccessat(p->dir, "journal.new", F_OK, 0), -1);
	assert_int_equal(read_all(p), 3000);
	add_task(p->j, DR_REC_DONE, 1, 0, 0);
	flush(p);
	assert_int_equal(read_all(p), 1);
}

static void
leave(struct place *p, const char *name)
{
	int fd = openat(p->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	assert_true(fd >= 0);
	dr_close(&fd);
}

/* Whoever was killed while making the first journal leaves it: without its name, or with both. */
static void
test_sweeps_what_was_half_made(void **state)
{
	static const char half[] = "journal.0123456789abcdef", copy[] = "journal.new";
	struct place *p = *state;

	assert_int_equal(unlinkat(p->dir, "journal", 0), 0);
	leave(p, half);
	leave(p, copy);
	reopen(p);
	assert_false(is_there(p, half));
	assert_int_equal(linkat(p->dir, "journal", p->dir, half, 0), 0);
	reopen(p);
	assert_false(is_there(p, half));
	assert_true(is_there(p, "journal"));
	/* Somebody may be writing it, and needs it. */
	assert_true(is_there(p, copy));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sweeps_what_was_half_made, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reads_what_was_appended, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_can_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_any_bit_flipped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage_between, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trees, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_trees_are_compacted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_contradictions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign_journals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_number_of_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_records, setup, teardown),
		cmocka_unit_test_setup_teardown(test_short_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_another_between_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rewind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_several_processes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_compaction, setup, teardown),
		cmocka_unit_test_setup_teardown(test_compacts_when_worth_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_compaction_keeps_last_runs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_compaction_keeps_barriers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_logs_are_pruned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_compaction_fails, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
