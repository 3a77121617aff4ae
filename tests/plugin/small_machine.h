// SPDX-License-Identifier: MIT
// A CPU with 4 MiB of memory, an executor and a plugin host, without a board: what the tests of the
// plugin host run guest code on. Code runs in flat 32-bit protected mode at CPL 0.
#ifndef EMU_TESTS_SMALL_MACHINE_H
#define EMU_TESTS_SMALL_MACHINE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"
#include "cpu/flags.h"
#include "jit/executor.h"
#include "plugin/host.h"

#define SMALL_RAM (4u << 20)

struct small_machine {
    struct log log;
    struct physmem *mem;
    struct portio *ports;
    struct clock *clock;
    struct broker *broker;
    struct cpu *cpu;
    struct executor *executor;
    struct plugin_host *host;
    unsigned stops, conts;
    char *printed; // everything plugins and the host printed
    size_t printed_size;
};

static inline void small_stop(void *self)
{
    struct small_machine *m = self;
    m->stops++;
    cpu_kick(m->cpu);
}

static inline void small_cont(void *self)
{
    ((struct small_machine *)self)->conts++;
}

static inline void small_print(void *self, const char *text, size_t length)
{
    struct small_machine *m = self;
    m->printed = xrealloc(m->printed, m->printed_size + length + 1);
    memcpy(m->printed + m->printed_size, text, length);
    m->printed_size += length;
    m->printed[m->printed_size] = 0;
    if (getenv("EMU_TEST_VERBOSE"))
        fwrite(text, 1, length, stderr);
}

static inline void small_flat_mode(struct cpu *cpu)
{
    cpu->cr0 |= CR0_PE;
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        struct segment *s = &cpu->segs[i];
        s->base = 0;
        s->limit = 0xffffffff;
        s->selector = i == SEG_CS ? 8 : 16;
        s->attributes = DESC_P | DESC_S | DESC_G | DESC_DB | (i == SEG_CS ? 0xb00u : 0x300u);
    }
    mmu_set_control(&cpu->mmu, cpu->cr0, cpu->cr3, cpu->cr4, false, true);
    cpu->regs[REG_ESP] = 0x8000;
    cpu->activity = CPU_RUNNING;
    cpu_update_mode(cpu);
}

static inline struct small_machine *small_create(const char *os_version)
{
    struct error err;
    struct small_machine *m = xcalloc(1, sizeof *m);
    log_init(&m->log);
    m->mem = physmem_create(&m->log);
    uint8_t *ram = physmem_alloc_ram(m->mem, SMALL_RAM, &err);
    physmem_add_host(m->mem, "ram", 0, SMALL_RAM, 0, ram, ram);
    m->ports = portio_create(&m->log);
    m->clock = clock_create();
    clock_start(m->clock);
    m->broker = broker_create();
    m->cpu = cpu_create(CPU_MODEL_PENTIUM4, m->mem, m->ports, m->clock, &m->log, NULL, NULL, &err);
    m->executor = executor_create(m->cpu, &m->log, &err);
    small_flat_mode(m->cpu);
    struct plugin_host_env env = {.broker = m->broker,
                                  .cpu = m->cpu,
                                  .executor = m->executor,
                                  .log = &m->log,
                                  .os_version = os_version,
                                  .stop = small_stop,
                                  .cont = small_cont,
                                  .print = small_print,
                                  .self = m};
    m->host = plugin_host_create(&env);
    return m;
}

static inline void small_destroy(struct small_machine *m)
{
    plugin_host_destroy(m->host);
    executor_destroy(m->executor);
    cpu_destroy(m->cpu);
    broker_destroy(m->broker);
    physmem_destroy(m->mem);
    portio_destroy(m->ports);
    clock_destroy(m->clock);
    log_close(&m->log);
    free(m->printed);
    free(m);
}

static inline void small_forget(struct small_machine *m)
{
    m->printed_size = 0;
    if (m->printed)
        m->printed[0] = 0;
}

static inline bool small_has(const struct small_machine *m, const char *text)
{
    return m->printed && strstr(m->printed, text) != NULL;
}

static inline void small_write(struct small_machine *m, uint32_t address, const void *bytes,
                               size_t length)
{
    physmem_write(m->mem, address, bytes, length);
}

#define SMALL_NO_LIMIT 10000u // as large as that, the limit is none: translated code does run then

// Runs from eip until HLT, a kick or `limit` instructions.
static inline void small_run(struct small_machine *m, uint32_t eip, uint64_t limit)
{
    m->cpu->eip = eip;
    m->cpu->activity = CPU_RUNNING;
    atomic_store(&m->cpu->kicked, 0);
    executor_run(m->executor, limit < SMALL_NO_LIMIT ? m->cpu->instructions + limit : UINT64_MAX);
    plugin_host_settle(m->host);
}

// A loop of ten rounds, 82 instructions: 30 loads, 30 stores, 29 taken branches, 10 calls, 10
// returns. Ends in HLT.
static inline void small_load_loop(struct small_machine *m)
{
    static const uint8_t code[] = {
        0xb9, 10,   0,    0,    0,          // 1000 mov ecx, 10
        0x89, 0x0d, 0x00, 0x20, 0x00, 0x00, // 1005 mov [2000h], ecx
        0xa1, 0x00, 0x20, 0x00, 0x00,       // 100b mov eax, [2000h]
        0x50,                               // 1010 push eax
        0x5b,                               // 1011 pop ebx
        0xe8, 0x09, 0x00, 0x00, 0x00,       // 1012 call 1020h
        0x49,                               // 1017 dec ecx
        0x75, 0xeb,                         // 1018 jnz 1005h
        0xf4,                               // 101a hlt
        0x90, 0x90, 0x90, 0x90, 0x90,       // 101b
        0xc3,                               // 1020 ret
    };
    small_write(m, 0x1000, code, sizeof code);
}

#endif
