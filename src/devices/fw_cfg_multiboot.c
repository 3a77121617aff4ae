// SPDX-License-Identifier: MIT
// -kernel: a multiboot kernel (ELF32, or any format with the address fields of its header), its
// modules and its information structure, handed to the guest as fw_cfg items with the option ROM
// that starts it. Multiboot Specification 0.6.96. Left out: the video mode fields, symbol tables,
// drives and APM information.
#include <elf.h>
#include <stdlib.h>

#include "devices/fw_cfg.h"
#include "devices/fw_cfg_kernel.h"

#define SEARCH_BYTES 8192u
#define HEADER_MAGIC 0x1badb002u
#define INFO_ADDRESS 0x10000u
#define INFO_SIZE    0x10000u
#define LOWEST_LOAD                                                                                \
    0x20000u // below are the firmware's data, the information structure and the memory map
#define MAX_MODULES 64u
#define ROM_SIZE    1024u
#define BOOT_LOADER "emu"

// Header words.
enum {
    HEADER_FLAGS = 4,
    HEADER_CHECKSUM = 8,
    HEADER_ADDR = 12,
    LOAD_ADDR = 16,
    LOAD_END_ADDR = 20,
    BSS_END_ADDR = 24,
    ENTRY_ADDR = 28,
    HEADER_SIZE = 32
};
enum { HEADER_HAS_ADDRESSES = 1 << 16 };

// Information structure.
enum {
    INFO_FLAGS = 0,
    INFO_BOOT_DEVICE = 12,
    INFO_CMDLINE = 16,
    INFO_MODS_COUNT = 20,
    INFO_MODS_ADDR = 24,
    INFO_LOADER_NAME = 64,
    INFO_BYTES = 120
};
enum { HAS_MEMORY = 1, HAS_CMDLINE = 4, HAS_MODULES = 8, HAS_MMAP = 64, HAS_LOADER_NAME = 512 };

