// SPDX-License-Identifier: MIT
// Second guest program of the system call test, executed by the first: rarer calls, structures and
// errors. Sizes, times and addresses that differ from machine to machine are normalised by the
// test.
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <linux/stat.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t caught;

static void on_signal(int signal)
{
    caught = signal;
}

static void on_info(int signal, siginfo_t *info, void *context)
{
    caught = signal;
}

static void limits(void)
{
    struct rlimit limit;
    struct rlimit64 wide = {1000, 2048};
    struct rusage usage;
    struct sysinfo info;
    struct sched_param param = {0};
    cpu_set_t set;
    syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, &wide);
    wide.rlim_cur = 0;
    syscall(SYS_prlimit64, 0, RLIMIT_CORE, &wide, NULL);
    syscall(SYS_prlimit64, 0, 77, NULL, &wide);
    syscall(SYS_prlimit64, 99999999, RLIMIT_AS, NULL, &wide);
    syscall(SYS_ugetrlimit, RLIMIT_CORE, &limit);
    syscall(SYS_setrlimit, RLIMIT_CORE, &limit);
    syscall(SYS_setrlimit, RLIMIT_CORE, 4);
    getrusage(RUSAGE_SELF, &usage);
    getrusage(55, &usage);
    sysinfo(&info);
    sysinfo((void *)4);
    setpriority(PRIO_PROCESS, 0, 19); // whatever the caller's is
    syscall(SYS_getpriority, PRIO_PROCESS, 0);
    syscall(SYS_getpriority, PRIO_USER, 4000000);
    sched_getparam(0, &param);
    sched_setparam(0, &param);
    sched_setscheduler(0, SCHED_OTHER, &param);
    syscall(SYS_sched_setscheduler, 0, SCHED_BATCH | SCHED_RESET_ON_FORK, &param);
    sched_getscheduler(0);
    sched_get_priority_max(SCHED_FIFO);
    sched_get_priority_min(SCHED_RR);
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    syscall(SYS_sched_setaffinity, 0, 4, &set);
    syscall(SYS_sched_getaffinity, 0, 4, &set);
    syscall(SYS_sched_getaffinity, 0, 3, &set);
    syscall(SYS_personality, 0xffffffff);
    syscall(SYS_ioprio_get, 1, 0);
    syscall(SYS_getcpu, NULL, NULL, NULL);
}

static void identities(void)
{
    unsigned a, b, c;
    gid_t groups[2] = {7, 8};
    syscall(SYS_getresuid32, &a, &b, &c);
    syscall(SYS_setresuid32, -1, -1, -1);
    syscall(SYS_setresgid32, -1, -1, -1);
    syscall(SYS_setreuid32, -1, -1);
    syscall(SYS_setfsuid32, -1);
    syscall(SYS_chown32, "/nonexistent", 5, -1);
    syscall(SYS_fchownat, AT_FDCWD, "/nonexistent", -1, 6, AT_SYMLINK_NOFOLLOW);
    syscall(SYS_setgroups32, 70000, groups);
    syscall(SYS_getsid, 99999999);
    syscall(SYS_getpgid, 99999999);
}

static void times_of_files(void)
{
    struct timespec t[2] = {{0, UTIME_NOW}, {1, 5}};
    struct timeval v[2] = {{1, 2}, {3, 4}};
    long old[2] = {5, 6};
    struct {
        long long sec;
        int nsec, pad;
    } wide[2] = {{1, 2, 0}, {0, UTIME_OMIT, 0}};
    syscall(SYS_utimensat, AT_FDCWD, "/nonexistent", t, AT_SYMLINK_NOFOLLOW);
    syscall(SYS_utimensat_time64, AT_FDCWD, "/nonexistent", wide, 0);
    syscall(SYS_utimensat, 99, NULL, NULL, 0);
    syscall(SYS_utimes, "/nonexistent", v);
    syscall(SYS_utimes, "/nonexistent", NULL);
    syscall(SYS_futimesat, AT_FDCWD, "/nonexistent", v);
    syscall(SYS_utime, "/nonexistent", old);
    syscall(SYS_utime, "/nonexistent", NULL);
}

