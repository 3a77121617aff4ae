/* SPDX-License-Identifier: MIT */
/* syscalls_linux: system calls and their decoding into what strace prints. */
#ifndef SYSCALLS_DECODE_H
#define SYSCALLS_DECODE_H

#include <emu/plugin.h>

#include "../processes/processes.h"
#include "text.h"

/* NAME(kind, when): IN is read at entry, OUT at return, and so is an IN that was not readable. */
// clang-format off
#define ARG_KINDS(IN, OUT)                                                                         \
    IN(INT) IN(UINT) IN(HEX) IN(PTR) IN(SIZE) IN(FD) IN(MAPFD) IN(DIRFD) IN(PATH) IN(PATHORNULL)   \
    IN(STR) IN(BUF_IN) OUT(BUF_OUT) OUT(BUFHEX_OUT) IN(OFLAGS) IN(OFLAGS_SET) IN(OMODE) IN(MODE)   \
    IN(MKMODE) IN(DEV) IN(ACCESS) IN(WHENCE) IN(SIGNAL) IN(HANDLER) IN(ARGV) IN(ENVP)              \
    OUT(WSTATUS) IN(WOPTIONS) OUT(RUSAGE) IN(WHO) OUT(TIME_OUT) OUT(TMS) IN(MOUNTFLAGS)            \
    IN(UMOUNTFLAGS) OUT(FDPAIR) IN(IOCTL) OUT(IOCTL_ARG) IN(FCNTL) OUT(FCNTL_ARG)                  \
    IN(OLDSIGACTION) OUT(OLDSIGACTION_OUT) IN(OLDSIGMASK) IN(SIGHOW) IN(SIGSET) OUT(SIGSET_OUT)    \
    IN(OLDSIGSET) OUT(OLDSIGSET_OUT) IN(SIGACTION) OUT(SIGACTION_OUT) OUT(SIGINFO_OUT)             \
    IN(SIGFRAME) IN(RTSIGFRAME) IN(STACK) OUT(STACK_OUT) IN(RESOURCE) IN(RLIMIT) OUT(RLIMIT_OUT)   \
    IN(RLIMIT64) OUT(RLIMIT64_OUT) IN(TIMEVAL) OUT(TIMEVAL_OUT) OUT(TIMEZONE) IN(ITIMER)           \
    IN(ITIMERVAL) OUT(ITIMERVAL_OUT) IN(TIMESPEC) OUT(TIMESPEC_OUT) OUT(TIMESPEC_REM)              \
    IN(TIMESPEC2) IN(TIMESPEC64) OUT(TIMESPEC64_OUT) OUT(TIMESPEC64_REM) IN(TIMESPEC64_2)          \
    IN(CLOCKID) IN(TIMERFLAGS) OUT(GROUPS_OUT) IN(OLDMMAP) IN(PROT) IN(MAPFLAGS) IN(PGOFF)         \
    OUT(CLONE) OUT(CLONE3) IN(CLONEFLAGS) OUT(UTSNAME) OUT(LLSEEK) OUT(DIRENTS) OUT(DIRENTS64)     \
    IN(FDSET) IN(FLOCK) IN(MSFLAGS) OUT(IOVEC_OUT) IN(IOVEC) IN(MREMAP) IN(MREMAP_ADDR) OUT(IDP)   \
    OUT(UINTP) IN(POLLFDS) IN(PRCTL) OUT(PRCTL_ARG) IN(PRCTL_MORE) IN(OFFSET64) IN(SIZE2)          \
    IN(OFFSETP) OUT(CWD)                                                                           \
    OUT(STAT64) OUT(STATX) IN(STATXFLAGS) IN(STATXMASK) IN(ATFLAGS) IN(UNLINKFLAGS) IN(MADVISE)    \
    IN(FUTEX) OUT(CPUSET) IN(USERDESC) IN(EPOLLCTL) IN(EPOLLEVENT) OUT(EPOLLEVENTS)                \
    IN(EPOLLFLAGS) IN(PSELECT_MASK) IN(TFDFLAGS) IN(SFDFLAGS) IN(EFDFLAGS) IN(MSGFLAGS) IN(GRND)   \
    IN(MFDFLAGS) IN(AF) IN(SOCKTYPE) IN(SOCKPROTO) IN(SOCKADDR) IN(SOCKLEN) OUT(SOCKADDR_OUT)      \
    OUT(SOCKLENP) IN(SOCKFLAGS) IN(SOL) IN(SOCKOPT) IN(SOCKOPTVAL) OUT(SOCKOPTVAL_OUT) IN(MSGHDR)  \
    OUT(MSGHDR_OUT) IN(SHUT) IN(RSEQSIG) IN(SKIP) IN(SCHED) IN(PRIO) IN(IOPRIO_WHO) IN(FALLOC)     \
    IN(FADVISE) IN(SYNCRANGE) IN(RWF) IN(CLOSERANGE) IN(RENAMEFLAGS) IN(XATTRFLAGS) IN(FACCESS)    \
    IN(SPLICE) IN(MLOCKFLAGS) IN(MCL) IN(INMASK) IN(ININIT) IN(MEMBARRIER) IN(MEMBARRIERFLAGS)     \
    IN(WAITID) IN(KCMP) IN(PTRACE) IN(TFDSET) IN(TIMEVAL2) IN(UTIMBUF) IN(ITIMERSPEC)              \
    OUT(ITIMERSPEC_OUT) IN(ITIMERSPEC64) OUT(ITIMERSPEC64_OUT) IN(SIGEVENT) OUT(SYSINFO)           \
    OUT(STATFS) OUT(STATFS64) IN(OPENHOW) IN(CPUSET_IN) IN(GROUPS) OUT(RESIDENT) IN(IOVEC_ADDR)    \
    OUT(HANDLE_OUT) IN(SCHEDPARAM) OUT(SCHEDPARAM_OUT) OUT(INTP_OUT) IN(SIGINFO) OUT(WAITINFO)     \
    IN(PTRACE_ARG) IN(CPUIF) IN(PERSONALITY) IN(STR_IN) OUT(MMSGHDR) OUT(MMSGHDR_OUT)
