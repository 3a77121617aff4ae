// SPDX-License-Identifier: MIT
// Local APIC, I/O APIC and the PIIX4's power management.
#include "pci_bench.h"

#include "devices/ioapic.h"
#include "devices/piix4_pm.h"

#define LAPIC 0xfee00000u
enum { LINE_INTR = 1, LINE_NMI = 2, LINE_INIT = 3, LINE_SCI = 9 };

struct rig {
    struct bench b;
    struct lapic *lapic;
    struct ioapic *ioapic;
};

static int pic_vector(void *self)
{
    return 0x08;
}

static void rig_open(struct rig *r)
{
    bench_open(&r->b);
    struct lapic_config config = {.intr = bench_line(&r->b, LINE_INTR),
                                  .nmi = bench_line(&r->b, LINE_NMI),
                                  .init = bench_line(&r->b, LINE_INIT),
                                  .extint_acknowledge = pic_vector};
    r->lapic = lapic_create(r->b.clock, r->b.mem, &r->b.log, r->b.registry, &config);
    r->ioapic = ioapic_create(r->b.mem, &r->b.log, r->b.registry, r->lapic);
}

static void rig_close(struct rig *r)
{
    ioapic_destroy(r->ioapic);
    lapic_destroy(r->lapic);
    bench_close(&r->b);
}

static uint32_t get(struct rig *r, uint32_t reg)
{
    return (uint32_t)physmem_load(r->b.mem, LAPIC + reg, 4);
}

static void set(struct rig *r, uint32_t reg, uint32_t value)
{
    physmem_store(r->b.mem, LAPIC + reg, value, 4);
}

static void redirect(struct rig *r, unsigned pin, uint32_t low, uint32_t high)
{
    physmem_store(r->b.mem, 0xfec00000, 0x11 + 2 * pin, 4);
    physmem_store(r->b.mem, 0xfec00010, high, 4);
    physmem_store(r->b.mem, 0xfec00000, 0x10 + 2 * pin, 4);
    physmem_store(r->b.mem, 0xfec00010, low, 4);
}

static uint32_t redirect_low(struct rig *r, unsigned pin)
{
    physmem_store(r->b.mem, 0xfec00000, 0x10 + 2 * pin, 4);
    return (uint32_t)physmem_load(r->b.mem, 0xfec00010, 4);
}

static void test_virtual_wire(void **state)
{
    struct rig r;
    rig_open(&r);
    lapic_set_lint0(r.lapic, true);
    assert_true(r.b.irq[LINE_INTR]);
    assert_int_equal(lapic_acknowledge(r.lapic), 8);
    lapic_set_lint0(r.lapic, false);
    assert_false(r.b.irq[LINE_INTR]);
    set(&r, 0xf0, 0x1ff);
    set(&r, 0x350, 0x10700); // masked
    lapic_set_lint0(r.lapic, true);
    assert_false(r.b.irq[LINE_INTR]);
    set(&r, 0x350, 0x700);
    assert_true(r.b.irq[LINE_INTR]);
    set(&r, 0x350, 0x10700);
    // Switched off globally, the pins are INTR and NMI; the window is gone.
    assert_true(lapic_set_base(r.lapic, 0xfee00100));
    assert_true(r.b.irq[LINE_INTR]);
    lapic_set_lint1(r.lapic, true);
    assert_int_equal(r.b.rises[LINE_NMI], 1);
    assert_int_equal(get(&r, 0x30), 0xffffffff);
    assert_false(lapic_set_base(r.lapic, 0xfee00d00)); // x2APIC
    assert_true(lapic_set_base(r.lapic, 0xfe000900));
    assert_int_equal(physmem_load(r.b.mem, 0xfe000030, 4), 0x50014);
    rig_close(&r);
}

