// SPDX-License-Identifier: MIT
// The interpreter's lazy arithmetic flags, in two words:
//   flags_result  the result, sign-extended to 32 bits: ZF = (result == 0), SF = its sign, PF =
//                 parity of its low byte
//   flags_aux     CF, AF and OF at their places in EFLAGS; bit FLAG_SF inverts SF; bits 16-23 are
//                 exclusive-ored into the parity byte
// Instructions that keep some of the six change flags_aux only (CF, OF, AF), or go through
// flags_get and flags_set.
#ifndef EMU_CPU_FLAGS_H
#define EMU_CPU_FLAGS_H

#include "cpu/cpu.h"

#define FLAGS_AUX_SIGN         FLAG_SF
#define FLAGS_AUX_PARITY_SHIFT 16u

ALWAYS_INLINE void flags_set_lazy(struct cpu *cpu, uint32_t result_sign_extended, uint32_t aux)
{
    cpu->flags_result = result_sign_extended;
    cpu->flags_aux = aux;
}

ALWAYS_INLINE bool flags_cf(const struct cpu *cpu)
{
    return cpu->flags_aux & FLAG_CF;
}

ALWAYS_INLINE bool flags_zf(const struct cpu *cpu)
{
    return cpu->flags_result == 0;
}

ALWAYS_INLINE bool flags_sf(const struct cpu *cpu)
{
    return (cpu->flags_result >> 31) ^ ((cpu->flags_aux & FLAGS_AUX_SIGN) != 0);
}

ALWAYS_INLINE bool flags_of(const struct cpu *cpu)
{
    return (cpu->flags_aux & FLAG_OF) != 0;
}

ALWAYS_INLINE bool flags_af(const struct cpu *cpu)
{
    return (cpu->flags_aux & FLAG_AF) != 0;
}

ALWAYS_INLINE bool flags_pf(const struct cpu *cpu)
{
    return !__builtin_parity((cpu->flags_result ^ (cpu->flags_aux >> FLAGS_AUX_PARITY_SHIFT)) &
                             0xffu);
}

// The six arithmetic flags at their places in EFLAGS.
static inline uint32_t flags_get(const struct cpu *cpu)
{
    return (cpu->flags_aux & (FLAG_CF | FLAG_AF | FLAG_OF)) | (flags_pf(cpu) ? FLAG_PF : 0) |
           (flags_zf(cpu) ? FLAG_ZF : 0) | (flags_sf(cpu) ? FLAG_SF : 0);
}

// Sets all six from an EFLAGS image.
static inline void flags_set(struct cpu *cpu, uint32_t eflags)
{
    uint32_t result = (eflags & FLAG_ZF) ? 0 : 0x100;
    uint32_t aux = eflags & (FLAG_CF | FLAG_AF | FLAG_OF | FLAG_SF);
    if (!(eflags & FLAG_PF)) // the byte is 0: even parity
        aux |= 1u << FLAGS_AUX_PARITY_SHIFT;
    flags_set_lazy(cpu, result, aux);
}

#endif
