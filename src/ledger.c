#include "config.h"

#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "err.h"
#include "ledger-format.h"
#include "lock.h"
#include "os.h"

#define EVERY (INT64_C(20) * 1000000)

/* Dead runs' files beyond this many go, whoever's they are: one-liners leave one for each of their wordings. */
enum { KEPT = 32 };

struct place {
	struct dr_ledger_task task; /* its name is a buffer's */
	struct dr_buf name;
	bool taken;
};

struct dr_ledger {
	int fd;
	struct dr_ledger_fixed f;
	struct dr_ledger_stage *stages;
	struct place *places; /* by slot - 1 */
	uint32_t n_places, cap_places;
	struct dr_buf out;
	bool changed;
	int64_t wrote; /* dr_now */
	int (*pid)(void *arg, uint32_t slot);
	void *arg;
};

/* Tidying. */

struct tidy {
	const struct dr_ledger_options *o;
	uint32_t others;
};

static void
tidy_one(void *arg, int dir, const char *name, uint64_t run)
{
	struct tidy *t = arg;
	struct dr_ledger_head h;
	struct dr_ledger_fixed f = { 0 };
	int fd;

	if (run == t->o->run || !t->o->lock || dr_lock_alive(t->o->lock, run))
		return;
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return;
	if (dr_pread_full(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) ||
	    dr_pread_full(fd, &f, sizeof(f), sizeof(h)) != (ssize_t)sizeof(f))
		f.origin = t->o->origin; /* of no use to anybody */
	dr_close(&fd);
	if (f.origin == t->o->origin || ++t->others > KEPT)
		unlinkat(dir, name, 0);
}

/* Opening. */

