// api.c - see api.h.
//
// SPDX-License-Identifier: MIT

#include "api.h"

#include "../common/cleanup.h"
#include "../common/digest.h"
#include "../common/json.h"
#include "sums.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 100
#define LIMIT_MOST    1000

static const char *const STATUSES [] = {
    "pending",       "starting",   "running", "stopping", "stopped",
    "shutting-down", "terminated", "failed",  "unknown",  NULL};

void
api_member_last_id (json_writer_t *json, const event_log_t *log)
{
    char id [40];

    snprintf (id, sizeof id, "%s-%" PRIu64, event_log_epoch (log), event_log_last (log));
    json_member_text (json, "last_event_id", id);
}

static int
read_limit (const char *text, int64_t *limit, reason_t *why)
{
    char *end = NULL;

    *limit = text ? strtoll (text, &end, 10) : LIMIT_DEFAULT;
    if (text && (end == text || *end || *limit < 1 || *limit > LIMIT_MOST)) {
        return reason_set (why, -EINVAL, "limit: '%.40s' is not a whole number within 1 to %d",
                           text, LIMIT_MOST);
    }
    return 0;
}

int
api_check_status (const char *status, reason_t *why)
{
    for (const char *const *name = STATUSES; status && *name; name++) {
        if (strcmp (*name, status) == 0) {
            return 0;
        }
    }
    return status ? reason_set (why, -EINVAL, "status: '%.40s' is no status of a worker", status)
                  : 0;
}

static bool
is_seen (const view_t *view, const replica_worker_t *worker)
{
    return view_shows (view, worker->region, worker->worker_id);
}

int
api_workers (replica_t *replica, const event_log_t *log, const view_t *view, api_query_fn *query,
             void *argument, buffer_t *out, reason_t *why)
{
    const char *region = query (argument, "region"), *status = query (argument, "status");
    const char *cursor = query (argument, "cursor");
    int64_t limit, count = 0;

    if (read_limit (query (argument, "limit"), &limit, why) < 0 ||
        api_check_status (status, why) < 0) {
        return -EINVAL;
    }
    if (cursor && strspn (cursor, "0123456789abcdef-") != FEED_WORKER_ID_SIZE - 1) {
        return reason_set (why, -EINVAL, "cursor: not one that was given");
    }
    json_writer_t json = json_writer (out);
    json_open_object (&json);
    json_key (&json, "workers");
    json_open_array (&json);
    const char *last = NULL, *more = NULL;
    for (const replica_worker_t *worker = replica_next (replica, cursor ? cursor : ""); worker;
         worker = replica_next (replica, worker->worker_id)) {
        if (!is_seen (view, worker) || (region && strcmp (region, worker->region) != 0) ||
            (status && strcmp (status, worker->status) != 0)) {
            continue;
        }
        if (count++ == limit) {
            more = last;
            break;
        }
        replica_write_worker (worker, view->mask, &json);
        last = worker->worker_id;
    }
    json_close_array (&json);
    json_member_text (&json, "next_cursor", more);
    api_member_last_id (&json, log);
    json_close_object (&json);
    return 0;
}

//  The detail by source, out of the one snapshot: section, name there, name in the snapshot.
static const struct {
    const char *section, *name, *field;
} DETAIL [] = {
    {NULL, "id", "id"},
    {NULL, "worker_id", "worker_id"},
    {NULL, "name", "name"},
    {NULL, "region", "region"},
    {NULL, "aws_instance_id", "aws_instance_id"},
    {NULL, "instance_type", "instance_type"},
    {NULL, "status", "status"},
    {NULL, "service_status", "service_status"},
    {NULL, "https_endpoint", "https_endpoint"},
    {NULL, "public_ip", "public_ip"},
    {NULL, "private_ip", "private_ip"},
    {NULL, "aws_tags", "aws_tags"},
    {"utilization", "cpu", "cpu_utilization"},
    {"utilization", "memory", "memory_utilization"},
    {"utilization", "storage", "storage_utilization"},
    {"ec2_metrics", "instance_state_detail", "ec2_instance_state_detail"},
    {"ec2_metrics", "system_status_check", "ec2_system_status_check"},
    {"ec2_metrics", "last_checked_at", "ec2_last_checked_at"},
    {"ec2_metrics", "freshness", "ec2_freshness"},
    {"cloudwatch_metrics", "cpu_utilization", "cloudwatch_cpu_utilization"},
    {"cloudwatch_metrics", "memory_utilization", "cloudwatch_memory_utilization"},
    {"cloudwatch_metrics", "last_collected_at", "cloudwatch_last_collected_at"},
    {"cloudwatch_metrics", "detailed_monitoring_enabled", "cloudwatch_detailed_monitoring_enabled"},
    {"cloudwatch_metrics", "freshness", "cloudwatch_freshness"},
    {"cml_metrics", "version", "cml_version"},
    {"cml_metrics", "ready", "cml_ready"},
    {"cml_metrics", "uptime_seconds", "cml_uptime_seconds"},
    {"cml_metrics", "labs_count", "cml_labs_count"},
    {"cml_metrics", "last_synced_at", "cml_last_synced_at"},
    {"cml_metrics", "system_info", "cml_system_info"},
    {"cml_metrics", "system_health", "cml_system_health"},
    {"cml_metrics", "freshness", "cml_freshness"},
    {"activity", "last_activity_at", "last_activity_at"},
    {"activity", "last_activity_check_at", "last_activity_check_at"},
    {"activity", "next_idle_check_at", "next_idle_check_at"},
    {"activity", "target_pause_at", "target_pause_at"},
    {"activity", "is_idle_detection_enabled", "is_idle_detection_enabled"},
    {"license", "status", "license_status"},
    {"license", "token", "license_token"},
    {"license", "info", "cml_license_info"}};

