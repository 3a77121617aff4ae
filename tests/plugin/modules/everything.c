// SPDX-License-Identifier: MIT
// Uses each function of the SDK on a Debian guest that runs guest/probe.c: every signal, option,
// place, argument, predicate and inline operation. What it finds goes to a report whose lines are
// the same under every executor, and known beforehand where the guest's program says so.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <emu/plugin.h>

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};

EMU_PLUGIN_EXPORT const struct plugin_option plugin_options[];
const struct plugin_option plugin_options[] = {{"report", "PATH", "where the findings go"},
                                               {"json", "PATH", "JSON lines"},
                                               {"reset_at", "MS", "resets the machine once"},
                                               {NULL, NULL, NULL}};

#define CODE    0x0b000000u
#define DATA    0x0c000000u
#define CALL(f) ((void (*)(void))(f))

static const JitArg nobody = {JIT_ARG_NONE, 0};

static struct {
    uint64_t at[JIT_PLACES];     // operations that ran on the probe's code
    uint64_t ranged[JIT_PLACES]; // those on its data
    uint64_t user, kernel, chosen, from_fifth, executed, other;
    uint64_t blocks, block_calls;
    uint64_t last_target, last_value, last_size, last_pc;
    uint64_t records, flushes, record_sum;
    uint64_t eight, wrong;
    uint64_t access_calls[JIT_PLACES], access_sum[JIT_PLACES];
    uint64_t mem_loads, mem_stores, mem_sum;
    uint64_t int80, faults, fault_sum, handlers, page_faults, insn_exceptions;
    uint64_t interrupts, interrupts_at_user, user_interrupts, tlb, page_dirs, order_wrong, once;
    uint64_t translated, block_signals;
    uint64_t paused, stopped, resets, skips, raises, stops;
    uint64_t ticks, tick_at[5];
    uint64_t started, ended;
    uint64_t disassembled;
    uint32_t context, ticking;
    uint32_t st[3], fcw, fsw, mm_low, mm_high, xmm[4], fs_base, fpu_tag;
    char text[48];
} found;

static PluginChannel *report, *json;
static JitBuffer *buffer, *doomed;
static PluginTimer *timer, *resetter;
static bool watching;

struct finding {
    const char *name;
    uint64_t value;
    int32_t sign;
};
static const struct payload_field finding_fields[] = {
    PAYLOAD_FIELD(struct finding, name, PAYLOAD_STRING, "what"),
    PAYLOAD_FIELD(struct finding, value, PAYLOAD_U64, "how many"),
    PAYLOAD_FIELD(struct finding, sign, PAYLOAD_S32, NULL), PAYLOAD_FIELDS_END};
static const struct payload_type finding_type = {"finding", 1, sizeof(struct finding),
                                                 finding_fields, "a value of the report"};

static void put(const char *name, uint64_t value)
{
    struct finding line = {name, value, -1};
    plugin_channel_printf(report, "%s %" PRIu64 "\n", name, value);
    plugin_channel_json(json, "found", &finding_type, &line);
}

static void put_places(const char *name, const uint64_t *values)
{
    static const char *const places[JIT_PLACES] = {"before", "after",        "load_before",
                                                   "load",   "store_before", "store",
                                                   "branch", "call",         "return"};
    for (int i = 0; i < JIT_PLACES; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s_%s", name, places[i]);
        put(text, values[i]);
    }
}

// ---- Signals that are watched between the probe's begin and its end

static void on_mem_op(void *data, CPUArchState *cpu)
{
    const struct qemu_mem_op_payload *op = data;
    (void)cpu;
    found.mem_loads += op->is_load;
    found.mem_stores += !op->is_load;
    found.mem_sum += op->value + op->size + (op->vaddr & 0xfff);
}

static void on_int80(void *data, CPUArchState *cpu)
{
    const struct qemu_exception_payload *e = data;
    (void)cpu;
    found.int80 += e->vector == 0x80 && e->is_int && !e->has_error_code;
}