int
dr_ledger_open(const struct dr_ledger_options *o, struct dr_ledger **out, struct dr_err *err)
{
	struct dr_ledger *l = calloc(1, sizeof(*l));
	struct tidy t = { .o = o };
	char name[DR_LEDGER_NAME + 8];

	*out = NULL;
	if (!l)
		return dr_err_nomem(err);
	l->fd = -1;
	l->f = (struct dr_ledger_fixed){
		.run = o->run,
		.origin = o->origin,
		.began = dr_realtime(),
		.pid = (uint32_t)getpid(),
		.slots = o->slots,
		.n_stages = o->n_stages,
	};
	l->pid = o->pid;
	l->arg = o->arg;
	l->stages = calloc((size_t)o->n_stages + 1, sizeof(*l->stages));
	if (!l->stages) {
		dr_err_nomem(err);
		goto fail;
	}
	memcpy(l->stages, o->stages, o->n_stages * sizeof(*l->stages));
	if (mkdirat(o->state_dir, DR_LEDGER_DIR, 0777) && errno != EEXIST) {
		dr_err_sys(err, errno, "make the directory .dagrun/" DR_LEDGER_DIR);
		goto fail;
	}
	dr_ledger_each(o->state_dir, tidy_one, &t);
	snprintf(name, sizeof(name), DR_LEDGER_DIR "/%016" PRIx64, o->run);
	l->fd = openat(o->state_dir, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
	/* Above what redirections of children may name. */
	if (l->fd >= 0 && l->fd < DR_LEDGER_LOWEST) {
		int high = dr_dup_above(l->fd, DR_LEDGER_LOWEST);

		dr_close(&l->fd);
		l->fd = high;
	}
	if (l->fd < 0) {
		dr_err_sys(err, errno, "create .dagrun/%s", name);
		goto fail;
	}
	l->changed = true;
	*out = l;
	return 0;
fail:
	dr_ledger_free(l);
	return -1;
}

void
dr_ledger_free(struct dr_ledger *l)
{
	if (!l)
		return;
	for (uint32_t i = 0; i < l->n_places; i++)
		dr_buf_free(&l->places[i].name);
	free(l->places);
	free(l->stages);
	dr_buf_free(&l->out);
	dr_close(&l->fd);
	free(l);
}

/* Changes. */

/* Without memory the task is merely not shown. */
static struct place *
place_of(struct dr_ledger *l, uint32_t slot)
{
	if (!slot)
		return NULL;
	if (slot > l->n_places) {
		if (dr_grow(&l->places, &l->cap_places, slot, sizeof(*l->places)))
			return NULL;
		memset(l->places + l->n_places, 0, (slot - l->n_places) * sizeof(*l->places));
		l->n_places = slot;
	}
	return &l->places[slot - 1];
}

void
dr_ledger_started(struct dr_ledger *l, const struct dr_ledger_task *t)
{
	struct place *p = l ? place_of(l, t->slot) : NULL;

	if (!l || t->stage >= l->f.n_stages)
		return;
	l->changed = true;
	l->stages[t->stage].running++;
	if (!p)
		return;
	p->task = *t;
	p->taken = true;
	dr_buf_reset(&p->name);
	dr_buf_addstr(&p->name, t->name);
}

void
dr_ledger_ended(struct dr_ledger *l, uint32_t stage, uint32_t slot, enum dr_ledger_end how, bool ran)
{
	if (!l || stage >= l->f.n_stages)
		return;
	l->changed = true;
	if (ran && l->stages[stage].running)
		l->stages[stage].running--;
	l->stages[stage].done += how == DR_LEDGER_DONE;
	l->stages[stage].failed += how == DR_LEDGER_FAILED;
	l->stages[stage].clean += how == DR_LEDGER_CLEAN;
	if (ran && slot && slot <= l->n_places)
		l->places[slot - 1].taken = false;
}

/* Writing. */

static void
compose(struct dr_ledger *l)
{
	struct dr_ledger_head h = { .magic = DR_LEDGER_MAGIC, .version = DR_LEDGER_VERSION, .order = DR_LEDGER_ORDER };

	dr_buf_reset(&l->out);
	dr_buf_add(&l->out, &h, sizeof(h));
	dr_buf_add(&l->out, &l->f, sizeof(l->f));
	for (uint32_t i = 0; i < l->f.n_stages; i++) {
		const struct dr_ledger_stage *s = &l->stages[i];
		struct dr_ledger_stage_head sh = {
			s->wanted, s->clean, s->done, s->failed, s->running, (uint32_t)s->name.n, 0
		};

		dr_buf_add(&l->out, &sh, sizeof(sh));
		dr_buf_addstr(&l->out, s->name);
	}
	for (uint32_t i = 0; i < l->n_places; i++) {
		const struct place *p = &l->places[i];
		struct dr_ledger_task_head th = { p->task.id,	   p->task.since, p->task.stage, p->task.slot,
						  p->task.attempt, p->task.pid,	  (uint32_t)p->name.n, 0 };

		if (!p->taken)
			continue;
		dr_buf_add(&l->out, &th, sizeof(th));
		dr_buf_addstr(&l->out, dr_buf_str(&p->name));
	}
	if (l->out.failed)
		return;
	h.length = l->out.n - sizeof(h);
	h.checksum = dr_hash64(l->out.p + sizeof(h), (size_t)h.length);
	memcpy(l->out.p, &h, sizeof(h));
}

static void
write_now(struct dr_ledger *l)
{
	uint32_t n = 0;

	l->changed = false;
	for (uint32_t i = 0; i < l->n_places; i++) {
		struct dr_ledger_task *t = &l->places[i].task;

		if (!l->places[i].taken)
			continue;
		n++;
		if (!t->pid && l->pid)
			t->pid = (uint32_t)l->pid(l->arg, t->slot);
		l->changed |= l->pid && !t->pid;
	}
	l->f.n_tasks = n;
	l->f.updated = dr_realtime();
	compose(l);
	if (!l->out.failed)
		(void)dr_pwrite_full(l->fd, l->out.p, l->out.n, 0);
}

int64_t
dr_ledger_tick(struct dr_ledger *l, int64_t now)
{
	if (!l || !l->changed)
		return -1;
	if (l->wrote && now - l->wrote < EVERY)
		return l->wrote + EVERY;
	l->wrote = now;
	write_now(l);
	return l->changed ? now + EVERY : -1;
}

void
dr_ledger_finish(struct dr_ledger *l, int signal)
{
	if (!l)
		return;
	for (uint32_t i = 0; i < l->n_places; i++)
		l->places[i].taken = false;
	for (uint32_t i = 0; i < l->f.n_stages; i++)
		l->stages[i].running = 0;
	l->f.ended = dr_realtime();
	l->f.signal = (uint32_t)signal;
	write_now(l);
}
