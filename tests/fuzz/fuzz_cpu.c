// SPDX-License-Identifier: MIT
// Arbitrary bytes as guest code: decoded and disassembled at each offset, then run in an arbitrary
// mode with arbitrary registers by single steps, by the block interpreter or by the translator.
// Checked besides: what the decoder says of a prefix of an instruction fits what it says of the
// whole, and the CPU's state is sane afterwards.
#include "harness.h"

#include <pthread.h>
#include <time.h>

#include "base/disassemble.h"
#include "fuzz.h"
#include "jit/executor.h"

#define HEADER_BYTES 24u
#define MAX_CODE     512u
#define CHUNK        32u // where code goes on after an exception's handler: the next multiple
#define MAX_INSNS    2000u
#define MAX_KICKS    5u
#define KICK_NS      2000000

enum fuzz_mode {
    MODE_REAL,
    MODE_PROTECTED,
    MODE_RING3,
    MODE_PROTECTED16,
    MODE_RING3_16,
    MODE_V86,
    MODE_PAGED,
    MODE_PAGED_RING3,
    MODE_COUNT
};

enum fuzz_run { RUN_STEPS, RUN_BLOCKS, RUN_TRANSLATED, RUN_TRANSLATED_AT_ONCE };

// A string instruction over 4 GiB is interrupted by the machine's events; here by this thread.
struct kicker {
    pthread_mutex_t lock;
    struct cpu *cpu;
    unsigned count;
};

static void *kicker_thread(void *self)
{
    struct kicker *k = self;
    for (;;) {
        nanosleep(&(struct timespec){.tv_nsec = KICK_NS}, NULL);
        pthread_mutex_lock(&k->lock);
        if (k->cpu) {
            k->count++;
            cpu_kick(k->cpu);
        }
        pthread_mutex_unlock(&k->lock);
    }
    return NULL;
}

static struct kicker *kicker_get(void)
{
    static struct kicker kicker = {.lock = PTHREAD_MUTEX_INITIALIZER};
    static pthread_t thread;
    if (!thread)
        FUZZ_CHECK(pthread_create(&thread, NULL, kicker_thread, &kicker) == 0);
    return &kicker;
}

static unsigned kicker_set(struct kicker *k, struct cpu *cpu)
{
    pthread_mutex_lock(&k->lock);
    unsigned count = k->count;
    k->cpu = cpu;
    k->count = 0;
    pthread_mutex_unlock(&k->lock);
    return count;
}

static unsigned kicker_count(struct kicker *k)
{
    pthread_mutex_lock(&k->lock);
    unsigned count = k->count;
    pthread_mutex_unlock(&k->lock);
    return count;
}

static void check_decoder(const uint8_t *code, size_t length, uint32_t features)
{
    char text[128];
    struct insn insn, part;
    for (unsigned big = 0; big < 2; big++) {
        struct decode_mode mode = {.code32 = big, .features = features};
        for (size_t i = 0; i < length; i++) {
            size_t left = length - i;
            enum decode_status status = insn_decode(&mode, code + i, left, &insn);
            FUZZ_CHECK(left < INSN_MAX_LENGTH || status != DECODE_TRUNCATED);
            if (status == DECODE_OK) {
                FUZZ_CHECK(insn.length >= 1 && insn.length <= INSN_MAX_LENGTH);
                FUZZ_CHECK(insn.length <= left && insn.handler);
                FUZZ_CHECK(insn_decode(&mode, code + i, insn.length, &part) == DECODE_OK &&
                           part.length == insn.length && part.row == insn.row);
                FUZZ_CHECK(insn.length == 1 || insn_decode(&mode, code + i, insn.length - 1u,
                                                           &part) == DECODE_TRUNCATED);
            }
            unsigned n = disassemble(big ? DISASSEMBLE_32 : DISASSEMBLE_16, i, code + i, left, text,
                                     i & 1 ? sizeof text : 8);
            FUZZ_CHECK(n >= 1 && n <= left);
        }
    }
}

