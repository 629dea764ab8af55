// fleet.h - all workers, and what is told of them.
//
// Applies each observation to its worker (worker.h), has the change told (announce.h), and at
// the end of the loop's turn sends one snapshot for each worker whose collection round ended or
// whose status changed, or, where only replicas need to know, one `state` message; then the feed
// is flushed. Watches deadlines: a silent source becomes stale at its time, a terminated worker
// leaves the state after terminated_keep_minutes. system.stats goes out at most once a second,
// and only when a number changed.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_FLEET_H
#define AGGREGATOR_FLEET_H

#include "../common/observation.h"
#include "feed.h"
#include "worker.h"

typedef struct fleet fleet_t;

typedef struct fleet_settings {
    int64_t workers_max;  //  beyond it new instances are refused and counted
    int64_t terminated_keep_minutes;
} fleet_settings_t;

fleet_t *fleet_new (loop_t *loop, feed_t *feed, const fleet_settings_t *settings,
                    metrics_t *metrics, reason_t *why);
void fleet_destroy (fleet_t **self_p);

//  Each takes an observation of its type. 0; -EINVAL when it lacks what names its worker;
//  -ENOENT for a fact of a worker nobody has told of; -ENOSPC at workers_max.
int fleet_apply_instance (fleet_t *self, const observation_t *observation, reason_t *why);
int fleet_apply_gone (fleet_t *self, const observation_t *observation, reason_t *why);
int fleet_apply_utilization (fleet_t *self, const observation_t *observation, reason_t *why);
int fleet_apply_system (fleet_t *self, const observation_t *observation, reason_t *why);
int fleet_apply_labs (fleet_t *self, const observation_t *observation, reason_t *why);
int fleet_apply_lab_state (fleet_t *self, const observation_t *observation, reason_t *why);
int fleet_apply_activity (fleet_t *self, const observation_t *observation, reason_t *why);

size_t fleet_size (const fleet_t *self);
//  Changes whenever a lease list could: a worker appears, goes, or starts or stops running.
uint64_t fleet_revision (const fleet_t *self);

//  Workers in the order of their ids; after is an id, "" begins. Null: no more.
const worker_t *fleet_next (fleet_t *self, const char *after);

//  The data object of system.stats.
void fleet_write_stats (fleet_t *self, json_writer_t *json);

#endif