static void file_calls(void)
{
    char buffer[64];
    struct statfs64 fs;
    struct statx sx;
    struct {
        unsigned long long flags, mode, resolve;
    } how = {O_RDONLY | O_CLOEXEC, 0, 8};
    struct {
        int bytes, type;
        char handle[32];
    } handle = {32};
    int mount, pair[2];
    int fd = open("more-file", O_RDWR | O_CREAT | O_TRUNC, 0640);
    write(fd, "0123456789abcdef", 16);
    syscall(SYS_fallocate, fd, 0, 0, 0, 100, 0);
    syscall(SYS_fallocate, fd, 3, 4096, 0, 4096, 0);
    syscall(SYS_fallocate, 99, 1, 0, 0, 0, 1);
    syscall(SYS_fadvise64_64, fd, 0, 0, 4096, 0, POSIX_FADV_SEQUENTIAL);
    syscall(SYS_fadvise64, fd, 0, 0, 10, POSIX_FADV_DONTNEED);
    syscall(SYS_readahead, fd, 0, 0, 4096);
    syscall(SYS_sync_file_range, fd, 0, 0, 16, 0, 3);
    syscall(SYS_truncate64, "more-file", 20, 0);
    syscall(SYS_truncate, "/nonexistent", 1);
    syscall(SYS_pread64, fd, buffer, 4, 2, 1);
    struct iovec v = {buffer, 8};
    syscall(SYS_preadv, fd, &v, 1, 2, 0);
    syscall(SYS_pwritev, fd, &v, 1, 8, 0);
    syscall(SYS_preadv2, fd, &v, 1, 0, 0, 8);
    syscall(SYS_pwritev2, 99, &v, 1, 0, 0, 1);
    syscall(SYS__llseek, fd, 0, 5, buffer, SEEK_SET);
    syscall(SYS_sendfile, 99, fd, NULL, 5);
    syscall(SYS_copy_file_range, fd, NULL, fd, NULL, 0, 0);
    syscall(SYS_statx, AT_FDCWD, "more-file", AT_SYMLINK_NOFOLLOW, STATX_SIZE, &sx);
    syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MODE, &sx);
    syscall(SYS_statx, 99, "x", AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &sx);
    syscall(SYS_statfs64, "/proc", sizeof fs, &fs);
    syscall(SYS_statfs64, "/nonexistent", sizeof fs, &fs);
    syscall(SYS_fstatfs64, 99, sizeof fs, &fs);
    syscall(SYS_fstatat64, AT_FDCWD, "more-file", buffer, 0x10000);
    syscall(SYS_openat2, AT_FDCWD, "/nonexistent", &how, sizeof how);
    syscall(SYS_openat2, AT_FDCWD, "/nonexistent", &how, 4);
    syscall(SYS_faccessat2, AT_FDCWD, "more-file", R_OK, AT_EACCESS);
    syscall(SYS_close_range, 200, 300, 0);
    syscall(SYS_close_range, 200, 300, 4);
    syscall(SYS_close_range, 200, 100, 2);
    syscall(SYS_renameat2, AT_FDCWD, "/nonexistent", AT_FDCWD, "x", 1);
    syscall(SYS_linkat, AT_FDCWD, "/nonexistent", AT_FDCWD, "x", AT_SYMLINK_FOLLOW);
    syscall(SYS_symlinkat, "target", 99, "x");
    syscall(SYS_readlinkat, AT_FDCWD, "more-file", buffer, sizeof buffer);
    syscall(SYS_mkdirat, 99, "x", 0700);
    syscall(SYS_mknodat, AT_FDCWD, "/nonexistent/x", S_IFCHR | 0600, 0x0103);
    syscall(SYS_mknod, "/nonexistent/x", S_IFREG | 0600, 0);
    syscall(SYS_fchmodat, AT_FDCWD, "/nonexistent", 0600);
    syscall(SYS_getxattr, "/nonexistent", "user.name", buffer, 16);
    syscall(SYS_setxattr, "/nonexistent", "user.name", "value", 5, 1);
    syscall(SYS_fsetxattr, 99, "user.name", "value", 5, 2);
    syscall(SYS_listxattr, "/nonexistent", buffer, 16);
    syscall(SYS_removexattr, "/nonexistent", "user.name");
    syscall(SYS_fremovexattr, 99, "user.name");
    syscall(SYS_name_to_handle_at, 99, "x", &handle, &mount, 0);
    syscall(SYS_chroot, "/nonexistent");
    syscall(SYS_fchdir, 99);
    syscall(SYS_fdatasync, fd);
    syscall(SYS_syncfs, fd);
    syscall(SYS_dup2, 99, 5);
    syscall(SYS_dup3, fd, fd, 0);
    pipe(pair);
    syscall(SYS_tee, pair[0], pair[1], 10, 2);
    syscall(SYS_splice, fd, NULL, pair[1], NULL, 5, 5);
    v.iov_len = 3;
    syscall(SYS_vmsplice, pair[1], &v, 1, 2);
    syscall(SYS_sendfile64, pair[1], fd, NULL, 2);
    ioctl(pair[0], FIONREAD, &mount);
    fcntl(pair[0], F_GETPIPE_SZ);
    fcntl(fd, F_GETLK, NULL);
    fcntl(fd, F_NOTIFY, DN_ACCESS);
    fcntl(99, F_GETOWN);
    fcntl(fd, 99, 5);
    close(pair[0]);
    close(pair[1]);
    close(fd);
    unlink("more-file");
    fd = syscall(SYS_memfd_create, "sealed", MFD_ALLOW_SEALING);
    fcntl(fd, F_ADD_SEALS, 1 | 2 | 8);
    fcntl(fd, F_GET_SEALS);
    close(fd);
    fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    inotify_add_watch(fd, "/nonexistent", IN_CREATE | IN_DELETE | IN_ONLYDIR);
    inotify_rm_watch(fd, 7);
    close(fd);
}

