#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "err.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 32 };

/* A command line from its words, which end with a NULL. What points into argv points to them. */
static int
parse(struct dr_parsed *out, enum dr_command_line *what, struct dr_err *err, const char *const *words)
{
	char *argv[WORDS_MAX + 2] = { (char *)"/usr/bin/dagrun" };
	int argc = 1;

	for (; words[argc - 1]; argc++) {
		assert_true(argc <= WORDS_MAX);
		argv[argc] = (char *)words[argc - 1];
	}
	*what = (enum dr_command_line)77;
	*err = (struct dr_err){ 0 };
	return dr_options_parse(argc, argv, out, what, err);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* The words are a command line in order. */
#define accept(p, ...)                                                         \
	do {                                                                   \
		enum dr_command_line what_;                                    \
		struct dr_err err_;                                            \
		if (parse((p), &what_, &err_, WORDS(__VA_ARGS__)))             \
			fail_msg("refused: %s", err_.msg);                     \
		assert_int_equal(what_, DR_CL_RUN);                            \
	} while (0)

/* They are not, and the message has a part. */
#define refuse(part, ...)                                                      \
	do {                                                                   \
		struct dr_parsed p_;                                           \
		enum dr_command_line what_;                                    \
		struct dr_err err_;                                            \
		assert_int_equal(parse(&p_, &what_, &err_, WORDS(__VA_ARGS__)), -1); \
		assert_int_equal(err_.code, DR_USAGE);                         \
		if (!strstr(err_.msg, (part)))                                 \
			fail_msg("'%s' is not in '%s'", (part), err_.msg);     \
		dr_options_free(&p_);                                          \
	} while (0)

static const struct dr_option *
option(const char *name)
{
	for (uint32_t i = 0; i < dr_option_count; i++)
		if (!strcmp(dr_option_table[i].name, name))
			return &dr_option_table[i];
	fail_msg("the table has no --%s", name);
	return NULL;
}

static void
nothing(void **state)
{
	struct dr_parsed p;
	enum dr_command_line what;
	struct dr_err err;
	const char *none[] = { NULL };

	(void)state;
	assert_int_equal(parse(&p, &what, &err, none), 0);
	assert_int_equal(what, DR_CL_RUN);
	assert_string_equal(p.options.program, "/usr/bin/dagrun");
	assert_null(p.options.file);
	assert_null(p.directory);
	assert_int_equal(p.options.jobs, 0);
	assert_true(p.options.load == 0);
	assert_int_equal(p.options.sync, 0);
	assert_int_equal(p.options.graph, DR_GRAPH_NONE);
	assert_int_equal(p.options.progress, DR_SHOW_AUTO);
	assert_int_equal(p.options.colour, DR_COLOUR_AUTO);
	assert_int_equal(p.options.max_failures, 0);
	assert_true(p.options.wait == INT64_C(10) * 1000000000);
	assert_int_equal(p.options.n_targets, 0);
	assert_int_equal(p.options.n_settings, 0);
	assert_int_equal(p.options.n_keys, 0);
	assert_false(p.options.dry_run || p.options.question || p.options.always || p.options.adopt ||
		     p.options.keep_going || p.options.ignore || p.options.silent || p.options.explain ||
		     p.options.full);
	dr_options_free(&p);
	dr_options_free(&p); /* once more is fine */
	assert_int_equal(dr_options_parse(0, NULL, &p, &what, &err), 0);
	assert_non_null(p.options.program);
	dr_options_free(&p);
}

/* The switches: each by both of its names sets its own field and no other. */
static void
switches(void **state)
{
	static const struct {
		const char *letter, *name;
		size_t field;
	} cases[] = {
		{ "-k", "--keep-going", offsetof(struct dr_options, keep_going) },
		{ "-n", "--dry-run", offsetof(struct dr_options, dry_run) },
		{ "-q", "--question", offsetof(struct dr_options, question) },
		{ "-B", "--always-make", offsetof(struct dr_options, always) },
		{ "-s", "--silent", offsetof(struct dr_options, silent) },
		{ "-t", "--adopt", offsetof(struct dr_options, adopt) },
		{ "-i", "--ignore-errors", offsetof(struct dr_options, ignore) },
		{ NULL, "--full", offsetof(struct dr_options, full) },
		{ NULL, "--explain", offsetof(struct dr_options, explain) },
	};
	enum { CASES = sizeof(cases) / sizeof(*cases) };

	(void)state;
	for (uint32_t i = 0; i < CASES; i++) {
		for (int form = cases[i].letter ? 0 : 1; form < 2; form++) {
			struct dr_parsed p;

			accept(&p, form ? cases[i].name : cases[i].letter);
			for (uint32_t k = 0; k < CASES; k++)
				assert_int_equal(*((const char *)&p.options + cases[k].field), k == i);
			assert_int_equal(p.options.n_targets, 0);
			dr_options_free(&p);
		}
		if (option(cases[i].name + 2)->arg == DR_ARG_NONE) {
			char with[32];

			snprintf(with, sizeof(with), "%s=1", cases[i].name);
			refuse("takes no value", with);
		}
	}
}

static void
values_in_every_form(void **state)
{
	struct dr_parsed p;
	static const char *const forms[][2] = {
		{ "-f", "dir/x" }, { "-fdir/x", NULL }, { "--file", "dir/x" }, { "--file=dir/x", NULL }
	};

	(void)state;
	for (int i = 0; i < 4; i++) {
		accept(&p, forms[i][0], forms[i][1]);
		assert_string_equal(p.options.file, "dir/x");
		assert_int_equal(p.options.n_targets, 0);
		dr_options_free(&p);
	}
	accept(&p, "-f", "-"); /* standard input */
	assert_string_equal(p.options.file, "-");
	dr_options_free(&p);
	accept(&p, "--file", "--file"); /* a value is a value, however it looks */
	assert_string_equal(p.options.file, "--file");
	dr_options_free(&p);
	accept(&p, "--file=a=b");
	assert_string_equal(p.options.file, "a=b");
	dr_options_free(&p);
	accept(&p, "-fa", "-fb"); /* the last one counts */
	assert_string_equal(p.options.file, "b");
	dr_options_free(&p);
}

static void
jobs(void **state)
{
	static const char *const forms[][2] = { { "-j8", NULL }, { "-j", "8" }, { "--jobs=8", NULL },
					  { "--jobs", "8" }, { "-kj8", NULL } };
	struct dr_parsed p;

	(void)state;
	for (int i = 0; i < 4; i++) {
		accept(&p, forms[i][0], forms[i][1]);
		assert_int_equal(p.options.jobs, 8);
		assert_int_equal(p.options.n_targets, 0);
		dr_options_free(&p);
	}
	/* Without a number: all processors; what follows is no number of its. */
	accept(&p, "-j");
	assert_true(p.options.jobs == UINT32_MAX);
	dr_options_free(&p);
	accept(&p, "--jobs", "total.tsv");
	assert_true(p.options.jobs == UINT32_MAX);
	assert_int_equal(p.options.n_targets, 1);
	dr_options_free(&p);
	accept(&p, "-j", "total.tsv");
	assert_true(p.options.jobs == UINT32_MAX);
	assert_string_equal(p.options.targets[0], "total.tsv");
	dr_options_free(&p);
	accept(&p, "-j", "-k");
	assert_true(p.options.jobs == UINT32_MAX);
	assert_true(p.options.keep_going);
	dr_options_free(&p);
	accept(&p, "-j", "2x");
	assert_string_equal(p.options.targets[0], "2x");
	dr_options_free(&p);
	accept(&p, "-j", ""); /* an empty word is no number; what it is, the plan will tell */
	assert_int_equal(p.options.n_targets, 1);
	dr_options_free(&p);
	accept(&p, "-j2", "-j3");
	assert_int_equal(p.options.jobs, 3);
	dr_options_free(&p);

	refuse("--jobs takes a number from 1 on, not '0'", "-j0");
	refuse("not '-3'", "-j-3");
	refuse("not '4k'", "-j4k");
	refuse("not '99999999999999999999'", "-j99999999999999999999");
	refuse("not ''", "--jobs=");
}

static void
load(void **state)
{
	struct dr_parsed p;

	(void)state;
	accept(&p, "-l3.5");
	assert_true(p.options.load == 3.5);
	dr_options_free(&p);
	accept(&p, "-l", "12");
	assert_true(p.options.load == 12);
	dr_options_free(&p);
	accept(&p, "--load-average=0.5");
	assert_true(p.options.load == 0.5);
	dr_options_free(&p);
	accept(&p, "-l4", "-l"); /* takes the limit away, as in make */
	assert_true(p.options.load == 0);
	dr_options_free(&p);
	accept(&p, "-l", "target");
	assert_true(p.options.load == 0);
	assert_int_equal(p.options.n_targets, 1);
	dr_options_free(&p);
	refuse("--load-average takes a load", "-lx");
	refuse("--load-average takes a load", "-l2x");
	refuse("--load-average takes a load", "-l-1");
	refuse("--load-average takes a load", "--load-average=");
	refuse("--load-average takes a load", "--load-average=nan");
	refuse("--load-average takes a load", "--load-average=inf");
}

static void
output_sync(void **state)
{
	struct dr_parsed p;
	static const struct {
		const char *word;
		char sync;
	} cases[] = {
		{ "-O", 't' },     { "-Oline", 'l' },          { "-Onone", 'n' },           { "-Otarget", 't' },
		{ "-Orecurse", 'r' }, { "--output-sync", 't' }, { "--output-sync=line", 'l' },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		accept(&p, cases[i].word);
		assert_int_equal(p.options.sync, cases[i].sync);
		dr_options_free(&p);
	}
	accept(&p, "-O", "line"); /* a target: as in make, the type stands in the same word */
	assert_int_equal(p.options.sync, 't');
	assert_string_equal(p.options.targets[0], "line");
	dr_options_free(&p);
	refuse("none, line, target or recurse", "-Ox");
}

static void
choices(void **state)
{
	struct dr_parsed p;

	(void)state;
	accept(&p, "--graph");
	assert_int_equal(p.options.graph, DR_GRAPH_AUTO);
	dr_options_free(&p);
	accept(&p, "--graph=text", "--progress=bar", "--color=always");
	assert_int_equal(p.options.graph, DR_GRAPH_TEXT);
	assert_int_equal(p.options.progress, DR_SHOW_BAR);
	assert_int_equal(p.options.colour, DR_COLOUR_ALWAYS);
	dr_options_free(&p);
	accept(&p, "--graph=dot", "--progress", "plain", "--color", "never");
	assert_int_equal(p.options.graph, DR_GRAPH_DOT);
	assert_int_equal(p.options.progress, DR_SHOW_PLAIN);
	assert_int_equal(p.options.colour, DR_COLOUR_NEVER);
	dr_options_free(&p);
	accept(&p, "--progress=none", "--color=auto");
	assert_int_equal(p.options.progress, DR_SHOW_NONE);
	assert_int_equal(p.options.colour, DR_COLOUR_AUTO);
	dr_options_free(&p);
	accept(&p, "--progress=json");
	assert_int_equal(p.options.progress, DR_SHOW_JSON);
	dr_options_free(&p);
	accept(&p, "--progress=auto");
	assert_int_equal(p.options.progress, DR_SHOW_AUTO);
	dr_options_free(&p);
	accept(&p, "--graph", "total.tsv"); /* a maybe's value stands in its word */
	assert_int_equal(p.options.graph, DR_GRAPH_AUTO);
	assert_string_equal(p.options.targets[0], "total.tsv");
	dr_options_free(&p);

	refuse("--graph takes text, dot, svg, html, mermaid or json, not 'png'", "--graph=png");
	refuse("--graph takes text, dot, svg, html, mermaid or json, not ''", "--graph=");
	refuse("--progress takes auto, bar, plain, json or none, not 'fast'", "--progress=fast");
	refuse("--color takes auto, always or never, not 'red'", "--color=red");
	refuse("--progress needs a value", "--progress");
}

static void
questions(void **state)
{
	static const struct {
		const char *word;
		enum dr_ask ask;
	} asks[] = {
		{ "--status", DR_ASK_STATUS }, { "--failed", DR_ASK_FAILED }, { "--log", DR_ASK_LOG },
		{ "--clean", DR_ASK_CLEAN },   { "--forget", DR_ASK_FORGET },
	};
	struct dr_parsed p;

	(void)state;
	for (size_t i = 0; i < sizeof(asks) / sizeof(*asks); i++) {
		accept(&p, asks[i].word, "a", "b");
		assert_int_equal(p.options.ask, asks[i].ask);
		assert_int_equal(p.options.n_targets, 2);
		assert_false(p.options.json || p.options.clean_all || p.options.clean_orphans);
		dr_options_free(&p);
	}
	accept(&p, "--clean", "--all");
	assert_true(p.options.clean_all);
	dr_options_free(&p);
	accept(&p, "--orphans", "--clean");
	assert_true(p.options.clean_orphans);
	dr_options_free(&p);
	accept(&p, "--json", "--status");
	assert_true(p.options.json);
	dr_options_free(&p);
	accept(&p, "-n", "--json");
	dr_options_free(&p);
	accept(&p, "--explain", "--json");
	dr_options_free(&p);
	refuse("exclude each other", "--status", "--failed");
	refuse("--log needs a target", "--log");
	refuse("--clean needs a target, --all or --orphans", "--clean");
	refuse("--forget needs a target", "--forget");
	refuse("one of these", "--clean", "--all", "a");
	refuse("one of these", "--clean", "--all", "--orphans");
	refuse("--all belongs to --clean", "--all");
	refuse("--orphans belongs to --clean", "--status", "--orphans");
	refuse("--json belongs to", "--json");
	refuse("--json does not go with", "--clean", "--all", "--json", "-n");
}

static void
explain(void **state)
{
	struct dr_parsed p;

	(void)state;
	accept(&p, "--explain");
	assert_true(p.options.explain);
	assert_null(p.options.explain_target);
	dr_options_free(&p);
	accept(&p, "--explain=out/a=b");
	assert_true(p.options.explain);
	assert_string_equal(p.options.explain_target, "out/a=b");
	dr_options_free(&p);
	accept(&p, "--explain", "total");
	assert_null(p.options.explain_target);
	assert_string_equal(p.options.targets[0], "total");
	dr_options_free(&p);
}

static void
numbers_and_times(void **state)
{
	struct dr_parsed p;

	(void)state;
	accept(&p, "--max-failures=3", "--wait=2m");
	assert_int_equal(p.options.max_failures, 3);
	assert_true(p.options.wait == INT64_C(120) * 1000000000);
	dr_options_free(&p);
	accept(&p, "--max-failures", "4000000000", "--wait", "0");
	assert_true(p.options.max_failures == 4000000000u);
	assert_true(p.options.wait == 0);
	dr_options_free(&p);
	accept(&p, "--jobserver-style=fifo");
	assert_int_equal(p.options.style, DR_STYLE_FIFO);
	dr_options_free(&p);
	accept(&p, "--wait", "1.5");
	assert_true(p.options.wait == INT64_C(1500000000));
	dr_options_free(&p);
	refuse("--max-failures takes a number from 1 on, not '0'", "--max-failures=0");
	refuse("--max-failures takes a number from 1 on, not 'x'", "--max-failures", "x");
	refuse("--jobserver-style takes both, pipe, fifo or none", "--jobserver-style=");
	refuse("--jobserver-style takes both, pipe, fifo or none", "--jobserver-style=no");
	refuse("--wait takes a time", "--wait=soon");
	refuse("--wait takes a time", "--wait=-1");
}

static void
directories_add_up(void **state)
{
	struct dr_parsed p;

	(void)state;
	accept(&p, "-C", "a");
	assert_string_equal(p.directory, "a");
	dr_options_free(&p);
	accept(&p, "-Ca", "--directory=b", "--directory", "c");
	assert_string_equal(p.directory, "a/b/c");
	dr_options_free(&p);
	accept(&p, "-C", "a", "-C", "/b", "-C", "c");
	assert_string_equal(p.directory, "/b/c");
	dr_options_free(&p);
}

static void
bundles(void **state)
{
	struct dr_parsed p;

	(void)state;
	accept(&p, "-knBs", "-qti");
	assert_true(p.options.keep_going && p.options.dry_run && p.options.always && p.options.silent);
	assert_true(p.options.question && p.options.adopt && p.options.ignore);
	dr_options_free(&p);
	accept(&p, "-nj", "8", "-skf", "x", "t");
	assert_true(p.options.dry_run && p.options.silent && p.options.keep_going);
	assert_int_equal(p.options.jobs, 8);
	assert_string_equal(p.options.file, "x");
	assert_int_equal(p.options.n_targets, 1);
	dr_options_free(&p);
	accept(&p, "-fnk"); /* the rest of the word is the value */
	assert_string_equal(p.options.file, "nk");
	assert_false(p.options.dry_run);
	dr_options_free(&p);
	refuse("unknown option -z", "-knz");
	refuse("-f needs a value", "-kf");
}

static void
words(void **state)
{
	struct dr_parsed p;

	(void)state;
	accept(&p, "one", "work=lanes", "-k", "two", "x-1_b=", "y=a=b=c", "three");
	assert_int_equal(p.options.n_targets, 3);
	assert_string_equal(p.options.targets[0], "one");
	assert_string_equal(p.options.targets[1], "two");
	assert_string_equal(p.options.targets[2], "three");
	assert_int_equal(p.options.n_settings, 3);
	assert_string_equal(p.options.settings[0].name, "work");
	assert_string_equal(p.options.settings[0].value, "lanes");
	assert_string_equal(p.options.settings[1].name, "x-1_b");
	assert_string_equal(p.options.settings[1].value, "");
	assert_string_equal(p.options.settings[2].name, "y");
	assert_string_equal(p.options.settings[2].value, "a=b=c");
	dr_options_free(&p);

	/* What is no name before the '=' is a target. */
	accept(&p, "./a=b", "1a=b", "=b", "dir/a=b", "a b=c", "_x=1", "-", "\xc3\xa4=1", "map:x=1");
	assert_int_equal(p.options.n_settings, 0);
	assert_int_equal(p.options.n_targets, 9);
	assert_string_equal(p.options.targets[6], "-");
	dr_options_free(&p);

	/* Behind -- nothing is an option. */
	accept(&p, "-k", "--", "-n", "--map", "--", "a");
	assert_true(p.options.keep_going);
	assert_false(p.options.dry_run);
	assert_int_equal(p.options.n_targets, 4);
	assert_string_equal(p.options.targets[0], "-n");
	assert_string_equal(p.options.targets[2], "--");
	dr_options_free(&p);
}

static void
many_words(void **state)
{
	enum { N = 5000 };
	char **argv = calloc(N + 2, sizeof(*argv));
	struct dr_parsed p;
	enum dr_command_line what;
	struct dr_err err;

	(void)state;
	argv[0] = (char *)"dagrun";
	for (int i = 1; i <= N; i++)
		argv[i] = (char *)(i % 2 ? "target" : "name=value");
	assert_int_equal(dr_options_parse(N + 1, argv, &p, &what, &err), 0);
	assert_int_equal(p.options.n_targets, N / 2);
	assert_int_equal(p.options.n_settings, N / 2);
	for (uint32_t i = 0; i < N / 2; i++)
		assert_string_equal(p.options.settings[i].name, "name");
	dr_options_free(&p);
	free(argv);
}

static void
oneliners(void **state)
{
	static const char *const keys[] = { "each", "in", "out", "uses", "by", "fan-in", "slots", "retries", "timeout", "keep" };
	struct dr_parsed p;

	(void)state;
	accept(&p, "-j4", "--map", "gzip {in}", "--each", "in/*", "--out={stem}.gz", "--merge=cat {in}", "--out", "all",
	       "--task", "true");
	assert_int_equal(p.options.n_keys, 6);
	assert_string_equal(p.options.keys[0].key, "map");
	assert_string_equal(p.options.keys[0].value, "gzip {in}");
	assert_string_equal(p.options.keys[1].key, "each");
	assert_string_equal(p.options.keys[1].value, "in/*");
	assert_string_equal(p.options.keys[2].key, "out");
	assert_string_equal(p.options.keys[2].value, "{stem}.gz");
	assert_string_equal(p.options.keys[3].key, "merge");
	assert_string_equal(p.options.keys[4].value, "all");
	assert_string_equal(p.options.keys[5].key, "task");
	dr_options_free(&p);

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		char word[32], part[64];

		snprintf(word, sizeof(word), "--%s=x", keys[i]);
		snprintf(part, sizeof(part), "--%s belongs behind --map", keys[i]);
		refuse(part, word);
		accept(&p, "--map=true", word);
		assert_int_equal(p.options.n_keys, 2);
		assert_string_equal(p.options.keys[1].key, keys[i]);
		assert_string_equal(p.options.keys[1].value, "x");
		dr_options_free(&p);
	}
	refuse("exclude each other", "-f", "x", "--map", "true");
	refuse("exclude each other", "--task", "true", "-f", "x");
}

