// SPDX-License-Identifier: MIT
// The board: which chip's wire goes where. i440FX host bridge at 00:00.0, PIIX3 at 00:01 (ISA
// bridge, IDE, and the PIIX4's power management as function 3), VGA at 00:02.0.
#include "devices/pc.h"

#include <stdlib.h>

#include "devices/debug_exit.h"
#include "devices/debugcon.h"
#include "devices/fw_cfg.h"
#include "devices/i440fx.h"
#include "devices/i8042.h"
#include "devices/i8237.h"
#include "devices/i8254.h"
#include "devices/i8259.h"
#include "devices/ide.h"
#include "devices/ioapic.h"
#include "devices/keymap.h"
#include "devices/lapic.h"
#include "devices/mc146818.h"
#include "devices/pc_internal.h"
#include "devices/pc_testdev.h"
#include "devices/piix3.h"
#include "devices/piix4_pm.h"
#include "devices/port61.h"
#include "devices/port92.h"
#include "devices/post_port.h"
#include "devices/ps2_keyboard.h"
#include "devices/uart16550.h"
#include "devices/vga.h"

#define LOW_RAM_SIZE   0xa0000u
#define HIGH_RAM_BASE  0x100000u
#define ISA_ROM_SIZE   0x20000u // what of the firmware stands below 1 MiB
#define SERIAL_SPEEDUP 16u // a wire faster than the programmed rate: nobody waits for a console

// Several drivers share an ISA interrupt: the chip that owns it, and the PCI router.
enum irq_driver { DRIVER_CHIP = 1, DRIVER_PCI = 2, DRIVER_TESTDEV = 4 };

static void irq_drive(struct pc *pc, unsigned irq, enum irq_driver driver, bool level)
{
    uint8_t *drivers = &pc->irq_drivers[irq & 15];
    *drivers = (uint8_t)(level ? *drivers | driver : *drivers & ~driver);
    bool on = *drivers != 0;
    irq_set(&pc->pic_input[irq & 15], on);
    // The timer's IRQ0 is wired to I/O APIC pin 2; the cascade input has no pin of its own.
    if (irq != 2)
        ioapic_set_irq(pc->ioapic, irq == 0 ? 2 : irq & 15, on);
}

static void isa_irq_set(void *self, unsigned irq, bool level)
{
    irq_drive(self, irq, DRIVER_CHIP, level);
}

static void pci_irq_set(void *self, unsigned irq, bool level)
{
    irq_drive(self, irq, DRIVER_PCI, level);
}

static void testdev_irq_set(void *self, unsigned n, bool level)
{
    struct pc *pc = self;
    if (n < 16)
        irq_drive(pc, n, DRIVER_TESTDEV, level);
    else
        ioapic_set_irq(pc->ioapic, n, level);
}

static struct irq_line isa_irq(struct pc *pc, unsigned irq)
{
    return (struct irq_line){.set = isa_irq_set, .self = pc, .n = irq};
}

static void cpu_intr_set(void *self, unsigned n, bool level)
{
    struct pc *pc = self;
    pc->events.intr(pc->events.self, level);
}

static void cpu_nmi_set(void *self, unsigned n, bool level)
{
    struct pc *pc = self;
    if (level)
        pc->events.nmi(pc->events.self);
}

// The 8259s' INT output goes to LINT0 of the local APIC, which passes it on in virtual-wire mode,
// and to pin 0 of the I/O APIC.
static void pic_output_set(void *self, unsigned n, bool level)
{
    struct pc *pc = self;
    lapic_set_lint0(pc->lapic, level);
    ioapic_set_irq(pc->ioapic, 0, level);
}

static int pic_acknowledge(void *self)
{
    return i8259_acknowledge(((struct pc *)self)->pic);
}

static void a20_set(void *self, unsigned n, bool level)
{
    physmem_set_a20(((struct pc *)self)->mem, level);
}

static void reset_set(void *self, unsigned n, bool level)
{
    struct pc *pc = self;
    if (level)
        pc->events.init(pc->events.self);
}

static void piix3_reset_request(void *self, bool hard)
{
    struct pc *pc = self;
    pc->events.reset(pc->events.self);
}

