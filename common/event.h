// event.h - the one list of what may be said: on the ingest bus, on the feed, on a stream.
//
// A row makes the enum, the name on the wire, the row that topics, filters, schemas and
// tests walk, the slot in the aggregator's handler table, and the source that the event
// names. There is no second list to forget. design.md sections 3 and 5.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_EVENT_H
#define COMMON_EVENT_H

// clang-format off
//         symbol                          type on the wire                  where    source (null: the speaker says)
#define EVENT_CATALOGUE(EVENT)                                                                                        \
    EVENT (INSTANCE_OBSERVED,              "instance.observed",              INGEST,  NULL)                           \
    EVENT (INSTANCE_GONE,                  "instance.gone",                  INGEST,  NULL)                           \
    EVENT (UTILIZATION_OBSERVED,           "utilization.observed",           INGEST,  NULL)                           \
    EVENT (SYSTEM_OBSERVED,                "system.observed",                INGEST,  NULL)                           \
    EVENT (LABS_OBSERVED,                  "labs.observed",                  INGEST,  NULL)                           \
    EVENT (LAB_STATE_CHANGED,              "lab.state_changed",              INGEST,  NULL)                           \
    EVENT (ACTIVITY_OBSERVED,              "activity.observed",              INGEST,  NULL)                           \
    EVENT (WORKER_TELEMETRY_OBSERVED,      "worker.telemetry.observed",      INGEST,  NULL)                           \
    EVENT (JOB_PROGRESS_REPORTED,          "job.progress",                   INGEST,  NULL)                           \
    EVENT (JOB_COMPLETED_REPORTED,         "job.completed",                  INGEST,  NULL)                           \
    EVENT (JOB_FAILED_REPORTED,            "job.failed",                     INGEST,  NULL)                           \
    EVENT (COLLECTOR_HEARTBEAT,            "collector.heartbeat",            INGEST,  NULL)                           \
    EVENT (COLLECTOR_ERROR,                "collector.error",                INGEST,  NULL)                           \
    EVENT (WORKER_CREATED,                 "worker.created",                 FEED,    "domain.cml_worker")            \
    EVENT (WORKER_STATUS_UPDATED,          "worker.status.updated",          FEED,    "domain.cml_worker")            \
    EVENT (WORKER_SERVICE_STATUS_UPDATED,  "worker.service_status.updated",  FEED,    "domain.cml_worker")            \
    EVENT (WORKER_METRICS_UPDATED,         "worker.metrics.updated",         FEED,    NULL)                           \
    EVENT (WORKER_DETAILS_UPDATED,         "worker.details.updated",         FEED,    "domain.cml_worker")            \
    EVENT (WORKER_LABS_UPDATED,            "worker.labs.updated",            FEED,    "domain.cml_worker.labs")       \
    EVENT (WORKER_LAB_STATE_CHANGED,       "worker.lab.state_changed",       FEED,    "domain.cml_worker.labs")       \
    EVENT (WORKER_LICENSE_UPDATED,         "worker.license.updated",         FEED,    "domain.cml_worker")            \
    EVENT (WORKER_FRESHNESS_CHANGED,       "worker.freshness.changed",       FEED,    "domain.cml_worker")            \
    EVENT (WORKER_SNAPSHOT,                "worker.snapshot",                FEED,    "domain.cml_worker.snapshot")   \
    EVENT (WORKER_ACTIVITY_UPDATED,        "worker.activity.updated",        FEED,    "domain.worker_activity")       \
    EVENT (WORKER_IDLE_DETECTION_TOGGLED,  "worker.idle_detection.toggled",  FEED,    "domain.worker_activity")       \
    EVENT (WORKER_PAUSED,                  "worker.paused",                  FEED,    "domain.worker_activity")       \
    EVENT (WORKER_RESUMED,                 "worker.resumed",                 FEED,    "domain.worker_activity")       \
    EVENT (WORKER_TERMINATED,              "worker.terminated",              FEED,    "domain.cml_worker")            \
    EVENT (WORKER_CONNECTED,               "worker.connected",               FEED,    "domain.cml_worker")            \
    EVENT (WORKER_DISCONNECTED,            "worker.disconnected",            FEED,    "domain.cml_worker")            \
    EVENT (JOB_SUBMITTED,                  "job.submitted",                  FEED,    "domain.job")                   \
    EVENT (JOB_ASSIGNED,                   "job.assigned",                   FEED,    "domain.job")                   \
    EVENT (JOB_STATUS_UPDATED,             "job.status.updated",             FEED,    "domain.job")                   \
    EVENT (JOB_PROGRESS,                   "job.progress",                   FEED,    "domain.job")                   \
    EVENT (JOB_COMPLETED,                  "job.completed",                  FEED,    "domain.job")                   \
    EVENT (JOB_FAILED,                     "job.failed",                     FEED,    "domain.job")                   \
    EVENT (JOB_CANCELLED,                  "job.cancelled",                  FEED,    "domain.job")                   \
    EVENT (ALERT_RAISED,                   "alert.raised",                   FEED,    "domain.alert")                 \
    EVENT (ALERT_ACKNOWLEDGED,             "alert.acknowledged",             FEED,    "domain.alert")                 \
    EVENT (ALERT_CLEARED,                  "alert.cleared",                  FEED,    "domain.alert")                 \
    EVENT (COLLECTOR_JOINED,               "collector.joined",               FEED,    "domain.collector")             \
    EVENT (COLLECTOR_LEFT,                 "collector.left",                 FEED,    "domain.collector")             \
    EVENT (SYSTEM_STATS,                   "system.stats",                   FEED,    "system")                       \
    EVENT (WORKER_METRICS_BATCH,           "worker.metrics.batch",           STREAM,  "gateway")                      \
    EVENT (CONNECTED,                      "connected",                      STREAM,  "gateway")                      \
    EVENT (SYSTEM_STATE_BEGIN,             "system.state.begin",             STREAM,  "gateway")                      \
    EVENT (SYSTEM_STATE_END,               "system.state.end",               STREAM,  "gateway")                      \
    EVENT (SYSTEM_RESET,                   "system.reset",                   STREAM,  "gateway")                      \
    EVENT (HEARTBEAT,                      "heartbeat",                      STREAM,  "gateway")                      \
    EVENT (SYSTEM_SSE_SHUTDOWN,            "system.sse.shutdown",            STREAM,  "gateway")
