// SPDX-License-Identifier: MIT
// Floating point in the three C types, in four rounding modes, with special values: results as
// bits, exception flags.
#include <complex.h>
#include <fenv.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#pragma STDC FENV_ACCESS ON

static uint64_t hash;

static void bits_d(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, 8);
    if (isnan(value))
        bits &= 0x7fffffffffffffff;
    hash = (hash ^ bits) * 1099511628211u ^ hash >> 29;
}

static void bits_l(long double value)
{
    unsigned char bytes[sizeof value] = {0};
    memcpy(bytes, &value, 10);
    if (isnan(value))
        bytes[9] &= 0x7f;
    for (int i = 0; i < 10; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
}

// clang-format off
static const double special[] = {0.0,    -0.0,    1.0,     -1.0,    0.5,      1.5,     -2.5,   3.0,      1e-5,   1e10,  -1e22,
                                 1e-310, -4e-320, 1.7e308, -1e-300, INFINITY, 6.25e-2, -0.1,   1.0 / 3,  -7.75,  123.0, 1e15,
                                 4503599627370497.5, 2147483648.0, -2147483648.5, 9.2e18, 0.7853981633974483, 100.25};
// clang-format on
enum { SPECIALS = sizeof special / sizeof *special };

// clang-format off
#define ONE(fn) {#fn, fn, fn##f, fn##l}
// clang-format on
static const struct {
    const char *name;
    double (*d)(double);
    float (*f)(float);
    long double (*l)(long double);
} unary[] = {ONE(sqrt),  ONE(sin),   ONE(cos),  ONE(tan),    ONE(asin),  ONE(acos),
             ONE(atan),  ONE(sinh),  ONE(cosh), ONE(tanh),   ONE(exp),   ONE(exp2),
             ONE(expm1), ONE(log),   ONE(log2), ONE(log10),  ONE(log1p), ONE(cbrt),
             ONE(ceil),  ONE(floor), ONE(rint), ONE(trunc),  ONE(round), ONE(nearbyint),
             ONE(fabs),  ONE(logb),  ONE(erf),  ONE(tgamma), ONE(lgamma)};
// clang-format off
#define TWO(fn) {#fn, fn, fn##l}
// clang-format on
static const struct {
    const char *name;
    double (*d)(double, double);
    long double (*l)(long double, long double);
} binary[] = {TWO(pow),  TWO(atan2), TWO(fmod),      TWO(remainder), TWO(hypot),
              TWO(fdim), TWO(fmax),  TWO(nextafter), TWO(copysign)};

static void run_mode(const char *name, int mode)
{
    for (unsigned k = 0; k < sizeof unary / sizeof *unary; k++) {
        hash = 0;
        fesetround(mode);
        feclearexcept(FE_ALL_EXCEPT);
        for (int i = 0; i < SPECIALS; i++) {
            volatile double x = special[i];
            bits_d(unary[k].d(x));
            bits_d((double)unary[k].f((float)x));
            bits_l(unary[k].l((long double)x * 1.0000001L));
        }
        int raised = fetestexcept(FE_ALL_EXCEPT);
        fesetround(FE_TONEAREST);
        printf("%s %s %016" PRIx64 " %02x\n", name, unary[k].name, hash, (unsigned)raised);
    }
    for (unsigned k = 0; k < sizeof binary / sizeof *binary; k++) {
        hash = 0;
        fesetround(mode);
        for (int i = 0; i < SPECIALS; i++)
            for (int j = 0; j < SPECIALS; j++) {
                volatile double x = special[i], y = special[j];
                bits_d(binary[k].d(x, y));
                bits_l(binary[k].l((long double)x, (long double)y));
            }
        fesetround(FE_TONEAREST);
        printf("%s %s %016" PRIx64 "\n", name, binary[k].name, hash);
    }
    static const struct {
        const char *name;
        int flags;
    } flags[] = {{"invalid", FE_INVALID},
                 {"zero", FE_DIVBYZERO},
                 {"overflow", FE_OVERFLOW},
                 {"underflow", FE_UNDERFLOW},
                 {"inexact", FE_INEXACT}};
    hash = 0;
    int counts[5] = {0};
    fesetround(mode);
    for (int i = 0; i < SPECIALS; i++)
        for (int j = 0; j < SPECIALS; j++) {
            volatile double x = special[i], y = special[j];
            volatile float xf = (float)x, yf = (float)y;
            volatile long double xl = x, yl = y;
            feclearexcept(FE_ALL_EXCEPT);
            bits_d(x + y), bits_d(x - y), bits_d(x * y), bits_d(x / y);
            bits_d((double)(xf + yf)), bits_d((double)(xf * yf)), bits_d((double)(xf / yf));
            bits_l(xl + yl), bits_l(xl * yl), bits_l(xl / yl), bits_l(sqrtl(xl));
            bits_d((double)(x < y) + 2 * (x == y) + 4 * (xl >= yl) + 8 * !(xf <= yf) +
                   16 * isunordered(x, y));
            if (fabs(x) < 1e9)
                bits_d((double)(int)x), bits_d((double)(long long)xl), bits_d((double)lrint(x)),
                    bits_d((double)llrintl(xl));
            int raised = fetestexcept(FE_ALL_EXCEPT);
            for (int f = 0; f < 5; f++)
                counts[f] += (raised & flags[f].flags) != 0;
        }
    fesetround(FE_TONEAREST);
    printf("%s arithmetic %016" PRIx64, name, hash);
    for (int f = 0; f < 5; f++)
        printf(" %s=%d", flags[f].name, counts[f]);
    printf("\n");
}

static void iterate(void)
{
    // Long chains where each rounding shows.
    double x = 0.4, sum = 0;
    float xf = 0.4f;
    long double xl = 0.4L;
    for (int i = 0; i < 300000; i++) {
        x = 3.9 * x * (1 - x);
        xf = 3.9f * xf * (1 - xf);
        xl = 3.9L * xl * (1 - xl);
        sum += sin(x) / (1 + (double)xl) - (double)xf;
    }
    printf("logistic %a %a %La %a\n", x, (double)xf, xl, sum);
    double a[24][24], b[24][24], c[24][24] = {{0}};
    for (int i = 0; i < 24; i++)
        for (int j = 0; j < 24; j++)
            a[i][j] = 1.0 / (i + j + 1), b[i][j] = sin(i * 24.0 + j);
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 24; i++)
            for (int j = 0; j < 24; j++)
                for (int k = 0; k < 24; k++)
                    c[i][j] += a[i][k] * b[k][j];
        for (int i = 0; i < 24; i++)
            for (int j = 0; j < 24; j++)
                b[i][j] = c[i][j] / (1 + fabs(c[j][i]));
    }
    printf("matrix %a %a %a\n", c[0][0], c[11][7], c[23][23]);
    double complex z = 0.3 + 0.5 * I;
    for (int i = 0; i < 2000; i++)
        z = csqrt(z * z + cexp(-z) / 7) * cpow(z, 0.1 * I);
    printf("complex %a %a\n", creal(z), cimag(z));
    char text[128];
    for (int i = 0; i < SPECIALS; i++) {
        double back;
        snprintf(text, sizeof text, "%.17g %.3f %La %.25Le", special[i], special[i],
                 (long double)special[i] / 3, (long double)special[i] * 7);
        sscanf(text, "%lf", &back);
        printf("%s %d\n", text, back == special[i]);
    }
}

int main(void)
{
    run_mode("nearest", FE_TONEAREST);
    run_mode("down", FE_DOWNWARD);
    run_mode("up", FE_UPWARD);
    run_mode("zero", FE_TOWARDZERO);
    iterate();
    return 0;
}
