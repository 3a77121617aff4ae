// SPDX-License-Identifier: MIT
// The commands of an ATA disk: PIO, MULTIPLE and DMA transfers in CHS, LBA28 and LBA48, and the
// rest of the general feature set. ATA/ATAPI-6 (T13 1410D), clause 8. Left out: security, host
// protected area changes, overlap, tagged queueing, read/write long: those commands abort.
#include "devices/ide_internal.h"

#include <stdlib.h>

#define SECTOR         BLOCK_SECTOR_SIZE
#define BUFFER_SECTORS (IDE_BUFFER_SIZE / SECTOR)
#define MULTIPLE_MAX   16u

enum ata_code {
    ATA_NOP = 0x00,
    ATA_DEVICE_RESET = 0x08,
    ATA_READ = 0x20,
    ATA_READ_EXT = 0x24,
    ATA_READ_DMA_EXT = 0x25,
    ATA_READ_NATIVE_MAX_EXT = 0x27,
    ATA_READ_MULTIPLE_EXT = 0x29,
    ATA_WRITE = 0x30,
    ATA_WRITE_EXT = 0x34,
    ATA_WRITE_DMA_EXT = 0x35,
    ATA_WRITE_MULTIPLE_EXT = 0x39,
    ATA_VERIFY = 0x40,
    ATA_VERIFY_EXT = 0x42,
    ATA_INIT_PARAMETERS = 0x91,
    ATA_SMART = 0xb0,
    ATA_READ_MULTIPLE = 0xc4,
    ATA_WRITE_MULTIPLE = 0xc5,
    ATA_SET_MULTIPLE = 0xc6,
    ATA_READ_DMA = 0xc8,
    ATA_WRITE_DMA = 0xca,
    ATA_STANDBY_NOW = 0xe0,
    ATA_IDLE_NOW = 0xe1,
    ATA_STANDBY = 0xe2,
    ATA_IDLE = 0xe3,
    ATA_CHECK_POWER = 0xe5,
    ATA_SLEEP = 0xe6,
    ATA_FLUSH = 0xe7,
    ATA_FLUSH_EXT = 0xea,
    ATA_IDENTIFY = 0xec,
    ATA_SET_FEATURES = 0xef,
    ATA_READ_NATIVE_MAX = 0xf8
};

void ata_reset(struct ide_drive *drive, bool hard)
{
    drive->standby = false;
    if (!hard)
        return;
    drive->cylinders = drive->default_cylinders;
    drive->heads = drive->default_heads;
    drive->track = drive->default_track;
    drive->multiple = MULTIPLE_MAX;
    drive->transfer_mode = 0x22; // multiword DMA 2
    drive->write_cache = true;
    drive->look_ahead = true;
    drive->smart = true;
}

// Addressing.

static void address_set(struct ide_drive *drive, uint64_t lba)
{
    if (drive->wide) {
        drive->previous.lba_high = (uint8_t)(lba >> 40);
        drive->previous.lba_mid = (uint8_t)(lba >> 32);
        drive->previous.lba_low = (uint8_t)(lba >> 24);
    } else if (drive->device & ATA_DEVICE_LBA) {
        drive->device = (uint8_t)((drive->device & 0xf0) | ((lba >> 24) & 0x0f));
    } else {
        uint64_t track = lba / drive->track;
        uint64_t cylinder = track / drive->heads;
        drive->device = (uint8_t)((drive->device & 0xf0) | (track % drive->heads));
        drive->now.lba_low = (uint8_t)(lba % drive->track + 1);
        drive->now.lba_mid = (uint8_t)cylinder;
        drive->now.lba_high = (uint8_t)(cylinder >> 8);
        return;
    }
    drive->now.lba_high = (uint8_t)(lba >> 16);
    drive->now.lba_mid = (uint8_t)(lba >> 8);
    drive->now.lba_low = (uint8_t)lba;
}

// UINT64_MAX: not an address of this disk in the geometry that is set.
static uint64_t address_get(const struct ide_drive *drive)
{
    uint64_t low =
        (uint64_t)drive->now.lba_high << 16 | drive->now.lba_mid << 8 | drive->now.lba_low;

    if (drive->wide)
        return (uint64_t)drive->previous.lba_high << 40 | (uint64_t)drive->previous.lba_mid << 32 |
               (uint64_t)drive->previous.lba_low << 24 | low;
    if (drive->device & ATA_DEVICE_LBA)
        return (uint64_t)(drive->device & 0x0f) << 24 | low;
    uint32_t cylinder = drive->now.lba_high << 8 | drive->now.lba_mid;
    uint32_t head = drive->device & 0x0f, sector = drive->now.lba_low;
    if (sector == 0 || sector > drive->track || head >= drive->heads)
        return UINT64_MAX;
    return ((uint64_t)cylinder * drive->heads + head) * drive->track + sector - 1;
}

