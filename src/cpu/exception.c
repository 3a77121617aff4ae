// SPDX-License-Identifier: MIT
// Exceptions and interrupts: raising, delivery through vectors and gates, double and triple faults.
// Left out: machine checks, as nothing here can break. Intel SDM vol. 3, chapter 6 and sections
// 20.1, 20.3.
#include "cpu/exception.h"

#include "cpu/flags.h"
#include "cpu/mem.h"

static bool vector_has_error_code(unsigned vector)
{
    return vector == EXC_DF || (vector >= EXC_TS && vector <= EXC_PF) || vector == EXC_AC;
}

static void emit_fault(struct cpu *cpu)
{
    if (!signal_has_subscribers(cpu->signals.instruction_exception))
        return;
    struct qemu_fault_payload payload = {.pc = cpu->segs[SEG_CS].base + cpu->insn_eip,
                                         .vector = cpu->raised.vector};
    signal_emit(cpu->signals.instruction_exception, &payload, cpu->host);
}

void cpu_leave_instruction(struct cpu *cpu)
{
    mem_observe_end(cpu);
    cpu->hook.phase = CPU_HOOK_IDLE;
    cpu->hook.requests = 0;
    siglongjmp(*cpu->jump, 1);
}

void cpu_raise(struct cpu *cpu, enum exception_vector vector)
{
    cpu_raise_error(cpu, vector, 0);
}

void cpu_raise_error(struct cpu *cpu, enum exception_vector vector, uint32_t error_code)
{
    if (((vector >= EXC_TS && vector <= EXC_GP) || vector == EXC_AC) && cpu->ext)
        error_code |= 1;
    cpu->pending_debug = 0; // the instruction runs again, and its breakpoints hit again
    cpu->raised = (struct cpu_exception){.vector = (uint8_t)vector,
                                         .has_error_code = vector_has_error_code(vector),
                                         .error_code = error_code};
    emit_fault(cpu);
    cpu_leave_instruction(cpu);
}

void cpu_raise_page_fault(struct cpu *cpu, uint32_t linear, uint32_t error_code)
{
    cpu->cr2 = linear;
    cpu_raise_error(cpu, EXC_PF, error_code);
}

void cpu_raise_software(struct cpu *cpu, uint8_t vector)
{
    cpu->raised = (struct cpu_exception){.vector = vector, .is_int = true, .is_trap = true};
    cpu_leave_instruction(cpu);
}

void cpu_raise_icebp(struct cpu *cpu)
{
    cpu->eflags &= ~FLAG_RF; // as for every software interrupt
    cpu->raised = (struct cpu_exception){.vector = EXC_DB, .is_trap = true};
    cpu_leave_instruction(cpu);
}

// The EFLAGS image that is saved: RF is set for faults, so that the instruction's own breakpoint
// does not hit again when it is restarted, but not for that breakpoint's #DB. Software interrupts
// have cleared it as they began.
static uint32_t saved_eflags(const struct cpu *cpu, const struct cpu_exception *exc)
{
    uint32_t eflags = cpu_get_eflags(cpu);
    if (exc->is_int)
        return eflags & ~FLAG_RF;
    if (!exc->is_trap && exc->vector != EXC_DB)
        return eflags | FLAG_RF;
    return cpu->debug_armed ? eflags : eflags & ~FLAG_RF;
}

void exception_deliver_real(struct cpu *cpu, unsigned vector, uint32_t base, uint32_t flags,
                            uint32_t flags_cleared)
{
    uint32_t entry = (uint32_t)mem_read_linear(cpu, base + vector * 4, 4, cpu->is_user);
    struct stack_frame stack;
    frame_open(cpu, &stack);
    frame_check_eip(&stack, 3, 2, cpu->segs[SEG_CS].limit, entry & 0xffff);
    frame_push(&stack, flags & 0xffff, 2);
    frame_push(&stack, cpu->segs[SEG_CS].selector, 2);
    frame_push(&stack, cpu->eip & 0xffff, 2);
    frame_commit_esp(&stack);
    segment_set_real(cpu, SEG_CS, (uint16_t)(entry >> 16), cpu_is_v86(cpu));
    cpu->eip = entry & 0xffff;
    cpu->eflags &= ~flags_cleared;
    cpu_update_mode(cpu);
}

void exception_inner_stack(struct cpu *cpu, unsigned dpl, uint16_t *ss, uint32_t *esp)
{
    bool is32 = tss_is_32(&cpu->tr);
    uint32_t offset = is32 ? dpl * 8 + 4 : dpl * 4 + 2;
    uint32_t last = is32 ? offset + 5 : offset + 3;
    if (last > cpu->tr.limit)
        segment_fault(cpu, EXC_TS, cpu->tr.selector);
    uint32_t linear = cpu->tr.base + offset;
    if (is32) {
        *esp = (uint32_t)mem_read_system(cpu, linear, 4);
        *ss = (uint16_t)mem_read_system(cpu, linear + 4, 2);
    } else {
        *esp = (uint32_t)mem_read_system(cpu, linear, 2);
        *ss = (uint16_t)mem_read_system(cpu, linear + 2, 2);
    }
}

