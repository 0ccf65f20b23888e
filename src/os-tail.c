#include "config.h"

#include "os.h"

#include <string.h>

#include "str.h"

enum { TAIL = 4096 };

int
dr_tail(int fd, uint64_t at, uint64_t len, uint32_t lines, struct dr_buf *out)
{
	size_t want = len < TAIL ? (size_t)len : TAIL, start, end;
	char tail[TAIL];
	ssize_t n = dr_pread_full(fd, tail, want, (off_t)(at + len - want));

	if (n <= 0)
		return -1;
	end = (size_t)n;
	end -= tail[end - 1] == '\n';
	for (start = end; start > 0; start--)
		if (tail[start - 1] == '\n' && !--lines)
			break;
	if (start == 0 && len > want) {
		const char *nl = memchr(tail, '\n', end);

		start = nl ? (size_t)(nl - tail) + 1 : 0; /* not a line's second half */
	}
	dr_buf_add(out, tail + start, end - start);
	return 0;
}
