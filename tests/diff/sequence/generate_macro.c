// SPDX-License-Identifier: MIT
// What needs more than one instruction or an address of the program's own: branches, calls,
// services of the kernel, segments, changes of the code.
#include "generate.h"

typedef void macro_fn(struct generator *g);

// Another item of the same section, near this one, mostly ahead.
static unsigned near_item(struct generator *g, unsigned ahead, unsigned behind)
{
    const struct program *p = g->p;
    unsigned here = p->count; // the item to come
    if (behind && here > 0 && random_one_in(&g->random, 6)) {
        unsigned target = here - 1 - random_below(&g->random, behind < here ? behind : here);
        if (p->items[target].section == g->section)
            return target;
    }
    return here + 1 + random_below(&g->random, ahead);
}

static void macro_jcc(struct generator *g)
{
    unsigned target = near_item(g, 5, 6);
    struct item *item = generate_item(g);
    if (!item)
        return;
    unsigned code = random_below(&g->random, 16);
    if (random_one_in(&g->random, 2)) {
        item_byte(item, 0x70 | code);
        item_reloc(item, RELOC_REL8, target, 0);
    } else {
        item_byte(item, 0x0f);
        item_byte(item, 0x80 | code);
        item_reloc(item, RELOC_REL32, target, 0);
    }
}

static void macro_jmp(struct generator *g)
{
    unsigned target = near_item(g, 5, 0);
    struct item *item = generate_item(g);
    if (!item)
        return;
    bool near = random_one_in(&g->random, 2);
    item_byte(item, near ? 0xeb : 0xe9);
    item_reloc(item, near ? RELOC_REL8 : RELOC_REL32, target, 0);
}

static void macro_loop(struct generator *g)
{
    if (random_one_in(&g->random, 3))
        generate_set(g, REG_ECX, random_below(&g->random, 12));
    unsigned target = near_item(g, 4, 6);
    struct item *item = generate_item(g);
    if (!item)
        return;
    item_byte(item, 0xe0 + random_below(&g->random, 4));
    item_reloc(item, RELOC_REL8, target, 0);
}

// An instruction that depends on flags of another block, and gets another condition.
static void macro_condition(struct generator *g)
{
    struct random *r = &g->random;
    struct item *item = generate_item(g);
    if (!item)
        return;
    item_byte(item, random_one_in(r, 2) ? 0x01 : 0x29); // add, sub
    item_byte(item, 0xc0 | random_below(r, 4) << 3 | random_below(r, 4));
    item_word(item, 0x00eb); // jmp behind it
    if (random_one_in(r, 2))
        generate_set(g, random_below(r, 4), generate_value(r));
    unsigned user = g->p->count;
    item = generate_item(g);
    if (!item)
        return;
    item_byte(item, 0x0f); // setcc, or cmovcc
    item_byte(item, (random_one_in(r, 2) ? 0x90 : 0x40) | random_below(r, 16));
    item_byte(item, 0xc0 | random_below(r, 4) << 3 | random_below(r, 4));
    item_word(item, 0xc085); // test eax, eax
    item = generate_item(g);
    if (!item)
        return;
    item_word(item, 0x3580); // xor byte [user + 1], change
    item_reloc(item, RELOC_LINEAR, user, 1);
    item_byte(item, 1 + random_below(r, 15));
}

// A loop that counts in memory: its start here, its end some items later.
static void macro_counted(struct generator *g)
{
    struct random *r = &g->random;
    uint32_t counter = SCRATCH_COUNTERS + 4 * random_below(r, 8);
    unsigned times = 2 + random_below(r, 12);
    struct item *item = generate_item(g);
    if (!item || g->code16)
        return;
    item_word(item, 0x05c7);
    item_dword(item, counter);
    item_dword(item, times);
    unsigned start = g->p->count;
    for (unsigned n = 1 + random_below(r, 6); n > 0; n--)
        generate_plain(g);
    if (random_one_in(r, 3))
        macro_jcc(g);
    if (random_one_in(r, 6))
        macro_condition(g);
    item = generate_item(g);
    if (!item)
        return;
    item_word(item, 0x2d83); // sub dword [counter], 1
    item_dword(item, counter);
    item_byte(item, 1);
    item_byte(item, 0x0f);
    item_byte(item, random_one_in(r, 2) ? 0x85 : 0x87); // jnz, ja
    item_reloc(item, RELOC_REL32, start, 0);
}

