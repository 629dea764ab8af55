#include "../../../collector/cloudwatch/cloudwatch_batch.h"
#include "../../../collector/cloudwatch/cloudwatch_cost.h"

#include "../../../common/cleanup.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

static const cw_prices_t PRICES = {
    .metric_microusd = 10, .request_microusd = 10, .free_requests = 1000000};

static cw_load_t
load_of (size_t workers, size_t series, int64_t interval_ms)
{
    cw_load_t load = {0};

    for (size_t i = 0; i < workers; i++) {
        cw_load_add (&load, series, interval_ms);
    }
    return load;
}

static bool
is_near (double value, double wanted)
{
    return fabs (value - wanted) < 0.005;
}

static void
month_of_a_thousand_workers_is_what_the_price_list_says (void **state)
{
    (void) state;
    cw_load_t load = load_of (1000, 3, CW_BASIC_MS);
    cw_cost_t cost = cw_cost_of (&load, CW_API_AUTO, &PRICES);

    assert_true (is_near (load.metrics, 25920000));
    assert_int_equal (cost.api, CW_API_DATA);
    assert_true (is_near (cost.usd, 259.2));
    assert_true (cost.stretch == 1);
}

static void
small_fleet_is_read_for_nothing_while_its_requests_are_free (void **state)
{
    (void) state;
    cw_load_t fits = load_of (38, 3, CW_BASIC_MS), too_many = load_of (39, 3, CW_BASIC_MS);
    cw_cost_t cost = cw_cost_of (&fits, CW_API_AUTO, &PRICES);

    assert_int_equal (cost.api, CW_API_STATISTICS);
    assert_true (cost.usd == 0);
    assert_int_equal (cw_cost_of (&too_many, CW_API_AUTO, &PRICES).api, CW_API_DATA);
}

static void
api_that_is_named_is_used_whatever_it_costs (void **state)
{
    (void) state;
    cw_load_t small = load_of (1, 1, CW_BASIC_MS), large = load_of (1000, 3, CW_BASIC_MS);

    assert_int_equal (cw_cost_of (&small, CW_API_DATA, &PRICES).api, CW_API_DATA);
    cw_cost_t cost = cw_cost_of (&large, CW_API_STATISTICS, &PRICES);
    assert_int_equal (cost.api, CW_API_STATISTICS);
    assert_true (is_near (cost.usd, 249.2));  //  a million of them is free
}

static void
beyond_the_budget_intervals_are_as_long_as_keeps_it (void **state)
{
    (void) state;
    static const cw_api_t APIS [] = {CW_API_DATA, CW_API_STATISTICS};
    cw_prices_t prices = PRICES;
    cw_load_t load = load_of (1000, 3, CW_BASIC_MS);

    prices.budget_usd = 100;
    for (size_t i = 0; i < 2; i++) {
        cw_cost_t cost = cw_cost_of (&load, APIS [i], &prices);
        assert_true (cost.stretch > 1);
        cw_load_t stretched = load_of (1000, 3, (int64_t) (CW_BASIC_MS * cost.stretch));
        cw_cost_t kept = cw_cost_of (&stretched, APIS [i], &prices);
        assert_true (kept.usd < 100.1 && kept.usd > 99);
    }
    prices.budget_usd = 1000;
    assert_true (cw_cost_of (&load, CW_API_DATA, &prices).stretch == 1);
}

static void
nothing_leased_costs_nothing (void **state)
{
    (void) state;
    cw_load_t none = {0};
    cw_prices_t prices = PRICES;

    prices.budget_usd = 1;
    cw_cost_t cost = cw_cost_of (&none, CW_API_AUTO, &prices);
    assert_true (cost.usd == 0 && cost.stretch == 1);
}

static void
newest_of_unordered_points_counts_and_what_is_no_point_does_not (void **state)
{
    (void) state;
    static const char ANSWER [] =
        "<GetMetricStatisticsResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\">"
        "<GetMetricStatisticsResult><Label>CPUUtilization</Label><Datapoints>"
        "<member><Timestamp>2026-11-20T10:05:00Z</Timestamp><Average>7.5</Average></member>"
        "<member><Timestamp>2026-11-20T10:10:00Z</Timestamp><Average>NaN</Average></member>"
        "<member><Timestamp>nonsense</Timestamp><Average>99</Average></member>"
        "<member><Average>98</Average></member>"
        "<member><Timestamp>2026-11-20T10:00:00Z</Timestamp><Average>3</Average></member>"
        "</Datapoints></GetMetricStatisticsResult></GetMetricStatisticsResponse>";
    reason_t why = {""};
    cw_plan_t plan = {0};
    _cleanup_ (buffer_clear) buffer_t fields = {0};
    _cleanup_ (cw_worker_destroy) cw_worker_t *worker = cw_worker_new ("i-0a");
    time_us_t at;

    clock_parse ("2026-11-20T10:12:34Z", &at);
    assert_int_equal (cw_plan_add (&plan, "us-east-1/i-0a", worker, CW_PERIOD_BASIC, 300), 0);
    assert_int_equal (cw_plan_seal (&plan), 0);
    cw_plan_write_statistics (&plan, 0, at, &fields);
    assert_int_equal (xml_read (ANSWER, strlen (ANSWER), "GetMetricStatisticsResponse",
                                CW_STATISTICS_RULES, &plan, &why),
                      0);

    assert_true (plan.rows [0].points [CW_CPU].value == 7.5);
    assert_non_null (strstr (fields.data, "MetricName=CPUUtilization"));
    assert_non_null (strstr (fields.data, "Dimensions.member.1.Value=i-0a"));
    assert_non_null (strstr (fields.data, "EndTime=2026-11-20T10%3A10%3A00"));
    assert_non_null (strstr (fields.data, "StartTime=2026-11-20T09%3A55%3A00"));
    cw_plan_clear (&plan);
}

int
main (void)
{
    const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (month_of_a_thousand_workers_is_what_the_price_list_says),
        cmocka_unit_test (small_fleet_is_read_for_nothing_while_its_requests_are_free),
        cmocka_unit_test (api_that_is_named_is_used_whatever_it_costs),
        cmocka_unit_test (beyond_the_budget_intervals_are_as_long_as_keeps_it),
        cmocka_unit_test (nothing_leased_costs_nothing),
        cmocka_unit_test (newest_of_unordered_points_counts_and_what_is_no_point_does_not),
    };

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
