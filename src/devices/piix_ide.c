// SPDX-License-Identifier: MIT
// The PCI function of the PIIX3's IDE controller: IDETIM enables, BAR4 with the two bus masters,
// the walker of physical region descriptors, and the monitor's view. Intel 290550 section 2.6,
// SFF-8038i revision 1.0. Left out: timing registers are plain storage; the two places of a channel
// are not swapped.
#include "devices/ide_internal.h"

#include <stdlib.h>

#define IDETIM0       0x40u
#define IDETIM_ENABLE 0x80u // bit 15
#define BM_TABLE_SIZE 0x10000u

enum { BM_START = 1, BM_TO_MEMORY = 8 };
enum { BM_ACTIVE = 1, BM_ERROR = 2, BM_INTERRUPT = 4, BM_CAPABLE = 0x60 };

bool bm_is_running(const struct ide_channel *channel)
{
    return (channel->bm_command & BM_START) && (channel->bm_status & BM_ACTIVE) &&
           pci_device_is_master(channel->ide->pci);
}

void bm_interrupt(struct ide_channel *channel)
{
    channel->bm_status |= BM_INTERRUPT;
}

void bm_walk_start(struct prd_walk *walk, struct ide_channel *channel)
{
    *walk = (struct prd_walk){.ide = channel->ide, .table = channel->bm_table & ~3u};
}

// Copies the next descriptor in and checks it. A table lies within 64 KiB, which also bounds the
// walk.
static bool walk_next(struct prd_walk *walk)
{
    uint8_t entry[8];

    if (walk->last || walk->offset >= BM_TABLE_SIZE)
        return false;
    uint32_t address =
        (walk->table & ~(BM_TABLE_SIZE - 1)) | ((walk->table + walk->offset) & (BM_TABLE_SIZE - 1));
    if (!physmem_read(walk->ide->mem, address, entry, sizeof entry)) {
        log_write(walk->ide->log, LOG_GUEST_ERROR, "ide: descriptor at 0x%08x is not in memory\n",
                  address);
        return false;
    }
    walk->offset += sizeof entry;
    walk->address = load_le32(entry) & ~1u;
    walk->left = load_le16(entry + 4) & 0xfffeu;
    if (walk->left == 0)
        walk->left = 0x10000;
    walk->last = (entry[7] & 0x80) != 0;
    return true;
}

uint32_t bm_move(struct prd_walk *walk, uint8_t *buffer, uint32_t length, bool to_memory)
{
    uint32_t done = 0;

    while (done < length) {
        if (walk->left == 0 && !walk_next(walk))
            break;
        uint32_t n = length - done < walk->left ? length - done : walk->left;
        // Bytes without memory behind them read as ones and go nowhere, as on the bus.
        if (to_memory)
            physmem_write(walk->ide->mem, walk->address, buffer + done, n);
        else
            physmem_read(walk->ide->mem, walk->address, buffer + done, n);
        walk->address += n;
        walk->left -= n;
        done += n;
    }
    return done;
}

// SFF-8038i 1.1: the controller stays active when the descriptors describe more than the drive
// transferred.
void bm_end(struct prd_walk *walk, struct ide_channel *channel, bool complete)
{
    if (!complete || (walk->left == 0 && walk->last))
        channel->bm_status &= (uint8_t)~BM_ACTIVE;
}

static void bm_write_command(struct ide_channel *channel, uint8_t value)
{
    bool was = (channel->bm_command & BM_START) != 0;

    channel->bm_command = value & (BM_START | BM_TO_MEMORY);
    if (was == ((value & BM_START) != 0))
        return;
    if (was) {
        channel->bm_status &= (uint8_t)~BM_ACTIVE;
        return;
    }
    channel->bm_status |= BM_ACTIVE;
    for (unsigned i = 0; i < 2; i++) {
        struct ide_drive *drive = &channel->drives[i];
        if (drive->action == IDE_DMA || drive->action == IDE_PACKET_DMA)
            ide_drive_schedule(drive, drive->action);
    }
}

static uint32_t bm_read_byte(const struct ide_channel *channel, uint32_t reg)
{
    switch (reg) {
    case 0:
        return channel->bm_command;
    case 2:
        return channel->bm_status;
    case 4:
    case 5:
    case 6:
    case 7:
        return (channel->bm_table >> (8 * (reg - 4))) & 0xff;
    default:
        return 0;
    }
}

static void bm_write_byte(struct ide_channel *channel, uint32_t reg, uint8_t value)
{
    uint32_t shift = 8 * (reg & 3);

    switch (reg) {
    case 0:
        bm_write_command(channel, value);
        break;
    case 2:
        channel->bm_status = (uint8_t)((channel->bm_status & (BM_ACTIVE | BM_ERROR | BM_INTERRUPT) &
                                        ~(value & (BM_ERROR | BM_INTERRUPT))) |
                                       (value & BM_CAPABLE));
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        channel->bm_table = (channel->bm_table & ~(0xffu << shift)) | (uint32_t)value << shift;
        channel->bm_table &= ~3u;
        break;
    default:
        break;
    }
}

