// SPDX-License-Identifier: MIT
// One IDE channel: command and control block registers, device selection, soft reset, the data
// port, INTRQ. ATA/ATAPI-6 (T13 1410D), clauses 7 and 9. A lone device 0 answers zeros for an
// absent device 1, an empty channel for both.
#include "devices/ide_internal.h"

#include <errno.h>
#include <stdlib.h>

static struct ide_drive *channel_selected(struct ide_channel *channel)
{
    return &channel->drives[channel->select & 1];
}

void ide_channel_update_irq(struct ide_channel *channel)
{
    const struct ide_drive *drive = channel_selected(channel);
    bool level = drive->kind != IDE_ABSENT && drive->irq && !(channel->control & ATA_CONTROL_NIEN);

    if (level == channel->irq_level)
        return;
    channel->irq_level = level;
    if (level)
        bm_interrupt(channel);
    irq_set(&channel->irq, level);
}

void ide_drive_raise(struct ide_drive *drive)
{
    drive->irq = true;
    ide_channel_update_irq(drive->channel);
}

void ide_drive_schedule(struct ide_drive *drive, enum ide_action action)
{
    drive->status = ATA_STATUS_BSY | (drive->status & (ATA_STATUS_DRDY | ATA_STATUS_DSC));
    drive->port = IDE_PORT_OFF;
    drive->action = (uint8_t)action;
    // A DMA command waits for the bus master's start bit.
    if ((action == IDE_DMA || action == IDE_PACKET_DMA) && !bm_is_running(drive->channel))
        return;
    timer_arm(drive->timer, clock_now(drive->channel->ide->clock) + IDE_DELAY_NS);
}

void ide_drive_finish(struct ide_drive *drive)
{
    drive->action = IDE_IDLE;
    drive->port = IDE_PORT_OFF;
    drive->error = 0;
    drive->status = ATA_STATUS_DRDY | ATA_STATUS_DSC;
    ide_drive_raise(drive);
}

void ide_drive_fail(struct ide_drive *drive, uint8_t error)
{
    log_write(drive->channel->ide->log, LOG_IDE, "%s: command %02x ends with error %02x\n",
              drive->name, drive->command, error);
    drive->action = IDE_IDLE;
    drive->port = IDE_PORT_OFF;
    drive->error = error;
    drive->status = ATA_STATUS_DRDY | ATA_STATUS_DSC | ATA_STATUS_ERR;
    ide_drive_raise(drive);
}

void ide_drive_open_port(struct ide_drive *drive, enum ide_port port, uint32_t from, uint32_t to)
{
    drive->action = IDE_IDLE;
    drive->port = (uint8_t)port;
    drive->data_position = from;
    drive->data_end = to <= IDE_BUFFER_SIZE ? to : IDE_BUFFER_SIZE;
    drive->status = ATA_STATUS_DRDY | ATA_STATUS_DSC | ATA_STATUS_DRQ;
}

bool ide_drive_host_full(struct ide_drive *drive, int error)
{
    struct piix_ide *ide = drive->channel->ide;

    if (error != ENOSPC || !ide->config.on_host_full)
        return false;
    timer_arm(drive->timer, clock_now(ide->clock) + IDE_RETRY_NS);
    ide->config.on_host_full(ide->config.self, block_image_path(drive->image));
    return true;
}

void ide_drive_signature(struct ide_drive *drive)
{
    bool packet = drive->kind == IDE_CD;

    drive->previous = (struct ide_taskfile){0};
    drive->now = (struct ide_taskfile){
        .count = 1, .lba_low = 1, .lba_mid = packet ? 0x14 : 0, .lba_high = packet ? 0xeb : 0};
    drive->device &= ATA_DEVICE_DEV;
}

static void drive_reset(struct ide_drive *drive, bool hard)
{
    timer_cancel(drive->timer);
    drive->action = IDE_IDLE;
    drive->port = IDE_PORT_OFF;
    drive->irq = false;
    drive->error = 0x01; // diagnostic code: passed
    ide_drive_signature(drive);
    if (drive->kind == IDE_DISK) {
        ata_reset(drive, hard);
        drive->status = ATA_STATUS_DRDY | ATA_STATUS_DSC;
    } else {
        atapi_reset(drive, hard);
        drive->status = 0;
    }
}

