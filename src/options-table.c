#include "config.h"

#include "options.h"

#include "options-private.h"

const uint32_t dr_option_count = OPTIONS;

const struct dr_option dr_option_table[OPTIONS] = {
	[OPT_FILE] = { 'f', "file", DR_ARG_NEEDED, "FILE", "read FILE instead of Dagfile; - is standard input" },
	[OPT_DIRECTORY] = { 'C', "directory", DR_ARG_NEEDED, "DIR", "go to DIR first" },
	[OPT_JOBS] = { 'j', "jobs", DR_ARG_MAYBE, "N", "run N tasks at once (under make: its jobserver; else the processors)" },
	[OPT_LOAD] = { 'l', "load-average", DR_ARG_MAYBE, "X", "start nothing beside what runs while the load is X or above" },
	[OPT_KEEP_GOING] = { 'k', "keep-going", DR_ARG_NONE, NULL, "after a failure go on with what does not depend on it" },
	[OPT_DRY_RUN] = { 'n', "dry-run", DR_ARG_NONE, NULL, "print what would run, and run nothing" },
	[OPT_QUESTION] = { 'q', "question", DR_ARG_NONE, NULL, "run nothing; exit 1 if something is stale" },
	[OPT_ALWAYS] = { 'B', "always-make", DR_ARG_NONE, NULL, "make everything again" },
	[OPT_SILENT] = { 's', "silent", DR_ARG_NONE, NULL, "say nothing but failures and what tasks print" },
	[OPT_ADOPT] = { 't', "adopt", DR_ARG_NONE, NULL, "take outputs that stand as done, and run nothing" },
	[OPT_IGNORE] = { 'i', "ignore-errors", DR_ARG_NONE, NULL, "go on after failures as if there had been none" },
	[OPT_SYNC] = { 'O', "output-sync", DR_ARG_MAYBE, "TYPE", "none, line, target or recurse: how tasks' output is kept together (target)" },
	[OPT_MAP] = { 0, "map", DR_ARG_NEEDED, "CMD", "a stage: CMD for each row" },
	[OPT_MERGE] = { 0, "merge", DR_ARG_NEEDED, "CMD", "a stage: CMD merges files until one is left" },
	[OPT_TASK] = { 0, "task", DR_ARG_NEEDED, "CMD", "a stage: CMD, once" },
	[OPT_EACH] = { 0, "each", DR_ARG_NEEDED, "ROWS", "glob:…, range:1..9, list:…, lines:, csv:, tsv:FILE, command:…, a pattern (the stage before)" },
	[OPT_IN] = { 0, "in", DR_ARG_NEEDED, "FILE…", "inputs, where they are not the rows themselves" },
	[OPT_OUT] = { 0, "out", DR_ARG_NEEDED, "FILE", "what it makes" },
	[OPT_USES] = { 0, "uses", DR_ARG_NEEDED, "FILE…", "what else it depends on" },
	[OPT_BY] = { 0, "by", DR_ARG_NEEDED, "COLUMN…", "of a merge: one tree for each of their values" },
	[OPT_FAN_IN] = { 0, "fan-in", DR_ARG_NEEDED, "N", "how many files a merge takes at most (2), or all" },
	[OPT_SLOTS] = { 0, "slots", DR_ARG_NEEDED, "N", "slots that a task holds (1)" },
	[OPT_MEMORY] = { 0, "memory", DR_ARG_NEEDED, "SIZE", "memory that a task needs: 500M, 8G" },
	[OPT_RETRIES] = { 0, "retries", DR_ARG_NEEDED, "N", "further tries after a failure (0)" },
	[OPT_TIMEOUT] = { 0, "timeout", DR_ARG_NEEDED, "TIME", "end a task that takes longer: 90s, 5m, 2h" },
	[OPT_KEEP] = { 0, "keep", DR_ARG_NEEDED, "yes|no|level", "whether outputs that only later stages read stay" },
	[OPT_GRAPH] = { 0, "graph", DR_ARG_MAYBE, "FORMAT", "show the tasks and the merge tree as text, dot, svg, html, mermaid or json; run nothing" },
	[OPT_FULL] = { 0, "full", DR_ARG_NONE, NULL, "with --graph=dot: every task, however many" },
	[OPT_EXPORT] = { 0, "export", DR_ARG_NEEDED, "make|ninja|json", "the plan as a Makefile, a build.ninja, or JSON; run nothing" },
	[OPT_EXPLAIN] = { 0, "explain", DR_ARG_MAYBE, "TARGET", "say why each task would run" },
	[OPT_STATUS] = { 0, "status", DR_ARG_NONE, NULL, "what is done, running and left; also while another dagrun runs" },
	[OPT_FAILED] = { 0, "failed", DR_ARG_NONE, NULL, "what failed, with its last lines; exit 1 if something did" },
	[OPT_LOG] = { 0, "log", DR_ARG_NONE, NULL, "what the TARGETs printed, their commands, times and memory" },
	[OPT_JSON] = { 0, "json", DR_ARG_NONE, NULL, "with one of these four, -n or --explain: for programs" },
	[OPT_CLEAN] = { 0, "clean", DR_ARG_NONE, NULL, "remove outputs that nobody changed since: of TARGETs, or" },
	[OPT_ALL] = { 0, "all", DR_ARG_NONE, NULL, "with --clean: all that this Dagfile made" },
	[OPT_ORPHANS] = { 0, "orphans", DR_ARG_NONE, NULL, "with --clean: those that no row makes any more" },
	[OPT_FORGET] = { 0, "forget", DR_ARG_NONE, NULL, "drop the records of TARGETs: they are made again" },
	[OPT_MAX_FAILURES] = { 0, "max-failures", DR_ARG_NEEDED, "N", "start nothing more after N failures (1; with -k no limit)" },
	[OPT_DURABLE] = { 0, "durable", DR_ARG_NONE, NULL, "sync each output and its record before going on" },
	[OPT_RESERVE] = { 0, "reserve", DR_ARG_NEEDED, "SIZE", "start nothing that would leave less of a disk free: 20G" },
	[OPT_WAIT] = { 0, "wait", DR_ARG_NEEDED, "SECONDS", "how long another run may keep the state locked (10)" },
	[OPT_JOBSERVER_STYLE] = { 0, "jobserver-style", DR_ARG_NEEDED, "both|pipe|fifo|none", "how tasks are told of our jobserver (both)" },
	[OPT_REPORT] = { 0, "report", DR_ARG_NEEDED, "FILE", "write the run into FILE as a page for a browser" },
	[OPT_TRACE] = { 0, "trace", DR_ARG_NEEDED, "FILE", "write the run into FILE as Chrome trace JSON, for ui.perfetto.dev" },
	[OPT_PROGRESS] = { 0, "progress", DR_ARG_NEEDED, "auto|bar|plain|json|none", "how progress is shown (auto)" },
	[OPT_COLOR] = { 0, "color", DR_ARG_NEEDED, "auto|always|never", "colours (auto)" },
	[OPT_HELP] = { 'h', "help", DR_ARG_NONE, NULL, "print this" },
	[OPT_VERSION] = { 0, "version", DR_ARG_NONE, NULL, "print the version" },
};

