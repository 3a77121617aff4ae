// SPDX-License-Identifier: MIT
// One interrupt wire: whoever drives it calls irq_set, whoever receives it gave the function.
#ifndef EMU_MMU_IRQ_H
#define EMU_MMU_IRQ_H

#include "base/util.h"

struct irq_line {
    void (*set)(void *self, unsigned n, bool level);
    void *self;
    unsigned n;
};

static inline void irq_set(const struct irq_line *line, bool level)
{
    if (line->set)
        line->set(line->self, line->n, level);
}

#endif