// Register values that go somewhere: into RAM, to its edges, beyond.
static uint32_t take_register(struct fuzz_input *in)
{
    static const uint32_t values[] = {0,          1,          VM_DATA,    VM_DATA + 0xffd,
                                      VM_CODE,    VM_GDT,     VM_IDT,     VM_TSS,
                                      VM_STACK0,  0xffff,     0x10000,    VM_RAM_SIZE - 2,
                                      0x7fffffff, 0x80000000, 0xffffffff, VM_PAGE_TABLE};
    uint8_t select = fuzz_u8(in);
    return values[select & 15] + (select >> 4);
}

static void enter_real(struct vm *vm)
{
    struct cpu *cpu = vm->cpu;
    cpu->cr0 &= ~(CR0_PE | CR0_PG);
    cpu->idtr = (struct descriptor_table){.base = 0, .limit = 0x3ff};
    cpu->cpl = 0;
    for (unsigned i = 0; i < SEG_COUNT; i++)
        segment_set_real(cpu, (enum segment_index)i, (uint16_t)(0x3000 + i), false);
    segment_set_real(cpu, SEG_CS, VM_CODE >> 4, false);
    segment_set_real(cpu, SEG_SS, 0x7000, false);
    for (unsigned i = 0; i < 256; i++)
        vm_set32(vm, 4 * i, (VM_HANDLERS >> 4) << 16 | i * 16);
}

static void enter_mode(struct vm *vm, enum fuzz_mode mode, uint32_t offset)
{
    struct cpu *cpu = vm->cpu;
    cpu->cr0 |= CR0_PE;
    cpu->idtr = (struct descriptor_table){.base = VM_IDT, .limit = 0x7ff};
    cpu_set_eflags(cpu, cpu_get_eflags(cpu) & ~(FLAG_VM | FLAG_NT | FLAG_RF));
    bool small = mode == MODE_PROTECTED16 || mode == MODE_RING3_16;
    uint32_t eip = small ? offset : VM_CODE + offset;
    uint32_t esp = cpu->regs[REG_ESP];
    switch (mode) {
    case MODE_REAL:
        enter_real(vm);
        eip = offset;
        break;
    case MODE_V86:
        vm_enter_v86(vm, VM_CODE >> 4, (uint16_t)offset, (uint16_t)esp, offset & 3);
        eip = offset;
        break;
    case MODE_PROTECTED16:
        vm_enter(vm, SEL_CODE0_16, SEL_DATA0_16, eip, esp);
        break;
    case MODE_RING3_16:
        vm_enter(vm, SEL_CODE3_16, SEL_DATA3_16, eip, esp);
        break;
    case MODE_RING3:
    case MODE_PAGED_RING3:
        vm_enter(vm, SEL_CODE3, SEL_DATA3, eip, esp);
        break;
    default:
        vm_enter(vm, SEL_CODE0, SEL_DATA0, eip, esp);
        break;
    }
    cpu->eip = eip;
    mmu_set_control(&cpu->mmu, cpu->cr0, cpu->cr3, cpu->cr4, cpu->efer & EFER_NXE,
                    cpu->cr0 & CR0_WP);
    cpu_update_mode(cpu);
}

static void run_steps(struct vm *vm, unsigned limit)
{
    struct cpu *cpu = vm->cpu;
    sigjmp_buf env;
    volatile unsigned done = 0;
    cpu->jump = &env;
    if (sigsetjmp(env, 0) != 0)
        cpu_deliver(cpu);
    while (done < limit) {
        done++;
        cpu_take_pending(cpu);
        if (cpu->activity != CPU_RUNNING)
            break;
        cpu->kicked = 1; // one iteration of a string instruction
        vm_step_raw(vm);
    }
    cpu->jump = NULL;
}

static void run_executor(struct vm *vm, struct executor *ex, struct kicker *kicker, uint64_t target)
{
    struct cpu *cpu = vm->cpu;
    while (cpu->activity == CPU_RUNNING && cpu->instructions < target &&
           kicker_count(kicker) < MAX_KICKS) {
        atomic_store(&cpu->kicked, 0);
        executor_run(ex, target);
    }
}

