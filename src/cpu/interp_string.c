// SPDX-License-Identifier: MIT
// MOVS, CMPS, STOS, LODS, SCAS and their REP forms. Intel SDM vol. 2, section 4.3. INS and OUTS
// stand with the port instructions. A repeated instruction moves spans that lie in one page of
// plain memory at once, and everything else element by element. It can be left between elements
// with the registers up to date: EIP then points at the instruction again.
#include "cpu/alu.h"

struct string_state {
    uint32_t mask; // of ECX, ESI, EDI: the address size
    uint32_t step; // added to an index for each element
    enum segment_index source;
};

ALWAYS_INLINE struct string_state string_start(const struct cpu *cpu, const struct insn *insn,
                                               unsigned size)
{
    return (struct string_state){
        .mask = LIKELY(insn->address_size == 4) ? 0xffffffffu : 0xffffu,
        .step = UNLIKELY(cpu->eflags & FLAG_DF) ? 0u - size : size,
        .source = (enum segment_index)insn->segment,
    };
}

ALWAYS_INLINE void index_advance(struct cpu *cpu, unsigned reg, uint32_t delta, uint32_t mask)
{
    cpu->regs[reg] = (cpu->regs[reg] & ~mask) | ((cpu->regs[reg] + delta) & mask);
}

// One element of each instruction. Registers change after the last access.
ALWAYS_INLINE void movs_one(struct cpu *cpu, const struct string_state *s, unsigned size)
{
    uint32_t value = (uint32_t)mem_read(cpu, s->source, cpu->regs[REG_ESI] & s->mask, size);
    mem_write(cpu, SEG_ES, cpu->regs[REG_EDI] & s->mask, value, size);
    index_advance(cpu, REG_ESI, s->step, s->mask);
    index_advance(cpu, REG_EDI, s->step, s->mask);
}

ALWAYS_INLINE void stos_one(struct cpu *cpu, const struct string_state *s, unsigned size)
{
    mem_write(cpu, SEG_ES, cpu->regs[REG_EDI] & s->mask, cpu->regs[REG_EAX], size);
    index_advance(cpu, REG_EDI, s->step, s->mask);
}

ALWAYS_INLINE void lods_one(struct cpu *cpu, const struct string_state *s, unsigned size)
{
    uint32_t value = (uint32_t)mem_read(cpu, s->source, cpu->regs[REG_ESI] & s->mask, size);
    reg_set(cpu, REG_EAX, value, size);
    index_advance(cpu, REG_ESI, s->step, s->mask);
}

ALWAYS_INLINE void cmps_one(struct cpu *cpu, const struct string_state *s, unsigned size)
{
    uint32_t a = (uint32_t)mem_read(cpu, s->source, cpu->regs[REG_ESI] & s->mask, size);
    uint32_t b = (uint32_t)mem_read(cpu, SEG_ES, cpu->regs[REG_EDI] & s->mask, size);
    alu_sub(cpu, a, b, 0, size);
    index_advance(cpu, REG_ESI, s->step, s->mask);
    index_advance(cpu, REG_EDI, s->step, s->mask);
}

ALWAYS_INLINE void scas_one(struct cpu *cpu, const struct string_state *s, unsigned size)
{
    uint32_t b = (uint32_t)mem_read(cpu, SEG_ES, cpu->regs[REG_EDI] & s->mask, size);
    alu_sub(cpu, reg_get(cpu, REG_EAX, size), b, 0, size);
    index_advance(cpu, REG_EDI, s->step, s->mask);
}

static uint8_t *string_host(const struct cpu *cpu, uint32_t linear, enum mmu_access access)
{
    if (LIKELY(!cpu->hook.observe))
        return mmu_host(&cpu->mmu, linear, access, cpu->is_user);
    uintptr_t addend = cpu->hook.tlb[cpu->is_user][access][linear >> PAGE_SHIFT];
    return addend ? (uint8_t *)(addend + linear) : NULL;
}

// Bytes from [segment:index] on that can be reached through one host pointer: within the page, the
// segment and the address size. 0: take the slow path.
static uint32_t string_span(struct cpu *cpu, enum segment_index segment, uint32_t index,
                            uint32_t mask, enum mmu_access access, uint8_t **host)
{
    const struct segment *seg = &cpu->segs[segment];
    unsigned needed = access == MMU_WRITE ? SEGMENT_WRITE : SEGMENT_READ;
    if (!(seg->rights & needed) || (seg->rights & SEGMENT_EXPAND_DOWN) || index > seg->limit)
        return 0;
    uint32_t linear = seg->base + index;
    *host = string_host(cpu, linear, access);
    if (*host == NULL)
        return 0;
    uint64_t room = PAGE_SIZE - (linear & (PAGE_SIZE - 1));
    uint64_t in_segment = (uint64_t)seg->limit - index + 1;
    uint64_t in_mask = (uint64_t)mask - index + 1;
    room = in_segment < room ? in_segment : room;
    return (uint32_t)(in_mask < room ? in_mask : room);
}

