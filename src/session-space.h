/* What a run takes beside processors: memory, and room on the disks that it writes to. */
#ifndef DR_SESSION_SPACE_H
#define DR_SESSION_SPACE_H

#include "sched.h"
#include "session.h"

struct dr_space {
	struct dr_room room; /* first: the scheduler hands it back */
	struct dr_session *session;
	struct dr_space_volume {
		uint64_t device;
		char *dir; /* one that lies there */
		int64_t now, peak; /* bytes that the run has more there than before it, while it is gone through, and at most */
	} *volumes;
	uint32_t n_volumes;
	uint32_t *volume; /* by stage */
	uint64_t *bytes;  /* by task: what it will write; from the last time, else from what its stage made of its inputs */
	bool claimed;     /* something is: there is a room to be asked */
};

/* Reckons what the stale tasks will write, and tells if that is more than there is. 0, or -1 with err; dr_session_space_close follows in
 * both cases. */
int dr_session_space_open(struct dr_session *s, struct dr_space *sp, struct dr_err *err);
void dr_session_space_close(struct dr_space *sp);

#endif
