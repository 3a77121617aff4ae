// SPDX-License-Identifier: MIT
// The test kernel's loop: set a program up, run it event by event, report a hash or everything. An
// event is a trip through an interrupt stub; after a fault in the program it goes on behind the
// faulting instruction.
#include "kernel.h"

#define MAX_EVENTS  20u
#define INTR_VECTOR 0x24u // serial port: its transmitter is always empty
#define UART        0x3f8

// In memory that a reset leaves alone.
struct persist {
    uint32_t magic;
    uint32_t position;
    uint32_t running;
};
#define PERSIST_MAGIC 0x50455253u
static struct persist *const persist = (struct persist *)PERSIST;

struct window {
    uint16_t start, size;
};
static const struct window windows[] = {
    {CODE + 0xf00, 0x300}, {DATA, 0x20}, {DATA + 0xf00, 0x200}, {DATA + 0x1f00, 0x100},
    {STACKS, 0x1000},      {GDT, 0xe00}, {PAGE_DIR, 0x40},      {PAGE_TABLE, 0x80},
};

static struct params params;
static uint32_t before[AREA_SIZE / 4];

struct report {
    uint32_t hash;
    bool detail;
};

static void put_char(char c)
{
    outb((uint16_t)params.port, (uint8_t)c);
}

static void put_text(const char *text)
{
    while (*text)
        put_char(*text++);
}

static void put_hex(uint32_t value, unsigned digits)
{
    while (digits > 0)
        put_char("0123456789abcdef"[value >> --digits * 4 & 15]);
}

static void put_field(const char *name, uint32_t value, unsigned digits)
{
    put_char(' ');
    put_text(name);
    put_char('=');
    put_hex(value, digits);
}

static void add(struct report *r, uint32_t value)
{
    r->hash = (r->hash ^ value) * 0x9e3779b1u;
    r->hash ^= r->hash >> 15;
}

static void report(struct report *r, const char *name, uint32_t value, unsigned digits)
{
    add(r, value);
    if (r->detail)
        put_field(name, value, digits);
}

uint32_t rnd(struct program *p)
{
    p->random += 0x9e3779b9u;
    uint32_t z = p->random;
    z = (z ^ z >> 16) * 0x85ebca6bu;
    z = (z ^ z >> 13) * 0xc2b2ae35u;
    return z ^ z >> 16;
}

static void interrupts_init(void)
{
    static const uint8_t words[] = {0x11, 0x20, 0x04, 0x01};
    for (unsigned i = 0; i < 4; i++) {
        outb(i ? 0x21 : 0x20, words[i]);
        outb(i ? 0xa1 : 0xa0, i == 1 ? 0x28 : i == 2 ? 2 : words[i]);
    }
    outb(0x21, 0xef); // IRQ4 only
    outb(0xa1, 0xff);
    outb(UART + 3, 0);
    outb(UART + 4, 8); // OUT2: the interrupt line
    outb(UART + 1, 0);
}

static void interrupt_request(bool on)
{
    outb(UART + 1, on ? 2 : 0);
}

static void interrupt_done(void)
{
    (void)inb(UART + 2);
    interrupt_request(false);
    outb(0x20, 0x64); // specific end of interrupt
}

// The operation whose instructions the address belongs to; p->ops: none.
static unsigned op_at(const struct program *p, uint32_t linear)
{
    for (unsigned i = 0; i <= p->ops; i++) {
        if (linear >= p->at[i] && linear < p->at[i + 1])
            return i;
    }
    return p->ops + 1;
}

static uint32_t linear_eip(const struct program *p)
{
    uint32_t base = (uint32_t)ctx.cs << 4;
    if ((ctx.cr0 & 1) && !(ctx.eflags & 0x20000))
        base = selector_base(p, (uint16_t)ctx.cs);
    return ctx.eip + base;
}

// The bytes at CS:EIP, where they lie in the area: programs run through data, too.
static void report_code(const struct program *p)
{
    uint32_t linear = linear_eip(p);
    if (p->paging != PAGING_OFF && linear < WINDOW_LARGE + 0x100000)
        linear &= WINDOW_ALIAS - 1;
    put_text(" code=");
    for (uint32_t a = linear; a < linear + 8 && linear < FILL_END; a++)
        put_hex(*(const uint8_t *)(uintptr_t)a, 2);
}

