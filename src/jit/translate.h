// SPDX-License-Identifier: MIT
// The translator: decoded blocks to x86-64 in one pass. What the files translate*.c share.
//
// EAX ECX EDX EBX EBP ESI EDI live in the host registers of their names, ESP in R15, all
// zero-extended. R13 is the CPU, R14 the TLB tables of the present privilege, R12 counts
// instructions down, R8-R11 are scratch.
//
// Guest arithmetic flags live in host flags, in cpu->jit.flags, in both, or nowhere when nobody
// will read them. Before an access to memory by the tables they leave the host flags, so that
// address checks may use plain instructions; an access through the window leaves them alone.
//
// Each instruction either takes its fast path to the end, or branches, before it has changed
// anything, to a slow path that runs the interpreter's handler and comes back behind it.
#ifndef EMU_JIT_TRANSLATE_H
#define EMU_JIT_TRANSLATE_H

#include "jit/block.h"
#include "jit/code_cache.h"

enum {
    HOST_COUNTER = X64_R12,
    HOST_CPU = X64_R13,
    HOST_TLB = X64_R14,
    SCRATCH_ADDRESS = X64_R8, // linear address
    SCRATCH_ADDEND = X64_R9,
    SCRATCH_A = X64_R10,
    SCRATCH_B = X64_R11,
};

#define JUMP_CACHE_BITS  12u
#define JUMP_CACHE_SIZE  (1u << JUMP_CACHE_BITS)
#define JUMP_CACHE_SHIFT 5u          // of sizeof(struct jump_cache_entry)
#define ADDEND_NEVER     UINT64_C(1) // no TLB entry has this value

// A target of indirect jumps, valid while the execute table maps its page as it did.
struct jump_cache_entry {
    uint32_t linear, mode;
    uint64_t addend;
    const uint8_t *code; // executable view; runs with the guest's flags in cpu->jit.flags
    struct block *block;
};

static inline uint32_t jump_cache_index(uint32_t linear)
{
    return linear & (JUMP_CACHE_SIZE - 1);
}

// How translated code comes back.
enum jit_leave {
    LEAVE_STEPPED, // through a handler: everything is in struct cpu
    LEAVE_DIRECT,  // by exits[n] of a block: EIP is not set
    LEAVE_AT_EIP,  // EIP is set
};

struct jit_result {
    struct block *from; // LEAVE_DIRECT
    uint64_t why;       // enum jit_leave | exit number << 8
};

// Shared code at the bottom of the code cache (addresses of the writable view), made once.
struct jit_stubs {
    uint8_t *enter;        // executable view; struct jit_result (struct cpu *, code, tlb, counter)
    uint8_t *step;         // call: R8D instruction, R9 block header; comes back when all is well
    uint8_t *step_leave;   // jump: the same, and leaves
    uint8_t *rest;         // jump: interprets the block from there on, and leaves
    uint8_t *leave_direct; // jump: R8D exit number, R9 block header
    uint8_t *leave_at;     // jump: R8D target EIP
    uint8_t *before;       // call: as step, but runs only what is attached before the instruction
    uint8_t *after;        // ... after it
    uint8_t *helper;       // call: before a direct call of C, which R8D and R9 tell the place of
    uint8_t *flush;        // call: as step, at the start of a block: empties full record buffers
    uint8_t *fpu_load;     // call: makes the host's FPU hold the guest's state; CF: it must not
};

// Beside the instruction's number in R8D. BEGUN: what is attached before it was run.
#define STEP_BEGUN 0x80000000u
#define STEP_AFTER 0x40000000u // cpu->jit.helper_index: the instruction has been executed
#define STEP_INDEX 0xffffu

#define SLOW_SITES 6u

struct slow_path {
    uint8_t *sites[SLOW_SITES];
    uint8_t count;
    uint16_t insn;
    bool begun;         // STEP_BEGUN
    bool restore_flags; // host flags are expected to hold the guest's at `resume`
    bool fpu;           // the host's FPU is expected to hold the guest's state there
    bool records;       // SCRATCH_A is expected to hold the end of the reserved records
    uint16_t flags;     // those that matter
    uint8_t *resume;    // NULL: leaves
};

// An access that is not aligned to its size: does it cross a page?
struct unaligned_path {
    uint8_t *site, *resume;
    uint8_t address, size;
    uint16_t slow; // index of the slow path
};

// An access through the window, or several of one instruction; or a poll.
struct window_site {
    uint8_t *at;
    const uint8_t *leave; // where a poll that faults goes on; NULL: no poll
    uint16_t slow;        // index of the slow path
    bool flags_host;
};

// The first FPU instruction after C code may have run.
struct fpu_check {
    uint8_t *site, *resume;
    uint16_t insn;
    bool begun;
};

