// SPDX-License-Identifier: MIT
// The machine's thread: events from outside, due timers, then guest code, again and again.
#include <stdatomic.h>
#include <sys/timerfd.h>

#include "machine/machine_internal.h"

void machine_kick(struct machine *m)
{
    if (m->cpu)
        cpu_kick(m->cpu);
}

void machine_reset(struct machine *m)
{
    m->reset_wanted = true;
    machine_kick(m);
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

static void arm_host_timer(struct machine *m, int64_t left)
{
    struct itimerspec when = {.it_value = {.tv_sec = left / NANOSECONDS_PER_SECOND,
                                           .tv_nsec = left % NANOSECONDS_PER_SECOND}};
    if (left == 0)
        when.it_value.tv_nsec = 1;
    timerfd_settime(m->timer_fd, 0, &when, NULL);
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
        arm_host_timer(m, left);
        m->armed_deadline = next;
    }
    return UINT64_MAX;
}

// Events that bring further events (a pipe full of monitor commands) keep the kick flag up. When
// they have had the thread for EVENTS_SHARE, guest code has it for GUEST_SHARE all the same, or
// until the next timer is due.
#define EVENTS_SHARE      INT64_C(20000000)
#define GUEST_SHARE       INT64_C(5000000)
#define GUEST_SHARE_LEAST INT64_C(500000)

static void give_guest_its_share(struct machine *m)
{
    if (!atomic_load(&m->cpu->kicked) || clock_host_now() - m->guest_ran_at < EVENTS_SHARE)
        return;
    int64_t next = clock_next_deadline(m->clock), left = GUEST_SHARE;
    if (next != CLOCK_NEVER && !clock_is_icount(m->clock) && next - clock_now(m->clock) < left)
        left = next - clock_now(m->clock);
    // The flag goes down first, so that the timer's kick cannot get lost however soon it comes; an
    // earlier expiry that was seen and not served would keep the timer from being watched.
    atomic_store(&m->cpu->kicked, 0);
    arm_host_timer(m, left > GUEST_SHARE_LEAST ? left : GUEST_SHARE_LEAST);
    fd_watch_rearm(m->timer_watch);
    m->armed_deadline = CLOCK_NEVER;
}

static void run_guest(struct machine *m)
{
    clock_run_due(m->clock);
    if (m->reset_wanted || m->power_off_wanted || m->status != STATUS_RUNNING || cpu_is_idle(m))
        return;
    uint64_t last = plan_stretch(m), before = m->cpu->instructions;
    give_guest_its_share(m);
    clock_execution_begins(m->clock);
    executor_run(m->executor, last);
    clock_execution_ends(m->clock);
    if (m->cpu->instructions != before)
        m->guest_ran_at = clock_host_now();
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
        int64_t wait = wait_time(m);
        event_loop_run(m->loop, wait);
        if (wait != 0) // there was no guest code to run
            m->guest_ran_at = clock_host_now();
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
    machine_kick(m);
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
    machine_kick(m);
}

void machine_request_quit(struct machine *m)
{
    atomic_store(&m->quit_requested, true);
    machine_kick(m);
    event_loop_wake(m->loop);
}

enum machine_status machine_get_status(const struct machine *m)
{
    return m->status;
}
