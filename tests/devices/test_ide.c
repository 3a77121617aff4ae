// SPDX-License-Identifier: MIT
// The IDE controller: PIO and DMA transfers in every addressing, errors, resets, selection, ATAPI.
#include "pci_bench.h"

#include <stdio.h>
#include <unistd.h>

#include "devices/ide.h"

#define SECTORS   300000u // above LBA28's first 64 Ki boundary, sparse
#define CD_BLOCKS 400u
#define IDE       PCI_DEVFN(1, 1)
#define BM        0xc000u

struct rig {
    struct bench b;
    struct piix_ide *ide;
    char disk[32], cd[32];
    unsigned full;
};

static void make_file(char *path, uint64_t size, unsigned step)
{
    strcpy(path, "/tmp/emu-ide-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    for (unsigned i = 0; i < 2048; i++) {
        uint8_t data[512];
        memset(data, (int)(i & 0xff), sizeof data);
        store_le32(data, i);
        if ((uint64_t)i * step + 512 <= size)
            assert_int_equal(pwrite(fd, data, 512, (off_t)i * step), 512);
    }
    close(fd);
}

static void host_full(void *self, const char *path)
{
    ((struct rig *)self)->full++;
}

static void rig_open(struct rig *r)
{
    struct error err;
    bench_open(&r->b);
    r->full = 0;
    make_file(r->disk, (uint64_t)SECTORS * 512, 512);
    make_file(r->cd, (uint64_t)CD_BLOCKS * 2048, 2048);
    struct piix_ide_config config = {.irq = {bench_line(&r->b, 14), bench_line(&r->b, 15)},
                                     .on_host_full = host_full,
                                     .self = r};
    r->ide = piix_ide_create(r->b.bus, r->b.ports, r->b.clock, &config);
    struct block_image *disk = block_image_open(r->disk, &(struct block_image_options){0}, &err);
    struct block_image *cd =
        block_image_open(r->cd, &(struct block_image_options){.read_only = true}, &err);
    assert_non_null(disk);
    assert_non_null(cd);
    piix_ide_attach_disk(r->ide, 0, disk);
    piix_ide_attach_cd(r->ide, 2, cd);
    piix_ide_reset(r->ide);
    config_out(&r->b, IDE, 0x40, 0x80008000, 4);
    config_out(&r->b, IDE, 0x20, BM, 4);
    config_out(&r->b, IDE, 4, 5, 2);
}

static void rig_close(struct rig *r)
{
    piix_ide_destroy(r->ide);
    bench_close(&r->b);
    unlink(r->disk);
    unlink(r->cd);
}

static uint8_t wait_ready(struct rig *r, uint32_t base)
{
    for (unsigned i = 0; i < 1000 && (in8(&r->b, base + 0x206) & 0x80); i++)
        bench_run(&r->b, 10000);
    return (uint8_t)in8(&r->b, base + 7);
}

static void task(struct rig *r, uint32_t base, uint8_t device, uint64_t lba, uint32_t count,
                 bool wide)
{
    struct bench *b = &r->b;
    out8(b, base + 6, device);
    if (wide) {
        out8(b, base + 2, count >> 8);
        out8(b, base + 3, (uint8_t)(lba >> 24));
        out8(b, base + 4, (uint8_t)(lba >> 32));
        out8(b, base + 5, (uint8_t)(lba >> 40));
    }
    out8(b, base + 2, (uint8_t)count);
    out8(b, base + 3, (uint8_t)lba);
    out8(b, base + 4, (uint8_t)(lba >> 8));
    out8(b, base + 5, (uint8_t)(lba >> 16));
}

static void read_words(struct rig *r, uint32_t base, uint8_t *out, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i += 2)
        store_le16(out + i, (uint16_t)in16(&r->b, base));
}

