// SPDX-License-Identifier: MIT
// api_monitor_linux: ELF exports out of guest memory, as far as its pages are present, and the
// modules of processes. System V ABI, chapters 4 and 5: headers, dynamic section, symbol table.
#include "modules.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

enum { RUN = 256, MAX_HEADERS = 64, MAX_DYNAMIC = 128, NAME_SIZE = 256, MAX_TRIES = 4000 };

struct image *image_for(struct image **list, const char *path)
{
    for (struct image *i = *list; i; i = i->next)
        if (strcmp(i->path, path) == 0)
            return i;
    struct image *i = calloc(1, sizeof *i);
    if (!i || !(i->path = strdup(path))) {
        free(i);
        return NULL;
    }
    const char *slash = strrchr(i->path, '/');
    i->file = slash ? slash + 1 : i->path;
    i->next = *list;
    *list = i;
    return i;
}

static struct function **bucket_of(const struct image *image, uint32_t offset)
{
    return (struct function **)&image->functions[offset * 2654435761u >> 22];
}

struct function *image_find(const struct image *image, uint32_t offset)
{
    struct function *f = *bucket_of(image, offset);
    while (f && f->offset != offset)
        f = f->next;
    return f;
}

// Of several names the one without underscores is the one that programs use, and weak ones are
// there for compatibility (index for strchr).
static bool better_name(const char *a, bool weak, const struct function *f)
{
    if ((a[0] == '_') != (f->name[0] == '_'))
        return a[0] != '_';
    return weak != f->weak ? !weak : strcmp(a, f->name) < 0;
}

bool image_add(struct image *image, uint32_t offset, const char *name, bool weak)
{
    struct function *f = image_find(image, offset);
    if (f) {
        char *copy = better_name(name, weak, f) ? strdup(name) : NULL;
        if (copy) {
            free((char *)f->name);
            f->name = copy;
            f->weak = weak;
            f->signal = NULL;
        }
        return false;
    }
    f = calloc(1, sizeof *f);
    char *copy = f ? strdup(name) : NULL;
    if (!copy) {
        free(f);
        return false;
    }
    f->offset = offset;
    f->name = copy;
    f->weak = weak;
    f->image = image;
    f->next = *bucket_of(image, offset);
    *bucket_of(image, offset) = f;
    image->count++;
    return true;
}

void images_free(struct image *list)
{
    while (list) {
        struct image *image = list;
        list = image->next;
        for (unsigned b = 0; b < FUNCTION_BUCKETS; b++)
            while (image->functions[b]) {
                struct function *f = image->functions[b];
                image->functions[b] = f->next;
                free((char *)f->name);
                free(f);
            }
        free(image->path);
        free(image);
    }
}

// The dynamic linker may have added the load address to the table's pointers already.
static uint32_t relative(uint32_t value, uint32_t bias, uint32_t start)
{
    return bias && value >= start ? value - start : value + bias - start;
}

static bool parse_header(struct image *image, uint32_t start, CPUArchState *cpu)
{
    Elf32_Ehdr e;
    Elf32_Phdr p;
    Elf32_Dyn d;
    uint32_t dynamic = 0, symbols = 0, strings = 0;
    bool loaded = false;
    if (cpu_read_memory(cpu, start, &e, sizeof e) < sizeof e)
        return false;
    if (memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 || e.e_ident[EI_CLASS] != ELFCLASS32 ||
        e.e_phentsize != sizeof p) {
        image->complete = true;
        return false;
    }
    for (unsigned i = 0; i < e.e_phnum && i < MAX_HEADERS; i++) {
        if (cpu_read_memory(cpu, start + e.e_phoff + i * (uint32_t)sizeof p, &p, sizeof p) <
            sizeof p)
            return false;
        if (p.p_type == PT_LOAD && !loaded) {
            image->first = p.p_vaddr & ~0xFFFu;
            loaded = true;
        } else if (p.p_type == PT_DYNAMIC) {
            dynamic = p.p_vaddr;
        }
    }
    if (!dynamic) { // a static program exports nothing
        image->complete = true;
        return false;
    }
    uint32_t bias = start - image->first;
    for (unsigned i = 0; i < MAX_DYNAMIC; i++) {
        if (cpu_read_memory(cpu, dynamic + bias + i * (uint32_t)sizeof d, &d, sizeof d) < sizeof d)
            return false;
        if (d.d_tag == DT_NULL)
            break;
        if (d.d_tag == DT_SYMTAB)
            symbols = relative(d.d_un.d_ptr, bias, start);
        else if (d.d_tag == DT_STRTAB)
            strings = relative(d.d_un.d_ptr, bias, start);
    }
    // Linkers put the strings behind the symbols, which tells how many there are.
    if (symbols == 0 || strings <= symbols ||
        (strings - symbols) / sizeof(Elf32_Sym) > SYMBOL_PAGES * RUN) {
        image->complete = true;
        return false;
    }
    image->symbols = symbols;
    image->strings = strings;
    image->symbol_count = (strings - symbols) / (uint32_t)sizeof(Elf32_Sym);
    image->header_known = true;
    return true;
}