static void report_event(struct report *r, const struct program *p, unsigned number)
{
    uint32_t mask = ~params.flags_mask;
    bool frame = ctx.vec < 0x100;
    if (r->detail) {
        unsigned op = op_at(p, linear_eip(p));
        put_text("E");
        put_hex(number, 2);
        put_text(" op=");
        if (!frame || op > p->ops)
            put_text("-");
        else
            put_text(op < p->ops ? op_name(p->op[op]) : "exit");
        put_field("n", op, 1);
    }
    report(r, "vec", ctx.vec, 3);
    report(r, "err", ctx.err, 8);
    if (frame) {
        report(r, "cs", ctx.cs, 4);
        report(r, "eip", ctx.eip, 8);
        report(r, "fl", ctx.eflags & mask, 8);
        report(r, "ss", ctx.ss, 4);
        report(r, "esp", ctx.esp, 8);
        report(r, "eax", ctx.eax, 8);
        report(r, "ecx", ctx.ecx, 8);
        report(r, "edx", ctx.edx, 8);
        report(r, "ebx", ctx.ebx, 8);
        report(r, "ebp", ctx.ebp, 8);
        report(r, "esi", ctx.esi, 8);
        report(r, "edi", ctx.edi, 8);
        report(r, "ds", ctx.ds, 4);
        report(r, "es", ctx.es, 4);
        report(r, "fs", ctx.fs, 4);
        report(r, "gs", ctx.gs, 4);
    }
    report(r, "cr0", ctx.cr0, 8);
    report(r, "cr2", ctx.cr2, 8);
    report(r, "cr4", ctx.cr4, 4);
    report(r, "dr6", ctx.dr6, 8);
    report(r, "dr7", ctx.dr7, 8);
    report(r, "tr", ctx.tr, 4);
    report(r, "ldtr", ctx.ldtr, 4);
    report(r, "gdtl", ctx.gdtr[0] & 0xffff, 4);
    report(r, "idtl", ctx.idtr[0] & 0xffff, 4);
    if (r->detail) {
        if (frame)
            report_code(p);
        put_char('\n');
    }
}

// Pushed EFLAGS images lie in stacks and task states.
static uint32_t memory_mask(uint32_t address)
{
    if (address >= PDPT && address < PDPT + 32 && !(params.features & F_PRECISE))
        return 0;
    bool images = (address >= STACKS && address < GDT) || (address >= TSS_MAIN && address < PDPT);
    return images ? ~params.flags_mask : ~0u;
}

static void keep_memory(void)
{
    for (unsigned w = 0; w < sizeof windows / sizeof windows[0]; w++)
        copy_dwords((uint32_t)(uintptr_t)before + windows[w].start - AREA, windows[w].start,
                    windows[w].size);
}

static void report_memory(struct report *r)
{
    for (unsigned w = 0; w < sizeof windows / sizeof windows[0]; w++) {
        uint32_t now = windows[w].start;
        uint32_t then = (uint32_t)(uintptr_t)before + now - AREA;
        uint32_t n = windows[w].size / 4;
        for (;;) {
            bool differs;
            __asm__ volatile("repe cmpsl\n\tsetne %0"
                             : "=q"(differs), "+S"(now), "+D"(then), "+c"(n)::"cc", "memory");
            if (!differs)
                break;
            uint32_t mask = memory_mask(now - 4);
            uint32_t value = get32(now - 4) & mask;
            if (value == (get32(then - 4) & mask)) {
                if (n == 0)
                    break;
                continue;
            }
            if (r->detail) {
                put_text("M ");
                put_hex(now - 4, 4);
                put_char(' ');
                put_hex(get32(then - 4), 8);
                put_text(" -> ");
                put_hex(value, 8);
                put_char('\n');
            }
            add(r, now);
            add(r, value);
            if (n == 0)
                break;
        }
    }
}

static void describe(const struct program *p)
{
    static const char *const modes[] = {"real", "protected", "v86"};
    static const char *const pagings[] = {"off", "2level", "pae"};
    put_text("P ");
    put_hex(p->index, 8);
    put_text(" mode=");
    put_text(modes[p->mode]);
    put_text(" paging=");
    put_text(pagings[p->paging]);
    put_field("cpl", p->cpl, 1);
    put_field("intr", p->intr, 1);
    put_text(p->is32 ? " code=32" : " code=16");
    put_field("base", p->base, 4);
    put_field("cs", ctx.cs, 4);
    put_field("ss", ctx.ss, 4);
    put_field("esp", ctx.esp, 8);
    put_field("fl", ctx.eflags, 8);
    put_field("cr0", ctx.cr0, 8);
    put_field("cr4", ctx.cr4, 4);
    put_field("dr7", ctx.dr7, 8);
    put_text("\n");
    for (unsigned i = 0; i <= p->ops; i++) {
        put_text("C ");
        put_hex(p->at[i] - p->base, 8);
        put_char(' ');
        put_text(i < p->ops ? op_name(p->op[i]) : "exit");
        put_char(' ');
        for (uint32_t a = p->at[i]; a < p->at[i + 1]; a++)
            put_hex(*(const uint8_t *)(uintptr_t)a, 2);
        put_char('\n');
    }
}

