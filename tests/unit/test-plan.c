#include "config.h"

#include "plan-place.h"

#include <inttypes.h>

#include "command.h"
#include "hash.h"
#include "plan-values.h"

/* A file as the tests name it: an inner node, whose name is a hash, by its place in the tree and its extension. */
static void
show_file(struct place *p, uint32_t file)
{
	struct dr_graph *g = p->plan->graph;
	uint32_t producer = g->files[file].producer, round;

	dr_buf_addc(&p->shown, ' ');
	if (producer != DR_NONE && dr_plan_inner(p->plan, producer, &round)) {
		struct dr_str name = dr_graph_name(g, file);

		dr_plan_task_label(p->plan, producer, &p->shown);
		dr_buf_addstr(&p->shown, dr_modify(name, DR_MOD_EXT));
	} else {
		dr_graph_path(g, file, &p->shown);
	}
}

static void
show_task(struct place *p, uint32_t t)
{
	const struct dr_graph *g = p->plan->graph;
	const uint32_t *f = dr_graph_inputs(g, t);

	if (g->tasks[t].state == DR_UNWANTED)
		dr_buf_addc(&p->shown, '(');
	dr_plan_task_label(p->plan, t, &p->shown);
	for (uint32_t i = 0; i < g->tasks[t].n_in; i++)
		show_file(p, *f++);
	if (g->tasks[t].n_uses)
		dr_buf_adds(&p->shown, " +");
	for (uint32_t i = 0; i < g->tasks[t].n_uses; i++)
		show_file(p, *f++);
	dr_buf_adds(&p->shown, " ->");
	for (uint32_t i = 0; i < g->tasks[t].n_out; i++)
		show_file(p, *f++);
	dr_buf_adds(&p->shown, g->tasks[t].state == DR_UNWANTED ? ")\n" : "\n");
}

/* The plan's tasks, stage by stage: label, inputs, + uses, -> outputs, in brackets where no target needs it. */
static const char *
show(struct place *p)
{
	dr_buf_reset(&p->shown);
	for (uint32_t s = 0; s < p->pipeline->n_stages; s++) {
		const struct dr_plan_stage *ps = &p->plan->stages[s];

		for (uint32_t i = 0; ps->planned && i < ps->n; i++) {
			assert_int_equal(p->plan->graph->tasks[ps->first + i].stage, s);
			show_task(p, ps->first + i);
		}
	}
	assert_false(p->shown.failed);
	return dr_buf_cstr(&p->shown);
}

static void
expect(struct place *p, const char *dagfile, const char *tasks)
{
	place_plan(p, dagfile);
	assert_string_equal(show(p), tasks);
}

/* All of the parts are in what is wrong with the plan; "" ends them. */
static void
refuse(struct place *p, const char *dagfile, const char *const *parts)
{
	if (place_try(p, dagfile) == 0)
		fail_msg("taken: %s", show(p));
	assert_true(p->diags.total > 0);
	for (; *parts; parts++)
		if (!strstr(dr_buf_cstr(&p->shown), *parts))
			fail_msg("'%s' is not in '%s'", *parts, dr_buf_cstr(&p->shown));
}

#define REFUSE(p, dagfile, ...) refuse((p), (dagfile), (const char *const[]){ __VA_ARGS__, NULL })

/* What yields the rows. */

static void
map_over_a_glob(void **state)
{
	struct place *p = *state;

	place_files(p, "in/b.txt in/a.txt in/sub/c.txt ref.fa");
	expect(p,
	       "args books\n  glob = in/**/*.txt\n"
	       "map count\n  each = books\n  out = counts/{stem}.tsv\n  uses = ref.fa\n  run = wc {in} > {out}\n",
	       "count:in/a.txt in/a.txt + ref.fa -> counts/a.tsv\n"
	       "count:in/b.txt in/b.txt + ref.fa -> counts/b.tsv\n"
	       "count:in/sub/c.txt in/sub/c.txt + ref.fa -> counts/c.tsv\n");
	assert_int_equal(p->plan->n_targets, 3);
	assert_true(p->plan->graph->files[place_file(p, "ref.fa")].flags & DR_FILE_USED);
	assert_true(p->plan->graph->files[place_file(p, "in/a.txt")].flags & DR_FILE_GLOB);
	assert_true(p->plan->graph->files[place_file(p, "counts/a.tsv")].flags & DR_FILE_TARGET);
	assert_int_equal(p->plan->excluded, 0);
}

static void
map_over_values(void **state)
{
	struct place *p = *state;

	expect(p, "args n\n  range = 08..10\nmap m\n  each = n\n  out = o/{arg}\n  run = echo {arg} > {out}\n",
	       "m:08 -> o/08\nm:09 -> o/09\nm:10 -> o/10\n");
	expect(p, "args n\n  list = 'a b' c\nmap m\n  each = n\n  in = {arg}.txt ref\n  in.x = x/{arg}\n  out = o/{arg}\n"
		  "  run = cat {in} {in.x} > {out}\n",
	       "m:a b a b.txt ref x/a b -> o/a b\nm:c c.txt ref x/c -> o/c\n");
	expect(p, "args n\n  command = printf '%s\\n' x y\nmap m\n  each = n\n  run = echo {arg}\n", "m:x ->\nm:y ->\n");
}

static void
map_over_a_stage(void **state)
{
	struct place *p = *state;

	place_files(p, "in/a in/b");
	expect(p,
	       "args f\n  glob = in/*\n"
	       "map one\n  each = f\n  out = 1/{name}.bam\n  out.bai = 1/{name}.bai\n  run = x {in} {out} {out.bai}\n"
	       "map two\n  each = one\n  out = 2/{stem}\n  in.also = ref/{arg.name}\n  run = y {in} {in.also} {out}\n",
	       "one:in/a in/a -> 1/a.bam 1/a.bai\none:in/b in/b -> 1/b.bam 1/b.bai\n"
	       "two:in/a 1/a.bam ref/a -> 2/a\ntwo:in/b 1/b.bam ref/b -> 2/b\n");
	/* The second outputs are nobody's input, and the tasks are there all the same. */
	assert_int_equal(p->plan->n_targets, 2);
}

static void
stages_in_any_order(void **state)
{
	struct place *p = *state;

	place_files(p, "in/a in/b");
	expect(p,
	       "task end\n  in = all\n  out = end\n  run = cp {in} {out}\n"
	       "merge all\n  each = m\n  out = all.txt\n  run = cat {in} > {out}\n"
	       "map m\n  each = f\n  out = m/{name}\n  run = cp {in} {out}\n"
	       "args f\n  glob = in/*\n",
	       "end all.txt -> end\nall m/a m/b -> all.txt\nm:in/a in/a -> m/a\nm:in/b in/b -> m/b\n");
	assert_int_equal(p->plan->n_targets, 1);
}

/* Merges. */

