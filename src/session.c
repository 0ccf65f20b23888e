#include "config.h"

#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "hash.h"
#include "lex.h"
#include "os.h"
#include "stale-early.h"

extern char **environ;

void
dr_session_message(const struct dr_session *s, enum dr_level level, const char *text)
{
	if (s->host.message)
		s->host.message(s->host.arg, level, text);
}

static void
notice(const struct dr_session *s, const char *message)
{
	dr_session_message(s, DR_NOTICE, message);
}

/* All that is wrong with the Dagfile or the plan. */
int
dr_session_tell(struct dr_session *s, struct dr_diags *d, struct dr_err *err)
{
	struct dr_buf out = { 0 };

	if (!d->total)
		return -1;
	dr_diags_show(d, &out);
	dr_session_message(s, DR_DIAGNOSTIC, dr_buf_cstr(&out));
	dr_buf_free(&out);
	s->told = true;
	return dr_err_set(err, DR_USAGE, "the plan is wrong");
}

/* What make was told is ours to honour too. */
static int
add_makeflags(struct dr_session *s, struct dr_err *err)
{
	struct dr_options *o = &s->options;
	struct dr_makeflags *m = &s->makeflags;

	if (!s->from_make)
		return 0;
	if (dr_makeflags_parse(getenv("MAKEFLAGS"), getenv("MAKELEVEL"), getenv("CARGO_MAKEFLAGS"), m))
		return dr_err_nomem(err);
	o->dry_run |= m->n;
	o->question |= m->q;
	o->adopt |= m->t;
	o->keep_going |= m->k;
	o->ignore |= m->i;
	o->silent |= m->s;
	o->always |= m->B;
	o->explain |= m->trace;
	if (!o->load)
		o->load = m->load;
	if (!o->sync)
		o->sync = m->output_sync;
	return 0;
}

/* Directories. */

/* A file that somebody named and that cannot be opened is theirs to cure, unless it is the system that lacks something. */
static int
their_fault(struct dr_err *err)
{
	if (err->sys != EMFILE && err->sys != ENFILE && err->sys != ENOMEM && err->sys != EIO)
		err->code = DR_USAGE;
	return -1;
}

static int
open_root(struct dr_session *s, struct dr_err *err)
{
	const char *file = s->options.file, *slash;

	slash = file && !s->dagfile && strcmp(file, "-") ? strrchr(file, '/') : NULL;
	if (s->directory)
		dr_buf_adds(&s->path, s->directory);
	else if (slash)
		dr_buf_add(&s->path, file, slash == file ? 1 : (size_t)(slash - file));
	s->root_path = s->path.failed ? NULL : strdup(dr_buf_cstr(&s->path));
	dr_buf_reset(&s->path);
	if (!s->root_path)
		return dr_err_nomem(err);
	s->root = open(*s->root_path ? s->root_path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->root < 0) {
		dr_err_sys(err, errno, "open directory %s", *s->root_path ? s->root_path : ".");
		return their_fault(err);
	}
	return 0;
}

static int
read_dagfile(struct dr_session *s, struct dr_buf *text, struct dr_err *err)
{
	const char *file = s->options.file ? s->options.file : "Dagfile";

	/* With stages of C code a Dagfile is read only if one was named. */
	if (s->dagfile || (s->built && !s->options.file)) {
		dr_buf_adds(text, s->dagfile ? s->dagfile : "");
		return text->failed ? dr_err_nomem(err) : 0;
	}
	if (!strcmp(file, "-"))
		return dr_slurp_fd(STDIN_FILENO, text, "standard input", err);
	if (dr_slurp(AT_FDCWD, file, text, err) == 0)
		return 0;
	if (err->sys == ENOENT && !s->options.file)
		return dr_err_set(err, DR_USAGE,
				  "there is no Dagfile here; -f names another file, --map and --merge do without one");
	return their_fault(err);
}

/* What tells this Dagfile's rows from those of others that share the state: its name, or what a one-liner says. */
uint64_t
dr_session_origin(const struct dr_session *s)
{
	const struct dr_options *o = &s->options;
	const char *slash = o->file ? strrchr(o->file, '/') : NULL;
	const char *name = slash ? slash + 1 : o->file ? o->file : "Dagfile";
	struct dr_buf keys = { 0 };
	uint64_t h;

	/* Stages of C code by their names: what they do may change as a Dagfile's may. */
	for (uint32_t i = 0; s->built && i < s->built->n_stages; i++)
		dr_buf_add(&keys, s->built->stages[i].name, strlen(s->built->stages[i].name) + 1);
	if (!o->n_keys && !keys.n)
		return dr_hash64(name, strlen(name));
	for (uint32_t i = 0; i < o->n_keys; i++) {
		dr_buf_add(&keys, o->keys[i].key, strlen(o->keys[i].key) + 1);
		dr_buf_add(&keys, o->keys[i].value, strlen(o->keys[i].value) + 1);
	}
	h = dr_hash64(keys.p, keys.n);
	dr_buf_free(&keys);
	return h;
}

