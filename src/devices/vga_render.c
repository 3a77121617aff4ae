// SPDX-License-Identifier: MIT
// The screen as an RGB picture: planar 16 colours, CGA's 4 colours, 256 colours, and the linear VBE
// depths 8, 15, 16, 24 and 32. Left out: pixel panning.
#include "devices/vga_internal.h"

#include <stdlib.h>

void vga_image_alloc(struct vga_image *image, uint32_t width, uint32_t height)
{
    image->width = width;
    image->height = height;
    image->rgb = xcalloc((size_t)width * height, 3);
}

uint32_t vga_dac_color(const struct vga *vga, uint8_t index)
{
    const uint8_t *p = vga->palette + (index & vga->dac_mask) * 3u;
    uint32_t color = 0;

    for (unsigned i = 0; i < 3; i++) {
        uint32_t c =
            vga->vbe[VBE_ENABLE] & VBE_8BIT_DAC ? p[i] : (p[i] & 0x3fu) << 2 | (p[i] & 0x3fu) >> 4;
        color = color << 8 | c;
    }
    return color;
}

uint32_t vga_attribute_color(const struct vga *vga, uint8_t attribute)
{
    uint8_t entry = vga->ac[attribute & 15 & vga->ac[AC_PLANES]];
    uint8_t select = vga->ac[AC_COLOR_SELECT];

    if (vga->ac[AC_MODE] & 0x80)
        return vga_dac_color(vga, (uint8_t)((entry & 0x0f) | (select & 0x0f) << 4));
    return vga_dac_color(vga, (uint8_t)((entry & 0x3f) | (select & 0x0c) << 4));
}

// Eight dots from one address of the four planes.
static void put_planar(const struct vga *vga, struct vga_image *image, uint32_t x, uint32_t y,
                       const uint8_t *planes)
{
    for (unsigned bit = 0; bit < 8; bit++) {
        unsigned shift = 7 - bit;
        uint8_t color = (uint8_t)((planes[0] >> shift & 1) | (planes[1] >> shift & 1) << 1 |
                                  (planes[2] >> shift & 1) << 2 | (planes[3] >> shift & 1) << 3);
        vga_put_pixel(image, x + bit, y, vga_attribute_color(vga, color));
    }
}

// CGA's packing: two bits a dot, the even byte in planes 0 and 2, the odd one in 1 and 3.
static void put_interleaved(const struct vga *vga, struct vga_image *image, uint32_t x, uint32_t y,
                            const uint8_t *planes)
{
    for (unsigned dot = 0; dot < 8; dot++) {
        unsigned shift = 6 - 2 * (dot & 3), odd = dot >> 2;
        uint8_t color = (uint8_t)((planes[odd] >> shift & 3) | (planes[odd + 2] >> shift & 3) << 2);
        vga_put_pixel(image, x + dot, y, vga_attribute_color(vga, color));
    }
}

static void put_bytes(const struct vga *vga, struct vga_image *image, uint32_t x, uint32_t y,
                      const uint8_t *bytes)
{
    for (unsigned i = 0; i < 4; i++)
        vga_put_pixel(image, x + i, y, vga_dac_color(vga, bytes[i]));
}

// Without bit 0 of the mode register, row scan bit 0 replaces an address bit (CGA's two banks).
static uint32_t row_address(const struct vga *vga, uint32_t base, uint32_t scan)
{
    uint8_t mode = vga->crtc[CRTC_MODE];

    if (!(mode & 1)) {
        unsigned bit = 14u + (mode >> 6 & 1u);
        base = (base & ~(1u << bit)) | (scan & 1) << bit;
    }
    return base;
}

