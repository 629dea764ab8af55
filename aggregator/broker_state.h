// broker_state.h - the inside of the broker, for broker*.c alone.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_BROKER_STATE_H
#define AGGREGATOR_BROKER_STATE_H

#include "broker.h"
#include "fleet.h"
#include "job_metrics.h"

struct broker {
    loop_t *loop;
    feed_t *feed;
    store_t *store;  //  null: none
    const broker_settings_t *settings;
    fleet_t *fleet;          //  null until broker_follow
    const leases_t *leases;  //  likewise
    uint64_t leases_revision;
    jobs_t *jobs;
    runners_t *runners;
    job_outbox_t *outbox;
    job_metrics_t *metrics;
    loop_timer_t *due, *beat;
    time_us_t due_at;       //  what the timer is set to
    bool is_stirred;        //  something happened that may give somebody work
    const char *reporting;  //  the runner whose report is being applied; null: none
};

//  broker.c: false when a gate of the job's has shut; it has ended then, or waits for another step.
bool broker_follow_gate (broker_t *self, const job_t *job);
//  broker_runners.c: what waits is matched with who waits; whose answer is due gets it.
void broker_match (broker_t *self);
//  Runners that were silent for too long lose what they have; those that left are forgotten.
void broker_check_runners (broker_t *self);
//  A job has changed hands.
void broker_hand_over (broker_t *self, const job_t *job, const job_change_t *change);

#endif
