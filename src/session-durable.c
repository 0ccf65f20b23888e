#include "config.h"

#include "session.h"
#include "barrier.h"
#include "err.h"
#include "os.h"

#define SECOND INT64_C(1000000000)

static void
warn(void *arg, const char *message)
{
	dr_session_message(arg, DR_WARNING, message);
}

int
dr_session_record_durable(struct dr_session *s, struct dr_err *err)
{
	struct dr_rec_barrier rec = { .run = s->run, .when = dr_realtime(), .phase = DR_REC_ALWAYS };

	if (!s->options.durable)
		return 0;
	if (dr_journal_add_barrier(s->journal, &rec))
		return dr_err_nomem(err);
	return dr_journal_flush(s->journal, err);
}

int
dr_session_barrier(struct dr_session *s, int64_t began, int64_t least, struct dr_barrier **out, struct dr_err *err)
{
	struct dr_barrier_options o = {
		.disk = s->disk,
		.journal = s->journal,
		.run = s->run,
		.began = began,
		.every = 30 * SECOND,
		.least = least,
		.warn = warn,
		.arg = s,
	};

	/* Then each output is as durable as its record, and there is nothing left to do. */
	*out = NULL;
	return s->options.durable ? 0 : dr_barrier_new(&o, out, err);
}
