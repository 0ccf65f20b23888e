#include "config.h"

#include "lex.h"

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_name_byte(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

size_t
dr_lex_name(struct dr_str s)
{
	size_t n = 0;

	if (!s.n || !is_letter(s.p[0]))
		return 0;
	while (n < s.n && is_name_byte(s.p[n]))
		n++;
	return n;
}

bool
dr_lex_is_name(struct dr_str s)
{
	return s.n && dr_lex_name(s) == s.n;
}

enum dr_brace
dr_lex_brace(struct dr_str s, size_t at, size_t *end)
{
	enum dr_brace kind = DR_BRACE_NAME;
	size_t i = at + 1, n;

	for (;;) {
		n = dr_lex_name((struct dr_str){ s.p + i, s.n - i });
		i += n;
		if (!n || i == s.n)
			return DR_BRACE_NONE;
		if (s.p[i] == '}')
			break;
		if (s.p[i] == ':' && kind == DR_BRACE_NAME)
			kind = DR_BRACE_FORM;
		else if (s.p[i] != '.' || kind == DR_BRACE_FORM)
			return DR_BRACE_NONE;
		i++;
	}
	*end = i + 1;
	return kind;
}
