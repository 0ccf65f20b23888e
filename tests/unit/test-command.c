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
#include <sys/wait.h>
#include <unistd.h>

#include "arena.h"
#include "command.h"
#include "err.h"
#include "hash.h"
#include "os.h"
#include "parse.h"

/* A command is what parse makes of the `run` of a stage: each test writes one and looks at what would be started. */
struct place {
	struct dr_pipeline *p;
	struct dr_diags diags;
	struct dr_err err;
	struct dr_arena arena;
	const char *in[8];
	uint32_t n_in;
	const char *out, *arg;
	uint32_t slots;
	struct dr_values v;
	struct dr_exec x;
};

static uint32_t
count(void *ctx, const struct dr_piece *p)
{
	const struct place *pl = ctx;

	return p->kind == DR_PH_ARG ? 1 : pl->n_in;
}

static int
get(void *ctx, const struct dr_piece *p, uint32_t i, struct dr_buf *buf, struct dr_err *err)
{
	const struct place *pl = ctx;

	(void)err;
	switch (p->kind) {
	case DR_PH_IN:
	case DR_PH_IN_NAME:
		dr_buf_adds(buf, pl->in[i]);
		break;
	case DR_PH_OUT:
		dr_buf_adds(buf, pl->out);
		break;
	case DR_PH_ARG:
		dr_buf_adds(buf, pl->arg);
		break;
	case DR_PH_SLOTS:
		dr_buf_addf(buf, "%u", (unsigned)pl->slots);
		break;
	default:
		dr_buf_addc(buf, '7');
	}
	return 0;
}

static int
setup(void **state)
{
	struct place *pl = calloc(1, sizeof(*pl));

	if (!pl)
		return -1;
	pl->v = (struct dr_values){ pl, count, get };
	pl->in[0] = "in/a.txt";
	pl->n_in = 1;
	pl->out = "out";
	pl->arg = "row";
	pl->slots = 1;
	*state = pl;
	return 0;
}

static void
forget(struct place *pl)
{
	dr_pipeline_free(pl->p);
	pl->p = NULL;
	dr_diags_free(&pl->diags);
	dr_arena_free(&pl->arena);
}

static int
teardown(void **state)
{
	forget(*state);
	free(*state);
	return 0;
}

enum head { MAP, MERGE };
static const char *const heads[] = {
	[MAP] = "let word = echo\nlet two = a b\nargs r\n  glob = *\nmap m\n  each = r\n  out = o\n  run =\n "
		"   ",
	[MERGE] = "args r\n  glob = *\nmerge m\n  each = r\n  out = o\n  run =\n    ",
};

/* The command that `run` is, or NULL with what was told. */
static const struct dr_command *
compile(struct place *pl, enum head head, const char *shell, const char *run)
{
	struct dr_parse_options o = { .root = AT_FDCWD, .shell = shell };
	struct dr_buf text = { 0 };
	int rc;

	forget(pl);
	dr_buf_adds(&text, heads[head]);
	dr_buf_adds(&text, run);
	rc = dr_parse("Dagfile", dr_buf_str(&text), &o, &pl->p, &pl->diags, &pl->err);
	dr_buf_free(&text);
	return rc ? NULL : &pl->p->stages[0].run;
}

static const struct dr_command *
compile_well(struct place *pl, enum head head, const char *shell, const char *run)
{
	const struct dr_command *c = compile(pl, head, shell, run);

	if (!c)
		fail_msg("%s: %s", run, pl->diags.n ? pl->diags.v[0].msg : pl->err.msg);
	return c;
}

static void
expand(struct place *pl, const struct dr_command *c)
{
	assert_int_equal(dr_command_expand(c, &pl->p->shell, &pl->v, &pl->arena, &pl->x, &pl->err), 0);
	assert_null(pl->x.argv[pl->x.argc]);
}

