// SPDX-License-Identifier: MIT
// 82441FX (PMC) as far as software uses it: configuration header, PAM0-6 (59h-5Fh) and SMRAMC
// (72h). Left out: DRAM timing and row boundaries (kept as plain bytes), ECC, the AGP-less error
// logic. The CPU has no SMM, so SMRAM opens through D_OPEN only. Datasheet: Intel 290549,
// sections 3.2.17 and 3.2.20.
#include "devices/i440fx.h"

#include <stdlib.h>

#define PAM0       0x59u
#define PAM_COUNT  7u
#define SMRAMC     0x72u
#define SEGMENTS   13u // twelve of 16 KiB from 0xc0000, one of 64 KiB at 0xf0000
#define SMRAM_BASE 0xa0000u
#define SMRAM_SIZE 0x20000u

enum { PAM_READ = 1, PAM_WRITE = 2 };
enum { SMRAM_D_OPEN = 1 << 6, SMRAM_D_CLOSE = 1 << 5, SMRAM_LOCK = 1 << 4, SMRAM_ENABLE = 1 << 3 };

struct i440fx {
    struct pci_device *pci;
    struct physmem *mem;
    struct i440fx_config config;
    struct phys_region *segments[SEGMENTS];
    struct phys_region *smram;
    bool locked;
};

static uint32_t segment_base(unsigned n)
{
    return n == 12 ? 0xf0000u : 0xc0000u + n * 0x4000u;
}

static uint32_t segment_size(unsigned n)
{
    return n == 12 ? 0x10000u : 0x4000u;
}

// PAM0 bits 5:4 rule the BIOS segment; PAM1.. hold two 16 KiB segments each, the lower one in the
// low nibble.
static unsigned segment_attributes(const struct i440fx *chip, unsigned n)
{
    if (n == 12)
        return (chip->pci->config[PAM0] >> 4) & 3;
    return (chip->pci->config[PAM0 + 1 + n / 2] >> (4 * (n & 1))) & 3;
}

static uint8_t *segment_rom(const struct i440fx *chip, unsigned n)
{
    uint32_t start = 0x100000u - chip->config.bios_size;
    uint32_t base = segment_base(n);

    return base >= start ? chip->config.bios + (base - start) : NULL;
}

static void i440fx_update_map(struct i440fx *chip)
{
    uint8_t smramc = chip->pci->config[SMRAMC];

    physmem_begin_changes(chip->mem);
    for (unsigned n = 0; n < SEGMENTS; n++) {
        unsigned attributes = segment_attributes(chip, n);
        uint8_t *ram = chip->config.ram + segment_base(n);
        phys_region_set_host(chip->segments[n], attributes & PAM_READ ? ram : segment_rom(chip, n),
                             attributes & PAM_WRITE ? ram : NULL);
    }
    phys_region_set_enabled(chip->smram, (smramc & SMRAM_ENABLE) && (smramc & SMRAM_D_OPEN) &&
                                             !(smramc & SMRAM_D_CLOSE));
    physmem_end_changes(chip->mem);
}

// D_LCK closes the window and freezes the register until reset.
static void i440fx_update_lock(struct i440fx *chip)
{
    uint8_t *config = chip->pci->config;

    chip->locked = (config[SMRAMC] & SMRAM_LOCK) != 0;
    if (chip->locked)
        config[SMRAMC] &= (uint8_t)~SMRAM_D_OPEN;
    chip->pci->writable[SMRAMC] = chip->locked ? SMRAM_D_CLOSE : 0x78;
}

static void i440fx_config_written(void *self, uint32_t offset, unsigned size)
{
    struct i440fx *chip = self;

    if (offset + size > SMRAMC && offset <= SMRAMC)
        i440fx_update_lock(chip);
    if (offset + size > PAM0 && offset <= SMRAMC)
        i440fx_update_map(chip);
}

static const struct state_field i440fx_fields[] = {
    STATE_FIELD(STATE_BOOL, struct i440fx, locked),
    STATE_FIELDS_END,
};

static bool i440fx_after_load(void *object, struct error *err)
{
    (void)err;
    i440fx_update_lock(object);
    i440fx_update_map(object);
    return true;
}

void i440fx_reset(struct i440fx *chip)
{
    pci_device_reset(chip->pci);
    i440fx_update_lock(chip);
    i440fx_update_map(chip);
}

struct i440fx *i440fx_create(struct pci_bus *bus, const struct i440fx_config *config)
{
    struct i440fx *chip = xcalloc(1, sizeof *chip);

    chip->mem = pci_bus_memory(bus);
    chip->config = *config;
    chip->pci = pci_device_create(bus, &(struct pci_device_info){
                                           .name = "i440fx",
                                           .devfn = PCI_DEVFN(0, 0),
                                           .vendor = 0x8086,
                                           .device = 0x1237,
                                           .subsystem_vendor = 0x1af4,
                                           .subsystem = 0x1100,
                                           .revision = 2,
                                           .class_code = 0x060000,
                                           .config_written = i440fx_config_written,
                                           .self = chip,
                                       });
    pci_device_define(chip->pci, 0x50, 2, 0, 0xffff); // PMCCFG
    for (unsigned i = 0x54; i < PAM0; i++)            // DRAM control and timing
        pci_device_define(chip->pci, i, 1, 0, 0xff);
    pci_device_define(chip->pci, PAM0, 1, 0, 0x30);
    for (unsigned i = 1; i < PAM_COUNT; i++)
        pci_device_define(chip->pci, PAM0 + i, 1, 0, 0x33);
    for (unsigned i = 0x60; i < 0x68; i++) // DRAM row boundaries
        pci_device_define(chip->pci, i, 1, 0, 0xff);
    pci_device_define(chip->pci, SMRAMC, 1, 0x02, 0x78);
    physmem_begin_changes(chip->mem);
    for (unsigned n = 0; n < SEGMENTS; n++)
        chip->segments[n] =
            physmem_add_host(chip->mem, n == 12 ? "pam-f0000" : "pam", segment_base(n),
                             segment_size(n), I440FX_PAM_PRIORITY, segment_rom(chip, n), NULL);
    chip->smram =
        physmem_add_host(chip->mem, "smram", SMRAM_BASE, SMRAM_SIZE, I440FX_SMRAM_PRIORITY,
                         config->ram + SMRAM_BASE, config->ram + SMRAM_BASE);
    phys_region_set_enabled(chip->smram, false);
    physmem_end_changes(chip->mem);
    state_register(pci_bus_registry(bus), &(struct state_section){.name = "i440fx",
                                                                  .version = 1,
                                                                  .fields = i440fx_fields,
                                                                  .object = chip,
                                                                  .after_load = i440fx_after_load});
    i440fx_update_map(chip);
    return chip;
}

void i440fx_destroy(struct i440fx *chip)
{
    if (!chip)
        return;
    state_unregister(pci_bus_registry(chip->pci->bus), chip);
    for (unsigned n = 0; n < SEGMENTS; n++)
        phys_region_remove(chip->segments[n]);
    phys_region_remove(chip->smram);
    pci_device_destroy(chip->pci);
    free(chip);
}