static const char five[] = "args f\n  glob = in/*\n"
			   "map m\n  each = f\n  out = m/{name}.tsv\n  run = cp {in} {out}\n"
			   "merge all\n  each = m\n  fan-in = %s\n  shape = rounds\n  out = all.tsv\n  run = cat {in} > {out}\n";

static void
expect_merge(struct place *p, const char *fan_in, const char *tasks)
{
	char text[512];

	snprintf(text, sizeof(text), five, fan_in);
	place_plan(p, text);
	assert_non_null(strstr(show(p), "all"));
	assert_string_equal(strstr(p->shown.p, "\nall") + 1, tasks);
}

static void
merges_of_five(void **state)
{
	struct place *p = *state;

	place_files(p, "in/a in/b in/c in/d in/e");
	expect_merge(p, "2",
		     "all/1.1 m/a.tsv m/b.tsv -> all/1.1.tsv\n"
		     "all/1.2 m/c.tsv m/d.tsv -> all/1.2.tsv\n"
		     "all/2.1 all/1.1.tsv all/1.2.tsv -> all/2.1.tsv\n"
		     "all all/2.1.tsv m/e.tsv -> all.tsv\n"); /* the odd one goes up as it is */
	/* The default: as even as can be. */
	place_plan(p, "args f\n  glob = in/*\nmerge all\n  each = f\n  out = all.tsv\n  run = cat {in} > {out}\n");
	assert_string_equal(show(p), "all/1.1 in/a in/b -> all/1.1.tsv\nall/1.2 in/d in/e -> all/1.2.tsv\n"
				     "all/2.1 all/1.1.tsv in/c -> all/2.1.tsv\nall all/2.1.tsv all/1.2.tsv -> all.tsv\n");
	expect_merge(p, "3", "all/1.1 m/a.tsv m/b.tsv m/c.tsv -> all/1.1.tsv\n"
			     "all/1.2 m/d.tsv m/e.tsv -> all/1.2.tsv\n"
			     "all all/1.1.tsv all/1.2.tsv -> all.tsv\n");
	expect_merge(p, "4", "all/1.1 m/a.tsv m/b.tsv m/c.tsv m/d.tsv -> all/1.1.tsv\n"
			     "all all/1.1.tsv m/e.tsv -> all.tsv\n");
	expect_merge(p, "8", "all m/a.tsv m/b.tsv m/c.tsv m/d.tsv m/e.tsv -> all.tsv\n");
	expect_merge(p, "all", "all m/a.tsv m/b.tsv m/c.tsv m/d.tsv m/e.tsv -> all.tsv\n");
}

static void
merges_of_one_and_of_none(void **state)
{
	struct place *p = *state;

	place_files(p, "in/a");
	expect_merge(p, "2", "all m/a.tsv -> all.tsv\n"); /* still put through the command */
	expect_merge(p, "all", "all m/a.tsv -> all.tsv\n");

	expect(p,
	       "args f\n  glob = nothing/*\n  empty = ok\n"
	       "map m\n  each = f\n  out = m/{name}.tsv\n  run = cp {in} {out}\n"
	       "merge all\n  each = m\n  out = all.tsv\n  run = cat {in} > {out}\n"
	       "map on\n  each = all\n  out = on\n  run = cp {in} {out}\n"
	       "task end\n  in = all m here\n  out = end\n  run = cat {in} > {out}\n",
	       "end here -> end\n");
	REFUSE(p, "args f\n  glob = nothing/*\nmap m\n  each = f\n  run = true\n", "Dagfile:2", "'nothing/*'");
}

static void
merge_over_a_glob(void **state)
{
	struct place *p = *state;
	uint32_t round = 9, root, inner;

	place_files(p, "in/a in/b in/c");
	expect(p, "args f\n  glob = in/*\nmerge all\n  each = f\n  out = all\n  run = cat {in} > {out}\n"
		  "map more\n  each = all\n  out = {name}.gz\n  run = gzip {in} {out}\n",
	       "all/1.1 in/a in/b -> all/1.1\nall all/1.1 in/c -> all\nmore all -> all.gz\n");
	inner = place_task(p, "all", 0);
	root = place_task(p, "all", 1);
	assert_true(dr_plan_inner(p->plan, inner, &round));
	assert_int_equal(round, 1);
	assert_false(dr_plan_inner(p->plan, root, &round));
	assert_int_equal(round, 2);
	assert_false(dr_plan_inner(p->plan, place_task(p, "more", 0), &round));
	assert_int_equal(round, 0);
	assert_int_equal(dr_plan_stage_rows(p->plan, place_stage(p, "all")), 1);
	assert_int_equal(dr_plan_stage_row(p->plan, place_stage(p, "all"), 0), root);
	assert_ptr_equal(dr_plan_stage(p->plan, root), &p->pipeline->stages[place_stage(p, "all")]);
}

/* Paths of all inner nodes of `all`, sorted by what they are made of. */
static void
inner_paths(struct place *p, struct dr_buf *out)
{
	const struct dr_plan_stage *ps = &p->plan->stages[place_stage(p, "all")];

	for (uint32_t i = 0; i + 1 < ps->n; i++) {
		dr_graph_path(p->plan->graph, dr_graph_outputs(p->plan->graph, ps->first + i)[0], out);
		dr_buf_addc(out, '\n');
	}
}

static void
inner_names_come_from_their_leaves(void **state)
{
	struct place *p = *state;
	struct dr_buf before = { 0 }, after = { 0 }, one = { 0 };
	char text[512];
	struct dr_graph *g;
	uint32_t file;

	snprintf(text, sizeof(text), five, "2");
	place_files(p, "in/c in/d in/e in/f in/g in/h in/i in/j");
	place_plan(p, text);
	inner_paths(p, &before);
	/* Two before, two behind: all the same nodes are there, and others beside them. */
	place_files(p, "in/a in/b in/k in/l");
	place_plan(p, text);
	inner_paths(p, &after);
	for (char *line = before.p; *line; line = strchr(line, '\n') + 1) {
		size_t n = strcspn(line, "\n") + 1;
		bool first_round;

		dr_buf_reset(&one);
		dr_buf_add(&one, line, n);
		first_round = (size_t)(line - before.p) / n < 4;
		if (first_round)
			assert_non_null(strstr(after.p, one.p));
		assert_memory_equal(line, ".dagrun/parts/all/", 18);
		assert_memory_equal(line + n - 5, ".tsv\n", 5);
		assert_int_equal(n, 18 + 32 + 5);
	}
	/* Made twice, the same; and the identity goes with the path. */
	file = *dr_graph_outputs(p->plan->graph, place_task(p, "all", 1));
	dr_buf_reset(&one);
	dr_graph_path(p->plan->graph, file, &one);
	{
		struct dr_hash128 id = p->plan->graph->tasks[p->plan->graph->files[file].producer].id;

		unlinkat(p->root, "in/a", 0);
		unlinkat(p->root, "in/b", 0);
		place_plan(p, text);
		g = p->plan->graph;
		file = dr_graph_find(g, dr_buf_str(&one));
		assert_int_not_equal(file, DR_NONE);
		assert_true(dr_hash128_eq(g->tasks[g->files[file].producer].id, id));
	}
	dr_buf_free(&before);
	dr_buf_free(&after);
	dr_buf_free(&one);
}