static void on_exception(void *data, CPUArchState *cpu)
{
    const struct qemu_exception_payload *e = data;
    found.faults += !e->is_int;
    found.fault_sum += e->vector + e->error_code + e->return_eip;
    found.page_faults += e->vector == 14 && e->has_error_code && e->cr2 == DATA + 0x4000 &&
                         cpu_get_register(cpu, EMU_CR2) == e->cr2;
}

static void on_handler(void *data, CPUArchState *cpu)
{
    (void)data;
    found.handlers++;
    found.wrong += cpu_get_register(cpu, EMU_CPL) != 0;
}

static void on_fault(void *data, CPUArchState *cpu)
{
    const struct qemu_fault_payload *fault = data;
    (void)cpu;
    found.insn_exceptions += fault->vector == 14 && fault->pc == CODE + 0x380;
}

static void on_interrupt(void *data, CPUArchState *cpu)
{
    const struct qemu_interrupt_payload *interrupt = data;
    found.interrupts += interrupt->vector >= 0x20;
    found.interrupts_at_user += (cpu_get_register(cpu, EMU_CS) & 3) == 3;
}

static void on_user_interrupt(void *data, CPUArchState *cpu)
{
    (void)data;
    (void)cpu;
    found.user_interrupts++;
}

static void on_tlb(void *data, CPUArchState *cpu)
{
    const struct qemu_tlb_payload *page = data;
    uint64_t physical;
    found.tlb++;
    found.wrong += page->size < 4096 || !(page->prot & EMU_PROT_READ);
    found.wrong +=
        !cpu_translate(cpu, page->vaddr, &physical) || (physical ^ page->paddr) & ~UINT64_C(0xfff);
}

static void page_dir_first(void *data, CPUArchState *cpu)
{
    const struct qemu_page_dir_payload *dir = data;
    found.page_dirs++;
    found.wrong +=
        (dir->cr3 & ~0xfffu) != get_current_context() || cpu_get_register(cpu, EMU_CR3) != dir->cr3;
}

static void page_dir_second(void *data, CPUArchState *cpu)
{
    (void)data;
    (void)cpu;
    found.order_wrong += found.page_dirs != ++found.other;
}

static void page_dir_once(void *data, CPUArchState *cpu)
{
    (void)data;
    (void)cpu;
    found.once++;
}

static void tick(void *opaque)
{
    found.wrong += opaque != &found;
    if (found.ticks < 5)
        found.tick_at[found.ticks++] = cpu_instruction_count(machine_get_cpu());
    if (found.ticks < 5)
        plugin_timer_arm(timer, machine_clock_now() + 1000000);
}

static void subscribe(void (*fn)(void *data, CPUArchState *cpu), const char *id,
                      struct plugin_subscribe_options options)
{
    found.wrong += !plugin_subscribe_with(fn, "qemu", id, &options);
}

static void begin(CPUArchState *cpu)
{
    struct plugin_subscribe_options all = {.payload = NULL};
    struct plugin_subscribe_options here = {
        .filter = {.by_context = true, .context = get_current_context()}};
    if (watching)
        return;
    watching = true;
    found.context = get_current_context();
    found.started = cpu_instruction_count(cpu);
    found.fs_base = cpu_get_register(cpu, EMU_GS_BASE);
    subscribe(on_exception, "PLUGIN_QEMU_EXCEPTION", here);
    subscribe(on_handler, "PLUGIN_QEMU_EXCEPTION_HANDLER", here);
    subscribe(on_fault, "PLUGIN_QEMU_INSTRUCTION_EXCEPTION", here);
    subscribe(on_interrupt, "PLUGIN_QEMU_INTERRUPT", here);
    here.filter.by_cpl = true;
    here.filter.cpl = 3;
    subscribe(on_user_interrupt, "PLUGIN_QEMU_INTERRUPT", here);
    here.filter.by_address = true;
    here.filter.first = CODE + 0x40;
    here.filter.last = CODE + 0x7f;
    subscribe(on_int80, "PLUGIN_QEMU_EXCEPTION", here);
    here.filter.first = DATA;
    here.filter.last = DATA + 0x7fff;
    subscribe(on_mem_op, "PLUGIN_QEMU_MEM_OP", here);
    here.filter.by_cpl = false;
    subscribe(on_tlb, "PLUGIN_QEMU_TLB_SET_PAGE", here);
    all.priority = -1;
    subscribe(page_dir_second, "PLUGIN_QEMU_PAGE_DIR_UPD", all);
    all.priority = 5;
    subscribe(page_dir_first, "PLUGIN_QEMU_PAGE_DIR_UPD", all);
    all.once = true;
    subscribe(page_dir_once, "PLUGIN_QEMU_PAGE_DIR_UPD", all);
    plugin_timer_arm(timer, machine_clock_now() + 1000000);
}

