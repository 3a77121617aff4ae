// SPDX-License-Identifier: MIT
// The user program of the test guest: performs every call of the table, by SYSENTER and by INT 2Eh,
// and prints behind each the line that a log of it has to show: address space, thread, call. Calls
// that do not return are announced before.
#include "user.h"

extern uint32_t nt_sysenter(uint32_t number, ...), nt_int2e(uint32_t number, ...);
extern void print(const char *text);
void user_callback(void);
void user_main(uint32_t index);

struct object_attributes {
    uint32_t length, root, name, attributes, security_descriptor, quality_of_service;
};

struct unicode_string {
    uint16_t length, maximum_length;
    const void *buffer;
};

struct iosb {
    uint32_t status, information;
};

struct calls {
    const struct teb *teb;
    uint32_t (*enter)(uint32_t number, ...);
    struct unicode_string name;
    struct object_attributes attributes;
    struct iosb iosb;
};

#define NT(c_, call_, ...) ((c_)->enter((c_)->teb->number[ID_##call_], __VA_ARGS__))
#define CURRENT_PROCESS    0xffffffffu
#define CURRENT_THREAD     0xfffffffeu
#define UNMAPPED           0x30000000u

const struct teb *teb_self(void)
{
    const struct teb *teb;
    __asm__("mov %%fs:0x18, %0" : "=r"(teb));
    return teb;
}

static char *add_number(char *to, uint32_t value, unsigned base, unsigned width)
{
    char digits[12];
    unsigned n = 0;
    do
        digits[n++] = "0123456789abcdef"[value % base];
    while ((value /= base) || n < width);
    while (n)
        *to++ = digits[--n];
    return to;
}

// %x %u %p (eight digits) %s
static char *format(char *to, const char *fmt, __builtin_va_list args)
{
    for (; *fmt; fmt++) {
        if (*fmt != '%') {
            *to++ = *fmt;
            continue;
        }
        fmt++;
        if (*fmt == 's') {
            for (const char *s = __builtin_va_arg(args, const char *); *s; s++)
                *to++ = *s;
        } else {
            to = add_number(to, __builtin_va_arg(args, uint32_t), *fmt == 'u' ? 10 : 16,
                            *fmt == 'p' ? 8 : 1);
        }
    }
    return to;
}

void say(const char *kind, const char *fmt, ...)
{
    char line[1024], *at = line;
    const struct teb *teb = teb_self();
    __builtin_va_list args;
    for (; *kind; kind++)
        *at++ = *kind;
    *at++ = ' ';
    at = add_number(at, teb->context, 16, 8);
    *at++ = ' ';
    at = add_number(at, teb->self, 16, 8);
    *at++ = ' ';
    __builtin_va_start(args, fmt);
    at = format(at, fmt, args);
    __builtin_va_end(args);
    *at++ = '\n';
    *at = 0;
    print(line);
}

#define EXPECT(...) say("CALL", __VA_ARGS__)

// The name across the end of a page.
static uint32_t object(struct calls *c, const void *utf16, uint32_t attributes)
{
    const uint16_t *from = utf16;
    uint16_t *to = (uint16_t *)(SCRATCH_BASE + c->teb->index * 0x2000 + 0x1000 - 10);
    unsigned n = 0;
    for (; from[n]; n++)
        to[n] = from[n];
    c->name = (struct unicode_string){(uint16_t)(2 * n), (uint16_t)(2 * n), to};
    c->attributes = (struct object_attributes){24, 0, (uint32_t)&c->name, attributes, 0, 0};
    return (uint32_t)&c->attributes;
}

