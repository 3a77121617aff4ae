// SPDX-License-Identifier: MIT
// Prototypes of all instruction handlers, made from the spec and handler columns of the opcode
// table.
#ifndef EMU_CPU_HANDLERS_H
#define EMU_CPU_HANDLERS_H

#include "cpu/opcode.h"

// Raises #UD: undefined opcodes, absent features, UD2.
insn_handler op_invalid;

// clang-format off
#define HANDLERS_DECLARE_S1(stem)   insn_handler stem;
#define HANDLERS_DECLARE_SV(stem)   insn_handler stem##_16, stem##_32;
#define HANDLERS_DECLARE_SRM(stem)  insn_handler stem##_r, stem##_m;
#define HANDLERS_DECLARE_SVRM(stem) insn_handler stem##_16r, stem##_32r, stem##_16m, stem##_32m;
#define ROW(id, map, opcode, prefix, form, mnemonic, op1, op2, op3, reads, writes, undefined, \
            attributes, feature, spec, stem)                                                  \
    HANDLERS_DECLARE_##spec(stem)
#include "cpu/opcodes_integer.def"
#include "cpu/opcodes_system.def"
#include "cpu/opcodes_x87.def"
#include "cpu/opcodes_simd.def"
#undef ROW
// clang-format on

#endif