static void
help_and_version(void **state)
{
	struct dr_parsed p;
	enum dr_command_line what;
	struct dr_err err;

	(void)state;
	assert_int_equal(parse(&p, &what, &err, WORDS("-h")), 0);
	assert_int_equal(what, DR_CL_HELP);
	dr_options_free(&p);
	assert_int_equal(parse(&p, &what, &err, WORDS("-k", "x", "--help")), 0);
	assert_int_equal(what, DR_CL_HELP);
	dr_options_free(&p);
	assert_int_equal(parse(&p, &what, &err, WORDS("--version")), 0);
	assert_int_equal(what, DR_CL_VERSION);
	dr_options_free(&p);
}

static void
unknown_options(void **state)
{
	(void)state;
	refuse("unknown option --keep-goin; did you mean --keep-going?", "--keep-goin");
	refuse("did you mean --fan-in?", "--map=true", "--fan_in=2");
	refuse("did you mean --dry-run?", "--dryrun");
	refuse("did you mean --color?", "--colour=never");
	refuse("did you mean --load-average?", "--load");
	refuse("unknown option --; --help lists them", "--=x");
	refuse("unknown option --frobnicate-everything; --help lists them", "--frobnicate-everything");
	refuse("unknown option -x; --help lists them", "-x");
}

