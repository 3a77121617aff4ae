// SPDX-License-Identifier: MIT
// The Bochs VBE registers ("dispi", id B0C5) at ports 0x1ce/0x1cf and the PCI function around the
// card: BAR0 video memory, BAR2 registers (0x400: VGA ports from 0x3c0, 0x500: dispi), expansion
// ROM. Left out: EDID (reads as zeros).
#include "devices/vga_internal.h"

#define DISPI_ID5  0xb0c5u
#define MAX_XRES   2560u
#define MAX_YRES   1600u
#define MMIO_SIZE  0x1000u
#define MMIO_VGA   0x400u
#define MMIO_DISPI 0x500u

bool vga_vbe_is_on(const struct vga *vga)
{
    return (vga->vbe[VBE_ENABLE] & VBE_ENABLED) != 0;
}

uint32_t vga_vbe_line_bytes(const struct vga *vga)
{
    uint32_t width = vga->vbe[VBE_VIRT_WIDTH];

    return vga->vbe[VBE_BPP] == 4 ? width / 8 * 4 : width * ((vga->vbe[VBE_BPP] + 7u) / 8);
}

// Brings resolution, depth and offsets to what the memory holds.
static void vbe_fit(struct vga *vga)
{
    uint16_t *vbe = vga->vbe;

    if (vbe[VBE_BPP] != 4 && vbe[VBE_BPP] != 15 && vbe[VBE_BPP] != 16 && vbe[VBE_BPP] != 24 &&
        vbe[VBE_BPP] != 32)
        vbe[VBE_BPP] = 8;
    vbe[VBE_XRES] &= 0xfff8;
    if (vbe[VBE_XRES] > MAX_XRES)
        vbe[VBE_XRES] = MAX_XRES;
    if (vbe[VBE_XRES] < 8)
        vbe[VBE_XRES] = 8;
    if (vbe[VBE_YRES] > MAX_YRES)
        vbe[VBE_YRES] = MAX_YRES;
    if (vbe[VBE_YRES] < 1)
        vbe[VBE_YRES] = 1;
    vbe[VBE_VIRT_WIDTH] &= 0xfff8;
    if (vbe[VBE_VIRT_WIDTH] < vbe[VBE_XRES])
        vbe[VBE_VIRT_WIDTH] = vbe[VBE_XRES];
    uint32_t lines = VGA_VRAM_SIZE / vga_vbe_line_bytes(vga);
    if (lines < vbe[VBE_YRES]) {
        vbe[VBE_VIRT_WIDTH] = vbe[VBE_XRES];
        lines = VGA_VRAM_SIZE / vga_vbe_line_bytes(vga);
    }
    if (lines < vbe[VBE_YRES])
        vbe[VBE_YRES] = (uint16_t)lines;
    vbe[VBE_VIRT_HEIGHT] = lines < 0xffff ? (uint16_t)lines : 0xffff;
    if (vbe[VBE_X_OFFSET] + vbe[VBE_XRES] > vbe[VBE_VIRT_WIDTH])
        vbe[VBE_X_OFFSET] = vbe[VBE_VIRT_WIDTH] - vbe[VBE_XRES];
    if (vbe[VBE_Y_OFFSET] + vbe[VBE_YRES] > vbe[VBE_VIRT_HEIGHT])
        vbe[VBE_Y_OFFSET] = vbe[VBE_VIRT_HEIGHT] - vbe[VBE_YRES];
}

static void vbe_enable(struct vga *vga, uint16_t value)
{
    bool turn_on = (value & VBE_ENABLED) && !vga_vbe_is_on(vga);

    if (turn_on) {
        vga->vbe[VBE_VIRT_WIDTH] = vga->vbe[VBE_XRES];
        vga->vbe[VBE_X_OFFSET] = vga->vbe[VBE_Y_OFFSET] = 0;
        vga->vbe[VBE_BANK] = 0;
        vbe_fit(vga);
        if (!(value & VBE_NOCLEAR))
            memset(vga->vram, 0, (size_t)vga_vbe_line_bytes(vga) * vga->vbe[VBE_YRES]);
    } else if (!(value & VBE_ENABLED)) {
        vga->vbe[VBE_BANK] = 0;
    }
    // The palette changes its scale with the DAC's width.
    if ((value ^ vga->vbe[VBE_ENABLE]) & VBE_8BIT_DAC)
        for (unsigned i = 0; i < sizeof vga->palette; i++)
            vga->palette[i] =
                value & VBE_8BIT_DAC ? (uint8_t)(vga->palette[i] << 2) : vga->palette[i] >> 2;
    vga->vbe[VBE_ENABLE] = value;
}

static uint16_t vbe_read(const struct vga *vga)
{
    uint16_t index = vga->vbe_index;

    if (vga->vbe[VBE_ENABLE] & VBE_GETCAPS) {
        if (index == VBE_XRES)
            return MAX_XRES;
        if (index == VBE_YRES)
            return MAX_YRES;
        if (index == VBE_BPP)
            return 32;
    }
    if (index == VBE_MEMORY_64K)
        return VGA_VRAM_SIZE >> 16;
    return index < VBE_COUNT ? vga->vbe[index] : 0;
}