/* Each word in brackets. */
static void
assert_words(struct place *pl, const struct dr_command *c, uint32_t from, const char *want)
{
	struct dr_buf out = { 0 };
	uint64_t bytes = (pl->x.argc + 1) * sizeof(char *);

	expand(pl, c);
	bytes = ((uint64_t)pl->x.argc + 1) * sizeof(char *);
	for (uint32_t i = 0; i < pl->x.argc; i++) {
		bytes += strlen(pl->x.argv[i]) + 1;
		if (i >= from)
			dr_buf_addf(&out, "<%s>", pl->x.argv[i]);
	}
	assert_string_equal(dr_buf_cstr(&out), want);
	assert_int_equal(pl->x.bytes, bytes);
	dr_buf_free(&out);
}

/* Without a shell. */
static void
direct(struct place *pl, const char *run, const char *want)
{
	const struct dr_command *c = compile_well(pl, MAP, NULL, run);

	if (c->shell)
		fail_msg("%s: needs no shell", run);
	assert_words(pl, c, 0, want);
}

/* With bash: what comes behind -c. */
static void
shell(struct place *pl, const char *run, const char *want)
{
	const struct dr_command *c = compile_well(pl, MAP, "/bin/bash", run);

	if (!c->shell)
		fail_msg("%s: needs a shell", run);
	assert_words(pl, c, 4, want);
}

static void
test_direct(void **state)
{
	struct place *pl = *state;

	direct(pl, "prog", "<prog>");
	direct(pl, "prog {in} x{arg}y  'a  b' \"c d\"e ''", "<prog><in/a.txt><xrowy><a  b><c de><>");
	direct(pl, "'my prog' '$x*`!\\{}' 1=2 -- --a=b %^,.:@/+-_",
	       "<my prog><$x*`!\\{}><1=2><--><--a=b><%^,.:@/+-_>");
	direct(pl, "prog\t{in.stem}{in.ext} {two} {arg.name}", "<prog><a.txt><a b><row>");
	direct(pl, "{two} x", "<a b><x>");
	direct(pl, "'echo ' x", "<echo ><x>");
	direct(pl, "prog \"it's\" 'say \"x\"'", "<prog><it's><say \"x\">");
	direct(pl, "'A=1' x", "<A=1><x>");
}

static void
test_values_are_words(void **state)
{
	static const char *const values[] = {
		"a b",      "it's", "\"", "$HOME", "`id`", "*",  ";", "a\nb",
		"\xff\x01", "-n",   "",   "{in}",  "~",    "\\", "#",
	};
	struct place *pl = *state;
	const struct dr_command *c = compile_well(pl, MAP, NULL, "prog {arg}");

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		pl->arg = values[i];
		expand(pl, c);
		assert_int_equal(pl->x.argc, 2);
		assert_string_equal(pl->x.argv[1], values[i]);
	}
}

static void
test_needs_shell(void **state)
{
	static const char *const texts[] = {
		"x *",        "x a?",         "x [a]",
		"x ~",        "x $y",         "x `y`",
		"x a\\ b",    "x !",          "x #y",
		"(x)",        "{ x; }",       "x; y",
		"x & y",      "x | y",        "x && y",
		"A=1 x",      "A+=1 x",       "A= x",
		"echo x",     "{word} x",     "if x; then y; fi",
		"test a = b", "x \"$y\"",     "x \"a\\b\"",
		"x \"!\"",    "x <<< y",      "x 3> y",
		"x > y > ",   "> {out}",      "x <(y)",
		"x 10> y",    "x >| y",       "x <> y",
		"x 2>&3",     "x >&-",        "x &> y",
		"x\ny",       "x a b\\\n  c", "'echo' x",
		"x 2>&{arg}", "x >&{arg}",    "x {a,b}",
		". x",        ": x",          "[ x ]",
		"x 2>&1x",    "time x",       "x >& y",
	};
	struct place *pl = *state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		char run[256];
		const struct dr_command *c;
		size_t n = 0;

		/* As lines of a block */
		for (const char *p = texts[i]; *p; p++) {
			run[n++] = *p;
			if (*p == '\n') {
				memcpy(run + n, "    ", 4);
				n += 4;
			}
		}
		run[n] = '\0';
		c = compile_well(pl, MAP, NULL, run);
		if (!c->shell)
			fail_msg("%s: needs a shell", texts[i]);
		assert_int_equal(c->n_words, 0);
		assert_int_equal(c->n_redirects, 0);
	}
}

