// SPDX-License-Identifier: MIT
// example1: counts translated instructions. Every 10,000th emits test/EVERY_10000 and gets a call
// attached that emits test/HELPER when the guest executes it. Two functions are there for other
// plugins.
#include <emu/plugin.h>

struct example1_functions {
    uint64_t (*get_count)(void);
    int (*add)(int a, int b);
};

static const char *const signals_list[] = {"test", NULL};
static const char *const dependencies[] = {"contexts", NULL};
EMU_PLUGIN_EXPORT const struct pi_info init_info = {signals_list, dependencies, NULL};
EMU_PLUGIN_EXPORT const struct plugin_option plugin_options[];
const struct plugin_option plugin_options[] = {{NULL, NULL, NULL}};

static const struct payload_field no_fields[] = {PAYLOAD_FIELDS_END};
static const struct payload_type every_type = {
    "text", 1, 0, no_fields, "Every 10,000 translated instructions; the payload is a C string."};
static const struct payload_type helper_type = {
    "text", 1, 0, no_fields, "Such an instruction is executed; the payload is a C string."};

static SignalInfo *group;
static uint64_t translated;

static uint64_t get_count(void)
{
    return translated;
}

static int add(int a, int b)
{
    return a + b;
}

static const struct example1_functions functions = {get_count, add};

static void helper(CPUArchState *cpu, uint32_t pc)
{
    char text[64];
    snprintf(text, sizeof text, "instruction at 0x%08x is executed", pc);
    plugin_gen_signal(group, "HELPER", text, cpu);
}

static void on_instruction(void *data, CPUArchState *cpu)
{
    const struct qemu_instr_payload *instr = data;
    if (++translated % 10000 != 0)
        return;
    char text[64];
    snprintf(text, sizeof text, "%llu instructions translated", (unsigned long long)translated);
    plugin_gen_signal(group, "EVERY_10000", text, cpu);
    const JitArg args[] = {jit_cpu(), jit_pc()};
    jit_gen_callN(instr->ctx, (void (*)(void))helper, jit_none(), 2, args);
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    pi->funcs = &functions;
    group = plugin_reg_signal("test");
    plugin_describe_signal(group, "EVERY_10000", &every_type);
    plugin_describe_signal(group, "HELPER", &helper_type);
    jit_register_helper(NULL, (void (*)(void))helper, "example1_helper", JIT_HELPER_PURE, "vci");
    plugin_subscribe(on_instruction, "qemu", "PLUGIN_QEMU_INSTR_TRANSLATE");
}
