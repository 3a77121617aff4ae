// SPDX-License-Identifier: MIT
// The decoder: prefixes, opcode, ModRM, SIB, displacement, immediates. Intel SDM vol. 2, chapter 2.
// It knows no instruction: what an opcode means stands in the rows of opcodes_*.def. A decoded
// instruction with an undefined opcode has the length of what was looked at; nobody depends on it.
#include "cpu/decode.h"

#include "cpu/cpu.h"

// What follows ModRM.
enum immediate_kind {
    IMM_NONE,
    IMM_BYTE,
    IMM_BYTE_SIGNED,
    IMM_WORD,
    IMM_Z,        // 2 or 4 bytes by operand size, zero-extended
    IMM_Z_SIGNED, // the same, sign-extended: relative displacement
    IMM_FAR,      // offset by operand size, then a selector
    IMM_MOFFS,    // offset by address size
    IMM_ONE,      // the constant 1
};

enum decode_info {
    INFO_MODRM = 1u << 0,
    INFO_FORCE_REGISTER = 1u << 1, // ModRM.mod is ignored
    INFO_LOCK = 1u << 2,
    INFO_BYTE = 1u << 3,
    INFO_PLUS_R = 1u << 4,
};

// What the decoder needs of a row, packed.
struct decode_row {
    uint16_t form;
    uint8_t map, opcode;
    uint8_t prefix, feature;
    uint8_t imm1, imm2; // enum immediate_kind; imm2: a byte or word for insn->imm2
    uint8_t info;       // enum decode_info
};

// The immediate that an operand stands for.
#define IMM_OF(op)                                                                                 \
    ((op) == OPND_Ib                       ? IMM_BYTE                                              \
     : (op) == OPND_Isb || (op) == OPND_Jb ? IMM_BYTE_SIGNED                                       \
     : (op) == OPND_Iw                     ? IMM_WORD                                              \
     : (op) == OPND_Iz                     ? IMM_Z                                                 \
     : (op) == OPND_Jz                     ? IMM_Z_SIGNED                                          \
     : (op) == OPND_Ap                     ? IMM_FAR                                               \
     : (op) == OPND_Ob || (op) == OPND_Ov  ? IMM_MOFFS                                             \
     : (op) == OPND_1                      ? IMM_ONE                                               \
                                           : IMM_NONE)
// The first immediate of three operands, and the one after it.
#define IMM_FIRST(a, b, c) (IMM_OF(a) ? IMM_OF(a) : IMM_OF(b) ? IMM_OF(b) : IMM_OF(c))
#define IMM_SECOND(a, b, c)                                                                        \
    (IMM_OF(a) ? (IMM_OF(b) ? IMM_OF(b) : IMM_OF(c)) : IMM_OF(b) ? IMM_OF(c) : IMM_NONE)
#define IS_CONTROL(op) ((op) == OPND_Cd || (op) == OPND_Dd)

// clang-format off
static const struct decode_row decode_rows[OPCODE_COUNT] = {
#define ROW(id, map_, opcode_, prefix_, form_, mnemonic, op1, op2, op3, reads, writes, undefined, \
            attributes, feature_, spec, stem)                                                     \
    [OPCODE_##id] = {.form = form_,                                                               \
                     .map = map_,                                                                 \
                     .opcode = opcode_,                                                           \
                     .prefix = prefix_,                                                           \
                     .feature = feature_,                                                         \
                     .imm1 = IMM_FIRST(OPND_##op1, OPND_##op2, OPND_##op3),                       \
                     .imm2 = IMM_SECOND(OPND_##op1, OPND_##op2, OPND_##op3),                      \
                     .info = ((form_) != FORM_NO_MODRM ? INFO_MODRM : 0) |                        \
                             (IS_CONTROL(OPND_##op1) || IS_CONTROL(OPND_##op2)                    \
                                  ? INFO_FORCE_REGISTER : 0) |                                    \
                             ((attributes) & ATTR_LOCK ? INFO_LOCK : 0) |                         \
                             ((attributes) & ATTR_BYTE ? INFO_BYTE : 0) |                         \
                             ((attributes) & ATTR_PLUS_R ? INFO_PLUS_R : 0)},
#include "cpu/opcodes_integer.def"
#include "cpu/opcodes_system.def"
#include "cpu/opcodes_x87.def"
#include "cpu/opcodes_simd.def"
#undef ROW
};

// The last row of each opcode in each file; the rows before it are its other forms. A later
// initialiser of the same element is meant to override the earlier one.
enum { FILE_SIMD, FILE_X87, FILE_SYSTEM, FILE_INTEGER, FILE_COUNT };
#define LAST_ROW(file, id, map, opcode, attributes)                                              \
    [(map) * 256 + (opcode) ... (map) * 256 + (opcode) + ((attributes) & ATTR_PLUS_R ? 7 : 0)]   \
    [file] = OPCODE_##id,

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const uint16_t last_rows[512][FILE_COUNT] = {
#define ROW(id, map, opcode, prefix, form, mnemonic, op1, op2, op3, reads, writes, undefined, \
            attributes, feature, spec, stem)                                                  \
    LAST_ROW(FILE_INTEGER, id, map, opcode, attributes)
#include "cpu/opcodes_integer.def"
#undef ROW
#define ROW(id, map, opcode, prefix, form, mnemonic, op1, op2, op3, reads, writes, undefined, \
            attributes, feature, spec, stem)                                                  \
    LAST_ROW(FILE_SYSTEM, id, map, opcode, attributes)
#include "cpu/opcodes_system.def"
#undef ROW
#define ROW(id, map, opcode, prefix, form, mnemonic, op1, op2, op3, reads, writes, undefined, \
            attributes, feature, spec, stem)                                                  \
    LAST_ROW(FILE_X87, id, map, opcode, attributes)