static void memory(void)
{
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char resident[2];
    syscall(SYS_mincore, p, 8192, resident);
    mlock(p, 4096);
    syscall(SYS_mlock2, p, 4096, 1);
    munlock(p, 4096);
    syscall(SYS_mlockall, 0);
    syscall(SYS_mlockall, 64);
    munlockall();
    madvise(p, 4096, 21);
    madvise((void *)1, 4096, MADV_WILLNEED);
    mprotect(p, 4096, PROT_READ | PROT_EXEC);
    mprotect((void *)1, 4096, PROT_READ);
    mremap(p + 1, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, p);
    msync(p, 4096, MS_ASYNC | MS_SYNC);
    syscall(SYS_munmap, 1, 1);
    struct iovec here = {p, 4}, there = {p + 8, 4};
    syscall(SYS_process_vm_readv, getpid(), &here, 1, &there, 1, 0);
    syscall(SYS_process_vm_writev, 99999999, &here, 1, &there, 1, 0);
    syscall(SYS_membarrier, 64, 1, 0);
    syscall(SYS_write, 1, 4, 10);
    syscall(SYS_read, 99, p, 10);
    syscall(SYS_open, 4, O_RDONLY);
    syscall(SYS_stat64, "/nonexistent", p);
    munmap(p, 8192);
}

static void signals(void)
{
    struct sigaction sa = {.sa_sigaction = on_info, .sa_flags = SA_SIGINFO | SA_NODEFER};
    struct timespec t = {0, 1000};
    struct {
        long long sec, nsec;
    } wide = {0, 1000};
    sigset_t set;
    siginfo_t info;
    stack_t stack = {.ss_sp = malloc(16384), .ss_size = 16384}, old;
    union sigval value = {.sival_int = 77};
    sigaction(SIGRTMIN, &sa, NULL);
    sigaction(SIGUSR1, &sa, NULL);
    sigaction(SIGKILL, &sa, NULL);
    sigaction(99, &sa, NULL);
    sigqueue(getpid(), SIGRTMIN, value);
    sigaltstack(&stack, NULL);
    sa.sa_flags |= SA_ONSTACK | SA_RESETHAND;
    sa.sa_sigaction = on_info;
    sigaction(SIGUSR2, &sa, NULL);
    kill(getpid(), SIGUSR2);
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, &old);
    stack.ss_size = 16;
    stack.ss_flags = 0;
    sigaltstack(&stack, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR1);
    sigtimedwait(&set, &info, &t);
    syscall(SYS_rt_sigtimedwait, &set, NULL, &t, 8);
    syscall(SYS_rt_sigtimedwait_time64, &set, &info, &wide, 8);
    syscall(SYS_rt_sigprocmask, 7, &set, NULL, 8);
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    char buffer[200];
    read(fd, buffer, sizeof buffer);
    close(fd);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    kill(99999999, 0);
    kill(-99999999, SIGTERM);
    syscall(SYS_tgkill, 99999999, 99999999, SIGCONT);
    syscall(SYS_tkill, 99999999, 64);
    kill(getpid(), 100);
    info.si_code = SI_QUEUE;
    info.si_signo = SIGUSR1;
    syscall(SYS_rt_sigqueueinfo, 99999999, SIGUSR1, &info);
    syscall(SYS_rt_tgsigqueueinfo, 99999999, 99999999, SIGUSR1, &info);
    sa.sa_flags = 0;
    sa.sa_handler = on_signal;
    sigaction(SIGSEGV, &sa, NULL);
    kill(getpid(), SIGSEGV);
    syscall(SYS_sigprocmask, SIG_BLOCK, NULL, buffer);
    syscall(SYS_sigpending, buffer);
    syscall(SYS_signal, SIGUSR1, SIG_IGN);
    syscall(SYS_signal, SIGUSR1, on_signal);
    syscall(SYS_sigaction, SIGUSR1, NULL, buffer);
}

