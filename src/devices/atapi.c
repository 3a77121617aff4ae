// SPDX-License-Identifier: MIT
// The ATAPI CD-ROM: the PACKET protocol in PIO and DMA, sense data, tray and media change, reads of
// 2048-byte sectors. ATA/ATAPI-6 clause 9.8, MMC-3 and SPC-2. Left out: audio, raw sector formats,
// writing: those packets are refused with sense data.
#include "devices/ide_internal.h"

#include <stdlib.h>

#define PACKET_SIZE    12u
#define BUFFER_SECTORS (IDE_BUFFER_SIZE / CD_SECTOR_SIZE)

enum { ATAPI_CD = 1, ATAPI_IO = 2 }; // interrupt reason, in the count register
enum {
    SENSE_NONE = 0,
    SENSE_NOT_READY = 2,
    SENSE_MEDIUM = 3,
    SENSE_ILLEGAL = 5,
    SENSE_ATTENTION = 6
};

enum packet_code {
    TEST_UNIT_READY = 0x00,
    REQUEST_SENSE = 0x03,
    INQUIRY = 0x12,
    MODE_SENSE_6 = 0x1a,
    START_STOP_UNIT = 0x1b,
    PREVENT_ALLOW = 0x1e,
    READ_CAPACITY = 0x25,
    READ_10 = 0x28,
    SEEK_10 = 0x2b,
    READ_TOC = 0x43,
    GET_CONFIGURATION = 0x46,
    GET_EVENT_STATUS = 0x4a,
    READ_DISC_INFORMATION = 0x51,
    MODE_SENSE_10 = 0x5a,
    READ_12 = 0xa8,
    SET_CD_SPEED = 0xbb,
    MECHANISM_STATUS = 0xbd,
    READ_CD = 0xbe
};

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static void put_be32(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 24);
    p[1] = (uint8_t)(value >> 16);
    p[2] = (uint8_t)(value >> 8);
    p[3] = (uint8_t)value;
}

uint32_t atapi_sectors(const struct ide_drive *drive)
{
    if (!drive->image || drive->tray_open)
        return 0;
    uint64_t sectors = block_image_sectors(drive->image) / (CD_SECTOR_SIZE / BLOCK_SECTOR_SIZE);
    return sectors < UINT32_MAX ? (uint32_t)sectors : UINT32_MAX;
}

void atapi_reset(struct ide_drive *drive, bool hard)
{
    drive->packet_left = 0;
    drive->data_position = drive->data_end = 0;
    drive->tray_locked = false;
    if (!hard)
        return;
    drive->transfer_mode = 0x22;
    drive->sense_key = drive->asc = drive->ascq = 0;
    drive->media_changed = false;
    drive->media_event = 0;
    drive->tray_open = false;
}

void atapi_set_medium(struct ide_drive *drive, struct block_image *image)
{
    // What is being read from the old medium ends with an error at its next step.
    drive->packet_left = 0;
    if (drive->image)
        block_image_close(drive->image);
    drive->image = image;
    drive->media_changed = image != NULL;
    drive->media_event = image ? 2 : 3;
    drive->tray_open = false;
}

// Ends of packet commands.

static void packet_done(struct ide_drive *drive)
{
    drive->sense_key = drive->asc = drive->ascq = 0;
    drive->now.count = ATAPI_CD | ATAPI_IO;
    drive->packet_left = 0;
    ide_drive_finish(drive);
}

static void packet_fail(struct ide_drive *drive, uint8_t key, uint8_t asc, uint8_t ascq)
{
    drive->sense_key = key;
    drive->asc = asc;
    drive->ascq = ascq;
    drive->now.count = ATAPI_CD | ATAPI_IO;
    drive->packet_left = 0;
    ide_drive_fail(drive, (uint8_t)(key << 4 | ATA_ERROR_ABRT));
}

static void packet_invalid_field(struct ide_drive *drive)
{
    packet_fail(drive, SENSE_ILLEGAL, 0x24, 0);
}

// Data towards the host: buffer[data_position..data_end), then packet_left sectors from packet_lba.

