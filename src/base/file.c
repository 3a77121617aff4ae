// SPDX-License-Identifier: MIT
// Opening files that a user names.
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

// O_NONBLOCK is for the opening only: a pipe with somebody at its other end is read as any file.
static FILE *open_stream(const char *path, int flags, const char *mode)
{
    int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
    if (fd < 0)
        return NULL;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    FILE *file = fdopen(fd, mode);
    if (!file) {
        int reason = errno;
        close(fd);
        errno = reason;
    }
    return file;
}

FILE *file_open_read(const char *path)
{
    return open_stream(path, O_RDONLY, "rb");
}

FILE *file_open_write(const char *path)
{
    return open_stream(path, O_WRONLY | O_CREAT | O_TRUNC, "wb");
}
