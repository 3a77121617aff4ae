// SPDX-License-Identifier: MIT
// syscalls_windows_8.1: the system calls of 32-bit Windows 8.1. The work is done by
// common/windows/syscalls.c; the numbers are this version's.
#include "common/windows/syscalls.h"

static const char *const signals_list[] = {"syscall", NULL};
static const char *const os_ver[] = {"Win8.1", NULL};
EMU_PLUGIN_EXPORT const struct pi_info init_info = {signals_list, NULL, os_ver};

EMU_PLUGIN_EXPORT const struct plugin_option plugin_options[] = {WIN_SYSCALL_OPTIONS};

static const struct win_version version = {"Win8.1",
                                           {
                                               [NT_CREATE_FILE] = 0x168,
                                               [NT_OPEN_FILE] = 0x0eb,
                                               [NT_READ_FILE] = 0x08a,
                                               [NT_WRITE_FILE] = 0x006,
                                               [NT_CLOSE] = 0x179,
                                               [NT_CREATE_SECTION] = 0x154,
                                               [NT_MAP_VIEW_OF_SECTION] = 0x0f6,
                                               [NT_UNMAP_VIEW_OF_SECTION] = 0x013,
                                               [NT_OPEN_SECTION] = 0x0dc,
                                               [NT_DUPLICATE_OBJECT] = 0x133,
                                               [NT_CREATE_PROCESS] = 0x159,
                                               [NT_CREATE_PROCESS_EX] = 0x158,
                                               [NT_OPEN_PROCESS] = 0x0e0,
                                               [NT_TERMINATE_PROCESS] = 0x023,
                                               [NT_OPEN_PROCESS_TOKEN] = 0x0df,
                                               [NT_RESUME_PROCESS] = 0x06c,
                                               [NT_SUSPEND_PROCESS] = 0x027,
                                               [NT_CREATE_THREAD] = 0x151,
                                               [NT_OPEN_THREAD] = 0x0d8,
                                               [NT_OPEN_THREAD_TOKEN] = 0x0d7,
                                               [NT_RESUME_THREAD] = 0x06b,
                                               [NT_SUSPEND_THREAD] = 0x026,
                                               [NT_TERMINATE_THREAD] = 0x022,
                                               [NT_ALLOCATE_USER_PHYSICAL_PAGES] = 0x19d,
                                               [NT_ALLOCATE_VIRTUAL_MEMORY] = 0x19b,
                                               [NT_QUERY_INFORMATION_PROCESS] = 0x0b3,
                                           }};

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    win_syscalls_start(pi, &version);
}
