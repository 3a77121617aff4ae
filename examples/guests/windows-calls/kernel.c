// SPDX-License-Identifier: MIT
// The kernel of the test guest: as much of a protected-mode system as it takes to run user threads
// that perform Windows system calls: paging, two address spaces with two threads each, SYSENTER and
// INT 2Eh, preemption by the timer, callbacks into user code, demand paging of one image. The
// results of calls are made up, but stand where Windows puts them.
#include "guest.h"

#define KERNEL_MAP  0x80000000u // all of memory, for the kernel
#define FIRST_FRAME 0x00800000u
#define PAGE        4096u

struct frame {
    uint32_t edi, esi, ebp, skipped, ebx, edx, ecx, eax;
    uint32_t fs, kind, eip, cs, eflags, esp, ss;
};

struct thread {
    uint32_t stack[1024];
    uint32_t esp;
    uint32_t process, teb;
    bool alive;
    bool in_callback;
    struct frame saved;
    uint32_t suspend_count;
};

struct process {
    uint32_t directory;
    uint32_t next_handle;
    uint32_t image_size;
    uint32_t memory;
};

struct __attribute__((packed)) table {
    uint16_t limit;
    uint32_t base;
};

extern void sysenter_entry(void), int2e_entry(void), print_entry(void), timer_entry(void),
    fault_entry(void), double_entry(void), first_return(void), callback_entry(void),
    user_start(void);
extern void switch_stack(uint32_t *save, uint32_t load);
extern char user_load[], user_begin[], user_end[];

void kernel_main(uint32_t magic, const uint32_t *info);
void kernel_call(struct frame *f);
void kernel_print(struct frame *f);
void kernel_timer(struct frame *f);
void kernel_fault(struct frame *f);
void kernel_bad(struct frame *f);

static uint64_t gdt[8];
static uint64_t idt[256];
static uint32_t tss[26];
static struct thread threads[THREADS];
static struct process processes[PROCESSES];
static uint32_t current;
static uint32_t next_frame = FIRST_FRAME;
static uint32_t numbers[CALL_COUNT];
static uint32_t callback_number, rounds;
static uint32_t module_start, module_end;
static uint32_t returns;
static bool hostile; // user code gives nonsense: nothing of it is looked at

static void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t inb(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void wrmsr(uint32_t msr, uint32_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"(value), "d"(0));
}

static void print(const char *s)
{
    for (; *s; s++) {
        while (!(inb(0x3fd) & 0x20))
            ;
        outb(0x3f8, (uint8_t)*s);
    }
}

static void leave_emu(uint8_t code)
{
    outb(0xf4, code);
    for (;;)
        __asm__ volatile("cli; hlt");
}

static void bad(const char *what)
{
    print("GUEST FAIL ");
    print(what);
    print("\n");
    leave_emu(1);
}

// ---- Memory

static uint32_t frame_alloc(void)
{
    uint32_t frame = next_frame;
    next_frame += PAGE;
    uint32_t *p = (uint32_t *)(KERNEL_MAP + frame);
    for (unsigned i = 0; i < PAGE / 4; i++)
        p[i] = 0;
    return frame;
}

static void map_page(uint32_t directory, uint32_t address, uint32_t frame)
{
    uint32_t *pd = (uint32_t *)(KERNEL_MAP + directory);
    if (!(pd[address >> 22] & 1))
        pd[address >> 22] = frame_alloc() | 7;
    uint32_t *pt = (uint32_t *)(KERNEL_MAP + (pd[address >> 22] & ~0xfffu));
    pt[address >> 12 & 1023] = frame | 7;
}

static uint32_t directory_new(void)
{
    static uint32_t boot[1024] __attribute__((aligned(4096)));
    uint32_t directory = boot[0] ? frame_alloc() : (uint32_t)boot;
    uint32_t *pd = boot[0] ? (uint32_t *)(KERNEL_MAP + directory) : boot;
    pd[0] = 0x83; // 4 MiB, supervisor
    for (unsigned i = 0; i < 16; i++)
        pd[(KERNEL_MAP >> 22) + i] = i << 22 | 0x83;
    return directory;
}

static void paging_on(uint32_t directory)
{
    uint32_t cr;
    __asm__ volatile("mov %%cr4, %0; or $0x10, %0; mov %0, %%cr4" : "=r"(cr));
    __asm__ volatile("mov %0, %%cr3" : : "r"(directory));
    __asm__ volatile("mov %%cr0, %0; or $0x80010000, %0; mov %0, %%cr0" : "=r"(cr) : : "memory");
}

// ---- Descriptors

static uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t type, uint32_t flags)
{
    uint32_t low = (limit & 0xffff) | base << 16;
    uint32_t high =
        (base >> 16 & 0xff) | type << 8 | (limit & 0xf0000) | flags << 20 | (base & 0xff000000);
    return (uint64_t)high << 32 | low;
}

