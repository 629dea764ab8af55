// latency.h - many delays, and the one that so many of a hundred lie within.
//
// SPDX-License-Identifier: MIT

#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <stdint.h>

typedef struct latency latency_t;

latency_t *latency_new (void);
void latency_destroy (latency_t **self_p);
void latency_reset (latency_t *self);
//  To 10 us; what is over ten seconds counts as ten.
void latency_note (latency_t *self, int64_t us);
//  Milliseconds; -1 when nothing was noted.
double latency_quantile_ms (const latency_t *self, double part);

#endif
