// SPDX-License-Identifier: MIT
// The physical map against a model that asks every region for every byte.
#include "mmu_test.h"

#define REGIONS   14u
#define WINDOW    0x40000u // the part of the address space that the random test uses
#define HOST_SIZE 0x10000u

struct fixture {
    struct log log;
    struct physmem *mem;
    unsigned map_changes;
};

static void map_changed(void *self)
{
    ((struct fixture *)self)->map_changes++;
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    log_init(&f->log);
    f->mem = physmem_create(&f->log);
    assert_non_null(f->mem);
    physmem_set_map_listener(f->mem, map_changed, f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    physmem_destroy(f->mem);
    log_close(&f->log);
    free(f);
    return 0;
}

// A device of bytes that checks what it is asked.
struct byte_device {
    uint8_t *bytes;
    uint32_t size;
    unsigned max_size;
    unsigned calls, widest;
};

static void check_access(struct byte_device *dev, uint32_t offset, unsigned size)
{
    assert_true(size == 1 || size == 2 || size == 4);
    assert_true(size <= dev->max_size);
    assert_int_equal(offset % size, 0);
    assert_true(offset + size <= dev->size);
    dev->calls++;
    if (size > dev->widest)
        dev->widest = size;
}

static uint32_t device_read(void *self, uint32_t offset, unsigned size)
{
    struct byte_device *dev = self;
    check_access(dev, offset, size);
    uint32_t value = 0xa5a5a5a5; // junk above the size must not leak
    memcpy(&value, dev->bytes + offset, size);
    return value;
}

static void device_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct byte_device *dev = self;
    check_access(dev, offset, size);
    assert_true(size == 4 || value >> (8 * size) == 0);
    memcpy(dev->bytes + offset, &value, size);
}

// ---- Model ----

struct model_region {
    struct phys_region *region; // NULL: free
    uint32_t base, size;
    int priority;
    uint64_t added;
    bool enabled, is_host;
    uint8_t *read_host, *write_host;
    struct byte_device dev;
};

struct model {
    struct fixture *f;
    struct rng rng;
    struct model_region regions[REGIONS];
    uint8_t *host[4];
    uint64_t clock;
};

static struct model_region *model_owner(struct model *m, uint64_t address)
{
    if (address >> 32)
        return NULL;
    uint32_t at = (uint32_t)address & physmem_a20_mask(m->f->mem);
    struct model_region *best = NULL;
    for (unsigned i = 0; i < REGIONS; i++) {
        struct model_region *r = &m->regions[i];
        if (!r->region || !r->enabled || at < r->base ||
            (uint64_t)at >= (uint64_t)r->base + r->size)
            continue;
        if (!best || r->priority > best->priority ||
            (r->priority == best->priority && r->added > best->added))
            best = r;
    }
    return best;
}

static uint8_t *model_byte(struct model *m, uint64_t address, bool write, bool dma)
{
    struct model_region *r = model_owner(m, address);
    if (!r)
        return NULL;
    uint32_t offset = ((uint32_t)address & physmem_a20_mask(m->f->mem)) - r->base;
    if (r->is_host) {
        uint8_t *host = write ? r->write_host : r->read_host;
        return host ? host + offset : NULL;
    }
    return dma ? NULL : r->dev.bytes + offset;
}

static uint8_t *random_host(struct model *m, uint32_t size, bool allow_null)
{
    if (allow_null && rng_one_in(&m->rng, 4))
        return NULL;
    uint32_t pages = (HOST_SIZE - size) / PAGE_SIZE + 1;
    return m->host[rng_below(&m->rng, 4)] + rng_below(&m->rng, pages) * PAGE_SIZE;
}

static uint32_t random_base(struct model *m, bool is_host)
{
    uint32_t base = rng_below(&m->rng, WINDOW);
    if (rng_one_in(&m->rng, 8))
        base += 0x100000; // A20's alias
    if (rng_one_in(&m->rng, 16))
        base = 0xffff8000u + rng_below(&m->rng, 0x8000); // the end of the space
    return is_host ? base & PAGE_MASK : base;
}

