// SPDX-License-Identifier: MIT
// Instructions out of the opcode table: a random row, random operands, registers that lead into the
// program's pages.
#include "generate.h"

#define TRIES 16

struct item *generate_item(struct generator *g)
{
    struct program *p = g->p;
    if (p->count >= MAX_ITEMS - 1)
        return NULL;
    struct item *item = &p->items[p->count++];
    *item = (struct item){.section = (uint8_t)g->section, .code16 = g->code16};
    return item;
}

void item_byte(struct item *item, unsigned byte)
{
    if (item->length < ITEM_BYTES)
        item->bytes[item->length++] = (uint8_t)byte;
}

void item_word(struct item *item, unsigned word)
{
    item_byte(item, word);
    item_byte(item, word >> 8);
}

void item_dword(struct item *item, uint32_t dword)
{
    item_word(item, dword);
    item_word(item, dword >> 16);
}

void item_reloc(struct item *item, enum reloc_kind kind, unsigned target, unsigned addend)
{
    item->relocs[item->reloc_count++] = (struct reloc){.kind = (uint8_t)kind,
                                                       .at = item->length,
                                                       .addend = (uint8_t)addend,
                                                       .target = (uint16_t)target};
    item_byte(item, 0);
    if (kind == RELOC_REL8)
        return;
    item_byte(item, 0);
    if (!item->code16)
        item_word(item, 0);
}

uint32_t generate_value(struct random *r)
{
    static const uint32_t edges[] = {0,          1,          2,          0xff,       0x7f,
                                     0x80,       0x7fff,     0x8000,     0xffff,     0x10000,
                                     0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, 31,
                                     32,         0x55555555, 0x0f0f0f0f, 0xffffff80};
    switch (random_below(r, 4)) {
    case 0:
        return edges[random_below(r, ARRAY_SIZE(edges))];
    case 1:
        return random_below(r, 256);
    default:
        return random_next(r);
    }
}

uint32_t generate_address(struct generator *g)
{
    struct random *r = &g->random;
    uint32_t page = DATA + random_below(r, DATA_PAGES) * PAGE_SIZE;
    if (random_one_in(r, 12))
        page = random_one_in(r, 2) ? SCRATCH : STACK;
    if (random_one_in(r, 80))
        page = CODE + random_below(r, CODE_PAGES) * PAGE_SIZE;
    uint32_t offset = random_below(r, PAGE_SIZE);
    if (random_one_in(r, 4))
        offset = PAGE_SIZE - 16 + random_below(r, 24);
    if (!random_one_in(r, 3))
        offset &= ~3u;
    return page + offset;
}

void generate_set(struct generator *g, unsigned reg, uint32_t value)
{
    struct item *item = generate_item(g);
    if (!item)
        return;
    if (g->code16)
        item_byte(item, 0x66);
    item_byte(item, 0xb8 + reg);
    item_dword(item, value);
}

bool row_is_left_out(unsigned row)
{
    return row == OPCODE_INVALID;
}

static bool stores_pointers(const struct opcode_row *row)
{
    return row->operand[0] == OPND_Env || row->operand[0] == OPND_Fsave ||
           (row->map == MAP_0F && row->opcode == 0xae && (row->form >> 5 & 7) == 0);
}

// Rows that stand alone without harm; the others are parts of macros.
static bool row_is_plain(const struct program *p, unsigned id)
{
    const struct opcode_row *row = &opcode_rows[id];
    if (id == OPCODE_INVALID || stores_pointers(row))
        return false;
    if (row->attributes & ATTR_CPL0)
        return p->cpl == 3;
    return !(row->attributes & ATTR_BRANCH) || id == OPCODE_UD2 || id == OPCODE_RSM ||
           (row->attributes & ATTR_IO);
}

static bool row_is_class(unsigned id, unsigned class)
{
    uint32_t attributes = opcode_rows[id].attributes;
    static const uint32_t wanted[] = {0, ATTR_FPU, ATTR_MMX, ATTR_SSE};
    uint32_t any = attributes & (ATTR_FPU | ATTR_MMX | ATTR_SSE);
    return class == 0 ? any == 0 : (any & wanted[class]) != 0;
}