static void vbe_write(struct vga *vga, uint16_t value)
{
    bool on = vga_vbe_is_on(vga);

    switch (vga->vbe_index) {
    case VBE_ID:
        if (value >= 0xb0c0 && value <= DISPI_ID5)
            vga->vbe[VBE_ID] = value;
        break;
    case VBE_XRES:
    case VBE_YRES:
    case VBE_BPP:
        if (!on)
            vga->vbe[vga->vbe_index] = value;
        break;
    case VBE_ENABLE:
        vbe_enable(vga, value);
        break;
    case VBE_BANK:
        vga->vbe[VBE_BANK] = value & ((VGA_VRAM_SIZE >> 16) - 1);
        break;
    case VBE_VIRT_WIDTH:
    case VBE_X_OFFSET:
    case VBE_Y_OFFSET:
        vga->vbe[vga->vbe_index] = value;
        if (on)
            vbe_fit(vga);
        break;
    default:
        break;
    }
}

void vga_vbe_reset(struct vga *vga)
{
    memset(vga->vbe, 0, sizeof vga->vbe);
    vga->vbe_index = 0;
    vga->vbe[VBE_ID] = DISPI_ID5;
}

void vga_vbe_sanitize(struct vga *vga)
{
    vga->vbe[VBE_BANK] &= (VGA_VRAM_SIZE >> 16) - 1;
    if (vga_vbe_is_on(vga))
        vbe_fit(vga);
}

// Ports: 0x1ce index, 0x1cf (and 0x1d0, for those who want it aligned) data.
static uint32_t vbe_port_read(void *self, uint32_t offset, unsigned size)
{
    const struct vga *vga = self;

    return offset == 0 ? vga->vbe_index : vbe_read(vga);
}

static void vbe_port_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct vga *vga = self;

    if (offset == 0)
        vga->vbe_index = (uint16_t)value;
    else
        vbe_write(vga, (uint16_t)value);
}

static const struct port_ops vbe_port_ops = {vbe_port_read, vbe_port_write, 2};

static uint32_t mmio_read(void *self, uint32_t offset, unsigned size)
{
    struct vga *vga = self;
    uint32_t value = 0;

    if (offset >= MMIO_VGA && offset < MMIO_VGA + 0x20) {
        for (unsigned i = 0; i < size; i++)
            value |= (uint32_t)vga_port_read(vga, 0x3c0 + ((offset - MMIO_VGA + i) & 0x1f))
                     << (8 * i);
    } else if (offset >= MMIO_DISPI && offset < MMIO_DISPI + 2 * VBE_COUNT) {
        uint16_t index = vga->vbe_index;
        vga->vbe_index = (uint16_t)((offset - MMIO_DISPI) / 2);
        value = (uint32_t)vbe_read(vga) >> (8 * (offset & 1));
        vga->vbe_index = index;
    }
    return value;
}

static void mmio_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct vga *vga = self;

    if (offset >= MMIO_VGA && offset < MMIO_VGA + 0x20) {
        for (unsigned i = 0; i < size; i++)
            vga_port_write(vga, 0x3c0 + ((offset - MMIO_VGA + i) & 0x1f),
                           (uint8_t)(value >> (8 * i)));
    } else if (offset >= MMIO_DISPI && offset < MMIO_DISPI + 2 * VBE_COUNT && size == 2) {
        uint16_t index = vga->vbe_index;
        vga->vbe_index = (uint16_t)((offset - MMIO_DISPI) / 2);
        vbe_write(vga, (uint16_t)value);
        vga->vbe_index = index;
    }
}

static const struct mmio_ops mmio_register_ops = {
    .read = mmio_read, .write = mmio_write, .max_size = 2};

void vga_vbe_init(struct vga *vga, struct pci_bus *bus, uint8_t devfn, struct portio *ports)
{
    vga->pci = pci_device_create(bus, &(struct pci_device_info){.name = "vga",
                                                                .devfn = devfn,
                                                                .vendor = 0x1234,
                                                                .device = 0x1111,
                                                                .subsystem_vendor = 0x1af4,
                                                                .subsystem = 0x1100,
                                                                .revision = 2,
                                                                .class_code = 0x030000,
                                                                .self = vga});
    pci_device_add_host(vga->pci, 0, VGA_VRAM_SIZE, vga->vram);
    pci_device_add_mmio(vga->pci, 2, MMIO_SIZE, &mmio_register_ops, vga);
    if (vga->rom)
        pci_device_add_rom(vga->pci, vga->rom_size, vga->rom);
    vga->vbe_ports = portio_add(ports, "vbe", 0x1ce, 3, &vbe_port_ops, vga);
}
