// SPDX-License-Identifier: MIT
// Random accesses to every port and register window of the PCI-era chips, with hostile descriptors
// in memory and the clock running on. What is tested: no sanitizer report, no hang, no access
// outside guest memory, a snapshot that loads again.
#include "pci_bench.h"

#include <fcntl.h>
#include <unistd.h>

#include "devices/fw_cfg.h"
#include "devices/i440fx.h"
#include "devices/ide.h"
#include "devices/ioapic.h"
#include "devices/piix3.h"
#include "devices/piix4_pm.h"
#include "devices/vga.h"

#define ROUNDS 40u
#define STEPS  6000u

struct board {
    struct bench b;
    char path[32];
    struct fw_cfg *cfg;
    struct i440fx *host;
    struct piix3 *piix3;
    struct piix_ide *ide;
    struct piix4_pm *pm;
    struct vga *vga;
    struct lapic *lapic;
    struct ioapic *ioapic;
};

static uint8_t bios[0x20000] __attribute__((aligned(4096)));

static void board_open(struct board *x)
{
    struct error err;
    struct bench *b = &x->b;
    bench_open(b);
    strcpy(x->path, "/tmp/emu-fuzz-XXXXXX");
    int fd = mkstemp(x->path);
    assert_true(fd >= 0 && ftruncate(fd, 8 << 20) == 0);
    close(fd);
    x->cfg = fw_cfg_create(b->ports, b->mem, &b->log, b->registry);
    fw_cfg_set_machine(x->cfg, BENCH_RAM, true);
    x->host = i440fx_create(b->bus, &(struct i440fx_config){b->ram, bios, sizeof bios});
    x->piix3 = piix3_create(b->bus, b->ports, &(struct piix3_config){.isa_irq = bench_line(b, 0)});
    x->ide =
        piix_ide_create(b->bus, b->ports, b->clock,
                        &(struct piix_ide_config){.irq = {bench_line(b, 14), bench_line(b, 15)}});
    piix_ide_attach_disk(
        x->ide, 0,
        block_image_open(x->path, &(struct block_image_options){.snapshot = true}, &err));
    piix_ide_attach_cd(x->ide, 1, NULL);
    piix_ide_attach_cd(
        x->ide, 2,
        block_image_open(x->path, &(struct block_image_options){.read_only = true}, &err));
    x->pm = piix4_pm_create(b->bus, b->ports, b->clock,
                            &(struct piix4_pm_config){.sci = bench_line(b, 9)});
    x->vga = vga_create(b->bus, PCI_DEVFN(2, 0), b->ports, b->clock, bios, 4096);
    x->lapic = lapic_create(b->clock, b->mem, &b->log, b->registry,
                            &(struct lapic_config){.intr = bench_line(b, 1)});
    x->ioapic = ioapic_create(b->mem, &b->log, b->registry, x->lapic);
    config_out(b, PCI_DEVFN(1, 1), 0x40, 0x80008000, 4);
    config_out(b, PCI_DEVFN(1, 1), 0x20, 0xc000, 4);
    config_out(b, PCI_DEVFN(1, 1), 4, 5, 2);
    config_out(b, PCI_DEVFN(1, 3), 0x40, 0xb000, 4);
    config_out(b, PCI_DEVFN(1, 3), 0x90, 0xb100, 4);
    config_out(b, PCI_DEVFN(1, 3), 0x80, 1, 1);
    config_out(b, PCI_DEVFN(1, 3), 0xd2, 1, 1);
    config_out(b, PCI_DEVFN(2, 0), 0x10, 0xe0000000, 4);
    config_out(b, PCI_DEVFN(2, 0), 0x18, 0xe1000000, 4);
    config_out(b, PCI_DEVFN(2, 0), 4, 3, 2);
    physmem_store(b->mem, 0xfee000f0, 0x1ff, 4);
}

static void board_close(struct board *x)
{
    ioapic_destroy(x->ioapic);
    lapic_destroy(x->lapic);
    vga_destroy(x->vga);
    piix4_pm_destroy(x->pm);
    piix_ide_destroy(x->ide);
    piix3_destroy(x->piix3);
    i440fx_destroy(x->host);
    fw_cfg_destroy(x->cfg);
    bench_close(&x->b);
    unlink(x->path);
}