static void clocks(void)
{
    struct itimerspec spec = {{0, 0}, {1000, 5}};
    struct itimerval interval = {{0, 0}, {1000, 5}};
    struct {
        long long a[4];
    } wide = {{1, 2, 3, 4}};
    struct timespec t;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    timer_t timer;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    syscall(SYS_timerfd_settime, fd, 1, &spec, NULL);
    syscall(SYS_timerfd_settime64, fd, 0, &wide, NULL);
    syscall(SYS_timerfd_settime, 99, 3, &spec, NULL);
    syscall(SYS_timerfd_gettime, 99, &spec);
    close(fd);
    syscall(SYS_timer_create, CLOCK_REALTIME, &event, &timer);
    syscall(SYS_timer_settime, 0, 0, &spec, NULL);
    syscall(SYS_timer_settime, 99, 1, &spec, NULL);
    syscall(SYS_timer_gettime, 99, &spec);
    syscall(SYS_timer_getoverrun, 0);
    syscall(SYS_timer_delete, 0);
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    event.sigev_signo = SIGUSR2;
    event.sigev_value.sival_int = 12;
    syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer);
    spec.it_value.tv_sec = 0;
    syscall(SYS_timer_settime, timer, 0, &spec, NULL);
    syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8);
    syscall(SYS_timer_delete, timer);
    event.sigev_notify = SIGEV_NONE;
    syscall(SYS_timer_create, 77, &event, &timer);
    setitimer(ITIMER_VIRTUAL, &interval, NULL);
    setitimer(9, &interval, NULL);
    interval.it_value = interval.it_interval;
    setitimer(ITIMER_VIRTUAL, &interval, NULL);
    getitimer(ITIMER_PROF, &interval);
    syscall(SYS_clock_gettime, 77, &t);
    syscall(SYS_clock_getres, CLOCK_REALTIME, NULL);
    t.tv_sec = 0;
    t.tv_nsec = 1000;
    syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &t, NULL);
    t.tv_nsec = 2000000000;
    syscall(SYS_nanosleep, &t, NULL);
    syscall(SYS_clock_settime, 77, &t);
    alarm(1000);
    syscall(SYS_alarm, 0);
}

static void *thread(void *word)
{
    usleep(500000);
    *(int *)word = 1;
    syscall(SYS_futex, word, FUTEX_WAKE, 1);
    return NULL;
}

static void futexes(void)
{
    static int word = 5, other = 6;
    struct timespec t = {0, 1000};
    struct {
        long long sec, nsec;
    } wide = {0, 1000};
    void *head;
    unsigned size;
    syscall(SYS_futex, &word, FUTEX_WAIT, 4, NULL);
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 5, &t);
    syscall(SYS_futex_time64, &word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 5, &wide);
    syscall(SYS_futex, &word, FUTEX_WAKE, 100);
    syscall(SYS_futex, &word, FUTEX_REQUEUE_PRIVATE, 1, 2, &other);
    syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE, 1, 2, &other, 4);
    syscall(SYS_futex, &word, FUTEX_WAKE_OP, 1, 1, &other,
            FUTEX_OP(FUTEX_OP_SET, 6, FUTEX_OP_CMP_EQ, 6));
    syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 4, NULL, NULL, 3);
    syscall(SYS_futex, &word, FUTEX_WAKE_BITSET, 4, NULL, NULL, -1);
    syscall(SYS_futex, &other, FUTEX_TRYLOCK_PI);
    syscall(SYS_futex, 2, FUTEX_WAKE, 1);
    syscall(SYS_get_robust_list, 99999999, &head, &size);
    syscall(SYS_set_robust_list, NULL, 4);
    word = 0;
    pthread_t id;
    pthread_create(&id, NULL, thread, &word);
    syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL);
    pthread_join(id, NULL);
}

