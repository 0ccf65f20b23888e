/* A directory of a test's own, for cmocka_unit_test_setup_teardown: *state is a struct place. Included after cmocka.h. */
#ifndef TESTS_OWN_DIR_H
#define TESTS_OWN_DIR_H

#include <fcntl.h>
#include <stdlib.h>

#include "os.h"
#include "private-dir.h"

struct place {
	char path[4096];
	int dir; /* its descriptor */
};

static inline int
setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	if (!p || private_dir("dagrun-unit-", p->path, sizeof(p->path)))
		return -1;
	p->dir = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = p;
	return p->dir < 0 ? -1 : 0;
}

static inline int
teardown(void **state)
{
	struct place *p = *state;
	int rc = dr_remove_tree(AT_FDCWD, p->path);

	dr_close(&p->dir);
	free(p);
	return rc;
}

#endif
