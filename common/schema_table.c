// schema_table.c - see schema_table.h. Payloads are design.md section 5's, answers section 6's.
//
// SPDX-License-Identifier: MIT

#include "schema_table.h"

#include <stddef.h>

// clang-format off
//  A job as it stands, and what each of its transitions is told with; likewise an alert.
#define JOB \
    "id:uuid job_type:text status:job_status priority:integer worker_id:uuid|null workflow_id:text|null " \
    "client_key:text|null payload:object|null progress:percent step:text|null message:text|null created_at:time " \
    "assigned_at:time|null started_at:time|null completed_at:time|null failed_at:time|null " \
    "cancelled_at:time|null error:text|null error_code:text|null result:object|null submitted_by:text " \
    "cancelled_by:text|null attempts:count runner_id:text|null timeout_seconds:count"
#define JOB_CHANGE \
    "job_id:uuid worker_id:uuid|null job_type:text priority:integer workflow_id:text|null " \
    "old_status:job_status new_status:job_status runner_id:text|null attempts:count"
#define ALERT \
    "id:uuid rule:text severity:severity state:alert_state worker_id:uuid|null name:text|null region:text|null " \
    "metric:text|null value:any threshold:any message:text raised_at:time acknowledged_at:time|null " \
    "acknowledged_by:text|null cleared_at:time|null"
#define STATS \
    "total_workers:count active_workers:count by_status:{count} by_region:{count} total_jobs:count " \
    "pending_jobs:count active_jobs:count completed_jobs:count failed_jobs:count total_runners?:count runners?:[runner] " \
    "collectors?:[collector]"

const schema_row_t SCHEMA_TYPES [] = {
    {"text",      "{\"type\":\"string\"}"},
    {"uuid",      "{\"type\":\"string\",\"format\":\"uuid\"}"},
    {"time",      "{\"type\":\"string\",\"format\":\"date-time\",\"pattern\":\"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\\\.[0-9]{3}Z$\"}"},
    {"event_id",  "{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{8}-[0-9]+$\"}"},
    {"digest",    "{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{16}$\"}"},
    {"epoch",     "{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{8}$\"}"},
    {"percent",   "{\"type\":\"number\",\"minimum\":0,\"maximum\":100}"},
    {"number",    "{\"type\":\"number\"}"},
    {"integer",   "{\"type\":\"integer\"}"},
    {"count",     "{\"type\":\"integer\",\"minimum\":0}"},
    {"flag",      "{\"type\":\"boolean\"}"},
    {"object",    "{\"type\":\"object\"}"},
    {"any",       "{}"},
    {"status",    "{\"enum\":[\"pending\",\"starting\",\"running\",\"stopping\",\"stopped\",\"shutting-down\",\"terminated\",\"failed\",\"unknown\"]}"},
    {"service",   "{\"enum\":[\"unavailable\",\"starting\",\"available\",\"error\"]}"},
    {"freshness", "{\"enum\":[\"fresh\",\"stale\",\"absent\",\"error\"]}"},
    {"license",   "{\"enum\":[\"unregistered\",\"registered\",\"evaluation\",\"expired\",\"invalid\"]}"},
    {"metric_source", "{\"enum\":[\"ec2\",\"cloudwatch\",\"cml\"]}"},
    {"pause_reason",  "{\"enum\":[\"idle_timeout\",\"manual\",\"external\"]}"},
    {"job_status", "{\"enum\":[\"pending\",\"assigned\",\"in_progress\",\"completed\",\"failed\",\"cancelled\"]}"},
    {"runner_state", "{\"enum\":[\"idle\",\"busy\",\"full\"]}"},
    {"severity", "{\"enum\":[\"info\",\"warning\",\"critical\"]}"},
    {"alert_state", "{\"enum\":[\"raised\",\"acknowledged\",\"cleared\"]}"},
    {"metric", "{\"enum\":[\"cpu_utilization\",\"memory_utilization\",\"storage_utilization\",\"cml_labs_count\"]}"},
    {"auth", "{\"enum\":[\"none\",\"token\",\"jwt\"]}"},
    {"role", "{\"enum\":[\"viewer\",\"operator\",\"admin\"]}"},
    {"client_kind", "{\"enum\":[\"stream\",\"monitor\"]}"},
    {"monitor_error", "{\"enum\":[\"malformed\",\"unknown_type\",\"invalid\",\"unavailable\"]}"},
    {"client_mode", "{\"enum\":[\"waiting\",\"state\",\"behind\",\"live\"]}"},
    {"resume_reason", "{\"enum\":[\"automatic\",\"manual\",\"external\"]}"},
    {"why_sent",  "{\"enum\":[\"initial\",\"metrics_collected\",\"refresh\",\"created\",\"status_updated\",\"terminated\"]}"},
    {NULL, NULL}};

