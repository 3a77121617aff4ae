// SPDX-License-Identifier: MIT
// Guest program of the system call test: makes calls whose decoding is compared with strace's of
// the same binary run natively. What depends on the machine (addresses, process numbers, times) is
// normalised by the test; everything else is the same everywhere.
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t caught;

static void on_signal(int signal)
{
    caught = signal;
}

static void on_signal_info(int signal, siginfo_t *info, void *context)
{
    caught = signal;
}

static void files(void)
{
    char buffer[256];
    struct stat st;
    mkdir("dir", 0755);
    int fd = open("dir/file", O_RDWR | O_CREAT | O_TRUNC, 0644);
    write(fd, "hello, world\n\t\"quoted\"\\ \1\0012\377", 28);
    lseek(fd, 0, SEEK_SET);
    read(fd, buffer, sizeof buffer);
    read(fd, buffer, sizeof buffer);
    pwrite(fd, "0123456789012345678901234567890123456789", 40, 100);
    pread(fd, buffer, 5, 102);
    fstat(fd, &st);
    stat("dir/file", &st);
    lstat("dir/none", &st);
    stat("/dev/null", &st);
    stat("/dev/tty", &st);
    ftruncate(fd, 10);
    fsync(fd);
    fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_GETFD);
    int copy = fcntl(fd, F_DUPFD, 20);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 5};
    fcntl(fd, F_SETLK, &lock);
    flock(fd, LOCK_EX | LOCK_NB);
    dup2(copy, 30);
    dup3(copy, 31, O_CLOEXEC);
    close(30);
    close(31);
    close(copy);
    close(99);
    fchmod(fd, 04755);
    access("dir/file", R_OK | W_OK);
    access("dir/file2", F_OK);
    struct iovec v[2] = {{"scatter ", 8}, {"gather\n", 7}};
    writev(fd, v, 2);
    lseek(fd, 0, SEEK_SET);
    struct iovec r[2] = {{buffer, 4}, {buffer + 10, 200}};
    readv(fd, r, 2);
    close(fd);
    chmod("dir/file", 0600);
    symlink("file", "dir/link");
    readlink("dir/link", buffer, sizeof buffer);
    link("dir/file", "dir/hard");
    rename("dir/hard", "dir/renamed");
    unlink("dir/renamed");
    DIR *dir = opendir("dir");
    while (readdir(dir))
        ;
    closedir(dir);
    unlink("dir/link");
    unlink("dir/file");
    unlink("dir/file");
    chdir("dir");
    getcwd(buffer, 2);
    chdir("..");
    rmdir("dir");
    umask(027);
    umask(022);
    mkfifo("fifo", 0600);
    unlink("fifo");
    open("/nonexistent/path/that/is/longer/than/thirty-two/characters", O_RDONLY | O_DIRECTORY);
}

static void memory(void)
{
    char *p = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(p, 4096, PROT_READ);
    madvise(p, 8192, MADV_DONTNEED);
    p = mremap(p, 16384, 32768, MREMAP_MAYMOVE);
    munmap(p, 32768);
    int fd = open("map", O_RDWR | O_CREAT, 0600);
    ftruncate(fd, 8192);
    p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
    p[0] = 1;
    msync(p, 4096, MS_SYNC);
    munmap(p, 4096);
    close(fd);
    unlink("map");
    mmap(NULL, 0, PROT_NONE, MAP_PRIVATE, 77, 0);
}

static void signals(void)
{
    struct sigaction sa = {.sa_handler = on_signal};
    sigset_t set, old;
    sigemptyset(&sa.sa_mask);
    sigaddset(&sa.sa_mask, SIGTERM);
    sigaction(SIGUSR1, &sa, NULL);
    sa.sa_sigaction = on_signal_info;
    sa.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaction(SIGUSR2, &sa, NULL);
    sigaction(SIGALRM, &sa, NULL);
    raise(SIGUSR1);
    kill(getpid(), SIGUSR2);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, &old);
    kill(getpid(), SIGUSR1);
    sigpending(&set);
    sigprocmask(SIG_SETMASK, &old, NULL);
    sigfillset(&set);
    sigdelset(&set, SIGALRM);
    struct itimerval timer = {.it_value = {.tv_usec = 300000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    sigsuspend(&set);
    // interrupted: read is restarted after the handler
    int fds[2];
    pipe(fds);
    if (fork() == 0) {
        usleep(400000);
        kill(getppid(), SIGUSR2);
        usleep(400000);
        write(fds[1], "late", 4);
        _exit(3);
    }
    char buffer[8];
    read(fds[0], buffer, sizeof buffer);
    int status;
    wait(&status);
    close(fds[0]);
    close(fds[1]);
    // interrupted: a sleep is not restarted after a handler
    timer.it_value.tv_usec = 400000;
    setitimer(ITIMER_REAL, &timer, NULL);
    struct timespec sleep = {2, 500000000}, rest;
    nanosleep(&sleep, &rest);
    alarm(0);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR1, SIG_DFL);
    if (fork() == 0) {
        kill(getpid(), SIGTERM);
        _exit(4);
    }
    waitpid(-1, &status, 0);
    waitpid(-1, &status, WNOHANG);
}

