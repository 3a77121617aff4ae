// SPDX-License-Identifier: MIT
// IN, OUT, INS, OUTS and the I/O permission bitmap. Intel SDM vol. 1, chapter 16.
#include "cpu/debug.h"
#include "cpu/exception.h"
#include "cpu/interp.h"

#define TSS_IO_MAP_BASE 102u

// In virtual-8086 mode, and above IOPL, the TSS's bitmap decides: two bytes are read, as an access
// may cross a byte of it.
static void io_check(struct cpu *cpu, uint16_t port, unsigned size)
{
    if (!cpu_is_protected(cpu) || (!cpu_is_v86(cpu) && cpu->cpl <= (cpu->eflags >> 12 & 3)))
        return;
    if (!tss_is_32(&cpu->tr) || cpu->tr.limit < TSS_IO_MAP_BASE + 1)
        cpu_raise_error(cpu, EXC_GP, 0);
    uint32_t map = (uint32_t)mem_read_system(cpu, cpu->tr.base + TSS_IO_MAP_BASE, 2);
    uint32_t offset = map + port / 8;
    if (offset + 1 > cpu->tr.limit)
        cpu_raise_error(cpu, EXC_GP, 0);
    uint32_t bits = (uint32_t)mem_read_system(cpu, cpu->tr.base + offset, 2) >> (port & 7);
    if (bits & ((1u << size) - 1))
        cpu_raise_error(cpu, EXC_GP, 0);
}

static uint32_t io_read(struct cpu *cpu, uint16_t port, unsigned size)
{
    if (UNLIKELY(cpu->debug_armed))
        debug_check_io(cpu, port, size);
    return portio_read(cpu->ports, port, size);
}

static void io_write(struct cpu *cpu, uint16_t port, uint32_t value, unsigned size)
{
    if (UNLIKELY(cpu->debug_armed))
        debug_check_io(cpu, port, size);
    portio_write(cpu->ports, port, value, size);
}

static void io_in(struct cpu *cpu, uint16_t port, unsigned size)
{
    io_check(cpu, port, size);
    reg_set(cpu, REG_EAX, io_read(cpu, port, size), size);
}

static void io_out(struct cpu *cpu, uint16_t port, unsigned size)
{
    io_check(cpu, port, size);
    io_write(cpu, port, reg_get(cpu, REG_EAX, size), size);
}

void op_in_Ib(struct cpu *cpu, const struct insn *insn)
{
    io_in(cpu, (uint16_t)insn->imm, 1);
}

void op_in_Ib_v(struct cpu *cpu, const struct insn *insn)
{
    io_in(cpu, (uint16_t)insn->imm, insn->operand_size);
}

void op_in_DX(struct cpu *cpu, const struct insn *insn)
{
    io_in(cpu, (uint16_t)cpu->regs[REG_EDX], 1);
}

void op_in_DX_v(struct cpu *cpu, const struct insn *insn)
{
    io_in(cpu, (uint16_t)cpu->regs[REG_EDX], insn->operand_size);
}

void op_out_Ib(struct cpu *cpu, const struct insn *insn)
{
    io_out(cpu, (uint16_t)insn->imm, 1);
}

void op_out_Ib_v(struct cpu *cpu, const struct insn *insn)
{
    io_out(cpu, (uint16_t)insn->imm, insn->operand_size);
}

void op_out_DX(struct cpu *cpu, const struct insn *insn)
{
    io_out(cpu, (uint16_t)cpu->regs[REG_EDX], 1);
}

void op_out_DX_v(struct cpu *cpu, const struct insn *insn)
{
    io_out(cpu, (uint16_t)cpu->regs[REG_EDX], insn->operand_size);
}

static void index_advance(struct cpu *cpu, unsigned reg, uint32_t delta, uint32_t mask)
{
    cpu->regs[reg] = (cpu->regs[reg] & ~mask) | ((cpu->regs[reg] + delta) & mask);
}

// The destination is proven writable before the port is read: a port read cannot be undone.
ALWAYS_INLINE void ins_one(struct cpu *cpu, uint32_t mask, unsigned size)
{
    uint16_t port = (uint16_t)cpu->regs[REG_EDX];
    uint32_t linear = mem_linear_write(cpu, SEG_ES, cpu->regs[REG_EDI] & mask, size);
    mem_probe_write(cpu, linear, size, cpu->is_user);
    mem_write_linear(cpu, linear, io_read(cpu, port, size), size, cpu->is_user);
    index_advance(cpu, REG_EDI, (cpu->eflags & FLAG_DF) ? 0u - size : size, mask);
}

ALWAYS_INLINE void outs_one(struct cpu *cpu, const struct insn *insn, uint32_t mask, unsigned size)
{
    uint32_t value =
        (uint32_t)mem_read(cpu, (enum segment_index)insn->segment, cpu->regs[REG_ESI] & mask, size);
    io_write(cpu, (uint16_t)cpu->regs[REG_EDX], value, size);
    index_advance(cpu, REG_ESI, (cpu->eflags & FLAG_DF) ? 0u - size : size, mask);
}

// A repeated instruction is left between elements when somebody wants the CPU: EIP then points at
// it again.
ALWAYS_INLINE void io_string(struct cpu *cpu, const struct insn *insn, bool is_in, unsigned size)
{
    uint32_t mask = insn->address_size == 4 ? 0xffffffffu : 0xffffu;
    bool repeated = (insn->prefixes & (INSN_REP | INSN_REPNE)) != 0;
    if (repeated && (cpu->regs[REG_ECX] & mask) == 0)
        return;
    io_check(cpu, (uint16_t)cpu->regs[REG_EDX], size);
    for (;;) {
        if (is_in)
            ins_one(cpu, mask, size);
        else
            outs_one(cpu, insn, mask, size);
        if (!repeated)
            return;
        index_advance(cpu, REG_ECX, 0xffffffffu, mask);
        if ((cpu->regs[REG_ECX] & mask) == 0)
            return;
        if (atomic_load_explicit(&cpu->kicked, memory_order_relaxed) || cpu_must_step(cpu)) {
            cpu->eip = cpu->insn_eip;
            return;
        }
    }
}

void op_insb(struct cpu *cpu, const struct insn *insn)
{
    io_string(cpu, insn, true, 1);
}

void op_insv(struct cpu *cpu, const struct insn *insn)
{
    if (insn->operand_size == 4)
        io_string(cpu, insn, true, 4);
    else
        io_string(cpu, insn, true, 2);
}

void op_outsb(struct cpu *cpu, const struct insn *insn)
{
    io_string(cpu, insn, false, 1);
}

void op_outsv(struct cpu *cpu, const struct insn *insn)
{
    if (insn->operand_size == 4)
        io_string(cpu, insn, false, 4);
    else
        io_string(cpu, insn, false, 2);
}