static void test_identify_and_selection(void **state)
{
    struct rig r;
    uint8_t id[512];
    rig_open(&r);
    struct bench *b = &r.b;
    assert_int_equal(in8(b, 0x1f7), 0x50);
    out8(b, 0x1f7, 0xec);
    assert_int_equal(in8(b, 0x3f6) & 0x80, 0x80);
    assert_int_equal(wait_ready(&r, 0x1f0), 0x58);
    assert_int_equal(b->rises[14], 1);
    assert_false(b->irq[14]);
    read_words(&r, 0x1f0, id, 512);
    assert_int_equal(in8(b, 0x1f7), 0x50);
    assert_int_equal(load_le32(id + 120), SECTORS);
    assert_int_equal(load_le64(id + 200), SECTORS);
    assert_memory_equal(id + 54, "ME UAHDRIDKS", 12);
    // No device 1: zeros, commands do nothing, no interrupt.
    out8(b, 0x1f6, 0xb0);
    assert_int_equal(in8(b, 0x1f7), 0);
    out8(b, 0x1f7, 0xec);
    bench_run(b, 1000000);
    assert_int_equal(in8(b, 0x1f7), 0);
    assert_int_equal(b->rises[14], 1);
    // Diagnostic: signature of a disk, code 1, device 0.
    out8(b, 0x1f7, 0x90);
    wait_ready(&r, 0x1f0);
    assert_int_equal(in8(b, 0x1f1), 1);
    assert_int_equal(in8(b, 0x1f4) | in8(b, 0x1f5) << 8, 0);
    // The packet device's signature after SRST.
    out8(b, 0x376, 4);
    assert_int_equal(in8(b, 0x177), 0x80);
    out8(b, 0x376, 0);
    assert_int_equal(in8(b, 0x174) | in8(b, 0x175) << 8, 0xeb14);
    assert_int_equal(in8(b, 0x177), 0);
    rig_close(&r);
}

static void test_pio(void **state)
{
    struct rig r;
    uint8_t data[512 * 16], back[512];
    rig_open(&r);
    struct bench *b = &r.b;
    // LBA28, two sectors: an interrupt each, none at the end.
    task(&r, 0x1f0, 0xe0, 7, 2, false);
    out8(b, 0x1f7, 0x20);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(wait_ready(&r, 0x1f0), 0x58);
        read_words(&r, 0x1f0, data, 512);
        assert_int_equal(load_le32(data), 7 + i);
    }
    assert_int_equal(in8(b, 0x1f7), 0x50);
    assert_int_equal(b->rises[14], 2);
    assert_int_equal(in8(b, 0x1f3), 8);
    // CHS 0/1/2 in 16 heads of 63 sectors is sector 64.
    task(&r, 0x1f0, 0xa1, 2, 1, false);
    out8(b, 0x1f7, 0x20);
    wait_ready(&r, 0x1f0);
    read_words(&r, 0x1f0, data, 512);
    assert_int_equal(load_le32(data), 64);
    // Write one sector by dwords in LBA48 beyond the first 64 Ki, read it by MULTIPLE EXT.
    task(&r, 0x1f0, 0xe0, 0x41234, 1, true);
    out8(b, 0x1f7, 0x34);
    assert_int_equal(in8(b, 0x1f7), 0x58);
    for (unsigned i = 0; i < 512; i += 4)
        out32(b, 0x1f0, 0x01020304 + i);
    assert_int_equal(wait_ready(&r, 0x1f0), 0x50);
    task(&r, 0x1f0, 0xe0, 0x41234, 1, true);
    out8(b, 0x1f7, 0x29);
    assert_int_equal(wait_ready(&r, 0x1f0), 0x58);
    read_words(&r, 0x1f0, back, 512);
    assert_int_equal(load_le32(back + 508), 0x01020304 + 508);
    // READ MULTIPLE of 20: blocks of 16 and 4.
    b->rises[14] = 0;
    task(&r, 0x1f0, 0xe0, 100, 20, false);
    out8(b, 0x1f7, 0xc4);
    wait_ready(&r, 0x1f0);
    read_words(&r, 0x1f0, data, 512 * 16);
    assert_int_equal(load_le32(data + 512 * 15), 115);
    wait_ready(&r, 0x1f0);
    read_words(&r, 0x1f0, data, 512 * 4);
    assert_int_equal(load_le32(data + 512 * 3), 119);
    assert_int_equal(b->rises[14], 2);
    // nIEN holds the line down.
    out8(b, 0x3f6, 2);
    out8(b, 0x1f7, 0xe7);
    wait_ready(&r, 0x1f0);
    assert_int_equal(b->rises[14], 2);
    rig_close(&r);
}

