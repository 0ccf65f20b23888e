#include "config.h"

#include "plan-by-hand.h"

#include "graphout.h"
#include "graphout-layout.h"

#include <unistd.h>

static const char *
text(const struct hand *h, struct dr_graph_text_options o, struct dr_buf *out)
{
	dr_buf_reset(out);
	assert_int_equal(dr_graph_text(&h->plan, &o, out, NULL), 0);
	return dr_buf_cstr(out);
}

static void
shows(const struct dr_buf *out, const char *what)
{
	if (!strstr(dr_buf_cstr(out), what))
		fprintf(stderr, "in\n%s\nthere is no\n%s\n", dr_buf_cstr(out), what);
	assert_non_null(strstr(dr_buf_cstr(out), what));
}

static const struct dr_graph_text_options ascii60 = { .width = 60, .free_bytes = UINT64_MAX };

static void
fits_into_columns(void **state)
{
	static const struct {
		const char *from;
		size_t columns;
		bool utf8;
		const char *to;
	} cases[] = {
		{ "short", 5, true, "short" },
		{ "counts/0417.tsv", 9, true, "coun….tsv" },
		{ "counts/0417.tsv", 9, false, "cou..tsv" },
		{ "Bücher", 6, false, "B?cher" },
		{ "日本語", 5, true, "日…語" },
		{ "日本語", 3, false, "???" },
		{ "a\nb", 10, true, "a\\nb" },
		{ "\xff", 4, true, "\\xff" },
		{ "abc", 1, true, "a" },
		{ "abc", 0, true, "" },
	};
	struct dr_buf b = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		dr_buf_reset(&b);
		dr_buf_fit(&b, dr_str(cases[i].from), cases[i].columns, cases[i].utf8);
		assert_true(dr_str_width(dr_buf_str(&b)) <= cases[i].columns);
		if (i != 2)
			assert_string_equal(dr_buf_cstr(&b), cases[i].to);
	}
	assert_int_equal(dr_str_prefix(dr_str("日本語"), 5), 6);
	assert_int_equal(dr_str_prefix(dr_str("e\xcc\x81x"), 1), 3);
	dr_buf_free(&b);
}

static void
small_tree_is_drawn_exactly(void **state)
{
	struct dr_buf out = { 0 };
	struct hand h;
	uint32_t map, total;

	(void)state;
	hand_init(&h);
	map = hand_map(&h, "count", 5, DR_NONE);
	total = hand_merge(&h, "total", map, 2);
	hand_target(&h, total);
	hand_link(&h);
	hand_state(&h, map, 0, 1, DR_CLEAN);
	hand_state(&h, map, 1, 1, DR_DONE);
	hand_state(&h, map, 2, 1, DR_FAILED_TASK);
	hand_state(&h, map, 3, 1, DR_RUNNING);
	hand_state(&h, total, 0, 1, DR_READY);
	hand_state(&h, total, 1, 1, DR_SKIPPED);
	text(&h, (struct dr_graph_text_options){ .width = 43, .free_bytes = UINT64_MAX }, &out);
	shows(&out, "total.tsv\n"
		    "round 3 0/1  ..............................\n"
		    "round 2 0/1  ........................\n"
		    "round 1 0/2  ...........|------------\n"
		    "failed    1                v\n"
		    "count   2/5  =====|#####|xxxxx|>>>>>|......\n"
		    "inputs  5 files, sizes not known\n");
	shows(&out, "= up to date  . waiting  > running  # done  - not started  v failed\n");
	shows(&out, "\n9 tasks: 1 up to date, 1 done, 1 running, 4 waiting, 1 failed, 1 not started\n");
	for (size_t i = 0; i < out.n; i++)
		assert_true((unsigned char)out.p[i] < 0x80);
	text(&h, (struct dr_graph_text_options){ .width = 45, .utf8 = true, .colour = true }, &out);
	shows(&out, "\033[1;31m▼\033[m\n");
	shows(&out, "\033[36m▪▪▪▪▪\033[m│\033[32m█████");
	hand_free(&h);
	dr_buf_free(&out);
}