void ide_channel_reset(struct ide_channel *channel)
{
    channel->select = 0;
    channel->control = 0;
    channel->bm_command = 0;
    channel->bm_status = 0;
    channel->bm_table = 0;
    for (unsigned i = 0; i < 2; i++)
        drive_reset(&channel->drives[i], true);
    ide_channel_update_irq(channel);
}

static void drive_timer(void *self)
{
    struct ide_drive *drive = self;

    if (drive->kind == IDE_DISK)
        ata_act(drive);
    else if (drive->kind == IDE_CD)
        atapi_act(drive);
}

// EXECUTE DEVICE DIAGNOSTIC addresses both devices, whichever is selected; device 0 answers.
static void channel_diagnostic(struct ide_channel *channel)
{
    for (unsigned i = 0; i < 2; i++) {
        drive_reset(&channel->drives[i], false);
        channel->drives[i].device = 0;
    }
    channel->select = 0;
    ide_channel_update_irq(channel);
    ide_drive_raise(&channel->drives[0]);
}

static void channel_command(struct ide_channel *channel, uint8_t command)
{
    struct ide_drive *drive = channel_selected(channel);

    if (channel->control & ATA_CONTROL_SRST)
        return;
    if (command == 0x90) {
        channel_diagnostic(channel);
        return;
    }
    if (drive->kind == IDE_ABSENT)
        return;
    log_write(channel->ide->log, LOG_IDE,
              "%s: command %02x feature %02x count %02x lba %02x%02x%02x device %02x\n",
              drive->name, command, drive->now.feature, drive->now.count, drive->now.lba_high,
              drive->now.lba_mid, drive->now.lba_low, drive->device);
    drive->irq = false;
    ide_channel_update_irq(channel);
    // While a command runs only DEVICE RESET is taken.
    if ((drive->status & (ATA_STATUS_BSY | ATA_STATUS_DRQ)) && command != 0x08)
        return;
    timer_cancel(drive->timer);
    drive->command = command;
    drive->error = 0;
    drive->status = ATA_STATUS_DRDY | ATA_STATUS_DSC;
    drive->action = IDE_IDLE;
    drive->port = IDE_PORT_OFF;
    if (drive->kind == IDE_DISK)
        ata_command(drive);
    else
        atapi_command(drive);
}

// The data port.

static void port_done(struct ide_drive *drive)
{
    enum ide_port port = drive->port;

    drive->port = IDE_PORT_OFF;
    drive->status &= (uint8_t)~ATA_STATUS_DRQ;
    if (drive->kind == IDE_DISK)
        ata_port_done(drive, port);
    else
        atapi_port_done(drive, port);
}

static uint32_t data_read(struct ide_channel *channel, unsigned size)
{
    struct ide_drive *drive = channel_selected(channel);
    uint32_t value = 0;

    if (drive->kind == IDE_ABSENT || drive->port != IDE_PORT_READ)
        return 0;
    for (unsigned i = 0; i < size && drive->data_position < drive->data_end; i++)
        value |= (uint32_t)drive->buffer[drive->data_position++ % IDE_BUFFER_SIZE] << (8 * i);
    if (drive->data_position >= drive->data_end)
        port_done(drive);
    return value;
}

static void data_write(struct ide_channel *channel, uint32_t value, unsigned size)
{
    struct ide_drive *drive = channel_selected(channel);

    if (drive->kind == IDE_ABSENT ||
        (drive->port != IDE_PORT_WRITE && drive->port != IDE_PORT_PACKET))
        return;
    for (unsigned i = 0; i < size && drive->data_position < drive->data_end; i++)
        drive->buffer[drive->data_position++ % IDE_BUFFER_SIZE] = (uint8_t)(value >> (8 * i));
    if (drive->data_position >= drive->data_end)
        port_done(drive);
}

// Registers.

static uint32_t command_read(struct ide_channel *channel, uint32_t offset)
{
    struct ide_drive *drive = channel_selected(channel);
    const struct ide_taskfile *file =
        channel->control & ATA_CONTROL_HOB ? &drive->previous : &drive->now;

    if (drive->kind == IDE_ABSENT)
        return 0;
    switch (offset) {
    case 1:
        return channel->control & ATA_CONTROL_HOB ? drive->previous.feature : drive->error;
    case 2:
        return file->count;
    case 3:
        return file->lba_low;
    case 4:
        return file->lba_mid;
    case 5:
        return file->lba_high;
    case 6:
        return drive->device | 0xa0u;
    default:
        drive->irq = false;
        ide_channel_update_irq(channel);
        return drive->status;
    }
}

