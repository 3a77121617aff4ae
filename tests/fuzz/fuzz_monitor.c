// SPDX-License-Identifier: MIT
// Bytes typed at the monitor of a whole machine, with every command and the plugins of this build.
// The first byte chooses whether the guest runs and whether the far end is a pipe, a socket or a
// terminal; what it types is also given to the completion. The guest counts in a loop, writes to
// ports and takes timer interrupts. Commands that write files write them to a folder of ours.
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "monitor/complete.h"
#include "monitor/monitor_internal.h"

#define MAX_FILE_SIZE (8u << 20)
#define BIOS_SIZE     0x10000u
#define PIECE         64u   // bytes typed at once
#define ROUNDS        2000u // of the event loop, for one input

enum { FLAG_RUNNING = 1, FLAG_SOCKET = 2, FLAG_TERMINAL = 4, FLAG_PAGING = 8 };

// --- What is opened for writing

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

static bool confined;
static const char *artifacts; // where libFuzzer keeps an input that ends in a report

static bool starts_with(const char *path, const char *prefix)
{
    return strncmp(path, prefix, strlen(prefix)) == 0;
}

static bool outside(const char *path)
{
    return confined && strchr(path, '/') && !starts_with(path, "/dev/") &&
           !(artifacts && starts_with(path, artifacts));
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    if (strpbrk(mode, "wa+") && outside(path)) {
        errno = EACCES;
        return NULL;
    }
    return __real_fopen(path, mode);
}

int __wrap_open(const char *path, int flags, ...)
{
    if ((flags & (O_WRONLY | O_RDWR)) && (flags & O_TMPFILE) != O_TMPFILE && outside(path)) {
        errno = EACCES;
        return -1;
    }
    va_list args;
    va_start(args, flags);
    mode_t mode = va_arg(args, mode_t);
    va_end(args);
    return __real_open(path, flags, mode);
}

// --- The machine

// Real mode: fills the interrupt table with an IRET, starts the 8254, counts.
static const uint8_t guest[] = {
    0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc, 0x00, 0x7c, // ds = ss = 0, sp = 0x7c00
    0x31, 0xff, 0xb9, 0x00, 0x01,                         // di = 0, cx = 256
    0xc7, 0x05, 0x40, 0x00, 0xc7, 0x45, 0x02, 0x00, 0xf0, // [di] = f000:0040
    0x83, 0xc7, 0x04, 0xe2, 0xf2,                         // di += 4; loop
    0xb0, 0x11, 0xe6, 0x20, 0xb0, 0x08, 0xe6, 0x21,       // 8259 at vector 8
    0xb0, 0x04, 0xe6, 0x21, 0xb0, 0x01, 0xe6, 0x21,       //
    0xb0, 0xfe, 0xe6, 0x21, 0xfb, 0xeb, 0x14, 0x90,       // only IRQ0; sti; jmp 0x4f
    0x90, 0x90, 0x90, 0x90, 0x90, 0x90,                   //
    0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0xcf, 0x90,       // 0x40: end of interrupt; iret
    0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,             //
    0x40, 0xe6, 0x80, 0xa3, 0x00, 0x05, 0xeb, 0xf8,       // 0x4f: count, out 0x80, store
};

struct bench {
    struct log log;
    struct machine *machine;
    struct chardev *dev;
    struct monitor *monitor;
    const uint8_t *left;
    size_t length;
    unsigned rounds, idle_rounds;
};

static struct fuzz_file make_bios(void)
{
    uint8_t *bios = xcalloc(1, BIOS_SIZE);
    memcpy(bios, guest, sizeof guest);
    static const uint8_t start[] = {0xea, 0x00, 0x00, 0x00, 0xf0}; // jmp f000:0000
    memcpy(bios + 0xfff0, start, sizeof start);
    struct fuzz_file file = fuzz_file_make(bios, BIOS_SIZE);
    free(bios);
    return file;
}