static void
expect_inner(struct place *p, const char *dagfile, const char *prefix, const char *suffix)
{
	struct dr_buf b = { 0 };

	place_plan(p, dagfile);
	dr_graph_path(p->plan->graph, *dr_graph_outputs(p->plan->graph, place_task(p, "all", 0)), &b);
	if (strncmp(b.p, prefix, strlen(prefix)) != 0 || b.n != strlen(prefix) + 32 + strlen(suffix) ||
	    strcmp(b.p + b.n - strlen(suffix), suffix) != 0)
		fail_msg("%s is not %s…%s", b.p, prefix, suffix);
	dr_buf_free(&b);
}

static void
inner_nodes_lie_in_part_with_the_extension(void **state)
{
	struct place *p = *state;
	static const char merge[] = "args f\n  glob = in/*\nmerge all\n  each = f\n  run = cat {in} > {out}\n";
	char text[1024], suffix[256];
	static const struct {
		const char *keys, *prefix, *suffix;
	} cases[] = {
		{ "out = total.tsv", ".dagrun/parts/all/", ".tsv" },
		{ "out = d.x/total", ".dagrun/parts/all/", "" },
		{ "out = total.tar.gz", ".dagrun/parts/all/", ".gz" },
		{ "out = .hidden", ".dagrun/parts/all/", "" },
		{ "out = {w}.bam", ".dagrun/parts/all/", ".bam" }, /* a let before the extension */
		{ "out = x.{w}", ".dagrun/parts/all/", ".lanes" },
		{ "out = {w}/.bam", ".dagrun/parts/all/", "" },
		{ "out = t.tsv\n  part = tmp/parts", "tmp/parts/", ".tsv" },
		{ "out = t.tsv\n  part = ./{w}//p/", "lanes/p/", ".tsv" },
	};

	place_files(p, "in/a in/b in/c");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), "let w = lanes\n%s  %s\n", merge, cases[i].keys);
		expect_inner(p, text, cases[i].prefix, cases[i].suffix);
	}
	/* An extension that leaves no room for the hash would make a name that no file system takes. */
	memset(suffix, 'e', sizeof(suffix));
	snprintf(text, sizeof(text), "%s  out = t.%.240s\n", merge, suffix);
	place_plan(p, text);
	assert_true(dr_graph_name(p->plan->graph, *dr_graph_outputs(p->plan->graph, place_task(p, "all", 0))).n <= 255);
}

static void
what_is_kept(void **state)
{
	struct place *p = *state;
	static const char text[] = "args f\n  glob = in/*\n"
				   "map m\n  each = f\n  out = m/{name}\n  run = cp {in} {out}\n%s"
				   "merge all\n  each = m\n  out = all\n  run = cat {in} > {out}\n%s";
	static const struct {
		const char *map, *merge;
		bool map_kept, inner_kept;
	} cases[] = {
		{ "", "", true, false },
		{ "  keep = no\n", "  keep = yes\n", false, true },
		{ "  keep = yes\n", "  keep = no\n", true, false },
	};

	place_files(p, "in/a in/b in/c");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char dagfile[512];
		const struct dr_graph *g;

		snprintf(dagfile, sizeof(dagfile), text, cases[i].map, cases[i].merge);
		place_plan(p, dagfile);
		g = p->plan->graph;
		assert_int_equal(!!(g->files[place_file(p, "m/a")].flags & DR_FILE_KEEP), cases[i].map_kept);
		assert_int_equal(!!(g->files[*dr_graph_outputs(g, place_task(p, "all", 0))].flags & DR_FILE_KEEP),
				 cases[i].inner_kept);
		assert_true(g->files[place_file(p, "all")].flags & DR_FILE_KEEP);
	}
}

/* Tasks. */

static void
tasks_over_stages(void **state)
{
	struct place *p = *state;

	place_files(p, "in/a in/b");
	expect(p,
	       "args f\n  glob = in/*\n"
	       "map m\n  each = f\n  out = m/{name}\n  out.log = m/{name}.log\n  run = cp {in} {out} {out.log}\n"
	       "task tool\n  out = bin/tool\n  run = cc -o {out} tool.c\n  uses = tool.c\n"
	       "task stats\n  in = m extra.txt\n  in.more = ./m m/a.log\n  out = stats.txt\n  out.log = stats.log\n  uses = tool m\n"
	       "  run = bin/tool {in} {in.more} > {out} 2> {out.log}\n",
	       "m:in/a in/a -> m/a m/a.log\nm:in/b in/b -> m/b m/b.log\n"
	       "tool + tool.c -> bin/tool\n"
	       "stats m/a m/b extra.txt m m/a.log + bin/tool m/a m/b bin/tool -> stats.txt stats.log\n");
	assert_int_equal(p->plan->n_targets, 1);
}

static void
a_program_that_a_stage_makes(void **state)
{
	struct place *p = *state;

	p->targets[0] = "use";
	expect(p, "task tool\n  out = bin/tool\n  run = cc -o {out} tool.c\ntask other\n  out = o\n  run = x > {out}\n"
		  "task use\n  run = ./bin/tool\n",
	       "tool -> bin/tool\nuse + bin/tool ->\n");
}

static void
names_and_labels(void **state)
{
	struct place *p = *state;
	struct dr_buf b = { 0 };
	static const struct {
		const char *stage;
		uint32_t i;
		const char *name, *label;
	} cases[] = {
		{ "m", 1, "m/b", "m:in/b" }, { "all", 0, "all/1.1", "all/1.1" }, { "all", 1, "all/1.2", "all/1.2" },
		{ "all", 2, "all.tsv", "all" }, { "quiet", 0, "quiet:in/a", "quiet:in/a" }, { "end", 0, "e", "end" },
		{ "say", 0, "say", "say" },
	};

	place_files(p, "in/a in/b in/c in/d");
	place_plan(p, "args f\n  glob = in/*\n"
		      "map m\n  each = f\n  out = m/{name}\n  run = cp {in} {out}\n"
		      "map quiet\n  each = f\n  run = true {in}\n"
		      "merge all\n  each = m\n  out = all.tsv\n  run = cat {in} > {out}\n"
		      "task end\n  in = all\n  out = e\n  run = cp {in} {out}\n"
		      "task say\n  run = echo hello\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t t = place_task(p, cases[i].stage, cases[i].i);

		dr_buf_reset(&b);
		dr_plan_task_name(p->plan, t, &b);
		assert_string_equal(b.p, cases[i].name);
		dr_buf_reset(&b);
		dr_plan_task_label(p->plan, t, &b);
		assert_string_equal(b.p, cases[i].label);
	}
	dr_buf_free(&b);
}