/* One task of 100,000 that is not done shows, and so does each failure. */
static void
little_does_not_vanish(void **state)
{
	struct dr_buf out = { 0 };
	struct hand h;
	uint32_t map, total, width;

	(void)state;
	hand_init(&h);
	map = hand_map(&h, "count", 100000, DR_NONE);
	total = hand_merge(&h, "total", map, 8);
	hand_target(&h, total);
	hand_link(&h);
	hand_state(&h, map, 0, 100000, DR_CLEAN);
	hand_state(&h, total, 0, h.plan_stages[total].n, DR_CLEAN);
	hand_state(&h, map, 50000, 1, DR_WAITING);
	hand_state(&h, map, 99999, 1, DR_FAILED_TASK);
	for (width = 10; width <= 200; width += 95) {
		const char *line = text(&h, (struct dr_graph_text_options){ .width = width }, &out);
		const char *row = strstr(line, "\ncount"), *lane = strstr(line, "\nfailed"), *end;

		assert_non_null(row);
		assert_non_null(lane);
		assert_true(lane < row);
		end = strchr(row + 1, '\n');
		assert_true(memchr(row, '.', (size_t)(end - row)) != NULL);
		assert_int_equal(row[-1], 'v');
		assert_int_equal(end[-1], '=');
		for (; width >= 80 && (end = strchr(line, '\n')) && line < row; line = end + 1)
			assert_true((uint32_t)(end - line) <= width);
	}
	hand_free(&h);
	dr_buf_free(&out);
}

static void
blocks_come_in_the_order_of_targets(void **state)
{
	struct dr_buf out = { 0 };
	struct hand h;
	uint32_t a, b, c, both[2], join;
	const char *p;

	(void)state;
	hand_init(&h);
	a = hand_map(&h, "alpha", 3, DR_NONE);
	b = hand_map(&h, "beta", 4, DR_NONE);
	c = hand_map(&h, "gamma", 1, DR_NONE);
	both[0] = a;
	both[1] = hand_merge(&h, "delta", b, 0);
	join = hand_task(&h, "join.txt", both, 2);
	h.stages[join].name = dr_str("join");
	hand_target(&h, c);
	hand_target(&h, join);
	hand_link(&h);
	p = text(&h, ascii60, &out);
	assert_ptr_equal(strstr(p, "gamma/0000\ngamma  0/1"), p);
	p = strstr(p, "\njoin.txt\njoin    0/1");
	assert_non_null(p);
	assert_non_null(strstr(p, "\ndelta: 4 inputs, 1 merge in 1 round\n"));
	assert_true(strstr(p, "\nalpha ") > p);
	/* Consumers above what they read from */
	assert_true(strstr(p, "\nround 1 ") > p);
	assert_true(strstr(p, "\nround 1 ") < strstr(p, "\nbeta "));
	/* What no target needs is not drawn. */
	hand_state(&h, c, 0, 1, DR_UNWANTED);
	assert_null(strstr(text(&h, ascii60, &out), "0/1  .\ngamma"));
	shows(&out, "\n9 tasks: 9 waiting\n");
	hand_free(&h);
	hand_init(&h);
	assert_string_equal(text(&h, ascii60, &out), "0 tasks\n");
	hand_free(&h);
	dr_buf_free(&out);
}

