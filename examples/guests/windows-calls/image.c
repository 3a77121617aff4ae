// SPDX-License-Identifier: MIT
// Calls of what the mapped module exports, found in its export table as a loader does.
#include "user.h"

void image_calls(void)
{
}

void image_call_often(void)
{
}

void image_exit(void)
{
}
