/*
 * tally letters FILE   how often each letter occurs, whatever its case
 * tally lengths FILE   how many words there are of each length
 * tally add TABLE…     such tables as one
 *
 * A table has a line for each letter or length that occurs, in order: its number, a tab, how often.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 100 }; /* a longer word counts as one of 99 letters */

static unsigned long count[MOST];

static void
letters(FILE *f)
{
	int c;

	while ((c = getc(f)) != EOF)
		if (isascii(c) && isalpha(c))
			count[tolower(c) - 'a' + 1]++;
}

static void
lengths(FILE *f)
{
	int c, n = 0;

	do {
		c = getc(f);
		if (c != EOF && isascii(c) && isalpha(c)) {
			n++;
		} else if (n > 0) {
			count[n < MOST ? n : MOST - 1]++;
			n = 0;
		}
	} while (c != EOF);
}

static void
add(FILE *f)
{
	unsigned long i, n;

	while (fscanf(f, "%lu %lu", &i, &n) == 2)
		if (i < MOST)
			count[i] += n;
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*read)(FILE *);
	} modes[] = { { "letters", letters }, { "lengths", lengths }, { "add", add } };
	size_t mode = 0;

	while (argc > 2 && mode < 3 && strcmp(argv[1], modes[mode].name))
		mode++;
	if (argc <= 2 || mode == 3) {
		fprintf(stderr, "usage: tally letters|lengths|add FILE...\n");
		return 2;
	}
	for (int i = 2; i < argc; i++) {
		FILE *f = fopen(argv[i], "r");

		if (!f) {
			fprintf(stderr, "tally: %s: %s\n", argv[i], strerror(errno));
			return 1;
		}
		modes[mode].read(f);
		fclose(f);
	}
	for (int i = 0; i < MOST; i++)
		if (count[i] > 0)
			printf("%d\t%lu\n", i, count[i]);
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
