#include "../../../collector/core/schedule.h"

#include "../../../common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>  //  needs the three above it

#define T0       (1000 * SECOND_US)
#define INTERVAL (10 * SECOND_US)
#define UNITS    200

//  A sequence that is the same in each run (a linear congruence of Knuth's).
static uint32_t
dice (void *argument)
{
    uint64_t *seed = argument;
    *seed = *seed * UINT64_C (6364136223846793005) + UINT64_C (1442695040888963407);
    return (uint32_t) (*seed >> 32);
}

static schedule_t *
schedule_of (size_t running_max)
{
    static uint64_t seed;
    seed = 42;
    return schedule_new (running_max, dice, &seed);
}

//  Starts and at once ends what is due at now; returns how many.
static size_t
run_due (schedule_t *schedule, time_us_t now)
{
    size_t count = 0;
    uint64_t overdue = 0;
    schedule_item_t *item;

    while ((item = schedule_take (schedule, now, &overdue))) {
        schedule_done (schedule, item);
        count++;
    }
    schedule_validate (schedule);
    return count;
}

static void
first_round_comes_within_a_second_of_being_added (void **state)
{
    (void) state;
    _cleanup_ (schedule_destroy) schedule_t *schedule = schedule_of (UNITS);
    schedule_item_t items [UNITS];
    for (size_t i = 0; i < UNITS; i++) {
        assert_int_equal (schedule_add (schedule, &items [i], INTERVAL, T0), 0);
    }

    assert_in_range (run_due (schedule, T0 + SCHEDULE_FIRST_WITHIN_US), UNITS, UNITS);
}

static void
units_added_together_do_not_beat_together (void **state)
{
    (void) state;
    _cleanup_ (schedule_destroy) schedule_t *schedule = schedule_of (UNITS);
    schedule_item_t items [UNITS];
    for (size_t i = 0; i < UNITS; i++) {
        schedule_add (schedule, &items [i], INTERVAL, T0);
    }

    size_t busiest = 0, rounds = 0;
    for (time_us_t now = T0; now < T0 + 11 * INTERVAL; now += 100 * MS_US) {
        size_t count = run_due (schedule, now);
        bool settled = now >= T0 + INTERVAL + SECOND_US;
        busiest = settled && count > busiest ? count : busiest;
        rounds += settled ? count : 0;
    }

    assert_true (busiest < UNITS / 10);
    assert_in_range (rounds, 98 * UNITS / 10, 100 * UNITS / 10);
}

static void
never_more_than_an_interval_lies_between_two_rounds (void **state)
{
    (void) state;
    _cleanup_ (schedule_destroy) schedule_t *schedule = schedule_of (1);
    schedule_item_t item;
    uint64_t overdue = 0;
    time_us_t last = TIME_UNKNOWN;
    schedule_add (schedule, &item, INTERVAL, T0);

    for (time_us_t now = T0; now < T0 + 20 * INTERVAL; now += 10 * MS_US) {
        if (schedule_take (schedule, now, &overdue)) {
            assert_true (last == TIME_UNKNOWN || now - last <= INTERVAL + 10 * MS_US);
            last = now;
            schedule_done (schedule, &item);
        }
    }

    assert_int_equal (overdue, 0);
}

static void
slow_unit_is_counted_overdue_and_delays_nobody (void **state)
{
    (void) state;
    _cleanup_ (schedule_destroy) schedule_t *schedule = schedule_of (2);
    schedule_item_t slow, quick;
    uint64_t overdue = 0;
    schedule_add (schedule, &slow, INTERVAL, T0);
    assert_ptr_equal (schedule_take (schedule, T0 + SECOND_US, &overdue), &slow);
    schedule_add (schedule, &quick, INTERVAL, T0 + SECOND_US);

    size_t quick_rounds = 0;
    for (time_us_t now = T0 + SECOND_US; now < T0 + 5 * INTERVAL; now += 100 * MS_US) {
        schedule_item_t *item = schedule_take (schedule, now, &overdue);
        if (item) {
            assert_ptr_equal (item, &quick);
            schedule_done (schedule, item);
            quick_rounds++;
        }
    }

    assert_in_range (quick_rounds, 5, 6);
    assert_in_range (overdue, 4, 5);
    schedule_validate (schedule);
}