static void
tables_are_of_the_users_data(void **state)
{
	struct dr_graph_text_options o = { .width = 80, .free_bytes = 1200000000000 };
	struct dr_buf out = { 0 };
	struct hand h;
	uint32_t map, total;

	(void)state;
	hand_init(&h);
	map = hand_map(&h, "count", 900, DR_NONE);
	total = hand_merge(&h, "total", map, 2);
	hand_target(&h, total);
	hand_link(&h);
	text(&h, o, &out);
	shows(&out, "total: 900 inputs, 899 merges in 10 rounds\n");
	shows(&out, "the size of no input is known yet");
	shows(&out, "       2      10        899             10.0x  <- now\n");
	shows(&out, "       8       4        130              4.0x\n");
	shows(&out, "  keep = yes   by 2        10              2.1x             10.0x\n");
	shows(&out, "  free on disk: 1.2 TB\n");
	hand_size(&h, map, 0, 899, 1000000000);
	text(&h, o, &out);
	shows(&out, "the size of 1 of the inputs is not known yet;\n  the others have 899 GB");
	shows(&out, "899 GB+");
	hand_size(&h, map, 899, 1, 1000000000);
	h.stages[total].keep = DR_KEEP_YES;
	o.free_bytes = UINT64_MAX;
	text(&h, o, &out);
	shows(&out, "10 rounds, 900 GB\n");
	shows(&out, "       8       4        130    3.6 TB    4.0x\n");
	shows(&out, "  keep = yes   by 2        10    1.8 TB    2.1x    9.0 TB   10.0x  <- now\n");
	assert_null(strstr(out.p, "free"));
	shows(&out, "  keep = level by 8        12    1.9 TB    2.1x    2.7 TB    3.0x\n");
	h.stages[total].rounds = false;
	text(&h, o, &out);
	shows(&out, "       8       4        150    3.6 TB    4.0x\n");
	hand_free(&h);
	hand_init(&h);
	map = hand_map(&h, "count", 900, DR_NONE);
	hand_target(&h, hand_merge(&h, "total", map, 0));
	hand_link(&h);
	text(&h, o, &out);
	shows(&out, "     all       1          1              1.0x  <- now\n");
	hand_free(&h);
	dr_buf_free(&out);
}

/* Renders with Graphviz, where there is one. */
static void
render(const struct dr_buf *dot)
{
	FILE *f;

	if (system("command -v dot >/dev/null 2>&1") != 0)
		return;
	f = popen("dot -Tsvg 2>&1 >/dev/null | grep . >&2; test $? = 1", "w");
	assert_non_null(f);
	assert_int_equal(fwrite(dot->p, 1, dot->n, f), dot->n);
	assert_int_equal(pclose(f), 0);
}

static void
dot_takes_any_name_and_state(void **state)
{
	static const char *const names[] = { "a\"b",   "a\\",   "a\nb", "\xff\xfe",
					     "a&lt;b", "{x|y}", "日本", "\\N\\G" };
	enum { N = sizeof(names) / sizeof(*names) };
	struct dr_buf out = { 0 };
	struct hand h;
	uint32_t s, task;

	(void)state;
	hand_init(&h);
	s = hand_stage(&h, DR_STAGE_MAP, "odd", DR_NONE);
	for (uint32_t i = 0; i < N; i++) {
		task = hand_add(&h, s, i, 1, names[i]);
		dr_graph_inputs(h.plan.graph, task)[0] = hand_file(&h, "in\"put", 6);
		h.plan.graph->tasks[task].state = (uint8_t)(i % DR_STATES);
	}
	hand_target(&h, s);
	hand_link(&h);
	assert_int_equal(dr_graph_dot(&h.plan, false, &out, NULL), 0);
	assert_null(strstr(out.p, "a\\\"b")); /* unwanted */
	shows(&out, "[label=\"a\\\\\\\\\",");
	shows(&out, "[label=\"a\\\\nb\",");
	shows(&out, "[label=\"\\\\xff\\\\xfe\",");
	shows(&out, "a&amp;lt;b");
	shows(&out, "[label=\"in\\\"put\",shape=plaintext]");
	render(&out);
	hand_free(&h);
	dr_buf_free(&out);
}

