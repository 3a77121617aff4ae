// SPDX-License-Identifier: MIT
// Disk images: input and output, overlay, locks between processes, and what bad images are told.
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/block_image.h"

#define SECTORS 70000u // more than two leaves of the overlay's map

static const struct block_image_options writable = {0};
static const struct block_image_options reader = {.read_only = true};
static const struct block_image_options overlay = {.snapshot = true};

struct rig {
    char dir[32];
    char path[64];
};

static void fill(uint8_t *buffer, uint32_t count, uint8_t seed)
{
    for (uint32_t i = 0; i < count * BLOCK_SECTOR_SIZE; i++)
        buffer[i] = (uint8_t)(seed + i / BLOCK_SECTOR_SIZE * 7 + i);
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    strcpy(rig->dir, "/tmp/emu-block-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    strcat(strcpy(rig->path, rig->dir), "/disk.img");
    int fd = open(rig->path, O_CREAT | O_RDWR, 0644);
    assert_int_equal(ftruncate(fd, (off_t)SECTORS * 512), 0);
    close(fd);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    chmod(rig->dir, 0755);
    unlink(rig->path);
    assert_int_equal(rmdir(rig->dir), 0); // nothing else was left
    free(rig);
    return 0;
}

static void expect_refused(const char *path, const struct block_image_options *options,
                           const char *part)
{
    struct error err = {.text = ""};
    struct block_image *image = block_image_open(path, options, &err);
    assert_null(image);
    if (!strstr(err.text, part) || !strstr(err.text, path))
        fail_msg("'%s' does not mention '%s' and '%s'", err.text, path, part);
}

static struct block_image *open_image(const struct rig *rig,
                                      const struct block_image_options *options)
{
    struct error err = {.text = ""};
    struct block_image *image = block_image_open(rig->path, options, &err);
    if (!image)
        fail_msg("%s", err.text);
    return image;
}

static void test_read_and_write(void **state)
{
    struct rig *rig = *state;
    uint8_t out[8 * 512], in[8 * 512];
    struct block_image *image = open_image(rig, &writable);
    assert_true(block_image_sectors(image) == SECTORS);
    assert_false(block_image_is_read_only(image));
    assert_false(block_image_is_snapshot(image));
    assert_string_equal(block_image_path(image), rig->path);
    fill(out, 8, 3);
    assert_int_equal(block_image_write(image, SECTORS - 8, 8, out), 0);
    assert_int_equal(block_image_flush(image), 0);
    assert_int_equal(block_image_read(image, SECTORS - 8, 8, in), 0);
    assert_memory_equal(in, out, sizeof in);
    assert_int_equal(block_image_read(image, 0, 1, in), 0);
    for (int i = 0; i < 512; i++)
        assert_int_equal(in[i], 0);
    assert_int_equal(block_image_read(image, SECTORS - 7, 8, in), EINVAL);
    assert_int_equal(block_image_write(image, SECTORS, 1, out), EINVAL);
    assert_int_equal(block_image_write(image, UINT64_MAX, 2, out), EINVAL);
    assert_int_equal(block_image_read(image, UINT64_MAX / 512, UINT32_MAX, in), EINVAL);
    assert_int_equal(block_image_read(image, SECTORS, 0, in), 0);
    assert_int_equal(block_image_write(image, 5, 0, in), 0);
    block_image_close(image);
    image = open_image(rig, &reader);
    assert_true(block_image_is_read_only(image));
    assert_int_equal(block_image_read(image, SECTORS - 8, 8, in), 0);
    assert_memory_equal(in, out, sizeof in);
    assert_int_equal(block_image_write(image, 0, 1, out), EROFS);
    assert_int_equal(block_image_flush(image), 0);
    block_image_close(image);
    block_image_close(NULL);
}

// Random reads and writes against a copy in memory; the file keeps every byte and its times.
static void test_overlay(void **state)
{
    struct rig *rig = *state;
    static uint8_t model[SECTORS * 512], buffer[256 * 512];
    struct block_image *image = open_image(rig, &writable);
    for (uint32_t s = 0; s < SECTORS; s += 1000) {
        fill(model + s * 512, 1, (uint8_t)(s / 1000));
        assert_int_equal(block_image_write(image, s, 1, model + s * 512), 0);
    }
    block_image_close(image);
    struct stat before, after;
    stat(rig->path, &before);
    image = open_image(rig, &overlay);
    assert_true(block_image_is_snapshot(image));
    assert_false(block_image_is_read_only(image));
    uint32_t random = 12345;
    for (int i = 0; i < 3000; i++) {
        random = random * 1664525 + 1013904223;
        uint32_t count = 1 + (random >> 24);
        random = random * 1664525 + 1013904223;
        uint32_t sector = (random >> 8) % (SECTORS - count);
        if (i % 3 == 0) {
            sector = 32768 - count / 2; // across two leaves
        }
        if (random & 1 << 27) {
            fill(model + sector * 512, count, (uint8_t)i);
            assert_int_equal(block_image_write(image, sector, count, model + sector * 512), 0);
        } else {
            assert_int_equal(block_image_read(image, sector, count, buffer), 0);
            assert_memory_equal(buffer, model + sector * 512, count * 512);
        }
    }
    assert_int_equal(block_image_flush(image), 0);
    block_image_close(image);
    stat(rig->path, &after);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
    image = open_image(rig, &reader);
    memset(model, 0, sizeof model);
    for (uint32_t s = 0; s < SECTORS; s += 1000) {
        fill(model, 1, (uint8_t)(s / 1000));
        assert_int_equal(block_image_read(image, s, 1, buffer), 0);
        assert_memory_equal(buffer, model, 512);
        assert_int_equal(block_image_read(image, s + 1, 1, buffer), 0);
        assert_int_equal(buffer[77], 0);
    }
    block_image_close(image);
}

static void test_overlay_of_read_only_file(void **state)
{
    struct rig *rig = *state;
    uint8_t out[512], in[512];
    chmod(rig->path, 0444);
    struct block_image *image = open_image(rig, &overlay);
    fill(out, 1, 9);
    assert_int_equal(block_image_write(image, 4, 1, out), 0);
    assert_int_equal(block_image_read(image, 4, 1, in), 0);
    assert_memory_equal(in, out, 512);
    block_image_close(image);
    // Without a place for the overlay.
    setenv("TMPDIR", "/nonexistent/tmp", 1);
    struct error err;
    assert_null(block_image_open(rig->path, &overlay, &err));
    assert_non_null(strstr(err.text, "/nonexistent/tmp"));
    assert_non_null(strstr(err.text, "TMPDIR"));
    setenv("TMPDIR", rig->dir, 1);
    image = open_image(rig, &overlay);
    block_image_close(image);
    unsetenv("TMPDIR");
}

// Opens the image in another process; 0 when it may, 1 when it is refused with the expected words.
static int try_in_child(const struct rig *rig, const struct block_image_options *options)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct error err = {.text = ""};
        struct block_image *image = block_image_open(rig->path, options, &err);
        if (image)
            _exit(0);
        _exit(strstr(err.text, "another drive or emulator") ? 1 : 2);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_locks(void **state)
{
    struct rig *rig = *state;
    const struct block_image_options *options[3] = {&writable, &reader, &overlay};
    for (int holder = 0; holder < 3; holder++) {
        struct block_image *image = open_image(rig, options[holder]);
        for (int other = 0; other < 3; other++) {
            bool shared = holder != 0 && other != 0;
            assert_int_equal(try_in_child(rig, options[other]), shared ? 0 : 1);
        }
        // Two drives of one machine are no different.
        if (holder == 0)
            expect_refused(rig->path, &writable, "another drive");
        block_image_close(image);
        assert_int_equal(try_in_child(rig, &writable), 0);
    }
}

static void test_lock_ends_with_its_process(void **state)
{
    struct rig *rig = *state;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct block_image *image = block_image_open(rig->path, &writable, NULL);
        if (write(ready[1], image ? "y" : "n", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    char answer;
    assert_int_equal(read(ready[0], &answer, 1), 1);
    assert_int_equal(answer, 'y');
    expect_refused(rig->path, &writable, "another drive or emulator");
    expect_refused(rig->path, &overlay, "being written");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    block_image_close(open_image(rig, &writable));
    close(ready[0]);
    close(ready[1]);
}

static void test_bad_images(void **state)
{
    struct rig *rig = *state;
    expect_refused("/nonexistent/disk.img", &writable, "No such file");
    expect_refused(rig->dir, &writable, "directory");
    expect_refused("/dev/null", &writable, "neither a file nor a block device");
    assert_int_equal(truncate(rig->path, 0), 0);
    expect_refused(rig->path, &reader, "empty");
    assert_int_equal(truncate(rig->path, 1000), 0);
    expect_refused(rig->path, &writable, "1000 bytes, not a multiple of 512");
    assert_int_equal(truncate(rig->path, 512), 0);
    block_image_close(open_image(rig, &writable));
}

static void test_no_permission(void **state)
{
    struct rig *rig = *state;
    chmod(rig->dir, 0755);
    chmod(rig->path, 0444);
    pid_t pid = fork();
    if (pid == 0) {
        struct error err = {.text = ""};
        // Root may write everything: the message is for everybody else.
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(1);
        if (block_image_open(rig->path, &writable, &err) || !strstr(err.text, "-snapshot"))
            _exit(2);
        struct block_image *image = block_image_open(rig->path, &reader, &err);
        if (!image)
            _exit(3);
        block_image_close(image);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void test_file_cut_off_while_open(void **state)
{
    struct rig *rig = *state;
    uint8_t in[512];
    struct block_image *image = open_image(rig, &writable);
    assert_int_equal(truncate(rig->path, 512), 0);
    assert_int_equal(block_image_read(image, 0, 1, in), 0);
    assert_int_equal(block_image_read(image, 10, 1, in), EIO);
    block_image_close(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read_and_write, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overlay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overlay_of_read_only_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_locks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lock_ends_with_its_process, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_images, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_permission, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_cut_off_while_open, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
