#include "../../../collector/cloudwatch/cloudwatch_batch.h"

#include "../../../common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define WORKERS 400

//  2026-11-20T10:33:44Z
#define NOW ((time_us_t) 1795170824 * SECOND_US)

typedef struct fixture {
    cw_plan_t plan;
    zhashx_t *workers;
} fixture_t;

static void
destroy_worker (void **item_p)
{
    cw_worker_destroy ((cw_worker_t **) item_p);
}

static int
set_up (void **state)
{
    fixture_t *self = calloc (1, sizeof *self);
    self->workers = zhashx_new ();
    zhashx_set_destructor (self->workers, destroy_worker);
    *state = self;
    return 0;
}

static int
tear_down (void **state)
{
    fixture_t *self = *state;
    cw_plan_clear (&self->plan);
    zhashx_destroy (&self->workers);
    free (self);
    return 0;
}

static cw_worker_t *
add_worker (fixture_t *self, const char *instance_id, int64_t period)
{
    char subject [128];
    cw_worker_t *worker = cw_worker_new (instance_id);

    snprintf (subject, sizeof subject, "us-east-1/%s", instance_id);
    zhashx_insert (self->workers, instance_id, worker);
    assert_int_equal (cw_plan_add (&self->plan, subject, worker, period, period), 0);
    return worker;
}

static void
discover (fixture_t *self, const char *metric, const char *instance_id, const char *more)
{
    cw_discovery_t discovery = {.workers = self->workers};
    char text [2048];

    int size = snprintf (
        text, sizeof text,
        "<ListMetricsResponse><ListMetricsResult><Metrics><member><Namespace>CWAgent</Namespace>"
        "<MetricName>%s</MetricName><Dimensions><member><Name>InstanceId</Name><Value>%s</Value>"
        "</member>%s</Dimensions></member></Metrics></ListMetricsResult></ListMetricsResponse>",
        metric, instance_id, more);
    assert_int_equal (
        xml_read (text, (size_t) size, "ListMetricsResponse", CW_DISCOVERY_RULES, &discovery, NULL),
        0);
}

//  `results` are the members of MetricDataResults.
static int
answer (fixture_t *self, const char *results)
{
    char text [8192];

    int size = snprintf (text, sizeof text,
                         "<GetMetricDataResponse><GetMetricDataResult><MetricDataResults>%s"
                         "</MetricDataResults><Messages/></GetMetricDataResult>"
                         "</GetMetricDataResponse>",
                         results);
    return xml_read (text, (size_t) size, "GetMetricDataResponse", CW_DATA_RULES, &self->plan,
                     NULL);
}

#define RESULT(id, status, times, values)                                                          \
    "<member><Id>" id "</Id><Label>x</Label><StatusCode>" status "</StatusCode><Timestamps>" times \
    "</Timestamps><Values>" values "</Values></member>"
#define M(text) "<member>" text "</member>"

static void
worker_without_agent_is_asked_for_cpu_alone (void **state)
{
    fixture_t *self = *state;
    _cleanup_ (buffer_clear) buffer_t fields = {0};
    add_worker (self, "i-1", CW_PERIOD_DETAILED);
    cw_plan_seal (&self->plan);

    assert_int_equal (cw_plan_request_end (&self->plan, 0), 1);
    cw_plan_write_request (&self->plan, 0, 1, NOW, &fields);

    assert_string_equal (
        fields.data,
        "StartTime=2026-11-20T10%3A30%3A00.000Z&EndTime=2026-11-20T10%3A33%3A00.000Z"
        "&ScanBy=TimestampDescending"
        "&MetricDataQueries.member.1.Id=c0"
        "&MetricDataQueries.member.1.MetricStat.Metric.Namespace=AWS%2FEC2"
        "&MetricDataQueries.member.1.MetricStat.Metric.MetricName=CPUUtilization"
        "&MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Name=InstanceId"
        "&MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Value=i-1"
        "&MetricDataQueries.member.1.MetricStat.Period=60"
        "&MetricDataQueries.member.1.MetricStat.Stat=Average");
}

static void
window_is_three_periods_and_ends_at_the_last_full_one (void **state)
{
    fixture_t *self = *state;
    _cleanup_ (buffer_clear) buffer_t fields = {0};
    add_worker (self, "i-1", CW_PERIOD_BASIC);
    cw_plan_seal (&self->plan);

    cw_plan_write_request (&self->plan, 0, 1, NOW, &fields);

    assert_non_null (strstr (fields.data, "StartTime=2026-11-20T10%3A15%3A00.000Z&"));
    assert_non_null (strstr (fields.data, "EndTime=2026-11-20T10%3A30%3A00.000Z&"));
}

