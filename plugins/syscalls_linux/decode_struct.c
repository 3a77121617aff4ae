// SPDX-License-Identifier: MIT
// syscalls_linux: times, files, limits and other structures of the i386 ABI.
#include <stdio.h>
#include <string.h>

#include "decode.h"
#include "names.h"

static bool failed(const struct call *call)
{
    return call->ret < 0 && call->ret >= -4095;
}

// Reads a structure; what is not there prints as its address.
static bool get(struct decoder *d, uint32_t address, void *buffer, size_t size, struct text *t)
{
    if (address && decode_read(d, address, buffer, size) == size)
        return true;
    decode_pointer(address, t);
    return false;
}

static bool get_out(struct decoder *d, struct call *call, unsigned i, void *buffer, size_t size,
                    struct text *t)
{
    if (!failed(call))
        return get(d, call->args[i], buffer, size, t);
    decode_pointer(call->args[i], t);
    return false;
}

void decode_seconds(struct text *t, int64_t seconds, int64_t fraction, const char *name,
                    const char *prefix)
{
    text_printf(t, "%s{tv_sec=%lld, tv_%s=%lld}", prefix, (long long)seconds, name,
                (long long)fraction);
}

static void decode_time(struct decoder *d, uint32_t address, bool wide, const char *name,
                        struct text *t)
{
    int64_t w[2];
    int32_t n[2];
    if (wide) {
        if (get(d, address, w, sizeof w, t))
            decode_seconds(t, w[0], (int32_t)w[1], name, "");
    } else if (get(d, address, n, sizeof n, t)) {
        decode_seconds(t, n[0], n[1], name, "");
    }
}

static void decode_itimerval(struct decoder *d, uint32_t address, struct text *t)
{
    int32_t v[4];
    if (!get(d, address, v, sizeof v, t))
        return;
    decode_seconds(t, v[0], v[1], "usec", "{it_interval=");
    decode_seconds(t, v[2], v[3], "usec", ", it_value=");
    text_add(t, "}");
}

static void decode_mode_field(uint32_t mode, struct text *t)
{
    const char *type = name_of(mode_types, mode & 0170000);
    text_printf(t, "%s%s%s%s%s%#03o", type ? type : "", type ? "|" : "",
                mode & 04000 ? "S_ISUID|" : "", mode & 02000 ? "S_ISGID|" : "",
                mode & 01000 ? "S_ISVTX|" : "", mode & 0777);
}

static bool is_device(uint32_t mode)
{
    return (mode & 0170000) == 0020000 || (mode & 0170000) == 0060000;
}

static void decode_stat64(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    uint8_t s[96];
    if (!get_out(d, call, i, s, sizeof s, t))
        return;
    uint32_t mode;
    uint64_t device, size;
    memcpy(&mode, s + 16, 4);
    memcpy(&device, s + 32, 8);
    memcpy(&size, s + 44, 8);
    text_add(t, "{st_mode=");
    decode_mode_field(mode, t);
    if (is_device(mode)) {
        unsigned major = (unsigned)(device >> 8 & 0xFFF);
        unsigned minor = (unsigned)((device & 0xFF) | (device >> 12 & 0xFFF00));
        text_printf(t,
                    major ? minor ? ", st_rdev=makedev(%#x, %#x), ...}"
                                  : ", st_rdev=makedev(%#x, %u), ...}"
                          : ", st_rdev=makedev(%u, %#x), ...}",
                    major, minor);
    } else {
        text_printf(t, ", st_size=%llu, ...}", (unsigned long long)size);
    }
}

static void decode_statx(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    uint8_t s[256];
    if (!get_out(d, call, i, s, sizeof s, t))
        return;
    uint32_t mask;
    uint16_t mode;
    uint64_t attributes, size;
    memcpy(&mask, s, 4);
    memcpy(&attributes, s + 8, 8);
    memcpy(&mode, s + 28, 2);
    memcpy(&size, s + 40, 8);
    text_add(t, "{stx_mask=");
    text_bits(t, statx_mask_bits, mask, "STATX_???");
    text_printf(
        t, attributes ? ", stx_attributes=%#llx, stx_mode=" : ", stx_attributes=%llu, stx_mode=",
        (unsigned long long)attributes);
    decode_mode_field(mode, t);
    text_printf(t, ", stx_size=%llu, ...}", (unsigned long long)size);
}

