// cloudwatch_api.c - CloudWatch (2010-08-01): GetMetricStatistics and ListMetrics; what
// GetMetricData asks is in cloudwatch_data.c.
//
// SPDX-License-Identifier: MIT

#include "cloudwatch.h"

#include "../../common/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STATISTICS_POINTS_MAX 1440
#define LIST_PAGE             500

// clang-format off
static const struct {
    const char *name;
    statistic_t statistic;
} STATISTICS [] = {
    {"Average",     STATISTIC_AVERAGE},
    {"Minimum",     STATISTIC_MINIMUM},
    {"Maximum",     STATISTIC_MAXIMUM},
    {"Sum",         STATISTIC_SUM},
    {"SampleCount", STATISTIC_SAMPLE_COUNT},
};
// clang-format on

statistic_t
cloudwatch_statistic (const char *name)
{
    for (size_t i = 0; name && i < STATISTIC_COUNT; i++) {
        if (strcmp (STATISTICS [i].name, name) == 0) {
            return STATISTICS [i].statistic;
        }
    }
    return STATISTIC_COUNT;
}

double
cloudwatch_value (const datapoint_t *point, statistic_t statistic)
{
    switch (statistic) {
    case STATISTIC_AVERAGE: return point->sum / point->samples;
    case STATISTIC_MINIMUM: return point->least;
    case STATISTIC_MAXIMUM: return point->most;
    case STATISTIC_SUM: return point->sum;
    case STATISTIC_SAMPLE_COUNT: return point->samples;
    case STATISTIC_COUNT: break;
    }
    return 0;
}

int
cloudwatch_dimensions (aws_call_t *call, const char *prefix,
                       dimension_t dimensions [CLOUDWATCH_DIMENSIONS_MAX], size_t *count)
{
    const char *name;

    *count = 0;
    while ((name = form_get (call->form, "%sDimensions.member.%zu.Name", prefix, *count + 1))) {
        const char *value =
            form_get (call->form, "%sDimensions.member.%zu.Value", prefix, *count + 1);
        if (*count == CLOUDWATCH_DIMENSIONS_MAX) {
            return aws_refuse (call, 400, "InvalidParameterValue", "at most %d dimensions",
                               CLOUDWATCH_DIMENSIONS_MAX);
        }
        dimensions [(*count)++] = (dimension_t){name, value};
    }
    return 0;
}

int
cloudwatch_period (aws_call_t *call, const char *name, const char *text, time_us_t *period_us)
{
    char *end = NULL;
    long seconds = text ? strtol (text, &end, 10) : 0;

    if (!text) {
        return aws_refuse (call, 400, "MissingParameter", "The parameter %s is required.", name);
    }
    if (*end != '\0' || seconds < 60 || seconds > 86400 || seconds % 60 != 0) {
        return aws_refuse (call, 400, "InvalidParameterValue",
                           "The parameter %s must be a multiple of 60 from 60 to 86400, not %s.",
                           name, text);
    }
    *period_us = (time_us_t) seconds * SECOND_US;
    return 0;
}

int
cloudwatch_window (aws_call_t *call, time_us_t *start, time_us_t *end)
{
    const char *from = form_get (call->form, "StartTime"), *to = form_get (call->form, "EndTime");

    if (!from || !to) {
        return aws_refuse (call, 400, "MissingParameter", "The parameter %s is required.",
                           from ? "EndTime" : "StartTime");
    }
    if (clock_parse (from, start) < 0 || clock_parse (to, end) < 0) {
        return aws_refuse (call, 400, "InvalidParameterValue",
                           "The parameters StartTime and EndTime must be ISO 8601 times.");
    }
    if (*start >= *end) {
        return aws_refuse (call, 400, "InvalidParameterValue",
                           "The parameter StartTime must be less than the parameter EndTime.");
    }
    *start -= *start % MINUTE_US;  //  rounded down, as CloudWatch does within 15 days
    return 0;
}

//  --- GetMetricStatistics

