// worker_update.c - the operations that change a worker; see worker.h for their invariants.
//
// Each setter compares, keeps, and notes the field in the change; so "what changed" cannot
// be forgotten and is never more than what differs.
//
// SPDX-License-Identifier: MIT

#include "../common/cleanup.h"
#include "license.h"
#include "utilization.h"
#include "worker_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PERCENT_SAME    0.0005
#define CML_FAILURES    2   //  in a row until a CML counts as unavailable: one may be a hiccup
#define MISSED_ROUNDS   3   //  of a source until it is stale
#define DEFAULT_SECONDS 60  //  where an observation does not say its interval

static worker_change_t
begin_change (const worker_t *self)
{
    worker_change_t change = {.old_status = self->status, .old_service = self->service};

    for (int source = 0; source < SOURCE_COUNT; source++) {
        change.old_freshness [source] = self->sources [source].freshness;
    }
    return change;
}

static void
put_text (worker_change_t *change, snapshot_field_t field, const char **slot, const char *value)
{
    if (*slot == value || (*slot && value && strcmp (*slot, value) == 0)) {
        return;
    }
    char *copied = value ? strdup (value) : NULL;
    if (value && !copied) {
        return;  //  out of memory: the old value stays, and the next round tries again
    }
    free ((void *) (uintptr_t) *slot);
    *slot = copied;
    field_set_add (&change->fields, field);
}

static void
put_json (worker_change_t *change, snapshot_field_t field, const char **slot,
          struct json_object *tree)
{
    buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    json_put_tree (&json, tree);
    if (!buffer_failed (&text)) {
        put_text (change, field, slot, text.data);
    }
    buffer_clear (&text);
}

static void
put_percent (worker_change_t *change, snapshot_field_t field, double *slot, double value)
{
    bool same = (isnan (*slot) && isnan (value)) || fabs (*slot - value) < PERCENT_SAME;

    if (!same) {
        *slot = value;
        field_set_add (&change->fields, field);
    }
}

static void
put_integer (worker_change_t *change, snapshot_field_t field, int64_t *slot, int64_t value)
{
    if (*slot != value) {
        *slot = value;
        field_set_add (&change->fields, field);
    }
}

static void
put_flag (worker_change_t *change, snapshot_field_t field, flag_t *slot, flag_t value)
{
    if (*slot != value) {
        *slot = value;
        field_set_add (&change->fields, field);
    }
}

#define PUT_TEXT(name, value)    put_text (change, SNAPSHOT_##name, &self->state.name, value)
#define PUT_JSON(name, value)    put_json (change, SNAPSHOT_##name, &self->state.name, value)
#define PUT_PERCENT(name, value) put_percent (change, SNAPSHOT_##name, &self->state.name, value)
#define PUT_INTEGER(name, value) put_integer (change, SNAPSHOT_##name, &self->state.name, value)
#define PUT_FLAG(name, value)    put_flag (change, SNAPSHOT_##name, &self->state.name, value)
#define PUT_TIME(name, value)    put_integer (change, SNAPSHOT_##name, &self->state.name, value)

//  What an observation leaves out is unchanged, not unknown: the collector did not read it.
#define PUT_TEXT_IF_SAID(name, value) \
    if (value) {                      \
        PUT_TEXT (name, value);       \
    }

static const struct {
    snapshot_field_t freshness, seen_at;
} SOURCE_FIELDS [SOURCE_COUNT] = {
    [SOURCE_EC2] = {SNAPSHOT_ec2_freshness, SNAPSHOT_ec2_last_checked_at},
    [SOURCE_CLOUDWATCH] = {SNAPSHOT_cloudwatch_freshness, SNAPSHOT_cloudwatch_last_collected_at},
    [SOURCE_CML] = {SNAPSHOT_cml_freshness, SNAPSHOT_cml_last_synced_at}};

static void
set_freshness (worker_t *self, worker_change_t *change, worker_source_t source,
               freshness_t freshness)
{
    if (self->sources [source].freshness != freshness) {
        self->sources [source].freshness = freshness;
        field_set_add (&change->fields, SOURCE_FIELDS [source].freshness);
    }
}