static uint32_t bm_read(void *self, uint32_t offset, unsigned size)
{
    struct piix_ide *ide = self;
    uint32_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= bm_read_byte(&ide->channels[((offset + i) >> 3) & 1], (offset + i) & 7) << (8 * i);
    return value;
}

static void bm_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct piix_ide *ide = self;

    for (unsigned i = 0; i < size; i++)
        bm_write_byte(&ide->channels[((offset + i) >> 3) & 1], (offset + i) & 7,
                      (uint8_t)(value >> (8 * i)));
}

static const struct port_ops bm_ops = {bm_read, bm_write, 4};

// IDETIM bit 15 opens the legacy ports of a channel.
static void ide_update_ports(struct piix_ide *ide)
{
    for (unsigned i = 0; i < 2; i++) {
        bool enabled = (ide->pci->config[IDETIM0 + 2 * i + 1] & IDETIM_ENABLE) != 0;
        port_range_set_enabled(ide->channels[i].command_ports, enabled);
        port_range_set_enabled(ide->channels[i].control_ports, enabled);
    }
}

static void ide_config_written(void *self, uint32_t offset, unsigned size)
{
    struct piix_ide *ide = self;

    if (offset < IDETIM0 + 4 && offset + size > IDETIM0)
        ide_update_ports(ide);
    // A bus master that was switched on late takes up what waits for it.
    for (unsigned c = 0; c < 2 && offset <= PCI_COMMAND; c++) {
        for (unsigned i = 0; i < 2; i++) {
            struct ide_drive *drive = &ide->channels[c].drives[i];
            if ((drive->action == IDE_DMA || drive->action == IDE_PACKET_DMA) &&
                !timer_is_armed(drive->timer))
                ide_drive_schedule(drive, drive->action);
        }
    }
}

// Snapshot.

static const struct state_field taskfile_fields[] = {
    STATE_FIELD(STATE_U8, struct ide_taskfile, feature),
    STATE_FIELD(STATE_U8, struct ide_taskfile, count),
    STATE_FIELD(STATE_U8, struct ide_taskfile, lba_low),
    STATE_FIELD(STATE_U8, struct ide_taskfile, lba_mid),
    STATE_FIELD(STATE_U8, struct ide_taskfile, lba_high),
    STATE_FIELDS_END,
};

static const struct state_field drive_fields[] = {
    STATE_FIELD(STATE_TIMER, struct ide_drive, timer),
    STATE_STRUCTS(struct ide_drive, now, 1, sizeof(struct ide_taskfile), taskfile_fields),
    STATE_STRUCTS(struct ide_drive, previous, 1, sizeof(struct ide_taskfile), taskfile_fields),
    STATE_FIELD(STATE_U8, struct ide_drive, device),
    STATE_FIELD(STATE_U8, struct ide_drive, status),
    STATE_FIELD(STATE_U8, struct ide_drive, error),
    STATE_FIELD(STATE_U8, struct ide_drive, command),
    STATE_FIELD(STATE_BOOL, struct ide_drive, irq),
    STATE_FIELD(STATE_U8, struct ide_drive, action),
    STATE_FIELD(STATE_U8, struct ide_drive, port),
    STATE_FIELD(STATE_U32, struct ide_drive, data_position),
    STATE_FIELD(STATE_U32, struct ide_drive, data_end),
    STATE_BYTES_OF(struct ide_drive, buffer),
    STATE_FIELD(STATE_U16, struct ide_drive, cylinders),
    STATE_FIELD(STATE_U8, struct ide_drive, heads),
    STATE_FIELD(STATE_U8, struct ide_drive, track),
    STATE_FIELD(STATE_U8, struct ide_drive, multiple),
    STATE_FIELD(STATE_U8, struct ide_drive, transfer_mode),
    STATE_FIELD(STATE_BOOL, struct ide_drive, write_cache),
    STATE_FIELD(STATE_BOOL, struct ide_drive, look_ahead),
    STATE_FIELD(STATE_BOOL, struct ide_drive, smart),
    STATE_FIELD(STATE_BOOL, struct ide_drive, standby),
    STATE_FIELD(STATE_BOOL, struct ide_drive, wide),
    STATE_FIELD(STATE_BOOL, struct ide_drive, is_write),
    STATE_FIELD(STATE_U64, struct ide_drive, lba),
    STATE_FIELD(STATE_U32, struct ide_drive, left),
    STATE_FIELD(STATE_U32, struct ide_drive, block),
    STATE_FIELD(STATE_BOOL, struct ide_drive, tray_open),
    STATE_FIELD(STATE_BOOL, struct ide_drive, tray_locked),
    STATE_FIELD(STATE_BOOL, struct ide_drive, packet_dma),
    STATE_FIELD(STATE_BOOL, struct ide_drive, media_changed),
    STATE_FIELD(STATE_U8, struct ide_drive, media_event),
    STATE_FIELD(STATE_U8, struct ide_drive, sense_key),
    STATE_FIELD(STATE_U8, struct ide_drive, asc),
    STATE_FIELD(STATE_U8, struct ide_drive, ascq),
    STATE_FIELD(STATE_U32, struct ide_drive, byte_limit),
    STATE_FIELD(STATE_U32, struct ide_drive, packet_lba),
    STATE_FIELD(STATE_U32, struct ide_drive, packet_left),
    STATE_FIELDS_END,
};