static void decode_limit(struct decoder *d, struct call *call, unsigned i, bool wide, bool out,
                         struct text *t)
{
    uint64_t v[2];
    uint32_t n[2];
    if (out && failed(call)) {
        decode_pointer(call->args[i], t);
        return;
    }
    if (!get(d, call->args[i], wide ? (void *)v : n, wide ? sizeof v : sizeof n, t))
        return;
    for (unsigned k = 0; k < 2; k++) {
        uint64_t limit = wide ? v[k] : n[k];
        bool infinite = wide ? limit == UINT64_MAX : limit == UINT32_MAX;
        text_add(t, k ? ", rlim_max=" : "{rlim_cur=");
        if (infinite)
            text_add(t, wide ? "RLIM64_INFINITY" : "RLIM_INFINITY");
        else if (limit > 1024 && limit % 1024 == 0)
            text_printf(t, "%llu*1024", (unsigned long long)(limit / 1024));
        else
            text_printf(t, "%llu", (unsigned long long)limit);
    }
    text_add(t, "}");
}

static void decode_utsname(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    char u[6 * 65];
    if (!get_out(d, call, i, u, sizeof u, t))
        return;
    u[64] = u[129] = '\0';
    text_add(t, "{sysname=");
    text_quote(t, u, strlen(u), false);
    text_add(t, ", nodename=");
    text_quote(t, u + 65, strlen(u + 65), false);
    text_add(t, ", ...}");
}

static void decode_dirents(struct decoder *d, struct call *call, unsigned i, bool wide,
                           struct text *t)
{
    decode_pointer(call->args[i], t);
    unsigned n = 0;
    uint32_t at = 0;
    while (call->ret > 0 && at + 8 < (uint32_t)call->ret && n < 65536) {
        uint16_t length = 0;
        if (decode_read(d, call->args[i] + at + (wide ? 16 : 8), &length, 2) < 2 || length == 0)
            break;
        at += length;
        n++;
    }
    if (call->ret >= 0)
        text_printf(t, " /* %u entr%s */", n, n == 1 ? "y" : "ies");
}

static void decode_fdset(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    uint8_t set[128] = {0};
    uint32_t n = call->args[0] < 1024 ? call->args[0] : 1024;
    if (!call->args[i] ||
        decode_read(d, call->args[i], set, (n + 31) / 32 * 4) < (n + 31) / 32 * 4) {
        decode_pointer(call->args[i], t);
        return;
    }
    text_add(t, "[");
    bool first = true;
    for (uint32_t fd = 0; fd < n; fd++)
        if (set[fd / 8] & 1 << fd % 8) {
            text_printf(t, first ? "%u" : " %u", fd);
            first = false;
        }
    text_add(t, "]");
}

static void decode_pollfds(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    if (!call->args[i]) {
        text_add(t, "NULL");
        return;
    }
    text_add(t, "[");
    for (uint32_t k = 0; k < call->args[i + 1]; k++) {
        struct {
            int32_t fd;
            uint16_t events, revents;
        } p;
        if (k)
            text_add(t, ", ");
        if (k >= d->string_limit) {
            text_add(t, "...");
            break;
        }
        if (decode_read(d, call->args[i] + k * 8, &p, 8) < 8)
            break;
        text_printf(t, "{fd=%d", p.fd);
        if (p.fd >= 0) {
            text_add(t, ", events=");
            text_bits(t, poll_bits, p.events, "POLL???");
        }
        text_add(t, "}");
    }
    text_add(t, "]");
}

void decode_iovec(struct decoder *d, uint32_t address, uint32_t count, uint32_t limit,
                  struct text *t)
{
    if (!address) {
        text_add(t, "NULL");
        return;
    }
    text_add(t, "[");
    for (uint32_t k = 0; k < count && k < 1024; k++) {
        uint32_t v[2];
        if (decode_read(d, address + k * 8, v, 8) < 8)
            break;
        text_add(t, k ? ", {iov_base=" : "{iov_base=");
        uint32_t n = v[1] < limit ? v[1] : limit;
        decode_bytes(d, v[0], n, false, t);
        limit -= n;
        text_printf(t, ", iov_len=%u}", v[1]);
    }
    text_add(t, "]");
}

