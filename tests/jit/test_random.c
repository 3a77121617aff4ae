// SPDX-License-Identifier: MIT
// Random programs on two machines, one interpreted, one translated: registers, flags, memory and
// the instruction count must end equal. A program ends at HLT, at the HLT of an exception's
// handler, or at its instruction count.
#include "../insn/harness.h"

#include "jit/executor.h"

#define PROGRAM_INSNS 40
#define LIMIT         3000u

struct pair {
    bool fpu;
    struct vm *vm[2];
    struct executor *ex[2];
    uint64_t random;
};

static uint32_t next_random(struct pair *p)
{
    p->random ^= p->random << 13;
    p->random ^= p->random >> 7;
    p->random ^= p->random << 17;
    return (uint32_t)(p->random * UINT64_C(0x2545f4914f6cdd1d) >> 29);
}

// Opcodes that neither touch ports and modes nor leave for elsewhere.
static const uint8_t opcodes_1[] = {
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x10, 0x11, 0x12, 0x13,
    0x14, 0x15, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x28, 0x29,
    0x2a, 0x2b, 0x2c, 0x2d, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d,
    0x40, 0x41, 0x43, 0x46, 0x48, 0x4a, 0x4b, 0x4f, 0x50, 0x53, 0x54, 0x56, 0x58, 0x59, 0x5a, 0x60,
    0x68, 0x69, 0x6a, 0x6b, 0x80, 0x81, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x88,
    0x89, 0x8a, 0x8b, 0x8d, 0x8f, 0x90, 0x91, 0x93, 0x96, 0x98, 0x99, 0x9c, 0x9e, 0x9f, 0xa0, 0xa1,
    0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0xb0, 0xb4,
    0xb8, 0xb9, 0xc0, 0xc1, 0xc6, 0xc7, 0xc8, 0xc9, 0xd0, 0xd1, 0xd2, 0xd3, 0xd7, 0xf5, 0xf6, 0xf7,
    0xf8, 0xf9, 0xfc, 0xfe, 0xff, 0x27, 0x37, 0xd4};
static const uint8_t opcodes_0f[] = {0x40, 0x42, 0x44, 0x45, 0x46, 0x4c, 0x4f, 0x90, 0x92, 0x93,
                                     0x94, 0x95, 0x97, 0x9c, 0x9f, 0xa3, 0xa4, 0xa5, 0xab, 0xac,
                                     0xad, 0xaf, 0xb0, 0xb1, 0xb3, 0xb6, 0xb7, 0xba, 0xbb, 0xbc,
                                     0xbd, 0xbe, 0xbf, 0xc0, 0xc1, 0xc7, 0xc8, 0xcb, 0x1f};

static const uint8_t opcodes_simd[] = {
    0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x28, 0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e,
    0x2f, 0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x5b, 0x5c, 0x5d,
    0x5e, 0x5f, 0x60, 0x62, 0x63, 0x64, 0x66, 0x67, 0x69, 0x6b, 0x6c, 0x6e, 0x6f, 0x70, 0x71,
    0x72, 0x73, 0x74, 0x77, 0x7e, 0x7f, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xd1, 0xd4, 0xd5, 0xd6,
    0xd7, 0xdb, 0xe5, 0xe6, 0xe7, 0xeb, 0xed, 0xf4, 0xf5, 0xf6, 0xfc};

