#include "../../../common/cleanup.h"
#include "../../../common/metrics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

static bool
is_exposed (metrics_t *metrics, const char *line)
{
    _cleanup_ (buffer_clear) buffer_t text = {0};
    buffer_t wanted = {0};

    metrics_write (metrics, &text);
    buffer_format (&wanted, "\n%s\n", line);
    bool found = strstr (text.data, wanted.data) != NULL;
    if (!found) {
        print_message ("no line %s in\n%s", line, text.data);
    }
    buffer_clear (&wanted);
    return found;
}

static int
set_up (void **state)
{
    *state = metrics_new (3);
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
family_is_told_with_its_help_and_kind (void **state)
{
    metrics_t *metrics = *state;

    metric_increment (
        metrics_add (metrics, METRIC_COUNTER, "cmlwatch_a_total", "What \"it\"\n\\is"));
    metric_set (metrics_add (metrics, METRIC_GAUGE, "cmlwatch_b", "B"), 0.5);

    assert_true (is_exposed (metrics, "# HELP cmlwatch_a_total What \"it\"\\n\\\\is"));
    assert_true (is_exposed (metrics, "# TYPE cmlwatch_a_total counter"));
    assert_true (is_exposed (metrics, "cmlwatch_a_total 1"));
    assert_true (is_exposed (metrics, "# TYPE cmlwatch_b gauge"));
    assert_true (is_exposed (metrics, "cmlwatch_b 0.5"));
}

static void
same_name_and_labels_are_the_same_series (void **state)
{
    metrics_t *metrics = *state;
    const char *const labels [] = {"source", "ec2", "kind", "x", NULL};

    metric_t *first = metrics_with (metrics, METRIC_COUNTER, "cmlwatch_c_total", "C", labels);
    metric_t *again = metrics_with (metrics, METRIC_COUNTER, "cmlwatch_c_total", "C", labels);
    metric_count (first, 2.5);

    assert_ptr_equal (first, again);
    assert_float_equal (metric_value (again), 2.5, 0);
    assert_true (is_exposed (metrics, "cmlwatch_c_total{source=\"ec2\",kind=\"x\"} 2.5"));
}

static void
label_values_cannot_break_out_of_their_quotes (void **state)
{
    metrics_t *metrics = *state;

    metrics_with (metrics, METRIC_GAUGE, "cmlwatch_d", "D", METRIC_LABELS ("l", "a\"b\\c\nd"));

    assert_true (is_exposed (metrics, "cmlwatch_d{l=\"a\\\"b\\\\c\\nd\"} 0"));
}

static void
series_beyond_the_bound_land_in_other_and_are_counted (void **state)
{
    metrics_t *metrics = *state;
    char value [8];

    for (int i = 0; i < 6; i++) {
        snprintf (value, sizeof value, "v%d", i);
        metric_increment (metrics_with (metrics, METRIC_COUNTER, "cmlwatch_e_total", "E",
                                        METRIC_LABELS ("l", value)));
    }

    assert_true (is_exposed (metrics, "cmlwatch_e_total{l=\"v2\"} 1"));
    assert_true (is_exposed (metrics, "cmlwatch_e_total{l=\"other\"} 3"));
    assert_true (is_exposed (metrics, "cmlwatch_metrics_series_overflow_total 3"));
}

static void
histogram_counts_into_every_bucket_at_or_above_the_value (void **state)
{
    metrics_t *metrics = *state;
    metric_t *histogram = metrics_with (metrics, METRIC_HISTOGRAM, "cmlwatch_f_seconds", "F",
                                        METRIC_LABELS ("op", "get"));

    metric_observe (histogram, 0.0001);
    metric_observe (histogram, 0.3);
    metric_observe (histogram, 61);

    assert_true (is_exposed (metrics, "cmlwatch_f_seconds_bucket{op=\"get\",le=\"0.0001\"} 1"));
    assert_true (is_exposed (metrics, "cmlwatch_f_seconds_bucket{op=\"get\",le=\"0.25\"} 1"));
    assert_true (is_exposed (metrics, "cmlwatch_f_seconds_bucket{op=\"get\",le=\"0.5\"} 2"));
    assert_true (is_exposed (metrics, "cmlwatch_f_seconds_bucket{op=\"get\",le=\"60\"} 2"));
    assert_true (is_exposed (metrics, "cmlwatch_f_seconds_bucket{op=\"get\",le=\"+Inf\"} 3"));
    assert_true (is_exposed (metrics, "cmlwatch_f_seconds_sum{op=\"get\"} 61.3001"));
    assert_true (is_exposed (metrics, "cmlwatch_f_seconds_count{op=\"get\"} 3"));
}

static void
numbers_are_written_as_prometheus_reads_them (void **state)
{
    metrics_t *metrics = *state;
    metric_t *gauge = metrics_add (metrics, METRIC_GAUGE, "cmlwatch_g", "G");
    const struct {
        double value;
        const char *line;
    } rows [] = {
        {123456789012345, "cmlwatch_g 123456789012345"},
        {1e300, "cmlwatch_g 1e+300"},
        {-7.925, "cmlwatch_g -7.925"},
        {(double) NAN, "cmlwatch_g NaN"},
        {(double) INFINITY, "cmlwatch_g +Inf"},
        {-(double) INFINITY, "cmlwatch_g -Inf"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        metric_set (gauge, rows [i].value);
        assert_true (is_exposed (metrics, rows [i].line));
    }
}

static void
fill_anew (void *argument)
{
    metrics_t *metrics = argument;
    metrics_clear_family (metrics, "cmlwatch_h");
    metric_set (metrics_with (metrics, METRIC_GAUGE, "cmlwatch_h", "H", METRIC_LABELS ("l", "new")),
                7);
}

static void
collect_function_may_fill_a_family_anew_before_each_exposition (void **state)
{
    metrics_t *metrics = *state;
    metrics_with (metrics, METRIC_GAUGE, "cmlwatch_h", "H", METRIC_LABELS ("l", "old"));
    metrics_on_collect (metrics, fill_anew, metrics);
    _cleanup_ (buffer_clear) buffer_t text = {0};

    metrics_write (metrics, &text);
    metrics_write (metrics, &text);

    assert_null (strstr (text.data, "old"));
    assert_true (is_exposed (metrics, "cmlwatch_h{l=\"new\"} 7"));
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests [] = {
        TEST (family_is_told_with_its_help_and_kind),
        TEST (same_name_and_labels_are_the_same_series),
        TEST (label_values_cannot_break_out_of_their_quotes),
        TEST (series_beyond_the_bound_land_in_other_and_are_counted),
        TEST (histogram_counts_into_every_bucket_at_or_above_the_value),
        TEST (numbers_are_written_as_prometheus_reads_them),
        TEST (collect_function_may_fill_a_family_anew_before_each_exposition),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
