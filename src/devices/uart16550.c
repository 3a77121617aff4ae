// SPDX-License-Identifier: MIT
// PC16550D universal asynchronous receiver/transmitter with FIFOs (National Semiconductor data
// sheet). The transmitter takes its time only towards a guest that waits for the interrupt: reading
// LSR while it is busy finishes the transmission at once. Received bytes arrive as fast as the FIFO
// takes them. Left out: the line's own parity and framing errors, break output, DMA mode, THR
// overrun (a full FIFO is sent early), and modem inputs that move: DCD, DSR and CTS are on.
#include "devices/uart16550.h"

#include <stdlib.h>

#include "base/fifo.h"

enum { // registers
    UART_RBR_THR = 0,
    UART_IER = 1,
    UART_IIR_FCR = 2,
    UART_LCR = 3,
    UART_MCR = 4,
    UART_LSR = 5,
    UART_MSR = 6,
    UART_SCR = 7,
};

enum {
    IER_RDI = 1u << 0,
    IER_THRI = 1u << 1,
    IER_RLSI = 1u << 2,
    IER_MSI = 1u << 3,
    IIR_NONE = 0x01,
    IIR_MSI = 0x00,
    IIR_THRI = 0x02,
    IIR_RDI = 0x04,
    IIR_RLSI = 0x06,
    IIR_TIMEOUT = 0x0c,
    IIR_FIFOS = 0xc0,
    FCR_ENABLE = 1u << 0,
    FCR_CLEAR_RX = 1u << 1,
    FCR_CLEAR_TX = 1u << 2,
    LCR_STOP = 1u << 2,
    LCR_PARITY = 1u << 3,
    LCR_BREAK = 1u << 6,
    LCR_DLAB = 1u << 7,
    MCR_DTR = 1u << 0,
    MCR_RTS = 1u << 1,
    MCR_OUT1 = 1u << 2,
    MCR_OUT2 = 1u << 3,
    MCR_LOOP = 1u << 4,
    LSR_DR = 1u << 0,
    LSR_OE = 1u << 1,
    LSR_PE = 1u << 2,
    LSR_FE = 1u << 3,
    LSR_BI = 1u << 4,
    LSR_THRE = 1u << 5,
    LSR_TEMT = 1u << 6,
    LSR_FIFO_ERROR = 1u << 7,
    LSR_BYTE_ERRORS = LSR_PE | LSR_FE | LSR_BI,
    LSR_ERRORS = LSR_OE | LSR_BYTE_ERRORS,
    MSR_TERI = 1u << 2,
    MSR_CTS = 1u << 4,
    MSR_DSR = 1u << 5,
    MSR_RI = 1u << 6,
    MSR_DCD = 1u << 7,
    MSR_DELTAS = 0x0f,
    FIFO_DEPTH = 16,
    CLOCK_HZ = 1843200,
};

struct uart16550 {
    struct fifo rx, rx_errors; // bytes and the LSR bits that belong to each
    struct fifo tx;
    uint8_t ier, fcr, lcr, mcr, lsr, msr, scr;
    uint16_t divisor;
    bool thre_pending;    // THRE interrupt not seen yet
    bool timeout_pending; // character timeout
    int64_t busy_until;   // the shift register is empty from then on
    struct timer *tx_timer, *timeout_timer;
    struct clock *clock;
    struct irq_line irq;
    struct chardev *chardev;
    unsigned speedup;
    bool ignore_out2;
    struct state_registry *registry;
    struct port_range *range;
};

static const struct state_field uart_fields[] = {
    STATE_FIELD(STATE_FIFO, struct uart16550, rx),
    STATE_FIELD(STATE_FIFO, struct uart16550, rx_errors),
    STATE_FIELD(STATE_FIFO, struct uart16550, tx),
    STATE_FIELD(STATE_U8, struct uart16550, ier),
    STATE_FIELD(STATE_U8, struct uart16550, fcr),
    STATE_FIELD(STATE_U8, struct uart16550, lcr),
    STATE_FIELD(STATE_U8, struct uart16550, mcr),
    STATE_FIELD(STATE_U8, struct uart16550, lsr),
    STATE_FIELD(STATE_U8, struct uart16550, msr),
    STATE_FIELD(STATE_U8, struct uart16550, scr),
    STATE_FIELD(STATE_U16, struct uart16550, divisor),
    STATE_FIELD(STATE_BOOL, struct uart16550, thre_pending),
    STATE_FIELD(STATE_BOOL, struct uart16550, timeout_pending),
    STATE_FIELD(STATE_U64, struct uart16550, busy_until),
    STATE_FIELD(STATE_TIMER, struct uart16550, tx_timer),
    STATE_FIELD(STATE_TIMER, struct uart16550, timeout_timer),
    STATE_FIELDS_END,
};