static void pm_power_off(void *self)
{
    struct pc *pc = self;
    pc->events.power_off(pc->events.self);
}

static void debug_exit_written(void *self, uint32_t value)
{
    struct pc *pc = self;
    pc->events.debug_exit(pc->events.self, value);
}

static void ide_host_full(void *self, const char *image)
{
    struct pc *pc = self;
    pc->events.host_full(pc->events.self, image);
}

static struct irq_line line(void (*set)(void *, unsigned, bool), struct pc *pc)
{
    return (struct irq_line){.set = set, .self = pc};
}

static void create_memory(struct pc *pc, const struct pc_config *config)
{
    uint8_t *ram = physmem_ram(pc->mem);
    physmem_add_host(pc->mem, "ram-low", 0, LOW_RAM_SIZE, 0, ram, ram);
    if (config->ram_size > HIGH_RAM_BASE)
        physmem_add_host(pc->mem, "ram-high", HIGH_RAM_BASE, config->ram_size - HIGH_RAM_BASE, 0,
                         ram + HIGH_RAM_BASE, ram + HIGH_RAM_BASE);
    pc->rom_size = config->bios_size;
    pc->rom = aligned_alloc(PAGE_SIZE, config->bios_size);
    if (!pc->rom)
        abort();
    memcpy(pc->rom, config->bios, config->bios_size);
    physmem_add_host(pc->mem, "bios", 0u - config->bios_size, config->bios_size, 0, pc->rom, NULL);
}

static void create_interrupts(struct pc *pc)
{
    struct lapic_config lapic = {.intr = line(cpu_intr_set, pc),
                                 .nmi = line(cpu_nmi_set, pc),
                                 .init = line(reset_set, pc),
                                 .extint_acknowledge = pic_acknowledge,
                                 .self = pc};
    pc->lapic = lapic_create(pc->clock, pc->mem, pc->log, pc->registry, &lapic);
    pc->ioapic = ioapic_create(pc->mem, pc->log, pc->registry, pc->lapic);
    pc->pic = i8259_create(pc->ports, pc->log, pc->registry, line(pic_output_set, pc));
    for (unsigned i = 0; i < 16; i++)
        pc->pic_input[i] = i8259_input(pc->pic, i);
}

static void create_isa(struct pc *pc, const struct pc_config *config)
{
    pc->pit = i8254_create(pc->clock, pc->ports, pc->registry, isa_irq(pc, 0));
    pc->port61 = port61_create(pc->clock, pc->ports, pc->registry, pc->pit);
    pc->rtc = mc146818_create(pc->clock, pc->ports, pc->registry, config->rtc_base, isa_irq(pc, 8));
    pc->dma = i8237_create(pc->ports, pc->mem, pc->log, pc->registry);
    pc->port92 = port92_create(pc->ports, pc->registry, line(a20_set, pc), line(reset_set, pc));
    struct i8042_config kbc = {.irq1 = isa_irq(pc, 1),
                               .irq12 = isa_irq(pc, 12),
                               .reset = line(reset_set, pc),
                               .a20 = pc->port92};
    pc->kbc = i8042_create(pc->ports, pc->registry, &kbc);
    pc->post = post_port_create(pc->ports, pc->log, pc->registry, config->post_base);
    static const struct {
        const char *name;
        uint16_t base;
        uint8_t irq;
    } serial[PC_SERIALS] = {{"uart0", 0x3f8, 4}, {"uart1", 0x2f8, 3}};
    for (unsigned i = 0; i < PC_SERIALS; i++) {
        if (!config->serials[i])
            continue;
        struct uart16550_config uart = {.name = serial[i].name,
                                        .base = serial[i].base,
                                        .irq = isa_irq(pc, serial[i].irq),
                                        .chardev = config->serials[i],
                                        .speedup = SERIAL_SPEEDUP};
        pc->uart[i] = uart16550_create(pc->clock, pc->ports, pc->registry, &uart);
    }
    if (config->testdev)
        pc->testdev =
            pc_testdev_create(pc->ports, pc->mem, pc->registry, line(testdev_irq_set, pc));
    if (config->debugcon_present)
        pc->debugcon = debugcon_create(pc->ports, config->debugcon_base, config->debugcon);
    if (config->debug_exit)
        pc->debug_exit = debug_exit_create(pc->ports, config->debug_exit_base,
                                           config->debug_exit_size, debug_exit_written, pc);
}

