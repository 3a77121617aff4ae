// SPDX-License-Identifier: MIT
// States to run an encoding from: registers, flags, segments and memory, such that the operands lie
// where it matters: at edges of pages and segments, aligned and not, with special values.
#include "rig.h"

#define ESP_LIKE_ROWS                                                                              \
    {                                                                                              \
        "push", "pop", "pusha", "popa", "pushf", "popf", "call", "ret", "retf", "iret", "enter",   \
            "leave"                                                                                \
    }

void state_make_pristine(uint8_t pristine[3][USER_PAGE])
{
    struct rng rng = rng_seed(1, 2);
    for (unsigned i = 0; i < USER_PAGE; i += 8) {
        uint64_t value = rng_next(&rng);
        if (rng_one_in(&rng, 3))
            value = pick_value(&rng) | (uint64_t)pick_value(&rng) << 32;
        else if (rng_one_in(&rng, 2))
            value = (value & 0xff) * UINT64_C(0x0101010101010101); // runs, for SCAS
        store_le64(pristine[0] + i, value);
        // Mostly the same again, for CMPS.
        store_le64(pristine[1] + i, rng_one_in(&rng, 6) ? value ^ rng_next(&rng) : value);
        store_le64(pristine[2] + i, rng_next(&rng));
    }
    // As addresses, none of it leads where the host process has something mapped.
    for (unsigned page = 0; page < 3; page++)
        for (unsigned i = 0; i < USER_PAGE; i++)
            if (memchr("\x20\x39\x47\x58\x64\x90", pristine[page][i], 6))
                pristine[page][i] ^= 0x80;
}

static bool is_named(const struct opcode_row *row, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(row->mnemonic, names[i]) == 0)
            return true;
    return false;
}

static bool uses_stack(const struct opcode_row *row)
{
    static const char *const names[] = ESP_LIKE_ROWS;
    return is_named(row, names, ARRAY_SIZE(names));
}

// The offset in a segment of some place in the arena, by the view that its addresses reach.
static uint32_t place_offset(struct rng *rng, uint32_t size, uint16_t selector, bool address16)
{
    uint32_t base = selector_base(selector);
    bool low = address16 || rng_one_in(rng, 10);
    uint32_t place = pick_place(rng, size, low && address16);
    return (low && base == 0 ? USER_LOW : USER_HIGH) + place - base;
}

static uint32_t operand_bytes(const struct insn *insn)
{
    const struct opcode_row *row = &opcode_rows[insn->row];
    if (operand_is(row, OPND_Fsave))
        return 108;
    if (operand_is(row, OPND_Env))
        return 28;
    if (row->map == MAP_0F && row->opcode == 0xae)
        return (insn->reg & 7) < 2 ? 512 : 4;
    if (row->attributes & (ATTR_SSE | ATTR_MMX))
        return 16;
    return row->attributes & ATTR_FPU ? 10 : 4;
}

static uint32_t effective(const struct insn *insn, const uint32_t *regs)
{
    uint32_t address = insn->disp;
    if (insn->base != INSN_NO_REG)
        address += regs[insn->base];
    if (insn->index != INSN_NO_REG)
        address += regs[insn->index] << insn->scale;
    return insn->address_size == 2 ? address & 0xffff : address;
}

static void set_part(uint32_t *reg, uint32_t value, unsigned size)
{
    *reg = size == 2 ? (*reg & 0xffff0000u) | (value & 0xffff) : value;
}

// Makes registers such that the memory operand has this offset, as nearly as they can.
static void aim(struct rng *rng, const struct insn *insn, uint32_t *regs, uint32_t offset)
{
    uint32_t rest = offset - insn->disp;
    unsigned size = insn->address_size;
    if (insn->base == INSN_NO_REG && insn->index == INSN_NO_REG)
        return;
    if (insn->base == INSN_NO_REG) {
        regs[insn->index] = rest >> insn->scale;
        if (insn->scale)
            regs[insn->index] |= (uint32_t)rng_next(rng) << (32 - insn->scale);
        return;
    }
    if (insn->index == INSN_NO_REG) {
        set_part(&regs[insn->base], rest, size);
        return;
    }
    if (insn->index == insn->base) {
        regs[insn->base] = rest / (1 + (1u << insn->scale));
        return;
    }
    if (rng_one_in(rng, 2))
        regs[insn->index] = rng_below(rng, 64);
    set_part(&regs[insn->base], rest - (regs[insn->index] << insn->scale), size);
}