static void
identities_come_from_outputs(void **state)
{
	struct place *p = *state;
	struct dr_hash128 a, b;

	place_files(p, "in/a in/b in/0");
	place_plan(p, "args f\n  glob = in/[ab]\nmap m\n  each = f\n  out = m/{name}\n  run = cp {in} {out}\n");
	a = p->plan->graph->tasks[place_task(p, "m", 0)].id;
	b = p->plan->graph->tasks[place_task(p, "m", 1)].id;
	assert_false(dr_hash128_eq(a, b));
	/* Another list, another stage, another command, another spelling: the same file. */
	place_plan(p, "args f\n  glob = in/*\nmap other\n  each = f\n  out = ./m//{name}\n  run = mv {in} {out}\n");
	assert_true(dr_hash128_eq(p->plan->graph->tasks[place_task(p, "other", 1)].id, a));
	assert_int_equal(dr_graph_by_id(p->plan->graph, b), place_task(p, "other", 2));
	/* A second output is another identity. */
	place_plan(p, "args f\n  glob = in/*\nmap m\n  each = f\n  out = m/{name}\n  out.b = {name}.b\n  run = x {in} {out} {out.b}\n");
	assert_int_equal(dr_graph_by_id(p->plan->graph, a), DR_NONE);
}

static void
identities_without_outputs(void **state)
{
	struct place *p = *state;
	struct dr_hash128 x, y, again;
	static const char text[] = "args f\n  list = %s\nmap m\n  each = f\n  run = echo %s{arg}\n";
	char dagfile[256];

	snprintf(dagfile, sizeof(dagfile), text, "x y x", "");
	place_plan(p, dagfile);
	x = p->plan->graph->tasks[0].id;
	y = p->plan->graph->tasks[1].id;
	again = p->plan->graph->tasks[2].id;
	assert_false(dr_hash128_eq(x, y));
	assert_false(dr_hash128_eq(x, again)); /* the same row once more is another task */
	snprintf(dagfile, sizeof(dagfile), text, "y x", "");
	place_plan(p, dagfile);
	assert_int_equal(dr_graph_by_id(p->plan->graph, y), 0);
	assert_int_equal(dr_graph_by_id(p->plan->graph, x), 1);
	snprintf(dagfile, sizeof(dagfile), text, "y x", "-n ");
	place_plan(p, dagfile);
	assert_int_equal(dr_graph_by_id(p->plan->graph, x), DR_NONE);
}

/* Targets. */

static const char chain[] = "args f\n  glob = in/*\n"
			    "map m\n  each = f\n  out = m/{name}\n  run = cp {in} {out}\n"
			    "merge all\n  each = m\n  out = all.txt\n  run = cat {in} > {out}\n"
			    "args n\n  command = touch ran && echo 1\n"
			    "map side\n  each = n\n  out = side/{arg}\n  run = x > {out}\n"
			    "task end\n  in = all\n  out = end.txt\n  run = cp {in} {out}\n";

static const char all_of_m[] = "m:in/a in/a -> m/a\nm:in/b in/b -> m/b\n";

static void
nothing_asked_for_is_all_ends(void **state)
{
	struct place *p = *state;

	place_files(p, "in/a in/b");
	expect(p, chain,
	       "m:in/a in/a -> m/a\nm:in/b in/b -> m/b\nall m/a m/b -> all.txt\nside:1 -> side/1\nend all.txt -> end.txt\n");
	assert_int_equal(p->plan->n_targets, 2);
	assert_true(place_has(p, "ran"));
	assert_true(p->plan->graph->files[place_file(p, "end.txt")].flags & DR_FILE_TARGET);
	assert_false(p->plan->graph->files[place_file(p, "all.txt")].flags & DR_FILE_TARGET);
}

static void
only_what_targets_need(void **state)
{
	struct place *p = *state;
	static const struct {
		const char *target;
		uint32_t wanted, targets;
	} cases[] = {
		{ "all", 3, 1 },   { "all.txt", 3, 1 }, { "./all.txt", 3, 1 }, { "m", 2, 2 },          { "m/a", 1, 1 },
		{ "./m/b", 1, 1 }, { "m:in/a", 1, 1 },  { "end", 4, 1 },
	};

	place_files(p, "in/a in/b");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t wanted = 0;

		p->targets[0] = cases[i].target;
		place_plan(p, chain);
		for (uint32_t t = 0; t < p->plan->graph->n_tasks; t++)
			wanted += p->plan->graph->tasks[t].state != DR_UNWANTED;
		assert_int_equal(wanted, cases[i].wanted);
		assert_int_equal(p->plan->n_targets, cases[i].targets);
		/* The generator of what nobody asked for was not run. */
		assert_false(place_has(p, "ran"));
		assert_false(p->plan->stages[place_stage(p, "side")].planned);
	}
	p->targets[0] = ".//m/.//a"; /* however it is spelt */
	place_plan(p, chain);
	assert_int_equal(p->plan->targets[0], place_task(p, "m", 0));
	p->targets[0] = "m/a";
	place_plan(p, chain);
	assert_string_equal(show(p), "m:in/a in/a -> m/a\n(m:in/b in/b -> m/b)\n");
	p->targets[1] = "m:in/b";
	place_plan(p, chain);
	assert_string_equal(show(p), all_of_m);
	p->targets[0] = "side:1";
	p->targets[1] = NULL;
	place_plan(p, chain);
	assert_string_equal(show(p), "side:1 -> side/1\n");
	assert_true(place_has(p, "ran"));
}

static void
a_stage_goes_before_a_file(void **state)
{
	struct place *p = *state;
	static const char text[] = "task x\n  out = y\n  run = z > {out}\ntask y\n  out = x\n  run = z > {out}\n";

	p->targets[0] = "x";
	expect(p, text, "x -> y\n");
	p->targets[0] = "./x";
	expect(p, text, "y -> x\n");
}

static void
rows_as_targets(void **state)
{
	struct place *p = *state;
	static const char text[] = "args f\n  list = a:b 'c d' c dup dup\nmap m\n  each = f\n  out = {index}\n  run = x > {out}\n"
				   "map n\n  each = m\n  out = n{index}\n  run = y {in} > {out}\n";

	p->targets[0] = "m:a:b"; /* the first colon ends the stage's name */
	expect(p, text, "m:a:b -> 1\n(m:c d -> 2)\n(m:c -> 3)\n(m:dup -> 4)\n(m:dup -> 5)\n");
	p->targets[0] = "m:dup";
	place_plan(p, text);
	assert_int_equal(p->plan->n_targets, 2);
	p->targets[0] = "n:c d";
	expect(p, text, "(m:a:b -> 1)\nm:c d -> 2\n(m:c -> 3)\n(m:dup -> 4)\n(m:dup -> 5)\n"
			"(n:a:b 1 -> n1)\nn:c d 2 -> n2\n(n:c 3 -> n3)\n(n:dup 4 -> n4)\n(n:dup 5 -> n5)\n");
	p->targets[0] = "m:e";
	p->targets[1] = "m:";
	REFUSE(p, text, "'m:e': stage 'm' has no such row", "'m:': stage 'm' has no such row");
}

