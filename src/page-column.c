#include "config.h"

#include "page.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void
add_word(struct dr_buf *out, uint64_t word)
{
	for (;;) {
		unsigned digit = word & 31;

		word >>= 5;
		dr_buf_addc(out, digits[digit | (word ? 32 : 0)]);
		if (!word)
			return;
	}
}

static void
end_run(struct dr_column *c)
{
	uint64_t z = c->step < 0 ? (UINT64_C(0) - (uint64_t)c->step) * 2 - 1 : (uint64_t)c->step * 2;

	if (c->run > 2) {
		add_word(&c->out, z * 2 + 1);
		add_word(&c->out, c->run);
	} else {
		while (c->run-- > 0)
			add_word(&c->out, z * 2);
	}
	c->run = 0;
}

void
dr_column_add(struct dr_column *c, int64_t value)
{
	int64_t step = value - c->last;

	c->last = value;
	if (c->run && step != c->step)
		end_run(c);
	c->step = step;
	c->run++;
}

void
dr_column_end(struct dr_column *c, struct dr_json *j, const char *key)
{
	if (c->run)
		end_run(c);
	dr_json_str(j, key, dr_buf_str(&c->out));
	j->out->failed |= c->out.failed;
	dr_buf_free(&c->out);
}

/* UTF-16 has two units for what UTF-8 has four bytes for, and one for the rest. */
static int64_t
units(const char *p, size_t n)
{
	int64_t all = 0;

	for (size_t i = 0; i < n; i++)
		all += ((unsigned char)p[i] & 0xc0) == 0x80 ? 0 : (unsigned char)p[i] >= 0xf0 ? 2 : 1;
	return all;
}

void
dr_page_names_add(struct dr_page_names *n, struct dr_str name)
{
	struct dr_buf swap = n->last;
	size_t same = 0;

	dr_buf_reset(&n->name);
	dr_buf_escape(&n->name, name);
	while (same < n->name.n && same < n->last.n && n->name.p[same] == n->last.p[same])
		same++;
	/* Not within a character */
	while (same && same < n->name.n && ((unsigned char)n->name.p[same] & 0xc0) == 0x80)
		same--;
	dr_column_add(&n->shared, units(n->name.p, same));
	dr_column_add(&n->length, n->name.n ? units(n->name.p + same, n->name.n - same) : 0);
	if (n->name.n)
		dr_buf_add(&n->rest, n->name.p + same, n->name.n - same);
	n->rest.failed |= n->name.failed;
	n->last = n->name;
	n->name = swap;
}

void
dr_page_names_end(struct dr_page_names *n, struct dr_json *j, const char *key)
{
	dr_json_begin(j, key);
	dr_column_end(&n->shared, j, "shared");
	dr_column_end(&n->length, j, "length");
	dr_json_str(j, "rest", dr_buf_str(&n->rest));
	dr_json_end(j);
	j->out->failed |= n->rest.failed;
	dr_buf_free(&n->rest);
	dr_buf_free(&n->last);
	dr_buf_free(&n->name);
}
