#include "config.h"

#include "jobserver.h"

#include "arena.h"
#include "err.h"
#include "guardian.h"
#include "jobserver-pool.h"

#include <errno.h>
#include <stdlib.h>

enum {
	SURELY = 4096,  /* what a pipe holds for sure: a pool that is no larger can wait until it is needed */
	USUAL = 1 << 16, /* what one mostly holds, and so the most tokens where nobody tells how many there are */
};

struct dr_jobserver {
	struct dr_pool pool;
	struct dr_server *server; /* NULL: another's pool */
	bool client, gone, without_pool;
	enum dr_style style;
	bool fifo;        /* some child is to be told of one */
	int inherited[2]; /* the descriptors by which the pool came, -1: another way */
	struct dr_pool_env envs[DR_STYLES];
	bool told[DR_STYLES]; /* of its environment nothing can change any more */
	uint32_t limit; /* of our share of another's pool */
	uint32_t held;
	struct dr_guardian *guardian; /* or NULL */
	struct dr_guard_table *table; /* where tokens are; the guardian's, or our own if it is not guarded */
	bool guarded;
	uint32_t *tokens, cap_tokens; /* slots of those that we hold: one less than held, if any */
	uint32_t next;                /* where to look for a free one */
	void (*warn)(void *arg, const char *message);
	void *warn_arg;
};

static void
warn(const struct dr_jobserver *js, const char *message)
{
	if (js->warn && message)
		js->warn(js->warn_arg, message);
}

/* Our own pool, made when it is first needed: a run that finds all up to date leaves nothing behind. */
static int
start(struct dr_jobserver *js, struct dr_err *err)
{
	const char *without = NULL;

	if (dr_server_start(js->server, &without, err))
		return -1;
	warn(js, without);
	return 0;
}

static int
serve(struct dr_jobserver *js, uint32_t jobs, struct dr_err *err)
{
	js->server = dr_server_new(jobs, js->fifo, &js->pool, err);
	return js->server ? 0 : -1;
}

/* How many a pipe holds is to be known before tasks are laid out. */
static int
start_large(struct dr_jobserver *js, struct dr_err *err)
{
	return js->server && dr_server_jobs(js->server) > SURELY ? start(js, err) : 0;
}

/* The pool behind the first address that leads to one: 1; 0: none does, and `why` says what is wrong with
 * the first; -1 with err. */
static int
join_any(struct dr_jobserver *js, const struct dr_jobserver_options *o, struct dr_buf *why, struct dr_err *err)
{
	struct dr_buf more = { 0 };
	int rc = 0;

	for (unsigned i = 0; i < o->flags->n_auths && rc == 0; i++) {
		const struct dr_auth_name *name = &o->flags->auths[i];

		rc = dr_pool_join(&js->pool, name, i ? &more : why, err);
		if (rc <= 0)
			continue;
		js->limit = name->jobs ? name->jobs : UINT32_MAX;
		js->inherited[0] = name->read_fd;
		js->inherited[1] = name->write_fd;
	}
	dr_buf_free(&more);
	return rc;
}

/* A jobserver is named. */
static int
join(struct dr_jobserver *js, const struct dr_jobserver_options *o, struct dr_err *err)
{
	struct dr_buf why = { 0 };
	int rc = join_any(js, o, &why, err);

	if (rc < 0)
		goto out;
	if (rc > 0) {
		js->client = true;
		if (o->jobs && o->jobs < js->limit)
			js->limit = o->jobs;
		rc = 0;
		goto out;
	}
	js->limit = 1;
	/* Who asked for one at a time loses nothing. */
	if (o->jobs != 1)
		warn(js, why.failed ? "the jobserver cannot be used; one task at a time" : why.p);
	/* A child is spared the dead words, but may know a style that we don't. */
	if (o->flags->auths[0].auth != DR_AUTH_UNKNOWN)
		rc = serve(js, 1, err);
out:
	dr_buf_free(&why);
	return rc;
}

