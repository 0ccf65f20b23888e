#include "config.h"

#include "options.h"

#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "err.h"
#include "options-private.h"

struct parser {
	struct dr_arena arena;
	struct dr_parsed *out;
	struct dr_setting *settings;
	const char **targets;
	struct dr_oneliner_key *keys;
	uint32_t cap_settings, cap_targets, cap_keys;
	struct dr_buf directory;
	enum dr_command_line what;
	struct dr_err *err;
};

static int
bad_value(struct parser *p, enum option o, const char *value, const char *wanted)
{
	return dr_err_set(p->err, DR_USAGE, "--%s takes %s, not '%s'", dr_option_table[o].name, wanted, value);
}

static int
choose(struct parser *p, enum option o, const char *value, const char *const *words, uint32_t n, const char *wanted,
       uint32_t *chosen)
{
	for (uint32_t i = 0; i < n; i++) {
		if (words[i] && !strcmp(words[i], value)) {
			*chosen = i;
			return 0;
		}
	}
	return bad_value(p, o, value, wanted);
}

static int
set_jobs(struct parser *p, const char *value)
{
	uint64_t n;

	if (!value) {
		p->out->options.jobs = UINT32_MAX; /* as many as there are processors */
		return 0;
	}
	if (dr_parse_uint(dr_str(value), 1000000, &n) || !n)
		return bad_value(p, OPT_JOBS, value, "a number from 1 on");
	p->out->options.jobs = (uint32_t)n;
	return 0;
}

static int
set_load(struct parser *p, const char *value)
{
	char *end;

	p->out->options.load = value ? strtod(value, &end) : 0;
	if (value && (end == value || *end || !isfinite(p->out->options.load) || p->out->options.load < 0))
		return bad_value(p, OPT_LOAD, value, "a load such as 3.5");
	return 0;
}

static int
set_sync(struct parser *p, const char *value)
{
	static const char *const words[] = { "none", "line", "target", "recurse" };
	uint32_t i = 2;

	if (value && choose(p, OPT_SYNC, value, words, 4, "none, line, target or recurse", &i))
		return -1;
	p->out->options.sync = words[i][0];
	return 0;
}

static int
set_choice(struct parser *p, enum option o, const char *value)
{
	static const char *const formats[] = {
		[DR_GRAPH_TEXT] = "text",       [DR_GRAPH_DOT] = "dot",   [DR_GRAPH_SVG] = "svg",
		[DR_GRAPH_HTML] = "html",       [DR_GRAPH_MERMAID] = "mermaid", [DR_GRAPH_JSON] = "json",
	};
	static const char *const shows[] = {
		[DR_SHOW_AUTO] = "auto", [DR_SHOW_BAR] = "bar", [DR_SHOW_PLAIN] = "plain", [DR_SHOW_NONE] = "none",
		[DR_SHOW_JSON] = "json"
	};
	static const char *const colours[] = {
		[DR_COLOUR_AUTO] = "auto", [DR_COLOUR_ALWAYS] = "always", [DR_COLOUR_NEVER] = "never"
	};
	static const char *const styles[] = {
		[DR_STYLE_BOTH] = "both", [DR_STYLE_PIPE] = "pipe", [DR_STYLE_FIFO] = "fifo", [DR_STYLE_NONE] = "none"
	};
	uint32_t i = DR_GRAPH_AUTO;

	if (o == OPT_JOBSERVER_STYLE) {
		if (choose(p, o, value, styles, DR_STYLES, "both, pipe, fifo or none", &i))
			return -1;
		p->out->options.style = (enum dr_style)i;
	} else if (o == OPT_GRAPH) {
		if (value && choose(p, o, value, formats, sizeof(formats) / sizeof(*formats),
				    "text, dot, svg, html, mermaid or json", &i))
			return -1;
		p->out->options.graph = (enum dr_graph_format)i;
	} else if (o == OPT_PROGRESS) {
		if (choose(p, o, value, shows, 5, "auto, bar, plain, json or none", &i))
			return -1;
		p->out->options.progress = (enum dr_show)i;
	} else {
		if (choose(p, o, value, colours, 3, "auto, always or never", &i))
			return -1;
		p->out->options.colour = (enum dr_colour)i;
	}
	return 0;
}

static int
set_export(struct parser *p, const char *value)
{
	static const char *const formats[] = {
		[DR_EXPORT_MAKE] = "make", [DR_EXPORT_NINJA] = "ninja", [DR_EXPORT_JSON] = "json"
	};
	uint32_t i = DR_EXPORT_NONE;

	if (choose(p, OPT_EXPORT, value, formats, sizeof(formats) / sizeof(*formats), "make, ninja or json", &i))
		return -1;
	p->out->options.export = (enum dr_export_format)i;
	return 0;
}