static void
series_of_the_agent_is_asked_for_by_its_exact_dimensions (void **state)
{
    fixture_t *self = *state;
    _cleanup_ (buffer_clear) buffer_t fields = {0};
    add_worker (self, "i-1", CW_PERIOD_DETAILED);
    discover (self, "disk_used_percent", "i-1",
              "<member><Name>path</Name><Value>/</Value></member>"
              "<member><Name>fstype</Name><Value>ext4</Value></member>");
    cw_plan_seal (&self->plan);

    cw_plan_write_request (&self->plan, 0, 2, NOW, &fields);

    assert_non_null (strstr (fields.data, "MetricDataQueries.member.2.Id=d0&"));
    assert_non_null (strstr (fields.data, "member.2.MetricStat.Metric.Namespace=CWAgent&"));
    assert_non_null (strstr (fields.data, "Dimensions.member.2.Name=path&"));
    assert_non_null (strstr (fields.data, "Dimensions.member.2.Value=%2F&"));
    assert_non_null (strstr (fields.data, "Dimensions.member.3.Value=ext4&"));
}

static void
root_file_system_and_the_fewest_dimensions_are_preferred (void **state)
{
    fixture_t *self = *state;
    cw_worker_t *worker = add_worker (self, "i-1", CW_PERIOD_DETAILED);
    const char *type = "<member><Name>InstanceType</Name><Value>m5</Value></member>";

    discover (self, "disk_used_percent", "i-1",
              "<member><Name>path</Name><Value>/boot</Value></member>");
    assert_null (worker->series [CW_DISK].dimensions);
    discover (self, "disk_used_percent", "i-1", "");
    assert_int_equal (worker->series [CW_DISK].count, 1);
    discover (self, "disk_used_percent", "i-1",
              "<member><Name>path</Name><Value>/</Value></member>");
    assert_int_equal (worker->series [CW_DISK].count, 2);
    discover (self, "mem_used_percent", "i-1", type);
    discover (self, "mem_used_percent", "i-1", "");
    discover (self, "mem_used_percent", "i-1", type);

    assert_int_equal (worker->series [CW_MEMORY].count, 1);
}

static void
metric_of_a_stranger_or_without_an_instance_is_passed_over (void **state)
{
    fixture_t *self = *state;
    cw_worker_t *worker = add_worker (self, "i-1", CW_PERIOD_DETAILED);

    discover (self, "mem_used_percent", "i-2", "");
    discover (self, "swap_used_percent", "i-1", "");

    assert_null (worker->series [CW_MEMORY].dimensions);
}

static void
run_of_empties_makes_a_series_unknown_and_it_is_looked_for_at_a_bounded_rate (void **state)
{
    fixture_t *self = *state;
    cw_worker_t *worker = add_worker (self, "i-1", CW_PERIOD_DETAILED);
    assert_true (cw_worker_needs_discovery (worker, 0));
    discover (self, "mem_used_percent", "i-1", "");
    discover (self, "disk_used_percent", "i-1", "");
    worker->discovered = 0;
    assert_false (cw_worker_needs_discovery (worker, HOUR_US));

    cw_worker_note (worker, CW_MEMORY, false);
    cw_worker_note (worker, CW_MEMORY, true);
    cw_worker_note (worker, CW_MEMORY, false);
    cw_worker_note (worker, CW_MEMORY, false);
    assert_non_null (worker->series [CW_MEMORY].dimensions);
    cw_worker_note (worker, CW_MEMORY, false);

    assert_null (worker->series [CW_MEMORY].dimensions);
    assert_false (cw_worker_needs_discovery (worker, MINUTE_US));
    assert_true (cw_worker_needs_discovery (worker, CW_DISCOVER_EVERY));
}

static void
requests_are_full_and_never_mix_periods (void **state)
{
    fixture_t *self = *state;
    char id [32];
    for (int i = 0; i < WORKERS; i++) {
        snprintf (id, sizeof id, "i-%d", i);
        add_worker (self, id, i < 300 ? CW_PERIOD_BASIC : CW_PERIOD_DETAILED);
        discover (self, "mem_used_percent", id, "");
        discover (self, "disk_used_percent", id, "");
    }
    cw_plan_seal (&self->plan);
    size_t ends [8], count = 0;

    for (size_t from = 0; from < self->plan.queries_count; from = ends [count++]) {
        ends [count] = cw_plan_request_end (&self->plan, from);
    }

    assert_int_equal (count, 3);
    assert_int_equal (ends [0], 300);
    assert_int_equal (ends [1], 800);
    assert_int_equal (ends [2], 1200);
}

static void
newest_point_counts_by_its_own_time_in_whatever_order (void **state)
{
    fixture_t *self = *state;
    add_worker (self, "i-1", CW_PERIOD_DETAILED);
    cw_plan_seal (&self->plan);

    answer (self, RESULT ("c0", "Complete",
                          M ("2026-11-20T10:31:00Z") M ("2026-11-20T10:32:00Z")
                              M ("2026-11-20T10:30:00Z"),
                          M ("1.5") M ("7.925") M ("99")));

    char text [CLOCK_TEXT_SIZE];
    assert_string_equal (clock_format (text, self->plan.rows [0].points [CW_CPU].at),
                         "2026-11-20T10:32:00.000Z");
    assert_float_equal (self->plan.rows [0].points [CW_CPU].value, 7.925, 0);
}

