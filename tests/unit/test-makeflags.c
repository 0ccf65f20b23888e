#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "makeflags.h"

/* The flags that are set, as letters; T is --trace. */
static void
letters(const struct dr_makeflags *f, char out[16])
{
	size_t n = 0;

#define LETTER(member, c)                                                                                    \
	if (f->member)                                                                                       \
		out[n++] = (c);
	LETTER(n, 'n')
	LETTER(q, 'q')
	LETTER(t, 't')
	LETTER(k, 'k')
	LETTER(i, 'i')
	LETTER(s, 's')
	LETTER(B, 'B')
	LETTER(w, 'w')
	LETTER(trace, 'T')
#undef LETTER
	out[n] = '\0';
}

/* Flags, -j, load and -O of a value. */
static const struct {
	const char *makeflags, *letters;
	unsigned jobs;
	double load;
	char sync;
} flag_cases[] = {
	/* As make 4.3 writes them, for the options that stand beside them */
	{ "", "", 0, 0, 0 },                                  /* none */
	{ " -j4 --jobserver-auth=3,4", "", 4, 0, 0 },         /* -j4 */
	{ "kn -j4 --jobserver-auth=3,4", "nk", 4, 0, 0 },     /* -n -k -j4 */
	{ "q", "q", 0, 0, 0 },                                /* -q */
	{ "st", "ts", 0, 0, 0 },                              /* -t -s */
	{ " -j3 -l2.5 --jobserver-auth=3,4", "", 3, 2.5, 0 }, /* -l2.5 -j3 */
	{ " -Otarget", "", 0, 0, 't' },                       /* -O */
	{ " -Oline", "", 0, 0, 'l' },                         /* -Oline */
	{ "Bkn -j2 -l1.5 -Orecurse --jobserver-auth=3,4", "nkB", 2, 1.5,
	  'r' },                                                              /* -j2 -Orecurse -l 1.5 -nkB */
	{ " -j2 -Onone --jobserver-auth=3,4", "", 2, 0, 0 },                  /* -Onone -j2 */
	{ " --trace", "T", 0, 0, 0 },                                         /* --trace */
	{ "k --trace", "kT", 0, 0, 0 },                                       /* --trace -k */
	{ " -j2 --jobserver-auth=3,4 -- B=a\\ b\\\\c FOO=bar", "", 2, 0, 0 }, /* -j2 FOO=bar 'B=a b\c' */
	{ " -- FOO=x", "", 0, 0, 0 },                                         /* FOO=x */
	{ "k -- FOO=x", "k", 0, 0, 0 },                                       /* FOO=x -k */
	{ " --no-print-directory", "", 0, 0, 0 },                             /* --no-print-directory -w */
	{ "Beikw", "kiBw", 0, 0, 0 },                                         /* -i -B -w -k -e */
	{ "rR --warn-undefined-variables", "", 0, 0, 0 }, /* -r -R --warn-undefined-variables */
	{ " -j2 --jobserver-auth=3,4 --eval=Q\\ =\\ a\\ -k", "", 2, 0, 0 }, /* -j2 --eval='Q = a -k' */
	{ " -j", "", 0, 0, 0 },                                             /* -j */
	{ " -j1", "", 1, 0, 0 },                                            /* -j1 */
	{ " -j -l0.25", "", 0, 0.25, 0 },                                   /* -l 0.25 -j */
	{ " -j2 -l1e+06 --jobserver-auth=3,4", "", 2, 1e6, 0 },             /* -l 1000000 -j2 */
	/* As 4.4 is documented to */
	{ "ks -j8 --jobserver-auth=fifo:/tmp/GMfifo1 --no-silent", "k", 8, 0, 0 },
	/* As persons set it */
	{ "-j8", "", 8, 0, 0 },
	{ "-j 8 -l 2 -k", "k", 8, 2, 0 },
	{ "-j -k", "k", 0, 0, 0 },
	{ "-knj3", "nk", 3, 0, 0 },
	{ "--jobs=5 --load-average=1.5 --keep-going --output-sync=line", "k", 5, 1.5, 'l' },
	{ "--jobs 5 --output-sync --dry-run", "n", 5, 0, 't' },
	{ "-j2 -j3", "", 3, 0, 0 },
	{ "-l3 -l", "", 0, 0, 0 },
	{ "-k -S", "", 0, 0, 0 },
	{ "-w --no-print-directory", "", 0, 0, 0 },
	/* Arguments that are no flags */
	{ "-I k -k", "k", 0, 0, 0 },
	{ "-f nqt -C nqt -Wnqt -o nqt", "", 0, 0, 0 },
	{ "--eval nqt --directory nqt", "", 0, 0, 0 },
	/* A first word with '=' or behind a blank holds none; nor does any other that has no '-' */
	{ "kn=1", "", 0, 0, 0 },
	{ " kn", "", 0, 0, 0 },
	{ "-k nqt", "k", 0, 0, 0 },
	/* '--' ends them */
	{ "-k -- -n --trace", "k", 0, 0, 0 },
	{ "-- -n", "", 0, 0, 0 },
	/* Nonsense is no load and no number */
	{ "-jx -l1.2.3 -Osome --jobs=", "", 0, 0, 0 },
	{ "-l1,5 -l", "", 0, 0, 0 },
	{ "-l1e999", "", 0, 0, 0 },
	{ "-k\\", "k", 0, 0, 0 },
};