// multiboot_rom.asm; the byte at the end makes the sum zero.
static const uint8_t multiboot_rom[] = {
    0x55, 0xaa, 0x02, 0xeb, 0x50, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x20, 0x00, 0x90, 0x90, 0x90, 0x90,
    0x24, 0x50, 0x6e, 0x50, 0x01, 0x02, 0x00, 0x00, 0x00, 0x94, 0x00, 0x00, 0x00, 0x00, 0x40, 0x00,
    0x44, 0x00, 0x00, 0x00, 0x00, 0xe4, 0x00, 0x00, 0x00, 0x00, 0xcf, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x65, 0x6d, 0x75, 0x00, 0x4d, 0x75, 0x6c, 0x74, 0x69, 0x62, 0x6f, 0x6f, 0x74, 0x20, 0x6c, 0x6f,
    0x61, 0x64, 0x65, 0x72, 0x00, 0xb8, 0x20, 0x00, 0xcb, 0xad, 0xe8, 0x17, 0x00, 0x66, 0x89, 0xc5,
    0xad, 0xe8, 0x10, 0x00, 0x66, 0x89, 0xc1, 0xad, 0x66, 0x85, 0xc9, 0x74, 0x06, 0x66, 0x89, 0xea,
    0xe8, 0x16, 0x00, 0xc3, 0x66, 0xb9, 0x04, 0x00, 0x00, 0x00, 0x66, 0xba, 0x20, 0x7c, 0x00, 0x00,
    0xe8, 0x06, 0x00, 0x26, 0x66, 0xa1, 0x20, 0x7c, 0xc3, 0xbf, 0x00, 0x7c, 0x86, 0xc4, 0x66, 0x25,
    0xff, 0xff, 0x00, 0x00, 0x66, 0x0d, 0x00, 0x00, 0x00, 0x0a, 0x26, 0x66, 0x89, 0x05, 0x66, 0x0f,
    0xc9, 0x26, 0x66, 0x89, 0x4d, 0x04, 0x26, 0x66, 0xc7, 0x45, 0x08, 0x00, 0x00, 0x00, 0x00, 0x66,
    0x0f, 0xca, 0x26, 0x66, 0x89, 0x55, 0x0c, 0xba, 0x18, 0x05, 0x66, 0xb8, 0x00, 0x00, 0x7c, 0x00,
    0x66, 0xef, 0x26, 0x66, 0x8b, 0x05, 0x66, 0x25, 0xff, 0xff, 0xff, 0xfe, 0x75, 0xf4, 0xc3, 0xfa,
    0xfc, 0x31, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x7c, 0x8e, 0xc0, 0x8c, 0xc8, 0x8e, 0xd8, 0xbe, 0x08,
    0x02, 0xe8, 0x75, 0xff, 0xe8, 0x72, 0xff, 0xe8, 0x6f, 0xff, 0xb8, 0x00, 0x10, 0x8e, 0xe0, 0xfb,
    0xe8, 0x84, 0x00, 0xcd, 0x12, 0x66, 0x0f, 0xb7, 0xc0, 0x64, 0x66, 0xa3, 0x04, 0x00, 0x31, 0xc9,
    0x31, 0xd2, 0xb8, 0x01, 0xe8, 0xcd, 0x15, 0x72, 0x14, 0x66, 0x0f, 0xb7, 0xc0, 0x66, 0x0f, 0xb7,
    0xdb, 0x66, 0xc1, 0xe3, 0x06, 0x66, 0x01, 0xd8, 0x64, 0x66, 0xa3, 0x08, 0x00, 0xfa, 0xb8, 0x10,
    0x00, 0xe8, 0x50, 0xff, 0x66, 0x89, 0xc5, 0xe4, 0x92, 0x0c, 0x02, 0x24, 0xfe, 0xe6, 0x92, 0x66,
    0x31, 0xc0, 0x8c, 0xc8, 0x66, 0xc1, 0xe0, 0x04, 0x66, 0x67, 0x8d, 0x88, 0xf0, 0x01, 0x00, 0x00,
    0x26, 0x66, 0x89, 0x0e, 0x42, 0x7c, 0x26, 0xc7, 0x06, 0x40, 0x7c, 0x17, 0x00, 0x66, 0x67, 0x8d,
    0x88, 0xd5, 0x01, 0x00, 0x00, 0x26, 0x66, 0x89, 0x0e, 0x50, 0x7c, 0x26, 0xc7, 0x06, 0x54, 0x7c,
    0x08, 0x00, 0x26, 0x66, 0x0f, 0x01, 0x16, 0x40, 0x7c, 0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22,
    0xc0, 0x26, 0x66, 0xff, 0x2e, 0x50, 0x7c, 0x66, 0x31, 0xdb, 0x66, 0xbf, 0x00, 0x80, 0x00, 0x00,
    0x66, 0xb8, 0x20, 0xe8, 0x00, 0x00, 0x66, 0xb9, 0x14, 0x00, 0x00, 0x00, 0x66, 0xba, 0x50, 0x41,
    0x4d, 0x53, 0x26, 0x66, 0xc7, 0x05, 0x14, 0x00, 0x00, 0x00, 0x57, 0x83, 0xc7, 0x04, 0xcd, 0x15,
    0x5f, 0x72, 0x16, 0x66, 0x3d, 0x50, 0x41, 0x4d, 0x53, 0x75, 0x0e, 0x83, 0xc7, 0x18, 0x66, 0x85,
    0xdb, 0x74, 0x06, 0x81, 0xff, 0x00, 0x86, 0x72, 0xc7, 0x66, 0x0f, 0xb7, 0xff, 0x66, 0x81, 0xef,
    0x00, 0x80, 0x00, 0x00, 0x64, 0x66, 0x89, 0x3e, 0x2c, 0x00, 0x64, 0x66, 0xc7, 0x06, 0x30, 0x00,
    0x00, 0x80, 0x00, 0x00, 0xc3, 0x66, 0xb8, 0x10, 0x00, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xe0, 0x8e,
    0xe8, 0x8e, 0xd0, 0xbb, 0x00, 0x00, 0x01, 0x00, 0xb8, 0x02, 0xb0, 0xad, 0x2b, 0xff, 0xe5, 0x90,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0x9a, 0xcf, 0x00,
    0xff, 0xff, 0x00, 0x00, 0x00, 0x92, 0xcf, 0x00, 0x16, 0x00, 0x17, 0x00, 0x18, 0x00, 0x07, 0x00,
    0x08, 0x00, 0x11, 0x00, 0x0a, 0x00, 0x0b, 0x00, 0x12,
};
#define MULTIBOOT_ROM_CHECKSUM 0x31u

// What goes to one address as one piece.
struct load_image {
    uint8_t *data;
    uint32_t address;
    uint32_t size;
    uint32_t entry;
};

// The information structure with the strings and module list behind it.
struct info_block {
    uint8_t data[INFO_SIZE];
    uint32_t used;
};

static const uint8_t *find_header(const uint8_t *image, uint32_t size)
{
    uint32_t limit = size < SEARCH_BYTES ? size : SEARCH_BYTES;
    for (uint32_t at = 0; at + 12 <= limit; at += 4) {
        const uint8_t *h = image + at;
        if (load_le32(h) == HEADER_MAGIC &&
            load_le32(h) + load_le32(h + HEADER_FLAGS) + load_le32(h + HEADER_CHECKSUM) == 0)
            return h;
    }
    return NULL;
}

bool multiboot_detect(const uint8_t *image, uint32_t size)
{
    return find_header(image, size) != NULL;
}

