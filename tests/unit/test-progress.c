#include "config.h"

#include "plan-by-hand.h"

#include "progress.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS INT64_C(1000000)
#define SECOND INT64_C(1000000000)

/* A terminal that knows what progress uses of one, and no more. Each write is a packet, so that they can be counted. */
enum { WIDTH_MAX = 200, HEIGHT = 60 };

struct screen {
	int here, there;
	uint32_t width, x, y, writes;
	char cells[HEIGHT][WIDTH_MAX + 1];
	bool cursor, synchronized;
	struct dr_buf raw; /* all that was written */
};

static void
screen_init(struct screen *s, uint32_t width)
{
	int fds[2];

	memset(s, 0, sizeof(*s));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	s->here = fds[0];
	s->there = fds[1];
	s->width = width;
	s->cursor = true;
	memset(s->cells, ' ', sizeof(s->cells));
}

static void
screen_free(struct screen *s)
{
	close(s->here);
	close(s->there);
	dr_buf_free(&s->raw);
}

static void
screen_clear_line(struct screen *s, uint32_t y, uint32_t from)
{
	memset(s->cells[y] + from, ' ', WIDTH_MAX - from);
}

/* A control sequence behind ESC [; returns its length. */
static size_t
screen_control(struct screen *s, const char *p)
{
	size_t n = strspn(p, "?0123456789;");
	unsigned long arg = strtoul(p + (*p == '?'), NULL, 10);

	switch (p[n]) {
	case 'A':
		assert_true(arg <= s->y);
		s->y -= (uint32_t)arg;
		break;
	case 'J':
		for (uint32_t y = s->y; y < HEIGHT; y++)
			screen_clear_line(s, y, y == s->y ? s->x : 0);
		break;
	case 'K':
		screen_clear_line(s, s->y, s->x);
		break;
	case 'h':
	case 'l':
		if (arg == 25) {
			s->cursor = p[n] == 'h';
		} else {
			assert_int_equal(arg, 2026);
			s->synchronized = p[n] == 'h';
		}
		break;
	case 'm':
		break;
	default:
		fail_msg("unknown sequence %.*s", (int)n + 1, p);
	}
	return n + 1;
}

static void
screen_show(struct screen *s, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_true(s->y < HEIGHT);
		if (p[i] == '\033') {
			assert_int_equal(p[i + 1], '[');
			i += 1 + screen_control(s, p + i + 2);
		} else if (p[i] == '\r') {
			s->x = 0;
		} else if (p[i] == '\n') {
			s->x = 0;
			s->y++;
		} else {
			/* ASCII only, and never more than a line has room for */
			assert_in_range(p[i], ' ', '~');
			assert_true(s->x < s->width);
			s->cells[s->y][s->x++] = p[i];
		}
	}
}

/* Takes in what was written; returns in how many writes. */
static uint32_t
screen_read(struct screen *s)
{
	static char packet[1 << 18];
	uint32_t writes = 0;
	ssize_t n;

	while ((n = recv(s->here, packet, sizeof(packet) - 1, MSG_DONTWAIT)) > 0) {
		packet[n] = '\0';
		screen_show(s, packet, (size_t)n);
		assert_false(s->synchronized);
		dr_buf_add(&s->raw, packet, (size_t)n);
		writes++;
	}
	s->writes += writes;
	return writes;
}

static bool
screen_line_is(const struct screen *s, uint32_t y, const char *text)
{
	char line[WIDTH_MAX + 1];

	memcpy(line, s->cells[y], WIDTH_MAX);
	line[WIDTH_MAX] = '\0';
	for (size_t n = WIDTH_MAX; n && line[n - 1] == ' '; n--)
		line[n - 1] = '\0';
	return strcmp(line, text) == 0;
}

/* The line that begins with text; -1: none. */
static int
screen_find(const struct screen *s, const char *text)
{
	for (int y = 0; y < HEIGHT; y++)
		if (strncmp(s->cells[y], text, strlen(text)) == 0)
			return y;
	return -1;
}

static bool
screen_has(const struct screen *s, const char *text)
{
	for (int y = 0; y < HEIGHT; y++)
		if (strstr(s->cells[y], text))
			return true;
	return false;
}

