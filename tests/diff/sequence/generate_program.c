// SPDX-License-Identifier: MIT
// Programs: sections of items, the state they start from, the pages they find.
#include "generate.h"

#include "cpu/fpu.h"

static void end_section(struct generator *g)
{
    struct item *item = generate_item(g);
    if (!item)
        return;
    if (g->section == SECTION_MAIN) {
        item_byte(item, 0xf4); // hlt
    } else if (g->section == SECTION_ISLAND) {
        item_byte(item, 0x66);
        item_byte(item, 0xcb); // retf to 32-bit code
    } else {
        item_byte(item, 0xc3);
    }
}

static void generate_section(struct generator *g, unsigned section, unsigned steps,
                             unsigned macro_rate)
{
    g->section = section;
    g->code16 = section == SECTION_ISLAND;
    for (unsigned i = 0; i < steps; i++) {
        if (!g->code16 && random_one_in(&g->random, macro_rate))
            generate_macro(g);
        else
            generate_plain(g);
    }
    end_section(g);
}

// Places written as sections become their first items; those behind a section's end, its end.
static void resolve_targets(struct program *p)
{
    unsigned first[SECTIONS], last[SECTIONS] = {0};
    for (unsigned s = 0; s < SECTIONS; s++)
        first[s] = p->count;
    for (unsigned i = p->count; i-- > 0;)
        first[p->items[i].section] = i;
    for (unsigned i = 0; i < p->count; i++)
        last[p->items[i].section] = i;
    for (unsigned i = 0; i < p->count; i++) {
        for (unsigned k = 0; k < p->items[i].reloc_count; k++) {
            struct reloc *reloc = &p->items[i].relocs[k];
            unsigned section = p->items[i].section;
            if (reloc->target >= 0xff00)
                reloc->target = (uint16_t)first[reloc->target - 0xff00];
            else if (reloc->target > last[section])
                reloc->target = (uint16_t)last[section];
        }
    }
}

static void random_registers(struct generator *g)
{
    struct random *r = &g->random;
    struct program *p = g->p;
    for (unsigned i = 0; i < 8; i++)
        p->regs[i] = generate_value(r);
    p->regs[REG_EBX] = generate_address(g);
    p->regs[REG_ESI] = generate_address(g);
    p->regs[REG_EDI] = generate_address(g);
    p->regs[REG_EBP] = generate_address(g);
    p->regs[REG_ESP] = STACK_TOP - 4 * random_below(r, 64) + random_one_in(r, 12);
    p->eflags = random_next(r) & FLAGS_ARITH;
    if (!random_one_in(r, 3))
        p->eflags |= FLAG_IF;
    if (random_one_in(r, 2))
        p->eflags |= FLAG_IOPL;
    if (random_one_in(r, 16))
        p->eflags |= FLAG_DF;
}

static void random_fpu(struct generator *g)
{
    static const uint16_t controls[] = {0x37f, 0x27f, 0xf7f, 0x7f, 0x77f, 0xb7f, 0x37f, 0x360};
    struct random *r = &g->random;
    struct fpu_state *fpu = &g->p->fpu;
    fpu->control = controls[random_below(r, 8)];
    fpu->status = (uint16_t)(random_next(r) & 0x3800);
    fpu->tags = (uint8_t)random_next(r);
    fpu->mxcsr = 0x1f80 | random_below(r, 4) << 13;
    for (unsigned i = 0; i < 8; i++) {
        long double wide = (long double)(int32_t)random_next(r) / (1 + random_below(r, 4096));
        memcpy(fpu->st[i].bytes, &wide, 10);
        if (random_one_in(r, 6))
            store_le64(fpu->st[i].bytes, random_next(r) | (uint64_t)random_next(r) << 32);
        for (unsigned n = 0; n < 2; n++) {
            double d = (double)(int32_t)random_next(r) / (1 + random_below(r, 256));
            memcpy(fpu->xmm[i] + 8 * n, &d, 8);
        }
        if (random_one_in(r, 3))
            store_le64(fpu->xmm[i], random_next(r) | (uint64_t)random_next(r) << 32);
    }
}

static void random_pages(struct generator *g)
{
    struct random *r = &g->random;
    for (unsigned i = 0; i < DATA_PAGES; i++)
        g->p->pages[i] = random_one_in(r, 2) ? PAGE_PLAIN : (uint8_t)random_below(r, PAGE_KINDS);
}