static void model_add(struct model *m, struct model_region *r)
{
    static const unsigned widths[] = {1, 2, 4, 0};
    *r = (struct model_region){.is_host = rng_one_in(&m->rng, 2), .enabled = true};
    r->priority = (int)rng_below(&m->rng, 4) - 1;
    r->added = ++m->clock;
    r->base = random_base(m, r->is_host);
    if (r->is_host) {
        r->size = (1 + rng_below(&m->rng, 8)) * PAGE_SIZE;
        r->read_host = random_host(m, r->size, true);
        r->write_host = rng_one_in(&m->rng, 2) ? r->read_host : random_host(m, r->size, true);
        r->region = physmem_add_host(m->f->mem, "host", r->base, r->size, r->priority, r->read_host,
                                     r->write_host);
        return;
    }
    r->size = rng_one_in(&m->rng, 2) ? 1 + rng_below(&m->rng, 64) : 1 + rng_below(&m->rng, 0x5000);
    unsigned max = widths[rng_below(&m->rng, 4)];
    struct mmio_ops ops = {.read = device_read, .write = device_write, .max_size = max};
    r->dev = (struct byte_device){
        .bytes = xcalloc(r->size, 1), .size = r->size, .max_size = max ? max : 4};
    for (uint32_t i = 0; i < r->size; i++)
        r->dev.bytes[i] = (uint8_t)rng_next(&m->rng);
    r->region = physmem_add_mmio(m->f->mem, "mmio", r->base, r->size, r->priority, &ops, &r->dev);
}

static void model_change(struct model *m)
{
    struct model_region *r = &m->regions[rng_below(&m->rng, REGIONS)];
    if (!r->region) {
        model_add(m, r);
        return;
    }
    switch (rng_below(&m->rng, 6)) {
    case 0:
        phys_region_remove(r->region);
        free(r->dev.bytes);
        *r = (struct model_region){0};
        break;
    case 1:
    case 2:
        r->enabled = !r->enabled;
        phys_region_set_enabled(r->region, r->enabled);
        break;
    case 3:
        r->base = random_base(m, r->is_host);
        phys_region_set_base(r->region, r->base);
        break;
    case 4:
        if (r->is_host) {
            r->read_host = random_host(m, r->size, true);
            r->write_host = random_host(m, r->size, true);
            phys_region_set_host(r->region, r->read_host, r->write_host);
        }
        break;
    default:
        if (rng_one_in(&m->rng, 8))
            physmem_set_a20(m->f->mem, !physmem_a20(m->f->mem));
        break;
    }
}

static uint64_t random_address(struct model *m)
{
    uint32_t at = rng_below(&m->rng, WINDOW + 0x10000);
    if (rng_one_in(&m->rng, 2)) { // near an edge of a region
        struct model_region *r = &m->regions[rng_below(&m->rng, REGIONS)];
        at = r->base + (rng_one_in(&m->rng, 2) ? r->size : 0) + rng_below(&m->rng, 16) - 8;
    }
    if (rng_one_in(&m->rng, 8))
        at ^= 0x100000;
    return rng_one_in(&m->rng, 64) ? UINT64_C(0xfffffffc) + rng_below(&m->rng, 8) : at;
}

static void check_load(struct model *m)
{
    unsigned size = 1u << rng_below(&m->rng, 4);
    uint64_t address = random_address(m), expected = 0;
    for (unsigned i = 0; i < size; i++) {
        const uint8_t *byte = model_byte(m, address + i, false, false);
        expected |= (uint64_t)(byte ? *byte : 0xff) << (8 * i);
    }
    uint64_t got = physmem_load(m->f->mem, address, size);
    if (got != expected)
        fail_msg("load %u at %llx: %llx, expected %llx", size, (unsigned long long)address,
                 (unsigned long long)got, (unsigned long long)expected);
}

static void check_store(struct model *m)
{
    unsigned size = 1u << rng_below(&m->rng, 4);
    uint64_t address = random_address(m);
    uint64_t value = (uint64_t)rng_next(&m->rng) << 32 | rng_next(&m->rng);
    physmem_store(m->f->mem, address, value, size);
    for (unsigned i = 0; i < size; i++) {
        const uint8_t *byte = model_byte(m, address + i, true, false);
        bool again = false; // the same host byte through a later address
        for (unsigned j = i + 1; j < size; j++)
            again |= model_byte(m, address + j, true, false) == byte;
        if (byte && !again)
            assert_int_equal(*byte, (uint8_t)(value >> (8 * i)));
    }
}

