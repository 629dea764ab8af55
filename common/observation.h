// observation.h - what a collector may say: one table of fields for each type of fact.
//
// A table makes the struct, the bounded decoder that the aggregator uses, the writer that
// collectors use and the JSON Schema in schema/. A member of another type than its table
// says, or a text longer than its bound, makes the message malformed; a member that no
// table knows is ignored (a newer collector may say more); an absent or null member is
// unknown, never 0. Texts and trees are borrowed from the envelope.
//
// Percentages are 0 to 100 as the source measured them (clamping is the aggregator's).
// Each table ends with error_code and error_message: a failed read is an observation too.
// Then the values are absent, and the aggregator keeps what it had and says it is old.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_OBSERVATION_H
#define COMMON_OBSERVATION_H

#include "envelope.h"
#include "json.h"

#include <stdint.h>

// clang-format off
//         kind     member                bound   where it comes from
#define INSTANCE_OBSERVED_FIELDS(FIELD)                                                                               \
    FIELD (TEXT,    instance_id,          64,     "instanceId; with the subject's region it makes the worker id")     \
    FIELD (TEXT,    region,               64,     "the region asked")                                                 \
    FIELD (TEXT,    account_id,           32,     "ownerId; the account whose instance it is, for who asks other APIs about it") \
    FIELD (TEXT,    name,                 256,    "the tag Name")                                                     \
    FIELD (TEXT,    instance_type,        64,     "instanceType")                                                     \
    FIELD (TEXT,    state,                32,     "instanceState/name: pending running shutting-down terminated stopping stopped") \
    FIELD (TEXT,    state_reason,         512,    "stateReason/message, else reason")                                 \
    FIELD (TEXT,    image_id,             64,     "imageId")                                                          \
    FIELD (TEXT,    image_name,           256,    "DescribeImages name")                                              \
    FIELD (TEXT,    image_description,    512,    "DescribeImages description")                                       \
    FIELD (TIME,    image_creation_date,  0,      "DescribeImages creationDate")                                      \
    FIELD (TIME,    launch_time,          0,      "launchTime")                                                       \
    FIELD (TEXT,    availability_zone,    64,     "placement/availabilityZone")                                       \
    FIELD (TEXT,    public_ip,            64,     "ipAddress; absent while stopped")                                  \
    FIELD (TEXT,    private_ip,           64,     "privateIpAddress")                                                 \
    FIELD (FLAG,    detailed_monitoring,  0,      "monitoring/state is enabled")                                      \
    FIELD (OBJECT,  tags,                 0,      "tagSet as an object of texts")                                     \
    FIELD (TEXT,    system_status,        32,     "systemStatus/status: ok impaired insufficient-data not-applicable initializing") \
    FIELD (TEXT,    instance_status,      32,     "instanceStatus/status, likewise")                                  \
    FIELD (INTEGER, interval_seconds,     0,      "the next observation comes within this time")                      \
    FIELD (TEXT,    error_code,           64,     "of a failed read of the status checks")                            \
    FIELD (TEXT,    error_message,        512,    "in words")

#define INSTANCE_GONE_FIELDS(FIELD)                                                                                   \
    FIELD (TEXT,    instance_id,          64,     "an instance that a complete listing no longer names")              \
    FIELD (TEXT,    region,               64,     "the region asked")                                                 \
    FIELD (TEXT,    reason,               64,     "not_listed or terminated")

#define UTILIZATION_OBSERVED_FIELDS(FIELD)                                                                            \
    FIELD (PERCENT, cpu_percent,          0,      "CPUUtilization, newest point; absent: no point in the window")     \
    FIELD (TIME,    cpu_measured_at,      0,      "time stamp of that point (start of its period)")                   \
    FIELD (PERCENT, memory_percent,       0,      "mem_used_percent")                                                 \
    FIELD (TIME,    memory_measured_at,   0,      "")                                                                 \
    FIELD (PERCENT, disk_percent,         0,      "disk_used_percent of the root file system")                        \
    FIELD (TIME,    disk_measured_at,     0,      "")                                                                 \
    FIELD (INTEGER, period_seconds,       0,      "60 detailed, 300 basic")                                           \
    FIELD (INTEGER, interval_seconds,     0,      "the next observation comes within this time")                      \
    FIELD (TEXT,    error_code,           64,     "of a failed read")                                                 \
    FIELD (TEXT,    error_message,        512,    "in words")

