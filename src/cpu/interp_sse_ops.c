// SPDX-License-Identifier: MIT
// Each SIMD operation as one instruction of the host, under whatever MXCSR is loaded.
#include "cpu/interp_sse.h"

#define SIMD_OPERATION(name)                                                                       \
    void simd_##name(union simd *dest, const union simd *source)                                   \
    {                                                                                              \
        __asm__ volatile(#name " %1, %0" : "+x"(dest->vector) : "x"(source->vector));              \
    }

// clang-format off
#define SIMD_BOTH(name)        SIMD_OPERATION(name)
#define SIMD_LOW(name)         SIMD_OPERATION(name)
#define SIMD_HIGH(name, low)   SIMD_OPERATION(name)
#define SIMD_PACK(name)        SIMD_OPERATION(name)
#define SIMD_SHIFT(name)
#define SIMD_INTEGER(name)     SIMD_OPERATION(name)
#define SIMD_FLOAT(name, size) SIMD_OPERATION(name)
#define SIMD_COMPARE(name)     SIMD_OPERATION(name)
#include "cpu/opcodes_simd_ops.def"
// clang-format on

#define SIMD_FLAGS_OPERATION(name)                                                                 \
    void simd_##name(union simd *dest, const union simd *source)                                   \
    {                                                                                              \
        bool z, p, c;                                                                              \
        __asm__ volatile(#name " %4, %3"                                                           \
                         : "=@ccz"(z), "=@ccp"(p), "=@ccc"(c)                                      \
                         : "x"(dest->vector), "x"(source->vector));                                \
        dest->u32[0] = (z ? FLAG_ZF : 0) | (p ? FLAG_PF : 0) | (c ? FLAG_CF : 0);                  \
    }

SIMD_FLAGS_OPERATION(comiss)
SIMD_FLAGS_OPERATION(comisd)
SIMD_FLAGS_OPERATION(ucomiss)
SIMD_FLAGS_OPERATION(ucomisd)

#define SIMD_TO_INTEGER(name)                                                                      \
    void simd_##name(union simd *dest, const union simd *source)                                   \
    {                                                                                              \
        __asm__ volatile(#name " %1, %0" : "=r"(dest->u32[0]) : "x"(source->vector));              \
    }

SIMD_TO_INTEGER(cvtss2si)
SIMD_TO_INTEGER(cvttss2si)
SIMD_TO_INTEGER(cvtsd2si)
SIMD_TO_INTEGER(cvttsd2si)

#define SIMD_FROM_INTEGER(name)                                                                    \
    void simd_##name(union simd *dest, const union simd *source)                                   \
    {                                                                                              \
        __asm__ volatile(#name "l %1, %0" : "+x"(dest->vector) : "r"(source->u32[0]));             \
    }

SIMD_FROM_INTEGER(cvtsi2ss)
SIMD_FROM_INTEGER(cvtsi2sd)

// The two low lanes of CVTDQ2PS; the high half of the destination stays.
void simd_cvtpi2ps(union simd *dest, const union simd *source)
{
    union simd result = *dest;
    simd_cvtdq2ps(&result, source);
    dest->u64[0] = result.u64[0];
}