#include "cpu/opcodes_x87.def"
#undef ROW
#define ROW(id, map, opcode, prefix, form, mnemonic, op1, op2, op3, reads, writes, undefined, \
            attributes, feature, spec, stem)                                                  \
    LAST_ROW(FILE_SIMD, id, map, opcode, attributes)
#include "cpu/opcodes_simd.def"
#undef ROW
};
#pragma GCC diagnostic pop
// clang-format on

// The decoder reads ahead without looking at the end: at most 15 prefixes, and 14 bytes after them.
#define READ_AHEAD 32u

static const uint8_t *decode_prefixes(const uint8_t *p, const uint8_t *bytes, bool code32,
                                      struct insn *insn)
{
    unsigned prefixes = 0;
    unsigned segment = SEG_DS;
    for (; p < bytes + INSN_MAX_LENGTH; p++) {
        switch (*p) {
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
            prefixes |= INSN_SEGMENT;
            segment = (*p - 0x26u) >> 3; // ES, CS, SS, DS as enum segment_index has them
            continue;
        case 0x64:
        case 0x65:
            prefixes |= INSN_SEGMENT;
            segment = *p == 0x64 ? SEG_FS : SEG_GS;
            continue;
        case 0x66:
            prefixes |= INSN_OPERAND_SIZE;
            continue;
        case 0x67:
            prefixes |= INSN_ADDRESS_SIZE;
            continue;
        case 0xf0:
            prefixes |= INSN_LOCK;
            continue;
        case 0xf2:
            prefixes = (prefixes & ~(unsigned)INSN_REP) | INSN_REPNE;
            continue;
        case 0xf3:
            prefixes = (prefixes & ~(unsigned)INSN_REPNE) | INSN_REP;
            continue;
        default:
            break;
        }
        break;
    }
    insn->prefixes = (uint8_t)prefixes;
    insn->segment = (uint8_t)segment;
    insn->address_size = code32 == ((prefixes & INSN_ADDRESS_SIZE) == 0) ? 4 : 2;
    insn->operand_size = code32 == ((prefixes & INSN_OPERAND_SIZE) == 0) ? 4 : 2;
    return p;
}

static bool row_covers(const struct decode_row *row, unsigned map, unsigned opcode)
{
    unsigned mask = row->info & INFO_PLUS_R ? 0xf8u : 0xffu;
    return row->map == map && row->opcode == (opcode & mask);
}

static bool row_matches(const struct decode_row *row, unsigned modrm, unsigned prefix,
                        uint32_t features)
{
    if (row->prefix != PFX_ANY && row->prefix != prefix)
        return false;
    if (row->form != FORM_ANY) {
        unsigned form = row->form;
        bool is_register = modrm >= 0xc0;
        if ((form & FORM_CLASS) == FORM_MEM && is_register)
            return false;
        if ((form & FORM_CLASS) == FORM_REG && !is_register)
            return false;
        if ((form & FORM_HAS_G) && (form >> 5 & 7) != (modrm >> 3 & 7))
            return false;
        if ((form & FORM_HAS_R) && (form >> 9 & 7) != (modrm & 7))
            return false;
    }
    return row->feature == FEATURE_NONE || (features >> row->feature & 1);
}