static void end(CPUArchState *cpu)
{
    if (!watching)
        return;
    watching = false;
    found.ended = cpu_instruction_count(cpu);
    plugin_timer_cancel(timer);
    plugin_del_subscriber(on_exception, "qemu", "PLUGIN_QEMU_EXCEPTION");
    plugin_del_subscriber(on_handler, "qemu", "PLUGIN_QEMU_EXCEPTION_HANDLER");
    plugin_del_subscriber(on_fault, "qemu", "PLUGIN_QEMU_INSTRUCTION_EXCEPTION");
    plugin_del_subscriber(on_interrupt, "qemu", "PLUGIN_QEMU_INTERRUPT");
    plugin_del_subscriber(on_user_interrupt, "qemu", "PLUGIN_QEMU_INTERRUPT");
    plugin_del_subscriber(on_int80, "qemu", "PLUGIN_QEMU_EXCEPTION");
    plugin_del_subscriber(on_mem_op, "qemu", "PLUGIN_QEMU_MEM_OP");
    plugin_del_subscriber(on_tlb, "qemu", "PLUGIN_QEMU_TLB_SET_PAGE");
    plugin_del_subscriber(page_dir_first, "qemu", "PLUGIN_QEMU_PAGE_DIR_UPD");
    plugin_del_subscriber(page_dir_second, "qemu", "PLUGIN_QEMU_PAGE_DIR_UPD");
    jit_buffer_flush(buffer);
}

// ---- Helpers

static void skip(CPUArchState *cpu)
{
    found.skips += cpu_skip_instruction(cpu);
}

static void raise_ud(CPUArchState *cpu)
{
    found.raises += cpu_raise_exception(cpu, 6, 0);
}

static void go_on_elsewhere(CPUArchState *cpu)
{
    found.wrong += !cpu_set_register(cpu, EMU_EIP, CODE + 0x1a0);
}

static uint32_t result(void)
{
    return 77;
}

static void read_x87(CPUArchState *cpu)
{
    uint8_t st[10];
    found.wrong += cpu_register_by_name("st1") != EMU_ST0 + 1 ||
                   strcmp(cpu_register_name(EMU_FCW), "fcw") != 0 ||
                   cpu_register_size(EMU_ST0) != sizeof st;
    found.wrong += !cpu_read_register(cpu, EMU_ST0, st, sizeof st);
    memcpy(found.st, st, sizeof st);
    found.fcw = cpu_get_register(cpu, EMU_FCW);
    cpu_read_register(cpu, EMU_FSW, &found.fsw, 4);
    cpu_read_register(cpu, EMU_FTW, &found.fpu_tag, 4);
}

static void read_mmx(CPUArchState *cpu)
{
    uint32_t mm[2];
    found.wrong += !cpu_read_register(cpu, (enum emu_register)(EMU_MM0 + 2), mm, sizeof mm);
    found.mm_low = mm[0];
    found.mm_high = mm[1];
}

static void change_sse(CPUArchState *cpu)
{
    uint8_t xmm[16];
    const enum emu_register xmm5 = (enum emu_register)cpu_register_by_name("xmm5");
    found.wrong += !cpu_read_register(cpu, xmm5, xmm, sizeof xmm);
    memcpy(found.xmm, xmm, sizeof xmm);
    for (int i = 0; i < 16; i++)
        xmm[i] = (uint8_t)~xmm[i];
    found.wrong += !cpu_write_register(cpu, xmm5, xmm, sizeof xmm);
    found.wrong += !cpu_set_register(cpu, EMU_ESI, 0xfeedbeef);
    found.wrong += cpu_set_register(cpu, EMU_CR3, 0); // never
}