static void
no_more_rounds_than_there_is_room_for_are_under_way (void **state)
{
    (void) state;
    _cleanup_ (schedule_destroy) schedule_t *schedule = schedule_of (3);
    schedule_item_t items [10];
    uint64_t overdue = 0;
    for (size_t i = 0; i < 10; i++) {
        schedule_add (schedule, &items [i], INTERVAL, T0);
    }

    schedule_item_t *first = schedule_take (schedule, T0 + SECOND_US, &overdue);
    assert_non_null (schedule_take (schedule, T0 + SECOND_US, &overdue));
    assert_non_null (schedule_take (schedule, T0 + SECOND_US, &overdue));
    assert_null (schedule_take (schedule, T0 + SECOND_US, &overdue));
    assert_int_equal (schedule_next (schedule), SCHEDULE_NEVER);
    schedule_done (schedule, first);

    assert_true (schedule_next (schedule) <= T0 + SECOND_US);
    assert_non_null (schedule_take (schedule, T0 + SECOND_US, &overdue));
    assert_int_equal (schedule_running (schedule), 3);
}

static void
rounds_missed_in_a_stall_are_counted_and_not_made_up_for (void **state)
{
    (void) state;
    _cleanup_ (schedule_destroy) schedule_t *schedule = schedule_of (1);
    schedule_item_t item;
    uint64_t overdue = 0;
    schedule_add (schedule, &item, INTERVAL, T0);
    run_due (schedule, T0 + SECOND_US);
    run_due (schedule, T0 + INTERVAL + SECOND_US);

    time_us_t late = T0 + 100 * INTERVAL;
    assert_ptr_equal (schedule_take (schedule, late, &overdue), &item);
    schedule_done (schedule, &item);

    assert_null (schedule_take (schedule, late, &overdue));
    assert_in_range (overdue, 96, 99);
}

static void
unit_made_due_while_it_runs_is_run_again_when_it_has_ended (void **state)
{
    (void) state;
    _cleanup_ (schedule_destroy) schedule_t *schedule = schedule_of (1);
    schedule_item_t item;
    uint64_t overdue = 0;
    schedule_add (schedule, &item, INTERVAL, T0);
    schedule_take (schedule, T0 + SECOND_US, &overdue);

    schedule_make_due (schedule, &item, T0 + SECOND_US);
    assert_null (schedule_take (schedule, T0 + SECOND_US, &overdue));
    schedule_done (schedule, &item);

    assert_ptr_equal (schedule_take (schedule, T0 + SECOND_US, &overdue), &item);
    assert_int_equal (overdue, 0);
}

static void
units_that_are_removed_leave_the_others_in_order (void **state)
{
    (void) state;
    _cleanup_ (schedule_destroy) schedule_t *schedule = schedule_of (UNITS);
    schedule_item_t items [UNITS];
    for (size_t i = 0; i < UNITS; i++) {
        schedule_add (schedule, &items [i], INTERVAL, T0);
    }

    for (size_t i = 0; i < UNITS; i += 2) {
        schedule_remove (schedule, &items [i]);
        schedule_validate (schedule);
    }

    assert_int_equal (run_due (schedule, T0 + SECOND_US), UNITS / 2);
}

static void
shorter_interval_counts_from_now (void **state)
{
    (void) state;
    _cleanup_ (schedule_destroy) schedule_t *schedule = schedule_of (1);
    schedule_item_t item;
    schedule_add (schedule, &item, 300 * SECOND_US, T0);
    run_due (schedule, T0 + SECOND_US);

    schedule_set_interval (schedule, &item, INTERVAL, T0 + 2 * SECOND_US);

    assert_true (schedule_next (schedule) <= T0 + 2 * SECOND_US + INTERVAL);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (first_round_comes_within_a_second_of_being_added),
        cmocka_unit_test (units_added_together_do_not_beat_together),
        cmocka_unit_test (never_more_than_an_interval_lies_between_two_rounds),
        cmocka_unit_test (slow_unit_is_counted_overdue_and_delays_nobody),
        cmocka_unit_test (no_more_rounds_than_there_is_room_for_are_under_way),
        cmocka_unit_test (rounds_missed_in_a_stall_are_counted_and_not_made_up_for),
        cmocka_unit_test (unit_made_due_while_it_runs_is_run_again_when_it_has_ended),
        cmocka_unit_test (units_that_are_removed_leave_the_others_in_order),
        cmocka_unit_test (shorter_interval_counts_from_now),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
