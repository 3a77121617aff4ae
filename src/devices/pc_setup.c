// SPDX-License-Identifier: MIT
// What SeaBIOS reads to learn about the board: CMOS bytes in the layout PC firmware has used since
// the AT, and fw_cfg.
#include <string.h>

#include "devices/fw_cfg.h"
#include "devices/ide.h"
#include "devices/mc146818.h"
#include "devices/pc_internal.h"

enum cmos_index {
    CMOS_EQUIPMENT = 0x14,
    CMOS_BASE_LOW = 0x15, // KiB below 640 KiB
    CMOS_BASE_HIGH = 0x16,
    CMOS_EXT_LOW = 0x17, // KiB above 1 MiB, at most 63 MiB
    CMOS_EXT_HIGH = 0x18,
    CMOS_EXT2_LOW = 0x30, // the same, as found by POST
    CMOS_EXT2_HIGH = 0x31,
    CMOS_ABOVE16_LOW = 0x34, // 64 KiB units above 16 MiB
    CMOS_ABOVE16_HIGH = 0x35,
    CMOS_BOOT_FLAG1 = 0x38, // third boot device in the high nibble
    CMOS_DISK_TRANSLATION = 0x39,
    CMOS_BOOT_FLAG2 = 0x3d, // first and second boot device
};

enum { EQUIPMENT_FPU = 0x02, EQUIPMENT_MOUSE = 0x04 };

static void cmos_set_word(struct pc *pc, unsigned index, uint32_t value)
{
    mc146818_set(pc->rtc, index, (uint8_t)value);
    mc146818_set(pc->rtc, index + 1, (uint8_t)(value >> 8));
}

static void fill_memory(struct pc *pc, uint32_t ram_size)
{
    cmos_set_word(pc, CMOS_BASE_LOW, 640);
    uint32_t extended = ram_size > (1u << 20) ? (ram_size - (1u << 20)) >> 10 : 0;
    if (extended > 0xfc00) // 63 MiB
        extended = 0xfc00;
    cmos_set_word(pc, CMOS_EXT_LOW, extended);
    cmos_set_word(pc, CMOS_EXT2_LOW, extended);
    cmos_set_word(pc, CMOS_ABOVE16_LOW,
                  ram_size > (16u << 20) ? (ram_size - (16u << 20)) >> 16 : 0);
}

static unsigned boot_code(char letter)
{
    switch (letter) {
    case 'a':
        return 1;
    case 'c':
        return 2;
    case 'd':
        return 3;
    case 'n':
        return 4;
    default:
        return 0;
    }
}

static void fill_boot_order(struct pc *pc, const char *order)
{
    unsigned code[3] = {0, 0, 0};
    for (unsigned i = 0; i < 3 && order[i]; i++)
        code[i] = boot_code(order[i]);
    mc146818_set(pc->rtc, CMOS_BOOT_FLAG2, (uint8_t)(code[0] | code[1] << 4));
    mc146818_set(pc->rtc, CMOS_BOOT_FLAG1, (uint8_t)(code[2] << 4));
}

// Two bits a disk: 0 no translation, 1 LBA translation. Without an entry the firmware would guess.
static void fill_disk_translation(struct pc *pc)
{
    uint8_t value = 0;
    for (unsigned i = 0; i < PC_DRIVES; i++)
        if (piix_ide_disk_sectors(pc->ide, i) / (16 * 63) > 1024)
            value = (uint8_t)(value | 1u << (2 * i));
    mc146818_set(pc->rtc, CMOS_DISK_TRANSLATION, value);
}

void pc_cmos_fill(struct pc *pc, const struct pc_config *config)
{
    mc146818_set(pc->rtc, CMOS_EQUIPMENT, EQUIPMENT_FPU | EQUIPMENT_MOUSE);
    fill_memory(pc, config->ram_size);
    fill_boot_order(pc, config->boot_order);
    fill_disk_translation(pc);
}

bool pc_fw_cfg_fill(struct pc *pc, const struct pc_config *config, struct error *err)
{
    fw_cfg_set_machine(pc->fw_cfg, config->ram_size, true);
    fw_cfg_set_u16(pc->fw_cfg, FW_CFG_BOOT_MENU, config->boot_menu);
    if (!config->kernel)
        return true;
    static const char boot_order[] = "/rom@genroms/emu-kernel.rom\n";
    return fw_cfg_add_kernel(pc->fw_cfg, config->kernel, config->initrd, config->append,
                             config->ram_size, err) &&
           fw_cfg_add_file(pc->fw_cfg, "bootorder", boot_order, sizeof boot_order, err);
}
