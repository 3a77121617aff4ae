/* SPDX-License-Identifier: MIT */
/*
 * emu plugin SDK, installed as <emu/plugin.h>. Self-contained: C11 or C++11, standard headers only.
 *
 * A plugin is a shared object plugin-NAME-i386.plugin that exports
 *     const struct pi_info init_info;          what it provides and needs
 *     void pi_start(PluginInterface *pi);      subscribe, register groups and helpers, fill pi
 * Every function here is called on the machine's thread, from pi_start, a callback, a helper, a
 * command or pi->exit, unless it says otherwise. Strings passed in are copied unless it says
 * otherwise.
 */
#ifndef EMU_PLUGIN_H
#define EMU_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#define EMU_PLUGIN_EXPORT extern "C" __attribute__((visibility("default")))
#else
#define EMU_PLUGIN_EXPORT __attribute__((visibility("default")))
#endif
#define EMU_API __attribute__((visibility("default")))

/* Changes whenever a structure or function here changes incompatibly. A plugin built against
 * another one is refused. */
#define EMU_PLUGIN_ABI 1u

/* Each plugin carries the number it was built against. */
extern const uint32_t emu_plugin_abi;
#ifdef __cplusplus
extern
#endif
    __attribute__((weak, visibility("default"))) const uint32_t emu_plugin_abi = EMU_PLUGIN_ABI;

/* The guest CPU; opaque, read and changed through the access functions. */
typedef struct cpu CPUArchState;
typedef struct PluginInterface PluginInterface;
typedef struct signal_group SignalInfo;
typedef struct jit_context JitContext;

/* ---- Described payloads
 * ------------------------------------------------------------------------------------------ */

enum payload_field_type {
    PAYLOAD_U8,
    PAYLOAD_U16,
    PAYLOAD_U32,
    PAYLOAD_U64,
    PAYLOAD_S32,
    PAYLOAD_S64,
    PAYLOAD_BOOL,
    PAYLOAD_HEX32,
    PAYLOAD_HEX64,
    PAYLOAD_STRING, /* const char *, NUL-terminated, may be NULL */
    PAYLOAD_BYTES,  /* const void *; the field after it is its length (size_t) */
    PAYLOAD_SIZE,   /* size_t */
    PAYLOAD_POINTER /* opaque */
};

struct payload_field {
    const char *name; /* NULL ends the list */
    enum payload_field_type type;
    uint32_t offset;
    uint32_t size;
    const char *help; /* may be NULL */
};

struct payload_type {
    const char *name;
    uint32_t version;
    uint32_t size;
    const struct payload_field *fields;
};

#define PAYLOAD_FIELD(struct_, member_, type_, help_)                                              \
    {                                                                                              \
#member_, type_, (uint32_t)offsetof(struct_, member_),                                     \
            (uint32_t)sizeof(((struct_ *)0)->member_), help_                                       \
    }
#define PAYLOAD_FIELDS_END                                                                         \
    {                                                                                              \
        NULL, PAYLOAD_U8, 0, 0, NULL                                                               \
    }

/* ---- Payloads of group "qemu"
 * ------------------------------------------------------------------------------------- */

/* PLUGIN_QEMU_BEFORE_GEN_TB: a block is about to be made; calls attached through ctx run at its
 * start. */
struct qemu_block_payload {
    JitContext *ctx;
    uint32_t pc;      /* linear address of the first instruction */
    uint32_t context; /* CR3 of the address space it was found in; blocks are shared between address
                         spaces */
};

/* PLUGIN_QEMU_INSTR_TRANSLATE: an instruction is about to be put into a block; calls attached
 * through ctx run before it. */
struct qemu_instr_payload {
    JitContext *ctx;
    uint32_t pc;          /* linear address */
    uint32_t block_pc;    /* of the block's first instruction */
    const uint8_t *bytes; /* the instruction's bytes; valid during the callback */
    size_t length;
};

/* PLUGIN_QEMU_EXCEPTION (about to be delivered), PLUGIN_QEMU_EXCEPTION_HANDLER (the guest stands at
 * its handler). */
struct qemu_exception_payload {
    uint32_t vector;
    uint32_t error_code;
    bool has_error_code;
    bool is_int;         /* INT n, INT3, INTO */
    uint32_t cr2;        /* meaningful for vector 14 */
    uint32_t return_eip; /* offset the handler will return to */
};