const schema_row_t SCHEMA_OBJECTS [] = {
    {"lab",      "lab_id:text title:text|null state:text|null owner:text|null node_count:count|null link_count:count|null created:time|null modified:time|null"},
    {"stats",    STATS},
    {"job",      JOB},
    {"jobs",     "pending:[job] active:[job] completed:[job] failed:[job]"},
    {"runner",   "runner_id:text state:runner_state job_types:[text] concurrency:count running:count"},
    {"collector", "collector_id:text kind:text version:text|null units:count|null rounds_overdue:count|null lost:count since:time|null calls:count failed:count throttled:count billed:number cost_usd_month:number|null budget_usd:count|null interval_stretch:number|null usage:[usage]"},
    {"usage",    "account:text region:text calls:count failed:count throttled:count billed:number cost_usd_month:number|null"},
    {"alert",    ALERT},
    {"alert_rule", "name:text words:text severity:severity is_enabled:flag is_built_in:flag active:count raised_total:count would_have_raised_total:count"},
    {"load",     "cpu:percent|null memory:percent|null storage:percent|null"},
    {"ec2",      "instance_state_detail:text|null system_status_check:text|null last_checked_at:time|null freshness:freshness"},
    {"cloudwatch", "cpu_utilization:percent|null memory_utilization:percent|null last_collected_at:time|null detailed_monitoring_enabled:flag|null freshness:freshness"},
    {"cml",      "version:text|null ready:flag|null uptime_seconds:count|null labs_count:count|null last_synced_at:time|null system_info:object|null system_health:object|null freshness:freshness"},
    {"activity", "last_activity_at:time|null last_activity_check_at:time|null next_idle_check_at:time|null target_pause_at:time|null is_idle_detection_enabled:flag"},
    {"other",    "kind:text cpu_utilization:percent|null memory_utilization:percent|null storage_utilization:percent|null observed_at:time counts:flag"},
    {"sample",   "at:time value:number"},
    {"activity_event", "category:text timestamp:time"},
    {"client", "id:text kind:client_kind name:text|null user:text|null address:text|null mode:client_mode filter:text heartbeat_seconds:count compressed:flag age_seconds:count last_event_id:event_id events_behind:count bytes_behind:count lag_ms:count queued_bytes:count sent_bytes:count events_missed:count conflated:count events_resumed:count"},
    {"monitor_filters", "job_types?:[text] worker_ids?:[uuid] priority_range?:[integer]"},
    {"monitor_jobs", "pending:[object] active:[object] completed:[object] failed:[object]"},
    {"monitor_state", "workers:{snapshot} jobs:monitor_jobs system_stats:stats last_event_id:event_id digest:digest|null"},
    {"license_detail", "status:license|null token:text|null info:object|null"},
    {NULL, NULL}};

