#include "config.h"

#include "hash.h"

#include "err.h"
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

enum {
	PIECE = 256 << 10,
	/* What is shorter, as most commands are, is hashed at once: the library's stream takes time to begin and to end. */
	SHORT = 1024,
};

struct dr_hasher {
	XXH3_state_t *state; /* of what has gone out of `bytes`, if anything has */
	bool streams;
	size_t n;
	unsigned char bytes[SHORT];
};

static struct dr_hash128
from_xxh(XXH128_hash_t h)
{
	return (struct dr_hash128){ .lo = h.low64, .hi = h.high64 };
}

uint64_t
dr_hash64(const void *p, size_t n)
{
	return XXH3_64bits(p, n);
}

struct dr_hash128
dr_hash128(const void *p, size_t n)
{
	return from_xxh(XXH3_128bits(p, n));
}

bool
dr_hash128_eq(struct dr_hash128 a, struct dr_hash128 b)
{
	return a.lo == b.lo && a.hi == b.hi;
}

void
dr_hash128_hex(struct dr_hash128 h, char out[33])
{
	for (int i = 0; i < 16; i++) {
		out[i] = "0123456789abcdef"[h.hi >> (60 - 4 * i) & 15];
		out[16 + i] = "0123456789abcdef"[h.lo >> (60 - 4 * i) & 15];
	}
	out[32] = '\0';
}

bool
dr_hash128_parse(const char *hex, struct dr_hash128 *out)
{
	struct dr_hash128 h = { 0 };

	if (strlen(hex) != 32)
		return false;
	for (size_t i = 0; i < 32; i++) {
		const char *digits = "0123456789abcdef", *d = memchr(digits, hex[i], 16);
		uint64_t *half = i < 16 ? &h.hi : &h.lo;

		if (!d)
			return false;
		*half = *half << 4 | (uint64_t)(d - digits);
	}
	*out = h;
	return true;
}

struct dr_hasher *
dr_hasher_new(void)
{
	struct dr_hasher *h = malloc(sizeof(*h));

	if (!h)
		return NULL;
	/* The library's own allocation, as the state wants an alignment that malloc doesn't give. */
	h->state = XXH3_createState();
	if (!h->state) {
		free(h);
		return NULL;
	}
	dr_hasher_reset(h);
	return h;
}

void
dr_hasher_reset(struct dr_hasher *h)
{
	h->n = 0;
	h->streams = false;
}

static void
flush(struct dr_hasher *h)
{
	if (!h->streams)
		XXH3_128bits_reset(h->state);
	h->streams = true;
	XXH3_128bits_update(h->state, h->bytes, h->n);
	h->n = 0;
}

static void
add(struct dr_hasher *h, const void *p, size_t n)
{
	if (n > sizeof(h->bytes) - h->n)
		flush(h);
	if (n > sizeof(h->bytes)) {
		XXH3_128bits_update(h->state, p, n);
	} else if (n) {
		memcpy(h->bytes + h->n, p, n);
		h->n += n;
	}
}

void
dr_hash_length(uint64_t n, unsigned char out[8])
{
	/* One by one, not in a loop: of this, compilers make a single move. */
	out[0] = (unsigned char)n;
	out[1] = (unsigned char)(n >> 8);
	out[2] = (unsigned char)(n >> 16);
	out[3] = (unsigned char)(n >> 24);
	out[4] = (unsigned char)(n >> 32);
	out[5] = (unsigned char)(n >> 40);
	out[6] = (unsigned char)(n >> 48);
	out[7] = (unsigned char)(n >> 56);
}

void
dr_hasher_field(struct dr_hasher *h, const void *p, size_t n)
{
	unsigned char length[8];

	dr_hash_length(n, length);
	add(h, length, sizeof(length));
	add(h, p, n);
}

struct dr_hash128
dr_hasher_end(struct dr_hasher *h)
{
	if (!h->streams)
		return dr_hash128(h->bytes, h->n);
	flush(h);
	return from_xxh(XXH3_128bits_digest(h->state));
}

void
dr_hasher_free(struct dr_hasher *h)
{
	if (!h)
		return;
	XXH3_freeState(h->state);
	free(h);
}

int
dr_hash_file(int dirfd, const char *path, struct dr_hash128 *out, struct dr_err *err)
{
	XXH3_state_t *state = XXH3_createState();
	void *piece = malloc(PIECE);
	int fd = -1, rc = -1;
	ssize_t n;

	if (!state || !piece) {
		dr_err_nomem(err);
		goto out;
	}
	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		dr_err_sys(err, errno, "open %s", path);
		goto out;
	}
#ifdef HAVE_POSIX_FADVISE
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
#endif
	XXH3_128bits_reset(state);
	do {
		n = dr_read_full(fd, piece, PIECE);
		if (n < 0) {
			dr_err_sys(err, errno, "read %s", path);
			goto out;
		}
		XXH3_128bits_update(state, piece, (size_t)n);
	} while (n == PIECE);
	*out = from_xxh(XXH3_128bits_digest(state));
	rc = 0;
out:
	dr_close(&fd);
	free(piece);
	XXH3_freeState(state);
	return rc;
}
