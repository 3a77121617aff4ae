// SPDX-License-Identifier: MIT
// file_monitor: finds and reads the open files of a task in guest kernel memory. Recognised by
// shape: a files_struct holds its first table of 32 descriptors inside itself, a dentry holds short
// names inside itself behind their length, a mount's mountpoint and parent lie just before it, and
// the position of a file is what a read moves by the bytes read.
#include "files.h"

#include <stdio.h>
#include <string.h>

enum {
    TASK_SPAN = 0x1000,
    FILES_SPAN = 0x80,
    INSIDE = 0x300,
    DENTRY_SPAN = 0x80,
    FILE_SPAN = 0x60,
    DEFAULT_FDS = 32,
    MAX_DEPTH = 64,
    NAME_SIZE = 256
};

static uint32_t get32(const struct file_layout *l, uint32_t at)
{
    uint32_t v = 0;
    return l->processes->read_kernel(at, &v, 4) ? v : 0;
}

static bool is_pointer(const struct file_layout *l, uint32_t p)
{
    uint32_t probe;
    return p >= 0x40000000 && (p & 3) == 0 && l->processes->read_kernel(p, &probe, 4);
}

// files_struct at p: its fdt points to the table inside it, whose arrays are inside too.
static bool is_files(const struct file_layout *l, uint32_t p, uint32_t *fdt_offset)
{
    if (!is_pointer(l, p))
        return false;
    for (uint32_t o = 4; o < FILES_SPAN; o += 4) {
        uint32_t fdt = get32(l, p + o);
        if (fdt <= p + o || fdt >= p + INSIDE || (fdt & 3))
            continue;
        uint32_t fd = get32(l, fdt + 4), cloexec = get32(l, fdt + 8), open = get32(l, fdt + 12);
        if (get32(l, fdt) == DEFAULT_FDS && fd > fdt && fd < p + INSIDE && cloexec > fdt &&
            cloexec < p + INSIDE && open > fdt && open < p + INSIDE) {
            *fdt_offset = o;
            return true;
        }
    }
    return false;
}

struct search {
    struct file_layout *l;
    uint32_t votes[TASK_SPAN / 4];
    uint32_t fdt;
};

static bool vote(void *opaque, const struct process_info *info)
{
    struct search *s = opaque;
    for (uint32_t o = 0; info->mm && o < TASK_SPAN; o += 4) {
        uint32_t fdt, p = get32(s->l, info->task + o);
        if (p != info->task && is_files(s->l, p, &fdt)) {
            s->votes[o / 4]++;
            s->fdt = fdt;
        }
    }
    return true;
}

static bool find_files(struct file_layout *l)
{
    struct search s = {.l = l};
    l->processes->for_each(false, vote, &s);
    uint32_t best = 0;
    for (uint32_t i = 1; i < TASK_SPAN / 4; i++)
        if (s.votes[i] > s.votes[best])
            best = i;
    if (s.votes[best] == 0)
        return false;
    l->files = best * 4;
    l->fdt = s.fdt;
    return true;
}

// A short name: the pointer leads into the dentry, the word before it is the length.
static bool is_dentry(const struct file_layout *l, uint32_t p, uint32_t *name_offset)
{
    if (!is_pointer(l, p))
        return false;
    for (uint32_t o = 12; o < DENTRY_SPAN; o += 4) {
        char name[NAME_SIZE];
        uint32_t at = get32(l, p + o), length = get32(l, p + o - 4);
        if (at <= p + o || at > p + o + 32 || length == 0 || length > 35 ||
            !l->processes->read_kernel(at, name, length + 1) || name[length] != '\0' ||
            strlen(name) != length || !is_pointer(l, get32(l, p + o - 12)))
            continue;
        *name_offset = o;
        return true;
    }
    return false;
}

static bool find_dentry_in(struct file_layout *l, uint32_t file)
{
    for (uint32_t o = 4; o < FILE_SPAN; o += 4) {
        uint32_t name, root_name, mount = get32(l, file + o - 4);
        if (is_dentry(l, get32(l, file + o), &name) && is_pointer(l, mount) &&
            is_dentry(l, get32(l, mount), &root_name) && root_name == name) {
            l->dentry = o;
            l->name = name;
            return true;
        }
    }
    return false;
}

static uint32_t table_of(const struct file_layout *l, uint32_t task)
{
    uint32_t files = get32(l, task + l->files);
    return files ? get32(l, files + l->fdt) : 0;
}

static bool try_task(void *opaque, const struct process_info *info)
{
    struct file_layout *l = opaque;
    uint32_t fdt = info->mm ? table_of(l, info->task) : 0;
    uint32_t array = fdt ? get32(l, fdt + 4) : 0;
    for (uint32_t fd = 0; array && fd < DEFAULT_FDS; fd++) {
        uint32_t file = get32(l, array + fd * 4);
        if (file && find_dentry_in(l, file))
            return false;
    }
    return true;
}

