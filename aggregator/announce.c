// announce.c - see announce.h.
//
// SPDX-License-Identifier: MIT

#include "announce.h"

#include <stdio.h>
#include <string.h>

static const struct {
    snapshot_group_t group, quiet;
    const char *source;
} METRICS [SOURCE_COUNT] = {
    [SOURCE_EC2] = {SNAPSHOT_GROUP_EC2, SNAPSHOT_GROUP_EC2_QUIET, "domain.cml_worker.ec2_metrics"},
    [SOURCE_CLOUDWATCH] = {SNAPSHOT_GROUP_CLOUDWATCH, SNAPSHOT_GROUP_CLOUDWATCH_QUIET,
                           "domain.cml_worker.cloudwatch_metrics"},
    [SOURCE_CML] = {SNAPSHOT_GROUP_CML, SNAPSHOT_GROUP_CML_QUIET, "domain.cml_worker.cml_metrics"}};

static void
add_calculated (field_set_t *fields)
{
    for (int field = 0; field < SNAPSHOT_FIELD_COUNT; field++) {
        if (snapshot_field_group ((snapshot_field_t) field) == SNAPSHOT_GROUP_CALCULATED) {
            field_set_add (fields, (snapshot_field_t) field);
        }
    }
    field_set_add (fields, SNAPSHOT_updated_at);
}

void
announce_created (feed_t *feed, const worker_t *worker)
{
    snapshot_t snapshot = worker_snapshot (worker);
    field_set_t fields = {0};

    field_set_add (&fields, SNAPSHOT_name);
    field_set_add (&fields, SNAPSHOT_region);
    field_set_add (&fields, SNAPSHOT_status);
    field_set_add (&fields, SNAPSHOT_instance_type);
    field_set_add (&fields, SNAPSHOT_created_at);
    snapshot_write_fields (feed_begin (feed, EVENT_WORKER_CREATED, NULL, worker), &snapshot,
                           &fields);
    feed_end (feed);
}

static void
tell_status (feed_t *feed, const worker_t *worker, const snapshot_t *snapshot, worker_status_t old)
{
    json_writer_t *json = feed_begin (feed, EVENT_WORKER_STATUS_UPDATED, NULL, worker);
    time_us_t initiated = snapshot->start_initiated_at != TIME_UNKNOWN
                              ? snapshot->start_initiated_at
                              : snapshot->stop_initiated_at;

    json_member_text (json, "old_status", worker_status_name (old));
    json_member_text (json, "new_status", snapshot->status);
    json_member_time (json, "updated_at", snapshot->updated_at);
    if (initiated != TIME_UNKNOWN) {
        json_member_time (json, "transition_initiated_at", initiated);
    }
    feed_end (feed);
    if (worker_status (worker) == WORKER_TERMINATED) {
        json = feed_begin (feed, EVENT_WORKER_TERMINATED, NULL, worker);
        json_member_text (json, "name", snapshot->name);
        json_member_time (json, "terminated_at", snapshot->terminated_at);
        feed_end (feed);
    }
}

static void
tell_service (feed_t *feed, const worker_t *worker, const snapshot_t *snapshot,
              worker_service_t old)
{
    json_writer_t *json = feed_begin (feed, EVENT_WORKER_SERVICE_STATUS_UPDATED, NULL, worker);

    json_member_text (json, "old_service_status", worker_service_name (old));
    json_member_text (json, "new_service_status", snapshot->service_status);
    json_member_text (json, "https_endpoint", snapshot->https_endpoint);
    json_member_time (json, "updated_at", snapshot->updated_at);
    feed_end (feed);
}

//  The CML began or ceased to answer.
static void
tell_connection (feed_t *feed, const worker_t *worker, const snapshot_t *snapshot)
{
    bool now = worker_is_connected (worker);
    const char *error = worker_source_error (worker, SOURCE_CML);
    json_writer_t *json =
        feed_begin (feed, now ? EVENT_WORKER_CONNECTED : EVENT_WORKER_DISCONNECTED, NULL, worker);

    json_member_time (json, "at", snapshot->updated_at);
    json_member_text (json, "reason",
                      now      ? NULL
                      : *error ? error
                               : worker_status_name (worker_status (worker)));
    feed_end (feed);
}