static void write_memory(CPUArchState *cpu)
{
    uint32_t value = 0xcafebabe, back = 0;
    uint64_t physical = 0;
    char text[8];
    found.wrong += cpu_write_memory(cpu, DATA + 0x1ffe, &value, 4) != 4; // across a page
    found.wrong += cpu_read_memory(cpu, DATA + 0x1ffe, &back, 4) != 4 || back != value;
    found.wrong += !cpu_translate(cpu, DATA + 0x2100, &physical);
    value = 0x5eed5eed;
    found.wrong += !cpu_write_physical(cpu, physical, &value, 4);
    found.wrong += !cpu_read_physical(cpu, physical, &back, 4) || back != value;
    found.wrong += cpu_write_memory(cpu, DATA + 0x2200, "probe", 6) != 6;
    found.wrong +=
        cpu_read_string(cpu, DATA + 0x2200, text, sizeof text) != 5 || strcmp(text, "probe") != 0;
    found.wrong += cpu_read_memory(cpu, 0x10, &back, 4) != 0; // nothing is mapped there
    found.disassembled += cpu_disassemble(cpu, CODE + 0x105, found.text, sizeof found.text);
}

static void stop(CPUArchState *cpu)
{
    (void)cpu;
    found.stops++;
    machine_stop();
    plugin_printf("everything: stopped\n");
}

static void quit(CPUArchState *cpu)
{
    (void)cpu;
    found.wrong += plugin_get_functions_list("example1") == NULL; // loads it
    found.wrong += plugin_get_functions_list("everything") != NULL;
    found.wrong += !machine_request_quit_with(42);
}

static void on_access(CPUArchState *cpu, uint32_t place, uint32_t pc, uint32_t address,
                      uint32_t size, uint64_t value)
{
    found.access_calls[place]++;
    found.access_sum[place] += value + size + (address & 0xffff) + (pc & 0xfff);
    found.wrong += cpu_get_register(cpu, EMU_CPL) != 3;
}

static void eight(uint32_t constant, uint64_t wide, const void *pointer, CPUArchState *cpu,
                  uint32_t eax, uint32_t address, uint64_t icount, uint32_t cpl)
{
    found.eight++;
    found.wrong += constant != 7 || wide != UINT64_C(0x700000007) || pointer != &found ||
                   cpu != machine_get_cpu() || eax != cpu_get_register(cpu, EMU_EAX) ||
                   icount != cpu_instruction_count(cpu) || cpl != 3;
    found.last_pc += address;
}

static void on_block_start(CPUArchState *cpu, uint32_t pc, uint32_t context)
{
    found.block_calls += pc >= CODE && pc < CODE + 0x1000 && context == get_current_context();
    (void)cpu;
}

static void take_records(void *opaque, const uint64_t *records, size_t count)
{
    found.wrong += opaque != &found;
    found.flushes++;
    found.records += count;
    for (size_t i = 0; i < count; i++)
        found.record_sum += records[3 * i] + records[3 * i + 1] * 3 + records[3 * i + 2] * 5;
}

// ---- Translation

