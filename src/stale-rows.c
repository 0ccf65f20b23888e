#include "config.h"

#include "stale.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "err.h"
#include "lex.h"
#include "map.h"
#include "os.h"

/* What rows a generator had is kept beside the journal, as records tell of tasks: these go by other names
 * when only an `out` was written anew, and a run that was asked for one target makes few of them. */

static const char magic[] = "dagrun rows 1\n";
enum { MAGIC = sizeof(magic) - 1, NAMED = 10, PATH_ROOM = 64, PIECE = 64 << 10 };

/* Rows one behind the other, each ended by a NUL. */
struct rows {
	struct dr_buf bytes;
	size_t *at;
	uint32_t n, cap;
	struct dr_map map;
};

static bool
row_eq(const void *ctx, uint32_t value, const void *key)
{
	const struct rows *r = ctx;

	return strcmp(r->bytes.p + r->at[value], key) == 0;
}

static uint64_t
row_hash(const void *ctx, uint32_t value)
{
	const struct rows *r = ctx;
	const char *text = r->bytes.p + r->at[value];

	return dr_hash64(text, strlen(text));
}

static const struct dr_map_ops row_ops = { row_eq, row_hash };

static void
free_rows(struct rows *r)
{
	dr_buf_free(&r->bytes);
	free(r->at);
	dr_map_free(&r->map);
}

/* Everything that is needed to find a row by its text. */
static int
index_rows(struct rows *r, struct dr_err *err)
{
	for (size_t i = MAGIC; i < r->bytes.n; i += strlen(r->bytes.p + i) + 1) {
		if (dr_grow(&r->at, &r->cap, (size_t)r->n + 1, sizeof(*r->at)))
			return dr_err_nomem(err);
		r->at[r->n] = i;
		if (dr_map_add(&r->map, &row_ops, r, row_hash(r, r->n), r->n))
			return dr_err_nomem(err);
		r->n++;
	}
	return 0;
}

static void
file_of(const struct dr_plan *pl, uint32_t args, char path[PATH_ROOM])
{
	struct dr_str name = pl->pipeline->args[args].name;

	snprintf(path, PATH_ROOM, "rows/%016" PRIx64, dr_hash64(name.p, name.n) ^ pl->options.origin);
}

/* What stands there; nothing if there is nothing that we know. */
static int
read_rows(int state, const char *path, struct dr_buf *bytes, struct dr_err *err)
{
	if (state < 0 || dr_slurp(state, path, bytes, err)) {
		if (state >= 0 && err->sys == ENOMEM)
			return -1;
		dr_buf_reset(bytes);
	}
	if (bytes->n < MAGIC || memcmp(bytes->p, magic, MAGIC) != 0 ||
	    (bytes->n > MAGIC && bytes->p[bytes->n - 1]))
		dr_buf_reset(bytes);
	return 0;
}

/* Does the file go on with what is in `now`, which is emptied? Nothing is there when it should end. 1, 0; -1 without memory. */
static int
goes_on(int fd, struct dr_buf *now, struct dr_buf *there)
{
	char *to = dr_buf_room(there, now->n + 1);
	size_t n = now->n ? now->n : 1;
	bool same;

	if (!to || now->failed)
		return -1;
	same = dr_read_full(fd, to, n) == (ssize_t)now->n && (!now->n || !memcmp(to, now->p, now->n));
	dr_buf_reset(now);
	return same;
}

/* Does that file tell just the rows that there are now? Mostly it does: then a piece of it at a time is all that lies in memory. 1, 0; -1
 * with err. */
static int
same_rows(int state, const char *path, const struct dr_items *it, struct dr_err *err)
{
	int fd = state < 0 ? -1 : openat(state, path, O_RDONLY | O_CLOEXEC), same = fd >= 0;
	struct dr_buf now = { 0 }, there = { 0 };
	uint32_t n = dr_items_values(it);

	dr_buf_add(&now, magic, MAGIC);
	for (uint32_t i = 0; i < n && same > 0; i++) {
		dr_items_value(it, i, &now);
		dr_buf_addc(&now, '\0');
		if (now.n >= PIECE)
			same = goes_on(fd, &now, &there);
	}
	if (same > 0 && now.n)
		same = goes_on(fd, &now, &there);
	if (same > 0)
		same = goes_on(fd, &now, &there);
	dr_close(&fd);
	dr_buf_free(&now);
	dr_buf_free(&there);
	return same < 0 ? dr_err_nomem(err) : same;
}

/* Is the file behind this descriptor ours alone, and still the one of that name? One that a run left which was killed here is taken over.
 * Where there are no locks nobody else may be here anyway. */
