// SPDX-License-Identifier: MIT
// Architectural state of one i386 CPU (486 to Pentium 4), exceptions, interrupts and modes.
// Thread: the machine's thread, except cpu_kick.
#ifndef EMU_CPU_CPU_H
#define EMU_CPU_CPU_H

#include <setjmp.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "cpu/fpu_state.h"
#include "cpu/opcode.h"
#include "mmu/mmu.h"
#include "mmu/portio.h"
#include "state/state.h"

enum { REG_EAX, REG_ECX, REG_EDX, REG_EBX, REG_ESP, REG_EBP, REG_ESI, REG_EDI, REG_ZERO };

enum segment_index { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_COUNT };

// EFLAGS bits beyond the arithmetic ones of opcode.h.
#define FLAG_FIXED 0x00000002u
#define FLAG_TF    0x00000100u
#define FLAG_IF    0x00000200u
#define FLAG_IOPL  0x00003000u
#define FLAG_NT    0x00004000u
#define FLAG_RF    0x00010000u
#define FLAG_VM    0x00020000u
#define FLAG_AC    0x00040000u
#define FLAG_VIF   0x00080000u
#define FLAG_VIP   0x00100000u
#define FLAG_ID    0x00200000u

#define CR0_PE 0x00000001u
#define CR0_MP 0x00000002u
#define CR0_EM 0x00000004u
#define CR0_TS 0x00000008u
#define CR0_ET 0x00000010u
#define CR0_NE 0x00000020u
#define CR0_WP 0x00010000u
#define CR0_AM 0x00040000u
#define CR0_NW 0x20000000u
#define CR0_CD 0x40000000u
#define CR0_PG 0x80000000u

#define CR4_VME        0x0001u
#define CR4_PVI        0x0002u
#define CR4_TSD        0x0004u
#define CR4_DE         0x0008u
#define CR4_PSE        0x0010u
#define CR4_PAE        0x0020u
#define CR4_MCE        0x0040u
#define CR4_PGE        0x0080u
#define CR4_PCE        0x0100u
#define CR4_OSFXSR     0x0200u
#define CR4_OSXMMEXCPT 0x0400u

#define EFER_NXE 0x0800u

#define DR6_B0    0x0001u
#define DR6_BD    0x2000u
#define DR6_BS    0x4000u
#define DR6_BT    0x8000u
#define DR6_FIXED 0xffff0ff0u
#define DR7_GD    0x2000u
#define DR7_FIXED 0x0400u

enum exception_vector {
    EXC_DE = 0,
    EXC_DB = 1,
    EXC_NMI = 2,
    EXC_BP = 3,
    EXC_OF = 4,
    EXC_BR = 5,
    EXC_UD = 6,
    EXC_NM = 7,
    EXC_DF = 8,
    EXC_TS = 10,
    EXC_NP = 11,
    EXC_SS = 12,
    EXC_GP = 13,
    EXC_PF = 14,
    EXC_MF = 16,
    EXC_AC = 17,
    EXC_MC = 18,
    EXC_XM = 19,
};

// Descriptor attributes as in the descriptor's second dword (bits 8-23 without the limit bits).
#define DESC_TYPE 0x00000f00u
#define DESC_S    0x00001000u
#define DESC_DPL  0x00006000u
#define DESC_P    0x00008000u
#define DESC_AVL  0x00100000u
#define DESC_DB   0x00400000u
#define DESC_G    0x00800000u

// Derived rights of a loaded segment.
enum {
    SEGMENT_READ = 1u << 0,  // usable and readable
    SEGMENT_WRITE = 1u << 1, // usable and writable
    SEGMENT_EXPAND_DOWN = 1u << 2,
    SEGMENT_FLAT = 1u << 3,      // base 0, limit 4 GiB - 1, expand-up
    SEGMENT_FLAT_READ = 1u << 4, // FLAT and READ: offset is linear address, no check
    SEGMENT_FLAT_WRITE = 1u << 5,
    SEGMENT_FULL = 1u << 6, // any base, limit 4 GiB - 1, expand-up, readable and writable
};

struct segment {
    uint32_t base;
    uint32_t limit;      // last valid offset (expand-down: last invalid one)
    uint32_t attributes; // DESC_*
    uint16_t selector;
    uint16_t rights; // SEGMENT_*: recomputed by segment_update_rights
};

struct descriptor_table {
    uint32_t base;
    uint16_t limit;
};