static void attach(JitContext *ctx, uint32_t pc)
{
    const JitPredicate user[] = {jit_if_cpl(3), jit_if_end()},
                       kernel[] = {jit_if_cpl(0), jit_if_end()},
                       range[] = {jit_if_address(DATA, DATA + 0x7fff), jit_if_end()},
                       fifth[] = {jit_if_counter(&found.executed, 5), jit_if_end()};
    const JitArg fields[] = {jit_pc(), jit_address(), jit_value()};
    for (int i = 0; i < JIT_PLACES; i++) {
        const enum jit_place place = (enum jit_place)i;
        found.wrong += !jit_attach_count(ctx, place, NULL, &found.at[i], 1);
        if (i < JIT_LOAD_BEFORE || i > JIT_STORE)
            continue;
        found.wrong += !jit_attach_count(ctx, place, range, &found.ranged[i], 1);
        JitArg args[] = {jit_cpu(),  jit_const32((uint32_t)i),
                         jit_pc(),   jit_address(),
                         jit_size(), jit_const64(0)};
        if (place != JIT_LOAD_BEFORE)
            args[5] = jit_value();
        found.wrong += !jit_attach_call(ctx, place, range, CALL(on_access), nobody, 6, args);
    }
    found.wrong += !jit_attach_count(ctx, JIT_BEFORE, user, &found.user, 2);
    found.wrong += !jit_attach_count(ctx, JIT_BEFORE, kernel, &found.kernel, 1);
    found.wrong += !jit_attach_count(ctx, JIT_BEFORE, fifth, &found.from_fifth, 1);
    found.wrong += !jit_attach_count(ctx, JIT_BEFORE, NULL, &found.executed, 1);
    found.wrong += !jit_attach_store(ctx, JIT_CALL, NULL, &found.last_target, jit_address());
    found.wrong += !jit_attach_store(ctx, JIT_LOAD, range, &found.last_size, jit_size());
    found.wrong += !jit_attach_record(ctx, JIT_STORE, range, buffer, 3, fields);
    found.wrong += !jit_attach_record(ctx, JIT_LOAD, range, doomed, 3, fields);
    if (pc == CODE + 0x85) {
        const JitArg args[] = {jit_const32(7),      jit_const64(UINT64_C(0x700000007)),
                               jit_pointer(&found), jit_cpu(),
                               jit_reg(0),          jit_ea(),
                               jit_icount(),        jit_cpl()};
        found.wrong += !jit_gen_callN(ctx, CALL(eight), nobody, 8, args);
    }
}

static void on_instruction(void *data, CPUArchState *cpu)
{
    static const struct {
        uint32_t pc;
        void (*fn)(CPUArchState *cpu);
    } places[] = {
        {0, begin},        {0x105, skip},     {0x145, raise_ud},   {0x185, go_on_elsewhere},
        {0x205, read_x87}, {0x211, read_mmx}, {0x248, change_sse}, {0x280, write_memory},
        {0x340, stop},     {0x3c0, end},      {0x400, quit}};
    const struct qemu_instr_payload *insn = data;
    const JitArg self[] = {jit_cpu()};
    const uint32_t at = insn->pc - CODE;
    uint8_t bytes[16];
    found.translated++;
    found.wrong += insn->length > sizeof bytes || insn->block_pc > insn->pc ||
                   cpu_read_memory(cpu, insn->pc, bytes, insn->length) != insn->length ||
                   memcmp(bytes, insn->bytes, insn->length) != 0;
    attach(insn->ctx, insn->pc);
    for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (places[i].pc == at)
            found.wrong += !jit_gen_callN(insn->ctx, CALL(places[i].fn), nobody, 1, self);
    }
    if (at == 0x1c5)
        found.wrong +=
            !jit_attach_call(insn->ctx, JIT_BEFORE, NULL, CALL(result), jit_reg(0), 0, NULL);
}

static void on_block(void *data, CPUArchState *cpu)
{
    const struct qemu_block_payload *block = data;
    const JitArg args[] = {jit_cpu(), jit_pc(), jit_context()};
    (void)cpu;
    found.block_signals++;
    found.wrong += block->context != get_current_context();
    found.wrong += !jit_gen_callN(block->ctx, CALL(on_block_start), nobody, 3, args);
    found.wrong += !jit_attach_count(block->ctx, JIT_BEFORE, NULL, &found.blocks, 1);
    found.wrong += jit_attach_count(block->ctx, JIT_AFTER, NULL, &found.blocks, 1); // refused
}

static void on_paused(void *data, CPUArchState *cpu)
{
    (void)cpu;
    found.paused++;
    found.wrong += data != NULL;
}

// ---- A group of its own

static SignalInfo *group;
static SignalHandle *handle;
static uint32_t heard, order;

static void hear_late(void *data, CPUArchState *cpu)
{
    const struct finding *line = data;
    (void)cpu;
    heard += (uint32_t)line->value;
    order = order * 10 + 1;
}

static void hear_early(void *data, CPUArchState *cpu)
{
    (void)data;
    (void)cpu;
    order = order * 10 + 2;
}