//  W2. False when this is old news of the source. A failed read keeps the last good time.
static bool
take_turn (worker_t *self, worker_change_t *change, worker_source_t source, time_us_t at,
           const char *error_code, const char *error_message)
{
    source_state_t *state = &self->sources [source];

    if (at <= state->at || self->status == WORKER_TERMINATED) {
        return false;
    }
    state->at = at;
    change->applied = true;
    snprintf (state->error, sizeof state->error, "%s%s%s", error_code ? error_code : "",
              error_message ? ": " : "", error_message ? error_message : "");
    if (!error_code) {
        state->good_at = at;
        field_set_add (&change->fields, SOURCE_FIELDS [source].seen_at);
    }
    set_freshness (self, change, source, error_code ? FRESH_ERROR : FRESH_FRESH);
    return true;
}

//  CML first, then CloudWatch and its agent (design.md section 4).
static void
recalculate (worker_t *self, worker_change_t *change)
{
    double cpu = isnan (self->cml_cpu) ? self->state.cloudwatch_cpu_utilization : self->cml_cpu;
    double memory =
        isnan (self->cml_memory) ? self->state.cloudwatch_memory_utilization : self->cml_memory;
    double storage = isnan (self->cml_storage) ? self->agent_disk : self->cml_storage;

    PUT_PERCENT (cpu_utilization, utilization_clamp (cpu));
    PUT_PERCENT (memory_utilization, utilization_clamp (memory));
    PUT_PERCENT (storage_utilization, utilization_clamp (storage));
    if (field_set_has (&change->fields, SNAPSHOT_storage_utilization)) {
        field_set_add (&change->fields, SNAPSHOT_disk_utilization);
    }
}

static void
set_service (worker_t *self, worker_change_t *change, worker_service_t service)
{
    if (self->service != service) {
        self->service = service;
        field_set_add (&change->fields, SNAPSHOT_service_status);
    }
}

//  A stopped instance has no public address, no load and no CML that answers.
static void
forget_running_values (worker_t *self, worker_change_t *change)
{
    self->cml_cpu = self->cml_memory = self->cml_storage = self->agent_disk = UNKNOWN;
    self->cml_failures = 0;
    PUT_PERCENT (cloudwatch_cpu_utilization, UNKNOWN);
    PUT_PERCENT (cloudwatch_memory_utilization, UNKNOWN);
    PUT_FLAG (cml_ready, FLAG_UNKNOWN);
    PUT_TEXT (https_endpoint, NULL);
    set_service (self, change, SERVICE_UNAVAILABLE);
    for (int source = SOURCE_CLOUDWATCH; source <= SOURCE_CML; source++) {
        set_freshness (self, change, (worker_source_t) source, FRESH_ABSENT);
        self->sources [source].stale_at = INT64_MAX;
        self->sources [source].error [0] = '\0';
    }
    recalculate (self, change);
}

static void
set_status (worker_t *self, worker_change_t *change, worker_status_t status, time_us_t at)
{
    if (self->status == status) {
        return;
    }
    self->status = status;
    field_set_add (&change->fields, SNAPSHOT_status);
    if (status == WORKER_PENDING || status == WORKER_STARTING) {
        PUT_TIME (start_initiated_at, at);
    } else if (status == WORKER_STOPPING) {
        PUT_TIME (stop_initiated_at, at);
    } else if (status == WORKER_RUNNING) {
        PUT_TIME (start_initiated_at, TIME_UNKNOWN);
    } else if (status == WORKER_STOPPED) {
        PUT_TIME (stop_initiated_at, TIME_UNKNOWN);
    } else if (status == WORKER_TERMINATED) {
        PUT_TIME (terminated_at, at);
    }
    if (status != WORKER_RUNNING) {
        forget_running_values (self, change);
    } else {
        set_service (self, change, SERVICE_STARTING);
    }
}

static worker_status_t
status_of_state (const char *state)
{
    worker_status_t status = worker_status_parse (state);
    return status == WORKER_STATUS_COUNT ? WORKER_UNKNOWN : status;
}