// What changes the meaning of guest code besides its bytes: cpu_mode_bits(). Executors key blocks
// by it.
enum cpu_mode_bit {
    CPU_MODE_CODE32 = 1u << 0,
    CPU_MODE_STACK32 = 1u << 1,
    CPU_MODE_USER = 1u << 2, // CPL 3
    CPU_MODE_V86 = 1u << 3,
    CPU_MODE_PROTECTED = 1u << 4,
    CPU_MODE_CS_FLAT = 1u << 5, // base 0, limit 4 GiB - 1
    CPU_MODE_CS_FLAT_READ = 1u << 6,
    CPU_MODE_SS_FLAT = 1u << 7, // flat, readable and writable
    CPU_MODE_DS_FLAT_READ = 1u << 8,
    CPU_MODE_DS_FLAT_WRITE = 1u << 9,
    CPU_MODE_ES_FLAT_READ = 1u << 10,
    CPU_MODE_ES_FLAT_WRITE = 1u << 11,
    CPU_MODE_EM = 1u << 12, // CR0.EM
    CPU_MODE_TS = 1u << 13, // CR0.TS
    CPU_MODE_OSFXSR = 1u << 14,
    CPU_MODE_TF = 1u << 15,
    CPU_MODE_DEBUG = 1u << 16, // debug_armed
};

// What the board gives the CPU.
struct cpu_board {
    void *self;
    int (*acknowledge)(void *self);                      // interrupt vector of the pending INTR
    uint64_t (*read_apic_base)(void *self);              // may be NULL: no local APIC
    bool (*write_apic_base)(void *self, uint64_t value); // false: #GP(0)
    void (*ferr)(void *self, bool level);                // FERR# for IRQ13; may be NULL
};

enum cpu_model { CPU_MODEL_486, CPU_MODEL_PENTIUM, CPU_MODEL_PENTIUM3, CPU_MODEL_PENTIUM4 };

// Signals of group "qemu" that the CPU emits; resolved by the plugin host, all may be NULL.
struct cpu_signals {
    struct signal *exception;             // PLUGIN_QEMU_EXCEPTION
    struct signal *exception_handler;     // PLUGIN_QEMU_EXCEPTION_HANDLER
    struct signal *instruction_exception; // PLUGIN_QEMU_INSTRUCTION_EXCEPTION
    struct signal *interrupt;             // PLUGIN_QEMU_INTERRUPT
    struct signal *page_dir_upd;          // PLUGIN_QEMU_PAGE_DIR_UPD
    struct signal *mem_op;                // PLUGIN_QEMU_MEM_OP
};

struct cpu_exception {
    uint8_t vector;
    bool has_error_code;
    bool is_int;      // INT n, INT3, INTO: DPL is checked, no EXT bit
    bool is_trap;     // return EIP is the next instruction
    bool is_external; // INTR, NMI
    uint32_t error_code;
};

// What an operation attached to the running instruction asked for; carried out when it returned.
enum cpu_hook_request {
    CPU_HOOK_SKIP = 1u << 0,  // do not execute the instruction
    CPU_HOOK_EIP = 1u << 1,   // go on at new_eip
    CPU_HOOK_RAISE = 1u << 2, // raise vector, error_code
    CPU_HOOK_LEAVE = 1u << 3, // leave the block after this instruction
};

enum cpu_hook_phase { CPU_HOOK_IDLE, CPU_HOOK_BEFORE, CPU_HOOK_DURING, CPU_HOOK_AFTER };

// Sees each data access of the running instruction; `done`: false before it, true after it. Before
// a load, value is 0.
typedef void cpu_observer(struct cpu *cpu, bool is_store, bool done, uint32_t linear,
                          uint64_t value, unsigned size);

// A run of elements that a repeated string instruction has done in plain memory, each of `size`
// bytes, upwards. An element's accesses come in this order.
struct cpu_span {
    struct cpu_span_place {
        uint32_t linear; // of the first element
        bool is_store;
    } places[2];
    unsigned nplaces, size;
    uint32_t count;
};
typedef void cpu_span_observer(struct cpu *cpu, const struct cpu_span *span);

struct cpu_hook_state {
    cpu_observer *observe;           // NULL: nobody; set by mem_observe_begin
    cpu_span_observer *observe_span; // set after it: tells of runs of elements, afterwards
    uintptr_t *tlb[2][2];            // the data tables while they are hidden from the accessors
    const struct insn *insn;
    // An access of more than 8 bytes is seen in pieces: its size, and the bytes before this piece.
    uint8_t whole, piece_at;
    const void *helper; // src/jit's: the one that runs
    uint8_t phase;      // enum cpu_hook_phase
    uint8_t requests;   // CPU_HOOK_*
    uint8_t vector;
    uint32_t new_eip, error_code;
};

