#include "config.h"

#include "jobserver-pool.h"

#include <string.h>

/* Letters of make's options whose argument is the rest of the word. */
static const char with_argument[] = "CEIOWflo";

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static bool
digits(struct dr_str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	return s.n > 0 && n == s.n;
}

static bool
begins(struct dr_str s, const char *with)
{
	size_t n = strlen(with);

	return s.n >= n && memcmp(s.p, with, n) == 0;
}

/* The word at *p as it is written, a backslash with what follows it; empty at the end. */
static struct dr_str
next_word(const char **p)
{
	const char *from;

	while (blank(**p))
		++*p;
	from = *p;
	while (**p && !blank(**p))
		*p += **p == '\\' && (*p)[1] ? 2 : 1;
	return (struct dr_str){ from, (size_t)(*p - from) };
}

static bool
names_jobserver(struct dr_str word)
{
	return begins(word, "--jobserver-auth=") || begins(word, "--jobserver-fds=");
}

/* Adds a cluster of single-letter options without its j; true if that was its last, without a number. */
static bool
add_letters(struct dr_buf *to, struct dr_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == 'j') {
			size_t from = i + 1;

			while (i + 1 < s.n && s.p[i + 1] >= '0' && s.p[i + 1] <= '9')
				i++;
			if (i + 1 == from && from == s.n)
				return true;
		} else if (strchr(with_argument, s.p[i])) {
			dr_buf_add(to, s.p + i, s.n - i);
			return false;
		} else {
			dr_buf_addc(to, s.p[i]);
		}
	}
	return false;
}

/* One word before the `--`; true if a number after it belongs to it. */
static bool
add_option(struct dr_buf *to, struct dr_str word)
{
	size_t before = to->n;
	bool open;

	if (names_jobserver(word) || begins(word, "--jobs="))
		return false;
	if (dr_str_is(word, "--jobs"))
		return true;
	dr_buf_addc(to, ' ');
	if (word.n < 2 || word.p[0] != '-' || word.p[1] == '-') {
		dr_buf_addstr(to, word);
		return false;
	}
	dr_buf_addc(to, '-');
	open = add_letters(to, (struct dr_str){ word.p + 1, word.n - 1 });
	/* Nothing but a j */
	if (!to->failed && to->n == before + 2)
		to->n = before;
	return open;
}

int
dr_flag_words_split(const char *makeflags, struct dr_flag_words *out)
{
	const char *p = makeflags ? makeflags : "";
	bool first = true, number = false, variables = false;
	struct dr_str word;

	memset(out, 0, sizeof(*out));
	for (word = next_word(&p); word.n; word = next_word(&p), first = false) {
		if (variables) {
			if (!names_jobserver(word)) {
				dr_buf_addc(&out->variables, ' ');
				dr_buf_addstr(&out->variables, word);
			}
		} else if (dr_str_is(word, "--")) {
			variables = true;
		} else if (number && digits(word)) {
			number = false;
		} else if (first && word.p[0] != '-' && !memchr(word.p, '=', word.n)) {
			number = add_letters(&out->letters, word);
		} else {
			number = add_option(&out->options, word);
		}
	}
	if (!out->letters.failed && !out->options.failed && !out->variables.failed)
		return 0;
	dr_flag_words_free(out);
	return -1;
}

void
dr_flag_words_free(struct dr_flag_words *w)
{
	dr_buf_free(&w->letters);
	dr_buf_free(&w->options);
	dr_buf_free(&w->variables);
}