/* 100 files, 10 of them up to date, mapped and merged by 2. */
struct fixture {
	struct hand h;
	struct screen s;
	struct dr_progress *p;
	uint32_t map, total;
};

static void
setup(struct fixture *f, struct dr_progress_options o, uint32_t last_ms)
{
	hand_init(&f->h);
	screen_init(&f->s, o.width ? o.width : 80);
	f->map = hand_map(&f->h, "count", 100, DR_NONE);
	f->total = hand_merge(&f->h, "total", f->map, 2);
	hand_target(&f->h, f->total);
	hand_link(&f->h);
	hand_state(&f->h, f->map, 0, 10, DR_CLEAN);
	for (uint32_t t = 0; t < f->h.plan.graph->n_tasks; t++)
		f->h.plan.graph->tasks[t].last_ms = last_ms;
	assert_int_equal(dr_graph_ready(f->h.plan.graph, f->h.pipeline.n_stages, NULL), 0);
	o.plan = &f->h.plan;
	o.fd = f->s.there;
	o.width = f->s.width;
	o.height = o.height ? o.height : 30;
	o.slots = 4;
	o.slots_from = "make -j4";
	assert_int_equal(dr_progress_new(&o, &f->p, NULL), 0);
}

static void
teardown(struct fixture *f)
{
	dr_progress_free(f->p);
	screen_free(&f->s);
	hand_free(&f->h);
}

static uint32_t
task_of(const struct fixture *f, uint32_t stage, uint32_t i)
{
	return f->h.plan_stages[stage].first + i;
}

static void
say(struct fixture *f, const char *text, int64_t now)
{
	dr_progress_print(f->p, dr_str(text), now);
}

static void
last_line_says_what_became_of_it(void **state)
{
	struct fixture f;
	struct dr_buf big = { 0 };

	(void)state;
	setup(&f, (struct dr_progress_options){ .mode = DR_PROGRESS_PLAIN }, 0);
	for (uint32_t i = 10; i < 15; i++)
		dr_progress_started(f.p, task_of(&f, f.map, i), 0, 0);
	for (uint32_t i = 10; i < 13; i++)
		dr_progress_ended(f.p, task_of(&f, f.map, i), true, SECOND);
	dr_progress_ended(f.p, task_of(&f, f.map, 13), false, SECOND);
	dr_progress_ended(f.p, task_of(&f, f.map, 14), DR_PROGRESS_AGAIN, SECOND);
	dr_progress_started(f.p, task_of(&f, f.map, 15), 0, SECOND);
	dr_progress_ended(f.p, task_of(&f, f.map, 15), DR_PROGRESS_STOPPED, SECOND);
	/* Made by another run */
	dr_progress_ended(f.p, task_of(&f, f.map, 20), DR_PROGRESS_DONE, SECOND);
	say(&f, "no end", SECOND);
	dr_progress_finish(f.p, 2300 * MS);
	dr_progress_finish(f.p, 9999 * MS);
	screen_read(&f.s);
	assert_string_equal(
		f.s.raw.p,
		"no end\ndagrun: 4 tasks done, 1 failed, 1 stopped, 183 not run, 10 up to date in 2.3s\n");
	teardown(&f);

	setup(&f, (struct dr_progress_options){ .mode = DR_PROGRESS_BARS, .quiet = true }, 0);
	assert_int_equal(dr_progress_tick(f.p, 5 * SECOND), -1);
	dr_progress_finish(f.p, 5 * SECOND);
	assert_int_equal(screen_read(&f.s), 0);
	teardown(&f);
	setup(&f, (struct dr_progress_options){ .mode = DR_PROGRESS_BARS, .quiet = true }, 0);
	dr_progress_ended(f.p, task_of(&f, f.map, 20), false, SECOND);
	say(&f, "FAIL\n", SECOND);
	dr_progress_finish(f.p, 5 * SECOND);
	screen_read(&f.s);
	assert_string_equal(f.s.raw.p,
			    "FAIL\ndagrun: 0 tasks done, 1 failed, 188 not run, 10 up to date in 5.0s\n");
	teardown(&f);
	dr_buf_free(&big);
}

