// SPDX-License-Identifier: MIT
// Owns the 32-bit process that runs cases on the host's CPU.
#ifndef EMU_TESTS_DIFF_USER_HOST_PROCESS_H
#define EMU_TESTS_DIFF_USER_HOST_PROCESS_H

#include <sys/types.h>

#include "layout.h"

struct host_process {
    pid_t pid;
    int request, reply;
};

// Memory to share with it; NULL: none.
struct user_shared *shared_create(int *fd);
// False: this host runs no 32-bit processes, or lets none map low addresses. The pristine pages
// must be in place.
bool host_start(struct host_process *host, const char *path, int shared);
// False: it died, or did not answer for two minutes.
bool host_submit(struct host_process *host, uint8_t batch);
bool host_wait(struct host_process *host, uint8_t batch);
void host_stop(struct host_process *host);

#endif
