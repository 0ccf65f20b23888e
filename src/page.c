#include "config.h"

#include "page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "os.h"
#include "page-text.h"

static void
add_lines(struct dr_page *p, const char *const *lines)
{
	for (; *lines; lines++)
		dr_buf_adds(p->out, *lines);
}

/* Names are data, and can do nothing even where we had forgotten to escape one: a script runs only with the
 * nonce, and nothing is loaded from anywhere. Styles may stand where they are, as pictures bring their own.
 * */
void
dr_page_begin(struct dr_page *p, struct dr_buf *out, const char *title)
{
	*p = (struct dr_page){ .out = out };
	p->json = (struct dr_json){ .out = &p->data, .one_line = true };
	snprintf(p->nonce, sizeof(p->nonce), "%016" PRIx64 "%016" PRIx64, dr_random64(), dr_random64());
	dr_json_begin(&p->json, NULL);
	dr_buf_addf(out,
		    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
		    "'unsafe-inline'; "
		    "script-src 'nonce-%s'; base-uri 'none'; form-action 'none'\">\n"
		    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		    "<meta name=\"color-scheme\" content=\"light dark\">\n",
		    p->nonce);
	dr_buf_adds(&p->text, title);
	dr_page_put(p, "<title>", "</title>\n<style>\n");
	add_lines(p, dr_page_css);
	dr_buf_adds(out, "</style>\n</head>\n<body>\n");
}

/* U+FFFE and U+FFFF are UTF-8, and HTML calls them an error. */
static bool
is_none(const char *p, size_t n)
{
	return n >= 3 && p[0] == '\xef' && p[1] == '\xbf' && (p[2] == '\xbe' || p[2] == '\xbf');
}

/* Inside <script> nothing is escaped but by JSON itself: without a '<' there is neither an end of it nor a
 * comment. */
static void
add_data(struct dr_page *p)
{
	const char *from = dr_buf_cstr(&p->data), *to;

	dr_buf_adds(p->out, "<script type=\"application/json\" id=\"data\">");
	while ((to = strpbrk(from, "<\xef")) != NULL) {
		bool none = is_none(to, strnlen(to, 3));

		dr_buf_add(p->out, from, (size_t)(to - from) + (*to != '<' && !none));
		if (*to == '<' || none)
			dr_buf_adds(p->out, none ? "\\ufffd" : "\\u003c");
		from = to + (none ? 3 : 1);
	}
	dr_buf_adds(p->out, from);
	dr_buf_adds(p->out, "</script>\n");
}

void
dr_page_end(struct dr_page *p, const char *const *const *scripts)
{
	dr_json_end(&p->json);
	add_data(p);
	dr_buf_addf(p->out, "<script nonce=\"%s\">\n\"use strict\";\n", p->nonce);
	for (; *scripts; scripts++)
		add_lines(p, *scripts);
	dr_buf_adds(p->out, "</script>\n</body>\n</html>\n");
	p->out->failed |= p->data.failed || p->text.failed;
	dr_buf_free(&p->data);
	dr_buf_free(&p->text);
}

void
dr_page_escape(struct dr_buf *out, struct dr_str s)
{
	struct dr_buf shown = { 0 };
	struct dr_str left;

	dr_buf_escape(&shown, s);
	out->failed |= shown.failed;
	for (left = dr_buf_str(&shown); left.n; left.p++, left.n--) {
		switch (*left.p) {
		case '&':
			dr_buf_adds(out, "&amp;");
			break;
		case '<':
			dr_buf_adds(out, "&lt;");
			break;
		case '>':
			dr_buf_adds(out, "&gt;");
			break;
		case '"':
			dr_buf_adds(out, "&quot;");
			break;
		case '\'':
			dr_buf_adds(out, "&#39;");
			break;
		default:
			if (!is_none(left.p, left.n)) {
				dr_buf_addc(out, *left.p);
				break;
			}
			dr_buf_adds(out, "\xef\xbf\xbd");
			left.p += 2;
			left.n -= 2;
		}
	}
	dr_buf_free(&shown);
}

void
dr_page_put(struct dr_page *p, const char *before, const char *after)
{
	dr_buf_adds(p->out, before);
	dr_page_escape(p->out, dr_buf_str(&p->text));
	p->out->failed |= p->text.failed;
	dr_buf_reset(&p->text);
	dr_buf_adds(p->out, after);
}
