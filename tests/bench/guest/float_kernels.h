// SPDX-License-Identifier: MIT
// The planets of the n-body workload, shared by the x87 and the SSE version: doubles, whose every
// operation IEEE 754 defines.
#ifndef FLOAT_KERNELS_H
#define FLOAT_KERNELS_H

enum { BODIES = 5 };
struct body {
    double position[3], velocity[3], mass;
};

static inline void bodies_place(struct body body[BODIES])
{
    for (int i = 0; i < BODIES; i++) {
        double r = i * 1.75;
        body[i] = (struct body){{r, 0.25 * i, -0.125 * i},
                                {0.01 * i, i == 0 ? 0 : 2.0 / (1 + i), 0.002 * i},
                                i == 0 ? 39.5 : 0.01 * i};
    }
}

// `root` is the machine's square root instruction.
static inline void bodies_advance(struct body body[BODIES], double step, double (*root)(double))
{
    for (int i = 0; i < BODIES; i++) {
        for (int j = i + 1; j < BODIES; j++) {
            double d[3], square = 0.01;
            for (int k = 0; k < 3; k++) {
                d[k] = body[i].position[k] - body[j].position[k];
                square += d[k] * d[k];
            }
            double magnitude = step / (square * root(square));
            for (int k = 0; k < 3; k++) {
                body[i].velocity[k] -= d[k] * body[j].mass * magnitude;
                body[j].velocity[k] += d[k] * body[i].mass * magnitude;
            }
        }
    }
    for (int i = 0; i < BODIES; i++) {
        for (int k = 0; k < 3; k++)
            body[i].position[k] += step * body[i].velocity[k];
    }
}

#endif
