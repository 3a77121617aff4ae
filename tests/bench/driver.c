// SPDX-License-Identifier: MIT
// Runs the benchmark program in several emulators, and natively, side by side: all are started,
// wait for their next command, and take turns workload by workload, so that whatever else the host
// does meets all of them. The guest's serial port (standard input and output of each contestant)
// carries the commands and the markers BEGIN and END, which are timed here, with the host's clock
// and with the CPU clock of the contestant's process. Checksums are compared with the native run's.
//
//     driver [-r ROUNDS] [-b BOOTS] [-t SECONDS] [-T BOOT-SECONDS] [-m MIB] PLAN RECORDS
//
// PLAN has lines of words separated by tabs:
//     contestant NAME KIND SCALE PREPARE COMMAND   KIND: native, emu or peer; SCALE multiplies the
//     work workload NAME GROUP N monitor NAME SOCKET COMMAND     sent to the contestant's monitor
//     once its guest is up
// The first contestant is the native one. RECORDS gets lines of words separated by tabs:
//     contestant NAME KIND SCALE     (in the plan's order, first)
//     run NAME WORKLOAD GROUP BASE-N N WALL-US CPU-US CHECKSUM STATUS
//     boot NAME WALL-US CPU-US      memory NAME RESIDENT-KIB BESIDE-RAM-KIB      absent NAME REASON
// Exit status: 0; 1 when a checksum of a native or emu contestant is wrong or one of its runs
// failed.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONTESTANTS = 16, MAX_WORKLOADS = 64, MAX_REFERENCES = 512, MAX_LINE = 4096 };

struct contestant {
    char *name, *kind, *prepare, *command;
    char *monitor_socket, *monitor_command; // NULL: nothing to say there
    double scale;
    pid_t pid; // 0: not running
    int in, out;
    int64_t started;
    clockid_t cpu_clock;
    unsigned restarts;
    bool absent;
    char text[MAX_LINE]; // what has been read and is not a whole line yet
    size_t length;
};

struct workload {
    char *name, *group;
    uint32_t n;
};

struct reference {
    const struct workload *workload;
    uint32_t n;
    uint64_t sum;
};

struct driver {
    struct contestant contestants[MAX_CONTESTANTS];
    size_t contestant_count;
    struct workload workloads[MAX_WORKLOADS];
    size_t workload_count;
    struct reference references[MAX_REFERENCES];
    size_t reference_count;
    unsigned rounds, boots, timeout, boot_timeout, memory;
    FILE *records;
    bool failed;
};

struct result {
    int64_t wall, cpu; // nanoseconds
    uint64_t sum;
    const char *status; // "ok" or what went wrong
};

__attribute__((format(printf, 1, 2))) static _Noreturn void die(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    exit(2);
}

static int64_t clock_read(clockid_t clock)
{
    struct timespec t = {0};
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool is_native(const struct contestant *c)
{
    return strcmp(c->kind, "native") == 0;
}

static void contestant_stop(struct contestant *c)
{
    if (c->pid == 0)
        return;
    kill(-c->pid, SIGKILL); // its own process group
    waitpid(c->pid, NULL, 0);
    close(c->in);
    close(c->out);
    c->pid = 0;
}

static void contestant_start(struct contestant *c)
{
    int in[2], out[2];
    char *command = NULL;
    if (*c->prepare != '\0' && system(c->prepare) != 0)
        die("%s: cannot be prepared: %s", c->name, c->prepare);
    if (asprintf(&command, "exec %s", c->command) < 0 || pipe2(in, O_CLOEXEC) != 0 ||
        pipe2(out, O_CLOEXEC) != 0)
        die("%s: %s", c->name, strerror(errno));
    c->started = clock_read(CLOCK_MONOTONIC);
    c->pid = fork();
    if (c->pid < 0)
        die("%s: %s", c->name, strerror(errno));
    if (c->pid == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL); // no emulator outlives the driver
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    setpgid(c->pid, c->pid);
    free(command);
    close(in[0]);
    close(out[1]);
    c->in = in[1];
    c->out = out[0];
    c->length = 0;
    if (clock_getcpuclockid(c->pid, &c->cpu_clock) != 0)
        die("%s: no CPU clock of its process", c->name);
}

// The next line without its end, valid until the next call; NULL: the deadline passed, or the
// contestant ended (*ended).
static const char *contestant_line(struct contestant *c, char *line, int64_t deadline, bool *ended)
{
    *ended = false;
    for (;;) {
        char *end = memchr(c->text, '\n', c->length);
        if (end != NULL || c->length == sizeof c->text) {
            size_t size = end != NULL ? (size_t)(end - c->text) : c->length;
            size_t taken = end != NULL ? size + 1 : size;
            size_t kept = 0;
            for (size_t i = 0; i < size && kept < MAX_LINE - 1; i++) {
                if (c->text[i] != '\r' && c->text[i] != '\0')
                    line[kept++] = c->text[i];
            }
            line[kept] = '\0';
            c->length -= taken;
            memmove(c->text, c->text + taken, c->length);
            return line;
        }
        int64_t left = (deadline - clock_read(CLOCK_MONOTONIC)) / 1000000;
        struct pollfd fd = {c->out, POLLIN, 0};
        if (left <= 0 || (poll(&fd, 1, (int)(left < 1000000 ? left : 1000000)) == 0))
            return NULL;
        ssize_t got = read(c->out, c->text + c->length, sizeof c->text - c->length);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            *ended = true;
            return NULL;
        }
        c->length += got > 0 ? (size_t)got : 0;
    }
}

