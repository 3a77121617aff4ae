// SPDX-License-Identifier: MIT
// The decoder: bytes to struct insn, a pure function.
#ifndef EMU_CPU_DECODE_H
#define EMU_CPU_DECODE_H

#include "cpu/opcode.h"

struct decode_mode {
    bool code32;       // CS.D
    uint32_t features; // bit enum cpu_feature: rows of absent ones decode as OPCODE_INVALID
};

enum decode_status {
    DECODE_OK, // *insn is filled; an undefined opcode is OPCODE_INVALID with its handler raising
               // #UD
    DECODE_TRUNCATED, // the bytes ended inside the instruction
    DECODE_TOO_LONG,  // more than 15 bytes: #GP(0)
};

// Decodes one instruction of at most `available` bytes. hooks, offset and flags_live are cleared.
enum decode_status insn_decode(const struct decode_mode *mode, const uint8_t *bytes,
                               size_t available, struct insn *insn);

#endif
