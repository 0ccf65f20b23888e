#include "config.h"

#include "report-private.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "err.h"
#include "os.h"
#include "page-text.h"
#include "plan-values.h"

static const struct {
	const char *id, *title;
} sections[] = {
	{ "summary", "Summary" },           { "failures", "Failures" }, { "the-tree", "The tree" },
	{ "over-time", "Slots over time" }, { "use", "Utilisation" },   { "path", "The critical path" },
	{ "slowest", "Slowest tasks" },     { "stages", "Stages" },
};
enum { SECTIONS = sizeof(sections) / sizeof(*sections) };

static void
begin_section(struct dr_page *p, unsigned i)
{
	if (i)
		dr_buf_adds(p->out, "</section>\n");
	dr_buf_addf(p->out, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">%s</h2>\n", sections[i].id,
		    sections[i].id, sections[i].title);
}

static const char *
state_of(const struct dr_report *r)
{
	if (!r->over)
		return "running";
	if (r->signal)
		return "stopped";
	return !r->b.slots ? "nothing to do" : r->failed ? "failed" : "done";
}

static void
put_time(struct dr_buf *out, int64_t real)
{
	time_t seconds = (time_t)(real / 1000000000);
	struct tm tm;
	char text[64];

	if (localtime_r(&seconds, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &tm))
		dr_buf_adds(out, text);
}

static void
add_fact(struct dr_page *p, const char *what)
{
	dr_buf_addf(p->out, "<dt>%s</dt>", what);
	dr_page_put(p, "<dd>", "</dd>\n");
}

static void
add_state(struct dr_report_view *v)
{
	const struct dr_report *r = v->r;
	struct dr_page *p = &v->page;

	dr_buf_adds(&p->text, state_of(r));
	if (r->signal)
		dr_buf_addf(&p->text, " by %s", dr_signal_name(r->signal));
	if (!r->over) {
		dr_buf_adds(&p->text, ", as of ");
		put_time(&p->text, r->b.real + v->now);
		dr_buf_adds(&p->text, "; this page is written again now and then");
	}
	add_fact(p, "state");
	put_time(&p->text, r->b.real);
	add_fact(p, "began");
	if (r->b.slots) {
		dr_buf_duration(&p->text, v->now);
		add_fact(p, r->over ? "took" : "so far");
	}
}

static void
add_totals(struct dr_report_view *v)
{
	const struct dr_report *r = v->r;
	struct dr_page *p = &v->page;
	uint64_t retried = 0, cpu = 0, peak = 0;
	double busy = 0;

	for (uint32_t i = 0; i < v->n; i++) {
		const struct dr_report_try *t = &r->tries[i];

		retried += t->result == DR_TRY_RETRIED;
		cpu += t->cpu_ms;
		busy += (double)dr_try_took(t);
		peak = t->peak_kb > peak ? t->peak_kb : peak;
	}
	dr_buf_count(&p->text, v->n);
	if (retried) {
		dr_buf_adds(&p->text, ", of which ");
		dr_buf_count(&p->text, retried);
		dr_buf_adds(&p->text, " failed and were repeated");
	}
	add_fact(p, "tries");
	dr_buf_duration(&p->text, (int64_t)(busy < 9e18 ? busy : 9e18));
	dr_buf_adds(&p->text, " of tasks, ");
	dr_buf_duration(&p->text, cpu < INT64_MAX / 1000000 ? (int64_t)cpu * 1000000 : INT64_MAX);
	dr_buf_adds(&p->text, " of processors");
	add_fact(p, "time in all");
	dr_buf_bytes(&p->text, peak * 1024);
	add_fact(p, "most memory of a task");
}

static void
add_summary(struct dr_report_view *v)
{
	const struct dr_report *r = v->r;
	struct dr_page *p = &v->page;

	dr_buf_adds(p->out, "<dl>\n");
	add_state(v);
	dr_html_sum(&v->tree.rows, &p->text);
	add_fact(p, "tasks");
	if (r->b.slots) {
		dr_buf_count(&p->text, r->b.slots);
		add_fact(p, "slots");
	}
	if (v->n)
		add_totals(v);
	dr_buf_adds(p->out, "</dl>\n");
	if (r->incomplete)
		dr_buf_adds(p->out, "<p class=\"bad\">There was not memory enough to keep all that happened: "
				    "some tries are missing here.</p>\n");
}

/* Text of several lines. Its backslashes stay as they are: these are read as text, not as names. */
static void
add_text(struct dr_page *p, const char *text)
{
	dr_buf_adds(p->out, "<pre>");
	while (*text) {
		size_t n = strcspn(text, "\n\t\\");

		dr_page_escape(p->out, (struct dr_str){ text, n });
		text += n;
		if (*text)
			dr_buf_addc(p->out, *text++);
	}
	dr_buf_adds(p->out, "</pre>\n");
}