static void
assert_redirect(struct place *pl, uint32_t i, enum dr_redirect_kind kind, int fd, const char *path)
{
	assert_true(i < pl->x.n_redirects);
	assert_int_equal(pl->x.redirects[i].kind, kind);
	assert_int_equal(pl->x.redirects[i].fd, fd);
	if (kind == DR_REDIRECT_DUP)
		assert_int_equal(pl->x.redirects[i].dup_from, path[0] - '0');
	else
		assert_string_equal(pl->x.redirects[i].path, path);
}

static void
test_redirections(void **state)
{
	struct place *pl = *state;

	pl->out = "-o";
	direct(pl, "prog <{in} >{out} a 2>&1", "<prog><a>");
	assert_int_equal(pl->x.n_redirects, 3);
	assert_redirect(pl, 0, DR_REDIRECT_READ, 0, "in/a.txt");
	assert_redirect(pl, 1, DR_REDIRECT_WRITE, 1, "./-o");
	assert_redirect(pl, 2, DR_REDIRECT_DUP, 2, "1");
	direct(pl, "> 'a b'c prog 2>> {out}.log 1>&2 0< x{arg}y", "<prog>");
	assert_int_equal(pl->x.n_redirects, 4);
	assert_redirect(pl, 0, DR_REDIRECT_WRITE, 1, "a bc");
	assert_redirect(pl, 1, DR_REDIRECT_APPEND, 2, "./-o.log");
	assert_redirect(pl, 2, DR_REDIRECT_DUP, 1, "2");
	assert_redirect(pl, 3, DR_REDIRECT_READ, 0, "xrowy");
	direct(pl, "prog a2>b >&2 <c", "<prog><a2>");
	assert_redirect(pl, 0, DR_REDIRECT_WRITE, 1, "b");
	assert_redirect(pl, 1, DR_REDIRECT_DUP, 1, "2");
	assert_redirect(pl, 2, DR_REDIRECT_READ, 0, "c");
	direct(pl, "prog '2'>b {arg}>c", "<prog><2><row>");
	assert_redirect(pl, 0, DR_REDIRECT_WRITE, 1, "b");
	assert_redirect(pl, 1, DR_REDIRECT_WRITE, 1, "c");
}

static void
test_shell_text(void **state)
{
	struct place *pl = *state;

	shell(pl, "prog {in} | x {arg}", "<prog \"${1}\" | x \"${2}\"><dagrun><in/a.txt><row>");
	shell(pl, "prog {in} {in} 'ID:'{in.stem}x | y",
	      "<prog \"${1}\" \"${1}\" 'ID:'\"${2}\"x | y><dagrun><in/a.txt><a>");
	shell(pl, "x=\"$(prog {arg})\"; echo ${x} '{print}' {a,b} {1..3} {} \\{arg} # {arg}",
	      "<x=\"$(prog \"${1}\")\"; echo ${x} '{print}' {a,b} {1..3} {} \\{arg} # {arg}><dagrun><row>");
	shell(pl, "echo $(( {slots} + 1 )) $((({slots})))", "<echo $(( ${1} + 1 )) $(((${1})))><dagrun><1>");
	shell(pl, "((x = {slots})); echo", "<((x = ${1})); echo><dagrun><1>");
	shell(pl, "for ((i = 0; i<<1 < {slots}; i++)); do echo; done",
	      "<for ((i = 0; i<<1 < ${1}; i++)); do echo; done><dagrun><1>");
	shell(pl, "echo `prog {arg}`", "<echo `prog \"${1}\"`><dagrun><row>");
	shell(pl, "set -e -o pipefail; echo {arg}", "<set -e -o pipefail; echo \"${1}\"><dagrun><row>");
	shell(pl, "set -- {arg}; echo \"$1\"", "<set -- \"${1}\"; echo \"$1\"><dagrun><row>");
	shell(pl, "f() { echo \"$1\"; }; f {arg}", "<f() { echo \"$1\"; }; f \"${1}\"><dagrun><row>");
	shell(pl, "case {arg} in a) echo;; (b|c) echo {in};; esac",
	      "<case \"${1}\" in a) echo;; (b|c) echo \"${2}\";; esac><dagrun><row><in/a.txt>");
	shell(pl, "echo \"a\"{arg}'b' ${x:-\"y\"} $'\\'' {arg}",
	      "<echo \"a\"\"${1}\"'b' ${x:-\"y\"} $'\\'' \"${1}\"><dagrun><row>");
	shell(pl, "a=({arg} b); echo", "<a=(\"${1}\" b); echo><dagrun><row>");
	shell(pl, "cat <<E; echo {arg}\n    {x} '\n    E", "<cat <<E; echo \"${1}\"\n{x} '\nE><dagrun><row>");
}

