// SPDX-License-Identifier: MIT
// What a kernel and its MMU do for programs: files, mappings, processes, pipes, signals and
// threads.
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILE_SIZE = 1 << 20 };

static void file_path(struct workload *w, char *path, size_t size, const char *name)
{
    snprintf(path, size, "%s/%s", w->folder, name);
}

static void fill(uint8_t *data, size_t size, uint32_t seed)
{
    for (size_t i = 0; i < size; i++) {
        data[i] = (uint8_t)workload_random(&seed);
    }
}

void workload_test_files(struct workload *w)
{
    char path[256], other[256];
    uint8_t *data = malloc(FILE_SIZE), *back = malloc(FILE_SIZE);
    file_path(w, path, sizeof path, "workload.tmp");
    file_path(w, other, sizeof other, "workload.renamed");
    fill(data, FILE_SIZE, 2024);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    workload_check(w, fd >= 0, "creating a file");
    for (size_t at = 0, step = 1; at < FILE_SIZE; at += step, step = step * 3 % 9973 + 1) {
        size_t size = at + step > FILE_SIZE ? FILE_SIZE - at : step;
        workload_check(w, write(fd, data + at, size) == (ssize_t)size, "writing in odd steps");
    }
    workload_check(w, fsync(fd) == 0, "fsync");
    workload_check(w, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "dropping the cache");
    workload_check(w, pread(fd, back, FILE_SIZE, 0) == FILE_SIZE, "reading back");
    workload_check(w, memcmp(data, back, FILE_SIZE) == 0, "file contents");
    workload_mix(w, back, FILE_SIZE);
    workload_check(w, rename(path, other) == 0 && access(path, F_OK) == -1, "rename");
    workload_check(w, ftruncate(fd, 1000) == 0 && lseek(fd, 0, SEEK_END) == 1000, "truncate");
    workload_check(w, lseek(fd, 5000000, SEEK_SET) == 5000000 && write(fd, "end", 3) == 3,
                   "a hole");
    struct stat status;
    workload_check(w, fstat(fd, &status) == 0 && status.st_size == 5000003, "size with a hole");
    workload_check(w, pread(fd, back, 100, 400000) == 100 && back[0] == 0 && back[99] == 0,
                   "a hole reads as zeros");
    close(fd);
    workload_check(w, unlink(other) == 0, "unlink");
    for (int i = 0; i < 200; i++) {
        snprintf(path, sizeof path, "%s/small.%d", w->folder, i);
        FILE *f = fopen(path, "w");
        workload_check(w, f != NULL && fprintf(f, "%d\n", i * i) > 0 && fclose(f) == 0,
                       "small files");
    }
    for (int i = 0; i < 200; i++) {
        int value = -1;
        snprintf(path, sizeof path, "%s/small.%d", w->folder, i);
        FILE *f = fopen(path, "r");
        workload_check(w, f != NULL && fscanf(f, "%d", &value) == 1 && value == i * i,
                       "small file back");
        if (f != NULL) {
            fclose(f);
        }
        workload_check(w, unlink(path) == 0, "unlinking small files");
    }
    free(data);
    free(back);
}

void workload_test_memory(struct workload *w)
{
    enum { SIZE = 4 << 20 };
    char path[256];
    uint8_t *area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    workload_check(w, area != MAP_FAILED, "anonymous mapping");
    fill(area, SIZE, 5);
    // A child's writes to a private mapping stay its own.
    pid_t child = fork();
    if (child == 0) {
        memset(area, 0xee, SIZE);
        _exit(area[12345] == 0xee ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    workload_check(w, status == 0, "copy on write in the child");
    workload_mix(w, area, SIZE / 16);
    munmap(area, SIZE);

    file_path(w, path, sizeof path, "workload.map");
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    workload_check(w, ftruncate(fd, 65536) == 0, "growing a file to map");
    uint8_t *shared = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    workload_check(w, shared != MAP_FAILED, "shared mapping");
    fill(shared, 65536, 77);
    workload_check(w, msync(shared, 65536, MS_SYNC) == 0, "msync");
    uint8_t byte = 0;
    workload_check(w, pread(fd, &byte, 1, 54321) == 1 && byte == shared[54321],
                   "mapping and file agree");
    munmap(shared, 65536);
    close(fd);
    unlink(path);

    // Code written, run, rewritten and run again: mov $n, %eax; ret.
    uint8_t *code =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    workload_check(w, code != MAP_FAILED, "executable mapping");
    uint32_t total = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        int (*function)(void);
        code[0] = 0xb8;
        memcpy(code + 1, &i, sizeof i);
        code[5] = 0xc3;
        memcpy(&function, &code, sizeof function);
        total += (uint32_t)function();
    }
    workload_check(w, total == 499500, "self-modifying code");
    munmap(code, 4096);
}

void workload_test_processes(struct workload *w)
{
    unsigned sum = 0;
    for (int i = 0; i < 60; i++) {
        pid_t child = fork();
        if (child == 0) {
            _exit(i);
        }
        int status = 0;
        workload_check(w, waitpid(child, &status, 0) == child && WIFEXITED(status), "a child ends");
        sum += (unsigned)WEXITSTATUS(status);
    }
    workload_check(w, sum == 60 * 59 / 2, "exit codes of children");
    // Eight at once, each sending its square through one pipe.
    int to_parent[2], there[2], back[2];
    workload_check(w, pipe(to_parent) == 0, "pipe");
    for (unsigned i = 0; i < 8; i++) {
        if (fork() == 0) {
            unsigned square = i * i;
            _exit(write(to_parent[1], &square, sizeof square) == sizeof square ? 0 : 1);
        }
    }
    unsigned total = 0, got;
    for (int i = 0; i < 8; i++) {
        workload_check(w, read(to_parent[0], &got, sizeof got) == sizeof got, "reading squares");
        total += got;
    }
    while (wait(NULL) > 0) {
    }
    workload_check(w, total == 140, "squares through a pipe");
    close(to_parent[0]);
    close(to_parent[1]);

    workload_check(w, pipe(there) == 0 && pipe(back) == 0, "two pipes");
    pid_t echo = fork();
    if (echo == 0) {
        uint32_t x;
        close(there[1]);
        while (read(there[0], &x, sizeof x) == sizeof x) {
            x = x * 2654435761u + 1;
            if (write(back[1], &x, sizeof x) != sizeof x) {
                _exit(1);
            }
        }
        _exit(0);
    }
    uint32_t x = 1;
    for (int i = 0; i < 500; i++) {
        bool good =
            write(there[1], &x, sizeof x) == sizeof x && read(back[0], &x, sizeof x) == sizeof x;
        workload_check(w, good, "ping-pong");
    }
    close(there[1]);
    int status = -1;
    waitpid(echo, &status, 0);
    workload_check(w, status == 0, "the ping-pong child");
    workload_mix(w, &x, sizeof x);
    close(there[0]);
    close(back[0]);
    close(back[1]);
}

// A signal handler can only reach what has static storage.
static volatile sig_atomic_t seen[65];
static sigjmp_buf resume;
static void *volatile fault_address;

static void count_signal(int number)
{
    seen[number & 63]++;
}

static void catch_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    fault_address = info->si_addr;
    siglongjmp(resume, number);
}

