// SPDX-License-Identifier: MIT
// Disk images: raw files, opened with a lock, optionally under a temporary overlay (-snapshot) so
// that the file is never written. The format is raw, always: it is never guessed from bytes a guest
// could have written. Thread: the machine's thread.
#ifndef EMU_BASE_BLOCK_IMAGE_H
#define EMU_BASE_BLOCK_IMAGE_H

#include "base/error.h"

#define BLOCK_SECTOR_SIZE 512u

struct block_image;

struct block_image_options {
    bool read_only; // CD-ROM, or read-only=on
    bool snapshot;  // writes go to an unlinked temporary file
};

// Errors name the path: missing, empty, a directory, not a multiple of 512 bytes, not
// readable/writable, locked by another process.
struct block_image *block_image_open(const char *path, const struct block_image_options *options,
                                     struct error *err);
void block_image_close(struct block_image *image); // flushes

uint64_t block_image_sectors(const struct block_image *image);
bool block_image_is_read_only(const struct block_image *image);
const char *block_image_path(const struct block_image *image);
bool block_image_is_snapshot(const struct block_image *image);

// Whole sectors. Return 0 or a positive errno; out-of-range requests are EINVAL. ENOSPC pauses the
// guest (the device's affair).
int block_image_read(struct block_image *image, uint64_t sector, uint32_t count, void *buffer);
int block_image_write(struct block_image *image, uint64_t sector, uint32_t count,
                      const void *buffer);
int block_image_flush(
    struct block_image *image); // fdatasync: afterwards the data survives a host crash

#endif
