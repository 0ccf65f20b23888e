#include "config.h"

#include "makeflags.h"

#include <stdlib.h>
#include <string.h>

/* A jobserver as a word names it. `text` is a slice of the words' memory. */
struct auth {
	enum dr_auth kind;
	int r, w;
	struct dr_str text;
};

/* What a pass over one variable finds. */
struct pass {
	struct dr_makeflags *f; /* NULL: only auth and jobs are wanted */
	struct auth auth;       /* the last one before "--", or of all where that does not end the flags */
	struct auth behind;     /* the last fifo behind "--" */
	unsigned jobs;
	bool unlimited;
};

/* The words of a value, each ended by a NUL; `end` is behind the last one's. */
struct words {
	char *p, *end;
};

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* Words between blanks; a backslash keeps the character behind it. 0, or -1 without memory. */
static int
split(const char *value, struct words *out)
{
	char *to = malloc(strlen(value) + 2);

	out->p = to;
	if (!to)
		return -1;
	for (;;) {
		while (blank(*value))
			value++;
		if (!*value)
			break;
		while (*value && !blank(*value)) {
			if (*value == '\\' && value[1])
				value++;
			*to++ = *value++;
		}
		*to++ = '\0';
	}
	out->end = to;
	return 0;
}

/* An integer with an optional '-' and nothing else up to `end`: 0, or -1. */
static int
parse_int(const char *p, const char *end, int *n)
{
	bool minus = p < end && *p == '-';
	uint64_t v;

	if (dr_parse_uint((struct dr_str){ p + minus, (size_t)(end - p) - minus }, INT32_MAX, &v))
		return -1;
	*n = minus ? -(int)v : (int)v;
	return 0;
}

/* What follows "--jobserver-auth="; false if it is malformed. */
static bool
parse_auth(const char *value, struct auth *a)
{
	const char *comma = strchr(value, ','), *colon = strchr(value, ':');
	struct auth got = { .r = -1, .w = -1 };

	if (comma && parse_int(value, comma, &got.r) == 0 &&
	    parse_int(comma + 1, comma + 1 + strlen(comma + 1), &got.w) == 0) {
		/* make 4.4 says -2,-2 to a command that it gives no pool. */
		got.kind = got.r < 0 || got.w < 0 ? DR_AUTH_DISABLED : DR_AUTH_PIPE;
	} else if (strncmp(value, "fifo:", 5) == 0) {
		if (!value[5])
			return false;
		got.kind = DR_AUTH_FIFO;
		got.text = dr_str(value + 5);
	} else if (colon && colon > value &&
		   strspn(value, "abcdefghijklmnopqrstuvwxyz") == (size_t)(colon - value)) {
		got.kind = DR_AUTH_UNKNOWN;
		got.text = dr_str(value);
	} else {
		return false;
	}
	*a = got;
	return true;
}

/* Looks whether the word names a jobserver; a malformed one leaves *a as it was. */
static bool
take_auth(const char *word, struct auth *a)
{
	static const char *const names[] = { "--jobserver-auth=", "--jobserver-fds=" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		size_t n = strlen(names[i]);

		if (strncmp(word, names[i], n) == 0) {
			parse_auth(word + n, a);
			return true;
		}
	}
	return false;
}

/* 2.5, 1e+06: as printf's %g writes it. By hand, as strtod would take a locale's comma. */
static bool
parse_load(const char *s, double *load)
{
	double v = 0, unit = 1;
	int exponent = 0;
	bool digits = false;

	for (; *s >= '0' && *s <= '9'; s++, digits = true)
		v = v * 10 + (*s - '0');
	if (*s == '.')
		s++;
	for (; *s >= '0' && *s <= '9'; s++, digits = true)
		v += (*s - '0') * (unit /= 10);
	if (*s == 'e' && digits) {
		const char *p = s + 1 + (s[1] == '+');

		if (parse_int(p, p + strlen(p), &exponent) || exponent < -30 || exponent > 30)
			return false;
		s += strlen(s);
	}
	for (; exponent > 0; exponent--)
		v *= 10;
	for (; exponent < 0; exponent++)
		v /= 10;
	if (!digits || *s)
		return false;
	*load = v;
	return true;
}

static bool
parse_jobs(const char *s, unsigned *jobs)
{
	uint64_t n;

	if (dr_parse_uint(dr_str(s), INT32_MAX, &n))
		return false;
	*jobs = (unsigned)n;
	return true;
}