static void call_files(struct calls *c)
{
    uint32_t h = 0, io = (uint32_t)&c->iosb;
    char buffer[64];
    int64_t offset = 4096, size = 65536;
    uint32_t key = 7;
    uint32_t oa = object(c, u"\\??\\C:\\dir\\é漢😀 a.txt", 0x40);
    NT(c, NtCreateFile, &h, 0xc0100080, oa, io, &size, 0x80, 3, 5, 0x60, 0, 0);
    EXPECT(
        "NtCreateFile(FileHandle=[0x%x], DesiredAccess=FILE_READ_ATTRIBUTES|SYNCHRONIZE|"
        "GENERIC_WRITE|GENERIC_READ, ObjectAttributes={ObjectName=\"\\??\\C:\\dir\\é漢😀 a.txt\", "
        "Attributes=OBJ_CASE_INSENSITIVE}, IoStatusBlock={Status=STATUS_SUCCESS, Information="
        "FILE_CREATED}, AllocationSize=[65536], FileAttributes=FILE_ATTRIBUTE_NORMAL, ShareAccess="
        "FILE_SHARE_READ|FILE_SHARE_WRITE, CreateDisposition=FILE_OVERWRITE_IF, CreateOptions="
        "FILE_SYNCHRONOUS_IO_NONALERT|FILE_NON_DIRECTORY_FILE, EaBuffer=NULL, EaLength=0) = "
        "STATUS_SUCCESS",
        h);
    NT(c, NtWriteFile, h, 0, 0, 0, io, "data \\ \x01\xff\t\n", 11, &offset, &key);
    EXPECT("NtWriteFile(FileHandle=0x%x, Event=NULL, ApcRoutine=NULL, ApcContext=NULL, "
           "IoStatusBlock={Status=STATUS_SUCCESS, Information=11}, Buffer=\"data \\\\ "
           "\\x01\\xff\\t\\n\", Length=11, ByteOffset=[4096], Key=[7]) = STATUS_SUCCESS",
           h);
    NT(c, NtReadFile, h, 0, 0, 0, io, buffer, sizeof buffer, 0, 0);
    EXPECT("NtReadFile(FileHandle=0x%x, Event=NULL, ApcRoutine=NULL, ApcContext=NULL, "
           "IoStatusBlock={Status=STATUS_SUCCESS, Information=20}, Buffer=\"line one\\nline "
           "\\\"two\\\"\\n\", Length=64, ByteOffset=NULL, Key=NULL) = STATUS_SUCCESS",
           h);
    NT(c, NtReadFile, h, 0x50, 0x401000, 0x1234, io, UNMAPPED, 32, &offset, 0);
    EXPECT("NtReadFile(FileHandle=0x%x, Event=0x50, ApcRoutine=0x00401000, ApcContext=0x00001234, "
           "IoStatusBlock=0x%p, Buffer=0x30000000, Length=32, ByteOffset=[4096], Key=NULL) = "
           "STATUS_PENDING",
           h, io);
    NT(c, NtReadFile, 0xbad, 0, 0, 0, io, buffer, 8, 0, 0);
    EXPECT("NtReadFile(FileHandle=0xbad, Event=NULL, ApcRoutine=NULL, ApcContext=NULL, "
           "IoStatusBlock=0x%p, Buffer=0x%p, Length=8, ByteOffset=NULL, Key=NULL) = "
           "STATUS_INVALID_HANDLE",
           io, buffer);
    NT(c, NtClose, h);
    EXPECT("NtClose(Handle=0x%x) = STATUS_SUCCESS", h);
    NT(c, NtClose, 0xdead);
    EXPECT("NtClose(Handle=0xdead) = STATUS_INVALID_HANDLE");
    oa = object(c, u"\\??\\?", 0x42);
    NT(c, NtOpenFile, &h, 0x1, oa, io, 7, 0x5020);
    EXPECT("NtOpenFile(FileHandle=0x%p, DesiredAccess=FILE_READ_DATA, ObjectAttributes="
           "{ObjectName=\"\\??\\?\", Attributes=OBJ_INHERIT|OBJ_CASE_INSENSITIVE}, IoStatusBlock="
           "0x%p, ShareAccess=FILE_SHARE_READ|FILE_SHARE_WRITE|FILE_SHARE_DELETE, OpenOptions="
           "FILE_SYNCHRONOUS_IO_NONALERT|FILE_DELETE_ON_CLOSE|FILE_OPEN_FOR_BACKUP_INTENT) = "
           "STATUS_OBJECT_NAME_INVALID",
           &h, io);
}

