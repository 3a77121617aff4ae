// SPDX-License-Identifier: MIT
// syscalls_linux: signals, threads, waiting, futexes.
#include <stdio.h>
#include <string.h>

#include "decode.h"
#include "names.h"

static bool failed(const struct call *call)
{
    return call->ret < 0 && call->ret >= -4095;
}

// [INT CHLD], or ~[...] when most are in it.
void decode_sigset(struct text *t, uint64_t set)
{
    unsigned count = (unsigned)__builtin_popcountll(set);
    bool inverted = count >= 43;
    if (inverted)
        set = ~set;
    text_add(t, inverted ? "~[" : "[");
    bool first = true;
    for (uint32_t s = 1; s <= 64; s++)
        if (set >> (s - 1) & 1) {
            text_printf(t, "%s%s", first ? "" : " ", name_of(signal_names, s) + 3);
            first = false;
        }
    text_add(t, "]");
}

static void decode_sigset_at(struct decoder *d, uint32_t address, size_t size, struct text *t)
{
    uint64_t set = 0;
    if (address && size <= 8 && decode_read(d, address, &set, size) == size)
        decode_sigset(t, set);
    else
        decode_pointer(address, t);
}

static void decode_handler(uint32_t handler, struct text *t)
{
    static const struct name special[] = {{0, "SIG_DFL"}, {1, "SIG_IGN"}, {2, "SIG_HOLD"}, {0, 0}};
    text_value(t, special, handler, NULL);
}

static void decode_sigaction(struct decoder *d, uint32_t address, bool old, struct text *t)
{
    // rt: handler, flags, restorer, mask; old: handler, mask, flags, restorer
    uint32_t a[5] = {0};
    size_t size = old ? 16 : 20;
    if (!address || decode_read(d, address, a, size) < size) {
        decode_pointer(address, t);
        return;
    }
    uint32_t flags = old ? a[2] : a[1], restorer = old ? a[3] : a[2];
    text_add(t, "{sa_handler=");
    decode_handler(a[0], t);
    text_add(t, ", sa_mask=");
    decode_sigset(t, old ? a[1] : (uint64_t)a[4] << 32 | a[3]);
    text_add(t, ", sa_flags=");
    text_bits(t, sa_bits, flags, "SA_???");
    if (flags & 0x04000000)
        text_printf(t, ", sa_restorer=%#x", restorer);
    text_add(t, "}");
}

void decode_siginfo(struct decoder *d, uint32_t address, uint32_t signal, struct text *t)
{
    uint32_t s[8];
    if (!address || decode_read(d, address, s, sizeof s) < sizeof s) {
        decode_pointer(address, t);
        return;
    }
    enum { SIGCHLD = 17, SIGSEGV = 11, SIGBUS = 7, SIGILL = 4, SIGFPE = 8, SIGALRM = 14 };
    uint32_t code = s[2];
    bool user = (int32_t)code <= 0;
    text_add(t, "{si_signo=");
    text_value(t, signal_names, s[0], NULL);
    text_add(t, ", si_code=");
    if (signal == SIGCHLD && !user)
        text_value(t, si_codes_child, code, NULL);
    else if (signal == SIGSEGV && !user)
        text_value(t, si_codes_segv, code, NULL);
    else
        text_value(t, si_codes_user, code, NULL);
    if (user && (int32_t)code != -2) {
        text_printf(t, ", si_pid=%u, si_uid=%u", s[3], s[4]);
        if ((int32_t)code == -1 && s[5])
            text_printf(t, ", si_int=%d, si_ptr=%#x", (int32_t)s[5], s[5]);
    } else if (user) { // SI_TIMER
        text_printf(t, s[3] ? ", si_timerid=%#x" : ", si_timerid=%u", s[3]);
        text_printf(t, ", si_overrun=%d, si_int=%d, si_ptr=", (int32_t)s[4], (int32_t)s[5]);
        decode_pointer(s[5], t);
    } else if (signal == SIGCHLD) {
        text_printf(t, ", si_pid=%u, si_uid=%u, si_status=", s[3], s[4]);
        if (code == 1)
            text_printf(t, "%d", (int32_t)s[5]);
        else
            text_value(t, signal_names, s[5], NULL);
        text_printf(t, ", si_utime=%u, si_stime=%u", s[6], s[7]);
    } else if ((signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE) &&
               code != 0x80) {
        text_add(t, ", si_addr=");
        decode_pointer(s[3], t);
    }
    text_add(t, "}");
}

