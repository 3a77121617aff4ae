// SPDX-License-Identifier: MIT
// What the host cannot show in user mode: branches and their limits, stack sizes, 16-bit code,
// faults that leave everything as it was, and string instructions that stop half way.
#include <setjmp.h>
#include <stdarg.h>

#include "guest32.h"

#include <cmocka.h>

#define STEP(guest, bytes) guest32_step(guest, (const uint8_t *)bytes, sizeof(bytes) - 1)

static int setup(void **state)
{
    *state = guest32_create();
    return 0;
}

static int teardown(void **state)
{
    guest32_destroy(*state);
    return 0;
}

static void test_branches(void **state)
{
    struct guest32 *g = *state;
    struct cpu *cpu = g->cpu;
    cpu->eip = 0x1000;
    assert_int_equal(STEP(g, "\xeb\xfe"), -1); // jmp $
    assert_int_equal(cpu->eip, 0x1000);
    assert_int_equal(STEP(g, "\xe9\x00\x01\x00\x00"), -1);
    assert_int_equal(cpu->eip, 0x1105);
    flags_set(cpu, FLAG_ZF);
    assert_int_equal(STEP(g, "\x74\x10"), -1); // je, taken
    assert_int_equal(cpu->eip, 0x1117);
    assert_int_equal(STEP(g, "\x75\x10"), -1); // jne, not taken
    assert_int_equal(cpu->eip, 0x1119);
    assert_int_equal(STEP(g, "\x0f\x84\x00\x00\x01\x00"), -1);
    assert_int_equal(cpu->eip, 0x1111f);
    assert_int_equal(STEP(g, "\x66\xeb\x00"), -1); // 16-bit operand size truncates
    assert_int_equal(cpu->eip, 0x1122);
    cpu->regs[REG_EBX] = 0x2000;
    store_le32(g->ram + 0x2000, 0x123456);
    assert_int_equal(STEP(g, "\xff\x23"), -1); // jmp [ebx]
    assert_int_equal(cpu->eip, 0x123456);
    assert_int_equal(STEP(g, "\xff\xe3"), -1); // jmp ebx
    assert_int_equal(cpu->eip, 0x2000);
}

// All sixteen conditions of Jcc, SETcc and CMOVcc on all combinations of flags.
static void test_conditions(void **state)
{
    struct guest32 *g = *state;
    struct cpu *cpu = g->cpu;
    for (unsigned image = 0; image < 32; image++) {
        bool cf = image & 1, zf = image & 2, sf = image & 4, of = image & 8, pf = image & 16;
        uint32_t flags = (cf ? FLAG_CF : 0) | (zf ? FLAG_ZF : 0) | (sf ? FLAG_SF : 0) |
                         (of ? FLAG_OF : 0) | (pf ? FLAG_PF : 0);
        const bool expected[8] = {of, cf, zf, cf || zf, sf, pf, sf != of, zf || sf != of};
        for (unsigned code = 0; code < 16; code++) {
            bool taken = expected[code >> 1] != (code & 1);
            flags_set(cpu, flags);
            assert_int_equal(flags_get(cpu), flags);
            uint8_t jcc[15] = {(uint8_t)(0x70 + code), 0x20};
            cpu->eip = 0x1000;
            assert_int_equal(guest32_step(g, jcc, 15), -1);
            assert_int_equal(cpu->eip, taken ? 0x1022 : 0x1002);
            uint8_t setcc[15] = {0x0f, (uint8_t)(0x90 + code), 0xc4};
            cpu->regs[REG_EAX] = 0x12345678;
            assert_int_equal(guest32_step(g, setcc, 15), -1);
            assert_int_equal(cpu->regs[REG_EAX], taken ? 0x12340178 : 0x12340078);
            uint8_t cmov[15] = {0x0f, (uint8_t)(0x40 + code), 0xc1};
            cpu->regs[REG_ECX] = 77;
            assert_int_equal(guest32_step(g, cmov, 15), -1);
            assert_int_equal(cpu->regs[REG_EAX] == 77, taken);
        }
    }
}

