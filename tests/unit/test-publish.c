#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "err.h"
#include "lock.h"
#include "os.h"
#include "plan-values.h"
#include "private-dir.h"
#include "publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a publisher asks of the plan and of the locks, so that neither needs to be there. */

void
dr_temp_name(struct dr_hash128 id, struct dr_str path, struct dr_buf *out)
{
	size_t n = path.n;

	while (n && path.p[n - 1] != '/')
		n--;
	dr_buf_add(out, path.p, n);
	dr_buf_addf(out, ".dagrun-%u-", (unsigned)id.lo);
	dr_buf_add(out, path.p + n, path.n - n);
}

int
dr_task_command_hash(const struct dr_plan *pl, uint32_t task, struct dr_hasher *h, struct dr_buf *scratch,
		     struct dr_hash128 *out, struct dr_err *err)
{
	(void)pl;
	(void)h;
	(void)err;
	dr_buf_adds(scratch, "whatever is left in it");
	*out = (struct dr_hash128){ 1000 + task, 1 };
	return 0;
}

void
dr_plan_task_name(const struct dr_plan *pl, uint32_t task, struct dr_buf *out)
{
	(void)pl;
	dr_buf_addf(out, "task-%u", (unsigned)task);
}

static struct dr_stage only_stage;

const struct dr_stage *
dr_plan_stage(const struct dr_plan *pl, uint32_t task)
{
	(void)pl;
	(void)task;
	return &only_stage;
}

uint64_t
dr_plan_stage_key(const struct dr_plan *pl, uint32_t stage)
{
	(void)pl;
	return stage;
}

bool
dr_plan_inner(const struct dr_plan *pl, uint32_t task, uint32_t *round)
{
	(void)pl;
	(void)task;
	*round = 0;
	return false;
}

/* One input that failed, of whatever task: none, unless a test says so. */
static uint32_t missing_file = DR_NONE;

bool
dr_plan_missing(const struct dr_plan *pl, uint32_t task, uint32_t file)
{
	(void)pl;
	(void)task;
	return file == missing_file;
}

uint32_t
dr_plan_count_there(const struct dr_plan *pl, uint32_t task)
{
	const struct dr_task *t = &pl->graph->tasks[task];
	uint32_t n = t->n_in;

	for (uint32_t i = 0; i < t->n_in; i++)
		n -= dr_graph_inputs(pl->graph, task)[i] == missing_file;
	return n;
}

bool
dr_plan_partial(const struct dr_plan *pl, uint32_t task)
{
	return dr_plan_count_there(pl, task) < pl->graph->tasks[task].n_in;
}

struct dr_lock {
	uint64_t others; /* id.lo of a task that another run has claimed; 0: none */
	int held;
	bool used;  /* by others: the stage */
	bool alone; /* we keep others from it */
};

bool
dr_lock_use_alone(struct dr_lock *l, uint64_t key)
{
	assert_int_equal(key, 0);
	l->alone = !l->used;
	return l->alone;
}

void
dr_lock_use_shared(struct dr_lock *l, uint64_t key)
{
	assert_int_equal(key, 0);
	l->alone = false;
}

int
dr_lock_claim(struct dr_lock *l, struct dr_hash128 id, struct dr_err *err)
{
	(void)err;
	if (id.lo == l->others)
		return 0;
	l->held++;
	return 1;
}

void
dr_lock_release(struct dr_lock *l, struct dr_hash128 id)
{
	(void)id;
	l->held--;
}

/* A disk of a few files. */

enum { FILES_MAX = 32, CRASHED = 9 };

struct fake {
	struct dr_disk d; /* first */
	struct {
		char path[64];
		struct dr_stamp st;
		uint64_t bytes; /* what stands for its content */
		bool dir;
	} f[FILES_MAX];
	uint32_t n;
	uint64_t ino;
	unsigned calls; /* so far */
	unsigned crash; /* in this call the process dies; 0: in none */
	unsigned fail;  /* this call fails with `error` */
	int error;
	unsigned stats, mkdirs, hashes, unlinks, sames, lists; /* calls of each */
	bool makes_dirs; /* no directory was there */
	unsigned more; /* how often a comparison has not come to its end */
	void (*on_hash)(struct fake *k);
};

static int
call(struct fake *k)
{
	k->calls++;
	if (k->crash == k->calls)
		_exit(CRASHED);
	errno = k->error;
	return k->fail && k->calls == k->fail ? -1 : 0;
}

static uint32_t
find(const struct fake *k, const char *path)
{
	uint32_t i = 0;

	while (i < k->n && strcmp(k->f[i].path, path) != 0)
		i++;
	return i;
}

static struct dr_stamp
stamp_of(const struct fake *k, const char *path)
{
	uint32_t i = find(k, path);

	return i < k->n ? k->f[i].st : (struct dr_stamp){ .size = DR_ABSENT };
}

static bool
there(const struct fake *k, const char *path)
{
	return find(k, path) < k->n;
}

/* Somebody writes a file: a new inode each time. */
static void
put(struct fake *k, const char *path, int64_t size, int64_t mtime)
{
	uint32_t i = find(k, path);

	assert_true(i < FILES_MAX);
	if (i == k->n)
		k->n++;
	snprintf(k->f[i].path, sizeof(k->f[i].path), "%s", path);
	k->f[i].st = (struct dr_stamp){ size, mtime, ++k->ino };
	k->f[i].bytes = k->ino;
	k->f[i].dir = false;
}

static void
drop(struct fake *k, const char *path)
{
	uint32_t i = find(k, path);

	if (i < k->n)
		k->f[i] = k->f[--k->n];
}

static int
fake_stat(struct dr_disk *d, const char *path, struct dr_stamp *st, bool *dir)
{
	struct fake *k = (struct fake *)d;
	uint32_t i = find(k, path);

	k->stats++;
	if (call(k))
		return -1;
	*st = stamp_of(k, path);
	*dir = i < k->n && k->f[i].dir;
	return 0;
}

static int
fake_rename(struct dr_disk *d, const char *from, const char *to)
{
	struct fake *k = (struct fake *)d;
	struct dr_stamp st = stamp_of(k, from);
	uint64_t bytes = k->f[find(k, from) % FILES_MAX].bytes;

	if (call(k))
		return -1;
	errno = ENOENT;
	if (st.size == DR_ABSENT)
		return -1;
	drop(k, from);
	put(k, to, 0, 0);
	k->f[find(k, to)].st = st;
	k->f[find(k, to)].bytes = bytes;
	return 0;
}

static int
fake_unlink(struct dr_disk *d, const char *path)
{
	struct fake *k = (struct fake *)d;
	uint32_t i = find(k, path);

	k->unlinks++;
	if (call(k))
		return -1;
	errno = EISDIR;
	if (i < k->n && k->f[i].dir)
		return -1;
	drop(k, path);
	return 0;
}

static int
fake_remove_tree(struct dr_disk *d, const char *path)
{
	struct fake *k = (struct fake *)d;

	if (call(k))
		return -1;
	drop(k, path);
	return 0;
}

static int
fake_mkdirs_for(struct dr_disk *d, const char *path, bool *made)
{
	struct fake *k = (struct fake *)d;

	(void)path;
	k->mkdirs++;
	*made = k->makes_dirs;
	return call(k);
}

static int
fake_lists_none(struct dr_disk *d, const char *dir, const char *prefix, uint64_t most)
{
	struct fake *k = (struct fake *)d;
	uint64_t names = 0;
	bool none = true;

	k->lists++;
	if (call(k))
		return -1;
	for (uint32_t i = 0; i < k->n; i++) {
		const char *name = k->f[i].path + strlen(dir);

		if (strncmp(k->f[i].path, dir, strlen(dir)) != 0 || strchr(name, '/'))
			continue;
		names++;
		none = none && strncmp(name, prefix, strlen(prefix)) != 0;
	}
	return none && names <= most;
}