static void taskfile_write(struct ide_drive *drive, uint32_t offset, uint8_t value)
{
    switch (offset) {
    case 1:
        drive->previous.feature = drive->now.feature;
        drive->now.feature = value;
        break;
    case 2:
        drive->previous.count = drive->now.count;
        drive->now.count = value;
        break;
    case 3:
        drive->previous.lba_low = drive->now.lba_low;
        drive->now.lba_low = value;
        break;
    case 4:
        drive->previous.lba_mid = drive->now.lba_mid;
        drive->now.lba_mid = value;
        break;
    case 5:
        drive->previous.lba_high = drive->now.lba_high;
        drive->now.lba_high = value;
        break;
    default:
        drive->device = value & 0x5f;
        break;
    }
}

// Both devices take every register write; only the selected one takes commands and data.
static void command_write(struct ide_channel *channel, uint32_t offset, uint8_t value)
{
    channel->control &= (uint8_t)~ATA_CONTROL_HOB;
    if (offset == 7) {
        channel_command(channel, value);
        return;
    }
    for (unsigned i = 0; i < 2; i++)
        if (!(channel->drives[i].status & ATA_STATUS_BSY))
            taskfile_write(&channel->drives[i], offset, value);
    if (offset == 6) {
        channel->select = (value & ATA_DEVICE_DEV) != 0;
        ide_channel_update_irq(channel);
    }
}

static uint32_t control_read(void *self, uint32_t offset, unsigned size)
{
    struct ide_channel *channel = self;
    const struct ide_drive *drive = channel_selected(channel);

    return drive->kind == IDE_ABSENT ? 0 : drive->status;
}

static void control_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct ide_channel *channel = self;
    uint8_t old = channel->control;

    channel->control = value & (ATA_CONTROL_NIEN | ATA_CONTROL_SRST | ATA_CONTROL_HOB);
    if ((value & ATA_CONTROL_SRST) && !(old & ATA_CONTROL_SRST)) {
        for (unsigned i = 0; i < 2; i++) {
            drive_reset(&channel->drives[i], false);
            channel->drives[i].status = ATA_STATUS_BSY;
        }
    } else if (!(value & ATA_CONTROL_SRST) && (old & ATA_CONTROL_SRST)) {
        channel->select = 0;
        for (unsigned i = 0; i < 2; i++) {
            drive_reset(&channel->drives[i], false);
            channel->drives[i].device = 0;
        }
    }
    ide_channel_update_irq(channel);
}

// The data register takes words and dwords; a wide access elsewhere is one to each register.
static uint32_t block_read(void *self, uint32_t offset, unsigned size)
{
    uint32_t value = 0;

    if (offset == 0)
        return data_read(self, size);
    for (unsigned i = 0; i < size; i++)
        value |= command_read(self, (offset + i) & 7) << (8 * i);
    return value;
}

static void block_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    if (offset == 0) {
        data_write(self, value, size);
        return;
    }
    for (unsigned i = 0; i < size; i++)
        command_write(self, (offset + i) & 7, (uint8_t)(value >> (8 * i)));
}

static const struct port_ops block_ops = {block_read, block_write, 4};
static const struct port_ops control_ops = {control_read, control_write, 1};

void ide_channel_init(struct ide_channel *channel, struct piix_ide *ide, unsigned index)
{
    uint16_t base = index ? 0x170 : 0x1f0;

    channel->ide = ide;
    channel->index = index;
    channel->irq = ide->config.irq[index];
    channel->command_ports = portio_add(ide->ports, "ide", base, 8, &block_ops, channel);
    channel->control_ports =
        portio_add(ide->ports, "ide-control", base + 0x206, 1, &control_ops, channel);
    for (unsigned unit = 0; unit < 2; unit++) {
        struct ide_drive *drive = &channel->drives[unit];
        drive->channel = channel;
        drive->unit = unit;
        drive->timer = timer_create_on(ide->clock, "ide", drive_timer, drive);
        snprintf(drive->name, sizeof drive->name, "ide%u-none%u", index & 1, unit & 1);
    }
}

void ide_channel_fini(struct ide_channel *channel)
{
    port_range_remove(channel->command_ports);
    port_range_remove(channel->control_ports);
    for (unsigned unit = 0; unit < 2; unit++) {
        timer_destroy(channel->drives[unit].timer);
        if (channel->drives[unit].image)
            block_image_close(channel->drives[unit].image);
    }
}
