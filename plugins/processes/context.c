// SPDX-License-Identifier: MIT
// processes: reads the memory of an address space that is not loaded, by walking its page tables.
// SDM volume 3, 4.3 and 4.4: 32-bit and PAE paging.
#include <string.h>

#include "internal.h"

enum { PRESENT = 1, LARGE = 1 << 7, CR4_PAE = 1 << 5, PAGE = 4096 };

static bool entry(CPUArchState *cpu, uint64_t at, size_t size, uint64_t *value)
{
    *value = 0;
    return cpu_read_physical(cpu, at, value, size) && (*value & PRESENT);
}

static bool walk_pae(CPUArchState *cpu, uint32_t context, uint32_t vaddr, uint64_t *paddr)
{
    const uint64_t frame = 0x000FFFFFFFFFF000;
    uint64_t e;
    if (!entry(cpu, (context & ~0x1Fu) + (vaddr >> 30) * 8, 8, &e) ||
        !entry(cpu, (e & frame) + (vaddr >> 21 & 0x1FF) * 8, 8, &e))
        return false;
    if (e & LARGE) {
        *paddr = (e & frame & ~0x1FFFFFull) | (vaddr & 0x1FFFFF);
        return true;
    }
    if (!entry(cpu, (e & frame) + (vaddr >> 12 & 0x1FF) * 8, 8, &e))
        return false;
    *paddr = (e & frame) | (vaddr & 0xFFF);
    return true;
}

static bool walk_32(CPUArchState *cpu, uint32_t context, uint32_t vaddr, uint64_t *paddr)
{
    uint64_t e;
    if (!entry(cpu, (context & ~0xFFFu) + (vaddr >> 22) * 4, 4, &e))
        return false;
    if (e & LARGE) {
        *paddr = (e & 0xFFC00000) | (vaddr & 0x3FFFFF);
        return true;
    }
    if (!entry(cpu, (e & 0xFFFFF000) + (vaddr >> 12 & 0x3FF) * 4, 4, &e))
        return false;
    *paddr = (e & 0xFFFFF000) | (vaddr & 0xFFF);
    return true;
}

size_t context_read(uint32_t context, uint32_t vaddr, void *buffer, size_t length)
{
    CPUArchState *cpu = machine_get_cpu();
    bool pae = cpu_get_register(cpu, EMU_CR4) & CR4_PAE;
    size_t done = 0;
    while (done < length && context) {
        uint64_t paddr;
        uint32_t at = vaddr + (uint32_t)done;
        size_t n = PAGE - (at & (PAGE - 1));
        if (n > length - done)
            n = length - done;
        if (!(pae ? walk_pae : walk_32)(cpu, context, at, &paddr) ||
            !cpu_read_physical(cpu, paddr, (char *)buffer + done, n))
            break;
        done += n;
    }
    return done;
}
