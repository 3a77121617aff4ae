// SPDX-License-Identifier: MIT
// MMX, SSE and SSE2 through the compiler's intrinsics, and x87 instructions that no compiler emits:
// results as hashes.
#include <emmintrin.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xmmintrin.h>

#define SSE2 __attribute__((target("sse2,mmx"), noinline))

static uint32_t seed = 777;
static uint64_t hash;

static uint32_t next(void)
{
    return seed = seed * 1664525 + 1013904223;
}

static void bytes(const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const unsigned char *)data)[i]) * 1099511628211u;
}

static void report(const char *topic)
{
    printf("%s %016" PRIx64 "\n", topic, hash);
    hash = 0;
}

#define BINARY(f) (r = f(a, b), bytes(&r, 16))
SSE2 static void integers(void)
{
    for (int i = 0; i < 2000; i++) {
        uint32_t words[8];
        for (int k = 0; k < 8; k++)
            words[k] = next() * (next() | 1);
        __m128i a = _mm_loadu_si128((const __m128i *)words),
                b = _mm_loadu_si128((const __m128i *)(words + 4)), r;
        BINARY(_mm_add_epi8), BINARY(_mm_add_epi16), BINARY(_mm_add_epi32), BINARY(_mm_add_epi64),
            BINARY(_mm_adds_epi8), BINARY(_mm_adds_epu8), BINARY(_mm_adds_epi16),
            BINARY(_mm_adds_epu16), BINARY(_mm_sub_epi8), BINARY(_mm_sub_epi64),
            BINARY(_mm_subs_epi8), BINARY(_mm_subs_epu16), BINARY(_mm_mullo_epi16),
            BINARY(_mm_mulhi_epi16), BINARY(_mm_mulhi_epu16), BINARY(_mm_mul_epu32),
            BINARY(_mm_madd_epi16), BINARY(_mm_sad_epu8), BINARY(_mm_avg_epu8),
            BINARY(_mm_avg_epu16), BINARY(_mm_max_epi16), BINARY(_mm_min_epi16),
            BINARY(_mm_max_epu8), BINARY(_mm_min_epu8), BINARY(_mm_cmpeq_epi8),
            BINARY(_mm_cmpgt_epi16), BINARY(_mm_cmpgt_epi32), BINARY(_mm_and_si128),
            BINARY(_mm_andnot_si128), BINARY(_mm_xor_si128), BINARY(_mm_packs_epi16),
            BINARY(_mm_packs_epi32), BINARY(_mm_packus_epi16), BINARY(_mm_unpackhi_epi8),
            BINARY(_mm_unpacklo_epi8), BINARY(_mm_unpackhi_epi16), BINARY(_mm_unpacklo_epi32),
            BINARY(_mm_unpackhi_epi64);
        __m128i n = _mm_cvtsi32_si128((int)(words[5] & 0x3f));
        r = _mm_sll_epi16(a, n), bytes(&r, 16), r = _mm_srl_epi64(a, n), bytes(&r, 16),
        r = _mm_sra_epi32(a, n), bytes(&r, 16);
        r = _mm_slli_si128(a, 5), bytes(&r, 16), r = _mm_srli_si128(a, 3), bytes(&r, 16);
        r = _mm_shuffle_epi32(a, 0x39), bytes(&r, 16), r = _mm_shufflehi_epi16(a, 0x1b),
        bytes(&r, 16);
        r = _mm_insert_epi16(a, (int)words[4], 5), bytes(&r, 16);
        int mask = _mm_movemask_epi8(a) ^ _mm_extract_epi16(b, 3);
        bytes(&mask, 4);
        __m64 m = _mm_add_pi16(_mm_movepi64_pi64(a), _mm_movepi64_pi64(b)),
              w = _mm_madd_pi16(m, _mm_movepi64_pi64(b));
        m = _mm_packs_pu16(_mm_unpacklo_pi8(m, w), _mm_mulhi_pi16(m, w));
        bytes(&m, 8);
        _mm_empty();
    }
    report("integers");
}

