// SPDX-License-Identifier: MIT
// <emu/plugin.h>: guest memory, disassembly, machine control.
#include <stdio.h>
#include <string.h>

#include "base/disassemble.h"
#include "plugin/api_internal.h"

EMU_API uint32_t get_current_context(void)
{
    return mmu_context(&host_current()->env.cpu->mmu);
}

EMU_API CPUArchState *machine_get_cpu(void)
{
    return host_current()->env.cpu;
}

EMU_API size_t cpu_read_memory(CPUArchState *cpu, uint32_t vaddr, void *buffer, size_t length)
{
    return mmu_debug_read(&cpu->mmu, vaddr, buffer, length);
}

EMU_API size_t cpu_write_memory(CPUArchState *cpu, uint32_t vaddr, const void *buffer,
                                size_t length)
{
    return mmu_debug_write(&cpu->mmu, vaddr, buffer, length);
}

EMU_API size_t cpu_read_string(CPUArchState *cpu, uint32_t vaddr, char *buffer, size_t size)
{
    size_t done = 0;
    while (done + 1 < size) {
        uint32_t at = vaddr + (uint32_t)done;
        size_t want = PAGE_SIZE - (at & (PAGE_SIZE - 1));
        if (want > size - 1 - done)
            want = size - 1 - done;
        size_t got = mmu_debug_read(&cpu->mmu, at, buffer + done, want);
        const char *end = memchr(buffer + done, 0, got);
        if (end)
            return (size_t)(end - buffer);
        done += got;
        if (got < want)
            break;
    }
    if (size > 0)
        buffer[done] = 0;
    return done;
}

EMU_API bool cpu_translate(CPUArchState *cpu, uint32_t vaddr, uint64_t *paddr)
{
    return mmu_probe(&cpu->mmu, vaddr, paddr);
}

EMU_API bool cpu_read_physical(CPUArchState *cpu, uint64_t paddr, void *buffer, size_t length)
{
    return physmem_read(cpu->mem, paddr, buffer, length);
}

EMU_API bool cpu_write_physical(CPUArchState *cpu, uint64_t paddr, const void *buffer,
                                size_t length)
{
    return physmem_write(cpu->mem, paddr, buffer, length);
}

EMU_API unsigned cpu_disassemble(CPUArchState *cpu, uint32_t vaddr, char *text, size_t size)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    size_t got = mmu_debug_read(&cpu->mmu, vaddr, bytes, sizeof bytes);
    if (size > 0)
        text[0] = 0;
    if (got == 0)
        return 0;
    return disassemble(cpu_code32(cpu) ? DISASSEMBLE_32 : DISASSEMBLE_16, vaddr, bytes, got, text,
                       size);
}

EMU_API uint64_t cpu_instruction_count(CPUArchState *cpu)
{
    return cpu->instructions;
}

EMU_API void machine_stop(void)
{
    struct plugin_host *host = host_current();
    host->env.cpu->hook.requests |= CPU_HOOK_LEAVE;
    host->env.stop(host->env.self);
}

EMU_API void machine_continue(void)
{
    struct plugin_host *host = host_current();
    host->env.cont(host->env.self);
}

EMU_API bool machine_request_reset(void)
{
    struct plugin_host *host = host_current();
    if (!host->env.reset)
        return false;
    host->env.reset(host->env.self);
    return true;
}

EMU_API bool machine_request_quit_with(int status)
{
    struct plugin_host *host = host_current();
    if (!host->env.quit)
        return false;
    host->env.quit(host->env.self, status);
    return true;
}
