/* Two functions that many programs have in some form, made of libdagrun. */
#include <dagrun.h>

#include <stdio.h>

/* What a run told, counted. */
struct tally {
	unsigned running, most, ended;
};

static void
on_message(void *arg, enum dr_level level, const char *text)
{
	(void)arg;
	if (level != DR_NOTICE)
		fprintf(stderr, "embed: %s\n", text);
}

static void
on_started(void *arg, uint32_t task, const char *name)
{
	struct tally *t = arg;

	(void)task;
	(void)name;
	if (++t->running > t->most)
		t->most = t->running;
}

static void
on_ended(void *arg, uint32_t task, const struct dr_ended *e)
{
	struct tally *t = arg;

	(void)task;
	(void)e;
	t->running--;
	t->ended++;
}

static const struct dr_handlers handlers = { on_message, on_started, on_ended, NULL };

/* Runs `command`, with {arg} for what `next` yields, so that `jobs` of them run at any time. What was done in an earlier call is not
 * done again. 0 or -1 with err. */
static int
keep_running(unsigned jobs, const char *command, dr_rows_fn next, void *arg, struct tally *t, struct dr_err *err)
{
	const struct dr_key_value keys[] = { { "each", "arguments" }, { "run", command } };
	struct dr_context *c = dr_context_new(&handlers, t, err);
	int rc = -1;

	if (c && dr_add_rows(c, "arguments", next, arg, err) == 0 &&
	    dr_add_stage(c, DR_STAGE_MAP, "keep-running", keys, 2, err) == 0 && dr_set(c, DR_SET_JOBS, jobs, err) == 0 &&
	    dr_plan(c, err) == 0)
		rc = dr_run(c, err);
	dr_context_free(c);
	return rc;
}

static int
next_command(void *arg, uint32_t row, const char **value)
{
	const char *const *commands = arg;

	*value = commands[row];
	return *value != NULL;
}

/* Launches all commands (NULL at their end) at once, waits for all of them and sets what each exited with; of one that a signal ended 128
 * and its number. 0 or -1 with err; that commands fail is no error. */
static int
launch(const char *const *commands, int *codes, struct dr_err *err)
{
	const struct dr_key_value keys[] = { { "each", "commands" }, { "run", "sh -c {arg}" } };
	struct tally t = { 0 };
	struct dr_context *c = dr_context_new(&handlers, &t, err);
	struct dr_task_info info;
	int rc = -1;

	if (!c || dr_add_rows(c, "commands", next_command, (void *)commands, err) ||
	    dr_add_stage(c, DR_STAGE_MAP, "launch", keys, 2, err) || dr_set(c, DR_SET_JOBS, 100, err) ||
	    dr_set(c, DR_SET_KEEP_GOING, 1, err) || dr_set(c, DR_SET_ALWAYS, 1, err) || dr_plan(c, err))
		goto out;
	if (dr_run(c, err) && err->code != DR_FAILED)
		goto out;
	for (uint32_t i = 0; i < dr_task_count(c); i++) {
		if (dr_task_get(c, i, &info, err))
			goto out;
		codes[info.index] = info.how == DR_HOW_SIGNAL ? 128 + info.status : info.status;
	}
	rc = 0;
out:
	dr_context_free(c);
	return rc;
}

static int
next_number(void *arg, uint32_t row, const char **value)
{
	static char text[16];

	snprintf(text, sizeof(text), "%u", (unsigned)row + 1);
	*value = text;
	return row < *(const unsigned *)arg;
}

int
main(void)
{
	static const char *const commands[] = { "true", "exit 3", "test -e nowhere", "kill $$", NULL };
	unsigned n = 20;
	struct tally t = { 0 };
	struct dr_err err;
	int codes[4] = { 0 };

	if (keep_running(4, "sleep 0.05; test {arg} -gt 0", next_number, &n, &t, &err) || launch(commands, codes, &err)) {
		fprintf(stderr, "embed: %s\n", err.msg);
		return (int)err.code;
	}
	printf("%u of %u run, %u at a time\n", t.ended, n, t.most);
	for (int i = 0; commands[i]; i++)
		printf("%s: %d\n", commands[i], codes[i]);
	return 0;
}
