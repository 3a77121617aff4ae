// SPDX-License-Identifier: MIT
// Calls of what the mapped module exports, found in its export table as a loader does. Prints what
// a log of API calls has to show: calls and returns.
#include "user.h"

#define API __attribute__((stdcall))

struct process_information {
    uint32_t process, thread, pid, tid;
};

typedef int API create_process(const void *, void *, void *, void *, int, uint32_t, void *,
                               const void *, void *, struct process_information *);
typedef int API create_as_user(uint32_t, const void *, void *, void *, void *, int, uint32_t,
                               void *, const void *, void *, struct process_information *);
typedef uint32_t API one_argument(uint32_t);
typedef uint32_t API two_arguments(uint32_t, uint32_t);
typedef uint32_t API no_argument(void);
typedef uint32_t three_arguments(uint32_t, uint32_t, uint32_t);

static const uint8_t *image_at(uint32_t rva)
{
    return (const uint8_t *)(IMAGE_BASE + rva);
}

static uint32_t word_at(uint32_t rva)
{
    return *(const uint32_t *)image_at(rva);
}

static bool same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static uint32_t export_directory(void)
{
    return word_at(word_at(0x3c) + 24 + 96);
}

static void *by_ordinal(uint32_t ordinal)
{
    uint32_t d = export_directory();
    return (void *)image_at(word_at(word_at(d + 28) + 4 * (ordinal - word_at(d + 16))));
}

static void *by_name(const char *name)
{
    uint32_t d = export_directory(), names = word_at(d + 24);
    for (uint32_t i = 0; i < names; i++) {
        if (!same((const char *)image_at(word_at(word_at(d + 32) + 4 * i)), name))
            continue;
        uint16_t index = *(const uint16_t *)image_at(word_at(d + 36) + 2 * i);
        return (void *)image_at(word_at(word_at(d + 28) + 4 * index));
    }
    say("GUEST FAIL no export", name);
    return 0;
}

#define CALL(...)   say("API", "call kernel32.dll!" __VA_ARGS__)
#define RETURN(...) say("API", "return kernel32.dll!" __VA_ARGS__)
#define BOTH(name_, value_)                                                                        \
    do {                                                                                           \
        CALL(name_ "()");                                                                          \
        RETURN(name_ " = 0x%x", (uint32_t)(value_));                                               \
    } while (0)

static void create_calls(void)
{
    struct process_information pi = {0};
    create_process *create_w = by_name("CreateProcessW"), *create_a = by_name("CreateProcessA");
    create_as_user *as_user = by_name("CreateProcessAsUserW");
    int ok = create_w(u"C:\\app.exe", (void *)u"app.exe \"é 漢\"", 0, 0, 0, 0, 0, 0, 0, &pi);
    BOTH("CreateProcessW", ok);
    say("ID", "API_CREATE_PROCESS C:\\app.exe|app.exe \"é 漢\"|%x %x %u %u|%u", pi.process,
        pi.thread, pi.pid, pi.tid, (uint32_t)ok);
    ok = create_w(0, (void *)u"fails", 0, 0, 0, 0, 0, 0, 0, 0);
    BOTH("CreateProcessW", ok);
    say("ID", "API_CREATE_PROCESS |fails|0 0 0 0|0");
    ok = create_a("b.exe", "b.exe /x", 0, 0, 0, 0, 0, 0, 0, &pi);
    CALL("CreateProcessA()");
    CALL("CreateProcessW()");
    RETURN("CreateProcessW = 0x%x", (uint32_t)ok);
    RETURN("CreateProcessA = 0x%x", (uint32_t)ok);
    say("ID", "API_CREATE_PROCESS b.exe|b.exe /x|%x %x %u %u|%u", pi.process, pi.thread, pi.pid,
        pi.tid, (uint32_t)ok);
    ok = as_user(0x88, u"C:\\user.exe", 0, 0, 0, 0, 0, 0, 0, 0, &pi);
    BOTH("CreateProcessAsUserW", ok);
    say("ID", "API_CREATE_PROCESS_AS_USER C:\\user.exe||%x %x %u %u|%u", pi.process, pi.thread,
        pi.pid, pi.tid, (uint32_t)ok);
}