static void children(void)
{
    siginfo_t info;
    int status;
    struct rusage usage;
    struct clone_args args = {.flags = 0, .exit_signal = SIGCHLD};
    char *argv[] = {"none", "of", "this", NULL}, *envp[] = {"A=1", NULL};
    pid_t pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        _exit(21);
    syscall(SYS_waitid, P_PID, pid, &info, WEXITED | WNOWAIT, NULL);
    syscall(SYS_waitid, P_ALL, 0, &info, WEXITED, &usage);
    syscall(SYS_waitid, P_PGID, 99999999, &info, WEXITED | WNOHANG, NULL);
    args.flags = CLONE_SIGHAND;
    syscall(SYS_clone3, &args, sizeof args);
    syscall(SYS_clone3, &args, 8);
    pid = fork();
    if (pid == 0) {
        raise(SIGSTOP);
        _exit(1);
    }
    waitpid(pid, &status, WUNTRACED);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    if (fork() == 0)
        abort();
    wait(&status);
    wait4(-1, &status, WNOHANG, &usage);
    int fd = syscall(SYS_pidfd_open, getpid(), 0);
    syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0);
    syscall(SYS_pidfd_getfd, 99, 0, 0);
    syscall(SYS_pidfd_open, 99999999, 0);
    close(fd);
    execve("/nonexistent", argv, envp);
    execve("/nonexistent", NULL, NULL);
    syscall(SYS_execveat, AT_FDCWD, "/nonexistent", argv, envp, AT_SYMLINK_NOFOLLOW);
    prctl(PR_SET_PDEATHSIG, SIGHUP);
    prctl(PR_GET_DUMPABLE);
    prctl(PR_SET_DUMPABLE, 1);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_CAPBSET_READ, 5);
    prctl(PR_GET_NAME, (char[16]){0});
    syscall(SYS_kcmp, 99999999, 99999999, 0, 1, 2);
    syscall(SYS_unshare, 0);
    syscall(SYS_setns, 99, CLONE_NEWNET);
    syscall(SYS_ptrace, 16, 99999999, 0, 0);
}

static void waiting(void)
{
    int pair[2];
    struct timespec t = {0, 1000000};
    struct {
        long long sec, nsec;
    } wide = {0, 1000000};
    sigset_t set;
    fd_set reads, writes;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    pipe(pair);
    struct pollfd p[2] = {{pair[0], POLLIN}, {pair[1], POLLOUT}};
    ppoll(p, 2, &t, &set);
    syscall(SYS_ppoll, p, 1, &t, NULL, 0);
    syscall(SYS_ppoll_time64, p, 2, &wide, &set, 8);
    p[1].fd = 99;
    poll(p, 2, 0);
    FD_ZERO(&reads);
    FD_ZERO(&writes);
    FD_SET(pair[0], &reads);
    FD_SET(pair[1], &writes);
    struct {
        void *set;
        int size;
    } mask = {&set, 8};
    syscall(SYS_pselect6, pair[1] + 1, &reads, &writes, NULL, &t, &mask);
    FD_SET(pair[0], &reads);
    t.tv_nsec = 1000;
    syscall(SYS_pselect6, pair[0] + 1, &reads, NULL, NULL, &t, NULL);
    select(0, NULL, NULL, NULL, &(struct timeval){0, 1000});
    select(-1, NULL, NULL, NULL, NULL);
    int ep = epoll_create(5);
    struct epoll_event e = {EPOLLOUT | EPOLLONESHOT, {.u64 = 1}};
    epoll_ctl(ep, EPOLL_CTL_ADD, pair[1], &e);
    epoll_ctl(ep, EPOLL_CTL_ADD, pair[1], &e);
    epoll_ctl(ep, EPOLL_CTL_MOD, pair[1], &e);
    epoll_pwait(ep, &e, 4, -1, &set);
    epoll_ctl(ep, EPOLL_CTL_DEL, pair[1], NULL);
    epoll_ctl(ep, 9, pair[1], &e);
    syscall(SYS_epoll_pwait2, ep, &e, 4, &wide, NULL, 8);
    epoll_wait(99, &e, 1, 0);
    close(ep);
    close(pair[0]);
    close(pair[1]);
}

