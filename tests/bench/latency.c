// latency.c - see latency.h.
//
// SPDX-License-Identifier: MIT

#include "latency.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS   1000000
#define SLOT_US 10

struct latency {
    uint64_t total;
    uint32_t slots [SLOTS];  //  the last holds all beyond
};

latency_t *
latency_new (void)
{
    return calloc (1, sizeof (latency_t));
}

void
latency_destroy (latency_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

void
latency_reset (latency_t *self)
{
    memset (self, 0, sizeof *self);
}

void
latency_note (latency_t *self, int64_t us)
{
    int64_t slot = us < 0 ? 0 : us / SLOT_US;

    self->slots [slot < SLOTS ? slot : SLOTS - 1]++;
    self->total++;
}

double
latency_quantile_ms (const latency_t *self, double part)
{
    uint64_t seen = 0;

    for (size_t i = 0; i < SLOTS && self->total > 0; i++) {
        seen += self->slots [i];
        if ((double) seen >= part * (double) self->total) {
            return (double) (i * SLOT_US) / 1000;
        }
    }
    return -1;
}