static void test_branch_limit(void **state)
{
    struct guest32 *g = *state;
    struct cpu *cpu = g->cpu;
    guest32_set_segment(cpu, SEG_CS, 0, 0xffff, true);
    cpu->regs[REG_ESP] = 0x8000;
    cpu->eip = 0xfff0;
    assert_int_equal(STEP(g, "\xeb\x70"), EXC_GP);
    assert_int_equal(STEP(g, "\xe8\x00\x00\x01\x00"), EXC_GP);
    assert_int_equal(cpu->regs[REG_ESP], 0x8000);
    store_le32(g->ram + 0x8000, 0x10000);
    assert_int_equal(STEP(g, "\xc3"), EXC_GP);
    assert_int_equal(cpu->regs[REG_ESP], 0x8000);
    assert_int_equal(cpu->eip, 0xfff0);
    cpu->regs[REG_ECX] = 5;
    assert_int_equal(STEP(g, "\xe2\x70"), EXC_GP);
    assert_int_equal(cpu->regs[REG_ECX], 5);
    guest32_set_flat(g, true);
}

static void test_loops(void **state)
{
    struct guest32 *g = *state;
    struct cpu *cpu = g->cpu;
    cpu->eip = 0x1000;
    cpu->regs[REG_ECX] = 2;
    assert_int_equal(STEP(g, "\xe2\x10"), -1);
    assert_int_equal(cpu->eip, 0x1012);
    assert_int_equal(STEP(g, "\xe2\x10"), -1); // reaches 0
    assert_int_equal(cpu->eip, 0x1014);
    assert_int_equal(cpu->regs[REG_ECX], 0);
    assert_int_equal(STEP(g, "\xe3\x10"), -1); // jecxz
    assert_int_equal(cpu->eip, 0x1026);
    cpu->regs[REG_ECX] = 0x50000;
    assert_int_equal(STEP(g, "\x67\xe3\x10"), -1); // jcxz
    assert_int_equal(cpu->eip, 0x1039);
    assert_int_equal(STEP(g, "\x67\xe2\x10"), -1); // loop by CX: wraps to FFFF, EIP moves
    assert_int_equal(cpu->regs[REG_ECX], 0x5ffff);
    assert_int_equal(cpu->eip, 0x104c);
    flags_set(cpu, FLAG_ZF);
    assert_int_equal(STEP(g, "\xe0\x10"), -1); // loopne falls through
    assert_int_equal(cpu->eip, 0x104e);
    assert_int_equal(STEP(g, "\xe1\x10"), -1); // loope
    assert_int_equal(cpu->eip, 0x1060);
    assert_int_equal(cpu->regs[REG_ECX], 0x5fffd);
}

static void test_call_ret(void **state)
{
    struct guest32 *g = *state;
    struct cpu *cpu = g->cpu;
    cpu->eip = 0x1000;
    cpu->regs[REG_ESP] = 0x8000;
    assert_int_equal(STEP(g, "\xe8\x00\x01\x00\x00"), -1);
    assert_int_equal(cpu->eip, 0x1105);
    assert_int_equal(cpu->regs[REG_ESP], 0x7ffc);
    assert_int_equal(load_le32(g->ram + 0x7ffc), 0x1005);
    assert_int_equal(STEP(g, "\xc2\x08\x00"), -1);
    assert_int_equal(cpu->eip, 0x1005);
    assert_int_equal(cpu->regs[REG_ESP], 0x8008);
    store_le32(g->ram + 0x7000, 0x5678); // call [esp-1000]: read before the push
    cpu->regs[REG_ESP] = 0x8000;
    assert_int_equal(STEP(g, "\xff\x94\x24\x00\xf0\xff\xff"), -1);
    assert_int_equal(cpu->eip, 0x5678);
    assert_int_equal(load_le32(g->ram + 0x7ffc), 0x100c);
}