ALWAYS_INLINE uint32_t element_load(const uint8_t *p, unsigned size)
{
    return size == 1 ? *p : size == 2 ? load_le16(p) : load_le32(p);
}

ALWAYS_INLINE void element_store(uint8_t *p, uint32_t value, unsigned size)
{
    if (size == 1)
        *p = (uint8_t)value;
    else if (size == 2)
        store_le16(p, (uint16_t)value);
    else
        store_le32(p, value);
}

// Copies forward element by element: an overlapping copy to a higher address repeats a pattern.
ALWAYS_INLINE void copy_forward(uint8_t *to, const uint8_t *from, size_t bytes, unsigned size)
{
    if ((uintptr_t)to - (uintptr_t)from >= bytes) { // also when to < from
        memmove(to, from, bytes);
        return;
    }
    if (size == 1 && to == from + 1) {
        memset(to, *from, bytes);
        return;
    }
    for (size_t i = 0; i < bytes; i += size)
        element_store(to + i, element_load(from + i, size), size);
}

ALWAYS_INLINE uint32_t smallest(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

// All bytes of the value are the same.
ALWAYS_INLINE bool is_one_byte(uint32_t value, unsigned size)
{
    return (value & size_mask(size)) == (value & 0xff) * (0x01010101u & size_mask(size));
}

// The bulk steps: at most `count` elements, DF clear; return how many were done, 0 when the next
// one needs the slow path.
ALWAYS_INLINE uint32_t movs_bulk(struct cpu *cpu, const struct string_state *s, uint32_t count,
                                 unsigned size)
{
    uint8_t *from = NULL;
    uint8_t *to = NULL;
    uint32_t a =
        string_span(cpu, s->source, cpu->regs[REG_ESI] & s->mask, s->mask, MMU_READ, &from);
    if (a < size)
        return 0;
    uint32_t b = string_span(cpu, SEG_ES, cpu->regs[REG_EDI] & s->mask, s->mask, MMU_WRITE, &to);
    uint32_t n = smallest(smallest(a, b) / size, count);
    if (n == 0)
        return 0;
    copy_forward(to, from, (size_t)n * size, size);
    index_advance(cpu, REG_ESI, n * size, s->mask);
    index_advance(cpu, REG_EDI, n * size, s->mask);
    return n;
}

ALWAYS_INLINE uint32_t stos_bulk(struct cpu *cpu, const struct string_state *s, uint32_t count,
                                 unsigned size)
{
    uint8_t *to = NULL;
    uint32_t room = string_span(cpu, SEG_ES, cpu->regs[REG_EDI] & s->mask, s->mask, MMU_WRITE, &to);
    uint32_t n = smallest(room / size, count);
    if (n == 0)
        return 0;
    uint32_t value = cpu->regs[REG_EAX];
    if (size == 1 || is_one_byte(value, size))
        memset(to, (int)(value & 0xff), (size_t)n * size);
    else
        for (uint32_t i = 0; i < n; i++)
            element_store(to + (size_t)i * size, value, size);
    index_advance(cpu, REG_EDI, n * size, s->mask);
    return n;
}

// The compare steps stop after the first element for which ZF is not `while_equal`.
ALWAYS_INLINE uint32_t cmps_bulk(struct cpu *cpu, const struct string_state *s, uint32_t count,
                                 unsigned size, bool while_equal)
{
    uint8_t *x = NULL;
    uint8_t *y = NULL;
    uint32_t a = string_span(cpu, s->source, cpu->regs[REG_ESI] & s->mask, s->mask, MMU_READ, &x);
    if (a < size)
        return 0;
    uint32_t b = string_span(cpu, SEG_ES, cpu->regs[REG_EDI] & s->mask, s->mask, MMU_READ, &y);
    uint32_t room = smallest(smallest(a, b) / size, count);
    if (room == 0)
        return 0;
    uint32_t n = 0;
    uint32_t left = 0;
    uint32_t right = 0;
    do {
        left = element_load(x + (size_t)n * size, size);
        right = element_load(y + (size_t)n * size, size);
        n++;
    } while (n < room && (left == right) == while_equal);
    alu_sub(cpu, left, right, 0, size);
    index_advance(cpu, REG_ESI, n * size, s->mask);
    index_advance(cpu, REG_EDI, n * size, s->mask);
    return n;
}

ALWAYS_INLINE uint32_t scas_bulk(struct cpu *cpu, const struct string_state *s, uint32_t count,
                                 unsigned size, bool while_equal)
{
    uint8_t *y = NULL;
    uint32_t room = string_span(cpu, SEG_ES, cpu->regs[REG_EDI] & s->mask, s->mask, MMU_READ, &y);
    room = smallest(room / size, count);
    if (room == 0)
        return 0;
    uint32_t left = reg_get(cpu, REG_EAX, size);
    uint32_t right = 0;
    uint32_t n = 0;
    do {
        right = element_load(y + (size_t)n * size, size);
        n++;
    } while (n < room && (left == right) == while_equal);
    alu_sub(cpu, left, right, 0, size);
    index_advance(cpu, REG_EDI, n * size, s->mask);
    return n;
}

enum string_op { STRING_MOVS, STRING_STOS, STRING_LODS, STRING_CMPS, STRING_SCAS };

ALWAYS_INLINE void string_one(struct cpu *cpu, const struct string_state *s, enum string_op op,
                              unsigned size)
{
    switch (op) {
    case STRING_MOVS:
        movs_one(cpu, s, size);
        break;
    case STRING_STOS:
        stos_one(cpu, s, size);
        break;
    case STRING_LODS:
        lods_one(cpu, s, size);
        break;
    case STRING_CMPS:
        cmps_one(cpu, s, size);
        break;
    default:
        scas_one(cpu, s, size);
        break;
    }
}

ALWAYS_INLINE uint32_t string_bulk(struct cpu *cpu, const struct string_state *s, uint32_t count,
                                   enum string_op op, unsigned size, bool while_equal)
{
    switch (op) {
    case STRING_MOVS:
        return movs_bulk(cpu, s, count, size);
    case STRING_STOS:
        return stos_bulk(cpu, s, count, size);
    case STRING_CMPS:
        return cmps_bulk(cpu, s, count, size, while_equal);
    case STRING_SCAS:
        return scas_bulk(cpu, s, count, size, while_equal);
    default: // REP LODS: nobody is in a hurry
        return 0;
    }
}

// The registers are already behind the elements.
static void string_tell_span(struct cpu *cpu, const struct string_state *s, enum string_op op,
                             unsigned size, uint32_t count)
{
    struct cpu_span span = {.size = size, .count = count};
    uint32_t bytes = count * size;
    if (op == STRING_MOVS || op == STRING_CMPS)
        span.places[span.nplaces++].linear =
            cpu->segs[s->source].base + ((cpu->regs[REG_ESI] - bytes) & s->mask);
    span.places[span.nplaces].linear =
        cpu->segs[SEG_ES].base + ((cpu->regs[REG_EDI] - bytes) & s->mask);
    span.places[span.nplaces++].is_store = op == STRING_MOVS || op == STRING_STOS;
    cpu->hook.observe_span(cpu, &span);
}

// May elements be done without showing each access?
static bool string_may_run(const struct cpu *cpu)
{
    return !(cpu->eflags & (FLAG_DF | FLAG_TF)) && !cpu->mem_hooked &&
           (LIKELY(!cpu->hook.observe) || cpu->hook.observe_span);
}

// The repeated form. Leaves after each step when somebody wants the CPU or it single-steps.
ALWAYS_INLINE void string_repeat(struct cpu *cpu, const struct insn *insn, enum string_op op,
                                 unsigned size)
{
    const struct string_state s = string_start(cpu, insn, size);
    const bool compares = op >= STRING_CMPS;
    const bool while_equal = insn->prefixes & INSN_REP;
    uint32_t count = cpu->regs[REG_ECX] & s.mask;
    while (count != 0) {
        uint32_t done = 0;
        if (LIKELY(string_may_run(cpu)))
            done = string_bulk(cpu, &s, count, op, size, while_equal);
        if (UNLIKELY(cpu->hook.observe && done != 0))
            string_tell_span(cpu, &s, op, size, done);
        if (done == 0) {
            string_one(cpu, &s, op, size);
            done = 1;
        }
        count -= done;
        index_advance(cpu, REG_ECX, 0u - done, s.mask);
        if (count == 0 || (compares && flags_zf(cpu) != while_equal))
            return;
        if (UNLIKELY((cpu->eflags & FLAG_TF) ||
                     atomic_load_explicit(&cpu->kicked, memory_order_relaxed))) {
            cpu->eip = cpu->insn_eip;
            return;
        }
    }
}

ALWAYS_INLINE void string(struct cpu *cpu, const struct insn *insn, enum string_op op,
                          unsigned size, bool memory)
{
    if (insn->prefixes & (INSN_REP | INSN_REPNE)) {
        string_repeat(cpu, insn, op, size);
        return;
    }
    const struct string_state s = string_start(cpu, insn, size);
    string_one(cpu, &s, op, size);
}

// clang-format off
DEFINE_S1(op_movsb, string, STRING_MOVS, 1)
DEFINE_SV(op_movs, string, STRING_MOVS)
DEFINE_S1(op_stosb, string, STRING_STOS, 1)
DEFINE_SV(op_stos, string, STRING_STOS)
DEFINE_S1(op_lodsb, string, STRING_LODS, 1)
DEFINE_SV(op_lods, string, STRING_LODS)
DEFINE_S1(op_cmpsb, string, STRING_CMPS, 1)
DEFINE_SV(op_cmps, string, STRING_CMPS)
DEFINE_S1(op_scasb, string, STRING_SCAS, 1)
DEFINE_SV(op_scas, string, STRING_SCAS)