static int
set_number(struct parser *p, enum option o, const char *value)
{
	uint64_t n;
	int64_t ns;

	if (o == OPT_RESERVE) {
		if (dr_parse_size(dr_str(value), &p->out->options.reserve))
			return bad_value(p, o, value, "a size such as 500M or 20G");
		if (dr_lacks_unit(dr_str(value), p->out->options.reserve))
			return dr_err_set(p->err, DR_USAGE, "--reserve=%s is %s bytes: write its unit, as in %sM or %sG", value, value, value,
					  value);
		return 0;
	}
	if (o == OPT_WAIT) {
		if (dr_parse_duration(dr_str(value), &ns))
			return bad_value(p, o, value, "a time such as 10 or 5m");
		p->out->options.wait = ns;
		return 0;
	}
	if (dr_parse_uint(dr_str(value), UINT32_MAX, &n) || !n)
		return bad_value(p, o, value, "a number from 1 on");
	p->out->options.max_failures = (uint32_t)n;
	return 0;
}

/* A file to be written. */
static int
set_file(struct parser *p, enum option o, const char *value)
{
	if (!*value || !strcmp(value, "-"))
		return bad_value(p, o, value, "the name of a file (/dev/stdout is one)");
	*(o == OPT_REPORT ? &p->out->options.report : &p->out->options.trace) = value;
	return 0;
}

static int
set_ask(struct parser *p, enum option o, enum dr_ask ask)
{
	if (p->out->options.ask != DR_ASK_NONE && p->out->options.ask != ask)
		return dr_err_set(p->err, DR_USAGE, "--%s and another question exclude each other",
				  dr_option_table[o].name);
	p->out->options.ask = ask;
	return 0;
}

/* What of the questions goes together. */
static int
check_ask(const struct dr_options *o, struct dr_err *err)
{
	bool some = o->clean_all || o->clean_orphans;

	if (some && o->ask != DR_ASK_CLEAN)
		return dr_err_set(err, DR_USAGE, "--%s belongs to --clean", o->clean_all ? "all" : "orphans");
	if (some && (o->n_targets || (o->clean_all && o->clean_orphans)))
		return dr_err_set(err, DR_USAGE, "--clean takes targets, --all or --orphans: one of these");
	if (o->ask >= DR_ASK_LOG && !some && !o->n_targets)
		return dr_err_set(err, DR_USAGE, "--%s needs a target%s",
				  o->ask == DR_ASK_LOG	 ? "log" :
				  o->ask == DR_ASK_CLEAN ? "clean" :
							   "forget",
				  o->ask == DR_ASK_CLEAN ? ", --all or --orphans" : "");
	if (o->json && o->ask != DR_ASK_STATUS && o->ask != DR_ASK_FAILED && o->ask != DR_ASK_LOG && !o->dry_run &&
	    !o->explain)
		return dr_err_set(err, DR_USAGE, "--json belongs to --status, --failed, --log, -n or --explain");
	if ((o->report || o->trace) && (o->ask != DR_ASK_NONE || o->graph != DR_GRAPH_NONE || o->export != DR_EXPORT_NONE))
		return dr_err_set(err, DR_USAGE, "--%s is of a run, and this runs nothing",
				  o->report ? "report" : "trace");
	if (o->report && o->trace && !strcmp(o->report, o->trace))
		return dr_err_set(err, DR_USAGE, "--report and --trace are one file: %s", o->report);
	if (o->json && o->ask > DR_ASK_LOG)
		return dr_err_set(err, DR_USAGE, "--json does not go with --clean and --forget");
	return 0;
}

/* -C a -C b is -C a/b. */
static int
add_directory(struct parser *p, const char *dir)
{
	if (*dir == '/')
		dr_buf_reset(&p->directory);
	else if (p->directory.n)
		dr_buf_addc(&p->directory, '/');
	dr_buf_adds(&p->directory, dir);
	return p->directory.failed ? dr_err_nomem(p->err) : 0;
}