static void
flags(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(flag_cases) / sizeof(*flag_cases); i++) {
		struct dr_makeflags f;
		char got[16];

		assert_int_equal(dr_makeflags_parse(flag_cases[i].makeflags, "1", NULL, &f), 0);
		letters(&f, got);
		if (strcmp(got, flag_cases[i].letters) != 0 || f.jobs != flag_cases[i].jobs ||
		    f.load < flag_cases[i].load || f.load > flag_cases[i].load ||
		    f.output_sync != flag_cases[i].sync)
			fail_msg("'%s': got '%s' -j%u -l%g '%c'", flag_cases[i].makeflags, got, f.jobs,
				 f.load, f.output_sync ? f.output_sync : '-');
		dr_makeflags_free(&f);
	}
}

static const struct {
	const char *makeflags, *cargo;
	enum dr_auth auth;
	int r, w;
	const char *text;
	unsigned jobs;
} auth_cases[] = {
	{ "k", NULL, DR_AUTH_NONE, -1, -1, "", 0 },
	{ " -j4 --jobserver-auth=3,4", NULL, DR_AUTH_PIPE, 3, 4, "", 4 },
	{ " --jobserver-fds=5,6 -j", NULL, DR_AUTH_PIPE, 5, 6, "", 0 },
	{ "j4 --jobserver-auth=fifo:/tmp/GMfifo77", NULL, DR_AUTH_FIFO, -1, -1, "/tmp/GMfifo77", 4 },
	{ " --jobserver-auth=fifo:/tmp/a\\ b\\\\c", NULL, DR_AUTH_FIFO, -1, -1, "/tmp/a b\\c", 0 },
	{ " --jobserver-auth=-2,-2", NULL, DR_AUTH_DISABLED, -1, -1, "", 0 },
	{ " --jobserver-auth=3,-1", NULL, DR_AUTH_DISABLED, -1, -1, "", 0 },
	{ " --jobserver-auth=sem:pool", NULL, DR_AUTH_UNKNOWN, -1, -1, "sem:pool", 0 },
	/* The last one wins, whatever it is called; malformed ones do not count. */
	{ " --jobserver-fds=3,4 --jobserver-auth=5,6", NULL, DR_AUTH_PIPE, 5, 6, "", 0 },
	{ " --jobserver-auth=3,4 --jobserver-fds=5,6", NULL, DR_AUTH_PIPE, 5, 6, "", 0 },
	{ " --jobserver-auth=fifo:/a --jobserver-auth=3,4", NULL, DR_AUTH_PIPE, 3, 4, "", 0 },
	{ " --jobserver-auth=3,4 --jobserver-auth=-2,-2", NULL, DR_AUTH_DISABLED, -1, -1, "", 0 },
	{ " --jobserver-auth=3,4 --jobserver-auth=", NULL, DR_AUTH_PIPE, 3, 4, "", 0 },
	{ " --jobserver-auth=3,4 --jobserver-auth=fifo:", NULL, DR_AUTH_PIPE, 3, 4, "", 0 },
	{ " --jobserver-auth=3,4 --jobserver-auth=5,6x", NULL, DR_AUTH_PIPE, 3, 4, "", 0 },
	{ " --jobserver-auth=3,4 --jobserver-auth=5", NULL, DR_AUTH_PIPE, 3, 4, "", 0 },
	{ " --jobserver-auth=3,4 --jobserver-auth=,", NULL, DR_AUTH_PIPE, 3, 4, "", 0 },
	{ " --jobserver-auth=3,4 --jobserver-auth=99999999999,4", NULL, DR_AUTH_PIPE, 3, 4, "", 0 },
	{ " --jobserver-auth=3,4 --jobserver-auth", NULL, DR_AUTH_PIPE, 3, 4, "", 0 },
	{ " --jobserver-auth=3,4 --jobserver-authority=7,8", NULL, DR_AUTH_PIPE, 3, 4, "", 0 },
	/* A variable of the command line that looks like one is not one, … */
	{ " -j2 --jobserver-auth=3,4 -- --jobserver-auth=fifo:/p", NULL, DR_AUTH_PIPE, 3, 4, "", 2 },
	{ " -j2 -- --jobserver-auth=5,6", NULL, DR_AUTH_NONE, -1, -1, "", 2 },
	/* … but where there is no other, a fifo is. */
	{ " -j2 -- --jobserver-auth=fifo:/p FOO=x", NULL, DR_AUTH_FIFO, -1, -1, "/p", 2 },
	{ " -j2 -- A=1 --jobserver-auth=fifo:/p --jobserver-auth=5,6", NULL, DR_AUTH_FIFO, -1, -1, "/p", 2 },
	/* A build script of cargo has it elsewhere. */
	{ NULL, "-j --jobserver-fds=8,9 --jobserver-auth=8,9", DR_AUTH_PIPE, 8, 9, "", 0 },
	{ "k -j4", "-j6 --jobserver-auth=fifo:/c", DR_AUTH_FIFO, -1, -1, "/c", 6 },
	{ " -j4 --jobserver-auth=3,4", "-j6 --jobserver-auth=8,9", DR_AUTH_PIPE, 3, 4, "", 4 },
	{ " -j4 -- --jobserver-auth=fifo:/p", "-j6 --jobserver-auth=8,9", DR_AUTH_PIPE, 8, 9, "", 6 },
	{ NULL, " -j6 --jobserver-auth=8,9 -- --jobserver-auth=fifo:/p", DR_AUTH_FIFO, -1, -1, "/p", 6 },
	{ "", "rubbish", DR_AUTH_NONE, -1, -1, "", 0 },
};