static void use_own_group(void)
{
    struct finding line = {"own", 21, 0};
    struct plugin_subscribe_options early = {.priority = 1, .once = true, .payload = &finding_type};
    struct payload_type other = finding_type;
    other.version = 2;
    group = plugin_reg_signal("everything");
    plugin_describe_signal(group, "FOUND", &finding_type);
    handle = plugin_resolve_signal(group, "FOUND");
    found.wrong += plugin_has_subscribers(handle);
    found.wrong += !plugin_subscribe(hear_late, "everything", "FOUND");
    found.wrong += !plugin_subscribe_with(hear_early, "everything", "FOUND", &early);
    early.payload = &other;
    found.wrong += plugin_subscribe_with(hear_early, "everything", "FOUND", &early);
    found.wrong += !plugin_has_subscribers(handle);
    plugin_emit(handle, &line, machine_get_cpu());
    plugin_gen_signal(group, "FOUND", &line, machine_get_cpu());
    found.wrong += !plugin_del_subscriber(hear_late, "everything", "FOUND");
    plugin_emit(handle, &line, machine_get_cpu());
    found.wrong += !plugin_del_signal(group);
    put("own_heard", heard);
    put("own_order", order);
}

// ---- Life

static void do_reset(void *opaque)
{
    (void)opaque;
    found.resets += machine_request_reset();
}

static void write_report(void)
{
    put_places("at", found.at);
    put_places("ranged", found.ranged);
    put_places("calls", found.access_calls);
    put_places("sums", found.access_sum);
    const struct {
        const char *name;
        uint64_t value;
    } values[] = {
        {"user_twice", found.user},
        {"kernel", found.kernel},
        {"executed", found.executed},
        {"from_fifth", found.from_fifth},
        {"blocks", found.blocks},
        {"block_calls", found.block_calls},
        {"last_target", found.last_target},
        {"last_size", found.last_size},
        {"eight", found.eight},
        {"eight_address", found.last_pc},
        {"records", found.records},
        {"flushes", found.flushes},
        {"record_sum", found.record_sum},
        {"mem_op_loads", found.mem_loads},
        {"mem_op_stores", found.mem_stores},
        {"mem_op_sum", found.mem_sum},
        {"int80", found.int80},
        {"faults", found.faults},
        {"fault_sum", found.fault_sum},
        {"handlers", found.handlers},
        {"page_faults", found.page_faults},
        {"insn_exceptions", found.insn_exceptions},
        {"interrupts", found.interrupts},
        {"interrupts_at_user", found.interrupts_at_user},
        {"user_interrupts", found.user_interrupts},
        {"tlb", found.tlb},
        {"page_dirs", found.page_dirs},
        {"page_dirs_out_of_order", found.order_wrong},
        {"page_dirs_once", found.once},
        {"paused", found.paused},
        {"stopped", found.stopped},
        {"resets", found.resets},
        {"skips", found.skips},
        {"raises", found.raises},
        {"stops", found.stops},
        {"ticks", found.ticks},
        {"tick_first", found.tick_at[0]},
        {"tick_second", found.tick_at[1]},
        {"started", found.started},
        {"ended", found.ended},
        {"context", found.context},
        {"gs_base", found.fs_base},
        {"st0_low", found.st[0]},
        {"st0_high", found.st[1]},
        {"st0_exponent", found.st[2]},
        {"fcw", found.fcw},
        {"fsw", found.fsw},
        {"ftw", found.fpu_tag},
        {"mm2_low", found.mm_low},
        {"mm2_high", found.mm_high},
        {"xmm5_0", found.xmm[0]},
        {"xmm5_3", found.xmm[3]},
        {"disassembled", found.disassembled},
        {"wrong", found.wrong},
    };
    for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++)
        put(values[i].name, values[i].value);
    plugin_channel_write(report, found.text, strlen(found.text));
    plugin_channel_printf(report, "\n%s\n",
                          found.translated && found.block_signals ? "translated" : "never");
    plugin_channel_flush(report);
}

static void on_stopped(void *data, CPUArchState *cpu)
{
    (void)data;
    (void)cpu;
    found.stopped++;
    write_report();
}

