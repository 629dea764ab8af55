// cloudwatch_batch.h - GetMetricData: questions packed into requests, answers merged; pure.
//
// A plan lists what is asked for each worker, the workers of one period next to each other;
// a request takes up to CW_QUERIES_MAX questions of one period from it, regardless of where
// a worker ends, so requests are full. A question's id says whose it is (`m12`: memory of
// row 12), so pages and requests merge by id in any order. Of all points of a series the
// newest by its own time stamp counts, and of two with the same the one told last: Nitro
// instances revise points. A series without a point is absent, not 0.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CLOUDWATCH_BATCH_H
#define COLLECTOR_CLOUDWATCH_BATCH_H

#include "../../common/buffer.h"
#include "../../common/observation.h"
#include "cloudwatch_dimensions.h"

#define CW_QUERIES_MAX     500  //  of a request, by AWS
#define CW_POINTS_MAX      64   //  of a series kept in hand; a window has 3
#define CW_PERIODS         3    //  a window's length: the newest point is 1 to 3 minutes late
#define CW_PERIOD_DETAILED 60
#define CW_PERIOD_BASIC    300

typedef struct cw_point {
    time_us_t at;  //  wall, start of its period; TIME_UNKNOWN: no point
    double value;
} cw_point_t;

typedef struct cw_row {   //  one worker's part of a round
    char *subject;        //  owned
    cw_worker_t *worker;  //  borrowed
    int64_t period_seconds;
    int64_t interval_seconds;
    cw_point_t points [CW_METRIC_COUNT];
    char error_code [65];  //  "" none
    char error_message [512];
    size_t last_query;  //  of the plan
} cw_row_t;

typedef struct cw_query {
    size_t row;
    cw_metric_t metric;
} cw_query_t;

typedef struct cw_plan {
    cw_row_t *rows;
    size_t rows_count, rows_capacity;
    cw_query_t *queries;
    size_t queries_count;
    size_t asking;  //  the query of the statistics being read
    //  the answer being read
    struct {
        char id [32], status [32], message [256];
        time_us_t times [CW_POINTS_MAX];
        double values [CW_POINTS_MAX];
        size_t times_count, values_count;
    } read;
} cw_plan_t;

void cw_plan_clear (cw_plan_t *self);

//  0 or -ENOMEM.
int cw_plan_add (cw_plan_t *self, const char *subject, cw_worker_t *worker, int64_t period_seconds,
                 int64_t interval_seconds);
//  Orders the rows by period and lists the queries; no row may be added after it. 0 or -ENOMEM.
int cw_plan_seal (cw_plan_t *self);

//  The end (exclusive) of the request that begins with query `from`.
size_t cw_plan_request_end (const cw_plan_t *self, size_t from);

//  Writes the form fields of the request for queries from..to at this time.
void cw_plan_write_request (const cw_plan_t *self, size_t from, size_t to, time_us_t now_wall,
                            buffer_t *fields);

//  When the window of what this row is asked for ends: the last full period's end.
time_us_t cw_plan_window_end (const cw_row_t *row, time_us_t now_wall);

//  The same question as one GetMetricStatistics, and the rules of its answer; the target is the plan.
void cw_plan_write_statistics (cw_plan_t *self, size_t at, time_us_t now_wall, buffer_t *fields);
extern const xml_rule_t CW_STATISTICS_RULES [];

//  The rows of queries from..to could not be read.
void cw_plan_fail (cw_plan_t *self, size_t from, size_t to, const char *code, const char *message);

//  Fills an observation that was initialised; texts are borrowed from the row.
void cw_row_observe (const cw_row_t *row, utilization_observed_t *out);

//  Rules of GetMetricData; the target is the plan.
extern const xml_rule_t CW_DATA_RULES [];

#endif