static void
unknown_targets(void **state)
{
	struct place *p = *state;

	place_files(p, "in/a in/b");
	p->targets[0] = "endd";
	p->targets[1] = "m/c";
	p->targets[2] = "../all.txt";
	p->targets[3] = "al:x";
	p->targets[4] = "all";
	REFUSE(p, chain, "'endd'; did you mean 'end'?", "'m/c'", "'../all.txt'", "'al:x'");
	assert_int_equal(p->diags.total, 4);
	/* What stands behind a let or another placeholder is found all the same. */
	p->targets[0] = "lanes/3.txt";
	p->targets[1] = NULL;
	expect(p, "let w = lanes\nargs n\n  range = 1..3\nmap m\n  each = n\n  out = {w}/{arg}.txt\n  run = x > {out}\n",
	       "(m:1 -> lanes/1.txt)\n(m:2 -> lanes/2.txt)\nm:3 -> lanes/3.txt\n");
}

static void
defaults(void **state)
{
	struct place *p = *state;
	char text[1024];

	place_files(p, "in/a in/b");
	snprintf(text, sizeof(text), "%sdefault m\n", chain);
	expect(p, text, all_of_m);
	snprintf(text, sizeof(text), "%sdefault ./m/b\n", chain);
	expect(p, text, "(m:in/a in/a -> m/a)\nm:in/b in/b -> m/b\n");
	assert_false(place_has(p, "ran"));
	snprintf(text, sizeof(text), "let d = m\n%sdefault {d}/a end\n", chain);
	place_plan(p, text);
	assert_int_equal(p->plan->n_targets, 2);
	p->targets[0] = "end"; /* a target wins */
	snprintf(text, sizeof(text), "%sdefault side\n", chain);
	place_plan(p, text);
	assert_false(place_has(p, "ran"));
	p->targets[0] = NULL;
	snprintf(text, sizeof(text), "%sdefault nothing.txt\n", chain);
	REFUSE(p, text, "'nothing.txt'");
}

/* Mistakes. */

static void
two_tasks_for_one_file(void **state)
{
	struct place *p = *state;

	REFUSE(p, "task one\n  out = a\n  run = x > {out}\ntask two\n  out = ./a\n  run = y > {out}\n", "two tasks make 'a'", "one",
	       "two", "Dagfile:");
	REFUSE(p, "args n\n  list = x y x\nmap m\n  each = n\n  out = o/{arg}\n  run = z > {out}\n", "'o/x'", "m:x");
	REFUSE(p, "task one\n  out = a\n  out.b = d//a\n  out.c = d/a\n  run = x {out} {out.b} {out.c}\n", "names its output 'd/a' twice");
	/* All of them are told. */
	REFUSE(p, "args n\n  list = x y x y\nmap m\n  each = n\n  out = o/{arg}\n  run = z > {out}\n", "'o/x'", "'o/y'");
	assert_int_equal(p->diags.total, 2);
}

static void
many_clashes(void **state)
{
	struct place *p = *state;

	assert_int_equal(place_try(p, "args n\n  range = 1..5000\nmap m\n  each = n\n  out = same\n  run = z > {out}\n"), -1);
	assert_true(p->diags.n <= DR_DIAGS_MAX);
	assert_non_null(strstr(p->shown.p, "'same'"));
}

static void
cycles(void **state)
{
	struct place *p = *state;

	place_files(p, "in/a in/b");
	REFUSE(p, "task a\n  in = f\n  out = ./f\n  run = x {in} {out}\n", "a cycle: f needs f");
	REFUSE(p, "task a\n  in = y\n  out = x\n  run = x {in} {out}\ntask b\n  in = x\n  out = y\n  run = x {in} {out}\n",
	       "a cycle: ", "x needs y", "y needs x");
	REFUSE(p, "task a\n  uses = y\n  out = x\n  run = x {out}\ntask b\n  in = a\n  out = y\n  run = x {in} {out}\n", "a cycle: ");
	REFUSE(p, "task a\n  in = b\n  out = x\n  run = x {in} {out}\ntask b\n  in = a\n  out = y\n  run = x {in} {out}\n",
	       "a circle of stages: ");
	REFUSE(p, "task a\n  in = a\n  out = x\n  run = x {in} {out}\n", "a circle of stages: a needs a");
	/* An output that is a row of its own stage's by mistake. */
	REFUSE(p, "args f\n  glob = in/*\nmap m\n  each = f\n  out = {in}\n  run = x {in} > {out}\n", "a cycle: in/a needs in/a");
	/* Between stages that only read each other's files, row by row. */
	REFUSE(p, "args n\n  range = 1..9\n"
		  "map m\n  each = n\n  in = y{arg}\n  out = x{arg}\n  run = cp {in} {out}\n"
		  "map k\n  each = n\n  in = x{arg}\n  out = y{arg}\n  run = cp {in} {out}\n",
	       "a cycle: ", "x1", "y1");
}

static void
a_circle_beside_what_is_right(void **state)
{
	struct place *p = *state;
	static const char text[] = "task fine\n  out = f\n  run = x > {out}\n"
				   "task a\n  in = b\n  out = x\n  run = x {in} {out}\ntask b\n  in = a\n  out = y\n  run = x {in} {out}\n";

	/* With nothing asked for all stages are meant, also those whose only readers are in the circle. */
	REFUSE(p, text, "a circle of stages: ");
	p->targets[0] = "fine";
	expect(p, text, "fine -> f\n");
}

static void
a_long_cycle_is_told_in_part(void **state)
{
	struct place *p = *state;
	struct dr_buf text = { 0 };

	for (int i = 0; i < 3000; i++)
		dr_buf_addf(&text, "task t%d\n  in = f%d\n  out = f%d\n  run = cp {in} {out}\n", i, i, (i + 1) % 3000);
	REFUSE(p, text.p, "a cycle: ", "(2992 more)");
	assert_true(p->shown.n < 2000);
	dr_buf_free(&text);
}

static void
long_chain_of_stages(void **state)
{
	struct place *p = *state;
	struct dr_buf text = { 0 };

	for (int i = 3000; i-- > 1;)
		dr_buf_addf(&text, "task t%d\n  in = t%d\n  out = f%d\n  run = cp {in} {out}\n", i, i - 1, i);
	dr_buf_adds(&text, "task t0\n  out = f0\n  run = x > {out}\n");
	place_plan(p, text.p);
	assert_int_equal(p->plan->graph->n_tasks, 3000);
	assert_int_equal(p->plan->n_targets, 1);
	dr_buf_free(&text);
}

