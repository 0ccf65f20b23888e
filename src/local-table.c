#include "config.h"

#include "local-private.h"

#include "os.h"

#include <stdlib.h>

static struct dr_local_slot **
pid_head(const struct dr_local *l, pid_t pid)
{
	return &l->pids[(uint32_t)pid & (l->n_heads - 1)];
}

static struct dr_local_slot **
task_head(const struct dr_local *l, uint32_t task)
{
	return &l->tasks[task & (l->n_heads - 1)];
}

static void
chain_pid(struct dr_local *l, struct dr_local_slot *s)
{
	struct dr_local_slot **head = pid_head(l, s->pid);

	s->by_pid = *head;
	*head = s;
}

static void
chain_task(struct dr_local *l, struct dr_local_slot *s)
{
	struct dr_local_slot **head = task_head(l, s->task);

	s->by_task = *head;
	*head = s;
}

/* As many chains as slots, so that they stay short. */
static int
more_heads(struct dr_local *l)
{
	uint32_t n = l->n_heads ? l->n_heads * 2 : 16;
	struct dr_local_slot **pids = calloc(n, sizeof(struct dr_local_slot *));
	struct dr_local_slot **tasks = calloc(n, sizeof(struct dr_local_slot *));

	if (!pids || !tasks) {
		free(pids);
		free(tasks);
		return -1;
	}
	free(l->pids);
	free(l->tasks);
	l->pids = pids;
	l->tasks = tasks;
	l->n_heads = n;
	for (uint32_t i = 0; i < l->n_slots; i++) {
		if (!l->slots[i] || l->slots[i]->task == DR_NONE)
			continue;
		chain_task(l, l->slots[i]);
		if (l->slots[i]->listed)
			chain_pid(l, l->slots[i]);
	}
	return 0;
}

struct dr_local_slot *
dr_local_slot(struct dr_local *l, uint32_t number)
{
	struct dr_local_slot *s;

	if (dr_grow(&l->slots, &l->cap_slots, number, sizeof(struct dr_local_slot *)))
		return NULL;
	while (l->n_slots < number)
		l->slots[l->n_slots++] = NULL;
	while (l->n_heads < l->n_slots) {
		if (more_heads(l))
			return NULL;
	}
	s = l->slots[number - 1];
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return NULL;
		s->l = l;
		s->task = DR_NONE;
		s->out = s->err = s->jobserver = -1;
		l->slots[number - 1] = s;
	}
	return s;
}

void
dr_local_enter(struct dr_local *l, struct dr_local_slot *s)
{
	chain_task(l, s);
	l->running++;
}

void
dr_local_list(struct dr_local *l, struct dr_local_slot *s)
{
	if (s->listed)
		return;
	s->listed = true;
	chain_pid(l, s);
}

void
dr_local_leave(struct dr_local *l, struct dr_local_slot *s)
{
	struct dr_local_slot **p;

	if (s->listed) {
		for (p = pid_head(l, s->pid); *p != s; p = &(*p)->by_pid)
			;
		*p = s->by_pid;
		s->listed = false;
	}
	for (p = task_head(l, s->task); *p != s; p = &(*p)->by_task)
		;
	*p = s->by_task;
	s->task = DR_NONE;
}

/* One that has been waited for stays in the table until it is settled; by then its pid may be somebody
 * else's. */
struct dr_local_slot *
dr_local_by_pid(const struct dr_local *l, pid_t pid)
{
	struct dr_local_slot *s = l->n_heads ? *pid_head(l, pid) : NULL;

	while (s && (s->pid != pid || s->reaped))
		s = s->by_pid;
	return s;
}

struct dr_local_slot *
dr_local_by_session(const struct dr_local *l, pid_t session)
{
	struct dr_local_slot *s = l->n_heads ? *pid_head(l, session) : NULL;

	while (s && (s->pid != session || s->ended || !s->sweep.on || s->sweep.no_session))
		s = s->by_pid;
	return s;
}

struct dr_local_slot *
dr_local_by_task(const struct dr_local *l, uint32_t task)
{
	struct dr_local_slot *s = l->n_heads ? *task_head(l, task) : NULL;

	while (s && s->task != task)
		s = s->by_task;
	return s;
}

int
dr_local_pid(const struct dr_local *l, uint32_t slot)
{
	const struct dr_local_slot *s = slot && slot <= l->n_slots ? l->slots[slot - 1] : NULL;
	pid_t pid = dr_local_runs(s) ? s->pid : 0;

	return pid > 0 ? (int)pid : 0;
}

static void
close_files(struct dr_local_slot *s)
{
	dr_close(&s->out);
	dr_close(&s->err);
	dr_close(&s->jobserver);
}

void
dr_local_spare(struct dr_local *l)
{
	for (uint32_t i = 0; i < l->n_slots; i++) {
		if (!l->slots[i] || l->slots[i]->task != DR_NONE)
			continue;
		close_files(l->slots[i]);
	}
}

void
dr_local_free_slots(struct dr_local *l)
{
	for (uint32_t i = 0; i < l->n_slots; i++) {
		if (!l->slots[i])
			continue;
		close_files(l->slots[i]);
		free(l->slots[i]->message);
		free(l->slots[i]->full);
		dr_arena_free(&l->slots[i]->launch.arena);
		free(l->slots[i]);
	}
	free(l->slots);
	free(l->pids);
	free(l->tasks);
}
