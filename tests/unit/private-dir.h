/* A directory that nobody else has, below TMPDIR. */
#ifndef PRIVATE_DIR_H
#define PRIVATE_DIR_H

#include <stdio.h>
#include <stdlib.h>

/* Its absolute path begins with `prefix` behind TMPDIR. 0, or -1 with errno or if path, of size bytes, is too short. */
static inline int
private_dir(const char *prefix, char *path, size_t size)
{
	const char *tmp = getenv("TMPDIR");
	int n = snprintf(path, size, "%s/%sXXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp", prefix);

	return n < 0 || (size_t)n >= size || !mkdtemp(path) ? -1 : 0;
}

#endif
