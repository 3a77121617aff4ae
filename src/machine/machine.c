// SPDX-License-Identifier: MIT
// The machine's thread: events from outside, due timers, then guest code, again and again.
#include "machine/machine.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <xxhash.h>

#include "machine/firmware.h"

struct machine {
    struct machine_config config;
    struct log *log;
    struct event_loop *loop;
    struct clock *clock;
    struct state_registry *registry;
    struct physmem *mem;
    struct portio *ports;
    struct cpu *cpu;
    struct executor *executor;
    struct broker *broker;
    struct plugin_host *plugins;
    struct pc *pc;
    struct firmware bios, vga_bios;
    enum machine_status status;
    _Atomic bool quit_requested; // by a signal
    bool quit;
    int exit_code;
    bool reset_wanted, power_off_wanted;
    // Real-time mode: a timer descriptor on the event loop kicks the CPU when the next virtual
    // timer is due.
    int timer_fd;
    struct fd_watch *timer_watch;
    int64_t armed_deadline;
    void (*print)(void *self, const char *text, size_t length);
    void *print_self;
};

static void kick_cpu(void *opaque)
{
    struct machine *m = opaque;
    if (m->cpu)
        cpu_kick(m->cpu);
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
    kick_cpu(self);
}

struct machine *machine_create(struct log *log, struct error *err)
{
    struct machine *m = xcalloc(1, sizeof *m);
    m->log = log;
    m->status = STATUS_PRELAUNCH;
    m->armed_deadline = CLOCK_NEVER;
    m->loop = event_loop_create(kick_cpu, m, err);
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
    struct machine *m = self;
    m->reset_wanted = true;
    kick_cpu(m);
}

static void on_power_off(void *self)
{
    struct machine *m = self;
    m->power_off_wanted = true;
    kick_cpu(m);
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

static void do_reset(struct machine *m)
{
    m->reset_wanted = false;
    if (m->config.no_reboot) {
        machine_quit(m, 0);
        return;
    }
    pc_reset(m->pc);
    cpu_reset(m->cpu);
}

static void do_power_off(struct machine *m)
{
    m->power_off_wanted = false;
    if (!m->config.no_shutdown) {
        machine_quit(m, 0);
        return;
    }
    machine_pause(m);
    m->status = STATUS_SHUTDOWN;
}

static bool cpu_is_idle(const struct machine *m)
{
    return m->cpu->activity == CPU_HALTED && !cpu_has_wake_event(m->cpu);
}

// How long the event loop may sleep: 0 when there is guest code to run.
static int64_t wait_time(struct machine *m)
{
    if (m->reset_wanted || m->power_off_wanted || m->quit)
        return 0;
    if (m->status != STATUS_RUNNING)
        return -1;
    if (!cpu_is_idle(m))
        return 0;
    int64_t next = clock_next_deadline(m->clock);
    if (next == CLOCK_NEVER)
        return -1;
    if (clock_is_icount(m->clock)) {
        clock_skip_to(m->clock, next);
        return 0;
    }
    int64_t now = clock_now(m->clock);
    return next > now ? next - now : 0;
}

// Plans the end of the coming stretch of guest code and returns its last instruction count.
static uint64_t plan_stretch(struct machine *m)
{
    int64_t next = clock_next_deadline(m->clock);
    if (next == CLOCK_NEVER)
        return UINT64_MAX;
    int64_t left = next - clock_now(m->clock);
    if (left < 0)
        left = 0;
    if (clock_is_icount(m->clock)) {
        unsigned shift = clock_icount_shift(m->clock);
        uint64_t insns = ((uint64_t)left + (UINT64_C(1) << shift) - 1) >> shift;
        return m->cpu->instructions + (insns ? insns : 1);
    }
    if (next != m->armed_deadline) {
        struct itimerspec when = {.it_value = {.tv_sec = left / NANOSECONDS_PER_SECOND,
                                               .tv_nsec = left % NANOSECONDS_PER_SECOND}};
        if (left == 0)
            when.it_value.tv_nsec = 1;
        timerfd_settime(m->timer_fd, 0, &when, NULL);
        m->armed_deadline = next;
    }
    return UINT64_MAX;
}

static void run_guest(struct machine *m)
{
    clock_run_due(m->clock);
    if (m->reset_wanted || m->power_off_wanted || m->status != STATUS_RUNNING || cpu_is_idle(m))
        return;
    clock_execution_begins(m->clock);
    executor_run(m->executor, plan_stretch(m));
    clock_execution_ends(m->clock);
    if (m->cpu->activity == CPU_SHUTDOWN) {
        log_write(m->log, LOG_RESET, "triple fault\n");
        m->reset_wanted = true;
    }
}

int machine_run(struct machine *m)
{
    if (!m->config.start_stopped)
        machine_resume(m);
    while (!m->quit) {
        atomic_store(&m->cpu->kicked, 0);
        event_loop_run(m->loop, wait_time(m));
        plugin_host_settle(m->plugins);
        if (atomic_load(&m->quit_requested))
            machine_quit(m, 0);
        if (m->quit)
            break;
        if (m->reset_wanted)
            do_reset(m);
        else if (m->power_off_wanted)
            do_power_off(m);
        else if (m->status == STATUS_RUNNING)
            run_guest(m);
    }
    clock_stop(m->clock);
    plugin_host_cpus_stopped(m->plugins);
    return m->exit_code;
}

void machine_pause(struct machine *m)
{
    if (m->status != STATUS_RUNNING)
        return;
    m->status = STATUS_PAUSED;
    clock_stop(m->clock);
    kick_cpu(m);
    plugin_host_cpu_paused(m->plugins);
}

void machine_resume(struct machine *m)
{
    if (m->status == STATUS_RUNNING)
        return;
    if (m->status == STATUS_SHUTDOWN)
        m->reset_wanted = true;
    m->status = STATUS_RUNNING;
    m->armed_deadline = CLOCK_NEVER;
    clock_start(m->clock);
}

void machine_reset(struct machine *m)
{
    on_reset(m);
}

void machine_powerdown(struct machine *m)
{
    pc_power_button(m->pc);
}

void machine_quit(struct machine *m, int exit_code)
{
    if (m->quit)
        return;
    m->quit = true;
    m->exit_code = exit_code;
    kick_cpu(m);
}

void machine_request_quit(struct machine *m)
{
    atomic_store(&m->quit_requested, true);
    kick_cpu(m);
    event_loop_wake(m->loop);
}

enum machine_status machine_get_status(const struct machine *m)
{
    return m->status;
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
