#include "config.h"

#include "export-private.h"

#include <string.h>

/* Behind a backslash, make takes these for themselves; what a backslash before that one means depends on where it stands. */
static const char make_escapes[] = " #:*?[";

static bool
has(struct dr_str s, const char *any)
{
	for (size_t i = 0; i < s.n; i++)
		if (strchr(any, s.p[i]) && s.p[i])
			return true;
	return false;
}

/* .PHONY and its like, or a suffix rule: make has plans of its own with what begins with a dot and has no directory. */
static bool
is_special(struct dr_str s)
{
	return s.n > 1 && s.p[0] == '.' && s.p[1] >= 'A' && s.p[1] <= 'Z' && !memchr(s.p, '/', s.n);
}

static const char *
make_refuses(struct dr_str s)
{
	if (has(s, "\t;|"))
		return "make cannot have a tab, a semicolon or a bar in a name";
	if (s.p[s.n - 1] == ' ')
		return "make cannot have a blank at the end of a name";
	if (s.p[s.n - 1] == ')' && memchr(s.p, '(', s.n))
		return "make takes a name with (…) at its end for a member of an archive";
	if (is_special(s))
		return "make has a meaning of its own for names such as this";
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\\' && (i + 1 == s.n || strchr(make_escapes, s.p[i + 1]) || s.p[i + 1] == '%'))
			return "make cannot have this backslash in a name";
	return NULL;
}

const char *
dr_export_refuses(const struct dr_exporter *x, struct dr_str path)
{
	if (!path.n)
		return "it has no name";
	if (has(path, "\n\r"))
		return x->o->format == DR_EXPORT_MAKE ? "make cannot have a newline in a name" :
							"ninja cannot have a newline in a name";
	return x->o->format == DR_EXPORT_MAKE ? make_refuses(path) : NULL;
}

/* A word that make would read as part of its language where only names stand. */
static bool
is_keyword(struct dr_str s)
{
	static const char *const words[] = {
		"define", "undefine", "endef", "override", "export", "unexport", "private", "include",
		"vpath",  "ifdef",    "ifndef", "ifeq",    "ifneq",  "else",     "endif",   "sinclude",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (dr_str_is(s, words[i]))
			return true;
	return false;
}

static void
make_name(struct dr_str s, bool target, struct dr_buf *out)
{
	/* make drops it again. */
	if (*s.p == '~' || *s.p == '-' || is_keyword(s))
		dr_buf_adds(out, "./");
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '$')
			dr_buf_adds(out, "$$");
		else if (strchr(make_escapes, c) || (c == '%' && target))
			dr_buf_addf(out, "\\%c", c);
		else if (c == '=')
			dr_buf_adds(out, "$(dr_equals)");
		else if (c == '&')
			dr_buf_adds(out, "$(dr_and)");
		else if (c == '\\')
			dr_buf_adds(out, "$(dr_backslash)");
		else
			dr_buf_addc(out, c);
	}
}

static void
ninja_name(struct dr_str s, struct dr_buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '$' || s.p[i] == ' ' || s.p[i] == ':')
			dr_buf_addf(out, "$%c", s.p[i]);
		else if (s.p[i] == '|')
			dr_buf_adds(out, "${dr_bar}");
		else
			dr_buf_addc(out, s.p[i]);
	}
}

void
dr_export_name(const struct dr_exporter *x, struct dr_str path, bool target, struct dr_buf *out)
{
	if (x->o->format == DR_EXPORT_MAKE)
		make_name(path, target, out);
	else
		ninja_name(path, out);
}

void
dr_export_text(struct dr_str text, struct dr_buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '$')
			dr_buf_addc(out, '$');
		dr_buf_addc(out, text.p[i]);
	}
}
