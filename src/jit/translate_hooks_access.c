// SPDX-License-Identifier: MIT
// Which data accesses translated instructions make. Intel SDM vol. 2.
#include "jit/translate_hooks.h"

static enum insn_access access_group(const struct insn *insn, unsigned opcode)
{
    unsigned digit = insn->modrm >> 3 & 7;
    switch (opcode) {
    case 0x80:
    case 0x81:
    case 0x82:
    case 0x83:
        return digit == 7 ? INSN_ACCESS_LOAD : INSN_ACCESS_MODIFY;
    case 0xc0:
    case 0xc1:
        return insn->imm & 31 ? INSN_ACCESS_MODIFY : INSN_ACCESS_UNKNOWN;
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return INSN_ACCESS_MODIFY;
    case 0xf6:
    case 0xf7:
        return digit == 2 || digit == 3 ? INSN_ACCESS_MODIFY : INSN_ACCESS_LOAD;
    case 0xfe:
    case 0xff:
        return digit < 2                  ? INSN_ACCESS_MODIFY
               : digit == 4               ? INSN_ACCESS_LOAD
               : digit == 2 || digit == 6 ? INSN_ACCESS_SEVERAL
                                          : INSN_ACCESS_UNKNOWN;
    default:
        return INSN_ACCESS_UNKNOWN;
    }
}

// One-byte opcodes with a memory operand.
static enum insn_access access_1(const struct insn *insn, unsigned opcode)
{
    if (opcode < 0x40)
        return (opcode & 7) > 1 || opcode >> 3 == 7 ? INSN_ACCESS_LOAD : INSN_ACCESS_MODIFY;
    switch (opcode) {
    case 0x69:
    case 0x6b:
    case 0x84:
    case 0x85:
    case 0x8a:
    case 0x8b:
    case 0xa0:
    case 0xa1:
        return INSN_ACCESS_LOAD;
    case 0x86:
    case 0x87:
        return INSN_ACCESS_MODIFY;
    case 0x88:
    case 0x89:
    case 0xa2:
    case 0xa3:
    case 0xc6:
    case 0xc7:
        return INSN_ACCESS_STORE;
    case 0x8d:
        return INSN_ACCESS_NONE;
    default:
        return access_group(insn, opcode);
    }
}

// ... without one.
static enum insn_access access_stack(const struct insn *insn, unsigned opcode)
{
    switch (opcode) {
    case 0x50:
    case 0x68:
    case 0x6a:
    case 0x9c:
    case 0xaa:
    case 0xab:
    case 0xe8:
        return INSN_ACCESS_STORE;
    case 0x58:
    case 0x8f:
    case 0xac:
    case 0xad:
    case 0xae:
    case 0xaf:
    case 0xc2:
    case 0xc3:
    case 0xc9:
    case 0xd7:
        return INSN_ACCESS_LOAD;
    case 0xff: {
        unsigned digit = insn->modrm >> 3 & 7;
        return digit == 2 || digit == 6 ? INSN_ACCESS_STORE : INSN_ACCESS_NONE;
    }
    case 0xa4:
    case 0xa5:
    case 0xa6:
    case 0xa7:
        return INSN_ACCESS_SEVERAL;
    case 0x06:
    case 0x0e:
    case 0x16:
    case 0x1e:
        return INSN_ACCESS_STORE;
    case 0x9d: // POPF
        return INSN_ACCESS_LOAD;
    default:
        return opcode == 0xfe ? INSN_ACCESS_UNKNOWN : INSN_ACCESS_NONE;
    }
}

