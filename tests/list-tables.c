/* Prints what the program's tables hold, a line each, for tests/check-manual. */
#include "config.h"

#include <stdio.h>

#include "err.h"
#include "options.h"
#include "parse-stage.h"
#include "parse.h"

static void
list_options(void)
{
	static const char *const takes[] = {
		[DR_ARG_NONE] = "none", [DR_ARG_NEEDED] = "needed", [DR_ARG_MAYBE] = "maybe"
	};

	for (uint32_t i = 0; i < dr_option_count; i++) {
		const struct dr_option *o = &dr_option_table[i];

		printf("option\t%s\t%c\t%s\t%s\n", o->name ? o->name : "", o->letter ? o->letter : ' ',
		       takes[o->arg], o->value ? o->value : "");
	}
}

static void
list(const char *what, const char *const *names)
{
	for (; *names; names++)
		printf("%s\t%s\n", what, *names);
}

/* With the kinds of stages that may have it. */
static void
list_stage_keys(void)
{
	for (unsigned k = 0; k < DR_STAGE_KEYS; k++) {
		printf("stage\t%s\t", dr_parse_stage_keys[k]);
		for (unsigned kind = 0; kind < DR_STAGE_KINDS; kind++) {
			if (dr_stage_key_kinds[k] & 1U << kind)
				printf(" %s", dr_parse_kinds[kind]);
		}
		putchar('\n');
	}
}

/* The compiler warns of an exit code that is not here. */
static const char *
code_name(enum dr_code code)
{
	switch (code) {
	case DR_OK: return "ok";
	case DR_FAILED: return "failed";
	case DR_USAGE: return "usage";
	case DR_STATE: return "state";
	case DR_SYSTEM: return "system";
	}
	return NULL;
}

int
main(void)
{
	list_options();
	list("block", dr_parse_blocks);
	list("args", dr_parse_args_keys);
	list_stage_keys();
	list("placeholder", dr_parse_placeholders);
	for (int code = 0; code_name((enum dr_code)code); code++)
		printf("code\t%d\t%s\n", code, code_name((enum dr_code)code));
	return 0;
}
