// SPDX-License-Identifier: MIT
// Finds the layout of an i386 Linux kernel's task_struct and mm_struct in guest memory, without
// symbols. What is used of the kernel: the idle task is called "swapper/0" (or "swapper"), tasks
// are linked in a circular list whose heads lie at the same place in each task, pid and tgid are
// neighbours, parents and the group leader lie at a fixed distance from each other, the kernel maps
// low memory at a constant distance, and its code reaches the current task through one variable.
// Leaves out: kernels with more than 4 GiB / 4 GiB splits, more than one CPU.
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum {
    SCAN_FIRST = 1 << 20,
    SCAN_CHUNK = 1 << 20,
    TEXT_LAST = 512 << 20, // the kernel's image lies below, wherever it moved itself at random
    COMM_SIZE = 16,
    FIELD_SPAN = 0x1000, // at most so far before comm
    MM_SPAN = 0x200,
    SIGCHLD = 17
};

bool kernel_read(const struct kernel_layout *k, uint32_t vaddr, void *buffer, size_t length)
{
    return vaddr >= k->page_offset &&
           cpu_read_physical(machine_get_cpu(), vaddr - k->page_offset, buffer, length);
}

uint32_t kernel_read32(const struct kernel_layout *k, uint32_t vaddr)
{
    uint32_t value = 0;
    return kernel_read(k, vaddr, &value, sizeof value) ? value : 0;
}

bool kernel_alive(const struct kernel_layout *k)
{
    char comm[COMM_SIZE];
    uint32_t list = k->init_comm + (uint32_t)k->tasks;
    return kernel_read(k, k->init_comm, comm, sizeof comm) && memcmp(comm, "swapper", 7) == 0 &&
           kernel_read32(k, list) != list;
}

bool kernel_comm_valid(const char comm[16])
{
    size_t n = 0;
    while (n < COMM_SIZE && comm[n] >= ' ' && comm[n] <= '~')
        n++;
    return n > 0 && n < COMM_SIZE && comm[n] == '\0';
}

static bool is_comm(const struct kernel_layout *k, uint32_t vaddr)
{
    char comm[COMM_SIZE];
    return kernel_read(k, vaddr, comm, sizeof comm) && kernel_comm_valid(comm);
}

// ---- The list of tasks

// Length of the circular list through the tasks whose comm lies at list - offset; 0: not such a
// list.
static unsigned walk_tasks(const struct kernel_layout *k, uint32_t init_comm, int32_t offset,
                           uint32_t *comms)
{
    uint32_t head = init_comm + (uint32_t)offset, entry = head;
    unsigned n = 0;
    do {
        uint32_t comm = entry - (uint32_t)offset, next = kernel_read32(k, entry);
        if (n >= MAX_TASKS || (next & 3) || next < k->page_offset ||
            kernel_read32(k, next + 4) != entry || !is_comm(k, comm))
            return 0;
        if (comms)
            comms[n] = comm;
        n++;
        entry = next;
    } while (entry != head);
    return n;
}

static bool try_swapper(struct kernel_layout *k, uint32_t physical)
{
    static const uint32_t splits[] = {0xC0000000, 0xB0000000, 0x80000000, 0x78000000, 0x40000000};
    unsigned best = 2;
    for (unsigned s = 0; s < sizeof splits / sizeof *splits; s++) {
        struct kernel_layout trial = {.page_offset = splits[s]};
        uint32_t comm = physical + splits[s];
        for (int32_t offset = -FIELD_SPAN; offset < 0; offset += 4) {
            uint32_t next = kernel_read32(&trial, comm + (uint32_t)offset);
            if (next < splits[s] || next == comm + (uint32_t)offset)
                continue;
            unsigned n = walk_tasks(&trial, comm, offset, NULL);
            if (n > best) {
                best = n;
                k->page_offset = splits[s];
                k->init_comm = comm;
                k->tasks = offset;
            }
        }
    }
    return best > 2;
}