static int
read_statistics (aws_call_t *call, bool wanted [STATISTIC_COUNT])
{
    const char *name;
    size_t count = 0;

    while ((name = form_get (call->form, "Statistics.member.%zu", count + 1))) {
        statistic_t statistic = cloudwatch_statistic (name);
        if (statistic == STATISTIC_COUNT) {
            return aws_refuse (call, 400, "InvalidParameterValue",
                               "The parameter Statistics.member.%zu is invalid: %s", count + 1,
                               name);
        }
        wanted [statistic] = true;
        count++;
    }
    return count ? 0
                 : aws_refuse (call, 400, "MissingParameter",
                               "The parameter Statistics or ExtendedStatistics is required.");
}

static void
write_point (buffer_t *out, const datapoint_t *point, const bool wanted [STATISTIC_COUNT],
             const char *unit)
{
    xml_open (out, "member");
    xml_second (out, "Timestamp", point->wall);
    for (size_t i = 0; i < STATISTIC_COUNT; i++) {
        if (wanted [STATISTICS [i].statistic]) {
            xml_number (out, STATISTICS [i].name,
                        cloudwatch_value (point, STATISTICS [i].statistic));
        }
    }
    xml_text (out, "Unit", unit);
    xml_close (out, "member");
}

//  Unordered, as the real one: the odd points first.
static void
write_points (aws_call_t *call, const measure_t *measure, time_us_t start, time_us_t end,
              time_us_t period, const bool wanted [STATISTIC_COUNT])
{
    datapoint_t point;

    for (time_us_t first = 1; first >= 0; first--) {
        for (time_us_t at = start + first * period; at < end; at += 2 * period) {
            if (measure_point (call->world, measure, at, period, &point)) {
                write_point (call->out, &point, wanted, measure->unit);
            }
        }
    }
}

int
cloudwatch_get_metric_statistics (aws_call_t *call)
{
    const char *name_space = form_get (call->form, "Namespace");
    const char *name = form_get (call->form, "MetricName"), *unit = form_get (call->form, "Unit");
    dimension_t dimensions [CLOUDWATCH_DIMENSIONS_MAX];
    size_t count = 0;
    time_us_t start = 0, end = 0, period = MINUTE_US;
    bool wanted [STATISTIC_COUNT] = {false};
    measure_t measure;

    if (!name_space || !name) {
        return aws_refuse (call, 400, "MissingParameter", "The parameter %s is required.",
                           name_space ? "MetricName" : "Namespace");
    }
    if (cloudwatch_dimensions (call, "", dimensions, &count) < 0 ||
        cloudwatch_window (call, &start, &end) < 0 ||
        cloudwatch_period (call, "Period", form_get (call->form, "Period"), &period) < 0 ||
        read_statistics (call, wanted) < 0) {
        return -EINVAL;
    }
    if ((end - start) / period > STATISTICS_POINTS_MAX) {
        return aws_refuse (call, 400, "InvalidParameterCombination",
                           "You have requested up to %" PRId64 " datapoints, which exceeds the "
                           "limit of %d. You may reduce the datapoints requested by increasing "
                           "Period, or decreasing the time range.",
                           (end - start) / period, STATISTICS_POINTS_MAX);
    }
    xml_text (call->out, "Label", name);
    xml_open (call->out, "Datapoints");
    if (measure_find (call->world, call->region, name_space, name, dimensions, count, &measure) &&
        aws_sees (call, measure.instance) && (!unit || strcmp (unit, measure.unit) == 0)) {
        write_points (call, &measure, start, end, period, wanted);
    }
    xml_close (call->out, "Datapoints");
    return 0;
}

//  --- ListMetrics

