// cloudwatch_dimensions.h - under which names a worker's agent publishes; pure.
//
// The CloudWatch agent's metrics (CWAgent: mem_used_percent, disk_used_percent) carry
// dimensions that its configuration chose, and a question must name exactly that set. So it
// is found once by ListMetrics and kept; when the series has been empty for a while it is
// looked for again, at a bounded rate. Of several sets the one with the fewest dimensions is
// taken, for that is the one made to be asked for; of disks the root file system's.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CLOUDWATCH_DIMENSIONS_H
#define COLLECTOR_CLOUDWATCH_DIMENSIONS_H

#include "../../common/clock.h"
#include "../aws/xml.h"

#include <czmq.h>
#include <stdbool.h>
#include <stddef.h>

#define CW_DIMENSIONS_MAX   30  //  of a metric, by AWS
#define CW_EMPTIES_MAX      3   //  empty answers in a row before it is looked for again
#define CW_DISCOVER_EVERY   (15 * MINUTE_US)  //  what ListMetrics needs to know a new metric
#define CW_DIMENSION_LENGTH 256

typedef enum cw_metric { CW_CPU, CW_MEMORY, CW_DISK, CW_METRIC_COUNT } cw_metric_t;

typedef struct cw_dimension {
    char name [CW_DIMENSION_LENGTH];
    char value [CW_DIMENSION_LENGTH];
} cw_dimension_t;

typedef struct cw_series {       //  one metric's exact name
    cw_dimension_t *dimensions;  //  owned; null: not known
    size_t count;
    int rank;     //  smaller is better
    int empties;  //  answers without a point, in a row
} cw_series_t;

typedef struct cw_worker {
    char instance_id [64];
    cw_series_t series [CW_METRIC_COUNT];  //  [CW_CPU] is known always
    time_us_t discovered;                  //  steady; TIME_UNKNOWN: never
    time_us_t asked;                       //  steady; when its metrics were asked last
} cw_worker_t;

//  Null when memory is out.
cw_worker_t *cw_worker_new (const char *instance_id);
void cw_worker_destroy (cw_worker_t **self_p);

//  True when its agent's metrics are to be looked for now.
bool cw_worker_needs_discovery (const cw_worker_t *self, time_us_t now_steady);

//  How many of its metrics are known, and asked for.
size_t cw_worker_series (const cw_worker_t *self);

//  What an answer held for a metric: a run of empties makes its series unknown again.
void cw_worker_note (cw_worker_t *self, cw_metric_t metric, bool has_point);

//  "AWS/EC2", "CPUUtilization".
const char *cw_metric_namespace (cw_metric_t metric);
const char *cw_metric_name (cw_metric_t metric);

//  Rules of ListMetrics; the target is a discovery, whose workers are given what is found.
typedef struct cw_discovery {
    zhashx_t *workers;  //  instance id -> cw_worker_t; borrowed
    char metric [64];
    cw_dimension_t dimensions [CW_DIMENSIONS_MAX];
    size_t count;
} cw_discovery_t;

extern const xml_rule_t CW_DISCOVERY_RULES [];

#endif