static void test_errors(void **state)
{
    struct rig r;
    rig_open(&r);
    struct bench *b = &r.b;
    out8(b, 0x1f7, 0xf5); // unknown
    assert_int_equal(in8(b, 0x1f7), 0x51);
    assert_int_equal(in8(b, 0x1f1), 0x04);
    task(&r, 0x1f0, 0xe0, SECTORS, 1, false);
    out8(b, 0x1f7, 0x20);
    assert_int_equal(in8(b, 0x1f7), 0x51);
    assert_int_equal(in8(b, 0x1f1), 0x10);
    task(&r, 0x1f0, 0xa0, 0, 1, false); // CHS sector 0
    out8(b, 0x1f7, 0x20);
    assert_int_equal(in8(b, 0x1f1), 0x10);
    task(&r, 0x1f0, 0xe0, 0, 0, false); // SET FEATURES with an unknown mode
    out8(b, 0x1f1, 3);
    out8(b, 0x1f2, 0x77);
    out8(b, 0x1f7, 0xef);
    assert_int_equal(in8(b, 0x1f7), 0x51);
    out8(b, 0x1f2, 0x22);
    out8(b, 0x1f7, 0xef);
    assert_int_equal(wait_ready(&r, 0x1f0), 0x50);
    out8(b, 0x1f2, 3); // SET MULTIPLE takes powers of two
    out8(b, 0x1f7, 0xc6);
    assert_int_equal(in8(b, 0x1f1), 4);
    out8(b, 0x1f7, 0xf8); // READ NATIVE MAX
    wait_ready(&r, 0x1f0);
    assert_int_equal(in8(b, 0x1f3) | in8(b, 0x1f4) << 8 | in8(b, 0x1f5) << 16 |
                         (in8(b, 0x1f6) & 15) << 24,
                     SECTORS - 1);
    rig_close(&r);
}

static void prd(struct rig *r, unsigned n, uint32_t address, uint32_t count, bool last)
{
    store_le32(r->b.ram + 0x1000 + 8 * n, address);
    store_le32(r->b.ram + 0x1004 + 8 * n, (count & 0xffff) | (last ? 0x80000000u : 0));
}

static uint8_t dma(struct rig *r, uint32_t base, uint32_t bm, uint8_t command, bool read)
{
    struct bench *b = &r->b;
    out32(b, bm + 4, 0x1000);
    out8(b, bm + 2, 6);
    out8(b, bm, read ? 8 : 0);
    if (command)
        out8(b, base + 7, command);
    out8(b, bm, read ? 9 : 1);
    bench_run(b, 200000);
    uint8_t status = (uint8_t)in8(b, bm + 2);
    out8(b, bm, 0);
    return status;
}

