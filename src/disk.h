/* The seam to the file system: what planning and publishing do to files, so that tests can put a disk
 * under them that crashes, lies about time and runs out of space. Paths are relative to the Dagfile's
 * directory, or absolute. */
#ifndef DR_DISK_H
#define DR_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "graph.h"
#include "str.h"

struct dr_err;

/* How far two files have been compared (0: not yet), and how many bytes may be read before it is to come back. */
struct dr_portion {
	uint64_t at, left;
};
enum { DR_DISK_MORE = 2 };

enum dr_disk_sync {
	DR_DISK_BEGIN, /* the content of a file: it is on its way, nobody waits */
	DR_DISK_FILE,  /* its content */
	DR_DISK_DIR,   /* the names in a directory ("": the root) */
	DR_DISK_ALL,   /* all of the file system that the file or directory lies on */
};

struct dr_disk {
	/* How many threads may be in stat, tree, open_dir and stat_in at once; 0: one. Every other call is made by the thread that has
	 * the disk. */
	unsigned threads;
	/* A directory (its path ends in '/') to look at many files in: a descriptor for stat_in, which the caller closes, or -1 with
	 * errno. Both NULL: not with this disk. stat_in is stat of a name in it. */
	int (*open_dir)(struct dr_disk *d, const char *path);
	int (*stat_in)(struct dr_disk *d, int dir, const char *name, struct dr_stamp *st, bool *is_dir);
	/* The stamp of what a path leads to (links followed); DR_ABSENT when there is nothing. A
	 * directory: *dir. 0, or -1 with errno. */
	int (*stat)(struct dr_disk *d, const char *path, struct dr_stamp *st, bool *dir);
	/* Of a directory: size is that of all files in it, mtime stands for what is listed in it, at any depth; ino stays.
	 * -1 with errno. */
	int (*tree)(struct dr_disk *d, const char *path, struct dr_stamp *st);
	int (*rename)(struct dr_disk *d, const char *from, const char *to); /* -1 with errno */
	/* Two names change places at once; -1 with errno, EINVAL or ENOSYS: not here. */
	int (*exchange)(struct dr_disk *d, const char *a, const char *b);
	int (*set_time)(struct dr_disk *d, const char *path, int64_t mtime); /* of a file; -1 with errno */
	int (*unlink)(struct dr_disk *d, const char *path); /* what is not there is fine; -1 with errno */
	int (*remove_tree)(struct dr_disk *d, const char *path);
	/* Directories above path. *made: the one that it lies in was not there, and so is empty but for what was put there since. */
	int (*mkdirs_for)(struct dr_disk *d, const char *path, bool *made);
	/* Have two regular files the same bytes and permissions? 1; 0; DR_DISK_MORE: as far as they were read, call again with more to
	 * read; -1 with errno (EINVAL: something else, ELOOP: a link). */
	int (*same)(struct dr_disk *d, const char *a, const char *b, struct dr_portion *part);
	/* Do two directories list the same, at any depth: names, kinds, permissions, sizes, where links lead to? 1, with the paths of
	 * the files in them that are not empty appended to `files`, each ended by a NUL; 0; -1 with errno. */
	int (*same_list)(struct dr_disk *d, const char *a, const char *b, struct dr_buf *files);
	/* Of the content of a regular file; -1 with errno (EINVAL: something else). `size`: what a look has just told; if that is more
	 * than 0, it was no fifo or device. One that has another size by now is read to its end. */
	int (*hash)(struct dr_disk *d, const char *path, int64_t size, struct dr_hash128 *out);
	/* Calls fn with each name in a directory ("": the root), but . and ..; -1 with errno. fn may
	 * remove the name. */
	int (*list)(struct dr_disk *d, const char *dir, void (*fn)(void *arg, const char *name), void *arg);
	/* Does a directory ("": the root) list no name that begins with `prefix`? 1; 0: it does, or it lists more than `most` names, which are
	 * not all looked at; -1 with errno. NULL: not with this disk. */
	int (*lists_none)(struct dr_disk *d, const char *dir, const char *prefix, uint64_t most);
	int (*access)(struct dr_disk *d, const char *path, int mode); /* as access(2); -1 with errno */
	/* Makes what was written outlive a power cut. Any thread may call it. -1 with errno. */
	int (*sync)(struct dr_disk *d, const char *path, enum dr_disk_sync what);
	int (*device)(struct dr_disk *d, const char *path, uint64_t *device); /* which file system; any thread; -1 with errno */
};

/* stat, or of what is to be a directory, and is, tree. */
int dr_disk_look(struct dr_disk *d, const char *path, bool tree, struct dr_stamp *st, bool *dir);
/* The temporary name of an output becomes its final one. A directory takes the place of another one as a whole. 0; 1: but the
 * other one, or part of it, could not be removed, and stands under a temporary name; -1 with errno. */
int dr_disk_publish(struct dr_disk *d, const char *temp, const char *path, bool tree);
/* A comparison on its way: zeros, but for part.left, before it begins. */
struct dr_same {
	struct dr_portion part;
	struct dr_buf files; /* private: of a directory, what is yet to be compared, from `next` on */
	size_t next;
	bool listed;
};
/* Two outputs, each a file, or each a directory (`tree`). As `same`; dr_same_free is to follow. */
int dr_disk_same(struct dr_disk *d, const char *a, const char *b, bool tree, struct dr_same *s);
void dr_same_free(struct dr_same *s);
/* Of directories: as same_list. */
int dr_disk_same_list(int root, const char *a, const char *b, struct dr_buf *files);
/* Sets size and mtime as `tree` says. -1 with errno. */
int dr_disk_tree(int root, const char *path, struct dr_stamp *st);

struct dr_disk *dr_disk_real(int root); /* dirfd stays the caller's; NULL without memory */
void dr_disk_free(struct dr_disk *d);

#endif
