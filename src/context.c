#include "config.h"

#include "context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "lex.h"
#include "os.h"
#include "spawn.h"

/* Where the program has been put that the guardian of a run is. */
static const char installed[] = BINDIR "/dagrun";

struct dr_context *
dr_context_new(const struct dr_handlers *h, void *arg, struct dr_err *err)
{
	struct dr_context *c = calloc(1, sizeof(*c));

	if (!c) {
		dr_err_nomem(err);
		return NULL;
	}
	dr_spawn_remember();
	c->session.root = c->session.state = -1;
	c->session.run = dr_random64();
	if (access(installed, X_OK) == 0)
		c->session.guardian = installed;
	c->handlers = h ? *h : (struct dr_handlers){ 0 };
	c->arg = arg;
	c->session.host = dr_context_host(c);
	if (pipe(c->wake)) {
		dr_err_sys(err, errno, "make a pipe");
		free(c);
		return NULL;
	}
	for (int i = 0; i < 2; i++) {
		fcntl(c->wake[i], F_SETFD, FD_CLOEXEC);
		fcntl(c->wake[i], F_SETFL, O_NONBLOCK);
	}
	return c;
}

void
dr_context_free(struct dr_context *c)
{
	if (!c)
		return;
	dr_session_close(&c->session);
	dr_close(&c->wake[0]);
	dr_close(&c->wake[1]);
	dr_arena_free(&c->arena);
	free(c->targets);
	free(c->lets);
	free(c->stages);
	free(c->rows);
	free(c->ends);
	dr_buf_free(&c->name);
	dr_buf_free(&c->label);
	dr_buf_free(&c->why);
	dr_buf_free(&c->stage);
	free(c);
}

struct dr_session *
dr_context_session(struct dr_context *c)
{
	return &c->session;
}

/* Configuration. */

static const char *
keep(struct dr_context *c, const char *s)
{
	return dr_arena_strndup(&c->arena, s, strlen(s));
}

int
dr_set(struct dr_context *c, enum dr_set what, int64_t value, struct dr_err *err)
{
	struct dr_options *o = &c->session.options;

	if (value < 0 || ((what == DR_SET_JOBS || what == DR_SET_MAX_FAILURES) && value >= UINT32_MAX))
		return dr_err_set(err, DR_USAGE, "dr_set: the value is out of range");
	switch (what) {
	case DR_SET_JOBS: o->jobs = (uint32_t)value; return 0;
	case DR_SET_KEEP_GOING: o->keep_going = value != 0; return 0;
	case DR_SET_ALWAYS: o->always = value != 0; return 0;
	case DR_SET_IGNORE: o->ignore = value != 0; return 0;
	case DR_SET_MAX_FAILURES: o->max_failures = (uint32_t)value; return 0;
	case DR_SET_WAIT: o->wait = value; return 0;
	case DR_SET_SIGNALS: c->session.signals = value != 0; return 0;
	case DR_SET_MAKE: c->session.from_make = value != 0; return 0;
	}
	return dr_err_set(err, DR_USAGE, "dr_set: there is no setting %d", (int)what);
}

int
dr_set_directory(struct dr_context *c, const char *path, struct dr_err *err)
{
	c->session.directory = keep(c, path);
	return c->session.directory ? 0 : dr_err_nomem(err);
}

int
dr_set_program(struct dr_context *c, const char *path, struct dr_err *err)
{
	c->session.guardian = path ? keep(c, path) : NULL;
	return path && !c->session.guardian ? dr_err_nomem(err) : 0;
}

int
dr_set_let(struct dr_context *c, const char *name, const char *value, struct dr_err *err)
{
	struct dr_options *o = &c->session.options;
	struct dr_setting s = { keep(c, name), keep(c, value) };

	if (!s.name || !s.value || dr_grow(&c->lets, &c->cap_lets, (size_t)o->n_settings + 1, sizeof(*c->lets)))
		return dr_err_nomem(err);
	c->lets[o->n_settings++] = s;
	o->settings = c->lets;
	return 0;
}

int
dr_add_target(struct dr_context *c, const char *target, struct dr_err *err)
{
	struct dr_options *o = &c->session.options;
	const char *t = keep(c, target);

	if (!t || dr_grow(&c->targets, &c->cap_targets, (size_t)o->n_targets + 1, sizeof(*c->targets)))
		return dr_err_nomem(err);
	c->targets[o->n_targets++] = t;
	o->targets = c->targets;
	return 0;
}

int
dr_load_file(struct dr_context *c, const char *path, struct dr_err *err)
{
	c->session.dagfile = NULL;
	c->session.options.file = keep(c, path);
	return c->session.options.file ? 0 : dr_err_nomem(err);
}

int
dr_load_text(struct dr_context *c, const char *name, const char *text, struct dr_err *err)
{
	c->session.options.file = keep(c, name);
	c->session.dagfile = keep(c, text);
	return c->session.options.file && c->session.dagfile ? 0 : dr_err_nomem(err);
}

/* Stages of C. */

static int
check_name(const char *name, struct dr_err *err)
{
	if (dr_lex_is_name(dr_str(name)))
		return 0;
	return dr_err_set(err, DR_USAGE, "'%s' is no name: a letter, then letters, digits, '_' and '-'", name);
}

