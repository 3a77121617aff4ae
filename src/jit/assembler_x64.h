// SPDX-License-Identifier: MIT
// An x86-64 assembler: each function emits one encoding form. It knows encodings, not what they are
// used for. Intel SDM vol. 2, chapter 2.
#ifndef EMU_JIT_ASSEMBLER_X64_H
#define EMU_JIT_ASSEMBLER_X64_H

#include "base/util.h"

enum x64_register {
    X64_RAX,
    X64_RCX,
    X64_RDX,
    X64_RBX,
    X64_RSP,
    X64_RBP,
    X64_RSI,
    X64_RDI,
    X64_R8,
    X64_R9,
    X64_R10,
    X64_R11,
    X64_R12,
    X64_R13,
    X64_R14,
    X64_R15,
    X64_NONE,
};

// An opcode: its byte, its map and what goes before it.
enum x64_opcode {
    X64_0F = 1u << 8,
    X64_0F38 = 2u << 8,
    X64_0F3A = 3u << 8,
    X64_MAP = 3u << 8,
    X64_66 = 1u << 10,
    X64_F3 = 1u << 11,
    X64_F2 = 1u << 12,
    X64_W = 1u << 13,        // REX.W
    X64_BYTE = 1u << 14,     // byte registers: 4..7 are AH, CH, DH, BH, and no REX may stand there
    X64_BYTE_REG = 1u << 15, // only ModRM.reg is a byte register (a digit never is)
    X64_BYTE_RM = 1u << 16,  // only ModRM.rm
};

// Condition codes, as in Jcc.
enum x64_condition {
    X64_O,
    X64_NO,
    X64_B,
    X64_AE,
    X64_E,
    X64_NE,
    X64_BE,
    X64_A,
    X64_S,
    X64_NS,
    X64_P,
    X64_NP,
    X64_L,
    X64_GE,
    X64_LE,
    X64_G,
};

// [base + index * 2^scale + disp]; base and index may be X64_NONE.
// gs: relative to the GS base, the address being cut to 32 bits first (prefixes 65h and 67h).
struct x64_memory {
    uint8_t base, index, scale;
    bool gs;
    int32_t disp;
};

// Addresses of code are those of the view it is written through; all references are relative.
struct x64 {
    uint8_t *at;
    uint8_t *end; // emission past it is a broken invariant
    // Bits of registers that stood in ModRM.reg, in ModRM.rm as a register, or in an opcode since
    // the user cleared them; all after a call and where a jump arrives.
    uint32_t named;
};

#define X64_ALL_REGISTERS 0xffffu

static inline struct x64_memory x64_at(unsigned base, int32_t disp)
{
    return (struct x64_memory){.base = (uint8_t)base, .index = X64_NONE, .disp = disp};
}

static inline struct x64_memory x64_indexed(unsigned base, unsigned index, unsigned scale,
                                            int32_t disp)
{
    return (struct x64_memory){
        .base = (uint8_t)base, .index = (uint8_t)index, .scale = (uint8_t)scale, .disp = disp};
}

void x64_byte(struct x64 *a, unsigned value);
void x64_imm(struct x64 *a, uint32_t value, unsigned size); // 1, 2 or 4 bytes
void x64_imm64(struct x64 *a, uint64_t value);

// opcode /r with two registers; reg may be an opcode extension (a digit).
void x64_rr(struct x64 *a, unsigned opcode, unsigned reg, unsigned rm);
// opcode /r with a memory operand.
void x64_rm(struct x64 *a, unsigned opcode, unsigned reg, struct x64_memory mem);
// opcode /r with [rip + x], the address being `target`; trailing: bytes of immediate that follow.
void x64_rip(struct x64 *a, unsigned opcode, unsigned reg, const uint8_t *target,
             unsigned trailing);
// opcode + r
void x64_plus_r(struct x64 *a, unsigned opcode, unsigned reg);

void x64_mov_imm32(struct x64 *a, unsigned reg, uint32_t value); // zero-extends, flags stay
void x64_mov_imm64(struct x64 *a, unsigned reg, uint64_t value);
void x64_mov_store_imm32(struct x64 *a, struct x64_memory mem, uint32_t value);
void x64_rorx32(struct x64 *a, unsigned reg, unsigned rm, unsigned count);

// Group 1 with an immediate (op as in 80-83 /n) in its shortest form.
void x64_alu_imm(struct x64 *a, unsigned op, unsigned flags, unsigned rm, int32_t value);

// Branches. The rel32 forms return the place of their displacement for x64_patch; target may be
// NULL for one that is patched later.
uint8_t *x64_jmp(struct x64 *a, const uint8_t *target);
uint8_t *x64_jcc(struct x64 *a, enum x64_condition condition, const uint8_t *target);
uint8_t *x64_call(struct x64 *a, const uint8_t *target);
// Short forms, bound by x64_bind_short.
uint8_t *x64_jcc_short(struct x64 *a, enum x64_condition condition);
uint8_t *x64_jmp_short(struct x64 *a);
void x64_bind_short(struct x64 *a, uint8_t *site);
// Sets the rel32 at site so that it leads to target (both in the writable view).
void x64_patch(uint8_t *site, const uint8_t *target);

#endif