static void random_port(struct board *x, uint64_t *seed)
{
    static const uint16_t starts[] = {0x1f0,  0x170,  0x1f0,  0x170,  0x3f6, 0x376, 0xc000,
                                      0xc008, 0x510,  0x514,  0x1ce,  0x3c0, 0x3c4, 0x3ce,
                                      0x3d4,  0xb000, 0xb100, 0xafe0, 0xb2,  0xcf8, 0xcf9};
    uint32_t port = starts[bench_random(seed) % ARRAY_SIZE(starts)] + bench_random(seed) % 8;
    unsigned size = 1u << bench_random(seed) % 3;
    uint32_t value = bench_random(seed);

    if (bench_random(seed) % 3 == 0)
        value &= 0x7f;
    if (bench_random(seed) & 1)
        portio_read(x->b.ports, (uint16_t)port, size);
    else
        portio_write(x->b.ports, (uint16_t)port, value, size);
}

// A whole command, so that transfers really start; descriptors come from random memory.
static void random_command(struct board *x, uint64_t *seed)
{
    static const uint8_t commands[] = {0x20, 0x30, 0x24, 0x34, 0x25, 0x35, 0xc4, 0xc5,
                                       0xc8, 0xca, 0xa0, 0xa0, 0xa0, 0x29, 0x39, 0xc6,
                                       0x91, 0xec, 0xa1, 0xef, 0xe7, 0xb0, 0x40, 0x08};
    static const uint8_t packets[] = {0x00, 0x03, 0x12, 0x1a, 0x1b, 0x1e, 0x25,
                                      0x28, 0x28, 0x2b, 0x43, 0x46, 0x4a, 0x51,
                                      0x5a, 0xa8, 0xa8, 0xbb, 0xbd, 0xbe, 0xff};
    struct bench *b = &x->b;
    uint32_t base = bench_random(seed) & 1 ? 0x1f0 : 0x170;
    uint32_t bm = base == 0x1f0 ? 0xc000 : 0xc008;

    out32(b, bm + 4, bench_random(seed) % BENCH_RAM);
    for (unsigned reg = 1; reg < 7; reg++)
        out8(b, base + reg,
             bench_random(seed) % (reg == 2 ? 256 : 4) |
                 (reg == 6 ? 0x40 | (bench_random(seed) & 0x10) : 0));
    out8(b, base + 7, commands[bench_random(seed) % ARRAY_SIZE(commands)]);
    out16(b, base, packets[bench_random(seed) % ARRAY_SIZE(packets)]);
    for (unsigned i = 1; i < 6; i++)
        out16(b, base, bench_random(seed) & (bench_random(seed) & 1 ? 0x3f07 : 0x0100));
    out8(b, bm, bench_random(seed) & 9);
    bench_run(b, 50000);
    for (unsigned i = bench_random(seed) % 300; i > 0; i--)
        bench_random(seed) & 1 ? in32(b, base) : (out16(b, base, i), 0u);
}

static void random_memory(struct board *x, uint64_t *seed)
{
    static const uint32_t starts[] = {0xa0000, 0xb8000,    0xfee00000, 0xfec00000,
                                      0xc0000, 0xe0000000, 0xe1000400};
    uint32_t address =
        starts[bench_random(seed) % ARRAY_SIZE(starts)] + bench_random(seed) % 0x1000;
    unsigned size = 1u << bench_random(seed) % 4;

    if (bench_random(seed) & 1)
        address &= ~15u;
    if (bench_random(seed) & 1)
        physmem_load(x->b.mem, address, size);
    else
        physmem_store(x->b.mem, address, (uint64_t)bench_random(seed) << 32 | bench_random(seed),
                      size);
}

