#include "config.h"

#include "report-private.h"

#include <inttypes.h>

enum { PARTS = 5, WIDTH = 1000, HEIGHT = 120 };

static const char *const names[PARTS] = { "busy", "in between", "short of tokens", "short of inputs",
					  "tail" };
static const char *const means[PARTS] = {
	"a task ran",
	"a task had just ended, and was being recorded, or another was being started",
	"a task was ready, and somebody else of the same pool had the token: make, or another dagrun",
	"no task could start, as what they read was still being made, or they were between two tries",
	"at the end, when there was not enough left for all slots",
};

/* What is idle since the slots were last full was idle at the end, not for want of inputs. A run whose slots
 * were never full had no end of that kind. */
static void
split(const struct dr_report_view *v, double *part)
{
	const struct dr_report_uses *u = &v->r->uses;
	bool was_full = u->tail.busy < u->all.busy;
	double ran = 0;

	for (uint32_t i = 0; i < v->n; i++)
		ran += (double)dr_try_took(&v->r->tries[i]) * v->r->tries[i].slots;
	part[0] = ran < u->all.busy ? ran : u->all.busy;
	part[1] = u->all.busy - part[0];
	part[2] = u->all.tokens;
	part[3] = was_full ? u->all.inputs - u->tail.inputs : u->all.inputs;
	part[4] = was_full ? u->tail.inputs : 0;
}

static void
add_row(struct dr_page *p, unsigned i, double part, double all)
{
	double tenths = all > 0 ? part / all * 1000 + 0.5 : 0;

	/* With the colour that it has in the pictures */
	dr_buf_addf(p->out,
		    "<tr><th scope=\"row\"><svg width=\"18\" height=\"10\" role=\"presentation\"><rect "
		    "class=\"p%u\" width=\"14\" height=\"10\"/>"
		    "</svg>%s</th>",
		    i, names[i]);
	dr_buf_addf(&p->text, "%u.%u %%", (unsigned)tenths / 10, (unsigned)tenths % 10);
	dr_report_cell(p, tenths);
	dr_report_time_cell(p, (int64_t)(part < 9e18 ? part : 9e18));
	dr_buf_adds(&p->text, means[i]);
	dr_page_put(p, "<td class=\"left\">", "</td></tr>\n");
}

/* The parts beside each other, as wide as they are large. */
static void
add_strip(struct dr_page *p, const double *part, double all)
{
	double at = 0;

	dr_buf_addf(p->out,
		    "<div class=\"part\"><svg viewBox=\"0 0 %d 1\" preserveAspectRatio=\"none\" "
		    "role=\"img\"><title>Use of the slots: ",
		    WIDTH);
	for (unsigned i = 0; i < PARTS; i++)
		dr_buf_addf(p->out, "%s%s %u %%", i ? ", " : "", names[i],
			    (unsigned)(part[i] / all * 100 + 0.5));
	dr_buf_adds(p->out, "</title>");
	for (unsigned i = 0; i < PARTS; i++) {
		unsigned from = (unsigned)(at / all * WIDTH + 0.5), to;

		at += part[i];
		to = (unsigned)(at / all * WIDTH + 0.5);
		if (to > from)
			dr_buf_addf(p->out,
				    "<rect class=\"p%u\" x=\"%u\" y=\"0\" width=\"%u\" height=\"1\"/>", i,
				    from, to - from);
	}
	dr_buf_adds(p->out, "</svg></div>\n");
}

/* Over time: how many slots were busy, and above that how many could have been but for tokens. */
static void
add_course(struct dr_report_view *v)
{
	const struct dr_report_uses *u = &v->r->uses;
	struct dr_page *p = &v->page;
	int64_t bins = (u->at + u->width - 1) / u->width;
	double step = (double)WIDTH * (double)u->width / (double)u->at;

	dr_buf_addf(p->out,
		    "<div class=\"still\"><svg width=\"100%%\" height=\"%d\" viewBox=\"0 0 %d %d\" "
		    "preserveAspectRatio=\"none\" "
		    "role=\"img\"><title>Slots in use over time, at most %" PRIu32
		    "</title><rect class=\"lane\" width=\"%d\" height=\"%d\"/>\n",
		    HEIGHT, WIDTH, HEIGHT, v->r->b.slots, WIDTH, HEIGHT);
	for (int kind = 0; kind < 2; kind++) {
		dr_buf_addf(p->out, "<path class=\"p%d\" d=\"", kind ? 2 : 0);
		for (int64_t i = 0; i < bins && i < DR_REPORT_BINS; i++) {
			const struct dr_report_use *b = &u->bins[i];
			double all = b->busy + b->tokens + b->inputs,
			       busy = all > 0 ? b->busy / all * HEIGHT : 0,
			       tokens = all > 0 ? b->tokens / all * HEIGHT : 0, height = kind ? tokens : busy;
			int x = (int)(step * (double)i), end = (int)(step * (double)(i + 1));

			end = end > WIDTH ? WIDTH : end;
			if (height >= 0.5 && end > x)
				dr_buf_addf(p->out, "M%d %dh%dv-%dh-%dz", x,
					    HEIGHT - (int)(kind ? busy + 0.5 : 0), end - x,
					    (int)(height + 0.5), end - x);
		}
		dr_buf_adds(p->out, "\"/>\n");
	}
	dr_buf_adds(p->out, "</svg></div>\n<p class=\"soft\">Slots in use over time, from none (bottom) to ");
	dr_buf_count(&p->text, v->r->b.slots);
	dr_page_put(p, "", " (top).</p>\n");
}

void
dr_report_use(struct dr_report_view *v)
{
	static const char *const heads[] = { "<slots were", "share", "slots\xc3\x97time", "<that is", NULL };
	struct dr_page *p = &v->page;
	double part[PARTS], all = 0;

	split(v, part);
	for (unsigned i = 0; i < PARTS; i++)
		all += part[i];
	if (!(all > 0)) {
		dr_buf_adds(p->out, "<p>Nothing has run.</p>\n");
		return;
	}
	add_strip(p, part, all);
	dr_report_table(p, "Utilisation of the slots", heads);
	for (unsigned i = 0; i < PARTS; i++)
		add_row(p, i, part[i], all);
	dr_report_table_end(p);
	add_course(v);
}
