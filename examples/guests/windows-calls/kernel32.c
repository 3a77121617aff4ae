// SPDX-License-Identifier: MIT
// A kernel32.dll of our own for the test guest, built by mingw-w64: exports whose calls are easy to
// foretell. Nothing of it is position-dependent.
#include <stdint.h>

#define API               __attribute__((stdcall, noinline))
#define TEB_NUMBERS       0x210 // guest.h
#define TERMINATE_PROCESS 13    // numbers.h
#define DLL_PAGE          __attribute__((section(".text$z"), aligned(4096)))

struct process_information {
    uint32_t process, thread, pid, tid;
};

uint32_t ExportedData = 42;

API int DllMain(void *module, uint32_t reason, void *reserved)
{
    return 1;
}

static int create(struct process_information *pi, uint32_t pid)
{
    if (!pi)
        return 0;
    *pi = (struct process_information){0x70, 0x74, pid, pid + 4};
    return 1;
}

API int CreateProcessW(const void *name, void *line, void *pa, void *ta, int inherit,
                       uint32_t flags, void *env, const void *dir, void *startup,
                       struct process_information *pi)
{
    return create(pi, 1000);
}

// As in Windows, one character set's function calls the other's.
API int CreateProcessA(const void *name, void *line, void *pa, void *ta, int inherit,
                       uint32_t flags, void *env, const void *dir, void *startup,
                       struct process_information *pi)
{
    return CreateProcessW(name, line, pa, ta, inherit, flags, env, dir, startup, pi) != 0;
}

API int CreateProcessAsUserW(uint32_t token, const void *name, void *line, void *pa, void *ta,
                             int inherit, uint32_t flags, void *env, const void *dir, void *startup,
                             struct process_information *pi)
{
    return create(pi, 2000);
}

// The number of NtTerminateProcess differs between versions: the guest's TEB holds it.
API void ExitProcess(uint32_t code)
{
    uint32_t arguments[2] = {0xffffffff, code}, number;
    __asm__ volatile("mov %%fs:(%1), %0" : "=r"(number) : "r"(TEB_NUMBERS + 4 * TERMINATE_PROCESS));
    __asm__ volatile("int $0x2e" : : "a"(number), "d"(arguments) : "memory");
    __builtin_unreachable();
}

API uint32_t GetCurrentProcessId(void)
{
    uint32_t pid;
    __asm__ volatile("mov %%fs:0x20, %0" : "=r"(pid));
    return pid;
}

API uint32_t Recurse(uint32_t depth)
{
    return depth ? Recurse(depth - 1) + 1 : 100;
}

API uint32_t Inner(uint32_t a, uint32_t b)
{
    return a * b;
}

API uint32_t Outer(uint32_t a, uint32_t b)
{
    return Inner(a, b) + Inner(b, 2) + 1;
}

API DLL_PAGE uint32_t Leaf(uint32_t a)
{
    return a ^ 0x55;
}

API uint32_t OnlyByOrdinal(uint32_t a)
{
    return a + 7;
}

__attribute__((noinline)) uint32_t CdeclSum(uint32_t a, uint32_t b, uint32_t c)
{
    return a + b + c;
}

// Does not return: goes where the caller says, as an exception does.
API void LeavesBySlot(void **slots)
{
    __asm__ volatile("mov 4(%0), %%esp; mov 8(%0), %%ebp; jmp *(%0)" : : "a"(slots));
    __builtin_unreachable();
}

// Jumps to Inner: two functions, one return.
__asm__(".globl _Jumps@8\n_Jumps@8:\n    jmp _Inner@8\n");