static bool image_alloc(struct load_image *out, uint32_t low, uint32_t high, uint32_t ram_size,
                        const char *path, struct error *err)
{
    if (low < LOWEST_LOAD || high <= low)
        return error_set(err, "-kernel %s: its load addresses %#x to %#x make no sense", path, low,
                         high);
    if (high > ram_size)
        return error_set(err, "-kernel %s: does not fit into memory; raise -m", path);
    out->address = low;
    out->size = high - low;
    out->data = xcalloc(1, out->size);
    return true;
}

// The a.out kludge: addresses from the header.
static bool load_flat(const uint8_t *image, uint32_t size, const uint8_t *header, uint32_t ram_size,
                      const char *path, struct load_image *out, struct error *err)
{
    uint32_t at = (uint32_t)(header - image);
    if (at + HEADER_SIZE > size)
        return error_set(err, "-kernel %s: truncated multiboot header", path);
    uint32_t load = load_le32(header + LOAD_ADDR), back = load_le32(header + HEADER_ADDR) - load;
    uint32_t load_end = load_le32(header + LOAD_END_ADDR),
             bss_end = load_le32(header + BSS_END_ADDR);
    if (back > at)
        return error_set(err, "-kernel %s: its multiboot header lies outside what it loads", path);
    uint32_t length = load_end ? load_end - load : size - (at - back);
    if (length > size - (at - back))
        return error_set(err, "-kernel %s: truncated", path);
    uint32_t end = load + length;
    if (!image_alloc(out, load, bss_end > end ? bss_end : end, ram_size, path, err))
        return false;
    memcpy(out->data, image + (at - back), length);
    out->entry = load_le32(header + ENTRY_ADDR);
    return true;
}

static bool elf_segment(const uint8_t *image, uint32_t size, const Elf32_Ehdr *elf, unsigned i,
                        Elf32_Phdr *segment)
{
    uint64_t at = (uint64_t)elf->e_phoff + (uint64_t)i * elf->e_phentsize;
    if (elf->e_phentsize < sizeof *segment || at + sizeof *segment > size)
        return false;
    memcpy(segment, image + at, sizeof *segment);
    if (segment->p_type != PT_LOAD)
        return true;
    return segment->p_filesz <= segment->p_memsz && segment->p_offset <= size &&
           segment->p_filesz <= size - segment->p_offset &&
           segment->p_paddr + (uint64_t)segment->p_memsz <= UINT32_MAX;
}

static bool load_elf(const uint8_t *image, uint32_t size, uint32_t ram_size, const char *path,
                     struct load_image *out, struct error *err)
{
    Elf32_Ehdr elf;
    Elf32_Phdr segment;
    if (size < sizeof elf || memcmp(image, ELFMAG, SELFMAG) != 0 || image[EI_CLASS] != ELFCLASS32)
        return error_set(
            err,
            "-kernel %s: a multiboot kernel must be a 32-bit ELF file or give its load addresses",
            path);
    memcpy(&elf, image, sizeof elf);
    uint32_t low = UINT32_MAX, high = 0;
    for (unsigned i = 0; i < elf.e_phnum; i++) {
        if (!elf_segment(image, size, &elf, i, &segment))
            return error_set(err, "-kernel %s: program header %u is damaged", path, i);
        if (segment.p_type != PT_LOAD || segment.p_memsz == 0)
            continue;
        low = segment.p_paddr < low ? segment.p_paddr : low;
        high = segment.p_paddr + segment.p_memsz > high ? segment.p_paddr + segment.p_memsz : high;
    }
    if (!image_alloc(out, low, high, ram_size, path, err))
        return false;
    for (unsigned i = 0; i < elf.e_phnum; i++)
        if (elf_segment(image, size, &elf, i, &segment) && segment.p_type == PT_LOAD &&
            segment.p_memsz)
            memcpy(out->data + (segment.p_paddr - low), image + segment.p_offset, segment.p_filesz);
    out->entry = elf.e_entry;
    return true;
}

// Appends a string to the information block; returns its guest address, 0 when there is no room.
static uint32_t info_string(struct info_block *info, const char *text, size_t length)
{
    if (length >= INFO_SIZE - info->used)
        return 0;
    uint32_t address = INFO_ADDRESS + info->used;
    memcpy(info->data + info->used, text, length);
    info->used += (uint32_t)length + 1;
    return address;
}