// Notes where in memory the name of an idle task may lie: static data of the kernel, so that it is
// there from the start and stays.
static void find_candidates(struct kernel_layout *k, CPUArchState *cpu)
{
    static const char name[] = "swapper";
    unsigned char *chunk = malloc(SCAN_CHUNK + COMM_SIZE);
    k->candidate_count = 0;
    for (uint32_t at = SCAN_FIRST; chunk && at < TEXT_LAST; at += SCAN_CHUNK) {
        if (!cpu_read_physical(cpu, at, chunk, SCAN_CHUNK))
            break;
        memset(chunk + SCAN_CHUNK, 1, COMM_SIZE);
        const unsigned char *p = chunk;
        while ((p = memmem(p, (size_t)(chunk + SCAN_CHUNK - p), name, 7)) != NULL) {
            size_t offset = (size_t)(p - chunk);
            if (offset % 4 == 0 && (p[7] == 0 || memcmp(p + 7, "/0", 3) == 0) &&
                k->candidate_count < MAX_CANDIDATES)
                k->candidates[k->candidate_count++] = at + (uint32_t)offset;
            p++;
        }
    }
    free(chunk);
}

static bool find_swapper(struct kernel_layout *k)
{
    for (unsigned i = 0; i < k->candidate_count; i++)
        if (try_swapper(k, k->candidates[i]))
            return true;
    return false;
}

// ---- Fields, from what they hold in all tasks

struct task_set {
    const struct kernel_layout *k;
    const uint32_t *comms; // [0] is the idle task
    unsigned count;
};

static uint32_t field(const struct task_set *set, unsigned i, int32_t offset)
{
    return kernel_read32(set->k, set->comms[i] + (uint32_t)offset);
}

static bool is_pid(const struct task_set *set, int32_t offset)
{
    bool init = false;
    if (field(set, 0, offset) != 0 || field(set, 0, offset + 4) != 0)
        return false;
    for (unsigned i = 1; i < set->count; i++) {
        uint32_t pid = field(set, i, offset);
        if (pid == 0 || pid >= 1u << 22 || field(set, i, offset + 4) != pid)
            return false;
        for (unsigned j = 1; j < i && i < 64; j++)
            if (field(set, j, offset) == pid)
                return false;
        init |= pid == 1;
    }
    return init;
}

// All tasks of the list lead their group: the field holds the task's own address.
static bool is_group_leader(const struct task_set *set, int32_t offset, uint32_t *base)
{
    uint32_t distance = set->comms[0] - field(set, 0, offset);
    if (distance > 2 * FIELD_SPAN || distance % 4 || (int32_t)distance < -set->k->tasks ||
        (int32_t)distance == -offset || (int32_t)distance == -offset + 4)
        return false;
    for (unsigned i = 1; i < set->count; i++)
        if (set->comms[i] - field(set, i, offset) != distance)
            return false;
    // real_parent lies 24 bytes before: the idle task is its own, and init's.
    uint32_t idle = set->comms[0] - distance;
    *base = distance;
    return field(set, 0, offset - 24) == idle && field(set, 1, offset - 24) == idle;
}

// mm, followed by active_mm.
static bool is_mm(const struct task_set *set, int32_t offset, int32_t pid)
{
    unsigned users = 0;
    for (unsigned i = 0; i < set->count; i++) {
        uint32_t mm = field(set, i, offset), active = field(set, i, offset + 4);
        uint32_t id = field(set, i, pid);
        if ((mm && (mm < set->k->page_offset || (mm & 3) || active != mm)) ||
            (active && (active < set->k->page_offset || (active & 3))) ||
            (mm && (id == 0 || id == 2)))
            return false;
        users += mm != 0;
        if (id == 1 && !mm)
            return false;
    }
    return users > 0 && users < set->count;
}

static bool is_exit_state(const struct task_set *set, int32_t offset, int32_t pid)
{
    unsigned children = 0;
    for (unsigned i = 0; i < set->count; i++) {
        uint32_t state = field(set, i, offset);
        if (state & ~0x30u || (state == 0 && field(set, i, offset + 4) > 0xFFFF))
            return false;
        uint32_t on_exit = field(set, i, offset + 8);
        if (field(set, i, pid) >= 2 && on_exit != SIGCHLD && on_exit != 0)
            return false;
        children += on_exit == SIGCHLD;
    }
    return children * 2 > set->count;
}

static bool find_fields(struct kernel_layout *k, const struct task_set *set)
{
    int32_t o;
    for (o = k->tasks; o < 0 && !is_pid(set, o); o += 4)
        ;
    if (o >= 0)
        return false;
    k->pid = o;
    for (o = k->pid + 8; o < 0 && !is_group_leader(set, o, &k->base); o += 4)
        ;
    if (o >= 0)
        return false;
    k->group_leader = o;
    return true;
}

