// SPDX-License-Identifier: MIT
// The reference: a 32-bit process that runs cases on the host's CPU. It stands alone, without a C
// library, so that FS and GS are free and no 32-bit library is needed. It makes its arena and
// descriptors, then runs each batch that it is told of. Its exit code is 1 when the host cannot.
#include "layout.h"

#include <stddef.h>

#define RUN    0x39410000u // where struct run lies, for the assembler too
#define SHARED 0x58320000u
#define ALIAS  0x64c60000u // where the code page can be written
#define RANDOM 0xd0000000u // from here to the end lies what the kernel put at random places
#define LIMIT  0xffffe000u

enum {
    SYS_EXIT = 1,
    SYS_READ = 3,
    SYS_WRITE = 4,
    SYS_MUNMAP = 91,
    SYS_FTRUNCATE = 93,
    SYS_MPROTECT = 125,
    SYS_RT_SIGACTION = 174,
    SYS_SIGALTSTACK = 186,
    SYS_MMAP2 = 192,
    SYS_SET_THREAD_AREA = 243,
    SYS_MEMFD_CREATE = 356,
};
enum { PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4 };
enum { MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_ANONYMOUS = 0x20, MAP_FIXED_NOREPLACE = 0x100000 };
enum { SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGFPE = 8, SIGSEGV = 11 };
#define SS_AUTODISARM 0x80000000u
enum { SA_SIGINFO = 4, SA_ONSTACK = 0x08000000, SA_NODEFER = 0x40000000 };

// The assembler below knows these offsets.
struct run {
    _Alignas(16) uint8_t fpu_in[512]; // 0
    uint8_t fpu_out[512];             // 512
    uint32_t regs[8];                 // 1024
    uint32_t eflags, eip;             // 1056, 1060
    uint32_t use_fpu, saved_esp;      // 1064, 1068
    uint32_t leave, mxcsr;            // 1072, 1076
    uint16_t segs[USER_SEGS];         // 1080: ES CS SS DS FS GS
    uint16_t reserved[2];
    uint32_t vector, error, cr2;
    uint32_t handled; // it came back by a signal
    struct user_shared *shared;
    _Alignas(16) uint8_t signal_stack[0x8000];
    _Alignas(16) uint8_t stack[0x4000];
};
_Static_assert(sizeof(struct run) == 0xc460, "STACK");
_Static_assert(offsetof(struct run, regs) == 1024 && offsetof(struct run, use_fpu) == 1064 &&
                   offsetof(struct run, leave) == 1072 && offsetof(struct run, segs) == 1080,
               "the assembler's offsets");

int32_t host_syscall(uint32_t number, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e,
                     uint32_t f);
