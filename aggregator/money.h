// money.h - what the fleet costs, what of it is idle, and what auto-pause saves, as metrics.
//
// Only with prices (prices.h), for workers whose type has one. Costs an hour are those of now. What
// was saved grows with the time that a worker paused for idleness is down, and what would have been
// with the time that one runs which a dry run says it would pause: both are counters of this process,
// as precise as COUNT_EVERY_MS, and a look at /metrics counts up to its moment.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_MONEY_H
#define AGGREGATOR_MONEY_H

#include "../common/loop.h"
#include "../common/metrics.h"
#include "fleet.h"

typedef struct money money_t;

//  All borrowed. Null when memory is out.
money_t *money_new (loop_t *loop, fleet_t *fleet, const worker_rules_t *rules, metrics_t *metrics);
void money_destroy (money_t **self_p);

#endif
