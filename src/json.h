/* JSON, written as it comes: into a buffer that the caller empties when it likes. What is written is well-formed whatever the
 * strings hold: bytes that are no UTF-8 become \udc80…\udcff, each one by itself, as Python's surrogateescape has it, so that
 * os.fsencode gives the bytes back; no other lone surrogate is ever written. See doc/json.md. */
#ifndef DR_JSON_H
#define DR_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

enum { DR_JSON_VERSION = 1, DR_JSON_DEPTH = 32 };

/* Zeroed but for out is ready. Keys are ours and plain; NULL: an element of an array, or the whole. */
struct dr_json {
	struct dr_buf *out;
	bool one_line; /* no line breaks: for streams of a value a line */
	/* private */
	uint32_t depth;
	uint32_t some;  /* bit by depth: something stands there already, so that a comma is due */
	uint32_t list;  /* bit by depth: an array */
	char part[4];   /* the beginning of a character whose rest comes with the next piece */
	uint32_t n_part;
};

void dr_json_begin(struct dr_json *j, const char *key);      /* { */
void dr_json_end(struct dr_json *j);                         /* } */
void dr_json_begin_list(struct dr_json *j, const char *key); /* [ */
void dr_json_end_list(struct dr_json *j);                    /* ] */
void dr_json_str(struct dr_json *j, const char *key, struct dr_str value);
void dr_json_word(struct dr_json *j, const char *key, const char *value); /* NULL: null */
void dr_json_int(struct dr_json *j, const char *key, int64_t value);
void dr_json_uint(struct dr_json *j, const char *key, uint64_t value);
void dr_json_bool(struct dr_json *j, const char *key, bool value);
void dr_json_null(struct dr_json *j, const char *key);
/* Nanoseconds as seconds, with three decimals (a duration) or six (a time since 1970). */
void dr_json_seconds(struct dr_json *j, const char *key, int64_t ns);
void dr_json_time(struct dr_json *j, const char *key, int64_t ns);

/* A string in pieces, cut anywhere: begin, as many pieces as there are, end. */
void dr_json_begin_str(struct dr_json *j, const char *key);
void dr_json_add_str(struct dr_json *j, struct dr_str piece);
void dr_json_end_str(struct dr_json *j);

#endif
