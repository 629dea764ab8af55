// worker.h - one CML worker as the sources have described it.
//
// Each update touches its own source's fields only, and only when it is newer than what that
// source said before: order is by observation, never by arrival, and a second copy changes
// nothing. A failed read (error_code) touches the source's freshness alone: the last values
// stay. Nothing here reads a clock, a socket or a file; times come in.
//
// An update returns what it did as worker_change_t: the fields that differ, and the transitions
// that have an event of their own. The caller tells of that and of nothing more.
//
// W1 a source's fields change only by that source's update
// W2 an observation that is not newer than its source's last one changes nothing
// W3 what nobody has read is unknown, never 0
// W4 the snapshot depends on the state alone: same state, same bytes
// W5 terminated is final
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_WORKER_H
#define AGGREGATOR_WORKER_H

#include "../common/observation.h"
#include "../common/snapshot.h"

#include <stdbool.h>

typedef struct worker worker_t;

typedef enum worker_status {
    WORKER_PENDING,
    WORKER_STARTING,
    WORKER_RUNNING,
    WORKER_STOPPING,
    WORKER_STOPPED,
    WORKER_SHUTTING_DOWN,
    WORKER_TERMINATED,
    WORKER_FAILED,
    WORKER_UNKNOWN,
    WORKER_STATUS_COUNT
} worker_status_t;

typedef enum worker_service {
    SERVICE_UNAVAILABLE,
    SERVICE_STARTING,
    SERVICE_AVAILABLE,
    SERVICE_ERROR
} worker_service_t;

typedef enum worker_source {
    SOURCE_EC2,
    SOURCE_CLOUDWATCH,
    SOURCE_CML,
    SOURCE_COUNT
} worker_source_t;

typedef enum freshness { FRESH_ABSENT, FRESH_FRESH, FRESH_STALE, FRESH_ERROR } freshness_t;

typedef struct worker_change {
    field_set_t fields;          //  what differs, of all groups
    bool applied;                //  false: older, duplicate, or not to be applied now
    bool labs;                   //  the list of labs differs
    worker_status_t old_status;  //  as before; equal to the new one when it did not change
    worker_service_t old_service;
    freshness_t old_freshness [SOURCE_COUNT];
} worker_change_t;

const char *worker_status_name (worker_status_t status);
//  WORKER_STATUS_COUNT when no status has this name.
worker_status_t worker_status_parse (const char *name);
const char *worker_service_name (worker_service_t service);
const char *freshness_name (freshness_t freshness);
const char *worker_source_name (worker_source_t source);

//  A worker of which only the identity is known; the texts are copied. Null: out of memory.
worker_t *worker_new (const char *region, const char *instance_id, time_us_t created_at);
void worker_destroy (worker_t **self_p);

const char *worker_id (const worker_t *self);
const char *worker_region (const worker_t *self);
const char *worker_instance_id (const worker_t *self);
worker_status_t worker_status (const worker_t *self);
worker_service_t worker_service (const worker_t *self);
flag_t worker_detailed_monitoring (const worker_t *self);
freshness_t worker_freshness (const worker_t *self, worker_source_t source);
//  When the source last said something usable, wall; TIME_UNKNOWN: never.
time_us_t worker_last_seen (const worker_t *self, worker_source_t source);
//  The error of a source's last read, "" when it had none.
const char *worker_source_error (const worker_t *self, worker_source_t source);

//  The canonical snapshot; its texts are borrowed until the next update.
snapshot_t worker_snapshot (const worker_t *self);
//  The labs as one line of JSON, an array; "[]" when none were read.
const char *worker_labs (const worker_t *self);

//  EC2: identity, image, network, status checks, status, and the monitoring mode.
worker_change_t worker_update_ec2 (worker_t *self, const instance_observed_t *seen, time_us_t at);
//  The instance is no longer listed: terminated, at that time.
worker_change_t worker_terminate (worker_t *self, time_us_t at);
worker_change_t worker_update_cloudwatch (worker_t *self, const utilization_observed_t *seen,
                                          time_us_t at);
worker_change_t worker_update_cml (worker_t *self, const system_observed_t *seen, time_us_t at);
worker_change_t worker_update_labs (worker_t *self, const labs_observed_t *seen, time_us_t at);
worker_change_t worker_update_activity (worker_t *self, const activity_observed_t *seen,
                                        time_us_t at);
worker_change_t worker_set_idle_detection (worker_t *self, bool enabled, time_us_t at);

//  The steady time at which the source becomes stale if it stays silent; INT64_MAX: not before
//  it speaks. spoke is called by the fleet, for observations carry wall time only.
void worker_spoke (worker_t *self, worker_source_t source, int64_t interval_seconds,
                   time_us_t steady);
time_us_t worker_stale_at (const worker_t *self, worker_source_t source);
worker_change_t worker_become_stale (worker_t *self, worker_source_t source, time_us_t wall);

#endif