static uint16_t data_selector(struct rng *rng)
{
    static const uint16_t data[] = {USER_DS,        USER_DS,       USER_SEL_SMALL, USER_SEL_SMALL,
                                    USER_SEL_SMALL, USER_SEL_READ, USER_SEL_DOWN,  0};
    return data[rng_below(rng, ARRAY_SIZE(data))];
}

static void make_registers(struct rng *rng, const struct encoding *e, struct user_input *in)
{
    const struct insn *insn = &e->insn;
    const struct opcode_row *row = &opcode_rows[e->row];
    uint32_t *regs = in->regs;
    bool address16 = insn->address_size == 2;
    for (unsigned i = 0; i < 8; i++)
        regs[i] = pick_value(rng);
    if (uses_stack(row)) {
        regs[REG_ESP] = place_offset(rng, 8, USER_DS, false);
        if (rng_below(rng, 4))
            regs[REG_ESP] &= ~3u;
        regs[REG_EBP] = place_offset(rng, 8, USER_DS, false) & ~(rng_below(rng, 4) ? 3u : 0u);
    }
    if (row->attributes & ATTR_STRING) {
        uint32_t count = rng_one_in(rng, 6) ? pick_value(rng) : rng_below(rng, 40);
        set_part(&regs[REG_ECX], count, insn->address_size);
        uint32_t from = place_offset(rng, 8, in->segs[insn->segment], address16);
        uint32_t to = place_offset(rng, 8, in->segs[SEG_ES], address16);
        if (rng_one_in(rng, 4) && !address16) // the same data behind one another
            to = from + USER_PAGE * (rng_one_in(rng, 2) ? 1u : 0u);
        set_part(&regs[REG_ESI], from, insn->address_size);
        set_part(&regs[REG_EDI], to, insn->address_size);
    }
    if (row->map == MAP_1 && row->opcode == 0xd7) { // XLAT
        uint32_t table = place_offset(rng, 1, in->segs[insn->segment], address16);
        set_part(&regs[REG_EBX], table - (regs[REG_EAX] & 0xff), insn->address_size);
    }
    if (row->map == MAP_0F && row->opcode == 0xf7) // MASKMOVQ, MASKMOVDQU
        set_part(&regs[REG_EDI], place_offset(rng, 16, in->segs[insn->segment], address16),
                 insn->address_size);
    if (strcmp(row->mnemonic, "div") == 0 && rng_below(rng, 4))
        regs[REG_EDX] = rng_below(rng, 2) ? 0 : rng_below(rng, 256);
    if (strcmp(row->mnemonic, "idiv") == 0 && rng_below(rng, 4))
        regs[REG_EDX] = (uint32_t)((int32_t)regs[REG_EAX] >> 31);
}

// Registers that hold something besides numbers: counts, selectors, targets, bit numbers.
static void make_special_registers(struct rng *rng, const struct encoding *e, uint32_t *regs)
{
    const struct insn *insn = &e->insn;
    const struct opcode_row *row = &opcode_rows[e->row];
    if (operand_is(row, OPND_CL) && rng_below(rng, 4))
        regs[REG_ECX] = (regs[REG_ECX] & ~0xffu) | rng_below(rng, 34);
    bool bits = row->map == MAP_0F && (row->opcode & 0xc7) == 0x83 && operand_is(row, OPND_Gv);
    if (bits && insn->is_memory && rng_below(rng, 8))
        regs[insn->reg] = rng_below(rng, 16384) - 8192;
    if (insn->is_memory || !row->mnemonic)
        return;
    bool selects = operand_is(row, OPND_Sw) || row->operand[1] == OPND_Ew ||
                   (row->map == MAP_0F && row->opcode == 0);
    if (selects)
        regs[insn->rm] = (regs[insn->rm] & 0xffff0000u) | pick_selector(rng, false);
    if (row->map == MAP_1 && row->opcode == 0xff && (insn->reg == 2 || insn->reg == 4))
        regs[insn->rm] = code_target(rng, e->code.eip);
    if (row->map == MAP_1 && row->opcode == 0xe3 && rng_one_in(rng, 2))
        regs[REG_ECX] &= 0xffff0000u;
}

