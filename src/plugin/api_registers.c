// SPDX-License-Identifier: MIT
// <emu/plugin.h>: guest registers by number and by name.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "plugin/api_internal.h"

static const char *const register_names[EMU_REGISTER_COUNT] = {
    [EMU_EAX] = "eax",
    [EMU_ECX] = "ecx",
    [EMU_EDX] = "edx",
    [EMU_EBX] = "ebx",
    [EMU_ESP] = "esp",
    [EMU_EBP] = "ebp",
    [EMU_ESI] = "esi",
    [EMU_EDI] = "edi",
    [EMU_EIP] = "eip",
    [EMU_EFLAGS] = "eflags",
    [EMU_ES] = "es",
    [EMU_CS] = "cs",
    [EMU_SS] = "ss",
    [EMU_DS] = "ds",
    [EMU_FS] = "fs",
    [EMU_GS] = "gs",
    [EMU_CR0] = "cr0",
    [EMU_CR2] = "cr2",
    [EMU_CR3] = "cr3",
    [EMU_CR4] = "cr4",
    [EMU_CPL] = "cpl",
    [EMU_ES_BASE] = "es_base",
    [EMU_CS_BASE] = "cs_base",
    [EMU_SS_BASE] = "ss_base",
    [EMU_DS_BASE] = "ds_base",
    [EMU_FS_BASE] = "fs_base",
    [EMU_GS_BASE] = "gs_base",
    [EMU_ES_LIMIT] = "es_limit",
    [EMU_CS_LIMIT] = "cs_limit",
    [EMU_SS_LIMIT] = "ss_limit",
    [EMU_DS_LIMIT] = "ds_limit",
    [EMU_FS_LIMIT] = "fs_limit",
    [EMU_GS_LIMIT] = "gs_limit",
    [EMU_LDTR] = "ldtr",
    [EMU_TR] = "tr",
    [EMU_GDT_BASE] = "gdt_base",
    [EMU_GDT_LIMIT] = "gdt_limit",
    [EMU_IDT_BASE] = "idt_base",
    [EMU_IDT_LIMIT] = "idt_limit",
    [EMU_DR0] = "dr0",
    [EMU_DR1] = "dr1",
    [EMU_DR2] = "dr2",
    [EMU_DR3] = "dr3",
    [EMU_DR6] = "dr6",
    [EMU_DR7] = "dr7",
    [EMU_FCW] = "fcw",
    [EMU_FSW] = "fsw",
    [EMU_FTW] = "ftw",
    [EMU_MXCSR] = "mxcsr",
    [EMU_ST0] = "st0",
    [EMU_ST0 + 1] = "st1",
    [EMU_ST0 + 2] = "st2",
    [EMU_ST0 + 3] = "st3",
    [EMU_ST0 + 4] = "st4",
    [EMU_ST0 + 5] = "st5",
    [EMU_ST0 + 6] = "st6",
    [EMU_ST7] = "st7",
    [EMU_MM0] = "mm0",
    [EMU_MM0 + 1] = "mm1",
    [EMU_MM0 + 2] = "mm2",
    [EMU_MM0 + 3] = "mm3",
    [EMU_MM0 + 4] = "mm4",
    [EMU_MM0 + 5] = "mm5",
    [EMU_MM0 + 6] = "mm6",
    [EMU_MM7] = "mm7",
    [EMU_XMM0] = "xmm0",
    [EMU_XMM0 + 1] = "xmm1",
    [EMU_XMM0 + 2] = "xmm2",
    [EMU_XMM0 + 3] = "xmm3",
    [EMU_XMM0 + 4] = "xmm4",
    [EMU_XMM0 + 5] = "xmm5",
    [EMU_XMM0 + 6] = "xmm6",
    [EMU_XMM7] = "xmm7",
};

EMU_API const char *cpu_register_name(enum emu_register reg)
{
    return (unsigned)reg < EMU_REGISTER_COUNT ? register_names[reg] : NULL;
}

EMU_API int cpu_register_by_name(const char *name)
{
    for (int i = 0; name && i < EMU_REGISTER_COUNT; i++)
        if (strcasecmp(name, register_names[i]) == 0)
            return i;
    return -1;
}

EMU_API size_t cpu_register_size(enum emu_register reg)
{
    if ((unsigned)reg >= EMU_REGISTER_COUNT)
        return 0;
    return reg >= EMU_XMM0 ? 16 : reg >= EMU_MM0 ? 8 : reg >= EMU_ST0 ? 10 : 4;
}

// While an instruction runs, EIP is its own; behind it, and between instructions, the next one's.
static uint32_t present_eip(const struct cpu *cpu)
{
    return cpu->jump && cpu->hook.phase != CPU_HOOK_AFTER ? cpu->insn_eip : cpu->eip;
}

static uint32_t debug_register(const struct cpu *cpu, enum emu_register reg)
{
    return cpu->dr[reg <= EMU_DR3 ? reg - EMU_DR0 : reg - EMU_DR6 + 6];
}

