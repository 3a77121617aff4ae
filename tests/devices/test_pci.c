// SPDX-License-Identifier: MIT
// Configuration mechanism #1, BARs, the host bridge's shadow RAM, the ISA bridge's interrupt
// routing and reset register, fw_cfg.
#include "pci_bench.h"

#include <stdio.h>
#include <unistd.h>

#include "devices/fw_cfg.h"
#include "devices/i440fx.h"
#include "devices/piix3.h"

static uint32_t echo_read(void *self, uint32_t offset, unsigned size)
{
    return 0x11223344u >> (8 * (offset & 3));
}

static void echo_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    *(uint32_t *)self = value;
}

static const struct port_ops echo_ports = {echo_read, echo_write, 4};
static const struct mmio_ops echo_mmio = {.read = echo_read, .write = echo_write, .max_size = 4};
#define DEV PCI_DEVFN(5, 0)

static struct pci_device *make_device(struct bench *b, uint32_t *sink)
{
    struct pci_device *dev =
        pci_device_create(b->bus, &(struct pci_device_info){.name = "echo",
                                                            .devfn = DEV,
                                                            .vendor = 0xabcd,
                                                            .device = 0x1234,
                                                            .class_code = 0x020000,
                                                            .interrupt_pin = 2});
    pci_device_add_io(dev, 0, 32, &echo_ports, sink);
    pci_device_add_mmio(dev, 1, 0x1000, &echo_mmio, sink);
    return dev;
}

static void test_config_access(void **state)
{
    struct bench b;
    uint32_t sink = 0;
    bench_open(&b);
    struct pci_device *dev = make_device(&b, &sink);
    assert_int_equal(config_in(&b, DEV, 0, 4), 0x1234abcd);
    assert_int_equal(config_in(&b, DEV, 2, 2), 0x1234);
    assert_int_equal(config_in(&b, DEV, 3, 1), 0x12);
    assert_int_equal(config_in(&b, PCI_DEVFN(6, 0), 0, 4), 0xffffffff);
    config_out(&b, DEV, 0, 0xffffffff, 4); // read-only
    assert_int_equal(config_in(&b, DEV, 0, 4), 0x1234abcd);
    config_out(&b, DEV, 0x3c, 0x0b, 1);
    assert_int_equal(config_in(&b, DEV, 0x3c, 4), 0x20b);
    // Narrow cycles to 0xcf8 do not touch CONFADD.
    out32(&b, 0xcf8, 0x80002804);
    out8(&b, 0xcf8, 0);
    out16(&b, 0xcfa, 0);
    assert_int_equal(in32(&b, 0xcf8), 0x80002804);
    out32(&b, 0xcf8, 0x2800); // not enabled
    assert_int_equal(in32(&b, 0xcfc), 0xffffffff);
    out32(&b, 0xcf8, 0x80012800); // another bus
    assert_int_equal(in32(&b, 0xcfc), 0xffffffff);
    pci_device_destroy(dev);
    bench_close(&b);
}

static void test_bars(void **state)
{
    struct bench b;
    uint32_t sink = 0;
    bench_open(&b);
    struct pci_device *dev = make_device(&b, &sink);
    config_out(&b, DEV, 0x10, 0xffffffff, 4);
    config_out(&b, DEV, 0x14, 0xffffffff, 4);
    assert_int_equal(config_in(&b, DEV, 0x10, 4), 0xffffffe1);
    assert_int_equal(config_in(&b, DEV, 0x14, 4), 0xfffff000);
    config_out(&b, DEV, 4, 3, 2);
    config_out(&b, DEV, 0x10, 0xc000, 4);
    config_out(&b, DEV, 0x14, 0xe0000000, 4);
    assert_int_equal(in32(&b, 0xc000), 0x11223344);
    assert_int_equal(physmem_load(b.mem, 0xe0000004, 4), 0x11223344);
    physmem_store(b.mem, 0xe0000000, 77, 4);
    assert_int_equal(sink, 77);
    config_out(&b, DEV, 0x10, 0xd000, 4);
    assert_int_equal(in32(&b, 0xc000), 0xffffffff);
    assert_int_equal(in32(&b, 0xd000), 0x11223344);
    config_out(&b, DEV, 4, 0, 2);
    assert_int_equal(in32(&b, 0xd000), 0xffffffff);
    assert_int_equal(physmem_load(b.mem, 0xe0000004, 4), 0xffffffff);
    // A BAR over RAM stays behind it.
    config_out(&b, DEV, 0x14, 0x1000, 4);
    config_out(&b, DEV, 4, 3, 2);
    physmem_store(b.mem, 0x1000, 0x55, 1);
    assert_int_equal(b.ram[0x1000], 0x55);
    pci_device_reset(dev);
    assert_int_equal(config_in(&b, DEV, 0x10, 4), 1);
    pci_device_destroy(dev);
    bench_close(&b);
}