static struct dr_key_value *
keep_keys(struct dr_context *c, const struct dr_key_value *keys, uint32_t n)
{
	struct dr_key_value *copy = dr_arena_array(&c->arena, (size_t)n + 1, sizeof(*copy));

	for (uint32_t i = 0; copy && i < n; i++) {
		copy[i] = (struct dr_key_value){ keep(c, keys[i].key), keep(c, keys[i].value) };
		if (!copy[i].key || !copy[i].value)
			return NULL;
	}
	return copy;
}

int
dr_add_stage(struct dr_context *c, enum dr_stage_kind kind, const char *name, const struct dr_key_value *keys, uint32_t n,
	     struct dr_err *err)
{
	struct dr_parse_stage st = { .kind = kind, .n_keys = n };

	if (check_name(name, err))
		return -1;
	if ((unsigned)kind >= DR_STAGE_KINDS)
		return dr_err_set(err, DR_USAGE, "dr_add_stage: there is no kind %d", (int)kind);
	st.name = keep(c, name);
	st.keys = keep_keys(c, keys, n);
	if (!st.name || !st.keys || dr_grow(&c->stages, &c->cap_stages, (size_t)c->built.n_stages + 1, sizeof(*c->stages)))
		return dr_err_nomem(err);
	c->stages[c->built.n_stages++] = st;
	c->built.stages = c->stages;
	return 0;
}

int
dr_add_rows(struct dr_context *c, const char *name, dr_rows_fn fn, void *arg, struct dr_err *err)
{
	struct dr_parse_rows r = { .fn = fn, .arg = arg };

	if (check_name(name, err))
		return -1;
	r.name = keep(c, name);
	if (!r.name || dr_grow(&c->rows, &c->cap_rows, (size_t)c->built.n_rows + 1, sizeof(*c->rows)))
		return dr_err_nomem(err);
	c->rows[c->built.n_rows++] = r;
	c->built.rows = c->rows;
	return 0;
}

/* The plan. */

/* Closes what an earlier plan has opened, and keeps what was configured. */
static void
renew(struct dr_context *c)
{
	struct dr_session *s = &c->session, was = *s;

	dr_session_close(s);
	free(c->ends);
	c->ends = NULL;
	c->ran = false;
	c->signal = 0;
	*s = (struct dr_session){
		.host = was.host,
		.directory = was.directory,
		.dagfile = was.dagfile,
		.from_make = was.from_make,
		.signals = was.signals,
		.threads = was.threads,
		.reaps = was.reaps,
		.guardian = was.guardian,
		.one_stream = was.one_stream,
		.options = was.options,
		.root = -1,
		.state = -1,
		.run = dr_random64(),
	};
	if (c->built.n_stages || c->built.n_rows)
		s->built = &c->built;
}

int
dr_plan(struct dr_context *c, struct dr_err *err)
{
	struct dr_session *s = &c->session;
	struct dr_err own = { .code = DR_SYSTEM };

	if (!err)
		err = &own;
	renew(c);
	if (dr_session_open(s, err) || dr_session_plan(s, err))
		return -1;
	c->ends = calloc((size_t)s->plan->graph->n_tasks + 1, sizeof(*c->ends));
	return c->ends ? 0 : dr_err_nomem(err);
}

uint32_t
dr_task_count(const struct dr_context *c)
{
	return c->ends ? c->session.plan->graph->n_tasks : 0;
}

static enum dr_task_state
state_of(const struct dr_context *c, const struct dr_task *t)
{
	switch (t->state) {
	case DR_UNWANTED: return DR_TASK_UNWANTED;
	case DR_CLEAN: return DR_TASK_CLEAN;
	case DR_DONE: return DR_TASK_DONE;
	case DR_FAILED_TASK: return DR_TASK_FAILED;
	case DR_SKIPPED: return DR_TASK_SKIPPED;
	default: return c->ran ? DR_TASK_SKIPPED : DR_TASK_STALE;
	}
}

int
dr_task_get(struct dr_context *c, uint32_t i, struct dr_task_info *out, struct dr_err *err)
{
	const struct dr_plan *pl = c->session.plan;
	const struct dr_task *t;

	if (i >= dr_task_count(c))
		return dr_err_set(err, DR_USAGE, "dr_task_get: there is no task %u", (unsigned)i);
	t = &pl->graph->tasks[i];
	dr_buf_reset(&c->name);
	dr_buf_reset(&c->label);
	dr_buf_reset(&c->why);
	dr_buf_reset(&c->stage);
	dr_plan_task_name(pl, i, &c->name);
	dr_plan_task_label(pl, i, &c->label);
	dr_buf_addstr(&c->stage, pl->pipeline->stages[t->stage].name);
	*out = (struct dr_task_info){
		.index = i - pl->stages[t->stage].first,
		.state = state_of(c, t),
		.ran = c->ends[i].ran,
		.how = (enum dr_how)c->ends[i].how,
		.status = c->ends[i].status,
	};
	if (out->state == DR_TASK_STALE && dr_stale_explain(c->session.stale, i, &c->why, err))
		return -1;
	if (c->name.failed || c->label.failed || c->why.failed || c->stage.failed)
		return dr_err_nomem(err);
	out->name = dr_buf_cstr(&c->name);
	out->label = dr_buf_cstr(&c->label);
	out->why = out->state == DR_TASK_STALE ? dr_buf_cstr(&c->why) : NULL;
	out->stage = dr_buf_cstr(&c->stage);
	return 0;
}
