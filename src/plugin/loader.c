// SPDX-License-Identifier: MIT
// Finding plugin files and opening them. A file is checked before the dynamic linker sees it,
// because a truncated object would kill the process there.
#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/host_internal.h"

#define FILE_PREFIX "plugin-"
#define FILE_SUFFIX "-i386.plugin"

#ifndef EMU_PLUGIN_DIR
#define EMU_PLUGIN_DIR "/usr/local/libexec/emu/plugins"
#endif

char *loader_name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *file = slash ? slash + 1 : path;
    size_t length = strlen(file), prefix = strlen(FILE_PREFIX), suffix = strlen(FILE_SUFFIX);
    if (length <= prefix + suffix || strncmp(file, FILE_PREFIX, prefix) != 0 ||
        strcmp(file + length - suffix, FILE_SUFFIX) != 0)
        return xstrdup(file);
    return xasprintf("%.*s", (int)(length - prefix - suffix), file + prefix);
}

// Calls fn for each plugin file of one folder, in the order of the names; true ends it.
static bool scan_dir(const char *dir, bool (*fn)(void *self, const char *path, const char *name),
                     void *self)
{
    struct dirent **entries;
    int n = scandir(dir, &entries, NULL, alphasort);
    bool done = false;
    for (int i = 0; i < n; i++) {
        const char *file = entries[i]->d_name;
        size_t length = strlen(file), suffix = strlen(FILE_SUFFIX);
        if (!done && strncmp(file, FILE_PREFIX, strlen(FILE_PREFIX)) == 0 && length > suffix &&
            strcmp(file + length - suffix, FILE_SUFFIX) == 0) {
            char *path = xasprintf("%s/%s", dir, file);
            char *name = loader_name_of(path);
            done = fn(self, path, name);
            free(name);
            free(path);
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return done;
}

void loader_for_each(const struct plugin_host *host,
                     bool (*fn)(void *self, const char *path, const char *name), void *self)
{
    const char *list = getenv("EMU_PLUGIN_PATH");
    while (list && *list) {
        size_t length = strcspn(list, ":");
        char *dir = xasprintf("%.*s", (int)length, list);
        bool done = *dir && scan_dir(dir, fn, self);
        free(dir);
        if (done)
            return;
        list += length + (list[length] == ':');
    }
    if (host->own_dir && scan_dir(host->own_dir, fn, self))
        return;
    scan_dir(EMU_PLUGIN_DIR, fn, self);
}

struct name_search {
    const char *name;
    char *path;
};

static bool match_name(void *self, const char *path, const char *name)
{
    struct name_search *search = self;
    if (strcmp(name, search->name) != 0)
        return false;
    search->path = xstrdup(path);
    return true;
}

char *loader_find(const struct plugin_host *host, const char *name, struct error *err)
{
    if (name[0] == '.' || name[0] == '/') {
        if (access(name, F_OK) == 0)
            return xstrdup(name);
        error_set(err, "plugin '%s': %s", name, strerror(errno));
        return NULL;
    }
    if (!*name || strchr(name, '/')) {
        error_set(err, "'%s' is no plugin name; a path starts with '.' or '/'", name);
        return NULL;
    }
    struct name_search search = {.name = name};
    loader_for_each(host, match_name, &search);
    if (!search.path)
        error_set(err, "plugin '%s': no " FILE_PREFIX "%s" FILE_SUFFIX " in %s or $EMU_PLUGIN_PATH",
                  name, name, host->own_dir ? host->own_dir : EMU_PLUGIN_DIR);
    return search.path;
}

// The program and section headers and every loaded segment must lie inside the file.
static bool elf_is_whole(FILE *file, uint64_t size)
{
    Elf64_Ehdr header;
    if (fread(&header, sizeof header, 1, file) != 1 ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_type != ET_DYN ||
        header.e_machine != EM_X86_64 || header.e_phentsize != sizeof(Elf64_Phdr))
        return false;
    uint64_t sections = (uint64_t)header.e_shnum * header.e_shentsize;
    if (header.e_shoff > size || sections > size - header.e_shoff || header.e_phoff > size ||
        header.e_phnum == 0 || fseek(file, (long)header.e_phoff, SEEK_SET) != 0)
        return false;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        if (fread(&segment, sizeof segment, 1, file) != 1 || segment.p_offset > size ||
            segment.p_filesz > size - segment.p_offset)
            return false;
    }
    return true;
}

static bool file_check(const char *path, struct error *err)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return error_set(err, "plugin '%s': %s", path, strerror(errno));
    struct stat st;
    bool whole = fstat(fileno(file), &st) == 0 && S_ISREG(st.st_mode) &&
                 elf_is_whole(file, (uint64_t)st.st_size);
    fclose(file);
    return whole ||
           error_set(err, "plugin '%s' is not an x86-64 shared object, or damaged; build it again",
                     path);
}

static bool handle_check(void *handle, const char *path, const struct pi_info **info,
                         struct error *err)
{
    const uint32_t *abi = dlsym(handle, "emu_plugin_abi");
    if (!abi)
        return error_set(
            err, "plugin '%s' is not an emu plugin: it was not built with <emu/plugin.h>", path);
    if (*abi != EMU_PLUGIN_ABI)
        return error_set(
            err, "plugin '%s' was built for plugin ABI %u, this emu has ABI %u; build it again",
            path, *abi, EMU_PLUGIN_ABI);
    *info = dlsym(handle, "init_info");
    if (!*info)
        return error_set(err, "plugin '%s' exports no init_info", path);
    if (!dlsym(handle, "pi_start"))
        return error_set(err, "plugin '%s' exports no pi_start", path);
    return true;
}

bool loader_open(const char *path, void **handle, const struct pi_info **info, struct error *err)
{
    if (!file_check(path, err))
        return false;
    *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!*handle) {
        const char *reason = dlerror();
        return error_set(err, "plugin '%s' cannot be loaded: %s", path,
                         reason ? reason : "unknown reason");
    }
    if (handle_check(*handle, path, info, err))
        return true;
    dlclose(*handle);
    *handle = NULL;
    return false;
}

struct provider_search {
    const char *group;
    char *name;
};

static bool match_provider(void *self, const char *path, const char *name)
{
    struct provider_search *search = self;
    void *handle;
    const struct pi_info *info;
    if (!loader_open(path, &handle, &info, NULL))
        return false;
    for (const char *const *s = info->signals_list; s && *s; s++) {
        if (strcmp(*s, search->group) == 0) {
            search->name = xstrdup(name);
            break;
        }
    }
    dlclose(handle);
    return search->name != NULL;
}

char *loader_find_provider(const struct plugin_host *host, const char *group)
{
    struct provider_search search = {.group = group};
    loader_for_each(host, match_provider, &search);
    return search.name;
}
