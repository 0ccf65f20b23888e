/* A directory with files, a Dagfile and its plan: for the tests of what plans and of what holds plans against the disk. */
#ifndef PLAN_PLACE_H
#define PLAN_PLACE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "lex.h"
#include "os.h"
#include "parse.h"
#include "plan.h"
#include "private-dir.h"

enum { PLACE_TARGETS = 8 };

struct place {
	char path[256];
	int root;
	struct dr_pipeline *pipeline;
	struct dr_items_options items;
	struct dr_plan_options options;
	const char *targets[PLACE_TARGETS + 1]; /* set before plan(), ended by NULL */
	const struct dr_setting *settings;
	uint32_t n_settings;
	struct dr_plan *plan;
	struct dr_diags diags;
	struct dr_err err;
	struct dr_buf shown; /* what was wrong, or what the plan looks like */
};

static inline int
place_setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	assert_int_equal(private_dir("test-plan", p->path, sizeof(p->path)), 0);
	p->root = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(p->root >= 0);
	p->options.origin = 1;
	*state = p;
	return 0;
}

/* Drops the Dagfile and the plan; files stay. */
static inline void
place_clear(struct place *p)
{
	dr_plan_free(p->plan);
	p->plan = NULL;
	dr_pipeline_free(p->pipeline);
	p->pipeline = NULL;
	dr_diags_free(&p->diags);
	p->diags = (struct dr_diags){ 0 };
	p->err = (struct dr_err){ 0 };
}

static inline int
place_teardown(void **state)
{
	struct place *p = *state;

	place_clear(p);
	dr_buf_free(&p->shown);
	dr_close(&p->root);
	assert_int_equal(dr_remove_tree(AT_FDCWD, p->path), 0);
	free(p);
	return 0;
}

/* Files of a list of words. */
static inline void
place_files(struct place *p, const char *words)
{
	char *copy = strdup(words), *save = NULL;

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		int fd;

		assert_int_equal(dr_mkdirs_for(p->root, w), 0);
		fd = openat(p->root, w, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
		assert_true(fd >= 0);
		assert_int_equal(dr_write_full(fd, "x\n", 2), 0);
		dr_close(&fd);
	}
	free(copy);
}

static inline bool
place_has(const struct place *p, const char *path)
{
	return faccessat(p->root, path, F_OK, 0) == 0;
}

static inline void
place_parse(struct place *p, const char *dagfile)
{
	struct dr_parse_options o = {
		.root = p->root, .shell = "/bin/sh", .settings = p->settings, .n_settings = p->n_settings
	};

	place_clear(p);
	if (dr_parse("Dagfile", dr_str(dagfile), &o, &p->pipeline, &p->diags, &p->err)) {
		dr_buf_reset(&p->shown);
		dr_diags_show(&p->diags, &p->shown);
		fail_msg("%s%s", p->err.msg, dr_buf_cstr(&p->shown));
	}
}

/* Parses and plans. 0, or -1 with p->shown. */
static inline int
place_try(struct place *p, const char *dagfile)
{
	static char *const no_env[] = { (char *)"PATH=/usr/bin:/bin", NULL };
	int rc;

	place_parse(p, dagfile);
	p->items = (struct dr_items_options){
		.root = p->root, .shell = &p->pipeline->shell, .envp = no_env, .standard_input = -1
	};
	p->options.items = &p->items;
	p->options.targets = p->targets;
	p->options.n_targets = 0;
	while (p->targets[p->options.n_targets])
		p->options.n_targets++;
	rc = dr_plan_make(p->pipeline, &p->options, &p->plan, &p->diags, &p->err);
	dr_buf_reset(&p->shown);
	if (rc) {
		dr_diags_show(&p->diags, &p->shown);
		dr_buf_adds(&p->shown, p->diags.total ? "" : p->err.msg);
		assert_null(p->plan);
		assert_true(p->shown.n > 0);
	}
	return rc;
}

static inline void
place_plan(struct place *p, const char *dagfile)
{
	if (place_try(p, dagfile))
		fail_msg("%s", dr_buf_cstr(&p->shown));
	assert_int_equal(p->diags.total, 0);
}

static inline uint32_t
place_stage(const struct place *p, const char *name)
{
	for (uint32_t s = 0; s < p->pipeline->n_stages; s++)
		if (dr_str_is(p->pipeline->stages[s].name, name))
			return s;
	fail_msg("no stage %s", name);
	return DR_NONE;
}

/* The i-th task of a stage. */
static inline uint32_t
place_task(const struct place *p, const char *stage, uint32_t i)
{
	const struct dr_plan_stage *ps = &p->plan->stages[place_stage(p, stage)];

	assert_true(i < ps->n);
	return ps->first + i;
}

static inline uint32_t
place_file(const struct place *p, const char *path)
{
	uint32_t f = dr_graph_find(p->plan->graph, dr_str(path));

	if (f == DR_NONE)
		fail_msg("no file %s", path);
	return f;
}

#endif
