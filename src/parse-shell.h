/* What parse-shell (quotes and brackets), parse-shell-heredoc, parse-shell-word (words, commands and their names) and parse-shell-place
 * (placeholders) share: where we are in the text of a command. */
#ifndef DR_PARSE_SHELL_H
#define DR_PARSE_SHELL_H

#include "parse-state.h"

enum dr_frame_kind {
	DR_FRAME_COMMANDS, /* the text as a whole, (…), $(…), <(…), `…` */
	DR_FRAME_DOUBLE,   /* "…" */
	DR_FRAME_PARAM,    /* ${…} */
	DR_FRAME_ARITH,    /* $((…)) and ((…)) */
};

/* One level of what encloses the place that we are at. */
struct dr_frame {
	enum dr_frame_kind kind;
	size_t at;      /* where it begins */
	char close;     /* COMMANDS: ')', '`', or 0: the whole text */
	bool quoted;    /* PARAM: stands in double quotes, where ' means nothing */
	bool back;      /* in back quotes that stand in double quotes: nobody agrees on quotes in there */
	bool function;  /* in the body of a function, which has arguments of its own */
	uint32_t depth; /* ARITH: parentheses that are open */
	/* COMMANDS: */
	bool start;  /* the next word is the name of a command */
	bool target; /* the next word is what a redirection names */
	bool reads;  /* that is a '<' */
	bool in_word;
	bool plain;     /* the word has no quotes: it can be a reserved word */
	bool constant;  /* the word's text is known: it is in dr_shell_scan.word */
	bool assign;    /* the word is NAME=… */
	bool condition; /* in [[ … ]] */
	bool pattern;   /* where a `case` has its patterns */
	bool case_head; /* between `case` and its `in` */
	bool set;       /* the command is `set` */
	bool losing;    /* the command is one that replaces the positional parameters */
	bool fn_name;   /* behind `function` */
	bool fn_next;   /* the body of a function comes next */
	uint32_t cases, braces;
	uint32_t fn; /* number of the brace that began a function's body; 0: none */
};

enum { DR_FRAMES_MAX = 100, DR_HEREDOCS_MAX = 16 };

struct dr_heredoc {
	size_t at;
	struct dr_str end;
	bool tabs; /* <<-: lines may begin with tabs */
};

struct dr_shell_scan {
	struct dr_parse *ps;
	const struct dr_scope *sc;
	const struct dr_value *v;
	struct dr_str s;
	size_t i;
	size_t text_from; /* where the text behind the last placeholder begins */
	bool failed;
	struct dr_frame frames[DR_FRAMES_MAX];
	uint32_t n;
	struct dr_heredoc heredocs[DR_HEREDOCS_MAX];
	uint32_t n_heredocs;
	struct dr_buf word; /* quotes removed */
	bool moved;         /* a `cd` came before: relative names of programs are not from here any more */
	bool lost;          /* `shift` or `set --` came before: positional parameters are not ours any more */
	struct dr_shell_text *out;
	uint32_t cap_pieces, cap_programs, cap_literals;
};

/* The byte that many behind the place, or NUL behind the end. */
static inline char
dr_shell_peek(const struct dr_shell_scan *s, size_t ahead)
{
	return s->i + ahead < s->s.n ? s->s.p[s->i + ahead] : '\0';
}

void dr_shell_begin_word(struct dr_frame *f, struct dr_shell_scan *s);
void dr_shell_end_word(struct dr_frame *f, struct dr_shell_scan *s);
void dr_shell_end_command(struct dr_frame *f, struct dr_shell_scan *s);
void dr_shell_add(struct dr_shell_scan *s, char c);
/* An opening '(' that begins neither $( nor <(: whether it is the head of a function, f(), which is then taken. */
bool dr_shell_function(struct dr_frame *f, struct dr_shell_scan *s);
bool dr_shell_in_function(const struct dr_frame *f);

/* parse-shell-heredoc. The word behind the << at byte `at`, without its quotes. */
void dr_shell_take_heredoc(struct dr_shell_scan *s, size_t at);
/* The lines of a here-document; s->i is at the first. */
void dr_shell_skip_heredoc(struct dr_shell_scan *s, const struct dr_heredoc *doc);

/* parse-shell-place: errors and placeholders. */
void dr_shell_tell(struct dr_shell_scan *s, size_t at, const char *msg);
void dr_shell_tell_name(struct dr_shell_scan *s, size_t at, struct dr_str name, const char *msg);
/* Whether at byte `at` braces of that kind begin; *name is what is in them, *end behind them. */
bool dr_shell_braced(const struct dr_shell_scan *s, size_t at, enum dr_brace kind, struct dr_str *name,
		     size_t *end);
/* A defined name where it would stay as it is, which nobody means, is an error that says msg. */
bool dr_shell_refuse(struct dr_shell_scan *s, size_t at, const char *msg);
bool dr_shell_refuse_dollar(struct dr_shell_scan *s, size_t at);
void dr_shell_refuse_quoted(struct dr_shell_scan *s, size_t at, char quote);
/* Adds the text from the last placeholder up to byte `to`. */
void dr_shell_flush(struct dr_shell_scan *s, size_t to);
/* A '{' outside quotes. */
void dr_shell_take_brace(struct dr_shell_scan *s);
bool dr_shell_is_number(struct dr_str s);

#endif