static void gate(unsigned vector, void (*entry)(void), unsigned dpl)
{
    uint32_t address = (uint32_t)entry;
    idt[vector] = (uint64_t)((address & 0xffff0000) | 0x8e00 | dpl << 13) << 32 | 0x80000 |
                  (address & 0xffff);
}

static void descriptors_load(void)
{
    static uint8_t kpcr[64];
    gdt[1] = descriptor(0, 0xfffff, 0x9b, 0xc);
    gdt[2] = descriptor(0, 0xfffff, 0x93, 0xc);
    gdt[3] = descriptor(0, 0xfffff, 0xfb, 0xc);
    gdt[4] = descriptor(0, 0xfffff, 0xf3, 0xc);
    gdt[5] = descriptor((uint32_t)tss, sizeof tss - 1, 0x89, 0);
    gdt[6] = descriptor((uint32_t)kpcr, sizeof kpcr - 1, 0x93, 4);
    gdt[7] = descriptor(0, 0xfff, 0xf3, 4);
    tss[2] = 0x10;
    struct table g = {sizeof gdt - 1, (uint32_t)gdt}, i = {sizeof idt - 1, (uint32_t)idt};
    __asm__ volatile("lgdt %0; ljmp $8, $1f; 1: mov %1, %%ss; mov %2, %%ds; mov %2, %%es"
                     :
                     : "m"(g), "r"(0x10), "r"(0x23));
    for (unsigned n = 0; n < 32; n++)
        gate(n, double_entry, 0);
    gate(14, fault_entry, 0);
    gate(0x20, timer_entry, 0);
    gate(0x2e, int2e_entry, 3);
    gate(0x80, print_entry, 3);
    __asm__ volatile("lidt %0; ltr %w1" : : "m"(i), "r"(0x28));
    wrmsr(0x174, 8);
    wrmsr(0x176, (uint32_t)sysenter_entry);
}

static void timer_on(void)
{
    outb(0x20, 0x11), outb(0xa0, 0x11);
    outb(0x21, 0x20), outb(0xa1, 0x28);
    outb(0x21, 4), outb(0xa1, 2);
    outb(0x21, 1), outb(0xa1, 1);
    outb(0x21, 0xfe), outb(0xa1, 0xff);
    outb(0x43, 0x34);
    outb(0x40, 0xa9), outb(0x40, 4); // 1 kHz
}

// ---- Threads

static void thread_enter(uint32_t n)
{
    struct thread *t = &threads[n];
    current = n;
    tss[1] = (uint32_t)(t->stack + 1024);
    wrmsr(0x175, tss[1]);
    gdt[7] = descriptor(t->teb, 0xfff, 0xf3, 4);
    __asm__ volatile("mov %0, %%cr3" : : "r"(processes[t->process].directory) : "memory");
}

static void schedule(void)
{
    uint32_t old = current, next = current;
    do
        next = (next + 1) % THREADS;
    while (!threads[next].alive && next != old);
    if (!threads[next].alive)
        leave_emu(0);
    if (next == old)
        return;
    thread_enter(next);
    switch_stack(&threads[old].esp, threads[next].esp);
}

static void thread_new(uint32_t n)
{
    struct thread *t = &threads[n];
    uint32_t process = n / THREADS_EACH, directory = processes[process].directory;
    uint32_t stack = STACK_BASE + n * 4 * PAGE;
    uint32_t frame = frame_alloc();
    struct teb *teb = (struct teb *)(KERNEL_MAP + frame);
    t->process = process;
    t->teb = TEB_BASE - n * PAGE;
    t->alive = true;
    map_page(directory, t->teb, frame);
    for (unsigned i = 0; i < 4; i++)
        map_page(directory, stack + i * PAGE, frame_alloc());
    for (unsigned i = 0; i < 2; i++)
        map_page(directory, SCRATCH_BASE + (n * 2 + i) * PAGE, frame_alloc());
    teb->self = t->teb;
    teb->stack_base = stack + 4 * PAGE;
    teb->stack_limit = stack;
    teb->process_id = 100 + 4 * process;
    teb->thread_id = 200 + 4 * n;
    teb->peb = PEB_BASE;
    teb->context = directory;
    teb->index = n;
    teb->rounds = rounds;
    teb->hostile = hostile;
    teb->has_image = module_end > module_start;
    teb->callback_number = callback_number;
    for (unsigned i = 0; i < CALL_COUNT; i++)
        teb->number[i] = numbers[i];
    struct frame *f = (struct frame *)(t->stack + 1024) - 1;
    *f = (struct frame){.eax = n,
                        .fs = 0x3b,
                        .eip = (uint32_t)user_start,
                        .cs = 0x1b,
                        .eflags = 0x3202,
                        .esp = stack + 4 * PAGE - 64,
                        .ss = 0x23};
    uint32_t *s = (uint32_t *)f;
    *--s = (uint32_t)first_return;
    s -= 4;
    t->esp = (uint32_t)s;
}