/* What the help says above an option. */
static const char *const headings[OPTIONS] = {
	[OPT_FILE] = "As in make:",
	[OPT_MAP] = "Stages without a Dagfile; those that follow one are its keys:",
	[OPT_GRAPH] = "To see:",
};

enum { HELP_COLUMN = 28 };

void
dr_options_help(struct dr_buf *out)
{
	dr_buf_adds(out, "Usage: dagrun [OPTION…] [NAME=VALUE…] [TARGET…]\n"
			 "Runs the stages of ./Dagfile: what is up to date is left alone, the rest is made, never more than -j tasks\n"
			 "at once. A TARGET is an output's path, a stage, or STAGE:ROW; without one, everything.\n");
	for (uint32_t o = 0; o < OPTIONS; o++) {
		const struct dr_option *opt = &dr_option_table[o];
		size_t start, used;

		if (headings[o])
			dr_buf_addf(out, "\n%s\n", headings[o]);
		start = out->n;
		if (opt->letter)
			dr_buf_addf(out, "  -%c, ", opt->letter);
		else
			dr_buf_adds(out, "      ");
		dr_buf_addf(out, "--%s", opt->name);
		if (opt->arg == DR_ARG_NEEDED)
			dr_buf_addf(out, " %s", opt->value);
		else if (opt->arg == DR_ARG_MAYBE)
			dr_buf_addf(out, "[=%s]", opt->value);
		used = out->failed ? 0 : dr_str_width((struct dr_str){ out->p + start, out->n - start });
		if (used >= HELP_COLUMN) {
			dr_buf_addc(out, '\n');
			used = 0;
		}
		for (; used < HELP_COLUMN; used++)
			dr_buf_addc(out, ' ');
		dr_buf_addf(out, "%s\n", opt->help);
	}
	dr_buf_adds(out, "\nExit status: 0 up to date; 1 a task failed (with -q: something is stale); 2 usage, Dagfile or plan;\n"
			 "3 the state in .dagrun; 4 the system. See dagrun(1) and dagfile(5).\n");
}
