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
    const char *help; /* when it is emitted; may be NULL */
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
    uint32_t instructions; /* how many it has */
    uint32_t length;       /* bytes */
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

/* PLUGIN_QEMU_INTERRUPT: a hardware interrupt was taken and is about to be delivered: registers
 * and privilege level are those of the interrupted code. */
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
    const char *const *args;     /* "key=value" of -plugin and load_plugin, NULL-terminated; set by
                                    emu. See plugin_argument(). */
    void *reserved[7];
};

/*
 * May be exported too: the arguments a plugin takes. emu then refuses others, and shows these.
 *     EMU_PLUGIN_EXPORT const struct plugin_option plugin_options[] = {{"file", "PATH", "..."}, ...
 *         {NULL, NULL, NULL}};
 */
struct plugin_option {
    const char *name; /* NULL ends the table */
    const char *params;
    const char *help;
};

/* The value of an argument, NULL when it was not given. Valid while loaded. */
EMU_API const char *plugin_argument(const PluginInterface *pi, const char *key);
/* From pi_start: the plugin cannot work, because of what the text says. It is unloaded and the
 * command that loaded it fails with the text. */
EMU_API void plugin_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

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
/* The same without a look-up at each emission: resolve once; valid as long as the group. */
typedef struct signal SignalHandle;
EMU_API SignalHandle *plugin_resolve_signal(SignalInfo *group, const char *id);
EMU_API void plugin_emit(SignalHandle *signal, void *data, CPUArchState *cpu);
EMU_API bool plugin_has_subscribers(const SignalHandle *signal);
/* Subscribes; when nobody provides the group its provider is loaded. False, with a line on the
 * monitor, when there is none. */
EMU_API bool plugin_subscribe(void (*func)(void *data, CPUArchState *cpu), const char *group,
                              const char *id);

/*
 * Which emissions a subscriber wants. Zero-initialise, then set what is asked for; everything must
 * hold. On PLUGIN_QEMU_BEFORE_GEN_TB and PLUGIN_QEMU_INSTR_TRANSLATE the address range chooses what
 * is shown at translation, and context and privilege level become predicates of every operation
 * that the callback attaches: code that several processes share is reported for the chosen one
 * only.
 */
struct plugin_filter {
    bool by_context;
    uint32_t context; /* as get_current_context() gives it */
    bool by_cpl;
    uint32_t cpl; /* 0 kernel .. 3 user */
    bool by_address;
    uint32_t first, last; /* linear; compared with the payload's field vaddr, else pc, else EIP */
};

struct plugin_subscribe_options {
    int priority; /* higher is called first; equal ones in order of subscription */
    bool once;    /* removed after its first call */
    struct plugin_filter filter;
    const struct payload_type *payload; /* the layout built against; NULL: not checked */
};
EMU_API bool plugin_subscribe_with(void (*func)(void *data, CPUArchState *cpu), const char *group,
                                   const char *id, const struct plugin_subscribe_options *options);
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

/* Where an operation runs. */
enum jit_place {
    JIT_BEFORE,       /* before the instruction; again when it is restarted after a fault */
    JIT_AFTER,        /* after it is done; not when it faulted or was INT n */
    JIT_LOAD_BEFORE,  /* before each load of data that it makes: address, size */
    JIT_LOAD,         /* after: value too */
    JIT_STORE_BEFORE, /* before each store: address, size, value to be stored */
    JIT_STORE,        /* after */
    JIT_BRANCH,       /* after it, when it branched: the address is the target */
    JIT_CALL,         /* likewise, calls only */
    JIT_RETURN,       /* likewise, returns only */
    JIT_PLACES
};

enum jit_arg_kind {
    JIT_ARG_NONE,
    JIT_ARG_CONST32,
    JIT_ARG_CONST64,
    JIT_ARG_POINTER,
    JIT_ARG_CPU,
    JIT_ARG_REG,     /* value of guest register `value` (0 EAX .. 7 EDI) when the operation runs */
    JIT_ARG_PC,      /* linear address of the instruction */
    JIT_ARG_EA,      /* linear address of its memory operand; JIT_BEFORE */
    JIT_ARG_ADDRESS, /* linear address of the access; the target of a branch */
    JIT_ARG_SIZE,    /* of the access: 1, 2, 4 or 8; wider ones come in pieces */
    JIT_ARG_VALUE,   /* loaded or stored; for letter i or l */
    JIT_ARG_CONTEXT, /* CR3 of the running process */
    JIT_ARG_CPL,     /* privilege level */
    JIT_ARG_ICOUNT,  /* instructions executed and events delivered since power-on */
    JIT_ARG_ACCESS   /* an access in one word: see jit_access */
};