static void test_priorities(void **state)
{
    struct rig r;
    rig_open(&r);
    assert_false(lapic_deliver(r.lapic, 0, false, APIC_FIXED, 0x40, false)); // software-disabled
    set(&r, 0xf0, 0x1ff);
    assert_true(lapic_deliver(r.lapic, 0, false, APIC_FIXED, 0x40, false));
    assert_true(lapic_deliver(r.lapic, 0xff, false, APIC_FIXED, 0x61, false));
    assert_false(lapic_deliver(r.lapic, 1, false, APIC_FIXED, 0x70, false));
    assert_int_equal(lapic_acknowledge(r.lapic), 0x61);
    assert_int_equal(get(&r, 0xa0), 0x60);
    assert_false(r.b.irq[LINE_INTR]);
    lapic_deliver(r.lapic, 0, false, APIC_FIXED, 0x68, false); // same class: waits
    assert_false(r.b.irq[LINE_INTR]);
    set(&r, 0xb0, 0);
    assert_int_equal(lapic_acknowledge(r.lapic), 0x68);
    set(&r, 0xb0, 0);
    set(&r, 0x80, 0x50); // TPR above 0x40
    assert_false(r.b.irq[LINE_INTR]);
    assert_int_equal(lapic_acknowledge(r.lapic), 0xff); // spurious
    set(&r, 0x80, 0x20);
    assert_int_equal(lapic_acknowledge(r.lapic), 0x40);
    set(&r, 0xb0, 0);
    // Logical addressing, self IPI, errors.
    set(&r, 0xd0, 0x02000000);
    assert_true(lapic_deliver(r.lapic, 0x03, true, APIC_LOWEST, 0x80, false));
    assert_false(lapic_deliver(r.lapic, 0x04, true, APIC_FIXED, 0x81, false));
    set(&r, 0x300, 0x40090);
    assert_int_equal(lapic_acknowledge(r.lapic), 0x90);
    set(&r, 0x300, 0x40005);
    set(&r, 0x280, 0);
    assert_int_equal(get(&r, 0x280), 0x60);
    set(&r, 0x300, 0xc4500); // INIT to all others
    assert_int_equal(r.b.rises[LINE_INIT], 0);
    rig_close(&r);
}

static void test_timer(void **state)
{
    struct rig r;
    rig_open(&r);
    set(&r, 0xf0, 0x1ff);
    set(&r, 0x3e0, 0x3); // by 16: 160 ns a count
    set(&r, 0x320, 0x31);
    set(&r, 0x380, 1000);
    bench_run(&r.b, 80000);
    assert_int_equal(get(&r, 0x390), 500);
    assert_false(r.b.irq[LINE_INTR]);
    bench_run(&r.b, 80000);
    assert_int_equal(lapic_acknowledge(r.lapic), 0x31);
    assert_int_equal(get(&r, 0x390), 0);
    set(&r, 0xb0, 0);
    set(&r, 0x320, 0x20031); // periodic
    set(&r, 0x380, 1000);
    r.b.rises[LINE_INTR] = 0;
    for (unsigned i = 0; i < 5; i++) {
        bench_run(&r.b, 160000);
        assert_int_equal(lapic_acknowledge(r.lapic), 0x31);
        set(&r, 0xb0, 0);
    }
    assert_int_equal(r.b.rises[LINE_INTR], 5);
    set(&r, 0x380, 0);
    bench_run(&r.b, 1000000);
    assert_false(r.b.irq[LINE_INTR]);
    rig_close(&r);
}

// However short the count and however late the machine looks, a count that ran out interrupts.
static void test_timer_looked_at_late(void **state)
{
    struct rig r;
    rig_open(&r);
    set(&r, 0xf0, 0x1ff);
    set(&r, 0x3e0, 0xb); // by 1: 10 ns a count
    set(&r, 0x320, 0x31);
    set(&r, 0x380, 1000);
    r.b.instructions += 1000000;
    set(&r, 0x320, 0x32);
    set(&r, 0x3e0, 0x3);
    set(&r, 0x3e0, 0xb);
    bench_run(&r.b, 0);
    assert_int_equal(lapic_acknowledge(r.lapic), 0x32);
    set(&r, 0xb0, 0);
    set(&r, 0x320, 0x31); // it has fired: that starts nothing
    bench_run(&r.b, 1000000);
    assert_false(r.b.irq[LINE_INTR]);

    clock_set_icount(r.b.clock, NULL, 0); // time passes between any two looks at the clock
    for (unsigned i = 0; i < 100; i++) {
        set(&r, 0x380, 1);
        bench_run(&r.b, 10);
        assert_int_equal(lapic_acknowledge(r.lapic), 0x31);
        set(&r, 0xb0, 0);
    }
    rig_close(&r);
}

