#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli.h"
#include "err.h"
#include "export.h"
#include "graphout.h"
#include "os.h"
#include "plan-values.h"
#include "query.h"

enum { FLUSH = 1 << 16 };

static int
flush(struct dr_buf *b, int fd, struct dr_err *err)
{
	if (b->failed)
		return dr_err_nomem(err);
	if (b->n && dr_write_full(fd, b->p, b->n))
		return dr_err_sys(err, errno, "write");
	dr_buf_reset(b);
	return 0;
}

static bool
to_run(const struct dr_plan *pl, uint32_t task)
{
	return pl->graph->tasks[task].state != DR_CLEAN && pl->graph->tasks[task].state != DR_UNWANTED;
}

int
dr_cli_dry_run(struct dr_session *s, struct dr_err *err)
{
	const struct dr_graph *g = s->plan->graph;
	struct dr_buf out = { 0 };
	int rc = 0;

	for (uint32_t i = 0; i < g->n_tasks && rc == 0; i++) {
		uint32_t t = g->order[i];
		struct dr_task_values tv;

		if (!to_run(s->plan, t))
			continue;
		if (s->options.explain) {
			dr_buf_adds(&out, "# ");
			rc = dr_stale_explain(s->stale, t, &out, err);
			dr_buf_addc(&out, '\n');
		}
		dr_task_values_init(&tv, s->plan, t);
		if (rc == 0)
			rc = dr_command_show(&dr_plan_stage(s->plan, t)->run, &tv.v, &out, err);
		if (out.n && out.p[out.n - 1] != '\n')
			dr_buf_addc(&out, '\n');
		if (rc == 0 && out.n >= FLUSH)
			rc = flush(&out, STDOUT_FILENO, err);
	}
	if (rc == 0)
		rc = flush(&out, STDOUT_FILENO, err);
	dr_buf_free(&out);
	return rc;
}

/* The task of --explain=TARGET: by its name, as it is shown, by its label, or by what it makes. */
static bool
is_called(struct dr_session *s, uint32_t task, const char *target)
{
	const struct dr_graph *g = s->plan->graph;
	uint32_t file = dr_graph_find(g, dr_str(target));

	if (file != DR_NONE && g->files[file].producer == task)
		return true;
	dr_buf_reset(&s->text);
	dr_plan_task_name(s->plan, task, &s->text);
	if (!strcmp(dr_buf_cstr(&s->text), target))
		return true;
	dr_buf_reset(&s->text);
	dr_plan_task_label(s->plan, task, &s->text);
	return !strcmp(dr_buf_cstr(&s->text), target) ||
	       dr_str_is(dr_plan_stage(s->plan, task)->name, target);
}

static bool
is_target(void *arg, uint32_t task)
{
	struct dr_session *s = arg;

	return is_called(s, task, s->options.explain_target);
}

/* -n and --explain for programs. */
static int
show_json(struct dr_session *s, int fd, struct dr_err *err)
{
	const char *target = s->options.explain_target;
	struct dr_query_plan p = { .plan = s->plan, .stale = s->stale, .only = target ? is_target : NULL, .arg = s };
	uint64_t n;

	if (dr_query_plan(&p, fd, &n, err))
		return -1;
	if (target && !n)
		return dr_err_set(err, DR_USAGE, "--explain=%s: there is no such task or stage", target);
	return 0;
}

int
dr_cli_explain(struct dr_session *s, int fd, struct dr_err *err)
{
	const struct dr_graph *g = s->plan->graph;
	const char *target = s->options.explain_target;
	struct dr_buf out = { 0 };
	uint32_t found = 0;
	int rc = 0;

	if (s->options.json)
		return show_json(s, fd, err);
	for (uint32_t i = 0; i < g->n_tasks && rc == 0; i++) {
		uint32_t t = g->order[i];

		if (target ? !is_called(s, t, target) : !to_run(s->plan, t))
			continue;
		found++;
		rc = dr_stale_explain(s->stale, t, &out, err);
		dr_buf_addc(&out, '\n');
		if (rc == 0 && out.n >= FLUSH)
			rc = flush(&out, fd, err);
	}
	if (rc == 0 && target && !found)
		rc = dr_err_set(err, DR_USAGE, "--explain=%s: there is no such task or stage", target);
	if (rc == 0)
		rc = flush(&out, fd, err);
	dr_buf_free(&out);
	return rc;
}