// The row of an opcode, OPCODE_INVALID when there is none. *modrm is looked at only when a row has
// a ModRM byte.
static unsigned find_row(unsigned map, unsigned opcode, const uint8_t *modrm, unsigned prefixes,
                         uint32_t features)
{
    unsigned prefix = prefixes & INSN_REP            ? PFX_F3
                      : prefixes & INSN_REPNE        ? PFX_F2
                      : prefixes & INSN_OPERAND_SIZE ? PFX_66
                                                     : PFX_NONE;
    const uint16_t *last = last_rows[map * 256 + opcode];
    for (unsigned file = 0; file < FILE_COUNT; file++) {
        if (last[file] == OPCODE_INVALID)
            continue;
        const struct decode_row *row = &decode_rows[last[file]];
        unsigned byte = row->info & INFO_FORCE_REGISTER ? *modrm | 0xc0u : *modrm;
        do {
            if (row_matches(row, byte, prefix, features))
                return (unsigned)(row - decode_rows);
            row--; // row 0 (OPCODE_INVALID) covers nothing but opcode 00 of the first map
        } while (row > decode_rows && row_covers(row, map, opcode));
    }
    return OPCODE_INVALID;
}

// Whether the ModRM byte took part in the choice of a row: then an undefined opcode is known to be
// one only when that byte is there.
static bool opcode_has_modrm(unsigned map, unsigned opcode)
{
    const uint16_t *last = last_rows[map * 256 + opcode];
    for (unsigned file = 0; file < FILE_COUNT; file++) {
        if (last[file] != OPCODE_INVALID && (decode_rows[last[file]].info & INFO_MODRM))
            return true;
    }
    return false;
}

static const uint8_t *decode_memory16(const uint8_t *p, unsigned modrm, struct insn *insn)
{
    static const uint8_t bases[8] = {REG_EBX, REG_EBX, REG_EBP, REG_EBP,
                                     REG_ESI, REG_EDI, REG_EBP, REG_EBX};
    static const uint8_t indexes[8] = {REG_ESI,     REG_EDI,     REG_ESI,     REG_EDI,
                                       INSN_NO_REG, INSN_NO_REG, INSN_NO_REG, INSN_NO_REG};
    unsigned mod = modrm >> 6;
    unsigned rm = modrm & 7;
    if (mod == 0 && rm == 6) {
        insn->disp = load_le16(p);
        return p + 2;
    }
    insn->base = bases[rm];
    insn->index = indexes[rm];
    if (insn->base == REG_EBP && !(insn->prefixes & INSN_SEGMENT))
        insn->segment = SEG_SS;
    if (mod == 1) {
        insn->disp = (uint32_t)(int8_t)*p;
        return p + 1;
    }
    if (mod == 2) {
        insn->disp = (uint32_t)(int16_t)load_le16(p);
        return p + 2;
    }
    return p;
}

static const uint8_t *decode_memory32(const uint8_t *p, unsigned modrm, struct insn *insn)
{
    unsigned mod = modrm >> 6;
    unsigned base = modrm & 7;
    if (base == 4) {
        unsigned sib = *p++;
        base = sib & 7;
        unsigned index = sib >> 3 & 7;
        if (index != REG_ESP) {
            insn->index = (uint8_t)index;
            insn->scale = (uint8_t)(sib >> 6);
        }
    }
    if (mod == 0 && base == REG_EBP) {
        insn->disp = load_le32(p);
        return p + 4;
    }
    insn->base = (uint8_t)base;
    if ((base == REG_EBP || base == REG_ESP) && !(insn->prefixes & INSN_SEGMENT))
        insn->segment = SEG_SS;
    if (mod == 1) {
        insn->disp = (uint32_t)(int8_t)*p;
        return p + 1;
    }
    if (mod == 2) {
        insn->disp = load_le32(p);
        return p + 4;
    }
    return p;
}

static const uint8_t *decode_modrm(const uint8_t *p, unsigned info, struct insn *insn)
{
    unsigned modrm = *p++;
    insn->modrm = (uint8_t)modrm;
    insn->reg = modrm >> 3 & 7;
    insn->rm = modrm & 7;
    if (modrm >= 0xc0 || (info & INFO_FORCE_REGISTER))
        return p;
    insn->is_memory = 1;
    return LIKELY(insn->address_size == 4) ? decode_memory32(p, modrm, insn)
                                           : decode_memory16(p, modrm, insn);
}

