// SPDX-License-Identifier: MIT
// The peer of emu's instrumentation plugins, for QEMU's TCG: -plugin instrument.so,mode=MODE
//     icount    instructions, one inline add each, as QEMU's own example "insn" with inline=on
//     bblock    blocks, one inline add each, as its "bb" with inline=on
//     coverage  a flag for each translated block, set by a callback, as its "drcov"
//     memtrace  address and size of each access into a buffer that starts over when full
//     syscalls  a callback at INT 80h and SYSENTER that records the address. Version 1 of the
//     interface has no
//               system calls and no registers of a whole machine, so the call's number is missing.
// Results go to QEMU's log (-d plugin) at exit.
#include "qemu_api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv);

enum { RECORDS = 1 << 16 };
struct record {
    uint64_t address;
    uint32_t size;
};
struct block {
    struct block *next;
    uint64_t address;
    uint32_t instructions, executed;
};

// The interface passes no pointer to the translation callback, so the state is the file's.
static struct {
    void (*attach)(struct qemu_plugin_tb *tb);
    uint64_t count;
    struct block *blocks;
    struct record records[RECORDS];
} plugin;

static void attach_icount(struct qemu_plugin_tb *tb)
{
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++)
        qemu_plugin_register_vcpu_insn_exec_inline(qemu_plugin_tb_get_insn(tb, i), INLINE_ADD_U64,
                                                   &plugin.count, 1);
}

static void attach_bblock(struct qemu_plugin_tb *tb)
{
    qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &plugin.count, 1);
}

static void cover(unsigned vcpu, void *user)
{
    (void)vcpu;
    ((struct block *)user)->executed = 1;
}

static void attach_coverage(struct qemu_plugin_tb *tb)
{
    struct block *block = malloc(sizeof *block);
    if (block == NULL)
        return;
    *block = (struct block){plugin.blocks, qemu_plugin_tb_vaddr(tb),
                            (uint32_t)qemu_plugin_tb_n_insns(tb), 0};
    plugin.blocks = block;
    plugin.count++;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, cover, CB_NO_REGS, block);
}

static void trace(unsigned vcpu, uint32_t info, uint64_t address, void *user)
{
    (void)vcpu;
    (void)user;
    plugin.records[plugin.count++ & (RECORDS - 1)] =
        (struct record){address, 1u << qemu_plugin_mem_size_shift(info)};
}

static void attach_memtrace(struct qemu_plugin_tb *tb)
{
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++)
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, i), trace, CB_NO_REGS,
                                         MEM_BOTH, NULL);
}

static void call(unsigned vcpu, void *user)
{
    (void)vcpu;
    plugin.records[plugin.count++ & (RECORDS - 1)] = (struct record){(uint64_t)(uintptr_t)user, 0};
}

static void attach_syscalls(struct qemu_plugin_tb *tb)
{
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        const unsigned char *bytes = qemu_plugin_insn_data(insn);
        if (qemu_plugin_insn_size(insn) == 2 &&
            (memcmp(bytes, "\xcd\x80", 2) == 0 || memcmp(bytes, "\x0f\x34", 2) == 0))
            qemu_plugin_register_vcpu_insn_exec_cb(insn, call, CB_NO_REGS,
                                                   (void *)(uintptr_t)qemu_plugin_insn_vaddr(insn));
    }
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    plugin.attach(tb);
}

static void finished(uint64_t id, void *user)
{
    char text[64];
    (void)id;
    snprintf(text, sizeof text, "%s %" PRIu64 "\n", (const char *)user, plugin.count);
    qemu_plugin_outs(text);
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*attach)(struct qemu_plugin_tb *tb);
    } modes[] = {{"icount", attach_icount},
                 {"bblock", attach_bblock},
                 {"coverage", attach_coverage},
                 {"memtrace", attach_memtrace},
                 {"syscalls", attach_syscalls}};
    (void)info;
    for (size_t i = 0; argc == 1 && i < sizeof modes / sizeof modes[0]; i++) {
        if (strncmp(argv[0], "mode=", 5) == 0 && strcmp(argv[0] + 5, modes[i].name) == 0) {
            plugin.attach = modes[i].attach;
            qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
            qemu_plugin_register_atexit_cb(id, finished, (void *)(uintptr_t)modes[i].name);
            return 0;
        }
    }
    fprintf(stderr, "instrument.so: needs mode=icount, bblock, coverage, memtrace or syscalls\n");
    return -1;
}
