#include "config.h"

#include "items-table.h"

#include "arena.h"
#include "os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A component of a pattern: a name as it stands, a pattern for names, one that only says how they end, or "**",
 * which is any number of directories. */
enum kind { NAME, PATTERN, TAIL, DEEP };

struct component {
	enum kind kind;
	struct dr_str text; /* NUL-terminated */
};

/* Which components may be next is a set, as behind a "**" there are several: so a directory is read once for
 * all of them. */
enum { COMPONENTS_MAX = 64 };

struct pending {
	uint64_t set;
	size_t path; /* where in glob.paths it begins; the next one's is its end */
};

struct glob {
	struct dr_items_maker *m;
	struct dr_pos pos;  /* of the word in the Dagfile */
	struct dr_buf word; /* as it stands there; the components' texts lie in `texts` */
	struct dr_buf texts;
	struct dr_buf base; /* the directory that the first component is in: "", "a/b/", "/" */
	struct component components[COMPONENTS_MAX];
	uint32_t n;
	bool dirs;  /* ends in '/': directories are wanted, and not files */
	bool never; /* leads to what is ours */
	/* Directories yet to be visited. */
	struct pending *pending;
	uint32_t n_pending, cap_pending;
	struct dr_buf paths; /* theirs, one behind the other; each ends in '/' */
	struct dr_buf path;  /* where we are */
};

/* The state and the temporary names beside outputs are not for anybody's map. */
static bool
ours(const char *name)
{
	return name[0] == '.' && strncmp(name, ".dagrun", 7) == 0 && (name[7] == '\0' || name[7] == '-');
}

/* Adds what is there: 0 or -1. */
static int
emit(struct glob *g, const char *dir, const char *name)
{
	struct dr_buf *b = &g->m->it->bytes;
	size_t n = strlen(dir), m = strlen(name) + 1;
	char *to = dr_buf_room(b, n + m);

	if (!to)
		return dr_err_nomem(g->m->err);
	memcpy(to, dir, n);
	memcpy(to + n, name, m);
	to[n + m] = '\0';
	b->n += n + m;
	return 0;
}

/* The set with what a "**" lets follow: it may stand for no directory at all. */
static uint64_t
closed(const struct glob *g, uint64_t set)
{
	for (uint32_t i = 0; i + 1 < g->n; i++) {
		if (set >> i & 1 && g->components[i].kind == DEEP)
			set |= UINT64_C(1) << (i + 1);
	}
	return set;
}

static int
visit_later(struct glob *g, const char *name, uint64_t set)
{
	if (dr_grow(&g->pending, &g->cap_pending, (size_t)g->n_pending + 1, sizeof(*g->pending)))
		return dr_err_nomem(g->m->err);
	g->pending[g->n_pending++] = (struct pending){ set, g->paths.n };
	dr_buf_addstr(&g->paths, dr_buf_str(&g->path));
	dr_buf_adds(&g->paths, name);
	dr_buf_addc(&g->paths, '/');
	return g->paths.failed ? dr_err_nomem(g->m->err) : 0;
}

enum what { NOTHING, FILE_THERE, DIR_THERE };

/* What a path leads to: a link that leads nowhere is a file, so that it is missed and not passed over. 0, or
 * -1 with errno. */
static int
look(int root, const char *path, enum what *what)
{
	struct stat st;

	if (fstatat(root, path, &st, 0) == 0) {
		*what = S_ISDIR(st.st_mode) ? DIR_THERE : FILE_THERE;
		return 0;
	}
	*what = NOTHING;
	if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return -1;
	if (fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		*what = FILE_THERE;
	return 0;
}

/* Adds the file `name` of the directory where we are if it is of the kind that is wanted. type is readdir's:
 * mostly that is enough. */
static int
emit_if(struct glob *g, const char *name, unsigned char type)
{
	enum what what = type == DT_DIR ? DIR_THERE : FILE_THERE;
	size_t n = g->path.n;
	int rc = 0;

	if (type == DT_LNK || type == DT_UNKNOWN) {
		dr_buf_adds(&g->path, name);
		if (g->path.failed)
			return dr_err_nomem(g->m->err);
		if (look(g->m->opts->root, g->path.p, &what))
			rc = dr_items_complain(g->m, g->pos, "cannot look at '%s': %s", g->path.p,
					       strerror(errno));
		g->path.n = n;
		g->path.p[n] = '\0';
	}
	if (rc == 0 && what == (g->dirs ? DIR_THERE : FILE_THERE))
		rc = emit(g, dr_buf_cstr(&g->path), name);
	return rc;
}

/* Where the file system does not say what an entry is. */
static unsigned char
type_of(int dir, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type;
	if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW))
		return DT_UNKNOWN;
	return S_ISDIR(st.st_mode) ? DT_DIR : S_ISLNK(st.st_mode) ? DT_LNK : DT_REG;
}

