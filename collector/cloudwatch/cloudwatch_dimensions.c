// SPDX-License-Identifier: MIT

#include "cloudwatch_dimensions.h"

#include "../../common/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANK_WITHOUT_PATH 100  //  a disk metric over all file systems, after any of the root

static const struct {
    const char *namespace, *name;
} METRICS [CW_METRIC_COUNT] = {
    [CW_CPU] = {"AWS/EC2", "CPUUtilization"},
    [CW_MEMORY] = {"CWAgent", "mem_used_percent"},
    [CW_DISK] = {"CWAgent", "disk_used_percent"},
};

const char *
cw_metric_namespace (cw_metric_t metric)
{
    return METRICS [metric].namespace;
}

const char *
cw_metric_name (cw_metric_t metric)
{
    return METRICS [metric].name;
}

static void
series_clear (cw_series_t *self)
{
    free (self->dimensions);
    *self = (cw_series_t){.rank = INT_MAX};
}

static int
series_set (cw_series_t *self, const cw_dimension_t *dimensions, size_t count, int rank)
{
    cw_dimension_t *copy = calloc (count, sizeof *copy);
    if (!copy) {
        return -ENOMEM;
    }
    memcpy (copy, dimensions, count * sizeof *copy);
    free (self->dimensions);
    *self = (cw_series_t){.dimensions = copy, .count = count, .rank = rank};
    return 0;
}

cw_worker_t *
cw_worker_new (const char *instance_id)
{
    _cleanup_ (cw_worker_destroy) cw_worker_t *self = calloc (1, sizeof *self);
    cw_dimension_t own = {.name = "InstanceId"};

    if (!self) {
        return NULL;
    }
    snprintf (self->instance_id, sizeof self->instance_id, "%s", instance_id);
    snprintf (own.value, sizeof own.value, "%s", instance_id);
    self->discovered = self->asked = TIME_UNKNOWN;
    for (size_t i = 0; i < CW_METRIC_COUNT; i++) {
        self->series [i].rank = INT_MAX;
    }
    if (series_set (&self->series [CW_CPU], &own, 1, 0) < 0) {
        return NULL;
    }
    return take_ptr (self);
}

void
cw_worker_destroy (cw_worker_t **self_p)
{
    assert (self_p);

    cw_worker_t *self = *self_p;
    if (self) {
        for (size_t i = 0; i < CW_METRIC_COUNT; i++) {
            series_clear (&self->series [i]);
        }
        free (self);
        *self_p = NULL;
    }
}

bool
cw_worker_needs_discovery (const cw_worker_t *self, time_us_t now_steady)
{
    bool complete = self->series [CW_MEMORY].dimensions && self->series [CW_DISK].dimensions;

    return !complete &&
           (self->discovered == TIME_UNKNOWN || now_steady - self->discovered >= CW_DISCOVER_EVERY);
}

size_t
cw_worker_series (const cw_worker_t *self)
{
    size_t series = 0;

    for (size_t i = 0; i < CW_METRIC_COUNT; i++) {
        series += self->series [i].dimensions != NULL;
    }
    return series;
}

void
cw_worker_note (cw_worker_t *self, cw_metric_t metric, bool has_point)
{
    cw_series_t *series = &self->series [metric];

    if (metric == CW_CPU || has_point) {
        series->empties = 0;
    } else if (series->dimensions && ++series->empties >= CW_EMPTIES_MAX) {
        series_clear (series);
    }
}

static const char *
dimension_value (const cw_discovery_t *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp (self->dimensions [i].name, name) == 0) {
            return self->dimensions [i].value;
        }
    }
    return NULL;
}

//  INT_MAX: not for us.
static int
rank_of (const cw_discovery_t *self, cw_metric_t metric)
{
    const char *path = dimension_value (self, "path");

    if (metric == CW_DISK && !path) {
        return RANK_WITHOUT_PATH + (int) self->count;
    }
    return metric == CW_DISK && strcmp (path, "/") != 0 ? INT_MAX : (int) self->count;
}

static int
begin_metric (void *argument, const xml_rule_t *rule, const char *text)
{
    cw_discovery_t *self = argument;
    (void) rule, (void) text;

    self->metric [0] = '\0';
    self->count = 0;
    return 0;
}

static int
take_metric (void *argument, const xml_rule_t *rule, const char *text)
{
    cw_discovery_t *self = argument;
    (void) rule;

    snprintf (self->metric, sizeof self->metric, "%s", text);
    return 0;
}

//  One dimension more than there may be is written over the last, and the metric is passed over.
static int
begin_dimension (void *argument, const xml_rule_t *rule, const char *text)
{
    cw_discovery_t *self = argument;
    (void) rule, (void) text;

    if (self->count == CW_DIMENSIONS_MAX) {
        self->metric [0] = '\0';
        self->count--;
    }
    self->dimensions [self->count++] = (cw_dimension_t){0};
    return 0;
}

//  Names longer than AWS allows (255) could only be matched when cut, so not at all.
static int
take_dimension (void *argument, const xml_rule_t *rule, const char *text)
{
    cw_discovery_t *self = argument;
    char *member = (char *) &self->dimensions [self->count - 1] + rule->offset;

    assert (self->count > 0);
    if (strlen (text) >= CW_DIMENSION_LENGTH) {
        self->metric [0] = '\0';
        return 0;
    }
    snprintf (member, CW_DIMENSION_LENGTH, "%s", text);
    return 0;
}

static int
end_metric (void *argument, const xml_rule_t *rule, const char *text)
{
    cw_discovery_t *self = argument;
    (void) rule, (void) text;
    const char *instance_id = dimension_value (self, "InstanceId");
    cw_worker_t *worker = instance_id ? zhashx_lookup (self->workers, instance_id) : NULL;

    for (int i = CW_MEMORY; worker && i < CW_METRIC_COUNT; i++) {
        cw_metric_t metric = (cw_metric_t) i;
        if (strcmp (self->metric, cw_metric_name (metric)) == 0 &&
            rank_of (self, metric) < worker->series [metric].rank) {
            return series_set (&worker->series [metric], self->dimensions, self->count,
                               rank_of (self, metric));
        }
    }
    return 0;
}

#define ITEM "ListMetricsResult/Metrics/member"
const xml_rule_t CW_DISCOVERY_RULES [] = {
    {.path = ITEM, .at_start = begin_metric, .at_end = end_metric},
    {.path = ITEM "/MetricName", .at_end = take_metric},
    {.path = ITEM "/Dimensions/member", .at_start = begin_dimension},
    {.path = ITEM "/Dimensions/member/Name",
     .at_end = take_dimension,
     .offset = offsetof (cw_dimension_t, name)},
    {.path = ITEM "/Dimensions/member/Value",
     .at_end = take_dimension,
     .offset = offsetof (cw_dimension_t, value)},
    {0},
};