static bool packet_refill(struct ide_drive *drive)
{
    uint32_t n = drive->packet_left < BUFFER_SECTORS ? drive->packet_left : BUFFER_SECTORS;

    if (n == 0)
        return false;
    if (drive->packet_lba >= atapi_sectors(drive) || n > atapi_sectors(drive) - drive->packet_lba ||
        block_image_read(drive->image, (uint64_t)drive->packet_lba * 4, n * 4, drive->buffer) !=
            0) {
        packet_fail(drive, SENSE_MEDIUM, 0x11, 0);
        return false;
    }
    drive->packet_lba += n;
    drive->packet_left -= n;
    drive->data_position = 0;
    drive->data_end = n * CD_SECTOR_SIZE;
    return true;
}

// Sends what buffer holds in the first `length` bytes, cut to the packet's allocation length.
static void packet_answer(struct ide_drive *drive, uint32_t length, uint32_t allocation)
{
    drive->data_position = 0;
    drive->data_end = length < allocation ? length : allocation;
    drive->packet_left = 0;
    if (drive->data_end == 0)
        packet_done(drive);
    else
        ide_drive_schedule(drive, drive->packet_dma ? IDE_PACKET_DMA : IDE_PACKET_DATA);
}

static void packet_answer_or_refuse(struct ide_drive *drive, uint32_t length, uint32_t allocation)
{
    if (length == 0)
        packet_invalid_field(drive);
    else
        packet_answer(drive, length, allocation);
}

static void packet_read(struct ide_drive *drive, uint32_t lba, uint32_t count)
{
    uint32_t sectors = atapi_sectors(drive);

    if (lba > sectors || count > sectors - lba) {
        packet_fail(drive, SENSE_ILLEGAL, 0x21, 0);
        return;
    }
    if (count == 0) {
        packet_done(drive);
        return;
    }
    drive->packet_lba = lba;
    drive->packet_left = count;
    drive->data_position = drive->data_end = 0;
    ide_drive_schedule(drive, drive->packet_dma ? IDE_PACKET_DMA : IDE_PACKET_DATA);
}

// The next DRQ block: at most byte_limit bytes, even unless it is the last.
static void act_packet_data(struct ide_drive *drive)
{
    if (drive->data_position >= drive->data_end && !packet_refill(drive)) {
        if (drive->action == IDE_PACKET_DATA)
            packet_done(drive);
        return;
    }
    uint32_t have = drive->data_end - drive->data_position;
    uint32_t n = have < drive->byte_limit ? have : drive->byte_limit;
    uint32_t end = drive->data_end;
    drive->now.count = ATAPI_IO;
    drive->now.lba_mid = (uint8_t)n;
    drive->now.lba_high = (uint8_t)(n >> 8);
    ide_drive_open_port(drive, IDE_PORT_READ, drive->data_position, drive->data_position + n);
    drive->block = end; // where the buffered data ends
    ide_drive_raise(drive);
}

static void act_packet_dma(struct ide_drive *drive)
{
    struct prd_walk walk;

    if (!bm_is_running(drive->channel))
        return;
    bm_walk_start(&walk, drive->channel);
    do {
        uint32_t n = drive->data_end - drive->data_position;
        uint32_t moved = n ? bm_move(&walk, drive->buffer + drive->data_position, n, true) : 0;
        drive->data_position = drive->data_end;
        if (moved < n) {
            bm_end(&walk, drive->channel, false);
            drive->packet_left = 0;
            drive->action = IDE_IDLE;
            drive->status = ATA_STATUS_DRDY | ATA_STATUS_DSC;
            return;
        }
    } while (packet_refill(drive));
    bm_end(&walk, drive->channel, true);
    if (drive->action == IDE_PACKET_DMA)
        packet_done(drive);
}

// Packets.

static void packet_sense(struct ide_drive *drive, uint32_t allocation)
{
    uint8_t *data = drive->buffer;

    if (drive->media_changed && drive->sense_key == SENSE_NONE && drive->image) {
        drive->media_changed = false;
        drive->sense_key = SENSE_ATTENTION;
        drive->asc = 0x28;
        drive->ascq = 0;
    }
    memset(data, 0, 18);
    data[0] = 0x70;
    data[2] = drive->sense_key;
    data[7] = 10;
    data[12] = drive->asc;
    data[13] = drive->ascq;
    packet_answer(drive, 18, allocation);
}

