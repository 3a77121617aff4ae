// SPDX-License-Identifier: MIT
// With nothing subscribed, what is executed is byte for byte what it was before plugins were
// loaded: decoded blocks under the interpreter, decoded blocks and host code under the translator.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "small_machine.h"

#define BLOCKS    4u
#define MAX_BYTES 65536u

// Starts of the loop's blocks: the entry, behind the call, the loop's start, the called function.
static const uint32_t starts[BLOCKS] = {0x1000, 0x1017, 0x1005, 0x1020};

struct snapshot {
    uint8_t bytes[MAX_BYTES];
    size_t size, code_size;
};

// Blocks are somewhere else each time: their addresses count from their own start.
static void add(struct snapshot *s, const void *bytes, size_t size,
                const struct executor_view views[BLOCKS])
{
    assert_true(s->size + size <= MAX_BYTES);
    uint8_t *at = s->bytes + s->size;
    memcpy(at, bytes, size);
    for (size_t i = 0; i + 8 <= size; i++) {
        uint64_t word;
        memcpy(&word, at + i, 8);
        for (unsigned b = 0; b < BLOCKS; b++) {
            const uint64_t block = (uintptr_t)views[b].block;
            if (word >= block && word < block + views[b].block_size) {
                word = (UINT64_C(0xb10c) << 48) + ((uint64_t)b << 32) + (word - block);
                memcpy(at + i, &word, 8);
                break;
            }
        }
    }
    s->size += size;
}

// The loop from a fresh start, and what was executed then.
static struct snapshot *run(struct small_machine *m)
{
    struct snapshot *s = xcalloc(1, sizeof *s);
    struct executor_view views[BLOCKS];
    executor_drop_code(m->executor);
    small_load_loop(m);
    memset(m->cpu->regs, 0, sizeof m->cpu->regs);
    m->cpu->regs[REG_ESP] = 0x8000;
    small_run(m, 0x1000, 10000);
    assert_int_equal(m->cpu->activity, CPU_HALTED);
    for (unsigned i = 0; i < BLOCKS; i++)
        assert_true(executor_view_block(m->executor, starts[i], &views[i]));
    for (unsigned i = 0; i < BLOCKS; i++) {
        const struct block *b = views[i].block;
        const uint32_t head[] = {b->linear, b->cs_base, b->mode, b->count, b->bytes, b->stop};
        add(s, head, sizeof head, views);
        add(s, &b->hooks, sizeof b->hooks, views);
        add(s, b->insns, b->count * sizeof b->insns[0], views);
        for (unsigned part = 0; part < 2; part++) {
            add(s, &views[i].code[part], sizeof views[i].code[part], views); // the position
            add(s, &views[i].code_size[part], sizeof views[i].code_size[part], views);
            if (views[i].code_size[part])
                add(s, views[i].code[part], views[i].code_size[part], views);
            s->code_size += views[i].code_size[part];
        }
    }
    return s;
}

static bool same(const struct snapshot *a, const struct snapshot *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static void load(struct small_machine *m, const char *name, const char *args)
{
    struct error err;
    if (!plugin_host_load(m->host, name, args, &err))
        fail_msg("%s", err.text);
}

static void test_accel(enum executor_accel accel)
{
    struct error err;
    setenv("EMU_PLUGIN_PATH", MODULE_DIR ":" PLUGIN_DIR, 1);
    struct small_machine *m = small_create(NULL);
    if (!executor_set_accel(m->executor, accel, 0, &err)) {
        print_message("not tested: %s\n", err.text);
        small_destroy(m);
        skip();
    }
    executor_set_threshold(m->executor, 0);
    struct snapshot *before = run(m);
    assert_int_equal(before->code_size > 0, accel == EXECUTOR_JIT);

    load(m, "contexts", NULL); // nothing that concerns instructions
    struct snapshot *idle = run(m);
    assert_true(same(before, idle));

    load(m, "hooks", "mode=count");
    struct snapshot *watched = run(m);
    assert_false(same(before, watched));

    assert_true(plugin_host_unload(m->host, "hooks", NULL));
    plugin_host_unload_all(m->host);
    struct snapshot *after = run(m);
    assert_int_equal(before->size, after->size);
    assert_memory_equal(before->bytes, after->bytes, before->size);
    free(before);
    free(idle);
    free(watched);
    free(after);
    small_destroy(m);
}

static void test_interpreter(void **state)
{
    test_accel(EXECUTOR_INTERP);
}

static void test_translator(void **state)
{
    test_accel(EXECUTOR_JIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interpreter),
        cmocka_unit_test(test_translator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