static bool
matches(const struct component *c, struct dr_str name)
{
	if (c->kind == NAME)
		return dr_str_eq(c->text, name);
	return c->kind == TAIL ? dr_items_ends(c->text, name) : dr_items_match(c->text, name);
}

static int
take_entry(struct glob *g, int dir, const struct dirent *e, uint64_t set)
{
	struct dr_str name = dr_str(e->d_name);
	uint64_t below = 0, through = 0; /* sets for the directory: by its name, and by a "**" */
	bool last = false;
	unsigned char type;

	for (uint32_t i = 0; i < g->n; i++) {
		const struct component *c = &g->components[i];

		if (!(set >> i & 1))
			continue;
		if (c->kind == DEEP)
			through |= name.p[0] == '.' ? 0 : UINT64_C(1) << i;
		else if (!matches(c, name))
			continue;
		else if (i + 1 == g->n)
			last = true;
		else
			below |= UINT64_C(1) << (i + 1);
	}
	if (!last && !below && !through)
		return 0;
	type = type_of(dir, e);
	/* A "**" does not follow links, which may lead round in a circle; a name does. */
	if (type == DT_DIR)
		below |= through;
	if (below && (type == DT_DIR || type == DT_LNK) && visit_later(g, e->d_name, closed(g, below)))
		return -1;
	return last ? emit_if(g, e->d_name, type) : 0;
}

/* What opening or reading a directory failed with. 0: there was none. */
static int
no_directory(struct glob *g, int e)
{
	const char *path = dr_buf_cstr(&g->path);
	size_t n = g->path.n;

	if (e == ENOENT || e == ENOTDIR || e == ELOOP)
		return 0;
	/* At the root of a file system, readable by root alone and nobody's data: not worth to fail `**` for. */
	if (e == EACCES && n >= 11 && strcmp(path + n - 11, "lost+found/") == 0 &&
	    (n == 11 || path[n - 12] == '/'))
		return 0;
	if (e == EMFILE || e == ENFILE || e == ENOMEM)
		return dr_err_sys(g->m->err, e, "read the directory %s", n ? path : ".");
	dr_items_complain(g->m, g->pos, "cannot read the directory '%s': %s", path, strerror(e));
	return 0; /* the others are looked through, to tell all at once */
}

static int
read_directory(struct glob *g, uint64_t set)
{
	int fd, rc = 0;
	const struct dirent *e;
	DIR *dir;

	fd = openat(g->m->opts->root, g->path.n ? g->path.p : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return no_directory(g, errno);
	dir = fdopendir(fd);
	if (!dir) {
		rc = no_directory(g, errno);
		dr_close(&fd);
		return rc;
	}
	while (rc == 0) {
		errno = 0;
		e = readdir(dir);
		if (!e) {
			rc = errno ? no_directory(g, errno) : 0;
			break;
		}
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && !ours(e->d_name))
			rc = take_entry(g, fd, e, set);
	}
	closedir(dir);
	return rc;
}

/* The directory at g->path with the components in set. One that wants a single name of it isn't read. */
static int
visit(struct glob *g, uint64_t set)
{
	for (uint32_t i = 0; i < g->n; i++) {
		if (set != UINT64_C(1) << i || g->components[i].kind != NAME)
			continue;
		if (i + 1 < g->n)
			return visit_later(g, g->components[i].text.p, closed(g, UINT64_C(1) << (i + 1)));
		return emit_if(g, g->components[i].text.p, DT_UNKNOWN);
	}
	return read_directory(g, set);
}

