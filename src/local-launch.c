#include "config.h"

#include "local-private.h"

#include "guardian-table.h"
#include "jobserver.h"
#include "os.h"
#include "plan-values.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a child has of ours at most beside its redirections: nothing to read, two to print to, two of the jobserver, and two of that not. */
enum { OWN_FDS = 7 };

/* One start that is being prepared. */
struct prep {
	struct dr_local *l;
	struct dr_local_slot *slot;
	struct dr_local_launch *la; /* the slot's */
	uint32_t task;
	const struct dr_stage *stage;
	struct dr_stage_env *env;
	struct dr_task_values values;
};

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
make_tmp(struct prep *p, struct dr_err *err)
{
	struct dr_local *l = p->l;
	char name[DR_LOCAL_TMP_NAME], place[PATH_MAX];

	dr_local_tmp_name(l, p->task, name);
	/* A run that was killed may have left one. */
	if (dr_remove_tree(l->o.state_dir, name))
		return dr_err_sys(err, errno, "remove %s/%s", l->o.state_path, name);
	if (mkdirat(l->o.state_dir, name, 0700) &&
	    (errno != ENOENT || dr_mkdirs_for(l->o.state_dir, name) || mkdirat(l->o.state_dir, name, 0700)))
		return dr_err_sys(err, errno, "make the directory %s/%s", l->o.state_path, name);
	p->la->tmp = true;
	dr_buf_reset(&l->tmp_path);
	dr_buf_addf(&l->tmp_path, "%s/%s", state_path(l, place, sizeof(place)), name);
	return l->tmp_path.failed ? dr_err_nomem(err) : 0;
}

