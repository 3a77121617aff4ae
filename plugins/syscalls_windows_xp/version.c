// SPDX-License-Identifier: MIT
// syscalls_windows_xp: the system calls of 32-bit Windows XP. The work is done by
// common/windows/syscalls.c; the numbers are this version's.
#include "common/windows/syscalls.h"

static const char *const signals_list[] = {"syscall", NULL};
static const char *const os_ver[] = {"WinXP", NULL};
EMU_PLUGIN_EXPORT const struct pi_info init_info = {signals_list, NULL, os_ver};

EMU_PLUGIN_EXPORT const struct plugin_option plugin_options[] = {WIN_SYSCALL_OPTIONS};

static const struct win_version version = {"WinXP",
                                           {
                                               [NT_CREATE_FILE] = 0x025,
                                               [NT_OPEN_FILE] = 0x074,
                                               [NT_READ_FILE] = 0x0b7,
                                               [NT_WRITE_FILE] = 0x112,
                                               [NT_CLOSE] = 0x019,
                                               [NT_CREATE_SECTION] = 0x032,
                                               [NT_MAP_VIEW_OF_SECTION] = 0x06c,
                                               [NT_UNMAP_VIEW_OF_SECTION] = 0x10b,
                                               [NT_OPEN_SECTION] = 0x07d,
                                               [NT_DUPLICATE_OBJECT] = 0x044,
                                               [NT_CREATE_PROCESS] = 0x02f,
                                               [NT_CREATE_PROCESS_EX] = 0x030,
                                               [NT_OPEN_PROCESS] = 0x07a,
                                               [NT_TERMINATE_PROCESS] = 0x101,
                                               [NT_OPEN_PROCESS_TOKEN] = 0x07b,
                                               [NT_RESUME_PROCESS] = 0x0cd,
                                               [NT_SUSPEND_PROCESS] = 0x0fd,
                                               [NT_CREATE_THREAD] = 0x035,
                                               [NT_OPEN_THREAD] = 0x080,
                                               [NT_OPEN_THREAD_TOKEN] = 0x081,
                                               [NT_RESUME_THREAD] = 0x0ce,
                                               [NT_SUSPEND_THREAD] = 0x0fe,
                                               [NT_TERMINATE_THREAD] = 0x102,
                                               [NT_ALLOCATE_USER_PHYSICAL_PAGES] = 0x00f,
                                               [NT_ALLOCATE_VIRTUAL_MEMORY] = 0x011,
                                               [NT_QUERY_INFORMATION_PROCESS] = 0x09a,
                                           }};

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    win_syscalls_start(pi, &version);
}