static void
take_output_sync(struct dr_makeflags *f, const char *arg)
{
	static const struct {
		const char *name;
		char c;
	} kinds[] = { { "", 't' }, { "target", 't' }, { "line", 'l' }, { "recurse", 'r' }, { "none", '\0' } };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(arg, kinds[i].name) == 0)
			f->output_sync = kinds[i].c;
	}
}

/* The flag that a letter stands for, or NULL. */
static bool *
flag(struct dr_makeflags *f, char c)
{
	switch (c) {
	case 'n':
		return &f->n;
	case 'q':
		return &f->q;
	case 't':
		return &f->t;
	case 'k':
	case 'S':
		return &f->k;
	case 'i':
		return &f->i;
	case 's':
		return &f->s;
	case 'B':
		return &f->B;
	case 'w':
		return &f->w;
	default:
		return NULL;
	}
}

/* An option with its argument (NULL: none). True if it takes the word behind it as that argument. */
static bool
take_option(struct pass *p, char c, const char *arg, const char *next)
{
	struct dr_makeflags *f = p->f;
	bool taken = false;
	double load = 0;

	switch (c) {
	case 'j':
		p->jobs = 0;
		if (arg)
			parse_jobs(arg, &p->jobs);
		else
			taken = next && parse_jobs(next, &p->jobs);
		p->unlimited = !arg && !taken;
		break;
	case 'l':
		if (arg)
			parse_load(arg, &load);
		else
			taken = next && parse_load(next, &load);
		if (f)
			f->load = load;
		break;
	case 'O':
		if (f)
			take_output_sync(f, arg ? arg : "");
		break;
	default:
		/* -C -f -I -o -W -E: never of concern to us, but their argument is no option. */
		taken = !arg && next;
	}
	return taken;
}

/* Letters with nothing or one '-' before them: flags, up to one that takes what follows as its argument. */
static bool
take_letters(struct pass *p, const char *s, const char *next)
{
	for (; *s; s++) {
		bool *b = p->f ? flag(p->f, *s) : NULL;

		if (b)
			*b = *s != 'S';
		else if (strchr("jlOCfIoWE", *s))
			return take_option(p, *s, s[1] ? s + 1 : NULL, next);
	}
	return false;
}

/* Of options that make 4.4 has. */
static void
take_new(struct dr_makeflags *f, const char *word, size_t n)
{
	const char *arg = word[n] ? word + n + 1 : "random";
	uint64_t seed;

	if (n == 10 && memcmp(word, "sync-mutex", n) == 0 && strncmp(arg, "fnm:", 4) == 0) {
		dr_buf_reset(&f->sync_mutex);
		dr_buf_adds(&f->sync_mutex, arg + 4);
	} else if (n == 7 && memcmp(word, "shuffle", n) == 0) {
		f->shuffle = strcmp(arg, "reverse") == 0			   ? DR_SHUFFLE_REVERSE :
			     strcmp(arg, "none") == 0 || strcmp(arg, "identity") == 0 ? DR_SHUFFLE_NONE :
										     DR_SHUFFLE_RANDOM;
		f->shuffle_seed = dr_parse_uint(dr_str(arg), UINT64_MAX, &seed) ? 0 : seed;
	}
}

/* make itself writes only --trace and those without a letter this way, but a person may set MAKEFLAGS too. */
static bool
take_long(struct pass *p, const char *word, const char *next)
{
	static const struct {
		const char *name;
		char c;
	} names[] = {
		{ "just-print", 'n' },  { "dry-run", 'n' },       { "recon", 'n' },
		{ "question", 'q' },    { "touch", 't' },         { "keep-going", 'k' },
		{ "stop", 'S' },        { "no-keep-going", 'S' }, { "ignore-errors", 'i' },
		{ "silent", 's' },      { "quiet", 's' },         { "always-make", 'B' },
		{ "jobs", 'j' },        { "load-average", 'l' },  { "max-load", 'l' },
		{ "output-sync", 'O' }, { "directory", 'C' },     { "file", 'f' },
		{ "makefile", 'f' },    { "include-dir", 'I' },   { "old-file", 'o' },
		{ "assume-old", 'o' },  { "assume-new", 'W' },    { "new-file", 'W' },
		{ "what-if", 'W' },     { "eval", 'E' },          { "print-directory", 'w' },
	};
	struct dr_makeflags *f = p->f;
	size_t n = strcspn(word, "=");
	const char *arg = word[n] ? word + n + 1 : NULL;

	if (f && strcmp(word, "trace") == 0)
		f->trace = true;
	if (f)
		take_new(f, word, n);
	if (f && strcmp(word, "no-print-directory") == 0)
		f->w = false;
	if (f && strcmp(word, "no-silent") == 0)
		f->s = false;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char letter[] = { names[i].c, '\0' };

		if (strlen(names[i].name) != n || memcmp(word, names[i].name, n) != 0)
			continue;
		if (strchr("jlOCfIoWE", names[i].c))
			return take_option(p, names[i].c, arg, next);
		return !arg && take_letters(p, letter, NULL);
	}
	return false;
}

