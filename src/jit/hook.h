// SPDX-License-Identifier: MIT
// Runs what plugins attached to an instruction, for the interpreter: arguments are gathered and
// passed through libffi.
#ifndef EMU_JIT_HOOK_H
#define EMU_JIT_HOOK_H

#include "jit/block.h"

void hook_run_list(struct cpu *cpu, const struct hook *hook);

#endif
