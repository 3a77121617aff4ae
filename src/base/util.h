// SPDX-License-Identifier: MIT
// Small helpers that every folder uses: sizes, branch hints, bit fields, little-endian memory.
#ifndef EMU_BASE_UTIL_H
#define EMU_BASE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define LIKELY(x)                       __builtin_expect(!!(x), 1)
#define UNLIKELY(x)                     __builtin_expect(!!(x), 0)
#define ALWAYS_INLINE                   static inline __attribute__((always_inline))
#define NOINLINE                        __attribute__((noinline))
#define PRINTF_LIKE(fmt, args)          __attribute__((format(printf, fmt, args)))

// Guests are little-endian, and so is every host emu runs on.
static inline uint16_t load_le16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t load_le32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t load_le64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store_le16(void *p, uint16_t v)
{
    memcpy(p, &v, sizeof v);
}

static inline void store_le32(void *p, uint32_t v)
{
    memcpy(p, &v, sizeof v);
}

static inline void store_le64(void *p, uint64_t v)
{
    memcpy(p, &v, sizeof v);
}

// Bits high..low of value, shifted down.
static inline uint32_t bits_get(uint32_t value, unsigned high, unsigned low)
{
    return (value >> low) & (uint32_t)((UINT64_C(1) << (high - low + 1)) - 1);
}

#endif