// What is after `word` and a space, where the line has that at its start or, after a kernel message
// without an end, later.
static const char *after_word(const char *line, const char *word)
{
    const char *at = strstr(line, word);
    size_t length = strlen(word);
    return at != NULL && (at[length] == ' ' || at[length] == '\0') ? at + length : NULL;
}

// Sums the resident memory, all of it and what is beside the guest's: mappings as large as its
// memory, and those by which emu maps parts of it again. A page that is mapped twice counts once
// (proportional set size).
static void record_memory(struct driver *d, struct contestant *c)
{
    char path[64], line[512];
    unsigned long first, last, resident = 0, beside = 0, kib;
    bool guest = false;
    snprintf(path, sizeof path, "/proc/%d/smaps", (int)c->pid);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return;
    while (fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "%lx-%lx ", &first, &last) == 2) {
            unsigned long size = (last - first) >> 20;
            guest = (size >= d->memory * 9ul / 10 && size <= d->memory * 3ul / 2) ||
                    strstr(line, "memfd:emu-ram") != NULL;
        } else if (sscanf(line, "Pss: %lu kB", &kib) == 1) {
            resident += kib;
            if (!guest)
                beside += kib;
        }
    }
    fclose(f);
    fprintf(d->records, "memory\t%s\t%lu\t%lu\n", c->name, resident, beside);
}

// Says the contestant's monitor command and waits until the monitor is quiet.
static void contestant_monitor(struct contestant *c)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char text[512];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", c->monitor_socket);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        dprintf(fd, "%s\n", c->monitor_command) < 0)
        die("%s: its monitor at %s: %s", c->name, c->monitor_socket, strerror(errno));
    struct pollfd wait = {fd, POLLIN, 0};
    ssize_t got;
    while (poll(&wait, 1, 300) > 0 && (got = read(fd, text, sizeof text)) > 0) {
        if (memmem(text, (size_t)got, "rror", 4) != NULL)
            fprintf(stderr, "bench: %s: %.*s\n", c->name, (int)got, text);
    }
    close(fd);
}

static bool contestant_boot(struct driver *d, struct contestant *c)
{
    char line[MAX_LINE], last[MAX_LINE] = "it printed nothing";
    bool ended;
    contestant_start(c);
    int64_t deadline = c->started + (int64_t)d->boot_timeout * 1000000000;
    while (contestant_line(c, line, deadline, &ended) != NULL) {
        if (after_word(line, "GUEST READY") != NULL) {
            int64_t wall = clock_read(CLOCK_MONOTONIC) - c->started, cpu = clock_read(c->cpu_clock);
            fprintf(d->records, "boot\t%s\t%" PRId64 "\t%" PRId64 "\n", c->name, wall / 1000,
                    cpu / 1000);
        }
        if (after_word(line, "BENCH READY") != NULL) {
            if (!is_native(c))
                record_memory(d, c);
            if (c->monitor_command != NULL)
                contestant_monitor(c);
            fflush(d->records);
            return true;
        }
        if (line[0] != '\0')
            strcpy(last, line);
    }
    contestant_stop(c);
    fprintf(stderr, "bench: %s: %s before its guest was up; last line: %.200s\n", c->name,
            ended ? "ended" : "time ran out", last);
    fprintf(d->records, "absent\t%s\t%s before its guest was up\n", c->name,
            ended ? "ended" : "time ran out");
    fflush(d->records);
    c->absent = true;
    if (strcmp(c->kind, "peer") != 0)
        d->failed = true;
    return false;
}

