#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "cli.h"
#include "err.h"
#include "os.h"
#include "query.h"

extern char **environ;

/* One question: what it needs beside the session's. */
struct ask {
	struct dr_session *session;
	enum dr_ask what;
	struct dr_query *query;
	struct dr_buf notice, no_plan;
	const char **stages; /* the names of all stages, as targets */
	uint64_t origin;
	bool checked; /* the plan was held against the files */
};

static const char *const names[] = {
	[DR_ASK_STATUS] = "--status", [DR_ASK_FAILED] = "--failed", [DR_ASK_LOG] = "--log",
	[DR_ASK_CLEAN] = "--clean",   [DR_ASK_FORGET] = "--forget",
};

/* Whether there is a Dagfile to read. Where none is named and none is there, all that is in the state is asked about. */
static bool
has_dagfile(const struct dr_session *s)
{
	return s->options.file || s->options.n_keys || faccessat(s->root, "Dagfile", F_OK, 0) == 0;
}

/* A generator whose rows are not to be had now: it would run a command, or read what is not there twice. */
static const struct dr_args *
out_of_reach(const struct ask *a)
{
	const struct dr_pipeline *p = a->session->pipeline;

	for (uint32_t i = 0; i < p->n_args; i++) {
		const struct dr_args *args = &p->args[i];
		const struct dr_template *file = args->n_words ? &args->words[0] : NULL;

		if ((args->kind == DR_GEN_COMMAND || args->kind == DR_GEN_COMMAND0) && a->what != DR_ASK_FORGET)
			return args;
		if (args->kind >= DR_GEN_LINES && file && file->n == 1 && dr_str_is(file->pieces[0].text, "-"))
			return args;
	}
	return NULL;
}

/* All stages, whatever the Dagfile's default is: a task that nobody asks for today is no orphan. */
static int
plan_all(struct ask *a, struct dr_err *err)
{
	struct dr_session *s = a->session;
	const struct dr_pipeline *p = s->pipeline;
	bool all = a->what != DR_ASK_STATUS;
	struct dr_plan_options po = {
		.items = &s->items, .origin = a->origin, .recorded = dr_session_recorded_tree, .recorded_arg = s
	};
	struct dr_diags diags = { 0 };
	int rc;

	a->stages = calloc((size_t)p->n_stages + 1, sizeof(*a->stages));
	if (!a->stages)
		return dr_err_nomem(err);
	for (uint32_t i = 0; i < p->n_stages; i++) {
		char *name = dr_arena_strndup(&s->pipeline->arena, p->stages[i].name.p, p->stages[i].name.n);

		if (!name)
			return dr_err_nomem(err);
		a->stages[i] = name;
	}
	po.targets = all ? a->stages : s->targets;
	po.n_targets = all ? p->n_stages : s->options.n_targets;
	s->items = (struct dr_items_options){
		.root = s->root, .shell = &p->shell, .envp = environ, .standard_input = -1
	};
	rc = dr_plan_make(p, &po, &s->plan, &diags, err);
	if (rc && diags.total) {
		/* The journal alone answers most questions; the others need to know what is wrong. */
		dr_buf_adds(&a->no_plan, "what the Dagfile makes is not known, since its plan has errors");
		rc = dr_session_tell(s, &diags, err);
	}
	dr_diags_free(&diags);
	return rc;
}

/* The plan, where one is of use and to be had. 0 also without; -1 with err. */
static int
try_plan(struct ask *a, struct dr_err *err)
{
	struct dr_session *s = a->session;
	const struct dr_args *args;
	bool orphans = a->what == DR_ASK_CLEAN && s->options.clean_orphans;

	if (!s->pipeline || (a->what == DR_ASK_CLEAN && s->options.clean_all))
		return orphans ? dr_err_set(err, DR_USAGE, "--orphans needs the Dagfile that says what is none") : 0;
	args = out_of_reach(a);
	if (!args)
		return plan_all(a, err);
	dr_buf_adds(&a->no_plan, "the rows of '");
	dr_buf_escape(&a->no_plan, args->name);
	dr_buf_addf(&a->no_plan, "' come from %s for %s",
		    args->kind == DR_GEN_COMMAND || args->kind == DR_GEN_COMMAND0 ? "a command, which is not run" :
										   "standard input, which is not read",
		    names[a->what]);
	return orphans ? dr_err_set(err, DR_USAGE, "%s", dr_buf_cstr(&a->no_plan)) : 0;
}

/* What is changed needs a lock; what is only read does not. */
static int
open_state(struct ask *a, struct dr_err *err)
{
	struct dr_session *s = a->session;
	bool changes = (a->what == DR_ASK_CLEAN && !s->options.dry_run) || a->what == DR_ASK_FORGET;
	struct stat st;

	s->state = openat(s->root, ".dagrun", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->state < 0) {
		if (errno == ENOENT)
			return 0;
		dr_err_sys(err, errno, "open the directory .dagrun");
		err->code = DR_STATE;
		return -1;
	}
	if (fstatat(s->state, "journal", &st, 0) && errno == ENOENT)
		return 0;
	if (changes ? dr_lock_open(s->state, s->run, s->options.wait, &s->lock, &s->alone, err) :
		      dr_lock_look(s->state, &s->lock, err))
		return -1;
	if (changes && a->what == DR_ASK_CLEAN && !dr_lock_exclude(s->lock))
		return dr_err_set(err, DR_STATE,
				  "another dagrun is at work here, and may need what --clean would remove; try again when it is done");
	return dr_journal_open(s->state, &s->journal, err);
}