int
dr_session_parse(struct dr_session *s, struct dr_err *err)
{
	struct dr_parse_options po = {
		.root = s->root,
		.settings = s->options.settings,
		.n_settings = s->options.n_settings,
		.built = s->built,
	};
	struct dr_diags diags = { 0 };
	struct dr_buf text = { 0 };
	int rc;

	if (s->options.n_keys) {
		rc = dr_parse_oneliner(s->options.keys, s->options.n_keys, &po, &s->pipeline, &diags, err);
	} else {
		rc = read_dagfile(s, &text, err);
		if (rc == 0)
			rc = dr_parse(s->options.file ? s->options.file : "Dagfile", dr_buf_str(&text), &po, &s->pipeline,
				      &diags, err);
	}
	if (rc)
		dr_session_tell(s, &diags, err);
	dr_diags_free(&diags);
	dr_buf_free(&text);
	return rc;
}

/* The rows are looked at while the plan is made of them; of a few targets most would be looked at in vain. */
static void
on_rows(void *arg, const struct dr_plan *pl)
{
	struct dr_session *s = arg;

	if (!s->options.n_targets)
		s->early = dr_early_begin(s->disk, pl);
}

static void
on_rows_gone(void *arg)
{
	struct dr_session *s = arg;

	dr_early_free(s->early);
	s->early = NULL;
}

static int
make_plan(struct dr_session *s, struct dr_err *err)
{
	struct dr_plan_options po = {
		.n_targets = s->options.n_targets,
		.items = &s->items,
		.origin = dr_session_origin(s),
		.recorded = dr_session_recorded_tree,
		.recorded_arg = s,
		.rows_there = on_rows,
		.rows_go = on_rows_gone,
		.rows_arg = s,
	};
	struct dr_diags diags = { 0 };
	int rc = dr_session_place_targets(s, err);

	po.targets = s->targets;
	s->items = (struct dr_items_options){
		.root = s->root,
		.shell = &s->pipeline->shell,
		.envp = environ,
		.standard_input = s->options.file && !strcmp(s->options.file, "-") ? -1 : STDIN_FILENO,
	};
	if (rc == 0 && (rc = dr_plan_make(s->pipeline, &po, &s->plan, &diags, err)))
		dr_session_tell(s, &diags, err);
	dr_diags_free(&diags);
	return rc;
}

/* The state directory. What only looks makes nothing, and reads what it may. */

bool
dr_session_only_looks(const struct dr_session *s)
{
	return s->options.dry_run || s->options.question || s->options.graph != DR_GRAPH_NONE || s->options.export != DR_EXPORT_NONE ||
	       s->options.ask != DR_ASK_NONE;
}

/* Are there outputs of the stage that may be reclaimed? */
static bool
may_go(const struct dr_session *s, uint32_t stage)
{
	const struct dr_stage *st = &s->pipeline->stages[stage];

	return s->plan->stages[stage].n &&
	       (st->kind == DR_STAGE_MERGE ? st->keep != DR_KEEP_YES : st->keep == DR_KEEP_NO);
}

static int
use_stages(struct dr_session *s, struct dr_err *err)
{
	for (uint32_t i = 0; i < s->pipeline->n_stages && !dr_session_only_looks(s); i++)
		if (may_go(s, i) && dr_lock_use(s->lock, dr_plan_stage_key(s->plan, i), s->options.wait, err))
			return -1;
	return 0;
}

void
dr_session_unuse(struct dr_session *s)
{
	for (uint32_t i = 0; i < s->pipeline->n_stages; i++)
		if (may_go(s, i))
			dr_lock_unuse(s->lock, dr_plan_stage_key(s->plan, i));
}

/* First, before there is a plan, only what is there, as the plan goes on from the trees that the journal knows; then, with a plan that is
 * right, `make`. */
static int
open_state(struct dr_session *s, bool make, struct dr_err *err)
{
	bool look = !make || dr_session_only_looks(s);
	struct stat st;

	if (s->journal)
		return 0;
	if (!look && mkdirat(s->root, ".dagrun", 0777) && errno != EEXIST) {
		dr_err_sys(err, errno, "make the directory .dagrun");
		return -1;
	}
	if (s->state < 0)
		s->state = openat(s->root, ".dagrun", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->state < 0 && errno == ENOENT)
		return 0;
	if (s->state < 0) {
		dr_err_sys(err, errno, "open the directory .dagrun");
		err->code = DR_STATE;
		return -1;
	}
	if (look && fstatat(s->state, "journal", &st, 0) && errno == ENOENT)
		return 0;
	if (dr_lock_open(s->state, s->run, s->options.wait, &s->lock, &s->alone, err) &&
	    !(dr_session_only_looks(s) && (err->sys == EACCES || err->sys == EROFS)))
		return -1;
	if (s->alone)
		notice(s, "the file system of .dagrun knows no locks: no other dagrun may run here at the same time");
	return dr_journal_open(s->state, &s->journal, err);
}