/* One variable. `whole`: "--" ends nothing. 0, or -1 without memory; w holds what p points to. */
static int
read_variable(const char *value, bool whole, struct pass *p, struct words *w)
{
	bool behind = false, first = !blank(value[0]);

	if (split(value, w))
		return -1;
	for (char *word = w->p, *next; word < w->end; word = next, first = false) {
		bool taken = false;

		next = word + strlen(word) + 1;
		if (strcmp(word, "--") == 0) {
			behind = true;
			continue;
		}
		if (behind && !whole) {
			/* To make that is a variable or a goal; one like this is meant for its other clients. */
			struct auth a = { 0 };

			if (take_auth(word, &a) && a.kind == DR_AUTH_FIFO)
				p->behind = a;
		} else if (take_auth(word, &p->auth)) {
			continue;
		} else if (strncmp(word, "--", 2) == 0) {
			taken = take_long(p, word + 2, next < w->end ? next : NULL);
		} else if (word[0] == '-') {
			taken = take_letters(p, word + 1, next < w->end ? next : NULL);
		} else if (first && !strchr(word, '=')) {
			taken = take_letters(p, word, next < w->end ? next : NULL);
		}
		if (taken)
			next += strlen(next) + 1;
	}
	return 0;
}

/* The next address to try, if the word named one. 0, or -1 without memory. */
static int
add_auth(struct dr_makeflags *f, const struct auth *a, unsigned jobs)
{
	struct dr_auth_name *name = &f->auths[f->n_auths];

	if (a->kind == DR_AUTH_NONE)
		return 0;
	*name = (struct dr_auth_name){ .auth = a->kind, .read_fd = -1, .write_fd = -1, .jobs = jobs };
	if (a->kind == DR_AUTH_PIPE) {
		name->read_fd = a->r;
		name->write_fd = a->w;
	}
	f->n_auths++;
	dr_buf_addstr(&name->fifo, a->text);
	return name->fifo.failed ? -1 : 0;
}

int
dr_makeflags_parse(const char *makeflags, const char *makelevel, const char *cargo_makeflags,
		   struct dr_makeflags *out)
{
	struct words w = { 0 }, cw = { 0 };
	struct pass p = { .f = out }, cargo = { 0 };
	int rc = -1;

	*out = (struct dr_makeflags){ .make = makeflags || makelevel };
	if (makeflags && read_variable(makeflags, false, &p, &w))
		goto out;
	if (cargo_makeflags && read_variable(cargo_makeflags, true, &cargo, &cw))
		goto out;
	/* What stands behind "--" is likely another address of the pool before it. Where none stands there, cargo
	 * comes first: a build script of it has the pool that lives only in that variable. */
	rc = add_auth(out, &p.auth, p.jobs);
	if (rc == 0 && out->n_auths)
		rc = add_auth(out, &p.behind, p.jobs);
	if (rc == 0)
		rc = add_auth(out, &cargo.auth, cargo.jobs);
	if (rc == 0 && p.auth.kind == DR_AUTH_NONE)
		rc = add_auth(out, &p.behind, p.jobs);
	if (out->sync_mutex.failed)
		rc = -1;
	out->unlimited = p.unlimited && !out->n_auths;
	out->jobs = out->n_auths ? out->auths[0].jobs : p.jobs;
out:
	if (rc)
		dr_makeflags_free(out);
	free(w.p);
	free(cw.p);
	return rc;
}

void
dr_makeflags_free(struct dr_makeflags *f)
{
	for (unsigned i = 0; i < f->n_auths; i++)
		dr_buf_free(&f->auths[i].fifo);
	f->n_auths = 0;
	dr_buf_free(&f->sync_mutex);
}