/* Every option of the table, by its letter and its name, is taken with a value that suits it, and says so without one. */
static const char *
suitable(const char *name)
{
	static const char *const values[][2] = {
		{ "jobs", "3" },      { "load-average", "2" }, { "output-sync", "line" }, { "graph", "dot" },
		{ "explain", "x" },   { "max-failures", "2" }, { "wait", "5" },           { "jobserver-style", "none" }, { "progress", "bar" },
		{ "color", "never" }, { "export", "make" },    { "reserve", "20G" },
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		if (!strcmp(values[i][0], name))
			return values[i][1];
	return "value";
}

static void
every_option(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < dr_option_count; i++) {
		const struct dr_option *o = &dr_option_table[i];
		const char *value = suitable(o->name);
		char plain[64], joined[96], letter[64];
		struct dr_parsed p;
		enum dr_command_line what;
		struct dr_err err;

		assert_non_null(o->help);
		assert_int_equal(o->arg == DR_ARG_NONE, o->value == NULL);
		snprintf(plain, sizeof(plain), "--%s", o->name);
		snprintf(joined, sizeof(joined), "--%s=%s", o->name, value);
		assert_int_equal(parse(&p, &what, &err, WORDS("--file=x", "--map=true", o->arg == DR_ARG_NONE ? plain : joined)),
				 -1); /* -f and --map exclude each other, and nothing else is wrong */
		assert_non_null(strstr(err.msg, "exclude"));
		dr_options_free(&p);
		if (o->arg == DR_ARG_NEEDED) {
			char part[96];

			snprintf(part, sizeof(part), "--%s needs a value: %s", o->name, o->value);
			refuse(part, "--task=true", plain);
			assert_int_equal(parse(&p, &what, &err, WORDS("--file=x", "--map=true", plain, value)), -1);
			assert_non_null(strstr(err.msg, "exclude"));
			dr_options_free(&p);
		}
		if (!o->letter)
			continue;
		snprintf(letter, sizeof(letter), "-%c%s", o->letter, o->arg == DR_ARG_NONE ? "" : value);
		assert_int_equal(parse(&p, &what, &err, WORDS(letter)), 0);
		dr_options_free(&p);
		for (uint32_t k = 0; k < i; k++)
			assert_int_not_equal(dr_option_table[k].letter, o->letter);
	}
}

