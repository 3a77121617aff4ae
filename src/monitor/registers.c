// SPDX-License-Identifier: MIT
// Registers that expressions can name: $eax ... $cr4. $eip and $pc are the linear address of the
// next instruction, as the addresses of `x` are.
#include "monitor/command.h"

enum register_kind { GENERAL, LOW16, LOW8, HIGH8, SEGMENT, BASE, SPECIAL };
enum special { PC, EFLAGS, CR0, CR2, CR3, CR4, CPL };

struct register_row {
    const char *name;
    enum register_kind kind;
    unsigned index;
};

static const struct register_row rows[] = {
    {"eax", GENERAL, REG_EAX}, {"ecx", GENERAL, REG_ECX},   {"edx", GENERAL, REG_EDX},
    {"ebx", GENERAL, REG_EBX}, {"esp", GENERAL, REG_ESP},   {"ebp", GENERAL, REG_EBP},
    {"esi", GENERAL, REG_ESI}, {"edi", GENERAL, REG_EDI},   {"eip", SPECIAL, PC},
    {"pc", SPECIAL, PC},       {"eflags", SPECIAL, EFLAGS}, {"ax", LOW16, REG_EAX},
    {"cx", LOW16, REG_ECX},    {"dx", LOW16, REG_EDX},      {"bx", LOW16, REG_EBX},
    {"sp", LOW16, REG_ESP},    {"bp", LOW16, REG_EBP},      {"si", LOW16, REG_ESI},
    {"di", LOW16, REG_EDI},    {"al", LOW8, REG_EAX},       {"cl", LOW8, REG_ECX},
    {"dl", LOW8, REG_EDX},     {"bl", LOW8, REG_EBX},       {"ah", HIGH8, REG_EAX},
    {"ch", HIGH8, REG_ECX},    {"dh", HIGH8, REG_EDX},      {"bh", HIGH8, REG_EBX},
    {"es", SEGMENT, SEG_ES},   {"cs", SEGMENT, SEG_CS},     {"ss", SEGMENT, SEG_SS},
    {"ds", SEGMENT, SEG_DS},   {"fs", SEGMENT, SEG_FS},     {"gs", SEGMENT, SEG_GS},
    {"es.base", BASE, SEG_ES}, {"cs.base", BASE, SEG_CS},   {"ss.base", BASE, SEG_SS},
    {"ds.base", BASE, SEG_DS}, {"fs.base", BASE, SEG_FS},   {"gs.base", BASE, SEG_GS},
    {"cr0", SPECIAL, CR0},     {"cr2", SPECIAL, CR2},       {"cr3", SPECIAL, CR3},
    {"cr4", SPECIAL, CR4},     {"cpl", SPECIAL, CPL},
};

static uint32_t read_special(const struct cpu *cpu, enum special which)
{
    switch (which) {
    case PC:
        return cpu->segs[SEG_CS].base + cpu->eip;
    case EFLAGS:
        return cpu_get_eflags(cpu);
    case CR0:
        return cpu->cr0;
    case CR2:
        return cpu->cr2;
    case CR3:
        return cpu->cr3;
    case CR4:
        return cpu->cr4;
    case CPL:
        return cpu->cpl;
    }
    return 0;
}

static uint32_t read_row(const struct cpu *cpu, const struct register_row *row)
{
    switch (row->kind) {
    case GENERAL:
        return cpu->regs[row->index];
    case LOW16:
        return cpu->regs[row->index] & 0xffff;
    case LOW8:
        return cpu->regs[row->index] & 0xff;
    case HIGH8:
        return cpu->regs[row->index] >> 8 & 0xff;
    case SEGMENT:
        return cpu->segs[row->index].selector;
    case BASE:
        return cpu->segs[row->index].base;
    case SPECIAL:
        return read_special(cpu, (enum special)row->index);
    }
    return 0;
}

static bool get_register(void *self, const char *name, size_t length, int64_t *value)
{
    const struct monitor *mon = self;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0) {
            *value = read_row(machine_cpu(mon->machine), &rows[i]);
            return true;
        }
    }
    return false;
}

struct expr_env command_expr_env(struct monitor *mon)
{
    return (struct expr_env){.self = mon, .get_register = get_register};
}

const char *register_name(size_t index)
{
    return index < ARRAY_SIZE(rows) ? rows[index].name : NULL;
}
