/* SPDX-License-Identifier: MIT */
/* api_monitor_linux: images (files) with their exported functions, and where processes map them. */
#ifndef MODULES_H
#define MODULES_H

#include "../processes/processes.h"

struct function {
    struct function *next; /* of its bucket */
    bool weak;             /* the name is a weak alias */
    bool resolver; /* STT_GNU_IFUNC: what it returns is the address of the function of that name */
    uint32_t offset; /* from the load address */
    const char *name;
    SignalHandle *signal; /* of "module!function" */
    struct image *image;
};

/* A place behind a CALL. armed: returns that are expected there. */
struct site {
    struct site *next;
    struct image *image; /* NULL: offset is a linear address */
    uint32_t offset;
    uint64_t armed;
    bool attached, retried;
};

enum { FUNCTION_BUCKETS = 1024, SYMBOL_PAGES = 512 };

struct image {
    struct image *next;
    char *path;
    const char *file; /* in path */
    struct function *functions[FUNCTION_BUCKETS];
    unsigned count;
    bool header_known, complete;
    unsigned tries;
    uint32_t first;                          /* linear address of the first segment as linked */
    uint32_t symbols, strings, symbol_count; /* as offsets from the load address */
    uint8_t done[SYMBOL_PAGES];              /* runs of 256 symbols that were read */
};

struct module {
    struct module *next;
    struct image *image;
    uint32_t start, end;
    bool main;
};

struct process {
    struct process *next;
    uint32_t pid;
    struct module *modules;
    bool incomplete;
};

struct image *image_for(struct image **list, const char *path);
/* Reads what is readable of the image mapped at `start`. True: new functions were found. */
bool image_parse(struct image *image, uint32_t start, CPUArchState *cpu);
/* Says that the function is at this offset too. True: that is new. */
bool image_add(struct image *image, uint32_t offset, const char *name, bool weak);
struct function *image_find(const struct image *image, uint32_t offset);
void images_free(struct image *list);

struct process *process_for(struct process **list, uint32_t pid, bool create);
void process_clear(struct process *p);
void process_drop(struct process **list, uint32_t pid);
struct module *process_add(struct process *p, struct image *image, uint32_t start, uint32_t end);
struct module *process_find(const struct process *p, uint32_t address);
void process_remove(struct process *p, uint32_t start, uint32_t end);
void process_copy(struct process *to, const struct process *from);

#endif
