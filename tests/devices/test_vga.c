// SPDX-License-Identifier: MIT
// VGA: registers, every read and write mode, text and graphics pictures, the Bochs VBE extension
// and its PCI function.
#include "pci_bench.h"

#include "devices/vga.h"

#define VGA_DEV PCI_DEVFN(2, 0)

struct rig {
    struct bench b;
    struct vga *vga;
};

static void rig_open(struct rig *r)
{
    static const uint8_t rom[1000] = {0x55, 0xaa, 2};
    bench_open(&r->b);
    r->vga = vga_create(r->b.bus, VGA_DEV, r->b.ports, r->b.clock, rom, sizeof rom);
    assert_non_null(r->vga);
    out8(&r->b, 0x3c2, 0x63);
}

static void rig_close(struct rig *r)
{
    vga_destroy(r->vga);
    bench_close(&r->b);
}

static void seq(struct rig *r, uint8_t index, uint8_t value)
{
    out16(&r->b, 0x3c4, index | value << 8);
}

static void gc(struct rig *r, uint8_t index, uint8_t value)
{
    out16(&r->b, 0x3ce, index | value << 8);
}

static void crtc(struct rig *r, uint8_t index, uint8_t value)
{
    out16(&r->b, 0x3d4, index | value << 8);
}

static void ac(struct rig *r, uint8_t index, uint8_t value)
{
    in8(&r->b, 0x3da);
    out8(&r->b, 0x3c0, index);
    out8(&r->b, 0x3c0, value);
}

static void dac(struct rig *r, uint8_t index, uint8_t red, uint8_t green, uint8_t blue)
{
    out8(&r->b, 0x3c8, index);
    out8(&r->b, 0x3c9, red);
    out8(&r->b, 0x3c9, green);
    out8(&r->b, 0x3c9, blue);
}

static uint8_t peek(struct rig *r, uint32_t offset)
{
    return (uint8_t)physmem_load(r->b.mem, 0xa0000 + offset, 1);
}

static void poke(struct rig *r, uint32_t offset, uint8_t value)
{
    physmem_store(r->b.mem, 0xa0000 + offset, value, 1);
}

static void palette_16(struct rig *r)
{
    for (uint8_t i = 0; i < 16; i++) {
        ac(r, i, i);
        dac(r, i, i * 4, 63 - i * 4, i);
    }
    ac(r, 0x12, 0x0f);
}

