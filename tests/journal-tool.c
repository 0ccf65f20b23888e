/* For tests and measurements, on the journal in the current directory's .dagrun:
 *
 * journal-tool reboot           what it tells of is from an earlier start of the machine now
 * journal-tool generate N       a new journal, of N DONEs, and RECLAIMs for half of them
 * journal-tool brief N          a new journal, of N records of 72 bytes on average: each third a DONE without files, of a task that
 *                               is reclaimed and then forgotten: RECLAIM, FORGET
 * journal-tool read             how long it takes to read all of it, and how much memory: for people
 * journal-tool list             a word for each record
 * journal-tool missing          outputs by the last record of a task that are there neither under their names nor under their temporary
 *                               ones, and that no record says to be removed or forgotten, one a line; paths from here */
#include "config.h"

#include "err.h"
#include "journal-record.h"
#include "os.h"
#include "plan-values.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int
fail(const struct dr_err *err)
{
	fprintf(stderr, "journal-tool: %s\n", err->msg);
	return 1;
}

/* In place: neither length nor kind of any record changes. */
static int
reboot(int dir)
{
	struct dr_record_stream s = { 0 };
	struct dr_record_head h;
	struct dr_record r;
	struct dr_str raw;
	struct dr_err err;
	int fd = openat(dir, DR_JOURNAL_NAME, O_RDWR | O_CLOEXEC), rc;

	if (fd < 0)
		return fail((dr_err_set(&err, DR_STATE, "there is no journal"), &err));
	if (dr_record_stream_open(&s, fd, sizeof(struct dr_journal_header), &err))
		return fail(&err);
	while ((rc = dr_record_next(&s, &r, &raw, &err)) > 0) {
		unsigned char buf[sizeof(h) + sizeof(r.run)];

		if (r.kind != DR_REC_RUN && r.kind != DR_REC_BYE)
			continue;
		r.run.boot.lo += 1;
		memcpy(&h, raw.p, sizeof(h));
		memcpy(buf, &h, sizeof(h));
		memcpy(buf + sizeof(h), &r.run, sizeof(r.run));
		h.checksum = (uint32_t)dr_hash64(buf + offsetof(struct dr_record_head, length),
						 sizeof(buf) - offsetof(struct dr_record_head, length));
		memcpy(buf, &h, sizeof(h));
		if (dr_pwrite_full(fd, buf, sizeof(buf), (off_t)r.at))
			return fail((dr_err_set(&err, DR_STATE, "cannot write the journal"), &err));
	}
	dr_record_stream_close(&s);
	close(fd);
	return rc < 0 ? fail(&err) : 0;
}

/* The i-th task's, with an input and an output. */
static int
add_usual(struct dr_journal *j, uint64_t i)
{
	struct dr_rec_task t = { .id = dr_hash128(&i, sizeof(i)), .run = 1, .n_in = 1, .n_out = 1 };
	struct dr_rec_file f = { .stamp = { 100, (int64_t)i, i } };
	char name[32];

	snprintf(name, sizeof(name), "out/%08" PRIu64, i);
	t.name = f.path = dr_str(name);
	return dr_journal_begin_task(j, DR_REC_DONE, &t) || dr_journal_add_file(j, &f) || dr_journal_add_file(j, &f) ||
	       dr_journal_end_task(j) || (i % 2 && dr_journal_add_id(j, DR_REC_RECLAIM, t.id));
}

/* The i-th record: of 152, 32 and 32 bytes in turns. */
static int
add_brief(struct dr_journal *j, uint64_t i)
{
	uint64_t task = i / 3;
	struct dr_rec_task t = { .id = dr_hash128(&task, sizeof(task)), .run = 1 };
	char name[32];

	if (i % 3)
		return dr_journal_add_id(j, i % 3 == 1 ? DR_REC_RECLAIM : DR_REC_FORGET, t.id);
	snprintf(name, sizeof(name), "%08" PRIu64, task);
	t.name = dr_str(name);
	return dr_journal_begin_task(j, DR_REC_DONE, &t) || dr_journal_end_task(j);
}

static int
generate(int dir, uint64_t n, int (*add)(struct dr_journal *j, uint64_t i))
{
	struct dr_rec_run run = { .run = 1, .when = 1 };
	struct dr_journal *j;
	struct dr_err err;

	unlinkat(dir, DR_JOURNAL_NAME, 0);
	if (dr_journal_open(dir, &j, &err))
		return fail(&err);
	dr_journal_add_run(j, DR_REC_RUN, &run);
	for (uint64_t i = 0; i < n; i++) {
		if (add(j, i))
			return 1;
		if (i % 10000 == 9999 && dr_journal_flush(j, &err))
			return fail(&err);
	}
	dr_journal_add_run(j, DR_REC_BYE, &run);
	if (dr_journal_flush(j, &err))
		return fail(&err);
	dr_journal_close(j);
	return 0;
}

static int
count(void *arg, struct dr_record *r, struct dr_err *err)
{
	(void)r;
	(void)err;
	++*(uint64_t *)arg;
	return 0;
}

