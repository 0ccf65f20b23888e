/* How a ledger lies in its file; for the parts of this module. */
#ifndef DR_LEDGER_FORMAT_H
#define DR_LEDGER_FORMAT_H

#include "ledger.h"

#define DR_LEDGER_DIR "runs"
#define DR_LEDGER_MAGIC "dagrun run\n"

enum {
	DR_LEDGER_VERSION = 1,
	DR_LEDGER_ORDER = 0x01020304,
	DR_LEDGER_NAME = 17,  /* 16 digits and a NUL */
	DR_LEDGER_LOWEST = 10, /* descriptors below it are the children's */
};

struct dr_ledger_head {
	char magic[16];
	uint32_t version, order;
	uint64_t length, checksum;
};

/* Each followed by its name. */
struct dr_ledger_stage_head {
	uint64_t wanted, clean, done, failed, running;
	uint32_t name_len, reserved;
};

struct dr_ledger_task_head {
	struct dr_hash128 id;
	int64_t since;
	uint32_t stage, slot, attempt, pid, name_len, reserved;
};

_Static_assert(sizeof(struct dr_ledger_head) == 40, "no padding in the file");
_Static_assert(sizeof(struct dr_ledger_fixed) == 64, "no padding in the file");
_Static_assert(sizeof(struct dr_ledger_stage_head) == 48, "no padding in the file");
_Static_assert(sizeof(struct dr_ledger_task_head) == 48, "no padding in the file");

/* Calls fn with each file of the directory of ledgers that is called like one. */
void dr_ledger_each(int state_dir, void (*fn)(void *arg, int dir, const char *name, uint64_t run), void *arg);

#endif
