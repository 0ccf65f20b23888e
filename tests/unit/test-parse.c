#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "os.h"
#include "parse.h"
#include "parsed.h"

/* What errors look like, the cases in tests/spec say: here is what a pipeline holds, and what no case can say. */

static void
assert_str(struct dr_str got, const char *want)
{
	if (!dr_str_is(got, want))
		fail_msg("'%.*s' is not '%s'", (int)got.n, got.p, want);
}

static void
assert_text(const struct dr_template *t, const char *want)
{
	struct dr_buf out = { 0 };

	assert_true(dr_template_constant(t));
	dr_template_text(t, &out);
	assert_string_equal(dr_buf_cstr(&out), want);
	dr_buf_free(&out);
}

static void
test_whole(void **state)
{
	struct place *pl = *state;
	const struct dr_stage *st;
	const struct dr_args *a;

	parse_well(
		pl,
		"let top = part/\n"
		"env.A = margin\n"
		"args books\n  glob = a* 'b*'\n"
		"args nums\n  range = 007..3 step 2\n  empty = ok\n"
		"map count\n  each = books\n  in.extra = {arg}.x y\n  out = {stem}.o\n  out.b = {stem}.b\n"
		"  run = ./tool {in} {out}\n  uses = table ./count\n  keep = no\n  slots = 3\n  retries = 2\n"
		"  timeout = 1.5m\n  env.A = {arg}\n"
		"merge total\n  each = count\n  out = total\n  part = {top}\n  fan-in = all\n  run = cat "
		"{in} | x\n"
		"task last\n  in = total count ./total\n  run = y\n"
		"default last total\n");
	assert_int_equal(pl->p->n_args, 2);
	a = &pl->p->args[0];
	assert_int_equal(a->kind, DR_GEN_GLOB);
	assert_int_equal(a->n_words, 2);
	assert_text(&a->words[1], "b\\*");
	assert_false(a->empty_ok);
	a = &pl->p->args[1];
	assert_int_equal(a->range.from, 7);
	assert_int_equal(a->range.to, 3);
	assert_int_equal(a->range.step, 2);
	assert_int_equal(a->range.width, 3);
	assert_true(a->empty_ok);
	assert_int_equal(pl->p->n_stages, 3);
	st = &pl->p->stages[0];
	assert_str(st->name, "count");
	assert_int_equal(st->kind, DR_STAGE_MAP);
	assert_int_equal(st->each_args, 0);
	assert_int_equal(st->each_stage, DR_NONE);
	assert_int_equal(st->n_inputs, 1);
	assert_str(st->inputs[0].name, "extra");
	assert_int_equal(st->inputs[0].n_refs, 2);
	assert_int_equal(st->n_outputs, 2);
	assert_str(st->outputs[0].name, "");
	assert_str(st->outputs[1].name, "b");
	assert_int_equal(st->n_uses, 3);
	assert_text(&st->uses[1].path, "./count");
	assert_int_equal(st->uses[1].stage, DR_NONE);
	assert_false(st->uses[1].program);
	assert_text(&st->uses[2].path, "./tool");
	assert_true(st->uses[2].program);
	assert_int_equal(st->keep, DR_KEEP_NO);
	assert_int_equal(st->slots, 3);
	assert_int_equal(st->retries, 2);
	assert_int_equal(st->timeout, INT64_C(90000000000));
	assert_int_equal(st->n_env, 2);
	assert_text(&st->env[0].value, "margin");
	assert_int_equal(st->env[1].value.pieces[0].kind, DR_PH_ARG);
	assert_false(st->run.shell);
	st = &pl->p->stages[1];
	assert_int_equal(st->each_stage, 0);
	assert_int_equal(st->fan_in, 0);
	assert_text(&st->part, "part");
	assert_true(st->run.shell);
	assert_int_equal(st->n_env, 1);
	st = &pl->p->stages[2];
	assert_int_equal(st->kind, DR_STAGE_TASK);
	assert_int_equal(st->each_args, DR_NONE);
	assert_int_equal(st->inputs[0].refs[0].stage, 1);
	assert_int_equal(st->inputs[0].refs[1].stage, 0);
	assert_int_equal(st->inputs[0].refs[2].stage, DR_NONE);
	assert_int_equal(pl->p->n_defaults, 2);
	assert_int_equal(pl->p->defaults[0].stage, 2);
}