static void
take_details (worker_t *self, worker_change_t *change, const instance_observed_t *seen)
{
    PUT_TEXT_IF_SAID (name, seen->name);
    PUT_TEXT_IF_SAID (instance_type, seen->instance_type);
    PUT_TEXT_IF_SAID (ami_id, seen->image_id);
    PUT_TEXT_IF_SAID (ami_name, seen->image_name);
    PUT_TEXT_IF_SAID (ami_description, seen->image_description);
    if (seen->image_creation_date != TIME_UNKNOWN) {
        PUT_TIME (ami_creation_date, seen->image_creation_date);
    }
    PUT_TEXT (public_ip, seen->public_ip);  //  absent means released at stop: EC2 always says it
    PUT_TEXT (private_ip, seen->private_ip);
    if (seen->tags) {
        PUT_JSON (aws_tags, seen->tags);
    }
    if (seen->detailed_monitoring != FLAG_UNKNOWN) {
        PUT_FLAG (cloudwatch_detailed_monitoring_enabled, seen->detailed_monitoring);
    }
}

worker_change_t
worker_update_ec2 (worker_t *self, const instance_observed_t *seen, time_us_t at)
{
    worker_change_t started = begin_change (self), *change = &started;

    if (!take_turn (self, change, SOURCE_EC2, at, seen->error_code, seen->error_message)) {
        return started;
    }
    take_details (self, change, seen);
    if (seen->state) {
        set_status (self, change, status_of_state (seen->state), at);
    }
    if (!seen->error_code) {
        PUT_TEXT (ec2_instance_state_detail, seen->instance_status);
        PUT_TEXT (ec2_system_status_check, seen->system_status);
    }
    self->state.updated_at = at;
    return started;
}

worker_change_t
worker_terminate (worker_t *self, time_us_t at)
{
    worker_change_t started = begin_change (self), *change = &started;

    if (self->status != WORKER_TERMINATED && at > self->sources [SOURCE_EC2].at) {
        change->applied = true;
        self->sources [SOURCE_EC2].at = at;
        set_status (self, change, WORKER_TERMINATED, at);
        self->state.updated_at = at;
    }
    return started;
}

worker_change_t
worker_update_cloudwatch (worker_t *self, const utilization_observed_t *seen, time_us_t at)
{
    worker_change_t started = begin_change (self), *change = &started;

    if (self->status != WORKER_RUNNING && self->status != WORKER_UNKNOWN) {
        return started;  //  a late answer about a worker that has stopped since
    }
    if (!take_turn (self, change, SOURCE_CLOUDWATCH, at, seen->error_code, seen->error_message)) {
        return started;
    }
    if (!seen->error_code) {
        PUT_PERCENT (cloudwatch_cpu_utilization, utilization_clamp (seen->cpu_percent));
        PUT_PERCENT (cloudwatch_memory_utilization, utilization_clamp (seen->memory_percent));
        self->agent_disk = utilization_clamp (seen->disk_percent);
        recalculate (self, change);
    }
    self->state.updated_at = at;
    return started;
}

static void
take_system (worker_t *self, worker_change_t *change, const system_observed_t *seen)
{
    PUT_TEXT_IF_SAID (https_endpoint, seen->endpoint);
    PUT_TEXT_IF_SAID (cml_version, seen->version);
    if (seen->ready != FLAG_UNKNOWN) {
        PUT_FLAG (cml_ready, seen->ready);
    }
    if (seen->uptime_seconds != INTEGER_UNKNOWN) {
        PUT_INTEGER (cml_uptime_seconds, seen->uptime_seconds);
    }
    if (seen->system_stats) {
        utilization_t load = utilization_of_stats (seen->system_stats);
        PUT_JSON (cml_system_info, seen->system_stats);
        self->cml_cpu = load.cpu;
        self->cml_memory = load.memory;
        self->cml_storage = load.storage;
        recalculate (self, change);
    }
    if (seen->system_health) {
        PUT_JSON (cml_system_health, seen->system_health);
    }
    if (seen->licensing) {
        PUT_TEXT (license_status, license_status (seen->licensing));
        PUT_JSON (cml_license_info, seen->licensing);
    }
}