static uint32_t make_flags(struct rng *rng, const struct opcode_row *row)
{
    uint32_t flags = (uint32_t)rng_next(rng) & (FLAGS_ARITH | FLAG_DF);
    uint32_t others = (uint32_t)rng_next(rng);
    if (!(row->attributes & ATTR_STRING) && rng_below(rng, 4))
        flags &= ~FLAG_DF;
    if (rng_one_in(rng, 24))
        flags |= FLAG_AC;
    if (rng_one_in(rng, 8))
        flags |= others & FLAG_ID;
    if (rng_one_in(rng, 16) && strcmp(row->mnemonic, "iret") != 0)
        flags |= others & FLAG_NT;
    return flags | FLAG_FIXED | FLAG_IF;
}

static uint32_t flags_image(struct rng *rng)
{
    uint32_t flags = (uint32_t)rng_next(rng) & ~(FLAG_TF | FLAG_AC | FLAG_NT);
    if (rng_one_in(rng, 8))
        flags |= (uint32_t)rng_next(rng) & (FLAG_AC | FLAG_NT);
    return rng_below(rng, 2) ? flags : flags & (FLAGS_ARITH | FLAG_DF | FLAG_IF);
}

static bool pops_segment(const struct opcode_row *row)
{
    return strcmp(row->mnemonic, "pop") == 0 && row->operand[0] >= OPND_CS &&
           row->operand[0] <= OPND_SS;
}

// What instructions that pop expect; 24 bytes.
static void make_stack(struct rng *rng, const struct encoding *e, uint8_t *stack)
{
    const struct opcode_row *row = &opcode_rows[e->row];
    unsigned size = e->insn.operand_size == 2 ? 2 : 4;
    for (unsigned i = 0; i < 6; i++)
        store_le32(stack + 4 * i, pick_value(rng));
    if (strcmp(row->mnemonic, "popf") == 0)
        store_le32(stack, flags_image(rng));
    if (pops_segment(row))
        store_le16(stack, pick_selector(rng, false));
    bool far = strcmp(row->mnemonic, "retf") == 0 || strcmp(row->mnemonic, "iret") == 0;
    if (far || strcmp(row->mnemonic, "ret") == 0)
        store_le32(stack, code_target(rng, e->code.eip));
    if (far)
        store_le16(stack + size, pick_selector(rng, true));
    if (strcmp(row->mnemonic, "iret") == 0) {
        uint32_t flags = flags_image(rng);
        memcpy(stack + 2 * size, &flags, size);
    }
}

static void make_general_operand(struct rng *rng, const struct encoding *e, const uint32_t *regs,
                                 uint8_t *bytes)
{
    const struct insn *insn = &e->insn;
    const struct opcode_row *row = &opcode_rows[e->row];
    unsigned size = insn->operand_size == 2 ? 2 : 4;
    for (unsigned i = 0; i < 4; i++)
        store_le32(bytes + 4 * i, pick_value(rng));
    if (operand_is(row, OPND_Mp)) {
        bool transfers = row->attributes & ATTR_BRANCH;
        if (transfers)
            store_le32(bytes, code_target(rng, e->code.eip));
        store_le16(bytes + size, pick_selector(rng, transfers));
    } else if (operand_is(row, OPND_Ma) && rng_below(rng, 4)) {
        uint32_t low = regs[insn->reg] - rng_below(rng, 3), high = low + rng_below(rng, 4);
        memcpy(bytes, &low, size);
        memcpy(bytes + size, &high, size);
    } else if (row->map == MAP_1 && row->opcode == 0xff && (insn->reg == 2 || insn->reg == 4)) {
        store_le32(bytes, code_target(rng, e->code.eip));
    } else if (operand_is(row, OPND_Sw) || row->operand[1] == OPND_Ew ||
               (row->map == MAP_0F && row->opcode == 0)) {
        store_le16(bytes, pick_selector(rng, false));
    } else if (strncmp(row->mnemonic, "cmpxchg", 7) == 0 && rng_below(rng, 2)) {
        store_le32(bytes, regs[REG_EAX]);
        store_le32(bytes + 4, regs[REG_EDX]);
    }
}

