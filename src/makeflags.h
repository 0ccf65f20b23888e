/* MAKEFLAGS as make writes it, and what of it concerns us. Pure. Source: GNU make's manual, "Communicating
 * Options to a Sub-make" and "POSIX Jobserver Interaction", and what 4.3 was seen to write. */
#ifndef DR_MAKEFLAGS_H
#define DR_MAKEFLAGS_H

#include <stdbool.h>

#include "str.h"

enum dr_auth { DR_AUTH_NONE, DR_AUTH_PIPE, DR_AUTH_FIFO, DR_AUTH_DISABLED, DR_AUTH_UNKNOWN };

/* An address of a jobserver. */
struct dr_auth_name {
	enum dr_auth auth;
	int read_fd, write_fd; /* PIPE */
	struct dr_buf fifo;    /* FIFO: its path; UNKNOWN: the word */
	unsigned jobs;         /* -jN beside it, 0: unknown */
};

/* The last word of MAKEFLAGS, one behind its "--", and CARGO_MAKEFLAGS' can each name one. */
enum { DR_AUTHS_MAX = 3 };

enum dr_shuffle { DR_SHUFFLE_NONE, DR_SHUFFLE_REVERSE, DR_SHUFFLE_RANDOM };

struct dr_makeflags {
	bool n, q, t, k, i, s, B, w, trace;
	bool make; /* a make is above us at all (MAKELEVEL or MAKEFLAGS is set) */
	/* In the order in which they are to be tried: who cannot reach one may reach the next. */
	struct dr_auth_name auths[DR_AUTHS_MAX];
	unsigned n_auths;
	unsigned jobs;    /* -jN as make tells it, 0: unknown */
	bool unlimited;   /* -j without a number, and without a jobserver */
	double load;      /* -l; 0: none */
	char output_sync; /* 0 none, 't'arget, 'l'ine, 'r'ecurse */
	/* What make 4.4 locks while it writes; empty: make locks its standard output. */
	struct dr_buf sync_mutex;
	enum dr_shuffle shuffle;
	uint64_t shuffle_seed;
};

/* Reads the three variables (NULL: unset). 0, or -1 without memory. */
int dr_makeflags_parse(const char *makeflags, const char *makelevel, const char *cargo_makeflags,
		       struct dr_makeflags *out);
void dr_makeflags_free(struct dr_makeflags *f);

#endif