static void packet_start_stop(struct ide_drive *drive, const uint8_t *packet)
{
    bool load = (packet[4] & 2) != 0, start = (packet[4] & 1) != 0;

    if (load && !start && drive->tray_locked) {
        packet_fail(drive, drive->image ? SENSE_ILLEGAL : SENSE_NOT_READY, 0x53, 2);
        return;
    }
    if (load) {
        if (drive->tray_open && start && drive->image)
            drive->media_changed = true;
        if (drive->tray_open != !start)
            drive->media_event = start ? (drive->image ? 2 : 0) : 3;
        drive->tray_open = !start;
    }
    packet_done(drive);
}

static void packet_capacity(struct ide_drive *drive)
{
    put_be32(drive->buffer, atapi_sectors(drive) - 1);
    put_be32(drive->buffer + 4, CD_SECTOR_SIZE);
    packet_answer(drive, 8, 8);
}

// READ CD: user data of mode 1 sectors is all that an image holds.
static void packet_read_cd(struct ide_drive *drive, const uint8_t *packet)
{
    uint32_t count = (uint32_t)packet[6] << 16 | be16(packet + 7);
    uint8_t wanted = packet[9] & 0xf8;

    if (wanted == 0 || count == 0)
        packet_done(drive);
    else if (wanted != 0x10)
        packet_invalid_field(drive);
    else
        packet_read(drive, be32(packet + 2), count);
}

// Packets that need a medium; false: not one of them.
static bool packet_medium(struct ide_drive *drive, const uint8_t *packet)
{
    switch (packet[0]) {
    case TEST_UNIT_READY:
        packet_done(drive);
        return true;
    case READ_CAPACITY:
        packet_capacity(drive);
        return true;
    case READ_10:
        packet_read(drive, be32(packet + 2), be16(packet + 7));
        return true;
    case READ_12:
        packet_read(drive, be32(packet + 2), be32(packet + 6));
        return true;
    case SEEK_10:
        if (be32(packet + 2) >= atapi_sectors(drive))
            packet_fail(drive, SENSE_ILLEGAL, 0x21, 0);
        else
            packet_done(drive);
        return true;
    case READ_TOC:
        packet_answer_or_refuse(drive, atapi_read_toc(drive, packet), be16(packet + 7));
        return true;
    case READ_DISC_INFORMATION:
        packet_answer_or_refuse(drive, atapi_disc_information(drive, packet), be16(packet + 7));
        return true;
    case READ_CD:
        packet_read_cd(drive, packet);
        return true;
    default:
        return false;
    }
}

static bool packet_needs_medium(uint8_t code)
{
    return code == TEST_UNIT_READY || code == READ_CAPACITY || code == READ_10 || code == READ_12 ||
           code == SEEK_10 || code == READ_TOC || code == READ_DISC_INFORMATION || code == READ_CD;
}

static void packet_other(struct ide_drive *drive, const uint8_t *packet)
{
    switch (packet[0]) {
    case REQUEST_SENSE:
        packet_sense(drive, packet[4]);
        break;
    case INQUIRY:
        packet_answer_or_refuse(drive, atapi_inquiry(drive, packet), be16(packet + 3));
        break;
    case MODE_SENSE_6:
    case MODE_SENSE_10:
        packet_answer_or_refuse(drive, atapi_mode_sense(drive, packet),
                                packet[0] == MODE_SENSE_6 ? packet[4] : be16(packet + 7));
        break;
    case START_STOP_UNIT:
        packet_start_stop(drive, packet);
        break;
    case PREVENT_ALLOW:
        drive->tray_locked = (packet[4] & 1) != 0;
        packet_done(drive);
        break;
    case GET_CONFIGURATION:
        packet_answer_or_refuse(drive, atapi_get_configuration(drive, packet), be16(packet + 7));
        break;
    case GET_EVENT_STATUS:
        packet_answer_or_refuse(drive, atapi_event_status(drive, packet), be16(packet + 7));
        break;
    case MECHANISM_STATUS:
        packet_answer_or_refuse(drive, atapi_mechanism_status(drive, packet), be16(packet + 8));
        break;
    case SET_CD_SPEED:
        packet_done(drive);
        break;
    default:
        packet_fail(drive, SENSE_ILLEGAL, 0x20, 0);
        break;
    }
}

