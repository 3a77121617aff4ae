// SPDX-License-Identifier: MIT
// bench list                     prints the workloads: name, group, amount of work
// bench serve DISK-DIR MEM-DIR   reads "run NAME N" lines, runs each in a child process
// The markers BEGIN and END go out as single writes: whoever watches the line times them with a
// clock of his own. No clock of the guest is used; the CPU time in END is for native runs.
#include "bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static const struct workload {
    const char *name, *group;
    uint32_t n; // about half a second for an emulator five times slower than the processor
    uint64_t (*run)(const struct bench *b);
} workloads[] = {
    {"int-loop", "int", 200, bench_int_loop},
    {"table", "int", 200, bench_table},
    {"sort", "int", 50, bench_sort},
    {"int64", "int", 100, bench_int64},
    {"chase", "int", 200, bench_chase},
    {"recursion", "int", 200, bench_recursion},
    {"vm-switch", "int", 40, bench_vm_switch},
    {"vm-goto", "int", 40, bench_vm_goto},
    {"string", "int", 100, bench_string},
    {"rep", "int", 400, bench_rep},
    {"sha256", "int", 120, bench_sha256},
    {"x87-matrix", "fp", 80, bench_x87_matrix},
    {"x87-nbody", "fp", 25, bench_x87_nbody},
    {"sse-nbody", "fp", 80, bench_sse_nbody},
    {"sse-mandel", "fp", 100, bench_sse_mandel},
    {"packed-float", "fp", 250, bench_packed_float},
    {"packed-int", "fp", 300, bench_packed_int},
    {"syscall", "system", 200, bench_syscall},
    {"fork", "system", 80, bench_fork},
    {"exec", "system", 40, bench_exec},
    {"fault", "system", 40, bench_fault},
    {"pipe", "system", 100, bench_pipe},
    {"signal", "system", 60, bench_signal},
    {"smc", "system", 80, bench_smc},
    {"file-ext4", "system", 20, bench_file_disk},
    {"file-tmpfs", "system", 60, bench_file_tmpfs},
};
enum { WORKLOADS = sizeof workloads / sizeof workloads[0] };

static void say(const char *line)
{
    for (size_t at = 0, size = strlen(line); at < size;) {
        ssize_t done = write(STDOUT_FILENO, line + at, size - at);
        if (done <= 0)
            exit(1);
        at += (size_t)done;
    }
}

void bench_fail(const struct bench *b, const char *what)
{
    char line[128];
    snprintf(line, sizeof line, "FAIL %s %s\n", b->name, what);
    say(line);
    _exit(1);
}

uint64_t bench_hash(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *byte = data;
    for (size_t i = 0; i + 4 <= size; i += 4) {
        uint32_t word;
        memcpy(&word, byte + i, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x100000001b3);
    }
    return hash;
}

// Microseconds of this process and of its children that have been waited for.
static int64_t cpu_time(void)
{
    struct timespec self;
    struct rusage children;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    return (int64_t)self.tv_sec * 1000000 + self.tv_nsec / 1000 +
           (int64_t)(children.ru_utime.tv_sec + children.ru_stime.tv_sec) * 1000000 +
           children.ru_utime.tv_usec + children.ru_stime.tv_usec;
}

void bench_begin(const struct bench *b)
{
    char line[64];
    snprintf(line, sizeof line, "BEGIN %s\n", b->name);
    *b->cpu_before = cpu_time();
    say(line);
}

static void run(const struct workload *w, struct bench b)
{
    char line[128];
    b.name = w->name;
    int64_t before = 0;
    b.cpu_before = &before;
    uint64_t sum = w->run(&b);
    snprintf(line, sizeof line, "END %s %016" PRIx64 " %" PRId64 "\n", w->name, sum,
             cpu_time() - before);
    say(line);
}

static const struct workload *find(const char *name)
{
    for (int i = 0; i < WORKLOADS; i++) {
        if (strcmp(workloads[i].name, name) == 0)
            return &workloads[i];
    }
    return NULL;
}

static int serve(const char *disk, const char *memory)
{
    struct termios tty;
    char line[128], name[64];
    unsigned n;
    if (tcgetattr(STDIN_FILENO, &tty) == 0) {
        tty.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ISIG);
        tcsetattr(STDIN_FILENO, TCSANOW, &tty);
    }
    say("BENCH READY\n");
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (strncmp(line, "quit", 4) == 0)
            break;
        if (sscanf(line, "run %63s %u", name, &n) != 2)
            continue;
        const struct workload *w = find(name);
        int status = 0;
        pid_t child = w == NULL ? -1 : fork();
        if (child == 0) {
            run(w, (struct bench){.n = n, .disk_folder = disk, .memory_folder = memory});
            _exit(0);
        }
        if (child < 0 || waitpid(child, &status, 0) != child)
            status = 0xffff;
        snprintf(line, sizeof line, "DONE %s %d\n", name, status);
        say(line);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        for (int i = 0; i < WORKLOADS; i++)
            printf("%s %s %u\n", workloads[i].name, workloads[i].group, workloads[i].n);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "exit") == 0) // what the exec workload starts
        return 42;
    if (argc == 4 && strcmp(argv[1], "serve") == 0)
        return serve(argv[2], argv[3]);
    fprintf(stderr, "usage: bench list | serve DISK-DIR MEMORY-DIR\n");
    return 1;
}
