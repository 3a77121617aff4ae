// SPDX-License-Identifier: MIT
// Guest program of the test of signals: each call that has an id of its own, once, with arguments
// and results that the test knows.
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char stack[16384];

static int wait_forever(void *opaque)
{
    for (;;)
        pause();
    return 0;
}

int main(void)
{
    char buffer[32];
    int status;
    char *argv[] = {"one", "two", NULL};
    unsigned long args[6] = {0, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0};
    syscall(SYS_close, syscall(SYS_creat, "/tmp/ids-file", 0644));
    int fd = (int)syscall(SYS_open, "/tmp/ids-file", O_RDWR | O_APPEND);
    syscall(SYS_write, fd, "seven b", 7);
    syscall(SYS_pread64, fd, buffer, 20, 2, 0);
    syscall(SYS_pwrite64, fd, "ends", 4, 0, 0);
    syscall(SYS_close, fd);
    fd = (int)syscall(SYS_openat, AT_FDCWD, "/tmp/ids-file", O_RDONLY);
    syscall(SYS_read, fd, buffer, 32);
    syscall(SYS_read, 99, buffer, 32);
    syscall(SYS_mmap2, 0, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    syscall(SYS_mmap, args);
    syscall(SYS_dup2, fd, 20);
    syscall(SYS_close, 20);
    syscall(SYS_close, fd);
    syscall(SYS_open, "/nonexistent/file", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    syscall(SYS_getpid);
    syscall(SYS_getppid);
    if (syscall(SYS_fork) == 0)
        syscall(SYS_exit, 3);
    wait(&status);
    syscall(SYS_execve, "/nonexistent", argv, NULL);
    clone(wait_forever, stack + sizeof stack,
          CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, NULL);
    usleep(300000);
    syscall(SYS_unlink, "/tmp/ids-file");
    syscall(SYS_exit_group, 5);
}
