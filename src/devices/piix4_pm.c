// SPDX-License-Identifier: MIT
// PIIX4 power management: PM1 event and control blocks, the 24-bit PM timer on the virtual clock,
// the SCI, the general purpose event block where SeaBIOS's tables put it (0xafe0), APMC/APMS
// (0xb2/0xb3) and an SMBus host without devices. Intel 290562, section 7; ACPI 1.0, section 4.7.
// The CPU has no SMM: ACPI enable and disable commands act at once, and DEVACTB says that the
// firmware's SMM set-up has been done. Left out: suspend states other than S5, device monitors,
// throttling.
#include "devices/piix4_pm.h"

#include <stdlib.h>

#define PM_TIMER_HZ 3579545u
#define PM_OVERFLOW 0x800000u // bit 23 toggles every so many ticks

// Configuration registers.
#define PMBA      0x40u
#define DEVACTB   0x58u
#define PMREGMISC 0x80u
#define SMBBA     0x90u
#define SMBHSTCFG 0xd2u
#define PM_SIZE   64u
#define SMB_SIZE  16u

#define GPE_PORT     0xafe0u
#define APM_PORT     0xb2u
#define ACPI_ENABLE  0xf1u
#define ACPI_DISABLE 0xf0u
#define APMC_EN      (1u << 25)

enum { TMROF = 1 << 0, GBL = 1 << 5, PWRBTN = 1 << 8, RTC = 1 << 10, WAK = 1 << 15 };
#define PM1_EVENTS (TMROF | GBL | PWRBTN | RTC)
enum { SCI_EN = 1 << 0, SUS_EN = 1 << 13 };

struct piix4_pm {
    struct pci_device *pci;
    struct pci_bus *bus;
    struct clock *clock;
    struct piix4_pm_config config;
    struct port_range *pm_ports, *smb_ports, *gpe_ports, *apm_ports;
    struct timer *timer; // the next toggle of bit 23, while it may interrupt
    uint16_t status, enable, control;
    int64_t overflow_at; // when TMROF_STS gets set next
    uint16_t gpe_status, gpe_enable;
    uint8_t apmc, apms;
    uint8_t smb_status, smb_control, smb_command, smb_address, smb_data[2];
    bool sci_level;
};

static uint64_t pm_ticks(const struct piix4_pm *pm)
{
    return muldiv64((uint64_t)clock_now(pm->clock), PM_TIMER_HZ, (uint64_t)NANOSECONDS_PER_SECOND);
}

static int64_t next_overflow(const struct piix4_pm *pm)
{
    uint64_t ticks = (pm_ticks(pm) / PM_OVERFLOW + 1) * PM_OVERFLOW;

    return (int64_t)(muldiv64(ticks, (uint64_t)NANOSECONDS_PER_SECOND, PM_TIMER_HZ) + 1);
}

static void pm_update(struct piix4_pm *pm)
{
    if (clock_now(pm->clock) >= pm->overflow_at) {
        pm->status |= TMROF;
        pm->overflow_at = next_overflow(pm);
    }
    bool event =
        (pm->status & pm->enable & PM1_EVENTS) != 0 || (pm->gpe_status & pm->gpe_enable) != 0;
    bool level = event && (pm->control & SCI_EN);
    if (level != pm->sci_level) {
        pm->sci_level = level;
        irq_set(&pm->config.sci, level);
    }
    if ((pm->enable & TMROF) && !(pm->status & TMROF))
        timer_arm(pm->timer, pm->overflow_at);
    else
        timer_cancel(pm->timer);
}

static void pm_timer(void *self)
{
    pm_update(self);
}

void piix4_pm_power_button(struct piix4_pm *pm)
{
    pm->status |= PWRBTN;
    pm_update(pm);
}

static uint32_t pm_dword(struct piix4_pm *pm, uint32_t reg)
{
    switch (reg) {
    case 0:
        pm_update(pm);
        return pm->status | (uint32_t)pm->enable << 16;
    case 4:
        return pm->control;
    case 8:
        return (uint32_t)pm_ticks(pm) & 0xffffff;
    default:
        return 0;
    }
}

static uint32_t pm_read(void *self, uint32_t offset, unsigned size)
{
    return pm_dword(self, offset & ~3u) >> (8 * (offset & 3));
}

static void pm_sleep(struct piix4_pm *pm)
{
    unsigned type = (pm->control >> 10) & 7;

    log_write(pci_bus_log(pm->bus), LOG_UNIMP, "piix4-pm: sleep type %u\n", type);
    if (type == 0) {
        if (pm->config.power_off)
            pm->config.power_off(pm->config.self);
    } else {
        pm->status |= WAK; // other sleeps end at once
    }
}