static int
fake_hash(struct dr_disk *d, const char *path, int64_t size, struct dr_hash128 *out)
{
	struct fake *k = (struct fake *)d;

	/* Who asks has looked. */
	assert_true(size >= 0);
	k->hashes++;
	if (call(k))
		return -1;
	*out = (struct dr_hash128){ k->f[find(k, path) % FILES_MAX].bytes, 5 };
	if (k->on_hash)
		k->on_hash(k);
	return 0;
}

static int
fake_set_time(struct dr_disk *d, const char *path, int64_t mtime)
{
	struct fake *k = (struct fake *)d;

	if (call(k))
		return -1;
	k->f[find(k, path) % FILES_MAX].st.mtime = mtime;
	return 0;
}

static int
fake_same(struct dr_disk *d, const char *a, const char *b, struct dr_portion *part)
{
	struct fake *k = (struct fake *)d;

	k->sames++;
	if (call(k))
		return -1;
	if (k->more) {
		k->more--;
		part->left = 0;
		return DR_DISK_MORE;
	}
	return k->f[find(k, a)].bytes == k->f[find(k, b)].bytes;
}

/* in0, in1, tool from outside; A (10): in0, tool → mid/a, mid/b;  B (11): in1, tool → mid/c;  C (12):
 * mid/a, mid/b, mid/c → out;  D (13): in0 → nothing */
enum { A, B, C, D, TASKS };
enum { OLD = 100, OLD_TIME = 1000000 };

struct world {
	char path[256];
	int dir;
	struct dr_journal *j;
	struct dr_graph *g;
	struct dr_plan plan;
	struct fake *disk; /* shared with children */
	struct dr_lock lock;
	struct dr_publisher *p;
	struct dr_err err;
};

static void
add_task(struct world *w, const char *const *in, const char *const *uses, const char *const *out)
{
	const char *const *lists[3] = { in, uses, out };
	uint32_t n[3] = { 0 }, task, *edge, other;

	for (int l = 0; l < 3; l++)
		while (lists[l][n[l]])
			n[l]++;
	assert_int_equal(dr_graph_task(w->g, 0, 0, n[0], n[1], n[2], &task, &w->err), 0);
	w->g->tasks[task].id = (struct dr_hash128){ 10 + task, 7 };
	w->g->tasks[task].state = DR_WAITING;
	edge = dr_graph_inputs(w->g, task);
	for (int l = 0; l < 3; l++) {
		for (uint32_t i = 0; i < n[l]; i++, edge++) {
			assert_int_equal(dr_graph_file(w->g, dr_str(lists[l][i]), edge, &w->err), 0);
			if (l == 2)
				assert_int_equal(dr_graph_made(w->g, task, *edge, &other), 0);
		}
	}
}

static uint32_t
file(struct world *w, const char *path)
{
	uint32_t f = dr_graph_find(w->g, dr_str(path));

	assert_int_not_equal(f, DR_NONE);
	return f;
}

static void
build_graph(struct world *w)
{
	static const char *const none[] = { NULL }, *const in0[] = { "in0", NULL },
				 *const in1[] = { "in1", NULL };
	static const char *const tool[] = { "tool", NULL }, *const ab[] = { "mid/a", "mid/b", NULL };
	static const char *const c[] = { "mid/c", NULL }, *const abc[] = { "mid/a", "mid/b", "mid/c", NULL };
	static const char *const out[] = { "out", NULL };
	uint32_t *cycle, n;

	w->g = dr_graph_new();
	assert_non_null(w->g);
	add_task(w, in0, tool, ab);
	add_task(w, in1, tool, c);
	add_task(w, abc, none, out);
	add_task(w, in0, none, none);
	assert_int_equal(dr_graph_link(w->g, &cycle, &n, &w->err), 0);
	w->g->files[file(w, "out")].flags |= DR_FILE_TARGET;
	w->plan.graph = w->g;
	w->plan.options.origin = 99;
}

/* The publisher of a run; what an earlier one forgot to flush is gone with it. */
static void
new_run(struct world *w, uint64_t run)
{
	dr_publisher_free(w->p);
	dr_journal_close(w->j);
	w->j = NULL;
	assert_int_equal(dr_journal_open(w->dir, &w->j, &w->err), 0);
	w->p = dr_publisher_new(&w->plan, &w->disk->d, w->j, &w->lock, run, &w->err);
	assert_non_null(w->p);
}

