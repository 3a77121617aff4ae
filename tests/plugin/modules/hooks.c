// SPDX-License-Identifier: MIT
// Attaches operations of every kind to the loop of small_machine.h, as its argument `mode` says,
// and publishes what they found.
#include <stdlib.h>
#include <string.h>

#include "hooks.h"

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};

static struct hooks_found found;
static const char *mode;
static uint32_t chosen; // context or address
static JitBuffer *buffer;

static bool is(const char *name)
{
    return strcmp(mode, name) == 0;
}

static void on_access(CPUArchState *cpu, uint32_t pc, uint32_t address, uint32_t size,
                      uint64_t value)
{
    found.calls++;
    found.sum += value;
    found.last = value;
    if (size != 4 || cpu_get_register(cpu, EMU_EIP) != pc ||
        (address != 0x2000 && address < 0x7f00))
        found.wrong++;
}

static uint32_t seven(void)
{
    found.calls++;
    return 7;
}

static void skip(CPUArchState *cpu)
{
    found.calls += cpu_skip_instruction(cpu);
}

static void go_elsewhere(CPUArchState *cpu)
{
    found.calls++;
    cpu_set_register(cpu, EMU_EIP, 0x101a);
}

static void raise_ud(CPUArchState *cpu)
{
    found.calls += cpu_raise_exception(cpu, 6, 0);
}

static void stop(CPUArchState *cpu)
{
    found.calls++;
    machine_stop();
}

static void change(CPUArchState *cpu)
{
    uint32_t value = 0x1234;
    found.calls++;
    cpu_set_register(cpu, EMU_ESI, 99);
    cpu_write_memory(cpu, 0x2ffe, &value, sizeof value); // across a page
}

static void eight(uint32_t a, uint64_t b, const void *c, CPUArchState *d, uint32_t e, uint32_t f,
                  uint64_t g, uint32_t h)
{
    found.calls++;
    if (a != 1 || b != UINT64_C(0x100000002) || c != &found || d != machine_get_cpu() ||
        e != 0x1005 || f != 0x2000 || g != cpu_instruction_count(d) || h != get_current_context())
        found.wrong++;
}

static void flush(void *opaque, const uint64_t *records, size_t count)
{
    found.flushes++;
    for (size_t i = 0; i < count; i++) {
        found.records++;
        found.sum += records[2 * i + 1];
    }
}

static void attach_all(JitContext *ctx)
{
    for (int place = JIT_BEFORE; place < JIT_PLACES; place++)
        jit_attach_count(ctx, (enum jit_place)place, NULL, &found.at[place], 1);
}

static void attach_refused(JitContext *ctx)
{
    const JitArg value[] = {jit_value()}, wide[] = {jit_const64(1)}, none[] = {jit_none()};
    found.refused +=
        !jit_attach_call(ctx, JIT_BEFORE, NULL, (void (*)(void))skip, jit_none(), 1, wide);
    found.refused += !jit_gen_callN(ctx, (void (*)(void))skip, jit_none(), 0, NULL);
    found.refused += !jit_gen_callN(ctx, (void (*)(void))on_access, jit_reg(9), 0, NULL);
    found.refused += !jit_gen_callN(ctx, (void (*)(void))flush, jit_none(), 0, NULL);
    found.refused += !jit_attach_store(ctx, JIT_BEFORE, NULL, &found.last, value[0]);
    found.refused += !jit_attach_store(ctx, JIT_BEFORE, NULL, &found.last, none[0]);
    found.refused += !jit_attach_count(ctx, JIT_PLACES, NULL, &found.last, 1);
    found.refused += !jit_attach_record(ctx, JIT_LOAD, NULL, buffer, 1, value);
    found.refused += !jit_register_helper(ctx, (void (*)(void))seven, "seven", 0, "ix");
    found.refused += !jit_register_helper(ctx, (void (*)(void))seven, "seven", 0, "iiiiiiiiii");
}

