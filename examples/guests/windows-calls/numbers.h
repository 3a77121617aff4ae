// SPDX-License-Identifier: MIT
// System call numbers of 32-bit Windows XP, 7, 8 and 8.1, for the test guest.
#ifndef NUMBERS_H
#define NUMBERS_H

// X(call, XP, 7, 8, 8.1)
#define CALLS(X)                                                                                   \
    X(NtCreateFile, 0x025, 0x042, 0x164, 0x168)                                                    \
    X(NtOpenFile, 0x074, 0x0b3, 0x0e9, 0x0eb)                                                      \
    X(NtReadFile, 0x0b7, 0x111, 0x088, 0x08a)                                                      \
    X(NtWriteFile, 0x112, 0x18c, 0x006, 0x006)                                                     \
    X(NtClose, 0x019, 0x032, 0x175, 0x179)                                                         \
    X(NtCreateSection, 0x032, 0x054, 0x151, 0x154)                                                 \
    X(NtMapViewOfSection, 0x06c, 0x0a8, 0x0f4, 0x0f6)                                              \
    X(NtUnmapViewOfSection, 0x10b, 0x181, 0x014, 0x013)                                            \
    X(NtOpenSection, 0x07d, 0x0c2, 0x0da, 0x0dc)                                                   \
    X(NtDuplicateObject, 0x044, 0x06f, 0x130, 0x133)                                               \
    X(NtCreateProcess, 0x02f, 0x04f, 0x156, 0x159)                                                 \
    X(NtCreateProcessEx, 0x030, 0x050, 0x155, 0x158)                                               \
    X(NtOpenProcess, 0x07a, 0x0be, 0x0de, 0x0e0)                                                   \
    X(NtTerminateProcess, 0x101, 0x172, 0x024, 0x023)                                              \
    X(NtOpenProcessToken, 0x07b, 0x0bf, 0x0dd, 0x0df)                                              \
    X(NtResumeProcess, 0x0cd, 0x12f, 0x06a, 0x06c)                                                 \
    X(NtSuspendProcess, 0x0fd, 0x16e, 0x028, 0x027)                                                \
    X(NtCreateThread, 0x035, 0x057, 0x14e, 0x151)                                                  \
    X(NtOpenThread, 0x080, 0x0c6, 0x0d6, 0x0d8)                                                    \
    X(NtOpenThreadToken, 0x081, 0x0c7, 0x0d5, 0x0d7)                                               \
    X(NtResumeThread, 0x0ce, 0x130, 0x069, 0x06b)                                                  \
    X(NtSuspendThread, 0x0fe, 0x16f, 0x027, 0x026)                                                 \
    X(NtTerminateThread, 0x102, 0x173, 0x023, 0x022)                                               \
    X(NtAllocateUserPhysicalPages, 0x00f, 0x011, 0x199, 0x19d)                                     \
    X(NtAllocateVirtualMemory, 0x011, 0x013, 0x197, 0x19b)                                         \
    X(NtQueryInformationProcess, 0x09a, 0x0ea, 0x0b1, 0x0b3)

#define CALL_ID(call, xp, seven, eight, eight_one) ID_##call,
enum call_id { CALLS(CALL_ID) CALL_COUNT };

#endif
