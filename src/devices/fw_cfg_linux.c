// SPDX-License-Identifier: MIT
// -kernel: a bzImage handed to the guest as fw_cfg items, and the option ROM that fetches and
// starts it after SeaBIOS has made the memory map. Linux documentation, "The Linux/x86 Boot
// Protocol". Left out: zImage (kernels below 640 KiB).
#include "devices/fw_cfg_kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"

#define SETUP_ADDRESS   0x10000u
#define CMDLINE_ADDRESS 0x20000u
#define KERNEL_ADDRESS  0x100000u
#define SECTOR          512u
#define TABLES_RESERVE  0x100000u // top of RAM, where the firmware keeps its tables
#define ROM_SIZE        512u

// Offsets in the setup header.
enum {
    SETUP_SECTS = 0x1f1,
    BOOT_FLAG = 0x1fe,
    HEADER_MAGIC = 0x202,
    VERSION = 0x206,
    TYPE_OF_LOADER = 0x210,
    LOADFLAGS = 0x211,
    RAMDISK_IMAGE = 0x218,
    RAMDISK_SIZE = 0x21c,
    HEAP_END_PTR = 0x224,
    CMD_LINE_PTR = 0x228,
    INITRD_ADDR_MAX = 0x22c,
    CMDLINE_MAX = 0x238
};
enum { LOADED_HIGH = 1, CAN_USE_HEAP = 0x80 };

// linux_rom.asm; the byte at 511 makes the sum zero.
static const uint8_t linux_rom[] = {
    0x55, 0xaa, 0x01, 0xeb, 0x4c, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x20, 0x00, 0x90, 0x90, 0x90, 0x90,
    0x24, 0x50, 0x6e, 0x50, 0x01, 0x02, 0x00, 0x00, 0x00, 0x98, 0x00, 0x00, 0x00, 0x00, 0x40, 0x00,
    0x44, 0x00, 0x00, 0x00, 0x00, 0xe4, 0x00, 0x00, 0x00, 0x00, 0xcb, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x65, 0x6d, 0x75, 0x00, 0x4c, 0x69, 0x6e, 0x75, 0x78, 0x20, 0x6c, 0x6f, 0x61, 0x64, 0x65, 0x72,
    0x00, 0xb8, 0x20, 0x00, 0xcb, 0xad, 0xe8, 0x17, 0x00, 0x66, 0x89, 0xc5, 0xad, 0xe8, 0x10, 0x00,
    0x66, 0x89, 0xc1, 0xad, 0x66, 0x85, 0xc9, 0x74, 0x06, 0x66, 0x89, 0xea, 0xe8, 0x16, 0x00, 0xc3,
    0x66, 0xb9, 0x04, 0x00, 0x00, 0x00, 0x66, 0xba, 0x20, 0x7c, 0x00, 0x00, 0xe8, 0x06, 0x00, 0x26,
    0x66, 0xa1, 0x20, 0x7c, 0xc3, 0xbf, 0x00, 0x7c, 0x86, 0xc4, 0x66, 0x25, 0xff, 0xff, 0x00, 0x00,
    0x66, 0x0d, 0x00, 0x00, 0x00, 0x0a, 0x26, 0x66, 0x89, 0x05, 0x66, 0x0f, 0xc9, 0x26, 0x66, 0x89,
    0x4d, 0x04, 0x26, 0x66, 0xc7, 0x45, 0x08, 0x00, 0x00, 0x00, 0x00, 0x66, 0x0f, 0xca, 0x26, 0x66,
    0x89, 0x55, 0x0c, 0xba, 0x18, 0x05, 0x66, 0xb8, 0x00, 0x00, 0x7c, 0x00, 0x66, 0xef, 0x26, 0x66,
    0x8b, 0x05, 0x66, 0x25, 0xff, 0xff, 0xff, 0xfe, 0x75, 0xf4, 0xc3, 0xfa, 0xfc, 0x31, 0xc0, 0x8e,
    0xd0, 0xbc, 0x00, 0x7c, 0x8e, 0xc0, 0x8c, 0xc8, 0x8e, 0xd8, 0xbe, 0x18, 0x01, 0xe8, 0x75, 0xff,
    0x26, 0x66, 0x89, 0x2e, 0x30, 0x7c, 0xe8, 0x6c, 0xff, 0xe8, 0x69, 0xff, 0xe8, 0x66, 0xff, 0x26,
    0x66, 0xa1, 0x30, 0x7c, 0x66, 0xc1, 0xe8, 0x04, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xe0, 0x8e, 0xe8,
    0x8e, 0xd0, 0xbc, 0xf0, 0xff, 0x83, 0xc0, 0x20, 0x50, 0x6a, 0x00, 0x66, 0x31, 0xc0, 0x66, 0x31,
    0xdb, 0x66, 0x31, 0xc9, 0x66, 0x31, 0xd2, 0xcb, 0x16, 0x00, 0x17, 0x00, 0x18, 0x00, 0x13, 0x00,
    0x14, 0x00, 0x15, 0x00, 0x07, 0x00, 0x08, 0x00, 0x11, 0x00, 0x0a, 0x00, 0x0b, 0x00, 0x12,
};
#define LINUX_ROM_CHECKSUM 0xbdu

