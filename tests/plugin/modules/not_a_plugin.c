// SPDX-License-Identifier: MIT
// A shared object that knows nothing of emu.
int answer(void);
int answer(void)
{
    return 42;
}