static void
nothing_to_do_is_said(void **state)
{
	struct dr_progress *p;
	struct screen s;
	struct hand h;
	uint32_t map;

	(void)state;
	hand_init(&h);
	screen_init(&s, 80);
	map = hand_map(&h, "count", 2000, DR_NONE);
	hand_target(&h, map);
	hand_link(&h);
	hand_state(&h, map, 0, 2000, DR_CLEAN);
	assert_int_equal(dr_progress_new(&(struct dr_progress_options){ .plan = &h.plan,
									.fd = s.there,
									.mode = DR_PROGRESS_BARS,
									.slots = 1 },
					 &p, NULL),
			 0);
	assert_int_equal(dr_progress_tick(p, SECOND), -1);
	dr_progress_finish(p, SECOND);
	assert_int_equal(screen_read(&s), 1);
	assert_string_equal(s.raw.p, "dagrun: nothing to do (2,000 up to date)\n");
	dr_progress_free(p);
	screen_free(&s);
	hand_free(&h);
}

static void
plain_lines_are_few(void **state)
{
	struct fixture f;
	uint32_t n;

	(void)state;
	setup(&f, (struct dr_progress_options){ .mode = DR_PROGRESS_PLAIN }, 0);
	/* A task a tenth of a second: 189 tasks in 19 s, steps of 5 % that come a second apart at most */
	for (uint32_t i = 0; i < 90; i++) {
		dr_progress_started(f.p, task_of(&f, f.map, 10 + i), 0, i * 100 * MS);
		dr_progress_ended(f.p, task_of(&f, f.map, 10 + i), true, (i + 1) * 100 * MS);
		dr_progress_tick(f.p, (i + 1) * 100 * MS);
	}
	n = screen_read(&f.s);
	assert_in_range(n, 7, 9);
	assert_non_null(strstr(f.s.raw.p, "dagrun: 5%, 10 of 189 tasks done, 0 running, 1.0s so far\n"));
	assert_non_null(strstr(f.s.raw.p, "so far, about "));
	/* Then nothing ends for three minutes. */
	dr_progress_started(f.p, task_of(&f, f.total, 0), 0, 9 * SECOND);
	for (int64_t now = 9 * SECOND; now < 200 * SECOND;) {
		int64_t next = dr_progress_tick(f.p, now);

		assert_true(next > now);
		now = next;
	}
	assert_int_equal(screen_read(&f.s), 3);
	assert_null(strchr(f.s.raw.p, '\033'));
	teardown(&f);
}

static void
bars_show_the_run(void **state)
{
	struct fixture f;
	int y;

	(void)state;
	setup(&f, (struct dr_progress_options){ .mode = DR_PROGRESS_BARS }, 0);
	say(&f, "first message\n", 0);
	for (uint32_t i = 0; i < 4; i++)
		dr_progress_started(f.p, task_of(&f, f.map, 10 + i), 0, 0);
	/* A run that is over at once shows none. */
	assert_int_equal(dr_progress_tick(f.p, 0), 300 * MS);
	assert_int_equal(screen_read(&f.s), 1);
	assert_int_equal(dr_progress_tick(f.p, 300 * MS), 500 * MS);
	assert_int_equal(screen_read(&f.s), 1);
	assert_false(f.s.cursor);
	assert_true(screen_line_is(&f.s, 0, "first message"));
	y = screen_find(&f.s, "count    ==>.");
	assert_true(y > 0);
	assert_non_null(strstr(f.s.cells[y], ".   10/100  10 up to date"));
	assert_non_null(strstr(f.s.cells[y + 1], "     0/99  round 1 of 7"));
	assert_true(screen_line_is(&f.s, (uint32_t)y + 2, "slots    4 of 4, from make -j4"));
	assert_true(screen_line_is(&f.s, (uint32_t)y + 3,
				   "longest  count/0010 300ms   count/0011 300ms   count/0012 300ms"));
	assert_true(screen_line_is(&f.s, (uint32_t)y + 4, "0s so far   estimating"));
	assert_true(f.s.y < 9);
	/* One ends badly, which is told above. */
	dr_progress_ended(f.p, task_of(&f, f.map, 11), false, 600 * MS);
	say(&f, "FAIL count/0011\n", 600 * MS);
	assert_int_equal(screen_read(&f.s), 1);
	assert_true(screen_line_is(&f.s, 1, "FAIL count/0011"));
	assert_int_equal(screen_find(&f.s, "count    =="), y + 1);
	assert_true(screen_has(&f.s, "10/100  1 failed  10 up to date"));
	dr_progress_finish(f.p, 2 * SECOND);
	assert_int_equal(screen_read(&f.s), 1);
	assert_true(f.s.cursor);
	assert_true(screen_line_is(&f.s, 2,
				   "dagrun: 0 tasks done, 1 failed, 188 not run, 10 up to date in 2.0s"));
	assert_true(screen_line_is(&f.s, 3, ""));
	assert_int_equal(f.s.y, 3);
	assert_int_equal(f.s.x, 0);
	teardown(&f);
}