uint8_t *kernel_read_file(const char *what, const char *path, uint32_t limit, uint32_t *size,
                          struct error *err)
{
    FILE *file = file_open_read(path);
    struct stat st;

    if (!file) {
        error_set(err, "%s %s: %s", what, path, strerror(errno));
        return NULL;
    }
    if (fstat(fileno(file), &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
        st.st_size > (off_t)limit) {
        error_set(err, "%s %s: not a file of 1 to %u bytes", what, path, limit);
        fclose(file);
        return NULL;
    }
    uint8_t *data = xcalloc((size_t)st.st_size, 1);
    *size = (uint32_t)st.st_size;
    if (fread(data, 1, *size, file) != *size) {
        error_set(err, "%s %s: cannot be read", what, path);
        free(data);
        data = NULL;
    }
    fclose(file);
    return data;
}

static bool check_header(const uint8_t *image, uint32_t size, const char *path, struct error *err)
{
    if (size < 2 * SECTOR || load_le16(image + BOOT_FLAG) != 0xaa55 ||
        memcmp(image + HEADER_MAGIC, "HdrS", 4) != 0)
        return error_set(err, "-kernel %s: neither a Linux bzImage nor a multiboot kernel", path);
    if (load_le16(image + VERSION) < 0x202 || !(image[LOADFLAGS] & LOADED_HIGH))
        return error_set(
            err, "-kernel %s: boot protocol older than 2.02 or a zImage; use a bzImage", path);
    uint32_t setup = (image[SETUP_SECTS] ? image[SETUP_SECTS] : 4u) + 1u;
    if (setup * SECTOR >= size)
        return error_set(err, "-kernel %s: truncated: the setup code alone is longer", path);
    return true;
}

// Highest page-aligned place below what header and RAM allow; false when it would touch the kernel.
static bool place_initrd(const uint8_t *image, uint32_t size, uint32_t kernel_size,
                         uint32_t ram_size, uint32_t *address)
{
    uint32_t top =
        load_le16(image + VERSION) >= 0x203 ? load_le32(image + INITRD_ADDR_MAX) : 0x37ffffff;
    uint32_t usable = ram_size > TABLES_RESERVE ? ram_size - TABLES_RESERVE : 0;

    if (top >= usable)
        top = usable;
    if (size > top || ((top - size) & PAGE_MASK) < KERNEL_ADDRESS + kernel_size)
        return false;
    *address = (top - size) & PAGE_MASK;
    return true;
}

static bool add_initrd(struct fw_cfg *cfg, uint8_t *image, uint32_t kernel_size, const char *path,
                       uint32_t ram_size, struct error *err)
{
    uint32_t size = 0, address = 0;
    uint8_t *initrd = kernel_read_file("-initrd", path, ram_size, &size, err);

    if (!initrd)
        return false;
    bool fits = place_initrd(image, size, kernel_size, ram_size, &address);
    if (fits) {
        store_le32(image + RAMDISK_IMAGE, address);
        store_le32(image + RAMDISK_SIZE, size);
        fw_cfg_set_u32(cfg, FW_CFG_INITRD_ADDR, address);
        fw_cfg_set_u32(cfg, FW_CFG_INITRD_SIZE, size);
        fw_cfg_set_bytes(cfg, FW_CFG_INITRD_DATA, initrd, size);
    }
    free(initrd);
    return fits ||
           error_set(err, "-initrd %s: %u bytes do not fit into memory; raise -m", path, size);
}

static void add_kernel_items(struct fw_cfg *cfg, const uint8_t *image, uint32_t size,
                             uint32_t setup_size, const char *append)
{
    fw_cfg_set_u32(cfg, FW_CFG_SETUP_ADDR, SETUP_ADDRESS);
    fw_cfg_set_u32(cfg, FW_CFG_SETUP_SIZE, setup_size);
    fw_cfg_set_bytes(cfg, FW_CFG_SETUP_DATA, image, setup_size);
    fw_cfg_set_u32(cfg, FW_CFG_KERNEL_ADDR, KERNEL_ADDRESS);
    fw_cfg_set_u32(cfg, FW_CFG_KERNEL_SIZE, size - setup_size);
    fw_cfg_set_bytes(cfg, FW_CFG_KERNEL_DATA, image + setup_size, size - setup_size);
    fw_cfg_set_u32(cfg, FW_CFG_CMDLINE_ADDR, CMDLINE_ADDRESS);
    fw_cfg_set_u32(cfg, FW_CFG_CMDLINE_SIZE, (uint32_t)strlen(append) + 1);
    fw_cfg_set_bytes(cfg, FW_CFG_CMDLINE_DATA, append, (uint32_t)strlen(append) + 1);
}

static bool add_image(struct fw_cfg *cfg, uint8_t *image, uint32_t size, const char *kernel,
                      const char *initrd, const char *append, uint32_t ram_size, struct error *err)
{
    if (!check_header(image, size, kernel, err))
        return false;
    uint32_t setup_size = ((image[SETUP_SECTS] ? image[SETUP_SECTS] : 4u) + 1u) * SECTOR;
    uint16_t version = load_le16(image + VERSION);
    uint32_t cmdline_max = version >= 0x206 ? load_le32(image + CMDLINE_MAX) : 255;
    if (strlen(append) > cmdline_max || strlen(append) > 0xffff)
        return error_set(err, "-append: longer than the %u characters this kernel takes",
                         cmdline_max);
    if (KERNEL_ADDRESS + size - setup_size > ram_size)
        return error_set(err, "-kernel %s: does not fit into memory; raise -m", kernel);
    image[TYPE_OF_LOADER] = 0xff;
    image[LOADFLAGS] |= CAN_USE_HEAP;
    store_le16(image + HEAP_END_PTR, 0x9800 - 0x200);
    store_le32(image + CMD_LINE_PTR, CMDLINE_ADDRESS);
    if (initrd && !add_initrd(cfg, image, size - setup_size, initrd, ram_size, err))
        return false;
    add_kernel_items(cfg, image, size, setup_size, append);
    uint8_t rom[ROM_SIZE] = {0};
    memcpy(rom, linux_rom, sizeof linux_rom);
    rom[ROM_SIZE - 1] = LINUX_ROM_CHECKSUM;
    return fw_cfg_add_file(cfg, "genroms/emu-kernel.rom", rom, sizeof rom, err);
}

bool fw_cfg_add_kernel(struct fw_cfg *cfg, const char *kernel, const char *initrd,
                       const char *append, uint32_t ram_size, struct error *err)
{
    uint32_t size = 0;
    uint8_t *image = kernel_read_file("-kernel", kernel, 256u << 20, &size, err);

    if (!image)
        return false;
    const char *line = append ? append : "";
    bool done = multiboot_detect(image, size)
                    ? fw_cfg_add_multiboot(cfg, image, size, kernel, initrd, line, ram_size, err)
                    : add_image(cfg, image, size, kernel, initrd, line, ram_size, err);
    free(image);
    return done;
}