static int
walk(struct glob *g)
{
	dr_buf_addstr(&g->path, dr_buf_str(&g->base));
	if (g->path.failed)
		return dr_err_nomem(g->m->err);
	if (visit(g, closed(g, 1)))
		return -1;
	/* The last first: so the paths in wait are a stack, too. */
	while (g->n_pending) {
		struct pending next = g->pending[--g->n_pending];

		dr_buf_reset(&g->path);
		dr_buf_add(&g->path, g->paths.p + next.path, g->paths.n - next.path);
		g->paths.n = next.path;
		if (g->path.failed)
			return dr_err_nomem(g->m->err);
		if (visit(g, next.set))
			return -1;
	}
	return 0;
}

/* A word without a pattern is the file of that name. */
static int
literal(struct glob *g)
{
	char *path = g->base.p;
	enum what what = NOTHING;

	path[g->base.n - 1] = '\0'; /* the '/' behind the last component */
	if (!g->never && look(g->m->opts->root, path, &what))
		return dr_items_complain(g->m, g->pos, "cannot look at '%s': %s", path, strerror(errno));
	if (what == (g->dirs ? DIR_THERE : FILE_THERE))
		return emit(g, "", path);
	if (what == DIR_THERE)
		return dr_items_complain(g->m, g->pos, "'%s' is a directory; write '%s/*' for its files",
					 path, path);
	if (g->m->args->empty_ok)
		return 0;
	return dr_items_complain(g->m, g->pos, "there is no %s '%s'%s", g->dirs ? "directory" : "file", path,
				 dr_items_cure(g->m));
}

/* Adds a component to the base, or behind the patterns. 0 or -1. */
static int
add_component(struct glob *g, const char *p, size_t n)
{
	enum kind kind = n == 2 && memcmp(p, "**", 2) == 0 ? DEEP : NAME;
	size_t at = g->texts.n;

	/* Several are the same as one. */
	if (kind == DEEP && g->n && g->components[g->n - 1].kind == DEEP)
		return 0;
	for (size_t i = 0; kind == NAME && i < n; i++) {
		if (p[i] == '\\' && i + 1 < n)
			i++;
		else if (memchr("*?[", p[i], 3))
			kind = PATTERN;
	}
	for (size_t i = 0; i < n; i++) {
		if (kind == NAME && p[i] == '\\' && i + 1 < n)
			i++;
		dr_buf_addc(&g->texts, p[i]);
	}
	if (g->texts.failed)
		return dr_err_nomem(g->m->err);
	if (kind == PATTERN && dr_items_is_tail((struct dr_str){ p, n }))
		kind = TAIL;
	if (kind == NAME && ours(g->texts.p + at))
		g->never = true;
	if (kind == NAME && !g->n) {
		dr_buf_adds(&g->base, g->texts.p + at);
		dr_buf_addc(&g->base, '/');
		g->texts.n = at;
		g->texts.p[at] = '\0';
		return 0;
	}
	/* One place is left for what a "**" at the end stands for. */
	if (g->n == COMPONENTS_MAX - 1)
		return dr_items_complain(g->m, g->pos, "too many '/' in '%s'", dr_buf_cstr(&g->word));
	/* The length for the moment: the texts may still move. */
	g->components[g->n++] = (struct component){ kind, { NULL, g->texts.n - at } };
	dr_buf_addc(&g->texts, '\0');
	return 0;
}

/* Takes the word apart. 0 or -1. */
static int
compile(struct glob *g)
{
	const char *word = dr_buf_cstr(&g->word), *text;
	bool absolute = *word == '/', up = !absolute;
	size_t n;

	if (absolute)
		dr_buf_addc(&g->base, '/');
	for (const char *p = word; *p; p += n) {
		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (!n || (n == 1 && *p == '.'))
			continue;
		if (n == 2 && memcmp(p, "..", 2) == 0 && !up)
			return dr_items_complain(g->m, g->pos, "'..' can only be at the beginning of '%s'",
						 word);
		up = up && n == 2 && memcmp(p, "..", 2) == 0;
		if (add_component(g, p, n))
			return -1;
	}
	g->dirs = g->word.n && g->word.p[g->word.n - 1] == '/';
	if (up || (absolute && g->base.n == 1 && !g->n))
		return dr_items_complain(g->m, g->pos, "'%s' is no name of a file", word);
	if (g->n && g->components[g->n - 1].kind == DEEP) {
		dr_buf_addc(&g->texts, '*');
		dr_buf_addc(&g->texts, '\0');
		g->components[g->n++] = (struct component){ PATTERN, { NULL, 1 } };
	}
	if (g->base.failed || g->texts.failed)
		return dr_err_nomem(g->m->err);
	text = g->texts.p;
	for (uint32_t i = 0; i < g->n; i++) {
		g->components[i].text.p = text;
		text += g->components[i].text.n + 1;
	}
	return 0;
}

