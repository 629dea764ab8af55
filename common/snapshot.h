// snapshot.h - the canonical worker: one struct, one order, one way to JSON.
//
// SNAPSHOT_FIELDS is the schema. The struct, the JSON writer, the set of changed fields,
// the events that tell of a change and schema/worker.snapshot.json all walk it, so a new
// field is one row here and one assignment in worker.c. What nobody has read is UNKNOWN
// inside and null outside, never 0; every key is always there (design.md section 4).
// SSE, REST and export all write a worker with snapshot_write: a second place that writes
// a worker's fields is a defect.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_SNAPSHOT_H
#define COMMON_SNAPSHOT_H

#include "clock.h"
#include "json.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

// clang-format off
//         kind      name                                    group (whose change it is)
#define SNAPSHOT_FIELDS(FIELD)                                              \
    FIELD (TEXT,     worker_id,                              IDENTITY)      \
    FIELD (TEXT,     id,                                     IDENTITY)      \
    FIELD (TEXT,     name,                                   DETAILS)       \
    FIELD (TEXT,     region,                                 IDENTITY)      \
    FIELD (TEXT,     aws_instance_id,                        IDENTITY)      \
    FIELD (TEXT,     instance_type,                          DETAILS)       \
    FIELD (TEXT,     status,                                 STATUS)        \
    FIELD (TEXT,     service_status,                         SERVICE)       \
    FIELD (TEXT,     ami_id,                                 DETAILS)       \
    FIELD (TEXT,     ami_name,                               DETAILS)       \
    FIELD (TEXT,     ami_description,                        DETAILS)       \
    FIELD (TIME,     ami_creation_date,                      DETAILS)       \
    FIELD (TEXT,     https_endpoint,                         DETAILS)       \
    FIELD (TEXT,     public_ip,                              DETAILS)       \
    FIELD (TEXT,     private_ip,                             DETAILS)       \
    FIELD (JSON,     aws_tags,                               DETAILS)       \
    FIELD (TEXT,     license_status,                         LICENSE)       \
    FIELD (TEXT,     license_token,                          LICENSE)       \
    FIELD (JSON,     cml_license_info,                       LICENSE)       \
    FIELD (TEXT,     cml_version,                            CML)           \
    FIELD (FLAG,     cml_ready,                              CML)           \
    FIELD (INTEGER,  cml_uptime_seconds,                     CML_QUIET)     \
    FIELD (INTEGER,  cml_labs_count,                         CML)           \
    FIELD (JSON,     cml_system_info,                        CML)           \
    FIELD (JSON,     cml_system_health,                      CML)           \
    FIELD (TIME,     cml_last_synced_at,                     CML_QUIET)     \
    FIELD (TEXT,     ec2_instance_state_detail,              EC2)           \
    FIELD (TEXT,     ec2_system_status_check,                EC2)           \
    FIELD (TIME,     ec2_last_checked_at,                    EC2_QUIET)     \
    FIELD (PERCENT,  cloudwatch_cpu_utilization,             CLOUDWATCH)    \
    FIELD (PERCENT,  cloudwatch_memory_utilization,          CLOUDWATCH)    \
    FIELD (TIME,     cloudwatch_last_collected_at,           CLOUDWATCH_QUIET) \
    FIELD (FLAG,     cloudwatch_detailed_monitoring_enabled, CLOUDWATCH)    \
    FIELD (PERCENT,  cpu_utilization,                        CALCULATED)    \
    FIELD (PERCENT,  memory_utilization,                     CALCULATED)    \
    FIELD (PERCENT,  storage_utilization,                    CALCULATED)    \
    FIELD (PERCENT,  disk_utilization,                       CALCULATED)    \
    FIELD (INTEGER,  active_labs_count,                      CALCULATED)    \
    FIELD (TEXT,     ec2_freshness,                          FRESHNESS)     \
    FIELD (TEXT,     cloudwatch_freshness,                   FRESHNESS)     \
    FIELD (TEXT,     cml_freshness,                          FRESHNESS)     \
    FIELD (INTEGER,  poll_interval,                          TIMING)        \
    FIELD (TIME,     next_refresh_at,                        TIMING)        \
    FIELD (TIME,     created_at,                             TIMING)        \
    FIELD (TIME,     updated_at,                             TIMING)        \
    FIELD (TIME,     start_initiated_at,                     TIMING)        \
    FIELD (TIME,     stop_initiated_at,                      TIMING)        \
    FIELD (TIME,     terminated_at,                          TIMING)        \
    FIELD (TEXT,     created_by,                             TIMING)        \
    FIELD (NUMBER,   hourly_cost,                            COST)          \
    FIELD (TIME,     last_activity_at,                       ACTIVITY)      \
    FIELD (TIME,     last_activity_check_at,                 ACTIVITY)      \
    FIELD (TIME,     next_idle_check_at,                     ACTIVITY)      \
    FIELD (TIME,     target_pause_at,                        ACTIVITY)      \
    FIELD (FLAG,     is_idle_detection_enabled,              IDLE)          \
    FIELD (INTEGER,  auto_pause_count,                       PAUSES)        \
    FIELD (INTEGER,  manual_pause_count,                     PAUSES)        \
    FIELD (INTEGER,  auto_resume_count,                      PAUSES)        \
    FIELD (INTEGER,  manual_resume_count,                    PAUSES)        \
    FIELD (TIME,     last_paused_at,                         PAUSES)        \
    FIELD (TIME,     last_resumed_at,                        PAUSES)        \
    FIELD (TEXT,     paused_by,                              PAUSES)        \
    FIELD (TEXT,     pause_reason,                           PAUSES)
