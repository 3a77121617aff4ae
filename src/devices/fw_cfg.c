// SPDX-License-Identifier: MIT
// fw_cfg: items by 16-bit key, read byte by byte through the data port or in one DMA operation. The
// selected item reads as zeros past its end, as does an unknown one. Left out: guest writes (a
// write DMA answers with the error bit).
#include "devices/fw_cfg.h"

#include <stdlib.h>

#define FW_CFG_PORT     0x510u
#define FW_CFG_DMA_PORT 0x514u
#define FILE_NAME_SIZE  56u
#define FILE_LIMIT      64u
#define DMA_CHUNK       4096u

enum { DMA_ERROR = 1, DMA_READ = 2, DMA_SKIP = 4, DMA_SELECT = 8, DMA_WRITE = 16 };
enum { ID_TRADITIONAL = 1, ID_DMA = 2 };

struct fw_item {
    uint16_t key;
    uint32_t size;
    uint8_t *data;
};

struct fw_file {
    char name[FILE_NAME_SIZE];
    uint16_t key;
    uint32_t size;
};

struct fw_cfg {
    struct physmem *mem;
    struct log *log;
    struct state_registry *registry;
    struct port_range *range;
    struct port_range *dma_range;
    struct fw_item *items;
    unsigned item_count;
    struct fw_file files[FILE_LIMIT]; // sorted by name
    unsigned file_count;
    uint16_t selected;
    uint32_t position;
    uint32_t dma_high; // first half of the DMA address
};

static struct fw_item *cfg_find(struct fw_cfg *cfg, uint16_t key)
{
    for (unsigned i = 0; i < cfg->item_count; i++)
        if (cfg->items[i].key == key)
            return &cfg->items[i];
    return NULL;
}

// Copies from the selected item and moves on; zeros past its end.
static void cfg_take(struct fw_cfg *cfg, uint8_t *out, uint32_t length)
{
    const struct fw_item *item = cfg_find(cfg, cfg->selected);
    uint32_t have = item && cfg->position < item->size ? item->size - cfg->position : 0;
    uint32_t n = have < length ? have : length;

    if (n)
        memcpy(out, item->data + cfg->position, n);
    memset(out + n, 0, length - n);
    cfg->position += n;
}

static uint32_t cfg_read(void *self, uint32_t offset, unsigned size)
{
    uint8_t bytes[4] = {0};

    if (offset == 0 && size == 1)
        return 0; // the selector is write-only
    cfg_take(self, bytes, offset == 1 ? size : 0);
    return load_le32(bytes);
}

static void cfg_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct fw_cfg *cfg = self;

    if (offset != 0 || size != 2)
        return;
    cfg->selected = (uint16_t)value & 0xbfffu; // bit 14 chose the write channel of old
    cfg->position = 0;
}

#define FIRMWARE_END 0x100000u

static uint32_t bswap32(uint32_t value)
{
    return __builtin_bswap32(value);
}

// Delivers `length` bytes of the item. Bounded: beyond the item, zeros go out until the end of
// memory at most.
static bool cfg_dma_copy(struct fw_cfg *cfg, uint64_t address, uint32_t length)
{
    uint8_t chunk[DMA_CHUNK];

    while (length > 0) {
        uint32_t n = length < sizeof chunk ? length : (uint32_t)sizeof chunk;
        cfg_take(cfg, chunk, n);
        // Below 1 MiB lies write-protected firmware: there the bus drops writes without a word.
        if (!physmem_write(cfg->mem, address, chunk, n) && address >= FIRMWARE_END)
            return false;
        address += n;
        length -= n;
    }
    return true;
}

