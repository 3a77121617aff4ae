// SPDX-License-Identifier: MIT
// The whole board without its CPU: the input is a program of port and memory accesses, transfers of
// bytes into RAM (descriptors, DMA tables, pictures), time, interrupt acknowledges and input from
// outside. Checked besides: interrupt vectors, pictures and snapshots are sane, and the run of due
// timers ends.
#include "fuzz.h"

#include <stdlib.h>

#include "devices/pc.h"
#include "devices/vga.h"
#include "state/state.h"

#define RAM_SIZE    (2u << 20)
#define BIOS_SIZE   0x10000u
#define DISK_SIZE   (1u << 20)
#define MAX_STEPS   3000u
#define MAX_EVENTS  20000u             // timer deadlines in one step
#define MAX_TIME_NS INT64_C(400000000) // in one run

enum {
    STEP_IN,
    STEP_OUT,
    STEP_OUT_SEQUENCE, // many values to one port
    STEP_LOAD,
    STEP_STORE,
    STEP_CONFIG, // PCI
    STEP_FILL,   // bytes into RAM
    STEP_TIME,
    STEP_INTERRUPT,
    STEP_SERIAL,
    STEP_KEYS,
    STEP_PICTURE,
    STEP_SNAPSHOT,
    STEP_MEDIUM,
    STEP_RESET,
    STEP_IDE, // a whole command block
    STEP_COUNT
};

struct bench {
    struct log log;
    struct physmem *mem;
    struct portio *ports;
    struct clock *clock;
    struct state_registry *registry;
    struct pc *pc;
    struct chardev *serial[PC_SERIALS];
    uint64_t instructions;
    int64_t time_left;
    bool intr, reset_wanted, snapshot_done;
};

static void on_intr(void *self, bool level)
{
    ((struct bench *)self)->intr = level;
}

static void on_event(void *self)
{
}

static void on_reset(void *self)
{
    ((struct bench *)self)->reset_wanted = true;
}

static void on_exit_value(void *self, uint32_t value)
{
}

static void on_host_full(void *self, const char *image)
{
}

static struct block_image *image_open(const struct fuzz_file *file, bool writable)
{
    struct error err;
    struct block_image_options options = {.read_only = !writable};
    struct block_image *image = block_image_open(file->path, &options, &err);
    FUZZ_CHECK(image != NULL);
    return image;
}

static void bench_make(struct bench *b, const struct fuzz_file *disk, const struct fuzz_file *cd)
{
    static uint8_t bios[BIOS_SIZE], vga_bios[0x1000] = {0x55, 0xaa, 8};
    struct error err = {""};
    *b = (struct bench){.time_left = MAX_TIME_NS};
    log_init(&b->log);
    b->mem = physmem_create(&b->log);
    FUZZ_CHECK(physmem_alloc_ram(b->mem, RAM_SIZE, &err) != NULL);
    b->ports = portio_create(&b->log);
    b->clock = clock_create();
    clock_set_icount(b->clock, &b->instructions, 0);
    clock_start(b->clock);
    b->registry = state_registry_create();
    struct pc_config config = {
        .ram_size = RAM_SIZE,
        .bios = bios,
        .bios_size = sizeof bios,
        .vga_bios = vga_bios,
        .vga_bios_size = sizeof vga_bios,
        .drives = {{PC_DRIVE_DISK, image_open(disk, true)},
                   {PC_DRIVE_CD, NULL},
                   {PC_DRIVE_CD, image_open(cd, false)}},
        .boot_order = "cd",
        .rtc_base = 1700000000,
        .debug_exit = true,
        .debug_exit_base = 0xf4,
        .debug_exit_size = 4,
        .events = {.self = b,
                   .intr = on_intr,
                   .nmi = on_event,
                   .init = on_event,
                   .reset = on_reset,
                   .power_off = on_event,
                   .debug_exit = on_exit_value,
                   .host_full = on_host_full},
    };
    for (unsigned i = 0; i < PC_SERIALS; i++)
        b->serial[i] = config.serials[i] = fuzz_chardev_open(NULL, "fuzz");
    config.debugcon = b->serial[0];
    b->pc = pc_create(b->mem, b->ports, b->clock, &b->log, b->registry, &config, &err);
    FUZZ_CHECK(b->pc != NULL);
}

