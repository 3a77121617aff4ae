// SPDX-License-Identifier: MIT
// Commands that read memory and ports.
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/disassemble.h"
#include "base/file.h"
#include "monitor/command.h"

#define INSN_MAX   15u
#define LINE_BYTES 16u
#define SAVE_CHUNK 65536u
#define PHYS_LIMIT (UINT64_C(1) << 32)

// ---- Values

static void print_character(FILE *out, uint8_t c)
{
    switch (c) {
    case '\'':
        fputs("'\\''", out);
        return;
    case '\\':
        fputs("'\\\\'", out);
        return;
    case '\n':
        fputs("'\\n'", out);
        return;
    case '\r':
        fputs("'\\r'", out);
        return;
    default:
        fprintf(out, c >= 32 && c < 127 ? "'%c'" : "'\\x%02x'", c);
    }
}

static int64_t sign_extend(uint64_t value, unsigned size)
{
    unsigned shift = 64 - size * 8;
    return (int64_t)(value << shift) >> shift;
}

// Widths hold the largest value of the size, so that columns stay columns; width 0: as short as
// possible.
static void print_value(FILE *out, uint64_t value, char format, unsigned size, bool padded)
{
    static const int decimal[] = {[1] = 4, [2] = 6, [4] = 11, [8] = 20};
    unsigned long long v = value;
    switch (format) {
    case 'c':
        print_character(out, (uint8_t)value);
        break;
    case 'd':
        fprintf(out, "%*lld", padded ? decimal[size] : 0, (long long)sign_extend(value, size));
        break;
    case 'u':
        fprintf(out, "%*llu", padded ? decimal[size] : 0, v);
        break;
    case 'o':
        fprintf(out, "0%0*llo", padded ? (int)(size * 8 + 2) / 3 : 0, v);
        break;
    default:
        fprintf(out, "0x%0*llx", padded ? (int)size * 2 : 0, v);
        break;
    }
}

bool command_print(struct monitor *mon, const struct arguments *args, struct error *err)
{
    char format = args->format.format ? args->format.format : 'd';
    if (format == 'i')
        return error_set(err, "format i is for x and xp");
    unsigned size = args->format.size ? args->format.size : 8;
    uint64_t value = (uint64_t)args->item[0].value;
    if (size < 8)
        value &= (UINT64_C(1) << size * 8) - 1;
    print_value(mon->out, value, format, size, false);
    monitor_printf(mon, "\n");
    return true;
}

// ---- Dumps

struct dump {
    struct monitor *mon;
    bool physical;
    uint64_t at;
};

// Within one page; bytes up to the first that has no memory behind it.
static size_t read_page(const struct dump *d, uint64_t at, uint8_t *buffer, size_t length)
{
    uint64_t physical = at;
    if (!d->physical && !mmu_probe(&machine_cpu(d->mon->machine)->mmu, (uint32_t)at, &physical))
        return 0;
    return physmem_peek(machine_physmem(d->mon->machine), physical, buffer, length);
}

// Bytes up to the first address with nothing behind it.
static size_t dump_read(const struct dump *d, uint64_t at, void *buffer, size_t length)
{
    size_t done = 0;
    while (done < length && at + done < PHYS_LIMIT) {
        size_t part = PAGE_SIZE - ((at + done) & ~PAGE_MASK);
        if (part > length - done)
            part = length - done;
        size_t got = read_page(d, at + done, (uint8_t *)buffer + done, part);
        done += got;
        if (got < part)
            break;
    }
    return done;
}

static bool dump_failed(const struct dump *d, uint64_t at, struct error *err)
{
    unsigned long long where = at;
    if (at >= PHYS_LIMIT)
        return error_set(err, "address 0x%llx is beyond 4 GiB", where);
    if (d->physical)
        return error_set(err, "no memory at physical address 0x%08llx", where);
    return error_set(err, "no memory is mapped at address 0x%08llx", where);
}

static void print_address(const struct dump *d)
{
    monitor_printf(d->mon, "%0*llx:", d->physical ? 16 : 8, (unsigned long long)d->at);
}

