#include "config.h"

#include "report-private.h"

#include <inttypes.h>
#include <stdio.h>

#include "str.h"

enum { BARS = 24, BAR_WIDTH = 6, BAR_HEIGHT = 24 };

void
dr_report_cell(struct dr_page *p, double key)
{
	char before[64];

	/* Whole, as printf's point depends on the locale. */
	snprintf(before, sizeof(before), "<td data-k=\"%.0f\">", key);
	dr_page_put(p, before, "</td>");
}

void
dr_report_time_cell(struct dr_page *p, int64_t ns)
{
	dr_buf_duration(&p->text, ns);
	dr_report_cell(p, (double)ns / 1000);
}

static void
name_cell(struct dr_report_view *v, uint32_t task)
{
	dr_plan_task_name(v->plan, task, &v->page.text);
	dr_page_put(&v->page, "<th scope=\"row\" class=\"name\">", "</th>");
}

static void
count_cell(struct dr_page *p, uint64_t n)
{
	dr_buf_count(&p->text, n);
	dr_report_cell(p, (double)n);
}

static void
bytes_cell(struct dr_page *p, uint64_t bytes)
{
	if (bytes)
		dr_buf_bytes(&p->text, bytes);
	dr_report_cell(p, (double)bytes);
}

void
dr_report_table(struct dr_page *p, const char *caption, const char *const *heads)
{
	dr_buf_adds(p->out, "<div class=\"wide\" role=\"group\" tabindex=\"0\" aria-label=\"");
	dr_page_escape(p->out, dr_str(caption));
	dr_buf_adds(p->out, "\"><table class=\"sort\">\n<caption>");
	dr_page_escape(p->out, dr_str(caption));
	dr_buf_adds(p->out, "</caption>\n<thead><tr>");
	for (; *heads; heads++)
		dr_buf_addf(p->out, "<th scope=\"col\"%s>%s</th>", **heads == '<' ? " class=\"left\"" : "",
			    **heads == '<' ? *heads + 1 : *heads);
	dr_buf_adds(p->out, "</tr></thead>\n<tbody>\n");
}

void
dr_report_table_end(struct dr_page *p)
{
	dr_buf_adds(p->out, "</tbody></table></div>\n");
}

static void
path_row(struct dr_report_view *v, const struct dr_path_step *s)
{
	const struct dr_report_try *first = &v->r->tries[v->first[s->task]],
				   *last = &v->r->tries[v->last[s->task]];
	struct dr_page *p = &v->page;

	dr_buf_adds(p->out, "<tr>");
	name_cell(v, s->task);
	dr_report_time_cell(p, last->end - first->start);
	dr_report_time_cell(p, s->wait);
	dr_report_time_cell(p, last->end);
	if (s->slack < 0) {
		dr_buf_adds(&p->text, "\xe2\x80\x93");
		dr_report_cell(p, 0);
	} else {
		dr_report_time_cell(p, s->slack);
	}
	dr_buf_adds(p->out, "</tr>\n");
}

void
dr_report_path(struct dr_report_view *v)
{
	static const char *const heads[] = { "<task", "own time", "wait", "cumulative", "slack", NULL };
	uint32_t from = v->n_path > DR_REPORT_STEPS ? v->n_path - DR_REPORT_STEPS : 0;
	struct dr_page *p = &v->page;
	int64_t waited = 0;

	if (!v->n_path) {
		dr_buf_adds(p->out, "<p>Nothing has run.</p>\n");
		return;
	}
	for (uint32_t i = 0; i < v->n_path; i++)
		waited += v->path[i].wait;
	dr_buf_count(&p->text, v->n_path);
	dr_buf_adds(&p->text,
		    v->n_path == 1 ? " task" : " tasks, each of which waited for the one before it");
	dr_buf_adds(&p->text, "; of the time, ");
	dr_buf_duration(&p->text, waited);
	dr_buf_adds(&p->text, " went by between an input's end and the next start. ");
	dr_buf_adds(&p->text, "Wait is from when the last input was there to the start. Slack is how much "
			      "sooner the next task could have "
			      "begun, had this one ended sooner, before another input held it up.");
	dr_page_put(p, "<p>", "</p>\n");
	if (from) {
		dr_buf_count(&p->text, from);
		dr_page_put(p, "<p>The first ", " are left out.</p>\n");
	}
	dr_report_table(p, "The critical path, in the order of time", heads);
	for (uint32_t i = from; i < v->n_path; i++)
		path_row(v, &v->path[i]);
	dr_report_table_end(p);
}

static void
slow_row(struct dr_report_view *v, uint32_t try)
{
	const struct dr_report_try *t = &v->r->tries[try];
	uint32_t stage = v->plan->graph->tasks[t->task].stage;
	int64_t median = dr_stage_quantile(&v->stages[stage], 50), took = dr_try_took(t);
	struct dr_page *p = &v->page;

	dr_buf_adds(p->out, "<tr>");
	name_cell(v, t->task);
	dr_buf_addstr(&p->text, v->plan->pipeline->stages[stage].name);
	dr_page_put(p, "<td class=\"left\">", "</td>");
	dr_report_time_cell(p, took);
	dr_report_time_cell(p, median);
	/* In tenths, and without a point of printf's, which depends on the locale. */
	if (median > 0)
		dr_buf_addf(&p->text, "%" PRId64 ".%" PRId64 "\xc3\x97", took / median,
			    took % median * 10 / median);
	dr_report_cell(p, median > 0 ? 1000.0 * (double)took / (double)median : 0);
	count_cell(p, t->slot);
	bytes_cell(p, (uint64_t)t->peak_kb * 1024);
	dr_buf_adds(&p->text, dr_try_results[t->result]);
	dr_page_put(p, "<td class=\"left\">", "</td></tr>\n");
}