void host_enter(void);  // runs a case; returns when it ended
void host_leave(void);  // where the instruction's successor leads
void host_resume(void); // returns from host_enter
void host_signal(void);
__asm__(".text\n"
        ".globl _start\n"
        "_start:\n and $-16, %esp\n call host_prepare\n"
        " mov $RUN+STACK, %esp\n call host_main\n"
        "host_syscall:\n"
        " push %ebx\n push %esi\n push %edi\n push %ebp\n"
        " mov 20(%esp), %eax\n mov 24(%esp), %ebx\n mov 28(%esp), %ecx\n mov 32(%esp), %edx\n"
        " mov 36(%esp), %esi\n mov 40(%esp), %edi\n mov 44(%esp), %ebp\n"
        " int $0x80\n"
        " pop %ebp\n pop %edi\n pop %esi\n pop %ebx\n ret\n"
        "host_enter:\n"
        " push %ebx\n push %esi\n push %edi\n push %ebp\n"
        " mov %esp, RUN+1068\n"
        " cmpl $0, RUN+1064\n je 1f\n fxrstor RUN\n1:\n"
        " movw RUN+1088, %fs\n movw RUN+1090, %gs\n"
        " movw RUN+1080, %es\n movw RUN+1086, %ds\n"
        " pushl %ss:RUN+1056\n popfl\n"
        " mov %ss:RUN+1024, %eax\n mov %ss:RUN+1028, %ecx\n mov %ss:RUN+1032, %edx\n"
        " mov %ss:RUN+1036, %ebx\n mov %ss:RUN+1040, %esp\n mov %ss:RUN+1044, %ebp\n"
        " mov %ss:RUN+1048, %esi\n mov %ss:RUN+1052, %edi\n"
        " jmp *%ss:RUN+1060\n"
        "host_leave:\n"
        " mov %eax, %ss:RUN+1024\n mov %ecx, %ss:RUN+1028\n mov %edx, %ss:RUN+1032\n"
        " mov %ebx, %ss:RUN+1036\n mov %esp, %ss:RUN+1040\n mov %ebp, %ss:RUN+1044\n"
        " mov %esi, %ss:RUN+1048\n mov %edi, %ss:RUN+1052\n"
        " mov %ss:RUN+1068, %esp\n"
        " pushfl\n popl %ss:RUN+1056\n"
        " pushl $2\n popfl\n"
        " movw %ss, %ss:RUN+1084\n movw %ds, %ss:RUN+1086\n movw %es, %ss:RUN+1080\n"
        " movw %fs, %ss:RUN+1088\n movw %gs, %ss:RUN+1090\n"
        " mov %ss, %eax\n mov %eax, %ds\n mov %eax, %es\n"
        " cmpl $0, RUN+1064\n je host_resume\n"
        " fxsave RUN+512\n fninit\n ldmxcsr RUN+1076\n"
        "host_resume:\n"
        " mov RUN+1068, %esp\n"
        " pop %ebp\n pop %edi\n pop %esi\n pop %ebx\n ret\n"
        "host_signal:\n pushl $2\n popfl\n jmp host_on_signal\n"
        ".equ RUN, 0x39410000\n.equ STACK, 0xc450\n");

void *memcpy(void *to, const void *from, size_t size)
{
    void *result = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
    return result;
}

void *memset(void *to, int value, size_t size)
{
    void *result = to;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
    return result;
}

static struct run *run(void)
{
    return (struct run *)RUN;
}

static _Noreturn void quit(int code)
{
    for (;;)
        host_syscall(SYS_EXIT, (uint32_t)code, 0, 0, 0, 0, 0);
}

static void check(bool ok)
{
    if (!ok)
        quit(1);
}

// The kernel's struct sigcontext_32 behind the first five words of struct ucontext_ia32.
struct context {
    uint32_t ucontext[5];
    uint32_t gs, fs, es, ds;
    uint32_t edi, esi, ebp, esp, ebx, edx, ecx, eax;
    uint32_t trapno, err, eip, cs, eflags, esp_at_signal, ss;
    uint32_t fpstate, oldmask, cr2;
};
#define FPSTATE_FXSAVE 112u // the FXSAVE image in struct _fpstate_32

__attribute__((used)) static void host_on_signal(int number, void *info,
                                                 const struct context *context)
{
    (void)number, (void)info;
    struct run *r = run();
    r->handled = 1;
    const uint32_t regs[8] = {context->eax, context->ecx, context->edx, context->ebx,
                              context->esp, context->ebp, context->esi, context->edi};
    memcpy(r->regs, regs, sizeof regs);
    r->eflags = context->eflags;
    r->eip = context->eip;
    r->vector = context->trapno;
    r->error = context->err;
    r->cr2 = context->cr2;
    r->segs[USER_ES] = (uint16_t)context->es;
    r->segs[USER_SEG_CS] = (uint16_t)context->cs;
    r->segs[USER_SS] = (uint16_t)context->ss;
    r->segs[USER_SEG_DS] = (uint16_t)context->ds;
    r->segs[USER_FS] = (uint16_t)context->fs;
    r->segs[USER_GS] = (uint16_t)context->gs;
    if (r->use_fpu)
        memcpy(r->fpu_out, (const uint8_t *)context->fpstate + FPSTATE_FXSAVE, 512);
    __asm__ volatile("jmp host_resume");
    __builtin_unreachable();
}

static void *map(uint32_t address, uint32_t size, int prot, int flags, int fd, uint32_t page)
{
    int32_t result =
        host_syscall(SYS_MMAP2, address, size, (uint32_t)prot,
                     (uint32_t)flags | (address ? MAP_FIXED_NOREPLACE : 0u), (uint32_t)fd, page);
    check((uint32_t)result < 0xfffff000u && (!address || (uint32_t)result == address));
    return (void *)result;
}