/* Its command as one could paste it. */
static void
add_command(struct dr_report_view *v, uint32_t task)
{
	struct dr_page *p = &v->page;
	struct dr_task_values tv;
	struct dr_buf shown = { 0 };

	dr_task_values_init(&tv, v->plan, task);
	if (dr_command_show(&dr_plan_stage(v->plan, task)->run, &tv.v, &shown, NULL) == 0)
		add_text(p, dr_buf_cstr(&shown));
	p->out->failed |= shown.failed;
	dr_buf_free(&shown);
}

static void
add_failure(struct dr_report_view *v, const struct dr_report_failure *f)
{
	const struct dr_report_try *t = &v->r->tries[f->try];
	const struct dr_stage *st = dr_plan_stage(v->plan, t->task);
	struct dr_page *p = &v->page;

	dr_plan_task_name(v->plan, t->task, &p->text);
	dr_page_put(p, "<h3>", "</h3>\n");
	dr_buf_adds(&p->text, f->why);
	dr_page_put(p, "<p><span class=\"bad\">", "</span>");
	dr_buf_addstr(&p->text, st->name);
	if (st->retries)
		dr_buf_addf(&p->text, ", try %u of %" PRIu32, t->tries, st->retries + 1);
	if (t->slot) {
		dr_buf_addf(&p->text, ", in slot %" PRIu32 " after ", t->slot);
		dr_buf_duration(&p->text, dr_try_took(t));
	}
	dr_page_put(p, ", ", "</p>\n");
	add_command(v, t->task);
	dr_buf_addf(p->out, "<p class=\"soft\">%s</p>\n",
		    f->lines ? "The last lines that it printed:"
			     : "It printed nothing, or nothing that was kept.");
	if (f->lines)
		add_text(p, f->lines);
}

static void
add_failures(struct dr_report_view *v)
{
	const struct dr_report *r = v->r;

	if (!r->failed)
		dr_buf_adds(v->page.out, r->over || !v->n ? "<p>Nothing has failed.</p>\n"
							  : "<p>Nothing has failed so far.</p>\n");
	for (uint32_t i = 0; i < r->n_failures; i++)
		add_failure(v, &r->failures[i]);
	if (r->failed > r->n_failures) {
		dr_buf_count(&v->page.text, r->failed - r->n_failures);
		dr_page_put(&v->page, "<p>", " more have failed; dagrun --failed tells all.</p>\n");
	}
}

static void
add_head(struct dr_report_view *v, struct dr_buf *out)
{
	struct dr_buf title = { 0 };
	struct dr_page *p = &v->page;

	dr_plan_targets_name(v->plan, &title);
	dr_buf_addf(&title, ": %s", state_of(v->r));
	dr_page_begin(p, out, dr_buf_cstr(&title));
	dr_buf_addstr(&p->text, dr_buf_str(&title));
	dr_page_put(p, "<main>\n<h1>", "</h1>\n<nav aria-label=\"Sections\"><ul>");
	for (unsigned i = 0; i < SECTIONS; i++)
		dr_buf_addf(out, "<li><a href=\"#%s\">%s</a></li>", sections[i].id, sections[i].title);
	dr_buf_adds(out, "</ul></nav>\n");
	out->failed |= title.failed;
	dr_buf_free(&title);
}

int
dr_report_page(struct dr_report_view *v, struct dr_buf *out, struct dr_err *err)
{
	static const char *const *const scripts[] = { dr_page_js, dr_page_tree_js, dr_report_js, NULL };
	int rc = 0;

	add_head(v, out);
	for (unsigned i = 0; i < SECTIONS; i++) {
		begin_section(&v->page, i);
		switch (i) {
		case 0:
			add_summary(v);
			break;
		case 1:
			add_failures(v);
			break;
		case 2:
			rc |= dr_html_tree_section(&v->tree, &v->page, err);
			break;
		case 3:
			rc |= dr_report_slots(v, err);
			break;
		case 4:
			dr_report_use(v);
			break;
		case 5:
			dr_report_path(v);
			break;
		case 6:
			dr_report_slowest(v);
			break;
		case 7:
			dr_report_stages(v);
			break;
		}
	}
	dr_buf_adds(out, "</section>\n</main>\n");
	dr_html_tree_data(&v->tree, &v->page.json);
	dr_report_data(v);
	dr_page_end(&v->page, scripts);
	if (rc == 0 && out->failed)
		rc = dr_err_nomem(err);
	return rc;
}
