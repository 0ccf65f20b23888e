#include "config.h"

#include "local-private.h"

#include "jobserver.h"
#include "lock.h"
#include "os.h"
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLED_TOGETHER (INT64_C(5) * 1000000000) /* ns: the kernel may have to kill several before there is memory */

struct dr_executor *
dr_local_executor(struct dr_local *l)
{
	return &l->ex;
}

/* Each thread waits for its own child, so that SIGCHLD need wake nobody; but ignored it would keep ends from being told. Where not even one
 * thread can be had, there are none. */
static bool
may_have_threads(struct dr_local *l)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };
	struct dr_local_slot *first = dr_local_slot(l, 1);
	struct dr_err ignored;
	sigset_t child;

	dr_spawn_remember();
	if (!first || dr_local_thread(first, &ignored))
		return false;
	/* Should the threads be given up, it is another thread that asks for it. */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &child, NULL);
	l->watched = sigaction(SIGCHLD, &usual, &l->child) == 0;
	return true;
}

/* Would it be too many descriptors if each slot kept one of the jobserver beside those that its task prints to? Then fewer tasks than could
 * would run. */
static bool
is_frugal(const struct dr_jobserver *js)
{
	enum { EACH = 3, OTHERS = 100 };
	struct rlimit most;

	return js && (getrlimit(RLIMIT_NOFILE, &most) || most.rlim_cur < OTHERS ||
		      dr_jobserver_limit(js) > (most.rlim_cur - OTHERS) / EACH);
}

