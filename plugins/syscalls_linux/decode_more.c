// SPDX-License-Identifier: MIT
// syscalls_linux: structures and arguments of rarer calls: files, timers, scheduling, system.
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "decode.h"
#include "names.h"

enum { MAX_LIST = 64, UTIME_NOW_NS = 0x3fffffff, UTIME_OMIT_NS = 0x3ffffffe };

static bool failed(const struct call *call)
{
    return call->ret < 0 && call->ret >= -4095;
}

// False: it is not readable, and its address was printed. `out`: written by a call that succeeds.
static bool get(struct decoder *d, const struct call *call, uint32_t address, void *buffer,
                size_t size, bool out, struct text *t)
{
    if (address && !(out && failed(call)) && decode_read(d, address, buffer, size) == size)
        return true;
    decode_pointer(address, t);
    return false;
}

static void add_date(struct text *t, int64_t seconds, int32_t fraction, int digits)
{
    char date[64];
    struct tm tm;
    time_t when = (time_t)seconds;
    if ((!seconds && !fraction) || !gmtime_r(&when, &tm) ||
        !strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm))
        return;
    text_printf(t, " /* %s", date);
    if (fraction)
        text_printf(t, ".%0*d", digits, fraction);
    text_add(t, "+0000 */");
}

static void add_file_time(struct text *t, int64_t seconds, int32_t ns)
{
    if (ns == UTIME_NOW_NS || ns == UTIME_OMIT_NS) {
        text_add(t, ns == UTIME_NOW_NS ? "UTIME_NOW" : "UTIME_OMIT");
        return;
    }
    decode_seconds(t, seconds, ns, "nsec", "");
    add_date(t, seconds, ns, 9);
}

static void decode_file_times(struct decoder *d, struct call *call, uint32_t v, struct text *t)
{
    int64_t w[4];
    int32_t n[4];
    if (call->row->args[2] == ARG_TIMESPEC64_2) {
        if (!get(d, call, v, w, sizeof w, false, t))
            return;
        text_add(t, "[");
        add_file_time(t, w[0], (int32_t)w[1]);
        text_add(t, ", ");
        add_file_time(t, w[2], (int32_t)w[3]);
    } else {
        if (!get(d, call, v, n, sizeof n, false, t))
            return;
        text_add(t, "[");
        add_file_time(t, n[0], n[1]);
        text_add(t, ", ");
        add_file_time(t, n[2], n[3]);
    }
    text_add(t, "]");
}

static void decode_timeval_pair(struct decoder *d, struct call *call, uint32_t v, struct text *t)
{
    int32_t n[4];
    if (!get(d, call, v, n, sizeof n, false, t))
        return;
    text_add(t, "[");
    for (unsigned i = 0; i < 4; i += 2) {
        decode_seconds(t, n[i], n[i + 1], "usec", i ? ", " : "");
        add_date(t, n[i], n[i + 1], 6);
    }
    text_add(t, "]");
}

static void decode_utimbuf(struct decoder *d, struct call *call, uint32_t v, struct text *t)
{
    int32_t n[2];
    if (!get(d, call, v, n, sizeof n, false, t))
        return;
    text_printf(t, "{actime=%d", n[0]);
    add_date(t, n[0], 0, 0);
    text_printf(t, ", modtime=%d", n[1]);
    add_date(t, n[1], 0, 0);
    text_add(t, "}");
}

static void decode_itimerspec(struct decoder *d, struct call *call, uint32_t v, bool wide, bool out,
                              struct text *t)
{
    int64_t w[4];
    int32_t n[4];
    if (!get(d, call, v, wide ? (void *)w : n, wide ? sizeof w : sizeof n, out, t))
        return;
    for (unsigned i = 0; i < 4 && !wide; i++)
        w[i] = n[i];
    decode_seconds(t, w[0], (int32_t)w[1], "nsec", "{it_interval=");
    decode_seconds(t, w[2], (int32_t)w[3], "nsec", ", it_value=");
    text_add(t, "}");
}