static void *thread(void *opaque)
{
    struct timespec t = {0, 1000000};
    nanosleep(&t, NULL);
    return opaque;
}

static void processes(void)
{
    int fds[2], status;
    pipe2(fds, O_CLOEXEC);
    pid_t pid = fork();
    if (pid == 0) {
        write(fds[1], "from the child", 14);
        _exit(7);
    }
    char buffer[32];
    waitpid(pid, &status, 0);
    read(fds[0], buffer, sizeof buffer);
    close(fds[0]);
    close(fds[1]);
    pid = vfork();
    if (pid == 0) {
        execl("/proc/self/exe", "calls", "child", "with \"two\" arguments", NULL);
        _exit(9);
    }
    wait4(pid, &status, 0, NULL);
    execl("/nonexistent", "x", NULL);
    pthread_t id;
    pthread_create(&id, NULL, thread, NULL);
    pthread_join(id, NULL);
    getpid();
    getppid();
    syscall(SYS_gettid);
    getuid();
    getegid();
    setpgid(0, 0);
    getpgrp();
    prctl(PR_SET_NAME, "renamed");
    prctl(PR_SET_NAME, "calls");
}

static void waiting(void)
{
    int fds[2];
    pipe(fds);
    struct pollfd p[2] = {{fds[0], POLLIN, 0}, {fds[1], POLLOUT | POLLPRI, 0}};
    poll(p, 1, 10);
    poll(p, 2, -1);
    write(fds[1], "x", 1);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fds[0], &set);
    select(fds[0] + 1, &set, NULL, NULL, NULL);
    int ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {EPOLLIN | EPOLLET, {.u32 = 42}};
    epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e);
    epoll_wait(ep, &e, 1, 100);
    int ev = eventfd(3, EFD_NONBLOCK);
    uint64_t n;
    read(ev, &n, sizeof n);
    read(ev, &n, sizeof n);
    close(ev);
    close(ep);
    close(fds[0]);
    close(fds[1]);
}

static void sockets(void)
{
    int pair[2], on = 1;
    char buffer[64];
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
    send(pair[0], "message", 7, MSG_NOSIGNAL);
    recv(pair[1], buffer, sizeof buffer, 0);
    struct iovec v = {"in a msghdr", 11};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    sendmsg(pair[1], &m, 0);
    v.iov_base = buffer;
    v.iov_len = sizeof buffer;
    recvmsg(pair[0], &m, MSG_DONTWAIT);
    shutdown(pair[0], SHUT_RDWR);
    close(pair[0]);
    close(pair[1]);
    int s = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(12345)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(s, (struct sockaddr *)&a, sizeof a);
    listen(s, 5);
    socklen_t length = sizeof a;
    getsockname(s, (struct sockaddr *)&a, &length);
    close(s);
    s = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un u = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};
    connect(s, (struct sockaddr *)&u, sizeof u);
    close(s);
}

static void miscellany(void)
{
    struct utsname name;
    struct rlimit limit;
    char buffer[16];
    struct termios termios;
    struct winsize size;
    struct tms tms;
    getrlimit(RLIMIT_CORE, &limit);
    uname(&name);
    tcgetattr(0, &termios);
    ioctl(0, TIOCGWINSZ, &size);
    struct timespec res;
    clock_getres(CLOCK_MONOTONIC, &res);
    times(&tms);
    getrandom(buffer, 0, GRND_INSECURE);
    sched_yield();
    sync();
    syscall(SYS_getcwd, NULL, 0);
    syscall(999, 1, 2, 3);
    execl("/bin", "y", NULL);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return 5;
    files();
    memory();
    signals();
    processes();
    waiting();
    sockets();
    miscellany();
    execl("./more", "more", NULL);
    return 4;
}
