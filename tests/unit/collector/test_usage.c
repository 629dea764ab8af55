#include "../../../collector/core/usage.h"

#include "../../../common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>  //  needs the three above it

#define T0 (1000 * SECOND_US)

//  What a heartbeat says at this moment; false: nothing of it.
static bool
tells (usage_t *usage, time_us_t steady, collector_heartbeat_t *beat)
{
    observation_t observation;

    observation_init (&observation, EVENT_COLLECTOR_HEARTBEAT);
    usage_tell (usage, &observation.collector_heartbeat, steady);
    *beat = observation.collector_heartbeat;
    return beat->usage.tree != NULL;
}

static struct json_object *
row (const collector_heartbeat_t *beat, size_t number)
{
    return json_object_array_get_idx (beat->usage.tree, number);
}

static int64_t
number (struct json_object *tree, const char *key)
{
    int64_t value = -1;

    (void) json_get_integer (tree, key, &value);
    return value;
}

static void
requests_are_counted_by_account_and_region_and_by_how_they_ended (void **state)
{
    (void) state;
    _cleanup_ (usage_destroy) usage_t *usage = usage_new (T0);
    collector_heartbeat_t beat;
    double billed = 0;

    usage_count (usage, "lab", "us-east-1", USAGE_ANSWERED);
    usage_count (usage, "lab", "us-east-1", USAGE_FAILED);
    usage_count (usage, "lab", "us-east-1", USAGE_THROTTLED);
    usage_count (usage, "lab", "eu-west-1", USAGE_ANSWERED);
    usage_count (usage, "exam", "us-east-1", USAGE_ANSWERED);
    usage_bill (usage, "lab", "us-east-1", 3);
    usage_bill (usage, "lab", "us-east-1", 4);

    assert_true (tells (usage, T0, &beat));
    assert_int_equal (json_object_array_length (beat.usage.tree), 3);
    assert_string_equal (json_get_text (row (&beat, 0), "account"), "lab");
    assert_string_equal (json_get_text (row (&beat, 1), "region"), "eu-west-1");
    assert_int_equal (number (row (&beat, 0), "calls"), 3);
    assert_int_equal (number (row (&beat, 0), "failed"), 1);
    assert_int_equal (number (row (&beat, 0), "throttled"), 1);
    assert_true (json_get_number (row (&beat, 0), "billed", &billed) && billed == 7);
    assert_int_equal (number (row (&beat, 2), "calls"), 1);
    assert_true (beat.usage_since == T0);
}

static void
it_is_told_soon_at_first_then_seldomer_and_always_each_half_minute (void **state)
{
    (void) state;
    _cleanup_ (usage_destroy) usage_t *usage = usage_new (T0);
    collector_heartbeat_t beat;
    int told = 0;

    assert_true (tells (usage, T0, &beat));
    assert_false (tells (usage, T0 + 29 * SECOND_US, &beat));  //  nothing is news
    assert_true (tells (usage, T0 + 30 * SECOND_US, &beat));

    for (int second = 31; second <= 630; second++) {
        usage_count (usage, "", "us-east-1", USAGE_ANSWERED);
        told += tells (usage, T0 + second * SECOND_US, &beat);
    }
    assert_in_range (told, 20, 25);
}

static void
more_accounts_and_regions_than_there_are_rows_are_one_together (void **state)
{
    (void) state;
    _cleanup_ (usage_destroy) usage_t *usage = usage_new (T0);
    collector_heartbeat_t beat;
    char region [100];
    double cost = 0;

    for (int i = 0; i < 2 * USAGE_ROWS_MAX; i++) {
        snprintf (region, sizeof region, "region-%d", i);
        usage_count (usage, "", region, USAGE_ANSWERED);
        usage_set_cost (usage, "", region, 1);
    }
    snprintf (region, sizeof region, "%080d", 1);  //  longer than a row has room for
    usage_count (usage, "", region, USAGE_ANSWERED);

    assert_true (tells (usage, T0, &beat));
    assert_int_equal (json_object_array_length (beat.usage.tree), USAGE_ROWS_MAX);
    struct json_object *last = row (&beat, USAGE_ROWS_MAX - 1);
    assert_string_equal (json_get_text (last, "region"), USAGE_OTHERS);
    assert_int_equal (number (last, "calls"), USAGE_ROWS_MAX + 2);
    assert_false (json_get_number (last, "cost_usd_month", &cost));
    assert_true (json_get_number (row (&beat, 0), "cost_usd_month", &cost) && cost == 1);
}

static void
what_it_costs_is_told_with_the_budget_and_what_it_does_to_intervals (void **state)
{
    (void) state;
    _cleanup_ (usage_destroy) usage_t *usage = usage_new (T0);
    collector_heartbeat_t beat;

    assert_true (tells (usage, T0, &beat));
    assert_int_equal (beat.cost_cents, INTEGER_UNKNOWN);
    assert_int_equal (beat.budget_usd, INTEGER_UNKNOWN);

    usage_set_budget (usage, 75.5, 50, 1.51);
    usage_set_work (usage, 12, 3);

    assert_true (tells (usage, T0 + MINUTE_US, &beat));
    assert_int_equal (beat.cost_cents, 7550);
    assert_int_equal (beat.budget_usd, 50);
    assert_int_equal (beat.stretch_percent, 151);
    assert_int_equal (beat.units, 12);
    assert_int_equal (beat.rounds_overdue, 3);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (requests_are_counted_by_account_and_region_and_by_how_they_ended),
        cmocka_unit_test (it_is_told_soon_at_first_then_seldomer_and_always_each_half_minute),
        cmocka_unit_test (more_accounts_and_regions_than_there_are_rows_are_one_together),
        cmocka_unit_test (what_it_costs_is_told_with_the_budget_and_what_it_does_to_intervals),
    };

    return cmocka_run_group_tests (tests, NULL, NULL);
}
