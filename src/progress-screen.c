#include "config.h"

#include "progress-state.h"

#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "os.h"

#define MS INT64_C(1000000)
#define SECOND INT64_C(1000000000)

enum {
	FRAME_MS = 200,        /* between two frames, in the first minute */
	FIRST_MS = 300,        /* a run that is shorter shows no bars at all */
	PENDING_MAX = 1 << 16, /* bytes of messages that wait for a frame */
	STEPS = 20,            /* plain: a line each 5 % */
};

enum dr_progress_mode
dr_progress_mode_of(int fd, const char *term)
{
	return term && *term && strcmp(term, "dumb") != 0 && isatty(fd) ? DR_PROGRESS_BARS
									: DR_PROGRESS_PLAIN;
}

static void
window(const struct dr_progress *p, uint32_t *width, uint32_t *height)
{
	struct winsize ws = { 0 };

	*width = p->o.width;
	*height = p->o.height;
	if (*width && *height)
		return;
	if (ioctl(p->o.fd, TIOCGWINSZ, &ws) != 0)
		ws.ws_col = ws.ws_row = 0;
	*width = *width ? *width : ws.ws_col ? ws.ws_col : 80;
	*height = *height ? *height : ws.ws_row ? ws.ws_row : 24;
}

void
dr_progress_write(struct dr_progress *p, const char *text, size_t n)
{
	if (p->o.writing)
		p->o.writing(p->o.arg, true);
	(void)dr_write_full(p->o.fd, text, n);
	if (p->o.writing)
		p->o.writing(p->o.arg, false);
}

/* Writes p->out, in which are the messages that waited, and `text`. Without memory for it these still have to appear. */
static void
emit(struct dr_progress *p, struct dr_str text)
{
	if (p->out.failed) {
		dr_progress_write(p, p->pending.p, p->pending.n);
		dr_progress_write(p, text.p, text.n);
	} else if (p->out.n) {
		dr_progress_write(p, p->out.p, p->out.n);
	}
	dr_buf_reset(&p->out);
	dr_buf_reset(&p->pending);
}

/* Of what was written directly, the last line need not have ended. */
static void
add_line_end(struct dr_progress *p)
{
	if (p->mid_line)
		dr_buf_addc(&p->out, '\n');
	p->mid_line = false;
}

/* To the first column of the first line of the bars. The terminal has wrapped lines that are longer than it has become. `erase`: with
 * nothing left of them, line by line: a screen that is cleared from its first line on goes into the scrollback of some terminals. */
static void
add_home(struct dr_progress *p, uint32_t width, bool erase)
{
	uint32_t up = 0;

	for (uint32_t i = 0; i < p->n_lines; i++)
		up += p->widths[i] > width ? (p->widths[i] + width - 1) / width : 1;
	if (p->n_lines)
		dr_buf_adds(&p->out, erase ? "\r\033[K" : "\r");
	for (; erase && up > 1; up--)
		dr_buf_adds(&p->out, "\033[1A\033[K");
	if (up > 1)
		dr_buf_addf(&p->out, "\033[%" PRIu32 "A", up - 1);
}

/* Messages that wait, in whole lines, on cleared screen. */
static void
add_pending(struct dr_progress *p)
{
	if (!p->pending.n)
		return;
	dr_buf_addstr(&p->out, dr_buf_str(&p->pending));
	if (p->pending.p[p->pending.n - 1] != '\n')
		dr_buf_adds(&p->out, "\r\n");
}

static void
add_lines(struct dr_progress *p)
{
	const char *at = p->lines.p, *end = at + p->lines.n;

	while (at < end) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		const char *to = nl ? nl : end;

		dr_buf_add(&p->out, at, (size_t)(to - at));
		dr_buf_adds(&p->out, nl ? "\033[K\r\n" : "\033[K");
		at = nl ? nl + 1 : end;
	}
}

