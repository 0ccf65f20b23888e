/* The program: the library's calls, and what they show on a terminal. Standard output and error are the process's. */
#ifndef DR_CLI_H
#define DR_CLI_H

#include <stdbool.h>

#include "report.h"
#include "session.h"

/* One call of dagrun from beginning to end. Returns the exit status: enum dr_code; with err filled when it has not been told yet. *signal
 * is set when one ended the run: the caller dies of it, so that whoever started us sees it. */
int dr_cli(const struct dr_options *o, int *signal, struct dr_err *err);

/* --status and its like. The exit status, or -1 with err. */
int dr_cli_query(struct dr_session *s, struct dr_err *err);

/* What is printed instead of a run. */
int dr_cli_dry_run(struct dr_session *s, struct dr_err *err);
int dr_cli_explain(struct dr_session *s, int fd, struct dr_err *err);
int dr_cli_graph(struct dr_session *s, struct dr_err *err);
int dr_cli_export(struct dr_session *s, struct dr_err *err);
/* Is what goes to fd to be coloured? */
bool dr_cli_colour(const struct dr_session *s, int fd);

/* Output of tasks and failures, to where they belong. */
struct dr_reporter {
	const struct dr_session *session;
	struct dr_progress *progress; /* NULL: no run is on */
	bool out_is_terminal, lock_known;
	int lock, mutex; /* what is locked while we write, -1: nothing; mutex: that is a file of make's, opened by us */
	unsigned locked; /* how many are within dr_cli_lock */
	struct dr_report *report;     /* NULL: nobody has asked for one */
	struct dr_buf text, name, command;
};
void dr_cli_report_end(struct dr_reporter *r, const struct dr_task_end *e, int64_t now);
void dr_reporter_free(struct dr_reporter *r);
/* Around what belongs together on our standard output or error: what make under -O and other dagruns that have the same
 * one write comes before or after it. */
void dr_cli_lock(struct dr_reporter *r);
void dr_cli_unlock(struct dr_reporter *r);
void dr_cli_lock_close(struct dr_reporter *r);
/* What is shown of a run, and how: as the options and the terminal have it. 0 or -1. */
int dr_cli_progress(struct dr_reporter *r, const struct dr_jobserver *js, struct dr_err *err);
/* Where its time begins; once only. */
void dr_cli_begin_report(struct dr_reporter *r, uint32_t slots);
/* What a run tells, shown by the reporter; the terminal's signals watched. */
struct dr_host dr_cli_host(struct dr_reporter *r);

#endif
