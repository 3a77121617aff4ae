// SPDX-License-Identifier: MIT
// Reading the guest's memory: words, bounded UTF-16 strings, across pages.
#ifndef EMU_PLUGINS_COMMON_GUEST_H
#define EMU_PLUGINS_COMMON_GUEST_H

#include <emu/plugin.h>

#include "common/text.h"

// False, and *value is 0, when a byte is not mapped.
bool guest_read_u32(CPUArchState *cpu, uint32_t address, uint32_t *value);
bool guest_read_u64(CPUArchState *cpu, uint32_t address, uint64_t *value);
bool guest_read(CPUArchState *cpu, uint32_t address, void *buffer, size_t length);

// Appends UTF-16 of `bytes` octets (an odd one is ignored), at most `limit` units, as UTF-8. NULs
// are kept out. False when a part is not mapped; what was there is appended.
bool guest_read_utf16(CPUArchState *cpu, uint32_t address, uint32_t bytes, unsigned limit,
                      struct text *text);
// The same up to a NUL.
bool guest_read_utf16z(CPUArchState *cpu, uint32_t address, unsigned limit, struct text *text);
// Octets up to a NUL, at most `limit`.
bool guest_read_stringz(CPUArchState *cpu, uint32_t address, unsigned limit, struct text *text);

#endif
