// metrics.c - see metrics.h. Families and series are lists: looked up when made, never on
// the way, for callers keep the series.
//
// SPDX-License-Identifier: MIT

#include "metrics.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

//  Of a histogram, in seconds: 100 us to 60 s.
static const double BOUNDS [] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                 0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30,    60};
#define BOUNDS_COUNT (sizeof BOUNDS / sizeof *BOUNDS)
#define COLLECTS_MAX 16
#define WRITERS_MAX  4

struct metric {
    char *labels;  //  `{a="b"}` as written, or ""
    double value;  //  of a histogram: the sum
    uint64_t buckets [BOUNDS_COUNT + 1];
    bool histogram;
    struct metric *next;
};

typedef struct family {
    metric_kind_t kind;
    char *name, *help;
    metric_t *series;
    metric_t **tail;
    size_t count;
    struct family *next;
} family_t;

struct metrics {
    family_t *families;
    family_t **tail;
    size_t series_max;
    time_us_t since;
    metric_t *overflow;
    metric_t spare;  //  where values go when memory is out
    struct {
        metrics_collect_fn *fn;
        void *argument;
    } collects [COLLECTS_MAX];
    size_t collects_count;
    struct {
        metrics_write_fn *fn;
        void *argument;
    } writers [WRITERS_MAX];
    size_t writers_count;
};

metrics_t *
metrics_new (size_t series_max)
{
    metrics_t *self = calloc (1, sizeof *self);

    if (self) {
        self->series_max = series_max;
        self->since = clock_now ().wall;
        self->tail = &self->families;
        self->overflow =
            metrics_add (self, METRIC_COUNTER, "cmlwatch_metrics_series_overflow_total",
                         "Values that landed in the series other because their family was full");
    }
    return self;
}

static void
free_series (family_t *family)
{
    for (metric_t *series = family->series, *next; series; series = next) {
        next = series->next;
        free (series->labels);
        free (series);
    }
    family->series = NULL;
    family->tail = &family->series;
    family->count = 0;
}

void
metrics_destroy (metrics_t **self_p)
{
    assert (self_p);
    metrics_t *self = *self_p;

    if (!self) {
        return;
    }
    for (family_t *family = self->families, *next; family; family = next) {
        next = family->next;
        free_series (family);
        free (family->name);
        free (family->help);
        free (family);
    }
    free (self);
    *self_p = NULL;
}

static family_t *
find_family (metrics_t *self, const char *name)
{
    for (family_t *family = self->families; family; family = family->next) {
        if (strcmp (family->name, name) == 0) {
            return family;
        }
    }
    return NULL;
}

static family_t *
make_family (metrics_t *self, metric_kind_t kind, const char *name, const char *help)
{
    family_t *family = calloc (1, sizeof *family);

    if (!family) {
        return NULL;
    }
    family->kind = kind;
    family->name = strdup (name);
    family->help = strdup (help);
    family->tail = &family->series;
    if (!family->name || !family->help) {
        free (family->name);
        free (family->help);
        free (family);
        return NULL;
    }
    *self->tail = family;
    self->tail = &family->next;
    return family;
}

//  A help is escaped but for quotes, a label's value with them (the format, "Line format").
static void
write_escaped (buffer_t *out, const char *value, const char *escaped)
{
    for (; *value; value++) {
        if (*value == '\n') {
            buffer_text (out, "\\n");
        } else {
            if (strchr (escaped, *value)) {
                buffer_append (out, "\\", 1);
            }
            buffer_append (out, value, 1);
        }
    }
}

static void
write_labels (buffer_t *out, const char *const labels [], const char *instead)
{
    buffer_append (out, "", 0);
    for (size_t i = 0; labels && labels [i]; i += 2) {
        assert (i < 2 * (size_t) METRICS_LABELS_MAX);
        buffer_format (out, "%s%s=\"", i == 0 ? "{" : ",", labels [i]);
        write_escaped (out, instead ? instead : labels [i + 1], "\\\"");
        buffer_text (out, "\"");
    }
    if (labels && labels [0]) {
        buffer_text (out, "}");
    }
}

static metric_t *
find_series (const family_t *family, const char *labels)
{
    for (metric_t *series = family->series; series; series = series->next) {
        if (strcmp (series->labels, labels) == 0) {
            return series;
        }
    }
    return NULL;
}

static metric_t *
make_series (family_t *family, const char *labels)
{
    metric_t *series = calloc (1, sizeof *series);

    if (!series || !(series->labels = strdup (labels))) {
        free (series);
        return NULL;
    }
    series->histogram = family->kind == METRIC_HISTOGRAM;
    *family->tail = series;
    family->tail = &series->next;
    family->count++;
    return series;
}

metric_t *
metrics_with (metrics_t *self, metric_kind_t kind, const char *name, const char *help,
              const char *const labels [])
{
    family_t *family = find_family (self, name);
    buffer_t text = {0};
    metric_t *series = NULL;

    if (!family) {
        family = make_family (self, kind, name, help);
    }
    write_labels (&text, labels, NULL);
    if (family && !buffer_failed (&text)) {
        series = find_series (family, text.data);
        if (!series && family->count >= self->series_max && labels) {
            metric_increment (self->overflow);
            buffer_reset (&text);
            write_labels (&text, labels, "other");
            series = find_series (family, text.data);
        }
        if (!series) {
            series = make_series (family, text.data);
        }
    }
    buffer_clear (&text);
    return series ? series : &self->spare;
}

metric_t *
metrics_add (metrics_t *self, metric_kind_t kind, const char *name, const char *help)
{
    return metrics_with (self, kind, name, help, NULL);
}

void
metric_increment (metric_t *self)
{
    self->value += 1;
}