static bool dump_values(struct dump *d, const struct argument_format *f, struct error *err)
{
    char format = f->format ? f->format : 'x';
    unsigned size = f->size ? f->size : format == 'c' ? 1 : 4;
    unsigned per_line = format == 'c' ? 8 : LINE_BYTES / size;
    for (uint32_t i = 0; i < f->count; i++) {
        uint8_t bytes[8] = {0};
        size_t got = dump_read(d, d->at, bytes, size);
        if (got < size) {
            if (i % per_line)
                monitor_printf(d->mon, "\n");
            return dump_failed(d, d->at + got, err);
        }
        if (i % per_line == 0)
            print_address(d);
        fputc(' ', d->mon->out);
        print_value(d->mon->out, load_le64(bytes), format, size, true);
        if (i % per_line == per_line - 1 || i + 1 == f->count)
            monitor_printf(d->mon, "\n");
        d->at += size;
    }
    return true;
}

// A size says what code it is: h 16-bit, w 32-bit; without one, what CS says.
static bool dump_code(struct dump *d, const struct argument_format *f, struct error *err)
{
    bool code32 = f->size ? f->size >= 4 : cpu_code32(machine_cpu(d->mon->machine));
    for (uint32_t i = 0; i < f->count; i++) {
        uint8_t bytes[INSN_MAX];
        size_t got = dump_read(d, d->at, bytes, sizeof bytes);
        if (got == 0)
            return dump_failed(d, d->at, err);
        char text[128];
        unsigned length = disassemble(code32 ? DISASSEMBLE_32 : DISASSEMBLE_16, d->at, bytes, got,
                                      text, sizeof text);
        monitor_printf(d->mon, "0x%08llx: ", (unsigned long long)d->at);
        for (unsigned n = 0; n < length && n < got; n++)
            monitor_printf(d->mon, " %02x", bytes[n]);
        monitor_printf(d->mon, "%*s  %s\n", length < 8 ? (int)(8 - length) * 3 : 0, "", text);
        d->at += length;
    }
    return true;
}

static bool dump(struct monitor *mon, const struct arguments *args, bool physical,
                 struct error *err)
{
    // A negative address means the top of the address space, as in -16.
    int64_t address = args->item[0].value;
    if (address < 0 && address >= -(int64_t)PHYS_LIMIT / 2)
        address = (uint32_t)address;
    struct dump d = {.mon = mon, .physical = physical, .at = (uint64_t)address};
    return args->format.format == 'i' ? dump_code(&d, &args->format, err)
                                      : dump_values(&d, &args->format, err);
}

bool command_x(struct monitor *mon, const struct arguments *args, struct error *err)
{
    return dump(mon, args, false, err);
}

bool command_xp(struct monitor *mon, const struct arguments *args, struct error *err)
{
    return dump(mon, args, true, err);
}

bool command_gva2gpa(struct monitor *mon, const struct arguments *args, struct error *err)
{
    uint64_t address = (uint64_t)args->item[0].value, physical;
    if (address >= PHYS_LIMIT ||
        !mmu_probe(&machine_cpu(mon->machine)->mmu, (uint32_t)address, &physical))
        return error_set(err, "address 0x%llx is not mapped", (unsigned long long)address);
    monitor_printf(mon, "gpa: 0x%llx\n", (unsigned long long)physical);
    return true;
}

// ---- Ranges

static bool check_range(const struct arguments *args, struct error *err)
{
    int64_t at = args->item[0].value, size = args->item[1].value;
    if (size <= 0)
        return error_set(err, "a size of %lld bytes", (long long)size);
    if (at < 0 || at >= (int64_t)PHYS_LIMIT || size > (int64_t)PHYS_LIMIT - at)
        return error_set(err, "0x%llx and %lld bytes from there go beyond 4 GiB",
                         (unsigned long long)at, (long long)size);
    return true;
}

bool command_sum(struct monitor *mon, const struct arguments *args, struct error *err)
{
    if (!check_range(args, err))
        return false;
    uint64_t at = (uint64_t)args->item[0].value, left = (uint64_t)args->item[1].value;
    uint8_t *buffer = xcalloc(1, SAVE_CHUNK);
    uint16_t sum = 0;
    while (left > 0) {
        size_t part = left < SAVE_CHUNK ? (size_t)left : SAVE_CHUNK;
        physmem_peek(machine_physmem(mon->machine), at, buffer, part);
        // BSD's: rotate right, add.
        for (size_t i = 0; i < part; i++)
            sum = (uint16_t)((sum >> 1 | sum << 15) + buffer[i]);
        at += part;
        left -= part;
    }
    free(buffer);
    monitor_printf(mon, "%05u\n", sum);
    return true;
}

