// SPDX-License-Identifier: MIT
#include "jit/translate.h"

bool translate_fpu(struct translator *t, const struct insn *insn)
{
    return false;
}
