// SPDX-License-Identifier: MIT
// What the fuzz targets share.
#include "fuzz.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/chardev_internal.h"

void fuzz_fail(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

uint8_t fuzz_u8(struct fuzz_input *in)
{
    return in->at < in->size ? in->data[in->at++] : 0;
}

uint16_t fuzz_u16(struct fuzz_input *in)
{
    uint8_t low = fuzz_u8(in);
    return (uint16_t)(low | fuzz_u8(in) << 8);
}

uint32_t fuzz_u32(struct fuzz_input *in)
{
    uint16_t low = fuzz_u16(in);
    return low | (uint32_t)fuzz_u16(in) << 16;
}

size_t fuzz_left(const struct fuzz_input *in)
{
    return in->size - in->at;
}

const uint8_t *fuzz_bytes(struct fuzz_input *in, size_t length, size_t *got)
{
    const uint8_t *at = in->data + in->at;
    *got = length < fuzz_left(in) ? length : fuzz_left(in);
    in->at += *got;
    return at;
}

static char folder[64];
static pid_t folder_owner;

void fuzz_folder_clear(void)
{
    DIR *dir = folder_owner == getpid() ? opendir(folder) : NULL;
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}

static void remove_folder(void)
{
    fuzz_folder_clear();
    rmdir(folder); // fails in a child
}

const char *fuzz_folder(void)
{
    if (!folder[0]) {
        const char *base = getenv("TMPDIR");
        snprintf(folder, sizeof folder, "%.40s/emu-fuzz-XXXXXX", base && *base ? base : "/tmp");
        FUZZ_CHECK(mkdtemp(folder) != NULL);
        folder_owner = getpid();
        atexit(remove_folder);
    }
    return folder;
}

struct fuzz_file fuzz_file_make(const void *data, size_t size)
{
    struct fuzz_file file = {.fd = memfd_create("fuzz", MFD_CLOEXEC)};
    FUZZ_CHECK(file.fd >= 0 && ftruncate(file.fd, (off_t)size) == 0);
    FUZZ_CHECK(!data || pwrite(file.fd, data, size, 0) == (ssize_t)size);
    snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.fd);
    return file;
}

void fuzz_file_free(struct fuzz_file *file)
{
    close(file->fd);
}

static void drop(struct chardev *dev, const void *data, size_t length)
{
    // Read it all, for the sanitizer's sake.
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)data)[i]);
}

static void ignore(struct chardev *dev)
{
}

struct chardev *fuzz_chardev_open(struct event_loop *loop, const char *description)
{
    static const struct chardev_class class = {.write = drop, .accept_input = ignore};
    struct chardev *dev = xcalloc(1, sizeof *dev);
    chardev_init(dev, &class, loop);
    dev->description = xstrdup(description);
    dev->connected = true;
    return dev;
}

size_t fuzz_chardev_feed(struct chardev *dev, const uint8_t *data, size_t length)
{
    size_t room = dev->attached ? dev->frontend.can_receive(dev->frontend.self) : 0;
    if (length > room)
        length = room;
    if (length > 0)
        dev->frontend.receive(dev->frontend.self, data, length);
    return length;
}

bool fuzz_clock_run(struct clock *clock, uint64_t *instructions, int64_t ns, unsigned events)
{
    int64_t when = clock_now(clock) + ns;
    for (; events > 0; events--) {
        int64_t next = clock_next_deadline(clock);
        int64_t until = next < when ? next : when;
        if (until > clock_now(clock))
            *instructions += (uint64_t)(until - clock_now(clock));
        clock_run_due(clock);
        if (next > when)
            return true;
    }
    return false;
}

FILE *fuzz_null_file(void)
{
    FILE *file = fopen("/dev/null", "we");
    FUZZ_CHECK(file != NULL);
    return file;
}
