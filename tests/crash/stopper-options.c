#define _GNU_SOURCE

#include "stopper.h"

#include "calls.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
die(int status, const char *what)
{
	fprintf(stderr, "stopper: %s: %s\n", what, strerror(errno));
	exit(status);
}

static long
number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (n < 1 || *end) {
		fprintf(stderr, "stopper: no number: %s\n", text);
		exit(99);
	}
	return n;
}

static int
word(const char *text, const char *const *words)
{
	for (int i = 0; words[i]; i++) {
		if (strcmp(text, words[i]) == 0)
			return i;
	}
	fprintf(stderr, "stopper: what is %s?\n", text);
	exit(99);
}

/* CALL=HOW,WHEN[+] */
static void
parse_failure(struct stopper *s, char *text)
{
	char *how = strchr(text, '='), *when = how ? strchr(how, ',') : NULL;
	size_t i = 0, n = sizeof(errnos) / sizeof(*errnos), len;

#ifndef __x86_64__
	errno = ENOSYS;
	die(77, "have calls fail");
#endif
	if (!when || !when[1]) {
		fprintf(stderr, "stopper: what is %s?\n", text);
		exit(99);
	}
	*how++ = *when++ = '\0';
	len = strlen(when);
	s->ever = when[len - 1] == '+';
	if (s->ever)
		when[len - 1] = '\0';
	s->when = number(when);
	while (i < n && strcmp(errnos[i].name, how) != 0)
		i++;
	if (i == n) {
		fprintf(stderr, "stopper: unknown: %s\n", how);
		exit(99);
	}
	s->error = errnos[i].value;
	s->kind = text;
}

static FILE *
open_out(const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f)
		die(99, path);
	return f;
}

void
parse(struct stopper *s, int argc, char **argv)
{
	static const char *const whos[] = { "first", "guardian", "task", NULL };
	static const char *const whoms[] = { "none", "first", "guardian", "both", "tree", "task", NULL };
	static const char *const afters[] = { "wait", "kill", "leave", NULL };
	int c;

	while ((c = getopt(argc, argv, "+t:i:n:xk:a:e:l:w:o:")) != -1) {
		switch (c) {
		case 't':
			s->who = (enum target)word(optarg, whos);
			break;
		case 'i':
			s->index = number(optarg);
			break;
		case 'n':
			s->at = number(optarg);
			break;
		case 'x':
			s->on_exit = true;
			break;
		case 'k':
			s->whom = (enum whom)word(optarg, whoms);
			break;
		case 'a':
			s->after = (enum after)word(optarg, afters);
			break;
		case 'e':
			parse_failure(s, optarg);
			break;
		case 'l':
			s->list = open_out(optarg);
			break;
		case 'w':
			s->patience = number(optarg);
			break;
		case 'o':
			s->out = open_out(optarg);
			break;
		default:
			exit(99);
		}
	}
	if (optind == argc) {
		fprintf(stderr, "stopper: a command is missing\n");
		exit(99);
	}
}
