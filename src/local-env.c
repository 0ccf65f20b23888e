#include "config.h"

#include "local-private.h"

#include "jobserver.h"
#include "proc.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* Whether "NAME=…" sets this name. */
static bool
names(const char *var, const char *name, size_t n)
{
	return strncmp(var, name, n) == 0 && var[n] == '=';
}

/* Where in the block a name is set, or behind the end. */
static uint32_t
place_of(char *const *envp, uint32_t n, const char *name, size_t len)
{
	uint32_t i = 0;

	while (i < n && !names(envp[i], name, len))
		i++;
	return i;
}

/* Puts var in the place of the one with its name, or at the end; there is room. */
static void
set(char **envp, uint32_t *n, char *var)
{
	uint32_t i = place_of(envp, *n, var, strcspn(var, "="));

	envp[i] = var;
	if (i == *n)
		++*n;
}

/* Who a task is: for a dagrun that it calls, which must not wait for the task itself, and for whoever is to end all that is below it (proc.h).
 * The last part comes at its start. */
static int
make_chain(struct dr_local *l, char *const *envp, uint32_t n)
{
	static const char name[] = DR_MARKS;
	uint32_t was = place_of(envp, n, name, sizeof(name) - 1);
	struct stat st;

	if (fstat(l->o.state_dir, &st))
		memset(&st, 0, sizeof(st));
	dr_buf_reset(&l->scratch);
	dr_buf_addf(&l->scratch, "%s=%s %" PRIx64 ":%" PRIx64 ":", name, was < n ? envp[was] + sizeof(name) : "",
		    (uint64_t)st.st_dev, (uint64_t)st.st_ino);
	l->above = l->scratch.failed ? NULL : dr_arena_strndup(&l->env_arena, l->scratch.p, l->scratch.n);
	return l->above ? 0 : -1;
}

/* What all stages of a style have: what we inherited, where the jobserver is, and whose task it is. */
static int
make_base(struct dr_local *l, enum dr_style style)
{
	const char *const *js = l->o.jobserver ? dr_jobserver_env(l->o.jobserver, style) : NULL;
	struct dr_local_base *base = &l->bases[style];
	uint32_t n = 0, more = 1;
	char **envp, *run;

	while (l->o.envp[n])
		n++;
	for (; js && js[more - 1]; more++)
		;
	envp = dr_arena_array(&l->env_arena, (size_t)n + more + 2, sizeof(*envp));
	dr_buf_reset(&l->scratch);
	dr_buf_addf(&l->scratch, "DAGRUN_RUN=%016" PRIx64, l->o.run);
	if (!envp || l->scratch.failed)
		return -1;
	memcpy(envp, l->o.envp, n * sizeof(*envp));
	for (uint32_t i = 0; js && js[i]; i++) {
		char *var = dr_arena_strndup(&l->env_arena, js[i], strlen(js[i]));

		if (!var)
			return -1;
		set(envp, &n, var);
	}
	run = dr_arena_strndup(&l->env_arena, l->scratch.p, l->scratch.n);
	if (!run)
		return -1;
	set(envp, &n, run);
	if (make_chain(l, envp, n))
		return -1;
	base->chain = place_of(envp, n, DR_MARKS, sizeof(DR_MARKS) - 1);
	set(envp, &n, l->above);
	base->n = n;
	base->envp = envp;
	return 0;
}

/* Lists of inputs are files in it. */
static bool
has_tmp(const struct dr_stage *st)
{
	const struct dr_command *c = &st->run;
	bool has = dr_template_has(&c->text, DR_PH_LIST) || dr_template_has(&c->text, DR_PH_LIST0) ||
		   (c->shell && dr_template_has(&c->text, DR_PH_TMP));

	for (uint32_t i = 0; !has && !c->shell && i < c->n_words; i++)
		has = dr_template_has(&c->words[i], DR_PH_TMP);
	for (uint32_t i = 0; !has && i < c->n_redirects; i++)
		has = c->redirects[i].kind != DR_REDIRECT_DUP &&
		      dr_template_has(&c->redirects[i].target, DR_PH_TMP);
	for (uint32_t i = 0; !has && i < st->n_env; i++)
		has = dr_template_has(&st->env[i].value, DR_PH_TMP);
	return has;
}

/* NAME=VALUE of one task, in an arena; NULL with err. */
static char *
env_text(struct dr_local *l, const struct dr_env *e, const struct dr_values *v, struct dr_arena *arena,
	 struct dr_err *err)
{
	struct dr_buf *b = &l->scratch;
	char *text;

	dr_buf_reset(b);
	dr_buf_addstr(b, e->name);
	dr_buf_addc(b, '=');
	if (v ? dr_template_expand(&e->value, v, b, err) : (dr_template_text(&e->value, b), 0))
		return NULL;
	text = b->failed ? NULL : dr_arena_strndup(arena, b->p, b->n);
	if (!text)
		dr_err_nomem(err);
	return text;
}

