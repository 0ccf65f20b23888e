/* What parse-stage-key (which keys a stage has) and parse-stage (what they say) share. */
#ifndef DR_PARSE_STAGE_H
#define DR_PARSE_STAGE_H

#include "parse-state.h"

enum dr_stage_key {
	DR_KEY_EACH,
	DR_KEY_BY,
	DR_KEY_IN,
	DR_KEY_IN_NAME,
	DR_KEY_OUT,
	DR_KEY_OUT_NAME,
	DR_KEY_RUN,
	DR_KEY_USES,
	DR_KEY_FRESH,
	DR_KEY_FAN_IN,
	DR_KEY_ORDER,
	DR_KEY_SHAPE,
	DR_KEY_KEEP,
	DR_KEY_PART,
	DR_KEY_SLOTS,
	DR_KEY_POOL,
	DR_KEY_JOBSERVER,
	DR_KEY_MEMORY,
	DR_KEY_DISK,
	DR_KEY_MISSING,
	DR_KEY_RETRIES,
	DR_KEY_TIMEOUT,
	DR_KEY_ENV_NAME,
	DR_STAGE_KEYS
};

/* A stage while its block is read. */
struct dr_stage_reader {
	struct dr_parse *ps;
	struct dr_stage *st;
	const char *kind;
	struct dr_scope sc;
	uint32_t cap_inputs, cap_outputs;
};

/* Which kinds of stages have the key: a bit for each enum dr_stage_kind. */
extern const unsigned dr_stage_key_kinds[DR_STAGE_KEYS];
/* The key of that name, DR_STAGE_KEYS if there is none; *suffix is what stands for NAME. */
enum dr_stage_key dr_stage_find_key(struct dr_str name, struct dr_str *suffix);
struct dr_stage_reader dr_stage_reader_of(struct dr_parse *ps, const struct dr_block *b);
void dr_stage_tell(struct dr_stage_reader *g, struct dr_pos pos, const char *what);
/* parse-stage-plain: the keys that have one value of few bytes. */
void dr_stage_take_plain(struct dr_stage_reader *g, enum dr_stage_key key, const struct dr_key *k);

#endif
