// SPDX-License-Identifier: MIT
// The export table of a PE image: "PE Format", sections "Optional Header" and "The .edata Section".
// Left out: PE32+, forwarders, imports.
#include "common/pe_exports.h"

#include <stdlib.h>
#include <string.h>

#define PAGE          4096u
#define MAX_FUNCTIONS 65536u // ordinals have 16 bits
#define MAX_NAME      512u
#define MAX_IMAGE     0x40000000u

struct source {
    const struct pe_reader *reader;
    struct pe_exports *out;
    uint32_t directory, directory_size;
};

struct export_directory {
    uint32_t characteristics, time;
    uint16_t major, minor;
    uint32_t name, base, functions, names, function_table, name_table, ordinal_table;
};

static void note_missing(struct pe_exports *out, uint32_t rva)
{
    rva &= ~(PAGE - 1);
    for (unsigned i = 0; i < out->missing_count; i++)
        if (out->missing[i] == rva)
            return;
    if (out->missing_count < PE_MAX_MISSING)
        out->missing[out->missing_count++] = rva;
}

// The bytes read; the page that stopped it is noted.
static size_t fetch(const struct source *s, uint32_t rva, void *buffer, size_t length)
{
    if (rva >= MAX_IMAGE || (s->out->image_size && rva >= s->out->image_size))
        return 0;
    size_t got = s->reader->read(s->reader->self, rva, buffer, length);
    if (got < length)
        note_missing(s->out, rva + (uint32_t)got);
    return got;
}

bool pe_exports_misses(const struct pe_exports *exports, uint32_t rva)
{
    if (exports->missing_count == PE_MAX_MISSING)
        return true;
    for (unsigned i = 0; i < exports->missing_count; i++)
        if (exports->missing[i] == (rva & ~(PAGE - 1)))
            return true;
    return false;
}

static uint32_t word(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

// False: no PE. *whole: the headers could be read.
static bool read_headers(struct source *s, bool *whole)
{
    uint8_t dos[64], pe[24 + 104];
    *whole = false;
    if (fetch(s, 0, dos, sizeof dos) < sizeof dos)
        return s->out->missing_count > 0;
    uint32_t at = word(dos + 0x3c);
    if (dos[0] != 'M' || dos[1] != 'Z' || at >= 0x10000)
        return false;
    if (fetch(s, at, pe, sizeof pe) < sizeof pe)
        return s->out->missing_count > 0;
    const uint8_t *optional = pe + 24;
    uint32_t size = word(optional + 56);
    if (word(pe) != 0x4550 || (word(pe + 4) & 0xffff) != 0x14c ||
        (word(optional) & 0xffff) != 0x10b || size < PAGE || size > MAX_IMAGE)
        return false;
    s->out->image_size = size;
    if (word(optional + 92) > 0) { // NumberOfRvaAndSizes
        s->directory = word(optional + 96);
        s->directory_size = word(optional + 100);
    }
    *whole = true;
    return true;
}

static char *read_name(const struct source *s, uint32_t rva)
{
    char text[MAX_NAME + 1];
    size_t done = 0;
    while (done < MAX_NAME) {
        size_t want = 32 < MAX_NAME - done ? 32 : MAX_NAME - done;
        uint32_t to_page = PAGE - ((rva + (uint32_t)done) & (PAGE - 1));
        want = want < to_page ? want : to_page;
        size_t got = fetch(s, rva + (uint32_t)done, text + done, want);
        for (size_t i = done; i < done + got; i++) {
            if (text[i] == 0)
                return i ? strdup(text) : NULL;
            if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] >= 0x7f)
                return NULL;
        }
        if (got < want)
            return NULL;
        done += got;
    }
    return NULL;
}

// Gives the functions their names. by_index: position in the list of a function, or -1.
static void read_names(const struct source *s, const struct export_directory *d,
                       const int32_t *by_index, uint32_t functions)
{
    uint32_t names = d->names < MAX_FUNCTIONS ? d->names : MAX_FUNCTIONS;
    for (uint32_t i = 0; i < names; i++) {
        uint8_t name[4], ordinal[2];
        if (d->ordinal_table > MAX_IMAGE || d->name_table > MAX_IMAGE)
            return;
        bool have = fetch(s, d->ordinal_table + 2 * i, ordinal, 2) == 2;
        have &= fetch(s, d->name_table + 4 * i, name, 4) == 4;
        uint32_t index = have ? (uint32_t)(ordinal[0] | ordinal[1] << 8) : functions;
        if (index >= functions || by_index[index] < 0)
            continue;
        struct pe_export *e = &s->out->list[by_index[index]];
        if (!e->name)
            e->name = read_name(s, word(name));
    }
}

static int compare(const void *a, const void *b)
{
    const struct pe_export *x = a, *y = b;
    if (x->rva != y->rva)
        return x->rva < y->rva ? -1 : 1;
    if (!x->name != !y->name)
        return x->name ? -1 : 1;
    return x->name ? strcmp(x->name, y->name) : 0;
}

static void read_functions(struct source *s, const struct export_directory *d)
{
    uint32_t functions = d->functions < MAX_FUNCTIONS ? d->functions : MAX_FUNCTIONS;
    int32_t *by_index = malloc((functions + 1) * sizeof *by_index);
    struct pe_exports *out = s->out;
    out->list = calloc(functions + 1, sizeof *out->list);
    if (!by_index || !out->list || d->function_table > MAX_IMAGE) {
        free(by_index);
        return;
    }
    for (uint32_t i = 0; i < functions; i++) {
        uint8_t entry[4];
        by_index[i] = -1;
        uint32_t rva = fetch(s, d->function_table + 4 * i, entry, 4) == 4 ? word(entry) : 0;
        if (rva == 0 || rva >= out->image_size || rva - s->directory < s->directory_size)
            continue; // a gap, nonsense, or a forwarder
        by_index[i] = (int32_t)out->count;
        out->list[out->count++] = (struct pe_export){.rva = rva, .ordinal = d->base + i};
    }
    read_names(s, d, by_index, functions);
    free(by_index);
    qsort(out->list, out->count, sizeof *out->list, compare);
}

bool pe_exports_read(const struct pe_reader *reader, struct pe_exports *out)
{
    struct source s = {.reader = reader, .out = out};
    struct export_directory d;
    bool whole;
    *out = (struct pe_exports){0};
    if (!read_headers(&s, &whole))
        return false;
    if (whole && s.directory && s.directory < out->image_size &&
        fetch(&s, s.directory, &d, sizeof d) == sizeof d)
        read_functions(&s, &d);
    return true;
}

void pe_exports_free(struct pe_exports *exports)
{
    for (unsigned i = 0; i < exports->count; i++)
        free(exports->list[i].name);
    free(exports->list);
    *exports = (struct pe_exports){0};
}