// A 16-bit stack segment wraps SP and keeps the upper half of ESP.
static void test_stack16(void **state)
{
    struct guest32 *g = *state;
    struct cpu *cpu = g->cpu;
    guest32_set_segment(cpu, SEG_SS, 0x20000, 0xffff, false);
    cpu->regs[REG_ESP] = 0xabcd0000;
    cpu->regs[REG_EAX] = 0x11223344;
    assert_int_equal(STEP(g, "\x50"), -1);
    assert_int_equal(cpu->regs[REG_ESP], 0xabcdfffc);
    assert_int_equal(load_le32(g->ram + 0x2fffc), 0x11223344);
    assert_int_equal(STEP(g, "\x5b"), -1);
    assert_int_equal(cpu->regs[REG_ESP], 0xabcd0000);
    assert_int_equal(cpu->regs[REG_EBX], 0x11223344);
    cpu->regs[REG_ESP] = 2; // a dword at FFFE crosses the limit
    assert_int_equal(STEP(g, "\x50"), EXC_SS);
    assert_int_equal(cpu->regs[REG_ESP], 2);
    cpu->regs[REG_EBP] = 0x12340100;
    store_le32(g->ram + 0x20100, 0xcafe);
    assert_int_equal(STEP(g, "\xc9"), -1); // leave
    assert_int_equal(cpu->regs[REG_ESP], 0x104);
    assert_int_equal(cpu->regs[REG_EBP], 0xcafe);
    guest32_set_flat(g, true);
}

static void test_pop_memory(void **state)
{
    struct guest32 *g = *state;
    struct cpu *cpu = g->cpu;
    cpu->regs[REG_ESP] = 0x8000;
    store_le32(g->ram + 0x8000, 0xdeadbeef);
    assert_int_equal(STEP(g, "\x8f\x44\x24\x04"), -1); // pop [esp+4]: ESP after the increment
    assert_int_equal(load_le32(g->ram + 0x8008), 0xdeadbeef);
    assert_int_equal(cpu->regs[REG_ESP], 0x8004);
}

static void test_page_faults(void **state)
{
    struct guest32 *g = *state;
    struct cpu *cpu = g->cpu;
    guest32_enable_paging(g);
    guest32_set_page(g, 0x500000, 1); // read-only
    guest32_set_page(g, 0x501000, 0); // absent
    store_le32(g->ram + 0x500000, 5);
    cpu->regs[REG_EBX] = 0x500000;
    cpu->regs[REG_EAX] = 7;
    flags_set(cpu, FLAG_CF);
    assert_int_equal(STEP(g, "\x01\x03"), EXC_PF); // add [ebx], eax
    assert_int_equal(cpu->raised.error_code, PF_PRESENT | PF_WRITE);
    assert_int_equal(cpu->cr2, 0x500000);
    assert_int_equal(flags_get(cpu), FLAG_CF);
    assert_int_equal(STEP(g, "\x0f\xb1\x0b"), EXC_PF); // cmpxchg writes even when unequal
    assert_int_equal(cpu->regs[REG_EAX], 7);
    assert_int_equal(STEP(g, "\x87\x03"), EXC_PF); // xchg
    assert_int_equal(cpu->regs[REG_EAX], 7);
    assert_int_equal(STEP(g, "\x03\x03"), -1); // add eax, [ebx]
    assert_int_equal(cpu->regs[REG_EAX], 12);
    cpu->regs[REG_ESP] = 0x502000;
    assert_int_equal(STEP(g, "\x50"), EXC_PF); // push
    assert_int_equal(cpu->regs[REG_ESP], 0x502000);
    assert_int_equal(cpu->cr2, 0x501ffc);
    assert_int_equal(STEP(g, "\x60"), EXC_PF); // pusha
    assert_int_equal(cpu->regs[REG_ESP], 0x502000);
    assert_int_equal(STEP(g, "\xe8\x00\x00\x00\x00"), EXC_PF); // call
    assert_int_equal(cpu->regs[REG_ESP], 0x502000);
    cpu->regs[REG_EBP] = 0x501000;
    assert_int_equal(STEP(g, "\xc9"), EXC_PF); // leave
    assert_int_equal(cpu->regs[REG_EBP], 0x501000);
    assert_int_equal(cpu->regs[REG_ESP], 0x502000);
    cpu->regs[REG_ESP] = 0x600000;
    assert_int_equal(STEP(g, "\x8f\x03"), EXC_PF); // pop [ebx]
    assert_int_equal(cpu->regs[REG_ESP], 0x600000);
    cpu->regs[REG_ESP] = 0x502010; // enter 1000, 0: the new top of the stack is absent
    cpu->regs[REG_EBP] = 1;
    assert_int_equal(STEP(g, "\xc8\x00\x10\x00"), EXC_PF);
    assert_int_equal(cpu->regs[REG_EBP], 1);
    assert_int_equal(cpu->regs[REG_ESP], 0x502010);
}