static const struct state_field channel_fields[] = {
    STATE_FIELD(STATE_U8, struct ide_channel, select),
    STATE_FIELD(STATE_U8, struct ide_channel, control),
    STATE_FIELD(STATE_BOOL, struct ide_channel, irq_level),
    STATE_FIELD(STATE_U8, struct ide_channel, bm_command),
    STATE_FIELD(STATE_U8, struct ide_channel, bm_status),
    STATE_FIELD(STATE_U32, struct ide_channel, bm_table),
    STATE_STRUCTS(struct ide_channel, drives, 2, sizeof(struct ide_drive), drive_fields),
    STATE_FIELDS_END,
};

static const struct state_field ide_fields[] = {
    STATE_STRUCTS(struct piix_ide, channels, 2, sizeof(struct ide_channel), channel_fields),
    STATE_FIELDS_END,
};

// A snapshot is untrusted: whatever could index, divide or run away is brought back into its range.
static bool drive_check(struct ide_drive *drive, struct error *err)
{
    bool good = drive->action < IDE_ACTIONS && drive->port <= IDE_PORT_PACKET &&
                drive->data_position <= drive->data_end && drive->data_end <= IDE_BUFFER_SIZE;

    if (good && drive->kind == IDE_DISK)
        good = drive->track && drive->heads && drive->heads <= 16 && drive->multiple <= 16 &&
               (drive->action < IDE_READ_BLOCK || drive->action == IDE_FLUSH ||
                (drive->block <= 16 && drive->lba < drive->sectors && drive->left > 0 &&
                 drive->left <= drive->sectors - drive->lba &&
                 (drive->block || drive->action == IDE_DMA)));
    if (good && drive->kind == IDE_CD)
        good = drive->byte_limit <= 0xfffe &&
               (drive->action != IDE_PACKET_DATA || drive->byte_limit >= 2);
    return good || error_set(err, "snapshot: %s: state out of range", drive->name);
}

static bool ide_after_load(void *object, struct error *err)
{
    struct piix_ide *ide = object;

    for (unsigned i = 0; i < 4; i++) {
        ide->channels[i / 2].select &= 1;
        if (!drive_check(&ide->channels[i / 2].drives[i % 2], err))
            return false;
    }
    ide_update_ports(ide);
    return true;
}

// Life.

struct piix_ide *piix_ide_create(struct pci_bus *bus, struct portio *ports, struct clock *clock,
                                 const struct piix_ide_config *config)
{
    struct piix_ide *ide = xcalloc(1, sizeof *ide);

    ide->bus = bus;
    ide->ports = ports;
    ide->mem = pci_bus_memory(bus);
    ide->clock = clock;
    ide->log = pci_bus_log(bus);
    ide->registry = pci_bus_registry(bus);
    ide->config = *config;
    ide->pci =
        pci_device_create(bus, &(struct pci_device_info){.name = "piix3-ide",
                                                         .devfn = PCI_DEVFN(1, 1),
                                                         .vendor = 0x8086,
                                                         .device = 0x7010,
                                                         .subsystem_vendor = 0x1af4,
                                                         .subsystem = 0x1100,
                                                         .class_code = 0x010180,
                                                         .config_written = ide_config_written,
                                                         .self = ide});
    pci_device_define(ide->pci, PCI_STATUS, 2, 0x0280, 0);
    pci_device_define(ide->pci, IDETIM0, 4, 0, 0xf3fff3ff);
    pci_device_add_io(ide->pci, 4, 16, &bm_ops, ide);
    for (unsigned i = 0; i < 2; i++)
        ide_channel_init(&ide->channels[i], ide, i);
    state_register(ide->registry, &(struct state_section){.name = "piix3-ide",
                                                          .version = 1,
                                                          .fields = ide_fields,
                                                          .object = ide,
                                                          .after_load = ide_after_load});
    piix_ide_reset(ide);
    return ide;
}

