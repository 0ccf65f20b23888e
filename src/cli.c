#include "config.h"

#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "context.h"
#include "err.h"

/* Is all that we print in one place? */
static bool
one_stream(void)
{
	struct stat out, err;

	return fstat(STDOUT_FILENO, &out) == 0 && fstat(STDERR_FILENO, &err) == 0 && out.st_dev == err.st_dev &&
	       out.st_ino == err.st_ino && (S_ISCHR(out.st_mode) || S_ISREG(out.st_mode) || S_ISFIFO(out.st_mode));
}

/* What was asked for could not be written. Where nobody reads on (head), that is no error but the usual end. */
static int
not_shown(int *signal_number, struct dr_err *err)
{
	if (err->sys == EPIPE) {
		*signal_number = SIGPIPE;
		err->msg[0] = '\0';
	}
	return (int)err->code;
}

static int
act(struct dr_context *c, int *signal_number, struct dr_err *err)
{
	struct dr_session *s = dr_context_session(c);
	const struct dr_options *o = &s->options;
	int status;

	if (o->export != DR_EXPORT_NONE)
		return dr_cli_export(s, err) ? not_shown(signal_number, err) : DR_OK;
	if (o->graph != DR_GRAPH_NONE)
		return dr_cli_graph(s, err) ? not_shown(signal_number, err) : DR_OK;
	if (o->question)
		return s->counts.stale ? DR_FAILED : DR_OK;
	if (o->dry_run) {
		if (o->json || (o->explain && o->explain_target))
			status = dr_cli_explain(s, STDOUT_FILENO, err);
		else
			status = dr_cli_dry_run(s, err);
		return status ? not_shown(signal_number, err) : s->counts.stale ? DR_OK : dr_session_nothing_to_do(s);
	}
	dr_session_tell_findings(s);
	if (o->explain && !o->adopt && dr_cli_explain(s, STDERR_FILENO, err))
		return (int)err->code;
	status = dr_run(c, err) ? (int)err->code : DR_OK;
	*signal_number = dr_ended_by(c);
	return status;
}

int
dr_cli(const struct dr_options *o, int *signal_number, struct dr_err *err)
{
	struct dr_reporter reporter = {
		.out_is_terminal = isatty(STDOUT_FILENO),
		.err_is_terminal = isatty(STDERR_FILENO),
		.lock = -1,
		.mutex = -1,
	};
	struct dr_context *c = dr_context_new(NULL, NULL, err);
	struct dr_session *s;
	int status;

	*signal_number = 0;
	if (!c)
		return DR_SYSTEM;
	*err = (struct dr_err){ .code = DR_SYSTEM };
	s = dr_context_session(c);
	reporter.session = s;
	s->options = *o;
	s->host = dr_cli_host(&reporter);
	s->from_make = s->signals = true;
	s->one_stream = one_stream();
	if (o->ask != DR_ASK_NONE) {
		status = dr_session_open(s, err) ? (int)err->code : dr_cli_query(s, err);
		if (status < 0)
			status = not_shown(signal_number, err);
	} else {
		status = dr_plan(c, err) ? (int)err->code : act(c, signal_number, err);
	}
	if (status == DR_OK || s->told)
		err->msg[0] = '\0';
	dr_context_free(c);
	dr_cli_lock_close(&reporter);
	dr_reporter_free(&reporter);
	return status;
}