#define JIT_MAX_FIELDS 8u /* arguments of a call, fields of a record */

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
static inline JitArg jit_ea(void)
{
    return jit_arg(JIT_ARG_EA, 0);
}
static inline JitArg jit_address(void)
{
    return jit_arg(JIT_ARG_ADDRESS, 0);
}
static inline JitArg jit_size(void)
{
    return jit_arg(JIT_ARG_SIZE, 0);
}
/* What is loaded or stored. An access of more than 8 bytes (x87, SSE) comes in parts of at most 8
 * bytes to an operation with this argument, and as one to the others. */
static inline JitArg jit_value(void)
{
    return jit_arg(JIT_ARG_VALUE, 0);
}
/* Of an access: the address in the low half, its size in bits 32 to 39, bit 63 set for a store. Two
 * fields fewer than one by one. jit_access_at: also a number of the caller's in bits 40 to 62, up
 * to JIT_ACCESS_SITES, which says what is the same each time: an index of the instruction's PC. */
#define JIT_ACCESS_STORE (UINT64_C(1) << 63)
#define JIT_ACCESS_SITES 0x7fffffu
static inline JitArg jit_access(void)
{
    return jit_arg(JIT_ARG_ACCESS, 0);
}
static inline JitArg jit_access_at(uint32_t site)
{
    return jit_arg(JIT_ARG_ACCESS, site);
}
static inline uint32_t jit_access_site(uint64_t access)
{
    return (uint32_t)(access >> 40) & JIT_ACCESS_SITES;
}
static inline uint32_t jit_access_address(uint64_t access)
{
    return (uint32_t)access;
}
static inline unsigned jit_access_size(uint64_t access)
{
    return (unsigned)(access >> 32) & 0xff;
}
static inline bool jit_access_is_store(uint64_t access)
{
    return (access & JIT_ACCESS_STORE) != 0;
}
static inline JitArg jit_context(void)
{
    return jit_arg(JIT_ARG_CONTEXT, 0);
}
static inline JitArg jit_cpl(void)
{
    return jit_arg(JIT_ARG_CPL, 0);
}
static inline JitArg jit_icount(void)
{
    return jit_arg(JIT_ARG_ICOUNT, 0);
}
static inline JitArg jit_none(void)
{
    return jit_arg(JIT_ARG_NONE, 0);
}

/* Conditions of an operation, tested where it runs, without a call. */
enum jit_predicate_kind {
    JIT_IF_END,     /* ends a list */
    JIT_IF_CONTEXT, /* CR3 is low */
    JIT_IF_CPL,     /* the privilege level is low */
    JIT_IF_ADDRESS, /* low <= address <= high: of the access, the branch target, else the PC */
    JIT_IF_COUNTER  /* *counter >= low */
};

typedef struct JitPredicate {
    enum jit_predicate_kind kind;
    uint64_t low, high;
    const uint64_t *counter;
} JitPredicate;

#define JIT_MAX_PREDICATES 4u /* of one operation, with those of the subscription's filter */

static inline JitPredicate jit_predicate(enum jit_predicate_kind kind, uint64_t low, uint64_t high,
                                         const uint64_t *counter)
{
    JitPredicate p;
    p.kind = kind;
    p.low = low;
    p.high = high;
    p.counter = counter;
    return p;
}
static inline JitPredicate jit_if_context(uint32_t cr3)
{
    return jit_predicate(JIT_IF_CONTEXT, cr3, 0, NULL);
}
static inline JitPredicate jit_if_cpl(unsigned cpl)
{
    return jit_predicate(JIT_IF_CPL, cpl, 0, NULL);
}
static inline JitPredicate jit_if_address(uint32_t first, uint32_t last)
{
    return jit_predicate(JIT_IF_ADDRESS, first, last, NULL);
}
static inline JitPredicate jit_if_counter(const uint64_t *counter, uint64_t at_least)
{
    return jit_predicate(JIT_IF_COUNTER, at_least, 0, counter);
}
static inline JitPredicate jit_if_end(void)
{
    return jit_predicate(JIT_IF_END, 0, 0, NULL);
}