void piix_ide_destroy(struct piix_ide *ide)
{
    if (!ide)
        return;
    state_unregister(ide->registry, ide);
    for (unsigned i = 0; i < 2; i++)
        ide_channel_fini(&ide->channels[i]);
    pci_device_destroy(ide->pci);
    free(ide);
}

void piix_ide_reset(struct piix_ide *ide)
{
    pci_device_reset(ide->pci);
    for (unsigned i = 0; i < 2; i++)
        ide_channel_reset(&ide->channels[i]);
    ide_update_ports(ide);
}

static struct ide_drive *ide_drive_at(struct piix_ide *ide, unsigned index)
{
    return &ide->channels[(index >> 1) & 1].drives[index & 1];
}

void piix_ide_attach_disk(struct piix_ide *ide, unsigned index, struct block_image *image)
{
    struct ide_drive *drive = ide_drive_at(ide, index);
    uint64_t cylinders;

    drive->kind = IDE_DISK;
    drive->image = image;
    drive->sectors = block_image_sectors(image);
    cylinders = drive->sectors / (16 * 63);
    drive->default_cylinders = cylinders > 16383 ? 16383 : cylinders < 1 ? 1 : (uint16_t)cylinders;
    drive->default_heads = 16;
    drive->default_track = 63;
    snprintf(drive->name, sizeof drive->name, "ide%u-hd%u", (index >> 1) & 1, index & 1);
    snprintf(drive->serial, sizeof drive->serial, "EM%05u", (index & 3) + 1);
    ide_channel_reset(drive->channel);
}

void piix_ide_attach_cd(struct piix_ide *ide, unsigned index, struct block_image *image)
{
    struct ide_drive *drive = ide_drive_at(ide, index);

    drive->kind = IDE_CD;
    drive->image = image;
    snprintf(drive->name, sizeof drive->name, "ide%u-cd%u", (index >> 1) & 1, index & 1);
    snprintf(drive->serial, sizeof drive->serial, "EM%05u", (index & 3) + 1);
    ide_channel_reset(drive->channel);
}

uint64_t piix_ide_disk_sectors(const struct piix_ide *ide, unsigned index)
{
    const struct ide_drive *drive = &ide->channels[(index >> 1) & 1].drives[index & 1];

    return drive->kind == IDE_DISK ? drive->sectors : 0;
}

static struct ide_drive *find_cd(struct piix_ide *ide, const char *name, struct error *err)
{
    for (unsigned i = 0; i < 4; i++) {
        struct ide_drive *drive = ide_drive_at(ide, i);
        if (drive->kind == IDE_ABSENT || strcmp(drive->name, name) != 0)
            continue;
        if (drive->kind == IDE_CD)
            return drive;
        error_set(err, "device '%s' is not removable", name);
        return NULL;
    }
    error_set(err, "device '%s' not found; `info block` lists the devices", name);
    return NULL;
}

bool piix_ide_eject(struct piix_ide *ide, const char *name, bool force, struct error *err)
{
    struct ide_drive *drive = find_cd(ide, name, err);

    if (!drive)
        return false;
    if (drive->tray_locked && !force)
        return error_set(err, "device '%s' is locked by the guest; `eject -f %s` forces it", name,
                         name);
    atapi_set_medium(drive, NULL);
    drive->tray_open = true;
    return true;
}

bool piix_ide_change(struct piix_ide *ide, const char *name, const char *path, struct error *err)
{
    struct ide_drive *drive = find_cd(ide, name, err);
    struct block_image_options options = {.read_only = true};

    if (!drive)
        return false;
    struct block_image *image = block_image_open(path, &options, err);
    if (!image)
        return false;
    atapi_set_medium(drive, image);
    return true;
}

void piix_ide_describe(const struct piix_ide *ide, FILE *out)
{
    for (unsigned i = 0; i < 4; i++) {
        const struct ide_drive *drive = &ide->channels[i / 2].drives[i % 2];
        if (drive->kind == IDE_ABSENT)
            continue;
        if (!drive->image)
            fprintf(out, "%s: [not inserted]\n", drive->name);
        else
            fprintf(out, "%s: %s (raw%s%s), %llu sectors\n", drive->name,
                    block_image_path(drive->image),
                    block_image_is_read_only(drive->image) ? ", read-only" : "",
                    block_image_is_snapshot(drive->image) ? ", snapshot" : "",
                    (unsigned long long)block_image_sectors(drive->image));
        if (drive->kind == IDE_CD)
            fprintf(out, "    Removable device: %slocked, tray %s\n",
                    drive->tray_locked ? "" : "not ", drive->tray_open ? "open" : "closed");
    }
}