static void make_arena(uint32_t address, int fd, const struct user_shared *shared, bool fill)
{
    uint32_t mapped = address + USER_WRITABLE;
    map(mapped, USER_END - USER_WRITABLE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fill)
        memcpy((void *)mapped, shared->pristine, sizeof shared->pristine);
    // Entered in the page tables now: the error code of the first fault says "not present"
    // otherwise.
    for (uint32_t page = mapped; page < address + USER_END; page += USER_PAGE)
        __atomic_fetch_or((uint8_t *)page, 0, __ATOMIC_SEQ_CST);
    check(host_syscall(SYS_MPROTECT, address + USER_READ_ONLY, USER_PAGE, PROT_READ, 0, 0, 0) == 0);
}

static void make_descriptor(uint32_t selector, uint32_t base, uint32_t limit, uint32_t flags)
{
    // seg_32bit, contents (2 bits), read_exec_only, limit_in_pages, seg_not_present, useable
    uint32_t descriptor[4] = {selector >> 3, base, limit, 0x41u | flags};
    check(host_syscall(SYS_SET_THREAD_AREA, (uint32_t)descriptor, 0, 0, 0, 0, 0) == 0);
}

// With SS_AUTODISARM the kernel does not take an ESP that happens to lie on this stack for a sign
// that it is in use; it must be given again after each signal.
static void arm_signal_stack(void)
{
    uint32_t stack[3] = {(uint32_t)run()->signal_stack, SS_AUTODISARM, sizeof run()->signal_stack};
    check(host_syscall(SYS_SIGALTSTACK, (uint32_t)stack, 0, 0, 0, 0, 0) == 0);
}

static void take_signals(void)
{
    struct {
        uint32_t handler, flags, restorer, mask[2];
    } action = {(uint32_t)host_signal, SA_SIGINFO | SA_ONSTACK | SA_NODEFER, 0, {0, 0}};
    arm_signal_stack();
    static const uint8_t numbers[] = {SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV};
    for (unsigned i = 0; i < sizeof numbers; i++)
        check(host_syscall(SYS_RT_SIGACTION, numbers[i], (uint32_t)&action, 0, 8, 0, 0) == 0);
}

