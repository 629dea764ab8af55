// otlp_metrics.c - see otlp_metrics.h.
//
// A family is a metric; its head is written with its first point, for one without points says
// nothing and a metric without data is not valid.
//
// SPDX-License-Identifier: MIT

#include "otlp_metrics.h"

#include <stdio.h>
#include <string.h>

#define CUMULATIVE 2  //  AGGREGATION_TEMPORALITY_CUMULATIVE
#define LABEL_SIZE 1024

typedef struct writing {
    json_writer_t json;
    time_us_t since, at;
    metric_kind_t kind;  //  of the family, and the two below: borrowed while it lasts
    const char *name, *help;
    bool open;  //  its head is written
    size_t points;
} writing_t;

//  UCUM, from the last word of the name before _total; "" for what has none.
static const char *
unit_of (const char *name)
{
    static const struct {
        const char *suffix, *unit;
    } UNITS [] = {{"_seconds", "s"}, {"_bytes", "By"}, {"_ratio", "1"}};
    size_t size = strlen (name), total = strlen ("_total");

    if (size > total && strcmp (name + size - total, "_total") == 0) {
        size -= total;
    }
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        size_t suffix = strlen (UNITS [i].suffix);
        if (size > suffix && strncmp (name + size - suffix, UNITS [i].suffix, suffix) == 0) {
            return UNITS [i].unit;
        }
    }
    return "";
}

static void
close_family (writing_t *self)
{
    if (self->open) {
        json_close_array (&self->json);
        json_close_object (&self->json);
        json_close_object (&self->json);
        self->open = false;
    }
}

static void
open_family (writing_t *self)
{
    static const char *const DATA [] = {
        [METRIC_COUNTER] = "sum", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};
    const char *unit = unit_of (self->name);

    if (self->open) {
        return;
    }
    self->open = true;
    json_open_object (&self->json);
    json_member_text (&self->json, "name", self->name);
    json_member_text (&self->json, "description", self->help);
    if (*unit) {
        json_member_text (&self->json, "unit", unit);
    }
    json_key (&self->json, DATA [self->kind]);
    json_open_object (&self->json);
    if (self->kind != METRIC_GAUGE) {
        json_member_integer (&self->json, "aggregationTemporality", CUMULATIVE);
    }
    if (self->kind == METRIC_COUNTER) {
        json_member_bool (&self->json, "isMonotonic", true);
    }
    json_key (&self->json, "dataPoints");
    json_open_array (&self->json);
}

static void
on_family (void *argument, metric_kind_t kind, const char *name, const char *help)
{
    writing_t *self = argument;

    close_family (self);
    self->kind = kind;
    self->name = name;
    self->help = help;
}

//  What every kind of point begins with.
static void
open_point (writing_t *self, const char *labels)
{
    char name [128], value [LABEL_SIZE];

    open_family (self);
    self->points++;
    json_open_object (&self->json);
    if (*labels) {
        json_key (&self->json, "attributes");
        json_open_array (&self->json);
        while (metrics_next_label (&labels, name, sizeof name, value, sizeof value)) {
            otlp_json_attribute (&self->json, name, value);
        }
        json_close_array (&self->json);
    }
    if (self->kind != METRIC_GAUGE) {
        otlp_json_member_time (&self->json, "startTimeUnixNano", self->since);
    }
    otlp_json_member_time (&self->json, "timeUnixNano", self->at);
}

static void
on_point (void *argument, const char *name, const char *labels, double value)
{
    writing_t *self = argument;

    (void) name;
    open_point (self, labels);
    json_key (&self->json, "asDouble");
    otlp_json_put_double (&self->json, value);
    json_close_object (&self->json);
}

static void
on_histogram (void *argument, const char *name, const char *labels,
              const metrics_histogram_t *histogram)
{
    writing_t *self = argument;
    uint64_t count = 0;

    (void) name;
    open_point (self, labels);
    json_key (&self->json, "bucketCounts");
    json_open_array (&self->json);
    for (size_t i = 0; i <= histogram->bounds_count; i++) {
        otlp_json_put_u64 (&self->json, histogram->buckets [i]);
        count += histogram->buckets [i];
    }
    json_close_array (&self->json);
    json_key (&self->json, "explicitBounds");
    json_open_array (&self->json);
    for (size_t i = 0; i < histogram->bounds_count; i++) {
        otlp_json_put_double (&self->json, histogram->bounds [i]);
    }
    json_close_array (&self->json);
    otlp_json_member_u64 (&self->json, "count", count);
    json_key (&self->json, "sum");
    otlp_json_put_double (&self->json, histogram->sum);
    json_close_object (&self->json);
}

size_t
otlp_metrics_write (buffer_t *out, metrics_t *metrics, const otlp_resource_t *resource,
                    time_us_t at)
{
    writing_t writing = {.json = json_writer (out), .since = metrics_since (metrics), .at = at};
    metrics_sink_t sink = {
        .family = on_family, .point = on_point, .histogram = on_histogram, .argument = &writing};

    otlp_json_open (&writing.json, resource, "resourceMetrics", "scopeMetrics", "metrics");
    metrics_visit (metrics, &sink);
    close_family (&writing);
    otlp_json_close (&writing.json);
    return writing.points;
}
