// SPDX-License-Identifier: MIT
// Opening files that a user names: as fopen, but never waiting for the other end of a FIFO, since
// the machine's thread is in it.
#ifndef EMU_BASE_FILE_H
#define EMU_BASE_FILE_H

#include <stdio.h>

// NULL with errno set. A FIFO without a writer reads as an empty file.
FILE *file_open_read(const char *path);
// Creates or empties it. A FIFO that nobody reads is ENXIO.
FILE *file_open_write(const char *path);

#endif