static void
the_help_lists_every_option(void **state)
{
	struct dr_buf b = { 0 };
	const char *line;

	(void)state;
	dr_options_help(&b);
	assert_false(b.failed);
	for (uint32_t i = 0; i < dr_option_count; i++) {
		const struct dr_option *o = &dr_option_table[i];
		char name[128];

		snprintf(name, sizeof(name), "--%s%s%s%s", o->name, o->arg == DR_ARG_MAYBE ? "[=" : o->arg ? " " : "",
			 o->value ? o->value : "", o->arg == DR_ARG_MAYBE ? "]" : o->arg ? "" : " ");
		if (!strstr(b.p, name))
			fail_msg("the help has no '%s'", name);
		assert_non_null(strstr(b.p, o->help));
		if (o->letter) {
			snprintf(name, sizeof(name), "  -%c, --%s", o->letter, o->name);
			assert_non_null(strstr(b.p, name));
		}
	}
	assert_memory_equal(b.p, "Usage: dagrun ", 14);
	assert_non_null(strstr(b.p, "Exit status"));
	assert_int_equal(b.p[b.n - 1], '\n');
	for (line = b.p; *line; line = strchr(line, '\n') + 1) {
		size_t n = strcspn(line, "\n");

		assert_true(dr_str_width((struct dr_str){ line, n }) <= 120);
		assert_true(n == 0 || line[n - 1] != ' ');
	}
	dr_buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing),
		cmocka_unit_test(switches),
		cmocka_unit_test(values_in_every_form),
		cmocka_unit_test(jobs),
		cmocka_unit_test(load),
		cmocka_unit_test(output_sync),
		cmocka_unit_test(choices),
		cmocka_unit_test(questions),
		cmocka_unit_test(explain),
		cmocka_unit_test(numbers_and_times),
		cmocka_unit_test(directories_add_up),
		cmocka_unit_test(bundles),
		cmocka_unit_test(words),
		cmocka_unit_test(many_words),
		cmocka_unit_test(oneliners),
		cmocka_unit_test(help_and_version),
		cmocka_unit_test(unknown_options),
		cmocka_unit_test(every_option),
		cmocka_unit_test(the_help_lists_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
