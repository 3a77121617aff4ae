// SPDX-License-Identifier: MIT
// What translate_hooks*.c share: operations that plugins attached, as host code.
#ifndef EMU_JIT_TRANSLATE_HOOKS_H
#define EMU_JIT_TRANSLATE_HOOKS_H

#include "jit/translate.h"

// What translated code knows about the data accesses of an instruction.
enum insn_access {
    INSN_ACCESS_NONE,
    INSN_ACCESS_LOAD,
    INSN_ACCESS_STORE,
    INSN_ACCESS_MODIFY,  // a load and a store of one place
    INSN_ACCESS_SEVERAL, // two places: as each is looked up
    INSN_ACCESS_UNKNOWN, // its memory operations are called
};
enum insn_access insn_access_of(const struct insn *insn);
// May it take its slow path although an access has been looked up? Then only reserved records,
// which do not count before the instruction is over, may stand at its accesses.
bool insn_access_is_late(const struct insn *insn);
// A shift of memory by CL, which stores nothing when the count is 0.
bool insn_access_needs_count(const struct insn *insn);

// Where an operation stands. At an access, `reg` + offset is its address.
// An access of more than 8 bytes has several, and `whole` for operations that take it as one.
struct hook_site {
    const struct insn *insn;
    bool access, load, after;
    unsigned reg, size;
    int32_t offset;
    const struct hook_site *whole; // at the part where such operations have their turn, else NULL
};

enum hook_truth { HOOK_NEVER, HOOK_ALWAYS, HOOK_TESTED };
// What is known of a predicate at translation.
enum hook_truth hook_predicate_truth(const struct translator *t, const struct hook_site *site,
                                     const JitPredicate *p);
// Of all predicates of an operation.
enum hook_truth hook_truth(const struct translator *t, const struct hook_site *site,
                           const struct hook *hook);
// Is it a record whose place is reserved at the start of the block?
static inline bool hook_is_reserved(const struct translator *t, const struct hook *hook)
{
    return hook->kind == HOOK_RECORD && t->plan.buffer && hook->buffer == t->plan.buffer;
}
// Calls of helpers from translated code, without C between them.
bool hook_is_direct(const struct translator *t, const struct hook *hook);
void hook_emit_direct(struct translator *t, const struct hook_site *site, const struct hook *hook,
                      bool after);
// The linear address of a memory operand; flags are free.
void hook_emit_operand_address(struct translator *t, const struct insn *insn, unsigned reg);
void hook_emit_context(struct translator *t, unsigned reg);
// Is it got at without a change of flags?
bool hook_argument_is_simple(const JitArg *arg);
// Can generated code reach this address without a register?
bool hook_is_near(const struct translator *t, const void *address);
// Fills in what depends on their number. False: they are too many for plan.wide not to be set.
bool hooks_finish_reserved(struct translator *t);
// opcode with ModRM.reg = reg and the memory at a host address; may use SCRATCH_B.
void hook_emit_host(struct translator *t, unsigned opcode, unsigned reg, const void *address,
                    unsigned trailing);

#endif
