#include "config.h"

#include "graphout.h"
#include "graphout-edges.h"

#include <inttypes.h>
#include <stdlib.h>

/* Mermaid takes 50,000 characters; the classes at the end are some of them. */
enum { TEXT_MOST = 46000, LABEL_MOST = 60 };

enum class { DONE, RUNNING, WAITING, FAILED, SKIPPED, CLASSES };
static const char *const class_names[CLASSES] = { "done", "running", "waiting", "failed", "skipped" };

struct stage {
	uint32_t counts[DR_STATES], wanted;
	uint64_t inputs; /* files that nobody makes; one that several of its tasks read is counted once */
	bool shown;
};

struct mermaid {
	const struct dr_plan *pl;
	struct stage *stages;
	struct dr_edges edges;
	struct dr_buf *out;
	uint32_t n_edges, left_edges, left_stages;
};

/* Inside of a label's quotes. */
static void
add_label(struct dr_buf *out, struct dr_str s)
{
	struct dr_buf text = { 0 };

	dr_buf_fit(&text, s, LABEL_MOST, true);
	for (size_t i = 0; i < text.n; i++) {
		switch (text.p[i]) {
		case '"': case '#': case '&': case '<': case '>': case '`': case ';':
			dr_buf_addf(out, "#%d;", text.p[i]);
			break;
		default: dr_buf_addc(out, text.p[i]);
		}
	}
	out->failed |= text.failed;
	dr_buf_free(&text);
}

static int
count(struct mermaid *m)
{
	const struct dr_graph *g = m->pl->graph;
	uint32_t *reader = malloc(((size_t)g->n_files + 1) * sizeof(*reader)); /* last stage that a file was counted for */

	m->stages = calloc((size_t)m->pl->pipeline->n_stages + 1, sizeof(*m->stages));
	if (!reader || !m->stages) {
		free(reader);
		return -1;
	}
	for (uint32_t f = 0; f < g->n_files; f++)
		reader[f] = DR_NONE;
	for (uint32_t t = 0; t < g->n_tasks; t++) {
		const uint32_t *in = dr_graph_inputs(g, t);
		uint32_t s = g->tasks[t].stage;

		m->stages[s].counts[g->tasks[t].state]++;
		if (g->tasks[t].state == DR_UNWANTED)
			continue;
		m->stages[s].wanted++;
		for (uint32_t i = 0; i < g->tasks[t].n_in; i++) {
			if (g->files[in[i]].producer != DR_NONE || reader[in[i]] == s)
				continue;
			reader[in[i]] = s;
			m->stages[s].inputs++;
		}
	}
	free(reader);
	return 0;
}

static enum class
class_of(const struct stage *st)
{
	if (st->counts[DR_FAILED_TASK])
		return FAILED;
	if (st->counts[DR_RUNNING])
		return RUNNING;
	if (st->counts[DR_READY] || st->counts[DR_WAITING])
		return WAITING;
	return st->counts[DR_SKIPPED] ? SKIPPED : DONE;
}

static bool
has_room(const struct mermaid *m)
{
	return m->out->n < TEXT_MOST && m->n_edges < DR_MERMAID_EDGES;
}

static void
add_stage(struct mermaid *m, uint32_t s)
{
	const struct dr_plan_stage *ps = &m->pl->stages[s];
	struct stage *st = &m->stages[s];

	if (!st->wanted)
		return;
	if (!has_room(m)) {
		m->left_stages++;
		return;
	}
	st->shown = true;
	dr_buf_addf(m->out, "    s%" PRIu32 "[\"", s);
	add_label(m->out, m->pl->pipeline->stages[s].name);
	if (ps->n_rounds)
		dr_buf_addf(m->out, "<br>%" PRIu32 " round%s", ps->n_rounds, ps->n_rounds == 1 ? "" : "s");
	if (ps->n_trees > 1)
		dr_buf_addf(m->out, " of %" PRIu32 " trees", ps->n_trees);
	dr_buf_addf(m->out, "<br>%" PRIu32 " of %" PRIu32 " done", st->counts[DR_CLEAN] + st->counts[DR_DONE], st->wanted);
	if (st->counts[DR_FAILED_TASK])
		dr_buf_addf(m->out, "<br>%" PRIu32 " failed", st->counts[DR_FAILED_TASK]);
	dr_buf_addf(m->out, "\"]:::%s\n", class_names[class_of(st)]);
	if (!st->inputs)
		return;
	dr_buf_addf(m->out, "    i%" PRIu32 "([\"", s);
	dr_buf_count(m->out, st->inputs);
	dr_buf_addf(m->out, " file%s\"]) --> s%" PRIu32 "\n", st->inputs == 1 ? "" : "s", s);
	m->n_edges++;
}

static void
add_edges(struct mermaid *m)
{
	for (uint32_t i = 0; i < m->edges.n; i++) {
		const struct dr_edge *e = &m->edges.v[i];

		if (!has_room(m) || !m->stages[e->from].shown || !m->stages[e->to].shown) {
			m->left_edges++;
			continue;
		}
		dr_buf_addf(m->out, "    s%" PRIu32 " -- ", e->from);
		dr_buf_count(m->out, e->n);
		dr_buf_addf(m->out, " --> s%" PRIu32 "\n", e->to);
		m->n_edges++;
	}
}

static void
add_rest(struct mermaid *m)
{
	if (!m->left_stages && !m->left_edges)
		return;
	dr_buf_addf(m->out, "    rest[\"and %" PRIu32 " more stages, %" PRIu32 " more edges\"]\n", m->left_stages,
		    m->left_edges);
}

int
dr_graph_mermaid(const struct dr_plan *pl, struct dr_buf *out, struct dr_err *err)
{
	struct dr_buf text = { 0 };
	struct mermaid m = { .pl = pl, .out = &text };
	int rc = -1;

	if (count(&m) || dr_edges_find(pl, NULL, &m.edges))
		goto out;
	dr_buf_adds(&text, "flowchart LR\n");
	for (uint32_t s = 0; s < pl->pipeline->n_stages; s++)
		add_stage(&m, s);
	add_edges(&m);
	add_rest(&m);
	/* By border as well as by colour. */
	dr_buf_adds(&text, "    classDef done fill:#7fbf7b,stroke:#1b5e20,color:#000\n"
			   "    classDef running fill:#ffe08a,stroke:#8a5a00,stroke-width:3px,color:#000\n"
			   "    classDef waiting fill:#fff,stroke:#666,stroke-dasharray:6 3,color:#000\n"
			   "    classDef failed fill:#f4a6a0,stroke:#a00010,stroke-width:4px,color:#000\n"
			   "    classDef skipped fill:#eee,stroke:#8661a8,stroke-dasharray:2 3,color:#000\n");
	rc = 0;
	dr_buf_addstr(out, dr_buf_str(&text));
out:
	if (rc || text.failed || out->failed)
		rc = dr_err_nomem(err);
	free(m.stages);
	free(m.edges.v);
	dr_buf_free(&text);
	return rc;
}