//  The value of `others` in the aggregator's answer.
static void
put_others (json_writer_t *json, const view_t *view, const buffer_t *others)
{
    buffer_t masked = {0};
    _cleanup_ (json_destroy) struct json_object *answer = NULL;
    reason_t why = {0};

    json_key (json, "others");
    if (others && view->mask && mask_write (view->mask, others->data, others->size, &masked)) {
        others = &masked;
    }
    if (others && json_parse (&answer, others->data, others->size, others->size, &why) == 0) {
        json_put_tree (json, json_get_array (answer, "others"));
    } else {
        json_put_tree (json, NULL);
    }
    buffer_clear (&masked);
}

const replica_worker_t *
api_find (replica_t *replica, const view_t *view, const char *id)
{
    const replica_worker_t *worker = replica_find (replica, id);

    return worker && is_seen (view, worker) ? worker : NULL;
}

int
api_worker (replica_t *replica, const view_t *view, const char *id, const buffer_t *others,
            buffer_t *out, reason_t *why)
{
    const replica_worker_t *worker = api_find (replica, view, id);
    _cleanup_ (json_destroy) struct json_object *snapshot = NULL;
    const char *section = NULL;

    if (!worker) {
        return reason_set (why, -ENOENT, "no worker has the id or EC2 instance id '%.80s'", id);
    }
    buffer_t whole = {0};
    json_writer_t text = json_writer (&whole);
    replica_write_worker (worker, view->mask, &text);
    int rc = json_parse (&snapshot, whole.data, whole.size, whole.size, why);
    buffer_clear (&whole);
    if (rc < 0) {
        return rc;
    }
    json_writer_t json = json_writer (out);
    json_open_object (&json);
    for (size_t i = 0; i < sizeof DETAIL / sizeof *DETAIL; i++) {
        if (DETAIL [i].section != section &&
            (!section || !DETAIL [i].section || strcmp (section, DETAIL [i].section) != 0)) {
            if (section) {
                json_close_object (&json);
            }
            section = DETAIL [i].section;
            json_key (&json, section);
            json_open_object (&json);
        }
        json_key (&json, DETAIL [i].name);
        json_put_tree (&json, json_get (snapshot, DETAIL [i].field));
    }
    json_close_object (&json);
    put_others (&json, view, others);
    json_close_object (&json);
    return 0;
}

//  Of the workers as of last_event_id; null while a state is being taken.
static void
member_digest (json_writer_t *json, replica_t *replica, const view_t *view)
{
    char text [DIGEST_TEXT_SIZE];
    uint64_t digest;
    bool masked = view->mask != NULL, known = replica_digest (replica, masked, &digest);

    if (known && view_is_limited (view)) {
        digest = 0;
        for (const replica_worker_t *worker = replica_next (replica, ""); worker;
             worker = replica_next (replica, worker->worker_id)) {
            digest += is_seen (view, worker) ? replica_worker_digest (worker, masked) : 0;
        }
    }
    digest_text (text, digest);
    json_member_text (json, "digest", known ? text : NULL);
}

//  The jobs as /api/state groups them; each, masked if it has to be, as far as it may be seen.
static void
member_jobs (json_writer_t *json, replica_t *replica, const view_t *view)
{
    static const struct {
        const char *name;
        replica_group_t group;
        bool is_active;
    } ROWS [] = {{"pending", JOBS_OPEN, false},
                 {"active", JOBS_OPEN, true},
                 {"completed", JOBS_COMPLETED, false},
                 {"failed", JOBS_FAILED, false}};

    json_key (json, "jobs");
    json_open_object (json);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        json_key (json, ROWS [i].name);
        json_open_array (json);
        for (const replica_job_t *job = replica_jobs_first (replica_jobs (replica), ROWS [i].group);
             job; job = job->next) {
            if (job->is_active == ROWS [i].is_active &&
                view_shows (view, job->what.region, job->what.worker_id)) {
                mask_put (view->mask, job->record.data, job->record.size, json);
            }
        }
        json_close_array (json);
    }
    json_close_object (json);
}

void
api_state (replica_t *replica, const event_log_t *log, const view_t *view, buffer_t *out)
{
    json_writer_t json = json_writer (out);
    const char *stats = replica_stats (replica);

    json_open_object (&json);
    json_key (&json, "workers");
    json_open_object (&json);
    for (const replica_worker_t *worker = replica_next (replica, ""); worker;
         worker = replica_next (replica, worker->worker_id)) {
        if (is_seen (view, worker)) {
            json_key (&json, worker->worker_id);
            replica_write_worker (worker, view->mask, &json);
        }
    }
    json_close_object (&json);
    member_jobs (&json, replica, view);
    json_key (&json, "system_stats");
    if (view_is_limited (view)) {
        sums_write (replica, view, &json);
    } else {
        json_put_raw (&json, stats, strlen (stats));
    }
    api_member_last_id (&json, log);
    member_digest (&json, replica, view);
    json_close_object (&json);
}
