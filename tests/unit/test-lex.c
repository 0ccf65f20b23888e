#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "err.h"
#include "lex.h"
#include "pipeline.h"

/* One source and a lexer over it. */
struct source {
	struct dr_pipeline p;
	struct dr_source s;
	struct dr_diags diags;
	struct dr_lexer *lexer;
	struct dr_line line;
};

static void
open_bytes(struct source *s, const char *text, size_t n)
{
	*s = (struct source){ .s = { .name = "Dagfile", .text = { text, n } } };
	s->p.sources = &s->s;
	s->p.n_sources = 1;
	s->lexer = dr_lexer_new(&s->p, 0, &s->diags);
	assert_non_null(s->lexer);
}

static void
open_text(struct source *s, const char *text)
{
	open_bytes(s, text, strlen(text));
}

static void
close_text(struct source *s)
{
	dr_arena_free(&s->p.arena);
	dr_diags_free(&s->diags);
}

static void
assert_str(struct dr_str got, const char *want)
{
	if (!dr_str_is(got, want))
		fail_msg("'%.*s' is not '%s'", (int)got.n, got.p, want);
}

static struct dr_line *
next(struct source *s)
{
	assert_int_equal(dr_lexer_next(s->lexer, &s->line), 0);
	return &s->line;
}

static void
assert_head(struct source *s, const char *head, const char *words)
{
	struct dr_line *l = next(s);

	assert_int_equal(l->kind, DR_LINE_HEAD);
	assert_str(l->head, head);
	assert_str(l->words.text, words);
}

static void
assert_key(struct source *s, const char *key, const char *value)
{
	struct dr_line *l = next(s);

	assert_int_equal(l->kind, DR_LINE_KEY);
	assert_true(l->has_value);
	assert_str(l->head, key);
	assert_str(l->value.text, value);
}

static void
assert_end(struct source *s)
{
	assert_int_equal(next(s)->kind, DR_LINE_END);
	assert_int_equal(next(s)->kind, DR_LINE_END);
	assert_int_equal(s->diags.total, 0);
}

static void
assert_error(struct source *s, uint32_t i, uint32_t line, uint32_t col, const char *part)
{
	assert_true(i < s->diags.n);
	assert_int_equal(s->diags.v[i].line, line);
	assert_int_equal(s->diags.v[i].col, col);
	if (!strstr(s->diags.v[i].msg, part))
		fail_msg("'%s' does not say '%s'", s->diags.v[i].msg, part);
}

static void
assert_pos(const struct dr_value *v, const char *at, uint32_t line, uint32_t col)
{
	const char *found = strstr(v->text.p, at);
	struct dr_pos pos;

	assert_non_null(found);
	pos = dr_value_pos(v, (size_t)(found - v->text.p));
	assert_int_equal(pos.line, line);
	assert_int_equal(pos.col, col);
}

static void
test_heads(void **state)
{
	struct source s;

	(void)state;
	open_text(&s, "map align\nlet work=a = b\nlet x\nenv.A=1=2\ndefault a=b c\ndefault = x\ninclude 'a "
		      "b'\nx\n");
	assert_head(&s, "map", "align");
	assert_false(s.line.has_value);
	assert_int_equal(s.line.words.pos.col, 5);
	assert_head(&s, "let", "work");
	assert_true(s.line.has_value);
	assert_str(s.line.value.text, "a = b");
	assert_int_equal(s.line.value.pos.col, 10);
	assert_head(&s, "let", "x");
	assert_false(s.line.has_value);
	assert_head(&s, "env.A", "");
	assert_str(s.line.value.text, "1=2");
	assert_head(&s, "default", "a=b c");
	assert_false(s.line.has_value);
	assert_head(&s, "default", "");
	assert_str(s.line.value.text, "x");
	assert_head(&s, "include", "'a b'");
	assert_head(&s, "x", "");
	assert_int_equal(s.line.pos.line, 8);
	assert_end(&s);
	close_text(&s);
}

static void
test_keys(void **state)
{
	struct source s;

	(void)state;
	open_text(&s, "# c\n\nmap m\n  # c\n  a = b  \n  c  =  d # e \t\n\n  e==f\n  g =\n");
	assert_head(&s, "map", "m");
	assert_key(&s, "a", "b");
	assert_int_equal(s.line.pos.line, 5);
	assert_int_equal(s.line.pos.col, 3);
	assert_int_equal(s.line.value.pos.col, 7);
	assert_key(&s, "c", "d # e");
	assert_key(&s, "e", "=f");
	assert_key(&s, "g", "");
	assert_end(&s);
	close_text(&s);
}

