/* From bytes to logical lines: comments, continuation, indented blocks. Knows nothing of what blocks and keys mean:
 * parse does. Positions survive continuation and indentation. */
#ifndef DR_LEX_H
#define DR_LEX_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"
#include "template.h"

struct dr_diags;
struct dr_pipeline;

/* Where a part of a value stands in the source. */
struct dr_segment {
	size_t offset; /* of its first byte in the value */
	uint32_t line, col;
};

/* The value of a key, with the place of each of its bytes. */
struct dr_value {
	struct dr_str text;
	struct dr_pos pos;                 /* of its first byte */
	const struct dr_segment *segments; /* by offset; at least one if there is any text */
	uint32_t n_segments;
	bool block; /* written as indented lines: its common indentation is gone, its lines end with '\n' but the last */
};

enum dr_line_kind { DR_LINE_HEAD, DR_LINE_KEY, DR_LINE_END };

/* A line at the margin or a key below it:
 *	map align		HEAD, head "map", words "align"
 *	env.LC_ALL = C		HEAD, head "env.LC_ALL", has_value
 *	let work = lanes	HEAD, head "let", words "work", has_value
 *	  fan-in = 2		KEY, head "fan-in", has_value */
struct dr_line {
	enum dr_line_kind kind;
	struct dr_str head;
	struct dr_value words;
	bool has_value;
	struct dr_value value;
	struct dr_pos pos;
};

struct dr_lexer; /* over one source; errors go to diags with their place; lives in the pipeline's arena */

/* NULL without memory. */
struct dr_lexer *dr_lexer_new(struct dr_pipeline *p, uint32_t source, struct dr_diags *diags);
/* The next logical line, which lives in the pipeline's arena. 0, or -1 without memory. */
int dr_lexer_next(struct dr_lexer *lx, struct dr_line *line);

/* The whole text of a source as one value, as for an option of the command line. 0, or -1 without memory. */
int dr_lex_value(struct dr_pipeline *p, uint32_t source, struct dr_value *out);
/* The place of byte `offset` of a value. */
struct dr_pos dr_value_pos(const struct dr_value *v, size_t offset);

/* A letter, then letters, digits, '_', '-': its length at the beginning of s, 0 if there is none. */
size_t dr_lex_name(struct dr_str s);
bool dr_lex_is_name(struct dr_str s);

enum dr_brace {
	DR_BRACE_NONE, /* nothing of ours */
	DR_BRACE_NAME, /* {name} or {name.modifier…} */
	DR_BRACE_FORM, /* {name:form} */
};
/* What begins at byte `at`, a '{', of s; *end is set behind its '}' if it is of ours. */
enum dr_brace dr_lex_brace(struct dr_str s, size_t at, size_t *end);

/* Adds a diagnostic that shows the line of `pos` with a caret. */
void dr_lex_error(const struct dr_pipeline *p, struct dr_diags *d, struct dr_pos pos, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* All of them as a person reads them: place and message, the line indented by two, a caret; how many more there were. */
void dr_diags_show(const struct dr_diags *d, struct dr_buf *out);

#endif
