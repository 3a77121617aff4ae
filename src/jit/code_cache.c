// SPDX-License-Identifier: MIT
// The two mappings of the code cache.
#define _GNU_SOURCE
#include "jit/code_cache.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

bool code_cache_create(struct code_cache *cache, size_t size, struct error *err)
{
    *cache = (struct code_cache){.size = size};
    cache->split = size * 2 / 5 & ~(size_t)4095;
    cache->cold = cache->split;
    int fd = memfd_create("emu-code", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)size) != 0) {
        if (fd >= 0)
            close(fd);
        return error_set(err, "the host gives no memory file for translated code (-accel interp "
                              "does without)");
    }
    cache->rw = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    cache->rx = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    close(fd);
    if (cache->rw == MAP_FAILED || cache->rx == MAP_FAILED) {
        if (cache->rw != MAP_FAILED)
            munmap(cache->rw, size);
        if (cache->rx != MAP_FAILED)
            munmap(cache->rx, size);
        cache->rw = cache->rx = NULL;
        return error_set(err,
                         "the host refuses %zu MiB for translated code: try a smaller "
                         "tb-size",
                         size >> 20);
    }
    return true;
}

void code_cache_destroy(struct code_cache *cache)
{
    if (!cache->rw)
        return;
    munmap(cache->rw, cache->size);
    munmap(cache->rx, cache->size);
    cache->rw = cache->rx = NULL;
    free(cache->sites);
    cache->sites = NULL;
    cache->site_count = cache->site_capacity = 0;
}

void code_cache_add_site(struct code_cache *cache, struct code_site site)
{
    if (cache->site_count == cache->site_capacity) {
        cache->site_capacity = cache->site_capacity ? cache->site_capacity * 2 : 1024;
        cache->sites = xrealloc(cache->sites, cache->site_capacity * sizeof *cache->sites);
    }
    cache->sites[cache->site_count++] = site;
}

void code_cache_reset(struct code_cache *cache)
{
    size_t used = code_cache_used(cache);
    if (used > cache->peak)
        cache->peak = used;
    size_t keep = (cache->fixed + 4095) & ~(size_t)4095;
    madvise(cache->rw + keep, cache->size - keep, MADV_REMOVE);
    cache->hot = cache->fixed;
    cache->cold = cache->split;
    cache->site_count = 0;
}
