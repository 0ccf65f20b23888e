#include "config.h"

#include "graphout-html.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "graphout-svg.h"
#include "graphout.h"
#include "page-text.h"

int
dr_html_tree_make(const struct dr_plan *pl, struct dr_html_tree *t, struct dr_err *err)
{
	*t = (struct dr_html_tree){ .plan = pl };
	if (dr_rows_make(pl, &t->rows, err) || dr_layout_make(pl, &t->rows, &t->layout, err))
		return -1;
	t->place = malloc(((size_t)pl->graph->n_tasks + 1) * sizeof(*t->place));
	if (!t->place)
		return dr_err_nomem(err);
	memset(t->place, 0xff, (size_t)pl->graph->n_tasks * sizeof(*t->place));
	for (uint32_t r = 0; r < t->rows.n_rows; r++) {
		const struct dr_rows_row *row = &t->rows.rows[r];

		for (uint32_t i = 0; i < row->n; i++)
			if (pl->graph->tasks[row->tasks[i]].state != DR_UNWANTED)
				t->place[row->tasks[i]] = t->n++;
	}
	return 0;
}

void
dr_html_tree_free(struct dr_html_tree *t)
{
	dr_layout_free(&t->layout);
	dr_rows_free(&t->rows);
	free(t->place);
	*t = (struct dr_html_tree){ 0 };
}

/* What is looked at by task: a column for each, in the order of places. */
struct columns {
	struct dr_column from, width, state, last;
	struct dr_page_names names;
	struct dr_buf name;
};

static void
add_task(const struct dr_html_tree *t, struct columns *c, uint32_t task)
{
	const struct dr_task *k = &t->plan->graph->tasks[task];
	const struct dr_span *span = &t->layout.spans[task];

	dr_column_add(&c->from, (int64_t)span->from);
	dr_column_add(&c->width, (int64_t)(span->to - span->from));
	dr_column_add(&c->state, k->state == DR_READY ? DR_WAITING : k->state);
	dr_column_add(&c->last, k->last_ms);
	dr_buf_reset(&c->name);
	dr_plan_task_name(t->plan, task, &c->name);
	dr_page_names_add(&c->names, dr_buf_str(&c->name));
	c->names.rest.failed |= c->name.failed;
}

static void
add_rows(const struct dr_html_tree *t, struct dr_json *j)
{
	dr_json_begin_list(j, "rows");
	for (uint32_t b = 0; b < t->rows.n_blocks; b++) {
		for (uint32_t r = t->rows.blocks[b]; r < t->rows.blocks[b + 1]; r++) {
			const struct dr_rows_row *row = &t->rows.rows[r];

			if (!row->wanted)
				continue;
			dr_json_begin(j, NULL);
			dr_json_str(j, "stage", t->plan->pipeline->stages[row->stage].name);
			dr_json_uint(j, "round", row->round);
			dr_json_uint(j, "n", row->wanted);
			dr_json_uint(j, "block", b);
			dr_json_uint(j, "width", t->layout.widths[b]);
			dr_json_end(j);
		}
	}
	dr_json_end_list(j);
}

void
dr_html_tree_data(const struct dr_html_tree *t, struct dr_json *j)
{
	struct columns c = { 0 };
	struct dr_column path = { 0 };

	dr_json_begin(j, "tree");
	dr_json_begin_list(j, "states");
	for (unsigned s = 0; s < DR_STATES; s++)
		dr_json_word(j, NULL, dr_svg_looks[s].name);
	dr_json_end_list(j);
	add_rows(t, j);
	for (uint32_t r = 0; r < t->rows.n_rows; r++)
		for (uint32_t i = 0; i < t->rows.rows[r].n; i++)
			if (t->place[t->rows.rows[r].tasks[i]] != DR_NONE)
				add_task(t, &c, t->rows.rows[r].tasks[i]);
	for (uint32_t i = 0; i < t->layout.n_path; i++)
		dr_column_add(&path, t->place[t->layout.path[i]]);
	dr_json_uint(j, "n", t->n);
	dr_column_end(&c.from, j, "from");
	dr_column_end(&c.width, j, "width");
	dr_column_end(&c.state, j, "state");
	dr_column_end(&c.last, j, "last");
	dr_json_uint(j, "n_path", t->layout.n_path);
	dr_column_end(&path, j, "path");
	dr_page_names_end(&c.names, j, "names");
	dr_buf_free(&c.name);
	dr_json_end(j);
}

