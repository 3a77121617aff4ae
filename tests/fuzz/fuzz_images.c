// SPDX-License-Identifier: MIT
// Files that emu parses on the host: kernels (bzImage, multiboot ELF and flat) with initial RAM
// disks, firmware and VGA BIOS images, and raw disk images of any size under reads, writes and
// flushes. Checked besides: what fw_cfg hands to the guest is readable to its end, and a disk gives
// back what was written, in the file or, with -snapshot, without a change of the file.
#include "fuzz.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/block_image.h"
#include "devices/fw_cfg.h"
#include "machine/firmware.h"
#include "state/state.h"

#define RAM_SIZE    (8u << 20)
#define MAX_ITEM    0x300000u // bytes read of an item
#define MAX_SECTORS 64u

enum { KIND_KERNEL, KIND_MODULES, KIND_FIRMWARE, KIND_DISK, KIND_COUNT };

// Reads the items as the option ROMs do.
static void read_items(struct portio *ports)
{
    static const uint8_t sizes[][2] = {{FW_CFG_SETUP_SIZE, FW_CFG_SETUP_DATA},
                                       {FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA},
                                       {FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA},
                                       {FW_CFG_CMDLINE_SIZE, FW_CFG_CMDLINE_DATA}};
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        uint32_t size = 0;
        portio_write(ports, 0x510, sizes[i][0], 2);
        for (unsigned k = 0; k < 4; k++)
            size |= portio_read(ports, 0x511, 1) << (8 * k);
        portio_write(ports, 0x510, sizes[i][1], 2);
        for (uint32_t k = 0; k < size && k < MAX_ITEM; k += k < 0x4000 ? 1 : 977)
            portio_read(ports, 0x511, 1);
        FUZZ_CHECK(size <= RAM_SIZE + 0x100000);
    }
}

static void load_kernel(struct fuzz_input *in, bool modules)
{
    struct log log;
    struct error err = {""};
    log_init(&log);
    struct physmem *mem = physmem_create(&log);
    struct portio *ports = portio_create(&log);
    struct state_registry *registry = state_registry_create();
    struct fw_cfg *cfg = fw_cfg_create(ports, mem, &log, registry);
    uint8_t flags = fuzz_u8(in);
    uint32_t ram = RAM_SIZE >> (flags & 3);
    size_t length, split = modules ? fuzz_u16(in) : 0;
    const uint8_t *bytes = fuzz_bytes(in, split, &length);
    struct fuzz_file initrd = fuzz_file_make(bytes, length);
    bytes = fuzz_bytes(in, SIZE_MAX, &length);
    struct fuzz_file kernel = fuzz_file_make(bytes, length);
    char *list = flags & 4 ? xasprintf("%s one,%s two,%s", initrd.path, kernel.path, initrd.path)
                           : xstrdup(initrd.path);
    fw_cfg_set_machine(cfg, ram, true);
    if (fw_cfg_add_kernel(cfg, kernel.path, modules ? list : NULL, flags & 8 ? "a=b c" : NULL, ram,
                          &err))
        read_items(ports);
    else
        FUZZ_CHECK(err.text[0] && !strchr(err.text, '\n'));
    free(list);
    fuzz_file_free(&kernel);
    fuzz_file_free(&initrd);
    fw_cfg_destroy(cfg);
    state_registry_destroy(registry);
    portio_destroy(ports);
    physmem_destroy(mem);
}

// Sizes are what counts: the bytes are guest code.
static void load_firmware(struct fuzz_input *in)
{
    struct error err = {""};
    struct firmware firmware = {0};
    uint8_t flags = fuzz_u8(in);
    uint32_t size = (uint32_t)fuzz_u8(in) << (flags & 1 ? 16 : 12);
    size += (uint32_t)(flags >> 6) - 1;
    struct fuzz_file file = fuzz_file_make(NULL, size > 0x200000 ? 0 : size);
    if (firmware_load_bios(file.path, NULL, &firmware, &err)) {
        FUZZ_CHECK(firmware.size == size && size % 0x10000 == 0 && size <= 0x100000);
        firmware_free(&firmware);
    } else {
        FUZZ_CHECK(err.text[0] && !strchr(err.text, '\n'));
    }
    fuzz_file_free(&file);
}

