// SPDX-License-Identifier: MIT
// perf's two interfaces for code made at run time: tools/perf/Documentation/jit-interface.txt and
// jitdump-specification.txt of the Linux sources.
#define _GNU_SOURCE
#include "jit/perf_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define JITDUMP_MAGIC   0x4a695444u
#define JITDUMP_VERSION 1u
#define ELF_X86_64      62u

enum { JIT_CODE_LOAD = 0, JIT_CODE_CLOSE = 3 };

struct dump_header {
    uint32_t magic, version, total_size, elf_machine, pad, pid;
    uint64_t timestamp, flags;
};

struct dump_record {
    uint32_t id, total_size;
    uint64_t timestamp;
};

struct dump_load {
    uint32_t pid, tid;
    uint64_t vma, address, size, index;
};

struct perf_log {
    FILE *map, *dump;
    void *marker; // perf finds the dump by this executable mapping of it
    size_t marker_size;
    uint64_t count;
};

static uint64_t timestamp(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static FILE *create_file(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w+");
    if (!file) {
        error_set(err, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    return file;
}

static bool open_map(struct perf_log *log, struct error *err)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
    log->map = create_file(path, err);
    if (log->map)
        setvbuf(log->map, NULL, _IOLBF, 4096);
    return log->map != NULL;
}

static bool open_dump(struct perf_log *log, struct error *err)
{
    char path[64];
    snprintf(path, sizeof path, "jit-%d.dump", (int)getpid());
    log->dump = create_file(path, err);
    if (!log->dump)
        return false;
    const struct dump_header header = {.magic = JITDUMP_MAGIC,
                                       .version = JITDUMP_VERSION,
                                       .total_size = sizeof header,
                                       .elf_machine = ELF_X86_64,
                                       .pid = (uint32_t)getpid(),
                                       .timestamp = timestamp()};
    log->marker_size = (size_t)sysconf(_SC_PAGESIZE);
    if (fwrite(&header, sizeof header, 1, log->dump) == 1 && fflush(log->dump) == 0)
        log->marker =
            mmap(NULL, log->marker_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fileno(log->dump), 0);
    if (!log->marker || log->marker == MAP_FAILED) {
        log->marker = NULL;
        return error_set(err, "%s: %s", path, strerror(errno));
    }
    return true;
}

struct perf_log *perf_log_create(bool map, bool dump, struct error *err)
{
    struct perf_log *log = xcalloc(1, sizeof *log);
    if ((map && !open_map(log, err)) || (dump && !open_dump(log, err))) {
        perf_log_destroy(log);
        return NULL;
    }
    return log;
}

void perf_log_destroy(struct perf_log *log)
{
    if (!log)
        return;
    if (log->map)
        fclose(log->map);
    if (log->dump) {
        const struct dump_record end = {
            .id = JIT_CODE_CLOSE, .total_size = sizeof end, .timestamp = timestamp()};
        fwrite(&end, sizeof end, 1, log->dump);
        fclose(log->dump);
    }
    if (log->marker)
        munmap(log->marker, log->marker_size);
    free(log);
}

static void dump_code(struct perf_log *log, const uint8_t *at, size_t size, const char *name)
{
    size_t name_size = strlen(name) + 1;
    const struct dump_load load = {.pid = (uint32_t)getpid(),
                                   .tid = (uint32_t)gettid(),
                                   .vma = (uintptr_t)at,
                                   .address = (uintptr_t)at,
                                   .size = size,
                                   .index = log->count++};
    const struct dump_record record = {
        .id = JIT_CODE_LOAD,
        .total_size = (uint32_t)(sizeof record + sizeof load + name_size + size),
        .timestamp = timestamp()};
    fwrite(&record, sizeof record, 1, log->dump);
    fwrite(&load, sizeof load, 1, log->dump);
    fwrite(name, name_size, 1, log->dump);
    fwrite(at, size, 1, log->dump);
}

void perf_log_code(struct perf_log *log, const uint8_t *at, size_t size, const char *name)
{
    if (size == 0)
        return;
    if (log->map)
        fprintf(log->map, "%llx %zx %s\n", (unsigned long long)(uintptr_t)at, size, name);
    if (log->dump)
        dump_code(log, at, size, name);
}