static void
pages_of_partial_data_are_appended_by_id_and_revisions_replace (void **state)
{
    fixture_t *self = *state;
    add_worker (self, "i-1", CW_PERIOD_DETAILED);
    add_worker (self, "i-2", CW_PERIOD_DETAILED);
    cw_plan_seal (&self->plan);

    answer (self, RESULT ("c0", "PartialData", M ("2026-11-20T10:32:00Z"), M ("5")));
    answer (self, RESULT ("c1", "Complete", M ("2026-11-20T10:31:00Z"), M ("8")) RESULT (
                      "c0", "Complete", M ("2026-11-20T10:32:00Z") M ("2026-11-20T10:31:00Z"),
                      M ("6") M ("4")));

    assert_float_equal (self->plan.rows [0].points [CW_CPU].value, 6, 0);
    assert_float_equal (self->plan.rows [1].points [CW_CPU].value, 8, 0);
}

static void
series_without_points_is_absent (void **state)
{
    fixture_t *self = *state;
    add_worker (self, "i-1", CW_PERIOD_DETAILED);
    cw_plan_seal (&self->plan);

    assert_int_equal (answer (self, "<member><Id>c0</Id><StatusCode>Complete</StatusCode>"
                                    "<Timestamps/><Values/></member>"),
                      0);

    assert_true (self->plan.rows [0].points [CW_CPU].at == TIME_UNKNOWN);
    assert_string_equal (self->plan.rows [0].error_code, "");
}

static void
value_that_is_no_number_and_time_that_is_none_are_absent (void **state)
{
    fixture_t *self = *state;
    add_worker (self, "i-1", CW_PERIOD_DETAILED);
    cw_plan_seal (&self->plan);

    answer (self, RESULT ("c0", "Complete",
                          M ("2026-11-20T10:32:00Z") M ("yesterday") M ("2026-11-20T10:30:00Z")
                              M ("2026-11-20T10:33:00Z"),
                          M ("NaN") M ("3") M ("4")));

    assert_float_equal (self->plan.rows [0].points [CW_CPU].value, 4, 0);
}

static void
ids_that_are_not_ours_are_passed_over (void **state)
{
    fixture_t *self = *state;
    add_worker (self, "i-1", CW_PERIOD_DETAILED);
    cw_plan_seal (&self->plan);

    answer (self, RESULT ("c1", "Complete", M ("2026-11-20T10:32:00Z"), M ("5"))
                      RESULT ("x0", "Complete", M ("2026-11-20T10:32:00Z"), M ("5"))
                          RESULT ("c", "Complete", M ("2026-11-20T10:32:00Z"), M ("5"))
                              RESULT ("c0x", "Complete", M ("2026-11-20T10:32:00Z"), M ("5")));

    assert_true (self->plan.rows [0].points [CW_CPU].at == TIME_UNKNOWN);
}

static void
forbidden_series_is_the_workers_error_and_nobody_elses (void **state)
{
    fixture_t *self = *state;
    add_worker (self, "i-1", CW_PERIOD_DETAILED);
    add_worker (self, "i-2", CW_PERIOD_DETAILED);
    cw_plan_seal (&self->plan);

    answer (self, RESULT ("c0", "Forbidden", "", "")
                      RESULT ("c1", "Complete", M ("2026-11-20T10:32:00Z"), M ("5")));

    assert_string_equal (self->plan.rows [0].error_code, "Forbidden");
    assert_non_null (strstr (self->plan.rows [0].error_message, "CPUUtilization"));
    assert_string_equal (self->plan.rows [1].error_code, "");
}

static void
failed_request_is_the_error_of_its_workers_alone (void **state)
{
    fixture_t *self = *state;
    add_worker (self, "i-1", CW_PERIOD_DETAILED);
    add_worker (self, "i-2", CW_PERIOD_DETAILED);
    cw_plan_seal (&self->plan);

    cw_plan_fail (&self->plan, 0, 1, "Throttling", "Rate exceeded");

    assert_string_equal (self->plan.rows [0].error_code, "Throttling");
    assert_string_equal (self->plan.rows [1].error_code, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (worker_without_agent_is_asked_for_cpu_alone),
        TEST (window_is_three_periods_and_ends_at_the_last_full_one),
        TEST (series_of_the_agent_is_asked_for_by_its_exact_dimensions),
        TEST (root_file_system_and_the_fewest_dimensions_are_preferred),
        TEST (metric_of_a_stranger_or_without_an_instance_is_passed_over),
        TEST (run_of_empties_makes_a_series_unknown_and_it_is_looked_for_at_a_bounded_rate),
        TEST (requests_are_full_and_never_mix_periods),
        TEST (newest_point_counts_by_its_own_time_in_whatever_order),
        TEST (pages_of_partial_data_are_appended_by_id_and_revisions_replace),
        TEST (series_without_points_is_absent),
        TEST (value_that_is_no_number_and_time_that_is_none_are_absent),
        TEST (ids_that_are_not_ours_are_passed_over),
        TEST (forbidden_series_is_the_workers_error_and_nobody_elses),
        TEST (failed_request_is_the_error_of_its_workers_alone),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
