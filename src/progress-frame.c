#include "config.h"

#include "progress-state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum colour { PLAIN, DIM, GREEN, CYAN, YELLOW, RED, COLOURS };

static const char *const sgr[COLOURS] = {
	[PLAIN] = "",        [DIM] = "\033[90m",    [GREEN] = "\033[32m",
	[CYAN] = "\033[36m", [YELLOW] = "\033[93m", [RED] = "\033[1;31m",
};

/* Parts of a bar, from left to right; told apart by shape and by colour. */
static const struct part {
	const char *utf8, *ascii;
	enum colour colour;
} parts[] = {
	{ "▪", "=", CYAN }, { "█", "#", GREEN }, { "×", "x", RED }, { "▒", ">", YELLOW }, { "░", ".", DIM },
};
enum { PARTS = sizeof(parts) / sizeof(*parts), STAGES_SHOWN = 4, LONGEST_SHOWN = 3 };

/* The line that is being composed. */
struct line {
	struct dr_progress *p;
	uint32_t width, at;
};

/* Adds text (UTF-8 or ASCII, no control characters), as much as has room. */
static void
put(struct line *l, enum colour colour, struct dr_str text)
{
	size_t n = dr_str_prefix(text, l->width - l->at);
	struct dr_buf *out = &l->p->lines;

	text.n = n;
	if (!n)
		return;
	if (l->p->o.colour)
		dr_buf_adds(out, sgr[colour]);
	dr_buf_addstr(out, text);
	if (l->p->o.colour && colour != PLAIN)
		dr_buf_adds(out, "\033[m");
	l->at += (uint32_t)dr_str_width(text);
}

static void
puts_plain(struct line *l, const char *text)
{
	put(l, PLAIN, dr_str(text));
}

static void
put_buf(struct line *l, enum colour colour, struct dr_buf *text)
{
	l->p->lines.failed |= text->failed;
	put(l, colour, dr_buf_str(text));
	dr_buf_reset(text);
}

/* All of the text, or none where it has no room. */
static void
put_whole(struct line *l, enum colour colour, struct dr_buf *text)
{
	if (l->at + dr_str_width(dr_buf_str(text)) > l->width)
		dr_buf_reset(text);
	put_buf(l, colour, text);
}

static void
put_to(struct line *l, uint32_t column)
{
	while (l->at < column && l->at < l->width)
		puts_plain(l, " ");
}

static void
end_line(struct line *l)
{
	dr_buf_addc(&l->p->lines, '\n');
	if (l->p->n_new < DR_PROGRESS_LINES)
		l->p->new_widths[l->p->n_new++] = l->at;
	l->at = 0;
}

static void
put_repeated(struct line *l, enum colour colour, const char *glyph, uint32_t n)
{
	struct dr_buf text = { 0 };

	while (n-- > 0)
		dr_buf_adds(&text, glyph);
	put_buf(l, colour, &text);
	dr_buf_free(&text);
}

/* How much there is to see of a stage: what runs, then what waits, then what is finished, what was up to date from the start last. */
static unsigned
interest(const struct dr_progress_stage *st)
{
	if (!st->total)
		return 0;
	if (st->running)
		return 4;
	if (st->clean == st->total)
		return 1;
	return st->clean + st->done + st->failed == st->total ? 2 : 3;
}

/* Which stages to show, in the Dagfile's order. */
static uint32_t
choose(const struct dr_progress *p, uint32_t most, uint32_t *chosen, uint32_t *more)
{
	uint32_t n = 0, all = 0, room = most;

	for (unsigned level = 4; level > 0 && room; level--) {
		for (uint32_t s = 0; s < p->n_stages && room; s++) {
			uint32_t at = n;

			if (interest(&p->stages[s]) != level)
				continue;
			for (; at > 0 && chosen[at - 1] > s; at--)
				chosen[at] = chosen[at - 1];
			chosen[at] = s;
			n++;
			room--;
		}
	}
	for (uint32_t s = 0; s < p->n_stages; s++)
		all += p->stages[s].total > 0;
	*more = all - n;
	return n;
}