static uint32_t count_get(const struct ide_drive *drive)
{
    if (drive->wide) {
        uint32_t count = drive->previous.count << 8 | drive->now.count;
        return count ? count : 65536;
    }
    return drive->now.count ? drive->now.count : 256;
}

// Loads lba and left from the registers; reports the first sector that does not exist.
static bool transfer_begin(struct ide_drive *drive, bool wide)
{
    drive->wide = wide;
    drive->lba = address_get(drive);
    drive->left = count_get(drive);
    drive->standby = false;
    if (drive->lba == UINT64_MAX || drive->lba >= drive->sectors) {
        ide_drive_fail(drive, ATA_ERROR_IDNF);
        return false;
    }
    if (drive->left > drive->sectors - drive->lba) {
        address_set(drive, drive->sectors);
        ide_drive_fail(drive, ATA_ERROR_IDNF);
        return false;
    }
    return true;
}

// After success the registers name the last sector, and no sectors are left.
static void transfer_end(struct ide_drive *drive)
{
    address_set(drive, drive->lba ? drive->lba - 1 : 0);
    drive->now.count = 0;
    if (drive->wide)
        drive->previous.count = 0;
}

static void transfer_fail(struct ide_drive *drive, uint64_t at, uint8_t error)
{
    address_set(drive, at);
    drive->now.count = (uint8_t)drive->left;
    ide_drive_fail(drive, error);
}

// PIO.

static uint32_t block_now(const struct ide_drive *drive)
{
    return drive->left < drive->block ? drive->left : drive->block;
}

static void command_pio(struct ide_drive *drive, bool wide, bool multiple, bool write)
{
    if ((multiple && !drive->multiple) || (write && block_image_is_read_only(drive->image))) {
        ide_drive_fail(drive, ATA_ERROR_ABRT);
        return;
    }
    if (!transfer_begin(drive, wide))
        return;
    drive->block = multiple ? drive->multiple : 1;
    if (write)
        ide_drive_open_port(drive, IDE_PORT_WRITE, 0, block_now(drive) * SECTOR);
    else
        ide_drive_schedule(drive, IDE_READ_BLOCK);
}

static void act_read_block(struct ide_drive *drive)
{
    uint32_t n = block_now(drive);

    if (block_image_read(drive->image, drive->lba, n, drive->buffer) != 0) {
        transfer_fail(drive, drive->lba, ATA_ERROR_UNC);
        return;
    }
    drive->lba += n;
    drive->left -= n;
    if (drive->left == 0)
        transfer_end(drive);
    ide_drive_open_port(drive, IDE_PORT_READ, 0, n * SECTOR);
    ide_drive_raise(drive);
}

// Stores n sectors; without write cache they are durable before the command ends. False: reported
// or waiting.
static bool store(struct ide_drive *drive, uint64_t lba, uint32_t n, const uint8_t *data)
{
    int error = block_image_write(drive->image, lba, n, data);

    if (error == 0 && !drive->write_cache)
        error = block_image_flush(drive->image);
    if (error == 0)
        return true;
    if (ide_drive_host_full(drive, error))
        return false;
    transfer_fail(drive, lba, ATA_ERROR_ABRT);
    drive->status |= ATA_STATUS_DF;
    return false;
}

static void act_write_block(struct ide_drive *drive)
{
    uint32_t n = block_now(drive);

    if (!store(drive, drive->lba, n, drive->buffer))
        return;
    drive->lba += n;
    drive->left -= n;
    if (drive->left == 0) {
        transfer_end(drive);
        ide_drive_finish(drive);
        return;
    }
    ide_drive_open_port(drive, IDE_PORT_WRITE, 0, block_now(drive) * SECTOR);
    ide_drive_raise(drive);
}

void ata_port_done(struct ide_drive *drive, enum ide_port port)
{
    if (port == IDE_PORT_WRITE)
        ide_drive_schedule(drive, IDE_WRITE_BLOCK);
    else if (drive->left > 0)
        ide_drive_schedule(drive, IDE_READ_BLOCK);
}

// DMA.

static void command_dma(struct ide_drive *drive, bool wide, bool write)
{
    if (write && block_image_is_read_only(drive->image)) {
        ide_drive_fail(drive, ATA_ERROR_ABRT);
        return;
    }
    if (!transfer_begin(drive, wide))
        return;
    drive->is_write = write;
    ide_drive_schedule(drive, IDE_DMA);
}