static struct result measure(struct driver *d, struct contestant *c, const struct workload *w,
                             uint32_t n)
{
    struct result r = {0, 0, 0, "no answer"};
    char line[MAX_LINE], name[64];
    int64_t wall = 0, cpu = 0, cpu_us = 0;
    bool ended, over = false;
    int size = snprintf(line, sizeof line, "run %s %u\n", w->name, n);
    if (write(c->in, line, (size_t)size) != size)
        return r;
    int64_t deadline = clock_read(CLOCK_MONOTONIC) + (int64_t)d->timeout * 1000000000;
    while (contestant_line(c, line, deadline, &ended) != NULL) {
        const char *rest;
        if ((rest = after_word(line, "BEGIN")) != NULL) {
            wall = clock_read(CLOCK_MONOTONIC);
            cpu = clock_read(c->cpu_clock);
        } else if ((rest = after_word(line, "END")) != NULL &&
                   sscanf(rest, "%63s %" SCNx64 " %" SCNd64, name, &r.sum, &cpu_us) == 3 &&
                   strcmp(name, w->name) == 0) {
            r.wall = clock_read(CLOCK_MONOTONIC) - wall;
            r.cpu = is_native(c) ? cpu_us * 1000 : clock_read(c->cpu_clock) - cpu;
            over = wall != 0;
        } else if ((rest = after_word(line, "DONE")) != NULL) {
            r.status = over && strstr(rest, " 0") != NULL ? "ok" : "failed";
            return r;
        } else if (after_word(line, "FAIL") != NULL) {
            fprintf(stderr, "bench: %s: %s\n", c->name, line);
        }
    }
    r.status = ended ? "died" : "timeout";
    return r;
}

static uint32_t scaled(const struct workload *w, double scale)
{
    double n = w->n * scale;
    return n < 1 ? 1 : (uint32_t)(n + 0.5);
}

// What the native program computes for that much work.
static uint64_t expected(struct driver *d, const struct workload *w, uint32_t n)
{
    for (size_t i = 0; i < d->reference_count; i++) {
        if (d->references[i].workload == w && d->references[i].n == n)
            return d->references[i].sum;
    }
    struct result r = measure(d, &d->contestants[0], w, n);
    if (strcmp(r.status, "ok") != 0)
        die("the native run of %s %u: %s", w->name, n, r.status);
    if (d->reference_count < MAX_REFERENCES)
        d->references[d->reference_count++] = (struct reference){w, n, r.sum};
    return r.sum;
}

static void run_one(struct driver *d, struct contestant *c, const struct workload *w)
{
    uint32_t n = scaled(w, c->scale);
    uint64_t wanted = expected(d, w, n);
    struct result r = measure(d, c, w, n);
    if (strcmp(r.status, "ok") == 0 && r.sum != wanted)
        r.status = "mismatch";
    if (strcmp(r.status, "ok") != 0) {
        fprintf(stderr, "bench: %s: %s %u: %s (%016" PRIx64 ", native %016" PRIx64 ")\n", c->name,
                w->name, n, r.status, r.sum, wanted);
        if (strcmp(c->kind, "peer") != 0)
            d->failed = true;
    }
    fprintf(d->records, "run\t%s\t%s\t%s\t%u\t%u\t%" PRId64 "\t%" PRId64 "\t%016" PRIx64 "\t%s\n",
            c->name, w->name, w->group, w->n, n, r.wall / 1000, r.cpu / 1000, r.sum, r.status);
    fflush(d->records);
    if (strcmp(r.status, "ok") != 0 && strcmp(r.status, "mismatch") != 0 &&
        strcmp(r.status, "failed") != 0) {
        contestant_stop(c);
        if (c->restarts++ < 3)
            contestant_boot(d, c);
        else
            c->absent = true;
    }
}