worker_change_t
worker_update_cml (worker_t *self, const system_observed_t *seen, time_us_t at)
{
    worker_change_t started = begin_change (self), *change = &started;
    bool reachable = seen->reachable != FLAG_NO;

    if (self->status != WORKER_RUNNING && self->status != WORKER_UNKNOWN) {
        return started;
    }
    //  What could not be reached tells nothing; what was reached tells what it could.
    if (!take_turn (self, change, SOURCE_CML, at, seen->error_code, seen->error_message)) {
        return started;
    }
    take_system (self, change, seen);
    self->cml_failures = reachable ? 0 : self->cml_failures + 1;
    if (reachable) {
        set_service (self, change, seen->ready == FLAG_NO ? SERVICE_STARTING : SERVICE_AVAILABLE);
    } else if (self->cml_failures >= CML_FAILURES || self->service == SERVICE_STARTING) {
        set_service (self, change, SERVICE_UNAVAILABLE);
    }
    self->state.updated_at = at;
    return started;
}

static int64_t
count_running (struct json_object *labs)
{
    int64_t running = 0;

    for (size_t i = 0; i < json_object_array_length (labs); i++) {
        const char *state = json_get_text (json_object_array_get_idx (labs, i), "state");
        running += state && (strcmp (state, "STARTED") == 0 || strcmp (state, "BOOTED") == 0 ||
                             strcmp (state, "QUEUED") == 0);
    }
    return running;
}

worker_change_t
worker_update_labs (worker_t *self, const labs_observed_t *seen, time_us_t at)
{
    worker_change_t started = begin_change (self), *change = &started;
    buffer_t text = {0};

    if (at <= self->labs_at || !seen->labs || self->status == WORKER_TERMINATED) {
        return started;
    }
    self->labs_at = at;
    change->applied = true;
    json_writer_t json = json_writer (&text);
    json_put_tree (&json, seen->labs);
    if (!buffer_failed (&text) && (!self->labs || strcmp (self->labs, text.data) != 0)) {
        free (self->labs);
        self->labs = take_ptr (text.data);
        change->labs = true;
        PUT_INTEGER (cml_labs_count, count_running (seen->labs));
        self->state.updated_at = at;
    }
    buffer_clear (&text);
    return started;
}

worker_change_t
worker_update_activity (worker_t *self, const activity_observed_t *seen, time_us_t at)
{
    worker_change_t started = begin_change (self), *change = &started;

    if (at <= self->activity_at || seen->error_code || self->status == WORKER_TERMINATED) {
        return started;  //  a failed activity read decides nothing
    }
    self->activity_at = at;
    change->applied = true;
    self->state.last_activity_check_at = at;  //  a time of reading alone is not news
    if (seen->last_activity_at != TIME_UNKNOWN &&
        (self->state.last_activity_at == TIME_UNKNOWN ||
         seen->last_activity_at > self->state.last_activity_at)) {
        PUT_TIME (last_activity_at, seen->last_activity_at);
        field_set_add (&change->fields, SNAPSHOT_last_activity_check_at);
        self->state.updated_at = at;
    }
    return started;
}

worker_change_t
worker_set_idle_detection (worker_t *self, bool enabled, time_us_t at)
{
    worker_change_t started = begin_change (self), *change = &started;

    PUT_FLAG (is_idle_detection_enabled, enabled ? FLAG_YES : FLAG_NO);
    change->applied = !field_set_is_empty (&change->fields);
    if (change->applied) {
        self->state.updated_at = at;
    }
    return started;
}

void
worker_spoke (worker_t *self, worker_source_t source, int64_t interval_seconds, time_us_t steady)
{
    int64_t seconds = interval_seconds > 0 ? interval_seconds : DEFAULT_SECONDS;

    self->sources [source].stale_at = steady + MISSED_ROUNDS * seconds * SECOND_US;
}

worker_change_t
worker_become_stale (worker_t *self, worker_source_t source, time_us_t wall)
{
    worker_change_t started = begin_change (self), *change = &started;

    self->sources [source].stale_at = INT64_MAX;
    if (self->sources [source].freshness == FRESH_FRESH ||
        self->sources [source].freshness == FRESH_ERROR) {
        set_freshness (self, change, source, FRESH_STALE);
        change->applied = true;
        self->state.updated_at = wall;
    }
    return started;
}