SSE2 static void floats(unsigned rounding)
{
    _mm_setcsr(0x1f80 | rounding);
    for (int i = 0; i < 2000; i++) {
        float fv[8];
        double dv[4];
        for (int k = 0; k < 8; k++)
            fv[k] = (float)(int)next() / (float)(1 << (next() % 31));
        for (int k = 0; k < 4; k++)
            dv[k] = (double)(int)next() * 1e-5 * (next() & 1 ? 1e-300 : 1);
        __m128 a = _mm_loadu_ps(fv), b = _mm_loadu_ps(fv + 4), r;
        BINARY(_mm_add_ps), BINARY(_mm_sub_ps), BINARY(_mm_mul_ps), BINARY(_mm_div_ps),
            BINARY(_mm_min_ps), BINARY(_mm_max_ps), BINARY(_mm_add_ss), BINARY(_mm_div_ss),
            BINARY(_mm_cmplt_ps), BINARY(_mm_cmpunord_ps), BINARY(_mm_cmpnle_ss),
            BINARY(_mm_unpackhi_ps), BINARY(_mm_movehl_ps);
        r = _mm_sqrt_ps(_mm_max_ps(a, b)), bytes(&r, 16), r = _mm_shuffle_ps(a, b, 0x72),
        bytes(&r, 16);
        r = _mm_cvtsi32_ss(a, (int)next()), bytes(&r, 16);
        int value =
            _mm_cvtss_si32(b) ^ _mm_cvttss_si32(a) ^ _mm_movemask_ps(a) ^ _mm_comilt_ss(a, b);
        bytes(&value, 4);
        {
            __m128d a = _mm_loadu_pd(dv), b = _mm_loadu_pd(dv + 2), r;
            BINARY(_mm_add_pd), BINARY(_mm_sub_pd), BINARY(_mm_mul_pd), BINARY(_mm_div_pd),
                BINARY(_mm_min_pd), BINARY(_mm_max_sd), BINARY(_mm_cmpge_pd),
                BINARY(_mm_unpacklo_pd), BINARY(_mm_sqrt_sd);
            __m128i c = _mm_cvtpd_epi32(a);
            bytes(&c, 16), c = _mm_cvttpd_epi32(b), bytes(&c, 16);
            __m128 s = _mm_cvtpd_ps(a);
            bytes(&s, 16);
            r = _mm_cvtps_pd(_mm_loadu_ps(fv + 2)), bytes(&r, 16), r = _mm_cvtepi32_pd(c),
            bytes(&r, 16);
            value = _mm_cvtsd_si32(a) ^ _mm_comigt_sd(a, b);
            bytes(&value, 4);
        }
        __m128i c = _mm_cvtps_epi32(a);
        bytes(&c, 16), c = _mm_cvttps_epi32(b), bytes(&c, 16);
    }
    printf("mxcsr %04x ", _mm_getcsr());
    _mm_setcsr(0x1f80);
    report("floats");
}

#define ONE(op)                                                                                    \
    do {                                                                                           \
        long double result = x;                                                                    \
        unsigned short status;                                                                     \
        __asm__ volatile("fnclex\n\t" op "\n\tfnstsw %1" : "+t"(result), "=a"(status));            \
        bytes(&result, 10), bytes(&status, 2);                                                     \
    } while (0)
#define PAIR(op)                                                                                   \
    do {                                                                                           \
        long double result = x;                                                                    \
        unsigned short status;                                                                     \
        __asm__ volatile("fnclex\n\t" op "\n\tfnstsw %1"                                           \
                         : "+t"(result), "=a"(status)                                              \
                         : "u"((long double)y));                                                   \
        bytes(&result, 10), bytes(&status, 2);                                                     \
    } while (0)

static void x87(unsigned control)
{
    unsigned short word = (unsigned short)(0x003f | control);
    __asm__ volatile("fldcw %0" : : "m"(word));
    for (int i = 0; i < 3000; i++) {
        volatile long double x = (long double)(int)next() / (1 << (next() % 31)),
                             y = (long double)(int)next() / 65536;
        ONE("fsin");
        ONE("fcos");
        ONE("f2xm1");
        ONE("frndint");
        ONE("fabs\n\tfsqrt");
        ONE("fxam");
        ONE("ftst");
        ONE("fchs");
        PAIR("fprem");
        PAIR("fprem1");
        PAIR("fscale");
        PAIR("fcom %%st(1)");
        PAIR("fadd %%st(1), %%st");
        PAIR("fdivr %%st(1), %%st");
        PAIR("fucom %%st(1)");
        PAIR("fsub %%st(1), %%st");
        long double significand = x, exponent;
        __asm__ volatile("fxtract" : "=t"(significand), "=u"(exponent) : "0"(significand));
        bytes(&significand, 10), bytes(&exponent, 10);
        unsigned char packed[10];
        __asm__ volatile("fldt %1\n\tfbstp %0" : "=m"(packed) : "m"(x));
        bytes(packed, 10);
        long double back;
        __asm__ volatile("fbld %1\n\tfstpt %0" : "=m"(back) : "m"(packed));
        bytes(&back, 10);
        short small;
        long long wide;
        __asm__ volatile("fldt %2\n\tfists %0\n\tfistpll %1" : "=m"(small), "=m"(wide) : "m"(x));
        bytes(&small, 2), bytes(&wide, 8);
    }
    word = 0x037f;
    __asm__ volatile("fnclex\n\tfldcw %0" : : "m"(word));
    printf("control %04x ", 0x3f | control);
    report("x87");
}

int main(void)
{
    integers();
    for (unsigned rounding = 0; rounding < 4; rounding++)
        floats(rounding << 13);
    floats(0x8000); // flush to zero
    for (unsigned control = 0; control < 0x1000; control += 0x100)
        if ((control & 0x300) != 0x100)
            x87(control);
    return 0;
}
