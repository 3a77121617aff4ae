// SPDX-License-Identifier: MIT
// Descriptions of what group "qemu" carries, and who emits what.
#include "plugin/qemu_signals.h"

static const struct payload_field block_fields[] = {
    PAYLOAD_FIELD(struct qemu_block_payload, ctx, PAYLOAD_POINTER, "where calls are attached"),
    PAYLOAD_FIELD(struct qemu_block_payload, pc, PAYLOAD_HEX32,
                  "linear address of the first instruction"),
    PAYLOAD_FIELD(struct qemu_block_payload, context, PAYLOAD_HEX32, "CR3 it was found under"),
    PAYLOAD_FIELD(struct qemu_block_payload, instructions, PAYLOAD_U32, "how many it has"),
    PAYLOAD_FIELD(struct qemu_block_payload, length, PAYLOAD_U32, "bytes"),
    PAYLOAD_FIELDS_END};
static const struct payload_type block_payload = {
    "qemu_block", 1, sizeof(struct qemu_block_payload), block_fields,
    "Before a block is made: operations attached through `ctx` run at its start."};

static const struct payload_field instr_fields[] = {
    PAYLOAD_FIELD(struct qemu_instr_payload, ctx, PAYLOAD_POINTER, "where calls are attached"),
    PAYLOAD_FIELD(struct qemu_instr_payload, pc, PAYLOAD_HEX32, "linear address"),
    PAYLOAD_FIELD(struct qemu_instr_payload, block_pc, PAYLOAD_HEX32,
                  "linear address of the block"),
    PAYLOAD_FIELD(struct qemu_instr_payload, bytes, PAYLOAD_BYTES, "the instruction's bytes"),
    PAYLOAD_FIELD(struct qemu_instr_payload, length, PAYLOAD_SIZE, "how many"),
    PAYLOAD_FIELDS_END};
static const struct payload_type instr_payload = {
    "qemu_instr", 1, sizeof(struct qemu_instr_payload), instr_fields,
    "Before an instruction is put into a block: operations attached through `ctx` belong to it."};

static const struct payload_field exception_fields[] = {
    PAYLOAD_FIELD(struct qemu_exception_payload, vector, PAYLOAD_U32,
                  "exception or interrupt vector"),
    PAYLOAD_FIELD(struct qemu_exception_payload, error_code, PAYLOAD_HEX32, "error code"),
    PAYLOAD_FIELD(struct qemu_exception_payload, has_error_code, PAYLOAD_BOOL,
                  "the vector pushes one"),
    PAYLOAD_FIELD(struct qemu_exception_payload, is_int, PAYLOAD_BOOL, "INT n, INT3 or INTO"),
    PAYLOAD_FIELD(struct qemu_exception_payload, cr2, PAYLOAD_HEX32,
                  "faulting address for vector 14"),
    PAYLOAD_FIELD(struct qemu_exception_payload, return_eip, PAYLOAD_HEX32,
                  "where the handler returns to"),
    PAYLOAD_FIELDS_END};
static const struct payload_type exception_payload = {
    "qemu_exception", 1, sizeof(struct qemu_exception_payload), exception_fields,
    "`PLUGIN_QEMU_EXCEPTION`: an exception or software interrupt is about to be delivered. "
    "`PLUGIN_QEMU_EXCEPTION_HANDLER`: it was, and the guest stands at its handler."};

static const struct payload_field fault_fields[] = {
    PAYLOAD_FIELD(struct qemu_fault_payload, pc, PAYLOAD_HEX32,
                  "linear address of the instruction"),
    PAYLOAD_FIELD(struct qemu_fault_payload, vector, PAYLOAD_U32, "exception vector"),
    PAYLOAD_FIELDS_END};
static const struct payload_type fault_payload = {
    "qemu_fault", 1, sizeof(struct qemu_fault_payload), fault_fields,
    "An instruction faulted; its state is not yet unwound."};

static const struct payload_field interrupt_fields[] = {
    PAYLOAD_FIELD(struct qemu_interrupt_payload, vector, PAYLOAD_U32, "interrupt vector"),
    PAYLOAD_FIELDS_END};
static const struct payload_type interrupt_payload = {
    "qemu_interrupt", 1, sizeof(struct qemu_interrupt_payload), interrupt_fields,
    "A hardware interrupt was taken and is about to be delivered."};

static const struct payload_field tlb_fields[] = {
    PAYLOAD_FIELD(struct qemu_tlb_payload, vaddr, PAYLOAD_HEX32, "linear address of the page"),
    PAYLOAD_FIELD(struct qemu_tlb_payload, paddr, PAYLOAD_HEX64, "physical address of the page"),
    PAYLOAD_FIELD(struct qemu_tlb_payload, prot, PAYLOAD_U32, "1 read, 2 write, 4 execute"),
    PAYLOAD_FIELD(struct qemu_tlb_payload, mmu_idx, PAYLOAD_U32, "0 supervisor, 1 user"),
    PAYLOAD_FIELD(struct qemu_tlb_payload, size, PAYLOAD_U32, "bytes of the mapping"),
    PAYLOAD_FIELDS_END};