static bool
is_here(int dir)
{
	struct stat a, b;

	return fstat(dir, &a) == 0 && stat(".", &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int
dr_local_new(const struct dr_local_options *o, struct dr_local **out, struct dr_err *err)
{
	struct dr_local *l = calloc(1, sizeof(*l));

	*out = NULL;
	if (!l)
		return dr_err_nomem(err);
	l->ex = (struct dr_executor){ dr_local_start, dr_local_cancel };
	l->o = *o;
	if (!o->state_path)
		l->o.state_path = ".dagrun";
	l->null = l->log = -1;
	l->cwd = is_here(o->root) ? -1 : o->root;
	l->frugal = is_frugal(o->jobserver);
	l->ended_tail = &l->ended;
	l->proc = access("/proc/self/stat", R_OK) == 0;
	l->flags = calloc((size_t)o->plan->graph->n_tasks + 1, sizeof(*l->flags));
	l->envs = calloc((size_t)o->plan->pipeline->n_stages + 1, sizeof(*l->envs));
	if (!l->flags || !l->envs) {
		dr_err_nomem(err);
		goto fail;
	}
	l->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (l->null < 0 || dr_local_raise(&l->null, DR_LOCAL_LOWEST)) {
		dr_err_sys(err, errno, "open /dev/null");
		goto fail;
	}
	l->memory_kills = o->memory_kills ? o->memory_kills(o->arg) : dr_memory_kills();
	if (l->o.turn && !may_have_threads(l))
		l->o.turn = NULL;
	dr_spawn_ignored(&l->ignored);
	if (!l->o.turn && dr_loop_signal(o->loop, SIGCHLD, dr_local_on_child, l, err))
		goto fail;
	*out = l;
	return 0;
fail:
	dr_local_free(l);
	return -1;
}

void
dr_local_tmp_name(const struct dr_local *l, uint32_t task, char name[DR_LOCAL_TMP_NAME])
{
	char hex[33];

	dr_hash128_hex(l->o.plan->graph->tasks[task].id, hex);
	snprintf(name, DR_LOCAL_TMP_NAME, "tmp/%s", hex);
}

void
dr_local_clean(struct dr_local *l, uint32_t task, bool tmp)
{
	char name[DR_LOCAL_TMP_NAME];

	if (tmp) {
		dr_local_tmp_name(l, task, name);
		/* What cannot be removed is removed before the next time. */
		dr_remove_tree(l->o.state_dir, name);
	}
	/* Last: until then it is ours, and all that belongs to it. */
	if (l->o.lock)
		dr_lock_release(l->o.lock, l->o.plan->graph->tasks[task].id);
}

void
dr_local_free(struct dr_local *l)
{
	struct dr_local_slot *s;

	if (!l)
		return;
	dr_local_kill_all(l);
	dr_local_join(l);
	if (l->watched)
		sigaction(SIGCHLD, &l->child, NULL);
	dr_loop_cancel(l->o.loop, l->sweep_timer);
	for (; (s = l->ended) != NULL; l->ended = s->next_ended) {
		dr_publish_abort(l->o.publisher, s->task, NULL, NULL);
		dr_local_clean(l, s->task, s->launch.tmp);
	}
	dr_local_free_slots(l);
	for (uint32_t i = 0; l->envs && i < l->o.plan->pipeline->n_stages; i++) {
		free(l->envs[i].program);
		free(l->envs[i].found);
	}
	free(l->envs);
	free(l->flags);
	dr_arena_free(&l->env_arena);
	dr_buf_free(&l->scratch);
	dr_buf_free(&l->tmp_path);
	dr_close(&l->null);
	dr_close(&l->log);
	free(l);
}

static void
fail(struct dr_local_slot *s, enum dr_how how, const char *message)
{
	s->result = DR_RESULT_FAILED;
	s->how = how;
	free(s->message);
	s->message = message ? strdup(message) : NULL;
}

/* It exited 0: are its outputs there, and made of what still is? False: that is to be asked once more. */
static bool
judge_success(struct dr_local *l, struct dr_local_slot *s)
{
	enum dr_verdict verdict = DR_NOT_PUBLISHED;
	struct dr_err why = { 0 };

	if (dr_publish_end(l->o.publisher, s->task, &s->outcome, &verdict, &why) == 0 &&
	    (verdict == DR_PUBLISHED || verdict == DR_NOT_COMPARED)) {
		s->result = DR_RESULT_DONE;
		s->how = DR_HOW_EXIT;
		return verdict == DR_PUBLISHED;
	}
	fail(s, DR_HOW_UNPUBLISHED, why.msg);
	/* Once more, with what the input is now; but a task that changes its own inputs would never end. */
	if (verdict == DR_INPUT_CHANGED && !(l->flags[s->task] & DR_LOCAL_RAN_AGAIN)) {
		l->flags[s->task] |= DR_LOCAL_RAN_AGAIN;
		s->result = DR_RESULT_AGAIN;
	}
	return true;
}

static uint64_t
memory_kills(const struct dr_local *l)
{
	return l->o.memory_kills ? l->o.memory_kills(l->o.arg) : dr_memory_kills();
}

/* Killed by the kernel, itself or a process of its, as far as one can tell: by KILL, not by us, and while it ran the kernel did kill
 * something. Asked only then, and of several that end together one knows it for all. */
static bool
lacked_memory(struct dr_local *l, const struct dr_local_slot *s)
{
	uint64_t n;

	if (s->how != DR_HOW_SIGNAL ? s->how != DR_HOW_EXIT || WEXITSTATUS(s->outcome.status) != 128 + SIGKILL :
				      WTERMSIG(s->outcome.status) != SIGKILL)
		return false;
	n = memory_kills(l);
	if (n > l->memory_kills)
		l->killed = s->outcome.end;
	l->memory_kills = n;
	return l->killed && l->killed >= s->outcome.start && s->outcome.end - l->killed < KILLED_TOGETHER;
}

char *
dr_local_full(struct dr_local *l, uint32_t task)
{
	const struct dr_graph *g = l->o.plan->graph;
	struct dr_buf *where = &l->scratch, path = { 0 };
	bool full = false;

	dr_buf_reset(where);
	for (uint32_t i = 0; i < g->tasks[task].n_out && !full; i++) {
		dr_buf_reset(&path);
		dr_graph_path(g, dr_graph_outputs(g, task)[i], &path);
		full = !path.failed && dr_no_room(l->o.root, dr_buf_cstr(&path), where);
	}
	/* What it prints is kept here: without room its own words on that are lost. */
	full = full || dr_no_room(l->o.state_dir, "log", where);
	dr_buf_free(&path);
	return full && !where->failed ? strdup(dr_buf_cstr(where)) : NULL;
}

/* What the system lacks is for the next start to tell, which is made where the scheduler hears of it. */
static bool
judge_refusal(struct dr_local *l, struct dr_local_slot *s)
{
	s->how = DR_HOW_NO_START;
	s->outcome.how = DR_REC_NO_START;
	dr_publish_abort(l->o.publisher, s->task, s->result == DR_RESULT_FAILED ? &s->outcome : NULL, NULL);
	return true;
}

/* False: not yet. */
static bool
judge(struct dr_local *l, struct dr_local_slot *s)
{
	static const enum dr_rec_how recorded[] = {
		[DR_HOW_EXIT] = DR_REC_BY_ITSELF,	  [DR_HOW_SIGNAL] = DR_REC_BY_ITSELF,
		[DR_HOW_TIMEOUT] = DR_REC_TIMEOUT,	  [DR_HOW_CANCELLED] = DR_REC_CANCELLED,
		[DR_HOW_UNPUBLISHED] = DR_REC_UNPUBLISHED, [DR_HOW_NO_START] = DR_REC_NO_START,
	};

	if (s->refused)
		return judge_refusal(l, s);
	if (s->lost)
		fail(s, DR_HOW_UNPUBLISHED,
		     "how it ended is not known: another part of this program has waited for it");
	else if (s->cause == DR_CAUSE_TIMEOUT)
		fail(s, DR_HOW_TIMEOUT, NULL);
	else if (s->cause == DR_CAUSE_CANCELLED)
		fail(s, DR_HOW_CANCELLED, NULL);
	else if (WIFSIGNALED(s->outcome.status))
		fail(s, DR_HOW_SIGNAL, NULL);
	else if (WEXITSTATUS(s->outcome.status))
		fail(s, DR_HOW_EXIT, NULL);
	else if (!judge_success(l, s))
		return false;
	s->outcome.how = recorded[s->how];
	/* What it lacked was taken by others, maybe. */
	if (s->result == DR_RESULT_FAILED && !(l->flags[s->task] & DR_LOCAL_RAN_ALONE) && lacked_memory(l, s)) {
		l->flags[s->task] |= DR_LOCAL_RAN_ALONE;
		s->result = DR_RESULT_ALONE;
	}
	/* Before what it has written is removed. */
	if (s->result == DR_RESULT_FAILED && s->how != DR_HOW_CANCELLED)
		s->full = dr_local_full(l, s->task);
	if (s->result != DR_RESULT_DONE)
		dr_publish_abort(l->o.publisher, s->task, s->result == DR_RESULT_FAILED ? &s->outcome : NULL, NULL);
	return true;
}

/* Those that have ended and can be judged, in a list; the others wait for the next turn. */
static struct dr_local_slot *
judge_all(struct dr_local *l)
{
	struct dr_local_slot *s = l->ended, *next, *judged = NULL, **tail = &judged;

	l->ended = NULL;
	l->ended_tail = &l->ended;
	for (; s; s = next) {
		next = s->next_ended;
		s->next_ended = NULL;
		if (!s->compared)
			dr_local_output_collect(l, s);
		s->compared = !judge(l, s);
		*(s->compared ? l->ended_tail : tail) = s;
		if (s->compared)
			l->ended_tail = &s->next_ended;
		else
			tail = &s->next_ended;
	}
	return judged;
}

bool
dr_local_busy(const struct dr_local *l)
{
	return l->ended != NULL;
}

/* From the publisher: these outputs have their names, or could not be given them. */
static void
on_published(void *arg, uint32_t task, const struct dr_err *error)
{
	struct dr_local *l = arg;
	struct dr_local_slot *s = dr_local_by_task(l, task);

	if (s && s->ended && error)
		fail(s, DR_HOW_UNPUBLISHED, error->msg);
}

/* Tells whoever shows it, and makes the slot free for the next. */
static void
tell(struct dr_local *l, struct dr_local_slot *s)
{
	const struct dr_stage *stage = dr_plan_stage(l->o.plan, s->task);
	struct dr_task_end e = {
		.task = s->task,
		.result = s->result,
		.how = s->how,
		.outcome = s->outcome,
		.timeout = stage->timeout,
		.message = s->how != DR_HOW_UNPUBLISHED && s->how != DR_HOW_NO_START ? NULL :
			   s->message						      ? s->message :
											"out of memory",
		.full = s->full,
		.out = s->out_len ? s->out : -1,
		.err = s->err_len ? s->err : -1,
		.out_len = s->out_len,
		.err_len = s->err_len,
	};

	e.final = s->result == DR_RESULT_DONE || s->how == DR_HOW_CANCELLED ||
		  (s->result == DR_RESULT_FAILED && s->grant.attempt > stage->retries);
	if (l->o.one_stream) {
		e.err = e.out;
		e.err_len = e.out_len;
	}
	/* One that the system could not start now has not ended: it has not begun. */
	if (l->o.ended && !(s->refused && s->result == DR_RESULT_AGAIN))
		l->o.ended(l->o.arg, &e);
	dr_local_output_done(s);
	free(s->message);
	free(s->full);
	s->message = s->full = NULL;
}

int
dr_local_settle(struct dr_local *l, struct dr_sched *sched, int64_t now, struct dr_err *err)
{
	struct dr_local_slot *first = judge_all(l), *s, *next;
	uint32_t task;
	int rc = 0;

	if (!first && !dr_journal_pending(l->o.journal))
		return 0;
	if (dr_publish_commit(l->o.publisher, on_published, l, err)) {
		/* Exited 0 and not recorded: not done. Their outputs wait under their temporary names for a
		 * run that can write the journal. */
		for (s = first; s; s = s->next_ended) {
			if (s->result == DR_RESULT_DONE)
				fail(s, DR_HOW_UNPUBLISHED, err ? err->msg : "the journal cannot be written");
		}
		rc = -1;
	}
	for (s = first; s; s = next) {
		next = s->next_ended;
		task = s->task;
		tell(l, s);
		if (s->result == DR_RESULT_DONE)
			dr_publish_reclaim(l->o.publisher, task, NULL);
		dr_local_clean(l, task, s->launch.tmp);
		dr_local_leave(l, s);
		dr_sched_ended(sched, task, s->result, now);
	}
	/* What the consumers let go of takes room that others may need, and keeps other runs from beginning. */
	if (rc == 0 && first && dr_journal_pending(l->o.journal))
		rc = dr_publish_commit(l->o.publisher, on_published, l, err);
	return rc;
}