/* Takes the bars away and writes what waits, with `text` behind it. */
static void
clear(struct dr_progress *p, struct dr_str text)
{
	uint32_t width, height;

	if (p->n_lines) {
		window(p, &width, &height);
		dr_buf_adds(&p->out, "\033[?2026h");
		add_home(p, width, true);
	}
	add_pending(p);
	if (text.n)
		add_line_end(p);
	dr_buf_addstr(&p->out, text);
	if (p->n_lines)
		dr_buf_adds(&p->out, "\033[?25h\033[?2026l");
	p->n_lines = 0;
	emit(p, text);
}

static void
draw(struct dr_progress *p, int64_t now)
{
	uint32_t width, height;
	bool same;

	window(p, &width, &height);
	dr_progress_compose(p, width, height, now);
	if (p->lines.failed) {
		clear(p, DR_STR(""));
		return;
	}
	same = p->n_lines && !p->resized && p->lines.n == p->last.n &&
	       memcmp(p->lines.p, p->last.p, p->last.n) == 0;
	p->wrote_at = now;
	if (same && !p->pending.n)
		return;
	p->resized = false;
	add_line_end(p);
	dr_buf_adds(&p->out, "\033[?2026h");
	if (!p->n_lines)
		dr_buf_adds(&p->out, "\033[?25l");
	add_home(p, width, p->pending.n > 0);
	add_pending(p);
	add_lines(p);
	dr_buf_adds(&p->out, "\033[J\033[?2026l");
	p->n_lines = p->n_new;
	memcpy(p->widths, p->new_widths, sizeof(p->widths));
	dr_buf_reset(&p->last);
	dr_buf_addstr(&p->last, dr_buf_str(&p->lines));
	emit(p, DR_STR(""));
}

static void
tell_progress(struct dr_progress *p, int64_t now)
{
	struct dr_progress_eta eta = dr_progress_estimate(p, now);
	struct dr_buf line = { 0 };

	dr_buf_addf(&line, "dagrun: %u%%, ", (unsigned)((p->done + p->failed) * 100 / p->todo));
	dr_buf_count(&line, p->done);
	dr_buf_adds(&line, " of ");
	dr_buf_count(&line, p->todo);
	dr_buf_adds(&line, " tasks done");
	if (p->failed) {
		dr_buf_adds(&line, ", ");
		dr_buf_count(&line, p->failed);
		dr_buf_adds(&line, " failed");
	}
	dr_buf_addf(&line, ", %" PRIu32 " running, ", p->n_running);
	dr_buf_duration(&line, now - p->begun);
	dr_buf_adds(&line, " so far");
	if (eta.known) {
		dr_buf_adds(&line, ", about ");
		dr_progress_add_eta(&line, &eta, p->o.utf8);
		dr_buf_adds(&line, " left");
	}
	dr_buf_addc(&line, '\n');
	if (!line.failed)
		clear(p, dr_buf_str(&line));
	dr_buf_free(&line);
}

/* A step that comes within a second of the line before it waits for the second to pass; the last one is the final line's. */
static int64_t
tick_plain(struct dr_progress *p, int64_t now)
{
	uint64_t ended = p->done + p->failed;
	uint32_t steps;

	if (ended >= p->todo)
		return -1;
	steps = (uint32_t)(ended * STEPS / p->todo);
	if ((steps > p->steps && now - p->told_at >= SECOND) || now - p->told_at >= 60 * SECOND) {
		tell_progress(p, now);
		p->steps = steps;
		p->told_at = now;
	}
	return p->told_at + (steps > p->steps ? SECOND : 60 * SECOND);
}

/* When the next frame is due. Messages and a new window size do not wait for the slower pace of long runs. */
static int64_t
frame_due(const struct dr_progress *p, int64_t now)
{
	bool soon = now - p->begun < 60 * SECOND || p->pending.n || p->resized;

	if (p->wrote_at == INT64_MIN)
		return p->begun + FIRST_MS * MS;
	return p->wrote_at + (soon ? FRAME_MS * MS : SECOND);
}