// On the stack that the kernel gave, which is then left.
__attribute__((used)) static void host_prepare(void)
{
    map(RUN, sizeof(struct run), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct run *r = run();
    r->leave = (uint32_t)host_leave;
    r->mxcsr = 0x1f80;
    r->shared = map(SHARED, sizeof(struct user_shared), PROT_READ | PROT_WRITE, MAP_SHARED,
                    USER_FD_SHARED, 0);
    int32_t code = host_syscall(SYS_MEMFD_CREATE, (uint32_t) "code", 0, 0, 0, 0, 0);
    check(code >= 0 && host_syscall(SYS_FTRUNCATE, (uint32_t)code, USER_PAGE, 0, 0, 0, 0) == 0);
    map(ALIAS, USER_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, code, 0);
    map(USER_CODE, USER_PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, code, 0);
    memset((void *)ALIAS, 0xcc, USER_PAGE);
    int32_t fd = host_syscall(SYS_MEMFD_CREATE, (uint32_t) "arena", 0, 0, 0, 0, 0);
    check(fd >= 0 && host_syscall(SYS_FTRUNCATE, (uint32_t)fd, 3 * USER_PAGE, 0, 0, 0, 0) == 0);
    make_arena(USER_HIGH, fd, r->shared, true);
    make_arena(USER_LOW, fd, r->shared, false);
    make_descriptor(USER_SEL_SMALL, USER_SMALL_BASE, USER_SMALL_LIMIT, 0);
    make_descriptor(USER_SEL_READ, USER_READ_BASE, USER_READ_LIMIT, 0x18);
    make_descriptor(USER_SEL_DOWN, USER_DOWN_BASE, USER_DOWN_LIMIT, 0x02);
    take_signals();
}

static void put_code(const struct user_code *code)
{
    uint8_t *at = (uint8_t *)(code->eip - USER_CODE + ALIAS);
    memcpy(at, code->bytes, code->length);
    if (code->trap)
        return;
    static const uint8_t jump[3] = {0x2e, 0xff, 0x25}; // jmp [cs:run.leave]
    uint32_t target = RUN + offsetof(struct run, leave);
    memcpy(at + code->length, jump, 3);
    memcpy(at + code->length + 3, &target, 4);
}

static void remove_code(const struct user_code *code)
{
    uint32_t end = code->eip + code->length + (code->trap ? 0 : 7);
    if (end > USER_CODE + USER_PAGE)
        end = USER_CODE + USER_PAGE;
    memset((void *)(code->eip - USER_CODE + ALIAS), 0xcc, end - code->eip);
}

static void run_case(const struct user_code *code, const struct user_input *in,
                     struct user_output *out)
{
    struct run *r = run();
    uint8_t *arena = (uint8_t *)USER_HIGH;
    const uint8_t *data = in->data;
    for (unsigned i = 0; i < 2; i++) {
        memcpy(arena + in->patches[i].at, data, in->patches[i].length);
        data += in->patches[i].length;
    }
    memcpy(r->regs, in->regs, sizeof r->regs);
    memcpy(r->segs, in->segs, sizeof r->segs);
    r->eflags = in->eflags;
    r->eip = code->eip;
    r->use_fpu = code->fpu;
    if (code->fpu)
        memcpy(r->fpu_in, in->fpu, sizeof r->fpu_in);
    r->vector = 3;
    r->error = 0;
    r->eip = code->eip;
    r->handled = 0;
    host_enter();
    if (r->handled)
        arm_signal_stack();
    memcpy(out->regs, r->regs, sizeof r->regs);
    memcpy(out->segs, r->segs, sizeof r->segs);
    out->eflags = r->eflags;
    out->eip = r->eip;
    out->vector = r->vector;
    out->error = r->error;
    out->cr2 = r->cr2;
    if (code->fpu)
        memcpy(out->fpu, r->fpu_out, 288);
    out->count = 0;
    out->hash = 0;
    for (uint32_t i = 0; i < 2; i++)
        user_collect((uint64_t *)(arena + USER_WRITABLE + i * USER_PAGE),
                     (const uint64_t *)r->shared->pristine[i], USER_WRITABLE + i * USER_PAGE, out);
}

static void run_batch(struct user_batch *batch)
{
    for (uint32_t i = 0; i < batch->codes; i++) {
        // A copy: the process that asked could not change it, but a wild store of the case might.
        struct user_code code = batch->code[i];
        check(code.length <= sizeof code.bytes && code.first <= USER_CASES &&
              code.count <= USER_CASES - code.first);
        bool fits = code.eip + code.length + 7 <= USER_CODE + USER_PAGE;
        check(code.eip >= USER_CODE && (code.trap || fits));
        uint32_t whole = code.length;
        if (code.eip + whole > USER_CODE + USER_PAGE)
            code.length = (uint8_t)(USER_CODE + USER_PAGE - code.eip);
        put_code(&code);
        for (uint32_t n = code.first; n < code.first + code.count; n++) {
            run_case(&code, &batch->in[n], &batch->out[n]);
            struct user_output *out = &batch->out[n];
            if (!code.trap && out->vector == 3 && out->eip == code.eip)
                out->eip += code.length + 1; // as if the INT3 behind it had been reached
        }
        remove_code(&code);
    }
}

__attribute__((used)) static void host_main(void)
{
    uint8_t number = 0xff;
    // Nothing is left that a case could reach in one run and not in the next.
    check(host_syscall(SYS_MUNMAP, RANDOM, LIMIT - RANDOM, 0, 0, 0, 0) == 0);
    check(host_syscall(SYS_WRITE, USER_FD_REPLY, (uint32_t)&number, 1, 0, 0, 0) == 1);
    while (host_syscall(SYS_READ, USER_FD_REQUEST, (uint32_t)&number, 1, 0, 0, 0) == 1) {
        check(number < USER_BATCHES);
        run_batch(&run()->shared->batches[number]);
        check(host_syscall(SYS_WRITE, USER_FD_REPLY, (uint32_t)&number, 1, 0, 0, 0) == 1);
    }
    quit(0);
}
