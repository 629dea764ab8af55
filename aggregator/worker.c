// worker.c - a worker's names, life and snapshot; what changes it is worker_*.c's.
//
// SPDX-License-Identifier: MIT

#include "worker.h"

#include "../common/cleanup.h"
#include "worker_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *const STATUS_NAMES [WORKER_STATUS_COUNT] = {
    [WORKER_PENDING] = "pending",       [WORKER_STARTING] = "starting",
    [WORKER_RUNNING] = "running",       [WORKER_STOPPING] = "stopping",
    [WORKER_STOPPED] = "stopped",       [WORKER_SHUTTING_DOWN] = "shutting-down",
    [WORKER_TERMINATED] = "terminated", [WORKER_FAILED] = "failed",
    [WORKER_UNKNOWN] = "unknown"};
static const char *const SERVICE_NAMES [] = {"unavailable", "starting", "available", "error"};
static const char *const FRESHNESS_NAMES [] = {"absent", "fresh", "stale", "error"};
static const char *const SOURCE_NAMES [SOURCE_COUNT] = {"ec2", "cloudwatch", "cml"};

const char *
worker_status_name (worker_status_t status)
{
    return STATUS_NAMES [status];
}

worker_status_t
worker_status_parse (const char *name)
{
    int status = 0;

    while (status < WORKER_STATUS_COUNT && strcmp (STATUS_NAMES [status], name) != 0) {
        status++;
    }
    return (worker_status_t) status;
}

const char *
worker_service_name (worker_service_t service)
{
    return SERVICE_NAMES [service];
}

const char *
freshness_name (freshness_t freshness)
{
    return FRESHNESS_NAMES [freshness];
}

const char *
worker_source_name (worker_source_t source)
{
    return SOURCE_NAMES [source];
}

static const worker_rules_t RULES_DEFAULT = {
    .idle = {.idle_timeout_minutes = 60, .snooze_minutes = 60},
    .load_order = {.kinds = {"cml", "cloudwatch", "*"}, .count = 3},
    .service_failures = 2};

static void
init_state (worker_t *self, time_us_t created_at)
{
    snapshot_init (&self->state);
    self->state.created_at = created_at;
    self->state.updated_at = created_at;
    self->state.is_idle_detection_enabled = FLAG_YES;
    self->state.auto_pause_count = 0;
    self->state.manual_pause_count = 0;
    self->state.auto_resume_count = 0;
    self->state.manual_resume_count = 0;
    self->status = WORKER_UNKNOWN;
    self->rules = &RULES_DEFAULT;
    self->cml_load = self->cloudwatch_load = (utilization_t){UNKNOWN, UNKNOWN, UNKNOWN};
    self->labs_at = self->activity_at = self->status_at = TIME_UNKNOWN;
    for (int source = 0; source < SOURCE_COUNT; source++) {
        self->sources [source] =
            (source_state_t){.at = TIME_UNKNOWN, .good_at = TIME_UNKNOWN, .stale_at = NO_DEADLINE};
    }
}

worker_t *
worker_new (const char *region, const char *instance_id, time_us_t created_at)
{
    assert (region && instance_id);
    _cleanup_ (worker_destroy) worker_t *self = calloc (1, sizeof *self);

    if (!self) {
        return NULL;
    }
    init_state (self, created_at);
    self->region = strdup (region);
    self->instance_id = strdup (instance_id);
    if (!self->region || !self->instance_id) {
        return NULL;
    }
    worker_id_make (self->worker_id, region, instance_id);
    return take_ptr (self);
}

//  The texts that update functions own in the state; the rest of its texts point elsewhere.
static void
free_texts (snapshot_t *state)
{
#define FREE_TEXT(value) free ((void *) (uintptr_t) (value));
#define FREE_JSON(value) free ((void *) (uintptr_t) (value));
#define FREE_PERCENT(value)
#define FREE_NUMBER(value)
#define FREE_INTEGER(value)
#define FREE_FLAG(value)
#define FREE_TIME(value)
#define FREE_ROW(kind, name, group) FREE_##kind (state->name)
    SNAPSHOT_FIELDS (FREE_ROW)
#undef FREE_ROW
}

