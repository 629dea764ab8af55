// alerts_state.h - the inside of the alerts, for alerts*.c alone.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_ALERTS_STATE_H
#define AGGREGATOR_ALERTS_STATE_H

#include "alert.h"
#include "alerts.h"

#include <czmq.h>

struct alerts {
    loop_t *loop;
    feed_t *feed;
    fleet_t *fleet;
    store_t *store;
    webhook_t *webhook;
    alert_rules_t *rules;
    int64_t alerts_max;
    zhashx_t *open;                    //  alert_t by rule and worker (A1)
    zlistx_t *cleared;                 //  alert_t, the latest first; owns them
    zhashx_t *marks;                   //  uint64_t by worker
    size_t told [ALERT_CRITICAL + 1];  //  raised, by severity
    size_t holding [ALERT_RULES_MAX];  //  workers that fulfil each
    loop_timer_t *timer;
    time_us_t next_due;
    metrics_t *metrics;
    metric_t *active [ALERT_CRITICAL + 1], *refused;
};

static inline bool
alert_is_told (const alert_t *alert)
{
    return alert->state == ALERT_RAISED || alert->state == ALERT_ACKNOWLEDGED;
}

//  alerts_tell.c: what became of it is told on the feed and to the webhook, counted and stored, as its
//  state says.
void alerts_tell (alerts_t *self, const alert_t *alert);
//  One more is raised, or one less, of its severity.
void alerts_count (alerts_t *self, const alert_t *alert, bool more);
//  How often a rule has raised one.
metric_t *alerts_raised_total (const alerts_t *self, const char *rule);
//  How often one that is off would have.
metric_t *alerts_would_total (const alerts_t *self, const char *rule);

#endif