//  Each wanted dimension is among the metric's; without a value its name is enough.
static bool
partly_fits (const measure_t *measure, const dimension_t *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        for (size_t j = 0; j < measure->dimension_count && !found; j++) {
            const dimension_t *own = &measure->dimensions [j];
            found = strcmp (own->name, wanted [i].name) == 0 &&
                    (!wanted [i].value || strcmp (own->value, wanted [i].value) == 0);
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static void
write_metric (buffer_t *out, const measure_t *measure)
{
    xml_open (out, "member");
    xml_text (out, "Namespace", measure->name_space);
    xml_text (out, "MetricName", measure->name);
    xml_open (out, "Dimensions");
    for (size_t i = 0; i < measure->dimension_count; i++) {
        xml_open (out, "member");
        xml_text (out, "Name", measure->dimensions [i].name);
        xml_text (out, "Value", measure->dimensions [i].value);
        xml_close (out, "member");
    }
    xml_close (out, "Dimensions");
    xml_close (out, "member");
}

typedef struct listing {
    const char *name_space, *name;  //  null: any
    dimension_t dimensions [CLOUDWATCH_DIMENSIONS_MAX];
    size_t dimension_count;
    bool recent_only;
    size_t skip, written;  //  metrics of pages before this one, of this one
} listing_t;

//  True when the page is full and another metric would follow.
static bool
list_instance (aws_call_t *call, listing_t *listing, const instance_t *instance)
{
    measure_t measures [MEASURES_PER_INSTANCE];
    size_t count = measure_list (instance, measures);
    bool silent = instance->stopped_wall != TIME_UNKNOWN &&
                  world_now (call->world).wall - instance->stopped_wall > 3 * HOUR_US;

    if (listing->recent_only && silent) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if ((listing->name_space && strcmp (listing->name_space, measures [i].name_space) != 0) ||
            (listing->name && strcmp (listing->name, measures [i].name) != 0) ||
            !partly_fits (&measures [i], listing->dimensions, listing->dimension_count)) {
            continue;
        }
        if (listing->skip > 0) {
            listing->skip--;
            continue;
        }
        if (listing->written == LIST_PAGE) {
            return true;
        }
        write_metric (call->out, &measures [i]);
        listing->written++;
    }
    return false;
}

int
cloudwatch_list_metrics (aws_call_t *call)
{
    listing_t listing = {.name_space = form_get (call->form, "Namespace"),
                         .name = form_get (call->form, "MetricName"),
                         .recent_only = form_get (call->form, "RecentlyActive") != NULL};
    uint64_t print = form_fingerprint (call->form, "NextToken");
    bool more = false;

    if (cloudwatch_dimensions (call, "", listing.dimensions, &listing.dimension_count) < 0 ||
        cloudwatch_read_token (call, print, &listing.skip, NULL) < 0) {
        return -EINVAL;
    }
    size_t before = listing.skip;
    xml_open (call->out, "Metrics");
    for (size_t slot = 0; slot < world_slots (call->world) && !more; slot++) {
        const instance_t *instance = world_at (call->world, slot);
        more = instance && aws_sees (call, instance) && list_instance (call, &listing, instance);
    }
    xml_close (call->out, "Metrics");
    if (more) {
        cloudwatch_write_token (call, print, before + listing.written, 0);
    }
    return 0;
}

//  --- tokens of pages

int
cloudwatch_read_token (aws_call_t *call, uint64_t print, size_t *first, size_t *second)
{
    const char *token = form_get (call->form, "NextToken");
    size_t values [2] = {0, 0};
    uint64_t of;
    char end;

    if (token && *token &&
        (sscanf (token, "%zx.%zx.%" SCNx64 "%c", &values [0], &values [1], &of, &end) != 3 ||
         of != print)) {
        return aws_refuse (call, 400, "InvalidNextToken",
                           "The next token specified is invalid: it is of another request.");
    }
    *first = values [0];
    if (second) {
        *second = values [1];
    }
    return 0;
}

void
cloudwatch_write_token (aws_call_t *call, uint64_t print, size_t first, size_t second)
{
    buffer_format (call->out, "<NextToken>%zx.%zx.%016" PRIx64 "</NextToken>", first, second,
                   print);
}