static void pm_write_byte(struct piix4_pm *pm, uint32_t reg, uint8_t value)
{
    switch (reg) {
    case 0:
    case 1:
        pm->status &= (uint16_t) ~(value << (8 * reg));
        break;
    case 2:
        pm->enable = (uint16_t)((pm->enable & 0xff00) | (value & PM1_EVENTS));
        break;
    case 3:
        pm->enable = (uint16_t)((pm->enable & 0x00ff) | ((value << 8) & PM1_EVENTS));
        break;
    case 4:
        pm->control = (uint16_t)((pm->control & 0xff00) | (value & 0x03));
        break;
    case 5:
        pm->control = (uint16_t)((pm->control & 0x00ff) | ((value << 8) & 0x1c00));
        if ((value << 8) & SUS_EN)
            pm_sleep(pm);
        break;
    default:
        break;
    }
}

static void pm_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct piix4_pm *pm = self;

    pm_update(pm);
    for (unsigned i = 0; i < size; i++)
        pm_write_byte(pm, offset + i, (uint8_t)(value >> (8 * i)));
    pm_update(pm);
}

static const struct port_ops pm_ops = {pm_read, pm_write, 4};

static uint32_t gpe_read(void *self, uint32_t offset, unsigned size)
{
    const struct piix4_pm *pm = self;
    uint32_t all = pm->gpe_status | (uint32_t)pm->gpe_enable << 16;

    return all >> (8 * (offset & 3));
}

static void gpe_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct piix4_pm *pm = self;
    uint32_t shift = 8 * (offset & 1);

    if (offset < 2)
        pm->gpe_status &= (uint16_t) ~((value & 0xff) << shift);
    else
        pm->gpe_enable = (uint16_t)((pm->gpe_enable & ~(0xffu << shift)) | (value & 0xff) << shift);
    pm_update(pm);
}

static const struct port_ops gpe_ops = {gpe_read, gpe_write, 1};

static uint32_t apm_read(void *self, uint32_t offset, unsigned size)
{
    const struct piix4_pm *pm = self;

    return offset == 0 ? pm->apmc : pm->apms;
}

static void apm_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct piix4_pm *pm = self;

    if (offset == 1) {
        pm->apms = (uint8_t)value;
        return;
    }
    pm->apmc = (uint8_t)value;
    if (pm->apmc == ACPI_ENABLE)
        pm->control |= SCI_EN;
    else if (pm->apmc == ACPI_DISABLE)
        pm->control &= (uint16_t)~SCI_EN;
    pm_update(pm);
}

static const struct port_ops apm_ops = {apm_read, apm_write, 1};

// SMBus: no device answers, so a started transaction ends with the device error bit.
static uint32_t smb_read(void *self, uint32_t offset, unsigned size)
{
    const struct piix4_pm *pm = self;

    switch (offset) {
    case 0:
        return pm->smb_status;
    case 2:
        return pm->smb_control & 0x1f;
    case 3:
        return pm->smb_command;
    case 4:
        return pm->smb_address;
    case 5:
    case 6:
        return pm->smb_data[offset - 5];
    default:
        return 0;
    }
}

static void smb_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct piix4_pm *pm = self;
    uint8_t byte = (uint8_t)value;

    switch (offset) {
    case 0:
        pm->smb_status &= (uint8_t) ~(byte & 0x1e);
        break;
    case 2:
        pm->smb_control = byte & 0x1f;
        if (byte & 0x40)
            pm->smb_status |= 0x04;
        break;
    case 3:
        pm->smb_command = byte;
        break;
    case 4:
        pm->smb_address = byte;
        break;
    case 5:
    case 6:
        pm->smb_data[offset - 5] = byte;
        break;
    default:
        break;
    }
}

static const struct port_ops smb_ops = {smb_read, smb_write, 1};

static void map_ports(struct port_range *range, uint32_t base, bool enabled)
{
    port_range_set_enabled(range, false);
    if (enabled && base != 0) {
        port_range_set_base(range, (uint16_t)base);
        port_range_set_enabled(range, true);
    }
}

static void pm_update_ports(struct piix4_pm *pm)
{
    const uint8_t *config = pm->pci->config;

    map_ports(pm->pm_ports, load_le32(config + PMBA) & 0xffc0, config[PMREGMISC] & 1);
    map_ports(pm->smb_ports, load_le32(config + SMBBA) & 0xfff0, config[SMBHSTCFG] & 1);
}

static void pm_config_written(void *self, uint32_t offset, unsigned size)
{
    if (offset >= PMBA)
        pm_update_ports(self);
}

static const struct state_field pm_fields[] = {
    STATE_FIELD(STATE_TIMER, struct piix4_pm, timer),
    STATE_FIELD(STATE_U16, struct piix4_pm, status),
    STATE_FIELD(STATE_U16, struct piix4_pm, enable),
    STATE_FIELD(STATE_U16, struct piix4_pm, control),
    STATE_FIELD(STATE_U64, struct piix4_pm, overflow_at),
    STATE_FIELD(STATE_U16, struct piix4_pm, gpe_status),
    STATE_FIELD(STATE_U16, struct piix4_pm, gpe_enable),
    STATE_FIELD(STATE_U8, struct piix4_pm, apmc),
    STATE_FIELD(STATE_U8, struct piix4_pm, apms),
    STATE_FIELD(STATE_U8, struct piix4_pm, smb_status),
    STATE_FIELD(STATE_U8, struct piix4_pm, smb_control),
    STATE_FIELD(STATE_U8, struct piix4_pm, smb_command),
    STATE_FIELD(STATE_U8, struct piix4_pm, smb_address),
    STATE_ARRAY(STATE_U8, struct piix4_pm, smb_data),
    STATE_FIELD(STATE_BOOL, struct piix4_pm, sci_level),
    STATE_FIELDS_END,
};