/* Whatever happens, at most five frames a second, then one, each with one write. Messages do not get lost or out of order. */
static void
frames_are_counted(void **state)
{
	struct fixture f;
	uint32_t task;
	int64_t now = 0;
	char line[40];

	(void)state;
	setup(&f, (struct dr_progress_options){ .mode = DR_PROGRESS_BARS }, 0);
	task = task_of(&f, f.map, 10);
	for (; now < 10 * SECOND; now += 10 * MS) {
		dr_progress_started(f.p, task, 0, now);
		dr_progress_ended(f.p, task, DR_PROGRESS_AGAIN, now);
		dr_progress_started(f.p, task + 1, 0, now);
		if (now % SECOND == 400 * MS || now % SECOND == 440 * MS) {
			snprintf(line, sizeof(line), "message %u\n", (unsigned)(now / (10 * MS)));
			say(&f, line, now);
		}
		dr_progress_tick(f.p, now);
		dr_progress_ended(f.p, task + 1, DR_PROGRESS_AGAIN, now);
	}
	screen_read(&f.s);
	assert_in_range(f.s.writes, 10, 51);
	for (uint32_t i = 0; i < 20; i++) {
		snprintf(line, sizeof(line), "message %u", i / 2 * 100 + 40 + i % 2 * 4);
		assert_true(screen_line_is(&f.s, i, line));
	}
	f.s.writes = 0;
	for (now = 70 * SECOND; now < 90 * SECOND; now += 10 * MS)
		dr_progress_tick(f.p, now);
	screen_read(&f.s);
	assert_in_range(f.s.writes, 18, 21);
	/* A frame that is the same is not written. */
	f.s.writes = 0;
	dr_progress_tick(f.p, now);
	dr_progress_tick(f.p, now + 1);
	screen_read(&f.s);
	assert_true(f.s.writes <= 1);
	teardown(&f);
}

static void
window_may_be_any_size(void **state)
{
	static const uint32_t widths[] = { 1, 2, 10, 40, 79, 200 }, heights[] = { 1, 2, 4, 8, 9, 12, 60 };
	struct fixture f;

	(void)state;
	for (size_t w = 0; w < sizeof(widths) / sizeof(*widths); w++) {
		for (size_t h = 0; h < sizeof(heights) / sizeof(*heights); h++) {
			setup(&f,
			      (struct dr_progress_options){ .mode = DR_PROGRESS_BARS,
							    .width = widths[w],
							    .height = heights[h],
							    .colour = true },
			      1000);
			dr_progress_started(f.p, task_of(&f, f.map, 10), 0, 0);
			dr_progress_ended(f.p, task_of(&f, f.map, 10), false, 1);
			dr_progress_started(f.p, task_of(&f, f.total, 0), 0, 0);
			dr_progress_tick(f.p, SECOND);
			screen_read(&f.s);
			assert_true(f.s.y < 8);
			assert_true(f.s.y == 0 || f.s.y < heights[h]);
			dr_progress_tick(f.p, 2 * SECOND);
			screen_read(&f.s);
			dr_progress_hide(f.p);
			screen_read(&f.s);
			assert_true(screen_line_is(&f.s, 0, ""));
			assert_int_equal(f.s.y, 0);
			assert_true(f.s.cursor);
			teardown(&f);
		}
	}
}

