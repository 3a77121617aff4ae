// SPDX-License-Identifier: MIT
// The file: a header with the maker of the CPU that recorded it, then for each row its key, a bit
// for each form, and a hash for each form that has its bit set. Little-endian.
#include "vectors.h"

#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "rig.h"

#define MAGIC "emu user vectors 1\n"

_Static_assert(FORM_COUNT <= 64, "a bit for each form");

struct vectors {
    uint32_t recorded[OPCODE_COUNT][FORM_COUNT];
    uint32_t seen[3][OPCODE_COUNT][FORM_COUNT];
    uint64_t present[OPCODE_COUNT]; // recorded
    uint64_t added[OPCODE_COUNT], omitted[OPCODE_COUNT];
    bool other_maker;
};

static void cpu_maker(char maker[12])
{
    unsigned eax, ebx = 0, ecx = 0, edx = 0;
    __get_cpuid(0, &eax, &ebx, &ecx, &edx);
    memcpy(maker, &ebx, 4);
    memcpy(maker + 4, &edx, 4);
    memcpy(maker + 8, &ecx, 4);
}

struct vectors *vectors_create(void)
{
    return xcalloc(1, sizeof(struct vectors));
}

void vectors_free(struct vectors *v)
{
    free(v);
}

static unsigned find_row(uint32_t key)
{
    for (unsigned row = 0; row < OPCODE_COUNT; row++)
        if (row_key(row) == key)
            return row;
    return OPCODE_COUNT;
}

static bool load_row(struct vectors *v, FILE *file, bool *end)
{
    uint32_t key;
    uint64_t forms;
    *end = fread(&key, sizeof key, 1, file) != 1;
    if (*end)
        return true;
    unsigned row = find_row(key);
    if (fread(&forms, sizeof forms, 1, file) != 1)
        return false;
    for (unsigned form = 0; form < 64; form++) {
        uint32_t hash;
        if (!(forms >> form & 1))
            continue;
        if (fread(&hash, sizeof hash, 1, file) != 1)
            return false;
        if (row == OPCODE_COUNT || form >= FORM_COUNT)
            continue;
        v->recorded[row][form] = hash;
        v->present[row] |= UINT64_C(1) << form;
    }
    return true;
}

struct vectors *vectors_load(const char *path)
{
    char magic[sizeof MAGIC - 1], maker[12], own[12];
    struct vectors *v = vectors_create();
    FILE *file = fopen(path, "rb");
    bool ok = file && fread(magic, sizeof magic, 1, file) == 1 &&
              memcmp(magic, MAGIC, sizeof magic) == 0 && fread(maker, sizeof maker, 1, file) == 1;
    for (bool end = false; ok && !end;)
        ok = load_row(v, file, &end);
    if (file)
        fclose(file);
    if (!ok) {
        fprintf(stderr, "%s: no vectors of this rig\n", path);
        free(v);
        return NULL;
    }
    cpu_maker(own);
    v->other_maker = memcmp(own, maker, sizeof own) != 0;
    return v;
}

bool vectors_save(const struct vectors *v, const char *path)
{
    char maker[12];
    FILE *file = fopen(path, "wb");
    if (!file) {
        fprintf(stderr, "%s: cannot be written\n", path);
        return false;
    }
    cpu_maker(maker);
    fwrite(MAGIC, sizeof MAGIC - 1, 1, file);
    fwrite(maker, sizeof maker, 1, file);
    for (unsigned row = 0; row < OPCODE_COUNT; row++) {
        uint64_t forms = v->added[row] & ~v->omitted[row];
        uint32_t key = row_key(row);
        if (!forms)
            continue;
        fwrite(&key, sizeof key, 1, file);
        fwrite(&forms, sizeof forms, 1, file);
        for (unsigned form = 0; form < FORM_COUNT; form++)
            if (forms >> form & 1)
                fwrite(&v->seen[0][row][form], sizeof v->seen[0][row][form], 1, file);
    }
    bool ok = !ferror(file);
    return fclose(file) == 0 && ok;
}

void vectors_add(struct vectors *v, unsigned row, unsigned form, unsigned executor,
                 uint64_t outcome)
{
    uint32_t *hash = &v->seen[executor][row][form];
    *hash = (*hash << 5 | *hash >> 27) ^ (uint32_t)(outcome ^ outcome >> 32);
    v->added[row] |= UINT64_C(1) << form;
}

void vectors_omit(struct vectors *v, unsigned row, unsigned form)
{
    v->omitted[row] |= UINT64_C(1) << form;
}

bool vectors_has(const struct vectors *v, unsigned row, unsigned form)
{
    return (v->present[row] >> form & 1) && !(v->other_maker && row_depends_on_host(row));
}

bool vectors_compare(const struct vectors *v, const char *const *executors, unsigned count)
{
    unsigned compared = 0, bad = 0;
    for (unsigned row = 0; row < OPCODE_COUNT; row++) {
        for (unsigned form = 0; form < FORM_COUNT; form++) {
            if (!vectors_has(v, row, form) || !(v->added[row] >> form & 1))
                continue;
            compared++;
            for (unsigned x = 0; x < count; x++) {
                if (v->seen[x][row][form] == v->recorded[row][form])
                    continue;
                bad++;
                printf("%s %s %s: not as recorded (user_diff --rows '^%s$' shows it)\n",
                       executors[x], row_name(row), form_name(form), row_name(row));
            }
        }
    }
    printf("%u forms as recorded, %u not\n", compared - bad, bad);
    return bad == 0 && compared > 0;
}