// FLDENV, FRSTOR, FXRSTOR, LDMXCSR: an image. Returns its length.
static unsigned make_image(struct rng *rng, const struct encoding *e, uint8_t *bytes)
{
    const struct insn *insn = &e->insn;
    const struct opcode_row *row = &opcode_rows[e->row];
    uint8_t fpu[512];
    if (row->map == MAP_0F && row->opcode == 0xae && insn->reg < 2) {
        state_make_fpu(rng, e, bytes);
        if (rng_one_in(rng, 8))
            store_le32(bytes + 24, (uint32_t)rng_next(rng) & ~0x20000u);
        return 512;
    }
    if (row->map == MAP_0F && row->opcode == 0xae) {
        uint32_t mxcsr = (uint32_t)rng_next(rng);
        // Bit 17 exists on AMD's.
        store_le32(bytes, mxcsr & (rng_below(rng, 4) ? 0xffffu : ~0x20000u));
        return 4;
    }
    if (!operand_is(row, OPND_Env) && !operand_is(row, OPND_Fsave))
        return 0;
    state_make_fpu(rng, e, fpu);
    unsigned word = insn->operand_size == 2 ? 2 : 4;
    for (unsigned i = 0; i < 108; i += 4)
        store_le32(bytes + i, (uint32_t)rng_next(rng));
    store_le16(bytes, load_le16(fpu));
    store_le16(bytes + word, load_le16(fpu + 2));
    for (unsigned i = 0; i < 8; i++)
        memcpy(bytes + 7 * word + 10 * i, fpu + 32 + 16 * i, 10);
    return 108;
}

// Cuts a patch to the writable pages; `bytes` follow those of the patches before it.
static void set_patch(struct user_input *in, unsigned which, uint32_t at, const uint8_t *bytes,
                      unsigned length)
{
    unsigned used = which ? in->patches[0].length : 0;
    in->patches[which].at = USER_WRITABLE;
    in->patches[which].length = 0;
    if (at >= USER_READ_ONLY || at + length <= USER_WRITABLE)
        return;
    if (at < USER_WRITABLE) {
        bytes += USER_WRITABLE - at;
        length -= USER_WRITABLE - at;
        at = USER_WRITABLE;
    }
    if (length > USER_READ_ONLY - at)
        length = USER_READ_ONLY - at;
    if (length > USER_DATA - used)
        length = USER_DATA - used;
    memcpy(in->data + used, bytes, length);
    in->patches[which].at = (uint16_t)at;
    in->patches[which].length = (uint16_t)length;
}

static uint32_t arena_offset(uint32_t linear)
{
    if (linear - USER_HIGH < USER_PAGES * USER_PAGE)
        return linear - USER_HIGH;
    if (linear - USER_LOW < USER_PAGES * USER_PAGE)
        return linear - USER_LOW;
    return USER_NOWHERE;
}

// Not where the host process has memory of its own (host.c), into which a push would go.
static void keep_off_host(uint32_t *reg)
{
    uint32_t top = *reg >> 24;
    if (top == 0x39 || top == 0x47 || top == 0x58 || top == 0x64)
        *reg ^= 0x80000000u;
}

void state_make(struct rng *rng, const struct encoding *e, struct user_input *in,
                struct case_info *info)
{
    const struct insn *insn = &e->insn;
    const struct opcode_row *row = &opcode_rows[e->row];
    uint8_t operand[512], stack[24];
    if (e->code.fpu)
        state_make_fpu(rng, e, in->fpu);
    const uint16_t segs[USER_SEGS] = {
        e->es, USER_CS, USER_DS, e->ds, data_selector(rng), data_selector(rng)};
    memcpy(in->segs, segs, sizeof segs);
    in->eflags = make_flags(rng, row);
    make_registers(rng, e, in);
    make_special_registers(rng, e, in->regs);
    info->operand = USER_NOWHERE;
    if (insn->is_memory) {
        uint32_t size = operand_bytes(insn);
        uint16_t selector = in->segs[insn->segment];
        aim(rng, insn, in->regs, place_offset(rng, size, selector, insn->address_size == 2));
        if (uses_stack(row))
            keep_off_host(&in->regs[REG_ESP]);
        info->operand = arena_offset(effective(insn, in->regs) + selector_base(selector));
    }
    unsigned length = make_image(rng, e, operand);
    if (length == 0) {
        length = 16;
        if (e->code.fpu)
            random_operand(rng, operand, length);
        else
            make_general_operand(rng, e, in->regs, operand);
    }
    bool whole = info->operand != USER_NOWHERE && insn->is_memory;
    set_patch(in, 0, whole ? info->operand : USER_END, operand, length);
    uint32_t top = uses_stack(row) ? arena_offset(in->regs[REG_ESP]) : USER_NOWHERE;
    make_stack(rng, e, stack);
    set_patch(in, 1, top != USER_NOWHERE ? top : USER_END, stack, sizeof stack);
    if (strcmp(row->mnemonic, "leave") == 0 && rng_below(rng, 2))
        in->regs[REG_ESP] = pick_value(rng);
}
