// SPDX-License-Identifier: MIT
// Finding plugin files and opening them.
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
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
    if (host->lib_dir && scan_dir(host->lib_dir, fn, self))
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
    search->path = realpath(path, NULL);
    return search->path != NULL;
}

char *loader_find(const struct plugin_host *host, const char *name, struct error *err)
{
    if (name[0] == '.' || name[0] == '/') {
        char *absolute = realpath(name, NULL);
        if (!absolute)
            error_set(err, "plugin '%s': %s", name, strerror(errno));
        return absolute;
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

// dlopen looks at names before it looks at files, and an earlier copy may have had this number:
// each copy gets another spelling of the path, its serial number in binary ("/." is one, "/" is
// zero).
static char *unused_name(struct plugin_host *host, int fd)
{
    for (;;) {
        char spelling[2 * 32 + 1], *at = spelling;
        for (uint32_t serial = host->copies++; serial; serial >>= 1)
            at = stpcpy(at, serial & 1 ? "/." : "/");
        *at = '\0';
        char *name = xasprintf("/proc/self%s/fd/%d", spelling, fd);
        void *other = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
        if (!other)
            return name;
        dlclose(other); // another machine's
        free(name);
    }
}

// An object that is still mapped (a plugin that crashed, or C++ code that cannot be unmapped) would
// be given back by dlopen as it is: a copy of the file is a new object.
static void *open_copy(struct plugin_host *host, const char *path)
{
    int from = open(path, O_RDONLY | O_CLOEXEC);
    int to = memfd_create("plugin", MFD_CLOEXEC);
    struct stat st;
    void *handle = NULL;
    if (from >= 0 && to >= 0 && fstat(from, &st) == 0 &&
        sendfile(to, from, NULL, (size_t)st.st_size) == st.st_size) {
        char *name = unused_name(host, to);
        handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
        free(name);
    }
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    return handle;
}

static void *open_object(struct plugin_host *host, const char *path)
{
    void *mapped = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    if (!mapped)
        return dlopen(path, RTLD_NOW | RTLD_LOCAL);
    dlclose(mapped);
    return open_copy(host, path);
}

static size_t measure(const char *const *list)
{
    size_t sum = 0;
    for (; list && *list; list++)
        sum += strlen(*list);
    return sum;
}

// Everything that happens to an object besides pi_start, which runs guarded.
static void try_object(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct pi_info *info;
    if (!handle)
        return;
    if (handle_check(handle, path, &info, NULL)) {
        volatile size_t sum =
            measure(info->signals_list) + measure(info->dependencies) + measure(info->os_ver);
        (void)sum;
    }
    dlclose(handle);
}

// Lets a child process load the object first: damage that no check of the format finds, or a
// constructor that crashes, ends the child and not the emulator.
static bool child_survives(const char *path)
{
    pid_t child = fork();
    if (child < 0)
        return true;
    if (child == 0) {
        static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGALRM};
        for (unsigned i = 0; i < ARRAY_SIZE(signals); i++)
            signal(signals[i], SIG_DFL);
        int null = open("/dev/null", O_RDWR);
        if (null >= 0) {
            dup2(null, STDOUT_FILENO);
            dup2(null, STDERR_FILENO);
        }
        alarm(10);
        try_object(path);
        _exit(0);
    }
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return true;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool prove(struct plugin_host *host, const char *path, struct error *err)
{
    uint64_t hash;
    if (!elf_check_file(path, &hash, err))
        return false;
    for (size_t i = 0; i < host->proven_count; i++)
        if (host->proven[i] == hash)
            return true;
    if (!child_survives(path))
        return error_set(
            err, "plugin '%s' crashes the dynamic linker: it is damaged; build it again", path);
    host->proven = xrealloc(host->proven, (host->proven_count + 1) * sizeof *host->proven);
    host->proven[host->proven_count++] = hash;
    return true;
}

bool loader_open(struct plugin_host *host, const char *path, void **handle,
                 const struct pi_info **info, struct error *err)
{
    if (!prove(host, path, err))
        return false;
    *handle = open_object(host, path);
    if (!*handle) {
        const char *reason = dlerror();
        return error_set(err, "plugin '%s' cannot be loaded: %s", path,
                         reason ? reason : "it cannot be read");
    }
    if (handle_check(*handle, path, info, err))
        return true;
    dlclose(*handle);
    *handle = NULL;
    return false;
}

struct bounds_search {
    const struct link_map *map;
    uintptr_t first, last;
};

static int find_bounds(struct dl_phdr_info *object, size_t size, void *self)
{
    struct bounds_search *search = self;
    if (object->dlpi_addr != search->map->l_addr)
        return 0;
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *s = &object->dlpi_phdr[i];
        uintptr_t from = object->dlpi_addr + s->p_vaddr, to = from + s->p_memsz;
        if (s->p_type != PT_LOAD || s->p_memsz == 0)
            continue;
        if (from < search->first)
            search->first = from;
        if (to - 1 > search->last)
            search->last = to - 1;
    }
    return 1;
}

void loader_bounds(void *handle, uintptr_t *first, uintptr_t *last)
{
    struct bounds_search search = {.first = UINTPTR_MAX};
    if (dlinfo(handle, RTLD_DI_LINKMAP, &search.map) == 0)
        dl_iterate_phdr(find_bounds, &search);
    *first = search.first;
    *last = search.last;
}

struct provider_search {
    struct plugin_host *host;
    const char *group;
    char *name;
    bool fits;
};

// Several plugins may provide a group, each for its guest system: the first that fits, or else the
// first of all, which then says what it is for.
static bool match_provider(void *self, const char *path, const char *name)
{
    struct provider_search *search = self;
    void *handle;
    const struct pi_info *info;
    if (!loader_open(search->host, path, &handle, &info, NULL))
        return false;
    bool provides = false;
    for (const char *const *s = info->signals_list; s && *s; s++)
        provides |= strcmp(*s, search->group) == 0;
    search->fits = provides && host_system_fits(search->host, info);
    if (search->fits || (provides && !search->name)) {
        free(search->name);
        search->name = xstrdup(name);
    }
    dlclose(handle);
    return search->fits;
}

char *loader_find_provider(struct plugin_host *host, const char *group)
{
    struct provider_search search = {.host = host, .group = group};
    loader_for_each(host, match_provider, &search);
    return search.name;
}
