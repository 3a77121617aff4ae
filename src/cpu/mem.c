// SPDX-License-Identifier: MIT
// Slow paths of cpu/mem.h: page walks, memory-mapped registers, accesses that cross a page, stores
// to pages that code was made from, alignment checking, data breakpoints, PLUGIN_QEMU_MEM_OP. Intel
// SDM vol. 3, sections 4.7, 5.3, 6.15 (#AC), 17.2.
#include "cpu/mem.h"

#include "cpu/debug.h"

// Where one page's part of an access goes.
struct mem_place {
    uint8_t *host; // NULL: through physmem_load/store
    uint64_t physical;
};

static struct mem_place mem_locate(struct cpu *cpu, uint32_t linear, enum mmu_access access,
                                   bool user)
{
    struct mem_place place = {0};
    struct mmu_result result = {0};
    uintptr_t *const *tables = cpu->hook.observe ? cpu->hook.tlb[user] : cpu->mmu.tlb[user];
    uintptr_t addend = tables[access][linear >> PAGE_SHIFT];
    if (addend) { // it is here because it crosses a page, or is observed
        place.host = (uint8_t *)(addend + linear);
        return place;
    }
    if (!mmu_fill(&cpu->mmu, linear, access, user, &place.host, &result))
        cpu_raise_page_fault(cpu, linear, result.error_code);
    place.physical = result.physical;
    return place;
}

static uint64_t place_load(struct cpu *cpu, const struct mem_place *place, unsigned size)
{
    if (place->host) {
        uint64_t value = 0;
        memcpy(&value, place->host, size);
        return value;
    }
    if ((size & (size - 1)) == 0)
        return physmem_load(cpu->mem, place->physical, size);
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= physmem_load(cpu->mem, place->physical + i, 1) << (8 * i);
    return value;
}

static void place_store(struct cpu *cpu, const struct mem_place *place, uint64_t value,
                        unsigned size)
{
    if (place->host) {
        memcpy(place->host, &value, size);
        return;
    }
    if ((size & (size - 1)) == 0) {
        physmem_store(cpu->mem, place->physical, value, size);
        return;
    }
    for (unsigned i = 0; i < size; i++)
        physmem_store(cpu->mem, place->physical + i, value >> (8 * i) & 0xff, 1);
}

// #AC: only at CPL 3, and never for the CPU's own accesses to tables, which are supervisor ones.
static void mem_check_alignment(struct cpu *cpu, uint32_t linear, unsigned size, bool user)
{
    if (user && (linear & (size - 1)) != 0 && (cpu->eflags & FLAG_AC) && (cpu->cr0 & CR0_AM) &&
        cpu->cpl == 3)
        cpu_raise_error(cpu, EXC_AC, 0);
}

// The data tables that the accessors look at are exchanged for empty ones; fills and flushes go on
// in the real ones, which the MMU reaches by itself, and where mem_locate looks.
static void observe_from(struct cpu *cpu, enum mmu_access first, cpu_observer *observe)
{
    struct cpu_hook_state *hook = &cpu->hook;
    for (unsigned user = 0; user < 2; user++) {
        for (unsigned access = MMU_READ; access <= MMU_WRITE; access++) {
            hook->tlb[user][access] = cpu->mmu.tlb[user][access];
            if (access >= first)
                cpu->mmu.tlb[user][access] = mmu_empty_table(&cpu->mmu);
        }
    }
    hook->observe = observe;
    hook->observe_span = NULL;
    hook->whole = 0;
}

void mem_observe_begin(struct cpu *cpu, cpu_observer *observe)
{
    observe_from(cpu, MMU_READ, observe);
}

void mem_observe_stores_begin(struct cpu *cpu, cpu_observer *observe)
{
    observe_from(cpu, MMU_WRITE, observe);
}

void mem_observe_end(struct cpu *cpu)
{
    struct cpu_hook_state *hook = &cpu->hook;
    if (!hook->observe)
        return;
    hook->observe = NULL;
    for (unsigned user = 0; user < 2; user++)
        for (unsigned access = MMU_READ; access <= MMU_WRITE; access++)
            cpu->mmu.tlb[user][access] = hook->tlb[user][access];
}

static inline void mem_observe(struct cpu *cpu, bool is_store, bool done, uint32_t linear,
                               uint64_t value, unsigned size)
{
    if (UNLIKELY(cpu->hook.observe != NULL))
        cpu->hook.observe(cpu, is_store, done, linear, value, size);
}