static void deliver_task_gate(struct cpu *cpu, const struct cpu_exception *exc,
                              const struct descriptor *gate)
{
    uint16_t selector = (uint16_t)(gate->low >> 16);
    struct descriptor tss;
    task_require_available(cpu, selector, &tss);
    bool is32 = descriptor_type(&tss) == DESC_TSS32;
    task_switch(cpu, selector, &tss, TASK_INT, saved_eflags(cpu, exc));
    struct stack_frame stack;
    if (exc->has_error_code) {
        frame_open(cpu, &stack);
        frame_push(&stack, exc->error_code, is32 ? 4 : 2);
    }
    segment_check_eip(cpu, cpu->segs[SEG_CS].limit, cpu->eip);
    if (exc->has_error_code)
        frame_commit_esp(&stack);
}

// What an interrupt or trap gate leads to.
struct gate_target {
    uint16_t selector;
    struct descriptor code;
    uint32_t eip;
    unsigned size; // of a pushed value: 2 or 4
    bool is_trap;
};

static void push_return(struct stack_frame *stack, const struct cpu_exception *exc,
                        const struct gate_target *target, uint32_t eflags)
{
    struct cpu *cpu = stack->cpu;
    frame_push(stack, eflags, target->size);
    frame_push(stack, cpu->segs[SEG_CS].selector, target->size);
    frame_push(stack, cpu->eip, target->size);
    if (exc->has_error_code)
        frame_push(stack, exc->error_code, target->size);
}

static void enter_handler(struct cpu *cpu, struct gate_target *target, unsigned cpl)
{
    uint32_t cleared = FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM;
    if (!target->is_trap)
        cleared |= FLAG_IF;
    cpu->eflags &= ~cleared;
    segment_load_code(cpu, target->selector, &target->code, cpl, target->eip);
    cpu_update_mode(cpu);
}

// To a more privileged handler, also from virtual-8086 mode.
static void deliver_inner(struct cpu *cpu, const struct cpu_exception *exc,
                          struct gate_target *target)
{
    static const enum segment_index v86_segments[4] = {SEG_GS, SEG_FS, SEG_DS, SEG_ES};
    unsigned dpl = descriptor_dpl(&target->code);
    bool from_v86 = cpu_is_v86(cpu);
    uint16_t ss;
    uint32_t esp;
    exception_inner_stack(cpu, dpl, &ss, &esp);
    struct segment segment = segment_check_stack(cpu, ss, dpl, EXC_TS);
    struct stack_frame stack;
    frame_open_new(cpu, &stack, &segment, esp, false);
    frame_check_eip(&stack, (from_v86 ? 9 : 5) + exc->has_error_code, target->size,
                    descriptor_limit(&target->code), target->eip);
    if (from_v86) {
        for (unsigned i = 0; i < ARRAY_SIZE(v86_segments); i++)
            frame_push(&stack, cpu->segs[v86_segments[i]].selector, target->size);
    }
    frame_push(&stack, cpu->segs[SEG_SS].selector, target->size);
    frame_push(&stack, cpu->regs[REG_ESP], target->size);
    push_return(&stack, exc, target, saved_eflags(cpu, exc));
    segment_mark_stack(cpu, &segment);
    descriptor_set_accessed(cpu, &target->code);

    enter_handler(cpu, target, dpl);
    frame_commit(&stack);
    if (from_v86) {
        for (unsigned i = 0; i < ARRAY_SIZE(v86_segments); i++)
            segment_set_null(cpu, v86_segments[i], 0);
    }
}

static void deliver_same_level(struct cpu *cpu, const struct cpu_exception *exc,
                               struct gate_target *target)
{
    struct stack_frame stack;
    frame_open(cpu, &stack);
    frame_check_eip(&stack, 3 + exc->has_error_code, target->size, descriptor_limit(&target->code),
                    target->eip);
    push_return(&stack, exc, target, saved_eflags(cpu, exc));
    descriptor_set_accessed(cpu, &target->code);
    frame_commit_esp(&stack);
    enter_handler(cpu, target, cpu->cpl);
}

