// SPDX-License-Identifier: MIT

#include "cloudwatch_batch.h"

#include "../../common/cleanup.h"
#include "../../common/url.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char ID_LETTERS [CW_METRIC_COUNT] = {'c', 'm', 'd'};

void
cw_plan_clear (cw_plan_t *self)
{
    for (size_t i = 0; i < self->rows_count; i++) {
        free (self->rows [i].subject);
    }
    free (self->rows);
    free (self->queries);
    *self = (cw_plan_t){0};
}

int
cw_plan_add (cw_plan_t *self, const char *subject, cw_worker_t *worker, int64_t period_seconds,
             int64_t interval_seconds)
{
    if (self->rows_count == self->rows_capacity) {
        size_t capacity = self->rows_capacity ? self->rows_capacity * 2 : 64;
        cw_row_t *rows = realloc (self->rows, capacity * sizeof *rows);
        if (!rows) {
            return -ENOMEM;
        }
        self->rows = rows;
        self->rows_capacity = capacity;
    }
    cw_row_t *row = &self->rows [self->rows_count];
    *row = (cw_row_t){.subject = strdup (subject),
                      .worker = worker,
                      .period_seconds = period_seconds,
                      .interval_seconds = interval_seconds};
    if (!row->subject) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < CW_METRIC_COUNT; i++) {
        row->points [i].at = TIME_UNKNOWN;
    }
    self->rows_count++;
    return 0;
}

static int
by_period (const void *a, const void *b)
{
    const cw_row_t *left = a, *right = b;
    int64_t difference = left->period_seconds - right->period_seconds;
    return difference ? (difference < 0 ? -1 : 1) : strcmp (left->subject, right->subject);
}

int
cw_plan_seal (cw_plan_t *self)
{
    assert (!self->queries);

    self->queries = calloc (self->rows_count * CW_METRIC_COUNT + 1, sizeof *self->queries);
    if (!self->queries) {
        return -ENOMEM;
    }
    if (self->rows_count > 0) {
        qsort (self->rows, self->rows_count, sizeof *self->rows, by_period);
    }
    for (size_t i = 0; i < self->rows_count; i++) {
        for (int metric = CW_CPU; metric < CW_METRIC_COUNT; metric++) {
            if (self->rows [i].worker->series [metric].dimensions) {
                self->rows [i].last_query = self->queries_count;
                self->queries [self->queries_count++] =
                    (cw_query_t){.row = i, .metric = (cw_metric_t) metric};
            }
        }
    }
    return 0;
}

size_t
cw_plan_request_end (const cw_plan_t *self, size_t from)
{
    size_t to = from;
    int64_t period = self->rows [self->queries [from].row].period_seconds;

    while (to < self->queries_count && to - from < CW_QUERIES_MAX &&
           self->rows [self->queries [to].row].period_seconds == period) {
        to++;
    }
    return to;
}

__attribute__ ((format (printf, 4, 5))) static void
add_field (buffer_t *fields, size_t number, const char *value, const char *name, ...)
{
    char full [192];
    va_list args;

    int size = snprintf (full, sizeof full, "MetricDataQueries.member.%zu.", number);
    va_start (args, name);
    vsnprintf (full + size, sizeof full - (size_t) size, name, args);
    va_end (args);
    url_add_field (fields, full, value);
}

static void
write_query (const cw_plan_t *self, const cw_query_t *query, size_t number, buffer_t *fields)
{
    const cw_row_t *row = &self->rows [query->row];
    const cw_series_t *series = &row->worker->series [query->metric];
    char id [32], period [24];

    snprintf (id, sizeof id, "%c%zu", ID_LETTERS [query->metric], query->row);
    snprintf (period, sizeof period, "%lld", (long long) row->period_seconds);
    add_field (fields, number, id, "Id");
    add_field (fields, number, cw_metric_namespace (query->metric), "MetricStat.Metric.Namespace");
    add_field (fields, number, cw_metric_name (query->metric), "MetricStat.Metric.MetricName");
    for (size_t i = 0; i < series->count; i++) {
        add_field (fields, number, series->dimensions [i].name,
                   "MetricStat.Metric.Dimensions.member.%zu.Name", i + 1);
        add_field (fields, number, series->dimensions [i].value,
                   "MetricStat.Metric.Dimensions.member.%zu.Value", i + 1);
    }
    add_field (fields, number, period, "MetricStat.Period");
    add_field (fields, number, "Average", "MetricStat.Stat");
}

time_us_t
cw_plan_window_end (const cw_row_t *row, time_us_t now_wall)
{
    time_us_t period = row->period_seconds * SECOND_US;

    return now_wall / period * period;
}

void
cw_plan_write_request (const cw_plan_t *self, size_t from, size_t to, time_us_t now_wall,
                       buffer_t *fields)
{
    const cw_row_t *row = &self->rows [self->queries [from].row];
    time_us_t period = row->period_seconds * SECOND_US, end = cw_plan_window_end (row, now_wall);
    char text [CLOCK_TEXT_SIZE];

    url_add_field (fields, "StartTime", clock_format (text, end - CW_PERIODS * period));
    url_add_field (fields, "EndTime", clock_format (text, end));
    url_add_field (fields, "ScanBy", "TimestampDescending");
    for (size_t i = from; i < to; i++) {
        write_query (self, &self->queries [i], i - from + 1, fields);
    }
}

