// SPDX-License-Identifier: MIT
// Answers of the CD-ROM drive that describe drive and medium: one data track, one session. MMC-3,
// SPC-2.
#include "devices/ide_internal.h"

static void put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void put32(uint8_t *p, uint32_t value)
{
    put16(p, value >> 16);
    put16(p + 2, value);
}

uint32_t atapi_inquiry(struct ide_drive *drive, const uint8_t *packet)
{
    uint8_t *data = drive->buffer;

    if ((packet[1] & 3) || packet[2]) // vital product data, command support data
        return 0;
    memset(data, 0, 36);
    data[0] = 0x05; // CD/DVD device
    data[1] = 0x80; // removable
    data[3] = 0x21; // ATAPI-2, response format 1
    data[4] = 31;
    memcpy(data + 8, "EMU     ", 8);
    memcpy(data + 16, "DVD-ROM         ", 16);
    memcpy(data + 32, "1.0 ", 4);
    return 36;
}

static uint32_t page_error_recovery(uint8_t *page)
{
    memset(page, 0, 8);
    page[0] = 0x01;
    page[1] = 6;
    page[3] = 5; // retries
    return 8;
}

static uint32_t page_audio_control(uint8_t *page)
{
    memset(page, 0, 16);
    page[0] = 0x0e;
    page[1] = 14;
    page[2] = 4;
    return 16;
}

static uint32_t page_capabilities(const struct ide_drive *drive, uint8_t *page)
{
    memset(page, 0, 20);
    page[0] = 0x2a;
    page[1] = 18;
    page[2] = 0x3b; // reads CD-R, CD-RW, DVD-ROM, DVD-R, method 2
    page[4] = 0x70; // mode 2 forms, multisession
    page[6] = (uint8_t)(0x29 | (drive->tray_locked ? 2 : 0)); // tray, eject, lock
    put16(page + 8, 706);                                     // 4x
    put16(page + 10, 2);                                      // volume levels
    put16(page + 12, 512);                                    // KiB of buffer
    put16(page + 14, 706);
    return 20;
}

uint32_t atapi_mode_sense(struct ide_drive *drive, const uint8_t *packet)
{
    bool six = packet[0] == 0x1a;
    uint32_t header = six ? 4 : 8, length = header;
    uint8_t *data = drive->buffer;
    uint8_t page = packet[2] & 0x3f;

    if ((packet[2] >> 6) == 3) // saved values: there are none
        return 0;
    if (page != 0x01 && page != 0x0e && page != 0x2a && page != 0x3f)
        return 0;
    memset(data, 0, header);
    if (page == 0x01 || page == 0x3f)
        length += page_error_recovery(data + length);
    if (page == 0x0e || page == 0x3f)
        length += page_audio_control(data + length);
    if (page == 0x2a || page == 0x3f)
        length += page_capabilities(drive, data + length);
    if (six) {
        data[0] = (uint8_t)(length - 1);
        data[1] = atapi_sectors(drive) ? 0x01 : 0x70;
    } else {
        put16(data, length - 2);
        data[2] = atapi_sectors(drive) ? 0x01 : 0x70; // data disc, or no disc
    }
    return length;
}

// An address as the packet wants it: logical, or minutes, seconds and frames after the 2-second
// lead-in.
static void put_address(uint8_t *p, uint32_t lba, bool msf)
{
    if (!msf) {
        put32(p, lba);
        return;
    }
    uint32_t frames = lba + 150;
    p[0] = 0;
    p[1] = (uint8_t)(frames / (75 * 60));
    p[2] = (uint8_t)(frames / 75 % 60);
    p[3] = (uint8_t)(frames % 75);
}

static void put_track(uint8_t *p, uint8_t number, uint32_t lba, bool msf)
{
    p[0] = 0;
    p[1] = 0x14; // data track, copy prohibited off
    p[2] = number;
    p[3] = 0;
    put_address(p + 4, lba, msf);
}

uint32_t atapi_read_toc(struct ide_drive *drive, const uint8_t *packet)
{
    uint8_t *data = drive->buffer;
    bool msf = (packet[1] & 2) != 0;
    uint8_t format = (packet[2] & 0x0f) ? packet[2] & 0x0f : packet[9] >> 6;
    uint8_t start = packet[6];
    uint32_t length = 4;

    if (format > 1 || (format == 0 && start > 1 && start != 0xaa))
        return 0;
    data[2] = 1;
    data[3] = 1;
    if (format == 1) {
        put_track(data + 4, 1, 0, msf);
        length += 8;
    } else {
        if (start <= 1) {
            put_track(data + length, 1, 0, msf);
            length += 8;
        }
        put_track(data + length, 0xaa, atapi_sectors(drive), msf);
        length += 8;
    }
    put16(data, length - 2);
    return length;
}

