// SPDX-License-Identifier: MIT
// What plugin "everything" watches in the guest: code and data at fixed addresses, whose every
// instruction, access and system call is known. Each routine has 64 bytes from 0b000000 on; the
// instruction that the plugin acts on is a NOP or named there. Prints what it saw of it.
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define DATA 0x0c000000u

typedef uint32_t routine(void);

// clang-format off
__asm__(".section .probe,\"ax\",@progbits\n"
        "begin:  nop\n ret\n"
        // 100 system calls
        ".org 0x40\n push %ebx\n mov $100, %ebx\n"
        "1: mov $20, %eax\n int $0x80\n dec %ebx\n jnz 1b\n pop %ebx\n ret\n"
        // stores and loads of 4, 1, 2 and 8 bytes, and of 4 across a page
        ".org 0x80\n mov $0x12345678, %eax\n mov %eax, 0x0c000000\n movb $0xab, 0x0c000010\n"
        " movw $0xcdef, 0x0c000020\n mov 0x0c000000, %eax\n movq 0x0c000000, %mm0\n"
        " jmp 1f\n"
        ".org 0xc0\n1: movq %mm0, 0x0c000030\n mov %eax, 0x0c000ffe\n mov 0x0c000ffe, %eax\n emms\n"
        " ret\n"
        // the ADD is skipped
        ".org 0x100\n mov $5, %eax\n add $100, %eax\n ret\n"
        // the NOP raises #UD
        ".org 0x140\n mov $1, %eax\n nop\n mov $2, %eax\n ret\n"
        // the NOP goes to 0b0001a0
        ".org 0x180\n mov $1, %eax\n nop\n mov $2, %eax\n ret\n"
        ".org 0x1a0\n ret\n"
        // the NOP's call returns into EAX
        ".org 0x1c0\n mov $3, %eax\n nop\n ret\n"
        // x87, MMX and SSE registers are read at the NOPs; the last one changes XMM5 and ESI
        ".org 0x200\n push %esi\n fld1\n fldpi\n nop\n fstp %st\n fstp %st\n movq 0x0c000030, %mm2\n"
        " nop\n emms\n jmp 1f\n"
        ".org 0x240\n1: movdqu 0x0c000040, %xmm5\n nop\n movdqu %xmm5, 0x0c000050\n mov %esi, %eax\n"
        " pop %esi\n ret\n"
        // the NOP writes memory
        ".org 0x280\n nop\n mov 0x0c001ffe, %eax\n ret\n"
        // 50 calls, 51 returns, 49 conditional branches taken
        ".org 0x2c0\n mov $50, %ecx\n1: call 2f\n dec %ecx\n jnz 1b\n ret\n2: ret\n"
        // 64 loads, of 64 addresses
        ".org 0x300\n mov $64, %ecx\n1: mov 0x0c002ffc(,%ecx,4), %eax\n dec %ecx\n jnz 1b\n ret\n"
        // the NOP stops the machine
        ".org 0x340\n nop\n ret\n"
        // a page fault that the kernel answers: the page is new
        ".org 0x380\n movl $7, 0x0c004000\n ret\n"
        ".org 0x3c0\n nop\n ret\n" // the end
        ".org 0x400\n nop\n ret\n" // ends the emulator
        ".text\n");
// clang-format on

static uint32_t run(uint32_t at)
{
    return ((routine *)(0x0b000000u + at))();
}

static sigjmp_buf back;

static void on_sigill(int number)
{
    siglongjmp(back, number);
}

int main(int argc, char **argv)
{
    (void)argv;
    setvbuf(stdout, NULL, _IOFBF, 4096);
    if (argc > 1)
        return (int)run(0x400);
    uint8_t *data = mmap((void *)(uintptr_t)DATA, 0x8000, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (data == MAP_FAILED)
        return 1;
    memset(data, 0, 0x4000);
    for (unsigned i = 0; i < 16; i++)
        data[0x40 + i] = (uint8_t)(i * 3);
    for (uint32_t i = 0; i < 64; i++)
        memcpy(data + 0x3000 + 4 * i, &(uint32_t){i * i}, 4);
    run(0);
    printf("PROBE pid %d\n", (int)run(0x40) == getpid());
    printf("PROBE stores %08x\n", run(0x80));
    printf("PROBE skip %u\n", run(0x100));
    signal(SIGILL, on_sigill);
    int caught = sigsetjmp(back, 1);
    printf("PROBE raise %u\n", caught ? (unsigned)caught : run(0x140) + 1000);
    printf("PROBE eip %u\n", run(0x180));
    printf("PROBE result %u\n", run(0x1c0));
    printf("PROBE esi %08x xmm5", run(0x200));
    for (unsigned i = 0; i < 16; i++)
        printf(" %02x", data[0x50 + i]);
    printf("\nPROBE written %08x", run(0x280));
    uint32_t physical;
    memcpy(&physical, data + 0x2100, 4);
    printf(" %08x\n", physical);
    printf("PROBE branches %u\n", run(0x2c0) ? 1u : 0u);
    printf("PROBE loads %u\n", run(0x300));
    run(0x340);
    run(0x380);
    for (volatile unsigned i = 0; i < 2000000; i++) // the clock ticks meanwhile
        ;
    if (fork() == 0) // another address space comes in between
        _exit(0);
    wait(NULL);
    run(0x3c0);
    puts("PROBE done");
    return 0;
}