/* Sources, and outputs of an earlier run. */
static void
fresh_disk(struct world *w)
{
	*w->disk = (struct fake){
		.d = { .stat = fake_stat,
		       .rename = fake_rename,
		       .unlink = fake_unlink,
		       .remove_tree = fake_remove_tree,
		       .mkdirs_for = fake_mkdirs_for,
		       .set_time = fake_set_time,
		       .same = fake_same,
		       .lists_none = fake_lists_none,
		       .hash = fake_hash },
	};
	put(w->disk, "in0", 1, OLD_TIME);
	put(w->disk, "in1", 2, OLD_TIME);
	put(w->disk, "tool", 3, OLD_TIME);
	put(w->disk, "mid/a", OLD, OLD_TIME);
	put(w->disk, "out", OLD, OLD_TIME);
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(private_dir("test-publish", w->path, sizeof(w->path)), 0);
	w->dir = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(w->dir >= 0);
	w->disk = mmap(NULL, sizeof(*w->disk), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(w->disk, MAP_FAILED);
	fresh_disk(w);
	build_graph(w);
	new_run(w, 1);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	dr_publisher_free(w->p);
	assert_int_equal(w->lock.held, 0);
	dr_journal_close(w->j);
	dr_graph_free(w->g);
	dr_close(&w->dir);
	assert_int_equal(dr_remove_tree(AT_FDCWD, w->path), 0);
	assert_int_equal(munmap(w->disk, sizeof(*w->disk)), 0);
	free(w);
	return 0;
}

/* The command of a task writes what it should. */
static void
write_outputs(struct world *w, uint32_t task)
{
	const uint32_t *out = dr_graph_outputs(w->g, task);
	struct dr_buf path = { 0 }, temp = { 0 };

	for (uint32_t i = 0; i < w->g->tasks[task].n_out; i++) {
		dr_buf_reset(&path);
		dr_buf_reset(&temp);
		dr_graph_path(w->g, out[i], &path);
		dr_temp_name(w->g->tasks[task].id, dr_buf_str(&path), &temp);
		put(w->disk, temp.p, 200 + task, OLD_TIME + 5);
	}
	dr_buf_free(&path);
	dr_buf_free(&temp);
}

static const struct dr_outcome outcome = {
	.start = 1, .end = 2, .tries = 1, .user_us = 3, .sys_us = 4, .peak_kb = 5, .log_at = 6, .log_len = 7
};

static enum dr_verdict
end(struct world *w, uint32_t task)
{
	enum dr_verdict v = DR_NOT_PUBLISHED;

	assert_int_equal(dr_publish_end(w->p, task, &outcome, &v, &w->err), 0);
	return v;
}

static void
run_task(struct world *w, uint32_t task)
{
	assert_int_equal(dr_publish_begin(w->p, task, &w->err), 0);
	write_outputs(w, task);
	assert_int_equal(end(w, task), DR_PUBLISHED);
}

struct told {
	struct world *w;
	char text[256];
	bool reclaim;
};

static void
tell(void *arg, uint32_t task, const struct dr_err *error)
{
	struct told *t = arg;
	size_t n = strlen(t->text);

	snprintf(t->text + n, sizeof(t->text) - n, "%u%s ", (unsigned)task, error ? "!" : "");
	if (!error) {
		t->w->g->tasks[task].state = DR_DONE;
		if (t->reclaim)
			assert_int_equal(dr_publish_reclaim(t->w->p, task, &t->w->err), 0);
	} else {
		t->w->err = *error;
	}
}

static void
commit(struct world *w, const char *told)
{
	struct told t = { .w = w };

	assert_int_equal(dr_publish_commit(w->p, tell, &t, &w->err), 0);
	assert_string_equal(t.text, told);
}

/* The journal as another run would read it: a line a record, and of each task its last state. */
struct recorded {
	char text[1024];
	struct dr_stamp out[TASKS][2]; /* of the last DONE */
	bool done[TASKS], reclaimed[TASKS];
};

static int
note(void *arg, struct dr_record *r, struct dr_err *err)
{
	static const char *const kinds[] = { "", "run", "bye", "done", "fail", "reclaim", "forget" };
	struct recorded *k = arg;
	size_t n = strlen(k->text);
	struct dr_rec_file f;
	uint64_t task;

	(void)err;
	assert_true(r->kind >= DR_REC_DONE);
	task = (r->kind <= DR_REC_FAIL ? r->task.id.lo : r->id.lo) - 10;
	assert_true(task < TASKS);
	snprintf(k->text + n, sizeof(k->text) - n, "%s %u\n", kinds[r->kind], (unsigned)task);
	if (r->kind == DR_REC_DONE) {
		k->done[task] = true;
		k->reclaimed[task] = false;
		for (uint32_t i = 0; dr_record_file(r, &f) > 0; i++)
			if (i >= r->task.n_in + r->task.n_uses)
				k->out[task][i - r->task.n_in - r->task.n_uses] = f.stamp;
	} else if (r->kind == DR_REC_RECLAIM) {
		k->reclaimed[task] = true;
	} else if (r->kind == DR_REC_FORGET) {
		k->done[task] = false;
	}
	return 0;
}

static void
read_journal(struct world *w, struct recorded *k)
{
	struct dr_journal *j = NULL;

	memset(k, 0, sizeof(*k));
	assert_int_equal(dr_journal_open(w->dir, &j, &w->err), 0);
	assert_int_equal(dr_journal_read(j, true, note, k, NULL, &w->err), 0);
	dr_journal_close(j);
}

static void
expect_journal(struct world *w, const char *text)
{
	struct recorded k;

	read_journal(w, &k);
	assert_string_equal(k.text, text);
}

static void
test_publishes(void **state)
{
	struct world *w = *state;
	struct dr_rec_file f;
	struct dr_record r;
	uint64_t ino;

	assert_int_equal(dr_publish_begin(w->p, A, &w->err), 0);
	assert_int_equal(w->g->files[file(w, "in0")].stamp.size, 1);
	write_outputs(w, A);
	ino = stamp_of(w->disk, "mid/.dagrun-10-a").ino;
	assert_int_equal(end(w, A), DR_PUBLISHED);
	/* Nothing shows before the commit, and nobody else knows. */
	assert_int_equal(stamp_of(w->disk, "mid/a").size, OLD);
	assert_false(there(w->disk, "mid/b"));
	expect_journal(w, "");
	run_task(w, D);
	commit(w, "0 3 ");
	expect_journal(w, "done 0\ndone 3\n");
	assert_int_equal(stamp_of(w->disk, "mid/a").ino, ino);
	assert_int_equal(stamp_of(w->disk, "mid/b").size, 200);
	assert_false(there(w->disk, "mid/.dagrun-10-a"));
	assert_int_equal(w->g->files[file(w, "mid/a")].stamp.ino, ino);
	assert_int_equal(w->g->files[file(w, "mid/a")].stamp.mtime, OLD_TIME + 5);
	commit(w, "");

	assert_int_equal(dr_journal_at(w->j, 24, &r, &w->err), 0);
	assert_true(r.task.id.lo == 10 && r.task.command.lo == 1000 && r.task.run == 1 &&
		    r.task.origin == 99);
	assert_true(r.task.start == 1 && r.task.end == 2 && r.task.tries == 1 && r.task.user_us == 3);
	assert_true(r.task.sys_us == 4 && r.task.peak_kb == 5 && r.task.log_at == 6 && r.task.log_len == 7);
	assert_true(r.task.n_in == 1 && r.task.n_uses == 1 && r.task.n_out == 2);
	assert_true(dr_str_is(r.task.name, "task-0"));
	assert_int_equal(dr_record_file(&r, &f), 1);
	assert_true(dr_str_is(f.path, "in0"));
	assert_true(f.stamp.size == 1 && f.stamp.mtime == OLD_TIME && f.flags == 0);
	assert_int_equal(dr_record_file(&r, &f), 1);
	assert_true(dr_str_is(f.path, "tool"));
	assert_true(f.flags == DR_REC_HASHED && f.content.hi == 5);
	assert_int_equal(dr_record_file(&r, &f), 1);
	assert_true(dr_str_is(f.path, "mid/a"));
	assert_true(f.stamp.size == 200 && f.stamp.mtime == OLD_TIME + 5 && f.stamp.ino == ino &&
		    f.flags == 0);
	assert_int_equal(dr_record_file(&r, &f), 1);
	assert_true(dr_str_is(f.path, "mid/b"));
	assert_int_equal(dr_record_file(&r, &f), 0);
}

static void
test_costs_no_needless_calls(void **state)
{
	struct world *w = *state;

	run_task(w, A);
	run_task(w, B);
	commit(w, "0 1 ");
	assert_int_equal(w->disk->mkdirs, 1);
	assert_int_equal(w->disk->lists, 1); /* a run that died may have left something */
	assert_int_equal(w->disk->unlinks, 0);
	assert_int_equal(w->disk->hashes, 1);
	/* Each source before and after, each output once, and the hashed one once more. */
	assert_int_equal(w->disk->stats, 4 + 2 + 4 + 1 + 1);
	w->disk->stats = 0;
	run_task(w, C);
	assert_int_equal(w->disk->stats, 1);
}

static void
test_outputs_missing(void **state)
{
	struct world *w = *state;

	assert_int_equal(dr_publish_begin(w->p, A, &w->err), 0);
	put(w->disk, "mid/.dagrun-10-a", 1, 1);
	assert_int_equal(end(w, A), DR_NO_OUTPUT);
	assert_non_null(strstr(w->err.msg, "mid/b"));
	assert_int_equal(dr_publish_abort(w->p, A, &outcome, &w->err), 0);
	assert_false(there(w->disk, "mid/.dagrun-10-a"));
	assert_int_equal(stamp_of(w->disk, "mid/a").size, OLD);
	commit(w, "");
	expect_journal(w, "fail 0\n");

	/* A second attempt removes what the first may have left running. */
	put(w->disk, "mid/.dagrun-10-b", 1, 1);
	assert_int_equal(dr_publish_begin(w->p, A, &w->err), 0);
	assert_false(there(w->disk, "mid/.dagrun-10-b"));
	write_outputs(w, A);
	w->disk->f[find(w->disk, "mid/.dagrun-10-b")].dir = true;
	assert_int_equal(end(w, A), DR_NOT_PUBLISHED);
	assert_non_null(strstr(w->err.msg, "is a directory"));
	assert_int_equal(dr_publish_abort(w->p, A, NULL, &w->err), 0);
	assert_false(there(w->disk, "mid/.dagrun-10-b"));
	commit(w, "");
	expect_journal(w, "fail 0\n");
	run_task(w, A);
	commit(w, "0 ");
}

static void
test_suspects(void **state)
{
	struct world *w = *state;

	/* Of an earlier run. */
	put(w->disk, "mid/.dagrun-11-c", 1, 1);
	assert_int_equal(dr_publish_begin(w->p, B, &w->err), 0);
	assert_false(there(w->disk, "mid/.dagrun-11-c"));
	assert_int_equal(w->disk->unlinks, 1);
	/* Of another one since. */
	put(w->disk, "mid/.dagrun-11-c", 1, 1);
	dr_publisher_suspect(w->p, file(w, "mid/c"));
	assert_int_equal(dr_publish_begin(w->p, B, &w->err), 0);
	assert_false(there(w->disk, "mid/.dagrun-11-c"));
	assert_int_equal(w->disk->unlinks, 2);
}

/* Another run has been here; a task of ours has failed. */
static void
assert_removes_what_is_left(struct world *w)
{
	put(w->disk, "mid/.dagrun-11-c", 1, 1);
	dr_publisher_suspect(w->p, file(w, "mid/c"));
	assert_int_equal(dr_publish_begin(w->p, B, &w->err), 0);
	assert_false(there(w->disk, "mid/.dagrun-11-c"));
	assert_int_equal(w->disk->unlinks, 1);
	put(w->disk, "mid/.dagrun-11-c", 1, 1);
	assert_int_equal(dr_publish_abort(w->p, B, &outcome, &w->err), 0);
	put(w->disk, "mid/.dagrun-11-c", 1, 1);
	assert_int_equal(dr_publish_begin(w->p, B, &w->err), 0);
	assert_false(there(w->disk, "mid/.dagrun-11-c"));
}

/* A directory that lists no temporary name when the first of its outputs is begun has none, until another run is here or a task of ours has
 * failed; and it is listed but once. */
static void
test_clean_directory(void **state)
{
	struct world *w = *state;

	run_task(w, A);
	assert_int_equal(w->disk->lists, 1);
	/* What A writes stands there meanwhile. */
	run_task(w, B);
	commit(w, "0 1 ");
	assert_int_equal(w->disk->lists, 1);
	assert_int_equal(w->disk->unlinks, 0);
	assert_removes_what_is_left(w);
	assert_int_equal(w->disk->lists, 1);
}

/* What has many more names than it is to get outputs, or cannot be listed, or lists a temporary name, of whatever task, may have one of each. */
static void
test_crowded_directory(void **state)
{
	struct world *w = *state;
	char name[32];

	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "mid/%d", i);
		put(w->disk, name, 1, 1);
	}
	run_task(w, A);
	run_task(w, B);
	assert_int_equal(w->disk->lists, 1);
	assert_int_equal(w->disk->unlinks, 3);
}

