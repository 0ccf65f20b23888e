/* What the parts of progress share. */
#ifndef DR_PROGRESS_STATE_H
#define DR_PROGRESS_STATE_H

#include "progress.h"

enum { DR_PROGRESS_SAMPLES = 63, DR_PROGRESS_LINES = 8 };

/* Of a map, a task or one round of a merge: tasks that take about as long as each other. */
struct dr_progress_row {
	uint32_t total; /* wanted, up to date ones too */
	uint32_t clean, done, failed, running;
	uint32_t unknown_left; /* those not ended whose time is not known from before */
	double known_left;     /* seconds that the others not ended took last time */
	uint32_t timed;        /* how many ended well here, */
	double seconds;        /* and in how much time, */
	double squares;        /* its square, task by task */
	/* The same for those whose inputs all have a size and stood there from the start: bytes, and their products */
	uint32_t sized;
	double sized_bytes, sized_seconds, bytes_bytes, bytes_seconds, seconds_seconds;
	uint32_t sized_left; /* of unknown_left */
	double bytes_left;   /* that these read */
	/* Of an estimate: seconds of one whose time is not known; the most that one of the running has left */
	double guess, remaining;
};

struct dr_progress_stage {
	uint32_t first, n; /* rows */
	uint32_t slots;    /* that a task takes */
	uint32_t total, clean, done, failed, running;
	uint32_t timed; /* of which `samples` has a fair choice */
	float *samples; /* seconds; NULL until one has ended */
};

struct dr_progress_running {
	uint32_t task, slots;
	int64_t since;
};

struct dr_progress {
	struct dr_progress_options o;
	char *slots_from;
	struct dr_progress_row *rows;
	struct dr_progress_stage *stages; /* as the plan's */
	uint32_t n_stages;
	uint32_t *order; /* stages that have tasks, each behind those that read from it */
	uint32_t n_order;
	double *tail; /* seconds from the end of a stage to the end of all; scratch of an estimate */
	struct dr_progress_running *running;
	uint32_t n_running, cap_running;
	uint64_t todo, clean, done, failed; /* tasks; todo: at the start */
	uint64_t stopped;                   /* by the end of the run: neither done nor failed */
	uint64_t ended;                     /* for the first estimate */
	uint64_t unknown_left;
	bool all_known; /* every task's time was known at the start */
	double seconds; /* of those that ended well, */
	uint64_t timed;
	double known_before, known_now; /* of those whose last time was known: then, and in this run; */
	uint64_t n_known;
	double before_before, before_now, now_now; /* and their products */
	uint64_t bytes_all, bytes_done; /* of inputs that stood there at the start: that the tasks to run read, and those ended have */
	uint64_t bytes_read;            /* of all inputs, by tasks that ran */
	double rate;                    /* bytes a second, */
	bool rated;                     /* if it was taken at least once, */
	int64_t rate_at;                /* the last time then, */
	uint64_t rate_bytes;            /* when so many were read */
	uint32_t slots_used;
	double slots_held; /* smoothed, for the estimate */
	int64_t held_at;
	int64_t begun;
	uint64_t random;

	/* The screen */
	struct dr_buf out;                           /* what the next write is made of */
	struct dr_buf lines, last;                   /* the frame: new, and as it stands */
	struct dr_buf pending;                       /* messages that wait for it */
	uint32_t widths[DR_PROGRESS_LINES], n_lines; /* of the lines that stand */
	uint32_t new_widths[DR_PROGRESS_LINES], n_new;
	bool hidden, finished, resized, mid_line;
	int64_t wrote_at; /* last frame or message, INT64_MIN: none yet */
	uint32_t steps;   /* plain: twentieths that were told */
	int64_t told_at;
};

static inline double
dr_progress_seconds(int64_t ns)
{
	return (double)ns / 1e9;
}

/* The row that a task counts in. */
uint32_t dr_progress_row_of(const struct dr_progress *p, uint32_t task);
/* Of a task's inputs, those that stood there at the start. *whole: that is all of them, and there are some. */
uint64_t dr_progress_bytes(const struct dr_progress *p, uint32_t task, bool *whole);
/* A task has ended; `ran`: in this run. */
void dr_progress_count_bytes(struct dr_progress *p, uint32_t task, bool ran);
/* Bytes a second of late. */
double dr_progress_rate(struct dr_progress *p, int64_t now);
/* Half of the stage's tasks that ended took longer. Seconds; 0: too few. */
double dr_progress_median(const struct dr_progress *p, uint32_t stage);

/* How long it will still take. */
struct dr_progress_eta {
	bool known;
	double seconds;
	double error;   /* it is likely within so many of it; 0: nobody knows */
	bool path;      /* bound by the longest chain of tasks, not by the slots */
	uint32_t stage; /* that most of it is spent in, or DR_NONE */
};
struct dr_progress_eta dr_progress_estimate(struct dr_progress *p, int64_t now);
/* Appends "4h05m ± 11m". */
void dr_progress_add_eta(struct dr_buf *out, const struct dr_progress_eta *eta, bool utf8);

/* progress-json.c: events, an object a line. */
void dr_progress_write(struct dr_progress *p, const char *text, size_t n); /* to its descriptor, told about to `writing` */
void dr_progress_json_begin(struct dr_progress *p);
void dr_progress_json_started(struct dr_progress *p, uint32_t task, int64_t now);
void dr_progress_json_ended(struct dr_progress *p, uint32_t task, enum dr_progress_end how, bool ran, double seconds,
			    int64_t now);
void dr_progress_json_message(struct dr_progress *p, struct dr_str text, int64_t now);
int64_t dr_progress_json_tick(struct dr_progress *p, int64_t now);
void dr_progress_json_finish(struct dr_progress *p, int64_t now);

/* Composes the frame in p->lines, p->new_widths: lines without their ends, separated by '\n'. */
void dr_progress_compose(struct dr_progress *p, uint32_t width, uint32_t height, int64_t now);

#endif