// One instruction at `out`; returns its length, 0 when it is none that is wanted.
static unsigned make_insn(struct pair *p, uint8_t *out)
{
    uint8_t b[20];
    unsigned n = 0;
    uint32_t r = next_random(p);
    if (r % 10 == 0)
        b[n++] = 0x66;
    if (r / 16 % 30 == 0)
        b[n++] = r & 1 ? 0x65 : 0x26;
    unsigned start = n;
    if (p->fpu && r / 1024 % 4 < 3) {
        static const uint8_t prefixes[] = {0x66, 0xf2, 0xf3};
        if (r / 4096 % 2) {
            b[n++] = (uint8_t)(0xd8 | (r >> 13 & 7));
        } else {
            if (r >> 14 & 3)
                b[n++] = prefixes[(r >> 14 & 3) - 1];
            start = n;
            b[n++] = 0x0f;
            b[n++] = opcodes_simd[next_random(p) % ARRAY_SIZE(opcodes_simd)];
        }
    } else if (r / 1024 % 5 == 0) {
        b[n++] = 0x0f;
        b[n++] = opcodes_0f[next_random(p) % ARRAY_SIZE(opcodes_0f)];
    } else {
        b[n++] = opcodes_1[next_random(p) % ARRAY_SIZE(opcodes_1)];
    }
    // ModRM mostly with a base of EBX, ESI, EDI, EBP or a register.
    static const uint8_t bases[] = {3, 6, 7, 5, 3, 6, 7, 4};
    unsigned mod = next_random(p) % 3;
    mod = mod == 2 ? 3 : mod;
    unsigned rm = mod == 3 ? next_random(p) & 7 : bases[next_random(p) & 7];
    if (mod == 0 && (rm == 5 || rm == 4))
        mod = 1;
    if ((b[start] == 0xff && (r >> 20 & 6) != 0) || b[start] == 0x8f)
        r = (r & 0xff8fffff) | (b[start] == 0xff && (r & 64) ? 0x600000 : 0);
    b[n++] = (uint8_t)(mod << 6 | (r >> 20 & 7) << 3 | rm);
    for (unsigned i = 0; i < 10; i++)
        b[n + i] = (uint8_t)next_random(p);
    if (rm == 4 && mod != 3)
        b[n] = (uint8_t)((next_random(p) & 1 ? 0x20 : 0x48) | bases[next_random(p) & 3]);
    if (b[start] >= 0xa0 && b[start] <= 0xa3)
        store_le32(b + start + 1, 0x30000 + next_random(p) % 0x30000);
    if (b[start] == 0xc8)
        store_le16(b + start + 1, (uint16_t)(next_random(p) & 63)), b[start + 3] = 0;
    struct insn insn;
    struct decode_mode mode = {.code32 = true, .features = p->vm[0]->cpu->features};
    if (insn_decode(&mode, b, 15, &insn) != DECODE_OK || insn.row == OPCODE_INVALID ||
        (opcode_rows[insn.row].attributes & (ATTR_BRANCH | ATTR_STOP)))
        return 0;
    // Images with the instruction and operand pointers, which translated code does not keep.
    if (opcode_rows[insn.row].operand[0] == OPND_Env ||
        opcode_rows[insn.row].operand[0] == OPND_Fsave)
        return 0;
    memcpy(out, b, insn.length);
    // Multiplications and divisions keep some flags that the manual calls undefined, and nobody
    // keeps these alive before them.
    if ((opcode_rows[insn.row].flags_undefined & FLAG_SF) == 0 || b[start] == 0x37 ||
        (b[start] == 0x0f && (b[start + 1] & 0xfe) == 0xbc))
        return insn.length;
    out[insn.length] = 0x85; // test eax, eax
    out[insn.length + 1] = 0xc0;
    return insn.length + 2u;
}

static void random_state(struct pair *p, uint32_t regs[8])
{
    for (unsigned i = 0; i < 8; i++)
        regs[i] = next_random(p) & 1 ? next_random(p) : next_random(p) & 0xff;
    static const uint8_t pointers[] = {REG_EBX, REG_ESI, REG_EDI, REG_EBP};
    for (unsigned i = 0; i < ARRAY_SIZE(pointers); i++) {
        uint32_t page = 0x31 + next_random(p) % 0x2e;
        uint32_t offset = next_random(p) & 1 ? next_random(p) & 0xfff : 0xff0 + next_random(p) % 32;
        regs[pointers[i]] = page * PAGE_SIZE + offset;
    }
    regs[REG_ESP] = 0x6f000 + (next_random(p) % 64) * 4 + (next_random(p) % 8 == 0);
}

