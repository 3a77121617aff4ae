// SPDX-License-Identifier: MIT
// list_exports FILE: lays a DLL's sections out as a loader does and prints what the reader of
// export tables finds: RVA, ordinal, name, in the order of ordinals and with "#" for no name.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/pe_exports.h"

struct image {
    uint8_t *bytes;
    uint32_t size;
};

static size_t read_image(void *self, uint32_t rva, void *buffer, size_t length)
{
    const struct image *im = self;
    size_t n = rva < im->size ? im->size - rva : 0;
    n = n < length ? n : length;
    if (n)
        memcpy(buffer, im->bytes + rva, n);
    return n;
}

static uint32_t word(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

int main(int argc, char **argv)
{
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    static uint8_t file[64 << 20];
    size_t length = f ? fread(file, 1, sizeof file, f) : 0;
    if (length < 4096 || length == sizeof file)
        return 2;
    const uint8_t *pe = file + word(file + 0x3c);
    struct image im = {.size = word(pe + 24 + 56)};
    im.bytes = calloc(im.size, 1);
    memcpy(im.bytes, file, word(pe + 24 + 60));
    const uint8_t *s = pe + 24 + (word(pe + 20) & 0xffff);
    for (unsigned i = 0; i < (word(pe + 6) & 0xffff); i++, s += 40)
        memcpy(im.bytes + word(s + 12), file + word(s + 20),
               word(s + 8) < word(s + 16) ? word(s + 8) : word(s + 16));
    struct pe_reader reader = {read_image, &im};
    struct pe_exports e;
    if (!pe_exports_read(&reader, &e))
        return 1;
    for (unsigned i = 0; i < e.count; i++)
        printf("%x %u %s\n", e.list[i].rva, e.list[i].ordinal,
               e.list[i].name ? e.list[i].name : "#");
    pe_exports_free(&e);
    free(im.bytes);
    return 0;
}
