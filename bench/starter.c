/* What a loop in C costs that starts commands and waits for them, and nothing else: no graph, no record, no output kept.
 *
 *   starter spawn|vfork SLOTS direct|shell < COMMANDS
 *
 * A command a line. direct: words between single blanks; shell: the line for sh -c. `spawn` is what one writes:
 * posix_spawn, then wait for whichever ends, from one thread. `vfork` is the least that starting can cost here: a thread
 * for each slot, a vfork without any attribute, and a wait for the child that it has. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MAX_WORDS = 15 };

struct list {
	char *(*argv)[MAX_WORDS + 1];
	size_t n;
	atomic_size_t next;
	atomic_bool failed;
};

static char *
slurp(void)
{
	size_t n = 0, cap = 1 << 16;
	char *p = malloc(cap);
	ssize_t got;

	while (p && (got = read(0, p + n, cap - n - 1)) > 0) {
		n += (size_t)got;
		if (n == cap - 1)
			p = realloc(p, cap *= 2);
	}
	if (p)
		p[n] = '\0';
	return p;
}

static int
words(char *line, char *argv[MAX_WORDS + 1])
{
	int n = 0;

	for (char *w = strtok(line, " "); w; w = strtok(NULL, " ")) {
		if (n == MAX_WORDS)
			return -1;
		argv[n++] = w;
	}
	argv[n] = NULL;
	return n ? 0 : -1;
}

static int
read_list(struct list *l, bool shell)
{
	static char sh[] = "/bin/sh", c[] = "-c";
	size_t cap = 0;
	char *p = slurp(), *end;

	for (; p && *p; p = end + 1) {
		end = strchr(p, '\n');
		if (!end)
			return -1;
		*end = '\0';
		if (l->n == cap) {
			cap = cap ? cap * 2 : 1024;
			l->argv = realloc(l->argv, cap * sizeof(*l->argv));
			if (!l->argv)
				return -1;
		}
		if (shell) {
			l->argv[l->n][0] = sh;
			l->argv[l->n][1] = c;
			l->argv[l->n][2] = p;
			l->argv[l->n][3] = NULL;
		} else if (words(p, l->argv[l->n])) {
			return -1;
		}
		l->n++;
	}
	return p ? 0 : -1;
}

/* One slot: starts, waits, goes on. */
static void *
slot(void *arg)
{
	struct list *l = arg;
	size_t i;
	int status;
	pid_t pid;

	while ((i = atomic_fetch_add(&l->next, 1)) < l->n) {
		pid = vfork();
		if (pid == 0) {
			execvp(l->argv[i][0], l->argv[i]);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
			atomic_store(&l->failed, true);
	}
	return NULL;
}

static void
by_threads(struct list *l, int slots)
{
	pthread_t *t = calloc((size_t)slots, sizeof(*t));
	int n = 0;

	while (t && n < slots && pthread_create(&t[n], NULL, slot, l) == 0)
		n++;
	if (n < slots)
		atomic_store(&l->failed, true);
	while (n)
		pthread_join(t[--n], NULL);
	free(t);
}

static void
by_loop(struct list *l, int slots)
{
	int running = 0, status;
	size_t i = 0;
	pid_t pid;

	while (i < l->n || running) {
		while (i < l->n && running < slots) {
			if (posix_spawnp(&pid, l->argv[i][0], NULL, NULL, l->argv[i], environ))
				atomic_store(&l->failed, true);
			else
				running++;
			i++;
		}
		if (running && wait(&status) > 0) {
			running--;
			if (status != 0)
				atomic_store(&l->failed, true);
		}
	}
}

int
main(int argc, char **argv)
{
	static struct list l;

	if (argc != 4 || read_list(&l, strcmp(argv[3], "shell") == 0)) {
		fprintf(stderr, "starter: cannot read the list\n");
		return 2;
	}
	if (strcmp(argv[1], "vfork") == 0)
		by_threads(&l, atoi(argv[2]));
	else
		by_loop(&l, atoi(argv[2]));
	return atomic_load(&l.failed);
}