static void test_dma(void **state)
{
    struct rig r;
    rig_open(&r);
    struct bench *b = &r.b;
    // 300 sectors over odd segments.
    prd(&r, 0, 0x100000, 0x1002, false);
    prd(&r, 1, 0x120000, 0, false); // 64 KiB
    prd(&r, 2, 0x140000, 0x8000, false);
    prd(&r, 3, 0x150000, 300 * 512 - 0x1002 - 0x10000 - 0x8000, true);
    task(&r, 0x1f0, 0xe0, 5, 300, true);
    assert_int_equal(dma(&r, 0x1f0, BM, 0x25, true), 4);
    assert_int_equal(in8(b, 0x1f7), 0x50);
    assert_int_equal(b->rises[14], 1);
    assert_int_equal(load_le32(b->ram + 0x100000), 5);
    assert_int_equal(load_le32(b->ram + 0x120000 + 9 * 512 - 0x1002), 5 + 9);
    assert_int_equal(load_le32(b->ram + 0x150000 + 299 * 512 - 0x1002 - 0x18000), 5 + 299);
    // Write what came in back elsewhere, and read it by PIO.
    for (unsigned i = 0; i < 4096; i++)
        b->ram[0x200000 + i] = (uint8_t)(i * 7);
    prd(&r, 0, 0x200000, 4096, true);
    task(&r, 0x1f0, 0xe0, 0x2000, 8, false);
    assert_int_equal(dma(&r, 0x1f0, BM, 0xca, false), 4);
    uint8_t sector[512];
    task(&r, 0x1f0, 0xe0, 0x2007, 1, false);
    out8(b, 0x1f7, 0x20);
    wait_ready(&r, 0x1f0);
    read_words(&r, 0x1f0, sector, 512);
    assert_memory_equal(sector, b->ram + 0x200000 + 7 * 512, 512);
    // Descriptors longer than the command: still active, with interrupt.
    prd(&r, 0, 0x200000, 8192, true);
    task(&r, 0x1f0, 0xe0, 0, 8, false);
    assert_int_equal(dma(&r, 0x1f0, BM, 0xc8, true), 5);
    // Shorter: inactive and no interrupt.
    in8(b, 0x1f7);
    b->rises[14] = 0;
    prd(&r, 0, 0x200000, 512, true);
    task(&r, 0x1f0, 0xe0, 0, 8, false);
    assert_int_equal(dma(&r, 0x1f0, BM, 0xc8, true), 0);
    assert_int_equal(b->rises[14], 0);
    assert_int_equal(in8(b, 0x1f7) & 0x88, 0);
    // No bus master bit: nothing moves until it is set.
    config_out(b, IDE, 4, 1, 2);
    prd(&r, 0, 0x200000, 512, true);
    b->ram[0x200004] = 0xaa;
    task(&r, 0x1f0, 0xe0, 9, 1, false);
    out8(b, 0x1f7, 0xc8);
    out8(b, BM, 9);
    bench_run(b, 1000000);
    assert_int_equal(b->ram[0x200004], 0xaa);
    config_out(b, IDE, 4, 5, 2);
    bench_run(b, 1000000);
    assert_int_equal(b->ram[0x200004], 9);
    rig_close(&r);
}

static uint8_t packet(struct rig *r, const uint8_t *cdb, uint8_t feature, uint32_t limit)
{
    struct bench *b = &r->b;
    out8(b, 0x176, 0xa0);
    out8(b, 0x171, feature);
    out8(b, 0x174, limit & 0xff);
    out8(b, 0x175, limit >> 8);
    out8(b, 0x177, 0xa0);
    assert_int_equal(in8(b, 0x172) & 3, 1);
    for (unsigned i = 0; i < 12; i += 2)
        out16(b, 0x170, load_le16(cdb + i));
    return feature & 1 ? 0 : wait_ready(r, 0x170);
}

