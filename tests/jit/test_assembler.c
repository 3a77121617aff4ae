// SPDX-License-Identifier: MIT
// Each encoding form of the assembler, read back by the disassembler.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#include "base/disassemble.h"
#include "jit/assembler_x64.h"

static uint8_t buffer[64];

static struct x64 start(void)
{
    memset(buffer, 0, sizeof buffer);
    return (struct x64){.at = buffer, .end = buffer + sizeof buffer};
}

// One instruction was emitted and reads as `text`; relative targets count from 0.
static void expect(const struct x64 *a, const char *text)
{
    char got[128];
    size_t length = (size_t)(a->at - buffer);
    unsigned decoded = disassemble(DISASSEMBLE_64, 0, buffer, length, got, sizeof got);
    if (decoded != length || strcmp(got, text) != 0) {
        print_error("expected '%s', got '%s' (%u of %zu bytes)\n", text, got, decoded, length);
        fail();
    }
}

static const char *const names64[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
static const char *const names32[16] = {"eax",  "ecx",  "edx",  "ebx", "esp",  "ebp",
                                        "esi",  "edi",  "r8d",  "r9d", "r10d", "r11d",
                                        "r12d", "r13d", "r14d", "r15d"};

static void test_register_forms(void **state)
{
    char text[128];
    for (unsigned reg = 0; reg < 16; reg++) {
        for (unsigned rm = 0; rm < 16; rm++) {
            struct x64 a = start();
            x64_rr(&a, 0x01, reg, rm);
            snprintf(text, sizeof text, "add %s, %s", names32[rm], names32[reg]);
            expect(&a, text);
            a = start();
            x64_rr(&a, 0xaf | X64_0F | X64_W, reg, rm);
            snprintf(text, sizeof text, "imul %s, %s", names64[reg], names64[rm]);
            expect(&a, text);
            a = start();
            x64_rorx32(&a, reg, rm, 12);
            snprintf(text, sizeof text, "rorx %s, %s, 0x0C", names32[reg], names32[rm]);
            expect(&a, text);
        }
    }
}

static void test_byte_registers(void **state)
{
    struct x64 a = start();
    x64_rr(&a, 0x88 | X64_BYTE, 7, 4);
    expect(&a, "mov ah, bh");
    a = start();
    x64_rr(&a, 0x88 | X64_BYTE, X64_R11, X64_RAX);
    expect(&a, "mov al, r11b");
    a = start();
    x64_rr(&a, 0xb6 | X64_0F | X64_BYTE_RM, X64_RSI, 5);
    expect(&a, "movzx esi, ch");
}

static void test_memory_forms(void **state)
{
    char text[128];
    static const int32_t displacements[] = {0, 8, -128, 128, 0x12345678};
    for (unsigned base = 0; base < 16; base++) {
        for (unsigned index = 0; index <= 16; index++) {
            if (index == X64_RSP)
                continue;
            for (unsigned d = 0; d < ARRAY_SIZE(displacements); d++) {
                struct x64 a = start();
                int32_t disp = displacements[d];
                struct x64_memory m = x64_indexed(base, index, 2, disp);
                x64_rm(&a, 0x8b, X64_R10, m);
                int n = snprintf(text, sizeof text, "mov r10d, [%s", names64[base]);
                if (index != X64_NONE)
                    n += snprintf(text + n, sizeof text - (size_t)n, "+%s*4", names64[index]);
                if (disp)
                    n += snprintf(text + n, sizeof text - (size_t)n, "%c0x%02X",
                                  disp < 0 ? '-' : '+', (unsigned)(disp < 0 ? -disp : disp));
                snprintf(text + n, sizeof text - (size_t)n, "]");
                expect(&a, text);
            }
        }
    }
    struct x64 a = start();
    x64_rm(&a, 0x8d, X64_RAX, x64_indexed(X64_NONE, X64_RCX, 3, 0x40));
    expect(&a, "lea eax, [rcx*8+0x40]");
    a = start();
    x64_rm(&a, 0x8d, X64_RAX, x64_at(X64_NONE, 0x40));
    expect(&a, "lea eax, [0x0000000000000040]");
}

static void test_prefixes(void **state)
{
    struct x64 a = start();
    x64_rm(&a, 0x58 | X64_0F | X64_F2, 3, x64_indexed(X64_R9, X64_R8, 0, 0));
    expect(&a, "addsd xmm3, [r9+r8*1]");
    a = start();
    x64_rm(&a, 0x89 | X64_66, X64_RAX, x64_at(X64_R13, 0x60));
    expect(&a, "mov [r13+0x60], ax");
    a = start();
    x64_rm(&a, 0xf0 | X64_0F38, X64_RDX, x64_at(X64_RBX, 0));
    expect(&a, "movbe edx, [rbx]");
    a = start();
    x64_rr(&a, 0x0f | X64_0F3A | X64_66, 1, 2);
    x64_imm(&a, 5, 1);
    expect(&a, "palignr xmm1, xmm2, 0x05");
}

static void test_immediates(void **state)
{
    struct x64 a = start();
    x64_alu_imm(&a, 5, X64_W, X64_R12, 64);
    expect(&a, "sub r12, 0x40");
    a = start();
    x64_alu_imm(&a, 7, 0, X64_R10, 0x12345);
    expect(&a, "cmp r10d, 0x12345");
    a = start();
    x64_alu_imm(&a, 4, X64_66, X64_RCX, 0x1234);
    expect(&a, "and cx, 0x1234");
    a = start();
    x64_alu_imm(&a, 0, X64_BYTE, 4, 3);
    expect(&a, "add ah, 0x03");
    a = start();
    x64_mov_imm32(&a, X64_R8, 0x89abcdef);
    expect(&a, "mov r8d, 0x89ABCDEF");
    a = start();
    x64_mov_imm64(&a, X64_RAX, UINT64_C(0x123456789abcdef0));
    expect(&a, "mov rax, 0x123456789ABCDEF0");
    a = start();
    x64_mov_store_imm32(&a, x64_at(X64_R9, 0), 7);
    expect(&a, "mov dword ptr [r9], 0x07");
}

// Where the branch in the buffer leads, from its start.
static ptrdiff_t branch_target(unsigned opcode_bytes)
{
    return (ptrdiff_t)opcode_bytes + 4 + (int32_t)load_le32(buffer + opcode_bytes);
}

static void test_branches(void **state)
{
    struct x64 a = start();
    uint8_t *site = x64_jmp(&a, NULL);
    x64_patch(site, buffer + 40);
    assert_int_equal(branch_target(1), 40);
    a = start();
    x64_jcc(&a, X64_LE, buffer);
    assert_int_equal(branch_target(2), 0);
    assert_int_equal(buffer[1], 0x8e);
    a = start();
    x64_call(&a, buffer + 60);
    assert_int_equal(branch_target(1), 60);
    a = start();
    site = x64_jcc_short(&a, X64_E);
    x64_byte(&a, 0x90);
    x64_bind_short(&a, site);
    assert_int_equal(buffer[1], 1);
    a = start();
    x64_rip(&a, 0x3b | X64_W, X64_R9, buffer + 32, 0);
    assert_int_equal((int32_t)load_le32(buffer + 3) + (a.at - buffer), 32);
    a = start();
    x64_plus_r(&a, 0xc8 | X64_0F, X64_R15);
    expect(&a, "bswap r15d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_register_forms), cmocka_unit_test(test_byte_registers),
        cmocka_unit_test(test_memory_forms),   cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_immediates),     cmocka_unit_test(test_branches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
