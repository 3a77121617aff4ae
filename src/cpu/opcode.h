// SPDX-License-Identifier: MIT
// The opcode table: one row an instruction form, in the notation of Intel's manual (SDM vol. 2,
// appendix A). The decoder, both executors' dispatch and the tests read it. The rows stand in
// opcodes_*.def.
#ifndef EMU_CPU_OPCODE_H
#define EMU_CPU_OPCODE_H

#include "cpu/insn.h"

// ROW(id, map, opcode, prefix, form, mnemonic, op1, op2, op3, reads, writes, undefined, attributes,
//     feature, spec, handler)
//
//   id          makes enum OPCODE_<id>, unique
//   map         MAP_1 or MAP_0F
//   opcode      the byte; with ATTR_PLUS_R the first of eight, a register in the low bits (50+r)
//   prefix      PFX_ANY, or a mandatory prefix of MMX and SSE (F3 90 is PAUSE): PFX_NONE (none of
//               66, F2, F3), PFX_66, PFX_F3, PFX_F2
//   form        FORM_NO_MODRM | FORM_ANY | FORM_MEM | FORM_REG | FORM_G(n): /n | FORM_MEM_G(n) |
//               FORM_REG_G(n) | FORM_REG_GR(n, r): exactly this ModRM byte
//   mnemonic    lower-case string
//   op1..op3    names of enum opcode_operand without OPND_: Ev, Gv, Isb, 1, NONE
//   reads, writes, undefined    FLAG_* masks of the arithmetic flags and DF
//   attributes  ATTR_* bits
//   feature     FEATURE_*: without it the opcode does not exist (#UD)
//   spec        how many handlers the row has: S1: handler; SV: handler_16, handler_32;
//               SRM: handler_r, handler_m; SVRM: handler_16r, handler_32r, handler_16m, handler_32m
//   handler     its name's stem; handlers.h declares the functions
//
// All rows of one map and opcode stand together in a file; where two of them match, the later one
// is taken: an exception follows the general row. Between files, rows of opcodes_simd.def win over
// opcodes_x87.def, these over opcodes_system.def, and these over opcodes_integer.def.
// Example:
//   ROW(ADD_Ev_Gv, MAP_1, 0x01, PFX_ANY, FORM_ANY, "add", Ev, Gv, NONE, FLAGS_NONE, FLAGS_ARITH,
//       FLAGS_NONE, ATTR_LOCK | ATTR_READS_E | ATTR_WRITES_E, FEATURE_NONE, SVRM, op_add_Ev_Gv)
#define FLAG_CF     0x0001u
#define FLAG_PF     0x0004u
#define FLAG_AF     0x0010u
#define FLAG_ZF     0x0040u
#define FLAG_SF     0x0080u
#define FLAG_DF     0x0400u
#define FLAG_OF     0x0800u
#define FLAGS_NONE  0u
#define FLAGS_ARITH (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)
#define FLAGS_NO_CF (FLAGS_ARITH & ~FLAG_CF)

enum opcode_map { MAP_1, MAP_0F };
enum opcode_prefix { PFX_ANY, PFX_NONE, PFX_66, PFX_F3, PFX_F2 };

// Form: bits 0-1 mod class, bit 4 reg given (bits 5-7), bit 8 rm given (bits 9-11).
enum {
    FORM_NO_MODRM = 0,
    FORM_ANY = 1,
    FORM_MEM = 2,
    FORM_REG = 3,
    FORM_CLASS = 3,
    FORM_HAS_G = 1 << 4,
    FORM_HAS_R = 1 << 8,
};
#define FORM_G(n)         (FORM_ANY | FORM_HAS_G | (n) << 5)
#define FORM_MEM_G(n)     (FORM_MEM | FORM_HAS_G | (n) << 5)
#define FORM_REG_G(n)     (FORM_REG | FORM_HAS_G | (n) << 5)
#define FORM_REG_GR(n, r) (FORM_REG | FORM_HAS_G | (n) << 5 | FORM_HAS_R | (r) << 9)

