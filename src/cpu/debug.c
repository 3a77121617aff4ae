// SPDX-License-Identifier: MIT
// Debug registers and single stepping. Breakpoints on execution are faults, all others traps. Left
// out: branch-trace and last-branch records. Intel SDM vol. 3, chapter 17.
#include "cpu/debug.h"

enum { BREAK_EXECUTE, BREAK_WRITE, BREAK_IO, BREAK_ACCESS };

static bool debug_enabled(const struct cpu *cpu, unsigned n)
{
    return (cpu->dr[7] >> (2 * n) & 3) != 0;
}

static unsigned debug_kind(const struct cpu *cpu, unsigned n)
{
    unsigned kind = cpu->dr[7] >> (16 + 4 * n) & 3;
    if (kind == BREAK_IO && !(cpu->cr4 & CR4_DE))
        return BREAK_EXECUTE + 4; // undefined without CR4.DE: never hits
    return kind;
}

// LEN: 1, 2, (8: undefined in IA-32 before Pentium 4, taken as 8) or 4 bytes.
static unsigned debug_length(const struct cpu *cpu, unsigned n)
{
    static const uint8_t lengths[4] = {1, 2, 8, 4};
    return lengths[cpu->dr[7] >> (18 + 4 * n) & 3];
}

static bool debug_overlaps(const struct cpu *cpu, unsigned n, uint32_t address, unsigned size)
{
    unsigned length = debug_length(cpu, n);
    uint32_t start = cpu->dr[n] & ~(length - 1);
    return address - start < length || start - address < size;
}

void debug_pend(struct cpu *cpu, uint32_t dr6_bits)
{
    cpu->pending_debug |= dr6_bits;
    cpu_kick(cpu);
}

// DR6 reports every condition that is met, also those DR7 does not enable, when an enabled one is
// among them.
static void debug_check(struct cpu *cpu, uint32_t address, unsigned size, uint32_t kinds)
{
    uint32_t hits = 0;
    bool enabled = false;
    for (unsigned n = 0; n < 4; n++) {
        if ((kinds >> debug_kind(cpu, n) & 1) && debug_overlaps(cpu, n, address, size)) {
            hits |= DR6_B0 << n;
            enabled |= debug_enabled(cpu, n);
        }
    }
    if (enabled)
        debug_pend(cpu, hits);
}

void debug_check_data(struct cpu *cpu, uint32_t linear, unsigned size, bool write)
{
    debug_check(cpu, linear, size, 1u << BREAK_ACCESS | (write ? 1u << BREAK_WRITE : 0));
}

void debug_check_io(struct cpu *cpu, uint16_t port, unsigned size)
{
    debug_check(cpu, port, size, 1u << BREAK_IO);
}

bool debug_watches_data(const struct cpu *cpu)
{
    for (unsigned n = 0; n < 4; n++) {
        unsigned kind = debug_kind(cpu, n);
        if (debug_enabled(cpu, n) && (kind == BREAK_WRITE || kind == BREAK_ACCESS))
            return true;
    }
    return false;
}

bool cpu_check_breakpoint(struct cpu *cpu)
{
    if (!cpu->debug_armed || (cpu->eflags & FLAG_RF))
        return false;
    uint32_t linear = cpu->segs[SEG_CS].base + cpu->eip;
    uint32_t hits = 0;
    bool enabled = false;
    for (unsigned n = 0; n < 4; n++) {
        if (debug_kind(cpu, n) == BREAK_EXECUTE && cpu->dr[n] == linear) {
            hits |= DR6_B0 << n;
            enabled |= debug_enabled(cpu, n);
        }
    }
    if (!enabled)
        return false;
    cpu->dr[6] |= hits;
    cpu->insn_eip = cpu->eip;
    cpu->raised = (struct cpu_exception){.vector = EXC_DB};
    return true;
}

bool cpu_begin_step(struct cpu *cpu)
{
    if (!cpu->debug_shadow && cpu_check_breakpoint(cpu))
        return true;
    cpu->interrupt_shadow = false;
    cpu->debug_shadow = false;
    cpu->step_trap = (cpu->eflags & FLAG_TF) != 0;
    return false;
}

void cpu_finish_step(struct cpu *cpu)
{
    // MOV SS and POP SS hold the single-step trap of their own back; the next instruction's comes.
    if (cpu->step_trap && !cpu->debug_shadow)
        cpu->pending_debug |= DR6_BS;
    cpu->step_trap = false;
    if (!cpu->keep_rf)
        cpu->eflags &= ~FLAG_RF;
    cpu->keep_rf = false;
    if (cpu->pending_debug || cpu->interrupt_shadow)
        cpu_kick(cpu);
}

// DR4 and DR5 are aliases of DR6 and DR7 (CR4.DE is checked before). DR7.GD traps each
// access, also the handler's own until it clears DR7.GD: delivery does that.
static unsigned debug_register(struct cpu *cpu, unsigned n)
{
    if (n == 4 || n == 5)
        n += 2;
    if (cpu->dr[7] & DR7_GD) {
        cpu->dr[6] |= DR6_BD;
        cpu_raise(cpu, EXC_DB);
    }
    return n;
}

uint32_t debug_read_register(struct cpu *cpu, unsigned n)
{
    return cpu->dr[debug_register(cpu, n)];
}

void debug_write_register(struct cpu *cpu, unsigned n, uint32_t value)
{
    n = debug_register(cpu, n);
    if (n == 6)
        value = (value & 0xe00fu) | DR6_FIXED;
    else if (n == 7)
        value = (value & 0xffff2bffu) | DR7_FIXED;
    cpu->dr[n] = value;
    cpu->eflags &= ~FLAG_RF;
    cpu_update_mode(cpu);
}
