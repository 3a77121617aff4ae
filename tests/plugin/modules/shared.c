// SPDX-License-Identifier: MIT
// Two processes of one program run at once; the instructions of one are counted by a filter of the
// subscription and by a predicate, and those of both by a call that is told who runs.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <emu/plugin.h>

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};

#define CALL(f) ((void (*)(void))(f))
#define TEXT    0x08049000u // busybox's code
#define PAGES   0x200u

static uint32_t chosen, other, entry_pc;
static uint64_t filtered, predicated, of_chosen, of_other, wrong;
static uint64_t physical[2][PAGES];
static PluginChannel *report;

static void on_filtered(void *data, CPUArchState *cpu)
{
    const struct qemu_instr_payload *insn = data;
    (void)cpu;
    wrong += !jit_attach_count(insn->ctx, JIT_BEFORE, NULL, &filtered, 1);
}

static void tally(CPUArchState *cpu, uint32_t pc, uint32_t context)
{
    const uint32_t page = (pc - TEXT) >> 12;
    if ((context != chosen && context != other) || pc == entry_pc) // counting starts behind it
        return;
    const bool is_other = context == other;
    if (is_other)
        of_other++;
    else
        of_chosen++;
    if (!physical[is_other][page])
        wrong += !cpu_translate(cpu, pc & ~0xfffu, &physical[is_other][page]);
}

static void on_both(void *data, CPUArchState *cpu)
{
    const struct qemu_instr_payload *insn = data;
    const JitPredicate is_chosen[] = {jit_if_context(chosen), jit_if_end()};
    const JitArg args[] = {jit_cpu(), jit_pc(), jit_context()};
    (void)cpu;
    wrong += !jit_attach_call(insn->ctx, JIT_BEFORE, NULL, CALL(tally), jit_arg(JIT_ARG_NONE, 0), 3,
                              args);
    if (chosen)
        wrong += !jit_attach_count(insn->ctx, JIT_BEFORE, is_chosen, &predicated, 1);
}

static void start_counting(bool is_chosen)
{
    struct plugin_subscribe_options options = {
        .filter = {.by_address = true, .first = TEXT, .last = TEXT + PAGES * 4096 - 1}};
    plugin_del_subscriber(on_both, "qemu", "PLUGIN_QEMU_INSTR_TRANSLATE");
    wrong += !plugin_subscribe_with(on_both, "qemu", "PLUGIN_QEMU_INSTR_TRANSLATE", &options);
    if (!is_chosen)
        return;
    options.filter.by_context = true;
    options.filter.context = chosen;
    wrong += !plugin_subscribe_with(on_filtered, "qemu", "PLUGIN_QEMU_INSTR_TRANSLATE", &options);
}

// At the program's first instruction the stack holds argc and argv.
static void on_entry(CPUArchState *cpu)
{
    uint32_t stack[4];
    char name[32];
    const uint32_t esp = cpu_get_register(cpu, EMU_ESP);
    if (cpu_read_memory(cpu, esp, stack, sizeof stack) != sizeof stack || stack[0] != 3)
        return;
    cpu_read_string(cpu, stack[3], name, sizeof name);
    if (strcmp(name, "/root/chosen") == 0 && !chosen) {
        chosen = get_current_context();
        start_counting(true);
    } else if (strcmp(name, "/root/other") == 0 && !other) {
        other = get_current_context();
        if (!chosen)
            start_counting(false);
    }
}

static void on_first(void *data, CPUArchState *cpu)
{
    const struct qemu_instr_payload *insn = data;
    const JitArg args[] = {jit_cpu()};
    (void)cpu;
    wrong += !jit_gen_callN(insn->ctx, CALL(on_entry), jit_arg(JIT_ARG_NONE, 0), 1, args);
}

static void on_stopped(void *data, CPUArchState *cpu)
{
    unsigned same = 0, different = 0;
    (void)data;
    (void)cpu;
    for (unsigned i = 0; i < PAGES; i++) {
        if (physical[0][i] && physical[1][i])
            *(physical[0][i] == physical[1][i] ? &same : &different) += 1;
    }
    plugin_channel_printf(report,
                          "filtered %" PRIu64 "\npredicated %" PRIu64 "\nchosen %" PRIu64
                          "\nother %" PRIu64 "\npages %u\ndifferent %u\nwrong %" PRIu64 "\n",
                          filtered, predicated, of_chosen, of_other, same, different, wrong);
    plugin_channel_flush(report);
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    const char *entry = plugin_argument(pi, "entry");
    struct plugin_subscribe_options options = {.filter = {.by_address = true}};
    report = plugin_channel_open(plugin_argument(pi, "report"));
    if (!entry || !report)
        return plugin_fail("it needs entry= and report=");
    entry_pc = (uint32_t)strtoul(entry, NULL, 16);
    options.filter.first = options.filter.last = entry_pc;
    jit_register_helper(NULL, CALL(on_entry), "on_entry", JIT_HELPER_READS_REGS, "vc");
    jit_register_helper(NULL, CALL(tally), "tally", JIT_HELPER_READS_REGS, "vcii");
    plugin_subscribe_with(on_first, "qemu", "PLUGIN_QEMU_INSTR_TRANSLATE", &options);
    plugin_subscribe(on_stopped, "qemu", "PLUGIN_QEMU_CPUS_STOPPED");
}