static void test_ioapic(void **state)
{
    struct rig r;
    rig_open(&r);
    set(&r, 0xf0, 0x1ff);
    physmem_store(r.b.mem, 0xfec00000, 1, 4);
    assert_int_equal(physmem_load(r.b.mem, 0xfec00010, 4), 0x170011);
    ioapic_set_irq(r.ioapic, 4, true); // masked edge: lost
    redirect(&r, 4, 0x34, 0);
    assert_false(r.b.irq[LINE_INTR]);
    ioapic_set_irq(r.ioapic, 4, false);
    ioapic_set_irq(r.ioapic, 4, true);
    assert_int_equal(lapic_acknowledge(r.lapic), 0x34);
    set(&r, 0xb0, 0);
    assert_false(r.b.irq[LINE_INTR]);
    // Level: remote IRR until EOI, again while the wire is up.
    redirect(&r, 10, 0xa051, 0);
    ioapic_set_irq(r.ioapic, 10, true);
    assert_int_equal(redirect_low(&r, 10) & 0x4000, 0x4000);
    assert_int_equal(lapic_acknowledge(r.lapic), 0x51);
    set(&r, 0xb0, 0);
    assert_int_equal(lapic_acknowledge(r.lapic), 0x51);
    ioapic_set_irq(r.ioapic, 10, false);
    set(&r, 0xb0, 0);
    assert_false(r.b.irq[LINE_INTR]);
    assert_int_equal(redirect_low(&r, 10) & 0x4000, 0);
    redirect(&r, 0, 0x700, 0); // ExtINT through pin 0
    ioapic_set_irq(r.ioapic, 0, true);
    assert_int_equal(lapic_acknowledge(r.lapic), 8);
    redirect(&r, 1, 0x400, 0); // NMI
    ioapic_set_irq(r.ioapic, 1, true);
    assert_int_equal(r.b.rises[LINE_NMI], 1);
    rig_close(&r);
}

static void power_off(void *self)
{
    ++*(int *)self;
}

static void test_pm(void **state)
{
    struct bench b;
    int offs = 0;
    bench_open(&b);
    struct piix4_pm_config config = {
        .sci = bench_line(&b, LINE_SCI), .power_off = power_off, .self = &offs};
    struct piix4_pm *pm = piix4_pm_create(b.bus, b.ports, b.clock, &config);
    unsigned dev = PCI_DEVFN(1, 3);
    assert_int_equal(config_in(&b, dev, 0, 4), 0x71138086);
    assert_int_equal(config_in(&b, dev, 0x58, 4) >> 25 & 1, 1);
    config_out(&b, dev, 0x40, 0xb001, 4);
    assert_int_equal(in32(&b, 0xb008), 0xffffffff);
    config_out(&b, dev, 0x80, 1, 1);
    uint32_t start = in32(&b, 0xb008);
    bench_run(&b, NANOSECONDS_PER_SECOND);
    assert_in_range((in32(&b, 0xb008) - start) & 0xffffff, 3579544, 3579546);
    // The timer's top bit toggles every 2.34 s; its interrupt needs SCI_EN.
    out16(&b, 0xb002, 0x0001);
    bench_run(&b, 3 * NANOSECONDS_PER_SECOND);
    assert_int_equal(in16(&b, 0xb000) & 1, 1);
    assert_false(b.irq[LINE_SCI]);
    out8(&b, 0xb2, 0xf1);
    assert_true(b.irq[LINE_SCI]);
    assert_int_equal(in16(&b, 0xb004) & 1, 1);
    out16(&b, 0xb000, 1);
    assert_false(b.irq[LINE_SCI]);
    bench_run(&b, 3 * NANOSECONDS_PER_SECOND);
    assert_true(b.irq[LINE_SCI]);
    out16(&b, 0xb002, 0x0100);
    out16(&b, 0xb000, 0xffff);
    assert_false(b.irq[LINE_SCI]);
    piix4_pm_power_button(pm);
    assert_true(b.irq[LINE_SCI]);
    assert_int_equal(in16(&b, 0xb000) & 0x100, 0x100);
    out8(&b, 0xb2, 0xf0);
    assert_false(b.irq[LINE_SCI]);
    out16(&b, 0xb004, 0x2400); // S1: wakes at once
    assert_int_equal(offs, 0);
    assert_int_equal(in16(&b, 0xb000) >> 15, 1);
    out16(&b, 0xb004, 0x2000); // S5
    assert_int_equal(offs, 1);
    piix4_pm_reset(pm);
    assert_int_equal(in32(&b, 0xb008), 0xffffffff);
    piix4_pm_destroy(pm);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_virtual_wire), cmocka_unit_test(test_priorities),
        cmocka_unit_test(test_timer),        cmocka_unit_test(test_timer_looked_at_late),
        cmocka_unit_test(test_ioapic),       cmocka_unit_test(test_pm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
