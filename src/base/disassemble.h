// SPDX-License-Identifier: MIT
// One instruction as text, for the monitor and the logs.
#ifndef EMU_BASE_DISASSEMBLE_H
#define EMU_BASE_DISASSEMBLE_H

#include "base/util.h"

enum disassemble_mode { DISASSEMBLE_16, DISASSEMBLE_32, DISASSEMBLE_64 };

// Writes the instruction at `bytes`, which stands at `address`, to text. Returns its length; for
// bytes that are no instruction
// "(bad)" and 1.
unsigned disassemble(enum disassemble_mode mode, uint64_t address, const uint8_t *bytes,
                     size_t available, char *text, size_t text_size);

#endif
