// SPDX-License-Identifier: MIT
// What the files of the IDE controller share.
#ifndef EMU_DEVICES_IDE_INTERNAL_H
#define EMU_DEVICES_IDE_INTERNAL_H

#include "devices/ide.h"

enum {
    ATA_STATUS_ERR = 0x01,
    ATA_STATUS_DRQ = 0x08,
    ATA_STATUS_DSC = 0x10,
    ATA_STATUS_DF = 0x20,
    ATA_STATUS_DRDY = 0x40,
    ATA_STATUS_BSY = 0x80
};
enum { ATA_ERROR_ABRT = 0x04, ATA_ERROR_IDNF = 0x10, ATA_ERROR_UNC = 0x40 };
enum { ATA_DEVICE_DEV = 0x10, ATA_DEVICE_LBA = 0x40 };
enum { ATA_CONTROL_NIEN = 0x02, ATA_CONTROL_SRST = 0x04, ATA_CONTROL_HOB = 0x80 };

#define IDE_BUFFER_SIZE 65536u
#define IDE_DELAY_NS    20000 // from a command to its data or end
#define IDE_RETRY_NS    1000000
#define CD_SECTOR_SIZE  2048u

enum ide_kind { IDE_ABSENT, IDE_DISK, IDE_CD };

// What the drive does when its timer fires.
enum ide_action {
    IDE_IDLE,
    IDE_END,         // report success
    IDE_DATA_READY,  // the buffer holds an answer
    IDE_READ_BLOCK,  // fetch the next DRQ block
    IDE_WRITE_BLOCK, // store the block that the host delivered
    IDE_FLUSH,
    IDE_DMA,         // the whole command, when the bus master runs
    IDE_PACKET_DATA, // next DRQ block of a packet command
    IDE_PACKET_DMA,
    IDE_ACTIONS
};

// What the host does at the data port.
enum ide_port { IDE_PORT_OFF, IDE_PORT_READ, IDE_PORT_WRITE, IDE_PORT_PACKET };

struct ide_taskfile {
    uint8_t feature, count, lba_low, lba_mid, lba_high;
};

struct ide_drive {
    struct ide_channel *channel;
    unsigned unit;
    uint8_t kind; // enum ide_kind
    char name[20];
    char serial[21];
    struct block_image *image; // CD-ROM: NULL is an empty drive
    struct timer *timer;

    struct ide_taskfile now, previous; // previous: the high-order bytes of 48-bit commands
    uint8_t device, status, error, command;
    bool irq;

    uint8_t action;                   // enum ide_action
    uint8_t port;                     // enum ide_port
    uint32_t data_position, data_end; // in buffer
    uint8_t buffer[IDE_BUFFER_SIZE];

    // Disks.
    uint64_t sectors;
    uint16_t default_cylinders, cylinders;
    uint8_t default_heads, heads, default_track, track; // track: sectors a track
    uint8_t multiple;                                   // 0: READ/WRITE MULTIPLE disabled
    uint8_t transfer_mode;                              // as given to SET FEATURES 03h
    bool write_cache, look_ahead, smart, standby;
    bool wide;     // the running command is a 48-bit one
    bool is_write; // direction of the running DMA command
    uint64_t lba;
    uint32_t left;  // sectors still to do
    uint32_t block; // sectors a DRQ block

    // CD-ROM.
    bool tray_open, tray_locked, packet_dma;
    bool media_changed;  // unit attention is due
    uint8_t media_event; // for GET EVENT STATUS NOTIFICATION: 0 none, 2 new media, 3 removal
    uint8_t sense_key, asc, ascq;
    uint32_t byte_limit;
    uint32_t packet_lba, packet_left; // sectors that are not yet in the buffer
};

struct ide_channel {
    struct piix_ide *ide;
    unsigned index;
    struct ide_drive drives[2];
    uint8_t select; // 0 or 1
    uint8_t control;
    bool irq_level;
    // Bus master, SFF-8038i.
    uint8_t bm_command, bm_status;
    uint32_t bm_table;
    struct port_range *command_ports;
    struct port_range *control_ports;
    struct irq_line irq;
};