static void cfg_dma_run(struct fw_cfg *cfg, uint64_t address)
{
    uint8_t request[16];
    uint32_t control, length, result = 0;
    uint64_t target;

    if (!physmem_read(cfg->mem, address, request, sizeof request)) {
        log_write(cfg->log, LOG_GUEST_ERROR, "fw_cfg: DMA request at 0x%llx is not in memory\n",
                  (unsigned long long)address);
        return;
    }
    control = bswap32(load_le32(request));
    length = bswap32(load_le32(request + 4));
    target = (uint64_t)bswap32(load_le32(request + 8)) << 32 | bswap32(load_le32(request + 12));
    if (control & DMA_SELECT) {
        cfg->selected = (uint16_t)(control >> 16) & 0xbfffu;
        cfg->position = 0;
    }
    if (control & DMA_READ) {
        if (!cfg_dma_copy(cfg, target, length))
            result = DMA_ERROR;
    } else if (control & DMA_WRITE) {
        result = DMA_ERROR;
    } else if (control & DMA_SKIP) {
        const struct fw_item *item = cfg_find(cfg, cfg->selected);
        uint32_t left = item && cfg->position < item->size ? item->size - cfg->position : 0;
        cfg->position += length < left ? length : left;
    }
    store_le32(request, bswap32(result));
    physmem_write(cfg->mem, address, request, 4);
}

static uint32_t cfg_dma_port_read(void *self, uint32_t offset, unsigned size)
{
    static const uint8_t signature[8] = {'Q', 'E', 'M', 'U', ' ', 'C', 'F', 'G'};
    uint32_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)signature[(offset + i) & 7] << (8 * i);
    return value;
}

static void cfg_dma_port_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct fw_cfg *cfg = self;

    if (size != 4)
        return;
    if (offset == 0) {
        cfg->dma_high = bswap32(value);
    } else if (offset == 4) {
        uint64_t address = (uint64_t)cfg->dma_high << 32 | bswap32(value);
        cfg->dma_high = 0;
        cfg_dma_run(cfg, address);
    }
}

static const struct port_ops cfg_ops = {cfg_read, cfg_write, 2};
static const struct port_ops cfg_dma_ops = {cfg_dma_port_read, cfg_dma_port_write, 4};

static const struct state_field cfg_fields[] = {
    STATE_FIELD(STATE_U16, struct fw_cfg, selected),
    STATE_FIELD(STATE_U32, struct fw_cfg, position),
    STATE_FIELD(STATE_U32, struct fw_cfg, dma_high),
    STATE_FIELDS_END,
};

void fw_cfg_reset(struct fw_cfg *cfg)
{
    cfg->selected = 0;
    cfg->position = 0;
    cfg->dma_high = 0;
}

struct fw_cfg *fw_cfg_create(struct portio *ports, struct physmem *mem, struct log *log,
                             struct state_registry *registry)
{
    struct fw_cfg *cfg = xcalloc(1, sizeof *cfg);

    cfg->mem = mem;
    cfg->log = log;
    cfg->registry = registry;
    cfg->range = portio_add(ports, "fw-cfg", FW_CFG_PORT, 2, &cfg_ops, cfg);
    cfg->dma_range = portio_add(ports, "fw-cfg-dma", FW_CFG_DMA_PORT, 8, &cfg_dma_ops, cfg);
    state_register(registry,
                   &(struct state_section){
                       .name = "fw_cfg", .version = 1, .fields = cfg_fields, .object = cfg});
    fw_cfg_set_bytes(cfg, FW_CFG_SIGNATURE, "QEMU", 4);
    fw_cfg_set_u32(cfg, FW_CFG_ID, ID_TRADITIONAL | ID_DMA);
    fw_cfg_set_u32(cfg, FW_CFG_FILE_DIR, 0);
    return cfg;
}

void fw_cfg_destroy(struct fw_cfg *cfg)
{
    if (!cfg)
        return;
    state_unregister(cfg->registry, cfg);
    port_range_remove(cfg->range);
    port_range_remove(cfg->dma_range);
    for (unsigned i = 0; i < cfg->item_count; i++)
        free(cfg->items[i].data);
    free(cfg->items);
    free(cfg);
}

// Items.

void fw_cfg_set_bytes(struct fw_cfg *cfg, uint16_t key, const void *data, uint32_t size)
{
    struct fw_item *item = cfg_find(cfg, key);

    if (!item) {
        cfg->items = xrealloc(cfg->items, (cfg->item_count + 1) * sizeof *cfg->items);
        item = &cfg->items[cfg->item_count++];
        *item = (struct fw_item){.key = key};
    }
    uint8_t *copy = xcalloc(size ? size : 1, 1);
    if (size)
        memcpy(copy, data, size);
    free(item->data);
    item->data = copy;
    item->size = size;
}

