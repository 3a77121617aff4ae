// SPDX-License-Identifier: MIT
// Raw disk images. Locks are open-file-description locks on the bytes that QEMU uses, so that
// either emulator sees the other: byte 100 + n says "I use permission n", byte 200 + n "nobody else
// may". A writer needs the image alone; readers (CD-ROMs, -snapshot) share it with each other.
// Locks are advisory; a filesystem without them has none. The overlay of -snapshot is a sparse,
// unlinked temporary file as large as the image, with a map of written sectors.
#define _GNU_SOURCE
#include "base/block_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_SIZE_LIMIT (INT64_C(1) << 48) // what an LBA48 drive could nearly address, in bytes

#define LOCK_USE_BASE  100
#define LOCK_DENY_BASE 200
enum { PERMISSION_READ = 0, PERMISSION_WRITE = 1 };

// The map of written sectors: leaves of 32768 bits, made when they are first written.
#define LEAF_SECTORS 32768u

struct overlay {
    int fd;
    uint8_t **leaves;
    size_t leaf_count;
};

struct block_image {
    char *path;
    int fd;
    uint64_t sectors;
    bool read_only;
    bool has_overlay;
    struct overlay overlay;
};

static int open_file(const char *path, bool write, struct error *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        error_set(err, "cannot open '%s': %s", path, strerror(errno));
        return -1;
    }
    if (S_ISDIR(st.st_mode)) {
        error_set(err, "cannot open '%s': it is a directory, not a disk image", path);
        return -1;
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        error_set(err, "cannot open '%s': it is neither a file nor a block device", path);
        return -1;
    }
    int fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    int code = errno;
    if (write && (code == EACCES || code == EROFS || code == EPERM) && access(path, R_OK) == 0)
        error_set(err, "cannot write '%s': %s (-snapshot keeps the writes in a temporary file)",
                  path, strerror(code));
    else
        error_set(err, "cannot open '%s': %s", path, strerror(code));
    return -1;
}

static bool check_size(const char *path, int fd, uint64_t *sectors, struct error *err)
{
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0)
        return error_set(err, "cannot find the size of '%s': %s", path, strerror(errno));
    if (size == 0)
        return error_set(err, "'%s' is empty (truncate -s 1G makes an empty disk of 1 GiB)", path);
    if (size % BLOCK_SECTOR_SIZE)
        return error_set(err,
                         "'%s' has %lld bytes, not a multiple of 512: not a raw image, or cut off "
                         "(truncate -s %%512 fills it up)",
                         path, (long long)size);
    if (size >= IMAGE_SIZE_LIMIT)
        return error_set(err, "'%s' has %lld bytes, more than a drive can have", path,
                         (long long)size);
    *sectors = (uint64_t)size / BLOCK_SECTOR_SIZE;
    return true;
}

