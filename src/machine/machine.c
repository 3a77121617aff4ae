// SPDX-License-Identifier: MIT
// A machine as a whole: what it is made of, how it is put together and taken apart.
#include "machine/machine.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <xxhash.h>

#include "machine/machine_internal.h"

static void kick_from_loop(void *opaque)
{
    machine_kick(opaque);
}

static void timer_fd_ready(void *self, unsigned events)
{
    struct machine *m = self;
    uint64_t expirations;
    if (read(m->timer_fd, &expirations, sizeof expirations) > 0)
        m->armed_deadline = CLOCK_NEVER;
}

// An earlier deadline appeared while guest code runs: leave it, so that the wake-up is planned
// anew.
static void deadline_moved(void *self)
{
    machine_kick(self);
}

struct machine *machine_create(struct log *log, struct error *err)
{
    struct machine *m = xcalloc(1, sizeof *m);
    m->log = log;
    m->status = STATUS_PRELAUNCH;
    m->armed_deadline = CLOCK_NEVER;
    m->loop = event_loop_create(kick_from_loop, m, err);
    m->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (!m->loop || m->timer_fd < 0) {
        if (m->loop)
            error_set(err, "the host gives no timer descriptor");
        machine_destroy(m);
        return NULL;
    }
    m->timer_watch = event_loop_watch(m->loop, m->timer_fd, EVENT_READ, timer_fd_ready, m);
    m->clock = clock_create();
    clock_set_notify(m->clock, deadline_moved, m);
    m->registry = state_registry_create();
    m->mem = physmem_create(log);
    m->ports = portio_create(log);
    m->broker = broker_create();
    return m;
}

static void on_intr(void *self, bool level)
{
    cpu_set_intr(((struct machine *)self)->cpu, level);
}

static void on_nmi(void *self)
{
    cpu_raise_nmi(((struct machine *)self)->cpu);
}

static void on_reset(void *self)
{
    machine_reset(self);
}

static void on_power_off(void *self)
{
    struct machine *m = self;
    m->power_off_wanted = true;
    machine_kick(m);
}

static void on_debug_exit(void *self, uint32_t value)
{
    machine_quit(self, (int)((value << 1 | 1) & 0xff));
}

static void on_host_full(void *self, const char *image)
{
    struct machine *m = self;
    fprintf(stderr,
            "emu: %s: no space left on the host; the guest is paused, make room and type cont\n",
            image);
    machine_pause(m);
    m->status = STATUS_IO_ERROR;
}

static int cpu_acknowledge(void *self)
{
    return pc_acknowledge(((struct machine *)self)->pc);
}

static uint64_t cpu_read_apic_base(void *self)
{
    return pc_read_apic_base(((struct machine *)self)->pc);
}

static bool cpu_write_apic_base(void *self, uint64_t value)
{
    return pc_write_apic_base(((struct machine *)self)->pc, value);
}

static void cpu_ferr(void *self, bool level)
{
    pc_set_ferr(((struct machine *)self)->pc, level);
}

static bool open_drives(struct machine *m, struct pc_drive *drives, struct error *err)
{
    for (unsigned i = 0; i < MACHINE_MAX_DRIVES; i++) {
        const struct drive_config *d = &m->config.drives[i];
        if (!d->present)
            continue;
        drives[i].kind = d->cdrom ? PC_DRIVE_CD : PC_DRIVE_DISK;
        if (!d->path)
            continue;
        struct block_image_options options = {.read_only = d->cdrom || d->read_only,
                                              .snapshot = m->config.snapshot && !d->cdrom};
        drives[i].image = block_image_open(d->path, &options, err);
        if (!drives[i].image) {
            for (unsigned k = 0; k < i; k++)
                if (drives[k].image)
                    block_image_close(drives[k].image);
            return d->option ? error_prefix(err, "%s", d->option) : false;
        }
    }
    return true;
}

