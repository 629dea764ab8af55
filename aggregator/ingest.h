// ingest.h - observations from collectors, applied to the fleet.
//
// A message that cannot be used is counted by its reason, logged with its source at a limited
// rate, and dropped; it never stops the loop. Gaps in a source's numbers, and tails that only
// its heartbeat tells of, are counted in cmlwatch_bus_lost_total{source}.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_INGEST_H
#define AGGREGATOR_INGEST_H

#include "../common/bus.h"
#include "fleet.h"
#include "losses.h"

typedef struct ingest ingest_t;

typedef struct ingest_settings {
    const char *endpoint;
    const bus_keys_t *keys;  //  null: not encrypted
    int64_t message_max_bytes, high_water_mark;
} ingest_settings_t;

//  While the feed is held nothing is taken in: it waits at the collectors. What is missing is noted
//  in losses. With a store (null: none) the numbers of each source go on where they were.
ingest_t *ingest_open (loop_t *loop, fleet_t *fleet, const feed_t *feed, losses_t *losses,
                       store_t *store, const ingest_settings_t *settings, metrics_t *metrics,
                       reason_t *why);
void ingest_destroy (ingest_t **self_p);

//  The last number heard of this source in this epoch of it; 0: none.
uint64_t ingest_heard (const ingest_t *self, const char *source, const char *epoch);

#endif