/*
 * Attached operations live until the block is dropped: when the guest changes its code, when
 * anybody subscribes to or unsubscribes from translation signals, when the plugin goes. Each
 * function returns false, with a line on the monitor, when it is refused.
 *
 * jit_gen_callN attaches a call of a registered helper at ctx's place: block start in
 * PLUGIN_QEMU_BEFORE_GEN_TB, before the instruction in PLUGIN_QEMU_INSTR_TRANSLATE. ret:
 * jit_none(), or jit_reg(n) to write the result to a guest register.
 *
 * The others name the place (in PLUGIN_QEMU_BEFORE_GEN_TB only JIT_BEFORE) and predicates (NULL, or
 * a list that ends with jit_if_end()).
 */
EMU_API bool jit_gen_callN(JitContext *ctx, void (*func)(void), JitArg ret, int nargs,
                           const JitArg *args);
EMU_API bool jit_attach_call(JitContext *ctx, enum jit_place place, const JitPredicate *predicates,
                             void (*func)(void), JitArg ret, int nargs, const JitArg *args);
/* *counter += step */
EMU_API bool jit_attach_count(JitContext *ctx, enum jit_place place, const JitPredicate *predicates,
                              uint64_t *counter, uint64_t step);
/* *target = value */
EMU_API bool jit_attach_store(JitContext *ctx, enum jit_place place, const JitPredicate *predicates,
                              uint64_t *target, JitArg value);

/* Records of `fields` 64-bit words; flush(opaque, records, count) is called when `capacity` of them
 * are there (by the start of the next block at the latest), by jit_buffer_flush, and with what is
 * left when the plugin is unloaded, before its exit. */
typedef struct JitBuffer JitBuffer;
EMU_API JitBuffer *
jit_buffer_create(unsigned fields, size_t capacity,
                  void (*flush)(void *opaque, const uint64_t *records, size_t count), void *opaque);
EMU_API void jit_buffer_flush(JitBuffer *buffer);
EMU_API void jit_buffer_destroy(JitBuffer *buffer); /* operations that use it do nothing then */
EMU_API bool jit_attach_record(JitContext *ctx, enum jit_place place,
                               const JitPredicate *predicates, JitBuffer *buffer, int nfields,
                               const JitArg *fields);

/*
 * From a helper; carried out when it has returned.
 * JIT_BEFORE: the instruction is not executed, and the guest goes on behind it.
 */
EMU_API bool cpu_skip_instruction(CPUArchState *cpu);
/* The helper must be registered with JIT_HELPER_MAY_RAISE. At JIT_BEFORE, JIT_LOAD_BEFORE and
 * JIT_STORE_BEFORE the instruction has had no effect; at JIT_AFTER the exception belongs to the
 * next one. */
EMU_API bool cpu_raise_exception(CPUArchState *cpu, uint32_t vector, uint32_t error_code);

/* ---- Access
 * -------------------------------------------------------------------------------------------------------
 */

/* CR3 of the current address space, without its flag bits. */
EMU_API uint32_t get_current_context(void);

/* 32-bit registers: cpu_get_register and cpu_set_register. The wide ones at the end:
 * cpu_read_register and cpu_write_register, which take all. */
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
    EMU_ES, /* selectors */
    EMU_CS,
    EMU_SS,
    EMU_DS,
    EMU_FS,
    EMU_GS,
    EMU_CR0,
    EMU_CR2,
    EMU_CR3,
    EMU_CR4,
    EMU_CPL,
    EMU_ES_BASE,
    EMU_CS_BASE,
    EMU_SS_BASE,
    EMU_DS_BASE,
    EMU_FS_BASE,
    EMU_GS_BASE,
    EMU_ES_LIMIT,
    EMU_CS_LIMIT,
    EMU_SS_LIMIT,
    EMU_DS_LIMIT,
    EMU_FS_LIMIT,
    EMU_GS_LIMIT,
    EMU_LDTR,
    EMU_TR,
    EMU_GDT_BASE,
    EMU_GDT_LIMIT,
    EMU_IDT_BASE,
    EMU_IDT_LIMIT,
    EMU_DR0,
    EMU_DR1,
    EMU_DR2,
    EMU_DR3,
    EMU_DR6,
    EMU_DR7,
    EMU_FCW, /* x87 control, status and (full) tag word */
    EMU_FSW,
    EMU_FTW,
    EMU_MXCSR,
    EMU_ST0, /* 10 bytes, by stack position */
    EMU_ST7 = EMU_ST0 + 7,
    EMU_MM0, /* 8 bytes */
    EMU_MM7 = EMU_MM0 + 7,
    EMU_XMM0, /* 16 bytes */
    EMU_XMM7 = EMU_XMM0 + 7,
    EMU_REGISTER_COUNT
};
EMU_API uint32_t cpu_get_register(CPUArchState *cpu, enum emu_register reg);
/* General registers, EIP, EFLAGS, DR0-DR3. In a helper a new EIP is where the guest goes on: at
 * JIT_BEFORE instead of the instruction. Segment and control registers cannot be written. False:
 * not this one. */
