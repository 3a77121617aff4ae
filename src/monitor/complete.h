// SPDX-License-Identifier: MIT
// Completion of a command line under way.
#ifndef EMU_MONITOR_COMPLETE_H
#define EMU_MONITOR_COMPLETE_H

#include "monitor/editor.h"

// self: struct monitor. The words that may stand in line[*start .. length).
void complete_line(void *self, const char *line, size_t length, size_t *start,
                   struct word_list *list);

#endif