static void test_faults(struct workload *w)
{
    struct sigaction action = {.sa_sigaction = catch_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    uint8_t *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sigsetjmp(resume, 1) == 0) {
        *(volatile uint8_t *)(page + 100) = 1;
        workload_check(w, false, "a write to a read-only page must fault");
    }
    workload_check(w, fault_address == page + 100, "address of a fault");
    if (sigsetjmp(resume, 1) == 0) {
        __asm__ volatile("xorl %%ecx, %%ecx\n divl %%ecx" : : "a"(1), "d"(0) : "ecx", "cc");
        workload_check(w, false, "division by zero must fault");
    }
    volatile int number = sigsetjmp(resume, 1);
    if (number == 0) {
        __asm__ volatile("ud2");
    }
    workload_check(w, number == SIGILL, "UD2");
    number = sigsetjmp(resume, 1);
    if (number == 0) {
        __asm__ volatile("cli");
    }
    workload_check(w, number == SIGSEGV, "CLI in a program");
    munmap(page, 4096);
    signal(SIGSEGV, SIG_DFL);
    signal(SIGFPE, SIG_DFL);
    signal(SIGILL, SIG_DFL);
}

void workload_test_signals(struct workload *w)
{
    struct sigaction action = {.sa_handler = count_signal};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGCHLD, &action, NULL);
    for (int i = 0; i < 200; i++) {
        raise(SIGUSR1);
    }
    workload_check(w, seen[SIGUSR1] == 200, "200 signals to itself");
    test_faults(w);

    sigset_t blocked, empty;
    sigemptyset(&empty);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGALRM);
    sigaddset(&blocked, SIGCHLD);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    struct itimerval timer = {{0, 20000}, {0, 20000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    while (seen[SIGALRM] < 5) {
        sigsuspend(&empty);
    }
    memset(&timer, 0, sizeof timer);
    setitimer(ITIMER_REAL, &timer, NULL);
    // Wait until SIGCHLD tells of each child; one killed child reports the signal that ended it.
    pid_t child = fork();
    if (child == 0) {
        for (;;) {
            pause();
        }
    }
    int before = seen[SIGCHLD], status = 0;
    kill(child, SIGKILL);
    while (seen[SIGCHLD] == before) {
        sigsuspend(&empty);
    }
    workload_check(w, waitpid(child, &status, 0) == child && WIFSIGNALED(status), "a killed child");
    workload_check(w, WTERMSIG(status) == SIGKILL, "the signal that killed it");
    sigprocmask(SIG_UNBLOCK, &blocked, NULL);
    signal(SIGCHLD, SIG_DFL);
}

struct team {
    pthread_mutex_t lock;
    unsigned counted;
    unsigned atomic;
};

static void *count_up(void *argument)
{
    struct team *team = argument;
    for (int i = 0; i < 5000; i++) {
        pthread_mutex_lock(&team->lock);
        team->counted++;
        pthread_mutex_unlock(&team->lock);
        __atomic_add_fetch(&team->atomic, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

void workload_test_threads(struct workload *w)
{
    struct team team = {PTHREAD_MUTEX_INITIALIZER, 0, 0};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        workload_check(w, pthread_create(&threads[i], NULL, count_up, &team) == 0,
                       "starting a thread");
    }
    for (int i = 0; i < 4; i++) {
        workload_check(w, pthread_join(threads[i], NULL) == 0, "joining a thread");
    }
    workload_check(w, team.counted == 20000 && team.atomic == 20000, "counts of four threads");
}