// One round of at most a buffer. False: the command is over, failed or waits.
static bool dma_round(struct ide_drive *drive, struct prd_walk *walk, uint64_t lba, uint32_t n)
{
    uint32_t bytes = n * SECTOR;

    if (!drive->is_write && block_image_read(drive->image, lba, n, drive->buffer) != 0) {
        bm_end(walk, drive->channel, true);
        transfer_fail(drive, lba, ATA_ERROR_UNC);
        return false;
    }
    uint32_t moved = bm_move(walk, drive->buffer, bytes, !drive->is_write);
    if (drive->is_write && moved >= SECTOR && !store(drive, lba, moved / SECTOR, drive->buffer)) {
        if (!timer_is_armed(drive->timer))
            bm_end(walk, drive->channel, true);
        return false;
    }
    if (moved == bytes)
        return true;
    // The descriptors are shorter than the command: the bus master stops, the drive gives up
    // without an interrupt.
    bm_end(walk, drive->channel, false);
    drive->action = IDE_IDLE;
    drive->status = ATA_STATUS_DRDY | ATA_STATUS_DSC;
    return false;
}

// A retry after "host full" does the whole command again: the descriptors and the sectors are the
// same.
static void act_dma(struct ide_drive *drive)
{
    struct prd_walk walk;
    uint64_t lba = drive->lba;
    uint32_t left = drive->left;

    if (!bm_is_running(drive->channel))
        return;
    bm_walk_start(&walk, drive->channel);
    while (left > 0) {
        uint32_t n = left < BUFFER_SECTORS ? left : BUFFER_SECTORS;
        if (!dma_round(drive, &walk, lba, n))
            return;
        lba += n;
        left -= n;
    }
    drive->lba = lba;
    drive->left = 0;
    transfer_end(drive);
    bm_end(&walk, drive->channel, true);
    ide_drive_finish(drive);
}

// Commands without data.

static void command_answer(struct ide_drive *drive)
{
    drive->left = 0;
    ide_drive_schedule(drive, IDE_DATA_READY);
}

static void command_verify(struct ide_drive *drive, bool wide)
{
    if (!transfer_begin(drive, wide))
        return;
    drive->lba += drive->left;
    drive->left = 0;
    transfer_end(drive);
    ide_drive_schedule(drive, IDE_END);
}

static void command_set_multiple(struct ide_drive *drive)
{
    uint8_t count = drive->now.count;

    if (count > MULTIPLE_MAX || (count & (count - 1))) {
        drive->multiple = 0;
        ide_drive_fail(drive, ATA_ERROR_ABRT);
        return;
    }
    drive->multiple = count;
    ide_drive_schedule(drive, IDE_END);
}

static void command_init_parameters(struct ide_drive *drive)
{
    uint8_t track = drive->now.count, heads = (drive->device & 0x0f) + 1;

    if (track == 0) {
        ide_drive_fail(drive, ATA_ERROR_ABRT);
        return;
    }
    uint64_t cylinders = drive->sectors / ((uint32_t)track * heads);
    drive->track = track;
    drive->heads = heads;
    drive->cylinders = cylinders < 65535 ? (uint16_t)cylinders : 65535;
    ide_drive_schedule(drive, IDE_END);
}

static bool transfer_mode_is_known(uint8_t mode)
{
    return mode <= 0x01 || (mode >= 0x08 && mode <= 0x0c) || (mode >= 0x20 && mode <= 0x22) ||
           (mode >= 0x40 && mode <= 0x45);
}

static void command_set_features(struct ide_drive *drive)
{
    switch (drive->now.feature) {
    case 0x02:
    case 0x82:
        drive->write_cache = drive->now.feature == 0x02;
        ide_drive_schedule(drive, drive->write_cache ? IDE_END : IDE_FLUSH);
        return;
    case 0x03:
        if (!transfer_mode_is_known(drive->now.count))
            break;
        if (drive->now.count >= 0x20)
            drive->transfer_mode = drive->now.count;
        ide_drive_schedule(drive, IDE_END);
        return;
    case 0x55:
    case 0xaa:
        drive->look_ahead = drive->now.feature == 0xaa;
        ide_drive_schedule(drive, IDE_END);
        return;
    case 0x66: // keep or revert settings at soft reset: they are always kept
    case 0xcc:
        ide_drive_schedule(drive, IDE_END);
        return;
    default:
        break;
    }
    ide_drive_fail(drive, ATA_ERROR_ABRT);
}

static void command_native_max(struct ide_drive *drive, bool wide)
{
    uint64_t last = drive->sectors - 1;

    drive->wide = wide;
    if (!wide && last > 0x0fffffff)
        last = 0x0fffffff;
    drive->device |= ATA_DEVICE_LBA;
    address_set(drive, last);
    ide_drive_schedule(drive, IDE_END);
}

static void command_power(struct ide_drive *drive, uint8_t command)
{
    if (command == ATA_CHECK_POWER)
        drive->now.count = drive->standby ? 0x00 : 0xff;
    else
        drive->standby =
            command == ATA_STANDBY_NOW || command == ATA_STANDBY || command == ATA_SLEEP;
    ide_drive_schedule(drive, drive->standby && command != ATA_CHECK_POWER ? IDE_FLUSH : IDE_END);
}

