#include "config.h"

#include "session.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Do tasks work in the directory that whoever called us is in? Their messages name files as seen from there. PWD does
 * not tell: make -C leaves it as it was. */
static bool
is_known(const struct dr_session *s)
{
	struct stat there, here;
	char path[40];

	snprintf(path, sizeof(path), "/proc/%ld/cwd", (long)getppid());
	return stat(path, &there) == 0 && fstat(s->root, &here) == 0 && there.st_dev == here.st_dev &&
	       there.st_ino == here.st_ino;
}

void
dr_session_tell_directory(struct dr_session *s, bool entering)
{
	char path[PATH_MAX];

	if (!s->makeflags.w || is_known(s) || !realpath(*s->root_path ? s->root_path : ".", path))
		return;
	dr_buf_reset(&s->text);
	dr_buf_addf(&s->text, "%s directory '%s'", entering ? "Entering" : "Leaving", path);
	dr_session_message(s, DR_NOTICE, dr_buf_cstr(&s->text));
}