static void nested_calls(void)
{
    one_argument *recurse = by_name("Recurse");
    two_arguments *outer = by_name("Outer"), *jumps = by_name("Jumps");
    uint32_t result = recurse(3);
    for (unsigned i = 0; i < 4; i++)
        CALL("Recurse()");
    for (unsigned i = 0; i < 4; i++)
        RETURN("Recurse = 0x%x", result - 3 + i);
    result = outer(3, 4);
    CALL("Outer()");
    BOTH("Inner", 12);
    BOTH("Inner", 8);
    RETURN("Outer = 0x%x", result);
    result = jumps(5, 6);
    CALL("Jumps()");
    CALL("Inner()");
    RETURN("Inner = 0x%x", result);
    RETURN("Jumps = 0x%x", result);
}

// A call that is left like a thrown-through frame, then one that returns.
static void left_call(void)
{
    __attribute__((stdcall)) void (*leaves)(void **) = by_name("LeavesBySlot");
    void *slots[3];
    CALL("LeavesBySlot()");
    __asm__ volatile(
        "movl $1f, (%0); mov %%esp, 4(%0); mov %%ebp, 8(%0); push %0; call *%1; nop; 1:"
        :
        : "S"(slots), "D"(leaves)
        : "eax", "ebx", "ecx", "edx", "memory", "cc");
    RETURN("LeavesBySlot = ?");
}

void image_calls(void)
{
    one_argument *leaf = by_name("Leaf"), *ordinal = by_ordinal(77);
    three_arguments *sum = by_name("CdeclSum");
    no_argument *pid = by_name("GetCurrentProcessId");
    create_calls();
    nested_calls();
    left_call();
    for (uint32_t i = 0; i < 3; i++)
        BOTH("Leaf", leaf(i));
    BOTH("CdeclSum", sum(1, 2, 3));
    BOTH("#77", ordinal(1));
    uint32_t id = pid();
    BOTH("GetCurrentProcessId", id);
    say("ID", "API_GET_CUR_PROC_ID %u", id);
}

void image_call_often(void)
{
    one_argument *recurse = (one_argument *)by_name("Recurse");
    for (unsigned i = 0; i < 20; i++)
        recurse(i);
}

// In the loader's list of modules: what a plugin finds that comes later.
void image_enter_in_list(void)
{
    uint32_t *peb = (uint32_t *)PEB_BASE, *entry = peb + 0x200 / 4;
    uint16_t *name = (uint16_t *)(peb + 0x300 / 4);
    static const uint16_t path[] = u"C:\\WINDOWS\\system32\\KERNEL32.dll";
    if (peb[0x10c / 4] != PEB_BASE + 0x10c)
        return;
    for (unsigned i = 0; path[i]; i++)
        name[i] = path[i];
    entry[0] = entry[1] = PEB_BASE + 0x10c;
    entry[0x18 / 4] = IMAGE_BASE;
    entry[0x20 / 4] = word_at(word_at(0x3c) + 24 + 56);
    entry[0x24 / 4] = (sizeof path - 2) << 16 | (sizeof path - 2);
    entry[0x28 / 4] = PEB_BASE + 0x300;
    peb[0x10c / 4] = peb[0x110 / 4] = PEB_BASE + 0x200;
}

void image_exit(void)
{
    one_argument *exit_process = by_name("ExitProcess");
    CALL("ExitProcess()");
    say("ID", "API_EXIT_PROCESS 5");
    say("CALL", "NtTerminateProcess(ProcessHandle=NtCurrentProcess(), ExitStatus=0x00000005) = ?");
    RETURN("ExitProcess = ?");
    exit_process(5);
}
