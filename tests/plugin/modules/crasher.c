// SPDX-License-Identifier: MIT
// Crashes where its argument `at` says (command, exception, translate, helper, exit, timer), the
// way `how` says (segv, abort, fpe, stack, ill).
#include <emu/plugin.h>
#include <stdlib.h>
#include <string.h>

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};
EMU_PLUGIN_EXPORT const struct plugin_option plugin_options[];
const struct plugin_option plugin_options[] = {
    {"at", "PLACE", "where"}, {"how", "WAY", "which way"}, {NULL, NULL, NULL}};

static const char *how;

static int __attribute__((noinline)) recurse(volatile int *depth)
{
    volatile char frame[4096];
    frame[0] = (char)*depth;
    if (++*depth < 0)
        return 0;
    return recurse(depth) + frame[0];
}

// Sanitizers would end the process first.
static void __attribute__((no_sanitize("undefined", "address"))) crash(void)
{
    volatile int zero = 0, one = 1;
    volatile int *volatile nowhere = NULL;
    if (!how || strcmp(how, "segv") == 0)
        *nowhere = 1;
    else if (strcmp(how, "abort") == 0)
        abort();
    else if (strcmp(how, "fpe") == 0)
        zero = one / zero;
    else if (strcmp(how, "ill") == 0)
        __builtin_trap();
    else if (strcmp(how, "stack") == 0)
        recurse(&zero);
}

static void on_signal(void *data, CPUArchState *cpu)
{
    crash();
}

static void on_instruction(void *data, CPUArchState *cpu)
{
    const struct qemu_instr_payload *instr = data;
    jit_gen_callN(instr->ctx, crash, jit_none(), 0, NULL);
}

static void at_exit(PluginInterface *pi)
{
    crash();
}

static void on_timer(void *opaque)
{
    crash();
}

static void run(PluginInterface *pi, const char *args)
{
    crash();
}

static const PluginCommand commands[] = {{"crash", NULL, "crashes", run}, {NULL, NULL, NULL, NULL}};

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    const char *at = plugin_argument(pi, "at");
    how = plugin_argument(pi, "how");
    pi->cmd_table = commands;
    if (!at)
        return;
    if (strcmp(at, "exit") == 0)
        pi->exit = at_exit;
    else if (strcmp(at, "translate") == 0)
        plugin_subscribe(on_signal, "qemu", "PLUGIN_QEMU_INSTR_TRANSLATE");
    else if (strcmp(at, "tick") == 0)
        plugin_subscribe(on_signal, "alpha", "TICK");
    else if (strcmp(at, "timer") == 0)
        plugin_timer_arm(plugin_timer_create(on_timer, NULL), machine_clock_now());
    else if (strcmp(at, "helper") == 0) {
        jit_register_helper(NULL, crash, "crash", JIT_HELPER_PURE, "v");
        plugin_subscribe(on_instruction, "qemu", "PLUGIN_QEMU_INSTR_TRANSLATE");
    }
}