static void call_sections(struct calls *c)
{
    uint32_t file = 0, section = 0, opened = 0, base = 0, size = 0, io = (uint32_t)&c->iosb;
    int64_t offset = 0, maximum = 0x18000;
    uint32_t oa = object(c, u"\\??\\C:\\WINDOWS\\system32\\kernel32.dll", 0x40);
    NT(c, NtOpenFile, &file, 0x100020, oa, io, 5, 0x60);
    EXPECT("NtOpenFile(FileHandle=[0x%x], DesiredAccess=FILE_EXECUTE|SYNCHRONIZE, ObjectAttributes="
           "{ObjectName=\"\\??\\C:\\WINDOWS\\system32\\kernel32.dll\", Attributes="
           "OBJ_CASE_INSENSITIVE}, IoStatusBlock={Status=STATUS_SUCCESS, Information=FILE_OPENED}, "
           "ShareAccess=FILE_SHARE_READ|FILE_SHARE_DELETE, OpenOptions="
           "FILE_SYNCHRONOUS_IO_NONALERT|FILE_NON_DIRECTORY_FILE) = STATUS_SUCCESS",
           file);
    NT(c, NtCreateSection, &section, 0xf, 0, 0, 0x10, 0x1000000, file);
    EXPECT("NtCreateSection(SectionHandle=[0x%x], DesiredAccess=SECTION_QUERY|SECTION_MAP_WRITE|"
           "SECTION_MAP_READ|SECTION_MAP_EXECUTE, ObjectAttributes=NULL, MaximumSize=NULL, "
           "SectionPageProtection=PAGE_EXECUTE, AllocationAttributes=SEC_IMAGE, FileHandle=0x%x) = "
           "STATUS_SUCCESS",
           section, file);
    NT(c, NtClose, file);
    EXPECT("NtClose(Handle=0x%x) = STATUS_SUCCESS", file);
    NT(c, NtMapViewOfSection, section, CURRENT_PROCESS, &base, 0, 0, 0, &size, 1, 0, 4);
    EXPECT("NtMapViewOfSection(SectionHandle=0x%x, ProcessHandle=NtCurrentProcess(), BaseAddress="
           "[NULL => 0x%p], ZeroBits=0, CommitSize=0, SectionOffset=NULL, ViewSize=[0 => %u], "
           "InheritDisposition=ViewShare, AllocationType=0, Win32Protect=PAGE_READWRITE) = "
           "STATUS_IMAGE_NOT_AT_BASE",
           section, base, size);
    oa = object(c, u"\\BaseNamedObjects\\shared", 0x80);
    NT(c, NtCreateSection, &opened, 0xf001f, oa, &maximum, 4, 0x8000000, 0);
    EXPECT("NtCreateSection(SectionHandle=[0x%x], DesiredAccess=SECTION_ALL_ACCESS, "
           "ObjectAttributes={ObjectName=\"\\BaseNamedObjects\\shared\", Attributes=OBJ_OPENIF}, "
           "MaximumSize=[98304], SectionPageProtection=PAGE_READWRITE, AllocationAttributes="
           "SEC_COMMIT, FileHandle=NULL) = STATUS_SUCCESS",
           opened);
    offset = 0x10000;
    size = 0x1000;
    base = 0x02000000;
    NT(c, NtMapViewOfSection, opened, 0x44, &base, 0, 4096, &offset, &size, 2, 0x100000, 2);
    EXPECT("NtMapViewOfSection(SectionHandle=0x%x, ProcessHandle=0x44, BaseAddress=[0x02000000 => "
           "0x%p], ZeroBits=0, CommitSize=4096, SectionOffset=[65536 => 65536], ViewSize=[4096 => "
           "%u], InheritDisposition=ViewUnmap, AllocationType=MEM_TOP_DOWN, Win32Protect="
           "PAGE_READONLY) = STATUS_IMAGE_NOT_AT_BASE",
           opened, base, size);
    NT(c, NtUnmapViewOfSection, 0x44, base);
    EXPECT("NtUnmapViewOfSection(ProcessHandle=0x44, BaseAddress=0x%p) = STATUS_SUCCESS", base);
    oa = object(c, u"kernel32.dll", 0);
    c->attributes.root = 0x10;
    NT(c, NtOpenSection, &opened, 0xe, oa);
    EXPECT(
        "NtOpenSection(SectionHandle=[0x%x], DesiredAccess=SECTION_MAP_WRITE|SECTION_MAP_READ|"
        "SECTION_MAP_EXECUTE, ObjectAttributes={RootDirectory=0x10, ObjectName=\"kernel32.dll\", "
        "Attributes=0}) = STATUS_SUCCESS",
        opened);
}

