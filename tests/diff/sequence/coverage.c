// SPDX-License-Identifier: MIT
// Which rows of the opcode table programs hold.
#include "sequence.h"

void program_count_rows(const struct program *p, struct coverage *coverage)
{
    for (unsigned i = 0; i < p->count; i++) {
        const struct item *item = &p->items[i];
        struct decode_mode mode = {.code32 = !item->code16, .features = UINT32_MAX};
        struct insn insn;
        for (unsigned at = 0; at < item->length; at += insn.length) {
            if (insn_decode(&mode, item->bytes + at, item->length - at, &insn) != DECODE_OK)
                break;
            coverage->generated[insn.row][insn.is_memory]++;
        }
    }
}