static void
test_unlistable_directory(void **state)
{
	struct world *w = *state;

	w->disk->error = EACCES;
	w->disk->fail = 2; /* the call behind mkdirs_for */
	run_task(w, A);
	run_task(w, B);
	assert_int_equal(w->disk->lists, 1);
	assert_int_equal(w->disk->unlinks, 3);
}

static void
test_littered_directory(void **state)
{
	struct world *w = *state;

	put(w->disk, "mid/.dagrun-9999-z", 1, 1);
	run_task(w, A);
	run_task(w, B);
	assert_int_equal(w->disk->unlinks, 3);
}

/* In a directory that we have made nobody has left anything, until another run is here or a task of ours has failed. */
static void
test_new_directory(void **state)
{
	struct world *w = *state;

	w->disk->makes_dirs = true;
	run_task(w, A);
	run_task(w, B);
	commit(w, "0 1 ");
	assert_int_equal(w->disk->mkdirs, 1);
	assert_int_equal(w->disk->unlinks, 0);
	w->disk->makes_dirs = false;
	assert_removes_what_is_left(w);
}

static void
test_begin_fails(void **state)
{
	struct world *w = *state;

	w->disk->fail = w->disk->calls + 1;
	w->disk->error = EACCES;
	assert_int_equal(dr_publish_begin(w->p, A, &w->err), -1);
	assert_int_equal(w->err.sys, EACCES);
	assert_non_null(strstr(w->err.msg, "mid/a"));
	drop(w->disk, "in0");
	assert_int_equal(dr_publish_begin(w->p, A, &w->err), -1);
	assert_non_null(strstr(w->err.msg, "in0 is not there"));
	w->disk->fail = w->disk->calls + 1;
	w->disk->error = EIO;
	assert_int_equal(dr_publish_begin(w->p, B, &w->err), -1);
	assert_int_equal(w->err.sys, EIO);
}

static void
test_input_changes(void **state)
{
	struct world *w = *state;

	assert_int_equal(dr_publish_begin(w->p, A, &w->err), 0);
	write_outputs(w, A);
	put(w->disk, "in0", 1, OLD_TIME); /* another inode alone is no change */
	put(w->disk, "tool", 3, OLD_TIME + 1);
	assert_int_equal(end(w, A), DR_INPUT_CHANGED);
	assert_non_null(strstr(w->err.msg, "tool"));
	assert_int_equal(dr_publish_abort(w->p, A, NULL, &w->err), 0);
	/* Once more, with the tool as it is now. */
	run_task(w, A);
	commit(w, "0 ");

	/* Another task has looked at the input meanwhile: it knows the new one, this one does not. */
	assert_int_equal(dr_publish_begin(w->p, A, &w->err), 0);
	put(w->disk, "in0", 9, OLD_TIME + 2);
	run_task(w, D);
	write_outputs(w, A);
	assert_int_equal(end(w, A), DR_INPUT_CHANGED);
	/* One that cannot be looked at is no change, and no success. */
	assert_int_equal(dr_publish_abort(w->p, A, NULL, NULL), 0);
	assert_int_equal(dr_publish_begin(w->p, A, &w->err), 0);
	write_outputs(w, A);
	w->disk->fail = w->disk->calls + 3; /* two outputs, in0 */
	w->disk->error = EIO;
	assert_int_equal(end(w, A), DR_NOT_PUBLISHED);
	assert_int_equal(w->err.sys, EIO);
	/* One that ended before the change was right. */
	assert_int_equal(dr_publish_abort(w->p, A, NULL, &w->err), 0);
	commit(w, "3 ");
	drop(w->disk, "in1");
	put(w->disk, "in1", 2, OLD_TIME);
	assert_int_equal(dr_publish_begin(w->p, B, &w->err), 0);
	write_outputs(w, B);
	drop(w->disk, "in1");
	assert_int_equal(end(w, B), DR_INPUT_CHANGED);
}

static uint32_t
flags_of(struct world *w, uint64_t at, const char *path)
{
	struct dr_rec_file f;
	struct dr_record r;

	assert_int_equal(dr_journal_at(w->j, at, &r, &w->err), 0);
	while (dr_record_file(&r, &f) > 0)
		if (dr_str_is(f.path, path))
			return f.flags;
	fail();
	return 0;
}

struct last_flags {
	const char *path;
	uint32_t flags;
};

static int
see_flags(void *arg, struct dr_record *r, struct dr_err *err)
{
	struct last_flags *l = arg;
	struct dr_rec_file f;

	(void)err;
	while (r->kind == DR_REC_DONE && dr_record_file(r, &f) > 0)
		if (dr_str_is(f.path, l->path))
			l->flags = f.flags;
	return 0;
}

/* Of the last record that has the file. */
static uint32_t
last_flags(struct world *w, const char *path)
{
	struct last_flags l = { path, UINT32_MAX };

	dr_journal_rewind(w->j);
	assert_int_equal(dr_journal_read(w->j, false, see_flags, &l, NULL, &w->err), 0);
	return l.flags;
}

/* Marked for those tasks that looked at it within the grain of its time, and for no others. */
static void
test_marks_end(void **state)
{
	struct world *w = *state;
	int64_t made = dr_realtime() + 15 * 1000000;
	bool recent;

	put(w->disk, "tool", 3, made);
	w->g->files[file(w, "tool")].stamp.size = DR_UNKNOWN;
	run_task(w, A);
	recent = dr_realtime() - made < DR_REC_RECENT_NS;
	commit(w, "0 ");
	if (!recent)
		skip(); /* it took too long to tell */
	assert_int_equal(last_flags(w, "tool"), DR_REC_HASHED | DR_REC_RECENT);
	assert_int_equal(w->disk->hashes, 1);
	while (dr_realtime() - made < DR_REC_RECENT_NS)
		;
	for (int i = 0; i < 2; i++) {
		run_task(w, B);
		commit(w, "1 ");
		assert_int_equal(last_flags(w, "tool"), DR_REC_HASHED);
		assert_int_equal(w->disk->hashes, 2);
	}
}

static void
change_tool(struct fake *k)
{
	put(k, "tool", 3, OLD_TIME + 77);
	k->on_hash = NULL;
}