static void mem_report(struct cpu *cpu, bool is_load, uint32_t linear, uint64_t value,
                       unsigned size)
{
    mem_observe(cpu, !is_load, true, linear, value, size);
    if (!cpu->mem_hooked || !signal_has_subscribers(cpu->signals.mem_op))
        return;
    struct qemu_mem_op_payload payload = {
        .is_load = is_load, .size = (uint8_t)size, .vaddr = linear, .value = value};
    signal_emit(cpu->signals.mem_op, &payload, cpu->host);
}

uint64_t mem_read_slow(struct cpu *cpu, uint32_t linear, unsigned size, bool user)
{
    unsigned room = PAGE_SIZE - (linear & (PAGE_SIZE - 1));
    unsigned first_size = size <= room ? size : room;
    struct mem_place first = mem_locate(cpu, linear, MMU_READ, user);
    struct mem_place second = {0};
    if (first_size < size)
        second = mem_locate(cpu, linear + room, MMU_READ, user);
    mem_check_alignment(cpu, linear, size, user);
    mem_observe(cpu, false, false, linear, 0, size);

    uint64_t value = place_load(cpu, &first, first_size);
    if (first_size < size)
        value |= place_load(cpu, &second, size - first_size) << (8 * first_size);
    if (UNLIKELY(cpu->debug_armed))
        debug_check_data(cpu, linear, size, false);
    mem_report(cpu, true, linear, value, size);
    return value;
}

void mem_write_slow(struct cpu *cpu, uint32_t linear, uint64_t value, unsigned size, bool user)
{
    unsigned room = PAGE_SIZE - (linear & (PAGE_SIZE - 1));
    unsigned first_size = size <= room ? size : room;
    struct mem_place first = mem_locate(cpu, linear, MMU_WRITE, user);
    struct mem_place second = {0};
    if (first_size < size)
        second = mem_locate(cpu, linear + room, MMU_WRITE, user);
    mem_check_alignment(cpu, linear, size, user);
    if (size < 8)
        value &= (UINT64_C(1) << (8 * size)) - 1; // handlers give whole registers
    mem_observe(cpu, true, false, linear, value, size);

    if (first.host)
        physmem_will_write(cpu->mem, first.host, first_size);
    if (second.host)
        physmem_will_write(cpu->mem, second.host, size - first_size);
    place_store(cpu, &first, value, first_size);
    if (first_size < size)
        place_store(cpu, &second, value >> (8 * first_size), size - first_size);
    if (UNLIKELY(cpu->debug_armed))
        debug_check_data(cpu, linear, size, true);
    mem_report(cpu, false, linear, value, size);
}

void mem_probe_write(struct cpu *cpu, uint32_t linear, unsigned size, bool user)
{
    unsigned room = PAGE_SIZE - (linear & (PAGE_SIZE - 1));
    mem_locate(cpu, linear, MMU_WRITE, user);
    if (size > room)
        mem_locate(cpu, linear + room, MMU_WRITE, user);
    mem_check_alignment(cpu, linear, size, user);
}

// The last byte of an access must lie inside the segment. A limit of 4 GiB - 1 never faults: there
// accesses wrap, as flat segments on the fast path do.
static bool segment_covers(const struct segment *segment, uint32_t offset, unsigned size)
{
    uint32_t last = offset + (size - 1);
    if (segment->rights & SEGMENT_EXPAND_DOWN) {
        uint32_t upper = (segment->attributes & DESC_DB) ? 0xffffffffu : 0xffffu;
        return offset > segment->limit && last >= offset && last <= upper;
    }
    if (segment->limit == 0xffffffffu)
        return true;
    return last >= offset && last <= segment->limit;
}

static uint32_t segment_check(struct cpu *cpu, enum segment_index index, uint32_t offset,
                              unsigned size, unsigned right)
{
    const struct segment *segment = &cpu->segs[index];
    if (UNLIKELY(!(segment->rights & right) || !segment_covers(segment, offset, size)))
        cpu_raise_error(cpu, index == SEG_SS ? EXC_SS : EXC_GP, 0);
    return segment->base + offset;
}

uint32_t segment_check_read(struct cpu *cpu, enum segment_index segment, uint32_t offset,
                            unsigned size)
{
    return segment_check(cpu, segment, offset, size, SEGMENT_READ);
}

uint32_t segment_check_write(struct cpu *cpu, enum segment_index segment, uint32_t offset,
                             unsigned size)
{
    return segment_check(cpu, segment, offset, size, SEGMENT_WRITE);
}
