// SPDX-License-Identifier: MIT
// Guest flags in translated code: liveness, and the way between host flags and memory.
#include "cpu/flags.h"
#include "jit/translate.h"

// The LAHF byte's bits in EFLAGS.
#define FLAGS_LAHF (FLAGS_ARITH & ~FLAG_OF)
#define FLAGS_BYTE (offsetof(struct cpu, jit.flags) + 1)

void jit_flags_to_cpu(struct cpu *cpu)
{
    unsigned raw = cpu->jit.flags;
    flags_set(cpu, (raw >> 8 & FLAGS_LAHF) | ((raw & 1) ? FLAG_OF : 0));
}

void jit_flags_from_cpu(struct cpu *cpu)
{
    unsigned eflags = flags_get(cpu);
    cpu->jit.flags = (uint16_t)((eflags & FLAGS_LAHF) << 8 | ((eflags & FLAG_OF) ? 1 : 0));
}

static void emit_save(struct x64 *a, unsigned live)
{
    if (live == FLAG_CF) {                                            // SCRATCH_B keeps it as well
        x64_rr(a, 0x90 | X64_B | X64_0F | X64_BYTE_RM, 0, SCRATCH_B); // setc
        x64_rm(a, 0x88, SCRATCH_B, cpu_field(FLAGS_BYTE));
        return;
    }
    x64_rr(a, 0x89, X64_RAX, SCRATCH_A);
    x64_byte(a, 0x9f); // lahf
    if (live & FLAG_OF)
        x64_rr(a, 0x90 | X64_0F | X64_BYTE_RM, 0, X64_RAX); // seto al
    x64_rm(a, 0x89 | X64_66, X64_RAX, cpu_field(offsetof(struct cpu, jit.flags)));
    x64_rr(a, 0x89, SCRATCH_A, X64_RAX);
}

static void emit_restore(struct x64 *a, unsigned needed)
{
    if (needed == FLAG_CF) {
        x64_rm(a, 0xb6 | X64_0F, SCRATCH_A, cpu_field(FLAGS_BYTE));
        x64_rr(a, 0xba | X64_0F, 4, SCRATCH_A); // bt
        x64_imm(a, 0, 1);
        return;
    }
    x64_rr(a, 0x89, X64_RAX, SCRATCH_A);
    x64_rm(a, 0xb7 | X64_0F, X64_RAX, cpu_field(offsetof(struct cpu, jit.flags)));
    if (needed & FLAG_OF) { // 1 + 127 overflows
        x64_byte(a, 0x04);
        x64_imm(a, 0x7f, 1);
    }
    x64_byte(a, 0x9e); // sahf
    x64_rr(a, 0x89, SCRATCH_A, X64_RAX);
}

void translate_emit_save(struct x64 *a, unsigned live)
{
    if (live)
        emit_save(a, live);
}

void translate_emit_restore(struct x64 *a, unsigned needed)
{
    if (needed)
        emit_restore(a, needed);
}

void flags_release(struct translator *t, unsigned live)
{
    if (live && !t->flags_saved) {
        emit_save(&t->hot, live);
        t->flags_saved = true;
        t->flags_saved_mask = live;
        t->carry_at_hand = live == FLAG_CF;
    }
    t->flags_host = false;
}

void flags_acquire(struct translator *t, unsigned needed)
{
    if (needed && !t->flags_host) {
        if (needed == FLAG_CF && t->carry_at_hand) {
            x64_rr(&t->hot, 0xba | X64_0F, 4, SCRATCH_B);
            x64_imm(&t->hot, 0, 1);
        } else {
            emit_restore(&t->hot, needed);
        }
        t->flags_host = true;
    }
}

void flags_written(struct translator *t)
{
    t->flags_host = true;
    t->flags_saved = false;
}

#define PEEK_INSNS 8u

// Has [from, to) of the block's page watched. False: that is too much.
static bool watch(struct block *block, unsigned from, unsigned to)
{
    struct page_range *range = block->code.peeked;
    for (unsigned i = 0; i < ARRAY_SIZE(block->code.peeked); i++, range++) {
        if (range->to && (range->from != from || range->to != to))
            continue;
        *range = (struct page_range){.from = (uint16_t)from, .to = (uint16_t)to};
        return true;
    }
    return false;
}

// Flags that code at `linear` may read before it writes them: all, when that lies on another page,
// where the next process may have other code. On the block's own page, the block is invalidated
// when what was looked at changes. A store by the block itself to what stands behind it comes too
// late for flags from before the store.
unsigned flags_live_at(struct translator *t, uint32_t linear)
{
    struct block *block = t->block;
    if (t->single || t->observed || ((linear ^ block->linear) & PAGE_MASK) != 0)
        return FLAGS_ARITH;
    const uint8_t *host = block->host + ((int32_t)(linear - block->linear));
    const struct decode_mode mode = {.code32 = true, .features = t->cpu->features};
    unsigned asked = FLAGS_ARITH; // not yet written
    unsigned room = PAGE_SIZE - (linear & (PAGE_SIZE - 1));
    unsigned live = 0;
    for (unsigned i = 0; i < PEEK_INSNS && asked; i++) {
        struct insn insn;
        if (insn_decode(&mode, host, room, &insn) != DECODE_OK)
            break;
        const struct opcode_row *row = &opcode_rows[insn.row];
        live |= asked & insn_flags_read(&insn);
        if (row->attributes & (ATTR_BRANCH | ATTR_STOP))
            break;
        asked &= ~insn_flags_written(&insn);
        host += insn.length;
        room -= insn.length;
    }
    unsigned from = linear & (PAGE_SIZE - 1);
    unsigned to = PAGE_SIZE - room;
    if (to > from && !watch(block, from, to))
        return FLAGS_ARITH;
    return live | asked;
}
