#include "config.h"

#include "cli.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os.h"

/* What all who share our standard output share too. A device that everybody has, as /dev/null, is none of that:
 * only where make, too, locks it. */
static bool
is_shared(int fd, bool with_make)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (with_make || isatty(fd) || !S_ISCHR(st.st_mode));
}

/* When the first of it is written: make's flags are known by then. */
static void
choose(struct dr_reporter *r)
{
	const struct dr_makeflags *m = &r->session->makeflags;

	r->lock_known = true;
	if (m->sync_mutex.n)
		r->lock = r->mutex = open(dr_buf_cstr(&m->sync_mutex), O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (r->lock < 0 && is_shared(STDOUT_FILENO, m->output_sync))
		r->lock = STDOUT_FILENO;
	else if (r->lock < 0 && is_shared(STDERR_FILENO, m->output_sync))
		r->lock = STDERR_FILENO;
}

/* The first byte, by the process and waiting, as make does it under -O: so its groups and ours exclude each other. What
 * cannot be locked is written all the same. */
static void
lock(int fd, short type)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };

	if (fd >= 0)
		(void)fcntl(fd, F_SETLKW, &l);
}

void
dr_cli_lock(struct dr_reporter *r)
{
	if (!r->lock_known)
		choose(r);
	if (!r->locked++)
		lock(r->lock, F_WRLCK);
}

void
dr_cli_unlock(struct dr_reporter *r)
{
	if (!--r->locked)
		lock(r->lock, F_UNLCK);
}

void
dr_cli_lock_close(struct dr_reporter *r)
{
	dr_close(&r->mutex);
	r->lock = -1;
}
