// SPDX-License-Identifier: MIT
// The interpreter's memory accesses: segment check, TLB table look-up in line, everything else in
// mem.c.
#ifndef EMU_CPU_MEM_H
#define EMU_CPU_MEM_H

#include "cpu/cpu.h"

// Slow paths: page walk, MMIO, page crossing, code pages, watchpoints, PLUGIN_QEMU_MEM_OP. They
// raise #PF, #AC.
uint64_t mem_read_slow(struct cpu *cpu, uint32_t linear, unsigned size, bool user);
void mem_write_slow(struct cpu *cpu, uint32_t linear, uint64_t value, unsigned size, bool user);

// Checks segment rights and limit for [offset, offset + size); raises #GP(0) or #SS(0). Returns the
// linear address.
uint32_t segment_check_read(struct cpu *cpu, enum segment_index segment, uint32_t offset,
                            unsigned size);
uint32_t segment_check_write(struct cpu *cpu, enum segment_index segment, uint32_t offset,
                             unsigned size);

// Makes sure that [linear, linear + size) can be written, so that a later write cannot fault
// (read-modify-write, pushes of frames).
void mem_probe_write(struct cpu *cpu, uint32_t linear, unsigned size, bool user);

ALWAYS_INLINE uint32_t mem_linear_read(struct cpu *cpu, enum segment_index segment, uint32_t offset,
                                       unsigned size)
{
    if (LIKELY(cpu->segs[segment].rights & SEGMENT_FLAT_READ))
        return offset;
    return segment_check_read(cpu, segment, offset, size);
}

ALWAYS_INLINE uint32_t mem_linear_write(struct cpu *cpu, enum segment_index segment,
                                        uint32_t offset, unsigned size)
{
    if (LIKELY(cpu->segs[segment].rights & SEGMENT_FLAT_WRITE))
        return offset;
    return segment_check_write(cpu, segment, offset, size);
}

// Linear accesses. size is a constant 1, 2, 4 or 8. While cpu->mem_hooked the tables are empty
// (mmu.trace_all), so that one test serves.
ALWAYS_INLINE uint64_t mem_read_linear(struct cpu *cpu, uint32_t linear, unsigned size, bool user)
{
    uint8_t *host = mmu_host(&cpu->mmu, linear, MMU_READ, user);
    if (LIKELY(host != NULL && (linear & (PAGE_SIZE - 1)) <= PAGE_SIZE - size)) {
        switch (size) {
        case 1:
            return *host;
        case 2:
            return load_le16(host);
        case 4:
            return load_le32(host);
        default:
            return load_le64(host);
        }
    }
    return mem_read_slow(cpu, linear, size, user);
}

ALWAYS_INLINE void mem_write_linear(struct cpu *cpu, uint32_t linear, uint64_t value, unsigned size,
                                    bool user)
{
    uint8_t *host = mmu_host(&cpu->mmu, linear, MMU_WRITE, user);
    if (LIKELY(host != NULL && (linear & (PAGE_SIZE - 1)) <= PAGE_SIZE - size)) {
        switch (size) {
        case 1:
            *host = (uint8_t)value;
            return;
        case 2:
            store_le16(host, (uint16_t)value);
            return;
        case 4:
            store_le32(host, (uint32_t)value);
            return;
        default:
            store_le64(host, value);
            return;
        }
    }
    mem_write_slow(cpu, linear, value, size, user);
}

// Segmented accesses with the current privilege.
ALWAYS_INLINE uint64_t mem_read(struct cpu *cpu, enum segment_index segment, uint32_t offset,
                                unsigned size)
{
    return mem_read_linear(cpu, mem_linear_read(cpu, segment, offset, size), size, cpu->is_user);
}

ALWAYS_INLINE void mem_write(struct cpu *cpu, enum segment_index segment, uint32_t offset,
                             uint64_t value, unsigned size)
{
    mem_write_linear(cpu, mem_linear_write(cpu, segment, offset, size), value, size, cpu->is_user);
}

// Supervisor accesses to descriptor tables and task state, whatever the CPL.
ALWAYS_INLINE uint64_t mem_read_system(struct cpu *cpu, uint32_t linear, unsigned size)
{
    return mem_read_linear(cpu, linear, size, false);
}

ALWAYS_INLINE void mem_write_system(struct cpu *cpu, uint32_t linear, uint64_t value, unsigned size)
{
    mem_write_linear(cpu, linear, value, size, false);
}

// Between the two, every data access of the running instruction takes the slow path and is shown to
// the observer. cpu_raise ends it too.
void mem_observe_begin(struct cpu *cpu, cpu_observer *observe);
// The same for all stores, but only for loads that are not of plain memory or miss in the TLB.
void mem_observe_stores_begin(struct cpu *cpu, cpu_observer *observe);
void mem_observe_end(struct cpu *cpu);

// The next access is the piece at `at` of one of `whole` bytes; whole 0: of none any more.
ALWAYS_INLINE void mem_observe_piece(struct cpu *cpu, unsigned whole, unsigned at)
{
    cpu->hook.whole = (uint8_t)whole;
    cpu->hook.piece_at = (uint8_t)at;
}

// Effective address of a decoded memory operand.
ALWAYS_INLINE uint32_t insn_address(const struct cpu *cpu, const struct insn *insn)
{
    uint32_t address = insn->disp + cpu->regs[insn->base] + (cpu->regs[insn->index] << insn->scale);
    return LIKELY(insn->address_size == 4) ? address : address & 0xffffu;
}

#endif