static void call_processes(struct calls *c)
{
    uint32_t h = 0, token = 0, client[2] = {416, 0};
    NT(c, NtCreateProcess, &h, 0x1f0fff, 0, CURRENT_PROCESS, 1, 0x64, 0, 0);
    EXPECT("NtCreateProcess(ProcessHandle=[0x%x], DesiredAccess=PROCESS_ALL_ACCESS, "
           "ObjectAttributes=NULL, ParentProcess=NtCurrentProcess(), InheritObjectTable=TRUE, "
           "SectionHandle=0x64, DebugPort=NULL, ExceptionPort=NULL) = STATUS_SUCCESS",
           h);
    NT(c, NtCreateProcessEx, &h, 0x1fffff, 0, CURRENT_PROCESS, 4, 0x64, 0, 0, 0);
    EXPECT("NtCreateProcessEx(ProcessHandle=[0x%x], DesiredAccess=PROCESS_ALL_ACCESS, "
           "ObjectAttributes=NULL, ParentProcess=NtCurrentProcess(), Flags="
           "PROCESS_CREATE_FLAGS_INHERIT_HANDLES, SectionHandle=0x64, DebugPort=NULL, "
           "ExceptionPort=NULL, JobMemberLevel=0) = STATUS_SUCCESS",
           h);
    NT(c, NtOpenProcess, &h, 0x410, UNMAPPED, client);
    EXPECT("NtOpenProcess(ProcessHandle=[0x%x], DesiredAccess=PROCESS_VM_READ|"
           "PROCESS_QUERY_INFORMATION, ObjectAttributes=0x30000000, ClientId={UniqueProcess=416, "
           "UniqueThread=0}) = STATUS_SUCCESS",
           h);
    NT(c, NtOpenProcessToken, h, 0x8, &token);
    EXPECT("NtOpenProcessToken(ProcessHandle=0x%x, DesiredAccess=TOKEN_QUERY, TokenHandle=[0x%x]) "
           "= STATUS_SUCCESS",
           h, token);
    NT(c, NtSuspendProcess, h);
    EXPECT("NtSuspendProcess(ProcessHandle=0x%x) = STATUS_SUCCESS", h);
    NT(c, NtResumeProcess, h);
    EXPECT("NtResumeProcess(ProcessHandle=0x%x) = STATUS_SUCCESS", h);
    NT(c, NtTerminateProcess, h, 0xc000013a);
    EXPECT("NtTerminateProcess(ProcessHandle=0x%x, ExitStatus=0xc000013a) = STATUS_SUCCESS", h);
    NT(c, NtDuplicateObject, CURRENT_PROCESS, h, CURRENT_PROCESS, &token, 0, 0, 3);
    EXPECT("NtDuplicateObject(SourceProcessHandle=NtCurrentProcess(), SourceHandle=0x%x, "
           "TargetProcessHandle=NtCurrentProcess(), TargetHandle=[0x%x], DesiredAccess=0, "
           "HandleAttributes=0, Options=DUPLICATE_CLOSE_SOURCE|DUPLICATE_SAME_ACCESS) = "
           "STATUS_SUCCESS",
           h, token);
    NT(c, NtDuplicateObject, CURRENT_PROCESS, token, 0x44, 0, 0x80000000, 2, 0);
    EXPECT("NtDuplicateObject(SourceProcessHandle=NtCurrentProcess(), SourceHandle=0x%x, "
           "TargetProcessHandle=0x44, TargetHandle=NULL, DesiredAccess=GENERIC_READ, "
           "HandleAttributes=OBJ_INHERIT, Options=0) = STATUS_SUCCESS",
           token);
}