static void
hidden_bars_stay_hidden(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, (struct dr_progress_options){ .mode = DR_PROGRESS_BARS }, 0);
	dr_progress_tick(f.p, SECOND);
	say(&f, "waits", SECOND);
	dr_progress_hide(f.p);
	screen_read(&f.s);
	assert_int_equal(f.s.writes, 2);
	assert_true(screen_line_is(&f.s, 0, "waits"));
	assert_int_equal(dr_progress_tick(f.p, 2 * SECOND), -1);
	assert_int_equal(screen_read(&f.s), 0);
	say(&f, "no end", 2 * SECOND);
	assert_int_equal(screen_read(&f.s), 1);
	dr_progress_show(f.p);
	assert_true(dr_progress_tick(f.p, 2 * SECOND) > 0);
	assert_int_equal(screen_read(&f.s), 1);
	assert_true(screen_line_is(&f.s, 1, "no end"));
	assert_true(screen_find(&f.s, "count") > 1);
	teardown(&f);
}

/* A terminal that takes nothing more does not stop the run. */
static void
stopped_terminal_does_not_block(void **state)
{
	static const char block[4096];
	struct fixture f;

	(void)state;
	setup(&f, (struct dr_progress_options){ .mode = DR_PROGRESS_BARS }, 0);
	while (send(f.s.there, block, sizeof(block), MSG_DONTWAIT) > 0)
		;
	assert_true(errno == EAGAIN || errno == EWOULDBLOCK);
	for (int64_t now = SECOND; now < 5 * SECOND; now += 100 * MS)
		assert_true(dr_progress_tick(f.p, now) > now);
	teardown(&f);
}

/* A task may hold more slots than its stage asks for. */
static void
slots_are_those_that_were_granted(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f, (struct dr_progress_options){ .mode = DR_PROGRESS_BARS }, 0);
	dr_progress_started(f.p, task_of(&f, f.map, 10), 3, 0);
	dr_progress_tick(f.p, 300 * MS);
	screen_read(&f.s);
	assert_true(screen_has(&f.s, "slots    3 of 4"));
	dr_progress_started(f.p, task_of(&f, f.map, 11), 0, SECOND);
	dr_progress_ended(f.p, task_of(&f, f.map, 10), true, SECOND);
	dr_progress_tick(f.p, 2 * SECOND);
	screen_read(&f.s);
	assert_true(screen_has(&f.s, "slots    1 of 4"));
	teardown(&f);
}

static void
time_left_is_said_when_it_is_known(void **state)
{
	struct fixture f;
	int64_t now = 0;

	(void)state;
	/* Without history: only after twenty */
	setup(&f, (struct dr_progress_options){ .mode = DR_PROGRESS_BARS }, 0);
	for (uint32_t i = 10; i < 30; i++) {
		dr_progress_started(f.p, task_of(&f, f.map, i), 0, now);
		dr_progress_tick(f.p, now + SECOND);
		screen_read(&f.s);
		assert_true(screen_has(&f.s, "so far   estimating"));
		now += 2 * SECOND;
		dr_progress_ended(f.p, task_of(&f, f.map, i), true, now);
	}
	dr_progress_tick(f.p, now + SECOND);
	screen_read(&f.s);
	/* 70 maps and 99 merges of 2 s, one at a time: 338 s */
	assert_true(screen_has(&f.s, "about 6m left   bound by: slots, for total"));
	dr_progress_started(f.p, task_of(&f, f.map, 30), 0, now);
	dr_progress_tick(f.p, now + 3 * SECOND);
	screen_read(&f.s);
	assert_true(screen_has(&f.s, "longest  count/0030 3.0s (median 2.0s)"));
	teardown(&f);

	/* All known: at once. The last three of the tree take one after the other, however many slots there are. */
	setup(&f, (struct dr_progress_options){ .mode = DR_PROGRESS_BARS }, 10000);
	for (uint32_t i = 10; i < 100; i++)
		dr_progress_ended(f.p, task_of(&f, f.map, i), true, 0);
	for (uint32_t i = 0; i < f.h.plan_stages[f.total].n - 3; i++)
		dr_progress_ended(f.p, task_of(&f, f.total, i), true, 0);
	dr_progress_started(f.p, task_of(&f, f.total, f.h.plan_stages[f.total].n - 3), 0, 0);
	dr_progress_started(f.p, task_of(&f, f.total, f.h.plan_stages[f.total].n - 2), 0, 0);
	dr_progress_tick(f.p, 4 * SECOND);
	screen_read(&f.s);
	assert_true(
		screen_has(&f.s, "4s so far   about 16s left   bound by: the longest path, through total"));
	assert_true(screen_has(&f.s, "96/99  round 6 of 7"));
	teardown(&f);
}