static bool lock_byte(int fd, off_t byte)
{
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

// True when somebody else has locked the byte.
static bool is_byte_locked(int fd, off_t byte)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

// Both sides first say what they use and deny, then look: two at once may both be refused, never
// both accepted.
static bool lock_image(const char *path, int fd, bool write, struct error *err)
{
    bool locked = lock_byte(fd, LOCK_USE_BASE + PERMISSION_READ) &&
                  (!write || lock_byte(fd, LOCK_USE_BASE + PERMISSION_WRITE)) &&
                  lock_byte(fd, LOCK_DENY_BASE + PERMISSION_WRITE);
    if (!locked && errno != EAGAIN && errno != EACCES)
        return true; // no locks on this filesystem
    if (locked && !is_byte_locked(fd, LOCK_USE_BASE + PERMISSION_WRITE) &&
        !is_byte_locked(fd, LOCK_DENY_BASE + PERMISSION_READ) &&
        (!write || !is_byte_locked(fd, LOCK_DENY_BASE + PERMISSION_WRITE)))
        return true;
    if (write)
        return error_set(err,
                         "'%s' is in use by another drive or emulator, and a writer needs it alone "
                         "(use a copy, or -snapshot on both sides)",
                         path);
    return error_set(err, "'%s' is being written by another drive or emulator (use a copy)", path);
}

static int open_temporary(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    char *name = xasprintf("%s/emu-overlay-XXXXXX", dir);
    fd = mkostemp(name, O_CLOEXEC);
    int code = errno;
    if (fd >= 0)
        unlink(name);
    free(name);
    errno = code;
    return fd;
}

static bool create_overlay(struct block_image *image, struct error *err)
{
    const char *dir = getenv("TMPDIR");
    if (!dir || !dir[0])
        dir = "/var/tmp";
    int fd = open_temporary(dir);
    if (fd < 0)
        return error_set(err,
                         "cannot make the temporary file for -snapshot in '%s': %s (TMPDIR "
                         "chooses another directory)",
                         dir, strerror(errno));
    image->overlay.fd = fd;
    image->overlay.leaf_count = (size_t)((image->sectors + LEAF_SECTORS - 1) / LEAF_SECTORS);
    image->overlay.leaves = xcalloc(image->overlay.leaf_count, sizeof image->overlay.leaves[0]);
    image->has_overlay = true;
    return true;
}

struct block_image *block_image_open(const char *path, const struct block_image_options *options,
                                     struct error *err)
{
    bool write = !options->read_only && !options->snapshot;
    int fd = open_file(path, write, err);
    if (fd < 0)
        return NULL;
    uint64_t sectors = 0;
    if (!check_size(path, fd, &sectors, err) || !lock_image(path, fd, write, err)) {
        close(fd);
        return NULL;
    }
    struct block_image *image = xcalloc(1, sizeof *image);
    image->path = xstrdup(path);
    image->fd = fd;
    image->sectors = sectors;
    image->read_only = options->read_only;
    if (options->snapshot && !options->read_only && !create_overlay(image, err)) {
        block_image_close(image);
        return NULL;
    }
    return image;
}

void block_image_close(struct block_image *image)
{
    if (!image)
        return;
    block_image_flush(image);
    if (image->has_overlay) {
        for (size_t i = 0; i < image->overlay.leaf_count; i++)
            free(image->overlay.leaves[i]);
        free(image->overlay.leaves);
        close(image->overlay.fd);
    }
    close(image->fd);
    free(image->path);
    free(image);
}

uint64_t block_image_sectors(const struct block_image *image)
{
    return image->sectors;
}

bool block_image_is_read_only(const struct block_image *image)
{
    return image->read_only;
}

const char *block_image_path(const struct block_image *image)
{
    return image->path;
}

bool block_image_is_snapshot(const struct block_image *image)
{
    return image->has_overlay;
}

static bool is_in_range(const struct block_image *image, uint64_t sector, uint32_t count)
{
    return sector <= image->sectors && count <= image->sectors - sector;
}

static int read_fully(int fd, uint8_t *buffer, size_t length, off_t offset)
{
    while (length) {
        ssize_t n = pread(fd, buffer, length, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        if (n == 0)
            return EIO; // the file was cut off behind our back
        buffer += n;
        offset += n;
        length -= (size_t)n;
    }
    return 0;
}

static int write_fully(int fd, const uint8_t *buffer, size_t length, off_t offset)
{
    while (length) {
        ssize_t n = pwrite(fd, buffer, length, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        buffer += n;
        offset += n;
        length -= (size_t)n;
    }
    return 0;
}

static bool overlay_has(const struct overlay *overlay, uint64_t sector)
{
    const uint8_t *leaf = overlay->leaves[sector / LEAF_SECTORS];
    uint32_t bit = (uint32_t)(sector % LEAF_SECTORS);
    return leaf && (leaf[bit / 8] >> (bit % 8) & 1);
}

// Makes the leaves of a range, so that marking it afterwards cannot fail.
static bool overlay_prepare(struct overlay *overlay, uint64_t sector, uint32_t count)
{
    uint64_t last = (sector + count - 1) / LEAF_SECTORS;
    for (uint64_t i = sector / LEAF_SECTORS; i <= last; i++) {
        if (!overlay->leaves[i])
            overlay->leaves[i] = calloc(1, LEAF_SECTORS / 8);
        if (!overlay->leaves[i])
            return false;
    }
    return true;
}

static void overlay_mark(struct overlay *overlay, uint64_t sector, uint32_t count)
{
    for (uint64_t s = sector; s < sector + count; s++) {
        uint32_t bit = (uint32_t)(s % LEAF_SECTORS);
        overlay->leaves[s / LEAF_SECTORS][bit / 8] |= (uint8_t)(1u << (bit % 8));
    }
}

int block_image_read(struct block_image *image, uint64_t sector, uint32_t count, void *buffer)
{
    uint8_t *to = buffer;
    if (!is_in_range(image, sector, count))
        return EINVAL;
    while (count) {
        bool written = image->has_overlay && overlay_has(&image->overlay, sector);
        uint32_t run = image->has_overlay ? 1 : count;
        while (run < count && overlay_has(&image->overlay, sector + run) == written)
            run++;
        size_t bytes = (size_t)run * BLOCK_SECTOR_SIZE;
        int code = read_fully(written ? image->overlay.fd : image->fd, to, bytes,
                              (off_t)(sector * BLOCK_SECTOR_SIZE));
        if (code)
            return code;
        to += bytes;
        sector += run;
        count -= run;
    }
    return 0;
}

int block_image_write(struct block_image *image, uint64_t sector, uint32_t count,
                      const void *buffer)
{
    if (!is_in_range(image, sector, count))
        return EINVAL;
    if (image->read_only)
        return EROFS;
    if (count == 0)
        return 0;
    size_t bytes = (size_t)count * BLOCK_SECTOR_SIZE;
    off_t offset = (off_t)(sector * BLOCK_SECTOR_SIZE);
    if (!image->has_overlay)
        return write_fully(image->fd, buffer, bytes, offset);
    if (!overlay_prepare(&image->overlay, sector, count))
        return ENOMEM;
    int code = write_fully(image->overlay.fd, buffer, bytes, offset);
    if (code == 0)
        overlay_mark(&image->overlay, sector, count);
    return code;
}

int block_image_flush(struct block_image *image)
{
    if (image->read_only || image->has_overlay)
        return 0;
    return fdatasync(image->fd) == 0 ? 0 : errno;
}