static int
list(void *arg, struct dr_record *r, struct dr_err *err)
{
	static const char *const names[] = { "", "run", "bye", "done", "fail", "reclaim", "forget", "tree", "barrier" };
	static const char *const phases[] = { "", " begins", " holds", " always", " read", " settled" };

	(void)arg;
	(void)err;
	printf("%s%s", names[r->kind], r->kind == DR_REC_BARRIER ? phases[r->barrier.phase] : "");
	if (r->kind == DR_REC_DONE || r->kind == DR_REC_FAIL)
		printf(" %.*s", (int)r->task.name.n, r->task.name.p);
	putchar('\n');
	return 0;
}

enum { TASKS_MAX = 4096 };

/* Tasks, each with the place of its last DONE; 0: behind that it was reclaimed or forgotten. */
struct last {
	struct dr_hash128 id[TASKS_MAX];
	uint64_t at[TASKS_MAX];
	uint32_t n;
};

static int
note_last(void *arg, struct dr_record *r, struct dr_err *err)
{
	struct last *l = arg;
	struct dr_hash128 id = r->kind == DR_REC_DONE ? r->task.id : r->id;
	uint32_t i = 0;

	if (r->kind != DR_REC_DONE && r->kind != DR_REC_RECLAIM && r->kind != DR_REC_FORGET)
		return 0;
	while (i < l->n && !dr_hash128_eq(l->id[i], id))
		i++;
	if (i == TASKS_MAX)
		return dr_err_set(err, DR_FAILED, "more tasks than %d", TASKS_MAX);
	l->n += i == l->n;
	l->id[i] = id;
	l->at[i] = r->kind == DR_REC_DONE ? r->at : 0;
	return 0;
}

static bool
is_there(struct dr_buf *path)
{
	return !path->failed && faccessat(AT_FDCWD, dr_buf_cstr(path), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Says which outputs are not there, if it is the last DONE of its task. */
static int
tell_missing(void *arg, struct dr_record *r, struct dr_err *err)
{
	struct dr_buf path = { 0 }, temp = { 0 };
	struct last *l = arg;
	struct dr_rec_file f;
	uint32_t i = 0;

	(void)err;
	while (i < l->n && l->at[i] != r->at)
		i++;
	for (uint32_t k = 0; i < l->n && dr_record_file(r, &f) == 1; k++) {
		if (k < r->task.n_in + r->task.n_uses)
			continue;
		dr_buf_reset(&path);
		dr_buf_reset(&temp);
		dr_buf_addstr(&path, f.path);
		dr_temp_name(r->task.id, f.path, &temp);
		if (!is_there(&path) && !is_there(&temp))
			puts(dr_buf_cstr(&path));
	}
	dr_buf_free(&path);
	dr_buf_free(&temp);
	return 0;
}

/* 0 or -1 with err. */
static int
each_record(int fd, dr_journal_fn fn, void *arg, struct dr_err *err)
{
	struct dr_record_stream s = { 0 };
	struct dr_record r;
	int rc;

	if (dr_record_stream_open(&s, fd, sizeof(struct dr_journal_header), err))
		return -1;
	while ((rc = dr_record_next(&s, &r, NULL, err)) > 0 && (rc = fn(arg, &r, err)) == 0)
		;
	dr_record_stream_close(&s);
	return rc;
}

/* Without dr_journal_open, which removes what it finds half-made. */
static int
missing(int dir)
{
	static struct last l;
	struct dr_err err;
	int fd = openat(dir, DR_JOURNAL_NAME, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return fail((dr_err_set(&err, DR_STATE, "there is no journal"), &err));
	rc = each_record(fd, note_last, &l, &err);
	if (rc == 0)
		rc = each_record(fd, tell_missing, &l, &err);
	close(fd);
	return rc ? fail(&err) : 0;
}

static int
read_all(int dir, dr_journal_fn fn, bool told)
{
	int64_t from = dr_now();
	struct dr_journal *j;
	struct rusage ru;
	struct dr_err err;
	uint64_t n = 0;

	if (dr_journal_open(dir, &j, &err) || dr_journal_read(j, false, fn, &n, NULL, &err))
		return fail(&err);
	getrusage(RUSAGE_SELF, &ru);
	if (told)
		printf("%" PRIu64 " records in %.3f s, %ld kB\n", n, (double)(dr_now() - from) / 1e9, ru.ru_maxrss);
	dr_journal_close(j);
	return 0;
}

int
main(int argc, char **argv)
{
	int dir;

	mkdir(".dagrun", 0777);
	dir = open(".dagrun", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (argc == 2 && !strcmp(argv[1], "reboot"))
		return reboot(dir);
	if (argc == 3 && !strcmp(argv[1], "generate"))
		return generate(dir, strtoull(argv[2], NULL, 10), add_usual);
	if (argc == 3 && !strcmp(argv[1], "brief"))
		return generate(dir, strtoull(argv[2], NULL, 10), add_brief);
	if (argc == 2 && !strcmp(argv[1], "read"))
		return read_all(dir, count, true);
	if (argc == 2 && !strcmp(argv[1], "list"))
		return read_all(dir, list, false);
	if (argc == 2 && !strcmp(argv[1], "missing"))
		return missing(dir);
	fprintf(stderr, "usage: journal-tool reboot|generate N|brief N|read|list|missing\n");
	return 2;
}