// A PEB and an empty list of modules, where the loader's is.
static void peb_new(uint32_t directory)
{
    uint32_t frame = frame_alloc(), *peb = (uint32_t *)(KERNEL_MAP + frame);
    map_page(directory, PEB_BASE, frame);
    peb[0x0c / 4] = PEB_BASE + 0x100;
    peb[0x10c / 4] = peb[0x110 / 4] = PEB_BASE + 0x10c;
}

// ---- Faults, timer, print

// One page of the module, as a section of it looks in memory.
static void image_page(uint32_t directory, uint32_t rva)
{
    const uint8_t *file = (const uint8_t *)(KERNEL_MAP + module_start);
    const uint8_t *pe = file + *(const uint32_t *)(file + 0x3c);
    uint32_t frame = frame_alloc(), from = 0, length = 0;
    uint32_t headers = *(const uint32_t *)(pe + 24 + 60);
    uint16_t sections = *(const uint16_t *)(pe + 6);
    const uint32_t *s = (const uint32_t *)(pe + 24 + *(const uint16_t *)(pe + 20));
    if (rva < headers) {
        from = rva;
        length = headers - rva;
    }
    for (unsigned i = 0; i < sections; i++, s += 10) {
        if (rva >= s[3] && rva - s[3] < s[4]) {
            from = s[5] + (rva - s[3]);
            length = s[4] - (rva - s[3]);
        }
    }
    uint8_t *to = (uint8_t *)(KERNEL_MAP + frame);
    for (uint32_t i = 0; i < length && i < PAGE; i++)
        to[i] = file[from + i];
    map_page(directory, IMAGE_BASE + rva, frame);
}

void kernel_fault(struct frame *f)
{
    uint32_t address;
    __asm__ volatile("mov %%cr2, %0" : "=r"(address));
    struct process *p = &processes[threads[current].process];
    if (p->image_size && address - IMAGE_BASE < p->image_size)
        image_page(p->directory, (address - IMAGE_BASE) & ~(PAGE - 1));
    else if (address - MEMORY_BASE < p->memory)
        map_page(p->directory, address & ~(PAGE - 1), frame_alloc());
    else
        bad("page fault");
}

void kernel_timer(struct frame *f)
{
    outb(0x20, 0x20);
    schedule();
}

void kernel_print(struct frame *f)
{
    print((const char *)f->eax);
}

void kernel_bad(struct frame *f)
{
    bad("exception");
}

// ---- Calls

static uint32_t handle_new(struct process *p)
{
    return p->next_handle += 4;
}

static uint32_t open_file(struct process *p, const uint32_t *a, uint32_t information)
{
    const uint32_t *attributes = (const uint32_t *)a[2];
    uint32_t *iosb = (uint32_t *)a[3];
    const uint16_t *name = (const uint16_t *)((const uint32_t *)attributes[2])[1];
    if (name[4] == '?')
        return 0xc0000033; // STATUS_OBJECT_NAME_INVALID
    *(uint32_t *)a[0] = handle_new(p);
    iosb[0] = 0;
    iosb[1] = information;
    return 0;
}

static uint32_t read_file(const uint32_t *a)
{
    static const char text[] = "line one\nline \"two\"\n";
    uint32_t *iosb = (uint32_t *)a[4], n = 0;
    if (a[0] == 0xbad)
        return 0xc0000008;
    if (a[1])
        return 0x103;
    for (; n < a[6] && n < sizeof text - 1; n++)
        ((char *)a[5])[n] = text[n];
    iosb[0] = 0;
    iosb[1] = n;
    return 0;
}