static void create_pci(struct pc *pc, const struct pc_config *config)
{
    pc->bus = pci_bus_create(pc->ports, pc->mem, pc->log, pc->registry);
    uint32_t isa_rom = pc->rom_size < ISA_ROM_SIZE ? pc->rom_size : ISA_ROM_SIZE;
    struct i440fx_config host = {.ram = physmem_ram(pc->mem),
                                 .bios = pc->rom + pc->rom_size - isa_rom,
                                 .bios_size = isa_rom};
    pc->host = i440fx_create(pc->bus, &host);
    struct piix3_config piix3 = {
        .isa_irq = line(pci_irq_set, pc), .reset_request = piix3_reset_request, .reset_self = pc};
    pc->piix3 = piix3_create(pc->bus, pc->ports, &piix3);
    struct piix_ide_config ide = {
        .irq = {isa_irq(pc, 14), isa_irq(pc, 15)}, .on_host_full = ide_host_full, .self = pc};
    pc->ide = piix_ide_create(pc->bus, pc->ports, pc->clock, &ide);
    for (unsigned i = 0; i < PC_DRIVES; i++) {
        if (config->drives[i].kind == PC_DRIVE_DISK)
            piix_ide_attach_disk(pc->ide, i, config->drives[i].image);
        else if (config->drives[i].kind == PC_DRIVE_CD)
            piix_ide_attach_cd(pc->ide, i, config->drives[i].image);
    }
    struct piix4_pm_config pm = {.sci = isa_irq(pc, 9), .power_off = pm_power_off, .self = pc};
    pc->pm = piix4_pm_create(pc->bus, pc->ports, pc->clock, &pm);
    pc->vga = vga_create(pc->bus, PCI_DEVFN(2, 0), pc->ports, pc->clock, config->vga_bios,
                         config->vga_bios_size);
}

struct pc *pc_create(struct physmem *mem, struct portio *ports, struct clock *clock,
                     struct log *log, struct state_registry *registry,
                     const struct pc_config *config, struct error *err)
{
    struct pc *pc = xcalloc(1, sizeof *pc);
    pc->mem = mem;
    pc->ports = ports;
    pc->clock = clock;
    pc->log = log;
    pc->registry = registry;
    pc->events = config->events;
    create_memory(pc, config);
    create_interrupts(pc);
    create_isa(pc, config);
    create_pci(pc, config);
    pc->fw_cfg = fw_cfg_create(ports, mem, log, registry);
    pc->keys = pc_keys_create(clock, i8042_keyboard(pc->kbc));
    pc_cmos_fill(pc, config);
    if (!pc_fw_cfg_fill(pc, config, err)) {
        pc_destroy(pc);
        return NULL;
    }
    pc_reset(pc);
    return pc;
}

void pc_destroy(struct pc *pc)
{
    pc_keys_destroy(pc->keys);
    fw_cfg_destroy(pc->fw_cfg);
    vga_destroy(pc->vga);
    piix4_pm_destroy(pc->pm);
    piix_ide_destroy(pc->ide);
    piix3_destroy(pc->piix3);
    i440fx_destroy(pc->host);
    pci_bus_destroy(pc->bus);
    if (pc->debug_exit)
        debug_exit_destroy(pc->debug_exit);
    debugcon_destroy(pc->debugcon);
    pc_testdev_destroy(pc->testdev);
    for (unsigned i = 0; i < PC_SERIALS; i++)
        if (pc->uart[i])
            uart16550_destroy(pc->uart[i]);
    post_port_destroy(pc->post);
    i8042_destroy(pc->kbc);
    port92_destroy(pc->port92);
    i8237_destroy(pc->dma);
    mc146818_destroy(pc->rtc);
    port61_destroy(pc->port61);
    i8254_destroy(pc->pit);
    i8259_destroy(pc->pic);
    ioapic_destroy(pc->ioapic);
    lapic_destroy(pc->lapic);
    free(pc->rom);
    free(pc);
}