/* {in:list} and {in:list0} of the command, as files. */
static int
make_lists(struct prep *p, struct dr_err *err)
{
	const struct dr_template *text = &p->stage->run.text;
	struct dr_buf *b = &p->l->scratch, path = { 0 };
	int fd = -1, rc = 0;

	for (uint32_t i = 0; i < text->n && rc == 0; i++) {
		if (!dr_piece_is_list(&text->pieces[i]))
			continue;
		dr_buf_reset(b);
		dr_buf_reset(&path);
		dr_list_name(&p->values, &text->pieces[i], &path);
		rc = dr_list_text(&p->values, &text->pieces[i], b, err);
		if (rc == 0 && path.failed)
			rc = dr_err_nomem(err);
		if (rc)
			break;
		fd = openat(p->l->o.root, dr_buf_cstr(&path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (fd < 0 || dr_write_full(fd, b->p, b->n))
			rc = dr_err_sys(err, errno, "write the list %s", dr_buf_cstr(&path));
		dr_close(&fd);
	}
	dr_buf_free(&path);
	return rc;
}

/* The command's words and environment, with the outputs' temporary names. */
static int
expand(struct prep *p, const struct dr_grant *g, struct dr_err *err)
{
	struct dr_local *l = p->l;

	if (p->env->tmp && make_tmp(p, err))
		return -1;
	p->values.temporary = true;
	p->values.slots = g->slots;
	p->values.slot = g->slot;
	p->values.attempt = g->attempt;
	p->values.tmp = p->la->tmp ? l->tmp_path.p : NULL;
	if (p->la->tmp && make_lists(p, err))
		return -1;
	if (dr_command_expand(&p->stage->run, &l->o.plan->pipeline->shell, &p->values.v, &p->la->arena,
			      &p->la->exec, err))
		return -1;
	p->la->envp = dr_local_env(l, p->task, &p->values.v, p->values.tmp, &p->la->arena, err);
	if (!p->la->envp)
		return -1;
	p->la->fds = dr_arena_array(&p->la->arena, (size_t)p->la->exec.n_redirects + OWN_FDS, sizeof(*p->la->fds));
	p->la->opened = dr_arena_array(&p->la->arena, (size_t)p->la->exec.n_redirects + 1, sizeof(*p->la->opened));
	return p->la->fds && p->la->opened ? 0 : dr_err_nomem(err);
}

static void
pass(struct prep *p, int from, int to)
{
	p->la->fds[p->la->n_fds++] = (struct dr_spawn_fd){ from, to };
}

/* The temporary name of an output: it was not there a moment ago, so it is no fifo. */
static bool
is_new(const char *path)
{
	const char *name = strrchr(path, '/');

	return strncmp(name ? name + 1 : path, DR_TEMP_PREFIX, strlen(DR_TEMP_PREFIX)) == 0;
}

/* Opened by us, as the child could not tell us what went wrong, and never waiting for a fifo's other end. */
static int
open_redirect(struct prep *p, const struct dr_exec_redirect *r, struct dr_err *err)
{
	static const int flags[] = {
		[DR_REDIRECT_READ] = O_RDONLY,
		[DR_REDIRECT_WRITE] = O_WRONLY | O_CREAT | O_TRUNC,
		[DR_REDIRECT_APPEND] = O_WRONLY | O_CREAT | O_APPEND,
	};
	bool wait = r->kind != DR_REDIRECT_READ && is_new(r->path);
	int fd, why;

	fd = openat(p->l->o.root, r->path, flags[r->kind] | O_NOCTTY | O_CLOEXEC | (wait ? 0 : O_NONBLOCK),
		    0666);
	if (fd >= 0 && dr_local_raise(&fd, DR_LOCAL_LOWEST) == 0 &&
	    (wait || fcntl(fd, F_SETFL, flags[r->kind] & O_APPEND) == 0)) {
		p->la->opened[p->la->n_opened++] = fd;
		pass(p, fd, r->fd);
		return 0;
	}
	why = errno;
	dr_close(&fd);
	dr_buf_reset(&p->l->scratch);
	dr_buf_escape(&p->l->scratch, dr_str(r->path));
	return dr_err_sys(err, why, "open %s%s", dr_buf_cstr(&p->l->scratch),
			  r->kind == DR_REDIRECT_READ ? "" : " for writing");
}

/* The jobserver's descriptors come last, as their numbers may be those of ours that are passed before. */
static int
pass_jobserver(struct prep *p, struct dr_err *err)
{
	struct dr_jobserver *js = p->l->o.jobserver;
	enum dr_style style = p->stage->jobserver;
	int to[2], hidden[2];

	if (!js)
		return 0;
	dr_jobserver_hidden(js, style, hidden);
	for (int i = 0; i < 2; i++) {
		if (hidden[i] >= 0)
			pass(p, -1, hidden[i]);
	}
	if (dr_jobserver_child_fds(js, style, &p->slot->jobserver, &to[0], &to[1], err))
		return -1;
	if (to[0] < 0)
		return 0;
	if (dr_local_raise(&p->slot->jobserver, DR_LOCAL_LOWEST))
		return dr_err_sys(err, errno, "open the jobserver for a child");
	pass(p, p->slot->jobserver, to[0]);
	pass(p, p->slot->jobserver, to[1]);
	return 0;
}

static int
pass_files(struct prep *p, struct dr_err *err)
{
	const struct dr_local_slot *s = p->slot;

	if (dr_local_output_open(p->l, p->slot, err))
		return -1;
	pass(p, p->l->null, 0);
	if (s->out >= 0) {
		pass(p, s->out, 1);
		pass(p, s->err >= 0 ? s->err : s->out, 2);
	}
	/* From left to right, as a shell does: `> x 2>&1` and `2>&1 > x` differ. */
	for (uint32_t i = 0; i < p->la->exec.n_redirects; i++) {
		const struct dr_exec_redirect *r = &p->la->exec.redirects[i];

		if (r->kind == DR_REDIRECT_DUP)
			pass(p, r->dup_from, r->fd);
		else if (open_redirect(p, r, err))
			return -1;
	}
	return pass_jobserver(p, err);
}

/* Where the program is: looked up once a stage, since that is a call for every directory of PATH. */
static int
find_program(struct prep *p, struct dr_err *err)
{
	struct dr_stage_env *se = p->env;
	struct dr_local_launch *la = p->la;
	const char *name = la->exec.argv[0];
	char path[PATH_MAX];

	la->path = name;
	la->looked_up = false;
	if (strchr(name, '/') || se->n_places)
		return 0;
	if (!se->program || strcmp(se->program, name) != 0) {
		if (dr_find_program(p->l->o.root, name, dr_path_of(la->envp), path, sizeof(path)))
			return 0; /* the start tells why */
		free(se->program);
		free(se->found);
		se->program = strdup(name);
		se->found = strdup(path);
		if (!se->program || !se->found) {
			/* One without the other would be taken for both the next time. */
			free(se->program);
			free(se->found);
			se->program = se->found = NULL;
			return dr_err_nomem(err);
		}
	}
	la->path = dr_arena_strndup(&la->arena, se->found, strlen(se->found));
	la->looked_up = true;
	return la->path ? 0 : dr_err_nomem(err);
}

int
dr_local_prepare(struct dr_local_slot *s, uint32_t task, const struct dr_grant *g, struct dr_err *err)
{
	struct dr_local *l = s->l;
	struct prep p = { .l = l, .slot = s, .la = &s->launch, .task = task, .stage = dr_plan_stage(l->o.plan, task) };

	dr_arena_reset(&s->launch.arena);
	s->launch.n_fds = s->launch.n_opened = 0;
	s->launch.tmp = false;
	s->pid = 0;
	s->serial = ++l->serials;
	dr_task_values_init(&p.values, l->o.plan, task);
	p.env = dr_local_stage_env(l, l->o.plan->graph->tasks[task].stage, err);
	return p.env && expand(&p, g, err) == 0 && pass_files(&p, err) == 0 ? find_program(&p, err) : -1;
}

void
dr_local_launched(struct dr_local_slot *s)
{
	for (; s->launch.n_opened; s->launch.n_opened--)
		dr_close(&s->launch.opened[s->launch.n_opened - 1]);
	if (s->l->frugal)
		dr_close(&s->jobserver);
}

int
dr_local_launch(struct dr_local_slot *s, bool own, struct dr_err *err)
{
	struct dr_local_launch *la = &s->launch;
	struct dr_spawn sp = {
		.path = la->path,
		.argv = la->exec.argv,
		.envp = la->envp,
		.cwd = s->l->cwd,
		.fds = la->fds,
		.n_fds = la->n_fds,
		.session = true,
		.masked = own,
		.ignored = &s->l->ignored,
	};
	pid_t pid;
	int rc = dr_spawn(&sp, &pid, err);

	/* It was there once. Maybe PATH leads to another one by now. */
	if (rc && err->sys == ENOENT && la->looked_up) {
		sp.path = la->exec.argv[0];
		rc = dr_spawn(&sp, &pid, err);
	}
	if (rc == 0) {
		dr_guard_started(s->l->o.guard, s->grant.slot - 1, (int32_t)pid);
		s->pid = pid;
	}
	return rc;
}
