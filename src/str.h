/* Byte strings: slices that somebody else owns, and buffers that grow. */
#ifndef DR_STR_H
#define DR_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A slice; not NUL-terminated unless it says so. */
struct dr_str {
	const char *p;
	size_t n;
};

#define DR_STR(lit) ((struct dr_str){ (lit), sizeof(lit) - 1 })

struct dr_str dr_str(const char *s); /* of a C string; NULL gives an empty one */
bool dr_str_eq(struct dr_str a, struct dr_str b);
bool dr_str_is(struct dr_str a, const char *s);

/* A growing buffer; zeroed is empty and valid. When memory runs out `failed` is set and stays set, further
 * additions do nothing, and whoever made the buffer checks once at the end. p is NUL-terminated behind n
 * bytes whenever it is not NULL. */
struct dr_buf {
	char *p;
	size_t n, cap;
	bool failed;
};

void dr_buf_add(struct dr_buf *b, const void *p, size_t n);
void dr_buf_addc(struct dr_buf *b, char c);
void dr_buf_adds(struct dr_buf *b, const char *s);
void dr_buf_addstr(struct dr_buf *b, struct dr_str s);
void dr_buf_addu(struct dr_buf *b, uint64_t n); /* in decimal: what stands in a path of every task, without printf */
void dr_buf_addx(struct dr_buf *b, uint64_t n, int digits); /* the same in hexadecimal, with zeros before it up to so many digits, at most 16 */
void dr_buf_addf(struct dr_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void dr_buf_addv(struct dr_buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
char *dr_buf_room(struct dr_buf *b, size_t n); /* n writable bytes behind p + n; NULL on failure */
void dr_buf_reset(struct dr_buf *b);           /* empty, keeps the memory and clears failed */
void dr_buf_free(struct dr_buf *b);
const char *dr_buf_cstr(const struct dr_buf *b); /* never NULL */
struct dr_str dr_buf_str(const struct dr_buf *b);

/* One word as a shell would read it back, and a terminal can show it: plain where that is safe, else in single quotes; with control
 * characters or bytes that are no UTF-8 as $'…\n…\xHH…', which bash, ksh and zsh know. */
void dr_buf_quote(struct dr_buf *b, struct dr_str s);
/* For a person: control characters (also U+0080…U+009F) and bytes that are no UTF-8 as \n, \t, \xHH; a
 * backslash doubled. */
void dr_buf_escape(struct dr_buf *b, struct dr_str s);
/* 1,234,567 · 4.2 GB, 42 GB (SI) · 250ms, 3.4s, 38s, 1m30s, 41m, 2:13:07 in the way a person reads them; a
 * duration is rounded down, and a negative one is 0ms. */
void dr_buf_count(struct dr_buf *b, uint64_t n);
void dr_buf_bytes(struct dr_buf *b, uint64_t bytes);
void dr_buf_duration(struct dr_buf *b, int64_t ns);

/* The bytes of the UTF-8 character that s (not empty) begins with, and its code point; 0 if those bytes are none: also longer forms than
 * needed, surrogates and what is above U+10FFFF. */
size_t dr_str_utf8(struct dr_str s, uint32_t *code);
/* Columns that UTF-8 text takes on a terminal, good enough for paths, whatever the locale is. Bytes that are
 * no UTF-8 take one each, control characters none: escape first. */
size_t dr_str_width(struct dr_str s);
/* The bytes of the longest beginning of UTF-8 text that takes at most `columns`. */
size_t dr_str_prefix(struct dr_str s, size_t columns);
/* Appends s as dr_buf_escape would, in at most `columns`: what is longer is cut in its middle, since names differ at their
 * ends. Without utf8 in ASCII, other characters as '?'. */
void dr_buf_fit(struct dr_buf *b, struct dr_str s, size_t columns, bool utf8);

/* The one of n words nearest to `word`: by letters left out, added, changed or swapped, at most one in three
 * of the longer of the two; of equals the first. NULL if none is near, or word is longer than 64 bytes. */
const char *dr_nearest(struct dr_str word, const char *const *words, size_t n);

/* "2h", "90s", "1.5m", "500ms" (d h m s ms us ns), a bare number is seconds → nanoseconds; "8G", "64k" (k m g
 * t p of either case, powers of 1024) → bytes. No sign, no blank; what is below the smallest unit is dropped.
 * 0, or -1 if it is no such thing or too large; the result is then untouched. */
int dr_parse_duration(struct dr_str s, int64_t *ns);
int dr_parse_size(struct dr_str s, uint64_t *bytes);
/* Of what dr_parse_size has read: is it so little memory or disk, without a unit, that one was forgotten? 0 is not. */
bool dr_lacks_unit(struct dr_str s, uint64_t bytes);
/* Decimal, no sign, no blank; 0, or -1 when it is none or above max. */
int dr_parse_uint(struct dr_str s, uint64_t max, uint64_t *n);

#endif
