// SPDX-License-Identifier: MIT
// The local APIC's memory-mapped registers, Intel SDM vol. 3, table "Local APIC Register Address
// Map", and `info lapic`.
#include "devices/lapic_internal.h"

// Registers.

static uint32_t register_read(const struct lapic *apic, uint32_t reg)
{
    if (reg >= 0x10 && reg < 0x18)
        return apic->isr[reg - 0x10];
    if (reg >= 0x18 && reg < 0x20)
        return apic->tmr[reg - 0x18];
    if (reg >= 0x20 && reg < 0x28)
        return apic->irr[reg - 0x20];
    if (reg >= 0x32 && reg < 0x32 + LVT_COUNT)
        return apic->lvt[reg - 0x32];
    switch (reg) {
    case 0x02:
        return apic->id;
    case 0x03:
        return VERSION;
    case 0x08:
        return apic->tpr;
    case 0x09: // arbitration priority: nobody competes
    case 0x0a:
        return lapic_ppr(apic);
    case 0x0d:
        return apic->ldr;
    case 0x0e:
        return apic->dfr;
    case 0x0f:
        return apic->svr;
    case 0x28:
        return apic->esr;
    case 0x30:
        return apic->icr_low;
    case 0x31:
        return apic->icr_high;
    case 0x38:
        return apic->initial_count;
    case 0x39:
        return lapic_current_count(apic);
    case 0x3e:
        return apic->divide;
    default:
        return 0;
    }
}

static void write_lvt(struct lapic *apic, enum lvt n, uint32_t value)
{
    static const uint32_t writable[LVT_COUNT] = {
        [LVT_TIMER] = 0x300ff, [LVT_THERMAL] = 0x107ff, [LVT_PERF] = 0x107ff,
        [LVT_LINT0] = 0x1a7ff, [LVT_LINT1] = 0x1a7ff,   [LVT_ERROR] = 0x100ff,
    };
    uint32_t keep = apic->lvt[n] & LVT_REMOTE_IRR;

    if (!(apic->svr & SVR_ENABLE))
        value |= LVT_MASKED;
    apic->lvt[n] = (value & writable[n]) | keep;
    if (n == LVT_TIMER)
        lapic_timer_changed(apic);
    // A level wire that is already up is seen when its vector opens.
    if ((n == LVT_LINT0 || n == LVT_LINT1) && (value & LVT_LEVEL) && apic->lint[n - LVT_LINT0])
        lapic_deliver_local(apic, n);
    lapic_update(apic);
}

static void write_svr(struct lapic *apic, uint32_t value)
{
    apic->svr = value & 0x3ff;
    if (!(value & SVR_ENABLE))
        for (unsigned n = 0; n < LVT_COUNT; n++)
            apic->lvt[n] |= LVT_MASKED;
    lapic_update(apic);
}

static void register_write(struct lapic *apic, uint32_t reg, uint32_t value)
{
    if (reg >= 0x32 && reg < 0x32 + LVT_COUNT) {
        write_lvt(apic, reg - 0x32, value);
        return;
    }
    switch (reg) {
    case 0x02:
        apic->id = value & 0xff000000;
        break;
    case 0x08:
        apic->tpr = value & 0xff;
        lapic_update(apic);
        break;
    case 0x0b:
        lapic_write_eoi(apic);
        break;
    case 0x0d:
        apic->ldr = value & 0xff000000;
        break;
    case 0x0e:
        apic->dfr = value | 0x0fffffff;
        break;
    case 0x0f:
        write_svr(apic, value);
        break;
    case 0x28: // a write makes the errors since the last one readable
        apic->esr = apic->esr_pending;
        apic->esr_pending = 0;
        break;
    case 0x30:
        lapic_write_icr(apic, value);
        break;
    case 0x31:
        apic->icr_high = value & 0xff000000;
        break;
    case 0x38:
        lapic_timer_start(apic, value);
        break;
    case 0x3e:
        apic->divide = value & 0x0b;
        lapic_timer_changed(apic);
        break;
    default:
        break;
    }
}

// Registers are dwords at multiples of 16.
static uint32_t mmio_read(void *self, uint32_t offset, unsigned size)
{
    struct lapic *apic = self;

    if ((offset & 0xf) + size > 4)
        return 0;
    return register_read(apic, (offset >> 4) & 0xff) >> (8 * (offset & 3));
}

static void mmio_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    if ((offset & 0xf) == 0 && size == 4)
        register_write(self, (offset >> 4) & 0xff, value);
}

const struct mmio_ops lapic_mmio_ops = {.read = mmio_read, .write = mmio_write, .max_size = 4};

void lapic_describe(const struct lapic *apic, FILE *out)
{
    static const char *const names[LVT_COUNT] = {"timer", "thermal", "perf",
                                                 "LINT0", "LINT1",   "error"};

    fprintf(out, "local APIC: base 0x%llx, %s, id %u, version %08x\n",
            (unsigned long long)apic->base, lapic_is_active(apic) ? "enabled" : "disabled",
            apic->id >> 24, VERSION);
    fprintf(out, "  TPR %02x  PPR %02x  SVR %03x  LDR %08x  DFR %08x  ESR %02x  ICR %08x %08x\n",
            apic->tpr, lapic_ppr(apic), apic->svr, apic->ldr, apic->dfr, apic->esr, apic->icr_high,
            apic->icr_low);
    for (unsigned n = 0; n < LVT_COUNT; n++)
        fprintf(out, "  LVT %-8s %08x%s\n", names[n], apic->lvt[n],
                apic->lvt[n] & LVT_MASKED ? "  masked" : "");
    fprintf(out, "  timer: initial %u, current %u, divide %x\n", apic->initial_count,
            lapic_current_count(apic), apic->divide);
    for (unsigned vector = 0; vector < 256; vector++)
        if (lapic_bit_test(apic->irr, (uint8_t)vector) ||
            lapic_bit_test(apic->isr, (uint8_t)vector))
            fprintf(out, "  vector %02x:%s%s%s\n", vector,
                    lapic_bit_test(apic->irr, (uint8_t)vector) ? " requested" : "",
                    lapic_bit_test(apic->isr, (uint8_t)vector) ? " in service" : "",
                    lapic_bit_test(apic->tmr, (uint8_t)vector) ? " level" : "");
}