static void decode_sigevent(struct decoder *d, struct call *call, uint32_t v, struct text *t)
{
    uint32_t e[4];
    enum { NONE = 1, THREAD_ID = 4 };
    if (!get(d, call, v, e, sizeof e, false, t))
        return;
    text_add(t, "{");
    if (e[0])
        text_printf(t, "sigev_value={sival_int=%d, sival_ptr=%#x}, ", (int32_t)e[0], e[0]);
    text_add(t, "sigev_signo=");
    if (e[2] == NONE)
        text_printf(t, "%u", e[1]);
    else
        text_value(t, signal_names, e[1], NULL);
    text_add(t, ", sigev_notify=");
    text_value(t, sigev_names, e[2], "SIGEV_???");
    if (e[2] == THREAD_ID)
        text_printf(t, ", sigev_notify_thread_id=%u", e[3]);
    text_add(t, "}");
}

static void decode_sysinfo(struct decoder *d, struct call *call, uint32_t v, struct text *t)
{
    uint32_t s[14];
    if (!get(d, call, v, s, sizeof s, true, t))
        return;
    text_printf(t, "{uptime=%u, loads=[%u, %u, %u], totalram=%u, freeram=%u, sharedram=%u, ", s[0],
                s[1], s[2], s[3], s[4], s[5], s[6]);
    text_printf(t, "bufferram=%u, totalswap=%u, freeswap=%u, procs=%u, totalhigh=%u, freehigh=%u, ",
                s[7], s[8], s[9], s[10] & 0xFFFF, s[11], s[12]);
    text_printf(t, "mem_unit=%u}", s[13]);
}

static void decode_statfs(struct decoder *d, struct call *call, uint32_t v, bool wide,
                          struct text *t)
{
    uint32_t s[21], n[16];
    uint64_t w[5];
    if (!get(d, call, v, wide ? s : n, wide ? 84 : 64, true, t))
        return;
    const uint32_t *tail = wide ? s + 12 : n + 7;
    for (unsigned i = 0; i < 5; i++)
        w[i] = wide ? s[2 + 2 * i] | (uint64_t)s[3 + 2 * i] << 32 : n[2 + i];
    text_add(t, "{f_type=");
    text_value(t, fs_names, wide ? s[0] : n[0], NULL);
    text_printf(t, ", f_bsize=%u, f_blocks=%llu, f_bfree=%llu, f_bavail=%llu, f_files=%llu, ",
                wide ? s[1] : n[1], (unsigned long long)w[0], (unsigned long long)w[1],
                (unsigned long long)w[2], (unsigned long long)w[3]);
    text_printf(t, "f_ffree=%llu, f_fsid={val=[", (unsigned long long)w[4]);
    text_printf(t, tail[0] ? "%#x, " : "%u, ", tail[0]);
    text_printf(t, tail[1] ? "%#x" : "%u", tail[1]);
    text_printf(t, "]}, f_namelen=%u, f_frsize=%u, f_flags=", tail[2], tail[3]);
    text_bits(t, st_bits, tail[4], "ST_???");
    text_add(t, "}");
}

static void decode_open_how(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    uint64_t h[3];
    enum { CREATE = 0100, TMPFILE = 020000000 };
    if (call->args[i + 1] < sizeof h || !get(d, call, call->args[i], h, sizeof h, false, t)) {
        if (call->args[i + 1] < sizeof h)
            decode_pointer(call->args[i], t);
        return;
    }
    text_add(t, "{flags=");
    decode_open_flags((uint32_t)h[0], true, t);
    if (h[0] & (CREATE | TMPFILE))
        text_printf(t, ", mode=%#03o", (unsigned)h[1]);
    text_add(t, ", resolve=");
    text_bits(t, resolve_bits, (uint32_t)h[2], "RESOLVE_???");
    text_add(t, "}");
}

static void decode_cpus(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    uint8_t set[128];
    uint32_t size = call->args[i - 1] < sizeof set ? call->args[i - 1] : sizeof set;
    if (!get(d, call, call->args[i], set, size, false, t))
        return;
    text_add(t, "[");
    bool first = true;
    for (uint32_t n = 0; n < size * 8; n++)
        if (set[n / 8] & 1 << n % 8) {
            text_printf(t, first ? "%u" : " %u", n);
            first = false;
        }
    text_add(t, "]");
}

static void decode_group_list(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    bool wide = call->nr >= 200;
    uint32_t count = call->args[i - 1];
    if (!call->args[i] || count > 65536) {
        decode_pointer(call->args[i], t);
        return;
    }
    text_add(t, "[");
    for (uint32_t k = 0; k < count; k++) {
        uint32_t g = 0;
        if (k == d->string_limit) {
            text_add(t, ", ...");
            break;
        }
        decode_read(d, call->args[i] + k * (wide ? 4 : 2), &g, wide ? 4 : 2);
        text_printf(t, k ? ", %u" : "%u", g);
    }
    text_add(t, "]");
}

