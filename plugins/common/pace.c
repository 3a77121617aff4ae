// SPDX-License-Identifier: MIT
// Searches that are repeated: how often.
#include "common/pace.h"

#include <time.h>

static int64_t processor_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

bool pace_begin(struct pace *pace)
{
    int64_t now = processor_time();
    if (now < pace->next)
        return false;
    pace->began = now;
    return true;
}

void pace_end(struct pace *pace, unsigned factor)
{
    int64_t now = processor_time();
    pace->next = now + (now - pace->began) * factor;
}
