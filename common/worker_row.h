// worker_row.h - a worker in one row, as people read it in a terminal.
//
// WORKER_ROW_FIELDS says which fields of a snapshot (or of the data of an event: what is not there
// stays as it was) a row keeps; the columns say how they are shown and sorted. The gateway's table
// for curl and the terminal program's lists are rows of these.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_WORKER_ROW_H
#define COMMON_WORKER_ROW_H

#include "clock.h"
#include "json.h"
#include "text_table.h"

#include <stdbool.h>
#include <stdint.h>

#define WORKER_ROW_TEXT_SIZE 64

// clang-format off
//         kind      member         of the snapshot
#define WORKER_ROW_FIELDS(FIELD)                            \
    FIELD (TEXT,     id,            "worker_id")            \
    FIELD (TEXT,     instance_id,   "aws_instance_id")      \
    FIELD (TEXT,     name,          "name")                 \
    FIELD (TEXT,     region,        "region")               \
    FIELD (TEXT,     type,          "instance_type")        \
    FIELD (TEXT,     status,        "status")               \
    FIELD (TEXT,     service,       "service_status")       \
    FIELD (NUMBER,   cpu,           "cpu_utilization")      \
    FIELD (NUMBER,   memory,        "memory_utilization")   \
    FIELD (NUMBER,   disk,          "disk_utilization")     \
    FIELD (NUMBER,   labs,          "cml_labs_count")       \
    FIELD (TIME,     last_activity, "last_activity_at")     \
    FIELD (TIME,     last_resumed,  "last_resumed_at")      \
    FIELD (TIME,     created,       "created_at")           \
    FIELD (TEXT,     ec2,           "ec2_freshness")        \
    FIELD (TEXT,     cloudwatch,    "cloudwatch_freshness") \
    FIELD (TEXT,     cml,           "cml_freshness")
// clang-format on

typedef char worker_row_TEXT_t [WORKER_ROW_TEXT_SIZE];  //  plain (plain.h); "" is unknown
typedef double worker_row_NUMBER_t;                     //  or UNKNOWN
typedef time_us_t worker_row_TIME_t;                    //  or TIME_UNKNOWN

typedef struct worker_row {
#define WORKER_ROW_MEMBER(kind, name, field) worker_row_##kind##_t name;
    WORKER_ROW_FIELDS (WORKER_ROW_MEMBER)
#undef WORKER_ROW_MEMBER
} worker_row_t;

typedef enum worker_column {
    WORKER_COLUMN_NAME,
    WORKER_COLUMN_REGION,
    WORKER_COLUMN_TYPE,
    WORKER_COLUMN_STATUS,
    WORKER_COLUMN_SERVICE,
    WORKER_COLUMN_CPU,
    WORKER_COLUMN_MEMORY,
    WORKER_COLUMN_DISK,
    WORKER_COLUMN_LABS,
    WORKER_COLUMN_IDLE,
    WORKER_COLUMN_FRESH,
    WORKER_COLUMN_COUNT
} worker_column_t;

extern const text_column_t WORKER_COLUMNS [WORKER_COLUMN_COUNT];
//  What the letters of the last column say, in a line.
#define WORKER_FRESH_LEGEND \
    "FRESH: E EC2, W CloudWatch, C CML; a small letter is stale, - absent, ! failed"

//  Everything unknown.
void worker_row_init (worker_row_t *self);

//  Takes the fields that data has; one that is null becomes unknown. Whether any was there.
bool worker_row_apply (worker_row_t *self, struct json_object *data);

#define WORKER_CELL_SIZE 80

//  The cell's text; "" is unknown. now is wall time.
const char *worker_row_cell (const worker_row_t *self, worker_column_t column, time_us_t now,
                             char text [WORKER_CELL_SIZE]);

//  How long nobody has used it; TIME_UNKNOWN for one that does not run.
time_us_t worker_row_idle (const worker_row_t *self, time_us_t now);

//  Below, at or above 0 as texts and numbers go, the larger number first; unknown comes last; the
//  same in a column by name and id.
int worker_row_compare (const worker_row_t *self, const worker_row_t *other,
                        worker_column_t column);

#endif