static void random_changes(struct generator *g)
{
    struct program *p = g->p;
    struct decode_mode mode = {.code32 = true, .features = UINT32_MAX};
    p->patch.item = NO_ITEM;
    for (unsigned i = 0; i < ARRAY_SIZE(p->other); i++)
        p->other[i].item = NO_ITEM;
    for (unsigned n = 0; n < 5; n++) {
        for (unsigned try = 0; try < 20; try++) {
            unsigned index = random_below(&g->random, p->count);
            const struct item *item = &p->items[index];
            struct insn insn;
            if (item->reloc_count || item->code16 ||
                insn_decode(&mode, item->bytes, item->length, &insn) != DECODE_OK ||
                insn.length != item->length || insn.imm == 0 ||
                (opcode_rows[insn.row].attributes & (ATTR_COUNT_IMM | ATTR_BRANCH)))
                continue;
            uint8_t at = (uint8_t)(item->length - 1);
            uint8_t change = (uint8_t)random_next(&g->random);
            if (n == 4) {
                p->patch.item = (uint16_t)index, p->patch.at = at, p->patch.change = change;
            } else {
                p->other[n].item = (uint16_t)index;
                p->other[n].at = at, p->other[n].change = change;
            }
            break;
        }
    }
}

static void random_machine(struct generator *g)
{
    struct random *r = &g->random;
    struct program *p = g->p;
    p->counting = random_one_in(r, 2);
    p->code_writable = !random_one_in(r, 4);
    p->wp = !random_one_in(r, 4);
    p->am = random_one_in(r, 8);
    p->pge = random_one_in(r, 2);
    p->fix_esp = !random_one_in(r, 4);
    p->window = random_one_in(r, 2);
    p->threshold = (uint8_t)(random_one_in(r, 2) ? 0 : random_below(r, 4));
    p->rounds = (uint8_t)(1 + random_below(r, 3));
    p->small_cache = random_one_in(r, 3);
    if (random_one_in(r, 40)) // tight ones take their time
        p->small_cache = (uint8_t)(2 + random_below(r, 4));
    p->faults = (uint16_t)(random_one_in(r, 6) ? 1 : 2 + random_below(r, 40));
    p->remap = (uint8_t)random_below(r, CODE_PAGES);
    p->memory_seed = random_next(r) | 1;
    if (p->counting && random_one_in(r, 2))
        p->interrupts = (uint8_t)(1 + random_below(r, MAX_INTERRUPTS));
    for (unsigned i = 0; i < p->interrupts; i++)
        p->interrupt_at[i] = (uint16_t)((random_one_in(r, 8) ? 0x8000 : 0) |
                                        random_below(r, random_one_in(r, 2) ? 60 : 600));
}

static void place_sections(struct generator *g)
{
    struct random *r = &g->random;
    uint16_t *base = g->p->section_base;
    base[SECTION_MAIN] =
        (uint16_t)(random_one_in(r, 2) ? random_below(r, 0x400) : 0xe80 + random_below(r, 0x180));
    base[SECTION_F1] = (uint16_t)(random_one_in(r, 2) ? 0x1900 : 0x1fc0 + random_below(r, 0x50));
    base[SECTION_F2] = (uint16_t)(random_one_in(r, 2) ? 0x2400 : 0x2f80 + random_below(r, 0x90));
    base[SECTION_ISLAND] = (uint16_t)(0x3400 + random_below(r, 0x400));
}

void program_generate(struct program *p, uint64_t number)
{
    static const uint8_t weights[][4] = {{20, 0, 0, 0}, {16, 2, 1, 2}, {4, 14, 2, 2},
                                         {4, 1, 12, 4}, {4, 1, 2, 14}, {8, 4, 4, 6}};
    memset(p, 0, sizeof *p);
    struct generator g = {.p = p};
    g.random.state = number * UINT64_C(0x9e3779b97f4a7c15) + UINT64_C(0x632be59bd9b4e019);
    g.random.state ^= g.random.state >> 31;
    g.random.state |= g.random.state == 0;
    for (unsigned i = 0; i < 8; i++)
        random_next(&g.random);
    struct random *r = &g.random;
    p->number = number;
    p->cpl = random_one_in(r, 2) ? 3 : 0;
    const uint8_t *w =
        weights[random_one_in(r, 2) ? random_below(r, 2) : random_below(r, ARRAY_SIZE(weights))];
    for (unsigned i = 0; i < 4; i++)
        g.weights[i] = w[i];
    unsigned rate = 2 + random_below(r, 8);
    unsigned steps = 4 + random_below(r, random_one_in(r, 3) ? 60 : 24);
    if (random_one_in(r, 10)) { // more than a block
        rate = 60;
        steps = 70 + random_below(r, 30);
    }
    generate_section(&g, SECTION_MAIN, steps, rate);
    generate_section(&g, SECTION_F1, random_below(r, 8), rate);
    generate_section(&g, SECTION_F2, random_below(r, 8), rate);
    generate_section(&g, SECTION_ISLAND, random_below(r, 6), rate);
    resolve_targets(p);
    place_sections(&g);
    random_registers(&g);
    random_fpu(&g);
    random_pages(&g);
    random_machine(&g);
    random_changes(&g);
}
