// SPDX-License-Identifier: MIT
// syscalls_windows_7: the system calls of 32-bit Windows 7. The work is done by
// common/windows/syscalls.c; the numbers are this version's.
#include "common/windows/syscalls.h"

static const char *const signals_list[] = {"syscall", NULL};
static const char *const os_ver[] = {"Win7", NULL};
EMU_PLUGIN_EXPORT const struct pi_info init_info = {signals_list, NULL, os_ver};

EMU_PLUGIN_EXPORT const struct plugin_option plugin_options[] = {WIN_SYSCALL_OPTIONS};

static const struct win_version version = {"Win7",
                                           {
                                               [NT_CREATE_FILE] = 0x042,
                                               [NT_OPEN_FILE] = 0x0b3,
                                               [NT_READ_FILE] = 0x111,
                                               [NT_WRITE_FILE] = 0x18c,
                                               [NT_CLOSE] = 0x032,
                                               [NT_CREATE_SECTION] = 0x054,
                                               [NT_MAP_VIEW_OF_SECTION] = 0x0a8,
                                               [NT_UNMAP_VIEW_OF_SECTION] = 0x181,
                                               [NT_OPEN_SECTION] = 0x0c2,
                                               [NT_DUPLICATE_OBJECT] = 0x06f,
                                               [NT_CREATE_PROCESS] = 0x04f,
                                               [NT_CREATE_PROCESS_EX] = 0x050,
                                               [NT_OPEN_PROCESS] = 0x0be,
                                               [NT_TERMINATE_PROCESS] = 0x172,
                                               [NT_OPEN_PROCESS_TOKEN] = 0x0bf,
                                               [NT_RESUME_PROCESS] = 0x12f,
                                               [NT_SUSPEND_PROCESS] = 0x16e,
                                               [NT_CREATE_THREAD] = 0x057,
                                               [NT_OPEN_THREAD] = 0x0c6,
                                               [NT_OPEN_THREAD_TOKEN] = 0x0c7,
                                               [NT_RESUME_THREAD] = 0x130,
                                               [NT_SUSPEND_THREAD] = 0x16f,
                                               [NT_TERMINATE_THREAD] = 0x173,
                                               [NT_ALLOCATE_USER_PHYSICAL_PAGES] = 0x011,
                                               [NT_ALLOCATE_VIRTUAL_MEMORY] = 0x013,
                                               [NT_QUERY_INFORMATION_PROCESS] = 0x0ea,
                                           }};

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    win_syscalls_start(pi, &version);
}