// A dword over two pages, the second one missing or read-only: nothing of it is written.
static void test_page_crossing(void **state)
{
    struct guest32 *g = *state;
    struct cpu *cpu = g->cpu;
    guest32_set_page(g, 0x500000, 3);
    guest32_set_page(g, 0x501000, 3);
    store_le32(g->ram + 0x500ffe, 0x10203040);
    cpu->regs[REG_EBX] = 0x500ffe;
    cpu->regs[REG_EAX] = 0x01010101;
    assert_int_equal(STEP(g, "\x01\x03"), -1);
    assert_int_equal(load_le32(g->ram + 0x500ffe), 0x11213141);
    guest32_set_page(g, 0x501000, 1);
    assert_int_equal(STEP(g, "\x01\x03"), EXC_PF);
    assert_int_equal(STEP(g, "\x89\x03"), EXC_PF);
    assert_int_equal(cpu->cr2, 0x501000);
    assert_int_equal(load_le32(g->ram + 0x500ffe), 0x11213141);
    assert_int_equal(STEP(g, "\x8b\x0b"), -1);
    assert_int_equal(cpu->regs[REG_ECX], 0x11213141);
    guest32_set_page(g, 0x501000, 0);
    assert_int_equal(STEP(g, "\x8b\x13"), EXC_PF);
    assert_int_equal(STEP(g, "\x0f\xc7\x0b"), EXC_PF); // cmpxchg8b
}

// A repeated move over page borders that faults in its third page, and goes on after the repair.
static void test_rep_fault(void **state)
{
    struct guest32 *g = *state;
    struct cpu *cpu = g->cpu;
    for (uint32_t i = 0; i < 0x4000; i++)
        g->ram[0x600000 + i] = (uint8_t)(i * 7 + (i >> 8));
    for (uint32_t page = 0x700000; page < 0x705000; page += PAGE_SIZE)
        guest32_set_page(g, page, 3);
    guest32_set_page(g, 0x702000, 1);
    cpu->regs[REG_ESI] = 0x600123;
    cpu->regs[REG_EDI] = 0x700ff1;
    cpu->regs[REG_ECX] = 0x2345;
    cpu->eflags &= ~FLAG_DF;
    assert_int_equal(STEP(g, "\xf3\xa4"), EXC_PF);
    assert_int_equal(cpu->cr2, 0x702000);
    assert_int_equal(cpu->regs[REG_EDI], 0x702000);
    assert_int_equal(cpu->regs[REG_ESI], 0x600123 + 0x100f);
    assert_int_equal(cpu->regs[REG_ECX], 0x2345 - 0x100f);
    guest32_set_page(g, 0x702000, 3);
    assert_int_equal(STEP(g, "\xf3\xa4"), -1);
    assert_int_equal(cpu->regs[REG_ECX], 0);
    assert_memory_equal(g->ram + 0x700ff1, g->ram + 0x600123, 0x2345);
}

// A repeated instruction leaves when the CPU is kicked or single-steps, and can be entered again.
static void test_rep_interrupted(void **state)
{
    struct guest32 *g = *state;
    struct cpu *cpu = g->cpu;
    cpu->regs[REG_EDI] = 0x600000;
    cpu->regs[REG_ECX] = 0x3000;
    cpu->regs[REG_EAX] = 0x5a;
    cpu->eip = 0x1000;
    atomic_store(&cpu->kicked, 1);
    assert_int_equal(STEP(g, "\xf3\xaa"), -1);
    assert_int_equal(cpu->eip, 0x1000);
    assert_in_range(cpu->regs[REG_ECX], 1, 0x2fff);
    unsigned entries = 1;
    while (cpu->eip == 0x1000 && entries++ < 0x3000)
        STEP(g, "\xf3\xaa");
    assert_int_equal(cpu->regs[REG_ECX], 0);
    assert_int_equal(cpu->eip, 0x1002);
    assert_int_equal(g->ram[0x602fff], 0x5a);
    atomic_store(&cpu->kicked, 0);
    cpu->eip = 0x1000;
    cpu->regs[REG_ECX] = 3;
    cpu->eflags |= FLAG_TF;
    assert_int_equal(STEP(g, "\xf3\xaa"), -1);
    assert_int_equal(cpu->eip, 0x1000);
    assert_int_equal(cpu->regs[REG_ECX], 2);
    assert_int_equal(STEP(g, "\xf3\xaa"), -1);
    assert_int_equal(STEP(g, "\xf3\xaa"), -1);
    assert_int_equal(cpu->eip, 0x1002);
    cpu->eflags &= ~FLAG_TF;
}

