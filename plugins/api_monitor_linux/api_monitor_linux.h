/* SPDX-License-Identifier: MIT */
/*
 * What plugin `api_monitor_linux` offers: group "api". API_CALL and API_RETURN come for every
 * exported function that a process calls; an id such as "libc.so.6!puts" comes for both, with
 * `returned` telling them apart.
 */
#ifndef API_MONITOR_LINUX_H
#define API_MONITOR_LINUX_H

#include <emu/plugin.h>

struct api_payload {
    uint32_t tid, pid;
    const char *process;
    const char *module; /* file name without its folder */
    const char *function;
    uint32_t address; /* of the function */
    uint32_t return_address;
    uint32_t arg0, arg1, arg2, arg3;
    const char *text; /* arguments, as far as the function is known */
    bool returned;
    uint32_t result; /* EAX */
};

#endif
