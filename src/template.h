/* A word or text with its placeholders: compiled once by parse, which resolves the names, and expanded for every
 * task. */
#ifndef DR_TEMPLATE_H
#define DR_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

struct dr_err;
struct dr_hasher;

/* Where something stands: source is an index into dr_pipeline.sources. */
struct dr_pos {
	uint32_t source, line, col; /* line and col from 1; 0: nowhere */
};

enum dr_ph {
	DR_PH_TEXT,     /* text as it stands */
	DR_PH_LET,      /* a let's text: one word, however it looks */
	DR_PH_IN,       /* the inputs that `in`, the rows or the merge give */
	DR_PH_IN_NAME,  /* {in.NAME}; index: the stage's inputs[index] */
	DR_PH_LIST,     /* {in:list}, {in.NAME:list}: a file with these names, one a line; index: as IN_NAME, or DR_NONE */
	DR_PH_LIST0,    /* the same with a NUL behind each */
	DR_PH_OUT,      /* the first output */
	DR_PH_OUT_NAME, /* {out.NAME}; index: the stage's outputs[index] */
	DR_PH_ARG,      /* the row */
	DR_PH_COLUMN,   /* {COLUMN}; index: of the columns of the rows that the stage is over */
	DR_PH_TMP,
	DR_PH_SLOTS,
	DR_PH_MEMORY,
	DR_PH_SLOT,
	DR_PH_INDEX,
	DR_PH_ATTEMPT,
	DR_PH_KINDS
};

enum dr_modifier { DR_MOD_NAME, DR_MOD_STEM, DR_MOD_EXT, DR_MOD_DIR, DR_MODIFIERS };

enum { DR_MODS_MAX = 8 };

struct dr_piece {
	enum dr_ph kind;
	uint32_t index;
	uint8_t mods[DR_MODS_MAX]; /* enum dr_modifier, in order */
	uint8_t n_mods;
	bool bare;          /* in shell text: stands in $((…)), where quotes would not do; a number */
	uint32_t param;     /* in shell text: index into the command's params */
	struct dr_str text; /* TEXT, LET: the bytes; else the placeholder as written, without braces */
	struct dr_pos pos;
};

struct dr_template {
	struct dr_piece *pieces;
	uint32_t n;
	struct dr_pos pos;
};

/* Where placeholders take their values from, for one task: a seam that `values` fills from the plan. */
struct dr_values {
	void *ctx;
	/* How many words the piece stands for. Asked only if dr_piece_counted, everything else is 1. */
	uint32_t (*count)(void *ctx, const struct dr_piece *piece);
	/* Appends word i of the piece to buf, before its modifiers. 0, or -1 with err. */
	int (*get)(void *ctx, const struct dr_piece *piece, uint32_t i, struct dr_buf *buf,
		   struct dr_err *err);
};

/* Is it {in:list} or {in:list0}? */
bool dr_piece_is_list(const struct dr_piece *p);
/* Appends the text of the whole template; pieces of several words are joined with a blank (where that must not
 * be, the parser or plan has refused it). 0 or -1. */
int dr_template_expand(const struct dr_template *t, const struct dr_values *v, struct dr_buf *out,
		       struct dr_err *err);
/* Can it be several words? Inputs can, and where rows are batches {arg} and columns. */
bool dr_piece_counted(const struct dr_piece *p);
/* Appends word i of one piece with its modifiers applied. */
int dr_piece_expand(const struct dr_piece *p, const struct dr_values *v, uint32_t i, struct dr_buf *out,
		    struct dr_err *err);
/* .name .stem .ext .dir of a path: of a/b.tar.gz b.tar.gz, b.tar, .gz, a. The name of a dot file has no extension;
 * .dir of a path without '/' is ".". A slice of path (or of a constant). */
struct dr_str dr_modify(struct dr_str path, enum dr_modifier m);
/* Adds one field that stands for the template's text and the values of its placeholders, but {slots} {memory} {slot}
 * {index} {attempt} {tmp}, which count by their names only. scratch is overwritten. 0 or -1. */
int dr_template_hash(const struct dr_template *t, const struct dr_values *v, struct dr_hasher *h,
		     struct dr_buf *scratch, struct dr_err *err);
/* True when the template has no placeholder but lets: its text is the same for every task. */
bool dr_template_constant(const struct dr_template *t);
/* Appends the text of a constant template. */
void dr_template_text(const struct dr_template *t, struct dr_buf *out);
bool dr_template_has(const struct dr_template *t, enum dr_ph kind);

#endif