static void
test_continuation(void **state)
{
	struct source s;

	(void)state;
	open_text(&s, "map m\n  a = one \\\n      two\\\nthree\n  b = x\\\\\n  c = d\n");
	assert_head(&s, "map", "m");
	assert_key(&s, "a", "one twothree");
	assert_pos(&s.line.value, "ne", 2, 8);
	assert_pos(&s.line.value, "two", 3, 7);
	assert_pos(&s.line.value, "three", 4, 1);
	assert_pos(&s.line.value, "ree", 4, 3);
	assert_key(&s, "b", "x\\\\");
	assert_key(&s, "c", "d");
	assert_int_equal(s.line.pos.line, 6);
	assert_end(&s);
	close_text(&s);
}

static void
test_blocks(void **state)
{
	struct source s;

	(void)state;
	open_text(&s, "map m\n"
		      "  run =\n"
		      "      one \\\n"
		      "        # two\n"
		      "\n"
		      "# a comment of the Dagfile\n"
		      "      three  \n"
		      "\n"
		      "  # and one\n"
		      "  b = c\n"
		      "  d =\n"
		      "    last");
	assert_head(&s, "map", "m");
	assert_key(&s, "run", "one \\\n  # two\n\nthree");
	assert_true(s.line.value.block);
	assert_pos(&s.line.value, "one", 3, 7);
	assert_pos(&s.line.value, "# two", 4, 9);
	assert_pos(&s.line.value, "three", 7, 7);
	assert_key(&s, "b", "c");
	assert_false(s.line.value.block);
	assert_key(&s, "d", "last");
	assert_end(&s);
	close_text(&s);
}

static void
test_blocks_at_the_margin(void **state)
{
	struct source s;

	(void)state;
	open_text(&s, "let a =\n\tone\n\t two\ndefault =\n  x\n  y\nmap m\n\trun =\n\t\ta\n\tb = c\n");
	assert_head(&s, "let", "a");
	assert_str(s.line.value.text, "one\n two");
	assert_head(&s, "default", "");
	assert_str(s.line.value.text, "x\ny");
	assert_head(&s, "map", "m");
	assert_key(&s, "run", "a");
	assert_key(&s, "b", "c");
	assert_end(&s);
	close_text(&s);
}

static void
test_ends_of_lines(void **state)
{
	struct source s;

	(void)state;
	open_text(&s, "\xef\xbb\xbfmap m\r\n  a = b\r\n  c = d \\\r\n  e\r\n  f =\r\n    g\r\n");
	assert_head(&s, "map", "m");
	assert_key(&s, "a", "b");
	assert_key(&s, "c", "d e");
	assert_key(&s, "f", "g");
	assert_end(&s);
	close_text(&s);
	open_text(&s, "");
	assert_end(&s);
	close_text(&s);
}

static void
test_indentation(void **state)
{
	struct source s;

	(void)state;
	open_text(&s, "map m\n  a = 1\n\tb = 2\n    c = 3\n d = 4\n  e =\n    f\n\t\tg\nmap n\n\ta = 1\n");
	while (next(&s)->kind != DR_LINE_END)
		;
	assert_int_equal(s.diags.total, 4);
	assert_error(&s, 0, 3, 1, "mixed indentation");
	assert_error(&s, 1, 4, 5, "deeper");
	assert_error(&s, 2, 5, 2, "less");
	assert_error(&s, 3, 8, 1, "mixed indentation");
	close_text(&s);
}

static void
test_broken_lines(void **state)
{
	static const char text[] = "map m\n  a b\n  c = d\0e\nlet x = \\";
	struct source s;

	(void)state;
	open_bytes(&s, text, sizeof(text) - 1);
	while (next(&s)->kind != DR_LINE_END)
		;
	assert_int_equal(s.diags.total, 3);
	assert_error(&s, 0, 3, 8, "byte 0");
	assert_error(&s, 1, 2, 3, "no '='");
	assert_error(&s, 2, 4, 1, "nothing follows");
	close_text(&s);
}

