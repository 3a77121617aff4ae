// SPDX-License-Identifier: MIT
// What the 32-bit process on the host's CPU and the rest of the rig agree on: addresses, selectors,
// and the memory that they share. Only types of fixed size.
//
// A case is one instruction from one state. It runs at USER_CODE, among INT3 instructions, so that
// wherever it leads to, it ends in an exception: vector, error code, CR2 and the state that a
// handler sees are its outcome, beside the changes in the arena, the memory that it works on.
#ifndef EMU_TESTS_DIFF_USER_LAYOUT_H
#define EMU_TESTS_DIFF_USER_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

// The arena: not mapped, writable, writable, read-only, not mapped. It is seen at two places, one
// that 16-bit addresses reach: its first writable page ends at 64 KiB.
#define USER_PAGE      0x1000u
#define USER_PAGES     5u
#define USER_WRITABLE  0x1000u // offsets in the arena
#define USER_MIDDLE    0x2000u
#define USER_READ_ONLY 0x3000u
#define USER_END       0x4000u
#define USER_HIGH      0x90000000u
#define USER_LOW       0x0000e000u

// Code: an executable page, and one behind it that is not mapped.
#define USER_CODE 0x20000000u

// Selectors as Linux has them for 32-bit processes; the last three are made by the rig.
enum {
    HOST_CS64 = 0x33, // Linux's 64-bit code segment
    USER_CS = 0x23,
    USER_DS = 0x2b,
    USER_SEL_SMALL = 0x63, // writable, limit inside the second writable page
    USER_SEL_READ = 0x6b,  // read-only, odd base
    USER_SEL_DOWN = 0x73,  // writable, expand-down
};
#define USER_SMALL_BASE  (USER_HIGH - USER_LOW)
#define USER_SMALL_LIMIT 0x1080fu
#define USER_READ_BASE   (USER_HIGH - 0x12345u)
#define USER_READ_LIMIT  0xfffffu // pages
#define USER_DOWN_BASE   (USER_HIGH - USER_LOW)
#define USER_DOWN_LIMIT  0xf7ffu

enum { USER_ES, USER_SEG_CS, USER_SS, USER_SEG_DS, USER_FS, USER_GS, USER_SEGS };

#define USER_DATA 576u // bytes of patches

struct user_input {
    _Alignas(16) uint8_t fpu[512]; // FXSAVE image
    uint32_t regs[8];              // EAX ECX EDX EBX ESP EBP ESI EDI
    uint32_t eflags;
    uint16_t segs[USER_SEGS];
    uint16_t reserved[2];
    struct {
        uint16_t at, length; // offset in the arena; bytes follow one another in data
    } patches[2];
    uint8_t data[USER_DATA];
};

#define USER_CHANGES 96u

struct user_change {
    uint32_t at; // offset in the arena, a multiple of 8
    uint32_t value[2];
};

struct user_output {
    _Alignas(16) uint8_t fpu[512];
    uint32_t regs[8];
    uint32_t eflags, eip;
    uint32_t vector, error, cr2;
    uint16_t segs[USER_SEGS];
    uint32_t count; // of all changes, of which only the first are listed
    uint32_t hash;  // of all changes
    struct user_change changes[USER_CHANGES];
};

// One encoding, and the cases that run it.
struct user_code {
    uint8_t bytes[24];
    uint32_t eip;
    uint8_t length;
    uint8_t trap; // it may leave by a branch or change DS, ES, SS: INT3 behind it on the host too
    uint8_t fpu;  // x87 and SSE state are loaded and saved
    uint8_t reserved;
    uint32_t first, count;
};

#define USER_CODES 16u
#define USER_CASES 512u

struct user_batch {
    uint32_t codes, cases;
    struct user_code code[USER_CODES];
    struct user_input in[USER_CASES];
    struct user_output out[USER_CASES];
};

#define USER_BATCHES 2u

struct user_shared {
    uint8_t pristine[3][USER_PAGE]; // the mapped pages before each case
    struct user_batch batches[USER_BATCHES];
};

// Descriptors of the process: requests come as bytes with a batch's number, and go back so.
enum { USER_FD_REQUEST = 0, USER_FD_REPLY = 1, USER_FD_SHARED = 3 };

// Lists what differs from the pristine page, and undoes it. `at`: the page's offset in the arena.
static inline void user_collect(uint64_t *page, const uint64_t *pristine, uint32_t at,
                                struct user_output *out)
{
    for (uint32_t i = 0; i < USER_PAGE / 8; i += 8) {
        uint64_t any = 0;
        for (uint32_t n = 0; n < 8; n++)
            any |= page[i + n] ^ pristine[i + n];
        if (__builtin_expect(any == 0, 1))
            continue;
        for (uint32_t n = i; n < i + 8; n++) {
            if (page[n] == pristine[n])
                continue;
            struct user_change change = {at + n * 8,
                                         {(uint32_t)page[n], (uint32_t)(page[n] >> 32)}};
            if (out->count < USER_CHANGES)
                out->changes[out->count] = change;
            out->count++;
            out->hash = (out->hash ^ change.at) * 0x01000193u;
            out->hash = (out->hash ^ change.value[0]) * 0x01000193u;
            out->hash = (out->hash ^ change.value[1]) * 0x01000193u;
            page[n] = pristine[n];
        }
    }
}

#endif
