// SPDX-License-Identifier: MIT
// Names of the constants that Windows calls take: winnt.h, ntddk.h, ntstatus.h. Left out: status
// values that these calls do not give.
#include "common/windows/names.h"

#define STANDARD_ACCESS                                                                            \
    {0x00010000, "DELETE"}, {0x00020000, "READ_CONTROL"}, {0x00040000, "WRITE_DAC"},               \
        {0x00080000, "WRITE_OWNER"}, {0x00100000, "SYNCHRONIZE"},                                  \
        {0x01000000, "ACCESS_SYSTEM_SECURITY"}, {0x02000000, "MAXIMUM_ALLOWED"},                   \
        {0x10000000, "GENERIC_ALL"}, {0x20000000, "GENERIC_EXECUTE"},                              \
        {0x40000000, "GENERIC_WRITE"}, {0x80000000, "GENERIC_READ"},                               \
    {                                                                                              \
        0, NULL                                                                                    \
    }

const struct win_name win_file_access[] = {{0x001f01ff, "FILE_ALL_ACCESS"},
                                           {0x0001, "FILE_READ_DATA"},
                                           {0x0002, "FILE_WRITE_DATA"},
                                           {0x0004, "FILE_APPEND_DATA"},
                                           {0x0008, "FILE_READ_EA"},
                                           {0x0010, "FILE_WRITE_EA"},
                                           {0x0020, "FILE_EXECUTE"},
                                           {0x0040, "FILE_DELETE_CHILD"},
                                           {0x0080, "FILE_READ_ATTRIBUTES"},
                                           {0x0100, "FILE_WRITE_ATTRIBUTES"},
                                           STANDARD_ACCESS};
const struct win_name win_section_access[] = {{0x000f001f, "SECTION_ALL_ACCESS"},
                                              {0x01, "SECTION_QUERY"},
                                              {0x02, "SECTION_MAP_WRITE"},
                                              {0x04, "SECTION_MAP_READ"},
                                              {0x08, "SECTION_MAP_EXECUTE"},
                                              {0x10, "SECTION_EXTEND_SIZE"},
                                              STANDARD_ACCESS};
const struct win_name win_process_access[] = {{0x001fffff, "PROCESS_ALL_ACCESS"},
                                              {0x001f0fff, "PROCESS_ALL_ACCESS"},
                                              {0x0001, "PROCESS_TERMINATE"},
                                              {0x0002, "PROCESS_CREATE_THREAD"},
                                              {0x0004, "PROCESS_SET_SESSIONID"},
                                              {0x0008, "PROCESS_VM_OPERATION"},
                                              {0x0010, "PROCESS_VM_READ"},
                                              {0x0020, "PROCESS_VM_WRITE"},
                                              {0x0040, "PROCESS_DUP_HANDLE"},
                                              {0x0080, "PROCESS_CREATE_PROCESS"},
                                              {0x0100, "PROCESS_SET_QUOTA"},
                                              {0x0200, "PROCESS_SET_INFORMATION"},
                                              {0x0400, "PROCESS_QUERY_INFORMATION"},
                                              {0x0800, "PROCESS_SUSPEND_RESUME"},
                                              {0x1000, "PROCESS_QUERY_LIMITED_INFORMATION"},
                                              STANDARD_ACCESS};
const struct win_name win_thread_access[] = {{0x001fffff, "THREAD_ALL_ACCESS"},
                                             {0x001f03ff, "THREAD_ALL_ACCESS"},
                                             {0x0001, "THREAD_TERMINATE"},
                                             {0x0002, "THREAD_SUSPEND_RESUME"},
                                             {0x0004, "THREAD_ALERT"},
                                             {0x0008, "THREAD_GET_CONTEXT"},
                                             {0x0010, "THREAD_SET_CONTEXT"},
                                             {0x0020, "THREAD_SET_INFORMATION"},
                                             {0x0040, "THREAD_QUERY_INFORMATION"},
                                             {0x0080, "THREAD_SET_THREAD_TOKEN"},
                                             {0x0100, "THREAD_IMPERSONATE"},
                                             {0x0200, "THREAD_DIRECT_IMPERSONATION"},
                                             {0x0400, "THREAD_SET_LIMITED_INFORMATION"},
                                             {0x0800, "THREAD_QUERY_LIMITED_INFORMATION"},
                                             STANDARD_ACCESS};
