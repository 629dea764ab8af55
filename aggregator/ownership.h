// ownership.h - gauges of the workers that nobody reads, or more than one.
//
// The lease has one owner for each unit at any moment, but collectors hear of it only when they ask
// again. So a gauge is over what they were last told (leases_readers): while a rescale goes round, a
// worker may have two readers for a moment, or, after one has gone, none.
// cmlwatch_workers_unowned{kind} and cmlwatch_workers_multi_owned{kind}, of each kind that ever asked.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_OWNERSHIP_H
#define AGGREGATOR_OWNERSHIP_H

#include "fleet.h"
#include "leases.h"

typedef struct ownership ownership_t;

//  All are borrowed. Null when memory is out.
ownership_t *ownership_new (fleet_t *fleet, const leases_t *leases, metrics_t *metrics);
void ownership_destroy (ownership_t **self_p);

#endif