static void
dot_collapses_what_is_large(void **state)
{
	struct dr_buf out = { 0 };
	struct hand h;
	uint32_t map, total, lines = 0;

	(void)state;
	hand_init(&h);
	map = hand_map(&h, "count", 900, DR_NONE);
	total = hand_merge(&h, "total", map, 2);
	hand_target(&h, total);
	hand_link(&h);
	hand_state(&h, map, 0, 10, DR_DONE);
	hand_state(&h, map, 10, 1, DR_FAILED_TASK);
	assert_int_equal(dr_graph_dot(&h.plan, false, &out, NULL), 0);
	shows(&out, "[label=\"count\\n10 of 900 done, 1 failed\",");
	shows(&out, "[label=\"total, round 1\\n0 of 450 done\",");
	shows(&out, "[label=\"900\"];");
	for (const char *p = out.p; (p = strchr(p, '\n')); p++)
		lines++;
	assert_true(lines < 60);
	render(&out);
	dr_buf_reset(&out);
	assert_int_equal(dr_graph_dot(&h.plan, true, &out, NULL), 0);
	lines = 0;
	for (const char *p = out.p; (p = strstr(p, " -> ")); p++)
		lines++;
	assert_int_equal(lines, 900 + 900 + 898);
	hand_free(&h);
	dr_buf_free(&out);
}

/* Stages that read each other's files in turn have no order, but a picture. */
static void
stages_in_a_circle_are_drawn(void **state)
{
	struct dr_buf out = { 0 };
	struct hand h;
	uint32_t a, b, t0, t1, t2;

	(void)state;
	hand_init(&h);
	a = hand_stage(&h, DR_STAGE_MAP, "a", DR_NONE);
	t0 = hand_add(&h, a, 0, 0, "a0");
	t1 = hand_add(&h, a, 1, 1, "a1");
	b = hand_stage(&h, DR_STAGE_MAP, "b", DR_NONE);
	t2 = hand_add(&h, b, 0, 1, "b0");
	dr_graph_inputs(h.plan.graph, t2)[0] = hand_output(&h, t0);
	dr_graph_inputs(h.plan.graph, t1)[0] = hand_output(&h, t2);
	hand_target(&h, a);
	hand_link(&h);
	text(&h, ascii60, &out);
	shows(&out, "\na      0/2");
	shows(&out, "\nb      0/1");
	hand_free(&h);
	dr_buf_free(&out);
}

/* In tenths of a pixel. */
static double
attribute(const char *svg, const char *name)
{
	const char *at = strstr(svg, name);

	assert_non_null(at);
	return strtod(at + strlen(name), NULL);
}