static void on_instruction(void *data, CPUArchState *cpu)
{
    const struct qemu_instr_payload *instr = data;
    const JitArg access[] = {jit_cpu(), jit_pc(), jit_address(), jit_size(), jit_value()};
    const JitArg self[] = {jit_cpu()};
    JitContext *ctx = instr->ctx;
    if (is("count")) {
        attach_all(ctx);
    } else if (is("access")) {
        jit_attach_call(ctx, JIT_LOAD, NULL, (void (*)(void))on_access, jit_none(), 5, access);
    } else if (is("store")) {
        jit_attach_call(ctx, JIT_STORE_BEFORE, NULL, (void (*)(void))on_access, jit_none(), 5,
                        access);
    } else if (is("range")) {
        const JitPredicate where[] = {jit_if_address(0x2000, 0x2003), jit_if_cpl(0), jit_if_end()};
        jit_attach_call(ctx, JIT_STORE, where, (void (*)(void))on_access, jit_none(), 5, access);
    } else if (is("threshold")) {
        const JitPredicate fifth[] = {jit_if_counter(&found.at[JIT_BEFORE], 5), jit_if_end()};
        jit_attach_count(ctx, JIT_BEFORE, NULL, &found.at[JIT_BEFORE], 1);
        jit_attach_count(ctx, JIT_BEFORE, fifth, &found.at[JIT_AFTER], 1);
    } else if (is("record")) {
        const JitArg fields[] = {jit_pc(), jit_value()};
        jit_attach_record(ctx, JIT_LOAD, NULL, buffer, 2, fields);
    } else if (is("put")) {
        jit_attach_store(ctx, JIT_BRANCH, NULL, &found.last, jit_address());
    } else if (is("filter")) {
        jit_attach_count(ctx, JIT_BEFORE, NULL, &found.instructions, 1);
    } else if (instr->pc == 0x1005 && is("eight")) {
        const JitArg args[] = {jit_const32(1),
                               jit_const64(UINT64_C(0x100000002)),
                               jit_pointer(&found),
                               jit_cpu(),
                               jit_pc(),
                               jit_ea(),
                               jit_icount(),
                               jit_context()};
        jit_gen_callN(ctx, (void (*)(void))eight, jit_none(), 8, args);
    } else if (instr->pc == 0x1011 && is("result")) {
        jit_attach_call(ctx, JIT_AFTER, NULL, (void (*)(void))seven, jit_reg(3), 0, NULL);
    } else if (instr->pc == 0x1005 && is("skip")) {
        jit_gen_callN(ctx, (void (*)(void))skip, jit_none(), 1, self);
    } else if (instr->pc == 0x1017 && is("elsewhere")) {
        jit_gen_callN(ctx, (void (*)(void))go_elsewhere, jit_none(), 1, self);
    } else if (instr->pc == 0x1010 && is("raise")) {
        jit_gen_callN(ctx, (void (*)(void))raise_ud, jit_none(), 1, self);
    } else if (instr->pc == 0x1010 && is("stop")) {
        jit_gen_callN(ctx, (void (*)(void))stop, jit_none(), 1, self);
    } else if (instr->pc == 0x1010 && is("change")) {
        jit_gen_callN(ctx, (void (*)(void))change, jit_none(), 1, self);
    } else if (instr->pc == 0x1000 && is("refuse")) {
        attach_refused(ctx);
    }
}

static void on_block(void *data, CPUArchState *cpu)
{
    const struct qemu_block_payload *block = data;
    jit_attach_count(block->ctx, JIT_BEFORE, NULL, &found.block_starts, 1);
}

static void on_exception(void *data, CPUArchState *cpu)
{
    const struct qemu_exception_payload *exception = data;
    if (found.calls && !found.vector) {
        found.vector = exception->vector;
        found.eip = cpu_get_register(cpu, EMU_EIP);
    }
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    struct plugin_subscribe_options options = {0};
    const char *context = plugin_argument(pi, "context"), *from = plugin_argument(pi, "from");
    mode = plugin_argument(pi, "mode");
    if (!mode)
        return plugin_fail("it needs mode=");
    pi->funcs = &found;
    if (context) {
        options.filter.by_context = true;
        options.filter.context = chosen = (uint32_t)strtoul(context, NULL, 16);
    }
    if (from) {
        options.filter.by_address = true;
        options.filter.first = (uint32_t)strtoul(from, NULL, 16);
        options.filter.last = options.filter.first;
    }
    buffer = jit_buffer_create(2, 16, flush, NULL);
    jit_register_helper(NULL, (void (*)(void))on_access, "on_access", JIT_HELPER_READS_REGS,
                        "vciiil");
    jit_register_helper(NULL, (void (*)(void))seven, "seven", JIT_HELPER_PURE, "i");
    jit_register_helper(NULL, (void (*)(void))skip, "skip", JIT_HELPER_WRITES_REGS, "vc");
    jit_register_helper(NULL, (void (*)(void))go_elsewhere, "elsewhere", JIT_HELPER_WRITES_REGS,
                        "vc");
    jit_register_helper(NULL, (void (*)(void))raise_ud, "raise", JIT_HELPER_MAY_RAISE, "vc");
    jit_register_helper(NULL, (void (*)(void))stop, "stop", JIT_HELPER_MAY_STOP, "vc");
    jit_register_helper(NULL, (void (*)(void))change, "change", JIT_HELPER_WRITES_REGS, "vc");
    jit_register_helper(NULL, (void (*)(void))eight, "eight", JIT_HELPER_READS_REGS, "vilpciili");
    plugin_subscribe_with(on_instruction, "qemu", "PLUGIN_QEMU_INSTR_TRANSLATE", &options);
    plugin_subscribe(on_block, "qemu", "PLUGIN_QEMU_BEFORE_GEN_TB");
    plugin_subscribe(on_exception, "qemu", "PLUGIN_QEMU_EXCEPTION");
}