static void check_state(const struct cpu *cpu)
{
    FUZZ_CHECK(cpu->regs[REG_ZERO] == 0);
    FUZZ_CHECK(cpu->cpl <= 3 && cpu->is_user == (cpu->cpl == 3));
    FUZZ_CHECK(!cpu_is_v86(cpu) || cpu->cpl == 3);
    FUZZ_CHECK(!(cpu->cr0 & CR0_PG) || (cpu->cr0 & CR0_PE));
    FUZZ_CHECK((cpu_get_eflags(cpu) & 0xffc0802au) == FLAG_FIXED);
}

static struct executor *make_executor(struct vm *vm, enum fuzz_run how)
{
    struct error err;
    struct executor *ex = executor_create(vm->cpu, &vm->log, &err);
    FUZZ_CHECK(ex != NULL);
    // A host without what translated code needs interprets.
    if (how != RUN_BLOCKS && executor_set_accel(ex, EXECUTOR_JIT, 1u << 20, &err) &&
        how == RUN_TRANSLATED_AT_ONCE)
        executor_set_threshold(ex, 0);
    return ex;
}

static void set_up(struct vm *vm, struct fuzz_input *in, unsigned mode)
{
    struct cpu *cpu = vm->cpu;
    uint8_t control = fuzz_u8(in);
    uint8_t control4 = fuzz_u8(in);
    cpu->cr0 |= (control & 1 ? CR0_TS : 0) | (control & 2 ? CR0_EM : 0) |
                (control & 4 ? CR0_MP : 0) | (control & 8 ? CR0_AM : 0);
    if (control & 16)
        cpu->cr0 &= ~CR0_NE;
    cpu->cr4 = (control4 & 3) | (control4 & 4 ? CR4_DE : 0) | (control4 & 8 ? CR4_PSE : 0) |
               (control4 & 16 ? CR4_PGE : 0) | (control4 & 32 ? 0 : CR4_OSFXSR) |
               (control4 & 64 ? 0 : CR4_OSXMMEXCPT);
    if (mode == MODE_PAGED || mode == MODE_PAGED_RING3)
        vm_paging(vm);
    cpu_set_eflags(cpu, FLAG_FIXED | (fuzz_u32(in) & 0x243fd5));
    for (unsigned i = 0; i < 8; i++)
        cpu->regs[i] = take_register(in);
    // One descriptor of the guest's own, and breakpoints.
    vm_set32(vm, VM_GDT + SEL_FREE, fuzz_u32(in));
    vm_set32(vm, VM_GDT + SEL_FREE + 4, fuzz_u32(in));
    if (control & 32) {
        cpu->dr[0] = VM_CODE + 16;
        cpu->dr[1] = VM_DATA;
        cpu->dr[7] = DR7_FIXED | 0x00d0000f;
    }
    if (control & 64)
        vm_set16(vm, VM_TSS + 102, 0x68); // an I/O bitmap
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size <= HEADER_BYTES)
        return 0;
    struct fuzz_input in = {data, size, 0};
    uint8_t select = fuzz_u8(&in);
    enum fuzz_run how = select & 3;
    enum fuzz_mode mode = (select >> 2) % MODE_COUNT;
    struct vm *vm = vm_protected((enum cpu_model)(3 - (select >> 5) % 4));
    vm->intr_vector = 0x20;
    set_up(vm, &in, mode);
    size_t length;
    const uint8_t *code = fuzz_bytes(&in, MAX_CODE, &length);
    check_decoder(code, length, vm->cpu->features);
    vm_put(vm, VM_CODE, code, length);
    struct executor *ex = how == RUN_STEPS ? NULL : make_executor(vm, how);
    struct kicker *kicker = kicker_get();
    kicker_set(kicker, vm->cpu);
    for (uint32_t offset = 0;
         offset < length && vm->cpu->activity != CPU_SHUTDOWN && kicker_count(kicker) < MAX_KICKS;
         offset += CHUNK) {
        enter_mode(vm, mode, offset);
        vm->cpu->activity = CPU_RUNNING;
        cpu_set_intr(vm->cpu, offset & CHUNK);
        if (ex)
            run_executor(vm, ex, kicker, vm->cpu->instructions + MAX_INSNS);
        else
            run_steps(vm, MAX_INSNS);
        check_state(vm->cpu);
    }
    kicker_set(kicker, NULL);
    executor_destroy(ex);
    vm_destroy(vm);
    return 0;
}