static void random_fpu(struct pair *p, struct fpu_state *fpu)
{
    static const uint16_t controls[] = {0x37f, 0x27f, 0xf7f, 0x7f, 0x77f, 0xb7f, 0x37f, 0x360};
    fpu->control = controls[next_random(p) % 8];
    fpu->status = (uint16_t)(next_random(p) & 0x3800);
    fpu->tags = (uint8_t)next_random(p);
    fpu->mxcsr = 0x1f80 | (next_random(p) & 3) << 13;
    fpu->mxcsr_mask = 0xffff;
    for (unsigned i = 0; i < 8; i++) {
        double value = (double)(int32_t)next_random(p) / (1 + (next_random(p) & 0xfff));
        long double wide = (long double)value;
        memcpy(fpu->st[i].bytes, &wide, 10);
        for (unsigned n = 0; n < 2; n++) {
            double d = (double)(int32_t)next_random(p) / (1 + (next_random(p) & 0xff));
            memcpy(fpu->xmm[i] + 8 * n, &d, 8);
        }
    }
}

static void make_program(struct pair *p, uint8_t *code, bool branches)
{
    uint8_t *at = code;
    for (unsigned i = 0; i < PROGRAM_INSNS; i++) {
        uint32_t r = next_random(p);
        if (branches && r % 8 == 0) {
            *at++ = (uint8_t)(r & 0x100 ? 0xeb : r & 0x200 ? 0xe2 : 0x70 | (r >> 12 & 15));
            *at++ = (uint8_t)((r >> 16) % 48 - (r & 0x800 ? 24 : 0));
        } else if (branches && r % 64 == 1) {
            *at++ = 0xe8;
            store_le32(at, (r >> 16) % 32);
            at += 4;
        } else if (branches && r % 64 == 2) {
            *at++ = 0xc3;
        } else {
            at += make_insn(p, at);
        }
    }
    *at++ = 0xf4;
}

static void run_one(struct pair *p, unsigned which, const uint32_t regs[8], uint32_t flags,
                    const struct fpu_state *fpu)
{
    struct vm *vm = p->vm[which];
    struct cpu *cpu = vm->cpu;
    memcpy(cpu->regs, regs, 8 * sizeof regs[0]);
    cpu->eip = VM_CODE;
    cpu_set_eflags(cpu, FLAG_FIXED | flags);
    cpu->cpl = 0;
    cpu->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    cpu->fpu = *fpu;
    cpu->activity = CPU_RUNNING;
    uint64_t target = clock_is_icount(vm->clock) ? cpu->instructions + LIMIT : UINT64_MAX;
    atomic_store(&cpu->kicked, 0);
    executor_run(p->ex[which], target);
}

// An exception was taken: into its handler, or where that leads after it has been overwritten.
static bool in_handler(const struct cpu *cpu)
{
    return cpu->eip < VM_CODE || cpu->eip >= VM_CODE + 1024;
}

// Frames of exceptions hold flags that nobody was going to read.
static void mask_frames(struct pair *p)
{
    uint32_t top = p->vm[0]->cpu->regs[REG_ESP];
    for (uint32_t at = top; at < top + 64 && at < VM_RAM_SIZE; at++)
        p->vm[1]->ram[at] = p->vm[0]->ram[at];
}

// All but the pointers.
static bool same_fpu(const struct fpu_state *a, const struct fpu_state *b)
{
    if (a->control != b->control || a->status != b->status || a->tags != b->tags ||
        a->mxcsr != b->mxcsr || a->mxcsr_mask != b->mxcsr_mask ||
        memcmp(a->xmm, b->xmm, sizeof a->xmm) != 0)
        return false;
    for (unsigned i = 0; i < 8; i++)
        if (memcmp(a->st[i].bytes, b->st[i].bytes, 10) != 0)
            return false;
    return true;
}