static void
test_whole_value(void **state)
{
	struct source s;
	struct dr_value v;

	(void)state;
	open_text(&s, "  a # b\nc\\");
	assert_int_equal(dr_lex_value(&s.p, 0, &v), 0);
	assert_str(v.text, "  a # b\nc\\");
	assert_pos(&v, "c", 2, 1);
	close_text(&s);
	open_text(&s, "");
	assert_int_equal(dr_lex_value(&s.p, 0, &v), 0);
	assert_int_equal(v.text.n, 0);
	assert_int_equal(dr_value_pos(&v, 0).line, 1);
	close_text(&s);
}

static void
test_names(void **state)
{
	static const struct {
		const char *text;
		enum dr_brace kind;
		size_t end;
	} braces[] = {
		{ "{a}", DR_BRACE_NAME, 3 },       { "{a.b.c}x", DR_BRACE_NAME, 7 },
		{ "{in:list}", DR_BRACE_FORM, 9 }, { "{a-b_1}", DR_BRACE_NAME, 7 },
		{ "{}", DR_BRACE_NONE, 0 },        { "{1}", DR_BRACE_NONE, 0 },
		{ "{a", DR_BRACE_NONE, 0 },        { "{a.}", DR_BRACE_NONE, 0 },
		{ "{a..e}", DR_BRACE_NONE, 0 },    { "{a,b}", DR_BRACE_NONE, 0 },
		{ "{ a}", DR_BRACE_NONE, 0 },      { "{a b}", DR_BRACE_NONE, 0 },
		{ "{a:b:c}", DR_BRACE_NONE, 0 },   { "{a:b.c}", DR_BRACE_NONE, 0 },
		{ "{", DR_BRACE_NONE, 0 },
	};

	(void)state;
	assert_true(dr_lex_is_name(dr_str("a-B_1")));
	assert_false(dr_lex_is_name(dr_str("")));
	assert_false(dr_lex_is_name(dr_str("1a")));
	assert_false(dr_lex_is_name(dr_str("a.b")));
	assert_int_equal(dr_lex_name(dr_str("ab.c")), 2);
	for (size_t i = 0; i < sizeof(braces) / sizeof(*braces); i++) {
		size_t end = 0;

		assert_int_equal(dr_lex_brace(dr_str(braces[i].text), 0, &end), braces[i].kind);
		assert_int_equal(end, braces[i].end);
	}
}

static void
test_show(void **state)
{
	struct source s;
	struct dr_buf out = { 0 };

	(void)state;
	open_text(&s, "one\n\tt\xc3\xb6wo \x1b\xff x\n");
	dr_lex_error(&s.p, &s.diags, (struct dr_pos){ 0, 2, 9 }, "bad '%s'", "\n");
	dr_lex_error(&s.p, &s.diags, (struct dr_pos){ 0 }, "nowhere");
	s.s.option = true;
	dr_lex_error(&s.p, &s.diags, (struct dr_pos){ 0, 1, 1 }, "two lines");
	s.s.text = dr_str("x y");
	s.s.name = "--map";
	dr_lex_error(&s.p, &s.diags, (struct dr_pos){ 0, 1, 3 }, "a \\ stays");
	dr_diags_show(&s.diags, &out);
	assert_string_equal(dr_buf_cstr(&out), "Dagfile:2:9: bad '\\n'\n"
					       "   t\xc3\xb6wo \\x1b\\xff x\n"
					       "            ^\n"
					       "dagrun: nowhere\n"
					       "Dagfile:1:1: two lines\n"
					       "  one\n"
					       "  ^\n"
					       "--map: a \\ stays\n"
					       "  x y\n"
					       "    ^\n");
	dr_buf_free(&out);
	close_text(&s);
}

static void
test_show_more(void **state)
{
	struct source s;
	struct dr_buf out = { 0 };

	(void)state;
	open_text(&s, "x\n");
	for (int i = 0; i < DR_DIAGS_MAX + 1; i++)
		dr_lex_error(&s.p, &s.diags, (struct dr_pos){ 0, 1, 1 }, "e%d", i);
	dr_diags_show(&s.diags, &out);
	assert_non_null(strstr(dr_buf_cstr(&out), ": e19\n"));
	assert_null(strstr(dr_buf_cstr(&out), ": e20\n"));
	assert_non_null(strstr(dr_buf_cstr(&out), "^\n… and 1 more error\n"));
	dr_buf_free(&out);
	close_text(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_continuation),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_blocks_at_the_margin),
		cmocka_unit_test(test_ends_of_lines),
		cmocka_unit_test(test_indentation),
		cmocka_unit_test(test_broken_lines),
		cmocka_unit_test(test_whole_value),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_show_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
