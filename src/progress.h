/* What a person sees of a run on standard error: bars below the scrolling messages on a terminal, else a line now and then. Everything
 * that is meant for that descriptor goes through here while a run is on, so that it never tears the bars.
 *
 * Times are dr_now's, given by the caller; a descriptor that cannot be written to is not an error, since the run matters more than its
 * picture. Nothing here blocks but a write of messages. */
#ifndef DR_PROGRESS_H
#define DR_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "plan.h"

struct dr_err;
struct dr_progress;

enum dr_progress_mode {
	DR_PROGRESS_NONE,  /* messages and the last line */
	DR_PROGRESS_PLAIN, /* and a line each 5 %, or a minute */
	DR_PROGRESS_BARS,  /* and bars; fd is a terminal that knows cursor movements */
	DR_PROGRESS_JSON,  /* for programs: an object a line for each event, messages too; see doc/json.md */
};

struct dr_progress_options {
	const struct dr_plan
		*plan; /* its tasks' states are final (dr_graph_ready) when dr_progress_new looks at them */
	enum dr_progress_mode mode;
	int fd;                 /* stays the caller's */
	uint32_t width, height; /* of the window; 0: asked of fd before every frame */
	bool utf8, colour;
	bool quiet;             /* -s: of ours only the last line, and that only after a failure */
	uint32_t slots;         /* most that can be in use */
	const char *slots_from; /* where they come from: "make -j32"; NULL: our own. Copied */
	int64_t now;
	/* Told before and after each write, for who shares the descriptor with other programs. NULL is fine. */
	void (*writing)(void *arg, bool begins);
	void *arg;
};

/* Bars on a terminal whose TERM (NULL: not set) is not "dumb", else plain. */
enum dr_progress_mode dr_progress_mode_of(int fd, const char *term);

/* 0 with *out, or -1 with err without memory. Writes nothing yet. */
int dr_progress_new(const struct dr_progress_options *o, struct dr_progress **out, struct dr_err *err);
void dr_progress_free(struct dr_progress *p); /* writes nothing; NULL is fine */

/* A task was started with so many slots (0: what its stage says); it ended. What ended without having been started was made
 * by another run. AGAIN: neither well nor badly, it will be started once more. STOPPED: nor this one, as the run was told to
 * end. CLEAN: it need not run, as all that it reads came out as it was. A bool that says whether it ended well will do where there is
 * no third case. */
enum dr_progress_end {
	DR_PROGRESS_FAILED = 0,
	DR_PROGRESS_DONE = 1,
	DR_PROGRESS_AGAIN = 2,
	DR_PROGRESS_STOPPED = 3,
	DR_PROGRESS_CLEAN = 4
};
void dr_progress_started(struct dr_progress *p, uint32_t task, uint32_t slots, int64_t now);
void dr_progress_ended(struct dr_progress *p, uint32_t task, enum dr_progress_end how, int64_t now);

/* Draws what is due. Returns when to call again, or -1: only after the next event. */
int64_t dr_progress_tick(struct dr_progress *p, int64_t now);
/* The window's size changed (SIGWINCH): the next tick draws. */
void dr_progress_resize(struct dr_progress *p);

/* Writes a message, whole lines, above the bars. It may be kept for the fifth of a second until the next frame is due, hence until the
 * tick. */
void dr_progress_print(struct dr_progress *p, struct dr_str text, int64_t now);
/* Takes the bars away, with all that waits written, and gives the terminal back; nothing is drawn until dr_progress_show. For whoever
 * writes to the terminal by another way (standard output, a stop by SIGTSTP). The cursor must stand at a line's
 * beginning when they are shown again. */
void dr_progress_hide(struct dr_progress *p);
void dr_progress_show(struct dr_progress *p);

/* Takes the bars away for good and says in a line what became of the run. */
void dr_progress_finish(struct dr_progress *p, int64_t now);

#endif