static uint32_t map_view(struct process *p, const uint32_t *a)
{
    if (module_end > module_start) {
        const uint8_t *file = (const uint8_t *)(KERNEL_MAP + module_start);
        p->image_size = *(const uint32_t *)(file + *(const uint32_t *)(file + 0x3c) + 24 + 56);
    }
    *(uint32_t *)a[2] = IMAGE_BASE;
    *(uint32_t *)a[6] = p->image_size ? p->image_size : 0x8000;
    return 0x40000003; // STATUS_IMAGE_NOT_AT_BASE
}

static uint32_t allocate_memory(struct process *p, const uint32_t *a)
{
    uint32_t *base = (uint32_t *)a[1], *size = (uint32_t *)a[3];
    *size = (*size + PAGE - 1) & ~(PAGE - 1);
    *base = MEMORY_BASE + p->memory;
    p->memory += *size;
    return 0;
}

static uint32_t query_process(struct frame *f, const uint32_t *a)
{
    uint32_t *out = (uint32_t *)a[2], length = 4;
    const uint32_t *teb = (const uint32_t *)threads[current].teb;
    struct thread *t = &threads[current];
    if (a[1] == 0) {
        uint32_t basic[6] = {0x103, 0x7ffdf000, 1, 8, teb[8], 4};
        length = sizeof basic;
        if (a[3] != length)
            return 0xc0000004;
        for (unsigned i = 0; i < 6; i++)
            out[i] = basic[i];
    } else if (a[1] == 27) {
        static const char name[] = "\\Device\\HarddiskVolume1\\t.exe";
        length = 8 + 2 * sizeof name;
        out[0] = (2 * sizeof name) << 16 | (2 * (sizeof name - 1));
        out[1] = (uint32_t)(out + 2);
        for (unsigned i = 0; i < sizeof name; i++)
            ((uint16_t *)(out + 2))[i] = (uint8_t)name[i];
    } else {
        out[0] = 0x1234abcd;
    }
    if (a[4])
        *(uint32_t *)a[4] = length;
    if (a[1] == 36 && !t->in_callback) { // calls back into user code before it returns
        t->saved = *f;
        t->in_callback = true;
        f->eip = (uint32_t)callback_entry;
        f->esp -= 512;
        f->kind = 0;
    }
    return 0;
}

// A process ends when its other threads have, so that none is cut off in the middle of a line.
static bool others_alive(void)
{
    for (uint32_t n = 0; n < THREADS; n++)
        if (n != current && threads[n].process == threads[current].process && threads[n].alive)
            return true;
    return false;
}

static uint32_t terminate(uint32_t id)
{
    while (id == ID_NtTerminateProcess && others_alive())
        schedule();
    for (uint32_t n = 0; n < THREADS; n++)
        if (id == ID_NtTerminateThread ? n == current
                                       : threads[n].process == threads[current].process)
            threads[n].alive = false;
    for (uint32_t n = 0; n < THREADS; n++)
        if (threads[n].alive)
            return 0;
    print("GUEST PASS\n");
    leave_emu(0);
    return 0;
}

static uint32_t perform_other(struct frame *f, struct process *p, uint32_t id, const uint32_t *a)
{
    struct thread *t = &threads[current];
    uint32_t *count = (uint32_t *)a[1];
    switch (id) {
    case ID_NtOpenProcessToken:
        *(uint32_t *)a[2] = handle_new(p);
        return 0;
    case ID_NtOpenThreadToken:
        return 0xc000007c; // STATUS_NO_TOKEN
    case ID_NtDuplicateObject:
        if (a[3])
            *(uint32_t *)a[3] = handle_new(p);
        return 0;
    case ID_NtSuspendThread:
        *count = t->suspend_count++;
        return 0;
    case ID_NtResumeThread:
        if (count)
            *count = t->suspend_count;
        t->suspend_count -= t->suspend_count > 0;
        return 0;
    case ID_NtAllocateUserPhysicalPages:
        *count = 2;
        ((uint32_t *)a[2])[0] = 0x1234;
        ((uint32_t *)a[2])[1] = 0x1240;
        return 0;
    case ID_NtAllocateVirtualMemory:
        return allocate_memory(p, a);
    case ID_NtQueryInformationProcess:
        return query_process(f, a);
    case ID_NtTerminateThread:
    case ID_NtTerminateProcess:
        if (id == ID_NtTerminateProcess && a[0] != 0xffffffff)
            return 0;
        return terminate(id);
    default:
        return 0; // NtUnmapViewOfSection, NtResumeProcess, NtSuspendProcess
    }
}

