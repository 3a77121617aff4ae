// SPDX-License-Identifier: MIT
// Reading the guest's memory.
#include "common/guest.h"

bool guest_read(CPUArchState *cpu, uint32_t address, void *buffer, size_t length)
{
    return cpu_read_memory(cpu, address, buffer, length) == length;
}

bool guest_read_u32(CPUArchState *cpu, uint32_t address, uint32_t *value)
{
    *value = 0;
    if (guest_read(cpu, address, value, sizeof *value))
        return true;
    *value = 0;
    return false;
}

bool guest_read_u64(CPUArchState *cpu, uint32_t address, uint64_t *value)
{
    if (guest_read(cpu, address, value, sizeof *value))
        return true;
    *value = 0;
    return false;
}

struct utf16_reader {
    struct text *text;
    uint32_t high; // surrogate that waits for its low half, 0: none
};

static void add_unit(struct utf16_reader *reader, uint32_t unit)
{
    bool low = unit >= 0xdc00 && unit <= 0xdfff;
    if (reader->high && low)
        text_add_code_point(reader->text,
                            0x10000 + ((reader->high & 0x3ff) << 10) + (unit & 0x3ff));
    else if (reader->high)
        text_add_code_point(reader->text, 0xfffd);
    bool joined = reader->high && low;
    reader->high = unit >= 0xd800 && unit <= 0xdbff ? unit : 0;
    if (!joined && !reader->high && unit)
        text_add_code_point(reader->text, low ? 0xfffd : unit);
}

static bool read_utf16(CPUArchState *cpu, uint32_t address, size_t units, bool stop_at_nul,
                       struct text *text)
{
    struct utf16_reader reader = {text, 0};
    uint8_t chunk[512];
    bool whole = true, ended = false;
    while (units > 0 && whole && !ended) {
        size_t want = units * 2 < sizeof chunk ? units * 2 : sizeof chunk;
        size_t got = cpu_read_memory(cpu, address, chunk, want);
        whole = got == want;
        for (size_t i = 0; i + 1 < got && !ended; i += 2) {
            uint32_t unit = (uint32_t)(chunk[i] | chunk[i + 1] << 8);
            ended = stop_at_nul && unit == 0;
            if (!ended)
                add_unit(&reader, unit);
        }
        units -= want / 2;
        address += (uint32_t)want;
    }
    add_unit(&reader, 0);
    return whole || ended;
}

bool guest_read_utf16(CPUArchState *cpu, uint32_t address, uint32_t bytes, unsigned limit,
                      struct text *text)
{
    return read_utf16(cpu, address, bytes / 2 < limit ? bytes / 2 : limit, false, text);
}

bool guest_read_utf16z(CPUArchState *cpu, uint32_t address, unsigned limit, struct text *text)
{
    return read_utf16(cpu, address, limit, true, text);
}

bool guest_read_stringz(CPUArchState *cpu, uint32_t address, unsigned limit, struct text *text)
{
    char chunk[256];
    while (limit > 0) {
        size_t want = limit < sizeof chunk ? limit : sizeof chunk;
        size_t got = cpu_read_memory(cpu, address, chunk, want);
        for (size_t i = 0; i < got; i++) {
            if (chunk[i] == 0) {
                text_append(text, chunk, i);
                return true;
            }
        }
        text_append(text, chunk, got);
        if (got < want)
            return false;
        limit -= (unsigned)want;
        address += (uint32_t)want;
    }
    return true;
}