static void test_shadow_ram(void **state)
{
    struct bench b;
    static uint8_t bios[0x20000] __attribute__((aligned(4096)));
    bench_open(&b);
    memset(bios, 0xb1, sizeof bios);
    struct i440fx *chip = i440fx_create(b.bus, &(struct i440fx_config){b.ram, bios, sizeof bios});
    assert_int_equal(config_in(&b, 0, 0, 4), 0x12378086);
    assert_int_equal(config_in(&b, 0, 0x2c, 4), 0x11001af4);
    assert_int_equal(physmem_load(b.mem, 0xfffff, 1), 0xb1);
    assert_int_equal(physmem_load(b.mem, 0xc0000, 1), 0xff);
    config_out(&b, 0, 0x59, 0x20, 1); // write RAM, read ROM
    physmem_store(b.mem, 0xf1234, 0x42, 1);
    assert_int_equal(physmem_load(b.mem, 0xf1234, 1), 0xb1);
    assert_int_equal(b.ram[0xf1234], 0x42);
    config_out(&b, 0, 0x59, 0x10, 1); // read RAM only
    assert_int_equal(physmem_load(b.mem, 0xf1234, 1), 0x42);
    physmem_store(b.mem, 0xf1234, 0x43, 1);
    assert_int_equal(b.ram[0xf1234], 0x42);
    config_out(&b, 0, 0x5a, 0x30, 1); // c4000-c7fff only
    physmem_store(b.mem, 0xc4000, 1, 1);
    physmem_store(b.mem, 0xc0000, 1, 1);
    assert_int_equal(physmem_load(b.mem, 0xc4000, 1), 1);
    assert_int_equal(b.ram[0xc0000], 0);
    // SMRAM: RAM behind a0000 appears while it is open, never after the lock.
    config_out(&b, 0, 0x72, 0x48, 1);
    physmem_store(b.mem, 0xa0000, 9, 1);
    assert_int_equal(b.ram[0xa0000], 9);
    config_out(&b, 0, 0x72, 0x58, 1);
    config_out(&b, 0, 0x72, 0x48, 1);
    assert_int_equal(config_in(&b, 0, 0x72, 1), 0x1a);
    i440fx_reset(chip);
    assert_int_equal(config_in(&b, 0, 0x72, 1), 0x02);
    assert_int_equal(physmem_load(b.mem, 0xf1234, 1), 0xb1);
    i440fx_destroy(chip);
    bench_close(&b);
}

static void on_reset(void *self, bool hard)
{
    *(int *)self += hard ? 10 : 1;
}

static void test_routing_and_reset(void **state)
{
    struct bench b;
    uint32_t sink = 0;
    int resets = 0;
    bench_open(&b);
    struct piix3_config config = {bench_line(&b, 0), on_reset, &resets};
    struct piix3 *chip = piix3_create(b.bus, b.ports, &config);
    struct pci_device *dev = make_device(&b, &sink); // slot 5 pin B: PIRQ (5 + 1 - 1) & 3 = B
    pci_device_set_irq(dev, true);
    for (unsigned i = 0; i < 16; i++)
        assert_false(b.irq[i]);
    config_out(&b, PCI_DEVFN(1, 0), 0x61, 11, 1);
    assert_true(b.irq[11]);
    config_out(&b, PCI_DEVFN(1, 0), 0x61, 10, 1);
    assert_false(b.irq[11]);
    assert_true(b.irq[10]);
    config_out(&b, DEV, 4, 0x400, 2); // INTx disable
    assert_false(b.irq[10]);
    assert_int_equal(config_in(&b, DEV, 6, 1) & 8, 8);
    config_out(&b, DEV, 4, 0, 2);
    assert_true(b.irq[10]);
    pci_device_set_irq(dev, false);
    assert_false(b.irq[10]);
    out8(&b, 0xcf9, 2);
    out8(&b, 0xcf9, 6);
    assert_int_equal(resets, 10);
    out8(&b, 0xcf9, 6); // no edge
    out8(&b, 0xcf9, 0);
    out8(&b, 0xcf9, 4);
    assert_int_equal(resets, 11);
    pci_device_destroy(dev);
    piix3_destroy(chip);
    bench_close(&b);
}