const struct win_name win_token_access[] = {{0x000f01ff, "TOKEN_ALL_ACCESS"},
                                            {0x0001, "TOKEN_ASSIGN_PRIMARY"},
                                            {0x0002, "TOKEN_DUPLICATE"},
                                            {0x0004, "TOKEN_IMPERSONATE"},
                                            {0x0008, "TOKEN_QUERY"},
                                            {0x0010, "TOKEN_QUERY_SOURCE"},
                                            {0x0020, "TOKEN_ADJUST_PRIVILEGES"},
                                            {0x0040, "TOKEN_ADJUST_GROUPS"},
                                            {0x0080, "TOKEN_ADJUST_DEFAULT"},
                                            {0x0100, "TOKEN_ADJUST_SESSIONID"},
                                            STANDARD_ACCESS};
const struct win_name win_generic_access[] = {STANDARD_ACCESS};

const struct win_name win_file_attributes[] = {{0x0001, "FILE_ATTRIBUTE_READONLY"},
                                               {0x0002, "FILE_ATTRIBUTE_HIDDEN"},
                                               {0x0004, "FILE_ATTRIBUTE_SYSTEM"},
                                               {0x0010, "FILE_ATTRIBUTE_DIRECTORY"},
                                               {0x0020, "FILE_ATTRIBUTE_ARCHIVE"},
                                               {0x0040, "FILE_ATTRIBUTE_DEVICE"},
                                               {0x0080, "FILE_ATTRIBUTE_NORMAL"},
                                               {0x0100, "FILE_ATTRIBUTE_TEMPORARY"},
                                               {0x0200, "FILE_ATTRIBUTE_SPARSE_FILE"},
                                               {0x0400, "FILE_ATTRIBUTE_REPARSE_POINT"},
                                               {0x0800, "FILE_ATTRIBUTE_COMPRESSED"},
                                               {0x1000, "FILE_ATTRIBUTE_OFFLINE"},
                                               {0x2000, "FILE_ATTRIBUTE_NOT_CONTENT_INDEXED"},
                                               {0x4000, "FILE_ATTRIBUTE_ENCRYPTED"},
                                               {0, NULL}};
const struct win_name win_share_access[] = {
    {1, "FILE_SHARE_READ"}, {2, "FILE_SHARE_WRITE"}, {4, "FILE_SHARE_DELETE"}, {0, NULL}};
const struct win_name win_create_options[] = {{0x00000001, "FILE_DIRECTORY_FILE"},
                                              {0x00000002, "FILE_WRITE_THROUGH"},
                                              {0x00000004, "FILE_SEQUENTIAL_ONLY"},
                                              {0x00000008, "FILE_NO_INTERMEDIATE_BUFFERING"},
                                              {0x00000010, "FILE_SYNCHRONOUS_IO_ALERT"},
                                              {0x00000020, "FILE_SYNCHRONOUS_IO_NONALERT"},
                                              {0x00000040, "FILE_NON_DIRECTORY_FILE"},
                                              {0x00000080, "FILE_CREATE_TREE_CONNECTION"},
                                              {0x00000100, "FILE_COMPLETE_IF_OPLOCKED"},
                                              {0x00000200, "FILE_NO_EA_KNOWLEDGE"},
                                              {0x00000400, "FILE_OPEN_REMOTE_INSTANCE"},
                                              {0x00000800, "FILE_RANDOM_ACCESS"},
                                              {0x00001000, "FILE_DELETE_ON_CLOSE"},
                                              {0x00002000, "FILE_OPEN_BY_FILE_ID"},
                                              {0x00004000, "FILE_OPEN_FOR_BACKUP_INTENT"},
                                              {0x00008000, "FILE_NO_COMPRESSION"},
                                              {0x00100000, "FILE_RESERVE_OPFILTER"},
                                              {0x00200000, "FILE_OPEN_REPARSE_POINT"},
                                              {0x00400000, "FILE_OPEN_NO_RECALL"},
                                              {0x00800000, "FILE_OPEN_FOR_FREE_SPACE_QUERY"},
                                              {0, NULL}};
