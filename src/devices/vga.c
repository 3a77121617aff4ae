// SPDX-License-Identifier: MIT
// VGA registers: miscellaneous output, sequencer, graphics controller, CRT controller, attribute
// controller, DAC, input status. IBM VGA technical reference; register names as there. Left out:
// interrupts, light pen, feature connector. The beam is a function of the virtual clock at the
// timing of 640x480: 525 lines of 31.78 us.
#include "devices/vga_internal.h"

#include <stdlib.h>
#include <sys/mman.h>

#define LINE_NS      31778
#define TOTAL_LINES  525
#define SHOWN_LINES  480
#define RETRACE_LINE 490
#define RETRACE_END  492

static const uint8_t seq_mask[SEQ_COUNT] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0, 0, 0xff};
static const uint8_t gc_mask[GC_COUNT] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};
static const uint8_t ac_mask[AC_COUNT] = {0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                                          0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                                          0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f};

static uint8_t status_read(struct vga *vga)
{
    int64_t now = clock_now(vga->clock);
    int64_t line = now / LINE_NS % TOTAL_LINES;
    bool retrace = line >= RETRACE_LINE && line < RETRACE_END;
    bool blank = line >= SHOWN_LINES || now % LINE_NS >= LINE_NS * 8 / 10;

    vga->ac_data = false;
    return (uint8_t)((retrace ? 8 : 0) | (blank ? 1 : 0));
}

static uint8_t dac_read(struct vga *vga)
{
    uint8_t value = vga->palette[vga->dac_read * 3u + vga->dac_component % 3u];

    if (++vga->dac_component >= 3) {
        vga->dac_component = 0;
        vga->dac_read++;
    }
    return value;
}

// A colour takes effect when its third component arrives.
static void dac_write(struct vga *vga, uint8_t value)
{
    vga->dac_pending[vga->dac_component % 3] = value;
    if (++vga->dac_component < 3)
        return;
    bool eight = (vga->vbe[VBE_ENABLE] & VBE_8BIT_DAC) != 0;
    for (unsigned i = 0; i < 3; i++)
        vga->palette[vga->dac_write * 3u + i] =
            eight ? vga->dac_pending[i] : vga->dac_pending[i] & 0x3f;
    vga->dac_component = 0;
    vga->dac_write++;
}

// Only one of the two CRTC places answers, by bit 0 of the miscellaneous output register.
static bool port_is_hidden(const struct vga *vga, uint32_t port)
{
    bool color = (vga->misc & 1) != 0;

    return (port >= 0x3b0 && port <= 0x3bf && color) || (port >= 0x3d0 && port <= 0x3df && !color);
}

uint8_t vga_port_read(struct vga *vga, uint32_t port)
{
    if (port_is_hidden(vga, port))
        return 0xff;
    switch (port) {
    case 0x3c0:
        return vga->ac_data ? 0 : vga->ac_index;
    case 0x3c1:
        return (vga->ac_index & 0x1f) < AC_COUNT ? vga->ac[vga->ac_index & 0x1f] : 0;
    case 0x3c2:
        return 0x10; // a colour monitor is sensed
    case 0x3c4:
        return vga->seq_index;
    case 0x3c5:
        return vga->seq[vga->seq_index % SEQ_COUNT];
    case 0x3c6:
        return vga->dac_mask;
    case 0x3c7:
        return vga->dac_state;
    case 0x3c8:
        return vga->dac_write;
    case 0x3c9:
        return dac_read(vga);
    case 0x3ca:
        return vga->feature;
    case 0x3cc:
        return vga->misc;
    case 0x3ce:
        return vga->gc_index;
    case 0x3cf:
        return vga->gc[vga->gc_index % GC_COUNT];
    case 0x3b4:
    case 0x3d4:
        return vga->crtc_index;
    case 0x3b5:
    case 0x3d5:
        return vga->crtc_index < CRTC_COUNT ? vga->crtc[vga->crtc_index] : 0;
    case 0x3ba:
    case 0x3da:
        return status_read(vga);
    default:
        return 0xff;
    }
}

static void attribute_write(struct vga *vga, uint8_t value)
{
    if (!vga->ac_data)
        vga->ac_index = value & 0x3f;
    else if ((vga->ac_index & 0x1f) < AC_COUNT)
        vga->ac[vga->ac_index & 0x1f] = value & ac_mask[vga->ac_index & 0x1f];
    vga->ac_data = !vga->ac_data;
}

