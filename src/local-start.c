#include "config.h"

#include "local-private.h"

#include "guardian-table.h"
#include "jobserver.h"
#include "lock.h"
#include "os.h"
#include "plan-values.h"
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* One start on its way. */
struct launch {
	struct dr_local *l;
	struct dr_local_slot *slot;
	uint32_t task;
	const struct dr_stage *stage;
	struct dr_stage_env *env;
	struct dr_task_values values;
	struct dr_exec exec;
	char **envp;
	struct dr_spawn_fd *fds;
	uint32_t n_fds;
	int *opened; /* for redirections; closed when the child has them */
	uint32_t n_opened;
	int js; /* the jobserver, for the child; -1: none */
	bool tmp; /* its private directory is there */
};

/* Whether the system is at its limit, and not the task at fault. */
static bool
lacks_room(const struct dr_err *err)
{
	return err->sys == EAGAIN || err->sys == ENOMEM || err->sys == EMFILE || err->sys == ENFILE;
}

/* Absolute where that can be known: a command may change its directory and look for TMPDIR from there. */
static const char *
state_path(const struct dr_local *l, char *path, size_t size)
{
	char link[40];
	ssize_t n;

	if (l->o.state_path[0] == '/')
		return l->o.state_path;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", l->o.state_dir);
	n = readlink(link, path, size - 1);
	if (n <= 0 || (size_t)n >= size - 1 || path[0] != '/')
		return l->o.state_path;
	path[n] = '\0';
	return path;
}

static int
make_tmp(struct launch *la, struct dr_err *err)
{
	struct dr_local *l = la->l;
	char name[DR_LOCAL_TMP_NAME], place[PATH_MAX];

	dr_local_tmp_name(l, la->task, name);
	/* A run that was killed may have left one. */
	if (dr_remove_tree(l->o.state_dir, name))
		return dr_err_sys(err, errno, "remove %s/%s", l->o.state_path, name);
	if (mkdirat(l->o.state_dir, name, 0700) &&
	    (errno != ENOENT || dr_mkdirs_for(l->o.state_dir, name) || mkdirat(l->o.state_dir, name, 0700)))
		return dr_err_sys(err, errno, "make the directory %s/%s", l->o.state_path, name);
	la->tmp = true;
	dr_buf_reset(&l->tmp_path);
	dr_buf_addf(&l->tmp_path, "%s/%s", state_path(l, place, sizeof(place)), name);
	return l->tmp_path.failed ? dr_err_nomem(err) : 0;
}

