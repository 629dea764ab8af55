// gauges.h - the fleet as Prometheus gauges: each worker, and all of them in sum.
//
// Written straight from the workers at each scrape; nothing is kept. Only the first
// metrics_workers_max workers, by id, are told one by one: the rest count in the sums alone, and
// cmlwatch_workers_not_told says how many these are. Units are Prometheus' base units: ratios of
// 1, seconds. What nobody knows has no sample.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_GAUGES_H
#define AGGREGATOR_GAUGES_H

#include "fleet.h"

typedef struct gauges gauges_t;

gauges_t *gauges_new (loop_t *loop, fleet_t *fleet, const idle_rules_t *rules, int64_t workers_max,
                      metrics_t *metrics);
void gauges_destroy (gauges_t **self_p);

#endif
