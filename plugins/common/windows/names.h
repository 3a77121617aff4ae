// SPDX-License-Identifier: MIT
// Names of the constants that Windows calls take, as the Windows headers write them.
#ifndef EMU_PLUGINS_COMMON_WINDOWS_NAMES_H
#define EMU_PLUGINS_COMMON_WINDOWS_NAMES_H

#include "common/text.h"

struct win_name {
    uint32_t mask;    // flags: all of mask's bits must be set; enumerations: the value
    const char *name; // NULL ends the list
};

extern const struct win_name win_file_access[], win_section_access[], win_process_access[],
    win_thread_access[], win_token_access[], win_generic_access[], win_file_attributes[],
    win_share_access[], win_create_options[], win_page_protection[], win_section_attributes[],
    win_allocation_type[], win_object_attributes[], win_duplicate_options[], win_process_flags[];
extern const struct win_name win_create_disposition[], win_inherit_disposition[],
    win_process_class[], win_file_information[];

// "A|B|0x8", or "0" without a bit.
void win_add_flags(struct text *text, const struct win_name *names, uint32_t value);
// The name, or the number.
void win_add_enum(struct text *text, const struct win_name *names, uint32_t value);
// STATUS_SUCCESS, or 0xc0000123.
void win_add_status(struct text *text, uint32_t status);

#endif