// -initrd "file args,file args": each a module on a page of its own behind the kernel.
static bool load_modules(const char *list, uint32_t base, uint32_t ram_size, struct load_image *out,
                         struct info_block *info, struct error *err)
{
    uint32_t table = INFO_BYTES, count = 0;
    info->used = table + MAX_MODULES * 16;
    while (*list) {
        size_t length = strcspn(list, ",");
        if (count == MAX_MODULES)
            return error_set(err, "-initrd: more than %u modules", MAX_MODULES);
        char *path = xasprintf("%.*s", (int)strcspn(list, ", "), list);
        uint32_t size = 0;
        uint8_t *data = kernel_read_file("-initrd", path, ram_size, &size, err);
        free(path);
        if (!data)
            return false;
        uint32_t at = (out->size + PAGE_SIZE - 1) & PAGE_MASK;
        bool fits = (uint64_t)base + at + size < ram_size;
        if (fits) {
            out->data = xrealloc(out->data, at + size);
            memset(out->data + out->size, 0, at - out->size);
            memcpy(out->data + at, data, size);
            out->size = at + size;
        }
        free(data);
        uint32_t text = info_string(info, list, length);
        if (!fits || !text)
            return error_set(err, "-initrd: the modules do not fit into memory; raise -m");
        store_le32(info->data + table + count * 16, base + at);
        store_le32(info->data + table + count * 16 + 4, base + at + size);
        store_le32(info->data + table + count * 16 + 8, text);
        count++;
        list += length + (list[length] == ',');
    }
    store_le32(info->data + INFO_MODS_COUNT, count);
    store_le32(info->data + INFO_MODS_ADDR, INFO_ADDRESS + table);
    return true;
}

static bool fill_info(struct info_block *info, const char *kernel, const char *append, bool modules,
                      struct error *err)
{
    if (!info->used)
        info->used = INFO_BYTES;
    char *line = xasprintf("%s %s", kernel, append);
    uint32_t cmdline = info_string(info, line, strlen(line));
    free(line);
    uint32_t loader = info_string(info, BOOT_LOADER, strlen(BOOT_LOADER));
    if (!cmdline || !loader)
        return error_set(err, "-append: longer than %u characters", INFO_SIZE / 2);
    store_le32(info->data + INFO_FLAGS,
               HAS_MEMORY | HAS_CMDLINE | HAS_MMAP | HAS_LOADER_NAME | (modules ? HAS_MODULES : 0));
    store_le32(info->data + INFO_BOOT_DEVICE, 0xffffffffu);
    store_le32(info->data + INFO_CMDLINE, cmdline);
    store_le32(info->data + INFO_LOADER_NAME, loader);
    return true;
}

static void add_item(struct fw_cfg *cfg, uint16_t address_key, uint16_t size_key, uint16_t data_key,
                     uint32_t address, const uint8_t *data, uint32_t size)
{
    fw_cfg_set_u32(cfg, address_key, address);
    fw_cfg_set_u32(cfg, size_key, size);
    fw_cfg_set_bytes(cfg, data_key, data, size);
}

static bool add_items(struct fw_cfg *cfg, const struct load_image *kernel,
                      const struct load_image *modules, const struct info_block *info,
                      struct error *err)
{
    add_item(cfg, FW_CFG_SETUP_ADDR, FW_CFG_SETUP_SIZE, FW_CFG_SETUP_DATA, INFO_ADDRESS, info->data,
             info->used);
    add_item(cfg, FW_CFG_KERNEL_ADDR, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA, kernel->address,
             kernel->data, kernel->size);
    add_item(cfg, FW_CFG_INITRD_ADDR, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA, modules->address,
             modules->data, modules->size);
    fw_cfg_set_u32(cfg, FW_CFG_KERNEL_ENTRY, kernel->entry);
    uint8_t rom[ROM_SIZE] = {0};
    memcpy(rom, multiboot_rom, sizeof multiboot_rom);
    rom[ROM_SIZE - 1] = MULTIBOOT_ROM_CHECKSUM;
    return fw_cfg_add_file(cfg, "genroms/emu-kernel.rom", rom, sizeof rom, err);
}

bool fw_cfg_add_multiboot(struct fw_cfg *cfg, const uint8_t *image, uint32_t size, const char *path,
                          const char *initrd, const char *append, uint32_t ram_size,
                          struct error *err)
{
    const uint8_t *header = find_header(image, size);
    struct load_image kernel = {0}, modules = {0};
    struct info_block *info = xcalloc(1, sizeof *info);
    bool ok = (load_le32(header + HEADER_FLAGS) & HEADER_HAS_ADDRESSES)
                  ? load_flat(image, size, header, ram_size, path, &kernel, err)
                  : load_elf(image, size, ram_size, path, &kernel, err);
    if (ok && initrd) {
        modules.address = (kernel.address + kernel.size + PAGE_SIZE - 1) & PAGE_MASK;
        ok = load_modules(initrd, modules.address, ram_size, &modules, info, err);
    }
    ok = ok && fill_info(info, path, append, initrd != NULL, err) &&
         add_items(cfg, &kernel, &modules, info, err);
    free(kernel.data);
    free(modules.data);
    free(info);
    return ok;
}