static void plan_read(struct driver *d, const char *path)
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    if (f == NULL)
        die("%s: %s", path, strerror(errno));
    while (getline(&line, &room, f) > 0) {
        char *words[6] = {NULL}, *rest = line;
        int count = 0;
        line[strcspn(line, "\n")] = '\0';
        while (count < 6 && (words[count] = strsep(&rest, "\t")) != NULL)
            count++;
        if (count == 6 && strcmp(words[0], "contestant") == 0 &&
            d->contestant_count < MAX_CONTESTANTS) {
            d->contestants[d->contestant_count++] =
                (struct contestant){.name = strdup(words[1]),
                                    .kind = strdup(words[2]),
                                    .scale = strtod(words[3], NULL),
                                    .prepare = strdup(words[4]),
                                    .command = strdup(words[5])};
        } else if (count == 4 && strcmp(words[0], "workload") == 0 &&
                   d->workload_count < MAX_WORKLOADS) {
            d->workloads[d->workload_count++] = (struct workload){
                strdup(words[1]), strdup(words[2]), (uint32_t)strtoul(words[3], NULL, 10)};
        } else if (count == 4 && strcmp(words[0], "monitor") == 0 && d->contestant_count > 0 &&
                   strcmp(words[1], d->contestants[d->contestant_count - 1].name) == 0) {
            d->contestants[d->contestant_count - 1].monitor_socket = strdup(words[2]);
            d->contestants[d->contestant_count - 1].monitor_command = strdup(words[3]);
        } else {
            die("%s: cannot use the line '%s'", path, words[0]);
        }
    }
    free(line);
    fclose(f);
    if (d->contestant_count == 0 || !is_native(&d->contestants[0]))
        die("%s: the first contestant must be the native one", path);
}

static void boot_all(struct driver *d)
{
    for (unsigned boot = 0; boot < d->boots; boot++) {
        for (size_t i = 0; i < d->contestant_count; i++) {
            struct contestant *c = &d->contestants[i];
            if (c->absent || (is_native(c) && boot > 0))
                continue;
            contestant_stop(c);
            fprintf(stderr, "bench: starting %s (%u of %u)\n", c->name, boot + 1,
                    is_native(c) ? 1 : d->boots);
            contestant_boot(d, c);
            // One at a time while boots are measured; the last boot stays.
            if (boot + 1 < d->boots && !is_native(c))
                contestant_stop(c);
        }
    }
}

static void driver_free(struct driver *d)
{
    for (size_t i = 0; i < d->contestant_count; i++) {
        struct contestant *c = &d->contestants[i];
        contestant_stop(c);
        free(c->name);
        free(c->kind);
        free(c->prepare);
        free(c->command);
        free(c->monitor_socket);
        free(c->monitor_command);
    }
    for (size_t i = 0; i < d->workload_count; i++) {
        free(d->workloads[i].name);
        free(d->workloads[i].group);
    }
    free(d);
}

int main(int argc, char **argv)
{
    struct driver *d = calloc(1, sizeof *d);
    int option;
    if (d == NULL)
        die("no memory");
    d->rounds = 3, d->boots = 1, d->timeout = 120, d->boot_timeout = 600, d->memory = 256;
    while ((option = getopt(argc, argv, "r:b:t:T:m:")) != -1) {
        unsigned *value = option == 'r'   ? &d->rounds
                          : option == 'b' ? &d->boots
                          : option == 't' ? &d->timeout
                          : option == 'T' ? &d->boot_timeout
                          : option == 'm' ? &d->memory
                                          : NULL;
        if (value == NULL)
            return 2;
        *value = (unsigned)strtoul(optarg, NULL, 10);
    }
    if (argc - optind != 2)
        die("usage: driver [-r ROUNDS] [-b BOOTS] [-t SECONDS] [-T SECONDS] [-m MIB] PLAN RECORDS");
    signal(SIGPIPE, SIG_IGN);
    plan_read(d, argv[optind]);
    d->records = fopen(argv[optind + 1], "w");
    if (d->records == NULL)
        die("%s: %s", argv[optind + 1], strerror(errno));
    for (size_t i = 0; i < d->contestant_count; i++) {
        const struct contestant *c = &d->contestants[i];
        fprintf(d->records, "contestant\t%s\t%s\t%g\n", c->name, c->kind, c->scale);
    }
    if (d->boots == 0)
        d->boots = 1;
    boot_all(d);
    for (unsigned round = 0; round < d->rounds; round++) {
        for (size_t w = 0; w < d->workload_count; w++) {
            fprintf(stderr, "bench: round %u of %u: %s\n", round + 1, d->rounds,
                    d->workloads[w].name);
            for (size_t i = 0; i < d->contestant_count; i++) {
                struct contestant *c = &d->contestants[(i + round) % d->contestant_count];
                if (!c->absent)
                    run_one(d, c, &d->workloads[w]);
            }
        }
    }
    bool failed = d->failed;
    fclose(d->records);
    driver_free(d);
    return failed;
}
