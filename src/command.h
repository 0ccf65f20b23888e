/* The command of a stage, compiled once: an argument vector with redirections where no shell is needed, else
 * shell text whose values are passed as positional parameters and never pasted. */
#ifndef DR_COMMAND_H
#define DR_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"
#include "template.h"

struct dr_arena;
struct dr_err;
struct dr_hasher;

/* What runs shell text: words before the text itself. */
struct dr_shell {
	const char *const *argv; /* e.g. "/bin/bash", "-eo", "pipefail", "-c" */
	uint32_t argc;
	bool slices; /* it knows "${@:3:2}": bash, zsh, ksh */
};

enum dr_redirect_kind { DR_REDIRECT_READ, DR_REDIRECT_WRITE, DR_REDIRECT_APPEND, DR_REDIRECT_DUP };

struct dr_redirect {
	enum dr_redirect_kind kind;
	int fd;                    /* the one that is redirected */
	int dup_from;              /* DUP: the one that it becomes a copy of */
	struct dr_template target; /* the others: a path */
};

struct dr_command {
	bool shell;
	struct dr_template *words; /* without a shell */
	uint32_t n_words;
	struct dr_redirect *redirects;
	uint32_t n_redirects;
	struct dr_template text; /* either way: the text as written, its placeholders in their places */
	struct dr_piece *
		params; /* with a shell: the different values that it has, one or more positional parameters each */
	uint32_t n_params;
	struct dr_str source;    /* as written */
	struct dr_str *programs; /* relative paths with a '/' that it starts, constant ones only */
	uint32_t n_programs;
	/* Constant words that could be names of files: arguments, and what '<' reads from. */
	struct dr_str *literals;
	uint32_t n_literals;
	struct dr_pos pos;
};

/* One start, ready for spawn. Everything lives in the arena given to dr_command_expand. */
struct dr_exec_redirect {
	enum dr_redirect_kind kind;
	int fd, dup_from;
	const char *path;
};

struct dr_exec {
	char **argv; /* NULL-terminated */
	uint32_t argc;
	uint64_t bytes; /* of argv as the kernel counts it: pointers and strings */
	struct dr_exec_redirect *redirects;
	uint32_t n_redirects;
};

/* A relative path that begins with '-' (of an input or output) gets "./" before it, however the command is started.
 * 0, or -1 with err. */
int dr_command_expand(const struct dr_command *c, const struct dr_shell *sh, const struct dr_values *v,
		      struct dr_arena *arena, struct dr_exec *out, struct dr_err *err);

/* Adds what decides whether a task's command is the same as last time: the shell where it is used, the words or the
 * text, and the values of the placeholders but {slots} {memory} {slot} {index} {attempt} {tmp}. */
int dr_command_hash(const struct dr_command *c, const struct dr_shell *sh, const struct dr_values *v,
		    struct dr_hasher *h, struct dr_buf *scratch, struct dr_err *err);

/* As one could paste it into a shell (bash, where it has a list of inputs): the text as written, with values in place of
 * placeholders, quoted. */
int dr_command_show(const struct dr_command *c, const struct dr_values *v, struct dr_buf *out,
		    struct dr_err *err);

#endif