/* {in:list} and {in:list0} of the command, as files. */
static int
make_lists(struct launch *la, struct dr_err *err)
{
	const struct dr_template *text = &la->stage->run.text;
	struct dr_buf *b = &la->l->scratch, path = { 0 };
	int fd = -1, rc = 0;

	for (uint32_t i = 0; i < text->n && rc == 0; i++) {
		if (!dr_piece_is_list(&text->pieces[i]))
			continue;
		dr_buf_reset(b);
		dr_buf_reset(&path);
		dr_list_name(&la->values, &text->pieces[i], &path);
		rc = dr_list_text(&la->values, &text->pieces[i], b, err);
		if (rc == 0 && path.failed)
			rc = dr_err_nomem(err);
		if (rc)
			break;
		fd = openat(la->l->o.root, dr_buf_cstr(&path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (fd < 0 || dr_write_full(fd, b->p, b->n))
			rc = dr_err_sys(err, errno, "write the list %s", dr_buf_cstr(&path));
		dr_close(&fd);
	}
	dr_buf_free(&path);
	return rc;
}

/* The command's words and environment, with the outputs' temporary names. */
static int
expand(struct launch *la, const struct dr_grant *g, struct dr_err *err)
{
	struct dr_local *l = la->l;

	if (la->env->tmp && make_tmp(la, err))
		return -1;
	la->values.temporary = true;
	la->values.slots = g->slots;
	la->values.slot = g->slot;
	la->values.attempt = g->attempt;
	la->values.tmp = la->tmp ? l->tmp_path.p : NULL;
	if (la->tmp && make_lists(la, err))
		return -1;
	if (dr_command_expand(&la->stage->run, &l->o.plan->pipeline->shell, &la->values.v, &l->arena,
			      &la->exec, err))
		return -1;
	la->envp = dr_local_env(l, la->task, &la->values.v, la->values.tmp, err);
	if (!la->envp)
		return -1;
	la->fds = dr_arena_array(&l->arena, (size_t)la->exec.n_redirects + 5, sizeof(*la->fds));
	la->opened = dr_arena_array(&l->arena, (size_t)la->exec.n_redirects + 1, sizeof(*la->opened));
	return la->fds && la->opened ? 0 : dr_err_nomem(err);
}

static void
pass(struct launch *la, int from, int to)
{
	la->fds[la->n_fds++] = (struct dr_spawn_fd){ from, to };
}

/* The temporary name of an output: it was not there a moment ago, so it is no fifo. */
static bool
is_new(const char *path)
{
	const char *name = strrchr(path, '/');

	return strncmp(name ? name + 1 : path, ".dagrun-", 8) == 0;
}

/* Opened by us, as the child could not tell us what went wrong, and never waiting for a fifo's other end. */
static int
open_redirect(struct launch *la, const struct dr_exec_redirect *r, struct dr_err *err)
{
	static const int flags[] = {
		[DR_REDIRECT_READ] = O_RDONLY,
		[DR_REDIRECT_WRITE] = O_WRONLY | O_CREAT | O_TRUNC,
		[DR_REDIRECT_APPEND] = O_WRONLY | O_CREAT | O_APPEND,
	};
	bool wait = r->kind != DR_REDIRECT_READ && is_new(r->path);
	int fd, why;

	fd = openat(la->l->o.root, r->path, flags[r->kind] | O_NOCTTY | O_CLOEXEC | (wait ? 0 : O_NONBLOCK),
		    0666);
	if (fd >= 0 && dr_local_raise(&fd, DR_LOCAL_LOWEST) == 0 &&
	    (wait || fcntl(fd, F_SETFL, flags[r->kind] & O_APPEND) == 0)) {
		la->opened[la->n_opened++] = fd;
		pass(la, fd, r->fd);
		return 0;
	}
	why = errno;
	dr_close(&fd);
	dr_buf_reset(&la->l->scratch);
	dr_buf_escape(&la->l->scratch, dr_str(r->path));
	return dr_err_sys(err, why, "open %s%s", dr_buf_cstr(&la->l->scratch),
			  r->kind == DR_REDIRECT_READ ? "" : " for writing");
}

/* The jobserver's descriptors come last, as their numbers may be those of ours that are passed before. */
static int
pass_jobserver(struct launch *la, struct dr_err *err)
{
	struct dr_jobserver *js = la->l->o.jobserver;
	enum dr_style style = la->stage->jobserver;
	int to[2], hidden[2];

	if (!js)
		return 0;
	dr_jobserver_hidden(js, style, hidden);
	for (int i = 0; i < 2; i++) {
		if (hidden[i] >= 0)
			pass(la, -1, hidden[i]);
	}
	if (dr_jobserver_child_fds(js, style, &la->js, &to[0], &to[1], err))
		return -1;
	if (la->js < 0)
		return 0;
	if (dr_local_raise(&la->js, DR_LOCAL_LOWEST))
		return dr_err_sys(err, errno, "open the jobserver for a child");
	pass(la, la->js, to[0]);
	pass(la, la->js, to[1]);
	return 0;
}

static int
pass_files(struct launch *la, struct dr_err *err)
{
	const struct dr_local_slot *s = la->slot;

	if (dr_local_output_open(la->l, la->slot, err))
		return -1;
	pass(la, la->l->null, 0);
	if (s->out >= 0) {
		pass(la, s->out, 1);
		pass(la, s->err >= 0 ? s->err : s->out, 2);
	}
	/* From left to right, as a shell does: `> x 2>&1` and `2>&1 > x` differ. */
	for (uint32_t i = 0; i < la->exec.n_redirects; i++) {
		const struct dr_exec_redirect *r = &la->exec.redirects[i];

		if (r->kind == DR_REDIRECT_DUP)
			pass(la, r->dup_from, r->fd);
		else if (open_redirect(la, r, err))
			return -1;
	}
	return pass_jobserver(la, err);
}

static const char *
path_var(char *const *envp)
{
	for (; *envp; envp++) {
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	}
	return NULL;
}

/* Where the program is: looked up once a stage, since that is a call for every directory of PATH. */
static const char *
find_program(struct launch *la)
{
	struct dr_stage_env *se = la->env;
	const char *name = la->exec.argv[0];
	char path[PATH_MAX];

	if (strchr(name, '/') || se->n_places)
		return name;
	if (se->program && strcmp(se->program, name) == 0)
		return se->found;
	free(se->program);
	free(se->found);
	se->program = se->found = NULL;
	if (dr_find_program(la->l->o.root, name, path_var(la->envp), path, sizeof(path)))
		return name;
	se->program = strdup(name);
	se->found = strdup(path);
	if (se->program && se->found)
		return se->found;
	/* One without the other would be taken for both the next time. */
	free(se->program);
	free(se->found);
	se->program = se->found = NULL;
	return name;
}

static int
spawn(struct launch *la, struct dr_err *err)
{
	struct dr_spawn sp = {
		.path = find_program(la),
		.argv = la->exec.argv,
		.envp = la->envp,
		.cwd = la->l->o.root,
		.fds = la->fds,
		.n_fds = la->n_fds,
		.session = true,
		.ignored = &la->l->ignored,
	};

	if (dr_spawn(&sp, &la->slot->pid, err) == 0)
		return 0;
	if (err->sys != ENOENT || sp.path != la->env->found)
		return -1;
	/* It was there once. Maybe PATH leads to another one by now. */
	free(la->env->program);
	la->env->program = NULL;
	sp.path = la->exec.argv[0];
	return dr_spawn(&sp, &la->slot->pid, err);
}

/* 0: it runs. -1 with err. */
static int
launch(struct launch *la, const struct dr_grant *g, struct dr_err *err)
{
	struct dr_local *l = la->l;
	struct dr_local_slot *s = la->slot;
	int rc = -1;

	dr_arena_reset(&l->arena);
	l->serials++;
	dr_task_values_init(&la->values, l->o.plan, la->task);
	la->env = dr_local_stage_env(l, l->o.plan->graph->tasks[la->task].stage, err);
	if (!la->env || expand(la, g, err) || pass_files(la, err))
		goto out;
	s->timer = 0;
	if (la->stage->timeout && dr_local_set_timeout(s, la->stage->timeout, err))
		goto out;
	s->outcome = (struct dr_outcome){ .start = dr_realtime(), .tries = g->attempt };
	dr_guard_starting(l->o.guard, g->slot - 1, l->serials);
	rc = spawn(la, err);
	if (rc) {
		dr_guard_ended(l->o.guard, g->slot - 1);
		dr_loop_cancel(l->o.loop, s->timer);
		goto out;
	}
	dr_guard_started(l->o.guard, g->slot - 1, (int32_t)s->pid);
	s->task = la->task;
	s->grant = *g;
	s->serial = l->serials;
	s->sweep = (struct dr_local_sweep){ 0 };
	s->cause = DR_CAUSE_NONE;
	s->tmp = la->tmp;
	s->ended = s->lost = s->reaped = s->compared = false;
	dr_local_enter(l, s);
out:
	for (uint32_t i = 0; i < la->n_opened; i++)
		dr_close(&la->opened[i]);
	dr_close(&la->js);
	return rc;
}

/* DR_STARTED: it is ours to make. */
static enum dr_started
claim(struct dr_local *l, uint32_t task, struct dr_err *err)
{
	const struct dr_graph *g = l->o.plan->graph;
	int rc = l->o.lock ? dr_lock_claim(l->o.lock, g->tasks[task].id, err) : 1;
	bool was_busy, others;

	if (rc < 0)
		return DR_START_FAILED;
	if (!rc) {
		l->flags[task] |= DR_LOCAL_WAS_BUSY;
		if (l->o.busy)
			l->o.busy(l->o.arg, task);
		return DR_START_BUSY;
	}
	was_busy = l->flags[task] & DR_LOCAL_WAS_BUSY;
	l->flags[task] &= (uint8_t)~DR_LOCAL_WAS_BUSY;
	if (l->o.claimed && l->o.claimed(l->o.arg, err)) {
		dr_local_clean(l, task, false);
		return DR_START_FAILED;
	}
	/* Asked in any case: once the journal is read on for this task, nothing shows that there was another run. */
	others = l->o.others && l->o.others(l->o.arg);
	if (!was_busy && !others)
		return DR_STARTED;
	/* Whoever had it, or has come and gone since the plan was made, may have made it, or died of it. */
	if (l->o.look && l->o.look(l->o.arg, task) == 1) {
		dr_publish_read_elsewhere(l->o.publisher, task, NULL);
		dr_local_clean(l, task, false);
		return DR_START_DONE;
	}
	for (uint32_t i = 0; i < g->tasks[task].n_out; i++)
		dr_publisher_suspect(l->o.publisher, dr_graph_outputs(g, task)[i]);
	return DR_STARTED;
}

/* It could not be started: by its own fault, which is told as its end, or since the system has no room. */
static enum dr_started
not_started(struct dr_local *l, uint32_t task, const struct dr_grant *g, const struct dr_err *why)
{
	struct dr_task_end e = {
		.task = task,
		.result = DR_RESULT_FAILED,
		.how = DR_HOW_NO_START,
		.final = g->attempt > dr_plan_stage(l->o.plan, task)->retries,
		.outcome = { .start = dr_realtime(), .tries = g->attempt },
		.message = why->msg,
		.out = -1,
		.err = -1,
	};
	char *full;

	/* The numbers that a shell has for this. */
	e.outcome.status = (why->sys == ENOENT ? 127 : 126) << 8;
	e.outcome.end = e.outcome.start;
	e.outcome.how = DR_REC_NO_START;
	dr_publish_abort(l->o.publisher, task, lacks_room(why) ? NULL : &e.outcome, NULL);
	if (lacks_room(why)) {
		if (why->sys == EMFILE || why->sys == ENFILE)
			dr_local_spare(l);
		return DR_START_LATER;
	}
	e.full = full = why->sys == ENOSPC ? dr_local_full(l, task) : NULL;
	if (l->o.ended)
		l->o.ended(l->o.arg, &e);
	free(full);
	return DR_START_FAILED;
}

enum dr_started
dr_local_start(struct dr_executor *ex, uint32_t task, const struct dr_grant *g, struct dr_err *err)
{
	struct dr_local *l = (struct dr_local *)ex;
	struct launch la = {
		.l = l, .task = task, .stage = dr_plan_stage(l->o.plan, task), .js = -1
	};
	enum dr_started rc;

	la.slot = dr_local_slot(l, g->slot);
	if (!la.slot) {
		dr_err_nomem(err);
		return DR_START_LATER;
	}
	rc = claim(l, task, err);
	if (rc == DR_START_FAILED)
		return not_started(l, task, g, err);
	if (rc != DR_STARTED)
		return rc;
	if (dr_publish_begin(l->o.publisher, task, err) || launch(&la, g, err)) {
		rc = not_started(l, task, g, err);
		dr_local_clean(l, task, la.tmp);
	} else if (l->o.started) {
		l->o.started(l->o.arg, task, (int)la.slot->pid);
	}
	return rc;
}