// What is attached to the block being translated, as far as it is emitted natively.
struct hook_plan {
    bool native;            // the present instruction's operations are emitted, not called
    bool called;            // nothing in this block is native: it uses too many buffers
    uint8_t *merged;        // the immediate of the merged count, NULL: none yet
    const uint64_t *target; // its counter
    uint64_t total;
    struct JitBuffer *buffer; // records of it are reserved at the start of the block, NULL: of none
    uint8_t *reserved;        // the immediate of their bytes
    unsigned records;         // so far
    bool wide;                // they are more than 8-bit displacements reach
    unsigned slots;           // displacements from their end, known when they are counted
};

#define MAX_HOOK_WEIGHT 48u // of an instruction: 32 bytes of code each
#define MAX_SLOTS       (BLOCK_MAX_INSNS * MAX_HOOK_WEIGHT * 2)

// A word of a reserved record that is known when the present instruction has been executed.
struct stored_value {
    int32_t at; // in the block's reserved part
    uint8_t offset, size;
};
#define MAX_STORED_VALUES 8u

struct window_sites;

struct translator {
    struct cpu *cpu;
    struct code_cache *cache;
    const struct jit_stubs *stubs;
    bool single;      // lockstep: a block leaves at its end, with all flags
    unsigned stop_at; // ... or before this instruction
    bool observed;    // a helper may look at the guest's flags: they are exact between blocks
    bool faulting;    // faults of translated code are answered: polls may fault
    bool counting;    // -icount: blocks end exactly at cpu->jit.target
    const struct window_sites *sites; // those that the window does not suit
    bool window;                      // the present block reaches memory through the window
    bool tabled;                      // ... but the present instruction does not
    uint32_t mode;

    struct x64 hot, cold;
    struct block *block;
    uint8_t *header;                    // the block's pointer, in the cold part
    unsigned index;                     // of the present instruction
    unsigned flags_before, flags_after; // live flags around it
    bool flags_host, flags_saved;       // where they are valid
    unsigned flags_saved_mask;
    bool carry_at_hand; // the present instruction saved CF, and SCRATCH_B still has it
    bool shadow;        // STI: who leaves by the exit being emitted has one more instruction to run
    bool fpu;           // the host's FPU holds the guest's state
    struct slow_path slow[BLOCK_MAX_INSNS];
    unsigned slow_count;
    bool slow_opened; // the last slow path belongs to the present instruction
    struct unaligned_path unaligned[BLOCK_MAX_INSNS * 2];
    unsigned unaligned_count;
    struct window_site windows[BLOCK_MAX_INSNS * 4];
    unsigned window_count;
    struct fpu_check fpu_checks[BLOCK_MAX_INSNS];
    unsigned fpu_check_count;
    uint16_t live[BLOCK_MAX_INSNS + 1];
    struct hook_plan plan;
    struct stored_value stored[MAX_STORED_VALUES];
    unsigned stored_count;
    uint32_t slots[MAX_SLOTS]; // where they stand, from the hot code's start on
    uint8_t *hot_start;
};

void jit_stubs_create(struct jit_stubs *stubs, struct code_cache *cache);

// Translates a block; false when the cache is full. Blocks that translate_accepts refuses are
// interpreted.
bool translate_accepts(const struct block *block);
bool translate_block(struct translator *t, struct block *block);

// Links an exit to a block, or back to its stub.
void block_exit_link(struct block_exit *exit, struct block *to, uint64_t addend);
void block_exit_unlink(struct block_exit *exit);
// Unlinks everything that leads to or from a block.
void block_unlink(struct block *block);

// Between the flags in cpu->jit.flags and the interpreter's.
void jit_flags_to_cpu(struct cpu *cpu);
void jit_flags_from_cpu(struct cpu *cpu);

// What generated code calls.
unsigned jit_step(struct cpu *cpu, struct block *block, unsigned index, uint64_t counter);
unsigned jit_rest(struct cpu *cpu, struct block *block, unsigned index, uint64_t counter);
unsigned jit_before(struct cpu *cpu, struct block *block, unsigned index, uint64_t counter);
unsigned jit_after(struct cpu *cpu, struct block *block, unsigned index, uint64_t counter);
unsigned jit_flush(struct cpu *cpu, struct block *block, unsigned index, uint64_t counter);

// ---- for translate_*.c ----

ALWAYS_INLINE unsigned host_reg(unsigned guest)
{
    return guest == REG_ESP ? (unsigned)X64_R15 : guest;
}

static inline struct x64_memory cpu_field(size_t offset)
{
    return x64_at(HOST_CPU, (int32_t)offset);
}

static inline bool is_high_byte(unsigned reg)
{
    return reg >= 4 && reg < 8;
}

// Flags that an instruction certainly writes. Multiplications and divisions keep some of those that
// the manual calls undefined.
static inline unsigned insn_flags_written(const struct insn *insn)
{
    const struct opcode_row *row = &opcode_rows[insn->row];
    bool multiplies = row->flags_undefined & FLAG_SF & ((row->opcode & 0xfe) != 0xbc ? ~0u : 0u);
    return multiplies ? row->flags_written & ~(unsigned)row->flags_undefined : row->flags_written;
}

// Old flags that it reads, or that must survive it.
static inline unsigned insn_flags_needed(const struct insn *insn, unsigned live_after)
{
    return (insn_flags_read(insn) | (live_after & ~insn_flags_written(insn))) & FLAGS_ARITH;
}

