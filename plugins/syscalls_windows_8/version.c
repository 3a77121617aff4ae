// SPDX-License-Identifier: MIT
// syscalls_windows_8: the system calls of 32-bit Windows 8. The work is done by
// common/windows/syscalls.c; the numbers are this version's.
#include "common/windows/syscalls.h"

static const char *const signals_list[] = {"syscall", NULL};
static const char *const os_ver[] = {"Win8", NULL};
EMU_PLUGIN_EXPORT const struct pi_info init_info = {signals_list, NULL, os_ver};

EMU_PLUGIN_EXPORT const struct plugin_option plugin_options[] = {WIN_SYSCALL_OPTIONS};

static const struct win_version version = {"Win8",
                                           {
                                               [NT_CREATE_FILE] = 0x164,
                                               [NT_OPEN_FILE] = 0x0e9,
                                               [NT_READ_FILE] = 0x088,
                                               [NT_WRITE_FILE] = 0x006,
                                               [NT_CLOSE] = 0x175,
                                               [NT_CREATE_SECTION] = 0x151,
                                               [NT_MAP_VIEW_OF_SECTION] = 0x0f4,
                                               [NT_UNMAP_VIEW_OF_SECTION] = 0x014,
                                               [NT_OPEN_SECTION] = 0x0da,
                                               [NT_DUPLICATE_OBJECT] = 0x130,
                                               [NT_CREATE_PROCESS] = 0x156,
                                               [NT_CREATE_PROCESS_EX] = 0x155,
                                               [NT_OPEN_PROCESS] = 0x0de,
                                               [NT_TERMINATE_PROCESS] = 0x024,
                                               [NT_OPEN_PROCESS_TOKEN] = 0x0dd,
                                               [NT_RESUME_PROCESS] = 0x06a,
                                               [NT_SUSPEND_PROCESS] = 0x028,
                                               [NT_CREATE_THREAD] = 0x14e,
                                               [NT_OPEN_THREAD] = 0x0d6,
                                               [NT_OPEN_THREAD_TOKEN] = 0x0d5,
                                               [NT_RESUME_THREAD] = 0x069,
                                               [NT_SUSPEND_THREAD] = 0x027,
                                               [NT_TERMINATE_THREAD] = 0x023,
                                               [NT_ALLOCATE_USER_PHYSICAL_PAGES] = 0x199,
                                               [NT_ALLOCATE_VIRTUAL_MEMORY] = 0x197,
                                               [NT_QUERY_INFORMATION_PROCESS] = 0x0b1,
                                           }};

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    win_syscalls_start(pi, &version);
}