static void deliver_gate(struct cpu *cpu, const struct cpu_exception *exc,
                         const struct descriptor *gate)
{
    struct gate_target target = {.selector = (uint16_t)(gate->low >> 16)};
    unsigned type = descriptor_type(gate);
    target.size = (type & 8) ? 4 : 2;
    target.is_trap = (type & 1) != 0;
    target.eip = gate->low & 0xffff;
    if (target.size == 4)
        target.eip |= gate->high & 0xffff0000u;
    if (selector_is_null(target.selector))
        segment_fault(cpu, EXC_GP, 0);
    descriptor_require(cpu, target.selector, EXC_GP, &target.code);
    unsigned dpl = descriptor_dpl(&target.code);
    if (!descriptor_is_code(&target.code) || dpl > cpu->cpl)
        segment_fault(cpu, EXC_GP, target.selector);
    if (!descriptor_is_present(&target.code))
        segment_fault(cpu, EXC_NP, target.selector);
    bool conforming = descriptor_is_conforming_code(&target.code);
    if (cpu_is_v86(cpu)) {
        if (conforming || dpl != 0)
            segment_fault(cpu, EXC_GP, target.selector);
        deliver_inner(cpu, exc, &target);
    } else if (!conforming && dpl < cpu->cpl) {
        deliver_inner(cpu, exc, &target);
    } else {
        deliver_same_level(cpu, exc, &target);
    }
}

static void deliver_protected(struct cpu *cpu, const struct cpu_exception *exc)
{
    // Errors name the IDT entry: selector of the gate, IDT bit.
    uint32_t idt_code = exc->vector * 8u + 2;
    if (exc->vector * 8u + 7 > cpu->idtr.limit)
        cpu_raise_error(cpu, EXC_GP, idt_code);
    struct descriptor gate = {.address = cpu->idtr.base + exc->vector * 8u};
    uint64_t value = mem_read_system(cpu, gate.address, 8);
    gate.low = (uint32_t)value;
    gate.high = (uint32_t)(value >> 32);
    unsigned type = descriptor_type(&gate);
    bool is_gate =
        type == DESC_TASK_GATE || (type & 7) == DESC_INT_GATE16 || (type & 7) == DESC_TRAP_GATE16;
    if ((gate.high & DESC_S) || !is_gate || (exc->is_int && descriptor_dpl(&gate) < cpu->cpl))
        cpu_raise_error(cpu, EXC_GP, idt_code);
    if (!descriptor_is_present(&gate))
        cpu_raise_error(cpu, EXC_NP, idt_code);
    if (type == DESC_TASK_GATE)
        deliver_task_gate(cpu, exc, &gate);
    else
        deliver_gate(cpu, exc, &gate);
}

static void deliver_one(struct cpu *cpu, const struct cpu_exception *exc)
{
    if (cpu_is_protected(cpu)) {
        deliver_protected(cpu, exc);
        return;
    }
    if (exc->vector * 4u + 3 > cpu->idtr.limit)
        cpu_raise_error(cpu, EXC_GP, exc->vector * 8u + 2);
    exception_deliver_real(cpu, exc->vector, cpu->idtr.base, saved_eflags(cpu, exc),
                           FLAG_IF | FLAG_TF | FLAG_RF | FLAG_AC);
}

enum fault_class { FAULT_BENIGN, FAULT_CONTRIBUTORY, FAULT_PAGE, FAULT_DOUBLE };

static enum fault_class fault_class(int vector)
{
    switch (vector) {
    case EXC_DE:
    case EXC_TS:
    case EXC_NP:
    case EXC_SS:
    case EXC_GP:
        return FAULT_CONTRIBUTORY;
    case EXC_PF:
        return FAULT_PAGE;
    case EXC_DF:
        return FAULT_DOUBLE;
    default:
        return FAULT_BENIGN;
    }
}

// A fault came up while `first` was being delivered (SDM vol. 3, table 6-5). False: shutdown.
static bool combine_faults(struct cpu *cpu, int first)
{
    enum fault_class a = fault_class(first);
    enum fault_class b = fault_class(cpu->raised.vector);
    if (b == FAULT_BENIGN)
        return true;
    if (a == FAULT_DOUBLE)
        return false;
    if ((a == FAULT_CONTRIBUTORY && b == FAULT_CONTRIBUTORY) || a == FAULT_PAGE)
        cpu->raised = (struct cpu_exception){.vector = EXC_DF, .has_error_code = true};
    return true;
}

// Between two instructions: whoever asks for EIP gets that of the next one.
static void emit_between(struct cpu *cpu, struct signal *signal, void *payload)
{
    uint32_t insn_eip = cpu->insn_eip;
    cpu->insn_eip = cpu->eip;
    signal_emit(signal, payload, cpu->host);
    cpu->insn_eip = insn_eip;
}

static void emit_exception(struct cpu *cpu, struct signal *signal, const struct cpu_exception *exc,
                           uint32_t return_eip)
{
    if (!signal_has_subscribers(signal))
        return;
    struct qemu_exception_payload payload = {.vector = exc->vector,
                                             .error_code = exc->error_code,
                                             .has_error_code = exc->has_error_code,
                                             .is_int = exc->is_int,
                                             .cr2 = cpu->cr2,
                                             .return_eip = return_eip};
    emit_between(cpu, signal, &payload);
}

