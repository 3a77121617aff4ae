// SPDX-License-Identifier: MIT
// Runs one 32-bit instruction on the host's own CPU: the reference for user-level instructions. A
// 64-bit process enters 32-bit code through the kernel's 32-bit user code segment, loads the
// guest's registers, executes the bytes and stores what came out. Needs Linux on x86-64 with 32-bit
// support.
#ifndef EMU_TESTS_HOST32_H
#define EMU_TESTS_HOST32_H

#ifndef _GNU_SOURCE
#error "the test defines _GNU_SOURCE first: the names of saved registers"
#endif
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/util.h"

#define HOST32_CS32 0x23
#define HOST32_CS64 0x33
#define HOST32_AREA 0x10000000u // shared state, then code, one page each

// Lies at HOST32_AREA, where 32-bit code reaches it.
struct host32_state {
    uint32_t regs[8]; // EAX ECX EDX EBX ESP EBP ESI EDI
    uint32_t eflags;
    int32_t trap; // exception vector, -1 when none
    uint64_t saved_rsp, resume;
    struct {
        uint32_t offset;
        uint16_t selector;
    } entry;
    uint64_t stack[64];
    uint8_t fxsave[512] __attribute__((aligned(16))); // loaded before, stored after when has_fx
    bool has_fx;
};

struct host32 {
    struct host32_state *state;
    uint8_t *code;
    uint8_t signal_stack[65536];
};

void host32_enter(uint64_t *saved_rsp, uint64_t *resume, void *entry);
__asm__(".text\n"
        ".globl host32_enter\n"
        "host32_enter:\n"
        "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n pushfq\n"
        "mov $0x2b, %eax\n mov %eax, %ds\n mov %eax, %es\n"
        "lea 1f(%rip), %rax\n mov %rax, (%rsi)\n mov %rsp, (%rdi)\n"
        "ljmp *(%rdx)\n"
        "1: cld\n popfq\n pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n");

// The process' only place for the handler to find the way back.
static inline struct host32_state *host32_state(void)
{
    return (struct host32_state *)(uintptr_t)HOST32_AREA;
}

static inline void host32_on_fault(int signo, siginfo_t *info, void *context)
{
    ucontext_t *uc = (ucontext_t *)context;
    greg_t *gregs = uc->uc_mcontext.gregs;
    struct host32_state *state = host32_state();
    if ((gregs[REG_CSGSFS] & 0xffff) != HOST32_CS32) {
        signal(signo, SIG_DFL); // a crash of the test itself
        return;
    }
    static const int order[8] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX,
                                 REG_RSP, REG_RBP, REG_RSI, REG_RDI};
    for (unsigned i = 0; i < 8; i++)
        state->regs[i] = (uint32_t)gregs[order[i]];
    state->eflags = (uint32_t)gregs[REG_EFL];
    state->trap = (int32_t)gregs[REG_TRAPNO];
    gregs[REG_RIP] = (greg_t)state->resume;
    gregs[REG_RSP] = (greg_t)state->saved_rsp;
    gregs[REG_EFL] = 0x202;
    gregs[REG_CSGSFS] = (gregs[REG_CSGSFS] & ~(greg_t)0xffff) | HOST32_CS64;
}

static inline uint8_t *host32_emit(uint8_t *p, const char *bytes, size_t length, uint32_t operand)
{
    memcpy(p, bytes, length);
    store_le32(p + length, operand);
    return p + length + 4;
}

#define HOST32_EMIT(p, bytes, operand) host32_emit(p, bytes, sizeof(bytes) - 1, operand)
#define HOST32_FIELD(field)            (HOST32_AREA + offsetof(struct host32_state, field))

// One EAX-first list of "mov reg, [abs]" (load) and "mov [abs], reg" opcodes; ESP last.
static inline uint8_t *host32_emit_regs(uint8_t *p, bool load)
{
    for (unsigned i = 0; i < 9; i++) {
        unsigned reg = i < 4 ? i : i == 8 ? 4 : i;
        if (i == 4)
            continue;
        *p++ = load ? 0x8b : 0x89;
        *p++ = (uint8_t)(0x05 | reg << 3);
        store_le32(p, HOST32_FIELD(regs) + 4 * reg);
        p += 4;
    }
    return p;
}

// Takes the signals of faults; cmocka puts its own handlers in place before each test, so that the
// test itself calls this.
static inline void host32_catch_faults(struct host32 *host)
{
    stack_t stack = {.ss_sp = host->signal_stack, .ss_size = sizeof host->signal_stack};
    sigaltstack(&stack, NULL);
    struct sigaction action = {.sa_sigaction = host32_on_fault,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    static const int signals[] = {SIGSEGV, SIGFPE, SIGILL, SIGBUS, SIGTRAP};
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        sigaction(signals[i], &action, NULL);
}

// False when the host cannot do it.
static inline bool host32_init(struct host32 *host)
{
    void *area = mmap((void *)(uintptr_t)HOST32_AREA, 8192, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (area != (void *)(uintptr_t)HOST32_AREA)
        return false;
    host->state = host32_state();
    host->code = (uint8_t *)area + 4096;
    return true;
}

// Executes `length` bytes with host->state loaded; the result stands in host->state.
static inline void host32_run(struct host32 *host, const uint8_t *bytes, size_t length)
{
    uint32_t code = HOST32_AREA + 4096;
    uint32_t stack_top = HOST32_FIELD(stack) + 512;
    uint8_t *p = HOST32_EMIT(host->code, "\xbc", stack_top); // mov esp
    if (host->state->has_fx)
        p = HOST32_EMIT(p, "\x0f\xae\x0d", HOST32_FIELD(fxsave)); // fxrstor
    p = HOST32_EMIT(p, "\xff\x35", HOST32_FIELD(eflags));         // push
    *p++ = 0x9d;                                                  // popfd
    p = host32_emit_regs(p, true);
    memcpy(p, bytes, length);
    p += length;
    p = host32_emit_regs(p, false);
    p = HOST32_EMIT(p, "\xbc", stack_top);
    *p++ = 0x9c;                                          // pushfd
    p = HOST32_EMIT(p, "\x8f\x05", HOST32_FIELD(eflags)); // pop
    *p++ = 0xfc;                                          // cld
    if (host->state->has_fx)
        p = HOST32_EMIT(p, "\x0f\xae\x05", HOST32_FIELD(fxsave)); // fxsave
    uint32_t exit64 = code + (uint32_t)(p - host->code) + 7;
    p = HOST32_EMIT(p, "\xea", exit64); // jmp far
    store_le16(p, HOST32_CS64);
    p = HOST32_EMIT(p + 2, "\x48\x8b\x24\x25", HOST32_FIELD(saved_rsp)); // mov rsp
    HOST32_EMIT(p, "\xff\x24\x25", HOST32_FIELD(resume));                // jmp [resume]
    host->state->trap = -1;
    host->state->entry.offset = code;
    host->state->entry.selector = HOST32_CS32;
    host32_enter(&host->state->saved_rsp, &host->state->resume, &host->state->entry);
}

#endif