static void render_graphics(const struct vga *vga, struct vga_image *image)
{
    unsigned shift = vga->gc[GC_MODE] >> 5 & 3;
    uint32_t columns = vga->crtc[CRTC_HORIZONTAL_END] + 1u;
    uint32_t dots = shift >= 2 ? 4 : 8;
    uint32_t scans = (vga->crtc[CRTC_MAX_SCAN] & 0x1f) + 1u;
    uint32_t lines = vga_display_lines(vga);
    uint32_t start = ((uint32_t)vga->crtc[CRTC_START_HIGH] << 8 | vga->crtc[CRTC_START_LOW]) * 4;
    uint32_t pitch = vga->crtc[CRTC_OFFSET] * 8u;
    bool banked = !(vga->crtc[CRTC_MODE] & 1);
    uint32_t repeat = (vga->crtc[CRTC_MAX_SCAN] & 0x80 ? 2 : 1) * (banked ? 1 : scans);

    lines = lines / repeat ? lines / repeat : 1;
    vga_image_alloc(image, columns * dots, lines);
    for (uint32_t y = 0; y < lines; y++) {
        uint32_t row = banked ? y / scans : y;
        uint32_t base = row_address(vga, start + row * pitch, banked ? y % scans : 0);
        for (uint32_t column = 0; column < columns; column++) {
            const uint8_t *planes = vga->vram + ((base + column * 4) & VGA_VRAM_MASK & ~3u);
            if (shift >= 2)
                put_bytes(vga, image, column * dots, y, planes);
            else if (shift == 1)
                put_interleaved(vga, image, column * dots, y, planes);
            else
                put_planar(vga, image, column * dots, y, planes);
        }
    }
}

static uint32_t scale(uint32_t value, unsigned bits)
{
    uint32_t max = (1u << bits) - 1;

    return (value & max) * 255 / max;
}

static uint32_t vbe_color(const struct vga *vga, const uint8_t *p)
{
    uint32_t v;

    switch (vga->vbe[VBE_BPP]) {
    case 15:
        v = load_le16(p);
        return scale(v >> 10, 5) << 16 | scale(v >> 5, 5) << 8 | scale(v, 5);
    case 16:
        v = load_le16(p);
        return scale(v >> 11, 5) << 16 | scale(v >> 5, 6) << 8 | scale(v, 5);
    case 24:
    case 32:
        return (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
    default:
        return vga_dac_color(vga, *p);
    }
}

static void render_vbe(const struct vga *vga, struct vga_image *image)
{
    uint32_t width = vga->vbe[VBE_XRES], height = vga->vbe[VBE_YRES];
    uint32_t bpp = vga->vbe[VBE_BPP], bytes = (bpp + 7) / 8, line = vga_vbe_line_bytes(vga);

    vga_image_alloc(image, width, height);
    for (uint32_t y = 0; y < height; y++) {
        uint32_t base = (y + vga->vbe[VBE_Y_OFFSET]) * line;
        if (bpp == 4) {
            base += vga->vbe[VBE_X_OFFSET] / 8u * 4;
            for (uint32_t x = 0; x + 8 <= width; x += 8)
                put_planar(vga, image, x, y, vga->vram + ((base + x / 2) & VGA_VRAM_MASK & ~3u));
            continue;
        }
        base += vga->vbe[VBE_X_OFFSET] * bytes;
        for (uint32_t x = 0; x < width; x++) {
            uint8_t pixel[4];
            for (unsigned i = 0; i < 4; i++)
                pixel[i] = vga->vram[(base + x * bytes + i) & VGA_VRAM_MASK];
            vga_put_pixel(image, x, y, vbe_color(vga, pixel));
        }
    }
}

void vga_render(const struct vga *vga, struct vga_image *image)
{
    bool off = !(vga->ac_index & 0x20) || (vga->seq[SEQ_CLOCKING] & 0x20);

    if (vga_vbe_is_on(vga))
        render_vbe(vga, image);
    else if (off)
        vga_image_alloc(image, 720, 400);
    else if (vga_is_text(vga))
        vga_render_text(vga, image);
    else
        render_graphics(vga, image);
}
