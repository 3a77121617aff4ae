// SPDX-License-Identifier: MIT
// What the files generate*.c share.
#ifndef EMU_TESTS_SEQUENCE_GENERATE_H
#define EMU_TESTS_SEQUENCE_GENERATE_H

#include "sequence.h"

struct generator {
    struct random random;
    struct program *p;
    unsigned section;
    bool code16;
    unsigned weights[4]; // integer, x87, MMX, SSE
};

// A new item at the program's end; NULL: there is no room.
struct item *generate_item(struct generator *g);
void item_byte(struct item *item, unsigned byte);
void item_word(struct item *item, unsigned word);
void item_dword(struct item *item, uint32_t dword);
// The next four bytes (REL8: one, OFFSET: two or four with a 32-bit operand) are an address.
void item_reloc(struct item *item, enum reloc_kind kind, unsigned target, unsigned addend);

uint32_t generate_value(struct random *r);
// An address in some page of the program's, often close to an edge.
uint32_t generate_address(struct generator *g);
// An instruction of a random row, with its registers set up.
void generate_plain(struct generator *g);
// Bytes of an instruction of this row; 0: no luck.
unsigned generate_row(struct generator *g, unsigned row, uint8_t *bytes, struct insn *insn);
// mov reg, value
void generate_set(struct generator *g, unsigned reg, uint32_t value);
// Jumps, calls, system calls, segments, self-modification ...
void generate_macro(struct generator *g);
void generate_control(struct generator *g);
void generate_fpu(struct generator *g);

#endif