static void
on_gone(void *arg, const char *message)
{
	notice(arg, message);
}

static int
on_crashed(void *arg, struct dr_err *err)
{
	return dr_session_end_orphans(arg, err);
}

int
dr_session_check(struct dr_session *s, struct dr_err *err)
{
	struct dr_stale_options so = {
		.always = s->options.always,
		/* What an exported file has made is no reason not to export again. */
		.adopt = s->options.adopt || s->options.export != DR_EXPORT_NONE,
		.dry = dr_session_only_looks(s),
		.lock = s->lock,
		.boot = s->boot,
		.crashed = on_crashed,
		.arg = s,
	};
	struct dr_diags diags = { 0 };
	int rc;

	do {
		so.early = s->early;
		rc = dr_stale_check(s->plan, s->journal, s->disk, &so, &s->stale, &s->counts, &diags, err);
		if (rc > 0 && dr_plan_again(s->plan, &diags, err))
			rc = -1;
	} while (rc > 0);
	if (rc == 0 && s->options.ask == DR_ASK_NONE)
		rc = dr_stale_rows(s->plan, s->state, dr_session_only_looks(s), on_gone, s, &diags, err);
	if (rc)
		dr_session_tell(s, &diags, err);
	dr_diags_free(&diags);
	return rc;
}

static void
tell_plural(struct dr_session *s, uint64_t n, const char *one, const char *many)
{
	char text[256];

	if (!n)
		return;
	snprintf(text, sizeof(text), "%" PRIu64 " %s", n, n == 1 ? one : many);
	notice(s, text);
}

void
dr_session_tell_findings(struct dr_session *s)
{
	if (s->findings_told)
		return;
	s->findings_told = true;
	tell_plural(s, s->plan->excluded, "file that the globs match is made by this Dagfile, and no input",
		    "files that the globs match are made by this Dagfile, and no inputs");
	tell_plural(s, s->counts.rolled, "output that was finished when a run died has its name now",
		    "outputs that were finished when a run died have their names now");
	dr_session_tell_changed(s);
	dr_session_tell_dispute(s);
	dr_session_tell_left(s);
	tell_plural(s, s->counts.unsynced,
		    "output was made before the machine was started anew, and is not known to have reached the disk: it is made again",
		    "outputs were made before the machine was started anew, and are not known to have reached the disk: they are "
		    "made again");
	tell_plural(s, s->counts.damaged, "byte of the journal is damaged and was passed over; what it told is made again",
		    "bytes of the journal are damaged and were passed over; what they told is made again");
}

int
dr_session_nothing_to_do(struct dr_session *s)
{
	char text[96];

	snprintf(text, sizeof(text), "nothing to do (%" PRIu64 " up to date)", s->counts.wanted);
	notice(s, text);
	return DR_OK;
}

int
dr_session_go(struct dr_session *s, int *signal_number, struct dr_err *err)
{
	*signal_number = 0;
	dr_session_tell_findings(s);
	/* Where nothing is to be made, a state that cannot be written is no reason to fail. */
	if (dr_session_record_trees(s, err) && (s->counts.stale || s->options.adopt))
		return (int)err->code;
	if (s->options.adopt)
		return dr_session_adopt(s, err) ? (int)err->code : DR_OK;
	if (dr_session_refuse_own(s, err) || dr_session_tidy(s, err))
		return (int)err->code;
	if (!s->counts.stale)
		return dr_session_nothing_to_do(s);
	dr_session_tell_words(s);
	dr_session_tell_redo(s);
	return dr_session_run(s, signal_number, err);
}

int
dr_session_open(struct dr_session *s, struct dr_err *err)
{
	if (add_makeflags(s, err))
		return -1;
	if (s->options.jobs == UINT32_MAX)
		s->options.jobs = dr_processors();
	if (!s->boot.id[0] && !s->boot.id[1])
		dr_boot(&s->boot);
	return open_root(s, err);
}

int
dr_session_plan(struct dr_session *s, struct dr_err *err)
{
	s->disk = dr_disk_real(s->root);
	if (!s->disk)
		return dr_err_nomem(err);
	if (dr_session_parse(s, err) || open_state(s, false, err) || make_plan(s, err))
		return -1;
	return open_state(s, true, err) || use_stages(s, err) || dr_session_check(s, err) ? -1 : 0;
}

void
dr_session_close(struct dr_session *s)
{
	for (uint32_t i = 0; i < s->n_target_copies; i++)
		free(s->target_copies[i]);
	free(s->target_copies);
	free(s->targets);
	dr_stale_free(s->stale);
	dr_session_free_trees(s);
	dr_session_compact(s);
	dr_journal_close(s->journal);
	dr_lock_close(s->lock);
	dr_plan_free(s->plan);
	dr_disk_free(s->disk);
	dr_pipeline_free(s->pipeline);
	dr_makeflags_free(&s->makeflags);
	dr_buf_free(&s->text);
	dr_buf_free(&s->path);
	dr_close(&s->state);
	dr_close(&s->root);
	free((char *)s->root_path);
}