static void decode_resident(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    uint8_t page[MAX_LIST];
    uint32_t count = (call->args[1] + 4095) / 4096;
    uint32_t n = count < d->string_limit ? count : d->string_limit;
    if (n > sizeof page)
        n = sizeof page;
    if (!get(d, call, call->args[i], page, n, true, t))
        return;
    text_add(t, "[");
    for (uint32_t k = 0; k < n; k++)
        text_printf(t, k ? ", %u" : "%u", page[k] & 1u);
    text_add(t, n < count ? ", ...]" : "]");
}

// Vectors whose memory is another process's, or not to be shown.
void decode_addresses(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    uint32_t address = call->args[i], v[2];
    if (!address) {
        text_add(t, "NULL");
        return;
    }
    text_add(t, "[");
    for (uint32_t k = 0; k < call->args[i + 1] && k < MAX_LIST; k++) {
        if (decode_read(d, address + k * 8, v, 8) < 8)
            break;
        text_add(t, k ? ", {iov_base=" : "{iov_base=");
        decode_pointer(v[0], t);
        text_printf(t, ", iov_len=%u}", v[1]);
    }
    text_add(t, "]");
}

static void decode_handle(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    uint32_t h[2];
    if (!get(d, call, call->args[i], h, sizeof h, false, t))
        return;
    text_printf(t, "{handle_bytes=%u", h[0]);
    if (!failed(call)) {
        text_printf(t, ", handle_type=%d, f_handle=", (int32_t)h[1]);
        decode_bytes(d, call->args[i] + 8, h[0] < 128 ? h[0] : 128, true, t);
    }
    text_add(t, "}");
}

static void decode_prctl(struct call *call, unsigned i, struct text *t)
{
    enum { SET_PDEATHSIG = 1, SET_DUMPABLE = 4, CAPBSET_READ = 23, CAPBSET_DROP = 24 };
    uint32_t v = call->args[i];
    switch (call->args[0]) {
    case SET_PDEATHSIG:
        text_value(t, signal_names, v, NULL);
        break;
    case SET_DUMPABLE:
        text_value(t, dumpable_names, v, "SUID_DUMP_???");
        break;
    case CAPBSET_READ:
    case CAPBSET_DROP:
        text_value(t, capability_names, v, "CAP_???");
        break;
    case 8:  // PR_SET_KEEPCAPS
    case 36: // PR_SET_CHILD_SUBREAPER
    case 38: // PR_SET_NO_NEW_PRIVS
        text_printf(t, "%u", v);
        break;
    default:
        text_printf(t, v ? "%#x" : "%u", v);
        break;
    }
}

// Whether prctl's argument i is one that the operation takes.
static bool prctl_takes(uint32_t operation, unsigned i)
{
    switch (operation) {
    case 3: // PR_GET_DUMPABLE and others without arguments
    case 7:
    case 21:
    case 27:
    case 39:
        return i == 0 || operation == 39;
    case 1:
    case 2:
    case 4:
    case 8:
    case 15:
    case 16:
    case 23:
    case 24:
    case 36:
    case 37:
        return i <= 1;
    default:
        return true;
    }
}

static void decode_ptrace(struct call *call, unsigned i, struct text *t)
{
    enum { TRACEME = 0, KILL = 8, ATTACH = 16, INTERRUPT = 0x4207 };
    uint32_t op = call->args[0];
    if (op == TRACEME || (i > 1 && (op == ATTACH || op == KILL || op == INTERRUPT)))
        return;
    if (i == 1)
        text_printf(t, "%d", (int32_t)call->args[1]);
    else
        decode_pointer(call->args[i], t);
}

static void decode_list_of_one(struct decoder *d, struct call *call, uint32_t v, bool out,
                               struct text *t)
{
    int32_t n;
    if (get(d, call, v, &n, 4, out, t))
        text_printf(t, "[%d]", n);
}

