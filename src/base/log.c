// SPDX-License-Identifier: MIT
// Log categories: names as QEMU spells them where it has the category (-d, the monitor's `log`).
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>

#include "base/file.h"

struct log_name {
    const char *name;
    uint32_t bit;
    const char *description;
};

static const struct log_name log_names[] = {
    {"in_asm", LOG_IN_ASM, "guest code of each block when it is decoded"},
    {"op", LOG_OP, "operations attached to each block"},
    {"out_asm", LOG_OUT_ASM, "host code generated for each block"},
    {"exec", LOG_EXEC, "each block that is executed"},
    {"cpu", LOG_CPU, "CPU registers before each block"},
    {"int", LOG_INT, "exceptions and interrupts"},
    {"mmu", LOG_MMU, "TLB fills and flushes, page faults"},
    {"cpu_reset", LOG_RESET, "CPU state at each reset"},
    {"guest_errors", LOG_GUEST_ERROR, "what no correct guest does"},
    {"unimp", LOG_UNIMP, "what emu does not model"},
    {"ioport", LOG_IOPORT, "accesses to ports that no device claims"},
    {"pci", LOG_PCI, "PCI configuration and address decoding"},
    {"ide", LOG_IDE, "IDE and ATAPI commands"},
    {"post", LOG_POST, "POST codes: what is written to port 0x80 (and isa-post)"},
    {"plugin", LOG_PLUGIN, "plugins loading, unloading and subscribing"},
};

void log_init(struct log *log)
{
    log->mask = 0;
    log->out = stderr;
}

void log_close(struct log *log)
{
    if (log->out != stderr)
        fclose(log->out);
    log->out = stderr;
    log->mask = 0;
}

static const struct log_name *log_find(const char *name, size_t length)
{
    for (size_t i = 0; i < ARRAY_SIZE(log_names); i++) {
        if (strlen(log_names[i].name) == length && memcmp(log_names[i].name, name, length) == 0)
            return &log_names[i];
    }
    return NULL;
}

static bool name_is(const char *name, size_t length, const char *what)
{
    return strlen(what) == length && memcmp(name, what, length) == 0;
}

bool log_parse_mask(const char *names, uint32_t *mask, struct error *err)
{
    uint32_t result = 0;
    for (const char *p = names;;) {
        size_t length = strcspn(p, ",");
        const struct log_name *found = log_find(p, length);
        if (found) {
            result |= found->bit;
        } else if (name_is(p, length, "all")) {
            for (size_t i = 0; i < ARRAY_SIZE(log_names); i++)
                result |= log_names[i].bit;
        } else if (name_is(p, length, "none")) {
            result = 0;
        } else {
            return error_set(err, "unknown log category '%.*s' (see -d help)",
                             length > 64 ? 64 : (int)length, p);
        }
        if (p[length] == '\0')
            break;
        p += length + 1;
    }
    *mask = result;
    return true;
}

void log_list_categories(FILE *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(log_names); i++)
        fprintf(out, "%-14s %s\n", log_names[i].name, log_names[i].description);
}

bool log_set_file(struct log *log, const char *path, struct error *err)
{
    FILE *file = file_open_write(path);
    if (!file)
        return error_set(err, "cannot write the log file '%s': %s", path, strerror(errno));
    setvbuf(file, NULL, _IOLBF, BUFSIZ);
    if (log->out != stderr)
        fclose(log->out);
    log->out = file;
    return true;
}

void log_write(struct log *log, uint32_t category, const char *fmt, ...)
{
    if (!log_enabled(log, category))
        return;
    va_list ap;
    va_start(ap, fmt);
    vfprintf(log->out, fmt, ap);
    va_end(ap);
}