static void
test_defaults(void **state)
{
	struct place *pl = *state;
	const struct dr_stage *st;

	parse_well(pl, "args r\n  glob = *\nmerge g\n  each = r\n  out = o\n  run = x {in}\n");
	st = pl->p->stages;
	assert_int_equal(st->fan_in, 2);
	assert_int_equal(st->keep, DR_KEEP_DEFAULT);
	assert_int_equal(st->part.n, 0);
	assert_int_equal(st->slots, 1);
	assert_int_equal(st->retries, 0);
	assert_int_equal(st->timeout, 0);
	assert_int_equal(st->n_env, 0);
	assert_int_equal(pl->p->n_defaults, 0);
	assert_int_equal(pl->p->args[0].range.width, 0);
}

static void
test_in_comes_first(void **state)
{
	struct place *pl = *state;

	parse_well(pl, "task t\n  in.a = 1\n  out.b = 2\n  in = 3\n  out = 4\n  run = x {in.a} {in} {out.b} "
		       "{out}\n");
	assert_str(pl->p->stages[0].inputs[0].name, "");
	assert_str(pl->p->stages[0].inputs[1].name, "a");
	assert_text(&pl->p->stages[0].inputs[0].refs[0].path, "3");
	assert_text(&pl->p->stages[0].outputs[0].path, "4");
	assert_int_equal(pl->p->stages[0].run.words[1].pieces[0].index, 1);
	assert_int_equal(pl->p->stages[0].run.words[3].pieces[0].index, 1);
}

static void
test_positions(void **state)
{
	struct place *pl = *state;

	parse_well(
		pl,
		"args r\n  list = a\nmap m\n  each = r\n  out = x{arg}\n  run =\n    one\n    two {arg}\n");
	assert_int_equal(pl->p->stages[0].pos.line, 3);
	assert_int_equal(pl->p->stages[0].pos.col, 5);
	assert_int_equal(pl->p->stages[0].outputs[0].path.pieces[1].pos.col, 10);
	assert_int_equal(pl->p->stages[0].run.text.pieces[1].pos.line, 8);
	assert_int_equal(pl->p->stages[0].run.text.pieces[1].pos.col, 9);
}

static void
test_shell(void **state)
{
	struct place *pl = *state;
	struct dr_parse_options o = { .root = pl->fd, .shell = "/opt/bin/bash" };

	parse_well(pl, "shell = 'my shell' -c\n");
	assert_int_equal(pl->p->shell.argc, 2);
	assert_string_equal(pl->p->shell.argv[0], "my shell");
	assert_false(pl->p->shell.slices);
	parse_well(pl, "shell = /usr/bin/zsh -c\n");
	assert_true(pl->p->shell.slices);
	forget(pl);
	assert_int_equal(dr_parse("Dagfile", dr_str(""), &o, &pl->p, &pl->diags, &pl->err), 0);
	assert_int_equal(pl->p->shell.argc, 4);
	assert_string_equal(pl->p->shell.argv[0], "/opt/bin/bash");
	assert_string_equal(pl->p->shell.argv[2], "pipefail");
	assert_true(pl->p->shell.slices);
	forget(pl);
	o.shell = "/bin/sh";
	assert_int_equal(dr_parse("Dagfile", dr_str(""), &o, &pl->p, &pl->diags, &pl->err), 0);
	assert_int_equal(pl->p->shell.argc, 2);
	assert_string_equal(pl->p->shell.argv[1], "-ec");
	assert_false(pl->p->shell.slices);
}