static void on_exit_plugin(PluginInterface *pi)
{
    (void)pi;
    plugin_channel_close(json);
    plugin_timer_destroy(resetter);
    jit_buffer_destroy(buffer);
}

static void go_on(PluginInterface *pi, const char *args)
{
    found.wrong += pi->opaque != &found || strcmp(args, "now please") != 0;
    machine_continue();
}

static const PluginCommand commands[] = {{"everything_go", "WORDS", "continue the guest", go_on},
                                         {NULL, NULL, NULL, NULL}};

static void register_helpers(void)
{
    static const struct {
        void (*fn)(void);
        const char *name;
        unsigned flags;
        const char *signature;
    } helpers[] = {{CALL(begin), "begin", JIT_HELPER_READS_REGS, "vc"},
                   {CALL(end), "end", JIT_HELPER_READS_REGS, "vc"},
                   {CALL(skip), "skip", JIT_HELPER_WRITES_REGS, "vc"},
                   {CALL(raise_ud), "raise_ud", JIT_HELPER_MAY_RAISE, "vc"},
                   {CALL(go_on_elsewhere), "go_on_elsewhere", JIT_HELPER_WRITES_REGS, "vc"},
                   {CALL(result), "result", JIT_HELPER_PURE, "i"},
                   {CALL(read_x87), "read_x87", JIT_HELPER_READS_REGS, "vc"},
                   {CALL(read_mmx), "read_mmx", JIT_HELPER_READS_REGS, "vc"},
                   {CALL(change_sse), "change_sse", JIT_HELPER_WRITES_REGS, "vc"},
                   {CALL(write_memory), "write_memory", JIT_HELPER_READS_REGS, "vc"},
                   {CALL(stop), "stop", JIT_HELPER_MAY_STOP, "vc"},
                   {CALL(quit), "quit", JIT_HELPER_MAY_STOP, "vc"},
                   {CALL(on_access), "on_access", JIT_HELPER_READS_REGS, "vciiiil"},
                   {CALL(eight), "eight", JIT_HELPER_READS_REGS, "vilpciili"},
                   {CALL(on_block_start), "on_block_start", JIT_HELPER_PURE, "vcii"}};
    for (unsigned i = 0; i < sizeof helpers / sizeof helpers[0]; i++)
        found.wrong += !jit_register_helper(NULL, helpers[i].fn, helpers[i].name, helpers[i].flags,
                                            helpers[i].signature);
    found.wrong += jit_register_helper(NULL, CALL(skip), "skip", 0, "w"); // refused
}

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    struct plugin_subscribe_options here = {
        .filter = {.by_address = true, .first = CODE, .last = CODE + 0xfff}};
    const char *reset_at = plugin_argument(pi, "reset_at");
    if (!plugin_argument(pi, "report") || !plugin_argument(pi, "json"))
        return plugin_fail("it needs report= and json=");
    report = plugin_channel_open(plugin_argument(pi, "report"));
    json = plugin_channel_open(plugin_argument(pi, "json"));
    if (!report || !json)
        return plugin_fail("no output");
    pi->cmd_table = commands;
    pi->exit = on_exit_plugin;
    pi->opaque = &found;
    use_own_group();
    buffer = jit_buffer_create(3, 4, take_records, &found);
    doomed = jit_buffer_create(3, 4, take_records, NULL);
    jit_buffer_destroy(doomed);
    doomed = jit_buffer_create(3, 1u << 16, take_records, &found);
    timer = plugin_timer_create(tick, &found);
    resetter = plugin_timer_create(do_reset, NULL);
    if (reset_at)
        plugin_timer_arm(resetter, (int64_t)atoi(reset_at) * 1000000);
    register_helpers();
    subscribe(on_instruction, "PLUGIN_QEMU_INSTR_TRANSLATE", here);
    subscribe(on_block, "PLUGIN_QEMU_BEFORE_GEN_TB", here);
    plugin_subscribe(on_paused, "qemu", "PLUGIN_QEMU_CPU_PAUSED");
    plugin_subscribe(on_stopped, "qemu", "PLUGIN_QEMU_CPUS_STOPPED");
}
