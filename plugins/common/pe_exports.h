// SPDX-License-Identifier: MIT
// The export table of a PE image (32-bit), read as it lies in memory. The image belongs to a
// hostile guest and some of its pages may not be there yet: nothing is trusted, what is missing is
// told.
#ifndef EMU_PLUGINS_COMMON_PE_EXPORTS_H
#define EMU_PLUGINS_COMMON_PE_EXPORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PE_MAX_MISSING 32u

struct pe_reader {
    // Reads at an RVA; returns the bytes before the first page that is not there.
    size_t (*read)(void *self, uint32_t rva, void *buffer, size_t length);
    void *self;
};

struct pe_export {
    uint32_t rva;
    uint32_t ordinal;
    char *name; // NULL: it has none, or its page is missing
};

struct pe_exports {
    uint32_t image_size;    // SizeOfImage
    struct pe_export *list; // by RVA; forwarders are left out
    unsigned count;
    uint32_t missing[PE_MAX_MISSING]; // RVAs of pages that were needed and not there
    unsigned missing_count;           // PE_MAX_MISSING: perhaps more
};

// False: this is no PE image for i386 (and no page of it was missing to say so). Otherwise *out
// holds what could be read, also when that is nothing; free it with pe_exports_free.
bool pe_exports_read(const struct pe_reader *reader, struct pe_exports *out);
void pe_exports_free(struct pe_exports *exports);
bool pe_exports_misses(const struct pe_exports *exports, uint32_t rva);

#endif