// Registers 0-7 are protected by bit 7 of the retrace end register, but for the line compare bit in
// the overflow register.
static void crtc_write(struct vga *vga, uint8_t value)
{
    uint8_t index = vga->crtc_index;

    if (index >= CRTC_COUNT)
        return;
    if ((vga->crtc[CRTC_RETRACE_END] & 0x80) && index <= CRTC_OVERFLOW) {
        if (index == CRTC_OVERFLOW)
            vga->crtc[index] = (uint8_t)((vga->crtc[index] & ~0x10) | (value & 0x10));
        return;
    }
    vga->crtc[index] = value;
}

static void indexed_write(struct vga *vga, uint32_t port, uint8_t value)
{
    switch (port) {
    case 0x3c4:
        vga->seq_index = value & 7;
        break;
    case 0x3c5:
        vga->seq[vga->seq_index % SEQ_COUNT] = value & seq_mask[vga->seq_index % SEQ_COUNT];
        break;
    case 0x3ce:
        vga->gc_index = value & 0x0f;
        break;
    case 0x3cf:
        vga->gc[vga->gc_index % GC_COUNT] = value & gc_mask[vga->gc_index % GC_COUNT];
        break;
    case 0x3b4:
    case 0x3d4:
        vga->crtc_index = value;
        break;
    case 0x3b5:
    case 0x3d5:
        crtc_write(vga, value);
        break;
    default:
        break;
    }
}

void vga_port_write(struct vga *vga, uint32_t port, uint8_t value)
{
    if (port_is_hidden(vga, port))
        return;
    switch (port) {
    case 0x3c0:
        attribute_write(vga, value);
        break;
    case 0x3c2:
        vga->misc = value & 0xef;
        break;
    case 0x3c6:
        vga->dac_mask = value;
        break;
    case 0x3c7:
        vga->dac_read = value;
        vga->dac_component = 0;
        vga->dac_state = 3;
        break;
    case 0x3c8:
        vga->dac_write = value;
        vga->dac_component = 0;
        vga->dac_state = 0;
        break;
    case 0x3c9:
        dac_write(vga, value);
        break;
    case 0x3ba:
    case 0x3da:
        vga->feature = value & 0x10;
        break;
    default:
        indexed_write(vga, port, value);
        break;
    }
}

static uint32_t ports_read(void *self, uint32_t offset, unsigned size)
{
    return vga_port_read(self, 0x3c0 + offset);
}

static void ports_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    vga_port_write(self, 0x3c0 + offset, (uint8_t)value);
}

static uint32_t mono_read(void *self, uint32_t offset, unsigned size)
{
    return vga_port_read(self, 0x3b4 + offset);
}

static void mono_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    vga_port_write(self, 0x3b4 + offset, (uint8_t)value);
}

static uint32_t color_read(void *self, uint32_t offset, unsigned size)
{
    return vga_port_read(self, 0x3d0 + offset);
}

static void color_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    vga_port_write(self, 0x3d0 + offset, (uint8_t)value);
}

static const struct port_ops ports_ops = {ports_read, ports_write, 1};
static const struct port_ops mono_ops = {mono_read, mono_write, 1};
static const struct port_ops color_ops = {color_read, color_write, 1};

static const struct state_field vga_fields[] = {
    STATE_FIELD(STATE_U8, struct vga, misc),
    STATE_FIELD(STATE_U8, struct vga, feature),
    STATE_FIELD(STATE_U8, struct vga, seq_index),
    STATE_BYTES_OF(struct vga, seq),
    STATE_FIELD(STATE_U8, struct vga, gc_index),
    STATE_BYTES_OF(struct vga, gc),
    STATE_FIELD(STATE_U8, struct vga, crtc_index),
    STATE_BYTES_OF(struct vga, crtc),
    STATE_FIELD(STATE_U8, struct vga, ac_index),
    STATE_BYTES_OF(struct vga, ac),
    STATE_FIELD(STATE_BOOL, struct vga, ac_data),
    STATE_FIELD(STATE_U8, struct vga, dac_mask),
    STATE_FIELD(STATE_U8, struct vga, dac_state),
    STATE_FIELD(STATE_U8, struct vga, dac_read),
    STATE_FIELD(STATE_U8, struct vga, dac_write),
    STATE_FIELD(STATE_U8, struct vga, dac_component),
    STATE_BYTES_OF(struct vga, dac_pending),
    STATE_BYTES_OF(struct vga, palette),
    STATE_BYTES_OF(struct vga, latch),
    STATE_FIELD(STATE_U16, struct vga, vbe_index),
    STATE_ARRAY(STATE_U16, struct vga, vbe),
    STATE_FIELDS_END,
};

