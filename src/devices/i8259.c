// SPDX-License-Identifier: MIT
// 8259A programmable interrupt controller, twice, as in the PIIX (82371SB, section "Interrupt
// controller"): master at 0x20, slave at 0xa0 on the master's IR2, edge/level control registers at
// 0x4d0 and 0x4d1. An edge request is withdrawn when its input falls before it was acknowledged
// (8259A data sheet, "Edge and level triggered modes"). Left out: MCS-80 mode, buffered mode, and
// ICW1's LTIM, which the PIIX replaces with the ELCR.
#include "devices/i8259.h"

#include <stdlib.h>

enum {
    ICW1_IC4 = 1u << 0,
    ICW1_SNGL = 1u << 1,
    ICW1_INIT = 1u << 4,
    ICW4_AEOI = 1u << 1,
    ICW4_SFNM = 1u << 4,
    OCW3_SELECT = 1u << 3,
    OCW3_POLL = 1u << 2,
    CASCADE_IR = 2,
    SPURIOUS_IR = 7,
};

// What the next write to the data port is.
enum i8259_stage { STAGE_READY, STAGE_ICW2, STAGE_ICW3, STAGE_ICW4 };

struct i8259_chip {
    struct i8259_pair *pair;
    uint8_t pins; // levels of IR0..IR7
    uint8_t irr, isr, imr;
    uint8_t elcr, elcr_mask;
    uint8_t lowest;      // IR with the lowest priority
    uint8_t vector_base; // ICW2
    uint8_t icw1, icw3, icw4;
    uint8_t stage;
    bool read_isr; // OCW3: the command port reads ISR, not IRR
    bool poll;     // the next read is an acknowledge
    bool special_mask;
    bool rotate_on_aeoi;
    bool output;
    struct port_range *range, *elcr_range;
};

struct i8259_pair {
    struct i8259_chip chip[2]; // master, slave
    struct irq_line output;
    struct log *log;
    struct state_registry *registry;
    uint64_t counts[16];
};

static const struct state_field chip_fields[] = {
    STATE_FIELD(STATE_U8, struct i8259_chip, pins),
    STATE_FIELD(STATE_U8, struct i8259_chip, irr),
    STATE_FIELD(STATE_U8, struct i8259_chip, isr),
    STATE_FIELD(STATE_U8, struct i8259_chip, imr),
    STATE_FIELD(STATE_U8, struct i8259_chip, elcr),
    STATE_FIELD(STATE_U8, struct i8259_chip, lowest),
    STATE_FIELD(STATE_U8, struct i8259_chip, vector_base),
    STATE_FIELD(STATE_U8, struct i8259_chip, icw1),
    STATE_FIELD(STATE_U8, struct i8259_chip, icw3),
    STATE_FIELD(STATE_U8, struct i8259_chip, icw4),
    STATE_FIELD(STATE_U8, struct i8259_chip, stage),
    STATE_FIELD(STATE_BOOL, struct i8259_chip, read_isr),
    STATE_FIELD(STATE_BOOL, struct i8259_chip, poll),
    STATE_FIELD(STATE_BOOL, struct i8259_chip, special_mask),
    STATE_FIELD(STATE_BOOL, struct i8259_chip, rotate_on_aeoi),
    STATE_FIELD(STATE_BOOL, struct i8259_chip, output),
    STATE_FIELDS_END,
};

static const struct state_field pair_fields[] = {
    STATE_STRUCTS(struct i8259_pair, chip, 2, sizeof(struct i8259_chip), chip_fields),
    STATE_FIELDS_END,
};

static bool is_master(const struct i8259_chip *chip)
{
    return chip == &chip->pair->chip[0];
}

// 0 is the highest priority.
static unsigned priority_of(const struct i8259_chip *chip, unsigned ir)
{
    return (ir - chip->lowest - 1u) & 7;
}