/* A variable whose value comes with the task: its place, which the same name may have had before. */
static int
add_place(struct dr_local *l, struct dr_stage_env *se, const struct dr_env *e, struct dr_err *err)
{
	struct dr_buf *b = &l->scratch;
	uint32_t i = 0;
	char *name;

	dr_buf_reset(b);
	dr_buf_addstr(b, e->name);
	dr_buf_addc(b, '=');
	name = b->failed ? NULL : dr_arena_strndup(&l->env_arena, b->p, b->n);
	if (!name)
		return dr_err_nomem(err);
	set(se->envp, &se->n, name);
	while (se->envp[i] != name)
		i++;
	se->places[se->n_places++] = (struct dr_env_place){ i, e };
	return 0;
}

static int
make_stage(struct dr_local *l, const struct dr_stage *st, struct dr_stage_env *se, struct dr_err *err)
{
	const struct dr_local_base *base = &l->bases[st->jobserver];
	char *tmpdir = NULL, *var;

	se->n = base->n;
	se->n_places = 0;
	se->envp = dr_arena_array(&l->env_arena, (size_t)base->n + st->n_env + 2, sizeof(*se->envp));
	se->places = dr_arena_array(&l->env_arena, st->n_env, sizeof(*se->places));
	if (!se->envp || !se->places)
		return dr_err_nomem(err);
	memcpy(se->envp, base->envp, base->n * sizeof(*se->envp));
	if (se->tmp) {
		tmpdir = dr_arena_strndup(&l->env_arena, "TMPDIR=", 7);
		if (!tmpdir)
			return dr_err_nomem(err);
		set(se->envp, &se->n, tmpdir);
		se->tmpdir = place_of(se->envp, se->n, "TMPDIR", 6);
	}
	for (uint32_t i = 0; i < st->n_env; i++) {
		if (!dr_template_constant(&st->env[i].value)) {
			if (add_place(l, se, &st->env[i], err))
				return -1;
			continue;
		}
		var = env_text(l, &st->env[i], NULL, &l->env_arena, err);
		if (!var)
			return -1;
		/* A place that an earlier one of the same name has is no longer asked for. */
		set(se->envp, &se->n, var);
		for (uint32_t k = 0; k < se->n_places; k++) {
			if (se->envp[se->places[k].at] == var)
				se->places[k--] = se->places[--se->n_places];
		}
	}
	/* A stage that says itself what TMPDIR is has the last word. */
	if (tmpdir && se->envp[se->tmpdir] != tmpdir)
		se->tmpdir = DR_NONE;
	return 0;
}

struct dr_stage_env *
dr_local_stage_env(struct dr_local *l, uint32_t stage, struct dr_err *err)
{
	const struct dr_stage *st = &l->o.plan->pipeline->stages[stage];
	struct dr_stage_env *se = &l->envs[stage];
	const struct dr_local_base *base = &l->bases[st->jobserver];

	if (se->envp)
		return se;
	if (!base->envp && make_base(l, st->jobserver)) {
		dr_err_nomem(err);
		return NULL;
	}
	se->tmp = has_tmp(st);
	se->chain = base->chain;
	if (!st->n_env && !se->tmp) {
		se->envp = base->envp;
		se->n = base->n;
	} else if (make_stage(l, st, se, err)) {
		se->envp = NULL;
		return NULL;
	}
	return se;
}

char **
dr_local_env(struct dr_local *l, uint32_t task, const struct dr_values *v, const char *tmp,
	     struct dr_arena *arena, struct dr_err *err)
{
	struct dr_stage_env *se = dr_local_stage_env(l, l->o.plan->graph->tasks[task].stage, err);
	struct dr_buf *b = &l->scratch;
	char **envp, *var;

	if (!se)
		return NULL;
	envp = dr_arena_array(arena, (size_t)se->n + 1, sizeof(*envp));
	if (!envp)
		goto nomem;
	memcpy(envp, se->envp, se->n * sizeof(*envp));
	envp[se->n] = NULL;
	dr_buf_reset(b);
	dr_buf_adds(b, l->above);
	dr_buf_addx(b, l->o.plan->graph->tasks[task].id.hi, 16);
	dr_buf_addx(b, l->o.plan->graph->tasks[task].id.lo, 16);
	dr_buf_addc(b, ':');
	dr_buf_addx(b, l->o.run, 1);
	dr_buf_addc(b, ':');
	dr_buf_addx(b, l->serials, 1);
	envp[se->chain] = b->failed ? NULL : dr_arena_strndup(arena, b->p, b->n);
	if (!envp[se->chain])
		goto nomem;
	if (se->tmp && se->tmpdir != DR_NONE) {
		dr_buf_reset(b);
		dr_buf_addf(b, "TMPDIR=%s", tmp);
		envp[se->tmpdir] = b->failed ? NULL : dr_arena_strndup(arena, b->p, b->n);
		if (!envp[se->tmpdir])
			goto nomem;
	}
	for (uint32_t i = 0; i < se->n_places; i++) {
		var = env_text(l, se->places[i].env, v, arena, err);
		if (!var)
			return NULL;
		envp[se->places[i].at] = var;
	}
	return envp;
nomem:
	dr_err_nomem(err);
	return NULL;
}
