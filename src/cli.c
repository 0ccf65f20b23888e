#include "config.h"

#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "context.h"
#include "err.h"
#include "os.h"

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

/* What is to be known of the run afterwards. */
static int
open_report(struct dr_reporter *r, struct dr_err *err)
{
	const struct dr_options *o = &r->session->options;
	struct dr_report_options ro = { .page = o->report, .trace = o->trace };

	return o->report || o->trace ? dr_report_new(&ro, &r->report, err) : 0;
}

/* Whatever became of the run: all of it has ended by now. The exit status. */
static int
finish_report(struct dr_reporter *r, int status, int signal_number, struct dr_err *err)
{
	struct dr_err own;

	if (status == DR_OK)
		dr_cli_begin_report(r, 0); /* if there was nothing to do */
	if (dr_report_finish(r->report, signal_number, dr_now(), &own) == 0)
		return status;
	if (status == DR_OK) {
		*err = own;
		return DR_SYSTEM;
	}
	dr_session_message(r->session, DR_WARNING, own.msg);
	return status;
}

/* -n, -q and -t run nothing; make may have said so. */
static void
tell_no_report(const struct dr_session *s)
{
	const char *files[] = { s->options.report, s->options.trace };
	struct dr_buf text = { 0 };

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		if (!files[i])
			continue;
		dr_buf_reset(&text);
		dr_buf_addf(&text, "nothing is run, so %s is not written", files[i]);
		dr_session_message(s, DR_NOTICE, dr_buf_cstr(&text));
	}
	dr_buf_free(&text);
}

static int
run(struct dr_context *c, struct dr_reporter *r, int *signal_number, struct dr_err *err)
{
	int status;

	if (open_report(r, err))
		return (int)err->code;
	status = dr_run(c, err) ? (int)err->code : DR_OK;
	*signal_number = dr_ended_by(c);
	return finish_report(r, status, *signal_number, err);
}

static int
act(struct dr_context *c, struct dr_reporter *r, int *signal_number, struct dr_err *err)
{
	struct dr_session *s = dr_context_session(c);
	const struct dr_options *o = &s->options;
	int status;

	if (o->export != DR_EXPORT_NONE)
		return dr_cli_export(s, err) ? not_shown(signal_number, err) : DR_OK;
	if (o->graph != DR_GRAPH_NONE)
		return dr_cli_graph(s, err) ? not_shown(signal_number, err) : DR_OK;
	if (o->question || o->dry_run || o->adopt)
		tell_no_report(s);
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
	if (o->adopt)
		return dr_run(c, err) ? (int)err->code : DR_OK;
	return run(c, r, signal_number, err);
}

int
dr_cli(const struct dr_options *o, int *signal_number, struct dr_err *err)
{
	struct dr_reporter reporter = {
		.out_is_terminal = isatty(STDOUT_FILENO),
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
	s->threads = true;
	s->reaps = getpid() == 1;
	s->guardian = "/proc/self/exe";
	s->one_stream = one_stream();
	if (o->ask != DR_ASK_NONE) {
		status = dr_session_open(s, err) ? (int)err->code : dr_cli_query(s, err);
		if (status < 0)
			status = not_shown(signal_number, err);
	} else {
		status = dr_plan(c, err) ? (int)err->code : act(c, &reporter, signal_number, err);
	}
	if (status == DR_OK || s->told)
		err->msg[0] = '\0';
	dr_report_free(reporter.report);
	dr_context_free(c);
	dr_cli_lock_close(&reporter);
	dr_reporter_free(&reporter);
	return status;
}
