// SPDX-License-Identifier: MIT
// api_monitor_windows: what its parts share.
#ifndef API_MONITOR_WINDOWS_INTERNAL_H
#define API_MONITOR_WINDOWS_INTERNAL_H

#include "common/api_trace.h"
#include "common/text.h"

// ---- modules.c: which files are mapped where
bool modules_start(struct api_trace *trace);
void modules_stop(void);
// Modules of which some pages of the export table were not there yet.
unsigned modules_incomplete(void);

// ---- process.c: the calls that have ids of their own

enum api_kind {
    API_OTHER,
    API_CREATE_W,
    API_CREATE_A,
    API_AS_USER_W,
    API_AS_USER_A,
    API_EXIT,
    API_PID
};

void process_register(SignalInfo *group);
// Kind of a function of a module.
enum api_kind process_kind(const struct api_image *image, const struct api_export *export);
void process_enter(struct api_call *call, CPUArchState *cpu);
void process_leave(struct api_call *call, CPUArchState *cpu, bool returned);

#endif
