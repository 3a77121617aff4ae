// SPDX-License-Identifier: MIT
// The part of QEMU's plugin interface (version 1, as documented in its "TCG plugins" pages) that
// the instrumentation benchmark uses, declared here because Debian ships no header for it.
#ifndef BENCH_QEMU_API_H
#define BENCH_QEMU_API_H

#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { CB_NO_REGS = 0 }; // the callback touches no guest register
enum { MEM_READ = 1, MEM_WRITE, MEM_BOTH };
enum { INLINE_ADD_U64 = 0 };

typedef void trans_function(uint64_t id, struct qemu_plugin_tb *tb);
typedef void exec_function(unsigned vcpu, void *user);
typedef void mem_function(unsigned vcpu, uint32_t info, uint64_t address, void *user);

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, trans_function *function);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, exec_function *function,
                                          int flags, void *user);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *counter,
                                              uint64_t value);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, exec_function *function,
                                            int flags, void *user);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op,
                                                void *counter, uint64_t value);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, mem_function *function,
                                      int flags, int what, void *user);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
unsigned qemu_plugin_mem_size_shift(uint32_t info);
void qemu_plugin_register_atexit_cb(uint64_t id, void (*function)(uint64_t id, void *user),
                                    void *user);
void qemu_plugin_outs(const char *text);

#endif