// clang-format on

#define ARG_ENUMERATOR(kind) ARG_##kind,
enum arg_kind { ARG_NONE, ARG_KINDS(ARG_ENUMERATOR, ARG_ENUMERATOR) ARG_COUNT };

enum ret_kind {
    RET_DEC,
    RET_FD,
    RET_TIME,
    RET_HEXRET,
    RET_PTR,
    RET_FCNTL,
    RET_OCT,
    RET_POLL,
    RET_SIGNAL,
    RET_HANDLER,
    RET_IOPRIO,
    RET_PERSONALITY,
    RET_MEMBARRIER,
    RET_PRCTL
};

enum { MAX_ARGS = 6, MAX_TEXTS = MAX_ARGS };

struct syscall_row {
    const char *name;
    enum ret_kind ret;
    enum arg_kind args[MAX_ARGS];
};

/* What is known of number nr; never NULL. */
const struct syscall_row *syscall_row(uint32_t nr);
/* Of socketcall's operation, NULL: no such one; count: its arguments. */
const struct syscall_row *socketcall_row(uint32_t operation, unsigned *count);

/* One call of one thread. */
struct call {
    struct call *next; /* of its bucket */
    uint32_t task, tid, pid, context;
    bool followed; /* the log wants this thread */
    bool active;   /* in the kernel, nr and args are valid */
    bool decode;   /* text was asked for */
    bool raw_known;
    int32_t raw, ret;            /* raw: what the kernel's function returned */
    uint32_t nr, args[MAX_ARGS]; /* those of socketcall's operation, for socketcall */
    uint32_t ebx;
    uint32_t entry_esp, return_eip;
    uint32_t frame;        /* ESP of the last signal frame seen, 0: none */
    const char *restarted; /* name of the call that restart_syscall goes on with */
    const struct syscall_row *row;
    char *path[2];
    struct text texts[MAX_TEXTS];
    bool done[MAX_TEXTS]; /* texts[] is final */
    struct text out;
    bool old_sockaddr_known;
    uint32_t old_length; /* of a socket address, before the call */
};

struct decoder {
    CPUArchState *cpu;
    const struct processes_functions *processes;
    uint32_t context; /* read through these page tables; 0: those loaded */
    bool failed;      /* something was not readable */
    unsigned string_limit;
};

bool decode_is_in(enum arg_kind kind);
size_t decode_read(struct decoder *d, uint32_t address, void *buffer, size_t length);
/* Appends argument i. */
void decode_argument(struct decoder *d, struct call *call, unsigned i, struct text *t);
void decode_struct(struct decoder *d, struct call *call, unsigned i, struct text *t);
void decode_net(struct decoder *d, struct call *call, unsigned i, struct text *t);
void decode_process(struct decoder *d, struct call *call, unsigned i, struct text *t);
void decode_more(struct decoder *d, struct call *call, unsigned i, struct text *t);
void decode_addresses(struct decoder *d, struct call *call, unsigned i, struct text *t);
void decode_more_result(struct call *call, struct text *t);
void decode_open_flags(uint32_t flags, bool access, struct text *t);
/* "name(args) = result" as strace prints it. */
void decode_line(struct decoder *d, struct call *call, bool returned, struct text *t);
void decode_result(struct decoder *d, struct call *call, struct text *t);
/* A string of at most `limit` bytes at address, quoted; NULL for 0. */
void decode_string(struct decoder *d, uint32_t address, size_t limit, struct text *t);
void decode_bytes(struct decoder *d, uint32_t address, size_t length, bool hex, struct text *t);
void decode_pointer(uint32_t value, struct text *t);
void decode_sigset(struct text *t, uint64_t set);
void decode_siginfo(struct decoder *d, uint32_t address, uint32_t signal, struct text *t);
void decode_iovec(struct decoder *d, uint32_t address, uint32_t count, uint32_t limit,
                  struct text *t);
void decode_seconds(struct text *t, int64_t seconds, int64_t fraction, const char *name,
                    const char *prefix);
/* A malloced copy of a path, NULL when it is not readable. */
char *decode_path(struct decoder *d, uint32_t address);

#endif
