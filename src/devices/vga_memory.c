// SPDX-License-Identifier: MIT
// The VGA window at 0xa0000: memory maps, planar reads and writes with latches, odd/even and
// chain-4 addressing, and the banked window of VBE modes. The planes are interleaved byte by byte
// in video memory, so that chain-4 and linear modes see it in order.
#include "devices/vga_internal.h"

// Turns a window offset into an address in the card's 64 or 128 KiB; false when the map does not
// show it.
static bool window_address(const struct vga *vga, uint32_t *address)
{
    uint32_t offset = *address;

    switch ((vga->gc[GC_MISC] >> 2) & 3) {
    case 0:
        return offset < 0x20000;
    case 1:
        return offset < 0x10000;
    case 2:
        *address = offset - 0x10000;
        return offset >= 0x10000 && offset < 0x18000;
    default:
        *address = offset - 0x18000;
        return offset >= 0x18000;
    }
}

static bool is_linear_vbe(const struct vga *vga)
{
    return vga_vbe_is_on(vga) && vga->vbe[VBE_BPP] >= 8;
}

// Banked modes always show 64 KiB at 0xa0000.
static bool bank_address(const struct vga *vga, uint32_t *address, uint32_t scale)
{
    if (*address >= 0x10000)
        return false;
    *address = ((*address + ((uint32_t)vga->vbe[VBE_BANK] << 16)) * scale) & VGA_VRAM_MASK;
    return true;
}

// The reads fill the latches with what stands at the address.
static uint8_t planar_read(const struct vga *vga, uint32_t base, uint8_t *latch)
{
    memcpy(latch, vga->vram + (base & VGA_VRAM_MASK & ~3u), 4);
    if (!(vga->gc[GC_MODE] & 8))
        return latch[vga->gc[GC_READ_MAP] & 3];
    uint8_t same = 0xff;
    for (unsigned plane = 0; plane < 4; plane++) {
        uint8_t color = (vga->gc[GC_COLOR_COMPARE] >> plane) & 1 ? 0xff : 0;
        if ((vga->gc[GC_COLOR_DONT_CARE] >> plane) & 1)
            same &= (uint8_t) ~(latch[plane] ^ color);
    }
    return same;
}

static uint8_t read_byte(const struct vga *vga, uint32_t offset, uint8_t *latch)
{
    uint32_t address = offset;
    if (is_linear_vbe(vga))
        return bank_address(vga, &address, 1) ? vga->vram[address] : 0xff;
    if (vga_vbe_is_on(vga))
        return bank_address(vga, &address, 4) ? planar_read(vga, address, latch) : 0xff;
    if (!window_address(vga, &address))
        return 0xff;
    if (vga->seq[SEQ_MEMORY_MODE] & 8)
        return vga->vram[address & VGA_VRAM_MASK];
    if (vga->gc[GC_MODE] & 0x10) {
        memcpy(latch, vga->vram + (address >> 1) * 4, 4);
        return latch[(vga->gc[GC_READ_MAP] & 2) | (address & 1)];
    }
    return planar_read(vga, address * 4, latch);
}

static uint32_t window_read(void *self, uint32_t offset, unsigned size)
{
    struct vga *vga = self;
    return read_byte(vga, offset, vga->latch);
}

static uint8_t window_peek(const void *self, uint32_t offset)
{
    const struct vga *vga = self;
    uint8_t latch[sizeof vga->latch];
    return read_byte(vga, offset, latch);
}

static uint8_t rotate_right(uint8_t value, unsigned n)
{
    return (uint8_t)((value >> (n & 7)) | (value << ((8 - n) & 7)));
}

static uint8_t combine(const struct vga *vga, uint8_t value, uint8_t latch)
{
    switch ((vga->gc[GC_DATA_ROTATE] >> 3) & 3) {
    case 0:
        return value;
    case 1:
        return value & latch;
    case 2:
        return value | latch;
    default:
        return value ^ latch;
    }
}

// What one plane receives, by write mode.
static uint8_t plane_value(const struct vga *vga, unsigned plane, uint8_t value)
{
    uint8_t set = (vga->gc[GC_SET_RESET] >> plane) & 1 ? 0xff : 0;
    uint8_t rotated = rotate_right(value, vga->gc[GC_DATA_ROTATE] & 7);
    uint8_t mask = vga->gc[GC_BIT_MASK], latch = vga->latch[plane];

    switch (vga->gc[GC_MODE] & 3) {
    case 0:
        value = (vga->gc[GC_ENABLE_SET_RESET] >> plane) & 1 ? set : rotated;
        break;
    case 1:
        return latch;
    case 2:
        value = (value >> plane) & 1 ? 0xff : 0;
        break;
    default:
        value = set;
        mask &= rotated;
        break;
    }
    value = combine(vga, value, latch);
    return (uint8_t)((value & mask) | (latch & ~mask));
}

static void planar_write(struct vga *vga, uint32_t base, uint8_t value, uint8_t planes)
{
    uint8_t *bytes = vga->vram + (base & VGA_VRAM_MASK & ~3u);

    for (unsigned plane = 0; plane < 4; plane++)
        if ((planes >> plane) & 1)
            bytes[plane] = plane_value(vga, plane, value);
}

static void window_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct vga *vga = self;
    uint32_t address = offset;
    uint8_t byte = (uint8_t)value, planes = vga->seq[SEQ_MAP_MASK];

    if (is_linear_vbe(vga)) {
        if (bank_address(vga, &address, 1))
            vga->vram[address] = byte;
        return;
    }
    if (vga_vbe_is_on(vga)) {
        if (bank_address(vga, &address, 4))
            planar_write(vga, address, byte, planes);
        return;
    }
    if (!window_address(vga, &address))
        return;
    if (vga->seq[SEQ_MEMORY_MODE] & 8) {
        if ((planes >> (address & 3)) & 1)
            vga->vram[address & VGA_VRAM_MASK] = byte;
    } else if (!(vga->seq[SEQ_MEMORY_MODE] & 4)) {
        // Odd/even: even addresses reach planes 0 and 2, odd ones 1 and 3.
        planar_write(vga, (address >> 1) * 4, byte, planes & (address & 1 ? 0x0a : 0x05));
    } else {
        planar_write(vga, address * 4, byte, planes);
    }
}

const struct mmio_ops vga_window_ops = {
    .read = window_read, .write = window_write, .max_size = 1, .peek = window_peek};