static int
open_query(struct ask *a, struct dr_err *err)
{
	struct dr_session *s = a->session;
	struct dr_query_options o = {
		.state_dir = s->state,
		.journal = s->journal,
		.lock = s->lock,
		.disk = s->disk,
		.origin = a->what == DR_ASK_LOG || a->what == DR_ASK_FORGET ? 0 : a->origin,
		.plan = s->plan,
		.no_plan = a->no_plan.n ? dr_buf_cstr(&a->no_plan) : NULL,
		.fd = STDOUT_FILENO,
		.json = s->options.json,
		.silent = s->options.silent,
		.notice = &a->notice,
	};

	dr_query_free(a->query);
	a->query = dr_query_new(&o, err);
	return a->query ? 0 : -1;
}

static int
choose(struct ask *a, struct dr_err *err)
{
	const struct dr_options *o = &a->session->options;

	if (o->clean_all)
		return dr_query_choose_all(a->query, err);
	if (o->clean_orphans)
		return dr_query_choose_orphans(a->query, err);
	return dr_query_choose(a->query, a->session->targets, o->n_targets, err);
}

/* 0 with a plan, or with none as there is no Dagfile, or its rows are not to be had; -1 with err. check: it is held against the files. */
static int
plan_status(struct ask *a, bool check, struct dr_err *err)
{
	struct dr_session *s = a->session;

	if (!has_dagfile(s))
		return dr_session_place_targets(s, err);
	if (dr_session_parse(s, err) || dr_session_place_targets(s, err) || try_plan(a, err))
		return -1;
	if (!check || !s->plan)
		return 0;
	a->checked = dr_session_check(s, err) == 0;
	return a->checked ? 0 : -1;
}

/* While a run is on it tells more than the files do; afterwards these are looked at. */
static int
status(struct ask *a, struct dr_err *err)
{
	struct dr_session *s = a->session;
	bool busy = dr_query_busy(a->query), named = s->options.n_targets > 0;
	struct dr_err why = { 0 };
	int rc = busy && !named ? 0 : plan_status(a, !busy, &why);

	if (rc)
		*err = why;
	/* What the runs say is worth saying all the same, but to who asked for something that is not known. */
	if ((rc && named) || (!busy && open_query(a, rc ? &why : err)))
		return -1;
	if (named && !s->plan && choose(a, err))
		return -1;
	if (!busy && a->no_plan.n && rc == 0 && !s->options.silent)
		dr_buf_addf(&a->notice, "dagrun: what is up to date now is not known: %s\n", dr_buf_cstr(&a->no_plan));
	return dr_query_status(a->query, a->checked ? &s->counts : NULL, rc ? NULL : err) || rc ? -1 : 0;
}

static int
clean(struct ask *a, struct dr_err *err)
{
	struct dr_session *s = a->session;
	uint64_t left;

	if (dr_query_clean(a->query, s->options.dry_run, s->options.clean_orphans, &left, err))
		return -1;
	return s->journal && dr_journal_pending(s->journal) ? dr_journal_flush(s->journal, err) : 0;
}

static int
forget(struct ask *a, struct dr_err *err)
{
	struct dr_session *s = a->session;
	uint64_t n = 0;

	if (dr_query_forget(a->query, &n, err) ||
	    (s->journal && dr_journal_pending(s->journal) && dr_journal_flush(s->journal, err)))
		return -1;
	if (!s->options.silent)
		dr_buf_addf(&a->notice, "dagrun: %" PRIu64 " record%s dropped\n", n, n == 1 ? "" : "s");
	return 0;
}

/* The exit status, or -1 with err. */
static int
answer(struct ask *a, struct dr_err *err)
{
	bool named = a->session->options.n_targets > 0;
	uint64_t n = 0;

	switch (a->what) {
	case DR_ASK_STATUS: return status(a, err);
	case DR_ASK_FAILED:
		if ((named && choose(a, err)) || dr_query_failed(a->query, named, &n, err))
			return -1;
		return n ? DR_FAILED : DR_OK;
	case DR_ASK_LOG: return choose(a, err) || dr_query_log(a->query, err) ? -1 : 0;
	case DR_ASK_CLEAN: return choose(a, err) || clean(a, err) ? -1 : 0;
	case DR_ASK_FORGET: return choose(a, err) || forget(a, err) ? -1 : 0;
	case DR_ASK_NONE: break;
	}
	return 0;
}

static int
prepare(struct ask *a, struct dr_err *err)
{
	struct dr_session *s = a->session;

	s->disk = dr_disk_real(s->root);
	if (!s->disk)
		return dr_err_nomem(err);
	if (has_dagfile(s))
		a->origin = dr_session_origin(s);
	/* How a run does can be said while somebody is at work on its Dagfile. */
	if (a->what != DR_ASK_STATUS && has_dagfile(s) && dr_session_parse(s, err))
		return -1;
	/* The plan goes on from what the journal knows. */
	if (open_state(a, err))
		return -1;
	if (a->what != DR_ASK_STATUS && (dr_session_place_targets(s, err) || try_plan(a, err)))
		return -1;
	return open_query(a, err);
}

int
dr_cli_query(struct dr_session *s, struct dr_err *err)
{
	struct ask a = { .session = s, .what = s->options.ask };
	int rc = prepare(&a, err) ? -1 : answer(&a, err);

	if (a.notice.n)
		(void)dr_write_full(STDERR_FILENO, a.notice.p, a.notice.n);
	dr_query_free(a.query);
	dr_buf_free(&a.notice);
	dr_buf_free(&a.no_plan);
	free(a.stages);
	return rc;
}