void pc_reset(struct pc *pc)
{
    pci_bus_reset(pc->bus);
    i440fx_reset(pc->host);
    piix3_reset(pc->piix3);
    piix_ide_reset(pc->ide);
    piix4_pm_reset(pc->pm);
    vga_reset(pc->vga);
    lapic_reset(pc->lapic);
    ioapic_reset(pc->ioapic);
    i8259_reset(pc->pic);
    i8254_reset(pc->pit);
    port61_reset(pc->port61);
    mc146818_reset(pc->rtc);
    i8237_reset(pc->dma);
    port92_reset(pc->port92);
    i8042_reset(pc->kbc);
    post_port_reset(pc->post);
    if (pc->testdev)
        pc_testdev_reset(pc->testdev);
    fw_cfg_reset(pc->fw_cfg);
    for (unsigned i = 0; i < PC_SERIALS; i++)
        if (pc->uart[i])
            uart16550_reset(pc->uart[i]);
}

int pc_acknowledge(struct pc *pc)
{
    return lapic_acknowledge(pc->lapic);
}

uint64_t pc_read_apic_base(struct pc *pc)
{
    return lapic_get_base(pc->lapic);
}

bool pc_write_apic_base(struct pc *pc, uint64_t value)
{
    return lapic_set_base(pc->lapic, value);
}

void pc_set_ferr(struct pc *pc, bool level)
{
    isa_irq_set(pc, 13, level);
}

void pc_power_button(struct pc *pc)
{
    piix4_pm_power_button(pc->pm);
}

struct vga *pc_vga(struct pc *pc)
{
    return pc->vga;
}

bool pc_send_keys(struct pc *pc, const char *keys, unsigned hold_ms, struct error *err)
{
    return pc_keys_send(pc->keys, keys, hold_ms, err);
}

bool pc_eject(struct pc *pc, const char *drive, bool force, struct error *err)
{
    return piix_ide_eject(pc->ide, drive, force, err);
}

bool pc_change(struct pc *pc, const char *drive, const char *path, struct error *err)
{
    return piix_ide_change(pc->ide, drive, path, err);
}

void pc_describe_pic(struct pc *pc, FILE *out)
{
    i8259_describe(pc->pic, out);
    ioapic_describe(pc->ioapic, out);
    lapic_describe(pc->lapic, out);
}

void pc_describe_irq(struct pc *pc, FILE *out)
{
    i8259_describe_counts(pc->pic, out);
}

void pc_describe_block(struct pc *pc, FILE *out)
{
    piix_ide_describe(pc->ide, out);
}

void pc_describe_pci(struct pc *pc, FILE *out)
{
    pci_bus_describe(pc->bus, out);
}

void pc_describe_tree(struct pc *pc, FILE *out)
{
    fputs("bus: main-system-bus\n"
          "  dev: i440FX-pcihost\n"
          "    bus: pci.0\n",
          out);
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        const struct pci_device *dev = pci_bus_find(pc->bus, (uint8_t)devfn);
        if (dev)
            fprintf(out, "      dev: %s, addr = %02x.%x\n", dev->name, devfn >> 3, devfn & 7);
    }
    fputs("    bus: isa.0\n", out);
    static const char *const isa[] = {"i8259",       "i8254",     "i8237",
                                      "mc146818rtc", "i8042",     "port61",
                                      "port92",      "post-port", "fw_cfg, iobase = 0x510"};
    for (unsigned i = 0; i < ARRAY_SIZE(isa); i++)
        fprintf(out, "      dev: %s\n", isa[i]);
    for (unsigned i = 0; i < PC_SERIALS; i++)
        if (pc->uart[i])
            fprintf(out, "      dev: isa-serial, index = %u, iobase = %#x, irq = %u\n", i,
                    i ? 0x2f8 : 0x3f8, 4 - i);
    if (pc->debugcon)
        fprintf(out, "      dev: isa-debugcon, iobase = %#x\n", debugcon_port(pc->debugcon));
    if (pc->testdev)
        fputs("      dev: pc-testdev\n", out);
    if (pc->debug_exit)
        fputs("      dev: isa-debug-exit\n", out);
    fputs("  dev: ioapic, mmio = 0xfec00000\n"
          "  dev: lapic, mmio = 0xfee00000\n",
          out);
}
