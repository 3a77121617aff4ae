// SPDX-License-Identifier: MIT
// Keeps a search that may have to be repeated often from taking more than its share: it is due
// again once the machine's thread has had `factor` times the processor time that the last one cost.
// Any clock of the guest or of the wall would not do: on a busy host it goes on while nothing runs,
// and the guest would do nothing but be searched.
#ifndef EMU_PLUGINS_COMMON_PACE_H
#define EMU_PLUGINS_COMMON_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
    int64_t began, next; // processor time in ns
};

// True: due, and begun.
bool pace_begin(struct pace *pace);
void pace_end(struct pace *pace, unsigned factor);

#endif