static void
test_recent_and_hashes(void **state)
{
	struct world *w = *state;
	int64_t soon = dr_realtime() + INT64_C(3600000000000);

	/* Within 20 ms of now for as long as the test may be slow: where it is slower, the mark is rightly
	 * missing. */
	put(w->disk, "in0", 1, dr_realtime());
	run_task(w, A);
	commit(w, "0 ");
	if (dr_realtime() - stamp_of(w->disk, "in0").mtime < 20000000)
		assert_int_equal(flags_of(w, 24, "in0"), DR_REC_RECENT);
	assert_int_equal(flags_of(w, 24, "tool"), DR_REC_HASHED);
	assert_int_equal(flags_of(w, 24, "mid/a"), 0);

	/* Neither what is far in the future nor what is too large; and a hash only of what stood still
	 * meanwhile. */
	new_run(w, 2);
	w->g->files[file(w, "tool")].stamp.size = DR_UNKNOWN;
	put(w->disk, "in1", 1, soon);
	put(w->disk, "tool", (64 << 20) + 1, OLD_TIME);
	w->disk->hashes = 0;
	run_task(w, B);
	commit(w, "1 ");
	assert_int_equal(w->disk->hashes, 0);
	put(w->disk, "tool", 64 << 20, OLD_TIME);
	w->disk->on_hash = change_tool;
	assert_int_equal(dr_publish_begin(w->p, B, &w->err), 0);
	write_outputs(w, B);
	assert_int_equal(end(w, B), DR_INPUT_CHANGED);
	assert_int_equal(w->disk->hashes, 1);
	/* One that cannot be read is none. */
	put(w->disk, "tool", 3, OLD_TIME);
	w->disk->fail = w->disk->calls + 3; /* in1, tool, its hash */
	w->disk->error = EACCES;
	run_task(w, B);
	commit(w, "1 ");
	assert_int_equal(w->disk->hashes, 2);
}

static void
test_adopts(void **state)
{
	struct world *w = *state;
	enum dr_verdict v;

	assert_int_equal(dr_publish_adopt(w->p, A, &v, &w->err), 0);
	assert_int_equal(v, DR_NO_OUTPUT);
	put(w->disk, "mid/b", OLD, OLD_TIME);
	assert_int_equal(dr_publish_adopt(w->p, A, &v, &w->err), 0);
	assert_int_equal(v, DR_PUBLISHED);
	assert_int_equal(dr_publish_commit(w->p, NULL, NULL, &w->err), 0);
	expect_journal(w, "done 0\n");
	assert_int_equal(stamp_of(w->disk, "mid/b").size, OLD);
	assert_int_equal(w->g->files[file(w, "mid/b")].stamp.size, OLD);
}

static void
test_rename_fails(void **state)
{
	struct world *w = *state;

	run_task(w, A);
	run_task(w, B);
	w->disk->fail = w->disk->calls + 2; /* mid/b */
	w->disk->error = EACCES;
	assert_true(dr_publisher_owes(w->p));
	commit(w, "0! 1 ");
	assert_true(dr_publisher_owes(w->p));
	assert_int_equal(w->err.sys, EACCES);
	assert_non_null(strstr(w->err.msg, "mid/b"));
	/* What its record says is there, and stays so for the next run. */
	assert_int_equal(dr_publish_begin(w->p, A, &w->err), -1);
	assert_int_equal(dr_publish_abort(w->p, A, &outcome, &w->err), 0);
	assert_true(there(w->disk, "mid/.dagrun-10-b"));
	assert_int_equal(stamp_of(w->disk, "mid/a").size, 200);
	commit(w, "");
	expect_journal(w, "done 0\ndone 1\nfail 0\n");
}

static void
test_output_stolen(void **state)
{
	struct world *w = *state;

	run_task(w, B);
	drop(w->disk, "mid/.dagrun-11-c");
	commit(w, "1! ");
	assert_false(dr_publisher_owes(w->p));
	commit(w, "");
	expect_journal(w, "done 1\nforget 1\n");
	run_task(w, B);
	commit(w, "1 ");
	expect_journal(w, "done 1\nforget 1\ndone 1\n");
}

/* The descriptor that the journal is written through; -1 where it cannot be known. */
static int
journal_fd(void)
{
	for (int fd = 3; fd < 64; fd++) {
		char link[64], to[300] = "";

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (readlink(link, to, sizeof(to) - 1) > 0 && strstr(to, "test-publish") &&
		    strstr(to, "/journal"))
			return fd;
	}
	return -1;
}

static void
test_journal_fails(void **state)
{
	struct world *w = *state;
	struct told t = { .w = w };
	int fd = journal_fd(), full = open("/dev/full", O_WRONLY | O_CLOEXEC), keep;

	if (fd < 0 || full < 0)
		skip();
	run_task(w, A);
	keep = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	assert_int_equal(dup2(full, fd), fd);
	assert_int_equal(dr_publish_commit(w->p, tell, &t, &w->err), -1);
	assert_int_equal(dup2(keep, fd), fd);
	close(keep);
	close(full);
	assert_int_equal(w->err.sys, ENOSPC);
	assert_string_equal(t.text, "");
	assert_int_equal(stamp_of(w->disk, "mid/a").size, OLD);
	assert_int_equal(dr_publish_abort(w->p, A, NULL, &w->err), 0);
	assert_true(there(w->disk, "mid/.dagrun-10-a"));
	/* There is room again. */
	commit(w, "0 ");
	expect_journal(w, "done 0\n");
	assert_int_equal(stamp_of(w->disk, "mid/a").size, 200);
}

static void
commit_reclaiming(struct world *w, const char *told)
{
	struct told t = { .w = w, .reclaim = true };

	assert_int_equal(dr_publish_commit(w->p, tell, &t, &w->err), 0);
	assert_string_equal(t.text, told);
}

static void
test_reclaims(void **state)
{
	struct world *w = *state;

	run_task(w, A);
	run_task(w, B);
	commit_reclaiming(w, "0 1 ");
	run_task(w, C);
	commit_reclaiming(w, "2 ");
	/* Recorded, not written: still there, and claimed. */
	assert_true(there(w->disk, "mid/a"));
	assert_int_equal(w->lock.held, 2);
	commit_reclaiming(w, "");
	expect_journal(w, "done 0\ndone 1\ndone 2\nreclaim 0\nreclaim 1\n");
	assert_false(there(w->disk, "mid/a") || there(w->disk, "mid/b") || there(w->disk, "mid/c"));
	assert_true(there(w->disk, "out") && there(w->disk, "in0") && there(w->disk, "tool"));
	assert_int_equal(w->lock.held, 0);
	assert_int_equal(w->g->files[file(w, "mid/a")].stamp.size, DR_ABSENT);
	assert_int_equal(w->g->files[file(w, "mid/a")].flags, DR_FILE_RECLAIMED | DR_FILE_ABSENT);
	/* Made again, it is there again. */
	w->g->tasks[A].state = DR_WAITING;
	run_task(w, A);
	commit_reclaiming(w, "0 ");
	assert_int_equal(w->g->files[file(w, "mid/a")].flags, 0);
}

static int
note_inputs(void *arg, struct dr_record *r, struct dr_err *err)
{
	struct dr_buf *paths = arg;
	struct dr_rec_file f;

	(void)err;
	if (r->kind != DR_REC_DONE || r->task.id.lo - 10 != C)
		return 0;
	for (uint32_t i = 0; dr_record_file(r, &f) > 0 && i < r->task.n_in; i++) {
		dr_buf_addstr(paths, f.path);
		dr_buf_addc(paths, ' ');
	}
	return 0;
}