const struct win_name win_page_protection[] = {{0x001, "PAGE_NOACCESS"},
                                               {0x002, "PAGE_READONLY"},
                                               {0x004, "PAGE_READWRITE"},
                                               {0x008, "PAGE_WRITECOPY"},
                                               {0x010, "PAGE_EXECUTE"},
                                               {0x020, "PAGE_EXECUTE_READ"},
                                               {0x040, "PAGE_EXECUTE_READWRITE"},
                                               {0x080, "PAGE_EXECUTE_WRITECOPY"},
                                               {0x100, "PAGE_GUARD"},
                                               {0x200, "PAGE_NOCACHE"},
                                               {0x400, "PAGE_WRITECOMBINE"},
                                               {0, NULL}};
const struct win_name win_section_attributes[] = {
    {0x00200000, "SEC_BASED"},       {0x00400000, "SEC_NO_CHANGE"},
    {0x00800000, "SEC_FILE"},        {0x11000000, "SEC_IMAGE_NO_EXECUTE"},
    {0x01000000, "SEC_IMAGE"},       {0x02000000, "SEC_PROTECTED_IMAGE"},
    {0x04000000, "SEC_RESERVE"},     {0x08000000, "SEC_COMMIT"},
    {0x10000000, "SEC_NOCACHE"},     {0x40000000, "SEC_WRITECOMBINE"},
    {0x80000000, "SEC_LARGE_PAGES"}, {0, NULL}};
const struct win_name win_allocation_type[] = {{0x00001000, "MEM_COMMIT"},
                                               {0x00002000, "MEM_RESERVE"},
                                               {0x00004000, "MEM_DECOMMIT"},
                                               {0x00008000, "MEM_RELEASE"},
                                               {0x00080000, "MEM_RESET"},
                                               {0x00100000, "MEM_TOP_DOWN"},
                                               {0x00200000, "MEM_WRITE_WATCH"},
                                               {0x00400000, "MEM_PHYSICAL"},
                                               {0x01000000, "MEM_RESET_UNDO"},
                                               {0x20000000, "MEM_LARGE_PAGES"},
                                               {0, NULL}};
const struct win_name win_object_attributes[] = {{0x002, "OBJ_INHERIT"},
                                                 {0x010, "OBJ_PERMANENT"},
                                                 {0x020, "OBJ_EXCLUSIVE"},
                                                 {0x040, "OBJ_CASE_INSENSITIVE"},
                                                 {0x080, "OBJ_OPENIF"},
                                                 {0x100, "OBJ_OPENLINK"},
                                                 {0x200, "OBJ_KERNEL_HANDLE"},
                                                 {0x400, "OBJ_FORCE_ACCESS_CHECK"},
                                                 {0, NULL}};
const struct win_name win_duplicate_options[] = {{1, "DUPLICATE_CLOSE_SOURCE"},
                                                 {2, "DUPLICATE_SAME_ACCESS"},
                                                 {4, "DUPLICATE_SAME_ATTRIBUTES"},
                                                 {0, NULL}};
const struct win_name win_process_flags[] = {
    {1, "PROCESS_CREATE_FLAGS_BREAKAWAY"},       {2, "PROCESS_CREATE_FLAGS_NO_DEBUG_INHERIT"},
    {4, "PROCESS_CREATE_FLAGS_INHERIT_HANDLES"}, {8, "PROCESS_CREATE_FLAGS_OVERRIDE_ADDRESS_SPACE"},
    {16, "PROCESS_CREATE_FLAGS_LARGE_PAGES"},    {0, NULL}};