static void
outputs_that_cannot_be(void **state)
{
	struct place *p = *state;
	char text[1200], name[300];
	static const char form[] = "args n\n  list = %s\nmap m\n  each = n\n  out = %s\n  run = x > {out}\n";
	static const struct {
		const char *rows, *out, *says;
	} cases[] = {
		{ "..", "{arg}", "leaves the Dagfile's directory" },
		{ "a ../b", "o/{arg}", "leaves the Dagfile's directory" },
		{ "a/..", "{arg}", "leaves" },
		{ "''", "{arg}", "is empty" },
		{ "/etc/x", "{arg}", "is absolute" },
		{ ".dagrun", "{arg}", ".dagrun" },
		{ "journal", ".dagrun/{arg}", ".dagrun" },
		{ "x", "./.dagrun/parts/{arg}", ".dagrun" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), form, cases[i].rows, cases[i].out);
		REFUSE(p, text, cases[i].says, "Dagfile:5");
	}
	/* One template's mistake is told once, however many rows have it. */
	snprintf(text, sizeof(text), form, "../a ../b ../c", "{arg}");
	REFUSE(p, text, "'../a'");
	assert_int_equal(p->diags.total, 1);

	memset(name, 'n', sizeof(name));
	snprintf(text, sizeof(text), "task t\n  out = d/%.256s\n  run = x > {out}\n", name);
	REFUSE(p, text, "255 bytes");
	snprintf(text, sizeof(text), "task t\n  out = %.255s/%.255s\n  run = x > {out}\n", name, name);
	place_plan(p, text);
	/* What the Dagfile itself says is absolute may be, and '.dagrun' is no more than that name. */
	place_plan(p, "task t\n  out = /tmp/x\n  run = x > {out}\n");
	place_file(p, "/tmp/x");
	place_plan(p, "let d = /tmp\nargs n\n  list = a\nmap m\n  each = n\n  out = {d}/{arg}\n  run = x > {out}\n");
	place_plan(p, "task t\n  out = .dagrunner/x\n  run = x > {out}\n");
}

static void
inputs_lie_anywhere(void **state)
{
	struct place *p = *state;

	expect(p, "task t\n  in = ../x ./a//b /etc/./passwd -x\n  out = o\n  run = cat {in} > {out}\n",
	       "t ../x a/b /etc/passwd -x -> o\n");
}

/* What globs find of ours. */

static void
outputs_are_no_rows(void **state)
{
	struct place *p = *state;
	static const char text[] = "args f\n  glob = **/*.txt\nmap m\n  each = f\n  out = out/{name}\n  run = cp {in} {out}\n";
	static const char fresh[] = "m:a.txt a.txt -> out/a.txt\nm:z.txt z.txt -> out/z.txt\n";

	place_files(p, "a.txt z.txt");
	expect(p, text, fresh);
	place_files(p, "out/a.txt out/z.txt"); /* as after the first run */
	expect(p, text, fresh);
	assert_int_equal(p->plan->excluded, 2);
	/* In the directory itself, where what is made sorts before and behind what it is made of. */
	place_files(p, "0.a.txt 0.z.txt");
	expect(p, "args f\n  glob = ?.txt 0.*.txt\nmap m\n  each = f\n  out = 0.{name}\n  run = cp {in} {out}\n",
	       "m:a.txt a.txt -> 0.a.txt\nm:z.txt z.txt -> 0.z.txt\n");
}

static void
outputs_of_rows_that_are_gone(void **state)
{
	struct place *p = *state;

	/* out/b.txt was made of b.txt: as a row it would be made of itself. */
	place_files(p, "a.txt out/a.txt out/b.txt");
	expect(p, "args f\n  glob = **/*.txt\nmap m\n  each = f\n  out = out/{name}\n  run = cp {in} {out}\n",
	       "m:a.txt a.txt -> out/a.txt\n");
	assert_int_equal(p->plan->excluded, 2);
}

static void
outputs_of_merges_are_no_rows(void **state)
{
	struct place *p = *state;
	static const char *const fan_ins[] = { "2", "8", "all" };
	char text[256];

	place_files(p, "b.tsv c.tsv d.tsv a.tsv"); /* a.tsv is what an earlier run made, and the first of the rows now */
	for (int i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), "args f\n  glob = *.tsv\nmerge all\n  each = f\n  fan-in = %s\n  out = a.tsv\n  run = cat {in} > {out}\n",
			 fan_ins[i]);
		expect(p, text,
		       i ? "all b.tsv c.tsv d.tsv -> a.tsv\n" : "all/1.1 b.tsv c.tsv -> all/1.1.tsv\nall all/1.1.tsv d.tsv -> a.tsv\n");
		assert_int_equal(p->plan->excluded, 1);
	}
	/* Also one of inner nodes, where `part` lies in the way. */
	place_files(p, "p/x.tsv");
	expect(p, "args f\n  glob = ?.tsv\nmerge all\n  each = f\n  out = z.tsv\n  run = cat {in} > {out}\n  fan-in = all\n",
	       "all a.tsv b.tsv c.tsv d.tsv -> z.tsv\n");
}

static void
inner_nodes_are_no_rows(void **state)
{
	struct place *p = *state;
	static const char text[] = "args f\n  glob = **/*.tsv\nmerge all\n  each = f\n  part = p\n  keep = yes\n  out = all.tsv\n"
				   "  run = cat {in} > {out}\n";
	static const char fresh[] = "all/1.1 a.tsv b.tsv -> all/1.1.tsv\nall all/1.1.tsv c.tsv -> all.tsv\n";
	struct dr_buf b = { 0 };

	place_files(p, "a.tsv b.tsv c.tsv");
	expect(p, text, fresh);
	dr_graph_path(p->plan->graph, *dr_graph_outputs(p->plan->graph, place_task(p, "all", 0)), &b);
	dr_buf_adds(&b, " all.tsv");
	place_files(p, b.p);
	/* With them the rows are other leaves, so the node's own name is not among those that this plan makes: only the
	 * journal knows it. */
	place_plan(p, text);
	b.n = strcspn(b.p, " ");
	b.p[b.n] = '\0';
	p->plan->graph->files[place_file(p, b.p)].flags |= DR_FILE_MADE;
	assert_int_equal(dr_plan_again(p->plan, &p->diags, &p->err), 0);
	assert_string_equal(show(p), fresh);
	assert_int_equal(p->plan->excluded, 2);
	dr_buf_free(&b);
}

static void
rows_that_the_journal_knows(void **state)
{
	struct place *p = *state;
	static const char text[] = "args f\n  glob = in/* old/*\nmap m\n  each = f\n  out = out/{name}\n  run = cp {in} {out}\n"
				   "merge all\n  each = m\n  out = all\n  run = cat {in} > {out}\n";

	place_files(p, "in/a old/b in/c");
	place_plan(p, text);
	assert_int_equal(p->plan->stages[0].n, 3);
	p->plan->graph->files[place_file(p, "old/b")].flags |= DR_FILE_MADE;
	assert_int_equal(dr_plan_again(p->plan, &p->diags, &p->err), 0);
	assert_string_equal(show(p), "m:in/a in/a -> out/a\nm:in/c in/c -> out/c\nall out/a out/c -> all\n");
	assert_int_equal(p->plan->excluded, 1);
	assert_int_equal(p->plan->n_targets, 1);
	/* Nothing to drop: the same again. */
	assert_int_equal(dr_plan_again(p->plan, &p->diags, &p->err), 0);
	assert_int_equal(p->plan->stages[0].n, 2);
}