static void
tell_freshness (feed_t *feed, const worker_t *worker, worker_source_t source, freshness_t old)
{
    json_writer_t *json = feed_begin (feed, EVENT_WORKER_FRESHNESS_CHANGED, NULL, worker);
    const char *error = worker_source_error (worker, source);

    json_member_text (json, "metric_source", worker_source_name (source));
    json_member_text (json, "old", freshness_name (old));
    json_member_text (json, "new", freshness_name (worker_freshness (worker, source)));
    json_member_time (json, "last_seen_at", worker_last_seen (worker, source));
    json_member_text (json, "reason", *error ? error : NULL);
    feed_end (feed);
}

static void
tell_fields (feed_t *feed, const worker_t *worker, const snapshot_t *snapshot, event_type_t type,
             const char *source, const field_set_t *fields)
{
    snapshot_write_fields (feed_begin (feed, type, source, worker), snapshot, fields);
    feed_end (feed);
}

static void
tell_metrics (feed_t *feed, const worker_t *worker, const snapshot_t *snapshot,
              const field_set_t *changed, worker_source_t source)
{
    field_set_t fields = field_set_of_group (changed, METRICS [source].group);
    field_set_t quiet = field_set_of_group (changed, METRICS [source].quiet);

    if (field_set_is_empty (&fields)) {
        return;
    }
    field_set_merge (&fields, &quiet);
    add_calculated (&fields);
    tell_fields (feed, worker, snapshot, EVENT_WORKER_METRICS_UPDATED, METRICS [source].source,
                 &fields);
}

//  Another kind of collector has no fields of its own: what it may change is calculated.
static void
tell_other (feed_t *feed, const worker_t *worker, const snapshot_t *snapshot,
            const worker_change_t *change)
{
    char source [sizeof "domain.cml_worker._metrics" + ENVELOPE_KIND_SIZE];
    field_set_t fields = {0};

    if (change->by != SOURCE_OTHER || !change->by_kind ||
        !field_set_has_group (&change->fields, SNAPSHOT_GROUP_CALCULATED)) {
        return;
    }
    snprintf (source, sizeof source, "domain.cml_worker.%s_metrics", change->by_kind);
    add_calculated (&fields);
    tell_fields (feed, worker, snapshot, EVENT_WORKER_METRICS_UPDATED, source, &fields);
}

static void
tell_labs (feed_t *feed, const worker_t *worker)
{
    json_writer_t *json = feed_begin (feed, EVENT_WORKER_LABS_UPDATED, NULL, worker);
    const char *labs = worker_labs (worker);

    json_member_raw (json, "labs", labs, strlen (labs));
    json_member_integer (json, "labs_count", worker_labs_total (worker));
    json_member_time (json, "synced_at", worker_labs_at (worker));
    feed_end (feed);
}

static void
tell_group (feed_t *feed, const worker_t *worker, const snapshot_t *snapshot,
            const field_set_t *changed, snapshot_group_t group, event_type_t type)
{
    field_set_t fields = field_set_of_group (changed, group);

    if (!field_set_is_empty (&fields)) {
        field_set_add (&fields, SNAPSHOT_updated_at);
        tell_fields (feed, worker, snapshot, type, NULL, &fields);
    }
}

static void
tell_activity (feed_t *feed, const worker_t *worker, const snapshot_t *snapshot)
{
    json_writer_t *json = feed_begin (feed, EVENT_WORKER_ACTIVITY_UPDATED, NULL, worker);

    json_member_time (json, "last_activity_at", snapshot->last_activity_at);
    json_member_time (json, "last_activity_check_at", snapshot->last_activity_check_at);
    json_member_time (json, "next_idle_check_at", snapshot->next_idle_check_at);
    json_member_time (json, "target_pause_at", snapshot->target_pause_at);
    json_member_time (json, "updated_at", snapshot->updated_at);
    feed_end (feed);
}