static void sockets(void)
{
    int pair[2], value = 3;
    socklen_t length = sizeof value;
    char buffer[64], control[64] = {0};
    struct linger linger = {1, 5};
    struct timeval timeout = {2, 5};
    struct iovec v[2] = {{"first", 5}, {"second", 6}};
    struct mmsghdr m[2] = {{.msg_hdr = {.msg_iov = v, .msg_iovlen = 1}},
                           {.msg_hdr = {.msg_iov = v + 1, .msg_iovlen = 1}}};
    struct timespec t = {1, 0};
    struct {
        long long sec, nsec;
    } wide = {1, 0};
    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair);
    sendmmsg(pair[0], m, 2, MSG_NOSIGNAL);
    v[0] = (struct iovec){buffer, 32};
    v[1] = (struct iovec){buffer + 32, 32};
    syscall(SYS_recvmmsg, pair[1], m, 2, MSG_DONTWAIT, NULL);
    syscall(SYS_recvmmsg_time64, pair[1], m, 2, MSG_DONTWAIT, &wide);
    struct msghdr h = {.msg_iov = v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 16};
    struct cmsghdr *c = (void *)control;
    *c = (struct cmsghdr){16, SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &(int){0}, 4);
    v[0].iov_base = "with a descriptor";
    v[0].iov_len = 17;
    sendmsg(pair[0], &h, 0);
    v[0] = (struct iovec){buffer, 64};
    h.msg_controllen = sizeof control;
    recvmsg(pair[1], &h, MSG_CMSG_CLOEXEC);
    recv(pair[1], buffer, 10, MSG_PEEK);
    getsockopt(pair[0], SOL_SOCKET, SO_TYPE, &value, &length);
    getsockopt(pair[0], SOL_SOCKET, SO_ERROR, &value, &length);
    setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(pair[0], SOL_SOCKET, 999, &value, sizeof value);
    setsockopt(99, SOL_IP, 2, &value, sizeof value);
    getpeername(pair[0], (void *)buffer, &length);
    close(pair[0]);
    close(pair[1]);
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(23456)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    value = 1;
    length = sizeof value;
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value);
    getsockopt(s, IPPROTO_TCP, TCP_NODELAY, &value, &length);
    getpeername(s, (void *)buffer, &length);
    accept4(s, NULL, NULL, SOCK_CLOEXEC);
    accept(99, NULL, NULL);
    shutdown(s, SHUT_WR);
    close(s);
    s = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);
    bind(s, (void *)&a, 4);
    sendto(99, "x", 1, MSG_DONTWAIT, (void *)&a, sizeof a);
    length = sizeof a;
    recvfrom(s, buffer, 10, MSG_DONTWAIT, (void *)&a, &length);
    close(s);
    socket(AF_INET, 77, 0);
    socket(77, SOCK_STREAM, 0);
    struct sockaddr_un u = {.sun_family = AF_UNIX, .sun_path = "\0abstract"};
    s = socket(AF_UNIX, SOCK_STREAM, 0);
    bind(s, (void *)&u, 2 + 9);
    length = sizeof u;
    getsockname(s, (void *)&u, &length);
    listen(s, 1);
    connect(s, (void *)&u, 1);
    close(s);
    sendmsg(99, NULL, 0);
    recvmsg(99, &h, 0);
}

static void devices(void)
{
    int n = 0;
    struct winsize size = {24, 80, 0, 0};
    struct termios termios = {0};
    static const int requests[] = {TCGETS,   TIOCGWINSZ, TIOCGPGRP, TIOCGSID,    TIOCGPTN,
                                   TIOCMGET, TIOCGETD,   TIOCINQ,   TIOCOUTQ,    TIOCGPTPEER,
                                   TIOCSTI,  TIOCEXCL,   TIOCNXCL,  TIOCGSERIAL, TIOCSBRK,
                                   TIOCCBRK, TIOCCONS};
    int fd = open("/dev/null", O_RDWR);
    for (unsigned i = 0; i < sizeof requests / sizeof *requests; i++)
        ioctl(fd, requests[i], &n);
    ioctl(fd, TCSBRK, 1);
    ioctl(fd, TCXONC, 1);
    ioctl(fd, TCFLSH, 2);
    ioctl(fd, TIOCSWINSZ, &size);
    ioctl(fd, TIOCSPGRP, &n);
    ioctl(fd, TIOCSCTTY, 1);
    ioctl(fd, TIOCSPTLCK, &n);
    ioctl(fd, FIONBIO, &n);
    ioctl(fd, FIOCLEX);
    ioctl(fd, 0x12345678, 5);
    ioctl(99, TCGETS, &termios);
    close(fd);
}

int main(int argc, char **argv)
{
    limits();
    identities();
    times_of_files();
    file_calls();
    memory();
    signals();
    clocks();
    futexes();
    children();
    waiting();
    sockets();
    devices();
    return 6;
}