/* A row that is ours is dropped, and what would be made of it is not held against the Dagfile. */
static void
own_rows_make_no_mistakes(void **state)
{
	struct place *p = *state;
	char path[600], name[256], text[256];

	memset(name, 'n', 252);
	name[252] = '\0';
	snprintf(path, sizeof(path), "%s out/%s.o", name, name);
	place_files(p, path);
	snprintf(text, sizeof(text), "args f\n  glob = n* out/*\nmap m\n  each = f\n  out = out/{name}.o\n  run = cp {in} {out}\n");
	place_plan(p, text);
	assert_int_equal(p->plan->stages[0].n, 1);
	assert_int_equal(p->plan->excluded, 1);
}

/* Temporary names. */

static void
temporary_names(void **state)
{
	static const char *const paths[] = { "a", "d/e/total.tsv", "/abs/x.bam", "d/.hidden", "d/n\xff\n", "x y" };
	struct dr_hash128 id = { UINT64_C(0x0123456789abcdef), 7 };
	struct dr_buf b = { 0 };
	uint64_t lo = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		struct dr_str path = dr_str(paths[i]), name = dr_modify(path, DR_MOD_NAME), temp;

		dr_buf_reset(&b);
		dr_temp_name(id, path, &b);
		temp = dr_modify(dr_buf_str(&b), DR_MOD_NAME);
		/* Beside it, with the name's end. */
		assert_int_equal(b.n - temp.n, path.n - name.n);
		assert_memory_equal(b.p, paths[i], path.n - name.n);
		assert_memory_equal(temp.p + temp.n - name.n, name.p, name.n);
		assert_memory_equal(temp.p, ".dagrun-0123456789abcdef-", 25);
		assert_true(dr_temp_name_id(temp, &lo));
		assert_true(lo == id.lo);
	}
	dr_buf_free(&b);
}

static void
temporary_names_of_long_names(void **state)
{
	struct dr_hash128 id = { UINT64_MAX, 7 };
	struct dr_buf b = { 0 }, c = { 0 };
	char path[300] = "dir/";
	uint64_t lo = 0;

	(void)state;
	for (size_t n = 200; n <= 255; n++) {
		memset(path + 4, 'n', n);
		memcpy(path + 4, "head", 4);
		strcpy(path + 4 + n - 7, "tail.gz");
		dr_buf_reset(&b);
		dr_temp_name(id, dr_str(path), &b);
		assert_in_range(b.n, 4 + n, 4 + 255);
		assert_memory_equal(b.p, "dir/.dagrun-ffffffffffffffff-head", 33);
		assert_string_equal(b.p + b.n - 7, "tail.gz");
		assert_true(dr_temp_name_id((struct dr_str){ b.p + 4, b.n - 4 }, &lo));
		assert_true(lo == id.lo);
		/* The other output of the task, which differs in the middle only. */
		path[4 + n / 2] = 'X';
		dr_buf_reset(&c);
		dr_temp_name(id, dr_str(path), &c);
		assert_string_not_equal(b.p, c.p);
	}
	dr_buf_free(&b);
	dr_buf_free(&c);
}

static void
names_that_are_not_temporary(void **state)
{
	static const char *const names[] = {
		"", ".dagrun", ".dagrun-", ".dagrun-0123456789abcdef", ".dagrun-0123456789abcdef-", ".dagrun-0123456789abcdeg-x",
		".dagrun-0123456789ABCDEF-x", "dagrun-0123456789abcdef-xy", ".dagrun-0123456789abcdef.x", ".dagrun-x",
		".dagrun-0123456789abcde-xyz", " .dagrun-0123456789abcdef-x",
	};
	uint64_t lo = 55;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_false(dr_temp_name_id(dr_str(names[i]), &lo));
	assert_true(lo == 55);
}

/* Values and the command's hash. */

static void
expect_command(struct place *p, uint32_t task, bool temporary, const char *command)
{
	struct dr_task_values tv;
	struct dr_buf b = { 0 };

	dr_task_values_init(&tv, p->plan, task);
	tv.temporary = temporary;
	assert_int_equal(dr_command_show(&dr_plan_stage(p->plan, task)->run, &tv.v, &b, &p->err), 0);
	assert_string_equal(b.p, command);
	dr_buf_free(&b);
}

static void
values_of_tasks(void **state)
{
	struct place *p = *state;
	char text[128];
	const struct dr_graph *g;

	place_files(p, "in/a in/b in/c");
	place_plan(p, "let w = lanes\nargs f\n  glob = in/*\n"
		      "map m\n  each = f\n  in.r = ref/{arg.name} r2\n  out = m/{name}\n  out.i = m/{name}.i\n  slots = 3\n"
		      "  run = x {w} {in} {in.r} {out} {out.i} {arg} {index} {slots} {slot} {attempt} {in.name}\n"
		      "merge all\n  each = m\n  fan-in = all\n  out = all\n  run = cat {in} > {out}\n"
		      "task t\n  in.x = all\n  in = m one\n  out = t\n  run = y {in} {in.x}\n");
	g = p->plan->graph;
	expect_command(p, place_task(p, "m", 1), false,
		     "x lanes in/b ref/b r2 m/b m/b.i in/b 2 3 1 1 b");
	snprintf(text, sizeof(text), "cat m/a m/b m/c > .dagrun-%016" PRIx64 "-all", g->tasks[place_task(p, "all", 0)].id.lo);
	expect_command(p, place_task(p, "all", 0), true, text);
	expect_command(p, place_task(p, "all", 0), false, "cat m/a m/b m/c > all");
	expect_command(p, place_task(p, "t", 0), false, "y m/a m/b m/c one all");
}

static struct dr_hash128
command_hash(struct place *p, const char *dagfile, const char *stage, uint32_t i)
{
	struct dr_hasher *h = dr_hasher_new();
	struct dr_buf scratch = { 0 };
	struct dr_hash128 out = { 0 };

	place_plan(p, dagfile);
	assert_int_equal(dr_task_command_hash(p->plan, place_task(p, stage, i), h, &scratch, &out, &p->err), 0);
	dr_hasher_free(h);
	dr_buf_free(&scratch);
	return out;
}