// The IR of `set` with the highest priority, or -1.
static int highest_of(const struct i8259_chip *chip, uint8_t set)
{
    for (unsigned i = 1; i <= 8; i++) {
        unsigned ir = (chip->lowest + i) & 7;
        if (set & (1u << ir))
            return (int)ir;
    }
    return -1;
}

// The request that the chip would have acknowledged now, or -1.
static int chip_request(const struct i8259_chip *chip)
{
    int ir = highest_of(chip, chip->irr & (uint8_t)~chip->imr);
    if (ir < 0)
        return -1;
    uint8_t blocking = chip->isr;
    if (chip->special_mask)
        blocking &= (uint8_t)~chip->imr;
    // Special fully nested: the slave may interrupt its own service routine.
    if ((chip->icw4 & ICW4_SFNM) && is_master(chip))
        blocking &= (uint8_t) ~(1u << CASCADE_IR);
    int serving = highest_of(chip, blocking);
    if (serving >= 0 && priority_of(chip, (unsigned)serving) <= priority_of(chip, (unsigned)ir))
        return -1;
    return ir;
}

static void chip_update(struct i8259_chip *chip);

static void chip_set_pin(struct i8259_chip *chip, unsigned ir, bool level)
{
    uint8_t bit = (uint8_t)(1u << (ir & 7));
    bool was = chip->pins & bit;
    if (level == was)
        return;
    if (level) {
        chip->pins |= bit;
        chip->irr |= bit;
    } else {
        chip->pins &= (uint8_t)~bit;
        chip->irr &= (uint8_t)~bit;
    }
    chip_update(chip);
}

static void chip_drive(struct i8259_chip *chip, bool level)
{
    if (chip->output == level)
        return;
    chip->output = level;
    if (is_master(chip))
        irq_set(&chip->pair->output, level);
    else
        chip_set_pin(&chip->pair->chip[0], CASCADE_IR, level);
}

static void chip_update(struct i8259_chip *chip)
{
    // Between ICW1 and the last ICW no request gets through.
    chip_drive(chip, chip->stage == STAGE_READY && chip_request(chip) >= 0);
}

static void chip_serve(struct i8259_chip *chip, unsigned ir)
{
    uint8_t bit = (uint8_t)(1u << ir);
    if (!(chip->elcr & bit))
        chip->irr &= (uint8_t)~bit;
    if (!(chip->icw4 & ICW4_AEOI))
        chip->isr |= bit;
    else if (chip->rotate_on_aeoi)
        chip->lowest = (uint8_t)ir;
    chip_drive(chip, false);
    chip_update(chip);
}

int i8259_acknowledge(struct i8259_pair *pair)
{
    struct i8259_chip *master = &pair->chip[0];
    struct i8259_chip *slave = &pair->chip[1];
    int ir = chip_request(master);
    if (ir < 0)
        return master->vector_base | SPURIOUS_IR;
    chip_serve(master, (unsigned)ir);
    if (ir != CASCADE_IR || (master->icw1 & ICW1_SNGL))
        return master->vector_base | ir;
    ir = chip_request(slave);
    if (ir < 0)
        return slave->vector_base | SPURIOUS_IR;
    chip_serve(slave, (unsigned)ir);
    return slave->vector_base | ir;
}

bool i8259_is_pending(const struct i8259_pair *pair)
{
    return pair->chip[0].output;
}

static void chip_write_icw1(struct i8259_chip *chip, uint8_t value)
{
    chip->icw1 = value;
    chip->icw4 = 0;
    chip->imr = 0;
    chip->isr = 0;
    chip->irr = chip->pins & chip->elcr; // an edge must come again
    chip->lowest = 7;
    chip->special_mask = false;
    chip->rotate_on_aeoi = false;
    chip->read_isr = false;
    chip->poll = false;
    chip->stage = STAGE_ICW2;
}

