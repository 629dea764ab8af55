// cloudwatch_statistics.c - GetMetricStatistics: one question of a plan in one request, whose points
// come in no order; see cloudwatch_batch.h.
//
// SPDX-License-Identifier: MIT

#include "../../common/url.h"
#include "cloudwatch_batch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void
cw_plan_write_statistics (cw_plan_t *self, size_t at, time_us_t now_wall, buffer_t *fields)
{
    const cw_query_t *query = &self->queries [at];
    const cw_row_t *row = &self->rows [query->row];
    const cw_series_t *series = &row->worker->series [query->metric];
    char name [64], text [CLOCK_TEXT_SIZE], period [24];

    self->asking = at;
    time_us_t end = cw_plan_window_end (row, now_wall);
    snprintf (period, sizeof period, "%lld", (long long) row->period_seconds);
    url_add_field (fields, "Namespace", cw_metric_namespace (query->metric));
    url_add_field (fields, "MetricName", cw_metric_name (query->metric));
    for (size_t i = 0; i < series->count; i++) {
        snprintf (name, sizeof name, "Dimensions.member.%zu.Name", i + 1);
        url_add_field (fields, name, series->dimensions [i].name);
        snprintf (name, sizeof name, "Dimensions.member.%zu.Value", i + 1);
        url_add_field (fields, name, series->dimensions [i].value);
    }
    url_add_field (fields, "StartTime",
                   clock_format (text, end - CW_PERIODS * row->period_seconds * SECOND_US));
    url_add_field (fields, "EndTime", clock_format (text, end));
    url_add_field (fields, "Period", period);
    url_add_field (fields, "Statistics.member.1", "Average");
}

static int
begin_point (void *argument, const xml_rule_t *rule, const char *text)
{
    cw_plan_t *self = argument;
    (void) rule, (void) text;

    self->read.times [0] = TIME_UNKNOWN;
    self->read.values [0] = NAN;
    return 0;
}

static int
take_time (void *argument, const xml_rule_t *rule, const char *text)
{
    cw_plan_t *self = argument;
    (void) rule;

    clock_parse (text, &self->read.times [0]);
    return 0;
}

static int
take_average (void *argument, const xml_rule_t *rule, const char *text)
{
    cw_plan_t *self = argument;
    (void) rule;
    char *end = NULL;
    double value = strtod (text, &end);

    self->read.values [0] = end == text || *end || !isfinite (value) ? NAN : value;
    return 0;
}

static int
end_point (void *argument, const xml_rule_t *rule, const char *text)
{
    cw_plan_t *self = argument;
    (void) rule, (void) text;
    const cw_query_t *query = &self->queries [self->asking];
    cw_point_t *newest = &self->rows [query->row].points [query->metric];
    time_us_t at = self->read.times [0];

    if (at != TIME_UNKNOWN && !isnan (self->read.values [0]) && at >= newest->at) {
        *newest = (cw_point_t){.at = at, .value = self->read.values [0]};
    }
    return 0;
}

#define POINT "GetMetricStatisticsResult/Datapoints/member"

const xml_rule_t CW_STATISTICS_RULES [] = {
    {.path = POINT, .at_start = begin_point, .at_end = end_point},
    {.path = POINT "/Timestamp", .at_end = take_time},
    {.path = POINT "/Average", .at_end = take_average},
    {0},
};