static unsigned emit_prefixes(struct generator *g, const struct opcode_row *row, uint8_t *b)
{
    static const uint8_t segments[] = {0x64, 0x65, 0x26, 0x2e, 0x36, 0x3e};
    struct random *r = &g->random;
    unsigned n = 0;
    if (random_one_in(r, 14))
        b[n++] = segments[random_below(r, 6)];
    if (random_one_in(r, g->code16 ? 3 : 60))
        b[n++] = 0x67;
    if (row->prefix == PFX_ANY && random_one_in(r, g->code16 ? 3 : 8))
        b[n++] = 0x66;
    if ((row->attributes & ATTR_LOCK) && random_one_in(r, 10))
        b[n++] = 0xf0;
    if ((row->attributes & ATTR_STRING) && random_one_in(r, 2))
        b[n++] = random_one_in(r, 2) ? 0xf2 : 0xf3;
    if (row->prefix >= PFX_66)
        b[n++] = row->prefix == PFX_66 ? 0x66 : row->prefix == PFX_F3 ? 0xf3 : 0xf2;
    return n;
}

static unsigned emit_modrm(struct generator *g, const struct opcode_row *row, uint8_t *b)
{
    static const uint8_t bases[] = {3, 6, 7, 5, 3, 6, 7, 4, 0, 1, 2, 3};
    struct random *r = &g->random;
    unsigned class = row->form & FORM_CLASS;
    if (class == FORM_NO_MODRM)
        return 0;
    unsigned reg = row->form & FORM_HAS_G ? row->form >> 5 & 7 : random_below(r, 8);
    unsigned rm = row->form & FORM_HAS_R ? row->form >> 9 & 7 : random_below(r, 8);
    unsigned mod = random_below(r, 3);
    if (class == FORM_REG || (class == FORM_ANY && random_one_in(r, 2))) {
        b[0] = (uint8_t)(0xc0 | reg << 3 | rm);
        return 1;
    }
    rm = bases[random_below(r, ARRAY_SIZE(bases))];
    b[0] = (uint8_t)(mod << 6 | reg << 3 | rm);
    unsigned n = 1;
    if (rm == 4 && !g->code16) {
        unsigned base = bases[random_below(r, ARRAY_SIZE(bases))];
        unsigned index = random_one_in(r, 3) ? 4 : random_below(r, 8);
        b[n++] = (uint8_t)(random_below(r, 4) << 6 | index << 3 | base);
    }
    return n;
}

// The stack pointer, as a plain operand, is left alone for the most part.
static bool spoils_stack(struct generator *g, const struct insn *insn)
{
    const struct opcode_row *row = &opcode_rows[insn->row];
    bool named = false;
    for (unsigned i = 0; i < 3; i++) {
        unsigned o = row->operand[i];
        if (o >= OPND_Gw && o <= OPND_Gd && insn->reg == REG_ESP)
            named = true;
        if (((o >= OPND_Ew && o <= OPND_Ed) || o == OPND_Rd || o == OPND_RMw || o == OPND_Zv) &&
            !insn->is_memory && insn->rm == REG_ESP)
            named = true;
    }
    return named && !random_one_in(&g->random, 30);
}

unsigned generate_row(struct generator *g, unsigned id, uint8_t *out, struct insn *insn)
{
    const struct opcode_row *row = &opcode_rows[id];
    struct random *r = &g->random;
    struct decode_mode mode = {.code32 = !g->code16, .features = UINT32_MAX};
    for (unsigned try = 0; try < TRIES; try++) {
        uint8_t b[32];
        unsigned n = emit_prefixes(g, row, b);
        if (row->map == MAP_0F)
            b[n++] = 0x0f;
        b[n++] = (uint8_t)(row->opcode + (row->attributes & ATTR_PLUS_R ? random_below(r, 8) : 0));
        n += emit_modrm(g, row, b + n);
        for (unsigned i = 0; i < 2; i++, n += 4)
            store_le32(b + n, generate_value(r));
        if (insn_decode(&mode, b, 15, insn) != DECODE_OK || insn->row != id ||
            spoils_stack(g, insn))
            continue;
        if (row->operand[0] == OPND_Ob || row->operand[0] == OPND_Ov ||
            row->operand[1] == OPND_Ob || row->operand[1] == OPND_Ov) {
            if (insn->address_size == 4)
                store_le32(b + insn->length - 4, generate_address(g));
        }
        if (row->map == MAP_1 && row->opcode == 0xc8) { // ENTER
            b[insn->length - 3] &= 63;
            b[insn->length - 2] = 0;
            b[insn->length - 1] &= random_one_in(r, 4) ? 7 : 0;
        }
        insn_decode(&mode, b, 15, insn);
        memcpy(out, b, insn->length);
        return insn->length;
    }
    return 0;
}