void
worker_destroy (worker_t **self_p)
{
    assert (self_p);
    worker_t *self = *self_p;

    if (self) {
        free_texts (&self->state);
        free (self->region);
        free (self->instance_id);
        free (self->account_id);
        free (self->labs);
        free (self->activity_events);
        free (self->elements);
        free (self->others);
        for (int source = 0; source < SOURCE_COUNT; source++) {
            free (self->sources [source].error);
        }
        free (self);
        *self_p = NULL;
    }
}

void
worker_set_rules (worker_t *self, const worker_rules_t *rules)
{
    assert (rules && rules->service_failures > 0);
    self->rules = rules;
    cost_begin (self);
}

const char *
worker_id (const worker_t *self)
{
    return self->worker_id;
}

const char *
worker_region (const worker_t *self)
{
    return self->region;
}

const char *
worker_instance_id (const worker_t *self)
{
    return self->instance_id;
}

const char *
worker_account_id (const worker_t *self)
{
    return self->account_id;
}

worker_status_t
worker_status (const worker_t *self)
{
    return self->status;
}

worker_service_t
worker_service (const worker_t *self)
{
    return self->service;
}

bool
worker_is_connected (const worker_t *self)
{
    return self->connected;
}

bool
worker_has_address (const worker_t *self)
{
    return self->state.public_ip || self->state.private_ip;
}

bool
worker_may_run (const worker_t *self)
{
    return self->status == WORKER_RUNNING || self->status == WORKER_UNKNOWN;
}

freshness_t
worker_freshness (const worker_t *self, worker_source_t source)
{
    return self->sources [source].freshness;
}

time_us_t
worker_last_seen (const worker_t *self, worker_source_t source)
{
    return self->sources [source].good_at;
}

const char *
worker_source_error (const worker_t *self, worker_source_t source)
{
    return self->sources [source].error ? self->sources [source].error : "";
}

const char *
worker_labs (const worker_t *self)
{
    return self->labs ? self->labs : "[]";
}

int64_t
worker_labs_total (const worker_t *self)
{
    return self->labs_total;
}

const char *
worker_activity_events (const worker_t *self)
{
    return self->activity_events ? self->activity_events : "[]";
}

time_us_t
worker_labs_at (const worker_t *self)
{
    return self->labs_at;
}

snapshot_t
worker_snapshot (const worker_t *self)
{
    snapshot_t snapshot = self->state;

    snapshot.worker_id = self->worker_id;
    snapshot.id = self->worker_id;
    snapshot.region = self->region;
    snapshot.aws_instance_id = self->instance_id;
    snapshot.status = STATUS_NAMES [self->status];
    snapshot.service_status = SERVICE_NAMES [self->service];
    snapshot.name = snapshot.name ? snapshot.name : self->instance_id;
    snapshot.disk_utilization = snapshot.storage_utilization;
    snapshot.active_labs_count = snapshot.cml_labs_count;
    snapshot.ec2_freshness = FRESHNESS_NAMES [self->sources [SOURCE_EC2].freshness];
    snapshot.cloudwatch_freshness = FRESHNESS_NAMES [self->sources [SOURCE_CLOUDWATCH].freshness];
    snapshot.cml_freshness = FRESHNESS_NAMES [self->sources [SOURCE_CML].freshness];
    snapshot.ec2_last_checked_at = self->sources [SOURCE_EC2].good_at;
    snapshot.cloudwatch_last_collected_at = self->sources [SOURCE_CLOUDWATCH].good_at;
    snapshot.cml_last_synced_at = self->sources [SOURCE_CML].good_at;
    return snapshot;
}

static void
forget_future (time_us_t *at, time_us_t now)
{
    if (*at != TIME_UNKNOWN && *at > now) {
        *at = now;
    }
}

void
worker_forget_future (worker_t *self, time_us_t now)
{
    for (int each = 0; each < SOURCE_COUNT; each++) {
        forget_future (&self->sources [each].at, now);
    }
    forget_future (&self->labs_at, now);
    forget_future (&self->activity_at, now);
    forget_future (&self->status_at, now);
    for (size_t i = 0; i < self->others_count; i++) {
        forget_future (&self->others [i].at, now);
    }
    for (size_t i = 0; self->elements && i < WORKER_ELEMENTS; i++) {
        forget_future (&self->elements [i].at, now);
    }
}
