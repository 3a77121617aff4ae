/* SPDX-License-Identifier: MIT */
/* file_monitor: open files as the guest kernel keeps them. */
#ifndef FILES_H
#define FILES_H

#include "../processes/processes.h"
#include "common/pace.h"

struct file_layout {
    const struct processes_functions *processes;
    struct pace search;
    uint32_t files;  /* in task_struct, 0: not found yet */
    uint32_t fdt;    /* in files_struct */
    uint32_t dentry; /* in struct file, 0: not found yet; the mount lies before, the inode behind */
    uint32_t name;   /* in struct dentry: pointer to the name */
    uint32_t pos;    /* in struct file, 0: not found yet */
    uint64_t pos_candidates; /* a bit for each word of struct file */
};

enum { FILE_WORDS = 48 };

/* False: not known (yet). */
bool files_ready(struct file_layout *l);
/* Address of the struct file behind a descriptor; 0: not open. */
uint32_t files_lookup(struct file_layout *l, uint32_t task, uint32_t fd, bool *close_on_exec);
uint32_t files_count(struct file_layout *l, uint32_t task); /* size of the table */
bool files_name(struct file_layout *l, uint32_t file, char *name, size_t size);
int64_t files_position(const struct file_layout *l, uint32_t file); /* -1: not known */
/* Words of a struct file before a read of `moved` bytes: what moved so far is the position. */
void files_learn_position(struct file_layout *l, uint32_t file, const uint32_t *before,
                          uint32_t moved);
bool files_snapshot(const struct file_layout *l, uint32_t file, uint32_t *words);

#endif