static uint32_t
count_of(const char *text, const char *what)
{
	uint32_t n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

/* Each node stands on what it merges, in its own tree and in another over the same leaves. */
static void
svg_stands_on_its_leaves(void **state)
{
	struct dr_layout l;
	struct dr_rows rows;
	struct hand h;
	uint32_t map, second, total, other, files, all;

	(void)state;
	hand_init(&h);
	map = hand_map(&h, "count", 9, DR_NONE);
	second = hand_map(&h, "second", 9, map);
	total = hand_merge(&h, "total", second, 2);
	other = hand_merge(&h, "other", second, 4);
	files = hand_map(&h, "files", 3, DR_NONE);
	all = hand_task(&h, "all", (uint32_t[]){ total, other, files }, 3);
	hand_target(&h, all);
	hand_link(&h);
	assert_int_equal(dr_rows_make(&h.plan, &rows, NULL), 0);
	assert_int_equal(dr_layout_make(&h.plan, &rows, &l, NULL), 0);
	assert_int_equal(rows.n_blocks, 1);
	assert_int_equal(l.widths[0], 12);
	for (uint32_t i = 0; i < 9; i++)
		for (uint32_t s = map; s <= second; s++) {
			assert_int_equal(l.spans[h.plan_stages[s].first + i].from, i);
			assert_int_equal(l.spans[h.plan_stages[s].first + i].to, i + 1);
		}
	for (uint32_t s = total; s <= other; s++) {
		for (uint32_t i = 0; i < h.plan_stages[s].n; i++) {
			const struct dr_tree_node *node = &h.plan_stages[s].trees->tree.nodes[i];
			const struct dr_span *span = &l.spans[h.plan_stages[s].first + i];

			assert_int_equal(span->from, node->first_leaf);
			assert_int_equal(span->to, node->first_leaf + node->n_leaves);
		}
	}
	assert_int_equal(l.spans[h.plan_stages[files].first].from, 9);
	assert_int_equal(l.spans[h.plan_stages[all].first].from, 0);
	assert_int_equal(l.spans[h.plan_stages[all].first].to, 12);
	dr_layout_free(&l);
	dr_rows_free(&rows);
	hand_free(&h);
}

/* Among what is left; the one leaf that takes long, and all above it. */
static void
longest_path_is_found(void **state)
{
	struct dr_layout l;
	struct dr_rows rows;
	struct hand h;
	uint32_t map, total;

	(void)state;
	hand_init(&h);
	map = hand_map(&h, "count", 8, DR_NONE);
	total = hand_merge(&h, "total", map, 2);
	hand_target(&h, total);
	hand_link(&h);
	for (uint32_t t = 0; t < h.plan.graph->n_tasks; t++)
		h.plan.graph->tasks[t].last_ms = 1000;
	h.plan.graph->tasks[h.plan_stages[map].first + 5].last_ms = 4000;
	assert_int_equal(dr_rows_make(&h.plan, &rows, NULL), 0);
	assert_int_equal(dr_layout_make(&h.plan, &rows, &l, NULL), 0);
	assert_int_equal(l.n_path, 4);
	assert_int_equal(l.path[0], h.plan_stages[map].first + 5);
	assert_int_equal(l.path[1], h.plan_stages[total].first + 2);
	assert_int_equal(l.path[3], h.plan_stages[total].first + 6);
	assert_true(l.seconds > 6.99 && l.seconds < 7.01);
	dr_layout_free(&l);

	hand_state(&h, map, 0, 8, DR_CLEAN);
	assert_int_equal(dr_layout_make(&h.plan, &rows, &l, NULL), 0);
	assert_int_equal(l.n_path, 3);
	dr_layout_free(&l);

	/* A stage of which nobody knows anything */
	for (uint32_t i = 0; i < 7; i++)
		h.plan.graph->tasks[h.plan_stages[total].first + i].last_ms = 0;
	assert_int_equal(dr_layout_make(&h.plan, &rows, &l, NULL), 0);
	assert_int_equal(l.n_path, 3);
	assert_true(l.seconds == 0);
	dr_layout_free(&l);
	dr_rows_free(&rows);
	hand_free(&h);
}

static void
svg_shows_states(void **state)
{
	struct dr_buf out = { 0 };
	struct hand h;
	uint32_t map, total;

	(void)state;
	hand_init(&h);
	map = hand_map(&h, "a<b>&\"c\"\xef\xbf\xbf\x01", 8, DR_NONE);
	total = hand_merge(&h, "total", map, 2);
	hand_target(&h, total);
	hand_link(&h);
	hand_size(&h, map, 0, 8, 1000);
	hand_state(&h, map, 0, 1, DR_CLEAN);
	hand_state(&h, map, 1, 3, DR_DONE);
	hand_state(&h, map, 4, 1, DR_FAILED_TASK);
	hand_state(&h, map, 5, 1, DR_RUNNING);
	hand_state(&h, total, 0, 1, DR_DONE);
	hand_state(&h, total, 2, 1, DR_SKIPPED);
	assert_int_equal(dr_graph_svg(&h.plan, &out, NULL), 0);
	shows(&out, ">a&lt;b&gt;&amp;&quot;c&quot;\xef\xbf\xbd\\x01</text>");
	shows(&out, ">4/8</text>");
	shows(&out, ">8.0 kB</text>");
	shows(&out, ">1 failed</text>");
	/* Bars: of the leaves, with gaps; the first is up to date, the next three done. */
	shows(&out, "<path class=\"c\" d=\"M0 0h1242\"/>"
		    "<path class=\"d\" d=\"M1250 0h1242m8 0h1242m8 0h1242\"/>"
		    "<path class=\"r\" d=\"M6250 0h1242\"/>"
		    "<path class=\"w\" d=\"M7500 0h1242m8 0h1242\"/>"
		    "<path class=\"f\" d=\"M5000 0h1242\"/></g>");
	shows(&out, "<path class=\"s\" d=\"M5000 0h2492\"/>");
	shows(&out, "<title>failed: a&lt;b&gt;&amp;&quot;c&quot;");
	shows(&out, ">not started</text>");
	shows(&out, ">15 tasks: 1 up to date, 4 done, 1 running, 7 waiting, 1 failed, 1 not started</text>");
	assert_true(attribute(dr_buf_cstr(&out), "width=\"") > 1000);
	assert_int_equal(count_of(dr_buf_cstr(&out), "http"), 1);
	hand_free(&h);
	dr_buf_free(&out);
}

/* However many tasks there are and whatever states they are in. */
static void
svg_stays_small(void **state)
{
	static const uint32_t leaves[] = { 900, 100000 };
	struct dr_buf out = { 0 };

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		uint32_t map, total, random = 1;
		struct hand h;

		hand_init(&h);
		map = hand_map(&h, "count", leaves[k], DR_NONE);
		total = hand_merge(&h, "total", map, 2);
		hand_target(&h, total);
		hand_link(&h);
		for (int pass = 0; pass < 2; pass++) {
			dr_buf_reset(&out);
			assert_int_equal(dr_graph_svg(&h.plan, &out, NULL), 0);
			assert_true(out.n > 3000 && out.n <= (k ? 30000 : 15000));
			for (uint32_t t = 0; t < h.plan.graph->n_tasks; t++) {
				random = random * 1103515245 + 12345;
				h.plan.graph->tasks[t].state = (uint8_t)(1 + random / 65536 % 7);
			}
		}
		/* One that failed among 100,000 has its mark. */
		for (uint32_t t = 0; t < h.plan.graph->n_tasks; t++)
			h.plan.graph->tasks[t].state = DR_DONE;
		hand_state(&h, map, leaves[k] / 2, 1, DR_FAILED_TASK);
		dr_buf_reset(&out);
		assert_int_equal(dr_graph_svg(&h.plan, &out, NULL), 0);
		shows(&out, "<path class=\"x\" d=\"M0 2m4980 0h60l-30 8z\"/>");
		hand_free(&h);
	}
	dr_buf_free(&out);
}