static void test_atapi(void **state)
{
    struct rig r;
    uint8_t data[4096];
    rig_open(&r);
    struct bench *b = &r.b;
    uint8_t inquiry[12] = {0x12, 0, 0, 0, 36};
    assert_int_equal(packet(&r, inquiry, 0, 0xfffe), 0x58);
    assert_int_equal(in8(b, 0x172), 2);
    assert_int_equal(in8(b, 0x174), 36);
    read_words(&r, 0x170, data, 36);
    assert_int_equal(data[0], 5);
    assert_int_equal(wait_ready(&r, 0x170), 0x50);
    assert_int_equal(in8(b, 0x172), 3);
    uint8_t capacity[12] = {0x25};
    packet(&r, capacity, 0, 8);
    read_words(&r, 0x170, data, 8);
    assert_int_equal(data[2] << 8 | data[3], CD_BLOCKS - 1);
    wait_ready(&r, 0x170);
    // READ(10) of 2 blocks with a limit of 2048: two DRQ blocks.
    uint8_t read10[12] = {0x28, 0, 0, 0, 0, 3, 0, 0, 2};
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(i ? wait_ready(&r, 0x170) : packet(&r, read10, 0, 2048), 0x58);
        read_words(&r, 0x170, data, 2048);
        assert_int_equal(load_le32(data), 3 + i);
    }
    assert_int_equal(wait_ready(&r, 0x170), 0x50);
    // By DMA, 70 blocks: more than the drive's buffer.
    uint8_t read12[12] = {0xa8, 0, 0, 0, 0, 10, 0, 0, 0, 70};
    prd(&r, 0, 0x100000, 0, false);
    prd(&r, 1, 0x110000, 0, false);
    prd(&r, 2, 0x120000, 70 * 2048 - 0x20000, true);
    packet(&r, read12, 1, 0);
    assert_int_equal(dma(&r, 0x170, BM + 8, 0, true), 4);
    assert_int_equal(load_le32(b->ram + 0x100000 + 69 * 2048), 79);
    assert_int_equal(in8(b, 0x177), 0x50);
    // Beyond the end, then what went wrong.
    uint8_t beyond[12] = {0x28, 0, 0, 0, 2, 0, 0, 0, 1}, sense[12] = {0x03, 0, 0, 0, 18};
    assert_int_equal(packet(&r, beyond, 0, 2048), 0x51);
    assert_int_equal(in8(b, 0x171) >> 4, 5);
    packet(&r, sense, 0, 18);
    read_words(&r, 0x170, data, 18);
    assert_int_equal(data[2], 5);
    assert_int_equal(data[12], 0x21);
    wait_ready(&r, 0x170);
    rig_close(&r);
}

static void test_media_change(void **state)
{
    struct rig r;
    struct error err = {{0}};
    rig_open(&r);
    struct bench *b = &r.b;
    uint8_t ready[12] = {0}, lock[12] = {0x1e, 0, 0, 0, 1};
    assert_int_equal(packet(&r, ready, 0, 0), 0x50);
    packet(&r, lock, 0, 0);
    assert_false(piix_ide_eject(r.ide, "ide1-cd0", false, &err));
    assert_non_null(strstr(err.text, "locked"));
    assert_true(piix_ide_eject(r.ide, "ide1-cd0", true, &err));
    assert_int_equal(packet(&r, ready, 0, 0), 0x51);
    assert_int_equal(in8(b, 0x171) >> 4, 2);
    assert_false(piix_ide_change(r.ide, "ide0-hd0", r.cd, &err));
    assert_false(piix_ide_change(r.ide, "nothing", r.cd, &err));
    assert_true(piix_ide_change(r.ide, "ide1-cd0", r.cd, &err));
    assert_int_equal(packet(&r, ready, 0, 0), 0x51); // unit attention, once
    assert_int_equal(in8(b, 0x171) >> 4, 6);
    assert_int_equal(packet(&r, ready, 0, 0), 0x50);
    rig_close(&r);
}

static void test_snapshot_is_stable(void **state)
{
    struct rig r;
    struct error err;
    size_t n1, n2;
    rig_open(&r);
    task(&r, 0x1f0, 0xe0, 7, 2, false);
    out8(&r.b, 0x1f7, 0x20);
    struct state_writer *w = state_writer_create();
    state_save(r.b.registry, w);
    void *first = state_writer_take(w, &n1);
    state_writer_destroy(w);
    bench_run(&r.b, 100000);
    assert_int_equal(in8(&r.b, 0x3f6), 0x58);
    assert_true(state_load(r.b.registry, first, n1, &err));
    assert_int_equal(in8(&r.b, 0x3f6) & 0x80, 0x80);
    w = state_writer_create();
    state_save(r.b.registry, w);
    void *second = state_writer_take(w, &n2);
    state_writer_destroy(w);
    assert_int_equal(n1, n2);
    assert_memory_equal(first, second, n1);
    free(first);
    free(second);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identify_and_selection),
        cmocka_unit_test(test_pio),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_dma),
        cmocka_unit_test(test_atapi),
        cmocka_unit_test(test_media_change),
        cmocka_unit_test(test_snapshot_is_stable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