static void decode_wait_status(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    uint32_t s;
    if (call->ret <= 0 || !call->args[i] || decode_read(d, call->args[i], &s, 4) < 4) {
        decode_pointer(call->args[i], t);
        return;
    }
    if ((s & 0x7F) == 0) {
        text_printf(t, "[{WIFEXITED(s) && WEXITSTATUS(s) == %u}]", s >> 8 & 0xFF);
    } else if ((s & 0xFF) == 0x7F) {
        text_add(t, "[{WIFSTOPPED(s) && WSTOPSIG(s) == ");
        text_value(t, signal_names, s >> 8 & 0xFF, NULL);
        text_add(t, "}]");
    } else if (s == 0xFFFF) {
        text_add(t, "[{WIFCONTINUED(s)}]");
    } else {
        text_add(t, "[{WIFSIGNALED(s) && WTERMSIG(s) == ");
        text_value(t, signal_names, s & 0x7F, NULL);
        text_add(t, s & 0x80 ? " && WCOREDUMP(s)}]" : "}]");
    }
}

static void decode_rusage(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    int32_t v[4];
    if (failed(call) || !call->args[i] || decode_read(d, call->args[i], v, sizeof v) < sizeof v) {
        decode_pointer(call->args[i], t);
        return;
    }
    decode_seconds(t, v[0], v[1], "usec", "{ru_utime=");
    decode_seconds(t, v[2], v[3], "usec", ", ru_stime=");
    text_add(t, ", ...}");
}

static void decode_tms(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    uint32_t v[4];
    if (!call->args[i] || decode_read(d, call->args[i], v, sizeof v) < sizeof v)
        decode_pointer(call->args[i], t);
    else
        text_printf(t, "{tms_utime=%u, tms_stime=%u, tms_cutime=%u, tms_cstime=%u}", v[0], v[1],
                    v[2], v[3]);
}

static void decode_clone_flags(uint32_t flags, bool with_signal, struct text *t)
{
    uint32_t signal = with_signal ? flags & 0xFF : 0;
    if (with_signal)
        flags &= ~0xFFu;
    if (flags || !signal)
        text_bits(t, clone_bits, flags, "CLONE_???");
    if (signal) {
        text_add(t, flags ? "|" : "");
        text_value(t, signal_names, signal, NULL);
    }
}

static void decode_user_desc(struct decoder *d, uint32_t address, struct text *t)
{
    uint32_t u[4];
    if (!address || decode_read(d, address, u, sizeof u) < sizeof u) {
        decode_pointer(address, t);
        return;
    }
    text_printf(t, "{entry_number=%d, base_addr=%#x, limit=0x%06x, seg_32bit=%u, contents=%u, ",
                (int32_t)u[0], u[1], u[2], u[3] & 1, u[3] >> 1 & 3);
    text_printf(t, "read_exec_only=%u, limit_in_pages=%u, seg_not_present=%u, useable=%u}",
                u[3] >> 3 & 1, u[3] >> 4 & 1, u[3] >> 5 & 1, u[3] >> 6 & 1);
}

// clone(flags, stack, parent_tid, tls, child_tid), printed with names.
static void decode_clone(struct decoder *d, struct call *call, struct text *t)
{
    enum { SETTLS = 0x80000, PARENT_SETTID = 0x100000, CHILD = 0x1200000 };
    const uint32_t *a = call->args;
    text_add(t, "child_stack=");
    decode_pointer(a[1], t);
    text_add(t, ", flags=");
    decode_clone_flags(a[0], true, t);
    if (a[0] & PARENT_SETTID) {
        uint32_t tid;
        text_add(t, ", parent_tid=");
        if (!failed(call) && a[2] && decode_read(d, a[2], &tid, 4) == 4)
            text_printf(t, "[%u]", tid);
        else
            decode_pointer(a[2], t);
    }
    if (a[0] & SETTLS) {
        text_add(t, ", tls=");
        decode_user_desc(d, a[3], t);
    }
    if (a[0] & CHILD) {
        text_add(t, ", child_tidptr=");
        decode_pointer(a[4], t);
    }
}