static void packet_run(struct ide_drive *drive)
{
    uint8_t packet[PACKET_SIZE];
    uint8_t code;

    memcpy(packet, drive->buffer, sizeof packet);
    code = packet[0];
    log_write(drive->channel->ide->log, LOG_IDE, "%s: packet %02x\n", drive->name, code);
    // A changed medium is told first, to all but these three (SPC-2, 5.6.5).
    if (drive->media_changed && drive->image && code != INQUIRY && code != REQUEST_SENSE &&
        code != GET_EVENT_STATUS && code != GET_CONFIGURATION) {
        drive->media_changed = false;
        packet_fail(drive, SENSE_ATTENTION, 0x28, 0);
    } else if (packet_needs_medium(code) && atapi_sectors(drive) == 0) {
        packet_fail(drive, SENSE_NOT_READY, 0x3a, drive->tray_open ? 2 : 1);
    } else if (!packet_medium(drive, packet)) {
        packet_other(drive, packet);
    }
}

void atapi_port_done(struct ide_drive *drive, enum ide_port port)
{
    if (drive->command == 0xa1)
        return; // IDENTIFY PACKET DEVICE: one block, no end interrupt
    if (port == IDE_PORT_PACKET) {
        packet_run(drive);
        return;
    }
    drive->data_end = drive->block <= IDE_BUFFER_SIZE ? drive->block : IDE_BUFFER_SIZE;
    ide_drive_schedule(drive, IDE_PACKET_DATA);
}

void atapi_act(struct ide_drive *drive)
{
    switch (drive->action) {
    case IDE_END:
        ide_drive_finish(drive);
        break;
    case IDE_DATA_READY:
        ide_drive_open_port(drive, IDE_PORT_READ, 0, 512);
        ide_drive_raise(drive);
        break;
    case IDE_PACKET_DATA:
        act_packet_data(drive);
        break;
    case IDE_PACKET_DMA:
        act_packet_dma(drive);
        break;
    default:
        break;
    }
}

// PACKET: device 0 of the PIO protocol asks for the packet without an interrupt (identify word 0
// says "within 50 us").
static void command_packet(struct ide_drive *drive)
{
    uint32_t limit = (uint32_t)drive->now.lba_high << 8 | drive->now.lba_mid;

    if (drive->now.feature & 2) { // overlap
        ide_drive_fail(drive, ATA_ERROR_ABRT);
        return;
    }
    drive->packet_dma = (drive->now.feature & 1) != 0;
    drive->packet_left = 0;
    if (limit == 0 || limit == 0xffff)
        limit = 0xfffe;
    drive->byte_limit = limit > 1 ? limit & ~1u : 2;
    drive->now.count = ATAPI_CD;
    ide_drive_open_port(drive, IDE_PORT_PACKET, 0, PACKET_SIZE);
}

static void command_set_features(struct ide_drive *drive)
{
    uint8_t mode = drive->now.count;

    if (drive->now.feature == 0x03 &&
        (mode <= 0x0c || (mode >= 0x20 && mode <= 0x22) || (mode >= 0x40 && mode <= 0x45))) {
        if (mode >= 0x20)
            drive->transfer_mode = mode;
        ide_drive_schedule(drive, IDE_END);
    } else if (drive->now.feature == 0x66 || drive->now.feature == 0xcc) {
        ide_drive_schedule(drive, IDE_END);
    } else {
        ide_drive_fail(drive, ATA_ERROR_ABRT);
    }
}

void atapi_command(struct ide_drive *drive)
{
    switch (drive->command) {
    case 0x08: // DEVICE RESET: no interrupt
        timer_cancel(drive->timer);
        atapi_reset(drive, false);
        ide_drive_signature(drive);
        drive->error = 1;
        drive->status = 0;
        break;
    case 0xa0:
        command_packet(drive);
        break;
    case 0xa1:
        atapi_identify(drive, drive->buffer);
        ide_drive_schedule(drive, IDE_DATA_READY);
        break;
    case 0xef:
        command_set_features(drive);
        break;
    case 0xe0:
    case 0xe1:
    case 0xe6:
        ide_drive_schedule(drive, IDE_END);
        break;
    case 0xe5:
        drive->now.count = 0xff;
        ide_drive_schedule(drive, IDE_END);
        break;
    case 0x20: // READ SECTORS and IDENTIFY DEVICE show what this device is
    case 0xec:
        ide_drive_signature(drive);
        ide_drive_fail(drive, ATA_ERROR_ABRT);
        break;
    default:
        ide_drive_fail(drive, ATA_ERROR_ABRT);
        break;
    }
}
