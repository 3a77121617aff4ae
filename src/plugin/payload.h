// SPDX-License-Identifier: MIT
// Described payloads: name, version and fields of what a signal carries. The same structures stand
// in the public SDK header.
#ifndef EMU_PLUGIN_PAYLOAD_H
#define EMU_PLUGIN_PAYLOAD_H

#include "plugin/plugin_api.h"

// True when a subscriber built against `want` can read what `have` describes: same name and
// version, and every field of `want` is in `have` with the same offset, size and type.
bool payload_compatible(const struct payload_type *have, const struct payload_type *want,
                        char *reason, size_t reason_size);

#endif