/* A task that does without an input has no record of it, so that it is made again; and what it took stays until then. */
static void
test_does_without(void **state)
{
	struct world *w = *state;
	struct dr_journal *j = NULL;
	struct dr_buf paths = { 0 };

	run_task(w, A);
	commit_reclaiming(w, "0 ");
	missing_file = file(w, "mid/c");
	run_task(w, C);
	commit_reclaiming(w, "2 ");
	commit_reclaiming(w, "");
	missing_file = DR_NONE;
	assert_true(w->g->tasks[C].partial);
	assert_true(there(w->disk, "mid/a") && there(w->disk, "mid/b") && !there(w->disk, "mid/c"));
	expect_journal(w, "done 0\ndone 2\n");
	assert_int_equal(dr_journal_open(w->dir, &j, &w->err), 0);
	assert_int_equal(dr_journal_read(j, true, note_inputs, &paths, NULL, &w->err), 0);
	assert_string_equal(dr_buf_cstr(&paths), "mid/a mid/b ");
	dr_buf_free(&paths);
	dr_journal_close(j);
}

/* While another run is at work on the stage it may be about to read what we need no more. */
static void
test_defers_to_others(void **state)
{
	struct dr_plan_stage stage = { .n = TASKS };
	struct world *w = *state;

	w->plan.stages = &stage;
	w->lock.used = true;
	run_task(w, A);
	run_task(w, B);
	commit_reclaiming(w, "0 1 ");
	assert_false(dr_publisher_defers(w->p));
	run_task(w, C);
	commit_reclaiming(w, "2 ");
	commit_reclaiming(w, "");
	assert_true(there(w->disk, "mid/a") && there(w->disk, "mid/c"));
	assert_true(dr_publisher_defers(w->p));
	w->lock.used = false;
	assert_int_equal(dr_publish_reclaim_left(w->p, &w->err), 0);
	assert_true(w->lock.alone); /* until they are unlinked */
	commit(w, "");
	assert_false(w->lock.alone);
	assert_false(there(w->disk, "mid/a") || there(w->disk, "mid/c"));
	expect_journal(w, "done 0\ndone 1\ndone 2\nreclaim 0\nreclaim 1\n");
}

/* Another run did the consumer. */
static void
test_reclaims_what_was_read_elsewhere(void **state)
{
	struct world *w = *state;

	run_task(w, A);
	run_task(w, B);
	commit_reclaiming(w, "0 1 ");
	assert_int_equal(dr_publish_read_elsewhere(w->p, C, &w->err), 0);
	w->g->tasks[C].state = DR_DONE;
	assert_true(dr_publisher_defers(w->p));
	assert_int_equal(dr_publish_reclaim_left(w->p, &w->err), 0);
	commit(w, "");
	assert_false(there(w->disk, "mid/a") || there(w->disk, "mid/c"));
}

static void
test_does_not_reclaim(void **state)
{
	struct world *w = *state;

	/* One output of A is to stay; B is another run's at that moment. */
	w->g->files[file(w, "mid/b")].flags |= DR_FILE_KEEP;
	w->lock.others = 11;
	run_task(w, A);
	run_task(w, B);
	commit_reclaiming(w, "0 1 ");
	run_task(w, C);
	commit_reclaiming(w, "2 ");
	commit_reclaiming(w, "");
	expect_journal(w, "done 0\ndone 1\ndone 2\n");
	assert_true(there(w->disk, "mid/a") && there(w->disk, "mid/b") && there(w->disk, "mid/c"));
}

static void
test_does_not_reclaim_for_another_reader(void **state)
{
	static const char *const b[] = { "mid/b", NULL }, *const c[] = { "mid/c", NULL },
				 *const none[] = { NULL };
	static const char *const bc[] = { "mid/b", "mid/c", NULL };
	struct world *w = *state;
	uint32_t *cycle, n;

	/* B makes both; A and C read the one, D, which has failed and may be run again, the other. */
	dr_graph_free(w->g);
	w->g = dr_graph_new();
	assert_non_null(w->g);
	add_task(w, b, none, none);
	add_task(w, none, none, bc);
	add_task(w, b, none, none);
	add_task(w, none, c, none);
	assert_int_equal(dr_graph_link(w->g, &cycle, &n, &w->err), 0);
	w->plan.graph = w->g;
	new_run(w, 1);
	run_task(w, B);
	commit_reclaiming(w, "1 ");
	w->g->tasks[D].state = DR_FAILED_TASK;
	run_task(w, C);
	commit_reclaiming(w, "2 ");
	run_task(w, A);
	commit_reclaiming(w, "0 ");
	commit_reclaiming(w, "");
	assert_true(there(w->disk, "mid/b") && there(w->disk, "mid/c"));
	w->g->tasks[D].state = DR_RUNNING;
	run_task(w, D);
	commit_reclaiming(w, "3 ");
	commit_reclaiming(w, "");
	assert_false(there(w->disk, "mid/b") || there(w->disk, "mid/c"));
	expect_journal(w, "done 1\ndone 2\ndone 0\ndone 3\nreclaim 1\n");
}

static void
test_does_not_reclaim_what_changed(void **state)
{
	struct world *w = *state;

	run_task(w, A);
	run_task(w, B);
	commit_reclaiming(w, "0 1 ");
	run_task(w, C);
	put(w->disk, "mid/c", 1, 1); /* by hand */
	commit_reclaiming(w, "2 ");
	w->disk->fail = w->disk->calls + 2; /* mid/b cannot be removed: it stands, as recorded */
	w->disk->error = EACCES;
	commit_reclaiming(w, "");
	expect_journal(w, "done 0\ndone 1\ndone 2\nreclaim 0\n");
	assert_false(there(w->disk, "mid/a"));
	assert_true(there(w->disk, "mid/b") && there(w->disk, "mid/c"));
	assert_int_equal(w->g->files[file(w, "mid/b")].flags, 0);
	assert_int_equal(w->g->files[file(w, "mid/b")].stamp.size, 200);
}

/* Outputs of an earlier run are reclaimed if they are as that run recorded them. */
static void
test_reclaims_earlier_outputs(void **state)
{
	struct world *w = *state;
	struct dr_buf b = { 0 };

	run_task(w, A);
	commit_reclaiming(w, "0 ");
	assert_int_equal(dr_slurp(w->dir, "journal", &b, &w->err), 0);
	run_task(w, B);
	commit_reclaiming(w, "1 ");
	new_run(w, 2);
	w->g->tasks[A].state = DR_CLEAN;
	w->g->tasks[A].record = 24;
	w->g->tasks[B].state = DR_CLEAN;
	w->g->tasks[B].record = b.n;
	dr_buf_free(&b);
	/* mid/c was changed by hand and is taken as it is. */
	put(w->disk, "mid/c", 1, 1);
	w->g->files[file(w, "mid/c")].stamp = stamp_of(w->disk, "mid/c");
	run_task(w, C);
	commit_reclaiming(w, "2 ");
	commit_reclaiming(w, "");
	expect_journal(w, "done 0\ndone 1\ndone 2\nreclaim 0\n");
	assert_false(there(w->disk, "mid/a") || there(w->disk, "mid/b"));
	assert_true(there(w->disk, "mid/c"));
}

static bool
same(struct dr_stamp a, struct dr_stamp b)
{
	return a.size == b.size && a.mtime == b.mtime;
}

/* After a crash: each output is wholly the old or the new one; if it is recorded, it is there, or waits
 * under its temporary name, or was reclaimed when its consumer had been recorded. */
static void
check_crash(struct world *w)
{
	static const char *const outs[TASKS][2] = {
		{ "mid/a", "mid/b" }, { "mid/c", NULL }, { "out", NULL }, { NULL, NULL }
	};
	struct recorded k;

	read_journal(w, &k);
	for (uint32_t t = 0; t < TASKS; t++) {
		for (int i = 0; i < 2 && outs[t][i]; i++) {
			struct dr_stamp is = stamp_of(w->disk, outs[t][i]), was = { OLD, OLD_TIME, 0 };
			struct dr_buf temp = { 0 };

			if (strcmp(outs[t][i], "mid/a") != 0 && strcmp(outs[t][i], "out") != 0)
				was.size = DR_ABSENT;
			if (k.reclaimed[t]) {
				assert_true(k.done[C]);
				assert_true(is.size == DR_ABSENT || same(is, k.out[t][i]));
				continue;
			}
			if (!k.done[t]) {
				assert_true(is.size == DR_ABSENT ? was.size == DR_ABSENT : same(is, was));
				continue;
			}
			dr_temp_name(w->g->tasks[t].id, dr_str(outs[t][i]), &temp);
			assert_true(same(is, k.out[t][i]) || same(stamp_of(w->disk, temp.p), k.out[t][i]));
			assert_true(same(is, k.out[t][i]) || is.size == was.size);
			dr_buf_free(&temp);
		}
	}
}