// clang-format on

typedef const char *snapshot_TEXT_t;  //  borrowed; null is unknown
typedef double snapshot_PERCENT_t;    //  0 to 100, or UNKNOWN
typedef double snapshot_NUMBER_t;     //  or UNKNOWN
typedef int64_t snapshot_INTEGER_t;   //  or INTEGER_UNKNOWN
typedef flag_t snapshot_FLAG_t;
typedef time_us_t snapshot_TIME_t;    //  wall, or TIME_UNKNOWN
typedef const char *snapshot_JSON_t;  //  one line of JSON, borrowed; null is unknown

typedef struct snapshot {
#define SNAPSHOT_MEMBER(kind, name, group) snapshot_##kind##_t name;
    SNAPSHOT_FIELDS (SNAPSHOT_MEMBER)
#undef SNAPSHOT_MEMBER
} snapshot_t;

typedef enum snapshot_field {
#define SNAPSHOT_SYMBOL(kind, name, group) SNAPSHOT_##name,
    SNAPSHOT_FIELDS (SNAPSHOT_SYMBOL)
#undef SNAPSHOT_SYMBOL
        SNAPSHOT_FIELD_COUNT
} snapshot_field_t;

//  A group says which event tells of a change. A QUIET group travels with its event and
//  never causes one: a time of reading alone is not news.
typedef enum snapshot_group {
    SNAPSHOT_GROUP_IDENTITY,  //  never changes
    SNAPSHOT_GROUP_DETAILS,
    SNAPSHOT_GROUP_STATUS,
    SNAPSHOT_GROUP_SERVICE,
    SNAPSHOT_GROUP_LICENSE,
    SNAPSHOT_GROUP_CML,
    SNAPSHOT_GROUP_CML_QUIET,
    SNAPSHOT_GROUP_EC2,
    SNAPSHOT_GROUP_EC2_QUIET,
    SNAPSHOT_GROUP_CLOUDWATCH,
    SNAPSHOT_GROUP_CLOUDWATCH_QUIET,
    SNAPSHOT_GROUP_CALCULATED,
    SNAPSHOT_GROUP_FRESHNESS,
    SNAPSHOT_GROUP_TIMING,
    SNAPSHOT_GROUP_COST,  //  changes with status and type, and is told with them
    SNAPSHOT_GROUP_ACTIVITY,
    SNAPSHOT_GROUP_IDLE,
    SNAPSHOT_GROUP_PAUSES,
    SNAPSHOT_GROUP_COUNT
} snapshot_group_t;

//  A set of fields. Most have few: they are walked by what is in them.
#define FIELD_SET_WORDS ((SNAPSHOT_FIELD_COUNT + 63) / 64)
typedef struct field_set {
    uint64_t words [FIELD_SET_WORDS];
} field_set_t;

void field_set_add (field_set_t *self, snapshot_field_t field);
bool field_set_has (const field_set_t *self, snapshot_field_t field);
void field_set_merge (field_set_t *self, const field_set_t *other);
bool field_set_is_empty (const field_set_t *self);
//  The first field of the set that is not before from; SNAPSHOT_FIELD_COUNT: none.
int field_set_next (const field_set_t *self, int from);
#define FOR_EACH_FIELD(field, set)                                                  \
    for (int field = field_set_next (set, 0); (field) < (int) SNAPSHOT_FIELD_COUNT; \
         (field) = field_set_next (set, (field) + 1))
//  Those of the set that are of this group; true when there are any.
field_set_t field_set_of_group (const field_set_t *self, snapshot_group_t group);
bool field_set_has_group (const field_set_t *self, snapshot_group_t group);

const char *snapshot_field_name (snapshot_field_t field);
snapshot_group_t snapshot_field_group (snapshot_field_t field);

//  Everything unknown.
void snapshot_init (snapshot_t *self);

//  The fields in which the two differ; percentages by 0.0005, texts by content.
field_set_t snapshot_difference (const snapshot_t *self, const snapshot_t *other);

//  The whole object, with every key; reason becomes _reason, null leaves it out. The same
//  snapshot gives the same bytes.
void snapshot_write (json_writer_t *out, const snapshot_t *self, const char *reason);

//  Members only, for the caller's open object: the fields of the set, in table order.
void snapshot_write_fields (json_writer_t *out, const snapshot_t *self, const field_set_t *fields);

//  Copies a snapshot written without a reason and gives it one: what a gateway does with
//  the bytes it keeps ("initial"). The bytes end with '}'.
void snapshot_splice_reason (buffer_t *out, const char *json, size_t size, const char *reason);

#endif