static uint64_t take_sector(struct fuzz_input *in, uint64_t sectors)
{
    uint8_t select = fuzz_u8(in);
    if (select < 0xe0)
        return select % (sectors + 2);
    return select < 0xf0 ? (uint64_t)fuzz_u32(in) << 32 | fuzz_u32(in) : sectors - (select & 15);
}

struct disk {
    struct block_image *image;
    uint8_t *shadow; // what it must hold
    uint64_t sectors;
    bool read_only;
};

static void disk_step(struct disk *d, struct fuzz_input *in)
{
    static uint8_t buffer[8 * BLOCK_SECTOR_SIZE];
    uint8_t op = fuzz_u8(in);
    uint32_t count = (op >> 4 & 7) + 1u;
    uint64_t sector = take_sector(in, d->sectors);
    bool inside = sector <= d->sectors && count <= d->sectors - sector;
    uint8_t *shadow = inside ? d->shadow + sector * BLOCK_SECTOR_SIZE : NULL;
    size_t length = (size_t)count * BLOCK_SECTOR_SIZE;
    int result;
    switch (op & 3) {
    case 0:
        result = block_image_read(d->image, sector, count, buffer);
        FUZZ_CHECK((result == 0) == inside);
        FUZZ_CHECK(!inside || memcmp(buffer, shadow, length) == 0);
        break;
    case 1:
    case 2:
        memset(buffer, fuzz_u8(in), length);
        result = block_image_write(d->image, sector, count, buffer);
        FUZZ_CHECK((result == 0) == (inside && !d->read_only));
        if (result == 0)
            memcpy(shadow, buffer, length);
        break;
    default:
        FUZZ_CHECK(block_image_flush(d->image) == 0);
        break;
    }
}

static void use_disk(struct fuzz_input *in)
{
    struct error err = {""};
    uint8_t flags = fuzz_u8(in), sectors = fuzz_u8(in) % (MAX_SECTORS + 1);
    size_t size = sectors * (size_t)BLOCK_SECTOR_SIZE + (flags & 0x80 ? flags & 0x7f : 0);
    uint8_t *bytes = xcalloc(1, size + 1);
    memset(bytes, 0x5a, size);
    struct fuzz_file file = fuzz_file_make(bytes, size);
    struct block_image_options options = {.read_only = flags & 1, .snapshot = flags & 2};
    struct disk d = {.shadow = bytes,
                     .sectors = sectors,
                     .read_only = options.read_only && !options.snapshot,
                     .image = block_image_open(file.path, &options, &err)};
    FUZZ_CHECK((d.image != NULL) == (size > 0 && size % BLOCK_SECTOR_SIZE == 0));
    FUZZ_CHECK(d.image || (err.text[0] && !strchr(err.text, '\n')));
    if (d.image) {
        d.read_only = block_image_is_read_only(d.image);
        FUZZ_CHECK(block_image_sectors(d.image) == sectors);
        while (fuzz_left(in) > 0)
            disk_step(&d, in);
        block_image_close(d.image);
        uint8_t byte = 0;
        for (size_t i = 0; i < size; i++) {
            FUZZ_CHECK(pread(file.fd, &byte, 1, (off_t)i) == 1);
            FUZZ_CHECK(byte == (options.snapshot || d.read_only ? 0x5a : bytes[i]));
            i += i % 512 == 1 ? 509 : 0;
        }
    }
    fuzz_file_free(&file);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size, 0};
    switch (fuzz_u8(&in) % KIND_COUNT) {
    case KIND_KERNEL:
        load_kernel(&in, false);
        break;
    case KIND_MODULES:
        load_kernel(&in, true);
        break;
    case KIND_FIRMWARE:
        load_firmware(&in);
        break;
    default:
        use_disk(&in);
        break;
    }
    return 0;
}