#define SYSTEM_OBSERVED_FIELDS(FIELD)                                                                                 \
    FIELD (TEXT,    endpoint,             256,    "the base URL that answered or did not")                            \
    FIELD (FLAG,    reachable,            0,      "one of system_information, system_health, system_stats answered")  \
    FIELD (TEXT,    version,              64,     "system_information version")                                       \
    FIELD (FLAG,    ready,                0,      "system_information ready")                                         \
    FIELD (INTEGER, uptime_seconds,       0,      "where a version tells it")                                         \
    FIELD (OBJECT,  system_stats,         0,      "the answer of system_stats as it came")                            \
    FIELD (OBJECT,  system_health,        0,      "the answer of system_health; left out when as last told")          \
    FIELD (OBJECT,  licensing,            0,      "the answer of licensing; left out when as last told")              \
    FIELD (INTEGER, interval_seconds,     0,      "the next observation comes within this time")                      \
    FIELD (TEXT,    error_code,           64,     "of the first read that failed: unreachable timeout tls login http json") \
    FIELD (TEXT,    error_message,        512,    "in words")

#define LABS_OBSERVED_FIELDS(FIELD)                                                                                   \
    FIELD (ARRAY,   labs,                 0,      "objects: lab_id title state owner node_count link_count created modified; all labs of the worker") \
    FIELD (INTEGER, interval_seconds,     0,      "the next observation comes within this time")                      \
    FIELD (TEXT,    error_code,           64,     "of a failed read; labs is then absent")                            \
    FIELD (TEXT,    error_message,        512,    "in words")

#define LAB_STATE_CHANGED_FIELDS(FIELD)                                                                               \
    FIELD (TEXT,    lab_id,               64,     "")                                                                 \
    FIELD (TEXT,    element_type,         32,     "lab node interface link")                                          \
    FIELD (TEXT,    element_id,           64,     "")                                                                 \
    FIELD (TEXT,    event,                64,     "what happened, as CML says it")                                    \
    FIELD (TEXT,    state,                32,     "the state it has now")

#define ACTIVITY_OBSERVED_FIELDS(FIELD)                                                                               \
    FIELD (TIME,    last_activity_at,     0,      "newest event that counts as activity (reference: apis.md, CML)")   \
    FIELD (ARRAY,   events,               0,      "the newest 10: category timestamp")                                \
    FIELD (INTEGER, interval_seconds,     0,      "the next observation comes within this time")                      \
    FIELD (TEXT,    error_code,           64,     "of a failed read; decides nothing")                                \
    FIELD (TEXT,    error_message,        512,    "in words")

//  Deprecated: one observation of three sources' facts, as older agents send it. New collectors
//  say utilization.observed and labs.observed.
#define WORKER_TELEMETRY_OBSERVED_FIELDS(FIELD)                                                                       \
    FIELD (PERCENT, cpu_utilization,      0,      "taken as CloudWatch's")                                            \
    FIELD (PERCENT, memory_utilization,   0,      "taken as CloudWatch's")                                            \
    FIELD (INTEGER, active_labs_count,    0,      "labs that run; taken where CML itself has never told them")        \
    FIELD (INTEGER, interval_seconds,     0,      "the next observation comes within this time")                      \
    FIELD (TEXT,    error_code,           64,     "of a failed read")                                                 \
    FIELD (TEXT,    error_message,        512,    "in words")

//  What a runner says of a job it was given; the subject is the job's worker, or empty. One table
//  for progress, completion and failure.
#define JOB_REPORT_FIELDS(FIELD)                                                                                      \
    FIELD (TEXT,    job_id,               40,     "as it was assigned")                                               \
    FIELD (INTEGER, attempt,              0,      "as it was assigned: what an earlier one says late is not believed") \
    FIELD (PERCENT, progress,             0,      "of the job, or of its step")                                       \
    FIELD (TEXT,    step,                 64,     "the step it is about, as assigned; absent for a job without steps") \
    FIELD (TEXT,    message,              256,    "what is being done, in words")                                     \
    FIELD (OBJECT,  result,               0,      "of job.completed: what came of it")                                \
    FIELD (TEXT,    error_code,           64,     "of job.failed: forbidden not_owned unreachable throttled timeout …") \
    FIELD (TEXT,    error_message,        512,    "of job.failed: in words")

#define COLLECTOR_HEARTBEAT_FIELDS(FIELD)                                                                             \
    FIELD (INTEGER, last_sequence,        0,      "the last sequence sent before this one")                           \
    FIELD (TEXT,    version,              64,     "of the collector program")                                         \
    FIELD (INTEGER, interval_ms,          0,      "the next heartbeat comes within this time")                        \
    FIELD (INTEGER, units,                0,      "regions or workers it reads; told now and then, with all below")   \
    FIELD (INTEGER, rounds_overdue,       0,      "rounds skipped for want of time or room, since it began")          \
    FIELD (TIME,    usage_since,          0,      "when it began to count")                                           \
    FIELD (ARRAY,   usage,                0,      "objects: account region calls failed throttled billed cost_usd_month; at most 32") \
    FIELD (INTEGER, cost_cents,           0,      "what its reading costs, in cents a month; absent: it is free")     \
    FIELD (INTEGER, budget_usd,           0,      "its part of a budget, a month; absent: it has none")               \
    FIELD (INTEGER, stretch_percent,      0,      "its intervals, of what was wanted; over 100: to keep within the budget")