/* PLUGIN_QEMU_INSTRUCTION_EXCEPTION: an instruction faulted, its state is not yet unwound. */
struct qemu_fault_payload {
    uint32_t pc; /* linear address of the instruction */
    uint32_t vector;
};

/* PLUGIN_QEMU_INTERRUPT: a hardware interrupt was taken. */
struct qemu_interrupt_payload {
    uint32_t vector;
};

/* PLUGIN_QEMU_TLB_SET_PAGE */
enum { EMU_PROT_READ = 1, EMU_PROT_WRITE = 2, EMU_PROT_EXEC = 4 };
struct qemu_tlb_payload {
    uint32_t vaddr;
    uint64_t paddr;
    uint32_t prot;    /* EMU_PROT_* */
    uint32_t mmu_idx; /* 0 supervisor, 1 user */
    uint32_t size;    /* of the mapping: 4096, 2 MiB or 4 MiB */
};

/* PLUGIN_QEMU_PAGE_DIR_UPD */
struct qemu_page_dir_payload {
    uint32_t cr3; /* the new value */
};

/* PLUGIN_QEMU_MEM_OP: each load and store of data, after it was done. */
struct qemu_mem_op_payload {
    bool is_load;
    uint8_t size; /* 1, 2, 4 or 8; wider accesses come in pieces */
    uint32_t vaddr;
    uint64_t value;
};
/* PLUGIN_QEMU_CPU_PAUSED and PLUGIN_QEMU_CPUS_STOPPED carry NULL. */

/* ---- What a plugin exports
 * ---------------------------------------------------------------------------------------- */

struct pi_info {
    const char *const *signals_list; /* groups it registers; NULL or NULL-terminated */
    const char *const *dependencies; /* groups or plugins it needs */
    const char *const *os_ver;       /* guest systems it fits; NULL: any */
};

typedef struct PluginCommand {
    const char *name;   /* NULL ends the table */
    const char *params; /* shown in help, e.g. "[pid]"; may be NULL */
    const char *help;   /* one line */
    void (*run)(PluginInterface *pi,
                const char *args); /* args: the rest of the line, trimmed, never NULL */
} PluginCommand;

struct PluginInterface {
    const char *name;  /* set by emu */
    const void *funcs; /* table of functions for other plugins; set by pi_start, may stay NULL */
    const PluginCommand *cmd_table; /* monitor commands; set by pi_start, may stay NULL */
    const char *os_ver; /* -os-version of this machine, NULL when none was given; set by emu */
    FILE *output;       /* where the plugin prints (monitor); set by emu */
    void (*exit)(PluginInterface *pi); /* called before unloading; set by pi_start, may stay NULL */
    void (*unload_signal)(void); /* called when a plugin that this one depends on goes away, before
                                    this one does; may stay NULL */
    void *opaque;                /* the plugin's own */
    void *reserved[8];
};

/* ---- Signals
 * ------------------------------------------------------------------------------------------------------
 */

/* Registers a group. NULL, with a line on the monitor, when the name is taken. */
EMU_API SignalInfo *plugin_reg_signal(const char *group);
/* Describes signal `id` of a group; subscribers that state another layout are refused. `type` must
 * stay valid while loaded. */
EMU_API bool plugin_describe_signal(SignalInfo *group, const char *id,
                                    const struct payload_type *type);
/* Emits: every subscriber is called with (data, cpu) before it returns. data stays the caller's. */
EMU_API void plugin_gen_signal(SignalInfo *group, const char *id, void *data, CPUArchState *cpu);
/* Subscribes; when nobody provides the group its provider is loaded. False, with a line on the
 * monitor, when there is none. */
EMU_API bool plugin_subscribe(void (*func)(void *data, CPUArchState *cpu), const char *group,
                              const char *id);
EMU_API bool plugin_del_subscriber(void (*func)(void *data, CPUArchState *cpu), const char *group,
                                   const char *id);
EMU_API bool plugin_del_signal(SignalInfo *group);
/* The other plugin's funcs; it is loaded when absent. NULL when it cannot be. Valid while that
 * plugin is loaded. */
EMU_API const void *plugin_get_functions_list(const char *plugin);

/* ---- Call emission
 * ------------------------------------------------------------------------------------------------
 */