static void
test_many(void **state)
{
	struct place *pl = *state;
	const struct dr_command *c;

	pl->in[1] = "-b";
	pl->in[2] = "c d";
	pl->n_in = 3;
	c = compile_well(pl, MERGE, "/bin/bash", "prog {in} > {out}");
	assert_false(c->shell);
	assert_words(pl, c, 0, "<prog><in/a.txt><./-b><c d>");
	c = compile_well(pl, MERGE, "/bin/bash", "prog {out} {in.stem} {in} | x {in}");
	assert_words(pl, c, 4,
		     "<prog \"${1}\" \"${@:2:3}\" \"${@:5:3}\" | x \"${@:5:3}\"><dagrun><out><a><-b><c d>"
		     "<in/a.txt><./-b><c d>");
	c = compile_well(pl, MERGE, "/bin/sh", "prog {out} {in} | x");
	assert_words(pl, c, 2,
		     "<prog \"${1}\" \"${2}\" \"${3}\" \"${4}\" | x><dagrun><out><in/a.txt><./-b><c d>");
	pl->n_in = 0;
	assert_words(pl, c, 2, "<prog \"${1}\"  | x><dagrun><out>");
	c = compile_well(pl, MERGE, "/bin/bash", "prog {out} {in} | x");
	assert_words(pl, c, 4, "<prog \"${1}\" \"${@:2:0}\" | x><dagrun><out>");
	c = compile_well(pl, MERGE, NULL, "{in}");
	assert_int_equal(dr_command_expand(c, &pl->p->shell, &pl->v, &pl->arena, &pl->x, &pl->err), -1);
}

static void
test_leading_minus(void **state)
{
	struct place *pl = *state;

	pl->in[0] = "-a/-b.c";
	pl->arg = "-x";
	direct(pl, "prog {in} --in={in} {in.dir} {in.name} {in.stem} {arg}",
	       "<prog><./-a/-b.c><--in=./-a/-b.c><./-a><-b.c><-b><-x>");
	shell(pl, "prog {in} {in.name} {arg} | x",
	      "<prog \"${1}\" \"${2}\" \"${3}\" | x><dagrun><./-a/-b.c><-b.c><-x>");
}

static void
test_too_many_for_one_word(void **state)
{
	struct place *pl = *state;
	const struct dr_command *c = compile_well(pl, MAP, NULL, "prog x{in}");

	/* What parse cannot know is refused, not glued together. */
	pl->in[1] = "b";
	pl->n_in = 2;
	assert_int_equal(dr_command_expand(c, &pl->p->shell, &pl->v, &pl->arena, &pl->x, &pl->err), -1);
	assert_int_equal(pl->err.code, DR_USAGE);
}

