// SPDX-License-Identifier: MIT
// The one bounded byte queue of all chips. Its capacity is a compile-time array of the owner; a
// full queue refuses.
#ifndef EMU_BASE_FIFO_H
#define EMU_BASE_FIFO_H

#include "base/util.h"

#define FIFO_CAPACITY 256u

struct fifo {
    uint8_t data[FIFO_CAPACITY];
    uint32_t head;  // next to read; masked when used
    uint32_t count; // bytes held, never above limit
    uint32_t limit; // at most FIFO_CAPACITY
};

static inline void fifo_init(struct fifo *f, uint32_t limit)
{
    f->head = 0;
    f->count = 0;
    f->limit = limit < FIFO_CAPACITY ? limit : FIFO_CAPACITY;
}

static inline bool fifo_is_empty(const struct fifo *f)
{
    return f->count == 0;
}

static inline bool fifo_is_full(const struct fifo *f)
{
    return f->count >= f->limit;
}

static inline uint32_t fifo_free(const struct fifo *f)
{
    return f->count < f->limit ? f->limit - f->count : 0;
}

static inline void fifo_clear(struct fifo *f)
{
    f->head = 0;
    f->count = 0;
}

// False when full; the byte is dropped.
static inline bool fifo_push(struct fifo *f, uint8_t byte)
{
    if (fifo_is_full(f))
        return false;
    f->data[(f->head + f->count) % FIFO_CAPACITY] = byte;
    f->count++;
    return true;
}

// 0 when empty.
static inline uint8_t fifo_pop(struct fifo *f)
{
    if (f->count == 0)
        return 0;
    uint8_t byte = f->data[f->head % FIFO_CAPACITY];
    f->head = (f->head + 1) % FIFO_CAPACITY;
    f->count--;
    return byte;
}

static inline uint8_t fifo_peek(const struct fifo *f)
{
    return f->count ? f->data[f->head % FIFO_CAPACITY] : 0;
}

#endif