static int
add_key(struct parser *p, enum option o, const char *value)
{
	struct dr_options *opt = &p->out->options;

	if (o > OPT_TASK && !opt->n_keys)
		return dr_err_set(p->err, DR_USAGE, "--%s belongs behind --map, --merge or --task",
				  dr_option_table[o].name);
	if (dr_grow(&p->keys, &p->cap_keys, (size_t)opt->n_keys + 1, sizeof(*p->keys)))
		return dr_err_nomem(p->err);
	p->keys[opt->n_keys++] = (struct dr_oneliner_key){ dr_option_table[o].name, value };
	return 0;
}

static int
add_word(struct parser *p, const char *word)
{
	struct dr_options *opt = &p->out->options;
	const char *eq = strchr(word, '=');
	bool name = eq && (isalpha((unsigned char)*word));

	for (const char *c = word; name && c < eq; c++)
		name = isalnum((unsigned char)*c) || *c == '_' || *c == '-';
	if (!name) {
		if (dr_grow(&p->targets, &p->cap_targets, (size_t)opt->n_targets + 1, sizeof(*p->targets)))
			return dr_err_nomem(p->err);
		p->targets[opt->n_targets++] = word;
		return 0;
	}
	if (dr_grow(&p->settings, &p->cap_settings, (size_t)opt->n_settings + 1, sizeof(*p->settings)))
		return dr_err_nomem(p->err);
	p->settings[opt->n_settings].name = dr_arena_strndup(&p->arena, word, (size_t)(eq - word));
	p->settings[opt->n_settings].value = eq + 1;
	return p->settings[opt->n_settings++].name ? 0 : dr_err_nomem(p->err);
}

static int
apply(struct parser *p, enum option o, const char *value)
{
	struct dr_options *opt = &p->out->options;

	switch (o) {
	case OPT_FILE: opt->file = value; return 0;
	case OPT_DIRECTORY: return add_directory(p, value);
	case OPT_JOBS: return set_jobs(p, value);
	case OPT_LOAD: return set_load(p, value);
	case OPT_KEEP_GOING: opt->keep_going = true; return 0;
	case OPT_DRY_RUN: opt->dry_run = true; return 0;
	case OPT_QUESTION: opt->question = true; return 0;
	case OPT_ALWAYS: opt->always = true; return 0;
	case OPT_SILENT: opt->silent = true; return 0;
	case OPT_ADOPT: opt->adopt = true; return 0;
	case OPT_IGNORE: opt->ignore = true; return 0;
	case OPT_SYNC: return set_sync(p, value);
	case OPT_GRAPH:
	case OPT_JOBSERVER_STYLE:
	case OPT_PROGRESS:
	case OPT_COLOR: return set_choice(p, o, value);
	case OPT_FULL: opt->full = true; return 0;
	case OPT_EXPORT: return set_export(p, value);
	case OPT_EXPLAIN:
		opt->explain = true;
		opt->explain_target = value;
		return 0;
	case OPT_STATUS: return set_ask(p, o, DR_ASK_STATUS);
	case OPT_FAILED: return set_ask(p, o, DR_ASK_FAILED);
	case OPT_LOG: return set_ask(p, o, DR_ASK_LOG);
	case OPT_CLEAN: return set_ask(p, o, DR_ASK_CLEAN);
	case OPT_FORGET: return set_ask(p, o, DR_ASK_FORGET);
	case OPT_REPORT:
	case OPT_TRACE: return set_file(p, o, value);
	case OPT_JSON: opt->json = true; return 0;
	case OPT_ALL: opt->clean_all = true; return 0;
	case OPT_ORPHANS: opt->clean_orphans = true; return 0;
	case OPT_DURABLE: opt->durable = true; return 0;
	case OPT_RESERVE:
	case OPT_MAX_FAILURES:
	case OPT_WAIT: return set_number(p, o, value);
	case OPT_HELP: p->what = DR_CL_HELP; return 0;
	case OPT_VERSION: p->what = DR_CL_VERSION; return 0;
	default: return add_key(p, o, value);
	}
}

/* `-j 8`, `--jobs 8`: as in make, whether the next word (or NULL) is its value shows by its digits. */
static bool
takes_number(uint32_t o, const char *next)
{
	if ((o != OPT_JOBS && o != OPT_LOAD) || !next || !*next)
		return false;
	for (; *next; next++)
		if (!isdigit((unsigned char)*next) && *next != '.')
			return false;
	return true;
}