static void bench_free(struct bench *b)
{
    pc_destroy(b->pc);
    for (unsigned i = 0; i < PC_SERIALS; i++)
        chardev_close(b->serial[i]);
    state_registry_destroy(b->registry);
    clock_destroy(b->clock);
    portio_destroy(b->ports);
    physmem_destroy(b->mem);
}

static void out(struct bench *b, uint32_t port, uint32_t value, unsigned size)
{
    portio_write(b->ports, (uint16_t)port, value, size);
}

static void config_write(struct bench *b, unsigned devfn, unsigned reg, uint32_t value,
                         unsigned size)
{
    out(b, 0xcf8, 0x80000000u | devfn << 8 | (reg & 0xfc), 4);
    out(b, 0xcfc + (reg & 3), value, size);
}

// What firmware sets up, so that the devices decode their windows from the start.
static void bench_configure(struct bench *b)
{
    config_write(b, 1 << 3 | 1, 0x40, 0x80008000, 4); // IDETIM: both channels
    config_write(b, 1 << 3 | 1, 0x20, 0xc000, 4);     // bus master
    config_write(b, 1 << 3 | 1, 4, 5, 2);
    config_write(b, 1 << 3 | 3, 0x40, 0xb000, 4); // power management
    config_write(b, 1 << 3 | 3, 0x90, 0xb100, 4);
    config_write(b, 1 << 3 | 3, 0x80, 1, 1);
    config_write(b, 1 << 3 | 3, 0xd2, 1, 1);
    config_write(b, 2 << 3, 0x10, 0xe0000000, 4); // VGA
    config_write(b, 2 << 3, 0x18, 0xe1000000, 4);
    config_write(b, 2 << 3, 4, 3, 2);
    config_write(b, 0, 0x59, 0x30, 1);
    physmem_store(b->mem, 0xfee000f0, 0x1ff, 4); // local APIC on
    for (unsigned i = 0; i < 2; i++) {
        out(b, i ? 0xa0 : 0x20, 0x11, 1);
        out(b, i ? 0xa1 : 0x21, i ? 0x70 : 8, 1);
        out(b, i ? 0xa1 : 0x21, i ? 2 : 4, 1);
        out(b, i ? 0xa1 : 0x21, 1, 1);
        out(b, i ? 0xa1 : 0x21, 0, 1);
    }
}

static uint16_t take_port(struct fuzz_input *in)
{
    static const uint16_t bases[] = {0x00,   0x20,   0x40,  0x60,   0x70,  0x80,  0xa0,   0xc0,
                                     0x1f0,  0x170,  0x3f0, 0x370,  0x3b0, 0x3c0, 0x3d0,  0x3f8,
                                     0x2f8,  0x1ce,  0x402, 0x4d0,  0x510, 0xcf8, 0xcfc,  0xb000,
                                     0xb100, 0xc000, 0xf4,  0xafe0, 0xb2,  0xe0,  0x2000, 0xe8};
    uint8_t select = fuzz_u8(in);
    if (select >= 0xf8)
        return fuzz_u16(in);
    // A base, and the offset from it.
    return (uint16_t)(bases[select & 31] + (fuzz_u8(in) & 31));
}

static uint32_t take_address(struct fuzz_input *in)
{
    static const uint32_t bases[] = {0xfee00000, 0xfec00000, 0xa0000,    0xb8000,
                                     0xc0000,    0xe0000000, 0xe1000000, 0xf0000,
                                     0x0,        0x1000,     0xfffff000, 0xff000000};
    uint8_t select = fuzz_u8(in);
    if (select >= 0xf0)
        return fuzz_u32(in);
    return bases[select % ARRAY_SIZE(bases)] + fuzz_u16(in);
}

