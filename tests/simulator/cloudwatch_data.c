// cloudwatch_data.c - GetMetricData: up to 500 metrics a call, in pages of datapoints.
//
// A page ends when MaxDatapoints are written: the result it was in says PartialData, those
// after it are not there yet, and NextToken names the query and the point to go on with. A
// metric that does not exist is Complete and empty: absent, not 0.
//
// SPDX-License-Identifier: MIT

#include "cloudwatch.h"

#include "../../common/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUERIES_MAX    500
#define DATAPOINTS_MAX 100800
#define POINTS_MAX     50000  //  periods of one query in its window
#define PREFIX_SIZE    80
#define ID_MAX         255

typedef struct query {
    const char *id, *label;
    statistic_t statistic;
    time_us_t period;
    bool returned, found;
    measure_t measure;
} query_t;

typedef struct page {
    time_us_t start, end;
    bool ascending;
    int64_t left;         //  datapoints that still fit
    size_t query, point;  //  where to go on
    bool full;
} page_t;

static bool
is_id (const char *text)
{
    size_t length = strlen (text);

    if (length == 0 || length > ID_MAX || !islower ((unsigned char) text [0])) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!isalnum ((unsigned char) text [i]) && text [i] != '_') {
            return false;
        }
    }
    return true;
}

static int
read_metric (aws_call_t *call, const char *prefix, query_t *query)
{
    char name [PREFIX_SIZE + 40];
    dimension_t dimensions [CLOUDWATCH_DIMENSIONS_MAX];
    size_t count;
    const char *name_space = form_get (call->form, "%sMetricStat.Metric.Namespace", prefix);
    const char *metric = form_get (call->form, "%sMetricStat.Metric.MetricName", prefix);

    if (!name_space || !metric) {
        return aws_refuse (call, 400, "ValidationError",
                           "The parameter %sMetricStat.Metric needs Namespace and MetricName; "
                           "expressions are not simulated.",
                           prefix);
    }
    snprintf (name, sizeof name, "%sMetricStat.Period", prefix);
    if (cloudwatch_period (call, name, form_get (call->form, "%s", name), &query->period) < 0) {
        return -EINVAL;
    }
    snprintf (name, sizeof name, "%sMetricStat.Metric.", prefix);
    if (cloudwatch_dimensions (call, name, dimensions, &count) < 0) {
        return -EINVAL;
    }
    for (size_t i = 0; i < count; i++) {
        if (!dimensions [i].value) {
            return aws_refuse (call, 400, "MissingParameter",
                               "The parameter %sDimensions.member.%zu.Value is required.", name,
                               i + 1);
        }
    }
    query->found = measure_find (call->world, call->region, name_space, metric, dimensions, count,
                                 &query->measure) &&
                   aws_sees (call, query->measure.instance);
    query->label = query->label ? query->label : metric;
    return 0;
}

static int
read_query (aws_call_t *call, size_t number, query_t *query)
{
    char prefix [PREFIX_SIZE];

    snprintf (prefix, sizeof prefix, "MetricDataQueries.member.%zu.", number);
    query->id = form_get (call->form, "%sId", prefix);
    query->label = form_get (call->form, "%sLabel", prefix);
    const char *returned = form_get (call->form, "%sReturnData", prefix);
    query->returned = !returned || strcmp (returned, "false") != 0;
    query->statistic = cloudwatch_statistic (form_get (call->form, "%sMetricStat.Stat", prefix));
    if (!is_id (query->id)) {
        return aws_refuse (call, 400, "ValidationError",
                           "The value '%s' for parameter %sId is not matching the expected pattern "
                           "^[a-z][a-zA-Z0-9_]*$.",
                           query->id, prefix);
    }
    if (query->statistic == STATISTIC_COUNT) {
        return aws_refuse (call, 400, "ValidationError",
                           "The parameter %sMetricStat.Stat must be Average, Minimum, Maximum, "
                           "Sum or SampleCount.",
                           prefix);
    }
    return read_metric (call, prefix, query);
}

typedef struct name {
    const char *id;
} name_t;

static int
by_id (const void *a, const void *b)
{
    const name_t *left = a, *right = b;
    return strcmp (left->id, right->id);
}

static int
check_unique (aws_call_t *call, const query_t *queries, size_t count)
{
    name_t sorted [QUERIES_MAX] = {{NULL}};

    for (size_t i = 0; i < count; i++) {
        sorted [i].id = queries [i].id;
    }
    qsort (sorted, count, sizeof sorted [0], by_id);
    for (size_t i = 1; i < count; i++) {
        if (strcmp (sorted [i - 1].id, sorted [i].id) == 0) {
            return aws_refuse (call, 400, "ValidationError",
                               "The values for parameter id in MetricDataQueries are not unique: "
                               "%s",
                               sorted [i].id);
        }
    }
    return 0;
}

