#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "session.h"
#include "err.h"
#include "os.h"

/* Each so many logs, those that nobody will ask for are looked for. */
enum { LOGS_EVERY = 32 };

/* Of logs that no record names any more there may be as many as of others. To find out takes a look at the whole journal: not at the end
 * of every run. */
static bool
prune_due(const struct dr_session *s, bool compacted)
{
	int fd = openat(s->state, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	uint32_t n = 0;
	char own[20];
	bool ours = false;

	if (!d) {
		dr_close(&fd);
		return false;
	}
	snprintf(own, sizeof(own), "%016" PRIx64, s->run);
	while ((e = readdir(d))) {
		n += e->d_name[0] != '.';
		ours |= strcmp(e->d_name, own) == 0;
	}
	closedir(d);
	return compacted || (ours && n % LOGS_EVERY == 0);
}

/* The journal is written anew when most of it is dead and nobody else is here: a long job's every run leaves some behind. And when some of it
 * is damaged: that has been told, and nobody is to be told at every run from now on. */
void
dr_session_compact(struct dr_session *s)
{
	struct dr_err err;
	bool done;

	if (!s->journal || !s->lock || s->alone || dr_session_only_looks(s) || !dr_lock_exclude(s->lock))
		return;
	if (dr_journal_compact(s->journal, s->counts.damaged > 0, &done, &err) || (prune_due(s, done) && dr_journal_prune_logs(s->journal, s->run, &err)))
		dr_session_message(s, DR_NOTICE, err.msg);
	dr_lock_share(s->lock);
}