//  A line may go on with another's words: no comma is missing. NOLINTBEGIN(bugprone-suspicious-missing-comma)
const char *const SCHEMA_EVENTS [EVENT_TYPE_COUNT] = {
    [EVENT_WORKER_CREATED]                = "worker_id:uuid name:text region:text status:status instance_type:text|null created_at:time",
    [EVENT_WORKER_STATUS_UPDATED]         = "worker_id:uuid old_status:status new_status:status updated_at:time transition_initiated_at?:time",
    [EVENT_WORKER_SERVICE_STATUS_UPDATED] = "worker_id:uuid old_service_status:service new_service_status:service https_endpoint:text|null updated_at:time",
    [EVENT_WORKER_METRICS_UPDATED]        = "worker_id:uuid *metrics cpu_utilization:percent|null memory_utilization:percent|null storage_utilization:percent|null disk_utilization:percent|null active_labs_count:count|null updated_at:time",
    [EVENT_WORKER_DETAILS_UPDATED]        = "worker_id:uuid *details updated_at:time",
    [EVENT_WORKER_LABS_UPDATED]           = "worker_id:uuid labs:[lab] labs_count:count synced_at:time",
    [EVENT_WORKER_LAB_STATE_CHANGED]      = "worker_id:uuid lab_id:text|null element_type:text|null element_id:text|null event:text|null state:text|null",
    [EVENT_WORKER_LICENSE_UPDATED]        = "worker_id:uuid license_status:license|null updated_at:time",
    [EVENT_WORKER_FRESHNESS_CHANGED]      = "worker_id:uuid metric_source:metric_source old:freshness new:freshness last_seen_at:time|null reason:text|null",
    [EVENT_WORKER_ACTIVITY_UPDATED]       = "worker_id:uuid last_activity_at:time|null last_activity_check_at:time|null next_idle_check_at:time|null target_pause_at:time|null updated_at:time",
    [EVENT_WORKER_IDLE_DETECTION_TOGGLED] = "worker_id:uuid is_enabled:flag toggled_by:text|null toggled_at:time",
    [EVENT_WORKER_PAUSED]                 = "worker_id:uuid pause_reason:pause_reason paused_by:text|null paused_at:time auto_pause_count:count manual_pause_count:count idle_duration_minutes:count|null",
    [EVENT_WORKER_RESUMED]                = "worker_id:uuid resume_reason:resume_reason resumed_by:text|null resumed_at:time auto_resume_count:count manual_resume_count:count was_auto_paused:flag",
    [EVENT_WORKER_TERMINATED]             = "worker_id:uuid name:text terminated_at:time",
    [EVENT_WORKER_CONNECTED]              = "worker_id:uuid at:time reason:text|null",
    [EVENT_WORKER_DISCONNECTED]           = "worker_id:uuid at:time reason:text|null",
    [EVENT_JOB_SUBMITTED]                 = "job_id:uuid " JOB,
    [EVENT_JOB_ASSIGNED]                  = JOB_CHANGE " step:text|null assigned_at:time",
    [EVENT_JOB_STATUS_UPDATED]            = JOB_CHANGE " step:text|null progress:percent started_at:time|null reason:text|null updated_at:time",
    [EVENT_JOB_PROGRESS]                  = "job_id:uuid worker_id:uuid|null job_type:text priority:integer workflow_id:text|null progress:percent step:text|null message:text|null updated_at:time",
    [EVENT_JOB_COMPLETED]                 = JOB_CHANGE " progress:percent result:object|null completed_at:time",
    [EVENT_JOB_FAILED]                    = JOB_CHANGE " error:text|null error_code:text failed_at:time",
    [EVENT_JOB_CANCELLED]                 = JOB_CHANGE " error:text|null cancelled_by:text|null cancelled_at:time",
    [EVENT_ALERT_RAISED]                  = "alert_id:uuid " ALERT,
    [EVENT_ALERT_ACKNOWLEDGED]            = "alert_id:uuid rule:text severity:severity worker_id:uuid|null acknowledged_by:text|null acknowledged_at:time",
    [EVENT_ALERT_CLEARED]                 = "alert_id:uuid rule:text severity:severity worker_id:uuid|null value:any reason:text cleared_at:time duration_seconds:count",
    [EVENT_COLLECTOR_JOINED]              = "collector_id:text kind:text workers_owned:count reason:text",
    [EVENT_COLLECTOR_LEFT]                = "collector_id:text kind:text workers_owned:count reason:text",
    [EVENT_SYSTEM_STATS]                  = STATS,
    [EVENT_WORKER_METRICS_BATCH]          = "count:count events:[object]",
    [EVENT_CONNECTED]                     = "client_id:text server_time:time epoch:epoch last_event_id:event_id heartbeat_seconds:count retry_ms:count user:text|null",
    [EVENT_SYSTEM_STATE_BEGIN]            = "workers:count jobs:count",
    [EVENT_SYSTEM_STATE_END]              = "workers:count jobs:count digest:digest|null",
    [EVENT_SYSTEM_RESET]                  = "reason:text requested_id:text|null oldest_id:event_id",
    [EVENT_HEARTBEAT]                     = "server_time:time last_event_id:event_id events_missed:count conflated:count lag_ms:count digest:digest|null",
    [EVENT_SYSTEM_SSE_SHUTDOWN]           = "message:text retry_ms:count",
};
//  NOLINTEND(bugprone-suspicious-missing-comma)