static bool find_mm(struct kernel_layout *k, const struct task_set *set)
{
    int32_t o;
    for (o = k->tasks + 8; o < k->pid && !is_mm(set, o, k->pid); o += 4)
        ;
    if (o >= k->pid)
        return false;
    k->mm = o;
    k->exit_state = 0;
    for (o = k->mm + 8; o < k->pid - 8; o += 4)
        if (is_exit_state(set, o, k->pid)) {
            k->exit_state = o;
            break;
        }
    return true;
}

// ---- mm->pgd

// Each address space maps the kernel, whichever is loaded: that of a task that is gone, maybe,
// which the idle task keeps until another one runs.
static bool is_pgd(const struct kernel_layout *k, const struct task_set *set, uint32_t offset)
{
    char here[COMM_SIZE], there[COMM_SIZE];
    bool any = false;
    if (!kernel_read(k, k->init_comm, here, sizeof here))
        return false;
    for (unsigned i = 0; i < set->count; i++) {
        uint32_t mm = field(set, i, k->mm);
        if (!mm)
            continue;
        uint32_t pgd = kernel_read32(k, mm + offset);
        if (pgd <= k->page_offset || (pgd & 0x1F) ||
            context_read(pgd - k->page_offset, k->init_comm, there, sizeof there) < sizeof there ||
            memcmp(here, there, sizeof here) != 0)
            return false;
        any = true;
    }
    return any;
}

static bool find_pgd(struct kernel_layout *k, const struct task_set *set)
{
    for (uint32_t offset = 0; offset < MM_SPAN; offset += 4)
        if (is_pgd(k, set, offset)) {
            k->pgd = offset;
            return true;
        }
    return false;
}

// ---- current_task, from the kernel's code

// Base of the segment through which the kernel reaches its per-CPU variables: FS while it runs,
// else what the descriptor table says of the selector that Linux gives it.
static uint32_t per_cpu_base(CPUArchState *cpu)
{
    enum { SELECTOR = 0xD8 };
    uint8_t d[8] = {0};
    if (cpu_get_register(cpu, EMU_GDT_LIMIT) < SELECTOR + 7 ||
        cpu_read_memory(cpu, cpu_get_register(cpu, EMU_GDT_BASE) + SELECTOR, d, 8) != 8 ||
        !(d[5] & 0x80))
        return 0;
    return (uint32_t)d[2] | (uint32_t)d[3] << 8 | (uint32_t)d[4] << 16 | (uint32_t)d[7] << 24;
}

struct variable {
    uint32_t address, uses;
};

enum { MAX_VARIABLES = 256 };

static bool holds_task(const struct kernel_layout *k, uint32_t variable)
{
    uint32_t task = kernel_read32(k, variable);
    if (task <= k->page_offset || (task & 3))
        return false;
    uint32_t leader = kernel_read32(k, task + k->base + (uint32_t)k->group_leader);
    return leader > k->page_offset && is_comm(k, task + k->base) &&
           kernel_read32(k, leader + k->base + (uint32_t)k->group_leader) == leader;
}

// MOV reg, moffs or MOV reg, [disp32], with FS or (no per-CPU segment) without; `store` the
// reverse.
static bool is_access(const uint8_t *p, bool segment, bool store, uint32_t *address)
{
    if (segment && *p++ != 0x64)
        return false;
    if (p[0] == (store ? 0xA3 : 0xA1)) {
        memcpy(address, p + 1, 4);
        return true;
    }
    if (p[0] != (store ? 0x89 : 0x8B) || (p[1] & 0xC7) != 0x05)
        return false;
    memcpy(address, p + 2, 4);
    return true;
}

static void count_variable(const struct kernel_layout *k, struct variable *table, uint32_t address)
{
    uint32_t i = address * 2654435761u >> 24;
    for (unsigned tries = 0; tries < 32; tries++, i = (i + 1) % MAX_VARIABLES) {
        if (table[i].uses == 0 && !holds_task(k, address))
            return;
        if (table[i].uses == 0)
            table[i].address = address;
        if (table[i].address == address) {
            table[i].uses++;
            return;
        }
    }
}