static void decode_clone3(struct decoder *d, struct call *call, struct text *t)
{
    uint64_t a[8] = {0}; // flags, pidfd, child_tid, parent_tid, exit_signal, stack, size, tls
    size_t size = call->args[1] < sizeof a ? call->args[1] : sizeof a;
    if (size < 64 || decode_read(d, call->args[0], a, size) < size) {
        decode_pointer(call->args[0], t);
        return;
    }
    text_add(t, "{flags=");
    decode_clone_flags((uint32_t)a[0], false, t);
    if (a[0] & 0x1200000)
        text_printf(t, ", child_tid=%#llx", (unsigned long long)a[2]);
    if (a[0] & 0x100000)
        text_printf(t, ", parent_tid=%#llx", (unsigned long long)a[3]);
    text_add(t, ", exit_signal=");
    text_value(t, signal_names, (uint32_t)a[4], NULL);
    text_add(t, ", stack=");
    decode_pointer((uint32_t)a[5], t);
    text_printf(t, a[6] ? ", stack_size=%#llx" : ", stack_size=%llu", (unsigned long long)a[6]);
    if (a[0] & 0x80000) {
        text_add(t, ", tls=");
        decode_user_desc(d, (uint32_t)a[7], t);
    }
    text_add(t, "}");
    uint32_t tid;
    if (!failed(call) && a[0] & 0x100000 && decode_read(d, (uint32_t)a[3], &tid, 4) == 4)
        text_printf(t, " => {parent_tid=[%u]}", tid);
}

// FUTEX_OP_SET<<28|0x6<<12|FUTEX_OP_CMP_EQ<<24|0x6
static void decode_wake_op(uint32_t v, struct text *t)
{
    text_add(t, ", ");
    if (v >> 31)
        text_add(t, "FUTEX_OP_OPARG_SHIFT<<28|");
    text_value(t, futex_op_names, v >> 28 & 7, "FUTEX_OP_???");
    text_printf(t, "<<28|%#x<<12|", v >> 12 & 0xFFF);
    text_value(t, futex_cmp_names, v >> 24 & 0xF, "FUTEX_OP_CMP_???");
    text_printf(t, "<<24|%#x", v & 0xFFF);
}

static void decode_futex(struct decoder *d, struct call *call, struct text *t)
{
    enum {
        WAIT,
        WAKE,
        FD,
        REQUEUE,
        CMP_REQUEUE,
        WAKE_OP,
        LOCK_PI,
        UNLOCK_PI,
        TRYLOCK_PI,
        WAIT_BITSET,
        WAKE_BITSET
    };
    const uint32_t *a = call->args;
    uint32_t op = a[1] & 0x7F;
    decode_pointer(a[0], t);
    const char *name = name_of(futex_names, op);
    text_printf(t, ", %s%s%s", name ? name : "FUTEX_???", a[1] & 0x80 ? "_PRIVATE" : "",
                a[1] & 0x100 ? "|FUTEX_CLOCK_REALTIME" : "");
    if (op == UNLOCK_PI || op == TRYLOCK_PI)
        return;
    if (op != LOCK_PI)
        text_printf(t, ", %u", a[2]);
    if (op == WAIT || op == WAIT_BITSET || op == LOCK_PI) {
        static const struct syscall_row wide = {"", RET_DEC, {[3] = ARG_TIMESPEC64}},
                                        narrow = {"", RET_DEC, {[3] = ARG_TIMESPEC}};
        struct call copy = *call;
        copy.row = call->nr == 422 ? &wide : &narrow;
        text_add(t, ", ");
        decode_struct(d, &copy, 3, t);
    }
    if (op == REQUEUE || op == CMP_REQUEUE || op == WAKE_OP) {
        text_printf(t, ", %u, ", a[3]);
        decode_pointer(a[4], t);
    }
    if (op == CMP_REQUEUE)
        text_printf(t, ", %u", a[5]);
    if (op == WAKE_OP)
        decode_wake_op(a[5], t);
    if (op == WAIT_BITSET || op == WAKE_BITSET) {
        if (op == WAIT_BITSET)
            text_add(t, ", ");
        else
            text_add(t, ", ");
        if (a[5] == UINT32_MAX)
            text_add(t, "FUTEX_BITSET_MATCH_ANY");
        else
            text_printf(t, "%#x", a[5]);
    }
}

static void decode_frame(struct decoder *d, struct call *call, bool rt, struct text *t)
{
    // rt: the frame without its return address: sig, pinfo, puc, siginfo, ucontext with the mask
    // at its end. Else: what is left behind POP: sigcontext with the mask, extramask.
    enum { OLDMASK = 20 * 4, EXTRAMASK = 88 + 624, RT_MASK = 12 + 128 + 20 + 88 };
    uint32_t esp = call->entry_esp, low = 0, high = 0;
    if (rt) {
        decode_read(d, esp + RT_MASK, &low, 4);
        decode_read(d, esp + RT_MASK + 4, &high, 4);
    } else {
        decode_read(d, esp + OLDMASK, &low, 4);
        decode_read(d, esp + EXTRAMASK, &high, 4);
    }
    text_add(t, "{mask=");
    decode_sigset(t, (uint64_t)high << 32 | low);
    text_add(t, "}");
}