static int
read_queries (aws_call_t *call, query_t queries [QUERIES_MAX], size_t *count)
{
    for (*count = 0; form_get (call->form, "MetricDataQueries.member.%zu.Id", *count + 1);
         (*count)++) {
        if (*count == QUERIES_MAX) {
            return aws_refuse (call, 400, "ValidationError",
                               "The collection MetricDataQueries must not have a size greater "
                               "than %d.",
                               QUERIES_MAX);
        }
        int rc = read_query (call, *count + 1, &queries [*count]);
        if (rc < 0) {
            return rc;
        }
    }
    if (*count == 0) {
        return aws_refuse (call, 400, "MissingParameter",
                           "The parameter MetricDataQueries is required.");
    }
    return check_unique (call, queries, *count);
}

//  --- one result

typedef struct points {
    datapoint_t *list;
    size_t count;
    bool complete;
} points_t;

static inline void
points_clear (points_t *self)
{
    free (self->list);
}

//  The points of a query from number `skip` on that still fit the page.
static int
take_points (aws_call_t *call, const query_t *query, page_t *page, size_t skip, points_t *points)
{
    time_us_t first = page->start - page->start % query->period;
    size_t periods = (size_t) ((page->end - first + query->period - 1) / query->period);
    datapoint_t point;

    if (periods > POINTS_MAX) {
        return aws_refuse (call, 400, "ValidationError",
                           "The window has more than %d periods of %s.", POINTS_MAX, query->id);
    }
    points->complete = true;
    points->list = calloc (periods + 1, sizeof *points->list);
    for (size_t i = 0; points->list && query->found && i < periods; i++) {
        size_t number = page->ascending ? i : periods - 1 - i;
        time_us_t at = first + (time_us_t) number * query->period;
        if (at < page->start ||
            !measure_point (call->world, &query->measure, at, query->period, &point)) {
            continue;
        }
        if (skip > 0) {
            skip--;
            continue;
        }
        if (page->left == 0) {
            points->complete = false;
            break;
        }
        points->list [points->count++] = point;
        page->left--;
    }
    return 0;
}

static void
write_result (buffer_t *out, const query_t *query, const points_t *points)
{
    xml_open (out, "member");
    xml_text (out, "Id", query->id);
    xml_text (out, "Label", query->label);
    xml_text (out, "StatusCode", points->complete ? "Complete" : "PartialData");
    xml_open (out, points->count ? "Timestamps" : "Timestamps/");
    for (size_t i = 0; i < points->count; i++) {
        xml_second (out, "member", points->list [i].wall);
    }
    buffer_text (out, points->count ? "</Timestamps><Values>" : "<Values/>");
    for (size_t i = 0; i < points->count; i++) {
        xml_number (out, "member", cloudwatch_value (&points->list [i], query->statistic));
    }
    buffer_text (out, points->count ? "</Values>" : "");
    xml_close (out, "member");
}

static int
write_results (aws_call_t *call, const query_t *queries, size_t count, page_t *page)
{
    size_t skip = page->point;

    for (; page->query < count; page->query++, skip = 0) {
        _cleanup_ (points_clear) points_t points = {0};
        const query_t *query = &queries [page->query];
        if (!query->returned) {
            continue;
        }
        if (page->left == 0) {
            page->full = true;
            page->point = 0;
            return 0;
        }
        int rc = take_points (call, query, page, skip, &points);
        if (rc < 0) {
            return rc;
        }
        write_result (call->out, query, &points);
        if (!points.complete) {
            page->full = true;
            page->point = skip + points.count;
            return 0;
        }
    }
    return 0;
}

static int
read_page (aws_call_t *call, uint64_t print, page_t *page)
{
    const char *order = form_get (call->form, "ScanBy");
    reason_t why;

    if (cloudwatch_window (call, &page->start, &page->end) < 0 ||
        cloudwatch_read_token (call, print, &page->query, &page->point) < 0) {
        return -EINVAL;
    }
    if (form_integer (call->form, "MaxDatapoints", 1, DATAPOINTS_MAX, DATAPOINTS_MAX, &page->left,
                      &why) < 0) {
        return aws_refuse (call, 400, "ValidationError", "%s", why.text);
    }
    page->ascending = order && strcmp (order, "TimestampAscending") == 0;
    if (order && !page->ascending && strcmp (order, "TimestampDescending") != 0) {
        return aws_refuse (call, 400, "ValidationError",
                           "ScanBy must be TimestampDescending or TimestampAscending, not %s.",
                           order);
    }
    return 0;
}

int
cloudwatch_get_metric_data (aws_call_t *call)
{
    uint64_t print = form_fingerprint (call->form, "NextToken");
    query_t *queries = calloc (QUERIES_MAX, sizeof *queries);
    size_t count = 0;
    page_t page = {0};

    int rc = queries ? read_queries (call, queries, &count)
                     : aws_refuse (call, 500, "InternalServiceError", "out of memory");
    rc = rc < 0 ? rc : read_page (call, print, &page);
    if (rc == 0) {
        calls_bill (call->calls, count);
        xml_open (call->out, "MetricDataResults");
        rc = write_results (call, queries, count, &page);
        xml_close (call->out, "MetricDataResults");
    }
    if (rc == 0 && page.full) {
        cloudwatch_write_token (call, print, page.query, page.point);
    }
    buffer_text (call->out, "<Messages/>");
    free (queries);
    return rc;
}