static void
put_bar(struct line *l, const struct dr_progress_stage *st, uint32_t columns)
{
	uint64_t counts[PARTS] = { st->clean, st->done, st->failed, st->running, 0 }, sum = 0;
	uint32_t at = 0;

	counts[PARTS - 1] = st->total - st->clean - st->done - st->failed - st->running;
	for (unsigned i = 0; i < PARTS; i++) {
		uint32_t to;

		sum += counts[i];
		to = (uint32_t)(sum * columns / st->total);
		/* What failed or runs shows, if only a little; what is missing is never made up. */
		if (to == at && counts[i] && (i == 2 || i == 3) && at < columns)
			to = at + 1;
		if (to > at) {
			put_repeated(l, parts[i].colour, l->p->o.utf8 ? parts[i].utf8 : parts[i].ascii,
				     to - at);
			at = to;
		}
	}
}

/* "round 6 of 10": the first that is not finished. */
static void
add_round(const struct dr_progress *p, const struct dr_progress_stage *st, struct dr_buf *text)
{
	for (uint32_t i = 0; i < st->n && st->n > 1; i++) {
		const struct dr_progress_row *r = &p->rows[st->first + i];

		if (r->clean + r->done + r->failed < r->total) {
			dr_buf_addf(text, "  round %" PRIu32 " of %" PRIu32, i + 1, st->n);
			return;
		}
	}
}

static void
stage_line(struct line *l, uint32_t stage, uint32_t name, uint32_t bar, uint32_t counts)
{
	const struct dr_progress_stage *st = &l->p->stages[stage];
	struct dr_buf text = { 0 };

	dr_buf_fit(&text, l->p->o.plan->pipeline->stages[stage].name, name, l->p->o.utf8);
	put_buf(l, PLAIN, &text);
	put_to(l, name + 2);
	put_bar(l, st, bar);
	put_to(l, name + 2 + bar + 1);
	dr_buf_addf(&text, "%" PRIu32 "/%" PRIu32, st->clean + st->done, st->total);
	put_to(l, name + 2 + bar + 1 + counts - (uint32_t)text.n);
	put_buf(l, PLAIN, &text);
	if (st->failed) {
		dr_buf_addf(&text, "  %" PRIu32 " failed", st->failed);
		put_whole(l, RED, &text);
	}
	add_round(l->p, st, &text);
	put_whole(l, PLAIN, &text);
	if (st->clean) {
		dr_buf_addf(&text, "  %" PRIu32 " up to date", st->clean);
		put_whole(l, PLAIN, &text);
	}
	end_line(l);
	dr_buf_free(&text);
}

/* Returns how many stages had no room. */
static uint32_t
stage_lines(struct line *l, uint32_t most)
{
	struct dr_progress *p = l->p;
	uint32_t chosen[STAGES_SHOWN], more, n = choose(p, most, chosen, &more);
	uint32_t name = 7, most_name, counts = 0, bar = l->width * 3 / 10;

	for (uint32_t i = 0; i < n; i++) {
		const struct dr_progress_stage *st = &p->stages[chosen[i]];
		uint32_t width = (uint32_t)dr_str_width(p->o.plan->pipeline->stages[chosen[i]].name);
		int digits = snprintf(NULL, 0, "%" PRIu32 "/%" PRIu32, st->total, st->total);

		name = width > name ? width : name;
		counts = (uint32_t)digits > counts ? (uint32_t)digits : counts;
	}
	/* In a narrow window the numbers are worth more than the whole name. */
	most_name = l->width < 60 ? 10 : 20;
	name = name > most_name ? most_name : name;
	bar = bar < 8 ? 8 : bar > 60 ? 60 : bar;
	for (uint32_t i = 0; i < n; i++)
		stage_line(l, chosen[i], name, bar, counts + 1);
	return more;
}

static void
slots_line(struct line *l, uint32_t more_stages)
{
	struct dr_progress *p = l->p;
	struct dr_buf text = { 0 };

	dr_buf_addf(&text, "slots    %" PRIu32 " of %" PRIu32, p->slots_used, p->o.slots);
	if (p->slots_from) {
		dr_buf_adds(&text, ", from ");
		dr_buf_fit(&text, dr_str(p->slots_from), l->width, p->o.utf8);
	}
	if (more_stages)
		dr_buf_addf(&text, "   and %" PRIu32 " more stage%s", more_stages,
			    more_stages == 1 ? "" : "s");
	put_buf(l, PLAIN, &text);
	end_line(l);
	dr_buf_free(&text);
}