static void decode_epoll_event(struct decoder *d, uint32_t address, struct text *t)
{
    struct {
        uint32_t events, low, high;
    } e;
    if (!get(d, address, &e, sizeof e, t))
        return;
    text_add(t, "{events=");
    text_bits(t, epoll_bits, e.events, "EPOLL???");
    text_printf(t, ", data={u32=%u, u64=%llu}}", e.low,
                (unsigned long long)e.low | (unsigned long long)e.high << 32);
}

static void decode_epoll_events(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    if (call->ret < 0) {
        decode_pointer(call->args[i], t);
        return;
    }
    text_add(t, "[");
    for (uint32_t k = 0; k < (uint32_t)call->ret && k < 64; k++) {
        if (k)
            text_add(t, ", ");
        decode_epoll_event(d, call->args[i] + k * 12, t);
    }
    text_add(t, "]");
}

static void decode_lock(struct decoder *d, uint32_t address, bool wide, struct text *t)
{
    uint8_t b[24];
    if (!get(d, address, b, wide ? 24 : 16, t))
        return;
    int16_t type, whence;
    int64_t start = 0, length = 0;
    int32_t narrow[2];
    memcpy(&type, b, 2);
    memcpy(&whence, b + 2, 2);
    if (wide) {
        memcpy(&start, b + 4, 8);
        memcpy(&length, b + 12, 8);
    } else {
        memcpy(narrow, b + 4, 8);
        start = narrow[0];
        length = narrow[1];
    }
    text_add(t, "{l_type=");
    text_value(t, lock_names, (uint32_t)type, "F_???");
    text_add(t, ", l_whence=");
    text_value(t, whence_names, (uint32_t)whence, "SEEK_???");
    text_printf(t, ", l_start=%lld, l_len=%lld}", (long long)start, (long long)length);
}

static void decode_fcntl(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    uint32_t v = call->args[i];
    switch (call->args[i - 1]) {
    case 1: // those without an argument
    case 3:
    case 9:
    case 11:
    case 1025:
    case 1032:
    case 1034:
        break;
    case 2:
        text_bits(t, fd_bits, v, "FD_???");
        break;
    case 4:
        if (!(v & 3))
            text_add(t, v ? "O_RDONLY|" : "O_RDONLY");
        if (v)
            text_bits(t, open_bits, v, "O_???");
        break;
    case 5:
    case 6:
    case 7:
        decode_lock(d, v, false, t);
        break;
    case 12:
    case 13:
    case 14:
        decode_lock(d, v, true, t);
        break;
    case 1026:
        text_bits(t, notify_bits, v, "DN_???");
        break;
    case 1033:
        text_bits(t, seal_bits, v, "F_SEAL_???");
        break;
    case 0:
    case 8:
    case 1030:
    case 1031:
        text_printf(t, "%d", (int32_t)v);
        break;
    default:
        text_printf(t, "%#x", v);
        break;
    }
}

static void decode_termios(struct decoder *d, uint32_t address, struct text *t)
{
    static const char *const speeds[] = {"B0",    "B50",   "B75",    "B110",  "B134",  "B150",
                                         "B200",  "B300",  "B600",   "B1200", "B1800", "B2400",
                                         "B4800", "B9600", "B19200", "B38400"};
    static const char *const fast[] = {"?", "B57600", "B115200", "B230400", "B460800"};
    uint32_t f[4];
    if (!get(d, address, f, sizeof f, t))
        return;
    uint32_t speed = f[2] & 0x100F;
    const char *name = speed < 16 ? speeds[speed] : (speed & 15) < 5 ? fast[speed & 15] : "B?";
    text_printf(t, "{%s %sopost %sisig %sicanon %secho ...}", name, f[1] & 1 ? "" : "-",
                f[3] & 1 ? "" : "-", f[3] & 2 ? "" : "-", f[3] & 8 ? "" : "-");
}