static void
mermaid_has_stages(void **state)
{
	struct dr_buf out = { 0 };
	struct hand h;
	uint32_t map, total;

	(void)state;
	hand_init(&h);
	map = hand_map(&h, "co\"u#n`t", 9, DR_NONE);
	total = hand_merge(&h, "total", map, 2);
	hand_target(&h, total);
	hand_link(&h);
	hand_state(&h, map, 0, 1, DR_FAILED_TASK);
	hand_state(&h, map, 1, 8, DR_DONE);
	assert_int_equal(dr_graph_mermaid(&h.plan, &out, NULL), 0);
	shows(&out, "flowchart LR\n"
		    "    s0[\"co#34;u#35;n#96;t<br>8 of 9 done<br>1 failed\"]:::failed\n"
		    "    i0([\"9 files\"]) --> s0\n"
		    "    s1[\"total<br>4 rounds<br>0 of 8 done\"]:::waiting\n"
		    "    s0 -- 9 --> s1\n");
	hand_free(&h);
	dr_buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fits_into_columns),
		cmocka_unit_test(small_tree_is_drawn_exactly),
		cmocka_unit_test(little_does_not_vanish),
		cmocka_unit_test(blocks_come_in_the_order_of_targets),
		cmocka_unit_test(tables_are_of_the_users_data),
		cmocka_unit_test(dot_takes_any_name_and_state),
		cmocka_unit_test(dot_collapses_what_is_large),
		cmocka_unit_test(stages_in_a_circle_are_drawn),
		cmocka_unit_test(svg_stands_on_its_leaves),
		cmocka_unit_test(longest_path_is_found),
		cmocka_unit_test(svg_shows_states),
		cmocka_unit_test(svg_stays_small),
		cmocka_unit_test(mermaid_has_stages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
