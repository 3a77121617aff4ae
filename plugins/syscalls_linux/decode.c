// SPDX-License-Identifier: MIT
// syscalls_linux: numbers, flags, strings and memory among the arguments, and the line as a whole.
#include "decode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "names.h"

enum { PATH_LIMIT = 4096, MAX_VECTOR = 1024, LINE_COLUMN = 39, AT_FDCWD = -100 };

size_t decode_read(struct decoder *d, uint32_t address, void *buffer, size_t length)
{
    size_t n = d->context ? d->processes->read_context(d->context, address, buffer, length)
                          : cpu_read_memory(d->cpu, address, buffer, length);
    if (n < length)
        d->failed = true;
    return n;
}

void decode_pointer(uint32_t value, struct text *t)
{
    if (value)
        text_printf(t, "%#x", value);
    else
        text_add(t, "NULL");
}

void decode_bytes(struct decoder *d, uint32_t address, size_t length, bool hex, struct text *t)
{
    char buffer[1024];
    size_t limit = d->string_limit < sizeof buffer ? d->string_limit : sizeof buffer;
    size_t n = length < limit ? length : limit;
    if (!address || (n && decode_read(d, address, buffer, n) < n)) {
        decode_pointer(address, t);
        return;
    }
    text_quote(t, buffer, n, hex);
    if (length > n)
        text_add(t, "...");
}

// Length of the string at address, at most limit, which is read into buffer; -1: not readable.
static int read_string(struct decoder *d, uint32_t address, char *buffer, size_t limit)
{
    size_t n = 0;
    while (n < limit) {
        size_t chunk = 64 - ((address + n) & 63);
        if (chunk > limit - n)
            chunk = limit - n;
        bool failed = d->failed;
        size_t got = decode_read(d, address + (uint32_t)n, buffer + n, chunk);
        char *end = memchr(buffer + n, 0, got);
        if (end) {
            d->failed = failed;
            return (int)(end - buffer);
        }
        n += got;
        if (got < chunk)
            return -1;
    }
    return (int)n;
}

void decode_string(struct decoder *d, uint32_t address, size_t limit, struct text *t)
{
    char buffer[PATH_LIMIT + 1];
    if (limit > PATH_LIMIT)
        limit = PATH_LIMIT;
    int n = address ? read_string(d, address, buffer, limit + 1) : -1;
    if (n < 0) {
        decode_pointer(address, t);
        return;
    }
    bool more = (size_t)n > limit;
    text_quote(t, buffer, more ? limit : (size_t)n, false);
    if (more)
        text_add(t, "...");
}

char *decode_path(struct decoder *d, uint32_t address)
{
    char buffer[PATH_LIMIT + 1];
    int n = address ? read_string(d, address, buffer, PATH_LIMIT) : -1;
    char *path = n >= 0 ? malloc((size_t)n + 1) : NULL;
    if (path) {
        memcpy(path, buffer, (size_t)n);
        path[n] = '\0';
    }
    return path;
}

static void decode_argv(struct decoder *d, uint32_t address, struct text *t)
{
    if (!address) {
        text_add(t, "NULL");
        return;
    }
    text_add(t, "[");
    for (unsigned i = 0; i < MAX_VECTOR; i++) {
        uint32_t p = 0;
        if (decode_read(d, address + i * 4, &p, 4) < 4 || !p)
            break;
        if (i)
            text_add(t, ", ");
        if (i >= d->string_limit) {
            text_add(t, "...");
            break;
        }
        decode_string(d, p, d->string_limit, t);
    }
    text_add(t, "]");
}

static void decode_envp(struct decoder *d, uint32_t address, struct text *t)
{
    decode_pointer(address, t);
    unsigned n = 0;
    uint32_t p = 0;
    while (address && n < MAX_VECTOR * 16 && decode_read(d, address + n * 4, &p, 4) == 4 && p)
        n++;
    if (address)
        text_printf(t, " /* %u var%s */", n, n == 1 ? "" : "s");
}

