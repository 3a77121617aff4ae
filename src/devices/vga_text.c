// SPDX-License-Identifier: MIT
// The text modes' screen: characters from planes 0 and 1, glyphs from the font the guest loaded
// into plane 2, cursor and blinking.
#include "devices/vga_internal.h"

#include <stdlib.h>

#define MAX_COLUMNS 256u
#define MAX_ROWS    256u
#define FRAME_NS    16683333

struct geometry {
    uint32_t columns, rows;
    uint32_t glyph_height; // scan lines
    uint32_t glyph_width;  // 8 or 9 dots
    uint32_t start, pitch; // in characters
};

bool vga_is_text(const struct vga *vga)
{
    return !vga_vbe_is_on(vga) && !(vga->gc[GC_MISC] & 1);
}

uint32_t vga_display_lines(const struct vga *vga)
{
    uint8_t overflow = vga->crtc[CRTC_OVERFLOW];

    return (vga->crtc[CRTC_VERTICAL_END] | (overflow & 2u) << 7 | (overflow & 0x40u) << 3) + 1;
}

static bool text_geometry(const struct vga *vga, struct geometry *g)
{
    uint32_t lines = vga_display_lines(vga);

    if (vga->crtc[CRTC_MAX_SCAN] & 0x80)
        lines /= 2;
    g->glyph_height = (vga->crtc[CRTC_MAX_SCAN] & 0x1f) + 1u;
    g->glyph_width = vga->seq[SEQ_CLOCKING] & 1 ? 8 : 9;
    g->columns = vga->crtc[CRTC_HORIZONTAL_END] + 1u;
    g->rows = lines / g->glyph_height;
    g->start = (uint32_t)vga->crtc[CRTC_START_HIGH] << 8 | vga->crtc[CRTC_START_LOW];
    g->pitch = vga->crtc[CRTC_OFFSET] * 2u;
    return g->columns >= 2 && g->columns <= MAX_COLUMNS && g->rows >= 1 && g->rows <= MAX_ROWS;
}

// A cell: character in plane 0, attribute in plane 1, 64 Ki cells that wrap.
static const uint8_t *text_cell(const struct vga *vga, const struct geometry *g, uint32_t column,
                                uint32_t row)
{
    return vga->vram + ((g->start + row * g->pitch + column) & 0xffff) * 4;
}

// Offsets in plane 2 of the two fonts that attribute bit 3 chooses between.
static uint32_t font_offset(const struct vga *vga, bool second)
{
    uint8_t map = vga->seq[SEQ_CHARACTER_MAP];
    uint32_t n = second ? (map >> 2 & 3u) | (map >> 3 & 4u) : (map & 3u) | (map >> 2 & 4u);

    return (n & 3) * 0x4000 + (n >> 2) * 0x2000;
}

static bool blink_phase(const struct vga *vga, unsigned frames)
{
    return clock_now(vga->clock) / FRAME_NS % (2 * frames) < frames;
}

static uint32_t cursor_address(const struct vga *vga)
{
    return (uint32_t)vga->crtc[CRTC_CURSOR_HIGH] << 8 | vga->crtc[CRTC_CURSOR_LOW];
}

static bool cursor_covers(const struct vga *vga, uint32_t line)
{
    return !(vga->crtc[CRTC_CURSOR_START] & 0x20) &&
           line >= (vga->crtc[CRTC_CURSOR_START] & 0x1fu) &&
           line <= (vga->crtc[CRTC_CURSOR_END] & 0x1fu) && blink_phase(vga, 8);
}

// The dots of one scan line of a glyph, leftmost in bit 8; box-drawing characters repeat their last
// dot in the ninth.
static uint32_t glyph_dots(const struct vga *vga, uint8_t character, uint32_t font, uint32_t line)
{
    uint32_t dots = (uint32_t)vga->vram[((font + character * 32u + line) & 0xffff) * 4 + 2] << 1;

    if ((vga->ac[AC_MODE] & 4) && character >= 0xc0 && character <= 0xdf)
        dots |= dots >> 1 & 1;
    return dots;
}

static void render_cell(const struct vga *vga, const struct geometry *g, struct vga_image *image,
                        uint32_t column, uint32_t row)
{
    const uint8_t *cell = text_cell(vga, g, column, row);
    uint8_t attribute = cell[1];
    bool two_fonts = font_offset(vga, false) != font_offset(vga, true);
    uint32_t font = font_offset(vga, (attribute & 8) != 0);
    uint8_t front = attribute & (two_fonts ? 7 : 15), back = attribute >> 4;
    bool hidden = false;
    bool cursor = ((g->start + row * g->pitch + column) & 0xffff) == cursor_address(vga);

    if (vga->ac[AC_MODE] & 8) {
        hidden = (back & 8) && !blink_phase(vga, 16);
        back &= 7;
    }
    uint32_t front_color = vga_attribute_color(vga, front),
             back_color = vga_attribute_color(vga, back);
    bool underline = !(vga->misc & 1) && (attribute & 0x77) == 1;
    for (uint32_t line = 0; line < g->glyph_height; line++) {
        uint32_t dots = hidden ? 0 : glyph_dots(vga, cell[0], font, line);
        if ((cursor && cursor_covers(vga, line)) ||
            (underline && line == (vga->crtc[CRTC_UNDERLINE] & 0x1fu)))
            dots = 0x1ff;
        for (uint32_t x = 0; x < g->glyph_width; x++)
            vga_put_pixel(image, column * g->glyph_width + x, row * g->glyph_height + line,
                          (dots >> (8 - x)) & 1 ? front_color : back_color);
    }
}

void vga_render_text(const struct vga *vga, struct vga_image *image)
{
    struct geometry g;

    if (!text_geometry(vga, &g)) {
        vga_image_alloc(image, 720, 400);
        return;
    }
    vga_image_alloc(image, g.columns * g.glyph_width, g.rows * g.glyph_height);
    for (uint32_t row = 0; row < g.rows; row++)
        for (uint32_t column = 0; column < g.columns; column++)
            render_cell(vga, &g, image, column, row);
}

bool vga_text_screen(const struct vga *vga, struct vga_text *text)
{
    struct geometry g;

    if (!vga_is_text(vga) || !text_geometry(vga, &g))
        return false;
    size_t cells = (size_t)g.columns * g.rows;
    text->columns = g.columns;
    text->rows = g.rows;
    text->characters = xcalloc(2, cells);
    text->attributes = text->characters + cells;
    for (uint32_t row = 0; row < g.rows; row++) {
        for (uint32_t column = 0; column < g.columns; column++) {
            const uint8_t *cell = text_cell(vga, &g, column, row);
            text->characters[row * g.columns + column] = cell[0];
            text->attributes[row * g.columns + column] = cell[1];
        }
    }
    uint32_t cursor = (cursor_address(vga) - g.start) & 0xffff;
    text->cursor_row = g.pitch ? cursor / g.pitch : 0;
    text->cursor_column = g.pitch ? cursor % g.pitch : cursor;
    return true;
}