static void call_threads(struct calls *c)
{
    uint32_t h = 0, token = 0, count = 0, client[2] = {100, 204};
    uint32_t context[179] = {0x10007}, initial[5] = {0, 0, 0x130000, 0x12e000, 0x30000};
    context[0xa4 / 4] = 0x7ffdf000;
    context[0xb0 / 4] = 0x401000;
    context[0xb8 / 4] = 0x7c810659;
    context[0xc4 / 4] = 0x12fffc;
    c->name = (struct unicode_string){0xfffe, 0xfffe, (void *)UNMAPPED};
    c->attributes = (struct object_attributes){24, 0, (uint32_t)&c->name, 0x200, 0, 0};
    NT(c, NtCreateThread, &h, 0x1f03ff, &c->attributes, CURRENT_PROCESS, client, context, initial,
       1);
    EXPECT("NtCreateThread(ThreadHandle=[0x%x], DesiredAccess=THREAD_ALL_ACCESS, ObjectAttributes="
           "{ObjectName=0x%p, Attributes=OBJ_KERNEL_HANDLE}, ProcessHandle=NtCurrentProcess(), "
           "ClientId={UniqueProcess=100, UniqueThread=300}, ThreadContext={Eip=0x7c810659, "
           "Esp=0x0012fffc, Eax=0x00401000, Ebx=0x7ffdf000}, InitialTeb={StackBase=0x00130000, "
           "StackLimit=0x0012e000, AllocatedStackBase=0x00030000}, CreateSuspended=TRUE) = "
           "STATUS_SUCCESS",
           h, &c->name);
    c->attributes.name = 0;
    NT(c, NtOpenThread, &h, 0x2, &c->attributes, client);
    EXPECT("NtOpenThread(ThreadHandle=[0x%x], DesiredAccess=THREAD_SUSPEND_RESUME, "
           "ObjectAttributes={ObjectName=NULL, Attributes=OBJ_KERNEL_HANDLE}, ClientId="
           "{UniqueProcess=100, UniqueThread=300}) = STATUS_SUCCESS",
           h);
    NT(c, NtOpenThreadToken, CURRENT_THREAD, 0x28, 0, &token);
    EXPECT("NtOpenThreadToken(ThreadHandle=NtCurrentThread(), DesiredAccess=TOKEN_QUERY|"
           "TOKEN_ADJUST_PRIVILEGES, OpenAsSelf=FALSE, TokenHandle=0x%p) = STATUS_NO_TOKEN",
           &token);
    NT(c, NtSuspendThread, h, &count);
    EXPECT("NtSuspendThread(ThreadHandle=0x%x, PreviousSuspendCount=[%u]) = STATUS_SUCCESS", h,
           count);
    NT(c, NtResumeThread, h, &count);
    EXPECT("NtResumeThread(ThreadHandle=0x%x, PreviousSuspendCount=[%u]) = STATUS_SUCCESS", h,
           count);
    NT(c, NtResumeThread, h, 0);
    EXPECT("NtResumeThread(ThreadHandle=0x%x, PreviousSuspendCount=NULL) = STATUS_SUCCESS", h);
}

