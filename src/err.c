#include "config.h"

#include "err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Formats into dst, of which size bytes can be used. What is too long is cut between two characters, not
 * within one. */
__attribute__((format(printf, 3, 0))) static void
format(char *dst, size_t size, const char *fmt, va_list ap)
{
	int n = vsnprintf(dst, size, fmt, ap);

	if (n < 0) {
		snprintf(dst, size, "%s", fmt);
	} else if ((size_t)n >= size) {
		size_t end = size - 1;

		while (end > 0 && ((unsigned char)dst[end - 1] & 0xc0) == 0x80)
			end--;
		if (end > 0 && (unsigned char)dst[end - 1] >= 0xc0)
			end--;
		dst[end] = '\0';
	}
}

/* msg is formatted elsewhere first, since its arguments may be what err holds (a caller adds its context to
 * an error that it got). */
static void
fill(struct dr_err *err, enum dr_code code, int sys, const char *msg)
{
	err->code = code;
	err->sys = sys;
	err->line = 0;
	err->col = 0;
	err->file[0] = '\0';
	snprintf(err->msg, sizeof(err->msg), "%s", msg);
}

int
dr_err_set(struct dr_err *err, enum dr_code code, const char *fmt, ...)
{
	char msg[sizeof(err->msg)];
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	format(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	fill(err, code, 0, msg);
	return -1;
}

int
dr_err_sys(struct dr_err *err, int sys, const char *fmt, ...)
{
	char msg[sizeof(err->msg)];
	const char *why;
	size_t n;
	va_list ap;

	if (!err)
		return -1;
	/* The reason is what must not be lost when the rest is too long. */
	why = strerror(sys);
	n = strlen(why) + 2;
	va_start(ap, fmt);
	format(msg, n < sizeof(msg) ? sizeof(msg) - n : 1, fmt, ap);
	va_end(ap);
	n = strlen(msg);
	snprintf(msg + n, sizeof(msg) - n, ": %s", why);
	fill(err, DR_SYSTEM, sys, msg);
	return -1;
}

int
dr_err_nomem(struct dr_err *err)
{
	if (err)
		fill(err, DR_SYSTEM, ENOMEM, "out of memory");
	return -1;
}

static void
free_diag(struct dr_diag *d)
{
	free(d->file);
	free(d->text);
	free(d->msg);
	memset(d, 0, sizeof(*d));
}

void
dr_diag_add(struct dr_diags *d, const char *file, uint32_t line, uint32_t col, const char *text,
	    uint32_t textlen, const char *fmt, ...)
{
	struct dr_diag *v;
	char msg[sizeof(((struct dr_err *)0)->msg)];
	va_list ap;

	d->total++;
	if (d->n == DR_DIAGS_MAX)
		return;
	v = &d->v[d->n];
	va_start(ap, fmt);
	format(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	v->line = line;
	v->col = col;
	v->msg = strdup(msg);
	v->file = file ? strdup(file) : NULL;
	v->text = text ? malloc((size_t)textlen + 1) : NULL;
	if (!v->msg || (file && !v->file) || (text && !v->text)) {
		free_diag(v);
		return;
	}
	if (text) {
		memcpy(v->text, text, textlen);
		v->text[textlen] = '\0';
	}
	d->n++;
}

void
dr_diags_free(struct dr_diags *d)
{
	for (uint32_t i = 0; i < d->n; i++)
		free_diag(&d->v[i]);
	d->n = 0;
	d->total = 0;
}