enum opcode_operand {
    OPND_NONE,
    // general registers and memory by ModRM
    OPND_Eb,
    OPND_Ew,
    OPND_Ev,
    OPND_Ed,
    OPND_Gb,
    OPND_Gw,
    OPND_Gv,
    OPND_Gd,
    OPND_M,
    OPND_Mp,
    OPND_Ma,
    OPND_Ms,
    OPND_Mb,
    OPND_Mw,
    OPND_Md,
    OPND_Mq,
    OPND_Mdq,
    OPND_Mt /* 80 bit */,
    OPND_RMw /* r32/r16 or m16: SLDT, STR, SMSW, MOV Ev,Sw */,
    OPND_Rd,
    // register in the opcode's low bits
    OPND_Zb,
    OPND_Zv,
    // immediates: b zero-extended, sb sign-extended to the operand size, z 16/32, w 16
    OPND_Ib,
    OPND_Isb,
    OPND_Iw,
    OPND_Iz,
    OPND_Jb,
    OPND_Jz,
    OPND_Ap,
    OPND_1,
    // fixed
    OPND_AL,
    OPND_AH,
    OPND_eAX,
    OPND_AX,
    OPND_CL,
    OPND_DX,
    OPND_CS,
    OPND_DS,
    OPND_ES,
    OPND_FS,
    OPND_GS,
    OPND_SS,
    OPND_Ob,
    OPND_Ov,
    OPND_Xb,
    OPND_Xv,
    OPND_Yb,
    OPND_Yv,
    OPND_Sw,
    OPND_Cd,
    OPND_Dd,
    OPND_Fv,
    // x87
    OPND_ST0,
    OPND_STi,
    OPND_Env,
    OPND_Fsave,
    // MMX and SSE: P/Q/N mmx by reg/rm/rm-register, V/W/U xmm
    OPND_Pq,
    OPND_Pd,
    OPND_Qq,
    OPND_Qd,
    OPND_Nq,
    OPND_Vps,
    OPND_Vpd,
    OPND_Vss,
    OPND_Vsd,
    OPND_Vdq,
    OPND_Vq,
    OPND_Vd,
    OPND_Wps,
    OPND_Wpd,
    OPND_Wss,
    OPND_Wsd,
    OPND_Wdq,
    OPND_Wq,
    OPND_Wd,
    OPND_Udq,
    OPND_Ups,
    OPND_Upd,
};

enum opcode_attribute {
    ATTR_NONE = 0,
    ATTR_PLUS_R = 1u << 0,    // eight opcodes, register in the low three bits
    ATTR_LOCK = 1u << 1,      // LOCK is allowed with a memory destination (else #UD)
    ATTR_CPL0 = 1u << 2,      // #GP(0) above CPL 0
    ATTR_PM = 1u << 3,        // #UD in real and virtual-8086 mode
    ATTR_FPU = 1u << 4,       // #NM by CR0.EM/TS, pending x87 exception first
    ATTR_MMX = 1u << 5,       // #UD by CR0.EM, #NM by CR0.TS, pending x87 exception
    ATTR_SSE = 1u << 6,       // #UD by CR0.EM or !CR4.OSFXSR, #NM by CR0.TS
    ATTR_BRANCH = 1u << 7,    // may set EIP: ends the block
    ATTR_STOP = 1u << 8,      // changes modes, interrupts or mappings: ends the block
    ATTR_READS_E = 1u << 9,   // reads its first operand (besides writing it)
    ATTR_WRITES_E = 1u << 10, // writes its first operand
    ATTR_IO = 1u << 11,       // port access
    ATTR_STRING = 1u << 12,   // REP makes sense
    ATTR_COND = 1u << 13,     // condition code in the low four bits
    ATTR_CALL = 1u << 14,
    ATTR_RET = 1u << 15,
    ATTR_ALIGN16 = 1u << 16,   // memory operand must be 16-byte aligned (#GP)
    ATTR_BYTE = 1u << 17,      // operand size is 1 whatever the prefixes
    ATTR_COUNT_IMM = 1u << 18, // shift by an immediate: a count of 0 leaves the flags
};

enum cpu_feature {
    FEATURE_NONE, // 8086 to 486
    FEATURE_FPU,
    FEATURE_TSC,
    FEATURE_MSR,
    FEATURE_CX8,
    FEATURE_CMOV,
    FEATURE_SEP,
    FEATURE_MMX,
    FEATURE_FXSR,
    FEATURE_SSE,
    FEATURE_SSE2,
    FEATURE_CLFLUSH,
    FEATURE_RDPMC,   // P6 and Pentium MMX
    FEATURE_P6,      // UD2, long NOP and others without a CPUID bit
    FEATURE_PENTIUM, // RSM, ...
    FEATURE_COUNT
};

struct opcode_row {
    const char *mnemonic;
    uint8_t map, opcode, prefix, feature;
    uint16_t form;
    uint8_t operand[3];
    uint16_t flags_read, flags_written, flags_undefined;
    uint32_t attributes;
    insn_handler *handler[4]; // [memory * 2 + (operand size is 4)]
};

enum opcode_id {
    OPCODE_INVALID, // #UD
                    // clang-format off
#define ROW(id, ...) OPCODE_##id,
#include "cpu/opcodes_integer.def"
#include "cpu/opcodes_system.def"
#include "cpu/opcodes_x87.def"
#include "cpu/opcodes_simd.def"
#undef ROW
    // clang-format on
    OPCODE_COUNT
};

extern const struct opcode_row opcode_rows[OPCODE_COUNT];

// Arithmetic flags whose old values the instruction may use or leave in place although its row
// writes them.
static inline unsigned insn_flags_read(const struct insn *insn)
{
    const struct opcode_row *row = &opcode_rows[insn->row];
    if ((row->attributes & ATTR_COUNT_IMM) && (insn->imm & 31) == 0)
        return FLAGS_ARITH;
    return row->flags_read;
}

#endif