static const struct payload_type tlb_payload = {"qemu_tlb", 1, sizeof(struct qemu_tlb_payload),
                                                tlb_fields, "A translation enters the guest TLB."};

static const struct payload_field page_dir_fields[] = {
    PAYLOAD_FIELD(struct qemu_page_dir_payload, cr3, PAYLOAD_HEX32, "the new CR3"),
    PAYLOAD_FIELDS_END};
static const struct payload_type page_dir_payload = {
    "qemu_page_dir", 1, sizeof(struct qemu_page_dir_payload), page_dir_fields, "CR3 is loaded."};

static const struct payload_field mem_op_fields[] = {
    PAYLOAD_FIELD(struct qemu_mem_op_payload, is_load, PAYLOAD_BOOL, "load or store"),
    PAYLOAD_FIELD(struct qemu_mem_op_payload, size, PAYLOAD_U8, "bytes"),
    PAYLOAD_FIELD(struct qemu_mem_op_payload, vaddr, PAYLOAD_HEX32, "linear address"),
    PAYLOAD_FIELD(struct qemu_mem_op_payload, value, PAYLOAD_HEX64, "what was loaded or stored"),
    PAYLOAD_FIELDS_END};
static const struct payload_type mem_op_payload = {
    "qemu_mem_op", 1, sizeof(struct qemu_mem_op_payload), mem_op_fields,
    "Each load and store of data, after it was done; also those of the CPU itself (stack, "
    "descriptors)."};

static const struct payload_field no_fields[] = {PAYLOAD_FIELDS_END};
static const struct payload_type paused_payload = {"qemu_cpu_paused", 1, 0, no_fields,
                                                   "The CPU was paused; the payload is NULL."};
static const struct payload_type stopped_payload = {
    "qemu_cpus_stopped", 1, 0, no_fields,
    "The guest stops for good (exit, kill); the payload is NULL."};

// Calls live in blocks: whoever comes or goes changes all of them.
static void translation_changed(void *self, bool any)
{
    executor_flush(((struct plugin_host *)self)->env.executor);
}

static void mem_op_changed(void *self, bool any)
{
    struct cpu *cpu = ((struct plugin_host *)self)->env.cpu;
    if (cpu->mem_hooked == any)
        return;
    cpu->mem_hooked = any;
    cpu_update_mode(cpu);
}

void qemu_signals_register(struct plugin_host *host)
{
    struct cpu *cpu = host->env.cpu;
    struct signal_group *g = broker_register_group(host->env.broker, "qemu", NULL, NULL);
    host->qemu = g;
    struct executor_signals executor = {
        .before_gen_tb = signal_resolve(g, "PLUGIN_QEMU_BEFORE_GEN_TB", &block_payload),
        .instr_translate = signal_resolve(g, "PLUGIN_QEMU_INSTR_TRANSLATE", &instr_payload),
    };
    signal_set_watch(executor.before_gen_tb, translation_changed, host);
    signal_set_watch(executor.instr_translate, translation_changed, host);
    executor_set_signals(host->env.executor, &executor);
    cpu->signals = (struct cpu_signals){
        .exception = signal_resolve(g, "PLUGIN_QEMU_EXCEPTION", &exception_payload),
        .exception_handler = signal_resolve(g, "PLUGIN_QEMU_EXCEPTION_HANDLER", &exception_payload),
        .instruction_exception =
            signal_resolve(g, "PLUGIN_QEMU_INSTRUCTION_EXCEPTION", &fault_payload),
        .interrupt = signal_resolve(g, "PLUGIN_QEMU_INTERRUPT", &interrupt_payload),
        .page_dir_upd = signal_resolve(g, "PLUGIN_QEMU_PAGE_DIR_UPD", &page_dir_payload),
        .mem_op = signal_resolve(g, "PLUGIN_QEMU_MEM_OP", &mem_op_payload),
    };
    signal_set_watch(cpu->signals.mem_op, mem_op_changed, host);
    cpu->mmu.signal_tlb_set_page = signal_resolve(g, "PLUGIN_QEMU_TLB_SET_PAGE", &tlb_payload);
    cpu->mmu.signal_cpu = cpu;
    cpu->host = cpu; // what callbacks get
    host->cpu_paused = signal_resolve(g, "PLUGIN_QEMU_CPU_PAUSED", &paused_payload);
    host->cpus_stopped = signal_resolve(g, "PLUGIN_QEMU_CPUS_STOPPED", &stopped_payload);
}

void qemu_signals_unregister(struct plugin_host *host)
{
    struct cpu *cpu = host->env.cpu;
    executor_set_signals(host->env.executor, &(struct executor_signals){0});
    cpu->signals = (struct cpu_signals){0};
    cpu->mmu.signal_tlb_set_page = NULL;
    broker_remove_group(host->qemu);
}