static void check_transfer(struct model *m)
{
    uint8_t buffer[300];
    uint64_t address = random_address(m);
    size_t length = rng_below(&m->rng, sizeof buffer);
    bool complete = physmem_read(m->f->mem, address, buffer, length);
    bool expected = true;
    for (size_t i = 0; i < length; i++) {
        const uint8_t *byte = model_byte(m, address + i, false, true);
        expected &= byte != NULL;
        assert_int_equal(buffer[i], byte ? *byte : 0xff);
    }
    assert_int_equal(complete, expected);
    uint8_t peeked[300];
    size_t told = physmem_peek(m->f->mem, address, peeked, length);
    assert_memory_equal(peeked, buffer, length); // behind a hole, too
    assert_int_equal(told == length, complete);
    assert_true(told == length || !model_byte(m, address + told, false, true));
    if (length == 0)
        return;
    length = length > 16 ? 16 : length;
    complete = physmem_write(m->f->mem, address, buffer, length);
    expected = true;
    for (size_t i = 0; i < length; i++)
        expected &= model_byte(m, address + i, true, true) != NULL;
    assert_int_equal(complete, expected);
}

static void check_page(struct model *m)
{
    uint32_t address = (uint32_t)random_address(m);
    struct phys_page page = physmem_page(m->f->mem, address);
    uint32_t base = address & PAGE_MASK;
    bool mmio = false;
    for (uint32_t i = 0; i < PAGE_SIZE; i++) {
        const struct model_region *r = model_owner(m, base + i);
        mmio |= r && !r->is_host;
    }
    if (mmio)
        assert_true(page.is_mmio);
    if (page.is_mmio) {
        assert_null(page.read);
        assert_null(page.write);
    } else {
        assert_ptr_equal(page.read, model_byte(m, base, false, false));
        assert_ptr_equal(page.write, model_byte(m, base, true, false));
    }
}

static void run_random(struct fixture *f, uint64_t seed, unsigned rounds)
{
    struct model m = {.f = f, .rng = {seed}};
    for (unsigned i = 0; i < 4; i++) {
        m.host[i] = xcalloc(HOST_SIZE, 1);
        for (unsigned j = 0; j < HOST_SIZE; j++)
            m.host[i][j] = (uint8_t)rng_next(&m.rng);
    }
    for (unsigned round = 0; round < rounds; round++) {
        unsigned changes = 1 + rng_below(&m.rng, 5);
        bool grouped = rng_one_in(&m.rng, 3);
        unsigned before = f->map_changes;
        if (grouped)
            physmem_begin_changes(f->mem);
        for (unsigned i = 0; i < changes; i++)
            model_change(&m);
        if (grouped) {
            assert_int_equal(f->map_changes, before);
            physmem_end_changes(f->mem);
            assert_true(f->map_changes - before <= 1);
        }
        for (unsigned i = 0; i < 12; i++) {
            check_load(&m);
            check_store(&m);
            check_transfer(&m);
        }
        check_page(&m);
    }
    for (unsigned i = 0; i < REGIONS; i++) {
        phys_region_remove(m.regions[i].region);
        free(m.regions[i].dev.bytes);
    }
    physmem_set_a20(f->mem, true);
    for (uint64_t page = 0; page < PHYS_PAGES; page++)
        assert_false(physmem_page(f->mem, (uint32_t)(page << PAGE_SHIFT)).is_mmio ||
                     physmem_page(f->mem, (uint32_t)(page << PAGE_SHIFT)).read);
    for (unsigned i = 0; i < 4; i++)
        free(m.host[i]);
}

static void test_random_maps(void **state)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        run_random(*state, seed, 400);
}