static void chip_write_ocw2(struct i8259_chip *chip, uint8_t value)
{
    unsigned command = value >> 5;
    bool rotate = command & 4, specific = command & 2, eoi = command & 1;
    if (!eoi) {
        if (!specific)
            chip->rotate_on_aeoi = rotate;
        else if (rotate)
            chip->lowest = value & 7;
        return;
    }
    int ir = value & 7;
    if (!specific) {
        // In special mask mode masked levels are skipped.
        ir = highest_of(chip, chip->special_mask ? chip->isr & (uint8_t)~chip->imr : chip->isr);
        if (ir < 0)
            return;
    }
    chip->isr &= (uint8_t) ~(1u << ir);
    if (rotate)
        chip->lowest = (uint8_t)ir;
}

static void chip_write_ocw3(struct i8259_chip *chip, uint8_t value)
{
    chip->poll = value & OCW3_POLL;
    if (value & 0x02)
        chip->read_isr = value & 0x01;
    if (value & 0x40)
        chip->special_mask = value & 0x20;
}

static void chip_write_data(struct i8259_chip *chip, uint8_t value)
{
    bool wants_icw4 = chip->icw1 & ICW1_IC4;
    switch (chip->stage) {
    case STAGE_ICW2:
        chip->vector_base = value & 0xf8;
        if (!(chip->icw1 & ICW1_SNGL))
            chip->stage = STAGE_ICW3;
        else
            chip->stage = wants_icw4 ? STAGE_ICW4 : STAGE_READY;
        break;
    case STAGE_ICW3:
        chip->icw3 = value;
        chip->stage = wants_icw4 ? STAGE_ICW4 : STAGE_READY;
        break;
    case STAGE_ICW4:
        chip->icw4 = value;
        chip->stage = STAGE_READY;
        break;
    default:
        chip->imr = value;
        break;
    }
}

static void chip_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct i8259_chip *chip = self;
    uint8_t byte = (uint8_t)value;
    if (offset & 1)
        chip_write_data(chip, byte);
    else if (byte & ICW1_INIT)
        chip_write_icw1(chip, byte);
    else if (byte & OCW3_SELECT)
        chip_write_ocw3(chip, byte);
    else
        chip_write_ocw2(chip, byte);
    chip_update(chip);
}

static uint32_t chip_read(void *self, uint32_t offset, unsigned size)
{
    struct i8259_chip *chip = self;
    if (chip->poll) {
        chip->poll = false;
        int ir = chip_request(chip);
        if (ir < 0)
            return SPURIOUS_IR;
        chip_serve(chip, (unsigned)ir);
        return 0x80u | (uint32_t)ir;
    }
    if (offset & 1)
        return chip->imr;
    return chip->read_isr ? chip->isr : chip->irr;
}

static void elcr_write(void *self, uint32_t offset, uint32_t value, unsigned size)
{
    struct i8259_chip *chip = self;
    chip->elcr = (uint8_t)value & chip->elcr_mask;
    chip->irr |= chip->pins & chip->elcr;
    chip_update(chip);
}

static uint32_t elcr_read(void *self, uint32_t offset, unsigned size)
{
    return ((const struct i8259_chip *)self)->elcr;
}

static const struct port_ops chip_ops = {.read = chip_read, .write = chip_write};
static const struct port_ops elcr_ops = {.read = elcr_read, .write = elcr_write};

static void pair_set_input(void *self, unsigned n, bool level)
{
    struct i8259_pair *pair = self;
    struct i8259_chip *chip = &pair->chip[(n >> 3) & 1];
    if (level && !(chip->pins & (1u << (n & 7))))
        pair->counts[n & 15]++;
    chip_set_pin(chip, n & 7, level);
}

struct irq_line i8259_input(struct i8259_pair *pair, unsigned irq)
{
    if (irq == CASCADE_IR || irq > 15)
        return (struct irq_line){0};
    return (struct irq_line){.set = pair_set_input, .self = pair, .n = irq};
}