const struct win_name win_create_disposition[] = {
    {0, "FILE_SUPERSEDE"}, {1, "FILE_OPEN"},         {2, "FILE_CREATE"}, {3, "FILE_OPEN_IF"},
    {4, "FILE_OVERWRITE"}, {5, "FILE_OVERWRITE_IF"}, {0, NULL}};
const struct win_name win_inherit_disposition[] = {{1, "ViewShare"}, {2, "ViewUnmap"}, {0, NULL}};
const struct win_name win_file_information[] = {{0, "FILE_SUPERSEDED"},
                                                {1, "FILE_OPENED"},
                                                {2, "FILE_CREATED"},
                                                {3, "FILE_OVERWRITTEN"},
                                                {4, "FILE_EXISTS"},
                                                {5, "FILE_DOES_NOT_EXIST"},
                                                {0, NULL}};
const struct win_name win_process_class[] = {{0, "ProcessBasicInformation"},
                                             {1, "ProcessQuotaLimits"},
                                             {2, "ProcessIoCounters"},
                                             {3, "ProcessVmCounters"},
                                             {4, "ProcessTimes"},
                                             {7, "ProcessDebugPort"},
                                             {12, "ProcessDefaultHardErrorMode"},
                                             {18, "ProcessPriorityClass"},
                                             {19, "ProcessWx86Information"},
                                             {20, "ProcessHandleCount"},
                                             {22, "ProcessPriorityBoost"},
                                             {23, "ProcessDeviceMap"},
                                             {24, "ProcessSessionInformation"},
                                             {26, "ProcessWow64Information"},
                                             {27, "ProcessImageFileName"},
                                             {29, "ProcessBreakOnTermination"},
                                             {30, "ProcessDebugObjectHandle"},
                                             {31, "ProcessDebugFlags"},
                                             {34, "ProcessExecuteFlags"},
                                             {36, "ProcessCookie"},
                                             {37, "ProcessImageInformation"},
                                             {43, "ProcessImageFileNameWin32"},
                                             {0, NULL}};

