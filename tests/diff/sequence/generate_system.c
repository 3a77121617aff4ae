// SPDX-License-Identifier: MIT
// Privileged instructions, and images and control words of the FPU.
#include "generate.h"

static void control_cr(struct generator *g, struct item *item)
{
    static const struct {
        uint8_t cr;
        uint32_t bits;
    } changes[] = {{0, CR0_WP},  {0, CR0_TS},  {0, CR0_AM}, {3, 0x1000},    {3, 0},
                   {4, CR4_PGE}, {4, CR4_TSD}, {0, CR0_EM}, {4, CR4_OSFXSR}};
    unsigned n = random_below(&g->random, ARRAY_SIZE(changes));
    unsigned modrm = 0xc0 | changes[n].cr << 3;
    item_word(item, 0x200f);
    item_byte(item, modrm);
    item_byte(item, 0x35); // xor eax, bits
    item_dword(item, changes[n].cr == 3 && changes[n].bits ? (FRAME_DIR_A ^ FRAME_DIR_B) * PAGE_SIZE
                                                           : changes[n].bits);
    item_word(item, 0x220f);
    item_byte(item, modrm);
}

// Privileged instructions, where they are allowed.
void generate_control(struct generator *g)
{
    struct random *r = &g->random;
    struct item *item = generate_item(g);
    if (!item)
        return;
    switch (g->p->cpl == 0 ? random_below(r, 9) : 9) {
    case 0:
    case 1:
    case 2:
        control_cr(g, item);
        break;
    case 3:
        item_word(item, 0x010f);
        item_byte(item, 0x3d); // invlpg [address]
        item_dword(item, generate_address(g));
        break;
    case 4:
        item_word(item, random_one_in(r, 3) ? 0x060f : random_one_in(r, 2) ? 0x090f : 0x080f);
        break;
    case 5: // a breakpoint on data or code, or none
        item_byte(item, 0xb8);
        if (random_one_in(r, 2))
            item_reloc(item, RELOC_LINEAR, g->p->count + random_below(r, 4), 0);
        else
            item_dword(item, generate_address(g));
        item_word(item, 0x230f);
        item_byte(item, 0xc0);
        item_byte(item, 0xb8);
        item_dword(item, random_one_in(r, 2) ? 0x400 : 0x402 | random_below(r, 16) << 16);
        item_word(item, 0x230f);
        item_byte(item, 0xf8);
        break;
    case 6: // a model-specific register
        item_byte(item, 0xb9);
        item_dword(item, 0x174 + random_below(r, 4));
        item_word(item, 0x320f);
        if (random_one_in(r, 2))
            item_word(item, 0x300f);
        break;
    case 7: // smsw, lmsw
        item_word(item, 0x010f);
        item_byte(item, 0xe0);
        item_word(item, 0x080c); // or al, TS
        item_word(item, 0x010f);
        item_byte(item, 0xf0);
        break;
    case 8: { // the same tables again
        bool idt = random_one_in(r, 2);
        item_word(item, 0x010f);
        item_byte(item, idt ? 0x0d : 0x05);
        item_dword(item, SCRATCH_WORDS + 0x20);
        item_word(item, 0x010f);
        item_byte(item, idt ? 0x1d : 0x15);
        item_dword(item, SCRATCH_WORDS + 0x20);
        break;
    }
    default:
        item_word(item, 0x310f); // rdtsc
    }
}

// Images of the FPU, without the instruction and operand pointers, which are not kept while no
// exception is unmasked.
static void fpu_image(struct generator *g, struct item *item)
{
    static const uint8_t clears[] = {12, 16, 20, 24};
    struct random *r = &g->random;
    if (random_one_in(r, 3)) {
        item_word(item, 0xae0f); // fxsave
        item_byte(item, 0x05);
        item_dword(item, SCRATCH_IMAGE + 0x200);
        item_word(item, 0xc766); // mov word [image + 6], 0
        item_byte(item, 0x05);
        item_dword(item, SCRATCH_IMAGE + 0x206);
        item_word(item, 0);
        for (unsigned at = 8; at < 24; at += 4) {
            item_word(item, 0x2583); // and dword [image + at], 0
            item_dword(item, SCRATCH_IMAGE + 0x200 + at);
            item_byte(item, 0);
        }
        return;
    }
    item_byte(item, random_one_in(r, 2) ? 0xd9 : 0xdd); // fnstenv, fnsave
    item_byte(item, 0x35);
    item_dword(item, SCRATCH_IMAGE);
    for (unsigned i = 0; i < sizeof clears; i++) {
        item_word(item, 0x2583);
        item_dword(item, SCRATCH_IMAGE + clears[i]);
        item_byte(item, 0);
    }
}

void generate_fpu(struct generator *g)
{
    struct random *r = &g->random;
    struct item *item = generate_item(g);
    if (!item)
        return;
    switch (random_below(r, 6)) {
    case 0:
        item->whole = true;
        fpu_image(g, item);
        break;
    case 1: // fldcw
        item_word(item, 0xc766);
        item_byte(item, 0x05);
        item_dword(item, SCRATCH_WORDS);
        item_word(item, (random_next(r) & 0xf00) | 0x40 |
                            (random_one_in(r, 6) ? random_next(r) & 0x3f : 0x3f));
        item_word(item, 0x2dd9);
        item_dword(item, SCRATCH_WORDS);
        break;
    case 2: // ldmxcsr
        item_word(item, 0x05c7);
        item_dword(item, SCRATCH_WORDS + 4);
        item_dword(item, (random_next(r) & 0xe07f) |
                             (random_one_in(r, 6) ? random_next(r) & 0x1f80 : 0x1f80));
        item_word(item, 0xae0f);
        item_byte(item, 0x15);
        item_dword(item, SCRATCH_WORDS + 4);
        break;
    case 3: // fninit, fnclex
        item_byte(item, 0xdb);
        item_byte(item, random_one_in(r, 2) ? 0xe3 : 0xe2);
        break;
    case 4: // emms
        item_word(item, 0x770f);
        break;
    default: // back from an image
        if (random_one_in(r, 2)) {
            item_word(item, 0xae0f);
            item_byte(item, 0x0d);
            item_dword(item, SCRATCH_IMAGE + 0x200);
        } else {
            item_byte(item, random_one_in(r, 2) ? 0xd9 : 0xdd);
            item_byte(item, 0x25);
            item_dword(item, SCRATCH_IMAGE);
        }
    }
}