// What the argument points to goes to the kernel, or there is none.
static bool ioctl_reads(uint32_t request)
{
    static const uint32_t requests[] = {0x5402, 0x5403, 0x5404, 0x5409, 0x540A, 0x540B,    0x540C,
                                        0x540D, 0x540E, 0x5410, 0x5412, 0x5414, 0x541D,    0x5421,
                                        0x5422, 0x5427, 0x5428, 0x5450, 0x5451, 0x40045431};
    for (unsigned i = 0; i < sizeof requests / sizeof *requests; i++)
        if (requests[i] == request)
            return true;
    return false;
}

static void decode_ioctl(struct decoder *d, struct call *call, unsigned i, bool command,
                         struct text *t)
{
    uint32_t request = call->args[1], v = call->args[2];
    uint16_t w[4];
    int32_t n;
    if (command) {
        const char *name = name_of(ioctl_names, request);
        if (name)
            text_add(t, name);
        else
            text_printf(t, "_IOC(%s, %#x, %#x, %#x)",
                        (const char *[]){"_IOC_NONE", "_IOC_WRITE", "_IOC_READ",
                                         "_IOC_READ|_IOC_WRITE"}[request >> 30],
                        request >> 8 & 0xFF, request & 0xFF, request >> 16 & 0x3FFF);
        return;
    }
    if (failed(call) && !ioctl_reads(request)) {
        decode_pointer(v, t);
        return;
    }
    switch (request) {
    case 0x5401:
    case 0x5402:
    case 0x5403:
    case 0x5404:
        decode_termios(d, v, t);
        break;
    case 0x5413:
    case 0x5414:
        if (get(d, v, w, sizeof w, t))
            text_printf(t, "{ws_row=%u, ws_col=%u, ws_xpixel=%u, ws_ypixel=%u}", w[0], w[1], w[2],
                        w[3]);
        break;
    case 0x540F:
    case 0x5410:
    case 0x5411:
    case 0x541B:
    case 0x5415:
    case 0x5421:
    case 0x5424:
    case 0x5429:
    case 0x40045431:
    case 0x80045430:
        if (get(d, v, &n, sizeof n, t))
            text_printf(t, "[%d]", n);
        break;
    case 0x540C: // those without an argument
    case 0x540D:
    case 0x541D:
    case 0x5427:
    case 0x5428:
    case 0x5422:
    case 0x5450:
    case 0x5451:
        break;
    case 0x540A:
        text_value(t, flow_names, v, "TC???");
        break;
    case 0x540B:
        text_value(t, flush_names, v, "TC???");
        break;
    case 0x5412:
        decode_bytes(d, v, 1, false, t);
        break;
    case 0x5409:
    case 0x540E:
        text_printf(t, "%d", (int32_t)v);
        break;
    default:
        decode_pointer(v, t);
        break;
    }
}

static void decode_number(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    uint32_t v;
    if (get_out(d, call, i, &v, 4, t))
        text_printf(t, "[%u]", v);
}

static void decode_llseek(struct decoder *d, struct call *call, struct text *t)
{
    int64_t result;
    text_printf(t, "%lld, ", (long long)((uint64_t)call->args[1] << 32 | (uint64_t)call->args[2]));
    if (get_out(d, call, 3, &result, 8, t))
        text_printf(t, "[%lld]", (long long)result);
    text_add(t, ", ");
    text_value(t, whence_names, call->args[4], "SEEK_???");
}

static void decode_old_mmap(struct decoder *d, struct call *call, struct text *t)
{
    uint32_t a[6];
    if (!get(d, call->args[0], a, sizeof a, t))
        return;
    decode_pointer(a[0], t);
    text_printf(t, ", %u, ", a[1]);
    text_bits(t, prot_bits, a[2], "PROT_???");
    text_add(t, ", ");
    text_bits(t, map_bits, a[3], "MAP_???");
    text_printf(t, a[5] ? ", %d, %#x" : ", %d, %u", (int32_t)a[4], a[5]);
}