void
dr_report_slowest(struct dr_report_view *v)
{
	static const char *const heads[] = { "<task",      "<stage", "time",        "median of its stage",
					     "times that", "slot",   "peak memory", "<result",
					     NULL };

	if (!v->n_slowest) {
		dr_buf_adds(v->page.out, "<p>Nothing has run.</p>\n");
		return;
	}
	dr_report_table(&v->page, "The slowest tasks against the median of their stage", heads);
	for (uint32_t i = 0; i < v->n_slowest; i++)
		slow_row(v, v->slowest[i]);
	dr_report_table_end(&v->page);
}

/* By which each bar's times are longer than those of the one before it: powers of 2, so that the bars are
 * enough. */
static double
factor_of(double low, double high)
{
	/* 2 to the 1/8, 1/4, 1/2, and so on */
	static const double factors[] = { 1.0905077, 1.1892071, 1.4142136, 2, 4 };
	size_t i;

	for (i = 0; i + 1 < sizeof(factors) / sizeof(*factors); i++) {
		double reach = low;

		for (int k = 0; k < BARS; k++)
			reach *= factors[i];
		if (reach > high)
			break;
	}
	return factors[i];
}

/* The times of a stage, which are sorted, by bar. The highest. */
static uint32_t
fill_bars(const struct dr_stage_sum *s, double low, double factor, uint32_t *bars)
{
	uint32_t bar = 0, most = 0;
	double end = low * factor;

	for (uint32_t i = 0; i < s->n; i++) {
		for (; bar + 1 < BARS && (double)s->times[i] + 1 >= end; end *= factor)
			bar++;
		most = ++bars[bar] > most ? bars[bar] : most;
	}
	return most;
}

/* How often which times. The stage has some. */
static void
histogram(struct dr_page *p, const struct dr_stage_sum *s)
{
	double low = (double)s->times[0] + 1, factor = factor_of(low, (double)s->times[s->n - 1] + 1);
	uint32_t bars[BARS] = { 0 }, most = fill_bars(s, low, factor, bars);

	dr_buf_adds(&p->text, "from ");
	dr_buf_duration(&p->text, s->times[0]);
	dr_buf_adds(&p->text, " to ");
	dr_buf_duration(&p->text, s->times[s->n - 1]);
	dr_buf_addf(&p->text, ", each bar %u.%02u times as long as the one before it; the highest is of ",
		    (unsigned)factor, (unsigned)(factor * 100) % 100);
	dr_buf_count(&p->text, most);
	dr_buf_addf(p->out, "<td><svg class=\"bars\" width=\"%d\" height=\"%d\" role=\"img\">",
		    BARS * BAR_WIDTH, BAR_HEIGHT);
	dr_page_put(p, "<title>", "</title>");
	for (uint32_t i = 0; i < BARS; i++) {
		unsigned height = bars[i] ? 1 + (unsigned)((uint64_t)bars[i] * (BAR_HEIGHT - 1) / most) : 0;

		if (height)
			dr_buf_addf(p->out, "<rect x=\"%u\" y=\"%u\" width=\"%d\" height=\"%u\"/>",
				    (unsigned)i * BAR_WIDTH, BAR_HEIGHT - height, BAR_WIDTH - 1, height);
	}
	dr_buf_adds(p->out, "</svg></td>");
}

static void
stage_row(struct dr_report_view *v, uint32_t stage)
{
	const struct dr_stage_sum *s = &v->stages[stage];
	struct dr_page *p = &v->page;

	dr_buf_addstr(&p->text, v->plan->pipeline->stages[stage].name);
	dr_page_put(p, "<tr><th scope=\"row\" class=\"name\">", "</th>");
	count_cell(p, s->n);
	count_cell(p, s->failed);
	count_cell(p, s->retried);
	dr_report_time_cell(p, dr_stage_quantile(s, 50));
	dr_report_time_cell(p, dr_stage_quantile(s, 95));
	dr_report_time_cell(p, dr_stage_quantile(s, 100));
	dr_report_time_cell(p, (int64_t)(s->total < 9e18 ? s->total : 9e18));
	bytes_cell(p, s->bytes_in);
	bytes_cell(p, s->bytes_out);
	bytes_cell(p, s->peak_kb * 1024);
	if (s->n)
		histogram(p, s);
	else
		dr_buf_adds(p->out, "<td></td>");
	dr_buf_adds(p->out, "</tr>\n");
}

void
dr_report_stages(struct dr_report_view *v)
{
	static const char *const heads[] = { "<stage", "done",    "failed",      "tries repeated",
					     "p50",    "p95",     "max",         "in all",
					     "read",   "written", "peak memory", "times of tasks",
					     NULL };

	dr_report_table(&v->page,
			"Stages: tasks of this run, the times that half and 95 % of them took at most, and "
			"what they read and wrote",
			heads);
	for (uint32_t s = 0; s < v->plan->pipeline->n_stages; s++)
		if (v->stages[s].n || v->stages[s].total > 0 || v->stages[s].failed)
			stage_row(v, s);
	dr_report_table_end(&v->page);
}