static bool pm_after_load(void *object, struct error *err)
{
    (void)err;
    pm_update_ports(object);
    return true;
}

void piix4_pm_reset(struct piix4_pm *pm)
{
    pci_device_reset(pm->pci);
    pm->status = pm->enable = pm->control = 0;
    pm->gpe_status = pm->gpe_enable = 0;
    pm->apmc = pm->apms = 0;
    pm->smb_status = pm->smb_control = pm->smb_command = pm->smb_address = 0;
    pm->smb_data[0] = pm->smb_data[1] = 0;
    pm->overflow_at = next_overflow(pm);
    pm_update_ports(pm);
    pm_update(pm);
}

static void pm_define_config(struct pci_device *pci)
{
    pci_device_define(pci, PCI_COMMAND, 2, 0, 0x0001);
    pci_device_define(pci, PCI_STATUS, 2, 0x0280, 0);
    pci_device_define(pci, PMBA, 4, 1, 0xffc0);
    pci_device_define(pci, 0x44, 4, 0, 0xffffffff); // CNTA
    pci_device_define(pci, 0x48, 4, 0, 0xffffffff); // CNTB
    pci_device_define(pci, 0x4c, 4, 0, 0xffffffff); // GPICTL
    pci_device_define(pci, 0x50, 4, 0, 0x00ffffff); // DEVRESD
    pci_device_define(pci, 0x54, 4, 0, 0xffffffff); // DEVACTA
    pci_device_define(pci, DEVACTB, 4, APMC_EN, 0x03ffffff);
    // Resource registers: the tables look here for what is decoded on the ISA side: two serial
    // ports, a floppy controller.
    pci_device_define(pci, 0x5c, 4, 0, 0xffffffff);
    pci_device_define(pci, 0x60, 4, 0x60000000, 0xffffffff);
    pci_device_define(pci, 0x64, 4, 0x98000000, 0xffffffff);
    for (uint32_t at = 0x68; at < PMREGMISC; at += 4)
        pci_device_define(pci, at, 4, 0, 0xffffffff);
    pci_device_define(pci, PMREGMISC, 1, 0, 0x01);
    pci_device_define(pci, SMBBA, 4, 1, 0xfff0);
    pci_device_define(pci, SMBHSTCFG, 1, 0, 0x0f);
    pci_device_define(pci, 0xd3, 3, 0, 0xffffff); // slave command and shadow registers
}

struct piix4_pm *piix4_pm_create(struct pci_bus *bus, struct portio *ports, struct clock *clock,
                                 const struct piix4_pm_config *config)
{
    struct piix4_pm *pm = xcalloc(1, sizeof *pm);

    pm->bus = bus;
    pm->clock = clock;
    pm->config = *config;
    pm->pci = pci_device_create(bus, &(struct pci_device_info){.name = "piix4-pm",
                                                               .devfn = PCI_DEVFN(1, 3),
                                                               .vendor = 0x8086,
                                                               .device = 0x7113,
                                                               .subsystem_vendor = 0x1af4,
                                                               .subsystem = 0x1100,
                                                               .revision = 3,
                                                               .class_code = 0x068000,
                                                               .interrupt_pin = 1,
                                                               .config_written = pm_config_written,
                                                               .self = pm});
    pm_define_config(pm->pci);
    pm->timer = timer_create_on(clock, "pm-timer", pm_timer, pm);
    pm->pm_ports = portio_add(ports, "piix4-pm", 0, PM_SIZE, &pm_ops, pm);
    port_range_set_enabled(pm->pm_ports, false);
    pm->smb_ports = portio_add(ports, "piix4-smbus", 0, SMB_SIZE, &smb_ops, pm);
    port_range_set_enabled(pm->smb_ports, false);
    pm->gpe_ports = portio_add(ports, "acpi-gpe0", GPE_PORT, 4, &gpe_ops, pm);
    pm->apm_ports = portio_add(ports, "apm", APM_PORT, 2, &apm_ops, pm);
    state_register(pci_bus_registry(bus), &(struct state_section){.name = "piix4-pm",
                                                                  .version = 1,
                                                                  .fields = pm_fields,
                                                                  .object = pm,
                                                                  .after_load = pm_after_load});
    piix4_pm_reset(pm);
    return pm;
}

void piix4_pm_destroy(struct piix4_pm *pm)
{
    if (!pm)
        return;
    state_unregister(pci_bus_registry(pm->bus), pm);
    port_range_remove(pm->pm_ports);
    port_range_remove(pm->smb_ports);
    port_range_remove(pm->gpe_ports);
    port_range_remove(pm->apm_ports);
    timer_destroy(pm->timer);
    pci_device_destroy(pm->pci);
    free(pm);
}