static void
jobservers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(auth_cases) / sizeof(*auth_cases); i++) {
		struct dr_auth_name none = { .read_fd = -1, .write_fd = -1 }, *a;
		struct dr_makeflags f;

		assert_int_equal(dr_makeflags_parse(auth_cases[i].makeflags, NULL, auth_cases[i].cargo, &f),
				 0);
		a = f.n_auths ? &f.auths[0] : &none;
		if (a->auth != auth_cases[i].auth || a->read_fd != auth_cases[i].r ||
		    a->write_fd != auth_cases[i].w || strcmp(dr_buf_cstr(&a->fifo), auth_cases[i].text) != 0 ||
		    f.jobs != auth_cases[i].jobs)
			fail_msg("case %zu '%s': got %d %d,%d '%s' -j%u", i,
				 auth_cases[i].makeflags ? auth_cases[i].makeflags : auth_cases[i].cargo,
				 (int)a->auth, a->read_fd, a->write_fd, dr_buf_cstr(&a->fifo), f.jobs);
		dr_makeflags_free(&f);
	}
}

/* All addresses, in the order in which they are tried. */
static const struct {
	const char *makeflags, *cargo, *order;
} order_cases[] = {
	{ "k", NULL, "" },
	{ " -j2 --jobserver-auth=3,4 -- --jobserver-auth=fifo:/p", NULL, "3,4:2 /p:2 " },
	{ " -j2 --jobserver-auth=3,4 -- --jobserver-auth=fifo:/p", "-j6 --jobserver-auth=8,9", "3,4:2 /p:2 8,9:6 " },
	{ " -j2 --jobserver-auth=-2,-2 -- --jobserver-auth=fifo:/p", NULL, "-1,-1:2 /p:2 " },
	{ " -j2 -- --jobserver-auth=fifo:/p", "-j6 --jobserver-auth=8,9", "8,9:6 /p:2 " },
	{ " -j2 -- --jobserver-auth=fifo:/a --jobserver-auth=fifo:/p", NULL, "/p:2 " },
	{ " -j2 --jobserver-auth=3,4", " -j6 --jobserver-auth=8,9 -- --jobserver-auth=fifo:/p", "3,4:2 /p:6 " },
};

