/* A directory of the test's own and what came of the last parse; for cmocka_unit_test_setup_teardown. Included after cmocka.h. */
#ifndef TESTS_PARSED_H
#define TESTS_PARSED_H

#include <fcntl.h>
#include <stdlib.h>

#include "err.h"
#include "os.h"
#include "parse.h"
#include "private-dir.h"

struct place {
	char path[256];
	int fd;
	struct dr_pipeline *p;
	struct dr_diags diags;
	struct dr_err err;
};

static inline int
setup(void **state)
{
	struct place *pl = calloc(1, sizeof(*pl));

	if (!pl || private_dir("dagrun-parse-", pl->path, sizeof(pl->path)))
		return -1;
	pl->fd = open(pl->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = pl;
	return pl->fd < 0 ? -1 : 0;
}

static inline void
forget(struct place *pl)
{
	dr_pipeline_free(pl->p);
	pl->p = NULL;
	dr_diags_free(&pl->diags);
}

static inline int
teardown(void **state)
{
	struct place *pl = *state;

	forget(pl);
	dr_close(&pl->fd);
	dr_remove_tree(AT_FDCWD, pl->path);
	free(pl);
	return 0;
}

static inline int
parse(struct place *pl, const char *text)
{
	const struct dr_parse_options o = { .root = pl->fd };

	forget(pl);
	return dr_parse("Dagfile", dr_str(text), &o, &pl->p, &pl->diags, &pl->err);
}

static inline void
parse_well(struct place *pl, const char *text)
{
	if (parse(pl, text))
		fail_msg("%s", pl->diags.n ? pl->diags.v[0].msg : pl->err.msg);
	assert_int_equal(pl->diags.total, 0);
}

#endif