static const struct win_name statuses[] = {{0x00000000, "STATUS_SUCCESS"},
                                           {0x00000001, "STATUS_WAIT_1"},
                                           {0x00000080, "STATUS_ABANDONED"},
                                           {0x000000c0, "STATUS_USER_APC"},
                                           {0x00000101, "STATUS_ALERTED"},
                                           {0x00000102, "STATUS_TIMEOUT"},
                                           {0x00000103, "STATUS_PENDING"},
                                           {0x00000104, "STATUS_REPARSE"},
                                           {0x40000000, "STATUS_OBJECT_NAME_EXISTS"},
                                           {0x40000003, "STATUS_IMAGE_NOT_AT_BASE"},
                                           {0x40000005, "STATUS_SEGMENT_NOTIFICATION"},
                                           {0x80000001, "STATUS_GUARD_PAGE_VIOLATION"},
                                           {0x80000002, "STATUS_DATATYPE_MISALIGNMENT"},
                                           {0x80000003, "STATUS_BREAKPOINT"},
                                           {0x80000005, "STATUS_BUFFER_OVERFLOW"},
                                           {0x80000006, "STATUS_NO_MORE_FILES"},
                                           {0x8000001a, "STATUS_NO_MORE_ENTRIES"},
                                           {0xc0000001, "STATUS_UNSUCCESSFUL"},
                                           {0xc0000002, "STATUS_NOT_IMPLEMENTED"},
                                           {0xc0000003, "STATUS_INVALID_INFO_CLASS"},
                                           {0xc0000004, "STATUS_INFO_LENGTH_MISMATCH"},
                                           {0xc0000005, "STATUS_ACCESS_VIOLATION"},
                                           {0xc0000008, "STATUS_INVALID_HANDLE"},
                                           {0xc000000b, "STATUS_INVALID_CID"},
                                           {0xc000000d, "STATUS_INVALID_PARAMETER"},
                                           {0xc000000f, "STATUS_NO_SUCH_FILE"},
                                           {0xc0000010, "STATUS_INVALID_DEVICE_REQUEST"},
                                           {0xc0000011, "STATUS_END_OF_FILE"},
                                           {0xc0000017, "STATUS_NO_MEMORY"},
                                           {0xc0000018, "STATUS_CONFLICTING_ADDRESSES"},
                                           {0xc0000019, "STATUS_NOT_MAPPED_VIEW"},
                                           {0xc000001c, "STATUS_INVALID_SYSTEM_SERVICE"},
                                           {0xc0000022, "STATUS_ACCESS_DENIED"},
                                           {0xc0000023, "STATUS_BUFFER_TOO_SMALL"},
                                           {0xc0000024, "STATUS_OBJECT_TYPE_MISMATCH"},
                                           {0xc0000033, "STATUS_OBJECT_NAME_INVALID"},
                                           {0xc0000034, "STATUS_OBJECT_NAME_NOT_FOUND"},
                                           {0xc0000035, "STATUS_OBJECT_NAME_COLLISION"},
                                           {0xc000003a, "STATUS_OBJECT_PATH_NOT_FOUND"},
                                           {0xc0000043, "STATUS_SHARING_VIOLATION"},
                                           {0xc0000045, "STATUS_INVALID_PAGE_PROTECTION"},
                                           {0xc000004a, "STATUS_SUSPEND_COUNT_EXCEEDED"},
                                           {0xc000004b, "STATUS_THREAD_IS_TERMINATING"},
                                           {0xc0000061, "STATUS_PRIVILEGE_NOT_HELD"},
                                           {0xc000007b, "STATUS_INVALID_IMAGE_FORMAT"},
                                           {0xc000007c, "STATUS_NO_TOKEN"},
                                           {0xc000007f, "STATUS_DISK_FULL"},
                                           {0xc000009a, "STATUS_INSUFFICIENT_RESOURCES"},
                                           {0xc00000a0, "STATUS_MEMORY_NOT_ALLOCATED"},
                                           {0xc00000ba, "STATUS_FILE_IS_A_DIRECTORY"},
                                           {0xc00000bb, "STATUS_NOT_SUPPORTED"},
                                           {0xc00000db, "STATUS_CANT_TERMINATE_SELF"},
                                           {0xc000010a, "STATUS_PROCESS_IS_TERMINATING"},
                                           {0xc0000120, "STATUS_CANCELLED"},
                                           {0xc0000121, "STATUS_CANNOT_DELETE"},
                                           {0xc0000235, "STATUS_HANDLE_NOT_CLOSABLE"},
                                           {0, NULL}};

void win_add_flags(struct text *text, const struct win_name *names, uint32_t value)
{
    uint32_t left = value;
    const char *separator = "";
    for (; names->name && left; names++) {
        if ((left & names->mask) != names->mask)
            continue;
        text_printf(text, "%s%s", separator, names->name);
        separator = "|";
        left &= ~names->mask;
    }
    if (left)
        text_printf(text, "%s0x%x", separator, left);
    else if (!value)
        text_add(text, "0");
}

void win_add_enum(struct text *text, const struct win_name *names, uint32_t value)
{
    for (; names->name; names++) {
        if (names->mask == value) {
            text_add(text, names->name);
            return;
        }
    }
    text_printf(text, "%u", value);
}

void win_add_status(struct text *text, uint32_t status)
{
    for (const struct win_name *s = statuses; s->name; s++) {
        if (s->mask == status) {
            text_add(text, s->name);
            return;
        }
    }
    text_printf(text, "0x%08x", status);
}
