/* What it costs to look at files, and nothing else: the least that finding "nothing to do" can cost.
 *
 *   looker THREADS COUNT DIRECTORY FORMAT [DIRECTORY FORMAT…]
 *
 * In each directory the files that a format makes of 1 to COUNT, by statx relative to the directory, in so many
 * threads. */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct share {
	int dir;
	const char *format;
	unsigned long from, to, missing;
};

static void
number(const char *format, unsigned long i, char name[64])
{
	/* `%07lu` and its like; the driver gives nothing else. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(name, 64, format, i);
#pragma GCC diagnostic pop
}

static void *
look(void *arg)
{
	struct share *s = arg;
	struct statx sx;
	char name[64];

	for (unsigned long i = s->from; i < s->to; i++) {
		number(s->format, i, name);
		if (statx(s->dir, name, 0, STATX_TYPE | STATX_SIZE | STATX_MTIME | STATX_INO, &sx))
			s->missing++;
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	unsigned long threads = argc > 4 ? strtoul(argv[1], NULL, 10) : 0, n = threads ? strtoul(argv[2], NULL, 10) : 0;
	unsigned long missing = 0;

	if (!n)
		return 2;
	for (int d = 3; d + 1 < argc; d += 2) {
		struct share *s = calloc(threads, sizeof(*s));
		pthread_t *t = calloc(threads, sizeof(*t));
		int dir = open(argv[d], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (!s || !t || dir < 0)
			return 2;
		for (unsigned long i = 0; i < threads; i++) {
			s[i] = (struct share){ dir, argv[d + 1], 1 + n * i / threads, 1 + n * (i + 1) / threads, 0 };
			if (pthread_create(&t[i], NULL, look, &s[i]))
				return 2;
		}
		for (unsigned long i = 0; i < threads; i++) {
			pthread_join(t[i], NULL);
			missing += s[i].missing;
		}
		close(dir);
		free(s);
		free(t);
	}
	return missing != 0;
}