#define CD_MAX_SECTORS (80u * 60 * 75)
enum { PROFILE_CD_ROM = 0x08, PROFILE_DVD_ROM = 0x10 };

static uint32_t current_profile(const struct ide_drive *drive)
{
    uint32_t sectors = atapi_sectors(drive);

    return sectors == 0 ? 0 : sectors > CD_MAX_SECTORS ? PROFILE_DVD_ROM : PROFILE_CD_ROM;
}

struct feature {
    uint16_t code;
    uint8_t flags, length; // version and persistence; extra bytes
    uint8_t data[8];
};

static const struct feature features[] = {
    {0x0001, 0x07, 8, {0, 0, 0, 2, 1, 0, 0, 0}}, // core: ATAPI, device busy events
    {0x0003, 0x03, 4, {0x29, 0, 0, 0}},          // removable medium: tray, eject, lock
    {0x0010, 0x00, 8, {0, 0, 8, 0, 0, 1, 0, 0}}, // random readable, 2048 bytes
    {0x001e, 0x08, 4, {0, 0, 0, 0}},             // CD read
    {0x001f, 0x08, 4, {0, 0, 0, 0}},             // DVD read
};

static bool feature_wanted(uint32_t code, bool current, uint8_t type, uint32_t start)
{
    if (type == 2)
        return code == start;
    return code >= start && (type == 0 || current);
}

static uint32_t put_profiles(uint8_t *p, uint32_t profile)
{
    put16(p, 0);
    p[2] = 0x03;
    p[3] = 8;
    put16(p + 4, PROFILE_DVD_ROM);
    p[6] = profile == PROFILE_DVD_ROM;
    p[7] = 0;
    put16(p + 8, PROFILE_CD_ROM);
    p[10] = profile == PROFILE_CD_ROM;
    p[11] = 0;
    return 12;
}

uint32_t atapi_get_configuration(struct ide_drive *drive, const uint8_t *packet)
{
    uint8_t *data = drive->buffer;
    uint8_t type = packet[1] & 3;
    uint32_t start = (uint32_t)packet[2] << 8 | packet[3];
    uint32_t profile = current_profile(drive), length = 8;

    if (type == 3)
        return 0;
    memset(data, 0, 8);
    put16(data + 6, profile);
    if (feature_wanted(0, true, type, start))
        length += put_profiles(data + length, profile);
    for (unsigned i = 0; i < ARRAY_SIZE(features); i++) {
        const struct feature *feature = &features[i];
        bool current = feature->code < 0x10 || (feature->code == 0x10 && profile) ||
                       (feature->code == 0x1e && profile == PROFILE_CD_ROM) ||
                       (feature->code == 0x1f && profile == PROFILE_DVD_ROM);
        if (!feature_wanted(feature->code, current, type, start))
            continue;
        put16(data + length, feature->code);
        data[length + 2] = (uint8_t)((feature->flags & 0xfe) | current);
        data[length + 3] = feature->length;
        memcpy(data + length + 4, feature->data, feature->length);
        length += 4u + feature->length;
    }
    put32(data, length - 4);
    return length;
}

uint32_t atapi_event_status(struct ide_drive *drive, const uint8_t *packet)
{
    uint8_t *data = drive->buffer;

    if (!(packet[1] & 1)) // asynchronous operation
        return 0;
    memset(data, 0, 8);
    data[3] = 0x10; // supported: media events
    if (!(packet[4] & 0x10)) {
        put16(data, 2);
        data[2] = 0x80; // no event of these classes
        return 4;
    }
    put16(data, 6);
    data[2] = 4;
    data[4] = drive->media_event;
    data[5] = (uint8_t)((drive->tray_open ? 1 : 0) | (atapi_sectors(drive) ? 2 : 0));
    drive->media_event = 0;
    return 8;
}

uint32_t atapi_disc_information(struct ide_drive *drive, const uint8_t *packet)
{
    uint8_t *data = drive->buffer;

    if (packet[1] & 7)
        return 0;
    memset(data, 0, 34);
    put16(data, 32);
    data[2] = 0x0e; // complete disc, last session complete
    data[3] = data[4] = data[5] = data[6] = 1;
    data[7] = 0x20; // unrestricted use
    return 34;
}

uint32_t atapi_mechanism_status(struct ide_drive *drive, const uint8_t *packet)
{
    uint8_t *data = drive->buffer;

    memset(data, 0, 8);
    data[1] = drive->tray_open ? 0x10 : 0;
    data[5] = 1;
    return 8;
}
