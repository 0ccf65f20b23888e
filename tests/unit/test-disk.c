#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "disk.h"
#include "err.h"
#include "os.h"
#include "private-dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
	char path[256];
	int root;
	struct dr_disk *d;
};

static int
setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	assert_int_equal(private_dir("test-disk", p->path, sizeof(p->path)), 0);
	p->root = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(p->root >= 0);
	p->d = dr_disk_real(p->root);
	assert_non_null(p->d);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;

	dr_disk_free(p->d);
	/* The descriptor stayed ours. */
	assert_int_equal(close(p->root), 0);
	assert_int_equal(dr_remove_tree(AT_FDCWD, p->path), 0);
	free(p);
	return 0;
}

static void
put(struct place *p, const char *path, const void *bytes, size_t n)
{
	int fd = openat(p->root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	assert_true(fd >= 0);
	assert_int_equal(dr_write_full(fd, bytes, n), 0);
	assert_int_equal(close(fd), 0);
}

static bool
exists(struct place *p, const char *path)
{
	return faccessat(p->root, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
test_stat(void **state)
{
	struct place *p = *state;
	const struct timespec times[2] = { { 1, 2 }, { 1600000000, 123456789 } };
	struct dr_stamp st, again;
	char absolute[300];
	struct stat sb;
	bool dir = true;

	put(p, "a", "hello", 5);
	assert_int_equal(utimensat(p->root, "a", times, 0), 0);
	assert_int_equal(fstatat(p->root, "a", &sb, 0), 0);
	assert_int_equal(p->d->stat(p->d, "a", &st, &dir), 0);
	assert_false(dir);
	assert_int_equal(st.size, 5);
	assert_int_equal(st.mtime, INT64_C(1600000000123456789));
	assert_int_equal(st.ino, sb.st_ino);

	strcpy(absolute, p->path);
	strcat(absolute, "/a");
	assert_int_equal(p->d->stat(p->d, absolute, &again, &dir), 0);
	assert_memory_equal(&again, &st, sizeof(st));

	/* A link is what it leads to. */
	assert_int_equal(symlinkat("a", p->root, "link"), 0);
	assert_int_equal(p->d->stat(p->d, "link", &again, &dir), 0);
	assert_memory_equal(&again, &st, sizeof(st));
	assert_int_equal(symlinkat("nowhere", p->root, "dangling"), 0);
	assert_int_equal(p->d->stat(p->d, "dangling", &st, &dir), 0);
	assert_int_equal(st.size, DR_ABSENT);

	assert_int_equal(p->d->stat(p->d, ".", &st, &dir), 0);
	assert_true(dir);
	assert_int_equal(p->d->stat(p->d, "b", &st, &dir), 0);
	assert_int_equal(st.size, DR_ABSENT);
	assert_false(dir);
	assert_int_equal(p->d->stat(p->d, "a/b", &st, &dir), 0);
	assert_int_equal(st.size, DR_ABSENT);

	assert_int_equal(symlinkat("loop", p->root, "loop"), 0);
	assert_int_equal(p->d->stat(p->d, "loop", &st, &dir), -1);
	assert_int_equal(errno, ELOOP);
}

/* Before 1970, where a time is a negative number of seconds and a positive one of nanoseconds. */
static void
test_stat_old(void **state)
{
	struct place *p = *state;
	const struct timespec times[2] = { { -3, 250000000 }, { -3, 250000000 } };
	struct dr_stamp st;
	struct stat sb;
	bool dir;

	put(p, "a", "", 0);
	assert_int_equal(utimensat(p->root, "a", times, 0), 0);
	assert_int_equal(fstatat(p->root, "a", &sb, 0), 0);
	if (sb.st_mtim.tv_sec != -3)
		skip(); /* not on this file system */
	assert_int_equal(p->d->stat(p->d, "a", &st, &dir), 0);
	assert_int_equal(st.size, 0);
	assert_int_equal(st.mtime, -INT64_C(2750000000));
}

static void
test_rename_and_unlink(void **state)
{
	struct place *p = *state;
	struct dr_stamp st;
	bool dir;

	put(p, "a", "new", 3);
	put(p, "b", "older", 5);
	assert_int_equal(p->d->rename(p->d, "a", "b"), 0);
	assert_false(exists(p, "a"));
	assert_int_equal(p->d->stat(p->d, "b", &st, &dir), 0);
	assert_int_equal(st.size, 3);
	assert_int_equal(p->d->rename(p->d, "a", "b"), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(mkdirat(p->root, "d", 0777), 0);
	assert_int_equal(p->d->rename(p->d, "b", "d"), -1);
	assert_int_equal(errno, EISDIR);

	assert_int_equal(p->d->unlink(p->d, "b"), 0);
	assert_false(exists(p, "b"));
	assert_int_equal(p->d->unlink(p->d, "b"), 0);
	assert_int_equal(p->d->unlink(p->d, "none/b"), 0);
	assert_int_equal(p->d->unlink(p->d, "d"), -1);
	assert_true(exists(p, "d"));
	/* The link goes, not what it leads to. */
	assert_int_equal(symlinkat("d", p->root, "link"), 0);
	assert_int_equal(p->d->unlink(p->d, "link"), 0);
	assert_true(exists(p, "d"));
}

static void
test_directories(void **state)
{
	bool made;
	struct place *p = *state;

	assert_int_equal(p->d->mkdirs_for(p->d, "x/y/z", &made), 0);
	assert_true(made);
	assert_true(exists(p, "x/y"));
	assert_false(exists(p, "x/y/z"));
	assert_int_equal(p->d->mkdirs_for(p->d, "x/y/z", &made), 0);
	assert_false(made);
	assert_int_equal(p->d->mkdirs_for(p->d, "x/new/z", &made), 0);
	assert_true(made);
	assert_int_equal(p->d->mkdirs_for(p->d, "plain", &made), 0);
	assert_false(made);
	put(p, "file", "", 0);
	assert_int_equal(p->d->mkdirs_for(p->d, "file/z", &made), -1);
	put(p, "x/y/z", "", 0);
	assert_int_equal(p->d->remove_tree(p->d, "x"), 0);
	assert_false(exists(p, "x"));
	assert_int_equal(p->d->remove_tree(p->d, "x"), 0);
	assert_int_equal(p->d->remove_tree(p->d, "file"), 0);
	assert_false(exists(p, "file"));
}

struct names {
	struct place *p;
	unsigned n;
	bool remove;
};

static void
on_name(void *arg, const char *name)
{
	struct names *l = arg;

	assert_true(strlen(name) == 1 && *name != '.');
	l->n++;
	if (l->remove)
		assert_int_equal(l->p->d->unlink(l->p->d, name), 0);
}

static void
test_list(void **state)
{
	bool made;
	struct place *p = *state;
	struct names l = { p, 0, false };

	assert_int_equal(p->d->mkdirs_for(p->d, "x/y/z", &made), 0);
	put(p, "x/a", "", 0);
	assert_int_equal(p->d->list(p->d, "x/", on_name, &l), 0);
	assert_int_equal(l.n, 2);
	assert_int_equal(p->d->remove_tree(p->d, "x"), 0);
	put(p, "a", "", 0);
	put(p, "b", "", 0);
	l = (struct names){ p, 0, true };
	assert_int_equal(p->d->list(p->d, "", on_name, &l), 0);
	assert_int_equal(l.n, 2);
	assert_false(exists(p, "a") || exists(p, "b"));
	assert_int_equal(p->d->list(p->d, "none/", on_name, &l), -1);
	assert_int_equal(errno, ENOENT);
}

/* In pieces of `most` bytes. */
static int
same_by(struct place *p, const char *a, const char *b, uint64_t most)
{
	struct dr_portion part = { 0 };
	int rc;

	do {
		part.left = most;
		rc = p->d->same(p->d, a, b, &part);
	} while (rc == DR_DISK_MORE);
	return rc;
}

static int
same(struct place *p, const char *a, const char *b)
{
	return same_by(p, a, b, 1 << 20);
}

static void
test_same(void **state)
{
	const size_t sizes[] = { 0, 1, (128 << 10) - 1, 128 << 10, (128 << 10) + 1, 300000 };
	struct place *p = *state;
	char *bytes = calloc(1, 300000);

	assert_non_null(bytes);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t n = sizes[i];

		put(p, "a", bytes, n);
		put(p, "b", bytes, n);
		assert_int_equal(same(p, "a", "b"), 1);
		assert_int_equal(same_by(p, "a", "b", 1), 1);
		if (n == 0)
			continue;
		put(p, "b", bytes, n - 1);
		assert_int_equal(same(p, "a", "b"), 0);
		bytes[n - 1] = 1;
		put(p, "b", bytes, n);
		assert_int_equal(same(p, "a", "b"), 0);
		assert_int_equal(same_by(p, "a", "b", 128 << 10), 0);
		bytes[n - 1] = 0;
	}
	assert_int_equal(same(p, "a", "a"), 1);
	put(p, "b", bytes, 300000);
	assert_int_equal(same(p, "a", "b"), 1);
	assert_int_equal(fchmodat(p->root, "b", 0700, 0), 0);
	assert_int_equal(same(p, "a", "b"), 0);
	assert_int_equal(symlinkat("a", p->root, "link"), 0);
	assert_int_equal(same(p, "a", "link"), -1);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(same(p, "a", "none"), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(same(p, "none", "a"), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(mkfifoat(p->root, "fifo", 0666), 0);
	assert_int_equal(same(p, "a", "fifo"), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(same(p, ".", "."), -1);
	free(bytes);
}

static int
same_trees(struct place *p, uint64_t most)
{
	struct dr_same s = { 0 };
	int rc;

	do {
		s.part.left = most;
		rc = dr_disk_same(p->d, "x", "y", true, &s);
	} while (rc == DR_DISK_MORE);
	dr_same_free(&s);
	return rc;
}

/* Two directories that are the same, but for what the test does next. */
static void
put_trees(struct place *p)
{
	bool made;
	static const char *const tops[] = { "x", "y" };
	char path[64];

	for (int i = 0; i < 2; i++) {
		assert_int_equal(p->d->remove_tree(p->d, tops[i]), 0);
		snprintf(path, sizeof(path), "%s/deep/deeper/empty", tops[i]);
		assert_int_equal(p->d->mkdirs_for(p->d, path, &made), 0);
		put(p, path, "", 0);
		snprintf(path, sizeof(path), "%s/deep/one", tops[i]);
		put(p, path, "11111", 5);
		snprintf(path, sizeof(path), "%s/two", tops[i]);
		put(p, path, "2", 1);
		snprintf(path, sizeof(path), "%s/link", tops[i]);
		assert_int_equal(symlinkat("two", p->root, path), 0);
	}
}

static void
test_same_trees(void **state)
{
	bool made;
	struct place *p = *state;

	put_trees(p);
	assert_int_equal(same_trees(p, 1 << 20), 1);
	assert_int_equal(same_trees(p, 1), 1);
	put(p, "y/deep/one", "11112", 5);
	assert_int_equal(same_trees(p, 1 << 20), 0);
	assert_int_equal(same_trees(p, 1), 0);
	put_trees(p);
	put(p, "y/deep/deeper/more", "", 0);
	assert_int_equal(same_trees(p, 1), 0);
	put_trees(p);
	put(p, "x/deep/deeper/more", "", 0);
	assert_int_equal(same_trees(p, 1), 0);
	put_trees(p);
	put(p, "x/more", "", 0);
	put(p, "y/other", "", 0);
	assert_int_equal(same_trees(p, 1), 0);
	put_trees(p);
	assert_int_equal(fchmodat(p->root, "y/two", 0755, 0), 0);
	assert_int_equal(same_trees(p, 1), 0);
	put_trees(p);
	assert_int_equal(unlinkat(p->root, "y/link", 0), 0);
	assert_int_equal(symlinkat("three", p->root, "y/link"), 0);
	assert_int_equal(same_trees(p, 1), 0);
	put_trees(p);
	assert_int_equal(unlinkat(p->root, "y/two", 0), 0);
	assert_int_equal(p->d->mkdirs_for(p->d, "y/two/x", &made), 0);
	assert_int_equal(same_trees(p, 1), 0);
	assert_int_equal(p->d->remove_tree(p->d, "y"), 0);
	assert_int_equal(same_trees(p, 1), -1);
	assert_int_equal(errno, ENOENT);
}

static void
test_set_time(void **state)
{
	static const int64_t times[] = { 1, INT64_C(1700000000123456789), -1, INT64_C(-1500000000) };
	struct place *p = *state;
	struct dr_stamp before, st;
	bool dir;

	put(p, "a", "abc", 3);
	assert_int_equal(p->d->stat(p->d, "a", &before, &dir), 0);
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		assert_int_equal(p->d->set_time(p->d, "a", times[i]), 0);
		assert_int_equal(p->d->stat(p->d, "a", &st, &dir), 0);
		/* Not every file system has times before 1970. */
		assert_true(st.mtime == times[i] || times[i] < 0);
		assert_true(st.size == 3 && st.ino == before.ino);
	}
	assert_int_equal(p->d->set_time(p->d, "none", 1), -1);
	assert_int_equal(errno, ENOENT);
}

static void
test_hash(void **state)
{
	/* What its size is taken to be decides how it is read, not what comes of it. */
	static const int64_t sizes[] = { -2, -1, 0, 1, 9, 10, 11, 4096, 65535, 65536, 65537, INT64_MAX };
	static const size_t lengths[] = { 0, 1, 10, 65535, 65536, 65537, 300000 };
	struct place *p = *state;
	char *bytes = malloc(300000);
	struct dr_hash128 h;

	assert_non_null(bytes);
	for (size_t i = 0; i < 300000; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	for (size_t l = 0; l < sizeof(lengths) / sizeof(*lengths); l++) {
		put(p, "a", bytes, lengths[l]);
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			assert_int_equal(p->d->hash(p->d, "a", sizes[i], &h), 0);
			assert_true(dr_hash128_eq(h, dr_hash128(bytes, lengths[l])));
		}
	}
	free(bytes);
	assert_int_equal(mkfifoat(p->root, "fifo", 0666), 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		assert_int_equal(p->d->hash(p->d, "none", sizes[i], &h), -1);
		assert_int_equal(errno, ENOENT);
		assert_int_equal(p->d->hash(p->d, "fifo", sizes[i], &h), -1);
		assert_int_equal(errno, EINVAL);
		assert_int_equal(p->d->hash(p->d, ".", sizes[i], &h), -1);
		assert_int_equal(errno, EINVAL);
	}
}

static void
test_lists_none(void **state)
{
	struct place *p = *state;

	assert_int_equal(p->d->lists_none(p->d, "", ".dagrun-", 0), 1);
	put(p, ".dagru", "", 0);
	put(p, "a.dagrun-b", "", 0);
	assert_int_equal(p->d->lists_none(p->d, "", ".dagrun-", 2), 1);
	assert_int_equal(p->d->lists_none(p->d, "", ".dagrun-", 1), 0);
	assert_int_equal(mkdirat(p->root, "d", 0777), 0);
	put(p, "d/.dagrun-b", "", 0);
	assert_int_equal(p->d->lists_none(p->d, "", ".dagrun-", 3), 1);
	assert_int_equal(p->d->lists_none(p->d, "d/", ".dagrun-", 3), 0);
	assert_int_equal(p->d->lists_none(p->d, "d/", ".dagrun-c", 1), 1);
	assert_int_equal(p->d->lists_none(p->d, "none/", ".dagrun-", 3), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(p->d->lists_none(p->d, ".dagru", ".dagrun-", 3), -1);
	assert_int_equal(errno, ENOTDIR);
}

static void
test_access(void **state)
{
	struct place *p = *state;

	put(p, "a", "", 0);
	assert_int_equal(fchmodat(p->root, "a", 0600, 0), 0);
	assert_int_equal(p->d->access(p->d, "a", R_OK | W_OK), 0);
	/* Nobody, root neither, may execute what has no bit for it. */
	assert_int_equal(p->d->access(p->d, "a", X_OK), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(p->d->access(p->d, "none", F_OK), -1);
	assert_int_equal(errno, ENOENT);
}

static struct dr_stamp
tree(struct place *p, const char *path)
{
	struct dr_stamp st;
	bool dir;

	assert_int_equal(dr_disk_look(p->d, path, true, &st, &dir), 0);
	assert_true(dir);
	return st;
}

static bool
same_tree(struct dr_stamp a, struct dr_stamp b)
{
	return a.size == b.size && a.mtime == b.mtime;
}

static void
make_tree(struct place *p, const char *dir, const char *text)
{
	bool made;
	char path[64];

	snprintf(path, sizeof(path), "%s/sub/empty/", dir);
	assert_int_equal(p->d->mkdirs_for(p->d, path, &made), 0);
	snprintf(path, sizeof(path), "%s/sub/file", dir);
	put(p, path, text, strlen(text));
}

/* A directory's stamp is that of all that is in it, wherever it stands. */
static void
test_tree(void **state)
{
	struct place *p = *state;
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000, .tv_nsec = 5 } };
	struct dr_stamp a, b;
	bool dir;

	make_tree(p, "t", "12345");
	a = tree(p, "t");
	assert_int_equal(a.size, 5);
	assert_true(same_tree(a, tree(p, "t")));
	assert_int_equal(p->d->rename(p->d, "t", "u"), 0);
	b = tree(p, "u");
	assert_true(same_tree(a, b));
	assert_int_equal(a.ino, b.ino);

	assert_int_equal(utimensat(p->root, "u/sub/file", old, 0), 0);
	assert_false(same_tree(b, tree(p, "u")));
	b = tree(p, "u");
	assert_int_equal(unlinkat(p->root, "u/sub/empty", AT_REMOVEDIR), 0);
	assert_false(same_tree(b, tree(p, "u")));
	b = tree(p, "u");
	assert_int_equal(symlinkat("one", p->root, "u/link"), 0);
	assert_false(same_tree(b, tree(p, "u")));
	b = tree(p, "u");
	assert_int_equal(unlinkat(p->root, "u/link", 0), 0);
	assert_int_equal(symlinkat("two", p->root, "u/link"), 0);
	assert_false(same_tree(b, tree(p, "u")));
	assert_int_equal(renameat(p->root, "u/sub", p->root, "u/sup"), 0);
	assert_int_equal(tree(p, "u").size, 5);

	/* What is not there, or no directory. */
	assert_int_equal(dr_disk_look(p->d, "none", true, &b, &dir), 0);
	assert_int_equal(b.size, DR_ABSENT);
	assert_int_equal(dr_disk_look(p->d, "u/sup/file", true, &b, &dir), 0);
	assert_false(dir);
	assert_int_equal(b.size, 5);
}

/* Deeper than a recursion would like, on few descriptors. */
static void
test_tree_deep(void **state)
{
	bool made;
	struct place *p = *state;
	char path[4000] = "d";

	for (size_t n = 1; n + 3 < sizeof(path) - 2; n += 2)
		memcpy(path + n, "/x", 3);
	memcpy(path + strlen(path), "/", 2);
	assert_int_equal(p->d->mkdirs_for(p->d, path, &made), 0);
	assert_int_equal(tree(p, "d").size, 0);
}

static int
no_exchange(struct dr_disk *d, const char *a, const char *b)
{
	(void)d;
	(void)a;
	(void)b;
	errno = ENOSYS;
	return -1;
}

static int
no_removal(struct dr_disk *d, const char *path)
{
	(void)d;
	(void)path;
	errno = ENFILE;
	return -1;
}

/* A directory takes a name as a whole: one that is free, one of a directory, and that in two steps where there is no other way. */
static void
test_publish(void **state)
{
	struct place *p = *state;
	static const char temp[] = ".dagrun-0123456789abcdef-out";
	int (*exchange)(struct dr_disk *, const char *, const char *) = p->d->exchange;

	for (int round = 0; round < 4; round++) {
		struct dr_stamp st;
		char text[8];

		if (round == 3)
			p->d->exchange = no_exchange;
		snprintf(text, sizeof(text), "%0*d", round + 1, 0);
		make_tree(p, temp, text);
		st = tree(p, temp);
		assert_int_equal(dr_disk_publish(p->d, temp, "out", true), 0);
		assert_true(same_tree(st, tree(p, "out")));
		assert_int_equal(st.ino, tree(p, "out").ino);
		assert_false(exists(p, temp));
		assert_false(exists(p, ".dagrun-0123456789abcdef-old"));
	}
	/* What was there before may stay, which is told. */
	make_tree(p, temp, "before");
	p->d->exchange = exchange;
	p->d->remove_tree = no_removal;
	assert_int_equal(dr_disk_publish(p->d, temp, "out", true), 1);
	assert_true(exists(p, temp) && exists(p, "out/sub/file"));
	assert_int_equal(dr_remove_tree(p->root, temp), 0);
	/* A file is what it was, and takes no directory's name. */
	put(p, temp, "x", 1);
	assert_int_equal(dr_disk_publish(p->d, temp, "out", false), -1);
	assert_true(exists(p, temp) && exists(p, "out/sub/file"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stat, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stat_old, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rename_and_unlink, setup, teardown),
		cmocka_unit_test_setup_teardown(test_directories, setup, teardown),
		cmocka_unit_test_setup_teardown(test_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_same, setup, teardown),
		cmocka_unit_test_setup_teardown(test_same_trees, setup, teardown),
		cmocka_unit_test_setup_teardown(test_set_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hash, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lists_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_access, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tree_deep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_publish, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