#define COLLECTOR_ERROR_FIELDS(FIELD)                                                                                 \
    FIELD (TEXT,    region,               64,     "where it applies, if to one region")                               \
    FIELD (TEXT,    api,                  64,     "DescribeInstances, GetMetricData, authenticate")                   \
    FIELD (TEXT,    error_code,           64,     "as the API names it")                                              \
    FIELD (TEXT,    error_message,        512,    "what failed, where, and what would be right")

//  symbol of event.h           member of the union   table
#define OBSERVATION_TYPES(TYPE)                                                    \
    TYPE (INSTANCE_OBSERVED,    instance_observed,    INSTANCE_OBSERVED_FIELDS)    \
    TYPE (INSTANCE_GONE,        instance_gone,        INSTANCE_GONE_FIELDS)        \
    TYPE (UTILIZATION_OBSERVED, utilization_observed, UTILIZATION_OBSERVED_FIELDS) \
    TYPE (SYSTEM_OBSERVED,      system_observed,      SYSTEM_OBSERVED_FIELDS)      \
    TYPE (LABS_OBSERVED,        labs_observed,        LABS_OBSERVED_FIELDS)        \
    TYPE (LAB_STATE_CHANGED,    lab_state_changed,    LAB_STATE_CHANGED_FIELDS)    \
    TYPE (ACTIVITY_OBSERVED,    activity_observed,    ACTIVITY_OBSERVED_FIELDS)    \
    TYPE (WORKER_TELEMETRY_OBSERVED, worker_telemetry_observed, WORKER_TELEMETRY_OBSERVED_FIELDS) \
    TYPE (JOB_PROGRESS_REPORTED,  job_progress_reported,  JOB_REPORT_FIELDS)       \
    TYPE (JOB_COMPLETED_REPORTED, job_completed_reported, JOB_REPORT_FIELDS)       \
    TYPE (JOB_FAILED_REPORTED,    job_failed_reported,    JOB_REPORT_FIELDS)       \
    TYPE (COLLECTOR_HEARTBEAT,  collector_heartbeat,  COLLECTOR_HEARTBEAT_FIELDS)  \
    TYPE (COLLECTOR_ERROR,      collector_error,      COLLECTOR_ERROR_FIELDS)
// clang-format on

typedef const char *observation_TEXT_t;
typedef double observation_PERCENT_t;
typedef int64_t observation_INTEGER_t;
typedef flag_t observation_FLAG_t;
typedef time_us_t observation_TIME_t;
//  Who says it has made it of json-c's objects, who hears it has it as it was read: one of the two.
typedef struct observation_tree {
    struct json_object *tree;
    const json_node_t *node;
} observation_tree_t;
typedef observation_tree_t observation_OBJECT_t;
typedef observation_tree_t observation_ARRAY_t;

#define OBSERVATION_MEMBER(kind, name, bound, from) observation_##kind##_t name;
#define OBSERVATION_STRUCT(symbol, name, fields) \
    typedef struct name {                        \
        fields (OBSERVATION_MEMBER)              \
    } name##_t;
OBSERVATION_TYPES (OBSERVATION_STRUCT)
#undef OBSERVATION_STRUCT
#undef OBSERVATION_MEMBER

typedef struct observation {
    envelope_t envelope;
    union {
#define OBSERVATION_UNION(symbol, name, fields) name##_t name;
        OBSERVATION_TYPES (OBSERVATION_UNION)
#undef OBSERVATION_UNION
    };
} observation_t;

#define OBSERVATION_BYTES_MAX ((size_t) 256 * 1024)  //  the default bound of a message

//  0, and the caller calls observation_clear; or as envelope_decode, with -EINVAL also for
//  a member that is not as its table says.
int observation_decode (observation_t *self, const void *bytes, size_t size, size_t size_max,
                        reason_t *why);
void observation_clear (observation_t *self);

//  Everything of this type unknown: where a collector starts.
void observation_init (observation_t *self, event_type_t type);

//  Writes the data object; members that are unknown are left out.
void observation_write_data (buffer_t *out, const observation_t *self);

#endif
