// SPDX-License-Identifier: MIT
// The firmware configuration interface that SeaBIOS reads: selector and data ports 0x510/0x511, DMA
// at 0x514. Interface: QEMU documentation, docs/specs/fw_cfg. All items are read-only for the
// guest.
#ifndef EMU_DEVICES_FW_CFG_H
#define EMU_DEVICES_FW_CFG_H

#include "mmu/physmem.h"
#include "mmu/portio.h"
#include "state/state.h"

enum fw_cfg_key {
    FW_CFG_SIGNATURE = 0x00,
    FW_CFG_ID = 0x01,
    FW_CFG_UUID = 0x02,
    FW_CFG_RAM_SIZE = 0x03,
    FW_CFG_NOGRAPHIC = 0x04,
    FW_CFG_NB_CPUS = 0x05,
    FW_CFG_KERNEL_ADDR = 0x07,
    FW_CFG_KERNEL_SIZE = 0x08,
    FW_CFG_INITRD_ADDR = 0x0a,
    FW_CFG_INITRD_SIZE = 0x0b,
    FW_CFG_BOOT_DEVICE = 0x0c,
    FW_CFG_NUMA = 0x0d,
    FW_CFG_BOOT_MENU = 0x0e,
    FW_CFG_MAX_CPUS = 0x0f,
    FW_CFG_KERNEL_ENTRY = 0x10,
    FW_CFG_KERNEL_DATA = 0x11,
    FW_CFG_INITRD_DATA = 0x12,
    FW_CFG_CMDLINE_ADDR = 0x13,
    FW_CFG_CMDLINE_SIZE = 0x14,
    FW_CFG_CMDLINE_DATA = 0x15,
    FW_CFG_SETUP_ADDR = 0x16,
    FW_CFG_SETUP_SIZE = 0x17,
    FW_CFG_SETUP_DATA = 0x18,
    FW_CFG_FILE_DIR = 0x19,
    FW_CFG_FILE_FIRST = 0x20,
    FW_CFG_IRQ0_OVERRIDE = 0x8002,
};

struct fw_cfg;

struct fw_cfg *fw_cfg_create(struct portio *ports, struct physmem *mem, struct log *log,
                             struct state_registry *registry);
void fw_cfg_destroy(struct fw_cfg *cfg);
void fw_cfg_reset(struct fw_cfg *cfg);

// Items are copied; adding a key again replaces it. Keys of files are assigned from
// FW_CFG_FILE_FIRST on.
void fw_cfg_set_bytes(struct fw_cfg *cfg, uint16_t key, const void *data, uint32_t size);
void fw_cfg_set_u16(struct fw_cfg *cfg, uint16_t key, uint16_t value);
void fw_cfg_set_u32(struct fw_cfg *cfg, uint16_t key, uint32_t value);
void fw_cfg_set_u64(struct fw_cfg *cfg, uint16_t key, uint64_t value);

// A file by name (at most 55 characters), "bootorder", "etc/boot-fail-wait", "genroms/x.rom".
// Replaces one of the same name.
bool fw_cfg_add_file(struct fw_cfg *cfg, const char *name, const void *data, uint32_t size,
                     struct error *err);

// What a PC has: signature, id, RAM size, one CPU, the IRQ0 -> pin 2 override, NUMA none, and
// etc/e820.
void fw_cfg_set_machine(struct fw_cfg *cfg, uint32_t ram_size, bool graphics);

// -kernel, -initrd, -append: reads a bzImage (boot protocol 2.02 or later), patches its header,
// places kernel at 1 MiB, initrd as high as header and RAM allow; or a multiboot kernel, whose
// modules are the comma-separated files of -initrd. Adds the option ROM "genroms/emu-kernel.rom"
// that loads and starts it through SeaBIOS. Put
// "/rom@genroms/emu-kernel.rom\n" first in the file "bootorder". initrd and append may be NULL.
bool fw_cfg_add_kernel(struct fw_cfg *cfg, const char *kernel, const char *initrd,
                       const char *append, uint32_t ram_size, struct error *err);

#endif
