// SPDX-License-Identifier: MIT
// The code tracker: which host pages were decoded or translated. RAM has one bitmap, looked up by
// subtraction; the few other blocks (firmware, video memory) are searched one after the other.
#include <assert.h>
#include <stdlib.h>

#include "mmu/physmem_internal.h"

static size_t bitmap_words(size_t bytes)
{
    return ((bytes + PAGE_SIZE - 1) / PAGE_SIZE + 63) / 64;
}

static bool in_ram(const struct physmem *mem, const uint8_t *host)
{
    return (uintptr_t)host - (uintptr_t)mem->ram < mem->ram_size;
}

// The bitmap of the block around host, NULL when untracked; *start, *size: the block.
static uint64_t *block_bits(const struct physmem *mem, const uint8_t *host, uint8_t **start,
                            size_t *size)
{
    if (LIKELY(in_ram(mem, host))) {
        *start = mem->ram;
        *size = mem->ram_size;
        return mem->ram_code;
    }
    for (uint32_t i = 0; i < mem->block_count; i++) {
        const struct code_block *block = &mem->blocks[i];
        if ((uintptr_t)host - (uintptr_t)block->start < block->size) {
            *start = block->start;
            *size = block->size;
            return block->bits;
        }
    }
    return NULL;
}

static bool bit_test(const uint64_t *bits, size_t n)
{
    return (bits[n / 64] >> (n % 64)) & 1;
}

static void bit_assign(uint64_t *bits, size_t n, bool value)
{
    uint64_t mask = UINT64_C(1) << (n % 64);
    bits[n / 64] = value ? bits[n / 64] | mask : bits[n / 64] & ~mask;
}

// Joins the new range with every block it overlaps, keeping their marks.
void phys_code_add_block(struct physmem *mem, uint8_t *start, size_t size)
{
    if (size == 0 || in_ram(mem, start))
        return;
    struct code_block joined = {.start = start, .size = size};
    for (uint32_t i = 0; i < mem->block_count;) {
        const struct code_block *block = &mem->blocks[i];
        uintptr_t a = (uintptr_t)joined.start, a_end = a + joined.size;
        uintptr_t b = (uintptr_t)block->start, b_end = b + block->size;
        if (a >= b &&
            a_end <= b_end) { // already inside; a joined range carries no marks of its own yet
            if (!joined.bits)
                return;
        }
        if (a >= b_end || b >= a_end) {
            i++;
            continue;
        }
        assert((a - b) % PAGE_SIZE == 0); // pages of one host object are counted from one place
        struct code_block both = {.start = a < b ? joined.start : block->start};
        both.size = (a_end > b_end ? a_end : b_end) - (uintptr_t)both.start;
        both.bits = xcalloc(bitmap_words(both.size), sizeof *both.bits);
        const struct code_block parts[2] = {joined, *block};
        for (unsigned p = 0; p < 2; p++) {
            size_t first = (size_t)(parts[p].start - both.start) / PAGE_SIZE;
            for (size_t n = 0; parts[p].bits && n < parts[p].size / PAGE_SIZE; n++)
                if (bit_test(parts[p].bits, n))
                    bit_assign(both.bits, first + n, true);
        }
        free(joined.bits);
        free(block->bits);
        joined = both;
        mem->blocks[i] = mem->blocks[--mem->block_count];
        i = 0;
    }
    if (!joined.bits)
        joined.bits = xcalloc(bitmap_words(size), sizeof *joined.bits);
    mem->blocks = xrealloc(mem->blocks, (mem->block_count + 1) * sizeof *mem->blocks);
    mem->blocks[mem->block_count++] = joined;
}

void phys_code_release_all(struct physmem *mem)
{
    for (uint32_t i = 0; i < mem->block_count; i++)
        free(mem->blocks[i].bits);
    free(mem->blocks);
    free(mem->ram_code);
}

void physmem_set_code_listener(struct physmem *mem,
                               void (*written)(void *self, uint8_t *host, size_t length),
                               void *self)
{
    mem->code_written = written;
    mem->code_listener = self;
}

static void mark(struct physmem *mem, const uint8_t *host_page, bool value)
{
    uint8_t *start;
    size_t size;
    uint64_t *bits = block_bits(mem, host_page, &start, &size);
    assert(bits || !value);
    if (bits)
        bit_assign(bits, (size_t)(host_page - start) / PAGE_SIZE, value);
}

void physmem_mark_code(struct physmem *mem, const uint8_t *host_page)
{
    mark(mem, host_page, true);
}

void physmem_clear_code(struct physmem *mem, const uint8_t *host_page)
{
    mark(mem, host_page, false);
}

bool physmem_is_code(const struct physmem *mem, const uint8_t *host_page)
{
    uint8_t *start;
    size_t size;
    const uint64_t *bits = block_bits(mem, host_page, &start, &size);
    return bits && bit_test(bits, (size_t)(host_page - start) / PAGE_SIZE);
}

void physmem_will_write(struct physmem *mem, uint8_t *host, size_t length)
{
    uint8_t *start;
    size_t size;
    const uint64_t *bits = block_bits(mem, host, &start, &size);
    if (UNLIKELY(!bits))
        return;
    size_t offset = (size_t)(host - start);
    if (length > size - offset)
        length = size - offset;
    // One call for each page that holds code; the listener may clear marks, so each is looked at
    // when it is due.
    while (length) {
        size_t n = PAGE_SIZE - offset % PAGE_SIZE;
        if (n > length)
            n = length;
        if (UNLIKELY(bit_test(bits, offset / PAGE_SIZE)) && mem->code_written)
            mem->code_written(mem->code_listener, start + offset, n);
        offset += n;
        length -= n;
    }
}
