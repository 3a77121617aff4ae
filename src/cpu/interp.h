// SPDX-License-Identifier: MIT
// What the handlers of integer instructions share: operands, read-modify-write, stack, branches.
// Sizes and the choice between register and memory are compile-time constants of each handler.
#ifndef EMU_CPU_INTERP_H
#define EMU_CPU_INTERP_H

#include "cpu/flags.h"
#include "cpu/handlers.h"
#include "cpu/mem.h"

// Instantiate the handlers of one row of the opcode table, by its spec column, from an inline
// function GENERIC(cpu, insn, op, size, memory); op is whatever constant it wants.
#define DEFINE_S1(stem, generic, op, size)                                                         \
    void stem(struct cpu *cpu, const struct insn *insn)                                            \
    {                                                                                              \
        generic(cpu, insn, op, size, false);                                                       \
    }
#define DEFINE_SV(stem, generic, op)                                                               \
    DEFINE_S1(stem##_16, generic, op, 2)                                                           \
    DEFINE_S1(stem##_32, generic, op, 4)
#define DEFINE_MEMORY(stem, generic, op, size)                                                     \
    void stem(struct cpu *cpu, const struct insn *insn)                                            \
    {                                                                                              \
        generic(cpu, insn, op, size, true);                                                        \
    }
#define DEFINE_SRM(stem, generic, op, size)                                                        \
    DEFINE_S1(stem##_r, generic, op, size)                                                         \
    DEFINE_MEMORY(stem##_m, generic, op, size)
#define DEFINE_SVRM(stem, generic, op)                                                             \
    DEFINE_S1(stem##_16r, generic, op, 2)                                                          \
    DEFINE_S1(stem##_32r, generic, op, 4)                                                          \
    DEFINE_MEMORY(stem##_16m, generic, op, 2)                                                      \
    DEFINE_MEMORY(stem##_32m, generic, op, 4)

ALWAYS_INLINE uint32_t size_mask(unsigned size)
{
    return size == 1 ? 0xffu : size == 2 ? 0xffffu : 0xffffffffu;
}

ALWAYS_INLINE uint32_t sign_extend(uint32_t value, unsigned size)
{
    return size == 1   ? (uint32_t)(int32_t)(int8_t)value
           : size == 2 ? (uint32_t)(int32_t)(int16_t)value
                       : value;
}

// AL, CL, DL, BL, AH, CH, DH, BH.
ALWAYS_INLINE uint8_t *reg8(struct cpu *cpu, unsigned n)
{
    return (uint8_t *)&cpu->regs[n & 3] + (n >> 2 & 1);
}

ALWAYS_INLINE uint32_t reg_get(struct cpu *cpu, unsigned n, unsigned size)
{
    return size == 1 ? *reg8(cpu, n) : size == 2 ? (uint16_t)cpu->regs[n & 7] : cpu->regs[n & 7];
}

ALWAYS_INLINE void reg_set(struct cpu *cpu, unsigned n, uint32_t value, unsigned size)
{
    if (size == 1)
        *reg8(cpu, n) = (uint8_t)value;
    else if (size == 2)
        store_le16(&cpu->regs[n & 7], (uint16_t)value);
    else
        cpu->regs[n & 7] = value;
}

// The E operand.
ALWAYS_INLINE uint32_t operand_read(struct cpu *cpu, const struct insn *insn, unsigned size,
                                    bool memory)
{
    if (!memory)
        return reg_get(cpu, insn->rm, size);
    return (uint32_t)mem_read(cpu, (enum segment_index)insn->segment, insn_address(cpu, insn),
                              size);
}

ALWAYS_INLINE void operand_write(struct cpu *cpu, const struct insn *insn, uint32_t value,
                                 unsigned size, bool memory)
{
    if (!memory)
        reg_set(cpu, insn->rm, value, size);
    else
        mem_write(cpu, (enum segment_index)insn->segment, insn_address(cpu, insn), value, size);
}

// A memory operand that is read, then written: after target_open no fault is possible any more.
struct target {
    uint8_t *host; // NULL: the write takes the slow path
    uint32_t linear;
};

uint64_t target_open_slow(struct cpu *cpu, uint32_t linear, unsigned size);

ALWAYS_INLINE uint64_t target_open_at(struct cpu *cpu, enum segment_index segment, uint32_t offset,
                                      unsigned size, struct target *target)
{
    target->linear = mem_linear_write(cpu, segment, offset, size);
    target->host = mmu_host(&cpu->mmu, target->linear, MMU_WRITE, cpu->is_user);
    if (LIKELY(target->host != NULL && (target->linear & (PAGE_SIZE - 1)) <= PAGE_SIZE - size)) {
        return size == 1   ? *target->host
               : size == 2 ? load_le16(target->host)
               : size == 4 ? load_le32(target->host)
                           : load_le64(target->host);
    }
    target->host = NULL;
    return target_open_slow(cpu, target->linear, size);
}

ALWAYS_INLINE void target_store(struct cpu *cpu, const struct target *target, uint64_t value,
                                unsigned size)
{
    if (UNLIKELY(target->host == NULL))
        mem_write_slow(cpu, target->linear, value, size, cpu->is_user);
    else if (size == 1)
        *target->host = (uint8_t)value;
    else if (size == 2)
        store_le16(target->host, (uint16_t)value);
    else if (size == 4)
        store_le32(target->host, (uint32_t)value);
    else
        store_le64(target->host, value);
}

// The E operand, read and then written.
ALWAYS_INLINE uint32_t target_open(struct cpu *cpu, const struct insn *insn, unsigned size,
                                   bool memory, struct target *target)
{
    if (!memory)
        return reg_get(cpu, insn->rm, size);
    return (uint32_t)target_open_at(cpu, (enum segment_index)insn->segment, insn_address(cpu, insn),
                                    size, target);
}

ALWAYS_INLINE void target_close(struct cpu *cpu, const struct insn *insn,
                                const struct target *target, uint32_t value, unsigned size,
                                bool memory)
{
    if (!memory)
        reg_set(cpu, insn->rm, value, size);
    else
        target_store(cpu, target, value, size);
}

// The stack pointer moved by delta, wrapping as the stack segment's size says.
ALWAYS_INLINE uint32_t stack_moved(const struct cpu *cpu, uint32_t esp, uint32_t delta)
{
    uint32_t mask = cpu_stack_mask(cpu);
    return (esp & ~mask) | ((esp + delta) & mask);
}

ALWAYS_INLINE void stack_push(struct cpu *cpu, uint32_t value, unsigned size)
{
    uint32_t esp = stack_moved(cpu, cpu->regs[REG_ESP], 0u - size);
    mem_write(cpu, SEG_SS, esp & cpu_stack_mask(cpu), value, size);
    cpu->regs[REG_ESP] = esp;
}

// Reads the top of the stack and leaves ESP alone.
ALWAYS_INLINE uint32_t stack_top(struct cpu *cpu, unsigned size)
{
    return (uint32_t)mem_read(cpu, SEG_SS, cpu->regs[REG_ESP] & cpu_stack_mask(cpu), size);
}

// The offset of a near branch, truncated to the operand size; #GP(0) beyond the limit of CS.
ALWAYS_INLINE uint32_t branch_target(struct cpu *cpu, uint32_t target, unsigned size)
{
    target &= size_mask(size);
    if (UNLIKELY(target > cpu->segs[SEG_CS].limit))
        cpu_raise_error(cpu, EXC_GP, 0);
    return target;
}

// Condition codes of Jcc, SETcc and CMOVcc (SDM vol. 1, appendix B).
ALWAYS_INLINE bool condition(const struct cpu *cpu, unsigned code)
{
    bool value = false;
    switch (code >> 1) {
    case 0:
        value = flags_of(cpu);
        break;
    case 1:
        value = flags_cf(cpu);
        break;
    case 2:
        value = flags_zf(cpu);
        break;
    case 3:
        value = flags_cf(cpu) || flags_zf(cpu);
        break;
    case 4:
        value = flags_sf(cpu);
        break;
    case 5:
        value = flags_pf(cpu);
        break;
    case 6:
        value = flags_sf(cpu) != flags_of(cpu);
        break;
    default:
        value = flags_zf(cpu) || flags_sf(cpu) != flags_of(cpu);
        break;
    }
    return value != (code & 1);
}

#endif
