#include "../../../common/cleanup.h"
#include "../../../common/otlp_metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define AT          1544712660000000
#define AT_NANO     "\"1544712660000000000\""
#define SCOPE_UNTIL "\"scope\":{\"name\":\"cmlwatch\",\"version\":\"1.2\"},\"metrics\":["

static const otlp_resource_t WHO = {"cmlwatch-test", "1.2", "an-instance"};

static int
set_up (void **state)
{
    *state = metrics_new (10);
    return *state ? 0 : -1;
}

static int
tear_down (void **state)
{
    metrics_t *metrics = *state;
    metrics_destroy (&metrics);
    return 0;
}

static void
assert_told (metrics_t *metrics, const char *part)
{
    _cleanup_ (buffer_clear) buffer_t out = {0};

    assert_true (otlp_metrics_write (&out, metrics, &WHO, AT) > 0);

    if (!strstr (out.data, part)) {
        fail_msg ("no %s in\n%s", part, out.data);
    }
}

//  The start is the registry's own; it is put in for %s.
static void
assert_told_since (metrics_t *metrics, const char *format)
{
    _cleanup_ (buffer_clear) buffer_t part = {0};
    const char *place = strstr (format, "%s");

    buffer_append (&part, format, (size_t) (place - format));
    buffer_format (&part, "\"%lld000\"%s", (long long) metrics_since (metrics), place + 2);
    assert_told (metrics, part.data);
}

static void
request_names_the_resource_and_the_scope (void **state)
{
    assert_told (*state,
                 "{\"resourceMetrics\":[{\"resource\":{\"attributes\":["
                 "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"cmlwatch-test\"}},"
                 "{\"key\":\"service.version\",\"value\":{\"stringValue\":\"1.2\"}},"
                 "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"an-instance\"}}]},"
                 "\"scopeMetrics\":[{" SCOPE_UNTIL);
}

static void
counter_is_a_monotonic_cumulative_sum (void **state)
{
    metrics_t *metrics = *state;
    metric_count (metrics_with (metrics, METRIC_COUNTER, "cmlwatch_a_bytes_total", "What \"it\" is",
                                METRIC_LABELS ("source", "a\"b\\n\\\nc", "kind", "x")),
                  2.5);

    assert_told_since (
        metrics,
        "{\"name\":\"cmlwatch_a_bytes_total\",\"description\":\"What \\\"it\\\" is\",\"unit\":"
        "\"By\",\"sum\":{\"aggregationTemporality\":2,\"isMonotonic\":true,\"dataPoints\":["
        "{\"attributes\":[{\"key\":\"source\",\"value\":{\"stringValue\":\"a\\\"b\\\\n\\\\\\nc\"}},"
        "{\"key\":\"kind\",\"value\":{\"stringValue\":\"x\"}}],\"startTimeUnixNano\":%s,"
        "\"timeUnixNano\":" AT_NANO ",\"asDouble\":2.5}]}}");
}

static void
gauge_has_no_start (void **state)
{
    metrics_t *metrics = *state;
    metric_set (metrics_add (metrics, METRIC_GAUGE, "cmlwatch_b", "B"), (double) NAN);

    assert_told (metrics,
                 "{\"name\":\"cmlwatch_b\",\"description\":\"B\",\"gauge\":{\"dataPoints\":"
                 "[{\"timeUnixNano\":" AT_NANO ",\"asDouble\":\"NaN\"}]}}");
}

static void
histogram_has_a_count_for_each_bucket_alone (void **state)
{
    metrics_t *metrics = *state;
    metric_t *histogram = metrics_add (metrics, METRIC_HISTOGRAM, "cmlwatch_c_seconds", "C");
    metric_observe (histogram, 0.0001);
    metric_observe_times (histogram, 0.25, 2);
    metric_observe (histogram, 61);

    assert_told_since (
        metrics,
        "{\"name\":\"cmlwatch_c_seconds\",\"description\":\"C\",\"unit\":\"s\",\"histogram\":{"
        "\"aggregationTemporality\":2,\"dataPoints\":[{\"startTimeUnixNano\":%s,"
        "\"timeUnixNano\":" AT_NANO ",\"bucketCounts\":[\"1\",\"0\",\"0\",\"0\",\"0\",\"0\",\"0\","
        "\"0\",\"0\",\"0\",\"2\",\"0\",\"0\",\"0\",\"0\",\"0\",\"0\",\"0\",\"1\"],"
        "\"explicitBounds\":[0.0001,0.00025,0.0005,0.001,0.0025,0.005,0.01,0.025,0.05,0.1,0.25,"
        "0.5,1,2.5,5,10,30,60],\"count\":\"4\",\"sum\":61.5001}]}}");
}

static void
write_family (void *argument, metrics_sink_t *out)
{
    (void) argument;
    metrics_write_head (out, METRIC_GAUGE, "cmlwatch_nothing", "N");
    metrics_write_head (out, METRIC_GAUGE, "cmlwatch_d_ratio", "D");
    metrics_write_sample (out, "cmlwatch_d_ratio", METRIC_LABELS ("w", "1"), 0.5);
    metrics_write_sample (out, "cmlwatch_d_ratio", METRIC_LABELS ("w", "2"), 1);
}

static void
families_told_by_a_function_are_there_and_empty_ones_are_not (void **state)
{
    metrics_t *metrics = *state;
    _cleanup_ (buffer_clear) buffer_t out = {0};
    metrics_on_write (metrics, write_family, NULL);
    metrics_add (metrics, METRIC_GAUGE, "cmlwatch_cleared", "C");
    metrics_clear_family (metrics, "cmlwatch_cleared");

    size_t points = otlp_metrics_write (&out, metrics, &WHO, AT);

    assert_int_equal (points, 3);  //  with the registry's own
    assert_null (strstr (out.data, "cmlwatch_nothing"));
    assert_null (strstr (out.data, "cmlwatch_cleared"));
    assert_told (metrics,
                 "\"unit\":\"1\",\"gauge\":{\"dataPoints\":[{\"attributes\":[{\"key\":\"w\","
                 "\"value\":{\"stringValue\":\"1\"}}],\"timeUnixNano\":" AT_NANO
                 ",\"asDouble\":0.5},{");
}

static void
label_longer_than_its_room_is_cut_and_the_next_is_read (void **state)
{
    (void) state;
    const char *labels = "{a=\"12345\",b=\"\\\\\\\"\"}";
    char name [8], value [4];

    assert_true (metrics_next_label (&labels, name, sizeof name, value, sizeof value));
    assert_string_equal (name, "a");
    assert_string_equal (value, "123");
    assert_true (metrics_next_label (&labels, name, sizeof name, value, sizeof value));
    assert_string_equal (name, "b");
    assert_string_equal (value, "\\\"");
    assert_false (metrics_next_label (&labels, name, sizeof name, value, sizeof value));
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests [] = {
        TEST (request_names_the_resource_and_the_scope),
        TEST (counter_is_a_monotonic_cumulative_sum),
        TEST (gauge_has_no_start),
        TEST (histogram_has_a_count_for_each_bucket_alone),
        TEST (families_told_by_a_function_are_there_and_empty_ones_are_not),
        TEST (label_longer_than_its_room_is_cut_and_the_next_is_read),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
