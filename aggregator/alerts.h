// alerts.h - what somebody should look at, from when to when.
//
// Each rule (alert_rules.h) is held against each worker whenever the worker changes, at the turn's
// end; what holds for as long as the rule says is raised, told (alert.raised), and cleared when it
// has not held for clear_after. A rule with at_least counts workers and is one alert of the fleet.
// An operator may acknowledge one: it is told and stays until it is cleared.
//
//     (none) ── holds ──► pending ── for ──► raised ──┬── acknowledge ──► acknowledged
//        ▲                   │                 │      │                        │
//        └── holds no more ──┘                 └──────┴── not for clear_after ─┴──► cleared
//
// What is raised survives the process, as are the last ALERTS_CLEARED_KEPT that were cleared; what is
// pending begins anew. A rule that was taken out, a worker that left the state: cleared, and why.
//
// A1 a rule has at most one alert that is not cleared for a worker
// A2 at most alerts_max are pending or raised; more are counted and tried again
// A3 each alert.raised is followed by exactly one alert.cleared of that id
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_ALERTS_H
#define AGGREGATOR_ALERTS_H

#include "alert_rules.h"
#include "fleet.h"
#include "webhook.h"

#define ALERTS_CLEARED_KEPT 100

typedef struct alerts alerts_t;

//  rules is taken over. All but the loop may be null only where it says so: store, webhook. Holds
//  the rules against all workers at once. Null and why.
alerts_t *alerts_new (loop_t *loop, feed_t *feed, fleet_t *fleet, store_t *store,
                      webhook_t *webhook, alert_rules_t **rules, int64_t alerts_max,
                      metrics_t *metrics, reason_t *why);
void alerts_destroy (alerts_t **self_p);

//  Other rules from here on, taken over; what is raised by one that is gone is cleared.
void alerts_replace (alerts_t *self, alert_rules_t **rules);

//  0; -ENOENT: no alert has this id; -EALREADY: it is acknowledged or cleared already.
int alerts_acknowledge (alerts_t *self, const char *id, const char *by, reason_t *why);

//  Raised ones, the newest first, then those that were cleared, the latest first: each one JSON
//  object. fn is called for each in turn.
typedef void alerts_fn (void *argument, const char *json, size_t size);
void alerts_each (alerts_t *self, alerts_fn *fn, void *argument);
//  That one; false: none has this id.
bool alerts_one (alerts_t *self, const char *id, alerts_fn *fn, void *argument);

//  An array of {name, words, severity, is_enabled, is_built_in, active, raised_total}.
void alerts_write_rules (const alerts_t *self, json_writer_t *json);

#endif