void decode_struct(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    uint32_t v = call->args[i];
    bool bad = failed(call);
    int32_t pair[2];
    int64_t offset;
    switch (call->row->args[i]) {
    case ARG_TIMESPEC:
    case ARG_TIMESPEC64:
        decode_time(d, v, call->row->args[i] == ARG_TIMESPEC64, "nsec", t);
        break;
    case ARG_TIMESPEC_OUT:
    case ARG_TIMESPEC64_OUT:
        if (bad)
            decode_pointer(v, t);
        else
            decode_time(d, v, call->row->args[i] == ARG_TIMESPEC64_OUT, "nsec", t);
        break;
    case ARG_TIMESPEC_REM:
    case ARG_TIMESPEC64_REM: // written only when a signal ended the sleep
        if (call->ret == -4 || (call->raw_known && call->raw <= -512))
            decode_time(d, v, call->row->args[i] == ARG_TIMESPEC64_REM, "nsec", t);
        else
            decode_pointer(v, t);
        break;
    case ARG_TIMEVAL:
        decode_time(d, v, false, "usec", t);
        break;
    case ARG_TIMEVAL_OUT:
        if (bad)
            decode_pointer(v, t);
        else
            decode_time(d, v, false, "usec", t);
        break;
    case ARG_TIMEZONE:
        if (get(d, v, pair, sizeof pair, t))
            text_printf(t, "{tz_minuteswest=%d, tz_dsttime=%d}", pair[0], pair[1]);
        break;
    case ARG_ITIMERVAL:
        decode_itimerval(d, v, t);
        break;
    case ARG_ITIMERVAL_OUT:
        if (bad)
            decode_pointer(v, t);
        else
            decode_itimerval(d, v, t);
        break;
    case ARG_STAT64:
        decode_stat64(d, call, i, t);
        break;
    case ARG_STATX:
        decode_statx(d, call, i, t);
        break;
    case ARG_RLIMIT:
    case ARG_RLIMIT_OUT:
    case ARG_RLIMIT64:
    case ARG_RLIMIT64_OUT:
        decode_limit(d, call, i, call->row->args[i] >= ARG_RLIMIT64,
                     call->row->args[i] == ARG_RLIMIT_OUT || call->row->args[i] == ARG_RLIMIT64_OUT,
                     t);
        break;
    case ARG_UTSNAME:
        decode_utsname(d, call, i, t);
        break;
    case ARG_DIRENTS:
    case ARG_DIRENTS64:
        decode_dirents(d, call, i, call->row->args[i] == ARG_DIRENTS64, t);
        break;
    case ARG_FDSET:
        decode_fdset(d, call, i, t);
        break;
    case ARG_POLLFDS:
        decode_pollfds(d, call, i, t);
        break;
    case ARG_IOVEC:
        decode_iovec(d, v, call->args[i + 1], UINT32_MAX, t);
        break;
    case ARG_IOVEC_OUT:
        if (bad)
            decode_addresses(d, call, i, t);
        else
            decode_iovec(d, v, call->args[i + 1], (uint32_t)call->ret, t);
        break;
    case ARG_EPOLLEVENT:
        decode_epoll_event(d, v, t);
        break;
    case ARG_EPOLLEVENTS:
        decode_epoll_events(d, call, i, t);
        break;
    case ARG_FCNTL_ARG:
        decode_fcntl(d, call, i, t);
        break;
    case ARG_IOCTL:
    case ARG_IOCTL_ARG:
        decode_ioctl(d, call, i, call->row->args[i] == ARG_IOCTL, t);
        break;
    case ARG_FDPAIR:
        if (get_out(d, call, i, pair, sizeof pair, t))
            text_printf(t, "[%d, %d]", pair[0], pair[1]);
        break;
    case ARG_IDP:
    case ARG_UINTP:
    case ARG_TIME_OUT:
        decode_number(d, call, i, t);
        break;
    case ARG_OFFSETP:
        if (get(d, v, &offset, sizeof offset, t))
            text_printf(t, "[%lld]", (long long)offset);
        break;
    case ARG_LLSEEK:
        decode_llseek(d, call, t);
        break;
    case ARG_OLDMMAP:
        decode_old_mmap(d, call, t);
        break;
    case ARG_DEV:
        if (is_device(call->args[i - 1]))
            text_printf(t, "makedev(%#x, %#x)", v >> 8 & 0xFFF, (v & 0xFF) | (v >> 12 & 0xFFF00));
        break;
    default:
        decode_process(d, call, i, t);
        break;
    }
}