static void
fail_row (cw_row_t *row, const char *code, const char *message)
{
    if (!row->error_code [0]) {
        snprintf (row->error_code, sizeof row->error_code, "%s", code);
        snprintf (row->error_message, sizeof row->error_message, "%s", message);
    }
}

void
cw_plan_fail (cw_plan_t *self, size_t from, size_t to, const char *code, const char *message)
{
    for (size_t i = from; i < to; i++) {
        fail_row (&self->rows [self->queries [i].row], code, message);
    }
}

//  --- the answer

static int
begin_result (void *argument, const xml_rule_t *rule, const char *text)
{
    cw_plan_t *self = argument;
    (void) rule, (void) text;

    self->read.id [0] = self->read.status [0] = self->read.message [0] = '\0';
    self->read.times_count = self->read.values_count = 0;
    return 0;
}

static int
take_text (void *argument, const xml_rule_t *rule, const char *text)
{
    snprintf ((char *) argument + rule->offset, rule->size, "%s", text);
    return 0;
}

//  A time that is none keeps its place, for the values are matched by place.
static int
take_time (void *argument, const xml_rule_t *rule, const char *text)
{
    cw_plan_t *self = argument;
    (void) rule;
    time_us_t at = TIME_UNKNOWN;

    if (self->read.times_count < CW_POINTS_MAX) {
        clock_parse (text, &at);
        self->read.times [self->read.times_count++] = at;
    }
    return 0;
}

static int
take_value (void *argument, const xml_rule_t *rule, const char *text)
{
    cw_plan_t *self = argument;
    (void) rule;
    char *end = NULL;

    if (self->read.values_count < CW_POINTS_MAX) {
        double value = strtod (text, &end);
        self->read.values [self->read.values_count++] =
            end == text || *end || !isfinite (value) ? NAN : value;
    }
    return 0;
}

//  The row and metric of an id; false when we did not make it.
static bool
find_series (cw_plan_t *self, const char *id, cw_row_t **row, cw_metric_t *metric)
{
    char *end = NULL;

    for (int i = 0; i < CW_METRIC_COUNT; i++) {
        if (id [0] != ID_LETTERS [i]) {
            continue;
        }
        unsigned long number = strtoul (id + 1, &end, 10);
        if (end == id + 1 || *end || number >= self->rows_count) {
            return false;
        }
        *row = &self->rows [number];
        *metric = (cw_metric_t) i;
        return true;
    }
    return false;
}

static void
take_points (cw_plan_t *self, cw_point_t *newest)
{
    size_t count = self->read.times_count < self->read.values_count ? self->read.times_count
                                                                    : self->read.values_count;

    for (size_t i = 0; i < count; i++) {
        time_us_t at = self->read.times [i];
        if (at != TIME_UNKNOWN && !isnan (self->read.values [i]) && at >= newest->at) {
            *newest = (cw_point_t){.at = at, .value = self->read.values [i]};
        }
    }
}

static int
end_result (void *argument, const xml_rule_t *rule, const char *text)
{
    cw_plan_t *self = argument;
    (void) rule, (void) text;
    cw_row_t *row;
    cw_metric_t metric;

    if (!find_series (self, self->read.id, &row, &metric)) {
        return 0;
    }
    take_points (self, &row->points [metric]);
    if (strcmp (self->read.status, "Forbidden") == 0 ||
        strcmp (self->read.status, "InternalError") == 0) {
        char message [400];
        snprintf (message, sizeof message, "GetMetricData: %s %s: %s%s%s",
                  cw_metric_namespace (metric), cw_metric_name (metric), self->read.status,
                  self->read.message [0] ? ": " : "", self->read.message);
        fail_row (row, self->read.status, message);
    }
    return 0;
}

#define ITEM "GetMetricDataResult/MetricDataResults/member"
#define TEXT(path_, member)                                                              \
    {                                                                                    \
        .path = path_, .at_end = take_text, .offset = offsetof (cw_plan_t, read.member), \
        .size = sizeof ((cw_plan_t *) 0)->read.member                                    \
    }

const xml_rule_t CW_DATA_RULES [] = {
    {.path = ITEM, .at_start = begin_result, .at_end = end_result},
    TEXT (ITEM "/Id", id),
    TEXT (ITEM "/StatusCode", status),
    TEXT (ITEM "/Messages/member/Value", message),
    {.path = ITEM "/Timestamps/member", .at_end = take_time},
    {.path = ITEM "/Values/member", .at_end = take_value},
    {0},
};

void
cw_row_observe (const cw_row_t *row, utilization_observed_t *out)
{
    const struct {
        const cw_point_t *point;
        double *value;
        time_us_t *at;
    } members [] = {
        {&row->points [CW_CPU], &out->cpu_percent, &out->cpu_measured_at},
        {&row->points [CW_MEMORY], &out->memory_percent, &out->memory_measured_at},
        {&row->points [CW_DISK], &out->disk_percent, &out->disk_measured_at},
    };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (members [i].point->at != TIME_UNKNOWN) {
            *members [i].value = members [i].point->value;
            *members [i].at = members [i].point->at;
        }
    }
    out->period_seconds = row->period_seconds;
    out->interval_seconds = row->interval_seconds;
    if (row->error_code [0]) {
        out->error_code = row->error_code;
        out->error_message = row->error_message;
    }
}