static void
what_the_command_hash_holds(void **state)
{
	struct place *p = *state;
	static const char form[] = "let w = %s\n%sargs n\n  list = %s\nmap m\n  each = n\n  in = %s\n  out = %s\n%s  run = %s\n";
	/* Each differs from the first in one thing. */
	static const struct {
		const char *let, *margin, *row, *in, *out, *keys, *run;
		bool same;
	} cases[] = {
		{ "w", "", "r", "i j", "o", "", "x {w} {arg} {in} {out} {slots}{index}{slot}{attempt}{tmp}", true },
		{ "w2", "", "r", "i j", "o", "", "x {w} {arg} {in} {out} {slots}{index}{slot}{attempt}{tmp}", false },
		{ "w", "", "r2", "i j", "o", "", "x {w} {arg} {in} {out} {slots}{index}{slot}{attempt}{tmp}", false },
		{ "w", "", "r", "ij", "o", "", "x {w} {arg} {in} {out} {slots}{index}{slot}{attempt}{tmp}", false },
		{ "w", "", "r", "'i j'", "o", "", "x {w} {arg} {in} {out} {slots}{index}{slot}{attempt}{tmp}", false },
		{ "w", "", "r", "j i", "o", "", "x {w} {arg} {in} {out} {slots}{index}{slot}{attempt}{tmp}", false },
		{ "w", "", "r", "i j", "o2", "", "x {w} {arg} {in} {out} {slots}{index}{slot}{attempt}{tmp}", false },
		{ "w", "", "r", "i j", "o", "", "x  {w} {arg} {in} {out}x {slots}{index}{slot}{attempt}{tmp}", false },
		{ "w", "env.A = 1\n", "r", "i j", "o", "", "x {w} {arg} {in} {out} {slots}{index}{slot}{attempt}{tmp}", false },
		{ "w", "", "r", "i j", "o", "  env.A = 1\n", "x {w} {arg} {in} {out} {slots}{index}{slot}{attempt}{tmp}", false },
		/* What decides nothing. */
		{ "w", "", "q r", "i j", "o", "", "x {w} {arg} {in} {out} {slots}{index}{slot}{attempt}{tmp}", true },
		{ "w", "", "r", "i j", "o", "  slots = 4\n", "x {w} {arg} {in} {out} {slots}{index}{slot}{attempt}{tmp}", true },
		{ "w", "", "r", "i j", "o", "  retries = 4\n  timeout = 1h\n  keep = no\n", "x {w} {arg} {in} {out} {slots}{index}{slot}{attempt}{tmp}", true },
		{ "w", "", "r", "./i j", "o", "  uses = u\n", "x {w} {arg} {in} {out} {slots}{index}{slot}{attempt}{tmp}", true },
	};
	struct dr_hash128 first = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[1024];
		struct dr_hash128 h;
		bool two = cases[i].row[1] == ' ';
		char out[64];

		snprintf(out, sizeof(out), two ? "{arg}%s" : "r%s", cases[i].out);
		snprintf(text, sizeof(text), form, cases[i].let, cases[i].margin, cases[i].row, cases[i].in, out, cases[i].keys,
			 cases[i].run);
		h = command_hash(p, text, "m", two);
		if (i == 0)
			first = h;
		if (dr_hash128_eq(h, first) != cases[i].same)
			fail_msg("case %zu", i);
	}
}

/* Values in env decide as they do in the command: what differs from run to run does not. */
static void
the_hash_of_env(void **state)
{
	struct place *p = *state;
	static const char form[] = "args n\n  list = %s\nmap m\n  each = n\n  out = {arg}\n  slots = %s\n  env.A = %s\n  run = x > {out}\n";
	static const struct {
		const char *row, *slots, *env;
		uint32_t i;
		bool same;
	} cases[] = {
		{ "r", "1", "{arg}-{index}{slots}{slot}{attempt}{tmp}", 0, true },
		{ "q r", "1", "{arg}-{index}{slots}{slot}{attempt}{tmp}", 1, true },
		{ "r", "2", "{arg}-{index}{slots}{slot}{attempt}{tmp}", 0, true },
		{ "r", "1", "{arg}+{index}{slots}{slot}{attempt}{tmp}", 0, false },
		{ "r", "1", "r-{index}{slots}{slot}{attempt}{tmp}", 0, false },
	};
	struct dr_hash128 first = { 0 };
	char text[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct dr_hash128 h;

		snprintf(text, sizeof(text), form, cases[i].row, cases[i].slots, cases[i].env);
		h = command_hash(p, text, "m", cases[i].i);
		if (i == 0)
			first = h;
		/* A value and the same text: either verdict would do, so the last case is not held against it. */
		if (i < 4 && dr_hash128_eq(h, first) != cases[i].same)
			fail_msg("case %zu", i);
	}
	/* Name and value do not run together. */
	snprintf(text, sizeof(text), "task t\n  env.AB = C\n  run = x\n");
	first = command_hash(p, text, "t", 0);
	snprintf(text, sizeof(text), "task t\n  env.A = BC\n  run = x\n");
	assert_false(dr_hash128_eq(first, command_hash(p, text, "t", 0)));
}

/* Size. */

static void
a_hundred_thousand_rows(void **state)
{
	struct place *p = *state;
	uint32_t round;

	place_plan(p, "args n\n  range = 1..100000\nmap m\n  each = n\n  out = m/{arg}.txt\n  run = x {arg} > {out}\n"
		      "merge all\n  each = m\n  out = all.txt\n  run = cat {in} > {out}\n");
	assert_int_equal(p->plan->graph->n_tasks, 100000 + 99999);
	assert_int_equal(p->plan->n_targets, 1);
	dr_plan_inner(p->plan, p->plan->targets[0], &round);
	assert_int_equal(round, 17);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
	const struct CMUnitTest tests[] = {
		TEST(map_over_a_glob),
		TEST(map_over_values),
		TEST(map_over_a_stage),
		TEST(stages_in_any_order),
		TEST(merges_of_five),
		TEST(merges_of_one_and_of_none),
		TEST(merge_over_a_glob),
		TEST(inner_names_come_from_their_leaves),
		TEST(inner_nodes_lie_in_part_with_the_extension),
		TEST(what_is_kept),
		TEST(tasks_over_stages),
		TEST(a_program_that_a_stage_makes),
		TEST(names_and_labels),
		TEST(identities_come_from_outputs),
		TEST(identities_without_outputs),
		TEST(nothing_asked_for_is_all_ends),
		TEST(only_what_targets_need),
		TEST(a_stage_goes_before_a_file),
		TEST(rows_as_targets),
		TEST(unknown_targets),
		TEST(defaults),
		TEST(two_tasks_for_one_file),
		TEST(many_clashes),
		TEST(cycles),
		TEST(a_circle_beside_what_is_right),
		TEST(a_long_cycle_is_told_in_part),
		TEST(long_chain_of_stages),
		TEST(outputs_that_cannot_be),
		TEST(inputs_lie_anywhere),
		TEST(outputs_are_no_rows),
		TEST(outputs_of_rows_that_are_gone),
		TEST(outputs_of_merges_are_no_rows),
		TEST(inner_nodes_are_no_rows),
		TEST(rows_that_the_journal_knows),
		TEST(own_rows_make_no_mistakes),
		cmocka_unit_test(temporary_names),
		cmocka_unit_test(temporary_names_of_long_names),
		cmocka_unit_test(names_that_are_not_temporary),
		TEST(values_of_tasks),
		TEST(what_the_command_hash_holds),
		TEST(the_hash_of_env),
		TEST(a_hundred_thousand_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