void
metric_count (metric_t *self, double amount)
{
    self->value += amount;
}

void
metric_set (metric_t *self, double value)
{
    self->value = value;
}

void
metric_observe (metric_t *self, double seconds)
{
    metric_observe_times (self, seconds, 1);
}

void
metric_observe_times (metric_t *self, double seconds, size_t times)
{
    size_t slot = 0;

    while (slot < BOUNDS_COUNT && seconds > BOUNDS [slot]) {
        slot++;
    }
    self->buckets [slot] += times;
    self->value += seconds * (double) times;
}

double
metric_value (const metric_t *self)
{
    return self->value;
}

void
metrics_clear_family (metrics_t *self, const char *name)
{
    family_t *family = find_family (self, name);

    if (family) {
        free_series (family);
    }
}

void
metrics_on_collect (metrics_t *self, metrics_collect_fn *fn, void *argument)
{
    assert (self->collects_count < COLLECTS_MAX);
    self->collects [self->collects_count].fn = fn;
    self->collects [self->collects_count++].argument = argument;
}

//  --- Prometheus' form

static void
write_value (buffer_t *out, double value)
{
    if (value == floor (value) && fabs (value) < 1e15) {
        buffer_format (out, " %.0f\n", value);
    } else if (isfinite (value)) {
        buffer_format (out, " %.15g\n", value);
    } else {
        buffer_text (out, isnan (value) ? " NaN\n" : value > 0 ? " +Inf\n" : " -Inf\n");
    }
}

static void
write_histogram (void *argument, const char *name, const char *labels,
                 const metrics_histogram_t *histogram)
{
    buffer_t *out = argument;
    const char *inner = labels [0] ? labels + 1 : "";
    int size = labels [0] ? (int) strlen (inner) - 1 : 0;
    uint64_t seen = 0;

    for (size_t i = 0; i <= histogram->bounds_count; i++) {
        char bound [24] = "+Inf";
        if (i < histogram->bounds_count) {
            snprintf (bound, sizeof bound, "%g", histogram->bounds [i]);
        }
        seen += histogram->buckets [i];
        buffer_format (out, "%s_bucket{%.*s%sle=\"%s\"} %llu\n", name, size, inner, size ? "," : "",
                       bound, (unsigned long long) seen);
    }
    buffer_format (out, "%s_sum%s", name, labels);
    write_value (out, histogram->sum);
    buffer_format (out, "%s_count%s %llu\n", name, labels, (unsigned long long) seen);
}

static void
write_family (void *out, metric_kind_t kind, const char *name, const char *help)
{
    static const char *const KINDS [] = {"counter", "gauge", "histogram"};

    buffer_format (out, "# HELP %s ", name);
    write_escaped (out, help, "\\");
    buffer_format (out, "\n# TYPE %s %s\n", name, KINDS [kind]);
}

static void
write_point (void *out, const char *name, const char *labels, double value)
{
    buffer_format (out, "%s%s", name, labels);
    write_value (out, value);
}

void
metrics_write (metrics_t *self, buffer_t *out)
{
    metrics_sink_t sink = {.family = write_family,
                           .point = write_point,
                           .histogram = write_histogram,
                           .argument = out};

    metrics_visit (self, &sink);
}

//  --- any form

void
metrics_write_head (metrics_sink_t *out, metric_kind_t kind, const char *name, const char *help)
{
    out->family (out->argument, kind, name, help);
}

void
metrics_write_sample (metrics_sink_t *out, const char *name, const char *const labels [],
                      double value)
{
    buffer_reset (&out->scratch);
    write_labels (&out->scratch, labels, NULL);
    if (!buffer_failed (&out->scratch)) {
        out->point (out->argument, name, out->scratch.data, value);
    }
}

static void
visit_family (const family_t *family, metrics_sink_t *sink)
{
    sink->family (sink->argument, family->kind, family->name, family->help);
    for (const metric_t *series = family->series; series; series = series->next) {
        if (series->histogram) {
            metrics_histogram_t histogram = {BOUNDS, series->buckets, BOUNDS_COUNT, series->value};
            sink->histogram (sink->argument, family->name, series->labels, &histogram);
        } else {
            sink->point (sink->argument, family->name, series->labels, series->value);
        }
    }
}

void
metrics_on_write (metrics_t *self, metrics_write_fn *fn, void *argument)
{
    assert (self->writers_count < WRITERS_MAX);
    self->writers [self->writers_count].fn = fn;
    self->writers [self->writers_count++].argument = argument;
}

void
metrics_visit (metrics_t *self, metrics_sink_t *sink)
{
    for (size_t i = 0; i < self->collects_count; i++) {
        self->collects [i].fn (self->collects [i].argument);
    }
    for (const family_t *family = self->families; family; family = family->next) {
        visit_family (family, sink);
    }
    for (size_t i = 0; i < self->writers_count; i++) {
        self->writers [i].fn (self->writers [i].argument, sink);
    }
    buffer_clear (&sink->scratch);
}

bool
metrics_next_label (const char **labels, char *name, size_t name_size, char *value, size_t size)
{
    const char *at = *labels + strspn (*labels, "{,");
    size_t used = 0;

    if (!*at || *at == '}') {
        return false;
    }
    size_t equals = strcspn (at, "=");
    snprintf (name, name_size, "%.*s", (int) equals, at);
    for (at += equals + 2; *at != '"'; at++) {
        bool escaped = *at == '\\';
        at += escaped;
        if (used + 1 < size) {
            value [used++] = escaped && *at == 'n' ? '\n' : *at;
        }
    }
    value [used] = '\0';
    *labels = at + 1;
    return true;
}

time_us_t
metrics_since (const metrics_t *self)
{
    return self->since;
}