static bool same(struct pair *p)
{
    struct cpu *a = p->vm[0]->cpu, *b = p->vm[1]->cpu;
    if (memcmp(a->regs, b->regs, 8 * sizeof a->regs[0]) != 0 || a->eip != b->eip ||
        a->instructions != b->instructions || a->activity != b->activity)
        return false;
    bool handler = in_handler(a);
    if (handler)
        mask_frames(p);
    // Frames that were begun for a double or triple fault hold such flags too.
    bool faulted = handler || a->activity == CPU_SHUTDOWN;
    if (a->activity == CPU_SHUTDOWN || (handler && (a->eip - VM_HANDLERS) / 16 == EXC_DF))
        memcpy(p->vm[1]->ram, p->vm[0]->ram, VM_RAM_SIZE);
    uint32_t compared = faulted || a->activity == CPU_RUNNING ? 0 : FLAGS_ARITH;
    if ((cpu_get_eflags(a) ^ cpu_get_eflags(b)) & (compared | FLAG_DF))
        return false;
    return same_fpu(&a->fpu, &b->fpu) && memcmp(p->vm[0]->ram, p->vm[1]->ram, VM_RAM_SIZE) == 0;
}

struct program {
    uint8_t code[1024];
    uint32_t regs[8];
    uint32_t flags;
    struct fpu_state fpu;
};

// Twice from the same state: the second time the code is linked and the TLB is full.
static bool run_both(struct pair *p, const struct program *program)
{
    for (unsigned i = 0; i < 2; i++)
        physmem_write(p->vm[i]->mem, VM_CODE, program->code, sizeof program->code);
    for (unsigned round = 0; round < 2; round++) {
        run_one(p, 0, program->regs, program->flags, &program->fpu);
        run_one(p, 1, program->regs, program->flags, &program->fpu);
        if (!same(p))
            return false;
    }
    return true;
}

static void describe_fpu(const struct fpu_state *a, const struct fpu_state *b)
{
    print_error("control %04x %04x status %04x %04x tags %02x %02x mxcsr %04x %04x\n", a->control,
                b->control, a->status, b->status, a->tags, b->tags, a->mxcsr, b->mxcsr);
    for (unsigned i = 0; i < 8; i++) {
        if (memcmp(a->st[i].bytes, b->st[i].bytes, 10) != 0)
            print_error("st%u: %04x%016llx %04x%016llx\n", i, load_le16(a->st[i].bytes + 8),
                        (unsigned long long)load_le64(a->st[i].bytes),
                        load_le16(b->st[i].bytes + 8),
                        (unsigned long long)load_le64(b->st[i].bytes));
        if (memcmp(a->xmm[i], b->xmm[i], 16) != 0)
            print_error("xmm%u: %016llx%016llx %016llx%016llx\n", i,
                        (unsigned long long)load_le64(a->xmm[i] + 8),
                        (unsigned long long)load_le64(a->xmm[i]),
                        (unsigned long long)load_le64(b->xmm[i] + 8),
                        (unsigned long long)load_le64(b->xmm[i]));
    }
}

static void describe(struct pair *p)
{
    describe_fpu(&p->vm[0]->cpu->fpu, &p->vm[1]->cpu->fpu);
    for (unsigned i = 0; i < 2; i++) {
        const struct cpu *cpu = p->vm[i]->cpu;
        print_error("%s: eip %08x eflags %08x instructions %llu activity %d\n",
                    i ? "translated" : "interpreted", cpu->eip, cpu_get_eflags(cpu),
                    (unsigned long long)cpu->instructions, cpu->activity);
        for (unsigned n = 0; n < 8; n++)
            print_error(" %08x", cpu->regs[n]);
        print_error("\n");
    }
    for (uint32_t i = 0; i < VM_RAM_SIZE; i++)
        if (p->vm[0]->ram[i] != p->vm[1]->ram[i])
            print_error("memory %05x: %02x %02x\n", i, p->vm[0]->ram[i], p->vm[1]->ram[i]);
}

