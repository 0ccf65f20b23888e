/* Targets on the command line are relative to the working directory, like every other path there; the plan knows them relative to the
 * Dagfile's. Names of stages stay as they are. */
#include "config.h"

#include "session.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"

static bool
names_stage(const struct dr_pipeline *p, const char *target)
{
	size_t n = strcspn(target, ":");

	for (uint32_t i = 0; i < p->n_stages; i++)
		if (p->stages[i].name.n == n && !memcmp(p->stages[i].name.p, target, n))
			return true;
	return false;
}

/* An absolute path without '.', '..' and '//': by its text, as the target need not be there. */
static void
fold(struct dr_str path, struct dr_buf *out)
{
	for (size_t i = 0, k; i < path.n; i = k + 1) {
		for (k = i; k < path.n && path.p[k] != '/'; k++)
			;
		if (k == i || (k - i == 1 && path.p[i] == '.'))
			continue;
		if (k - i == 2 && path.p[i] == '.' && path.p[i + 1] == '.') {
			while (out->n && out->p[--out->n] != '/')
				;
			continue;
		}
		dr_buf_addc(out, '/');
		dr_buf_add(out, path.p + i, k - i);
	}
}

/* What of a folded path lies in our directory, whatever way leads there; NULL: nothing does. */
static const char *
beneath(const struct dr_session *s, char *path)
{
	struct stat root, st;

	if (fstat(s->root, &root))
		return NULL;
	for (char *slash = path; (slash = strchr(slash, '/')) && slash[1]; slash++) {
		int rc;

		*slash = '\0';
		rc = stat(slash == path ? "/" : path, &st);
		*slash = '/';
		if (rc)
			return NULL;
		if (st.st_dev == root.st_dev && st.st_ino == root.st_ino)
			return slash + 1;
	}
	return NULL;
}

/* Can the template's text begin with a '/'? */
static bool
may_be_absolute(const struct dr_template *t)
{
	const struct dr_piece *p = t->pieces;

	if (!t->n || p->kind == DR_PH_TEXT || p->kind == DR_PH_LET)
		return t->n && p->text.n && p->text.p[0] == '/';
	for (uint8_t m = 0; m < p->n_mods; m++)
		if (p->mods[m] != DR_MOD_DIR)
			return false;
	return true;
}

/* Where outputs may have absolute names, such a target is one of these. */
static bool
knows_absolute(const struct dr_pipeline *p)
{
	for (uint32_t i = 0; p && i < p->n_stages; i++)
		for (uint32_t k = 0; k < p->stages[i].n_outputs; k++)
			if (may_be_absolute(&p->stages[i].outputs[k].path))
				return true;
	return false;
}

static char *
target_path(struct dr_session *s, const char *target, bool absolute)
{
	char cwd[PATH_MAX];
	const char *tail;

	if (*target == '/' && absolute)
		return strdup(target);
	dr_buf_reset(&s->path);
	if (*target != '/') {
		if (!getcwd(cwd, sizeof(cwd)))
			return strdup(target);
		dr_buf_addf(&s->path, "%s/", cwd);
	}
	dr_buf_adds(&s->path, target);
	dr_buf_reset(&s->text);
	fold(dr_buf_str(&s->path), &s->text);
	if (s->path.failed || s->text.failed)
		return NULL;
	tail = s->text.n ? beneath(s, s->text.p) : NULL;
	return strdup(tail ? tail : target);
}

int
dr_session_place_targets(struct dr_session *s, struct dr_err *err)
{
	bool absolute = knows_absolute(s->pipeline);
	uint32_t n = s->options.n_targets;

	s->targets = calloc((size_t)n + 1, sizeof(*s->targets));
	s->target_copies = calloc((size_t)n + 1, sizeof(*s->target_copies));
	if (!s->targets || !s->target_copies)
		return dr_err_nomem(err);
	s->n_target_copies = n + 1;
	/* Others than absolute paths may be labels of tasks, too. */
	if (s->options.explain_target && *s->options.explain_target == '/') {
		s->target_copies[n] = target_path(s, s->options.explain_target, absolute);
		if (!s->target_copies[n])
			return dr_err_nomem(err);
		s->options.explain_target = s->target_copies[n];
	}
	for (uint32_t i = 0; i < n; i++) {
		const char *target = s->options.targets[i];

		s->targets[i] = target;
		if (s->pipeline && names_stage(s->pipeline, target))
			continue;
		s->targets[i] = s->target_copies[i] = target_path(s, target, absolute);
		if (!s->targets[i])
			return dr_err_nomem(err);
	}
	return 0;
}