static uint32_t
jobs_of(const struct dr_jobserver_options *o)
{
	if (o->jobs)
		return o->jobs;
	/* MAKEFLAGS=-j8 that a person has set, without a make. */
	if (o->flags->jobs)
		return o->flags->jobs;
	/* make -j is of those who want no limit; a make without -j does one thing at a time, and so do we below it. */
	return (o->flags->make && !o->flags->unlimited) || !o->processors ? 1 : o->processors;
}

int
dr_jobserver_open(const struct dr_jobserver_options *o, struct dr_jobserver **out, struct dr_err *err)
{
	struct dr_jobserver *js = calloc(1, sizeof(*js));
	int rc;

	*out = NULL;
	if (!js)
		return dr_err_nomem(err);
	js->limit = 1;
	js->pool = DR_POOL_NONE;
	js->inherited[0] = js->inherited[1] = -1;
	js->style = o->style == DR_STYLE_DEFAULT ? DR_STYLE_BOTH : o->style;
	js->fifo = (o->styles | 1U << js->style) & (1U << DR_STYLE_BOTH | 1U << DR_STYLE_FIFO);
	js->warn = o->warn;
	js->warn_arg = o->warn_arg;
	rc = o->flags->n_auths ? join(js, o, err) : serve(js, jobs_of(o), err);
	if (rc == 0 && !o->guarded)
		rc = start_large(js, err);
	if (rc) {
		dr_jobserver_close(js);
		return -1;
	}
	*out = js;
	return 0;
}

void
dr_jobserver_close(struct dr_jobserver *js)
{
	if (!js)
		return;
	while (js->held)
		dr_jobserver_give(js, NULL);
	dr_server_free(js->server);
	dr_pool_close(&js->pool);
	for (int i = 0; i < DR_STYLES; i++)
		dr_pool_env_free(&js->envs[i]);
	if (!js->guarded)
		dr_guard_table_free(js->table);
	free(js->tokens);
	free(js);
}

void
dr_jobserver_guarded(struct dr_jobserver *js, int *pool, int *via)
{
	*pool = *via = -1;
	if (!js->client)
		return;
	dr_pool_via(&js->pool);
	*pool = js->pool.w;
	*via = js->pool.via[0];
}

int
dr_jobserver_guard(struct dr_jobserver *js, struct dr_guardian *g, struct dr_err *err)
{
	js->guardian = g;
	js->table = dr_guardian_table(g);
	js->guarded = js->table != NULL;
	if (js->server && js->guarded)
		dr_server_tell(js->server, js->table->dir, sizeof(js->table->dir));
	return start_large(js, err);
}

bool
dr_jobserver_client(const struct dr_jobserver *js)
{
	return js->client;
}

uint32_t
dr_jobserver_limit(const struct dr_jobserver *js)
{
	return js->server ? dr_server_jobs(js->server) : js->limit;
}

uint32_t
dr_jobserver_held(const struct dr_jobserver *js)
{
	return js->held;
}

/* Whether another slot could be had from the pool. */
static bool
may_have_more(const struct dr_jobserver *js)
{
	return js->held && js->held < dr_jobserver_limit(js) && !js->gone;
}

/* A slot for one more token, and a place to remember it; NULL: there is none. */
static struct dr_guard_slot *
place(struct dr_jobserver *js)
{
	uint32_t limit = dr_jobserver_limit(js), n;

	if (!js->table)
		js->table = dr_guard_table_new(limit == UINT32_MAX ? USUAL : limit);
	/* No more than the table has slots for tasks. */
	if (!js->table || js->held >= js->table->n_slots || dr_grow(&js->tokens, &js->cap_tokens, js->held, sizeof(*js->tokens)))
		return NULL;
	/* Those that are on their way back are in the way, but not for long. */
	n = atomic_load(&js->table->used);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = js->next < n ? js->next : 0;

		js->next = at + 1;
		if (atomic_load(&js->table->slots[at].token) == DR_TOKEN_FREE)
			return &js->table->slots[at];
	}
	return n < js->table->n_slots ? dr_guard_slot(js->table, n) : NULL;
}

