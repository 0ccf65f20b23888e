/* What the files of parse share while a pipeline is made. Nobody else's.
 *
 * A parse goes over its lines twice: read makes blocks with their keys as they stand, of all included files; then names
 * can mean what stands further down, and the blocks are turned into generators and stages. An error is told to diags
 * and the parse goes on, so a function that returns -1 has told it; nomem is sticky and looked at where it ends. */
#ifndef DR_PARSE_STATE_H
#define DR_PARSE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "lex.h"
#include "map.h"
#include "parse.h"
#include "pipeline.h"
#include "str.h"

struct dr_diags;
struct dr_err;

/* Names, and where they were given. */
struct dr_names {
	struct dr_str *v;
	struct dr_pos *pos;
	uint32_t n, cap, cap_pos;
	struct dr_map map;
};

/* A key of a block, unread. */
struct dr_key {
	struct dr_str name;
	struct dr_pos pos;
	struct dr_value value;
};

struct dr_block {
	bool args;      /* else a stage */
	uint32_t index; /* of the args or stage that it describes */
	struct dr_key *keys;
	uint32_t n_keys, cap_keys;
};

struct dr_parse {
	struct dr_pipeline *p;
	const struct dr_parse_options *opts;
	struct dr_diags *diags;
	bool nomem;
	struct dr_block *blocks;
	uint32_t n_blocks, cap_blocks, cap_args, cap_stages, cap_sources;
	struct dr_names names; /* of args and stages: one name space */
	uint32_t *owners;      /* parallel to names: index into blocks */
	uint32_t cap_owners;
	struct dr_names lets;
	struct dr_str *let_values; /* parallel to lets */
	uint32_t cap_lets;
	struct dr_names pools; /* as p->pools */
	uint32_t cap_pools;
	struct dr_names keys;   /* of the block that is being read, or of the margin's env */
	struct dr_names margin; /* keys of the margin that can stand there once: default, shell, env.NAME */
	struct dr_key *heads;   /* parallel to margin; value: what stands there */
	uint32_t cap_heads;
	struct dr_env *env; /* the margin's */
	uint32_t n_env;
	struct dr_buf scratch;
};

/* Where a value stands decides which placeholders it can have. */
enum dr_where {
	DR_WHERE_CONSTANT, /* only lets */
	DR_WHERE_ROW,      /* the subject of a `where` in args: {arg} and columns */
	DR_WHERE_MARGIN,   /* env.NAME at the margin */
	DR_WHERE_IN,
	DR_WHERE_OUT,
	DR_WHERE_USES,
	DR_WHERE_ENV,
	DR_WHERE_RUN,
};

struct dr_scope {
	enum dr_where where;
	const char *key;              /* as in "in 'KEY' of map 'NAME'" */
	const char *kind;             /* of the block, or NULL at the margin */
	struct dr_str name;           /* of the block */
	const struct dr_stage *stage; /* NULL outside of stages */
	const struct dr_args *args;   /* ROW: whose rows */
	uint32_t n_columns;           /* ROW: how many of its columns can be asked for */
};

/* A placeholder that has been looked up. */
struct dr_place {
	struct dr_piece piece;
	bool several; /* it can be any number of words */
	bool number;
};

/* parse-names */
uint32_t dr_names_find(const struct dr_names *n, struct dr_str name); /* its index or DR_NONE */
int dr_names_add(struct dr_names *n, struct dr_str name, struct dr_pos pos);
void dr_names_clear(struct dr_names *n);
void dr_names_free(struct dr_names *n);
/* Is it a name that a variable of a shell can have? */
bool dr_parse_is_variable(struct dr_str s);
/* Room for one more of *v, which has n elements of `size` bytes in the arena. 0, or -1 with nomem set. */
int dr_parse_grow(struct dr_parse *ps, void *v, uint32_t n, uint32_t *cap, size_t size);
/* A C string in the arena; "" when there is no memory. */
const char *dr_parse_cstr(struct dr_parse *ps, struct dr_str s);
/* "; did you mean 'x'?" with the nearest of names (ended by NULL) and of more (NULL: none), or "". */
const char *dr_parse_nearest(struct dr_parse *ps, struct dr_str word, const char *const *names,
			     const struct dr_names *more);
/* " in map 'align'", " in the margin" … for messages: lives in the arena. */
const char *dr_scope_place(struct dr_parse *ps, const struct dr_scope *sc);

/* What has the name, an index into `owners`, or DR_NONE; of STAGE.OUTPUT the stage, and *output, else empty, is what stands behind
 * the dot. */
uint32_t dr_parse_find_owner(const struct dr_parse *ps, struct dr_str name, struct dr_str *output);
/* The output of that name, or "out" for the one without: its index or DR_NONE. */
uint32_t dr_parse_find_output(const struct dr_stage *st, struct dr_str name);

/* parse-place */
bool dr_place_is_builtin(struct dr_str name);
bool dr_place_is_modifier(struct dr_str name);
/* Whether the first part of what stands in braces has a value in this scope. */
bool dr_place_defined(const struct dr_parse *ps, const struct dr_scope *sc, struct dr_str name);
int dr_place_resolve(struct dr_parse *ps, const struct dr_scope *sc, struct dr_str name, struct dr_pos pos,
		     struct dr_place *out);
/* {name:form}: {in:list} and its kin. */
int dr_place_form(struct dr_parse *ps, const struct dr_scope *sc, struct dr_str text, struct dr_pos pos,
		  struct dr_place *out);

