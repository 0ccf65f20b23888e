/* A step of a pipeline that can be watched: writes down that it has begun, waits, and concatenates.
 *
 *   step LOG MILLISECONDS OUTPUT INPUT…
 *
 * A line of LOG is the time in nanoseconds since 1970, the number of inputs, and the first of them. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int
copy(int out, const char *from)
{
	static char buf[1 << 17];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (in < 0)
		return -1;
	while ((n = read(in, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0, w; at < n; at += w) {
			w = write(out, buf + at, (size_t)(n - at));
			if (w < 0)
				return -1;
		}
	close(in);
	return n < 0 ? -1 : 0;
}

int
main(int argc, char **argv)
{
	struct timespec now, rest;
	char line[4096];
	long ms;
	int log, out, n;

	if (argc < 5)
		return 2;
	clock_gettime(CLOCK_REALTIME, &now);
	log = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	n = snprintf(line, sizeof(line), "%lld%09ld %d %s\n", (long long)now.tv_sec, now.tv_nsec, argc - 4, argv[4]);
	if (log < 0 || n < 0 || (size_t)n >= sizeof(line) || write(log, line, (size_t)n) != n)
		return 1;
	ms = strtol(argv[2], NULL, 10);
	rest = (struct timespec){ ms / 1000, ms % 1000 * 1000000 };
	while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
		;
	out = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (out < 0)
		return 1;
	for (int i = 4; i < argc; i++)
		if (copy(out, argv[i])) {
			fprintf(stderr, "step: %s: %s\n", argv[i], strerror(errno));
			return 1;
		}
	return close(out) ? 1 : 0;
}
