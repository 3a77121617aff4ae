// SPDX-License-Identifier: MIT
// What makes translated code fast by letting it fault.
//
// An access through the window is one host instruction: GS holds the window's base, a 67h prefix
// cuts the address to 32 bits. When it faults, the signal handler lets the page in and repeats it,
// or sends the code to the instruction's slow path, which the code cache's list of sites names.
//
// A poll reads from where cpu->poll points to, which takes no flags and no branch; a kick makes
// that an address that faults, and the handler sends the code to its way out.
#define _GNU_SOURCE
#include "jit/window.h"

#include <asm/prctl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "jit/executor_internal.h"
#include "mmu/window.h"

// In guest instructions, which take about half a nanosecond: letting a page in costs some 8 us, a
// fault that leads to the slow path 3 us, looking a page up 50 ns.
#define COST_MAPPED  16000u
#define COST_REFUSED 6000u
#define COST_CHECKED 100u
#define NEEDED_LEAST 4000000u
#define NEEDED_MOST  2000000000u
// The window has paid when the run was this many times longer than what it cost.
#define WORTH 4u

#define POLL_BYTES 16u // two loads

#define HOST_CF_TO_SF 0xffu // the LAHF byte of EFLAGS
#define HOST_OF       0x800u

// A signal handler is called without a handle: this is where it finds whose code was running.
static _Thread_local struct executor *running;

// Signal dispositions belong to the process: one handler, counted by executors.
static struct window_process {
    unsigned users;
    struct sigaction previous;
} process;

static void hand_on(int signal, siginfo_t *info, void *context)
{
    const struct sigaction *previous = &process.previous;
    if (previous->sa_flags & SA_SIGINFO) {
        previous->sa_sigaction(signal, info, context);
    } else if (previous->sa_handler != SIG_DFL && previous->sa_handler != SIG_IGN) {
        previous->sa_handler(signal);
    } else {
        struct sigaction action = {.sa_handler = SIG_DFL};
        sigaction(signal, &action, NULL);
        if (info->si_code <= 0)
            raise(signal); // sent by somebody: it would not come again by itself
    }
}

// A place in translated code where the window is used: the last site at or below it.
static const struct code_site *find_site(const struct code_cache *code, size_t offset)
{
    size_t low = 0, high = code->site_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code->sites[middle].hot <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &code->sites[low - 1] : NULL;
}

// A poll that has not been taken back when the kick was is repeated.
static bool answer_poll(struct executor *ex, const struct code_site *site, size_t offset,
                        greg_t *regs)
{
    struct cpu *cpu = ex->cpu;
    if (offset - site->hot > POLL_BYTES)
        return false;
    atomic_store(&cpu->poll, (uintptr_t)&cpu->kicked);
    bool kicked = atomic_load(&cpu->kicked);
    if (kicked)
        atomic_store(&cpu->poll, CPU_POLL_FAULTS);
    regs[REG_RIP] = (greg_t)(uintptr_t)(ex->code.rx + (kicked ? site->slow : site->hot));
    return true;
}

// False: the fault is not of an access through the window, and not a poll.
static bool answer(struct executor *ex, const siginfo_t *info, ucontext_t *context)
{
    greg_t *regs = context->uc_mcontext.gregs;
    struct mmu *mmu = &ex->cpu->mmu;
    size_t offset = (size_t)((uintptr_t)regs[REG_RIP] - (uintptr_t)ex->code.rx);
    const struct code_site *site;
    if (offset >= ex->code.hot || !(site = find_site(&ex->code, offset)))
        return false;
    if (site->poll)
        return answer_poll(ex, site, offset, regs);
    if (!mmu->window)
        return false;
    // Not canonical or not aligned: the address is not told.
    uint64_t linear = (uintptr_t)info->si_addr - (uintptr_t)mmu_window_base(mmu);
    bool inside = info->si_code != SI_KERNEL && linear < WINDOW_BYTES;
    bool again =
        ex->window.last_pc == (uint64_t)regs[REG_RIP] && ex->window.last_linear == (uint32_t)linear;
    if (inside && mmu->window_open && !again &&
        mmu_window_fill(mmu, (uint32_t)linear, regs[REG_ERR] & PF_WRITE)) {
        ex->window.last_pc = (uint64_t)regs[REG_RIP];
        ex->window.last_linear = (uint32_t)linear;
        return true;
    }
    ex->window.last_pc = 0;
    ex->window.refused++;
    ex->window.refused_now = true;
    if (site->flags_host) {
        unsigned eflags = (unsigned)regs[REG_EFL];
        ex->cpu->jit.flags = (uint16_t)((eflags & HOST_CF_TO_SF) << 8 | (eflags & HOST_OF ? 1 : 0));
    }
    regs[REG_RIP] = (greg_t)(uintptr_t)(ex->code.rx + site->slow);
    // Where this happens again and again the tables do better.
    if (ex->window.use == WINDOW_AUTO && ex->window.refused % 64 == 0)
        mmu->window_open = false;
    return true;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    if (!running || info->si_code <= 0 || !answer(running, info, context))
        hand_on(signal, info, context);
}

