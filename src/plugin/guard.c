// SPDX-License-Identifier: MIT
// Crash containment by signal handlers on their own stack and a jump out of the plugin's frames.
// Left out: plugins that start threads of their own; a crash there ends the process, and memory
// that a plugin overwrites without a fault.
#include "plugin/guard.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#define STACK_BYTES (64u * 1024)

struct guard {
    struct guard *outer;
    struct plugin *plugin;
    struct plugin_host *outer_host;
    struct broker_mark mark;
    unsigned entered;
    struct guard_crash crash;
    sigjmp_buf jump;
};

// A signal handler and the SDK's functions are called without a handle: this is where they find it.
static _Thread_local struct guard_thread {
    struct guard *volatile top;
    struct plugin_host *host;
    void *stack;
    unsigned hosts;
} thread;

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

// Signal dispositions belong to the process: one set of handlers, counted by hosts.
static struct guard_process {
    unsigned hosts;
    struct sigaction previous[ARRAY_SIZE(crash_signals)];
} process;

static unsigned slot_of(int signal)
{
    unsigned i = 0;
    while (i + 1 < ARRAY_SIZE(crash_signals) && crash_signals[i] != signal)
        i++;
    return i;
}

static void hand_on(int signal, siginfo_t *info, void *context)
{
    const struct sigaction *previous = &process.previous[slot_of(signal)];
    if (previous->sa_flags & SA_SIGINFO) {
        previous->sa_sigaction(signal, info, context);
    } else if (previous->sa_handler == SIG_IGN) {
        return;
    } else if (previous->sa_handler != SIG_DFL) {
        previous->sa_handler(signal);
    } else {
        struct sigaction action = {.sa_handler = SIG_DFL};
        sigaction(signal, &action, NULL);
        if (info->si_code <= 0)
            raise(signal); // sent by somebody: it would not come again by itself
    }
}

// The helper that translated code has called and that runs outside of any guard.
static const struct helper *direct_helper(void)
{
    return thread.host && !thread.top ? thread.host->env.cpu->jit.helper : NULL;
}

static void on_crash(int signal, siginfo_t *info, void *context)
{
    struct guard *guard = thread.top;
    bool direct = direct_helper() != NULL;
    if (!guard && !direct) {
        hand_on(signal, info, context);
        return;
    }
    struct guard_crash *crash = direct ? &thread.host->direct_crash : &guard->crash;
    crash->signal = signal;
    crash->address = info->si_addr;
#if defined(__x86_64__)
    crash->code = (const void *)(uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#endif
    if (direct)
        siglongjmp(*thread.host->env.cpu->jump, HELPER_CRASHED);
    siglongjmp(guard->jump, 1);
}

static void stack_install(void)
{
    stack_t old;
    if (thread.stack || sigaltstack(NULL, &old) != 0 || !(old.ss_flags & SS_DISABLE))
        return;
    void *stack =
        mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED)
        return;
    stack_t own = {.ss_sp = stack, .ss_size = STACK_BYTES};
    if (sigaltstack(&own, NULL) == 0)
        thread.stack = stack;
    else
        munmap(stack, STACK_BYTES);
}

void guard_install(void)
{
    thread.hosts++;
    stack_install();
    if (process.hosts++ > 0)
        return;
    struct sigaction action = {.sa_sigaction = on_crash,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    for (unsigned i = 0; i < ARRAY_SIZE(crash_signals); i++)
        sigaction(crash_signals[i], &action, &process.previous[i]);
}

void guard_uninstall(void)
{
    if (--thread.hosts == 0 && thread.stack) {
        stack_t off = {.ss_flags = SS_DISABLE};
        sigaltstack(&off, NULL);
        munmap(thread.stack, STACK_BYTES);
        thread.stack = NULL;
    }
    if (--process.hosts > 0)
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(crash_signals); i++) {
        struct sigaction now;
        sigaction(crash_signals[i], NULL, &now);
        if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_crash)
            sigaction(crash_signals[i], &process.previous[i], NULL);
    }
}

struct plugin *guard_plugin(void)
{
    const struct helper *helper = direct_helper();
    return thread.top ? thread.top->plugin : helper ? helper->owner : NULL;
}

struct plugin_host *guard_host(void)
{
    return thread.host;
}

void guard_set_host(struct plugin_host *host)
{
    thread.host = host;
}

bool guard_call(struct plugin *plugin, void (*fn)(void *arg), void *arg, struct guard_crash *crash)
{
    struct guard guard;
    guard.outer = thread.top;
    guard.plugin = plugin;
    guard.outer_host = thread.host;
    guard.mark = broker_mark(plugin->host->env.broker);
    guard.entered = plugin->host->entered;
    guard.crash.signal = 0;
    thread.host = plugin->host;
    if (sigsetjmp(guard.jump, 0) == 0) {
        thread.top = &guard;
        plugin->host->entered = guard.entered + 1;
        fn(arg);
    } else {
        broker_unwind(guard.plugin->host->env.broker, guard.mark);
    }
    thread.top = guard.outer;
    thread.host = guard.outer_host;
    guard.plugin->host->entered = guard.entered;
    if (guard.crash.signal == 0)
        return true;
    *crash = guard.crash;
    return false;
}
