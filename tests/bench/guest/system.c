// SPDX-License-Identifier: MIT
// Workloads that ask the guest's kernel and the emulated MMU: system calls, processes, page faults,
// pipes, signals, self-modifying code, files.
#define _GNU_SOURCE
#include "bench.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

uint64_t bench_syscall(const struct bench *b)
{
    uint32_t same = 0;
    long parent = syscall(SYS_getppid);
    bench_begin(b);
    for (uint32_t i = 0; i < b->n * 2000; i++)
        same += syscall(SYS_getppid) == parent;
    return same;
}

uint64_t bench_fork(const struct bench *b)
{
    uint32_t sum = 0;
    bench_begin(b);
    for (uint32_t i = 0; i < b->n * 5; i++) {
        int status = 0;
        pid_t child = fork();
        if (child == 0)
            _exit((int)(i & 127));
        if (child < 0 || waitpid(child, &status, 0) != child)
            bench_fail(b, "fork");
        sum = sum * 31 + (uint32_t)WEXITSTATUS(status);
    }
    return sum;
}

uint64_t bench_exec(const struct bench *b)
{
    uint32_t sum = 0;
    char *arguments[] = {(char[]){"bench"}, (char[]){"exit"}, NULL};
    bench_begin(b);
    for (uint32_t i = 0; i < b->n * 2; i++) {
        int status = 0;
        pid_t child = fork();
        if (child == 0) {
            execv("/proc/self/exe", arguments);
            _exit(1);
        }
        if (child < 0 || waitpid(child, &status, 0) != child)
            bench_fail(b, "fork");
        sum = sum * 31 + (uint32_t)WEXITSTATUS(status);
    }
    return sum;
}

uint64_t bench_fault(const struct bench *b)
{
    enum { PAGES = 128, PAGE = 4096 };
    uint64_t sum = 0;
    bench_begin(b);
    for (uint32_t i = 0; i < b->n * 5; i++) {
        uint8_t *area =
            mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (area == MAP_FAILED)
            bench_fail(b, "mmap");
        for (uint32_t page = 0; page < PAGES; page++) {
            sum += area[page * PAGE + 100];
            area[page * PAGE + i % PAGE] = (uint8_t)page;
        }
        for (uint32_t page = 0; page < PAGES; page++)
            sum = sum * 3 + area[page * PAGE + i % PAGE];
        munmap(area, PAGES * PAGE);
    }
    return sum;
}

uint64_t bench_pipe(const struct bench *b)
{
    int there[2], back[2], status = -1;
    uint32_t x = 1;
    if (pipe(there) != 0 || pipe(back) != 0)
        bench_fail(b, "pipe");
    pid_t echo = fork();
    if (echo == 0) {
        close(there[1]);
        while (read(there[0], &x, sizeof x) == sizeof x) {
            x = x * 2654435761u + 1;
            if (write(back[1], &x, sizeof x) != sizeof x)
                _exit(1);
        }
        _exit(0);
    }
    bench_begin(b);
    for (uint32_t i = 0; i < b->n * 50; i++) {
        if (write(there[1], &x, sizeof x) != sizeof x || read(back[0], &x, sizeof x) != sizeof x)
            bench_fail(b, "ping-pong");
    }
    close(there[1]);
    if (waitpid(echo, &status, 0) != echo || status != 0)
        bench_fail(b, "the other process");
    return x;
}

static volatile sig_atomic_t handled; // a signal handler reaches nothing else

static void handle(int number)
{
    handled += number;
}

uint64_t bench_signal(const struct bench *b)
{
    struct sigaction action = {.sa_handler = handle};
    sigaction(SIGUSR1, &action, NULL);
    handled = 0;
    bench_begin(b);
    for (uint32_t i = 0; i < b->n * 500; i++)
        raise(SIGUSR1);
    return (uint64_t)handled;
}

uint64_t bench_smc(const struct bench *b)
{
    uint8_t *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint32_t sum = 0;
    if (page == MAP_FAILED)
        bench_fail(b, "mmap");
    bench_begin(b);
    for (uint32_t i = 0; i < b->n * 400; i++) {
        // mov $i, %eax; add $..., %eax; ret, at one of 32 places of the page, called four times.
        uint8_t *code = page + (i & 31) * 64;
        uint32_t (*function)(void);
        code[0] = 0xb8;
        memcpy(code + 1, &i, sizeof i);
        code[5] = 0x83;
        code[6] = 0xc0;
        code[7] = (uint8_t)(i & 63);
        code[8] = 0xc3;
        memcpy(&function, &code, sizeof function);
        for (int k = 0; k < 4; k++)
            sum = sum * 3 + function();
    }
    return sum;
}

static uint64_t files(const struct bench *b, const char *folder)
{
    enum { SIZE = 1 << 20, CHUNK = 4096 };
    char path[256];
    uint8_t *data = malloc(SIZE), *back = malloc(SIZE);
    uint32_t seed = 1234;
    uint64_t sum = BENCH_HASH;
    if (data == NULL || back == NULL)
        bench_fail(b, "no memory");
    for (int i = 0; i < SIZE; i++)
        data[i] = (uint8_t)bench_random(&seed);
    memset(back, 0, SIZE);
    snprintf(path, sizeof path, "%s/bench.tmp", folder);
    bench_begin(b);
    for (uint32_t i = 0; i < b->n; i++) {
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
        if (fd < 0)
            bench_fail(b, "creating a file");
        data[i * 997 % SIZE] ^= 1;
        for (int at = 0; at < SIZE; at += CHUNK) {
            if (write(fd, data + at, CHUNK) != CHUNK)
                bench_fail(b, "write");
        }
        fdatasync(fd); // through the disk, where there is one
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        lseek(fd, 0, SEEK_SET);
        for (int at = 0; at < SIZE; at += CHUNK) {
            if (read(fd, back + at, CHUNK) != CHUNK)
                bench_fail(b, "read");
        }
        sum = bench_hash(sum, back + i * 4096 % SIZE, CHUNK);
        close(fd);
    }
    if (memcmp(data, back, SIZE) != 0)
        bench_fail(b, "the file differs from what was written");
    unlink(path);
    return sum;
}

uint64_t bench_file_disk(const struct bench *b)
{
    return files(b, b->disk_folder);
}

uint64_t bench_file_tmpfs(const struct bench *b)
{
    return files(b, b->memory_folder);
}