/* Of inputs that stood there at the start, and how fast all inputs are read. */
static void
bytes_line(struct line *l, int64_t now)
{
	struct dr_progress *p = l->p;
	struct dr_buf text = { 0 };
	double rate = dr_progress_rate(p, now);

	dr_buf_adds(&text, "bytes    ");
	dr_buf_bytes(&text, p->bytes_done);
	dr_buf_adds(&text, " of ");
	dr_buf_bytes(&text, p->bytes_all);
	if (rate >= 1) {
		dr_buf_adds(&text, "   read ");
		dr_buf_bytes(&text, rate < 1e18 ? (uint64_t)rate : UINT64_C(1000000000000000000));
		dr_buf_adds(&text, "/s");
	}
	put_buf(l, PLAIN, &text);
	end_line(l);
	dr_buf_free(&text);
}

/* The tasks that have run longest: the list is in the order of their starts. */
static void
longest_line(struct line *l, int64_t now)
{
	struct dr_progress *p = l->p;
	struct dr_buf text = { 0 }, name = { 0 };

	puts_plain(l, "longest ");
	for (uint32_t i = 0; i < p->n_running && i < LONGEST_SHOWN; i++) {
		double median = dr_progress_median(p, p->o.plan->graph->tasks[p->running[i].task].stage);

		dr_buf_reset(&name);
		dr_plan_task_name(p->o.plan, p->running[i].task, &name);
		p->lines.failed |= name.failed;
		dr_buf_adds(&text, i ? "   " : " ");
		dr_buf_fit(&text, dr_buf_str(&name), l->width / 3, p->o.utf8);
		dr_buf_addc(&text, ' ');
		dr_buf_duration(&text, now - p->running[i].since);
		if (median > 0) {
			dr_buf_adds(&text, " (median ");
			dr_buf_duration(&text, (int64_t)(median * 1e9));
			dr_buf_addc(&text, ')');
		}
		/* One that has no room is left out; the first is cut. */
		if (i)
			put_whole(l, PLAIN, &text);
		else
			put_buf(l, PLAIN, &text);
	}
	end_line(l);
	dr_buf_free(&text);
	dr_buf_free(&name);
}

static void
time_line(struct line *l, int64_t now)
{
	struct dr_progress *p = l->p;
	struct dr_progress_eta eta = dr_progress_estimate(p, now);
	struct dr_buf text = { 0 };

	/* Whole seconds: tenths would only flicker. */
	if (now - p->begun < 10000000000)
		dr_buf_addf(&text, "%" PRId64 "s", (now - p->begun) / 1000000000);
	else
		dr_buf_duration(&text, now - p->begun);
	dr_buf_adds(&text, " so far   ");
	if (!eta.known) {
		dr_buf_adds(&text, "estimating");
	} else {
		dr_buf_adds(&text, "about ");
		dr_progress_add_eta(&text, &eta, p->o.utf8);
		dr_buf_adds(&text, " left");
	}
	put_buf(l, PLAIN, &text);
	if (eta.known && eta.stage != DR_NONE) {
		dr_buf_adds(&text, eta.path ? "   bound by: the longest path, through "
					    : "   bound by: slots, for ");
		dr_buf_fit(&text, p->o.plan->pipeline->stages[eta.stage].name, 24, p->o.utf8);
	}
	put_whole(l, PLAIN, &text);
	end_line(l);
	dr_buf_free(&text);
}

void
dr_progress_compose(struct dr_progress *p, uint32_t width, uint32_t height, int64_t now)
{
	/* The last column stays free: some terminals wrap as soon as it is filled. Half of a low window is the log's. */
	struct line l = { .p = p, .width = width > 1 ? width - 1 : 1 };
	uint32_t lines = height / 2 < DR_PROGRESS_LINES ? height / 2 : DR_PROGRESS_LINES, stages, more;
	bool rule = lines >= 6, longest = lines >= 4 && p->n_running, slots = lines >= 5;
	bool bytes = lines >= 7 && p->bytes_all;

	dr_buf_reset(&p->lines);
	p->n_new = 0;
	stages = lines > 1 ? lines - 1 - rule - longest - slots - bytes : 0;
	if (rule) {
		put_repeated(&l, DIM, p->o.utf8 ? "─" : "-", l.width < 66 ? l.width : 66);
		end_line(&l);
	}
	more = stage_lines(&l, stages < STAGES_SHOWN ? stages : STAGES_SHOWN);
	if (bytes)
		bytes_line(&l, now);
	if (slots)
		slots_line(&l, more);
	if (longest)
		longest_line(&l, now);
	time_line(&l, now);
	if (p->lines.n && !p->lines.failed)
		p->lines.n--; /* the last line has no end */
}