static bool create_board(struct machine *m, struct error *err)
{
    const struct machine_config *c = &m->config;
    struct pc_config config = {
        .ram_size = c->ram_mib << 20,
        .bios = m->bios.data,
        .bios_size = m->bios.size,
        .vga_bios = m->vga_bios.data,
        .vga_bios_size = m->vga_bios.size,
        .debugcon_present = c->debugcon_present,
        .debugcon_base = c->debugcon_base,
        .debugcon = c->debugcon,
        .post_base = c->post_base,
        .testdev = c->testdev,
        .boot_order = c->boot_order ? c->boot_order : "cd",
        .boot_menu = c->boot_menu,
        .kernel = c->kernel,
        .initrd = c->initrd,
        .append = c->append,
        .rtc_base = c->rtc_base,
        .debug_exit = c->debug_exit,
        .debug_exit_base = c->debug_exit_base,
        .debug_exit_size = c->debug_exit_size,
        .events = {.self = m,
                   .intr = on_intr,
                   .nmi = on_nmi,
                   .init = on_reset, // chipsets of this age assert the whole machine's reset for it
                   .reset = on_reset,
                   .power_off = on_power_off,
                   .debug_exit = on_debug_exit,
                   .host_full = on_host_full},
    };
    for (unsigned i = 0; i < MACHINE_MAX_SERIALS; i++)
        config.serials[i] = c->serials[i];
    if (!open_drives(m, config.drives, err))
        return false;
    m->pc = pc_create(m->mem, m->ports, m->clock, m->log, m->registry, &config, err);
    return m->pc != NULL;
}

static void host_stop(void *self)
{
    machine_pause(self);
}

static void host_cont(void *self)
{
    machine_resume(self);
}

static void host_reset(void *self)
{
    machine_reset(self);
}

static void host_quit(void *self, int exit_code)
{
    machine_quit(self, exit_code);
}

static void host_print(void *self, const char *text, size_t length)
{
    struct machine *m = self;
    if (m->print) {
        m->print(m->print_self, text, length);
        return;
    }
    fwrite(text, 1, length, stdout);
    fflush(stdout);
}

static bool create_bus(struct machine *m, struct error *err)
{
    struct plugin_host_env env = {.broker = m->broker,
                                  .cpu = m->cpu,
                                  .executor = m->executor,
                                  .log = m->log,
                                  .os_version = m->config.os_version,
                                  .stop = host_stop,
                                  .cont = host_cont,
                                  .reset = host_reset,
                                  .quit = host_quit,
                                  .print = host_print,
                                  .self = m};
    m->plugins = plugin_host_create(&env);
    for (unsigned i = 0; i < m->config.plugin_count; i++)
        if (!plugin_host_load_list(m->plugins, m->config.plugins[i], err))
            return error_prefix(err, "-plugin %s", m->config.plugins[i]);
    return true;
}

static bool choose_accel(struct machine *m, struct error *err)
{
    static const enum executor_accel executors[] = {[ACCEL_AUTO] = EXECUTOR_JIT,
                                                    [ACCEL_INTERP] = EXECUTOR_INTERP,
                                                    [ACCEL_JIT] = EXECUTOR_JIT,
                                                    [ACCEL_LOCKSTEP] = EXECUTOR_LOCKSTEP};
    struct machine_config *c = &m->config;
    if (!executor_set_accel(m->executor, executors[c->accel], c->tb_size, err)) {
        if (c->accel != ACCEL_AUTO)
            return error_prefix(err, "-accel");
        c->accel = ACCEL_INTERP;
        return executor_set_accel(m->executor, EXECUTOR_INTERP, 0, err);
    }
    if (c->accel == ACCEL_AUTO)
        c->accel = ACCEL_JIT;
    executor_set_window(m->executor, c->no_window ? WINDOW_OFF : WINDOW_AUTO);
    if ((c->perfmap || c->jitdump) && !executor_set_perf(m->executor, c->perfmap, c->jitdump, err))
        return error_prefix(err, c->perfmap && c->jitdump ? "-perfmap, -jitdump"
                                 : c->perfmap             ? "-perfmap"
                                                          : "-jitdump");
    return true;
}

static void map_changed(void *self)
{
    mmu_flush_all(&((struct machine *)self)->cpu->mmu);
}