static void step_fill(struct bench *b, struct fuzz_input *in)
{
    uint32_t address = (uint32_t)fuzz_u16(in) << 4;
    uint8_t control = fuzz_u8(in);
    size_t got;
    const uint8_t *bytes = fuzz_bytes(in, (control & 63) + 1, &got);
    for (unsigned i = 0; got > 0 && i <= (control >> 6) * 64u; i++)
        physmem_write(b->mem, address + i * got, bytes, got);
}

static void step_time(struct bench *b, struct fuzz_input *in)
{
    uint8_t value = fuzz_u8(in);
    int64_t ns = (int64_t)(1 + (value & 15)) << ((value >> 4) + 9); // 0.5 us to 268 ms
    if (ns > b->time_left)
        ns = b->time_left;
    b->time_left -= ns;
    fuzz_clock_run(b->clock, &b->instructions, ns, MAX_EVENTS);
}

static void step_interrupt(struct bench *b)
{
    int vector = pc_acknowledge(b->pc);
    FUZZ_CHECK(vector >= -1 && vector < 256);
    out(b, 0xa0, 0x20, 1);
    out(b, 0x20, 0x20, 1);
    physmem_store(b->mem, 0xfee000b0, 0, 4);
}

static void step_picture(struct bench *b, uint8_t which)
{
    struct vga_image image = {0};
    struct vga_text text = {0};
    if (which & 1) {
        vga_render(pc_vga(b->pc), &image);
        FUZZ_CHECK(image.width <= 4096 && image.height <= 4096);
        volatile uint8_t last =
            image.width && image.height ? image.rgb[(size_t)image.width * image.height * 3 - 1] : 0;
        (void)last;
        free(image.rgb);
    } else if (vga_text_screen(pc_vga(b->pc), &text)) {
        free(text.characters);
    }
}

static void step_snapshot(struct bench *b)
{
    struct error err = {""};
    size_t size[2];
    b->snapshot_done = true;
    void *saved[2];
    for (unsigned i = 0; i < 2; i++) {
        struct state_writer *writer = state_writer_create();
        state_save(b->registry, writer);
        saved[i] = state_writer_take(writer, &size[i]);
        state_writer_destroy(writer);
        if (i == 0 && !state_load(b->registry, saved[0], size[0], &err))
            fuzz_fail(__FILE__, __LINE__, err.text);
    }
    FUZZ_CHECK(size[0] == size[1] && memcmp(saved[0], saved[1], size[0]) == 0);
    free(saved[0]);
    free(saved[1]);
}

static void step_medium(struct bench *b, const struct fuzz_file *cd, uint8_t which)
{
    struct error err;
    const char *drive = which & 1 ? "ide0-cd1" : "ide1-cd0";
    if (which & 2)
        pc_eject(b->pc, drive, which & 4, &err);
    else
        pc_change(b->pc, drive, cd->path, &err);
}

static void step_keys(struct bench *b, struct fuzz_input *in)
{
    static const char *const chords[] = {"a", "ctrl-alt-delete", "print", "pause", "shift-a-b-c"};
    struct error err;
    uint8_t which = fuzz_u8(in);
    pc_send_keys(b->pc, chords[which % ARRAY_SIZE(chords)], which >> 3, &err);
}

// Registers of a command, a packet or data words, a descriptor table, and the bus master's start.
static void step_ide(struct bench *b, struct fuzz_input *in)
{
    uint8_t flags = fuzz_u8(in);
    uint32_t base = flags & 1 ? 0x170 : 0x1f0, master = flags & 1 ? 0xc008 : 0xc000;
    out(b, master + 4, (uint32_t)fuzz_u8(in) << 4, 4);
    out(b, base + 6, 0x40 | (flags & 0x10), 1);
    for (unsigned reg = 1; reg < 6; reg++)
        out(b, base + reg, fuzz_u8(in), 1);
    out(b, base + 7, fuzz_u8(in), 1);
    if (flags & 2)
        for (unsigned i = 0; i < 6; i++)
            out(b, base, fuzz_u16(in), 2);
    if (flags & 4)
        out(b, master, fuzz_u8(in), 1);
    if (flags & 8)
        fuzz_clock_run(b->clock, &b->instructions, 100000, MAX_EVENTS);
    for (unsigned i = flags & 0x20 ? 300 : 0; i > 0; i--)
        flags & 0x40 ? out(b, base, i, 4) : (void)portio_read(b->ports, (uint16_t)base, 4);
}

