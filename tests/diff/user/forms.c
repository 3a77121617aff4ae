// SPDX-License-Identifier: MIT
// Rows of the opcode table to instructions: which forms a row has, and random encodings of a form.
#include "rig.h"

#include <stdlib.h>

struct rng rng_seed(uint64_t a, uint64_t b)
{
    struct rng rng = {(a * UINT64_C(0x9e3779b97f4a7c15)) ^ (b + UINT64_C(0x632be59bd9b4e019))};
    rng_next(&rng);
    return rng;
}

// splitmix64
uint64_t rng_next(struct rng *rng)
{
    uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static const char *const row_names[OPCODE_COUNT] = {
    [OPCODE_INVALID] = "INVALID",
#define ROW(id, ...) [OPCODE_##id] = #id,
#include "cpu/opcodes_integer.def"
#include "cpu/opcodes_simd.def"
#include "cpu/opcodes_system.def"
#include "cpu/opcodes_x87.def"
#undef ROW
};

const char *row_name(unsigned row)
{
    return row_names[row];
}

uint32_t row_key(unsigned row)
{
    uint32_t hash = 2166136261u;
    for (const char *p = row_names[row]; *p; p++)
        hash = (hash ^ (uint8_t)*p) * 16777619u;
    return hash;
}

const char *row_excluded(unsigned row)
{
    switch (row) {
    case OPCODE_CPUID:
        return "tells who the processor is";
    case OPCODE_SYSENTER:
        return "enters the host's kernel";
    case OPCODE_SYSEXIT:
        return "AMD64 vol. 3, SYSEXIT: #UD in long mode";
    case OPCODE_SGDT:
    case OPCODE_SIDT:
    case OPCODE_SLDT:
    case OPCODE_STR:
    case OPCODE_SMSW:
        return "CR4.UMIP: the host's kernel answers";
    default:
        return NULL;
    }
}

const char *form_name(unsigned form)
{
    static const char *const names[FORM_COUNT] = {
        "-",         "-/66",         "a16",       "a16/66",       "reg",        "reg/66",
        "[r]",       "[r]/66",       "[r+d8]",    "[r+d8]/66",    "[r+d32]",    "[r+d32]/66",
        "[d32]",     "[d32]/66",     "[sib]",     "[sib]/66",     "[sib+d8]",   "[sib+d8]/66",
        "[sib+d32]", "[sib+d32]/66", "[sib-i]",   "[sib-i]/66",   "[sib-b]",    "[sib-b]/66",
        "a16[r]",    "a16[r]/66",    "a16[r+d8]", "a16[r+d8]/66", "a16[r+d16]", "a16[r+d16]/66",
        "a16[d16]",  "a16[d16]/66",  "",          "lock",         "rep",        "repne",
        "es:",       "cs:",          "ss:",       "ds:",          "fs:",        "gs:",
        "order",     "long",         "edge",
    };
    return names[form];
}

bool operand_is(const struct opcode_row *row, unsigned operand)
{
    return row->operand[0] == operand || row->operand[1] == operand || row->operand[2] == operand;
}

static bool has_modrm(const struct opcode_row *row)
{
    return (row->form & FORM_CLASS) != FORM_NO_MODRM;
}

static bool ignores_mod(const struct opcode_row *row)
{
    return operand_is(row, OPND_Cd) || operand_is(row, OPND_Dd);
}

static bool address_exists(const struct opcode_row *row, unsigned address)
{
    unsigned class = row->form & FORM_CLASS;
    if (address == ADDRESS_NONE || address == ADDRESS_NONE_A)
        return !has_modrm(row);
    if (!has_modrm(row))
        return false;
    if (address == ADDRESS_REGISTER)
        return class != FORM_MEM;
    return class != FORM_REG && !ignores_mod(row);
}

// Prefixes that make another instruction of it on newer processors: TZCNT, LZCNT; FSGSBASE, CLWB
// and their kin; on AMD's LOCK MOV CR0 is MOV CR8.
static bool prefix_is_taken(const struct opcode_row *row, unsigned special)
{
    if (row->map != MAP_0F) // F3 90 is PAUSE
        return special == SPECIAL_REP && row->opcode == 0x90;
    bool repeat = special == SPECIAL_REP || special == SPECIAL_REPNE || special == SPECIAL_ORDER;
    if (row->opcode == 0xbc || row->opcode == 0xbd || row->opcode == 0xae || row->opcode == 0x09)
        return repeat;
    if (row->opcode >= 0x20 && row->opcode <= 0x23)
        return special == SPECIAL_LOCK || special == SPECIAL_ORDER;
    return false;
}

bool form_exists(unsigned id, unsigned form)
{
    const struct opcode_row *row = &opcode_rows[id];
    if (id == OPCODE_INVALID)
        return form == ADDRESS_NONE * 2;
    if (row_excluded(id))
        return false;
    if (form >= FORM_FIRST_SPECIAL) {
        unsigned special = form - FORM_FIRST_SPECIAL;
        bool repeat = special == SPECIAL_REP || special == SPECIAL_REPNE;
        if (special == SPECIAL_NONE || prefix_is_taken(row, special))
            return false;
        return !repeat || row->prefix == PFX_ANY;
    }
    bool size = form & 1;
    if (size && row->prefix != PFX_ANY)
        return false;
    if (size && row->map == MAP_0F && row->opcode == 0xae)
        return false;
    return address_exists(row, form / 2);
}

static const uint16_t selectors[] = {
    0,   3,    USER_CS, USER_DS, USER_SEL_SMALL, USER_SEL_READ, USER_SEL_DOWN, USER_SEL_SMALL - 3,
    1,   2,    0x20,    0x28,    0x2a,           0x18,          0x10,          0x08,
    0xb, 0x13, 0xfff8,  0xfffb,  0x88,           0x8b,          0x07,          0x0c};

uint16_t pick_selector(struct rng *rng, bool code)
{
    if (code && rng_below(rng, 4))
        return USER_CS;
    if (rng_below(rng, 3) == 0)
        return USER_DS;
    uint16_t any = (uint16_t)rng_next(rng);
    // Not where Linux keeps the processor's number, nor into 64-bit code.
    if (rng_one_in(rng, 12) && (any & ~7u) != 0x78 && (any & ~7u) != 0x30)
        return any;
    return selectors[rng_below(rng, ARRAY_SIZE(selectors))];
}

uint32_t selector_base(uint16_t selector)
{
    switch (selector | 3) {
    case USER_SEL_SMALL:
        return USER_SMALL_BASE;
    case USER_SEL_READ:
        return USER_READ_BASE;
    case USER_SEL_DOWN:
        return USER_DOWN_BASE;
    default:
        return 0;
    }
}

uint32_t pick_value(struct rng *rng)
{
    static const uint32_t edges[] = {
        0,          1,          2,          0xffffffff, 0xfffffffe, 0x7f,       0x80,
        0xff,       0x100,      0x7fff,     0x8000,     0xffff,     0x10000,    0x7fffffff,
        0x80000000, 0x80000001, 0x0f,       0x10,       0x1f,       0x20,       0x21,
        0x99,       0x9a,       0xaaaaaaaa, 0x55555555, 0xff00,     0xffff0000, 0xffff8000};
    uint64_t r = rng_next(rng);
    switch (r & 3) {
    case 0:
        return edges[(r >> 8) % ARRAY_SIZE(edges)];
    case 1:
        return (uint32_t)(r >> 32) >> (r >> 3 & 31);
    default:
        return (uint32_t)(r >> 32);
    }
}

uint32_t pick_place(struct rng *rng, uint32_t size, bool low)
{
    uint32_t back = rng_below(rng, (size > 16 ? size : 16) + 1);
    switch (rng_below(rng, 24)) {
    case 0:
    case 1:
        return USER_MIDDLE - back;
    case 2:
        return low ? USER_MIDDLE - 1 : USER_READ_ONLY - back;
    case 3:
        return USER_WRITABLE - back;
    case 4:
        return low ? USER_WRITABLE : USER_READ_ONLY + rng_below(rng, USER_PAGE);
    case 5:
        return low ? rng_below(rng, USER_WRITABLE) : USER_END - back;
    default: {
        uint32_t room = (low ? USER_MIDDLE : USER_READ_ONLY) - USER_WRITABLE - 0x240;
        uint32_t place = USER_WRITABLE + 0x140 + rng_below(rng, room - 0x140);
        return rng_below(rng, 3) ? place & ~15u : place;
    }
    }
}

uint32_t code_target(struct rng *rng, uint32_t eip)
{
    if (rng_one_in(rng, 8))
        return pick_value(rng) & 0x0fffffff;
    for (;;) {
        uint32_t target = USER_CODE + rng_below(rng, USER_PAGE + 8);
        if (target < eip || target >= eip + 24)
            return target;
    }
}

// ---- bytes ----

struct writer {
    uint8_t bytes[40];
    unsigned length;
};

static void put(struct writer *w, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        w->bytes[w->length++] = (uint8_t)(value >> 8 * i);
}

static void put_modrm32(struct rng *rng, struct writer *w, unsigned address, unsigned reg)
{
    static const uint8_t bases[] = {0, 1, 2, 3, 6, 7, 5};
    unsigned rm = bases[rng_below(rng, address == ADDRESS_BASE ? 6 : 7)];
    unsigned scale = rng_below(rng, 4);
    unsigned index = rng_below(rng, 8);
    unsigned base = rng_below(rng, 8);
    while (index == 4)
        index = rng_below(rng, 8);
    while (address == ADDRESS_SIB && base == 5)
        base = rng_below(rng, 8);
    unsigned sib = scale << 6 | index << 3 | base;
    uint32_t disp = (uint32_t)rng_next(rng);
    if (rng_one_in(rng, 4))
        disp = (uint32_t)(int8_t)disp;
    switch (address) {
    case ADDRESS_BASE:
        put(w, reg << 3 | rm, 1);
        break;
    case ADDRESS_BASE_8:
        put(w, 0x40 | reg << 3 | rm, 1);
        put(w, disp, 1);
        break;
    case ADDRESS_BASE_32:
        put(w, 0x80 | reg << 3 | rm, 1);
        put(w, disp, 4);
        break;
    case ADDRESS_DISP_32:
        put(w, reg << 3 | 5, 1);
        put(w, (rng_one_in(rng, 8) ? USER_LOW : USER_HIGH) + pick_place(rng, 16, false), 4);
        break;
    case ADDRESS_SIB_NO_BASE:
        put(w, reg << 3 | 4, 1);
        put(w, (sib & 0xf8) | 5, 1);
        put(w, disp, 4);
        break;
    case ADDRESS_SIB_NO_INDEX:
        put(w, 0x40 | reg << 3 | 4, 1);
        put(w, (sib & 0xc7) | 0x20, 1);
        put(w, disp, 1);
        break;
    default:
        put(w,
            (address == ADDRESS_SIB     ? 0u
             : address == ADDRESS_SIB_8 ? 0x40u
                                        : 0x80u) |
                reg << 3 | 4,
            1);
        put(w, sib, 1);
        put(w, disp, address == ADDRESS_SIB ? 0 : address == ADDRESS_SIB_8 ? 1 : 4);
        break;
    }
}

static void put_modrm(struct rng *rng, struct writer *w, const struct opcode_row *row,
                      unsigned address)
{
    unsigned reg = row->form & FORM_HAS_G ? row->form >> 5 & 7 : rng_below(rng, 8);
    unsigned rm = row->form & FORM_HAS_R ? row->form >> 9 & 7 : rng_below(rng, 8);
    switch (address) {
    case ADDRESS_REGISTER:
        put(w, (ignores_mod(row) ? rng_below(rng, 4) << 6 : 0xc0) | reg << 3 | rm, 1);
        break;
    case ADDRESS_16:
        put(w, reg << 3 | (rm == 6 ? 7 : rm), 1);
        break;
    case ADDRESS_16_8:
        put(w, 0x40 | reg << 3 | rm, 1);
        put(w, rng_next(rng), 1);
        break;
    case ADDRESS_16_16:
        put(w, 0x80 | reg << 3 | rm, 1);
        put(w, rng_next(rng), 2);
        break;
    case ADDRESS_DISP_16:
        put(w, reg << 3 | 6, 1);
        put(w, USER_LOW + pick_place(rng, 16, true), 2);
        break;
    default:
        put_modrm32(rng, w, address, reg);
        break;
    }
}

static unsigned random_byte(struct rng *rng, const struct opcode_row *row)
{
    if (row->attributes & ATTR_COUNT_IMM)
        return rng_below(rng, 3) ? rng_below(rng, 34) : (unsigned)rng_next(rng) & 0xff;
    if (row->map == MAP_1 && row->opcode == 0xcd) {
        unsigned vector = (unsigned)rng_next(rng) & 0xff;
        return vector == 0x80 ? 0x81 : vector; // not into the host's kernel
    }
    return rng_below(rng, 2) ? pick_value(rng) & 0xff : (unsigned)rng_next(rng) & 0xff;
}

static void put_immediate(struct rng *rng, struct writer *w, const struct opcode_row *row,
                          unsigned operand, unsigned size, bool address16, uint32_t eip)
{
    switch (operand) {
    case OPND_Ib:
        put(w, random_byte(rng, row), 1);
        break;
    case OPND_Isb:
        put(w, pick_value(rng), 1);
        break;
    case OPND_Iw:
        put(w, rng_below(rng, 2) ? pick_value(rng) & 0xff : rng_next(rng), 2);
        break;
    case OPND_Iz:
        put(w, pick_value(rng), size);
        break;
    case OPND_Jb:
        do {
            w->bytes[w->length] = (uint8_t)rng_next(rng);
        } while ((uint8_t)(w->bytes[w->length] + 24) < 25); // into itself
        w->length++;
        break;
    case OPND_Jz:
        put(w, code_target(rng, eip) - (eip + w->length + size), size);
        break;
    case OPND_Ap:
        put(w, code_target(rng, eip), size);
        put(w, pick_selector(rng, true), 2);
        break;
    case OPND_Ob:
    case OPND_Ov:
        if (address16)
            put(w, USER_LOW + pick_place(rng, 4, true), 2);
        else
            put(w, (rng_one_in(rng, 8) ? USER_LOW : USER_HIGH) + pick_place(rng, 4, false), 4);
        break;
    default:
        break;
    }
}

static bool is_address16(unsigned address)
{
    return address == ADDRESS_NONE_A || address >= ADDRESS_16;
}

static void put_prefixes(struct rng *rng, struct writer *w, const struct opcode_row *row,
                         unsigned address, bool size, unsigned special)
{
    static const uint8_t special_bytes[SPECIAL_COUNT] = {
        [SPECIAL_LOCK] = 0xf0, [SPECIAL_REP] = 0xf3, [SPECIAL_REPNE] = 0xf2,
        [SPECIAL_ES] = 0x26,   [SPECIAL_CS] = 0x2e,  [SPECIAL_SS] = 0x36,
        [SPECIAL_DS] = 0x3e,   [SPECIAL_FS] = 0x64,  [SPECIAL_GS] = 0x65};
    static const uint8_t mandatory[] = {[PFX_66] = 0x66, [PFX_F3] = 0xf3, [PFX_F2] = 0xf2};
    static const uint8_t any[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67,
                                  0xf2, 0xf3, 0xf2, 0xf3, 0x3e, 0x3e, 0x66, 0xf0};
    uint8_t prefixes[24];
    unsigned n = 0;
    if (size)
        prefixes[n++] = 0x66;
    if (is_address16(address))
        prefixes[n++] = 0x67;
    if (special_bytes[special])
        prefixes[n++] = special_bytes[special];
    if (special == SPECIAL_ORDER) {
        for (unsigned more = 1 + rng_below(rng, 4); more; more--)
            prefixes[n++] = any[rng_below(rng, ARRAY_SIZE(any))];
    }
    if (row->prefix == PFX_66 || row->prefix == PFX_F3 || row->prefix == PFX_F2)
        prefixes[n++] = mandatory[row->prefix];
    for (unsigned i = n; i > 1; i--) { // any order
        unsigned other = rng_below(rng, i);
        uint8_t byte = prefixes[i - 1];
        prefixes[i - 1] = prefixes[other];
        prefixes[other] = byte;
    }
    for (unsigned i = 0; i < n; i++)
        put(w, prefixes[i], 1);
}

static unsigned random_address(struct rng *rng, const struct opcode_row *row, unsigned special)
{
    for (;;) {
        unsigned address = rng_below(rng, ADDRESS_COUNT);
        if (!address_exists(row, address))
            continue;
        // Mostly what the special form is about: memory.
        if (address == ADDRESS_REGISTER && (row->form & FORM_CLASS) != FORM_REG &&
            special >= SPECIAL_ES && special <= SPECIAL_GS && !ignores_mod(row))
            continue;
        return address;
    }
}

// Undefined on every processor so far: opcodes, and digits of groups.
static void make_undefined(struct rng *rng, struct writer *w)
{
    static const uint8_t opcodes[] = {0x04, 0x0a, 0x0c, 0x24, 0x25, 0x26, 0x27, 0x36,
                                      0x39, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0xa6, 0xa7};
    static const uint8_t groups[][3] = {
        // map 0F, opcode, digits
        {1, 0xb9, 0xff}, {1, 0xff, 0xff}, {0, 0xc6, 0x7e}, {0, 0xc7, 0x7e}, {0, 0xfe, 0xfc},
        {0, 0xff, 0x80}, {1, 0x71, 0xab}, {1, 0x72, 0xab}, {1, 0xba, 0x0f}, {0, 0x8f, 0x02}};
    w->length = 0;
    if (rng_one_in(rng, 2)) {
        put(w, 0x0f, 1);
        put(w, opcodes[rng_below(rng, ARRAY_SIZE(opcodes))], 1);
        return;
    }
    const uint8_t *group = groups[rng_below(rng, ARRAY_SIZE(groups))];
    unsigned digit;
    do {
        digit = rng_below(rng, 8);
    } while (!(group[2] >> digit & 1));
    if (group[0])
        put(w, 0x0f, 1);
    put(w, group[1], 1);
    put(w, 0xc0 | digit << 3 | rng_below(rng, 7), 1);
}

// Appends to what is there already.
static void make_insn(struct rng *rng, unsigned id, unsigned form, uint32_t eip, struct writer *w)
{
    const struct opcode_row *row = &opcode_rows[id];
    unsigned special = form < FORM_FIRST_SPECIAL ? SPECIAL_NONE : form - FORM_FIRST_SPECIAL;
    unsigned address = special ? random_address(rng, row, special) : form / 2;
    bool size = special ? form_exists(id, address * 2 + 1) && rng_one_in(rng, 2) : form & 1;
    put_prefixes(rng, w, row, address, size, special);
    if (row->map == MAP_0F)
        put(w, 0x0f, 1);
    put(w, row->opcode + (row->attributes & ATTR_PLUS_R ? rng_below(rng, 8) : 0), 1);
    if (has_modrm(row))
        put_modrm(rng, w, row, address);
    for (unsigned i = 0; i < 3; i++)
        put_immediate(rng, w, row, row->operand[i], size ? 2 : 4, is_address16(address), eip);
}

static void make_bytes(struct rng *rng, unsigned id, unsigned form, uint32_t eip, struct writer *w)
{
    struct rng again = *rng;
    w->length = 0;
    make_insn(rng, id, form, eip, w);
    if (form != FORM_FIRST_SPECIAL + SPECIAL_LONG)
        return;
    // The same behind more of a prefix that means nothing new.
    unsigned target = 14 + rng_below(rng, 3);
    unsigned more = w->length < target ? target - w->length : 0;
    w->length = 0;
    for (unsigned i = 0; i < more; i++)
        put(w, 0x3e, 1);
    make_insn(&again, id, form, eip, w);
}

// May leave by a branch, or change what the way back needs.
static bool needs_trap(unsigned id)
{
    return (opcode_rows[id].attributes & (ATTR_BRANCH | ATTR_STOP)) != 0;
}

static bool uses_fpu(const struct opcode_row *row)
{
    return (row->attributes & (ATTR_FPU | ATTR_MMX | ATTR_SSE)) ||
           (row->map == MAP_0F && row->opcode == 0xae) ||
           (row->map == MAP_1 && row->opcode == 0x9b);
}

bool encoding_make(struct rng *rng, unsigned id, unsigned form, struct encoding *encoding)
{
    static const uint16_t data[] = {USER_SEL_SMALL, USER_SEL_READ, USER_SEL_DOWN, USER_CS, 0};
    const struct decode_mode mode = {.code32 = true, .features = ~0u};
    *encoding = (struct encoding){.row = id, .form = form, .ds = USER_DS, .es = USER_DS};
    for (unsigned tries = 0; tries < 64; tries++) {
        struct user_code *code = &encoding->code;
        struct writer w;
        bool edge = form == FORM_FIRST_SPECIAL + SPECIAL_EDGE;
        uint32_t eip =
            USER_CODE + (edge ? USER_PAGE - 1 - rng_below(rng, 8) : 0x800 + rng_below(rng, 64));
        if (id == OPCODE_INVALID)
            make_undefined(rng, &w);
        else
            make_bytes(rng, id, form, eip, &w);
        if (w.length > sizeof code->bytes)
            continue;
        memset(w.bytes + w.length, 0xcc, sizeof w.bytes - w.length);
        enum decode_status status = insn_decode(&mode, w.bytes, sizeof w.bytes, &encoding->insn);
        if (status == DECODE_OK && encoding->insn.row != id &&
            (encoding->insn.row != OPCODE_INVALID || !(encoding->insn.prefixes & INSN_LOCK)))
            continue;
        if (status == DECODE_OK && encoding->insn.row == id) {
            // A prefix may have made another size of it: what is left over is none of it.
            w.length = encoding->insn.length;
            memset(w.bytes + w.length, 0xcc, sizeof w.bytes - w.length);
        }
        if (edge && eip + w.length < USER_CODE + USER_PAGE)
            continue;
        memcpy(code->bytes, w.bytes, sizeof code->bytes);
        code->length = (uint8_t)w.length;
        code->eip = eip;
        code->trap = needs_trap(id) || edge || status != DECODE_OK;
        code->fpu = uses_fpu(&opcode_rows[id]);
        if (rng_one_in(rng, 8))
            encoding->ds = data[rng_below(rng, ARRAY_SIZE(data))];
        if (rng_one_in(rng, 8))
            encoding->es = data[rng_below(rng, ARRAY_SIZE(data))];
        return true;
    }
    return false;
}
