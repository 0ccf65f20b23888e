#include "config.h"

#include <errno.h>
#include <locale.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "err.h"
#include "guardian.h"
#include "options.h"
#include "spawn.h"

/* Whoever started us is to see that a signal ended us, and which. */
static void
die_of(int sig)
{
	sigset_t set;

	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	kill(getpid(), sig);
}

static void
on_nothing(int sig)
{
	(void)sig;
}

/* The call that it comes with tells of it. Caught, not ignored: then a child has its default without having to ask for it. */
static void
not_of(int sig)
{
	struct sigaction sa = { .sa_handler = on_nothing, .sa_flags = SA_RESTART };

	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

static int
show_help(void)
{
	struct dr_buf help = { 0 };

	dr_options_help(&help);
	fputs(dr_buf_cstr(&help), stdout);
	dr_buf_free(&help);
	return fflush(stdout) ? DR_SYSTEM : DR_OK;
}

static int
run(const struct dr_parsed *parsed, struct dr_err *err)
{
	int signal_number = 0, status;

	if (parsed->directory && chdir(parsed->directory)) {
		dr_err_sys(err, errno, "go to directory %s", parsed->directory);
		return DR_USAGE;
	}
	status = dr_cli(&parsed->options, &signal_number, err);
	if (signal_number)
		die_of(signal_number);
	return status;
}

int
main(int argc, char **argv)
{
	enum dr_command_line what = DR_CL_RUN;
	struct dr_err err = { 0 };
	struct dr_parsed parsed;
	int status = DR_USAGE;

	/* Before anything that takes time or memory: a run waits for it. */
	if (argc == 1 && !strcmp(argv[0], DR_GUARDIAN_NAME))
		return dr_guardian_main();
	dr_spawn_remember();
	/* A write that fails says so; a signal would end us with tasks running. */
#ifdef M_ARENA_MAX
	/* Threads take turns with what they allocate. Arenas of their own would be 64 MiB of addresses each, and need more memory where the first has some. */
	mallopt(M_ARENA_MAX, 1);
#endif
	not_of(SIGPIPE);
	not_of(SIGXFSZ);
	setlocale(LC_CTYPE, "");
	if (dr_options_parse(argc, argv, &parsed, &what, &err) == 0) {
		if (what == DR_CL_HELP)
			status = show_help();
		else if (what == DR_CL_VERSION)
			status = puts("dagrun " PACKAGE_VERSION) < 0 ? DR_SYSTEM : DR_OK;
		else
			status = run(&parsed, &err);
	} else if (err.code == DR_SYSTEM) {
		status = DR_SYSTEM;
	}
	dr_options_free(&parsed);
	if (status != DR_OK && err.msg[0])
		fprintf(stderr, "dagrun: %s\n", err.msg);
	return status;
}