bool machine_configure(struct machine *m, const struct machine_config *config, struct error *err)
{
    m->config = *config;
    if (!firmware_load_bios(config->bios, config->firmware_dirs, &m->bios, err))
        return error_prefix(err, "-bios");
    if (!firmware_load_vga_bios(config->firmware_dirs, &m->vga_bios, err))
        return error_prefix(err, "VGA BIOS");
    if (!physmem_alloc_ram(m->mem, config->ram_mib << 20, err))
        return error_prefix(err, "-m %u", config->ram_mib);
    struct cpu_board board = {.self = m,
                              .acknowledge = cpu_acknowledge,
                              .read_apic_base = cpu_read_apic_base,
                              .write_apic_base = cpu_write_apic_base,
                              .ferr = cpu_ferr};
    m->cpu =
        cpu_create(config->cpu_model, m->mem, m->ports, m->clock, m->log, &board, m->registry, err);
    if (!m->cpu)
        return false;
    physmem_set_map_listener(m->mem, map_changed, m);
    if (config->icount)
        clock_set_icount(m->clock, &m->cpu->instructions, config->icount_shift);
    else if (config->accel == ACCEL_LOCKSTEP)
        clock_set_icount(m->clock, &m->cpu->instructions, MACHINE_LOCKSTEP_SHIFT);
    if (!create_board(m, err))
        return false;
    m->executor = executor_create(m->cpu, m->log, err);
    if (!m->executor)
        return false;
    if (!choose_accel(m, err))
        return false;
    return create_bus(m, err);
}

void machine_dismantle(struct machine *m)
{
    if (m->plugins)
        plugin_host_destroy(m->plugins);
    executor_destroy(m->executor);
    if (m->pc)
        pc_destroy(m->pc);
    m->plugins = NULL;
    m->executor = NULL;
    m->pc = NULL;
}

void machine_destroy(struct machine *m)
{
    if (!m)
        return;
    machine_dismantle(m);
    if (m->timer_watch)
        fd_watch_remove(m->timer_watch);
    // Its watcher thread kicks the CPU.
    if (m->loop)
        event_loop_destroy(m->loop);
    if (m->cpu)
        cpu_destroy(m->cpu);
    if (m->mem)
        physmem_destroy(m->mem);
    if (m->ports)
        portio_destroy(m->ports);
    if (m->broker)
        broker_destroy(m->broker);
    if (m->registry)
        state_registry_destroy(m->registry);
    if (m->clock)
        clock_destroy(m->clock);
    if (m->timer_fd >= 0)
        close(m->timer_fd);
    firmware_free(&m->bios);
    firmware_free(&m->vga_bios);
    free(m);
}

const char *machine_status_name(enum machine_status status)
{
    static const char *const names[] = {
        [STATUS_RUNNING] = "running",
        [STATUS_PAUSED] = "paused",
        [STATUS_PRELAUNCH] = "paused (prelaunch)",
        [STATUS_SHUTDOWN] = "paused (shutdown)",
        [STATUS_IO_ERROR] = "paused (io-error)",
        [STATUS_INTERNAL_ERROR] = "paused (internal-error)",
    };
    return names[status];
}

void machine_set_output(struct machine *m,
                        void (*print)(void *self, const char *text, size_t length), void *self)
{
    m->print = print;
    m->print_self = self;
}

struct event_loop *machine_loop(struct machine *m)
{
    return m->loop;
}

struct cpu *machine_cpu(struct machine *m)
{
    return m->cpu;
}

struct executor *machine_executor(struct machine *m)
{
    return m->executor;
}

struct physmem *machine_physmem(struct machine *m)
{
    return m->mem;
}

struct portio *machine_ports(struct machine *m)
{
    return m->ports;
}

struct clock *machine_clock(struct machine *m)
{
    return m->clock;
}

struct log *machine_log(struct machine *m)
{
    return m->log;
}

struct pc *machine_pc(struct machine *m)
{
    return m->pc;
}

struct broker *machine_broker(struct machine *m)
{
    return m->broker;
}

struct plugin_host *machine_plugins(struct machine *m)
{
    return m->plugins;
}

struct state_registry *machine_state(struct machine *m)
{
    return m->registry;
}

const struct machine_config *machine_get_config(const struct machine *m)
{
    return &m->config;
}

uint64_t machine_ram_hash(struct machine *m)
{
    return XXH64(physmem_ram(m->mem), physmem_ram_size(m->mem), 0);
}

uint64_t machine_hash(struct machine *m)
{
    return machine_ram_hash(m) ^ state_hash(m->registry);
}