static void test_fw_cfg(void **state)
{
    struct bench b;
    struct error err;
    bench_open(&b);
    struct fw_cfg *cfg = fw_cfg_create(b.ports, b.mem, &b.log, b.registry);
    fw_cfg_set_machine(cfg, 64u << 20, true);
    assert_true(fw_cfg_add_file(cfg, "bootorder", "/x\n", 4, &err));
    assert_false(fw_cfg_add_file(
        cfg, "a-name-that-is-much-longer-than-the-directory-entry-can-hold", "", 1, &err));
    out16(&b, 0x510, 0);
    assert_int_equal(in8(&b, 0x511), 'Q');
    assert_int_equal(in8(&b, 0x511), 'E');
    out16(&b, 0x510, 3);
    assert_int_equal(in8(&b, 0x511) | in8(&b, 0x511) << 8 | in8(&b, 0x511) << 16 |
                         in8(&b, 0x511) << 24,
                     64u << 20);
    assert_int_equal(in32(&b, 0x514), 0x554d4551);
    // The directory: sorted, "bootorder" first; then its contents by DMA.
    out16(&b, 0x510, 0x19);
    uint8_t directory[4 + 64];
    for (unsigned i = 0; i < sizeof directory; i++)
        directory[i] = (uint8_t)in8(&b, 0x511);
    assert_int_equal(directory[3], 3);
    assert_string_equal((char *)directory + 12, "bootorder");
    uint32_t key = (uint32_t)directory[8] << 8 | directory[9];
    uint8_t request[16] = {
        (uint8_t)(key >> 8), (uint8_t)key, 0, 0x0a, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0x20, 0};
    memcpy(b.ram + 0x1000, request, 16);
    memset(b.ram + 0x2000, 0xee, 16);
    out32(&b, 0x518, 0x00100000);
    assert_int_equal(load_le32(b.ram + 0x1000), 0);
    assert_memory_equal(b.ram + 0x2000, "/x\n\0\0\0\0\0\xee", 9);
    // Writing, and reading to where no memory is: the error bit.
    b.ram[0x1003] = 0x10;
    out32(&b, 0x518, 0x00100000);
    assert_int_equal(load_le32(b.ram + 0x1000), 0x01000000);
    memcpy(b.ram + 0x1000, request, 16);
    b.ram[0x1000 + 4] = 0xff;
    b.ram[0x1000 + 12] = 0xd0;
    out32(&b, 0x518, 0x00100000);
    assert_int_equal(load_le32(b.ram + 0x1000), 0x01000000);
    assert_false(fw_cfg_add_kernel(cfg, "/nonexistent", NULL, NULL, 64u << 20, &err));
    fw_cfg_destroy(cfg);
    bench_close(&b);
}

static uint32_t item_u32(struct bench *b, uint16_t key)
{
    uint32_t value = 0;
    out16(b, 0x510, key);
    for (unsigned i = 0; i < 4; i++)
        value |= in8(b, 0x511) << (8 * i);
    return value;
}

static void write_file(char *path, const uint8_t *data, size_t size)
{
    strcpy(path, "/tmp/emu-kernel-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
}

// A bzImage of one setup sector beyond the boot sector and 5000 bytes of kernel.
static void test_kernel_items(void **state)
{
    struct bench b;
    struct error err;
    char kernel[32], initrd[32];
    static uint8_t image[1024 + 5000];
    bench_open(&b);
    struct fw_cfg *cfg = fw_cfg_create(b.ports, b.mem, &b.log, b.registry);
    image[0x1f1] = 1;
    store_le16(image + 0x1fe, 0xaa55);
    memcpy(image + 0x202, "HdrS", 4);
    store_le16(image + 0x206, 0x20f);
    image[0x211] = 1;
    store_le32(image + 0x22c, 0x37ffffff);
    store_le32(image + 0x238, 2047);
    image[1024] = 0x5a;
    write_file(kernel, image, sizeof image);
    write_file(initrd, image, 3000);
    assert_true(fw_cfg_add_kernel(cfg, kernel, initrd, "quiet", 64u << 20, &err));
    assert_int_equal(item_u32(&b, FW_CFG_SETUP_SIZE), 1024);
    assert_int_equal(item_u32(&b, FW_CFG_KERNEL_SIZE), 5000);
    assert_int_equal(item_u32(&b, FW_CFG_KERNEL_DATA), 0x5a);
    assert_int_equal(item_u32(&b, FW_CFG_INITRD_ADDR), (63u << 20) - 4096);
    assert_int_equal(item_u32(&b, FW_CFG_CMDLINE_DATA), 0x65697571);
    assert_false(fw_cfg_add_kernel(cfg, kernel, initrd, "", 1u << 20, &err)); // too little memory
    assert_false(fw_cfg_add_kernel(cfg, initrd, kernel, "", 1u << 20, &err));
    image[0x202] = 'x';
    unlink(kernel);
    write_file(kernel, image, sizeof image);
    assert_false(fw_cfg_add_kernel(cfg, kernel, NULL, "", 64u << 20, &err));
    assert_non_null(strstr(err.text, "neither a Linux bzImage nor a multiboot kernel"));
    unlink(kernel);
    unlink(initrd);
    fw_cfg_destroy(cfg);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_access), cmocka_unit_test(test_bars),
        cmocka_unit_test(test_shadow_ram),    cmocka_unit_test(test_routing_and_reset),
        cmocka_unit_test(test_kernel_items),  cmocka_unit_test(test_fw_cfg),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
