// SPDX-License-Identifier: MIT
// The rows of the opcode table, made from the four .def files. Intel SDM vol. 2, appendix A.
#include "cpu/handlers.h"

// clang-format off
#define HANDLERS_S1(stem)   {stem, stem, stem, stem}
#define HANDLERS_SV(stem)   {stem##_16, stem##_32, stem##_16, stem##_32}
#define HANDLERS_SRM(stem)  {stem##_r, stem##_r, stem##_m, stem##_m}
#define HANDLERS_SVRM(stem) {stem##_16r, stem##_32r, stem##_16m, stem##_32m}

const struct opcode_row opcode_rows[OPCODE_COUNT] = {
    [OPCODE_INVALID] = {.mnemonic = "(bad)",
                        .attributes = ATTR_BRANCH,
                        .handler = HANDLERS_S1(op_invalid)},
#define ROW(id, map_, opcode_, prefix_, form_, mnemonic_, op1, op2, op3, reads, writes, undefined, \
            attributes_, feature_, spec, stem)                                                     \
    [OPCODE_##id] = {.mnemonic = mnemonic_,                                                        \
                     .map = map_,                                                                  \
                     .opcode = opcode_,                                                            \
                     .prefix = prefix_,                                                            \
                     .feature = feature_,                                                          \
                     .form = form_,                                                                \
                     .operand = {OPND_##op1, OPND_##op2, OPND_##op3},                              \
                     .flags_read = reads,                                                          \
                     .flags_written = writes,                                                      \
                     .flags_undefined = undefined,                                                 \
                     .attributes = attributes_,                                                    \
                     .handler = HANDLERS_##spec(stem)},
#include "cpu/opcodes_integer.def"
#include "cpu/opcodes_system.def"
#include "cpu/opcodes_x87.def"
#include "cpu/opcodes_simd.def"
#undef ROW
};
// clang-format on