static void test_ram(void **state)
{
    struct fixture *f = *state;
    struct error err;
    assert_null(physmem_alloc_ram(f->mem, 5000, &err));
    assert_non_null(strstr(err.text, "multiple"));
    uint8_t *ram = physmem_alloc_ram(f->mem, 8 << 20, &err);
    assert_non_null(ram);
    assert_null(physmem_alloc_ram(f->mem, 8 << 20, &err));
    assert_int_equal((uintptr_t)ram % PAGE_SIZE, 0);
    physmem_add_host(f->mem, "ram", 0, 8 << 20, 0, ram, ram);
    assert_int_equal(physmem_load(f->mem, 0x1000, 4), 0);
    physmem_store(f->mem, 0x1ffe, 0x1122334455667788, 8);
    assert_int_equal(load_le64(ram + 0x1ffe), 0x1122334455667788);
    assert_int_equal(physmem_load(f->mem, 0x1ffe, 8), 0x1122334455667788);
    assert_int_equal(physmem_load(f->mem, UINT64_C(0x100001000), 4), 0xffffffff);
    assert_true(physmem_load(f->mem, 8 << 20, 8) == UINT64_MAX);
}

static void test_a20(void **state)
{
    struct fixture *f = *state;
    uint8_t *ram = physmem_alloc_ram(f->mem, 4 << 20, NULL);
    physmem_add_host(f->mem, "ram", 0, 4 << 20, 0, ram, ram);
    unsigned changes = f->map_changes;
    physmem_store(f->mem, 0x500, 0x11, 1);
    physmem_store(f->mem, 0x100500, 0x22, 1);
    physmem_set_a20(f->mem, false);
    assert_int_equal(f->map_changes, changes + 1);
    physmem_set_a20(f->mem, false);
    assert_int_equal(f->map_changes, changes + 1);
    assert_int_equal(physmem_load(f->mem, 0x100500, 1), 0x11);
    assert_int_equal(physmem_load(f->mem, 0x300500, 1), 0);
    physmem_store(f->mem, 0xfffff, 0xbbaa, 2); // the second byte wraps to 0
    assert_int_equal(ram[0xfffff], 0xaa);
    assert_int_equal(ram[0], 0xbb);
    assert_ptr_equal(physmem_page(f->mem, 0x100000).read, ram);
    uint8_t byte;
    assert_true(physmem_read(f->mem, 0x100500, &byte, 1));
    assert_int_equal(byte, 0x11);
    physmem_set_a20(f->mem, true);
    assert_int_equal(physmem_load(f->mem, 0x100500, 1), 0x22);
}

// PAM: read ROM while the RAM below it is filled, then read the RAM.
static void test_shadow(void **state)
{
    struct fixture *f = *state;
    uint8_t *ram = physmem_alloc_ram(f->mem, 1 << 20, NULL);
    uint8_t *rom = xcalloc(1, 0x10000);
    rom[0x10] = 0x99;
    physmem_add_host(f->mem, "ram", 0, 1 << 20, 0, ram, ram);
    struct phys_region *pam = physmem_add_host(f->mem, "pam", 0xf0000, 0x10000, 1, rom, NULL);
    physmem_store(f->mem, 0xf0010, 0x55, 1);
    assert_int_equal(physmem_load(f->mem, 0xf0010, 1), 0x99);
    assert_int_equal(ram[0xf0010], 0);
    phys_region_set_host(pam, rom, ram + 0xf0000);
    physmem_store(f->mem, 0xf0010, 0x55, 1);
    assert_int_equal(physmem_load(f->mem, 0xf0010, 1), 0x99);
    assert_int_equal(ram[0xf0010], 0x55);
    unsigned changes = f->map_changes;
    phys_region_set_host(pam, ram + 0xf0000, NULL);
    assert_int_equal(f->map_changes, changes + 1);
    assert_int_equal(physmem_load(f->mem, 0xf0010, 1), 0x55);
    physmem_store(f->mem, 0xf0010, 0x66, 1);
    assert_int_equal(physmem_load(f->mem, 0xf0010, 1), 0x55);
    phys_region_set_enabled(pam, false);
    physmem_store(f->mem, 0xf0010, 0x66, 1);
    assert_int_equal(physmem_load(f->mem, 0xf0010, 1), 0x66);
    free(rom);
}