static uint32_t pixel(const struct vga_image *image, uint32_t x, uint32_t y)
{
    const uint8_t *p = image->rgb + (y * image->width + x) * 3;
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static uint32_t color_16(unsigned i)
{
    uint32_t r = i * 4, g = 63 - i * 4, b = i;
    return (r << 2 | r >> 4) << 16 | (g << 2 | g >> 4) << 8 | (b << 2 | b >> 4);
}

static void test_registers(void **state)
{
    struct rig r;
    rig_open(&r);
    struct bench *b = &r.b;
    assert_int_equal(in8(b, 0x3cc), 0x63);
    crtc(&r, 0x0f, 0x5a);
    assert_int_equal(in8(b, 0x3d5), 0x5a);
    assert_int_equal(in8(b, 0x3b5), 0xff); // the mono place is hidden
    crtc(&r, 0x11, 0x80);
    crtc(&r, 0x01, 79);
    crtc(&r, 0x07, 0x12);
    assert_int_equal(in8(b, 0x3d5), 0x10); // line compare bit only
    crtc(&r, 0x11, 0);
    crtc(&r, 0x01, 79);
    assert_int_equal(in8(b, 0x3d5), 79);
    ac(&r, 3, 0x15);
    out8(b, 0x3c0, 3);
    assert_int_equal(in8(b, 0x3c1), 0x15);
    dac(&r, 7, 1, 2, 0xff);
    out8(b, 0x3c7, 7);
    assert_int_equal(in8(b, 0x3c9), 1);
    assert_int_equal(in8(b, 0x3c9), 2);
    assert_int_equal(in8(b, 0x3c9), 63);
    // A frame has one vertical retrace.
    unsigned edges = 0, last = 0;
    for (unsigned i = 0; i < 5250; i++) {
        unsigned now = in8(b, 0x3da) & 8;
        edges += now && !last;
        last = now;
        bench_run(b, 3178);
    }
    assert_int_equal(edges, 1);
    rig_close(&r);
}

static void test_planar(void **state)
{
    struct rig r;
    rig_open(&r);
    seq(&r, 4, 6);
    gc(&r, 6, 5);
    gc(&r, 8, 0xff);
    for (uint8_t plane = 0; plane < 4; plane++) {
        seq(&r, 2, (uint8_t)(1 << plane));
        poke(&r, 100, (uint8_t)(0x11 << plane));
    }
    for (uint8_t plane = 0; plane < 4; plane++) {
        gc(&r, 4, plane);
        assert_int_equal(peek(&r, 100), 0x11 << plane);
    }
    seq(&r, 2, 0x0f);
    gc(&r, 5, 1); // write mode 1: latches, which a look from outside leaves alone
    uint8_t looked[2];
    assert_int_equal(physmem_peek(r.b.mem, 0xa0000 + 100, looked, 2), 2);
    assert_int_equal(looked[0], 0x11 << 3);
    assert_int_equal(physmem_peek(r.b.mem, 0xa0000 + 200, looked, 1), 1);
    assert_int_equal(looked[0], 0);
    poke(&r, 101, 0);
    gc(&r, 4, 2);
    assert_int_equal(peek(&r, 101), 0x44);
    gc(&r, 5, 2); // write mode 2: colour, with bit mask
    gc(&r, 8, 0x0f);
    peek(&r, 100);
    poke(&r, 100, 0x05);
    assert_int_equal(peek(&r, 100), 0x4f);
    gc(&r, 4, 1);
    assert_int_equal(peek(&r, 100), 0x20);
    gc(&r, 5, 0); // write mode 0: rotate, xor, set/reset
    gc(&r, 8, 0xff);
    gc(&r, 3, 0x1c); // xor, rotate by 4
    peek(&r, 100);
    poke(&r, 100, 0x03);
    assert_int_equal(peek(&r, 100), 0x10);
    gc(&r, 3, 0);
    gc(&r, 0, 0x02);
    gc(&r, 1, 0x02);
    poke(&r, 100, 0x00);
    assert_int_equal(peek(&r, 100), 0xff);
    gc(&r, 1, 0);
    gc(&r, 5, 3); // write mode 3: the data is a mask for set/reset
    gc(&r, 0, 0x00);
    peek(&r, 100);
    poke(&r, 100, 0xf0);
    assert_int_equal(peek(&r, 100), 0x0f);
    gc(&r, 5, 8); // read mode 1: compare
    gc(&r, 2, 0x02);
    gc(&r, 7, 0x02);
    assert_int_equal(peek(&r, 100), 0x0f);
    // Memory maps.
    gc(&r, 6, 0x0d);
    assert_int_equal(peek(&r, 100), 0xff);
    rig_close(&r);
}

static void text_mode(struct rig *r)
{
    palette_16(r);
    seq(r, 1, 0x01); // 8 dots
    seq(r, 4, 4);
    gc(r, 6, 5);
    gc(r, 8, 0xff);
    seq(r, 2, 4);
    for (uint32_t line = 0; line < 16; line++)
        poke(r, 'A' * 32 + line, line == 0 ? 0x80 : 0x18);
    seq(r, 2, 3);
    seq(r, 4, 2);
    gc(r, 5, 0x10);
    gc(r, 6, 0x0e);
    crtc(r, 0x11, 0);
    crtc(r, 0x01, 79);
    crtc(r, 0x07, 0x1f);
    crtc(r, 0x09, 0x4f);
    crtc(r, 0x0a, 0x20); // no cursor
    crtc(r, 0x12, 0x8f);
    crtc(r, 0x13, 40);
    ac(r, 0x10, 0x04);
    in8(&r->b, 0x3da);
    out8(&r->b, 0x3c0, 0x20);
}

static void test_text(void **state)
{
    struct rig r;
    struct vga_text text;
    struct vga_image image;
    rig_open(&r);
    text_mode(&r);
    for (uint32_t i = 0; i < 80 * 25; i++)
        physmem_store(r.b.mem, 0xb8000 + 2 * i, i == 81 ? 0x1f41 : 0x0720, 2);
    assert_int_equal(physmem_load(r.b.mem, 0xb8000 + 162, 2), 0x1f41);
    assert_true(vga_text_screen(r.vga, &text));
    assert_int_equal(text.columns, 80);
    assert_int_equal(text.rows, 25);
    assert_int_equal(text.characters[81], 'A');
    assert_int_equal(text.attributes[81], 0x1f);
    free(text.characters);
    vga_render(r.vga, &image);
    assert_int_equal(image.width, 640);
    assert_int_equal(image.height, 400);
    assert_int_equal(pixel(&image, 0, 0), color_16(0));
    assert_int_equal(pixel(&image, 8, 16), color_16(15));
    assert_int_equal(pixel(&image, 9, 16), color_16(1));
    assert_int_equal(pixel(&image, 8, 17), color_16(1));
    assert_int_equal(pixel(&image, 11, 17), color_16(15));
    free(image.rgb);
    // The cursor: two lines at cell 81, blinking.
    crtc(&r, 0x0a, 14);
    crtc(&r, 0x0b, 15);
    crtc(&r, 0x0e, 0);
    crtc(&r, 0x0f, 81);
    vga_render(r.vga, &image);
    assert_int_equal(pixel(&image, 8, 16 + 14), color_16(15));
    free(image.rgb);
    bench_run(&r.b, 10 * INT64_C(16683333));
    vga_render(r.vga, &image);
    assert_int_equal(pixel(&image, 8, 16 + 14), color_16(1));
    free(image.rgb);
    assert_true(vga_text_screen(r.vga, &text));
    assert_int_equal(text.cursor_row * 80 + text.cursor_column, 81);
    free(text.characters);
    rig_close(&r);
}

static void test_graphics(void **state)
{
    struct rig r;
    struct vga_image image;
    rig_open(&r);
    text_mode(&r);
    // 12h: planar, 640x480.
    seq(&r, 4, 6);
    seq(&r, 2, 0x0f);
    gc(&r, 5, 0);
    gc(&r, 6, 5);
    crtc(&r, 0x07, 0x3e);
    crtc(&r, 0x09, 0x40);
    crtc(&r, 0x12, 0xdf);
    crtc(&r, 0x17, 0xe3);
    gc(&r, 0, 0x0b);
    gc(&r, 1, 0x0f);
    poke(&r, 80 * 479 + 79, 0);
    gc(&r, 1, 0);
    vga_render(r.vga, &image);
    assert_int_equal(image.width, 640);
    assert_int_equal(image.height, 480);
    assert_int_equal(pixel(&image, 639, 479), color_16(11));
    assert_int_equal(pixel(&image, 631, 479), color_16(0));
    free(image.rgb);
    assert_false(vga_text_screen(r.vga, &(struct vga_text){0}));
    // 13h: chain-4, 320x200.
    seq(&r, 4, 0x0e);
    gc(&r, 5, 0x40);
    crtc(&r, 0x07, 0x1f);
    crtc(&r, 0x09, 0x41);
    crtc(&r, 0x12, 0x8f);
    crtc(&r, 0x13, 40);
    poke(&r, 320 * 100 + 7, 12);
    vga_render(r.vga, &image);
    assert_int_equal(image.width, 320);
    assert_int_equal(image.height, 200);
    assert_int_equal(pixel(&image, 7, 100), color_16(12));
    free(image.rgb);
    rig_close(&r);
}

static void vbe(struct rig *r, uint16_t index, uint16_t value)
{
    out16(&r->b, 0x1ce, index);
    out16(&r->b, 0x1cf, value);
}

static void test_vbe(void **state)
{
    struct rig r;
    struct vga_image image;
    static const uint16_t depths[] = {8, 15, 16, 24, 32};
    rig_open(&r);
    struct bench *b = &r.b;
    out16(b, 0x1ce, 0);
    assert_int_equal(in16(b, 0x1cf), 0xb0c5);
    out16(b, 0x1ce, 10);
    assert_int_equal(in16(b, 0x1cf), 256);
    config_out(b, VGA_DEV, 0x10, 0xe0000000, 4);
    config_out(b, VGA_DEV, 0x18, 0xe1000000, 4);
    config_out(b, VGA_DEV, 0x30, 0xe1010001, 4);
    config_out(b, VGA_DEV, 4, 3, 2);
    assert_int_equal(physmem_load(b->mem, 0xe1010000, 2), 0xaa55);
    assert_int_equal(physmem_load(b->mem, 0xe1000500, 2), 0xb0c5);
    for (unsigned i = 0; i < ARRAY_SIZE(depths); i++) {
        unsigned bytes = (depths[i] + 7u) / 8;
        vbe(&r, 4, 0);
        vbe(&r, 1, 800);
        vbe(&r, 2, 600);
        vbe(&r, 3, depths[i]);
        vbe(&r, 4, 0x41);
        dac(&r, 0xff, 63, 63, 63);
        physmem_store(b->mem, 0xe0000000 + (800 * 599 + 799) * bytes, 0xffffff,
                      bytes > 2 ? 2 : bytes);
        if (bytes > 2)
            physmem_store(b->mem, 0xe0000000 + (800 * 599 + 799) * bytes + 2, 0xff, 1);
        vga_render(r.vga, &image);
        assert_int_equal(image.width, 800);
        assert_int_equal(image.height, 600);
        assert_int_equal(pixel(&image, 799, 599), 0xffffff);
        free(image.rgb);
    }
    // The banked window reaches the same memory.
    vbe(&r, 5, 3);
    poke(&r, 5, 0x77);
    assert_int_equal(physmem_load(b->mem, 0xe0030005, 1), 0x77);
    // Nonsense is brought into range.
    vbe(&r, 4, 0);
    vbe(&r, 1, 0xffff);
    vbe(&r, 2, 0xffff);
    vbe(&r, 3, 77);
    vbe(&r, 4, 1);
    vbe(&r, 8, 0xffff);
    vbe(&r, 9, 0xffff);
    vga_render(r.vga, &image);
    assert_true(image.width <= 2560 && image.height <= 1600);
    free(image.rgb);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registers), cmocka_unit_test(test_planar),
        cmocka_unit_test(test_text),      cmocka_unit_test(test_graphics),
        cmocka_unit_test(test_vbe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
