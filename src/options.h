/* The command line: one table of options, from which both parsing and --help come. */
#ifndef DR_OPTIONS_H
#define DR_OPTIONS_H

#include "session-options.h"
#include "str.h"

struct dr_err;

enum dr_option_arg { DR_ARG_NONE, DR_ARG_NEEDED, DR_ARG_MAYBE /* only in the same word: -j8 (or a number in the next), --graph=dot */ };

struct dr_option {
	char letter;      /* 0: none */
	const char *name; /* without the two dashes; NULL: only the letter */
	enum dr_option_arg arg;
	const char *value; /* what its value is called in the help */
	const char *help;
};

extern const struct dr_option dr_option_table[];
extern const uint32_t dr_option_count;

enum dr_command_line { DR_CL_RUN, DR_CL_HELP, DR_CL_VERSION };

struct dr_parsed {
	struct dr_options options;
	const char *directory; /* -C: all of them joined; NULL: none */
	/* private */
	void *arena;
};

/* Fills *out from argv. 0 with what to do in *what, or -1 with err (code DR_USAGE). */
int dr_options_parse(int argc, char **argv, struct dr_parsed *out, enum dr_command_line *what, struct dr_err *err);
void dr_options_free(struct dr_parsed *p);
/* The help, made from the table. */
void dr_options_help(struct dr_buf *out);

#endif
