/* For tests and measurements, on the journal in the current directory's .dagrun:
 *
 * journal-tool reboot           what it tells of is from an earlier start of the machine now
 * journal-tool generate N       a new journal, of N DONEs, and RECLAIMs for half of them
 * journal-tool brief N          a new journal, of N records of 72 bytes on average: each third a DONE without files, of a task that
 *                               is reclaimed and then forgotten: RECLAIM, FORGET
 * journal-tool read             how long it takes to read all of it, and how much memory: for people
 * journal-tool list             a word for each record */
#include "config.h"

#include "err.h"
#include "journal-record.h"
#include "os.h"

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
	static const char *const phases[] = { "", " begins", " holds", " always", " read" };

	(void)arg;
	(void)err;
	printf("%s%s", names[r->kind], r->kind == DR_REC_BARRIER ? phases[r->barrier.phase] : "");
	if (r->kind == DR_REC_DONE || r->kind == DR_REC_FAIL)
		printf(" %.*s", (int)r->task.name.n, r->task.name.p);
	putchar('\n');
	return 0;
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
	fprintf(stderr, "usage: journal-tool reboot|generate N|brief N|read|list\n");
	return 2;
}