// The full tag word from FXSAVE's abridged one: empty, or what the register holds (SDM vol. 1,
// section 8.1.7).
static uint32_t full_tag_word(const struct fpu_state *fpu)
{
    uint32_t tags = 0;
    for (unsigned physical = 0; physical < 8; physical++) {
        unsigned tag = 3;
        if (fpu->tags >> physical & 1) {
            unsigned top = fpu->status >> 11 & 7;
            const uint8_t *st = fpu->st[(physical - top) & 7].bytes;
            uint64_t mantissa = load_le64(st);
            unsigned exponent = load_le16(st + 8) & 0x7fff;
            tag = exponent == 0 && mantissa == 0                             ? 1
                  : exponent == 0 || exponent == 0x7fff || !(mantissa >> 63) ? 2
                                                                             : 0;
        }
        tags |= tag << (2 * physical);
    }
    return tags;
}

static uint32_t system_register(const struct cpu *cpu, enum emu_register reg)
{
    switch (reg) {
    case EMU_CR0:
        return cpu->cr0;
    case EMU_CR2:
        return cpu->cr2;
    case EMU_CR3:
        return cpu->cr3;
    case EMU_CR4:
        return cpu->cr4;
    case EMU_CPL:
        return cpu->cpl;
    case EMU_LDTR:
        return cpu->ldtr.selector;
    case EMU_TR:
        return cpu->tr.selector;
    case EMU_GDT_BASE:
        return cpu->gdtr.base;
    case EMU_GDT_LIMIT:
        return cpu->gdtr.limit;
    case EMU_IDT_BASE:
        return cpu->idtr.base;
    case EMU_IDT_LIMIT:
        return cpu->idtr.limit;
    case EMU_FCW:
        return cpu->fpu.control;
    case EMU_FSW:
        return cpu->fpu.status;
    case EMU_FTW:
        return full_tag_word(&cpu->fpu);
    case EMU_MXCSR:
        return cpu->fpu.mxcsr;
    default:
        return 0;
    }
}

EMU_API uint32_t cpu_get_register(CPUArchState *cpu, enum emu_register reg)
{
    if (reg <= EMU_EDI)
        return cpu->regs[reg];
    if (reg == EMU_EIP)
        return present_eip(cpu);
    if (reg == EMU_EFLAGS)
        return cpu_get_eflags(cpu);
    if (reg >= EMU_ES && reg <= EMU_GS)
        return cpu->segs[reg - EMU_ES].selector;
    if (reg >= EMU_ES_BASE && reg <= EMU_GS_BASE)
        return cpu->segs[reg - EMU_ES_BASE].base;
    if (reg >= EMU_ES_LIMIT && reg <= EMU_GS_LIMIT)
        return cpu->segs[reg - EMU_ES_LIMIT].limit;
    if (reg >= EMU_DR0 && reg <= EMU_DR7)
        return debug_register(cpu, reg);
    return system_register(cpu, reg);
}

static void set_eip(struct cpu *cpu, uint32_t value)
{
    if (cpu->hook.phase != CPU_HOOK_IDLE) {
        cpu->hook.requests |= CPU_HOOK_EIP;
        cpu->hook.new_eip = value;
    } else {
        cpu->eip = value;
    }
}

EMU_API bool cpu_set_register(CPUArchState *cpu, enum emu_register reg, uint32_t value)
{
    if (reg <= EMU_EDI) {
        cpu->regs[reg] = value;
    } else if (reg == EMU_EIP) {
        set_eip(cpu, value);
    } else if (reg == EMU_EFLAGS) {
        cpu_set_eflags(cpu, value);
        cpu->hook.requests |= CPU_HOOK_LEAVE;
    } else if (reg >= EMU_DR0 && reg <= EMU_DR3) {
        cpu->dr[reg - EMU_DR0] = value;
        cpu_update_mode(cpu);
    } else {
        return false;
    }
    return true;
}

static uint8_t *wide_register(struct cpu *cpu, enum emu_register reg)
{
    if (reg >= EMU_XMM0)
        return cpu->fpu.xmm[reg - EMU_XMM0];
    if (reg >= EMU_MM0) // by physical register, while ST(i) counts from the top
        return cpu->fpu.st[(reg - EMU_MM0 - (cpu->fpu.status >> 11 & 7)) & 7].bytes;
    return cpu->fpu.st[reg - EMU_ST0].bytes;
}

EMU_API bool cpu_read_register(CPUArchState *cpu, enum emu_register reg, void *buffer, size_t size)
{
    size_t own = cpu_register_size(reg);
    if (own == 0 || size < own)
        return false;
    if (own == 4)
        store_le32(buffer, cpu_get_register(cpu, reg));
    else
        memcpy(buffer, wide_register(cpu, reg), own);
    return true;
}

EMU_API bool cpu_write_register(CPUArchState *cpu, enum emu_register reg, const void *buffer,
                                size_t size)
{
    size_t own = cpu_register_size(reg);
    if (own == 0 || size < own)
        return false;
    if (reg == EMU_FCW)
        cpu->fpu.control = (uint16_t)(load_le16(buffer) | 0x40);
    else if (reg == EMU_MXCSR)
        cpu->fpu.mxcsr = load_le32(buffer) & cpu->fpu.mxcsr_mask;
    else if (own == 4)
        return cpu_set_register(cpu, reg, load_le32(buffer));
    else
        memcpy(wide_register(cpu, reg), buffer, own);
    return true;
}