static void random_config(struct board *x, uint64_t *seed)
{
    static const uint8_t devices[] = {PCI_DEVFN(0, 0), PCI_DEVFN(1, 0), PCI_DEVFN(1, 1),
                                      PCI_DEVFN(1, 3), PCI_DEVFN(2, 0)};
    uint8_t devfn = devices[bench_random(seed) % ARRAY_SIZE(devices)];
    unsigned reg = bench_random(seed) % 256;

    // The command register and IDETIM stay useful most of the time.
    if (bench_random(seed) & 1)
        config_in(&x->b, devfn, reg, 1);
    else if (bench_random(seed) % 4 == 0 || reg > 0x58)
        config_out(&x->b, devfn, reg & ~3u, bench_random(seed), 4);
}

// A picture from random registers, with the display switched on.
static void random_picture(struct board *x, uint64_t *seed)
{
    struct bench *b = &x->b;
    struct vga_image image;

    out8(b, 0x3c2, 0x63);
    if (bench_random(seed) & 1) {
        for (unsigned index = 1; index < 11; index++) {
            out16(b, 0x1ce, index);
            out16(b, 0x1cf,
                  bench_random(seed) & (index == 3               ? 0x38
                                        : bench_random(seed) & 1 ? 0xffff
                                                                 : 0x1ff));
        }
    } else {
        out16(b, 0x1ce, 4);
        out16(b, 0x1cf, 0);
    }
    for (unsigned index = 0; index < 0x19; index++)
        if (index != 0x11)
            out16(b, 0x3d4, index | (bench_random(seed) & 0xff00));
    out16(b, 0x3c4, 1);
    out16(b, 0x3ce, 5 | (bench_random(seed) & 0xff00));
    out16(b, 0x3ce, 6 | (bench_random(seed) & 0x0f00));
    in8(b, 0x3da);
    out8(b, 0x3c0, 0x20);
    vga_render(x->vga, &image);
    assert_true(image.width <= 4096 && image.height <= 4096);
    free(image.rgb);
}

static void random_rest(struct board *x, uint64_t *seed)
{
    struct vga_text text;

    switch (bench_random(seed) % 6) {
    case 0:
        random_picture(x, seed);
        break;
    case 1:
        if (vga_text_screen(x->vga, &text))
            free(text.characters);
        break;
    case 2:
        for (unsigned i = 0; i < 64; i++) {
            physmem_store(x->b.mem, 0xfec00000, 0x10 + bench_random(seed) % 48, 4);
            physmem_store(x->b.mem, 0xfec00010, bench_random(seed) & 0xa9ff, 4);
            ioapic_set_irq(x->ioapic, bench_random(seed) % 24, bench_random(seed) & 1);
            physmem_store(x->b.mem, 0xfee000b0, 0, 4);
        }
        break;
    case 3:
        lapic_acknowledge(x->lapic);
        break;
    case 4:
        lapic_set_base(x->lapic, bench_random(seed) & 0xfffff900);
        lapic_set_base(x->lapic, 0xfee00900);
        break;
    default:
        bench_run(&x->b, bench_random(seed) % 3000000);
        break;
    }
}

static void check_snapshot(struct board *x)
{
    struct error err = {{0}};
    size_t n;
    struct state_writer *writer = state_writer_create();

    state_save(x->b.registry, writer);
    void *data = state_writer_take(writer, &n);
    state_writer_destroy(writer);
    bool loaded = state_load(x->b.registry, data, n, &err);
    if (!loaded)
        print_message("%s\n", err.text);
    assert_true(loaded);
    free(data);
}

static void test_fuzz(void **state)
{
    uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct board x;
        board_open(&x);
        for (uint32_t i = 0; i < BENCH_RAM; i += 4)
            store_le32(x.b.ram + i, bench_random(&seed) & (i & 4 ? 0x800001ff : BENCH_RAM - 1));
        for (unsigned step = 0; step < STEPS; step++) {
            switch (bench_random(&seed) % 16) {
            case 0:
                random_command(&x, &seed);
                break;
            case 1:
                random_config(&x, &seed);
                break;
            case 2:
                if (bench_random(&seed) % 8 == 0)
                    random_rest(&x, &seed);
                break;
            case 3:
            case 4:
            case 5:
                random_memory(&x, &seed);
                break;
            default:
                random_port(&x, &seed);
                break;
            }
        }
        check_snapshot(&x);
        board_close(&x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fuzz)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
