// control.h - answers what gateways and collectors ask: state, leases, alerts.
//
// Work beside the flow: it reads the fleet and changes nothing in it. The operations and their
// JSON are in common/README.md.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_CONTROL_H
#define AGGREGATOR_CONTROL_H

#include "../common/bus.h"
#include "alerts.h"
#include "feed.h"
#include "fleet.h"
#include "ingest.h"
#include "leases.h"
#include "losses.h"

typedef struct control control_t;

control_t *control_open (loop_t *loop, fleet_t *fleet, feed_t *feed, store_t *store,
                         leases_t *leases, losses_t *losses, alerts_t *alerts, const char *endpoint,
                         const bus_keys_t *keys, int64_t renew_ms, metrics_t *metrics,
                         reason_t *why);
//  From here on the answer to `lease` says what was heard of who asks. Borrowed; null: no more.
void control_follow (control_t *self, const ingest_t *ingest);
void control_destroy (control_t **self_p);

#endif
