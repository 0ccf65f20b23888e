#include "config.h"

#include "local.h"

#include "os.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/* Exit codes by which a shell tells what befell a command of its own. */
static const struct {
	int code;
	const char *hint;
} hints[] = {
	{ 126, "a command could not be run" },
	{ 127, "a command was not found" },
	{ 128 + SIGINT, "interrupted: SIGINT" },
	{ 128 + SIGABRT, "aborted: SIGABRT" },
	{ 128 + SIGBUS, "SIGBUS" },
	{ 128 + SIGFPE, "SIGFPE" },
	{ 128 + SIGKILL, "killed: out of memory?" },
	{ 128 + SIGSEGV, "crashed: SIGSEGV" },
	{ 128 + SIGPIPE, "a program of the pipeline stopped reading: SIGPIPE" },
	{ 128 + SIGTERM, "ended: SIGTERM" },
};

static void
describe_status(int status, struct dr_buf *out)
{
	if (WIFSIGNALED(status)) {
		dr_buf_addf(out, "killed by %s", dr_signal_name(WTERMSIG(status)));
		if (WTERMSIG(status) == SIGKILL)
			dr_buf_adds(out, " (out of memory?)");
#ifdef WCOREDUMP
		if (WCOREDUMP(status))
			dr_buf_adds(out, ", core dumped");
#endif
		return;
	}
	dr_buf_addf(out, "exit %d", WEXITSTATUS(status));
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		if (hints[i].code == WEXITSTATUS(status))
			dr_buf_addf(out, " (%s)", hints[i].hint);
	}
}

void
dr_outcome_describe(const struct dr_task_end *e, struct dr_buf *out)
{
	switch (e->how) {
	case DR_HOW_EXIT:
	case DR_HOW_SIGNAL:
		describe_status(e->outcome.status, out);
		break;
	case DR_HOW_TIMEOUT:
		dr_buf_adds(out, "timed out after ");
		dr_buf_duration(out, e->timeout);
		break;
	case DR_HOW_CANCELLED:
		dr_buf_adds(out, "ended by us before it was done");
		break;
	case DR_HOW_NO_START:
		/* Mostly the message is "start x: …" itself. */
		if (e->message && !strncmp(e->message, "start ", 6))
			dr_buf_addf(out, "could not %s", e->message);
		else
			dr_buf_addf(out, "could not start: %s", e->message ? e->message : "");
		break;
	case DR_HOW_UNPUBLISHED:
		dr_buf_adds(out, e->message ? e->message : "not published");
		break;
	}
	if (e->full)
		dr_buf_addf(out, "; the file system %s is full", e->full);
}