enum cpu_activity { CPU_RUNNING, CPU_HALTED, CPU_SHUTDOWN /* triple fault: the machine resets */ };

// What translated code keeps here; its own affair (src/jit) and without meaning outside of it.
struct cpu_jit_state {
    uint64_t target;  // executor_run's: translated code counts down from it
    void *jump_cache; // targets of indirect jumps
    uintptr_t stored; // host address that the present instruction stores to
    // A helper that translated code has called: struct helper, NULL: none runs. Where: struct
    // block, the instruction and R12.
    const void *helper;
    void *helper_block;
    uint64_t helper_counter;
    uint32_t helper_index;
    uint16_t flags;      // OF, and the LAHF byte in the high half
    uint8_t fpu_on_host; // x87 and SSE state live in the host's registers
    uint32_t mxcsr_of_c; // while C code runs
};

struct cpu {
    // Hot fields first: generated code reaches them with a one-byte displacement.
    uint32_t regs[9]; // REG_*; regs[REG_ZERO] is always 0
    uint32_t eip;     // offset of the next instruction while a handler runs
    uint32_t eflags;  // everything but the arithmetic flags, which are lazy: cpu/flags.h
    uint32_t flags_result;
    uint32_t flags_aux;
    uint32_t insn_eip;       // offset of the running instruction
    _Atomic uint32_t kicked; // leave guest code soon (cpu_kick); also set by anything that needs a
                             // look between blocks
    _Atomic uintptr_t poll;  // an address that translated code reads from to be stopped: cpu_kick
                             // makes it one that faults
    uint8_t cpl;             // 3 in virtual-8086 mode
    bool is_user;            // cpl == 3: which TLB tables data accesses use
    bool mem_hooked; // somebody wants to see each access (plugins): accessors take the slow path
    bool interrupt_shadow; // after STI, MOV SS, POP SS: one more instruction before interrupts
    uint32_t mode_bits;    // cpu_mode_bits(): kept by cpu_update_mode and segment_update_rights
    uint64_t instructions; // executed since power-on, and events delivered: INT n counts once
    struct cpu_jit_state jit;
    struct segment segs[SEG_COUNT];
    struct mmu mmu;

    uint32_t cr0, cr2, cr3, cr4;
    struct segment ldtr, tr;
    struct descriptor_table gdtr, idtr;
    uint32_t dr[8]; // DR4 and DR5 unused
    uint64_t efer;
    uint32_t sysenter_cs, sysenter_esp, sysenter_eip;
    int64_t tsc_offset;
    uint64_t pat, mtrr_def_type, mtrr_fixed[11], mtrr_var[16], mcg_status, misc_enable;
    uint64_t perf_select[2], perf_counter[2];
    uint64_t debugctl, mcg_ctl, mc_banks[20], microcode_revision;
    struct fpu_state fpu;

    enum cpu_activity activity;
    bool intr; // INTR pin
    bool nmi_pending, nmi_blocked;
    bool debug_armed;       // DR7 enables something: the executor steps one instruction at a time
    bool debug_shadow;      // interrupt_shadow comes from MOV SS or POP SS: debug traps wait too
    bool step_trap;         // TF was set when the stepped instruction began
    bool keep_rf;           // IRET or a task switch loaded RF: it survives this instruction
    uint32_t pending_debug; // DR6 bits of a debug trap to deliver after this instruction

    // Delivery in progress.
    sigjmp_buf *jump; // where cpu_raise goes; set by the executor
    struct cpu_exception raised;
    int delivering; // vector of the exception being delivered, -1 when none: for double faults
    bool ext;       // EXT bit of error codes while an event other than INT n is delivered

    // Plugins' operations attached to the running instruction (src/jit/hook.c).
    struct cpu_hook_state hook;

    enum cpu_model model;
    uint32_t features; // bit FEATURE_*
    struct clock *clock;
    struct portio *ports;
    struct physmem *mem;
    struct log *log;
    struct cpu_board board;
    struct cpu_signals signals;
    void *executor; // src/jit's state
    void *host;     // the plugin host's handle for callbacks
};

struct cpu *cpu_create(enum cpu_model model, struct physmem *mem, struct portio *ports,
                       struct clock *clock, struct log *log, const struct cpu_board *board,
                       struct state_registry *registry, struct error *err);
void cpu_destroy(struct cpu *cpu);
void cpu_reset(struct cpu *cpu); // RESET#: power-on values of SDM vol. 3, table 9-1
bool cpu_model_parse(const char *name, enum cpu_model *model);
const char *cpu_model_name(enum cpu_model model);