void decode_more(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    uint32_t v = call->args[i];
    enum arg_kind kind = call->row->args[i];
    switch (kind) {
    case ARG_SKIP:
        break;
    case ARG_TIMESPEC2:
    case ARG_TIMESPEC64_2:
        decode_file_times(d, call, v, t);
        break;
    case ARG_TIMEVAL2:
        decode_timeval_pair(d, call, v, t);
        break;
    case ARG_UTIMBUF:
        decode_utimbuf(d, call, v, t);
        break;
    case ARG_ITIMERSPEC:
    case ARG_ITIMERSPEC64:
        decode_itimerspec(d, call, v, kind == ARG_ITIMERSPEC64, false, t);
        break;
    case ARG_ITIMERSPEC_OUT:
    case ARG_ITIMERSPEC64_OUT:
        decode_itimerspec(d, call, v, kind == ARG_ITIMERSPEC64_OUT, true, t);
        break;
    case ARG_SIGEVENT:
        decode_sigevent(d, call, v, t);
        break;
    case ARG_SYSINFO:
        decode_sysinfo(d, call, v, t);
        break;
    case ARG_STATFS:
    case ARG_STATFS64:
        decode_statfs(d, call, v, kind == ARG_STATFS64, t);
        break;
    case ARG_OPENHOW:
        decode_open_how(d, call, i, t);
        break;
    case ARG_CPUSET_IN:
        decode_cpus(d, call, i, t);
        break;
    case ARG_GROUPS:
        decode_group_list(d, call, i, t);
        break;
    case ARG_RESIDENT:
        decode_resident(d, call, i, t);
        break;
    case ARG_IOVEC_ADDR:
        decode_addresses(d, call, i, t);
        break;
    case ARG_HANDLE_OUT:
        decode_handle(d, call, i, t);
        break;
    case ARG_SCHEDPARAM:
    case ARG_SCHEDPARAM_OUT:
    case ARG_INTP_OUT:
        decode_list_of_one(d, call, v, kind != ARG_SCHEDPARAM, t);
        break;
    case ARG_SIGINFO:
        decode_siginfo(d, v, i > 1 ? call->args[i - 1] : 0, t);
        break;
    case ARG_WAITINFO:
        if (failed(call))
            decode_pointer(v, t);
        else
            decode_siginfo(d, v, 17, t);
        break;
    case ARG_PRCTL_ARG:
    case ARG_PRCTL_MORE:
        if (i == 1 && (call->args[0] == 15 || call->args[0] == 16))
            decode_string(d, v, 15, t);
        else if (prctl_takes(call->args[0], i))
            decode_prctl(call, i, t);
        break;
    case ARG_PTRACE_ARG:
        decode_ptrace(call, i, t);
        break;
    case ARG_CPUIF:
        if (call->args[i - 1] & 1)
            text_printf(t, "%d", (int32_t)v);
        break;
    case ARG_PERSONALITY:
        if (v == UINT32_MAX)
            text_printf(t, "%#x", v);
        else
            text_value(t, personality_names, v, NULL);
        break;
    case ARG_STR_IN:
        decode_bytes(d, v, call->args[i + 1], false, t);
        break;
    default:
        decode_net(d, call, i, t);
        break;
    }
}

void decode_more_result(struct call *call, struct text *t)
{
    uint32_t v = (uint32_t)call->ret;
    switch (call->row->ret) {
    case RET_SIGNAL:
        text_printf(t, "%u (", v);
        text_value(t, signal_names, v, NULL);
        text_add(t, ")");
        break;
    case RET_HANDLER:
        text_printf(t, v ? "%#x" : "%u", v);
        if (v <= 1)
            text_add(t, v ? " (SIG_IGN)" : " (SIG_DFL)");
        break;
    case RET_IOPRIO:
        text_printf(t, v ? "%#x (IOPRIO_PRIO_VALUE(" : "%u (IOPRIO_PRIO_VALUE(", v);
        text_value(t, ioprio_class_names, v >> 13, "IOPRIO_CLASS_???");
        text_printf(t, ", %u))", v & 0x1FFF);
        break;
    case RET_PERSONALITY:
        text_printf(t, v ? "%#x (" : "%u (", v);
        text_value(t, personality_names, v, NULL);
        text_add(t, ")");
        break;
    case RET_MEMBARRIER:
        text_printf(t, v ? "%#x" : "%u", v);
        if (v && call->args[0] == 0) {
            text_add(t, " (");
            text_bits(t, membarrier_names + 1, v, NULL);
            text_add(t, ")");
        }
        break;
    case RET_PRCTL:
        text_printf(t, "%d", call->ret);
        if (call->args[0] == 3 && name_of(dumpable_names, v)) {
            text_add(t, " (");
            text_value(t, dumpable_names, v, NULL);
            text_add(t, ")");
        }
        break;
    default:
        text_printf(t, "%d", call->ret);
        break;
    }
}