void fw_cfg_set_u16(struct fw_cfg *cfg, uint16_t key, uint16_t value)
{
    fw_cfg_set_bytes(cfg, key, &value, sizeof value);
}

void fw_cfg_set_u32(struct fw_cfg *cfg, uint16_t key, uint32_t value)
{
    fw_cfg_set_bytes(cfg, key, &value, sizeof value);
}

void fw_cfg_set_u64(struct fw_cfg *cfg, uint16_t key, uint64_t value)
{
    fw_cfg_set_bytes(cfg, key, &value, sizeof value);
}

// The directory: big-endian count, then size, key, reserved and name of each file.
static void cfg_write_directory(struct fw_cfg *cfg)
{
    uint8_t directory[4 + FILE_LIMIT * 64] = {0};

    store_le32(directory, bswap32(cfg->file_count));
    for (unsigned i = 0; i < cfg->file_count; i++) {
        uint8_t *entry = directory + 4 + 64 * i;
        store_le32(entry, bswap32(cfg->files[i].size));
        store_le16(entry + 4, __builtin_bswap16(cfg->files[i].key));
        memcpy(entry + 8, cfg->files[i].name, FILE_NAME_SIZE);
    }
    fw_cfg_set_bytes(cfg, FW_CFG_FILE_DIR, directory, 4 + 64 * cfg->file_count);
}

bool fw_cfg_add_file(struct fw_cfg *cfg, const char *name, const void *data, uint32_t size,
                     struct error *err)
{
    unsigned at = 0;

    if (!*name || strlen(name) >= FILE_NAME_SIZE)
        return error_set(err, "fw_cfg file \"%s\": a name has 1 to %u characters", name,
                         FILE_NAME_SIZE - 1);
    while (at < cfg->file_count && strcmp(cfg->files[at].name, name) < 0)
        at++;
    struct fw_file *file = &cfg->files[at];
    if (at == cfg->file_count || strcmp(file->name, name) != 0) {
        if (cfg->file_count == FILE_LIMIT)
            return error_set(err, "fw_cfg file \"%s\": the directory holds at most %u files", name,
                             FILE_LIMIT);
        memmove(file + 1, file, (cfg->file_count - at) * sizeof *file);
        *file = (struct fw_file){.key = (uint16_t)(FW_CFG_FILE_FIRST + cfg->file_count)};
        memcpy(file->name, name, strlen(name));
        cfg->file_count++;
    }
    file->size = size;
    fw_cfg_set_bytes(cfg, file->key, data, size);
    cfg_write_directory(cfg);
    return true;
}

void fw_cfg_set_machine(struct fw_cfg *cfg, uint32_t ram_size, bool graphics)
{
    uint8_t e820[20] = {0};
    uint8_t numa[16] = {0};
    // Sleep states the tables offer: S5, but neither S3 nor S4 (bit 7 says supported).
    static const uint8_t states[6] = {0x80, 0, 0, 1, 2, 0x80};

    fw_cfg_set_u64(cfg, FW_CFG_RAM_SIZE, ram_size);
    fw_cfg_set_u16(cfg, FW_CFG_NB_CPUS, 1);
    fw_cfg_set_u16(cfg, FW_CFG_MAX_CPUS, 1);
    fw_cfg_set_u16(cfg, FW_CFG_NOGRAPHIC, !graphics);
    fw_cfg_set_u16(cfg, FW_CFG_BOOT_MENU, 0);
    fw_cfg_set_u32(cfg, FW_CFG_IRQ0_OVERRIDE, 1);
    fw_cfg_set_bytes(cfg, FW_CFG_UUID, numa, 16);
    fw_cfg_set_bytes(cfg, FW_CFG_NUMA, numa, 16);
    store_le64(e820 + 8, ram_size);
    store_le32(e820 + 16, 1); // RAM
    fw_cfg_add_file(cfg, "etc/e820", e820, sizeof e820, NULL);
    fw_cfg_add_file(cfg, "etc/system-states", states, sizeof states, NULL);
}
