/* Targets on the command line are relative to the working directory, like every other path there; the plan knows them relative to the
 * Dagfile's. Names of stages stay as they are. */
#include "config.h"

#include "session.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
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

static char *
target_path(struct dr_session *s, const char *target)
{
	char cwd[PATH_MAX], root[PATH_MAX];
	size_t n;

	if (*target == '/' || !getcwd(cwd, sizeof(cwd)) || !realpath(*s->root_path ? s->root_path : ".", root))
		return strdup(target);
	dr_buf_reset(&s->path);
	dr_buf_addf(&s->path, "%s/%s", cwd, target);
	dr_buf_reset(&s->text);
	fold(dr_buf_str(&s->path), &s->text);
	n = root[1] ? strlen(root) : 0;
	if (s->text.failed || s->text.n <= n || memcmp(s->text.p, root, n) != 0 || s->text.p[n] != '/')
		return strdup(target);
	return strndup(s->text.p + n + 1, s->text.n - n - 1);
}

int
dr_session_place_targets(struct dr_session *s, struct dr_err *err)
{
	uint32_t n = s->options.n_targets;

	s->targets = calloc((size_t)n + 1, sizeof(*s->targets));
	s->target_copies = calloc((size_t)n + 1, sizeof(*s->target_copies));
	if (!s->targets || !s->target_copies)
		return dr_err_nomem(err);
	s->n_target_copies = n;
	for (uint32_t i = 0; i < n; i++) {
		const char *target = s->options.targets[i];

		s->targets[i] = target;
		if (s->pipeline && names_stage(s->pipeline, target))
			continue;
		s->targets[i] = s->target_copies[i] = target_path(s, target);
		if (!s->targets[i])
			return dr_err_nomem(err);
	}
	return 0;
}