static void handler_install(void)
{
    if (process.users++ > 0)
        return;
    struct sigaction action = {.sa_sigaction = on_fault,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &process.previous);
}

static void handler_remove(void)
{
    struct sigaction now;
    if (--process.users > 0)
        return;
    sigaction(SIGSEGV, NULL, &now);
    if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_fault)
        sigaction(SIGSEGV, &process.previous, NULL);
}

bool window_start(struct executor *ex, enum window_use use)
{
    if (ex->window.use != WINDOW_OFF) {
        ex->window.use = use != WINDOW_OFF ? use : WINDOW_AUTO;
        return true;
    }
    if (use == WINDOW_OFF)
        return false;
    mmu_window_create(&ex->cpu->mmu); // without it polls are faster all the same
    ex->window = (struct window_policy){.use = use, .needed = NEEDED_LEAST};
    ex->translator.faulting = true;
    handler_install();
    return true;
}

void window_stop(struct executor *ex)
{
    if (ex->window.use == WINDOW_OFF)
        return;
    ex->window.use = WINDOW_OFF;
    ex->translator.faulting = false;
    executor_drop_code(ex); // it may poll by faulting
    mmu_window_destroy(&ex->cpu->mmu);
    handler_remove();
}

void window_enter(struct executor *ex)
{
    uint8_t *base = mmu_window_base(&ex->cpu->mmu);
    struct cpu *cpu = ex->cpu;
    if (ex->window.use == WINDOW_OFF)
        return;
    running = ex;
    atomic_store(&cpu->poll, (uintptr_t)&cpu->kicked);
    if (atomic_load(&cpu->kicked))
        atomic_store(&cpu->poll, CPU_POLL_FAULTS);
    if (!base)
        return;
    if (syscall(SYS_arch_prctl, ARCH_SET_GS, base) != 0)
        mmu_window_destroy(&cpu->mmu);
}

void window_leave(struct executor *ex)
{
    running = NULL;
}

static unsigned site_slot(uint32_t linear)
{
    return (linear ^ linear >> 8) % WINDOW_SITES;
}

bool window_note_refused(struct executor *ex, const struct block *block, unsigned index)
{
    struct window_sites *sites = &ex->window.sites;
    uint32_t linear = block->linear + block->insns[index].offset;
    unsigned slot = site_slot(linear);
    if (sites->linear[slot] != linear) {
        sites->linear[slot] = linear;
        sites->count[slot] = 0;
    }
    if (sites->count[slot] < WINDOW_REFUSED)
        sites->count[slot]++;
    return sites->count[slot] == WINDOW_REFUSED;
}

bool window_suits(const struct window_sites *sites, uint32_t linear)
{
    unsigned slot = site_slot(linear);
    return sites->count[slot] < WINDOW_REFUSED || sites->linear[slot] != linear;
}

static uint64_t cost_now(const struct executor *ex)
{
    struct window_stats stats = mmu_window_stats(&ex->cpu->mmu);
    return (stats.mapped + stats.dropped / 4) * COST_MAPPED + stats.checked * COST_CHECKED +
           ex->window.refused * COST_REFUSED;
}

// Did the last opening pay?
static void judge(struct executor *ex)
{
    struct window_policy *policy = &ex->window;
    uint64_t run = ex->cpu->instructions - policy->opened_at;
    uint64_t cost = cost_now(ex) - policy->cost;
    policy->opened = false;
    policy->flushes = ex->cpu->mmu.flushes;
    policy->since = ex->cpu->instructions;
    if (run >= cost * WORTH)
        policy->needed = policy->needed / 2 > NEEDED_LEAST ? policy->needed / 2 : NEEDED_LEAST;
    else
        policy->needed = policy->needed * 2 < NEEDED_MOST ? policy->needed * 2 : NEEDED_MOST;
}

void window_consider(struct executor *ex)
{
    struct window_policy *policy = &ex->window;
    struct cpu *cpu = ex->cpu;
    if (policy->use == WINDOW_ALWAYS) {
        mmu_window_open(&cpu->mmu, cpu->is_user);
        return;
    }
    if (policy->opened)
        judge(ex);
    if (cpu->mmu.flushes != policy->flushes) {
        policy->flushes = cpu->mmu.flushes;
        policy->since = cpu->instructions;
    }
    if (cpu->instructions - policy->since < policy->needed)
        return;
    policy->cost = cost_now(ex);
    policy->opened_at = cpu->instructions;
    policy->since = cpu->instructions;
    policy->opened = mmu_window_open(&cpu->mmu, true);
}