static void
which_to_try_next(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(order_cases) / sizeof(*order_cases); i++) {
		struct dr_makeflags f;
		char got[200] = "";

		assert_int_equal(dr_makeflags_parse(order_cases[i].makeflags, NULL, order_cases[i].cargo, &f), 0);
		for (unsigned k = 0; k < f.n_auths; k++) {
			const struct dr_auth_name *a = &f.auths[k];
			size_t n = strlen(got);

			if (a->auth == DR_AUTH_FIFO)
				snprintf(got + n, sizeof(got) - n, "%s:%u ", dr_buf_cstr(&a->fifo), a->jobs);
			else
				snprintf(got + n, sizeof(got) - n, "%d,%d:%u ", a->read_fd, a->write_fd, a->jobs);
		}
		assert_string_equal(got, order_cases[i].order);
		dr_makeflags_free(&f);
	}
}

static const struct {
	const char *makeflags, *mutex;
	enum dr_shuffle shuffle;
	uint64_t seed;
} new_cases[] = {
	{ "k -j4 -Otarget", "", DR_SHUFFLE_NONE, 0 },
	{ " -Otarget --sync-mutex=fnm:/tmp/GMa\\ b", "/tmp/GMa b", DR_SHUFFLE_NONE, 0 },
	{ " --sync-mutex=other:x --sync-mutex --sync-mutexes=fnm:/x", "", DR_SHUFFLE_NONE, 0 },
	{ " --sync-mutex=fnm:/a --sync-mutex=fnm:/b", "/b", DR_SHUFFLE_NONE, 0 },
	{ " --shuffle=1662636912", "", DR_SHUFFLE_RANDOM, 1662636912 },
	{ " --shuffle=18446744073709551615", "", DR_SHUFFLE_RANDOM, UINT64_MAX },
	{ " --shuffle", "", DR_SHUFFLE_RANDOM, 0 },
	{ " --shuffle=reverse", "", DR_SHUFFLE_REVERSE, 0 },
	{ " --shuffle=3 --shuffle=none", "", DR_SHUFFLE_NONE, 3 },
	{ " --shuffle=identity", "", DR_SHUFFLE_NONE, 0 },
	{ " -- --shuffle=3 --sync-mutex=fnm:/a", "", DR_SHUFFLE_NONE, 0 },
};

static void
what_make_4_4_adds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(new_cases) / sizeof(*new_cases); i++) {
		struct dr_makeflags f;

		assert_int_equal(dr_makeflags_parse(new_cases[i].makeflags, NULL, NULL, &f), 0);
		assert_string_equal(dr_buf_cstr(&f.sync_mutex), new_cases[i].mutex);
		assert_int_equal(f.shuffle, new_cases[i].shuffle);
		if (f.shuffle != DR_SHUFFLE_NONE)
			assert_int_equal(f.shuffle_seed, new_cases[i].seed);
		dr_makeflags_free(&f);
	}
}

static void
is_there_a_make(void **state)
{
	struct dr_makeflags f;

	(void)state;
	assert_int_equal(dr_makeflags_parse(NULL, NULL, "-j2", &f), 0);
	assert_false(f.make);
	assert_int_equal(dr_makeflags_parse("", "1", NULL, &f), 0);
	assert_true(f.make);
	assert_int_equal(dr_makeflags_parse(NULL, "2", NULL, &f), 0);
	assert_true(f.make);
	assert_int_equal(dr_makeflags_parse(" -j2", NULL, NULL, &f), 0);
	assert_true(f.make);
	dr_makeflags_free(&f);
}

/* The flags of cargo's variable are not ours. */
static void
cargo_gives_no_flags(void **state)
{
	struct dr_makeflags f;

	(void)state;
	assert_int_equal(dr_makeflags_parse("k", NULL, "-n -l3 -Oline --trace", &f), 0);
	assert_true(f.k);
	assert_false(f.n || f.trace || f.load > 0 || f.output_sync);
	dr_makeflags_free(&f);
}

/* Whatever stands there, it ends well. */
static void
any_bytes(void **state)
{
	static const char alphabet[] = "-- \\\\=jlOkn3,4:e.+\t\nx--jobserver-auth=fifo:";
	uint64_t seed = 7;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char value[64];
		struct dr_makeflags f;
		size_t n;

		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		n = seed >> 33 & 31;
		for (size_t k = 0; k < n; k++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
			value[k] = alphabet[(seed >> 33) % (sizeof(alphabet) - 1)];
		}
		value[n] = '\0';
		assert_int_equal(dr_makeflags_parse(value, NULL, value, &f), 0);
		dr_makeflags_free(&f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags),           cmocka_unit_test(jobservers),
		cmocka_unit_test(is_there_a_make), cmocka_unit_test(cargo_gives_no_flags),
		cmocka_unit_test(any_bytes),       cmocka_unit_test(which_to_try_next),
		cmocka_unit_test(what_make_4_4_adds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