EMU_API bool cpu_set_register(CPUArchState *cpu, enum emu_register reg, uint32_t value);
/* "eax", "fs_base", "st3", "xmm7"; -1: no such register. */
EMU_API int cpu_register_by_name(const char *name);
EMU_API const char *cpu_register_name(enum emu_register reg); /* NULL: no such register */
EMU_API size_t cpu_register_size(enum emu_register reg);      /* bytes: 4, 8, 10 or 16 */
EMU_API bool cpu_read_register(CPUArchState *cpu, enum emu_register reg, void *buffer, size_t size);
/* Also ST, MM, XMM, FCW, MXCSR. */
EMU_API bool cpu_write_register(CPUArchState *cpu, enum emu_register reg, const void *buffer,
                                size_t size);

/* Virtual memory of the current address space, across pages, whatever the rights. Return the bytes
 * done before the first unmapped page. Device registers read as ones and are not written. */
EMU_API size_t cpu_read_memory(CPUArchState *cpu, uint32_t vaddr, void *buffer, size_t length);
EMU_API size_t cpu_write_memory(CPUArchState *cpu, uint32_t vaddr, const void *buffer,
                                size_t length);
/* A NUL-terminated string of at most size - 1 bytes; always terminated. Returns its length. */
EMU_API size_t cpu_read_string(CPUArchState *cpu, uint32_t vaddr, char *buffer, size_t size);
EMU_API bool cpu_translate(CPUArchState *cpu, uint32_t vaddr, uint64_t *paddr);
/* False when a byte had no memory behind it. */
EMU_API bool cpu_read_physical(CPUArchState *cpu, uint64_t paddr, void *buffer, size_t length);
EMU_API bool cpu_write_physical(CPUArchState *cpu, uint64_t paddr, const void *buffer,
                                size_t length);
/* The instruction at vaddr, in the CPU's present mode, as text. Returns its length in bytes, 0 when
 * the memory is not mapped. */
EMU_API unsigned cpu_disassemble(CPUArchState *cpu, uint32_t vaddr, char *text, size_t size);
EMU_API uint64_t cpu_instruction_count(CPUArchState *cpu);

/* The CPU outside of callbacks (commands, timers). */
EMU_API CPUArchState *machine_get_cpu(void);

/* Machine control. A stop takes effect after the present instruction; the others when the guest is
 * next left. */
EMU_API void machine_stop(void);
EMU_API void machine_continue(void);
EMU_API bool machine_request_reset(void);           /* false: this host cannot */
EMU_API bool machine_request_quit_with(int status); /* ends emu with this exit code */

/* Timers on the virtual clock, in nanoseconds since power-on. fn runs between instructions. They
 * are destroyed with the plugin. */
typedef struct PluginTimer PluginTimer;
EMU_API int64_t machine_clock_now(void);
EMU_API PluginTimer *plugin_timer_create(void (*fn)(void *opaque), void *opaque);
EMU_API void plugin_timer_arm(PluginTimer *timer, int64_t deadline);
EMU_API void plugin_timer_cancel(PluginTimer *timer);
EMU_API void plugin_timer_destroy(PluginTimer *timer);

/* ---- Output ------------------------------------------------------------------------------- */

/* printf to the monitor, or standard output without one. */
EMU_API void plugin_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A channel goes to the monitor (target NULL or "-") or to a file that is made anew. NULL, with a
 * line on the monitor, when it cannot be opened. Closed with the plugin. */
typedef struct PluginChannel PluginChannel;
EMU_API PluginChannel *plugin_channel_open(const char *target);
EMU_API void plugin_channel_printf(PluginChannel *channel, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
EMU_API void plugin_channel_write(PluginChannel *channel, const void *data, size_t size);
/* One JSON object on one line: "event", then the fields that the type describes. Strings are UTF-8;
 * a byte that is not part of such a character becomes the character of its number (\u0080 to
 * \u00ff). */
EMU_API void plugin_channel_json(PluginChannel *channel, const char *event,
                                 const struct payload_type *type, const void *data);
EMU_API void plugin_channel_flush(PluginChannel *channel);
EMU_API void plugin_channel_close(PluginChannel *channel);

#ifdef __cplusplus
}
#endif
#endif