static void call_memory(struct calls *c)
{
    uint32_t base = 0, size = 5000, pages = 3, frames[3], information[6], length = 0;
    uint16_t name[64];
    NT(c, NtAllocateVirtualMemory, CURRENT_PROCESS, &base, 0, &size, 0x3000, 0x40);
    EXPECT("NtAllocateVirtualMemory(ProcessHandle=NtCurrentProcess(), BaseAddress=[NULL => 0x%p], "
           "ZeroBits=0, RegionSize=[5000 => 8192], AllocationType=MEM_COMMIT|MEM_RESERVE, Protect="
           "PAGE_EXECUTE_READWRITE) = STATUS_SUCCESS",
           base);
    NT(c, NtAllocateUserPhysicalPages, CURRENT_PROCESS, &pages, frames);
    EXPECT("NtAllocateUserPhysicalPages(ProcessHandle=NtCurrentProcess(), NumberOfPages=[3 => 2], "
           "UserPfnArray=[0x1234, 0x1240]) = STATUS_SUCCESS");
    NT(c, NtQueryInformationProcess, CURRENT_PROCESS, 0, information, 24, &length);
    EXPECT("NtQueryInformationProcess(ProcessHandle=NtCurrentProcess(), ProcessInformationClass="
           "ProcessBasicInformation, ProcessInformation={ExitStatus=STATUS_PENDING, PebBaseAddress="
           "0x7ffdf000, AffinityMask=0x1, BasePriority=8, UniqueProcessId=%u, "
           "InheritedFromUniqueProcessId=4}, ProcessInformationLength=24, ReturnLength=[24]) = "
           "STATUS_SUCCESS",
           c->teb->process_id);
    NT(c, NtQueryInformationProcess, CURRENT_PROCESS, 0, information, 12, 0);
    EXPECT("NtQueryInformationProcess(ProcessHandle=NtCurrentProcess(), ProcessInformationClass="
           "ProcessBasicInformation, ProcessInformation=0x%p, ProcessInformationLength=12, "
           "ReturnLength=NULL) = STATUS_INFO_LENGTH_MISMATCH",
           information);
    NT(c, NtQueryInformationProcess, CURRENT_PROCESS, 27, name, sizeof name, &length);
    EXPECT("NtQueryInformationProcess(ProcessHandle=NtCurrentProcess(), ProcessInformationClass="
           "ProcessImageFileName, ProcessInformation=\"\\Device\\HarddiskVolume1\\t.exe\", "
           "ProcessInformationLength=128, ReturnLength=[%u]) = STATUS_SUCCESS",
           length);
    // Behind this one the system calls back before it returns.
    NT(c, NtQueryInformationProcess, CURRENT_PROCESS, 36, information, 4, 0);
    EXPECT("NtQueryInformationProcess(ProcessHandle=NtCurrentProcess(), ProcessInformationClass="
           "ProcessCookie, ProcessInformation=[0x1234abcd], ProcessInformationLength=4, "
           "ReturnLength=NULL) = STATUS_SUCCESS");
    c->enter(0x2ff, 1, 2);
    EXPECT("syscall_0x02ff() = STATUS_INVALID_SYSTEM_SERVICE");
}

// Where the system calls back: a call within a call, then back without a return.
void user_callback(void)
{
    const struct teb *teb = teb_self();
    nt_sysenter(teb->number[ID_NtClose], 0xcb);
    EXPECT("NtClose(Handle=0xcb) = STATUS_SUCCESS");
    EXPECT("syscall_0x1fff() = ?");
    nt_int2e(teb->callback_number);
}

// What a busy program does between calls.
static uint32_t compute(uint32_t x)
{
    for (unsigned i = 0; i < 20000; i++)
        x = x * 1664525 + 1013904223 + (x >> 7);
    return x;
}