// Overlapping moves to higher addresses repeat a pattern, element by element.
static void test_overlap(void **state)
{
    struct guest32 *g = *state;
    struct cpu *cpu = g->cpu;
    static const struct {
        const char *bytes;
        size_t length;
        unsigned size;
    } forms[] = {{"\xf3\xa4", 2, 1}, {"\x66\xf3\xa5", 3, 2}, {"\xf3\xa5", 2, 4}};
    static uint8_t expected[0x400];
    for (unsigned form = 0; form < ARRAY_SIZE(forms); form++) {
        for (int distance = -9; distance <= 9; distance++) {
            unsigned size = forms[form].size;
            for (unsigned i = 0; i < sizeof expected; i++)
                expected[i] = g->ram[0x600000 + i] = (uint8_t)(i * 31 + i / 7);
            for (unsigned i = 0; i < 0x40 * size; i += size) {
                uint8_t element[4];
                memcpy(element, expected + 0x100 + i, size);
                memcpy(expected + 0x100 + distance + (int)i, element, size);
            }
            cpu->regs[REG_ESI] = 0x600100;
            cpu->regs[REG_EDI] = 0x600100 + (uint32_t)distance;
            cpu->regs[REG_ECX] = 0x40;
            assert_int_equal(
                guest32_step(g, (const uint8_t *)forms[form].bytes, forms[form].length), -1);
            assert_memory_equal(g->ram + 0x600000, expected, sizeof expected);
        }
    }
}

// 16-bit code: SI, DI, CX and SP wrap, EIP is truncated, offsets wrap at 64 KiB.
static void test_code16(void **state)
{
    struct guest32 *g = *state;
    struct cpu *cpu = g->cpu;
    guest32_set_flat(g, false);
    for (unsigned i = 0; i < SEG_COUNT; i++)
        guest32_set_segment(cpu, (enum segment_index)i, 0x30000, 0xffff, false);
    for (unsigned i = 0; i < 0x20000; i++)
        g->ram[0x30000 + i] = (uint8_t)(i ^ i >> 8);
    cpu->regs[REG_ESI] = 0xaaaafffc;
    cpu->regs[REG_EDI] = 0xbbbb1000;
    cpu->regs[REG_ECX] = 0xcccc0008;
    assert_int_equal(STEP(g, "\xf3\xa4"), -1); // rep movsb: SI wraps to 0
    assert_int_equal(cpu->regs[REG_ESI], 0xaaaa0004);
    assert_int_equal(cpu->regs[REG_EDI], 0xbbbb1008);
    assert_int_equal(cpu->regs[REG_ECX], 0xcccc0000);
    assert_memory_equal(g->ram + 0x31000, g->ram + 0x3fffc, 4);
    assert_memory_equal(g->ram + 0x31004, g->ram + 0x30000, 4);
    cpu->regs[REG_ESI] = 0xfffe;
    cpu->regs[REG_ECX] = 2;
    assert_int_equal(STEP(g, "\x66\xf3\xad"), EXC_GP); // rep lodsd at FFFE crosses the limit
    assert_int_equal(cpu->regs[REG_ECX], 2);
    cpu->regs[REG_EBX] = 0xffff;
    cpu->regs[REG_ESI] = 3;
    assert_int_equal(STEP(g, "\x8a\x00"), -1); // mov al, [bx+si]: address 2
    assert_int_equal(cpu->regs[REG_EAX] & 0xff, g->ram[0x30002]);
    cpu->eip = 0xfff0;
    assert_int_equal(STEP(g, "\xeb\x20"), -1);
    assert_int_equal(cpu->eip, 0x12);
    cpu->regs[REG_ESP] = 0x77770002;
    assert_int_equal(STEP(g, "\xe8\x00\x01"), -1);
    assert_int_equal(cpu->regs[REG_ESP], 0x77770000);
    assert_int_equal(cpu->eip, 0x115);
    assert_int_equal(load_le16(g->ram + 0x30000), 0x15);
    cpu->regs[REG_EAX] = 0x1234ff80;
    assert_int_equal(STEP(g, "\x98"), -1); // cbw
    assert_int_equal(cpu->regs[REG_EAX], 0x1234ff80);
    assert_int_equal(STEP(g, "\x66\x98"), -1); // cwde
    assert_int_equal(cpu->regs[REG_EAX], 0xffffff80);
    guest32_set_flat(g, true);
}

