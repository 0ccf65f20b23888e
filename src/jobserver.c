#include "config.h"

#include "jobserver.h"

#include "err.h"
#include "jobserver-pool.h"

#include <errno.h>
#include <stdlib.h>

/* What a pipe holds for sure. A pool that is no larger can wait until it is needed. */
enum { SURELY = 4096 };

struct dr_jobserver {
	struct dr_pool pool;
	struct dr_server *server; /* NULL: another's pool */
	bool client, gone, without_pool;
	uint32_t limit; /* of our share of another's pool */
	uint32_t held;
	struct dr_buf bytes; /* the tokens that we hold: one less than slots, if any */
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
	js->server = dr_server_new(jobs, &js->pool, err);
	if (!js->server)
		return -1;
	/* How many a pipe holds is to be known before tasks are laid out. */
	return jobs > SURELY ? start(js, err) : 0;
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
		js->limit = rc > 0 && name->jobs ? name->jobs : UINT32_MAX;
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
	return o->flags->make || !o->processors ? 1 : o->processors;
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
	js->warn = o->warn;
	js->warn_arg = o->warn_arg;
	rc = o->flags->n_auths ? join(js, o, err) : serve(js, jobs_of(o), err);
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
	dr_buf_free(&js->bytes);
	free(js);
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
	return js->held && js->held < dr_jobserver_limit(js) && !js->gone && !js->bytes.failed;
}

int
dr_jobserver_take(struct dr_jobserver *js, struct dr_err *err)
{
	char *to;
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
	to = dr_buf_room(&js->bytes, 1);
	if (!to)
		return 0;
	rc = dr_pool_read(&js->pool, to);
	if (rc > 0) {
		js->bytes.n++;
		js->held++;
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
	if (!js->held)
		return 0;
	/* The slot that costs no byte goes last. */
	if (--js->held == 0)
		return 0;
	js->bytes.n--;
	if (dr_pool_write(&js->pool, js->bytes.p[js->bytes.n])) {
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

const char *const *
dr_jobserver_env(const struct dr_jobserver *js)
{
	static const char *const unchanged[] = { NULL };
	const char *without;

	if (!js->server)
		return unchanged;
	/* Where it cannot be made now, the child does without. */
	if (dr_server_start(js->server, &without, NULL) == 0)
		warn(js, without);
	return dr_server_env(js->server);
}

int
dr_jobserver_child_fds(struct dr_jobserver *js, int *r, int *w, int *to_r, int *to_w, struct dr_err *err)
{
	*r = *w = *to_r = *to_w = -1;
	if (!js->server)
		return 0;
	if (start(js, err))
		return -1;
	return dr_server_child_fds(js->server, r, w, to_r, to_w, err);
}

int64_t
dr_jobserver_reconcile(struct dr_jobserver *js)
{
	return js->server ? dr_server_reconcile(js->server, js->held ? js->held - 1 : 0) : 0;
}

void
dr_jobserver_remove(struct dr_jobserver *js)
{
	if (js->server)
		dr_server_remove(js->server);
}