static int
match_word(struct dr_items_maker *m, const struct dr_template *word)
{
	struct glob *g = calloc(1, sizeof(*g));
	int rc = -1;

	if (!g)
		return dr_err_nomem(m->err);
	g->m = m;
	g->pos = word->pos;
	dr_template_text(word, &g->word);
	if (g->word.failed) {
		dr_err_nomem(m->err);
		goto out;
	}
	if (compile(g))
		goto out;
	if (!g->n)
		rc = literal(g);
	else
		rc = g->never ? 0 : walk(g);
out:
	free(g->pending);
	dr_buf_free(&g->word);
	dr_buf_free(&g->texts);
	dr_buf_free(&g->base);
	dr_buf_free(&g->paths);
	dr_buf_free(&g->path);
	free(g);
	return rc;
}

static int
complain_empty(const struct dr_items_maker *m)
{
	const struct dr_args *a = m->args;
	struct dr_pos pos = a->n_words ? a->words[0].pos : a->pos;
	struct dr_buf words = { 0 };
	int rc;

	/* The first three are enough to know which key is meant. */
	for (uint32_t i = 0; i < a->n_words && i < 3; i++) {
		dr_buf_adds(&words, i ? "', '" : "'");
		dr_template_text(&a->words[i], &words);
	}
	dr_buf_adds(&words, a->n_words > 3 ? "', … match" : a->n_words > 1 ? "' match" : "' matches");
	if (words.failed)
		rc = dr_err_nomem(m->err);
	else
		rc = dr_items_complain(m, pos, "the glob%s %s no file%s", a->n_words > 1 ? "s" : "",
				       dr_buf_cstr(&words), dr_items_cure(m));
	dr_buf_free(&words);
	return rc;
}

/* A directory names its files in no order, and rows are asked for in theirs: so the bytes are put into it, too, and are read
 * from front to end as often as somebody goes through a million of them. */
static int
put_in_order(struct dr_items *it)
{
	enum { AHEAD = 16 };
	struct dr_buf sorted = { 0 };
	char *to;

	if (!it->base)
		return 0;
	to = dr_buf_room(&sorted, it->bytes.n);
	if (!to)
		return -1;
	for (uint32_t i = 0; i < it->base; i++) {
		const char *name = it->bytes.p + it->at[i];
		size_t n;

		/* Each is somewhere else: on its way before its turn comes. */
		if (i + AHEAD < it->base)
			__builtin_prefetch(it->bytes.p + it->at[i + AHEAD]);
		n = strlen(name) + 1;
		it->at[i] = sorted.n;
		memcpy(to + sorted.n, name, n);
		sorted.n += n;
	}
	to[sorted.n] = '\0';
	dr_buf_free(&it->bytes);
	it->bytes = sorted;
	return 0;
}

int
dr_items_glob(struct dr_items_maker *m)
{
	const uint32_t before = m->diags->total;
	struct dr_items *it = m->it;

	for (uint32_t i = 0; i < m->args->n_words; i++) {
		/* One word that is wrong doesn't hide that another is. */
		if (match_word(m, &m->args->words[i]) && m->diags->total == before)
			return -1;
	}
	if (m->diags->total != before)
		return -1;
	it->at = dr_items_sort(dr_buf_cstr(&it->bytes), it->bytes.n, &it->base);
	if (!it->at || put_in_order(it))
		return dr_err_nomem(m->err);
	it->cap_at = it->base;
	if (!it->base && !m->args->empty_ok)
		return complain_empty(m);
	return 0;
}