// Is there memory in any page of the range? Registers and holes between RAM are saved as ones.
static bool has_memory(struct physmem *mem, uint64_t at, uint64_t size)
{
    uint8_t byte;
    for (uint64_t page = at & PAGE_MASK; page < at + size; page += PAGE_SIZE)
        if (physmem_peek(mem, page, &byte, 1) == 1)
            return true;
    return false;
}

static bool save_chunk(const struct dump *d, uint64_t at, uint8_t *buffer, size_t part,
                       struct error *err)
{
    if (d->physical) {
        physmem_peek(machine_physmem(d->mon->machine), at, buffer, part);
        return true;
    }
    size_t got = dump_read(d, at, buffer, part);
    return got == part || dump_failed(d, at + got, err);
}

static bool save(const struct dump *d, uint64_t left, const char *path, struct error *err)
{
    FILE *file = file_open_write(path);
    if (!file)
        return error_set(err, "%s: %s", path, strerror(errno));
    uint8_t *buffer = xcalloc(1, SAVE_CHUNK);
    bool ok = true;
    uint64_t at = d->at;
    while (ok && left > 0) {
        size_t part = left < SAVE_CHUNK ? (size_t)left : SAVE_CHUNK;
        ok = save_chunk(d, at, buffer, part, err);
        if (ok && fwrite(buffer, 1, part, file) != part)
            ok = error_set(err, "%s: %s", path, strerror(errno));
        at += part;
        left -= part;
    }
    free(buffer);
    if (fclose(file) != 0 && ok)
        ok = error_set(err, "%s: %s", path, strerror(errno));
    if (!ok)
        unlink(path);
    return ok;
}

bool command_memsave(struct monitor *mon, const struct arguments *args, struct error *err)
{
    struct dump d = {.mon = mon, .at = (uint64_t)args->item[0].value};
    uint8_t probe;
    if (!check_range(args, err))
        return false;
    if (dump_read(&d, d.at, &probe, 1) == 0)
        return dump_failed(&d, d.at, err);
    return save(&d, (uint64_t)args->item[1].value, args->item[2].text, err);
}

bool command_pmemsave(struct monitor *mon, const struct arguments *args, struct error *err)
{
    struct dump d = {.mon = mon, .physical = true, .at = (uint64_t)args->item[0].value};
    uint64_t size = (uint64_t)args->item[1].value;
    if (!check_range(args, err))
        return false;
    if (!has_memory(machine_physmem(mon->machine), d.at, size))
        return dump_failed(&d, d.at, err);
    return save(&d, size, args->item[2].text, err);
}

// ---- Ports

static bool port_arguments(const struct arguments *args, unsigned *size, struct error *err)
{
    *size = args->format.size ? args->format.size : 1;
    if (*size == 8)
        return error_set(err, "a port is 1, 2 or 4 bytes wide (/b, /h, /w)");
    if (args->item[0].value < 0 || args->item[0].value > 0xffff)
        return error_set(err, "port 0x%llx is not in 0 to 0xffff",
                         (unsigned long long)args->item[0].value);
    return true;
}

bool command_i(struct monitor *mon, const struct arguments *args, struct error *err)
{
    static const char letters[] = {[1] = 'b', [2] = 'w', [4] = 'l'};
    unsigned size;
    if (!port_arguments(args, &size, err))
        return false;
    uint16_t port = (uint16_t)args->item[0].value;
    uint32_t value = portio_read(machine_ports(mon->machine), port, size);
    monitor_printf(mon, "port%c[0x%04x] = 0x%0*x\n", letters[size], port, (int)size * 2, value);
    return true;
}

bool command_o(struct monitor *mon, const struct arguments *args, struct error *err)
{
    unsigned size;
    if (!port_arguments(args, &size, err))
        return false;
    portio_write(machine_ports(mon->machine), (uint16_t)args->item[0].value,
                 (uint32_t)args->item[1].value, size);
    return true;
}
