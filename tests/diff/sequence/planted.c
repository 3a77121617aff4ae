// SPDX-License-Identifier: MIT
// Wrong translations, to show that they are found: linked over the translator's own functions
// (--wrap) by test programs only, one for each PLANT.
#include "jit/translate.h"

bool __real_translate_integer(struct translator *t, const struct insn *insn);
bool __real_translate_0f(struct translator *t, const struct insn *insn);
bool __wrap_translate_integer(struct translator *t, const struct insn *insn);
bool __wrap_translate_0f(struct translator *t, const struct insn *insn);

static bool planted(unsigned which)
{
    return PLANT == which;
}

// 1: INC of a register complements CF, which it must leave alone.
// 2: SAR by an immediate leaves OF set.
bool __wrap_translate_integer(struct translator *t, const struct insn *insn)
{
    const struct opcode_row *row = &opcode_rows[insn->row];
    if (!__real_translate_integer(t, insn))
        return false;
    if (planted(1) && row->opcode == 0x40)
        x64_byte(&t->hot, 0xf5); // cmc
    if (planted(2) && row->opcode == 0xc1 && (insn->modrm >> 3 & 7) == 7 && t->flags_host) {
        x64_rr(&t->hot, 0x89, X64_RAX, SCRATCH_A);
        x64_byte(&t->hot, 0x9f); // lahf
        x64_byte(&t->hot, 0x04); // add al, 127
        x64_imm(&t->hot, 0x7f, 1);
        x64_byte(&t->hot, 0x9e); // sahf
        x64_rr(&t->hot, 0x89, SCRATCH_A, X64_RAX);
    }
    return true;
}

// 3: BT complements CF when its operand is in memory.
bool __wrap_translate_0f(struct translator *t, const struct insn *insn)
{
    if (!__real_translate_0f(t, insn))
        return false;
    if (planted(3) && opcode_rows[insn->row].opcode == 0xba && insn->is_memory && t->flags_host)
        x64_byte(&t->hot, 0xf5);
    return true;
}