static const struct state_field vram_fields[] = {
    {.name = "vram", .type = STATE_BYTES, .offset = 0, .count = VGA_VRAM_SIZE},
    STATE_FIELDS_END,
};

static bool vga_after_load(void *object, struct error *err)
{
    (void)err;
    vga_vbe_sanitize(object);
    return true;
}

void vga_reset(struct vga *vga)
{
    pci_device_reset(vga->pci);
    vga->misc = vga->feature = 0;
    vga->seq_index = vga->gc_index = vga->crtc_index = vga->ac_index = 0;
    memset(vga->seq, 0, sizeof vga->seq);
    memset(vga->gc, 0, sizeof vga->gc);
    memset(vga->crtc, 0, sizeof vga->crtc);
    memset(vga->ac, 0, sizeof vga->ac);
    memset(vga->latch, 0, sizeof vga->latch);
    memset(vga->palette, 0, sizeof vga->palette);
    vga->ac_data = false;
    vga->dac_mask = 0xff;
    vga->dac_state = vga->dac_read = vga->dac_write = vga->dac_component = 0;
    vga_vbe_reset(vga);
}

struct vga *vga_create(struct pci_bus *bus, uint8_t devfn, struct portio *ports,
                       struct clock *clock, const uint8_t *rom, uint32_t rom_size)
{
    struct vga *vga = xcalloc(1, sizeof *vga);

    vga->mem = pci_bus_memory(bus);
    vga->clock = clock;
    vga->log = pci_bus_log(bus);
    vga->registry = pci_bus_registry(bus);
    void *vram = mmap(NULL, VGA_VRAM_SIZE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (vram == MAP_FAILED) {
        free(vga);
        return NULL;
    }
    vga->vram = vram;
    if (rom && rom_size) {
        vga->rom_size = PAGE_SIZE;
        while (vga->rom_size < rom_size && vga->rom_size < (1u << 20))
            vga->rom_size *= 2;
        vga->rom =
            mmap(NULL, vga->rom_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (vga->rom == MAP_FAILED) {
            munmap(vram, VGA_VRAM_SIZE);
            free(vga);
            return NULL;
        }
        memcpy(vga->rom, rom, rom_size < vga->rom_size ? rom_size : vga->rom_size);
    }
    vga->ports = portio_add(ports, "vga", 0x3c0, 16, &ports_ops, vga);
    vga->mono_ports = portio_add(ports, "vga-mono", 0x3b4, 7, &mono_ops, vga);
    vga->color_ports = portio_add(ports, "vga-color", 0x3d0, 16, &color_ops, vga);
    vga->window = physmem_add_mmio(vga->mem, "vga-window", 0xa0000, 0x20000, VGA_PRIORITY,
                                   &vga_window_ops, vga);
    vga_vbe_init(vga, bus, devfn, ports);
    state_register(vga->registry, &(struct state_section){.name = "vga",
                                                          .version = 1,
                                                          .fields = vga_fields,
                                                          .object = vga,
                                                          .after_load = vga_after_load});
    state_register(vga->registry, &(struct state_section){.name = "vga-memory",
                                                          .version = 1,
                                                          .fields = vram_fields,
                                                          .object = vga->vram});
    vga_reset(vga);
    return vga;
}

void vga_destroy(struct vga *vga)
{
    if (!vga)
        return;
    state_unregister(vga->registry, vga);
    state_unregister(vga->registry, vga->vram);
    port_range_remove(vga->ports);
    port_range_remove(vga->mono_ports);
    port_range_remove(vga->color_ports);
    port_range_remove(vga->vbe_ports);
    phys_region_remove(vga->window);
    pci_device_destroy(vga->pci);
    munmap(vga->vram, VGA_VRAM_SIZE);
    if (vga->rom)
        munmap(vga->rom, vga->rom_size);
    free(vga);
}
