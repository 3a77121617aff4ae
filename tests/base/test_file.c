// SPDX-License-Identifier: MIT
// Files that a user names; a FIFO never keeps the caller waiting.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static char folder[] = "/tmp/emu-file-XXXXXX";
static char path[64], fifo[64];

static int make(void **state)
{
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    alarm(30); // what waits is killed
    return 0;
}

static int clean(void **state)
{
    alarm(0);
    unlink(path);
    unlink(fifo);
    return rmdir(folder);
}

static void files(void **state)
{
    char text[8] = "";
    assert_null(file_open_read(path));
    assert_int_equal(errno, ENOENT);
    for (unsigned i = 0; i < 2; i++) {
        FILE *file = file_open_write(path);
        assert_non_null(file);
        assert_int_equal(fcntl(fileno(file), F_GETFL) & O_NONBLOCK, 0);
        assert_true(fcntl(fileno(file), F_GETFD) & FD_CLOEXEC);
        fputs(i ? "b" : "aaa", file);
        fclose(file);
    }
    FILE *file = file_open_read(path);
    assert_int_equal(fread(text, 1, sizeof text, file), 1);
    fclose(file);
    assert_string_equal(text, "b");
    assert_null(file_open_write(folder));
    assert_int_equal(errno, EISDIR);
}

static void fifo_without_peer(void **state)
{
    FILE *file = file_open_read(fifo);
    assert_non_null(file);
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
    assert_null(file_open_write(fifo));
    assert_int_equal(errno, ENXIO);
}

static void fifo_with_writer(void **state)
{
    int both = open(fifo, O_RDWR);
    assert_int_equal(write(both, "xy\n", 3), 3);
    FILE *file = file_open_read(fifo);
    char text[8];
    assert_non_null(fgets(text, sizeof text, file));
    assert_string_equal(text, "xy\n");
    fclose(file);
    file = file_open_write(fifo);
    fputs("z", file);
    fclose(file);
    assert_int_equal(read(both, text, sizeof text), 1);
    close(both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files),
        cmocka_unit_test(fifo_without_peer),
        cmocka_unit_test(fifo_with_writer),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