static const uint8_t *decode_immediate(const uint8_t *p, unsigned kind, struct insn *insn)
{
    switch (kind) {
    case IMM_BYTE:
        insn->imm = *p;
        return p + 1;
    case IMM_BYTE_SIGNED:
        insn->imm = (uint32_t)(int8_t)*p;
        return p + 1;
    case IMM_WORD:
        insn->imm = load_le16(p);
        return p + 2;
    case IMM_Z:
        insn->imm = insn->operand_size == 2 ? load_le16(p) : load_le32(p);
        return p + insn->operand_size;
    case IMM_Z_SIGNED:
        insn->imm = insn->operand_size == 2 ? (uint32_t)(int16_t)load_le16(p) : load_le32(p);
        return p + insn->operand_size;
    case IMM_FAR:
        insn->imm = insn->operand_size == 2 ? load_le16(p) : load_le32(p);
        insn->imm2 = load_le16(p + insn->operand_size);
        return p + insn->operand_size + 2;
    case IMM_MOFFS:
        insn->disp = insn->address_size == 2 ? load_le16(p) : load_le32(p);
        insn->is_memory = 1;
        return p + insn->address_size;
    case IMM_ONE:
        insn->imm = 1;
        return p;
    default:
        return p;
    }
}

static void make_invalid(struct insn *insn)
{
    insn->row = OPCODE_INVALID;
    insn->handler = opcode_rows[OPCODE_INVALID].handler[0];
}

// Decodes from READ_AHEAD readable bytes; returns the first byte after the instruction.
static const uint8_t *decode_readable(const struct decode_mode *mode, const uint8_t *bytes,
                                      struct insn *insn)
{
    const uint8_t *p = decode_prefixes(bytes, bytes, mode->code32, insn);
    unsigned opcode = *p++;
    unsigned map = MAP_1;
    if (opcode == 0x0f) {
        map = MAP_0F;
        opcode = *p++;
    }
    unsigned id = find_row(map, opcode, p, insn->prefixes, mode->features);
    if (UNLIKELY(id == OPCODE_INVALID)) {
        make_invalid(insn);
        return p + (opcode_has_modrm(map, opcode) ? 1 : 0);
    }
    const struct decode_row *row = &decode_rows[id];
    if (UNLIKELY(row->prefix == PFX_66))
        insn->operand_size = mode->code32 ? 4 : 2;
    if (row->info & INFO_BYTE)
        insn->operand_size = 1;
    if (row->info & INFO_MODRM)
        p = decode_modrm(p, row->info, insn);
    else
        insn->rm = opcode & 7;
    if (row->imm1 != IMM_NONE) {
        p = decode_immediate(p, row->imm1, insn);
        if (UNLIKELY(row->imm2 != IMM_NONE)) // Iw Ib: ENTER
            insn->imm2 = *p++;
    }
    if (UNLIKELY(insn->prefixes & INSN_LOCK) && (!(row->info & INFO_LOCK) || !insn->is_memory)) {
        make_invalid(insn);
        return p;
    }
    // Executors take these for repetition, which other instructions ignore.
    if (UNLIKELY(insn->prefixes & (INSN_REP | INSN_REPNE)) &&
        !(opcode_rows[id].attributes & ATTR_STRING))
        insn->prefixes &= (uint8_t) ~(INSN_REP | INSN_REPNE);
    insn->row = (uint16_t)id;
    insn->handler = opcode_rows[id].handler[insn->is_memory * 2 + (insn->operand_size == 4)];
    return p;
}

enum decode_status insn_decode(const struct decode_mode *mode, const uint8_t *bytes,
                               size_t available, struct insn *insn)
{
    *insn = (struct insn){.base = INSN_NO_REG, .index = INSN_NO_REG};
    uint8_t copy[READ_AHEAD];
    const uint8_t *start = bytes;
    if (UNLIKELY(available < READ_AHEAD)) {
        memset(copy, 0, sizeof copy);
        memcpy(copy, bytes, available);
        start = copy;
    }
    size_t length = (size_t)(decode_readable(mode, start, insn) - start);
    if (UNLIKELY(length > available && available < INSN_MAX_LENGTH))
        return DECODE_TRUNCATED;
    if (UNLIKELY(length > INSN_MAX_LENGTH))
        return DECODE_TOO_LONG;
    insn->length = (uint8_t)length;
    return DECODE_OK;
}