static void decode_mode(uint32_t mode, bool with_type, struct text *t)
{
    const char *type = with_type ? name_of(mode_types, mode & 0170000) : NULL;
    if (type)
        text_printf(t, "%s|", type);
    if (mode & 07000 && type)
        text_printf(t, "%s%s%s", mode & 04000 ? "S_ISUID|" : "", mode & 02000 ? "S_ISGID|" : "",
                    mode & 01000 ? "S_ISVTX|" : "");
    text_printf(t, "%#03o", type ? mode & 0777 : mode);
}

void decode_open_flags(uint32_t flags, bool access, struct text *t)
{
    static const char *const modes[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
    if (access) {
        text_add(t, modes[flags & 3]);
        flags &= ~3u;
        if (!flags)
            return;
        text_add(t, "|");
    }
    text_bits(t, open_bits, flags, "O_???");
}

static void decode_fd(uint32_t fd, bool directory, struct text *t)
{
    if (directory && (int32_t)fd == AT_FDCWD)
        text_add(t, "AT_FDCWD");
    else
        text_printf(t, "%d", (int32_t)fd);
}

static bool failed(const struct call *call)
{
    return call->ret < 0 && call->ret >= -4095;
}

// Kinds that are one table look-up.
struct table_kind {
    const struct name *names;
    const char *unknown;
    bool bits;
};
static const struct table_kind tables[ARG_COUNT] = {
    [ARG_ACCESS] = {access_bits, "?_OK", true},
    [ARG_PROT] = {prot_bits, "PROT_???", true},
    [ARG_MAPFLAGS] = {map_bits, "MAP_???", true},
    [ARG_ATFLAGS] = {at_bits, "AT_???", true},
    [ARG_UNLINKFLAGS] = {unlink_bits, "AT_???", true},
    [ARG_STATXMASK] = {statx_mask_bits, "STATX_???", true},
    [ARG_WOPTIONS] = {wait_bits, "W???", true},
    [ARG_WHENCE] = {whence_names, "SEEK_???", false},
    [ARG_SIGHOW] = {sig_how_names, "SIG_???", false},
    [ARG_CLONEFLAGS] = {clone_bits, "CLONE_???", true},
    [ARG_FCNTL] = {fcntl_names, "F_???", false},
    [ARG_RESOURCE] = {resource_names, "RLIMIT_???", false},
    [ARG_CLOCKID] = {clock_names, "CLOCK_???", false},
    [ARG_TIMERFLAGS] = {timer_bits, "TIMER_???", true},
    [ARG_AF] = {af_names, "AF_???", false},
    [ARG_SOCKFLAGS] = {sock_bits, "SOCK_???", true},
    [ARG_MSGFLAGS] = {msg_bits, "MSG_???", true},
    [ARG_SHUT] = {shut_names, "SHUT_???", false},
    [ARG_SOL] = {sol_names, "SOL_???", false},
    [ARG_EPOLLCTL] = {epoll_ctl_names, "EPOLL_CTL_???", false},
    [ARG_EPOLLFLAGS] = {epoll_flag_bits, "EPOLL_???", true},
    [ARG_EFDFLAGS] = {efd_bits, "EFD_???", true},
    [ARG_SFDFLAGS] = {sfd_bits, "SFD_???", true},
    [ARG_TFDFLAGS] = {tfd_bits, "TFD_???", true},
    [ARG_MFDFLAGS] = {memfd_bits, "MFD_???", true},
    [ARG_GRND] = {grnd_bits, "GRND_???", true},
    [ARG_FLOCK] = {flock_bits, "LOCK_???", true},
    [ARG_MSFLAGS] = {msync_bits, "MS_???", true},
    [ARG_MREMAP] = {mremap_bits, "MREMAP_???", true},
    [ARG_MADVISE] = {madvise_names, "MADV_???", false},
    [ARG_ITIMER] = {itimer_names, "ITIMER_???", false},
    [ARG_WHO] = {who_names, "RUSAGE_???", false},
    [ARG_PRCTL] = {prctl_names, "PR_???", false},
    [ARG_MOUNTFLAGS] = {mount_bits, "MS_???", true},
    [ARG_SCHED] = {sched_names, "SCHED_???", false},
    [ARG_PRIO] = {prio_names, "PRIO_???", false},
    [ARG_IOPRIO_WHO] = {ioprio_who_names, "IOPRIO_WHO_???", false},
    [ARG_FALLOC] = {falloc_bits, "FALLOC_FL_???", true},
    [ARG_FADVISE] = {fadvise_names, "POSIX_FADV_???", false},
    [ARG_SYNCRANGE] = {sync_range_bits, "SYNC_FILE_RANGE_???", true},
    [ARG_RWF] = {rwf_bits, "RWF_???", true},
    [ARG_CLOSERANGE] = {close_range_bits, "CLOSE_RANGE_???", true},
    [ARG_RENAMEFLAGS] = {rename_bits, "RENAME_???", true},
    [ARG_XATTRFLAGS] = {xattr_bits, "XATTR_???", true},
    [ARG_FACCESS] = {faccess_bits, "AT_???", true},
    [ARG_SPLICE] = {splice_bits, "SPLICE_F_???", true},
    [ARG_MLOCKFLAGS] = {mlock_bits, "MLOCK_???", true},
    [ARG_MCL] = {mcl_bits, "MCL_???", true},
    [ARG_INMASK] = {inotify_bits, "IN_???", true},
    [ARG_ININIT] = {inotify_init_bits, "IN_???", true},
    [ARG_MEMBARRIER] = {membarrier_names, "MEMBARRIER_CMD_???", false},
    [ARG_MEMBARRIERFLAGS] = {membarrier_bits, "MEMBARRIER_CMD_FLAG_???", true},
    [ARG_WAITID] = {waitid_names, "P_???", false},
    [ARG_KCMP] = {kcmp_names, "KCMP_???", false},
    [ARG_PTRACE] = {ptrace_names, "PTRACE_???", false},
    [ARG_TFDSET] = {timerfd_bits, "TFD_???", true},
    [ARG_UMOUNTFLAGS] = {umount_bits, "MNT_???", true},
};

static void decode_statx_flags(uint32_t flags, struct text *t)
{
    if (!(flags & 0x6000)) {
        text_add(t, "AT_STATX_SYNC_AS_STAT");
        if (!flags)
            return;
        text_add(t, "|");
    }
    text_bits(t, statx_flag_bits, flags, "AT_???");
}

static void decode_open_mode(const struct call *call, unsigned i, struct text *t)
{
    enum { CREATE = 0100, TMPFILE = 020000000 };
    if (call->args[i - 1] & (CREATE | TMPFILE))
        decode_mode(call->args[i], false, t);
}

void decode_argument(struct decoder *d, struct call *call, unsigned i, struct text *t)
{
    enum arg_kind kind = call->row->args[i];
    uint32_t v = call->args[i];
    const struct table_kind *table = &tables[kind];
    if (table->names) {
        (table->bits ? text_bits : text_value)(t, table->names, v, table->unknown);
        return;
    }
    switch (kind) {
    case ARG_INT:
        text_printf(t, "%d", (int32_t)v);
        break;
    case ARG_UINT:
    case ARG_SIZE:
    case ARG_SOCKLEN:
        text_printf(t, "%u", v);
        break;
    case ARG_SIZE2:
        text_printf(t, "%u", call->args[i + 1]);
        break;
    case ARG_SIGNAL:
        if (name_of(signal_names, v))
            text_add(t, name_of(signal_names, v));
        else
            text_printf(t, "%d", (int32_t)v);
        break;
    case ARG_HEX:
    case ARG_RSEQSIG:
        text_printf(t, "%#x", v);
        break;
    case ARG_PTR:
    case ARG_MREMAP_ADDR:
        if (kind == ARG_PTR || call->args[3] & 2)
            decode_pointer(v, t);
        break;
    case ARG_FD:
    case ARG_MAPFD:
        decode_fd(v, false, t);
        break;
    case ARG_DIRFD:
        decode_fd(v, true, t);
        break;
    case ARG_PATH:
    case ARG_PATHORNULL:
        decode_string(d, v, PATH_LIMIT, t);
        break;
    case ARG_STR:
        decode_string(d, v, d->string_limit, t);
        break;
    case ARG_CWD:
        if (failed(call))
            decode_pointer(v, t);
        else
            decode_string(d, v, PATH_LIMIT, t);
        break;
    case ARG_BUF_IN:
        decode_bytes(d, v, call->args[i + 1], false, t);
        break;
    case ARG_BUF_OUT:
    case ARG_BUFHEX_OUT:
        if (call->ret < 0)
            decode_pointer(v, t);
        else
            decode_bytes(d, v, (uint32_t)call->ret, kind == ARG_BUFHEX_OUT, t);
        break;
    case ARG_OFLAGS:
        decode_open_flags(v, true, t);
        break;
    case ARG_OFLAGS_SET:
        if (v)
            decode_open_flags(v, false, t);
        else
            text_add(t, "0");
        break;
    case ARG_OMODE:
        decode_open_mode(call, i, t);
        break;
    case ARG_MODE:
        decode_mode(v, false, t);
        break;
    case ARG_MKMODE:
        decode_mode(v, true, t);
        break;
    case ARG_STATXFLAGS:
        decode_statx_flags(v, t);
        break;
    case ARG_ARGV:
        decode_argv(d, v, t);
        break;
    case ARG_ENVP:
        decode_envp(d, v, t);
        break;
    case ARG_PGOFF:
        text_printf(t, v ? "%#llx" : "0", (unsigned long long)v << 12);
        break;
    case ARG_OFFSET64:
        text_printf(
            t, "%lld",
            (long long)((uint64_t)v | (uint64_t)(i + 1 < MAX_ARGS ? call->args[i + 1] : 0) << 32));
        break;
    default:
        decode_struct(d, call, i, t);
        break;
    }
}

// ---- Results

static const char *restart_text(int32_t raw)
{
    switch (raw) {
    case -512:
        return "ERESTARTSYS (To be restarted if SA_RESTART is set)";
    case -513:
        return "ERESTARTNOINTR (To be restarted)";
    case -514:
        return "ERESTARTNOHAND (To be restarted if no handler)";
    case -516:
        return "ERESTART_RESTARTBLOCK (Interrupted by signal)";
    default:
        return NULL;
    }
}

static void decode_fcntl_result(struct call *call, struct text *t)
{
    uint32_t v = (uint32_t)call->ret;
    if (call->args[1] == 1) { // F_GETFD
        text_printf(t, "%#x", v);
        if (v) {
            text_add(t, " (flags ");
            text_bits(t, fd_bits, v, NULL);
            text_add(t, ")");
        }
    } else if (call->args[1] == 3) { // F_GETFL
        text_printf(t, "%#x (flags ", v);
        decode_open_flags(v, true, t);
        text_add(t, ")");
    } else if (call->args[1] == 1034 && v) { // F_GET_SEALS
        text_printf(t, "%#x (seals ", v);
        text_bits(t, seal_bits, v, NULL);
        text_add(t, ")");
    } else {
        text_printf(t, "%d", call->ret);
    }
}

static void decode_poll_result(struct decoder *d, struct call *call, struct text *t)
{
    text_printf(t, "%d", call->ret);
    if (call->ret == 0) {
        text_add(t, " (Timeout)");
        return;
    }
    text_add(t, " ([");
    bool first = true;
    for (uint32_t i = 0; i < call->args[1] && i < MAX_VECTOR; i++) {
        struct {
            int32_t fd;
            uint16_t events, revents;
        } p;
        if (decode_read(d, call->args[0] + i * 8, &p, 8) < 8)
            break;
        if (!p.revents)
            continue;
        text_printf(t, "%s{fd=%d, revents=", first ? "" : ", ", p.fd);
        text_bits(t, poll_bits, p.revents, "POLL???");
        text_add(t, "}");
        first = false;
    }
    text_add(t, "]");
    enum arg_kind kind = call->row->args[2];
    if ((kind == ARG_TIMESPEC || kind == ARG_TIMESPEC64) && call->args[2]) {
        text_add(t, ", left ");
        decode_struct(d, call, 2, t);
    }
    text_add(t, ")");
}

static bool is_select(const struct call *call)
{
    return call->row->args[1] == ARG_FDSET;
}

// " (in [3], left {...})"
static void decode_select_result(struct decoder *d, struct call *call, struct text *t)
{
    static const char *const names[] = {"in", "out", "except"};
    text_printf(t, "%d", call->ret);
    if (call->ret == 0) {
        text_add(t, " (Timeout)");
        return;
    }
    const char *separator = " (";
    for (unsigned i = 0; i < 3; i++) {
        uint8_t set[128] = {0};
        uint32_t n = call->args[0] < 1024 ? call->args[0] : 1024;
        if (!call->args[i + 1] || decode_read(d, call->args[i + 1], set, (n + 31) / 32 * 4) == 0)
            continue;
        bool any = false;
        for (uint32_t fd = 0; fd < n; fd++)
            if (set[fd / 8] & 1 << fd % 8) {
                if (any)
                    text_printf(t, " %u", fd);
                else
                    text_printf(t, "%s%s [%u", separator, names[i], fd);
                any = true;
            }
        if (any) {
            text_add(t, "]");
            separator = ", ";
        }
    }
    if (call->args[4]) {
        struct call copy = *call;
        static const struct syscall_row wide = {"", RET_DEC, {[4] = ARG_TIMESPEC64}},
                                        narrow = {"", RET_DEC, {[4] = ARG_TIMESPEC}},
                                        old = {"", RET_DEC, {[4] = ARG_TIMEVAL}};
        enum arg_kind kind = call->row->args[4];
        copy.row = kind == ARG_TIMESPEC64 ? &wide : kind == ARG_TIMESPEC ? &narrow : &old;
        text_printf(t, "%sleft ", separator);
        decode_struct(d, &copy, 4, t);
        separator = ", ";
    }
    if (*separator == ',')
        text_add(t, ")");
}

void decode_result(struct decoder *d, struct call *call, struct text *t)
{
    const char *restart = call->raw_known ? restart_text(call->raw) : NULL;
    if (restart) {
        text_printf(t, "? %s", restart);
        return;
    }
    if (failed(call)) {
        const char *name = strerrorname_np(-call->ret);
        text_printf(t, "-1 %s (%s)", name ? name : "E???", strerror(-call->ret));
        return;
    }
    if (is_select(call)) {
        decode_select_result(d, call, t);
        return;
    }
    switch (call->row->ret) {
    case RET_PTR:
    case RET_HEXRET:
        text_printf(t, call->ret ? "%#x" : "0", (uint32_t)call->ret);
        break;
    case RET_OCT:
        text_printf(t, "%#03o", (uint32_t)call->ret);
        break;
    case RET_FCNTL:
        decode_fcntl_result(call, t);
        break;
    case RET_POLL:
        decode_poll_result(d, call, t);
        break;
    default:
        decode_more_result(call, t);
        if (call->row->args[0] == ARG_USERDESC) {
            uint32_t entry = 0;
            decode_read(d, call->args[0], &entry, 4);
            text_printf(t, " (entry_number=%u)", entry);
        }
        break;
    }
}

void decode_line(struct decoder *d, struct call *call, bool returned, struct text *t)
{
    size_t start = t->length;
    if (call->row->name)
        text_printf(t, "%s(", call->row->name);
    else
        text_printf(t, "syscall_%#x(", call->nr);
    bool first = true;
    for (unsigned i = 0; i < MAX_ARGS && call->row->args[i] != ARG_NONE; i++) {
        if (!call->done[i] && (returned || decode_is_in(call->row->args[i]))) {
            text_clear(&call->texts[i]);
            decode_argument(d, call, i, &call->texts[i]);
            call->done[i] = true;
        }
        if (call->texts[i].length == 0)
            continue;
        text_printf(t, "%s%s", first ? "" : ", ", call->texts[i].data);
        first = false;
    }
    if (call->nr == 0 && call->restarted)
        text_printf(t, "<... resuming interrupted %s ...>", call->restarted);
    text_add(t, ")");
    while (t->length - start < LINE_COLUMN)
        text_add(t, " ");
    text_add(t, " = ");
    if (returned)
        decode_result(d, call, t);
    else
        text_add(t, "?");
}