/* parse-rows */
/* The columns of the rows that a stage is over, and how many: its generator's, through maps; of a merge those of `by`. */
uint32_t dr_parse_columns(const struct dr_parse *ps, const struct dr_stage *st, const struct dr_str **names);
/* The generator whose rows the stage is over, through maps, if `batch` makes them several values each; else NULL. */
const struct dr_args *dr_parse_batches(const struct dr_parse *ps, const struct dr_stage *st);
/* Whether rows of the stage are files: 1, values: 0, or it has none or they are not known because of an error: -1. */
int dr_parse_rows_are_files(const struct dr_parse *ps, const struct dr_stage *st);

/* parse-words */
enum dr_words_form { DR_WORDS_PLAIN, DR_WORDS_PATTERN };
int dr_parse_words(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_value *v,
		   enum dr_words_form form, struct dr_template **words, uint32_t *n);
/* Text that is not words: quotes are its own. */
int dr_parse_text(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_value *v,
		  struct dr_template *t);
/* The same where only lets can be: its bytes, in the arena. */
int dr_parse_constant(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_value *v,
		      struct dr_str *text);
/* Appends a piece to t, whose capacity is *cap. */
int dr_template_add(struct dr_parse *ps, struct dr_template *t, uint32_t *cap, const struct dr_piece *piece);

/* parse-value */
enum dr_path_use { DR_PATH_OUT, DR_PATH_PART };
int dr_parse_number(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_key *k, uint32_t least,
		    uint32_t *n);
/* Bytes, and the text as written. */
int dr_parse_bytes(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_key *k, uint64_t *bytes, struct dr_str *text);
int dr_parse_time(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_key *k, int64_t *ns);
/* The index of the value in a list of words ended by NULL, or -1. */
int dr_parse_choice(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_key *k,
		    const char *const *words);
int dr_parse_range(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_key *k,
		   struct dr_range *r);
int dr_parse_path(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_key *k,
		  enum dr_path_use use, struct dr_template *path, bool *tree);

/* parse-shell: goes over a command as a shell would, finds its placeholders and the programs that it names. */
struct dr_shell_text {
	struct dr_template text;
	struct dr_str *programs, *literals; /* as in struct dr_command */
	uint32_t n_programs, n_literals;
};
int dr_parse_shell_text(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_value *v,
			struct dr_shell_text *out);

/* parse-command */
int dr_parse_command(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_value *v,
		     struct dr_command *c);

/* parse: what stands around reading, of a file or of options. */
int dr_parse_begin(struct dr_parse *ps, const struct dr_parse_options *opts, struct dr_diags *diags,
		   struct dr_err *err);
int dr_parse_end(struct dr_parse *ps, struct dr_pipeline **out, struct dr_err *err);

/* parse-block */
extern const char *const dr_parse_kinds[DR_STAGE_KINDS];
struct dr_block *dr_parse_add_args(struct dr_parse *ps, struct dr_str name, struct dr_pos pos);
struct dr_block *dr_parse_add_stage(struct dr_parse *ps, enum dr_stage_kind kind, struct dr_str name,
				    struct dr_pos pos);
/* Adds a key to the block that was begun last; a second one of that name is an error. */
void dr_parse_add_key(struct dr_parse *ps, struct dr_block *b, const struct dr_key *k);
/* What a name can be that is given to a let, args, stage or pool; `what` is which of these. 0 or -1. */
int dr_parse_check_name(struct dr_parse *ps, struct dr_str name, struct dr_pos pos, const char *what);

/* parse-read */
int dr_parse_add_source(struct dr_parse *ps, const char *name, struct dr_str text, bool option,
			uint32_t *source);
int dr_parse_read(struct dr_parse *ps, const char *name, struct dr_str text);
/* parse-built: what stands in the options beside the text. */
void dr_parse_built(struct dr_parse *ps);
/* Tells of settings that no let is there for. */
void dr_parse_check_settings(struct dr_parse *ps);

/* parse-pool: pool NAME = LIMIT. */
void dr_parse_pool(struct dr_parse *ps, const struct dr_line *line);

/* parse-args, parse-stage */
/* All generators: their keys, then what these say of each other and of their columns. */
void dr_parse_args(struct dr_parse *ps);
/* parse-args-columns. The first record of a csv or tsv names the columns. */
void dr_parse_header(struct dr_parse *ps, struct dr_args *a);
/* columns = NAME… */
void dr_parse_column_names(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_key *k, struct dr_args *a);
/* product, zip, concat = NAME… */
void dr_parse_parts(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_key *k, struct dr_args *a);
/* The columns that composite ones have from their parts; every name given once. */
void dr_parse_resolve_columns(struct dr_parse *ps);
/* parse-args-where: one key, which adds to a->where. */
void dr_parse_where(struct dr_parse *ps, const struct dr_key *k, struct dr_args *a);
/* All of its conditions are there: are the groups as many as `columns` names? */
void dr_parse_check_groups(struct dr_parse *ps, const struct dr_args *a);
/* First for all stages what others may ask them: `each`, and how many outputs. Then the rest. */
void dr_parse_stage_shape(struct dr_parse *ps, const struct dr_block *b);
void dr_parse_stage_block(struct dr_parse *ps, const struct dr_block *b);
/* Of env.NAME. */
void dr_parse_check_env_name(struct dr_parse *ps, const struct dr_key *k, struct dr_str name);
/* Words that are files or stages. */
int dr_parse_refs(struct dr_parse *ps, const struct dr_scope *sc, const struct dr_value *v,
		  struct dr_ref **refs, uint32_t *n);

#endif