// Pins. INTR is a level; NMI an edge.
void cpu_set_intr(struct cpu *cpu, bool level);
void cpu_raise_nmi(struct cpu *cpu);

#define CPU_POLL_FAULTS 1u // nothing is ever mapped there

// Makes the executor return to the machine soon. Any thread, async-signal-safe.
static inline void cpu_kick(struct cpu *cpu)
{
    atomic_store_explicit(&cpu->kicked, 1, memory_order_release);
    atomic_store_explicit(&cpu->poll, CPU_POLL_FAULTS, memory_order_release);
}

// Raises a fault at the running instruction: records it and jumps to the executor, which calls
// cpu_deliver.
// Leaves the running instruction for the executor, with cpu->raised set; every way out goes here.
_Noreturn void cpu_leave_instruction(struct cpu *cpu);
_Noreturn void cpu_raise(struct cpu *cpu, enum exception_vector vector);
_Noreturn void cpu_raise_error(struct cpu *cpu, enum exception_vector vector, uint32_t error_code);
_Noreturn void cpu_raise_page_fault(struct cpu *cpu, uint32_t linear, uint32_t error_code);
// INT n, INT3, INTO, INT1: a trap whose return address is cpu->eip.
_Noreturn void cpu_raise_software(struct cpu *cpu, uint8_t vector);

// Delivers cpu->raised through the IDT (or real-mode vectors), with double and triple faults. Never
// jumps. On a triple fault activity becomes CPU_SHUTDOWN. Counts as an instruction: a guest that
// does nothing but fault, or take interrupts, comes to an end of its instructions, and its time
// goes on.
void cpu_deliver(struct cpu *cpu);
// True when an interrupt, NMI or debug trap can be taken now; takes it. Never jumps.
bool cpu_take_pending(struct cpu *cpu);
// True when a HALTED CPU would wake: NMI, or INTR with IF.
bool cpu_has_wake_event(const struct cpu *cpu);

// Stepping. While cpu_must_step() holds, the executor runs exactly one instruction at a time:
//     if (cpu_begin_step(cpu)) cpu_deliver(cpu);            an instruction breakpoint: #DB fault
//     else { run the instruction at CS:EIP; cpu_finish_step(cpu); }
// cpu_finish_step is left out when the instruction raised (cpu_raise came back to the executor).
// Then cpu_take_pending delivers the debug traps. Neither function jumps.
static inline bool cpu_must_step(const struct cpu *cpu)
{
    return cpu->interrupt_shadow || (cpu->mode_bits & (CPU_MODE_TF | CPU_MODE_DEBUG));
}
bool cpu_begin_step(struct cpu *cpu);
void cpu_finish_step(struct cpu *cpu);
// True when DR0-DR3 break on execution at CS:EIP and RF is clear: sets DR6 and records the #DB
// fault in cpu->raised. Called by cpu_begin_step.
bool cpu_check_breakpoint(struct cpu *cpu);

static inline uint32_t cpu_mode_bits(const struct cpu *cpu)
{
    return cpu->mode_bits;
}

// Recomputes what is derived from CR0, CR4, EFLAGS, CPL and segments (is_user, rights, debug_armed,
// mmu.trace_all ...). Also after a change of mem_hooked or dr[7].
void cpu_update_mode(struct cpu *cpu);
void segment_update_rights(struct cpu *cpu, enum segment_index index);

static inline bool cpu_is_protected(const struct cpu *cpu)
{
    return (cpu->cr0 & CR0_PE) != 0;
}

static inline bool cpu_is_v86(const struct cpu *cpu)
{
    return (cpu->eflags & FLAG_VM) != 0;
}

static inline bool cpu_code32(const struct cpu *cpu)
{
    return (cpu->segs[SEG_CS].attributes & DESC_DB) != 0;
}

static inline uint32_t cpu_stack_mask(const struct cpu *cpu)
{
    return (cpu->segs[SEG_SS].attributes & DESC_DB) ? 0xffffffffu : 0xffffu;
}

static inline bool cpu_has_feature(const struct cpu *cpu, enum cpu_feature feature)
{
    return feature == FEATURE_NONE || (cpu->features >> feature & 1);
}

// EFLAGS as the guest sees it (materialises the lazy flags); see cpu/flags.h.
uint32_t cpu_get_eflags(const struct cpu *cpu);
void cpu_set_eflags(
    struct cpu *cpu,
    uint32_t eflags); // all bits, no privilege checks; calls cpu_update_mode when VM/TF change

// `info registers`.
void cpu_describe(const struct cpu *cpu, FILE *out);

#endif