static void
programs(struct place *pl, const char *run, const char *want)
{
	const struct dr_command *c = compile_well(pl, MAP, NULL, run);
	struct dr_buf out = { 0 };

	for (uint32_t i = 0; i < c->n_programs; i++)
		dr_buf_addf(&out, "%.*s ", (int)c->programs[i].n, c->programs[i].p);
	if (strcmp(dr_buf_cstr(&out), want) != 0)
		fail_msg("programs of '%s' are '%s', not '%s'", run, dr_buf_cstr(&out), want);
	dr_buf_free(&out);
}

static void
test_programs(void **state)
{
	struct place *pl = *state;

	programs(pl, "./a {in}", "./a ");
	programs(pl, "a b/c", "");
	programs(pl, "/usr/bin/a", "");
	programs(pl, "'./my prog' x", "./my prog ");
	programs(pl, "> {out} bin/a ./b", "bin/a ");
	programs(pl, "./a | ./b && x/c; ./d & ./a", "./a ./b x/c ./d ");
	programs(pl,
		 "if ./a; then ./b; else ./c; fi; while ./d; do ./e; done; until ! ./f; do time ./g; done",
		 "./a ./b ./c ./d ./e ./f ./g ");
	programs(pl, "( ./a ); { ./b; }; x \"$(./c)\" `./d` <(./e)", "./a ./b ./c ./d ./e ");
	programs(pl, "A=1 B={in} ./a; exec ./b > ./c; [[ x && ./d ]] && ./e", "./a ./b ./e ");
	programs(pl, "case x in ./a) ./b ;; ./c|(./d) ./e; esac; ./f", "./b ./e ./f ");
	programs(pl, "for i in ./a ./b; do ./c; done", "./c ");
	programs(pl, "./a{arg} ./b; {arg}/c; $x/d; ./*; ./{e,f} # ./g", "");
	programs(pl, "./a; cd sub && ./b", "./a ");
	programs(pl, "f() { ./a; }; function g { ./b; }; f; ./c", "./a ./b ./c ");
	programs(pl, "x 2>./a >./b <./c; ./d", "./d ");
	programs(pl, "./a \\\n      | ./b", "./a ./b ");
	programs(pl, "cat <<E | ./a\n    ./b\n    E\n    ./c", "./a ./c ");
}

static struct dr_hash128
hash(struct place *pl, const struct dr_command *c)
{
	struct dr_hasher *h = dr_hasher_new();
	struct dr_buf scratch = { 0 };
	struct dr_hash128 got;

	assert_non_null(h);
	assert_int_equal(dr_command_hash(c, &pl->p->shell, &pl->v, h, &scratch, &pl->err), 0);
	got = dr_hasher_end(h);
	dr_hasher_free(h);
	dr_buf_free(&scratch);
	return got;
}

static void
test_hash(void **state)
{
	struct place *pl = *state;
	const struct dr_command *c = compile_well(pl, MAP, "/bin/bash", "prog {in} {arg} {slots} {tmp}");
	struct dr_hash128 first = hash(pl, c);

	pl->slots = 2;
	assert_true(dr_hash128_eq(hash(pl, c), first));
	pl->arg = "other";
	assert_false(dr_hash128_eq(hash(pl, c), first));
	pl->arg = "row";
	pl->in[0] = "b";
	assert_false(dr_hash128_eq(hash(pl, c), first));
	pl->in[0] = "in/a.txt";
	c = compile_well(pl, MAP, "/bin/bash", "prog2 {in} {arg} {slots} {tmp}");
	assert_false(dr_hash128_eq(hash(pl, c), first));
	/* Which shell it is matters to what a shell runs, and to nothing else. */
	c = compile_well(pl, MAP, "/bin/sh", "prog {in} {arg} {slots} {tmp}");
	assert_true(dr_hash128_eq(hash(pl, c), first));
	first = hash(pl, compile_well(pl, MAP, "/bin/bash", "prog {in} | x"));
	assert_false(dr_hash128_eq(hash(pl, compile_well(pl, MAP, "/bin/sh", "prog {in} | x")), first));
}