static void step_serial(struct bench *b, struct fuzz_input *in)
{
    uint8_t which = fuzz_u8(in);
    size_t got;
    const uint8_t *bytes = fuzz_bytes(in, which >> 3, &got);
    fuzz_chardev_feed(b->serial[which & 1], bytes, got);
}

static void step(struct bench *b, struct fuzz_input *in, const struct fuzz_file *cd)
{
    uint8_t op = fuzz_u8(in);
    unsigned size = 1u << ((op >> 5) % 3);
    uint32_t address;
    uint16_t port;
    switch ((op & 31) % STEP_COUNT) {
    case STEP_IN:
        portio_read(b->ports, take_port(in), size);
        break;
    case STEP_OUT:
        port = take_port(in);
        out(b, port, size == 1 ? fuzz_u8(in) : size == 2 ? fuzz_u16(in) : fuzz_u32(in), size);
        break;
    case STEP_OUT_SEQUENCE:
        port = take_port(in);
        for (unsigned n = fuzz_u8(in) & 31; n > 0; n--)
            out(b, port, fuzz_u8(in), 1);
        break;
    case STEP_LOAD:
        physmem_load(b->mem, take_address(in), op & 0x80 ? 8 : size);
        break;
    case STEP_STORE:
        address = take_address(in);
        physmem_store(b->mem, address, fuzz_u32(in) * UINT64_C(0x100000001), op & 0x80 ? 8 : size);
        break;
    case STEP_CONFIG: {
        static const uint8_t devices[] = {0, 1 << 3, 1 << 3 | 1, 1 << 3 | 3, 2 << 3};
        uint8_t devfn = devices[fuzz_u8(in) % ARRAY_SIZE(devices)], reg = fuzz_u8(in);
        config_write(b, devfn, reg, fuzz_u32(in), size);
        break;
    }
    case STEP_FILL:
        step_fill(b, in);
        break;
    case STEP_TIME:
        step_time(b, in);
        break;
    case STEP_INTERRUPT:
        step_interrupt(b);
        break;
    case STEP_SERIAL:
        step_serial(b, in);
        break;
    case STEP_KEYS:
        step_keys(b, in);
        break;
    case STEP_PICTURE:
        step_picture(b, fuzz_u8(in));
        break;
    case STEP_SNAPSHOT: // costly, so that it must be meant
        if (fuzz_u8(in) == 's' && !b->snapshot_done)
            step_snapshot(b);
        break;
    case STEP_MEDIUM:
        step_medium(b, cd, fuzz_u8(in));
        break;
    case STEP_RESET:
        b->reset_wanted = true;
        break;
    default:
        step_ide(b, in);
        break;
    }
    if (b->reset_wanted) {
        b->reset_wanted = false;
        pc_reset(b->pc);
        bench_configure(b);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_file cd;
    if (!cd.fd)
        cd = fuzz_file_make(NULL, DISK_SIZE);
    struct fuzz_file disk = fuzz_file_make(NULL, DISK_SIZE);
    struct fuzz_input in = {data, size, 0};
    struct bench b;
    bench_make(&b, &disk, &cd);
    bench_configure(&b);
    for (unsigned i = 0; i < MAX_STEPS && fuzz_left(&in) > 0; i++)
        step(&b, &in, &cd);
    bench_free(&b);
    fuzz_file_free(&disk);
    return 0;
}