/* -nj8, -j 8, -fFILE. The index of the last word that was used, or -1. */
static int
letters(struct parser *p, int i, int argc, char **argv)
{
	for (const char *c = argv[i] + 1; *c; c++) {
		uint32_t o = 0;
		const char *value = NULL;

		while (o < OPTIONS && dr_option_table[o].letter != *c)
			o++;
		if (o == OPTIONS)
			return dr_err_set(p->err, DR_USAGE, "unknown option -%c; --help lists them", *c);
		if (dr_option_table[o].arg != DR_ARG_NONE) {
			if (c[1])
				value = c + 1;
			else if (i + 1 < argc &&
				 (dr_option_table[o].arg == DR_ARG_NEEDED || takes_number(o, argv[i + 1])))
				value = argv[++i];
			else if (dr_option_table[o].arg == DR_ARG_NEEDED)
				return dr_err_set(p->err, DR_USAGE, "-%c needs a value: %s", *c,
						  dr_option_table[o].value);
			c = "-"; /* its value ends the word */
		}
		if (apply(p, (enum option)o, value))
			return -1;
	}
	return i;
}

static int
unknown_long(struct parser *p, struct dr_str name)
{
	const char *names[OPTIONS];
	const char *near;

	for (uint32_t o = 0; o < OPTIONS; o++)
		names[o] = dr_option_table[o].name;
	near = dr_nearest(name, names, OPTIONS);
	/* Its beginning, which other programs take for it */
	for (uint32_t o = 0; !near && name.n && o < OPTIONS; o++)
		if (!strncmp(names[o], name.p, name.n))
			near = names[o];
	return dr_err_set(p->err, DR_USAGE, "unknown option --%.*s%s%s%s", (int)name.n, name.p,
			  near ? "; did you mean --" : "; --help lists them", near ? near : "", near ? "?" : "");
}

/* --name, --name=value, --name value. */
static int
long_option(struct parser *p, int i, int argc, char **argv)
{
	const char *word = argv[i] + 2, *eq = strchr(word, '=');
	struct dr_str name = eq ? (struct dr_str){ word, (size_t)(eq - word) } : dr_str(word);
	const char *value = eq ? eq + 1 : NULL;
	uint32_t o = 0;

	while (o < OPTIONS && !dr_str_is(name, dr_option_table[o].name))
		o++;
	if (o == OPTIONS)
		return unknown_long(p, name);
	if (value && dr_option_table[o].arg == DR_ARG_NONE)
		return dr_err_set(p->err, DR_USAGE, "--%s takes no value", dr_option_table[o].name);
	if (!value && dr_option_table[o].arg == DR_ARG_NEEDED) {
		if (i + 1 >= argc)
			return dr_err_set(p->err, DR_USAGE, "--%s needs a value: %s", dr_option_table[o].name,
					  dr_option_table[o].value);
		value = argv[++i];
	}
	if (!value && takes_number(o, argv[i + 1]))
		value = argv[++i];
	return apply(p, (enum option)o, value) ? -1 : i;
}

static int
parse_words(struct parser *p, int argc, char **argv)
{
	bool words_only = false;

	for (int i = 1; i < argc; i++) {
		if (words_only || argv[i][0] != '-' || !argv[i][1]) {
			if (add_word(p, argv[i]))
				return -1;
			continue;
		}
		if (!strcmp(argv[i], "--")) {
			words_only = true;
			continue;
		}
		i = argv[i][1] == '-' ? long_option(p, i, argc, argv) : letters(p, i, argc, argv);
		if (i < 0)
			return -1;
	}
	return 0;
}

int
dr_options_parse(int argc, char **argv, struct dr_parsed *out, enum dr_command_line *what, struct dr_err *err)
{
	struct parser *p = calloc(1, sizeof(*p));

	*out = (struct dr_parsed){ .options = { .wait = INT64_C(10000000000) } };
	if (!p)
		return dr_err_nomem(err);
	out->arena = p;
	p->out = out;
	p->err = err;
	out->options.program = argc > 0 ? argv[0] : "dagrun";
	if (parse_words(p, argc, argv))
		return -1;
	if (out->options.n_keys && out->options.file)
		return dr_err_set(err, DR_USAGE, "-f and --%s exclude each other", p->keys[0].key);
	if (check_ask(&out->options, err))
		return -1;
	out->options.settings = p->settings;
	out->options.targets = p->targets;
	out->options.keys = p->keys;
	out->directory = p->directory.n ? dr_buf_cstr(&p->directory) : NULL;
	*what = p->what;
	return 0;
}

void
dr_options_free(struct dr_parsed *out)
{
	struct parser *p = out->arena;

	if (!p)
		return;
	dr_arena_free(&p->arena);
	dr_buf_free(&p->directory);
	free(p->settings);
	free(p->targets);
	free(p->keys);
	free(p);
	out->arena = NULL;
}
