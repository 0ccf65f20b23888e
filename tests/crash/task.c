/* What the tasks of tests/crash run: reads its inputs, writes its outputs in several pieces, and tells a log
 * outside what happened: so it can be seen later who ran, whether an input was unfinished, and whether two made
 * the same.
 *
 *	task NAME [OPTION…] [INPUT…]
 *
 * An input is lines, then `= ` and a checksum of them as the last one. An output is NAME, the lines of the
 * inputs, and the checksum. A NAME that ends in ':' is a merge's: it goes on with the first output's, which
 * tells merges apart, and is not in the output, which so is the same whatever the tree.
 *
 *	-o FILE		an output
 *	-d DIRECTORY	an output that is a directory: two such files in it
 *	-a N		which try this is
 *	-u N		fails in tries before that one, when half of the output is written
 *	-x STATUS	fails with that, when half of the output is written
 *	-p		waits for a signal then
 *
 * CRASH_DIR is where the log is. To it is written, each line at once:
 *	start NAME, end NAME, unfinished NAME (an input was), twice NAME (somebody else is making this),
 *	makes NAME PATH (of each output, before the start) */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct text {
	char *p;
	size_t len, size;
};

static char name[512];
static int log_fd, dir_fd;

static void
fail(const char *what)
{
	fprintf(stderr, "task: %s: %s\n", what, strerror(errno));
	exit(98);
}

/* One write, so that lines of several tasks stand one behind the other. path: "" or what is behind the name. */
static void
say_of(const char *word, const char *path)
{
	char line[1200];
	int n = snprintf(line, sizeof(line), "%s %s%s%s\n", word, name, *path ? " " : "", path);

	if (n < 0 || (size_t)n >= sizeof(line) || write(log_fd, line, (size_t)n) != n)
		fail("log");
}

static void
say(const char *word)
{
	say_of(word, "");
}

static void
add(struct text *t, const char *p, size_t len)
{
	if (t->len + len + 1 > t->size) {
		t->size = (t->len + len + 1) * 2;
		t->p = realloc(t->p, t->size);
		if (!t->p)
			fail("memory");
	}
	memcpy(t->p + t->len, p, len);
	t->len += len;
	t->p[t->len] = '\0';
}

/* FNV-1a, as tests/crash/scenarios.py makes it. */
static uint64_t
checksum(const char *p, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)p[i]) * 0x100000001b3u;
	return h;
}

static void
read_input(const char *path, struct text *to)
{
	struct text all = { 0 };
	char piece[4096], mark[32];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;
	size_t len;

	add(&all, "", 0);
	while (fd >= 0 && (n = read(fd, piece, sizeof(piece))) > 0)
		add(&all, piece, (size_t)n);
	if (fd < 0 || n < 0)
		fail(path);
	close(fd);
	/* "= " and 16 digits and a newline */
	len = all.len < 19 ? 0 : all.len - 19;
	snprintf(mark, sizeof(mark), "= %016llx\n", (unsigned long long)checksum(all.p, len));
	if (strcmp(all.p + len, mark) != 0)
		say("unfinished");
	add(to, all.p, len);
	free(all.p);
}

static void
put(int fd, const char *p, size_t len)
{
	ssize_t n;

	for (; len; p += n, len -= (size_t)n) {
		n = write(fd, p, len);
		if (n <= 0)
			fail("write");
	}
}

/* In three pieces; with `half` only the first. */
static void
write_output(const char *path, const struct text *t, bool half)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	char mark[32];

	if (fd < 0)
		fail(path);
	put(fd, t->p, t->len / 2);
	if (!half) {
		put(fd, t->p + t->len / 2, t->len - t->len / 2);
		snprintf(mark, sizeof(mark), "= %016llx\n", (unsigned long long)checksum(t->p, t->len));
		put(fd, mark, strlen(mark));
	}
	if (close(fd))
		fail(path);
}

static void
write_directory(const char *path, const struct text *t, bool half)
{
	static const char *const files[] = { "one", "two" };
	char file[4096];

	for (int i = 0; i < 2; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, files[i]);
		write_output(file, t, half && i);
		if (half && i == 0)
			return;
	}
}

/* Nobody else has this name: the lock goes with us, however we end. */
static void
alone(void)
{
	char file[600];
	int fd;

	snprintf(file, sizeof(file), "lock-%s", name);
	for (char *p = file; *p; p++) {
		if (*p == '/')
			*p = '%';
	}
	fd = openat(dir_fd, file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		fail(file);
	if (flock(fd, LOCK_EX | LOCK_NB))
		say("twice");
}

static void
open_log(void)
{
	const char *dir = getenv("CRASH_DIR");

	dir_fd = open(dir ? dir : "", O_PATH | O_DIRECTORY | O_CLOEXEC);
	log_fd = dir_fd < 0 ? -1 : openat(dir_fd, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (log_fd < 0)
		fail("CRASH_DIR");
}

struct task {
	const char *outs[16];
	bool dirs[16]; /* that output is a directory */
	int n_outs, attempt, from, status;
	bool wait;
};

static void
parse(struct task *t, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "o:d:a:u:x:p")) != -1) {
		switch (c) {
		case 'o':
		case 'd':
			if (t->n_outs == 16)
				exit(98);
			t->dirs[t->n_outs] = c == 'd';
			t->outs[t->n_outs++] = optarg;
			break;
		case 'a':
			t->attempt = atoi(optarg);
			break;
		case 'u':
			t->from = atoi(optarg);
			break;
		case 'x':
			t->status = atoi(optarg);
			break;
		case 'p':
			t->wait = true;
			break;
		default:
			exit(98);
		}
	}
	if (t->attempt < t->from)
		t->status = 1;
}

/* NAME, and where it ends in ':' the output's behind it: a temporary one, which is the same each time. */
static void
set_name(const char *word, const struct task *t)
{
	const char *base = t->n_outs ? strrchr(t->outs[0], '/') : NULL;
	int n;

	base = base ? base + 1 : t->n_outs ? t->outs[0] : "";
	n = snprintf(name, sizeof(name), "%s%s", word, word[strlen(word) - 1] == ':' ? base : "");
	if (n < 0 || (size_t)n >= sizeof(name))
		exit(98);
}

int
main(int argc, char **argv)
{
	struct task task = { .attempt = 0 };
	struct text t = { 0 };
	bool half;

	if (argc < 2 || !*argv[1])
		return 98;
	parse(&task, argc - 1, argv + 1);
	set_name(argv[1], &task);
	add(&t, "", 0);
	open_log();
	alone();
	for (int i = 0; i < task.n_outs; i++)
		say_of("makes", task.outs[i]);
	say("start");
	half = task.wait || task.status;
	/* A merge's output is its inputs' lines and no more: the same whatever the tree. */
	if (name[strlen(argv[1])] == '\0') {
		add(&t, name, strlen(name));
		add(&t, "\n", 1);
	}
	for (int i = optind + 1; i < argc; i++)
		read_input(argv[i], &t);
	for (int i = 0; i < task.n_outs; i++)
		(task.dirs[i] ? write_directory : write_output)(task.outs[i], &t, half);
	if (task.wait)
		pause();
	if (task.status)
		return task.status;
	say("end");
	return 0;
}