// clang-format on

//  INGEST: a collector says it to the aggregator. FEED: the aggregator says it, with a
//  sequence number, to gateways and through them to clients. STREAM: a gateway says it
//  to one client.
typedef enum event_place { EVENT_PLACE_INGEST, EVENT_PLACE_FEED, EVENT_PLACE_STREAM } event_place_t;

#define EVENT_SYMBOL(symbol, name, place, source) EVENT_##symbol,
typedef enum event_type {
    EVENT_CATALOGUE (EVENT_SYMBOL) EVENT_TYPE_COUNT,
    EVENT_UNKNOWN = -1
} event_type_t;
#undef EVENT_SYMBOL

//  The name on the wire; never null for a type of the catalogue.
const char *event_type_name (event_type_t type);

event_place_t event_type_place (event_type_t type);

//  The source field of the event on the stream; null when it varies (metrics).
const char *event_type_source (event_type_t type);

//  What the aggregator or a gateway says; EVENT_UNKNOWN when no such row has this name.
event_type_t event_type_parse (const char *name);
//  Likewise what a collector says. A name may stand for both: a job's progress is reported by who
//  runs it, and told to who looks on.
event_type_t event_type_parse_ingest (const char *name);

//  The name of its document in schema/: the type's, but `ingest.<type>` for what a collector says
//  under a name that is told too.
const char *event_type_document (event_type_t type);

#endif
