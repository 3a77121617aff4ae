// SPDX-License-Identifier: MIT
// The 32-bit process from the other side: started, asked for a batch, ended.
#include "host_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPLY_TIMEOUT_MS 120000

struct user_shared *shared_create(int *fd)
{
    *fd = memfd_create("cases", MFD_CLOEXEC);
    if (*fd < 0 || ftruncate(*fd, sizeof(struct user_shared)) != 0)
        return NULL;
    void *memory =
        mmap(NULL, sizeof(struct user_shared), PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static bool wait_reply(struct host_process *host, uint8_t expected)
{
    struct pollfd poller = {.fd = host->reply, .events = POLLIN};
    uint8_t number;
    if (poll(&poller, 1, REPLY_TIMEOUT_MS) != 1)
        return false;
    return read(host->reply, &number, 1) == 1 && number == expected;
}

// In the child: descriptors as layout.h says, and nothing else.
static _Noreturn void become(const char *path, int request, int reply, int shared)
{
    int a = fcntl(request, F_DUPFD, 10), b = fcntl(reply, F_DUPFD, 10);
    int c = fcntl(shared, F_DUPFD, 10);
    if (dup2(a, USER_FD_REQUEST) < 0 || dup2(b, USER_FD_REPLY) < 0 || dup2(c, USER_FD_SHARED) < 0)
        _exit(127);
    close_range(4, ~0u, 0);
    execl(path, path, (char *)NULL);
    _exit(127);
}

bool host_start(struct host_process *host, const char *path, int shared)
{
    int request[2], reply[2];
    if (pipe2(request, O_CLOEXEC) != 0 || pipe2(reply, O_CLOEXEC) != 0)
        return false;
    signal(SIGPIPE, SIG_IGN);
    pid_t pid = fork();
    if (pid == 0)
        become(path, request[0], reply[1], shared);
    close(request[0]);
    close(reply[1]);
    *host = (struct host_process){.pid = pid, .request = request[1], .reply = reply[0]};
    if (pid > 0 && wait_reply(host, 0xff))
        return true;
    host_stop(host);
    return false;
}

bool host_submit(struct host_process *host, uint8_t batch)
{
    return write(host->request, &batch, 1) == 1;
}

bool host_wait(struct host_process *host, uint8_t batch)
{
    return wait_reply(host, batch);
}

void host_stop(struct host_process *host)
{
    close(host->request);
    close(host->reply);
    if (host->pid > 0) {
        kill(host->pid, SIGKILL);
        waitpid(host->pid, NULL, 0);
    }
}
