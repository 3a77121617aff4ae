// SPDX-License-Identifier: MIT
// What the fuzz targets share: a reader of the input, files in memory, a folder for what is
// written, and a character device without a descriptor. A target defines LLVMFuzzerTestOneInput;
// libFuzzer or replay.c calls it.
#ifndef EMU_TESTS_FUZZ_H
#define EMU_TESTS_FUZZ_H

#include <stdio.h>

#include "base/chardev.h"
#include "base/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv); // called once before; a target may have it

// Ends the process, so that the driver keeps the input. For properties that do not hold.
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fuzz_fail(__FILE__, __LINE__, #condition);                                             \
    } while (0)
_Noreturn void fuzz_fail(const char *file, int line, const char *condition);

// Beyond the end everything reads as zero.
struct fuzz_input {
    const uint8_t *data;
    size_t size, at;
};
uint8_t fuzz_u8(struct fuzz_input *in);
uint16_t fuzz_u16(struct fuzz_input *in);
uint32_t fuzz_u32(struct fuzz_input *in);
size_t fuzz_left(const struct fuzz_input *in);
// At most `length` bytes, less at the end.
const uint8_t *fuzz_bytes(struct fuzz_input *in, size_t length, size_t *got);

// A folder of this process, made at the first call and removed at exit.
const char *fuzz_folder(void);
void fuzz_folder_clear(void);

// A file in memory: its path opens it, as often as wanted.
struct fuzz_file {
    int fd;
    char path[40];
};
struct fuzz_file fuzz_file_make(const void *data, size_t size);
void fuzz_file_free(struct fuzz_file *file);

// Drops what is written; fuzz_chardev_feed gives the front end what it takes of the bytes and
// returns how many.
struct chardev *fuzz_chardev_open(struct event_loop *loop, const char *description);
size_t fuzz_chardev_feed(struct chardev *dev, const uint8_t *data, size_t length);

// Moves a clock in instruction mode, stopping at each deadline on the way. False when more than
// `events` deadlines came.
bool fuzz_clock_run(struct clock *clock, uint64_t *instructions, int64_t ns, unsigned events);

// Standard error and standard output are for the driver alone.
FILE *fuzz_null_file(void);

#endif