static bool pair_after_load(void *object, struct error *err)
{
    struct i8259_pair *pair = object;
    for (int i = 0; i < 2; i++) {
        struct i8259_chip *chip = &pair->chip[i];
        chip->lowest &= 7;
        chip->elcr &= chip->elcr_mask;
        if (chip->stage > STAGE_ICW4)
            return error_set(err, "i8259: initialisation stage %u does not exist", chip->stage);
    }
    irq_set(&pair->output, pair->chip[0].output);
    return true;
}

static void chip_reset(struct i8259_chip *chip)
{
    chip_write_icw1(chip, 0);
    chip->irr = 0;
    chip->pins &= (uint8_t) ~(is_master(chip) ? 1u << CASCADE_IR : 0u);
    chip->elcr = 0;
    chip->vector_base = 0;
    chip->icw3 = 0;
    chip->stage = STAGE_READY;
}

void i8259_reset(struct i8259_pair *pair)
{
    for (int i = 0; i < 2; i++)
        chip_reset(&pair->chip[i]);
    for (int i = 0; i < 2; i++) {
        pair->chip[i].output = false;
        chip_update(&pair->chip[i]);
    }
    irq_set(&pair->output, false);
}

struct i8259_pair *i8259_create(struct portio *ports, struct log *log,
                                struct state_registry *registry, struct irq_line output)
{
    static const uint16_t bases[2] = {0x20, 0xa0}, elcr_bases[2] = {0x4d0, 0x4d1};
    static const char *const names[2] = {"i8259 master", "i8259 slave"};
    struct i8259_pair *pair = xcalloc(1, sizeof *pair);
    pair->output = output;
    pair->log = log;
    pair->registry = registry;
    for (int i = 0; i < 2; i++) {
        struct i8259_chip *chip = &pair->chip[i];
        chip->pair = pair;
        // IRQ 0, 1, 2, 8 and 13 are edge-triggered for ever.
        chip->elcr_mask = i == 0 ? 0xf8 : 0xde;
        chip->range = portio_add(ports, names[i], bases[i], 2, &chip_ops, chip);
        chip->elcr_range = portio_add(ports, "elcr", elcr_bases[i], 1, &elcr_ops, chip);
    }
    i8259_reset(pair);
    state_register(registry, &(struct state_section){.name = "i8259",
                                                     .version = 1,
                                                     .fields = pair_fields,
                                                     .object = pair,
                                                     .after_load = pair_after_load});
    return pair;
}

void i8259_destroy(struct i8259_pair *pair)
{
    if (!pair)
        return;
    state_unregister(pair->registry, pair);
    for (int i = 0; i < 2; i++) {
        port_range_remove(pair->chip[i].range);
        port_range_remove(pair->chip[i].elcr_range);
    }
    free(pair);
}

void i8259_describe(const struct i8259_pair *pair, FILE *out)
{
    for (int i = 0; i < 2; i++) {
        const struct i8259_chip *chip = &pair->chip[i];
        fprintf(out,
                "pic%d: irr=%02x imr=%02x isr=%02x hprio=%u irq_base=%02x rr_sel=%d elcr=%02x "
                "fnm=%d aeoi=%d smm=%d int=%d\n",
                i, chip->irr, chip->imr, chip->isr, (chip->lowest + 1u) & 7, chip->vector_base,
                chip->read_isr, chip->elcr, (chip->icw4 & ICW4_SFNM) != 0,
                (chip->icw4 & ICW4_AEOI) != 0, chip->special_mask, chip->output);
    }
}

void i8259_describe_counts(const struct i8259_pair *pair, FILE *out)
{
    for (unsigned i = 0; i < 16; i++) {
        if (pair->counts[i])
            fprintf(out, "%2u: %llu\n", i, (unsigned long long)pair->counts[i]);
    }
}

uint64_t i8259_irq_count(const struct i8259_pair *pair, unsigned irq)
{
    return pair->counts[irq & 15];
}
