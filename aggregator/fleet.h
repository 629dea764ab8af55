// fleet.h - all workers, and what is told of them.
//
// Applies each observation to its worker (worker.h) and has the change told (announce.h). When a
// snapshot is sent: at once for a worker that appears or whose status changes; at the end of the
// loop's turn, once, for each whose collection round ended or of which anything changed that the
// digest covers (W8: who has the last snapshot of each worker has the digest of the fleet); never
// for what concerns activity alone. Replicas are told of every other change by a `state` message. Then the feed is flushed.
// Watches deadlines: a silent source becomes stale at its time, a terminated worker leaves the
// state after terminated_keep_minutes. system.stats goes out at most once a second, and only when
// a number changed. Keeps the samples of each worker (history.h).
//
// fleet.c owns the set, its order and its clocks; fleet_apply.c is what each observation and
// each command does; fleet_pause.c what idleness asks for, and what jobs mean for their worker.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_FLEET_H
#define AGGREGATOR_FLEET_H

#include "../common/observation.h"
#include "broker.h"
#include "feed.h"
#include "history.h"
#include "worker.h"

typedef struct fleet_settings {
    int64_t workers_max;  //  beyond it new instances are refused and counted
    int64_t terminated_keep_minutes;
    worker_rules_t rules;
    history_bounds_t history;
} fleet_settings_t;

//  store (null: none) and settings are borrowed and stay.
fleet_t *fleet_new (loop_t *loop, feed_t *feed, broker_t *broker, store_t *store,
                    const fleet_settings_t *settings, metrics_t *metrics, reason_t *why);
//  Who is told of each worker that changed, at the turn's end, and of one that leaves the state. What
//  it tells in turn goes out with the same commit. Null: nobody any more.
typedef void fleet_watch_fn (void *argument, const worker_t *worker, bool is_gone);
void fleet_watch (fleet_t *self, fleet_watch_fn *fn, void *argument);

//  The workers of the store, as they were. 0, or a negative errno and why.
int fleet_restore (fleet_t *self, reason_t *why);
void fleet_destroy (fleet_t **self_p);

//  Before what has come is applied: was the clock set back, by more than a second? Then what was
//  seen in what is now the future was seen now.
void fleet_follow_clock (fleet_t *self);

//  Each takes an observation of its type. 0; -EINVAL when it lacks what names its worker;
//  -ENOENT for a fact of a worker nobody has told of; -ENOSPC at workers_max.
int fleet_apply_instance (fleet_t *self, const observation_t *observation, reason_t *why);
int fleet_apply_gone (fleet_t *self, const observation_t *observation, reason_t *why);
int fleet_apply_utilization (fleet_t *self, const observation_t *observation, reason_t *why);
int fleet_apply_system (fleet_t *self, const observation_t *observation, reason_t *why);
int fleet_apply_labs (fleet_t *self, const observation_t *observation, reason_t *why);
int fleet_apply_lab_state (fleet_t *self, const observation_t *observation, reason_t *why);
int fleet_apply_activity (fleet_t *self, const observation_t *observation, reason_t *why);
int fleet_apply_telemetry (fleet_t *self, const observation_t *observation, reason_t *why);
//  What a collector says of itself; and that so many of its messages never came.
int fleet_apply_heartbeat (fleet_t *self, const observation_t *observation, reason_t *why);
void fleet_note_lost (fleet_t *self, const char *source, uint64_t count);

//  The operator's switch. 0 also when it stands so already (*changed tells); -ENOENT.
int fleet_set_idle_detection (fleet_t *self, const char *id, bool enabled, const char *by,
                              bool *changed, reason_t *why);

//  By worker id, else by EC2 instance id; null when there is none.
const worker_t *fleet_find (fleet_t *self, const char *id);
//  Its samples; null before the first.
const history_t *fleet_history (fleet_t *self, const worker_t *worker);

//  What the end of a turn does: what is due is told, changed workers are stored, and all of it is
//  committed and published, unless the store cannot take it (feed_is_held).
void fleet_settle (fleet_t *self);

size_t fleet_size (const fleet_t *self);
//  Changes whenever a lease list could: a worker appears, goes, or starts or stops running.
uint64_t fleet_revision (const fleet_t *self);

//  Workers in the order of their ids; after is an id, "" begins. Null: no more.
const worker_t *fleet_next (fleet_t *self, const char *after);

broker_t *fleet_broker (const fleet_t *self);
//  The broker has restored its jobs: which workers are about to be paused or resumed.
void fleet_note_jobs (fleet_t *self);
//  A job about it has changed: whose stop or start it is that will be seen, or what it has done (W7).
void fleet_follow_job (fleet_t *self, const worker_t *worker, const job_t *job);

//  The data object of system.stats.
void fleet_write_stats (fleet_t *self, json_writer_t *json);

#endif
