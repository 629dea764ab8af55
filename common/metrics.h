// metrics.h - what a program counts of itself, in Prometheus' text exposition.
//
// A program's metrics are families made once at the start (names in the form
// cmlwatch_<part>_<what>_<unit>, counters end in _total); a family with labels has a
// series for each set of values seen. Series are bounded by series_max for a family;
// beyond it values land in the series "other" and are counted in
// cmlwatch_metrics_series_overflow_total. A family lives as long as its registry.
//
// Format: https://prometheus.io/docs/instrumenting/exposition_formats/ , version 0.0.4.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_METRICS_H
#define COMMON_METRICS_H

#include "buffer.h"
#include "clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct metrics metrics_t;
typedef struct metric metric_t;  //  one series; borrowed, valid while the registry lives

typedef enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM } metric_kind_t;

typedef void metrics_collect_fn (void *argument);

#define METRICS_LABELS_MAX 4

metrics_t *metrics_new (size_t series_max);
void metrics_destroy (metrics_t **self_p);

//  The family of this name and its series without labels, made on first use: the same
//  name gives the same series again (kind and help of the first call stand). Strings are
//  copied. Never null: when memory is out, a series that is not shown.
metric_t *metrics_add (metrics_t *self, metric_kind_t kind, const char *name, const char *help);

//  The series of a family with labels, as above; labels is an array of name and value in
//  turn, ending with NULL, at most METRICS_LABELS_MAX pairs; the names are always the
//  same for one family. Values are escaped.
metric_t *metrics_with (metrics_t *self, metric_kind_t kind, const char *name, const char *help,
                        const char *const labels []);
#define METRIC_LABELS(...) ((const char *const []){__VA_ARGS__, NULL})

void metric_increment (metric_t *self);                //  counter
void metric_count (metric_t *self, double amount);     //  counter: amount >= 0
void metric_set (metric_t *self, double value);        //  gauge
void metric_observe (metric_t *self, double seconds);  //  histogram of durations, 100 us to 60 s
//  The same for many that took as long.
void metric_observe_times (metric_t *self, double seconds, size_t times);
double metric_value (const metric_t *self);

//  Drops every series of a family, before a collect function fills it anew.
void metrics_clear_family (metrics_t *self, const char *name);

//  fn is called before each exposition, to set gauges that cost something to know.
void metrics_on_collect (metrics_t *self, metrics_collect_fn *fn, void *argument);

//  Where an exposition goes, whatever its form: families in turn, each followed by its points.
//  labels are as Prometheus writes them, `{a="b"}` with \\, \" and \n escaped, or "".
typedef struct metrics_histogram {
    const double *bounds;     //  upper, inclusive; bounds_count of them
    const uint64_t *buckets;  //  bounds_count + 1, each for itself
    size_t bounds_count;
    double sum;
} metrics_histogram_t;

typedef struct metrics_sink {
    void (*family) (void *argument, metric_kind_t kind, const char *name, const char *help);
    void (*point) (void *argument, const char *name, const char *labels, double value);
    void (*histogram) (void *argument, const char *name, const char *labels,
                       const metrics_histogram_t *histogram);
    void *argument;
    buffer_t scratch;  //  metrics.c's
} metrics_sink_t;

//  All there is, into sink: what /metrics shows and what is exported come from here alone.
void metrics_visit (metrics_t *self, metrics_sink_t *sink);

//  fn tells families of its own at the end of each exposition: for what is known anyway and
//  would only be copied into series, such as a gauge for each of many workers.
typedef void metrics_write_fn (void *argument, metrics_sink_t *out);
void metrics_on_write (metrics_t *self, metrics_write_fn *fn, void *argument);
void metrics_write_head (metrics_sink_t *out, metric_kind_t kind, const char *name,
                         const char *help);
//  labels as for metrics_with; null: none.
void metrics_write_sample (metrics_sink_t *out, const char *name, const char *const labels [],
                           double value);

//  Of labels as a sink gets them, the next pair, unescaped into value (at most size bytes with
//  its NUL; what is longer is cut). *labels moves on; false at the end.
bool metrics_next_label (const char **labels, char *name, size_t name_size, char *value,
                         size_t size);

//  When the registry was made, wall: what its counters count from.
time_us_t metrics_since (const metrics_t *self);

//  In Prometheus' form.
void metrics_write (metrics_t *self, buffer_t *out);

#endif
