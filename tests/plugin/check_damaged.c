// SPDX-License-Identifier: MIT
// Damaged plugin files get one line, and nothing is loaded.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <elf.h>
#include <link.h>
#include <unistd.h>

#include "small_machine.h"

static void count_one(void *self, const struct plugin_view *view)
{
    ++*(unsigned *)self;
}

static unsigned loaded(struct small_machine *m)
{
    unsigned count = 0;
    plugin_host_for_each(m->host, count_one, &count);
    return count;
}

#define PATH_TEMPLATE "/tmp/plugin-damaged-XXXXXX"

static void make_file(char *path)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

static void write_file(const char *path, const uint8_t *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*size);
    assert_int_equal(fread(data, 1, *size, file), *size);
    fclose(file);
    return data;
}

static void refuse_damaged(struct small_machine *m, const char *path)
{
    struct error err = {"?"};
    if (plugin_host_load(m->host, path, NULL, &err)) { // the damage was harmless
        assert_int_equal(loaded(m), 1);
        plugin_host_unload_all(m->host);
        return;
    }
    assert_non_null(strstr(err.text, "plugin-damaged-"));
    assert_int_equal(loaded(m), 0);
}

// Writes the file with one change and expects that its format is refused.
static void refuse_format(struct small_machine *m, const char *path, const uint8_t *data,
                          size_t size)
{
    struct error err = {"?"};
    write_file(path, data, size);
    assert_false(plugin_host_load(m->host, path, NULL, &err));
    assert_non_null(strstr(err.text, "damaged"));
}

static Elf64_Phdr *find_header(uint8_t *data, uint32_t type)
{
    const Elf64_Ehdr *header = (const void *)data;
    Elf64_Phdr *first = (void *)(data + header->e_phoff);
    for (unsigned i = 0; i < header->e_phnum; i++)
        if (first[i].p_type == type)
            return &first[i];
    fail();
    return NULL;
}

// Tables that the check reads, and that the dynamic linker would read, elsewhere than they are.
static void test_misplaced_tables(void **state)
{
    struct small_machine *m = small_create(NULL);
    size_t size;
    uint8_t *data = read_file(MODULE_DIR "/plugin-liar-i386.plugin", &size);
    char path[] = PATH_TEMPLATE;
    make_file(path);
    Elf64_Dyn *entry = (void *)(data + find_header(data, PT_DYNAMIC)->p_offset);
    while (entry->d_tag != DT_SYMTAB)
        entry++;
    entry->d_un.d_ptr += 4;
    refuse_format(m, path, data, size);
    entry->d_un.d_ptr -= 4;
    Elf64_Phdr *stack = find_header(data, PT_GNU_STACK);
    stack->p_type = PT_PHDR;
    stack->p_vaddr = find_header(data, PT_DYNAMIC)->p_vaddr;
    refuse_format(m, path, data, size);
    stack->p_type = PT_GNU_STACK;
    find_header(data, PT_LOAD)->p_flags |= PF_W;
    refuse_format(m, path, data, size);
    find_header(data, PT_LOAD)->p_flags &= ~(uint32_t)PF_W;
    find_header(data, PT_NOTE)->p_vaddr += UINT64_C(1) << 40;
    refuse_format(m, path, data, size);
    find_header(data, PT_NOTE)->p_vaddr -= UINT64_C(1) << 40;
    find_header(data, PT_GNU_RELRO)->p_vaddr -= UINT64_C(1) << 32; // that would become read-only
    refuse_format(m, path, data, size);
    find_header(data, PT_GNU_RELRO)->p_vaddr += UINT64_C(1) << 32;
    Elf64_Phdr *third = find_header(data, PT_LOAD) + 2; // the constants: maps the headers again
    assert_int_equal(third->p_type, PT_LOAD);
    third->p_offset = 0;
    refuse_format(m, path, data, size);
    unlink(path);
    free(data);
    small_destroy(m);
}

static void test_damaged_files(void **state)
{
    struct small_machine *m = small_create(NULL);
    size_t size;
    uint8_t *good = read_file(MODULE_DIR "/plugin-liar-i386.plugin", &size);
    char path[] = PATH_TEMPLATE;
    make_file(path);
    for (size_t length = 0; length < size; length += 1 + length / 16) { // truncated
        struct error err = {"?"};
        write_file(path, good, length);
        assert_false(plugin_host_load(m->host, path, NULL, &err));
        assert_non_null(strstr(err.text, "damaged"));
    }
    uint8_t *bad = malloc(size);
    uint32_t random = 1;
    for (int i = 0; i < 300; i++) { // a run of zeros, or of noise, in the header
        memcpy(bad, good, size);
        random = random * 1103515245u + 12345u;
        size_t at = (random >> 8) % 0x40, length = 1 + (random >> 4) % 64;
        for (size_t k = at; k < at + length && k < size; k++) {
            random = random * 1103515245u + 12345u;
            bad[k] = i & 1 ? (uint8_t)(random >> 16) : 0;
        }
        write_file(path, bad, size);
        refuse_damaged(m, path);
    }
    memset(bad, 0x5a, size);
    write_file(path, bad, size);
    refuse_damaged(m, path);
    good[18] = 3; // e_machine: i386
    write_file(path, good, size);
    refuse_damaged(m, path);
    unlink(path);
    free(bad);
    free(good);
    small_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_misplaced_tables),
        cmocka_unit_test(test_damaged_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