// Runs the failing program cut off after each instruction, from the memory it began with.
static void report(struct pair *p, const struct program *program, const uint8_t *before)
{
    struct decode_mode mode = {.code32 = true, .features = p->vm[0]->cpu->features};
    describe(p);
    unsigned at = 0;
    while (at < 1000 && program->code[at] != 0xf4) {
        struct insn insn;
        if (insn_decode(&mode, program->code + at, 15, &insn) != DECODE_OK)
            return;
        struct program cut = *program;
        unsigned next = at + insn.length;
        cut.code[next] = 0xf4;
        for (unsigned i = 0; i < 2; i++) {
            physmem_write(p->vm[i]->mem, 0x30000, before + 0x30000, VM_RAM_SIZE - 0x30000);
            p->vm[i]->cpu->instructions = 0;
        }
        if (!run_both(p, &cut)) {
            print_error("first differs behind %s at %x:", opcode_rows[insn.row].mnemonic, at);
            for (unsigned i = 0; i < next + 64; i++)
                print_error(" %s%02x", i == at ? "| " : i == next ? "# " : "", program->code[i]);
            print_error("\n");
            describe(p);
            return;
        }
        at = next;
    }
    print_error("no difference in its parts\n");
}

static void run_programs(bool icount, bool branches, bool fpu, unsigned count, uint64_t seed)
{
    struct pair p = {.random = seed, .fpu = fpu};
    struct error err;
    for (unsigned i = 0; i < 2; i++) {
        p.vm[i] = vm_protected(CPU_MODEL_PENTIUM4);
        vm_paging(p.vm[i]);
        if (icount)
            clock_set_icount(p.vm[i]->clock, &p.vm[i]->cpu->instructions, 0);
        p.ex[i] = executor_create(p.vm[i]->cpu, &p.vm[i]->log, &err);
    }
    assert_true(executor_set_accel(p.ex[1], EXECUTOR_JIT, 4u << 20, &err));
    executor_set_threshold(p.ex[1], 0);
    for (unsigned i = 0; i < VM_RAM_SIZE - 0x30000 && i < 0x40000; i++)
        p.vm[0]->ram[0x30000 + i] = p.vm[1]->ram[0x30000 + i] = (uint8_t)next_random(&p);
    uint8_t *before = xcalloc(1, VM_RAM_SIZE);
    for (unsigned n = 0; n < count; n++) {
        struct program program = {.flags = next_random(&p) & FLAGS_ARITH};
        make_program(&p, program.code, branches);
        random_state(&p, program.regs);
        random_fpu(&p, &program.fpu);
        memcpy(before, p.vm[0]->ram, VM_RAM_SIZE);
        if (!run_both(&p, &program)) {
            print_error("program %u\n", n);
            report(&p, &program, before);
            fail();
        }
    }
    free(before);
    struct executor_stats stats = executor_get_stats(p.ex[1]);
    assert_true(stats.translated > count / 2);
    for (unsigned i = 0; i < 2; i++) {
        executor_destroy(p.ex[i]);
        vm_destroy(p.vm[i]);
    }
}

static void test_straight(void **state)
{
    run_programs(false, false, false, 6000, 0x1234567);
}

static void test_counted(void **state)
{
    run_programs(true, false, false, 2000, 0x7654321);
}

static void test_branches(void **state)
{
    run_programs(true, true, false, 8000, 0x13572468);
}

static void test_fpu(void **state)
{
    run_programs(false, false, true, 8000, 0x24681357);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_straight),
        cmocka_unit_test(test_counted),
        cmocka_unit_test(test_branches),
        cmocka_unit_test(test_fpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