static void macro_call(struct generator *g)
{
    struct item *item = generate_item(g);
    if (!item)
        return;
    item_byte(item, 0xe8);
    item_reloc(item, RELOC_REL32, 0xff00 + SECTION_F1 + random_below(&g->random, 2), 0);
}

// Through a register or memory.
static void macro_indirect(struct generator *g)
{
    struct random *r = &g->random;
    bool call = random_one_in(r, 2);
    unsigned target = call ? 0xff00 + SECTION_F1 + random_below(r, 2) : near_item(g, 4, 0);
    unsigned reg = random_below(r, 4);
    struct item *item = generate_item(g);
    if (!item)
        return;
    if (random_one_in(r, 2)) {
        item_byte(item, 0xb8 + reg);
        item_reloc(item, call && random_one_in(r, 2) ? RELOC_ALIAS : RELOC_LINEAR, target, 0);
        item_byte(item, 0xff);
        item_byte(item, (call ? 0xd0 : 0xe0) + reg);
        return;
    }
    uint32_t slot = SCRATCH_POINTER + 4 * random_below(r, 3);
    item_word(item, 0x05c7);
    item_dword(item, slot);
    item_reloc(item, RELOC_LINEAR, target, 0);
    item_byte(item, 0xff);
    item_byte(item, call ? 0x15 : 0x25);
    item_dword(item, slot);
}

static void macro_ret(struct generator *g)
{
    struct random *r = &g->random;
    unsigned target = near_item(g, 4, 0);
    struct item *item = generate_item(g);
    if (!item)
        return;
    item_byte(item, 0x68);
    item_reloc(item, RELOC_LINEAR, target, 0);
    if (random_one_in(r, 4)) {
        item_byte(item, 0xc2);
        item_word(item, random_below(r, 4) * 4);
    } else {
        item_byte(item, 0xc3);
    }
}

static unsigned flat_code(const struct generator *g)
{
    return g->p->cpl == 3 ? SEL_CODE3 : SEL_CODE0;
}

// Far: JMP, RET and IRET within the flat segment, directly and through memory.
static void macro_far(struct generator *g)
{
    struct random *r = &g->random;
    unsigned target = near_item(g, 4, 0);
    unsigned selector = flat_code(g);
    uint32_t slot = SCRATCH_FAR + 0x80;
    struct item *item = generate_item(g);
    if (!item)
        return;
    switch (random_below(r, 4)) {
    case 0:
        item_byte(item, 0xea);
        item_reloc(item, RELOC_LINEAR, target, 0);
        item_word(item, selector);
        break;
    case 1:
        item_byte(item, 0x0e); // push cs
        item_byte(item, 0x68);
        item_reloc(item, RELOC_LINEAR, target, 0);
        item_byte(item, random_one_in(r, 4) ? 0xca : 0xcb);
        if (item->bytes[item->length - 1] == 0xca)
            item_word(item, 4 * random_below(r, 3));
        break;
    case 2:
        item_byte(item, 0x9c); // pushf
        item_byte(item, 0x0e);
        item_byte(item, 0x68);
        item_reloc(item, RELOC_LINEAR, target, 0);
        item_byte(item, 0xcf);
        break;
    default:
        item_word(item, 0x05c7);
        item_dword(item, slot);
        item_reloc(item, RELOC_LINEAR, target, 0);
        item_word(item, 0x05c7);
        item_dword(item, slot + 4);
        item_dword(item, selector);
        item_word(item, random_one_in(r, 2) ? 0x2dff : 0x1dff); // jmp, call far [slot]
        item_dword(item, slot);
    }
}

// The same code in ring 3. The kernel ends the program at the next fault.
static void macro_leave_ring0(struct generator *g)
{
    unsigned next = g->p->count + 1;
    struct item *item = generate_item(g);
    if (!item || g->p->cpl == 3)
        return;
    item_byte(item, 0x6a);
    item_byte(item, SEL_DATA3);
    item_byte(item, 0x68);
    item_dword(item, STACK_TOP);
    item_byte(item, 0x9c);
    item_byte(item, 0x6a);
    item_byte(item, SEL_CODE3);
    item_byte(item, 0x68);
    item_reloc(item, RELOC_LINEAR, next, 0);
    item_byte(item, 0xcf);
    item = generate_item(g);
    if (!item)
        return;
    item_byte(item, 0xb8);
    item_dword(item, SEL_DATA3);
    item_word(item, 0xd88e);
    item_word(item, 0xc08e);
}