static void busy(struct calls *c)
{
    uint32_t information[6], sum = 0;
    if (c->teb->has_image) {
        call_sections(c);
        image_enter_in_list();
    }
    for (uint32_t i = 0; i < c->teb->rounds; i++) {
        c->enter = i & 1 ? nt_int2e : nt_sysenter;
        NT(c, NtQueryInformationProcess, CURRENT_PROCESS, 0, information, 24, 0);
        NT(c, NtClose, 0x44);
        sum += compute(i);
        if (c->teb->has_image)
            image_call_often();
    }
    if (!sum)
        print("");
}

// Any number, arguments anywhere: what plugins must survive. Now and then a call that stays open in
// a place of the stack that is used again.
static void hostile(struct calls *c)
{
    uint32_t seed = c->teb->index + 1, scratch = SCRATCH_BASE + c->teb->index * 0x2000;
    const uint32_t values[] = {0,          1,           0xffffffff,       0xfffffffe,
                               UNMAPPED,   scratch,     scratch + 0x1ffc, scratch + 0x0ffe,
                               0x7fffffff, 0x80000000,  0xfffffff9,       24,
                               27,         0xffff0000u, scratch + 8,      scratch + 0x1ff0};
    uint32_t *memory = (uint32_t *)scratch;
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t a[11];
        for (unsigned n = 0; n < 11; n++) {
            seed = seed * 1664525 + 1013904223;
            a[n] = values[seed >> 28];
            memory[(seed >> 8) % 0x800] = values[seed >> 24 & 15];
        }
        uint32_t number =
            seed & 0x40 ? c->teb->number[(seed >> 10) % CALL_COUNT] : seed >> 12 & 0x3fff;
        if (number == c->teb->number[ID_NtTerminateThread] ||
            number == c->teb->number[ID_NtTerminateProcess] || number == 0x1fff)
            continue;
        if (i % 7 == 0)
            __asm__ volatile("int $0x2e" : "+a"(number) : "d"(values[seed >> 20 & 15]) : "memory");
        else if (i % 2)
            nt_int2e(number | seed << 16, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8],
                     a[9], a[10]);
        else
            nt_sysenter(number, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10]);
    }
}

void user_main(uint32_t index)
{
    struct calls c = {.teb = teb_self()};
    c.enter = nt_sysenter;
    if (c.teb->hostile) {
        hostile(&c);
    } else if (c.teb->rounds) {
        busy(&c);
    } else {
        for (unsigned pass = 0; pass < 2; pass++) {
            c.enter = pass ? nt_int2e : nt_sysenter;
            call_files(&c);
            call_sections(&c);
            call_processes(&c);
            call_threads(&c);
            call_memory(&c);
            if (c.teb->has_image)
                image_calls();
        }
    }
    volatile uint32_t *ended = (volatile uint32_t *)PEB_BASE + 0x3f0 / 4; // other threads
    if (index % THREADS_EACH) {
        (*ended)++;
        EXPECT("NtTerminateThread(ThreadHandle=NtCurrentThread(), ExitStatus=STATUS_SUCCESS) = ?");
        NT(&c, NtTerminateThread, CURRENT_THREAD, 0);
    }
    while (*ended < THREADS_EACH - 1)
        ;
    if (c.teb->has_image && index == THREADS_EACH && !c.teb->rounds) {
        NT(&c, NtUnmapViewOfSection, CURRENT_PROCESS, IMAGE_BASE);
        EXPECT("NtUnmapViewOfSection(ProcessHandle=NtCurrentProcess(), BaseAddress=0x10000000) = "
               "STATUS_SUCCESS");
        image_call_often(); // the code is still there, but belongs to no module any more
    }
    if (c.teb->has_image && index == 0)
        image_exit();
    EXPECT("NtTerminateProcess(ProcessHandle=NtCurrentProcess(), ExitStatus=0x00000005) = ?");
    NT(&c, NtTerminateProcess, CURRENT_PROCESS, 5);
}