/* A run of a map over 100 files of which every other is ten times as large, and takes ten times as long. */
struct sized {
	struct hand h;
	struct screen s;
	struct dr_progress *p;
	uint32_t map;
};

static int64_t
sized_seconds(uint32_t i)
{
	return i % 2 ? 10 : 1;
}

static void
sized_setup(struct sized *f, bool sizes)
{
	hand_init(&f->h);
	screen_init(&f->s, 100);
	f->map = hand_map(&f->h, "count", 100, DR_NONE);
	hand_target(&f->h, f->map);
	hand_link(&f->h);
	for (uint32_t i = 0; sizes && i < 100; i++)
		f->h.plan.graph->files[dr_graph_inputs(f->h.plan.graph, i)[0]].stamp.size =
			sized_seconds(i) * 1000000;
	assert_int_equal(dr_progress_new(&(struct dr_progress_options){ .plan = &f->h.plan,
									.fd = f->s.there,
									.mode = DR_PROGRESS_BARS,
									.slots = 1 },
					 &f->p, NULL),
			 0);
}

static int64_t
sized_run(struct sized *f, uint32_t from, uint32_t to, int64_t now)
{
	for (uint32_t i = from; i < to; i++) {
		dr_progress_started(f->p, i, 0, now);
		now += sized_seconds(i) * SECOND;
		dr_progress_ended(f->p, i, true, now);
	}
	dr_progress_tick(f->p, now + SECOND);
	screen_read(&f->s);
	return now;
}

static void
sized_teardown(struct sized *f)
{
	dr_progress_free(f->p);
	screen_free(&f->s);
	hand_free(&f->h);
}

static void
bytes_tell_what_is_left(void **state)
{
	struct sized f;
	int64_t now;

	(void)state;
	sized_setup(&f, true);
	/* Large ones last: of those that are left, all take ten seconds, and it is known. */
	for (uint32_t i = 0; i < 100; i += 2) {
		dr_progress_started(f.p, i, 0, (int64_t)i / 2 * SECOND);
		dr_progress_ended(f.p, i, true, (int64_t)(i / 2 + 1) * SECOND);
	}
	dr_progress_tick(f.p, 50 * SECOND);
	screen_read(&f.s);
	assert_true(screen_has(&f.s, "bytes    50 MB of 550 MB   read 1.0 MB/s"));
	assert_true(screen_has(&f.s, "50s so far   about 8m left   bound by: slots, for count"));
	sized_teardown(&f);

	/* Without sizes it is the mean, and with it how much it may be otherwise. */
	sized_setup(&f, false);
	now = sized_run(&f, 0, 40, 0);
	assert_false(screen_has(&f.s, "bytes"));
	assert_true(screen_has(&f.s, "about 6m +- 2m left"));
	sized_run(&f, 40, 80, now);
	assert_true(screen_has(&f.s, "about 2m +- 45s left"));
	sized_teardown(&f);
}

static void
mode_depends_on_the_terminal(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(dr_progress_mode_of(fds[1], "xterm"), DR_PROGRESS_PLAIN);
	assert_int_equal(dr_progress_mode_of(fds[1], "dumb"), DR_PROGRESS_PLAIN);
	assert_int_equal(dr_progress_mode_of(fds[1], NULL), DR_PROGRESS_PLAIN);
	close(fds[0]);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(last_line_says_what_became_of_it),
		cmocka_unit_test(nothing_to_do_is_said),
		cmocka_unit_test(plain_lines_are_few),
		cmocka_unit_test(bars_show_the_run),
		cmocka_unit_test(frames_are_counted),
		cmocka_unit_test(window_may_be_any_size),
		cmocka_unit_test(hidden_bars_stay_hidden),
		cmocka_unit_test(stopped_terminal_does_not_block),
		cmocka_unit_test(slots_are_those_that_were_granted),
		cmocka_unit_test(time_left_is_said_when_it_is_known),
		cmocka_unit_test(bytes_tell_what_is_left),
		cmocka_unit_test(mode_depends_on_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
