// SPDX-License-Identifier: MIT
// What the files of the VGA share.
#ifndef EMU_DEVICES_VGA_INTERNAL_H
#define EMU_DEVICES_VGA_INTERNAL_H

#include "devices/vga.h"

#define VGA_VRAM_SIZE (16u << 20)
#define VGA_VRAM_MASK (VGA_VRAM_SIZE - 1)

enum { SEQ_RESET, SEQ_CLOCKING, SEQ_MAP_MASK, SEQ_CHARACTER_MAP, SEQ_MEMORY_MODE, SEQ_COUNT = 8 };
enum {
    GC_SET_RESET,
    GC_ENABLE_SET_RESET,
    GC_COLOR_COMPARE,
    GC_DATA_ROTATE,
    GC_READ_MAP,
    GC_MODE,
    GC_MISC,
    GC_COLOR_DONT_CARE,
    GC_BIT_MASK,
    GC_COUNT = 16
};
enum {
    CRTC_HORIZONTAL_END = 0x01,
    CRTC_OVERFLOW = 0x07,
    CRTC_MAX_SCAN = 0x09,
    CRTC_CURSOR_START = 0x0a,
    CRTC_CURSOR_END = 0x0b,
    CRTC_START_HIGH = 0x0c,
    CRTC_START_LOW = 0x0d,
    CRTC_CURSOR_HIGH = 0x0e,
    CRTC_CURSOR_LOW = 0x0f,
    CRTC_RETRACE_END = 0x11,
    CRTC_VERTICAL_END = 0x12,
    CRTC_OFFSET = 0x13,
    CRTC_UNDERLINE = 0x14,
    CRTC_MODE = 0x17,
    CRTC_LINE_COMPARE = 0x18,
    CRTC_COUNT = 0x19
};
enum {
    AC_MODE = 0x10,
    AC_PLANES = 0x12,
    AC_PANNING = 0x13,
    AC_COLOR_SELECT = 0x14,
    AC_COUNT = 0x15
};
enum {
    VBE_ID,
    VBE_XRES,
    VBE_YRES,
    VBE_BPP,
    VBE_ENABLE,
    VBE_BANK,
    VBE_VIRT_WIDTH,
    VBE_VIRT_HEIGHT,
    VBE_X_OFFSET,
    VBE_Y_OFFSET,
    VBE_MEMORY_64K,
    VBE_COUNT
};
enum {
    VBE_ENABLED = 0x01,
    VBE_GETCAPS = 0x02,
    VBE_8BIT_DAC = 0x20,
    VBE_LFB = 0x40,
    VBE_NOCLEAR = 0x80
};

struct vga {
    struct pci_device *pci;
    struct physmem *mem;
    struct clock *clock;
    struct log *log;
    struct state_registry *registry;
    struct port_range *ports, *mono_ports, *color_ports, *vbe_ports;
    struct phys_region *window;
    uint8_t *vram; // planes interleaved: byte 4 * address + plane
    uint8_t *rom;
    uint32_t rom_size;

    uint8_t misc, feature;
    uint8_t seq_index, seq[SEQ_COUNT];
    uint8_t gc_index, gc[GC_COUNT];
    uint8_t crtc_index, crtc[CRTC_COUNT];
    uint8_t ac_index, ac[AC_COUNT]; // ac_index: bit 5 enables the display
    bool ac_data;                   // the flip-flop: the next write is data
    uint8_t dac_mask, dac_state, dac_read, dac_write, dac_component;
    uint8_t dac_pending[3];
    uint8_t palette[768];
    uint8_t latch[4];
    uint16_t vbe_index, vbe[VBE_COUNT];
};

// vga.c: a port 0x3b0..0x3df.
uint8_t vga_port_read(struct vga *vga, uint32_t port);
void vga_port_write(struct vga *vga, uint32_t port, uint8_t value);

// vga_memory.c
extern const struct mmio_ops vga_window_ops;

// vga_vbe.c
void vga_vbe_init(struct vga *vga, struct pci_bus *bus, uint8_t devfn, struct portio *ports);
void vga_vbe_reset(struct vga *vga);
bool vga_vbe_is_on(const struct vga *vga);
uint32_t vga_vbe_line_bytes(const struct vga *vga); // of the planes together in 4-bit modes
void vga_vbe_sanitize(struct vga *vga);             // after registers came from a snapshot

// vga_text.c
bool vga_is_text(const struct vga *vga);
uint32_t vga_display_lines(const struct vga *vga); // scan lines
void vga_render_text(const struct vga *vga, struct vga_image *image);

// vga_render.c
void vga_image_alloc(struct vga_image *image, uint32_t width, uint32_t height);
// RGB of a DAC entry, of a 4-bit attribute through the palette registers.
uint32_t vga_dac_color(const struct vga *vga, uint8_t index);
uint32_t vga_attribute_color(const struct vga *vga, uint8_t attribute);

static inline void vga_put_pixel(struct vga_image *image, uint32_t x, uint32_t y, uint32_t color)
{
    uint8_t *p = image->rgb + ((size_t)y * image->width + x) * 3;

    p[0] = (uint8_t)(color >> 16);
    p[1] = (uint8_t)(color >> 8);
    p[2] = (uint8_t)color;
}

#endif