static enum insn_access access_0f(const struct insn *insn, unsigned opcode)
{
    if (opcode == 0xa0 || opcode == 0xa8)
        return INSN_ACCESS_STORE; // PUSH FS, PUSH GS
    if (!insn->is_memory)
        return INSN_ACCESS_NONE;
    switch (opcode) {
    case 0xa4:
    case 0xac:
        return insn->imm & 31 ? INSN_ACCESS_MODIFY : INSN_ACCESS_UNKNOWN;
    case 0xa5:
    case 0xab:
    case 0xad:
    case 0xb0:
    case 0xb1:
    case 0xb3:
    case 0xbb:
    case 0xc0:
    case 0xc1:
        return INSN_ACCESS_MODIFY;
    case 0xba:
        return (insn->modrm >> 3 & 7) == 4 ? INSN_ACCESS_LOAD : INSN_ACCESS_MODIFY;
    case 0xc7:
        return insn->row == OPCODE_CMPXCHG8B ? INSN_ACCESS_MODIFY : INSN_ACCESS_UNKNOWN;
    case 0xa3:
    case 0xaf:
    case 0xb6:
    case 0xb7:
    case 0xbc:
    case 0xbd:
    case 0xbe:
    case 0xbf:
        return INSN_ACCESS_LOAD;
    default:
        return opcode >> 4 == 4   ? INSN_ACCESS_LOAD
               : opcode >> 4 == 9 ? INSN_ACCESS_STORE
               : opcode >> 4 == 1 ? INSN_ACCESS_NONE
                                  : INSN_ACCESS_UNKNOWN;
    }
}

// SSE and MMX by the place of their memory operand.
static enum insn_access access_fpu(const struct insn *insn, const struct opcode_row *row)
{
    unsigned escape = row->opcode & 7, digit = insn->modrm >> 3 & 7;
    if (!insn->is_memory)
        return INSN_ACCESS_NONE;
    if (!(row->attributes & ATTR_FPU) || row->map != MAP_1) {
        switch (row->operand[0]) {
        case OPND_Ed:
        case OPND_Qd:
        case OPND_Qq:
        case OPND_Wss:
        case OPND_Wsd:
        case OPND_Wq:
        case OPND_Wd:
        case OPND_Wps:
        case OPND_Wpd:
        case OPND_Wdq:
        case OPND_Mq:
        case OPND_Md:
        case OPND_Mdq:
            return INSN_ACCESS_STORE;
        default:
            return INSN_ACCESS_LOAD;
        }
    }
    bool store =
        (escape & 1) && (digit == 2 || digit == 3 || digit == 7 || (escape == 7 && digit == 6));
    // FLDENV, FNSTENV, FRSTOR, FNSAVE
    if ((escape == 1 && (digit == 4 || digit == 6)) || (escape == 5 && (digit == 4 || digit == 6)))
        return INSN_ACCESS_UNKNOWN;
    return store ? INSN_ACCESS_STORE : INSN_ACCESS_LOAD;
}

enum insn_access insn_access_of(const struct insn *insn)
{
    const struct opcode_row *row = &opcode_rows[insn->row];
    if (insn->row == OPCODE_CLI || insn->row == OPCODE_STI)
        return INSN_ACCESS_NONE;
    if (insn->row == OPCODE_INVALID || ((row->attributes & ATTR_STOP) && insn->row != OPCODE_POPF))
        return INSN_ACCESS_UNKNOWN;
    if (row->attributes & (ATTR_FPU | ATTR_MMX | ATTR_SSE))
        return access_fpu(insn, row);
    if (row->map == MAP_0F)
        return access_0f(insn, row->opcode);
    return insn->is_memory ? access_1(insn, row->opcode) : access_stack(insn, row->opcode);
}

bool insn_access_is_late(const struct insn *insn)
{
    const struct opcode_row *row = &opcode_rows[insn->row];
    unsigned digit = insn->modrm >> 3 & 7;
    if (row->map != MAP_1)
        return false;
    return insn_access_of(insn) == INSN_ACCESS_SEVERAL || insn->row == OPCODE_POPF ||
           ((row->opcode & 0xfe) == 0xf6 && digit >= 6) ||         // divisions
           (row->opcode == 0xd9 && insn->is_memory && digit == 5); // FLDCW
}

bool insn_access_needs_count(const struct insn *insn)
{
    const struct opcode_row *row = &opcode_rows[insn->row];
    if (!insn->is_memory || (row->attributes & (ATTR_FPU | ATTR_MMX | ATTR_SSE)))
        return false;
    return row->map == MAP_1 ? (row->opcode & 0xfe) == 0xd2
                             : row->opcode == 0xa5 || row->opcode == 0xad;
}