enum jit_helper_flags {
    JIT_HELPER_READS_REGS = 1 << 0,  /* may read guest registers through the access functions */
    JIT_HELPER_WRITES_REGS = 1 << 1, /* may write them */
    JIT_HELPER_MAY_RAISE = 1 << 2,   /* may raise a guest exception */
    JIT_HELPER_MAY_STOP = 1 << 3,    /* may stop the machine */
    JIT_HELPER_PURE = 0              /* touches nothing of the guest */
};

/*
 * signature: return type, then one letter an argument:
 *   v void   i 32-bit integer   l 64-bit integer   p host pointer   c CPUArchState *
 * e.g. "vcil" for void f(CPUArchState *, uint32_t, uint64_t). At most 8 arguments.
 */
EMU_API bool jit_register_helper(JitContext *ctx, void (*func)(void), const char *name,
                                 unsigned flags, const char *signature);

enum jit_arg_kind {
    JIT_ARG_NONE,
    JIT_ARG_CONST32,
    JIT_ARG_CONST64,
    JIT_ARG_POINTER,
    JIT_ARG_CPU,
    JIT_ARG_REG, /* value of guest register `value` (0 EAX .. 7 EDI) when the call runs */
    JIT_ARG_PC,  /* linear address of the instruction */
};

typedef struct JitArg {
    enum jit_arg_kind kind;
    uint64_t value;
} JitArg;

static inline JitArg jit_arg(enum jit_arg_kind kind, uint64_t value)
{
    JitArg arg;
    arg.kind = kind;
    arg.value = value;
    return arg;
}
static inline JitArg jit_const32(uint32_t value)
{
    return jit_arg(JIT_ARG_CONST32, value);
}
static inline JitArg jit_const64(uint64_t value)
{
    return jit_arg(JIT_ARG_CONST64, value);
}
static inline JitArg jit_pointer(const void *value)
{
    return jit_arg(JIT_ARG_POINTER, (uint64_t)(uintptr_t)value);
}
static inline JitArg jit_cpu(void)
{
    return jit_arg(JIT_ARG_CPU, 0);
}
static inline JitArg jit_reg(unsigned n)
{
    return jit_arg(JIT_ARG_REG, n);
}
static inline JitArg jit_pc(void)
{
    return jit_arg(JIT_ARG_PC, 0);
}
static inline JitArg jit_none(void)
{
    return jit_arg(JIT_ARG_NONE, 0);
}

/*
 * Attaches a call of a registered helper at ctx's place: block start in PLUGIN_QEMU_BEFORE_GEN_TB,
 * before the instruction in PLUGIN_QEMU_INSTR_TRANSLATE. ret: jit_none(), or jit_reg(n) to write
 * the result to a guest register. False, with a line on the monitor, when the arguments do not fit
 * the signature or the helper is unknown.
 */
EMU_API bool jit_gen_callN(JitContext *ctx, void (*func)(void), JitArg ret, int nargs,
                           const JitArg *args);

/* ---- Access
 * -------------------------------------------------------------------------------------------------------
 */

/* CR3 of the current address space, without its flag bits. */
EMU_API uint32_t get_current_context(void);

enum emu_register {
    EMU_EAX,
    EMU_ECX,
    EMU_EDX,
    EMU_EBX,
    EMU_ESP,
    EMU_EBP,
    EMU_ESI,
    EMU_EDI,
    EMU_EIP,
    EMU_EFLAGS,
    EMU_ES,
    EMU_CS,
    EMU_SS,
    EMU_DS,
    EMU_FS,
    EMU_GS,
    EMU_CR0,
    EMU_CR2,
    EMU_CR3,
    EMU_CR4,
    EMU_CPL
};
EMU_API uint32_t cpu_get_register(CPUArchState *cpu, enum emu_register reg);
EMU_API void cpu_set_register(CPUArchState *cpu, enum emu_register reg, uint32_t value);

/* Virtual memory of the current address space, across pages, whatever the rights. Return the bytes
 * done before the first unmapped page. */
EMU_API size_t cpu_read_memory(CPUArchState *cpu, uint32_t vaddr, void *buffer, size_t length);
EMU_API size_t cpu_write_memory(CPUArchState *cpu, uint32_t vaddr, const void *buffer,
                                size_t length);
EMU_API bool cpu_translate(CPUArchState *cpu, uint32_t vaddr, uint64_t *paddr);

/* Machine control. */
EMU_API void machine_stop(void);
EMU_API void machine_continue(void);

/* printf to the plugin's output. */
EMU_API void plugin_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#ifdef __cplusplus
}
#endif
#endif