static uint32_t perform(struct frame *f, struct process *p, uint32_t id, const uint32_t *a)
{
    switch (id) {
    case ID_NtCreateFile:
        return open_file(p, a, 2);
    case ID_NtOpenFile:
        return open_file(p, a, 1);
    case ID_NtReadFile:
        return read_file(a);
    case ID_NtWriteFile:
        ((uint32_t *)a[4])[0] = 0;
        ((uint32_t *)a[4])[1] = a[6];
        return 0;
    case ID_NtClose:
        return a[0] == 0xdead ? 0xc0000008 : 0;
    case ID_NtMapViewOfSection:
        return map_view(p, a);
    case ID_NtCreateThread:
        ((uint32_t *)a[4])[0] = 100;
        ((uint32_t *)a[4])[1] = 300;
        *(uint32_t *)a[0] = handle_new(p);
        return 0;
    case ID_NtCreateSection:
    case ID_NtOpenSection:
    case ID_NtCreateProcess:
    case ID_NtCreateProcessEx:
    case ID_NtOpenProcess:
    case ID_NtOpenThread:
        *(uint32_t *)a[0] = handle_new(p);
        return 0;
    default:
        return perform_other(f, p, id, a);
    }
}

static uint32_t nonsense_status(void)
{
    static const uint32_t statuses[] = {0, 0x103, 0x80000005, 0xc0000005, 0x40000003, 0x12345678};
    static uint32_t seed;
    seed = seed * 1664525 + 1013904223;
    return statuses[(seed >> 16) % 6];
}

void kernel_call(struct frame *f)
{
    struct thread *t = &threads[current];
    uint32_t number = f->eax & 0x3fff, id = 0;
    const uint32_t *arguments = (const uint32_t *)(f->kind == 1 ? f->edx + 8 : f->edx);
    if (number == callback_number && t->in_callback) {
        *f = t->saved;
        f->eax = 0;
        f->kind = 0;
        t->in_callback = false;
    } else {
        while (id < CALL_COUNT && numbers[id] != number)
            id++;
        if (f->kind == 1 && ++returns % 3 == 0)
            f->kind = 0; // Windows, too, leaves some by IRET
        if (hostile && id != ID_NtTerminateThread && id != ID_NtTerminateProcess)
            f->eax = nonsense_status();
        else if (id < CALL_COUNT)
            f->eax = perform(f, &processes[t->process], id, arguments);
        else
            f->eax = 0xc000001c;
    }
    schedule();
}

// ---- Start

static const char *word_after(const char *line, const char *key)
{
    for (; *line; line++) {
        const char *l = line, *k = key;
        while (*k && *l == *k)
            l++, k++;
        if (!*k)
            return l;
    }
    return 0;
}

static void choose_version(const char *line)
{
#define COLUMN(call, xp, seven, eight, eight_one) {xp, seven, eight, eight_one},
    static const uint16_t all[CALL_COUNT][4] = {CALLS(COLUMN)};
    const char *v = word_after(line, "version=");
    unsigned column = !v || *v == 'x' ? 0 : *v == '7' ? 1 : v[1] == '.' ? 3 : 2;
    for (unsigned i = 0; i < CALL_COUNT; i++)
        numbers[i] = all[i][column];
    callback_number = 0x1fff;
    hostile = word_after(line, "hostile=") != 0;
    const char *busy = word_after(line, "busy=");
    while (busy && *busy >= '0' && *busy <= '9')
        rounds = rounds * 10 + (uint32_t)(*busy++ - '0');
}

void kernel_main(uint32_t magic, const uint32_t *info)
{
    choose_version((const char *)info[4]);
    if (info[0] & 8 && info[5]) {
        module_start = ((const uint32_t *)info[6])[0];
        module_end = ((const uint32_t *)info[6])[1];
        if (module_end > next_frame)
            next_frame = (module_end + PAGE - 1) & ~(PAGE - 1);
    }
    descriptors_load();
    paging_on(directory_new());
    for (unsigned i = 0; i < PROCESSES; i++) {
        processes[i] = (struct process){.directory = directory_new(), .next_handle = 0x40 * i};
        peb_new(processes[i].directory);
        for (char *at = user_begin; at < user_end; at += PAGE)
            map_page(processes[i].directory, (uint32_t)at,
                     (uint32_t)(user_load + (at - user_begin)));
    }
    for (uint32_t n = 0; n < THREADS; n++)
        thread_new(n);
    timer_on();
    thread_enter(0);
    uint32_t unused;
    switch_stack(&unused, threads[0].esp);
}