void
announce_change (feed_t *feed, const worker_t *worker, const worker_change_t *change)
{
    snapshot_t snapshot = worker_snapshot (worker);
    field_set_t fields = change->fields;

    if (change->old_status != worker_status (worker)) {
        tell_status (feed, worker, &snapshot, change->old_status);
    }
    tell_group (feed, worker, &snapshot, &fields, SNAPSHOT_GROUP_DETAILS,
                EVENT_WORKER_DETAILS_UPDATED);
    if (change->old_service != worker_service (worker)) {
        tell_service (feed, worker, &snapshot, change->old_service);
    }
    if (change->old_connected != worker_is_connected (worker)) {
        tell_connection (feed, worker, &snapshot);
    }
    for (int each = 0; each < SOURCE_COUNT; each++) {
        tell_metrics (feed, worker, &snapshot, &fields, (worker_source_t) each);
        if (change->old_freshness [each] != worker_freshness (worker, (worker_source_t) each)) {
            tell_freshness (feed, worker, (worker_source_t) each, change->old_freshness [each]);
        }
    }
    tell_other (feed, worker, &snapshot, change);
    if (field_set_has (&fields, SNAPSHOT_license_status)) {
        field_set_t license = {0};
        field_set_add (&license, SNAPSHOT_license_status);
        field_set_add (&license, SNAPSHOT_updated_at);
        tell_fields (feed, worker, &snapshot, EVENT_WORKER_LICENSE_UPDATED, NULL, &license);
    }
    if (change->labs) {
        tell_labs (feed, worker);
    }
}

static void
tell_pause (feed_t *feed, const worker_t *worker, const snapshot_t *snapshot)
{
    json_writer_t *json = feed_begin (feed, EVENT_WORKER_PAUSED, NULL, worker);
    idle_facts_t facts = worker_idle_facts (worker);
    time_us_t unused = snapshot->last_paused_at - idle_since (&facts);

    json_member_text (json, "pause_reason", snapshot->pause_reason);
    json_member_text (json, "paused_by", snapshot->paused_by);
    json_member_time (json, "paused_at", snapshot->last_paused_at);
    json_member_integer (json, "auto_pause_count", snapshot->auto_pause_count);
    json_member_integer (json, "manual_pause_count", snapshot->manual_pause_count);
    json_member_integer (json, "idle_duration_minutes", unused > 0 ? unused / MINUTE_US : 0);
    feed_end (feed);
}

static void
tell_resume (feed_t *feed, const worker_t *worker, const snapshot_t *snapshot,
             const worker_change_t *change)
{
    json_writer_t *json = feed_begin (feed, EVENT_WORKER_RESUMED, NULL, worker);
    const char *paused = snapshot->pause_reason;

    json_member_text (json, "resume_reason", change->resumed);
    json_member_text (json, "resumed_by", change->resumed_by);
    json_member_time (json, "resumed_at", snapshot->last_resumed_at);
    json_member_integer (json, "auto_resume_count", snapshot->auto_resume_count);
    json_member_integer (json, "manual_resume_count", snapshot->manual_resume_count);
    json_member_bool (json, "was_auto_paused", paused && strcmp (paused, "idle_timeout") == 0);
    feed_end (feed);
}

void
announce_activity (feed_t *feed, const worker_t *worker, const worker_change_t *change)
{
    snapshot_t snapshot = worker_snapshot (worker);

    if (change->paused) {
        tell_pause (feed, worker, &snapshot);
    }
    if (change->resumed) {
        tell_resume (feed, worker, &snapshot, change);
    }
    //  That it was looked again is no news, what was seen is.
    if (field_set_has (&change->fields, SNAPSHOT_last_activity_at) ||
        field_set_has (&change->fields, SNAPSHOT_target_pause_at)) {
        tell_activity (feed, worker, &snapshot);
    }
}

void
announce_toggle (feed_t *feed, const worker_t *worker, const char *by)
{
    snapshot_t snapshot = worker_snapshot (worker);
    json_writer_t *json = feed_begin (feed, EVENT_WORKER_IDLE_DETECTION_TOGGLED, NULL, worker);

    json_key (json, "is_enabled");
    json_put_flag (json, snapshot.is_idle_detection_enabled);
    json_member_text (json, "toggled_by", by);
    json_member_time (json, "toggled_at", snapshot.updated_at);
    feed_end (feed);
}

void
announce_lab_state (feed_t *feed, const worker_t *worker, const lab_state_changed_t *seen)
{
    json_writer_t *json = feed_begin (feed, EVENT_WORKER_LAB_STATE_CHANGED, NULL, worker);

    json_member_text (json, "lab_id", seen->lab_id);
    json_member_text (json, "element_type", seen->element_type);
    json_member_text (json, "element_id", seen->element_id);
    json_member_text (json, "event", seen->event);
    json_member_text (json, "state", seen->state);
    feed_end (feed);
}