static void decode_stack(struct decoder *d, uint32_t address, struct text *t)
{
    uint32_t s[3];
    if (!address || decode_read(d, address, s, sizeof s) < sizeof s) {
        decode_pointer(address, t);
        return;
    }
    text_add(t, "{ss_sp=");
    decode_pointer(s[0], t);
    text_add(t, ", ss_flags=");
    text_bits(t, ss_bits, s[1], "SS_???");
    text_printf(t, ", ss_size=%u}", s[2]);
}

static void decode_groups(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    bool wide = call->nr >= 200;
    if (call->ret < 0 || !call->args[0]) {
        decode_pointer(call->args[i], t);
        return;
    }
    text_add(t, "[");
    for (int32_t k = 0; k < call->ret && k < 64; k++) {
        uint32_t g = 0;
        decode_read(d, call->args[i] + (uint32_t)k * (wide ? 4 : 2), &g, wide ? 4 : 2);
        text_printf(t, k ? ", %u" : "%u", g);
    }
    text_add(t, "]");
}

static void decode_cpuset(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    uint8_t set[128] = {0};
    if (call->ret <= 0 || call->ret > 128 ||
        decode_read(d, call->args[i], set, (uint32_t)call->ret) < (uint32_t)call->ret) {
        decode_pointer(call->args[i], t);
        return;
    }
    text_add(t, "[");
    bool first = true;
    for (int32_t n = 0; n < call->ret * 8; n++)
        if (set[n / 8] & 1 << n % 8) {
            text_printf(t, first ? "%d" : " %d", n);
            first = false;
        }
    text_add(t, "]");
}

static void decode_pselect_mask(struct decoder *d, uint32_t address, struct text *t)
{
    uint32_t m[2];
    if (!address || decode_read(d, address, m, sizeof m) < sizeof m) {
        decode_pointer(address, t);
        return;
    }
    text_add(t, "{sigmask=");
    decode_sigset_at(d, m[0], m[1], t);
    text_printf(t, ", sigsetsize=%u}", m[1]);
}

void decode_process(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    uint32_t v = call->args[i];
    bool bad = failed(call);
    enum arg_kind kind = call->row->args[i];
    switch (kind) {
    case ARG_SIGSET:
        decode_sigset_at(d, v, 8, t);
        break;
    case ARG_OLDSIGSET:
        decode_sigset_at(d, v, 4, t);
        break;
    case ARG_SIGSET_OUT:
    case ARG_OLDSIGSET_OUT:
        if (bad)
            decode_pointer(v, t);
        else
            decode_sigset_at(d, v, kind == ARG_SIGSET_OUT ? 8 : 4, t);
        break;
    case ARG_OLDSIGMASK:
        if (i == 2)
            decode_sigset(t, v);
        break;
    case ARG_HANDLER:
        decode_handler(v, t);
        break;
    case ARG_SIGACTION:
    case ARG_OLDSIGACTION:
        decode_sigaction(d, v, kind == ARG_OLDSIGACTION, t);
        break;
    case ARG_SIGACTION_OUT:
    case ARG_OLDSIGACTION_OUT:
        if (bad)
            decode_pointer(v, t);
        else
            decode_sigaction(d, v, kind == ARG_OLDSIGACTION_OUT, t);
        break;
    case ARG_SIGINFO_OUT:
        if (bad)
            decode_pointer(v, t);
        else
            decode_siginfo(d, v, (uint32_t)call->ret, t);
        break;
    case ARG_SIGFRAME:
    case ARG_RTSIGFRAME:
        decode_frame(d, call, kind == ARG_RTSIGFRAME, t);
        break;
    case ARG_STACK:
        decode_stack(d, v, t);
        break;
    case ARG_STACK_OUT:
        if (bad)
            decode_pointer(v, t);
        else
            decode_stack(d, v, t);
        break;
    case ARG_WSTATUS:
        decode_wait_status(d, call, i, t);
        break;
    case ARG_RUSAGE:
        decode_rusage(d, call, i, t);
        break;
    case ARG_TMS:
        decode_tms(d, call, i, t);
        break;
    case ARG_CLONE:
        decode_clone(d, call, t);
        break;
    case ARG_CLONE3:
        decode_clone3(d, call, t);
        break;
    case ARG_USERDESC:
        decode_user_desc(d, v, t);
        break;
    case ARG_FUTEX:
        decode_futex(d, call, t);
        break;
    case ARG_GROUPS_OUT:
        decode_groups(d, call, i, t);
        break;
    case ARG_CPUSET:
        decode_cpuset(d, call, i, t);
        break;
    case ARG_PSELECT_MASK:
        decode_pselect_mask(d, v, t);
        break;
    default:
        decode_more(d, call, i, t);
        break;
    }
}