static void test_splitting(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[32];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i + 1);
    struct byte_device dev = {.bytes = bytes, .size = sizeof bytes, .max_size = 4};
    struct mmio_ops ops = {.read = device_read, .write = device_write, .max_size = 4};
    struct phys_region *region = physmem_add_mmio(f->mem, "dev", 0xfec00010, 32, 0, &ops, &dev);
    assert_int_equal(physmem_load(f->mem, 0xfec00010, 4), 0x04030201);
    assert_int_equal(dev.calls, 1);
    assert_true(physmem_load(f->mem, 0xfec00010, 8) == 0x0807060504030201);
    assert_int_equal(dev.calls, 3);
    assert_int_equal(physmem_load(f->mem, 0xfec00012, 4), 0x06050403);
    assert_int_equal(dev.calls, 5); // two halves
    assert_int_equal(physmem_load(f->mem, 0xfec00011, 4), 0x05040302);
    assert_int_equal(dev.calls, 8); // 1 + 2 + 1
    assert_int_equal(physmem_load(f->mem, 0xfec0000e, 4), 0x0201ffff);
    assert_int_equal(dev.calls, 9);
    assert_int_equal(physmem_load(f->mem, 0xfec0002e, 4), 0xffff201f);
    phys_region_remove(region);

    ops.max_size = dev.max_size = 1;
    dev.calls = 0;
    region = physmem_add_mmio(f->mem, "dev", 0xfec00010, 32, 0, &ops, &dev);
    physmem_store(f->mem, 0xfec00014, 0xddccbbaa, 4);
    assert_int_equal(dev.calls, 4);
    assert_int_equal(load_le32(bytes + 4), 0xddccbbaa);
}

struct mover {
    struct phys_region *region;
    unsigned calls;
};

static void mover_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct mover *mover = self;
    mover->calls++;
    if (mover->region)
        phys_region_remove(mover->region);
    mover->region = NULL;
}

// A register that takes its own region away: the rest of a split access finds nobody.
static void test_region_removed_by_its_register(void **state)
{
    struct fixture *f = *state;
    struct mover mover = {0};
    struct mmio_ops ops = {.write = mover_write, .max_size = 1};
    mover.region = physmem_add_mmio(f->mem, "mover", 0xd0000000, 16, 0, &ops, &mover);
    assert_int_equal(physmem_load(f->mem, 0xd0000000, 4), 0xffffffff); // no read function
    physmem_store(f->mem, 0xd0000000, 0x01020304, 4);
    assert_int_equal(mover.calls, 1);
    assert_false(physmem_page(f->mem, 0xd0000000).is_mmio);
}

// ---- Code tracking ----

struct code_log {
    unsigned calls;
    uint8_t *host;
    size_t length;
    uint8_t before; // the byte when the call came
};

static void code_written(void *self, uint8_t *host, size_t length)
{
    struct code_log *log = self;
    log->calls++;
    log->host = host;
    log->length = length;
    log->before = *host;
}

static void test_code_tracking(void **state)
{
    struct fixture *f = *state;
    struct code_log log = {0};
    uint8_t *ram = physmem_alloc_ram(f->mem, 1 << 20, NULL);
    physmem_add_host(f->mem, "ram", 0, 1 << 20, 0, ram, ram);
    physmem_add_host(f->mem, "alias", 0x80000000, 1 << 20, 0, ram, ram);
    physmem_set_code_listener(f->mem, code_written, &log);
    physmem_store(f->mem, 0x3010, 0x77, 1);
    assert_int_equal(log.calls, 0);
    physmem_mark_code(f->mem, ram + 0x3000);
    assert_true(physmem_is_code(f->mem, ram + 0x3000));
    assert_false(physmem_is_code(f->mem, ram + 0x4000));
    physmem_store(f->mem, 0x80003010, 0x88, 4); // through the alias
    assert_int_equal(log.calls, 1);
    assert_ptr_equal(log.host, ram + 0x3010);
    assert_int_equal(log.length, 4);
    assert_int_equal(log.before, 0x77);
    uint8_t block[0x3000] = {0x12};
    physmem_write(f->mem, 0x2000, block, sizeof block); // DMA over three pages, one of them code
    assert_int_equal(log.calls, 2);
    assert_ptr_equal(log.host, ram + 0x3000);
    assert_int_equal(log.length, PAGE_SIZE);
    physmem_store(f->mem, 0x2ffe, 0, 4); // crosses into it
    assert_int_equal(log.calls, 3);
    assert_ptr_equal(log.host, ram + 0x3000);
    assert_int_equal(log.length, 2);
    physmem_will_write(f->mem, ram + 0x3ffc, 8);
    assert_int_equal(log.calls, 4);
    assert_int_equal(log.length, 4);
    physmem_clear_code(f->mem, ram + 0x3000);
    physmem_store(f->mem, 0x3010, 0, 4);
    assert_int_equal(log.calls, 4);
    physmem_will_write(f->mem, ram + (1 << 20) - 1, 4); // clipped at the end of the block
    uint8_t foreign = 0;
    physmem_will_write(f->mem, &foreign, 1);
    assert_false(physmem_is_code(f->mem, &foreign));
    assert_int_equal(log.calls, 4);
}

