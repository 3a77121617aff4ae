// SPDX-License-Identifier: MIT
// A decoded instruction: what both executors run and what plugins attach to. A handler never parses
// ModRM.
#ifndef EMU_CPU_INSN_H
#define EMU_CPU_INSN_H

#include "base/util.h"

struct cpu;
struct insn;
struct insn_hooks; // attached operations; owned by the block (src/jit)

// Executes one instruction. On entry cpu->insn_eip is the instruction's own offset and cpu->eip
// that of the next one. A handler changes nothing before its last fault is possible, and leaves
// through cpu_raise() on a fault.
typedef void insn_handler(struct cpu *cpu, const struct insn *insn);

#define INSN_MAX_LENGTH 15u
#define INSN_NO_REG     8u // base/index absent: cpu->regs[8] is always zero

enum insn_prefix {
    INSN_LOCK = 1u << 0,
    INSN_REP = 1u << 1,   // F3
    INSN_REPNE = 1u << 2, // F2
    INSN_OPERAND_SIZE = 1u << 3,
    INSN_ADDRESS_SIZE = 1u << 4,
    INSN_SEGMENT = 1u << 5, // an override was given
};

struct insn {
    insn_handler *handler;
    struct insn_hooks *hooks; // NULL unless something is attached
    uint32_t disp;            // memory operand's displacement, sign-extended; moffs
    uint32_t imm;  // immediate or relative displacement, sign-extended as the row says; far offset
    uint16_t imm2; // far selector, ENTER's level
    uint16_t row;  // index into opcode_rows
    uint16_t offset;      // bytes from the start of the block
    uint8_t length;       // 1..15
    uint8_t operand_size; // bytes of a "v" operand: 2 or 4 (1 for byte rows)
    uint8_t address_size; // 2 or 4
    uint8_t prefixes;     // enum insn_prefix
    uint8_t modrm;        // raw byte, 0 when the row has none
    uint8_t reg;          // ModRM.reg
    uint8_t rm; // ModRM.rm when the operand is a register; also the register in the opcode's low
                // bits (Z)
    uint8_t is_memory;   // the E/M/W/Q operand is memory
    uint8_t base;        // 0..7 or INSN_NO_REG
    uint8_t index;       // 0..7 or INSN_NO_REG
    uint8_t scale;       // shift 0..3
    uint8_t segment;     // effective segment of the memory operand (enum segment_index)
    uint16_t flags_live; // arithmetic flags somebody may read after this instruction (filled by the
                         // block builder)
};

#endif