static void
test_show(void **state)
{
	struct place *pl = *state;
	struct dr_buf out = { 0 };

	pl->in[0] = "it's";
	pl->in[1] = "-b";
	pl->n_in = 2;
	assert_int_equal(dr_command_show(compile_well(pl, MERGE, NULL,
						      "prog  {in} {in.stem} > {out} | x $(({slots}))"),
					 &pl->v, &out, &pl->err),
			 0);
	assert_string_equal(dr_buf_cstr(&out), "prog  'it'\\''s' ./-b 'it'\\''s' -b > out | x $((1))");
	dr_buf_free(&out);
}

/* What a shell makes of the words: it prints each in brackets. */
static void
ask_shell(char *const *argv, uint32_t n_shell, struct dr_buf *out)
{
	static const char show[] = "show() { for a; do printf '<%s>' \"$a\"; done; }; ";
	struct dr_buf text = { 0 };
	char *copy[32] = { NULL };
	int fds[2], status;
	pid_t pid;

	dr_buf_adds(&text, show);
	dr_buf_adds(&text, argv[n_shell]);
	for (uint32_t i = 0; argv[i]; i++) {
		assert_true(i < 31);
		copy[i] = i == n_shell ? text.p : argv[i];
	}
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		execv(copy[0], copy);
		_exit(127);
	}
	close(fds[1]);
	assert_int_equal(dr_slurp_fd(fds[0], out, "a shell", NULL), 0);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	dr_buf_free(&text);
}

/* The same text gives a command the same arguments both ways. The seed is fixed: what fails, fails again. */
static void
test_both_ways_agree(void **state)
{
	static const char *const parts[] = {
		"a", " ", "'", "\"", "=", "{arg}", "{in}",  "-",     "b c",
		"2", ",", "^", "%",  "]", "'x y'", "\"z\"", "{two}", "$",
	};
	struct place *pl = *state;
	struct dr_buf text = { 0 }, both = { 0 }, want = { 0 };
	uint64_t seed = 7;
	int compared = 0;

	pl->arg = "it's a \"$row\" *";
	for (int i = 0; i < 400; i++) {
		const struct dr_command *c;

		dr_buf_reset(&text);
		dr_buf_adds(&text, "show ");
		for (int n = i % 9; n >= 0; n--) {
			seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			dr_buf_adds(&text, parts[(seed >> 33) % (sizeof(parts) / sizeof(*parts))]);
		}
		c = compile(pl, MAP, "/bin/sh", dr_buf_cstr(&text));
		if (!c || c->shell)
			continue;
		dr_buf_reset(&want);
		expand(pl, c);
		for (uint32_t k = 1; k < pl->x.argc; k++)
			dr_buf_addf(&want, "<%s>", pl->x.argv[k]);
		dr_buf_adds(&text, " ; :");
		c = compile_well(pl, MAP, "/bin/sh", dr_buf_cstr(&text));
		assert_true(c->shell);
		expand(pl, c);
		dr_buf_reset(&both);
		ask_shell(pl->x.argv, pl->p->shell.argc, &both);
		assert_string_equal(dr_buf_cstr(&both), dr_buf_cstr(&want));
		compared++;
	}
	assert_true(compared > 50);
	dr_buf_free(&text);
	dr_buf_free(&both);
	dr_buf_free(&want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_direct, setup, teardown),
		cmocka_unit_test_setup_teardown(test_values_are_words, setup, teardown),
		cmocka_unit_test_setup_teardown(test_needs_shell, setup, teardown),
		cmocka_unit_test_setup_teardown(test_redirections, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shell_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_leading_minus, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_for_one_word, setup, teardown),
		cmocka_unit_test_setup_teardown(test_programs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hash, setup, teardown),
		cmocka_unit_test_setup_teardown(test_show, setup, teardown),
		cmocka_unit_test_setup_teardown(test_both_ways_agree, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