static int64_t
tick_bars(struct dr_progress *p, int64_t now)
{
	struct pollfd pfd = { .fd = p->o.fd, .events = POLLOUT };

	if (now < frame_due(p, now))
		return frame_due(p, now);
	/* A terminal that is stopped (^S) must not stop the run: messages wait, until there are too many. */
	if (poll(&pfd, 1, 0) == 1)
		draw(p, now);
	else
		p->wrote_at = now;
	return frame_due(p, now);
}

int64_t
dr_progress_tick(struct dr_progress *p, int64_t now)
{
	if (p->o.mode == DR_PROGRESS_JSON)
		return p->finished ? -1 : dr_progress_json_tick(p, now);
	if (p->hidden || p->finished || p->o.quiet || !p->todo)
		return -1;
	if (p->o.mode == DR_PROGRESS_BARS)
		return tick_bars(p, now);
	return p->o.mode == DR_PROGRESS_PLAIN ? tick_plain(p, now) : -1;
}

void
dr_progress_resize(struct dr_progress *p)
{
	p->resized = true;
}

void
dr_progress_print(struct dr_progress *p, struct dr_str text, int64_t now)
{
	bool bars = p->o.mode == DR_PROGRESS_BARS && !p->hidden && !p->finished && !p->o.quiet;

	if (!text.n)
		return;
	if (p->o.mode == DR_PROGRESS_JSON && !p->finished) {
		dr_progress_json_message(p, text, now);
		return;
	}
	if (bars && p->n_lines) {
		if (p->pending.n && p->pending.p[p->pending.n - 1] != '\n')
			dr_buf_addc(&p->pending, '\n');
		dr_buf_addstr(&p->pending, text);
		if (p->pending.failed) {
			/* What waited goes first. */
			p->pending.failed = false;
			clear(p, text);
		} else if (p->pending.n > PENDING_MAX || now - p->wrote_at >= FRAME_MS * MS) {
			draw(p, now);
		}
		return;
	}
	p->mid_line = text.p[text.n - 1] != '\n';
	dr_progress_write(p, text.p, text.n);
}

void
dr_progress_hide(struct dr_progress *p)
{
	p->hidden = true;
	clear(p, DR_STR(""));
}

void
dr_progress_show(struct dr_progress *p)
{
	p->hidden = false;
	p->resized = true;
}

static void
add_sum(struct dr_progress *p, int64_t now, struct dr_buf *line)
{
	uint64_t missing = p->todo - p->done - p->failed - p->stopped;

	dr_buf_adds(line, "dagrun: ");
	if (!p->todo) {
		dr_buf_adds(line, "nothing to do");
		if (p->clean) {
			dr_buf_adds(line, " (");
			dr_buf_count(line, p->clean);
			dr_buf_adds(line, " up to date)");
		}
		dr_buf_addc(line, '\n');
		return;
	}
	dr_buf_count(line, p->done);
	dr_buf_adds(line, p->done == 1 ? " task done" : " tasks done");
	dr_buf_adds(line, ", ");
	dr_buf_count(line, p->failed);
	dr_buf_adds(line, " failed");
	if (p->stopped) {
		dr_buf_adds(line, ", ");
		dr_buf_count(line, p->stopped);
		dr_buf_adds(line, " stopped");
	}
	if (missing) {
		dr_buf_adds(line, ", ");
		dr_buf_count(line, missing);
		dr_buf_adds(line, " not run");
	}
	if (p->clean) {
		dr_buf_adds(line, ", ");
		dr_buf_count(line, p->clean);
		dr_buf_adds(line, " up to date");
	}
	dr_buf_adds(line, " in ");
	dr_buf_duration(line, now - p->begun);
	dr_buf_addc(line, '\n');
}

void
dr_progress_finish(struct dr_progress *p, int64_t now)
{
	struct dr_buf line = { 0 };

	if (p->finished)
		return;
	if (p->o.mode == DR_PROGRESS_JSON) {
		dr_progress_json_finish(p, now);
		p->finished = true;
		return;
	}
	if (!p->o.quiet || p->failed)
		add_sum(p, now, &line);
	clear(p, dr_buf_str(&line));
	p->finished = true;
	dr_buf_free(&line);
}