static bool parse_run(struct image *image, uint32_t start, uint32_t run, CPUArchState *cpu,
                      bool *new)
{
    Elf32_Sym s[RUN];
    uint32_t first = run * RUN, n = image->symbol_count - first;
    if (n > RUN)
        n = RUN;
    if (cpu_read_memory(cpu, start + image->symbols + first * (uint32_t)sizeof *s, s,
                        n * sizeof *s) < n * sizeof *s)
        return false;
    bool all = true;
    for (uint32_t i = 0; i < n; i++) {
        char name[NAME_SIZE];
        bool resolver = ELF32_ST_TYPE(s[i].st_info) == STT_GNU_IFUNC;
        if ((!resolver && ELF32_ST_TYPE(s[i].st_info) != STT_FUNC) || s[i].st_shndx == SHN_UNDEF ||
            ELF32_ST_BIND(s[i].st_info) == STB_LOCAL)
            continue;
        uint8_t probe;
        uint32_t at = start + image->strings + s[i].st_name;
        size_t length = cpu_read_string(cpu, at, name, sizeof name);
        if (length == 0 || cpu_read_memory(cpu, at + (uint32_t)length, &probe, 1) < 1) {
            all = false;
            continue;
        }
        *new |= image_add(image, s[i].st_value - image->first, name,
                          ELF32_ST_BIND(s[i].st_info) == STB_WEAK);
        struct function *f = resolver ? image_find(image, s[i].st_value - image->first) : NULL;
        if (f)
            f->resolver = true;
    }
    return all;
}

bool image_parse(struct image *image, uint32_t start, CPUArchState *cpu)
{
    bool new = false, all = true;
    if (image->complete)
        return false;
    if (++image->tries > MAX_TRIES)
        image->complete = true;
    if (!image->header_known && !parse_header(image, start, cpu))
        return false;
    for (uint32_t run = 0; run * RUN < image->symbol_count; run++) {
        if (!image->done[run])
            image->done[run] = parse_run(image, start, run, cpu, &new);
        all = all && image->done[run];
    }
    image->complete |= all;
    return new;
}

// ---- Processes

struct process *process_for(struct process **list, uint32_t pid, bool create)
{
    struct process *p = *list;
    while (p && p->pid != pid)
        p = p->next;
    if (!p && create && (p = calloc(1, sizeof *p)) != NULL) {
        p->pid = pid;
        p->next = *list;
        *list = p;
    }
    return p;
}

void process_clear(struct process *p)
{
    while (p->modules) {
        struct module *m = p->modules;
        p->modules = m->next;
        free(m);
    }
    p->incomplete = false;
}

void process_drop(struct process **list, uint32_t pid)
{
    for (struct process **at = list; *at; at = &(*at)->next)
        if ((*at)->pid == pid) {
            struct process *p = *at;
            *at = p->next;
            process_clear(p);
            free(p);
            return;
        }
}

struct module *process_add(struct process *p, struct image *image, uint32_t start, uint32_t end)
{
    struct module *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->image = image;
    m->start = start;
    m->end = end;
    m->next = p->modules;
    p->modules = m;
    p->incomplete |= !image->complete;
    return m;
}

struct module *process_find(const struct process *p, uint32_t address)
{
    struct module *m = p->modules;
    while (m && !(address >= m->start && address < m->end))
        m = m->next;
    return m;
}

void process_remove(struct process *p, uint32_t start, uint32_t end)
{
    for (struct module **at = &p->modules; *at;) {
        struct module *m = *at;
        if (m->start >= start && m->start < end) {
            *at = m->next;
            free(m);
        } else {
            at = &m->next;
        }
    }
}

void process_copy(struct process *to, const struct process *from)
{
    process_clear(to);
    for (const struct module *m = from->modules; m; m = m->next) {
        struct module *copy = process_add(to, m->image, m->start, m->end);
        if (copy)
            copy->main = m->main;
    }
}
