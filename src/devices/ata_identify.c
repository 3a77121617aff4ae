// SPDX-License-Identifier: MIT
// What drives say about themselves: IDENTIFY DEVICE, IDENTIFY PACKET DEVICE (ATA/ATAPI-6, 8.15
// and 8.16) and a healthy SMART.
#include "devices/ide_internal.h"

#define FIRMWARE "1.0"

static void put(uint8_t *data, unsigned word, uint16_t value)
{
    store_le16(data + 2 * word, value);
}

// ATA strings: padded with spaces, the first character in the high byte of each word.
static void put_string(uint8_t *data, unsigned word, unsigned words, const char *text)
{
    size_t length = strlen(text);

    for (unsigned i = 0; i < 2 * words; i++)
        data[2 * word + (i ^ 1)] = i < length ? (uint8_t)text[i] : ' ';
}

// The mode that SET FEATURES chose is marked in the high byte of word 63 (multiword DMA) or 88
// (Ultra DMA).
static void put_modes(const struct ide_drive *drive, uint8_t *data)
{
    uint8_t mode = drive->transfer_mode;
    uint16_t selected = (uint16_t)(0x100u << (mode & 7));

    put(data, 53, 7); // words 54-58, 64-70 and 88 are valid
    put(data, 63, 0x0007 | ((mode & 0xf8) == 0x20 ? selected : 0));
    put(data, 64, 3); // PIO 3 and 4
    for (unsigned i = 65; i <= 68; i++)
        put(data, i, 120); // cycle times, ns
    put(data, 88, 0x003f | ((mode & 0xf8) == 0x40 ? selected : 0));
    put(data, 93, drive->unit ? 0x6b00 : 0x600b); // 80-wire cable, device number by jumper
    put(data, 80, 0x7e);                          // ATA-1 to ATA/ATAPI-6
    put(data, 81, 0x19);
}

void ata_identify(const struct ide_drive *drive, uint8_t data[512])
{
    uint32_t chs = (uint32_t)drive->cylinders * drive->heads * drive->track;
    uint32_t small = drive->sectors < 0x0fffffff ? (uint32_t)drive->sectors : 0x0fffffff;

    memset(data, 0, 512);
    put(data, 0, 0x0040); // fixed device
    put(data, 1, drive->default_cylinders);
    put(data, 3, drive->default_heads);
    put(data, 6, drive->default_track);
    put_string(data, 10, 10, drive->serial);
    put(data, 20, 3);
    put(data, 21, 512);
    put_string(data, 23, 4, FIRMWARE);
    put_string(data, 27, 20, "EMU HARDDISK");
    put(data, 47, 0x8010);
    put(data, 48, 1); // dword I/O on the data port
    put(data, 49, 0x0f00);
    put(data, 50, 0x4000);
    put(data, 51, 0x0200);
    put(data, 54, drive->cylinders);
    put(data, 55, drive->heads);
    put(data, 56, drive->track);
    put(data, 57, (uint16_t)chs);
    put(data, 58, (uint16_t)(chs >> 16));
    put(data, 59, drive->multiple ? 0x100 | drive->multiple : 0);
    put(data, 60, (uint16_t)small);
    put(data, 61, (uint16_t)(small >> 16));
    put_modes(drive, data);
    put(data, 82, 0x0069); // look-ahead, write cache, power management, SMART
    put(data, 83, 0x7400); // FLUSH CACHE (EXT), 48-bit addresses
    put(data, 84, 0x4000);
    put(data, 85,
        0x0008 | (drive->smart ? 1 : 0) | (drive->write_cache ? 0x20 : 0) |
            (drive->look_ahead ? 0x40 : 0));
    put(data, 86, 0x3400);
    put(data, 87, 0x4000);
    for (unsigned i = 0; i < 4; i++)
        put(data, 100 + i, (uint16_t)(drive->sectors >> (16 * i)));
}

void atapi_identify(const struct ide_drive *drive, uint8_t data[512])
{
    memset(data, 0, 512);
    put(data, 0, 0x85c0); // packet device, CD-ROM, removable, DRQ within 50 us, 12-byte packets
    put_string(data, 10, 10, drive->serial);
    put_string(data, 23, 4, FIRMWARE);
    put_string(data, 27, 20, "EMU DVD-ROM");
    put(data, 49, 0x0f00);
    put(data, 50, 0x4000);
    put(data, 51, 0x0200);
    put_modes(drive, data);
    put(data, 82, 0x0210); // PACKET, DEVICE RESET
    put(data, 83, 0x4000);
    put(data, 84, 0x4000);
    put(data, 85, 0x0210);
    put(data, 87, 0x4000);
}

// SMART: four attributes that never get worse; enough for tools to call the disk healthy.
struct smart_attribute {
    uint8_t id, flags, value, worst, threshold;
    uint32_t raw;
};

static const struct smart_attribute smart_table[] = {
    {0x01, 0x03, 100, 100, 6, 0},  // raw read error rate
    {0x05, 0x03, 100, 100, 36, 0}, // reallocated sectors
    {0x09, 0x03, 100, 100, 0, 1},  // power-on hours
    {0xc2, 0x02, 69, 50, 0, 31},   // temperature
};

static void smart_checksum(uint8_t *data)
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < 511; i++)
        sum += data[i];
    data[511] = (uint8_t)-sum;
}

static void smart_data(uint8_t *data, bool thresholds)
{
    memset(data, 0, 512);
    data[0] = 1;
    for (unsigned i = 0; i < ARRAY_SIZE(smart_table); i++) {
        const struct smart_attribute *attribute = &smart_table[i];
        uint8_t *entry = data + 2 + 12 * i;
        entry[0] = attribute->id;
        if (thresholds) {
            entry[1] = attribute->threshold;
            continue;
        }
        entry[1] = attribute->flags;
        entry[3] = attribute->value;
        entry[4] = attribute->worst;
        store_le32(entry + 5, attribute->raw);
    }
    if (!thresholds)
        data[368] = 3; // attribute saving
    smart_checksum(data);
}

void ata_smart(struct ide_drive *drive)
{
    uint8_t feature = drive->now.feature;

    if (drive->now.lba_mid != 0x4f || drive->now.lba_high != 0xc2 ||
        (!drive->smart && feature != 0xd8)) {
        ide_drive_fail(drive, ATA_ERROR_ABRT);
        return;
    }
    switch (feature) {
    case 0xd0: // READ DATA
    case 0xd1: // READ THRESHOLDS
        smart_data(drive->buffer, feature == 0xd1);
        ide_drive_schedule(drive, IDE_DATA_READY);
        return;
    case 0xd2: // ATTRIBUTE AUTOSAVE
    case 0xda: // RETURN STATUS: the key bytes unchanged mean "no threshold exceeded"
        break;
    case 0xd8:
    case 0xd9:
        drive->smart = feature == 0xd8;
        break;
    default:
        ide_drive_fail(drive, ATA_ERROR_ABRT);
        return;
    }
    ide_drive_schedule(drive, IDE_END);
}