/* All of it, in a child that dies at one of its calls to the disk. */
static void
work(struct world *w)
{
	static const uint32_t turns[][3] = {
		{ A, D, DR_NONE },
		{ B, DR_NONE, DR_NONE },
		{ C, DR_NONE, DR_NONE },
		{ DR_NONE, DR_NONE, DR_NONE },
	};
	struct told t = { .w = w, .reclaim = true };
	enum dr_verdict v;

	for (size_t k = 0; k < sizeof(turns) / sizeof(*turns); k++) {
		for (int i = 0; i < 3 && turns[k][i] != DR_NONE; i++) {
			if (dr_publish_begin(w->p, turns[k][i], &w->err))
				_exit(1);
			write_outputs(w, turns[k][i]);
			if (dr_publish_end(w->p, turns[k][i], &outcome, &v, &w->err) || v != DR_PUBLISHED)
				_exit(1);
		}
		if (dr_publish_commit(w->p, tell, &t, &w->err))
			_exit(1);
	}
	_exit(0);
}

static void
test_crash_anywhere(void **state)
{
	struct world *w = *state;
	int status = -1;
	unsigned at;

	for (at = 1; status != 0; at++) {
		pid_t pid;

		assert_true(at < 200);
		fresh_disk(w);
		assert_int_equal(unlinkat(w->dir, "journal", 0), 0);
		new_run(w, 1);
		w->disk->crash = at;
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			work(w);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status) &&
			    (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == CRASHED));
		check_crash(w);
	}
	assert_true(at > 20);
	expect_journal(w, "done 0\ndone 3\ndone 1\ndone 2\nreclaim 0\nreclaim 1\n");
	assert_false(there(w->disk, "mid/a") || there(w->disk, "mid/c"));
	assert_int_equal(w->disk->n, 4);
}

/* A crash within the write of the batch: whatever part of it came to the disk, it says what is so. */
static void
test_crash_within_the_write(void **state)
{
	struct world *w = *state;
	struct dr_buf before = { 0 }, b = { 0 };
	struct told t = { .w = w };
	int fd, status;
	pid_t pid;

	run_task(w, B);
	commit(w, "1 ");
	assert_int_equal(dr_slurp(w->dir, "journal", &before, &w->err), 0);
	run_task(w, A);
	run_task(w, C);
	w->disk->crash = w->disk->calls + 1; /* the first rename */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(dr_publish_commit(w->p, tell, &t, &w->err));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == CRASHED);
	assert_int_equal(dr_slurp(w->dir, "journal", &b, &w->err), 0);
	assert_true(b.n > before.n);
	fd = openat(w->dir, "journal", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (size_t n = b.n; n > before.n; n--) {
		assert_int_equal(ftruncate(fd, (off_t)n), 0);
		check_crash(w);
	}
	dr_close(&fd);
	dr_buf_free(&before);
	dr_buf_free(&b);
}

/* A's command makes mid/a as it stands, and mid/b anew; the plan has looked at what stands. */
static void
make_a(struct world *w)
{
	struct dr_file *f = &w->g->files[file(w, "mid/a")];

	put(w->disk, "mid/a", 200, OLD_TIME);
	f->stamp = stamp_of(w->disk, "mid/a");
	f->flags = 0;
	w->g->files[file(w, "mid/b")].flags = DR_FILE_ABSENT;
	assert_int_equal(dr_publish_begin(w->p, A, &w->err), 0);
	write_outputs(w, A);
	w->disk->f[find(w->disk, "mid/.dagrun-10-a")].bytes = w->disk->f[find(w->disk, "mid/a")].bytes;
}

static void
test_same_output_stays(void **state)
{
	struct world *w = *state;
	struct dr_stamp was;
	struct recorded k;

	make_a(w);
	was = stamp_of(w->disk, "mid/a");
	assert_int_equal(end(w, A), DR_PUBLISHED);
	assert_true(there(w->disk, "mid/.dagrun-10-a"));
	commit(w, "0 ");
	assert_int_equal(w->disk->sames, 1);
	assert_memory_equal(&w->disk->f[find(w->disk, "mid/a")].st, &was, sizeof(was));
	assert_memory_equal(&w->g->files[file(w, "mid/a")].stamp, &was, sizeof(was));
	assert_int_equal(w->g->files[file(w, "mid/a")].flags, DR_FILE_SAME);
	assert_int_equal(w->g->files[file(w, "mid/b")].flags, 0);
	assert_false(there(w->disk, "mid/.dagrun-10-a") || there(w->disk, "mid/.dagrun-10-b"));
	read_journal(w, &k);
	assert_memory_equal(&k.out[A][0], &was, sizeof(was));
	assert_memory_equal(&k.out[A][1], &w->disk->f[find(w->disk, "mid/b")].st, sizeof(was));
	/* The next time it comes out otherwise. */
	assert_int_equal(dr_publish_begin(w->p, A, &w->err), 0);
	write_outputs(w, A);
	assert_int_equal(end(w, A), DR_PUBLISHED);
	commit(w, "0 ");
	assert_int_equal(stamp_of(w->disk, "mid/a").mtime, OLD_TIME + 5);
	assert_int_equal(w->g->files[file(w, "mid/a")].flags, 0);
}

/* Only where sizes are equal, and what stands is what we know of, anything is read. */
static void
test_what_is_not_the_same(void **state)
{
	struct world *w = *state;
	struct dr_file *f = &w->g->files[file(w, "mid/a")];

	make_a(w);
	f->stamp.size++;
	assert_int_equal(end(w, A), DR_PUBLISHED);
	commit(w, "0 ");
	assert_int_equal(w->disk->sames, 0);
	assert_int_equal(stamp_of(w->disk, "mid/a").mtime, OLD_TIME + 5);
	make_a(w);
	f->flags = DR_FILE_ABSENT; /* its stamp is its record's */
	assert_int_equal(end(w, A), DR_PUBLISHED);
	commit(w, "0 ");
	assert_int_equal(w->disk->sames, 0);
	make_a(w);
	w->disk->f[find(w->disk, "mid/a")].st.mtime++; /* somebody has touched it since */
	assert_int_equal(end(w, A), DR_PUBLISHED);
	commit(w, "0 ");
	assert_int_equal(stamp_of(w->disk, "mid/a").mtime, OLD_TIME + 5);
	make_a(w);
	w->disk->error = EIO;
	w->disk->fail = w->disk->calls + 2 + 2 + 1; /* two outputs, two inputs, then it is compared */
	assert_int_equal(end(w, A), DR_PUBLISHED);
	commit(w, "0 ");
	assert_int_equal(stamp_of(w->disk, "mid/a").mtime, OLD_TIME + 5);
}

