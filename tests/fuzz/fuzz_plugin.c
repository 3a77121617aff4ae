// SPDX-License-Identifier: MIT
// Damaged plugin files. The input's first byte chooses: a plugin of this build with patches
// (position, bytes), or the whole file. The check of the format always sees it; what passes goes
// through the loader, whose child process must bear what is left, as far as opening and reading the
// plugin's description. Left out: what damaged code does when it is called.
#include "fuzz.h"

#include <dlfcn.h>
#include <elf.h>
#include <pthread.h>
#include <stdlib.h>

#include "plugin/host_internal.h"

#define MAX_PATCHES 16u

struct seed_file {
    uint8_t *data;
    size_t size;
};

static struct seed_file read_plugin(const char *name)
{
    struct seed_file file = {0};
    char *path = xasprintf(PLUGIN_DIR "/plugin-%s-i386.plugin", name);
    FILE *stream = fopen(path, "rb");
    FUZZ_CHECK(stream != NULL);
    fseek(stream, 0, SEEK_END);
    file.size = (size_t)ftell(stream);
    rewind(stream);
    file.data = xcalloc(1, file.size);
    FUZZ_CHECK(fread(file.data, 1, file.size, stream) == file.size);
    fclose(stream);
    free(path);
    return file;
}

// Code stays as it was built: a constructor that is damaged runs in this process, too.
static bool is_code(const struct seed_file *file, size_t at)
{
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    memcpy(&header, file->data, sizeof header);
    for (unsigned i = 0; i < header.e_phnum; i++) {
        memcpy(&segment, file->data + header.e_phoff + i * sizeof segment, sizeof segment);
        if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) && at >= segment.p_offset &&
            at - segment.p_offset < segment.p_filesz)
            return true;
    }
    return false;
}

// Where patches go: the headers, the dynamic section, and anywhere.
static size_t patch_position(const struct seed_file *file, uint8_t select, uint32_t value)
{
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    memcpy(&header, file->data, sizeof header);
    if ((select & 3) == 0)
        return value % (sizeof header + header.e_phnum * sizeof segment);
    for (unsigned i = 0; i < header.e_phnum; i++) {
        memcpy(&segment, file->data + header.e_phoff + i * sizeof segment, sizeof segment);
        if ((select & 3) == 1 && segment.p_type == PT_DYNAMIC)
            return segment.p_offset + value % segment.p_filesz;
        // Symbols, strings and relocations are in the first one.
        if ((select & 3) == 2 && segment.p_type == PT_LOAD)
            return segment.p_offset + value % segment.p_filesz;
    }
    return value % file->size;
}

static void patch(const struct seed_file *seed, uint8_t *data, struct fuzz_input *in)
{
    uint8_t select = fuzz_u8(in);
    size_t at = patch_position(seed, select, fuzz_u32(in)), got;
    if (select & 4)
        at &= ~(size_t)7;
    const uint8_t *bytes = fuzz_bytes(in, 1 + (select >> 3 & 15), &got);
    for (size_t i = 0; i < got && at + i < seed->size; i++)
        if (!is_code(seed, at + i))
            data[at + i] = bytes[i];
}

static void load(const char *path)
{
    struct plugin_host host = {0};
    const struct pi_info *info;
    void *handle;
    struct error err = {""};
    uint64_t hash = 0;
    if (!elf_check_file(path, &hash, &err)) {
        FUZZ_CHECK(err.text[0] && !strchr(err.text, '\n'));
        return;
    }
    if (loader_open(&host, path, &handle, &info, &err)) {
        uintptr_t first, last;
        loader_bounds(handle, &first, &last);
        FUZZ_CHECK(first <= last);
        dlclose(handle);
    } else {
        FUZZ_CHECK(err.text[0] && !strchr(err.text, '\n'));
    }
    free(host.proven);
}

// A report of the child process is an answer, not a finding: no input is kept for it.
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));
static void in_child(void)
{
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(NULL);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return pthread_atfork(NULL, NULL, in_child);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct seed_file seeds[2];
    if (!seeds[0].data) {
        seeds[0] = read_plugin("example1");
        seeds[1] = read_plugin("contexts");
    }
    struct fuzz_input in = {data, size, 0};
    uint8_t select = fuzz_u8(&in);
    struct fuzz_file file;
    if (select & 0x80) {
        // Whatever these bytes are, only their format is looked at: they may be code.
        file = fuzz_file_make(data + in.at, fuzz_left(&in));
        uint64_t hash;
        struct error err = {""};
        elf_check_file(file.path, &hash, &err);
        fuzz_file_free(&file);
        return 0;
    }
    const struct seed_file *seed = &seeds[select & 1];
    size_t length = select & 2 ? fuzz_u32(&in) % (seed->size + 1) : seed->size;
    uint8_t *copy = xcalloc(1, seed->size);
    memcpy(copy, seed->data, seed->size);
    for (unsigned i = 0; i < MAX_PATCHES && fuzz_left(&in) > 0; i++)
        patch(seed, copy, &in);
    file = fuzz_file_make(copy, length);
    load(file.path);
    fuzz_file_free(&file);
    free(copy);
    return 0;
}
