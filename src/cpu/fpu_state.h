// SPDX-License-Identifier: MIT
// x87, MMX and SSE state. The x87/SSE part is kept in the FXSAVE image (SDM vol. 1, section 10.5.1)
// so that the host's own units can load and store it in one instruction.
#ifndef EMU_CPU_FPU_STATE_H
#define EMU_CPU_FPU_STATE_H

#include "base/util.h"

struct fpu_register {
    uint8_t bytes[10]; // 80-bit extended, or MMX in the low 8 with exponent all ones
    uint8_t reserved[6];
};

struct fpu_state {
    _Alignas(16) uint16_t control;
    uint16_t status; // TOP in bits 11-13
    uint8_t tags;    // FXSAVE's abridged form: bit set = not empty, by physical register
    uint8_t reserved;
    uint16_t opcode; // FOP
    uint32_t ip, ip_selector;
    uint32_t dp, dp_selector;
    uint32_t mxcsr, mxcsr_mask;
    struct fpu_register st[8]; // by stack position, ST(0) first, as FXSAVE stores them
    uint8_t xmm[8][16];
    uint8_t padding[224]; // to 512 bytes
};

#endif