static void log_delivery(struct cpu *cpu, const struct cpu_exception *exc)
{
    if (!log_enabled(cpu->log, LOG_INT))
        return;
    log_write(cpu->log, LOG_INT,
              "vector %02x%s error %04x at %04x:%08x cpl %u ss:esp %04x:%08x cr2 %08x eax %08x\n",
              exc->vector,
              exc->is_external ? " external"
              : exc->is_int    ? " int"
                               : "",
              exc->error_code, cpu->segs[SEG_CS].selector, cpu->eip, cpu->cpl,
              cpu->segs[SEG_SS].selector, cpu->regs[REG_ESP], cpu->cr2, cpu->regs[REG_EAX]);
}

static void cpu_shut_down(struct cpu *cpu)
{
    log_write(cpu->log, LOG_INT | LOG_RESET, "triple fault at %04x:%08x\n",
              cpu->segs[SEG_CS].selector, cpu->eip);
    cpu->activity = CPU_SHUTDOWN;
    cpu_kick(cpu);
}

// Benign faults during delivery follow one another for ever when the handler's stack is such that
// pushing to it raises #AC again. The CPU hangs in it; here the instruction starts again, so that
// the machine's thread stays reachable.
#define MAX_SERIAL_FAULTS 4

void cpu_deliver(struct cpu *cpu)
{
    sigjmp_buf *outer = cpu->jump;
    sigjmp_buf local;
    volatile unsigned serial = 0;
    cpu->jump = &local;
    cpu->instructions++;
    cpu->delivering = -1;
    cpu->interrupt_shadow = false;
    cpu->debug_shadow = false;
    if (sigsetjmp(local, 0) != 0) {
        if (!combine_faults(cpu, cpu->delivering)) {
            cpu_shut_down(cpu);
            goto done;
        }
        if (++serial > MAX_SERIAL_FAULTS) {
            cpu->eip = cpu->insn_eip;
            goto done;
        }
    }
    struct cpu_exception exc = cpu->raised;
    if (!exc.is_trap)
        cpu->eip = cpu->insn_eip;
    // Software and hardware interrupts are benign whatever their vector.
    cpu->delivering = exc.is_int || exc.is_external ? -1 : exc.vector;
    cpu->ext = !exc.is_int;
    uint32_t return_eip = cpu->eip;
    emit_exception(cpu, cpu->signals.exception, &exc, return_eip);
    log_delivery(cpu, &exc);
    deliver_one(cpu, &exc);
    if (exc.vector == EXC_DB && !exc.is_int)
        cpu->dr[7] &= ~DR7_GD;
    emit_exception(cpu, cpu->signals.exception_handler, &exc, return_eip);
done:
    cpu->jump = outer;
    cpu->ext = false;
    cpu->delivering = -1;
}

static void cpu_deliver_external(struct cpu *cpu, struct cpu_exception exc)
{
    exc.is_trap = true;
    cpu->activity = CPU_RUNNING;
    cpu->insn_eip = cpu->eip;
    cpu->raised = exc;
    cpu_deliver(cpu);
}

static bool take_intr(struct cpu *cpu)
{
    if (!cpu->intr || !(cpu->eflags & FLAG_IF) || !cpu->board.acknowledge)
        return false;
    int vector = cpu->board.acknowledge(cpu->board.self);
    if (vector < 0)
        return false;
    struct qemu_interrupt_payload payload = {.vector = (uint8_t)vector};
    emit_between(cpu, cpu->signals.interrupt, &payload);
    cpu_deliver_external(cpu,
                         (struct cpu_exception){.vector = (uint8_t)vector, .is_external = true});
    return true;
}

// SDM vol. 3, table 6-2: debug traps of the last instruction, then NMI, then INTR.
bool cpu_take_pending(struct cpu *cpu)
{
    if (cpu->activity == CPU_SHUTDOWN)
        return false;
    if (cpu->pending_debug && !cpu->debug_shadow) {
        cpu->dr[6] |= cpu->pending_debug;
        cpu->pending_debug = 0;
        cpu_deliver_external(cpu, (struct cpu_exception){.vector = EXC_DB});
        return true;
    }
    if (cpu->interrupt_shadow)
        return false;
    if (cpu->nmi_pending && !cpu->nmi_blocked) {
        cpu->nmi_pending = false;
        cpu->nmi_blocked = true;
        cpu_deliver_external(cpu, (struct cpu_exception){.vector = EXC_NMI, .is_external = true});
        return true;
    }
    return take_intr(cpu);
}

bool cpu_has_wake_event(const struct cpu *cpu)
{
    return (cpu->nmi_pending && !cpu->nmi_blocked) || cpu->pending_debug ||
           (cpu->intr && (cpu->eflags & FLAG_IF));
}
