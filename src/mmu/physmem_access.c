// SPDX-License-Identifier: MIT
// Accesses to the physical address space: single ones with device side effects, and block transfers
// that see memory only. The map may change during a register access (a chip moves a BAR), so
// nothing of it is kept across a callback.
#include "mmu/physmem_internal.h"

static uint64_t ones(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
}

// Who owns the byte at `address` (A20 applied), NULL: nobody. *run: how many bytes from there, at
// most the given number and to the end of the page, have the same owner.
static struct phys_region *owner_at(const struct physmem *mem, uint32_t address, uint64_t *run)
{
    const struct phys_section *section = phys_section_of(mem, address);
    uint64_t limit = PAGE_SIZE - (address & ~PAGE_MASK);
    struct phys_region *owner = NULL;
    for (uint32_t i = 0; i < section->count && !owner; i++) {
        struct phys_region *region = section->regions[i];
        uint64_t distance = limit;
        if (phys_region_contains(region, address)) {
            owner = region;
            distance = phys_region_end(region) - address;
        } else if (region->base > address) {
            distance = region->base - address;
        }
        if (distance < limit)
            limit = distance;
    }
    if (limit < *run)
        *run = limit;
    return owner;
}

// The widest register access that starts at offset, is aligned to its own size and not longer than
// limit.
static unsigned mmio_piece(const struct phys_region *region, uint32_t offset, uint64_t limit)
{
    unsigned size = region->ops.max_size;
    while (size > limit || offset % size != 0)
        size /= 2;
    return size;
}

static void log_absent(struct physmem *mem, const char *what, uint64_t address, unsigned size)
{
    if (mem->log && log_enabled(mem->log, LOG_GUEST_ERROR))
        log_write(mem->log, LOG_GUEST_ERROR,
                  "physmem: %s of %u bytes at %08llx, where nothing is\n", what, size,
                  (unsigned long long)address);
}

// Reads up to `left` bytes with one owner; returns how many.
static unsigned load_piece(struct physmem *mem, uint64_t address, unsigned left, uint64_t *value)
{
    if (address >= PHYS_END) {
        log_absent(mem, "read", address, left);
        *value = ones(left);
        return left;
    }
    uint32_t at = (uint32_t)address & mem->a20_mask;
    uint64_t run = left;
    const struct phys_region *owner = owner_at(mem, at, &run);
    unsigned size = (unsigned)run;
    *value = ones(size);
    if (!owner) {
        log_absent(mem, "read", at, size);
        return size;
    }
    uint32_t offset = at - owner->base;
    if (owner->is_host) {
        if (owner->read_host) {
            *value = 0;
            memcpy(value, owner->read_host + offset, size);
        }
        return size;
    }
    size = mmio_piece(owner, offset, run);
    *value = ones(size);
    if (owner->ops.read)
        *value &= owner->ops.read(owner->self, offset, size);
    return size;
}

static NOINLINE uint64_t load_slow(struct physmem *mem, uint64_t address, unsigned size)
{
    uint64_t value = 0;
    for (unsigned done = 0; done < size;) {
        uint64_t piece;
        unsigned n = load_piece(mem, address + done, size - done, &piece);
        value |= piece << (8 * done);
        done += n;
    }
    return value;
}

uint64_t physmem_load(struct physmem *mem, uint64_t address, unsigned size)
{
    if (LIKELY(address < PHYS_END && (address & ~PAGE_MASK) + size <= PAGE_SIZE)) {
        uint32_t at = (uint32_t)address & mem->a20_mask;
        const struct phys_section *section = phys_section_of(mem, at);
        if (LIKELY(section->read != NULL)) {
            const uint8_t *host = section->read + (at - section->base);
            switch (size) {
            case 1:
                return *host;
            case 2:
                return load_le16(host);
            case 4:
                return load_le32(host);
            case 8:
                return load_le64(host);
            default:
                break;
            }
        }
    }
    return load_slow(mem, address, size);
}

