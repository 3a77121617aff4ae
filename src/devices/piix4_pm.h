// SPDX-License-Identifier: MIT
// 82371AB PIIX4, function 3: power management and SMBus host (8086:7113) at 00:01.3.
#ifndef EMU_DEVICES_PIIX4_PM_H
#define EMU_DEVICES_PIIX4_PM_H

#include "base/clock.h"
#include "devices/pci.h"

struct piix4_pm;

struct piix4_pm_config {
    struct irq_line sci; // IRQ9, level
    // SLP_EN with the S5 type was written. Called inside a port write: post it.
    void (*power_off)(void *self);
    void *self;
};

struct piix4_pm *piix4_pm_create(struct pci_bus *bus, struct portio *ports, struct clock *clock,
                                 const struct piix4_pm_config *config);
void piix4_pm_destroy(struct piix4_pm *pm);
void piix4_pm_reset(struct piix4_pm *pm);

// system_powerdown: a press of the power button.
void piix4_pm_power_button(struct piix4_pm *pm);

#endif