// Calls for each access in the kernel's image; most of it is code.
static void scan_text(const struct kernel_layout *k, CPUArchState *cpu, bool store, uint32_t base,
                      void (*fn)(void *self, uint32_t at, uint32_t address), void *self)
{
    enum { TAIL = 8 };
    uint8_t *chunk = malloc(SCAN_CHUNK + TAIL);
    uint32_t image = (k->init_comm - k->page_offset) & ~(uint32_t)(SCAN_CHUNK - 1);
    uint32_t first = image > (48u << 20) ? image - (48u << 20) : SCAN_FIRST;
    for (uint32_t at = first; chunk && at < image + (4u << 20); at += SCAN_CHUNK) {
        if (!cpu_read_physical(cpu, at, chunk, SCAN_CHUNK))
            break;
        memset(chunk + SCAN_CHUNK, 0, TAIL);
        for (uint32_t i = 0; i < SCAN_CHUNK; i++) {
            uint32_t address;
            if (is_access(chunk + i, base != 0, store, &address))
                fn(self, k->page_offset + at + i, base + address);
        }
    }
    free(chunk);
}

struct variable_scan {
    const struct kernel_layout *k;
    struct variable table[MAX_VARIABLES];
};

static void on_load(void *self, uint32_t at, uint32_t address)
{
    struct variable_scan *scan = self;
    if (address > scan->k->page_offset && !(address & 3))
        count_variable(scan->k, scan->table, address);
}

static void on_store(void *self, uint32_t at, uint32_t address)
{
    struct kernel_layout *k = self;
    if (address == k->current && k->switch_site_count < MAX_SWITCH_SITES)
        k->switch_sites[k->switch_site_count++] = at;
}

static bool find_current(struct kernel_layout *k, CPUArchState *cpu)
{
    uint32_t base = per_cpu_base(cpu);
    struct variable_scan *scan = calloc(1, sizeof *scan);
    if (!scan)
        return false;
    scan->k = k;
    scan_text(k, cpu, false, base, on_load, scan);
    struct variable best = {0, 0};
    for (unsigned i = 0; i < MAX_VARIABLES; i++)
        if (scan->table[i].uses > best.uses)
            best = scan->table[i];
    free(scan);
    if (best.uses < 8)
        return false;
    k->current = best.address;
    k->switch_site_count = 0;
    scan_text(k, cpu, true, base, on_store, k);
    return true;
}

// ---- Threads

// A list through all threads of `leader` that `thread` is in: thread_group.
bool kernel_find_threads(struct kernel_layout *k, uint32_t leader, uint32_t thread)
{
    uint32_t tgid = kernel_read32(k, leader + k->base + (uint32_t)k->pid + 4);
    for (int32_t o = k->group_leader + 4; o < 0; o += 4) {
        uint32_t head = leader + k->base + (uint32_t)o, entry = head;
        bool seen = false;
        unsigned n = 0;
        do {
            uint32_t next = kernel_read32(k, entry);
            uint32_t comm = entry - (uint32_t)o;
            if (n++ > MAX_TASKS || next <= k->page_offset || (next & 3) ||
                kernel_read32(k, next + 4) != entry ||
                kernel_read32(k, comm + (uint32_t)k->pid + 4) != tgid || !is_comm(k, comm)) {
                n = 0;
                break;
            }
            seen |= comm - k->base == thread;
            entry = next;
        } while (entry != head);
        if (n > 1 && seen) {
            k->thread_list = o;
            return true;
        }
    }
    return false;
}

// ---- All together

bool kernel_discover(struct kernel_layout *k, CPUArchState *cpu, bool scan)
{
    if (k->ready)
        return true;
    if (!(cpu_get_register(cpu, EMU_CR0) & 0x80000000))
        return false;
    // What was found while the kernel was still starting may be a list of something else.
    struct kernel_layout fresh = {.candidate_count = k->candidate_count};
    memcpy(fresh.candidates, k->candidates, sizeof fresh.candidates);
    *k = fresh;
    if (scan)
        find_candidates(k, cpu);
    if (!find_swapper(k))
        return false;
    uint32_t *comms = calloc(MAX_TASKS, sizeof *comms);
    struct task_set set = {k, comms, comms ? walk_tasks(k, k->init_comm, k->tasks, comms) : 0};
    k->ready = set.count >= 3 && find_fields(k, &set) && find_mm(k, &set) && find_pgd(k, &set) &&
               find_current(k, cpu);
    free(comms);
    return k->ready;
}