static unsigned store_piece(struct physmem *mem, uint64_t address, unsigned left, uint64_t value)
{
    if (address >= PHYS_END) {
        log_absent(mem, "write", address, left);
        return left;
    }
    uint32_t at = (uint32_t)address & mem->a20_mask;
    uint64_t run = left;
    const struct phys_region *owner = owner_at(mem, at, &run);
    unsigned size = (unsigned)run;
    if (!owner) {
        log_absent(mem, "write", at, size);
        return size;
    }
    uint32_t offset = at - owner->base;
    if (owner->is_host) {
        if (owner->write_host) {
            physmem_will_write(mem, owner->write_host + offset, size);
            memcpy(owner->write_host + offset, &value, size);
        }
        return size;
    }
    size = mmio_piece(owner, offset, run);
    if (owner->ops.write)
        owner->ops.write(owner->self, offset, (uint32_t)(value & ones(size)), size);
    return size;
}

static NOINLINE void store_slow(struct physmem *mem, uint64_t address, uint64_t value,
                                unsigned size)
{
    for (unsigned done = 0; done < size;)
        done += store_piece(mem, address + done, size - done, value >> (8 * done));
}

void physmem_store(struct physmem *mem, uint64_t address, uint64_t value, unsigned size)
{
    if (LIKELY(address < PHYS_END && (address & ~PAGE_MASK) + size <= PAGE_SIZE)) {
        uint32_t at = (uint32_t)address & mem->a20_mask;
        const struct phys_section *section = phys_section_of(mem, at);
        if (LIKELY(section->write != NULL)) {
            uint8_t *host = section->write + (at - section->base);
            physmem_will_write(mem, host, size);
            memcpy(host, &value, size <= 8 ? size : 8);
            return;
        }
    }
    store_slow(mem, address, value, size);
}

// One step of a block transfer: the host memory (NULL: none) of at most `length` bytes at
// `address`; returns how many.
static size_t transfer_step(const struct physmem *mem, uint64_t address, size_t length,
                            bool writing, uint8_t **host)
{
    *host = NULL;
    if (address >= PHYS_END)
        return length;
    uint32_t at = (uint32_t)address & mem->a20_mask;
    uint64_t run = length;
    const struct phys_region *owner = owner_at(mem, at, &run);
    if (owner && owner->is_host) {
        uint8_t *base = writing ? owner->write_host : owner->read_host;
        if (base)
            *host = base + (at - owner->base);
    }
    return (size_t)run;
}

bool physmem_read(struct physmem *mem, uint64_t address, void *buffer, size_t length)
{
    uint8_t *to = buffer;
    bool complete = true;
    while (length) {
        uint8_t *host;
        size_t n = transfer_step(mem, address, length, false, &host);
        if (host) {
            memcpy(to, host, n);
        } else {
            memset(to, 0xff, n);
            complete = false;
        }
        to += n;
        address += n;
        length -= n;
    }
    return complete;
}

bool physmem_write(struct physmem *mem, uint64_t address, const void *buffer, size_t length)
{
    const uint8_t *from = buffer;
    bool complete = true;
    while (length) {
        uint8_t *host;
        size_t n = transfer_step(mem, address, length, true, &host);
        if (host) {
            physmem_will_write(mem, host, n);
            memcpy(host, from, n);
        } else {
            complete = false;
        }
        from += n;
        address += n;
        length -= n;
    }
    return complete;
}

// What devices tell of [offset, offset + length), ones where they tell nothing: false then.
static bool peek_region(const struct phys_region *region, uint32_t offset, uint8_t *to,
                        size_t length)
{
    bool tells = region && region->ops.peek;
    for (size_t i = 0; i < length; i++)
        to[i] = tells ? region->ops.peek(region->self, offset + (uint32_t)i) : 0xff;
    return tells;
}

size_t physmem_peek(struct physmem *mem, uint64_t address, void *buffer, size_t length)
{
    uint8_t *to = buffer;
    size_t told = length;
    for (size_t done = 0, n; done < length; done += n) {
        uint8_t *host;
        n = transfer_step(mem, address + done, length - done, false, &host);
        if (host) {
            memcpy(to + done, host, n);
            continue;
        }
        uint32_t at = (uint32_t)(address + done) & mem->a20_mask;
        uint64_t run = n;
        const struct phys_region *owner =
            address + done < PHYS_END ? owner_at(mem, at, &run) : NULL;
        bool tells = peek_region(owner && !owner->is_host ? owner : NULL,
                                 owner ? at - owner->base : 0, to + done, n);
        if (!tells && done < told)
            told = done;
    }
    return told;
}