static bool command_is_transfer(struct ide_drive *drive)
{
    switch (drive->command) {
    case ATA_READ:
    case ATA_READ + 1:
        command_pio(drive, false, false, false);
        return true;
    case ATA_READ_EXT:
        command_pio(drive, true, false, false);
        return true;
    case ATA_READ_MULTIPLE:
    case ATA_READ_MULTIPLE_EXT:
        command_pio(drive, drive->command == ATA_READ_MULTIPLE_EXT, true, false);
        return true;
    case ATA_WRITE:
    case ATA_WRITE + 1:
        command_pio(drive, false, false, true);
        return true;
    case ATA_WRITE_EXT:
        command_pio(drive, true, false, true);
        return true;
    case ATA_WRITE_MULTIPLE:
    case ATA_WRITE_MULTIPLE_EXT:
        command_pio(drive, drive->command == ATA_WRITE_MULTIPLE_EXT, true, true);
        return true;
    case ATA_READ_DMA:
    case ATA_READ_DMA + 1:
    case ATA_READ_DMA_EXT:
        command_dma(drive, drive->command == ATA_READ_DMA_EXT, false);
        return true;
    case ATA_WRITE_DMA:
    case ATA_WRITE_DMA + 1:
    case ATA_WRITE_DMA_EXT:
        command_dma(drive, drive->command == ATA_WRITE_DMA_EXT, true);
        return true;
    case ATA_VERIFY:
    case ATA_VERIFY + 1:
    case ATA_VERIFY_EXT:
        command_verify(drive, drive->command == ATA_VERIFY_EXT);
        return true;
    default:
        return false;
    }
}

static void command_other(struct ide_drive *drive, uint8_t command)
{
    switch (command) {
    case ATA_IDENTIFY:
        ata_identify(drive, drive->buffer);
        command_answer(drive);
        return;
    case ATA_SET_FEATURES:
        command_set_features(drive);
        return;
    case ATA_FLUSH:
    case ATA_FLUSH_EXT:
        ide_drive_schedule(drive, IDE_FLUSH);
        return;
    case ATA_INIT_PARAMETERS:
        command_init_parameters(drive);
        return;
    case ATA_SET_MULTIPLE:
        command_set_multiple(drive);
        return;
    case ATA_READ_NATIVE_MAX:
    case ATA_READ_NATIVE_MAX_EXT:
        command_native_max(drive, command == ATA_READ_NATIVE_MAX_EXT);
        return;
    case ATA_SMART:
        ata_smart(drive);
        return;
    case ATA_STANDBY_NOW:
    case ATA_IDLE_NOW:
    case ATA_STANDBY:
    case ATA_IDLE:
    case ATA_CHECK_POWER:
    case ATA_SLEEP:
        command_power(drive, command);
        return;
    default:
        ide_drive_fail(drive, ATA_ERROR_ABRT); // also NOP and DEVICE RESET
        return;
    }
}

void ata_command(struct ide_drive *drive)
{
    uint8_t command = drive->command;

    drive->wide = false;
    drive->left = 0;
    if (command_is_transfer(drive))
        return;
    if ((command & 0xf0) == 0x10) { // RECALIBRATE
        ide_drive_schedule(drive, IDE_END);
        return;
    }
    if ((command & 0xf0) == 0x70) { // SEEK
        if (address_get(drive) >= drive->sectors)
            ide_drive_fail(drive, ATA_ERROR_IDNF);
        else
            ide_drive_schedule(drive, IDE_END);
        return;
    }
    if (command >= 0x94 && command <= 0x99 && command != 0x98 && command != 0x99)
        command += 0x4c; // the power commands' first codes: 94h-97h
    else if (command == 0x98 || command == 0x99)
        command += 0x4d;
    command_other(drive, command);
}

static void act_flush(struct ide_drive *drive)
{
    int error = block_image_flush(drive->image);

    if (error == 0)
        ide_drive_finish(drive);
    else if (!ide_drive_host_full(drive, error))
        ide_drive_fail(drive, ATA_ERROR_ABRT);
}

void ata_act(struct ide_drive *drive)
{
    switch (drive->action) {
    case IDE_END:
        ide_drive_finish(drive);
        break;
    case IDE_DATA_READY:
        ide_drive_open_port(drive, IDE_PORT_READ, 0, SECTOR);
        ide_drive_raise(drive);
        break;
    case IDE_READ_BLOCK:
        act_read_block(drive);
        break;
    case IDE_WRITE_BLOCK:
        act_write_block(drive);
        break;
    case IDE_FLUSH:
        act_flush(drive);
        break;
    case IDE_DMA:
        act_dma(drive);
        break;
    default:
        break;
    }
}
