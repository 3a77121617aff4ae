// SPDX-License-Identifier: MIT
// The window (mmu/window.h) as the executor uses it: when it is opened, and what happens when an
// access through it faults. Blocks that use it have BLOCK_MODE_WINDOW in their key.
#ifndef EMU_JIT_WINDOW_H
#define EMU_JIT_WINDOW_H

#include "jit/block.h"

struct executor;

enum window_use {
    WINDOW_OFF,
    WINDOW_AUTO,   // user code that has run for a while without a change of its mappings
    WINDOW_ALWAYS, // all translated code, at once: for tests
};

// Instructions that reached, through the window, what it cannot hold: a device's registers, a page
// with code. Those that do so again and again are translated in table form, whose miss is a test.
#define WINDOW_SITES   256u
#define WINDOW_REFUSED 4u // so often
struct window_sites {
    uint32_t linear[WINDOW_SITES];
    uint8_t count[WINDOW_SITES];
};

// Decides when the window is worth its cost. Counts are of guest instructions.
struct window_policy {
    enum window_use use;
    uint64_t flushes;         // mmu.flushes when it was looked at last
    uint64_t since;           // no flush since then
    uint64_t needed;          // so many must have passed
    bool opened;              // the last opening has not been judged yet
    uint64_t opened_at, cost; // when it was opened, and what it had cost before
    uint64_t last_pc;         // where a page was let in last,
    uint32_t last_linear;     // and for which address
    uint64_t refused;         // faults that the slow path had to answer
    bool refused_now;         // the slow path being entered answers one
    struct window_sites sites;
};

bool window_start(struct executor *ex, enum window_use use);
void window_stop(struct executor *ex);
// Before guest code runs on this thread, and after.
void window_enter(struct executor *ex);
void window_leave(struct executor *ex);
// Instruction `index` of a block was refused and has been executed: is it to be translated anew?
bool window_note_refused(struct executor *ex, const struct block *block, unsigned index);
bool window_suits(const struct window_sites *sites, uint32_t linear);
// Opens it if that pays: called while it is closed.
void window_consider(struct executor *ex);

#endif