// Far calls: a call gate, 16-bit code, code with a base.
static void macro_far_call(struct generator *g)
{
    struct random *r = &g->random;
    bool user = g->p->cpl == 3;
    struct item *item = generate_item(g);
    if (!item)
        return;
    item_byte(item, 0x9a);
    if (random_one_in(r, 4)) {
        item_dword(item, 0);
        item_word(item, SEL_GATE);
        return;
    }
    item_reloc(item, RELOC_OFFSET, 0xff00 + SECTION_ISLAND, 0);
    item_word(item, user ? SEL_CODE16_3 : SEL_CODE16_0);
}

static void macro_based_jump(struct generator *g)
{
    bool user = g->p->cpl == 3;
    unsigned target = near_item(g, 3, 0);
    struct item *item = generate_item(g);
    if (!item)
        return;
    item_byte(item, 0xea);
    item_reloc(item, RELOC_OFFSET, target, 0);
    item_word(item, user ? SEL_BASED_3 : SEL_BASED_0);
}

static void macro_service(struct generator *g)
{
    static const uint8_t numbers[] = {0, 1, 1, 2, 3, 3, 4, 4, 4, 5, 6, 7, 8, 9, 9, 10, 11};
    struct item *item = generate_item(g);
    if (!item)
        return;
    item_byte(item, 0xcd);
    item_byte(item, VECTOR_SERVICE + numbers[random_below(&g->random, sizeof numbers)]);
}

static void macro_software(struct generator *g)
{
    static const uint8_t opcodes[] = {0xcc, 0xce, 0xf1, 0xcc};
    struct random *r = &g->random;
    struct item *item = generate_item(g);
    if (!item)
        return;
    if (random_one_in(r, 6)) {
        item_byte(item, 0xcd);
        item_byte(item, random_below(r, 256));
    } else {
        item_byte(item, opcodes[random_below(r, 4)]);
    }
}

static void macro_sysenter(struct generator *g)
{
    unsigned next = g->p->count + 1;
    struct item *item = generate_item(g);
    if (!item)
        return;
    item_byte(item, 0xba);
    item_reloc(item, RELOC_LINEAR, next, 0);
    item_word(item, 0xe189); // mov ecx, esp
    item_word(item, 0x340f);
}

static void macro_resume(struct generator *g)
{
    unsigned target = near_item(g, 12, 0);
    struct item *item = generate_item(g);
    if (!item)
        return;
    item_word(item, 0x05c7);
    item_dword(item, SCRATCH_RESUME);
    item_reloc(item, RELOC_LINEAR, target, 0);
}

// Changes of the code: an immediate or displacement of an item, never one that decides which flags
// are written.
static bool patchable(const struct program *p, unsigned index, unsigned *at)
{
    const struct item *item = &p->items[index];
    struct insn insn;
    struct decode_mode mode = {.code32 = true, .features = UINT32_MAX};
    if (index >= p->count || item->reloc_count || item->code16 ||
        insn_decode(&mode, item->bytes, item->length, &insn) != DECODE_OK ||
        insn.length != item->length || (opcode_rows[insn.row].attributes & ATTR_COUNT_IMM) ||
        insn.imm == 0)
        return false;
    *at = item->length - 1u;
    return true;
}

static bool find_patchable(struct generator *g, unsigned *index, unsigned *at)
{
    for (unsigned try = 0; try < 20 && g->p->count > 0; try++) {
        *index = random_below(&g->random, g->p->count);
        if (patchable(g->p, *index, at))
            return true;
    }
    return false;
}

static void macro_modify(struct generator *g)
{
    struct random *r = &g->random;
    unsigned index, at;
    if (!find_patchable(g, &index, &at))
        return;
    struct item *item = generate_item(g);
    if (!item)
        return;
    bool add = random_one_in(r, 2);
    item_word(item, add ? 0x0580 : 0x05c6);
    item_reloc(item, RELOC_LINEAR, index, at);
    item_byte(item, random_next(r));
}

static void macro_port(struct generator *g)
{
    struct random *r = &g->random;
    struct item *item = generate_item(g);
    if (!item)
        return;
    unsigned port = random_one_in(r, 3)   ? PORT_BASE + random_below(r, 0x30)
                    : random_one_in(r, 2) ? PORT_DMA
                                          : PORT_INTR;
    item_byte(item, 0xba); // mov edx, port
    item_dword(item, port);
    item_byte(item, random_one_in(r, 3) ? 0xec : 0xee);
}