static bool uart_has_fifos(const struct uart16550 *uart)
{
    return uart->fcr & FCR_ENABLE;
}

static uint32_t uart_depth(const struct uart16550 *uart)
{
    return uart_has_fifos(uart) ? FIFO_DEPTH : 1;
}

static uint32_t uart_trigger(const struct uart16550 *uart)
{
    static const uint8_t levels[4] = {1, 4, 8, 14};
    return uart_has_fifos(uart) ? levels[uart->fcr >> 6] : 1;
}

// Time of one character on the line.
static int64_t uart_character_ns(const struct uart16550 *uart)
{
    unsigned half_bits = 2u * (1 + 5 + (uart->lcr & 3) + (uart->lcr & LCR_PARITY ? 1 : 0) + 1);
    if (uart->lcr & LCR_STOP)
        half_bits += uart->lcr & 3 ? 2 : 1; // two stop bits, one and a half with 5 data bits
    unsigned divisor = uart->divisor ? uart->divisor : 1;
    return (int64_t)muldiv64(half_bits * 8u * divisor, NANOSECONDS_PER_SECOND, CLOCK_HZ);
}

// The interrupt with the highest priority, as IIR shows it.
static uint8_t uart_pending(const struct uart16550 *uart)
{
    if ((uart->ier & IER_RLSI) && (uart->lsr & LSR_ERRORS))
        return IIR_RLSI;
    if ((uart->ier & IER_RDI) && uart->rx.count >= uart_trigger(uart))
        return IIR_RDI;
    if ((uart->ier & IER_RDI) && uart->timeout_pending)
        return IIR_TIMEOUT;
    if ((uart->ier & IER_THRI) && uart->thre_pending)
        return IIR_THRI;
    if ((uart->ier & IER_MSI) && (uart->msr & MSR_DELTAS))
        return IIR_MSI;
    return IIR_NONE;
}