/* Large outputs are compared in pieces, while others have their turn. */
static void
test_compares_in_pieces(void **state)
{
	struct world *w = *state;

	make_a(w);
	w->disk->more = 2;
	assert_int_equal(end(w, A), DR_NOT_COMPARED);
	put(w->disk, "in0", 1, OLD_TIME + 9); /* the command has read it long ago */
	run_task(w, B);
	assert_int_equal(end(w, A), DR_NOT_COMPARED);
	commit(w, "1 ");
	assert_int_equal(end(w, A), DR_PUBLISHED);
	commit(w, "0 ");
	assert_int_equal(stamp_of(w->disk, "mid/a").mtime, OLD_TIME);
	/* No time for more. */
	make_a(w);
	w->disk->more = 2;
	assert_int_equal(end(w, A), DR_NOT_COMPARED);
	dr_publish_hurry(w->p, A);
	assert_int_equal(end(w, A), DR_PUBLISHED);
	commit(w, "0 ");
	assert_int_equal(stamp_of(w->disk, "mid/a").mtime, OLD_TIME + 5);
	/* Given up. */
	make_a(w);
	w->disk->more = 2;
	assert_int_equal(end(w, A), DR_NOT_COMPARED);
	assert_int_equal(dr_publish_abort(w->p, A, NULL, &w->err), 0);
	assert_false(there(w->disk, "mid/.dagrun-10-a"));
	dr_publish_hurry(w->p, A);
	make_a(w);
	w->disk->more = 1;
	assert_int_equal(end(w, A), DR_NOT_COMPARED);
}

/* A's outputs are gone, as its last record has them; made again, mid/a has `bytes`. The journal's length before that. */
static uint64_t
make_again(struct world *w, uint64_t record, uint64_t bytes, int64_t mtime)
{
	struct dr_buf b = { 0 };
	uint64_t at;

	assert_int_equal(dr_slurp(w->dir, "journal", &b, &w->err), 0);
	at = b.n;
	dr_buf_free(&b);
	w->g->tasks[A].record = record;
	drop(w->disk, "mid/a");
	drop(w->disk, "mid/b");
	w->g->files[file(w, "mid/a")].flags |= DR_FILE_ABSENT | DR_FILE_RECLAIMED;
	w->g->files[file(w, "mid/b")].flags |= DR_FILE_ABSENT | DR_FILE_RECLAIMED;
	assert_int_equal(dr_publish_begin(w->p, A, &w->err), 0);
	put(w->disk, "mid/.dagrun-10-a", 200, mtime);
	put(w->disk, "mid/.dagrun-10-b", 200, mtime);
	w->disk->f[find(w->disk, "mid/.dagrun-10-a")].bytes = bytes;
	assert_int_equal(end(w, A), DR_PUBLISHED);
	commit(w, "0 ");
	return at;
}

/* What was reclaimed and comes out with the same bytes has its time again, so that its readers need not run. */
static void
test_generations(void **state)
{
	struct world *w = *state;
	uint32_t a = file(w, "mid/a"), b = file(w, "mid/b");
	uint64_t at;

	run_task(w, A);
	commit(w, "0 ");
	assert_int_equal(w->disk->hashes, 1); /* of the tool: nobody may want it again */
	at = make_again(w, 24, 7000, OLD_TIME + 70);
	assert_int_equal(w->disk->hashes, 1 + 2);
	assert_int_equal(flags_of(w, at, "mid/a"), DR_REC_HASHED);
	assert_int_equal(w->g->files[a].flags, 0); /* nothing is known of the first one */
	at = make_again(w, at, 7000, OLD_TIME + 80);
	assert_int_equal(w->g->files[a].flags, DR_FILE_SAME);
	assert_int_equal(w->g->files[a].stamp.mtime, OLD_TIME + 70);
	assert_int_equal(stamp_of(w->disk, "mid/a").mtime, OLD_TIME + 70);
	assert_int_equal(stamp_of(w->disk, "mid/a").ino, w->g->files[a].stamp.ino);
	assert_int_equal(w->g->files[b].flags, 0);
	assert_int_equal(stamp_of(w->disk, "mid/b").mtime, OLD_TIME + 80);
	at = make_again(w, at, 7001, OLD_TIME + 90);
	assert_int_equal(w->g->files[a].flags, 0);
	assert_int_equal(stamp_of(w->disk, "mid/a").mtime, OLD_TIME + 90);
	/* A file system that does not keep times. */
	w->disk->error = EPERM;
	w->disk->fail = w->disk->calls + 2 + 2 + 2 + 2 + 1; /* inputs, outputs, inputs, hashes; set_time */
	make_again(w, at, 7001, OLD_TIME + 95);
	assert_int_equal(w->g->files[a].flags, 0);
	assert_int_equal(stamp_of(w->disk, "mid/a").mtime, OLD_TIME + 95);
	/* What stays, or is asked for, is compared where it stands, and not hashed. */
	w->disk->hashes = 0;
	w->g->files[a].flags |= DR_FILE_KEEP;
	w->g->files[b].flags |= DR_FILE_TARGET;
	make_again(w, at, 7001, OLD_TIME + 99);
	assert_int_equal(w->disk->hashes, 0);
}

/* Contents count where the stage says so, of what comes from outside; each is read once. */
static void
test_fresh_content(void **state)
{
	struct world *w = *state;

	only_stage.fresh_content = true;
	run_task(w, A);
	run_task(w, D); /* in0 once more */
	commit(w, "0 3 ");
	assert_int_equal(w->disk->hashes, 2); /* in0, tool */
	assert_int_equal(flags_of(w, 24, "in0"), DR_REC_HASHED);
	run_task(w, B);
	commit(w, "1 ");
	assert_int_equal(w->disk->hashes, 3);
	put(w->disk, "in0", 1, OLD_TIME + 1);
	run_task(w, C); /* what our tasks made has no need of it */
	commit(w, "2 ");
	assert_int_equal(w->disk->hashes, 3);
	run_task(w, D);
	commit(w, "3 ");
	assert_int_equal(w->disk->hashes, 4);
	put(w->disk, "in0", INT64_C(1) << 40, OLD_TIME + 2);
	run_task(w, D);
	commit(w, "3 ");
	assert_int_equal(w->disk->hashes, 4);
	only_stage.fresh_content = false;
}

static void
test_crash_where_an_output_stays(void **state)
{
	struct world *w = *state;
	struct told t = { .w = w };
	int status = -1;

	for (unsigned at = 1; status != 0; at++) {
		struct dr_stamp was, b;
		struct recorded k;
		pid_t pid;

		assert_true(at < 50);
		fresh_disk(w);
		assert_int_equal(unlinkat(w->dir, "journal", 0), 0);
		new_run(w, 1);
		make_a(w);
		was = stamp_of(w->disk, "mid/a");
		b = stamp_of(w->disk, "mid/.dagrun-10-b");
		w->disk->crash = w->disk->calls + at;
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			enum dr_verdict v;

			if (dr_publish_end(w->p, A, &outcome, &v, &w->err) || v != DR_PUBLISHED)
				_exit(1);
			_exit(dr_publish_commit(w->p, tell, &t, &w->err) ? 1 : 0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == CRASHED));
		/* It stands as it did, and is recorded so, or not at all. */
		assert_true(same(stamp_of(w->disk, "mid/a"), was));
		read_journal(w, &k);
		if (k.done[A]) {
			assert_true(same(k.out[A][0], was) && same(k.out[A][1], b));
			assert_true(same(stamp_of(w->disk, "mid/b"), b) || same(stamp_of(w->disk, "mid/.dagrun-10-b"), b));
		} else {
			assert_false(there(w->disk, "mid/b"));
		}
	}
	assert_false(there(w->disk, "mid/.dagrun-10-a") || there(w->disk, "mid/.dagrun-10-b"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_publishes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_costs_no_needless_calls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_outputs_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_suspects, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clean_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crowded_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unlistable_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_littered_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_new_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_begin_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_input_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_recent_and_hashes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_marks_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_adopts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rename_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_output_stolen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_journal_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reclaims, setup, teardown),
		cmocka_unit_test_setup_teardown(test_does_without, setup, teardown),
		cmocka_unit_test_setup_teardown(test_defers_to_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reclaims_what_was_read_elsewhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_does_not_reclaim, setup, teardown),
		cmocka_unit_test_setup_teardown(test_does_not_reclaim_for_another_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_does_not_reclaim_what_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reclaims_earlier_outputs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crash_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crash_within_the_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_same_output_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_not_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(test_compares_in_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_generations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fresh_content, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crash_where_an_output_stays, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