static void
write_file(struct place *pl, const char *name, const char *text)
{
	int fd;

	assert_int_equal(dr_mkdirs_for(pl->fd, name), 0);
	fd = openat(pl->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	assert_true(fd >= 0);
	assert_int_equal(dr_write_full(fd, text, strlen(text)), 0);
	dr_close(&fd);
}

static void
test_include(void **state)
{
	struct place *pl = *state;
	const struct dr_parse_options o = { .root = pl->fd };

	write_file(pl, "sub/a.dag", "include b.dag\nlet a = 1\n");
	write_file(pl, "sub/b.dag", "let b = {nosuch}\n");
	/* Paths are from the root, and shown as the first file is. */
	assert_int_equal(dr_parse("up/Dagfile", dr_str("include sub/a.dag\nlet c = {a}\n"), &o, &pl->p,
				  &pl->diags, &pl->err),
			 -1);
	assert_int_equal(pl->diags.total, 1);
	assert_string_equal(pl->diags.v[0].file, "up/sub/b.dag");
	assert_int_equal(pl->err.code, DR_USAGE);
	/* The same file twice is no circle, but gives its names twice. */
	write_file(pl, "sub/b.dag", "let b = 2\n");
	assert_int_equal(parse(pl, "include sub/b.dag\ninclude sub/b.dag\n"), -1);
	assert_non_null(strstr(pl->diags.v[0].msg, "let 'b' is given twice"));
	/* A chain that is too long is told, not followed. */
	forget(pl);
	for (int i = 0; i < 100; i++) {
		char name[32], text[64];

		snprintf(name, sizeof(name), "deep%d", i);
		snprintf(text, sizeof(text), "include deep%d\n", i + 1);
		write_file(pl, name, text);
	}
	assert_int_equal(parse(pl, "include deep0\n"), -1);
	assert_non_null(strstr(pl->diags.v[0].msg, "deep"));
	assert_int_equal(parse(pl, "include sub\n"), -1);
	assert_non_null(strstr(pl->diags.v[0].msg, "not a file"));
}

static void
test_settings(void **state)
{
	struct place *pl = *state;
	const struct dr_setting settings[] = { { "a", "1" }, { "b", "x" }, { "a", "it's {b}" } };
	struct dr_parse_options o = { .root = pl->fd, .settings = settings, .n_settings = 3 };

	assert_int_equal(dr_parse("Dagfile",
				  dr_str("let a = 0\nlet b = {a}!\ntask t\n  out = {a}\n  run = x\n"), &o,
				  &pl->p, &pl->diags, &pl->err),
			 0);
	assert_text(&pl->p->stages[0].outputs[0].path, "it's {b}");
	forget(pl);
	assert_int_equal(dr_parse("Dagfile", dr_str("let a = 0\n"), &o, &pl->p, &pl->diags, &pl->err), -1);
	assert_int_equal(pl->diags.total, 1);
	assert_null(pl->diags.v[0].file);
}

static void
test_lets_do_not_explode(void **state)
{
	struct place *pl = *state;
	struct dr_buf text = { 0 };

	dr_buf_adds(&text, "let a0 = 0123456789\n");
	for (int i = 1; i < 60; i++)
		dr_buf_addf(&text, "let a%d = {a%d}{a%d}\n", i, i - 1, i - 1);
	assert_int_equal(parse(pl, dr_buf_cstr(&text)), -1);
	assert_non_null(strstr(pl->diags.v[0].msg, "a million bytes"));
	dr_buf_free(&text);
}

static void
test_many_stages(void **state)
{
	enum { STAGES = 20000 };
	struct place *pl = *state;
	struct dr_buf text = { 0 };

	dr_buf_adds(&text, "args r\n  list = a\nmap m0\n  each = r\n  out = {arg}.0\n  run = x\n");
	for (int i = 1; i < STAGES; i++)
		dr_buf_addf(&text, "map m%d\n  each = m%d\n  out = {stem}.%d\n  run = x {in} | y\n", i, i - 1,
			    i);
	parse_well(pl, dr_buf_cstr(&text));
	assert_int_equal(pl->p->n_stages, STAGES);
	assert_int_equal(pl->p->stages[STAGES - 1].each_stage, STAGES - 2);
	/* And a circle of all of them. */
	dr_buf_reset(&text);
	for (int i = 0; i < STAGES; i++)
		dr_buf_addf(&text, "map m%d\n  each = m%d\n  out = {stem}.%d\n  run = x\n", i,
			    (i + 1) % STAGES, i);
	assert_int_equal(parse(pl, dr_buf_cstr(&text)), -1);
	assert_int_equal(pl->diags.total, 1);
	assert_non_null(strstr(pl->diags.v[0].msg, "a circle of stages: 'm0' over 'm1'"));
	dr_buf_free(&text);
}

static void
test_errors_in_order(void **state)
{
	static const uint32_t lines[] = { 2, 3, 4, 6 };
	struct place *pl = *state;

	assert_int_equal(parse(pl, "map m\n  each = r\n  run = {x}\nbad\nargs q\n  range = x\n"), -1);
	assert_int_equal(pl->diags.n, 4);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(pl->diags.v[i].line, lines[i]);
}

static int
oneliner(struct place *pl, const struct dr_oneliner_key *keys, uint32_t n)
{
	const struct dr_parse_options o = { .root = pl->fd };

	forget(pl);
	return dr_parse_oneliner(keys, n, &o, &pl->p, &pl->diags, &pl->err);
}

static void
test_oneliner(void **state)
{
	static const struct dr_oneliner_key keys[] = {
		{ "map", "a {arg}" }, { "each", "range:1..3" }, { "out", "{arg}.x" },  { "map", "b" },
		{ "each", "" },       { "out", "{stem}.y" },    { "merge", "c {in}" }, { "out", "z" },
		{ "fan-in", "4" },    { "map", "d" },           { "each", "*.q" },     { "task", "e" },
	};
	struct place *pl = *state;
	const struct dr_stage *st;

	assert_int_equal(oneliner(pl, keys, sizeof(keys) / sizeof(*keys)), 0);
	assert_int_equal(pl->p->n_stages, 5);
	st = pl->p->stages;
	assert_str(st[0].name, "map");
	assert_int_equal(pl->p->args[st[0].each_args].kind, DR_GEN_RANGE);
	assert_str(st[1].name, "map2");
	assert_int_equal(st[1].each_stage, 0);
	assert_str(st[2].name, "merge");
	assert_int_equal(st[2].each_stage, 1);
	assert_int_equal(st[2].fan_in, 4);
	assert_str(st[3].name, "map3");
	assert_int_equal(pl->p->args[st[3].each_args].kind, DR_GEN_GLOB);
	assert_str(st[4].name, "task");
	assert_int_equal(st[4].each_stage, DR_NONE);
}

static void
test_oneliner_errors(void **state)
{
	static const struct dr_oneliner_key keys[] = {
		{ "map", "one\ntwo {nosuch}" },
		{ "each", "list:a" },
		{ "slots", "x" },
	};
	struct place *pl = *state;

	assert_int_equal(oneliner(pl, keys, 3), -1);
	assert_int_equal(pl->diags.n, 2);
	assert_string_equal(pl->diags.v[0].file, "--map");
	assert_int_equal(pl->diags.v[0].line, 2);
	assert_string_equal(pl->diags.v[1].file, "--slots");
	assert_int_equal(pl->diags.v[1].line, 0);
	assert_int_equal(oneliner(pl, keys + 1, 1), -1);
	assert_non_null(strstr(pl->diags.v[0].msg, "--each belongs to a stage"));
	assert_int_equal(oneliner(pl, keys, 0), 0);
}

/* Whatever the text is, there is a pipeline or an error. The seed is fixed: what fails, fails again. */
static void
test_any_text(void **state)
{
	static const char *const parts[] = {
		"map m\n",
		"args r\n",
		"merge g\n",
		"task t\n",
		"let a = ",
		"  each = r\n",
		"  list = a b\n",
		"  where = {arg} ~ (",
		"  where = {x",
		"  columns = x y\n",
		"  product = r s\n",
		"args s\n",
		"  csv = m\n",
		"  batch = 2\n",
		"{x}",
		"  run = ",
		"  out = ",
		"  in = ",
		"{in}",
		"{arg}",
		"{stem}",
		"{a}",
		"{",
		"}",
		"'",
		"\"",
		"$(",
		")",
		"`",
		"$((",
		"))",
		"${",
		"\\",
		"\n",
		"\n    ",
		"<<E",
		"\nE\n",
		" ",
		"#",
		"case x in",
		"esac",
		"f() {",
		"<",
		">",
		"2>&1",
		"|",
		";;",
		"\t",
		"x",
		"/y",
		"  glob = *\n",
		"default m\n",
		"shift\n",
		"set -- ",
		"[[",
		"]]",
		"function f ",
		"\r\n",
	};
	struct place *pl = *state;
	uint64_t seed = 1;
	struct dr_buf text = { 0 };

	for (int i = 0; i < 5000; i++) {
		int n = i % 40;

		dr_buf_reset(&text);
		dr_buf_adds(&text, i % 3 ? "args r\n  list = a\nmap m\n  each = r\n  run = x " : "");
		while (n--) {
			seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			dr_buf_adds(&text, parts[(seed >> 33) % (sizeof(parts) / sizeof(*parts))]);
		}
		if (parse(pl, dr_buf_cstr(&text)) && !pl->diags.n)
			fail_msg("no error is told, but '%s' of:\n%s", pl->err.msg, dr_buf_cstr(&text));
		else if (pl->p)
			assert_int_equal(pl->diags.total, 0);
	}
	dr_buf_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_comes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_positions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shell, setup, teardown),
		cmocka_unit_test_setup_teardown(test_include, setup, teardown),
		cmocka_unit_test_setup_teardown(test_settings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lets_do_not_explode, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_stages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_oneliner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_oneliner_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_any_text, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