static bool is_trap(uint32_t vec)
{
    if (vec == 1)
        return true; // resumed where it stopped, with RF for breakpoints on instructions
    return vec == 3 || vec == 4 || vec >= 0x20;
}

// Makes the context that goes on behind an event; false: the program ends here.
static bool resume(const struct program *p)
{
    if (ctx.vec >= 0x100 || ctx.vec == EXIT_VECTOR)
        return false;
    unsigned op = op_at(p, linear_eip(p));
    if (op >= p->ops)
        return false;
    // RF matters only where breakpoints are set; QEMU does not set it.
    if (!(ctx.dr7 & 0xff) || (params.flags_mask & 0x10000))
        ctx.eflags &= ~0x10000u;
    if (ctx.vec == 1 && (ctx.dr6 & 15) != 0)
        ctx.eflags |= 0x10000;
    if (!is_trap(ctx.vec))
        ctx.eip += p->at[op + 1] - linear_eip(p);
    ctx.dr6 = 0xffff0ff0;
    return true;
}

// Takes out what the manual leaves open: CR2 when either half of an operand may be read first, DR6
// bits of breakpoints that are not enabled.
static void normalise(const struct program *p)
{
    for (unsigned i = 0; i < 4; i++) {
        if (!(ctx.dr7 >> 2 * i & 3))
            ctx.dr6 &= ~(1u << i);
    }
    for (unsigned i = 0; i < p->ops; i++) {
        if (op_is_unordered(p->op[i]))
            ctx.cr2 &= ~15u;
    }
}

static void run_program(uint32_t index)
{
    struct program p = {.index = index,
                        .random = index * 0x85ebca6bu + 12345,
                        .features = params.features,
                        .drop = params.drop};
    struct report r = {.hash = index, .detail = params.detail != 0};
    if (index % 4 == 0) // where operations are not interrupted in the middle
        p.features &= ~(uint32_t)F_DEBUG;
    setup_program(&p);
    generate_program(&p);
    if (r.detail)
        describe(&p);
    keep_memory();
    interrupt_request(p.intr);
    for (unsigned events = 0; events < MAX_EVENTS; events++) {
        ctx.vec = 0;
        run_test();
        if (ctx.vec == INTR_VECTOR)
            interrupt_done();
        normalise(&p);
        report_event(&r, &p, events);
        if (!resume(&p))
            break;
    }
    if (p.intr)
        interrupt_done();
    report_memory(&r);
    if (r.detail)
        put_text("H ");
    put_hex(r.hash, 8);
    put_char('\n');
}

static uint32_t program_number(uint32_t position)
{
    return params.listed ? params.list[position] : params.first + position;
}

static void finish(void)
{
    put_text("END\n");
    outb(0xf4, 0);
    static const char shutdown[] = "Shutdown";
    for (unsigned i = 0; i < 8; i++)
        outb(0x8900 & 0xffff, (uint8_t)shutdown[i]);
}

void kernel_main(void)
{
    copy_dwords((uint32_t)(uintptr_t)&params, ROM_PARAMS, sizeof params);
    setup_once();
    __asm__ volatile("lgdt kernel_gdtr\n\tlidt kernel_idtr");
    interrupts_init();
    if (persist->magic == PERSIST_MAGIC && persist->running) {
        if (params.detail)
            put_text("H ");
        put_text("f001dead\n"); // the program shut the CPU down
        persist->position++;
    } else {
        persist->magic = PERSIST_MAGIC;
        persist->position = 0;
        put_text("EMUDIFF\n");
    }
    persist->running = 1;
    uint32_t count = params.listed ? params.listed : params.count;
    for (; persist->position < count; persist->position++)
        run_program(program_number(persist->position));
    persist->running = 0;
    finish();
}
