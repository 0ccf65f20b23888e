/* What the command line says, as data. */
#ifndef DR_SESSION_OPTIONS_H
#define DR_SESSION_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "export.h"
#include "parse.h"
#include "style.h"

enum dr_graph_format {
	DR_GRAPH_NONE,
	DR_GRAPH_AUTO, /* text on a terminal, else dot */
	DR_GRAPH_TEXT,
	DR_GRAPH_DOT,
	DR_GRAPH_SVG,
	DR_GRAPH_HTML,
	DR_GRAPH_MERMAID,
	DR_GRAPH_JSON
};
enum dr_show { DR_SHOW_AUTO, DR_SHOW_BAR, DR_SHOW_PLAIN, DR_SHOW_NONE, DR_SHOW_JSON }; /* --progress */
/* What is asked for instead of a run. */
enum dr_ask { DR_ASK_NONE, DR_ASK_STATUS, DR_ASK_FAILED, DR_ASK_LOG, DR_ASK_CLEAN, DR_ASK_FORGET };
enum dr_colour { DR_COLOUR_AUTO, DR_COLOUR_ALWAYS, DR_COLOUR_NEVER };

struct dr_options {
	const char *file;    /* -f; NULL: Dagfile; "-": standard input */
	const char *program; /* how we were called, for messages that say what to type */
	uint32_t jobs;       /* -j; 0: not given */
	double load;         /* -l; 0: none */
	enum dr_style style; /* --jobserver-style */
	bool dry_run;        /* -n */
	bool question;       /* -q */
	bool always;         /* -B */
	bool adopt;          /* -t, --adopt */
	bool keep_going;     /* -k */
	bool ignore;         /* -i */
	bool silent;         /* -s */
	char sync;           /* -O: 'n'one, 'l'ine, 't'arget, 'r'ecurse; 0: not given */
	bool explain;
	const char *explain_target; /* NULL: all */
	enum dr_graph_format graph;
	bool full;
	enum dr_export_format export;
	enum dr_ask ask;
	bool clean_all, clean_orphans; /* --clean: instead of targets */
	bool json;                     /* of what is asked for, of -n and of --explain */
	uint32_t max_failures; /* 0: not given */
	uint64_t reserve;      /* --reserve: bytes of a disk that are to stay free */
	bool durable;          /* --durable: each output is synced before it is recorded */
	int64_t wait;          /* ns that another run's lock may keep us */
	const char *report, *trace; /* files; NULL: none */
	enum dr_show progress;
	enum dr_colour colour;
	const struct dr_setting *settings;
	uint32_t n_settings;
	const char *const *targets;
	uint32_t n_targets;
	const struct dr_oneliner_key *keys; /* of --map and the others */
	uint32_t n_keys;
};

#endif