static bool
is_ours(int fd, int state, const char *name)
{
	struct stat st, named;

	return !(flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) && fstat(fd, &st) == 0 &&
	       fstatat(state, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == named.st_dev &&
	       st.st_ino == named.st_ino;
}

/* Where it cannot be written, the next run tells the same again. */
static void
write_rows(int state, const char *path, const struct dr_buf *bytes)
{
	char new[PATH_ROOM + 8];
	int fd;

	mkdirat(state, "rows", 0777);
	snprintf(new, sizeof(new), "%s.new", path);
	fd = openat(state, new, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0)
		return;
	if (is_ours(fd, state, new) &&
	    (ftruncate(fd, 0) || dr_write_full(fd, bytes->p, bytes->n) || renameat(state, new, state, path)))
		unlinkat(state, new, 0);
	dr_close(&fd);
}

/* Those of `old` that are not in `now`, in their order: how many, and the first by name. */
static uint32_t
find_gone(const struct dr_buf *old, const struct rows *now, struct dr_buf *names)
{
	uint32_t n = 0;

	for (size_t i = MAGIC; i < old->n;) {
		const char *row = old->p + i;
		size_t length = strlen(row);

		i += length + 1;
		if (dr_map_find(&now->map, &row_ops, now, dr_hash64(row, length), row) != DR_NONE)
			continue;
		if (n++ >= NAMED)
			continue;
		dr_buf_adds(names, n > 1 ? ", " : "");
		dr_buf_escape(names, (struct dr_str){ row, length });
	}
	if (n > NAMED)
		dr_buf_addf(names, " and %" PRIu32 " more", n - NAMED);
	return n;
}

struct looking {
	const struct dr_plan *plan;
	int state;
	bool dry;
	void (*tell)(void *arg, const char *message);
	void *arg;
	struct dr_diags *diags;
};

/* Tells what is gone: 1 if that is an error, else 0; -1 with err. */
static int
tell_gone(const struct looking *l, const struct dr_args *a, uint32_t n, const struct dr_buf *names,
	  struct dr_err *err)
{
	struct dr_buf text = { 0 };
	int rc = 0;

	if (!n)
		return 0;
	dr_buf_addf(&text, "args '%.*s': %" PRIu32 " %s last time and %s gone: ", (int)a->name.n, a->name.p,
		    n, n == 1 ? "row was there" : "rows were there", n == 1 ? "is" : "are");
	dr_buf_addstr(&text, dr_buf_str(names));
	if (text.failed || names->failed) {
		rc = dr_err_nomem(err);
	} else if (a->vanished_error) {
		dr_lex_error(l->plan->pipeline, l->diags, a->pos, "%s; with 'vanished = drop' that may be",
			     dr_buf_cstr(&text));
		rc = 1;
	} else if (!l->dry) {
		l->tell(l->arg, dr_buf_cstr(&text));
	}
	dr_buf_free(&text);
	return rc;
}

static int
look_at_args(const struct looking *l, uint32_t args, struct dr_err *err)
{
	const struct dr_items *it = l->plan->items[args];
	struct dr_buf old = { 0 }, names = { 0 };
	struct rows now = { .n = 0 };
	char path[PATH_ROOM];
	int rc = -1;

	file_of(l->plan, args, path);
	rc = same_rows(l->state, path, it, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	rc = -1;
	if (read_rows(l->state, path, &old, err))
		goto out;
	dr_buf_add(&now.bytes, magic, MAGIC);
	for (uint32_t i = 0; i < dr_items_values(it); i++) {
		dr_items_value(it, i, &now.bytes);
		dr_buf_addc(&now.bytes, '\0');
	}
	if (now.bytes.failed) {
		dr_err_nomem(err);
		goto out;
	}
	rc = old.n ? index_rows(&now, err) : 0;
	if (rc == 0 && old.n)
		rc = tell_gone(l, &l->plan->pipeline->args[args], find_gone(&old, &now, &names), &names, err);
	if (rc == 0 && !l->dry && l->state >= 0)
		write_rows(l->state, path, &now.bytes);
out:
	dr_buf_free(&old);
	dr_buf_free(&names);
	free_rows(&now);
	return rc < 0 ? -1 : 0;
}

int
dr_stale_rows(const struct dr_plan *pl, int state, bool dry, void (*tell)(void *arg, const char *message),
	      void *arg, struct dr_diags *diags, struct dr_err *err)
{
	const struct looking l = { pl, state, dry, tell, arg, diags };

	for (uint32_t a = 0; a < pl->pipeline->n_args; a++)
		if (pl->items[a])
			dr_items_check(pl->pipeline, &pl->pipeline->args[a], pl->items[a], diags);
	if (diags->total)
		return -1;
	for (uint32_t a = 0; a < pl->pipeline->n_args; a++) {
		const struct dr_args *args = &pl->pipeline->args[a];

		/* What is made of others loses rows when these do, and they tell. */
		if (pl->items[a] && (!args->n_parts || args->vanished_error) && look_at_args(&l, a, err))
			return -1;
	}
	return diags->total ? -1 : 0;
}
