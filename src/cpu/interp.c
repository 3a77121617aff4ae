// SPDX-License-Identifier: MIT
// Out-of-line parts of interp.h.
#include "cpu/interp.h"

// MMIO, page crossing, code pages, watched or not yet mapped pages: the right to write is proven
// before the read happens.
uint64_t target_open_slow(struct cpu *cpu, uint32_t linear, unsigned size)
{
    mem_probe_write(cpu, linear, size, cpu->is_user);
    return mem_read_slow(cpu, linear, size, cpu->is_user);
}
