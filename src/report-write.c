#include "config.h"

#include "report-private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os.h"

/* Beside the page, on the same file system, hidden. Made and opened; *name is to be freed. -1 with errno. */
static int
open_temporary(const char *path, char **name)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) + 1 : 0, size = n + 64;
	int fd;

	*name = malloc(size);
	if (!*name)
		return -1;
	memcpy(*name, path, n);
	snprintf(*name + n, size - n, ".dagrun-report-%016" PRIx64, dr_random64());
	fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0) {
		int was = errno;

		free(*name);
		*name = NULL;
		errno = was;
	}
	return fd;
}

static int
refuse(const char *path, struct dr_err *err)
{
	return dr_err_sys(err, errno, "--report: write %s", path);
}

/* A link stays one: what it leads to is replaced. */
static void
follow(struct dr_report *r)
{
	char path[PATH_MAX], *copy;

	if (!realpath(r->page_path, path))
		return;
	copy = strdup(path);
	if (copy) {
		free(r->page_path);
		r->page_path = copy;
	}
}

int
dr_report_check_page(struct dr_report *r, struct dr_err *err)
{
	struct stat st;
	char *name;
	int fd;

	r->page_regular = stat(r->page_path, &st) || S_ISREG(st.st_mode);
	if (!r->page_regular) {
		/* A pipe or a device gets the page in the end. To open it now might keep us waiting for a
		 * reader. */
		if (S_ISDIR(st.st_mode))
			errno = EISDIR;
		else if (access(r->page_path, W_OK) == 0)
			return 0;
		return refuse(r->page_path, err);
	}
	follow(r);
	fd = open_temporary(r->page_path, &name);
	if (fd < 0)
		return refuse(r->page_path, err);
	dr_close(&fd);
	unlink(name);
	free(name);
	return 0;
}

static int
replace(struct dr_report *r, const struct dr_buf *page, struct dr_err *err)
{
	char *name;
	int fd = open_temporary(r->page_path, &name), rc;

	if (fd < 0)
		return refuse(r->page_path, err);
	rc = dr_write_full(fd, page->p, page->n);
	if (close(fd) && rc == 0)
		rc = -1;
	if (rc == 0)
		rc = rename(name, r->page_path);
	if (rc) {
		refuse(r->page_path, err);
		unlink(name);
	}
	free(name);
	return rc;
}

static int
pour(struct dr_report *r, const struct dr_buf *page, struct dr_err *err)
{
	int fd = open(r->page_path, O_WRONLY | O_CLOEXEC | O_NOCTTY), rc;

	rc = fd < 0 || dr_write_full(fd, page->p, page->n) ? refuse(r->page_path, err) : 0;
	dr_close(&fd);
	return rc;
}

int
dr_report_write_page(struct dr_report *r, int64_t now, struct dr_err *err)
{
	struct dr_report_view v = { .r = r, .plan = r->b.plan, .now = now - r->b.now };
	struct dr_buf page = { 0 };
	int rc;

	if (!r->page_regular && !r->over)
		return 0;
	rc = dr_report_view_make(&v, err);
	if (rc == 0)
		rc = dr_report_page(&v, &page, err);
	dr_report_view_free(&v);
	if (rc == 0)
		rc = r->page_regular ? replace(r, &page, err) : pour(r, &page, err);
	dr_buf_free(&page);
	return rc;
}