// Flags.
void flags_release(struct translator *t, unsigned live); // host flags may be overwritten after this
void flags_acquire(struct translator *t, unsigned needed); // host flags hold them after this
void flags_written(struct translator *t);                  // the host flags are the guest's now
void translate_emit_save(struct x64 *a, unsigned live);    // the bare sequences
void translate_emit_restore(struct x64 *a, unsigned needed);
unsigned flags_live_at(struct translator *t, uint32_t linear);

// Branches of the present instruction to its slow path, which slow_open makes sure it has.
void slow_open(struct translator *t);
void slow_branch(struct translator *t, enum x64_condition condition);

// A memory operand whose checks have been emitted.
enum access { ACCESS_READ, ACCESS_WRITE }; // a write may read as well
// The linear address of the instruction's memory operand, in a register (which it returns); never a
// guest's own register when own is set. NULL segment support: false.
bool emit_address(struct translator *t, enum access access, bool own, unsigned *reg);
bool segment_is_native(const struct translator *t, unsigned segment, enum access access);
#define ACCESS_ALIGNED_16 0x110u // a size: 16 bytes, which fault (#GP) where they are not aligned
// Looks [reg] up for size bytes. The result may be used until SCRATCH_ADDEND changes.
struct x64_memory emit_lookup(struct translator *t, unsigned reg, enum access access,
                              unsigned size);
bool stack_is_native(const struct translator *t);

// Does the present block reach memory through the window? Then flags may stay in host flags.
bool window_is_used(const struct translator *t);
// An access of the present instruction to this place. It may fault before anything was changed.
struct x64_memory emit_window(struct translator *t, struct x64_memory place);
// Before an access to memory in table form.
void flags_release_for_memory(struct translator *t, unsigned live);

struct operand {
    bool is_memory;
    uint8_t reg;
    struct x64_memory memory;
};
// The E operand; false: not native. `live`: flags to keep over the access.
bool emit_operand(struct translator *t, enum access access, unsigned size, bool own, unsigned live,
                  struct operand *out);
// opcode with ModRM.reg = reg (digit: it is no register) and the operand.
void emit_op(struct translator *t, unsigned opcode, unsigned reg, const struct operand *operand);

// Attached operations. A helper of the block may look at flags (after: of those run behind it).
bool hooks_look_at_flags(const struct insn *insn, bool after);
// May the block use the window, whose accesses may fault when what stands at them has been done?
// Only records that can be taken back suit that; helpers may do what closes the window. When the
// block's start has been emitted.
bool hooks_suit_window(const struct translator *t);
// At the start of the block: room in record buffers, merged counts.
void hooks_emit_start(struct translator *t);
// False: with plan.wide once more.
bool hooks_finish(struct translator *t);
// Does SCRATCH_A hold the end of the reserved records? Makes it so.
bool hooks_end_is_at_hand(const struct translator *t);
void hooks_load_end(const struct translator *t, struct x64 *a);
// The present instruction, whatever becomes of it.
void hooks_begin(struct translator *t);
// It becomes native, or does not.
void hooks_take(struct translator *t, const struct insn *insn);
void hooks_refuse(const struct insn *insn);
// Can the operations of this instruction be emitted, so that it may be translated natively?
bool hooks_are_native(const struct translator *t, const struct insn *insn, bool ends);
void hooks_emit_before(struct translator *t, const struct insn *insn);
void hooks_emit_after(struct translator *t, const struct insn *insn);
// Once the present instruction has stored; uses SCRATCH_ADDRESS, SCRATCH_ADDEND and SCRATCH_A.
void hooks_emit_stored(struct translator *t);
// Behind the checks of a memory access.
void hooks_emit_access(struct translator *t, unsigned reg, enum access access, unsigned size);

// Rows of each kind; false: use the handler.
bool translate_integer(struct translator *t, const struct insn *insn);
bool translate_0f(struct translator *t, const struct insn *insn);
bool translate_string(struct translator *t, const struct insn *insn);
bool translate_stack(struct translator *t, const struct insn *insn);
bool translate_fpu(struct translator *t, const struct insn *insn);
bool translate_system(struct translator *t, const struct insn *insn);
// Those that may make an interrupt possible: ends the block.
bool translate_stop(struct translator *t, const struct insn *insn);
bool insn_is_native_stop(const struct translator *t, const struct insn *insn);
bool push_register(struct translator *t, unsigned reg);
struct x64_memory open_push(struct translator *t);
void close_push(struct translator *t);
// Ends the block; false: use the handler and leave.
bool translate_branch(struct translator *t, const struct insn *insn);
// Jumps to `linear`, from where the block is left by exits[number].
void emit_exit(struct translator *t, unsigned number, uint32_t linear);

// Size bits for opcodes with operand size v.
static inline unsigned size_flag(unsigned size)
{
    return size == 2 ? X64_66 : size == 1 ? X64_BYTE : 0;
}

#endif
