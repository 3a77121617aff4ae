// SPDX-License-Identifier: MIT
// VGA with the Bochs VBE extension on a PCI function (1234:1111): register-compatible VGA, 16 MiB
// of video memory in BAR0, registers in BAR2, the VGA BIOS as expansion ROM. Parts: vga.c
// (registers), vga_memory.c (the window at 0xa0000), vga_vbe.c (dispi, PCI), vga_text.c and
// vga_render.c (what is on the screen).
#ifndef EMU_DEVICES_VGA_H
#define EMU_DEVICES_VGA_H

#include "base/clock.h"
#include "devices/pci.h"

#define VGA_PRIORITY 1 // of the window at 0xa0000 in the physical map: above RAM, below SMRAM

struct vga;

// rom: the VGA BIOS image (copied), may be NULL.
struct vga *vga_create(struct pci_bus *bus, uint8_t devfn, struct portio *ports,
                       struct clock *clock, const uint8_t *rom, uint32_t rom_size);
void vga_destroy(struct vga *vga);
void vga_reset(struct vga *vga);

// The screen as it is now, 3 bytes a pixel; free(image->rgb). Blanked or senseless settings give a
// black picture.
struct vga_image {
    uint32_t width, height;
    uint8_t *rgb;
};
void vga_render(const struct vga *vga, struct vga_image *image);

// The characters on the screen in text mode, row by row (columns * rows code-page 437 bytes);
// free(text->characters). False in graphics modes.
struct vga_text {
    uint32_t columns, rows;
    uint32_t cursor_column, cursor_row; // may lie outside
    uint8_t *characters;
    uint8_t *attributes; // part of the same allocation
};
bool vga_text_screen(const struct vga *vga, struct vga_text *text);

#endif