// Rights of segments: reads of absent, writes to read-only and beyond the limit.
static void test_segment_faults(void **state)
{
    struct guest32 *g = *state;
    struct cpu *cpu = g->cpu;
    guest32_set_segment(cpu, SEG_ES, 0x10000, 0xfff, true);
    cpu->regs[REG_EBX] = 0xffd;
    cpu->regs[REG_EAX] = 1;
    assert_int_equal(STEP(g, "\x26\x8b\x0b"), EXC_GP); // mov ecx, es:[ebx]
    assert_int_equal(STEP(g, "\x26\x01\x03"), EXC_GP);
    cpu->regs[REG_EBX] = 0xffc;
    store_le32(g->ram + 0x10ffc, 41);
    assert_int_equal(STEP(g, "\x26\x01\x03"), -1);
    assert_int_equal(load_le32(g->ram + 0x10ffc), 42);
    cpu->regs[REG_EDI] = 0xff0; // rep stosb runs into the limit and keeps what it did
    cpu->regs[REG_ECX] = 0x20;
    assert_int_equal(STEP(g, "\xf3\xaa"), EXC_GP);
    assert_int_equal(cpu->regs[REG_ECX], 0x10);
    assert_int_equal(cpu->regs[REG_EDI], 0x1000);
    guest32_set_flat(g, true);
}

static void test_traps(void **state)
{
    struct guest32 *g = *state;
    struct cpu *cpu = g->cpu;
    assert_int_equal(STEP(g, "\x0f\x0b"), EXC_UD);     // ud2
    assert_int_equal(STEP(g, "\xf0\x90"), EXC_UD);     // lock nop
    assert_int_equal(STEP(g, "\x0f\xff\xc0"), EXC_UD); // ud0
    store_le32(g->ram + 0x9000, (uint32_t)-5);
    store_le32(g->ram + 0x9004, 5);
    cpu->regs[REG_EBX] = 0x9000;
    cpu->regs[REG_EAX] = (uint32_t)-5;
    assert_int_equal(STEP(g, "\x62\x03"), -1); // bound eax, [ebx]
    cpu->regs[REG_EAX] = 6;
    assert_int_equal(STEP(g, "\x62\x03"), EXC_BR);
    flags_set(cpu, FLAG_CF);
    assert_int_equal(STEP(g, "\xd6"), -1); // salc
    assert_int_equal(cpu->regs[REG_EAX], 0xff);
    assert_int_equal(STEP(g, "\x0f\x1f\x00"), -1); // nop [eax] touches no memory
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_branches),       cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_branch_limit),   cmocka_unit_test(test_loops),
        cmocka_unit_test(test_call_ret),       cmocka_unit_test(test_stack16),
        cmocka_unit_test(test_pop_memory),     cmocka_unit_test(test_traps),
        cmocka_unit_test(test_segment_faults), cmocka_unit_test(test_code16),
        cmocka_unit_test(test_overlap),        cmocka_unit_test(test_rep_interrupted),
        cmocka_unit_test(test_page_faults),    cmocka_unit_test(test_page_crossing),
        cmocka_unit_test(test_rep_fault),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