const schema_row_t SCHEMA_REST [] = {
    {"rest.workers", "workers:[snapshot] next_cursor:uuid|null last_event_id:event_id"},
    {"rest.worker",  "id:uuid worker_id:uuid name:text region:text aws_instance_id:text instance_type:text|null status:status service_status:service https_endpoint:text|null public_ip:text|null private_ip:text|null aws_tags:object|null utilization:load ec2_metrics:ec2 cloudwatch_metrics:cloudwatch cml_metrics:cml activity:activity license:license_detail others:[other]|null"},
    {"rest.worker.labs", "worker_id:uuid labs:[lab] labs_count:count synced_at:time|null"},
    {"rest.worker.activity", "worker_id:uuid last_activity_at:time|null last_activity_check_at:time|null next_idle_check_at:time|null target_pause_at:time|null idle_since:time is_idle_detection_enabled:flag events:[activity_event]"},
    {"rest.worker.history", "worker_id:uuid metric:metric unit:text interval_seconds:count thinned_interval_seconds:count samples:[sample]"},
    {"rest.worker.idle_detection", "worker_id:uuid is_idle_detection_enabled:flag changed:flag"},
    {"rest.state",   "workers:{snapshot} jobs:jobs system_stats:stats last_event_id:event_id digest:digest|null"},
    {"rest.events",  "events:[object] next:event_id more:flag last_event_id:event_id"},
    {"rest.clients", "clients:[client]"},
    {"rest.client.change", "id:text filter:text"},
    {"rest.session", "auth:auth user:text|null role:role expires_at:time|null limited:flag masked:flag"},
    {"rest.job",     JOB},
    {"rest.jobs",    "jobs:[job] next_cursor:text|null last_event_id:event_id"},
    {"rest.alerts",  "alerts:[alert] rules:[alert_rule] last_event_id:event_id"},
    {"rest.alert",   ALERT},
    {"rest.problem", "type:text title:text status:count detail:text job_id?:uuid"},
    {"rest.healthz", "status:text version:text"},
    {"rest.readyz",  "status:text reason:text|null"},
    {NULL, NULL}};

const schema_row_t SCHEMA_MONITOR [] = {
    {"monitor.connect",        "type:text monitor_id?:text request_full_state?:flag last_event_id?:event_id|null timestamp?:count"},
    {"monitor.subscribe",      "type:text monitor_id?:text topics?:[text] subscriptions?:[text] filters?:monitor_filters timestamp?:count"},
    {"monitor.heartbeat",      "type:text monitor_id?:text timestamp?:count"},
    {"monitor.resync_request", "type:text monitor_id?:text last_event_timestamp?:count last_event_id?:event_id|null topics?:[text] filters?:monitor_filters timestamp?:count"},
    {"monitor.full_state_snapshot", "type:text data:monitor_state timestamp:count"},
    {"monitor.heartbeat_ack",  "type:text monitor_id:text|null last_event_id:event_id|null events_missed:count conflated:count lag_ms:count server_timestamp:count"},
    {"monitor.resync_data",    "type:text monitor_id:text|null events:[object] truncated:flag more:flag last_event_id:event_id timestamp:count"},
    {"monitor.system_reset",   "type:text reason:text requested_id:text|null oldest_id:event_id timestamp:count"},
    {"monitor.error",          "type:text code:monitor_error message:text request:text|null timestamp:count"},
    {NULL, NULL}};
// clang-format on