void
dr_html_sum(const struct dr_rows *rows, struct dr_buf *out)
{
	uint64_t counts[DR_STATES] = { 0 }, n = 0;
	bool any = false;

	for (uint32_t i = 0; i < rows->n_rows; i++) {
		n += rows->rows[i].wanted;
		for (int k = 0; k < DR_STATES; k++)
			counts[k == DR_READY ? DR_WAITING : k] += rows->rows[i].counts[k];
	}
	dr_buf_count(out, n);
	dr_buf_adds(out, n == 1 ? " task" : " tasks");
	for (unsigned i = 0; i < DR_SVG_SHOWN; i++) {
		if (!counts[dr_svg_shown[i]])
			continue;
		dr_buf_adds(out, any ? ", " : ": ");
		dr_buf_count(out, counts[dr_svg_shown[i]]);
		dr_buf_addf(out, " %s", dr_svg_looks[dr_svg_shown[i]].name);
		any = true;
	}
}

/* Without JavaScript the picture is all there is, with it what the script draws takes its place. */
static int
add_picture(const struct dr_html_tree *t, struct dr_page *p, struct dr_err *err)
{
	dr_buf_adds(p->out, "<div id=\"tree\" class=\"view\"><div class=\"still\" role=\"group\" "
			    "aria-label=\"The tree\" tabindex=\"0\">\n");
	if (dr_svg_draw(t->plan, &t->rows, &t->layout, p->out))
		return dr_err_nomem(err);
	dr_buf_adds(p->out, "</div></div>\n");
	return 0;
}

static void
add_cell(struct dr_page *p, uint64_t n)
{
	dr_buf_count(&p->text, n);
	dr_page_put(p, "<td>", "</td>");
}

static void
add_table_row(const struct dr_html_tree *t, struct dr_page *p, const struct dr_rows_row *row)
{
	dr_buf_addstr(&p->text, t->plan->pipeline->stages[row->stage].name);
	if (row->round)
		dr_buf_addf(&p->text, " round %" PRIu32, row->round);
	dr_page_put(p, "<tr><th scope=\"row\">", "</th>");
	add_cell(p, row->wanted);
	for (unsigned i = 0; i < DR_SVG_SHOWN; i++)
		add_cell(p, row->counts[dr_svg_shown[i]] +
				    (dr_svg_shown[i] == DR_WAITING ? row->counts[DR_READY] : 0));
	if (row->n_sized)
		dr_buf_bytes(&p->text, row->bytes);
	if (row->n_sized && row->n_unsized)
		dr_buf_addc(&p->text, '+');
	dr_page_put(p, "<td>", "</td></tr>\n");
}

static void
add_table(const struct dr_html_tree *t, struct dr_page *p)
{
	dr_buf_adds(p->out,
		    "<details class=\"twin\"><summary>The tree as a table</summary>\n"
		    "<div class=\"wide\" role=\"group\" aria-label=\"The tree as a table\" "
		    "tabindex=\"0\"><table>\n"
		    "<caption>Rows of the tree, from what is asked for to what it is made from</caption>\n"
		    "<thead><tr><th scope=\"col\">row</th><th scope=\"col\">tasks</th>");
	for (unsigned i = 0; i < DR_SVG_SHOWN; i++)
		dr_buf_addf(p->out, "<th scope=\"col\">%s</th>", dr_svg_looks[dr_svg_shown[i]].name);
	dr_buf_adds(p->out, "<th scope=\"col\">bytes</th></tr></thead>\n<tbody>\n");
	for (uint32_t r = 0; r < t->rows.n_rows; r++)
		if (t->rows.rows[r].wanted)
			add_table_row(t, p, &t->rows.rows[r]);
	dr_buf_adds(p->out, "</tbody></table></div></details>\n");
}

int
dr_html_tree_section(const struct dr_html_tree *t, struct dr_page *p, struct dr_err *err)
{
	if (add_picture(t, p, err))
		return -1;
	add_table(t, p);
	return 0;
}

int
dr_graph_html(const struct dr_plan *pl, struct dr_buf *out, struct dr_err *err)
{
	static const char *const *const scripts[] = { dr_page_js, dr_page_tree_js, NULL };
	struct dr_html_tree tree = { 0 };
	struct dr_buf title = { 0 };
	struct dr_page page;
	int rc = -1;

	if (dr_html_tree_make(pl, &tree, err))
		goto out;
	dr_plan_targets_name(pl, &title);
	dr_page_begin(&page, out, dr_buf_cstr(&title));
	dr_buf_addstr(&page.text, dr_buf_str(&title));
	dr_page_put(&page, "<main>\n<h1>", "</h1>\n");
	dr_html_sum(&tree.rows, &page.text);
	dr_page_put(&page, "<p>", "</p>\n");
	rc = dr_html_tree_section(&tree, &page, err);
	dr_html_tree_data(&tree, &page.json);
	dr_buf_adds(out, "</main>\n");
	dr_page_end(&page, scripts);
	if (rc == 0 && (out->failed || title.failed))
		rc = dr_err_nomem(err);
out:
	dr_buf_free(&title);
	dr_html_tree_free(&tree);
	return rc;
}