static void test_code_in_other_memory(void **state)
{
    struct fixture *f = *state;
    struct code_log log = {0};
    uint8_t *rom = xcalloc(1, 0x40000);
    uint8_t *video = xcalloc(1, 0x20000);
    physmem_set_code_listener(f->mem, code_written, &log);
    // The last part of a ROM first, then all of it: one block, marks kept.
    physmem_add_host(f->mem, "bios-low", 0xe0000, 0x20000, 0, rom + 0x20000, NULL);
    physmem_add_host(f->mem, "video", 0xe0000000, 0x20000, 0, video, video);
    physmem_mark_code(f->mem, rom + 0x3f000);
    physmem_mark_code(f->mem, video + 0x1000);
    physmem_add_host(f->mem, "bios", 0xfffc0000, 0x40000, 0, rom, NULL);
    assert_true(physmem_is_code(f->mem, rom + 0x3f000));
    assert_false(physmem_is_code(f->mem, rom + 0x1f000));
    physmem_mark_code(f->mem, rom);
    assert_true(physmem_is_code(f->mem, rom));
    physmem_store(f->mem, 0xfffff000, 0, 4); // ROM does not change
    assert_int_equal(log.calls, 0);
    physmem_store(f->mem, 0xe0001004, 0, 4);
    assert_int_equal(log.calls, 1);
    assert_ptr_equal(log.host, video + 0x1004);
    physmem_add_host(f->mem, "again", 0xd0000000, 0x10000, 0, rom + 0x30000, NULL);
    assert_true(physmem_is_code(f->mem, rom + 0x3f000));
    free(rom);
    free(video);
}

static void test_describe(void **state)
{
    struct fixture *f = *state;
    uint8_t *ram = physmem_alloc_ram(f->mem, 1 << 20, NULL);
    struct mmio_ops ops = {0};
    physmem_add_host(f->mem, "pc.ram", 0, 1 << 20, 0, ram, ram);
    physmem_add_mmio(f->mem, "tiny", 0x2010, 4, 1, &ops, NULL);
    struct phys_region *off = physmem_add_mmio(f->mem, "vga", 0xa0000, 0x20000, 1, &ops, NULL);
    phys_region_set_enabled(off, false);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    physmem_describe(f->mem, out);
    fclose(out);
    assert_non_null(
        strstr(text, "00000000000a0000-00000000000bffff (prio 1, i/o): vga [disabled]\n"));
    assert_non_null(strstr(
        text, "  0000000000000000-000000000000200f (prio 0, ram): pc.ram @0000000000000000\n"
              "  0000000000002010-0000000000002013 (prio 1, i/o): tiny\n"
              "  0000000000002014-00000000000fffff (prio 0, ram): pc.ram @0000000000002014\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_maps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ram, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a20, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shadow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_splitting, setup, teardown),
        cmocka_unit_test_setup_teardown(test_region_removed_by_its_register, setup, teardown),
        cmocka_unit_test_setup_teardown(test_code_tracking, setup, teardown),
        cmocka_unit_test_setup_teardown(test_code_in_other_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_describe, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