int
dr_jobserver_take(struct dr_jobserver *js, struct dr_err *err)
{
	struct dr_guard_slot *s;
	int rc;

	if (!js->held) {
		js->held = 1;
		return 1;
	}
	if (!may_have_more(js))
		return 0;
	if (js->server && start(js, err)) {
		/* No descriptors now; there may be some when a task has ended. */
		if (!js->without_pool)
			warn(js, "a pool for the jobserver cannot be made; one task at a time until it can");
		js->without_pool = true;
		return 0;
	}
	/* Its place first: a byte that is read must not be lost. */
	s = place(js);
	if (!s)
		return 0;
	rc = dr_pool_read(&js->pool, s);
	if (rc > 0) {
		js->tokens[js->held++ - 1] = (uint32_t)(s - js->table->slots);
		return 1;
	}
	if (rc < 0 && errno == EAGAIN)
		return 0;
	js->gone = true;
	return rc < 0 ? dr_err_sys(err, errno, "read a token of the jobserver")
		      : dr_err_set(err, DR_FAILED, "the jobserver has gone");
}

int
dr_jobserver_give(struct dr_jobserver *js, struct dr_err *err)
{
	struct dr_guard_slot *s;
	int rc;

	if (!js->held)
		return 0;
	/* The slot that costs no byte goes last. */
	if (--js->held == 0)
		return 0;
	s = &js->table->slots[js->tokens[js->held - 1]];
	if (js->client) {
		atomic_store(&s->token, DR_TOKEN_RETURNING);
		if (dr_guardian_wake(js->guardian))
			return 0;
	}
	rc = dr_pool_write(&js->pool, (char)s->byte);
	atomic_store(&s->token, DR_TOKEN_FREE);
	if (rc) {
		js->gone = true;
		return dr_err_sys(err, errno, "give a token back to the jobserver");
	}
	return 0;
}

int
dr_jobserver_poll_fd(const struct dr_jobserver *js)
{
	return may_have_more(js) ? js->pool.r : -1;
}

static enum dr_style
style_of(const struct dr_jobserver *js, enum dr_style style)
{
	return style == DR_STYLE_DEFAULT ? js->style : style;
}

const char *const *
dr_jobserver_env(struct dr_jobserver *js, enum dr_style style)
{
	static const char *const unchanged[] = { NULL };
	struct dr_pool_address a = { .r = -1, .w = -1, .style = DR_STYLE_NONE };
	const char *without;

	style = style_of(js, style);
	if (!js->server && style != DR_STYLE_NONE)
		return unchanged;
	if (js->told[style])
		return js->envs[style].envp;
	/* Where it cannot be made now, the child does without. */
	if (js->server && dr_server_start(js->server, &without, NULL) == 0)
		warn(js, without);
	if (js->server)
		a = dr_server_address(js->server, style);
	dr_pool_env_make(&js->envs[style], &a);
	js->told[style] = !js->server || dr_server_started(js->server) || a.jobs <= 1;
	return js->envs[style].envp;
}

int
dr_jobserver_child_fds(struct dr_jobserver *js, enum dr_style style, int *fd, int *to_r, int *to_w,
		       struct dr_err *err)
{
	*to_r = *to_w = -1;
	if (!js->server)
		return 0;
	if (start(js, err))
		return -1;
	return dr_server_child_fds(js->server, style_of(js, style), fd, to_r, to_w, err);
}

void
dr_jobserver_hidden(const struct dr_jobserver *js, enum dr_style style, int fds[2])
{
	bool hidden = style_of(js, style) == DR_STYLE_NONE;

	for (int i = 0; i < 2; i++)
		fds[i] = hidden ? js->inherited[i] : -1;
}

int64_t
dr_jobserver_reconcile(struct dr_jobserver *js, bool *held)
{
	if (held)
		*held = false;
	return js->server ? dr_server_reconcile(js->server, js->held ? js->held - 1 : 0, held) : 0;
}