static uint32_t
terminal_width(int fd)
{
	struct winsize ws;

	return ioctl(fd, TIOCGWINSZ, &ws) == 0 ? ws.ws_col : 0;
}

bool
dr_cli_colour(const struct dr_session *s, int fd)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (s->options.colour != DR_COLOUR_AUTO)
		return s->options.colour == DR_COLOUR_ALWAYS;
	return isatty(fd) && !(no && *no) && !(term && !strcmp(term, "dumb"));
}

static int
flush_out(void *arg, struct dr_buf *out, struct dr_err *err)
{
	(void)arg;
	return flush(out, STDOUT_FILENO, err);
}

/* What runs now, and what has failed. */
static int
paint(struct dr_session *s, struct dr_err *err)
{
	struct dr_query_options o = {
		.state_dir = s->state,
		.journal = s->journal,
		.lock = s->lock,
		.disk = s->disk,
		.origin = dr_session_origin(s),
		.plan = s->plan,
		.fd = STDOUT_FILENO,
	};
	struct dr_query *q;

	if (!s->journal)
		return 0;
	q = dr_query_new(&o, err);
	if (!q)
		return -1;
	dr_query_paint(q);
	dr_query_free(q);
	return 0;
}

int
dr_cli_graph(struct dr_session *s, struct dr_err *err)
{
	struct dr_graph_json_options json = { .flush = flush_out };
	bool terminal = isatty(STDOUT_FILENO);
	enum dr_graph_format f = s->options.graph;
	struct dr_buf out = { 0 };
	struct statvfs fs;
	struct dr_graph_text_options o = {
		.width = terminal_width(STDOUT_FILENO),
		.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8"),
		.colour = dr_cli_colour(s, STDOUT_FILENO),
		.free_bytes = fstatvfs(s->root, &fs) ? UINT64_MAX : (uint64_t)fs.f_bavail * fs.f_frsize,
	};
	int rc = paint(s, err);

	if (f == DR_GRAPH_AUTO)
		f = terminal ? DR_GRAPH_TEXT : DR_GRAPH_DOT;
	if (rc)
		return rc;
	switch (f) {
	case DR_GRAPH_TEXT: rc = dr_graph_text(s->plan, &o, &out, err); break;
	case DR_GRAPH_SVG: rc = dr_graph_svg(s->plan, &out, err); break;
	case DR_GRAPH_HTML: rc = dr_graph_html(s->plan, &out, err); break;
	case DR_GRAPH_MERMAID: rc = dr_graph_mermaid(s->plan, &out, err); break;
	case DR_GRAPH_JSON: rc = dr_graph_json(s->plan, &json, err); break;
	default: rc = dr_graph_dot(s->plan, s->options.full, &out, err); break;
	}
	if (rc == 0)
		rc = flush(&out, STDOUT_FILENO, err);
	dr_buf_free(&out);
	return rc;
}

int
dr_cli_export(struct dr_session *s, struct dr_err *err)
{
	struct dr_buf notices = { 0 };
	struct dr_export_options o = { .format = s->options.export, .flush = flush_out, .notices = &notices };
	int rc = dr_export(s->plan, &o, err);

	for (size_t at = 0; at < notices.n && (rc || !s->options.silent);) {
		size_t n = strcspn(notices.p + at, "\n");

		fprintf(stderr, "dagrun: --export: %.*s\n", (int)n, notices.p + at);
		at += n + 1;
	}
	dr_buf_free(&notices);
	return rc;
}