struct piix_ide {
    struct pci_device *pci;
    struct pci_bus *bus;
    struct portio *ports;
    struct physmem *mem;
    struct clock *clock;
    struct log *log;
    struct state_registry *registry;
    struct piix_ide_config config;
    struct ide_channel channels[2];
};

// ide_channel.c
void ide_channel_init(struct ide_channel *channel, struct piix_ide *ide, unsigned index);
void ide_channel_fini(struct ide_channel *channel);
void ide_channel_reset(struct ide_channel *channel); // hardware reset
void ide_channel_update_irq(struct ide_channel *channel);
void ide_drive_schedule(struct ide_drive *drive, enum ide_action action); // BSY, then the action
void ide_drive_signature(struct ide_drive *drive);
void ide_drive_finish(struct ide_drive *drive); // success, with interrupt
void ide_drive_fail(struct ide_drive *drive, uint8_t error);
void ide_drive_raise(struct ide_drive *drive);
// Opens the data port on buffer[from..to) with DRQ.
void ide_drive_open_port(struct ide_drive *drive, enum ide_port port, uint32_t from, uint32_t to);
// Writes found the host full: true when the command has to wait and be tried again.
bool ide_drive_host_full(struct ide_drive *drive, int error);

// ata.c
void ata_command(struct ide_drive *drive);
void ata_port_done(struct ide_drive *drive,
                   enum ide_port port); // the host emptied or filled the DRQ block
void ata_act(struct ide_drive *drive);  // the timer fired
void ata_reset(struct ide_drive *drive, bool hard);

// ata_identify.c
void ata_identify(const struct ide_drive *drive, uint8_t data[512]);
void atapi_identify(const struct ide_drive *drive, uint8_t data[512]);
void ata_smart(struct ide_drive *drive);

// atapi.c
void atapi_command(struct ide_drive *drive); // ATA commands a packet device answers
void atapi_port_done(struct ide_drive *drive, enum ide_port port);
void atapi_act(struct ide_drive *drive);
void atapi_reset(struct ide_drive *drive, bool hard);
void atapi_set_medium(struct ide_drive *drive, struct block_image *image); // closes the old one
uint32_t atapi_sectors(const struct ide_drive *drive);                     // 0 without a medium

// atapi_info.c: each fills buffer and returns the length of the whole answer, 0: invalid field in
// the packet.
uint32_t atapi_inquiry(struct ide_drive *drive, const uint8_t *packet);
uint32_t atapi_mode_sense(struct ide_drive *drive, const uint8_t *packet);
uint32_t atapi_read_toc(struct ide_drive *drive, const uint8_t *packet);
uint32_t atapi_get_configuration(struct ide_drive *drive, const uint8_t *packet);
uint32_t atapi_event_status(struct ide_drive *drive, const uint8_t *packet);
uint32_t atapi_disc_information(struct ide_drive *drive, const uint8_t *packet);
uint32_t atapi_mechanism_status(struct ide_drive *drive, const uint8_t *packet);

// piix_ide.c: bus master.
struct prd_walk {
    struct piix_ide *ide;
    uint32_t table, offset; // of the next descriptor
    uint32_t address, left; // of the current segment
    bool last;
};

bool bm_is_running(const struct ide_channel *channel);
void bm_walk_start(struct prd_walk *walk, struct ide_channel *channel);
// Moves length bytes between buffer and the segments; returns how many found a segment.
uint32_t bm_move(struct prd_walk *walk, uint8_t *buffer, uint32_t length, bool to_memory);
// The drive is done: ends the transfer; `complete` when the descriptors took every byte.
void bm_end(struct prd_walk *walk, struct ide_channel *channel, bool complete);
// A rising INTRQ.
void bm_interrupt(struct ide_channel *channel);

#endif