bool files_ready(struct file_layout *l)
{
    enum { SHARE = 8 };
    if (l->dentry)
        return true;
    if (!l->processes->ready() || !pace_begin(&l->search))
        return false;
    if (l->files || find_files(l))
        l->processes->for_each(false, try_task, l);
    l->pos_candidates = ~0ull;
    pace_end(&l->search, SHARE);
    return l->dentry != 0;
}

uint32_t files_count(struct file_layout *l, uint32_t task)
{
    uint32_t fdt = files_ready(l) ? table_of(l, task) : 0;
    uint32_t n = fdt ? get32(l, fdt) : 0;
    return n < 1u << 20 ? n : 0;
}

uint32_t files_lookup(struct file_layout *l, uint32_t task, uint32_t fd, bool *close_on_exec)
{
    uint32_t fdt = files_ready(l) ? table_of(l, task) : 0;
    if (!fdt || fd >= get32(l, fdt))
        return 0;
    if (close_on_exec)
        *close_on_exec = get32(l, get32(l, fdt + 8) + fd / 32 * 4) >> fd % 32 & 1;
    return get32(l, get32(l, fdt + 4) + fd * 4);
}

static bool dentry_name(const struct file_layout *l, uint32_t dentry, char *name)
{
    uint32_t length = get32(l, dentry + l->name - 4);
    if (length >= NAME_SIZE ||
        !l->processes->read_kernel(get32(l, dentry + l->name), name, length + 1))
        return false;
    name[length] = '\0';
    return true;
}

static uint32_t dentry_parent(const struct file_layout *l, uint32_t dentry)
{
    return get32(l, dentry + l->name - 12);
}

// Puts "/name" before what is in path.
static bool prepend(char *path, size_t size, const char *name)
{
    size_t length = strlen(path), more = strlen(name) + 1;
    if (length + more + 1 > size)
        return false;
    memmove(path + more, path, length + 1);
    path[0] = '/';
    memcpy(path + 1, name, more - 1);
    return true;
}

static void pseudo_name(const char *name, uint32_t inode, char *path, size_t size)
{
    if (!*name)
        snprintf(path, size, "pipe:[%x]", inode);
    else if (*name == '[')
        snprintf(path, size, "anon_inode:%s", name);
    else if (strncmp(name, "memfd:", 6) == 0)
        snprintf(path, size, "/%s", name);
    else
        snprintf(path, size, "socket:%s[%x]", name, inode);
}

bool files_name(struct file_layout *l, uint32_t file, char *path, size_t size)
{
    char name[NAME_SIZE];
    if (!files_ready(l) || !file)
        return false;
    uint32_t mount = get32(l, file + l->dentry - 4), dentry = get32(l, file + l->dentry);
    uint32_t parent = dentry_parent(l, dentry);
    path[0] = '\0';
    if (parent == dentry && get32(l, mount) != dentry) {
        if (!dentry_name(l, dentry, name))
            return false;
        pseudo_name(name, get32(l, file + l->dentry + 4), path, size);
        return true;
    }
    for (unsigned depth = 0; depth < MAX_DEPTH; depth++) {
        parent = dentry_parent(l, dentry);
        if (get32(l, mount) == dentry || parent == dentry) { // the root of a file system
            uint32_t above = get32(l, mount - 8);
            if (above == mount - 16 || !is_pointer(l, above))
                break;
            dentry = get32(l, mount - 4);
            mount = above + 16;
            continue;
        }
        if (!dentry_name(l, dentry, name) || !prepend(path, size, name))
            return false;
        dentry = parent;
    }
    if (!path[0])
        snprintf(path, size, "/");
    return true;
}

// ---- Positions

bool files_snapshot(const struct file_layout *l, uint32_t file, uint32_t *words)
{
    return l->processes->read_kernel(file, words, FILE_WORDS * 4);
}

void files_learn_position(struct file_layout *l, uint32_t file, const uint32_t *before,
                          uint32_t moved)
{
    uint32_t now[FILE_WORDS];
    uint64_t candidates = 0;
    if (l->pos || moved < 2 || !files_snapshot(l, file, now))
        return;
    for (unsigned i = 0; i < FILE_WORDS; i++)
        if (now[i] - before[i] == moved)
            candidates |= 1ull << i;
    // A file without a position moves nothing.
    if (!(candidates & l->pos_candidates))
        return;
    l->pos_candidates &= candidates;
    if ((l->pos_candidates & (l->pos_candidates - 1)) == 0)
        l->pos = (uint32_t)__builtin_ctzll(l->pos_candidates) * 4;
}

int64_t files_position(const struct file_layout *l, uint32_t file)
{
    int64_t at;
    return l->pos && l->processes->read_kernel(file + l->pos, &at, 8) ? at : -1;
}