// Registers that address memory get values that lead somewhere.
static void set_up(struct generator *g, const struct insn *insn)
{
    const struct opcode_row *row = &opcode_rows[insn->row];
    struct random *r = &g->random;
    if (random_one_in(r, 4))
        return;
    if (insn->is_memory) {
        uint32_t offset = insn->disp;
        if (insn->index != INSN_NO_REG && insn->index != insn->base) {
            uint32_t value = random_below(r, 64);
            if (insn->index != REG_ESP)
                generate_set(g, insn->index, value);
            offset += value << insn->scale;
        }
        uint32_t address = generate_address(g);
        if ((row->attributes & ATTR_ALIGN16) && !random_one_in(r, 8))
            address &= ~15u;
        if (insn->base != INSN_NO_REG && insn->base != REG_ESP)
            generate_set(g, insn->base, address - offset);
    }
    if (row->attributes & ATTR_STRING) {
        generate_set(g, REG_ESI, generate_address(g));
        generate_set(g, REG_EDI, generate_address(g));
        if (!random_one_in(r, 8))
            generate_set(g, REG_ECX, random_below(r, random_one_in(r, 4) ? 3000 : 20));
    }
    if (row->map == MAP_1 && row->opcode == 0xd7)
        generate_set(g, REG_EBX, generate_address(g));
    if (row->map == MAP_0F && row->opcode == 0xf7)
        generate_set(g, REG_EDI, generate_address(g));
    if ((row->attributes & ATTR_IO) && !random_one_in(r, 6))
        generate_set(g, REG_EDX, PORT_BASE + random_below(r, 0x38));
}

// Their results have flags that the manual leaves undefined, and that differ.
static bool leaves_flags_undefined(const struct opcode_row *row)
{
    if (row->map == MAP_0F)
        return row->opcode == 0xaf;
    return row->opcode == 0x69 || row->opcode == 0x6b ||
           ((row->opcode & 0xfe) == 0xf6 && (row->form >> 5 & 7) >= 4);
}

static void define_flags(struct generator *g)
{
    static const uint8_t rows[] = {0x85, 0x39, 0x01, 0x29, 0x31};
    struct item *item = generate_item(g);
    if (!item)
        return;
    item_byte(item, rows[random_below(&g->random, sizeof rows)]);
    item_byte(item, 0xc0 | random_below(&g->random, 4) << 3 | random_below(&g->random, 4));
}

static unsigned choose_row(struct generator *g)
{
    unsigned total = 0, class = 0;
    for (unsigned i = 0; i < 4; i++)
        total += g->weights[i];
    unsigned pick = random_below(&g->random, total);
    while (pick >= g->weights[class])
        pick -= g->weights[class ++];
    for (unsigned try = 0; try < 200; try++) {
        unsigned row = 1 + random_below(&g->random, OPCODE_COUNT - 1);
        if (row_is_class(row, class) && row_is_plain(g->p, row))
            return row;
    }
    return OPCODE_NOP;
}

void generate_plain(struct generator *g)
{
    struct insn insn;
    uint8_t bytes[16];
    unsigned row = choose_row(g);
    if ((opcode_rows[row].attributes & (ATTR_STOP | ATTR_CPL0)) && !random_one_in(&g->random, 4))
        return;
    unsigned length = generate_row(g, row, bytes, &insn);
    if (length == 0)
        return;
    set_up(g, &insn);
    struct item *item = generate_item(g);
    if (!item)
        return;
    memcpy(item->bytes, bytes, length);
    item->length = (uint8_t)length;
    if (leaves_flags_undefined(&opcode_rows[row]) && !random_one_in(&g->random, 20))
        define_flags(g);
}
