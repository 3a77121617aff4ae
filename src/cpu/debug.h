// SPDX-License-Identifier: MIT
// Debug registers: data, I/O and execution breakpoints. Intel SDM vol. 3, chapter 17.
#ifndef EMU_CPU_DEBUG_H
#define EMU_CPU_DEBUG_H

#include "cpu/cpu.h"

// Notes a data breakpoint on [linear, linear + size) in cpu->pending_debug: a trap after the
// instruction.
void debug_check_data(struct cpu *cpu, uint32_t linear, unsigned size, bool write);
void debug_check_io(struct cpu *cpu, uint16_t port, unsigned size);

// True when an enabled breakpoint watches data: every access must take the slow path.
bool debug_watches_data(const struct cpu *cpu);

// MOV DRn.
uint32_t debug_read_register(struct cpu *cpu, unsigned n);
void debug_write_register(struct cpu *cpu, unsigned n, uint32_t value);

// Adds DR6 bits of a trap to deliver after this instruction.
void debug_pend(struct cpu *cpu, uint32_t dr6_bits);

#endif
