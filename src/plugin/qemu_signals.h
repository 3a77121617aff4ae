// SPDX-License-Identifier: MIT
// Group "qemu": the signals emu itself emits, with their payload descriptions.
#ifndef EMU_PLUGIN_QEMU_SIGNALS_H
#define EMU_PLUGIN_QEMU_SIGNALS_H

#include "plugin/host_internal.h"

// Registers the group and hands its signals to the CPU, the MMU and the executor.
void qemu_signals_register(struct plugin_host *host);
void qemu_signals_unregister(struct plugin_host *host);

#endif