static void uart_update_irq(struct uart16550 *uart)
{
    // In loop-back OUT2 is disconnected from its pin.
    bool gate = uart->ignore_out2 || (uart->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;
    irq_set(&uart->irq, gate && uart_pending(uart) != IIR_NONE);
}

// LSR shows the errors of the byte that is next to be read.
static void uart_show_next(struct uart16550 *uart)
{
    if (fifo_is_empty(&uart->rx)) {
        uart->lsr &= (uint8_t)~LSR_DR;
        return;
    }
    uart->lsr |= LSR_DR | (fifo_peek(&uart->rx_errors) & LSR_BYTE_ERRORS);
}

static void uart_restart_timeout(struct uart16550 *uart)
{
    uart->timeout_pending = false;
    if (uart_has_fifos(uart) && !fifo_is_empty(&uart->rx))
        timer_arm(uart->timeout_timer, clock_now(uart->clock) + 4 * uart_character_ns(uart));
    else
        timer_cancel(uart->timeout_timer);
}

static void uart_timeout(void *self)
{
    struct uart16550 *uart = self;
    uart->timeout_pending = uart_has_fifos(uart) && !fifo_is_empty(&uart->rx);
    uart_update_irq(uart);
}

static void uart_push_rx(struct uart16550 *uart, uint8_t byte, uint8_t errors)
{
    if (uart->rx.count >= uart_depth(uart)) {
        uart->lsr |= LSR_OE;
        if (uart_has_fifos(uart))
            return; // the FIFO keeps what it has
        fifo_clear(&uart->rx);
        fifo_clear(&uart->rx_errors);
    }
    fifo_push(&uart->rx, byte);
    fifo_push(&uart->rx_errors, errors);
    uart_show_next(uart);
    uart_restart_timeout(uart);
}

size_t uart16550_can_receive(const struct uart16550 *uart)
{
    if (uart->mcr & MCR_LOOP)
        return 0;
    uint32_t depth = uart_depth(uart);
    return uart->rx.count < depth ? depth - uart->rx.count : 0;
}

size_t uart16550_receive(struct uart16550 *uart, const uint8_t *data, size_t length)
{
    size_t room = uart16550_can_receive(uart);
    if (length > room)
        length = room;
    for (size_t i = 0; i < length; i++)
        uart_push_rx(uart, data[i], 0);
    uart_update_irq(uart);
    return length;
}

void uart16550_receive_break(struct uart16550 *uart)
{
    if (uart->mcr & MCR_LOOP)
        return;
    uart_push_rx(uart, 0, LSR_BI);
    uart_update_irq(uart);
}

static size_t uart_chardev_can_receive(void *self)
{
    return uart16550_can_receive(self);
}

static void uart_chardev_receive(void *self, const uint8_t *data, size_t length)
{
    uart16550_receive(self, data, length);
}

static void uart_invite(struct uart16550 *uart)
{
    if (uart->chardev && uart16550_can_receive(uart))
        chardev_accept_input(uart->chardev);
}

static uint8_t uart_read_rbr(struct uart16550 *uart)
{
    if (fifo_is_empty(&uart->rx))
        return 0;
    uint8_t byte = fifo_pop(&uart->rx);
    fifo_pop(&uart->rx_errors);
    uart_show_next(uart);
    uart_restart_timeout(uart);
    uart_update_irq(uart);
    if (fifo_is_empty(&uart->rx))
        uart_invite(uart);
    return byte;
}

// Hands everything in the transmit FIFO to the line.
static void uart_send(struct uart16550 *uart)
{
    uint8_t bytes[FIFO_DEPTH];
    size_t count = 0;
    while (!fifo_is_empty(&uart->tx) && count < sizeof bytes)
        bytes[count++] = fifo_pop(&uart->tx);
    if (count && uart->chardev)
        chardev_write(uart->chardev, bytes, count);
}

static void uart_tx_empty(struct uart16550 *uart)
{
    timer_cancel(uart->tx_timer);
    uart_send(uart);
    if (!(uart->lsr & LSR_THRE))
        uart->thre_pending = true;
    uart->lsr |= LSR_THRE;
    uart_update_irq(uart);
}

static void uart_tx_timer(void *self)
{
    uart_tx_empty(self);
}

// A byte written in loop-back is received at once.
static void uart_loop_byte(struct uart16550 *uart, uint8_t byte)
{
    uint8_t mask = (uint8_t)(0xffu >> (3 - (uart->lcr & 3)));
    uart_push_rx(uart, byte & mask, 0);
    uart->lsr |= LSR_THRE | LSR_TEMT;
    uart->thre_pending = true;
    uart_update_irq(uart);
}

static void uart_write_thr(struct uart16550 *uart, uint8_t byte)
{
    uart->thre_pending = false;
    if (uart->mcr & MCR_LOOP) {
        uart_loop_byte(uart, byte);
        return;
    }
    if (uart->tx.count >= uart_depth(uart))
        uart_send(uart);
    fifo_push(&uart->tx, byte);
    uart->lsr &= (uint8_t) ~(LSR_THRE | LSR_TEMT);
    int64_t now = clock_now(uart->clock);
    int64_t character = uart_character_ns(uart) / uart->speedup;
    // At most a FIFO and the shift register are under way.
    int64_t latest = now + (FIFO_DEPTH + 1) * character;
    uart->busy_until = (uart->busy_until > now ? uart->busy_until : now) + character;
    if (uart->busy_until > latest)
        uart->busy_until = latest;
    // The last byte's place in the FIFO is free when it moves on to the shift register.
    timer_arm(uart->tx_timer, uart->busy_until - character);
    uart_update_irq(uart);
}

static uint8_t uart_read_lsr(struct uart16550 *uart)
{
    if ((uart->lsr & (LSR_THRE | LSR_TEMT)) != (LSR_THRE | LSR_TEMT)) {
        uart->busy_until = 0;
        uart_tx_empty(uart);
        uart->lsr |= LSR_TEMT;
    }
    uint8_t value = uart->lsr;
    if (uart_has_fifos(uart)) {
        for (uint32_t i = 0; i < uart->rx_errors.count; i++) {
            if (uart->rx_errors.data[(uart->rx_errors.head + i) % FIFO_CAPACITY])
                value |= LSR_FIFO_ERROR;
        }
    }
    // Reading clears the errors, those of the next byte too: they have been seen.
    uart->lsr &= (uint8_t)~LSR_ERRORS;
    if (!fifo_is_empty(&uart->rx_errors))
        uart->rx_errors.data[uart->rx_errors.head % FIFO_CAPACITY] = 0;
    uart_update_irq(uart);
    return value;
}

static uint8_t uart_read_iir(struct uart16550 *uart)
{
    uint8_t source = uart_pending(uart);
    if (source == IIR_THRI) {
        uart->thre_pending = false;
        uart_update_irq(uart);
    }
    return source | (uart_has_fifos(uart) ? IIR_FIFOS : 0);
}

static void uart_clear_rx(struct uart16550 *uart)
{
    fifo_clear(&uart->rx);
    fifo_clear(&uart->rx_errors);
    uart->lsr &= (uint8_t) ~(LSR_DR | LSR_BYTE_ERRORS);
    uart_restart_timeout(uart);
}

static void uart_write_fcr(struct uart16550 *uart, uint8_t value)
{
    bool toggled = (uart->fcr ^ value) & FCR_ENABLE;
    if (toggled || (value & FCR_CLEAR_RX))
        uart_clear_rx(uart);
    if (toggled || (value & FCR_CLEAR_TX)) {
        // What the guest handed over is not taken back: it counts as sent.
        if (!(uart->lsr & LSR_THRE))
            uart_tx_empty(uart);
    }
    // Without FIFOs the other bits cannot be programmed.
    uart->fcr = value & FCR_ENABLE ? value & 0xc9 : 0;
    uart_update_irq(uart);
    uart_invite(uart);
}

static void uart_write_ier(struct uart16550 *uart, uint8_t value)
{
    bool thri_rises = (value & IER_THRI) && !(uart->ier & IER_THRI);
    uart->ier = value & 0x0f;
    // Enabling the interrupt while the register is empty raises it, each time.
    if (thri_rises)
        uart->thre_pending = uart->lsr & LSR_THRE;
    uart_update_irq(uart);
}

// Modem status: the pins, or in loop-back the modem control outputs; changes set the deltas.
static void uart_update_msr(struct uart16550 *uart)
{
    uint8_t mcr = uart->mcr;
    uint8_t lines = MSR_DCD | MSR_DSR | MSR_CTS;
    if (mcr & MCR_LOOP)
        lines = (uint8_t)((mcr & MCR_RTS ? MSR_CTS : 0) | (mcr & MCR_DTR ? MSR_DSR : 0) |
                          (mcr & MCR_OUT1 ? MSR_RI : 0) | (mcr & MCR_OUT2 ? MSR_DCD : 0));
    uint8_t changed = (uint8_t)((uart->msr ^ lines) & 0xf0);
    uint8_t deltas = (uint8_t)(changed >> 4);
    // Of the ring indicator only the trailing edge counts.
    if ((changed & MSR_RI) && (lines & MSR_RI))
        deltas &= (uint8_t)~MSR_TERI;
    uart->msr = (uint8_t)(lines | (uart->msr & MSR_DELTAS) | deltas);
}

static void uart_write_mcr(struct uart16550 *uart, uint8_t value)
{
    bool was_loop = uart->mcr & MCR_LOOP;
    if (!was_loop && (value & MCR_LOOP) && !(uart->lsr & LSR_THRE))
        uart_tx_empty(uart);
    uart->mcr = value & 0x1f;
    uart_update_msr(uart);
    uart_update_irq(uart);
    if (was_loop)
        uart_invite(uart);
}

static void uart_write_lcr(struct uart16550 *uart, uint8_t value)
{
    bool break_starts = (value & LCR_BREAK) && !(uart->lcr & LCR_BREAK);
    uart->lcr = value;
    if (break_starts && (uart->mcr & MCR_LOOP)) {
        uart_push_rx(uart, 0, LSR_BI);
        uart_update_irq(uart);
    }
}

static void uart_write(void *self, uint32_t offset, uint32_t value32, unsigned size)
{
    struct uart16550 *uart = self;
    uint8_t value = (uint8_t)value32;
    bool dlab = uart->lcr & LCR_DLAB;
    switch (offset & 7) {
    case UART_RBR_THR:
        if (dlab)
            uart->divisor = (uint16_t)((uart->divisor & 0xff00) | value);
        else
            uart_write_thr(uart, value);
        break;
    case UART_IER:
        if (dlab)
            uart->divisor = (uint16_t)((uart->divisor & 0x00ff) | value << 8);
        else
            uart_write_ier(uart, value);
        break;
    case UART_IIR_FCR:
        uart_write_fcr(uart, value);
        break;
    case UART_LCR:
        uart_write_lcr(uart, value);
        break;
    case UART_MCR:
        uart_write_mcr(uart, value);
        break;
    case UART_SCR:
        uart->scr = value;
        break;
    default: // LSR and MSR: factory test only
        break;
    }
}

static uint8_t uart_read_msr(struct uart16550 *uart)
{
    uint8_t value = uart->msr;
    uart->msr &= (uint8_t)~MSR_DELTAS;
    uart_update_irq(uart);
    return value;
}

static uint32_t uart_read(void *self, uint32_t offset, unsigned size)
{
    struct uart16550 *uart = self;
    bool dlab = uart->lcr & LCR_DLAB;
    switch (offset & 7) {
    case UART_RBR_THR:
        return dlab ? uart->divisor & 0xffu : uart_read_rbr(uart);
    case UART_IER:
        return dlab ? uart->divisor >> 8 : uart->ier;
    case UART_IIR_FCR:
        return uart_read_iir(uart);
    case UART_LCR:
        return uart->lcr;
    case UART_MCR:
        return uart->mcr;
    case UART_LSR:
        return uart_read_lsr(uart);
    case UART_MSR:
        return uart_read_msr(uart);
    default:
        return uart->scr;
    }
}

static const struct port_ops uart_ops = {.read = uart_read, .write = uart_write};

static bool uart_after_load(void *object, struct error *err)
{
    struct uart16550 *uart = object;
    if (uart->rx.count != uart->rx_errors.count || uart->rx.count > FIFO_DEPTH ||
        uart->tx.count > FIFO_DEPTH)
        return error_set(err, "uart16550: the saved FIFOs do not fit a 16550A");
    uart_update_irq(uart);
    return true;
}

void uart16550_reset(struct uart16550 *uart)
{
    uart_send(uart);
    timer_cancel(uart->tx_timer);
    fifo_clear(&uart->rx);
    fifo_clear(&uart->rx_errors);
    uart->ier = uart->fcr = uart->lcr = uart->mcr = uart->scr = 0;
    uart->divisor = 12; // 9600 baud
    uart->lsr = LSR_THRE | LSR_TEMT;
    uart->msr = MSR_DCD | MSR_DSR | MSR_CTS;
    uart->thre_pending = uart->timeout_pending = false;
    uart->busy_until = 0;
    timer_cancel(uart->timeout_timer);
    uart_update_irq(uart);
}

struct uart16550 *uart16550_create(struct clock *clock, struct portio *ports,
                                   struct state_registry *registry,
                                   const struct uart16550_config *config)
{
    struct uart16550 *uart = xcalloc(1, sizeof *uart);
    uart->clock = clock;
    uart->irq = config->irq;
    uart->chardev = config->chardev;
    uart->speedup = config->speedup ? config->speedup : 1;
    uart->ignore_out2 = config->ignore_out2;
    uart->registry = registry;
    fifo_init(&uart->rx, FIFO_DEPTH);
    fifo_init(&uart->rx_errors, FIFO_DEPTH);
    fifo_init(&uart->tx, FIFO_DEPTH);
    uart->tx_timer = timer_create_on(clock, "uart tx", uart_tx_timer, uart);
    uart->timeout_timer = timer_create_on(clock, "uart timeout", uart_timeout, uart);
    uart16550_reset(uart);
    uart->range = portio_add(ports, "uart16550", config->base, 8, &uart_ops, uart);
    if (uart->chardev)
        chardev_attach(uart->chardev,
                       &(struct chardev_frontend){.can_receive = uart_chardev_can_receive,
                                                  .receive = uart_chardev_receive,
                                                  .self = uart});
    state_register(registry, &(struct state_section){.name = config->name,
                                                     .version = 1,
                                                     .fields = uart_fields,
                                                     .object = uart,
                                                     .after_load = uart_after_load});
    return uart;
}

void uart16550_destroy(struct uart16550 *uart)
{
    if (!uart)
        return;
    uart_send(uart);
    state_unregister(uart->registry, uart);
    port_range_remove(uart->range);
    timer_destroy(uart->tx_timer);
    timer_destroy(uart->timeout_timer);
    free(uart);
}