static void macro_segment(struct generator *g)
{
    static const uint8_t selectors[] = {SEL_DATA3,      SEL_DATA3,     SEL_DATA3, SEL_LIMITED,
                                        SEL_BASED_DATA, SEL_READ_ONLY, SEL_DOWN,  SEL_FULL,
                                        SEL_FULL,       SEL_ABSENT,    0};
    static const uint8_t loads[] = {0xc0, 0xd8, 0xe0, 0xe8, 0xe0, 0xe8}; // es, ds, fs, gs
    static const uint16_t pops[] = {0x07, 0x1f, 0xa10f, 0xa90f};
    struct random *r = &g->random;
    unsigned selector = selectors[random_below(r, ARRAY_SIZE(selectors))];
    struct item *item = generate_item(g);
    if (!item)
        return;
    switch (random_below(r, 4)) {
    case 0:
        item_byte(item, 0x6a);
        item_byte(item, selector);
        unsigned pop = pops[random_below(r, 4)];
        item_byte(item, pop);
        if (pop > 0xff)
            item_byte(item, pop >> 8);
        break;
    case 1: {
        static const uint16_t opcodes[] = {0xc4, 0xc5, 0xb40f, 0xb50f};
        unsigned opcode = opcodes[random_below(r, 4)];
        item_byte(item, opcode);
        if (opcode > 0xff)
            item_byte(item, opcode >> 8);
        item_byte(item, 0x05 | random_below(r, 4) << 3);
        item_dword(item, SCRATCH_FAR + 8 * random_below(r, 12));
        break;
    }
    default:
        item_byte(item, 0xb8);
        item_dword(item, selector);
        item_byte(item, 0x8e);
        item_byte(item, loads[random_below(r, sizeof loads)]);
    }
}

static void macro_stack_segment(struct generator *g)
{
    struct random *r = &g->random;
    bool user = g->p->cpl == 3;
    unsigned selector = random_one_in(r, 3) ? (user ? SEL_STACK16_3 : SEL_STACK16_0)
                                            : (user ? SEL_DATA3 : SEL_DATA0);
    struct item *item = generate_item(g);
    if (!item)
        return;
    item_byte(item, 0xb8);
    item_dword(item, selector);
    item_word(item, 0xd08e); // mov ss, eax
    if (random_one_in(r, 2))
        item_byte(item, 0x90);
}

static void macro_flags(struct generator *g)
{
    struct random *r = &g->random;
    uint32_t flags = random_next(r) & (FLAGS_ARITH | FLAG_DF | FLAG_IF);
    if (random_one_in(r, 2))
        flags &= ~FLAG_DF;
    if (random_one_in(r, 8))
        flags |= random_next(r) & (FLAG_TF | FLAG_AC | FLAG_ID | FLAG_IOPL);
    if (g->p->cpl == 0 && !random_one_in(r, 4))
        flags |= FLAG_IF;
    struct item *item = generate_item(g);
    if (!item)
        return;
    switch (random_below(r, 4)) {
    case 0:
        item_byte(item, 0x9c);
        break;
    case 1:
        item_byte(item, random_one_in(r, 3) ? 0xfa : 0xfb);
        break;
    default:
        item_byte(item, 0x68);
        item_dword(item, flags | 2);
        item_byte(item, 0x9d);
    }
}

static const struct {
    macro_fn *fn;
    uint8_t weight;
} macros[] = {
    {macro_jcc, 30},        {macro_jmp, 6},        {macro_loop, 8},       {macro_counted, 14},
    {macro_call, 10},       {macro_indirect, 8},   {macro_ret, 4},        {macro_far, 6},
    {macro_leave_ring0, 1}, {macro_far_call, 3},   {macro_based_jump, 1}, {macro_service, 14},
    {macro_software, 3},    {macro_sysenter, 2},   {macro_resume, 20},    {macro_modify, 10},
    {macro_condition, 6},   {macro_port, 4},       {macro_segment, 6},    {macro_stack_segment, 2},
    {macro_flags, 8},       {generate_control, 4}, {generate_fpu, 6},
};

void generate_macro(struct generator *g)
{
    unsigned total = 0, i = 0;
    for (unsigned k = 0; k < ARRAY_SIZE(macros); k++)
        total += macros[k].weight;
    unsigned pick = random_below(&g->random, total);
    while (pick >= macros[i].weight)
        pick -= macros[i++].weight;
    macros[i].fn(g);
}
