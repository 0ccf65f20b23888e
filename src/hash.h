/* XXH3, 64 and 128 bits: identities, command hashes, checksums, contents. Not against an adversary. */
#ifndef DR_HASH_H
#define DR_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dr_err;

struct dr_hash128 {
	uint64_t lo, hi;
};

uint64_t dr_hash64(const void *p, size_t n);
struct dr_hash128 dr_hash128(const void *p, size_t n);
bool dr_hash128_eq(struct dr_hash128 a, struct dr_hash128 b);
/* 32 hexadecimal digits and a NUL. */
void dr_hash128_hex(struct dr_hash128 h, char out[33]);
bool dr_hash128_parse(const char *hex, struct dr_hash128 *out); /* the other way; false: it is nothing of the kind */

/* A hash of fields: each is preceded by its length, so that ("ab","c") and ("a","bc") differ. */
struct dr_hasher;
struct dr_hasher *dr_hasher_new(void); /* NULL without memory */
void dr_hasher_reset(struct dr_hasher *h);
void dr_hasher_field(struct dr_hasher *h, const void *p, size_t n);
struct dr_hash128 dr_hasher_end(struct dr_hasher *h);
/* A length in one byte order, so that what is stored holds on any machine. */
void dr_hash_length(uint64_t n, unsigned char out[8]);
void dr_hasher_free(struct dr_hasher *h);

/* XXH3-128 of a whole file, read in pieces. 0 or -1 with err. */
int dr_hash_file(int dirfd, const char *path, struct dr_hash128 *out, struct dr_err *err);

#endif