static void bench_make(struct bench *b, uint8_t flags)
{
    static struct fuzz_file bios, cd;
    struct error err = {""};
    if (!cd.fd) {
        bios = make_bios();
        cd = fuzz_file_make(NULL, 0x8000);
    }
    log_init(&b->log);
    b->log.out = fuzz_null_file();
    b->machine = machine_create(&b->log, &err);
    struct machine_config config = {.cpu_model = CPU_MODEL_PENTIUM4,
                                    .accel = ACCEL_INTERP,
                                    .ram_mib = 2,
                                    .bios = bios.path,
                                    .boot_order = "cd",
                                    .name = "fuzz",
                                    .icount = true,
                                    .icount_shift = 3,
                                    .start_stopped = !(flags & FLAG_RUNNING)};
    config.drives[2] =
        (struct drive_config){.present = true, .cdrom = true, .read_only = true, .path = cd.path};
    if (!b->machine || !machine_configure(b->machine, &config, &err))
        fuzz_fail(__FILE__, __LINE__, err.text);
    b->dev = fuzz_chardev_open(machine_loop(b->machine), flags & FLAG_TERMINAL ? "pty:fuzz"
                                                         : flags & FLAG_SOCKET ? "unix:fuzz"
                                                                               : "fuzz");
    b->monitor = monitor_create(b->machine, b->dev);
}

static void bench_free(struct bench *b)
{
    machine_dismantle(b->machine);
    monitor_destroy(b->monitor);
    chardev_close(b->dev);
    machine_destroy(b->machine);
    log_close(&b->log);
}

// Identity-mapped pages, ring 0, so that the commands about virtual memory have something to say.
static void turn_paging_on(struct machine *machine)
{
    struct physmem *mem = machine_physmem(machine);
    struct cpu *cpu = machine_cpu(machine);
    for (uint32_t i = 0; i < 1024; i++)
        physmem_store(mem, 0x101000 + 4 * i, i << 12 | (i % 7 ? 7 : 5), 4);
    physmem_store(mem, 0x100000, 0x101000 | 7, 4);
    physmem_store(mem, 0x100004, 0x83, 4);
    cpu->cr0 |= CR0_PE | CR0_PG;
    cpu->cr3 = 0x100000;
    cpu->cr4 |= CR4_PSE;
    mmu_set_control(&cpu->mmu, cpu->cr0, cpu->cr3, cpu->cr4, false, true);
    cpu_update_mode(cpu);
}

static void complete(struct bench *b)
{
    size_t length = b->length < PIECE ? b->length : PIECE, start = 0;
    char *line = xasprintf("%.*s", (int)length, (const char *)b->left);
    struct word_list list = {0};
    length = strcspn(line, "\n");
    line[length] = '\0';
    complete_line(b->monitor, line, length, &start, &list);
    FUZZ_CHECK(start <= length);
    word_list_clear(&list);
    free(list.words);
    free(line);
}

// Types the next piece in each round, and ends the machine when all is read.
static void pump(void *self)
{
    struct bench *b = self;
    if (b->length > 0) {
        complete(b);
        size_t done = fuzz_chardev_feed(b->dev, b->left, b->length < PIECE ? b->length : PIECE);
        b->left += done;
        b->length -= done;
    } else if (!b->monitor->work_posted) {
        b->idle_rounds++;
    }
    if (b->idle_rounds > 2 || b->rounds++ > ROUNDS)
        machine_quit(b->machine, 0);
    else
        event_loop_post(machine_loop(b->machine), pump, b);
}

// Each terminal that is set up leaves some bytes in the terminfo library.
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libtinfo";
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char option[] = "-artifact_prefix=";
    for (int i = 1; i < *argc; i++)
        if (starts_with((*argv)[i], option))
            artifacts = (*argv)[i] + strlen(option);
    signal(SIGXFSZ, SIG_IGN);
    setenv("EMU_PLUGIN_PATH", PLUGIN_DIR, 1);
    setenv("TERM", "xterm", 1);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct bench b = {.left = data + 1, .length = size - 1};
    struct rlimit before, limit;
    int folder = __real_open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FUZZ_CHECK(chdir(fuzz_folder()) == 0);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = MAX_FILE_SIZE;
    setrlimit(RLIMIT_FSIZE, &limit);
    confined = true;
    bench_make(&b, data[0]);
    if (data[0] & FLAG_PAGING)
        turn_paging_on(b.machine);
    event_loop_post(machine_loop(b.machine), pump, &b);
    machine_run(b.machine);
    bench_free(&b);
    confined = false;
    setrlimit(RLIMIT_FSIZE, &before);
    fuzz_folder_clear();
    FUZZ_CHECK(fchdir(folder) == 0);
    close(folder);
    return 0;
}
